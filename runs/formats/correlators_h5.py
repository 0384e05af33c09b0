"""Correlators in HDF5 files of any code, as input of `continuation`."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from sitqmc.continuation import CorrelatorData
from sitqmc.continuation.data.correlator import Kind


def read_correlator_h5(
    path: str | Path,
    *,
    kind: Kind,
    beta: float,
    grid: str | np.ndarray,
    samples: str | None = None,
    mean: str | None = None,
    covariance: str | None = None,
    n_samples: int | None = None,
    eps: float | None = None,
) -> CorrelatorData:
    """Data from datasets of an HDF5 file, named by their paths in it.

    samples     (n_samples, n_points), independent bins; or else
    mean, covariance  (n_points,) and, of that mean, (n_points, n_points) or the variances (n_points,)
    grid        a dataset or an array: Matsubara integers or times
    kind, beta, eps, n_samples   see `CorrelatorData`
    """
    if (samples is None) == (mean is None):
        raise ValueError(f"{path}: name either a dataset of samples or one of the mean")
    if mean is not None and covariance is None:
        raise ValueError(f"{path}: mean = {mean!r} without covariance: name the dataset of the covariance")
    try:
        with h5py.File(path, "r") as file:
            points = _numbers(file, grid, path) if isinstance(grid, str) else np.asarray(grid, dtype=float)
            if samples is not None:
                table = _numbers(file, samples, path)
                return CorrelatorData.from_samples(table, kind=kind, beta=beta, grid=points, eps=eps)
            values, C = _numbers(file, str(mean), path), _numbers(file, str(covariance), path)
    except OSError as error:
        raise ValueError(f"{path}: not a readable HDF5 file ({error})".split("\n")[0]) from None
    C = np.diag(C) if C.ndim == 1 else C
    return CorrelatorData.from_mean_cov(
        values, C, kind=kind, beta=beta, grid=points, n_samples=n_samples, eps=eps
    )


def _numbers(file: h5py.File, name: str, path: str | Path) -> np.ndarray:
    """A dataset of real numbers; a group, text or nothing of that name is refused."""
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        known: list[str] = []
        file.visititems(lambda key, item: known.append(key) if isinstance(item, h5py.Dataset) else None)
        raise ValueError(f"{path}: no dataset {name!r}; it holds {', '.join(known[:8]) or 'none'}")
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{path}: dataset {name!r} is of type {found.dtype}, need real numbers")
    return np.asarray(found[()], dtype=float)
