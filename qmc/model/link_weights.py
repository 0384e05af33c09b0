"""Link weights of the three actions and the functions of a link current that estimate operators.

A link of angle difference theta carries exp(-V(theta)) = sum_J w(J) exp(i J theta). An operator
f(theta) on that link is measured in link currents by

    h_f(J) = F_J[f exp(-V)] / F_J[exp(-V)],      F_J = Fourier coefficient,

so <f> = <h_f(J)>; products on different links are products of h. For exp(-V) = exp(K cos theta) the
coefficients are Bessel functions and h_cos = (I_{J-1} + I_{J+1}) / (2 I_J).

    action    time links                    space links              K_tau = 1/(eps E_C)
    rotor     exp(-J^2 / (2 K_tau))         I_J(K_x)                 K_x = eps E_J
    cosine    I_J(K_tau)                    I_J(K_x)
    villain   exp(-J^2 / (2 K_tau))         exp(-J^2 / (2 K_x))

A charge offset n_g multiplies the weight of every time link by exp(eps E_C n_g J), which is exactly
(E_C/2)(n - n_g)^2 for Gaussian weights, up to the constant E_C n_g^2/2. Bessel weights of time links have
no such form: the charge would neither be n_g at n_g = 1/2 nor shift by one with n_g -> n_g + 1, so `cosine`
has no charge offset. E_J and E_C belong to the link; energies are in units of the clean E_J.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ive

from sitqmc.result import Result

Action = Literal["rotor", "cosine", "villain"]
ACTIONS: tuple[Action, ...] = ("rotor", "cosine", "villain")

J_LIMIT = 126
"""Largest |J| that the packed words of the worm hold."""

NEGLECTED = 1e-15
"""Weights are cut off where the tail beyond is below this share of the sum over J."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinkWeights(Result):
    """Weight and estimators of one kind of link, as functions of J = 0 .. j_max (even in J but for n_g).

    weight   w(J)/w(0) without charge offset
    energy   contribution of the link to the energy, -d ln w/d eps (E_J); see `time_links`, `space_links`
    contact  what one link adds to the product of two energies at the same time, d^2 ln w/d eps^2 (E_J^2);
             for functions of the angle it is h(e^2) - h(e)^2
    kinetic  contribution of the bond to <-k_x> (E_J); zero for time links
    tilt     eps E_C n_g: the weight of J is weight(|J|) exp(tilt J)
    field    E_C n_g (E_J): the energy of J is energy(|J|) - field J
    """

    weight: Array
    energy: Array
    contact: Array
    kinetic: Array
    tilt: float = 0.0
    field: float = 0.0

    @property
    def j_max(self) -> int:
        return len(self.weight) - 1

    def acceptance(self, j: NDArray[np.int64]) -> Array:
        """Return the Metropolis rates min(1, w(j + 1)/w(j)) of J = j -> j + 1; zero at the cut-off."""
        inside = np.clip(j, -self.j_max, self.j_max - 1)
        ratio = self.weight[np.abs(inside + 1)] / self.weight[np.abs(inside)]
        rate = np.minimum(1.0, ratio * math.exp(self.tilt) if self.tilt else ratio)
        return np.where(j >= self.j_max, 0.0, np.where(j < -self.j_max, 1.0, rate))

    def reversed(self) -> "LinkWeights":
        """Return the weights of the same link seen from its other end, where the current is -J."""
        return replace(self, tilt=-self.tilt, field=-self.field)


def _cutoff(weight: Array, name: str, coupling: float, tilt: float = 0.0) -> int:
    """Return the smallest j_max whose neglected tail is below NEGLECTED.

    raises  ValueError if the packed words cannot hold it
    """
    if tilt:
        weight = weight * np.exp(np.abs(tilt) * np.arange(len(weight)))
    tail = np.cumsum(weight[::-1])[::-1]
    negligible = np.flatnonzero(tail < NEGLECTED * tail[0])
    j_max = int(negligible[0]) - 1 if len(negligible) else len(weight)
    if j_max > J_LIMIT:
        raise ValueError(
            f"{name} = {coupling:.6g}: link currents beyond |J| = {J_LIMIT} would be needed; "
            f"choose a {'larger eps * charging' if name == 'K_tau' else 'smaller eps'}"
        )
    return max(j_max, 1)


def _bessel(coupling: float, name: str) -> tuple[Array, Array, Array]:
    """Return w(J)/w(0), h_cos and h_cos2 for exp(K cos theta); ive is scaled, so no K overflows."""
    j = np.arange(4 * J_LIMIT)
    scaled = ive(j, coupling)
    n = _cutoff(scaled, name, coupling) + 1
    down2, down, here = scaled[np.abs(j[:n] - 2)], scaled[np.abs(j[:n] - 1)], scaled[:n]
    cos = (down + scaled[1 : n + 1]) / (2 * here)
    cos2 = (down2 + 2 * here + scaled[2 : n + 2]) / (4 * here)
    return here / here[0], cos, cos2


def _gaussian(coupling: float, name: str, tilt: float = 0.0) -> Array:
    """Return exp(-J^2 / (2 K)), cut off."""
    j = np.arange(4 * J_LIMIT)
    weight = np.exp(-0.5 * j**2 / coupling)
    return weight[: _cutoff(weight, name, coupling, tilt) + 1]


def time_links(action: Action, eps: float, charging: float, n_g: float = 0.0) -> LinkWeights:
    """Return the weights of the time links. The energy is the charging energy of one site, zero at J = 0.

    Gaussian weights: (E_C/2) J^2. cosine: (K_tau/eps) (h_cos(J) - h_cos(0)), the derivative of
    ln[I_J(K)/I_0(K)], which tends to (E_C/2) J^2 for eps -> 0. Its contact term is the second derivative
    at fixed E_C, which is also the one in E_C at fixed eps (times eps^2/E_C^2), and tends to zero.
    raises  ValueError for a charge offset with the action `cosine`, or a coupling out of range
    """
    if action == "cosine" and n_g:
        raise ValueError(
            f"n_g = {n_g:g}: the action cosine has no charge offset (its density would be wrong); "
            "choose action = \"rotor\" or \"villain\""
        )
    coupling, tilt = 1 / (eps * charging), eps * charging * n_g
    if action == "cosine":
        weight, cos, cos2 = _bessel(coupling, "K_tau")
        variance = cos2 - cos**2
        energy = coupling / eps * (cos - cos[0])
        slope = (coupling / eps) ** 2 * (variance - variance[0])
        contact = slope + 2 / eps * energy
    else:
        weight = _gaussian(coupling, "K_tau", tilt)
        energy = 0.5 * charging * np.arange(len(weight)) ** 2.0
        contact = np.zeros_like(weight)
    return LinkWeights(weight, energy, contact, np.zeros_like(weight), tilt, charging * n_g)


def space_links(action: Action, eps: float, E_J: float = 1.0) -> LinkWeights:
    """Return the weights of a present space link, K = K_x = eps E_J. The energy is the energy of the bond.

    Bessel weights: energy -E_J cos theta, <-k_x> from E_J cos theta.
    villain: energy E_J (theta - 2 pi m)^2/2 -> E_J [1/(2 K) - J^2/(2 K^2)], the derivative of the
    logarithm of (2 pi K)^(-1/2) exp(-J^2/(2 K)); <-k_x> from E_J J^2/K, the equal-time fluctuation of the
    link current.
    (The second derivative of the potential itself, V'', has coefficients that grow like the inverse
    weights: its average exists but its variance in link currents does not.)
    """
    K = eps * E_J
    if action == "villain":
        weight = _gaussian(K, "K_x")
        j2 = np.square(np.arange(len(weight), dtype=np.float64))
        energy = E_J * (0.5 / K - 0.5 * j2 / K**2)
        return LinkWeights(weight, energy, E_J**2 * (0.5 / K**2 - j2 / K**3), j2 / eps)
    weight, cos, cos2 = _bessel(K, "K_x")
    return LinkWeights(weight, -E_J * cos, E_J**2 * (cos2 - cos**2), E_J * cos)
