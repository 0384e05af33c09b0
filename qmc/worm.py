"""The directed worm: moves between closed current configurations.

An attempt picks a site and a direction at random and tests the first step with the Metropolis rate
(one sixth of the trials per direction). The head then scatters by the tables of `qmc.vertex` until it
is back at its tail. Attempts that fail at once count as attempts: measurements come after a fixed
number of attempts, since a fixed number of moves would favour long worms.

Green function: a closed configuration lasts one trial per attempt; a head in a state with rates A_d
lasts 6 / sum A_d trials. With H the histogram of these times over head minus tail, and H(0) the
number of attempts, G(r, tau) = H(r, tau)/H(0).
Source of the histogram estimator: Prokof'ev and Svistunov, PRL 87, 160601 (2001).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmc.jit import inlined, kernel
from qmc.lattice import DIRECTIONS, WRAP_BIT, steps
from qmc.model import Model
from qmc.rng import next_u64
from qmc.vertex import PROBABILITY_BITS, RARE, ROW, SLOTS, VertexTables, vertex_tables

_ONE = np.uint64(1)
_PROBABILITY_MASK = (1 << PROBABILITY_BITS) - 1
_LOW_31 = (1 << 31) - 1


class Moves(NamedTuple):
    """Everything fixed that the worm needs: geometry, see `lattice.steps`, and vertex tables."""

    step_site: NDArray[np.int64]
    step_column: NDArray[np.int64]
    L_tau: int
    tables: VertexTables


def worm_moves(model: Model) -> Moves:
    """Geometry and tables of `model`."""
    step_site, step_column = steps(model)
    return Moves(step_site, step_column, model.L_tau, vertex_tables(model.action, model.eps, model.charging))


@kernel
def heat_bath(word: int, rate: NDArray[np.float64], u: float) -> tuple[int, float]:
    """Direction drawn with probability A_d / sum A, and the mean waiting time, for a rare state."""
    total = 0.0
    for d in range(DIRECTIONS):
        total += rate[d // 4, (word >> (8 * d)) & 0xFF]
    target = u * total
    chosen = -1
    for d in range(DIRECTIONS):
        a = rate[d // 4, (word >> (8 * d)) & 0xFF]
        if a > 0.0:                              # rounding must never choose a closed link
            chosen = d
            target -= a
            if target < 0.0:
                break
    return chosen, DIRECTIONS / total


@inlined
def table_row(word, tables):  # type: ignore[no-untyped-def]
    """Number of the vertex state in the tables, or >= RARE."""
    return (
        np.int64(tables.pair_x[word & 0xFFFF])
        + np.int64(tables.pair_y[(word >> 16) & 0xFFFF])
        + np.int64(tables.pair_t[(word >> 32) & 0xFFFF])
    )


@kernel
def run_worms(
    attempts: int,
    words: NDArray[np.int64],
    random: NDArray[np.uint64],
    winding: NDArray[np.int64],
    moves: Moves,
    g_k0: NDArray[np.float64],
    g_loc: NDArray[np.float64],
) -> int:
    """Make `attempts` worms in place; returns the number of head moves.

    words    int64 (sites,), see `qmc.lattice`
    random   uint64 (4,), state of xoshiro256++
    winding  int64 (3,), net windings along x, y, tau
    g_k0     float64 (L_tau,): waiting times by tau distance, all space distances
    g_loc    float64 (L_tau,): the same at space distance zero; both without the attempts themselves
    """
    tables, L_tau = moves.tables, moves.L_tau
    s0, s1, s2, s3 = random[0], random[1], random[2], random[3]
    made = 0
    for _ in range(attempts):
        number, s0, s1, s2, s3 = next_u64(s0, s1, s2, s3)
        r = np.int64(number >> _ONE)
        tail = ((r >> 31) * words.size) >> 32
        trial = (r & _LOW_31) * DIRECTIONS
        d = trial >> 31
        word = words[tail]
        if (trial & _LOW_31) >= tables.rate[d >> 2, (word >> (8 * d)) & 0xFF] * 2147483648.0:
            continue
        site = tail
        tail_time = tail % L_tau
        column = tail_column = tail - tail_time
        while True:
            words[site] = word + (1 << (8 * d))
            wrap = (word >> (WRAP_BIT + d)) & 1
            site += moves.step_site[2 * d + wrap]
            column += moves.step_column[2 * d + wrap]
            if wrap:
                winding[d >> 1] += 1 - 2 * (d & 1)
            incoming = d ^ 1
            word = words[site] - (1 << (8 * incoming))
            made += 1
            if site == tail:
                words[site] = word
                break
            number, s0, s1, s2, s3 = next_u64(s0, s1, s2, s3)
            r = np.int64(number >> _ONE)
            row = table_row(word, tables)
            if row < RARE:
                slot = np.int64(tables.alias[row * ROW + incoming * SLOTS + (r >> 60)])
                keep = ((r >> 34) & _PROBABILITY_MASK) < (slot >> 6)
                d = ((slot >> 3) & 7) if keep else (slot & 7)
                waiting = tables.residence[row]
            else:
                d, waiting = heat_bath(word, tables.rate, (r >> 10) * 2.0**-53)
            k = site - column - tail_time
            if k < 0:
                k += L_tau
            g_k0[k] += waiting
            if column == tail_column:
                g_loc[k] += waiting
    random[0], random[1], random[2], random[3] = s0, s1, s2, s3
    return made


