"""Reactive conductivities at small frequency, from Matsubara data alone: no continuation is needed.

    superfluid   sigma(i w) -> 2 pi rho_s/w          insulator   sigma(i w) -> 2 pi C w       (in 4e^2/h)

Their product at mirror points of a clean transition, (2 pi)^2 rho_s C, is universal.
Source: Gazit, Podolsky, Auerbach, PRL 113, 240601 (2014).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.estimate import Estimate

Array = NDArray[np.float64]


def capacitance(rho: ArrayLike, frequency: ArrayLike) -> Estimate:
    """Return C of an insulator, rho(i w) -> C w^2, from rho at n = 0 .. 3.

    rho        (samples, >= 4), E_J
    frequency  (>= 4,), w_n
    returns    C in 1/E_J. The error covers the samples (jackknife), the order of the extrapolation
               (w^2/rho is a series in w^2: two or three terms), and whether the winding that a finite
               insulator still has at n = 0 is subtracted.
    raises     ValueError for fewer than four numbers n or two samples
    """
    table, w = np.asarray(rho, float), np.asarray(frequency, float)
    if table.ndim != 2 or min(table.shape[1], w.size) < 4 or len(table) < 2:
        raise ValueError(f"rho of shape {table.shape}: must be (samples >= 2, n >= 4)")
    choices = [(terms, subtract) for terms in (2, 3) for subtract in (False, True)]
    left_out = (table.sum(axis=0) - table) / (len(table) - 1)
    values = np.array([[_limit(mean, w, *choice) for choice in choices] for mean in left_out])
    best = values.mean(axis=1)
    spread = np.ptp([_limit(table.mean(axis=0), w, *choice) for choice in choices]) / 2
    noise = np.sqrt((len(table) - 1) * best.var())
    return Estimate(float(best.mean()), float(np.hypot(noise, spread)))


def _limit(rho: Array, w: Array, terms: int, subtract: bool) -> float:
    """Return C from the polynomial in w^2 through w^2/rho at n = 1 .. terms."""
    x = w[1 : terms + 1] ** 2
    y = x / (rho[1 : terms + 1] - (rho[0] if subtract else 0.0))
    return float(1 / np.polynomial.polynomial.polyfit(x, y, terms - 1)[0])


def reactive_product(rho_s: Estimate, C: Estimate) -> Estimate:
    """Return (2 pi)^2 rho_s C, the product of both conductivities in units of (4e^2/h)^2 for w -> 0."""
    product = (2 * np.pi) ** 2 * rho_s.value * C.value
    return Estimate(product, abs(product) * float(np.hypot(rho_s.error / rho_s.value, C.error / C.value)))
