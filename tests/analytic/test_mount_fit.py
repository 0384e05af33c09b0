"""Joint fit of normal and cold scan in a mock spectrometer with bands, leak, offsets and outliers."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.analytic.film.mount_fit import fit_mount
from sitqmc.analytic.film.mount_model import MountModel, MountPriors, numerical_jacobian
from sitqmc.analytic.film.transmission_fit import FilmSetup
from sitqmc.analytic.film.tunnelling_fit import fit_tunnelling
from sitqmc.analytic.measurements.mock import mock_film
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.superconductor.matsubara import film_stiffness_mev
from sitqmc.estimate import Estimate


def believed(mock):
    instrument = Instrument(standing_period_thz=mock.standing_period_thz)
    return FilmSetup(sample=mock.believed, sigma_n=3000.0, instrument=instrument)


def joint_fit(mock):
    gap = fit_tunnelling(mock.tunnelling).delta_mev
    return fit_mount(
        mock.normal, mock.cold, believed(mock), mock.film.tc_k, delta_mev=gap, edges_thz=mock.edges_thz
    )


def stiffness(mock):
    return film_stiffness_mev(mock.film.omega_sigma2_mev(), mock.film.film_nm)


def test_derivatives_of_the_model():
    mock = mock_film(np.random.default_rng(1), mode=True)
    gap = Estimate(mock.film.delta_mev(2.0), 0.01)
    model = MountModel(
        mock.normal,
        mock.cold,
        believed(mock),
        gap,
        MountPriors(),
        np.array(mock.edges_thz),
        "finite_scattering",
    )
    u = 0.3 * np.random.default_rng(0).normal(size=len(model.names))
    slow = numerical_jacobian(model.residuals, u, np.ones(u.size))
    np.testing.assert_allclose(model.jacobian(u, np.ones(u.size)), slow, atol=1e-6 * np.abs(slow).max())


def test_film_with_a_mode():
    mock = mock_film(np.random.default_rng([2026, 1]), mode=True)
    out = joint_fit(mock)
    assert out.quality.fits
    assert not out.plain_fits
    assert out.delta_mev.value == pytest.approx(mock.film.delta_mev(2.0), rel=0.02)
    assert out.stiffness_mev.value == pytest.approx(stiffness(mock), rel=0.02)
    assert abs(out.stiffness_mev.pull(stiffness(mock))) < 3
    low = out.nu_thz < 1.0
    difference = (out.sigma - mock.film.sigma(out.nu_thz, 2.0)).real[low]
    assert np.sqrt(np.mean(difference**2)) < 0.03 * mock.film.sigma_n
    assert out.omega_thz.low <= mock.omega_thz() <= out.omega_thz.high
    assert any("thickness_um" in pair for pair in out.correlated)


def test_film_without_a_mode():
    mock = mock_film(np.random.default_rng([2026, 4]), mode=False)
    out = joint_fit(mock)
    assert out.plain_fits
    assert not out.omega_thz.is_known
    assert out.stiffness_mev.value == pytest.approx(stiffness(mock), rel=0.02)
    assert out.setup.instrument.leak_re == pytest.approx(mock.instrument.leak_re, abs=2e-3)


def test_wrong_model_gives_no_accepted_fit():
    """A cold scan with the other sign of theta: the residuals say that nothing may be quoted."""
    mock = mock_film(np.random.default_rng([2026, 4]), mode=False)
    wrong = replace(mock.cold, theta=-mock.cold.theta)
    out = fit_mount(mock.normal, wrong, believed(mock), mock.film.tc_k, edges_thz=mock.edges_thz)
    assert not out.quality.fits
    assert "does NOT fit" in out.quality.text


def test_scans_on_one_side_of_tc_are_refused():
    mock = mock_film(np.random.default_rng(2), mode=True)
    with pytest.raises(ValueError, match="need one above, one below"):
        fit_mount(mock.normal, mock.normal, believed(mock), mock.film.tc_k)


@pytest.mark.physics
def test_recovery_over_random_mounts():
    """Twenty-four films that played no part in the choice of priors; every second has a mode."""
    gaps, ratios, pulls, places = [], [], [], []
    verdicts = {True: [], False: []}
    for k in range(24, 48):
        mode = bool(k % 2)
        mock = mock_film(np.random.default_rng([2026, k]), mode=mode)
        out = joint_fit(mock)
        gaps.append(out.delta_mev.value / mock.film.delta_mev(2.0) - 1)
        ratios.append(out.stiffness_mev.value / stiffness(mock) - 1)
        pulls.append(out.stiffness_mev.pull(stiffness(mock)))
        verdicts[mode].append(out.plain_fits)
        if mode and not out.plain_fits:
            places.append(out.omega_thz.low <= mock.omega_thz() <= out.omega_thz.high)
    assert np.abs(gaps).max() < 0.02
    assert np.sqrt(np.mean(np.square(ratios))) < 0.05
    assert np.sqrt(np.mean(np.square(pulls))) < 1.5
    assert np.mean(verdicts[True]) <= 0.1
    assert np.mean(verdicts[False]) >= 0.9
    assert np.mean(places) >= 0.6
