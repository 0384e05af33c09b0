"""Gap Delta(T) of weak-coupling BCS theory, solved exactly, with Dynes pair breaking and any 2 Delta/k Tc.

Gap equation as a Matsubara sum, omega_n = 2 pi T (n + 1/2), with the Dynes rate Gamma added to each frequency
(Herman and Hlubina, PRB 94, 144508 (2016)):

    ln(T/Tc0) = sum_{n >= 0} [ 1/sqrt((n + 1/2 + g)^2 + d^2) - 1/(n + 1/2) ],

with g = Gamma/2 pi T and d = Delta/2 pi T.

Tc0 is the critical temperature without pair breaking, ln(Tc/Tc0) = psi(1/2) - psi(1/2 + Gamma/2 pi Tc).
At T = 0: Gamma + sqrt(Gamma^2 + Delta^2) = Delta00 = pi exp(-gamma_E) k Tc0.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import digamma

from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.units import Array, kelvin_to_mev
from sitqmc.jit import kernel, kernel_helper

BCS_RATIO = 2.0 * math.pi * math.exp(-np.euler_gamma)  # 2 Delta(0)/k Tc = 3.5277...
DIRECT_TERMS = 24


@kernel_helper
def _slope_terms(x: float, d2: float) -> tuple[float, float, float]:
    """Return the first, third and fifth derivative of 1/sqrt(x^2 + d2) - 1/x (Euler-Maclaurin rest)."""
    r2 = 1.0 / (x * x + d2)
    r = np.sqrt(r2)
    u = x * r
    first = -u * r2 + 1.0 / x**2
    third = (9.0 * u - 15.0 * u**3) * r2 * r2 + 6.0 / x**4
    fifth = (-225.0 * u + 1050.0 * u**3 - 945.0 * u**5) * r2**3 + 120.0 / x**6
    return first, third, fifth


@kernel
def _pairing_sum(a: float, d: float) -> float:
    """Return sum_{n >= 0} [1/sqrt((n + a)^2 + d^2) - 1/(n + a)]: direct terms, Euler-Maclaurin rest."""
    total = 0.0
    for n in range(DIRECT_TERMS):
        x = n + a
        r = np.sqrt(x * x + d * d)
        total -= d * d / (r * x * (r + x))  # the difference without cancellation
    x = DIRECT_TERMS + a
    r = np.sqrt(x * x + d * d)
    first, third, fifth = _slope_terms(x, d * d)
    rest = -np.log1p(d * d / (2.0 * x * (r + x))) - 0.5 * d * d / (r * x * (r + x))
    return total + rest - first / 12.0 + third / 720.0 - fifth / 30240.0


def critical_temperature(tc0: float, gamma: float) -> float:
    """Return Tc of a Dynes superconductor from Tc0 and Gamma in the same energy unit (k_B = 1).

    raises  ValueError if Gamma destroys superconductivity, Gamma >= Delta00/2
    """
    if gamma == 0.0:
        return tc0
    if 2.0 * gamma >= math.pi * math.exp(-np.euler_gamma) * tc0:
        raise ValueError(f"gamma = {gamma:g} with Tc0 = {tc0:g}: pair breaking above Delta00/2 leaves no gap")

    def mismatch(t: float) -> float:
        return math.log(t / tc0) + digamma(0.5 + gamma / (2.0 * math.pi * t)) - digamma(0.5)

    return float(brentq(mismatch, 1e-6 * tc0, tc0, xtol=1e-15 * tc0, rtol=1e-14))


def _unbroken_tc(tc: float, gamma: float) -> float:
    """Return the Tc0 that gives a measured Tc with Gamma."""
    return tc * math.exp(digamma(0.5 + gamma / (2.0 * math.pi * tc)) - digamma(0.5))


def _zero_gap(tc0: float, gamma: float) -> float:
    full = math.pi * math.exp(-np.euler_gamma) * tc0
    return math.sqrt(full * (full - 2.0 * gamma))


def _solve(t: float, tc0: float, gamma: float, zero: float) -> float:
    """Return the weak-coupling Delta(t) below Tc, all in one energy unit."""
    if t < 1e-5 * tc0 or (gamma == 0.0 and t < 0.02 * tc0):  # corrections below 1e-9, below 1e-37
        return zero
    scale = 2.0 * math.pi * t
    a = 0.5 + gamma / scale
    constant = math.log(t / tc0) + float(digamma(a) - digamma(0.5))

    def mismatch(delta: float) -> float:
        return constant - _pairing_sum(a, delta / scale)

    return float(brentq(mismatch, 0.0, zero * (1.0 + 1e-9), xtol=1e-15 * zero, rtol=1e-14))


def gap_mev(t_k: ArrayLike, tc_k: float, ratio: float = BCS_RATIO, gamma_mev: float = 0.0) -> Array:
    """Return the gap Delta(T) in meV, zero at and above Tc.

    t_k        temperatures in K, any shape, >= 0
    tc_k       measured critical temperature (pair breaking included), > 0
    ratio      2 Delta(0)/k Tc of the same material without pair breaking; above 3.528 (strong coupling) the
               energy axis is stretched: Delta = alpha Delta_BCS(T; Gamma/alpha), alpha = ratio/3.528
    gamma_mev  Dynes pair-breaking rate, >= 0
    accuracy   1e-12 relative below 0.99 Tc; the exact weak-coupling equation, not an interpolation
    raises     ValueError for values outside these ranges
    source     Bardeen, Cooper, Schrieffer (1957); Herman and Hlubina, PRB 94, 144508 (2016)
    """
    t = kelvin_to_mev(np.asarray(t_k, dtype=float))
    if not np.all(t >= 0):
        raise ValueError("t_k: temperatures must be >= 0 K")
    tc = kelvin_to_mev(checked_scalar("tc_k", tc_k, above=0.0))
    alpha = checked_scalar("ratio", ratio, above=0.0) / BCS_RATIO
    gamma = checked_scalar("gamma_mev", gamma_mev, at_least=0.0) / alpha
    tc0 = _unbroken_tc(tc, gamma)
    zero = _zero_gap(tc0, gamma)
    gaps = [_solve(x, tc0, gamma, zero) if x < tc else 0.0 for x in t.ravel()]
    return alpha * np.array(gaps).reshape(t.shape)
