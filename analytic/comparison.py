"""Comparison of a simulated sigma(omega) with the measured sigma_H of a film.

The simulation gives a sheet conductivity in units of 4e^2/h against omega in units of E_J. For a film of
thickness d, nu = omega E_J/h and sigma = amplitude (4e^2/h) sigma_Q(omega)/d. E_J comes from the measured
stiffness, J_s = rho_s E_J, or is fitted. The amplitude is 1, or is fitted with a prior (several coupled
sheets, or a part of the film). The likelihood contains the full covariance of data and theory and its
determinant, so a wide band of the theory costs probability. A theory fits if

* the posterior predictive p-value is above P_MIN,
* it describes the data better than a constant by BETTER in chi^2, with the errors of the data alone,
* its peak lies within PEAK_ERRORS errors of the measured peak,
* the best E_J does not lie at the edge of the search,
* the amplitude lies within AMPLITUDE_ERRORS errors of its prior.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import chdtrc

from sitqmc.analytic.film.analysis import FilmAnalysis
from sitqmc.analytic.film.derived import ExcessConductivity, excess_peak
from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.goodness_of_fit import FitQuality
from sitqmc.analytic.units import SIGMA_Q_S, Array, mev_to_thz, sheet_to_sigma, thz_to_mev
from sitqmc.estimate import Estimate
from sitqmc.result import SavedResult, lines_of

P_MIN = 0.05
BETTER = 9.0
PEAK_ERRORS = 3.0
AMPLITUDE_ERRORS = 3.0

GRID = 300
"""Values of E_J in the search."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TheoryCurve(SavedResult):
    """Regular part of sigma1 of a simulation.

    omega        energies in E_J, shape (n,), increasing, > 0
    sigma        conductivity in 4e^2/h, (n,)
    error        its standard error, (n,)
    rho_s        superfluid stiffness in E_J (0 in the insulator)
    rho_s_error  its standard error
    draws        posterior draws of sigma, (n_draws, n); None: errors at different omega are independent
    """

    omega: Array
    sigma: Array
    error: Array
    rho_s: float = 0.0
    rho_s_error: float = 0.0
    draws: Array | None = None

    def __post_init__(self) -> None:
        if not self.omega.shape == self.sigma.shape == self.error.shape or self.omega.ndim != 1:
            shapes = f"{self.omega.shape}, {self.sigma.shape}, {self.error.shape}"
            raise ValueError(f"omega, sigma, error have shapes {shapes}: they must be equal lists")
        if self.omega.size < 4 or not self.omega[0] > 0 or not np.all(np.diff(self.omega) > 0):
            raise ValueError("omega: at least 4 positive, increasing energies in units of E_J are needed")
        if not np.all(self.error >= 0) or not np.all(np.isfinite(self.sigma)):
            raise ValueError("sigma must be finite and its error >= 0")
        if self.draws is not None and (self.draws.ndim != 2 or self.draws.shape[1] != self.omega.size):
            raise ValueError(
                f"draws has shape {self.draws.shape}: one row per draw, {self.omega.size} columns are needed"
            )

    def covariance(self, operator: Array) -> Array:
        """Return the covariance (m, m) of operator @ sigma, for an operator (m, n)."""
        if self.draws is None:
            scaled = operator * self.error
            return np.asarray(scaled @ scaled.T)
        return np.atleast_2d(np.cov(operator @ self.draws.T))


def e_j_from_stiffness(film_stiffness_mev: float, rho_s: float) -> float:
    """Return E_J in meV of an array with stiffness rho_s (in E_J) and the measured stiffness of the film."""
    stiffness = checked_scalar("film_stiffness_mev", film_stiffness_mev, above=0.0)
    return stiffness / checked_scalar("rho_s", rho_s, above=0.0)


def to_laboratory(theory: TheoryCurve, e_j_mev: float, thickness_nm: float) -> tuple[Array, Estimate]:
    """Return nu in THz and sigma1 in ohm^-1 cm^-1 of the simulated array as one film."""
    energy = checked_scalar("e_j_mev", e_j_mev, above=0.0)
    unit = sheet_to_sigma(SIGMA_Q_S, thickness_nm)
    return mev_to_thz(theory.omega * energy), Estimate(theory.sigma, theory.error).scaled(unit)


def at_frequencies(
    theory: TheoryCurve, nu_thz: ArrayLike, e_j_mev: float, thickness_nm: float
) -> tuple[Array, Array]:
    """Return sigma1 in ohm^-1 cm^-1 at measured frequencies and its covariance.

    The curve is linear between its points and flat below the lowest.
    raises  ValueError if the curve ends below the highest frequency
    """
    nu = np.asarray(nu_thz, dtype=float)
    own, sigma = to_laboratory(theory, e_j_mev, thickness_nm)
    if nu.max() > own[-1] * (1 + 1e-12):
        raise ValueError(
            f"theory ends at {own[-1]:.3g} THz for E_J = {e_j_mev:.3g} meV; the data reach "
            f"{nu.max():.3g} THz: compare in a smaller window"
        )
    right = np.clip(np.searchsorted(own, nu), 1, own.size - 1)
    share = np.clip((nu - own[right - 1]) / (own[right] - own[right - 1]), 0.0, 1.0)
    operator = np.zeros((nu.size, own.size))
    operator[np.arange(nu.size), right - 1] = 1 - share
    operator[np.arange(nu.size), right] = share
    unit = sheet_to_sigma(SIGMA_Q_S, thickness_nm)
    return operator @ sigma.value, unit**2 * theory.covariance(operator)


@dataclass(frozen=True, kw_only=True)
class Comparison(SavedResult):
    """Best agreement of one theory curve with sigma_H, and the verdict.

    e_j_mev            best value with the interval -2 ln L <= minimum + 1 (a point if E_J was given)
    e_j_stiffness_mev  E_J from the stiffness of film and array; missing if one of them is not known
    e_j_agrees         whether both agree within three errors; None if one of them is missing
    amplitude          factor on the theory
    peak_thz           position of the maximum of the theory in the window
    measured_peak_thz  position of the measured maximum
    weight_ratio       measured over theoretical weight in the window, amplitude included
    minus_2_log_l      -2 ln L at the best E_J, with the prior of the amplitude
    quality            chi^2, posterior predictive p-value, verdict and a sentence
    theory, data, thickness_nm   what was compared
    """

    e_j_mev: Estimate
    e_j_stiffness_mev: Estimate
    e_j_agrees: bool | None
    amplitude: Estimate
    peak_thz: float
    measured_peak_thz: Estimate
    weight_ratio: float
    minus_2_log_l: float
    quality: FitQuality
    theory: TheoryCurve | None = None
    data: ExcessConductivity | None = None
    thickness_nm: float = float("nan")

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield the lines of the report."""
        return lines_of(self.report())

    def report(self) -> str:
        """Return the comparison as text, one line each."""
        words = {True: "agree", False: "do NOT agree", None: "cannot be compared"}[self.e_j_agrees]
        distance = self.peak_thz - self.measured_peak_thz.value
        errors = abs(self.measured_peak_thz.pull(self.peak_thz))
        return "\n".join([
            f"theory: {self.quality.text}",
            f"E_J of the fit {self.e_j_mev} meV, E_J of the stiffness {self.e_j_stiffness_mev} meV: {words}",
            f"amplitude {self.amplitude}",
            f"peak of the theory {self.peak_thz:.3f} THz, measured {self.measured_peak_thz} THz: distance "
            f"{distance:+.3f} THz, {errors:.1f} errors",
            f"measured weight over theoretical weight in the window = {self.weight_ratio:.3g}",
        ])  # fmt: skip


@dataclass(frozen=True)
class _Match:
    """Theory against data at one E_J: -2 ln L with prior, chi^2, amplitude with error, model curve."""

    minus_2_log_l: float
    chi2: float
    amplitude: Estimate
    model: Array


class _Likelihood:
    """Likelihood of E_J, maximised over the amplitude."""

    def __init__(
        self, theory: TheoryCurve, data: ExcessConductivity, thickness_nm: float, prior: Estimate | None
    ) -> None:
        self.theory, self.data, self.thickness_nm, self.prior = theory, data, thickness_nm, prior
        self.root = np.linalg.cholesky(data.covariance)
        self.white = np.linalg.solve(self.root, data.sigma_h)
        self.log_determinant = 2 * float(np.sum(np.log(np.diag(self.root))))

    def at(self, e_j: float) -> _Match:
        """Return the best match at one E_J.

        With white data the covariance is 1 + a^2 V D V^T, so every amplitude a costs a sum only.
        """
        model, covariance = at_frequencies(self.theory, self.data.nu_thz, e_j, self.thickness_nm)
        half = np.linalg.solve(self.root, covariance)
        spread, axes = np.linalg.eigh(np.linalg.solve(self.root, half.T))
        spread = np.maximum(spread, 0.0)
        y, m = axes.T @ self.white, axes.T @ np.linalg.solve(self.root, model)

        def chi2(a: float) -> float:
            return float(np.sum((y - a * m) ** 2 / (1 + a**2 * spread)))

        def cost(a: float) -> float:
            prior = 0.0 if self.prior is None else ((a - self.prior.value) / self.prior.error) ** 2
            return chi2(a) + float(np.sum(np.log1p(a**2 * spread))) + self.log_determinant + prior

        amplitude = Estimate(1.0, 0.0)
        if self.prior is not None:
            high = self.prior.value + 8 * self.prior.error
            best = float(minimize_scalar(cost, bounds=(0.0, high), method="bounded").x)
            h = 1e-3 * max(best, 1e-3 * high)
            bend = (cost(best + h) - 2 * cost(best) + cost(best - h)) / h**2
            amplitude = Estimate(best, (2 / bend) ** 0.5 if bend > 0 else self.prior.error)
        a = amplitude.value
        return _Match(cost(a), chi2(a), amplitude, a * model)


def _interval(x: Array, cost: Array) -> Estimate:
    """Return the minimum of -2 ln L on a grid with the range up to minimum + 1, edges interpolated."""
    k = int(np.argmin(cost))
    bound = cost[k] + 1.0
    low, high = float(x[0]), float(x[-1])
    for j in range(k, 0, -1):
        if cost[j - 1] > bound:
            low = float(x[j] - (x[j] - x[j - 1]) * (bound - cost[j]) / (cost[j - 1] - cost[j]))
            break
    for j in range(k, x.size - 1):
        if cost[j + 1] > bound:
            high = float(x[j] + (x[j + 1] - x[j]) * (bound - cost[j]) / (cost[j + 1] - cost[j]))
            break
    return Estimate.from_interval(float(x[k]), low, high)


def _search(
    likelihood: _Likelihood, search_mev: tuple[float, float] | None
) -> tuple[Estimate, float, bool]:
    """Return E_J, the posterior predictive p-value, and whether the optimum lies at the edge of the search.

    A search without given bounds is widened upwards up to four times.
    """
    data = likelihood.data
    least = float(thz_to_mev(float(data.nu_thz[-1])) / likelihood.theory.omega[-1]) * (1 + 1e-9)
    low, high = search_mev or (least, 20.0 * least)
    if not least <= high or not low < high:
        raise ValueError(
            f"search_mev = ({low:g}, {high:g}): must be increasing and reach above {least:.3g} meV, where "
            "the theory covers the data"
        )
    for _ in range(5):
        grid = np.geomspace(max(low, least), high, GRID)
        cost = np.array([likelihood.at(float(e)).minus_2_log_l for e in grid])
        if np.argmin(cost) < GRID - 1 or search_mev is not None:
            break
        high *= 4.0
    at_edge = int(np.argmin(cost)) in (0, GRID - 1)
    best = _interval(grid, cost)
    for _ in range(2):
        step = 2.0 * float(grid[1] - grid[0])
        grid = np.linspace(max(best.low - step, grid[0]), min(best.high + step, grid[-1]), 60)
        matches = [likelihood.at(float(e)) for e in grid]
        cost = np.array([match.minus_2_log_l for match in matches])
        best = _interval(grid, cost)
    weight = np.exp(-0.5 * (cost - cost.min()))
    p = chdtrc(data.nu_thz.size, [match.chi2 for match in matches])
    return best, float(weight @ p / weight.sum()), at_edge


def compare(
    theory: TheoryCurve, data: ExcessConductivity, thickness_nm: float, *, e_j_mev: float | None = None,
    search_mev: tuple[float, float] | None = None, amplitude: Estimate | None = None,
    film_stiffness_mev: Estimate | None = None, rng: np.random.Generator | None = None,
) -> Comparison:  # fmt: skip
    """Compare one theory curve with sigma_H.

    e_j_mev             fixed E_J (e_j_from_stiffness); None searches
    search_mev          range of the search; default: from where the theory just covers the data, upwards
    amplitude           prior of a free amplitude, such as Estimate(1, 0.5); None: 1
    film_stiffness_mev  measured J_s, to put E_J = J_s/rho_s beside the fitted one
    rng                 random numbers of the error of the measured peak; default: a fixed seed
    raises              ValueError if the theory does not cover the data
    """
    likelihood = _Likelihood(theory, data, thickness_nm, amplitude)
    if e_j_mev is None:
        best, p_value, at_edge = _search(likelihood, search_mev)
    else:
        best, at_edge = Estimate(e_j_mev, 0.0, e_j_mev, e_j_mev), False
        p_value = float(chdtrc(data.nu_thz.size, likelihood.at(e_j_mev).chi2))
    match = likelihood.at(best.value)
    window = (float(data.nu_thz[0]), float(data.nu_thz[-1]))
    measured = excess_peak(data, window, rng or np.random.default_rng(0))
    fine = np.linspace(*window, 400)
    peak = float(fine[int(np.argmax(at_frequencies(theory, fine, best.value, thickness_nm)[0]))])
    from_stiffness = Estimate.missing()
    if film_stiffness_mev is not None and film_stiffness_mev.is_known and theory.rho_s > 0:
        value = e_j_from_stiffness(film_stiffness_mev.value, theory.rho_s)
        relative = film_stiffness_mev.error / film_stiffness_mev.value, theory.rho_s_error / theory.rho_s
        from_stiffness = Estimate(value, value * float(np.hypot(*relative)))
    known = from_stiffness.is_known and e_j_mev is None
    return Comparison(
        e_j_mev=best, e_j_stiffness_mev=from_stiffness, amplitude=match.amplitude, peak_thz=peak,
        e_j_agrees=bool(abs(best.pull(from_stiffness)) < 3) if known else None, measured_peak_thz=measured,
        weight_ratio=float(np.trapezoid(data.sigma_h, data.nu_thz) / np.trapezoid(match.model, data.nu_thz)),
        minus_2_log_l=match.minus_2_log_l, theory=theory, data=data, thickness_nm=thickness_nm,
        quality=_verdict(likelihood, match, p_value, abs(measured.pull(peak)), at_edge),
    )  # fmt: skip


def _verdict(
    likelihood: _Likelihood, match: _Match, p_value: float, peak_errors: float, at_edge: bool
) -> FitQuality:
    """Return the verdict by the conditions of the module."""
    n, root = likelihood.white.size, likelihood.root
    one = np.linalg.solve(root, np.ones(n))
    level = float(one @ likelihood.white / (one @ one))
    constant = float(np.sum((likelihood.white - level * one) ** 2))
    own = float(np.sum((likelihood.white - np.linalg.solve(root, match.model)) ** 2))
    reasons = []
    if not p_value > P_MIN:
        reasons.append(f"p = {p_value:.1e}")
    if own > constant - BETTER:
        reasons.append(
            f"a constant describes sigma_H as well (chi2 = {constant:.1f} against {own:.1f} of the theory)"
        )
    if peak_errors > PEAK_ERRORS:
        reasons.append(f"the peaks are {peak_errors:.1f} errors apart")
    if at_edge:
        reasons.append("the best E_J lies at the edge of the search")
    prior, a = likelihood.prior, match.amplitude.value
    if prior is not None and abs(a - prior.value) > AMPLITUDE_ERRORS * prior.error:
        reasons.append(f"the amplitude {a:.3g} contradicts its prior {prior}")
    dof = n - int(likelihood.prior is not None)
    text = f"fits: chi2/dof = {match.chi2 / dof:.2f}, p = {p_value:.2g}"
    if reasons:
        text = f"the model does NOT fit: {', '.join(reasons)}"
    return FitQuality(match.chi2, dof, p_value, 0.0, not reasons, text)


def compare_film(
    theory: TheoryCurve, film: FilmAnalysis, *, e_j_mev: float | None = None,
    search_mev: tuple[float, float] | None = None, amplitude: Estimate | None = None,
) -> Comparison:  # fmt: skip
    """Compare one theory curve with sigma_H of an analysed film below its gap; options as in compare.

    raises  ValueError if no quantity of the film is known, or as compare
    """
    if film.rejected:
        raise ValueError("the joint fit of the film is rejected: it has no sigma_H to compare with")
    data = film.sigma_h.below(float(mev_to_thz(2 * film.background.delta_mev)))
    return compare(
        theory, data, film.background.setup.sample.film_nm, e_j_mev=e_j_mev, search_mev=search_mev,
        amplitude=amplitude, film_stiffness_mev=film.stiffness_mev,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FamilyComparison(SavedResult):
    """Comparison of several disorder strengths with one film: best p, and every comparison."""

    p: Estimate
    best: Comparison
    each: Mapping[float, Comparison]

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield the best p, the verdict at every p, and the comparison at the best."""
        yield "p", str(self.p)
        for p, one in self.each.items():
            yield f"p = {p:g}", f"-2 ln L = {one.minus_2_log_l:.4g}, {one.quality.text}"
        yield from self.best.summary()


def compare_family(
    curves: Mapping[float, TheoryCurve], data: ExcessConductivity, thickness_nm: float, *,
    e_j_mev: float | None = None, search_mev: tuple[float, float] | None = None,
    amplitude: Estimate | None = None, film_stiffness_mev: Estimate | None = None,
) -> FamilyComparison:  # fmt: skip
    """Compare curves at several p with sigma_H; each p at its best E_J, interval -2 ln L <= minimum + 1.

    raises  ValueError for fewer than 2 curves
    """
    if len(curves) < 2:
        raise ValueError(f"{len(curves)} curves: an interval for p needs at least 2")
    order: Sequence[float] = sorted(curves)
    each = {
        p: compare(
            curves[p], data, thickness_nm, e_j_mev=e_j_mev, search_mev=search_mev, amplitude=amplitude,
            film_stiffness_mev=film_stiffness_mev,
        )
        for p in order
    }  # fmt: skip
    return best_of_family(each)


def best_of_family(each: Mapping[float, Comparison]) -> FamilyComparison:
    """Return the best p with its interval, from the comparisons of several p with the same film."""
    order = sorted(each)
    interval = _interval(np.array(order), np.array([each[p].minus_2_log_l for p in order]))
    return FamilyComparison(p=interval, best=each[interval.value], each=each)
