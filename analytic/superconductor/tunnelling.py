"""Tunnelling into a Dynes superconductor: density of states and thermally broadened dI/dV.

N(E) = |Re (E + i Gamma)/sqrt((E + i Gamma)^2 - Delta^2)|, even (Dynes et al., PRL 41, 1509 (1978));
dI/dV(V) = int dE N(E) (-f'(E - eV)), in units of the normal-state conductance, normal counter electrode.
"""

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.quadrature import NODES_PER_END, graded
from sitqmc.analytic.superconductor.dynes import dynes_functions
from sitqmc.analytic.units import Array, kelvin_to_mev
from sitqmc.jit import kernel, kernel_helper


@kernel_helper
def density_of_states(energy: float, gamma: float) -> float:
    """Return N(E) with Delta = 1; Gamma = 0 gives the BCS form (infinite at the gap edge)."""
    if gamma > 0.0:
        return dynes_functions(energy, gamma)[1].real
    size = abs(energy)
    if size < 1.0:
        return 0.0
    return size / np.sqrt((size - 1.0) * (size + 1.0))


@kernel_helper
def _window(
    low: float,
    high: float,
    scales: tuple[float, float],
    bias: float,
    gamma: float,
    temp: float,
    x: Array,
    w: Array,
) -> float:
    """Return int_low^high N(E) (-f'(E - bias)) dE, nodes clustered at both ends; Delta = 1."""
    if not high > low:
        return 0.0
    left = graded(0.5 * (high - low), scales[0], x, w, 0)
    n = graded(0.5 * (high - low), scales[1], x, w, left)
    total = 0.0
    for i in range(n):
        energy = low + x[i] if i < left else high - x[i]
        q = np.exp(-abs(energy - bias) / temp)
        total += w[i] * density_of_states(energy, gamma) * q / (1.0 + q) ** 2
    return total / temp


@kernel
def didv_kernel(bias: Array, gamma: float, temp: float, out: Array) -> None:
    """Set out[i] to dI/dV(bias[i]) / normal value, Delta = 1; cut at the gap edges and the bias."""
    x, w = np.empty(2 * NODES_PER_END), np.empty(2 * NODES_PER_END)
    edge = min(temp, gamma) if gamma > 0.0 else temp
    cuts, scale = np.empty(5), np.empty(5)
    for i in range(bias.size):
        v = abs(bias[i])
        if temp == 0.0:
            out[i] = density_of_states(v, gamma)
            continue
        low, high = v - 45.0 * temp, max(v, 1.0) + 45.0 * temp
        # A bias at the gap edge needs no cut of its own; a sliver between the two would hit the singularity.
        cut = 1.0 if abs(v - 1.0) < 1e-3 * temp else v
        cuts[:] = (low, -1.0, min(cut, 1.0), max(cut, 1.0), high)
        near = min(edge, max(abs(cut - 1.0), gamma)) if cut != 1.0 else edge  # the edge may lie just outside
        scale[:] = (temp, edge, near, near, temp)
        total = 0.0
        for k in range(4):
            a, b = max(low, cuts[k]), min(high, cuts[k + 1])
            total += _window(a, b, (scale[k], scale[k + 1]), v, gamma, temp, x, w)
        out[i] = total


def _units(delta_mev: float, gamma_mev: float) -> tuple[float, float]:
    delta = checked_scalar("delta_mev", delta_mev, above=0.0)
    return delta, checked_scalar("gamma_mev", gamma_mev, at_least=0.0)


def dynes_dos(energy_mev: ArrayLike, delta_mev: float, gamma_mev: float) -> Array:
    """Return the density of states N(E)/N_n, even in E; infinite at E = Delta when Gamma = 0.

    energy_mev  any shape;  delta_mev > 0;  gamma_mev >= 0
    raises      ValueError for values outside these ranges
    """
    delta, gamma = _units(delta_mev, gamma_mev)
    z = np.abs(np.asarray(energy_mev, dtype=float)) + 1j * gamma
    with np.errstate(divide="ignore", invalid="ignore"):
        dos = (z / (np.sqrt(z - delta) * np.sqrt(z + delta))).real
    return np.where(z == delta, np.inf, dos)


def tunnelling_conductance(bias_mv: ArrayLike, delta_mev: float, gamma_mev: float, t_k: float) -> Array:
    """Return dI/dV over its normal-state value at bias voltages in mV (any shape, either sign).

    delta_mev  gap Delta(T) > 0;  gamma_mev  Dynes broadening >= 0;  t_k  electron temperature >= 0
    accuracy   1e-9 relative
    raises     ValueError for values outside these ranges
    """
    delta, gamma = _units(delta_mev, gamma_mev)
    bias = np.asarray(bias_mv, dtype=float)
    temp = kelvin_to_mev(checked_scalar("t_k", t_k, at_least=0.0))
    out = np.empty(bias.size)
    didv_kernel(bias.ravel() / delta, gamma / delta, temp / delta, out)
    return out.reshape(bias.shape)
