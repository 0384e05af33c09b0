"""Joint fit of the scans of one mount in a mock spectrometer with bands, leak, offsets and outliers."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.analytic.film.mount.fit import fit_mount
from sitqmc.analytic.film.mount.model import MountModel, MountPriors
from sitqmc.analytic.film.transmission_fit import FilmSetup
from sitqmc.analytic.film.tunnelling_fit import fit_tunnelling
from sitqmc.analytic.measurements.mock import mock_film
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.superconductor.matsubara import film_stiffness_mev
from sitqmc.estimate import Estimate


def believed(mock):
    instrument = Instrument(standing_period_thz=mock.standing_period_thz)
    rate = mock.scattering_mev
    return FilmSetup(sample=mock.believed, sigma_n=3000.0, scattering_mev=rate, instrument=instrument)


def joint_fit(mock, **options):
    gap = fit_tunnelling(mock.tunnelling).delta_mev
    return fit_mount((mock.normal, mock.cold), believed(mock), mock.film.tc_k, delta_mev=gap, **options)


def stiffness(mock):
    return film_stiffness_mev(mock.film.omega_sigma2_mev(), mock.film.film_nm)


def test_derivatives_of_the_model():
    mock = mock_film(np.random.default_rng(1), mode=True)
    gap, edges = Estimate(mock.film.delta_mev(2.0), 0.01), np.array([0.4, 0.7])
    scans = (mock.normal, mock.cold, replace(mock.cold, t_k=3.0))
    model = MountModel(scans, believed(mock), mock.film.tc_k, gap, MountPriors(), edges, "finite_scattering")
    model.wave_known = True
    u = 0.3 * np.random.default_rng(0).normal(size=len(model.names))
    slow = np.zeros((model.residuals(u).size, u.size))
    for k in range(u.size):
        step = 1e-4 * (np.arange(u.size) == k)
        slow[:, k] = (model.residuals(u + step) - model.residuals(u - step)) / 2e-4
    np.testing.assert_allclose(model.jacobian(u, model.free()), slow, atol=1e-6 * np.abs(slow).max())


def test_film_with_a_mode():
    mock = mock_film(np.random.default_rng([2026, 1]), mode=True)
    out = joint_fit(mock)
    assert out.quality.fits
    (state,) = out.states
    assert not state.plain_fits
    assert state.delta_mev.value == pytest.approx(mock.film.delta_mev(2.0), rel=0.02)
    assert state.stiffness_mev.value == pytest.approx(stiffness(mock), rel=0.05)
    assert abs(state.stiffness_mev.pull(stiffness(mock))) < 3
    nu = state.conductivity.nu_thz
    difference = (state.conductivity.sigma - mock.film.sigma(nu, 2.0)).real[nu < 1.0]
    assert np.sqrt(np.mean(difference**2)) < 0.03 * mock.film.sigma_n
    assert state.omega_thz.low <= mock.omega_thz() <= state.omega_thz.high
    n = nu.size
    assert state.covariance.shape == (n + 3, n + 3)
    np.testing.assert_allclose(state.covariance[:n, :n], state.sigma_h.covariance)
    assert state.covariance[n, n] ** 0.5 == pytest.approx(state.stiffness_mev.error)
    assert abs(state.missing_weight.pull(np.pi / 2 * mock.film.omega_sigma2_mev())) < 3
    assert state.missing_weight.error < 0.04 * state.missing_weight.value
    assert 0.1 < state.window_weight.value / state.missing_weight.value < 1
    assert any(
        line.startswith("thickness of the substrate [")
        and " um] and path offset [" in line
        and " um] cannot be told apart (correlation +" in line
        for line in out.inseparable
    )


def test_film_without_a_mode():
    mock = mock_film(np.random.default_rng([2026, 4]), mode=False)
    out = joint_fit(mock)
    (state,) = out.states
    assert state.plain_fits
    assert not state.omega_thz.is_known
    assert state.stiffness_mev.value == pytest.approx(stiffness(mock), rel=0.03)
    assert out.setup.instrument.leak_re == pytest.approx(mock.instrument.leak_re, abs=2e-3)


def test_several_temperatures_in_one_fit():
    """Mount and bands are common; every temperature gets its own gap, stiffness and verdict."""
    mock = mock_film(np.random.default_rng([2029, 8]), mode=True, further_k=(3.6,))
    gap = fit_tunnelling(mock.tunnelling).delta_mev
    scans = (mock.normal, *mock.further, mock.cold)
    out = fit_mount(scans, believed(mock), mock.film.tc_k, delta_mev=gap, edges_thz=mock.edges_thz)
    assert [state.t_k for state in out.states] == [3.6, 2.0]
    for state in out.states:
        truth = film_stiffness_mev(mock.film.omega_sigma2_mev(state.t_k), mock.film.film_nm)
        assert state.stiffness_mev.value == pytest.approx(truth, rel=0.02)
        assert abs(state.stiffness_mev.pull(truth)) < 3
        assert state.delta_mev.value == pytest.approx(mock.film.delta_mev(state.t_k), rel=0.02)
        assert not state.plain_fits


def every_second(scan, sign=1.0):
    """Return every second point of a scan, with the sign of its phase."""
    fewer = {name: getattr(scan, name)[::2] for name in ("nu_thz", "t", "t_error", "theta_error")}
    return replace(scan, theta=sign * scan.theta[::2], **fewer)


def test_wrong_model_gives_no_number():
    """A cold scan with the other sign of theta is rejected, and no quantity of the film is given."""
    mock = mock_film(np.random.default_rng([2026, 4]), mode=False)
    wrong = replace(mock, normal=every_second(mock.normal), cold=every_second(mock.cold, sign=-1.0))
    out = joint_fit(wrong, edges_thz=mock.edges_thz)
    assert not out.quality.fits
    assert "does NOT fit" in out.quality.text
    assert out.states == ()
    right = joint_fit(replace(wrong, cold=every_second(mock.cold)), edges_thz=mock.edges_thz)
    assert right.quality.fits


def test_scans_on_one_side_of_tc_are_refused():
    mock = mock_film(np.random.default_rng(2), mode=True)
    with pytest.raises(ValueError, match="need one above, one below"):
        fit_mount((mock.normal, mock.normal), believed(mock), mock.film.tc_k)


@pytest.mark.parametrize(("name", "value"), [("gain", -0.1), ("leak", np.nan), ("excess_width_thz", 0.0)])
def test_bad_priors_are_refused(name, value):
    with pytest.raises(ValueError, match=f"MountPriors.{name}"):
        MountPriors(**{name: value})


def recovery(seed, count, wrong=None):
    """Return what the analysis recovers of `count` mock films; every second film has a mode."""
    rows = []
    for k in range(count):
        mode = bool(k % 2)
        mock = mock_film(np.random.default_rng([seed, k]), mode=mode, wrong=wrong)
        out = joint_fit(mock)
        (state,) = out.states
        nu, unit, omega = state.conductivity.nu_thz, mock.film.sigma_n, state.omega_thz
        at_bands = np.isin(nu, nu[np.searchsorted(nu, mock.sample.substrate.resonances_thz(0.07, 1.3))])
        difference = (state.conductivity.sigma - mock.film.sigma(nu, 2.0)).real[at_bands] / unit
        place = mock.omega_thz()
        rows.append({
            "mode": mode,
            "gap": state.delta_mev.value / mock.film.delta_mev(2.0) - 1,
            "stiffness": state.stiffness_mev.value / stiffness(mock) - 1,
            "pull": state.stiffness_mev.pull(stiffness(mock)),
            "sigma1": np.sqrt(np.mean(difference**2)),
            "plain": state.plain_fits,
            "found": omega.is_known,
            "inside": omega.is_known and omega.low <= place <= omega.high,
            "far": omega.is_known and not omega.value - 3 * (omega.value - omega.low) <= place
            <= omega.value + 3 * (omega.high - omega.value),
        })  # fmt: skip
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def rms(x):
    return float(np.sqrt(np.mean(np.square(x))))


@pytest.mark.physics
@pytest.mark.parametrize("seed", [2027, 2031])
def test_recovery_over_random_mounts(seed):
    """Forty mounts: unknown edges, gains, leak, offsets, coherence, scattering rate, period, outliers."""
    found = recovery(seed, 40)
    with_mode, without = found["mode"], ~found["mode"]
    assert np.abs(found["gap"]).max() < 0.02
    assert rms(found["stiffness"]) < 0.05
    assert rms(found["pull"]) < 1.5
    assert rms(found["sigma1"]) < 0.05
    assert found["plain"][with_mode].mean() <= 0.1
    assert found["plain"][without].mean() >= 0.9
    seen = with_mode & found["found"]
    assert found["inside"][seen].mean() >= 0.6
    assert not found["far"][seen].any()


@pytest.mark.physics
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("scattering", 2.0), ("scattering", -2.0), ("thickness_um", 2.0), ("index", -2.0),
        ("dispersion", 2.0), ("loss", -1.0), ("film_nm", 2.0), ("film_nm", -2.0), ("path_um", 2.0),
        ("leak", 1.0), ("leak", 2.0), ("standing", 2.0), ("standing_period", 1.5),
        ("standing_period", -1.5), ("damping", 4.0), ("gain", 2.0), ("drift", 2.0), ("outliers", 4.0),
        ("noise", 1.0),
    ],
)  # fmt: skip
def test_every_nuisance_may_be_wrong(name, size):
    """One nuisance off by one to two widths of its prior, the others at random."""
    found = recovery(4001, 6, {name: size})
    assert np.abs(found["gap"]).max() < 0.02
    assert rms(found["stiffness"]) < 0.02
    assert rms(found["pull"]) < 2.0
    assert (found["plain"] != found["mode"]).mean() > 0.8
    assert not found["far"].any()


def test_recovery_of_two_mounts():
    """A small part of the tests above, on other films; scattering rate and period are far off."""
    found = recovery(2028, 2, {"scattering": -1.5, "standing_period": 1.5})
    assert found["plain"].tolist() == [True, False]
    assert np.abs(found["gap"]).max() < 0.02
    assert np.abs(found["stiffness"]).max() < 0.02
    assert np.abs(found["pull"]).max() < 3
    assert found["sigma1"].max() < 0.05
    assert not found["far"].any()


def test_prior_and_result_of_every_nuisance():
    """Nuisances are listed in words with prior and result; a rate that is a factor of two off is found."""
    mock = mock_film(np.random.default_rng([2026, 1]), mode=True, wrong={"scattering": -1.0})
    known = {n.name: n for n in joint_fit(mock, edges_thz=mock.edges_thz).nuisances}
    rate = known["scattering rate"]
    assert rate.prior.value == 60.0
    assert rate.estimate.value == pytest.approx(mock.film.scattering_mev, rel=0.15)
    assert "(prior: 60 +- 42 meV)" in str(rate)
    assert "(prior: free)" in str(known["sigma_n"])
    period = known["period of the standing wave"].estimate
    assert abs(period.value / mock.instrument.standing_period_thz - 1) < 0.02
    assert known["gain of band 1"].prior == Estimate(1.0, 0.03)
    with pytest.raises(ValueError, match="use one of thickness_um"):
        mock_film(np.random.default_rng(1), mode=True, wrong={"thickness": 1.0})
