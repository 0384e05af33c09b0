"""Conductivity of an s-wave superconductor with any elastic scattering rate, T >= 0.

Linear response, Nam, Phys. Rev. 156, 470 (1967), equivalent to Zimmermann et al., Physica C 183, 99 (1991).
With s = sqrt(E^2 - Delta^2), E' = E + omega, primes on everything at E', and gamma = hbar/tau,

    sigma/sigma_n = (1/2 omega) int_{-omega/2}^inf dE { (th' - th) Re(A - R)
                                                       + i [(th' - th) Im A + (th' + th) Im R] },
    A, R = gamma (1 +- C) / (gamma - i (s' -+ s)),    C = (E E' + Delta^2) / (s s'),    th = tanh(E/2T),

where s -> -s for E < -Delta; inside the gap i s in A and -i s in R become sqrt(Delta^2 - E^2), so A = R.
sigma_n is the dc conductivity of the normal state. tau -> 0 gives Mattis and Bardeen, Delta -> 0 gives Drude.

The kernel works in units of Delta. Differences of nearly equal numbers (s' - s, 1 - C, f - f') are written as
products, so sigma1 keeps its relative accuracy when it is exponentially small.
"""

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_frequencies, checked_scalar
from sitqmc.analytic.numerics.quadrature import NODES_PER_END, graded, tail
from sitqmc.analytic.superconductor.drude import drude_factor
from sitqmc.analytic.units import Array, Complex, kelvin_to_mev, thz_to_mev
from sitqmc.jit import kernel, kernel_helper


@kernel_helper
def _above_gap(omega: float, temp: float, tau: float, x: Array, w: Array) -> tuple[float, float]:
    """Return omega sigma1, omega sigma2 of quasiparticles E = 1 + x excited to E' = E + omega; Delta = 1."""
    scale = min(1.0, omega)
    reach = 0.0
    if temp > 0.0:
        scale = min(scale, temp)
        reach = 45.0 * temp  # f(E) below 1e-19 f(Delta) beyond
    if tau > 0.0:
        scale = min(scale, 0.5 / (tau * tau))
        reach = max(reach, 6.0 * max(max(1.0, omega), 1.0 / tau))
    if reach == 0.0:  # dirty limit at T = 0: nothing here
        return 0.0, 0.0
    n = graded(reach, scale, x, w, 0)
    if tau > 0.0:
        n = tail(reach, x, w, n)
    boltz = np.exp(-omega / temp) if temp > 0.0 else 0.0
    occupied = -np.expm1(-omega / temp) if temp > 0.0 else 1.0
    re = im = 0.0
    for i in range(n):
        e = 1.0 + x[i]
        ep = e + omega
        s = np.sqrt(x[i] * (e + 1.0))
        sp = np.sqrt((x[i] + omega) * (ep + 1.0))
        q = np.exp(-e / temp) if temp > 0.0 else 0.0
        drop = q * occupied / ((1.0 + q) * (1.0 + q * boltz))  # f - f' = (th' - th)/2
        ss = s * sp
        product = e * ep + 1.0
        c = product / ss
        ts = tau * (s + sp)
        td = tau * omega * (e + ep) / (s + sp)  # tau (s' - s)
        a = (1.0 + c) / (1.0 + td * td)
        r = (e + ep) ** 2 / (ss * (ss + product) * (1.0 + ts * ts))  # (C - 1)/(1 + ...)
        re += w[i] * drop * (a + r)
        if tau > 0.0:
            both = 1.0 - q / (1.0 + q) - q * boltz / (1.0 + q * boltz)  # (th' + th)/2
            im += w[i] * (drop * a * td - both * r * ts)
    return re, im


@kernel_helper
def _half_gap(omega: float, temp: float, tau: float, left: bool, x: Array, w: Array) -> float:
    """Return omega sigma2 of one half of the range with E in the gap and E' above it; Delta = 1."""
    length = min(2.0, omega)
    detune = omega - 2.0
    scale = length
    if tau > 0.0:
        scale = min(scale, 0.5 / (tau * tau))
    if left:
        scale = min(scale, abs(detune))
    n = graded(0.5 * length, scale, x, w, 0)
    total = 0.0
    for i in range(n):
        if not left:  # E = 1 - x
            below, above, over = x[i], 2.0 - x[i], omega - x[i]
        elif detune < 0.0:  # E = 1 - omega + x
            below, above, over = omega - x[i], x[i] - detune, x[i]
        else:  # E = -1 + x
            below, above, over = 2.0 - x[i], x[i], x[i] + detune
        # below = 1 - E, above = 1 + E, over = E' - 1
        g = np.sqrt(below * above)
        sp = np.sqrt(over * (over + 2.0))
        c = ((1.0 - below) * (1.0 + over) + 1.0) / (g * sp)
        th = np.tanh(0.5 * (1.0 + over) / temp) if temp > 0.0 else 1.0
        damp = 1.0 + tau * g
        ts = tau * sp
        total += w[i] * th * (c * damp + ts) / (damp * damp + ts * ts)
    return total


@kernel_helper
def _pair_breaking(omega: float, temp: float, tau: float, x: Array, w: Array) -> tuple[float, float]:
    """Return omega sigma1, omega sigma2 of pairs broken into |E| and E' = omega - |E|; Delta = 1."""
    half = 0.5 * omega - 1.0
    scale = min(1.0, half)
    middle = half
    if tau > 0.0:
        scale = min(scale, 0.5 / (tau * tau))
        middle = np.sqrt(half * (half + 2.0)) / (tau * omega)  # width of the Lorentzian at s' = s
    from_edge = graded(0.5 * half, scale, x, w, 0)
    n = graded(0.5 * half, middle, x, w, from_edge)
    re = im = 0.0
    for i in range(n):
        y = half - x[i] if i < from_edge else x[i]  # distance from |E| = E' = omega/2
        a = x[i] if i < from_edge else half - x[i]  # |E| - 1
        b = half + y  # E' - 1
        s = np.sqrt(a * (a + 2.0))
        sp = np.sqrt(b * (b + 2.0))
        f = fp = 0.0
        if temp > 0.0:
            q, qp = np.exp(-(1.0 + a) / temp), np.exp(-(1.0 + b) / temp)
            f, fp = q / (1.0 + q), qp / (1.0 + qp)
        ss = s * sp
        product = (1.0 + a) * (1.0 + b) - 1.0
        ts = tau * (s + sp)
        td = tau * omega * 2.0 * y / (s + sp)  # tau (s' - s)
        up = (1.0 + product / ss) / (1.0 + ts * ts)
        r = 4.0 * y * y / (ss * (ss + product) * (1.0 + td * td))
        re += w[i] * (1.0 - f - fp) * (up + r)
        im += w[i] * ((1.0 - f - fp) * up * ts - (f - fp) * r * td)
    return re, im


@kernel
def conductivity_kernel(omega: Array, temp: float, tau: float, out: Complex) -> None:
    """Set out[i] to sigma(omega[i])/sigma_n with Delta = hbar = k_B = 1; tau = 0 is the dirty limit."""
    x = np.empty(2 * NODES_PER_END)
    w = np.empty(2 * NODES_PER_END)
    for i in range(omega.size):
        om = omega[i]
        re, im = _above_gap(om, temp, tau, x, w)
        im += _half_gap(om, temp, tau, True, x, w) + _half_gap(om, temp, tau, False, x, w)
        if om > 2.0:
            re_pair, im_pair = _pair_breaking(om, temp, tau, x, w)
            re += re_pair
            im += im_pair
        out[i] = complex(re / om, im / om)


def finite_scattering_conductivity(
    nu_thz: ArrayLike, delta_mev: float, scattering_mev: float, t_k: float
) -> Complex:
    """Return sigma(omega)/sigma_n of a BCS superconductor with elastic scattering rate hbar/tau.

    nu_thz          frequencies, any shape, > 0
    delta_mev       gap Delta(T); 0 gives the Drude form
    scattering_mev  hbar/tau in meV, > 0, may be inf (dirty limit)
    t_k             temperature in K, >= 0
    returns         complex, shape of nu_thz, in units of the dc normal conductivity
    accuracy        1e-11 relative, real and imaginary part each (2e-11 near hbar/tau -> inf)
    raises          ValueError for values outside these ranges
    source          Nam, Phys. Rev. 156, 470 (1967); Zimmermann et al., Physica C 183, 99 (1991)
    """
    nu = checked_frequencies(nu_thz)
    delta = checked_scalar("delta_mev", delta_mev, at_least=0.0)
    rate = checked_scalar("scattering_mev", scattering_mev, above=0.0, infinite=True)
    temp = kelvin_to_mev(checked_scalar("t_k", t_k, at_least=0.0))
    if delta == 0.0:
        return drude_factor(nu, rate)
    out = np.empty(nu.size, dtype=complex)
    conductivity_kernel(thz_to_mev(nu.ravel()) / delta, temp / delta, delta / rate, out)
    return out.reshape(nu.shape)
