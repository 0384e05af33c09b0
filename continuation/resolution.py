"""How finely a fit sees the spectrum: averaging kernels and their widths."""

from __future__ import annotations

import numpy as np

from continuation.grids import FrequencyGrid
from continuation.kernels import Array
from continuation.posterior import Posterior


def averaging(posterior: Posterior, grid: FrequencyGrid) -> tuple[Array, Array]:
    """(G, width): rows G (omega, omega) that average x over the resolution, and its width (omega,).

    Row i is d A(omega_i)/d A_true(omega') made a unit window; its width is (int R)^2/int R^2.
    """
    R = np.maximum(posterior.response() @ posterior.kernel, 0.0) / grid.weights[:, None]
    density = R / grid.weights
    integral = np.maximum(density @ grid.weights, 1e-300)
    width = integral**2 / np.maximum(density**2 @ grid.weights, 1e-300)
    return density / integral[:, None], width
