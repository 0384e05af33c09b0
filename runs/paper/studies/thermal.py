"""Transition temperatures of the diluted array from the jump of its stiffness, and power laws.

Near a critical point m_H ~ |delta|^nu and rho_s(0) ~ T_c ~ |delta|^(nu z), so m_H is linear in T_c if z = 1;
Gaussian theory has m_H ~ T_c^(1/2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.kosterlitz import KosterlitzThouless, transition_temperature
from sitqmc.runs.paper.studies.study import ReducedPoint, Study

Array = NDArray[np.float64]

DEGREE = 2
"""Degree of the polynomials in T through rho_s of one size."""

DRAWS = 100
"""Bootstrap draws behind the errors of T_c."""


@dataclass(frozen=True)
class PowerLaw:
    """Fit y = a x^power with free a; `free` is the power of a fit that leaves it free as well."""

    power: float
    prefactor: Estimate
    chi2: float
    dof: int
    free: Estimate

    def __call__(self, x: Array) -> Array:
        return np.asarray(self.prefactor.value * np.asarray(x, float) ** self.power)


def transition_temperatures(study: Study, tuned: str = "p") -> dict[float, KosterlitzThouless]:
    """Return T_c by p, or by another parameter of the model, where the stiffness passes the jump.

    Values without T_c inside their data are left out.
    """
    out = {}
    for value in sorted({float(getattr(point.model, tuned)) for point in study.points}):
        points = [point for point in study.points if getattr(point.model, tuned) == value]
        try:
            out[value] = _temperature(points)
        except ValueError:
            continue
    return out


def _temperature(points: Sequence[ReducedPoint]) -> KosterlitzThouless:
    return transition_temperature(
        [point.model.Lx for point in points], [1 / point.model.beta for point in points],
        np.array([point.blocks["rho_s"] for point in points]), degree=DEGREE, shared=True, draws=DRAWS,
    )  # fmt: skip


def fit_power(x: Sequence[Estimate], y: Sequence[Estimate], power: float) -> PowerLaw | None:
    """Return the fit of ln y = ln a + power ln x with errors of both; None below three known points.

    The error of ln x counts with the power that is fitted.
    """
    pairs = [
        (a, b) for a, b in zip(x, y, strict=True)
        if a.is_known and b.is_known and a.value > 0 and b.value > 0
    ]  # fmt: skip
    if len(pairs) < 3:
        return None
    t, u = (np.log([float(e.value) for e in side]) for side in zip(*pairs, strict=True))
    dt, du = (np.array([float(e.error / e.value) for e in side]) for side in zip(*pairs, strict=True))
    error = np.hypot(du, power * dt)
    level = float(np.sum((u - power * t) / error**2) / np.sum(error**-2.0))
    chi2 = float(np.sum(((u - level - power * t) / error) ** 2))
    a = float(np.exp(level))
    prefactor = Estimate(a, a * float(np.sum(error**-2.0)) ** -0.5)
    return PowerLaw(power, prefactor, chi2, len(pairs) - 1, _free_power(t, u, dt, du))


def _free_power(t: Array, u: Array, dt: Array, du: Array) -> Estimate:
    """Return the slope of u against t, errors of both, by iteration; scaled up where the fit is poor."""
    slope, variance, chi2 = 1.0, 0.0, 0.0
    for _ in range(20):
        error = np.hypot(du, slope * dt)
        design = np.stack([t, np.ones_like(t)], axis=1) / error[:, None]
        spread = np.linalg.inv(design.T @ design)
        c = spread @ (design.T @ (u / error))
        chi2 = float(np.sum((u / error - design @ c) ** 2))
        slope, variance = float(c[0]), float(spread[0, 0])
    poor = max(chi2 / max(len(t) - 2, 1), 1.0)
    return Estimate(slope, float(np.sqrt(variance * poor)))
