"""Workers as MPI ranks. Every rank works, rank 0 too; a shared counter deals the tasks.

The counter lives in a window of rank 0 and is raised by one-sided fetch-and-add, so no rank waits
for another to answer. Results do not travel: each rank writes its own part files.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runs.config import Config
from runs.errors import UserError
from runs.progress import Progress
from runs.work import Task, work

LAUNCHER_VARIABLES = ("PMI_RANK", "PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALRANKID")


def started_by_launcher() -> bool:
    """Whether mpiexec or srun started this process."""
    return any(name in os.environ for name in LAUNCHER_VARIABLES)


def world() -> Any:
    """COMM_WORLD, or None if no launcher started this process; UserError if mpi4py does not work."""
    if not started_by_launcher():
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"started by an MPI launcher, but mpi4py does not work ({reason}); "
            "pip install 'sitqmc[mpi]', or start without the launcher to use local processes"
        ) from None
    return MPI.COMM_WORLD


class SharedCounter:
    """A counter that any rank raises at any time."""

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        self.sum, self.nothing = MPI.SUM, MPI.NO_OP
        size = 8 if comm.rank == 0 else 0
        self.window = MPI.Win.Allocate(size, 8, comm=comm)
        if comm.rank == 0:
            self.window.Lock(0)
            self.window.Put(np.zeros(1, np.int64), 0)
            self.window.Unlock(0)
        comm.Barrier()

    def _fetch(self, operation: Any) -> int:
        one, value = np.ones(1, np.int64), np.zeros(1, np.int64)
        self.window.Lock(0)
        self.window.Fetch_and_op(one, value, 0, 0, operation)
        self.window.Unlock(0)
        return int(value[0])

    def turns(self) -> Iterator[int]:
        while True:
            yield self._fetch(self.sum)

    def value(self) -> int:
        return self._fetch(self.nothing)

    def free(self) -> None:
        self.window.Free()


def run_mpi(config: Config, folder: Path, todo: list[Task], comm: Any, progress: Progress | None) -> None:
    """Do all tasks with all ranks of `comm`; `progress` on rank 0 only. Returns when every rank is done."""
    counter = SharedCounter(comm)
    costs = np.cumsum([0.0] + [task.cost for task in todo])

    def after_task(task: Task) -> None:
        if progress is not None:                 # tasks dealt, less those still in work on other ranks
            done = min(max(counter.value() - comm.size + 1, progress.done), len(todo))
            progress.set(done, float(costs[done]))

    def after_step() -> None:
        comm.Iprobe()                            # lets the library serve the counter meanwhile

    try:
        turns = counter.turns()
        work(config, folder, todo, turns, rank=comm.rank, after_task=after_task, after_step=after_step)
    except Exception as error:                   # a full disk, say: the other ranks would wait for ever
        print(f"sitqmc: rank {comm.rank}: {error}", file=sys.stderr, flush=True)
        comm.Abort(2 if isinstance(error, UserError) else 1)
    comm.Barrier()
    if progress is not None:
        progress.set(len(todo), float(costs[-1]))
    counter.free()
