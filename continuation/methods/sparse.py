"""Method "sparse": few singular components of the kernel, with positivity.

This is continuation in the intermediate representation. K = U S V^T, weighted by the covariance: the
components are combinations of A, in the order of the accuracy with which the data measure them. With the
leading L components,

    minimise |d - U S x'|^2   with   A = V x' >= 0,   x' = 0 beyond L,

is a quadratic programme, solved exactly as a least-distance problem by non-negative least squares (Lawson
and Hanson, Solving Least Squares Problems, ch. 23). L is averaged over with weights exp(-(chi^2 + 2 L)/2).
There is no default model and no smoothness: the result has the resolution of the data and rings at sharp
edges.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.method import Method
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.methods.refits import bootstrap_solution
from sitqmc.continuation.spectrum.solution import Solution

MIN_COMPONENTS = 2
RANK_CUT = 1e-9
SEEN = 1e-12           # of the largest row of V; smaller ones, as below an imposed gap, are rounding noise
NEGLIGIBLE = 1e-2


def solve(problem: Problem) -> Solution:
    """Fit the leading singular components with positivity; the band is a bootstrap."""
    K, factor, grid = problem.kernel * problem.factor, problem.factor, problem.grid

    def estimator(d: Array) -> Array:
        return factor * sparse_spectrum(K, d, grid)[0]

    return bootstrap_solution(problem, estimator, "sparse singular components")


def sparse_spectrum(K: Array, d: Array, grid: FrequencyGrid) -> tuple[Array, Array, Array]:
    """Return (x (omega,), chi^2 (L,), weights (L,)), x averaged over L; K (m, omega), d (m,)."""
    root = np.sqrt(grid.weights)
    U, S, Vt = np.linalg.svd(K * root, full_matrices=False)
    kept = int(np.count_nonzero(RANK_CUT * S[0] < S))
    fits, chi2 = [], []
    rest = float(d @ d) - float(np.sum((U.T @ d) ** 2))
    for L in range(min(MIN_COMPONENTS, kept), kept + 1):
        target = U[:, :L].T @ d
        coefficients = positive_fit(S[:L], Vt[:L].T, target)
        beyond = float(np.sum((U[:, L:].T @ d) ** 2))
        chi2.append(float(np.sum((target - S[:L] * coefficients) ** 2)) + beyond + max(rest, 0.0))
        fits.append(np.maximum(Vt[:L].T @ coefficients, 0.0) * root)
        # Further components cannot lower chi^2 enough to pay for themselves.
        if chi2[-1] + 2.0 * L > min(c + 2.0 * (k + MIN_COMPONENTS) for k, c in enumerate(chi2)) + 10.0:
            break
    criterion = np.array(chi2) + 2.0 * (np.arange(len(chi2)) + MIN_COMPONENTS)
    weights = np.exp(-0.5 * (criterion - criterion.min()))
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    return weights @ np.array(fits), np.array(chi2), weights


def positive_fit(S: Array, V: Array, target: Array) -> Array:
    """Return x' (L,) with the least |S x' - target| under V x' >= 0, V (omega, L).

    w = S x' - target has least length under G w >= h, G = V/S, h = -G target; its dual is |E u - f| with
    E = (G, h)^T, f = (0, ..., 0, 1), u >= 0.
    """
    from scipy.optimize import nnls

    length = np.linalg.norm(V, axis=1)
    G = V[length > SEEN * length.max()] / S
    h = -(G @ target)
    scale = np.abs(G).max(axis=1)
    size = max(float(np.linalg.norm(target)), 1e-300)
    E = np.vstack([(G / scale[:, None]).T, h / scale / size])
    f = np.append(np.zeros(len(S)), 1.0)
    u = nnls(E, f, maxiter=50 * E.shape[1])[0]
    r = E @ u - f
    if -r[-1] <= 1e-14:                 # only x' = 0 is left
        return np.zeros(len(S))
    w = -r[:-1] / r[-1] * size
    return np.asarray((w + target) / S)


SPARSE = Method("sparse", "leading singular components with positivity, without a prior", solve)
