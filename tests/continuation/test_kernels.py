"""Kernels against direct sums over time slices, closed limits and 30-digit arithmetic."""

import mpmath
import numpy as np
import pytest

from sitqmc.continuation import current_kernel, matsubara, response_kernel, sinh_grid, tau_kernel

BETA, EPS = 6.0, 0.1
OMEGA = np.array([0.0, 1e-9, 1e-3, 0.7, 3.0, 31.0, 200.0])
SLICES = round(BETA / EPS)


def slice_sum(n, omega, beta, eps):
    """eps * sum over slices k >= 1 of (1 - cos w_n tau_k) times the tau kernel: the slow twin."""
    tau = eps * np.arange(1, round(beta / eps))
    return eps * (1.0 - np.cos(np.outer(matsubara(n, beta), tau))) @ tau_kernel(tau, omega, beta)


def test_discrete_current_kernel_is_the_sum_over_slices():
    n = np.arange(SLICES // 2 + 1)
    expected = slice_sum(n, OMEGA, BETA, EPS)
    assert np.allclose(current_kernel(n, OMEGA, BETA, EPS), expected, rtol=1e-11, atol=1e-15)


def test_odd_number_of_slices():
    n = np.arange(4)
    expected = slice_sum(n, OMEGA, 0.7, 0.1)
    assert np.allclose(current_kernel(n, OMEGA, 0.7, 0.1), expected, rtol=1e-11, atol=1e-15)


def test_discrete_response_kernel_is_the_sum_over_all_slices():
    n = np.arange(SLICES // 2 + 1)
    tau = EPS * np.arange(SLICES)
    expected = EPS * np.cos(np.outer(matsubara(n, BETA), tau)) @ tau_kernel(tau, OMEGA, BETA)
    assert np.allclose(response_kernel(n, OMEGA, BETA, EPS), expected, rtol=1e-10, atol=1e-14)


def test_small_step_tends_to_continuous_time_as_eps_to_the_fourth():
    n, omega = np.arange(1, 6), np.array([0.3, 2.0, 9.0])
    exact = current_kernel(n, omega, BETA)
    errors = [np.abs(current_kernel(n, omega, BETA, BETA / m) - exact).max() for m in (200, 400)]
    # The eps^2 corrections of the prefactor and of the denominator cancel.
    assert errors[1] < 1e-6
    assert errors[0] / errors[1] == pytest.approx(16.0, rel=0.05)


def test_continuous_kernels_add_up_to_the_sum_rule():
    n, omega = np.arange(5), np.array([0.1, 1.0, 10.0])
    total = current_kernel(n, omega, BETA) + response_kernel(n, omega, BETA)
    assert np.allclose(total, 2.0 / np.pi, rtol=1e-14)


@pytest.mark.parametrize("tau", [0.0, 1.0, 9.0, 18.0])
@pytest.mark.parametrize("omega", [1e-7, 3.0, 60.0])
def test_tau_kernel_to_machine_accuracy(tau, omega):
    beta = 18.0
    mpmath.mp.dps = 30
    w, t, b = mpmath.mpf(omega), mpmath.mpf(tau), mpmath.mpf(beta)
    exact = w / mpmath.pi * mpmath.cosh(w * (t - b / 2)) / mpmath.sinh(w * b / 2)
    value = tau_kernel(np.array([tau]), np.array([omega]), beta)[0, 0]
    # exp(-w t) loses w*t units in the last place.
    assert value == pytest.approx(float(exact), rel=4e-16 * (2.0 + omega * beta))


@pytest.mark.parametrize("n", [1, 3, 30])
@pytest.mark.parametrize("omega", [1e-8, 1e-4, 2.0, 40.0])
def test_discrete_kernel_to_machine_accuracy(n, omega):
    mpmath.mp.dps = 60
    a, t = mpmath.mpf(EPS) * mpmath.mpf(omega), 2 * mpmath.pi * n * mpmath.mpf(EPS) / mpmath.mpf(BETA)
    sh, ch = mpmath.sinh(a), mpmath.cosh(a)
    exact = a * (sh / (ch - 1) - sh / (ch - mpmath.cos(t))) / mpmath.pi
    value = current_kernel([n], [omega], BETA, EPS)[0, 0]
    assert value == pytest.approx(float(exact), rel=1e-13)


def test_extreme_arguments_stay_finite():
    omega = np.array([0.0, 1e-300, 1e-20, 1e5])
    for beta in (1e-3, 1.0, 1e4):
        eps = beta / 20
        for table in (
            tau_kernel([0.0, beta / 2, beta], omega, beta),
            current_kernel([0, 1, 10], omega, beta, eps),
            current_kernel([0, 1, 10], omega, beta),
            response_kernel([0, 1, 10], omega, beta, eps),
            response_kernel([0, 1, 10], omega, beta),
        ):
            assert np.all(np.isfinite(table))
            assert np.all(table >= 0)
    assert tau_kernel([0.3], [0.0], 2.0)[0, 0] == pytest.approx(1.0 / np.pi, rel=1e-12)


def test_grid_integrates_a_lorentzian():
    grid = sinh_grid(1e4, 1.0, 400)
    integral = grid.weights @ (1.0 / (1.0 + grid.omega**2))
    assert grid.omega[0] == 0.0
    assert grid.omega[-1] == pytest.approx(1e4)
    assert integral == pytest.approx(np.pi / 2, abs=3e-4)
