"""The directed worm for couplings that differ from link to link, where vertices cannot be tabulated.

As `tabulated`, but the rates A_d = min(1, w(J_d + 1)/w(J_d)) are looked up link by link, and the head leaves
by the flux

    f_ij = A_i A_j / max(S - A_i, S - A_j)  (i != j),      S = sum A,

symmetric and with row sums below A_i; what is missing, f_ii, bounces. With p_ij = f_ij/A_i this is: propose
j != i with probability A_j/(S - A_i), accept with min(1, (S - A_i)/(S - A_j)).
Source: Liu's Metropolised Gibbs sampler, Biometrika 83, 681 (1996), as used for directed loops by
Pollet, Rombouts, Van Houcke and Heyde, PRE 70, 056705 (2004).
"""

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import kernel
from sitqmc.qmc.model.model import Disorder, Model
from sitqmc.qmc.worm import registers as at
from sitqmc.qmc.worm.link_tables import Links
from sitqmc.qmc.worm.packing import DIRECTIONS, Words
from sitqmc.qmc.worm.registers import BLOCK, OPENING, ROWS, WIDTH, Desk, go_elsewhere
from sitqmc.qmc.worm.scattering import RESIDENCE_UNIT

# All integers are unsigned, as in `tabulated`.
_u = np.uint64
_0, _1, _2, _6, _32, _63 = (_u(n) for n in (0, 1, 2, 6, 32, 63))
_LOW, _BLOCK = _u(0xFFFFFFFF), _u(BLOCK)

FIELDS = 256
"""Entries of a link in the table of rates: its field, with room for eight bits."""


def link_rates(model: Model, disorder: Disorder, links: Links) -> NDArray[np.float32]:
    """A of the link along d of a column by its field of eight bits, flat (Lx Ly, 6, FIELDS); 0 if missing.

    Rounding is harmless: one of the two rates of a link is 1, so that the other only changes the weights
    by one part in 10^7.
    """
    shape, current = (model.Ly, model.Lx), np.arange(FIELDS) - FIELDS // 2
    space = np.array([[t.acceptance(int(j)) for j in current] for t in links.space])
    up = np.array([[t.acceptance(int(j)) for j in current] for t in links.time])
    down = np.array([[t.reversed().acceptance(int(j)) for j in current] for t in links.time])
    rates = np.zeros((DIRECTIONS, *shape, FIELDS), np.float32)
    for axis in range(2):
        ahead = np.where(disorder.bonds[axis, ..., None], space[links.bond_row[axis].reshape(shape)], 0.0)
        rates[2 * axis], rates[2 * axis + 1] = ahead, np.roll(ahead, 1, axis=1 - axis)
    for d, table in ((4, up), (5, down)):
        rates[d] = np.where(disorder.sites[..., None], table[links.site_row.reshape(shape)], 0.0)
    rates[..., 0] = 0.0                              # the field of a missing link
    return np.moveaxis(rates, 0, 2).ravel()


@kernel
def take_random_turns(
    t: np.uint64,
    row: np.uint64,
    end: np.uint64,
    desk: Desk,
    words: Words,
    rates: NDArray[np.float32],
    numbers: NDArray[np.uint32],
    green: NDArray[np.uint64],
) -> tuple[np.uint64, np.uint64]:
    """As `worm.take_turns`, with the rates of all replicas one after the other, see `link_rates`.

    Every trial takes two numbers: which link, and whether to bounce.
    """
    sites, wrap_shift = desk[at.SITES], desk[at.WRAP_SHIFT]
    L_tau, Lx = desk[at.L_TAU], desk[at.LX]
    reciprocal, reciprocal_shift = desk[at.RECIPROCAL], desk[at.RECIPROCAL_SHIFT]
    middle = _2 * L_tau + _2 * (sites // L_tau) + Lx             # space distance zero
    unit = 2.0**-32
    fields, all_fields = _u(FIELDS), _u(FIELDS * DIRECTIONS)
    a = np.empty(DIRECTIONS)
    while t < _BLOCK:
        while row < end:
            r = _u(numbers[desk[row + at.NUMBERS] + _2 * t])
            head, word, incoming = desk[row + at.HEAD], desk[row + at.WORD], desk[row + at.INCOMING]
            site = head & _LOW
            if site == desk[row + at.TAIL]:
                if incoming != OPENING:            # closed: put the word back, go elsewhere
                    words[site] = word
                    if desk[row + at.LEFT] == _0:
                        return t, row
                    go_elsewhere(r, row, desk, words)
                    row += WIDTH
                    continue
                trial = r * _6                     # whole part: direction, fraction: the Metropolis draw
                d = trial >> _32
                column = desk[row + at.TAIL_COLUMN]
                field = (word >> desk[at.SHIFT + d]) & desk[at.MASK + d]
                rate = np.float64(rates[column * all_fields + d * fields + field])
                if np.float64(trial & _LOW) * unit >= rate:
                    desk[row + at.INCOMING] = _0
                    row += WIDTH
                    continue
                desk[row + at.OPENED] += _1
            else:
                column = (site * reciprocal) >> reciprocal_shift
                for i in range(DIRECTIONS):
                    field = (word >> desk[at.SHIFT + _u(i)]) & desk[at.MASK + _u(i)]
                    a[i] = rates[column * all_fields + _u(i) * fields + field]
                own = a[incoming]
                a[incoming] = 0.0
                c0 = a[0]
                c1 = c0 + a[1]
                c2 = c1 + a[2]
                c3 = c2 + a[3]
                c4 = c3 + a[4]
                others = c4 + a[5]
                # Below `others` however it is rounded, so that a closed link is never chosen.
                u = np.float64(np.int64(r)) * unit * others
                d = _u(u >= c0) + _u(u >= c1) + _u(u >= c2) + _u(u >= c3) + _u(u >= c4)
                r = _u(numbers[desk[row + at.NUMBERS] + _2 * t + _1])
                if np.float64(np.int64(r)) * unit * (own + (others - a[d])) >= others:
                    d = incoming
                start = desk[row + at.GREEN]
                if start != _0:
                    time = _u(DIRECTIONS / (own + others) / RESIDENCE_UNIT + 0.5)
                    tail_column = desk[row + at.TAIL_COLUMN]
                    k = site - desk[row + at.TAIL] - (column - tail_column) * L_tau
                    k += L_tau * (k >> _63)              # negative: once round
                    green[start - _1 + L_tau * _u(column != tail_column) + k] += time
                    if k == _0:
                        first = desk[row + at.BASE] // L_tau
                        column -= first
                        tail_column -= first
                        place = middle + column + column // Lx * Lx - tail_column - tail_column // Lx * Lx
                        green[start - _1 + place] += time
            words[site] = word + desk[at.UNIT + d]
            head += desk[at.STEP + _2 * d + ((word >> (wrap_shift + d)) & _1)]
            back = d ^ _1
            desk[row + at.HEAD] = head
            desk[row + at.WORD] = _u(words[head & _LOW]) - desk[at.UNIT + back]
            desk[row + at.INCOMING] = back
            row += WIDTH
        row = ROWS
        t += _1
    return t, row
