"""Mattis-Bardeen conductivity: the dirty limit, Phys. Rev. 111, 412 (1958)."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import elliprd, elliprf

from sitqmc.analytic.numerics.checks import checked_frequencies, checked_scalar
from sitqmc.analytic.superconductor.finite_scattering import finite_scattering_conductivity
from sitqmc.analytic.units import Array, Complex, thz_to_mev


def _first_minus_second(complement: Array) -> tuple[Array, Array]:
    """Return K and K - E at modulus squared m = 1 - complement, by Carlson's forms, without cancellation."""
    first = elliprf(0.0, complement, 1.0)
    return first, (1.0 - complement) / 3.0 * elliprd(0.0, complement, 1.0)


def zero_temperature(x: Array) -> Complex:
    """Return sigma/sigma_n at T = 0 as a function of x = hbar omega/2 Delta > 0, any shape.

    With k = |1 - x|/(1 + x) and k'^2 = 1 - k^2:
    sigma1 = (1 + 1/x) E(k) - (2/x) K(k) for x > 1, else 0;  sigma2 = [(1 + 1/x) E(k') - (1 - 1/x) K(k')]/2.
    Both are rearranged in K and K - E, which stays accurate at the gap edge and at high frequency.
    """
    # The complementary squared moduli are formed from exact factors, never as 1 - k^2.
    k2 = ((1.0 - x) / (1.0 + x)) ** 2
    kp2 = 4.0 * x / (1.0 + x) ** 2
    big_k, difference = _first_minus_second(kp2)
    sigma1 = np.where(x > 1.0, (1.0 - 1.0 / x) * big_k - (1.0 + 1.0 / x) * difference, 0.0)
    # At the gap edge K(k') diverges like -ln|1 - x| but its factor 1 - 1/x vanishes: shift k2 off zero.
    big_k, difference = _first_minus_second(np.maximum(k2, 1e-300))
    sigma2 = big_k / x - 0.5 * (1.0 + 1.0 / x) * difference
    return sigma1 + 1j * sigma2


def mattis_bardeen(nu_thz: ArrayLike, delta_mev: float, t_k: float) -> Complex:
    """Return sigma(omega)/sigma_n of a BCS superconductor in the dirty limit.

    nu_thz     frequencies, any shape, > 0
    delta_mev  gap Delta(T) >= 0; zero gives 1 (normal metal)
    t_k        temperature in K, >= 0; zero uses the elliptic-integral form
    accuracy   1e-10 relative for real and imaginary part
    raises     ValueError for values outside these ranges
    """
    nu = checked_frequencies(nu_thz)
    delta = checked_scalar("delta_mev", delta_mev, at_least=0.0)
    if t_k == 0 and delta > 0:
        return zero_temperature(thz_to_mev(nu) / (2.0 * delta))
    return finite_scattering_conductivity(nu, delta, np.inf, t_k)
