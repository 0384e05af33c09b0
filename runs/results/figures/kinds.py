"""Figures of a run, fit for a paper: one or two columns wide, small type, fonts embedded.

Colours follow the parameter that is scanned, so that one legend below serves all panels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sitqmc.continuation.methods import CROSS_CHECK
from sitqmc.qmc import ParameterSpace
from sitqmc.qmc.model.parameters import symbol
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.style import (
    BLUE,
    COLUMN,
    GREY,
    MM,
    PAGE,
    PANEL,
    RED,
    NotebookFigure,
    finished,
    new_figure,
    ordered_colour,
    save_figure,
    styled,
)
from sitqmc.runs.results.point import RunPoint, main_peak, rho_of_spectrum
from sitqmc.runs.store.atomic import replace_file

NEGLIGIBLE = 0.03            # the frequency axis ends where all sigma stay below this share of the largest
LEGEND_MM, LETTER_MM = 6.5, 1.15                 # width of a legend entry and of each of its letters
MANY = 6                     # with more curves than this, no curve has marks of its own

Draw = Callable[[Axes, list[RunPoint], ParameterSpace], None]


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure: how a panel is drawn, its title, and its caption."""

    draw: Draw
    title: str
    caption: str
    scan: bool = False                           # needs several values of the scanned parameter


def figure_kinds(results: RunResults) -> dict[str, FigureKind]:
    """Return the figures that these results allow, by name."""
    scanned = any(len(members) > 1 for members in results.space.panels().values())
    return {name: d for name, d in KINDS.items() if results.results and (scanned or not d.scan)}


def write_figures(folder: Path, results: RunResults, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write every figure in every format as NAME.FORMAT; UserError for an unknown format."""
    made = []
    for name in figure_kinds(results):
        figure = draw(name, results)
        for kind in formats:
            path = folder / f"{name}.{kind}"
            replace_file(path, partial(save_figure, figure, kind, name))
            made.append(path)
    return made


def draw(name: str, results: RunResults) -> NotebookFigure:
    """Return a figure of `figure_kinds(results)`: one panel for the points that differ in one parameter."""
    space, kind = results.space, KINDS[name]
    panels = space.panels()
    count = len(panels)
    columns = min(count, 2 if count <= 4 else 3)
    rows = math.ceil(count / columns)
    with styled():
        figure = new_figure(COLUMN if columns == 1 else PAGE, PANEL * rows + 7 * MM)
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis in axes.flat[count:]:
            axis.set_visible(False)
        for axis, (label, members) in zip(axes.flat, panels.items(), strict=False):
            axis.set_title(label)
            kind.draw(axis, [results.results[i] for i in members], space)
        if not kind.scan:
            _legend(figure, results)
        return finished(figure)


def _colour(space: ParameterSpace, r: RunPoint) -> tuple[float, float, float, float]:
    return ordered_colour(space.rank(r.model))


def _legend(figure: Figure, results: RunResults) -> None:
    """Draw one entry for each value of the scanned parameter, below all panels; (!) where a check warned."""
    space, entries = results.space, dict[str, Any]()
    for value in space.values(space.colour):
        mine = [r for r in results.results if space.row(r.model)[space.colour] == value]
        mark = " (!)" if any(r.warnings for r in mine) else ""
        label = f"{symbol(space.colour)} = {space.text(space.colour, value)}{mark}"
        entries[label] = Line2D([], [], color=_colour(space, mine[0]))
    letters = max(len(label.replace("$", "")) for label in entries)
    fit = max(1, int(figure.get_figwidth() / MM / (LEGEND_MM + LETTER_MM * letters)))
    rows = math.ceil(len(entries) / fit)
    figure.legend(
        list(entries.values()), list(entries), loc="outside lower center",
        ncols=math.ceil(len(entries) / rows), handlelength=1.2, columnspacing=1.0,
    )  # fmt: skip


def _note(axis: Axes, text: str, place: Any) -> None:
    """Write a remark where the curves leave room."""
    axis.legend([Line2D([], [], alpha=0)], [text], loc=place, handlelength=0, handletextpad=0)


def _draw_rho(axis: Axes, members: list[RunPoint], space: ParameterSpace) -> None:
    """Draw rho(i w_n) with errors; the line is the transform of the continued sigma."""
    for r in members:
        (n, e), colour = r.averages.response("rho"), _colour(space, r)
        omega = 2 * np.pi * n / r.model.beta
        axis.errorbar(omega, e.value, e.error, fmt="o", ms=1.8, lw=0.7, color=colour)
        axis.axhline(float(r.averages.values["minus_k"].value), color=colour, lw=0.6, ls=":")
        fit = rho_of_spectrum(r)
        if fit is not None:
            axis.plot(2 * np.pi * np.arange(len(fit)) / r.model.beta, fit, color=colour, lw=0.7)
    axis.set_xlabel(r"$\omega_n / E_J$")
    axis.set_ylabel(r"$\rho(i\omega_n) / E_J$")
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=-0.02 * axis.get_xlim()[1])
    _note(axis, "line: from $\\sigma(\\omega)$; dotted: $\\langle -k_x \\rangle$", "lower right")


def _draw_sigma(axis: Axes, members: list[RunPoint], space: ParameterSpace) -> None:
    """Draw sigma(omega) with its 68 % band; dotted: the cross-check; bars: resolution."""
    shown = [r for r in members if r.spectrum is not None]
    floor = NEGLIGIBLE * max((float(r.spectrum.sigma.max()) for r in shown if r.spectrum), default=0.0)
    end, alpha = 0.0, 0.18 if len(shown) <= MANY else 0.08
    for r in shown:
        assert r.spectrum is not None
        s, colour = r.spectrum, _colour(space, r)
        low, high = s.sigma_band()
        axis.plot(s.omega, s.sigma, color=colour)
        axis.fill_between(s.omega, low, high, color=colour, alpha=alpha, lw=0)
        if r.cross_check is not None and r.cross_check is not s:
            axis.plot(r.cross_check.omega, r.cross_check.sigma, color=colour, lw=0.7, ls=":")
        above = np.flatnonzero(high > floor)
        end = max(end, float(s.omega[above[-1]]) if above.size else 0.0)
        if len(shown) <= MANY:
            _resolution_bar(axis, r, colour)
    temperature = 1 / members[0].model.beta
    axis.axvspan(0, temperature, color="0.9", lw=0, zorder=0)
    if end:
        axis.set_xlim(0, end)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(r"$\omega / E_J$")
    axis.set_ylabel(r"$\sigma_1(\omega)\;/\;(4e^2/h)$, regular part")
    said = ["grey: $\\omega < T$, not resolved"]
    if any(r.cross_check is not r.spectrum for r in shown):
        said.append(f"dotted: cross-check by {CROSS_CHECK}")
    if len(shown) <= MANY and any(main_peak(r) for r in shown):
        said.append("bar: resolution at the peak")
    _note(axis, "\n".join(said), "upper right")


def _resolution_bar(axis: Axes, r: RunPoint, colour: Any) -> None:
    """Draw the width of the averaging kernel at the main peak: the data resolve nothing narrower."""
    s, peak = r.spectrum, main_peak(r)
    if s is None or peak is None:
        return
    where, height = peak.position.value, 2 * math.pi * peak.height.value
    half = float(np.interp(where, s.omega, s.resolution)) / 2
    axis.errorbar(where, height, xerr=half, color=colour, lw=0.7, capsize=1.5, capthick=0.7)


def _draw_scalar(axis: Axes, members: list[RunPoint], space: ParameterSpace) -> None:
    """Draw chi_s(i w_n), connected within each sample."""
    for r in members:
        n, e = r.averages.response("chi_s")
        omega = 2 * np.pi * n / r.model.beta
        axis.errorbar(omega, e.value, e.error, fmt="o-", ms=1.8, lw=0.7, color=_colour(space, r))
    axis.set_xlabel(r"$\omega_n / E_J$")
    axis.set_ylabel(r"$\chi_s(i\omega_n)\, E_J$")
    axis.set_xlim(left=-0.02 * axis.get_xlim()[1])


def _draw_scan(axis: Axes, members: list[RunPoint], space: ParameterSpace) -> None:
    """Draw rho_s, kappa and <-k_x> against the scanned parameter, each with its colour, mark and line."""
    x = [space.row(r.model)[space.colour] for r in members]
    kinds = (("rho_s", r"$\rho_s / E_J$", BLUE, "o-"), ("kappa", r"$\kappa E_J$", RED, "s--"),
             ("minus_k", r"$\langle -k_x \rangle / E_J$", GREY, "^:"))  # fmt: skip
    for name, label, colour, mark in kinds:
        e = [r.averages.values[name] for r in members]
        mean, error = [v.value for v in e], [v.error for v in e]
        axis.errorbar(x, mean, error, fmt=mark, color=colour, ms=3, lw=0.9, capsize=1.5, label=label)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(symbol(space.colour))
    axis.legend()


def _draw_alpha(axis: Axes, members: list[RunPoint], space: ParameterSpace) -> None:
    """Draw chi^2/N of maximum entropy against alpha, and the chosen alpha."""
    for r in members:
        if r.cross_check is None:
            continue
        scan, colour = r.cross_check.scan, _colour(space, r)
        chi2 = scan.chi2 / r.cross_check.n_data
        axis.loglog(scan.alpha, chi2, color=colour)
        axis.loglog(scan.alpha[scan.chosen], chi2[scan.chosen], "o", ms=3.5, color=colour)
    axis.axhline(1.0, color="0.6", lw=0.6, ls="--")
    axis.set_xlabel(r"$\alpha$ (dot: chosen)")
    axis.set_ylabel(r"$\chi^2 / N$")


KINDS = {
    "sigma": FigureKind(
        _draw_sigma, "Conductivity",
        "Regular part of the conductivity in units of 4e²/h, with its 68 % band. The data "
        "resolve nothing below ω = T (grey), and no structure narrower than the bar at the peak. Dotted: "
        "maximum entropy as a cross-check; where it leaves the band, the shape depends on the method.",
    ),
    "scan": FigureKind(
        _draw_scan, "Stiffness, compressibility, kinetic energy",
        "Superfluid stiffness, compressibility and ⟨−kₓ⟩, averaged over disorder samples, with one "
        "standard error.", scan=True,
    ),
    "rho": FigureKind(
        _draw_rho, "Current response",
        "ρ(iωₙ) = ⟨−kₓ⟩ − Λₓₓ(iωₙ) with one standard error over disorder samples. Line: "
        "transform of the continued conductivity. Dotted: the limit ⟨−kₓ⟩.",
    ),
    "chi_s": FigureKind(
        _draw_scalar, "Scalar response",
        "Connected response of the bond energy, the scalar (Higgs) channel, measured in the same samples. "
        "Lines guide the eye.",
    ),
    "alpha": FigureKind(
        _draw_alpha, "Choice of the weight of the entropy",
        "χ² per datum of the maximum-entropy fit against the weight α of the entropy, and the chosen α. If a "
        "curve stays far from 1 everywhere, kernel, covariance and data are not consistent.",
    ),
}  # fmt: skip
"""Kinds of figures by name of the file, in the order of the report."""
