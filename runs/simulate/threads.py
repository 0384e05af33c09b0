"""Linear algebra on one thread per process.

The matrices here are small, and every core has a process of its own: a BLAS that starts threads makes them
wait for each other, ten times slower and more on nodes with many cores. The libraries read these variables
when they are loaded, so this module imports nothing that loads them. OMP_NUM_THREADS is left to the user: it
also says how many fits of the analysis run side by side.
"""

import os

LIBRARIES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def one_blas_thread() -> None:
    """For this process, if numpy is not loaded yet, and for all processes it starts."""
    for name in LIBRARIES:
        os.environ[name] = "1"
