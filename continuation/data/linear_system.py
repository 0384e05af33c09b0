"""Correlator data on a frequency grid: the linear equations before whitening, and the default grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.kernels.grids import FrequencyGrid, mirrored, sinh_grid
from sitqmc.continuation.kernels.kernels import Array

CUTOFF = 20.0          # default omega_max, in units of the characteristic frequency


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """Equations vector = kernel @ x + constant * constant_column + noise, with x = A(omega) * weights.

    grid             frequencies and quadrature weights
    kernel           (rows, omega): the data points, <-k_x> where it was measured, then the constraints
    vector           (rows,)
    covariance       (rows, rows)
    constant_column  (rows,) of the additive constant (rho_s, contact term); None: the data have none
    imposed          the additive constant if it is known and already subtracted from the vector, else None
    measured         number of rows before the constraints
    n_samples        samples behind the covariance; None means exactly known
    scale            characteristic frequency of the data
    """

    grid: FrequencyGrid
    kernel: Array
    vector: Array
    covariance: Array
    constant_column: Array | None
    measured: int
    n_samples: int | None
    scale: float
    imposed: float | None = None

    @property
    def free_column(self) -> Array | None:
        """Column of the additive constant where it is solved with the spectrum, else None."""
        return self.constant_column if self.imposed is None else None

    def with_constant(self, value: float) -> LinearSystem:
        """Return the equations with the additive constant imposed."""
        return replace(self, vector=self.without(self.vector, value), imposed=value)

    def without(self, vectors: Array, constant: float) -> Array:
        """Return data vectors (..., rows) minus an additive constant."""
        if self.constant_column is None:
            raise ValueError(f"constant = {constant}: these data have no additive constant, leave it out")
        return vectors - constant * self.constant_column


def linear_system(
    data: CorrelatorData, grid: FrequencyGrid | None = None, size: int = 400, omega_max: float | None = None
) -> LinearSystem:
    """Return the equations of the data on a grid, by default on `default_grid` of size and omega_max."""
    scale = characteristic_frequency(data)
    nodes = grid_at_scale(data, scale, size, omega_max) if grid is None else grid
    return LinearSystem(
        grid=nodes, kernel=data.kernel(nodes.omega), vector=data.vector(), covariance=data.joint_covariance(),
        constant_column=data.constant_column(), measured=data.mean.size + (data.kinetic is not None),
        n_samples=data.n_samples, scale=scale,
    )  # fmt: skip


def characteristic_frequency(data: CorrelatorData) -> float:
    """Return the frequency of the single delta peak (plus constant) that is nearest to the data.

    It is a scale for grids and default models only, found on a logarithmic grid to 5 %.
    """
    trial = np.geomspace(0.05 / data.beta, 2e3 / data.beta, 220)
    measured = data.without_constraints()
    kernel, vector = measured.kernel(trial), measured.vector()
    if data.two_sided:
        kernel = kernel + measured.kernel(-trial[::-1])[:, ::-1]
    if measured.constant_column() is not None:
        kernel, vector = kernel - kernel.mean(axis=0), vector - vector.mean()
    overlap = vector @ kernel
    norm = np.einsum("ij,ij->j", kernel, kernel)
    # Only positive amplitudes: gain in chi^2 of the best amplitude at each trial frequency.
    gain = np.where(overlap > 0, overlap**2 / np.maximum(norm, 1e-300), 0.0)
    return float(trial[int(np.argmax(gain))])


def default_grid(data: CorrelatorData, size: int = 400, omega_max: float | None = None) -> FrequencyGrid:
    """Return a grid up to omega_max (default 20 characteristic frequencies, at least the highest w_n).

    The nodes are linear below pi T, where the data resolve nothing, and logarithmic above.
    """
    return grid_at_scale(data, characteristic_frequency(data), size, omega_max)


def grid_at_scale(
    data: CorrelatorData, scale: float, size: int = 400, omega_max: float | None = None
) -> FrequencyGrid:
    """Return `default_grid` for a known characteristic frequency."""
    if omega_max is None:
        omega_max = CUTOFF * scale
        if data.is_matsubara:
            omega_max = max(omega_max, float(data.frequencies.max()))
    if not omega_max > 0:
        raise ValueError(f"omega_max = {omega_max}: the cut-off must be > 0")
    turn = min(np.pi / data.beta, scale, omega_max / 4.0)
    if data.two_sided:
        return mirrored(sinh_grid(omega_max, turn, size // 2 + 1))
    return sinh_grid(omega_max, turn, size)
