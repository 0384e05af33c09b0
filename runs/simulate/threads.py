"""Linear algebra on one thread per process.

The matrices here are small, and every core has a process of its own. Threads of a BLAS library would wait for
each other; on nodes with many cores that is ten times slower or worse. The libraries read these variables
when they are loaded, so this module imports none of them. OMP_NUM_THREADS is left to the user: it also sets
how many fits of the analysis run at the same time.
"""

import os

LIBRARIES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def one_blas_thread() -> None:
    """Set one thread for this process, if numpy is not loaded yet, and for all processes it starts."""
    for name in LIBRARIES:
        os.environ[name] = "1"
