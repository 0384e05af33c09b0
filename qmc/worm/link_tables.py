"""Which link has which weights: one table for all links alike, or one per different coupling."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.disorder import Disorder
from sitqmc.qmc.model.link_weights import LinkWeights, space_links, time_links
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.worm.packing import Layout

Array = NDArray[np.float64]
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class LinkTables:
    """Weights of the links of several samples.

    space, time  weights of all different couplings
    bond_table   int32 (samples, 2, Lx Ly): number of the weights of the bond that leaves a column along +x
                 and +y; any number for a missing bond
    site_table   int32 (samples, Lx Ly): number of the weights of the time links of a column
    """

    space: tuple[LinkWeights, ...]
    time: tuple[LinkWeights, ...]
    bond_table: Rows
    site_table: Rows

    @property
    def width(self) -> int:
        """A power of two: currents -width/2 .. width/2 - 1 include those of all tables."""
        largest = max(table.j_max for table in (*self.space, *self.time))
        return 1 << largest.bit_length() + 1


@dataclass(frozen=True)
class WormTables:
    """Tables that the worm reads: of vertices (table, rate) where all links are alike, else of links (rates).

    layout  of the words that the tables are made for
    table   uint32, see `scattering`
    rate    float64 (6 * 256,): A of the link along d by its field, at 256 d + field
    rates   float32, see `link_by_link`
    """

    layout: Layout
    table: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    rate: Array = field(default_factory=lambda: np.zeros(0))
    rates: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def has_vertices(self) -> bool:
        """Whether vertices are tabulated."""
        return self.table.size > 0


def build_link_tables(model: Model, disorder: Sequence[Disorder]) -> LinkTables:
    """Return the weights of every different coupling; ValueError if a coupling is out of range."""
    E_J = [one.E_J for one in disorder]
    E_C = [one.E_C for one in disorder]
    space_values, bond_table = _distinct(E_J, 1.0, (2, model.sites))
    time_values, site_table = _distinct(E_C, model.charging, (model.sites,))
    return LinkTables(
        tuple(space_links(model.action, model.eps, value) for value in space_values),
        tuple(time_links(model.action, model.eps, value, model.n_g) for value in time_values),
        bond_table,
        site_table,
    )


def _distinct(
    samples: Sequence[Array | None], clean: float, shape: tuple[int, ...]
) -> tuple[list[float], Rows]:
    """Return the different values of all samples, and the number of the value of each link."""
    if all(values is None for values in samples):
        return [clean], np.zeros((len(samples), *shape), np.int32)
    table = np.stack([np.full(shape, clean) if v is None else v.reshape(shape) for v in samples])
    found, number = np.unique(table, return_inverse=True)
    return found.tolist(), number.reshape(table.shape).astype(np.int32)
