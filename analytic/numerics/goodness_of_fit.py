"""Goodness of fit: does the model describe the data within their errors? Plain words, with the numbers.

Two tests that fail in different ways: chi^2 sees residuals that are too large, the lag-one correlation along
frequency sees residuals that are systematic even if small.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from sitqmc.analytic.units import Array

P_MIN = 1e-3  # below: the model is rejected
Z_MAX = 4.0  # lag-one correlation in standard deviations


@dataclass(frozen=True)
class FitQuality:
    """chi2 with dof degrees of freedom, its p-value, z of the lag-one correlation, and the conclusion."""

    chi2: float
    dof: int
    p_value: float
    correlation_z: float
    fits: bool
    text: str


def lag_one_z(residuals: list[Array]) -> float:
    """Lag-one correlation of standardised residuals, over its error 1/sqrt(n), all sequences together."""
    products = sum(float(np.sum(r[1:] * r[:-1])) for r in residuals)
    power = sum(float(np.sum(r**2)) for r in residuals)
    count = sum(r.size - 1 for r in residuals)
    return products / power * count**0.5 if power > 0 else 0.0


def assess_fit(residuals: list[Array], prior_residuals: Array, n_free: int) -> FitQuality:
    """Assess standardised residuals.

    residuals        one sequence, ordered in frequency, per measured column
    prior_residuals  (value - prior)/width of every parameter with a prior; each counts as one datum
    raises ValueError if there are no more data than free parameters
    """
    count = sum(r.size for r in residuals) + prior_residuals.size
    dof = count - n_free
    if dof < 1:
        raise ValueError(f"{count} data for {n_free} free parameters: nothing is left to test")
    chi2 = sum(float(np.sum(r**2)) for r in residuals) + float(np.sum(prior_residuals**2))
    p_value, z = float(chi2_distribution.sf(chi2, dof)), lag_one_z(residuals)
    reasons = []
    if p_value < P_MIN:
        chance = f"p = {p_value:.1e}" if p_value > 0 else "p < 1e-300"
        reasons.append(f"chi2/dof = {chi2 / dof:.2f} ({chance})")
    if abs(z) > Z_MAX:
        reasons.append(f"residuals correlated along the scan (z = {z:.1f})")
    text = f"fits: chi2/dof = {chi2 / dof:.2f}"
    if reasons:
        text = f"the model does NOT fit: {', '.join(reasons)}"
    return FitQuality(chi2, dof, p_value, z, not reasons, text)
