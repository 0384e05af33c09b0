"""Kinds of correlators beside the even ones: contact term, fermions, bosons with two sides, mixed sign."""

import numpy as np
import pytest

from sitqmc.continuation import CorrelatorData, continue_correlator, continue_mixed, continue_scan
from sitqmc.continuation.data.kinds import EVEN_KINDS, KINDS
from sitqmc.continuation.kernels.grids import mirrored, sinh_grid
from sitqmc.continuation.kernels.kernels import response_kernel, two_sided_kernel

BETA, NOISE = 8.0, 1e-4
FINE = mirrored(sinh_grid(30.0, 0.3, 1200))
N = np.arange(12)
TAU = np.linspace(0.0, BETA, 25)
TRUTH = np.exp(-0.5 * (FINE.omega - 2.0) ** 2) + 0.4 * np.exp(-0.5 * ((FINE.omega + 1.5) / 0.7) ** 2)
QUICK = {"n_omega": 100, "n_draws": 20, "threads": 1}


def points(kind):
    if not kind.endswith("_iw"):
        return TAU
    return (2 * N + 1) * np.pi / BETA if kind == "fermion_iw" else 2 * N * np.pi / BETA


def exact(kind, A=TRUTH):
    return two_sided_kernel(kind, points(kind), FINE.omega, BETA) @ (A * FINE.weights)


def correlator(kind, A=TRUTH, seed=0):
    mean, rng = exact(kind, A), np.random.default_rng(seed)
    error = NOISE * np.abs(mean).max()
    noisy = mean + error * rng.normal(size=mean.size)
    if np.iscomplexobj(mean):
        noisy = noisy + 1j * error * rng.normal(size=mean.size) * (points(kind) != 0)
    return CorrelatorData.from_mean_cov(
        noisy, np.full(mean.size, error), kind=kind, beta=BETA, grid=points(kind)
    )


TWO_SIDED = [kind for kind in KINDS if kind not in EVEN_KINDS]


@pytest.mark.parametrize("kind", TWO_SIDED)
def test_kernels_are_the_integrals_of_their_definition(kind):
    w, x = np.array([-700.0, -1.3, 0.4, 900.0]), points(kind)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        plain = {
            "fermion_tau": lambda: np.exp(-w * x) / (1 + np.exp(-BETA * w)),
            "boson_tau": lambda: w * np.exp(-w * x) / (1 - np.exp(-BETA * w)) / np.pi,
            "fermion_iw": lambda: 1 / (1j * x - w),
            "boson_iw": lambda: w / (w - 1j * x) / np.pi,
        }[kind]()
    found = two_sided_kernel(kind, x[:, 0], w, BETA)
    assert np.all(np.isfinite(found))
    assert np.allclose(found[:, 1:3], plain[:, 1:3], rtol=1e-12)
    assert np.all(np.isfinite(two_sided_kernel(kind, x[:, 0], np.zeros(1), BETA)))


@pytest.mark.parametrize("kind", TWO_SIDED)
@pytest.mark.parametrize("method", ["process", "maxent"])
def test_spectra_with_two_sides_are_found(kind, method):
    data = correlator(kind)
    s = continue_correlator(data, method=method, **QUICK)
    truth = np.interp(s.omega, FINE.omega, TRUTH)
    distance = np.abs(s.values - truth) @ s.grid.weights / (truth @ s.grid.weights)
    assert distance < 0.25
    assert s.chi2 < 2.5 * s.n_data
    right = TRUTH @ (FINE.weights * (FINE.omega > 0))
    assert s.weight(0.0).value == pytest.approx(right, abs=max(4 * s.weight(0.0).error, 0.03 * right))
    assert s.weight(-np.inf).value == pytest.approx(TRUTH @ FINE.weights, rel=0.03)


def test_complex_samples_are_stacked_and_physical_frequencies_understood():
    rng, mean = np.random.default_rng(1), exact("boson_iw")
    noise = rng.normal(size=(40, N.size)) + 1j * rng.normal(size=(40, N.size)) * (N > 0)
    samples = mean + 1e-3 * noise
    data = CorrelatorData.from_samples(samples, kind="boson_iw", beta=BETA, grid=points("boson_iw"))
    assert data.grid.size == 2 * N.size - 1                    # no imaginary part at n = 0
    assert np.allclose(data.mean[: N.size], samples.real.mean(axis=0))
    assert np.allclose(data.mean[N.size :], samples.imag.mean(axis=0)[1:])
    assert np.allclose(correlator("fermion_iw").grid, [*N, *N])
    again = CorrelatorData.from_samples(
        data.samples, kind="boson_iw", beta=BETA, grid=data.grid, imaginary=data.imaginary
    )
    assert np.array_equal(again.mean, data.mean)


def test_lambda_without_its_contact_term():
    omega = FINE.omega[FINE.omega >= 0]
    A = 0.3 * np.exp(-0.5 * (omega - 3.0) ** 2)
    weights = np.append(0.5 * FINE.weights[FINE.omega == 0], FINE.weights[FINE.omega > 0])
    clean = response_kernel(N, omega, BETA) @ (A * weights) - 0.7
    data = CorrelatorData.from_mean_cov(clean, np.full(N.size, 1e-4), kind="lambda_iw", beta=BETA, grid=N)
    s = continue_correlator(data, **QUICK)
    assert s.constant.value == pytest.approx(-0.7, abs=4 * s.constant.error)
    assert s.stiffness is None
    assert s.sum_rule is None
    assert s.sigma.max() == pytest.approx(2 * np.pi * 0.3, rel=0.2)


def test_mixed_sign_by_splitting():
    a, b = np.exp(-0.5 * (FINE.omega - 2.0) ** 2), np.exp(-0.5 * (FINE.omega + 2.0) ** 2)
    mixed = 0.4 * a - 0.3 * b
    spectra = a + b + 2 * mixed, a + 0.2 * b, b + 0.2 * a
    data = [correlator("fermion_tau", A, i) for i, A in enumerate(spectra)]
    omega, values, error = continue_mixed(*data, method="maxent", **QUICK)
    truth = np.interp(omega, FINE.omega, 0.5 * ((a + b + 2 * mixed) - 1.2 * (a + b)))
    assert values.min() < -0.2
    assert values.max() > 0.1
    assert np.mean(np.abs(values - truth)) < 0.05
    assert np.all(error > 0)
    with pytest.raises(ValueError, match="kinds boson_tau, fermion_tau: the three"):
        continue_mixed(correlator("boson_tau"), *data[1:])


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("fermion_iw", lambda c: c.real, "real values with kind fermion_iw: give complex"),
        ("fermion_iw", lambda c: c.conj(), r"wrong sign: fermion_iw: G\(i w_n\) = int dw A/"),
        ("fermion_tau", lambda c: -c, r"no fermion_tau value is > 0: fermion_tau: -G\(tau\)"),
        ("boson_tau", lambda c: np.where(np.arange(c.size) == 4, -c, c), "point 4 has the wrong sign"),
        ("boson_iw", lambda c: c[:5], "values of shape"),
        ("green", lambda c: c, "kind = 'green': choose one of rho_iw, lambda_iw"),
    ],
)
def test_wrong_input_names_the_integral(kind, change, message):
    known = kind if kind in KINDS else "boson_tau"
    values = change(exact(known))
    with pytest.raises(ValueError, match=message) as caught:
        CorrelatorData.from_mean_cov(
            values, np.full(points(known).size, 1e-4), kind=kind, beta=BETA, grid=points(known)
        )
    assert "\n" not in str(caught.value)


def test_what_needs_an_even_spectrum_says_so():
    data = correlator("fermion_tau")
    with pytest.raises(ValueError, match="continue_scan needs an even spectrum"):
        continue_scan([data] * 3, [0, 1, 2])
    with pytest.raises(ValueError, match="kind fermion_tau has no time step"):
        CorrelatorData.from_mean_cov(
            data.mean, data.covariance, kind="fermion_tau", beta=BETA, grid=TAU, eps=0.1
        )


def test_no_answer_depends_on_the_frequency_grid():
    """Default grids of 80 and 160 nodes, and a cut-off 1.6 times larger: the same within the errors."""
    omega = FINE.omega[FINE.omega >= 0]
    weights = np.append(0.5 * FINE.weights[FINE.omega == 0], FINE.weights[FINE.omega > 0])
    A = 0.3 * np.exp(-0.5 * (omega - 3.0) ** 2) + 0.1 * np.exp(-omega)
    clean = response_kernel(N, omega, BETA) @ (A * weights)
    noisy = clean + 1e-3 * np.random.default_rng(2).normal(size=N.size)
    data = CorrelatorData.from_mean_cov(noisy, np.full(N.size, 1e-3), kind="chi_iw", beta=BETA, grid=N)
    first = continue_correlator(data, n_omega=80, n_draws=40, threads=1)
    top = 1.6 * float(first.omega[-1])
    for other in ({"n_omega": 160}, {"n_omega": 80, "omega_max": top}):
        s = continue_correlator(data, n_draws=40, threads=1, **other)
        assert s.omega[-1] == pytest.approx(other.get("omega_max", first.omega[-1]))
        for name in ("dc", "weight", "peak"):
            old, new = ({
                "dc": one.dc(), "weight": one.weight(0.0, 3.0), "peak": one.peaks(limit=1)[0].position,
            }[name] for one in (first, s))  # fmt: skip
            assert abs(new.value - old.value) < 0.5 * old.error, name
