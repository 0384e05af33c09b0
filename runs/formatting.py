"""Numbers, durations and tables for reading. Imports nothing heavy."""

import math
from collections.abc import Sequence


def with_error(value: float, error: float) -> str:
    """0.3412(21): the error in units of the last digit, two digits of it."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return f"{value:.4g}(?)"
    if error <= 1e-14 * abs(value):              # zero, but for rounding
        return f"{value:.4g}(0)"
    digits = max(0, 1 - math.floor(math.log10(error)))
    shown = error if digits == 0 else round(error * 10**digits)
    return f"{value:.{digits}f}({shown:.0f})"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose first row is its head, columns flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def clock(seconds: float) -> str:
    """h:mm:ss."""
    if seconds != seconds:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def size(count: float) -> str:
    """A number of bytes: 12 kB, 3.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
