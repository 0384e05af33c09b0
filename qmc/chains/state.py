"""Everything that changes while chains run: made, saved, restored, and lengthened.

A saved state is a dictionary of arrays. Each has one row per chain and does not depend on which other chains
ran beside it, so that any chains of a model can go on together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.chains import loop
from sitqmc.qmc.chains.loop import RANDOM_BUFFER, BatchState
from sitqmc.qmc.chains.schedule import Schedule
from sitqmc.qmc.measure.estimators import Measured
from sitqmc.qmc.measure.own import OwnSums
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import boson_waves
from sitqmc.qmc.observables import SCALARS, SERIES
from sitqmc.qmc.worm import registers as reg
from sitqmc.qmc.worm.memory import zeros_in_large_pages
from sitqmc.qmc.worm.packing import Layout, Words
from sitqmc.qmc.worm.registers import Registers, net_windings, new_registers, rows, winding_bits

State = dict[str, NDArray[Any]]

FIRST_WORMS = 16
"""Attempts before the first check of how long the worms of a chain are."""

UNKNOWN = -1e12
"""Sum of responses by wave vector that were not measured from the start: negative whatever is added."""

WORM_REGISTERS = [
    reg.HEAD, reg.TAIL, reg.WORD, reg.INCOMING, reg.ATTEMPTS_LEFT, reg.ATTEMPTS_ASSIGNED, reg.WORMS_OPENED,
]  # fmt: skip
"""Registers of a replica that a state holds; HEAD and TAIL count from the first site of the replica."""


@dataclass
class Replicas:
    """Arrays of the main loop, registers of the worms, and the clock of several chains.

    slices  place of each array observable in `batch.arrays`, see `observables.array_slices`
    own     sums and bins of own observables, by name
    """

    batch: BatchState
    registers: Registers
    slices: dict[str, slice]
    own: State
    clock: int = 0
    words: Words = field(init=False)             # of each chain, (chains, sites)

    def __post_init__(self) -> None:
        self.words = self.batch.words.reshape(self.count, -1)

    @property
    def count(self) -> int:
        """Number of chains."""
        return len(self.batch.counters)

    @property
    def sites(self) -> int:
        """Space-time sites of one chain; as many head moves are a sweep."""
        return self.words.shape[1]

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Whether all bins of each chain are filled, (chains,)."""
        _, bins, per_bin, _ = self.batch.series.shape
        return np.asarray(self.batch.counters[:, loop.MEASURED] == bins * per_bin)

    def windings(self) -> NDArray[np.int64]:
        """Return the net windings along x, y, tau, (chains, 3)."""
        heads = rows(self.registers, self.count)[self._replica_order()[0], reg.HEAD]
        return np.column_stack(net_windings(heads))

    def save(self) -> State:
        """Return copies of all that changes, by name; the first axis is the chain."""
        order, base = self._replica_order()
        row = rows(self.registers, self.count)[order]
        worm = row[:, WORM_REGISTERS].copy()
        worm[:, [WORM_REGISTERS.index(reg.HEAD), WORM_REGISTERS.index(reg.TAIL)]] -= base[:, None]
        since = (np.uint64(self.clock) - row[:, reg.CLOCK_AT_CHECK]).astype(np.int64)
        since[self.finished] = 0                 # finished chains stopped at their last check
        recording = (row[:, reg.GREEN] > 0).astype(np.int64)
        extra = {"worm": worm, "trials_since_check": since, "recording": recording}
        return {name: a.copy() for name, a in self._arrays().items()} | extra

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `save` returned, also for shorter chains; ValueError if it does not fit."""
        empty = self.save()
        if "sums/waves" not in state:            # of an older version: see `observables.NOT_MEASURED`
            state = {**state, "sums/waves": np.full_like(empty["sums/waves"], UNKNOWN)}
        if "boson" not in state:
            green = np.asarray(state["green"])
            more = np.zeros((len(green), empty["green"].shape[1] - green.shape[1]), green.dtype)
            unknown = np.full_like(empty["boson"], UNKNOWN)
            state = {**state, "boson": unknown, "green": np.hstack([green, more])}
        if empty.keys() != state.keys():
            raise ValueError(f"state: entries differ: {', '.join(sorted(empty.keys() ^ state.keys()))}")
        state = {name: _longer(name, np.asarray(state[name]), empty[name]) for name in empty}
        for name, a in self._arrays().items():
            a[...] = state[name]
        order, base = self._replica_order()
        row = rows(self.registers, self.count)
        row[np.ix_(order, WORM_REGISTERS)] = state["worm"]
        row[order, reg.HEAD] += base
        row[order, reg.TAIL] += base
        row[order, reg.TAIL_COLUMN] = row[order, reg.TAIL] // self.registers[reg.L_TAU]
        row[order, reg.CLOCK_AT_CHECK] = np.uint64(self.clock) - state["trials_since_check"].astype(np.uint64)
        green = np.arange(self.count) * (self.batch.green.size // self.count) + 1
        row[order, reg.GREEN] = np.where(state["recording"] > 0, green, 0)

    def _arrays(self) -> State:
        """Return views of the arrays that change, by name; the registers are not among them."""
        batch, sums = self.batch, self.batch.sums
        out: State = {name: getattr(batch, name) for name in ("lanes", "counters", "series")}
        out["words"] = self.words
        out |= {name: getattr(batch, name).reshape(self.count, -1) for name in ("green", "numbers")}
        summed = ("scalars", "maps", "waves", "winding_moments")
        out |= {f"sums/{name}": getattr(sums, name) for name in summed}
        out |= {f"bins/{name}": getattr(batch, name) for name in ("scalars", "times", "distances")}
        out["boson"] = batch.boson
        for name, part in self.slices.items():
            out[f"sums/{name}"], out[f"bins/{name}"] = sums.arrays[:, part], batch.arrays[..., part]
        return out | self.own

    def _replica_order(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return the rows of the registers in the order of the chains, and the first site of each chain."""
        order = np.argsort(rows(self.registers, self.count)[:, reg.REPLICA]).astype(np.int64)
        return order, (np.arange(self.count) * self.sites).astype(np.uint64)


def new_replicas(
    model: Model, layout: Layout, words: Sequence[Words], winding: NDArray[np.int64],
    lanes: NDArray[np.uint64], sums: Measured, slices: dict[str, slice], schedule: Schedule,
    own: OwnSums,
) -> Replicas:  # fmt: skip
    """Return chains at their start.

    words    of the first configuration of each chain
    winding  its net windings along x, y, tau, (chains, 3)
    lanes    random states of each chain, (chains, 4, LANES)
    own      sums of own observables
    """
    count, sites = len(words), model.sites * model.L_tau
    bins, per_bin = schedule.bins, schedule.measurements_per_bin
    batch = BatchState(
        words=zeros_in_large_pages(count * sites, layout.dtype),
        lanes=lanes,
        numbers=np.zeros(count * RANDOM_BUFFER, np.uint64),
        counters=np.zeros((count, loop.COLUMNS), np.int64),
        green=np.zeros(count * ((2 + model.Lx + model.Ly) * model.L_tau + 4 * model.sites), np.uint64),
        sums=sums,
        series=np.zeros((count, bins, per_bin, len(SERIES))),
        scalars=np.zeros((count, bins, len(SCALARS))),
        arrays=np.zeros((count, bins, sums.arrays.shape[1])),
        times=np.zeros((count, bins, 2 * model.L_tau)),
        distances=np.zeros((count, bins, model.Ly, model.Lx)),
        boson=np.zeros((count, len(boson_waves(model.Lx, model.Ly)), model.L_tau)),
        snapshots=np.zeros((count, own.capacity, sites if own.capacity else 0), layout.dtype),
    )
    replicas = Replicas(batch, new_registers(model, layout, count), slices, own.arrays())
    replicas.words[:] = words
    row = rows(replicas.registers, count)
    row[:, reg.HEAD] += np.array([winding_bits(w) for w in winding])
    row[:, reg.WORD] = replicas.words[:, 0]
    row[:, reg.ATTEMPTS_LEFT] = row[:, reg.ATTEMPTS_ASSIGNED] = FIRST_WORMS
    return replicas


def _longer(name: str, given: NDArray[Any], empty: NDArray[Any]) -> NDArray[Any]:
    """Return `given`, followed by empty bins if it has fewer than `empty`; ValueError if it does not fit."""
    wanted = list(empty.shape)
    if (name == "series" or name.startswith("bins/")) and given.ndim > 1:
        wanted[1] = min(given.shape[1], empty.shape[1])
    if given.dtype != empty.dtype or given.shape != tuple(wanted):
        raise ValueError(
            f"state: {name} is {given.dtype} {given.shape}, must be {empty.dtype} {empty.shape}; "
            "it belongs to another model or schedule"
        )
    if given.shape == empty.shape:
        return given
    out = np.zeros_like(empty)
    out[:, : given.shape[1]] = given
    return out


def stacked(states: Sequence[Mapping[str, NDArray[Any]]]) -> State:
    """Return one state of several chains from the states of single chains, without their axis of chains.

    raises  ValueError for entries that are missing in some states or differ in shape
    """
    out: State = {}
    for name in dict.fromkeys(name for state in states for name in state):
        values = [np.asarray(state[name]) for state in states if name in state]
        if len(values) < len(states):
            raise ValueError(f"state: {name} is missing")
        if any(v.shape != values[0].shape for v in values):
            raise ValueError(f"state: {name} has different shapes")
        out[name] = np.stack(values)
    return out
