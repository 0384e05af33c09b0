"""Continuation of exact correlators: a small ring and the free rotor, with exact spectra."""

import numpy as np
import pytest

from reference.exact_spectrum import broadened_correlator, ring_lines, rotor_lines
from sitqmc.continuation import (
    CorrelatorData,
    continue_correlator,
    higgs_scales,
    lowest_excitation,
    lowest_peak,
    onset,
    optical_gap,
    sinh_grid,
    tau_kernel,
    weight_bounds,
)

BETA, EPS = 8.0, 0.1
TAU = EPS * np.arange(1, 41)


def samples(clean, noise, seed, n_samples=200):
    """Return samples whose mean has relative noise, correlated over five points."""
    rng, index = np.random.default_rng(seed), np.arange(clean.size)
    root = np.linalg.cholesky(np.exp(-np.abs(index[:, None] - index) / 5.0))
    scale = noise * clean.max() * np.sqrt(n_samples)
    return clean + scale * rng.normal(size=(n_samples, clean.size)) @ root.T


def build(clean, noise, seed, kind):
    table = samples(clean, noise, seed)
    return CorrelatorData.from_samples(table, kind=kind, beta=BETA, grid=TAU, eps=EPS)


def test_reference_obeys_its_own_sum_rules():
    lines = ring_lines(3, 2.0, BETA)
    assert lines.correlator([0.0])[0] == pytest.approx(lines.equal_time, rel=1e-12)
    assert lines.correlator([1.0])[0] == pytest.approx(lines.correlator([BETA - 1.0])[0], rel=1e-10)
    # f-sum rule: the regular weight is at most pi/2 <-k_x>, the rest is the stiffness.
    regular = lines.weight.sum() + 0.5 * lines.zero
    assert 0 < regular < 0.5 * np.pi * lines.kinetic
    rotor = rotor_lines(2.0, BETA)
    assert rotor.correlator([0.0])[0] == pytest.approx(1.0, rel=1e-12)
    n = np.arange(-30, 31)
    p = np.exp(-BETA * n**2)
    exact = np.sum(p * np.exp(-1.5 * (2 * n + 1.0))) / p.sum()
    assert rotor.correlator([1.5])[0] == pytest.approx(exact, rel=1e-10)


def test_kernel_reproduces_the_exact_correlator_of_the_broadened_ring():
    lines, width = ring_lines(3, 2.0, BETA), 0.3
    fine = sinh_grid(60.0, 2.0, 6000)
    through_kernel = tau_kernel(TAU, fine.omega, BETA) @ (lines.broadened(fine.omega, width) * fine.weights)
    assert np.allclose(through_kernel, broadened_correlator(lines, TAU, width), rtol=2e-6)


@pytest.mark.parametrize("operator", ["current", "cosine"])
def test_spectrum_of_the_ring_is_recovered(operator):
    lines, width = ring_lines(4, 2.0, BETA, n_max=2, operator=operator), 0.4
    clean = broadened_correlator(lines, TAU, width)
    kind = "lambda_tau" if operator == "current" else "chi_tau"
    s = continue_correlator(build(clean, 1e-4, 0, kind), n_omega=200, n_draws=40)
    truth = lines.broadened(s.omega, width)
    weights = s.grid.weights
    assert np.abs(s.values - truth) @ weights < 0.3 * (truth @ weights)
    assert s.weight().value == pytest.approx(truth @ weights, rel=0.02)
    low, high = s.band(2.0)
    nodes = np.abs(np.cumsum(truth * weights) / (truth @ weights) - 0.5) < 0.48
    assert np.mean((low <= truth)[nodes] & (truth <= high)[nodes]) > 0.5


def test_bounds_and_decay_of_the_free_rotor():
    """Lines at E_C/2, 3 E_C/2, ... = 1, 3, ...: the decay gives the first, the bounds contain its weight."""
    lines = rotor_lines(2.0, BETA)
    clean = lines.correlator(TAU)
    data = build(clean, 1e-4, 0, "green_tau")
    gap = lowest_excitation(data).energy
    assert gap.value == pytest.approx(1.0, abs=4.0 * gap.error)
    assert gap.error < 0.02
    first = lines.weight[lines.omega < 2.0].sum()
    bounds = weight_bounds(data, 0.0, 2.0)
    assert bounds.lower <= first <= bounds.upper
    s = continue_correlator(data, n_omega=240, n_draws=40)
    scales = higgs_scales(s, pair=s)
    # The position of a line is known to one grid spacing, 0.5 %.
    assert scales.pair_peak.value == pytest.approx(1.0, rel=0.01)
    assert scales.pair_peak.error < 0.01


def test_features_of_known_shapes():
    w = np.linspace(0.0, 10.0, 2001)
    edge = np.clip(w - 2.0, 0.0, None) * np.exp(-np.clip(w - 2.0, 0.0, None))
    assert optical_gap(w, edge) == pytest.approx(2.0, abs=0.02)
    assert 2.0 < onset(w, edge) < 2.1
    assert lowest_peak(w, edge) == pytest.approx(3.0, abs=0.01)
    assert np.isnan(lowest_peak(w, np.exp(-w)))
    drude_first = np.exp(-((w - 0.05) ** 2)) + np.exp(-((w - 4.0) ** 2))
    assert lowest_peak(w, drude_first) == pytest.approx(4.0, abs=0.01)
    assert np.isnan(optical_gap(w, np.exp(-w)))
    assert onset(w, np.exp(-w)) == 0.0
