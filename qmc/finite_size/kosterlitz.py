"""Transition temperature of a superfluid at fixed coupling, from the jump of its stiffness.

In an infinite system rho_s jumps at T_c from 2 T_c/pi to zero; in a finite one it approaches the jump
logarithmically,

    pi rho_s(T_c, L)/(2 T_c) = 1 + 1/(2 (ln L + C)).

Sources: Nelson and Kosterlitz, PRL 39, 1201 (1977) for the jump; Weber and Minnhagen, PRB 37, 5986 (1988) for
the logarithm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.crossings import Polynomial
from sitqmc.qmc.finite_size.dataset import BAD_FIT, chi2_p_value, scaling_data

Array = NDArray[np.float64]

SMALLEST_LOGARITHM = 0.1
"""Least ln L + C of the smallest size: the correction is never larger than five times the jump."""

LARGEST_CONSTANT = 50.0
"""Largest C: the correction is then below one percent, and C is not known."""

GRID = 61
"""Temperatures at which the search for T_c begins."""


@dataclass(frozen=True)
class KosterlitzThouless:
    """Transition temperature from the finite-size law of Weber and Minnhagen.

    T_c        in the unit of the given temperatures, E_J
    constant   C of the law
    by_size    L -> temperature where rho_s = 2 T/pi, without the logarithm: above T_c, and falling with L
    chi2, dof  of the law at T_c and of the polynomials in T
    draws      bootstrap draws of T_c; NaN where the law had no solution inside the data
    warnings   one line each
    """

    T_c: Estimate
    constant: Estimate
    by_size: dict[float, Estimate]
    chi2: float
    dof: int
    draws: Array
    warnings: list[str]


def transition_temperature(
    L: ArrayLike, temperature: ArrayLike, rho_s: ArrayLike, *, degree: int = 2, shared: bool = False,
    draws: int = 400, seed: int = 1,
) -> KosterlitzThouless:  # fmt: skip
    """Return T_c from rho_s of several sizes and temperatures.

    L, temperature  (m,), one entry for each point; temperature in E_J
    rho_s           (m, n), stiffness of every disorder sample (or chain), E_J
    degree          of the polynomial in T through the points of one size
    shared          the points of one L used the same disorder samples
    draws           bootstrap draws behind the errors
    raises          ValueError for fewer than two sizes, too few temperatures, or no T_c inside the data

    Accuracy: terms beyond the first logarithm are neglected; with L = 8, 16, 32 the clean classical XY model
    gives 0.8929 E_J within one percent. A chi2 that does not fit asks for larger sizes.
    """
    points = scaling_data(L, temperature, rho_s, shared=shared)
    sizes = np.unique(points.L)
    if len(sizes) < 2:
        raise ValueError(f"{len(sizes)} size: the logarithm of L needs at least two")
    T = points.coupling
    low = max(T[size == points.L].min() for size in sizes)
    high = min(T[size == points.L].max() for size in sizes)
    if not low < high:
        raise ValueError("the temperatures of the sizes do not overlap; scan the same window for each size")
    error = points.samples[0].std(axis=1, ddof=1) / np.sqrt(points.samples.shape[2])
    curves = _curves(points.L, T, error, degree, low, high)
    law = _Law(sizes, curves, low, high)
    rng = np.random.default_rng(seed)
    best = law.solve(points.mean[0])
    if not np.isfinite(best[0]):
        raise ValueError(
            f"no T_c in {low:.6g} .. {high:.6g}: rho_s does not pass 2 T/pi there as the law asks; "
            "move or widen the scan"
        )
    drawn = np.array([law.solve(points.bootstrap_means(rng)[0], best[:2]) for _ in range(draws)])
    lost = int(np.isnan(drawn[:, 0]).sum())
    dof = len(T) - (degree + 1) * len(sizes) + len(sizes) - 2
    chi2 = float(best[2]) + sum(c.chi2(points.mean[0][i]) for c, i in curves)
    warnings = _warnings(chi2, dof, lost, draws, low, high)
    values = [Estimate(float(v), _spread(d)) for v, d in zip(best, drawn.T, strict=True)]
    by_size = dict(zip(sizes.tolist(), values[3:], strict=True))
    return KosterlitzThouless(values[0], values[1], by_size, chi2, dof, drawn[:, 0], warnings)


def _spread(drawn: Array) -> float:
    """Return the standard deviation of the draws that are known; NaN if a size meets 2 T/pi in none."""
    known = drawn[np.isfinite(drawn)]
    return float(known.std()) if known.size > 1 else float("nan")


def _curves(
    L: Array, T: Array, error: Array, degree: int, low: float, high: float
) -> list[tuple[Polynomial, NDArray[np.int64]]]:
    """Return for each size its polynomial in t = -1 .. 1, and its points."""
    out = []
    for size in np.unique(L):
        index = np.flatnonzero(size == L)
        if len(np.unique(T[index])) <= degree:
            raise ValueError(
                f"L = {size:g}: {len(index)} temperatures cannot fix a polynomial of degree {degree}"
            )
        t = (2 * T[index] - low - high) / (high - low)
        out.append((Polynomial(t, error[index], degree), index))
    return out


class _Law:
    """The law of Weber and Minnhagen for the polynomials of all sizes."""

    def __init__(
        self, sizes: Array, curves: list[tuple[Polynomial, NDArray[np.int64]]], low: float, high: float
    ) -> None:
        self.log_L, self.curves, self.low, self.high = np.log(sizes), curves, low, high
        self.T = np.linspace(low, high, GRID)

    def solve(self, mean: Array, start: Array | None = None) -> Array:
        """Return T_c, C, chi2 of the law, then the temperature of every size where rho_s = 2 T/pi; or NaN.

        start  T_c and C where the search begins; the best of a grid if None
        """
        fits = [polynomial.fit(mean[index]) for polynomial, index in self.curves]
        bare = [self._jump(fit) for fit in fits]

        def residuals(x: Array) -> Array:
            t = (2 * x[0] - self.low - self.high) / (self.high - self.low)
            law = 2 * x[0] / np.pi * (1 + 0.5 / (self.log_L + x[1]))
            rows = [
                (np.polyval(fit, t) - y) / polynomial.error_at(t)
                for fit, y, (polynomial, _) in zip(fits, law, self.curves, strict=True)
            ]
            return np.array(rows)

        least = SMALLEST_LOGARITHM - self.log_L[0]
        if start is None:
            starts = [np.array([T, C]) for T in self.T[:: GRID // 12] for C in (least + 0.5, least + 2.0)]
            start = min(starts, key=lambda x: float(np.sum(residuals(x) ** 2)))
        bounds = ([self.low, least], [self.high, LARGEST_CONSTANT])
        best = least_squares(residuals, np.clip(start, *bounds), bounds=bounds, x_scale=(0.1, 1.0))
        T_c, C = best.x
        edge = 1e-6 * (self.high - self.low)
        if not (self.low + edge < T_c < self.high - edge):
            T_c = C = np.nan
        return np.array([T_c, C, 2 * best.cost, *bare])

    def _jump(self, fit: Array) -> float:
        """Return the temperature where a polynomial meets 2 T/pi, NaN if nowhere inside the data."""
        t = np.linspace(-1, 1, GRID)
        above = np.polyval(fit, t) - 2 * self.T / np.pi
        down = np.flatnonzero((above[:-1] > 0) & (above[1:] <= 0))
        if not down.size:
            return float("nan")
        i = down[-1]
        return float(self.T[i] + (self.T[i + 1] - self.T[i]) * above[i] / (above[i] - above[i + 1]))


def _warnings(chi2: float, dof: int, lost: int, draws: int, low: float, high: float) -> list[str]:
    out = []
    if chi2_p_value(chi2, dof) < BAD_FIT:
        out.append(
            f"the law of the jump does not fit, chi2/dof = {chi2:.1f}/{dof}; drop small sizes or narrow "
            "the scan"
        )
    if lost > 0.02 * draws:
        out.append(f"{lost} of {draws} draws have no T_c in {low:.6g} .. {high:.6g}; widen the scan")
    return out
