"""The directed worm: moves between closed current configurations, several replicas interleaved.

An attempt picks a site and a direction at random and tests the first step with the Metropolis rate
(one sixth of the trials per direction). The head then scatters by the tables of `scattering` until it
is back at its tail. Attempts that fail at once count as attempts. Measurements follow a fixed
number of attempts, because a fixed number of moves would favour long worms.

A single worm is a long chain of loads, each of which waits for the last one. The trials of several replicas
are therefore interleaved: a trial is the choice of a site, the test of a first step, or a step of a head.
Every replica has its own random numbers, 32 bits per trial, and is independent of the others.

Green function: a closed configuration lasts one trial per attempt; a head in a state with rates A_d
lasts 6 / sum A_d trials. With H the histogram of these times over head minus tail, and H(0) the
number of attempts, G(r, tau) = H(r, tau)/H(0). It is kept over tau, and over r at tau = 0.
Source of the histogram estimator: Prokof'ev and Svistunov, PRL 87, 160601 (2001).
"""

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import kernel_helper
from sitqmc.qmc.worm import registers as reg
from sitqmc.qmc.worm.moves import heat_bath, move_head, record_waiting, relocate_worm, residence
from sitqmc.qmc.worm.packing import Words
from sitqmc.qmc.worm.registers import BLOCK, OPENING, ROWS, WIDTH, Registers
from sitqmc.qmc.worm.scattering import RARE, RESIDENCE, SPACE_AT

# Everything in the inner loop is unsigned: signed indices would cost a test for negative ones at every
# access, and one signed operand would turn 64-bit arithmetic into floating point.
_u = np.uint64
_0, _1, _2, _3, _6, _7, _8, _32 = (_u(n) for n in (0, 1, 2, 3, 6, 7, 8, 32))
_LOW, _BLOCK = _u(0xFFFFFFFF), _u(BLOCK)
_RARE, _SPACE_AT, _RESIDENCE = _u(RARE), _u(SPACE_AT), _u(RESIDENCE)


@kernel_helper
def run_worms(
    t: np.uint64,
    row: np.uint64,
    end: np.uint64,
    registers: Registers,
    words: Words,
    table: NDArray[np.uint32],
    rate: NDArray[np.float64],
    numbers: NDArray[np.uint32],
    green: NDArray[np.uint64] | None,
) -> tuple[np.uint64, np.uint64]:
    """Run the trials of the replicas with rows up to `end`, beginning with trial t of the block at `row`.

    words    uint32 or uint64, of all replicas one after the other
    numbers  random numbers, one per trial, beginning at the place in the register NUMBERS of a replica
    green    per replica 2 L_tau waiting times by tau distance, first at space distance zero, then at all
             others; then 4 Lx Ly by space distance at tau distance zero; then (Lx + Ly) L_tau by distance
             along x and tau, whatever that along y, and the other way round. None: nothing is recorded, and
             the compiled function contains no code for it

    Returns (t, row) of a replica without attempts left, before its trial t; or t = BLOCK.
    """
    sites, wrap_shift = registers[reg.SITES], registers[reg.WRAP_SHIFT]
    L_tau, Lx = registers[reg.L_TAU], registers[reg.LX]
    reciprocal, reciprocal_shift = registers[reg.RECIPROCAL], registers[reg.RECIPROCAL_SHIFT]
    middle = _2 * L_tau + _2 * (sites // L_tau) + Lx             # space distance zero
    space_mask, time_mask = registers[reg.SPACE_MASK], registers[reg.TIME_MASK]
    time_shift = registers[reg.TIME_SHIFT]
    while t < _BLOCK:
        while row < end:
            r = _u(numbers[registers[row + reg.NUMBERS] + t])
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
                field = (word >> registers[reg.SHIFT + d]) & registers[reg.MASK + d]
                if np.float64(trial & _LOW) >= rate[(d << _8) + field] * 4294967296.0:
                    registers[row + reg.INCOMING] = _0
                    row += WIDTH
                    continue
                registers[row + reg.WORMS_OPENED] += _1
            else:
                state = _u(table[_SPACE_AT + (word & space_mask)])
                state += _u(table[(word >> time_shift) & time_mask])
                if state < _RARE:
                    slot = _u(table[state + incoming * _8 + (r & _7)])
                    own = r < slot
                    d = (slot >> (_3 * _u(own))) & _7        # no branch: it would be hard to predict
                else:
                    d = heat_bath(word, registers, rate, np.float64(r) * 2.0**-32)
                if green is not None and registers[row + reg.GREEN] != _0:
                    if state < _RARE:
                        waiting = _u(table[state + _RESIDENCE])
                    else:
                        waiting = residence(word, registers, rate)
                    column = (site * reciprocal) >> reciprocal_shift
                    record_waiting(waiting, site, column, L_tau, Lx, middle, row, registers, green)
            move_head(d, head, word, wrap_shift, row, registers, words)
            row += WIDTH
        row = ROWS
        t += _1
    return t, row
