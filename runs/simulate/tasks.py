"""The work that is left, cut into tasks: a point, a group of samples, and the states of their chains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config
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
