"""Posterior of the log-Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.process import Mixture, lognormal_quantile
from sitqmc.continuation.spectrum.calibration import error_factor, pointwise_factor
from sitqmc.continuation.spectrum.posterior import ONE_SIGMA, sampled_error
from sitqmc.continuation.spectrum.resolution import averaging_kernels

TAIL_RATIO = 1.5
"""A functional depends on the tail above the data where tails of all kinds make its error larger than this
times the error with exponential tails alone."""


@dataclass(frozen=True, eq=False)
class ProcessPosterior:
    """Modes for the pointwise quantiles, samples for everything else.

    kernel (m, omega); weights (modes,); centre and spread (modes, omega) of ln x; draws (n, omega);
    reported (omega,); own_response (omega, m), of a scan: to the data of this point alone;
    calibration  factor on the pointwise width, scalar or (omega,), in standard errors of a normal law
    level        share of the samples that the error of a linear functional holds
    signal       length of the whitened data, their signal/noise, on which the calibrated factors depend;
                 0: no calibration, as in scans
    own_tail, all_tails  (n, omega) each: linear draws of x with exponential tails, and with power laws
                 beside them, see `tails`; None: not examined
    """

    kernel: Array
    weights: Array
    centre: Array
    spread: Array
    draws: Array
    reported: Array
    own_response: Array
    calibration: float | Array = 1.0
    level: float = ONE_SIGMA
    signal: float = 0.0
    own_tail: Array | None = None
    all_tails: Array | None = None

    @classmethod
    def of_mixture(
        cls, kernel: Array, mixture: Mixture, draws: Array, reported: Array,
        tails: tuple[Array, Array] | None = None,
    ) -> ProcessPosterior:  # fmt: skip
        """Return the posterior of a mixture of modes; it keeps no more of them than it needs."""
        centre, spread = mixture.marginals()
        response = mixture.response(kernel)
        signal = float(np.linalg.norm(kernel @ reported))
        own, every = (None, None) if tails is None else tails
        return cls(
            kernel, mixture.weights, centre, spread, draws, reported, response,
            signal=signal, own_tail=own, all_tails=every,
        )  # fmt: skip

    def calibrated(self, grid: FrequencyGrid) -> ProcessPosterior:
        """Return this posterior with the pointwise width that was learned from synthetic spectra."""
        _, resolution = averaging_kernels(self, grid)
        return replace(self, calibration=pointwise_factor(grid.omega, resolution, self.signal))

    def functional_error(self, G: Array) -> Array:
        """Return the quantile `level` of the distance of the samples."""
        return sampled_error(self.draws, self.reported, G, self.level)

    def tail_error(self, G: Array) -> Array:
        """Return the error with tails of all kinds where it exceeds TAIL_RATIO times that with one kind."""
        if self.own_tail is None or self.all_tails is None:
            return np.zeros(len(G))
        # Root mean squares: a 68 % quantile would not see the heaviest of three equally probable tails.
        own, every = (
            np.sqrt(np.mean(((draws - self.reported) @ G.T) ** 2, axis=0))
            for draws in (self.own_tail, self.all_tails)
        )  # fmt: skip
        return np.asarray(np.where(every > TAIL_RATIO * own, every, 0.0))

    def error_factor(self, quantity: str) -> float:
        """Return the factor that was learned from synthetic spectra."""
        return error_factor(quantity, self.signal) if self.signal > 0.0 else 1.0

    def response(self) -> Array:
        """Return the linear response of the mean over the modes; data of other points are held."""
        return self.own_response

    def quantile(self, q: float) -> Array:
        """Return the pointwise quantile of the mixture of log-normals."""
        z = self.calibration * ndtri(q)
        return lognormal_quantile(self.weights, self.centre, self.spread, ndtr(z))

    def deviate(self, x: Array) -> Array:
        """Return the normal deviates (omega,) of x in the distribution at each frequency, uncalibrated."""
        z = (np.log(np.maximum(x, 1e-300)) - self.centre) / np.maximum(self.spread, 1e-9)
        return np.asarray(ndtri(self.weights @ ndtr(z)))

    @property
    def has_pointwise_samples(self) -> bool:
        """Yes: every sample is a smooth positive spectrum."""
        return True

    def samples(self) -> Array:
        """Return samples of the posterior by randomised minimisation."""
        return self.draws
