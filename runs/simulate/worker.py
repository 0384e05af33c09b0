"""The loop in which a worker does its tasks, the same for local processes and MPI ranks."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sitqmc.qmc import Chains, Model, Schedule, run_chain
from sitqmc.runs.config.config import Config, matsubara_count, points
from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task, sweeps_of_chain
from sitqmc.runs.store.chainstate import State, restore, to_rows
from sitqmc.runs.store.checkpoint import OpenWork, RankFile, Record, read_states

RARELY = 200                 # a checkpoint waits this many times its own duration: below 0.5 % of the time


class Halted(Exception):
    """Work was stopped in order; the checkpoint is on the disk."""


def new_chains(config: Config, model: Model, samples: Sequence[int]) -> Chains:
    """Chains of some samples; their bins are a function of the configuration alone."""
    seed = config.disorder.seed
    return Chains(
        model,
        [model.draw_disorder(seed, sample) for sample in samples],
        seed=seed,
        samples=samples,
        schedule=config.schedule,
        n_max=matsubara_count(config, model),
    )


def records_of(chains: Chains, keep_state: bool = False) -> list[Record]:
    """One record per sample of finished chains."""
    rows = to_rows(chains.state(), len(chains.samples)) if keep_state else {}
    out = []
    for i, result in enumerate(chains.results()):
        cost = {
            "moves": float(result.moves),
            "attempts": float(result.attempts),
            "worms_per_measurement": float(result.worms_per_measurement),
            "sweeps_per_measurement": result.sweeps_per_measurement,
        }
        state = {name: a[i] for name, a in rows.items()}
        out.append(Record(result.bins, result.tau_int, cost, state, result.maps))
    return out


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, before several workers start."""
    model = Model(Lx=2, Ly=2, L_tau=2, eps=0.5, charging=2.0)
    tiny = Schedule(therm_sweeps=1, bins=4, measurements_per_bin=1)
    run_chain(model, model.draw_disorder(0, 0), seed=0, sample=0, schedule=tiny)


class Worker:
    """Does tasks and keeps the disk up to date.

    after_step   called between two steps of the chains with the cost done of the task in hand: keeps the
                 launcher and the other workers informed
    """

    def __init__(
        self, config: Config, folder: Path, rank: int, stop: Stop, after_step: Callable[[float], None]
    ) -> None:
        self.config, self.stop, self.after_step = config, stop, after_step
        self.models = list(points(config))
        self.file = RankFile(folder / "parts", config, rank)
        self.last, self.spent = time.monotonic(), 0.0

    def do(self, task: Task) -> None:
        """One task. A chain that raises is tried once more alone, from its start, then set aside."""
        model = self.models[task.point]
        try:
            self._simulate(model, task.samples, read_states(task.states), task.cost)
        except (UserError, Halted):
            raise
        except Exception as first:
            _say(f"{_named(model, task.samples)}: {_reason(first)}; trying again one by one")
            self.file.hold(None)
            for sample in task.samples:
                self._try_alone(model, sample)

    def _try_alone(self, model: Model, sample: int) -> None:
        try:
            self._simulate(model, (sample,), [])
        except (UserError, Halted):
            raise
        except Exception as error:
            _say(f"{_named(model, (sample,))}: {_reason(error)}; set aside")
            self.file.hold(None)
            self.file.fail(model, sample, _reason(error))

    def _simulate(
        self, model: Model, samples: Sequence[int], states: Sequence[State], cost: float = 0.0
    ) -> None:
        chains = new_chains(self.config, model, samples)
        if states:
            try:
                restore(chains, states)
            except ValueError as error:
                _say(f"{_named(model, samples)}: {error}; begun anew")
                chains = new_chains(self.config, model, samples)
        whole, first = sweeps_of_chain(self.config), chains.progress
        while not chains.finished:
            begun = time.monotonic()
            chains.step()
            self.stop.took(time.monotonic() - begun)
            self.after_step(cost * (chains.progress - first) / max(1.0 - first, 1e-9))
            stopping = self.stop.reason() is not None
            if (stopping or self._due()) and not chains.finished:
                rows = to_rows(chains.state(), len(samples))
                self.file.hold(OpenWork(model, tuple(samples), rows, whole * chains.progress))
                self.flush()
                if stopping:
                    raise Halted
        for sample, record in zip(samples, records_of(chains, self.config.output.keep_state), strict=True):
            self.file.add(model, sample, record)
        self.file.hold(None)
        if self._due():
            self.flush()

    def _due(self) -> bool:
        wanted = self.config.output.checkpoint_seconds           # 0: after every step
        return wanted == 0 or time.monotonic() - self.last >= max(wanted, RARELY * self.spent)

    def flush(self) -> None:
        """Bring everything to the disk."""
        begun = time.monotonic()
        self.file.flush()
        self.last = time.monotonic()
        self.spent = self.last - begun
        self.stop.took(self.spent)


def work(
    config: Config,
    folder: Path,
    todo: list[Task],
    turns: Iterator[int],
    *,
    stop: Stop,
    rank: int = 0,
    after_task: Callable[[int], None] = lambda turn: None,
    after_step: Callable[[float], None] = lambda cost: None,
) -> bool:
    """Do the tasks whose numbers `turns` deals; False if stopped before the last.

    Work in memory is at most checkpoint_seconds old, or as old as keeps writing cheap: see RARELY.
    """
    worker = Worker(config, folder, rank, stop, after_step)
    try:
        while stop.reason() is None:
            turn = next(turns, len(todo))
            if turn >= len(todo):
                worker.file.close()
                return True
            worker.do(todo[turn])
            after_task(turn)
    except Halted:
        pass
    worker.flush()
    return False


def _named(model: Model, samples: Sequence[int]) -> str:
    numbers = ", ".join(map(str, samples))
    return f"L = {model.Lx} x {model.Ly} x {model.L_tau}, p = {model.p:g}, sample {numbers}"


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _say(message: str) -> None:
    print(f"sitqmc: {message}", file=sys.stderr, flush=True)
