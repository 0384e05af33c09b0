"""Memory of the lattice on large pages."""

import contextlib
import mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGE_PAGE = 2 * 2**20


def zeros_in_large_pages(size: int, dtype: DTypeLike) -> NDArray[Any]:
    """np.zeros(size, dtype), on large pages if it fills one and the system can (Linux).

    The next site of the worm may lie anywhere near: with pages of 4 kB a large lattice makes the processor
    look up page addresses at almost every step.
    """
    wanted = size * np.dtype(dtype).itemsize
    if wanted < LARGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(size, dtype)
    memory = mmap.mmap(-1, wanted + LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):               # switched off: ordinary pages do as well
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % LARGE_PAGE
    return whole[start : start + wanted].view(dtype)
