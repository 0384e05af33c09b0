"""The directed worm: moves between closed current configurations, several replicas taking turns.

An attempt picks a site and a direction at random and tests the first step with the Metropolis rate
(one sixth of the trials per direction). The head then scatters by the tables of `scattering` until it
is back at its tail. Attempts that fail at once count as attempts: measurements come after a fixed
number of attempts, since a fixed number of moves would favour long worms.

A single worm is one long chain of loads that wait for each other. So the worms of several replicas take
turns, one trial each (the choice of a site, the test of a first step, or a step of a head), and fill each
other's gaps. Every replica has its own random numbers, 32 bits per trial; what it does depends on no other.

Green function: a closed configuration lasts one trial per attempt; a head in a state with rates A_d
lasts 6 / sum A_d trials. With H the histogram of these times over head minus tail, and H(0) the
number of attempts, G(r, tau) = H(r, tau)/H(0). It is kept over tau, and over r at tau = 0.
Source of the histogram estimator: Prokof'ev and Svistunov, PRL 87, 160601 (2001).
"""

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import kernel
from sitqmc.qmc.worm import registers as at
from sitqmc.qmc.worm.packing import DIRECTIONS, Words
from sitqmc.qmc.worm.registers import BLOCK, OPENING, ROWS, WIDTH, Desk, go_elsewhere
from sitqmc.qmc.worm.scattering import RARE, RESIDENCE, RESIDENCE_UNIT, SPACE_AT

# Everything in the inner loop is unsigned: signed indices would cost a test for negative ones at every
# access, and one signed operand would turn 64-bit arithmetic into floating point.
_u = np.uint64
_0, _1, _2, _3, _6, _7, _8, _32, _63 = (_u(n) for n in (0, 1, 2, 3, 6, 7, 8, 32, 63))
_LOW, _BLOCK = _u(0xFFFFFFFF), _u(BLOCK)
_RARE, _SPACE_AT, _RESIDENCE = _u(RARE), _u(SPACE_AT), _u(RESIDENCE)


@kernel
def total_rate(word: np.uint64, desk: Desk, rate: NDArray[np.float64]) -> float:
    """Sum of A over the six links."""
    total = 0.0
    for d in range(DIRECTIONS):
        total += rate[256 * d + ((word >> desk[at.SHIFT + _u(d)]) & desk[at.MASK + _u(d)])]
    return total


@kernel
def heat_bath(word: np.uint64, desk: Desk, rate: NDArray[np.float64], u: float) -> np.uint64:
    """Direction drawn with probability A_d / sum A, of a rare state."""
    target = u * total_rate(word, desk, rate)
    chosen = _0
    for d in range(DIRECTIONS):
        a = rate[256 * d + ((word >> desk[at.SHIFT + _u(d)]) & desk[at.MASK + _u(d)])]
        if a > 0.0:                              # rounding must never choose a closed link
            chosen = _u(d)
            target -= a
            if target < 0.0:
                break
    return chosen


@kernel
def residence(word: np.uint64, desk: Desk, rate: NDArray[np.float64]) -> np.uint64:
    """Mean waiting time 6 / sum A in RESIDENCE_UNIT, of a rare state."""
    return _u(DIRECTIONS / total_rate(word, desk, rate) / RESIDENCE_UNIT + 0.5)


@kernel
def take_turns(
    t: np.uint64,
    row: np.uint64,
    end: np.uint64,
    desk: Desk,
    words: Words,
    table: NDArray[np.uint32],
    rate: NDArray[np.float64],
    numbers: NDArray[np.uint32],
    green: NDArray[np.uint64] | None,
) -> tuple[np.uint64, np.uint64]:
    """Trials of the replicas with rows up to `end`, from trial t of the block and `row` on.

    words    uint32 or uint64, of all replicas one after the other
    numbers  random ones, one per trial, from the place on that the row tells
    green    per replica 2 L_tau waiting times by tau distance, first at space distance zero, then at all
             others; then 4 Lx Ly by space distance at tau distance zero; None: nothing is recorded, and
             all that belongs to it is left out when the function is compiled

    Returns (t, row) of a replica without attempts left, before its trial t; or t = BLOCK.
    """
    sites, wrap_shift = desk[at.SITES], desk[at.WRAP_SHIFT]
    L_tau, Lx = desk[at.L_TAU], desk[at.LX]
    reciprocal, reciprocal_shift = desk[at.RECIPROCAL], desk[at.RECIPROCAL_SHIFT]
    middle = _2 * L_tau + _2 * (sites // L_tau) + Lx             # space distance zero
    space_mask, time_mask, time_shift = desk[at.SPACE_MASK], desk[at.TIME_MASK], desk[at.TIME_SHIFT]
    while t < _BLOCK:
        while row < end:
            r = _u(numbers[desk[row + at.NUMBERS] + t])
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
                field = (word >> desk[at.SHIFT + d]) & desk[at.MASK + d]
                if np.float64(trial & _LOW) >= rate[(d << _8) + field] * 4294967296.0:
                    desk[row + at.INCOMING] = _0
                    row += WIDTH
                    continue
                desk[row + at.OPENED] += _1
            else:
                state = _u(table[_SPACE_AT + (word & space_mask)])
                state += _u(table[(word >> time_shift) & time_mask])
                if state < _RARE:
                    slot = _u(table[state + incoming * _8 + (r & _7)])
                    own = r < slot
                    d = (slot >> (_3 * _u(own))) & _7        # no branch here and below: hard to predict
                else:
                    d = heat_bath(word, desk, rate, np.float64(r) * 2.0**-32)
                if green is not None and desk[row + at.GREEN] != _0:
                    start = desk[row + at.GREEN]
                    time = _u(table[state + _RESIDENCE]) if state < _RARE else residence(word, desk, rate)
                    column, tail_column = (site * reciprocal) >> reciprocal_shift, desk[row + at.TAIL_COLUMN]
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
