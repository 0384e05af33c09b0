"""The same seeds give the same bits as ever: chains kept from an earlier version."""

from pathlib import Path

import numpy as np
import pytest

from sitqmc.qmc import Chains, Model, Schedule

KEPT = Path(__file__).parents[1] / "reference" / "golden_chains.npz"
CASES = {
    "cosine": {"Lx": 4, "Ly": 4, "L_tau": 16, "eps": 0.1, "charging": 3.0, "action": "cosine", "p": 0.2},
    "rotor": {"Lx": 4, "Ly": 3, "L_tau": 10, "eps": 0.25, "charging": 4.0, "action": "rotor", "p": 0.1,
              "p_site": 0.1},
    "villain": {"Lx": 3, "Ly": 5, "L_tau": 8, "eps": 0.5, "charging": 1.5, "action": "villain"},
    "offset": {"Lx": 4, "Ly": 4, "L_tau": 12, "eps": 0.2, "charging": 4.0, "action": "rotor", "p": 0.15,
               "n_g": 0.3},
    "spread": {"Lx": 4, "Ly": 4, "L_tau": 12, "eps": 0.2, "charging": 3.0, "action": "cosine",
               "spread_J": 0.4, "spread_C": 0.2},
}  # fmt: skip
SCHEDULE = Schedule(therm_sweeps=20, bins=4, measurements_per_bin=5, sweeps_per_measurement=1.5)


def assert_same(found, kept, name):
    """Integers to the bit; floats to 1e-12, because the mathematical library of another system may round."""
    if np.issubdtype(np.asarray(kept).dtype, np.integer):
        np.testing.assert_array_equal(found, kept, err_msg=name)
    else:
        np.testing.assert_allclose(found, kept, rtol=1e-12, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("start", ["cold", "hot"])
@pytest.mark.parametrize("name", CASES)
def test_chains_are_those_of_an_earlier_version(name, start):
    """Three interleaved samples: windings of all, every average of the first."""
    model = Model(**CASES[name])
    disorder = [model.draw_disorder(7, sample) for sample in range(3)]
    chains = Chains(model, disorder, seed=7, samples=[0, 1, 2], schedule=SCHEDULE, start=start)
    while not chains.finished:
        chains.step()
    result = chains.results()[0]
    found = {f"bins/{key}": values for key, values in result.bins.items()}
    found |= {f"maps/{key}": values for key, values in result.maps.items()}
    found |= {
        "flow": result.twist_current,
        "tau_int": np.array(list(result.tau_int.values())),
        "counts": np.array([result.moves, result.attempts, result.worms_per_measurement]),
        "windings": chains.windings(),
    }
    with np.load(KEPT) as file:
        kept = {key.split("/", 2)[2]: file[key] for key in file.files if key.startswith(f"{name}/{start}/")}
    assert kept.keys() <= found.keys()
    for key, values in kept.items():
        assert_same(found[key], values, key)
