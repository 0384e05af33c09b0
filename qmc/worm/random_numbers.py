"""Random numbers inside the kernels: xoshiro256++, one stream or many of it in vectors.

Source: Blackman and Vigna, ACM Trans. Math. Softw. 47, 36 (2021).
"""

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import inlined, kernel

LANES = 32
"""Independent states behind one stream of `top_up`: enough for several vectors of any processor."""

_23, _41, _17, _45, _19 = (np.uint64(n) for n in (23, 41, 17, 45, 19))


@inlined
def next_u64(s0, s1, s2, s3):  # type: ignore[no-untyped-def]
    """Return (number, s0, s1, s2, s3) after one step of xoshiro256++, all uint64."""
    x = s0 + s3
    number = ((x << _23) | (x >> _41)) + s0
    t = s1 << _17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 << _45) | (s3 >> _19)
    return number, s0, s1, s2, s3


@kernel
def top_up(lanes: NDArray[np.uint64], buffer: NDArray[np.uint64], start: int, end: int) -> int:
    """Write the next numbers from buffer[start] on, at least up to `end`; returns where they end.

    lanes   uint64 (4, LANES): as many independent xoshiro states, drawn from in turn. The sequence does
            not depend on the portions in which it is drawn.
    buffer  uint64, room for LANES - 1 numbers from `end` on
    """
    s0, s1, s2, s3 = lanes[0], lanes[1], lanes[2], lanes[3]
    # The number of lanes is read, not known to the compiler, and the index has no sign: else the loop would
    # not become vector instructions and take three times as long.
    count = lanes.shape[1]
    width = np.uint64(count)
    while start < end:
        out = buffer[start:]
        for i in range(width):
            x = s0[i] + s3[i]
            out[i] = ((x << _23) | (x >> _41)) + s0[i]
            t = s1[i] << _17
            third, fourth = s2[i] ^ s0[i], s3[i] ^ s1[i]
            s1[i] ^= third
            s0[i] ^= fourth
            s2[i] = third ^ t
            s3[i] = (fourth << _45) | (fourth >> _19)
        start += count
    return start


@kernel
def fill_u64(state: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    """Fill `out` with the next numbers of the stream and advance `state` (4,) in place."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    for i in range(out.size):
        out[i], s0, s1, s2, s3 = next_u64(s0, s1, s2, s3)
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3


def stream(seed: int, *key: int) -> NDArray[np.uint64]:
    """Return the state uint64 (4,) of the xoshiro stream named by `seed` and the integers `key` (< 2^32)."""
    return np.random.SeedSequence(seed, spawn_key=key).generate_state(4, np.uint64).astype(np.uint64)


def lanes(seed: int, *key: int) -> NDArray[np.uint64]:
    """Return the states uint64 (4, LANES) for `top_up` of the stream named by `seed` and `key`."""
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(4 * LANES, np.uint64)
    return words.astype(np.uint64).reshape(4, LANES)
