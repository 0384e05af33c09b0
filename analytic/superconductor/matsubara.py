"""Conductivity at Matsubara frequencies and its static limit, the superfluid stiffness.

With omega_n = 2 pi T (n + 1/2), x_n = omega_n + Gamma sgn(omega_n), e_n = sqrt(x_n^2 + Delta^2), with
W = gamma + 2 Gamma the width of the Drude peak,

    sigma(i w)/sigma_n = (W/w) pi T sum_n (1 - (x x' - Delta^2)/(e e')) / (gamma + e + e'),   x' = x_{n+m},
    n_s/n = 4 pi T sum_{n >= 0} Delta^2 / (e^2 (gamma + 2 e)),

the analytic continuations of the real-axis forms (w = 2 pi T m > 0). The sums run over 64 terms, then by
Gregory's formula: the integral of the rest plus finite differences. Kernels work in units of Delta.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.quadrature import NODES_PER_END, graded, tail
from sitqmc.analytic.units import MEV_PER_THZ, MU0_SI, SIGMA_Q_S, Array, kelvin_to_mev, sheet_conductance
from sitqmc.jit import kernel, kernel_helper

DIRECT_TERMS = 64
# Gregory coefficients of the forward differences 1...6 at the lower end of a sum.
GREGORY: Array = np.array([-1 / 12, 1 / 24, -19 / 720, 3 / 160, -863 / 60480, 275 / 24192])


@kernel_helper
def _same_sign(x: float, shift: float, narrow: float, gamma: float) -> float:
    """Return the term with both frequencies positive, x and x + shift; times W; decreases like x^-3."""
    xp = x + shift
    e, ep = np.sqrt(1.0 + x * x), np.sqrt(1.0 + xp * xp)
    return (x * x + xp * xp + 1.0 + e * ep + x * xp) / (
        (e * ep + x * xp) * e * ep * (1.0 + narrow * (e + ep - 2.0 * gamma))
    )


@kernel_helper
def _half_sum(shift: float, temp: float, narrow: float, gamma: float, x: Array, w: Array) -> float:
    """Return pi T sum_{n >= 0} _same_sign(x_n); at temp = 0 the corresponding integral."""
    step = 2.0 * np.pi * temp
    direct = DIRECT_TERMS if temp > 0.0 else 0
    total = 0.0
    for n in range(direct):
        total += _same_sign(step * (n + 0.5) + gamma, shift, narrow, gamma)
    begin = step * (direct + 0.5) + gamma
    if direct > 0:
        ladder = np.empty(GREGORY.size + 1)
        for k in range(ladder.size):
            ladder[k] = _same_sign(begin + k * step, shift, narrow, gamma)
        total += 0.5 * ladder[0]
        for k in range(GREGORY.size):
            for j in range(GREGORY.size - k):
                ladder[j] = ladder[j + 1] - ladder[j]
            total += GREGORY[k] * ladder[0]
    width = 1.0 / narrow if narrow > 0.0 else 0.0
    scale = 0.3 * max(begin, 1.0)
    if narrow > 0.0:
        scale = min(scale, max(width, begin))
    reach = 8.0 * max(max(1.0, begin), max(width, shift))
    count = tail(reach, x, w, graded(reach, scale, x, w, 0))
    rest = 0.0
    for i in range(count):
        rest += w[i] * _same_sign(begin + x[i], shift, narrow, gamma)
    return np.pi * temp * total + 0.5 * rest


@kernel
def matsubara_kernel(m: Array, temp: float, narrow: float, gamma: float, out: Array) -> None:
    """Set out[i] to sigma(2 pi i T m[i])/sigma_n, Delta = 1, m >= 1, temp > 0; narrow = Delta/W."""
    x, w = np.empty(2 * NODES_PER_END), np.empty(2 * NODES_PER_END)
    step = 2.0 * np.pi * temp
    for i in range(m.size):
        mixed = 0.0
        for n in range(m[i]):
            a, b = step * (n + 0.5) + gamma, step * (m[i] - n - 0.5) + gamma
            e, ep = np.sqrt(1.0 + a * a), np.sqrt(1.0 + b * b)
            mixed += (1.0 + (a * b + 1.0) / (e * ep)) / (1.0 + narrow * (e + ep - 2.0 * gamma))
        both = 2.0 * _half_sum(step * m[i], temp, narrow, gamma, x, w)
        out[i] = (np.pi * temp * mixed + both) / (step * m[i])


@kernel
def stiffness_kernel(temp: float, narrow: float, gamma: float) -> float:
    """Return lim omega sigma2/sigma_n for omega -> 0, in units of Delta."""
    x, w = np.empty(2 * NODES_PER_END), np.empty(2 * NODES_PER_END)
    return 2.0 * _half_sum(0.0, temp, narrow, gamma, x, w)


def _scaled(
    delta_mev: float, scattering_mev: float, gamma_mev: float, t_k: float
) -> tuple[float, float, float, float]:
    """Return checked Delta in meV, and T, 1/W, Gamma in units of Delta."""
    delta = checked_scalar("delta_mev", delta_mev, above=0.0)
    rate = checked_scalar("scattering_mev", scattering_mev, above=0.0, infinite=True)
    gamma = checked_scalar("gamma_mev", gamma_mev, at_least=0.0)
    temp = kelvin_to_mev(checked_scalar("t_k", t_k, at_least=0.0))
    return delta, temp / delta, delta / (rate + 2.0 * gamma), gamma / delta


def matsubara_conductivity(
    m: ArrayLike, delta_mev: float, scattering_mev: float, t_k: float, gamma_mev: float = 0.0
) -> Array:
    """Return sigma(i omega_m)/sigma_n, real, at the bosonic frequencies omega_m = 2 pi m k_B T/hbar.

    m               positive integers, any shape
    scattering_mev  hbar/tau, may be inf;  gamma_mev  Dynes pair breaking;  t_k > 0
    accuracy        1e-10 relative
    raises          ValueError for values outside these ranges
    """
    index = np.asarray(m)
    if index.dtype.kind not in "iu" or not np.all(index >= 1):
        raise ValueError("m: Matsubara indices must be integers >= 1")
    checked_scalar("t_k", t_k, above=0.0)
    _, temp, narrow, gamma = _scaled(delta_mev, scattering_mev, gamma_mev, t_k)
    out = np.empty(index.size)
    matsubara_kernel(index.ravel().astype(np.int64), temp, narrow, gamma, out)
    return out.reshape(index.shape)


def stiffness_slope_mev(delta_mev: float, scattering_mev: float, t_k: float, gamma_mev: float = 0.0) -> float:
    """Return lim hbar omega sigma2/sigma_n in meV: pi Delta tanh(Delta/2kT) in the dirty limit.

    accuracy  1e-10 relative;  raises ValueError for values outside the ranges of matsubara_conductivity
    """
    delta, temp, narrow, gamma = _scaled(delta_mev, scattering_mev, gamma_mev, t_k)
    return delta * float(stiffness_kernel(temp, narrow, gamma))


def superfluid_fraction(delta_mev: float, scattering_mev: float, t_k: float, gamma_mev: float = 0.0) -> float:
    """Return n_s/n, the share of the Drude weight in the delta function; 1 in the clean limit at T = 0.

    raises  ValueError for an infinite scattering rate, where the fraction is zero by definition
    """
    checked_scalar("scattering_mev", scattering_mev, above=0.0)
    return stiffness_slope_mev(delta_mev, scattering_mev, t_k, gamma_mev) / (scattering_mev + 2.0 * gamma_mev)


def film_stiffness_mev(omega_sigma2_mev: float, thickness_nm: float) -> float:
    """Return the superfluid stiffness J_s = hbar^2 n_s d/4m of a film in meV, from lim hbar omega sigma2.

    omega_sigma2_mev  lim hbar omega sigma2, in meV ohm^-1 cm^-1
    returns           hbar omega (G2/sigma_Q)/2 pi with G2 = sigma2 d; it is E_J of a clean square array
    """
    return float(sheet_conductance(omega_sigma2_mev, thickness_nm)) / (2.0 * math.pi * SIGMA_Q_S)


def penetration_depth_nm(omega_sigma2_mev: float) -> float:
    """Return the London penetration depth 1/sqrt(mu0 omega sigma2) in nm.

    omega_sigma2_mev  lim hbar omega sigma2, in meV ohm^-1 cm^-1, > 0
    """
    value = checked_scalar("omega_sigma2_mev", omega_sigma2_mev, above=0.0)
    omega_sigma2_si = 2.0 * math.pi * 1e12 * value / MEV_PER_THZ * 100.0
    return 1e9 / math.sqrt(MU0_SI * omega_sigma2_si)
