"""Data of many points for finite-size analysis: arrangement, bootstrap draws, weights.

Plain arrays in: one entry per point (size and coupling), per-sample values on the last axis. Errors are
from the bootstrap over samples. Samples that several couplings of a size share (nested dilutions) are drawn
together, which keeps their correlation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

Array = NDArray[np.float64]

BAD_FIT = 1e-3
"""Probability of chi2 below which a fit is called bad."""


@dataclass(frozen=True)
class ScalingData:
    """Data of many points; blocks of points have independent samples.

    L, L_tau, coupling  (m,)
    samples             (q, m, n): q observables
    blocks              indices of the points whose samples are the same n disorder samples, or chains
    """

    L: Array
    L_tau: Array
    coupling: Array
    samples: Array
    blocks: tuple[NDArray[np.int64], ...]

    @property
    def mean(self) -> Array:
        """(q, m)"""
        return np.asarray(self.samples.mean(axis=2))

    def bootstrap_means(self, rng: np.random.Generator) -> Array:
        """Return the means (q, m) of one bootstrap draw, widened to the unbiased variance of few samples."""
        q, m, n = self.samples.shape
        out = np.empty((q, m))
        for block in self.blocks:
            weight = rng.multinomial(n, np.full(n, 1 / n)) / n
            out[:, block] = self.samples[:, block] @ weight
        mean = self.mean
        return np.asarray(mean + np.sqrt(n / (n - 1)) * (out - mean))


def scaling_data(
    L: ArrayLike,
    coupling: ArrayLike,
    samples: ArrayLike,
    *,
    L_tau: ArrayLike | None = None,
    shared: bool = False,
) -> ScalingData:
    """Return checked and arranged data.

    L, coupling, L_tau  (m,); L_tau may be left out where its aspect ratio plays no part
    samples             (m, n) or (q, m, n)
    shared              the points of one L used the same disorder samples (`Model.draw_disorder`)
    raises              ValueError for wrong shapes, values that are not finite, or fewer than 4 samples
    """
    size, g = np.asarray(L, float), np.asarray(coupling, float)
    slices = size if L_tau is None else np.asarray(L_tau, float)
    values = np.asarray(samples, float)
    values = values[None] if values.ndim == 2 else values
    if not (values.ndim == 3 and size.shape == g.shape == slices.shape == values.shape[1:2]):
        raise ValueError(
            f"L {size.shape}, coupling {g.shape}, L_tau {slices.shape}, samples {np.shape(samples)}: "
            "must be (m,), (m,), (m,) and (m, n) or (q, m, n)"
        )
    if values.shape[2] < 4:
        raise ValueError(
            f"n_samples = {values.shape[2]}: at least 4 samples (or chains) are needed for errors"
        )
    if not all(np.all(np.isfinite(x)) for x in (size, g, slices, values)):
        raise ValueError("the data hold values that are not finite; drop these points")
    if shared:
        blocks = tuple(np.flatnonzero(size == one) for one in np.unique(size))
    else:
        blocks = tuple(np.array([i]) for i in range(len(size)))
    return ScalingData(size, slices, g, values, blocks)


def whitening(points: ScalingData) -> list[tuple[NDArray[np.int64], NDArray[np.int64], Array]]:
    """Return for each block its points, and the matrix that turns residuals (q * points) into unit normals.

    With fewer than four samples per entry of a block only the diagonal of its covariance is used.
    """
    out = []
    for block in points.blocks:
        values = points.samples[:, block].reshape(-1, points.samples.shape[2])
        entries, n = values.shape
        # An observable without fluctuations would get infinite weight.
        floor = 1e-12 * np.maximum(np.abs(values.mean(axis=1)), 1e-300) ** 2 / n
        variance = values.var(axis=1, ddof=1) / n + floor
        full = entries > 1 and n > 4 * entries and bool(np.all(variance > 2 * floor))
        root = np.linalg.inv(np.linalg.cholesky(np.corrcoef(values))) if full else np.eye(entries)
        # The inverse of an estimated matrix is too large on average (Hartlap et al., A&A 464, 399 (2007)).
        root = root * np.sqrt((n - (entries if full else 1) - 2) / (n - 1))
        out.append((block, np.arange(entries), root / np.sqrt(variance)))
    return out


def chi2_p_value(chi2: float, dof: int) -> float:
    """Return the probability of a larger chi2."""
    return float(chdtrc(dof, chi2)) if dof > 0 else 1.0
