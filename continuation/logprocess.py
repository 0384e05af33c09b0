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
from scipy.linalg.lapack import dposv
from scipy.special import ndtr

from continuation.kernels import Array

LEVEL = 1.0                            # standard deviation of a constant in u: the total weight is not given
RANK = 48
RANK_CUT = 1e-6                        # of the variance of u, what the rank may leave out
COOLING = 10.0                         # the noise variance is lowered to 1 in factors of this
COOLING_STEPS, COOLING_TOLERANCE = 30, 1.0   # at every higher noise: only a good start is wanted
MAX_STEPS = 100
GAUSS_NEWTON_STEPS = 3                 # far from the minimum they are the better ones
MAX_HALVINGS = 12
MAX_EXPONENT_CHANGE = 2.0
TOLERANCE = 1e-7                       # on the Newton decrement of the target, a change of chi^2
SAMPLE_TOLERANCE = 1e-3                # for a sample, whose own spread is of order 1
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
        # Rounded, so that ties are not decided by the last bit (and the unit of energy with it).
        j = int(np.argmax(np.round(left / left.max(), 6)))
        if left[j] < cut:
            return columns[:k].T
        columns[k] = (column(j) - columns[:k, j] @ columns[:k]) / np.sqrt(left[j])
        left = np.maximum(left - columns[k] ** 2, 0.0)
    return columns.T


def make_prior(name: str, m: Array, root: Array) -> Prior:
    """A prior with root (omega, rank) of `covariance_root`, the overall level free within exp(LEVEL)."""
    return Prior(name, m, np.column_stack([root, np.full(len(root), LEVEL)]))


def minimise(
    K: Array,
    d: Array,
    prior: Prior,
    c: Array,
    centre: Array,
    noise: float = 1.0,
    tolerance: float = TOLERANCE,
    steps: int = MAX_STEPS,
) -> tuple[Array, Array]:
    """(c, x) at the minimum of |d - K x|^2/(2 noise) + |c - centre|^2/2, started from c.

    The first steps are Gauss-Newton, the later ones Newton where the Hessian is positive (at low noise the
    valley is so narrow and bent that Gauss-Newton alone creeps). A step is taken only if it lowers the
    target, so the search cannot fail; it ends when a step promises less than `tolerance`.
    """
    Phi = prior.Phi
    x = prior.m * np.exp(np.clip(Phi @ c, -600.0, 600.0))
    residual = d - K @ x
    target = _target(residual, noise, c - centre)
    for i in range(steps):
        J = (K * x) @ Phi
        gradient = c - centre - J.T @ (residual / noise)
        step = _newton_step(K, J, Phi, x, residual, noise, gradient) if i >= GAUSS_NEWTON_STEPS else None
        if step is None:
            step = _gauss_newton_step(J, noise, gradient)
        decrease = -float(gradient @ step)
        if decrease < tolerance:
            break
        change = Phi @ step
        t = min(1.0, MAX_EXPONENT_CHANGE / max(float(np.abs(change).max()), 1e-300))
        for _ in range(MAX_HALVINGS):
            new_x = x * np.exp(t * change)
            new_residual = d - K @ new_x
            new_target = _target(new_residual, noise, c + t * step - centre)
            if new_target < target - 1e-4 * t * decrease:
                break
            t *= 0.4
        else:
            break
        c, x, residual, target = c + t * step, new_x, new_residual, new_target
    return c, x


def _target(residual: Array, noise: float, deviation: Array) -> float:
    return 0.5 * float(residual @ residual) / noise + 0.5 * float(deviation @ deviation)


def _gauss_newton_step(J: Array, noise: float, gradient: Array) -> Array:
    """-(1 + J^T J/noise)^(-1) gradient, solved in the space of the data, which is smaller."""
    H = J @ J.T
    H[np.diag_indices_from(H)] += noise
    return np.asarray(J.T @ np.linalg.solve(H, J @ gradient) - gradient)


def _newton_step(
    K: Array, J: Array, Phi: Array, x: Array, residual: Array, noise: float, gradient: Array
) -> Array | None:
    """-Hessian^(-1) gradient, or None where the Hessian is not positive."""
    H = (J.T @ J - (Phi.T * (x * (K.T @ residual))) @ Phi) / noise
    H[np.diag_indices_from(H)] += 1.0
    _, solution, failed = dposv(H, gradient)
    return None if failed else -np.asarray(solution)


def find_mode(K: Array, d: Array, prior: Prior) -> Mode:
    """Posterior mode, cooled from a high noise level, and its Laplace evidence."""
    c = np.zeros(prior.Phi.shape[1])
    start = d - K @ prior.m
    noise = float(start @ start) / len(d)
    while noise > COOLING:
        noise /= COOLING
        c, _ = minimise(K, d, prior, c, np.zeros_like(c), noise, COOLING_TOLERANCE, COOLING_STEPS)
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
            noisy = d + rng.normal(size=d.size)
            samples.append(minimise(K, noisy, mode.prior, start, shift, tolerance=SAMPLE_TOLERANCE)[1])
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
