"""Constraints beside the data: sum rules with errors, a hard gap, a power law at low frequency.

A `Constraint` is one more equation of the joint likelihood. A gap or a power law is a factor on the
spectrum that every prior and default model carries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.result import Result

ABSENT = 1e-30      # factor inside a hard gap: small enough for zero, but it has a logarithm


@dataclass(frozen=True, eq=False)
class Constraint(Result):
    """Equation weight * int_0^inf omega^power A d omega + constant * rho_s = value +- error.

    covariance  (n_points,) of the value with the data, or None if independent
    """

    name: str
    value: float
    error: float
    weight: float = 1.0
    power: float = 0.0
    constant: float = 0.0
    covariance: Array | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise ValueError(f"{self.name} = {self.value}: the known value must be finite")
        if not self.error > 0:
            raise ValueError(f"{self.name}: error = {self.error}: must be > 0; a small one imposes the value")

    def row(self, omega: Array) -> Array:
        """Return the kernel of the equation, (1, omega)."""
        w = np.maximum(omega, 1e-12 * float(omega[-1]))
        if omega[0] < 0:                         # both sides: the sign belongs to odd powers
            if self.power != round(self.power):
                raise ValueError(f"{self.name}: power = {self.power}: must be an integer for two-sided kinds")
            w = np.where(np.abs(omega) < 1e-12 * omega[-1], 1e-12 * omega[-1], omega)
        return np.asarray(self.weight * w[None, :] ** self.power)


def known_stiffness(value: float, error: float, covariance: Array | None = None) -> Constraint:
    """Constrain rho_s to a value from winding numbers or elsewhere, with error and covariance."""
    return Constraint("rho_s", value, error, weight=0.0, constant=1.0, covariance=covariance)


def known_f_sum(value: float, error: float, covariance: Array | None = None) -> Constraint:
    """Constrain rho_s + (2/pi) int sigma_reg to <-k_x>: mean, error and covariance with rho(i w_n)."""
    return Constraint("f-sum", value, error, weight=2.0 / np.pi, constant=1.0, covariance=covariance)


def known_moment(power: float, value: float, error: float) -> Constraint:
    """Constrain int_0^inf omega^power A(omega) d omega."""
    return Constraint(f"moment {power:g}", value, error, power=power)


def support_factor(omega: Array, gap: float | None, onset_power: tuple[float, float] | None) -> Array:
    """Return a factor (omega,) in (0, 1]: ABSENT below the gap; omega^k below omega_c, 1 far above it.

    Two-sided spectra have the same factor at -omega.
    onset_power  (k, omega_c): (omega/omega_c)^k/(1 + (omega/omega_c)^k)
    """
    omega, factor = np.abs(omega), np.ones(omega.size)
    if onset_power is not None:
        k, corner = onset_power
        if not (k > 0 and corner > 0):
            raise ValueError(f"onset_power = {onset_power}: exponent and corner frequency must be > 0")
        ratio = np.minimum((omega / corner) ** k, 1e30)
        factor = np.maximum(ratio / (1.0 + ratio), ABSENT)
    if gap is not None:
        if not 0 <= gap < omega[-1]:
            raise ValueError(f"gap = {gap}: must be in [0, omega_max = {omega[-1]:.3g})")
        factor = np.where(omega < gap, ABSENT, factor)
    return np.asarray(factor)
