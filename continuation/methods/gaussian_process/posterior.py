"""Posterior of the log-Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.process import Mixture
from sitqmc.continuation.spectrum.posterior import sampled_error


@dataclass(frozen=True, eq=False)
class ProcessPosterior:
    """Modes for the pointwise quantiles, samples for everything else.

    draws (n_draws, omega), reported (omega,)
    """

    kernel: Array
    mixture: Mixture
    draws: Array
    reported: Array

    def functional_error(self, G: Array) -> Array:
        """Return the 68 % quantile of the distance of the samples."""
        return sampled_error(self.draws, self.reported, G)

    def response(self) -> Array:
        """Return the linear response of the mean over the modes."""
        return self.mixture.response(self.kernel)

    def quantile(self, q: float) -> Array:
        """Return the pointwise quantile of the mixture of log-normals."""
        return self.mixture.quantile(q)

    @property
    def has_pointwise_samples(self) -> bool:
        """Yes: every sample is a smooth positive spectrum."""
        return True

    def samples(self) -> Array:
        """Return samples of the posterior by randomised minimisation."""
        return self.draws
