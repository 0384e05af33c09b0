"""Which link has which table: one table for all links alike, or one per bond and per site."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.link_weights import LinkWeights, space_links, time_links
from sitqmc.qmc.model.model import Disorder, Model

Array = NDArray[np.float64]
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Links:
    """Tables of the links of one sample.

    bond_row  int32 (2, Lx Ly): table of the bond that leaves a column along +x and +y; any row if missing
    site_row  int32 (Lx Ly,): table of the time links of a column
    """

    space: tuple[LinkWeights, ...]
    time: tuple[LinkWeights, ...]
    bond_row: Rows
    site_row: Rows

    @property
    def width(self) -> int:
        """A power of two: currents -width/2 .. width/2 - 1 hold those of all tables."""
        largest = max(table.j_max for table in (*self.space, *self.time))
        return 1 << largest.bit_length() + 1


def link_tables(model: Model, disorder: Disorder) -> Links:
    """Tables of every different coupling; ValueError if a coupling is out of reach."""
    space_values, bond_row = _distinct(disorder.E_J, 1.0, (2, model.sites))
    time_values, site_row = _distinct(disorder.E_C, model.charging, (model.sites,))
    return Links(
        tuple(space_links(model.action, model.eps, E_J) for E_J in space_values),
        tuple(time_links(model.action, model.eps, E_C, model.n_g) for E_C in time_values),
        bond_row,
        site_row,
    )


def _distinct(values: Array | None, clean: float, shape: tuple[int, ...]) -> tuple[list[float], Rows]:
    """Different values, and the number of the value of each link."""
    if values is None:
        return [clean], np.zeros(shape, np.int32)
    found, row = np.unique(values.ravel(), return_inverse=True)
    return found.tolist(), row.reshape(shape).astype(np.int32)


def by_current(table: Array, width: int, slope: float = 0.0) -> Array:
    """table(|J|) + slope J for J = -width/2 .. width/2 - 1, (width,); zero beyond the end of the table."""
    out, middle = np.zeros(width), width // 2
    j = np.arange(len(table))
    out[middle + j] = table + slope * j
    out[middle - j] = table - slope * j
    return out
