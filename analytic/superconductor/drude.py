"""Drude conductivity of the normal state."""

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_frequencies, checked_scalar
from sitqmc.analytic.units import MEV_PER_THZ, Array, Complex, thz_to_mev


def drude_factor(nu_thz: Array, scattering_mev: float) -> Complex:
    """Return 1/(1 - i omega tau) with tau = hbar/scattering_mev; scattering_mev may be inf. Unchecked."""
    return np.asarray(1.0 / (1.0 - 1j * thz_to_mev(nu_thz) / scattering_mev), dtype=np.complex128)


def drude(nu_thz: ArrayLike, sigma_dc: float, scattering_mev: float) -> Complex:
    """Return sigma_dc / (1 - i omega tau), in the unit of sigma_dc.

    nu_thz          frequencies, any shape, > 0
    scattering_mev  hbar/tau in meV, > 0, may be inf
    raises          ValueError for values outside these ranges
    """
    nu = checked_frequencies(nu_thz)
    rate = checked_scalar("scattering_mev", scattering_mev, above=0.0, infinite=True)
    return checked_scalar("sigma_dc", sigma_dc, at_least=0.0) * drude_factor(nu, rate)


def scattering_mev_from_tau(tau_fs: float) -> float:
    """Return hbar/tau in meV of a scattering time in femtoseconds, > 0."""
    return MEV_PER_THZ * 1e3 / (2.0 * np.pi * checked_scalar("tau_fs", tau_fs, above=0.0))


def drude_weight(sigma_dc: float, scattering_mev: float) -> float:
    """Return int_0^inf sigma1 d omega = (pi/2) sigma_dc/tau, in (unit of sigma_dc) x rad THz."""
    rate = checked_scalar("scattering_mev", scattering_mev, above=0.0)
    return np.pi**2 * sigma_dc * rate / MEV_PER_THZ
