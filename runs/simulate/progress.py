"""Progress of a run: a bar where somebody sees it, sparse lines in a log, a file for `sitqmc status`."""

import contextlib
import time
from pathlib import Path
from types import TracebackType

from sitqmc.progress import Bar, log
from sitqmc.runs.errors import UserError, WriteFailed
from sitqmc.runs.formatting import clock, time_left
from sitqmc.runs.simulate.tasks import Task
from sitqmc.runs.store.atomic import replace_json
from sitqmc.runs.store.run_folder import PROGRESS


class Progress:
    """Counts finished samples and estimates the remaining time from the cost of the tasks.

    finished   samples on the disk before the round
    folder     folder of progress.json, or None
    """

    def __init__(
        self, tasks: list[Task], finished: int, *, quiet: bool = False, folder: Path | None = None,
        workers: int = 1,
    ) -> None:  # fmt: skip
        self.tasks, self.finished, self.folder, self.workers = tasks, finished, folder, workers
        self.total, self.count = sum(t.cost for t in tasks), sum(len(t.samples) for t in tasks)
        self.tasks_done, self.done, self.cost = 0, 0, 0.0
        self.partial: dict[int, float] = {}      # finished cost of open tasks, by worker
        self.begun = self.printed = self.written = time.monotonic()
        self.started = time.time()
        self.first: tuple[float, float] | None = None      # time of the first report, and the share then
        self.pause = 5.0
        self.quiet = quiet
        self.bar = Bar(
            finished + self.count, "simulation", "samples", done=finished, quiet=quiet, delay=0.0, keep=True
        )
        self._write(force=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def task_progress(self, cost: float, worker: int = 0) -> None:
        """Note the part of its present task that a worker has completed, as cost."""
        self.partial[worker] = cost
        self.first = self.first or (time.monotonic(), self.share)
        self._show()

    def finished_task(self, number: int, worker: int = 0) -> None:
        """Note that a task is finished, in any order."""
        self.tasks_done += 1
        self.partial.pop(worker, None)
        self._advance(len(self.tasks[number].samples), self.tasks[number].cost)

    def finished_tasks(self, count: int) -> None:
        """Note that at least the first `count` tasks, or as many others, are finished."""
        while self.tasks_done < count:
            self.finished_task(self.tasks_done)

    def _advance(self, samples: int, cost: float) -> None:
        self.bar.update(samples)
        self.done, self.cost = self.done + samples, self.cost + cost
        self._show(last=self.done == self.count)

    def _show(self, last: bool = False) -> None:
        now = time.monotonic()
        if self.bar.is_shown and now - self.printed >= 1.0:
            self.printed = now
            self.bar.note(time_left(self.left(now)))
        if not self.bar.is_shown and not self.quiet and (now - self.printed >= self.pause or last):
            self.printed = now
            self.pause = min(1.5 * self.pause, 600.0)       # a log of days stays short
            log.info(
                "samples %d/%d, %.3g %% of the work, %s elapsed, %s", self.finished + self.done,
                self.finished + self.count, 100 * self.share, clock(now - self.begun),
                time_left(self.left(now)),
            )  # fmt: skip
        self._write(force=last)

    @property
    def share(self) -> float:
        """Finished share of the work of this round, open chains included."""
        return min(1.0, (self.cost + sum(self.partial.values())) / self.total) if self.total else 1.0

    def left(self, now: float) -> float:
        """Return the seconds left at the speed since the start; nan if the speed is not known yet."""
        begun, share = self.first or (self.begun, 0.0)
        done = self.share - share
        return (now - begun) * (1.0 - self.share) / done if done > 0 else float("nan")

    def _write(self, force: bool = False) -> None:
        now = time.monotonic()
        if self.folder is None or not (force or now - self.written > 5.0):
            return
        self.written = now
        left = self.left(now)
        note = {
            "started": self.started, "updated": time.time(), "workers": self.workers,
            "samples": self.finished + self.done, "of": self.finished + self.count,
            "seconds_left": left if left == left else None,
        }  # fmt: skip
        with contextlib.suppress(UserError, WriteFailed):        # no reason to end a run
            replace_json(self.folder / PROGRESS, note)
