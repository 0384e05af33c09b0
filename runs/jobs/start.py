"""A run from its configuration to its results, for the command line and for Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from sitqmc.progress import Bar, log
from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config
from sitqmc.runs.config.keywords import ConfigKeywords
from sitqmc.runs.errors import Stopped, UserError
from sitqmc.runs.formatting import Text
from sitqmc.runs.jobs.plan import TRIAL_SECONDS
from sitqmc.runs.jobs.plan import plan as planned
from sitqmc.runs.results.analysis import RunResults, analyse_run
from sitqmc.runs.results.run import Run
from sitqmc.runs.results.stored import keep
from sitqmc.runs.simulate.driver import run as simulate
from sitqmc.runs.simulate.lock import exclusive_lock
from sitqmc.runs.simulate.mpi import map_over_ranks, wait_for_all
from sitqmc.runs.simulate.processes import available_cores
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.store.run_folder import RunFolder

Base = Config | Model | str | Path | None
"""A configuration, a model, a TOML file, or None: the defaults."""


def run(
    base: Base = None, *, processes: int | None = None, seconds: float | None = None, retry: bool = False,
    report: bool = True, **keywords: Unpack[ConfigKeywords],
) -> Run:  # fmt: skip
    """Simulate what is missing of a run, continue its correlators, and return it.

        run = sitqmc.run(L=8, beta=4.8, eps=0.1, charging=3.0, p=[0, 0.1], samples=50, path="results/scan")

    The same samples, files and locks as `sitqmc run`: a second call resumes an unfinished run, adds samples
    or points, or finds it complete. The first Ctrl-C, or the stop button of a notebook, ends it in order.

    base       configuration, TOML file or model that the keywords change; None: the keywords alone
    processes  local processes; None: all cores
    seconds    time limit; all work is saved before
    retry      repeat samples that failed
    report     write tables, figures and report.html beside run.h5
    keywords   keys of [model], samples, seed, path, and other sections as tables, see `Config.of`
    raises     UserError for a wrong configuration or an output that holds another run; KeyboardInterrupt
               after an interrupt and Stopped at the time limit, when all work is saved; WriteFailed if the
               disk is full
    """
    config = Config.of(base, **keywords)
    with Stop(seconds).listening() as stop:
        try:
            simulate_and_analyse(
                config, stop, processes=processes, retry=retry, again=False,
                finish=write_all if report else None,
            )
        except Stopped as reason:
            if str(reason) != "signal SIGINT":
                raise
            raise KeyboardInterrupt(
                f"all work is saved in {config.output.path}; the same call continues"
            ) from None
    return Run(RunFolder(config.output.path), config)


def write_all(results: RunResults) -> list[Path]:
    """Write tables, figures and report beside run.h5; return the paths."""
    from sitqmc.runs.results.report.publish import write_all  # matplotlib is slow to import

    return write_all(results)


def plan(
    base: Base = None, *, processes: int | None = None, trial_seconds: float = TRIAL_SECONDS,
    **keywords: Unpack[ConfigKeywords],
) -> Text:  # fmt: skip
    """Return points, memory, cost from a short measured trial, and the greatest risk of a run, as text.

    base, keywords  as of `run`
    processes       local processes or ranks; None: all cores
    trial_seconds   of each trial
    """
    return Text(planned(Config.of(base, **keywords), processes or available_cores(), trial_seconds))


def simulate_and_analyse(
    config: Config, stop: Stop, *, processes: int | None = None, comm: Any = None, quiet: bool = False,
    retry: bool = False, again: bool = True, finish: Callable[[RunResults], object] | None = None,
) -> None:  # fmt: skip
    """Simulate what is missing, then continue all points, shared among the ranks of `comm`.

    again   continue the correlators also where run.h5 holds the spectra of the same samples
    finish  is called with the results on rank 0
    raises  as of `simulate.driver.run`
    """
    simulate(config, processes=processes, comm=comm, quiet=quiet, stop=stop, retry=retry)
    try:
        found = Run(RunFolder(config.output.path), config)
        if not again and comm is None and found.stored is not None:
            return
        results = analyse_run(found, _share(comm, stop, quiet))
        if results is not None:
            _keep(found.folder, results, stop)
            if finish is not None:
                finish(results)
    finally:
        if comm is not None:                     # sleep while rank 0 draws: the end of MPI would spin
            wait_for_all(comm)


def _keep(folder: RunFolder, results: RunResults, stop: Stop) -> None:
    """Write the spectra into run.h5, unless another run has started here."""
    try:
        with exclusive_lock(folder.folder, stop):
            keep(folder, results)
    except UserError as error:
        log.warning("%s: the spectra are not kept: %s", folder.path, error)


def _share(comm: Any, stop: Stop, quiet: bool) -> Any:
    """Return a function share(jobs, do) that divides jobs made by rank 0 among all ranks."""
    leads = comm is None or comm.rank == 0

    def share(jobs: Callable[[], Sequence[Any]], do: Callable[[Any], Any]) -> list[Any] | None:
        made: Sequence[Any] | UserError = []
        if leads:
            try:
                made = jobs()
            except UserError as error:           # raised on every rank, or the others would wait for ever
                made = error
        count = len(made) if comm is None and not isinstance(made, UserError) else 0
        with Bar(count, "continuation", "points", quiet=quiet or not count) as bar:
            results = map_over_ranks(comm, made, partial(_counted, do, bar), stop)
        return results if leads else None

    return share


def _counted(do: Callable[[Any], Any], bar: Bar, job: Any) -> Any:
    result = do(job)
    bar.update()
    return result
