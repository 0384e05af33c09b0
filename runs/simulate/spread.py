"""Independent jobs of different length on all MPI ranks, or here if there are none."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sitqmc.runs.errors import Stopped
from sitqmc.runs.simulate.stop import Stop

Job = TypeVar("Job")
Result = TypeVar("Result")

PAUSE = 0.01                 # s, between two looks for an answer: a waiting rank leaves its core to others


def everywhere(
    comm: Any, jobs: Sequence[Job] | Exception, do: Callable[[Job], Result], stop: Stop
) -> list[Result]:
    """[do(job), ...] in order on rank 0, [] on the others. Each rank gets only the jobs it does.

    jobs  on rank 0; an exception there is raised on every rank
    raises  Stopped, on every rank that was asked to stop, and on rank 0 if any was
    """
    if comm is None:
        if isinstance(jobs, Exception):
            raise jobs
        return [_one(job, do, stop) for job in jobs]
    mine = comm.scatter(_shares(jobs, comm.size) if comm.rank == 0 else None)
    if isinstance(mine, Exception):
        raise mine
    done: list[Result | Stopped] = []
    for job in mine:
        try:
            done.append(_one(job, do, stop))
        except Stopped as reason:
            done.append(reason)
        if comm.rank:
            comm.send(done.pop(), 0, tag=0)
    return _collected(comm, done, len(jobs)) if comm.rank == 0 and not isinstance(jobs, Exception) else []


def _shares(jobs: Sequence[Job] | Exception, size: int) -> list[Any]:
    return [jobs] * size if isinstance(jobs, Exception) else [list(jobs[rank::size]) for rank in range(size)]


def _one(job: Job, do: Callable[[Job], Result], stop: Stop) -> Result:
    reason = stop.reason()
    if reason:
        raise Stopped(reason)
    return do(job)


def _collected(comm: Any, own: list[Any], count: int) -> list[Any]:
    """What all ranks made, in the order of the jobs; each rank sends its own in that order."""
    results = []
    for number in range(count):
        source = number % comm.size
        if source == 0:
            results.append(own[number // comm.size])
            continue
        while not comm.Iprobe(source, 0):
            time.sleep(PAUSE)
        results.append(comm.recv(source=source, tag=0))
    for result in results:
        if isinstance(result, Stopped):
            raise result
    return results
