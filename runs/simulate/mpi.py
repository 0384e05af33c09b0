"""MPI: workers as ranks, values from rank 0, and independent jobs shared by all ranks.

Every rank works, rank 0 too. A shared counter deals the tasks: it lives in a window of rank 0 and is raised
by one-sided fetch-and-add, so no rank waits for another to answer. Results are not sent: each rank writes its
own checkpoints. A second number in the window tells all ranks that one of them was asked to stop.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from sitqmc.progress import log
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import Stopped, UserError, WriteFailed
from sitqmc.runs.simulate.progress import Progress
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task
from sitqmc.runs.simulate.worker import run_tasks

Job = TypeVar("Job")
Result = TypeVar("Result")

LAUNCHER_VARIABLES = ("PMI_RANK", "PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALRANKID")
SIZES = ("SLURM_STEP_NUM_TASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
RANKS = ("SLURM_PROCID", "PMI_RANK", "OMPI_COMM_WORLD_RANK")
TASK, STOP = 0, 1            # places in the window
LAST_WORD = 1.0              # s between the reason of an abort and the abort: launchers drop unread output
STOP_CHECK = 5.0             # s between two readings of STOP: each may wait for a step of rank 0
POLL = 0.01                  # s between two probes for a message: a waiting rank leaves its core to others


def started_by_launcher() -> bool:
    """Return whether mpiexec or srun started this process."""
    return any(name in os.environ for name in LAUNCHER_VARIABLES)


def world() -> Any:
    """Return COMM_WORLD, or None if no launcher started this process; UserError if mpi4py does not work."""
    if not started_by_launcher():
        _check_launcher(1)
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"started by an MPI launcher, but mpi4py does not work ({reason}); "
            "pip install 'sitqmc[mpi]', or start without the launcher to use local processes"
        ) from None
    _check_launcher(MPI.COMM_WORLD.size)
    return MPI.COMM_WORLD


def _check_launcher(size: int) -> None:
    """Raise UserError if several processes were started without a common MPI: each would do the whole run."""
    sizes = (os.environ.get(name, "") for name in SIZES)
    started = max((int(word) for word in sizes if word.isdigit()), default=1)
    if size == 1 < started:
        if any(os.environ.get(name, "0") != "0" for name in RANKS):
            raise SystemExit(2)                  # the first process prints the reason
        raise UserError(
            f"{started} processes were started together, but MPI does not join them: launcher and mpi4py do "
            "not match; try srun --mpi=pmi2, or build mpi4py against the site's MPI (sitqmc doctor)"
        )


def abort(comm: Any, reason: str, status: int) -> None:
    """Say why this rank gives up, and end all ranks: the others would wait for it for ever."""
    log.error("rank %d: %s", comm.rank, reason)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    time.sleep(LAST_WORD)
    comm.Abort(status)


def wait_for_all(comm: Any) -> None:
    """Wait until all ranks have come here, asleep: MPI itself spins and takes the cores of working ranks."""
    request, pause = comm.Ibarrier(), 1e-4
    while not request.Test():
        time.sleep(pause)
        pause = min(1.5 * pause, 0.02)


def from_rank_0(comm: Any, make: Callable[[], Result]) -> Result:
    """Return what `make` returns on rank 0, on every rank; its UserError, WriteFailed and Stopped too."""
    made: Any = None
    if comm is None or comm.rank == 0:
        try:
            made = make()
        except (UserError, WriteFailed, Stopped) as error:
            made = error
    if comm is not None:
        wait_for_all(comm)
        made = comm.bcast(made)
    if isinstance(made, Exception):
        raise made
    return cast(Result, made)


def map_over_ranks(
    comm: Any, jobs: Sequence[Job] | Exception, function: Callable[[Job], Result], stop: Stop
) -> list[Result]:
    """Return [function(job), ...] in order on rank 0, [] on the others. Each rank gets only its own jobs.

    jobs    on rank 0; an exception there is raised on every rank
    raises  Stopped, on every rank that was asked to stop, and on rank 0 if any was
    """
    if comm is None:
        if isinstance(jobs, Exception):
            raise jobs
        return [_run_job(job, function, stop) for job in jobs]
    wait_for_all(comm)                           # asleep while rank 0 makes the jobs
    mine = comm.scatter(_shares(jobs, comm.size) if comm.rank == 0 else None)
    if isinstance(mine, Exception):
        raise mine
    results: list[Result | Stopped] = []
    for job in mine:
        try:
            results.append(_run_job(job, function, stop))
        except Stopped as reason:
            results.append(reason)
        if comm.rank:
            comm.send(results.pop(), 0, tag=0)
    return _collected(comm, results, len(jobs)) if comm.rank == 0 and not isinstance(jobs, Exception) else []


def _shares(jobs: Sequence[Job] | Exception, size: int) -> list[Any]:
    return [jobs] * size if isinstance(jobs, Exception) else [list(jobs[rank::size]) for rank in range(size)]


def _run_job(job: Job, function: Callable[[Job], Result], stop: Stop) -> Result:
    reason = stop.reason()
    if reason:
        raise Stopped(reason)
    return function(job)


def _collected(comm: Any, own: list[Any], count: int) -> list[Any]:
    """Return the results of all ranks in the order of the jobs; each rank sends its own in that order."""
    results = []
    for number in range(count):
        source = number % comm.size
        if source == 0:
            results.append(own[number // comm.size])
            continue
        while not comm.Iprobe(source, 0):
            time.sleep(POLL)
        results.append(comm.recv(source=source, tag=0))
    for result in results:
        if isinstance(result, Stopped):
            raise result
    return results


class SharedCounter:
    """Two numbers that any rank reads and raises at any time: the next task, and requests to stop."""

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
        # One epoch for the whole run: a lock for every task would be one more message to wait for.
        self.window.Lock_all(MPI.MODE_NOCHECK)
        self.asked: Any = None

    def _ask(self, operation: Any, place: int) -> tuple[Any, Any]:
        one, value = np.ones(1, np.int64), np.zeros(1, np.int64)
        return self.window.Rget_accumulate(one, value, 0, place, op=operation), (value, one)

    def _fetch(self, operation: Any, place: int) -> int:
        request, (value, _) = self._ask(operation, place)
        request.Wait()
        return int(value[0])

    def task_numbers(self) -> Iterator[int]:
        """Yield task numbers, each requested one task ahead: rank 0 answers between two steps."""
        self.asked = self._ask(self.sum, TASK)
        while True:
            request, (value, _) = self.asked
            request.Wait()
            self.asked = self._ask(self.sum, TASK)
            yield int(value[0])

    def dealt(self) -> int:
        """Return how many task numbers have been dealt."""
        return self._fetch(self.nothing, TASK)

    def request_stop(self) -> None:
        """Tell all ranks to stop."""
        self._fetch(self.sum, STOP)

    def stop_requested(self) -> bool:
        """Return whether a rank has called `request_stop`."""
        return self._fetch(self.nothing, STOP) > 0

    def free(self) -> None:
        """Release the window; every rank calls it."""
        if self.asked is not None:
            self.asked[0].Wait()
        self.window.Unlock_all()
        self.window.Free()


def run_mpi(
    config: Config, folder: Path, tasks: list[Task], comm: Any, progress: Progress | None, stop: Stop
) -> bool:
    """Run all tasks with all ranks of `comm`; returns False if stopped, on every rank.

    progress  on rank 0 only
    """
    counter = SharedCounter(comm)
    requested, checked = False, time.monotonic()

    def after_task(number: int) -> None:
        if progress is not None:    # without open tasks of other ranks and numbers requested ahead
            progress.finished_tasks(min(max(counter.dealt() - 2 * comm.size + 1, 0), len(tasks)))

    def after_step(cost: float) -> None:
        nonlocal requested, checked
        if progress is not None:                 # assumes that the other ranks are as far with their tasks
            progress.task_progress(comm.size * cost)
        comm.Iprobe()                            # lets the library serve the counter meanwhile
        if stop.signal and not requested:
            requested = True
            counter.request_stop()
        elif time.monotonic() - checked > STOP_CHECK:
            checked = time.monotonic()
            if stop.given_reason is None and counter.stop_requested():
                stop.given_reason = "another rank was told to stop"

    try:
        complete = run_tasks(
            config, folder, tasks, counter.task_numbers(), stop=stop, rank=comm.rank,
            after_task=after_task, after_step=after_step,
        )  # fmt: skip
    except Exception as error:                   # a full disk, say
        abort(comm, str(error), 2 if isinstance(error, UserError) else 1)
    wait_for_all(comm)
    complete = all(comm.allgather(complete and stop.reason() is None))
    if progress is not None and complete:
        progress.finished_tasks(len(tasks))
    counter.free()
    return complete
