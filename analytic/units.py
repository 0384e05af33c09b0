"""Units of the laboratory: THz, meV, cm^-1, kelvin, ohm^-1 cm^-1 and the pair quantum of conductance.

All numbers follow from the constants of the 2019 SI, so every energy conversion is exact to rounding.
Energies stand for h nu: 1 THz = 4.135667696 meV = 33.35641 cm^-1.
"""

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import constants

H_SI: float = constants.h  # J s, exact
HBAR_SI: float = constants.hbar  # J s
E_SI: float = constants.e  # C, exact
C_SI: float = constants.c  # m/s, exact
MU0_SI: float = constants.mu_0  # N/A^2, measured, relative uncertainty 2e-10
EPS0_SI: float = constants.epsilon_0  # F/m, measured, the same uncertainty

SIGMA_Q_S = 4.0 * E_SI**2 / H_SI  # pair quantum of conductance 4e^2/h, 1.54962e-4 S
Z0_OHM = MU0_SI * C_SI  # impedance of free space, 376.73 ohm

MEV_PER_THZ = H_SI * 1e12 / (1e-3 * E_SI)
CM_PER_THZ = 1e12 / (100.0 * C_SI)  # wave numbers in cm^-1 per THz
MEV_PER_K = constants.k / (1e-3 * E_SI)

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Real = TypeVar("Real", float, Array)
Number = TypeVar("Number", float, complex, NDArray[Any])


def thz_to_mev(nu_thz: Real) -> Real:
    """Return the photon energy h nu in meV of a frequency in THz."""
    return nu_thz * MEV_PER_THZ


def mev_to_thz(energy_mev: Real) -> Real:
    """Return the frequency in THz of a photon energy in meV."""
    return energy_mev / MEV_PER_THZ


def thz_to_cm(nu_thz: Real) -> Real:
    """Return the wave number in cm^-1 of a frequency in THz."""
    return nu_thz * CM_PER_THZ


def cm_to_thz(wavenumber_cm: Real) -> Real:
    """Return the frequency in THz of a wave number in cm^-1."""
    return wavenumber_cm / CM_PER_THZ


def kelvin_to_mev(t_k: Real) -> Real:
    """Return the thermal energy k_B T in meV."""
    return t_k * MEV_PER_K


def sheet_conductance(sigma: Number, thickness_nm: float) -> Number:
    """Return the sheet conductance G = sigma d in siemens of a film; sigma in ohm^-1 cm^-1, real or complex.

    raises  ValueError for a thickness that is not positive and finite
    """
    return sigma * _thickness_cm(thickness_nm)


def sheet_to_sigma(g_s: Number, thickness_nm: float) -> Number:
    """Return the conductivity G/d in ohm^-1 cm^-1 of a film with sheet conductance g_s in siemens.

    raises  ValueError for a thickness that is not positive and finite
    """
    return g_s / _thickness_cm(thickness_nm)


def _thickness_cm(thickness_nm: float) -> float:
    if not 0 < thickness_nm < math.inf:
        raise ValueError(f"thickness_nm = {thickness_nm}: must be positive and finite, in nanometres")
    return thickness_nm * 1e-7
