"""What a method reports about its regularisation: one entry per trial strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.result import Result

IMPROBABLE = 3e-3
"""Probability of a larger chi^2 below which a fit is called poor: three standard errors."""


def degrees_of_freedom(n_data: int, n_effective: float) -> float:
    """Return the number of data minus that of the parameters they determine, at least 1."""
    return max(n_data - n_effective, 1.0)


def is_rejected(chi2: float, n_data: int, n_effective: float) -> bool:
    """Return whether noise alone makes a chi^2 this large with a probability below IMPROBABLE.

    A bound on chi^2 per degree of freedom would call every thirtieth good fit poor where five are left.
    """
    return bool(chdtrc(degrees_of_freedom(n_data, n_effective), chi2) < IMPROBABLE)


@dataclass(frozen=True)
class AlphaScan(Result):
    """Scan of the regularisation strength alpha (of the temperature Theta for stochastic sampling).

    All arrays have the shape (n_alpha,), in descending alpha; NaN where a method has no such number.
    chosen  index of the reported solution
    rule    how it was chosen
    """

    alpha: Array
    chi2: Array
    entropy: Array
    n_effective: Array
    log_evidence: Array
    curvature: Array
    chosen: int
    rule: str

    @classmethod
    def of_chi2(cls, alpha: Array, chi2: Array, chosen: int, rule: str) -> AlphaScan:
        """Return the scan of a method that knows chi^2 alone."""
        unknown = np.full(len(alpha), np.nan)
        return cls(alpha, chi2, unknown, unknown, unknown, unknown, chosen, rule)

    def weights(self) -> Array:
        """Return the posterior probabilities of the alphas (flat prior in ln alpha), sum 1."""
        w = np.exp(self.log_evidence - self.log_evidence.max())
        return w / w.sum()
