"""The main job: configuration to store, store to averages, spectra, tables and figures."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runs.analysis import PointResult, analyse
from runs.config import Config, points
from runs.errors import UserError
from runs.files import make_folder, only_one
from runs.local import available_cores, run_local
from runs.mpi import run_mpi
from runs.progress import Progress, clock
from runs.store import Store, read_points
from runs.tables import final_table, write_tables
from runs.work import Task, open_tasks, warm_up


def run(
    config: Config, *, processes: int | None = None, comm: Any = None, quiet: bool = False
) -> list[PointResult]:
    """Simulate what is missing, then analyse everything. Only rank 0 of `comm` returns results."""
    folder, begun = Path(config.output.path), time.monotonic()
    leads = comm is None or comm.rank == 0
    with contextlib.ExitStack() as stack:
        todo: list[Task] | UserError = []
        if leads:
            try:
                todo = _prepare(config, folder, stack, quiet)
            except UserError as error:
                todo = error
        if comm is not None:
            todo = comm.bcast(todo)
        if isinstance(todo, UserError):
            raise todo
        if todo:
            _simulate(config, folder, todo, processes, comm, quiet)
        if not leads:
            return []
        Store(folder).merge(config, time.monotonic() - begun)
        return report(config, quiet=quiet)


def _prepare(config: Config, folder: Path, stack: contextlib.ExitStack, quiet: bool) -> list[Task]:
    """Check and lock the output; returns what is left to do. Nothing is touched if a check fails."""
    store = Store(folder)
    if folder.exists():
        store.check(config)
    make_folder(folder)
    stack.enter_context(only_one(folder))
    store.check(config)                          # again: another run may just have finished here
    store.create(config)
    store.merge(config)
    finished = store.finished()
    todo = open_tasks(config, finished)
    if not quiet:
        count = len(list(points(config)))
        state = f"{len(finished)} samples on disk, {len(todo)} to simulate"
        print(f"{folder}: {count} points, {state}", flush=True)
    if todo:
        warm_up()
    return todo


def _simulate(
    config: Config, folder: Path, todo: list[Task], processes: int | None, comm: Any, quiet: bool
) -> None:
    finished = len(list(points(config))) * config.disorder.samples - len(todo)
    if comm is not None and comm.rank != 0:
        run_mpi(config, folder, todo, comm, None)
        return
    with Progress(todo, finished, quiet=quiet) as progress:
        if comm is not None:
            run_mpi(config, folder, todo, comm, progress)
        else:
            run_local(config, folder, todo, processes or available_cores(), progress)


@contextlib.contextmanager
def _timed(what: str, quiet: bool) -> Iterator[None]:
    begun = time.monotonic()
    yield
    if not quiet:
        print(f"{what}: {clock(time.monotonic() - begun)}", flush=True)


def report(config: Config, *, quiet: bool = False) -> list[PointResult]:
    """Analyse a finished store and write tables and figures beside it."""
    from runs.figures import write_figures  # matplotlib is slow to import and not needed before

    folder = Path(config.output.path)
    with _timed("averages and continuation", quiet):
        results = [analyse(config, i, data) for i, data in enumerate(read_points(Store(folder).path))]
    written = write_tables(folder, results) + write_figures(folder, results)
    print(final_table(results))
    if not quiet:
        print("written: " + ", ".join(os.fspath(path) for path in (Store(folder).path, *written)))
    return results
