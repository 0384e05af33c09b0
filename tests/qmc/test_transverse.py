"""Responses at finite wave vectors: kernel against sums over links, chains against the transfer matrix."""

from functools import cache

import numpy as np
import pytest

from reference.transfer_matrix import CASES, DISORDERED, Case, solve
from reference.wave_vectors import brute_force, phases, signs_of
from sitqmc.qmc import Chains, Model, Schedule, make_disorder
from sitqmc.qmc.measure.estimators import BOND_ENERGY
from sitqmc.qmc.measure.transverse import add_waves
from sitqmc.qmc.measure.wave_tables import new_wave_work, wave_tables
from sitqmc.qmc.model.wave_vectors import (
    boson_waves,
    default_radius,
    matsubara_numbers,
    measured_waves,
    multiplicity,
    wave_numbers,
)

SHORT = Schedule(therm_sweeps=30, bins=4, measurements_per_bin=4)
MODELS = (
    Model(Lx=6, Ly=6, L_tau=12, eps=0.3, charging=3.0, action="cosine", p=0.2),
    Model(Lx=5, Ly=4, L_tau=11, eps=0.5, charging=3.0, action="rotor", p_site=0.1),
    Model(Lx=3, Ly=7, L_tau=8, eps=0.5, charging=3.0, action="villain"),
    Model(Lx=2, Ly=2, L_tau=8, eps=0.8, charging=2.0, action="rotor"),
    Model(Lx=4, Ly=4, L_tau=9, eps=0.9, charging=1.0, action="cosine", p=0.1, spread_J=0.5),
)
CORNER = 0.999 / np.sqrt(2)
"""Radius over L that holds nearly all waves of a square."""


def _finished(model, disorder, **options):
    chains = Chains(model, disorder, seed=5, samples=range(len(disorder)), **options)
    while not chains.finished:
        chains.step()
    return chains


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.action}-{m.Lx}x{m.Ly}")
def test_one_configuration_against_sums_over_links(model):
    chains = _finished(model, [model.draw_disorder(1, 0)], schedule=SHORT)
    J, operators = chains.currents()[0], chains._operators
    waves = wave_numbers(model.Lx, model.Ly, CORNER * min(model.Lx, model.Ly))
    n = matsubara_numbers(model.L_tau)
    tables, found = wave_tables(model, waves), np.zeros((2, len(waves), len(n)))
    words = chains._replicas.words[0]
    add_waves(words, 0, 0.7, operators, tables, new_wave_work(model, tables), found)
    expected = np.array([_sums_over_links(model, J, operators, tuple(wave), n) for wave in waves])
    for values, wanted in zip(found, expected.transpose(1, 0, 2), strict=True):
        np.testing.assert_allclose(values, wanted, atol=2e-6 * wanted.max())


def _sums_over_links(model, J, operators, wave, n):
    """K_T and chi_s of one configuration, the mean over the vectors of a wave, with a contact term of 0.7."""
    bonds, middle = operators.bonds, operators.bonds.shape[1] // 2
    rows = operators.bond_table[0].reshape(2, 1, model.Ly, model.Lx)
    energy = bonds[rows, J[1:] + middle, BOND_ENERGY]
    links = [(mu, y, x) for mu, y, x in np.ndindex(2, model.Ly, model.Lx)]
    phase = np.exp(2j * np.pi / model.L_tau * np.outer(n, np.arange(model.L_tau)))
    out = []
    for signed in signs_of(wave):
        weight = phases(links, signed, model.Lx, model.Ly).reshape(2, model.Ly, model.Lx)
        B = np.einsum("mkyx,myx->k", energy, weight)
        square = (np.abs(phase @ B) ** 2 + np.abs(phase.conj() @ B) ** 2) / 2
        chi = model.eps / (model.sites * model.L_tau) * (square + 0.7)
        out.append([brute_force(J, model.eps, signed)[n], chi])
    return np.mean(out, axis=0)


def test_static_longitudinal_currents_vanish():
    """The midpoint phases are right: with them static currents have no divergence in any configuration."""
    model = MODELS[0]
    J = _finished(model, [model.draw_disorder(1, 3)], schedule=SHORT).currents()[0, 1:].sum(axis=1)
    links = [(mu, y, x) for mu, y, x in np.ndindex(2, 6, 6)]
    for signed in ((1, 0), (1, 2), (2, -3)):
        along = (phases(links, signed, 6, 6).reshape(2, 6, 6) * J).sum(axis=(1, 2))
        assert abs(np.sin(np.pi * np.array(signed) / 6) @ along) < 1e-10
        assert np.abs(along).max() > 1e-3 or not J.any()


# Four rotors on three by three sites: wave vectors off the axes that are not at the edge of the zone.
OFF_AXIS = tuple(
    Case(f"{action}-3x3-sites", 3, 3, 6, eps, charging, action,
         absent=((1, 1), (1, 2), (2, 0), (2, 1), (2, 2)))
    for action, eps, charging in (("rotor", 0.5, 3.0), ("cosine", 0.5, 4.0), ("villain", 0.35, 5.0))
)
QUICK = (CASES[1], CASES[6], DISORDERED[0], DISORDERED[3], *OFF_AXIS[::2])
SLOW = (CASES[4], DISORDERED[1], DISORDERED[2], DISORDERED[4], DISORDERED[5], OFF_AXIS[1])
CHAINS = 48


def _cases():
    return [pytest.param(case, id=case.name, marks=[pytest.mark.physics] if case in SLOW else [])
            for case in (*QUICK, *SLOW)]


@cache
def _exact(case, waves):
    return solve(case, cut=1e-8, waves=waves)


@pytest.mark.parametrize("case", _cases())
def test_chains_against_the_transfer_matrix(case):
    model = Model(Lx=case.Lx, Ly=case.Ly, L_tau=case.L_tau, eps=case.eps, charging=case.charging,
                  action=case.action)
    couplings = {"E_J": case.E_J, "E_C": case.E_C} if case.spread_J or case.spread_C else {}
    disorder = make_disorder(case.Lx, case.Ly, bonds=case.bonds, sites=case.sites, **couplings)
    radius = min(case.Lx, case.Ly) * CORNER if case.Lx == case.Ly == 3 else 1.0
    schedule = Schedule(therm_sweeps=300, bins=8, measurements_per_bin=300)
    chains = _finished(model, [disorder] * CHAINS, schedule=schedule, radius=radius).results()
    waves, n = wave_numbers(case.Lx, case.Ly, radius), matsubara_numbers(case.L_tau)
    truth = _exact(case, tuple(map(tuple, waves.tolist())))
    assert truth["truncation"] < 1e-6
    boson = [waves.tolist().index(wave) for wave in boson_waves(case.Lx, case.Ly).tolist()]
    for name, first, exact in (
        ("K_T", 0, truth["K_T"][:, n]), ("chi_s_q", 1, truth["chi_s_q"][:, n[1:]]),
        ("G_k", 0, truth["G_q"][boson]),
    ):  # fmt: skip
        found = np.array([chain.maps[name] for chain in chains])[:, :, first:]
        error = found.std(axis=0, ddof=1) / np.sqrt(CHAINS)
        still = error < 1e-9 * np.abs(exact).max()       # nothing flows across a cut
        np.testing.assert_allclose(found.mean(axis=0)[still], exact[still], atol=1e-9)
        z = (found.mean(axis=0) - exact)[~still] / error[~still]
        assert len(z) > 3
        largest = np.abs(truth[name][:, n] if name in truth else exact).max()
        ceiling = 0.025 if name == "G_k" else 0.01      # worms fill the histogram in a part of each bin only
        assert np.all(error < ceiling * largest), (name, error)
        assert np.abs(z).max() < 4.5, (name, z)


def test_transverse_waves_along_an_axis_are_rho_t():
    """The one transverse response that chains measured before, by a route of its own."""
    model = MODELS[0]
    result = _finished(model, [model.draw_disorder(1, 5)], schedule=SHORT).results()[0]
    waves = measured_waves(model).tolist()
    for name, wave in (("rho_t_x", [0, 1]), ("rho_t_y", [1, 0])):
        found = result.maps["K_T"][waves.index(wave), 0]
        assert found == pytest.approx(result.bins[name].mean(), rel=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.action}-{m.Lx}x{m.Ly}")
def test_boson_at_equal_times_and_without_wave_vector(model):
    """The momentum distribution and G(k = 0, tau) are made of other histograms of the same waiting times."""
    result = _finished(model, [model.draw_disorder(1, 0)], schedule=SHORT).results()[0]
    G, waves = result.maps["G_k"], boson_waves(model.Lx, model.Ly).tolist()
    assert G.shape == (len(waves), model.L_tau)
    for wave, values in zip(waves, G, strict=True):
        S = result.bins["S_x"][:, wave[0]] if wave[0] else result.bins["S_y"][:, wave[1]]
        assert values[0] == pytest.approx(S.mean(), rel=1e-10)
        assert np.all(np.abs(values) <= result.bins["G_k0"].mean(axis=0) + 1e-12)


def test_measuring_changes_no_other_observable():
    model = MODELS[0]
    disorder = [model.draw_disorder(1, s) for s in range(3)]
    kept = []
    for transverse in (True, False):
        schedule = Schedule(therm_sweeps=30, bins=4, measurements_per_bin=4, transverse=transverse)
        kept.append(_finished(model, disorder, schedule=schedule).results())
    for one, other in zip(*kept, strict=True):
        assert all(one.bins[name].tobytes() == other.bins[name].tobytes() for name in one.bins)
        assert one.maps.keys() - other.maps.keys() == {"K_T", "chi_s_q"}


def test_resumed_chains_and_lone_chains_give_the_same_bits():
    model = MODELS[0]
    disorder = [model.draw_disorder(1, s) for s in range(3)]
    together = _finished(model, disorder, schedule=SHORT).results()
    alone = Chains(model, disorder[2:], seed=5, samples=[2], schedule=SHORT)
    state = alone.state()
    alone.restore(state)
    while not alone.finished:
        alone.step()
    for name in ("K_T", "chi_s_q", "G_k"):
        assert alone.results()[0].maps[name].tobytes() == together[2].maps[name].tobytes()


def test_negative_scalar_responses_of_short_chains_are_kept():
    """chi_s_q is a difference: one chain may find it negative, and only the mean over chains is right."""
    model = MODELS[1]
    results = _finished(model, [model.draw_disorder(1, s) for s in range(8)], schedule=SHORT).results()
    found = np.stack([result.maps["chi_s_q"] for result in results])
    assert (found < 0).any()
    assert not (found == -1).any()
    assert all((result.maps["K_T"] >= 0).all() for result in results)


def test_waves_and_frequencies():
    waves = wave_numbers(16, 16, 6.0)
    assert multiplicity(waves, 16, 16).sum() == 56           # of a half plane
    assert len(waves) == len({tuple(w) for w in waves.tolist()}) == 34
    assert multiplicity(np.array([[1, 2], [8, 1], [0, 3]]), 16, 16).tolist() == [2, 1, 1]
    assert {1, 2, 3, 4, 6, 8, 11, 15, 20} <= set(matsubara_numbers(128).tolist())
    assert matsubara_numbers(4).tolist() == [0, 1, 2]
    for L in range(2, 40):
        assert 1 <= default_radius(L, L) <= max(1, L / 2)
    wide = wave_numbers(8, 4, 1.0)                           # |q| counts, not the wave numbers
    assert sorted(map(tuple, wide.tolist())) == [(0, 1), (1, 0), (2, 0)]


@pytest.mark.parametrize("radius", [0.0, 0.5, 6.0])
def test_refuses_waves_beyond_the_zone(radius):
    with pytest.raises(ValueError, match=r"radius = .*: must be between 1 and 5.657, the corner of the zone"):
        wave_numbers(8, 8, radius)


def test_refuses_a_schedule_that_says_no_truth():
    with pytest.raises(ValueError, match="transverse = 0: must be true or false"):
        Schedule(transverse=0)
