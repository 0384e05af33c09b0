"""The model: a bond-diluted square array of quantum rotors in discrete imaginary time."""

import hashlib
import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from qmc.actions import ACTIONS, Action, space_links, time_links
from qmc.rng import DISORDER, generator

Bonds = NDArray[np.bool_]

MAX_SITES = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Model:
    """H = (E_C/2) sum n_i^2 - E_J sum_<ij> w_ij cos(theta_i - theta_j), periodic, E_J = 1.

    A bond is missing (w = 0) with probability p, at all imaginary times. Errors of the time step are
    O(eps^2) for `rotor`, O(eps) for `cosine`; `villain` is the classical link-current model with
    K_x = eps, K_tau = 1/(eps charging).
    """

    Lx: int              # sites along x
    Ly: int              # sites along y
    L_tau: int           # time slices
    eps: float           # width of a slice, 1/E_J
    charging: float      # E_C/E_J
    action: Action = "cosine"
    p: float = 0.0       # probability that a bond is missing

    def __post_init__(self) -> None:
        for name in ("Lx", "Ly", "L_tau"):
            size = getattr(self, name)
            if not (isinstance(size, (int, np.integer)) and size >= 2):
                raise ValueError(f"{name} = {size}: must be an integer >= 2")
            object.__setattr__(self, name, int(size))        # numpy integers would change key()
        if self.sites * self.L_tau > MAX_SITES:
            raise ValueError(
                f"Lx * Ly * L_tau = {self.sites * self.L_tau}: at most {MAX_SITES} space-time sites; "
                "choose a smaller lattice"
            )
        if not 0 <= self.p < 1:
            raise ValueError(f"p = {self.p}: probability of a missing bond must be in [0, 1)")
        for name in ("eps", "charging"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} = {value}: must be positive and finite")
        for name in ("eps", "charging", "p"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.action not in ACTIONS:
            raise ValueError(f"action = {self.action!r}: must be one of {', '.join(ACTIONS)}")
        space_links(self.action, self.eps)                   # raise now what the tables cannot hold
        time_links(self.action, self.eps, self.charging)

    @property
    def beta(self) -> float:
        """Inverse temperature, 1/E_J."""
        return self.eps * self.L_tau

    @property
    def sites(self) -> int:
        """Number of rotors."""
        return self.Lx * self.Ly

    def key(self) -> tuple[int, ...]:
        """Four 32-bit integers that name this model in random streams, whatever its place in a scan."""
        text = ";".join(f"{name}={value!r}" for name, value in sorted(asdict(self).items()))
        digest = hashlib.sha256(text.encode()).digest()
        return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "little") for i in range(4))

    def draw_bonds(self, seed: int, sample: int) -> Bonds:
        """Bond mask (2, Ly, Lx) of one disorder sample; True where a bond is present.

        bonds[0, y, x] joins (x, y) to (x+1, y), bonds[1, y, x] joins (x, y) to (x, y+1). One uniform
        number u per bond, fixed by (seed, sample, Lx, Ly); the bond is missing if u < p. Samples are
        thus nested in p and shared by all couplings, which makes differences along a scan precise.
        """
        u = generator(seed, DISORDER, self.Lx, self.Ly, sample).random((2, self.Ly, self.Lx))
        return u >= self.p

    def check_bonds(self, bonds: Bonds) -> Bonds:
        """The explicit bond mask as a contiguous bool array; ValueError if its shape is wrong."""
        mask = np.ascontiguousarray(bonds, dtype=np.bool_)
        if mask.shape != (2, self.Ly, self.Lx):
            raise ValueError(f"bonds of shape {mask.shape}: must be (2, Ly, Lx) = (2, {self.Ly}, {self.Lx})")
        return mask
