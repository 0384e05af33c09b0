"""Whether chains are thermalised: halves of a chain, hot and cold starts, outliers and stuck windings."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.qmc.statistics.jackknife import Moments

Array = NDArray[np.float64]

SPREAD_KNOWN = 8
"""From so many samples on, their own spread gives the error of a mean difference."""


def thermalisation_z(bins: ArrayLike) -> Array:
    """Return z-scores (...,) of the first against the second half of bins (samples, n_bins, ...).

    The differences of all samples are averaged. Their spread gives the error from eight samples on; with
    fewer samples the spread of the bins gives it (n_bins >= 4 wanted).
    """
    bins = np.asarray(bins, float)
    half = bins.shape[1] // 2
    first, second = bins[:, :half], bins[:, -half:]
    return _difference_z(first, second)


def hot_cold_z(cold: ArrayLike, hot: ArrayLike) -> Array:
    """Return z-scores (...,) of cold against hot starts on the same samples.

    cold, hot  bins (samples, n_bins, ...); their difference is averaged over the samples. A drift that both
               starts share is seen by `thermalisation_z` only.
    """
    cold, hot = np.asarray(cold, float), np.asarray(hot, float)
    if cold.shape != hot.shape:
        raise ValueError(f"cold {cold.shape} and hot {hot.shape}: must have the same shape")
    return _difference_z(cold, hot)


def burn_in_bins(cold: ArrayLike, hot: ArrayLike, level: float = 3.5) -> int | None:
    """Return the number of leading bins to discard, after which both starts agree (max |z| < level).

    cold, hot  as in `hot_cold_z`
    returns    None if they still differ in the last quarter of the bins (at least 4)
    """
    cold, hot = np.asarray(cold, float), np.asarray(hot, float)
    total = cold.shape[1]
    for drop in range(total - max(4, total // 4) + 1):
        rest = slice(drop, None)
        # Tested also in the first quarter of the rest: late agreement would hide an early difference.
        early = slice(drop, drop + max(2, (total - drop) // 4))
        if all(np.abs(hot_cold_z(cold[:, s], hot[:, s])).max() < level for s in (rest, early)):
            return drop
    return None


def _difference_z(first: Array, second: Array) -> Array:
    """Return z-scores of the mean difference of two sets of bins (samples, n_bins, ...)."""
    sums = DifferenceSums()
    sums.add(first, second)
    return sums.z()


class DifferenceSums:
    """Sums over samples that tell whether two sets of bins (samples, n_bins, ...) agree, piece by piece."""

    def __init__(self) -> None:
        self.difference, self.thermal, self.largest = Moments(), np.zeros(()), 0.0

    def add(self, first: Array, second: Array) -> None:
        """Add both sets of bins of some samples."""
        if self.difference.n + len(first) < SPREAD_KNOWN:
            for half in (first, second):
                self.thermal = self.thermal + (half.var(axis=1, ddof=1) / half.shape[1]).sum(axis=0)
        self.difference.add(first.mean(axis=1) - second.mean(axis=1))
        self.largest = max(self.largest, float(np.abs(first).max()), float(np.abs(second).max()))

    def z(self) -> Array:
        """Return the z-scores (...,) of the mean difference."""
        few = self.difference.n < SPREAD_KNOWN
        error = np.sqrt(self.thermal) / self.difference.n if few else self.difference.error
        # Observables that cannot fluctuate (no spanning cluster, say) leave only rounding.
        still = error <= 1e-13 * self.largest
        return np.asarray(np.where(still, 0.0, self.difference.mean / np.where(still, 1.0, error)))


def outliers(samples: ArrayLike, threshold: float = 12.0) -> NDArray[np.int64]:
    """Return the numbers of the samples (n,) that are too far from the median.

    Disorder makes skew distributions. Each side of the median therefore has its own scale: its median
    deviation times 1.4826, the standard deviation of a normal distribution. A side without spread has no
    outliers.
    """
    samples = np.asarray(samples, float)
    deviation = samples - np.median(samples)
    z = np.zeros(len(samples))
    for side in (deviation > 0, deviation < 0):
        scale = 1.4826 * np.median(np.abs(deviation[side])) if side.sum() > 2 else 0.0
        if scale > 0:
            z[side] = np.abs(deviation[side]) / scale
    return np.flatnonzero(z > threshold)


def stuck_samples(bins: ArrayLike) -> NDArray[np.int64]:
    """Return the numbers of the samples whose squared winding, bins (samples, n_bins), is stuck.

    A constant value other than zero is always stuck. A sample without any winding is stuck only if all other
    samples wind in most of their bins: near an insulator windings are rare, and samples without any belong to
    the distribution.
    """
    return stuck_by_activity(winding_activity(bins))


def winding_activity(bins: ArrayLike) -> Array:
    """Return (samples, 3) for `stuck_by_activity`.

    Columns: whether all bins are equal, share of the bins that are not zero, whether the first is not zero.
    """
    bins = np.asarray(bins, float)
    return np.stack([np.ptp(bins, axis=1) == 0, np.mean(bins != 0, axis=1), bins[:, 0] != 0], axis=1)


def stuck_by_activity(activity: Array) -> NDArray[np.int64]:
    """Return the numbers of the stuck samples from `winding_activity`."""
    still = activity[:, 0] > 0
    lively = activity[~still, 1]
    gap = len(lively) > 0 and float(lively.min()) > 0.5
    return np.flatnonzero(still & (gap | (activity[:, 2] > 0)))
