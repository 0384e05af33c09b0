"""The log-Gaussian process: its covariance, minima, evidence, samples and quantiles."""

import numpy as np
import pytest

from sitqmc.continuation import CorrelatorData, continue_correlator, current_kernel, sinh_grid, tau_kernel
from sitqmc.continuation.methods.gaussian_process.ensemble import prior_ensemble
from sitqmc.continuation.methods.gaussian_process.newton import solve_positive
from sitqmc.continuation.methods.gaussian_process.prior import covariance_root, make_prior
from sitqmc.continuation.methods.gaussian_process.process import (
    Mixture,
    average,
    find_mode,
    minimise,
)
from sitqmc.continuation.methods.gaussian_process.shapes import N_THETA, log_shape, shape_hessian
from sitqmc.continuation.methods.problem import pose
from sitqmc.continuation.options import Options

GRID = sinh_grid(40.0, 0.5, 80)
T = np.arcsinh(GRID.omega / 0.5)
KERNEL = current_kernel(np.arange(1, 9), GRID.omega, 8.0) / 0.01
TRUTH = 0.2 * np.exp(-0.5 * ((GRID.omega - 3.0) / 1.0) ** 2) * GRID.weights


def prior(length=0.6, amplitude=1.5):
    base = 0.1 * np.exp(-GRID.omega / 6.0) * GRID.weights
    return make_prior("test", np.log(base), covariance_root(T, length, amplitude))


def data(seed=0):
    return KERNEL @ TRUTH + np.random.default_rng(seed).normal(size=8)


def target(d, p, c, centre):
    x = np.exp(p.log_x(c))
    return 0.5 * np.sum((d - KERNEL @ x) ** 2) + 0.5 * np.sum((c - centre) ** 2)


def test_root_reproduces_the_even_matern_covariance():
    root = covariance_root(T, 0.6, 1.5)

    def matern(r):
        s = np.sqrt(5) * r / 0.6
        return (1 + s + s**2 / 3) * np.exp(-s)

    exact = 1.5**2 * (matern(np.abs(T[:, None] - T)) + matern(T[:, None] + T))
    assert np.abs(root @ root.T - exact).max() < 2e-3 * exact.max()
    assert root.shape[1] < 60


def test_minimum_is_stationary_and_below_its_neighbours():
    d, p = data(), prior()
    zero = np.zeros(p.Phi.shape[1])
    c, x = minimise(KERNEL, d, p, zero, zero)
    best = target(d, p, c, zero)
    rng = np.random.default_rng(1)
    for size in (0.5, 0.05):
        for _ in range(20):
            assert target(d, p, c + size * rng.normal(size=c.size), zero) > best
    for axis in range(0, c.size, 7):
        h = np.zeros(c.size)
        h[axis] = 1e-4
        assert abs(target(d, p, c + h, zero) - target(d, p, c - h, zero)) / 2e-4 < 0.02
    assert np.allclose(x, np.exp(p.log_x(c)))


def test_positive_systems_are_solved_and_others_refused():
    rng = np.random.default_rng(5)
    A = rng.normal(size=(17, 17))
    M, b = A @ A.T + np.eye(17), rng.normal(size=17)
    z, positive = solve_positive(M.copy(), b)
    assert positive
    np.testing.assert_allclose(z, np.linalg.solve(M, b), rtol=1e-10)
    assert not solve_positive(M - 2.0 * np.linalg.eigvalsh(M)[3] * np.eye(17), b)[1]


def test_laplace_evidence_against_direct_integration():
    # One free coefficient: the evidence is a one-dimensional integral.
    d = 3.0 * (KERNEL @ TRUTH)
    p = make_prior("one", np.log(TRUTH), np.zeros((80, 0)))
    c = np.linspace(-6, 6, 20001)
    chi2 = np.array([np.sum((d - KERNEL @ TRUTH * np.exp(v)) ** 2) for v in c])
    logs = -0.5 * chi2 - 0.5 * c**2
    exact = logs.max() + np.log(np.sum(np.exp(logs - logs.max())) * (c[1] - c[0]) / np.sqrt(2 * np.pi))
    mode = find_mode(KERNEL, d, p)
    assert mode.c[0] == pytest.approx(np.log(3.0), abs=0.01)
    assert mode.log_evidence == pytest.approx(exact, abs=0.05)


def test_samples_fit_the_data_and_spread_like_the_mode():
    d = data()
    mixture = average(KERNEL, d, [prior(0.5), prior(0.9)])
    draws = mixture.draws(KERNEL, d, 400, seed=3)
    assert np.all(draws > 0)
    chi2 = np.sum((d - draws @ KERNEL.T) ** 2, axis=1)
    assert abs(chi2.mean() - 10.0) < 6.0
    quantiles = np.array([mixture.quantile(q) for q in (0.16, 0.5, 0.84)])
    sampled = np.quantile(draws, [0.16, 0.5, 0.84], axis=0)
    resolved = 0.2 * TRUTH.max() < TRUTH
    width, sampled_width = np.log(quantiles[2] / quantiles[0]), np.log(sampled[2] / sampled[0])
    assert np.allclose(np.mean(width[resolved]), np.mean(sampled_width[resolved]), rtol=0.25)
    assert np.abs(np.log(sampled[1] / quantiles[1]))[resolved].mean() < 0.3


def test_same_seed_same_samples():
    d = data()
    mixture = average(KERNEL, d, [prior()])
    one, two, other = (mixture.draws(KERNEL, d, 20, seed) for seed in (5, 5, 6))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_quantile_of_one_mode_is_log_normal():
    mode = find_mode(KERNEL, data(), prior())
    mixture = Mixture((mode,), np.array([1.0]))
    assert np.allclose(mixture.quantile(0.5), mode.x, rtol=1e-6)
    assert np.allclose(np.log(mixture.quantile(0.841344746) / mode.x), mode.log_error, rtol=1e-4, atol=1e-6)


def test_evidence_prefers_the_prior_that_made_the_data():
    # Spectra from a smooth and from a rough process: on average the evidence prefers the right one.
    rng = np.random.default_rng(8)
    smooth, rough = prior(1.2, 0.7), prior(0.3, 2.0)
    gains = []
    for true, other in ((smooth, rough), (rough, smooth)):
        for _ in range(8):
            x = np.exp(true.log_x(rng.normal(size=true.size)))
            d = KERNEL @ x + rng.normal(size=8)
            gains.append(find_mode(KERNEL, d, true).log_evidence - find_mode(KERNEL, d, other).log_evidence)
    assert np.mean(gains) > 0.5
    assert np.mean(gains[:8]) > 0 < np.mean(gains[8:])


def test_linear_response_of_the_mean():
    d = data()
    mixture = average(KERNEL, d, [prior()])
    change = 0.02 * np.random.default_rng(2).normal(size=8)
    p, mode = mixture.modes[0].prior, mixture.modes[0]
    moved = minimise(KERNEL, d + change, p, mode.c, np.zeros_like(mode.c))[1]
    linear = mixture.response(KERNEL) @ change
    assert np.allclose(linear, moved - mode.x, atol=0.25 * np.abs(moved - mode.x).max())


def test_library_is_positive_and_complete():
    beta, n = 10.0, np.arange(30)
    rho = 0.2 + current_kernel(n, GRID.omega, beta) @ TRUTH
    source = CorrelatorData.from_mean_cov(rho, 1e-6 * np.eye(30), kind="rho_iw", beta=beta, grid=n)
    priors = prior_ensemble(pose(source, Options(omega=GRID.omega)))
    assert len(priors) == 4 * 3 + 6 + 4 * (6 + 5 + 5 + 3 + 4 + 1)
    assert sum(prior.rigid for prior in priors) == 6 + 2 * (6 + 5 + 5 + 3 + 4 + 1)
    assert len({p.name for p in priors}) == len(priors)
    for p in priors:
        x = np.exp(p.log_x(np.zeros(p.size)))
        assert np.all(x > 0)
        # The range of the data is reproduced before anything is fitted.
        assert current_kernel(n, GRID.omega, beta)[-1] @ x == pytest.approx(np.ptp(rho), rel=1e-6)
    # All families are equally probable, and so are all rigid processes of one family.
    families = {}
    for p in priors:
        key = (p.base.family, p.Phi.shape[1], p.Phi[0, 0]) if p.rigid else p.base.family
        families[key] = families.get(key, 0.0) + np.exp(p.log_prior)
    assert len(families) == 7 + 6 + 2 * 6
    assert np.allclose(list(families.values()), 1.0)


@pytest.mark.parametrize("family", range(7))
def test_shape_derivatives_against_differences(family):
    rng = np.random.default_rng(family)
    theta = 0.7 * rng.normal(size=N_THETA[family])
    n, w, row, h = theta.size, GRID.omega, np.exp(-GRID.omega) * GRID.weights, 1e-5

    def shape(at):
        out, tangent = np.empty(w.size), np.empty((w.size, n))
        log_shape(family, at, 0.8, 0.3, w, row, out, tangent)
        return out, tangent

    out, tangent = shape(theta)
    assert row @ np.exp(out) == pytest.approx(1.0)
    pull = rng.normal(size=w.size)
    second = shape_hessian(family, theta, 0.8, 0.3, w, row, pull, tangent)
    for i, e in enumerate(h * np.eye(n)):
        (high, high_tangent), (low, low_tangent) = shape(theta + e), shape(theta - e)
        assert np.allclose(tangent[:, i], (high - low) / (2 * h), rtol=1e-5, atol=1e-6)
        numeric = pull @ (high_tangent - low_tangent) / (2 * h)
        assert np.allclose(second[i], numeric, rtol=1e-2, atol=1e-2 * np.abs(second).max())


def test_a_sharp_peak_is_found_by_the_family_that_has_one():
    narrow = 0.3 * np.exp(-0.5 * ((GRID.omega - 2.0) / 0.1) ** 2) * GRID.weights
    tail = 0.05 / (1.0 + np.exp((4.5 - GRID.omega) / 0.3)) * np.exp(-GRID.omega / 5.0) * GRID.weights
    beta, tau = 8.0, 0.1 * np.arange(1, 41)
    mean = tau_kernel(tau, GRID.omega, beta) @ (narrow + tail)
    source = CorrelatorData.from_mean_cov(
        mean, (1e-4 * mean.max()) ** 2 * np.eye(40), kind="green_tau", beta=beta, grid=tau
    )
    problem = pose(source, Options(omega=GRID.omega))
    modes = average(problem.kernel, problem.whitened_data, prior_ensemble(problem))
    best = modes.modes[int(np.argmax(modes.weights))]
    assert "peak" in best.prior.name
    assert GRID.omega[int(np.argmax(best.x / GRID.weights))] == pytest.approx(2.0, rel=0.1)


def test_number_of_threads_changes_no_bit():
    rng = np.random.default_rng(8)
    samples = 0.3 + 0.01 * KERNEL @ TRUTH + 0.02 * rng.normal(size=(60, 8))
    table = CorrelatorData.from_samples(samples, kind="rho_iw", beta=8.0, grid=np.arange(1, 9))
    one, three = (continue_correlator(table, threads=n, n_draws=20) for n in (1, 3))
    assert one.values.tobytes() == three.values.tobytes()
    assert one.samples().tobytes() == three.samples().tobytes()
