"""Correlators from text files of any code: columns or bins, comments with #."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData, Kind
from sitqmc.continuation.kernels.kernels import Array


def read_correlator(
    path: str | Path,
    *,
    kind: Kind,
    beta: float,
    covariance: str | Path | None = None,
    eps: float | None = None,
    n_samples: int | None = None,
) -> CorrelatorData:
    """A file of columns: grid (n or tau), mean, and its standard error unless a covariance file is given.

    covariance  file of the (n, n) covariance of the mean, in the order of the rows
    """
    table = _read(path)
    needed = 2 if covariance is not None else 3
    if table.shape[1] < needed:
        raise ValueError(f"{path}: {table.shape[1]} columns, need grid, mean" + ", error" * (needed - 2))
    C = np.diag(table[:, 2] ** 2) if covariance is None else _read(covariance)
    return CorrelatorData.from_mean_cov(
        table[:, 1], C, kind=kind, beta=beta, grid=table[:, 0], n_samples=n_samples, eps=eps
    )


def read_samples(
    path: str | Path, *, kind: Kind, beta: float, grid: Array, eps: float | None = None
) -> CorrelatorData:
    """A file with one bin (independent sample) per row and one point of the grid per column."""
    return CorrelatorData.from_samples(_read(path), kind=kind, beta=beta, grid=grid, eps=eps)


def _read(path: str | Path) -> Array:
    try:
        lines = Path(path).read_text().replace(",", " ").splitlines()
        table = np.loadtxt(lines, ndmin=2)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a readable table of numbers ({error})".split("\n")[0]) from None
    if table.size == 0:
        raise ValueError(f"{path}: no numbers in it")
    return table
