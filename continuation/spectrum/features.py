"""Numbers read off a spectrum: peaks, thresholds, integrated weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.estimate import Estimate

LEAST_SIDE = 0.3                    # of an interval, relative to its other side
MAIN_PROMINENCE = 0.1               # of the main peak, relative to the largest value
Feature = Callable[[Array, Array], float]     # (omega, values) -> a number, NaN if the feature is missing


@dataclass(frozen=True)
class Peak:
    """Local maximum: position, height, full width at half height, prominence (height above the saddle)."""

    position: float
    height: float
    width: float
    prominence: float


def _vertex(x: Array, y: Array) -> tuple[float, float]:
    """Return the maximum of the parabola through three points, or the middle point if it lies outside."""
    d1, d2 = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    curvature = (d2 - d1) / (x[2] - x[0])
    if not curvature < 0:
        return float(x[1]), float(y[1])
    top = 0.5 * (x[0] + x[1]) - 0.5 * d1 / curvature
    if not x[0] <= top <= x[2]:
        return float(x[1]), float(y[1])
    return float(top), float(y[0] + d1 * (top - x[0]) + curvature * (top - x[0]) * (top - x[1]))


def _crossing(x: Array, y: Array, level: float) -> float | None:
    """Return the first x where y falls to `level`, by linear interpolation; None if it never does."""
    below = np.flatnonzero(y <= level)
    if below.size == 0:
        return None
    i = int(below[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (y[i - 1] - level) / (y[i - 1] - y[i]))


def _width(x: Array, y: Array, i: int, height: float) -> float:
    """Return the full width at half height; if only one side falls to half height, twice that side."""
    right = _crossing(x[i:], y[i:], 0.5 * height)
    left = _crossing(x[i::-1], y[i::-1], 0.5 * height)
    if left is None and right is None:
        return float(x[-1] - x[0])
    if left is None or right is None:
        return 2.0 * abs(float((left if right is None else right) or 0.0) - float(x[i]))
    return right - left


def _prominence(y: Array, i: int) -> float:
    """Return the height above the saddle: the higher minimum between the peak and higher values."""
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
    """Return local maxima at omega > 0, most prominent first.

    min_prominence  least prominence, relative to the largest value
    """
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
    """Return (position, height) of the local maximum reached by climbing from `position`."""
    i = int(np.clip(np.searchsorted(omega, position), 1, len(omega) - 2))
    while True:
        best = i - 1 + int(np.argmax(values[i - 1 : i + 2]))
        if best == i or not 1 <= best <= len(omega) - 2:
            break
        i = best
    return _vertex(omega[i - 1 : i + 2], values[i - 1 : i + 2])


def window_weights(omega: Array, low: float, high: float) -> Array:
    """Return weights (omega,): weights @ values is the integral of the interpolant over [low, high]."""
    if not low < high:
        raise ValueError(f"window [{low}, {high}]: the lower end must be below the upper one")
    a, b = omega[:-1], omega[1:]
    lo, hi = np.clip(low, a, b), np.clip(high, a, b)
    # Integral of the hat function of each node over its two cells, clipped to the window.
    right = ((hi - a) ** 2 - (lo - a) ** 2) / (2.0 * (b - a))
    left = ((b - lo) ** 2 - (b - hi) ** 2) / (2.0 * (b - a))
    return np.append(left, 0.0) + np.concatenate([[0.0], right])


def half_width(omega: Array, values: Array) -> float:
    """Return the full width of the most prominent peak at half height, NaN without a peak."""
    found = find_peaks(omega, values, MAIN_PROMINENCE)
    return found[0].width if found else float("nan")


def main_peak(omega: Array, values: Array) -> float:
    """Return the position of the most prominent peak, NaN without a peak."""
    found = find_peaks(omega, values, MAIN_PROMINENCE)
    return found[0].position if found else float("nan")


def feature_estimate(value: float, samples: Array, factor: float = 1.0) -> Estimate:
    """Return a number with its 68 % interval from posterior samples (n,), NaN if a sample lacks it.

    Each side of the interval is at least LEAST_SIDE times the other one, and both are multiplied by `factor`.
    The lower end is not below the value and all samples: most features are positive.
    """
    present = samples[np.isfinite(samples)]
    found = present.size / max(len(samples), 1)
    if present.size < 2:
        return Estimate.from_interval(value, np.nan, np.nan, found=found)
    low, high = np.quantile(present, [0.158655, 0.841345])
    below, above = max(value - float(low), 0.0), max(float(high) - value, 0.0)
    below, above = max(below, LEAST_SIDE * above), max(above, LEAST_SIDE * below)
    least = min(value, float(present.min()))
    return Estimate.from_interval(
        value, max(value - factor * below, least), value + factor * above, found=found
    )


def onset(omega: Array, values: Array, level: float = 0.1) -> float:
    """Return the lowest frequency where A exceeds `level` of its largest value; NaN for an empty spectrum."""
    above = np.flatnonzero(values > level * values.max())
    if above.size == 0:
        return float("nan")
    i = int(above[0])
    if i == 0:
        return float(omega[0])
    y = level * values.max()
    return float(omega[i - 1] + (omega[i] - omega[i - 1]) * (y - values[i - 1]) / (values[i] - values[i - 1]))


def optical_gap(omega: Array, values: Array) -> float:
    """Return the zero of the tangent at the steepest rise below the lowest main peak; NaN without a rise.

    Smearing an edge moves the onset but, to first order, not the foot of this tangent.
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
    """Return the position of the lowest peak at omega > 0 of at least this prominence, or NaN.

    The spectrum must also fall by the same amount below the peak: the maximum of a Drude peak just above
    zero frequency does not count.
    """
    drop = min_prominence * float(values.max())
    found = [
        p.position
        for p in find_peaks(omega, values, min_prominence)
        if p.height - float(values[omega <= p.position].min()) >= drop
    ]
    return min(found) if found else float("nan")
