"""The work that is left, cut into tasks: a point, a group of samples, and the states of their chains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc import Model, sample_means
from sitqmc.qmc.observables import bins_needed
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
            if samples:
                out[model] = wanted_samples(target, samples, first)
    return out


def _goal_samples(config: Config, found: Inventory, model: Model) -> dict[str, NDArray[np.float64]]:
    """Return the sample means of the observables with a target, of samples 0, 1, .. without a gap."""
    seed, goals = config.disorder.seed, list(config.target.goals)
    failed = {number for m, s, number in found.excluded if (m, s) == (model, seed)}
    columns: dict[int, list[float]] = {}
    names = [f"bins/{name}" for name in bins_needed(model, goals)]
    rows = found.rows(model, config.schedule.bins)
    for piece in rows.point_pieces(names) if rows is not None else ():
        means = sample_means(model, piece.bins)
        table = np.stack([means[goal] for goal in goals], axis=1)
        mine = piece.seed == seed
        columns |= dict(zip(piece.sample[mine].tolist(), table[mine].tolist(), strict=True))
    missing, ordered = [float("nan")] * len(goals), []
    for sample in range(len(columns) + len(failed)):
        if sample not in columns and sample not in failed:
            break
        ordered.append(columns.get(sample, missing))
    return dict(zip(goals, np.array(ordered).T, strict=True)) if ordered else {}
