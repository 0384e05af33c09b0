"""Frequency scales of a correlator without continuation.

    f(w_n) = (rho(i w_n) - rho(0))/(rho(top) - rho(0)),   f(w_n) = (chi(0) - chi(i w_n))/(chi(0) - chi(top))

rise from 0 to 1 and are averages of w_n^2/(w^2 + w_n^2) over the spectrum. The frequency where f = 1/2 is a
scale of the spectrum: for a delta peak at omega it is omega, up to the finite top. The ratio of the
frequencies where f = 3/4 and 1/4 measures the width: 3 for a delta peak. For tau data f = 1 - C(tau)/C(first)
and the scale is ln(1/(1 - f))/tau, again omega for a delta peak far above the temperature, ratio of scales 1.
They are known to a percent where the position of a peak is not resolved.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.linear_system import characteristic_frequency
from sitqmc.continuation.data.resampling import replicas_of
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.estimate import Estimate


def midpoint_frequency(data: CorrelatorData) -> Estimate:
    """Return the frequency where f = 1/2, unit of 1/beta, with its statistical error.

    NaN if f does not reach 1/2 on the grid.
    raises  ValueError if n = 0 is missing from Matsubara data
    """
    return _with_error(data, lambda row: _scale_at(data, row, 0.5))


def quartile_ratio(data: CorrelatorData) -> Estimate:
    """Return the frequency where f = 3/4 over the frequency where f = 1/4, with its statistical error.

    3 for a delta peak in Matsubara data, larger for a broad spectrum. For tau data the early decay (f = 1/4)
    comes from high frequencies: the ratio is taken the other way round, 1 for a delta peak.
    raises  ValueError if n = 0 is missing from Matsubara data
    """
    high, low = (0.75, 0.25) if data.is_matsubara else (0.25, 0.75)
    return _with_error(data, lambda row: _scale_at(data, row, high) / _scale_at(data, row, low))


def scale_of(data: CorrelatorData) -> float:
    """Return the midpoint frequency, or the characteristic frequency where the midpoint is not measured."""
    if not data.two_sided and (not data.is_matsubara or np.any(data.grid == 0)):
        value = _scale_at(data, data.vector(), 0.5)
        if np.isfinite(value) and value > 0:
            return value
    return characteristic_frequency(data)


def _with_error(data: CorrelatorData, function):  # type: ignore[no-untyped-def]
    if data.two_sided:
        raise ValueError(f"kind {data.kind}: the midpoint frequency is defined for even spectra only")
    if data.is_matsubara and not np.any(data.grid == 0):
        raise ValueError(f"n from {data.grid.min():.0f}: the midpoint frequency needs n = 0, measure it")
    replicas = replicas_of(data)
    error = float(replicas.error(np.array([function(row) for row in replicas.vectors])))
    return Estimate(float(function(data.vector())), error, statistical=error)


def _scale_at(data: CorrelatorData, vector: Array, level: float) -> float:
    """Return the scale where f reaches a level, by linear interpolation; NaN if it does not."""
    order = np.argsort(data.grid, kind="stable")
    values = vector[: data.grid.size][order]
    if data.is_matsubara:
        axis = data.frequencies[order]
        top = vector[data.grid.size] if data.kinetic is not None else values[-1]
        f = (values - values[0]) / (top - values[0])
    else:
        # Only the first half: the second mirrors it.
        axis = data.grid[order]
        used = axis <= 0.5 * data.beta * (1.0 + 1e-12)
        axis, f = axis[used], 1.0 - values[used] / values[0]
    above = np.flatnonzero(f >= level)
    if above.size == 0 or above[0] == 0:
        return float("nan")
    i = int(above[0])
    found = axis[i - 1] + (axis[i] - axis[i - 1]) * (level - f[i - 1]) / (f[i] - f[i - 1])
    return float(found if data.is_matsubara else np.log(1.0 / (1.0 - level)) / (found - axis[0]))
