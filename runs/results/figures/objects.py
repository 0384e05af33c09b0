"""Figures of single results, for `.plot()`, and `draw`: any figure of a run by its name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import singledispatch
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes

from sitqmc.analytic import (
    Comparison,
    ExcessConductivity,
    FamilyComparison,
    FilmAnalysis,
    MeasuredConductivity,
    TheoryCurve,
)
from sitqmc.continuation import ClosureTest, Consensus, ScanSpectra, Spectrum
from sitqmc.continuation.data.kinds import KINDS as KINDS_OF_DATA
from sitqmc.continuation.spectrum.spectrum import CONDUCTIVITY
from sitqmc.qmc import Average, TransverseFit
from sitqmc.qmc.model.parameters import symbol
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.curves import paint_spectrum
from sitqmc.runs.results.figures.film import paint_comparison
from sitqmc.runs.results.figures.kinds import KINDS
from sitqmc.runs.results.figures.kinds import draw as figure_of_run
from sitqmc.runs.results.figures.panels import Panel
from sitqmc.runs.results.figures.style import (
    BLUE,
    COLUMN,
    PANEL,
    finished,
    new_figure,
    ordered_colour,
    styled,
)
from sitqmc.runs.results.point import Scan


class HasResults(Protocol):
    """A run, whose `results` and scalar averages are drawn."""

    @property
    def results(self) -> RunResults: ...

    def scalars(self) -> list[str]: ...

    def scan(self, name: str) -> Scan: ...


def draw(name: str, run: HasResults | RunResults, ax: Axes | None = None) -> Any:
    """Draw one figure of a run: sigma, rho, chi_s, scan, ..., or a scalar average against the scan.

    run      a run; its `results` alone have no further scalar averages
    ax       axes of matplotlib to draw all points into; None: a new figure with its panels
    returns  the axes, or the new figure, which a notebook shows
    raises   UserError for an unknown name, with the nearest known one
    """
    if name not in KINDS:
        scalars = [] if isinstance(run, RunResults) else run.scalars()
        if not isinstance(run, RunResults) and name in scalars:
            return plot(run.scan(name), ax)
        near = difflib.get_close_matches(name, [*KINDS, *scalars], n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join([*KINDS, *scalars])}"
        raise UserError(f"figure {name!r}: not known; {hint}")
    results = run if isinstance(run, RunResults) else run.results
    if ax is None:
        return figure_of_run(name, results)
    KINDS[name].draw(Panel(ax, list(results.results), results))
    return ax


def plot(value: Any, ax: Axes | None = None) -> Any:
    """Draw one result into given axes, or into a new figure, which is returned."""
    paint = _paint.dispatch(type(value))
    if paint is _paint.dispatch(object):
        raise TypeError(f"a {type(value).__name__} has no figure of its own")
    if ax is not None:
        paint(value, ax)
        return ax
    with styled():
        figure = new_figure(COLUMN, PANEL)
        paint(value, figure.add_subplot())
        return finished(figure)


Painter = Callable[[Any, Axes], None]


@singledispatch
def _paint(value: Any, ax: Axes) -> None:
    """Draw a value into axes."""
    raise NotImplementedError


def _label(kind: str) -> str:
    if KINDS_OF_DATA[kind].fermionic:
        return r"$A(\omega)$"
    letter = {"green_tau": "P", "boson_tau": "C''", "boson_iw": "C''"}.get(kind, r"\chi''")
    return rf"${letter}(\omega)/\omega$"


@_paint.register
def _(value: Spectrum, ax: Axes) -> None:
    paint_spectrum(ax, value, BLUE)
    ax.set_xlabel(r"$\omega$")


def _end(omega: Any, high: Any) -> float:
    """Return where the frequency axis ends: the band stays below 3 % of its largest value."""
    above = np.flatnonzero(high > 0.03 * high.max())
    return float(omega[above[-1]]) if above.size else float(omega[-1])


@_paint.register
def _(value: ScanSpectra, ax: Axes) -> None:
    for i in np.argsort(value.at):
        s = value.spectra[i]
        y = s.sigma if s.kind in CONDUCTIVITY else s.values
        ax.plot(s.omega, y, color=ordered_colour(i / max(1, len(value.at) - 1)), label=f"{value.at[i]:g}")
    ax.set_xlim(0, max(_end(s.omega, s.values) for s in value.spectra))
    ax.set_ylim(bottom=0)
    ax.set_xlabel(r"$\omega$")
    ax.legend()


@_paint.register
def _(value: Consensus, ax: Axes) -> None:
    low, high = value.band()
    for name, s in value.spectra.items():
        ax.plot(value.omega, s.values, lw=1.2 if name in value.methods_used else 0.6, label=name)
    ax.fill_between(value.omega, low, high, color="0.5", alpha=0.2, lw=0)
    for a, b in value.unresolved():
        ax.axvspan(a, b, color="0.9", lw=0, zorder=0)
    ax.set_xlim(0, _end(value.omega, high))
    ax.set_ylim(bottom=0)
    ax.set_xlabel(r"$\omega$ (grey: the methods disagree)")
    ax.set_ylabel(_label(value.best.kind))
    ax.legend()


@_paint.register
def _(value: ClosureTest, ax: Axes) -> None:
    for s in value.spectra:
        ax.plot(value.grid.omega, s.values, color="0.6", lw=0.6)
    ax.plot(value.grid.omega, value.truth, "k", label="truth")
    ax.set_xlabel(r"$\omega$")
    ax.legend()


@_paint.register
def _(value: MeasuredConductivity, ax: Axes) -> None:
    ax.errorbar(value.nu_thz, value.sigma.real, value.sigma1_error, fmt=".", ms=3, label=r"$\sigma_1$")
    ax.errorbar(value.nu_thz, value.sigma.imag, value.sigma2_error, fmt=".", ms=3, label=r"$\sigma_2$")
    ax.set_xlabel(r"$\nu$ (THz)")
    ax.set_ylabel(r"$\sigma$ ($\Omega^{-1}$cm$^{-1}$)")
    ax.legend()


@_paint.register
def _(value: ExcessConductivity, ax: Axes) -> None:
    ax.errorbar(value.nu_thz, value.sigma_h, value.error, fmt="o", ms=2.5)
    ax.axhline(0, color="0.6", lw=0.6)
    ax.set_xlabel(r"$\nu$ (THz)")
    ax.set_ylabel(r"$\sigma_H$ ($\Omega^{-1}$cm$^{-1}$)")


@_paint.register
def _(value: FilmAnalysis, ax: Axes) -> None:
    _paint(value.sigma_h, ax)
    for where, name in ((value.omega, r"$\Omega$"), (value.peak, "peak")):
        if where.is_known:
            ax.axvline(where.value, lw=0.6, ls="--", label=name)
    ax.legend()


@_paint.register
def _(value: Comparison, ax: Axes) -> None:
    if value.theory is None or value.data is None:
        raise ValueError("the comparison holds no curves; make it with compare")
    paint_comparison(ax, value.theory, value.data, value, value.thickness_nm)
    ax.set_title(value.quality.text, fontsize="small", wrap=True)


@_paint.register
def _(value: FamilyComparison, ax: Axes) -> None:
    p = sorted(value.each)
    cost = [value.each[one].minus_2_log_l for one in p]
    ax.plot(p, np.array(cost) - min(cost), "o-", ms=3)
    low, high = value.p.interval()
    ax.axvspan(low, high, color="0.9", lw=0, zorder=0)
    ax.set_xlabel("$p$")
    ax.set_ylabel(r"$-2\,\Delta \ln L$")


@_paint.register
def _(value: TheoryCurve, ax: Axes) -> None:
    ax.plot(value.omega, value.sigma)
    ax.fill_between(value.omega, value.sigma - value.error, value.sigma + value.error, alpha=0.2, lw=0)
    ax.set_xlabel(r"$\omega / E_J$")
    ax.set_ylabel(r"$\sigma_1\;/\;(4e^2/h)$")


@_paint.register
def _(value: TransverseFit, ax: Axes) -> None:
    ax.errorbar(value.n, value.value, np.sqrt(np.diag(value.covariance)), fmt=".-", lw=0.7)
    ax.set_xlabel("Matsubara number")


@_paint.register
def _(value: Scan, ax: Axes) -> None:
    ax.errorbar(value.x, value.estimate.value, value.estimate.error, fmt="o-", ms=3, capsize=1.5)
    ax.set_xlabel(symbol(value.parameter))
    ax.set_ylabel(value.name if value.unit == "1" else f"{value.name} ({value.unit})")


@_paint.register
def _(value: Average, ax: Axes) -> None:
    mean, error = np.ravel(value.mean), np.sqrt(np.diag(np.atleast_2d(value.covariance)))
    ax.errorbar(np.arange(mean.size) if value.n is None else value.n, mean, error, fmt=".-", lw=0.7)
    ax.set_xlabel("Matsubara number")
    ax.set_ylabel(value.name)
