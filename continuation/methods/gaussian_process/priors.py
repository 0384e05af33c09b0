"""The library of log-Gaussian processes that is averaged over by evidence.

Seven families of base shapes (`shapes`), their parameters continuous and fitted with the process, so that a
sharp feature is taken at the sharpness the data ask for, and its uncertainty is in the posterior:

broad           a decaying background with correlation lengths and amplitudes of u from smooth to rough
peak            a background with a peak, at several places
edge            a threshold, soft or hard
peak and edge   a leading peak, quasi-particle or Higgs, and a continuum that begins above it
drude           a peak at zero frequency
power law       omega^k below a corner
two peaks       on a background

The positions are in units of the characteristic frequency of the data. Every family has the same
probability before the data, divided among its members. Without the families quasi-particle peaks and gaps
need a rough u everywhere and come out smeared, with bands that do not know it.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.default_models import DefaultModel, characteristic_frequency, normalised
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.process import Base, Prior, covariance_root, make_prior
from sitqmc.continuation.methods.gaussian_process.shapes import (
    BROAD,
    DRUDE,
    EDGE,
    PEAK,
    PEAK_EDGE,
    POWER,
    TWO_PEAKS,
)

LENGTHS = (0.2, 0.4, 0.7, 1.2)                  # correlation length of u, in t = asinh(omega/omega_0)
AMPLITUDES = (1.0, 2.0, 4.0)                    # standard deviation of u
FAMILIES: dict[int, tuple[float, float, int]] = {     # first and last place of the feature, how many
    PEAK: (0.35, 2.2, 6),
    EDGE: (0.15, 1.5, 5),
    PEAK_EDGE: (0.3, 1.5, 5),
    POWER: (0.3, 1.8, 3),
    TWO_PEAKS: (0.25, 1.2, 4),
}
DRUDE_SPREAD = 0.9                              # of the logarithm of its width about pi T
SHAPE_PROCESSES = ((0.7, 1.0), (0.35, 1.0))     # correlation length and amplitude of u on a shape
NAMES = ("broad", "peak", "edge", "peak and edge", "drude", "power law", "two peaks")


def prior_ensemble(
    data: CorrelatorData,
    grid: FrequencyGrid,
    given: list[DefaultModel] | None = None,
    factor: Array | None = None,
) -> list[Prior]:
    """All priors of the library on a grid.

    given   base shapes that replace the families
    factor  (omega,) on every prior: a gap, a power law
    """
    scale = characteristic_frequency(data)
    t = np.arcsinh(grid.omega / min(np.pi / data.beta, scale))
    roots = {(a, b): covariance_root(t, a, b) for a in LENGTHS for b in AMPLITUDES}
    common = np.log(grid.weights) if factor is None else np.log(grid.weights * factor)
    if given:
        return [
            make_prior(f"{m.name}, {_label(key)}",
                       np.log(normalised(data, grid, m.values, m.name).values) + common, root)
            for m in given for key, root in roots.items()
        ]  # fmt: skip
    w, row = grid.omega / scale, _magnitude(data, grid)

    def member(family: int, place: float, spread: float, root: Array, label: str, count: int) -> Prior:
        base = Base(family, place, spread, w, row, common)
        return make_prior(f"{NAMES[family]} {label}", base, root, -float(np.log(count)))

    priors = [
        member(BROAD, 1.0, 1.0, root, _label(key), len(roots)) for key, root in roots.items()
    ]
    ways = len(SHAPE_PROCESSES)
    for key in SHAPE_PROCESSES:
        root = covariance_root(t, *key)
        for family, (first, last, count) in FAMILIES.items():
            places = np.geomspace(first, last, count)
            # Neighbouring members meet at one standard deviation: no place is left out.
            spread = 0.5 * float(np.log(places[1] / places[0])) + 0.05
            priors += [
                member(family, float(p), spread, root, f"at {p * scale:.3g}, {_label(key)}", count * ways)
                for p in places
            ]
        width = np.pi / data.beta / scale
        priors.append(member(DRUDE, width, DRUDE_SPREAD, root, _label(key), ways))
    return priors


def _label(key: tuple[float, float]) -> str:
    return f"length {key[0]}, amplitude {key[1]}"


def _magnitude(data: CorrelatorData, grid: FrequencyGrid) -> Array:
    """Row whose product with A is 1 when the range of the data is reproduced, (omega,)."""
    bare = data.without_constraints()
    kernel, vector = bare.kernel(grid.omega), bare.vector()
    high, low = int(np.argmax(vector)), int(np.argmin(vector))
    row = kernel[high] / float(np.abs(vector).max())
    if data.constant_column() is not None:
        row = (kernel[high] - kernel[low]) / float(np.ptp(vector))
    return np.asarray(np.maximum(row, 1e-9 * float(np.abs(row).max())) * grid.weights)
