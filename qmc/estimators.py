"""What one closed configuration says: windings, currents by slice, energies, Fourier sums.

All definitions are those of the link-current representation:

    rho_s_x      W_x^2 Lx / (Ly beta)                                     superfluid stiffness, E_J
    kappa        beta W_tau^2 / (Lx Ly)                                   compressibility, 1/E_J
    rho_x(n)     |sum_k I_x(k) exp(i w_n tau_k)|^2 / (Lx Ly beta)         current response, E_J
    minus_kx     sum_(x bonds) cos / (Lx Ly)                              <-k_x>, E_J
    bond         -(Josephson energy of one slice)/E_J                     B, bond-energy operator
    chi_s_raw(n) (eps / (Lx Ly L_tau)) |sum_k B(k) exp(i w_n tau_k)|^2    scalar response, n = 0 not connected

I_x(k) is the sum of J_x over slice k. rho_x(0) = rho_s_x, and rho already holds the contact term.
B = sum_bonds cos(theta); for the action `villain`, where these have no finite variance in link
currents, `actions.space_links` says what stands for <-k_x> and B. In |B|^2 the same link at the same
time takes h(B^2) instead of h(B)^2; that is `contact` below.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmc.actions import space_links, time_links
from qmc.jit import kernel
from qmc.lattice import BIAS
from qmc.model import Model

Array = NDArray[np.float64]

SCALARS = (
    "rho_s_x", "rho_s_y", "kappa", "minus_kx", "minus_ky",
    "charging_energy", "bond_energy", "energy", "bond",
)  # fmt: skip
"""Names of the entries of `Measured.scalars`."""

SERIES = (*SCALARS, "rho_x_1", "rho_y_1", "chi_s_raw_1")
"""What `measure` reports of one measurement: the scalars and the response at the first frequency."""

SPACE_BYTES = 0x00FF00FF        # the bytes of +x and +y


class Operators(NamedTuple):
    """Estimators by the byte of a link, float64 (256,); zero on a missing bond. And the Fourier basis.

    cosine, sine   float64 (n_max + 1, L_tau): cos and sin of w_n tau_k
    """

    kinetic: Array
    contact: Array
    space_energy: Array
    time_energy: Array
    cosine: Array
    sine: Array
    eps: float
    Lx: int
    Ly: int
    L_tau: int


class Slices(NamedTuple):
    """Sums over one time slice, float64 (L_tau,) each."""

    current_x: Array
    current_y: Array
    kinetic_x: Array
    kinetic_y: Array
    contact: Array
    space_energy: Array
    time_energy: Array


class Measured(NamedTuple):
    """Sums over measurements.

    scalars            float64 (len(SCALARS),)
    rho_x, rho_y, chi  float64 (n_max + 1,)
    """

    scalars: Array
    rho_x: Array
    rho_y: Array
    chi: Array


def _by_byte(table: Array) -> Array:
    """Even function of J = 0 .. j_max as a function of the byte; unreachable currents give zero."""
    out = np.zeros(256)
    j = np.arange(len(table))
    out[BIAS + j] = table
    out[BIAS - j] = table
    return out


def operators(model: Model, n_max: int) -> Operators:
    """Tables of `model` for Matsubara numbers 0 .. n_max; ValueError if n_max > L_tau/2."""
    if not 1 <= n_max <= model.L_tau // 2:
        raise ValueError(f"n_max = {n_max}: must be between 1 and L_tau/2 = {model.L_tau // 2}")
    space = space_links(model.action, model.eps)
    time = time_links(model.action, model.eps, model.charging)
    phase = 2 * np.pi / model.L_tau * (np.outer(np.arange(n_max + 1), np.arange(model.L_tau)) % model.L_tau)
    return Operators(
        kinetic=_by_byte(space.kinetic),
        contact=_by_byte(space.contact),
        space_energy=_by_byte(space.energy),
        time_energy=_by_byte(time.energy),
        cosine=np.cos(phase),
        sine=np.sin(phase),
        eps=model.eps,
        Lx=model.Lx,
        Ly=model.Ly,
        L_tau=model.L_tau,
    )


def new_slices(model: Model) -> Slices:
    """Work space of `measure`."""
    return Slices(*(np.zeros(model.L_tau) for _ in Slices._fields))


def new_measured(n_max: int) -> Measured:
    """Accumulators set to zero."""
    return Measured(np.zeros(len(SCALARS)), *(np.zeros(n_max + 1) for _ in range(3)))


@kernel
def sum_slices(words: NDArray[np.int64], operators: Operators, out: Slices) -> None:
    """Fill `out` from the words.

    Most space links carry no current, so each slice starts from the value of the empty configuration,
    and only words that differ from it are looked at link by link.
    """
    L_tau = operators.L_tau
    # Arrays are taken out of their tuples here: inside the loop that would count references.
    kinetic, contact = operators.kinetic, operators.contact
    space_energy, time_energy = operators.space_energy, operators.time_energy
    x_bonds = y_bonds = 0
    for start in range(0, words.size, L_tau):
        x_bonds += words[start] & 0xFF != 0
        y_bonds += (words[start] >> 16) & 0xFF != 0
    current_x, current_y = out.current_x, out.current_y
    kinetic_x, kinetic_y = out.kinetic_x, out.kinetic_y
    contact_sum, space_sum, time_sum = out.contact, out.space_energy, out.time_energy
    current_x[:] = 0.0
    current_y[:] = 0.0
    kinetic_x[:] = x_bonds * kinetic[BIAS]
    kinetic_y[:] = y_bonds * kinetic[BIAS]
    contact_sum[:] = (x_bonds + y_bonds) * contact[BIAS]
    space_sum[:] = (x_bonds + y_bonds) * space_energy[BIAS]
    time_sum[:] = 0.0
    for start in range(0, words.size, L_tau):
        empty = (BIAS if words[start] & 0xFF else 0) | (BIAS << 16 if words[start] & 0xFF0000 else 0)
        for k in range(L_tau):
            word = words[start + k]
            time_sum[k] += time_energy[(word >> 32) & 0xFF]
            if word & SPACE_BYTES != empty:
                x, y = word & 0xFF, (word >> 16) & 0xFF
                if x != 0:
                    current_x[k] += x - BIAS
                    kinetic_x[k] += kinetic[x] - kinetic[BIAS]
                    contact_sum[k] += contact[x] - contact[BIAS]
                    space_sum[k] += space_energy[x] - space_energy[BIAS]
                if y != 0:
                    current_y[k] += y - BIAS
                    kinetic_y[k] += kinetic[y] - kinetic[BIAS]
                    contact_sum[k] += contact[y] - contact[BIAS]
                    space_sum[k] += space_energy[y] - space_energy[BIAS]


@kernel
def measure(
    words: NDArray[np.int64],
    winding: NDArray[np.int64],
    operators: Operators,
    slices: Slices,
    out: Measured,
    now: Array,
) -> None:
    """Add one measurement to `out`; this measurement alone, in the order of SERIES, goes to `now`."""
    sum_slices(words, operators, slices)
    Lx, Ly, L_tau, eps = operators.Lx, operators.Ly, operators.L_tau, operators.eps
    sites, beta = Lx * Ly, operators.eps * operators.L_tau
    contact, bond_energy = slices.contact.sum(), slices.space_energy.sum()
    current_x, current_y, energy = slices.current_x, slices.current_y, slices.space_energy
    cosine, sine = operators.cosine, operators.sine
    now[0] = winding[0] ** 2 * (Lx / (Ly * beta))
    now[1] = winding[1] ** 2 * (Ly / (Lx * beta))
    now[2] = winding[2] ** 2 * (beta / sites)
    now[3] = slices.kinetic_x.sum() / (sites * L_tau)
    now[4] = slices.kinetic_y.sum() / (sites * L_tau)
    now[5] = slices.time_energy.sum() / (sites * L_tau)
    now[6] = bond_energy / (sites * L_tau)
    now[7] = now[5] + now[6]
    now[8] = -bond_energy / L_tau
    for i in range(out.scalars.size):
        out.scalars[i] += now[i]
    for n in range(out.rho_x.size):
        x_re = x_im = y_re = y_im = b_re = b_im = 0.0
        for k in range(L_tau):
            c, s = cosine[n, k], sine[n, k]
            x_re += current_x[k] * c
            x_im += current_x[k] * s
            y_re += current_y[k] * c
            y_im += current_y[k] * s
            b_re += energy[k] * c
            b_im += energy[k] * s
        rho_x = (x_re**2 + x_im**2) / (sites * beta)
        rho_y = (y_re**2 + y_im**2) / (sites * beta)
        chi = (b_re**2 + b_im**2 + contact) * (eps / (sites * L_tau))
        out.rho_x[n] += rho_x
        out.rho_y[n] += rho_y
        out.chi[n] += chi
        if n == 1:
            now[9], now[10], now[11] = rho_x, rho_y, chi
