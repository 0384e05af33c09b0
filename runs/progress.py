"""Progress: a bar on a terminal, sparse plain lines in a log, a small file for `sitqmc status`."""

import contextlib
import sys
import time
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from runs.errors import UserError
from runs.files import replace_json
from runs.tasks import Task
from runs.text import clock

NAME = "progress.json"


class Progress:
    """Counts finished samples, weighs them by cost to say how long the rest will take.

    finished   samples that were there before
    folder     where to leave progress.json, or None
    """

    def __init__(
        self, todo: list[Task], finished: int, *, quiet: bool = False, folder: Path | None = None,
        workers: int = 1,
    ) -> None:  # fmt: skip
        self.todo, self.finished, self.folder, self.workers = todo, finished, folder, workers
        self.total, self.count = sum(t.cost for t in todo), sum(len(t.samples) for t in todo)
        self.tasks, self.done, self.cost = 0, 0, 0.0
        self.begun = self.said = self.noted = time.monotonic()
        self.started = time.time()
        self.pause = 5.0
        self.quiet = quiet
        self.bar = None
        if sys.stderr.isatty() and not quiet:
            self.bar = tqdm(total=finished + self.count, initial=finished, unit="sample", smoothing=0.1)
        self._note(force=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    def finished_task(self, turn: int) -> None:
        """One more task is done, in any order."""
        self.tasks += 1
        self._advance(len(self.todo[turn].samples), self.todo[turn].cost)

    def finished_tasks(self, count: int) -> None:
        """At least the first `count` tasks are done, or as many others."""
        while self.tasks < count:
            self.finished_task(self.tasks)

    def _advance(self, samples: int, cost: float) -> None:
        if self.bar is not None:
            self.bar.update(samples)
        self.done, self.cost = self.done + samples, self.cost + cost
        now = time.monotonic()
        if self.bar is None and not self.quiet and (now - self.said >= self.pause or self.done == self.count):
            self.said = now
            self.pause = min(1.5 * self.pause, 600.0)       # a log of days stays short
            print(
                f"samples {self.finished + self.done}/{self.finished + self.count}, "
                f"{clock(now - self.begun)} elapsed, about {clock(self.left(now))} left",
                flush=True,
            )
        self._note()

    def left(self, now: float) -> float:
        """Seconds left, at the speed so far."""
        return (now - self.begun) * (self.total - self.cost) / self.cost if self.cost else float("nan")

    def _note(self, force: bool = False) -> None:
        now = time.monotonic()
        if self.folder is None or not (force or now - self.noted > 5.0 or self.done == self.count):
            return
        self.noted = now
        left = self.left(now)
        note = {
            "started": self.started, "updated": time.time(), "workers": self.workers,
            "samples": self.finished + self.done, "of": self.finished + self.count,
            "seconds_left": left if left == left else None,
        }  # fmt: skip
        with contextlib.suppress(UserError):     # a remark is not worth a run
            replace_json(self.folder / NAME, note)
