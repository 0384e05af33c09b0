"""The loop in which a worker runs its tasks, the same for local processes and MPI ranks."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sitqmc.progress import log
from sitqmc.qmc import Chains, Model, Schedule, run_chain
from sitqmc.qmc.chains.state import stacked
from sitqmc.runs.config.config import Config, matsubara_count
from sitqmc.runs.errors import UserError, WriteFailed
from sitqmc.runs.formats.own import own_disorder, own_observables
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task
from sitqmc.runs.store.checkpoint import CheckpointWriter, OpenChains, SampleRecord
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.samples import State, read_states

CHECKPOINT_PAUSE = 200       # a checkpoint waits this many times its own duration: below 0.5 % of the time


class StopRequested(Exception):
    """An orderly stop; the checkpoint is on the disk."""


def new_chains(config: Config, model: Model, samples: Sequence[int]) -> Chains:
    """Return chains of some samples; their bins are a function of the configuration alone."""
    d, o = config.disorder, config.observables
    return Chains(
        model,
        own_disorder(d.file, d.file_hash, model, samples) if d.file else None,
        seed=d.seed,
        samples=samples,
        schedule=config.schedule,
        n_max=matsubara_count(config, model),
        own=own_observables(o.own, o.own_hash),
    )


def check_own_parts(config: Config) -> None:
    """Raise UserError if own disorder or own observables do not fit the configuration."""
    d, o = config.disorder, config.observables
    own_observables(o.own, o.own_hash)
    for model in config.models if d.file else ():
        own_disorder(d.file, d.file_hash, model, range(d.samples))


def records_of(chains: Chains, keep_state: bool = False) -> list[SampleRecord]:
    """Return one record per sample of finished chains."""
    rows = chains.state() if keep_state else {}
    out = []
    for i, result in enumerate(chains.results()):
        cost = {
            "moves": float(result.moves),
            "attempts": float(result.attempts),
            "worms_per_measurement": float(result.worms_per_measurement),
            "sweeps_per_measurement": result.sweeps_per_measurement,
        }
        state = {name: a[i] for name, a in rows.items()}
        out.append(SampleRecord(result.bins, result.tau_int, cost, state, result.maps))
    return out


def warm_up(model: Model) -> None:
    """Compile the kernels that a model needs, or load them from the cache, before several workers start.

    raises  WriteFailed if the cache cannot be written
    """
    # Couplings of the model: they choose the kernels, and their scattering tables are made only once.
    model = Model(
        Lx=2, Ly=2, L_tau=2, eps=model.eps, charging=model.charging, action=model.action, n_g=model.n_g,
        spread_J=model.spread_J, spread_C=model.spread_C,
    )  # fmt: skip
    tiny = Schedule(therm_sweeps=1, bins=4, measurements_per_bin=1)
    try:
        run_chain(model, model.draw_disorder(0, 0), seed=0, sample=0, schedule=tiny)
    except OSError as error:
        raise _kernel_error(error) from None


def _kernel_error(error: OSError) -> WriteFailed:
    """Return the error for kernels whose machine code cannot be kept: chains themselves write no file."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return WriteFailed(
        f"compiled kernels: cannot be written ({reason}); free space, or set NUMBA_CACHE_DIR to another disk"
    )


class Worker:
    """Runs tasks and writes checkpoints.

    after_step   called between two steps of the chains with the finished cost of the present task, for the
                 launcher and the other workers
    """

    def __init__(
        self, config: Config, folder: Path, rank: int, stop: Stop, after_step: Callable[[float], None]
    ) -> None:
        self.config, self.stop, self.after_step = config, stop, after_step
        self.writer = CheckpointWriter(folder / "parts", config, rank)
        self.last_flush, self.flush_seconds = time.monotonic(), 0.0

    def run_task(self, task: Task) -> None:
        """Run one task. A chain that raises is repeated alone, from its start, and then excluded."""
        model = self.config.models[task.point]
        try:
            self._simulate(model, task.samples, read_states(task.states), task.cost)
        except (UserError, WriteFailed, StopRequested):
            raise
        except OSError as error:
            raise _kernel_error(error) from None
        except Exception as first:
            log.warning(
                "%s: %s; repeating the samples one by one", _named(model, task.samples), _reason(first)
            )
            self.writer.set_open(None)
            for sample in task.samples:
                self._simulate_alone(model, sample)

    def _simulate_alone(self, model: Model, sample: int) -> None:
        try:
            self._simulate(model, (sample,), [])
        except (UserError, WriteFailed, StopRequested):
            raise
        except OSError as error:
            raise _kernel_error(error) from None
        except Exception as error:
            log.warning("%s: %s; excluded", _named(model, (sample,)), _reason(error))
            self.writer.set_open(None)
            self.writer.exclude(model, sample, _reason(error))

    def _simulate(
        self, model: Model, samples: Sequence[int], states: Sequence[State], cost: float = 0.0
    ) -> None:
        chains = self._start(model, samples, states)
        whole, first = self.config.sweeps(), chains.progress
        while not chains.finished:
            started = time.monotonic()
            chains.step()
            self.stop.record_duration(time.monotonic() - started)
            self.after_step(cost * (chains.progress - first) / max(1.0 - first, 1e-9))
            stopping = self.stop.reason() is not None
            if (stopping or self._flush_is_due()) and not chains.finished:
                rows = chains.state()
                self.writer.set_open(OpenChains(model, tuple(samples), rows, whole * chains.progress))
                self.flush()
                if stopping:
                    raise StopRequested
        for sample, record in zip(samples, records_of(chains, self.config.output.keep_state), strict=True):
            self.writer.add(model, sample, record)
        self.writer.set_open(None)
        if self._flush_is_due():
            self.flush()

    def _start(self, model: Model, samples: Sequence[int], states: Sequence[State]) -> Chains:
        """Return chains that continue from the states; new ones where these do not fit."""
        chains = new_chains(self.config, model, samples)
        if states:
            try:
                chains.restore(stacked(states))
            except ValueError as error:
                log.warning("%s: %s; restarted", _named(model, samples), error)
                return new_chains(self.config, model, samples)
        return chains

    def _flush_is_due(self) -> bool:
        wanted = self.config.output.checkpoint_seconds           # 0: after every step
        pause = max(wanted, CHECKPOINT_PAUSE * self.flush_seconds)
        return wanted == 0 or time.monotonic() - self.last_flush >= pause

    def flush(self) -> None:
        """Write everything to the disk."""
        started = time.monotonic()
        self.writer.flush()
        self.last_flush = time.monotonic()
        self.flush_seconds = self.last_flush - started
        self.stop.record_duration(self.flush_seconds)


def run_tasks(
    config: Config,
    folder: Path,
    tasks: list[Task],
    task_numbers: Iterator[int],
    *,
    stop: Stop,
    rank: int = 0,
    after_task: Callable[[int], None] = lambda number: None,
    after_step: Callable[[float], None] = lambda cost: None,
) -> bool:
    """Run the tasks whose numbers come from `task_numbers`; returns False if stopped before the last.

    Work in memory is at most checkpoint_seconds old, or as old as CHECKPOINT_PAUSE allows.
    """
    worker = Worker(config, folder, rank, stop, after_step)
    try:
        while stop.reason() is None:
            number = next(task_numbers, len(tasks))
            if number >= len(tasks):
                worker.writer.close()
                return True
            worker.run_task(tasks[number])
            after_task(number)
        worker.flush()
    except StopRequested:
        pass
    except KeyboardInterrupt:                    # at any instant: open chains keep their last checkpoint
        worker.flush()
        raise
    except WriteFailed as error:
        raise with_safe_samples(error, folder) from None
    return False


def with_safe_samples(error: WriteFailed, folder: Path) -> WriteFailed:
    """Return the error with the number of samples on the disk, and what to do."""
    count = len(RunFolder(folder).inventory().finished)
    return WriteFailed(f"{error}; {count} samples are safe, and the same command continues")


def _named(model: Model, samples: Sequence[int]) -> str:
    numbers = ", ".join(map(str, samples))
    return f"L = {model.Lx} x {model.Ly} x {model.L_tau}, p = {model.p:g}, sample {numbers}"


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
