"""Scattering tables of the directed worm.

The head at a site sees six rates A_d = min(1, w(J_d + 1)/w(J_d)), J_d the current leaving along d.
A head that came in through link i leaves through link j with probability f_ij / A_i, where f is
symmetric with row sums A_i. Since (weight) x A_i is the same seen from either end of link i, the
flow (weight) x f_ij balances in detail for every such f, and the closed configurations have their
exact weights. Bounces f_ii slow the worm down; they are avoided wherever no rate exceeds the sum of
the others (source: Syljuasen and Sandvik, PRE 66, 046701 (2002); Alet and Sorensen, PRE 68, 026702
(2003)). Among the bounce-free f the one of largest entropy is taken: f_ij = x_i x_j (i != j).

The states of a vertex are tabulated for the frequent currents. A rare state (a large current) takes
the heat-bath flux f_ij = A_i A_j / sum A, computed on the spot; any choice per state is exact.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import kernel, kernel_helper
from sitqmc.qmc.model.link_weights import Action, LinkWeights, space_links, time_links
from sitqmc.qmc.worm.link_tables import WormTables
from sitqmc.qmc.worm.memory import zeros_in_large_pages
from sitqmc.qmc.worm.packing import COMPACT, DIRECTIONS, WIDE, Layout

RARE = 1 << 29
"""Marks links outside the table; two of them still add up within 32 bits."""

FREQUENT = 1e-4
"""A current J is tabulated if its weight over the largest weight exceeds this."""

NEGLIGIBLE = 1e-9
"""Four bytes a site are used where the currents that do not fit have less than this share of the weight."""

MAX_SPACE_LEVELS = 4
MAX_TIME_LEVELS = 8
SLOTS = 8
PROBABILITY_BITS = 32

# One array serves all look-ups of the worm, so that one register holds its address.
#
#     table   at (time fields) and SPACE_AT + (space fields) parts of the address of a state, which add up;
#             there six times eight alias slots (32 bits of threshold, of which the low six also name two
#             directions), and the mean waiting time 6 / sum A in RESIDENCE_UNIT
SPACE_AT = 1 << 16
"""Place of the entries of the space fields in the table; those of the time fields come first."""
ROW = 64
"""Entries per state of a vertex: six times eight alias slots, then the residence time."""
RESIDENCE = DIRECTIONS * SLOTS
RESIDENCE_UNIT = 2.0**-20


@dataclass(frozen=True)
class _Classes:
    """Classes of one link: class of each field (-1: rare) and rate of each class."""

    of_field: NDArray[np.int64]
    rate: NDArray[np.float64]


def _field_rates(links: LinkWeights, bits: int) -> NDArray[np.float64]:
    """Return A by field, (256,); zero for a missing link."""
    rate = np.zeros(256)
    rate[1 : 1 << bits] = links.acceptance(np.arange(1, 1 << bits) - (1 << (bits - 1)))
    return rate


def _classes(links: LinkWeights, rate: NDArray[np.float64], bits: int, max_levels: int) -> _Classes:
    """Return class 0: closed to the worm (A = 0); class 1: A = 1; one class for each frequent J with A < 1.

    rate  A by field, see `_field_rates`
    """
    bias = 1 << (bits - 1)
    current = np.arange(1 << bits) - bias
    of_field = np.where(current < links.j_max, -1, 0)
    levels = [j for j in _frequent_currents(links) if rate[bias + j] < 1.0][:max_levels]
    first = levels[0] if levels else links.j_max
    of_field[current < first] = 1
    of_field[[bias + j for j in levels]] = 2 + np.arange(len(levels))
    of_field[0] = 0
    return _Classes(of_field, np.array([0.0, 1.0] + [rate[bias + j] for j in levels]))


def _frequent_currents(links: LinkWeights) -> list[int]:
    """Return the currents below j_max, ascending, whose weight exceeds FREQUENT of the largest weight."""
    j = np.arange(-links.j_max, links.j_max)
    log_weight = np.log(links.weight[np.abs(j)]) + links.tilt * j
    return [int(i) for i in j[log_weight > math.log(FREQUENT) + log_weight.max()]]


def _addresses(links: list[_Classes], scale: int, offset: int = 0) -> NDArray[np.uint32]:
    """Return part of the address of a state by the fields of `links`, the first one lowest in the word."""
    row = np.zeros(1, np.int64)
    rare = np.zeros(1, bool)
    for link in links:                       # the field of a later link is higher, its class counts less
        row = (link.of_field[:, None] + row[None, :] * len(link.rate)).ravel()
        rare = ((link.of_field < 0)[:, None] | rare[None, :]).ravel()
    return np.where(rare, RARE, offset + ROW * scale * row).astype(np.uint32)


def _needed(links: LinkWeights) -> int:
    """Return the largest |J| that matters: the weight beyond it is below NEGLIGIBLE of the whole."""
    j = np.arange(len(links.weight))
    weight = links.weight * np.exp(abs(links.tilt) * j)
    tail = np.cumsum(weight[::-1])[::-1]
    return max(1, int(np.count_nonzero(tail >= NEGLIGIBLE * tail[0])) - 1)


def _cut(links: LinkWeights, j_max: int) -> LinkWeights:
    """Return `links` without currents beyond j_max."""
    return replace(links, weight=links.weight[: j_max + 1])


def narrowest_layout(space: LinkWeights, time: LinkWeights) -> Layout | None:
    """Return the narrowest layout whose fields hold the currents that matter; None if no layout does."""
    for layout in (COMPACT, WIDE):
        if _needed(space) <= layout.j_max(0) and _needed(time) <= layout.j_max(4):
            return layout
    return None


@kernel
def bounce_free_flux(a: NDArray[np.float64], f: NDArray[np.float64]) -> None:
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


@kernel_helper
def _root(a: float, s: float, large: bool) -> float:
    """Return the root x of x (s - x) = a, without cancellation."""
    big = 0.5 * (s + np.sqrt(max(0.0, s * s - 4 * a)))
    return big if large else a / big


@kernel_helper
def _excess(a: NDArray[np.float64], top: int, s: float, large_root: bool) -> float:
    """Return sum_i x_i(s) - s; with the large root of `top` it is rewritten free of cancellation."""
    total = 0.0
    for i in range(a.size):
        if i != top:
            total += _root(a[i], s, False)
    if large_root:
        return total - _root(a[top], s, False)
    return total + _root(a[top], s, False) - s


@kernel_helper
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
    for slot in range(SLOTS):
        own = slot
        limit = np.uint64(np.round(min(share[slot], 1.0) * 2.0**PROBABILITY_BITS))
        if alias[slot] == slot:
            limit = np.uint64(1 << PROBABILITY_BITS)
        if slot >= DIRECTIONS or limit == 0:     # empty slots belong to their alias alone
            own = alias[slot]
        names = np.uint64((own << 3) | alias[slot])
        # The six low bits of the threshold are the names: the nearest number of that form.
        low = np.uint64(0) if limit <= names else (limit - names + np.uint64(32)) >> np.uint64(6)
        out[slot] = (min(low, np.uint64((1 << 26) - 1)) << np.uint64(6)) | names


@kernel
def _fill_tables(
    space: NDArray[np.float64], up: NDArray[np.float64], down: NDArray[np.float64], out: NDArray[np.uint32]
) -> None:
    """Fill the states, out (states, ROW): they count (x: +,-), (y: +,-), (tau: +,-) classes, last fastest."""
    ns = space.size
    a, f, probability = np.empty(DIRECTIONS), np.empty((DIRECTIONS, DIRECTIONS)), np.empty(DIRECTIONS)
    for row in range(len(out)):
        rest = row
        a[5], rest = down[rest % down.size], rest // down.size
        a[4], rest = up[rest % up.size], rest // up.size
        for d in (3, 2, 1, 0):
            a[d], rest = space[rest % ns], rest // ns
        # A head has at least one link where the worm gains; only states that do not occur are cut here.
        time = min(DIRECTIONS / max(a.sum(), 1e-300), 4095.0)
        out[row, RESIDENCE] = np.uint32(np.round(time / RESIDENCE_UNIT))
        bounce_free_flux(a, f)
        for i in range(DIRECTIONS):
            for j in range(DIRECTIONS):
                # A head never comes in through a link with A = 0; such a row is never used.
                probability[j] = f[i, j] / a[i] if a[i] > 0.0 else (1.0 if i == j else 0.0)
            _fill_alias(probability, out[row, i * SLOTS : (i + 1) * SLOTS])


@lru_cache(maxsize=8)
def scattering_tables(action: Action, eps: float, charging: float, n_g: float = 0.0) -> WormTables | None:
    """Return the tables of one set of couplings, 1-40 MB, of which runs touch little.

    None where the currents that matter do not fit into any layout.
    """
    space, time = space_links(action, eps), time_links(action, eps, charging, n_g)
    layout = narrowest_layout(space, time)
    if layout is None:
        return None
    space, up = _cut(space, layout.j_max(0)), _cut(time, layout.j_max(4))
    down = up.reversed()
    s, t = layout.space_bits, layout.time_bits
    rates = _field_rates(space, s), _field_rates(up, t), _field_rates(down, t)
    x = _classes(space, rates[0], s, MAX_SPACE_LEVELS)
    plus, minus = _classes(up, rates[1], t, MAX_TIME_LEVELS), _classes(down, rates[2], t, MAX_TIME_LEVELS)
    n_space, n_time = len(x.rate), len(plus.rate) * len(minus.rate)
    first = SPACE_AT + (1 << 4 * s)
    table = zeros_in_large_pages(first + n_space**4 * n_time * ROW, np.uint32)
    times = _addresses([plus, minus], 1, first)
    table[: len(times)] = times
    table[SPACE_AT:first] = _addresses([x] * 4, n_time)
    _fill_tables(x.rate, plus.rate, minus.rate, table[first:].reshape(-1, ROW))
    return WormTables(layout, table, np.concatenate([rates[0]] * 4 + [rates[1], rates[2]]))
