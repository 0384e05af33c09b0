"""Chains: functions of their names alone, resumed at any point, started hot or cold."""

import numpy as np
import pytest

import sitqmc.qmc.chains.chains
from sitqmc.qmc import Chains, Model, Schedule, currents, empty_lattice, run_chain
from sitqmc.qmc.chains.start import hot_lattices
from sitqmc.qmc.statistics.thermalisation import hot_cold_z
from sitqmc.qmc.worm.link_tables import build_link_tables
from sitqmc.qmc.worm.packing import BYTES


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


@pytest.mark.parametrize("kind", [{}, {"p": 0.3}, {"p_site": 0.3}, {"p": 0.2, "spread_J": 0.5, "n_g": 0.3}])
def test_hot_start_is_a_closed_configuration(kind):
    model = Model(Lx=5, Ly=4, L_tau=6, eps=0.2, charging=3.0, action="villain", **kind)
    for sample in range(5):
        disorder = model.draw_disorder(2, sample)
        links = build_link_tables(model, [disorder])
        empty = empty_lattice(model, disorder)
        rng = np.random.default_rng(sample)
        (words,), (winding,) = hot_lattices(model, [disorder], [empty], links, BYTES, [rng])
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
