"""The one place where the options of the compiled kernels are set.

Kernels take arrays and scalars, own no memory and release the interpreter lock. `fastmath` stays
off: the same configuration must give the same bits on every run.
"""

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on first call and keep the machine code on disk (NUMBA_CACHE_DIR applies)."""
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a helper that only other kernels call; LLVM merges its body into theirs."""
    return njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
