"""Markov chains: thermalise, then fill bins. A chain is a pure function of its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.qmc.chains import loop
from sitqmc.qmc.chains.bins import ChainResult, chain_result
from sitqmc.qmc.chains.loop import advance
from sitqmc.qmc.chains.schedule import Schedule
from sitqmc.qmc.chains.start import Start, hot_lattices
from sitqmc.qmc.chains.state import State, new_replicas
from sitqmc.qmc.measure.estimators import prepare_measurement
from sitqmc.qmc.measure.own import OwnObservable, OwnSums
from sitqmc.qmc.model.disorder import Disorder
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.random_streams import CHAIN, START, generator
from sitqmc.qmc.model.wave_vectors import wave_numbers
from sitqmc.qmc.observables import array_slices
from sitqmc.qmc.worm.link_by_link import link_rates
from sitqmc.qmc.worm.link_tables import build_link_tables
from sitqmc.qmc.worm.packing import currents, empty_lattice
from sitqmc.qmc.worm.random_numbers import lanes
from sitqmc.qmc.worm.registers import BLOCK
from sitqmc.qmc.worm.scattering import RESIDENCE_UNIT, scattering_tables

STEP_TRIALS = 3e7
"""Trials of all replicas in one step of `Chains`: about a tenth of a second."""


class Chains:
    """Markov chains of one model on several disorder samples, advanced together in resumable steps.

    Every chain has its own random stream: its bins are the same whichever other chains run beside it. Four to
    eight chains together run more than twice as fast as single ones. Between steps `state` returns all that
    changes; chains restored from it go on with the same bits.

        chains = Chains(model, seed=1, samples=[0, 1])
        while not chains.finished:
            chains.step()
        results = chains.results()
    """

    def __init__(
        self,
        model: Model,
        disorder: Sequence[ArrayLike | Disorder] | None = None,
        *,
        seed: int,
        samples: Sequence[int],
        chain: int = 0,
        schedule: Schedule | None = None,
        n_max: int | None = None,
        start: Start = "cold",
        radius: float | None = None,
        own: Sequence[OwnObservable] = (),
    ) -> None:
        """Prepare chains with the arguments of `run_chain`, one disorder and one sample number per chain.

        disorder  None: that of `Model.draw_disorder` for the seed and each sample number
        own     observables that are measured beside those of the registry
        radius  largest |q| L/(2 pi) of the responses by wave vector; by the size of the array if None
        raises  ValueError for disorder of wrong shape or number, n_max or radius out of range
        """
        self.model, self.schedule = model, schedule or Schedule()
        self.samples = tuple(int(s) for s in samples)
        self.n_max = model.L_tau // 2 if n_max is None else n_max
        if disorder is None:
            disorder = [model.draw_disorder(seed, sample) for sample in self.samples]
        self._disorder = self._checked(disorder, start)
        weights = build_link_tables(model, self._disorder)
        uniform, couplings = self._disorder[0].uniform, (model.action, model.eps, model.charging, model.n_g)
        tables = scattering_tables(*couplings) if uniform else None
        self._tables = tables or link_rates(model, self._disorder, weights)
        self.layout = self._tables.layout
        slices, key = array_slices(model, self.n_max), model.key()
        waves = wave_numbers(model.Lx, model.Ly, radius)[: None if self.schedule.transverse else 0]
        self._operators, self._work, sums = prepare_measurement(
            model, self._disorder, weights, self.layout, self.n_max, slices, waves
        )
        words = [empty_lattice(model, one, self.layout) for one in self._disorder]
        self._own = OwnSums(
            own, model, self.layout, len(words), self.schedule.bins, self.schedule.measurements_per_bin,
            self.schedule.sweeps_per_measurement * model.sites * model.L_tau,
        )
        winding = np.zeros((len(words), 3), np.int64)
        if start == "hot":
            generators = [generator(seed, START, *key, sample, chain) for sample in self.samples]
            words, winding = hot_lattices(model, self._disorder, words, weights, self.layout, generators)
        streams = np.stack([lanes(seed, CHAIN, *key, sample, chain) for sample in self.samples])
        self._replicas = new_replicas(
            model, self.layout, words, winding, streams, sums, slices, self.schedule, self._own
        )

    def _checked(self, disorder: Sequence[ArrayLike | Disorder], start: str) -> list[Disorder]:
        """Return the disorder of every chain; ValueError for arguments that do not fit together."""
        count, sites = len(self.samples), self.model.sites * self.model.L_tau
        if not 0 < len(disorder) == count:
            raise ValueError(f"disorder: {len(disorder)} given for {count} samples; give one for each sample")
        if start not in ("cold", "hot"):
            raise ValueError(f"start = {start!r}: must be 'cold' or 'hot'")
        if count * sites >= 2**31:
            raise ValueError(f"{count} chains of {sites} sites: more than 2^31 sites; take fewer chains")
        found = [self.model.as_disorder(given) for given in disorder]
        if len({one.uniform for one in found}) > 1:
            raise ValueError("samples with and without spread couplings: run them as separate chains")
        return found

    @property
    def finished(self) -> bool:
        """Whether all bins of all chains are filled."""
        return bool(np.all(self._replicas.finished))

    @property
    def progress(self) -> float:
        """Fraction of the work done, 0 .. 1."""
        s, count, sweep = self.schedule, self._replicas.batch.counters, self._replicas.sites
        first = np.maximum(count[:, loop.FIRST_HALF_STEPS], count[:, loop.FIRST_HALF_ATTEMPTS])
        second = np.maximum(count[:, loop.SECOND_HALF_STEPS], count[:, loop.SECOND_HALF_ATTEMPTS])
        thermalised = np.minimum((first + second) / sweep, s.therm_sweeps)
        thermalised[count[:, loop.WORMS] > 0] = s.therm_sweeps
        measured = count[:, loop.MEASURED] * s.sweeps_per_measurement
        whole = s.therm_sweeps + s.bins * s.measurements_per_bin * s.sweeps_per_measurement
        return float(np.mean(thermalised + measured) / whole)

    def step(self) -> None:
        """Go on for about a tenth of a second; do nothing if finished."""
        if self.finished:
            return
        replicas, tables = self._replicas, self._tables
        blocks, sweep = max(1, round(STEP_TRIALS / (BLOCK * replicas.count))), replicas.sites
        # Own observables are functions of Python: the loop returns after every block to evaluate them.
        for count in [1] * blocks if self._own.own else [blocks]:
            before = replicas.batch.counters[:, loop.MEASURED].copy()
            replicas.clock = advance(
                count, replicas.clock, tables.has_vertices,
                0.5 * self.schedule.therm_sweeps * sweep, float(self.schedule.sweeps_per_measurement * sweep),
                RESIDENCE_UNIT, replicas.registers, tables.table, tables.rate, tables.rates,
                replicas.batch, self._operators, self._work,
            )  # fmt: skip
            self._own.collect(replicas.batch.snapshots, before, replicas.batch.counters[:, loop.MEASURED])
            if self.finished:
                break

    def results(self) -> list[ChainResult]:
        """Return one result per sample; RuntimeError if not finished."""
        if not self.finished:
            measured = int(self._replicas.batch.counters[:, loop.MEASURED].min())
            bins = measured // self.schedule.measurements_per_bin
            raise RuntimeError(f"{bins} of {self.schedule.bins} bins are filled; call step() until finished")
        replicas = self._replicas
        return [
            chain_result(replicas.batch, c, self.model, self.n_max, replicas.slices, one.present, self._own)
            for c, one in enumerate(self._disorder)
        ]

    def windings(self) -> NDArray[np.int64]:
        """Return the net windings along x, y, tau of finished chains, (chains, 3)."""
        return self._replicas.windings()

    def currents(self) -> NDArray[np.int64]:
        """Return the link currents of finished chains, (chains, 3, L_tau, Ly, Lx), see `packing.currents`."""
        return np.stack([currents(self.model, words, self.layout) for words in self._replicas.words])

    def state(self) -> State:
        """Return copies of all arrays that change, by name; the first axis is the chain."""
        return self._replicas.save()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` returned for the same arguments, or for the same chains with fewer bins.

        raises  ValueError if the state belongs to another model or schedule
        """
        self._replicas.restore(state)


def run_chain(
    model: Model,
    disorder: ArrayLike | Disorder | None = None,
    *,
    seed: int,
    sample: int,
    chain: int = 0,
    schedule: Schedule | None = None,
    n_max: int | None = None,
    start: Start = "cold",
) -> ChainResult:
    """Simulate one disorder sample.

    disorder   None: that of `Model.draw_disorder(seed, sample)`; or any `Disorder`; or a mask, bool
               (2, Ly, Lx), where only bonds are missing
    seed, sample, chain   name the random stream, together with model.key()
    n_max      largest Matsubara number kept; all (L_tau // 2) if None
    start      cold: no currents; hot: random ones, see `chains.start`. Thermalised chains do not depend on it
    raises     ValueError for disorder of wrong shape or n_max out of range

    The same arguments give the same bits. Bins are plain means; G is normalised by the attempts of
    its bin, which are the same in every bin, so all bins average linearly.
    """
    chains = Chains(
        model, None if disorder is None else [disorder], seed=seed, samples=[sample], chain=chain,
        schedule=schedule, n_max=n_max, start=start,
    )  # fmt: skip
    while not chains.finished:
        chains.step()
    return chains.results()[0]
