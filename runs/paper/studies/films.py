"""Films in the paper's figures: four SYNTHETIC films, analysed by both fit routines.

The films are bundled with the package; nothing here was measured. The paper compares films of these critical
temperatures with simulations at the dilutions below (Sherman et al., Fig. 3a).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from sitqmc.analytic import (
    FilmAnalysis,
    FilmOnSubstrate,
    FilmSetup,
    Instrument,
    MountPriors,
    Substrate,
    ThzScan,
    TunnellingCurve,
    analyse_film,
)
from sitqmc.runs.formats.films import bundled_films
from sitqmc.runs.formats.measured.read import read_scan, read_tunnelling

TC_CLEAN_K = 16.5  # clean NbN, approximate
DILUTION = {"6.7K": 0.075, "5.0K": 0.1, "4.2K": 0.125}
TC_K = {"9.5K": 9.5, "6.7K": 6.7, "5.0K": 5.0, "4.2K": 4.2}
WEAK, STRONG = "9.5K", "4.2K"

PRIORS = MountPriors(leak=1e-3)


@dataclass(frozen=True)
class Film:
    """One film: its files and the results of both routines."""

    name: str
    tc_k: float
    cold: ThzScan
    curve: TunnellingCurve
    found: FilmAnalysis

    @property
    def gap_mev(self) -> tuple[float, float]:
        """2 Delta from tunnelling, with its error."""
        assert self.found.tunnelling is not None
        two_delta = self.found.tunnelling.delta_mev.scaled(2)
        return two_delta.value, two_delta.error

    @property
    def excess_seen(self) -> bool:
        """Whether the fit rejects the plain superconductor, so that the excess is resolved."""
        return not self.found.plain_fits


def setup() -> FilmSetup:
    """Return the description of substrate and instrument before the fits."""
    slab = Substrate(thickness_um=1000.3, index=3.097, dispersion=0.012, loss=8e-4)
    instrument = Instrument(standing_period_thz=0.13)
    film = FilmOnSubstrate(film_nm=20.0, substrate=slab)
    return FilmSetup(sample=film, sigma_n=2000.0, instrument=instrument)


@cache
def films() -> dict[str, Film]:
    """Return all four films with their fits, from the least to the most disordered."""
    return {name: _film(name, tc) for name, tc in TC_K.items()}


def _film(name: str, tc_k: float) -> Film:
    folder = bundled_films()
    cold = read_scan(folder / f"{name}_cold.txt")
    curve = read_tunnelling(folder / f"{name}_tunnelling.txt")
    found = analyse_film(
        cold, setup(), tc_k, np.random.default_rng(1), normal=read_scan(folder / f"{name}_normal.txt"),
        tunnelling=curve, priors=PRIORS,
    )  # fmt: skip
    return Film(name, tc_k, cold, curve, found)
