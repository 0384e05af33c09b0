"""The worms: random numbers, scattering tables, packed words, and a slow twin of the second worm."""

import numpy as np
import pytest

from sitqmc.qmc import Chains, Model, Schedule, empty_lattice
from sitqmc.qmc.worm import registers as reg
from sitqmc.qmc.worm.link_by_link import link_rates, run_worms_link_by_link
from sitqmc.qmc.worm.link_tables import build_link_tables
from sitqmc.qmc.worm.packing import BYTES, COMPACT, fold_space
from sitqmc.qmc.worm.random_numbers import LANES, fill_u64, lanes, stream, top_up
from sitqmc.qmc.worm.registers import BLOCK, neighbour_offsets, net_windings, new_registers, rows
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
    words, green = empty_lattice(model, disorder), np.zeros(8 + 36 + 24, np.uint64)
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
    assert list(net_windings(row[reg.HEAD])) == winding
    same = np.einsum("kii->k", waiting)
    times = green * RESIDENCE_UNIT
    np.testing.assert_allclose(times[:8], np.concatenate([same, waiting.sum(axis=(1, 2)) - same]), rtol=1e-4)
    distances = np.zeros((3, 3))
    for head, tail in np.ndindex(9, 9):
        distances[(head // 3 - tail // 3) % 3, (head - tail) % 3] += waiting[0, head, tail]
    np.testing.assert_allclose(fold_space(model, times[8:44]), distances, rtol=1e-4)
    along = np.zeros((2, 3, 4))                  # by |dx| and by |dy|, before the periodic boundary, and tau
    for head, tail in np.ndindex(9, 9):
        along[0, abs(head % 3 - tail % 3)] += waiting[:, head, tail]
        along[1, abs(head // 3 - tail // 3)] += waiting[:, head, tail]
    np.testing.assert_allclose(times[44:].reshape(2, 3, 4), along, rtol=1e-4)
    assert min(distances.ravel()[1:]) > 5


def test_longitudinal_static_current_vanishes(walk):
    """Static currents along q are zero in every configuration: what flows into a column flows out of it."""
    model, chains = walk
    wave = np.exp(2j * np.pi * np.arange(model.Lx) / model.Lx)
    X = chains.currents()[:, 1].sum(axis=1)
    np.testing.assert_allclose((X * wave).sum(axis=(1, 2)), 0, atol=1e-9)
    if chains.layout == COMPACT:                 # elsewhere space currents are too rare
        assert np.abs(chains.currents()[:, 1]).sum() > 0
