"""Simulated curves on laboratory axes: unit conversion, recovery of E_J, amplitude and p, and refusals."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.analytic.comparison import (
    TheoryCurve,
    at_frequencies,
    compare,
    compare_family,
    e_j_from_stiffness,
    to_laboratory,
)
from sitqmc.analytic.film.derived import ExcessConductivity
from sitqmc.analytic.units import SIGMA_Q_S, thz_to_mev
from sitqmc.estimate import Estimate

OMEGA = np.linspace(0.05, 12.0, 240)


def curve(p=0.1, error=1e-3):
    """A made-up family: a peak that moves down with p."""
    sigma = 0.4 * np.exp(-(((OMEGA - (2.5 - 10 * p)) / 0.6) ** 2)) + 0.05 * OMEGA**2 / (9 + OMEGA**2)
    return TheoryCurve(omega=OMEGA, sigma=sigma, error=np.full(OMEGA.size, error), rho_s=0.3)


def film(e_j, p=0.1, amplitude=1.0, noise=1.5, seed=1):
    nu = np.linspace(0.08, 1.2, 24)
    sigma = amplitude * at_frequencies(curve(p), nu, e_j, 20.0)[0]
    sigma = sigma + noise * np.random.default_rng(seed).normal(size=nu.size)
    return ExcessConductivity(nu_thz=nu, sigma_h=sigma, covariance=np.eye(nu.size) * noise**2)


def test_axes():
    nu, scaled = to_laboratory(curve(), 0.8, 20.0)
    sigma, error = scaled.value, scaled.error
    assert thz_to_mev(nu[0]) == pytest.approx(0.05 * 0.8)
    assert sigma[10] == pytest.approx(curve().sigma[10] * SIGMA_Q_S / 20e-7)
    assert error[0] / sigma[0] == pytest.approx(1e-3 / curve().sigma[0])


def test_stiffness_fixes_e_j():
    assert e_j_from_stiffness(0.24, 0.3) == pytest.approx(0.8)
    with pytest.raises(ValueError, match="rho_s"):
        e_j_from_stiffness(0.24, 0.0)


def test_free_e_j_is_recovered_with_an_interval_that_covers():
    inside = 0
    for seed in range(30):
        answer = compare(curve(), film(0.8, seed=seed), 20.0, search_mev=(0.5, 1.5))
        inside += 0.8 in answer.e_j_mev
        assert answer.e_j_mev.value == pytest.approx(0.8, rel=0.05)
        assert answer.e_j_mev.high - answer.e_j_mev.low < 0.1
        assert answer.quality.fits
    assert 14 <= inside <= 28


def test_amplitude_weight_and_peak():
    data = film(0.8, amplitude=2.0, seed=3)
    answer = compare(curve(), data, 20.0, e_j_mev=0.8, amplitude=Estimate(1.0, 2.0))
    assert answer.amplitude.value == pytest.approx(2.0, rel=0.05)
    assert abs(answer.amplitude.pull(2.0)) < 3
    assert answer.weight_ratio == pytest.approx(1.0, abs=0.05)
    assert abs(answer.measured_peak_thz.pull(answer.peak_thz)) < 3
    assert answer.quality.fits
    plain = compare(curve(), data, 20.0, e_j_mev=0.8)
    assert not plain.quality.fits
    assert plain.weight_ratio == pytest.approx(2.0, rel=0.1)


def test_family_finds_p():
    curves = {p: curve(p) for p in (0.075, 0.1, 0.125, 0.15)}
    answer = compare_family(curves, film(0.8, p=0.125, seed=4), 20.0, e_j_mev=0.8)
    assert answer.p.value == 0.125
    assert 0.1 < answer.p.low <= 0.125 <= answer.p.high < 0.15
    assert not answer.each[0.075].quality.fits
    assert answer.best.quality.fits


def test_theory_error_counts():
    data = film(0.9, seed=5)
    sharp = compare(curve(error=1e-6), data, 20.0, e_j_mev=0.8)
    blunt = compare(curve(error=0.1), data, 20.0, e_j_mev=0.8)
    assert blunt.quality.chi2 < 0.5 * sharp.quality.chi2


def test_theory_errors_enter_with_their_correlation():
    """Draws that move the whole curve together cost less than errors that are independent."""
    theory, rng = curve(), np.random.default_rng(7)
    shared = theory.sigma * (1 + 0.1 * rng.normal(size=(500, 1)))
    correlated = replace(theory, draws=shared)
    nu = film(0.8).nu_thz
    covariance = at_frequencies(correlated, nu, 0.8, 20.0)[1]
    size = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(covariance / np.outer(size, size), 1.0, rtol=1e-6)
    scaled = film(0.8, amplitude=1.1, noise=0.3, seed=6)
    assert compare(correlated, scaled, 20.0, e_j_mev=0.8).quality.fits
    assert not compare(theory, scaled, 20.0, e_j_mev=0.8).quality.fits


@pytest.mark.parametrize("band", [0.01, 0.3, 3.0])
def test_flat_line_never_fits(band):
    flat = TheoryCurve(omega=OMEGA, sigma=np.full(OMEGA.size, 0.2), error=np.full(OMEGA.size, band))
    answer = compare(flat, film(0.8), 20.0, amplitude=Estimate(1.0, 1.0))
    assert not answer.quality.fits
    assert "a constant describes" in answer.quality.text


@pytest.mark.parametrize("band", [1e-3, 0.1, 1.0])
def test_shifted_peak_never_fits(band):
    """A curve whose peak is more than three errors away is rejected, however wide its band."""
    data = film(0.8, seed=8)
    shifted = TheoryCurve(omega=OMEGA + 1.5, sigma=curve().sigma, error=np.full(OMEGA.size, band))
    answer = compare(shifted, data, 20.0, e_j_mev=0.8, amplitude=Estimate(1.0, 1.0))
    assert abs(answer.measured_peak_thz.pull(answer.peak_thz)) > 3
    assert "errors apart" in answer.quality.text
    assert not answer.quality.fits


def test_optimum_at_the_edge_is_no_fit():
    answer = compare(curve(), film(0.8), 20.0, search_mev=(1.2, 2.0))
    assert "edge of the search" in answer.quality.text
    assert not answer.quality.fits


def test_search_widens_itself():
    nu = np.linspace(2.0, 60.0, 60)
    sigma = at_frequencies(curve(), nu, 30.0, 20.0)[0]
    data = ExcessConductivity(nu_thz=nu, sigma_h=sigma, covariance=np.eye(nu.size) * 4.0)
    assert compare(curve(), data, 20.0).e_j_mev.value == pytest.approx(30.0, rel=0.02)


def test_two_values_of_e_j_stand_side_by_side():
    answer = compare(curve(), film(0.8, seed=9), 20.0, film_stiffness_mev=Estimate(0.24, 0.01))
    assert answer.e_j_stiffness_mev.value == pytest.approx(0.8)
    assert answer.e_j_agrees
    other = compare(curve(), film(0.8, seed=9), 20.0, film_stiffness_mev=Estimate(2.4, 0.01))
    assert other.e_j_agrees is False
    assert "do NOT agree" in other.report()
    assert compare(curve(), film(0.8, seed=9), 20.0).e_j_agrees is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: compare(curve(), film(0.8), 20.0, e_j_mev=0.1), "theory ends at"),
        (lambda: TheoryCurve(omega=OMEGA[::-1], sigma=OMEGA, error=OMEGA), "increasing"),
        (lambda: TheoryCurve(omega=OMEGA, sigma=OMEGA[:3], error=OMEGA), "equal lists"),
        (lambda: TheoryCurve(omega=OMEGA, sigma=OMEGA * np.nan, error=OMEGA), "finite"),
        (lambda: compare_family({0.1: curve()}, film(0.8), 20.0), "at least 2"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
