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
from functools import cached_property

import numpy as np
from scipy.special import ndtr

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process import newton, shapes
from sitqmc.continuation.methods.parallel import mapped

LEVEL = 1.0                            # standard deviation of a constant in u: the total weight is free
RANK = 48
RANK_CUT = 1e-6                        # share of the variance of u that the rank may leave out
COOLING = 10.0                         # the noise variance is lowered to 1 in factors of this
COOLING_STEPS, COOLING_TOLERANCE = 30, 1.0   # at every higher noise: the minimum is a start value
MAX_STEPS = 200
TOLERANCE = 1e-7                       # on the Newton decrement of the target, a change of chi^2
ROUGH_TOLERANCE, ROUGH_MARGIN = 0.02, 12.0
SAMPLE_TOLERANCE = 1e-2                # for a sample: samples differ by order 1
NEGLIGIBLE = 1e-3
NOTHING = np.empty(0)


@dataclass(frozen=True, eq=False)
class SpectralShape:
    """Base shape with parameters: family, location and log_width as in `shapes.log_shape`.

    w         (omega,) frequencies in units of the characteristic frequency
    response  (omega,) row that sets the magnitude
    offset    (omega,) added to the logarithm, to turn densities into x
    """

    family: int
    location: float
    log_width: float
    w: Array
    response: Array
    offset: Array


@dataclass(frozen=True, eq=False)
class Prior:
    """One member of the ensemble: ln x = base(theta) + Phi u, with c = (theta, u) standard normal.

    base    the fixed logarithm (omega,), or a `SpectralShape` with parameters
    Phi     (omega, rank)
    log_prior  ln of the prior probability of this member
    """

    name: str
    base: Array | SpectralShape
    Phi: Array
    log_prior: float = 0.0

    @property
    def n_theta(self) -> int:
        """Number of parameters of the base shape."""
        return shapes.N_THETA[self.base.family] if isinstance(self.base, SpectralShape) else 0

    @property
    def size(self) -> int:
        """Number of coefficients c."""
        return self.n_theta + self.Phi.shape[1]

    @cached_property
    def arguments(self) -> tuple[int, float, float, Array, Array, Array, Array]:
        """Arguments of the compiled functions of `newton`."""
        b, Phi = self.base, np.ascontiguousarray(self.Phi)
        if isinstance(b, SpectralShape):
            return b.family, b.location, b.log_width, b.w, b.response, b.offset, Phi
        return newton.FIXED, 1.0, 1.0, NOTHING, NOTHING, np.ascontiguousarray(b), Phi

    def log_x(self, c: Array) -> Array:
        """Return ln x (omega,) of the coefficients."""
        return np.asarray(newton.log_x(*self.arguments, c))

    def tangent(self, c: Array) -> Array:
        """Return d ln x/dc, (omega, size)."""
        family, location, log_width, w, response, _, Phi = self.arguments
        return np.asarray(newton.tangent(family, location, log_width, w, response, Phi, c))

    def hessian_remainder(self, K: Array, c: Array, tangent: Array, x: Array, residual: Array) -> Array:
        """Return residual . K d^2 x/dc^2, (size, size)."""
        return np.asarray(newton.hessian_remainder(K, *self.arguments[:5], c, tangent, x, residual))


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


def covariance_root(t: Array, length: float, amplitude: float) -> Array:
    """Return Phi (omega, rank) of an even Matern-5/2 process by pivoted Cholesky, accurate to RANK_CUT."""

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


def make_prior(name: str, base: Array | SpectralShape, root: Array, log_prior: float = 0.0) -> Prior:
    """Return a prior with root (omega, rank) of `covariance_root` and a level free within exp(LEVEL)."""
    return Prior(name, base, np.column_stack([root, np.full(len(root), LEVEL)]), log_prior)


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
    Phi = prior.tangent(c)
    values, vectors = _curvature(K, prior, c, Phi, x, residual)
    chi2 = float(residual @ residual)
    evidence = prior.log_prior - 0.5 * chi2 - 0.5 * float(c @ c) - 0.5 * float(np.sum(np.log(values)))
    return Mode(prior, c, x, chi2, evidence, Phi, vectors / np.sqrt(values))


def _curvature(
    K: Array, prior: Prior, c: Array, Phi: Array, x: Array, residual: Array
) -> tuple[Array, Array]:
    """Return eigenvalues and vectors of the Hessian in c, or of its positive Gauss-Newton part."""
    J = (K * x) @ Phi
    gauss_newton = J.T @ J + np.eye(Phi.shape[1])
    values, vectors = np.linalg.eigh(gauss_newton - prior.hessian_remainder(K, c, Phi, x, residual))
    if values[0] < 0.05:
        values, vectors = np.linalg.eigh(gauss_newton)
        # At least 1; rounding gives less where no spectrum fits the data.
        values = np.maximum(values, 1.0)
    return values, vectors


@dataclass(frozen=True)
class Mixture:
    """Modes with probabilities (n_modes,), sum 1."""

    modes: tuple[Mode, ...]
    weights: Array

    def mean(self) -> Array:
        """Return the weighted mean of x over the modes, (omega,)."""
        return np.asarray(self.weights @ np.array([mode.x for mode in self.modes]))

    def quantile(self, q: float) -> Array:
        """Return the pointwise quantile (omega,) of x; each mode is log-normal with its `log_error`."""
        centre = np.log(np.maximum([mode.x for mode in self.modes], 1e-300))
        spread = np.maximum([mode.log_error for mode in self.modes], 1e-9)
        low, high = (centre - 9.0 * spread).min(axis=0), (centre + 9.0 * spread).max(axis=0)
        for _ in range(48):
            middle = 0.5 * (low + high)
            below = self.weights @ ndtr((middle - centre) / spread) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(np.exp(0.5 * (low + high)))

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
        # Systematic resampling: each mode gets its share of the samples to within one.
        marks = (np.arange(count) + 0.5) / count
        picks = np.minimum(np.searchsorted(np.cumsum(self.weights), marks), len(self.modes) - 1)
        tasks = []
        for i in picks:
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
    # Only modes that are not negligible are refined.
    near = [mode for mode in rough if mode.log_evidence > best - ROUGH_MARGIN]
    modes = mapped(lambda m: mode_from(K, d, m.prior, m.c), near, threads)
    logs = np.array([mode.log_evidence for mode in modes])
    weights = np.exp(logs - logs.max())
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    kept = np.flatnonzero(weights)
    return Mixture(tuple(modes[int(i)] for i in kept), weights[kept])
