"""Scattering tables of the directed worm.

The head at a site sees six rates A_d = min(1, w(J_d + 1)/w(J_d)), J_d the current leaving along d.
A head that came in through link i leaves through link j with probability f_ij / A_i, where f is
symmetric with row sums A_i. Since (weight) x A_i is the same seen from either end of link i, the
flow (weight) x f_ij balances in detail for every such f, and the closed configurations have their
exact weights. Bounces f_ii slow the worm down; they are avoided wherever no rate exceeds the sum of
the others (source: Syljuasen and Sandvik, PRE 66, 046701 (2002); Alet and Sorensen, PRE 68, 026702
(2003)). Among the bounce-free f the one of largest entropy is taken: f_ij = x_i x_j (i != j).

The states of a vertex are tabulated for the common currents. A rare state (a large current) takes
the heat-bath flux f_ij = A_i A_j / sum A, computed on the spot; any choice per state is exact.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmc.actions import Action, LinkTable, space_links, time_links
from qmc.jit import kernel
from qmc.lattice import BIAS, DIRECTIONS

RARE = 1 << 29
"""Marks a pair of links outside the table; three of them still add up within 32 bits."""

COMMON = 1e-4
"""A current J is tabulated if w(J)/w(0) exceeds this."""

MAX_SPACE_LEVELS = 4
MAX_TIME_LEVELS = 8
SLOTS = 8
ROW = DIRECTIONS * SLOTS
PROBABILITY_BITS = 26


class VertexTables(NamedTuple):
    """What the worm kernel looks up.

    pair_x, pair_y, pair_t   uint32 (65536,): row number, by the two bytes of an axis; they add up
    alias                    uint32 (rows * 6 * 8,): alias slots (threshold 26 bits, two directions)
    residence                float64 (rows,): mean waiting time 6 / sum A of the state
    rate                     float64 (6, 256): A of the link along each direction by its byte
    """

    pair_x: NDArray[np.uint32]
    pair_y: NDArray[np.uint32]
    pair_t: NDArray[np.uint32]
    alias: NDArray[np.uint32]
    residence: NDArray[np.float64]
    rate: NDArray[np.float64]


@dataclass(frozen=True)
class _Classes:
    """Classes of one link: class of each byte (-1: rare) and rate of each class."""

    of_byte: NDArray[np.int64]
    rate: NDArray[np.float64]


def _byte_rates(links: LinkTable) -> NDArray[np.float64]:
    """A by byte, (256,); zero for a missing link."""
    rate = np.array([links.raise_rate(byte - BIAS) for byte in range(256)])
    rate[0] = 0.0
    return rate


def _classes(links: LinkTable, max_levels: int) -> _Classes:
    """Class 0: closed to the worm (A = 0); class 1: A = 1; then one for each common current with A < 1."""
    current = np.arange(256) - BIAS
    of_byte = np.where(current < links.j_max, -1, 0)
    levels = [j for j in links.common(COMMON) if links.raise_rate(j) < 1.0][:max_levels]
    first = levels[0] if levels else links.j_max
    of_byte[current < first] = 1
    of_byte[[BIAS + j for j in levels]] = 2 + np.arange(len(levels))
    of_byte[0] = 0
    return _Classes(of_byte, np.array([0.0, 1.0] + [links.raise_rate(j) for j in levels]))


def _pairs(up: _Classes, down: _Classes, scale: int) -> NDArray[np.uint32]:
    """Row contribution of the two links of an axis, by their two bytes (low byte first)."""
    low, high = up.of_byte[None, :], down.of_byte[:, None]
    row = (low * len(down.rate) + high) * scale
    return np.where((low < 0) | (high < 0), RARE, row).astype(np.uint32).ravel()


@kernel
def hollow_flux(a: NDArray[np.float64], f: NDArray[np.float64]) -> None:
    """Fill f (6, 6): symmetric, row sums a (6,), least possible diagonal, else of largest entropy."""
    n = a.size
    top = 0
    total = 0.0
    for i in range(n):
        total += a[i]
        if a[i] > a[top]:
            top = i
    f[:] = 0.0
    rest = total - a[top]
    if a[top] >= rest:                       # a bounce of the largest rate cannot be avoided
        for i in range(n):
            if i != top:
                f[i, top] = f[top, i] = a[i]
        f[top, top] = a[top] - rest
        return
    # x_i (S - x_i) = a_i with S = sum x. The small root for all but the largest rate, whose root is
    # the large one if the small roots cannot add up to S. S is bracketed and bisected.
    low = 2.0 * np.sqrt(a[top])
    small = 0.0
    for i in range(n):
        small += 0.5 * (low - np.sqrt(max(0.0, low * low - 4 * a[i])))
    large_root = small < low
    high = 2.0 * low + total / low
    if large_root:
        while _excess(a, top, high, True) < 0.0:
            high *= 2.0
    for _ in range(200):
        mid = 0.5 * (low + high)
        value = _excess(a, top, mid, large_root)
        if (value > 0.0) != large_root:
            low = mid
        else:
            high = mid
        if high - low < 1e-15 * high:
            break
    s = 0.5 * (low + high)
    for i in range(n):
        for j in range(n):
            if i != j:
                f[i, j] = _root(a[i], s, large_root and i == top) * _root(a[j], s, large_root and j == top)
    for i in range(n):                       # what rounding left over
        row = 0.0
        for j in range(n):
            row += f[i, j]
        f[i, i] += max(0.0, a[i] - row)


@kernel
def _root(a: float, s: float, large: bool) -> float:
    """Root x of x (s - x) = a, without cancellation."""
    big = 0.5 * (s + np.sqrt(max(0.0, s * s - 4 * a)))
    return big if large else a / big


@kernel
def _excess(a: NDArray[np.float64], top: int, s: float, large_root: bool) -> float:
    """sum_i x_i(s) - s; with the large root of `top` it is rewritten free of cancellation."""
    total = 0.0
    for i in range(a.size):
        if i != top:
            total += _root(a[i], s, False)
    if large_root:
        return total - _root(a[top], s, False)
    return total + _root(a[top], s, False) - s


@kernel
def _fill_alias(probability: NDArray[np.float64], out: NDArray[np.uint32]) -> None:
    """Walker's alias method for six outcomes in eight equally likely slots."""
    share = np.zeros(SLOTS)
    alias = np.arange(SLOTS)
    for d in range(DIRECTIONS):
        share[d] = SLOTS * probability[d]
    for _ in range(SLOTS):                   # pair the poorest open slot with the richest
        poor, rich = -1, 0
        for slot in range(SLOTS):
            if share[slot] > share[rich]:
                rich = slot
            if alias[slot] == slot and share[slot] < 1.0 and (poor < 0 or share[slot] < share[poor]):
                poor = slot
        if poor < 0 or poor == rich:
            break
        alias[poor] = rich
        share[rich] -= 1.0 - share[poor]
    scale = 1 << PROBABILITY_BITS
    for slot in range(SLOTS):
        own = slot
        limit = int(np.round(min(share[slot], 1.0) * scale))
        if alias[slot] == slot:
            limit = scale
        if slot >= DIRECTIONS or limit == 0:     # empty slots belong to their alias alone
            own = alias[slot]
        limit = min(limit, scale - 1)
        out[slot] = (limit << 6) | (own << 3) | alias[slot]


@kernel
def _fill_tables(
    space: NDArray[np.float64], up: NDArray[np.float64], down: NDArray[np.float64],
    alias: NDArray[np.uint32], residence: NDArray[np.float64],
) -> None:
    """Fill every row: the state number counts (x: +,-), (y: +,-), (tau: +,-) classes, last fastest."""
    ns = space.size
    a, f, probability = np.empty(DIRECTIONS), np.empty((DIRECTIONS, DIRECTIONS)), np.empty(DIRECTIONS)
    for row in range(residence.size):
        rest = row
        a[5], rest = down[rest % down.size], rest // down.size
        a[4], rest = up[rest % up.size], rest // up.size
        for d in (3, 2, 1, 0):
            a[d], rest = space[rest % ns], rest // ns
        residence[row] = DIRECTIONS / max(a.sum(), 1e-300)
        hollow_flux(a, f)
        for i in range(DIRECTIONS):
            for j in range(DIRECTIONS):
                # A head never comes in through a link with A = 0; such a row is never used.
                probability[j] = f[i, j] / a[i] if a[i] > 0.0 else (1.0 if i == j else 0.0)
            start = row * ROW + i * SLOTS
            _fill_alias(probability, alias[start : start + SLOTS])


@lru_cache(maxsize=8)
def vertex_tables(action: Action, eps: float, charging: float, n_g: float = 0.0) -> VertexTables:
    """Tables of one set of couplings (about 1-10 MB, of which a run touches little)."""
    space_table, up_table = space_links(action, eps), time_links(action, eps, charging, n_g)
    down_table = up_table.reversed()
    space = _classes(space_table, MAX_SPACE_LEVELS)
    up, down = _classes(up_table, MAX_TIME_LEVELS), _classes(down_table, MAX_TIME_LEVELS)
    ns, nt = len(space.rate), len(up.rate) * len(down.rate)
    rows = ns**4 * nt
    alias, residence = np.empty(rows * ROW, np.uint32), np.empty(rows)
    _fill_tables(space.rate, up.rate, down.rate, alias, residence)
    return VertexTables(
        pair_x=_pairs(space, space, ns**2 * nt),
        pair_y=_pairs(space, space, nt),
        pair_t=_pairs(up, down, 1),
        alias=alias,
        residence=residence,
        rate=np.stack([_byte_rates(t) for t in (*(space_table,) * 4, up_table, down_table)]),
    )
