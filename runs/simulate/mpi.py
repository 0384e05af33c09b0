"""Workers as MPI ranks. Every rank works, rank 0 too; a shared counter deals the tasks.

The counter lives in a window of rank 0 and is raised by one-sided fetch-and-add, so no rank waits
for another to answer. Results do not travel: each rank writes its own part files. A second number in the
window tells all ranks that one of them was asked to stop.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.progress import Progress
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task
from sitqmc.runs.simulate.worker import work

LAUNCHER_VARIABLES = ("PMI_RANK", "PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALRANKID")
SIZES = ("SLURM_STEP_NUM_TASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
RANKS = ("SLURM_PROCID", "PMI_RANK", "OMPI_COMM_WORLD_RANK")
TURN, HALT = 0, 1            # places in the window
LOOK = 5.0                   # s between two looks at HALT: each may wait for a step of rank 0


def started_by_launcher() -> bool:
    """Whether mpiexec or srun started this process."""
    return any(name in os.environ for name in LAUNCHER_VARIABLES)


def world() -> Any:
    """COMM_WORLD, or None if no launcher started this process; UserError if mpi4py does not work."""
    if not started_by_launcher():
        _refuse_strangers(1)
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"started by an MPI launcher, but mpi4py does not work ({reason}); "
            "pip install 'sitqmc[mpi]', or start without the launcher to use local processes"
        ) from None
    _refuse_strangers(MPI.COMM_WORLD.size)
    return MPI.COMM_WORLD


def _refuse_strangers(size: int) -> None:
    """UserError if several processes were started that do not know each other: each would do the run."""
    told = (os.environ.get(name, "") for name in SIZES)
    started = max((int(word) for word in told if word.isdigit()), default=1)
    if size == 1 < started:
        if any(os.environ.get(name, "0") != "0" for name in RANKS):
            raise SystemExit(2)                  # the first of them says why
        raise UserError(
            f"{started} processes were started together, but MPI does not join them: launcher and mpi4py do "
            "not fit; with SLURM try srun --mpi=pmi2, or build mpi4py against the site's MPI (sitqmc doctor)"
        )


def wait_for_all(comm: Any) -> None:
    """A barrier that sleeps: MPI itself spins, and takes the cores from those who still work."""
    request, pause = comm.Ibarrier(), 1e-4
    while not request.Test():
        time.sleep(pause)
        pause = min(1.5 * pause, 0.02)


class SharedCounter:
    """Numbers that any rank reads and raises at any time."""

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        self.sum, self.nothing = MPI.SUM, MPI.NO_OP
        size = 16 if comm.rank == 0 else 0
        self.window = MPI.Win.Allocate(size, 8, comm=comm)
        if comm.rank == 0:
            self.window.Lock(0)
            self.window.Put(np.zeros(2, np.int64), 0)
            self.window.Unlock(0)
        comm.Barrier()
        # One epoch for the whole run: a lock for every turn would be one more message to wait for.
        self.window.Lock_all(MPI.MODE_NOCHECK)
        self.asked: Any = None

    def _ask(self, operation: Any, place: int) -> tuple[Any, Any]:
        one, value = np.ones(1, np.int64), np.zeros(1, np.int64)
        return self.window.Rget_accumulate(one, value, 0, place, op=operation), (value, one)

    def _fetch(self, operation: Any, place: int) -> int:
        request, (value, _) = self._ask(operation, place)
        request.Wait()
        return int(value[0])

    def turns(self) -> Iterator[int]:
        """Each turn is asked for while the task before it is in work: rank 0 answers between two steps."""
        self.asked = self._ask(self.sum, TURN)
        while True:
            request, (value, _) = self.asked
            request.Wait()
            self.asked = self._ask(self.sum, TURN)
            yield int(value[0])

    def dealt(self) -> int:
        return self._fetch(self.nothing, TURN)

    def halt(self) -> None:
        self._fetch(self.sum, HALT)

    def halted(self) -> bool:
        return self._fetch(self.nothing, HALT) > 0

    def free(self) -> None:
        if self.asked is not None:
            self.asked[0].Wait()
        self.window.Unlock_all()
        self.window.Free()


def run_mpi(
    config: Config, folder: Path, todo: list[Task], comm: Any, progress: Progress | None, stop: Stop
) -> bool:
    """Do all tasks with all ranks of `comm`; `progress` on rank 0 only. False if stopped, on every rank."""
    counter = SharedCounter(comm)
    told, looked = False, time.monotonic()

    def after_task(turn: int) -> None:
        if progress is not None:    # turns dealt, less those in work on other ranks and those asked for ahead
            progress.finished_tasks(min(max(counter.dealt() - 2 * comm.size + 1, 0), len(todo)))

    def after_step(cost: float) -> None:
        nonlocal told, looked
        if progress is not None:                 # the others are taken to be as far with their tasks
            progress.at(comm.size * cost)
        comm.Iprobe()                            # lets the library serve the counter meanwhile
        if stop.signal and not told:
            told = True
            counter.halt()
        elif time.monotonic() - looked > LOOK:
            looked = time.monotonic()
            if stop.word is None and counter.halted():
                stop.word = "another rank was told to stop"

    try:
        turns = counter.turns()
        complete = work(
            config, folder, todo, turns, stop=stop, rank=comm.rank,
            after_task=after_task, after_step=after_step,
        )  # fmt: skip
    except Exception as error:                   # a full disk, say: the other ranks would wait for ever
        print(f"sitqmc: rank {comm.rank}: {error}", file=sys.stderr, flush=True)
        comm.Abort(2 if isinstance(error, UserError) else 1)
    wait_for_all(comm)
    complete = all(comm.allgather(complete and stop.reason() is None))
    if progress is not None and complete:
        progress.finished_tasks(len(todo))
    counter.free()
    return complete
