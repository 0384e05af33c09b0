"""Joint fit of all scans of one mount, with the film, the substrate and the instrument.

The maximum of the posterior of the model is found by Levenberg-Marquardt. Errors of each band are rescaled
by the scatter of neighbouring residuals. Outliers lose weight. Edges of the source bands are found from the
data if they are not given. The plain superconductor is tested against the model with an excess conductivity.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc

from sitqmc.analytic.film.mount.model import MountModel, MountPriors
from sitqmc.analytic.film.mount.nuisances import Nuisance, inseparable, nuisances
from sitqmc.analytic.film.mount.state import FilmState, film_state
from sitqmc.analytic.film.mount.structure import find_structure
from sitqmc.analytic.film.transmission_fit import FilmSetup, Model
from sitqmc.analytic.measurements.scans import ThzScan
from sitqmc.analytic.numerics.goodness_of_fit import Z_MAX, FitQuality, assess_fit
from sitqmc.analytic.numerics.scatter import POINTS, scatter_error
from sitqmc.analytic.superconductor.gap import gap_mev
from sitqmc.analytic.units import Array
from sitqmc.estimate import Estimate
from sitqmc.progress import followed
from sitqmc.result import Result

HUBER = 2.5
"""Residual in standard errors beyond which a datum loses weight."""

MISFIT = 1.5
"""Largest chi^2/dof with rescaled errors."""

GAP_STARTS = (-1.0, -0.5, 0.0, 0.5)
"""Starts of the gap, in prior widths, if no tunnelling curve fixes it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MountFit(Result):
    """Result of the joint fit.

    quality      test of the residuals
    states       quantities of the film, one per cold scan in the given order; empty if the fit is rejected
    setup        film, substrate and instrument at the maximum of the posterior
    variations   setups one standard deviation off along each principal axis, at fixed gains of the bands
    corrected    the scans in the given order, without gain and phase of the bands, with rescaled errors
    edges_thz    edges of the source bands, given or found
    error_scale  factor on the given errors, one per band and column
    nuisances    prior and result of everything uncertain about film, substrate and spectrometer; empty if
                 the fit is rejected
    names        of the parameters of film, substrate, instrument and bands
    correlation  their correlation matrix
    inseparable  sentences on parameters that the scans cannot tell apart, with their correlation
    """

    quality: FitQuality
    states: tuple[FilmState, ...]
    setup: FilmSetup
    variations: tuple[FilmSetup, ...]
    corrected: tuple[ThzScan, ...]
    edges_thz: tuple[float, ...]
    error_scale: Array
    nuisances: tuple[Nuisance, ...]
    names: tuple[str, ...]
    correlation: Array
    inseparable: tuple[str, ...]


def fit_mount(
    scans: Sequence[ThzScan], setup: FilmSetup, tc_k: float, *, delta_mev: Estimate | None = None,
    priors: MountPriors | None = None, edges_thz: Sequence[float] | None = None,
    model: Model = "finite_scattering", rng: np.random.Generator | None = None,
) -> MountFit:  # fmt: skip
    """Fit all scans of one mount jointly.

    scans      at least one above and one below tc_k, in any order
    setup      best knowledge of film, substrate and instrument; sigma_n is a first guess
    priors     what is uncertain about them; default: the widths of MountPriors
    delta_mev  gap at the lowest temperature from tunnelling with its error; None: BCS value within 20 %
    edges_thz  frequencies at which the source changes; None: found from the data; (): one source
    rng        random numbers of the intervals of Omega and of the peak; default: a fixed seed
    raises     ValueError if the temperatures do not lie on both sides of Tc
    """
    warm = [scan for scan in scans if scan.t_k >= tc_k]
    if not warm or len(warm) == len(scans):
        temperatures = ", ".join(f"{scan.t_k:g}" for scan in scans)
        raise ValueError(f"scans at {temperatures} K, Tc = {tc_k:g} K: need one above, one below")
    bcs = float(gap_mev(min(scan.t_k for scan in scans), tc_k)) * 1.15
    gap = Estimate(bcs, 0.2 * bcs) if delta_mev is None else delta_mev
    problem = MountModel(
        scans, setup, tc_k, gap, priors or MountPriors(), np.array(sorted(edges_thz or ())), model
    )
    problem, u, scales = _with_structure(problem, _first_fit(problem), edges=edges_thz is None)
    u, covariance, best = _maximise(problem, u)
    scales = _reweight(problem, u)
    u, covariance, best = _maximise(problem, u)
    return _result(problem, u, covariance, best, scales, rng or np.random.default_rng(0))


def _with_structure(problem: MountModel, u: Array, *, edges: bool) -> tuple[MountModel, Array, Array]:
    """Return the problem with band edges and standing wave of the data, its maximum and error scales."""
    scales = _reweight(problem, u)
    for _ in range(2):
        if not edges and problem.wave_known:
            break
        more, wave = find_structure(problem, u, edges=edges)
        if not more.size and problem.wave_known:
            break
        problem, u = problem.with_edges(more, u)
        problem.wave_known = True
        if wave is not None:
            u = problem.with_wave(u, wave.period_thz, wave.cosine, wave.sine)
        u = _maximise(problem, u)[0]
        scales = _reweight(problem, u)
    return problem, u, scales


def _first_fit(problem: MountModel) -> Array:
    """Return the best of the maxima found from the setup itself and from the plain superconductor.

    An excess can imitate another gap, so the fit from the setup alone may end in a side maximum.
    """
    starts = [np.zeros(len(problem.names))]
    wide = problem.gap.error > 0.1 * problem.gap.value
    for gap in GAP_STARTS if wide else (0.0,):
        at = np.zeros(len(problem.names))
        at[1] = gap
        starts.append(_maximise(problem, at, problem.cold)[0])
    plain = min(starts[1:], key=lambda u: float(np.sum(problem.residuals(u) ** 2) + u[1:] @ u[1:]))
    return min((_maximise(problem, u) for u in (starts[0], plain)), key=lambda found: found[2])[0]


def _maximise(problem: MountModel, start: Array, plain: Sequence[int] = ()) -> tuple[Array, Array, float]:
    """Return the maximum of the posterior, its covariance, and chi^2 with priors; Levenberg-Marquardt.

    plain  cold scans without excess
    """
    free = problem.free(plain)
    prior = free.copy()
    prior[0] = 1e-2 * free[0]  # sigma_n is free within a factor
    u, damping = start * free, 1e-3

    def cost(at: Array) -> tuple[float, Array]:
        r = problem.residuals(at)
        return float(r @ r + np.sum((prior * at) ** 2)), r

    best, r = cost(u)
    small = 0  # successive iterations without progress
    for _ in followed(range(60), 60, "joint fit"):
        jacobian = problem.jacobian(u, free)
        normal = jacobian.T @ jacobian + np.diag(prior**2 + (free == 0))
        gradient = free * (jacobian.T @ r) + prior**2 * u
        for _ in range(12):
            step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
            value, trial = cost(u + step * free)
            if value < best:
                break
            damping *= 6
        else:
            break
        gain, u, r, best, damping = best - value, u + step * free, trial, value, max(damping / 20, 1e-12)
        small = small + 1 if gain < 1e-3 else 0
        if small == 3:
            break
    jacobian = problem.jacobian(u, free)
    covariance = np.linalg.inv(jacobian.T @ jacobian + np.diag(prior**2 + (free == 0)))
    return u, covariance * np.outer(free, free), best


def _columns(problem: MountModel, u: Array) -> list[Array]:
    """Return the weighted residuals as one array per scan and column (|t|, theta)."""
    sizes = [scan.nu_thz.size for scan in problem.scans for _ in range(2)]
    return np.split(problem.residuals(u), np.cumsum(sizes)[:-1])


def _reweight(problem: MountModel, u: Array) -> Array:
    """Set weights from the scatter of the residuals in each band, and return the error scales.

    Third differences of neighbouring residuals give the scale, so a model that fails does not enlarge it.
    """
    for k, scan in enumerate(problem.scans):
        problem.weights[k] = np.ones((2, scan.nu_thz.size))
    parts = _columns(problem, u)
    scales = []
    for k in range(len(problem.scans)):
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


def _result(
    problem: MountModel, u: Array, covariance: Array, best: float, scales: Array,
    rng: np.random.Generator,
) -> MountFit:  # fmt: skip
    """Return the quantities of the film; none if the fit is rejected."""
    quality = _quality(problem, u, covariance)
    states = []
    for k in problem.cold if quality.fits else ():
        blank = np.zeros_like(u)
        blank[problem.wave_at()] = u[problem.wave_at()]
        starts = (u, blank) if len(problem.scans) == 2 else (u,)
        without = min(_maximise(problem, start, (k,))[2] for start in starts)
        effective = float(np.sum(1 - np.diag(covariance)[problem.excess_at[k]]))
        p_value = float(chdtrc(max(effective, 1.0), max(without - best, 0.0)))
        states.append(film_state(problem, u, covariance, k, p_value, rng))
    corrected = []
    for k, scan in enumerate(problem.scans):
        factor, (by_t, by_theta) = problem.band_factor(u, k), problem.weights[k]
        t, t_error = scan.t / np.abs(factor), scan.t_error / np.abs(factor) / by_t
        theta, theta_error = scan.theta - np.angle(factor), scan.theta_error / by_theta
        corrected.append(replace(scan, t=t, t_error=t_error, theta=theta, theta_error=theta_error))
    deviation = np.sqrt(np.diag(covariance)).clip(1e-12)[: problem.base]
    correlation = covariance[: problem.base, : problem.base] / np.outer(deviation, deviation)
    known = nuisances(problem, u, covariance) if quality.fits else ()
    return MountFit(
        quality=quality, states=tuple(states), setup=problem.setup_at(u),
        variations=_variations(problem, u, covariance), corrected=tuple(corrected),
        edges_thz=tuple(problem.edges.tolist()), error_scale=scales, nuisances=known,
        names=tuple(problem.names[: problem.base]), correlation=correlation,
        inseparable=inseparable(problem, covariance, known) if known else (),
    )  # fmt: skip


def _variations(problem: MountModel, u: Array, covariance: Array) -> tuple[FilmSetup, ...]:
    """Return setups one standard deviation off along the principal axes, at fixed gains of the bands."""
    chosen = np.arange(2, problem.smooth - len(problem.gap_at))
    bands = np.arange(problem.smooth, problem.base)
    cross, of_bands = covariance[np.ix_(chosen, bands)], covariance[np.ix_(bands, bands)]
    conditional = covariance[np.ix_(chosen, chosen)] - cross @ np.linalg.solve(of_bands, cross.T)
    width, axes = np.linalg.eigh(conditional)
    setups = []
    for k, w in enumerate(width):
        at = u.copy()
        at[chosen] += np.sqrt(max(w, 0.0)) * axes[:, k]
        setups.append(problem.setup_at(at))
    return tuple(setups)


def _quality(problem: MountModel, u: Array, covariance: Array) -> FitQuality:
    """Return the test of the weighted residuals; each parameter counts by what the data say about it.

    The errors are rescaled by an estimate with a tenth of uncertainty, so chi^2/dof may exceed 1 by more than
    its statistical error; MISFIT is the limit. A wrong model leaves neighbouring residuals of equal sign. The
    smooth excess makes their correlation negative, which is no misfit.
    """
    effective = round(float(np.sum(1 - np.diag(covariance)[1:]))) + 1
    found = assess_fit(_columns(problem, u), np.zeros(0), effective)
    if found.reduced_chi2 < MISFIT and found.correlation_z < Z_MAX:
        text = f"fits: chi2/dof = {found.reduced_chi2:.2f} with rescaled errors"
        return replace(found, fits=True, text=text)
    return found
