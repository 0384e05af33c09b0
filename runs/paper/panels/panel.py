"""Parts that all panels share: colours, bands, marks of failed checks, and the files of a panel."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.runs.paper.studies.dataset import Reproduction
from sitqmc.runs.paper.studies.spectra import SpectrumSummary
from sitqmc.runs.results.figures.style import (
    BLUE,
    COLUMN,
    GREEN,
    GREY,
    MM,
    ORANGE,
    PAGE,
    PURPLE,
    RED,
    finished,
    new_figure,
    save_figure,
    styled,
)
from sitqmc.runs.store.atomic import replace_file, replace_text
from sitqmc.runs.store.provenance import package_version

__all__ = [
    "BLUE", "COLUMN", "GREEN", "GREY", "MM", "ORANGE", "PAGE", "PURPLE", "RED", "Panel", "Series", "finished",
    "new_figure", "styled", "write_panel",
]  # fmt: skip

Array = NDArray[np.float64]

FORMATS = ("pdf", "svg", "png")
WEIGHT = r"(meV $\Omega^{-1}$ cm$^{-1}$)"
OMEGA = r"$\omega$ ($E_J/\hbar$)"
SIGMA = r"$\sigma$ ($4e^2/h$)"


@dataclass(frozen=True)
class Series:
    """One curve of a panel as numbers: name, axes with units, values with 68 % interval."""

    name: str
    x_name: str
    y_name: str
    x: Array
    y: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Panel:
    """One figure of the paper: functions that return drawing, caption and numbers."""

    name: str
    title: str
    figure: Callable[[Reproduction], Figure]
    caption: Callable[[Reproduction], str]
    curves: Callable[[Reproduction], list[Series]]


def letter(axis: Axes, text: str) -> None:
    """Write the letter of a sub-panel above its left end."""
    axis.set_title(text, loc="left", fontweight="bold", fontsize=8)


def colour_of(rank: float) -> tuple[float, float, float, float]:
    """Return the viridis colour of a rank in [0, 1], without the light end, which is hard to see on white."""
    r, g, b, a = matplotlib.colormaps["viridis"](0.8 * rank)
    return float(r), float(g), float(b), float(a)


def band(
    axis: Axes, curve: SpectrumSummary, colour: Any, label: str, *, top: float = np.inf, above: float = 0.0
) -> None:
    """Draw a spectrum with its band, shifted by `above`: thin where not resolved, dashed and (!) if poor.

    Resolved is what has a 68 % band of at most a third of the value to each side.
    """
    inside = curve.omega <= top
    x, low, high = curve.omega[inside], above + curve.low[inside], above + curve.high[inside]
    mark = "" if curve.passes_checks or not label else " (!)"
    axis.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
    y, style = above + curve.value[inside], "-" if curve.passes_checks else "--"
    axis.plot(x, y, color=colour, ls=style, lw=0.5)
    sure = resolved_part(curve)[inside]
    axis.plot(x, np.where(sure, y, np.nan), color=colour, ls=style, lw=1.3, label=label + mark)


def resolved_part(curve: SpectrumSummary) -> NDArray[np.bool_]:
    """Return where a spectrum is resolved, see `band`."""
    return np.asarray((curve.high - curve.low) / 2 <= np.abs(curve.value) / 3)


def with_bars(
    axis: Axes, x: Sequence[float], numbers: Sequence[Estimate], resolved: Sequence[bool], *,
    colour: str, marker: str, label: str,
) -> None:  # fmt: skip
    """Draw values with intervals; open and pale where they are not resolved."""
    for open_, alpha in ((False, 1.0), (True, 0.45)):
        rows = [i for i, ok in enumerate(resolved) if ok is not open_ and np.isfinite(numbers[i].value)]
        if not rows:
            continue
        y = np.array([numbers[i].value for i in rows])
        ends = np.array([[numbers[i].low, numbers[i].high] for i in rows])
        bars = np.abs(np.nan_to_num(ends - y[:, None])).T
        if open_:  # endless bars of what is not resolved would hide the rest
            bars = np.where(bars > 3 * np.abs(y), 0.0, bars)
        face = "white" if open_ else colour
        axis.errorbar(
            np.array(x)[rows], y, bars, fmt=marker, ms=4, mfc=face, mec=colour, ecolor=colour, color=colour,
            lw=0.7, capsize=1.5, alpha=alpha, label=f"{label}, not resolved" if open_ else label,
        )  # fmt: skip


def curve_series(name: str, x_name: str, y_name: str, curve: SpectrumSummary) -> Series:
    """Return a spectrum as numbers."""
    return Series(name, x_name, y_name, curve.omega, curve.value, curve.low, curve.high)


def number_series(
    name: str, x_name: str, y_name: str, x: Iterable[float], numbers: Iterable[Estimate]
) -> Series:
    """Return values with intervals against a parameter."""
    rows = np.array([[n.value, n.low, n.high] for n in numbers], float).reshape(-1, 3)
    return Series(name, x_name, y_name, np.array(list(x), float), rows[:, 0], rows[:, 1], rows[:, 2])


def with_interval(e: Estimate, form: str = ".2f") -> str:
    """Return a value with its 68 % interval as text."""
    return f"{e.value:{form}} [{e.low:{form}}, {e.high:{form}}]"


def value_series(
    name: str, x_name: str, y_name: str, x: Iterable[float], y: Iterable[float], error: Iterable[float]
) -> Series:
    """Return values with symmetric errors."""
    values, errors = np.array(list(y), float), np.array(list(error), float)
    return Series(name, x_name, y_name, np.array(list(x), float), values, values - errors, values + errors)


def write_panel(folder: Path, panel: Panel, data: Reproduction) -> list[Path]:
    """Write NAME.pdf, .svg, .png, NAME.txt (caption) and NAME.csv (numbers); return their paths."""
    figure = panel.figure(data)
    made = []
    for kind in FORMATS:
        path = folder / f"{panel.name}.{kind}"
        replace_file(path, partial(save_figure, figure, kind, panel.title), durable=False)
        made.append(path)
    made_by = f"Made by: {data.command}\n(sitqmc {package_version()})"
    origin = "\n".join(f"Data, {line}" for line in origin_lines(data))
    text = "\n\n".join([panel.title, panel.caption(data), made_by, origin]).rstrip() + "\n"
    replace_text(folder / f"{panel.name}.txt", text, durable=False)
    replace_text(folder / f"{panel.name}.csv", as_csv(panel.curves(data)), durable=False)
    return [*made, folder / f"{panel.name}.txt", folder / f"{panel.name}.csv"]


def origin_lines(data: Reproduction) -> list[str]:
    """Return the provenance of the simulated data, one line for each study."""
    lines = []
    for name, study in data.studies.items():
        parts = {k: v for k, v in study.origin.items() if k != "command" and _plain(v) != "none"}
        sizes = ", ".join(map(str, study.sizes))
        lines.append(f"{name}: L = {sizes}; " + "; ".join(f"{k} {_plain(v)}" for k, v in parts.items()))
    return lines


def _plain(value: Any) -> str:
    """Return a value as text without quotes, brackets and repetitions."""
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(map(_plain, value)))
    if isinstance(value, dict):
        return ", ".join(f"{k} = {v}" for k, v in value.items())
    return str(value)


def as_csv(series: Sequence[Series]) -> str:
    """Return CSV text, one row for each point of each curve; low and high are the 68 % interval."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["curve", "x_name", "x", "y_name", "y", "low", "high"])
    for s in series:
        for x, y, low, high in zip(s.x, s.y, s.low, s.high, strict=True):
            rows.writerow([s.name, s.x_name, f"{x:.6g}", s.y_name, f"{y:.6g}", f"{low:.6g}", f"{high:.6g}"])
    return out.getvalue()
