"""One log-Gaussian process for all points of a scan.

    ln x_p = base_p + Phi_p v_p,   cov(v_p, v_q) = C_pq 1

x_p = A_p * weights on the nodes of point p. The covariance of ln A_p and ln A_q is C_pq Phi_p Phi_q^T: C is
the correlation between points, see `priors`.

The steps of the search are Gauss-Newton steps in the space of the data: its size is the number of all
whitened equations, and does not grow with the rank of Phi. Samples of the posterior come from randomised
minimisation, as in `gaussian_process.process`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs

from sitqmc.continuation.kernels.kernels import Array

COOLING = 10.0             # the noise variance is lowered to 1 in factors of this
SMOOTHING = 0.1            # over the points, of a start taken from the mode of another prior
MAX_CHANGE = 2.0           # of ln x in one step
MAX_STEPS, MAX_HALVINGS = 30, 8
TOLERANCE, DRAW_TOLERANCE, COOLING_TOLERANCE = 0.01, 0.1, 3.0      # on the target, half a change of chi^2


@dataclass(frozen=True, eq=False)
class ScanEquations:
    """Whitened equations of all points, stacked.

    kernels  one (m_p, omega) of every point
    data     (M,) whitened data, M = sum of m_p
    label    (M,) point of every equation, ascending
    """

    kernels: Sequence[Array]
    data: Array
    label: NDArray[np.intp]

    def model(self, x: Array) -> Array:
        """Return the data (M,) of spectra x (points, omega)."""
        return np.concatenate([K @ row for K, row in zip(self.kernels, x, strict=True)])

    def jacobian(self, x: Array, Phi: Array) -> Array:
        """Return d model/d v_p, (M, rank), every row for its own point."""
        return np.vstack([(K * row) @ root for K, row, root in zip(self.kernels, x, Phi, strict=True)])


@dataclass(frozen=True, eq=False)
class ScanPrior:
    """Prior of all points: base (points, omega), Phi (points, omega, rank), C (points, points).

    share       part of the variance that every point has for itself; 1: the points are independent
    log_prior   ln of the prior probability, up to a constant
    preference  ln of how much reported spectra prefer this prior, see `posterior.ScanMixture`
    """

    name: str
    share: float
    base: Array
    Phi: Array
    C: Array
    log_prior: float = 0.0
    preference: float = 0.0

    def x(self, v: Array) -> Array:
        """Return the spectra (points, omega) of coefficients v (points, rank)."""
        return np.asarray(np.exp(self.base + self.change(v)))

    def change(self, v: Array) -> Array:
        """Return what the coefficients v (points, rank) add to ln x, (points, omega)."""
        return np.asarray((self.Phi @ v[:, :, None])[:, :, 0])


@dataclass(frozen=True, eq=False)
class ScanMode:
    """Posterior mode under one prior.

    v (points, rank), w = C^-1 v, x (points, omega), chi2 (points,), ln evidence
    jacobian (M, rank), factor: Cholesky factor of J C J^T + 1
    """

    prior: ScanPrior
    v: Array
    w: Array
    x: Array
    chi2: Array
    log_evidence: float
    jacobian: Array
    factor: Array


@dataclass(eq=False)
class _Search:
    """State of a search: target |d - model|^2/(2 noise) + (v - centre) w/2 with w = C^-1 (v - centre)."""

    equations: ScanEquations
    prior: ScanPrior
    data: Array
    centre: Array
    noise: float

    def __post_init__(self) -> None:
        label = self.equations.label
        self.C = self.prior.C[np.ix_(label, label)]
        self.first = np.searchsorted(label, np.arange(len(self.prior.base)))      # equation of every point

    def factor(self, J: Array) -> Array:
        """Return the lower Cholesky factor of J C J^T + noise, (M, M); above the diagonal there is anything.

        LAPACK is called directly: the matrices are small, and the checks of scipy.linalg cost as much.
        """
        G = (J @ J.T) * self.C
        G.flat[:: len(G) + 1] += self.noise
        found, failed = dpotrf(G.T, lower=1, clean=0, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError(f"leading minor {failed} of the covariance is not positive definite")
        return np.asarray(found)

    def start(self, v: Array, w: Array) -> None:
        self.v, self.w, self.x = v, w, self.prior.x(v)
        self.residual = self.data - self.equations.model(self.x)
        chi2 = float(self.residual @ self.residual)
        self.target = 0.5 * chi2 / self.noise + 0.5 * float(np.sum((v - self.centre) * w))

    def step(self) -> float:
        """Make one step, halved until the target falls; return by how much it fell, 0: no step does."""
        prior, label = self.prior, self.equations.label
        J = self.equations.jacobian(self.x, prior.Phi)
        linear = self.residual + np.einsum("ij,ij->i", J, (self.v - self.centre)[label])
        solved = solve(self.factor(J), linear)
        aim = np.add.reduceat(J * solved[:, None], self.first)
        v, w, target, dw = self.v, self.w, self.target, aim - self.w
        dv = prior.C @ dw
        t = min(1.0, MAX_CHANGE / max(float(np.abs(prior.change(dv)).max()), 1e-300))
        for _ in range(MAX_HALVINGS):
            self.start(v + t * dv, w + t * dw)
            if self.target < target:
                return target - self.target
            t *= 0.5
        self.start(v, w)
        return 0.0


def solve(factor: Array, b: Array) -> Array:
    """Return the solution (M, ...) of the symmetric equations with this lower Cholesky factor."""
    found, _ = dpotrs(factor, b, lower=1)
    return np.asarray(found)


def minimise(search: _Search, v: Array, w: Array, tolerance: float) -> tuple[Array, Array, Array]:
    """Return (v, w, x) at the minimum of the target, started from v and w = C^-1 (v - centre)."""
    search.start(v, w)
    for _ in range(MAX_STEPS):
        if search.step() < tolerance:
            break
    return search.v, search.w, search.x


def find_mode(equations: ScanEquations, prior: ScanPrior, near: ScanMode | None = None) -> ScanMode:
    """Return the posterior mode: from the mode of a similar prior, or from a high noise level."""
    points = len(prior.base)
    zero: Array = np.zeros((points, prior.Phi.shape[2]))
    search = _Search(equations, prior, equations.data, zero, 1.0)
    if near is None:
        search.start(zero, zero)
        v, w = search.v, search.w
        noise = float(search.residual @ search.residual) / search.residual.size
        while noise > COOLING:
            noise /= COOLING
            search.noise = noise
            v, w, _ = minimise(search, v, w, COOLING_TOLERANCE)
    else:
        # Smoothed by the new prior: C^-1 v itself may be enormous.
        w = np.asarray(np.linalg.solve(prior.C + SMOOTHING * np.eye(points), near.v))
        v = prior.C @ w
    search.noise = 1.0
    v, w, x = minimise(search, v, w, TOLERANCE)
    J = equations.jacobian(x, prior.Phi)
    factor = search.factor(J)
    chi2 = np.asarray(np.bincount(equations.label, search.residual**2, minlength=points), dtype=float)
    evidence = prior.log_prior - 0.5 * float(chi2.sum() + np.sum(v * w))
    evidence -= float(np.log(np.diag(factor)).sum())
    return ScanMode(prior, v, w, x, chi2, evidence, J, factor)


def draw(equations: ScanEquations, mode: ScanMode, rng: np.random.Generator) -> Array:
    """Return one posterior sample x (points, omega): data and prior mean are shifted by random noise."""
    root = np.linalg.cholesky(mode.prior.C)
    shift = rng.normal(size=mode.v.shape)
    noisy = equations.data + rng.normal(size=equations.data.size)
    search = _Search(equations, mode.prior, noisy, root @ shift, 1.0)
    return minimise(search, mode.v, mode.w - np.linalg.solve(root.T, shift), DRAW_TOLERANCE)[2]


def point_response(equations: ScanEquations, mode: ScanMode, p: int) -> tuple[Array, Array]:
    """Return the standard deviation of ln x_p (omega,) and d ln x_p/d(whitened data of p), (omega, m_p)."""
    prior, Phi = mode.prior, mode.prior.Phi[p]
    A = mode.jacobian * prior.C[p, equations.label][:, None]
    solved = solve(mode.factor, A)
    S = prior.C[p, p] * np.eye(A.shape[1]) - A.T @ solved
    variance = np.einsum("ij,ij->i", Phi @ S, Phi)
    return np.sqrt(np.maximum(variance, 0.0)), Phi @ solved[equations.label == p].T
