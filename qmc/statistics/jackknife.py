"""Means over independent samples with their errors: plain averages, covariances and the jackknife.

There are two levels: bins within a chain (thermal noise) and disorder samples (the unit of the jackknife).
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc.statistics.series import agree, blocking, gamma_method

Array = NDArray[np.float64]


def autocorrelation_time(series: ArrayLike) -> tuple[float, float]:
    """Return the integrated autocorrelation time and its error, in steps of `series` (n,).

    White noise has 0.5. The Gamma method is cross-checked by blocking (see `statistics.series`). Blocking
    counts where its error is larger than both uncertainties allow: a weak slow mode under fast noise ends the
    sum of the Gamma method too early. The result is never below 0.5, so that it makes no error smaller.
    """
    summed, blocked = gamma_method(series), blocking(series)
    trusted = summed.error >= blocked.error or agree(summed, blocked)
    result = summed if trusted else blocked
    return max(result.tau_int, 0.5), result.tau_error


def binned_error(bins: ArrayLike) -> Array:
    """Return the standard error of the mean over axis 0 of independent bins, (n_bins, ...)."""
    bins = np.asarray(bins, float)
    return np.asarray(bins.std(axis=0, ddof=1) / np.sqrt(len(bins)))


class Moments:
    """Running mean and variance over independent samples that arrive in pieces (n, ...).

    Pieces are combined by the formulas of Chan, Golub and LeVeque (1979), which lose no digits.
    """

    def __init__(self) -> None:
        self.n, self.mean, self.squares = 0, np.zeros(()), np.zeros(())

    def add(self, values: Array) -> None:
        """Add a piece."""
        n, mean = len(values), values.mean(axis=0)
        squares = np.sum((values - mean) ** 2, axis=0)
        if self.n == 0:
            self.n, self.mean, self.squares = n, mean, squares
            return
        total, shift = self.n + n, mean - self.mean
        self.squares = self.squares + squares + shift**2 * (self.n * n / total)
        self.mean = self.mean + shift * (n / total)
        self.n = total

    @property
    def variance(self) -> Array:
        """Unbiased variance of one sample, (...,)."""
        return np.asarray(self.squares / (self.n - 1))

    @property
    def error(self) -> Array:
        """Standard error of the mean, (...,)."""
        return np.asarray(np.sqrt(self.variance) / np.sqrt(self.n))


def average(samples: ArrayLike) -> Estimate:
    """Return the mean over independent samples (n, ...) with its error; the error is NaN for one sample."""
    samples = np.asarray(samples, float)
    n = len(samples)
    error = binned_error(samples) if n > 1 else np.full(samples.shape[1:], np.nan)
    return Estimate(samples.mean(axis=0), error, n=n)


def covariance(samples: ArrayLike) -> Array:
    """Return the covariance (m, m) of the mean of samples (n, m); ValueError for fewer than two samples."""
    samples = np.asarray(samples, float)
    if len(samples) < 2:
        raise ValueError(f"n_samples = {len(samples)}: a covariance needs at least 2 samples")
    deviation = samples - samples.mean(axis=0)
    return np.asarray(deviation.T @ deviation / (len(samples) * (len(samples) - 1)))


def jackknife(
    function: Callable[..., ArrayLike], *samples: ArrayLike, shifts: Iterable[Sequence[ArrayLike]] = ()
) -> Estimate:
    """Return function(mean of each array) of arrays (n, ...) that share their n samples.

    The value is corrected for bias; the error is from the delete-one jackknife, NaN for one sample.

    shifts  of the means of all arrays by one standard deviation, for every independent source of error
            beyond the scatter of the samples
    """
    arrays = [np.asarray(a, float) for a in samples]
    n = len(arrays[0])
    means = [a.mean(axis=0) for a in arrays]
    whole = np.asarray(function(*means), float)
    if n < 2:
        return Estimate(whole, np.full(whole.shape, np.nan), n=n)
    parts = np.array([
        function(*[(n * m - a[i]) / (n - 1) for m, a in zip(means, arrays, strict=True)]) for i in range(n)
    ])
    centre = parts.mean(axis=0)
    variance = (n - 1) / n * np.sum((parts - centre) ** 2, axis=0)
    for shift in shifts:
        moved = [
            np.asarray(function(*[m + sign * np.asarray(d) for m, d in zip(means, shift, strict=True)]))
            for sign in (1, -1)
        ]
        variance = variance + ((moved[0] - moved[1]) / 2) ** 2
    return Estimate(n * whole - (n - 1) * centre, np.sqrt(variance), n=n)


def squared_mean(bins: ArrayLike) -> Array:
    """Return <B>^2 without bias from independent bins (..., n_bins): the mean over pairs of bins."""
    bins = np.asarray(bins, float)
    n = bins.shape[-1]
    return np.asarray((bins.sum(axis=-1) ** 2 - (bins**2).sum(axis=-1)) / (n * (n - 1)))
