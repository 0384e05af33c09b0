"""Registers of the worms: one uint64 array with shared constants, then one row of worm state per replica.

A single array keeps one address in the registers of the processor. The places are unsigned: one signed
operand would turn 64-bit arithmetic in the kernels into floating point.
"""

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import inlined
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.worm.packing import DIRECTIONS, Layout

Registers = NDArray[np.uint64]

BLOCK = 1024
"""Trials between two refills of the random numbers."""

_u = np.uint64
SITES, L_TAU, LX, RECIPROCAL, RECIPROCAL_SHIFT, SPACE_MASK, TIME_MASK, TIME_SHIFT, WRAP_SHIFT = (
    _u(n) for n in range(9)
)
LX_RECIPROCAL, LX_RECIPROCAL_SHIFT = _u(9), _u(10)
STEP = _u(12)           # change of HEAD by a step along d, at STEP + 2 d + wrap
UNIT = _u(24)           # what a step along d adds to the word, at UNIT + d
SHIFT = _u(30)          # lowest bit of field d
MASK = _u(36)           # mask of field d, shifted down
ROWS = _u(48)
WIDTH = _u(16)
HEAD = _u(0)            # head's site in the low half, running windings in the high half
TAIL = _u(1)            # tail's site
WORD = _u(2)            # word at the head, the current of the last step counted on this end too
INCOMING = _u(3)        # direction back along the last step; OPENING
ATTEMPTS_LEFT = _u(4)            # attempts left before the next check of the replica
NUMBERS = _u(5)         # place of its random numbers, halves of 64 bits
BASE = _u(6)            # its first site
GREEN = _u(7)           # 0: no histogram; else 1 + its place in `green`
TAIL_COLUMN = _u(8)     # column of the tail
WORMS_OPENED = _u(9)          # worms opened since the last check
REPLICA = _u(10)           # number of the replica
CLOCK_AT_CHECK = _u(11)          # clock at the last check
ATTEMPTS_ASSIGNED = _u(12)          # attempts assigned at the last check

OPENING = _u(DIRECTIONS)
"""Value of INCOMING for head and tail on a new site, before the first step."""

WINDING_SHIFT = (32, 43, 54)
"""Of the net windings along x, y, tau within HEAD: 11, 11 and 10 bits, which never run over."""


def new_registers(model: Model, layout: Layout, replicas: int) -> Registers:
    """Return the registers of worms at rest, each on the first site of its replica."""
    volume, first, width = model.sites * model.L_tau, int(ROWS), int(WIDTH)
    registers = np.zeros(first + replicas * width, np.uint64)
    registers[SITES], registers[L_TAU], registers[LX] = volume, model.L_tau, model.Lx
    # site // L_tau = site * RECIPROCAL >> RECIPROCAL_SHIFT, exactly below 2^31; columns likewise.
    for length, at, shift_at in (
        (model.L_tau, RECIPROCAL, RECIPROCAL_SHIFT), (model.Lx, LX_RECIPROCAL, LX_RECIPROCAL_SHIFT)
    ):  # fmt: skip
        shift = 31 + int(length - 1).bit_length()
        registers[at], registers[shift_at] = -(-(1 << shift) // length), shift
    registers[SPACE_MASK] = (1 << layout.shift(4)) - 1
    registers[TIME_SHIFT], registers[TIME_MASK] = layout.shift(4), (1 << 2 * layout.time_bits) - 1
    registers[WRAP_SHIFT] = layout.shift(6)
    for i, change in enumerate(neighbour_offsets(model)):
        d, wrap = divmod(i, 2)
        winding = (1 - 2 * (d % 2)) << WINDING_SHIFT[d // 2] if wrap else 0
        registers[int(STEP) + i] = (int(change) + winding) % 2**64
    for d in range(DIRECTIONS):
        registers[int(UNIT) + d], registers[int(SHIFT) + d] = 1 << layout.shift(d), layout.shift(d)
        registers[int(MASK) + d] = 2 * layout.bias(d) - 1
    for i, row in enumerate(rows(registers, replicas)):
        row[HEAD] = row[TAIL] = row[BASE] = i * volume
        row[REPLICA] = i
    return registers


def neighbour_offsets(model: Model) -> NDArray[np.int64]:
    """Return the change of the site index by direction, int64 (12,), at 2 d + wrap."""
    stride = (model.L_tau, model.L_tau * model.Lx, 1)
    length = (model.Lx, model.Ly, model.L_tau)
    site = np.empty(2 * DIRECTIONS, np.int64)
    for d in range(DIRECTIONS):
        axis, sign = d // 2, 1 - 2 * (d % 2)
        site[2 * d] = sign * stride[axis]
        site[2 * d + 1] = -sign * stride[axis] * (length[axis] - 1)
    return site


def rows(registers: Registers, replicas: int) -> Registers:
    """Return the rows of the replicas as a view (replicas, WIDTH)."""
    first, width = int(ROWS), int(WIDTH)
    return registers[first : first + replicas * width].reshape(replicas, width)


def winding_bits(winding: NDArray[np.int64]) -> np.uint64:
    """Return what the windings (3,) along x, y, tau add to HEAD."""
    total = sum(int(w) << shift for w, shift in zip(winding, WINDING_SHIFT, strict=True))
    return np.uint64(total % 2**64)


def net_windings(head):  # type: ignore[no-untyped-def]
    """Return the net windings along x, y, tau, int64, from HEAD, a number or an array."""
    high = np.int64(head) >> 32                  # sign of the last field, borrows of the others
    x = ((high & 2047) ^ 1024) - 1024
    high = (high - x) >> 11
    y = ((high & 2047) ^ 1024) - 1024
    return x, y, (high - y) >> 11


windings = inlined(net_windings)
"""`net_windings` for kernels."""
