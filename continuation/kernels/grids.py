"""Real-frequency grids: dense at low frequency, where continuation resolves most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.result import Result


@dataclass(frozen=True)
class FrequencyGrid(Result):
    """Nodes omega (n,), ascending (from 0 for even spectra), and quadrature weights (n,), same unit."""

    omega: Array
    weights: Array


def trapezoid_weights(omega: Array) -> Array:
    """Return the weights of the trapezoidal rule on ascending nodes, shape (n,)."""
    half = 0.5 * np.diff(omega)
    return np.concatenate([[half[0]], half[:-1] + half[1:], [half[-1]]])


def grid_from_nodes(omega: Array, two_sided: bool = False) -> FrequencyGrid:
    """Return a grid on given nodes, which must be ascending, and >= 0 unless the spectrum has two sides."""
    omega = np.asarray(omega, dtype=float)
    if omega.ndim != 1 or omega.size < 10:
        raise ValueError(f"omega has shape {omega.shape}: give one axis of at least 10 frequencies")
    if not ((two_sided or omega[0] >= 0) and np.all(np.diff(omega) > 0)):
        raise ValueError("omega is not ascending from a value >= 0: sort it and drop duplicates")
    return FrequencyGrid(omega, trapezoid_weights(omega))


def sinh_grid(omega_max: float, scale: float, size: int = 400) -> FrequencyGrid:
    """Return nodes scale*sinh(t), t uniform from 0: linear below `scale`, logarithmic above, up to omega_max.

    The spacing is about scale*asinh(omega_max/scale)/size at low frequency; the trapezoidal error is
    second order in it.
    """
    if not scale > 0:
        raise ValueError(f"scale = {scale}: the frequency scale must be > 0")
    if not omega_max > 0:
        raise ValueError(f"omega_max = {omega_max}: the cut-off must be > 0")
    if size < 10:
        raise ValueError(f"size = {size}: a frequency grid needs at least 10 nodes")
    nodes = scale * np.sinh(np.linspace(0.0, np.arcsinh(omega_max / scale), size))
    return grid_from_nodes(nodes)


def mirrored(grid: FrequencyGrid) -> FrequencyGrid:
    """Return the grid with its nodes at negative frequencies too."""
    return grid_from_nodes(np.concatenate([-grid.omega[:0:-1], grid.omega]), two_sided=True)
