"""Errors of numbers read off a spectrum: calibrated factors, open tails, intervals of features."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from sitqmc.continuation import CorrelatorData, continue_correlator, current_kernel, sinh_grid
from sitqmc.continuation.methods.gaussian_process.tails import power_law_gain
from sitqmc.continuation.spectrum import calibration
from sitqmc.continuation.spectrum.calibration import error_factor
from sitqmc.continuation.spectrum.features import feature_estimate, half_width, main_peak

FINE = sinh_grid(400.0, 0.05, 4000)
BETA, NOISE = 10.0, 1e-4


def data_of(A):
    """Fifty samples of rho(i w_n) of a spectrum on FINE, with rho_s = 0.2."""
    n = np.arange(20)
    clean = 0.2 + current_kernel(n, FINE.omega, BETA, 0.1) @ (A * FINE.weights)
    noise = np.random.default_rng(1).normal(size=(50, n.size)) * NOISE * clean.max() * np.sqrt(50)
    return CorrelatorData.from_samples(clean + noise, kind="rho_iw", beta=BETA, grid=n, eps=0.1)


@pytest.fixture(scope="module")
def heavy():
    """A spectrum that falls as omega^-3 and its continuation."""
    A = 0.3 * FINE.omega**2 / (1 + (FINE.omega / 2.0) ** 5)
    return A, continue_correlator(data_of(A), n_omega=80, n_draws=20, threads=1)


@pytest.fixture
def benchmark(monkeypatch):
    """The benchmark that learns the factors."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("continuation_calibration")


def test_a_power_law_continues_a_shape_by_its_tangent():
    w = np.geomspace(0.1, 60.0, 400)
    shape = -w
    tailed = shape + power_law_gain(w, shape, 3.0)
    slope = np.gradient(tailed, np.log(w))
    np.testing.assert_allclose(tailed[w < 2.9], shape[w < 2.9])
    np.testing.assert_allclose(slope[w > 3.2], -3.0, rtol=1e-3)
    assert np.abs(np.diff(slope)).max() < 0.1            # no kink


def test_a_shape_that_falls_slowly_keeps_its_tail():
    w = np.geomspace(0.1, 60.0, 200)
    assert not power_law_gain(w, -2.0 * np.log1p(w), 3.0).any()


def test_moments_depend_on_a_tail_above_the_data_and_their_errors_say_so(heavy):
    A, s = heavy
    assert s.depends_on_tail(s.omega**2)
    tail = s.posterior.tail_error((s.omega**2)[None, :])[0]
    assert s.functional(s.omega**2).error >= tail > 0.0
    moment = s.functional(s.omega)
    assert abs(moment.value - A @ (FINE.omega * FINE.weights)) < 3.0 * moment.error


def test_the_weight_at_low_frequency_does_not(heavy):
    _, s = heavy
    assert not s.depends_on_tail(1.0 * (s.omega < 2.0))
    weight = s.weight(0.0, 2.0)
    factor = s.posterior.error_factor("weight")
    assert weight.error == pytest.approx(factor * max(weight.statistical, weight.posterior))


def test_other_methods_are_not_calibrated(heavy):
    A, _ = heavy
    s = continue_correlator(data_of(A), method="maxent", n_omega=80, threads=1)
    assert s.posterior.error_factor("weight") == 1.0
    assert not s.depends_on_tail(s.omega)


def test_the_table_is_what_the_stored_spectra_teach(benchmark):
    table, pointwise = benchmark.learn(benchmark.read(benchmark.STORED))
    assert table == calibration.TABLE
    assert pointwise == calibration.POINTWISE


def test_a_quantile_plane_has_the_wanted_share_of_all_weight_below_it(benchmark):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.5, 1.5, 2000)
    y = 0.3 - 0.2 * x + np.log(np.abs(rng.normal(size=x.size)))
    terms, even = np.column_stack([np.ones_like(x), x]), np.ones_like(x)
    assert benchmark.quantile_plane(terms, y, even, 0.6827) == pytest.approx((0.3, -0.2), abs=0.06)
    # Ten copies of every point weigh as much as a weight of ten.
    x, y, terms = x[:200], y[:200], terms[:200]
    heavy = np.where(x > 0.0, 10.0, 1.0)
    copies = np.repeat(np.arange(x.size), heavy.astype(int))
    again = benchmark.quantile_plane(terms[copies], y[copies], np.ones(copies.size), 0.6827)
    assert benchmark.quantile_plane(terms, y, heavy, 0.6827) == pytest.approx(again, abs=0.011)


def test_kinds_with_many_draws_teach_no_more_than_others(benchmark):
    rng = np.random.default_rng(3)

    def records(name, count, size):
        return [
            {"name": name, "noise": 1e-3, "signal": float(s), "pulls": {"peak": size * float(z)}}
            for z, s in zip(rng.normal(size=count), 10.0 ** rng.uniform(2.3, 4.3, count), strict=True)
        ]

    rest = [r for name in "bcde" for r in records(name, 200, 1.0)] + records("wide", 200, 6.0)
    few, many = records("a", 200, 1.0) + rest, records("a", 4000, 1.0) + rest
    factors = [np.exp(benchmark.plane(benchmark.of_quantity(found, "peak"))[0]) for found in (few, many)]
    assert factors[0] == pytest.approx(factors[1], rel=0.1)
    # 68 % (1 + 1/6) of five kinds with normal pulls and one with pulls of six: 1.70; without it 1.27.
    assert factors[0] == pytest.approx(1.70, rel=0.1)


def test_factors_are_constant_beyond_the_range_that_taught_them(monkeypatch):
    monkeypatch.setitem(calibration.TABLE, "mine", (0.2, -0.5))
    low, high = (10.0 ** (calibration.CENTRE + x) for x in calibration.RANGE)
    assert error_factor("mine", 10.0**calibration.CENTRE) == pytest.approx(np.exp(0.2))
    assert error_factor("mine", high) == pytest.approx(error_factor("mine", 100.0 * high))
    assert error_factor("mine", low) == pytest.approx(error_factor("mine", 0.0))
    assert error_factor("unknown", 10.0) == 1.0


def test_the_pointwise_factor_is_continuous_and_learned_in_deviates(heavy):
    _, s = heavy
    w, width = np.array([2.0, 2.0, 2.0]), np.array([1.999, 2.0, 2.001])
    assert np.ptp(np.log(calibration.pointwise_factor(w, width, s.posterior.signal))) < 0.01
    expected = calibration.pointwise_factor(s.omega, s.resolution, s.posterior.signal)
    for q, sign in ((0.841345, 1.0), (0.158655, -1.0)):
        deviate = s.posterior.deviate(s.posterior.quantile(q))
        np.testing.assert_allclose(deviate[1:-40], sign * expected[1:-40], rtol=1e-3, atol=1e-3)


def test_an_interval_holds_its_value_and_no_number_below_value_and_samples():
    # All samples lie above the reported value, or below it.
    low, high = feature_estimate(1.0, np.linspace(2.0, 3.0, 101)).interval()
    assert (low, high) == pytest.approx((1.0, 2.841), abs=0.01)
    low, high = feature_estimate(4.0, np.linspace(2.0, 3.0, 101)).interval()
    assert (low, high) == pytest.approx((2.159, 4.0 + 0.3 * 1.841), abs=0.01)
    wide = feature_estimate(2.0, np.linspace(1.0, 3.0, 101), factor=2.0).interval()
    assert wide == pytest.approx((1.0, 2.0 + 2.0 * 0.683), abs=0.02)


def test_main_peak_and_its_half_width():
    w = FINE.omega
    values = np.exp(-0.5 * ((w - 3.0) / 0.5) ** 2) + 0.4 * np.exp(-0.5 * ((w - 9.0) / 1.0) ** 2)
    assert main_peak(w, values) == pytest.approx(3.0, abs=0.01)
    assert half_width(w, values) == pytest.approx(0.5 * 2.3548, rel=0.01)
    assert np.isnan(main_peak(w, 1.0 / (1.0 + w**2)))
