"""Workers as local processes, for a laptop or one node without MPI.

The main process deals the tasks through one pipe per worker, so that no worker holds a lock that the
others wait for: a worker may be killed at any instant, and the end of its pipe says so.
"""

import contextlib
import ctypes
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.progress import Progress
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task
from sitqmc.runs.simulate.threads import one_blas_thread
from sitqmc.runs.simulate.worker import warm_up, work

PR_SET_PDEATHSIG = 1
PATIENCE = 60.0              # s, for a worker to write its last checkpoint
TELL = 1.0                   # s, between two words of a worker on how far it is


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(
    config: Config, folder: Path, todo: list[Task], processes: int, progress: Progress, stop: Stop
) -> bool:
    """Do all tasks with `processes` processes; False if stopped. RuntimeError if one of them dies."""
    processes = min(processes, len(todo))
    if processes <= 1:
        return work(
            config, folder, todo, itertools.count(), stop=stop, after_task=progress.finished_task,
            after_step=progress.at,
        )  # fmt: skip
    warm_up()
    one_blas_thread()
    context = multiprocessing.get_context("spawn")
    halt = context.RawValue("b", 0)
    crew: dict[Connection, Any] = {}
    try:
        for rank in range(processes):
            here, there = context.Pipe()
            arguments = (config, folder, todo, there, halt, rank, os.getpid(), stop.seconds)
            crew[here] = context.Process(target=_worker, args=arguments)
            crew[here].start()
            there.close()
        return _deal(crew, len(todo), progress, stop, halt)
    finally:
        halt.value = 1
        for pipe in crew:
            pipe.close()
        _see_off(list(crew.values()))


def _deal(crew: dict[Connection, Any], count: int, progress: Progress, stop: Stop, halt: Any) -> bool:
    """Answer the workers until the last pipe ends; whether all tasks were done."""
    turns, complete, working = itertools.count(), True, dict(crew)
    while working:
        if stop.reason() is not None:
            halt.value = 1
        for pipe in wait(list(working), timeout=0.5):
            assert isinstance(pipe, Connection)
            try:
                word, value = pipe.recv()
            except (EOFError, OSError):
                _raise_death(working[pipe])
            if word == "next":
                _answer(pipe, min(next(turns), count))
            elif word == "done":
                progress.finished_task(value, working[pipe].pid)
            elif word == "at":
                progress.at(value, working[pipe].pid)
            elif word == "end":
                complete = complete and value
                del working[pipe]
            else:
                raise value
    return complete and stop.reason() is None


def _answer(pipe: Connection, turn: int) -> None:
    with contextlib.suppress(OSError):           # just died: the next reading says so
        pipe.send(turn)


def _raise_death(process: Any) -> None:
    process.join(10)
    raise RuntimeError(
        f"a worker process ended with status {process.exitcode} (killed, or out of memory?); "
        "checkpoints are safe, the same command continues"
    )


def _see_off(crew: list[Any]) -> None:
    """Wait for workers to write their checkpoints; kill those that do not end."""
    patience = time.monotonic() + PATIENCE
    for process in crew:
        process.join(max(0.1, patience - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _turns(pipe: Connection) -> Iterator[int]:
    """Numbers asked of the main process; no more of them when it has closed the pipe."""
    while True:
        try:
            pipe.send(("next", None))
            turn = pipe.recv()
        except (EOFError, OSError):
            return
        yield turn


def _tell(pipe: Connection, word: str, value: Any) -> None:
    with contextlib.suppress(OSError):           # nobody listens any more: only the checkpoint matters
        pipe.send((word, value))


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent, so that nothing writes after the run was killed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _worker(
    config: Config, folder: Path, todo: list[Task], pipe: Connection, halt: Any, rank: int, parent: int,
    seconds: float | None,
) -> None:  # fmt: skip
    told = time.monotonic()

    def after_step(cost: float) -> None:
        nonlocal told
        if time.monotonic() - told > TELL:
            told = time.monotonic()
            _tell(pipe, "at", cost)
        if os.getppid() != parent:               # the main process was killed: nobody waits for us
            os._exit(1)
        if halt.value:
            stop.word = "told by the main process"

    _die_with_parent()
    try:
        with Stop(seconds).listening() as stop:
            complete = work(
                config, folder, todo, _turns(pipe), stop=stop, rank=rank,
                after_task=lambda turn: _tell(pipe, "done", turn), after_step=after_step,
            )  # fmt: skip
            _tell(pipe, "end", complete)
    except KeyboardInterrupt:
        os._exit(130)
    except UserError as error:
        _tell(pipe, "error", error)
    except Exception as error:
        _tell(pipe, "error", RuntimeError(f"a worker failed: {type(error).__name__}: {error}"))
