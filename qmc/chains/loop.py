"""The way of several replicas through thermalisation and bins, as one compiled loop.

Replicas advance together, a block of trials at a time, each at its own place: one may thermalise while
another measures. Blocks may end anywhere, also within a worm, so a run can pause after any of them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import inlined, kernel
from sitqmc.qmc.measure.estimators import Measured, Operators, Work
from sitqmc.qmc.measure.kernels import add_turns, measure
from sitqmc.qmc.worm import registers as at
from sitqmc.qmc.worm.link_by_link import take_random_turns
from sitqmc.qmc.worm.packing import Words
from sitqmc.qmc.worm.random_numbers import LANES, top_up
from sitqmc.qmc.worm.registers import BLOCK, ROWS, WIDTH, Desk, windings
from sitqmc.qmc.worm.tabulated import take_turns

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

GREEN_SHARE = 8
"""The Green function is recorded in the first 1/GREEN_SHARE of each bin: its look-ups slow the worm down."""

_u = np.uint64
_BLOCK = _u(BLOCK)

ROOM = BLOCK + LANES + 1
"""Places of a replica's random numbers, 64 bits each: those of a block and some more, see `_refill`."""

# Columns of `Way.tally`.
EARLY_MOVES, EARLY_TRIES, LATE_MOVES, LATE_TRIES, MOVES, WORMS, MEASURED, UNUSED, LOOKS = range(9)
COLUMNS = 9

LOOKS_PER_MEASUREMENT = 8
"""The windings are known without reading the lattice: so many looks, or one per worm if those are fewer."""


class Way(NamedTuple):
    """What the loop reads and writes of every replica, beside the desk.

    words     uint32 or uint64 (replicas * sites,)
    lanes     uint64 (replicas, 4, LANES), random states
    numbers   uint64 (replicas * ROOM,), random numbers of the present block
    tally     int64 (replicas, 9): moves and attempts of the two halves of the thermalisation, moves after
              it, worms per measurement (0 before), measurements made, unused random numbers of 32 bits,
              looks at the windings since the last measurement
    green     uint64 (replicas * (2 L_tau + 4 Lx Ly),), see `worm.take_turns`
    sums      of the current bin; maps: over all bins
    series    float64 (replicas, bins, measurements per bin, quantities)
    scalars, arrays   float64 (replicas, bins, ...): finished bins
    times     float64 (replicas, bins, 2 L_tau), waiting times per attempt by tau distance
    distances float64 (replicas, bins, Ly, Lx), the same at tau distance 0 by space distance
    """

    words: Words
    lanes: NDArray[np.uint64]
    numbers: NDArray[np.uint64]
    tally: Integers
    green: NDArray[np.uint64]
    sums: Measured
    series: Array
    scalars: Array
    arrays: Array
    times: Array
    distances: Array


@kernel
def _thermalised(i: int, tally: Integers, enough: float, wanted: float) -> bool:
    """Whether replica i is through both halves; then its worms per measurement are fixed.

    Where currents are costly worms hardly move; an attempt per site then counts as a sweep.
    """
    if max(tally[i, LATE_MOVES], tally[i, LATE_TRIES]) < enough:
        return False
    per_move = tally[i, LATE_TRIES] / max(tally[i, LATE_MOVES], 1)
    tally[i, WORMS] = max(1, int(np.round(min(wanted * per_move, wanted))))
    return True


@kernel
def _store_bin(i: int, b: int, per_bin: int, unit: float, way: Way) -> None:
    """Means of bin b of replica i from its sums, which start anew."""
    for k in range(way.scalars.shape[2]):
        way.scalars[i, b, k] = way.sums.scalars[i, k] / per_bin
        way.sums.scalars[i, k] = 0.0
    for k in range(way.arrays.shape[2]):
        way.arrays[i, b, k] = way.sums.arrays[i, k] / per_bin
        way.sums.arrays[i, k] = 0.0
    Ly, Lx, times = way.distances.shape[2], way.distances.shape[3], way.times.shape[2]
    start = i * (times + 4 * Lx * Ly)
    scale = unit / (-(-per_bin // GREEN_SHARE) * way.tally[i, WORMS])
    for k in range(times):
        way.times[i, b, k] = scale * way.green[start + k]
    for y in range(2 * Ly):                      # differences of coordinates become periodic distances
        for x in range(2 * Lx):
            way.distances[i, b, y % Ly, x % Lx] += scale * way.green[start + times + y * 2 * Lx + x]
    way.green[start : start + times + 4 * Lx * Ly] = _u(0)


@inlined
def book(i, row, clock, enough, wanted, stride, desk, tally, turns):  # type: ignore[no-untyped-def]
    """Book what replica i did since the last look, and say how many worms follow.

    True if a measurement is due; what follows is then said by `read`. This is the frequent part of a look,
    kept apart from `read`: passing all the arrays of the latter would cost more than the work.
    """
    tried = np.int64(desk[row + at.GIVEN])
    moved = clock - np.int64(desk[row + at.BEGUN]) - 2 * tried + np.int64(desk[row + at.OPENED])
    desk[row + at.BEGUN], desk[row + at.OPENED] = _u(clock), _u(0)
    if tally[i, WORMS] == 0:
        half = EARLY_MOVES if max(tally[i, EARLY_MOVES], tally[i, EARLY_TRIES]) < enough else LATE_MOVES
        tally[i, half] += moved
        tally[i, half + 1] += tried
        if not _thermalised(i, tally, enough, wanted):
            # A thirtieth of what is wanted, as far as the last worms tell.
            portion = _u(max(1, min(tried * enough / (30 * max(moved, tried)), 4 * tried)))
            desk[row + at.LEFT] = desk[row + at.GIVEN] = portion
            return False
        tally[i, LOOKS] = -1
        desk[row + at.GREEN] = _u(1 + i * stride)
    else:
        tally[i, MOVES] += moved
        W_x, W_y, W_tau = windings(desk[row + at.HEAD])
        add_turns(float(W_x), float(W_y), float(W_tau), turns[i])
    tally[i, LOOKS] += 1
    looks = min(LOOKS_PER_MEASUREMENT, tally[i, WORMS])
    if tally[i, LOOKS] == looks:
        return True
    _give(i, row, desk, tally)
    return False


@kernel
def _give(i: int, row: np.uint64, desk: Desk, tally: Integers) -> None:
    """Give replica i the attempts until its next look."""
    worms, looks = tally[i, WORMS], min(LOOKS_PER_MEASUREMENT, tally[i, WORMS])
    share = worms * (tally[i, LOOKS] + 1) // looks - worms * tally[i, LOOKS] // looks
    desk[row + at.LEFT] = desk[row + at.GIVEN] = _u(share)


@kernel
def read(
    i: int, row: np.uint64, unit: float, desk: Desk, way: Way, operators: Operators, work: Work
) -> bool:
    """Measure replica i; False if it has filled all its bins."""
    tally, sites = way.tally, way.words.size // len(way.tally)
    bins, per_bin = way.series.shape[1], way.series.shape[2]
    b, m = tally[i, MEASURED] // per_bin, tally[i, MEASURED] % per_bin
    W_x, W_y, W_tau = windings(desk[row + at.HEAD])
    here, values = way.words[i * sites : (i + 1) * sites], way.series[i, b, m]
    measure(here, float(W_x), float(W_y), float(W_tau), i, operators, work, way.sums, values)
    tally[i, MEASURED] += 1
    tally[i, LOOKS] = 0
    if m == per_bin - 1:
        _store_bin(i, b, per_bin, unit, way)
    _give(i, row, desk, tally)
    recording = GREEN_SHARE * (tally[i, MEASURED] % per_bin) < per_bin
    desk[row + at.GREEN] = _u(1 + i * (way.green.size // len(tally))) if recording else _u(0)
    return bool(tally[i, MEASURED] < bins * per_bin)


@kernel
def _swap(desk: Desk, row: np.uint64, other: np.uint64) -> None:
    """Exchange two rows."""
    for field in range(WIDTH):
        here, there = row + _u(field), other + _u(field)
        desk[here], desk[there] = desk[there], desk[here]


@kernel
def _refill(row: np.uint64, wanted: int, desk: Desk, way: Way) -> None:
    """Give a replica `wanted` random numbers of 32 bits, those left from its last block first.

    New ones come in pairs, so an odd number of old ones starts at an odd place.
    """
    name = np.int64(desk[row + at.NAME])
    place = 2 * name * ROOM + way.tally[name, UNUSED] % 2
    end = (place + way.tally[name, UNUSED]) // 2
    end = top_up(way.lanes[name], way.numbers, end, -(-(place + wanted) // 2))
    desk[row + at.NUMBERS] = _u(place)
    way.tally[name, UNUSED] = 2 * end - place


@kernel
def _use_up(row: np.uint64, used: int, desk: Desk, tally: Integers, numbers: NDArray[np.uint32]) -> None:
    """Take `used` random numbers of a replica away and move those left to where `_refill` wants them."""
    name, place = np.int64(desk[row + at.NAME]), np.int64(desk[row + at.NUMBERS])
    tally[name, UNUSED] -= used
    left = tally[name, UNUSED]
    first = 2 * name * ROOM + left % 2
    for k in range(left):
        numbers[first + k] = numbers[place + used + k]


@kernel
def _recording(desk: Desk, end: np.uint64) -> bool:
    """Whether any replica up to `end` records its Green function."""
    row = ROWS
    while row < end:
        if desk[row + at.GREEN] != _u(0):
            return True
        row += WIDTH
    return False


@kernel
def advance(
    blocks: int, clock: int, uniform: bool, enough: float, wanted: float, unit: float,
    desk: Desk, table: NDArray[np.uint32], rate: Array, rates: NDArray[np.float32],
    way: Way, operators: Operators, work: Work,
) -> int:
    """Let all unfinished replicas make `blocks` blocks of trials, fewer if all finish; returns the clock.

    clock     trials so far of every unfinished replica
    uniform   whether vertices are tabulated (table, rate), else link by link (rates)
    enough    moves or attempts of half the thermalisation
    wanted    moves between measurements
    unit      of `way.green`, trials
    """
    measurements = way.series.shape[1] * way.series.shape[2]
    replicas, words, green, tally = len(way.tally), way.words, way.green, way.tally
    stride, turns = green.size // replicas, way.sums.turns
    numbers, per_trial = way.numbers.view(np.uint32), 1 if uniform else 2
    end = ROWS + _u(replicas) * WIDTH
    row = ROWS
    while row < end:                             # finished ones go to the end
        if tally[desk[row + at.NAME], MEASURED] == measurements:
            end -= WIDTH
            _swap(desk, row, end)
        else:
            row += WIDTH
    for _ in range(blocks):
        for i in range((end - ROWS) // WIDTH):
            _refill(ROWS + _u(i) * WIDTH, per_trial * BLOCK, desk, way)
        t, row = _u(0), ROWS
        while t < _BLOCK and end > ROWS:
            if uniform and not _recording(desk, end):
                t, row = take_turns(t, row, end, desk, words, table, rate, numbers, None)
            elif uniform:
                t, row = take_turns(t, row, end, desk, words, table, rate, numbers, green)
            else:
                t, row = take_random_turns(t, row, end, desk, words, rates, numbers, green)
            if t < _BLOCK:
                name = np.int64(desk[row + at.NAME])
                now = clock + np.int64(t)
                due = book(name, row, now, enough, wanted, stride, desk, tally, turns)
                if due and not read(name, row, unit, desk, way, operators, work):
                    _use_up(row, per_trial * np.int64(t), desk, tally, numbers)
                    end -= WIDTH
                    _swap(desk, row, end)
                    if row == end:
                        row = ROWS
                        t += _u(1)
        if end == ROWS:
            break
        clock += BLOCK
        for i in range((end - ROWS) // WIDTH):
            _use_up(ROWS + _u(i) * WIDTH, per_trial * BLOCK, desk, tally, numbers)
    return clock
