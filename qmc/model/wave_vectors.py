"""Wave vectors and Matsubara frequencies at which the responses of finite wave vector are measured.

A wave (m_x, m_y), m_x = 0 .. Lx//2, m_y = 0 .. Ly//2, not both zero, stands for the wave vectors
q = 2 pi (+-m_x/Lx, +-m_y/Ly): every response is the mean over them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.model import Model

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SHARE_OF_ZONE = 0.4
"""Largest |q|/(2 pi) measured: beyond, K_T is no low polynomial in q^2."""

WAVES_PER_ROOT = 1.8
"""Largest |q| L/(2 pi) measured, over sqrt(L): large arrays have enough waves within a smaller range."""

BOSON_WAVES = 4
"""Wave vectors along each direction at which G(k, tau) is measured."""

STEP = 1.125
"""Ratio of successive Matsubara numbers measured, beyond 8."""


def matsubara_numbers(L_tau: int) -> Integers:
    """Return the Matsubara numbers measured: all up to 9, then in steps of about 1/8, up to L_tau/2."""
    out = [0]
    while (following := max(out[-1] + 1, math.ceil(out[-1] * STEP))) <= L_tau // 2:
        out.append(following)
    return np.array(out)


def default_radius(Lx: int, Ly: int) -> float:
    """Return the largest |q| L/(2 pi) that is measured, L = min(Lx, Ly)."""
    L = min(Lx, Ly)
    return max(1.0, min(SHARE_OF_ZONE * L, WAVES_PER_ROOT * math.sqrt(L)))


def wave_numbers(Lx: int, Ly: int, radius: float | None = None) -> Integers:
    """Return the waves (waves, 2) with 0 < |q| L/(2 pi) <= radius, L = min(Lx, Ly), by rising |q|.

    radius  the default for the size of the array if None
    raises  ValueError for a radius that holds no wave or leaves the zone
    """
    L = min(Lx, Ly)
    radius = default_radius(Lx, Ly) if radius is None else radius
    if not 1 <= radius <= L / math.sqrt(2):
        raise ValueError(
            f"radius = {radius:g}: must be between 1 and {L / math.sqrt(2):.4g}, the corner of the zone of "
            f"{Lx} x {Ly} sites; choose a smaller one"
        )
    m_x, m_y = (m.ravel() for m in np.meshgrid(np.arange(Lx // 2 + 1), np.arange(Ly // 2 + 1), indexing="ij"))
    size = np.hypot(m_x * (L / Lx), m_y * (L / Ly))
    order = np.lexsort((m_x, size))
    kept = order[(size[order] > 0) & (size[order] <= radius * (1 + 1e-12))]
    return np.stack([m_x[kept], m_y[kept]], axis=1)


def multiplicity(waves: Integers, Lx: int, Ly: int) -> Integers:
    """Return the number of independent wave vectors of a half plane in each wave, 1 or 2, (waves,)."""
    # A component at zero or at the edge of the zone is its own negative.
    single = (waves == 0) | (2 * waves == np.array([Lx, Ly]))
    return np.where(single.any(axis=1), 1, 2)


def lattice_wave_vectors(waves: Integers, Lx: int, Ly: int) -> Array:
    """Return q^ = 2 sin(q/2) of each wave, (waves, 2)."""
    return np.asarray(2 * np.sin(np.pi * waves / np.array([Lx, Ly])))


def boson_waves(Lx: int, Ly: int) -> Integers:
    """Return the waves (waves, 2) at which G(k, tau) is measured: the lowest along x, then along y."""
    along_x, along_y = min(BOSON_WAVES, Lx // 2), min(BOSON_WAVES, Ly // 2)
    return np.array([*((m, 0) for m in range(1, along_x + 1)), *((0, m) for m in range(1, along_y + 1))],
                    dtype=np.int64).reshape(-1, 2)  # fmt: skip


def measured_waves(model: Model) -> Integers:
    """Return the waves (waves, 2) that chains of a model measure unless told otherwise."""
    return wave_numbers(model.Lx, model.Ly)
