"""Correlator data: refusal of bad input, and the five rules of the whitening."""

import numpy as np
import pytest

from sitqmc.continuation import CorrelatorData, current_kernel, sinh_grid
from sitqmc.continuation.data.linear_system import linear_system
from sitqmc.continuation.data.resampling import jackknife_replicas, propagation_replicas
from sitqmc.continuation.data.whitening import hartlap_factor, shrinkage_intensity, whiten

BETA, EPS = 5.0, 0.1
N = np.arange(20)
GRID = sinh_grid(60.0, 1.0, 200)
EXACT = 0.2 + current_kernel(N, GRID.omega, BETA, EPS) @ (0.1 * np.exp(-GRID.omega / 4.0) * GRID.weights)


def draw(n_samples, seed=0, noise=0.02):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_samples, 1)) * noise * EXACT
    return EXACT + common + 0.2 * noise * rng.normal(size=(n_samples, N.size))


def build(**changes):
    arguments = {"mean": EXACT, "covariance": 1e-6 * np.eye(20), "kind": "rho_iw"}
    return CorrelatorData.from_mean_cov(**(arguments | {"beta": BETA, "grid": N, "eps": EPS} | changes))


def skewed():
    C = 1e-6 * np.eye(20)
    C[0, 1] = 5e-7
    return C


def with_entry(value, where=(3, 3)):
    C = 1e-6 * np.eye(20)
    C[where] = C[where[::-1]] = value
    return C


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "rho"}, "choose one of rho_iw"),
        ({"beta": np.nan}, "beta = nan"),
        ({"eps": 0.0}, "eps = 0.0"),
        ({"mean": np.where(N == 4, np.nan, EXACT)}, "NaN or infinity"),
        ({"covariance": skewed()}, "differs from its transpose"),
        ({"covariance": with_entry(-1e-7)}, "variance -1.00e-07 < 0"),
        ({"covariance": with_entry(5e-6, (2, 3))}, "eigenvalue -4"),
        ({"covariance": np.zeros((20, 20))}, "all variances are 0"),
        ({"mean": EXACT[:2], "covariance": np.eye(2), "grid": N[:2]}, "2 data points"),
        ({"mean": EXACT[:5]}, "shapes grid"),
        ({"mean": -EXACT}, "check the sign"),
        ({"grid": N + 0.5}, "give integers"),
        ({"grid": np.minimum(N, 18)}, "occurs twice"),
        ({"kind": "lambda_tau", "grid": np.linspace(0.1, 5.0, 20)[np.minimum(N, 18)]}, "tau occurs twice"),
        ({"covariance": np.where(N == 3, -1e-3, 1e-3)}, "error -0.001 of point 3"),
        ({"mean": EXACT + 0.1j * (N == 7)}, "imaginary part 1.00e-01 .* of point 7: kind rho_iw is real"),
        ({"grid": N + 10}, "largest independent n"),
        ({"n_samples": 3}, "n_samples = 3"),
        ({"kind": "lambda_tau", "grid": N * 0.25}, "contact term"),
        ({"kind": "lambda_tau", "grid": 1.0 + N}, "outside \\[0, beta"),
        ({"kind": "chi_iw", "kinetic": (1.0, 1e-6, np.zeros(20))}, "f-sum rule belongs to rho_iw"),
    ],
)
def test_bad_input_is_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (draw(3), "3 samples"),
        (draw(10)[0], "give \\(n_samples, n_points\\)"),
        (np.where(np.arange(200).reshape(10, 20) == 27, np.inf, draw(10)), "first at sample 1, point 7"),
        (np.vstack([draw(10), draw(10)]), "20 samples, 10 of them different"),
        (draw(10) + 0.1j, "imaginary part 1.00e-01"),
        (np.repeat(EXACT[None], 8, axis=0), "samples are identical"),
    ],
)
def test_bad_samples_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        CorrelatorData.from_samples(samples, kind="rho_iw", beta=BETA, grid=N, eps=EPS)


def test_samples_give_mean_and_covariance_of_the_mean():
    samples = draw(50)
    kinetic = np.random.default_rng(1).normal(size=50) + 2.0
    data = CorrelatorData.from_samples(samples, kind="rho_iw", beta=BETA, grid=N, eps=EPS, kinetic=kinetic)
    table = np.column_stack([samples, kinetic])
    assert np.allclose(data.vector(), table.mean(axis=0))
    assert np.allclose(data.joint_covariance(), np.cov(table.T) / 50)
    assert np.allclose(data.kernel(GRID.omega)[-1], 2.0 / np.pi)


def test_physical_frequencies_errors_and_complex_values_are_understood():
    order = np.random.default_rng(0).permutation(20)[:15]
    plain = build(mean=EXACT[order], covariance=1e-6 * np.eye(15), grid=N[order])
    other = build(
        mean=EXACT[order] + 1e-4j, covariance=np.full(15, 1e-3), grid=np.float32(2 * np.pi * N[order] / BETA)
    )
    assert np.array_equal(other.grid, plain.grid)
    assert np.array_equal(other.mean, plain.mean)
    assert np.allclose(other.covariance, plain.covariance)
    noise = 1e-3 * np.random.default_rng(1).normal(size=(50, 20))
    data = CorrelatorData.from_samples(draw(50) + 1j * noise, kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    assert np.array_equal(data.samples, draw(50))


def test_doubled_integers_are_pointed_out():
    even = build(mean=EXACT[:10], covariance=1e-6 * np.eye(10), grid=2 * N[:10])
    assert "some codes store 2 n" in even.warnings[0]
    assert build(mean=EXACT[:9], covariance=1e-6 * np.eye(9), grid=np.append(2 * N[:8], 19)).warnings == ()


def test_heavy_tails_are_noticed():
    rng = np.random.default_rng(4)
    tails = EXACT * (1.0 + 0.01 * rng.standard_t(2.0, size=(300, 1)))
    calm = CorrelatorData.from_samples(draw(300), kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    wild = CorrelatorData.from_samples(tails, kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    assert calm.warnings == ()
    assert "heavy-tailed" in wild.warnings[0]


def test_whitened_noise_has_unit_covariance():
    rng = np.random.default_rng(7)
    A = rng.normal(size=(20, 20))
    C = 1e-6 * (A @ A.T + np.eye(20))
    T = whiten(linear_system(build(covariance=C), GRID)).transform
    assert np.allclose(T @ C @ T.T, np.eye(len(T)), atol=1e-6)


def test_constant_is_eliminated_and_recovered():
    A = 0.1 * np.exp(-GRID.omega / 4.0) * GRID.weights
    equations = whiten(linear_system(build(covariance=1e-6 * np.eye(20) + 1e-6), GRID))
    white, offset = equations.whitened_data, equations.constant_at_zero
    assert np.allclose(white, equations.kernel @ A, atol=1e-6 * np.abs(white).max())
    assert offset - equations.constant_kernel @ A == pytest.approx(0.2, abs=1e-9)
    # A shift of all data is the constant and nothing else.
    shifted, moved = equations.whiten(EXACT + 0.7)
    assert np.allclose(shifted, white, atol=1e-6 * np.abs(white).max())
    assert moved - offset == pytest.approx(0.7, rel=1e-9)


def test_fewer_samples_than_points_is_handled_and_reported():
    data = CorrelatorData.from_samples(draw(9), kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    equations = whiten(linear_system(data, GRID))
    report = equations.report
    assert (report.rows, report.components) == (20, 4)
    assert 0.0 < report.shrinkage <= 1.0
    assert report.hartlap == pytest.approx(3 / 8)
    assert any("few samples: 20 points reduced to 4" in w for w in equations.warnings)


def test_row_without_noise_is_raised_not_dropped():
    samples = draw(60)
    samples[:, 0] = 0.2
    data = CorrelatorData.from_samples(samples, kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    equations = whiten(linear_system(data, GRID))
    assert equations.report.variances_raised == 1
    assert equations.report.variance_floor == pytest.approx(1e-12 * np.diag(data.covariance).max())
    assert any("1 points without noise" in w for w in equations.warnings)


def test_small_eigenvalues_are_raised_and_counted():
    v = np.linspace(1.0, 2.0, 20)
    equations = whiten(linear_system(build(covariance=1e-6 * np.outer(v, v)), GRID))
    # One exact direction of noise: nearly all components have nothing but the floor.
    assert equations.report.components - 3 <= equations.report.eigenvalues_raised
    assert equations.report.eigenvalues_raised < equations.report.components
    assert any("eigenvalues raised to" in w for w in equations.warnings)


def test_hartlap_factor_makes_the_inverse_unbiased():
    rng = np.random.default_rng(11)
    inverses = [np.linalg.inv(np.cov(rng.normal(size=(5, 20)))) for _ in range(4000)]
    assert np.trace(np.mean(inverses, axis=0)) / 5 * hartlap_factor(20, 5) == pytest.approx(1.0, abs=0.03)
    assert hartlap_factor(None, 5) == 1.0


def test_shrinkage_vanishes_with_many_samples_and_with_exact_covariance():
    correlation = np.full((5, 5), 0.5) + 0.5 * np.eye(5)
    assert shrinkage_intensity(correlation, None) == 0.0
    assert shrinkage_intensity(correlation, 1000) == 0.0
    assert 0.0 < shrinkage_intensity(correlation, 12) < shrinkage_intensity(correlation, 6) <= 1.0


def test_jackknife_and_propagation_agree_for_linear_quantities():
    samples = draw(40)
    direct = np.cov(samples.T) / 40
    jackknife = jackknife_replicas(samples)
    assert np.allclose(jackknife.covariance(jackknife.vectors), direct, rtol=1e-8, atol=1e-14)
    steps = propagation_replicas(EXACT, direct)
    assert np.allclose(steps.covariance(steps.vectors), direct, rtol=1e-6, atol=1e-12)
    with pytest.raises(ValueError, match="n_blocks = 41"):
        jackknife_replicas(samples, 41)


def test_samples_scatter_by_a_larger_covariance():
    """Spread between fits, beside the scatter of samples, reaches jackknife, bootstrap and <-k_x> alike."""
    table, extra = draw(60), 0.1 * np.exp(-N / 5.0) * EXACT * 0.02
    plain = CorrelatorData.from_samples(table, kind="rho_iw", beta=BETA, grid=N, eps=EPS)
    wanted = plain.covariance + np.outer(extra, extra) + np.diag(extra**2)
    kinetic = table[:, -1] * 1.1
    for given in (None, kinetic):
        data = CorrelatorData.from_samples(
            table, kind="rho_iw", beta=BETA, grid=N, eps=EPS, kinetic=given, covariance=wanted
        )
        np.testing.assert_allclose(data.mean, plain.mean, rtol=1e-12)
        np.testing.assert_allclose(data.covariance, wanted, rtol=1e-9, atol=1e-9 * wanted.max())
        replicas = jackknife_replicas(data.samples[:, :20])
        np.testing.assert_allclose(replicas.covariance(replicas.vectors), wanted, atol=1e-9 * wanted.max())
    np.testing.assert_allclose(data.kinetic[2], np.cov(table.T, kinetic)[-1, :-1] / 60, rtol=1e-9)
    few = CorrelatorData.from_samples(
        table[:8], kind="rho_iw", beta=BETA, grid=N, eps=EPS,
        covariance=np.cov(table[:8].T) / 8 + np.outer(extra, extra),
    )
    total = np.trace(np.cov(table[:8].T) / 8) + extra @ extra
    assert np.trace(few.covariance) == pytest.approx(total, rel=0.5)


@pytest.mark.parametrize(
    ("factor", "size", "message"),
    [(0.5, 20, "covariance is below the scatter"), (1.0, 7, "covariance has shape"),
     (np.nan, 20, "covariance holds NaN")],
)
def test_refuses_covariances_that_do_not_belong_to_the_samples(factor, size, message):
    table = draw(60)
    wrong = factor * np.cov(table.T)[:size, :size] / 60
    with pytest.raises(ValueError, match=message):
        CorrelatorData.from_samples(table, kind="rho_iw", beta=BETA, grid=N, eps=EPS, covariance=wrong)
