"""Progress bars and messages, the same for all rooms of the package.

Bars are those of tqdm.auto: a widget in a notebook, a line on a terminal, nothing elsewhere. Messages go to
the logger "sitqmc"; a program sees warnings on stderr unless it configures logging, the command line prints
everything.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Bar", "followed", "log", "printed_messages"]

Item = TypeVar("Item")

log = logging.getLogger("sitqmc")

DELAY = 1.0
"""Seconds before a bar appears: what is done sooner needs none."""

COUNTER = "{desc}: {n_fmt} {unit}, {elapsed} elapsed"
BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} {unit}, {elapsed} elapsed{postfix}"


def is_watched() -> bool:
    """Return whether somebody sees a bar: stderr is a terminal, or this is the kernel of a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class Bar:
    """A progress bar, or nothing where nobody would see it.

        with Bar(len(items), "continuation", "points") as bar:
            for item in items:
                ...
                bar.update()

    total  None: not known; the steps are counted
    """

    def __init__(
        self, total: int | None, text: str = "", unit: str = "steps", *, done: int = 0, quiet: bool = False,
        delay: float = DELAY, keep: bool = False,
    ) -> None:  # fmt: skip
        self.bar: Any = None
        if is_watched() and not quiet:
            from tqdm.auto import tqdm

            self.bar = tqdm(
                total=total, initial=done, desc=text or None, unit=unit, delay=delay, leave=keep,
                bar_format=COUNTER if total is None else BAR,
            )  # fmt: skip

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def is_shown(self) -> bool:
        """Whether the bar is on the screen."""
        return self.bar is not None

    def update(self, count: int = 1) -> None:
        """Count finished steps."""
        if self.bar is not None:
            self.bar.update(count)

    def note(self, text: str) -> None:
        """Show a remark behind the bar."""
        if self.bar is not None:
            self.bar.set_postfix_str(text)

    def close(self) -> None:
        """Remove the bar, or leave its last state if it was to be kept."""
        if self.bar is not None:
            self.bar.close()


def followed(
    items: Iterable[Item], total: int, text: str, unit: str = "steps", *, quiet: bool = False
) -> Iterator[Item]:
    """Yield the items; a bar counts those that are done."""
    with Bar(total, text, unit, quiet=quiet) as bar:
        for item in items:
            yield item
            bar.update()


class _Printer(logging.Handler):
    """Prints remarks on stdout, warnings and errors on stderr behind the name of the program."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            print(f"sitqmc: {record.getMessage()}", file=sys.stderr, flush=True)
        else:
            print(record.getMessage(), flush=True)


@contextmanager
def printed_messages() -> Iterator[None]:
    """Print all messages of the package, as the command line does."""
    handler, level, spread = _Printer(), log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = spread
