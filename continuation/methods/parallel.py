"""Threads: one for the small matrices of a fit, several for independent fits.

A multithreaded BLAS makes products of 15 x 400 matrices ten times slower where cores are shared, and even
slower on nodes with many cores. Within a continuation BLAS runs on one thread. The compiled functions
release the lock of the interpreter, so that independent searches run in threads. No result depends on the
number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from sitqmc.progress import followed

MOST = 8               # the ensemble of priors does not occupy more

Item = TypeVar("Item")
Result = TypeVar("Result")


def allowed() -> int:
    """Return OMP_NUM_THREADS where it is set, else the number of cores of this process; at most MOST."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdigit() and int(asked) > 0:
        return min(int(asked), MOST)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST)


def mapped(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, text: str = "continuation"
) -> list[Result]:
    """Return [function(item), ...] in order, computed on `threads` threads; 0: as many as `allowed`.

    text  name of the progress bar
    """
    count, todo = threads or allowed(), list(items)
    if count == 1:
        return list(followed(map(function, todo), len(todo), text))
    with ThreadPoolExecutor(count) as pool:
        return list(followed(pool.map(function, todo), len(todo), text))


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def single_blas() -> AbstractContextManager[Any]:
    """Return a context in which BLAS runs on one thread."""
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits
