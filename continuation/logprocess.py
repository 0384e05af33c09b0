"""A smooth positive prior: the logarithm of the spectrum is a Gaussian process.

    A(omega) = m(omega) exp(u),   u = Phi c,   c ~ N(0, 1),

Phi Phi^T the covariance of u on the coordinate t = asinh(omega/omega_0), which is linear below omega_0
(what the data cannot resolve) and logarithmic above (where their resolution is d(omega)/omega). u is even
in omega. Compared with the entropy, which knows nothing of neighbouring frequencies, this prior asks for
smoothness, so the posterior has a finite width at every single frequency and needs no averaging window.

Base shape m, correlation length and amplitude of u are averaged over by evidence (Laplace's method).
Samples of the posterior come from randomised minimisation: data and prior mean are shifted by one draw of
their noise and the minimum is found again (exact for a linear problem; Bardsley et al., SIAM J. Sci.
Comput. 36, A1895 (2014)). Every sample is positive and fits the data within the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from continuation.kernels import Array

LENGTHS = (0.2, 0.4, 0.7, 1.2)         # of u, in t
AMPLITUDES = (0.7, 1.4, 2.8)           # standard deviation of u
LEVEL = 1.0                            # standard deviation of a constant in u: the total weight is not given
RANK = 48
RANK_CUT = 1e-6                        # of the variance of u, what the rank may leave out
COOLING = (1e4, 1e3, 1e2, 10.0)        # noise variances run through before 1, from a smooth to the full fit
MAX_STEPS = 60
MAX_EXPONENT_CHANGE = 2.0
TOLERANCE = 1e-6                       # on the Newton decrement of Q
NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Prior:
    """One member of the library: name, m (omega,) in x = A * weights, Phi (omega, rank)."""

    name: str
    m: Array
    Phi: Array


@dataclass(frozen=True)
class Mode:
    """Posterior mode under one prior.

    c (rank,), x (omega,), chi2, ln evidence, root (rank, rank) with root root^T the covariance of c
    """

    prior: Prior
    c: Array
    x: Array
    chi2: float
    log_evidence: float
    root: Array

    @property
    def log_error(self) -> Array:
        """Standard deviation of u, (omega,)."""
        return np.asarray(np.sqrt(np.sum((self.prior.Phi @ self.root) ** 2, axis=1)))


def covariance_root(t: Array, length: float, amplitude: float) -> Array:
    """Phi (omega, rank) of an even Matern-5/2 process, by pivoted Cholesky; diagonal to RANK_CUT."""

    def matern(r: Array) -> Array:
        s = np.sqrt(5.0) * r / length
        return np.asarray((1.0 + s + s * s / 3.0) * np.exp(-s))

    def column(j: int) -> Array:
        return amplitude**2 * (matern(np.abs(t - t[j])) + matern(t + t[j]))

    left = amplitude**2 * (1.0 + matern(2.0 * t))
    cut, columns = RANK_CUT * left.max(), np.zeros((RANK, t.size))
    for k in range(RANK):
        j = int(np.argmax(left))
        if left[j] < cut:
            return columns[:k].T
        columns[k] = (column(j) - columns[:k, j] @ columns[:k]) / np.sqrt(left[j])
        left = np.maximum(left - columns[k] ** 2, 0.0)
    return columns.T


def make_prior(name: str, m: Array, root: Array) -> Prior:
    """A prior with root (omega, rank) of `covariance_root`, the overall level free within exp(LEVEL)."""
    return Prior(name, m, np.column_stack([root, np.full(len(root), LEVEL)]))


def minimise(
    K: Array, d: Array, prior: Prior, c: Array, centre: Array, noise: float = 1.0
) -> tuple[Array, Array]:
    """(c, x) at the minimum of |d - K x|^2/(2 noise) + |c - centre|^2/2, Levenberg-Marquardt from c.

    The problem is not convex in c; a step is taken only if it lowers the target, so it cannot fail.
    """
    Phi, m = prior.Phi, prior.m
    x = m * np.exp(np.clip(Phi @ c, -600.0, 600.0))
    residual = d - K @ x
    target = 0.5 * float(residual @ residual) / noise + 0.5 * float((c - centre) @ (c - centre))
    damping = 0.0
    for _ in range(MAX_STEPS):
        J = (K * x) @ Phi
        gradient = c - centre - J.T @ residual / noise
        H = J.T @ J / noise
        H[np.diag_indices_from(H)] += 1.0 + damping
        step = -np.linalg.solve(H, gradient)
        if -float(gradient @ step) < TOLERANCE:
            break
        change = Phi @ step
        step *= min(1.0, MAX_EXPONENT_CHANGE / max(float(np.abs(change).max()), 1e-300))
        trial = c + step
        new_x = m * np.exp(np.clip(Phi @ trial, -600.0, 600.0))
        new_residual = d - K @ new_x
        new_target = 0.5 * float(new_residual @ new_residual) / noise
        new_target += 0.5 * float((trial - centre) @ (trial - centre))
        if new_target < target:
            c, x, residual, target = trial, new_x, new_residual, new_target
            damping = 0.3 * damping if damping > 1e-3 else 0.0
        else:
            damping = max(4.0 * damping, 1.0)
            if damping > 1e12:
                break
    return c, x


def find_mode(K: Array, d: Array, prior: Prior) -> Mode:
    """Posterior mode, cooled from a high noise level, and its Laplace evidence."""
    c = np.zeros(prior.Phi.shape[1])
    start = d - K @ prior.m
    for noise in COOLING:
        if noise < float(start @ start) / len(d):
            c, _ = minimise(K, d, prior, c, np.zeros_like(c), noise)
    c, x = minimise(K, d, prior, c, np.zeros_like(c))
    residual = d - K @ x
    values, vectors = _curvature(K, prior, x, residual)
    chi2 = float(residual @ residual)
    evidence = -0.5 * chi2 - 0.5 * float(c @ c) - 0.5 * float(np.sum(np.log(values)))
    return Mode(prior, c, x, chi2, evidence, vectors / np.sqrt(values))


def _curvature(K: Array, prior: Prior, x: Array, residual: Array) -> tuple[Array, Array]:
    """Eigenvalues and vectors of the Hessian in c; of its Gauss-Newton part if that alone is positive."""
    Phi = prior.Phi
    J = (K * x) @ Phi
    gauss_newton = J.T @ J + np.eye(Phi.shape[1])
    values, vectors = np.linalg.eigh(gauss_newton - Phi.T @ ((x * (K.T @ residual))[:, None] * Phi))
    if values[0] < 0.05:
        values, vectors = np.linalg.eigh(gauss_newton)
    return values, vectors


@dataclass(frozen=True)
class Mixture:
    """Modes with probabilities (n_modes,), sum 1."""

    modes: tuple[Mode, ...]
    weights: Array

    def mean(self) -> Array:
        """Weighted mean of the modes' x, (omega,)."""
        return np.asarray(self.weights @ np.array([mode.x for mode in self.modes]))

    def quantile(self, q: float) -> Array:
        """Pointwise quantile (omega,) of x, each mode being log-normal with its `log_error`."""
        centre = np.log(np.maximum([mode.x for mode in self.modes], 1e-300))
        spread = np.maximum([mode.log_error for mode in self.modes], 1e-9)
        low, high = (centre - 9.0 * spread).min(axis=0), (centre + 9.0 * spread).max(axis=0)
        for _ in range(48):
            middle = 0.5 * (low + high)
            below = self.weights @ ndtr((middle - centre) / spread) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(np.exp(0.5 * (low + high)))

    def response(self, K: Array) -> Array:
        """d(mean x)/d(data), (omega, m), at fixed probabilities."""
        total = np.zeros(K.shape[::-1])
        for w, mode in zip(self.weights, self.modes, strict=True):
            XP = mode.x[:, None] * mode.prior.Phi
            J = K @ XP
            total += w * XP @ np.linalg.solve(J.T @ J + np.eye(J.shape[1]), J.T)
        return total

    def effective(self, K: Array) -> float:
        """Number of combinations of the data that determine the spectrum, averaged over the modes."""
        total = 0.0
        for w, mode in zip(self.weights, self.modes, strict=True):
            J = (K * mode.x) @ mode.prior.Phi
            G = J @ J.T
            total += float(w) * float(np.trace(np.linalg.solve(G + np.eye(len(G)), G)))
        return total

    def draws(self, K: Array, d: Array, count: int, seed: int) -> Array:
        """Posterior samples (count, omega) of x by randomised minimisation."""
        rng = np.random.default_rng(seed)
        # Systematic resampling: each mode gets its share of the samples to within one.
        marks = (np.arange(count) + 0.5) / count
        picks = np.minimum(np.searchsorted(np.cumsum(self.weights), marks), len(self.modes) - 1)
        samples = []
        for i in picks:
            mode = self.modes[int(i)]
            shift = rng.normal(size=mode.c.size)
            start = mode.c + mode.root @ rng.normal(size=mode.c.size)
            samples.append(minimise(K, d + rng.normal(size=d.size), mode.prior, start, shift)[1])
        return np.array(samples)


def average(K: Array, d: Array, priors: list[Prior]) -> Mixture:
    """Modes of all priors, weighted by evidence; the negligible ones are left out."""
    modes = [find_mode(K, d, prior) for prior in priors]
    logs = np.array([mode.log_evidence for mode in modes])
    weights = np.exp(logs - logs.max())
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    kept = np.flatnonzero(weights)
    return Mixture(tuple(modes[int(i)] for i in kept), weights[kept])
