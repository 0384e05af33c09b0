"""Whole continuations of synthetic data with known truth."""

from functools import cache

import numpy as np
import pytest

from sitqmc.continuation import (
    CorrelatorData,
    continue_conductivity,
    continue_correlator,
    current_kernel,
    response_kernel,
    sinh_grid,
    tau_kernel,
)
from sitqmc.continuation.data.linear_system import linear_system
from sitqmc.continuation.data.resampling import jackknife_replicas
from sitqmc.continuation.data.whitening import whiten
from sitqmc.continuation.methods.maxent.maxent import describe, solve
from sitqmc.continuation.methods.maxent.posterior import Component, MaxEntPosterior

BETA, EPS = 10.0, 0.1
N = np.arange(51)
STIFFNESS = 0.1
QUICK = {"n_omega": 140, "n_draws": 40}      # a third of the nodes and of the samples of the defaults
FINE = sinh_grid(2000.0, 1.0, 20000)


def drude_lorentz(w):
    """Drude (width 0.3) plus Lorentz oscillator at 4 (width 2)."""
    return 0.15 / (1.0 + (w / 0.3) ** 2) + 1.2 * w**2 / ((w**2 - 16.0) ** 2 + (2.0 * w) ** 2)


def gap_peak(w):
    """Gap, peak at 3, continuum from 5 that dies out."""
    continuum = 0.05 * np.exp(-w / 4.0) / (1.0 + np.exp((5.0 - w) / 0.3))
    return 0.25 * np.exp(-0.5 * ((w - 3.0) / 0.5) ** 2) + continuum


def exact(truth, eps=EPS):
    """rho(i w_n) for N, then <-k_x>."""
    A = truth(FINE.omega) * FINE.weights
    return STIFFNESS + np.append(current_kernel(N, FINE.omega, BETA, eps) @ A, 2.0 / np.pi * A.sum())


def draw(truth, noise, seed, n_samples=200):
    """(samples of rho, samples of <-k_x>): relative noise of the mean, correlated over five n."""
    clean = exact(truth)
    rng = np.random.default_rng(seed)
    index = np.arange(clean.size)
    correlation = np.exp(-np.abs(index[:, None] - index) / 5.0)
    root = np.linalg.cholesky(correlation + 1e-10 * np.eye(clean.size))
    sigma = noise * clean * np.sqrt(n_samples)
    table = clean + sigma * rng.normal(size=(n_samples, clean.size)) @ root.T
    return table[:, :-1], table[:, -1]


def distance(s, truth):
    """L1 distance over the total weight."""
    A = truth(s.omega)
    return float(np.abs(s.values - A) @ s.grid.weights / (A @ s.grid.weights))


@pytest.mark.parametrize("seed", range(2))
def test_drude_and_lorentzian_at_one_per_mille(seed):
    rho, kinetic = draw(drude_lorentz, 1e-3, seed)
    s = continue_conductivity(rho, BETA, eps=EPS, kinetic=kinetic, **QUICK)
    total = exact(drude_lorentz)[-1]
    assert s.sum_rule.found.value == pytest.approx(total, rel=0.01)
    assert s.stiffness.value + 2 / np.pi * s.weight().value == pytest.approx(total, rel=0.01)
    assert s.peaks()[0].position.value == pytest.approx(4.0, rel=0.10)
    assert s.stiffness.value == pytest.approx(STIFFNESS, abs=3.0 * s.stiffness.error)
    assert 0 < s.stiffness.error < 0.005 * STIFFNESS
    assert distance(s, drude_lorentz) < 0.35


@pytest.mark.parametrize("seed", range(2))
def test_gap_and_peak_at_one_per_mille_without_the_sum_rule_given(seed):
    rho, _ = draw(gap_peak, 1e-3, seed)
    s = continue_conductivity(rho, BETA, eps=EPS, **QUICK)
    assert s.sum_rule.found.value == pytest.approx(exact(gap_peak)[-1], rel=0.01)
    assert s.sum_rule.expected is None
    assert s.peaks()[0].position.value == pytest.approx(3.0, rel=0.10)
    assert s.weight(0.0, 1.0).value < 0.02 * s.weight().value
    assert 0.2 < s.chi2 / (s.n_data - s.n_effective) < 2.5


def test_bands_and_errors_cover_the_truth_about_as_often_as_they_say():
    inside, pulls = [], []
    for seed in range(4):
        for truth, peak in ((gap_peak, 3.0), (drude_lorentz, 4.0)):
            rho, kinetic = draw(truth, 1e-3, 100 + seed, n_samples=100)
            s = continue_conductivity(rho, BETA, eps=EPS, kinetic=kinetic, **QUICK)
            A, (low, high) = truth(s.omega), s.band()
            share = np.cumsum(A * s.grid.weights) / (A @ s.grid.weights)
            nodes = np.abs(share - 0.5) < 0.49
            inside.append(np.mean((low <= A)[nodes] & (high >= A)[nodes]))
            assert np.mean((high - low)[nodes]) < 0.5 * A.max()
            position = s.peaks()[0].position
            assert position.error < 0.2 * peak
            pulls.append([(position.value - peak) / position.error])
            pulls[-1].append((s.stiffness.value - STIFFNESS) / s.stiffness.error)
    assert 0.5 < np.mean(inside) < 0.95
    pulls = np.abs(pulls)
    assert np.all(np.mean(pulls < 1.5, axis=0) >= 0.5)
    assert np.all(pulls < 4.0)
    assert np.all(np.mean(pulls, axis=0) > 0.2)      # errors that are far too large fail as well


def test_less_noise_gives_a_better_spectrum():
    noises = (1e-2, 1e-3, 1e-4)
    mean = [np.mean([distance(run(noise, seed), gap_peak) for seed in range(2)]) for noise in noises]
    assert mean[0] > mean[1] > mean[2]
    assert mean[2] < 0.35


@cache
def run(noise, seed):
    return continue_conductivity(draw(gap_peak, noise, seed)[0], BETA, eps=EPS, n_omega=200, n_draws=20)


def test_more_noise_does_not_narrow_the_bands():
    widths = []
    for noise in (1e-2, 1e-4):
        stiffness = [run(noise, seed).stiffness.error for seed in range(2)]
        window = [run(noise, seed).weight(0.0, 3.0).error for seed in range(2)]
        widths.append([np.mean(stiffness), np.mean(window)])
    assert widths[0][0] > 10.0 * widths[1][0]      # the stiffness is measured, its error follows the noise
    assert widths[0][1] > widths[1][1]


@pytest.mark.parametrize("seed", range(2))
def test_maximum_entropy_reaches_the_same_goals(seed):
    rho, kinetic = draw(drude_lorentz, 1e-3, seed)
    s = continue_conductivity(rho, BETA, eps=EPS, kinetic=kinetic, method="maxent")
    assert s.sum_rule.found.value == pytest.approx(exact(drude_lorentz)[-1], rel=0.01)
    assert s.peaks()[0].position.value == pytest.approx(4.0, rel=0.1)
    rho, _ = draw(gap_peak, 1e-3, seed)
    s = continue_conductivity(rho, BETA, eps=EPS, method="maxent")
    assert s.sum_rule.found.value == pytest.approx(exact(gap_peak)[-1], rel=0.01)
    assert s.peaks()[0].position.value == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize("rule", ["classic", "curvature", "bryan"])
def test_positive_under_every_rule_and_scan_is_kept(rule):
    s = continue_conductivity(draw(gap_peak, 1e-2, 0)[0], BETA, eps=EPS, method="maxent", alpha_rule=rule)
    assert np.all(s.values >= 0)
    assert np.all(s.band(2.0)[0] >= 0)
    assert np.all(s.replicas >= 0)
    assert s.scan.rule == rule
    assert s.scan.alpha[0] * (s.default @ s.grid.weights) == pytest.approx(1e12)
    assert s.scan.alpha.shape == s.scan.chi2.shape == s.scan.entropy.shape == s.scan.n_effective.shape
    assert s.scan.weights().sum() == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["process", "maxent"])
def test_rescaling_energies_rescales_the_answer(method):
    rho, kinetic = draw(drude_lorentz, 1e-3, 5)
    one = continue_conductivity(rho, BETA, eps=EPS, kinetic=kinetic, method=method, **QUICK)
    # Energies in a unit 4 times smaller: rho, <-k_x>, omega times 4; sigma is dimensionless.
    four = continue_conductivity(
        4 * rho, BETA / 4, eps=EPS / 4, kinetic=4 * kinetic, method=method, **QUICK
    )
    assert np.allclose(four.omega, 4 * one.omega, rtol=1e-9)
    # The search for modes stops at a tolerance that lies far inside the band.
    assert np.all(np.abs(four.values - one.values) < 1e-3 * one.values.max() + 0.05 * one.error)
    assert four.stiffness.value == pytest.approx(4 * one.stiffness.value, rel=1e-5)
    assert four.stiffness.error == pytest.approx(4 * one.stiffness.error, rel=1e-3)


@pytest.mark.parametrize("method", ["process", "maxent"])
def test_order_of_samples_does_not_matter(method):
    rho, kinetic = draw(drude_lorentz, 1e-3, 6)
    order = np.random.default_rng(0).permutation(len(rho))
    one = continue_conductivity(rho, BETA, eps=EPS, kinetic=kinetic, method=method, **QUICK)
    two = continue_conductivity(rho[order], BETA, eps=EPS, kinetic=kinetic[order], method=method, **QUICK)
    assert np.allclose(one.values, two.values, rtol=1e-3, atol=1e-4 * one.values.max())
    assert np.allclose(one.statistical_error, two.statistical_error, rtol=1e-2, atol=1e-4 * one.values.max())


def test_units_of_sigma():
    s = continue_conductivity(draw(gap_peak, 1e-3, 0)[0], BETA, eps=EPS, method="maxent")
    assert np.allclose(s.sigma, 2 * np.pi * s.values)
    assert np.allclose(s.sigma_band()[1], 2 * np.pi * s.band()[1])


def test_linear_replicas_equal_full_refits():
    rho, _ = draw(gap_peak, 1e-3, 1, n_samples=60)
    data = CorrelatorData.from_samples(rho, kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    grid = sinh_grid(60.0, 3.0, 200)
    equations = whiten(linear_system(data, grid))
    m = 0.1 * np.exp(-grid.omega / 5.0) * grid.weights
    white = equations.whitened_data
    y, x, _ = solve(equations.kernel, white, m, 30.0, np.zeros(len(white)))
    point = describe(equations.kernel, white, m, 30.0, y, x, True)
    single = (Component(1.0, point, "test"),)
    posterior = MaxEntPosterior(equations.kernel, single, single)
    replicas = jackknife_replicas(rho)
    for r in (0, 17, 59):
        moved = equations.whiten(replicas.vectors[r])[0]
        linear = posterior.response() @ (moved - white)
        refit = solve(equations.kernel, moved, m, 30.0, y)[1] - x
        assert np.abs(refit).max() > 0
        assert np.allclose(linear, refit, atol=0.1 * np.abs(refit).max())


def test_known_stiffness_and_missing_zero_frequency():
    rho, kinetic = draw(gap_peak, 1e-3, 2)
    known = continue_conductivity(rho[:, 1:], BETA, eps=EPS, n=N[1:], stiffness=STIFFNESS, **QUICK)
    assert (known.stiffness.value, known.stiffness.error) == (STIFFNESS, 0.0)
    assert known.peaks()[0].position.value == pytest.approx(3.0, rel=0.1)
    free = continue_conductivity(rho[:, 1:], BETA, eps=EPS, n=N[1:], kinetic=kinetic, **QUICK)
    joint = continue_conductivity(rho, BETA, eps=EPS, kinetic=kinetic, **QUICK)
    assert abs(free.stiffness.value - STIFFNESS) < 3 * free.stiffness.error
    assert joint.stiffness.error < free.stiffness.error


def test_negative_stiffness_is_set_to_zero_with_a_warning():
    rho = draw(gap_peak, 1e-3, 3)[0] - STIFFNESS - 0.003
    s = continue_conductivity(rho, BETA, eps=EPS, **QUICK)
    assert s.stiffness.value == 0.0
    assert any("< 0: set to 0" in w for w in s.warnings)


@pytest.mark.parametrize("n_samples", [4, 8, 30])
def test_few_samples_still_give_an_answer_with_a_warning(n_samples):
    rng = np.random.default_rng(n_samples)
    scale = 1.0 + 0.05 * rng.normal(size=(n_samples, 1))
    rho = exact(gap_peak)[:-1] * scale + 0.002 * rng.normal(size=(n_samples, N.size))
    s = continue_conductivity(rho, BETA, eps=EPS, **QUICK)
    assert any("few samples" in w for w in s.warnings)
    assert abs(s.stiffness.value - STIFFNESS) < 4 * s.stiffness.error
    assert s.peaks()[0].position.value == pytest.approx(3.0, rel=0.35)


def test_data_without_a_fitting_spectrum_give_a_poor_fit_warning():
    rng = np.random.default_rng(0)
    falling = exact(gap_peak)[:-1][::-1] + 0.002 * rng.normal(size=(40, N.size))
    assert any("poor fit" in w for w in continue_conductivity(falling, BETA, eps=EPS, **QUICK).warnings)


@pytest.mark.parametrize("kind", ["lambda_tau", "green_tau", "chi_tau", "chi_iw"])
def test_other_kinds(kind):
    tau = EPS * np.arange(1, 51)
    A = gap_peak(FINE.omega) * FINE.weights
    if kind == "chi_iw":
        grid, clean = N, response_kernel(N, FINE.omega, BETA, EPS) @ A + 0.03
    else:
        grid, clean = tau, tau_kernel(tau, FINE.omega, BETA) @ A
    rng = np.random.default_rng(8)
    samples = clean + 1e-3 * clean * np.sqrt(200) * rng.normal(size=(200, len(clean)))
    data = CorrelatorData.from_samples(samples, kind=kind, beta=BETA, grid=grid, eps=EPS)
    s = continue_correlator(data, **QUICK)
    assert s.weight().value == pytest.approx(A.sum(), rel=0.05)
    assert s.peaks()[0].position.value == pytest.approx(3.0, rel=0.15)
    assert np.allclose(s.spectral, s.omega * s.values)
    if kind == "chi_iw":
        assert s.constant.value == pytest.approx(0.03, abs=4 * s.constant.error)
    if kind != "lambda_tau":
        with pytest.raises(ValueError, match="not a conductivity"):
            _ = s.sigma


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"default": "round"}, "choose gaussian, flat"),
        ({"default": np.ones(5)}, "one value per node"),
        ({"default": -np.ones(160)}, "must be finite, >= 0"),
        ({"alpha_rule": "best"}, "choose one of curvature"),
        ({"method": "magic"}, "choose one of process, maxent"),
        ({"n_draws": 2}, "at least 20 samples"),
        ({"omega_max": -1.0}, "omega_max = -1.0"),
        ({"omega": np.arange(20.0)[::-1]}, "not ascending"),
        ({"n_blocks": 1}, "n_blocks = 1"),
        ({"n": N * 0.1}, "give integers"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        continue_conductivity(draw(gap_peak, 1e-2, 0, n_samples=20)[0], BETA, eps=EPS, **options)


@pytest.mark.parametrize("method", ["process", "maxent"])
def test_resolution_follows_the_peak_and_sharpens_with_the_data(method):
    """Seen through its averaging kernels a broad peak keeps most of its height; less noise, finer windows."""
    beta, n = 12.0, np.arange(40)
    omega = np.linspace(1e-3, 20, 8000)
    truth = 0.4 * np.exp(-((omega - 3.0) ** 2) / (2 * 0.6**2)) + 0.05 * omega**2 / (omega**2 + 25)
    wn = 2 * np.pi * n[:, None] / beta
    rho = 0.3 + (2 / np.pi) * (truth * wn**2 / (omega**2 + wn**2)).sum(axis=1) * (omega[1] - omega[0])
    rng, widths = np.random.default_rng(1), []
    for noise in (1e-2, 1e-4):
        samples = rho * (1 + noise * np.sqrt(200) * rng.normal(size=(200, len(n))))
        found = continue_conductivity(samples, beta, method=method)
        at = np.argmin(np.abs(found.omega - 3.0))
        widths.append(found.resolution[at])
    assert 0.5 < widths[1] < 0.7 * widths[0]
    seen = found.smeared(np.interp(found.omega, omega, truth))
    assert 0.5 * truth.max() < seen[at] < truth.max()
    np.testing.assert_allclose(found.smeared(np.ones_like(found.omega)), 1.0, rtol=1e-9)
