"""The commands show, continue, schema and completion: numbers of one quantity, help for editors."""

import contextlib
import csv
import io
import json
import shutil
import subprocess
import tomllib

import numpy as np
import pytest

from helpers import write_config
from sitqmc.continuation import CorrelatorData, current_kernel, sinh_grid
from sitqmc.continuation.data.kinds import KINDS
from sitqmc.runs.cli.main import GROUPS, SHELLS, main
from sitqmc.runs.config.config import Config, load_config
from sitqmc.runs.config.schema import field_comments, schema
from sitqmc.runs.config.template import template
from sitqmc.runs.results.run import load
from sitqmc.runs.simulate.driver import run


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a tiny finished run of two points."""
    folder = tmp_path_factory.mktemp("show")
    with contextlib.chdir(folder):
        run(load_config(write_config(folder)), processes=1, quiet=True)
    return folder / "out"


def printed(capsys, *arguments):
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_spectrum_is_drawn_and_printed(out, tmp_path, capsys):
    """sigma of one point, and chi_s, once as a correlator and once as a spectrum."""
    path = tmp_path / "sigma.pdf"
    assert printed(capsys, "show", out, "sigma", "-o", path).split() == [str(path)]
    assert path.read_bytes().startswith(b"%PDF")
    rows = [*csv.DictReader(io.StringIO(printed(capsys, "show", out, "sigma", "-p", "p=0.2", "-f", "csv")))]
    assert {row["p"] for row in rows} == {"0.2"}
    assert len(rows) == 40
    assert all(float(r["low_68"]) <= float(r["sigma"]) * 1.001 for r in rows)
    chi = json.loads(printed(capsys, "show", out, "chi_s", "-p", "p=0", "-f", "json"))
    assert {"omega_n", "chi_s", "error"} <= set(chi[0])
    assert len(chi) == 3
    spectrum = json.loads(printed(capsys, "show", out, "chi_s", "--spectrum", "-p", "p=0", "-f", "json"))
    assert {"omega", "chi_s", "resolution", "resolved"} <= set(spectrum[0])


def test_numbers_are_those_of_the_run(out, capsys):
    rows = [line.split() for line in printed(capsys, "show", out, "kappa", "-f", "table").splitlines()]
    table = load(out).table("kappa")
    column = rows[0].index("kappa")
    assert [float(row[column]) for row in rows[2:]] == pytest.approx(table["kappa"], rel=1e-5)


def test_stored_results_spare_the_analysis_of_the_samples(out, tmp_path, capsys, monkeypatch):
    shutil.copytree(out, tmp_path / "kept")
    before = printed(capsys, "show", out, "rho_s", "-f", "csv")
    load(tmp_path / "kept").save()
    monkeypatch.setattr("sitqmc.runs.results.figures.show.analyse_run", None)
    assert printed(capsys, "show", tmp_path / "kept", "rho_s", "-f", "csv") == before


@pytest.mark.parametrize(("arguments", "words"), [
    (["sigma", "-p", "p=0.7"], "no point of this run"), (["sigma", "-p", "q=1"], "'q' is not known"),
    (["sigma", "-p", "p"], "must be KEY=VALUES"), (["kappa", "--spectrum"], "has no spectrum"),
    (["sigmo"], "known: "),
])  # fmt: skip
def test_wrong_requests_are_refused_in_one_line(out, capsys, arguments, words):
    assert main(["show", str(out), *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.fixture(scope="module")
def samples():
    """Samples of rho(i w_n) of a peak of weight 0.1 sqrt(2 pi) 0.6 at omega = 2 beside rho_s = 0.3."""
    beta, n, grid = 8.0, np.arange(17), sinh_grid(30.0, 1.0, 800)
    truth = 0.1 * np.exp(-0.5 * ((grid.omega - 2) / 0.6) ** 2)
    clean = 0.3 + current_kernel(n, grid.omega, beta) @ (grid.weights * truth)
    return clean + 0.002 * np.random.default_rng(1).normal(size=(60, n.size))


def test_an_own_correlator_is_continued(samples, tmp_path, capsys):
    """From samples, and from means with errors: rho_s and the f-sum of the data come back."""
    np.savetxt(tmp_path / "bins.txt", samples)
    mean, error = samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    np.savetxt(tmp_path / "rho.txt", np.column_stack([np.arange(17), mean, error]))
    for name, more in (("bins", ["--samples"]), ("rho", ["--n-samples", "60"])):
        said = printed(capsys, "continue", tmp_path / f"{name}.txt", "--kind", "rho_iw", "--beta", "8",
                       "--method", "maxent", *more)  # fmt: skip
        constant = said.split("constant: ")[1].split("(")[0]
        assert float(constant) == pytest.approx(0.3, abs=0.01)
        assert "peak: " in said
        assert (tmp_path / f"{name}_spectrum.png").read_bytes().startswith(b"\x89PNG")
        table = np.genfromtxt(tmp_path / f"{name}_spectrum.csv", delimiter=",", names=True)
        weight = np.trapezoid(table["sigma_over_sigma_Q"], table["omega"]) / (2 * np.pi)
        assert weight == pytest.approx(0.1 * np.sqrt(2 * np.pi) * 0.6, rel=0.1)


def correlator_of(kind, beta, position=1.0):
    """Grid, values and weight of a correlator of any kind whose A is a peak at `position`."""
    grid = np.arange(16.0) if kind.endswith("_iw") else np.linspace(0.0, beta, 17)
    omega = np.linspace(-8.0 if KINDS[kind].two_sided else 0.0, 8.0, 1601)
    truth = np.exp(-0.5 * ((omega - position) / 0.5) ** 2)
    exact = CorrelatorData.from_mean_cov(
        np.ones(grid.size, complex if KINDS[kind].complex_ else float), np.full(grid.size, 0.1), kind=kind,
        beta=beta, grid=grid,
    )  # fmt: skip
    values = exact.kernel(omega) @ truth * (omega[1] - omega[0])
    if KINDS[kind].complex_:
        both = np.zeros(2 * grid.size)
        both[-len(values):] = values             # boson_iw leaves out the imaginary part at n = 0
        if len(values) < both.size:
            both[: grid.size], both[grid.size], both[grid.size + 1 :] = (
                values[: grid.size], 0.0, values[grid.size :]
            )  # fmt: skip
        values = both
    return grid, values


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_continued_from_a_file(kind, tmp_path, capsys):
    """Means with errors, or samples; of complex data both parts. The peak of A = 1 comes back."""
    beta = 6.0
    grid, values = correlator_of(kind, beta)
    noise = 1e-3 * np.abs(values).max()
    columns = values.reshape(-1, grid.size)      # one row, or real and imaginary parts
    np.savetxt(tmp_path / "mean.txt", np.column_stack([grid, *columns, np.full(grid.size, noise)]))
    rows = values + noise * np.random.default_rng(1).normal(size=(100, values.size))
    np.savetxt(tmp_path / "samples.txt", rows)
    for name, more in (("mean", []), ("samples", ["--samples"])):
        printed(capsys, "continue", tmp_path / f"{name}.txt", "--kind", kind, "--beta", beta,
                "--method", "maxent", *more)  # fmt: skip
        assert (tmp_path / f"{name}_spectrum.png").stat().st_size > 1000
        table = np.genfromtxt(tmp_path / f"{name}_spectrum.csv", delimiter=",", names=True)
        assert (table["omega"].min() < 0) == KINDS[kind].two_sided
        value, omega = table[table.dtype.names[1]], table["omega"]
        if table.dtype.names[1] == "spectral_function" and not KINDS[kind].fermionic:
            value = np.divide(value, omega, out=np.zeros_like(value), where=np.abs(omega) > 0.05)
        assert omega[np.argmax(value)] == pytest.approx(1.0, abs=0.35)
        assert np.all(table["low_68"] <= table["high_68"])


def test_a_spectrum_without_a_definite_sign(tmp_path, capsys):
    """<a b> = <(a + b)^2> - <a^2> - <b^2> over two, of peaks at 1 (a and b alike) and at -1 (opposite)."""
    (grid, plus), (_, minus) = correlator_of("boson_tau", 6.0), correlator_of("boson_tau", 6.0, -1.0)
    for name, values in (("total", 4 * plus), ("a", plus + minus), ("b", plus + minus)):
        error = np.full(grid.size, 1e-3 * values.max())
        np.savetxt(tmp_path / f"{name}.txt", np.column_stack([grid, values, error]))
    arguments = ["continue", tmp_path / "total.txt", "--mixed", tmp_path / "a.txt", tmp_path / "b.txt",
                 "--kind", "boson_tau", "--beta", "6", "--method", "maxent"]  # fmt: skip
    printed(capsys, *arguments)
    table = np.genfromtxt(tmp_path / "total_spectrum.csv", delimiter=",", names=True)
    assert table["omega"][np.argmax(table["A"])] == pytest.approx(1.0, abs=0.3)
    assert table["omega"][np.argmin(table["A"])] == pytest.approx(-1.0, abs=0.3)
    assert main([*map(str, arguments), "--covariance", "c.txt"]) == 2
    assert "--covariance with --mixed: it belongs to one file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "columns", "more", "words"),
    [
        ("fermion_iw", 3, [], "need grid, real part, imaginary part, one or two errors for kind"),
        ("fermion_iw", 7, ["--samples"], "7 columns: samples of kind fermion_iw are all real and"),
        ("fermion_tau", 3, ["--method", "rational"], "method = 'rational' with kind fermion_tau: it needs"),
        ("boson_tau", 3, ["--eps", "0.1"], "kind boson_tau has no time step; leave eps out"),
        ("rho_iw", 4, [], "4 columns: need grid, mean, error for kind rho_iw"),
    ],
)
def test_columns_and_options_that_do_not_fit_the_kind(tmp_path, capsys, kind, columns, more, words):
    rows = np.column_stack([np.linspace(0, 5, 6), *np.full((columns - 1, 6), 0.5)])
    np.savetxt(tmp_path / "own.txt", rows)
    assert main(["continue", str(tmp_path / "own.txt"), "--kind", kind, "--beta", "6", *more]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_wrong_correlator_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "rho.txt").write_text("0 1 0.1\n1 2\n")
    for name in ("rho.txt", "nowhere.txt"):
        assert main(["continue", str(tmp_path / name), "--kind", "rho_iw", "--beta", "8"]) == 2
        said = capsys.readouterr().err
        assert name in said
        assert said.count("\n") == 1


def test_the_schema_accepts_good_and_refuses_bad_configurations(tmp_path, capsys):
    """Checked by an independent validator, on the template and on every kind of mistake."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft7Validator(schema())
    jsonschema.Draft7Validator.check_schema(schema())
    good = tomllib.loads(template("run.toml", "run"))
    assert validator.is_valid(good)
    assert validator.is_valid(tomllib.loads(write_config(tmp_path).read_text()))
    bad = [
        {"modell": {}}, {"model": {"chargin": 3}}, {"model": {"action": "cosin"}}, {"model": {"L": 2.5}},
        {"disorder": {"samples": 0}}, {"schedule": {"bins": "x"}}, {"continuation": {"method": "best"}},
        {"target": {"rho": 0.1}}, {"target": {"rho_s": {"relativ": 1}}}, {"output": {"path": 3}},
    ]  # fmt: skip
    for change in bad:
        (section, values), = change.items()
        assert not validator.is_valid(good | {section: good.get(section, {}) | values}), change
    assert printed(capsys, "schema", "-o", tmp_path / "s.json").startswith(str(tmp_path / "s.json"))
    assert json.loads((tmp_path / "s.json").read_text()) == schema()


def test_every_key_of_the_schema_is_explained():
    properties = schema()["properties"]
    assert set(properties) == set(Config.__dataclass_fields__)
    for section in properties.values():
        for name, entry in section["properties"].items():
            assert entry.get("description"), name
    assert field_comments(Config.__dataclass_fields__["disorder"].default_factory)["seed"]


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_and_options(shell, capsys):
    script = printed(capsys, "completion", shell)
    for word in ("continue", "submit", "covariance", "rerun"):
        assert word in script
    assert len(GROUPS) > 5
    if shell == "bash" and shutil.which("bash"):
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
        asked = script + "\nCOMP_WORDS=(sitqmc sub); COMP_CWORD=1; _shtab_sitqmc; echo \"${COMPREPLY[@]}\""
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
        assert done.stdout.split()[-1:] == ["submit"]
