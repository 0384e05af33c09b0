"""Single moves of a worm, shared by the kernels with tabulated vertices and with rates link by link.

Functions marked `inlined` become part of the loop that calls them: a call would cost more than their work.
"""

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import inlined, kernel_helper
from sitqmc.qmc.worm import registers as reg
from sitqmc.qmc.worm.packing import DIRECTIONS
from sitqmc.qmc.worm.registers import OPENING, Registers
from sitqmc.qmc.worm.scattering import RESIDENCE_UNIT

_u = np.uint64
_0 = _u(0)


@inlined
def relocate_worm(r, row, registers, words):  # type: ignore[no-untyped-def]
    """Put head and tail of a closed worm on a site chosen by r, 32 random bits, and count one attempt.

    The probabilities of the sites differ by one part in 2^32 / sites; any fixed probabilities are exact.
    """
    site = registers[row + reg.BASE] + ((r * registers[reg.SITES]) >> _u(32))
    registers[row + reg.ATTEMPTS_LEFT] -= _u(1)
    registers[row + reg.HEAD] = (registers[row + reg.HEAD] & _u(0xFFFFFFFF00000000)) | site
    registers[row + reg.WORD] = _u(words[site])
    registers[row + reg.TAIL], registers[row + reg.INCOMING] = site, OPENING
    registers[row + reg.TAIL_COLUMN] = (site * registers[reg.RECIPROCAL]) >> registers[reg.RECIPROCAL_SHIFT]


@inlined
def record_waiting(waiting, site, column, L_tau, Lx, middle, row, registers, green):  # type: ignore[no-untyped-def]
    """Add a waiting time of the head at `site` of `column` to the histograms of the Green function.

    middle  place of space distance zero, from the start of the histograms of the replica, see `run_worms`
    """
    start = registers[row + reg.GREEN] - _u(1)
    tail_column = registers[row + reg.TAIL_COLUMN]
    k = site - registers[row + reg.TAIL] - (column - tail_column) * L_tau
    k += L_tau * (k >> _u(63))                   # add a period if negative
    green[start + L_tau * _u(column != tail_column) + k] += waiting
    y = (column * registers[reg.LX_RECIPROCAL]) >> registers[reg.LX_RECIPROCAL_SHIFT]
    tail_y = (tail_column * registers[reg.LX_RECIPROCAL]) >> registers[reg.LX_RECIPROCAL_SHIFT]
    dy = y - tail_y
    dx = (column - y * Lx) - (tail_column - tail_y * Lx)
    if k == _u(0):
        green[start + middle + _u(2) * Lx * dy + dx] += waiting
    along = start + _u(2) * (middle - L_tau - Lx) + k    # behind the distances at tau distance zero
    left, down = dx >> _u(63), dy >> _u(63)
    green[along + ((dx ^ (_u(0) - left)) + left) * L_tau] += waiting
    green[along + (Lx + (dy ^ (_u(0) - down)) + down) * L_tau] += waiting


@inlined
def move_head(d, head, word, wrap_shift, row, registers, words):  # type: ignore[no-untyped-def]
    """Move the head, whose word is `word`, along d; both ends of the link count the step."""
    words[head & _u(0xFFFFFFFF)] = word + registers[reg.UNIT + d]
    head += registers[reg.STEP + _u(2) * d + ((word >> (wrap_shift + d)) & _u(1))]
    back = d ^ _u(1)
    registers[row + reg.HEAD] = head
    registers[row + reg.WORD] = _u(words[head & _u(0xFFFFFFFF)]) - registers[reg.UNIT + back]
    registers[row + reg.INCOMING] = back


@kernel_helper
def total_rate(word: np.uint64, registers: Registers, rate: NDArray[np.float64]) -> float:
    """Return the sum of A over the six links."""
    total = 0.0
    for d in range(DIRECTIONS):
        total += rate[256 * d + ((word >> registers[reg.SHIFT + _u(d)]) & registers[reg.MASK + _u(d)])]
    return total


@kernel_helper
def heat_bath(word: np.uint64, registers: Registers, rate: NDArray[np.float64], u: float) -> np.uint64:
    """Return a direction drawn with probability A_d / sum A, for a rare state."""
    target = u * total_rate(word, registers, rate)
    chosen = _0
    for d in range(DIRECTIONS):
        a = rate[256 * d + ((word >> registers[reg.SHIFT + _u(d)]) & registers[reg.MASK + _u(d)])]
        if a > 0.0:                              # rounding must never choose a closed link
            chosen = _u(d)
            target -= a
            if target < 0.0:
                break
    return chosen


@kernel_helper
def residence(word: np.uint64, registers: Registers, rate: NDArray[np.float64]) -> np.uint64:
    """Return the mean waiting time 6 / sum A of a rare state, in RESIDENCE_UNIT."""
    return _u(DIRECTIONS / total_rate(word, registers, rate) / RESIDENCE_UNIT + 0.5)
