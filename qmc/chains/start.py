"""First configurations of a chain, from both ends of the range: no currents, or as many random ones as fit.

Chains started from both ends that agree are thermalised.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.disorder import Bonds, Disorder
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.worm.link_tables import LinkTables
from sitqmc.qmc.worm.packing import Layout, Words

Start = Literal["cold", "hot"]

Integers = NDArray[np.int64]
Site = tuple[int, int]
"""y, x."""
Step = tuple[int, int, int, int]
"""Bond mu, y, x and the sign with which it is passed."""

AXIS = (1, 0, 2)                                 # array axis of (Ly, Lx, L_tau) crossed by x, y, tau
PLANES = ((0, 1), (1, 2), (2, 0))


def hot_lattices(
    model: Model, disorder: Sequence[Disorder], empty: Sequence[Words], links: LinkTables, layout: Layout,
    generators: Sequence[np.random.Generator],
) -> tuple[list[Words], Integers]:  # fmt: skip
    """Return words of random configurations, and their windings along x, y, tau, (samples, 3).

    empty       words of the configurations without currents, see `packing.empty_lattice`
    generators  one for each sample
    """
    words, windings = [], []
    limits = _limits(model, links, layout)
    for one, still, limit, rng in zip(disorder, empty, limits, generators, strict=True):
        J, winding = _hot_currents(model, one, limit, rng)
        words.append(_with_currents(model, still, J, layout))
        windings.append(winding)
    return words, np.array(windings)


def _hot_currents(
    model: Model, disorder: Disorder, limit: Integers, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Return currents (3, Ly, Lx, L_tau) along x, y, tau without sources, and their windings (3,).

    Every elementary loop of present links carries -1, 0 or 1, every rotor winds so in time, and one loop
    each winds along x and along y where the bonds allow. Loops that drive a link beyond its limit are left
    out.
    """
    J = _winding_currents(model, disorder, rng)
    present = _present(model, disorder)
    loops = [_loops(present, plane, rng) for plane in PLANES]
    while True:
        total = J + sum(_curl(field, plane) for field, plane in zip(loops, PLANES, strict=True))
        over = np.abs(total) > limit
        if not over.any():
            break
        for field, (a, b) in zip(loops, PLANES, strict=True):
            touched = over[a] | np.roll(over[a], -1, AXIS[b]) | over[b] | np.roll(over[b], -1, AXIS[a])
            field[touched] = 0
    return total, total.sum(axis=(1, 2, 3)) // (model.Lx, model.Ly, model.L_tau)


def _present(model: Model, disorder: Disorder) -> NDArray[np.bool_]:
    """Return which links are present, bool (3, Ly, Lx, L_tau), along x, y, tau."""
    columns = np.stack([*disorder.bonds, disorder.sites])
    return np.repeat(columns[..., None], model.L_tau, axis=3)


def _limits(model: Model, links: LinkTables, layout: Layout) -> Integers:
    """Return the largest |J| of every link of every sample, (samples, 3, Ly, Lx, 1)."""
    space, time = (np.array([t.j_max for t in tables]) for tables in (links.space, links.time))
    rows = np.concatenate([space[links.bond_table], time[links.site_table][:, None]], axis=1)
    held = np.array([layout.j_max(0), layout.j_max(0), layout.j_max(4)])
    return np.minimum(rows, held[:, None]).reshape(-1, 3, model.Ly, model.Lx, 1)


def _loops(present: NDArray[np.bool_], plane: tuple[int, int], rng: np.random.Generator) -> Integers:
    """Return the circulation -1, 0 or 1 of every plaquette in a plane; 0 where a link is missing."""
    a, b = plane
    whole = present[a] & np.roll(present[a], -1, AXIS[b]) & present[b] & np.roll(present[b], -1, AXIS[a])
    return rng.integers(-1, 2, whole.shape) * whole


def _curl(field: Integers, plane: tuple[int, int]) -> Integers:
    """Return the currents (3, Ly, Lx, L_tau) of the circulations in one plane."""
    a, b = plane
    J = np.zeros((3, *field.shape), np.int64)
    J[a] = field - np.roll(field, 1, AXIS[b])
    J[b] = np.roll(field, 1, AXIS[a]) - field
    return J


def _winding_currents(model: Model, disorder: Disorder, rng: np.random.Generator) -> Integers:
    """Return the currents of the winding loops."""
    J = np.zeros((3, model.Ly, model.Lx, model.L_tau), np.int64)
    J[2] += (rng.integers(-1, 2, disorder.sites.shape) * disorder.sites)[..., None]
    cycles = _winding_cycles(disorder)
    for axis in range(2):
        slices = rng.permutation(model.L_tau)
        if axis in cycles:
            for mu, y, x, sign in cycles[axis]:
                J[mu, y, x, slices[0]] += sign
    return J


def _winding_cycles(disorder: Disorder) -> dict[int, list[Step]]:
    """Return closed paths (mu, y, x, sign) of present bonds that wind once along x (0) and y (1), if any.

    From a spanning tree with unwrapped coordinates: a bond outside the tree closes a path, which winds if
    the coordinates of its ends do not match.
    """
    _, Ly, Lx = disorder.bonds.shape
    place: dict[Site, Site] = {}
    parent: dict[Site, tuple[Site, Step]] = {}
    cycles: dict[int, list[Step]] = {}
    for root in [(y, x) for y, x in np.argwhere(disorder.sites).tolist()]:
        if root in place:
            continue
        place[root] = root
        queue = deque([root])
        while queue:
            here = queue.popleft()
            for bond, there, move in _neighbours(disorder.bonds, here):
                at = (place[here][0] + move[0], place[here][1] + move[1])
                if there not in place:
                    place[there], parent[there] = at, (here, bond)
                    queue.append(there)
                    continue
                winds = ((at[1] - place[there][1]) // Lx, (at[0] - place[there][0]) // Ly)
                for axis in range(2):
                    if abs(winds[axis]) == 1 and winds[1 - axis] == 0 and axis not in cycles:
                        back = [(mu, y, x, -sign) for mu, y, x, sign in _path(parent, there)]
                        cycles[axis] = [*_path(parent, here), bond, *back]
    return cycles


def _neighbours(bonds: Bonds, here: Site) -> Iterator[tuple[Step, Site, Site]]:
    """Yield (bond with sign, neighbour, step) of the present bonds at a site (y, x)."""
    _, Ly, Lx = bonds.shape
    y, x = here
    left, below = (x - 1) % Lx, (y - 1) % Ly
    if bonds[0, y, x]:
        yield (0, y, x, 1), (y, (x + 1) % Lx), (0, 1)
    if bonds[0, y, left]:
        yield (0, y, left, -1), (y, left), (0, -1)
    if bonds[1, y, x]:
        yield (1, y, x, 1), ((y + 1) % Ly, x), (1, 0)
    if bonds[1, below, x]:
        yield (1, below, x, -1), (below, x), (-1, 0)


def _path(parent: dict[Site, tuple[Site, Step]], site: Site) -> list[Step]:
    """Return the bonds from the root of the tree to a site."""
    bonds: list[Step] = []
    while site in parent:
        site, bond = parent[site]
        bonds.append(bond)
    return bonds[::-1]


def _with_currents(model: Model, empty: Words, J: Integers, layout: Layout) -> Words:
    """Return the words of the currents J (3, Ly, Lx, L_tau), from those without currents."""
    fields = empty.reshape(model.Ly, model.Lx, model.L_tau).astype(np.int64)
    words = fields.copy()
    for mu in range(3):
        for d, leaving in ((2 * mu, J[mu]), (2 * mu + 1, -np.roll(J[mu], 1, AXIS[mu]))):
            present = (fields >> layout.shift(d)) & layout.bias(d) != 0
            words += np.where(present, leaving << layout.shift(d), 0)
    return words.ravel().astype(layout.dtype)
