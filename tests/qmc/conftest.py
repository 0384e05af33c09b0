"""Finished chains that several tests of qmc read."""

import pytest

from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.worm.packing import BYTES, COMPACT, WIDE

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
