"""Commands that simulate: run, rerun, merge."""

import argparse
import sys
from typing import Any

from runs.errors import Stopped, UserError

BAD_INPUT = 2


def add_commands(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="simulate and analyse a configuration; continues what is there",
        description="Simulate and analyse a configuration. On a half-finished output it continues; on a "
        "finished one it only makes tables and figures anew. Starts local processes, or uses the ranks of "
        "mpiexec or srun. SIGTERM, SIGUSR1 and the time limit stop it in order, with exit status 75.",
    )
    run.add_argument("config", help="TOML file")
    run.add_argument("-n", "--processes", type=positive, help="local processes (default: all cores)")
    run.add_argument("-o", "--output", help="folder, instead of output.path of the configuration")
    run.add_argument("-q", "--quiet", action="store_true", help="print the final table only")
    run.add_argument(
        "--time", help="time limit, such as 12:00:00: stops in order before it (default: the SLURM job's)"
    )
    run.add_argument("--retry", action="store_true", help="try samples again that were set aside")
    run.add_argument("--no-analysis", action="store_true", help="simulate only; no tables and figures")
    run.set_defaults(command=_run)


def positive(text: str) -> int:
    """An argument that counts something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def _run(arguments: argparse.Namespace) -> int:
    from runs.mpi import world

    comm = world()
    try:
        return _simulate(arguments, comm)
    except UserError:
        if comm is None or comm.rank == 0:
            raise
        return BAD_INPUT                         # rank 0 says why
    except Stopped:
        if comm is None or comm.rank == 0:
            raise
        from runs.stop import STOPPED

        return STOPPED
    except BaseException as error:
        if comm is None or comm.size == 1:
            raise
        print(f"sitqmc: rank {comm.rank}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        comm.Abort(1)                            # or the other ranks would wait for ever
    return 1


def _simulate(arguments: argparse.Namespace, comm: Any) -> int:
    from dataclasses import replace

    from runs.config import load_config
    from runs.pipeline import run
    from runs.stop import Stop, time_left

    seconds = time_left(arguments.time) if comm is None or comm.rank == 0 else None
    if comm is not None:
        seconds = comm.bcast(seconds)
    config = load_config(arguments.config)
    if arguments.output:
        config = replace(config, output=replace(config.output, path=arguments.output))
    with Stop(seconds).listening() as stop:
        run(
            config, processes=arguments.processes, comm=comm, quiet=arguments.quiet, stop=stop,
            retry=arguments.retry, analysis=not arguments.no_analysis,
        )  # fmt: skip
    return 0
