"""Commands that simulate: run, rerun, merge."""

import argparse
import sys
from typing import Any

from sitqmc.runs.errors import Stopped, UserError

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

    again = commands.add_parser(
        "rerun", help="make one chain again and compare it with the store",
        description="Reproduce the chain of one point and sample and compare it with the store, bit for bit. "
        "Exit status 1 if it differs.",
    )  # fmt: skip
    again.add_argument("folder", help="output.path of a run, its run.h5 or its configuration")
    again.add_argument("--point", type=int, required=True, help="number of the point, from 0, as in the plan")
    again.add_argument("--sample", type=int, required=True, help="number of the disorder sample, from 0")
    again.add_argument("--seed", type=int, help="of a pool of several (default: the run's)")
    again.set_defaults(command=_rerun)

    merge = commands.add_parser(
        "merge", help="bring finished samples into run.h5, or pool several runs",
        description="With one folder: bring the parts of a stopped run into its run.h5 (a run does so itself "
        "when it ends). With more: pool runs of other seeds, samples or points into a new folder.",
    )  # fmt: skip
    merge.add_argument("output", help="folder of the run, or of the pool to be made")
    merge.add_argument("sources", nargs="*", help="folders of runs, or their run.h5")
    merge.set_defaults(command=_merge)


def positive(text: str) -> int:
    """An argument that counts something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def _run(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.simulate.mpi import world

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
        from sitqmc.runs.simulate.stop import STOPPED

        return STOPPED
    except BaseException as error:
        if comm is None or comm.size == 1:
            raise
        print(f"sitqmc: rank {comm.rank}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        comm.Abort(1)                            # or the other ranks would wait for ever
    return 1


def _simulate(arguments: argparse.Namespace, comm: Any) -> int:
    from dataclasses import replace

    from sitqmc.runs.config.config import load_config
    from sitqmc.runs.simulate.run import run
    from sitqmc.runs.simulate.stop import Stop, given_time, job_time

    seconds = given_time(arguments.time)         # on every rank: a mistake in it ends all of them
    config = load_config(arguments.config)
    if seconds is None:
        seconds = job_time() if comm is None or comm.rank == 0 else None
        seconds = seconds if comm is None else comm.bcast(seconds)
    if arguments.output:
        config = replace(config, output=replace(config.output, path=arguments.output))
    with Stop(seconds).listening() as stop:
        run(
            config, processes=arguments.processes, comm=comm, quiet=arguments.quiet, stop=stop,
            retry=arguments.retry, analysis=not arguments.no_analysis,
        )  # fmt: skip
    return 0


def _rerun(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.cli.inspect import folder_of
    from sitqmc.runs.jobs.rerun import rerun

    same, text = rerun(folder_of(arguments.folder), arguments.point, arguments.sample, arguments.seed)
    print(text)
    return 0 if same else 1


def _merge(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from sitqmc.runs.simulate.lock import only_one
    from sitqmc.runs.store.atomic import make_folder
    from sitqmc.runs.store.merge import Store, pool
    from sitqmc.runs.store.run_file import NAME, read_config

    out = Path(arguments.output)
    if not arguments.sources:
        store = Store(out)
        if not store.path.exists():
            raise UserError(f"{out}: holds no run; give the output.path of a run")
        with only_one(out):
            said = store.clean()
            found = store.merge(read_config(store.path))
        print("\n".join([*said, f"{store.path}: {len(found.finished)} samples"]))
        return 0
    sources = [p / NAME if p.is_dir() else p for p in map(Path, arguments.sources)]
    for path in sources:
        if not path.exists():
            raise UserError(f"{path}: there is no run here; give folders of runs, or their run.h5")
        if list((path.parent / "parts").glob("*.h5")):
            raise UserError(f"{path.parent}: has parts not merged yet; sitqmc merge {path.parent} first")
    if (out / NAME).exists():
        raise UserError(f"{out / NAME} exists; choose another folder for the pool")
    make_folder(out)
    with only_one(out):
        found = pool(out / NAME, sources)
    print(f"{out / NAME}: {len(found.finished)} samples of {len(sources)} runs")
    return 0
