"""Posterior of stochastic continuation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.stochastic.sampler import StochasticRun
from sitqmc.continuation.spectrum.posterior import PlainPosterior

N_SAMPLES = 200


@dataclass(frozen=True, eq=False)
class StochasticPosterior(PlainPosterior):
    """Sampled configurations: their mean is reported, their scatter is the error."""

    kernel: Array
    run: StochasticRun

    @property
    def reported(self) -> Array:
        """Mean over the configurations."""
        return np.asarray(self.run.samples.mean(axis=0))

    def functional_error(self, G: Array) -> Array:
        """Return the scatter of functionals of the configurations."""
        return np.asarray(np.std(self.run.samples @ G.T, axis=0))

    def response(self) -> Array:
        """Return the response by the fluctuation-dissipation relation at the sampling temperature."""
        return self.run.response(self.kernel)

    def quantile(self, q: float) -> None:
        """Return None: a configuration is a set of delta functions, without a value at a single frequency."""
        return None

    @property
    def has_pointwise_samples(self) -> bool:
        """No: a single configuration has no peak of its own."""
        return False

    def samples(self) -> Array:
        """Return the mean, refitted (to first order) to noisy data."""
        rng = np.random.default_rng(0)
        noise = rng.normal(size=(N_SAMPLES, len(self.kernel)))
        return np.asarray(np.maximum(self.reported + noise @ self.response().T, 0.0))
