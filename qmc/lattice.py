"""The packed lattice: one 64-bit word per space-time site.

Site s = (y Lx + x) L_tau + k, so a column of imaginary time is contiguous. Directions d = 0..5 are
+x, -x, +y, -y, +tau, -tau; d ^ 1 is the reverse of d. Byte d of a word holds the current that leaves
the site along d, plus BIAS; 0 marks a missing link. Both ends store the link, with opposite signs,
so that one load shows the worm everything it needs. Bit 48 + d says that a step along d wraps.
"""

import numpy as np
from numpy.typing import NDArray

from qmc.model import Bonds, Disorder, Model

BIAS = 128
WRAP_BIT = 48
DIRECTIONS = 6

Words = NDArray[np.int64]


def empty_lattice(model: Model, disorder: Bonds | Disorder) -> Words:
    """Words (Lx * Ly * L_tau,) of the configuration without currents.

    A missing site has no link at all, so no worm ever enters or starts there.
    """
    disorder = model.disorder(disorder)
    x_bonds, y_bonds = disorder.bonds
    present = np.empty((DIRECTIONS, model.Ly, model.Lx), bool)
    present[0], present[1] = x_bonds, np.roll(x_bonds, 1, axis=1)
    present[2], present[3] = y_bonds, np.roll(y_bonds, 1, axis=0)
    present[4] = present[5] = disorder.sites
    words = np.zeros((model.Ly, model.Lx, model.L_tau), np.int64)
    for d in range(DIRECTIONS):
        words |= np.where(present[d], BIAS << (8 * d), 0)[:, :, None]
    for d in range(DIRECTIONS):
        axis = (1, 0, 2)[d // 2]                     # of words, crossed by x, y, tau
        edge = np.moveaxis(words, axis, 0)[0 if d % 2 else -1]
        edge |= 1 << (WRAP_BIT + d)
    return words.ravel()


def steps(model: Model) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Change of the site index and of its column's first site, int64 (12,), at 2 d + wrap."""
    stride = (model.L_tau, model.L_tau * model.Lx, 1)
    length = (model.Lx, model.Ly, model.L_tau)
    site = np.empty(2 * DIRECTIONS, np.int64)
    for d in range(DIRECTIONS):
        axis, sign = d // 2, 1 - 2 * (d % 2)
        site[2 * d] = sign * stride[axis]
        site[2 * d + 1] = -sign * stride[axis] * (length[axis] - 1)
    column = np.where(np.arange(2 * DIRECTIONS) < 8, site, 0)
    return site, column


def currents(model: Model, words: Words) -> NDArray[np.int64]:
    """Link currents J[mu, tau, y, x], mu = 0 time, 1 x, 2 y; zero on missing bonds."""
    grid = words.reshape(model.Ly, model.Lx, model.L_tau).transpose(2, 0, 1)
    fields = [(grid >> (8 * d)) & 0xFF for d in (4, 0, 2)]
    return np.stack([np.where(field == 0, 0, field - BIAS) for field in fields])


def fold_space(model: Model, space: NDArray[np.float64]) -> NDArray[np.float64]:
    """Histogram (4 Lx Ly,) over the differences of coordinates as one (Ly, Lx) over periodic distances.

    The entry of the difference (dy, dx) is (dy + Ly) 2 Lx + dx + Lx.
    """
    wide = space.reshape(2, model.Ly, 2, model.Lx)
    return np.asarray(wide.sum(axis=(0, 2)))
