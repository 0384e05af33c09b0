"""Transmission and reflection of a stack of plane layers at any angle, coherent, both polarisations.

Fields go like exp(i k z - i omega t), so absorption means Im n > 0. The recursion runs from the exit side,

    r_j = (rho_j + r_{j+1} u_{j+1}) / (1 + rho_j r_{j+1} u_{j+1}),    u = exp(2 i k_z d),

with the Fresnel coefficient rho_j of one interface: only decaying exponentials appear, so thick absorbing
layers do not overflow (Born and Wolf, Principles of Optics, section 1.6).
"""

import cmath
import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_frequencies, checked_scalar
from sitqmc.analytic.units import C_SI, Array, Complex
from sitqmc.jit import kernel, kernel_helper

Polarization = Literal["s", "p"]

ROUNDING = 1e-9
"""Relative size of an imaginary index that counts as rounding: exp(-1e-9 k d) is 1 for every plate."""


@kernel_helper
def _normal_index(n: complex, in_plane: complex) -> complex:
    """Return k_z c/omega in a layer, the root that decays (or travels) towards +z."""
    q = cmath.sqrt(n * n - in_plane * in_plane)
    return -q if q.imag < 0.0 or (q.imag == 0.0 and q.real < 0.0) else q


@kernel_helper
def _interface(n: complex, q: complex, m: complex, k: complex, p_wave: bool) -> tuple[complex, complex]:
    """Return Fresnel (t, rho) of the electric field from medium (n, k_z q) to medium (m, k_z k)."""
    if p_wave:  # amplitudes along k x y, as in Born and Wolf
        a, b = m * m * q, n * n * k
        return 2.0 * n * m * q / (a + b), (a - b) / (a + b)
    return 2.0 * q / (q + k), (q - k) / (q + k)


@kernel
def stack_kernel(
    wave: Array, index: Complex, depth: Array, in_plane: Array, p_wave: bool, t: Complex, r: Complex
) -> None:
    """Set t and r of each frequency.

    wave      float (n_freq,), omega/c in 1/m
    index     complex (n_freq, n_layers + 2), entrance and exit medium included
    depth     float (n_layers + 2,) in m, entries 0 and -1 unused
    in_plane  float (n_freq,), n sin(angle), conserved across the stack
    """
    last = index.shape[1] - 1
    for i in range(wave.size):
        q_next = _normal_index(index[i, last], in_plane[i])
        total_t, total_r, u = 1.0 + 0.0j, 0.0j, 1.0 + 0.0j
        for j in range(last - 1, -1, -1):
            q = _normal_index(index[i, j], in_plane[i])
            t_j, rho = _interface(index[i, j], q, index[i, j + 1], q_next, p_wave)
            phase = 1.0 + 0.0j
            if j + 1 < last:
                phase = cmath.exp(1j * q_next * wave[i] * depth[j + 1])
            u = phase * phase
            denominator = 1.0 + rho * total_r * u
            total_t = t_j * phase * total_t / denominator
            total_r = (rho + total_r * u) / denominator
            q_next = q
        t[i], r[i] = total_t, total_r


def stack(
    nu_thz: ArrayLike,
    indices: list[complex | Complex | Array],
    thicknesses_um: list[float],
    angle_deg: float = 0.0,
    polarization: Polarization = "s",
) -> tuple[Complex, Complex]:
    """Return the complex field transmission and reflection (t, r) of a stack of layers.

    nu_thz          frequencies, shape (n_freq,)
    indices         complex refractive index of entrance, layers, exit: numbers or arrays (n_freq,)
    thicknesses_um  thickness of each layer between the two media, len(indices) - 2
    angle_deg       angle of incidence in a lossless entrance medium, 0 <= angle < 90
    accuracy        1e-12 against an independent transfer matrix
    raises          ValueError for a wrong number of thicknesses, gain (Im n < 0) or values outside the ranges
    """
    nu = checked_frequencies(nu_thz)
    angle = checked_scalar("angle_deg", angle_deg, at_least=0.0)
    if not angle < 90.0:
        raise ValueError(f"angle_deg = {angle}: must be below 90")
    if polarization not in ("s", "p"):
        raise ValueError(f"polarization = {polarization!r}: must be 's' or 'p'")
    if len(indices) < 2 or len(thicknesses_um) != len(indices) - 2:
        raise ValueError(
            f"{len(indices)} indices need {max(len(indices) - 2, 0)} thicknesses, got {len(thicknesses_um)}"
        )
    index = np.stack([np.broadcast_to(np.asarray(n, dtype=complex), nu.shape) for n in indices], axis=-1)
    index = _without_rounding(index)
    if np.any(index.imag < 0):
        raise ValueError("indices: Im n < 0 means gain with the time convention exp(-i omega t); use n + ik")
    if np.any(index[:, 0].imag != 0):
        raise ValueError("indices: the entrance medium must be lossless; give it a real index")
    depth = np.array([0.0, *(checked_scalar("thicknesses_um", d, at_least=0.0) for d in thicknesses_um), 0.0])
    t, r = np.empty(nu.size, dtype=complex), np.empty(nu.size, dtype=complex)
    wave = 2e12 * np.pi * nu / C_SI
    in_plane = np.ascontiguousarray(index[:, 0].real) * math.sin(math.radians(angle))
    stack_kernel(wave, np.ascontiguousarray(index), depth * 1e-6, in_plane, polarization == "p", t, r)
    return t, r


def _without_rounding(index: Complex) -> Complex:
    """Return indices without imaginary parts of the size of rounding errors, of either sign."""
    return np.where(np.abs(index.imag) <= ROUNDING * np.abs(index), index.real + 0j, index)
