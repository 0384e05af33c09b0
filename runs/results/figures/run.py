"""Figures of a run, fit for a paper: one or two columns wide, small type, fonts embedded.

Colours run with the scanned parameter (viridis: ordered, safe for colour-blind readers, fine in grey), so
that one legend below serves all panels. The figures do without pyplot: nothing to close.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sitqmc.runs.errors import UserError
from sitqmc.runs.results.families import Families, families, symbol
from sitqmc.runs.results.figures.style import ShownFigure
from sitqmc.runs.results.point import PointResult
from sitqmc.runs.store.atomic import replace_file
from sitqmc.runs.store.provenance import package_version

MM = 1 / 25.4
COLUMN, PAGE = 89 * MM, 183 * MM                 # widths of one and of two columns of a journal, inch
PANEL = 62 * MM                                  # height of a panel, inch
FORMATS = ("png", "pdf", "svg")
STYLE: Any = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"],     # comes with matplotlib: everywhere
    "font.size": 7, "axes.labelsize": 7, "axes.titlesize": 7, "legend.fontsize": 6.5, "legend.frameon": False,
    "xtick.labelsize": 6.5, "ytick.labelsize": 6.5, "axes.linewidth": 0.6, "lines.linewidth": 1.1,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "figure.dpi": 150, "savefig.dpi": 300,
    "pdf.fonttype": 42, "ps.fonttype": 42,       # TrueType: text stays text, editors can change it
    "svg.fonttype": "path", "svg.hashsalt": "sitqmc",                    # looks the same everywhere
}  # fmt: skip
NEGLIGIBLE = 0.03            # the frequency axis ends where all sigma stay below this share of the largest
LEGEND_MM, LETTER_MM = 6.5, 1.15                 # room for an entry of the legend and each of its letters
MANY = 6                     # more curves than this carry no marks of their own

Draw = Callable[[Axes, list[PointResult], "Palette"], None]


@dataclass(frozen=True)
class Drawing:
    """One kind of figure: how a panel is drawn, and words for those who read or cannot see it."""

    draw: Draw
    title: str
    caption: str
    scan: bool = False                           # needs several values of the scanned parameter


@dataclass(frozen=True)
class Palette:
    """Colours of the points of a run."""

    groups: Families

    def colour(self, r: PointResult) -> tuple[float, float, float, float]:
        """By rank of the scanned parameter."""
        position = self.groups.rank(float(getattr(r.model, self.groups.key)))
        rgba = matplotlib.colormaps["viridis"](0.92 * position)
        return float(rgba[0]), float(rgba[1]), float(rgba[2]), float(rgba[3])


def drawings(results: Sequence[PointResult]) -> dict[str, Drawing]:
    """The figures that these results allow, by name."""
    groups = families([r.model for r in results])
    scanned = any(len(members) > 1 for members in groups.members.values())
    return {name: d for name, d in DRAWINGS.items() if results and (scanned or not d.scan)}


def write_figures(
    folder: Path, results: Sequence[PointResult], formats: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Every figure in every format, NAME.FORMAT in the folder; UserError for an unknown format."""
    made = []
    for name in drawings(results):
        figure = draw(name, results)
        for kind in formats:
            path = folder / f"{name}.{kind}"
            replace_file(path, partial(_save, figure, kind, name))
            made.append(path)
    return made


def image(figure: Figure, kind: str, name: str) -> bytes:
    """A figure as the bytes of a file."""
    out = io.BytesIO()
    _save(figure, kind, name, out)
    return out.getvalue()


def draw(name: str, results: Sequence[PointResult]) -> Figure:
    """A figure of `drawings(results)`; one panel for each set of points that differ in one parameter."""
    groups, drawing = families([r.model for r in results]), DRAWINGS[name]
    palette, count = Palette(groups), len(groups.members)
    columns = min(count, 2 if count <= 4 else 3)
    rows = math.ceil(count / columns)
    with matplotlib.rc_context(STYLE):
        size = (COLUMN if columns == 1 else PAGE, PANEL * rows + 7 * MM)
        figure = ShownFigure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis in axes.flat[count:]:
            axis.set_visible(False)
        for axis, (label, members) in zip(axes.flat, groups.members.items(), strict=False):
            axis.set_title(label)
            drawing.draw(axis, [results[i] for i in members], palette)
        if not drawing.scan:
            _legend(figure, results, palette)
        figure.draw_without_rendering()          # ticks and layout while the style is in force
    return figure


def _save(figure: Figure, kind: str, name: str, target: Any) -> None:
    if kind not in FORMATS:
        raise UserError(f"format {kind!r} of figures is not known; one of {', '.join(FORMATS)}")
    made = f"sitqmc {package_version()}"
    about = {"png": {"Title": name, "Software": made}, "pdf": {"Title": name, "Creator": made},
             "svg": {"Title": name, "Creator": made, "Date": None}}[kind]  # fmt: skip
    with matplotlib.rc_context(STYLE):
        figure.savefig(target, format=kind, metadata=about)


def _legend(figure: Figure, results: Sequence[PointResult], palette: Palette) -> None:
    """One entry for each value of the scanned parameter, below all panels; (!) where a check warned."""
    key, entries = palette.groups.key, dict[str, Any]()
    for value in palette.groups.values:
        mine = [r for r in results if getattr(r.model, key) == value]
        mark = " (!)" if any(r.warnings for r in mine) else ""
        entries[f"{symbol(key)} = {value:.5g}{mark}"] = Line2D([], [], color=palette.colour(mine[0]))
    letters = max(len(label.replace("$", "")) for label in entries)
    fit = max(1, int(figure.get_figwidth() / MM / (LEGEND_MM + LETTER_MM * letters)))
    rows = math.ceil(len(entries) / fit)
    figure.legend(
        list(entries.values()), list(entries), loc="outside lower center",
        ncols=math.ceil(len(entries) / rows), handlelength=1.2, columnspacing=1.0,
    )  # fmt: skip


def _note(axis: Axes, text: str, place: Any) -> None:
    """A remark without a handle, where the curves leave room."""
    axis.legend([Line2D([], [], alpha=0)], [text], loc=place, handlelength=0, handletextpad=0)


def _draw_rho(axis: Axes, members: list[PointResult], palette: Palette) -> None:
    """rho(i w_n) with errors; the line through it is the transform of the continued sigma."""
    for r in members:
        e, colour = r.averages.values["rho"], palette.colour(r)
        omega = 2 * np.pi * np.arange(len(e.value)) / r.model.beta
        axis.errorbar(omega, e.value, e.error, fmt="o", ms=1.8, lw=0.7, color=colour)
        axis.axhline(r.averages.values["minus_k"].value, color=colour, lw=0.6, ls=":")
        fit = r.rho_of_spectrum()
        if fit is not None:
            axis.plot(omega, fit, color=colour, lw=0.7)
    axis.set_xlabel(r"$\omega_n / E_J$")
    axis.set_ylabel(r"$\rho(i\omega_n) / E_J$")
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=-0.02 * axis.get_xlim()[1])
    _note(axis, "line: from $\\sigma(\\omega)$; dotted: $\\langle -k_x \\rangle$", "lower right")


def _draw_sigma(axis: Axes, members: list[PointResult], palette: Palette) -> None:
    """sigma(omega) with its 68 % band; dotted, the maximum-entropy cross-check; bars, the resolution."""
    shown = [r for r in members if r.spectrum is not None]
    floor = NEGLIGIBLE * max((float(r.spectrum.sigma.max()) for r in shown if r.spectrum), default=0.0)
    end, alpha = 0.0, 0.18 if len(shown) <= MANY else 0.08
    for r in shown:
        assert r.spectrum is not None
        s, colour = r.spectrum, palette.colour(r)
        low, high = s.sigma_band()
        axis.plot(s.omega, s.sigma, color=colour)
        axis.fill_between(s.omega, low, high, color=colour, alpha=alpha, lw=0)
        if r.maxent is not None and r.maxent is not s:
            axis.plot(r.maxent.omega, r.maxent.sigma, color=colour, lw=0.7, ls=":")
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
    if any(r.maxent is not r.spectrum for r in shown):
        said.append("dotted: maximum entropy")
    if len(shown) <= MANY and any(r.peak for r in shown):
        said.append("bar: resolution at the peak")
    _note(axis, "\n".join(said), "upper right")


def _resolution_bar(axis: Axes, r: PointResult, colour: Any) -> None:
    """At the most prominent peak, as wide as the averaging kernel there: nothing narrower is in the data."""
    s, peak = r.spectrum, r.peak
    if s is None or peak is None:
        return
    where, height = peak.position.value, 2 * math.pi * peak.height.value
    half = float(np.interp(where, s.omega, s.resolution)) / 2
    axis.errorbar(where, height, xerr=half, color=colour, lw=0.7, capsize=1.5, capthick=0.7)


def _draw_scalar(axis: Axes, members: list[PointResult], palette: Palette) -> None:
    """chi_s(i w_n), connected within each sample."""
    for r in members:
        e = r.averages.values["chi_s"]
        omega = 2 * np.pi * np.arange(len(e.value)) / r.model.beta
        axis.errorbar(omega, e.value, e.error, fmt="o-", ms=1.8, lw=0.7, color=palette.colour(r))
    axis.set_xlabel(r"$\omega_n / E_J$")
    axis.set_ylabel(r"$\chi_s(i\omega_n)\, E_J$")
    axis.set_xlim(left=-0.02 * axis.get_xlim()[1])


def _draw_scan(axis: Axes, members: list[PointResult], palette: Palette) -> None:
    """rho_s, kappa and <-k_x> against the scanned parameter; told apart by colour, mark and line."""
    x = [getattr(r.model, palette.groups.key) for r in members]
    kinds = (("rho_s", r"$\rho_s / E_J$", "#0072B2", "o-"), ("kappa", r"$\kappa E_J$", "#D55E00", "s--"),
             ("minus_k", r"$\langle -k_x \rangle / E_J$", "0.4", "^:"))  # fmt: skip
    for name, label, colour, mark in kinds:
        e = [r.averages.values[name] for r in members]
        mean, error = [v.value for v in e], [v.error for v in e]
        axis.errorbar(x, mean, error, fmt=mark, color=colour, ms=3, lw=0.9, capsize=1.5, label=label)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(symbol(palette.groups.key))
    axis.legend()


def _draw_alpha(axis: Axes, members: list[PointResult], palette: Palette) -> None:
    """How alpha of the maximum entropy was chosen: chi^2/N against alpha, and the choice."""
    for r in members:
        if r.maxent is None:
            continue
        scan, colour = r.maxent.scan, palette.colour(r)
        chi2 = scan.chi2 / r.maxent.n_data
        axis.loglog(scan.alpha, chi2, color=colour)
        axis.loglog(scan.alpha[scan.chosen], chi2[scan.chosen], "o", ms=3.5, color=colour)
    axis.axhline(1.0, color="0.6", lw=0.6, ls="--")
    axis.set_xlabel(r"$\alpha$ (dot: chosen)")
    axis.set_ylabel(r"$\chi^2 / N$")


DRAWINGS = {
    "sigma": Drawing(
        _draw_sigma, "Conductivity",
        "Regular part of the conductivity in units of 4e²/h, with its 68 % band. Below ω = T (grey) the data "
        "resolve nothing, and nowhere structure narrower than the bar at the peak. Dotted: maximum entropy "
        "alone, as a cross-check; where it leaves the band, the shape depends on the method.",
    ),
    "scan": Drawing(
        _draw_scan, "Stiffness, compressibility, kinetic energy",
        "Superfluid stiffness, compressibility and ⟨−kₓ⟩, averaged over disorder samples, with one "
        "standard error.", scan=True,
    ),
    "rho": Drawing(
        _draw_rho, "Current response",
        "ρ(iωₙ) = ⟨−kₓ⟩ − Λₓₓ(iωₙ) with one standard error over disorder samples. The line is what the "
        "continued conductivity gives back; dotted, its limit ⟨−kₓ⟩.",
    ),
    "chi_s": Drawing(
        _draw_scalar, "Scalar response",
        "Connected response of the bond energy, the scalar (Higgs) channel, measured in the same samples. "
        "Lines guide the eye.",
    ),
    "alpha": Drawing(
        _draw_alpha, "Choice of the entropy's strength",
        "χ² per datum of the maximum-entropy fit against the strength α of its entropy, and the α that was "
        "chosen. A curve that never comes near 1 says that kernel, covariance or data do not fit together.",
    ),
}  # fmt: skip
"""By name of the file, in the order of a report."""
