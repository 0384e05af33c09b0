"""Quantities of a film at one temperature, from the posterior of the joint fit."""

from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.film.derived import ExcessConductivity
from sitqmc.analytic.film.inversion import MeasuredConductivity
from sitqmc.analytic.film.mount.model import STEP, MountModel
from sitqmc.analytic.film.transmission_fit import film_sigma
from sitqmc.analytic.superconductor.matsubara import film_stiffness_mev
from sitqmc.analytic.units import Array, mev_to_thz, thz_to_mev
from sitqmc.estimate import Estimate
from sitqmc.result import Result

DRAWS, FEWEST = 8000, 200
"""Draws of sigma1 for the interval of Omega, and the fewest that are used."""

TAILS = 5.0
"""Degrees of freedom of Student's t in the draws."""

SIGNIFICANCE = 1e-5
"""The plain superconductor is rejected if the excess improves chi^2 with a smaller p-value.

The p-value is approximate because the scales of the errors are estimates: 4 of 19 mock films without a mode
had values of about 1e-3 or less. Films with a mode have values below 1e-30.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmState(Result):
    """A film at one temperature below Tc.

    t_k                temperature
    delta_mev          gap
    conductivity       sigma1 and sigma2 with the covariance of noise and mount
    sigma_h            excess of sigma1 over the superconductor without a mode, with its covariance
    omega_sigma2_mev   lim hbar omega sigma2 in meV ohm^-1 cm^-1
    stiffness_mev      J_s
    window_weight      int (sigma1_normal - sigma1) d(hbar omega) over the scan in meV ohm^-1 cm^-1
    missing_weight     the same over all energies, (pi/2) lim hbar omega sigma2 by the sum rule
    covariance         of sigma_H at all frequencies, J_s, window_weight and missing_weight, in this order
    omega_thz          frequency of the smallest sigma1 below the gap
    peak_thz           frequency of the largest sigma_H below the gap
    plain_fits         whether the superconductor without excess describes the scans
    p_value            probability of the improvement of chi^2 by the excess if there is none

    If the plain superconductor fits, omega_thz and peak_thz are missing.
    """

    t_k: float
    delta_mev: Estimate
    conductivity: MeasuredConductivity
    sigma_h: ExcessConductivity
    omega_sigma2_mev: Estimate
    stiffness_mev: Estimate
    window_weight: Estimate
    missing_weight: Estimate
    covariance: Array
    omega_thz: Estimate
    peak_thz: Estimate
    plain_fits: bool
    p_value: float

    def verdict(self) -> str:
        """Return in words whether an excess conductivity is resolved."""
        if self.plain_fits:
            return f"fits: no excess conductivity is resolved (p = {self.p_value:.2g})"
        p_text = f"p = {self.p_value:.1e}" if self.p_value > 0 else "p < 1e-300"
        return f"does NOT fit: an excess conductivity is needed ({p_text})"


def film_state(
    problem: MountModel, u: Array, covariance: Array, k: int, p_value: float, rng: np.random.Generator
) -> FilmState:
    """Return the quantities of cold scan k; errors by linear propagation of the posterior."""
    scan = problem.scans[k]
    n, nu = scan.nu_thz.size, scan.nu_thz
    value, total = _propagated(problem, u, covariance, k)
    error = np.sqrt(np.maximum(np.diag(total), 0.0))
    below = np.flatnonzero(nu <= float(mev_to_thz(2 * problem.delta_at(u, k))))
    omega = peak = Estimate.missing()
    if p_value < SIGNIFICANCE and below.size:
        inside = np.ix_(below, below)
        omega = _minimum(nu[below], value[below], total[inside], rng)
        shifted = 2 * n + below
        peak = _maximum(nu[below], value[shifted], total[np.ix_(shifted, shifted)], rng)
    conductivity = MeasuredConductivity(
        nu_thz=nu, sigma=value[:n] + 1j * value[n : 2 * n], covariance=total[: 2 * n, : 2 * n],
        statistical=total[: 2 * n, : 2 * n], misfit=np.full(n, np.nan), t_k=scan.t_k,
    )  # fmt: skip
    own = slice(2 * n, 3 * n)
    density, delta, stiffness, in_scan, weight = (Estimate(value[i], error[i]) for i in range(-5, 0))
    joint = np.r_[2 * n : 3 * n, 3 * n + 2 : 3 * n + 5]
    return FilmState(
        t_k=scan.t_k, delta_mev=delta, conductivity=conductivity,
        sigma_h=ExcessConductivity(nu_thz=nu, sigma_h=value[own], covariance=total[own, own]),
        omega_sigma2_mev=density, stiffness_mev=stiffness, omega_thz=omega, peak_thz=peak,
        window_weight=in_scan, missing_weight=weight, covariance=total[np.ix_(joint, joint)],
        plain_fits=p_value > SIGNIFICANCE, p_value=p_value,
    )  # fmt: skip


def _propagated(problem: MountModel, u: Array, covariance: Array, k: int) -> tuple[Array, Array]:
    """Return all quantities in one array, and their covariance.

    The array holds sigma1, sigma2, sigma_H, lim hbar omega sigma2, Delta, J_s, and the missing weight in the
    scan and in total.
    """
    nu, steps = problem.scans[k].nu_thz, np.diff(thz_to_mev(problem.scans[k].nu_thz))
    area = 0.5 * (np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps]))
    z = slice(problem.excess_at[k].start + 1, problem.excess_at[k].stop)

    def stacked(at: Array) -> Array:
        sigma, density = problem.sigma_at(at, k), problem.density_mev(at, k)
        setup = problem.setup_at(at)
        sigma_h = setup.sigma_n * (problem.excess[k].sigma1 @ at[z])
        j_s = film_stiffness_mev(density, setup.sample.film_nm)
        normal = film_sigma(nu, setup, 0.0, problem.scans[k].t_k, problem.model).real
        weights = [area @ (normal - sigma.real), 0.5 * np.pi * density]
        others = [density, problem.delta_at(at, k), j_s, *weights]
        return np.concatenate([sigma.real, sigma.imag, sigma_h, others])

    # Gains and drifts of the bands do not enter.
    chosen = np.r_[0 : problem.smooth, problem.excess_at[k]]
    columns = []
    for p in chosen:
        step = np.zeros_like(u)
        step[p] = STEP
        columns.append((stacked(u + step) - stacked(u - step)) / (2 * STEP))
    jacobian = np.column_stack(columns)
    return stacked(u), jacobian @ covariance[np.ix_(chosen, chosen)] @ jacobian.T


def _draws(value: Array, covariance: Array, rng: np.random.Generator) -> Array:
    """Return DRAWS random curves (DRAWS, n) of the given mean and covariance.

    The draws follow Student's t: the scale of the errors is itself an estimate.
    """
    width, axes = np.linalg.eigh(covariance)
    keep = width > 1e-10 * width[-1]
    noise = rng.normal(size=(DRAWS, int(keep.sum())))
    noise *= np.sqrt(TAILS / rng.chisquare(TAILS, size=(DRAWS, 1)))
    return np.asarray(value + noise @ (axes[:, keep] * np.sqrt(width[keep])).T)


def _with_interval(nu: Array, best: float, places: Array) -> Estimate:
    """Return a frequency with the 68 % interval of its draws, widened by one step of the scan."""
    low, high = np.quantile(places, [0.16, 0.84])
    step = float(np.median(np.diff(nu))) if nu.size > 1 else 0.0
    return Estimate.from_interval(best, min(low, best) - step, max(high, best) + step)


def _minimum(nu: Array, sigma1: Array, covariance: Array, rng: np.random.Generator) -> Estimate:
    """Return the frequency of the smallest sigma1 with its 68 % interval, from draws with sigma1 >= 0.

    Draws without negative sigma1 are used, or the FEWEST least negative ones if they are few.
    """
    draws = _draws(sigma1, covariance, rng)
    depth = draws.min(axis=1)
    accepted = draws[depth >= min(0.0, float(np.sort(depth)[-FEWEST]))]
    best = float(nu[int(np.argmin(accepted.mean(axis=0)))])
    return _with_interval(nu, best, nu[np.argmin(accepted, axis=1)])


def _maximum(nu: Array, sigma_h: Array, covariance: Array, rng: np.random.Generator) -> Estimate:
    """Return the frequency of the largest sigma_H with its 68 % interval."""
    draws = _draws(sigma_h, covariance, rng)
    return _with_interval(nu, float(nu[int(np.argmax(sigma_h))]), nu[np.argmax(draws, axis=1)])
