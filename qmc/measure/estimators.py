"""Tables and sums that the kernels of `measure` use; `qmc.observables` defines what they measure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.measure.wave_tables import Integers, Waves, WaveWork, new_wave_work, wave_tables
from sitqmc.qmc.model.disorder import Disorder
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.observables import MAP_SUMS, SCALARS, WAVES, ArrayOffsets
from sitqmc.qmc.worm.link_tables import Array, LinkTables, Rows
from sitqmc.qmc.worm.packing import COMPACT, Layout

STRIDE = 128
"""Words read side by side: whole columns, so that loops over short ones are long enough to be fast."""

# Columns of `Operators.bonds`, `Operators.times` and `Operators.empty`, entries of `Work.totals`.
BOND_KINETIC, BOND_CONTACT, BOND_ENERGY = range(3)
TIME_ENERGY, TIME_CONTACT = range(2)
KINETIC_X, KINETIC_Y, SPACE_CONTACT, SPACE_ENERGY = range(4)
TOTAL_KINETIC_X, TOTAL_KINETIC_Y, TOTAL_SPACE_CONTACT, TOTAL_TIME_CONTACT = range(4)

# Entries of `Measured.winding_moments`: number of reads, and sums of powers of the windings.
READS, W_TAU, W2_X, W2_Y, W2_TAU, W4_X, W4_Y, W4_TAU, WINDS = range(9)
WINDING_MOMENTS = 9


class Operators(NamedTuple):
    """Estimators of links by table and current, and the Fourier basis, for several replicas.

    bonds                            float64 (tables, width, 3): kinetic, contact and energy of a bond with a
                                     current, less those without; side by side for one load
    times                            float64 (tables, width, 2): energy and contact of a time link
    bond_table, site_table               (replicas, 2, Lx Ly), (replicas, Lx Ly): table of each link
    empty                            float64 (replicas, 4): kinetic x and y, contact and energy of the
                                     bonds of one slice without currents
    cosine, sine                     float64 (L_tau // 2 + 1, n_max + 1): cos and sin of w_n tau_k
    wave_x, wave_y                   float64 (2, Lx), (2, Ly): cos and sin of the smallest wave vectors
    present                          int64 (replicas,), number of rotors
    space_mask .. t_shift            layout of the words
    can_pack                          whether `packed_sums.count_currents` can sum them
    first                            `observables.ArrayOffsets`: place of each array in `Measured.arrays`
    """

    bonds: Array
    times: Array
    bond_table: Rows
    site_table: Rows
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
    can_pack: bool
    first: Any


class Work(NamedTuple):
    """Sums over one configuration.

    current_x .. time_energy   float64 (L_tau,), over one time slice
    columns                    float64 (3, Lx Ly): J_x, J_y, J_tau summed over the times of a column
    totals                     float64 (4,): kinetic x and y, contact of bonds, contact of time links
    fourier                    float64 (2, n_max + 1): real and imaginary part of one transform
    fields .. time_counts      uint32, uint64, uint64 (whole columns,), see `packed_sums.count_words`
    waves, wave_work           tables and intermediate results of the responses at finite wave vectors
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
    waves: Waves
    wave_work: WaveWork


class Measured(NamedTuple):
    """Sums over measurements of several replicas: those of the current bin, and the maps over all bins.

    scalars   float64 (replicas, len(SCALARS))
    arrays    float64 (replicas, width), all arrays one after the other, see `observables.array_slices`
    maps      float64 (replicas, len(MAP_SUMS), Lx Ly): n(r), beta n(r) W_tau, beta n(r)^2, and W_x times the
              current through the bonds along x and y
    waves     float64 (replicas, len(WAVES), waves, frequencies): responses by wave vector, over all bins
    winding_moments  float64 (replicas, WINDING_MOMENTS), sums over all reads of the windings since the last
              measurement, see `kernels.add_winding_moments`
    """

    scalars: Array
    arrays: Array
    maps: Array
    waves: Array
    winding_moments: Array


def prepare_measurement(
    model: Model, disorder: Sequence[Disorder], links: LinkTables, layout: Layout,
    n_max: int, slices: dict[str, slice], waves: Integers,
) -> tuple[Operators, Work, Measured]:  # fmt: skip
    """Return the tables, the work space and the sums at zero of several samples.

    n_max   largest Matsubara number
    slices  place of each array observable, see `observables.array_slices`
    waves   int64 (waves, 2), wave vectors of the responses by wave vector, see `model.wave_vectors`
    raises  ValueError if n_max is not in 1 .. L_tau/2
    """
    operators = _operators(model, disorder, links, layout, n_max, slices)
    work = _new_work(model, n_max, wave_tables(model, waves))
    width = max(part.stop for part in slices.values())
    return operators, work, _new_sums(model, len(disorder), width, (len(waves), len(work.waves.n)))


def _operators(
    model: Model, disorder: Sequence[Disorder], links: LinkTables, layout: Layout,
    n_max: int, slices: dict[str, slice],
) -> Operators:  # fmt: skip
    """Return the tables of several samples."""
    if not 1 <= n_max <= model.L_tau // 2:
        raise ValueError(f"n_max = {n_max}: must be between 1 and L_tau/2 = {model.L_tau // 2}")
    width = links.width
    bonds = np.stack([
        np.stack([_tabulate(getattr(t, name), width) for name in ("kinetic", "contact", "energy")], axis=-1)
        for t in links.space
    ])  # fmt: skip
    times = np.stack([
        np.stack([_tabulate(t.energy, width, -t.field), _tabulate(t.contact, width)], axis=-1)
        for t in links.time
    ])  # fmt: skip
    still = bonds[:, width // 2]
    phase_index = np.outer(np.arange(model.L_tau // 2 + 1), np.arange(n_max + 1)) % model.L_tau
    phase = 2 * np.pi / model.L_tau * phase_index
    return Operators(
        bonds=bonds - still[:, None],
        times=times,
        bond_table=links.bond_table,
        site_table=links.site_table,
        empty=np.stack([_empty(still, *pair) for pair in zip(links.bond_table, disorder, strict=True)]),
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
        can_pack=layout == COMPACT and model.n_g == 0 and all(sample.uniform for sample in disorder),
        first=ArrayOffsets(**{name: part.start for name, part in slices.items()}),
    )  # fmt: skip


def _tabulate(table: Array, width: int, slope: float = 0.0) -> Array:
    """Return table(|J|) + slope J for J = -width/2 .. width/2 - 1, (width,); zero beyond the table."""
    out, middle = np.zeros(width), width // 2
    j = np.arange(len(table))
    out[middle + j] = table + slope * j
    out[middle - j] = table - slope * j
    return out


def _empty(still: Array, rows: Rows, sample: Disorder) -> Array:
    """Return `Operators.empty` of a sample; still: (tables, 3), of a bond without current."""
    x, y = (still[row[mask.ravel()]].sum(axis=0) for row, mask in zip(rows, sample.bonds, strict=True))
    out = np.empty(4)
    out[KINETIC_X], out[KINETIC_Y] = x[BOND_KINETIC], y[BOND_KINETIC]
    out[SPACE_CONTACT], out[SPACE_ENERGY] = x[BOND_CONTACT] + y[BOND_CONTACT], x[BOND_ENERGY] + y[BOND_ENERGY]
    return out


def _wave(L: int) -> Array:
    phase = 2 * np.pi * np.arange(L) / L
    return np.stack([np.cos(phase), np.sin(phase)])


def _new_work(model: Model, n_max: int, waves: Waves) -> Work:
    """Return the work space of `measure`."""
    x, y, space, time = np.zeros((4, model.L_tau))
    columns, totals, fourier = np.zeros((3, model.sites)), np.zeros(4), np.zeros((2, n_max + 1))
    places = min(model.sites, max(1, STRIDE // model.L_tau)) * model.L_tau
    fields, counts = np.zeros(places, np.uint32), np.zeros((2, places), np.uint64)
    tables = (waves, new_wave_work(model, waves))
    return Work(x, y, space, time, columns, totals, fourier, fields, counts[0], counts[1], *tables)


def _new_sums(model: Model, replicas: int, width: int, wave_shape: tuple[int, int]) -> Measured:
    """Return the sums at zero."""
    return Measured(
        scalars=np.zeros((replicas, len(SCALARS))),
        arrays=np.zeros((replicas, width)),
        maps=np.zeros((replicas, len(MAP_SUMS), model.sites)),
        waves=np.zeros((replicas, len(WAVES), *wave_shape)),
        winding_moments=np.zeros((replicas, WINDING_MOMENTS)),
    )
