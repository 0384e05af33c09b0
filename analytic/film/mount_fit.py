"""Joint fit of a normal and a cold scan of one mount, with the film, the substrate and the instrument.

The maximum of the posterior of mount_model is found by Levenberg-Marquardt. Errors of each band are rescaled
by the scatter of neighbouring residuals. Outliers lose weight. The plain superconductor is tested against the
model with an excess conductivity.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from sitqmc.analytic.film.mount_model import MountModel, MountPriors, numerical_jacobian
from sitqmc.analytic.film.transmission_fit import FilmSetup, Model
from sitqmc.analytic.measurements.scans import ThzScan
from sitqmc.analytic.numerics.goodness_of_fit import Z_MAX, FitQuality, assess_fit
from sitqmc.analytic.numerics.scatter import POINTS, scatter_error
from sitqmc.analytic.superconductor.gap import gap_mev
from sitqmc.analytic.superconductor.matsubara import film_stiffness_mev
from sitqmc.analytic.units import Array, Complex, mev_to_thz
from sitqmc.estimate import Estimate

HUBER = 2.5
"""Residual in standard errors beyond which a datum loses weight."""

DRAWS, FEWEST = 8000, 200
"""Draws of sigma1 for the interval of Omega, and the fewest that are used."""

MISFIT = 1.5
"""Largest chi^2/dof with rescaled errors."""

REJECT = 1e-3
"""The plain superconductor is rejected if the excess improves chi^2 with a smaller p-value."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MountFit:
    """Result of the joint fit.

    setup        film, substrate and instrument at the maximum of the posterior
    delta_mev    gap
    nu_thz       frequencies of the conductivity, (n,)
    sigma        conductivity of the cold film in ohm^-1 cm^-1, (n,)
    covariance   of [sigma1..., sigma2...], (2n, 2n)
    omega_sigma2_mev  lim hbar omega sigma2
    stiffness_mev     J_s
    omega_thz    frequency of the smallest sigma1 below the gap; missing if the plain superconductor fits
    plain_fits   whether the superconductor without excess describes both scans
    p_value      probability of the improvement of chi^2 by the excess if there is none
    error_scale  factor on the given errors, one per band and scan
    quality      test of the residuals; if `quality.fits` is False, no number may be quoted
    correlated   pairs of parameters with |correlation| > 0.9, in words
    """

    setup: FilmSetup
    delta_mev: Estimate
    nu_thz: Array
    sigma: Complex
    covariance: Array
    omega_sigma2_mev: Estimate
    stiffness_mev: Estimate
    omega_thz: Estimate
    plain_fits: bool
    p_value: float
    error_scale: Array
    quality: FitQuality
    correlated: tuple[str, ...]


def _maximise(problem: MountModel, start: Array, plain: bool) -> tuple[Array, Array, float]:
    """Return the maximum of the posterior, its covariance, and chi^2 with priors; Levenberg-Marquardt."""
    free = problem.prior_scale(plain)
    prior = free.copy()
    prior[0] = 1e-2 * free[0]  # sigma_n is free within a factor
    u, damping = start * free, 1e-3

    def cost(at: Array) -> tuple[float, Array]:
        r = problem.residuals(at)
        return float(r @ r + np.sum((prior * at) ** 2)), r

    best, r = cost(u)
    for _ in range(40):
        jacobian = problem.jacobian(u, free)
        normal = jacobian.T @ jacobian + np.diag(prior**2 + (free == 0))
        gradient = jacobian.T @ r + prior**2 * u
        for _ in range(12):
            step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
            value, trial = cost(u + step * free)
            if value < best:
                break
            damping *= 6
        else:
            break
        gain, u, r, best, damping = best - value, u + step * free, trial, value, max(damping / 20, 1e-12)
        if gain < 1e-3:
            break
    jacobian = problem.jacobian(u, free)
    covariance = np.linalg.inv(jacobian.T @ jacobian + np.diag(prior**2 + (free == 0)))
    return u, covariance * np.outer(free, free), best


def _reweight(problem: MountModel, u: Array) -> Array:
    """Set weights from the scatter of the residuals in each band, and return the error scales.

    Third differences of neighbouring residuals give the scale, so a model that fails does not enlarge it.
    """
    for k, scan in enumerate(problem.scans):
        problem.weights[k] = np.ones((2, scan.nu_thz.size))
    parts = np.split(
        problem.residuals(u), np.cumsum([s.nu_thz.size for s in problem.scans for _ in range(2)])[:-1]
    )
    scales = []
    for k in range(2):
        for column in (0, 1):
            r = parts[2 * k + column]
            scale = np.ones_like(r)
            for b in range(problem.bands):
                inside = problem.band[k] == b
                if inside.sum() >= 2 * POINTS:
                    scale[inside] = max(scatter_error(r[inside]), 1e-3)
                    scales.append(scale[inside][0])
            local = np.abs(r - np.convolve(np.pad(r, 3, mode="edge"), np.ones(7) / 7, mode="valid")) / scale
            huber = np.where(local > HUBER, np.sqrt(HUBER / np.maximum(local, HUBER)), 1.0)
            problem.weights[k][column] = huber / scale
    return np.array(scales)


def fit_mount(
    normal: ThzScan, cold: ThzScan, setup: FilmSetup, tc_k: float, *, delta_mev: Estimate | None = None,
    priors: MountPriors | None = None, edges_thz: tuple[float, ...] = (), model: Model = "finite_scattering",
    rng: np.random.Generator | None = None,
) -> MountFit:  # fmt: skip
    """Fit a normal and a cold scan of one mount jointly.

    setup      best knowledge of film, substrate and instrument; sigma_n is a first guess
    delta_mev  gap from tunnelling with its error; None: free within 20 % of the BCS value
    edges_thz  frequencies at which the source changes
    rng        random numbers of the interval of Omega; default: a fixed seed
    raises     ValueError if the temperatures do not lie on both sides of Tc
    """
    if normal.t_k < tc_k or cold.t_k >= tc_k:
        raise ValueError(
            f"scans at {normal.t_k:g} and {cold.t_k:g} K, Tc = {tc_k:g} K: need one above, one below"
        )
    bcs = float(gap_mev(cold.t_k, tc_k)) * 1.15
    gap = Estimate(bcs, 0.2 * bcs) if delta_mev is None else delta_mev
    problem = MountModel(
        normal, cold, setup, gap, priors or MountPriors(), np.array(sorted(edges_thz)), model
    )
    start = np.zeros(len(problem.names))
    u, _, _ = _maximise(problem, start, plain=False)
    for _ in range(2):
        scales = _reweight(problem, u)
        u, covariance, with_excess = _maximise(problem, u, plain=False)
    _, _, without = min((_maximise(problem, s, plain=True) for s in (u, start)), key=lambda x: x[2])
    effective = float(np.sum(1 - np.diag(covariance)[problem.base - 1 :]))
    p_value = float(chi2_distribution.sf(max(without - with_excess, 0.0), max(effective, 1.0)))
    return _result(problem, u, covariance, p_value, scales, rng or np.random.default_rng(0))


def _result(
    problem: MountModel, u: Array, covariance: Array, p_value: float, scales: Array, rng: np.random.Generator
) -> MountFit:
    """Return the quantities of a film from the posterior."""
    cold, setup = problem.scans[1], problem.setup_at(u)

    def stacked(at: Array) -> Array:
        sigma = problem.sigma_at(at)
        density = problem.density_mev(at)
        j_s = film_stiffness_mev(density, problem.setup_at(at).sample.film_nm)
        return np.concatenate([sigma.real, sigma.imag, [density, j_s, problem.delta_at(at)]])

    jacobian = numerical_jacobian(stacked, u, np.ones(u.size))
    total = jacobian @ covariance @ jacobian.T
    value, error = stacked(u), np.sqrt(np.maximum(np.diag(total), 0.0))
    n = cold.nu_thz.size
    below = cold.nu_thz <= float(mev_to_thz(2 * problem.delta_at(u)))
    inside = np.ix_(np.flatnonzero(below), np.flatnonzero(below))
    omega = Estimate.missing()
    if p_value < REJECT:
        omega = _minimum(cold.nu_thz[below], value[:n][below], total[inside], rng)
    correlation = covariance / np.outer(*[np.sqrt(np.diag(covariance)).clip(1e-12)] * 2)
    strong = [
        f"{problem.names[i]} and {problem.names[j]} ({correlation[i, j]:+.2f})"
        for i in range(problem.base) for j in range(i) if abs(correlation[i, j]) > 0.9
    ]  # fmt: skip
    return MountFit(
        setup=setup, delta_mev=Estimate(value[-1], error[-1]), nu_thz=cold.nu_thz,
        sigma=value[:n] + 1j * value[n : 2 * n], covariance=total[: 2 * n, : 2 * n],
        omega_sigma2_mev=Estimate(value[-3], error[-3]), stiffness_mev=Estimate(value[-2], error[-2]),
        omega_thz=omega, plain_fits=p_value > REJECT, p_value=p_value, error_scale=scales,
        correlated=tuple(strong), quality=_quality(problem, u, covariance),
    )  # fmt: skip


def _minimum(nu: Array, sigma1: Array, covariance: Array, rng: np.random.Generator) -> Estimate:
    """Return the frequency of the smallest sigma1 with its 68 % interval, from draws with sigma1 >= 0.

    Of DRAWS draws, those without negative sigma1 are used, or the least negative ones if they are few.
    """
    value, axes = np.linalg.eigh(covariance)
    keep = value > 1e-10 * value[-1]
    draws = sigma1 + rng.normal(size=(DRAWS, int(keep.sum()))) @ (axes[:, keep] * np.sqrt(value[keep])).T
    depth = draws.min(axis=1)
    accepted = draws[depth >= min(0.0, float(np.sort(depth)[-FEWEST]))]
    places = nu[np.argmin(accepted, axis=1)]
    best = float(nu[int(np.argmin(accepted.mean(axis=0)))])
    low, high = np.quantile(places, [0.16, 0.84])
    step = float(np.median(np.diff(nu)))
    return Estimate.from_interval(best, min(low, best) - step, max(high, best) + step)


def _quality(problem: MountModel, u: Array, covariance: Array) -> FitQuality:
    """Return the test of the weighted residuals; each parameter counts by what the data say about it.

    The errors are rescaled by an estimate with a tenth of uncertainty, so chi^2/dof may exceed 1 by more than
    its statistical error; MISFIT is the limit.
    """
    sizes = [scan.nu_thz.size for scan in problem.scans for _ in range(2)]
    parts = np.split(problem.residuals(u), np.cumsum(sizes)[:-1])
    effective = round(float(np.sum(1 - np.diag(covariance)[1:]))) + 1
    found = assess_fit(list(parts), np.zeros(0), effective)
    if found.reduced_chi2 < MISFIT and abs(found.correlation_z) < Z_MAX:
        text = f"fits: chi2/dof = {found.reduced_chi2:.2f} with rescaled errors"
        return replace(found, fits=True, text=text)
    return found
