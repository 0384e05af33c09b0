"""Correlators of any code, from text files and HDF5 files.

Text tables are read by content like measured scans (`formats.measured.table`): encoding with or without a
byte order mark, separator and decimal sign. A table with two possible readings is refused. No column is
dropped without a remark.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation.data.correlator import CorrelatorData, Kind
from sitqmc.runs.formats.measured.table import READINGS, Table, read_table

Array = NDArray[np.float64]
COLUMNS = ("grid", "mean", "error")


def read_correlator(
    path: str | Path,
    *,
    kind: Kind,
    beta: float,
    covariance: str | Path | None = None,
    eps: float | None = None,
    n_samples: int | None = None,
) -> CorrelatorData:
    """Read a text table of columns: grid (n or tau), mean, and standard error.

    covariance  text file of the (n, n) covariance of the mean, in the order of the rows; it replaces the
                errors, which the file may then lack
    raises      ValueError, one line with file, line and reason
    """
    table = _numbers(path)
    count = table.shape[1]
    if count not in ((2, 3) if covariance is not None else (3,)):
        wanted = "grid, mean" if covariance is not None else ", ".join(COLUMNS)
        raise ValueError(f"{path}: {count} columns: need {wanted}; give a file with these columns only")
    C = np.diag(table[:, 2] ** 2) if covariance is None else _numbers(covariance)
    data = CorrelatorData.from_mean_cov(
        table[:, 1], C, kind=kind, beta=beta, grid=table[:, 0], n_samples=n_samples, eps=eps
    )
    if covariance is None or count == 2:
        return data
    return data.with_warning(f"{Path(path).name}: errors of column 3 not used, {Path(covariance).name} is")


def read_samples(
    path: str | Path, *, kind: Kind, beta: float, grid: Array, eps: float | None = None
) -> CorrelatorData:
    """Read a text table with one independent sample (bin) per row and one point of the grid per column.

    raises  ValueError, one line with file, line and reason
    """
    table = _numbers(path)
    found, points = table.shape[1], np.size(grid)
    if found != points:
        raise ValueError(f"{path}: {found} columns for {points} points of the grid; give one per point")
    return CorrelatorData.from_samples(table, kind=kind, beta=beta, grid=grid, eps=eps)


def count_columns(path: str | Path) -> int:
    """Return the number of columns of a text table; ValueError of one line if it cannot be read."""
    return int(_numbers(path).shape[1])


def read_correlator_h5(
    path: str | Path,
    *,
    kind: Kind,
    beta: float,
    grid: str | Array,
    samples: str | None = None,
    mean: str | None = None,
    covariance: str | None = None,
    n_samples: int | None = None,
    eps: float | None = None,
) -> CorrelatorData:
    """Read datasets of an HDF5 file, named by their paths in it.

    samples     (n_samples, n_points), independent samples; or else
    mean, covariance  (n_points,) and, of the mean, (n_points, n_points) or the variances (n_points,)
    grid        a dataset or an array: Matsubara integers or times
    kind, beta, eps, n_samples   see `CorrelatorData`
    raises      ValueError, one line with file, dataset and reason
    """
    if (samples is None) == (mean is None):
        raise ValueError(f"{path}: name either a dataset of samples or one of the mean")
    if mean is not None and covariance is None:
        raise ValueError(f"{path}: mean = {mean!r} without covariance: name the dataset of the covariance")
    try:
        with h5py.File(path, "r", locking=False) as file:
            points = _dataset(file, grid, path) if isinstance(grid, str) else np.asarray(grid, dtype=float)
            if samples is not None:
                table = _dataset(file, samples, path)
                return CorrelatorData.from_samples(table, kind=kind, beta=beta, grid=points, eps=eps)
            values, C = _dataset(file, str(mean), path), _dataset(file, str(covariance), path)
    except OSError as error:
        raise ValueError(f"{path}: not a readable HDF5 file ({error})".split("\n")[0]) from None
    C = np.diag(C) if C.ndim == 1 else C
    return CorrelatorData.from_mean_cov(
        values, C, kind=kind, beta=beta, grid=points, n_samples=n_samples, eps=eps
    )


def _numbers(path: str | Path) -> Array:
    """Return the numbers of a text table; its first line may be a head of words, not of numbers."""
    table = read_table(Path(path))
    if _holds_numbers(table):
        raise ValueError(
            f"{table.where}, line {table.head_line}: numbers and text in one line; begin a comment with #"
        )
    return table.values


def _holds_numbers(table: Table) -> bool:
    """Return whether the head of a table holds numbers: then it is a damaged row."""
    return any(READINGS[0].number(cell) is not None for cell in table.heads if cell)


def _dataset(file: h5py.File, name: str, path: str | Path) -> Array:
    """Return a dataset of real numbers; refuse a missing one, a group and text."""
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        known: list[str] = []
        file.visititems(lambda key, item: known.append(key) if isinstance(item, h5py.Dataset) else None)
        raise ValueError(f"{path}: no dataset {name!r}; it holds {', '.join(known[:8]) or 'none'}")
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{path}: dataset {name!r} is of type {found.dtype}: need real numbers")
    return np.asarray(found[()], dtype=float)
