"""Factors on the errors of single spectra, learned from synthetic spectra with known truth.

An error from posterior samples of the process is right on average only if truths are distributed like the
prior. Factors make 68 % intervals hold the truth in 68 % of the cases, on average over kinds of spectra that
taught nothing: all kinds of the teaching set have the same weight, and the quantile allows for their number.
The coverage still differs between kinds. Below, x = log10(signal/noise) - CENTRE, where signal/noise is the
length of the whitened data, and u = ln(resolution/omega).

`python benchmarks/continuation_calibration.py` learns both tables from its stored records, or makes these
anew.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.kernels.kernels import Array

CENTRE = 3.3
RANGE = (-1.8, 1.8)              # of x; beyond it the factor is that at the end
RESOLVED = (-1.5, 1.0)           # of u, in the same sense

TABLE: dict[str, tuple[float, float]] = {
    "functional": (0.07, 0.1),
    "constant": (0.1, 0.08),
    "peak": (-0.09, 0.01),
    "half width": (0.1, 0.05),
    "onset": (0.29, 0.15),
    "feature": (0.12, 0.09),
}
"""Quantity -> (a, b): the factor exp(a + b x) on the error of a number."""

POINTWISE = (-0.35, -0.1, -1.2, 0.23, 0.15)
"""(a, b, c, d, e): the factor exp(a + b x + c min(u, 0) + (d + e x) max(u, 0)) on the width of the pointwise
band in standard errors of a normal law."""


def error_factor(quantity: str, signal_to_noise: float) -> float:
    """Return the factor on the error of a quantity of `TABLE`; 1 for others."""
    return float(np.exp(np.dot(TABLE.get(quantity, (0.0, 0.0)), (1.0, clipped(signal_to_noise)))))


def pointwise_factor(omega: Array, resolution: Array, signal_to_noise: float) -> Array:
    """Return the factor (omega,) on the width of the pointwise band in units of the normal deviate."""
    return np.asarray(np.exp(pointwise_terms(omega, resolution, signal_to_noise) @ POINTWISE))


def pointwise_terms(omega: Array, resolution: Array, signal_to_noise: float) -> Array:
    """Return what the logarithm of `pointwise_factor` is linear in, (omega, 5)."""
    u = np.clip(np.log(resolution / np.maximum(np.abs(omega), 1e-300)), *RESOLVED)
    x = clipped(signal_to_noise)
    unresolved = np.maximum(u, 0.0)
    one = np.ones_like(u)
    return np.column_stack([one, x * one, np.minimum(u, 0.0), unresolved, x * unresolved])


def clipped(signal_to_noise: float) -> float:
    """Return x within the range that taught the factors."""
    return float(np.clip(np.log10(max(signal_to_noise, 1e-300)) - CENTRE, *RANGE))
