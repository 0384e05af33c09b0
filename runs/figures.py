"""Figures of a run. Colours run with p (viridis: ordered, safe for colour-blind readers, fine in grey)."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runs.analysis import PointResult
from runs.files import replace_file

STYLE: Any = {
    "font.size": 9, "axes.labelsize": 9, "legend.fontsize": 8, "figure.dpi": 150, "savefig.dpi": 200,
    "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 1.4,
}  # fmt: skip
NEGLIGIBLE = 0.03            # the frequency axis ends where all sigma stay below this share of the largest

Families = dict[str, list[PointResult]]


def write_figures(folder: Path, results: Sequence[PointResult]) -> list[Path]:
    """rho.png, sigma.png, alpha.png."""
    families: Families = {}
    for r in results:
        families.setdefault(r.label, []).append(r)
    made = []
    with plt.rc_context(STYLE):
        for name, draw in (("rho", _draw_rho), ("sigma", _draw_sigma), ("alpha", _draw_alpha)):
            path = folder / f"{name}.png"
            figure = _panels(families, draw)
            replace_file(path, partial(figure.savefig, format="png"))
            plt.close(figure)
            made.append(path)
    return made


def _panels(families: Families, draw: Callable[[Axes, list[PointResult]], None]) -> Figure:
    """One panel for each set of points that differ in p alone."""
    columns = min(3, len(families))
    rows = math.ceil(len(families) / columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(5.0 * columns, 3.6 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(families) :]:
        axis.set_visible(False)
    for axis, (label, members) in zip(axes.flat, families.items(), strict=False):
        axis.set_title(label, fontsize=8)
        draw(axis, members)
    return figure


def _colour(members: list[PointResult], r: PointResult) -> tuple[float, float, float, float]:
    """By rank of p, so that close dilutions stay apart."""
    order = sorted({m.model.p for m in members})
    position = order.index(r.model.p) / max(1, len(order) - 1)
    return tuple(float(x) for x in plt.get_cmap("viridis")(0.92 * position))  # type: ignore[return-value]


def _name(r: PointResult) -> str:
    return f"p = {r.model.p:g}" + (" (!)" if r.warnings else "")


def _draw_rho(axis: Axes, members: list[PointResult]) -> None:
    """rho(i w_n) with errors; the line through it is the transform of the continued sigma."""
    for r in members:
        e, colour = r.averages.values["rho"], _colour(members, r)
        omega = 2 * np.pi * np.arange(len(e.mean)) / r.model.beta
        axis.errorbar(omega, e.mean, e.error, fmt="o", ms=2.5, lw=0.8, color=colour, label=_name(r))
        axis.axhline(float(r.averages.values["minus_k"].mean), color=colour, lw=0.6, ls=":")
        fit = r.rho_of_spectrum()
        if fit is not None:
            axis.plot(omega, fit, color=colour, lw=0.8)
    axis.set_xlabel(r"$\omega_n / E_J$")
    axis.set_ylabel(r"$\rho(i\omega_n) / E_J$")
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=-0.02 * axis.get_xlim()[1])
    axis.legend(
        title="line: from $\\sigma(\\omega)$\ndotted: $\\langle -k_x \\rangle$",
        frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0),
    )  # fmt: skip


def _draw_sigma(axis: Axes, members: list[PointResult]) -> None:
    """sigma(omega) with its 68 % band; dotted, the maximum-entropy cross-check."""
    shown = [r for r in members if r.spectrum is not None]
    floor = NEGLIGIBLE * max((r.spectrum.sigma.max() for r in shown if r.spectrum), default=0.0)
    end = 0.0
    for r in shown:
        assert r.spectrum is not None
        s, colour = r.spectrum, _colour(members, r)
        low, high = s.sigma_band()
        rho_s = r.averages.values["rho_s"]
        axis.plot(s.omega, s.sigma, color=colour, label=f"{_name(r)}, $\\rho_s$ = {float(rho_s.mean):.3f}")
        axis.fill_between(s.omega, low, high, color=colour, alpha=0.15, lw=0)
        if r.maxent is not None and r.maxent is not s:
            axis.plot(r.maxent.omega, r.maxent.sigma, color=colour, lw=0.9, ls=":")
        end = max(end, float(s.omega[np.flatnonzero(high > floor)[-1]]))
    temperature = 1 / members[0].model.beta
    axis.axvspan(0, temperature, color="0.9", lw=0, zorder=0, label=r"$\omega < T$: not resolved")
    if end:
        axis.set_xlim(0, end)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(r"$\omega / E_J$")
    axis.set_ylabel(r"$\sigma_1(\omega)\;/\;(4e^2/h)$, regular part")
    checked = any(r.maxent is not r.spectrum for r in shown)
    axis.legend(frameon=False, title="dotted: maximum entropy" if checked else None)


def _draw_alpha(axis: Axes, members: list[PointResult]) -> None:
    """How alpha of the maximum entropy was chosen: chi^2/N against alpha, and the choice."""
    for r in members:
        if r.maxent is None:
            continue
        scan, colour = r.maxent.scan, _colour(members, r)
        chi2 = scan.chi2 / r.maxent.n_data
        axis.loglog(scan.alpha, chi2, color=colour, label=_name(r))
        axis.loglog(scan.alpha[scan.chosen], chi2[scan.chosen], "o", ms=5, color=colour)
    axis.axhline(1.0, color="0.6", lw=0.8, ls="--")
    axis.set_xlabel(r"$\alpha$ (dot: chosen)")
    axis.set_ylabel(r"$\chi^2 / N$")
    if axis.get_legend_handles_labels()[0]:
        axis.legend(frameon=False)
