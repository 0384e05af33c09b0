"""Progress: a bar on a terminal, sparse plain lines in a log, a small file for `sitqmc status`."""

import contextlib
import sys
import time
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from sitqmc.runs.errors import UserError
from sitqmc.runs.formatting import clock
from sitqmc.runs.simulate.tasks import Task
from sitqmc.runs.store.atomic import replace_json

NAME = "progress.json"
BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} samples, {elapsed} elapsed{postfix}"


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
        self.in_hand: dict[int, float] = {}      # cost done of tasks not finished, by worker
        self.begun = self.said = self.noted = time.monotonic()
        self.started = time.time()
        self.first: tuple[float, float] | None = None      # when the first word came, and the share then
        self.pause = 5.0
        self.quiet = quiet
        self.bar = None
        if sys.stderr.isatty() and not quiet:
            self.bar = tqdm(total=finished + self.count, initial=finished, bar_format=BAR)
        self._note(force=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    def at(self, cost: float, worker: int = 0) -> None:
        """So much of its task a worker has done: long chains show progress before the first of them ends."""
        self.in_hand[worker] = cost
        self.first = self.first or (time.monotonic(), self.share)
        self._say()

    def finished_task(self, turn: int, worker: int = 0) -> None:
        """One more task is done, in any order."""
        self.tasks += 1
        self.in_hand.pop(worker, None)
        self._advance(len(self.todo[turn].samples), self.todo[turn].cost)

    def finished_tasks(self, count: int) -> None:
        """At least the first `count` tasks are done, or as many others."""
        while self.tasks < count:
            self.finished_task(self.tasks)

    def _advance(self, samples: int, cost: float) -> None:
        if self.bar is not None:
            self.bar.update(samples)
        self.done, self.cost = self.done + samples, self.cost + cost
        self._say(last=self.done == self.count)

    def _say(self, last: bool = False) -> None:
        now = time.monotonic()
        if self.bar is not None and now - self.said >= 1.0:
            self.said = now
            self.bar.set_postfix_str(f"about {clock(self.left(now))} left")
        if self.bar is None and not self.quiet and (now - self.said >= self.pause or last):
            self.said = now
            self.pause = min(1.5 * self.pause, 600.0)       # a log of days stays short
            print(
                f"samples {self.finished + self.done}/{self.finished + self.count}, "
                f"{100 * self.share:.3g} % of the work, {clock(now - self.begun)} elapsed, "
                f"about {clock(self.left(now))} left",
                flush=True,
            )
        self._note(force=last)

    @property
    def share(self) -> float:
        """Of this round's work what is done, chains on their way included."""
        return min(1.0, (self.cost + sum(self.in_hand.values())) / self.total) if self.total else 1.0

    def left(self, now: float) -> float:
        """Seconds left, at the speed since work began; nan if that is not known yet."""
        begun, share = self.first or (self.begun, 0.0)
        done = self.share - share
        return (now - begun) * (1.0 - self.share) / done if done > 0 else float("nan")

    def _note(self, force: bool = False) -> None:
        now = time.monotonic()
        if self.folder is None or not (force or now - self.noted > 5.0):
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
