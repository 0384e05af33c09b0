"""Figures of a run, fit for a paper: one or two columns wide, small type, fonts embedded.

Colours follow the parameter that is scanned, so that one legend below serves all panels.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sitqmc.continuation.methods import CROSS_CHECK
from sitqmc.qmc.model.parameters import symbol
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures import chains, curves, numbers, panels
from sitqmc.runs.results.figures.panels import Panel
from sitqmc.runs.results.figures.style import (
    COLUMN,
    MM,
    PAGE,
    PANEL,
    NotebookFigure,
    finished,
    new_figure,
    save_figure,
    styled,
)
from sitqmc.runs.results.point import RunPoint, main_peak
from sitqmc.runs.results.tables import Row, as_csv
from sitqmc.runs.store.atomic import replace_file, replace_text

LEGEND_MM, LETTER_MM = 6.5, 1.15                 # width of a legend entry and of each of its letters
MOST_PANELS = 12                                 # panels of a figure with one for each point
RESIDUALS = 0.35                                 # height of residuals over that of their panel

Draw = Callable[[Panel], None]


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure.

    draw       draws a panel
    title      heading in the report
    caption    text below the figure
    table      csv file with the numbers of the figure
    numbers    yields head and rows of this file; None: it is a table of the run
    scan       needs several values of the scanned parameter, and has no legend of its values
    each       one panel for every point, on a shared frequency axis
    residuals  has axes for residuals under each panel
    n          Matsubara numbers, one panel for each; empty: panels are sets of points
    waves      needs responses at finite wave vectors
    response   needs this response of a scan
    legend     what the legend below the panels explains: the colours, the parts of a spectrum, or nothing
    """

    draw: Draw
    title: str
    caption: str
    table: str
    numbers: Callable[[RunResults], Iterator[Row]] | None = None
    scan: bool = False
    each: bool = False
    residuals: bool = False
    n: tuple[int, ...] = ()
    waves: bool = False
    response: str = ""
    legend: Literal["colours", "spectra", "none"] = "colours"


def figure_kinds(results: RunResults) -> dict[str, FigureKind]:
    """Return the figures that these results allow, by name."""
    scanned = any(len(members) > 1 for members in results.space.panels().values())
    fitted = any(one.fit is not None for r in results.results for one in r.averages.improved.values())
    joint = {name for r in results.results for name in r.joint}
    return {
        name: d for name, d in KINDS.items()
        if results.results and (scanned or not d.scan) and (fitted or not d.waves)
        and (not d.response or d.response in joint)
    }  # fmt: skip


def draw_all(results: RunResults) -> dict[str, NotebookFigure]:
    """Return all figures that these results allow, by name."""
    return {name: draw(name, results) for name in figure_kinds(results)}


def write_figures(
    folder: Path, results: RunResults, drawn: Mapping[str, Figure], formats: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write every figure in every format as NAME.FORMAT, and its numbers as NAME.csv if no table has them.

    drawn   the figures of `draw_all`
    raises  UserError for an unknown format
    """
    made = []
    for name, chosen in figure_kinds(results).items():
        if chosen.numbers is not None:
            replace_text(folder / chosen.table, as_csv(chosen.numbers(results)))
            made.append(folder / chosen.table)
        for kind in formats:
            path = folder / f"{name}.{kind}"
            replace_file(path, partial(save_figure, drawn[name], kind, name))
            made.append(path)
    return made


def draw(name: str, results: RunResults) -> NotebookFigure:
    """Return a figure of `figure_kinds(results)`: one panel for the points that differ in one parameter.

    The figure "sigma" has one panel for each point.
    """
    return draw_kind(KINDS[name], results)


def draw_kind(kind: FigureKind, results: RunResults) -> NotebookFigure:
    """Return a figure of any kind, listed in `KINDS` or not."""
    members = members_of_panels(kind, results)
    with styled():
        figure = NotebookFigure() if not members else _panels(kind, members, results)
        if kind.legend == "colours":
            _colours(figure, results)
        elif kind.legend == "spectra":
            _parts(figure, results)
        return finished(figure)


def members_of_panels(kind: FigureKind, results: RunResults) -> dict[str, list[RunPoint]]:
    """Return title -> points of every panel; of many points with one panel each, `MOST_PANELS` of them."""
    found = {label: [results.results[i] for i in members]
             for label, members in results.space.panels().items()}  # fmt: skip
    if kind.n:
        return {f"$n = {n}$": list(results.results) for n in kind.n}
    if not kind.each:
        return found
    ordered = [r for members in found.values() for r in members]
    kept = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), MOST_PANELS)).round().astype(int))
    return {results.space.label(ordered[i].model, math=True): [ordered[i]] for i in kept}


def _panels(kind: FigureKind, members: dict[str, list[RunPoint]], results: RunResults) -> NotebookFigure:
    """Return the figure with all panels drawn."""
    count = len(members)
    columns = min(count, 2 if count <= 4 else 3) if not kind.each or count > 3 else 1
    rows = math.ceil(count / columns)
    height = PANEL * (0.75 if kind.each and count > 1 else 1.0) * (1 + RESIDUALS * kind.residuals)
    figure = new_figure(COLUMN if columns == 1 else PAGE, height * rows + 9 * MM)
    places = _axes(figure, rows, columns, kind)
    numbers = kind.n or (0,) * count
    for (label, points), n, (axis, below) in zip(members.items(), numbers, places, strict=False):
        axis.set_title(label)
        axis.tick_params(labelbottom=not kind.residuals)     # also above a place that is left over
        kind.draw(Panel(axis, points, results, below, n))
    for axis, below in places:                   # what is left over
        for unused in (axis, below):
            if unused is not None and not unused.has_data() and not unused.texts:
                unused.set_visible(False)
    return figure


def _axes(figure: Figure, rows: int, columns: int, kind: FigureKind) -> list[tuple[Axes, Axes | None]]:
    """Return the axes of all panels, row by row, each with the axes of its residuals below."""
    if not kind.residuals:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=kind.each and kind.legend == "spectra")
        return [(axis, None) for axis in grid.flat]
    grid = figure.subplots(2 * rows, columns, squeeze=False, sharex=True, height_ratios=[1, RESIDUALS] * rows)
    return [(grid[2 * row, column], grid[2 * row + 1, column]) for row, column in np.ndindex(rows, columns)]


def _colours(figure: Figure, results: RunResults) -> None:
    """Draw the legend of the scanned parameter below all panels; (!) marks a value with a warning."""
    space, entries = results.space, dict[str, Any]()
    for value in space.values(space.colour):
        mine = [r for r in results.results if space.row(r.model)[space.colour] == value]
        mark = " (!)" if any(r.warnings for r in mine) else ""
        label = f"{symbol(space.colour)} = {space.text(space.colour, value)}{mark}"
        entries[label] = Line2D([], [], color=panels.colour_of(results, mine[0]))
    _legend(figure, list(entries.values()), list(entries))


def _parts(figure: Figure, results: RunResults) -> None:
    """Draw the legend of the parts of a spectrum below all panels."""
    checked = any(r.cross_check not in (None, r.spectrum) for r in results.results)
    _legend(figure, *curves.key(CROSS_CHECK if checked else "", any(map(main_peak, results.results))))


def _legend(figure: Figure, handles: list[Any], labels: list[str]) -> None:
    """Draw a legend below all panels, in as few rows as fit."""
    letters = max(len(label.replace("$", "")) for label in labels)
    fit = max(1, int(figure.get_figwidth() / MM / (LEGEND_MM + LETTER_MM * letters)))
    rows = math.ceil(len(labels) / fit)
    figure.legend(
        handles, labels, loc="outside lower center", ncols=math.ceil(len(labels) / rows), handlelength=1.2,
        columnspacing=1.0,
    )  # fmt: skip


def caption(kind: FigureKind, results: RunResults) -> str:
    """Return the caption of a figure of these results."""
    shown = sum(map(len, members_of_panels(kind, results).values()))
    if kind.n:
        return kind.caption
    if shown == len(results.results):
        return kind.caption
    return f"{kind.caption} {shown} of {len(results.results)} points are shown; {kind.table} has all."


KINDS = {
    "sigma": FigureKind(
        panels.draw_spectrum, "Conductivity",
        "Regular part of the conductivity in units of 4e²/h, with its 68 % band. Colour: the averaging "
        "kernel of the data is no wider than the peak, and ω ≥ T. Thin grey line: the data do not resolve "
        "such a structure there, and the shape of the curve is that of the prior. Bar: width of the "
        "averaging kernel at the peak; a narrower peak would look the same. Dotted: cross-check by another "
        "method; where it leaves the band, the shape depends on the method. Three or more points of a scan "
        "are continued together; a thin coloured line is then the point alone.",
        table="sigma.csv", each=True, legend="spectra",
    ),
    "higgs": FigureKind(
        partial(panels.draw_response, "chi_s"), "Scalar spectrum",
        "Imaginary part of the scalar response, all points of the scan continued together, with its 68 % "
        "band. Thin: every point alone.",
        table="higgs.csv", numbers=partial(numbers.response_rows, "chi_s"), response="chi_s",
    ),
    "pair": FigureKind(
        partial(panels.draw_response, "P"), "Pair spectrum",
        "Spectral function of the pair Green function at k = 0, all points of the scan continued together, "
        "with its 68 % band. Thin: every point alone.",
        table="pair.csv", numbers=partial(numbers.response_rows, "P"), response="P",
    ),
    "scan": FigureKind(
        panels.draw_scan, "Stiffness, compressibility, kinetic energy",
        "Superfluid stiffness, compressibility and ⟨−kₓ⟩, averaged over disorder samples, with one "
        "standard error. The lines guide the eye. If the run has several sizes whose ⟨Wₓ²⟩ cross, a vertical "
        "line marks the crossing of the two largest, with its error; a run of one size has no such estimate "
        "of the critical point.", table="averages.csv", scan=True, legend="none",
    ),
    "rho": FigureKind(
        panels.draw_rho, "Current response",
        "ρ(iωₙ) = ⟨−kₓ⟩ − Λₓₓ(iωₙ) with one standard error over disorder samples. Line: "
        "transform of the continued conductivity. Dotted: the limit ⟨−kₓ⟩. Below: data minus line, in "
        "standard errors. Neighbouring points are correlated; χ² in the table of spectra accounts for that.",
        table="rho.csv", residuals=True,
    ),
    "chi_s": FigureKind(
        panels.draw_scalar, "Scalar response",
        "Connected response of the bond energy, the scalar (Higgs) channel, measured in the same samples. "
        "The lines guide the eye.", table="chi_s.csv", numbers=numbers.scalar_rows,
    ),
    "waves": FigureKind(
        panels.draw_waves, "Current response by wave vector",
        "Transverse current response at wave vectors q over its limit ρ(iωₙ) of the fits, at four Matsubara "
        "frequencies, mean over disorder samples with one standard error. Line: the fit of largest weight. "
        "Below: data minus line in standard errors; disorder noise is common to all q, so that residuals are "
        "correlated.", table="waves.csv", numbers=numbers.wave_rows,
        residuals=True, n=(1, 2, 5, 13), waves=True,
    ),
    "dispersion": FigureKind(
        panels.draw_dispersion, "Frequency of the scalar response by wave vector",
        "Frequency ω_s(q) of the single mode whose response A ω_s²/(ωₙ² + ω_s²) + B is nearest to "
        "χ_s(q, iωₙ), with the error of this fit. It is a scale of the spectrum, not the position of a peak. "
        "Dashed: sound of velocity c = √(ρ_s/κ).", table="dispersion.csv", numbers=numbers.dispersion_rows,
        waves=True,
    ),
    "alpha": FigureKind(
        panels.draw_alpha, "Choice of the weight of the entropy",
        "χ² per datum of the maximum-entropy fit against the weight α of the entropy, and the chosen α. If a "
        "curve stays far from 1 everywhere, kernel, covariance and data are not consistent.",
        table="alpha.csv", numbers=numbers.alpha_rows,
    ),
    "samples": FigureKind(
        chains.draw_samples, "Disorder samples",
        "Superfluid stiffness of single disorder samples. The width holds the disorder and the Monte Carlo "
        "noise of single chains; the standard error of the mean is smaller by the root of the number of "
        "samples.", table="samples.csv", numbers=numbers.sample_rows,
    ),
    "map": FigureKind(
        chains.draw_map, "One sample",
        "Local compressibility of the first disorder sample of each point. Red: missing bonds. White: "
        "couplings where they differ, thicker where larger. Drawn samples of the same number are nested: a "
        "larger p removes further bonds.", table="map.csv",
        numbers=numbers.map_rows, each=True, legend="none",
    ),
    "thermalisation": FigureKind(
        chains.draw_thermalisation, "Thermalisation",
        "Superfluid stiffness in each bin minus the mean of its chain, averaged over all samples, with one "
        "standard error. A trend in the first bins means that the thermalisation (grey) is too short.",
        table="thermalisation.csv", numbers=numbers.thermalisation_rows,
    ),
    "autocorrelation": FigureKind(
        chains.draw_autocorrelation, "Autocorrelation",
        "Normalised autocorrelation of the bins of the superfluid stiffness within a chain, averaged over "
        "all samples. Bins are independent where it is zero; the lines guide the eye.",
        table="autocorrelation.csv", numbers=numbers.autocorrelation_rows,
    ),
}  # fmt: skip
"""Kinds of figures by name of the file, in the order of the report."""
