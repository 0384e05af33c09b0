"""Default models and the frequency scale of a data set, found without any continuation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.kernels.grids import FrequencyGrid, sinh_grid
from sitqmc.continuation.kernels.kernels import Array

GAUSSIAN_WIDTHS = (0.6, 1.0, 1.6, 2.5, 4.0, 6.3, 10.0)    # in units of the characteristic frequency
CUTOFF = 20.0                                             # default omega_max in the same unit
FLOOR = 1e-8     # a default model may be small, but where it is zero the spectrum could never be non-zero


@dataclass(frozen=True)
class DefaultModel:
    """A name and the values (omega,) of a positive function, normalised to the data's total weight."""

    name: str
    values: Array


def characteristic_frequency(data: CorrelatorData) -> float:
    """The frequency of the single delta peak (plus constant) that is nearest to the data.

    Only a scale for grids and default models; found on a logarithmic grid to 5 %.
    """
    trial = np.geomspace(0.05 / data.beta, 2e3 / data.beta, 220)
    data = data.without_constraints()
    kernel, vector = data.kernel(trial), data.vector()
    if data.constant_column() is not None:
        kernel, vector = kernel - kernel.mean(axis=0), vector - vector.mean()
    overlap = vector @ kernel
    norm = np.einsum("ij,ij->j", kernel, kernel)
    # Only positive amplitudes: gain in chi^2 of the best amplitude at each trial frequency.
    gain = np.where(overlap > 0, overlap**2 / np.maximum(norm, 1e-300), 0.0)
    return float(trial[int(np.argmax(gain))])


def default_grid(data: CorrelatorData, size: int = 400, omega_max: float | None = None) -> FrequencyGrid:
    """Grid up to omega_max (default 20 characteristic frequencies, at least the highest w_n).

    Linear below pi T, where nothing can be resolved, and logarithmic above.
    """
    scale = characteristic_frequency(data)
    if omega_max is None:
        omega_max = CUTOFF * scale
        if data.is_matsubara:
            omega_max = max(omega_max, float(data.frequencies.max()))
    if not omega_max > 0:
        raise ValueError(f"omega_max = {omega_max}: the cut-off must be > 0")
    return sinh_grid(omega_max, min(np.pi / data.beta, scale, omega_max / 4.0), size)


def normalised(data: CorrelatorData, grid: FrequencyGrid, shape: Array, name: str) -> DefaultModel:
    """Scale a positive shape (omega,) so that the data's range (largest minus smallest) is reproduced."""
    shape = np.asarray(shape, dtype=float)
    if shape.shape != grid.omega.shape:
        raise ValueError(f"default model has shape {shape.shape}: need one value per node, {grid.omega.size}")
    if not (np.all(np.isfinite(shape)) and np.all(shape >= 0) and np.any(shape > 0)):
        raise ValueError(f"default model {name}: values must be finite, >= 0 and not all 0")
    shape, data = np.maximum(shape, FLOOR * shape.max()), data.without_constraints()
    response = data.kernel(grid.omega) @ (shape * grid.weights)
    vector = data.vector()
    if data.constant_column() is None:
        target, unit = float(np.abs(vector).max()), float(np.abs(response).max())
    else:
        target, unit = float(np.ptp(vector)), float(np.ptp(response))
    return DefaultModel(name, shape * (target / unit))


def gaussian_models(data: CorrelatorData, grid: FrequencyGrid) -> list[DefaultModel]:
    """Half-Gaussians at zero frequency, from narrower to much wider than the characteristic frequency."""
    scale = characteristic_frequency(data)
    return [
        normalised(data, grid, np.exp(-0.5 * (grid.omega / (r * scale)) ** 2), f"gaussian {r * scale:.3g}")
        for r in GAUSSIAN_WIDTHS
    ]


def default_models(
    data: CorrelatorData, grid: FrequencyGrid, choice: str | Array | list[DefaultModel]
) -> list[DefaultModel]:
    """Models of a choice: "gaussian" (seven widths), "flat", values on the grid, or a list of models."""
    if isinstance(choice, list):
        return [normalised(data, grid, model.values, model.name) for model in choice]
    if not isinstance(choice, str):
        return [normalised(data, grid, np.asarray(choice, dtype=float), "given")]
    if choice == "flat":
        return [normalised(data, grid, np.ones(grid.omega.size), "flat")]
    if choice == "gaussian":
        return gaussian_models(data, grid)
    raise ValueError(f"default model {choice!r}: choose gaussian, flat, or give values on the grid")
