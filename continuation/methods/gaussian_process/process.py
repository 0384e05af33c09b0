"""A smooth positive prior: the logarithm of the spectrum is a Gaussian process.

    A(omega) = m(omega) exp(u),   u = Phi c,   c ~ N(0, 1),

Phi Phi^T is the covariance of u on the coordinate t = asinh(omega/omega_0), which is linear below omega_0,
where the data resolve nothing, and logarithmic above, where their resolution is proportional to omega. u is
even in omega. The entropy does not relate neighbouring frequencies; this prior asks for smoothness, so that
the posterior has a finite width at every single frequency and needs no averaging window.

SpectralShape shape m, correlation length and amplitude of u are averaged over by evidence (Laplace's method).
Samples of the posterior come from randomised minimisation: data and prior mean are shifted by random noise
and the minimum is found again (exact for a linear problem; Bardsley et al., SIAM J. Sci. Comput. 36, A1895
(2014)). Every sample is positive and fits the data within the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process import newton
from sitqmc.continuation.methods.gaussian_process.prior import Prior
from sitqmc.continuation.methods.parallel import mapped

COOLING = 10.0                         # the noise variance is lowered to 1 in factors of this
COOLING_STEPS, COOLING_TOLERANCE = 30, 1.0   # at every higher noise: the minimum is a start value
MAX_STEPS = 200
TOLERANCE = 1e-7                       # on the Newton decrement of the target, a change of chi^2
ROUGH_TOLERANCE, ROUGH_MARGIN = 0.02, 9.0
SAMPLE_TOLERANCE = 1e-2                # for a sample: samples differ by order 1
NEGLIGIBLE = 1e-3
RIGID_SHARE = 0.5
BISECTIONS = 30                        # of 18 standard deviations of ln x: exact to 1e-8


@dataclass(frozen=True)
class Mode:
    """Posterior mode under one prior: c (size,), x (omega,), chi^2, ln evidence.

    tangent  (omega, size) d ln x/dc
    root     (size, size), root root^T is the covariance of c
    """

    prior: Prior
    c: Array
    x: Array
    chi2: float
    log_evidence: float
    tangent: Array
    root: Array

    @property
    def log_error(self) -> Array:
        """Standard deviation of u, (omega,)."""
        return np.asarray(np.sqrt(np.sum((self.tangent @ self.root) ** 2, axis=1)))


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
    """Return (c, x) at the minimum of |d - K x|^2/(2 noise) + |c - centre|^2/2, started from c.

    See `newton.newton_minimise`.
    """
    found: tuple[Array, Array] = newton.newton_minimise(
        K, d, *prior.arguments, c, centre, noise, tolerance, steps
    )
    return found


def find_mode(K: Array, d: Array, prior: Prior, tolerance: float = TOLERANCE) -> Mode:
    """Return the posterior mode and its Laplace evidence, starting at a high noise level."""
    c = np.zeros(prior.size)
    start = d - K @ np.exp(prior.log_x(c))
    noise = float(start @ start) / len(d)
    while noise > COOLING:
        noise /= COOLING
        c, _ = minimise(K, d, prior, c, np.zeros_like(c), noise, COOLING_TOLERANCE, COOLING_STEPS)
    return mode_from(K, d, prior, c, tolerance)


def mode_from(K: Array, d: Array, prior: Prior, c: Array, tolerance: float = TOLERANCE) -> Mode:
    """Return the mode reached from c, and its Laplace evidence."""
    c, x = minimise(K, d, prior, c, np.zeros_like(c), tolerance=tolerance)
    residual = d - K @ x
    tangent, remainder = prior.derivatives(K, c, x, residual)
    values, vectors = _curvature((K * x) @ tangent, remainder)
    chi2 = float(residual @ residual)
    evidence = prior.log_prior - 0.5 * chi2 - 0.5 * float(c @ c) - 0.5 * float(np.sum(np.log(values)))
    return Mode(prior, c, x, chi2, evidence, tangent, vectors / np.sqrt(values))


def _curvature(J: Array, remainder: Array) -> tuple[Array, Array]:
    """Return eigenvalues and vectors of the Hessian in c, or of its positive Gauss-Newton part."""
    gauss_newton = J.T @ J + np.eye(J.shape[1])
    values, vectors = np.linalg.eigh(gauss_newton - remainder)
    if values[0] < 0.05:
        values, vectors = np.linalg.eigh(gauss_newton)
        # At least 1; rounding gives less where no spectrum fits the data.
        values = np.maximum(values, 1.0)
    return values, vectors


def lognormal_quantile(weights: Array, centre: Array, spread: Array, q: float | Array) -> Array:
    """Return the pointwise quantile (omega,) of a mixture of log-normals.

    weights (modes,); centre and spread (modes, omega): mean and standard deviation of the logarithm; q scalar
    or (omega,)
    """
    spread = np.maximum(spread, 1e-9)
    low, high = (centre - 9.0 * spread).min(axis=0), (centre + 9.0 * spread).max(axis=0)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        below = weights @ ndtr((middle - centre) / spread) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(np.exp(0.5 * (low + high)))


def central_mean(weights: Array, centre: Array, spread: Array, quantiles: tuple[float, ...]) -> Array:
    """Return the mean of central quantiles: as good as the median, without its kinks between the modes."""
    return np.asarray(np.mean([lognormal_quantile(weights, centre, spread, q) for q in quantiles], axis=0))


def systematic_picks(weights: Array, count: int) -> Array:
    """Return indices (count,) of modes for samples: each mode gets its share to within one."""
    marks = (np.arange(count) + 0.5) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), marks), len(weights) - 1)


@dataclass(frozen=True)
class Mixture:
    """Modes with probabilities (n_modes,), sum 1.

    error_weights  probabilities in the mixture from which errors follow, see `cautious`; None: the same
    """

    modes: tuple[Mode, ...]
    weights: Array
    error_weights: Array | None = None

    def cautious(self) -> Mixture:
        """Return the mixture from which errors follow.

        Under a rigid prior the data fix the spectrum far from where they measure it, as if its shape were
        known: the mean is better for it, the errors are too small. Rigid priors therefore have only the share
        RIGID_SHARE of their probability in the errors; the rest goes to the free processes.
        """
        return self if self.error_weights is None else Mixture(self.modes, self.error_weights)

    def mean(self) -> Array:
        """Return the weighted mean of x over the modes, (omega,)."""
        return np.asarray(self.weights @ np.array([mode.x for mode in self.modes]))

    def marginals(self) -> tuple[Array, Array]:
        """Return mean and standard deviation of ln x, (modes, omega) each; each mode is log-normal."""
        centre = np.log(np.maximum([mode.x for mode in self.modes], 1e-300))
        return centre, np.array([mode.log_error for mode in self.modes])

    def quantile(self, q: float) -> Array:
        """Return the pointwise quantile (omega,) of x."""
        return lognormal_quantile(self.weights, *self.marginals(), q)

    def response(self, K: Array) -> Array:
        """Return d(mean x)/d(data), (omega, m), at fixed probabilities."""
        total = np.zeros(K.shape[::-1])
        for w, mode in zip(self.weights, self.modes, strict=True):
            XP = mode.x[:, None] * mode.tangent
            J = K @ XP
            total += w * XP @ np.linalg.solve(J.T @ J + np.eye(J.shape[1]), J.T)
        return total

    def n_effective(self, K: Array) -> float:
        """Return the number of combinations of the data that determine the spectrum, mean over the modes."""
        total = 0.0
        for w, mode in zip(self.weights, self.modes, strict=True):
            J = (K * mode.x) @ mode.tangent
            G = J @ J.T
            total += float(w) * float(np.trace(np.linalg.solve(G + np.eye(len(G)), G)))
        return total

    def draws(self, K: Array, d: Array, count: int, seed: int, threads: int = 1) -> Array:
        """Return posterior samples (count, omega) of x by randomised minimisation."""
        rng = np.random.default_rng(seed)
        tasks = []
        for i in systematic_picks(self.weights, count):
            mode = self.modes[int(i)]
            shift = rng.normal(size=mode.c.size)
            start = mode.c + mode.root @ rng.normal(size=mode.c.size)
            tasks.append((mode.prior, d + rng.normal(size=d.size), start, shift))

        def sample(task: tuple[Prior, Array, Array, Array]) -> Array:
            prior, noisy, start, shift = task
            return minimise(K, noisy, prior, start, shift, tolerance=SAMPLE_TOLERANCE)[1]

        return np.array(mapped(sample, tasks, threads))


def average(K: Array, d: Array, priors: list[Prior], threads: int = 1) -> Mixture:
    """Return the modes of all priors, weighted by evidence, without negligible ones."""
    rough = mapped(lambda prior: find_mode(K, d, prior, ROUGH_TOLERANCE), priors, threads)
    best = max(mode.log_evidence for mode in rough)
    best_free = max((mode.log_evidence for mode in rough if not mode.prior.rigid), default=best)
    # Only modes that are not negligible are refined.
    near = [
        mode for mode in rough
        if mode.log_evidence > (best if mode.prior.rigid else best_free) - ROUGH_MARGIN
    ]  # fmt: skip
    modes = mapped(lambda m: mode_from(K, d, m.prior, m.c), near, threads)
    logs = np.array([mode.log_evidence for mode in modes])
    free = np.array([not mode.prior.rigid for mode in modes])
    weights, error_weights = _probabilities(logs), None
    if free.any() and not free.all():
        cautious = _probabilities(np.where(free, logs, -np.inf))
        error_weights = RIGID_SHARE * weights + (1.0 - RIGID_SHARE) * cautious
    kept = np.flatnonzero(weights if error_weights is None else error_weights)
    return Mixture(
        tuple(modes[int(i)] for i in kept), weights[kept],
        None if error_weights is None else error_weights[kept],
    )  # fmt: skip


def _probabilities(logs: Array) -> Array:
    """Return probabilities from logarithms of evidence; negligible ones are 0."""
    weights = np.exp(logs - logs.max())
    weights[weights < NEGLIGIBLE] = 0.0
    return np.asarray(weights / weights.sum())
