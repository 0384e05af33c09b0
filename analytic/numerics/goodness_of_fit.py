"""Goodness of fit: tests whether a model describes the data within their errors.

Two tests are made. chi^2 detects residuals that are too large. The correlation of neighbouring residuals
detects systematic deviations even where every single residual is small.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from sitqmc.analytic.units import Array
from sitqmc.result import Result

P_MIN = 1e-3
"""A model with a smaller p-value is rejected."""

Z_MAX = 4.0
"""Largest accepted correlation of neighbouring residuals, in standard deviations."""


@dataclass(frozen=True)
class FitQuality(Result):
    """Result of both tests.

    chi2, dof      chi^2 and the number of degrees of freedom
    p_value        probability of a larger chi^2 if the model is right
    correlation_z  correlation of neighbouring residuals in standard deviations
    fits           whether the model passes both tests
    text           the result as a sentence
    """

    chi2: float
    dof: int
    p_value: float
    correlation_z: float
    fits: bool
    text: str

    @property
    def reduced_chi2(self) -> float:
        """chi^2 per degree of freedom."""
        return self.chi2 / self.dof


def lag_one_z(residuals: list[Array]) -> float:
    """Return the correlation of neighbouring residuals in units of its error 1/sqrt(n)."""
    products = sum(float(np.sum(r[1:] * r[:-1])) for r in residuals)
    power = sum(float(np.sum(r**2)) for r in residuals)
    count = sum(r.size - 1 for r in residuals)
    return products / power * count**0.5 if power > 0 else 0.0


def assess_fit(residuals: list[Array], prior_residuals: Array, n_free: int) -> FitQuality:
    """Test standardised residuals.

    residuals        one array per measured column, ordered in frequency
    prior_residuals  (value - prior)/width of every parameter with a prior; each counts as one datum
    n_free           number of fitted parameters
    raises           ValueError if there are no more data than free parameters
    """
    count = sum(r.size for r in residuals) + prior_residuals.size
    dof = count - n_free
    if dof < 1:
        raise ValueError(f"{count} data for {n_free} free parameters: no degree of freedom is left; fix some")
    chi2 = sum(float(np.sum(r**2)) for r in residuals) + float(np.sum(prior_residuals**2))
    p_value, z = float(chdtrc(dof, chi2)), lag_one_z(residuals)
    reasons = []
    if p_value < P_MIN:
        p_text = f"p = {p_value:.1e}" if p_value > 0 else "p < 1e-300"
        reasons.append(f"chi2/dof = {chi2 / dof:.2f} ({p_text})")
    if abs(z) > Z_MAX:
        reasons.append(f"residuals correlated along the scan (z = {z:.1f})")
    text = f"fits: chi2/dof = {chi2 / dof:.2f}"
    if reasons:
        text = f"the model does NOT fit: {', '.join(reasons)}"
    return FitQuality(chi2, dof, p_value, z, not reasons, text)
