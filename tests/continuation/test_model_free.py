"""Results without a prior: bounds, excitation energies, sparse and rational fits, constraints."""

import numpy as np
import pytest

from sitqmc.continuation import (
    CorrelatorData,
    continue_correlator,
    current_kernel,
    cutoff_dependence,
    known_f_sum,
    known_moment,
    known_stiffness,
    lowest_excitation,
    response_kernel,
    sinh_grid,
    tau_kernel,
    weight_bounds,
)
from sitqmc.continuation.methods.rational import aaa, rational_spectrum
from sitqmc.continuation.methods.sparse import positive_fit
from sitqmc.continuation.model_free.bounds import joint_slack

BETA, EPS = 8.0, 0.1
N = np.arange(31)
FINE = sinh_grid(200.0, 1.0, 4000)
A = 0.3 * np.exp(-0.5 * ((FINE.omega - 3.0) / 0.8) ** 2) + 0.1 * np.exp(-FINE.omega / 1.5)
RHO = 0.2 + current_kernel(N, FINE.omega, BETA, EPS) @ (A * FINE.weights)
TOTAL = float(A @ FINE.weights)


def rho_data(noise=1e-3, seed=0, **more):
    rng = np.random.default_rng(seed)
    C = (noise * RHO.max()) ** 2 * np.exp(-np.abs(N[:, None] - N) / 4.0)
    mean = RHO + np.linalg.cholesky(C + 1e-20 * np.eye(N.size)) @ rng.normal(size=N.size)
    return CorrelatorData.from_mean_cov(mean, C, kind="rho_iw", beta=BETA, grid=N, eps=EPS, **more)


def inside(low, high):
    chosen = (FINE.omega >= low) & (FINE.omega <= high)
    return float((A * FINE.weights)[chosen].sum())


def test_bounds_hold_the_true_weight_and_shrink_with_noise():
    widths = []
    for noise in (1e-2, 1e-4):
        for seed in range(4):
            data = rho_data(noise, seed)
            for low, high in ((0.0, np.inf), (0.0, 2.0), (2.0, 5.0)):
                bounds = weight_bounds(data, low, high, probability=0.999)
                assert bounds.consistent
                assert bounds.lower <= inside(low, high) <= bounds.upper
        widths.append(bounds.upper - bounds.lower)
    assert widths[1] < 0.5 * widths[0]


def test_bounds_report_that_no_spectrum_fits():
    falling = CorrelatorData.from_mean_cov(
        RHO[::-1], 1e-8 * np.eye(N.size), kind="rho_iw", beta=BETA, grid=N, eps=EPS
    )
    assert not weight_bounds(falling).consistent
    assert joint_slack(1, 0.6826895) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(ValueError, match="must be in \\(0, 1\\)"):
        weight_bounds(rho_data(), probability=1.5)


def test_positive_fit_is_the_constrained_minimum():
    rng = np.random.default_rng(3)
    V = np.linalg.qr(rng.normal(size=(40, 5)))[0]
    V[:, 0] = np.abs(V[:, 0])
    S, target = np.array([5.0, 2.0, 1.0, 0.5, 0.1]), np.array([4.0, -3.0, 2.0, -1.0, 0.5])
    best = positive_fit(S, V, target)
    assert np.all(V @ best > -1e-8)
    value = np.sum((S * best - target) ** 2)
    trials = best + 0.05 * rng.normal(size=(20000, 5))
    allowed = trials[np.all(trials @ V.T >= 0, axis=1)]
    assert len(allowed) > 5
    assert np.all(np.sum((S * allowed - target) ** 2, axis=1) >= value - 1e-8)
    # Without an active constraint the result is the plain solution.
    easy = S * (V.T @ np.ones(40)) if np.all(V @ (V.T @ np.ones(40)) > 0) else S * np.eye(5)[0]
    assert np.allclose(positive_fit(S, V, easy), easy / S)


def test_aaa_is_exact_for_a_rational_function():
    y = np.linspace(0.0, 30.0, 31)
    f = 0.3 + y / (y + 4.0) + 0.5 * y / (y + 25.0)
    form, chi2 = aaa(y, f, np.full(31, 1e-9))
    points = np.array([1.0 + 2.0j, -3.0 + 1.0j])
    exact = 0.3 + points / (points + 4.0) + 0.5 * points / (points + 25.0)
    assert np.allclose(form(points), exact, rtol=1e-5)
    assert chi2 < 31
    assert len(form.support) <= 5
    # Noise larger than the structure: the simplest form is enough.
    assert len(aaa(y, f, np.full(31, 10.0))[0].support) == 1


@pytest.mark.parametrize("kind", ["rho_iw", "chi_iw"])
@pytest.mark.parametrize("eps", [None, EPS])
def test_rational_form_of_a_broad_spectrum_without_noise(kind, eps):
    kernel = current_kernel if kind == "rho_iw" else response_kernel
    wide = 0.2 / (1.0 + (FINE.omega / 3.0) ** 2) ** 2
    mean = kernel(N, FINE.omega, BETA, eps) @ (wide * FINE.weights)
    data = CorrelatorData.from_mean_cov(
        mean, 1e-16 * np.eye(N.size), kind=kind, beta=BETA, grid=N, eps=eps
    )
    omega = np.array([1.0, 2.0, 4.0])
    values, _, _ = rational_spectrum(data, mean, omega)
    assert np.allclose(values, 0.2 / (1.0 + (omega / 3.0) ** 2) ** 2, rtol=0.15)


@pytest.mark.parametrize("method", ["sparse", "rational"])
def test_methods_without_prior_through_the_common_interface(method):
    s = continue_correlator(rho_data(1e-4), method=method)
    assert np.all(s.values >= 0)
    assert s.weight().value == pytest.approx(TOTAL, rel=0.1)
    low, high = s.band()
    assert np.all(low <= s.values)
    assert np.all(s.values <= high)
    again = continue_correlator(rho_data(1e-4), method=method)
    assert np.array_equal(s.values, again.values)
    tau = EPS * np.arange(1, 41)
    data = CorrelatorData.from_mean_cov(
        tau_kernel(tau, FINE.omega, BETA) @ (A * FINE.weights), 1e-10 * np.eye(40), kind="green_tau",
        beta=BETA, grid=tau,
    )  # fmt: skip
    if method == "rational":
        with pytest.raises(ValueError, match="kind green_tau: it needs rho_iw, lambda_iw, chi_iw"):
            continue_correlator(data, method=method)
    else:
        assert continue_correlator(data, method=method).weight().value == pytest.approx(TOTAL, rel=0.05)


def two_states(noise, seed=0, visited=16.0):
    """Samples of two states; times after `visited` are zero in every sample."""
    tau = EPS * np.arange(1, 81)
    mean = sum(a * (np.exp(-e * tau) + np.exp(-e * (16.0 - tau))) for a, e in ((0.4, 1.3), (0.6, 3.0)))
    rng = np.random.default_rng(seed)
    samples = mean * (1.0 + noise * np.sqrt(100) * rng.normal(size=(100, 80)))
    samples[:, tau > visited] = 0.0
    return CorrelatorData.from_samples(samples, kind="green_tau", beta=16.0, grid=tau, eps=EPS)


def test_lowest_excitation_of_two_states():
    pulls = []
    for seed in range(4):
        energy = lowest_excitation(two_states(2e-3, seed)).energy
        assert energy.error < 0.05
        pulls.append((energy.value - 1.3) / energy.error)
    assert np.abs(pulls).max() < 3.0
    fits = lowest_excitation(two_states(2e-3)).fits
    assert sum(f.weight for f in fits) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="needs a function of tau"):
        lowest_excitation(rho_data())


def test_lowest_excitation_where_late_times_were_never_visited():
    energy = lowest_excitation(two_states(2e-3, visited=6.0)).energy
    assert energy.error < 0.05
    assert energy.value == pytest.approx(1.3, abs=3.0 * energy.error)
    with pytest.raises(ValueError, match="too few or too noisy"):
        lowest_excitation(two_states(2e-3, visited=0.15))


def test_a_known_stiffness_reduces_the_error():
    plain = continue_correlator(rho_data(1e-2), method="maxent")
    known = continue_correlator(rho_data(1e-2).with_constraints(known_stiffness(0.2, 1e-4)))
    assert known.stiffness.error < 0.1 * plain.stiffness.error
    assert known.stiffness.value == pytest.approx(0.2, abs=5e-4)
    vague = continue_correlator(rho_data(1e-2).with_constraints(known_stiffness(0.2, 10.0)), method="maxent")
    assert vague.stiffness.value == pytest.approx(plain.stiffness.value, abs=0.3 * plain.stiffness.error)


def test_known_f_sum_and_moment_are_imposed():
    total = 0.2 + 2 / np.pi * TOTAL
    data = rho_data(1e-2).with_constraints(known_f_sum(total, 1e-4), known_moment(1.0, float(
        (A * FINE.omega) @ FINE.weights), 1e-4))  # fmt: skip
    for method in ("maxent", "sparse"):
        s = continue_correlator(data, method=method)
        assert s.sum_rule.found.value == pytest.approx(total, abs=1e-3)
        assert s.functional(s.omega).value == pytest.approx(float((A * FINE.omega) @ FINE.weights), abs=3e-3)


@pytest.mark.parametrize("method", ["process", "maxent", "sampling", "sparse"])
def test_hard_gap_is_empty(method):
    s = continue_correlator(rho_data(1e-2), method=method, gap=0.6)
    assert s.weight(0.0, 0.58).value < 1e-6 * TOTAL
    assert s.chi2 / s.n_data < 3.0


def test_low_frequency_law_is_followed():
    s = continue_correlator(rho_data(1e-2), onset_power=(5.0, 2.0), n_omega=200)
    at = np.exp(np.interp(np.log([0.03, 0.06]), np.log(s.omega[1:]), np.log(s.values[1:])))
    assert np.log2(at[1] / at[0]) == pytest.approx(5.0, abs=0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: continue_correlator(rho_data(), gap=-1.0), "gap = -1.0"),
        (lambda: continue_correlator(rho_data(), onset_power=(0.0, 1.0)), "onset_power"),
        (lambda: known_stiffness(np.nan, 1.0), "rho_s = nan"),
        (lambda: known_moment(2.0, 1.0, 0.0), "error = 0.0: must be > 0"),
        (lambda: rho_data().with_constraints(known_stiffness(0.2, 0.1, np.ones(3))), "covariance has shape"),
        (lambda: two_states(1e-3).with_constraints(known_stiffness(0.2, 0.1)), "no additive constant"),
        (lambda: cutoff_dependence(rho_data(), omega=FINE.omega), "omega given"),
        (lambda: continue_correlator(rho_data(), edge="sharp"), "edge = 'sharp': choose one of open"),
        (lambda: continue_correlator(rho_data(), threads=-1), "threads = -1"),
    ],
)
def test_wrong_constraints_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_option_names_the_nearest_one():
    with pytest.raises(TypeError, match="did you mean omega_max"):
        continue_correlator(rho_data(), omega_maximum=3.0)


def test_cutoff_does_not_matter_by_default_but_is_noticed_when_too_small():
    assert cutoff_dependence(rho_data(1e-3), method="maxent") < 1.0
    assert cutoff_dependence(rho_data(1e-3), method="maxent", omega_max=3.0) > 2.0
