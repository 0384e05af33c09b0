"""Workers as local processes, for a laptop or one node without MPI.

The main process deals the tasks through one pipe per worker. No worker holds a lock that others wait for, so
a worker may be killed at any instant; the end of its pipe then tells the main process.
"""

import contextlib
import ctypes
import itertools
import multiprocessing
import os
import signal
import sys
import time
import types
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from sitqmc.progress import printed_messages
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError, WriteFailed
from sitqmc.runs.simulate.progress import Progress
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.simulate.tasks import Task
from sitqmc.runs.simulate.threads import one_blas_thread
from sitqmc.runs.simulate.worker import run_tasks

PR_SET_PDEATHSIG = 1
LAST_CHECKPOINT = 60.0       # s, for a worker to write its last checkpoint
REPORT_INTERVAL = 1.0        # s, between two progress messages of a worker


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(
    config: Config, folder: Path, tasks: list[Task], processes: int, progress: Progress, stop: Stop
) -> bool:
    """Run all tasks with `processes` processes; returns False if stopped. RuntimeError if a process dies.

    `worker.warm_up` comes before: else each process would compile the kernels.
    """
    processes = min(processes, len(tasks))
    if processes <= 1:
        return run_tasks(
            config, folder, tasks, itertools.count(), stop=stop, after_task=progress.finished_task,
            after_step=progress.task_progress,
        )  # fmt: skip
    one_blas_thread()
    context = multiprocessing.get_context("spawn")
    stop_flag = context.RawValue("b", 0)
    workers: dict[Connection, Any] = {}
    try:
        for rank in range(processes):
            here, there = context.Pipe()
            arguments = (config, folder, tasks, there, stop_flag, rank, os.getpid(), stop.seconds)
            workers[here] = context.Process(target=_worker, args=arguments)
            with _no_main_module(), _interrupts_held():
                workers[here].start()
            there.close()
        return _deal(workers, len(tasks), progress, stop, stop_flag)
    finally:
        stop_flag.value = 1
        for pipe in workers:
            pipe.close()
        _join(list(workers.values()))


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Hide the main module: a new process would import it, and a script without a guard run it again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back, also from a process that is started meanwhile, until it can stop in order."""
    resource_tracker.ensure_running()            # it would unblock the signal when it starts
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _deal(
    workers: dict[Connection, Any], count: int, progress: Progress, stop: Stop, stop_flag: Any
) -> bool:
    """Answer the workers until the last one has finished; returns whether all tasks were completed."""
    task_numbers, complete, working = itertools.count(), True, dict(workers)
    while working:
        if stop.reason() is not None:
            stop_flag.value = 1
        for pipe in wait(list(working), timeout=0.5):
            assert isinstance(pipe, Connection)
            try:
                word, value = pipe.recv()
            except (EOFError, OSError):
                _raise_death(working[pipe])
            if word == "next":
                _answer(pipe, min(next(task_numbers), count))
            elif word == "finished":
                progress.finished_task(value, working[pipe].pid)
            elif word == "progress":
                progress.task_progress(value, working[pipe].pid)
            elif word == "end":
                complete = complete and value
                del working[pipe]
            else:
                raise value
    return complete and stop.reason() is None


def _answer(pipe: Connection, number: int) -> None:
    with contextlib.suppress(OSError):           # the worker has died: the next reading tells
        pipe.send(number)


def _raise_death(process: Any) -> None:
    process.join(10)
    raise RuntimeError(
        f"a worker process ended with status {process.exitcode} (killed, or out of memory?); "
        "checkpoints are safe, the same command continues"
    )


def _join(processes: list[Any]) -> None:
    """Wait for workers to write their checkpoints; kill those that do not end."""
    deadline = time.monotonic() + LAST_CHECKPOINT
    for process in processes:
        process.join(max(0.1, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _task_numbers(pipe: Connection) -> Iterator[int]:
    """Yield task numbers from the main process, until it closes the pipe."""
    while True:
        try:
            pipe.send(("next", None))
            number = pipe.recv()
        except (EOFError, OSError):
            return
        yield number


def _send(pipe: Connection, word: str, value: Any) -> None:
    with contextlib.suppress(OSError):           # the main process has ended: only the checkpoint matters
        pipe.send((word, value))


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent, so that nothing writes after the run was killed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _worker(
    config: Config, folder: Path, tasks: list[Task], pipe: Connection, stop_flag: Any, rank: int, parent: int,
    seconds: float | None,
) -> None:  # fmt: skip
    """Run in a process of its own: do tasks until the main process has no more."""
    reported = time.monotonic()

    def after_step(cost: float) -> None:
        nonlocal reported
        if time.monotonic() - reported > REPORT_INTERVAL:
            reported = time.monotonic()
            _send(pipe, "progress", cost)
        if os.getppid() != parent:               # the main process was killed
            os._exit(1)
        if stop_flag.value:
            stop.given_reason = "told by the main process"

    _die_with_parent()
    try:
        with printed_messages(), Stop(seconds).listening() as stop:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            complete = run_tasks(
                config, folder, tasks, _task_numbers(pipe), stop=stop, rank=rank,
                after_task=lambda number: _send(pipe, "finished", number), after_step=after_step,
            )  # fmt: skip
            _send(pipe, "end", complete)
    except KeyboardInterrupt:
        os._exit(130)
    except (UserError, WriteFailed) as error:
        _send(pipe, "error", error)
    except Exception as error:
        _send(pipe, "error", RuntimeError(f"a worker failed: {type(error).__name__}: {error}"))
