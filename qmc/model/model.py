"""The model: a disordered square array of quantum rotors in discrete imaginary time."""

import hashlib
import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.qmc.model.disorder import Bonds, Disorder, draw_disorder, make_disorder
from sitqmc.qmc.model.link_weights import ACTIONS, Action, space_links, time_links
from sitqmc.qmc.model.parameters import PARAMETERS

__all__ = ["Bonds", "Disorder", "Model"]

MAX_SITES = 2**31 - 1


PROBABILITIES = {
    "p": "probability of a missing bond",
    "p_site": "probability of a missing site",
    "spread_J": "half width of the box of E_J over its mean",
    "spread_C": "half width of the box of E_C over its mean",
}


@dataclass(frozen=True, kw_only=True, init=False)
class Model:
    """H = sum (E_C,i/2) (n_i - n_g)^2 - sum_<ij> E_J,ij cos(theta_i - theta_j), periodic, clean E_J = 1.

    Bonds and sites are missing with probabilities p and p_site, the couplings of the others spread over
    boxes of mean 1 and charging, all constant in imaginary time. Errors of the time step are O(eps^2) for
    `rotor`, O(eps) for `cosine`; `villain` is the classical link-current model with K_x = eps E_J,
    K_tau = 1/(eps E_C). Energies are counted from that of n = 0 on every site.

        Model(L=8, beta=4.8, eps=0.1, charging=3.0, p=0.1)

    L stands for Lx = Ly, and beta for L_tau = beta/eps, which must be an integer.
    """

    Lx: int              # sites along x
    Ly: int              # sites along y
    L_tau: int           # time slices
    eps: float           # width of a slice, 1/E_J
    charging: float      # E_C/E_J
    action: Action = "cosine"
    p: float = 0.0       # probability that a bond is missing
    p_site: float = 0.0  # probability that a site is missing
    spread_J: float = 0.0   # half width of the box of E_J over its mean
    spread_C: float = 0.0   # half width of the box of E_C over its mean
    n_g: float = 0.0     # charge offset of every site, units of a pair

    def __init__(
        self, *, Lx: int | None = None, Ly: int | None = None, L_tau: int | None = None, eps: float,
        charging: float, action: Action = "cosine", p: float = 0.0, p_site: float = 0.0,
        spread_J: float = 0.0, spread_C: float = 0.0, n_g: float = 0.0, L: int | None = None,
        beta: float | None = None,
    ) -> None:  # fmt: skip
        if (L is None) == (Lx is None and Ly is None) or (Lx is None) != (Ly is None):
            raise ValueError("give either L (square) or both Lx and Ly")
        if (L_tau is None) == (beta is None):
            raise ValueError("give one of L_tau and beta (L_tau = beta/eps)")
        given = {
            "Lx": Lx if L is None else L, "Ly": Ly if L is None else L,
            "L_tau": L_tau if beta is None else slices_of(beta, eps), "eps": eps, "charging": charging,
            "action": action, "p": p, "p_site": p_site, "spread_J": spread_J, "spread_C": spread_C,
            "n_g": n_g,
        }  # fmt: skip
        for name, value in given.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        """Raise ValueError for a parameter out of its range; store all in the types of their fields."""
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
        for name, what in PROBABILITIES.items():
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: {what} must be in [0, 1)")
        if not -1 <= self.n_g <= 1:
            raise ValueError(f"n_g = {self.n_g}: charge offset must be in [-1, 1]")
        for name in ("eps", "charging"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} = {value}: must be positive and finite")
        for name in ("eps", "charging", "p", "p_site", "spread_J", "spread_C", "n_g"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.action not in ACTIONS:
            raise ValueError(f"action = {self.action!r}: must be one of {', '.join(ACTIONS)}")
        # Raise now what the tables cannot hold: the largest K_x, the largest K_tau.
        space_links(self.action, self.eps, 1 + self.spread_J)
        time_links(self.action, self.eps, self.charging * (1 - self.spread_C), self.n_g)

    @property
    def beta(self) -> float:
        """Inverse temperature, 1/E_J."""
        return self.eps * self.L_tau

    @property
    def sites(self) -> int:
        """Lx Ly, the volume that all averages per site refer to, missing sites included."""
        return self.Lx * self.Ly

    def key(self) -> tuple[int, ...]:
        """Return four 32-bit integers that name this model in random streams, wherever it is in a scan."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        # Parameters of later versions enter only if not zero: older keys stay what they were.
        kept = {n: value for n, value in named.items() if PARAMETERS[n].stream == "always" or value}
        text = ";".join(f"{name}={value!r}" for name, value in sorted(kept.items()))
        digest = hashlib.sha256(text.encode()).digest()
        return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "little") for i in range(4))

    def draw_disorder(self, seed: int, sample: int) -> Disorder:
        """Return one disorder sample, a function of (seed, sample, Lx, Ly) and the strengths of disorder."""
        return draw_disorder(
            self.Lx, self.Ly, seed, sample, p=self.p, p_site=self.p_site,
            spread_J=self.spread_J, spread_C=self.spread_C, charging=self.charging,
        )  # fmt: skip

    def as_disorder(self, given: "ArrayLike | Disorder") -> Disorder:
        """Return the checked disorder of one sample from a `Disorder` or from a bond mask (2, Ly, Lx).

        raises  ValueError for wrong shapes, a bond mask that is not one, or a bond mask for a model with
                missing sites or spread couplings, of which a bond mask says nothing
        """
        if not isinstance(given, Disorder):
            for name in ("p_site", "spread_J", "spread_C"):
                if getattr(self, name):
                    raise ValueError(
                        f"bond mask for a model with {name} = {getattr(self, name):g}: it leaves out sites "
                        "and couplings; pass model.draw_disorder(seed, sample) or make_disorder(Lx, Ly, ...)"
                    )
            return make_disorder(self.Lx, self.Ly, bonds=given)
        return make_disorder(
            self.Lx, self.Ly, bonds=given.bonds, sites=given.sites, E_J=given.E_J, E_C=given.E_C
        )


def slices_of(beta: float, eps: float, *, exact: bool = True) -> int:
    """Return beta/eps as an integer; ValueError if beta is not a multiple of eps, unless it may be rounded.

    exact  False: the nearest integer is taken
    """
    if not (eps > 0 and math.isfinite(eps) and math.isfinite(beta)):
        raise ValueError(f"beta = {beta}, eps = {eps}: must be positive and finite")
    slices = round(beta / eps)
    if exact and abs(slices * eps - beta) > 1e-9 * abs(beta):
        raise ValueError(f"beta = {beta:g}: must be a multiple of eps = {eps:g}, such as {slices * eps:g}")
    return slices
