"""Numbers read off a spectrum: peaks, integrated weight, dc value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array

Feature = Callable[[Array, Array], float]     # (omega, values) -> a number, NaN where the spectrum lacks it


@dataclass(frozen=True)
class Value:
    """A number with its statistical error and, where known, the posterior spread of the continuation."""

    value: float
    stat_error: float
    posterior_error: float = 0.0

    @property
    def error(self) -> float:
        """Both added in quadrature."""
        return float(np.hypot(self.stat_error, self.posterior_error))


@dataclass(frozen=True)
class Peak:
    """A local maximum: position, height, full width at half height, prominence (height above the saddle)."""

    position: float
    height: float
    width: float
    prominence: float


def _vertex(x: Array, y: Array) -> tuple[float, float]:
    """Maximum of the parabola through three points; the middle one if it is not inside."""
    d1, d2 = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    curvature = (d2 - d1) / (x[2] - x[0])
    if not curvature < 0:
        return float(x[1]), float(y[1])
    top = 0.5 * (x[0] + x[1]) - 0.5 * d1 / curvature
    if not x[0] <= top <= x[2]:
        return float(x[1]), float(y[1])
    return float(top), float(y[0] + d1 * (top - x[0]) + curvature * (top - x[0]) * (top - x[1]))


def _crossing(x: Array, y: Array, level: float) -> float | None:
    """First x, walking from the start, where y falls to `level`, by linear interpolation; None if never."""
    below = np.flatnonzero(y <= level)
    if below.size == 0:
        return None
    i = int(below[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (y[i - 1] - level) / (y[i - 1] - y[i]))


def _width(x: Array, y: Array, i: int, height: float) -> float:
    """Full width at half height; the side that reaches half height is doubled if only one does."""
    right = _crossing(x[i:], y[i:], 0.5 * height)
    left = _crossing(x[i::-1], y[i::-1], 0.5 * height)
    if left is None and right is None:
        return float(x[-1] - x[0])
    if left is None or right is None:
        return 2.0 * abs(float((left if right is None else right) or 0.0) - float(x[i]))
    return right - left


def _prominence(y: Array, i: int) -> float:
    """Height above the higher of the two lowest points that separate it from anything higher."""
    higher = y > y[i]
    left = np.flatnonzero(higher[:i])
    right = np.flatnonzero(higher[i + 1 :])
    low_left = y[(int(left[-1]) if left.size else 0) : i + 1].min()
    low_right = y[i : (i + 2 + int(right[0]) if right.size else len(y))].min()
    if left.size == 0 and right.size:
        return float(y[i] - low_right)
    if right.size == 0 and left.size:
        return float(y[i] - low_left)
    return float(y[i] - max(low_left, low_right))


def find_peaks(omega: Array, values: Array, min_prominence: float = 0.02) -> list[Peak]:
    """Local maxima at omega > 0, most prominent first; prominence at least that share of the maximum."""
    rising, falling = values[1:-1] > values[:-2], values[1:-1] >= values[2:]
    found = []
    for i in np.flatnonzero(rising & falling) + 1:
        prominence = _prominence(values, int(i))
        if prominence < min_prominence * values.max():
            continue
        position, height = _vertex(omega[i - 1 : i + 2], values[i - 1 : i + 2])
        found.append(Peak(position, height, _width(omega, values, int(i), height), prominence))
    return sorted(found, key=lambda p: -p.prominence)


def peak_near(omega: Array, values: Array, position: float) -> tuple[float, float]:
    """(position, height) of the local maximum reached by climbing from `position`."""
    i = int(np.clip(np.searchsorted(omega, position), 1, len(omega) - 2))
    while True:
        best = i - 1 + int(np.argmax(values[i - 1 : i + 2]))
        if best == i or not 1 <= best <= len(omega) - 2:
            break
        i = best
    return _vertex(omega[i - 1 : i + 2], values[i - 1 : i + 2])


def window_weights(omega: Array, low: float, high: float) -> Array:
    """Weights (omega,) whose product with values is the integral of their interpolant over [low, high]."""
    if not low < high:
        raise ValueError(f"window [{low}, {high}]: the lower end must be below the upper one")
    a, b = omega[:-1], omega[1:]
    lo, hi = np.clip(low, a, b), np.clip(high, a, b)
    # The integral of each node's hat function over its two cells, clipped to the window.
    right = ((hi - a) ** 2 - (lo - a) ** 2) / (2.0 * (b - a))
    left = ((b - lo) ** 2 - (b - hi) ** 2) / (2.0 * (b - a))
    return np.append(left, 0.0) + np.concatenate([[0.0], right])


@dataclass(frozen=True)
class Interval:
    """A number read off a spectrum with its own 68 % and 95 % interval (posterior, noise included).

    found   share of the posterior samples that have the feature at all
    """

    value: float
    low: float
    high: float
    low95: float
    high95: float
    found: float = 1.0

    @property
    def error(self) -> float:
        """Half the length of the 68 % interval."""
        return 0.5 * (self.high - self.low)

    def contains(self, value: float, level: int = 68) -> bool:
        """Whether a value lies in the 68 % or 95 % interval."""
        low, high = (self.low, self.high) if level == 68 else (self.low95, self.high95)
        return low <= value <= high


def interval(value: float, samples: Array, factor: float = 1.0) -> Interval:
    """Quantiles of samples (n,), NaN where the feature is missing, stretched by `factor` about the value."""
    present = samples[np.isfinite(samples)]
    if present.size < 2:
        return Interval(value, np.nan, np.nan, np.nan, np.nan, present.size / max(len(samples), 1))
    q = np.quantile(present, [0.02275, 0.158655, 0.841345, 0.97725])
    q = value + factor * (q - value)
    # The reported value belongs to its own interval.
    return Interval(
        value, float(min(q[1], value)), float(max(q[2], value)), float(min(q[0], value)),
        float(max(q[3], value)), present.size / len(samples),
    )  # fmt: skip


def onset(omega: Array, values: Array, level: float = 0.1) -> float:
    """Lowest frequency where A exceeds `level` of its largest value; 0 if it does so at omega = 0."""
    above = np.flatnonzero(values > level * values.max())
    i = int(above[0])
    if i == 0:
        return float(omega[0])
    y = level * values.max()
    return float(omega[i - 1] + (omega[i] - omega[i - 1]) * (y - values[i - 1]) / (values[i] - values[i - 1]))


def optical_gap(omega: Array, values: Array) -> float:
    """Where the tangent at the steepest rise below the lowest main peak crosses zero; NaN without a rise.

    Smearing an edge moves its onset but, to first order, not this tangent's foot.
    """
    main = [p for p in find_peaks(omega, values) if p.height > 0.3 * values.max()]
    if not main:
        return float("nan")
    top = int(np.searchsorted(omega, min(p.position for p in main)))
    slope = np.gradient(values[: top + 1], omega[: top + 1]) if top >= 2 else np.zeros(1)
    i = int(np.argmax(slope))
    if slope[i] <= 0:
        return float("nan")
    return float(max(omega[i] - values[i] / slope[i], 0.0))


def lowest_peak(omega: Array, values: Array, min_prominence: float = 0.1) -> float:
    """Position of the lowest peak at omega > 0 of at least this prominence; NaN if there is none.

    The spectrum must also fall by that much below the peak: a maximum of a Drude peak just above zero
    frequency is none.
    """
    drop = min_prominence * float(values.max())
    found = [
        p.position
        for p in find_peaks(omega, values, min_prominence)
        if p.height - float(values[omega <= p.position].min()) >= drop
    ]
    return min(found) if found else float("nan")
