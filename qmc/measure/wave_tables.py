"""Tables and work space of the transforms in `measure.transverse`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import lattice_wave_vectors, matsubara_numbers

Array = NDArray[np.float64]
Reals = NDArray[np.float32]
Integers = NDArray[np.int64]

LANES = 8
"""Numbers of 32 bits in a vector: loops over a multiple of them need no remainder."""


class Folded(NamedTuple):
    """Cosine and sine transform along one direction of length L; x and L - x are taken together.

    first, second   int64 (pairs,): places of a pair
    twice           float32 (pairs,): 1, or 0 for a place that is its own partner
    cosine, sine    float32 (pairs, m_max + 1): of 2 pi m (place + shift)/L
    """

    first: Integers
    second: Integers
    twice: Reals
    cosine: Reals
    sine: Reals


def _folded(L: int, m_max: int, shift: float) -> Folded:
    """Transform at positions x + shift, shift 0 or 1/2."""
    partner = (-np.arange(L) - round(2 * shift)) % L
    first = np.flatnonzero(np.arange(L) <= partner)
    phase = 2 * np.pi / L * np.outer(first + shift, np.arange(m_max + 1))
    twice = (partner[first] != first).astype(np.float32)
    cosine, sine = np.cos(phase).astype(np.float32), np.sin(phase).astype(np.float32)
    return Folded(first, partner[first], twice, cosine, sine)


class Waves(NamedTuple):
    """Tables of the transforms.

    numbers             int64 (waves, 2): m_x, m_y, by rising m_x
    place               int64 (waves,): where each of them goes in the results
    hat                 float64 (waves, 2): (q^_x, q^_y)/|q^|
    n                   int64 (frequencies,)
    time                float32 (L_tau, W): cos of w_n tau_k, then sin; both padded with zeros to W/2, a
                        multiple of LANES
    x_whole .. y_half   along x and y, at places of sites and of midpoints
    m_y_max             int64 (m_x_max + 1,): largest m_y at each m_x, -1 if there is none
    """

    numbers: Integers
    place: Integers
    hat: Array
    n: Integers
    time: Reals
    x_whole: Folded
    x_half: Folded
    y_whole: Folded
    y_half: Folded
    m_y_max: Integers


def wave_tables(model: Model, waves: Integers) -> Waves:
    """Return the tables for `waves` (waves, 2), see `model.wave_vectors`, maybe none."""
    n = matsubara_numbers(model.L_tau)
    order = np.lexsort((waves[:, 1], waves[:, 0]))
    m_x, m_y = waves[order].T
    hat = lattice_wave_vectors(waves[order], model.Lx, model.Ly)
    phase = 2 * np.pi / model.L_tau * (np.outer(np.arange(model.L_tau), n) % model.L_tau)
    half = -(-len(n) // LANES) * LANES
    time = np.zeros((model.L_tau, 2, half), np.float32)
    time[:, 0, : len(n)], time[:, 1, : len(n)] = np.cos(phase), np.sin(phase)
    top_x, top_y = int(m_x.max(initial=0)), int(m_y.max(initial=0))
    m_y_max = np.full(top_x + 1, -1)
    np.maximum.at(m_y_max, m_x, m_y)
    return Waves(
        numbers=np.ascontiguousarray(waves[order]),
        place=order.astype(np.int64),
        hat=hat / np.hypot(*hat.T)[:, None],
        n=np.asarray(n, np.int64),
        time=time.reshape(model.L_tau, 2 * half),
        x_whole=_folded(model.Lx, top_x, 0.0),
        x_half=_folded(model.Lx, top_x, 0.5),
        y_whole=_folded(model.Ly, top_y, 0.0),
        y_half=_folded(model.Ly, top_y, 0.5),
        m_y_max=m_y_max,
    )


# Fields that are transformed: currents and bond energies along x and y.
J_X, J_Y, B_X, B_Y = range(4)
FIELDS = 4


class WaveWork(NamedTuple):
    """Intermediate results of one configuration, W as in `Waves.time`.

    times .. large   see `_list_currents`
    row           float32 (FIELDS, Lx, W): one row of the array
    pairs         float32 (2, pairs, W): sums and differences of partners
    along_x       float32 (FIELDS, m_x, 2, Ly, W): cosine and sine transforms along x
    both          float32 (FIELDS, 2, m_y, 2, W): along x and y, of one m_x
    """

    times: Integers
    counts: Integers
    large: Integers
    row: Reals
    pairs: Reals
    along_x: Reals
    both: Reals


def new_wave_work(model: Model, waves: Waves) -> WaveWork:
    """Return the work space of `add_waves`."""
    width = waves.time.shape[1]
    m_x, m_y = waves.x_whole.cosine.shape[1], waves.y_whole.cosine.shape[1]
    pairs = max(model.Lx, model.Ly) // 2 + 1
    return WaveWork(
        times=np.zeros((4, model.L_tau + 1), np.int64),
        counts=np.zeros(4, np.int64),
        large=np.zeros((2 * model.L_tau, 3), np.int64),
        row=np.zeros((FIELDS, model.Lx, width), np.float32),
        pairs=np.zeros((2, pairs, width), np.float32),
        along_x=np.zeros((FIELDS, m_x, 2, model.Ly, width), np.float32),
        both=np.zeros((FIELDS, 2, m_y, 2, width), np.float32),
    )
