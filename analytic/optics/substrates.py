"""Refractive indices of usual substrates in the THz range, at room temperature and cold.

The values are read from the literature with the error that is stated here; samples differ by about as much.
Cold values come from microwave resonators or far-infrared spectra, because few THz studies go below 10 K.
Losses are orders of magnitude at room temperature, to start a fit from; cooling lowers them. Materials
without a cold value keep the index of room temperature with a wider error.
"""

from dataclasses import dataclass

from sitqmc.analytic.optics.film_on_substrate import Substrate

COLD_K, ROOM_K = 50.0, 300.0
"""The index is constant below COLD_K and linear in between."""


@dataclass(frozen=True)
class SubstrateMaterial:
    """A substrate.

    index         at ROOM_K and about 1 THz
    loss          extinction coefficient per THz at ROOM_K
    source        of the index
    cold_index    below COLD_K; None: not known
    cold_source   of the cold index
    index_error   standard error of the index at any temperature, for MountPriors(index=...)
    """

    index: float
    loss: float
    source: str
    cold_index: float | None = None
    cold_source: str = ""
    index_error: float = 0.03

    def index_at(self, t_k: float) -> float:
        """Return the index at a temperature in K."""
        if self.cold_index is None:
            return self.index
        share = min(max((t_k - COLD_K) / (ROOM_K - COLD_K), 0.0), 1.0)
        return self.cold_index + share * (self.index - self.cold_index)


GRISCHKOWSKY = "D. Grischkowsky et al., J. Opt. Soc. Am. B 7, 2006 (1990)"
KIWA = "T. Kiwa and M. Tonouchi, Jpn. J. Appl. Phys. 40, L38 (2001)"
LOEWENSTEIN = "E. V. Loewenstein, D. R. Smith and R. L. Morgan, Appl. Opt. 12, 398 (1973), 1.5 K"
KRUPKA_1994 = "J. Krupka et al., IEEE Trans. Microwave Theory Tech. 42, 1886 (1994), microwaves"
KRUPKA_1999 = "J. Krupka et al., Meas. Sci. Technol. 10, 387 (1999), microwaves, below 20 K"
SNEZHKO = "V. Snezhko et al., J. Radio Electronics, Sept. 2015, (001), 106 GHz: eps = 23"

SUBSTRATES = {
    "sapphire_o": SubstrateMaterial(3.07, 2e-3, GRISCHKOWSKY, 3.05, KRUPKA_1999, 0.01),
    "sapphire_e": SubstrateMaterial(3.41, 2e-3, GRISCHKOWSKY, 3.37, KRUPKA_1999, 0.01),
    "quartz_o": SubstrateMaterial(2.108, 2e-4, GRISCHKOWSKY),
    "quartz_e": SubstrateMaterial(2.156, 2e-4, GRISCHKOWSKY),
    "si": SubstrateMaterial(3.418, 1e-4, GRISCHKOWSKY, 3.38, LOEWENSTEIN, 0.01),
    "mgo": SubstrateMaterial(3.17, 4e-3, KIWA, index_error=0.05),
    "lsat": SubstrateMaterial(4.8, 2e-2, KIWA, index_error=0.05),
    "laalo3": SubstrateMaterial(4.9, 1e-2, KRUPKA_1994, 4.86, KRUPKA_1994, 0.05),
    "ndgao3": SubstrateMaterial(4.8, 2e-2, SNEZHKO, index_error=0.1),
}  # fmt: skip
"""Materials by name."""


def substrate(material: str, thickness_um: float, t_k: float = ROOM_K) -> Substrate:
    """Return a plate of a listed material at a temperature in K.

    raises  ValueError for an unknown material, with all known names
    """
    if material not in SUBSTRATES:
        raise ValueError(f"substrate {material!r} is not listed; known: {', '.join(SUBSTRATES)}, or an index")
    found = SUBSTRATES[material]
    return Substrate(thickness_um=thickness_um, index=found.index_at(t_k), loss=found.loss)
