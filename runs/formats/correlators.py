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

from sitqmc.continuation.data.correlator import CorrelatorData, Kind, check_kind
from sitqmc.continuation.data.kinds import KINDS
from sitqmc.runs.formats.measured.table import READINGS, Table, read_table

Array = NDArray[np.float64]
COLUMNS = ("grid", "mean", "error")
COMPLEX_COLUMNS = ("grid", "real part", "imaginary part", "one or two errors")


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

    Complex kinds (fermion_iw, boson_iw) have the columns grid, real part, imaginary part, and one error of
    both or an error of each.

    covariance  text file of the (n, n) covariance of the mean, in the order of the rows; it replaces the
                errors, which the file may then lack. Complex kinds: (2 n, 2 n), all real parts first
    raises      ValueError, one line with file, line and reason
    """
    check_kind(kind)
    table, values = _numbers(path), 2 if KINDS[kind].complex_ else 1
    errors = table.shape[1] - 1 - values
    allowed = range(values + 1) if covariance is not None else range(1, values + 1)
    if errors not in allowed:
        columns = COMPLEX_COLUMNS if KINDS[kind].complex_ else COLUMNS
        wanted = ", ".join(columns[: 1 + values] if covariance is not None else columns)
        raise ValueError(
            f"{path}: {table.shape[1]} columns: need {wanted} for kind {kind}; give these alone"
        )
    mean = table[:, 1] + 1j * table[:, 2] if KINDS[kind].complex_ else table[:, 1]
    C = table[:, 1 + values :].T.ravel() if covariance is None else _numbers(covariance)
    data = CorrelatorData.from_mean_cov(
        mean, C, kind=kind, beta=beta, grid=table[:, 0], n_samples=n_samples, eps=eps
    )
    if covariance is None or errors == 0:
        return data
    name, used = Path(path).name, Path(covariance).name
    return data.with_warning(f"{name}: errors of column {2 + values} not used, {used} is")


def read_samples(
    path: str | Path, *, kind: Kind, beta: float, grid: Array, eps: float | None = None
) -> CorrelatorData:
    """Read a text table with one independent sample (bin) per row and one point of the grid per column.

    Complex kinds (fermion_iw, boson_iw) have two columns per point: first all real, then all imaginary parts.

    raises  ValueError, one line with file, line and reason
    """
    check_kind(kind)
    table, each = _numbers(path), 2 if KINDS[kind].complex_ else 1
    found, points = table.shape[1], np.size(grid)
    if found != each * points:
        how = "all real, then all imaginary parts" if each == 2 else "one per point"
        raise ValueError(f"{path}: {found} columns for {points} points of the grid; give {how}")
    if each == 2:
        table = table[:, :points] + 1j * table[:, points:]
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
