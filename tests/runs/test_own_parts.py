"""Observables and disorder of the user: examples of the page, exact values, resumed runs, hashes of files."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

import sitqmc
from helpers import datasets, few_figures
from sitqmc.qmc import Chains, Model, OwnObservable, Schedule, make_disorder
from sitqmc.runs.errors import Stopped, UserError
from sitqmc.runs.formats import own
from sitqmc.runs.results.figures.numbers import map_rows
from sitqmc.runs.results.tables import final_table
from sitqmc.runs.simulate.driver import run as simulate
from sitqmc.runs.simulate.stop import Stop

PAGE = Path(__file__).resolve().parents[2] / "runs/docs/pages/howto/own_parts.md"
MODEL = Model(L=3, beta=1.5, eps=0.25, charging=3.0, p=0.1)


def blocks():
    """Return the examples of the page by the comment above each."""
    found = re.findall(r"<!-- (.+?) -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(found)


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bonds.py").write_text(blocks()["bonds.py"])
    return tmp_path


def test_the_examples_of_the_page(written):
    names = {}
    with few_figures("sigma", "samples"):
        exec(blocks()["run"], names)
    run = names["run"]
    assert run.samples(0).bins["flow"].shape == (8, 8, 4)
    assert 0 < run.table("J2")["J2"][0] < 1
    expected = run.table("J2")["J2"] / run.table("rho_s")["rho_s"]
    np.testing.assert_allclose(names["ratio"].value, expected, rtol=0.2)
    assert "J2" in run.scalars()
    for call in (run.scan, run.table, run.plot):
        with pytest.raises(UserError, match="flow"):             # an array
            call("flow")
    with h5py.File("results/bonds/run.h5") as file:
        assert file["points/0000/bins/J2"].attrs["description"] == "mean square of the current on a bond"
    with few_figures("map"):
        exec(blocks()["disorder"], names)
    couplings = np.load("couplings.npy")
    chains = Chains(
        names["run"].models[0], [make_disorder(4, 4, E_J=couplings[3])], seed=1, samples=[3],
        schedule=names["run"].config.schedule,
    )  # fmt: skip
    while not chains.finished:
        chains.step()
    stored = names["run"].samples(0).bins["energy"][3]
    np.testing.assert_array_equal(stored, chains.results()[0].bins["energy"])


@pytest.mark.physics
def test_whole_reports_of_own_parts(written):
    """All tables and figures in all formats, which the test above leaves out."""
    names = {}
    for part in ("run", "disorder"):
        exec(blocks()[part], names)
    pages = [*written.rglob("report.html")]
    assert len(pages) == 2
    for page in pages:
        assert {path.suffix for path in page.parent.iterdir()} >= {".pdf", ".png", ".csv"}
        assert page.read_text(encoding="utf-8").count("<figure") >= 8


def test_plan_shows_the_cost_of_own_observables(written):
    keys = KEYS | {"L": 4, "observables": {"own": "bonds.py"}, "path": "out"}
    config = sitqmc.Config.of(**keys)
    (line,) = [line for line in sitqmc.plan(config, processes=1, trial_seconds=0.02).splitlines()
               if line.startswith("own ")]  # fmt: skip
    found = re.fullmatch(
        r"own     J2 ([\d.]+) us, flow ([\d.]+) us a measurement, (\d+) % of the time at 96 sites", line
    )
    assert found, line
    assert 0 < float(found[1]) + float(found[2]) < 1e4
    assert 0 < int(found[3]) <= 100


@pytest.mark.parametrize("kind", ["masks", "couplings"])
def test_figures_show_own_disorder(tmp_path, kind):
    """Map and its csv file hold the bonds of the file; the table says that no functions of masks are used."""
    rng = np.random.default_rng(5)
    array = rng.random((4, 2, 3, 3)) < 0.6 if kind == "masks" else rng.lognormal(sigma=0.3, size=(4, 2, 3, 3))
    np.save(tmp_path / "a.npy", array)
    keys = KEYS | {"p": 0.0, "disorder": {"file": tmp_path / "a.npy"}}
    run = sitqmc.run(**keys, path=tmp_path / "out", processes=1, report=False,
                     continuation={"method": "maxent"})  # fmt: skip
    head, *rows = map_rows(run.results)
    place = head.index("bond_along_x")
    found = np.array([row[place : place + 4] for row in rows], float).reshape(3, 3, 4)
    np.testing.assert_array_equal(found[..., :2], np.moveaxis(array[0] != 0, 0, -1))
    np.testing.assert_allclose(found[..., 2:], np.moveaxis(array[0], 0, -1))
    lines = [one for one in sitqmc.draw("map", run).axes[0].collections if one.get_segments()]
    assert [len(one.get_segments()) for one in lines] == [2 * (~array[0]).sum() if kind == "masks" else 36]
    assert final_table(run.results).count("without functions of the mask") == 1
    (tmp_path / "a.npy").unlink()
    own._array.cache_clear()
    assert "file of the disorder is gone" in sitqmc.draw("map", run).axes[0].get_xlabel()
    assert next(row for row in map_rows(run.results) if row[place] != "bond_along_x")[place] == ""


def test_own_functions_see_the_configuration_that_is_measured():
    """rho_x(i w_n) from the currents equals the built-in one, and bins of other observables do not change."""
    def rho_x(J, model):
        response = np.abs(np.fft.fft(J[1].sum(axis=(1, 2)))) ** 2
        return response[: model.L_tau // 2 + 1] / (model.sites * model.beta)

    own = OwnObservable("own_rho_x", "E_J", "current response along x", rho_x, shape=(4,))
    schedule = Schedule(therm_sweeps=10, bins=6, measurements_per_bin=5)

    def results(samples, own=()):
        chains = Chains(MODEL, seed=1, samples=samples, schedule=schedule, own=own)
        while not chains.finished:
            chains.step()
        return chains.results()

    three, one, none = results([0, 1, 2], [own]), results([1], [own]), results([1])
    np.testing.assert_allclose(three[1].bins["own_rho_x"][:, 1:], three[1].bins["rho_x"][:, 1:], atol=1e-12)
    for name, values in one[0].bins.items():
        np.testing.assert_array_equal(three[1].bins[name], values)
        if name in none[0].bins:
            np.testing.assert_array_equal(none[0].bins[name], values)


KEYS = {"L": 3, "L_tau": 6, "eps": 0.25, "charging": 3.0, "p": 0.1, "samples": 4,
        "schedule": {"therm_sweeps": 20, "bins": 8, "measurements_per_bin": 4}}  # fmt: skip
OWN = """
from sitqmc.qmc import OwnObservable
OBSERVABLES = [OwnObservable("J2", "1", "text", lambda J, model: (J ** 2).sum())]
"""


def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    keys = KEYS | {"observables": {"own": tmp_path / "own.py"}, "output": {"checkpoint_seconds": 0.0}}
    whole = sitqmc.Config.of(**keys, path=tmp_path / "whole")
    simulate(whole, processes=1, quiet=True)

    class Soon(Stop):
        """Stops after the first step of every call."""

        def __init__(self):
            super().__init__()
            self.asked = 0

        def reason(self):
            self.asked += 1
            return "soon" if self.asked > 3 else None

    halves = sitqmc.Config.of(**keys, path=tmp_path / "halves")
    for _ in range(20):
        try:
            simulate(halves, processes=1, quiet=True, stop=Soon())
            break
        except Stopped:
            continue
    assert datasets(tmp_path / "halves/run.h5") == datasets(tmp_path / "whole/run.h5")
    (tmp_path / "own.py").write_text(OWN.replace("** 2", "** 4"))
    with pytest.raises(UserError, match=r"holds another run, observables\.own_hash"):
        simulate(sitqmc.Config.of(**keys, path=tmp_path / "whole"), processes=1, quiet=True)
    with pytest.raises(UserError, match="has changed since the run began"):
        simulate(whole, processes=1, quiet=True)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("OBSERVABLES = []", "must list its sitqmc.qmc.OwnObservable"),
        ("1 / 0", "fails (division by zero)"),
        (OWN.replace("J2", "rho_s_x"), "must be a new name"),
    ],
)
def test_files_of_observables_are_checked(tmp_path, source, words):
    (tmp_path / "own.py").write_text(source)
    config = sitqmc.Config.of(**KEYS, path=tmp_path / "out", observables={"own": str(tmp_path / "own.py")})
    with pytest.raises(UserError) as caught:
        simulate(config, processes=1, quiet=True)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(UserError, match=r"\[observables\] own = .* cannot be read"):
        sitqmc.Config.of(**KEYS, path="out", observables={"own": "none.py"})


@pytest.mark.parametrize(
    ("array", "changes", "words"),
    [
        (np.ones((4, 2, 3, 4), bool), {}, "has shape (4, 2, 3, 4); must be (samples, 2, 3, 3)"),
        (np.ones((3, 2, 3, 3), bool), {}, "holds 3 samples, sample 3 is wanted"),
        (np.ones((4, 2, 3, 3), bool), {"p": 0.1}, "[model] p must be 0"),
        (np.ones((4, 2, 3, 3), bool), {"spread_C": 0.1}, "[model] spread_C must be 0"),
        (-np.ones((4, 2, 3, 3)), {}, "must be positive and finite"),
        (np.array("text"), {}, "has shape ()"),
    ],
)
def test_files_of_disorder_are_checked(tmp_path, array, changes, words):
    np.save(tmp_path / "a.npy", array)
    keys = KEYS | {"p": 0.0} | changes
    config = sitqmc.Config.of(**keys, path=tmp_path / "out", disorder={"file": str(tmp_path / "a.npy")})
    with pytest.raises(UserError) as caught:
        simulate(config, processes=1, quiet=True)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()
