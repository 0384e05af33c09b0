"""Wrong arguments of the continuation are refused in one line that names the value and what to do."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.continuation import CorrelatorData, continue_conductivity, midpoint_frequency
from sitqmc.continuation.checks.closure_test import mock_data
from sitqmc.continuation.data.constraints import Constraint
from sitqmc.continuation.data.linear_system import LinearSystem
from sitqmc.continuation.data.resampling import replicas_of
from sitqmc.continuation.kernels.grids import grid_from_nodes, sinh_grid
from sitqmc.continuation.model_free.decay import lowest_excitation
from sitqmc.continuation.model_free.matsubara import midpoint_functional, sigma_matsubara

BETA = 4.0
TAU = np.linspace(0.0, 1.5, 6)
OMEGA = np.linspace(0.1, 5.0, 20)


@pytest.fixture(scope="module")
def in_time():
    """G(tau) without samples, and without tau = beta/2."""
    mean = np.exp(-TAU) + np.exp(TAU - BETA)
    return CorrelatorData.from_mean_cov(mean, 1e-4 * mean, kind="green_tau", beta=BETA, grid=TAU)


def rho(**changes):
    samples = 1 + 0.01 * np.random.default_rng(0).normal(size=(30, 6)) + np.arange(6)
    return CorrelatorData.from_samples(
        samples, **{"kind": "rho_iw", "beta": BETA, "grid": np.arange(6)} | changes
    )


def two_sided(power):
    return Constraint("moment", 1.0, 0.1, power=power).row(np.linspace(-1, 1, 11))


@pytest.mark.parametrize(("call", "words"), [
    (lambda g: mock_data(g, OMEGA, np.ones(20), constant=0.3), "only rho_iw and chi_iw have one"),
    (lambda g: two_sided(0.5), "must be an integer for two-sided kinds"),
    (lambda g: g.frequencies, "green_tau is a function of tau"),
    (lambda g: replace(rho(kinetic=np.ones(30)), kinetic=(1.0, 0.1, np.ones(2))), "kinetic covariance"),
    (lambda g: rho(kinetic=np.ones(7)), "give one value per sample, 30"),
    (lambda g: CorrelatorData.from_mean_cov(np.ones(6) - 0.1j, np.eye(5), kind="fermion_iw", beta=BETA,
                                            grid=np.arange(6)), "complex points: give"),
    (lambda g: LinearSystem(sinh_grid(3.0, 1.0), np.eye(2), np.zeros(2), np.eye(2), None, 2, None, 1.0)
     .without(np.zeros(2), 0.1), "no additive constant"),
    (lambda g: replicas_of(g, 5), "n_blocks = 5: these data hold no samples"),
    (lambda g: grid_from_nodes(np.arange(4.0)), "at least 10 frequencies"),
    (lambda g: sinh_grid(3.0, 0.0), "scale = 0.0"),
    (lambda g: sinh_grid(-3.0, 1.0), "omega_max = -3.0"),
    (lambda g: sinh_grid(3.0, 1.0, 4), "size = 4"),
    (lambda g: sigma_matsubara(g), r"sigma\(i w_n\) needs rho_iw"),
    (lambda g: midpoint_functional(g), "no point at tau = beta/2 = 2"),
    (lambda g: midpoint_frequency(CorrelatorData.from_mean_cov(
        np.exp(-TAU), np.full(6, 1e-3), kind="fermion_tau", beta=BETA, grid=TAU)), "even spectra only"),
    (lambda g: lowest_excitation(rho()), "the decay needs a function of tau"),
    (lambda g: continue_conductivity(np.ones(5), BETA), r"have shape \(5,\): give \(n_samples, n_points\)"),
])  # fmt: skip
def test_wrong_arguments(in_time, call, words):
    with pytest.raises(ValueError, match=words) as refused:
        call(in_time)
    assert "\n" not in str(refused.value)


def test_an_unknown_kind_of_band():
    spectrum = continue_conductivity(rho().samples, BETA, method="maxent", n_omega=40)
    with pytest.raises(ValueError, match="choose one of statistical, posterior, total"):
        spectrum.band(kind="sytematic")
