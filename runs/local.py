"""Workers as local processes, for a laptop or one node without MPI."""

import itertools
import multiprocessing
import os
import queue
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from runs.config import Config
from runs.progress import Progress
from runs.work import Task, warm_up, work


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(config: Config, folder: Path, todo: list[Task], processes: int, progress: Progress) -> None:
    """Do all tasks with `processes` processes; RuntimeError if one of them dies."""
    processes = min(processes, len(todo))
    if processes <= 1:
        work(config, folder, todo, itertools.count(), after_task=progress.advance)
        return
    warm_up()
    context = multiprocessing.get_context("spawn")
    counter, messages = context.Value("q", 0), context.Queue()
    crew = [
        context.Process(target=_worker, args=(config, folder, todo, counter, messages, rank, os.getpid()))
        for rank in range(processes)
    ]
    try:
        for process in crew:
            process.start()
        _listen(crew, messages, progress)
    finally:
        for process in crew:
            if process.is_alive():
                process.terminate()
        for process in crew:
            process.join()


def _listen(crew: list[Any], messages: Any, progress: Progress) -> None:
    """Follow the workers until all have said that they are done."""
    working = len(crew)
    while working:
        try:
            message = messages.get(timeout=0.5)
        except queue.Empty:
            dead = [p.exitcode for p in crew if p.exitcode not in (None, 0)]
            if dead:
                raise RuntimeError(
                    f"a worker process ended with status {dead[0]} (killed, or out of memory?); "
                    "finished samples are safe, the same command continues"
                ) from None
            continue
        if isinstance(message, Task):
            progress.advance(message)
        elif isinstance(message, BaseException):
            raise message
        else:
            working -= 1


def _turns(counter: "Synchronized[int]") -> Iterator[int]:
    """Numbers that all workers draw from one counter."""
    while True:
        with counter.get_lock():
            turn = counter.value
            counter.value += 1
        yield turn


def _worker(
    config: Config, folder: Path, todo: list[Task], counter: Any, messages: Any, rank: int, parent: int
) -> None:
    def after_step() -> None:
        if os.getppid() != parent:               # the main process was killed: nobody waits for us
            os._exit(1)

    try:
        work(config, folder, todo, _turns(counter), rank=rank, after_task=messages.put, after_step=after_step)
        messages.put(None)
    except KeyboardInterrupt:
        os._exit(130)
    except Exception as error:
        messages.put(error)
