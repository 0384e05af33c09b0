"""Data of many points for finite-size analysis: arrangement, bootstrap draws, weights.

Plain arrays in: one entry per point (size and coupling), per-sample values on the last axis. Errors are
from the bootstrap over samples. Samples that several couplings of a size share (nested dilutions) are drawn
together, which keeps their correlation.

With functions of the mask the samples are corrected once, every one with coefficients from other samples, and
the corrected samples are drawn. Coefficients fitted anew in every draw would cost a hundred times more: their
uncertainty is in the scatter of the corrected samples already. That of the means of the functions, which
points with the same masks share, is drawn from a normal distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from sitqmc.qmc.statistics.control_variates import MaskFunctions, control

Array = NDArray[np.float64]

BAD_FIT = 1e-3
"""Probability of chi2 below which a fit is called bad."""


@dataclass(frozen=True)
class ScalingData:
    """Data of many points; blocks of points have independent samples.

    L, L_tau, coupling  (m,)
    samples             (q, m, n): q observables
    blocks              indices of the points whose samples are the same n disorder samples, or chains
    common              (q m, q m), covariance of the means beyond the scatter of the samples; None: none
    """

    L: Array
    L_tau: Array
    coupling: Array
    samples: Array
    blocks: tuple[NDArray[np.int64], ...]
    common: Array | None = None

    @property
    def error(self) -> Array:
        """Standard errors of `mean`, (q, m)."""
        variance = self.samples.var(axis=2, ddof=1) / self.samples.shape[2]
        return np.asarray(np.sqrt(variance + self._common_variance()))

    def _common_variance(self) -> Array:
        shape = self.samples.shape[:2]
        return np.zeros(shape) if self.common is None else np.diag(self.common).reshape(shape)

    @cached_property
    def _common_root(self) -> Array:
        """Square root of `common`."""
        assert self.common is not None
        values, vectors = np.linalg.eigh(self.common)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

    @cached_property
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
        drawn = mean + np.sqrt(n / (n - 1)) * (out - mean)
        if self.common is not None:
            drawn = drawn + (self._common_root @ rng.standard_normal(q * m)).reshape(q, m)
        return np.asarray(drawn)


def scaling_data(
    L: ArrayLike,
    coupling: ArrayLike,
    samples: ArrayLike,
    *,
    L_tau: ArrayLike | None = None,
    shared: bool = False,
    functions: Sequence[MaskFunctions] | None = None,
) -> ScalingData:
    """Return checked and arranged data.

    L, coupling, L_tau  (m,); L_tau may be left out where its aspect ratio plays no part
    samples             (m, n) or (q, m, n)
    shared              the points of one L used the same disorder samples (`Model.draw_disorder`)
    functions           of the masks of every point, (m,), see `mask_functions`: disorder noise is taken out
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
    if functions is None:
        return ScalingData(size, slices, g, values, blocks)
    if len(functions) != len(size):
        raise ValueError(f"functions of {len(functions)} points for {len(size)}: give those of every point")
    corrected, common = _corrected(values, blocks, functions)
    return ScalingData(size, slices, g, corrected, blocks, common)


def _corrected(
    values: Array, blocks: Sequence[NDArray[np.int64]], functions: Sequence[MaskFunctions]
) -> tuple[Array, Array]:
    """Return samples (q, m, n) with disorder noise taken out, and the covariance (q m, q m) they share."""
    q, m, _ = values.shape
    found = [control(f, values[:, i].T) for i, f in enumerate(functions)]
    common = np.zeros((q, m, q, m))
    for block in blocks:
        errors = {int(i): _mean_errors(functions[i], found[i].slope) for i in block}
        for i, one in errors.items():
            for j, other in errors.items():
                if i == j:
                    common[:, i, :, j] = found[i].common
                elif one is not None and other is not None and one.shape == other.shape:
                    common[:, i, :, j] = one.T @ other
    samples = np.stack([c.samples.T for c in found], axis=1)
    return samples, common.reshape(q * m, q * m)


def _mean_errors(functions: MaskFunctions, slope: Array) -> Array | None:
    """Return the error of the corrections by mask of the population, (masks, q)."""
    return None if functions.population is None else np.asarray(functions.population @ slope)


def whitening(points: ScalingData) -> list[tuple[NDArray[np.int64], NDArray[np.int64], Array]]:
    """Return for each block its points, and the matrix that turns residuals (q * points) into unit normals.

    With fewer than four samples per entry of a block only the diagonal of its covariance is used.
    """
    out, m = [], len(points.L)
    for block in points.blocks:
        values = points.samples[:, block].reshape(-1, points.samples.shape[2])
        entries, n = values.shape
        place = (np.arange(len(points.samples))[:, None] * m + block).ravel()
        common = np.zeros((entries,) * 2) if points.common is None else points.common[np.ix_(place, place)]
        # An observable without fluctuations would get infinite weight.
        floor = 1e-12 * np.maximum(np.abs(values.mean(axis=1)), 1e-300) ** 2 / n
        variance = values.var(axis=1, ddof=1) / n + floor + np.diag(common)
        full = entries > 1 and n > 4 * entries and bool(np.all(variance > 2 * floor))
        root = np.eye(entries)
        if full:
            correlation = np.corrcoef(values)
            if points.common is not None:
                correlation = (np.cov(values) / n + common) / np.sqrt(np.outer(variance, variance))
            root = np.linalg.inv(np.linalg.cholesky(correlation))
        # The inverse of an estimated matrix is too large on average (Hartlap et al., A&A 464, 399 (2007)).
        root = root * np.sqrt((n - (entries if full else 1) - 2) / (n - 1))
        out.append((block, np.arange(entries), root / np.sqrt(variance)))
    return out


def chi2_p_value(chi2: float, dof: int) -> float:
    """Return the probability of a larger chi2."""
    return float(chdtrc(dof, chi2)) if dof > 0 else 1.0
