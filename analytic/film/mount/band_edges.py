"""Edges of the source bands, found from the data: steps of gain and phase that all scans share.

A fit without the step leaves it in the residuals. The improvement of ln(evidence) by a step at every
frequency follows from the linearised model. The best step is taken, and the search repeated.
"""

import numpy as np

from sitqmc.analytic.film.mount.model import MountModel
from sitqmc.analytic.units import Array

EVIDENCE = 20.0
"""Smallest 2 ln(Bayes factor) of a step; about 2 ln(350 places) + 8."""

MOST = 12
"""Largest number of edges."""

DISTANCE = 4
"""Fewest points between two edges, and between an edge and the end of the scan."""


def find_band_edges(problem: MountModel, u: Array) -> Array:
    """Return frequencies of further edges in THz, increasing; between points of the first scan.

    u  the maximum of the posterior of the problem without these edges
    """
    nu = problem.scans[0].nu_thz
    places = 0.5 * (nu[1:] + nu[:-1])[DISTANCE - 1 : 1 - DISTANCE]
    left = np.ones(places.size, dtype=bool)
    jacobian, r = problem.jacobian(u, problem.free()), problem.residuals(u)
    prior = np.ones(u.size)
    prior[0] = 1e-4
    columns = _steps(problem, u, places)  # (2, rows, places): gain, phase
    found: list[float] = []
    while left.any() and len(found) < MOST:
        hessian = jacobian.T @ jacobian + np.diag(prior)
        rest = r - jacobian @ np.linalg.solve(hessian, jacobian.T @ r)
        evidence = np.where(left, _evidence(columns, jacobian, hessian, rest), -np.inf)
        best = int(np.argmax(evidence))
        if evidence[best] < EVIDENCE:
            break
        found.append(float(places[best]))
        jacobian = np.column_stack([jacobian, columns[0][:, best], columns[1][:, best]])
        prior = np.append(prior, [1.0, 1.0])
        left &= np.abs(np.arange(places.size) - best) >= DISTANCE
    return np.array(sorted(found))


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
    return np.stack([np.concatenate(rows[0]), np.concatenate(rows[1])])


def _evidence(columns: Array, jacobian: Array, hessian: Array, rest: Array) -> Array:
    """Return 2 ln(Bayes factor) of every step, for residuals `rest` after a fit of the other parameters."""
    overlap = np.stack([np.linalg.solve(hessian, jacobian.T @ c) for c in columns])
    crossed = np.stack([jacobian.T @ c for c in columns])
    slope = np.einsum("arp,r->pa", columns, rest)
    square = np.einsum("arp,brp->pab", columns, columns) - np.einsum("amp,bmp->pab", crossed, overlap)
    square += np.eye(2)
    better = np.einsum("pa,pa->p", slope, np.linalg.solve(square, slope[..., None])[..., 0])
    return np.asarray(better - np.linalg.slogdet(square)[1])
