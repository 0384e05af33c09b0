"""Posterior of one point of a scan, with all other points integrated out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.process import lognormal_quantile
from sitqmc.continuation.spectrum.posterior import sampled_error


@dataclass(frozen=True, eq=False)
class PointPosterior:
    """Modes for the pointwise quantiles, samples for everything else.

    kernel (m, omega); weights (modes,); centre and spread (modes, omega) of ln x; draws (n, omega);
    reported (omega,); own_response (omega, m), to the data of this point alone
    """

    kernel: Array
    weights: Array
    centre: Array
    spread: Array
    draws: Array
    reported: Array
    own_response: Array

    def functional_error(self, G: Array) -> Array:
        """Return the 68 % quantile of the distance of the samples."""
        return sampled_error(self.draws, self.reported, G)

    def response(self) -> Array:
        """Return the linear response to the data of this point; the data of the other points are held."""
        return self.own_response

    def quantile(self, q: float) -> Array:
        """Return the pointwise quantile of the mixture of log-normals."""
        return lognormal_quantile(self.weights, self.centre, self.spread, q)

    @property
    def has_pointwise_samples(self) -> bool:
        """Yes: every sample is a smooth positive spectrum."""
        return True

    def samples(self) -> Array:
        """Return samples of the posterior by randomised minimisation."""
        return self.draws


def central_mean(weights: Array, centre: Array, spread: Array, quantiles: tuple[float, ...]) -> Array:
    """Return the mean of central quantiles: as good as the median, without its kinks between the modes."""
    return np.asarray(np.mean([lognormal_quantile(weights, centre, spread, q) for q in quantiles], axis=0))
