"""The directed worm for couplings that differ from link to link, where vertices cannot be tabulated.

As `tabulated`, but the rates A_d = min(1, w(J_d + 1)/w(J_d)) are looked up link by link, and the head leaves
by the flux

    f_ij = A_i A_j / max(S - A_i, S - A_j)  (i != j),      S = sum A,

symmetric and with row sums below A_i; what is missing, f_ii, bounces. With p_ij = f_ij/A_i this is: propose
j != i with probability A_j/(S - A_i), accept with min(1, (S - A_i)/(S - A_j)).
Source: Liu's Metropolised Gibbs sampler, Biometrika 83, 681 (1996), as used for directed loops by
Pollet, Rombouts, Van Houcke and Heyde, PRE 70, 056705 (2004).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import kernel
from sitqmc.qmc.model.disorder import Disorder
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.worm import registers as reg
from sitqmc.qmc.worm.link_tables import LinkTables, WormTables
from sitqmc.qmc.worm.moves import move_head, record_waiting, relocate_worm
from sitqmc.qmc.worm.packing import BYTES, DIRECTIONS, Words
from sitqmc.qmc.worm.registers import BLOCK, OPENING, ROWS, WIDTH, Registers
from sitqmc.qmc.worm.scattering import RESIDENCE_UNIT

# All integers are unsigned, as in `tabulated`.
_u = np.uint64
_0, _1, _2, _6, _32 = (_u(n) for n in (0, 1, 2, 6, 32))
_LOW, _BLOCK = _u(0xFFFFFFFF), _u(BLOCK)

FIELDS = 256
"""Entries of a link in the table of rates: its field, with room for eight bits."""


def link_rates(model: Model, disorder: Sequence[Disorder], links: LinkTables) -> WormTables:
    """Return A of the link along d of a column by its field of eight bits; 0 if missing.

    The table `rates` is flat, (samples, Lx Ly, 6, FIELDS). Rounding is harmless: one of the two rates of a
    link is 1, so the rounding of the other changes the weights by one part in 10^7.
    """
    current = np.arange(FIELDS) - FIELDS // 2
    space = np.array([t.acceptance(current) for t in links.space])
    up = np.array([t.acceptance(current) for t in links.time])
    down = np.array([t.reversed().acceptance(current) for t in links.time])
    shape = (model.Ly, model.Lx)
    rates = np.zeros((len(disorder), DIRECTIONS, *shape, FIELDS), np.float32)
    for one, rate, bonds, sites in zip(disorder, rates, links.bond_table, links.site_table, strict=True):
        for axis in range(2):
            ahead = np.where(one.bonds[axis, ..., None], space[bonds[axis].reshape(shape)], 0.0)
            rate[2 * axis], rate[2 * axis + 1] = ahead, np.roll(ahead, 1, axis=1 - axis)
        for d, table in ((4, up), (5, down)):
            rate[d] = np.where(one.sites[..., None], table[sites.reshape(shape)], 0.0)
    rates[..., 0] = 0.0                              # the field of a missing link
    return WormTables(BYTES, rates=np.moveaxis(rates, 1, 3).ravel())


@kernel
def run_worms_link_by_link(
    t: np.uint64,
    row: np.uint64,
    end: np.uint64,
    registers: Registers,
    words: Words,
    rates: NDArray[np.float32],
    numbers: NDArray[np.uint32],
    green: NDArray[np.uint64],
) -> tuple[np.uint64, np.uint64]:
    """Run trials as `tabulated.run_worms`, with rates looked up link by link, see `link_rates`.

    Every trial takes two random numbers: which link, and whether to bounce.
    """
    sites, wrap_shift = registers[reg.SITES], registers[reg.WRAP_SHIFT]
    L_tau, Lx = registers[reg.L_TAU], registers[reg.LX]
    reciprocal, reciprocal_shift = registers[reg.RECIPROCAL], registers[reg.RECIPROCAL_SHIFT]
    middle = _2 * L_tau + _2 * (sites // L_tau) + Lx             # space distance zero
    unit = 2.0**-32
    fields, all_fields = _u(FIELDS), _u(FIELDS * DIRECTIONS)
    a = np.empty(DIRECTIONS)
    while t < _BLOCK:
        while row < end:
            r = _u(numbers[registers[row + reg.NUMBERS] + _2 * t])
            head, word = registers[row + reg.HEAD], registers[row + reg.WORD]
            incoming = registers[row + reg.INCOMING]
            site = head & _LOW
            if site == registers[row + reg.TAIL]:
                if incoming != OPENING:            # closed: put the word back, choose a new site
                    words[site] = word
                    if registers[row + reg.ATTEMPTS_LEFT] == _0:
                        return t, row
                    relocate_worm(r, row, registers, words)
                    row += WIDTH
                    continue
                trial = r * _6                     # whole part: direction, fraction: the Metropolis draw
                d = trial >> _32
                column = registers[row + reg.TAIL_COLUMN]
                field = (word >> registers[reg.SHIFT + d]) & registers[reg.MASK + d]
                rate = np.float64(rates[column * all_fields + d * fields + field])
                if np.float64(trial & _LOW) * unit >= rate:
                    registers[row + reg.INCOMING] = _0
                    row += WIDTH
                    continue
                registers[row + reg.WORMS_OPENED] += _1
            else:
                column = (site * reciprocal) >> reciprocal_shift
                for i in range(DIRECTIONS):
                    field = (word >> registers[reg.SHIFT + _u(i)]) & registers[reg.MASK + _u(i)]
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
                r = _u(numbers[registers[row + reg.NUMBERS] + _2 * t + _1])
                if np.float64(np.int64(r)) * unit * (own + (others - a[d])) >= others:
                    d = incoming
                if registers[row + reg.GREEN] != _0:
                    waiting = _u(DIRECTIONS / (own + others) / RESIDENCE_UNIT + 0.5)
                    record_waiting(waiting, site, column, L_tau, Lx, middle, row, registers, green)
            move_head(d, head, word, wrap_shift, row, registers, words)
            row += WIDTH
        row = ROWS
        t += _1
    return t, row
