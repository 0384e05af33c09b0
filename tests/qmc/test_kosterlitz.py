"""Transition temperature from the jump of the stiffness: the law put in, and the classical XY model."""

import numpy as np
import pytest

from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.finite_size.kosterlitz import transition_temperature

T_C, C, SAMPLES = 0.5, 0.8, 60
SIZES, TEMPERATURES = (8, 16, 32), np.linspace(0.44, 0.56, 5)


def synthetic(seed, noise=0.01):
    """The law at T_C, linear in T around it, with noise of every sample."""
    rng = np.random.default_rng(seed)
    L, T = (g.ravel() for g in np.meshgrid(SIZES, TEMPERATURES, indexing="ij"))
    jump = 2 * T_C / np.pi * (1 + 0.5 / (np.log(L) + C))
    mean = jump * (1 - 2.0 * np.log(L) / np.log(8) * (T - T_C))
    return L, T, mean[:, None] + noise * rng.standard_normal((L.size, SAMPLES))


def test_the_law_put_in_is_found():
    pulls = []
    for seed in range(16):
        found = transition_temperature(*synthetic(seed), draws=40)
        assert found.T_c.error < 0.01
        assert not found.warnings
        pulls.append(found.T_c.pull(T_C))
    assert abs(np.mean(pulls)) < 3 / np.sqrt(16)
    assert 0.5 < np.std(pulls) < 1.6


def test_without_the_logarithm_sizes_disagree_and_fall_towards_T_c():
    found = transition_temperature(*synthetic(1, noise=1e-3))
    bare = [found.by_size[L].value for L in SIZES]
    assert bare[0] > bare[1] > bare[2] > T_C
    assert abs(found.constant.pull(C)) < 3
    assert found.constant.error < 0.2


def test_a_window_without_transition_is_refused():
    L, T, rho = synthetic(1, noise=1e-3)
    with pytest.raises(ValueError, match=r"no T_c in 0.44 .. 0.56.*widen the scan"):
        transition_temperature(L, T, 3 * rho)
    with pytest.raises(ValueError, match="logarithm of L needs at least two"):
        transition_temperature(L[:5], T[:5], rho[:5])
    with pytest.raises(ValueError, match="L = 8: 2 temperatures cannot fix a polynomial of degree 2"):
        transition_temperature(L[[0, 1, 5, 6, 7]], T[[0, 1, 5, 6, 7]], rho[[0, 1, 5, 6, 7]])
    with pytest.raises(ValueError, match="do not overlap"):
        transition_temperature(L, np.where(L == 8, T + 1, T), rho)


def test_a_size_that_meets_the_line_outside_the_data_has_no_temperature():
    """Small sizes meet 2 T/pi far above T_c; the law still uses their points."""
    L, T, rho = synthetic(1, noise=1e-3)
    below = T < 0.51
    found = transition_temperature(L[below], T[below], rho[below], degree=1, draws=40)
    assert not found.by_size[8].is_known
    assert abs(found.T_c.value - T_C) < 0.01


def test_other_laws_are_rejected():
    L, T, rho = synthetic(1, noise=1e-3)
    found = transition_temperature(L, T, rho * (L / 16.0)[:, None] ** 0.1)
    assert any("does not fit" in w for w in found.warnings)


@pytest.mark.physics
def test_clean_classical_limit():
    """A small E_C locks the two time slices: the classical XY model, T_c = 0.8929 E_J."""
    points = []
    for L in (8, 16, 32):
        for T in (0.86, 0.89, 0.92, 0.95):
            model = Model(L=L, L_tau=2, eps=1 / (2 * T), charging=0.01)
            chains = Chains(
                model, [model.draw_disorder(1, i) for i in range(12)], seed=1, samples=range(12),
                schedule=Schedule(
                    therm_sweeps=500, bins=16, measurements_per_bin=1500, sweeps_per_measurement=2.0,
                    transverse=False,
                ),
            )  # fmt: skip
            while not chains.finished:
                chains.step()
            rho = [(r.bins["rho_s_x"].mean() + r.bins["rho_s_y"].mean()) / 2 for r in chains.results()]
            points.append((L, T, rho))
    L, T, rho = zip(*points, strict=True)
    found = transition_temperature(L, T, np.array(rho))
    assert found.T_c.error < 0.005
    assert abs(found.T_c.value - 0.8929) < 3 * found.T_c.error + 0.004      # beyond the first logarithm
