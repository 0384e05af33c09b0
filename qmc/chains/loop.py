"""Main loop: thermalises several replicas and fills their bins, as one compiled function.

Replicas advance together, a block of trials at a time, and each keeps its own counters: one replica may
thermalise while another measures. A block may end anywhere, also within a worm, so a run can pause after it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import inlined, kernel, kernel_helper
from sitqmc.qmc.measure.estimators import Measured, Operators, Work
from sitqmc.qmc.measure.kernels import add_winding_moments, measure
from sitqmc.qmc.model.wave_vectors import BOSON_WAVES
from sitqmc.qmc.worm import registers as reg
from sitqmc.qmc.worm.link_by_link import run_worms_link_by_link
from sitqmc.qmc.worm.packing import Words
from sitqmc.qmc.worm.random_numbers import LANES, top_up
from sitqmc.qmc.worm.registers import BLOCK, ROWS, WIDTH, Registers, windings
from sitqmc.qmc.worm.tabulated import run_worms

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

GREEN_SHARE = 8
"""The Green function is recorded in the first 1/GREEN_SHARE of each bin, because recording slows the worm."""

_u = np.uint64
_BLOCK = _u(BLOCK)

RANDOM_BUFFER = BLOCK + LANES + 1
"""Random numbers of 64 bits in the buffer of a replica: one block and a reserve, see `_refill`."""

# Columns of `BatchState.counters`.
FIRST_HALF_STEPS, FIRST_HALF_ATTEMPTS, SECOND_HALF_STEPS, SECOND_HALF_ATTEMPTS = range(4)
STEPS, WORMS, MEASURED, UNUSED, WINDING_READS = range(4, 9)
COLUMNS = 9

WINDING_SAMPLES = 8
"""Reads of the windings per measurement, at most one per worm: they cost nothing, the lattice is not read."""


class BatchState(NamedTuple):
    """Arrays read and written by the main loop, one row per replica; the registers are kept beside them.

    words      uint32 or uint64 (replicas * sites,), the packed lattices
    lanes      uint64 (replicas, 4, LANES), states of the random numbers
    numbers    uint64 (replicas * RANDOM_BUFFER,), random numbers of the present block
    counters   int64 (replicas, COLUMNS): steps and attempts in both halves of the thermalisation, steps
               after it, worms per measurement (0 during thermalisation), measurements made, unused random
               numbers of 32 bits, reads of the windings since the last measurement
    green      uint64 (replicas * (2 L_tau + 4 Lx Ly + (Lx + Ly) L_tau),), waiting times of the worm, see
               `worm.run_worms`
    sums       of the current bin; its maps over all bins
    series     float64 (replicas, bins, measurements per bin, len(SERIES))
    scalars    float64 (replicas, bins, len(SCALARS)), finished bins
    arrays     float64 (replicas, bins, width), finished bins, see `observables.array_slices`
    times      float64 (replicas, bins, 2 L_tau), waiting times per attempt by tau distance
    distances  float64 (replicas, bins, Ly, Lx), waiting times per attempt at tau distance 0 by space distance
    boson      float64 (replicas, waves, L_tau), waiting times per attempt, transformed to `boson_waves`, sums
               over the bins
    snapshots  words (replicas, capacity, sites) at the last measurements, in turn; capacity 0: not kept
    """

    words: Words
    lanes: NDArray[np.uint64]
    numbers: NDArray[np.uint64]
    counters: Integers
    green: NDArray[np.uint64]
    sums: Measured
    series: Array
    scalars: Array
    arrays: Array
    times: Array
    distances: Array
    boson: Array
    snapshots: Words


@kernel_helper
def _is_thermalised(i: int, counters: Integers, enough: float, wanted: float) -> bool:
    """Return whether replica i has done both halves; if so, fix its worms per measurement.

    Where currents are costly, worms hardly move; an attempt per site then counts as a sweep.
    """
    if max(counters[i, SECOND_HALF_STEPS], counters[i, SECOND_HALF_ATTEMPTS]) < enough:
        return False
    per_step = counters[i, SECOND_HALF_ATTEMPTS] / max(counters[i, SECOND_HALF_STEPS], 1)
    counters[i, WORMS] = max(1, int(np.round(min(wanted * per_step, wanted))))
    return True


@kernel_helper
def _add_boson(green: NDArray[np.uint64], L: int, scale: float, out: Array) -> None:
    """Add the cosine transforms of waiting times, (L L_tau,) by distance and tau, to out (waves, L_tau)."""
    L_tau = out.shape[1]
    for m in range(len(out)):
        for x in range(L):
            factor = scale * np.cos(2 * np.pi * ((m + 1) * x % L) / L)
            for k in range(L_tau):
                out[m, k] += factor * green[x * L_tau + k]


@kernel_helper
def _store_bin(i: int, b: int, per_bin: int, unit: float, batch: BatchState) -> None:
    """Store the means of bin b of replica i and set its sums to zero."""
    for k in range(batch.scalars.shape[2]):
        batch.scalars[i, b, k] = batch.sums.scalars[i, k] / per_bin
        batch.sums.scalars[i, k] = 0.0
    for k in range(batch.arrays.shape[2]):
        batch.arrays[i, b, k] = batch.sums.arrays[i, k] / per_bin
        batch.sums.arrays[i, k] = 0.0
    Ly, Lx, times = batch.distances.shape[2], batch.distances.shape[3], batch.times.shape[2]
    stride = batch.green.size // len(batch.counters)
    start = i * stride
    scale = unit / (-(-per_bin // GREEN_SHARE) * batch.counters[i, WORMS])
    for k in range(times):
        batch.times[i, b, k] = scale * batch.green[start + k]
    for y in range(2 * Ly):                      # differences of coordinates become periodic distances
        for x in range(2 * Lx):
            batch.distances[i, b, y % Ly, x % Lx] += scale * batch.green[start + times + y * 2 * Lx + x]
    along_x, waves_x = start + times + 4 * Lx * Ly, min(BOSON_WAVES, Lx // 2)
    along_y = along_x + Lx * (times // 2)
    _add_boson(batch.green[along_x:along_y], Lx, scale, batch.boson[i, :waves_x])
    _add_boson(batch.green[along_y : start + stride], Ly, scale, batch.boson[i, waves_x:])
    batch.green[start : start + stride] = _u(0)


@inlined
def update_counters(  # type: ignore[no-untyped-def]
    i, row, clock, enough, wanted, stride, registers, counters, moments
):
    """Add the steps and attempts of replica i since the last check, and assign its next attempts.

    Returns True if a measurement is due; `measure_replica` then assigns the next attempts. This function is
    called often and kept apart from `measure_replica`, because passing all arrays costs more than its work.
    """
    attempts = np.int64(registers[row + reg.ATTEMPTS_ASSIGNED])
    steps = clock - np.int64(registers[row + reg.CLOCK_AT_CHECK]) - 2 * attempts
    steps += np.int64(registers[row + reg.WORMS_OPENED])
    registers[row + reg.CLOCK_AT_CHECK], registers[row + reg.WORMS_OPENED] = _u(clock), _u(0)
    if counters[i, WORMS] == 0:
        first_half = max(counters[i, FIRST_HALF_STEPS], counters[i, FIRST_HALF_ATTEMPTS]) < enough
        half = FIRST_HALF_STEPS if first_half else SECOND_HALF_STEPS
        counters[i, half] += steps
        counters[i, half + 1] += attempts
        if not _is_thermalised(i, counters, enough, wanted):
            # A thirtieth of one half, estimated from the last worms.
            portion = _u(max(1, min(attempts * enough / (30 * max(steps, attempts)), 4 * attempts)))
            registers[row + reg.ATTEMPTS_LEFT] = registers[row + reg.ATTEMPTS_ASSIGNED] = portion
            return False
        counters[i, WINDING_READS] = -1
        registers[row + reg.GREEN] = _u(1 + i * stride)
    else:
        counters[i, STEPS] += steps
        W_x, W_y, W_tau = windings(registers[row + reg.HEAD])
        add_winding_moments(float(W_x), float(W_y), float(W_tau), moments[i])
    counters[i, WINDING_READS] += 1
    if counters[i, WINDING_READS] == min(WINDING_SAMPLES, counters[i, WORMS]):
        return True
    _assign_attempts(i, row, registers, counters)
    return False


@kernel_helper
def _assign_attempts(i: int, row: np.uint64, registers: Registers, counters: Integers) -> None:
    """Assign to replica i the attempts until its next check."""
    worms, done = counters[i, WORMS], counters[i, WINDING_READS]
    reads = min(WINDING_SAMPLES, worms)
    attempts = worms * (done + 1) // reads - worms * done // reads
    registers[row + reg.ATTEMPTS_LEFT] = registers[row + reg.ATTEMPTS_ASSIGNED] = _u(attempts)


@kernel_helper
def measure_replica(
    i: int, row: np.uint64, unit: float,
    registers: Registers, batch: BatchState, operators: Operators, work: Work,
) -> bool:
    """Measure replica i and close its bin if that is full; return False after its last bin."""
    counters, sites = batch.counters, batch.words.size // len(batch.counters)
    bins, per_bin = batch.series.shape[1], batch.series.shape[2]
    b, m = counters[i, MEASURED] // per_bin, counters[i, MEASURED] % per_bin
    W_x, W_y, W_tau = windings(registers[row + reg.HEAD])
    words, values = batch.words[i * sites : (i + 1) * sites], batch.series[i, b, m]
    measure(words, float(W_x), float(W_y), float(W_tau), i, operators, work, batch.sums, values)
    if batch.snapshots.shape[1] > 0:
        batch.snapshots[i, counters[i, MEASURED] % batch.snapshots.shape[1]] = words
    counters[i, MEASURED] += 1
    counters[i, WINDING_READS] = 0
    if m == per_bin - 1:
        _store_bin(i, b, per_bin, unit, batch)
    _assign_attempts(i, row, registers, counters)
    recording = GREEN_SHARE * (counters[i, MEASURED] % per_bin) < per_bin
    registers[row + reg.GREEN] = _u(1 + i * (batch.green.size // len(counters))) if recording else _u(0)
    return bool(counters[i, MEASURED] < bins * per_bin)


@kernel_helper
def _swap(registers: Registers, row: np.uint64, other: np.uint64) -> None:
    """Exchange two rows."""
    for field in range(WIDTH):
        here, there = row + _u(field), other + _u(field)
        registers[here], registers[there] = registers[there], registers[here]


@kernel_helper
def _refill(row: np.uint64, wanted: int, registers: Registers, batch: BatchState) -> None:
    """Give a replica `wanted` random numbers of 32 bits, beginning with the unused ones of its last block.

    New numbers come in pairs, so an odd count of unused ones starts at an odd place.
    """
    i = np.int64(registers[row + reg.REPLICA])
    place = 2 * i * RANDOM_BUFFER + batch.counters[i, UNUSED] % 2
    end = (place + batch.counters[i, UNUSED]) // 2
    end = top_up(batch.lanes[i], batch.numbers, end, -(-(place + wanted) // 2))
    registers[row + reg.NUMBERS] = _u(place)
    batch.counters[i, UNUSED] = 2 * end - place


@kernel_helper
def _discard_used(
    row: np.uint64, used: int, registers: Registers, counters: Integers, numbers: NDArray[np.uint32]
) -> None:
    """Remove `used` random numbers of a replica and move the unused ones to where `_refill` expects them."""
    i, place = np.int64(registers[row + reg.REPLICA]), np.int64(registers[row + reg.NUMBERS])
    counters[i, UNUSED] -= used
    left = counters[i, UNUSED]
    first = 2 * i * RANDOM_BUFFER + left % 2
    for k in range(left):
        numbers[first + k] = numbers[place + used + k]


@kernel_helper
def _is_recording(registers: Registers, end: np.uint64) -> bool:
    """Return whether any replica up to `end` records its Green function."""
    row = ROWS
    while row < end:
        if registers[row + reg.GREEN] != _u(0):
            return True
        row += WIDTH
    return False


@kernel
def advance(
    blocks: int, clock: int, uniform: bool, enough: float, wanted: float, unit: float,
    registers: Registers, table: NDArray[np.uint32], rate: Array, rates: NDArray[np.float32],
    batch: BatchState, operators: Operators, work: Work,
) -> int:
    """Run `blocks` blocks of trials of all unfinished replicas, fewer if all finish; return the clock.

    clock     trials so far of every unfinished replica
    uniform   whether vertices are tabulated (table, rate); otherwise rates are looked up link by link (rates)
    enough    steps or attempts of half the thermalisation
    wanted    steps between measurements
    unit      of `batch.green`, in trials
    """
    measurements = batch.series.shape[1] * batch.series.shape[2]
    replicas, words, green, counters = len(batch.counters), batch.words, batch.green, batch.counters
    stride, moments = green.size // replicas, batch.sums.winding_moments
    numbers, per_trial = batch.numbers.view(np.uint32), 1 if uniform else 2
    end = ROWS + _u(replicas) * WIDTH
    row = ROWS
    while row < end:                             # finished replicas go to the end
        if counters[registers[row + reg.REPLICA], MEASURED] == measurements:
            end -= WIDTH
            _swap(registers, row, end)
        else:
            row += WIDTH
    for _ in range(blocks):
        for k in range((end - ROWS) // WIDTH):
            _refill(ROWS + _u(k) * WIDTH, per_trial * BLOCK, registers, batch)
        t, row = _u(0), ROWS
        while t < _BLOCK and end > ROWS:
            if uniform and not _is_recording(registers, end):
                t, row = run_worms(t, row, end, registers, words, table, rate, numbers, None)
            elif uniform:
                t, row = run_worms(t, row, end, registers, words, table, rate, numbers, green)
            else:
                t, row = run_worms_link_by_link(t, row, end, registers, words, rates, numbers, green)
            if t < _BLOCK:
                i, now = np.int64(registers[row + reg.REPLICA]), clock + np.int64(t)
                due = update_counters(i, row, now, enough, wanted, stride, registers, counters, moments)
                if due and not measure_replica(i, row, unit, registers, batch, operators, work):
                    _discard_used(row, per_trial * np.int64(t), registers, counters, numbers)
                    end -= WIDTH
                    _swap(registers, row, end)
                    if row == end:
                        row = ROWS
                        t += _u(1)
        if end == ROWS:
            break
        clock += BLOCK
        for k in range((end - ROWS) // WIDTH):
            _discard_used(ROWS + _u(k) * WIDTH, per_trial * BLOCK, registers, counters, numbers)
    return clock
