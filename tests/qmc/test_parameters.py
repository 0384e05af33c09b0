"""Parameters of a model, and what tells the points of a scan apart."""

import itertools
from dataclasses import asdict, fields

import pytest

from sitqmc.qmc import Model
from sitqmc.qmc.model.parameters import PARAMETERS, ParameterSpace, parameters_of, symbol

PLAIN = {"Lx": 4, "Ly": 4, "L_tau": 8, "eps": 0.1, "charging": 3.0, "action": "rotor"}
SCANS = {
    "Lx": [4, 6], "Ly": [4, 6], "L_tau": [8, 16], "action": ["rotor", "villain"], "eps": [0.1, 0.2],
    "charging": [2.0, 3.0], "p": [0.1, 0.2], "p_site": [0.0, 0.1], "spread_J": [0.0, 0.3],
    "spread_C": [0.0, 0.2], "n_g": [0.0, 0.25],
}  # fmt: skip


def models(**lists):
    """All combinations of the given values; L_tau = 2 L where a square side is given."""
    rows = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    shapes = [{"Lx": row.pop("L"), "L_tau": 2 * row_L} if (row_L := row.get("L")) else {} for row in rows]
    for shape in shapes:
        shape |= {"Ly": shape["Lx"]} if shape else {}
    return [Model(**(PLAIN | shape | row)) for shape, row in zip(shapes, rows, strict=True)]


def test_every_field_of_the_model_is_a_parameter():
    assert {f.name for f in fields(Model)} | {"beta"} == set(PARAMETERS) == set(SCANS) | {"beta"}
    for p in PARAMETERS.values():
        assert p.symbol
        assert p.unit
        assert p.text
    assert list(parameters_of(Model(**PLAIN))) == list(PARAMETERS)


def test_the_key_of_the_random_streams_is_what_it_was():
    """Neutral values of later parameters leave the key alone; every other change moves it."""
    model = Model(**PLAIN, p=0.1)
    assert model.key() == (206967304, 3841056210, 2509614624, 3726954820)
    for name, values in SCANS.items():
        keys = {Model(**(PLAIN | {name: value})).key() for value in values}
        assert len(keys) == 2, name


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_of_each_parameter_is_told_apart(name):
    some = models(**{name: SCANS[name]})
    space = ParameterSpace(some)
    assert name in space.varied
    assert name in space.distinguishing
    assert name in space.columns
    assert len({tuple(space.cells(m)) for m in some}) == 2
    for math in (False, True):
        labels = [space.label(m, math) for m in some]
        assert len(set(labels)) == 2
        assert all((symbol(name) if math else name) in label for label in labels)


def test_stored_fields_do_as_well_as_models():
    """Fields that an older version did not store are neutral."""
    some = models(L=[4, 8], p=[0.1, 0.2])
    stored = [{k: v for k, v in asdict(m).items() if k not in ("n_g", "spread_J")} for m in some]
    one, other = ParameterSpace(some), ParameterSpace(stored)
    assert one.columns == other.columns == ("L", "L_tau", "p")
    assert [one.cells(m) for m in some] == [other.cells(row) for row in stored]
    assert one.cells(some[3]) == ["8", "16", "0.2"]


def test_a_follower_is_not_named():
    """L_tau follows from L, or from eps at constant temperature; beta from both."""
    space = ParameterSpace(models(L=[4, 8], p=[0.1, 0.2]))
    assert space.varied == ("L", "L_tau", "beta", "p")
    assert space.distinguishing == ("L", "p")
    assert space.label(space.models[3]) == "L = 8, p = 0.2"
    assert space.label(space.models[3], math=True) == "$L$ = 8, $p$ = 0.2"
    steps = [Model(**(PLAIN | {"eps": 0.8 / n, "L_tau": n})) for n in (4, 8)]
    assert ParameterSpace(steps).distinguishing == ("eps",)
    cold = models(L_tau=[8, 16])
    assert ParameterSpace(cold).distinguishing == ("L_tau",)
    assert ParameterSpace(cold).colour == "beta"
    free = models(Lx=[4, 6], Ly=[4, 6], L_tau=[8, 16])
    assert ParameterSpace(free).distinguishing == ("Lx", "Ly", "L_tau")
    assert ParameterSpace(models(p=[0.1])).label(models(p=[0.1])[0]) == "p = 0.1"


def test_values_that_print_alike_are_told_apart():
    some = models(p=[0.3370001, 0.3370002, 0.1])
    space = ParameterSpace(some)
    assert [space.cells(m)[-1] for m in some] == ["0.3370001", "0.3370002", "0.1"]
    close = models(charging=[3.0, 3.0000000000000004])
    assert len({ParameterSpace(close).label(m) for m in close}) == 2


def test_one_temperature_is_one_value():
    """0.1 x 6 and 0.15 x 4 differ in the last bit, not in the temperature."""
    some = [Model(**(PLAIN | {"eps": eps, "L_tau": n})) for eps, n in ((0.1, 6), (0.15, 4))]
    assert some[0].beta != some[1].beta
    assert "beta" not in ParameterSpace(some).varied


def test_what_all_points_share():
    space = ParameterSpace(models(L=[4, 8], p=[0.1, 0.2], spread_J=[0.3]))
    assert space.shared == "action = rotor, eps = 0.1, charging = 3, spread_J = 0.3"


def test_panels_hold_points_that_differ_in_the_colour_alone():
    space = ParameterSpace(models(L=[8, 4], p=[0.2, 0.1]))
    assert (space.colour, space.values("p")) == ("p", (0.1, 0.2))
    assert space.panels() == {"$L$ = 8": [1, 0], "$L$ = 4": [3, 2]}
    assert space.panels("L", math=False) == {"p = 0.2": [2, 0], "p = 0.1": [3, 1]}
    assert space.panels("Lx") == space.panels("L")
    assert [space.rank(m) for m in space.models] == [1, 0, 1, 0]
    assert ParameterSpace(models(charging=[1.0, 2.0])).colour == "charging"
    sizes = ParameterSpace(models(L=[4, 6, 8]))
    assert (sizes.colour, list(sizes.panels().values())) == ("L", [[0, 1, 2]])
    diluted = ParameterSpace(models(p_site=[0.0, 0.1], p=[0.0, 0.1]))
    assert list(diluted.panels().values()) == [[0, 1], [2, 3]]
    assert list(ParameterSpace(models(p=[0.1])).panels()) == [""]
    both = ParameterSpace(models(action=["rotor", "villain"]))
    assert list(both.panels()) == ["action = rotor", "action = villain"]


def test_an_unknown_parameter_is_refused():
    with pytest.raises(ValueError, match="parameter 'q' is not known; one of L, L_tau"):
        ParameterSpace(models(p=[0.1])).panels("q")
