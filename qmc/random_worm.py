"""The directed worm for couplings that differ from link to link, where vertices cannot be tabulated.

As `qmc.worm`, but the rates A_d = min(1, w(J_d + 1)/w(J_d)) are looked up link by link, and the head leaves
by the flux

    f_ij = A_i A_j / max(S - A_i, S - A_j)  (i != j),      S = sum A,

symmetric and with row sums below A_i; what is missing, f_ii, bounces. With p_ij = f_ij/A_i this is: propose
j != i with probability A_j/(S - A_i), accept with min(1, (S - A_i)/(S - A_j)).
Source: Liu's Metropolised Gibbs sampler, Biometrika 83, 681 (1996), as used for directed loops by
Pollet, Rombouts, Van Houcke and Heyde, PRE 70, 056705 (2004).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmc.jit import kernel
from qmc.lattice import DIRECTIONS, WRAP_BIT, steps
from qmc.links import Links, first_byte
from qmc.model import Disorder, Model
from qmc.rng import next_u64

# All integers are unsigned, as in `qmc.worm`.
_u = np.uint64
_0, _1, _8, _32, _63 = (_u(n) for n in (0, 1, 8, 32, 63))
_LOW, _DIRECTIONS, _WRAP = _u(0xFFFFFFFF), _u(DIRECTIONS), _u(WRAP_BIT)


class RandomMoves(NamedTuple):
    """Everything fixed that the worm needs.

    step_site, step_column   uint64 (12,), at 2 d + wrap, modulo 2^64; columns are counted, not their sites
    rates                    float32 (Lx Ly * 6 * width,): A of the link along d of a column, by its current;
                             zero for a missing link. Rounding is harmless: one of the two rates of a link is
                             1, so that the other only changes the weights by one part in 10^7.
    width, first_byte        see `qmc.links`
    """

    step_site: NDArray[np.uint64]
    step_column: NDArray[np.uint64]
    L_tau: np.uint64
    Lx: np.uint64
    width: np.uint64
    first_byte: np.uint64
    rates: NDArray[np.float32]


def random_worm_moves(model: Model, disorder: Disorder, links: Links) -> RandomMoves:
    """Geometry and rates of one sample."""
    step_site, step_column = steps(model)
    width = links.width
    return RandomMoves(
        step_site.astype(np.uint64),
        (step_column // model.L_tau).astype(np.uint64),
        np.uint64(model.L_tau),
        np.uint64(model.Lx),
        np.uint64(width),
        np.uint64(first_byte(width)),
        _rates(model, disorder, links),
    )


def _rates(model: Model, disorder: Disorder, links: Links) -> NDArray[np.float32]:
    """See `RandomMoves.rates`."""
    shape, current = (model.Ly, model.Lx), np.arange(links.width) - links.width // 2
    space = np.array([[t.raise_rate(int(j)) for j in current] for t in links.space])
    up = np.array([[t.raise_rate(int(j)) for j in current] for t in links.time])
    down = np.array([[t.reversed().raise_rate(int(j)) for j in current] for t in links.time])
    rates = np.zeros((DIRECTIONS, *shape, links.width))
    for axis in range(2):
        ahead = np.where(disorder.bonds[axis, ..., None], space[links.bond_row[axis].reshape(shape)], 0.0)
        rates[2 * axis], rates[2 * axis + 1] = ahead, np.roll(ahead, 1, axis=1 - axis)
    for d, table in ((4, up), (5, down)):
        rates[d] = np.where(disorder.sites[..., None], table[links.site_row.reshape(shape)], 0.0)
    return np.moveaxis(rates, 0, 2).astype(np.float32).ravel()


@kernel
def run_random_worms(
    attempts: int,
    signed_words: NDArray[np.int64],
    random: NDArray[np.uint64],
    winding: NDArray[np.int64],
    moves: RandomMoves,
    waiting: NDArray[np.float64],
    space: NDArray[np.float64],
) -> int:
    """As `worm.run_worms`, of which it is the twin for `RandomMoves`."""
    words = signed_words.view(np.uint64)
    sites = _u(words.size)
    step_site, step_column, L_tau, Lx = moves.step_site, moves.step_column, moves.L_tau, moves.Lx
    rates, width, first, mask = moves.rates, moves.width, moves.first_byte, moves.width - _1
    s0, s1, s2, s3 = random[0], random[1], random[2], random[3]
    made = np.zeros(2 * DIRECTIONS, np.int64)    # moves by 2 d + wrap
    a = np.empty(DIRECTIONS)
    middle = _u(space.size >> 1) + Lx            # space distance zero
    unit = 2.0**-32
    for _ in range(attempts):
        r, s0, s1, s2, s3 = next_u64(s0, s1, s2, s3)
        tail = ((r >> _32) * sites) >> _32
        trial = (r & _LOW) * _DIRECTIONS         # whole part: direction, fraction: the Metropolis draw
        d = trial >> _32
        word = words[tail]
        column = tail_column = tail // L_tau
        rate = rates[(column * _DIRECTIONS + d) * width + (((word >> (_8 * d)) - first) & mask)]
        if np.float64(trial & _LOW) * unit >= np.float64(rate):
            continue
        site, tail_time = tail, tail % L_tau
        while True:
            words[site] = word + (_1 << (_8 * d))
            wrap = (word >> (_WRAP + d)) & _1
            step = d + d + wrap
            site += step_site[step]
            column += step_column[step]
            incoming = d ^ _1
            word = words[site] - (_1 << (_8 * incoming))
            made[step] += 1
            if site == tail:
                words[site] = word
                break
            row = column * _DIRECTIONS * width
            for i in range(DIRECTIONS):
                a[i] = rates[row + _u(i) * width + (((word >> _u(8 * i)) - first) & mask)]
            own = a[incoming]
            a[incoming] = 0.0
            c0 = a[0]
            c1 = c0 + a[1]
            c2 = c1 + a[2]
            c3 = c2 + a[3]
            c4 = c3 + a[4]
            others = c4 + a[5]
            r, s0, s1, s2, s3 = next_u64(s0, s1, s2, s3)
            # Below `others` however it is rounded, so that a closed link is never chosen.
            t = np.float64(np.int64(r >> _32)) * unit * others
            d = _u(t >= c0) + _u(t >= c1) + _u(t >= c2) + _u(t >= c3) + _u(t >= c4)
            if np.float64(np.int64(r & _LOW)) * unit * (own + (others - a[d])) >= others:
                d = incoming
            k = site - column * L_tau - tail_time
            k += L_tau * (k >> _63)                      # negative: once round
            time = DIRECTIONS / (own + others)
            waiting[L_tau * _u(column != tail_column) + k] += time
            if k == _0:
                here, there = column, tail_column
                space[middle + here + here // Lx * Lx - there - there // Lx * Lx] += time
    random[0], random[1], random[2], random[3] = s0, s1, s2, s3
    for i in range(0, DIRECTIONS, 2):
        winding[i // 2] += made[2 * i + 1] - made[2 * i + 3]
    return made.sum()
