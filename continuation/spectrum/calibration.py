"""Factors on the errors of single spectra, learned from synthetic spectra with known truth.

An error from posterior samples of the process is right on average only if truths are distributed like the
prior. The factor exp(a + b x) makes 68 % intervals hold the truth in 68 % of the cases on the spectra that
taught it; x = log10(signal/noise) - CENTRE, and signal/noise is the length of the whitened data.

`python benchmarks/continuation_calibration.py` learns the table from its stored records, or makes these anew.
"""

from __future__ import annotations

import numpy as np

CENTRE = 3.3
RANGE = (-1.8, 1.8)              # of x; beyond it the factor is that at the end

TABLE: dict[str, tuple[float, float]] = {
    "functional": (-0.08, 0.02),
    "dc": (-0.44, 0.19),
    "half width": (0.04, 0.01),
}
"""Quantity -> (a, b)."""


def error_factor(quantity: str, signal_to_noise: float) -> float:
    """Return the factor on the error of a quantity of `TABLE`; 1 for others."""
    a, b = TABLE.get(quantity, (0.0, 0.0))
    x = np.log10(max(signal_to_noise, 1e-300)) - CENTRE
    return float(np.exp(a + b * np.clip(x, *RANGE)))
