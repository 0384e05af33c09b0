"""One figure of one observable: a scalar against a parameter, or a correlator against its own axis."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib.figure import Figure

from sitqmc.qmc import Model
from sitqmc.qmc.observables import row_of
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.export import PARAMETER_UNITS
from sitqmc.runs.results.figures.run import STYLE
from sitqmc.runs.results.run import Run
from sitqmc.runs.store.atomic import replace_file

FEW = 5                      # lines whose names fit into the axes
FOLLOWS = {"Lx": ("Ly",), "L_tau": ("beta",), "beta": ("L_tau",), "eps": ("beta", "L_tau")}
"""Parameters that change with another one: they do not make a line of their own."""


def show(run: Run, observable: str, parameter: str, path: Path) -> None:
    """Write a PNG; UserError for unknown names."""
    known = list(run.averages[0].values) if run.points else []
    if observable not in known:
        raise UserError(f"observable {observable!r} is not in this run; known: {', '.join(known)}")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.5, 3.8), layout="constrained")
        axis = figure.add_subplot()
        if np.ndim(run.averages[0].values[observable].value) == 0:
            _scalar(axis, run, observable, parameter)
        else:
            _correlator(axis, run, observable)
        lines = len(axis.get_legend_handles_labels()[1])
        if lines > FEW:
            figure.legend(frameon=False, loc="outside right upper", fontsize="small")
        elif lines > 1:
            axis.legend(frameon=False)
        replace_file(path, lambda beside: figure.savefig(beside, format="png"))


def _scalar(axis: Any, run: Run, observable: str, parameter: str) -> None:
    """One line for each set of points that differ in the parameter alone."""
    parameters = run.parameters()
    if parameter not in parameters:
        raise UserError(f"parameter {parameter!r} is not known; one of {', '.join(parameters)}")
    follows = FOLLOWS.get(parameter, ())
    fixed = [key for key in ("L_tau", "beta") if _follows(parameters, key, parameter)]
    varying = _telling(parameters, (parameter, *follows, *fixed))
    families: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(run.points)):
        families.setdefault(tuple(parameters[key][i] for key in varying), []).append(i)
    for number, (values, members) in enumerate(families.items()):
        members.sort(key=lambda i: parameters[parameter][i])
        x = [parameters[parameter][i] for i in members]
        e = [run.averages[i].values[observable] for i in members]
        label = ", ".join(_told(parameters, key, value) for key, value in zip(varying, values, strict=True))
        axis.errorbar(
            x, [v.value for v in e], [v.error for v in e], fmt="o-", ms=3, capsize=2,
            label=label or None, color=_colour(number, len(families)),
        )  # fmt: skip
    axis.set_xlabel(_with_unit(parameter, PARAMETER_UNITS.get(parameter, "1")))
    axis.set_ylabel(_with_unit(observable, row_of(observable).unit))


def _correlator(axis: Any, run: Run, observable: str) -> None:
    """All points over Matsubara frequency, imaginary time, or the bare index."""
    parameters = run.parameters()
    varying = _telling(parameters, ())
    name = ""
    for i, a in enumerate(run.averages):
        e, model = a.values[observable], a.model
        name, x = _abscissa(observable, model, len(e.value))
        label = ", ".join(_told(parameters, key, parameters[key][i]) for key in varying)
        axis.errorbar(
            x, e.value, e.error, fmt=".-", lw=0.8, label=label or None, color=_colour(i, len(run.averages))
        )
    axis.set_xlabel(name)
    axis.set_ylabel(_with_unit(observable, row_of(observable).unit))


def _abscissa(observable: str, model: Model, count: int) -> tuple[str, Any]:
    """What a correlator is drawn over."""
    axes = row_of(observable).axes
    if axes == ("n",):
        return "omega_n (E_J)", 2 * np.pi * np.arange(count) / model.beta
    if axes == ("slice",):
        return "tau (1/E_J)", model.eps * np.arange(count)
    return "index", np.arange(count)


def _telling(parameters: dict[str, list[Any]], without: tuple[str, ...]) -> list[str]:
    """Parameters that tell points apart, none of which says what another says already."""
    varying = [key for key in parameters if key not in without and len(set(parameters[key])) > 1]
    if parameters["Lx"] == parameters["Ly"] and "Ly" in varying:
        varying.remove("Ly")
    if "beta" in varying and "L_tau" in varying:
        varying.remove("beta")
    return varying


def _follows(parameters: dict[str, list[Any]], key: str, leader: str) -> bool:
    """Whether a parameter has one value for each of another, as L_tau = f(L) has."""
    pairs = set(zip(parameters[leader], parameters[key], strict=True))
    return len(pairs) == len(set(parameters[leader]))


def _told(parameters: dict[str, list[Any]], key: str, value: Any) -> str:
    name = "L" if key == "Lx" and parameters["Lx"] == parameters["Ly"] else key
    return f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"


def _colour(number: int, count: int) -> Any:
    """Of the cycle for a few lines, in order of a map for many."""
    return f"C{number}" if count <= FEW else matplotlib.colormaps["viridis"](0.92 * number / (count - 1))


def _with_unit(name: str, unit: str) -> str:
    return name if unit == "1" else f"{name} ({unit})"
