"""Errors of series whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from sitqmc.qmc import (
    Model,
    PointAccumulator,
    agree,
    allocate_effort,
    autocorrelation_time,
    average,
    average_point,
    binned_error,
    blocking,
    burn_in_bins,
    covariance,
    covariance_components,
    gamma_method,
    hot_cold_z,
    jackknife,
    missing_bins,
    missing_samples,
    outliers,
    sample_means,
    squared_mean,
    stuck_samples,
    thermalisation_z,
    variance_components,
)
from sitqmc.qmc.observables import bins_needed
from sitqmc.qmc.statistics.allocation import NoiseSource, balance_effort


def ar1(n, a, seed):
    """x' = a x + noise: tau_int = (1 + a)/(2 (1 - a)), unit variance."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n + 1000) * np.sqrt(1 - a**2)
    return lfilter([1.0], [1.0, -a], noise)[1000:]


@pytest.mark.parametrize(("a", "tau"), [(0.0, 0.5), (0.5, 1.5), (0.9, 9.5)])
def test_autocorrelation_time_of_ar1(a, tau):
    value, error = autocorrelation_time(ar1(100_000, a, seed=1))
    assert error < 0.1 * tau + 0.02
    assert abs(value - tau) < 3 * error + 0.02 * tau


def test_blocking_corrects_the_gamma_method():
    """White noise over a weak slow mode, tau_int = 22: the sum of the Gamma method ends at 0.6."""
    rng = np.random.default_rng(2)
    slow = rng.normal(size=100_000) + 0.15 * ar1(100_000, 0.999, seed=5)
    assert gamma_method(slow).tau_int < 1
    assert 2.5 < autocorrelation_time(slow)[0] < 22
    fast = ar1(100_000, 0.5, seed=4)
    assert autocorrelation_time(fast)[0] == gamma_method(fast).tau_int


def test_constant_series():
    assert autocorrelation_time(np.full(100, 0.1)) == (0.5, 0.0)
    for method in (gamma_method, blocking):
        result = method(np.full(100, 0.1))
        assert (result.error, result.tau_int) == (0.0, 0.5)
        assert result.mean == pytest.approx(0.1)


@pytest.mark.parametrize("method", [gamma_method, blocking])
def test_error_and_time_of_ar1_by_each_method(method):
    """a = 0.9, unit noise, n = 1e5: tau_int = 9.5, error of the mean 0.0316; 40 series."""
    results = [method(ar1(100_000, 0.9, seed) / np.sqrt(1 - 0.9**2)) for seed in range(40)]
    errors, times = np.array([r.error for r in results]), np.array([r.tau_int for r in results])
    assert errors.mean() == pytest.approx(0.0316, rel=0.02)
    assert times.mean() == pytest.approx(9.5, rel=0.03)
    # Their own uncertainties are the spread that is seen, and small enough to be of use.
    assert np.mean([r.error_of_error for r in results]) == pytest.approx(errors.std(), rel=0.35)
    assert np.mean([r.tau_error for r in results]) == pytest.approx(times.std(), rel=0.35)
    assert np.mean([r.tau_error for r in results]) < 1.1
    means = np.array([r.mean for r in results])
    assert abs(means.mean()) < 4 * 0.0316 / np.sqrt(40)
    assert means.std() == pytest.approx(0.0316, rel=0.35)


@pytest.mark.parametrize(("n", "a"), [(100_000, 0.9), (2000, 0.5), (2000, 0.0), (2000, -0.5)])
def test_the_two_methods_agree(n, a):
    pairs = [(gamma_method(x), blocking(x)) for x in (ar1(n, a, seed) for seed in range(30))]
    assert sum(agree(g, b) for g, b in pairs) >= 29
    assert np.mean([g.tau_int for g, _ in pairs]) == pytest.approx(0.5 * (1 + a) / (1 - a), rel=0.06)
    # Blocks of a trend never level off: the methods part, and the pair says so or is uncertain.
    wrong = blocking(ar1(n, a, 0)).error / 3
    assert not agree(pairs[0][0], replace(pairs[0][1], error=wrong))


def test_binned_error_of_ar1():
    x = ar1(100_000, 0.9, seed=2)
    error = binned_error(x.reshape(100, 1000).mean(axis=1))
    assert error == pytest.approx(np.sqrt(2 * 9.5 / 1e5), rel=0.25)


def test_thermalisation_scores():
    rng = np.random.default_rng(3)
    flat = rng.normal(size=(40, 16, 2))
    drift = flat + np.linspace(1, 0, 16)[:, None] * np.array([0.0, 1.0])
    assert np.all(np.abs(thermalisation_z(flat)) < 3.5)
    z = thermalisation_z(drift)
    assert abs(z[0]) < 3.5
    assert z[1] > 6
    assert thermalisation_z(drift[:1])[1] > 0


def test_thermalisation_scores_are_unit_normal():
    rng = np.random.default_rng(4)
    many = np.array([thermalisation_z(rng.normal(size=(20, 8))) for _ in range(2000)])
    assert abs(many.mean()) < 4 / np.sqrt(2000)
    assert many.std() == pytest.approx(1.05, abs=0.08)  # t-distribution with 19 degrees of freedom


def test_jackknife_of_a_ratio():
    rng = np.random.default_rng(5)
    x, y = rng.normal(2.0, 0.3, 400), rng.normal(4.0, 0.3, 400)
    e = jackknife(lambda a, b: a / b, x, y)
    expected = 0.5 * np.hypot(0.3 / 2, 0.3 / 4) / np.sqrt(400)
    assert e.error == pytest.approx(expected, rel=0.15)
    assert abs(e.value - 0.5) < 4 * e.error
    linear = jackknife(lambda a: a, x)
    assert linear.error == pytest.approx(average(x).error, rel=1e-9)
    assert np.isnan(jackknife(lambda a: a, x[:1]).error)


def test_squared_mean_has_no_bias():
    rng = np.random.default_rng(6)
    bins = rng.normal(1.0, 2.0, size=(40_000, 4))
    estimate = squared_mean(bins)
    assert abs(estimate.mean() - 1.0) < 4 * estimate.std() / 200
    assert (bins.mean(axis=1) ** 2).mean() > 1.9  # the plain square is far off


def test_covariance_of_the_mean():
    rng = np.random.default_rng(7)
    x = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 2]], size=20_000)
    np.testing.assert_allclose(covariance(x) * 20_000, [[1, 0.6], [0.6, 2]], atol=0.08)
    with pytest.raises(ValueError, match="n_samples = 1"):
        covariance(x[:1])


def relaxing(start, rng, samples=40, n_bins=40, time=4.0):
    """Bins of chains that relax from `start` to the same sample values."""
    values = np.random.default_rng(99).normal(0.0, 1.0, (samples, 1))
    return values + start * np.exp(-np.arange(n_bins) / time) + rng.normal(0.0, 0.3, (samples, n_bins))


def test_hot_and_cold_starts():
    rng = np.random.default_rng(8)
    cold, hot = relaxing(-1.0, rng), relaxing(1.0, rng)
    assert hot_cold_z(cold, hot) < -10
    drop = burn_in_bins(cold, hot)
    assert 8 <= drop <= 24  # 2 exp(-t/4) against noise 0.3 sqrt(2/40) a bin
    assert abs(hot_cold_z(cold[:, drop:], hot[:, drop:])) < 3.5
    assert burn_in_bins(relaxing(0.0, rng), relaxing(0.0, rng)) == 0
    slow = [relaxing(s, rng, time=200.0) for s in (-1.0, 1.0)]
    assert burn_in_bins(*slow) is None
    with pytest.raises(ValueError, match="must have the same shape"):
        hot_cold_z(cold, hot[:, 1:])


def test_hot_and_cold_scores_are_unit_normal():
    rng = np.random.default_rng(9)
    z = np.array([hot_cold_z(relaxing(0.0, rng), relaxing(0.0, rng)) for _ in range(800)])
    assert abs(z.mean()) < 4 / np.sqrt(800)
    assert z.std() == pytest.approx(1.03, abs=0.09)


def pilot(rng, samples=200, n_bins=16, disorder=1.0, thermal=2.0):
    """Bins of samples with known standard deviations."""
    return rng.normal(5.0, disorder, (samples, 1)) + rng.normal(0.0, thermal, (samples, n_bins))


def test_variance_components():
    rng = np.random.default_rng(10)
    parts = [variance_components(pilot(rng)) for _ in range(200)]
    assert np.mean([p.total for p in parts]) == pytest.approx((1 + 4 / 16) / 200, rel=0.03)
    assert np.mean([p.thermal for p in parts]) == pytest.approx(4 / 16 / 200, rel=0.01)
    assert np.mean([p.disorder for p in parts]) == pytest.approx(1 / 200, rel=0.04)
    assert np.mean([p.thermal_fraction for p in parts]) == pytest.approx(0.2, rel=0.04)
    assert variance_components(np.ones((3, 4))).thermal_fraction == 0
    with pytest.raises(ValueError, match=r"\(1, 16\).*2 samples"):
        variance_components(pilot(rng, samples=1))


def test_covariance_components():
    rng = np.random.default_rng(11)
    mix = np.array([[1.0, 0.0], [0.8, 0.6]])
    bins = pilot(rng, samples=4000)[:, :, None] * [1.0, 0.5] + rng.normal(size=(4000, 16, 2)) @ mix.T
    c = covariance_components(bins)
    within = 4 * np.outer([1, 0.5], [1, 0.5]) + mix @ mix.T
    np.testing.assert_allclose(c.thermal * 4000 * 16, within, atol=0.15)
    np.testing.assert_allclose(c.disorder * 4000, np.outer([1, 0.5], [1, 0.5]), atol=0.12)
    np.testing.assert_allclose(np.diag(c.total), variance_components(bins).total, rtol=1e-12)
    np.testing.assert_allclose(np.diag(c.thermal), variance_components(bins).thermal, rtol=1e-12)


def test_plan_is_the_optimum_and_keeps_its_promise():
    rng = np.random.default_rng(12)
    # d = 1, v = 4, t = 9: n = sqrt(4 * 9 / 1) = 6.
    plan = allocate_effort(pilot(rng, samples=20_000), 0.02, therm_bins=9.0)
    assert plan.bins == 6
    assert plan.samples == pytest.approx((1 + 4 / 6) / 0.02**2, rel=0.05)
    assert plan.error <= 0.02 + 1e-12
    cost = {n: (1 + 4 / n) * (9 + n) for n in (3, 6, 12, 16)}
    assert min(cost, key=cost.get) == 6
    assert plan.saving == pytest.approx(cost[16] / cost[6], rel=0.03)
    means = [pilot(rng, plan.samples, plan.bins).mean() for _ in range(100)]
    assert np.std(means) == pytest.approx(0.02, rel=0.25)


def test_plan_without_disorder_runs_few_long_chains():
    rng = np.random.default_rng(13)
    plan = allocate_effort(pilot(rng, disorder=0.0), 0.01, therm_bins=10.0, max_bins=2000)
    assert plan.samples < 200
    assert plan.warnings == (f"bins = {plan.bins}: at its bound max_bins; longer chains would cost less",)
    assert plan.bins > 100
    with pytest.raises(ValueError, match="target_error = 0"):
        allocate_effort(pilot(rng), 0.0, therm_bins=1.0)


def test_further_bins_and_samples():
    rng = np.random.default_rng(14)
    bins = pilot(rng, samples=500, n_bins=200)
    more = missing_bins(bins, 0.1)
    assert more.mean() == pytest.approx(4 / 0.01 - 200, rel=0.05)
    assert np.all(missing_bins(bins, 1.0) == 0)
    assert missing_samples(bins.mean(axis=1), 0.02) == pytest.approx(1.02 / 4e-4 - 500, rel=0.2)
    assert missing_samples(bins.mean(axis=1), 0.5) == 0


def test_outliers():
    rng = np.random.default_rng(15)
    exponential = rng.exponential(size=(200, 400))
    assert sum(len(outliers(x)) for x in exponential) == 0
    assert sum(len(outliers(x)) for x in rng.normal(size=(200, 400))) == 0
    x = rng.normal(size=400)
    x[17] = 30.0
    assert outliers(x).tolist() == [17]
    assert outliers(np.zeros(10)).tolist() == []


def test_frozen_windings():
    rng = np.random.default_rng(16)
    lively = rng.exponential(size=(20, 16))
    lively[3] = 0.0
    assert stuck_samples(lively).tolist() == [3]
    rare = np.where(rng.random((20, 16)) < 0.1, 1.0, 0.0)
    rare[3] = 0.0
    assert stuck_samples(rare).tolist() == []  # an insulator: zero is one of many small values
    rare[5] = 4.0
    assert stuck_samples(rare).tolist() == [5]  # but no chain sits at a winding by chance


def fake_bins(rng, samples=20, n_bins=16):
    """Bins of every observable, white noise around one."""
    model = Model(Lx=4, Ly=4, L_tau=8, eps=0.1, charging=3.0, p=0.1)
    shape = dict.fromkeys(
        (
            "rho_s_x",
            "rho_s_y",
            "kappa",
            "minus_kx",
            "minus_ky",
            "charging_energy",
            "bond_energy",
            "energy",
            "bond",
        ),
        (),
    )
    shape |= {"rho_x": (5,), "rho_y": (5,), "chi_s_raw": (5,), "G_k0": (8,), "G_loc": (8,)}
    bins = {name: 1 + rng.normal(size=(samples, n_bins, *s)) ** 2 for name, s in shape.items()}
    return model, bins, {"rho_s_x": np.full(samples, 0.6)}


def test_connected_parts_of_a_sample():
    """Within a sample, whatever the sample's own mean; noise of the bins does not leak in."""
    rng = np.random.default_rng(18)
    model, bins, _ = fake_bins(rng, samples=4000, n_bins=4)
    beta, sites = model.beta, model.sites
    bins["charging_energy"] = rng.normal(size=(4000, 1)) + rng.normal(size=(4000, 4))
    bins["chi_c_raw"] = np.zeros((4000, 4, 5))
    bins["chi_c_raw"][..., 0] = 7.0
    bins["heat_raw"] = np.full((4000, 4), 3.0)
    bins["density"] = 0.25 + rng.normal(0, 0.1, (4000, 4))
    found = sample_means(model, bins)
    mean, error = found["chi_c"][:, 0].mean(), found["chi_c"][:, 0].std() / np.sqrt(4000)
    assert abs(mean - (7.0 - beta * sites * 1.0)) < 4 * error < 0.2 * beta * sites
    heat = 3.0 - beta**2 * sites * bins["energy"].mean() ** 2
    error = found["heat"].std() / np.sqrt(4000)
    assert abs(found["heat"].mean() - heat) < 4 * error
    np.testing.assert_array_equal(found["kappa"], bins["kappa"].mean(axis=1))
    charged = sample_means(replace(model, action="rotor", n_g=0.3), bins)["kappa"]
    error = charged.std() / np.sqrt(4000)
    assert abs(charged.mean() - (bins["kappa"].mean() - beta * sites * 0.25**2)) < 4 * error


def test_warnings_of_a_point():
    rng = np.random.default_rng(17)
    model, bins, times = fake_bins(rng)
    clean = average_point(model, bins, times, 16)
    assert clean.warnings == ()
    assert clean.checks["kappa"].thermal_fraction == pytest.approx(1.0, abs=0.6)
    bins["kappa"][4] = 0.0
    bins["energy"][2] += 100.0
    warnings = average_point(model, bins, times, 16).warnings
    assert any("kappa is stuck in sample 4" in w for w in warnings)
    assert any("energy lies far outside the other samples in sample 2" in w for w in warnings)
    short = average_point(model, {name: b[:, :4] for name, b in fake_bins(rng)[1].items()}, times, 16)
    assert any("only 4 bins per chain" in w for w in short.warnings)
    slow = average_point(model, fake_bins(rng)[1], {"rho_s_x": np.full(20, 20.0)}, 16)
    assert any("tau_int above 1/20 of the 256 measurements of a chain: rho_s_x" in w for w in slow.warnings)


@pytest.mark.parametrize("samples", [3, 20])
def test_samples_in_pieces_give_the_averages_of_all(samples):
    """Every mean, error and check, for pieces of any size; also where few samples give no spread."""
    model, bins, times = fake_bins(np.random.default_rng(19), samples=samples)
    bins["kappa"][1] = 0.0
    whole = average_point(model, bins, times, 16)
    for sizes in ([1] * samples, [samples - 2, 2], [2, samples - 2]):
        pieces, start = PointAccumulator(model, 16), 0
        for size in sizes:
            part = slice(start, start + size)
            pieces.add({k: b[part] for k, b in bins.items()}, {k: t[part] for k, t in times.items()})
            start += size
        found = pieces.result()
        for name, array in whole.samples.items():
            assert found.samples[name].tobytes() == array.tobytes()
        for name, check in whole.checks.items():
            other = found.checks[name]
            assert (other.outliers, other.stuck) == (check.outliers, check.stuck)
            for field in ("tau_int", "thermalisation_p", "thermal_fraction"):
                assert getattr(other, field) == pytest.approx(getattr(check, field), rel=1e-11, abs=1e-13)
        assert found.warnings == whole.warnings


def test_some_bins_give_the_averages_that_they_allow():
    """An accumulator without checks reads no more than `bins_needed` says, and gives the same numbers."""
    model, bins, times = fake_bins(np.random.default_rng(20))
    whole = average_point(model, bins, times, 16)
    for name in whole.values:
        some = PointAccumulator(model, 16, checks=False)
        some.add({part: bins[part] for part in bins_needed(model, [name])}, {})
        found = some.result()
        np.testing.assert_array_equal(found.values[name].value, whole.values[name].value)
        np.testing.assert_array_equal(found.values[name].error, whole.values[name].error)
        assert found.checks == {}


def test_samples_that_failed_are_named():
    model, bins, times = fake_bins(np.random.default_rng(21))
    warning = average_point(model, bins, times, 16, failed={7: "broken", 3: "ValueError: x"}).warnings[-1]
    assert warning == "not in the averages, because they failed: samples 3, 7 (ValueError: x)"


def test_short_chains_raise_no_alarm_about_what_is_known_by_bins_only():
    """Half a bin is the shortest time that bins can tell; a slow series is still found."""
    model, bins, times = fake_bins(np.random.default_rng(18))
    eight = {name: b[:, :8] for name, b in bins.items()}
    assert not any("tau_int" in w for w in average_point(model, eight, times, 16).warnings)
    slow = average_point(model, eight, times | {"kappa": np.full(20, 7.0)}, 16).warnings
    assert any(w.endswith("of a chain: kappa") for w in slow)


def test_balanced_effort_serves_all_averages():
    """The best number of each is sqrt(v t/d); the common one lies between them and is nowhere far off."""
    short, long = NoiseSource("a", 1.0, 40.0), NoiseSource("b", 0.01, 40.0)
    assert short.best(40.0, 4096) == pytest.approx(40)
    assert long.best(40.0, 4096) == pytest.approx(400)
    found = balance_effort([short, long], therm=40.0, pilot=2000)
    assert 80 < found.measurements < 200
    assert found.excess["a"] == pytest.approx(found.excess["b"], rel=0.1)
    assert max(found.excess.values()) < 1.4
    assert found.saving["a"] > 5
    thermal = NoiseSource("clean", 0.0, 1.0)
    assert balance_effort([thermal], therm=40.0, pilot=100, most=1000).measurements == 1000
    with pytest.raises(ValueError, match="no sources of noise"):
        balance_effort([], therm=1.0, pilot=1)
