"""The command `sitqmc`."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from runs.errors import UserError
from runs.provenance import package_version

BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        _check_imports()
        return int(arguments.command(arguments) or 0)
    except UserError as error:
        _say(error)
        return BAD_INPUT
    except KeyboardInterrupt:
        _say("interrupted; finished samples are safe, the same command continues")
        return 130
    except BrokenPipeError:                      # the reader of our output has gone, as in `| head`
        sys.stdout = open(os.devnull, "w")       # noqa: SIM115 - nothing may be flushed into the pipe at exit
        return 1
    except RuntimeError as error:
        _say(error)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sitqmc",
        description="Quantum Monte Carlo of the disorder-driven superconductor-insulator transition.",
    )
    parser.add_argument("--version", action="version", version=f"sitqmc {package_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="simulate and analyse a configuration; continues what is there",
        description="Simulate and analyse a configuration. On a half-finished output it continues; on a "
        "finished one it only makes tables and figures anew. Starts local processes, or uses the ranks of "
        "mpiexec or srun.",
    )
    run.add_argument("config", help="TOML file")
    run.add_argument("-n", "--processes", type=_positive, help="local processes (default: all cores)")
    run.add_argument("-o", "--output", help="folder, instead of output.path of the configuration")
    run.add_argument("-q", "--quiet", action="store_true", help="print the final table only")
    run.set_defaults(command=_run)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def _run(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from runs.config import load_config
    from runs.mpi import world

    comm = world()
    try:
        from runs.pipeline import run

        config = load_config(arguments.config)
        if arguments.output:
            config = replace(config, output=replace(config.output, path=arguments.output))
        run(config, processes=arguments.processes, comm=comm, quiet=arguments.quiet)
    except UserError:
        if comm is None or comm.rank == 0:
            raise
        return BAD_INPUT                         # rank 0 says why
    except BaseException as error:
        if comm is None or comm.size == 1:
            raise
        _say(f"rank {comm.rank}: {type(error).__name__}: {error}")
        comm.Abort(1)                            # or the other ranks would wait for ever
    return 0


def _check_imports() -> None:
    """All four packages must be ours: their names are common, and a folder `runs` may lie in the way."""
    home = Path(__file__).resolve().parent.parent
    for name in ("qmc", "continuation", "analytic"):
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found != home:
            raise UserError(
                f"package {name!r} is imported from {found}, not from {home}: another package of that name "
                "is in the way; use a fresh environment"
            )


def _say(message: object) -> None:
    print(f"sitqmc: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
