"""Markov chains: thermalise, then fill bins. A chain is a pure function of its arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.chains import loop as lockstep
from sitqmc.qmc.chains.loop import ROOM, Way, advance
from sitqmc.qmc.chains.schedule import Schedule
from sitqmc.qmc.chains.start import Start, hot_lattice
from sitqmc.qmc.measure.estimators import new_measured, new_work, operators
from sitqmc.qmc.measure.green import green_bins, green_map
from sitqmc.qmc.model.disorder import Disorder
from sitqmc.qmc.model.model import Bonds, Model
from sitqmc.qmc.model.random_streams import CHAIN
from sitqmc.qmc.observables import (
    AT,
    MAP_AT,
    MAPS,
    MEASURED,
    OBSERVABLES,
    SCALARS,
    SERIES,
    array_slices,
    array_width,
)
from sitqmc.qmc.statistics.jackknife import autocorrelation_time
from sitqmc.qmc.worm import registers as at
from sitqmc.qmc.worm.link_by_link import link_rates
from sitqmc.qmc.worm.link_tables import link_tables
from sitqmc.qmc.worm.memory import zeros_in_large_pages
from sitqmc.qmc.worm.packing import BYTES, currents, empty_lattice
from sitqmc.qmc.worm.random_numbers import LANES, lanes
from sitqmc.qmc.worm.registers import BLOCK, new_desk, rows, winding_bits, windings
from sitqmc.qmc.worm.scattering import RESIDENCE_UNIT, tabulated, vertex_tables

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ChainResult:
    """bins[name]: float64 (bins, ...), see OBSERVABLES. tau_int in units of measurements.

    maps[name]: float64 (Ly, Lx), means over the chain: density <n(r)>, kappa d<n(r)>/d mu, kappa_loc
    beta <n(r)^2> (both not connected if n_g is not 0), and G_r0, the equal-time G by distance, per Lx Ly.
    twist_current: float64 (2, Ly, Lx), current through the bonds along x and y in response to a small
    twist along x, <W_x J(r)>/beta with J summed over time, E_J. It has no divergence; the sum of its
    x part over y is rho_s_x Ly/Lx at every x.
    """

    bins: dict[str, Array]
    maps: dict[str, Array]
    tau_int: dict[str, float]
    moves: int                              # head moves after thermalisation
    attempts: int                           # worms after thermalisation, failed openings included
    worms_per_measurement: int
    sweeps_per_measurement: float           # as made
    twist_current: Array


FIRST_WORMS = 16
"""Attempts before a chain first looks how long its worms are."""

STEP_TRIALS = 3e7
"""Trials of all replicas in one step of `Chains`: about a tenth of a second."""


class Chains:
    """Markov chains of one model on several disorder samples, advanced together in resumable steps.

    Every chain has its own random stream, so its bins do not depend on which others run beside it: they
    are the same for any grouping, but four to eight chains at a time run more than twice as fast as single
    ones. Between steps `state` holds all that is needed; `restore` of it goes on with the same bits.

        chains = Chains(model, bonds, seed=1, samples=[0, 1])
        while not chains.finished:
            chains.step()
        results = chains.results()
    """

    def __init__(
        self,
        model: Model,
        bonds: Sequence[Bonds | Disorder],
        *,
        seed: int,
        samples: Sequence[int],
        chain: int = 0,
        schedule: Schedule | None = None,
        n_max: int | None = None,
        start: Start = "cold",
    ) -> None:
        """As `run_chain`, with one bond mask (or Disorder) and one sample number per chain.

        raises  ValueError for bond masks of wrong shape or number, or n_max out of range
        """
        if not 0 < len(bonds) == len(samples):
            raise ValueError(f"{len(bonds)} bond masks for {len(samples)} samples: one for each is needed")
        if start not in ("cold", "hot"):
            raise ValueError(f"start = {start!r}: must be 'cold' or 'hot'")
        self.model, self.schedule = model, schedule or Schedule()
        self.samples = tuple(int(s) for s in samples)
        self.n_max = model.L_tau // 2 if n_max is None else n_max
        count, sites = len(self.samples), model.sites * model.L_tau
        if count * sites >= 2**31:
            raise ValueError(f"{count} chains of {sites} sites: more than 2^31 sites; take fewer chains")
        self._disorder = [model.as_disorder(given) for given in bonds]
        links = [link_tables(model, disorder) for disorder in self._disorder]
        uniform = self._disorder[0].uniform
        if any(disorder.uniform != uniform for disorder in self._disorder):
            raise ValueError("samples with and without spread couplings: run them as separate chains")
        couplings = (model.action, model.eps, model.charging, model.n_g)
        self._tabulated = uniform and tabulated(*couplings) is not None
        self._table, self._rate = np.zeros(0, np.uint32), np.zeros(0)
        self._rates, self.layout = np.zeros(0, np.float32), BYTES
        if self._tabulated:
            tables = vertex_tables(*couplings)
            self._table, self._rate, self.layout = tables.table, tables.rate, tables.layout
        else:
            pairs = zip(self._disorder, links, strict=True)
            self._rates = np.concatenate([link_rates(model, *pair) for pair in pairs])
        self._operators = operators(model, self._disorder, links, self.n_max, self.layout)
        self._work = new_work(model, self.n_max)
        self._way = _new_way(model, count, self.schedule, self.n_max, self.layout.dtype)
        self._words = self._way.words.reshape(count, sites)
        self._desk, self._clock = new_desk(model, self.layout, count), 0
        for c, (disorder, some) in enumerate(zip(self._disorder, links, strict=True)):
            self._way.lanes[c] = lanes(seed, CHAIN, *model.key(), self.samples[c], chain)
            if start == "hot":
                words, turns = hot_lattice(model, disorder, some, self.layout, seed, self.samples[c], chain)
                self._words[c] = words
                rows(self._desk, count)[c, at.HEAD] += winding_bits(turns)
            else:
                self._words[c] = empty_lattice(model, disorder, self.layout)
        row = rows(self._desk, count)
        row[:, at.WORD], row[:, at.LEFT], row[:, at.GIVEN] = self._words[:, 0], FIRST_WORMS, FIRST_WORMS

    @property
    def _sweeps(self) -> int:
        """Head moves of one sweep."""
        return self._words.shape[1]

    @property
    def finished(self) -> bool:
        """All bins are filled."""
        wanted = self.schedule.bins * self.schedule.measurements_per_bin
        return bool(np.all(self._way.tally[:, lockstep.MEASURED] == wanted))

    @property
    def progress(self) -> float:
        """Share of the work done, 0 .. 1."""
        s, count = self.schedule, self._way.tally
        early = np.maximum(count[:, lockstep.EARLY_MOVES], count[:, lockstep.EARLY_TRIES])
        late = np.maximum(count[:, lockstep.LATE_MOVES], count[:, lockstep.LATE_TRIES])
        heated = np.minimum((early + late) / self._sweeps, s.therm_sweeps)
        measured = count[:, lockstep.MEASURED] * s.sweeps_per_measurement
        whole = s.therm_sweeps + s.bins * s.measurements_per_bin * s.sweeps_per_measurement
        heated[count[:, lockstep.WORMS] > 0] = s.therm_sweeps
        return float(np.mean(heated + measured) / whole)

    def step(self) -> None:
        """Go on for about a tenth of a second. Nothing to do if finished."""
        if self.finished:
            return
        blocks = max(1, round(STEP_TRIALS / (BLOCK * len(self.samples))))
        self._clock = advance(
            blocks, self._clock, self._tabulated,
            0.5 * self.schedule.therm_sweeps * self._sweeps,
            self.schedule.sweeps_per_measurement * self._sweeps,
            RESIDENCE_UNIT, self._desk, self._table, self._rate, self._rates,
            self._way, self._operators, self._work,
        )  # fmt: skip

    def results(self) -> list[ChainResult]:
        """One result per sample; RuntimeError if not finished."""
        bins, per_bin = self.schedule.bins, self.schedule.measurements_per_bin
        if not self.finished:
            done = int(self._way.tally[:, lockstep.MEASURED].min()) // per_bin
            raise RuntimeError(f"{done} of {bins} bins are filled; step() on")
        measurements, count = bins * per_bin, self._way.tally
        return [
            ChainResult(
                bins=_bins(c, self._way, self.model, self.n_max, disorder.present / self.model.sites),
                maps=_maps(c, self._way, measurements, disorder.present / self.model.sites),
                tau_int=_times(self._way.series[c].reshape(measurements, -1)),
                moves=int(count[c, lockstep.MOVES]),
                attempts=int(count[c, lockstep.WORMS]) * measurements,
                worms_per_measurement=int(count[c, lockstep.WORMS]),
                sweeps_per_measurement=int(count[c, lockstep.MOVES]) / (measurements * self._sweeps),
                twist_current=_twist_current(c, self._way, measurements, self.model),
            )
            for c, disorder in enumerate(self._disorder)
        ]

    def windings(self) -> NDArray[np.int64]:
        """Net windings along x, y, tau, (chains, 3); of finished chains, whose loops are closed."""
        heads = rows(self._desk, len(self.samples))
        return np.array([windings(row[at.HEAD]) for row in heads[np.argsort(heads[:, at.NAME])]])

    def currents(self) -> NDArray[np.int64]:
        """Link currents (chains, 3, L_tau, Ly, Lx), see `lattice.currents`; of finished chains."""
        return np.stack([currents(self.model, words, self.layout) for words in self._words])

    def _parts(self) -> dict[str, NDArray[Any]]:
        """Arrays that change, by name; first axis: chains. The desk is not among them."""
        way, count = self._way, len(self.samples)
        out = {"words": self._words, "lanes": way.lanes, "tally": way.tally, "series": way.series}
        out |= {name: getattr(way, name).reshape(count, -1) for name in ("green", "numbers")}
        out |= {f"sums/{name}": getattr(way.sums, name) for name in ("scalars", "maps", "turns")}
        out |= {f"bins/{name}": getattr(way, name) for name in ("scalars", "times", "distances")}
        for name, part in array_slices(self.model, self.n_max).items():
            kept = STATE_NAMES.get(name, name)
            out[f"sums/{kept}"], out[f"bins/{kept}"] = way.sums.arrays[:, part], way.arrays[..., part]
        return out

    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Rows of the desk in the order of the samples, and the first site of each."""
        count = len(self.samples)
        row = rows(self._desk, count)
        order = np.argsort(row[:, at.NAME]).astype(np.int64)
        base = (np.arange(count) * self._sweeps).astype(np.uint64)
        return order, base

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that changes, by name; first axis: chains. What a chain holds names no other."""
        order, base = self._places()
        row = rows(self._desk, len(self.samples))[order]
        done = self.schedule.bins * self.schedule.measurements_per_bin
        place = row[:, PLACE].copy()
        place[:, [PLACE.index(at.HEAD), PLACE.index(at.TAIL)]] -= base[:, None]
        since = (np.uint64(self._clock) - row[:, at.BEGUN]).astype(np.int64)
        since[self._way.tally[:, lockstep.MEASURED] == done] = 0      # they stopped at their last look
        recording = (row[:, at.GREEN] > 0).astype(np.int64)
        extra = {"place": place, "since": since, "recording": recording}
        return {name: a.copy() for name, a in self._parts().items()} | extra

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` returned for the same arguments; ValueError if it does not fit."""
        mine = self.state()
        if mine.keys() != state.keys():
            raise ValueError(f"state: entries differ: {', '.join(sorted(mine.keys() ^ state.keys()))}")
        for name, a in mine.items():
            there = np.asarray(state[name])
            if there.shape != a.shape or there.dtype != a.dtype:
                raise ValueError(
                    f"state: {name} is {there.dtype} {there.shape}, must be {a.dtype} {a.shape}; "
                    "it belongs to another model or schedule"
                )
        for name, a in self._parts().items():
            a[...] = state[name]
        order, base = self._places()
        row = rows(self._desk, len(self.samples))
        row[np.ix_(order, PLACE)] = state["place"]
        row[order, at.HEAD] += base
        row[order, at.TAIL] += base
        row[order, at.TAIL_COLUMN] = row[order, at.TAIL] // self._desk[at.L_TAU]
        row[order, at.BEGUN] = np.uint64(self._clock) - state["since"].astype(np.uint64)
        green = np.arange(len(order)) * (self._way.green.size // len(order)) + 1
        row[order, at.GREEN] = np.where(state["recording"] > 0, green, 0)


STATE_NAMES = {"chi_s_raw": "chi", "chi_c_raw": "chi_c"}
"""Observables whose arrays have another name in a state: kept states must stay readable."""

PLACE = [at.HEAD, at.TAIL, at.WORD, at.INCOMING, at.LEFT, at.GIVEN, at.OPENED]
"""Fields of a row of the desk that a state keeps as they are, but for the first site of the replica."""


def _new_way(model: Model, count: int, schedule: Schedule, n_max: int, dtype: np.dtype[Any]) -> Way:
    """Everything at zero."""
    bins, sites = schedule.bins, model.sites * model.L_tau
    return Way(
        words=zeros_in_large_pages(count * sites, dtype),
        lanes=np.zeros((count, 4, LANES), np.uint64),
        numbers=np.zeros(count * ROOM, np.uint64),
        tally=np.zeros((count, lockstep.COLUMNS), np.int64),
        green=np.zeros(count * (2 * model.L_tau + 4 * model.sites), np.uint64),
        sums=new_measured(model, count, n_max),
        series=np.zeros((count, bins, schedule.measurements_per_bin, len(SERIES))),
        scalars=np.zeros((count, bins, len(SCALARS))),
        arrays=np.zeros((count, bins, array_width(model, n_max))),
        times=np.zeros((count, bins, 2 * model.L_tau)),
        distances=np.zeros((count, bins, model.Ly, model.Lx)),
    )


def run_chain(
    model: Model,
    bonds: Bonds | Disorder,
    *,
    seed: int,
    sample: int,
    chain: int = 0,
    schedule: Schedule | None = None,
    n_max: int | None = None,
    start: Start = "cold",
) -> ChainResult:
    """Simulate one disorder sample.

    bonds      a Disorder, see `Model.draw_disorder`; or bool (2, Ly, Lx), where only bonds are missing
    seed, sample, chain   name the random stream, together with model.key()
    n_max      largest Matsubara number kept; all (L_tau // 2) if None
    start      cold: no currents; hot: random ones, see `chains.start`. Thermalised chains do not depend on it
    raises     ValueError for a bond mask of wrong shape or n_max out of range

    The same arguments give the same bits. Bins are plain means; G is normalised by the attempts of
    its bin, which are the same in every bin, so all bins average linearly.
    """
    chains = Chains(
        model, [bonds], seed=seed, samples=[sample], chain=chain, schedule=schedule, n_max=n_max,
        start=start,
    )  # fmt: skip
    while not chains.finished:
        chains.step()
    return chains.results()[0]


def _bins(c: int, way: Way, model: Model, n_max: int, share: float) -> dict[str, Array]:
    """Bins of chain c by name, see OBSERVABLES; rotors on the share `share` of the sites."""
    bins = {name: way.scalars[c, :, getattr(AT, name)].copy() for name in SCALARS}
    for name, part in array_slices(model, n_max).items():
        shape = MEASURED[name].shape(model, n_max)
        bins[name] = way.arrays[c, :, part].reshape(-1, *shape).copy()
    bins |= green_bins(way.times[c], way.distances[c], share)
    return {name: bins[name] for name in OBSERVABLES}


def _maps(c: int, way: Way, measurements: int, share: float) -> dict[str, Array]:
    """Maps of chain c by name, see `ChainResult`."""
    shape = way.distances.shape[2:]
    maps = {"G_r0": green_map(way.distances[c], share)}
    for name in MAPS.keys() - maps.keys():
        maps[name] = way.sums.maps[c, getattr(MAP_AT, name)].reshape(shape) / measurements
    return {name: maps[name] for name in MAPS}


def _twist_current(c: int, way: Way, measurements: int, model: Model) -> Array:
    """See `ChainResult.twist_current`."""
    sums = way.sums.maps[c, [MAP_AT.twist_x, MAP_AT.twist_y]].reshape(-1, model.Ly, model.Lx)
    return sums / (measurements * model.beta)


def _times(series: Array) -> dict[str, float]:
    """tau_int of every column of the series, in measurements."""
    return {name: autocorrelation_time(series[:, getattr(AT, name)])[0] for name in SERIES}
