"""Fits on synthetic films of known truth: recovery, errors that are errors, and a verdict that says no."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.analytic.film.derived import (
    Background,
    excess,
    excess_peak,
    extremum_thz,
    line_through_origin,
    missing_weight,
    omega_minimum,
    superfluid,
)
from sitqmc.analytic.film.inversion import (
    MeasuredConductivity,
    instrument_variations,
    invert_resonance_bands,
    invert_scan,
)
from sitqmc.analytic.film.transmission_fit import FilmSetup, fit_film, fit_normal, fit_superconductor
from sitqmc.analytic.film.tunnelling_fit import fit_tunnelling
from sitqmc.analytic.measurements.scans import thz_scan
from sitqmc.analytic.measurements.synthetic import SYNTHETIC_FILMS, synthetic_scan, synthetic_tunnelling
from sitqmc.analytic.numerics.goodness_of_fit import assess_fit
from sitqmc.analytic.numerics.kramers_kronig import smooth_transform_matrix, transform_matrix
from sitqmc.analytic.numerics.least_squares import FreeParameter, fit
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate, transmission
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.superconductor.matsubara import film_stiffness_mev
from sitqmc.analytic.units import MEV_PER_K, thz_to_mev

# What an experimenter knows before the fit: caliper and handbook values, off by about one standard deviation.
PRIORS = {
    "thickness_um": 1.0,
    "index": 0.01,
    "dispersion": 5e-3,
    "loss": 5e-4,
    "film_nm": 0.5,
    "standing_cos": 0.01,
    "standing_sin": 0.01,
    "leak_re": 1e-3,
    "leak_im": 1e-3,
}


def first_guess(film, film_nm=20.0):
    plate = Substrate(thickness_um=1000.3, index=3.097, dispersion=0.012, loss=8e-4)
    return FilmSetup(
        sample=FilmOnSubstrate(film_nm=film_nm, substrate=plate),
        sigma_n=1.2 * film.sigma_n,
        instrument=Instrument(standing_period_thz=0.13),
    )


def scans(name, seed):
    film = SYNTHETIC_FILMS[name]
    rng = np.random.default_rng([seed, 11])
    return film, synthetic_scan(film, film.warm_k, rng), synthetic_scan(film, film.cold_k, rng), rng


def calibrated(name, seed, film_nm=20.0):
    film, warm, cold, rng = scans(name, seed)
    return film, fit_normal(warm, first_guess(film, film_nm), film.tc_k, priors=PRIORS), cold, rng


def test_line_fit_against_the_exact_answer():
    """A straight line has a closed solution: values, errors, correlation and chi^2 must be those."""
    x = np.linspace(0, 1, 30)
    y = 2 + 3 * x + 0.1 * np.random.default_rng(1).normal(size=30)
    out = fit(
        lambda v: [(y - v["a"] - v["b"] * x) / 0.1],
        {"a": FreeParameter(start=0.0), "b": FreeParameter(start=0.0)},
        {},
    )
    design = np.column_stack([np.ones(30), x]) / 0.1
    covariance = np.linalg.inv(design.T @ design)
    best = covariance @ design.T @ (y / 0.1)
    assert [out.values["a"], out.values["b"]] == pytest.approx(best.tolist(), rel=1e-6)
    sigma = np.sqrt(np.diag(covariance))
    assert [out.errors["a"], out.errors["b"]] == pytest.approx(sigma.tolist(), rel=1e-4)
    assert out.correlation[0, 1] == pytest.approx(covariance[0, 1] / np.prod(sigma), rel=1e-4)
    assert out.quality.dof == 28
    assert out.statistical == pytest.approx(out.errors, rel=1e-4)


def test_prior_is_one_more_datum():
    out = fit(
        lambda v: [np.array([1.0 - v["a"], 1.2 - v["a"]]) / 0.1],
        {"a": FreeParameter(start=0.0, prior=0.1)},
        {},
    )
    assert out.values["a"] == pytest.approx(2.2 / 3, rel=1e-6)
    assert out.errors["a"] == pytest.approx(0.1 / np.sqrt(3), rel=1e-4)


def test_verdict_sees_large_and_systematic_residuals():
    r = np.random.default_rng(2).normal(size=400)
    assert assess_fit([r], np.zeros(0), 3).fits
    assert "chi2/dof" in assess_fit([1.5 * r], np.zeros(0), 3).text
    wave = 0.6 * np.sin(np.arange(400) / 15)
    hidden = assess_fit([0.85 * r + wave], np.zeros(0), 3)
    assert hidden.p_value > 1e-3
    assert not hidden.fits
    assert "correlated" in hidden.text


def test_undetermined_parameter_is_refused():
    both = {"a": FreeParameter(start=0.0), "b": FreeParameter(start=0.0)}
    with pytest.raises(ValueError, match="do not determine b"):
        fit(lambda v: [np.ones(5) * (1 - v["a"]) + 0 * v["b"]], both, {})
    with pytest.raises(ValueError, match="do not determine"):
        fit(lambda v: [np.ones(5) * (1 - v["a"] - v["b"])], both, {})


def test_error_of_a_parameter_at_its_bound():
    x = np.array([1.0, 2.0, 3.0])
    out = fit(lambda v: [(-0.1 - v["a"] * x) / 0.2], {"a": FreeParameter(start=1.0, low=0.0)}, {})
    assert out.values["a"] == pytest.approx(0.0, abs=1e-6)
    assert out.errors["a"] == pytest.approx(0.2 / np.sqrt(14.0), rel=1e-6)


def test_normal_scan_calibrates_the_mount():
    film, normal, _, _ = calibrated("5.0K", 1)
    assert normal.fits
    assert normal.fit.values["sigma_n"] == pytest.approx(film.sigma_n, abs=3 * normal.fit.errors["sigma_n"])
    assert normal.fit.errors["sigma_n"] > 10 * normal.fit.statistical["sigma_n"]  # the thickness
    optical = normal.setup.sample.substrate
    # theta measures the sum of both paths, far better than each.
    assert (optical.index - 1) * optical.thickness_um + normal.fit.values["path_um"] == pytest.approx(
        2.1 * 1000.0 + 4.0, abs=0.2
    )
    assert "sigma_n" in normal.report()


def test_start_on_a_bound_does_not_stick_there():
    """A lossless first guess of the substrate must still find the loss."""
    film, warm, _, _ = scans("4.2K", 1)
    start = first_guess(film).updated({"loss": 0.0, "dispersion": 0.0})
    normal = fit_normal(warm, start, film.tc_k, priors=PRIORS | {"dispersion": 0.02})
    assert normal.fits
    assert normal.fit.values["loss"] == pytest.approx(5e-4, abs=4 * normal.fit.errors["loss"])
    assert normal.fit.errors["loss"] < 1e-4
    assert len(instrument_variations(normal)) == 10
    at_bound = fit_normal(
        synthetic_scan(film, film.warm_k, np.random.default_rng(1), setup=Instrument()),
        start,
        film.tc_k,
        priors={"gamma_mev": 0.1, "thickness_um": 1.0, "index": 0.01, "dispersion": 0.02, "loss": 5e-4},
    )
    assert all(s.sample.substrate.loss >= 0 for s in instrument_variations(at_bound))


def test_plain_superconductor_gives_the_gap_of_a_clean_film():
    film, normal, cold, _ = calibrated("9.5K", 2)
    answer = fit_superconductor(cold, normal.setup, film.tc_k)
    assert answer.fits
    assert answer.gaps_mev()[0].value == pytest.approx(film.delta_mev(2.0), rel=0.01)
    assert "rejected" not in answer.report()


@pytest.mark.parametrize("name", ["6.7K", "5.0K", "4.2K"])
def test_plain_superconductor_is_rejected_for_a_film_with_a_mode(name):
    film, normal, cold, _ = calibrated(name, 3)
    answer = fit_superconductor(cold, normal.setup, film.tc_k)
    assert normal.fits
    assert not answer.fits
    assert "does NOT fit" in answer.report()
    assert "rejected: delta_mev" in answer.report()
    with pytest.raises(ValueError, match="no gap can be quoted"):
        answer.gaps_mev()


def test_joint_fit_of_three_temperatures():
    film, warm, cold, rng = scans("9.5K", 4)
    middle = synthetic_scan(film, 7.0, rng)
    both = fit_film(
        [warm, cold, middle], first_guess(film), film.tc_k, priors=PRIORS, free=("sigma_n", "path_um")
    )
    assert both.fits
    assert both.deltas_mev[0] == 0.0
    for k, t_k in ((1, 2.0), (2, 7.0)):
        error = both.fit.errors[f"delta_mev_{k - 1}"]
        assert abs(both.deltas_mev[k] - film.delta_mev(t_k)) < 4 * error < 0.01 * film.delta_mev(t_k)
    assert both.fit.correlation.shape == (13, 13)


def test_dynes_model_recovers_its_own_gamma():
    film, warm, cold, _ = scans("9.5K", 5)
    start = first_guess(film).updated({"gamma_mev": 0.02})
    answer = fit_film(
        [warm, cold], start, film.tc_k, free=("sigma_n", "path_um", "gamma_mev"), priors=PRIORS, model="dynes"
    )
    assert answer.setup.gamma_mev < 0.01  # the synthetic film has no pair breaking


def test_tunnelling_fit():
    film = SYNTHETIC_FILMS["4.2K"]
    curve = synthetic_tunnelling(film, np.random.default_rng(6))
    answer = fit_tunnelling(curve, t_error_k=0.1)
    assert answer.fits
    assert abs(answer.delta_mev.pull(film.delta_mev(2.0))) < 4
    assert answer.delta_mev.error < 0.005
    assert abs(answer.gamma_mev.pull(film.gamma_mev)) < 4
    assert answer.gamma_mev.error < 0.025
    assert "delta_mev" in answer.report()


def test_exact_inversion_of_a_scan_has_honest_errors():
    film, normal, cold, _ = calibrated("6.7K", 7)
    measured = invert_scan(cold, normal.setup)
    truth = film.sigma(measured.nu_thz, 2.0)
    noise = np.sqrt(np.diag(measured.statistical))
    wide = invert_scan(cold, normal.setup, instrument_variations(normal))
    high = measured.nu_thz > 0.2
    pull = ((wide.sigma - truth).real / wide.sigma1_error)[high]
    assert 0.5 < np.sqrt(np.mean(pull**2)) < 1.5
    assert np.all(wide.sigma1_error >= noise[: noise.size // 2])
    assert np.array_equal(wide.sigma, measured.sigma)


def test_resonance_bands_against_the_truth():
    film, normal, cold, _ = calibrated("4.2K", 8)
    measured = invert_resonance_bands(cold, normal.setup, instrument_variations(normal))
    truth = film.sigma(measured.nu_thz, 2.0)
    low = measured.nu_thz < 0.6
    assert 10 <= low.sum() <= 15
    assert np.sqrt(np.mean((measured.sigma - truth).real[low] ** 2)) < 0.05 * film.sigma_n
    assert np.allclose(measured.sigma.imag, truth.imag, rtol=0.15, atol=0.05 * film.sigma_n)
    assert np.linalg.eigvalsh(measured.covariance).min() > 0


def test_superfluid_density_and_consistency():
    film, normal, cold, _ = calibrated("4.2K", 9)
    measured = invert_scan(cold, normal.setup, instrument_variations(normal))
    background = Background(setup=normal.setup, delta_mev=film.delta_mev(2.0), t_k=2.0)
    answer = superfluid(measured, background, (0.08, 0.8))
    assert answer.consistent.fits
    assert answer.omega_sigma2_mev.value == pytest.approx(film.omega_sigma2_mev(), rel=0.05)
    # The plain value of omega sigma2 at 0.3 THz would be off by more.
    plain = 0.3 * 4.135667696 * film.sigma(np.array([0.3]), 2.0).imag[0]
    assert abs(plain / film.omega_sigma2_mev() - 1) > 0.05


def test_contradiction_of_sigma1_and_sigma2_is_found():
    """sigma2 of a film with a mode beside sigma1 without: not Kramers-Kronig partners."""
    film, normal, cold, _ = calibrated("4.2K", 10)
    good = invert_scan(cold, normal.setup)
    background = Background(setup=normal.setup, delta_mev=film.delta_mev(2.0), t_k=2.0)
    wrong = type(good)(
        nu_thz=good.nu_thz,
        sigma=good.sigma - film.mode(good.nu_thz, 2.0).real,
        covariance=good.covariance,
        statistical=good.statistical,
        misfit=good.misfit,
        t_k=2.0,
    )
    assert superfluid(good, background, (0.08, 0.8)).consistent.fits
    assert not superfluid(wrong, background, (0.08, 0.8)).consistent.fits


def test_excess_conductivity_and_its_peak():
    film, normal, cold, rng = calibrated("4.2K", 12)
    measured = invert_scan(cold, normal.setup, instrument_variations(normal))
    background = Background(setup=normal.setup, delta_mev=film.delta_mev(2.0), t_k=2.0)
    broad = Background(setup=normal.setup, delta_mev=film.delta_mev(2.0) * 1.02, t_k=2.0)
    sigma_h = excess(measured, background, [broad])
    peak = excess_peak(sigma_h, (0.1, 0.36), rng)
    assert 0.25 < peak.low <= peak.value <= peak.high < 0.27
    assert np.all(sigma_h.error >= measured.sigma1_error)
    omega = omega_minimum(measured, (0.06, 0.3), rng)
    assert 0.06 <= omega.low <= omega.value <= omega.high < 0.25
    assert omega.value in omega


def test_missing_weight_obeys_the_sum_rule():
    film, normal, cold, _ = calibrated("4.2K", 13)
    measured = invert_scan(cold, normal.setup)
    background = Background(setup=normal.setup, delta_mev=film.delta_mev(2.0), t_k=2.0)
    weight = missing_weight(measured, background)
    assert weight.extended.value == pytest.approx(np.pi / 2 * film.omega_sigma2_mev(), rel=0.02)
    assert 0.5 < weight.share < 0.9
    assert 0 < weight.window.error < 0.05 * weight.window.value


def test_extremum_interval_covers_a_known_minimum():
    nu = np.linspace(0.1, 0.6, 51)
    curve = (nu - 0.33) ** 2 + 0.4 * (nu - 0.33) ** 3
    rng = np.random.default_rng(14)
    covariance = np.eye(51) * 0.003**2
    inside = 0
    for _ in range(40):
        noisy = curve + 0.003 * rng.normal(size=51)
        interval = extremum_thz(nu, noisy, covariance, (0.15, 0.5), largest=False, rng=rng, draws=200)
        inside += 0.33 in interval
    assert 20 <= inside <= 40
    with pytest.raises(ValueError, match="at least 4"):
        extremum_thz(nu, curve, covariance, (0.3, 0.31), largest=False, rng=rng)


def test_kramers_kronig_matrix_on_a_lorentzian():
    """sigma1 = 1/(1 + x^2) has sigma2 = x/(1 + x^2)."""
    grid = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 1200)])
    at = np.array([0.1, 0.5, 1.0, 4.0])
    np.testing.assert_allclose(transform_matrix(at, grid) @ (1 / (1 + grid**2)), at / (1 + at**2), rtol=1e-3)
    on_grid = grid[[300, 700]]
    back = transform_matrix(on_grid, grid) @ (1 / (1 + grid**2))
    np.testing.assert_allclose(back, on_grid / (1 + on_grid**2), rtol=1e-3)


def test_smooth_transform_from_coarse_points():
    nu = np.linspace(0.05, 3.0, 60)
    width, centre = 0.2, 0.6
    mode = -1j * nu * width / (centre**2 - nu**2 - 1j * nu * width)
    sigma2 = smooth_transform_matrix(nu) @ mode.real
    low = nu < 1.0
    np.testing.assert_allclose(sigma2[low], mode.imag[low], atol=0.015)  # the tail above 3 is missing


def test_line_through_origin():
    x = np.array([1.0, 2.0, 3.0, 5.0])
    exact = line_through_origin(x, 0 * x, np.pi / 2 * x, 0.1 * x)
    assert exact.slope.value == pytest.approx(np.pi / 2, rel=1e-12)
    assert exact.chi2 == pytest.approx(0.0, abs=1e-20)
    assert exact.slope.error == pytest.approx(0.05, rel=1e-6)
    assert line_through_origin(x, 0.1 * x, np.pi / 2 * x, 0.1 * x).slope.error > exact.slope.error


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda film, warm, cold: fit_normal(cold, first_guess(film), film.tc_k), "below Tc"),
        (lambda film, warm, cold: fit_superconductor(warm, first_guess(film), film.tc_k), "no gap above Tc"),
        (lambda film, warm, cold: fit_film([cold], first_guess(film), film.tc_k, free=("sigma",)), "unknown"),
        (lambda film, warm, cold: fit_film([], first_guess(film), film.tc_k), "no scans"),
        (lambda film, warm, cold: fit_film([warm], first_guess(film), film.tc_k), "nothing to fit"),
        (lambda film, warm, cold: invert_resonance_bands(cold, first_guess(film), half_width=0.7), "overlap"),
        (
            lambda film, warm, cold: invert_resonance_bands(cold.window(0.2, 0.3), first_guess(film)),
            "resonances",
        ),
    ],
)
def test_bad_requests(call, words):
    film, warm, cold, _ = scans("5.0K", 20)
    with pytest.raises(ValueError, match=words):
        call(film, warm, cold)


@pytest.mark.physics
def test_recovery_over_twenty_noise_seeds():
    """Low disorder: 2 Delta to 1 %. High disorder: sigma1, rho_s, Omega and the peak of sigma_H; pulls.

    The film thickness the fits believe is wrong by a random 0.5 nm, the width of its prior.
    """
    gaps, gap_pulls = [], []
    believed = 20.0 + PRIORS["film_nm"] * np.random.default_rng(50).normal(size=20)
    for seed in range(20):
        film, normal, cold, _ = calibrated("9.5K", 100 + seed, believed[seed])
        width = {"sigma_n": normal.fit.statistical["sigma_n"]}
        answer = fit_superconductor(cold, normal.setup, film.tc_k, priors=width)
        gaps.append(answer.deltas_mev[0] / film.delta_mev(2.0) - 1)
        gap_pulls.append(gaps[-1] * film.delta_mev(2.0) / answer.fit.errors["delta_mev"])
    assert np.sqrt(np.mean(np.square(gaps))) < 0.01
    assert np.sqrt(np.mean(np.square(gap_pulls))) < 1.5

    film = SYNTHETIC_FILMS["4.2K"]
    fine = np.linspace(0.06, 0.25, 2000)
    omega_true = fine[film.sigma(fine, 2.0).real.argmin()]
    truth_mev = film_stiffness_mev(film.omega_sigma2_mev(), film.film_nm)
    hits_omega = hits_peak = 0
    rms, stiffness, stiffness_pulls, pair_pulls, widths = [], [], [], [], []
    for seed in range(20):
        _, normal, cold, rng = calibrated("4.2K", 200 + seed, believed[seed])
        mount = instrument_variations(normal)
        fits = fit_superconductor(cold, normal.setup, film.tc_k).fits
        assert not fits
        pairs, points = (
            invert_resonance_bands(cold, normal.setup, mount),
            invert_scan(cold, normal.setup, mount),
        )
        low = pairs.nu_thz < 0.6
        error = (pairs.sigma - film.sigma(pairs.nu_thz, 2.0)).real
        rms.append(np.sqrt(np.mean(error[low] ** 2)) / film.sigma_n)
        pair_pulls.append(error[low] / pairs.sigma1_error[low])
        background = Background(setup=normal.setup, delta_mev=film.delta_mev(2.0), t_k=2.0)
        d = superfluid(points, background, (0.08, 0.8))
        thickness = normal.setup.sample.film_nm
        stiffness.append(film_stiffness_mev(d.omega_sigma2_mev.value, thickness) / truth_mev - 1)
        stiffness_pulls.append(d.omega_sigma2_mev.pull(film.omega_sigma2_mev()))
        omega = omega_minimum(points, (0.06, 0.25), rng)
        peak = excess_peak(excess(points, background), (0.1, 0.36), rng)
        hits_omega += omega_true in omega
        hits_peak += film.mode_thz in peak
        widths.append([omega.high - omega.low, peak.high - peak.low])
    assert max(rms) < 0.05
    assert np.abs(stiffness).max() < 0.05
    assert 0.5 < np.sqrt(np.mean(np.square(stiffness_pulls))) < 1.5
    assert np.sqrt(np.mean(np.square(pair_pulls))) < 1.5
    assert hits_omega >= 12
    assert hits_peak >= 12
    assert np.all(np.median(widths, axis=0) < [0.1, 0.02])  # a whole window would prove nothing


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_result_does_not_depend_on_units(unit):
    """A line with zero start values: results scale with the unit of x and y, errors included."""
    x = np.linspace(0, 1, 30)
    y = 2 + 3 * x + 0.1 * np.random.default_rng(1).normal(size=30)
    start = {"a": FreeParameter(start=0.0), "b": FreeParameter(start=0.0)}
    out = fit(lambda v: [(unit * y - v["a"] - v["b"] * x / unit) / (0.1 * unit)], start, {})
    one = fit(lambda v: [(y - v["a"] - v["b"] * x) / 0.1], start, {})
    assert out.values["a"] / unit == pytest.approx(one.values["a"], rel=1e-5)
    assert out.values["b"] / unit**2 == pytest.approx(one.values["b"], rel=1e-5)
    assert out.errors["b"] / unit**2 == pytest.approx(one.errors["b"], rel=1e-5)
    assert out.strongest_correlation()[2] == pytest.approx(one.correlation[0, 1], rel=1e-4)


def test_tunnelling_in_any_unit():
    curve = synthetic_tunnelling(SYNTHETIC_FILMS["4.2K"], np.random.default_rng(6))
    siemens = replace(curve, didv=1e-9 * curve.didv, didv_error=1e-9 * curve.didv_error)
    one, other = fit_tunnelling(curve), fit_tunnelling(siemens)
    assert other.delta_mev.value == pytest.approx(one.delta_mev.value, rel=1e-5)
    assert other.delta_mev.error == pytest.approx(one.delta_mev.error, rel=1e-3)


@pytest.mark.parametrize(
    ("t_over_gap", "window"),
    [
        (0.4, (0.05, 1.2)), (0.1, (0.2, 0.5)), (0.4, (0.3, 3.0)), (0.02, (0.4, 0.6)), (0.8, (0.02, 0.3)),
        (0.8, (0.6, 6.0)), (0.2, (0.48, 0.49)),
    ],
)  # fmt: skip
def test_missing_weight_is_exact_for_the_background_itself(t_over_gap, window):
    """Measured data that equal the background: share and total against the sum rule and a fine integral."""
    nu = np.linspace(*window, 200)
    setup = FilmSetup(sample=first_guess(SYNTHETIC_FILMS["5.0K"]).sample, sigma_n=3000.0)
    background = Background(setup=setup, delta_mev=1.0, t_k=t_over_gap / MEV_PER_K)
    noise = np.eye(400) * 1e-4
    data = MeasuredConductivity(
        nu_thz=nu,
        sigma=background.sigma(nu),
        covariance=noise,
        statistical=noise,
        misfit=np.full(200, np.nan),
        t_k=background.t_k,
    )
    weight = missing_weight(data, background)
    fine = np.linspace(*window, 40_001)
    inside = np.trapezoid((background.normal(fine) - background.sigma(fine)).real, thz_to_mev(fine))
    assert weight.window.value == pytest.approx(inside, rel=1e-4)
    assert weight.extended.value == pytest.approx(np.pi / 2 * background.omega_sigma2_mev(), rel=1e-12)


def test_points_near_the_noise_floor_are_left_out_and_bias_nothing():
    """A film whose |t| falls into the noise: the gap stays right, and the scan counts the omitted points."""
    film = SYNTHETIC_FILMS["9.5K"]
    setup = FilmSetup(sample=film.sample, sigma_n=film.sigma_n)
    nu = np.arange(0.06, 1.4, 0.004)
    ideal = transmission(nu, film.sigma(nu, 2.0), film.sample)
    noise = 0.006
    pulls = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        seen = ideal + noise * (rng.normal(size=nu.size) + 1j * rng.normal(size=nu.size))
        scan = thz_scan(
            nu, np.abs(seen), np.unwrap(np.angle(seen)), 2.0, t_error=noise, theta_error=noise / np.abs(ideal)
        )
        assert any("below 5 errors left out" in note for note in scan.notes)
        answer = fit_superconductor(scan, setup, film.tc_k)
        pulls.append(answer.fit.estimate("delta_mev").pull(film.delta_mev(2.0)))
    assert abs(np.mean(pulls)) < 1.0
    assert 0.4 < np.std(pulls) < 1.8
