"""Checks of arguments. Every message names the argument, its value, the bound and the unit."""

import math

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.units import Array


def checked_frequencies(nu_thz: ArrayLike) -> Array:
    """Return frequencies in THz as a float array of the same shape.

    raises  ValueError unless all frequencies are positive and finite
    """
    nu = np.asarray(nu_thz, dtype=float)
    bad = ~((nu > 0) & np.isfinite(nu))
    if bad.any():
        raise ValueError(f"nu_thz = {nu[bad].flat[0]}: frequencies must be positive and finite, in THz")
    return nu


def checked_scalar(
    name: str, value: float, *, above: float | None = None, at_least: float | None = None,
    infinite: bool = False,
) -> float:  # fmt: skip
    """Return a real number that lies within its bounds.

    raises  ValueError with name, value and bound otherwise; NaN is always refused
    """
    number = float(value)
    if above is not None and not number > above:
        raise ValueError(f"{name} = {number}: must be > {above:g}")
    if at_least is not None and not number >= at_least:
        raise ValueError(f"{name} = {number}: must be >= {at_least:g}")
    if math.isnan(number) or (math.isinf(number) and not infinite):
        raise ValueError(f"{name} = {number}: must be finite")
    return number
