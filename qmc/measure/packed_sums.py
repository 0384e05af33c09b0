"""Sums over a configuration whose links all have the same tables, by counting currents.

Energies depend on the |J| of a link alone, so the number of links with each |J| in a slice is enough. A word
adds ones to packed counters of four bits, one for each |J|. There is no branch and no table, so the processor
handles several words at a time. After BATCH words the counters are added to the sums and cleared.
"""

import numpy as np

from sitqmc.jit import inlined, kernel
from sitqmc.qmc.measure.estimators import (
    BOND_CONTACT,
    BOND_ENERGY,
    BOND_KINETIC,
    TIME_CONTACT,
    TIME_ENERGY,
    TOTAL_KINETIC_X,
    TOTAL_KINETIC_Y,
    TOTAL_SPACE_CONTACT,
    TOTAL_TIME_CONTACT,
    Operators,
    Work,
)
from sitqmc.qmc.worm.packing import COMPACT, Words

BATCH = 15
"""Words that a counter of four bits holds."""

SPACE_BIAS, TIME_BIAS = COMPACT.bias(0), COMPACT.bias(4)

# All integers are unsigned and the loops over words have no branch: else they would not become vector
# instructions. What is known of the layout when they are compiled keeps most of them at 32 bits.
_u = np.uint64
_0, _1, _2, _4, _6, _7, _8, _15, _16, _28, _31, _60, _255 = (
    _u(n) for n in (0, 1, 2, 4, 6, 7, 8, 15, 16, 28, 31, 60, 255)
)
_FIELDS = _u(0x1F0F0F)               # currents along +x, +y, +tau, with room for BATCH + 1 times as much
_SIZES = _u(sum(abs(field - SPACE_BIAS) % SPACE_BIAS << 4 * field for field in range(16)))
# ... |J| of a space link by its field, four bits each; zero for a missing link, whose field is zero.


@inlined
def count_words(words, first, count, fields, space, time):  # type: ignore[no-untyped-def]
    """Add `count` words from `first` on to the counters, one place for each word.

    fields  uint32, sums of the fields along +x, +y, +tau: at bits 0, 8, 16
    space   uint64, how many x links have |J| = c, at bit 4 (c - 1), and y links, at bit 28 + 4 (c - 1)
    time    uint64, how many time links have |J| = c, at bit 4 c
    """
    for k in range(count):
        fields[k] += _u(words[first + k]) & _FIELDS
    for k in range(count):
        word = _u(words[first + k])
        x = (_SIZES >> ((word << _2) & _60)) & _7
        y = (_SIZES >> ((word >> _6) & _60)) & _7
        space[k] += ((_1 << (x << _2)) >> _4) | (((_1 << (y << _2)) >> _4) << _28)
        t = (word >> _16) & _31
        down = (t >> _4) ^ _1                    # J < 0: |J| = 16 - t; a missing link counts as J = 0
        time[k] += _1 << (((((t & _15) ^ (_15 * down)) + down) << _2) & _60)


@inlined
def _largest(used):  # type: ignore[no-untyped-def]
    """Return how many fields of four bits `used` needs."""
    top = 0
    while used != _0:
        used >>= _4
        top += 1
    return top


@inlined
def _empty_counters(L_tau, bonds, times, fields, space, time, out):  # type: ignore[no-untyped-def]
    """Add the counters to the sums of `out` and clear them; slices repeat after L_tau places.

    bonds, times  rows of `Operators.bonds` and `.times` from J = 0 on
    """
    current_x, current_y, totals = out.current_x, out.current_y, out.totals
    space_sum, time_sum = out.space_energy, out.time_energy
    used_space = used_time = _0
    for k in range(_u(space.size)):
        used_space |= space[k] | (space[k] >> _28)
        used_time |= time[k]
    bond_classes, time_classes = min(_largest(used_space), SPACE_BIAS - 1), _largest(used_time)
    for first in range(_0, _u(fields.size), L_tau):
        for k in range(L_tau):
            sums = _u(fields[first + k])
            current_x[k] += np.float64(np.int32(sums & _255))
            current_y[k] += np.float64(np.int32((sums >> _8) & _255))
        for c in range(1, bond_classes + 1):
            shift, energy = _u(4 * (c - 1)), bonds[c, BOND_ENERGY]
            x_sum = y_sum = _0
            for k in range(L_tau):
                x, y = (space[first + k] >> shift) & _15, (space[first + k] >> (shift + _28)) & _15
                x_sum += x
                y_sum += y
                space_sum[k] += energy * np.float64(np.int32(x + y))
            x_count, y_count = np.float64(x_sum), np.float64(y_sum)
            totals[TOTAL_KINETIC_X] += x_count * bonds[c, BOND_KINETIC]
            totals[TOTAL_KINETIC_Y] += y_count * bonds[c, BOND_KINETIC]
            totals[TOTAL_SPACE_CONTACT] += (x_count + y_count) * bonds[c, BOND_CONTACT]
        for c in range(1, time_classes):
            shift, energy = _u(4 * c), times[c, TIME_ENERGY]
            t_sum = _0
            for k in range(L_tau):
                t = (time[first + k] >> shift) & _15
                t_sum += t
                time_sum[k] += energy * np.float64(np.int32(t))
            totals[TOTAL_TIME_CONTACT] += np.float64(t_sum) * times[c, TIME_CONTACT]
    fields[:] = np.uint32(0)
    space[:] = _0
    time[:] = _0


@inlined
def _column(words, first, L_tau):  # type: ignore[no-untyped-def]
    """Return the sums of the fields along +x, +y, +tau over the times of a column."""
    x = y = t = _0
    for begin in range(_0, L_tau, _16):
        some = _0
        for k in range(begin, min(begin + _16, L_tau)):
            some += _u(words[first + k]) & _FIELDS
        x += some & _255
        y += (some >> _8) & _255
        t += some >> _16
    return x, y, t


@kernel
def count_currents(words: Words, replica: int, operators: Operators, out: Work) -> None:
    """Fill the sums as `kernels.sum_currents`, for the layout COMPACT and tables that all links share."""
    L_tau = _u(operators.L_tau)
    middle, t_middle = operators.bonds.shape[1] // 2, operators.times.shape[1] // 2
    bonds = operators.bonds[operators.bond_table[replica, 0, 0], middle:]
    times = operators.times[operators.site_table[replica, 0], t_middle:]
    fields, space, time = out.fields, out.space_counts, out.time_counts
    current_x, current_y, columns = out.current_x, out.current_y, out.columns
    stride, filled = _u(fields.size), 0
    x_bonds = y_bonds = 0
    for first in range(_0, _u(words.size), stride):
        end = min(first + stride, _u(words.size))
        count_words(words, first, end - first, fields, space, time)
        filled += 1
        if filled == BATCH:
            _empty_counters(L_tau, bonds, times, fields, space, time, out)
            filled = 0
        for start in range(first, end, L_tau):   # here, while the words are in the cache
            x, y, t = _column(words, start, L_tau)
            word, c = _u(words[start]), start // L_tau
            x_bias = SPACE_BIAS if word & _15 != _0 else 0
            y_bias = SPACE_BIAS if (word >> _8) & _15 != _0 else 0
            t_bias = TIME_BIAS if (word >> _16) & _31 != _0 else 0
            columns[0, c] = np.int64(x) - x_bias * np.int64(L_tau)
            columns[1, c] = np.int64(y) - y_bias * np.int64(L_tau)
            columns[2, c] = np.int64(t) - t_bias * np.int64(L_tau)
            x_bonds += x_bias
            y_bonds += y_bias
    _empty_counters(L_tau, bonds, times, fields, space, time, out)
    for k in range(L_tau):
        current_x[k] -= x_bonds
        current_y[k] -= y_bonds
