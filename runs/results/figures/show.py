"""One figure or table of one quantity: a scalar against a parameter, a correlator, or a spectrum."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitqmc.qmc import PARAMETERS, Model
from sitqmc.qmc.observables import row_of
from sitqmc.runs.errors import UserError
from sitqmc.runs.formatting import columns
from sitqmc.runs.results.analysis import RunResults, analyse_run
from sitqmc.runs.results.figures.curves import Curve
from sitqmc.runs.results.figures.kinds import KINDS, draw_kind
from sitqmc.runs.results.figures.style import MM, finished, new_figure, ordered_colour, save_figure, styled
from sitqmc.runs.results.point import SPECTRA, PointResult, RunPoint, spectrum_of
from sitqmc.runs.results.run import Run
from sitqmc.runs.results.stored import stored_points
from sitqmc.runs.results.tables import PARAMETER_COLUMNS, Row, as_csv, numbered
from sitqmc.runs.store.atomic import replace_file

FEW = 5                      # more lines than this have their legend outside the axes
SIZE = 140 * MM, 97 * MM


def results_of(run: Run, quantity: str, models: Sequence[Model], spectrum: bool) -> RunResults:
    """Return the results that `show` needs for some points of a run: averages, or the requested spectrum.

    raises  UserError for a quantity that the run does not have, or data that cannot be continued
    """
    names = [quantity]
    if spectrum:
        names = [SPECTRA[quantity], *(["minus_k"] if quantity == "sigma" else [])]
    results, points = _averages_of(run, names, models), list[RunPoint]()
    if not spectrum:
        return results
    for r in results.results:
        try:
            found = spectrum_of(run.config, r.averages, quantity)
        except ValueError as error:
            raise UserError(f"{results.label(r)}: {quantity} cannot be continued: {error}") from None
        points.append(PointResult(r.averages, {quantity: found}, found.warnings))
    return results.replaced(points)


def _averages_of(run: Run, names: Sequence[str], models: Sequence[Model]) -> RunResults:
    """Return averages of some points from the results in run.h5, or from the samples if it has none."""
    stored = stored_points(run.folder, tuple(models), run.config)
    if stored is None or any(name not in point.averages.values for point in stored for name in names):
        return analyse_run(run, names=names, models=models)
    points: list[RunPoint] = [PointResult(p.averages, {}, tuple(p.averages.warnings)) for p in stored]
    return RunResults(run.path, run.header, tuple(points), tuple(run.failures))


def show(results: RunResults, observable: str, parameter: str) -> Figure:
    """Return the figure of an observable or of a spectrum, by its name.

    raises  UserError for an unknown parameter
    """
    if observable in results.results[0].spectra:
        return draw_kind(replace(KINDS["sigma"], title=observable), results)
    with styled():
        figure = new_figure(*SIZE)
        axis = figure.add_subplot()
        if np.ndim(results.results[0].averages.values[observable].value) == 0:
            _scalar(axis, results, observable, parameter)
        else:
            _correlator(axis, results, observable)
        lines = len(axis.get_legend_handles_labels()[1])
        if lines > FEW:
            figure.legend(loc="outside right upper")
        elif lines > 1:
            axis.legend()
        return finished(figure)


def write_shown(results: RunResults, observable: str, parameter: str, path: Path) -> None:
    """Write the figure of `show` as png, pdf or svg, by the name of the file."""
    figure, title = show(results, observable, parameter), f"{observable} of {results.name}"
    kind = path.suffix.lstrip(".")
    replace_file(path, lambda beside: save_figure(figure, kind, title, beside))


def shown_text(results: RunResults, observable: str, kind: str) -> str:
    """Return the numbers of the figure as text: csv, json (a list of records), or a table."""
    head, *rows = shown_rows(results, observable)
    if kind == "csv":
        return as_csv([head, *rows])
    if kind == "json":
        return json.dumps([dict(zip(head, row, strict=True)) for row in rows], indent=1) + "\n"
    hidden = set(PARAMETER_COLUMNS) - set(results.space.columns)
    kept = [i for i, name in enumerate(head) if name not in hidden]
    cells = [[_cell(row[i]) for i in kept] for row in (head, *rows)]
    return "\n".join(columns(cells)) + "\n"


def shown_rows(results: RunResults, observable: str) -> Iterator[Row]:
    """Yield head and rows: one for each point, or for each point and frequency, time or index."""
    first = results.results[0]
    if observable in first.spectra:
        yield (*PARAMETER_COLUMNS, "omega", observable, "low_68", "high_68", "resolution", "resolved")
        for cells, r in numbered(results):
            if r.spectrum is not None:
                c = Curve.of(r.spectrum)
                table = zip(c.omega, c.value, c.low, c.high, c.resolution, strict=True)
                for numbers, resolved in zip(table, c.resolved, strict=True):
                    yield (*cells, *map(float, numbers), int(resolved))
    elif np.ndim(first.averages.values[observable].value) == 0:
        yield (*PARAMETER_COLUMNS, "samples", observable, "error")
        for cells, r in numbered(results):
            e = r.averages.values[observable]
            yield (*cells, r.averages.n_samples, float(e.value), float(e.error))
    else:
        name, _ = _abscissa(observable, first.model, 1)
        yield (*PARAMETER_COLUMNS, name.split(" ")[0], observable, "error")
        for cells, r in numbered(results):
            e = r.averages.values[observable]
            _, x = _abscissa(observable, r.model, len(e.value))
            for triple in zip(x, e.value, e.error, strict=True):
                yield (*cells, *map(float, triple))


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _scalar(axis: Axes, results: RunResults, observable: str, parameter: str) -> None:
    """Draw one line for the points that differ in the parameter alone."""
    space = results.space
    try:
        parameter = space.known(parameter)
    except ValueError as error:
        raise UserError(str(error)) from None
    panels = space.panels(parameter, math=False)
    for number, (label, members) in enumerate(panels.items()):
        e = [results.results[i].averages.values[observable] for i in members]
        axis.errorbar(
            [space.rows[i][parameter] for i in members], [v.value for v in e],
            [v.error for v in e], fmt="o-", ms=3, capsize=2, label=label or None,
            color=_colour(number, len(panels)),
        )  # fmt: skip
    unit = PARAMETERS[parameter].unit if parameter in PARAMETERS else "1"
    axis.set_xlabel(_with_unit(parameter, unit))
    axis.set_ylabel(_with_unit(observable, row_of(observable).unit))


def _correlator(axis: Axes, results: RunResults, observable: str) -> None:
    """Draw all points over Matsubara frequency, imaginary time, or the index."""
    name, count = "", len(results.results)
    for i, r in enumerate(results.results):
        e = r.averages.values[observable]
        name, x = _abscissa(observable, r.model, len(e.value))
        label = results.label(r) if count > 1 else None
        axis.errorbar(x, e.value, e.error, fmt=".-", lw=0.8, label=label, color=_colour(i, count))
    axis.set_xlabel(name)
    axis.set_ylabel(_with_unit(observable, row_of(observable).unit))


def _abscissa(observable: str, model: Model, count: int) -> tuple[str, Any]:
    """Return label and values of the axis of a correlator."""
    axes = row_of(observable).axes
    if axes == ("n",):
        return "omega_n (E_J)", 2 * np.pi * np.arange(count) / model.beta
    if axes == ("slice",):
        return "tau (1/E_J)", model.eps * np.arange(count)
    return "index", np.arange(count)


def _colour(number: int, count: int) -> Any:
    """Return a colour of the cycle for a few lines, an ordered colour for many."""
    return f"C{number}" if count <= FEW else ordered_colour(number / (count - 1))


def _with_unit(name: str, unit: str) -> str:
    return name if unit == "1" else f"{name} ({unit})"
