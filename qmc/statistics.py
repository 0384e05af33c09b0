"""Errors of correlated series and of disorder averages.

Two levels: bins within a chain (thermal noise) and disorder samples (the unit of the jackknife).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

WINDOW = 6.0


def autocorrelation_time(series: ArrayLike) -> tuple[float, float]:
    """Integrated autocorrelation time and its error, in steps of `series` (n,); 0.5 for white noise.

    The sum of the normalised autocorrelation is cut where the lag exceeds WINDOW times the sum.
    A constant series gives 0.5. Source: Madras and Sokal, J. Stat. Phys. 50, 109 (1988).
    """
    x = np.asarray(series, float)
    n = len(x)
    x = x - x.mean()
    variance = float(x @ x) / n
    # A constant series leaves rounding noise of this size behind.
    if n < 4 or variance <= 1e-28 * max(1.0, float(np.max(np.abs(series))) ** 2):
        return 0.5, 0.0
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(x, size)) ** 2
    rho = np.fft.irfft(spectrum, size)[: n // 2] / (variance * np.arange(n, n - n // 2, -1))
    tau = 0.5 + np.concatenate([[0.0], np.cumsum(rho[1:])])
    beyond = np.flatnonzero(np.arange(len(tau)) >= WINDOW * np.maximum(tau, 0.5))
    window = int(beyond[0]) if len(beyond) else len(tau) - 1
    value = max(float(tau[window]), 0.5)
    return value, value * float(np.sqrt(2 * (2 * window + 1) / n))


def binned_error(bins: ArrayLike) -> Array:
    """Standard error of the mean over axis 0 of independent bins, (n_bins, ...)."""
    bins = np.asarray(bins, float)
    return np.asarray(bins.std(axis=0, ddof=1) / np.sqrt(len(bins)))


def thermalisation_z(bins: ArrayLike) -> Array:
    """z-scores (...,) of first half against second half, for bins (samples, n_bins, ...).

    The differences of all samples are averaged; with eight samples or more their spread gives the
    error, with fewer the spread of the bins does (n_bins >= 4 wanted).
    """
    bins = np.asarray(bins, float)
    half = bins.shape[1] // 2
    first, second = bins[:, :half], bins[:, -half:]
    difference = first.mean(axis=1) - second.mean(axis=1)
    if len(bins) >= 8:
        error = binned_error(difference)
    else:
        variance = (first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / half
        error = np.sqrt(variance.sum(axis=0)) / len(bins)
    # Observables that cannot fluctuate (no spanning cluster, say) leave only rounding.
    still = error <= 1e-13 * np.abs(bins).max()
    return np.asarray(np.where(still, 0.0, difference.mean(axis=0) / np.where(still, 1.0, error)))


@dataclass(frozen=True)
class Estimate:
    """Mean (...,), its standard error (...,), and the number of samples behind it."""

    mean: Array
    error: Array
    samples: int


def average(samples: ArrayLike) -> Estimate:
    """Mean over independent samples (n, ...) with its error; the error is nan for one sample."""
    samples = np.asarray(samples, float)
    n = len(samples)
    error = binned_error(samples) if n > 1 else np.full(samples.shape[1:], np.nan)
    return Estimate(samples.mean(axis=0), error, n)


def covariance(samples: ArrayLike) -> Array:
    """Covariance (m, m) of the mean of samples (n, m); ValueError for fewer than two samples."""
    samples = np.asarray(samples, float)
    if len(samples) < 2:
        raise ValueError(f"n_samples = {len(samples)}: a covariance needs at least 2 samples")
    deviation = samples - samples.mean(axis=0)
    return np.asarray(deviation.T @ deviation / (len(samples) * (len(samples) - 1)))


def jackknife(function: Callable[..., ArrayLike], *samples: ArrayLike) -> Estimate:
    """Estimate of function(mean of each array), arrays (n, ...) sharing their n samples.

    Returns the bias-corrected value and the delete-one jackknife error; nan error for one sample.
    """
    arrays = [np.asarray(a, float) for a in samples]
    n = len(arrays[0])
    means = [a.mean(axis=0) for a in arrays]
    whole = np.asarray(function(*means), float)
    if n < 2:
        return Estimate(whole, np.full(whole.shape, np.nan), n)
    parts = np.array([
        function(*[(n * m - a[i]) / (n - 1) for m, a in zip(means, arrays, strict=True)]) for i in range(n)
    ])
    centre = parts.mean(axis=0)
    error = np.sqrt((n - 1) / n * np.sum((parts - centre) ** 2, axis=0))
    return Estimate(n * whole - (n - 1) * centre, error, n)


def squared_mean(bins: ArrayLike) -> Array:
    """Unbiased <B>^2 from independent bins (..., n_bins): the mean over pairs of different bins."""
    bins = np.asarray(bins, float)
    n = bins.shape[-1]
    return np.asarray((bins.sum(axis=-1) ** 2 - (bins**2).sum(axis=-1)) / (n * (n - 1)))
