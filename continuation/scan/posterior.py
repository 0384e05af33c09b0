"""Summary of the posterior of one point of a scan."""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.process import lognormal_quantile


def central_mean(weights: Array, centre: Array, spread: Array, quantiles: tuple[float, ...]) -> Array:
    """Return the mean of central quantiles: as good as the median, without its kinks between the modes."""
    return np.asarray(np.mean([lognormal_quantile(weights, centre, spread, q) for q in quantiles], axis=0))
