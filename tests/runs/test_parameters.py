"""A scan of any parameter is told apart wherever points are named: tables, CSV, plan, status, figures."""

import csv
import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from helpers import write_config
from sitqmc.qmc import Model, ParameterSpace
from sitqmc.qmc.model.parameters import PARAMETERS, parameters_of
from sitqmc.runs.config.config import load_config
from sitqmc.runs.jobs import plan, status
from sitqmc.runs.results import tables
from sitqmc.runs.results.analysis import analyse_run
from sitqmc.runs.results.export import table as export
from sitqmc.runs.results.figures import kinds as figures
from sitqmc.runs.results.figures import numbers, show
from sitqmc.runs.results.run import load
from sitqmc.runs.simulate.driver import run

SCANS = {
    "Lx": (2, 4), "L_tau": (4, 6), "action": ("rotor", "villain"), "eps": (0.25, 0.2), "charging": (2.0, 3.0),
    "p": (0.1, 0.2), "p_site": (0.0, 0.1), "spread_J": (0.0, 0.3), "spread_C": (0.0, 0.2), "n_g": (0.0, 0.25),
    "close": (0.3000001, 0.3000002),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of a tiny run."""
    folder = tmp_path_factory.mktemp("scan")
    config = load_config(write_config(folder, samples=6))
    config = replace(config, output=replace(config.output, path=str(folder / "out")))
    run(config, processes=1, quiet=True)
    return analyse_run(load(folder / "out"))


@pytest.fixture(params=SCANS)
def scan(request, results):
    """(parameter, its values, results of two points that differ in it)."""
    name, values = request.param, SCANS[request.param]
    field = "p" if name == "close" else name
    plain = Model(Lx=2, Ly=2, L_tau=4, eps=0.25, charging=3.0, action="rotor", p=0.1)
    models = [replace(plain, **{field: value}) for value in values]
    pairs = zip(results.results, models, strict=True)
    points = [replace(r, averages=replace(r.averages, model=model)) for r, model in pairs]
    return field, values, results.replaced(points)


def column(rows, name):
    head, *body = rows
    return [row[list(head).index(name)] for row in body]


def test_tables_name_the_parameter(scan):
    name, values, results = scan
    cells = column(tables.final_rows(results), name)
    assert len(set(cells)) == 2
    if name != "action":
        assert [float(c) for c in cells] == list(values)
    text = tables.final_table(results)
    labels = [results.label(r) for r in results.results]
    assert len(set(labels)) == 2
    points = [line.partition("warning, ")[2].partition(": ")[0] for line in text.splitlines()]
    named = {name for one in points for name in one.split("; ")}        # 6 samples: every point warns
    assert named >= set(labels) or "all points" in named
    quality = tables.quality_table(results).splitlines()
    assert all(label in quality for label in labels)


def test_every_csv_file_has_every_parameter(scan):
    name, values, results = scan
    makers = (
        tables.average_rows, tables.sigma_rows, tables.rho_rows, tables.scale_rows, export.average_rows,
        numbers.scalar_rows, numbers.alpha_rows,
    )  # fmt: skip
    files = [tables.as_csv(rows(results)) for rows in makers]
    for text in files:
        rows = list(csv.DictReader(io.StringIO(text)))
        assert list(rows[0])[: 1 + len(PARAMETERS)] == ["point", *PARAMETERS]
        found = dict.fromkeys(row[name] for row in rows)
        assert [v if name == "action" else float(v) for v in found] == list(values)


def test_plan_and_status_name_the_parameter(scan):
    name, _, results = scan
    config, models = results.config, [r.model for r in results.results]
    numbers = status.PointStatus(np.array([0.1, 0.2]), np.array([0.5, 0.6]), 10.0, 0)
    points = {tuple(parameters_of(model).items()): numbers for model in models}
    folder = SimpleNamespace(consistent=lambda read: points)
    for rows in (
        list(plan._rows(config, models, dict.fromkeys(models, 1.0))),
        list(status._table(folder, config.resolved())),
    ):
        assert len(set(column(rows, name))) == 2


def test_figures_name_the_parameter(scan):
    """In the legend where it gives the colours, and above the panels where it does not."""
    name, _, results = scan
    figure = figures.draw("rho", results)
    named = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    named += [axis.get_title() for axis in figure.axes if axis.get_visible()]
    key = {"L_tau": "beta"}.get(name, name)                    # a scan of the temperature
    values = [results.space.text(key, results.space.row(r.model)[key]) for r in results.results]
    assert all(any(value in word for word in named) for value in values)
    assert len(set(named) - {""}) == 2 + (name == "action")


def test_show_draws_over_the_parameter(scan):
    """One line over the parameter itself; one line for each of its values over another one."""
    name, values, results = scan
    over, apart = (
        show.show(results, "kappa", parameter).axes[0]
        for parameter in (name, "p" if name != "p" else "charging")
    )
    assert len(over.containers) == 1
    if name != "action":
        np.testing.assert_allclose(sorted(over.containers[0].lines[0].get_xdata()), sorted(values))
    labels = apart.get_legend_handles_labels()[1]
    assert len(set(labels)) == 2
    assert all(name in label or "L =" in label for label in labels)


def test_a_table_of_a_notebook_shows_what_differs(results):
    """Other parameters are not shown, but are there."""
    table = load(results.path.parent).table("kappa")
    assert table.rows()[0] == ["L", "L_tau", "p", "samples", "kappa"]
    assert table["charging"].tolist() == [3.0, 3.0]
    assert len(table.where(p=0.2)) == 1
    assert ParameterSpace([r.model for r in results.results]).columns == ("L", "L_tau", "p")
