"""Panels of the figures of a run, drawn from averages and spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.crossings import Crossing, crossings
from sitqmc.qmc.model.parameters import symbol
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.curves import LABELS, Curve, paint_spectrum
from sitqmc.runs.results.figures.style import BLUE, GREY, RED, ordered_colour
from sitqmc.runs.results.point import RunPoint, rho_of_spectrum

Array = NDArray[np.float64]

DEGREE = 2                   # of the polynomials whose crossing is marked


@dataclass(frozen=True)
class Panel:
    """One panel: its axes, the points in it, and the run that they belong to.

    below  axes under the panel that share its abscissa, in a figure with residuals
    n      Matsubara number, in a figure with one panel for each
    """

    axis: Axes
    members: list[RunPoint]
    results: RunResults
    below: Axes | None = None
    n: int = 0

    def colour(self, r: RunPoint) -> tuple[float, float, float, float]:
        """Return the colour of a point."""
        return colour_of(self.results, r)

    def scanned(self, r: RunPoint) -> float:
        """Return the value of the scanned parameter."""
        return float(self.results.space.row(r.model)[self.results.space.colour])


def colour_of(results: RunResults, r: RunPoint) -> tuple[float, float, float, float]:
    """Return the colour of a point, by its rank in the scanned parameter."""
    return ordered_colour(results.space.rank(r.model))


def note(axis: Axes, text: str, place: Any) -> None:
    """Write a remark into the empty part of a panel."""
    axis.legend([Line2D([], [], alpha=0)], [text], loc=place, handlelength=0, handletextpad=0)


def draw_spectrum(panel: Panel) -> None:
    """Draw the spectra of the points with their bands, the cross-checks, and the resolution at the peaks."""
    axis, end, top = panel.axis, 0.0, 0.0
    everywhere = [Curve.of(r.spectrum).end for r in panel.results.results if r.spectrum is not None]
    for r in panel.members:
        if r.spectrum is None:
            axis.text(0.5, 0.5, "not computed:\nsee the warnings", transform=axis.transAxes, ha="center")
            continue
        colour, end = panel.colour(r), max(everywhere)
        curve = paint_spectrum(axis, r.spectrum, colour)
        if r.alone is not None and r.alone is not r.spectrum:
            axis.plot(r.alone.omega, r.alone.sigma, color=colour, lw=0.5, zorder=4)
        if r.cross_check is not None and r.cross_check is not r.spectrum:
            axis.plot(r.cross_check.omega, r.cross_check.sigma, color=colour, lw=0.7, ls=":", zorder=4)
        top = max(top, 1.05 * float(curve.high[curve.omega <= end].max()))
    axis.set_xlabel(r"$\omega / E_J$")
    if end and top > 0:
        axis.set(xlim=(0, end), ylim=(0, top))


def draw_response(name: str, panel: Panel) -> None:
    """Draw a response of a scan, all points together with bands; thin: every point alone."""
    axis, end = panel.axis, 0.0
    for r in panel.members:
        if name in r.joint:
            both, colour = r.joint[name], panel.colour(r)
            curve, alone = Curve.of(both.together), Curve.of(both.alone)
            axis.plot(curve.omega, curve.value, color=colour)
            axis.fill_between(curve.omega, curve.low, curve.high, color=colour, alpha=0.12, lw=0)
            axis.plot(alone.omega, alone.value, color=colour, lw=0.5)
            end = max(end, curve.end)
            axis.set_ylabel(LABELS[both.together.kind])
    axis.axvspan(0, 1 / panel.members[0].model.beta, color="0.9", lw=0, zorder=0)
    if end:
        axis.set_xlim(0, end)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(r"$\omega / E_J$")
    note(axis, "grey: $\\omega < T$, not resolved\nthin: every point alone", "upper right")


def draw_rho(panel: Panel) -> None:
    """Draw rho(i w_n) with errors and the transform of the continued sigma; below: their difference."""
    axis, below = panel.axis, panel.below
    for r in panel.members:
        (n, e), colour = r.averages.response("rho"), panel.colour(r)
        omega = 2 * np.pi * n / r.model.beta
        axis.errorbar(omega, e.value, e.error, fmt="o", ms=1.8, lw=0.7, color=colour)
        axis.axhline(float(r.averages.values["minus_k"].value), color=colour, lw=0.6, ls=":")
        fit = rho_of_spectrum(r)
        if fit is not None:
            axis.plot(2 * np.pi * np.arange(len(fit)) / r.model.beta, fit, color=colour, lw=0.7)
            if below is not None:
                known = e.error > 0
                pull = (e.value - fit[n])[known] / e.error[known]
                below.plot(omega[known], pull, ".-", ms=2, lw=0.4, color=colour)
    (axis if below is None else below).set_xlabel(r"$\omega_n / E_J$")
    if below is not None:
        _frame_residuals(below)
    axis.set_ylabel(r"$\rho(i\omega_n) / E_J$")
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=-0.02 * axis.get_xlim()[1])
    note(axis, "line: from $\\sigma(\\omega)$; dotted: $\\langle -k_x \\rangle$", "lower right")


def _frame_residuals(axis: Axes) -> None:
    """Draw zero and one standard error, and centre the ordinate."""
    reach = 1.1 * max(3.0, float(np.abs(axis.dataLim.intervaly).max()) if axis.has_data() else 3.0)
    axis.axhspan(-1, 1, color="0.9", lw=0, zorder=0)
    axis.axhline(0, color=GREY, lw=0.6)
    axis.set(ylim=(-reach, reach), ylabel="residual\n(std. errors)")


def draw_scalar(panel: Panel) -> None:
    """Draw chi_s(i w_n), connected within each sample."""
    axis = panel.axis
    for r in panel.members:
        n, e = r.averages.response("chi_s")
        omega = 2 * np.pi * n / r.model.beta
        axis.errorbar(omega, e.value, e.error, fmt="o-", ms=1.8, lw=0.5, color=panel.colour(r))
    axis.set_xlabel(r"$\omega_n / E_J$")
    axis.set_ylabel(r"$\chi_s(i\omega_n)\, E_J$")
    axis.set_xlim(left=-0.02 * axis.get_xlim()[1])


def draw_waves(panel: Panel) -> None:
    """Draw K_T(q, i w_n)/rho(i w_n) against |q| with the fit; below: residuals in standard errors."""
    axis, below = panel.axis, panel.below
    assert below is not None
    below.axhspan(-1, 1, color="0.9", lw=0, zorder=0)
    below.axhline(0, color=GREY, lw=0.6)
    for r in panel.members:
        one, colour = r.averages.improved.get("rho"), panel.colour(r)
        if one is None or one.fit is None or panel.n not in one.fit.n:
            continue
        fit, i = one.fit, int(np.searchsorted(one.fit.n, panel.n))
        rho = float(one.mean[i])                 # curves of all points begin at one: their rise is seen
        mean, error = fit.data[:, i] / rho, fit.error[:, i] / rho
        axis.errorbar(fit.q, mean, error, fmt="o", ms=1.6, lw=0.5, color=colour)
        rising = np.argsort(fit.q, kind="stable")    # waves come by their number, not by |q| of the lattice
        known = rising[(np.isfinite(fit.prediction[:, i]) & (fit.error[:, i] > 0))[rising]]
        if known.size:
            axis.plot(fit.q[known], fit.prediction[known, i] / rho, color=colour, lw=0.7)
            pull = (fit.data[known, i] - fit.prediction[known, i]) / fit.error[known, i]
            below.plot(fit.q[known], pull, ".", ms=2, color=colour)
    below.set_ylim(-4.5, 4.5)
    below.set_xlabel(r"$|q|$")
    below.set_ylabel("residual\n(std. errors)")
    axis.axhline(1.0, color=GREY, lw=0.4, ls=":")
    axis.set_ylabel(r"$K_T(q, i\omega_n) / \rho(i\omega_n)$")


def draw_dispersion(panel: Panel) -> None:
    """Draw the frequency of one mode behind chi_s(q, i w_n) against |q|, and c |q| with c of the averages."""
    axis, reach = panel.axis, 0.0
    for r in panel.members:
        found, colour = mode_frequencies(r), panel.colour(r)
        if found is None:
            continue
        q, e = found
        axis.errorbar(q, e.value, e.error, fmt="o", ms=1.8, lw=0.6, color=colour)
        reach = max(reach, float(q.max()))
        if (c := r.averages.values.get("c")) is not None:
            line = np.linspace(0, q.max(), 50)
            axis.plot(line, float(c.value) * line, color=colour, lw=0.7, ls="--")
    axis.set_xlim(-0.02 * reach, 1.03 * reach)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(r"$|q|$")
    axis.set_ylabel(r"$\omega_s(q) / E_J$")
    note(axis, r"dashed: $c\,|q|$, $c = \sqrt{\rho_s/\kappa}$", "lower right")


HIGHEST = 20                 # largest Matsubara number of the fit by one mode


def mode_frequencies(r: RunPoint) -> tuple[Array, Estimate] | None:
    """Return |q| and the frequency w of the mode in chi_s(q, i w_n) = A w^2/(w_n^2 + w^2) + B, n > 0.

    One mode is a model: the frequency is a scale of the spectrum at this q, and no peak position. None
    without a fit over wave vectors.
    """
    one = r.averages.improved.get("chi_s")
    if one is None or one.fit is None:
        return None
    fit = one.fit
    used = (fit.n > 0) & (fit.n <= HIGHEST)
    w_n = 2 * np.pi * fit.n[used] / r.model.beta

    def mode(x: Array, A: float, w: float, B: float) -> Array:
        return np.asarray(A * w**2 / (x**2 + w**2) + B)

    q, value, error = [], [], []
    for size, data, sigma in zip(fit.q, fit.data[:, used], fit.error[:, used], strict=True):
        try:
            best, spread = curve_fit(
                mode, w_n, data, p0=(data[0], 2.0, 0.0), sigma=sigma, absolute_sigma=True,
                bounds=([0, 0.05, -1], [np.inf, 50, 1]),
            )  # fmt: skip
        except (RuntimeError, ValueError):       # no convergence, or a shell without errors
            continue
        q.append(size)
        value.append(best[1])
        error.append(np.sqrt(spread[1, 1]))
    return (np.array(q), Estimate(np.array(value), np.array(error))) if q else None


def draw_scan(panel: Panel) -> None:
    """Draw rho_s, kappa and <-k_x> against the scanned parameter, and where two sizes cross."""
    axis, space = panel.axis, panel.results.space
    x = [panel.scanned(r) for r in panel.members]
    kinds = (("rho_s", r"$\rho_s$", BLUE, "o-"), ("kappa", r"$\kappa$", RED, "s--"),
             ("minus_k", r"$\langle -k_x \rangle$", GREY, "^:"))  # fmt: skip
    for name, label, colour, mark in kinds:
        e = [r.averages.values[name] for r in panel.members]
        mean, error = [v.value for v in e], [v.error for v in e]
        axis.errorbar(x, mean, error, fmt=mark, color=colour, ms=3, lw=0.7, capsize=1.5, label=label)
    found = critical_point(panel.results)
    if found is not None and min(x) <= found.coupling.value <= max(x):
        c, (small, large) = found.coupling, found.sizes
        axis.axvspan(c.value - c.error, c.value + c.error, color="0.85", lw=0, zorder=0)
        axis.axvline(c.value, color="0.3", lw=0.7, zorder=0,
                     label=f"crossing of $\\langle W_x^2\\rangle$, L = {small:g}, {large:g}:\n"
                           f"{symbol(space.colour)}$_{{,c}}$ = {c}")  # fmt: skip
    axis.set_ylim(bottom=0)
    axis.set_xlabel(symbol(space.colour))
    axis.set_ylabel(r"$\rho_s$, $\langle -k_x \rangle$ ($E_J$); $\kappa$ ($1/E_J$)")
    axis.legend(title="lines guide the eye", title_fontsize=6.5, alignment="left")


def critical_point(results: RunResults) -> Crossing | None:
    """Return where <W_x^2> of the two largest sizes cross in the scanned parameter; None if nothing does.

    <W_x^2> = beta rho_s of a square array has no dimension: at a critical point all sizes share its value.
    """
    space = results.space
    if "L" not in space.varied or space.colour in ("L", "L_tau", "beta", "eps"):
        return None
    others = set(space.distinguishing) - {"L", "L_tau", "beta", space.colour}
    if others:
        return None
    n = min(r.averages.n_samples for r in results.results)
    sizes = [float(r.model.Lx) for r in results.results]
    couplings = [float(space.row(r.model)[space.colour]) for r in results.results]
    winding = [r.model.beta * r.averages.samples["rho_s"][:n] for r in results.results]
    try:
        return crossings(sizes, couplings, winding, degree=DEGREE, shared=True)[-1]
    except ValueError:                           # few samples or couplings, or no crossing
        return None


def draw_alpha(panel: Panel) -> None:
    """Draw chi^2/N of maximum entropy against alpha, and the chosen alpha."""
    axis = panel.axis
    for r in panel.members:
        if r.cross_check is None:
            continue
        scan, colour = r.cross_check.scan, panel.colour(r)
        chi2 = scan.chi2 / r.cross_check.n_data
        axis.loglog(scan.alpha, chi2, color=colour)
        axis.loglog(scan.alpha[scan.chosen], chi2[scan.chosen], "o", ms=3.5, color=colour)
    axis.axhline(1.0, color="0.6", lw=0.6, ls="--")
    axis.set_xlabel(r"$\alpha$ (dot: chosen)")
    axis.set_ylabel(r"$\chi^2 / N$")
