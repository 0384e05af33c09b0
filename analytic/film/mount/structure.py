"""Structure that the spectrometer adds along frequency, found from the data: band edges and a standing wave.

All scans share the steps of gain and phase at band edges, and the ripple of gain of a standing wave. A fit
without them leaves them in the residuals. The improvement of ln(evidence) by a step at every frequency, and
by a wave of every period, follows from the linearised model. The best one is taken, and the search repeated.
"""

from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.film.mount.model import MountModel
from sitqmc.analytic.units import Array

EVIDENCE = 20.0
"""Smallest 2 ln(Bayes factor) of a step or a wave; about 2 ln(350 places) + 8."""

MOST = 12
"""Largest number of edges."""

DISTANCE = 4
"""Fewest points between two edges, and between an edge and the end of the scan."""

REACH = 2.5
"""Range of the period of a standing wave, in widths of its prior."""

FEWEST = 6
"""Fewest points in one period of a standing wave."""


@dataclass(frozen=True)
class Wave:
    """A standing wave: period in THz, and amplitudes of cosine and sine in widths of their prior."""

    period_thz: float
    cosine: float
    sine: float


def find_structure(problem: MountModel, u: Array, *, edges: bool) -> tuple[Array, Wave | None]:
    """Return frequencies of further band edges in THz, increasing, and the standing wave.

    The edges lie between points of the first scan. The wave is None if its period is known or none is found.

    u      the maximum of the posterior of the problem without these edges and without the wave
    edges  whether edges are searched
    """
    nu = problem.scans[0].nu_thz
    places = 0.5 * (nu[1:] + nu[:-1])[DISTANCE - 1 : 1 - DISTANCE] if edges else np.zeros(0)
    periods = np.zeros(0) if problem.wave_known else _periods(problem)
    penalty = np.concatenate([np.zeros(places.size), _penalty(problem, periods)])
    left = np.ones(places.size + periods.size, dtype=bool)
    free = problem.free()
    jacobian, r = problem.jacobian(u, free), problem.residuals(u)
    prior = np.ones(u.size)
    prior[0] = 1e-4
    columns = np.concatenate([_steps(problem, u, places), _waves(problem, u, periods)], axis=2)
    found: list[float] = []
    wave_at = period = None
    while left.any() and len(found) < MOST:
        hessian = jacobian.T @ jacobian + np.diag(prior)
        rest = r - jacobian @ np.linalg.solve(hessian, jacobian.T @ r)
        evidence = np.where(left, _evidence(columns, jacobian, hessian, rest) - penalty, -np.inf)
        best = int(np.argmax(evidence))
        if evidence[best] < EVIDENCE:
            break
        jacobian = np.column_stack([jacobian, columns[0][:, best], columns[1][:, best]])
        prior = np.append(prior, [1.0, 1.0])
        if best < places.size:
            found.append(float(places[best]))
            left[: places.size] &= np.abs(np.arange(places.size) - best) >= DISTANCE
        else:
            period, wave_at = float(periods[best - places.size]), jacobian.shape[1] - 2
            left[places.size :] = False
    if wave_at is None or period is None:
        return np.array(sorted(found)), None
    linear = -np.linalg.solve(jacobian.T @ jacobian + np.diag(prior), jacobian.T @ r)
    return np.array(sorted(found)), Wave(period, float(linear[wave_at]), float(linear[wave_at + 1]))


def _periods(problem: MountModel) -> Array:
    """Return periods of standing waves within the prior, evenly spaced in their inverse."""
    nu, centre = problem.scans[0].nu_thz, problem.setup.instrument.standing_period_thz
    factor = np.exp(REACH * problem.log_widths["standing_period_thz"])
    span, step = float(nu[-1] - nu[0]), float(np.median(np.diff(nu)))
    low, high = max(centre / factor, FEWEST * step), min(centre * factor, span)
    count = 2 + int(4 * span * (1 / low - 1 / high)) if high > low else 0
    return np.asarray(1.0 / np.linspace(1 / high, 1 / low, count)) if count else np.zeros(0)


def _penalty(problem: MountModel, periods: Array) -> Array:
    """Return -2 ln of the prior of the period."""
    if not periods.size:
        return np.zeros(0)
    centre = problem.setup.instrument.standing_period_thz
    return np.asarray((np.log(periods / centre) / problem.log_widths["standing_period_thz"]) ** 2)


def _waves(problem: MountModel, u: Array, periods: Array) -> Array:
    """Return the derivatives of the residuals by both amplitudes of a wave of every period."""
    width = problem.priors.standing
    rows: tuple[list[Array], list[Array]] = ([], [])
    for k, scan in enumerate(problem.scans):
        turn = 2 * np.pi * scan.nu_thz[:, None] / periods
        by_gain = (np.abs(problem.seen(u, k)) / scan.t_error * problem.weights[k][0])[:, None]
        for own, wave in zip(rows, (np.cos(turn), np.sin(turn)), strict=True):
            own.extend([-width * by_gain * wave, np.zeros_like(wave)])
    return np.stack([np.concatenate(own) for own in rows])


def _steps(problem: MountModel, u: Array, places: Array) -> Array:
    """Return the derivatives of the residuals by a step of gain and of phase at every place."""
    width = 2**0.5 * problem.priors.gain
    rows: tuple[list[Array], list[Array]] = ([], [])
    for k, scan in enumerate(problem.scans):
        above = (scan.nu_thz[:, None] > places).astype(float)
        by_gain = np.abs(problem.seen(u, k)) / scan.t_error * problem.weights[k][0]
        by_phase = problem.weights[k][1] / scan.theta_error
        none = np.zeros_like(above)
        rows[0].extend([-width * by_gain[:, None] * above, none])
        rows[1].extend([none, -width * by_phase[:, None] * above])
    return np.stack([np.concatenate(own) for own in rows])


def _evidence(columns: Array, jacobian: Array, hessian: Array, rest: Array) -> Array:
    """Return 2 ln(Bayes factor) of every pair of columns, for residuals `rest` after a fit of the others."""
    overlap = np.stack([np.linalg.solve(hessian, jacobian.T @ c) for c in columns])
    crossed = np.stack([jacobian.T @ c for c in columns])
    slope = np.einsum("arp,r->pa", columns, rest)
    square = np.einsum("arp,brp->pab", columns, columns) - np.einsum("amp,bmp->pab", crossed, overlap)
    square += np.eye(2)
    better = np.einsum("pa,pa->p", slope, np.linalg.solve(square, slope[..., None])[..., 0])
    return np.asarray(better - np.linalg.slogdet(square)[1])
