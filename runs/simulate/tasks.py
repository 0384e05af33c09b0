"""The work that is left, cut into tasks: a point, a group of samples, and the states of their chains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc import Model, sample_means
from sitqmc.qmc.observables import bins_needed
from sitqmc.qmc.statistics.estimators import STATIC, WAVES_OF
from sitqmc.runs.config.config import Config
from sitqmc.runs.config.target import wanted_samples
from sitqmc.runs.store.run_folder import Inventory
from sitqmc.runs.store.samples import StateRef


@dataclass(frozen=True)
class Task:
    """Samples of one point that run together, from the start or from their states to the last bin.

    point   index in `Config.models`
    cost    head moves, to order and to weigh tasks
    states  where the state of each chain lies; none for chains that start
    """

    point: int
    samples: tuple[int, ...]
    cost: float
    states: tuple[StateRef, ...] = ()


@dataclass
class _Batch:
    """Samples that may share a task; `each` is the cost of one of them."""

    point: int
    each: float
    samples: list[int]
    states: list[StateRef]

    def take(self, count: int) -> Task:
        """Remove the first samples and return their task."""
        some, self.samples = self.samples[:count], self.samples[count:]
        states, self.states = self.states[:count], self.states[count:]
        return Task(self.point, tuple(some), self.each * len(some), tuple(states))


def remaining_tasks(
    config: Config, found: Inventory, wanted: Mapping[Model, int], workers: int, retry: bool = False
) -> list[Task]:
    """Return the tasks for everything missing: first the chains that are already open, then costly samples.

    Towards the end groups become smaller, so that no worker is left alone with a long one: a task is
    never more than half of a worker's share of the remaining work, unless it is a single sample.
    """
    batches = sorted(_batches(config, found, wanted, retry), key=lambda b: (not b.states, -b.each, b.point))
    left = sum(b.each * len(b.samples) for b in batches)
    tasks: list[Task] = []
    for batch in batches:
        while batch.samples:
            share = int(left / (2 * workers * batch.each)) if batch.each > 0 else 1
            task = batch.take(max(1, min(config.schedule.interleave, share)))
            left -= task.cost
            tasks.append(task)
    return tasks


def _batches(
    config: Config, found: Inventory, wanted: Mapping[Model, int], retry: bool
) -> Iterable[_Batch]:
    seed, whole = config.disorder.seed, config.sweeps()
    excluded = {} if retry else found.excluded
    for index, model in enumerate(config.models):
        per_sweep = float(model.sites * model.L_tau)
        fresh = _Batch(index, whole * per_sweep, [], [])
        resumed: dict[tuple[str, str], _Batch] = {}
        for sample in range(wanted[model]):
            key = (model, seed, sample)
            if found.finished.get(key, 0) >= config.schedule.bins or key in excluded:
                continue
            state = found.states.get(key)
            if state is None:
                fresh.samples.append(sample)
                continue
            rest = max(whole - state.progress, 1.0) * per_sweep
            batch = resumed.setdefault((str(state.path), state.group), _Batch(index, rest, [], []))
            batch.samples.append(sample)
            batch.states.append(state)
        yield from resumed.values()
        if fresh.samples:
            yield fresh


def is_complete(config: Config, found: Inventory) -> bool:
    """Return whether nothing is left: all samples are finished or excluded, and all targets are met."""
    return not any(batch.samples for batch in _batches(config, found, samples_wanted(config, found), False))


def samples_wanted(config: Config, found: Inventory) -> dict[Model, int]:
    """Return the number of samples that every point should have, by the errors of those on the disk."""
    first, target = config.disorder.samples, config.target
    out = dict.fromkeys(config.models, first)
    if target.goals:
        for model in out:
            samples = _goal_samples(config, found, model)
            if samples is not None:
                goals = {name: samples.means[name] for name in target.goals}
                averages = None if samples.estimator == "plain" else samples.averages
                out[model] = wanted_samples(target, goals, first, averages)
    return out


@dataclass(frozen=True)
class _GoalSamples:
    """What the averages with a target are made of: samples 0, 1, .. without a gap; nan for failed ones.

    means  (samples, ...) by name;  waves  responses by wave vector (samples, waves, frequencies) by name
    """

    model: Model
    seed: int
    goals: tuple[str, ...]
    estimator: str
    means: Mapping[str, NDArray[np.float64]]
    waves: Mapping[str, NDArray[np.float64]]

    def averages(self, n: int) -> dict[str, Estimate]:
        """Return the averages with a target of the first n samples."""
        # Imported here: functions of the mask are compiled, and most commands do without.
        from sitqmc.qmc.statistics.improved import improved_averages

        made = np.flatnonzero(np.isfinite(self.means[self.goals[0]][:n]))
        keys = np.stack([np.full(len(made), self.seed), made], axis=1)
        means = {name: values[made] for name, values in self.means.items()}
        waves = {name: values[made] for name, values in self.waves.items()}
        found = improved_averages(
            self.model, means, waves, keys, names=self.goals, estimator=self.estimator
        )
        return {name: one.estimate for name, one in found.items()}


def _goal_samples(config: Config, found: Inventory, model: Model) -> _GoalSamples | None:
    """Return the samples of a point that decide about its number of samples; None if there are none."""
    seed, goals = config.disorder.seed, tuple(config.target.goals)
    estimator = config.continuation.estimator
    failed = {number for m, s, number in found.excluded if (m, s) == (model, seed)}
    names, wanted, rows = list(goals), list[str](), found.rows(model, config.schedule.bins)
    if rows is None:
        return None
    stored = {f"maps/{WAVES_OF[r]}" for r in map(STATIC.get, goals) if r is not None} & set(rows.names)
    if stored and estimator in ("improved", "transverse"):
        names += [STATIC[goal] for goal in goals if goal in STATIC]
        wanted = sorted(stored)
    table: dict[int, dict[str, Any]] = {}
    for piece in rows.point_pieces([*(f"bins/{name}" for name in bins_needed(model, names)), *wanted]):
        means = sample_means(model, piece.bins)
        for i in np.flatnonzero(piece.seed == seed):
            row = {name: means[name][i] for name in names}
            table[int(piece.sample[i])] = row | {name: waves[i] for name, waves in piece.maps.items()}
    if not table:
        return None
    empty = {name: np.full_like(value, np.nan) for name, value in next(iter(table.values())).items()}
    end = next(i for i in count() if i not in table and i not in failed)
    rows_of = [table.get(sample, empty) for sample in range(end)]
    if not rows_of:
        return None
    columns = {name: np.array([row[name] for row in rows_of]) for name in empty}
    means = {name: columns[name] for name in names}
    waves = {name: values for name, values in columns.items() if name not in means}
    return _GoalSamples(model, seed, goals, estimator, means, waves)
