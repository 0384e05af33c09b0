"""Integral kernels from a non-negative even spectrum A(omega) to imaginary-time data.

Every spectrum of this package is continued in its even, non-negative form,

    conductivity   A = sigma_reg(omega)          data rho(i w_n) or Lambda_xx(tau)
    Green function A = P(omega)/omega            data G(tau)
    scalar         A = chi''(omega)/omega        data chi(tau) or chi(i w_n)

and data = integral_0^inf d(omega) kernel(data point, omega) A(omega), up to an additive constant for
Matsubara data (the stiffness, or the equal-time contact term). Spectra that are not even have kernels of
their own, over all frequencies: `two_sided_kernel`. `data.kinds` has the integral of every kind.

Discrete imaginary time. With a positive transfer matrix of step eps the representation in tau is exact
at tau_k = k eps, k >= 1; only k = 0 carries a contact term. Summing cos(w_n tau_k) over the slices gives

    sum_k cosh[w(tau_k - beta/2)] cos(w_n tau_k) / sinh(w beta/2) = sinh(a)/(cosh a - cos t),

a = eps w, t = eps w_n, hence in closed form and without any cancellation (S = sin(t/2), s = sinh(a/2))

    sum_k (1 - cos w_n tau_k) ...  = coth(a/2) S^2 / (s^2 + S^2).

eps -> 0 gives the continuum kernels (2/pi) w_n^2/(w^2 + w_n^2) and (2/pi) w^2/(w^2 + w_n^2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def matsubara(n: ArrayLike, beta: float) -> Array:
    """Return bosonic frequencies w_n = 2 pi n/beta, any shape, in the unit of 1/beta."""
    return 2.0 * np.pi * np.asarray(n, dtype=float) / beta


def tau_kernel(tau: ArrayLike, omega: ArrayLike, beta: float) -> Array:
    """Return (omega/pi) cosh[omega(tau - beta/2)]/sinh(omega beta/2), shape (tau, omega).

    tau    (n_tau,) in [0, beta];  omega  (n_omega,) >= 0;  units 1/energy and energy
    Relative accuracy a few 1e-16 for any beta*omega; the limit 2/(pi beta) at omega = 0.
    """
    t = np.asarray(tau, dtype=float)[:, None]
    # Below 1e-12/beta the kernel equals its limit to all digits, and the quotient stays finite.
    w = np.maximum(np.asarray(omega, dtype=float), 1e-12 / beta)[None, :]
    # Divided through by exp(beta w/2): no overflow at large w; expm1: no cancellation at small w.
    return w / np.pi * (np.exp(-w * t) + np.exp(-w * (beta - t))) / -np.expm1(-beta * w)


def _lattice_factors(n: ArrayLike, omega: ArrayLike, beta: float, eps: float) -> tuple[Array, Array]:
    """Return (eps w coth(eps w/2), S^2/(s^2 + S^2)), shapes (1, omega) and (n, omega)."""
    a = np.maximum(eps * np.asarray(omega, dtype=float), 1e-12)[None, :]
    S2 = np.sin(0.5 * eps * matsubara(n, beta))[:, None] ** 2
    # Multiplied by 4 exp(-a): sinh never overflows, and 0/0 at n = 0 is not met because a > 0.
    decay, s2 = np.exp(-a), np.expm1(-a) ** 2
    return a * (1.0 + decay) / -np.expm1(-a), 4.0 * S2 * decay / (s2 + 4.0 * S2 * decay)


def current_kernel(n: ArrayLike, omega: ArrayLike, beta: float, eps: float | None = None) -> Array:
    """Return the kernel of rho(i w_n) - rho_s against sigma_reg(omega), shape (n, omega).

    n      (n_points,) Matsubara integers, 0 <= n <= beta/(2 eps);  n = 0 gives a row of zeros
    omega  (n_omega,) >= 0
    eps    time step of the simulation; None for continuous time
    Tends to 2/pi (the f-sum rule) for w_n >> omega when eps is None.
    """
    if eps is not None:
        first, second = _lattice_factors(n, omega, beta, eps)
        return first * second / np.pi
    w2 = np.maximum(np.asarray(omega, dtype=float), 1e-12 / beta)[None, :] ** 2
    wn2 = matsubara(n, beta)[:, None] ** 2
    return 2.0 / np.pi * wn2 / (w2 + wn2)


def response_kernel(n: ArrayLike, omega: ArrayLike, beta: float, eps: float | None = None) -> Array:
    """Return the kernel of chi(i w_n) against chi''(omega)/omega, shape (n, omega).

    Same arguments as `current_kernel`. With eps given it is the sum over slices eps * chi(tau_k) with the
    spectral value at k = 0; a contact term there adds a constant that does not depend on n.
    """
    if eps is not None:
        first, second = _lattice_factors(n, omega, beta, eps)
        return first * (1.0 - second) / np.pi
    w2 = np.maximum(np.asarray(omega, dtype=float), 1e-12 / beta)[None, :] ** 2
    return 2.0 / np.pi * w2 / (w2 + matsubara(n, beta)[:, None] ** 2)


def two_sided_kernel(kind: str, points: ArrayLike, omega: ArrayLike, beta: float) -> Array:
    """Return the kernel against A(omega) on both sides of zero, shape (points, omega); complex for *_iw.

    kind    fermion_tau, boson_tau: points are times in [0, beta]; fermion_iw, boson_iw: points are w_n
    No exponential overflows, and omega = 0 has its limit.
    """
    w, p = np.asarray(omega, dtype=float)[None, :], np.asarray(points, dtype=float)[:, None]
    if kind == "fermion_iw":
        return np.asarray(1.0 / (1j * p - w))
    if kind == "boson_iw":
        w = np.where(np.abs(w) < 1e-12 / beta, 1e-12 / beta, w)
        return np.asarray(w / (w - 1j * p) / np.pi)
    # exp(-w tau)/(1 +- exp(-beta w)), multiplied through by exp(beta w) where w < 0.
    size = np.abs(w)
    decay = np.exp(-size * np.where(w >= 0, p, beta - p))
    if kind == "fermion_tau":
        return np.asarray(decay / (1.0 + np.exp(-beta * size)))
    size = np.maximum(size, 1e-12 / beta)
    return np.asarray(size / np.pi * decay / -np.expm1(-beta * size))


def sum_kernel(omega: ArrayLike) -> Array:
    """Return the kernel (1, omega) of <-k_x> - rho_s = (2/pi) int sigma_reg, the f-sum rule for eps -> 0."""
    return np.full((1, np.size(np.asarray(omega))), 2.0 / np.pi)
