"""One figure of one observable: a scalar against a parameter, or a correlator against its own axis."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib.figure import Figure

from runs.errors import UserError
from runs.figures import STYLE
from runs.files import replace_file
from runs.results import Run

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
        if np.ndim(run.averages[0].values[observable].mean) == 0:
            _scalar(axis, run, observable, parameter)
        else:
            _correlator(axis, run, observable)
        if len(axis.get_legend_handles_labels()[1]) > 1:
            axis.legend(frameon=False)
        replace_file(path, lambda beside: figure.savefig(beside, format="png"))


def _scalar(axis: Any, run: Run, observable: str, parameter: str) -> None:
    """One line for each set of points that differ in the parameter alone."""
    parameters = run.parameters()
    if parameter not in parameters:
        raise UserError(f"parameter {parameter!r} is not known; one of {', '.join(parameters)}")
    follows = FOLLOWS.get(parameter, ())
    others = [key for key in parameters if key != parameter and key not in follows]
    varying = [key for key in others if len(set(parameters[key])) > 1]
    families: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(run.points)):
        families.setdefault(tuple(parameters[key][i] for key in varying), []).append(i)
    for values, members in families.items():
        members.sort(key=lambda i: parameters[parameter][i])
        x = [parameters[parameter][i] for i in members]
        e = [run.averages[i].values[observable] for i in members]
        label = ", ".join(f"{key} = {value}" for key, value in zip(varying, values, strict=True))
        axis.errorbar(
            x, [float(v.mean) for v in e], [float(v.error) for v in e], fmt="o-", ms=3, capsize=2,
            label=label or None,
        )  # fmt: skip
    axis.set_xlabel(parameter)
    axis.set_ylabel(observable)


def _correlator(axis: Any, run: Run, observable: str) -> None:
    """All points over the index of the correlator: Matsubara number or time slice."""
    parameters = run.parameters()
    varying = [key for key in parameters if key not in ("Ly", "beta") and len(set(parameters[key])) > 1]
    for i, a in enumerate(run.averages):
        e = a.values[observable]
        label = ", ".join(f"{key} = {parameters[key][i]}" for key in varying)
        axis.errorbar(np.arange(len(e.mean)), e.mean, e.error, fmt=".-", lw=0.8, label=label or None)
    axis.set_xlabel("index (n, or time slice)")
    axis.set_ylabel(observable)
