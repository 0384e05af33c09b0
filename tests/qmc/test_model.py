"""The model: link weights, disorder, masks, and what is refused."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import iv, ive

from sitqmc.qmc import (
    Model,
    Schedule,
    make_disorder,
    run_chain,
    space_links,
    time_links,
)


def test_bessel_tables_against_scipy():
    K, j = 0.7, np.arange(4)
    table = space_links("rotor", K)
    np.testing.assert_allclose(table.weight[:4], iv(j, K) / iv(0, K), rtol=1e-12)
    cos = (iv(j - 1, K) + iv(j + 1, K)) / (2 * iv(j, K))
    cos2 = (iv(j - 2, K) + 2 * iv(j, K) + iv(j + 2, K)) / (4 * iv(j, K))
    np.testing.assert_allclose(table.kinetic[:4], cos, rtol=1e-12)
    np.testing.assert_allclose(-table.energy[:4], cos, rtol=1e-12)
    np.testing.assert_allclose(table.contact[:4], cos2 - cos**2, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("action", "eps"), [("rotor", 0.1), ("cosine", 3.0), ("villain", 0.3)])
def test_neglected_weight(action, eps):
    """What lies beyond the tables, from the closed forms, is below 1e-12 of the whole."""
    gaussian, bessel = (lambda j, K: np.exp(-0.5 * j**2 / K)), (lambda j, K: ive(j, K) / ive(0, K))
    for table, K, weight in (
        (space_links(action, eps), eps, gaussian if action == "villain" else bessel),
        (time_links(action, eps, 2.0), 0.5 / eps, bessel if action == "cosine" else gaussian),
    ):
        beyond = np.arange(table.j_max + 1, table.j_max + 60)
        assert weight(beyond, K).sum() < 1e-12 * table.weight.sum()
        np.testing.assert_allclose(table.weight, weight(np.arange(table.j_max + 1), K), rtol=1e-9)


@pytest.mark.parametrize(("action", "K"), [("villain", 0.3), ("villain", 2.0), ("rotor", 0.5)])
def test_energy_and_contact_are_derivatives_of_the_weight(action, K):
    """energy = -d ln w/dK; contact = d^2 ln w/dK^2, both by finite differences of the full weight."""
    j, h = np.arange(4), 1e-4 * K

    def log_weight(k):
        return np.log(iv(j, k)) if action == "rotor" else -0.5 * np.log(2 * np.pi * k) - 0.5 * j**2 / k

    low, here, high = log_weight(K - h), log_weight(K), log_weight(K + h)
    table = space_links(action, K)
    np.testing.assert_allclose(table.energy[:4], -(high - low) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(table.contact[:4], (high - 2 * here + low) / h**2, rtol=1e-5, atol=1e-5)


def test_charging_energy_of_the_cosine_action_tends_to_the_hamiltonian():
    table = time_links("cosine", 0.005, 2.0)
    np.testing.assert_allclose(table.energy[:4], np.array([0, 1, 4, 9]), rtol=0.02)


def test_missing_bonds_carry_nothing_and_are_nested_in_p():
    low, high = (Model(Lx=16, Ly=16, L_tau=2, eps=0.1, charging=1.0, p=p) for p in (0.1, 0.3))
    a, b = low.draw_disorder(1, 0).bonds, high.draw_disorder(1, 0).bonds
    assert np.all(a | ~b)
    assert 0.25 < 1 - b.mean() < 0.35
    assert not np.array_equal(a, low.draw_disorder(1, 1).bonds)


def test_every_kind_of_disorder_is_nested_and_independent_of_the_others():
    def draw(**kind):
        return Model(Lx=16, Ly=16, L_tau=2, eps=0.1, charging=2.0, **kind).draw_disorder(1, 0)

    clean, few, many = draw(p=0.2), draw(p=0.2, p_site=0.1), draw(p=0.2, p_site=0.3)
    assert np.all(few.sites | ~many.sites)
    assert 0.22 < 1 - many.sites.mean() < 0.38
    alive = many.sites & np.roll(many.sites, -1, axis=1)
    np.testing.assert_array_equal(many.bonds[0], clean.bonds[0] & alive)
    narrow, wide = draw(spread_J=0.2, spread_C=0.4), draw(spread_J=0.4, spread_C=0.8)
    np.testing.assert_allclose(wide.E_J - 1, 2 * (narrow.E_J - 1))
    np.testing.assert_allclose(wide.E_C - 2, 2 * (narrow.E_C - 2))
    assert 0.35 < np.abs(wide.E_J - 1).max() < 0.4
    assert abs(np.corrcoef(wide.E_J[0].ravel(), wide.E_C.ravel())[0, 1]) < 0.2
    assert clean.uniform
    assert not narrow.uniform


def test_charge_offset_tilts_the_rates():
    """Rates up and down have the ratio of the weights: a factor exp(eps E_C n_g) per unit of charge."""
    eps, charging, n_g = 0.3, 2.0, 0.3
    table, plain = time_links("rotor", eps, charging, n_g), time_links("rotor", eps, charging)
    for j in range(-3, 3):
        up, down = table.acceptance(j), table.reversed().acceptance(-j - 1)
        without = plain.acceptance(j) / plain.acceptance(-j - 1)
        assert up / down == pytest.approx(without * np.exp(eps * charging * n_g))
        assert max(up, down) == 1.0


def test_new_kinds_of_disorder_leave_old_streams_alone():
    """The key of a model without them is what it was before they existed."""
    old = Model(Lx=4, Ly=3, L_tau=10, eps=0.3, charging=3.0, action="rotor", p=0.2)
    assert old.key()[0] == 4108973128
    for change in ({"p_site": 0.1}, {"spread_J": 0.1}, {"spread_C": 0.1}, {"n_g": 0.1}):
        assert replace(old, **change).key() != old.key()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Lx": 1}, "Lx = 1"),
        ({"L_tau": 1}, "L_tau = 1"),
        ({"p": 1.0}, "p = 1.0"),
        ({"p": float("nan")}, "p = nan"),
        ({"p_site": 1.0}, "p_site = 1.0"),
        ({"spread_J": -0.1}, "spread_J = -0.1"),
        ({"n_g": 1.5}, "n_g = 1.5"),
        ({"n_g": 0.5}, "n_g = 0.5: the action cosine has no charge offset"),
        ({"n_g": 1.0}, "n_g = 1: the action cosine has no charge offset"),
        ({"charging": 0.1, "spread_C": 0.99}, r"K_tau = 2000"),
        ({"eps": 0.0}, "eps = 0.0"),
        ({"charging": -1.0}, "charging = -1.0"),
        ({"action": "xy"}, "action = 'xy'"),
        ({"eps": 1e5}, "K_x = 100000"),
        ({"charging": 1e-6}, r"K_tau = 2e\+06"),
        ({"Lx": 2**20, "Ly": 2**20}, "sites"),
    ],
)
def test_impossible_models_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        Model(**({"Lx": 4, "Ly": 4, "L_tau": 4, "eps": 0.5, "charging": 2.0} | change))


@pytest.mark.parametrize("action", ["rotor", "villain"])
@pytest.mark.parametrize("n_g", [0.5, 1.0])
@pytest.mark.parametrize("bonds", [0, 1], ids=["no bonds", "clean"])
def test_charge_offset_fixes_the_density(action, n_g, bonds):
    """By the symmetry n -> 2 n_g - n, the charge of a site is n_g where 2 n_g is an integer."""
    model = Model(Lx=2, Ly=2, L_tau=30, eps=0.1, charging=3.0, action=action, n_g=n_g)
    mask, schedule = np.full((2, 2, 2), bonds), Schedule(therm_sweeps=200, bins=32, measurements_per_bin=100)
    density = run_chain(model, mask, seed=3, sample=0, schedule=schedule).bins["density"]
    error = density.std(ddof=1) / np.sqrt(len(density))
    assert abs(density.mean() - n_g) < 4 * error < 0.1


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ({}, np.full((2, 3, 2), 0.7), "bonds of type float64: a mask holds"),
        ({}, np.ones((2, 3, 2)), "bonds of type float64: a mask holds"),
        ({}, np.full((2, 3, 2), 2), "bonds of type int64: a mask holds"),
        ({}, np.full((2, 3, 2), -1), "bonds of type int64: a mask holds"),
        ({"p_site": 0.1}, np.ones((2, 3, 2), bool), "with p_site = 0.1: it leaves out"),
        ({"spread_J": 0.4}, np.ones((2, 3, 2), bool), "with spread_J = 0.4: it leaves out"),
        ({"spread_C": 0.2}, np.ones((2, 3, 2), bool), "with spread_C = 0.2: it leaves out"),
    ],
)
def test_what_is_no_bond_mask_is_refused(kind, given, words):
    """Couplings passed as a mask would all count as present bonds; a mask says nothing of other disorder."""
    model = Model(Lx=2, Ly=3, L_tau=4, eps=0.5, charging=2.0, **kind)
    with pytest.raises(ValueError, match=words):
        run_chain(model, given, seed=1, sample=0)
    with pytest.raises(ValueError, match=words):
        model.as_disorder(given)


def test_masks_of_integers_are_masks():
    model = Model(Lx=2, Ly=3, L_tau=4, eps=0.5, charging=2.0, spread_J=0.1)
    mask = np.array([0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 1]).reshape(2, 3, 2)
    given = make_disorder(2, 3, bonds=mask, sites=np.ones((3, 2), int))
    np.testing.assert_array_equal(given.bonds, mask == 1)
    assert model.as_disorder(given).uniform          # a Disorder says everything, also that nothing spreads
    with pytest.raises(ValueError, match="sites of type float64"):
        make_disorder(2, 3, sites=np.ones((3, 2)))


def test_wrong_masks_and_frequencies_are_refused():
    model = Model(Lx=2, Ly=3, L_tau=4, eps=0.5, charging=2.0)
    with pytest.raises(ValueError, match=r"\(2, 3, 2\)"):
        run_chain(model, np.ones((2, 2, 3), bool), seed=1, sample=0)
    with pytest.raises(ValueError, match="n_max = 3"):
        run_chain(model, np.ones((2, 3, 2), bool), seed=1, sample=0, n_max=3)


def test_disorder_given_as_arrays():
    model = Model(Lx=3, Ly=2, L_tau=4, eps=0.5, charging=2.0)
    short = Schedule(therm_sweeps=5, bins=4, measurements_per_bin=2)
    mask = model.draw_disorder(1, 0).bonds
    plain, same = (run_chain(model, d, seed=1, sample=0, schedule=short)
                   for d in (mask, make_disorder(3, 2, bonds=mask)))  # fmt: skip
    for name, bins in plain.bins.items():
        assert bins.tobytes() == same.bins[name].tobytes()
    for wrong, words in (
        ({"sites": np.zeros((2, 3), bool)}, "at least one"),
        ({"E_J": -np.ones((2, 2, 3))}, "E_J = -1.0"),
        ({"E_C": np.ones((3, 2))}, "E_C of shape"),
    ):
        with pytest.raises(ValueError, match=words):
            make_disorder(3, 2, **wrong)


def test_a_model_by_length_and_temperature():
    """L and beta as in a configuration: the same model, which can be varied and copied."""
    short = Model(L=4, beta=2.4, eps=0.1, charging=3.0, p=0.1)
    assert short == Model(Lx=4, Ly=4, L_tau=24, eps=0.1, charging=3.0, p=0.1)
    assert replace(short, L_tau=12).beta == pytest.approx(1.2)
    assert short.key() == pickle.loads(pickle.dumps(short)).key()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"L": 4, "Lx": 4, "Ly": 4, "L_tau": 8}, "either L"),
        ({"Lx": 4, "L_tau": 8}, "both Lx and Ly"),
        ({"L_tau": 8}, "either L"),
        ({"L": 4}, "one of L_tau and beta"),
        ({"L": 4, "L_tau": 8, "beta": 0.8}, "one of L_tau and beta"),
        ({"L": 4, "beta": 0.85}, "beta = 0.85: must be a multiple of eps = 0.1"),
        ({"L": 1, "beta": 0.8}, "Lx = 1: must be an integer >= 2"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(keys, words):
    with pytest.raises(ValueError, match=words):
        Model(**keys, eps=0.1, charging=3.0)
