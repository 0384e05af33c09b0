"""Progress: a bar on a terminal, sparse plain lines in a log."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

from runs.work import Task


class Progress:
    """Counts finished samples, weighs them by cost to say how long the rest will take."""

    def __init__(self, todo: list[Task], finished: int, *, quiet: bool = False) -> None:
        self.total, self.count, self.finished = sum(t.cost for t in todo), len(todo), finished
        self.done, self.cost = 0, 0.0
        self.begun = self.said = time.monotonic()
        self.pause = 5.0
        self.quiet = quiet
        self.bar = None
        if sys.stderr.isatty() and not quiet:
            self.bar = tqdm(total=finished + len(todo), initial=finished, unit="sample", smoothing=0.1)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, task: Task) -> None:
        """One more sample is finished."""
        self.set(self.done + 1, self.cost + task.cost)

    def set(self, done: int, cost: float) -> None:
        """`done` samples of total `cost` are finished."""
        if self.bar is not None:
            self.bar.update(done - self.done)
        self.done, self.cost = done, cost
        now = time.monotonic()
        if self.bar is None and not self.quiet and (now - self.said >= self.pause or done == self.count):
            self.said = now
            self.pause = min(1.5 * self.pause, 600.0)       # a log of days stays short
            elapsed = now - self.begun
            left = elapsed * (self.total - cost) / cost if cost else float("nan")
            print(
                f"samples {self.finished + done}/{self.finished + self.count}, "
                f"{clock(elapsed)} elapsed, about {clock(left)} left",
                flush=True,
            )


def clock(seconds: float) -> str:
    """h:mm:ss."""
    if seconds != seconds:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
