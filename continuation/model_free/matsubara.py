"""Values that need no continuation: sigma(i w_n) and beta^2 C(beta/2)/pi of any correlator C."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.resampling import replicas_of
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.estimate import Estimate

SIGMA_Q = 2.0 * np.pi     # one Q^2/hbar in units of 4e^2/h


def sigma_matsubara(data: CorrelatorData) -> tuple[Array, Array, Array]:
    """Return (w_n, sigma(i w_n), error) for n >= 1 in units of 4e^2/h, each (n_points,): 2 pi rho/w_n.

    The average over samples is taken before the division.
    """
    if data.kind != "rho_iw":
        raise ValueError(f"kind {data.kind}: sigma(i w_n) needs rho_iw")
    used = data.grid > 0
    w = data.frequencies[used]
    errors = np.sqrt(np.diag(data.covariance))[used]
    return w, SIGMA_Q * data.mean[used] / w, SIGMA_Q * errors / w


ALL_UP_TO = 8
"""Matsubara numbers without gaps that an interpolation of the others needs."""


def midpoint_functional(data: CorrelatorData, *, interpolate: bool = False) -> Array:
    """Return the row (n_points,) that gives C(beta/2), Lambda_xx(beta/2) in the case of rho(i w_n).

    For Matsubara data, n = 0 ... L_tau/2, it is the lattice Fourier sum (1/beta) sum_n (-1)^n C(i w_n) over
    both signs of n, with the last n counted once, and the negative of it for rho. Stiffness and contact term
    cancel because the signs alternate. The row is exact at finite time step.

    interpolate  numbers n above 8 may be missing: a cubic spline through the others, even about L_tau/2,
                 takes their place. With every eighth n this changes the conductivity by less than
                 0.003 of 4e^2/h per unit of spectral weight at beta = 12.8
    """
    if not data.is_matsubara:
        at = np.flatnonzero(np.isclose(data.grid, 0.5 * data.beta, rtol=1e-9))
        if at.size == 0:
            raise ValueError(f"no point at tau = beta/2 = {0.5 * data.beta:g}: measure it")
        row = np.zeros(data.grid.size)
        row[at[0]] = 1.0
        return row
    slices = 0 if data.eps is None else round(data.beta / data.eps)
    if interpolate and slices and slices % 2 == 0 and np.isin(np.arange(ALL_UP_TO + 1), data.grid).all():
        return _interpolated(data, slices) / data.beta
    if slices % 2 or slices == 0 or not np.array_equal(np.sort(data.grid), np.arange(slices // 2 + 1)):
        raise ValueError(
            f"n from {data.grid.min():.0f} to {data.grid.max():.0f} with eps = {data.eps}: "
            "all n = 0 ... L_tau/2 of an even number of slices are needed"
        )
    return _alternating(data.kind, data.grid, slices) / data.beta


def _alternating(kind: str, n: NDArray[Any], slices: int) -> Array:
    """Return beta times the row of C(beta/2) for numbers n out of 0 ... L_tau/2."""
    signs = np.where(n % 2 == 0, 1.0, -1.0)
    twice = np.where((n == 0) | (n == slices // 2), 1.0, 2.0)
    return (-signs if kind == "rho_iw" else signs) * twice


def _interpolated(data: CorrelatorData, slices: int) -> Array:
    """Return beta times the row of C(beta/2) for data with gaps, see `midpoint_functional`."""
    order = np.argsort(data.grid)
    n = data.grid[order]
    mirrored = n[n < slices / 2][::-1]
    axis = np.concatenate([n, slices - mirrored])
    unit = np.eye(n.size)
    nodes = np.concatenate([unit, unit[: mirrored.size][::-1]])
    full = np.arange(slices // 2 + 1)
    row = np.empty(n.size)
    row[order] = _alternating(data.kind, full, slices) @ CubicSpline(axis, nodes)(full)
    return row


def midpoint_value(data: CorrelatorData, *, interpolate: bool = False) -> Estimate:
    """Return beta^2 C(beta/2)/pi: A(0) if A is flat below 2 pi T.

    It is a thermal average of A with weight omega/sinh(beta omega/2): no bound on A(0), free of any model,
    and exponentially small in a gapped state. Of rho_iw and lambda_tau it is a dc conductivity in Q^2/hbar.
    Source  Trivedi, Scalettar, Randeria, PRB 54, R3756 (1996)
    """
    row = midpoint_functional(data, interpolate=interpolate) * data.beta**2 / np.pi
    replicas = replicas_of(data)
    error = float(replicas.error(replicas.vectors[:, : data.grid.size] @ row))
    return Estimate(float(row @ data.mean), error, statistical=error)


def midpoint_conductivity(data: CorrelatorData, *, interpolate: bool = False) -> Estimate:
    """Return beta^2 Lambda_xx(beta/2)/pi in units of 4e^2/h, see `midpoint_value`."""
    if data.kind not in ("rho_iw", "lambda_tau"):
        raise ValueError(f"kind {data.kind}: beta^2 Lambda(beta/2)/pi needs rho_iw or lambda_tau")
    return midpoint_value(data, interpolate=interpolate).scaled(SIGMA_Q)
