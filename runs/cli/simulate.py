"""Commands that simulate: run, rerun, merge."""

import argparse
from functools import partial
from typing import Any

from sitqmc.runs.cli.arguments import RUN_HELP, add_changes, folder_of, positive
from sitqmc.runs.errors import Stopped, UserError, WriteFailed

BAD_INPUT = 2


def add_commands(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="simulate and analyse a configuration; resumes an unfinished run",
        description="Simulate and analyse a configuration. An unfinished run is resumed; a finished one is "
        "only analysed again. Starts local processes, or uses the ranks of mpiexec or srun. On SIGTERM, "
        "SIGUSR1 or at the time limit it saves its work and ends with exit status 75.",
    )
    run.add_argument("config", help="TOML file")
    run.add_argument("-n", "--processes", type=positive, help="local processes (default: all cores)")
    run.add_argument("-o", "--output", help="output folder (default: output.path of the configuration)")
    run.add_argument("-q", "--quiet", action="store_true", help="print the final table only")
    run.add_argument(
        "--time", help="time limit, such as 12:00:00; work is saved before (default: limit of the SLURM job)"
    )
    run.add_argument("--retry", action="store_true", help="repeat samples that failed")
    run.add_argument("--no-analysis", action="store_true", help="simulate only; no tables and figures")
    add_changes(run)
    run.set_defaults(command=_run)

    again = commands.add_parser(
        "rerun", help="repeat one chain and compare it with run.h5",
        description="Repeat the chain of one point and sample and compare it with run.h5, bit for bit. "
        "Exit status 1 if it differs.",
    )  # fmt: skip
    again.add_argument("folder", help=RUN_HELP)
    again.add_argument("--point", type=int, required=True, help="number of the point, from 0, as in the plan")
    again.add_argument("--sample", type=int, required=True, help="number of the disorder sample, from 0")
    again.add_argument("--seed", type=int, help="seed of a pooled run (default: disorder.seed)")
    again.set_defaults(command=_rerun)

    merge = commands.add_parser(
        "merge", help="merge finished samples into run.h5, or pool several runs",
        description="With one folder: merge the parts of a stopped run into its run.h5 (a run does so itself "
        "when it ends). With more: pool runs of different seeds, samples or points into a new folder.",
    )  # fmt: skip
    merge.add_argument("output", help="folder of the run, or new folder of the pool")
    merge.add_argument("sources", nargs="*", help="output folders of runs, or their run.h5")
    merge.set_defaults(command=_merge)


def _run(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.simulate.mpi import abort, world

    comm = world()
    try:
        return _simulate(arguments, comm)
    except UserError:
        if comm is None or comm.rank == 0:
            raise
        return BAD_INPUT                         # rank 0 prints the reason
    except WriteFailed:
        if comm is None or comm.rank == 0:
            raise
        return 1
    except Stopped:
        if comm is None or comm.rank == 0:
            raise
        from sitqmc.runs.simulate.stop import STOPPED

        return STOPPED
    except BaseException as error:
        if comm is None or comm.size == 1:
            raise
        abort(comm, f"{type(error).__name__}: {error}", 1)
    return 1


def _simulate(arguments: argparse.Namespace, comm: Any) -> int:
    from dataclasses import replace

    from sitqmc.runs.config.config import load_config
    from sitqmc.runs.simulate.driver import run
    from sitqmc.runs.simulate.stop import Stop, given_time, job_time

    seconds = given_time(arguments.time)         # on every rank: a mistake in it ends all of them
    config = load_config(arguments.config, arguments.changes)
    if seconds is None:
        seconds = job_time() if comm is None or comm.rank == 0 else None
        seconds = seconds if comm is None else comm.bcast(seconds)
    if arguments.output:
        config = replace(config, output=replace(config.output, path=arguments.output))
    with Stop(seconds).listening() as stop:
        if arguments.no_analysis:
            run(
                config, processes=arguments.processes, comm=comm, quiet=arguments.quiet, stop=stop,
                retry=arguments.retry,
            )  # fmt: skip
        else:
            from sitqmc.runs.jobs.start import simulate_and_analyse

            simulate_and_analyse(
                config, stop, processes=arguments.processes, comm=comm, quiet=arguments.quiet,
                retry=arguments.retry, finish=partial(_publish, arguments.quiet),
            )  # fmt: skip
    return 0


def _publish(quiet: bool, results: Any) -> None:
    from sitqmc.runs.results.report.publish import publish  # matplotlib is slow to import

    publish(results, quiet=quiet)


def _rerun(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.jobs.rerun import rerun

    same, text = rerun(folder_of(arguments.folder), arguments.point, arguments.sample, arguments.seed)
    print(text)
    return 0 if same else 1


def _merge(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.simulate.lock import exclusive_lock
    from sitqmc.runs.store.atomic import make_folder
    from sitqmc.runs.store.merge import clean, merge, pool
    from sitqmc.runs.store.run_folder import RunFolder

    out = RunFolder(arguments.output)
    if not arguments.sources:
        out.require()
        with exclusive_lock(out.folder):
            lines = clean(out, out.inventory())
            found = merge(out, out.header.config)
        print("\n".join([*lines, f"{out.path}: {len(found.finished)} samples"]))
        return 0
    sources = [RunFolder(source).require() for source in arguments.sources]
    if out.path.exists():
        raise UserError(f"{out.path} exists; choose another folder for the pool")
    make_folder(out.folder)
    with exclusive_lock(out.folder):
        checkpoints = [path for source in sources for path in source.checkpoints()]
        found = pool(out.path, [source.path for source in sources], checkpoints)
    print(f"{out.path}: {len(found.finished)} samples of {len(sources)} runs")
    return 0
