"""The notebooks: both forms hold the same cells, they run, and their results are those of the truth.

`python tests/documents/test_notebooks.py` rewrites every .ipynb from its percent file, which is the source.
"""

import contextlib
import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from helpers import few_figures
from sitqmc import runs
from sitqmc.analytic import SYNTHETIC_FILMS
from sitqmc.runs.formats.films import bundled_films
from sitqmc.runs.results import tables
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.style import NotebookFigure

FOLDER = Path(runs.__file__).parent / "docs" / "notebooks"
SOURCE = FOLDER / "thz_film.py"
SITE = runpy.run_path(str(FOLDER.parent / "site" / "notebooks.py"))     # reads and runs percent files
cells_of, run_cell, NAMES = SITE["cells"], SITE["run_cell"], SITE["ORDER"]


def notebook_of(cells):
    """The cells in notebook format 4.5, without outputs."""
    made = []
    for k, (kind, source) in enumerate(cells):
        cell = {"cell_type": kind, "id": f"cell-{k:02d}", "metadata": {},
                "source": source.splitlines(keepends=True)}
        made.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    language = {"name": "python", "file_extension": ".py"}
    return {"cells": made, "metadata": {"kernelspec": kernel, "language_info": language},
            "nbformat": 4, "nbformat_minor": 5}


def notebook_text(source):
    cells = cells_of(source.read_text(encoding="utf-8"))
    return json.dumps(notebook_of(cells), indent=1, ensure_ascii=False) + "\n"


def run_notebook(name, folder):
    """Names a notebook leaves behind and the figures it shows; run in a foreign, empty directory."""
    namespace, figures = {"__name__": "notebook"}, []
    with contextlib.chdir(folder):
        for kind, source in cells_of((FOLDER / f"{name}.py").read_text(encoding="utf-8")):
            if kind == "code":
                shown = run_cell(source, namespace)
                figures += [shown] if isinstance(shown, NotebookFigure) else []
    return namespace, figures


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    made = run_notebook("thz_film", folder)
    assert not list(folder.iterdir())
    return made


def truth(name):
    """The stored truth, not the one in the code."""
    return json.loads((bundled_films() / "truth" / f"{name}.json").read_text())["film"]


def test_all_notebooks_are_known():
    for ending in ("py", "ipynb"):
        assert {path.stem for path in FOLDER.glob(f"*.{ending}")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_both_forms_hold_the_same_cells(name):
    source = FOLDER / f"{name}.py"
    stored = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert stored == notebook_text(source), "run: python tests/documents/test_notebooks.py"
    cells = json.loads(stored)["cells"]
    assert {c["cell_type"] for c in cells} == {"markdown", "code"}
    assert all(c["outputs"] == [] for c in cells if c["cell_type"] == "code")


def test_converter():
    text = "# %% [markdown]\n# # Title\n#\n#     a block\n\n# %%\nx = 1\n\n\n# %%\nx\n"
    assert cells_of(text) == [("markdown", "# Title\n\n    a block"), ("code", "x = 1"), ("code", "x")]
    namespace = {}
    assert [run_cell(source, namespace) for kind, source in cells_of(text) if kind == "code"] == [None, 1]


def test_synthetic_films_are_called_so(outcome):
    assert outcome[0]["cold"].synthetic
    assert "SYNTHETIC" in cells_of(SOURCE.read_text(encoding="utf-8"))[0][1]


def test_ten_figures_show_themselves(outcome):
    assert len(outcome[1]) == 10
    assert outcome[1][0]._repr_png_().startswith(b"\x89PNG")
    rejected = [f for f in outcome[1] if "REJECTED" in f.get_suptitle()]
    assert len(rejected) == 2                            # the plain superconductor, and again above sigma_H


def test_weakly_disordered_film_has_its_gap(outcome):
    names, film = outcome[0], SYNTHETIC_FILMS["9.5K"]
    assert (truth("9.5K")["tc_k"], truth("9.5K")["ratio"]) == (film.tc_k, film.ratio)
    assert names["weak"].fits
    gap = names["two_delta"]
    assert abs(gap.value - 2 * film.delta_mev(2.0)) < 2 * gap.error < 0.01 * gap.value
    assert names["films"]["Tc = 9.5 K"].plain.fits


def test_film_with_a_mode_has_no_gap(outcome):
    names = outcome[0]
    assert names["calibration"].fits
    assert not names["plain"].fits
    with pytest.raises(ValueError, match="no gap can be quoted"):
        names["plain"].gaps_mev()
    assert [f.plain.fits for f in names["films"].values()] == [True, False, False, False]


def test_gap_from_tunnelling(outcome):
    fit, film = outcome[0]["tunnelling"].fit, SYNTHETIC_FILMS["5.0K"]
    assert fit.quality.fits
    assert abs(fit.values["delta_mev"] - film.delta_mev(2.0)) < 3 * fit.errors["delta_mev"] < 0.02


def test_omega_and_peak(outcome):
    names, film = outcome[0], SYNTHETIC_FILMS["5.0K"]
    fine = np.linspace(0.06, 0.25, 2000)
    assert fine[film.sigma(fine, 2.0).real.argmin()] in names["omega"]
    assert names["omega"].high - names["omega"].low < 0.1
    assert truth("5.0K")["mode_thz"] in names["peak"]
    assert names["peak"].high - names["peak"].low < 0.02


def test_superfluid_density_and_missing_weight(outcome):
    names, expected = outcome[0], SYNTHETIC_FILMS["5.0K"].omega_sigma2_mev()
    fluid = names["fluid"]
    assert fluid.consistent.fits
    assert abs(fluid.omega_sigma2_mev.value - expected) < 2 * fluid.omega_sigma2_mev.error < 0.1 * expected
    assert names["weight"].extended.value == pytest.approx(np.pi / 2 * expected, rel=0.05)
    assert abs(names["line"].slope.value - np.pi / 2) < 2 * names["line"].slope.error < 0.1


def test_theory_beside_the_film(outcome):
    """The made-up resonance lies at omega = E_J, the mode of the film at 0.29 THz."""
    answer = outcome[0]["agreement"]
    assert answer.quality.fits
    assert answer.e_j_mev.value == pytest.approx(0.29 * 4.135667696, rel=0.02)


def test_curve_of_a_run_is_read(outcome, tmp_path):
    """sigma.csv and averages.csv with the columns the tables of a run really have."""
    nothing = RunResults(tmp_path / "run.h5", None, ())
    sigma_head, mean_head = (next(make(nothing)) for make in (tables.sigma_rows, tables.average_rows))

    def write(name, head, rows):
        with open(tmp_path / name, "w", newline="") as file:
            writer = csv.DictWriter(file, head, restval="0")
            writer.writeheader()
            writer.writerows(rows)

    omega = [0.0, 0.5, 1.0, 1.5, 2.0]
    write("sigma.csv", sigma_head, [
        {"point": p, "omega": w, "sigma_over_sigma_Q": p + w, "low_68": p + w - 0.1, "high_68": p + w + 0.3}
        for p in (0, 1) for w in omega])
    write("averages.csv", mean_head, [{"point": p, "observable": name, "mean": 0.1 + p}
                                      for p in (0, 1) for name in ("rho_s", "kappa")])
    theory = outcome[0]["read_theory"](tmp_path, 1)
    assert theory.omega.tolist() == omega[1:]
    assert theory.sigma.tolist() == [1.5, 2.0, 2.5, 3.0]
    assert theory.error == pytest.approx(0.2)
    assert theory.rho_s == 1.1
    with pytest.raises(ValueError, match="of point 2"):
        outcome[0]["read_theory"](tmp_path, 2)


def test_first_run(tmp_path):
    """Stiffness falls with p, the sum rule holds, warnings of a small run are given."""
    with few_figures("scan", "sigma"):
        names, figures = run_notebook("first_run", tmp_path)
    table, results = names["table"], names["results"].results
    assert table["rho_s"][0] > 5 * table["rho_s"][2] > 0
    assert np.all(table["rho_s_error"] < 0.02)
    for result in results:
        rule = result.spectrum.sum_rule.ratio(result.averages.samples["minus_k"])
        assert abs(rule.value - 1) < 3 * rule.error < 0.4          # depends on the tail above the data
    assert any("few samples" in warning for warning in results[0].warnings)
    assert len(figures) == 2
    assert (tmp_path / "results/first_run/report.html").read_text() == names["page"]


def test_reading_results(tmp_path):
    """Nested samples and functions of the mask sharpen differences; a clean array has thermal noise alone."""
    names, figures = run_notebook("reading_results", tmp_path)
    plain = np.hypot(*(a.plain["rho_s"].error for a in names["results"].averages[1:]))
    assert names["paired"] < min(0.8 * plain, names["naive"])
    shares = [a.checks["rho_s_x"].thermal_fraction for a in names["results"].averages]
    assert shares[0] > 0.45 > 0.3 > max(shares[1:])       # 1 is expected; 40 samples tell it to 22 %
    assert names["single"].error == pytest.approx(names["bins"][0].std(ddof=1) / np.sqrt(32), rel=0.5)
    assert names["effort"].error <= 1.001 * names["wanted"]
    assert names["sigma"][0] > 5 * names["sigma_error"][0]
    assert len(names["rows"]) > 300
    assert len(figures) == 1


def test_continuation_trust(tmp_path):
    """What the text says of the broad spectrum, the weight, the bounds, the agreement and the better data."""
    names, figures = run_notebook("continuation_trust", tmp_path)
    broad, narrow, better = names["broad"], names["narrow"], names["better"]
    assert abs(broad.stiffness.value - 0.35) < 3 * broad.stiffness.error < 0.01
    assert names["inside"][names["seen"]].mean() > 0.5
    assert 2 * names["weight"].error < names["weight"].value - names["exact"] < 0.5 * names["exact"]
    assert names["bounds"].lower < names["exact"] < names["bounds"].upper
    line = float(names["two_peaks"](np.array([1.0]))[0])
    height = {name: float(np.interp(1.0, s.omega, s.values)) for name, s in names["both"].spectra.items()}
    assert all(value < 0.75 * line for value in height.values())     # every method misses the line ..
    assert names["both"].agreed_share > 0.9                         # .. and they agree
    positions = sorted(peak.position.value for peak in better.peaks(limit=2))
    assert positions == pytest.approx([1.0, 3.0], abs=0.5)
    assert np.interp(1.0, narrow.omega, narrow.resolution) > 2 * 0.12
    assert len(figures) == 4


def test_cluster_scaling(tmp_path, capsys):
    """The script asks for what was said, pools hold all samples, crossings bracket the published p_c."""
    names, figures = run_notebook("cluster_scaling", tmp_path)
    said = capsys.readouterr().out
    assert names["status"] == names["merged"] == 0
    for line in ("#SBATCH --nodes=2", "#SBATCH --time=12:00:00", "pool: 24 samples"):
        assert line in said
    assert not (tmp_path / "sit.sbatch").exists()
    above, below = names["above"], names["below"]
    assert max(above.error, below.error) < 0.008
    assert below.value - 2 * below.error < 0.337 < above.value + 2 * above.error
    first = names["found"]["W_x^2"][0].coupling.value, names["found"]["W_tau^2"][0].coupling.value
    assert above.value - below.value < first[0] - first[1]
    assert len(figures) == 1


if __name__ == "__main__":
    for name in NAMES:
        (FOLDER / f"{name}.ipynb").write_text(notebook_text(FOLDER / f"{name}.py"), encoding="utf-8")
