"""Stochastic sampling against exact enumeration; consensus, bootstrap, conductivities at Matsubara points."""

import numpy as np
import pytest

from sitqmc.continuation import (
    CorrelatorData,
    consensus,
    continue_correlator,
    current_kernel,
    lowest_peak,
    midpoint_conductivity,
    sigma_matsubara,
    sinh_grid,
    tau_kernel,
)
from sitqmc.continuation.checks.bootstrap import bootstrap, resampled
from sitqmc.continuation.methods import METHODS
from sitqmc.continuation.methods.stochastic.moves import EDGE, EDGE_WEIGHT
from sitqmc.continuation.methods.stochastic.sampler import State, sample
from sitqmc.continuation.options import Options

BETA, EPS = 6.0, 0.1
N = np.arange(31)
FINE = sinh_grid(200.0, 1.0, 3000)
TRUTH = 0.3 * np.exp(-0.5 * ((FINE.omega - 3.0) / 1.0) ** 2) * FINE.weights


def test_without_data_the_average_is_the_default_model():
    m = np.array([0.1, 0.4, 0.2, 0.3])
    chain = State(np.zeros((1, 4)), np.zeros(1), np.cumsum(m), 64, 1.0)
    rng = np.random.default_rng(0)
    total = np.zeros(4)
    for _ in range(4000):
        chain.run(1.0, 1, rng, adapt=False)
        total += chain.x() / chain.weight
    # 64 deltas, some hundred independent sweeps: error below 0.003.
    assert np.allclose(total / 4000, m, atol=0.01)


def test_two_sites_against_exact_enumeration():
    p, n, theta, d = 0.3, 12, 0.5, 4.0
    k = np.arange(n + 1)
    logs = np.array([np.sum(np.log(np.arange(1, n + 1))) - np.sum(np.log(np.arange(1, j + 1)))
                     - np.sum(np.log(np.arange(1, n - j + 1))) for j in k])  # fmt: skip
    logs += k * np.log(p) + (n - k) * np.log(1 - p) - 0.5 * (d - 10.0 * k / n) ** 2 / theta
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    chain = State(np.array([[1.0, 0.0]]), np.array([d]), np.array([p, 1.0]), n, 10.0)
    chain.stretch = 0.0
    rng = np.random.default_rng(1)
    counts = []
    for _ in range(20000):
        chain.run(theta, 1, rng, adapt=False)
        counts.append(round(chain.x()[0] / 10.0 * n))
    found = np.bincount(counts, minlength=n + 1) / len(counts)
    assert np.abs(found - weights).max() < 0.015


def test_weight_alone_against_its_exact_posterior():
    # One site: x = weight, prior normal in its logarithm, Gaussian likelihood.
    chain = State(np.array([[1.0]]), np.array([2.0]), np.array([1.0]), 5, 1.0)
    chain.stretch = 0.8
    rng = np.random.default_rng(2)
    values = []
    for _ in range(20000):
        chain.run(0.3, 1, rng, adapt=False)
        values.append(np.log(chain.weight))
    u = np.linspace(-5, 5, 4001)
    density = np.exp(-0.5 * u**2 - 0.5 * (2.0 - np.exp(u)) ** 2 / 0.3)
    assert np.mean(values) == pytest.approx(np.sum(u * density) / density.sum(), abs=0.02)


def posterior_mean(chain, theta, seed, sweeps, value):
    """Return the mean over a chain and its error from 20 blocks."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(sweeps):
        chain.run(theta, 1, rng, adapt=False)
        found.append(value(chain))
    blocks = np.mean(np.reshape(found, (20, -1)), axis=1)
    return blocks.mean(), blocks.std(ddof=1) / np.sqrt(20)


def test_free_edge_against_its_exact_posterior():
    """One delta above a free edge, both uniform in the measure: a sum over 400 x 400 points is exact."""
    quota, K = np.array([0.2, 0.5, 0.7, 1.0]), np.array([[0.0, 1.0, 3.0, 2.0]])
    d, theta = np.array([1.2]), 0.5
    e, u = np.meshgrid((np.arange(400) + 0.5) / 400 * 0.999, (np.arange(400) + 0.5) / 400, indexing="ij")
    site = np.searchsorted(quota, e + (1 - e) * u)
    weight = np.exp(-0.5 * (d[0] - K[0, site]) ** 2 / theta)
    chain = State(K, d, quota, 1, 1.0, edge="threshold")
    chain.stretch, chain.steps = 0.0, np.full(4, 0.4)
    for value, exact in (
        (lambda c: c.scalars[EDGE], e), (lambda c: float(c.sites[0] == 2), site == 2),
    ):  # fmt: skip
        mean, error = posterior_mean(chain, theta, 7, 40000, value)
        assert abs(mean - np.average(exact, weights=weight)) < 4 * error < 0.04


def test_leading_delta_against_its_exact_posterior():
    """One delta, one delta at the edge, and the share of the two are three uniform variables."""
    quota, K, d, theta = np.array([0.4, 1.0]), np.array([[0.0, 1.0]]), np.array([0.7]), 0.05
    e, u, a = np.meshgrid(*[(np.arange(80) + 0.5) / 80] * 3, indexing="ij")
    image = (1 - a) * (e + (1 - e) * u > 0.4) + a * (e > 0.4)
    weight = np.exp(-0.5 * (d[0] - image) ** 2 / theta)
    chain = State(K, d, quota, 1, 1.0, edge="peak")
    chain.stretch, chain.steps = 0.0, np.full(4, 0.4)
    mean, error = posterior_mean(chain, theta, 9, 40000, lambda c: c.scalars[EDGE_WEIGHT])
    assert abs(mean - np.average(a, weights=weight)) < 4 * error < 0.03


def test_free_amplitudes_are_uniform_on_the_simplex():
    """Three deltas on three nodes: a fine grid of amplitudes for all 27 placements is exact."""
    K, d, theta = np.array([[0.0, 1.0, 2.0]]), np.array([1.4]), 0.02
    a, b = np.meshgrid((np.arange(600) + 0.5) / 600, (np.arange(600) + 0.5) / 600, indexing="ij")
    inside = a + b < 1
    chain = State(K, d, np.array([1 / 3, 2 / 3, 1.0]), 3, 1.0, amplitudes=True)
    chain.stretch, chain.steps[:] = 0.0, 0.5

    def first(c):
        return float(c.shares[c.sites == 0].sum())

    total = norm = 0.0
    c = np.where(inside, 1 - a - b, 0.0)
    for sites in np.ndindex(3, 3, 3):
        image = sites[0] * a + sites[1] * b + sites[2] * c
        weight = inside * np.exp(-0.5 * (d[0] - image) ** 2 / theta)
        here = (sites[0] == 0) * a + (sites[1] == 0) * b + (sites[2] == 0) * c
        total, norm = total + np.sum(weight * here), norm + weight.sum()
    mean, error = posterior_mean(chain, theta, 3, 40000, first)
    assert abs(mean - total / norm) < 4 * error < 0.02


def test_a_free_edge_sharpens_a_threshold():
    truth = np.where(FINE.omega > 2, np.sqrt(np.clip(FINE.omega - 2, 0, None)) * np.exp(2 - FINE.omega), 0)
    clean = 0.3 * current_kernel(N, FINE.omega, BETA, EPS) @ (truth * FINE.weights)
    rng = np.random.default_rng(6)
    samples = clean + 3e-3 * rng.normal(size=(100, N.size))
    data = CorrelatorData.from_samples(samples, kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    options = {"method": "sampling", "constant": 0.0}
    share = [s.weight(0.0, 1.5).value / s.weight().value for s in (
        continue_correlator(data, **options), continue_correlator(data, edge="threshold", **options))]
    assert share[1] < 0.6 * share[0]


def test_sampling_does_not_depend_on_threads():
    a, b = (continue_correlator(build(), method="sampling", edge="peak", threads=n) for n in (1, 3))
    assert a.values.tobytes() == b.values.tobytes()


def rho_samples(noise, seed, n_samples=100):
    clean = 0.2 + current_kernel(N, FINE.omega, BETA, EPS) @ TRUTH
    rng = np.random.default_rng(seed)
    return clean + noise * np.sqrt(n_samples) * rng.normal(size=(n_samples, N.size))


def build(noise=5e-4, seed=0):
    return CorrelatorData.from_samples(rho_samples(noise, seed), kind="rho_iw", beta=BETA, grid=N, eps=EPS)


def test_sampled_spectrum_fits_and_finds_the_peak():
    s = continue_correlator(build(seed=1), method="sampling", seed=4)
    assert s.chi2 / s.n_data < 2.0
    assert s.peaks()[0].position.value == pytest.approx(3.0, rel=0.15)
    assert s.weight().value == pytest.approx(TRUTH.sum(), rel=0.03)
    again = continue_correlator(build(seed=1), method="sampling", seed=4)
    assert np.array_equal(s.values, again.values)


def test_linear_response_by_fluctuations():
    grid = sinh_grid(30.0, 1.0, 60)
    K = current_kernel(np.arange(1, 6), grid.omega, BETA, EPS) / 0.02
    d = K @ (0.3 * np.exp(-0.5 * (grid.omega - 3.0) ** 2) * grid.weights)
    m = 0.1 * np.exp(-grid.omega / 6.0) * grid.weights
    chain = sample(K, d, m, seed=0, sweeps=20000)
    # Adding a constant spectrum to the truth must raise the weight as the response predicts.
    change = K @ (0.02 * np.exp(-grid.omega / 6.0) * grid.weights)
    expected = (chain.response(K) @ change).sum()
    moved = sample(K, d + change, m, seed=1, sweeps=20000)
    found = (moved.samples.mean(axis=0) - chain.samples.mean(axis=0)).sum()
    assert found == pytest.approx(expected, rel=0.5)


def test_consensus_agrees_on_good_data_and_says_so():
    c = consensus(build(3e-4))
    assert set(c.spectra) == set(METHODS) == {"process", "maxent", "sampling", "sparse", "rational"}
    assert set(c.methods_used) <= {"process", "maxent", "sampling"}
    assert c.agreed_share > 0.7
    assert "methods agree on" in c.verdict()
    assert np.all(c.median <= np.max([s.values for s in c.spectra.values()], axis=0))
    for low, high in c.unresolved():
        assert low <= high
    (low, high), (wide_low, wide_high) = c.band(), c.band(2.0)
    assert np.all((wide_low <= low) & (low <= high) & (high <= wide_high))
    assert np.all(low <= c.best.band()[0] + 1e-12)
    peak = c.interval(lowest_peak)
    low95, high95 = peak.interval(0.95)
    assert low95 <= 3.0 <= high95
    assert low95 <= peak.low <= peak.value <= peak.high <= high95


def test_disagreement_is_located():
    c = consensus(build(3e-4))
    broken = type(c)(c.spectra, c.median, np.abs(c.omega - 5.0) > 1.0, c.pool)
    (low, high), = broken.unresolved()
    assert (low, high) == pytest.approx((4.0, 6.0), abs=0.1)
    assert "unresolved: 4" in broken.verdict()


def test_sigma_matsubara_is_rho_over_frequency():
    data = build()
    w, sigma, error = sigma_matsubara(data)
    assert np.allclose(w, 2 * np.pi * N[1:] / BETA)
    assert np.allclose(sigma, 2 * np.pi * data.mean[1:] / w)
    assert np.all(error > 0)


def test_midpoint_is_the_lattice_fourier_sum():
    exact = tau_kernel([BETA / 2], FINE.omega, BETA)[0] @ TRUTH * BETA**2 / np.pi * 2 * np.pi
    clean = CorrelatorData.from_mean_cov(
        rho_samples(0.0, 0, 1)[0], 1e-8 * np.eye(N.size), kind="rho_iw", beta=BETA, grid=N, eps=EPS
    )
    value = midpoint_conductivity(clean)
    assert value.value == pytest.approx(exact, rel=1e-6)
    assert value.error > 0
    tau = EPS * np.arange(1, 31)
    direct = CorrelatorData.from_mean_cov(
        tau_kernel(tau, FINE.omega, BETA) @ TRUTH, 1e-8 * np.eye(30), kind="lambda_tau", beta=BETA, grid=tau
    )
    assert midpoint_conductivity(direct).value == pytest.approx(exact, rel=1e-9)


def test_midpoint_with_gaps_between_high_frequencies():
    """A spline replaces missing n above 8; it changes the conductivity by less than 0.003."""
    slices, beta = 128, 12.8
    n = np.arange(slices // 2 + 1)
    some = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 17, 20, 23, 26, 30, 34, 39, 44, 50, 57])
    for omega in (0.2, 0.5, 1.0, 2.0, 4.0, 8.0):
        rho = 0.1 + current_kernel(n, np.array([omega]), beta, EPS)[:, 0] / 2
        whole, gaps = (
            CorrelatorData.from_mean_cov(
                rho[grid], 1e-10 * np.eye(grid.size), kind="rho_iw", beta=beta, grid=grid, eps=EPS
            )
            for grid in (n, some)
        )
        found = midpoint_conductivity(gaps, interpolate=True)
        assert found.value == pytest.approx(midpoint_conductivity(whole).value, abs=0.003)
        assert midpoint_conductivity(whole, interpolate=True).value == pytest.approx(
            midpoint_conductivity(whole).value, abs=1e-9)  # fmt: skip
    with pytest.raises(ValueError, match="of an even number of slices are needed"):
        midpoint_conductivity(gaps)


def test_midpoint_refuses_incomplete_data():
    partial = CorrelatorData.from_samples(
        rho_samples(1e-3, 0)[:, :20], kind="rho_iw", beta=BETA, grid=N[:20], eps=EPS
    )
    with pytest.raises(ValueError, match="of an even number of slices are needed"):
        midpoint_conductivity(partial)
    with pytest.raises(ValueError, match="needs rho_iw or lambda_tau"):
        midpoint_conductivity(CorrelatorData.from_mean_cov(
            np.ones(5), np.eye(5), kind="green_tau", beta=BETA, grid=np.arange(5.0)))  # fmt: skip


def test_bootstrap_is_independent_of_the_number_of_workers():
    data, options = build(1e-3), Options(method="maxent", n_omega=80)
    omega = sinh_grid(30.0, 1.0, 80).omega
    alone = bootstrap(data, options, omega, 4, workers=1)
    shared = bootstrap(data, options, omega, 4, workers=2)
    assert np.allclose(alone, shared, rtol=1e-10, atol=1e-14)
    assert np.ptp(alone, axis=0).max() > 0
    with pytest.raises(ValueError, match="resamples = 2"):
        bootstrap(data, options, omega, 2)


def test_resampled_means_scatter_like_the_error():
    for data in (build(1e-3), CorrelatorData.from_mean_cov(
        build(1e-3).mean, build(1e-3).covariance, kind="rho_iw", beta=BETA, grid=N, eps=EPS)):  # fmt: skip
        rng = np.random.default_rng(5)
        means = np.array([resampled(data, rng).mean for _ in range(400)])
        assert np.allclose(means.std(axis=0), np.sqrt(np.diag(data.covariance)), rtol=0.2)
