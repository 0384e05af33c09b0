"""Mock films in mock spectrometers: synthetic scans with the imperfections of backward-wave oscillators.

A random generator draws film, mode, one to four source bands with gain, phase, drift and error scale, turns
of 2 pi between bands, path offset, leak, standing wave, loss of coherence in the substrate, outliers, and the
assumed substrate and thickness. The truth is kept for comparison.
"""

from dataclasses import dataclass, replace

import numpy as np

from sitqmc.analytic.measurements.scans import ThzScan, TunnellingCurve, thz_scan
from sitqmc.analytic.measurements.synthetic import SyntheticFilm, frequencies_thz, synthetic_tunnelling
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate, transmission
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.units import Array, Complex

NOISE = 0.005
"""Relative standard error of |t|, and of theta in rad."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MockFilm:
    """Scans of one film, the experimenter's belief, and the truth.

    normal, cold, tunnelling  the data
    further                   cold scans of the same mount at further temperatures
    believed                  film and substrate as the experimenter knows them
    standing_period_thz       known period of the standing wave
    edges_thz                 edges between the source bands
    film, sample, instrument  the truth
    """

    normal: ThzScan
    cold: ThzScan
    tunnelling: TunnellingCurve
    believed: FilmOnSubstrate
    standing_period_thz: float
    edges_thz: tuple[float, ...]
    film: SyntheticFilm
    sample: FilmOnSubstrate
    instrument: Instrument
    further: tuple[ThzScan, ...] = ()

    def omega_thz(self) -> float:
        """Return the frequency of the smallest true sigma1 within the scan and below the gap."""
        nu = np.linspace(self.cold.nu_thz[0], min(2 * self.film.delta_mev(2.0) / 4.1357, 1.2), 4000)
        return float(nu[self.film.sigma(nu, self.cold.t_k).real.argmin()])


def mock_film(rng: np.random.Generator, *, mode: bool, further_k: tuple[float, ...] = ()) -> MockFilm:
    """Return a random film, with or without a mode below the gap, in a random spectrometer.

    further_k  temperatures of cold scans besides the one at 2 K
    """
    film = _film(rng, mode)
    believed_plate = Substrate(thickness_um=1000.0, index=3.1, dispersion=0.01, loss=6e-4)
    plate = replace(
        believed_plate, thickness_um=1000.0 + rng.normal(), index=3.1 + 0.01 * rng.normal(),
        dispersion=0.01 + 0.004 * rng.normal(), loss=abs(6e-4 + 3e-4 * rng.normal()),
    )  # fmt: skip
    sample = FilmOnSubstrate(film_nm=film.film_nm, substrate=plate)
    believed = FilmOnSubstrate(film_nm=film.film_nm + 0.5 * rng.normal(), substrate=believed_plate)
    leak = rng.uniform(0.01, 0.03) * np.exp(2j * np.pi * rng.uniform())
    # The leak is measured in the field past the sample: relative to the normal-state transmission.
    level = np.abs(transmission(np.array([0.5]), film.sigma(np.array([0.5]), film.warm_k), sample)[0])
    instrument = Instrument(
        path_um=20 * rng.normal(), standing_cos=0.006 * rng.normal(), standing_sin=0.006 * rng.normal(),
        standing_period_thz=rng.uniform(0.1, 0.2), leak_re=level * leak.real, leak_im=level * leak.imag,
    )  # fmt: skip
    sample = replace(sample, coherence=1.0 - rng.uniform(0.0, 0.08))
    count = int(rng.integers(1, 5))
    edges = tuple(np.sort(rng.uniform(0.2, 1.2, count - 1)).tolist())
    gains = np.exp(0.03 * rng.normal(size=count) + 0.03j * rng.normal(size=count))
    scans = [_scan(film, sample, instrument, edges, gains, t_k, rng) for t_k in (film.warm_k, film.cold_k)]
    tunnelling = synthetic_tunnelling(film, rng)
    further = tuple(_scan(film, sample, instrument, edges, gains, t_k, rng) for t_k in further_k)
    return MockFilm(
        normal=scans[0], cold=scans[1], tunnelling=tunnelling, believed=believed,
        standing_period_thz=instrument.standing_period_thz, edges_thz=edges, film=film, sample=sample,
        instrument=instrument, further=further,
    )  # fmt: skip


def _film(rng: np.random.Generator, mode: bool) -> SyntheticFilm:
    """Return a film of a random critical temperature; the mode lies at half to three quarters of the gap."""
    tc = rng.uniform(4.0, 7.0) if mode else rng.uniform(7.0, 11.0)
    film = SyntheticFilm(
        tc_k=tc, ratio=rng.uniform(3.9, 4.4), sigma_n=rng.uniform(*((1500, 4500) if mode else (4000, 9000))),
        film_nm=rng.uniform(15, 40),
    )  # fmt: skip
    if not mode:
        return film
    gap_thz = 2 * film.delta_mev(film.cold_k) / 4.135667696923859
    return replace(
        film, mode_thz=gap_thz * rng.uniform(0.5, 0.8), mode_height=rng.uniform(0.12, 0.4),
        mode_width_thz=gap_thz * rng.uniform(0.2, 0.35),
    )  # fmt: skip


def _scan(
    film: SyntheticFilm, sample: FilmOnSubstrate, instrument: Instrument, edges: tuple[float, ...],
    gains: Complex, t_k: float, rng: np.random.Generator,
) -> ThzScan:  # fmt: skip
    """Return one scan through the bands: gain, drift, turns, noise with an unknown scale, outliers."""
    nu = frequencies_thz()
    band = np.searchsorted(np.array(edges), nu)
    drift = np.exp(0.005 * rng.normal(size=gains.size) + 0.005j * rng.normal(size=gains.size))
    seen = instrument.apply(nu, transmission(nu, film.sigma(nu, t_k), sample)) * (gains * drift)[band]
    scale = rng.uniform(0.7, 1.4, gains.size)[band] * NOISE
    noise = rng.normal(size=(2, nu.size)) * scale
    wild = rng.uniform(size=(2, nu.size)) < 0.005
    noise[wild] *= 10
    theta: Array = np.unwrap(np.angle(seen)) + 2 * np.pi * rng.integers(-1, 2, gains.size)[band]
    t = np.abs(seen)
    return thz_scan(
        nu, t * (1 + noise[0]), theta + noise[1], t_k, t_error=NOISE * t, theta_error=NOISE, synthetic=True
    )
