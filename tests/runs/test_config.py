"""Bad input is refused in one line that names key, value and remedy; nothing is touched."""

import datetime
import itertools
import math
import random
import tomllib

import h5py
import pytest

from sitqmc.continuation.methods import methods_for
from sitqmc.runs.cli.arguments import folder_of
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.checks import MOST_LINES
from sitqmc.runs.config.config import load_config, parse_config
from sitqmc.runs.config.expressions import evaluate
from sitqmc.runs.config.template import template
from sitqmc.runs.errors import UserError

GOOD = """
[model]
eps = 0.2
charging = 3.0
L = 2
L_tau = 4
p = [0.0, 0.2]
[disorder]
samples = 2
[schedule]
therm_sweeps = 2
bins = 4
measurements_per_bin = 2
[output]
path = "out"
"""


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


BAD = [
    ("charging =", "chargin =", "unknown key 'chargin'; did you mean 'charging'"),
    ("[schedule]", "[shedule]", "unknown section 'shedule'; did you mean 'schedule'"),
    ("p = [0.0, 0.2]", "p = [0.0, 1.0]", "p = 1.0"),
    ("p = [0.0, 0.2]", "p = -0.1", "p = -0.1"),
    ("p = [0.0, 0.2]", "p = nan", "p = nan"),
    ("p = [0.0, 0.2]", "p = []", "p = []"),
    ("p = [0.0, 0.2]", "p = true", "p = True"),
    ("p = [0.0, 0.2]", 'p = "big"', "'big' is not known"),
    ("L = 2", "L = 1", "L = 1"),
    ("L = 2", "L = 2.5", "L = 2.5"),
    ("L = 2", "Lx = 2", "Lx and Ly"),
    ("L = 2", "L = 2\nLx = 2\nLy = 2", "either L"),
    ("L_tau = 4", "L_tau = 1", "L_tau = 1"),
    ("L_tau = 4", 'L_tau = "L**1.3"', "must be an integer"),
    ("L_tau = 4", "L_tau = \"__import__('os').getcwd()\"", "not known"),
    ("L_tau = 4", 'L_tau = "9**9**9**9"', "cannot be evaluated"),
    ("eps = 0.2", "eps = 0.0", "eps = 0.0"),
    ("eps = 0.2", "eps = -1", "eps = -1"),
    ("eps = 0.2", "eps = 1e5", "K_x = 100000"),
    ("eps = 0.2", "eps = 1e-320", "beyond the range of floats"),
    ("eps = 0.2", "", "eps is missing"),
    ("charging = 3.0", "charging = 1e-6", "K_tau = "),
    ("charging = 3.0", "charging = inf", "charging = inf"),
    ("[model]", '[model]\naction = "cosin"', "action = 'cosin'"),
    ("samples = 2", "samples = 0", "samples = 0"),
    ("samples = 2", "samples = 2\nseed = -1", "seed = -1"),
    ("bins = 4", "bins = 1", "bins = 1"),
    ("therm_sweeps = 2", "therm_sweeps = -2", "therm_sweeps = -2"),
    ("[disorder]", "[observables]\nn_max = 3\n[disorder]", "n_max = 3"),
    ("[disorder]", '[continuation]\nalpha_rule = "best"\n[disorder]', "alpha_rule = 'best'"),
    ("[disorder]", "[x]\n[disorder]", "unknown section 'x'"),
    ('path = "out"', 'path = ""', "path = ''"),
    ("[model]", "[model", "not valid TOML"),
    ("L_tau = 4", "L_tau = 4\nbeta = 0.8", "one of L_tau and beta"),
    ("L_tau = 4", "beta = 0.85", "must be a multiple of eps = 0.2"),
    ("L_tau = 4", 'beta = "L +"', "cannot be evaluated"),
    ("L_tau = 4", 'L_tau = "2 * eps2"', "'eps2' is not known"),
    ("charging = 3.0", 'charging = "1/p"', "cannot be evaluated"),
    ("charging = 3.0", 'charging = "L_tau"\n', None),
    ("p = [0.0, 0.2]", "p = { start = 0.0, stop = 0.2 }", "either step or count"),
    ("p = [0.0, 0.2]", "p = { start = 0.0, stop = 0.2, stepp = 0.1 }", "did you mean 'step'"),
    ("p = [0.0, 0.2]", "p = { start = 0.0, stop = 0.2, step = -0.1 }", "must have the sign of stop - start"),
    ("p = [0.0, 0.2]", "p = { start = 0.0, stop = 0.2, count = 1 }", "count = 1: must be an integer >= 2"),
    ("p = [0.0, 0.2]", "p = { start = 0.0, stop = 0.2, step = 1e-9 }", "values: at most"),
    ("p = [0.0, 0.2]", "p = [[0.1]]", "must be a number"),
    ("p = [0.0, 0.2]", "p = 0.0\n[[model.points]]\npp = 0.1", "[[model.points]] unknown key 'pp'"),
    ("p = [0.0, 0.2]", "p = 0.0\npoints = 3", "must be tables"),
    ("p = [0.0, 0.2]", "p = 0.0\n[[model.points]]\nLx = 4", "both Lx and Ly"),
    ("L = 2", "L = { start = 2, stop = 3, step = 0.5 }", "L = 2.5"),
    ("L = 2", "L = 60000", "space-time sites"),
    ("[disorder]", "[target]\nrho = 0.1\nmax_samples = 5\n[disorder]", "did you mean 'rho_s'"),
    ("[disorder]", "[target]\nrho_s = 0.1\n[disorder]", "max_samples is missing"),
    ("[disorder]", "[target]\nrho_s = -0.1\nmax_samples = 5\n[disorder]", "must be positive and finite"),
    ("[disorder]", "[target]\nrho_s = 0.1\nmax_samples = 1\n[disorder]", "max_samples = 1"),
    ("[disorder]", "[target]\nrho_s = { relativ = 1 }\nmax_samples = 5\n[disorder]", "mean 'relative'"),
    ("bins = 4", "bins = 4\ninterleave = 0", "interleave = 0"),
    ("bins = 4", "bins = 4.0", "must be an integer"),
    ("bins = 4", "bins = 4\nmeasurements_per_bin = 0", "not valid TOML"),
    ("samples = 2", "samples = 2\nseed = 1.5", "seed = 1.5"),
    ('path = "out"', 'path = "out"\ncheckpoint_seconds = -1', "checkpoint_seconds = -1"),
    ('path = "out"', 'path = "out"\nkeep_state = 1', "must be true or false"),
    ('path = "out"', "path = 3", "must be a word"),
]
BAD = [case for case in BAD if case[2]]


@pytest.mark.parametrize(("old", "new", "words"), BAD)
def test_bad_configurations(tmp_path, monkeypatch, capsys, old, new, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text(changed(old, new))
    assert main(["run", "bad.toml"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert words in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


SEVERAL = """
[model]
eps = -0.2
chargin = 3.0
L = 2.5
L_tau = 4
p = [0.1, "x"]
[disorder]
sample = 2
seed = 1.5
[schedule]
bins = "x"
therm_sweeps = true
[target]
rho = 1
[output]
checkpoint_seconds = -1
"""


def test_all_errors_are_shown_at_once_one_in_a_line(tmp_path, capsys):
    path = tmp_path / "bad.toml"
    path.write_text(SEVERAL)
    assert main(["plan", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"sitqmc: {path}: ") for line in lines)
    for words in ("'chargin'", "L = 2.5", "'sample'", "seed = 1.5", "bins = 'x'", "therm_sweeps = True",
                  "'rho'", "checkpoint_seconds = -1"):  # fmt: skip
        assert sum(words in line for line in lines) == 1, words


def test_every_wrong_value_of_every_point_is_named_once():
    text = changed("p = [0.0, 0.2]", "p = [0.0, 1.0, -0.5]\nn_g = 3").replace("eps = 0.2", "eps = -1")
    lines = refusal(tomllib.loads(text)).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == [
        "[model] eps = -1.0", "[model] n_g = 3.0", "[model] p = -0.5", "[model] p = 1.0",
    ]  # fmt: skip


def test_many_errors_are_cut():
    lines = refusal(tomllib.loads(GOOD) | {"disorder": {f"key{i}": 1 for i in range(99)}}).splitlines()
    assert len(lines) == MOST_LINES + 1
    assert "not shown" in lines[-1]


def test_samples_and_output_have_defaults(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(changed('path = "out"', "").replace("samples = 2", ""))
    config = load_config(path)
    assert config.output.path == "results/trial"
    assert str(folder_of(str(path))) == "results/trial"
    assert config.disorder.samples == 100


def test_values_can_be_replaced(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(GOOD)
    changes = ["model.p=0.1", "model.beta=2.0", "model.action=rotor", "target.rho_s = {relative = 0.1}",
               "target.max_samples=9", "model.L=[4, 6]", "disorder.samples=3"]  # fmt: skip
    config = load_config(path, changes)
    assert [(m.Lx, m.L_tau, m.p, m.action) for m in config.models] == [
        (4, 10, 0.1, "rotor"), (6, 10, 0.1, "rotor")
    ]  # fmt: skip
    assert (config.disorder.samples, config.target.goals) == (3, {"rho_s": {"relative": 0.1}})
    assert load_config(path, ["model.Lx=4", "model.Ly=2"]).models[0].Lx == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [("p=0.1", "must be SECTION.KEY=VALUE"), ("model.p", "must be SECTION.KEY=VALUE"),
     ("modell.p=1", "unknown section 'modell'"), ("model.pp=1", "unknown key 'pp'"),
     ("model.p=2", "p = 2"), ("model.p=", "p = ''")],
)  # fmt: skip
def test_wrong_replacements_are_refused_in_one_line(tmp_path, capsys, change, words):
    path = tmp_path / "run.toml"
    path.write_text(GOOD)
    assert main(["run", str(path), "--set", change]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


WRONG = (
    1, -1, 1.5, True, "", "x", [], [1], [[1]], ["a"], [None], [{}], {}, {"a": 1}, {"start": 1}, math.nan,
    {"start": "a", "stop": 1, "step": 1}, {"start": 1, "stop": 2, "count": 10**30}, {"absolute": "x"},
    math.inf, {"relative": {}}, datetime.date(2020, 1, 1), datetime.time(1, 2), 10**30, "1/0", None,
)  # fmt: skip


def test_a_value_of_any_type_anywhere_is_read_or_refused_in_lines():
    """Every key of every section, in tables of points and among the goals too."""
    plain, refused = tomllib.loads(GOOD + MORE_SECTIONS), 0
    keys = {section: list(table) for section, table in parse_config(plain).resolved().items()}
    keys["target"] += ["rho_s", "kappa"]
    tables = [plain | {section: value} for section in keys for value in WRONG]
    for section, names in keys.items():
        for name, value in itertools.product(names, WRONG):
            tables.append(plain | {section: plain.get(section, {}) | {name: value}})
            inner = {"model": "points", "target": "goals"}.get(section)
            if inner:
                nested = [{name: value}] if inner == "points" else {name: value}
                tables.append(plain | {section: plain[section] | {inner: nested}})
    for table in tables:
        said = refusal(table)
        assert all(0 < len(line) < 500 for line in said.splitlines())
        assert len(said.splitlines()) <= MOST_LINES + 1
        refused += bool(said)
    assert refused > 0.6 * len(tables)


def test_the_goals_of_a_target_are_a_table():
    with pytest.raises(UserError, match=r"\[target\] goals = 1: must be a table of observables and errors"):
        parse_config(tomllib.loads(GOOD) | {"target": {"goals": 1}})


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "mark.toml").write_text(GOOD, encoding="utf-8-sig")
    assert load_config(tmp_path / "mark.toml") == parse_config(tomllib.loads(GOOD))


VALUES = (
    "-1", "0", "1e400", "nan", "-inf", "true", "'x'", "[]", "[[]]", "[1, 'a']", "{}", "{start = 0}",
    "1979-05-27", "{start = 0, stop = 1, step = 0}", "99999999999999999999", "1e-320", "1_0",
    "'L/0'", "'(((('", "'L.x'", "'9**99'", "''", "[0.1, 0.1]", "'out\\nput'",
)  # fmt: skip
MORE_SECTIONS = """[target]
rho_s = 0.1
max_samples = 100
[continuation]
blocks = 4
[[model.points]]
p = 0.1
"""


def mutated(text, rng):
    """A few lines lost, doubled, exchanged, with another value or another letter."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        i, j, kind = rng.randrange(len(lines)), rng.randrange(len(lines)), rng.randrange(5)
        if kind == 0:
            lines[i] = ""
        elif kind == 1:
            lines.insert(i, lines[j])
        elif kind == 2:
            lines[i], lines[j] = lines[j], lines[i]
        elif kind == 3 and "=" in lines[i]:
            lines[i] = f"{lines[i].split('=')[0]}= {rng.choice(VALUES)}"
        elif lines[i]:
            place = rng.randrange(len(lines[i]))
            lines[i] = lines[i][:place] + rng.choice("abz_=[]{}\"'#.,\0é0-") + lines[i][place + 1 :]
    return "\n".join(lines)


def refusal(given):
    """Return the message against a configuration, a path or a table; '' if it is accepted."""
    try:
        parse_config(given) if isinstance(given, dict) else load_config(given)
    except UserError as error:
        return str(error)
    return ""


def test_mutated_configurations_are_read_or_refused_in_lines(tmp_path):
    """Anything else that is raised, warnings included, fails the test."""
    rng, path, refused = random.Random(3), tmp_path / "bad.toml", 0
    for turn in range(600):
        path.write_text(mutated(GOOD + MORE_SECTIONS * (turn % 2), rng), encoding="utf-8")
        said = refusal(path)
        assert all(line.startswith(f"{path}: ") and len(line) < 600 for line in said.splitlines())
        refused += bool(said)
    assert refused > 300
    assert [p.name for p in tmp_path.iterdir()] == ["bad.toml"]


def test_missing_file(capsys):
    assert main(["run", "nowhere.toml"]) == 2
    assert "nowhere.toml" in capsys.readouterr().err


def test_points_are_all_combinations_with_p_fastest():
    text = changed("L = 2", "L = [2, 3]").replace("L_tau = 4", 'L_tau = "round(2 * L**1.5)"')
    models = parse_config(tomllib.loads(text)).models
    assert [(m.Lx, m.L_tau, m.p) for m in models] == [(2, 6, 0.0), (2, 6, 0.2), (3, 10, 0.0), (3, 10, 0.2)]


MORE = """
[[model.points]]
L = 4
beta = "L * 0.3"
[[model.points]]
p = { start = 0.0, stop = 0.3, step = 0.1 }
charging = "1/eps**2"
"""


def test_resolved_configuration_is_a_configuration():
    for text in (GOOD, changed("[disorder]", MORE + "[target]\nkappa = 0.1\nmax_samples = 3\n[disorder]")):
        config = parse_config(tomllib.loads(text))
        assert parse_config(config.resolved()) == config


def test_tables_of_points_ranges_and_expressions():
    """Each table replaces keys; beta goes to the nearest slice; 0.3 stays 0.3."""
    models = parse_config(tomllib.loads(changed("[disorder]", MORE + "[disorder]"))).models
    assert [(m.Lx, m.L_tau, m.p) for m in models[:2]] == [(4, 6, 0.0), (4, 6, 0.2)]
    assert [m.p for m in models[2:]] == [0.0, 0.1, 0.2, 0.3]
    assert {m.charging for m in models[2:]} == {1 / 0.2**2}


def test_a_point_named_twice_is_one_point():
    assert len(parse_config(tomllib.loads(changed("[0.0, 0.2]", "[0.1, 0.2, 0.1]"))).models) == 2


def test_every_parameter_of_the_model_is_a_key():
    """Also those that this test does not know: each is accepted with its default, as a list and alone."""
    from dataclasses import MISSING, fields

    from sitqmc.qmc import Model

    plain = tomllib.loads(GOOD)
    for f in fields(Model):
        if f.default is not MISSING:
            for value in (f.default, [f.default]):
                model = plain["model"] | {f.name: value}
                made = list(parse_config(plain | {"model": model}).models)
                assert getattr(made[0], f.name) == f.default


@pytest.mark.parametrize(
    ("text", "value"),
    [("2*L + 1", 9), ("max(L, 3) // 2", 2), ("-(-L) ** 2", -16), ("sqrt(L) % 2 + 7 / 2", 3.5)],
)
def test_expressions(text, value):
    assert evaluate(text, {"L": 4}) == value


@pytest.mark.parametrize(
    "text", ["L.real", "[1][0]", "'a' * 3", "x + 1", "L(2)", "round()", "1 if L else 2", "1/0"]
)
def test_refused_expressions(text):
    with pytest.raises(ValueError, match=r"known|evaluated"):
        evaluate(text, {"L": 4})


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


def fingerprints(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, *arguments):
    assert main(["run", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_output_that_cannot_be_made(config_file, tmp_path, capsys):
    (tmp_path / "out").write_text("a file is in the way")
    assert "out" in refused(capsys, config_file)
    assert "cannot be created" in refused(capsys, config_file, "-o", "/proc/sitqmc/out")


def test_truncated_store(config_file, tmp_path, capsys):
    assert main(["run", "-q", "-n", "1", "--no-analysis", str(config_file)]) == 0
    store = tmp_path / "out" / "run.h5"
    store.write_bytes(store.read_bytes()[:5000])
    before = fingerprints(tmp_path)
    capsys.readouterr()
    assert "truncated" in refused(capsys, config_file)
    assert fingerprints(tmp_path) == before


def test_other_configuration_into_the_same_output(config_file, tmp_path, capsys):
    assert main(["run", "-q", "-n", "1", "--no-analysis", str(config_file)]) == 0
    before = fingerprints(tmp_path / "out")
    other = tmp_path / "other.toml"
    other.write_text(changed("charging = 3.0", "charging = 3.5"))
    capsys.readouterr()
    said = refused(capsys, other)
    assert "model.charging" in said
    assert "[3.0]" in said
    assert "[3.5]" in said
    assert fingerprints(tmp_path / "out") == before


def test_foreign_and_damaged_hdf5(config_file, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    store = tmp_path / "out" / "run.h5"
    with h5py.File(store, "w") as file:
        file["x"] = 1
    assert "not a sitqmc-run file" in refused(capsys, config_file)
    store.unlink()
    assert main(["run", "-q", "-n", "1", "--no-analysis", str(config_file)]) == 0
    with h5py.File(store, "r+") as file:
        file["points/0000/bins/energy"][0, 0] = float("nan")
    assert main(["run", "-q", str(config_file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "damaged" in said


def test_stored_configuration_can_be_read_back(config_file, tmp_path):
    from sitqmc.runs.store.run_folder import RunFolder

    assert main(["run", "-q", "-n", "1", "--no-analysis", str(config_file)]) == 0
    assert RunFolder(tmp_path / "out").header.config == load_config(config_file)


def test_the_store_refuses_what_is_not_a_configuration(tmp_path):
    with pytest.raises(UserError, match="must be a section"):
        parse_config({"model": 3, "disorder": {"samples": 1}, "output": {"path": "x"}})


def test_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert load_config(path) == parse_config(tomllib.loads(GOOD))


def test_every_method_of_continuation_is_a_choice():
    for name in methods_for("rho_iw"):
        table = tomllib.loads(GOOD) | {"continuation": {"method": name}}
        assert parse_config(table).continuation.method == name
        assert name in template("run.toml", "run")
