"""Names of the random streams: numpy's SeedSequence, keyed by purpose and by what is simulated.

A stream belongs to a purpose and to what is simulated (point, sample, chain), never to a rank or a
process, so the same configuration gives the same bits on any machine layout.
"""

import numpy as np

# First word of every spawn key; a new use of random numbers takes a new value.
DISORDER = 1
CHAIN = 2
DISORDER_SITES = 3
DISORDER_E_J = 4
DISORDER_E_C = 5
START = 6


def generator(seed: int, *key: int) -> np.random.Generator:
    """Return the numpy generator of the stream named by `seed` and `key`, for draws outside the kernels."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
