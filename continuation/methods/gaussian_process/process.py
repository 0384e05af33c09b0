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
from functools import cached_property

import numpy as np
from scipy.special import ndtr

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process import newton, shapes
from sitqmc.continuation.methods.parallel import mapped

LEVEL = 1.0                            # standard deviation of a constant in u: the total weight is not given
RANK = 48
RANK_CUT = 1e-6                        # of the variance of u, what the rank may leave out
COOLING = 10.0                         # the noise variance is lowered to 1 in factors of this
COOLING_STEPS, COOLING_TOLERANCE = 30, 1.0   # at every higher noise: only a good start is wanted
MAX_STEPS = 200
TOLERANCE = 1e-7                       # on the Newton decrement of the target, a change of chi^2
ROUGH_TOLERANCE, ROUGH_MARGIN = 0.02, 12.0
SAMPLE_TOLERANCE = 1e-2                # for a sample, whose own spread is of order 1
NEGLIGIBLE = 1e-3
NOTHING = np.empty(0)


@dataclass(frozen=True, eq=False)
class Base:
    """A base shape with parameters: family, place and spread as in `shapes.log_shape`.

    w, response (omega,): frequencies in natural units, and the row that sets the magnitude
    offset (omega,): added to the logarithm, to turn densities into x
    """

    family: int
    place: float
    spread: float
    w: Array
    response: Array
    offset: Array


@dataclass(frozen=True, eq=False)
class Prior:
    """One member of the library: ln x = base(theta) + Phi u, with c = (theta, u) standard normal.

    base    the fixed logarithm (omega,), or a `Base` with parameters
    Phi     (omega, rank)
    log_prior  ln of the probability given to this member before the data
    """

    name: str
    base: Array | Base
    Phi: Array
    log_prior: float = 0.0

    @property
    def n_theta(self) -> int:
        """Number of parameters of the base shape."""
        return shapes.N_THETA[self.base.family] if isinstance(self.base, Base) else 0

    @property
    def size(self) -> int:
        """Number of coefficients c."""
        return self.n_theta + self.Phi.shape[1]

    @cached_property
    def arguments(self) -> tuple[int, float, float, Array, Array, Array, Array]:
        """The prior as the compiled kernels of `newton` take it."""
        b, Phi = self.base, np.ascontiguousarray(self.Phi)
        if isinstance(b, Base):
            return b.family, b.place, b.spread, b.w, b.response, b.offset, Phi
        return newton.FIXED, 1.0, 1.0, NOTHING, NOTHING, np.ascontiguousarray(b), Phi

    def log_x(self, c: Array) -> Array:
        """ln x (omega,) of the coefficients."""
        return np.asarray(newton.log_x(*self.arguments, c))

    def tangent(self, c: Array) -> Array:
        """d ln x/dc, (omega, size)."""
        family, place, spread, w, response, _, Phi = self.arguments
        return np.asarray(newton.tangent(family, place, spread, w, response, Phi, c))

    def second(self, K: Array, c: Array, tangent: Array, x: Array, residual: Array) -> Array:
        """residual . K d^2 x/dc^2, (size, size)."""
        return np.asarray(newton.second_part(K, *self.arguments[:5], c, tangent, x, residual))


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
    tangent: Array
    root: Array

    @property
    def log_error(self) -> Array:
        """Standard deviation of u, (omega,)."""
        return np.asarray(np.sqrt(np.sum((self.tangent @ self.root) ** 2, axis=1)))


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


def make_prior(name: str, base: Array | Base, root: Array, log_prior: float = 0.0) -> Prior:
    """A prior with root (omega, rank) of `covariance_root`, the overall level free within exp(LEVEL)."""
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
    """(c, x) at the minimum of |d - K x|^2/(2 noise) + |c - centre|^2/2, started from c.

    See `newton.search`.
    """
    found: tuple[Array, Array] = newton.search(K, d, *prior.arguments, c, centre, noise, tolerance, steps)
    return found


def find_mode(K: Array, d: Array, prior: Prior, tolerance: float = TOLERANCE) -> Mode:
    """Posterior mode, cooled from a high noise level, and its Laplace evidence."""
    c = np.zeros(prior.size)
    start = d - K @ np.exp(prior.log_x(c))
    noise = float(start @ start) / len(d)
    while noise > COOLING:
        noise /= COOLING
        c, _ = minimise(K, d, prior, c, np.zeros_like(c), noise, COOLING_TOLERANCE, COOLING_STEPS)
    return mode_from(K, d, prior, c, tolerance)


def mode_from(K: Array, d: Array, prior: Prior, c: Array, tolerance: float = TOLERANCE) -> Mode:
    """The mode reached from c, and its Laplace evidence."""
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
    """Eigenvalues and vectors of the Hessian in c; of its Gauss-Newton part if that alone is positive."""
    J = (K * x) @ Phi
    gauss_newton = J.T @ J + np.eye(Phi.shape[1])
    values, vectors = np.linalg.eigh(gauss_newton - prior.second(K, c, Phi, x, residual))
    if values[0] < 0.05:
        values, vectors = np.linalg.eigh(gauss_newton)
        # One at least; rounding may say otherwise where the data contradict every spectrum.
        values = np.maximum(values, 1.0)
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
            XP = mode.x[:, None] * mode.tangent
            J = K @ XP
            total += w * XP @ np.linalg.solve(J.T @ J + np.eye(J.shape[1]), J.T)
        return total

    def effective(self, K: Array) -> float:
        """Number of combinations of the data that determine the spectrum, averaged over the modes."""
        total = 0.0
        for w, mode in zip(self.weights, self.modes, strict=True):
            J = (K * mode.x) @ mode.tangent
            G = J @ J.T
            total += float(w) * float(np.trace(np.linalg.solve(G + np.eye(len(G)), G)))
        return total

    def draws(self, K: Array, d: Array, count: int, seed: int, threads: int = 1) -> Array:
        """Posterior samples (count, omega) of x by randomised minimisation."""
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
    """Modes of all priors, weighted by evidence; the negligible ones are left out."""
    rough = mapped(lambda prior: find_mode(K, d, prior, ROUGH_TOLERANCE), priors, threads)
    best = max(mode.log_evidence for mode in rough)
    # Only those that can matter are followed to the end.
    near = [mode for mode in rough if mode.log_evidence > best - ROUGH_MARGIN]
    modes = mapped(lambda m: mode_from(K, d, m.prior, m.c), near, threads)
    logs = np.array([mode.log_evidence for mode in modes])
    weights = np.exp(logs - logs.max())
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    kept = np.flatnonzero(weights)
    return Mixture(tuple(modes[int(i)] for i in kept), weights[kept])
