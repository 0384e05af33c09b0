"""Tables, durations and sizes as text. Imports nothing heavy."""

import math
from collections.abc import Sequence


class Text(str):
    """Text that is shown as it is at the end of a cell of a notebook."""

    def __repr__(self) -> str:
        return str(self)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, columns flush right; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss; "?" if it is not known."""
    if seconds != seconds:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def time_left(seconds: float) -> str:
    """Return the estimate of a remaining time; NaN if there is none yet."""
    return "time left not known yet" if math.isnan(seconds) else f"about {clock(seconds)} left"


def size(count: float) -> str:
    """Return a number of bytes as text: 12 kB, 3.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
