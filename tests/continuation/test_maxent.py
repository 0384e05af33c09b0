"""The maximum-entropy engine against dense linear algebra and its own stationarity conditions."""

import numpy as np
import pytest

from sitqmc.continuation import current_kernel, sinh_grid
from sitqmc.continuation.methods.maxent.alpha import choose, log_curvature
from sitqmc.continuation.methods.maxent.maxent import alpha_ladder, functional_variance, scan, solve

BETA = 8.0


@pytest.fixture
def problem():
    """Small whitened problem: K (9, 60), d (9,), m (60,)."""
    rng = np.random.default_rng(3)
    grid = sinh_grid(40.0, 2.0, 60)
    K = current_kernel(np.arange(1, 10), grid.omega, BETA) / 1e-2
    truth = 0.3 * np.exp(-0.5 * ((grid.omega - 3.0) / 0.8) ** 2) * grid.weights
    d = K @ truth + rng.normal(size=9)
    return K, d, 0.05 * np.exp(-grid.omega / 10.0) * grid.weights


@pytest.mark.parametrize("alpha", [1e8, 1e3, 10.0, 0.1])
def test_stationary_for_the_primal_functional(problem, alpha):
    K, d, m = problem
    y, x, converged = solve(K, d, m, alpha, np.zeros(9))
    assert converged
    assert np.all(x > 0)
    # d/dx (chi^2/2 - alpha S) = -K^T (d - K x) + alpha ln(x/m), weighted by x, must vanish.
    gradient = x * (alpha * np.log(x / m) - K.T @ (d - K @ x))
    assert np.abs(gradient).max() < 1e-5 * (1.0 + 0.5 * d @ d)
    assert np.allclose(alpha * y, d - K @ x, atol=1e-4 * np.abs(d).max())


def test_minimum_beats_random_neighbours(problem):
    K, d, m = problem
    alpha = 3.0
    _, x, _ = solve(K, d, m, alpha, np.zeros(9))

    def q(v):
        return 0.5 * np.sum((d - K @ v) ** 2) - alpha * np.sum(v - m - v * np.log(v / m))

    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-3):
        for _ in range(20):
            assert q(x * np.exp(size * rng.normal(size=60))) > q(x)


def test_bad_starts_reach_the_same_minimum(problem):
    K, d, m = problem
    reference = solve(K, d, m, 1.0, np.zeros(9))[1]
    rng = np.random.default_rng(1)
    for _ in range(5):
        x = solve(K, d, m, 1.0, rng.normal(size=9) * 0.05)[1]
        assert np.allclose(x, reference, rtol=1e-3, atol=1e-6 * reference.max())


def test_chi2_falls_and_effective_parameters_grow(problem):
    K, d, m = problem
    points = scan(K, d, m, alpha_ladder(K, m))
    chi2 = np.array([p.chi2 for p in points])
    assert all(p.converged for p in points)
    assert np.all(np.diff(chi2) <= 1e-6 * chi2[:-1])
    assert points[0].n_effective < 1e-3 < 2.0 < points[-1].n_effective <= 9.0


def test_evidence_and_entropy_against_dense_formulas(problem):
    K, d, m = problem
    p = scan(K, d, m, np.array([1e4, 1e2, 5.0]))[-1]
    root = np.sqrt(p.x)
    dense = np.eye(60) + (root[:, None] * (K.T @ K) * root) / 5.0
    entropy = np.sum(p.x - m - p.x * np.log(p.x / m))
    assert p.entropy == pytest.approx(entropy, rel=1e-9)
    expected = -0.5 * p.chi2 + 5.0 * entropy - 0.5 * np.linalg.slogdet(dense)[1]
    assert p.log_evidence == pytest.approx(expected, rel=1e-9)


def test_functional_variance_is_the_inverse_hessian(problem):
    K, d, m = problem
    _, x, _ = solve(K, d, m, 5.0, np.zeros(9))
    G = np.random.default_rng(2).normal(size=(4, 60))
    dense = G @ np.linalg.inv(np.diag(5.0 / x) + K.T @ K) @ G.T
    assert np.allclose(functional_variance(K, x, 5.0, G), np.diag(dense), rtol=1e-8)


def test_classic_alpha_satisfies_its_condition(problem):
    K, d, m = problem
    points = scan(K, d, m, alpha_ladder(K, m, per_decade=40))
    best = points[choose(points, "classic").chosen]
    # Stationary evidence in ln alpha: -2 alpha S = number of effective parameters, up to the change of
    # the curvature at the minimum with alpha, which the textbook condition leaves out.
    assert -2.0 * best.alpha * best.entropy == pytest.approx(best.n_effective, rel=0.25)


def test_corner_of_a_known_curve():
    lg = np.arange(12.0, -4.0, -0.25)
    chi2 = 10.0 + 10.0 ** (0.8 * (lg - 2.0))
    corner = lg[np.argmax(log_curvature(10.0**lg, chi2))]
    assert 2.0 < corner < 4.0


def test_unknown_rule_is_refused(problem):
    K, d, m = problem
    with pytest.raises(ValueError, match="choose one of curvature"):
        choose(scan(K, d, m, np.array([1e3, 1e2, 1e1])), "guess")
