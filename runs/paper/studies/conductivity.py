"""The low-frequency conductivity at p_c by size and temperature, and its limit of large arrays.

sigma_low = beta^2 Lambda(beta/2)/pi of an array depends on L over the thermal length. So arrays of several
sizes are compared at one temperature: where the two largest agree, their value is that of a large array.
The rule was written before the sizes L = 32 and 48 were simulated.
"""

import math
from collections.abc import Iterable, Mapping

from sitqmc.estimate import Estimate
from sitqmc.runs.paper.studies.study import ReducedPoint

AGREE_ERRORS, AGREE_SHARE = 2.0, 0.1
"""Sizes agree if they differ by less than this number of standard errors and this share of the value."""


def critical_conductivities(points: Iterable[ReducedPoint]) -> dict[float, dict[int, Estimate]]:
    """Return sigma_low in 4e^2/h of points at p_c, by beta in 1/E_J and by L, both ascending."""
    found: dict[float, dict[int, Estimate]] = {}
    for point in sorted(points, key=lambda q: (q.model.beta, q.model.Lx)):
        if point.sigma_low.is_known:
            found.setdefault(point.model.beta, {})[point.model.Lx] = point.sigma_low
    return found


def large_array_limits(found: Mapping[float, Mapping[int, Estimate]]) -> dict[float, Estimate]:
    """Return sigma_low of a large array by beta, where the two largest sizes agree.

    The value is that of the largest size; its error includes the difference between both sizes.
    """
    limits = {}
    for beta, by_size in found.items():
        if len(by_size) < 2:
            continue
        small, large = (by_size[L] for L in sorted(by_size)[-2:])
        apart = abs(large.value - small.value)
        scatter = math.hypot(small.error, large.error)
        if apart <= min(AGREE_ERRORS * scatter, AGREE_SHARE * abs(large.value)):
            limits[beta] = Estimate(large.value, math.hypot(large.error, apart))
    return limits


def linear_limits(found: Mapping[float, Mapping[int, Estimate]]) -> dict[float, Estimate]:
    """Return sigma_low for L -> infinity by beta, on a line in 1/L through the two largest sizes."""
    return {beta: _line(by_size) for beta, by_size in found.items() if len(by_size) > 1}


def _line(by_size: Mapping[int, Estimate]) -> Estimate:
    small, large = sorted(by_size)[-2:]
    share = small / (large - small)  # value of L = inf: large + share (large - small)
    one, other = by_size[small], by_size[large]
    return Estimate(
        other.value + share * (other.value - one.value),
        math.hypot((1 + share) * other.error, share * one.error),
    )
