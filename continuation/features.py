"""Numbers read off a spectrum: peaks, integrated weight, dc value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from continuation.kernels import Array


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
