"""Closure tests: synthetic data with the mean and noise of the given data, and their spectra."""

import numpy as np
import pytest

from sitqmc.continuation import (
    CorrelatorData,
    continue_correlator,
    current_kernel,
    known_stiffness,
    mock_data,
    run_closure_test,
    sinh_grid,
    tau_kernel,
)

BETA, EPS, N = 8.0, 0.1, np.arange(41)
FINE = sinh_grid(80.0, 0.5, 1500)
A = 0.3 * np.exp(-0.5 * ((FINE.omega - 3.0) / 0.8) ** 2)
CLEAN = 0.2 + current_kernel(N, FINE.omega, BETA, EPS) @ (A * FINE.weights)
ROOT = 2e-3 * np.linalg.cholesky(np.exp(-np.abs(N[:, None] - N) / 5.0)) * np.sqrt(120)


def own_data(kinetic=False):
    rng = np.random.default_rng(4)
    table = CLEAN + rng.normal(size=(120, N.size)) @ ROOT.T
    total = 0.2 + 2 / np.pi * A @ FINE.weights + 0.02 * rng.normal(size=120)
    return CorrelatorData.from_samples(
        table, kind="rho_iw", beta=BETA, grid=N, eps=EPS, kinetic=total if kinetic else None)


def test_mock_data_have_the_mean_and_noise_of_the_given_data():
    data = own_data(kinetic=True).with_constraints(known_stiffness(0.2, 0.01))
    sets = [mock_data(data, FINE.omega, A, 0.2, seed) for seed in range(300)]
    means = np.array([s.vector() for s in sets])
    errors = np.sqrt(np.diag(data.without_constraints().joint_covariance()))
    expected = np.append(CLEAN, 0.2 + 2 / np.pi * A @ FINE.weights)
    assert np.abs((means.mean(axis=0) - expected) / errors * np.sqrt(300)).max() < 4.0
    np.testing.assert_allclose(means.std(axis=0), errors, rtol=0.2)
    assert sets[0].n_samples == 120
    assert not sets[0].constraints
    assert mock_data(data, FINE.omega, A, 0.2, 7).mean.tobytes() == sets[7].mean.tobytes()


def test_mock_data_of_an_exactly_known_covariance():
    tau = EPS * np.arange(1, 41)
    clean = tau_kernel(tau, FINE.omega, BETA) @ (A * FINE.weights)
    data = CorrelatorData.from_mean_cov(clean, 1e-8 * np.eye(40), kind="chi_tau", beta=BETA, grid=tau)
    again = mock_data(data, FINE.omega, A, seed=3)
    assert again.n_samples is None
    assert 0.5 < np.std(again.mean - clean) / 1e-4 < 1.5


def test_closure_test_measures_distance_and_coverage():
    good = run_closure_test(own_data(), FINE.omega, A, constant=0.2, draws=2, method="maxent")
    assert good.distance.max() < 0.4
    assert 0.3 < good.coverage(2.0) <= 1.0
    assert good.report().startswith("2 draws: L1 distance")
    flat = np.where(FINE.omega < 8, 0.08, 0.0)
    other = run_closure_test(own_data(), FINE.omega, flat, draws=1, method="maxent")
    assert other.spectra[0].stiffness.value < 0.1
    assert continue_correlator(own_data(), omega=good.omega, method="maxent").omega.size == good.omega.size


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mock_data(own_data(), FINE.omega, -A), "need one finite value >= 0"),
        (lambda: mock_data(own_data(), FINE.omega, A[:-1]), "need one finite value"),
        (lambda: run_closure_test(own_data(), FINE.omega, A, draws=0), "draws = 0"),
    ],
)
def test_impossible_closure_tests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
