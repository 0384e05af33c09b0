"""Conductivity of the Dynes superconductor: pair breaking Gamma and pair-conserving scattering, T >= 0.

Retarded functions of a Dynes superconductor (Herman and Hlubina, PRB 94, 144508 (2016)) with z = E + i Gamma:
e = sqrt(Delta^2 - z^2) (Re e > 0), n = -i z/e, p = Delta/e. With gamma = hbar/tau and the width of the Drude
peak in the normal state W = gamma + 2 Gamma,

    R = W (1 - n n' + p p')/(gamma + e + e'),    A = the same with e -> e*, n -> -n*, p -> p* at E only,
    sigma/sigma_n = (1/omega) int_{-omega/2}^inf dE { (f - f') (A - R) + i tanh(E'/2T) Im R },

primes at E' = E + omega, f the Fermi function (Nam 1967; Herman and Hlubina, PRB 96, 014509 (2017)).
Gamma -> 0 gives the finite-scattering form, Delta -> 0 Drude. The kernel works in units of Delta.
"""

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_frequencies, checked_scalar
from sitqmc.analytic.numerics.quadrature import NODES_PER_END, graded, tail
from sitqmc.analytic.superconductor.drude import drude_factor
from sitqmc.analytic.superconductor.finite_scattering import finite_scattering_conductivity
from sitqmc.analytic.units import Array, Complex, kelvin_to_mev, thz_to_mev
from sitqmc.jit import kernel, kernel_helper


@kernel_helper
def dynes_functions(energy: float, gamma: float) -> tuple[complex, complex, complex]:
    """Return retarded e, n, p at a real energy, Delta = 1, Gamma > 0.

    The small parts (Im e, Re n, Im p inside the gap, all of order Gamma) are formed as products, never as
    differences, so the weak absorption below the gap keeps its relative accuracy.
    """
    u = (1.0 - energy) * (1.0 + energy) + gamma * gamma
    v = -2.0 * energy * gamma
    m = np.sqrt(u * u + v * v)
    if u > 0.0:
        a = np.sqrt(0.5 * (m + u))
        b = 0.5 * v / a
    else:
        b = np.sqrt(0.5 * (m - u))
        a = 0.5 * abs(v) / b
        if energy > 0.0:
            b = -b
    n = complex((gamma * a - energy * b) / m, (-gamma * b - energy * a) / m)
    return complex(a, b), n, complex(a / m, -b / m)


@kernel_helper
def _integrand(energy: float, omega: float, temp: float, gamma: float, narrow: float) -> tuple[float, float]:
    """Return sigma1 and sigma2 integrands; narrow = Delta/W."""
    e, n, p = dynes_functions(energy, gamma)
    ep, np_, pp = dynes_functions(energy + omega, gamma)
    above = 1.0 - n * np_ + p * pp
    d = 1.0 + narrow * (e + ep - 2.0 * gamma)
    r = above / d
    shift = 2j * narrow * e.imag
    difference = ((2.0 * n.real * np_ - 2j * p.imag * pp) * d + shift * above) / ((d - shift) * d)
    if temp > 0.0:
        q, qp = np.exp(-abs(energy) / temp), np.exp(-(energy + omega) / temp)
        drop = -np.expm1(-omega / temp) / ((1.0 + q) * (1.0 + qp))  # f - f'
        if energy > 0.0:
            drop *= q
        th = 1.0 - 2.0 * qp / (1.0 + qp)
    else:
        drop = 1.0 if energy < 0.0 else 0.0
        th = 1.0
    return drop * difference.real, drop * difference.imag + th * r.imag


@kernel_helper
def _interval(
    low: float,
    high: float,
    scale_low: float,
    scale_high: float,
    nodes: tuple[Array, Array],
    scales: tuple[float, float, float, float],
) -> tuple[float, float]:
    """Return the integral over [low, high], nodes at both ends; scales: omega, temp, gamma, narrow."""
    re = im = 0.0
    if not high > low:
        return re, im
    x, w = nodes
    omega, temp, gamma, narrow = scales
    left = graded(0.5 * (high - low), scale_low, x, w, 0)
    n = graded(0.5 * (high - low), scale_high, x, w, left)
    for i in range(n):
        energy = low + x[i] if i < left else high - x[i]
        one, two = _integrand(energy, omega, temp, gamma, narrow)
        re += w[i] * one
        im += w[i] * two
    return re, im


@kernel
def dynes_kernel(omega: Array, temp: float, gamma: float, narrow: float, out: Complex) -> None:
    """Set out[i] to sigma(omega[i])/sigma_n with Delta = 1; narrow = Delta/(hbar/tau + 2 Gamma)."""
    x, w = np.empty(2 * NODES_PER_END), np.empty(2 * NODES_PER_END)
    width = 1.0 / narrow if narrow > 0.0 else 0.0
    edge = gamma
    if temp > 0.0:
        edge = min(edge, temp)
    if narrow > 0.0:
        edge = min(edge, 0.5 * width * width)
    for i in range(omega.size):
        om = omega[i]
        scales = (om, temp, gamma, narrow)
        first = max(-1.0, 1.0 - om)  # gap edges inside the range: first and 1
        # f(E) steps at E = 0, and the edge at `first` may lie close by.
        fermi = min(temp if temp > 0.0 else 1.0, max(edge, abs(first)))
        start = 1.0  # resonance |E| = E' at -omega/2
        if om > 2.0 and narrow > 0.0:
            start = width * np.sqrt(0.25 * om * om - 1.0) / om
        reach = max(45.0 * temp, 6.0 * max(max(1.0, om), max(gamma, width)))
        if first < 0.0:
            re1, im1 = _interval(-0.5 * om, first, start, edge, (x, w), scales)
            re2, im2 = _interval(first, 0.0, edge, fermi, (x, w), scales)
            re3, im3 = _interval(0.0, 1.0, fermi, edge, (x, w), scales)
        else:
            re1, im1 = _interval(-0.5 * om, 0.0, start, fermi, (x, w), scales)
            re2, im2 = _interval(0.0, first, fermi, edge, (x, w), scales)
            re3, im3 = _interval(first, 1.0, edge, edge, (x, w), scales)
        re, im = re1 + re2 + re3, im1 + im2 + im3
        n = tail(reach, x, w, graded(reach, edge, x, w, 0))
        for j in range(n):
            one, two = _integrand(1.0 + x[j], om, temp, gamma, narrow)
            re += w[j] * one
            im += w[j] * two
        out[i] = complex(re / om, im / om)


def dynes_conductivity(
    nu_thz: ArrayLike, delta_mev: float, gamma_mev: float, scattering_mev: float, t_k: float
) -> Complex:
    """Return sigma(omega)/sigma_n of a Dynes superconductor.

    nu_thz          frequencies, any shape, > 0
    delta_mev       gap parameter Delta(T) >= 0 of the Dynes form; 0 gives Drude of width hbar/tau + 2 Gamma
    gamma_mev       pair-breaking rate Gamma >= 0; 0 gives the finite-scattering form
    scattering_mev  hbar/tau of the pair-conserving scattering, > 0, may be inf (dirty limit)
    t_k             temperature in K, >= 0
    returns         complex, shape of nu_thz, in units of the dc normal conductivity
    accuracy        1e-10 relative for Gamma >= 1e-4 Delta, both parts
    raises          ValueError for values outside these ranges
    source          Nam, Phys. Rev. 156, 470 (1967); Herman and Hlubina, PRB 96, 014509 (2017)
    """
    nu = checked_frequencies(nu_thz)
    delta = checked_scalar("delta_mev", delta_mev, at_least=0.0)
    gamma = checked_scalar("gamma_mev", gamma_mev, at_least=0.0)
    rate = checked_scalar("scattering_mev", scattering_mev, above=0.0, infinite=True)
    temp = kelvin_to_mev(checked_scalar("t_k", t_k, at_least=0.0))
    if gamma == 0.0:
        return finite_scattering_conductivity(nu, delta, rate, t_k)
    if delta == 0.0:
        return drude_factor(nu, rate + 2.0 * gamma)
    out = np.empty(nu.size, dtype=complex)
    narrow = delta / (rate + 2.0 * gamma)
    dynes_kernel(thz_to_mev(nu.ravel()) / delta, temp / delta, gamma / delta, narrow, out)
    return out.reshape(nu.shape)
