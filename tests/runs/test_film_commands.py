"""The commands film and compare, each as a user meets it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from helpers import write_config
from sitqmc.analytic import SUBSTRATES, SYNTHETIC_FILMS, TheoryCurve, film_stiffness_mev, substrate
from sitqmc.analytic.measurements.scans import DataError, mean_scan
from sitqmc.analytic.measurements.synthetic import synthetic_scan
from sitqmc.estimate import Estimate
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.config import load_config
from sitqmc.runs.errors import UserError
from sitqmc.runs.formats.films import bundled_films
from sitqmc.runs.results.film import compare_run, read_film
from sitqmc.runs.simulate.driver import run

MOUNT = ["--tc", "5", "--thickness", "20", "--substrate", "3.097", "--substrate-thickness", "1000.3",
         "--standing-period", "0.13"]  # fmt: skip


def bundled(kind):
    return str(bundled_films() / f"5.0K_{kind}.txt")


@pytest.fixture(scope="module")
def film_folder(tmp_path_factory):
    """A folder written by `sitqmc film` for a bundled film."""
    folder = tmp_path_factory.mktemp("films") / "five"
    files = [bundled("cold"), "--normal", bundled("normal"), "--tunnelling", bundled("tunnelling")]
    assert main(["film", *files, *MOUNT, "-o", str(folder)]) == 0
    return folder


def test_film_writes_tables_figures_and_a_page(film_folder):
    names = {path.name for path in film_folder.iterdir()}
    tables = {"sigma.csv", "pairs.csv", "excess.csv"}
    figures = {"sigma.png", "excess.png", "tunnelling.png", "correlation.png"}
    assert names == tables | figures | {"film.json", "film.html"}
    film, found = SYNTHETIC_FILMS["5.0K"], read_film(film_folder)
    truth = film_stiffness_mev(film.omega_sigma2_mev(), film.film_nm)
    assert found.stiffness_mev.value == pytest.approx(truth, rel=0.02)
    assert found.sigma_h.nu_thz.max() < 0.44
    table = np.genfromtxt(film_folder / "sigma.csv", delimiter=",", names=True)
    expected = film.sigma(table["nu_thz"], 2.0)
    low = table["nu_thz"] < 0.8
    assert np.abs(table["sigma1"] - expected.real)[low].max() < 0.1 * film.sigma_n
    page = (film_folder / "film.html").read_text()
    assert "J_s = " in page
    assert "<td>scattering rate</td><td>60 ± 42</td>" in page
    assert 'img src="correlation.png"' in page


def test_show_fits_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["film", bundled("cold"), "--show"]) == 0
    text = capsys.readouterr().out
    assert "'theta [rad]' -> theta in rad" in text
    assert not list(tmp_path.iterdir())


def test_traces_with_a_reference(capsys, tmp_path, monkeypatch):
    """Two-column traces without heads: --columns names the columns, --reference the empty path."""
    monkeypatch.chdir(tmp_path)
    time = np.arange(0, 40, 0.05)
    for name, delay in (("cold.tim", 12.0), ("ref.tim", 10.0)):
        x = (time - delay) / 0.35
        noise = 1e-4 * np.random.default_rng(3).normal(size=time.size)
        np.savetxt(tmp_path / name, np.column_stack([time, -x * np.exp(-(x**2) / 2) + noise]), fmt="%.8g")
    columns = ["--columns", "time [ps], signal"]
    assert main(["film", "cold.tim", "--show", *columns]) == 0
    assert "-> time in ps" in capsys.readouterr().out
    assert main(["film", "cold.tim", "--reference", "ref.tim", *columns, *MOUNT]) == 2
    assert "no temperature" in capsys.readouterr().err
    assert main(["film", "cold.tim", "--reference", "ref.tim", *columns, *MOUNT, "--temperature", "9"]) == 2
    assert "the scan is at 9 K" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tc", "5"], "--thickness, --substrate, --substrate-thickness: missing"),
        ([*MOUNT, "--substrate", "glue"], "substrate 'glue' is not listed; known: sapphire_o"),
        ([*MOUNT, "--further", "x.txt"], "x.txt: cannot be read"),
        ([*MOUNT, "--tc", "1"], "no gap above Tc"),
        ([*MOUNT, "--prior", "leek=0.1"], "'leek' is not known; use one of damping"),
        ([*MOUNT, "--prior", "leak=little"], "'little' is no number; write leak=0.1"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["film", bundled("cold"), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_compare_needs_a_film(capsys, tmp_path, film_folder):
    with pytest.raises(UserError, match="pass a folder that `sitqmc film` has written"):
        read_film(tmp_path)
    content = json.loads((film_folder / "film.json").read_text())
    del content["covariance"]
    (tmp_path / "film.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="damaged, or no film"):
        read_film(tmp_path)


def test_compare_of_a_run_with_a_film(capsys, tmp_path, film_folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(load_config(write_config(tmp_path)), processes=1, quiet=True)
    capsys.readouterr()
    assert main(["compare", "run.toml", str(film_folder), "--amplitude", "1", "100"]) == 0
    text = capsys.readouterr().out
    assert "theory: " in text
    assert "E_J of the stiffness" in text


def test_best_p_of_a_run_has_an_interval(film_folder):
    """Curves at three p with one film: every comparison in words, then p with its interval."""
    film, omega = read_film(film_folder), np.linspace(0.05, 40.0, 400)
    points = [SimpleNamespace(model=SimpleNamespace(p=p), warnings=()) for p in (0.1, 0.15, 0.2)]

    def curve(point):
        sigma = 0.1 + 0.3 * np.exp(-(((omega - 10 + 20 * point.model.p) / 2) ** 2))
        return TheoryCurve(omega=omega, sigma=sigma, error=0.01 + 0 * omega, rho_s=0.3, rho_s_error=0.01)

    results = SimpleNamespace(results=points, label=lambda point: f"p = {point.model.p}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sitqmc.runs.results.film.theory_curve", curve)
        found = list(compare_run(results, film, Estimate(1.0, 100.0)))
    assert [label for label, _ in found] == ["p = 0.1", "p = 0.15", "p = 0.2", "best p"]
    assert "errors" in found[0][1]
    assert "interval" in found[-1][1]
    assert "from 3 values" in found[-1][1]


def test_repeats_give_mean_and_error():
    film, rng = SYNTHETIC_FILMS["5.0K"], np.random.default_rng(5)
    scans = [synthetic_scan(film, 2.0, rng, noise=0.01) for _ in range(4)]
    mean = mean_scan(scans)
    assert np.median(mean.t_error / mean.t) == pytest.approx(0.005, rel=0.15)
    assert np.median(mean.theta_error) == pytest.approx(0.005, rel=0.15)
    assert "mean of 4 repeated scans" in mean.notes[-1]
    with pytest.raises(DataError, match="other frequencies"):
        mean_scan([scans[0], scans[1].window(0.1, 1.0)])
    with pytest.raises(DataError, match="no repeats"):
        mean_scan([scans[0], synthetic_scan(film, 3.0, rng)])


def test_substrates_by_name():
    assert substrate("mgo", 500.0).index == pytest.approx(3.17)
    assert substrate("si", 500.0, 4.0).index == pytest.approx(3.38)
    assert 3.38 < substrate("si", 500.0, 150.0).index < substrate("si", 500.0).index
    for material in SUBSTRATES.values():
        assert material.source
        assert material.cold_index is None or material.cold_source
        assert 0.005 <= material.index_error <= 0.1
    assert substrate("si", 500.0).thickness_um == 500.0


def test_prior_of_the_amplitude_is_checked(capsys, film_folder):
    assert main(["compare", "nowhere", str(film_folder), "--amplitude", "1", "0"]) == 2
    assert "the error must be > 0" in capsys.readouterr().err
