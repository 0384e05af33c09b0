"""Rigorous bounds on integrated weight: linear programming over all non-negative spectra that fit.

No prior enters. In the whitened basis the equations are independent with unit error; the data allow every
x >= 0 with |K x - d|_i <= z for all i. z is chosen such that the true spectrum fulfils all of them with the
stated probability. The smallest and largest weight in a window over this set bound the true weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.special import ndtri

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.linear_system import linear_system
from sitqmc.continuation.data.whitening import whiten
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.spectrum.features import window_weights
from sitqmc.result import Result


@dataclass(frozen=True)
class WeightBounds(Result):
    """Bounds on the integral of A over [low, high] at a stated probability.

    lower, upper  bounds on the weight
    slack       largest whitened residual that was allowed
    needed      smallest such residual with which any non-negative spectrum fits
    consistent  whether a non-negative spectrum fits at this probability; if not, slack = 1.2 needed
    """

    low: float
    high: float
    lower: float
    upper: float
    probability: float
    slack: float
    needed: float
    consistent: bool


def joint_slack(equations: int, probability: float) -> float:
    """Return z with P(all |normal_i| <= z) = probability for `equations` independent normal numbers."""
    if not 0.0 < probability < 1.0:
        raise ValueError(f"probability = {probability}: must be in (0, 1)")
    return float(ndtri(0.5 * (1.0 + probability ** (1.0 / equations))))


def weight_bounds(
    data: CorrelatorData,
    low: float = 0.0,
    high: float = np.inf,
    *,
    probability: float = 0.95,
    grid: FrequencyGrid | None = None,
) -> WeightBounds:
    """Return the smallest and largest integral of A over [low, high] that the data allow.

    The spectrum is represented by its nodes: structure finer than the grid (400 nodes, far below any
    resolution) is left out. The additive constant (rho_s) is free.
    """
    equations = whiten(linear_system(data, grid))
    nodes, white = equations.grid, equations.whitened_data
    goal = window_weights(nodes.omega, low, min(high, float(nodes.omega[-1]))) / nodes.weights
    needed = smallest_slack(equations.kernel, white)
    limit = joint_slack(len(white), probability)
    slack = max(limit, 1.2 * needed)
    lower = _extreme(equations.kernel, white, slack, goal)
    upper = -_extreme(equations.kernel, white, slack, -goal)
    lower, upper = max(lower, 0.0), max(upper, lower, 0.0)
    return WeightBounds(low, high, lower, upper, probability, slack, needed, needed <= limit)


def smallest_slack(K: Array, d: Array) -> float:
    """Return the least z for which some x >= 0 has |K x - d| <= z in every equation."""
    column = np.ones((len(d), 1))
    scale = _scale(K, d)
    A = np.block([[K * scale, -column], [-K * scale, -column]])
    cost = np.append(np.zeros(K.shape[1]), 1.0)
    return float(_solve(cost, A, np.append(d, -d)).fun)


def _extreme(K: Array, d: Array, slack: float, goal: Array) -> float:
    """Return the minimum of goal @ x."""
    scale = _scale(K, d)
    A = np.vstack([K, -K]) * scale
    return float(_solve(goal, A, np.append(d + slack, slack - d)).fun * scale)


def _scale(K: Array, d: Array) -> float:
    """Return a magnitude of x: the tolerances of the solver are meant for variables of order one."""
    return float(np.linalg.norm(d) / np.linalg.norm(K, axis=0).max())


def _solve(cost: Array, A: Array, b: Array):  # type: ignore[no-untyped-def]
    rows = np.maximum(np.abs(A).max(axis=1), 1.0)
    result = linprog(cost, A_ub=A / rows[:, None], b_ub=b / rows, bounds=(0, None), method="highs")
    if result.status == 3:
        raise ValueError("the data do not bound this weight; give a window inside the grid, or <-k_x>")
    if not result.success:
        raise ValueError(f"linear programming failed ({result.message}); use a coarser grid")
    return result
