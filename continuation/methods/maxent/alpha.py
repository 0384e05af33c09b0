"""Choice of the regularisation strength alpha from a scan, by a named rule."""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.maxent.maxent import MaxEntPoint
from sitqmc.continuation.options import RULES, AlphaRule
from sitqmc.continuation.spectrum.diagnostics import AlphaScan

CHI2_WINDOW = 3.0     # the corner must fit as well as the best fit within this many sqrt(2 m) plus 10 %


def log_curvature(alpha: Array, chi2: Array) -> Array:
    """Return the curvature of lg chi^2 against equidistant lg alpha, shape (n_alpha,); both ends are 0."""
    h = abs(np.log10(alpha[1] / alpha[0]))
    f = np.log10(np.maximum(chi2, 1e-300))
    slope, second, out = np.gradient(f, h), np.zeros_like(f), np.zeros_like(f)
    second[1:-1] = (f[2:] - 2.0 * f[1:-1] + f[:-2]) / h**2
    out[2:-2] = (second / (1.0 + slope**2) ** 1.5)[2:-2]
    return out


def _acceptable(chi2: Array, m: int) -> Array:
    """Return which alphas fit about as well as the best one: a corner elsewhere is a bad fit."""
    return chi2 <= 1.1 * chi2.min() + CHI2_WINDOW * np.sqrt(2.0 * m)


def choose(points: list[MaxEntPoint], rule: AlphaRule) -> AlphaScan:
    """Choose alpha by a rule: curvature (corner of chi^2), classic or bryan (largest evidence)."""
    if rule not in RULES:
        raise ValueError(f"alpha_rule = {rule!r}: choose one of {', '.join(RULES)}")
    alpha = np.array([p.alpha for p in points])
    chi2 = np.array([p.chi2 for p in points])
    evidence = np.array([p.log_evidence for p in points])
    curvature = log_curvature(alpha, chi2)
    if rule == "curvature":
        allowed = _acceptable(chi2, len(points[0].y))
        score = np.where(allowed, curvature, -np.inf)
    else:
        score = evidence
    return AlphaScan(
        alpha=alpha, chi2=chi2, entropy=np.array([p.entropy for p in points]),
        n_effective=np.array([p.n_effective for p in points]), log_evidence=evidence, curvature=curvature,
        chosen=int(np.argmax(score)), rule=rule,
    )  # fmt: skip
