"""SYNTHETIC films: computer-made scans with a known truth, to try the fits on. Not measurements.

Four films with the critical temperatures of a disorder series, 9.5, 6.7, 5 and 4.2 K; their other numbers are
invented, of the size usual for NbN. The conductivity is the finite-scattering form plus, in the more
disordered films, one mode below the gap whose weight is taken from the delta function,

    sigma_mode = -i omega g A/(omega0^2 - omega^2 - i omega g) - i A g/omega,

so the sum rule and Kramers-Kronig hold. The instrument adds noise, standing waves, a leak and a path offset.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.measurements.scans import ThzScan, TunnellingCurve, thz_scan, tunnelling_curve
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate, transmission, unwrapped_phase
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.superconductor.drude import drude
from sitqmc.analytic.superconductor.finite_scattering import finite_scattering_conductivity
from sitqmc.analytic.superconductor.gap import gap_mev
from sitqmc.analytic.superconductor.matsubara import stiffness_slope_mev
from sitqmc.analytic.superconductor.tunnelling import tunnelling_conductance
from sitqmc.analytic.units import MEV_PER_THZ, Array, Complex

SYNTHETIC_SUBSTRATE = Substrate(thickness_um=1000.0, index=3.1, dispersion=0.01, loss=5e-4)
SYNTHETIC_INSTRUMENT = Instrument(
    path_um=4.0,
    standing_cos=0.006,
    standing_sin=-0.004,
    standing_period_thz=0.13,
    leak_re=0.0006,
    leak_im=-0.0004,
)


@dataclass(frozen=True, kw_only=True)
class SyntheticFilm:
    """Truth of one film. mode_* describe the mode below the gap; mode_height = A/sigma_n, 0 for none."""

    tc_k: float
    ratio: float  # 2 Delta(0)/k Tc
    sigma_n: float  # ohm^-1 cm^-1
    film_nm: float
    scattering_mev: float = 60.0
    mode_thz: float = 0.3
    mode_height: float = 0.0
    mode_width_thz: float = 0.15
    gamma_mev: float = 0.03  # Dynes broadening of the tunnelling curve
    cold_k: float = 2.0

    @property
    def warm_k(self) -> float:
        """Temperature of the normal-state scan."""
        return 1.3 * self.tc_k

    @property
    def sample(self) -> FilmOnSubstrate:
        return FilmOnSubstrate(film_nm=self.film_nm, substrate=SYNTHETIC_SUBSTRATE)

    def delta_mev(self, t_k: float) -> float:
        """Return the gap at a temperature, zero above Tc."""
        return float(gap_mev(t_k, self.tc_k, self.ratio))

    def background(self, nu_thz: ArrayLike, t_k: float) -> Complex:
        """Return the conductivity without the mode, ohm^-1 cm^-1."""
        if t_k >= self.tc_k:
            return drude(nu_thz, self.sigma_n, self.scattering_mev)
        return self.sigma_n * finite_scattering_conductivity(
            nu_thz, self.delta_mev(t_k), self.scattering_mev, t_k
        )

    def mode(self, nu_thz: ArrayLike, t_k: float) -> Complex:
        """Return the mode and the weight that it takes from the delta function; zero above Tc."""
        nu = np.asarray(nu_thz, dtype=float)
        if t_k >= self.tc_k:
            return np.zeros(nu.shape, dtype=complex)
        height, width = self.mode_height * self.sigma_n, self.mode_width_thz
        pole = self.mode_thz**2 - nu**2 - 1j * nu * width
        return np.asarray(-1j * nu * width * height / pole - 1j * height * width / nu, dtype=complex)

    def sigma(self, nu_thz: ArrayLike, t_k: float) -> Complex:
        """Return the full conductivity, ohm^-1 cm^-1."""
        return self.background(nu_thz, t_k) + self.mode(nu_thz, t_k)

    def omega_sigma2_mev(self, t_k: float | None = None) -> float:
        """Return lim hbar omega sigma2 below Tc in meV ohm^-1 cm^-1, by default of the cold film."""
        t_k = self.cold_k if t_k is None else t_k
        bare = stiffness_slope_mev(self.delta_mev(t_k), self.scattering_mev, t_k)
        return self.sigma_n * (bare - self.mode_height * self.mode_width_thz * MEV_PER_THZ)


SYNTHETIC_FILMS = {
    "9.5K": SyntheticFilm(tc_k=9.5, ratio=4.1, sigma_n=8000.0, film_nm=20.0),
    "6.7K": SyntheticFilm(
        tc_k=6.7,
        ratio=4.1,
        sigma_n=4000.0,
        film_nm=20.0,
        mode_height=0.15,
        mode_thz=0.36,
        mode_width_thz=0.12,
    ),
    "5.0K": SyntheticFilm(
        tc_k=5.0,
        ratio=4.2,
        sigma_n=2500.0,
        film_nm=20.0,
        mode_height=0.25,
        mode_thz=0.29,
        mode_width_thz=0.09,
    ),
    "4.2K": SyntheticFilm(
        tc_k=4.2,
        ratio=4.3,
        sigma_n=1800.0,
        film_nm=20.0,
        mode_height=0.35,
        mode_thz=0.26,
        mode_width_thz=0.08,
    ),
}


def frequencies_thz(low: float = 0.06, high: float = 1.4, step: float = 0.004) -> Array:
    """Return the frequencies of the synthetic scans."""
    return np.asarray(low + step * np.arange(round((high - low) / step) + 1), dtype=np.float64)


def synthetic_scan(
    film: SyntheticFilm,
    t_k: float,
    rng: np.random.Generator,
    *,
    noise: float = 0.005,
    setup: Instrument = SYNTHETIC_INSTRUMENT,
) -> ThzScan:
    """Return one synthetic scan; noise is the relative error of |t| and the error of theta in rad."""
    nu = frequencies_thz()
    ideal = setup.apply(nu, transmission(nu, film.sigma(nu, t_k), film.sample))
    t = np.abs(ideal) * (1.0 + noise * rng.normal(size=nu.size))
    theta = unwrapped_phase(ideal) + noise * rng.normal(size=nu.size)
    return thz_scan(
        nu,
        t,
        theta,
        t_k,
        t_error=noise * np.abs(ideal),
        theta_error=noise,
        synthetic=True,
        meta={"film": f"SYNTHETIC, Tc = {film.tc_k:g} K"},
    )


def synthetic_tunnelling(
    film: SyntheticFilm, rng: np.random.Generator, *, noise: float = 0.01
) -> TunnellingCurve:
    """Return a synthetic tunnelling curve of the cold film with a curved background."""
    delta = film.delta_mev(film.cold_k)
    bias = np.linspace(-5 * delta, 5 * delta, 201)
    ideal = tunnelling_conductance(bias, delta, film.gamma_mev, film.cold_k)
    ideal *= 1 + 0.01 * (bias / delta) ** 2
    return tunnelling_curve(
        bias,
        ideal + noise * rng.normal(size=bias.size),
        film.cold_k,
        didv_error=noise,
        synthetic=True,
        meta={"film": f"SYNTHETIC, Tc = {film.tc_k:g} K"},
    )
