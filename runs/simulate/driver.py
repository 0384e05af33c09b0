"""Simulation of a configuration: rounds of tasks until every point has its samples and meets its targets."""

import contextlib
import time
from pathlib import Path
from typing import Any

from sitqmc.jit import offer_output
from sitqmc.progress import log
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import Stopped, WriteFailed
from sitqmc.runs.simulate.lock import exclusive_lock, warn_of_file_system
from sitqmc.runs.simulate.mpi import from_rank_0, run_mpi
from sitqmc.runs.simulate.processes import available_cores, run_local
from sitqmc.runs.simulate.progress import Progress
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task, remaining_tasks, samples_wanted
from sitqmc.runs.simulate.worker import check_own_parts, warm_up, with_safe_samples
from sitqmc.runs.store.atomic import make_folder, refresh
from sitqmc.runs.store.merge import check_folder, clean, merge, new_call
from sitqmc.runs.store.run_folder import Inventory, RunFolder


def run(
    config: Config,
    *,
    processes: int | None = None,
    comm: Any = None,
    quiet: bool = False,
    stop: Stop | None = None,
    retry: bool = False,
) -> None:
    """Simulate what is missing, with local processes or with all ranks of `comm`.

    retry   also samples that were excluded
    raises  Stopped if `stop` asked for it: everything is on the disk, the same call continues;
            WriteFailed if the disk is full; UserError if the output holds another run
    """
    offer_output(Path(config.output.path))
    stop = stop or Stop()
    workers = comm.size if comm is not None else processes or available_cores()
    driver = RunDriver(config, workers, quiet, stop, retry)
    with contextlib.ExitStack() as stack:
        tasks = from_rank_0(comm, lambda: driver.start(stack))
        while tasks:
            if not driver.simulate(tasks, comm):
                raise Stopped(stop.reason() or "a worker was told to stop")
            tasks = from_rank_0(comm, driver.next_round)


class RunDriver:
    """Preparation, rounds and merging of a run on rank 0."""

    def __init__(self, config: Config, workers: int, quiet: bool, stop: Stop, retry: bool) -> None:
        self.config, self.workers, self.quiet = config, workers, quiet
        self.stop, self.retry, self.folder = stop, retry, RunFolder(config.output.path)
        self.started = time.monotonic()
        self.finished = 0                        # samples on the disk before the round

    def start(self, stack: contextlib.ExitStack) -> list[Task]:
        """Check and lock the output; returns the first tasks. Nothing is touched if a check fails."""
        folder, config = self.folder, self.config
        check_own_parts(config)
        if folder.folder.exists():
            check_folder(folder, config)
        make_folder(folder.folder)
        remark = stack.enter_context(exclusive_lock(folder.folder, self.stop))
        warn_of_file_system(folder.folder)
        refresh(folder.folder)
        refresh(folder.parts)
        found = check_folder(folder, config)     # again: another run may just have finished here
        lines = ([remark] if remark else []) + clean(folder, found)
        tasks = self._tasks(found)
        if tasks or found.tables or found.header is None:
            history = list(found.header.history) if found.header is not None else []
            if tasks or not history:
                history.append(new_call(workers=self.workers))
            found = self._merge(history)
            tasks = self._tasks(found)           # states may have moved
        self._tell(lines, found, tasks)
        if tasks:
            warm_up(config.models[tasks[0].point])
        return tasks

    def simulate(self, tasks: list[Task], comm: Any) -> bool:
        """Run the tasks of one round, on every rank; returns False if stopped."""
        config, folder = self.config, self.folder.folder
        if comm is not None and comm.rank != 0:
            return run_mpi(config, folder, tasks, comm, None, self.stop)
        with Progress(
            tasks, self.finished, quiet=self.quiet, folder=folder, workers=self.workers
        ) as progress:
            if comm is not None:
                return run_mpi(config, folder, tasks, comm, progress, self.stop)
            return run_local(config, folder, tasks, self.workers, progress, self.stop)

    def next_round(self) -> list[Task]:
        """Merge the finished samples; returns tasks for the points that miss their targets."""
        history = list(self.folder.header.history)
        if history:
            history[-1] = history[-1] | {"wall_seconds": time.monotonic() - self.started}
        found = self._merge(history)
        self.retry = False
        tasks = self._tasks(found)
        if tasks and not self.quiet:
            points_left = len({task.point for task in tasks})
            count = sum(len(task.samples) for task in tasks)
            log.info("%d points miss their targets: %d more samples", points_left, count)
        return tasks

    def _merge(self, history: list[dict[str, Any]]) -> Inventory:
        try:
            return merge(self.folder, self.config, history)
        except WriteFailed as error:
            raise with_safe_samples(error, self.folder.folder) from None

    def _tasks(self, found: Inventory) -> list[Task]:
        wanted = samples_wanted(self.config, found)
        tasks = remaining_tasks(self.config, found, wanted, self.workers, self.retry)
        self.finished = sum(
            bins >= self.config.schedule.bins and model in wanted
            for (model, _, _), bins in found.finished.items()
        )
        return tasks

    def _tell(self, lines: list[str], found: Inventory, tasks: list[Task]) -> None:
        if self.quiet:
            return
        place, models = self.folder.folder, self.config.models
        resumed = sum(len(task.samples) for task in tasks if task.states)
        state = f"{self.finished} samples on disk, {sum(len(t.samples) for t in tasks)} to simulate"
        more = f" ({resumed} of them from a checkpoint)" if resumed else ""
        for line in lines:
            log.info("%s: %s", place, line)
        log.info("%s: %d points, %s%s", place, len(models), state, more)
        others = [model for model in found.by_model if model not in set(models)]
        if others:
            log.info(
                "%s: %d stored points are not in this configuration; they are kept", place, len(others)
            )
        if found.excluded and not self.retry:
            log.info("%s: %d samples failed; --retry repeats them", place, len(found.excluded))
