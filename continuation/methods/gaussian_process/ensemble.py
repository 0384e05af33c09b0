"""Ensemble of log-Gaussian processes, averaged over by evidence.

There are seven families of base shapes (`shapes`). Their parameters are continuous and fitted with the
process: the data decide how sharp a feature is, and the posterior contains its uncertainty.

broad           a decaying background with correlation lengths and amplitudes of u from smooth to rough
peak            a background with a peak, at several places
edge            a threshold, soft or hard
peak and edge   a leading peak, quasi-particle or Higgs, and a continuum that begins above it
drude           a peak at zero frequency
power law       omega^k below a corner
two peaks       on a background

The positions are in units of the characteristic frequency of the data. Every family has the same prior
probability, divided among its members. Without the families, quasi-particle peaks and gaps need a rough u
at all frequencies, come out smeared, and their bands are too narrow.

Rigid members have a u so long or so small that the spectrum follows its base shape. Every length and
amplitude of them counts as a family of its own. They make the mean better and the errors too small: see
`process.Mixture.cautious`.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.data.default_models import default_models
from sitqmc.continuation.data.linear_system import LinearSystem
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.prior import (
    Prior,
    SpectralShape,
    covariance_root,
    make_prior,
)
from sitqmc.continuation.methods.gaussian_process.shapes import (
    BROAD,
    DRUDE,
    EDGE,
    PEAK,
    PEAK_EDGE,
    POWER,
    TWO_PEAKS,
)
from sitqmc.continuation.methods.problem import Problem

LENGTHS = (0.2, 0.4, 0.7, 1.2)                  # correlation length of u, in t = asinh(omega/omega_0)
AMPLITUDES = (1.0, 2.0, 4.0)                    # standard deviation of u
RIGID_BROAD = ((2.0, 0.5), (2.0, 1.0), (2.0, 2.0), (3.5, 0.5), (3.5, 1.0), (3.5, 2.0))
RIGID_SHAPES = ((1.2, 0.5), (1.2, 0.25))        # length and amplitude of a rigid u on all other shapes
Key = tuple[float, float]
FAMILIES: dict[int, tuple[float, float, int]] = {     # first and last location of the feature, how many
    PEAK: (0.35, 2.2, 6),
    EDGE: (0.15, 1.5, 5),
    PEAK_EDGE: (0.3, 1.5, 5),
    POWER: (0.3, 1.8, 3),
    TWO_PEAKS: (0.25, 1.2, 4),
}
DRUDE_SPREAD = 0.9                              # of the logarithm of its width about pi T
SHAPE_PROCESSES = ((0.7, 1.0), (0.35, 1.0))     # correlation length and amplitude of u on a shape
NAMES = ("broad", "peak", "edge", "peak and edge", "drude", "power law", "two peaks")


def prior_ensemble(problem: Problem) -> list[Prior]:
    """Return all priors on the grid of the problem, each times its factor.

    Default models given by the user replace the families of base shapes.
    """
    grid, scale, beta = problem.grid, problem.system.scale, problem.data.beta
    t = np.arcsinh(grid.omega / min(np.pi / beta, scale))
    roots = {(a, b): covariance_root(t, a, b) for a in LENGTHS for b in AMPLITUDES}
    common = np.log(grid.weights * problem.factor)
    if problem.given or problem.data.two_sided:
        # The families of base shapes are even: two-sided spectra have Gaussian default models instead.
        return [
            make_prior(f"{model.name}, {_label(key)}", np.log(model.values) + common, root)
            for model in problem.given or default_models(problem.system, "gaussian")
            for key, root in roots.items()
        ]  # fmt: skip
    w, row = grid.omega / scale, magnitude_row(problem.system)
    roots |= {key: covariance_root(t, *key) for key in (*SHAPE_PROCESSES, *RIGID_BROAD, *RIGID_SHAPES)}

    def member(family: int, location: float, log_width: float, key: Key, place: str, count: int) -> Prior:
        """Return one prior; `count`: members of its family that share the probability."""
        base = SpectralShape(family, location, log_width, w, row, common)
        rigid = key in (RIGID_BROAD if family == BROAD else RIGID_SHAPES)
        name = f"{NAMES[family]} {place}{_label(key)}"
        return make_prior(name, base, roots[key], -float(np.log(count)), rigid=rigid)

    free = len(LENGTHS) * len(AMPLITUDES)
    priors = [member(BROAD, 1.0, 1.0, (a, b), "", free) for a in LENGTHS for b in AMPLITUDES]
    priors += [member(BROAD, 1.0, 1.0, key, "", 1) for key in RIGID_BROAD]
    for key in (*SHAPE_PROCESSES, *RIGID_SHAPES):
        ways = 1 if key in RIGID_SHAPES else len(SHAPE_PROCESSES)
        for family, (first, last, count) in FAMILIES.items():
            locations = np.geomspace(first, last, count)
            # Neighbouring members meet at one standard deviation, so that they cover all locations.
            log_width = 0.5 * float(np.log(locations[1] / locations[0])) + 0.05
            priors += [
                member(family, float(p), log_width, key, f"at {p * scale:.3g}, ", count * ways)
                for p in locations
            ]
        priors.append(member(DRUDE, np.pi / beta / scale, DRUDE_SPREAD, key, "", ways))
    return priors


def _label(key: Key) -> str:
    return f"length {key[0]}, amplitude {key[1]}"


def magnitude_row(system: LinearSystem) -> Array:
    """Return the row (omega,) whose product with A is 1 when A reproduces the range of the data."""
    kernel, vector = system.kernel[: system.measured], system.vector[: system.measured]
    high, low = int(np.argmax(vector)), int(np.argmin(vector))
    row = kernel[high] / float(np.abs(vector).max())
    if system.constant_column is not None:
        row = (kernel[high] - kernel[low]) / float(np.ptp(vector))
    return np.asarray(np.maximum(row, 1e-9 * float(np.abs(row).max())) * system.grid.weights)
