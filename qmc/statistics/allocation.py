"""Where the error of a disorder average comes from, and how much more work a wanted error takes.

The mean over N samples with n bins each, bins of variance v and samples of variance d:

    variance = d/N + v/(N n),      cost = N (t + n)  in bins, t = thermalisation.

At fixed variance the cost is least for n = sqrt(v t/d), whatever the target.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.qmc.statistics.jackknife import Moments, covariance

Array = NDArray[np.float64]


@dataclass(frozen=True)
class VarianceComponents:
    """Sources of the error of a disorder mean, (...,) each, squared errors of the mean.

    total    between the sample means: everything
    thermal  part of `total` that is thermal noise; more sweeps per sample reduce it
    disorder what is left, d/N, without bias: may come out negative where the samples do not differ
    """

    total: Array
    thermal: Array
    samples: int
    bins: int

    @property
    def disorder(self) -> Array:
        return np.asarray(self.total - self.thermal)

    @property
    def thermal_fraction(self) -> Array:
        """Return thermal/total, (...,); 0 where nothing fluctuates."""
        still = self.total <= 0
        return np.asarray(np.where(still, 0.0, self.thermal / np.where(still, 1.0, self.total)))


def variance_components(bins: ArrayLike) -> VarianceComponents:
    """Return the components of independent bins (samples, bins, ...).

    raises  ValueError for fewer than two samples or two bins
    """
    sums = VarianceSums()
    sums.add(_two_levels(bins))
    return sums.components()


class VarianceSums:
    """Sums behind `variance_components` of bins (samples, bins, ...) that arrive in pieces."""

    def __init__(self) -> None:
        self.means, self.thermal, self.bins = Moments(), np.zeros(()), 0

    def add(self, bins: Array) -> None:
        """Add some samples."""
        self.means.add(bins.mean(axis=1))
        self.thermal = self.thermal + bins.var(axis=1, ddof=1).sum(axis=0)
        self.bins = bins.shape[1]

    def components(self) -> VarianceComponents:
        """Return the components of all samples; at least two samples are needed."""
        n, m = self.means.n, self.bins
        return VarianceComponents(self.means.variance / n, np.asarray(self.thermal / n / (n * m)), n, m)


def covariance_components(bins: ArrayLike) -> VarianceComponents:
    """Return the components as covariances (k, k) of the mean, for bins (samples, bins, k)."""
    bins = _two_levels(bins)
    n, m = bins.shape[:2]
    deviation = bins - bins.mean(axis=1, keepdims=True)
    thermal = np.einsum("sbi,sbj->ij", deviation, deviation) / (n * m * n * (m - 1))
    return VarianceComponents(covariance(bins.mean(axis=1)), np.asarray(thermal), n, m)


@dataclass(frozen=True)
class Allocation:
    """Cheapest split of the work into samples and bins that reaches an error.

    samples, bins  disorder samples, and bins in each after thermalisation
    cost           in bins, thermalisation included
    error          expected error
    saving         cost of the same error with the bins of the pilot, over `cost` (>= 1)
    warnings       one line for each number that is a bound and no optimum
    """

    samples: int
    bins: int
    cost: int
    error: float
    saving: float
    warnings: tuple[str, ...] = ()


def allocate_effort(
    bins: ArrayLike, target_error: float, *, therm_bins: float, max_bins: int = 4096, min_samples: int = 8
) -> Allocation:
    """Return the best samples x bins for `target_error`, from pilot bins (samples, bins) of one observable.

    therm_bins  cost of thermalising one sample, in bins
    max_bins    longest chain considered: clean systems would want a single endless one
    """
    if not (target_error > 0 and math.isfinite(target_error)):
        raise ValueError(f"target_error = {target_error}: must be positive and finite")
    if not therm_bins >= 0:
        raise ValueError(f"therm_bins = {therm_bins}: must be at least 0")
    c = variance_components(np.asarray(bins, float))
    v = float(c.thermal) * c.samples * c.bins
    d = max(float(c.disorder) * c.samples, 0.0)

    def samples_for(n: int) -> int:
        return max(min_samples, math.ceil((d + v / n) / target_error**2))

    best = math.sqrt(v * therm_bins / d) if d > 0 else math.inf
    n = max(1, round(min(best, max_bins)))
    samples = samples_for(n)
    # Where min_samples decides, shorter chains may reach the error.
    if samples == min_samples and v > 0 and target_error**2 * samples > d:
        n = min(n, max(1, math.ceil(v / (target_error**2 * samples - d))))
    cost = samples * (therm_bins + n)
    pilot = samples_for(c.bins) * (therm_bins + c.bins)
    warnings = []
    if best > max_bins and n == max_bins:
        warnings.append(f"bins = {n}: at its bound max_bins; longer chains would cost less")
    if samples == min_samples:
        warnings.append(f"samples = {samples}: at its bound min_samples; fewer would reach the error")
    error, saving = math.sqrt((d + v / n) / samples), max(1.0, pilot / cost)
    return Allocation(samples, n, math.ceil(cost), error, saving, tuple(warnings))


@dataclass(frozen=True)
class NoiseSource:
    """Sources of the variance of one average, per disorder sample.

    disorder  variance between samples that estimators leave
    thermal   variance of one measurement, thermal noise, tau_int included
    """

    name: str
    disorder: float
    thermal: float

    def cost(self, n: float, therm: float) -> float:
        """Return the cost of a fixed error with n measurements a sample, up to a factor."""
        return (therm + n) * (self.disorder + self.thermal / n)

    def best(self, therm: float, most: float) -> float:
        """Return the cheapest number of measurements, at most `most`."""
        return math.sqrt(self.thermal * therm / self.disorder) if self._ends(therm, most) else most

    def _ends(self, therm: float, most: float) -> bool:
        return self.disorder * most**2 > self.thermal * therm


@dataclass(frozen=True)
class Balance:
    """Measurements of every sample that serve several averages.

    measurements  per sample
    excess        cost over that of the best number for each average, by name
    saving        the same ratio for the measurements of the pilot, over `excess`
    """

    measurements: int
    excess: dict[str, float]
    saving: dict[str, float]


def balance_effort(
    sources: Sequence[NoiseSource], *, therm: float, pilot: int, most: int = 4096, least: int = 16
) -> Balance:
    """Return the number of measurements whose largest excess of cost over all averages is least.

    therm   cost of thermalisation, in measurements
    pilot   measurements of the samples at hand
    raises  ValueError without sources
    """
    if not sources:
        raise ValueError("no sources of noise: give one for each average")

    def excess(s: NoiseSource, n: float) -> float:
        low = max(s.cost(s.best(therm, most), therm), 1e-300)
        return s.cost(n, therm) / low

    grid = np.unique(np.round(np.geomspace(least, most, 200)).astype(int))
    n = int(grid[np.argmin([max(excess(s, float(k)) for s in sources) for k in grid])])
    there = {s.name: excess(s, float(n)) for s in sources}
    return Balance(n, there, {s.name: excess(s, float(pilot)) / there[s.name] for s in sources})


def missing_bins(bins: ArrayLike, target_error: float) -> NDArray[np.int64]:
    """Return the bins still missing in each sample, (samples,), until its thermal error is `target_error`.

    bins  (samples, bins) of one observable, independent.
    """
    bins = np.asarray(bins, float)
    needed = np.ceil(bins.var(axis=1, ddof=1) / target_error**2)
    return np.maximum(needed - bins.shape[1], 0).astype(np.int64)


def missing_samples(samples: ArrayLike, target_error: float) -> int:
    """Return the samples still missing until the disorder mean of samples (n,) has `target_error`."""
    samples = np.asarray(samples, float)
    return max(0, math.ceil(samples.var(ddof=1) / target_error**2) - len(samples))


def _two_levels(bins: ArrayLike) -> Array:
    bins = np.asarray(bins, float)
    if bins.ndim < 2 or bins.shape[0] < 2 or bins.shape[1] < 2:
        raise ValueError(
            f"bins of shape {bins.shape}: separating noise from disorder needs at least 2 samples of 2 bins"
        )
    return bins
