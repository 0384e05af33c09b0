"""Distances of known truths from the numbers read off a spectrum, in units of their errors."""

from __future__ import annotations

import numpy as np

from sitqmc.continuation import sinh_grid
from sitqmc.continuation.spectrum.features import find_peaks, half_width, onset

FINE = sinh_grid(300.0, 0.5, 6000)
NOISES = (1e-2, 1e-3, 1e-4, 1e-5)
OPEN_TAIL = ", open tail"


def pulls(case, s) -> dict[str, float]:
    """Return the distance of the truth of every quantity in units of its error on that side.

    Integrals that depend on the tail above the data are quantities of their own.
    """
    fine, A = FINE.omega, case.truth(FINE.omega)
    x = A * FINE.weights
    quarter, middle = (float(np.interp(q, np.cumsum(x) / x.sum(), fine)) for q in (0.25, 0.5))
    found = {
        "dc": (s.dc(), A[0]), "weight, lower quarter": (s.weight(0.0, quarter), x[fine <= quarter].sum()),
        "weight, lower half": (s.weight(0.0, middle), x[fine <= middle].sum()),
        "soft weight": (s.functional(soft(s.omega, middle)), x @ soft(fine, middle)),
        open_tail(s, "first moment", s.omega): (s.functional(s.omega), x @ fine),
    }  # fmt: skip
    threshold = onset(fine, A)
    if threshold > 0.0:      # a spectrum that is large at zero frequency has none
        found["onset"] = (s.interval(onset), threshold)
    peaks, own = find_peaks(fine, A, 0.1), s.peaks(0.1, limit=1)
    if peaks and own:
        found["peak"] = (own[0].position, peaks[0].position)
        found["half width"] = (s.interval(half_width), peaks[0].width)
    if s.kind == "rho_iw":
        found["D_s"] = (s.stiffness, case.stiffness)
        name = open_tail(s, "f-sum", np.ones_like(s.omega))
        found[name] = (s.sum_rule.found, case.stiffness + 2 / np.pi * x.sum())
    else:
        found[open_tail(s, "weight", np.ones_like(s.omega))] = (s.weight(), x.sum())
    out = {}
    for name, (estimate, exact) in found.items():
        low, high = estimate.interval()
        side = high - estimate.value if exact > estimate.value else estimate.value - low
        out[name] = float((exact - estimate.value) / max(side, 1e-12 * abs(exact), 1e-300))
    return {name: pull for name, pull in out.items() if np.isfinite(pull)}


def open_tail(s, name: str, g: np.ndarray) -> str:
    """Return the name of an integral, marked where the tail above the data decides about it."""
    return name + OPEN_TAIL if s.depends_on_tail(g) else name


def central(weights: np.ndarray) -> np.ndarray:
    """Return which nodes hold the central 98 % of the weight."""
    total = np.cumsum(weights) / weights.sum()
    return (total > 0.01) & (total < 0.99)


def soft(omega, middle):
    """Return the weight function of an integral with a soft end at `middle`."""
    return 1.0 / (1.0 + (omega / middle) ** 2)
