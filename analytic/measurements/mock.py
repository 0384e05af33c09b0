"""Mock films in mock spectrometers: synthetic scans with the imperfections of backward-wave oscillators.

A random generator draws film, mode, one to four source bands with gain, phase, drift and error scale, turns
of 2 pi between bands, path offset, leak, standing wave, loss of coherence in the substrate, outliers, the
scattering rate, and the assumed substrate, thickness and period of the standing wave. The truth is kept for
comparison.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sitqmc.analytic.measurements.scans import ThzScan, TunnellingCurve, thz_scan
from sitqmc.analytic.measurements.synthetic import SyntheticFilm, frequencies_thz, synthetic_tunnelling
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate, transmission
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.units import Array, Complex
from sitqmc.result import Result

NOISE = 0.005
"""Relative standard error of |t|, and of theta in rad."""

WIDTHS = {
    "thickness_um": 1.0, "index": 0.01, "dispersion": 5e-3, "loss": 5e-4, "film_nm": 0.5, "scattering": 0.7,
    "path_um": 20.0, "leak": 0.02, "standing": 0.01, "standing_period": 0.5, "damping": 0.02, "gain": 0.03,
    "drift": 0.005, "outliers": 0.005, "noise": 0.4,
}  # fmt: skip
"""Widths of what may be wrong: the default priors of a mount; share of outliers; ln of the error scale."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MockFilm(Result):
    """Scans of one film, the experimenter's belief, and the truth.

    normal, cold, tunnelling  the data
    further                   cold scans of the same mount at further temperatures
    believed                  film and substrate as the experimenter knows them
    scattering_mev            scattering rate as the experimenter guesses it
    standing_period_thz       period of the standing wave as the experimenter guesses it
    edges_thz                 edges between the source bands
    film, sample, instrument  the truth
    """

    normal: ThzScan
    cold: ThzScan
    tunnelling: TunnellingCurve
    believed: FilmOnSubstrate
    scattering_mev: float
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


def mock_film(
    rng: np.random.Generator, *, mode: bool, further_k: tuple[float, ...] = (),
    wrong: Mapping[str, float] | None = None,
) -> MockFilm:  # fmt: skip
    """Return a random film, with or without a mode below the gap, in a random spectrometer.

    further_k  temperatures of cold scans besides the one at 2 K
    wrong      deviations from the experimenter's belief that replace random ones, by names of WIDTHS and in
               units of these: {"scattering": 2.0}
    raises     ValueError for a name that is not in WIDTHS
    """
    for name in wrong or {}:
        if name not in WIDTHS:
            raise ValueError(f"wrong = {name!r}: not known; use one of {', '.join(WIDTHS)}")
    given = {name: WIDTHS[name] * size for name, size in (wrong or {}).items()}
    other = rng.spawn(1)[0]
    film = _film(rng, mode)
    film = replace(film, scattering_mev=60.0 * float(np.exp(given.get("scattering", 0.4 * other.normal()))))
    believed_plate = Substrate(thickness_um=1000.0, index=3.1, dispersion=0.01, loss=6e-4)
    drawn = dict(zip(("thickness_um", "index", "dispersion", "loss"), rng.normal(size=4), strict=True))
    widths = {"thickness_um": 1.0, "index": 0.01, "dispersion": 0.004, "loss": 3e-4}
    shift = {name: given.get(name, widths[name] * drawn[name]) for name in drawn}
    plate = replace(
        believed_plate, thickness_um=1000.0 + shift["thickness_um"], index=3.1 + shift["index"],
        dispersion=0.01 + shift["dispersion"], loss=abs(6e-4 + shift["loss"]),
    )  # fmt: skip
    sample = FilmOnSubstrate(film_nm=film.film_nm, substrate=plate)
    thickness = film.film_nm - given.get("film_nm", -0.5 * rng.normal())
    believed = FilmOnSubstrate(film_nm=thickness, substrate=believed_plate)
    instrument, guess = _instrument(film, sample, given, rng, other)
    sample = replace(sample, coherence=1.0 - given.get("damping", rng.uniform(0.0, 0.08)))
    count = int(rng.integers(1, 5))
    edges = tuple(np.sort(rng.uniform(0.2, 1.2, count - 1)).tolist())
    log_gains = 0.03 * rng.normal(size=count) + 0.03j * rng.normal(size=count)
    if "gain" in given:
        log_gains = given["gain"] * (-1.0) ** np.arange(count) * (1 + 1j)
    gains = np.exp(log_gains)
    spectrometer = _Spectrometer(
        sample, instrument, edges, gains, given.get("drift"), given.get("outliers", 0.005),
        given.get("noise", 0.0),
    )  # fmt: skip
    scans = [spectrometer.scan(film, t_k, rng) for t_k in (film.warm_k, film.cold_k)]
    tunnelling = synthetic_tunnelling(film, rng)
    return MockFilm(
        normal=scans[0], cold=scans[1], tunnelling=tunnelling, believed=believed, scattering_mev=60.0,
        standing_period_thz=guess, edges_thz=edges, film=film, sample=sample, instrument=instrument,
        further=tuple(spectrometer.scan(film, t_k, rng) for t_k in further_k),
    )  # fmt: skip


def _instrument(
    film: SyntheticFilm, sample: FilmOnSubstrate, given: Mapping[str, float], rng: np.random.Generator,
    other: np.random.Generator,
) -> tuple[Instrument, float]:  # fmt: skip
    """Return the instrument and the period of the standing wave that the experimenter guesses."""
    leak = rng.uniform(0.01, 0.03) * np.exp(2j * np.pi * rng.uniform())
    # The leak is measured in the field past the sample: relative to the normal-state transmission.
    level = np.abs(transmission(np.array([0.5]), film.sigma(np.array([0.5]), film.warm_k), sample)[0])
    if "leak" in given:
        leak, level = given["leak"] * np.exp(2j * np.pi * other.uniform()), 1.0
    path = given.get("path_um", 20 * rng.normal())
    wave = 0.006 * rng.normal() + 0.006j * rng.normal()
    if "standing" in given:
        wave = given["standing"] * np.exp(2j * np.pi * other.uniform())
    period = rng.uniform(0.1, 0.2)
    guess = period * float(np.exp(given.get("standing_period", 0.3 * other.normal())))
    instrument = Instrument(
        path_um=path, standing_cos=wave.real, standing_sin=wave.imag, standing_period_thz=period,
        leak_re=level * leak.real, leak_im=level * leak.imag,
    )  # fmt: skip
    return instrument, guess


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


@dataclass(frozen=True, eq=False)
class _Spectrometer:
    """Sample and instrument, and what differs between the bands and the scans.

    drift     largest relative drift of a band between two scans; None: random, 0.005 in every scan
    outliers  share of the points whose noise is ten times larger
    noise     ln of the true noise over the given error, besides the random scale of every band
    """

    sample: FilmOnSubstrate
    instrument: Instrument
    edges: tuple[float, ...]
    gains: Complex
    drift: float | None
    outliers: float
    noise: float

    def scan(self, film: SyntheticFilm, t_k: float, rng: np.random.Generator) -> ThzScan:
        """Return one scan through the bands: gain, drift, turns, noise with an unknown scale, outliers."""
        nu, count = frequencies_thz(), self.gains.size
        band = np.searchsorted(np.array(self.edges), nu)
        size: Complex = (0.005 + 0j) * (rng.normal(size=count) + 1j * rng.normal(size=count))
        if self.drift is not None:
            size = 0.5 * self.drift * (np.sign(size.real) + 1j * np.sign(size.imag))
        drift = np.exp(size)
        ideal = transmission(nu, film.sigma(nu, t_k), self.sample)
        seen = self.instrument.apply(nu, ideal) * (self.gains * drift)[band]
        scale = rng.uniform(0.7, 1.4, count)[band] * NOISE * np.exp(self.noise)
        noise = rng.normal(size=(2, nu.size)) * scale
        noise[rng.uniform(size=(2, nu.size)) < self.outliers] *= 10
        theta: Array = np.unwrap(np.angle(seen)) + 2 * np.pi * rng.integers(-1, 2, count)[band]
        t = np.abs(seen)
        return thz_scan(
            nu, t * (1 + noise[0]), theta + noise[1], t_k, t_error=NOISE * t, theta_error=NOISE,
            synthetic=True,
        )  # fmt: skip
