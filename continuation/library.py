"""The library of log-Gaussian processes that is averaged over by evidence.

Three families of base shapes, frequencies in units of the characteristic frequency of the data:

broad   1/cosh of four widths (exponential tails), with four correlation lengths and three amplitudes of u
peak    a wide half-Gaussian with a peak ten times higher, at ten positions, sharp or less sharp
drude   the same with the peak at zero, half or 1.5 times pi T wide

Without the second family a quasi-particle peak needs a rough u everywhere, and is smeared; which positions
and widths matter is left to the evidence. Families with a threshold were tried and left out: they gained
nothing on average and made the bands too narrow where the truth has no sharp edge.
"""

from __future__ import annotations

import numpy as np

from continuation.data import CorrelatorData
from continuation.grids import FrequencyGrid
from continuation.kernels import Array
from continuation.logprocess import Prior, covariance_root, make_prior
from continuation.models import DefaultModel, characteristic_frequency, normalised

LENGTHS = (0.2, 0.4, 0.7, 1.2)                  # correlation length of u, in t = asinh(omega/omega_0)
AMPLITUDES = (1.0, 2.0, 4.0)                    # standard deviation of u
WIDTHS = (0.6, 1.2, 2.5, 5.0)                   # of the broad shapes
POSITIONS = tuple(np.geomspace(0.35, 2.2, 10))  # of the peaks
SHARPNESS = (0.08, 0.2)                         # width of a peak over its position
DRUDE_WIDTHS = (0.5, 1.5)                       # in units of pi T
BACKGROUND = 2.5                                # width of the half-Gaussian under a peak
CONTRAST = 10.0
PEAK_PROCESS = (0.7, 1.0)                       # correlation length and amplitude of u for the peaks


def broad_shapes(omega: Array, scale: float) -> list[DefaultModel]:
    """1/cosh(omega/(0.7 width)), omega (omega,), scale in the same unit."""
    return [
        DefaultModel(f"width {r * scale:.3g}", 1.0 / np.cosh(np.minimum(omega / (0.7 * r * scale), 300.0)))
        for r in WIDTHS
    ]


def peaked_shapes(omega: Array, scale: float, temperature: float) -> list[DefaultModel]:
    """A background with one peak, at finite frequency or at zero."""
    background = _gauss(omega, BACKGROUND * scale)
    peaks = [
        (f"peak {p * scale:.3g}, relative width {r}", _gauss(omega - p * scale, r * p * scale))
        for p in POSITIONS
        for r in SHARPNESS
    ]
    peaks += [(f"drude {r} pi T", _gauss(omega, r * np.pi * temperature)) for r in DRUDE_WIDTHS]
    return [DefaultModel(name, background * (1.0 + CONTRAST * peak)) for name, peak in peaks]


def process_priors(
    data: CorrelatorData, grid: FrequencyGrid, given: list[DefaultModel] | None = None
) -> list[Prior]:
    """All priors of the library on a grid; `given` base shapes, if any, replace the three families."""
    scale = characteristic_frequency(data)
    t = np.arcsinh(grid.omega / min(np.pi / data.beta, scale))
    broad = given or broad_shapes(grid.omega, scale)
    priors = []
    for length in LENGTHS:
        for amplitude in AMPLITUDES:
            priors += _priors(data, grid, broad, t, length, amplitude)
    if given:
        return priors
    return priors + _priors(data, grid, peaked_shapes(grid.omega, scale, 1.0 / data.beta), t, *PEAK_PROCESS)


def _priors(
    data: CorrelatorData,
    grid: FrequencyGrid,
    shapes: list[DefaultModel],
    t: Array,
    length: float,
    amplitude: float,
) -> list[Prior]:
    root = covariance_root(t, length, amplitude)
    priors = []
    for shape in shapes:
        name = f"{shape.name}, length {length}, amplitude {amplitude}"
        model = normalised(data, grid, shape.values, name)
        priors.append(make_prior(name, model.values * grid.weights, root))
    return priors


def _gauss(x: Array, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * (x / width) ** 2))
