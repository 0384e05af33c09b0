"""Priors of a scan: frequency axis, base shape, correlation along frequency and between the points.

All combinations are averaged over by evidence, none is chosen.

    z      omega/(scale^a mean^(1 - a)), mean: geometric mean of the scales of all points. a = 1 divides the
           frequencies of every point by its own scale, a = 0 those of all points by the same frequency
    t      asinh(z/z_0). z_0 = pi T/scale: t is logarithmic above pi T. z_0 = 1: t is linear up to the scale
    base   broad: [LOW + z^2/(z^2 + EDGE)]^(k/2) exp(1 - (1 + (z/r)^2)^(q/2))
           peak: exp(-(z - c)^2/(2 c^2 b^2)) on a weak broad background
           threshold: broad, k = 0, q = 1, times 1/[1 + exp(1/d - z/(d e))]; the place ln e changes linearly
           with s, from one end of the scan to the other
    u      even in frequency, correlation length in t, standard deviation; a free level
    C_pq   (1 - share) exp(-(s_p - s_q)^2/(2 length^2)) + share delta_pq: a smooth part that all points share
           and an independent part of every point; s is the scanned parameter over its range

No single axis serves all scans. A peak of constant width that moves is no function of omega/scale, and on a
logarithmic axis its width changes too; a peak that softens and narrows keeps its shape there.

share = 1 continues every point alone. It competes with the others, so that the evidence tells whether the
points help each other. A squared exponential along frequency and along the scan has fewer false wiggles
than a Matern process: on five synthetic sets the mean L1 distance was 0.157 instead of 0.172.

The prior probability of a threshold is small: synthetic scans with a threshold find it at exp(-4) as at 1,
and with 1 softening peaks became worse by a fifth.

The evidence hardly tells some priors apart that differ in the spectra they report. Two preferences, chosen
on synthetic scans, act on the reported spectra, not on the bands (`posterior.ScanMixture`): a correlation
length below the resolution of the data makes false wiggles, which all points share; a linear axis tells two
broad peaks apart that the logarithmic one merges.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.ensemble import magnitude_row
from sitqmc.continuation.methods.gaussian_process.prior import LEVEL
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.scan.process import ScanPrior

WIDTHS, TAILS, RISES = (0.8, 1.2, 1.8, 2.6), (1.0, 2.0), (0.0, 1.0, 3.0)     # r, q, k
EDGE, LOW, FLOOR = 0.5, 0.05, 1e-5
PLACES, BREADTHS = (0.6, 0.9, 1.3), (0.15, 0.3, 0.5)                            # c, b
BACKGROUND, PEAK_TAIL = 0.02, 2.0
THRESHOLDS, SOFTNESS, BEYOND = (0.2, 0.35, 0.6, 0.9), (0.1, 0.25), (1.0, 2.0)   # e at both ends, d, r
THRESHOLD_PRIOR = -4.0                   # ln of the prior probability of a base shape with a threshold
POWERS = (0.5, 0.0, 1.0)                 # a; the first one is that of the first look at a base shape
LINEAR = (False, True)                   # axes
LENGTHS = (0.4, 0.6, 0.9, 1.3)           # of u along t
AMPLITUDES = (1.0, 2.0, 4.0)             # standard deviation of u
REACHES = (0.25, 0.6, 1.5)               # correlation length along s
SHARES = (0.01, 0.1, 0.4)
SHORT, SHORT_PREFERENCE = 0.4, -2.3      # a length below the resolution, and ln of its preference
LINEAR_PREFERENCE = 3.0                  # ln of the preference of linear axes
RANK_CUT = 1e-6                          # of the largest variance
SUPPORT = 160                            # nodes on which a process is defined
ROUGH = (0.6, 1.0, 0.01, 0.6)            # length, amplitude, share, reach of the first look at a base shape

Settings = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class ScanAxis:
    """Frequency axis of a family of priors.

    z, t        (points, omega), see the head of this file
    preference  ln of the preference of reported spectra for this axis
    """

    name: str
    z: Array
    t: Array
    preference: float
    _roots: dict[float, Array] = field(default_factory=dict)
    _Phi: dict[tuple[float, float], Array] = field(default_factory=dict)

    def Phi(self, length: float, amplitude: float) -> Array:
        """Return Phi (points, omega, rank): columns of u, and one of the free level. Priors share it."""
        key = (length, amplitude)
        if key not in self._Phi:
            if length not in self._roots:
                self._roots[length] = smooth_root(self.t, length)
            level = np.full((*self.t.shape, 1), LEVEL)
            self._Phi[key] = np.concatenate([amplitude * self._roots[length], level], axis=2)
        return self._Phi[key]


def all_axes(problems: list[Problem], scales: Array, z_0: float) -> list[ScanAxis]:
    """Return all frequency axes; the first one serves for the first look at a base shape.

    problems  one of every point, on grids of its own
    scales    (points,) frequency scales
    z_0       pi T/scale, typical of the points
    """
    mean = float(np.exp(np.mean(np.log(scales))))
    axes = []
    for linear, power in product(LINEAR, POWERS):
        units = mean * (scales / mean) ** power
        z = np.array([problem.grid.omega / unit for problem, unit in zip(problems, units, strict=True)])
        name = f"{'linear' if linear else 'logarithmic'} in omega/scale^{power:g}"
        t = np.arcsinh(z / (max(z_0, 1.0) if linear else z_0))
        axes.append(ScanAxis(name, z, t, LINEAR_PREFERENCE if linear else 0.0))
    return axes


class PriorFamily:
    """All priors that have one base shape and one axis.

    shape  base shape on the axis
    s      (points,) scanned parameter over its range
    """

    def __init__(self, shape: BaseShape, problems: list[Problem], axis: ScanAxis, s: Array):
        self.shape, self.axis, self.s = shape.name, axis, s
        self.name, self.log_prior = f"{shape.name}, {axis.name}", shape.log_prior
        self.base = np.array([_scaled(p, row) for p, row in zip(problems, shape.values, strict=True)])

    def prior(self, settings: Settings) -> ScanPrior:
        """Return the prior with (length, amplitude, share, reach)."""
        length, amplitude, share, reach = settings
        name = f"{self.name}, length {length:g}, amplitude {amplitude:g}, share {share:g}, reach {reach:g}"
        preference = self.axis.preference + (SHORT_PREFERENCE if length <= SHORT else 0.0)
        C = point_correlation(self.s, reach, share)
        Phi = self.axis.Phi(length, amplitude)
        return ScanPrior(name, share, self.base, Phi, C, self.log_prior, preference)


def families_on(
    axis: ScanAxis, problems: list[Problem], s: Array, shapes: Container[str] | None = None
) -> list[PriorFamily]:
    """Return one family on an axis for every base shape, or for those named in `shapes`."""
    return [
        PriorFamily(shape, problems, axis, s)
        for shape in _base_shapes(axis.z, s)
        if shapes is None or shape.name in shapes
    ]


class BaseShape(NamedTuple):
    """Base shape (points, omega) with a name and ln of its prior probability, up to a constant."""

    name: str
    values: Array
    log_prior: float = 0.0


def _base_shapes(z: Array, s: Array) -> Iterator[BaseShape]:
    """Yield all base shapes at z (points, omega)."""
    for r, q, k in product(WIDTHS, TAILS, RISES):
        rise = (LOW + z**2 / (z**2 + EDGE)) ** (0.5 * k)
        yield BaseShape(f"width {r:g}, tail {q:g}, rise {k:g}", rise * _decay(z, r, q) + FLOOR)
    background = BACKGROUND * _decay(z, PEAK_TAIL) + FLOOR
    for c, b in product(PLACES, BREADTHS):
        values = np.exp(-0.5 * ((z - c) / (b * c)) ** 2) + background
        yield BaseShape(f"peak at {c:g}, breadth {b:g}", values)
    for first, last, d, r in product(THRESHOLDS, THRESHOLDS, SOFTNESS, BEYOND):
        e = (first ** (1.0 - s) * last**s)[:, None]
        values = expit((z / e - 1.0) / d) * _decay(z, r) + FLOOR
        name = f"threshold from {first:g} to {last:g}, softness {d:g}, width {r:g}"
        yield BaseShape(name, values, THRESHOLD_PRIOR)


def _decay(z: Array, r: float, q: float = 1.0) -> Array:
    return np.asarray(np.exp(1.0 - (1.0 + (z / r) ** 2) ** (0.5 * q)))


def chains_of_settings() -> Iterator[list[Settings]]:
    """Yield lists of settings whose modes are close to each other: the mode of one starts the next search."""
    for length, amplitude in product(LENGTHS, AMPLITUDES):
        joint = [(length, amplitude, share, reach) for share in SHARES for reach in REACHES]
        yield [*joint, (length, amplitude, 1.0, 1.0)]


def point_correlation(s: Array, length: float, share: float) -> Array:
    """Return C (points, points) of points at s (points,)."""
    smooth = np.exp(-0.5 * ((s[:, None] - s[None, :]) / length) ** 2)
    return np.asarray((1.0 - share) * smooth + share * np.eye(s.size))


def smooth_root(t: Array, length: float) -> Array:
    """Return Phi (..., omega, rank) of an even squared-exponential process of variance 1 at t (..., omega).

    The process is defined by its values on a support, and interpolated by its conditional mean.
    """
    support = np.linspace(0.0, float(t.max()), SUPPORT)
    values, vectors = np.linalg.eigh(_even_covariance(support, support, length))
    kept = values > RANK_CUT * values[-1]
    return np.asarray(_even_covariance(t, support, length) @ (vectors[:, kept] / np.sqrt(values[kept])))


def _even_covariance(t: Array, support: Array, length: float) -> Array:
    total, difference = t[..., None] + support, t[..., None] - support
    return np.asarray(np.exp(-0.5 * (difference / length) ** 2) + np.exp(-0.5 * (total / length) ** 2))


def _scaled(problem: Problem, values: Array) -> Array:
    """Return ln x (omega,) of a base shape with the magnitude of the data of one point."""
    x = values * problem.grid.weights * problem.factor
    row = magnitude_row(problem.system) / problem.grid.weights
    return np.asarray(np.log(x / float(row @ x)))
