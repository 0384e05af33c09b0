"""Limit of continuous imaginary time from several widths of the time slice.

Errors of the slices are even in eps for the action `rotor` (a symmetric product formula) and of every
order from the first for `cosine`, whose time links are themselves an approximation:

    rotor    a + b eps^2 (+ c eps^4)        cosine    a + b eps (+ c eps^2)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.dataset import BAD_FIT, chi2_p_value
from sitqmc.qmc.model.link_weights import Action

Array = NDArray[np.float64]

ORDER: dict[Action, int] = {"rotor": 2, "cosine": 1}
"""Leading power of eps."""

DISAGREEMENT = 3.0
"""Difference of the two fits, in errors of the longer one, that is worth a warning."""


@dataclass(frozen=True)
class TrotterLimit:
    """Limit eps -> 0 with its error.

    value      a of the leading fit
    slope      b of the leading fit
    chi2, dof  of the leading fit
    next_order a of the fit with the next term: larger error, less bias
    warnings   one line each
    """

    value: Estimate
    slope: Estimate
    chi2: float
    dof: int
    next_order: Estimate
    warnings: list[str]


def trotter_limit(
    eps: ArrayLike, values: ArrayLike, errors: ArrayLike, *, action: Action = "rotor"
) -> TrotterLimit:
    """Extrapolate the same point simulated at three or more eps.

    eps, values  (n,)
    errors       (n,) standard errors, or (n, n) covariance where the data are correlated
    raises       ValueError for fewer than three different eps, or for the action `villain`, whose eps
                 is a coupling and not a step
    """
    if action not in ORDER:
        raise ValueError(
            f"action = {action!r}: eps is a coupling of this action, not a step; use rotor or cosine"
        )
    step, y = np.asarray(eps, float), np.asarray(values, float)
    sigma = np.asarray(errors, float)
    covariance = sigma if sigma.ndim == 2 else np.diag(sigma**2)
    if not (step.ndim == 1 and y.shape == step.shape and covariance.shape == (len(step), len(step))):
        raise ValueError(
            f"eps {step.shape}, values {y.shape}, errors {sigma.shape}: must be (n,), (n,), (n,) or (n, n)"
        )
    if len(np.unique(step)) < 3:
        raise ValueError(f"{len(np.unique(step))} different eps: at least 3 are needed to see the power law")
    t = step ** ORDER[action]
    (value, slope), chi2 = _fit(np.stack([np.ones_like(t), t], axis=1), y, covariance)
    (next_order, *_), _ = _fit(np.stack([np.ones_like(t), t, t**2], axis=1), y, covariance)
    dof = len(step) - 2
    warnings = []
    if chi2_p_value(chi2, dof) < BAD_FIT:
        warnings.append(
            f"a + b eps^{ORDER[action]} does not fit: chi2/dof = {chi2:.1f}/{dof}; "
            "drop the largest eps or add smaller ones"
        )
    elif abs(next_order.value - value.value) > DISAGREEMENT * next_order.error:
        warnings.append(
            f"the next order moves the limit from {value.value:.6g} to {next_order.value:.6g}; "
            "add smaller eps"
        )
    return TrotterLimit(value, slope, chi2, dof, next_order, warnings)


def _fit(basis: Array, y: Array, covariance: Array) -> tuple[list[Estimate], float]:
    """Generalised least squares: coefficients and chi2; ValueError for a singular covariance."""
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError("errors: all must be positive (a covariance, positive definite)") from None
    white, data = np.linalg.solve(root, basis), np.linalg.solve(root, y)
    spread = np.linalg.inv(white.T @ white)
    coefficients = spread @ (white.T @ data)
    rest = data - white @ coefficients
    errors = np.sqrt(np.diag(spread))
    values = [Estimate(c, e) for c, e in zip(coefficients, errors, strict=True)]
    return values, float(rest @ rest)
