"""Where the curves of two sizes cross: critical couplings without any assumption on exponents."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.dataset import BAD_FIT, ScalingData, chi2_p_value, scaling_data
from sitqmc.qmc.statistics.control_variates import MaskFunctions

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Crossing:
    """Where the curves of two sizes cross.

    sizes        the two L
    coupling     of the crossing
    height       value of the curves there
    chi2, dof    of the two polynomials
    draws        (2, n) bootstrap draws of coupling and height; nan where a draw had no crossing
    warnings     one line each
    """

    sizes: tuple[float, float]
    coupling: Estimate
    height: Estimate
    chi2: float
    dof: int
    draws: Array
    warnings: list[str]


def crossings(
    L: ArrayLike,
    coupling: ArrayLike,
    samples: ArrayLike,
    *,
    pairs: Sequence[tuple[float, float]] | None = None,
    degree: int = 2,
    shared: bool = False,
    functions: Sequence[MaskFunctions] | None = None,
    draws: int = 400,
    seed: int = 1,
) -> list[Crossing]:
    """Return the crossings of successive sizes (or of `pairs`) of polynomials through each curve.

    Arguments as in `scaling_data`, samples (m, n). All crossings use the same draws, so their
    correlations can be read off them. ValueError if a pair has no crossing inside its data.
    """
    points = scaling_data(L, coupling, samples, shared=shared, functions=functions)
    sizes = np.unique(points.L)
    wanted = list(pairs) if pairs is not None else list(itertools.pairwise(sizes))
    rng = np.random.default_rng(seed)
    means = [points.mean[0], *(points.bootstrap_means(rng)[0] for _ in range(draws))]
    return [_crossing(points, pair, means, points.error[0], degree) for pair in wanted]


def _crossing(
    points: ScalingData, pair: tuple[float, float], means: list[Array], error: Array, degree: int
) -> Crossing:
    small, large = (np.flatnonzero(size == points.L) for size in pair)
    for size, index in zip(pair, (small, large), strict=True):
        if len(index) <= degree:
            raise ValueError(
                f"L = {size:g}: {len(index)} couplings cannot fix a polynomial of degree {degree}"
            )
    low = max(points.coupling[small].min(), points.coupling[large].min())
    high = min(points.coupling[small].max(), points.coupling[large].max())
    if not low < high:
        raise ValueError(f"L = {pair[0]:g} and {pair[1]:g}: their couplings do not overlap")
    centre, half = (low + high) / 2, (high - low) / 2
    curves = [Polynomial((points.coupling[i] - centre) / half, error[i], degree) for i in (small, large)]
    one, other = (np.array([c.fit(y[i]) for y in means]) for c, i in zip(curves, (small, large), strict=True))
    found = _roots(one, other)
    if not np.isfinite(found[0, 0]):
        raise ValueError(
            f"L = {pair[0]:g} and {pair[1]:g}: no crossing in {low:.6g} .. {high:.6g}; move or widen the scan"
        )
    found[:, 0] = centre + half * found[:, 0]
    drawn = found[1:].T
    lost = int(np.isnan(drawn[0]).sum())
    chi2 = sum(c.chi2(means[0][i]) for c, i in zip(curves, (small, large), strict=True))
    dof = len(small) + len(large) - 2 * (degree + 1)
    warnings = []
    if chi2_p_value(chi2, dof) < BAD_FIT:
        warnings.append(
            f"L = {pair[0]:g}, {pair[1]:g}: the polynomials do not fit, chi2/dof = {chi2:.1f}/{dof}; "
            "narrow the window or raise the degree"
        )
    if lost > 0.02 * drawn.shape[1]:
        warnings.append(
            f"L = {pair[0]:g}, {pair[1]:g}: {lost} of {drawn.shape[1]} draws do not cross inside the data; "
            "more samples or a wider scan"
        )
    spread = np.nanstd(drawn, axis=1) if lost < drawn.shape[1] - 1 else np.full(2, np.nan)
    return Crossing(
        (float(pair[0]), float(pair[1])),
        Estimate(float(found[0, 0]), float(spread[0])),
        Estimate(float(found[0, 1]), float(spread[1])),
        chi2,
        dof,
        np.asarray(drawn),
        warnings,
    )


class Polynomial:
    """Weighted least squares of y(t) by a polynomial, prepared for many y."""

    def __init__(self, t: Array, error: Array, degree: int) -> None:
        self.basis = np.vander(t, degree + 1)
        self.error = np.where(error > 0, error, max(float(error.max()), 1e-300))
        self.solve = np.linalg.pinv(self.basis / self.error[:, None]) / self.error

    def fit(self, y: Array) -> Array:
        """Return the coefficients, highest power first."""
        return np.asarray(self.solve @ y)

    def error_at(self, t: float) -> float:
        """Return the standard error of the polynomial at t."""
        row = np.vander([t], self.basis.shape[1])[0] @ self.solve
        return float(np.sqrt(np.sum((row * self.error) ** 2)))

    def chi2(self, y: Array) -> float:
        """Return the sum of squared residuals in standard errors."""
        return float(np.sum(((y - self.basis @ self.fit(y)) / self.error) ** 2))


def _roots(one: Array, other: Array) -> Array:
    """Return the crossings (t, y) of pairs of polynomials, (pairs, degree + 1) each, as (pairs, 2).

    Of several crossings in -1 <= t <= 1 the steepest counts; NaN if there is none. The roots are eigenvalues
    of the companion matrices, all pairs at once: one by one, `numpy.roots` takes most of the time of a
    bootstrap.
    """
    difference = np.asarray(other - one)
    pairs, degree = len(difference), difference.shape[1] - 1
    roots, whole = np.full((pairs, degree), np.nan, complex), difference[:, 0] != 0
    companion = np.zeros((whole.sum(), degree, degree))
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[:, 0] = -difference[whole, 1:] / difference[whole, :1]
    roots[whole] = np.linalg.eigvals(companion)
    for row in np.flatnonzero(~whole):           # polynomials of a lower degree
        fewer = np.roots(difference[row])
        roots[row, : len(fewer)] = fewer
    t = np.real(roots)
    inside = (np.abs(np.imag(roots)) < 1e-9) & (np.abs(t) <= 1)
    slope = _values(difference[:, :-1] * np.arange(degree, 0, -1), t)
    best = np.argmax(np.where(inside, np.abs(slope), -1.0), axis=1)[:, None]
    t = np.where(np.any(inside, axis=1)[:, None], np.take_along_axis(t, best, axis=1), np.nan)
    return np.concatenate([t, _values(one, t)], axis=1)


def _values(coefficients: Array, t: Array) -> Array:
    """Return polynomials, (pairs, terms) with the highest power first, at their points t (pairs, n)."""
    y = np.zeros_like(t)
    for k in range(coefficients.shape[1]):
        y = y * t + coefficients[:, k : k + 1]
    return y


@dataclass(frozen=True)
class Extrapolated:
    """Limit of crossings for L -> infinity, g_c + a L^(-shift); chi2 and dof of the fit."""

    coupling: Estimate
    amplitude: Estimate
    chi2: float
    dof: int
    warnings: list[str]


def extrapolate_crossings(found: Sequence[Crossing], shift: float) -> Extrapolated:
    """Fit coupling = g_c + a L^(-shift), L the smaller size; shift = 1/nu + omega in theory.

    Weights from the covariance of the draws. ValueError for fewer than two crossings.
    """
    if len(found) < 2:
        raise ValueError(f"{len(found)} crossings: at least 2 are needed for an extrapolation")
    draws = np.array([c.draws[0] for c in found])
    draws = draws[:, np.all(np.isfinite(draws), axis=0)]
    y = np.array([c.coupling.value for c in found])
    basis = np.array([[1.0, c.sizes[0] ** -shift] for c in found])
    weight = np.linalg.pinv(np.cov(draws))
    solve = np.linalg.solve(basis.T @ weight @ basis, basis.T @ weight)
    coefficients, spread = solve @ y, (solve @ draws).std(axis=1)
    rest = y - basis @ coefficients
    chi2, dof = float(rest @ weight @ rest), len(found) - 2
    warnings = []
    if chi2_p_value(chi2, dof) < BAD_FIT:
        warnings.append(
            f"crossings do not follow g_c + a L^(-{shift:.3g}): chi2/dof = {chi2:.1f}/{dof}; drop small sizes"
        )
    values = [Estimate(float(c), float(s)) for c, s in zip(coefficients, spread, strict=True)]
    return Extrapolated(values[0], values[1], chi2, dof, warnings)
