"""What is left to do, cut into tasks: a point, a group of samples, and where their chains stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config, points
from sitqmc.runs.store.checkpoint import Found, StateRef


@dataclass(frozen=True)
class Task:
    """Samples of one point that run together, from the start or from their states to the last bin.

    cost   head moves, to order and to weigh tasks
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
        some, self.samples = self.samples[:count], self.samples[count:]
        states, self.states = self.states[:count], self.states[count:]
        return Task(self.point, tuple(some), self.each * len(some), tuple(states))


def sweeps_of_chain(config: Config, bins: int | None = None) -> float:
    """Sweeps that a chain of so many bins takes, thermalisation included."""
    s = config.schedule
    count = s.bins if bins is None else bins
    return s.therm_sweeps + count * s.measurements_per_bin * s.sweeps_per_measurement


def open_tasks(
    config: Config, found: Found, wanted: Mapping[Model, int], workers: int, retry: bool = False
) -> list[Task]:
    """Tasks for everything missing: chains begun before, so that few states lie about, then costly samples.

    Towards the end groups become smaller, so that no worker is left alone with a long one: a task is
    never more than half of a worker's share of what is left, unless it is a single sample.
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


def _batches(config: Config, found: Found, wanted: Mapping[Model, int], retry: bool) -> Iterable[_Batch]:
    seed, whole = config.disorder.seed, sweeps_of_chain(config)
    aside = {} if retry else found.failures()
    for index, model in enumerate(points(config)):
        per_sweep = float(model.sites * model.L_tau)
        fresh = _Batch(index, whole * per_sweep, [], [])
        begun: dict[tuple[str, str], _Batch] = {}
        for sample in range(wanted[model]):
            key = (model, seed, sample)
            if found.finished.get(key, 0) >= config.schedule.bins or key in aside:
                continue
            state = found.states.get(key)
            if state is None:
                fresh.samples.append(sample)
                continue
            rest = max(whole - state.progress, 1.0) * per_sweep
            batch = begun.setdefault((str(state.path), state.group), _Batch(index, rest, [], []))
            batch.samples.append(sample)
            batch.states.append(state)
        yield from begun.values()
        if fresh.samples:
            yield fresh
