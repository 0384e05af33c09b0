"""Resolution of a fit: averaging kernels and their widths."""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.spectrum.posterior import Posterior


def averaging_kernels(posterior: Posterior, grid: FrequencyGrid) -> tuple[Array, Array]:
    """Return (G, width): rows G (omega, omega) that average x over the resolution, and their widths (omega,).

    Row i of the response R(omega') is the change of A(omega_i) by a unit of weight at omega'. Its lobe
    around omega_i, scaled to unit integral, is the averaging kernel; the width is (int R)^2/int R^2. Other
    lobes are left out: they describe weight at frequencies where the spectrum has next to none.
    """
    # Kernel and response are those of integrated weights x = A * weights.
    density = _lobes(posterior.response() @ posterior.kernel / grid.weights[:, None])
    integral = np.maximum(density @ grid.weights, 1e-300)
    width = integral**2 / np.maximum(density**2 @ grid.weights, 1e-300)
    return density / integral[:, None], width


def _lobes(rows: Array) -> Array:
    """Return each row with only the positive stretch around its diagonal, or else the nearest one."""
    out = np.zeros_like(rows)
    for i, row in enumerate(rows):
        positive = np.flatnonzero(row > 0)
        if len(positive) == 0:
            out[i] = 1.0                         # no response at all: as wide as the grid
            continue
        centre = positive[np.argmin(np.abs(positive - i))]
        breaks = np.flatnonzero(row <= 0)
        left, right = breaks[breaks < centre], breaks[breaks > centre]
        start = left[-1] + 1 if len(left) else 0
        stop = right[0] if len(right) else len(row)
        out[i, start:stop] = row[start:stop]
    return out
