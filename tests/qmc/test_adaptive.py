"""Chains of the length that an error asks for, and what a hot and a cold start say about thermalisation."""

import math

import numpy as np
import pytest

from sitqmc.qmc import Model, Schedule, compare_hot_cold, run_chain, run_to_error

MODEL = Model(Lx=4, Ly=4, L_tau=16, eps=0.25, charging=3.0, action="rotor", p=0.2)
SAMPLES = range(8)


@pytest.fixture(scope="module")
def disorder():
    return [MODEL.draw_disorder(1, s) for s in SAMPLES]


def error(bins):
    return bins.std(ddof=1) / np.sqrt(len(bins))


def test_every_sample_gets_the_bins_it_needs(disorder):
    """Doubled until the target is met, no further; the bits are those of a chain planned so long."""
    short = Schedule(therm_sweeps=20, bins=8, measurements_per_bin=20)
    target = {"rho_s_x": 0.02, "energy": 0.01}
    found = run_to_error(MODEL, disorder, target, seed=3, samples=SAMPLES, schedule=short, max_bins=512)
    lengths = [len(result.bins["energy"]) for result in found]
    assert len(set(lengths)) > 1
    assert set(lengths) <= {8, 16, 32, 64, 128, 256}
    for sample, (n, result) in enumerate(zip(lengths, found, strict=True)):
        assert all(error(result.bins[name]) <= wanted for name, wanted in target.items())
        if n > 8:  # not met by half of it
            assert any(error(result.bins[name][: n // 2]) > wanted for name, wanted in target.items())
        planned = Schedule(therm_sweeps=20, bins=n, measurements_per_bin=20)
        alone = run_chain(MODEL, disorder[sample], seed=3, sample=sample, schedule=planned)
        assert (result.moves, result.tau_int) == (alone.moves, alone.tau_int)
        assert all(result.bins[name].tobytes() == bins.tobytes() for name, bins in alone.bins.items())
        assert all(result.maps[name].tobytes() == maps.tobytes() for name, maps in alone.maps.items())


def test_out_of_reach_ends_at_the_longest_chain(disorder):
    short = Schedule(therm_sweeps=5, bins=4, measurements_per_bin=4)
    found = run_to_error(
        MODEL, disorder[:2], {"kappa": 1e-9}, seed=3, samples=[0, 1], schedule=short, max_bins=10
    )
    assert [len(result.bins["kappa"]) for result in found] == [10, 10]


def test_targets_that_make_no_sense(disorder):
    for target, words in (({"rho_x": 1.0}, "'rho_x'"), ({"kappa": 0.0}, "kappa = 0.0")):
        with pytest.raises(ValueError, match=words):
            run_to_error(MODEL, disorder, target, seed=1, samples=SAMPLES)
    with pytest.raises(ValueError, match="max_bins = 16"):
        run_to_error(MODEL, disorder, {"kappa": 0.1}, seed=1, samples=SAMPLES, max_bins=16)


def test_thermalised_starts_agree(disorder):
    schedule = Schedule(therm_sweeps=50, bins=16, measurements_per_bin=20)
    found = compare_hot_cold(MODEL, disorder, seed=2, samples=SAMPLES, schedule=schedule)
    assert (found.burn_in_bins, found.warnings) == (0, [])
    assert found.therm_sweeps == 50
    assert max(abs(z) for z in found.z.values()) < 4


def starts_of_an_insulator(bins):
    """Its worms are short, so hot chains cool slowly."""
    model = Model(Lx=6, Ly=6, L_tau=20, eps=0.1, charging=12.0, action="rotor", p=0.2)
    schedule = Schedule(therm_sweeps=0.02, bins=bins, measurements_per_bin=2, sweeps_per_measurement=0.05)
    disorder = [model.draw_disorder(1, s) for s in range(24)]
    return compare_hot_cold(model, disorder, seed=2, samples=range(24), schedule=schedule)


def test_short_thermalisation_is_seen_and_measured():
    """What is to be dropped counts as thermalisation."""
    found = starts_of_an_insulator(384)
    energy = found.z["energy"]
    assert energy > 4
    assert found.burn_in_bins is not None
    assert 0 < found.burn_in_bins <= 288  # a quarter of the bins is left to judge by
    assert found.therm_sweeps == pytest.approx(0.02 + 0.1 * found.burn_in_bins)
    assert found.warnings == [f"cold and hot chains differ after 0.02 sweeps: energy ({energy:+.1f} sigma)"]


def test_starts_that_never_agree():
    found = starts_of_an_insulator(4)
    assert found.burn_in_bins is None
    assert math.isnan(found.therm_sweeps)
    assert "never agree" in found.warnings[0]


def test_unknown_names(disorder):
    with pytest.raises(ValueError, match="names = G_loc"):
        compare_hot_cold(MODEL, disorder, seed=2, samples=SAMPLES, names=["G_loc"])
