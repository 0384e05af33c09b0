"""Errors of series whose errors are known."""

import numpy as np
import pytest

from qmc import (
    autocorrelation_time,
    average,
    binned_error,
    covariance,
    jackknife,
    squared_mean,
    thermalisation_z,
)


def ar1(n, a, seed):
    """x' = a x + noise: tau_int = (1 + a)/(2 (1 - a)), unit variance."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n) * np.sqrt(1 - a**2)
    x = np.empty(n)
    x[0] = rng.normal()
    for i in range(1, n):
        x[i] = a * x[i - 1] + noise[i]
    return x


@pytest.mark.parametrize(("a", "tau"), [(0.0, 0.5), (0.5, 1.5), (0.9, 9.5)])
def test_autocorrelation_time_of_ar1(a, tau):
    value, error = autocorrelation_time(ar1(100_000, a, seed=1))
    assert error < 0.1 * tau + 0.02
    assert abs(value - tau) < 3 * error + 0.02 * tau


def test_constant_series():
    assert autocorrelation_time(np.full(100, 0.1)) == (0.5, 0.0)


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
    assert many.std() == pytest.approx(1.05, abs=0.08)      # t-distribution with 19 degrees of freedom


def test_jackknife_of_a_ratio():
    rng = np.random.default_rng(5)
    x, y = rng.normal(2.0, 0.3, 400), rng.normal(4.0, 0.3, 400)
    e = jackknife(lambda a, b: a / b, x, y)
    expected = 0.5 * np.hypot(0.3 / 2, 0.3 / 4) / np.sqrt(400)
    assert e.error == pytest.approx(expected, rel=0.15)
    assert abs(e.mean - 0.5) < 4 * e.error
    linear = jackknife(lambda a: a, x)
    assert linear.error == pytest.approx(average(x).error, rel=1e-9)
    assert np.isnan(jackknife(lambda a: a, x[:1]).error)


def test_squared_mean_has_no_bias():
    rng = np.random.default_rng(6)
    bins = rng.normal(1.0, 2.0, size=(40_000, 4))
    estimate = squared_mean(bins)
    assert abs(estimate.mean() - 1.0) < 4 * estimate.std() / 200
    assert (bins.mean(axis=1) ** 2).mean() > 1.9            # the plain square is far off


def test_covariance_of_the_mean():
    rng = np.random.default_rng(7)
    x = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 2]], size=20_000)
    np.testing.assert_allclose(covariance(x) * 20_000, [[1, 0.6], [0.6, 2]], atol=0.08)
    with pytest.raises(ValueError, match="n_samples = 1"):
        covariance(x[:1])
