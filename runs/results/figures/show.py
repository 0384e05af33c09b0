"""One figure of one observable: a scalar against a parameter, or a correlator against its own axis."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from sitqmc.qmc import PARAMETERS, Model
from sitqmc.qmc.observables import row_of
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.style import MM, finished, new_figure, ordered_colour, save_figure, styled
from sitqmc.runs.store.atomic import replace_file

FEW = 5                      # more lines than this have their legend outside the axes
SIZE = 140 * MM, 97 * MM


def show(results: RunResults, observable: str, parameter: str, path: Path) -> None:
    """Draw an observable and write it as PNG; UserError for an unknown observable or parameter."""
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
        finished(figure)
    title = f"{observable} of {results.name}"
    replace_file(path, lambda beside: save_figure(figure, "png", title, beside))


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
