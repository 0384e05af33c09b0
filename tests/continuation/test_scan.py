"""All points of a scan continued at once, and frequency scales without continuation."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.continuation import (
    CorrelatorData,
    continue_correlator,
    continue_scan,
    current_kernel,
    midpoint_frequency,
    quartile_ratio,
    response_kernel,
    sinh_grid,
    tau_kernel,
)
from sitqmc.continuation.data.linear_system import characteristic_frequency
from sitqmc.continuation.methods.problem import pose
from sitqmc.continuation.model_free.functionals import scale_of
from sitqmc.continuation.options import resolve
from sitqmc.continuation.scan.posterior import averaged
from sitqmc.continuation.scan.priors import all_axes, families_on, point_correlation, smooth_root
from sitqmc.continuation.scan.process import ScanEquations, ScanPrior, find_mode, point_response
from sitqmc.continuation.scan.search import equations_of

BETA, EPS = 12.8, 0.1
N = np.arange(0, 65, 2)
FINE = sinh_grid(60.0, 0.5, 1500)
P = np.linspace(0.0, 0.3, 5)
QUICK = {"n_omega": 80, "n_draws": 40, "threads": 1}


def peak(place, width=1.0, height=0.3):
    return height * np.exp(-0.5 * ((FINE.omega - place) / width) ** 2)


def correlator(A, noise=1e-3, seed=0, stiffness=0.2, **more):
    rho = stiffness + current_kernel(N, FINE.omega, BETA, EPS) @ (A * FINE.weights)
    C = (noise * rho.max()) ** 2 * np.exp(-np.abs(N[:, None] - N) / 8.0)
    noisy = rho + np.linalg.cholesky(C) @ np.random.default_rng(seed).normal(size=N.size)
    return CorrelatorData.from_mean_cov(noisy, C, kind="rho_iw", beta=BETA, grid=N, eps=EPS, **more)


def moving(noise=1e-3, **more):
    truths = [peak(4.0 - 5.0 * p) for p in P]
    return truths, [correlator(A, noise, i, **more) for i, A in enumerate(truths)]


def distance(spectrum, A):
    estimate = np.interp(FINE.omega, spectrum.omega, spectrum.values)
    return float(np.sum(np.abs(estimate - A) * FINE.weights) / np.sum(A * FINE.weights))


@pytest.fixture(scope="module")
def scan():
    truths, data = moving(1e-2)
    said = []
    return truths, data, continue_scan(data, P, progress=said.append, **QUICK), said


def test_neighbours_help_each_other(scan):
    truths, data, found, said = scan
    joint = [distance(s, A) for s, A in zip(found.spectra, truths, strict=True)]
    alone = [distance(continue_correlator(d, **QUICK), A) for d, A in zip(data, truths, strict=True)]
    assert np.mean(joint) < np.mean(alone)
    assert found.gain > 5.0
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    assert said
    assert all("base shape" in line for line in said)


def test_spectra_of_a_scan_are_complete(scan):
    truths, data, found, _ = scan
    covered = []
    for s, A, d in zip(found.spectra, truths, data, strict=True):
        assert s.chi2 < 2.5 * s.n_data
        assert abs(s.stiffness.value - 0.2) < 4 * s.stiffness.error < 0.2
        assert abs(s.weight().value - A @ FINE.weights) < 4 * s.weight().error
        low, high = s.band()
        truth = np.interp(s.omega, FINE.omega, A)
        seen = truth > 0.2 * truth.max()
        covered.append(np.mean(((low <= truth) & (truth <= high))[seen]))
        assert s.kind == d.kind
        assert 0 < s.n_effective < s.n_data
        assert np.all(s.resolution > 0)
    assert np.mean(covered) > 0.4
    assert np.all(np.diff(found.scales) < 0)


def test_two_maxima_have_a_probability(scan):
    _, _, found, _ = scan
    assert np.all(found.two_maxima() <= 0.7)
    double = [correlator(peak(1.2 + p, 0.4) + peak(6.0, 1.2), 1e-4, i) for i, p in enumerate(P)]
    assert np.all(continue_scan(double, P, **QUICK).two_maxima() > 0.9)


def test_same_seed_same_bits_and_order_of_points_does_not_matter():
    _, data = moving(1e-2)
    first, again = (continue_scan(data[:3], P[:3], **QUICK) for _ in range(2))
    turned = continue_scan(data[2::-1], P[2::-1], **QUICK | {"threads": 2})
    for a, b, c in zip(first.spectra, again.spectra, turned.spectra[::-1], strict=True):
        assert np.array_equal(a.values, b.values)
        assert np.array_equal(a.samples(), b.samples())
        assert np.allclose(a.values, c.values, rtol=1e-2, atol=1e-3 * a.values.max())


def test_negative_stiffness_is_set_to_zero():
    data = [correlator(peak(3.0 + p), 1e-2, i, stiffness=-0.02) for i, p in enumerate(P[:3])]
    found = continue_scan(data, P[:3], **QUICK)
    assert all(s.stiffness.value >= 0 for s in found.spectra)
    assert any("set to 0" in line for s in found.spectra for line in s.warnings)


@pytest.mark.parametrize("kind", ["chi_iw", "green_tau"])
def test_other_kinds(kind):
    tau = np.linspace(0.0, BETA / 2, 30)
    rng, data = np.random.default_rng(1), []
    matsubara = kind == "chi_iw"
    kernel = (response_kernel if matsubara else tau_kernel)(N if matsubara else tau, FINE.omega, BETA)
    for p in P[:3]:
        mean = kernel @ (peak(3.0 - p) * FINE.weights)
        error = 1e-3 * mean.max()
        mean += error * rng.normal(size=mean.size)
        C, grid = error**2 * np.eye(mean.size), N if matsubara else tau
        data.append(CorrelatorData.from_mean_cov(mean, C, kind=kind, beta=BETA, grid=grid))
    found = continue_scan(data, P[:3], **QUICK)
    assert max(distance(s, peak(3.0 - p)) for s, p in zip(found.spectra, P, strict=False)) < 0.25
    assert all(s.chi2 < 2.5 * s.n_data for s in found.spectra)


@pytest.mark.parametrize(
    ("count", "at", "options", "message"),
    [
        (2, [0.0, 0.1], {}, "2 points: a scan needs at least 3"),
        (3, [0.0, 0.1], {}, "give one value for each"),
        (3, [0.0, 0.1, 0.1], {}, "different from each other"),
        (3, [0.0, 0.1, np.nan], {}, "must be finite"),
        (3, [0.0, 0.1, 0.2], {"method": "maxent"}, "method given: continue_scan has its own"),
        (3, [0.0, 0.1, 0.2], {"omega": FINE.omega}, "omega given"),
        (3, [0.0, 0.1, 0.2], {"default": "flat"}, "default given"),
    ],
)
def test_refused_scans(count, at, options, message):
    with pytest.raises(ValueError, match=message):
        continue_scan(moving()[1][:count], at, **options)


def test_refuses_mixed_kinds():
    data = moving()[1][:3]
    C = data[0].covariance
    other = CorrelatorData.from_mean_cov(data[0].mean[::-1], C, kind="chi_iw", beta=BETA, grid=N)
    with pytest.raises(ValueError, match="kinds chi_iw, rho_iw in one scan"):
        continue_scan([*data[:2], other], P[:3])


def test_cutoff_is_honoured():
    found = continue_scan(moving(1e-2)[1][:3], P[:3], omega_max=25.0, **QUICK)
    assert all(s.omega[-1] >= 25.0 * (1 - 1e-12) for s in found.spectra)
    assert min(s.omega[-1] for s in found.spectra) == pytest.approx(25.0)


def linear_problem(share):
    """Return equations and a prior so narrow that ln x is linear in the coefficients."""
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=(4, 12)) for _ in range(3)]
    base = np.zeros((3, 12))
    Phi = 1e-4 * smooth_root(np.outer([1.0, 0.8, 1.3], np.linspace(0.0, 3.0, 12)), 0.8)
    prior = ScanPrior("narrow", share, base, Phi, point_correlation(np.array([0.0, 0.5, 1.0]), 0.6, share))
    exact = np.concatenate([K @ np.ones(12) for K in kernels])
    label = np.repeat(np.arange(3), 4)
    return ScanEquations([1e4 * K for K in kernels], 1e4 * exact + rng.normal(size=12), label), prior


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_mode_and_evidence_are_those_of_the_linear_problem(share):
    equations, prior = linear_problem(share)
    mode = find_mode(equations, prior)
    rank = prior.Phi.shape[2]
    J = np.zeros((12, 3, rank))
    for i, p in enumerate(equations.label):
        J[i, p] = (equations.kernels[p] @ prior.Phi[p])[i % 4]
    covariance = np.kron(prior.C, np.eye(rank))
    J = J.reshape(12, -1)
    total = J @ covariance @ J.T + np.eye(12)
    residual = equations.data - equations.model(np.ones((3, 12)))
    expected = -0.5 * residual @ np.linalg.solve(total, residual) - 0.5 * np.linalg.slogdet(total)[1]
    assert mode.log_evidence == pytest.approx(expected, rel=1e-2)
    left = covariance - covariance @ J.T @ np.linalg.solve(total, J @ covariance)
    error, response = point_response(equations, mode, 1)
    block = left[rank : 2 * rank, rank : 2 * rank]
    assert np.allclose(error, np.sqrt(np.diag(prior.Phi[1] @ block @ prior.Phi[1].T)), rtol=1e-2)
    gain = covariance @ J.T @ np.linalg.inv(total)
    expected = prior.Phi[1] @ gain[rank : 2 * rank, 4:8]
    assert np.allclose(response, expected, rtol=2e-2, atol=1e-2 * abs(response).max())


ROUGH = (0.6, 1.0, 0.01, 0.6)
TWO_SHAPES = ("width 1.8, tail 2, rise 1", "peak at 0.9, breadth 0.5")


def posed(data):
    """Return the problem of every point, and its frequency scales."""
    problems = [pose(one, resolve(None, QUICK)) for one in data]
    return problems, np.array([scale_of(one) for one in data])


def best_by_axis(truths):
    """Return ln evidence and mean L1 distance of the better of two base shapes on every axis."""
    problems, scales = posed([correlator(A, 1e-3, i) for i, A in enumerate(truths)])
    equations, found = equations_of(problems), {}
    for axis in all_axes(problems, scales, 0.1):
        families = families_on(axis, problems, P / P.max(), TWO_SHAPES)
        modes = [find_mode(equations, family.prior(ROUGH)) for family in families]
        mode = max(modes, key=lambda one: one.log_evidence)
        distances = []
        for problem, x, A in zip(problems, mode.x, truths, strict=True):
            values = np.interp(FINE.omega, problem.grid.omega, x / problem.grid.weights)
            distances.append(np.abs(values - A) @ FINE.weights / (A @ FINE.weights))
        found[axis.name] = (mode.log_evidence, np.mean(distances))
    return found


def test_evidence_finds_the_axis_of_a_scan():
    places = 4.0 - 7.0 * P
    found = best_by_axis([peak(place, 1.2) for place in places])  # of constant width
    evidence, close = found["linear in omega/scale^0.5"]
    other, far = found["logarithmic in omega/scale^1"]
    assert evidence == max(one for one, _ in found.values())
    assert evidence > other + 2.0
    assert close < 0.8 * far
    found = best_by_axis([peak(place, 0.3 * place) for place in places])  # of constant shape
    assert found["logarithmic in omega/scale^1"][0] > found["logarithmic in omega/scale^0"][0] + 10.0


def test_units_of_energy_do_not_matter():
    unit, found = 7.0, []
    data = moving(1e-2)[1][:3]
    other = [
        CorrelatorData.from_mean_cov(
            unit * d.mean, unit**2 * d.covariance, kind="rho_iw", beta=BETA / unit, grid=N, eps=EPS / unit
        )
        for d in data
    ]
    for one in (data, other):
        problems, scales = posed(one)
        equations = equations_of(problems)
        families = [
            families_on(axis, problems, P[:3], TWO_SHAPES)[0] for axis in all_axes(problems, scales, 0.1)
        ]
        modes = [find_mode(equations, family.prior(ROUGH)) for family in families]
        found.append([(m.log_evidence, m.x / [p.grid.weights for p in problems]) for m in modes])
    for (evidence, spectra), (same, in_other_units) in zip(*found, strict=True):
        assert same == pytest.approx(evidence, rel=1e-6)
        assert np.allclose(in_other_units, spectra, rtol=1e-4)


def test_preferences_act_on_the_reported_spectra_alone():
    equations, prior = linear_problem(0.1)
    mode = find_mode(equations, prior)
    preferred = replace(mode, prior=replace(prior, name="preferred", preference=1.0))
    mixture = averaged([mode, preferred])
    assert np.allclose(mixture.weights, [1 / (1 + np.e), np.e / (1 + np.e)])
    assert np.allclose(mixture.error_weights, 0.5)
    assert sum(mixture.probabilities.values()) == pytest.approx(1.0)
    assert [one.prior.name for one in mixture.picks(4)].count("preferred") == 2


def test_independent_points_do_not_respond_to_each_other():
    equations, prior = linear_problem(1.0)
    changed = ScanEquations(equations.kernels, equations.data + 3.0 * (equations.label == 2), equations.label)
    first, second = find_mode(equations, prior), find_mode(changed, prior)
    assert np.allclose(first.x[:2], second.x[:2], rtol=1e-9)
    assert not np.allclose(first.x[2], second.x[2], rtol=1e-9)


def test_scales_of_a_delta_peak_are_its_frequency():
    omega, n = np.array([3.0]), np.unique(np.append(0, np.round(np.geomspace(1, 8000, 160))))
    C = 1e-8 * np.eye(n.size)
    rho = 0.3 + current_kernel(n, omega, BETA)[:, 0]
    data = CorrelatorData.from_mean_cov(rho, C, kind="rho_iw", beta=BETA, grid=n)
    assert midpoint_frequency(data).value == pytest.approx(3.0, rel=2e-3)
    assert quartile_ratio(data).value == pytest.approx(3.0, rel=1e-2)
    chi = CorrelatorData.from_mean_cov(
        response_kernel(n, omega, BETA)[:, 0], C, kind="chi_iw", beta=BETA, grid=n
    )
    assert midpoint_frequency(chi).value == pytest.approx(3.0, rel=2e-3)
    tau = np.linspace(0.0, BETA / 2, 300)
    G = CorrelatorData.from_mean_cov(
        tau_kernel(tau, omega, BETA)[:, 0], 1e-8 * np.eye(tau.size), kind="green_tau", beta=BETA, grid=tau
    )
    assert midpoint_frequency(G).value == pytest.approx(3.0, rel=1e-3)
    assert quartile_ratio(G).value == pytest.approx(1.0, rel=1e-2)


def test_error_of_the_midpoint_is_the_scatter_of_repeated_data():
    made = [midpoint_frequency(correlator(peak(3.0), 5e-3, seed)) for seed in range(60)]
    scatter = np.std([e.value for e in made])
    assert np.mean([e.error for e in made]) == pytest.approx(scatter, rel=0.3)
    assert scatter < 0.1


def test_scale_falls_back_where_the_midpoint_is_not_measured():
    data = correlator(peak(3.0))
    later = CorrelatorData.from_mean_cov(
        data.mean[1:], data.covariance[1:, 1:], kind="rho_iw", beta=BETA, grid=N[1:], eps=EPS
    )
    assert scale_of(later) == characteristic_frequency(later)
    with pytest.raises(ValueError, match="n from 2: the midpoint frequency needs n = 0"):
        midpoint_frequency(later)
    short = CorrelatorData.from_mean_cov(
        [1.0, 0.9, 0.8], 1e-6 * np.eye(3), kind="green_tau", beta=BETA, grid=[0.0, 0.1, 0.2]
    )
    assert np.isnan(midpoint_frequency(short).value)
    assert scale_of(short) == characteristic_frequency(short)


def test_a_point_that_the_joint_posterior_does_not_fit_is_continued_alone():
    """One point has an error bar forty times too small; no spectrum explains its noise."""
    _, data = moving(1e-2)
    wrong = CorrelatorData.from_mean_cov(
        data[2].mean, data[2].covariance / 1600.0, kind="rho_iw", beta=BETA, grid=N, eps=EPS
    )
    data[2] = wrong
    found = continue_scan(data, P, **QUICK)
    assert "continued alone: the joint fit is poor" in found.spectra[2].warnings[-1]
    assert "errors of the data multiplied by" in found.spectra[2].warnings[-1]
    honest = continue_correlator(wrong, **QUICK)
    assert found.spectra[2].weight().error > 2.0 * honest.weight().error
    assert not any("alone" in w for i in (0, 1, 3, 4) for w in found.spectra[i].warnings)
