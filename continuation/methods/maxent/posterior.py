"""Posterior of maximum entropy: a mixture of Gaussians around its solutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.maxent.maxent import MaxEntPoint, functional_variance
from sitqmc.continuation.spectrum.posterior import PlainPosterior

N_SAMPLES = 200
NEGLIGIBLE = 1e-2     # components with less probability than this times the largest are dropped


@dataclass(frozen=True)
class Component:
    """One maximum-entropy solution, its probability, and the default model it came from."""

    weight: float
    point: MaxEntPoint
    model: str


def mixture(scans: list[tuple[str, list[MaxEntPoint]]]) -> tuple[Component, ...]:
    """Return all points of all scans, weighted by evidence (flat prior in ln alpha and over models)."""
    points = [(name, p) for name, scan in scans for p in scan]
    logs = np.array([p.log_evidence for _, p in points])
    weights = np.exp(logs - logs.max())
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    kept = [(float(w), name, p) for w, (name, p) in zip(weights, points, strict=True) if w > 0]
    return tuple(Component(w, p, name) for w, name, p in kept)


@dataclass(frozen=True, eq=False)
class MaxEntPosterior(PlainPosterior):
    """Mixture of Gaussians around maximum-entropy solutions, one per (default model, alpha).

    components           weighted by evidence, sum 1
    reported_components  the components whose weighted mean is the reported spectrum
    """

    kernel: Array
    components: tuple[Component, ...]
    reported_components: tuple[Component, ...]

    @property
    def reported(self) -> Array:
        """The reported x = A * weights, shape (omega,)."""
        return np.asarray(sum(c.weight * c.point.x for c in self.reported_components))

    def functional_error(self, G: Array) -> Array:
        """Return the root mean square of the widths of the components and their distances from the report."""
        reported = G @ self.reported
        total = np.zeros(len(G))
        for c in self.components:
            shift = G @ c.point.x - reported
            inside = functional_variance(self.kernel, c.point.x, c.point.alpha, G)
            total += c.weight * (inside + shift**2)
        return np.asarray(np.sqrt(total))

    def response(self) -> Array:
        """Return the linear response of the reported components at fixed alphas and probabilities."""
        total = np.zeros(self.kernel.shape[::-1])
        for c in self.reported_components:
            KX = self.kernel * c.point.x
            H = KX @ self.kernel.T
            H[np.diag_indices_from(H)] += c.point.alpha
            total += c.weight * np.linalg.solve(H, KX).T
        return total

    def quantile(self, q: float) -> None:
        """Return None: the entropy leaves single frequencies unconstrained."""
        return None

    @property
    def has_pointwise_samples(self) -> bool:
        """No: the samples are as smooth as the reported spectrum."""
        return False

    def samples(self) -> Array:
        """Return components in proportion to their weights, each refitted (to first order) to noisy data."""
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
