"""The whole chain on synthetic films, and what it says when a scan is missing."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.analytic import film_stiffness_mev, gap_mev, mattis_bardeen, stiffness_slope_mev
from sitqmc.analytic.film.analysis import analyse_film, fit_substrate
from sitqmc.analytic.film.mount.model import MountPriors
from sitqmc.analytic.film.transmission_fit import FilmSetup
from sitqmc.analytic.measurements.scans import thz_scan
from sitqmc.analytic.measurements.synthetic import (
    SYNTHETIC_FILMS,
    SYNTHETIC_SUBSTRATE,
    frequencies_thz,
    synthetic_scan,
    synthetic_tunnelling,
)
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate, transmission, unwrapped_phase
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.runs.formats.films import bundled_films
from sitqmc.runs.formats.measured.read import read_scan, read_tunnelling

PRIORS = MountPriors(leak=1e-3)
GUESS = Substrate(thickness_um=1000.3, index=3.097, dispersion=0.012, loss=8e-4)


def start(film):
    return FilmSetup(
        sample=FilmOnSubstrate(film_nm=20.0, substrate=GUESS),
        sigma_n=1.2 * film.sigma_n,
        instrument=Instrument(standing_period_thz=0.13),
    )


def test_whole_chain_on_a_film_with_a_mode():
    film, rng = SYNTHETIC_FILMS["5.0K"], np.random.default_rng(31)
    warm, cold = synthetic_scan(film, film.warm_k, rng), synthetic_scan(film, 2.0, rng)
    out = analyse_film(
        cold,
        start(film),
        film.tc_k,
        rng,
        normal=warm,
        priors=PRIORS,
        tunnelling=synthetic_tunnelling(film, rng),
    )
    assert out.notes == ()
    assert not out.plain.fits
    assert out.background.delta_mev == pytest.approx(film.delta_mev(2.0), rel=0.01)
    j_s = film_stiffness_mev(film.omega_sigma2_mev(), 20.0)
    assert abs(out.stiffness_mev.value - j_s) < 4 * out.stiffness_mev.error < 0.04 * j_s
    assert out.peak.value == pytest.approx(film.mode_thz, abs=0.02)
    assert out.weight.extended.value == pytest.approx(np.pi / 2 * film.omega_sigma2_mev(), rel=0.05)
    text = out.report()
    assert "does NOT fit" in text
    assert "J_s" in text


def test_bundled_film_without_a_mode_claims_none():
    folder, film = bundled_films(), SYNTHETIC_FILMS["9.5K"]
    out = analyse_film(
        read_scan(folder / "9.5K_cold.txt"),
        start(film),
        film.tc_k,
        np.random.default_rng(36),
        normal=read_scan(folder / "9.5K_normal.txt"),
        priors=PRIORS,
        tunnelling=read_tunnelling(folder / "9.5K_tunnelling.txt"),
    )
    assert out.plain.fits
    assert len(out.notes) == 1
    assert "no excess conductivity" in out.notes[0]
    assert out.plain.gaps_mev()[0].value == pytest.approx(film.delta_mev(2.0), rel=0.01)


def test_missing_scans_are_said():
    film, rng = SYNTHETIC_FILMS["4.2K"], np.random.default_rng(32)
    known = FilmSetup(sample=film.sample, sigma_n=film.sigma_n)
    out = analyse_film(synthetic_scan(film, 2.0, rng, setup=Instrument()), known, film.tc_k, rng)
    assert out.calibration is None
    assert any("no normal-state scan" in note for note in out.notes)
    assert any("do not trust sigma_H" in note for note in out.notes)
    assert "note:" in out.report()


def test_wrong_path_is_noticed():
    """A path error of 30 micrometres makes sigma1 and sigma2 contradict each other."""
    film, rng = SYNTHETIC_FILMS["5.0K"], np.random.default_rng(33)
    cold = synthetic_scan(film, 2.0, rng, setup=Instrument(path_um=30.0))
    known = FilmSetup(sample=film.sample, sigma_n=film.sigma_n)
    out = analyse_film(cold, known, film.tc_k, rng, tunnelling=synthetic_tunnelling(film, rng))
    assert any("contradict" in note for note in out.notes)


def test_cold_scan_above_tc_is_refused():
    film, rng = SYNTHETIC_FILMS["4.2K"], np.random.default_rng(34)
    with pytest.raises(ValueError, match="no gap above Tc"):
        analyse_film(synthetic_scan(film, 6.0, rng), start(film), film.tc_k, rng)


def test_bare_substrate_scan():
    nu, rng = frequencies_thz(), np.random.default_rng(35)
    bare = FilmOnSubstrate(film_nm=20.0, substrate=SYNTHETIC_SUBSTRATE)
    ideal = Instrument(path_um=2.0).apply(nu, transmission(nu, 0.0, bare))
    scan = thz_scan(
        nu,
        np.abs(ideal) * (1 + 0.005 * rng.normal(size=nu.size)),
        unwrapped_phase(ideal) + 0.005 * rng.normal(size=nu.size),
        10.0,
        t_error=0.005 * np.abs(ideal),
        theta_error=0.005,
    )
    fit, setup = fit_substrate(
        scan,
        start(SYNTHETIC_FILMS["5.0K"]),
        free=("index", "dispersion", "loss", "path_um"),
        priors={"thickness_um": 1.0},
    )
    assert fit.quality.fits
    assert abs(setup.sample.substrate.index - SYNTHETIC_SUBSTRATE.index) < 4 * fit.errors["index"] < 0.02
    with pytest.raises(ValueError, match="unknown parameter"):
        fit_substrate(scan, start(SYNTHETIC_FILMS["5.0K"]), free=("n",))


def test_options_and_notes_reach_every_step():
    """The conductivity model reaches the calibration; a failing step repeats the notes made before."""
    nu, tc = np.arange(0.1, 1.4, 0.01), 10.0
    sample = FilmOnSubstrate(film_nm=20.0, substrate=Substrate(thickness_um=500.0, index=3.1))
    delta, rng = float(gap_mev(4.0, tc)), np.random.default_rng(2)

    def scan(sigma, t_k, noise=2e-4):
        z = transmission(nu, sigma, sample)
        z = z + noise * (rng.standard_normal(nu.size) + 1j * rng.standard_normal(nu.size))
        return thz_scan(nu, np.abs(z), unwrapped_phase(z), t_k, t_error=noise, theta_error=noise / np.abs(z))

    cold, normal = scan(3000 * mattis_bardeen(nu, delta, 4.0), 4.0), scan(3000.0, 15.0)
    setup = FilmSetup(sample=sample, sigma_n=2500.0)
    out = analyse_film(cold, setup, tc, normal=normal, model="mattis_bardeen")
    assert out.calibration.fits
    assert out.plain_fits
    assert out.mount.setup.sigma_n == pytest.approx(3000, rel=5e-3)
    assert out.background.delta_mev == pytest.approx(delta, rel=2e-3)
    expected = film_stiffness_mev(3000 * stiffness_slope_mev(delta, np.inf, 4.0), 20.0)
    assert abs(out.stiffness_mev.pull(expected)) < 4
    with pytest.raises(ValueError, match="noted before: no normal-state scan"):
        analyse_film(cold, setup, tc, model="mattis_bardeen", stiffness_window_thz=(2.0, 3.0))
    with pytest.raises(TypeError, match="unexpected keyword argument 'film'"):
        MountPriors(film=0.5)


@pytest.mark.parametrize(
    ("power", "sign", "index", "words"),
    [
        (False, -1.0, 3.097, "theta seems to have the other sign: use -theta"),
        (True, 1.0, 3.097, r"column t seems to hold the power \|t\|\^2: name it T"),
        (True, -1.0, 3.097, "other sign and t to hold the power"),
        (False, 1.0, 3.25, r"the index of the substrate seems to be 3\.\d+ instead of 3.25"),
        (False, 1.0, 2.0, r"the index of the substrate seems to be 3\.\d+ instead of 2"),
    ],
)
def test_usual_mistakes_are_named(power, sign, index, words):
    """Phase of the other time convention, power for field, wrong index: one line says what would fit."""

    def changed(scan):
        t, error = (scan.t**2, 2 * scan.t * scan.t_error) if power else (scan.t, scan.t_error)
        return replace(scan, t=t, t_error=error, theta=sign * scan.theta)

    folder, film = bundled_films(), SYNTHETIC_FILMS["5.0K"]
    cold, normal = (changed(read_scan(folder / f"5.0K_{kind}.txt")) for kind in ("cold", "normal"))
    setup = start(film).updated({"index": index})
    with pytest.raises(ValueError, match=words) as error:
        analyse_film(cold, setup, 5.0, normal=normal, priors=PRIORS)
    assert "\n" not in str(error.value)
