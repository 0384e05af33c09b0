"""Tasks and the loop in which a worker does them, the same for local processes and MPI ranks."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qmc import Chains, Model, Schedule, run_chain
from runs.config import Config, matsubara_count, points
from runs.store import PartWriter, Record, Store, worker_name


@dataclass(frozen=True)
class Task:
    """One disorder sample of one point. `cost` is in head moves, to order and to weigh tasks."""

    point: int
    sample: int
    cost: float


def open_tasks(config: Config, finished: set[tuple[int, int]]) -> list[Task]:
    """What is left to do, costly points first, so that no worker is left alone with a long one."""
    s = config.schedule
    sweeps = s.therm_sweeps + s.bins * s.measurements_per_bin * s.sweeps_per_measurement
    todo = [
        Task(index, sample, sweeps * model.sites * model.L_tau)
        for index, model in enumerate(points(config))
        for sample in range(config.disorder.samples)
        if (index, sample) not in finished
    ]
    return sorted(todo, key=lambda task: (-task.cost, task.sample, task.point))


def simulate(
    config: Config, model: Model, sample: int, after_step: Callable[[], None] | None = None
) -> Record:
    """Bins of one sample; a function of the configuration alone."""
    seed = config.disorder.seed
    chains = Chains(
        model,
        [model.draw_bonds(seed, sample)],
        seed=seed,
        samples=[sample],
        schedule=config.schedule,
        n_max=matsubara_count(config, model),
    )
    while not chains.finished:
        chains.step()
        if after_step is not None:
            after_step()
    result = chains.results()[0]
    cost = {
        "moves": float(result.moves),
        "attempts": float(result.attempts),
        "worms_per_measurement": float(result.worms_per_measurement),
        "sweeps_per_measurement": result.sweeps_per_measurement,
    }
    return Record(result.bins, result.tau_int, cost)


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, before several workers start."""
    model = Model(Lx=2, Ly=2, L_tau=2, eps=0.5, charging=2.0)
    tiny = Schedule(therm_sweeps=1, bins=4, measurements_per_bin=1)
    run_chain(model, model.draw_bonds(0, 0), seed=0, sample=0, schedule=tiny)


def work(
    config: Config,
    folder: Path,
    todo: list[Task],
    turns: Iterator[int],
    *,
    rank: int = 0,
    after_task: Callable[[Task], None] = lambda task: None,
    after_step: Callable[[], None] | None = None,
) -> None:
    """Do the tasks whose numbers `turns` deals, and bring finished samples to the disk.

    A finished sample waits in memory for at most checkpoint_seconds, and no longer than writing is
    cheap: a write is made once 50 times its own duration has passed.
    """
    models = list(points(config))
    writer = PartWriter(Store(folder), config, worker_name(rank))
    last, spent = time.monotonic(), 0.0
    for turn in turns:
        if turn >= len(todo):
            break
        task = todo[turn]
        writer.add(task.point, task.sample, simulate(config, models[task.point], task.sample, after_step))
        if time.monotonic() - last >= max(config.output.checkpoint_seconds, 50 * spent):
            begun = time.monotonic()
            writer.flush()
            last = time.monotonic()
            spent = last - begun
        after_task(task)
    writer.flush()
