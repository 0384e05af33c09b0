"""Disorder of one sample: missing bonds, missing sites, and couplings that differ from link to link."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.qmc.model.random_streams import DISORDER, DISORDER_E_C, DISORDER_E_J, DISORDER_SITES, generator
from sitqmc.result import Result

Bonds = NDArray[np.bool_]
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Disorder(Result):
    """Disorder of one sample, constant along imaginary time. All arrays are read-only.

    bonds   bool (2, Ly, Lx), True where a bond is present: bonds[0, y, x] joins (x, y) to (x+1, y),
            bonds[1, y, x] joins (x, y) to (x, y+1)
    sites   bool (Ly, Lx), True where there is a rotor; the bonds of a missing one are missing too
    E_J     (2, Ly, Lx), of each bond, in units of the clean E_J; None: 1 everywhere
    E_C     (Ly, Lx), of each site, in E_J; None: that of the model everywhere
    """

    bonds: Bonds
    sites: Bonds
    E_J: Array | None = None
    E_C: Array | None = None

    @property
    def uniform(self) -> bool:
        """Whether all present bonds are alike, and all present sites."""
        return self.E_J is None and self.E_C is None

    @property
    def present(self) -> int:
        """Number of rotors."""
        return int(self.sites.sum())


def make_disorder(
    Lx: int,
    Ly: int,
    *,
    bonds: ArrayLike | None = None,
    sites: ArrayLike | None = None,
    E_J: ArrayLike | None = None,
    E_C: ArrayLike | None = None,
) -> Disorder:
    """Return the disorder given by arrays; what is None is clean. Missing links may carry any coupling.

    bonds, sites   masks, bool or the integers 0 and 1; shapes as in `Disorder`
    E_J, E_C       couplings; shapes and units as in `Disorder`
    raises         ValueError for wrong shapes, masks that hold other numbers, no site at all, or a coupling
                   of a present link that is not positive and finite
    """
    present = _mask("sites", sites, (Ly, Lx), "(Ly, Lx)")
    if not present.any():
        raise ValueError("sites: at least one of them must be present")
    mask = _mask("bonds", bonds, (2, Ly, Lx), "(2, Ly, Lx)")
    if not present.all():
        mask[0] &= present & np.roll(present, -1, axis=1)
        mask[1] &= present & np.roll(present, -1, axis=0)
    return Disorder(
        bonds=_read_only(mask),
        sites=_read_only(present),
        E_J=_coupling("E_J", E_J, mask, "(2, Ly, Lx)"),
        E_C=_coupling("E_C", E_C, present, "(Ly, Lx)"),
    )


def _mask(name: str, value: ArrayLike | None, shape: tuple[int, ...], words: str) -> Bonds:
    """Return a writable copy of a mask; ValueError for a wrong shape, or an array that is no mask."""
    if value is None:
        return np.ones(shape, np.bool_)
    given = np.asarray(value)
    if given.shape != shape:
        raise ValueError(f"{name} of shape {given.shape}: must be {words} = {shape}")
    if not (given.dtype.kind == "b" or (given.dtype.kind in "iu" and np.all((given == 0) | (given == 1)))):
        raise ValueError(
            f"{name} of type {given.dtype}: a mask holds True and False (or the integers 1 and 0); "
            "pass couplings as E_J or E_C of make_disorder"
        )
    return given.astype(np.bool_)


def _coupling(name: str, value: ArrayLike | None, present: Bonds, words: str) -> Array | None:
    """Couplings with 1 on missing links, where they mean nothing."""
    if value is None:
        return None
    coupling = np.array(value, dtype=np.float64)
    if coupling.shape != present.shape:
        raise ValueError(f"{name} of shape {coupling.shape}: must be {words} = {present.shape}")
    wrong = coupling[present & ~((coupling > 0) & np.isfinite(coupling))]
    if wrong.size:
        raise ValueError(f"{name} = {wrong[0]}: must be positive and finite on every present link")
    return _read_only(np.where(present, coupling, 1.0))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def draw_disorder(
    Lx: int, Ly: int, seed: int, sample: int,
    *, p: float, p_site: float, spread_J: float, spread_C: float, charging: float,
) -> Disorder:  # fmt: skip
    """Return one disorder sample.

    Every bond and site has one uniform number u per kind of disorder, fixed by (seed, sample, Lx, Ly). A bond
    or site is missing if u < p; a coupling is E (1 + spread (2 u - 1)). Samples are therefore nested in p and
    p_site, proportional in the spreads, and shared by all couplings: differences along a scan are precise.
    """

    def uniform(kind: int, *shape: int) -> Array:
        return generator(seed, kind, Lx, Ly, sample).random(shape)

    # Each kind has a stream of its own, so one that is not needed need not be drawn.
    return make_disorder(
        Lx,
        Ly,
        bonds=uniform(DISORDER, 2, Ly, Lx) >= p if p else None,
        sites=uniform(DISORDER_SITES, Ly, Lx) >= p_site if p_site else None,
        E_J=1 + spread_J * (2 * uniform(DISORDER_E_J, 2, Ly, Lx) - 1) if spread_J else None,
        E_C=charging * (1 + spread_C * (2 * uniform(DISORDER_E_C, Ly, Lx) - 1)) if spread_C else None,
    )
