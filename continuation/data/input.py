"""Input arrays: physical Matsubara frequencies, errors without covariance, complex values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.continuation.data.kinds import definition
from sitqmc.continuation.kernels.kernels import Array

MIN_SAMPLES = 4
INTEGER = 1e-6             # distance from an integer that rounding of w_n explains, relative to the largest n
NOISE = 5.0                # imaginary parts below so many errors are noise
BELOW = 1e-3               # negative part of a covariance less a scatter that rounding and folds explain
EVEN_RUN = 6               # consecutive even n that look like doubled integers


def matsubara_numbers(grid: ArrayLike, beta: float, half: float = 0.0) -> Array:
    """Return n (n_points,) from integers n, or from physical frequencies w_n = 2 pi (n + half)/beta.

    Values that are neither are returned unchanged; the check of the data refuses them.
    """
    values = np.asarray(grid, dtype=float)
    # Numbers that are integers already are n: physical frequencies are integers only if beta is 2 pi/integer.
    if values.size == 0 or not np.isfinite(values).all() or np.all(values == np.round(values)):
        return values
    n = values * beta / (2.0 * np.pi) - half
    rounded = np.round(n)
    return rounded if np.all(np.abs(n - rounded) < INTEGER * max(float(n.max()), 1.0)) else values


def doubled_numbers(n: Array) -> tuple[str, ...]:
    """Return a remark if n = 0, 2, 4, ... or 2, 4, 6, ... may be the doubled integers of another code."""
    ordered = np.sort(n)
    if n.size < EVEN_RUN or ordered[0] not in (0.0, 2.0) or not np.all(np.diff(ordered) == 2.0):
        return ()
    return ("all n are even without a gap: some codes store 2 n for bosons; divide by 2 if this file does",)


def covariance_of(given: ArrayLike) -> Array:
    """Return the covariance (n_points, n_points) from a covariance, or from errors (n_points,)."""
    values = np.array(given, dtype=float)
    if values.ndim != 1:
        return values
    if not np.all(values >= 0):
        bad = int(np.flatnonzero(~(values >= 0))[0])
        raise ValueError(f"error {values[bad]:g} of point {bad}: errors must be >= 0")
    return np.diag(values**2)


def real_values(values: ArrayLike, error: Array, kind: str) -> Array:
    """Return the real part of values (..., n_points); refuse an imaginary part that is not noise.

    error  (n_points,) standard error of every point of `values`
    The correlators of all even kinds are real; those of the others are stacked before.
    """
    table = np.array(values)
    if not np.iscomplexobj(table):
        return table.astype(float)
    mean = table.imag.reshape(-1, table.shape[-1]).mean(axis=0)
    bound = NOISE * error + 1e-12 * float(np.abs(table).max())
    if np.any(np.abs(mean) > bound):
        bad = int(np.argmax(np.abs(mean) / bound))
        raise ValueError(
            f"imaginary part {mean[bad]:.2e} +- {error[bad]:.1e} of point {bad}: kind {kind} is real; "
            "check the kind, or give the real part if you know the cause"
        )
    return np.asarray(table.real, dtype=float)


def stacked_axis(grid: ArrayLike, kind: str) -> tuple[Array, Array, Array]:
    """Return (grid of the rows, which of them are imaginary, rows kept) of complex data on a grid.

    The imaginary part of a bosonic correlator at w_n = 0 is 0 and left out.
    """
    values = np.asarray(grid, dtype=float)
    parts = np.repeat([0.0, 1.0], values.size)
    rows = np.concatenate([values, values])
    kept = np.ones(rows.size, dtype=bool)
    if kind == "boson_iw":
        kept = ~((rows == 0.0) & (parts == 1.0))
    return rows[kept], parts[kept], kept


def stacked_parts(
    values: ArrayLike, grid: ArrayLike, kind: str, imaginary: ArrayLike | None
) -> tuple[Array, Array, ArrayLike]:
    """Return complex values (..., n) as real numbers (..., rows), their grid, and which rows are imaginary.

    Real values come with `imaginary`: then they are stacked already.
    """
    table = np.array(values)
    if imaginary is not None:
        return np.asarray(table, dtype=float), np.asarray(grid, dtype=float), imaginary
    if not np.iscomplexobj(table):
        raise ValueError(f"real values with kind {kind}: give complex values; {definition(kind)}")
    if table.shape[-1:] != np.shape(grid):
        raise ValueError(f"values of shape {table.shape} for {np.size(grid)} points: they must agree")
    rows, parts, kept = stacked_axis(grid, kind)
    return np.concatenate([table.real, table.imag], axis=-1)[..., kept], rows, parts


def stacked_covariance(
    given: ArrayLike, mean: ArrayLike, grid: ArrayLike, kind: str, imaginary: ArrayLike | None
) -> ArrayLike:
    """Return errors or covariance of the stacked rows of complex data, see `CorrelatorData.from_mean_cov`."""
    C, n = np.array(given, dtype=float), np.size(grid)
    if imaginary is not None:
        return C
    kept = stacked_axis(grid, kind)[2]
    if C.ndim == 1 and C.size == n:
        C = np.concatenate([C, C])
    if C.shape not in ((2 * n,), (2 * n, 2 * n)):
        raise ValueError(
            f"covariance of shape {C.shape} for {n} complex points: give errors ({n},) or ({2 * n},), or the "
            f"covariance ({2 * n}, {2 * n}) of all real and then all imaginary parts"
        )
    return C[kept] if C.ndim == 1 else C[np.ix_(kept, kept)]


def real_samples(samples: ArrayLike, kind: str) -> Array:
    """Return samples (n_samples, n_points) as real numbers, see `real_values`."""
    table = np.array(samples)
    if not np.iscomplexobj(table) or table.ndim != 2 or len(table) < 2:
        return np.asarray(table.real, dtype=float)
    return real_values(table, table.imag.std(axis=0, ddof=1) / np.sqrt(len(table)), kind)


def check_samples(table: Array) -> None:
    """Refuse too few samples, damaged entries (named by sample and point) and samples that occur twice."""
    if len(table) < MIN_SAMPLES:
        raise ValueError(f"{len(table)} samples: at least {MIN_SAMPLES} independent samples are needed")
    damaged = ~np.isfinite(table)
    if damaged.any():
        sample, point = (int(i) for i in np.argwhere(damaged)[0])
        count = int(np.count_nonzero(damaged.any(axis=1)))
        raise ValueError(
            f"{count} samples hold NaN or infinity, the first at sample {sample}, point {point}: "
            "drop them before averaging"
        )
    distinct = len(np.unique(table, axis=0))
    if 1 < distinct <= len(table) // 2:
        raise ValueError(
            f"{len(table)} samples, {distinct} of them different: samples occur twice, "
            "which makes the errors too small; read every file once"
        )


def scattered(table: Array, covariance: Array) -> Array:
    """Return samples (n_samples, columns) with the same mean whose first columns scatter by a covariance.

    covariance  (points, points) of the mean; what it holds beside the scatter of the samples is added to
                them along fixed directions in the space of samples, orthogonal to what they hold already
    raises      ValueError for a wrong shape, or a covariance below the scatter of the samples
    """
    n, points = len(table), len(covariance)
    if covariance.shape != (points, points) or points not in (table.shape[1], table.shape[1] - 1):
        raise ValueError(
            f"covariance has shape {covariance.shape}, samples {table.shape}: "
            "give one row and one column for each point"
        )
    if not np.isfinite(covariance).all():
        raise ValueError("covariance holds NaN or infinity: give that of the mean of the samples")
    scatter = np.atleast_2d(np.cov(table[:, :points], rowvar=False)) / n
    excess, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T) - scatter)
    largest = max(float(np.diag(scatter).max()), float(np.diag(covariance).max()))
    if excess[0] < -BELOW * largest:
        raise ValueError(
            f"covariance is below the scatter of the samples (eigenvalue {excess[0]:.2e} of the difference): "
            "give that of the mean of these samples, not of one sample or of another estimator"
        )
    kept = excess > 1e-12 * largest
    excess, vectors = excess[kept][-(n - 1) :], vectors[:, kept][:, -(n - 1) :]
    occupied = np.column_stack([np.ones(n), table - table.mean(axis=0)])
    if occupied.shape[1] + len(excess) > n:              # too few samples: orthogonal on average only
        occupied = occupied[:, :1]
    found = np.random.default_rng(0).standard_normal((n, len(excess)))
    directions = np.linalg.qr(np.column_stack([occupied, found]))[0][:, occupied.shape[1] :]
    out = table.copy()
    out[:, :points] += np.sqrt(n * (n - 1)) * directions @ (np.sqrt(excess) * vectors).T
    return out
