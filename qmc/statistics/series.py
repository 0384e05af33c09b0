"""Error of the mean of one correlated series, by two independent routes: Gamma method and blocking."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

WINDOW = 1.5
"""S of the Gamma method: assumed ratio of exponential and integrated autocorrelation time."""

AGREEMENT = 4.0
"""Largest difference of the two errors, in its standard deviations, that `agree` lets pass."""


@dataclass(frozen=True)
class SeriesError:
    """Mean of a series and its error.

    error_of_error   standard deviation of `error` itself
    tau_int          integrated autocorrelation time, 0.5 for white noise, in steps of the series
    """

    mean: float
    error: float
    error_of_error: float
    tau_int: float
    tau_error: float


def _still(x: Array, deviation: Array) -> bool:
    """Return whether a series is constant up to rounding."""
    return len(x) < 4 or float(np.max(np.abs(deviation))) <= 1e-14 * max(1.0, float(np.max(np.abs(x))))


def _autocorrelation(deviation: Array) -> Array:
    """Return the autocovariance at lags 0 .. n/2 - 1."""
    n = len(deviation)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(deviation, size)) ** 2
    return np.asarray(np.fft.irfft(spectrum, size)[: n // 2] / np.arange(n, n - n // 2, -1))


def _window(rho: Array, n: int) -> int:
    """Return the first lag where the statistical error of tau_int exceeds the error of cutting the sum."""
    # Absolute values: an alternating series decays as slowly as its size does, not as its sum.
    excess = np.maximum(np.cumsum(np.abs(rho)) - 0.5, 0.5 + 1e-9)
    # 1/log of the ratio is the decay time of an exponential with this tau_int.
    decay = WINDOW / np.log((2 * excess + 1) / (2 * excess - 1))
    lag = np.arange(1, len(rho))
    beyond = np.flatnonzero(np.exp(-lag / decay[1:]) < decay[1:] / np.sqrt(lag * n))
    return int(lag[beyond[0]]) if len(beyond) else len(rho) - 1


def gamma_method(series: ArrayLike) -> SeriesError:
    """Return the error from the summed autocorrelation of `series` (n,), cut where bias and noise balance.

    A constant series has error 0 and tau_int 0.5. tau_int may fall below 0.5 (anticorrelation).
    Source: Wolff, Comput. Phys. Commun. 156, 143 (2004).
    """
    x = np.asarray(series, float)
    n, deviation = len(x), x - x.mean()
    if _still(x, deviation):
        return SeriesError(float(x.mean()), 0.0, 0.0, 0.5, 0.0)
    gamma = _autocorrelation(deviation)
    cut = _window(gamma / gamma[0], n)
    # The mean was taken from the same series: every gamma is low by the variance of the mean.
    summed = float(2 * gamma[: cut + 1].sum() - gamma[0])
    gamma = gamma[: cut + 1] + max(summed, 0.0) / n
    time = max(0.5 + float(np.sum(gamma[1:])) / float(gamma[0]), 1 / n)
    error = float(np.sqrt(2 * time * gamma[0] / n))
    return SeriesError(
        mean=float(x.mean()),
        error=error,
        error_of_error=error * float(np.sqrt((cut + 0.5) / n)),
        tau_int=time,
        tau_error=time * float(np.sqrt(4 * max(cut + 0.5 - time, 0.5) / n)),
    )


def blocking(series: ArrayLike) -> SeriesError:
    """Return the error from blocks of 1, 2, 4, ... steps, at the first size b^3 > 2 n (error_b/error_1)^4.

    At this size the remaining bias (1/b) is below the noise of the error (sqrt(b/n)). If no size is large
    enough, the largest with 8 blocks is taken, and error_of_error is large.
    Source: Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989); the size: Wolff's optimum as used by
    Lee et al., PRE 83, 066706 (2011).
    """
    x = np.asarray(series, float)
    n, mean = len(x), float(np.mean(x))
    if _still(x, x - mean):
        return SeriesError(mean, 0.0, 0.0, 0.5, 0.0)
    blocks, size, first = x, 1, 0.0
    while True:
        error = float(blocks.std(ddof=1) / np.sqrt(len(blocks)))
        first = first or error
        if size**3 > 2 * n * (error / first) ** 4 or len(blocks) < 16:
            break
        even = len(blocks) // 2 * 2
        blocks, size = (blocks[0:even:2] + blocks[1:even:2]) / 2, 2 * size
    relative = float(1 / np.sqrt(2 * (len(blocks) - 1)))
    tau = 0.5 * (error / first) ** 2
    return SeriesError(mean, error, error * relative, tau, tau * 2 * relative)


def agree(one: SeriesError, other: SeriesError) -> bool:
    """Return whether two errors of one series agree within AGREEMENT times their own uncertainty."""
    spread = float(np.hypot(one.error_of_error, other.error_of_error))
    return abs(one.error - other.error) <= AGREEMENT * spread
