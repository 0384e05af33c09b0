"""The directed worm: moves between closed current configurations.

An attempt picks a site and a direction at random and tests the first step with the Metropolis rate
(one sixth of the trials per direction). The head then scatters by the tables of `qmc.vertex` until it
is back at its tail. Attempts that fail at once count as attempts: measurements come after a fixed
number of attempts, since a fixed number of moves would favour long worms.

Green function: a closed configuration lasts one trial per attempt; a head in a state with rates A_d
lasts 6 / sum A_d trials. With H the histogram of these times over head minus tail, and H(0) the
number of attempts, G(r, tau) = H(r, tau)/H(0). It is kept over tau, and over r at tau = 0.
Source of the histogram estimator: Prokof'ev and Svistunov, PRL 87, 160601 (2001).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmc.jit import kernel
from qmc.lattice import DIRECTIONS, WRAP_BIT, steps
from qmc.model import Model
from qmc.rng import next_u64
from qmc.vertex import PROBABILITY_BITS, RARE, SLOTS, VertexTables, vertex_tables

# Everything in the inner loop is unsigned: signed indices would cost a test for negative ones at every
# access, and one signed operand would turn 64-bit arithmetic into floating point.
_u = np.uint64
_0, _1, _3, _7, _8, _11, _16, _32, _61, _63 = (_u(n) for n in (0, 1, 3, 7, 8, 11, 16, 32, 61, 63))
_BYTE, _PAIR, _LOW = _u(0xFF), _u(0xFFFF), _u(0xFFFFFFFF)
_DIRECTIONS, _SLOTS, _WRAP, _RARE = _u(DIRECTIONS), _u(SLOTS), _u(WRAP_BIT), _u(RARE)
_PROBABILITY, _MASK = _u(61 - PROBABILITY_BITS), _u((1 << PROBABILITY_BITS) - 1)
_6 = _u(6)


class Moves(NamedTuple):
    """Everything fixed that the worm needs: vertex tables, and steps as in `lattice.steps` (mod 2^64).

    step_site, step_column   uint64 (12,), at 2 d + wrap
    """

    step_site: NDArray[np.uint64]
    step_column: NDArray[np.uint64]
    L_tau: np.uint64
    Lx: np.uint64
    tables: VertexTables


def worm_moves(model: Model) -> Moves:
    """Geometry and tables of `model`."""
    step_site, step_column = (step.astype(np.uint64) for step in steps(model))
    tables = vertex_tables(model.action, model.eps, model.charging, model.n_g)
    return Moves(step_site, step_column, np.uint64(model.L_tau), np.uint64(model.Lx), tables)


@kernel
def heat_bath(word: np.uint64, rate: NDArray[np.float64], u: float) -> tuple[np.uint64, float]:
    """Direction drawn with probability A_d / sum A, and the mean waiting time, for a rare state."""
    total = 0.0
    for d in range(DIRECTIONS):
        total += rate[d, (word >> _u(8 * d)) & _BYTE]
    target = u * total
    chosen = _0
    for d in range(DIRECTIONS):
        a = rate[d, (word >> _u(8 * d)) & _BYTE]
        if a > 0.0:                              # rounding must never choose a closed link
            chosen = _u(d)
            target -= a
            if target < 0.0:
                break
    return chosen, DIRECTIONS / total


@kernel
def run_worms(
    attempts: int,
    signed_words: NDArray[np.int64],
    random: NDArray[np.uint64],
    winding: NDArray[np.int64],
    moves: Moves,
    waiting: NDArray[np.float64],
    space: NDArray[np.float64],
) -> int:
    """Make `attempts` worms in place; returns the number of head moves.

    signed_words  int64 (sites,), see `qmc.lattice`
    random        uint64 (4,), state of xoshiro256++
    winding       int64 (3,), net windings along x, y, tau
    waiting       float64 (2 * L_tau,): waiting times by tau distance of head and tail, first at space
                  distance zero, then at all others; the attempts themselves are not counted here
    space         float64 (4 Lx Ly,): waiting times at tau distance zero, see `lattice.fold_space`
    """
    words = signed_words.view(np.uint64)
    sites = _u(words.size)
    # Arrays are taken out of their tuples here: inside the loop that would count references at each step.
    step_site, step_column, L_tau, Lx = moves.step_site, moves.step_column, moves.L_tau, moves.Lx
    pair_x, pair_y, pair_t = moves.tables.pair_x, moves.tables.pair_y, moves.tables.pair_t
    alias, residence, rate = moves.tables.alias, moves.tables.residence, moves.tables.rate
    s0, s1, s2, s3 = random[0], random[1], random[2], random[3]
    middle = _u(space.size >> 1) + Lx            # space distance zero
    made = np.zeros(2 * DIRECTIONS, np.int64)    # moves by 2 d + wrap
    for _ in range(attempts):
        r, s0, s1, s2, s3 = next_u64(s0, s1, s2, s3)
        tail = ((r >> _32) * sites) >> _32
        trial = (r & _LOW) * _DIRECTIONS         # whole part: direction, fraction: the Metropolis draw
        d = trial >> _32
        word = words[tail]
        if np.float64(trial & _LOW) >= rate[d, (word >> (_8 * d)) & _BYTE] * 4294967296.0:
            continue
        site = tail
        tail_time = tail % L_tau
        column = tail_column = tail - tail_time
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
            r, s0, s1, s2, s3 = next_u64(s0, s1, s2, s3)
            row = _u(pair_x[word & _PAIR]) + _u(pair_y[(word >> _16) & _PAIR])
            row += _u(pair_t[(word >> _32) & _PAIR])
            if row < _RARE:
                slot = _u(alias[(row * _DIRECTIONS + incoming) * _SLOTS + (r >> _61)])
                own = ((r >> _PROBABILITY) & _MASK) < (slot >> _6)
                d = (slot >> (_3 * _u(own))) & _7        # no branch here and below: hard to predict
                time = residence[row]
            else:
                d, time = heat_bath(word, rate, np.float64(r >> _11) * 2.0**-53)
            k = site - column - tail_time
            k += L_tau * (k >> _63)                      # negative: once round
            waiting[L_tau * _u(column != tail_column) + k] += time
            if k == 0:
                here, there = column // L_tau, tail_column // L_tau
                space[middle + here + here // Lx * Lx - there - there // Lx * Lx] += time
    random[0], random[1], random[2], random[3] = s0, s1, s2, s3
    for d in range(0, DIRECTIONS, 2):
        winding[d // 2] += made[2 * d + 1] - made[2 * d + 3]
    return made.sum()
