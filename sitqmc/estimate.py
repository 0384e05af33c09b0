"""A value with its error: the one type that all rooms of the package share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "concise"]

Array = NDArray[np.float64]

NORMAL_SCORES = {0.68: 1.0, 0.95: 1.959964}
"""Standard errors per half interval; 68 % is taken as one standard error, as in the tables."""


UNRESOLVED = 10.0
"""A value smaller than its error divided by this is printed as zero: none of its digits is known."""

MOST_SHOWN = 6
"""Values of a longer array are not all shown at the end of a cell."""

LARGEST = 1e7
"""Numbers from here on are printed with a power of ten."""


def concise(value: float, error: float) -> str:
    """Return `value` with two digits of `error` in units of the last digit: 0.3412(21).

    Value and error are rounded to the second digit of the error, left of the decimal point too: 700(350).
    A value without a finite error is "n.r." (not resolved): its digits would mean nothing. A value whose
    error is more than ten times larger is printed as zero within its error: 696 +- 8290 is 0(8300).
    """
    if not (math.isfinite(value) and math.isfinite(error)):
        return "n.r."
    if error <= 1e-14 * abs(value) or error == 0:        # exact up to rounding
        return f"{value:.4g}(0)"
    largest = max(abs(value), error)
    if largest >= LARGEST:
        power = math.floor(math.log10(largest))
        return f"{concise(value / 10.0**power, error / 10.0**power)}e{power:+d}"
    if error > UNRESOLVED * abs(value):
        value = 0.0
    place = math.floor(math.log10(error)) - 1            # decimal place of the second digit of the error
    if round(error / 10.0**place) >= 100:                # 0.0996 rounds to 0.10, two digits still
        place += 1
    if place > 0:
        unit = 10**place
        return f"{round(value / unit) * unit}({round(error / unit) * unit})"
    return f"{value:.{-place}f}({round(error * 10.0**-place)})"


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error; all fields are scalars, or arrays of one shape.

    value        the best value
    error        one standard error; half the length of the 68 % interval where one is given; NaN if unknown
    low, high    ends of the 68 % interval where it is not symmetric, else None
    statistical  part of the error that comes from the data, where parts are known
    posterior    part that comes from what the data leave open (continuation), where known
    n            number of independent samples, where there is one
    found        share of the posterior in which the quantity exists at all (a peak may be absent)
    """

    value: Any
    error: Any
    low: Any = None
    high: Any = None
    statistical: Any = None
    posterior: Any = None
    n: int | None = None
    found: float = 1.0

    def __post_init__(self) -> None:
        shape = np.shape(self.value)
        for name in ("value", "error", "low", "high", "statistical", "posterior"):
            given = getattr(self, name)
            if given is None:
                continue
            if np.shape(given) != shape:
                raise ValueError(f"{name} of shape {np.shape(given)}: must have the shape {shape} of value")
            object.__setattr__(self, name, np.asarray(given, float) if shape else float(given))

    @classmethod
    def missing(cls) -> Estimate:
        """Return the estimate of a quantity that was not found: all NaN."""
        return cls(math.nan, math.nan, found=0.0)

    @classmethod
    def from_interval(cls, value: Any, low: Any, high: Any, *, found: float = 1.0) -> Estimate:
        """Return the estimate with the 68 % interval [low, high]; the error is half its length."""
        half = (np.asarray(high, float) - np.asarray(low, float)) / 2
        return cls(value, half, low, high, found=found)

    @property
    def is_known(self) -> bool:
        """Whether value and error are finite and the quantity exists in most of the posterior (scalars)."""
        return bool(np.all(np.isfinite(self.value)) and np.all(np.isfinite(self.error)) and self.found >= 0.5)

    def interval(self, coverage: float = 0.68) -> tuple[Any, Any]:
        """Return the central interval (low, high) of `coverage`, 0.68 or 0.95.

        An asymmetric interval is widened on each side in proportion.
        raises  ValueError for any other coverage
        """
        if coverage not in NORMAL_SCORES:
            raise ValueError(f"coverage = {coverage}: must be one of {', '.join(map(str, NORMAL_SCORES))}")
        z = NORMAL_SCORES[coverage]
        below = self.error if self.low is None else self.value - self.low
        above = self.error if self.high is None else self.high - self.value
        return self.value - z * below, self.value + z * above

    def __contains__(self, x: float) -> bool:
        """Whether x lies in the 68 % interval."""
        low, high = self.interval()
        return bool(low <= x <= high)

    def pull(self, other: Estimate | ArrayLike) -> Any:
        """Return (value - other) in combined standard errors; `other` without error is exact."""
        if isinstance(other, Estimate):
            difference, error = self.value - other.value, np.hypot(self.error, other.error)
        else:
            difference, error = self.value - np.asarray(other, float), np.asarray(self.error, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = difference / error
        return pull if np.shape(pull) else float(pull)

    def minus(self, other: Estimate) -> Estimate:
        """Return the difference of two independent values."""
        return Estimate(self.value - other.value, np.hypot(self.error, other.error))

    def over(self, other: Estimate) -> Estimate:
        """Return the ratio of two independent scalars; missing if `other` is zero."""
        if not other.value:
            return Estimate.missing()
        value = self.value / other.value
        return Estimate(value, math.hypot(self.error, value * other.error) / abs(other.value))

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate of `factor` times the quantity."""
        def times(x: Any, c: float) -> Any:
            return None if x is None else c * x

        low, high = times(self.low, factor), times(self.high, factor)
        if factor < 0:
            low, high = high, low
        size = abs(factor)
        return replace(
            self, value=factor * self.value, error=size * self.error, low=low, high=high,
            statistical=times(self.statistical, size), posterior=times(self.posterior, size),
        )  # fmt: skip

    def __getitem__(self, index: Any) -> Estimate:
        """Return the estimate of some components of an array."""
        def part(x: Any) -> Any:
            return None if x is None else x[index]

        if not np.shape(self.value):
            raise TypeError("an Estimate of a scalar has no components")
        return replace(
            self, value=self.value[index], error=self.error[index], low=part(self.low), high=part(self.high),
            statistical=part(self.statistical), posterior=part(self.posterior),
        )  # fmt: skip

    def __format__(self, spec: str) -> str:
        """f"{e}" is 0.3412(21) for a scalar, a list of these for an array; `spec` pads the text."""
        if np.shape(self.value):
            pairs = zip(np.ravel(self.value), np.ravel(self.error), strict=True)
            text = "[" + ", ".join(concise(float(v), float(e)) for v, e in pairs) + "]"
        else:
            text = concise(self.value, self.error)
        return format(text, spec)

    def __str__(self) -> str:
        return format(self, "")

    def __repr__(self) -> str:
        """Return the first and last values of a long array."""
        size = np.size(self.value)
        if size <= MOST_SHOWN:
            return f"Estimate({self})"
        value, error = np.ravel(self.value), np.ravel(self.error)
        ends = [concise(float(value[i]), float(error[i])) for i in (0, 1, 2, -1)]
        shape = " x ".join(map(str, np.shape(self.value)))
        return f"Estimate({shape} values: {', '.join(ends[:3])}, ..., {ends[3]})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"
