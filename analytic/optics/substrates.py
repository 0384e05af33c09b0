"""Refractive indices of usual substrates in the THz range at room temperature.

Cooling lowers the index by up to about 1 % and the loss by more, so a fit at low temperature needs a wide
prior of the index, such as MountPriors(index=0.03).
"""

from dataclasses import dataclass

from sitqmc.analytic.optics.film_on_substrate import Substrate


@dataclass(frozen=True)
class SubstrateMaterial:
    """Index at 1 THz and 300 K, extinction coefficient per THz, and the source of the index."""

    index: float
    loss: float
    source: str


GRISCHKOWSKY = "D. Grischkowsky et al., J. Opt. Soc. Am. B 7, 2006 (1990)"
KIWA = "T. Kiwa and M. Tonouchi, Jpn. J. Appl. Phys. 40, L38 (2001)"

SUBSTRATES = {
    "sapphire_o": SubstrateMaterial(3.07, 2e-3, GRISCHKOWSKY),
    "sapphire_e": SubstrateMaterial(3.41, 2e-3, GRISCHKOWSKY),
    "quartz_o": SubstrateMaterial(2.108, 2e-4, GRISCHKOWSKY),
    "quartz_e": SubstrateMaterial(2.156, 2e-4, GRISCHKOWSKY),
    "si": SubstrateMaterial(3.418, 1e-4, GRISCHKOWSKY),
    "mgo": SubstrateMaterial(3.17, 4e-3, KIWA),
    "lsat": SubstrateMaterial(4.8, 2e-2, KIWA),
}  # fmt: skip
"""Materials by name; the losses are orders of magnitude to start a fit from."""


def substrate(material: str, thickness_um: float) -> Substrate:
    """Return a plate of a listed material.

    raises  ValueError for an unknown material, with all known names
    """
    if material not in SUBSTRATES:
        raise ValueError(f"substrate {material!r} is not listed; known: {', '.join(SUBSTRATES)}, or an index")
    found = SUBSTRATES[material]
    return Substrate(thickness_um=thickness_um, index=found.index, loss=found.loss)
