"""Standard error of a measured column from its scatter about a locally smooth curve."""

import numpy as np

from sitqmc.analytic.units import Array

POINTS = 12
"""Fewest points from which an error is estimated."""

# Third differences remove a local parabola; white noise gets 1 + 9 + 9 + 1 = 20 times its variance.
GAIN = 20.0


def scatter_error(values: Array) -> float:
    """Return the standard error of white noise on a curve sampled evenly and densely.

    The median of third differences is used, so single outliers and steps do not enter.
    values  shape (n,), at least POINTS entries
    raises  ValueError for fewer points
    """
    if values.size < POINTS:
        raise ValueError(
            f"{values.size} points: at least {POINTS} are needed to estimate an error from the scatter"
        )
    third = np.abs(np.diff(values, 3))
    return float(np.median(third) / 0.6744897501960817 / GAIN**0.5)
