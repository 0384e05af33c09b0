"""The parts of the engine, one promise each."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import iv, ive

import sitqmc.qmc.chains.chains
from sitqmc.qmc import (
    Chains,
    Model,
    Schedule,
    currents,
    empty_lattice,
    make_disorder,
    run_chain,
    space_links,
    time_links,
)
from sitqmc.qmc.chains.start import hot_lattices
from sitqmc.qmc.measure.estimators import prepare_measurement
from sitqmc.qmc.measure.kernels import reset_sums, sum_currents
from sitqmc.qmc.measure.packed_sums import count_currents
from sitqmc.qmc.observables import array_slices
from sitqmc.qmc.statistics.thermalisation import hot_cold_z
from sitqmc.qmc.worm import registers as reg
from sitqmc.qmc.worm.link_by_link import link_rates, run_worms_link_by_link
from sitqmc.qmc.worm.link_tables import build_link_tables
from sitqmc.qmc.worm.packing import BYTES, COMPACT, WIDE, fold_space
from sitqmc.qmc.worm.random_numbers import LANES, fill_u64, lanes, stream, top_up
from sitqmc.qmc.worm.registers import BLOCK, neighbour_offsets, new_registers, rows, windings
from sitqmc.qmc.worm.scattering import (
    RESIDENCE_UNIT,
    ROW,
    SLOTS,
    SPACE_AT,
    bounce_free_flux,
    scattering_tables,
)


def test_random_numbers_of_the_published_generator():
    """xoshiro256++ started from 1, 2, 3, 4: reference output of Blackman and Vigna's C code."""
    out = np.empty(5, np.uint64)
    fill_u64(np.array([1, 2, 3, 4], np.uint64), out)
    assert out.tolist() == [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]


def test_lanes_are_the_published_generator_in_whatever_portions():
    """Streams in turn, each against `fill_u64`; drawn in pieces or at once."""
    states = lanes(7, 1, 2)
    expected = np.empty((LANES, 5), np.uint64)
    for i in range(LANES):
        fill_u64(states[:, i].copy(), expected[i])
    at_once, pieces = np.zeros((2, 6 * LANES), np.uint64)
    assert top_up(states.copy(), at_once, 3, 5 * LANES) == 3 + 5 * LANES
    np.testing.assert_array_equal(at_once[3 : 3 + 5 * LANES], expected.T.ravel())
    state, end = states.copy(), 3
    for wanted in (4, LANES + 3, LANES + 4, 5 * LANES):
        end = top_up(state, pieces, end, wanted)
    np.testing.assert_array_equal(pieces, at_once)


def test_streams_differ_by_every_word_of_their_name():
    names = [(1, 2, 3), (1, 2, 4), (1, 3, 3), (2, 2, 3)]
    assert len({stream(*name).tobytes() for name in names}) == len(names)


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


def test_flux_is_symmetric_with_the_rates_as_row_sums():
    rng = np.random.default_rng(3)
    f = np.empty((6, 6))
    bounces = 0
    for _ in range(500):
        a = rng.random(6) ** rng.integers(1, 12)
        a[rng.random(6) < 0.3] = 0.0
        bounce_free_flux(a, f)
        np.testing.assert_allclose(f, f.T, atol=1e-15)
        np.testing.assert_allclose(f.sum(axis=1), a, atol=1e-12)
        assert f.min() >= 0
        unavoidable = max(0.0, 2 * a.max() - a.sum())
        assert f.trace() == pytest.approx(unavoidable, abs=1e-10)
        bounces += unavoidable > 0
    assert 50 < bounces < 450                   # both branches were tried


def test_alias_slots_reproduce_the_scattering_probabilities():
    tables = scattering_tables("cosine", 0.4, 2.0)
    rng = np.random.default_rng(4)
    f = np.empty((6, 6))
    states = tables.table[SPACE_AT + (1 << 4 * tables.layout.space_bits) :].reshape(-1, ROW)
    tried = 0
    for state in states[rng.integers(0, len(states), 60)]:
        slots = state[: 6 * SLOTS].reshape(6, SLOTS).astype(np.int64)
        keep = slots / 2**32 / SLOTS
        p = np.zeros((6, 6))
        for i in range(6):
            np.add.at(p[i], (slots[i] >> 3) & 7, keep[i])
            np.add.at(p[i], slots[i] & 7, 1 / SLOTS - keep[i])
        # Detailed balance: with a_i = the stationary distribution of p over links, a_i p_ij is symmetric.
        a = np.linalg.matrix_power(p.T + 1e-13, 2000) @ np.full(6, 1 / 6)
        if np.count_nonzero(a > 1e-9) > 2:
            bounce_free_flux(a, f)
            flow = a[:, None] * p
            np.testing.assert_allclose(flow, flow.T, atol=2e-6)
            tried += 1
    assert tried > 20


# action, eps, charging -> layout
LAYOUTS = {
    ("cosine", 0.5, 1.5): COMPACT, ("rotor", 0.5, 1.5): COMPACT, ("villain", 0.33, 9.0): COMPACT,
    ("cosine", 0.03, 2.0): WIDE, ("villain", 4.0, 0.2): WIDE, ("villain", 12.0, 0.05): BYTES,
}  # fmt: skip


@pytest.fixture(scope="module", params=list(LAYOUTS), ids=str)
def walk(request):
    """A finished chain on a diluted sample, in every layout of the words."""
    action, eps, charging = request.param
    model = Model(Lx=4, Ly=3, L_tau=6, eps=eps, charging=charging, action=action, p=0.2)
    short = Schedule(therm_sweeps=20, bins=4, measurements_per_bin=1)
    disorder = [model.draw_disorder(11, s) for s in (0, 1)]
    chains = Chains(model, disorder, seed=11, samples=[0, 1], schedule=short)
    while not chains.finished:
        chains.step()
    assert chains.layout == LAYOUTS[request.param]
    return model, chains


def test_currents_are_conserved(walk):
    _, chains = walk
    axis = (0, 2, 1)                             # array axis crossed by tau, x, y
    for J in chains.currents():
        divergence = sum(J[mu] - np.roll(J[mu], 1, axis=axis[mu]) for mu in range(3))
        assert np.all(divergence == 0)
    assert np.abs(chains.currents()).sum() > 0


def test_windings_kept_by_the_moves_equal_the_recount(walk):
    model, chains = walk
    J = chains.currents()
    recount = [J[:, mu].sum(axis=(1, 2, 3)) / n for mu, n in ((1, model.Lx), (2, model.Ly), (0, model.L_tau))]
    np.testing.assert_array_equal(chains.windings(), np.transpose(recount))


def test_both_ends_of_a_link_agree(walk):
    model, chains = walk
    grid = chains.state()["words"].astype(np.int64).reshape(2, model.Ly, model.Lx, model.L_tau)
    for d, axis in ((0, 2), (2, 1), (4, 3)):
        bias, mask = chains.layout.bias(d), 2 * chains.layout.bias(d) - 1
        out = (grid >> chains.layout.shift(d)) & mask
        back = np.roll((grid >> chains.layout.shift(d + 1)) & mask, -1, axis=axis)
        assert np.all((out == 0) == (back == 0))
        assert np.all((out + back)[out > 0] == 2 * bias)


@pytest.mark.parametrize("read", [sum_currents, count_currents])
def test_sums_over_a_configuration_against_numpy(walk, read):
    model, chains = walk
    disorder = [model.draw_disorder(11, s) for s in (0, 1)]
    links = build_link_tables(model, disorder)
    ops, work, _ = prepare_measurement(
        model, disorder, links, chains.layout, 1, array_slices(model, 1), np.zeros((0, 2), np.int64)
    )
    if read is count_currents and not ops.can_pack:
        pytest.skip("only for four bytes a site")
    space = space_links(model.action, model.eps)
    time = time_links(model.action, model.eps, model.charging)
    for c, (J, words) in enumerate(zip(chains.currents(), chains.state()["words"], strict=True)):
        reset_sums(ops.empty[c], work)
        read(words, c, ops, work)
        np.testing.assert_array_equal(work.current_x, J[1].sum(axis=(1, 2)))
        np.testing.assert_array_equal(work.current_y, J[2].sum(axis=(1, 2)))
        for mu, column in ((1, work.columns[0]), (2, work.columns[1]), (0, work.columns[2])):
            np.testing.assert_array_equal(column, J[mu].sum(axis=0).ravel())
        bonds = disorder[c].bonds
        kinetic_x, kinetic_y, contact, time_contact = work.totals
        for mu, kinetic in ((1, kinetic_x), (2, kinetic_y)):
            wanted = (space.kinetic[np.abs(J[mu])] * bonds[mu - 1]).sum()
            np.testing.assert_allclose(kinetic, wanted, rtol=1e-12)
        wanted = sum((space.contact[np.abs(J[mu])] * bonds[mu - 1]).sum() for mu in (1, 2))
        np.testing.assert_allclose(contact, wanted, rtol=1e-11)
        wanted = sum((space.energy[np.abs(J[mu])] * bonds[mu - 1]).sum(axis=(1, 2)) for mu in (1, 2))
        np.testing.assert_allclose(work.space_energy, wanted, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(work.time_energy, time.energy[np.abs(J[0])].sum(axis=(1, 2)), rtol=1e-12)
        np.testing.assert_allclose(time_contact, time.contact[np.abs(J[0])].sum(), rtol=1e-12)


def test_waiting_times_at_equal_time_are_kept_by_distance():
    """G over distances and over times agree at tau = 0, and x is not mixed up with y."""
    model = Model(Lx=4, Ly=3, L_tau=5, eps=0.8, charging=1.5, action="rotor")
    only_x = np.zeros((2, 3, 4), bool)
    only_x[0] = True
    for bonds in (np.ones_like(only_x), only_x):
        short = Schedule(bins=4, measurements_per_bin=400)
        result = run_chain(model, bonds, seed=5, sample=0, schedule=short)
        distances = result.maps["G_r0"]
        assert distances.sum() == pytest.approx(result.bins["G_k0"][:, 0].mean())
        assert distances[0, 0] == 1
        assert distances[0, 1] == pytest.approx(distances[0, 3], rel=0.1)
        assert distances[0, 1] > distances[0, 2] > 0
        assert (distances[1:].sum() > 0) == bonds[1].any()


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


@pytest.mark.parametrize("kind", [{}, {"spread_J": 0.3}])
@pytest.mark.parametrize("start", ["cold", "hot"])
def test_missing_sites_carry_nothing(kind, start):
    model = Model(Lx=4, Ly=4, L_tau=6, eps=0.5, charging=1.5, p_site=0.4, **kind)
    disorder, short = model.draw_disorder(3, 0), Schedule(therm_sweeps=5, bins=4, measurements_per_bin=1)
    chains = Chains(model, [disorder], seed=3, samples=[0], schedule=short, start=start)
    while not chains.finished:
        chains.step()
    words = chains.state()["words"].astype(np.int64).reshape(4, 4, 6)
    absent = (words & ((1 << chains.layout.shift(6)) - 1))[~disorder.sites]
    assert len(absent) > 2
    assert np.all(absent == 0)
    assert np.abs(chains.currents()).sum() > 0


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


def test_chains_are_functions_of_their_names():
    model = Model(Lx=2, Ly=3, L_tau=4, eps=0.5, charging=2.0, p=0.1)
    short = Schedule(therm_sweeps=5, bins=4, measurements_per_bin=2)
    runs = [
        run_chain(model, model.draw_disorder(1, 0), seed=seed, sample=sample, chain=chain, schedule=short)
        for seed, sample, chain in ((1, 0, 0), (1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1))
    ]
    energies = [r.bins["energy"].tobytes() for r in runs]
    assert energies[0] == energies[1]
    assert len(set(energies)) == 4


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


@pytest.mark.parametrize(
    "kind",
    [{}, {"spread_J": 0.4, "spread_C": 0.3}, {"p_site": 0.2, "n_g": 0.2, "action": "rotor"}],
)
def test_chains_resume_and_do_not_depend_on_company(kind, monkeypatch):
    """Three chains at once, stopped and restored at many places, also amid worms, are as single ones."""
    model = Model(Lx=4, Ly=3, L_tau=10, eps=0.3, charging=3.0, p=0.2, **kind)
    schedule = Schedule(therm_sweeps=60, bins=4, measurements_per_bin=5)
    samples = [model.draw_disorder(1, s) for s in range(3)]
    alone = [run_chain(model, samples[s], seed=4, sample=s, schedule=schedule) for s in range(3)]

    def fresh():
        return Chains(model, samples, seed=4, samples=range(3), schedule=schedule)

    monkeypatch.setattr(sitqmc.qmc.chains.chains, "STEP_TRIALS", 3 * 1024)
    chains, steps = fresh(), 0
    while not chains.finished:
        before = chains.progress
        chains.step()
        assert chains.progress >= before
        chains, state, steps = fresh(), chains.state(), steps + 1
        chains.restore(state)
    assert steps > 10
    assert chains.progress == pytest.approx(1.0)
    for together, single in zip(chains.results(), alone, strict=True):
        assert together.moves == single.moves
        assert together.tau_int == single.tau_int
        for name, bins in single.bins.items():
            assert together.bins[name].tobytes() == bins.tobytes()


def test_state_of_another_chain_is_refused():
    model = Model(Lx=4, Ly=3, L_tau=10, eps=0.3, charging=3.0)
    other = Model(Lx=4, Ly=4, L_tau=10, eps=0.3, charging=3.0)
    chains, wrong = (Chains(m, [m.draw_disorder(1, 0)], seed=1, samples=[0]) for m in (model, other))
    with pytest.raises(ValueError, match="words is uint32"):
        chains.restore(wrong.state())
    with pytest.raises(ValueError, match="entries differ: words"):
        chains.restore({k: v for k, v in chains.state().items() if k != "words"})
    with pytest.raises(RuntimeError, match="0 of 32 bins"):
        chains.results()


def flux_walk(model, disorder, links, words, numbers):
    """The second worm in plain Python, from its definition, one trial for each pair of numbers.

    Returns the windings and the waiting times (tau distance, column of the head, column of the tail); the
    words are changed in place, that of an open head counts its last step.
    """
    tables = {}
    for y, x in np.ndindex(model.Ly, model.Lx):
        column = y * model.Lx + x
        left, below = y * model.Lx + (x - 1) % model.Lx, (y - 1) % model.Ly * model.Lx + x
        x, y = links.bond_table[0]
        for d, row in enumerate((x[column], x[left], y[column], y[below])):
            tables[column, d] = links.space[row]
        up = links.time[links.site_table[0, column]]
        tables[column, 4], tables[column, 5] = up, up.reversed()

    def rate(site, d):
        field = (words[site] >> (8 * d)) & 0xFF
        return float(np.float32(tables[site // model.L_tau, d].acceptance(field - 128))) if field else 0.0

    step = neighbour_offsets(model).tolist()
    waiting, winding = np.zeros((model.L_tau, model.sites, model.sites)), [0, 0, 0]
    head = tail = back = 0
    opening = False
    for first, second in numbers.reshape(-1, 2).tolist():
        if head == tail and not opening:
            head = tail = first * len(words) >> 32
            opening = True
            continue
        if opening:
            opening = False
            d, draw = divmod(first * 6, 2**32)
            if draw / 2**32 >= rate(tail, d):
                continue
        else:
            A = [rate(head, i) for i in range(6)]
            waiting[(head - tail) % model.L_tau, head // model.L_tau, tail // model.L_tau] += 6 / sum(A)
            others = [0.0 if i == back else a for i, a in enumerate(A)]
            target, d = first / 2**32 * sum(others), 0
            while target >= sum(others[: d + 1]):
                d += 1
            if second / 2**32 >= sum(others) / (sum(A) - A[d]):
                d = back
        wrap = (words[head] >> (48 + d)) & 1
        words[head] += 1 << (8 * d)
        winding[d // 2] += wrap * (1 - 2 * (d % 2))
        head, back = head + step[2 * d + wrap], d ^ 1
        words[head] -= 1 << (8 * back)
    return winding, waiting


@pytest.mark.parametrize("action", ["rotor", "cosine", "villain"])
def test_second_worm_against_its_definition(action):
    """Every word, winding and waiting time, for random couplings, missing sites and a charge offset."""
    model = Model(Lx=3, Ly=3, L_tau=4, eps=0.4, charging=2.0, action=action, p=0.1, p_site=0.1,
                  n_g=0.0 if action == "cosine" else 0.2, spread_J=0.6, spread_C=0.4)  # fmt: skip
    disorder = model.draw_disorder(1, 4)
    assert 4 < disorder.present < 9
    links = build_link_tables(model, [disorder])
    words, green = empty_lattice(model, disorder), np.zeros(8 + 36, np.uint64)
    slow = [int(word) for word in words]
    registers, numbers = new_registers(model, BYTES, 1), np.zeros(4 * BLOCK, np.uint64)
    fill_u64(stream(7, 0), numbers)
    numbers = numbers.view(np.uint32)
    row = rows(registers, 1)[0]
    row[reg.WORD], row[reg.ATTEMPTS_LEFT], row[reg.GREEN] = words[0], 10**6, 1
    rates, end = link_rates(model, [disorder], links).rates, reg.ROWS + reg.WIDTH
    for block in numbers.reshape(-1, 2 * BLOCK):
        run_worms_link_by_link(np.uint64(0), reg.ROWS, end, registers, words, rates, block, green)
    words[row[reg.HEAD] & np.uint64(2**32 - 1)] = row[reg.WORD]
    winding, waiting = flux_walk(model, disorder, links, slow, numbers)
    assert words.tolist() == slow
    assert list(windings(row[reg.HEAD])) == winding
    same = np.einsum("kii->k", waiting)
    times = green * RESIDENCE_UNIT
    np.testing.assert_allclose(times[:8], np.concatenate([same, waiting.sum(axis=(1, 2)) - same]), rtol=1e-4)
    distances = np.zeros((3, 3))
    for head, tail in np.ndindex(9, 9):
        distances[(head // 3 - tail // 3) % 3, (head - tail) % 3] += waiting[0, head, tail]
    np.testing.assert_allclose(fold_space(model, times[8:]), distances, rtol=1e-4)
    assert min(distances.ravel()[1:]) > 5


@pytest.mark.parametrize("kind", [{}, {"p": 0.3}, {"p_site": 0.3}, {"p": 0.2, "spread_J": 0.5, "n_g": 0.3}])
def test_hot_start_is_a_closed_configuration(kind):
    model = Model(Lx=5, Ly=4, L_tau=6, eps=0.2, charging=3.0, action="villain", **kind)
    for sample in range(5):
        disorder = model.draw_disorder(2, sample)
        links = build_link_tables(model, [disorder])
        empty = empty_lattice(model, disorder)
        (words,), (winding,) = hot_lattices(model, [disorder], [empty], links, BYTES, 2, [sample], 0)
        J = currents(model, words)
        axis = (0, 2, 1)
        assert np.all(sum(J[mu] - np.roll(J[mu], 1, axis=axis[mu]) for mu in range(3)) == 0)
        assert winding.tolist() == [J[1].sum() // 5, J[2].sum() // 4, J[0].sum() // 6]
        absent = np.stack([~disorder.sites, *~disorder.bonds])
        assert np.all(J.transpose(0, 2, 3, 1)[absent] == 0)
        assert np.abs(J[1:]).max() <= max(table.j_max for table in links.space)
        assert np.mean(J[0] != 0) > 0.3
        assert np.mean(J[1:] != 0) > 0.2
        if not kind:
            assert np.all(np.abs(winding[:2]) == 1)
            edges = (words ^ empty) >> np.uint64(48)
            assert not edges.any()


def test_both_starts_forget_themselves():
    """Hot and cold chains differ at first and agree after thermalisation."""
    model = Model(Lx=4, Ly=4, L_tau=16, eps=0.25, charging=3.0, action="rotor", p=0.1)
    disorder = [model.draw_disorder(1, s) for s in range(12)]

    def energies(therm, start):
        schedule = Schedule(therm_sweeps=therm, bins=8, measurements_per_bin=60, sweeps_per_measurement=1)
        chains = Chains(model, disorder, seed=1, samples=range(12), schedule=schedule, start=start)
        while not chains.finished:
            chains.step()
        return np.stack([r.bins["energy"] for r in chains.results()])

    assert np.abs(hot_cold_z(energies(100, "cold"), energies(100, "hot"))) < 4
    hot, cold = (Chains(model, disorder, seed=1, samples=range(12), start=s) for s in ("hot", "cold"))
    assert not np.array_equal(hot.state()["words"], cold.state()["words"])
    with pytest.raises(ValueError, match="start = 'warm'"):
        run_chain(model, disorder[0], seed=1, sample=0, start="warm")


def test_longitudinal_static_current_vanishes(walk):
    """Static currents along q are zero in every configuration: what flows into a column flows out of it."""
    model, chains = walk
    wave = np.exp(2j * np.pi * np.arange(model.Lx) / model.Lx)
    X = chains.currents()[:, 1].sum(axis=1)
    np.testing.assert_allclose((X * wave).sum(axis=(1, 2)), 0, atol=1e-9)
    if chains.layout == COMPACT:                 # elsewhere space currents are too rare
        assert np.abs(chains.currents()[:, 1]).sum() > 0


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


def test_the_flow_is_that_of_a_resistor_network():
    """A current in response to a twist: kept at every site, and at large E_J shared as between resistors."""
    model = Model(Lx=4, Ly=3, L_tau=10, eps=0.4, charging=0.2, action="rotor")
    bonds = np.ones((2, 3, 4), bool)
    bonds[0, 1, 2] = bonds[0, 2, 0] = bonds[1, 0, 1] = False
    chains = Chains(model, [bonds] * 4, seed=3, samples=range(4), schedule=Schedule(measurements_per_bin=100))
    while not chains.finished:
        chains.step()
    flow = np.mean([result.twist_current for result in chains.results()], axis=0)
    divergence = flow[0] - np.roll(flow[0], 1, axis=1) + flow[1] - np.roll(flow[1], 1, axis=0)
    np.testing.assert_allclose(divergence, 0, atol=1e-12)
    assert np.all(flow[~bonds] == 0)
    stiffness = np.mean([result.bins["rho_s_x"].mean() for result in chains.results()])
    np.testing.assert_allclose(flow[0].sum(axis=0), stiffness * 3 / 4, rtol=0.1)
    np.testing.assert_allclose(flow / flow[0, :, 0].sum(), _resistors(bonds), atol=0.03)


def _resistors(bonds):
    """Currents through equal resistors under a uniform field along x; their sum over y is 1."""
    Ly, Lx = bonds.shape[1:]
    site = np.arange(Ly * Lx).reshape(Ly, Lx)
    ends = np.stack([np.roll(site, -1, axis=1), np.roll(site, -1, axis=0)])
    field = np.stack([np.ones((Ly, Lx)), np.zeros((Ly, Lx))])
    there = bonds.ravel()
    drop = (np.eye(site.size)[ends.ravel()] - np.tile(np.eye(site.size), (2, 1)))[there]
    phase = np.linalg.lstsq(drop, -field.ravel()[there], rcond=None)[0]
    current = np.zeros(bonds.size)
    current[there] = field.ravel()[there] + drop @ phase
    current = current.reshape(bonds.shape)
    return current / current[0, :, 0].sum()
