"""Default models: positive spectra that carry the magnitude of the data and no structure of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.data.linear_system import LinearSystem
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.result import Result

GAUSSIAN_WIDTHS = (0.6, 1.0, 1.6, 2.5, 4.0, 6.3, 10.0)    # in units of the characteristic frequency
FLOOR = 1e-8     # a default model may be small, but where it is zero the spectrum could never be non-zero


@dataclass(frozen=True)
class DefaultModel(Result):
    """A name and the values (omega,) of a positive function."""

    name: str
    values: Array


def normalised(system: LinearSystem, shape: Array, name: str) -> DefaultModel:
    """Return a positive shape (omega,), scaled to the range (largest minus smallest) of the data."""
    shape = np.asarray(shape, dtype=float)
    nodes = system.grid.omega
    if shape.shape != nodes.shape:
        raise ValueError(f"default model has shape {shape.shape}: need one value per node, {nodes.size}")
    if not (np.all(np.isfinite(shape)) and np.all(shape >= 0) and np.any(shape > 0)):
        raise ValueError(f"default model {name}: values must be finite, >= 0 and not all 0")
    shape = np.maximum(shape, FLOOR * shape.max())
    vector = system.vector[: system.measured]
    response = system.kernel[: system.measured] @ (shape * system.grid.weights)
    if system.constant_column is None:
        target, unit = float(np.abs(vector).max()), float(np.abs(response).max())
    else:
        target, unit = float(np.ptp(vector)), float(np.ptp(response))
    return DefaultModel(name, shape * (target / unit))


def gaussian_models(system: LinearSystem) -> list[DefaultModel]:
    """Return half-Gaussians at zero frequency; the widths surround the characteristic frequency."""
    omega, scale = system.grid.omega, system.scale
    return [
        normalised(system, np.exp(-0.5 * (omega / (r * scale)) ** 2), f"gaussian {r * scale:.3g}")
        for r in GAUSSIAN_WIDTHS
    ]


def default_models(system: LinearSystem, choice: str | Array | list[DefaultModel]) -> list[DefaultModel]:
    """Return the models of a choice: "gaussian" (seven widths), "flat", values on the grid, or a list."""
    if isinstance(choice, list):
        return [normalised(system, model.values, model.name) for model in choice]
    if not isinstance(choice, str):
        return [normalised(system, np.asarray(choice, dtype=float), "given")]
    if choice == "flat":
        return [normalised(system, np.ones(system.grid.omega.size), "flat")]
    if choice == "gaussian":
        return gaussian_models(system)
    raise ValueError(f"default = {choice!r}: unknown default model; choose gaussian, flat, or give values")
