"""The reported spectrum and the posterior around it.

The posterior is a mixture of Gaussians around maximum-entropy solutions, one per (default model, alpha),
weighted by evidence. The reported spectrum is its mean, or one solution chosen by a rule; the errors are
the root mean square distance of the mixture from what is reported, so that a choice cannot hide them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from continuation import maxent
from continuation.kernels import Array
from continuation.maxent import MaxEntPoint

NEGLIGIBLE = 1e-2     # components with less probability than this times the largest are dropped


@dataclass(frozen=True)
class Component:
    """One solution, its probability, and the default model it came from."""

    weight: float
    point: MaxEntPoint
    model: str


@dataclass(frozen=True)
class Posterior:
    """Mixture of Gaussians around maximum-entropy solutions of one set of equations.

    kernel      (m, omega) whitened
    components  with weights that sum to 1
    reported    the components whose weighted mean is the answer
    """

    kernel: Array
    components: tuple[Component, ...]
    reported: tuple[Component, ...]

    @property
    def centre(self) -> Array:
        """The reported x = A * weights, shape (omega,)."""
        return np.asarray(sum(c.weight * c.point.x for c in self.reported))

    def covariance(self, G: Array) -> Array:
        """Mean square deviation (f, f) of functionals G @ x from their reported values."""
        centre = G @ self.centre
        total = np.zeros((len(G), len(G)))
        for c in self.components:
            shift = G @ c.point.x - centre
            inside = maxent.functional_covariance(self.kernel, c.point.x, c.point.alpha, G)
            total += c.weight * (inside + np.outer(shift, shift))
        return total

    def response(self) -> Array:
        """d(reported x)/d(whitened data), shape (omega, m), at fixed alphas and probabilities."""
        total = np.zeros(self.kernel.shape[::-1])
        for c in self.reported:
            KX = self.kernel * c.point.x
            H = KX @ self.kernel.T
            H[np.diag_indices_from(H)] += c.point.alpha
            total += c.weight * np.linalg.solve(H, KX).T
        return total


def mixture(scans: list[tuple[str, list[MaxEntPoint]]]) -> tuple[Component, ...]:
    """All points of all scans, weighted by evidence (flat prior in ln alpha and over models)."""
    points = [(name, p) for name, scan in scans for p in scan]
    logs = np.array([p.log_evidence for _, p in points])
    weights = np.exp(logs - logs.max())
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    kept = [(float(w), name, p) for w, (name, p) in zip(weights, points, strict=True) if w > 0]
    return tuple(Component(w, p, name) for w, name, p in kept)
