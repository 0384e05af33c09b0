"""The reported spectrum and the posterior around it, for each of the methods.

Errors are distances of the posterior from what is reported, so that a choice (of alpha, of a default
model) cannot hide them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.process import Mixture
from sitqmc.continuation.methods.maxent import maxent
from sitqmc.continuation.methods.maxent.maxent import MaxEntPoint
from sitqmc.continuation.methods.stochastic import Chain

N_SAMPLES = 200
NEGLIGIBLE = 1e-2     # components with less probability than this times the largest are dropped


class Posterior(Protocol):
    """What a spectrum needs to know about its posterior; x = A * weights, shape (omega,)."""

    @property
    def kernel(self) -> Array:
        """Whitened kernel (m, omega)."""

    @property
    def centre(self) -> Array:
        """The reported x."""

    def spread(self, G: Array) -> Array:
        """One-sigma deviation (f,) of functionals G @ x, G (f, omega), from their reported values."""

    def response(self) -> Array:
        """d(reported x)/d(whitened data), (omega, m), at fixed hyper-parameters."""

    def quantile(self, q: float) -> Array | None:
        """Pointwise quantile of x, or None if the posterior has no width at a single frequency."""

    @property
    def pointwise(self) -> bool:
        """Whether a single sample is a plausible spectrum, with peaks of its own."""

    def samples(self) -> Array:
        """Samples (n, omega) of x >= 0."""


@dataclass(frozen=True)
class Component:
    """One maximum-entropy solution, its probability, and the default model it came from."""

    weight: float
    point: MaxEntPoint
    model: str


@dataclass(frozen=True)
class MaxEntPosterior:
    """Mixture of Gaussians around maximum-entropy solutions, one per (default model, alpha).

    components  weighted by evidence, sum 1
    reported    the components whose weighted mean is the answer
    """

    kernel: Array
    components: tuple[Component, ...]
    reported: tuple[Component, ...]

    @property
    def centre(self) -> Array:
        """The reported x = A * weights, shape (omega,)."""
        return np.asarray(sum(c.weight * c.point.x for c in self.reported))

    def spread(self, G: Array) -> Array:
        """Within the components plus between them and the reported spectrum, root mean square."""
        centre = G @ self.centre
        total = np.zeros(len(G))
        for c in self.components:
            shift = G @ c.point.x - centre
            inside = maxent.functional_variance(self.kernel, c.point.x, c.point.alpha, G)
            total += c.weight * (inside + shift**2)
        return np.asarray(np.sqrt(total))

    def response(self) -> Array:
        """Linear response of the reported components at fixed alphas and probabilities."""
        total = np.zeros(self.kernel.shape[::-1])
        for c in self.reported:
            KX = self.kernel * c.point.x
            H = KX @ self.kernel.T
            H[np.diag_indices_from(H)] += c.point.alpha
            total += c.weight * np.linalg.solve(H, KX).T
        return total

    def quantile(self, q: float) -> None:
        """The entropy leaves single frequencies unconstrained: there is none."""
        return None

    @property
    def pointwise(self) -> bool:
        """No: the samples are as smooth as the reported spectrum."""
        return False

    def samples(self) -> Array:
        """The components, in proportion to their weights, each refitted (to first order) to noisy data."""
        rng, rows = np.random.default_rng(0), []
        cumulative = np.cumsum([c.weight for c in self.components])
        for mark in (np.arange(N_SAMPLES) + 0.5) / N_SAMPLES:
            point = self.components[min(int(np.searchsorted(cumulative, mark)), len(cumulative) - 1)].point
            H = (self.kernel * point.x) @ self.kernel.T
            H[np.diag_indices_from(H)] += point.alpha
            # x = m exp(k . y): the change of the dual variable keeps the sample positive.
            change = np.linalg.solve(H, rng.normal(size=len(H))) @ self.kernel
            rows.append(point.x * np.exp(np.clip(change, -5.0, 5.0)))
        return np.array(rows)


def mixture(scans: list[tuple[str, list[MaxEntPoint]]]) -> tuple[Component, ...]:
    """All points of all scans, weighted by evidence (flat prior in ln alpha and over models)."""
    points = [(name, p) for name, scan in scans for p in scan]
    logs = np.array([p.log_evidence for _, p in points])
    weights = np.exp(logs - logs.max())
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    kept = [(float(w), name, p) for w, (name, p) in zip(weights, points, strict=True) if w > 0]
    return tuple(Component(w, p, name) for w, name, p in kept)


@dataclass(frozen=True)
class StochasticPosterior:
    """Configurations of stochastic continuation: the mean is reported, their scatter is the spread."""

    kernel: Array
    chain: Chain

    @property
    def centre(self) -> Array:
        """Mean over the configurations."""
        return np.asarray(self.chain.samples.mean(axis=0))

    def spread(self, G: Array) -> Array:
        """Scatter of functionals of the configurations."""
        return np.asarray(np.std(self.chain.samples @ G.T, axis=0))

    def response(self) -> Array:
        """By the fluctuation-dissipation relation at the sampling temperature."""
        return self.chain.response(self.kernel)

    def quantile(self, q: float) -> None:
        """A configuration is a set of delta functions: it has no value at a single frequency."""
        return None

    @property
    def pointwise(self) -> bool:
        """No: a single configuration has no peak of its own."""
        return False

    def samples(self) -> Array:
        """The mean, refitted (to first order) to noisy data."""
        rng = np.random.default_rng(0)
        noise = rng.normal(size=(N_SAMPLES, len(self.kernel)))
        return np.asarray(np.maximum(self.centre + noise @ self.response().T, 0.0))


@dataclass(frozen=True)
class ProcessPosterior:
    """Posterior of the log-Gaussian process: modes for the pointwise quantiles, samples for the rest.

    draws (n_draws, omega), centre (omega,)
    """

    kernel: Array
    mixture: Mixture
    draws: Array
    centre: Array

    def spread(self, G: Array) -> Array:
        """68 % quantile of the distance of the samples: finite where log-normal tails have no useful rms."""
        return np.asarray(np.quantile(np.abs((self.draws - self.centre) @ G.T), 0.6827, axis=0))

    def response(self) -> Array:
        """Linear response of the mean over the modes."""
        return self.mixture.response(self.kernel)

    def quantile(self, q: float) -> Array:
        """Pointwise quantile of the mixture of log-normals."""
        return self.mixture.quantile(q)

    @property
    def pointwise(self) -> bool:
        """Yes."""
        return True

    def samples(self) -> Array:
        """Samples of the posterior by randomised minimisation."""
        return self.draws


@dataclass(frozen=True)
class BootstrapPosterior:
    """Of an estimator without a prior: its answers to the data with fresh noise added (a bootstrap).

    draws (n, omega) answers, noise (n, m) what was added, centre (omega,) the answer to the data
    """

    kernel: Array
    centre: Array
    draws: Array
    noise: Array

    def spread(self, G: Array) -> Array:
        """68 % quantile of the distance of the refits."""
        return np.asarray(np.quantile(np.abs((self.draws - self.centre) @ G.T), 0.6827, axis=0))

    def response(self) -> Array:
        """Regression of the refits on the noise."""
        return np.asarray((self.draws - self.draws.mean(axis=0)).T @ self.noise / len(self.noise))

    def quantile(self, q: float) -> Array:
        """Pointwise quantile of the refits."""
        return np.asarray(np.quantile(self.draws, q, axis=0))

    @property
    def pointwise(self) -> bool:
        """Yes."""
        return True

    def samples(self) -> Array:
        """The refits."""
        return self.draws
