"""Wrong arguments of the simulation are refused in one line that names the value and what to do."""

import numpy as np
import pytest

from sitqmc.qmc import Chains, Model, OwnObservable, Schedule, allocate_effort, make_disorder
from sitqmc.qmc.chains.state import stacked
from sitqmc.qmc.model.model import slices_of
from sitqmc.qmc.statistics.point_averages import boson_means

MODEL = Model(L=2, L_tau=4, eps=0.1, charging=3.0, p=0.1)
OPEN = np.ones((2, 2, 2), bool)
SCHEDULE = Schedule(therm_sweeps=1, bins=4, measurements_per_bin=1)


def own(name, function=lambda J, model: 1.0):
    return OwnObservable(name, "1", "a number", function)


def chains(disorder, **options):
    made = Chains(MODEL, disorder, schedule=SCHEDULE, seed=1, samples=range(2), **options)
    while not made.finished:
        made.step()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: chains([OPEN]), "1 given for 2 samples; give one for each"),
    (lambda: chains([OPEN, make_disorder(2, 2, E_J=np.full((2, 2, 2), 0.5))]), "run them as separate chains"),
    (lambda: chains([OPEN] * 2, own=[own("twice"), own("twice")]), "every name must differ"),
    (lambda: chains([OPEN] * 2, own=[own("wrong", lambda J, model: [1, 2])]), "must be finite, of shape"),
    (lambda: chains([OPEN] * 2, own=[own("nan", lambda J, model: np.nan)]), "one that is not finite"),
    (lambda: stacked([{"a": np.ones(2)}, {}]), "a is missing"),
    (lambda: stacked([{"a": np.ones(2)}, {"a": np.ones(3)}]), "a has different shapes"),
    (lambda: slices_of(-np.inf, 0.1), "beta = -inf, eps = 0.1: must be positive and finite"),
    (lambda: allocate_effort(np.ones((8, 8)), 0.1, therm_bins=-1), "therm_bins = -1: must be at least 0"),
    (lambda: boson_means(MODEL, np.full((3, 2, 4), -1.0)), "run them again from the start"),
])  # fmt: skip
def test_wrong_arguments(call, words):
    with pytest.raises(ValueError, match=words) as refused:
        call()
    assert "\n" not in str(refused.value)
