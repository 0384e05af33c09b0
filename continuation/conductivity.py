"""The package's main job in one call: samples of rho(i w_n) in, sigma(omega) with its band out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.solve import continue_correlator
from sitqmc.continuation.spectrum.spectrum import Spectrum


def continue_conductivity(
    rho_samples: ArrayLike,
    beta: float,
    *,
    eps: float | None = None,
    n: ArrayLike | None = None,
    kinetic: ArrayLike | None = None,
    stiffness: float | None = None,
    **options: Any,
) -> Spectrum:
    """sigma_reg(omega) from samples of the current response rho(i w_n).

    rho_samples  (n_samples, n_points), one row per disorder sample (or independent bin), energy units
    beta         inverse temperature
    eps          time step of the simulation: the exact finite-step kernel is used; None: continuous time
    n            (n_points,) Matsubara integers; default 0, 1, ... n_points - 1
    kinetic      (n_samples,) values of <-k_x>: imposes the f-sum rule, exact only for eps -> 0
    stiffness    rho_s if known exactly; None: solved with the spectrum, rho(0) being one of the data
    options      fields of `Options` as keywords
    returns      a `Spectrum`; `.sigma` is in units of 4e^2/h, `.values` in Q^2/hbar
    """
    table = np.asarray(rho_samples, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"rho_samples have shape {table.shape}: give (n_samples, n_points)")
    grid = np.arange(table.shape[1]) if n is None else np.asarray(n)
    data = CorrelatorData.from_samples(table, kind="rho_iw", beta=beta, grid=grid, eps=eps, kinetic=kinetic)
    return continue_correlator(data, constant=stiffness, **options)
