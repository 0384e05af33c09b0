"""The registry of methods: every entry obeys the contract, and a new one is one entry."""

import numpy as np
import pytest

from sitqmc.continuation import CorrelatorData, continue_correlator, current_kernel, sinh_grid
from sitqmc.continuation.methods import CROSS_CHECK, DEFAULT_METHOD, METHODS, methods_for
from sitqmc.continuation.methods.method import Method
from sitqmc.continuation.methods.refits import bootstrap_solution

BETA, N = 8.0, np.arange(13)
GRID = sinh_grid(40.0, 1.0, 60)
TRUTH = 0.3 * np.exp(-0.5 * (GRID.omega - 3.0) ** 2) * GRID.weights
NOISE = 0.02 * np.random.default_rng(0).normal(size=(60, N.size))
SAMPLES = 0.2 + current_kernel(N, GRID.omega, BETA) @ TRUTH + NOISE
DATA = CorrelatorData.from_samples(SAMPLES, kind="rho_iw", beta=BETA, grid=N)


def test_names_texts_and_votes():
    assert all(name == method.name for name, method in METHODS.items())
    assert all(method.text and "\n" not in method.text for method in METHODS.values())
    assert sum(method.vote for method in METHODS.values()) == pytest.approx(1.0)
    assert METHODS[DEFAULT_METHOD].vote == max(method.vote for method in METHODS.values())
    assert set(methods_for("rho_iw")) == set(METHODS)
    assert [name for name, method in METHODS.items() if method.cross_check] == [CROSS_CHECK]
    assert set(METHODS) - set(methods_for("green_tau")) == {"rational"}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_obeys_the_contract(name):
    s = continue_correlator(DATA, method=name, omega=GRID.omega, n_draws=20, threads=1)
    posterior, m = s.posterior, s.n_data
    assert posterior.kernel.shape == (m, 60)
    assert posterior.response().shape == (60, m)
    assert posterior.functional_error(np.ones((2, 60))).shape == (2,)
    assert np.all(posterior.reported >= 0)
    assert np.all(posterior.samples() >= 0)
    quantile = posterior.quantile(0.5)
    assert (quantile is not None) == posterior.has_pointwise_samples
    assert s.scan.alpha.shape == s.scan.chi2.shape == s.scan.entropy.shape
    assert s.scans
    assert 0.0 <= s.n_effective <= m


def test_a_new_method_is_one_entry(monkeypatch):
    def solve(problem):
        K, m = problem.kernel, problem.models[0].values * problem.grid.weights
        image = K @ m
        scale = image / (image @ image)
        return bootstrap_solution(problem, lambda d: m * max(scale @ d, 0.0), "scaled model")

    monkeypatch.setitem(METHODS, "scaled", Method("scaled", "the default model, scaled", solve))
    s = continue_correlator(DATA, method="scaled", omega=GRID.omega)
    assert s.method == "scaled model"
    assert s.stiffness.error > 0
    with pytest.raises(ValueError, match=r"choose one of process, .*, scaled"):
        continue_correlator(DATA, method="none")
