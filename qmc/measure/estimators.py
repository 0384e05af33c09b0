"""What one closed configuration says: windings, currents by slice, energies, Fourier sums.

All definitions are those of the link-current representation, N = Lx Ly:

    rho_s_x      W_x^2 Lx / (Ly beta)                                  superfluid stiffness, E_J
    kappa        beta W_tau^2 / N                                      compressibility, 1/E_J
    rho_x(n)     |sum_k I_x(k) exp(i w_n tau_k)|^2 / (N beta)          current response, E_J
    rho_t_x      |sum_r X(r) exp(2 pi i y/Ly)|^2 / (N beta)            the same, static, at transverse q
    minus_kx     sum_(x bonds) E_J cos / N                             <-k_x>, E_J
    bond         -(Josephson energy of one slice)/E_J                  B, bond-energy operator
    chi_s_raw(n) (eps / (N L_tau)) |sum_k B(k) exp(i w_n tau_k)|^2     scalar response, n = 0 not connected
    chi_c_raw(n) the same of the charging energy C(k) of one slice
    heat_raw     eps^2 (sum_k C(k) - B(k))^2 / N                       specific heat, not connected
    kappa_loc    beta sum_r n(r)^2 / (number of rotors)                of a rotor to its own potential, 1/E_J

I_x(k) is the sum of J_x over slice k, X(r) and n(r) L_tau are the sums of J_x and J_tau over the times of
column r. rho_x(0) = rho_s_x, and rho already holds the contact term. Along q static currents vanish, since
they are conserved: the longitudinal static response is zero in every configuration.
B = sum_bonds E_J cos(theta); for the action `villain`, where these have no finite variance in link
currents, `actions.space_links` says what stands for <-k_x> and B. In every square of an energy the same
link at the same time takes its `contact` besides: h(B^2) instead of h(B)^2 for bonds; for all links the
second derivative of ln w, so that heat = d(energy)/dT holds exactly at fixed L_tau.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.link_weights import LinkTable
from sitqmc.qmc.model.model import Disorder, Model
from sitqmc.qmc.worm.link_tables import Array, Links, Rows, by_current
from sitqmc.qmc.worm.packing import COMPACT, Layout

SCALARS = (
    "rho_s_x", "rho_s_y", "kappa", "minus_kx", "minus_ky",
    "charging_energy", "bond_energy", "energy", "bond",
    "density", "kappa_loc", "heat_raw", "rho_t_x", "rho_t_y", "W4_x", "W4_y", "W4_tau", "winds",
)  # fmt: skip
"""Names of the entries of `Measured.scalars`."""

SERIES = (*SCALARS, "rho_x_1", "rho_y_1", "chi_s_raw_1", "chi_c_raw_1")
"""What `measure` reports of one measurement: the scalars and the responses at the first frequency."""

STRIDE = 128
"""Words read side by side: whole columns, so that loops over short ones are long enough to be fast."""

TURNS = 9
"""Entries of `Measured.turns`."""

MAPS = ("density", "kappa", "kappa_loc")
FLOW = ("flow_x", "flow_y")
"""Names of the rows of `Measured.maps`: MAPS, then FLOW."""


class Operators(NamedTuple):
    """Estimators of links by table and current, and the Fourier basis, for several replicas.

    bonds                            float64 (tables, width, 3): kinetic, contact and energy of a bond with a
                                     current, less those without; side by side for one load
    times                            float64 (tables, width, 2): energy and contact of a time link
    bond_row, site_row               (replicas, 2, Lx Ly), (replicas, Lx Ly): table of each link
    empty                            float64 (replicas, 4): kinetic x and y, contact and energy of the
                                     bonds of one slice without currents
    cosine, sine                     float64 (L_tau // 2 + 1, n_max + 1): cos and sin of w_n tau_k
    wave_x, wave_y                   float64 (2, Lx), (2, Ly): cos and sin of the smallest wave vectors
    present                          int64 (replicas,), number of rotors
    space_mask .. t_shift            layout of the words
    counted                          whether `counting.count_currents` can sum them
    """

    bonds: Array
    times: Array
    bond_row: Rows
    site_row: Rows
    empty: Array
    cosine: Array
    sine: Array
    wave_x: Array
    wave_y: Array
    present: NDArray[np.int64]
    eps: float
    Lx: int
    Ly: int
    L_tau: int
    space_mask: int
    time_mask: int
    space_bias: int
    time_bias: int
    y_shift: int
    t_shift: int
    counted: bool


class Work(NamedTuple):
    """Sums over one configuration.

    current_x .. time_energy   float64 (L_tau,), over one time slice
    columns                    float64 (3, Lx Ly): J_x, J_y, J_tau summed over the times of a column
    totals                     float64 (4,): kinetic x and y, contact of bonds, contact of time links
    fourier                    float64 (2, n_max + 1): real and imaginary part of one transform
    fields .. time_counts      uint32, uint64, uint64 (whole columns,), see `counting.count_words`
    """

    current_x: Array
    current_y: Array
    space_energy: Array
    time_energy: Array
    columns: Array
    totals: Array
    fourier: Array
    fields: NDArray[np.uint32]
    space_counts: NDArray[np.uint64]
    time_counts: NDArray[np.uint64]


class Measured(NamedTuple):
    """Sums over measurements of several replicas: those of the current bin, and the maps over all bins.

    scalars                   float64 (replicas, len(SCALARS))
    rho_x, rho_y, chi, chi_c  float64 (replicas, n_max + 1)
    maps                      float64 (replicas, len(MAPS) + len(FLOW), Lx Ly): n(r), beta n(r) W_tau,
                              beta n(r)^2, and W_x times the current through the bonds along x and y
    turns                     float64 (replicas, TURNS): sums over looks at the windings since the last
                              measurement, see `measure.add_turns`; they cost nothing, so there are many
    """

    scalars: Array
    rho_x: Array
    rho_y: Array
    chi: Array
    chi_c: Array
    maps: Array
    turns: Array


def operators(
    model: Model, disorder: Sequence[Disorder], links: Sequence[Links], n_max: int, layout: Layout
) -> Operators:
    """Tables of several samples for Matsubara numbers 0 .. n_max; ValueError if n_max > L_tau/2."""
    if not 1 <= n_max <= model.L_tau // 2:
        raise ValueError(f"n_max = {n_max}: must be between 1 and L_tau/2 = {model.L_tau // 2}")
    width = max(some.width for some in links)
    bonds = np.stack([
        np.stack([by_current(getattr(t, name), width) for name in ("kinetic", "contact", "energy")], axis=-1)
        for some in links for t in some.space
    ])  # fmt: skip
    times = np.stack([
        np.stack([by_current(t.energy, width, -t.field), by_current(t.contact, width)], axis=-1)
        for some in links for t in some.time
    ])  # fmt: skip
    still = bonds[:, width // 2]
    # The tables of all samples follow each other.
    bond_row = np.stack([
        some.bond_row + first for some, first in zip(links, _starts([x.space for x in links]), strict=True)
    ]).astype(np.int32)
    site_row = np.stack([
        some.site_row + first for some, first in zip(links, _starts([x.time for x in links]), strict=True)
    ]).astype(np.int32)
    turns = np.outer(np.arange(model.L_tau // 2 + 1), np.arange(n_max + 1)) % model.L_tau
    phase = 2 * np.pi / model.L_tau * turns
    return Operators(
        bonds=bonds - still[:, None],
        times=times,
        bond_row=bond_row,
        site_row=site_row,
        empty=np.stack([_empty(still, *pair) for pair in zip(bond_row, disorder, strict=True)]),
        cosine=np.cos(phase),
        sine=np.sin(phase),
        wave_x=_wave(model.Lx),
        wave_y=_wave(model.Ly),
        present=np.array([sample.present for sample in disorder]),
        eps=model.eps,
        Lx=model.Lx,
        Ly=model.Ly,
        L_tau=model.L_tau,
        space_mask=2 * layout.bias(0) - 1,
        time_mask=2 * layout.bias(4) - 1,
        space_bias=layout.bias(0),
        time_bias=layout.bias(4),
        y_shift=layout.shift(2),
        t_shift=layout.shift(4),
        counted=layout == COMPACT and model.n_g == 0 and all(sample.uniform for sample in disorder),
    )  # fmt: skip


def _starts(groups: Sequence[Sequence[LinkTable]]) -> list[int]:
    """Number of the first table of each group when all follow each other."""
    counts = [len(group) for group in groups]
    return [sum(counts[:i]) for i in range(len(counts))]


def _empty(still: Array, rows: Rows, sample: Disorder) -> Array:
    """See `Operators.empty`; still: (tables, 3), of a bond without current."""
    x, y = (still[row[mask.ravel()]].sum(axis=0) for row, mask in zip(rows, sample.bonds, strict=True))
    return np.array([x[0], y[0], x[1] + y[1], x[2] + y[2]])


def _wave(L: int) -> Array:
    phase = 2 * np.pi * np.arange(L) / L
    return np.stack([np.cos(phase), np.sin(phase)])


def new_work(model: Model, n_max: int) -> Work:
    """Work space of `measure`."""
    x, y, space, time = np.zeros((4, model.L_tau))
    columns, totals, fourier = np.zeros((3, model.sites)), np.zeros(4), np.zeros((2, n_max + 1))
    places = min(model.sites, max(1, STRIDE // model.L_tau)) * model.L_tau
    fields, counts = np.zeros(places, np.uint32), np.zeros((2, places), np.uint64)
    return Work(x, y, space, time, columns, totals, fourier, fields, *counts)


def new_measured(model: Model, replicas: int, n_max: int) -> Measured:
    """Accumulators set to zero."""
    rho_x, rho_y, chi, chi_c = np.zeros((4, replicas, n_max + 1))
    maps = np.zeros((replicas, len(MAPS) + len(FLOW), model.sites))
    turns = np.zeros((replicas, TURNS))
    return Measured(np.zeros((replicas, len(SCALARS))), rho_x, rho_y, chi, chi_c, maps, turns)
