"""Simulation of a configuration: what is missing in the store, in rounds until all targets are met."""

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.qmc import Model, sample_means
from sitqmc.runs.config.config import Config, points
from sitqmc.runs.config.target import wanted_samples
from sitqmc.runs.errors import Stopped, UserError
from sitqmc.runs.simulate.lock import only_one
from sitqmc.runs.simulate.mpi import run_mpi, wait_for_all
from sitqmc.runs.simulate.processes import available_cores, run_local
from sitqmc.runs.simulate.progress import Progress
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task, open_tasks
from sitqmc.runs.simulate.worker import warm_up
from sitqmc.runs.store.atomic import make_folder
from sitqmc.runs.store.checkpoint import Found
from sitqmc.runs.store.merge import Store, new_call
from sitqmc.runs.store.run_file import read_named


def run(
    config: Config,
    *,
    processes: int | None = None,
    comm: Any = None,
    quiet: bool = False,
    stop: Stop | None = None,
    retry: bool = False,
) -> None:
    """Simulate everything that the configuration asks for and the store does not hold.

    retry   repeat samples that failed
    raises  Stopped if `stop` asked for it: all work is on the disk, the same call resumes
    """
    stop = stop or Stop()
    folder = Path(config.output.path)
    workers = comm.size if comm is not None else processes or available_cores()
    with contextlib.ExitStack() as stack:
        job = _Job(config, folder, workers, quiet, stop, retry)
        todo = _shared(comm, lambda: job.begin(stack))
        while todo:
            complete = _simulate(job, todo, comm)
            if not complete:
                raise Stopped(stop.reason() or "a worker was told to stop")
            todo = _shared(comm, job.next_round)


def _shared(comm: Any, make: Any) -> list[Task]:
    """What rank 0 makes, on every rank; its UserError too."""
    made: list[Task] | UserError = []
    if comm is None or comm.rank == 0:
        try:
            made = make()
        except UserError as error:
            made = error
    if comm is not None:
        wait_for_all(comm)
        made = comm.bcast(made)
    if isinstance(made, UserError):
        raise made
    return made


class _Job:
    """What rank 0 does between the rounds of a run."""

    def __init__(
        self, config: Config, folder: Path, workers: int, quiet: bool, stop: Stop, retry: bool
    ) -> None:
        self.config, self.folder, self.workers, self.quiet = config, folder, workers, quiet
        self.stop, self.retry, self.store = stop, retry, Store(folder)
        self.begun = time.monotonic()
        self.finished = 0                        # samples there before the round

    def begin(self, stack: contextlib.ExitStack) -> list[Task]:
        """Check and lock the output; returns the first tasks. Nothing is touched if a check fails."""
        store, config = self.store, self.config
        if self.folder.exists():
            store.check(config)
        make_folder(self.folder)
        remark = stack.enter_context(only_one(self.folder, self._lost))
        store.check(config)                      # again: another run may just have finished here
        said = ([remark] if remark else []) + store.clean()
        found = store.scan()
        todo = self._tasks(found)
        if todo or found.configs or not store.path.exists():
            history = store.history()
            if todo or not history:
                history.append(new_call(workers=self.workers))
            found = store.merge(config, history)
            todo = self._tasks(found)            # states may have moved
        self._say(said, found, todo)
        if todo:
            warm_up()
        return todo

    def next_round(self) -> list[Task]:
        """Merge what was made, and see which points miss their targets."""
        history = self.store.history()
        if history:
            history[-1]["wall_seconds"] = time.monotonic() - self.begun
        found = self.store.merge(self.config, history)
        self.retry = False
        todo = self._tasks(found)
        if todo and not self.quiet:
            points_left = len({task.point for task in todo})
            count = sum(len(task.samples) for task in todo)
            print(f"{points_left} points miss their targets: {count} more samples", flush=True)
        return todo

    def _lost(self, reason: str) -> None:
        self.stop.word = reason

    def _tasks(self, found: Found) -> list[Task]:
        wanted = wanted_of(self.config, found)
        todo = open_tasks(self.config, found, wanted, self.workers, self.retry)
        self.finished = sum(
            bins >= self.config.schedule.bins and model in wanted
            for (model, _, _), bins in found.finished.items()
        )
        return todo

    def _say(self, said: list[str], found: Found, todo: list[Task]) -> None:
        if self.quiet:
            return
        models = set(points(self.config))
        open_states = sum(len(task.samples) for task in todo if task.states)
        state = f"{self.finished} samples on disk, {sum(len(t.samples) for t in todo)} to simulate"
        more = f" ({open_states} of them begun)" if open_states else ""
        for line in said:
            print(f"{self.folder}: {line}")
        print(f"{self.folder}: {len(models)} points, {state}{more}", flush=True)
        others = [model for model in found.blocks if model not in models]
        if others:
            print(f"{self.folder}: {len(others)} stored points are not in this configuration; they are kept")
        aside = found.failures()
        if aside and not self.retry:
            print(f"{self.folder}: {len(aside)} samples were set aside; --retry tries them again", flush=True)


def wanted_of(config: Config, found: Found) -> dict[Model, int]:
    """Samples that every point should have, by number and by the errors of what is there."""
    first, target = config.disorder.samples, config.target
    out = dict.fromkeys(points(config), first)
    if target.goals:
        for model in out:
            samples = _scalars(config, found, model)
            if samples:
                out[model] = wanted_samples(target, samples, first)
    return out


def _scalars(config: Config, found: Found, model: Model) -> dict[str, Any]:
    """Per-sample means of the observables with a target, samples 0, 1, .. as far as there is no gap."""
    seed, aside = config.disorder.seed, found.failures()
    rows: dict[int, dict[str, float]] = {}
    for path, name in found.blocks.get(model, []):
        if path.parent.name == "parts":
            continue                             # not merged yet: the round is not over
        data = read_named(path, name)
        if data.n_bins < config.schedule.bins:
            continue
        means = sample_means(model, data.bins)
        for i, (of_seed, sample) in enumerate(data.pairs()):
            if of_seed == seed:
                rows[sample] = {goal: float(means[goal][i]) for goal in config.target.goals}
    nothing = dict.fromkeys(config.target.goals, float("nan"))
    ordered = []
    for sample in range(len(rows) + len(aside)):
        if sample not in rows and (model, seed, sample) not in aside:
            break
        ordered.append(rows.get(sample, nothing))
    return {goal: np.array([row[goal] for row in ordered]) for goal in config.target.goals} if ordered else {}


def _simulate(job: _Job, todo: list[Task], comm: Any) -> bool:
    """One round; False if stopped."""
    if comm is not None and comm.rank != 0:
        return run_mpi(job.config, job.folder, todo, comm, None, job.stop)
    with Progress(todo, job.finished, quiet=job.quiet, folder=job.folder, workers=job.workers) as progress:
        if comm is not None:
            return run_mpi(job.config, job.folder, todo, comm, progress, job.stop)
        return run_local(job.config, job.folder, todo, job.workers, progress, job.stop)
