"""Text tables of unknown layout: encoding, separator, decimal sign, header and metadata are found by content.

A reading is one pair of separator and decimal sign for which every row holds the same number of numbers. A
table with no such reading, or with two that give different numbers, is refused in one line.
"""

import codecs
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sitqmc.analytic.measurements.scans import DataError
from sitqmc.analytic.units import Array

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
COMMENT = re.compile(r"^\s*(?:#|%|//|!|;\s|\*)+\s?")
MISSING = {"", "nan", "--", "-", "n/a", "na", "null", "none", "inf", "-inf"}
SEPARATORS = ("\t", ";", ",", " ")
NAMES = {"\t": "tab", ";": "semicolon", ",": "comma", " ": "blank"}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?")
_CELL = re.compile(r"([^\s\[(]+(?:\([^)\s]*\))?)((?:\s*\[[^\]]*\])|(?:\s+\([^)]*\))|(?:\([^)]*\)))?")
_REMARK = re.compile(r"[^:]{1,60}:\s*\S+(?:\s\S+)?\s*")
_ENTRY = re.compile(r"\s*([^:=\t;]{1,60}?)\s*(?::|=|\t|;)\s*(.+?)\s*$")


@dataclass(frozen=True)
class Reading:
    """Separator and decimal sign of a table."""

    separator: str
    decimal: str

    def split(self, line: str) -> list[str]:
        """Return the cells of a line, without quotes and outer blanks; a trailing separator adds no cell."""
        text = line.strip(" \r\n") if self.separator == "\t" else line.strip()
        cells = text.split() if self.separator == " " else text.split(self.separator)
        cells = [cell.strip().strip('"').strip() for cell in cells]
        if self.separator != " " and len(cells) > 1 and cells[-1] == "":
            cells.pop()
        return cells

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, NaN for a missing one, None for text."""
        text = cell
        if self.decimal == ",":
            if "." in text:
                return None
            text = text.replace(",", ".")
        if _NUMBER.fullmatch(text):
            return float(text.lower().replace("d", "e"))
        return math.nan if text.lower() in MISSING else None

    def numbers(self, line: str) -> list[float] | None:
        """Return the numbers of a line of at least two cells, or None if a cell holds text."""
        found = [self.number(cell) for cell in self.split(line)]
        if len(found) < 2 or any(x is None for x in found) or all(math.isnan(x or 0.0) for x in found):
            return None
        return [x for x in found if x is not None]

    def __str__(self) -> str:
        return f"separator {NAMES[self.separator]}, decimal {'comma' if self.decimal == ',' else 'point'}"


READINGS = (*(Reading(s, d) for s in SEPARATORS for d in (".", ",") if s != ","), Reading(",", "."))


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers of a text table.

    heads     text above each column, "" where there is none
    values    shape (n_rows, n_columns)
    entries   metadata lines `name: value` above the table
    lines     line number of each row in the file
    where     name of the file
    layout    encoding, separator and decimal sign in words
    head_line number of the line with the heads, 0 without one
    """

    heads: list[str]
    values: Array
    entries: dict[str, str]
    lines: list[int]
    where: str
    layout: str
    head_line: int = 0


def read_lines(path: Path) -> tuple[list[str], str]:
    """Return the lines of a text file and its encoding: UTF-8 (with or without mark), UTF-16 or Latin-1.

    raises  DataError for a file that is missing, unreadable or not text
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    encoding = next((name for mark, name in MARKS if raw.startswith(mark)), None)
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        encoding, text = "latin-1", raw.decode("latin-1")
    unprintable = sum(ord(c) < 32 and c not in "\t\r\n\f" for c in text)
    if unprintable > 0.001 * len(text) or not raw.strip():
        raise DataError(f"{path.name}: not a text file; save the table as plain text, CSV or .mat")
    return text.splitlines(), encoding or "utf-8"


def read_table(path: Path, heads: list[str] | None = None, entries: dict[str, str] | None = None) -> Table:
    """Read the table of a text file.

    heads    text above each column, for a file without heads
    entries  metadata that the file lacks; they win over the file
    raises   DataError, one line with file, line and reason
    """
    lines, encoding = read_lines(path)
    first, readings = _first_row(lines)
    if first is None:
        raise DataError(f"{path.name}: no data; expected a line of column names and rows of numbers")
    reading, rows, numbers = _rows(lines, first, readings, path.name)
    above = lines[:first]
    found, at = (heads, 0) if heads is not None else _heads(above, reading, len(rows[0]))
    if found and len(found) != len(rows[0]):
        raise DataError(
            f"{path.name}, line {numbers[0]}: {len(rows[0])} numbers for {len(found)} columns; with a "
            "decimal comma, separate the columns by semicolon or tab"
        )
    return Table(
        heads=found or [""] * len(rows[0]), values=np.array(rows),
        entries=_entries(above) | dict(entries or {}), lines=numbers, where=path.name,
        layout=f"{encoding}, {reading}", head_line=at,
    )  # fmt: skip


def _first_row(lines: list[str]) -> tuple[int | None, list[Reading]]:
    """Return the index of the first line of numbers, and all readings that understand it."""
    for index, line in enumerate(lines):
        if COMMENT.match(line):
            continue
        readings = [reading for reading in READINGS if reading.numbers(line) is not None]
        if readings:
            return index, readings
    return None, []


def _rows(
    lines: list[str], first: int, readings: list[Reading], where: str
) -> tuple[Reading, list[list[float]], list[int]]:  # fmt: skip
    """Return the reading that holds for every row, the rows, and their line numbers.

    raises  DataError naming the first bad line, or both readings of an ambiguous table
    """
    tried = [_try(lines, first, reading) for reading in readings]
    good = [(reading, rows, numbers) for reading, (rows, numbers, bad) in zip(readings, tried, strict=True)
            if bad is None]  # fmt: skip
    if not good:
        best = max(range(len(readings)), key=lambda i: len(tried[i][0]))
        line = tried[best][2] or 0
        cells, width = readings[best].split(lines[line]), len(tried[best][0][0])
        if len(cells) != width:
            raise DataError(f"{where}, line {line + 1}: {len(cells)} numbers for {width} columns")
        raise DataError(f"{where}, line {line + 1}: not a number in {lines[line].strip()!r}")
    first_good = good[0]
    for other in good[1:]:
        if not _same(first_good[1], other[1]):
            raise DataError(
                f"{where}: two readings are possible ({first_good[0]}, or {other[0]}); save the table with "
                "semicolons between columns"
            )
    return first_good


def _try(lines: list[str], first: int, reading: Reading) -> tuple[list[list[float]], list[int], int | None]:
    """Return the rows of one reading, their line numbers, and the index of the first line it cannot read."""
    rows: list[list[float]] = []
    numbers: list[int] = []
    for index in range(first, len(lines)):
        line = lines[index]
        if not line.strip() or COMMENT.match(line):
            continue
        row = reading.numbers(line)
        if row is None or (rows and len(row) != len(rows[0])):
            return rows or [[]], numbers, index
        rows.append(row)
        numbers.append(index + 1)
    return rows, numbers, None


def _same(one: list[list[float]], other: list[list[float]]) -> bool:
    return len(one[0]) == len(other[0]) and np.array_equal(np.array(one), np.array(other), equal_nan=True)


def _heads(above: list[str], reading: Reading, width: int) -> tuple[list[str], int]:
    """Return the text above each column and its line number; names and units may stand in two lines."""
    candidates: list[tuple[list[str], int]] = []
    for index in range(len(above) - 1, max(len(above) - 4, -1), -1):
        text = COMMENT.sub("", above[index])
        if not text.strip() or (text != above[index] and _REMARK.fullmatch(text)):
            continue
        cells = _head_cells(text, reading, width)
        if cells is None:
            break
        candidates.append((cells, index + 1))
    if not candidates:
        return ([], 0) if not above or _only_entries(above) else (_loose_heads(above, reading), len(above))
    (last, at), *earlier = candidates
    if earlier and all(re.fullmatch(r"[\[(]?[^\s]{0,12}[\])]?", cell) for cell in last) and _unit_line(last):
        names = earlier[0][0]
        return [f"{n} [{u.strip('[]()')}]" if u else n for n, u in zip(names, last, strict=True)], at
    return last, at


def _unit_line(cells: list[str]) -> bool:
    """Return whether a line of cells holds units alone."""
    from sitqmc.runs.formats.measured.columns import is_unit

    return all(not cell or is_unit(cell.strip("[]()")) for cell in cells) and any(cells)


def _head_cells(text: str, reading: Reading, width: int) -> list[str] | None:
    """Return the cells of a head line, if their number is that of the columns."""
    options = [reading.split(text)]
    options += [Reading(s, ".").split(text) for s in ("\t", ";", ",") if s in text]
    options.append([(m.group(1) + (m.group(2) or "")).strip(" ,;") for m in _CELL.finditer(text)])
    options.append([cell.strip() for cell in re.split(r"\s{2,}", text.strip())])
    return next((cells for cells in options if len(cells) == width), None)


def _loose_heads(above: list[str], reading: Reading) -> list[str]:
    """Return the cells of the last line above the numbers, whatever their number."""
    text = COMMENT.sub("", above[-1]) if above else ""
    if not text.strip() or _REMARK.fullmatch(text):
        return []
    return [(m.group(1) + (m.group(2) or "")).strip(" ,;") for m in _CELL.finditer(text)]


def _only_entries(above: list[str]) -> bool:
    return all(not line.strip() or COMMENT.match(line) or _ENTRY.match(line) for line in above)


def _entries(above: list[str]) -> dict[str, str]:
    """Return the metadata `name: value`, `name = value` or `name<tab>value` above the table."""
    found: dict[str, str] = {}
    for line in above:
        match = _ENTRY.match(COMMENT.sub("", line))
        if match:
            found.setdefault(match.group(1).strip(), match.group(2).strip())
    return found
