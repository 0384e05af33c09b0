"""The packed lattice: one word per space-time site.

Site s = (y Lx + x) L_tau + k, so a column of imaginary time is contiguous. Directions d = 0..5 are
+x, -x, +y, -y, +tau, -tau; d ^ 1 is the reverse of d. Field d of a word holds the current that leaves
the site along d, plus a bias; 0 marks a missing link. Both ends store the link, with opposite signs,
so that one load shows the worm everything it needs. After the fields, bit d of six says that a step
along d wraps. A `Layout` says how wide the fields are: four bytes a site where currents stay small,
since the worm waits for memory more than for anything else, else eight.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.disorder import Disorder
from sitqmc.qmc.model.model import Model

DIRECTIONS = 6

Words = NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """Widths of the fields of a word, in bits."""

    space_bits: int
    time_bits: int

    def bits(self, d: int) -> int:
        """Return the width of field d."""
        return self.space_bits if d < 4 else self.time_bits

    def shift(self, d: int) -> int:
        """Return the lowest bit of field d; `shift(6)` is the first wrap bit."""
        return d * self.space_bits if d < 4 else 4 * self.space_bits + (d - 4) * self.time_bits

    def bias(self, d: int) -> int:
        """Return the value of field d for J = 0."""
        return 1 << (self.bits(d) - 1)

    def j_max(self, d: int) -> int:
        """Return the largest |J| of field d."""
        return self.bias(d) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the words."""
        return np.dtype(np.uint32 if self.shift(6) + DIRECTIONS <= 32 else np.uint64)


COMPACT = Layout(space_bits=4, time_bits=5)
WIDE = Layout(space_bits=5, time_bits=8)
BYTES = Layout(space_bits=8, time_bits=8)


def empty_lattice(model: Model, disorder: Disorder, layout: Layout = BYTES) -> Words:
    """Return the words (Lx * Ly * L_tau,) of the configuration without currents.

    A missing site has no link at all, so no worm ever enters or starts there.
    """
    x_bonds, y_bonds = disorder.bonds
    present = np.empty((DIRECTIONS, model.Ly, model.Lx), bool)
    present[0], present[1] = x_bonds, np.roll(x_bonds, 1, axis=1)
    present[2], present[3] = y_bonds, np.roll(y_bonds, 1, axis=0)
    present[4] = present[5] = disorder.sites
    words = np.empty((model.Ly, model.Lx, model.L_tau), layout.dtype)
    biases = [np.uint64(layout.bias(d) << layout.shift(d)) for d in range(DIRECTIONS)]
    columns = [np.where(present[d], biases[d], np.uint64(0)) for d in range(DIRECTIONS)]
    words[...] = np.sum(columns, axis=0)[:, :, None]
    for d in range(DIRECTIONS):
        axis = (1, 0, 2)[d // 2]                     # of words, crossed by x, y, tau
        edge = np.moveaxis(words, axis, 0)[0 if d % 2 else -1]
        edge |= layout.dtype.type(1 << (layout.shift(6) + d))
    return words.ravel()


def currents(model: Model, words: Words, layout: Layout = BYTES) -> NDArray[np.int64]:
    """Return the link currents J[mu, tau, y, x], mu = 0 time, 1 x, 2 y; zero on missing bonds."""
    grid = words.astype(np.int64).reshape(model.Ly, model.Lx, model.L_tau).transpose(2, 0, 1)
    fields = [(d, (grid >> layout.shift(d)) & (2 * layout.bias(d) - 1)) for d in (4, 0, 2)]
    return np.stack([np.where(field == 0, 0, field - layout.bias(d)) for d, field in fields])


def fold_space(model: Model, space: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a histogram (4 Lx Ly,) over differences of coordinates as one (Ly, Lx) over periodic distances.

    The entry of the difference (dy, dx) is (dy + Ly) 2 Lx + dx + Lx.
    """
    wide = space.reshape(2, model.Ly, 2, model.Lx)
    return np.asarray(wide.sum(axis=(0, 2)))
