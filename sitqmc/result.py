"""What all results share: a short text, a table in a notebook, a figure, and a file."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from sitqmc.estimate import Estimate

__all__ = ["MOST_LINES", "Result", "SavedResult", "html_table", "lines_of"]

MOST_LINES = 20
"""Lines of a result at the end of a cell."""

MOST_LETTERS = 90
"""Letters of one value."""


class Result:
    """Base of dataclasses of results, which may hold many numbers.

    `repr` is one line for each field, at most MOST_LINES: numbers in full, arrays by shape and range. A
    notebook shows the same as a table. All numbers are in the fields.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:       # `dataclass` writes none where the class has its own
            cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield name and text of what a reader sees."""
        for f in fields(self):  # type: ignore[arg-type]
            yield f.name, text_of(getattr(self, f.name))

    def _lines(self) -> list[tuple[str, str]]:
        """Return as much of the summary as fits."""
        rows = list(self.summary())
        if len(rows) >= MOST_LINES:
            rest = len(rows) - MOST_LINES + 2
            rows = [*rows[: MOST_LINES - 2], ("...", f"{rest} more")]
        return [(name, _cut(text)) for name, text in rows]

    def __repr__(self) -> str:
        rows = self._lines()
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([type(self).__name__, *(f"  {name:{width}}  {text}" for name, text in rows)])

    def _repr_html_(self) -> str:
        return html_table(self._lines(), caption=type(self).__name__)


class SavedResult(Result):
    """A result with a figure and a file of its own."""

    def plot(self, ax: Any = None) -> Any:
        """Draw the result.

        ax       axes of matplotlib to draw into; None: a new figure
        returns  the axes, or the new figure, which a notebook shows
        """
        return importlib.import_module("sitqmc.runs.results.figures.objects").plot(self, ax)

    def save(self, path: str | Path) -> Path:
        """Write the result with all its numbers to one HDF5 file, and return the path.

        raises  UserError if the file cannot be written
        """
        made: Path = importlib.import_module("sitqmc.runs.store.records").save_result(path, self)
        return made

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the result in a file of `save`.

        raises  UserError if there is no such file or it holds something else
        """
        found: Self = importlib.import_module("sitqmc.runs.store.records").load_result(path, cls)
        return found


def text_of(value: Any) -> str:
    """Return a value in one short line."""
    if isinstance(value, Estimate):
        return _array_text(value.value) if np.shape(value.value) else str(value)
    if isinstance(value, np.ndarray):
        return _array_text(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        long = any(np.ndim(one) or is_dataclass(one) for one in value.values())
        return _several([str(k) if long else f"{k}: {text_of(v)}" for k, v in value.items()], "entries")
    if isinstance(value, (list, tuple)):
        return _several([text_of(one) for one in value], "values")
    if is_dataclass(value):
        parts = [f.name for f in fields(value)]
        return f"{type(value).__name__}: {', '.join(parts)}"
    return "none" if value is None else str(value)


def lines_of(report: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before and behind the first colon or equals sign of every line of a report."""
    for line in report.splitlines():
        match = re.match(r"(.{1,60}?)(?:: | = )(.*)", line)
        yield (match[1], match[2]) if match else ("", line)


def _several(texts: list[str], what: str) -> str:
    whole = ", ".join(texts)
    if len(whole) <= MOST_LETTERS and "\n" not in whole:
        return whole or "none"
    return f"{len(texts)} {what}: {whole}"


def _array_text(array: Any) -> str:
    """Return shape and range of an array."""
    array = np.asarray(array)
    shape = " x ".join(map(str, array.shape)) or "1"
    if array.dtype.kind == "c":
        return f"{shape} complex numbers"
    if array.dtype.kind == "b":
        return f"{shape} values, {int(array.sum())} true"
    known = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    if not known.size or array.dtype.kind not in "iuf":
        return f"{shape} values"
    return f"{shape} values from {known.min():.6g} to {known.max():.6g}"


def _cut(text: str) -> str:
    line, *more = text.splitlines() or [""]
    return f"{line[: MOST_LETTERS - 3]}..." if len(line) > MOST_LETTERS or more else line


def html_table(rows: list[tuple[str, str]], caption: str = "") -> str:
    """Return names and texts as a table of HTML."""
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table><caption>{html.escape(caption)}</caption><tbody>{body}</tbody></table>"
