"""What a method reports about its regularisation: one entry per trial strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.result import Result


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
