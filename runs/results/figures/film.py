"""Figures of measured films: fits with residuals, conductivities, sigma_H, correlations, missing weight.

Every function draws the result of a fit of `analytic` and returns a Figure; none computes physics. A rejected
model is marked by words above the axes, not by colour alone. Data are points, models are lines.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from sitqmc.analytic import (
    Background,
    Comparison,
    ExcessConductivity,
    FilmAnalysis,
    FilmFit,
    FitQuality,
    FitResult,
    MeasuredConductivity,
    MountFit,
    TheoryCurve,
    ThzScan,
    TunnelFit,
    TunnellingCurve,
    film_sigma,
    to_laboratory,
    transmission,
    unwrapped_phase,
)
from sitqmc.analytic.film.derived import LineFit
from sitqmc.analytic.film.tunnelling_fit import tunnelling_model
from sitqmc.analytic.units import Array
from sitqmc.estimate import Estimate
from sitqmc.runs.results.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    RED,
    NotebookFigure,
    finished,
    new_figure,
    styled,
)

NU = r"$\nu$ (THz)"
CONDUCTIVITY = r"($\Omega^{-1}\,\mathrm{cm}^{-1}$)"
WEIGHT = r"($\mathrm{meV}\,\Omega^{-1}\,\mathrm{cm}^{-1}$)"
FINE = 6                     # model lines have so many points per point of the scan


def _judged(figure: NotebookFigure, quality: FitQuality | None = None, name: str = "") -> NotebookFigure:
    """Write the quality of the fit above the axes; ticks and layout made while the style is in force."""
    if quality is not None:
        title = f"{name}: {quality.text}" if quality.fits else f"{name} REJECTED: {quality.text}"
        whole = title.replace(" = ", "\u00a0=\u00a0")            # no line break inside a value
        title = textwrap.fill(whole, int(15 * figure.get_figwidth())).replace("\u00a0", " ")
        box = {"boxstyle": "round", "fc": "white", "ec": RED}
        alarm: Any = {} if quality.fits else {"color": RED, "weight": "bold", "bbox": box}
        figure.suptitle(title, fontsize=7, **alarm)
    return finished(figure)


def _residuals(axis: Axes, x: Array, residuals: Array, label: str) -> None:
    """Draw residuals in standard errors; the grey band is one standard error."""
    axis.axhspan(-1, 1, color="0.9", lw=0)
    axis.axhline(0, color=GREY, lw=0.8)
    axis.plot(x, residuals, ".", ms=2.5, color=BLUE)
    reach = 1.15 * max(3.0, float(np.abs(residuals).max()))
    axis.set(ylim=(-reach, reach), xlabel=label, ylabel="residual\n(std. errors)")


def _marked(synthetic: bool) -> str:
    return ", SYNTHETIC" if synthetic else ""


def draw_tunnelling(curve: TunnellingCurve, answer: TunnelFit) -> NotebookFigure:
    """Draw dI/dV with its fit, and the residuals below."""
    with styled():
        figure = new_figure(4.5, 3.4)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        top.errorbar(curve.bias_mv, curve.didv, curve.didv_error, fmt=".", ms=3, lw=0.7, color=BLUE,
                     label=f"{curve.t_k:g} K{_marked(curve.synthetic)}")
        fine = np.linspace(curve.bias_mv[0], curve.bias_mv[-1], FINE * curve.bias_mv.size)
        top.plot(fine, tunnelling_model(fine, answer.fit.values), color=RED, label="Dynes")
        top.set_ylabel("dI/dV (unit of the file)")
        top.legend(loc="upper right")
        top.set_ylim(top=1.15 * float(curve.didv.max()))
        _residuals(bottom, curve.bias_mv, answer.fit.residuals[0], "bias (mV)")
        return _judged(figure, answer.fit.quality, "Tunnelling")


def _phase_line(scan: ThzScan) -> Array:
    """Return the coefficients of the straight line that is subtracted from theta."""
    return np.asarray(np.polyfit(scan.nu_thz, scan.theta, 1))


def _draw_scan(t_axis: Axes, theta_axis: Axes, scan: ThzScan, colour: str = BLUE) -> None:
    label = f"{scan.t_k:g} K{_marked(scan.synthetic)}"
    theta = scan.theta - np.polyval(_phase_line(scan), scan.nu_thz)
    for axis, y, error in ((t_axis, scan.t, scan.t_error), (theta_axis, theta, scan.theta_error)):
        axis.errorbar(scan.nu_thz, y, error, fmt=".", ms=2.5, lw=0.6, color=colour, label=label, zorder=4)
    t_axis.set_ylabel(r"$|t|$")
    theta_axis.set_ylabel(r"$\theta$ minus straight line (rad)")


def _draw_model(t_axis: Axes, theta_axis: Axes, scan: ThzScan, answer: FilmFit, delta_mev: float) -> None:
    nu = np.linspace(scan.nu_thz[0], scan.nu_thz[-1], FINE * (scan.nu_thz.size - 1) + 1)
    sigma = film_sigma(nu, answer.setup, delta_mev, scan.t_k, answer.model)
    model = answer.setup.instrument.apply(nu, transmission(nu, sigma, answer.setup.sample))
    theta = unwrapped_phase(model)
    turns = np.round(np.median(np.interp(scan.nu_thz, nu, theta) - scan.theta) / (2 * np.pi))
    theta = theta - 2 * np.pi * turns - np.polyval(_phase_line(scan), nu)
    t_axis.plot(nu, np.abs(model), color=RED, lw=0.8, label="fit", zorder=3)
    theta_axis.plot(nu, theta, color=RED, lw=0.8, zorder=3)
    t_axis.legend(loc="upper left", ncols=2)
    t_axis.set_ylim(0, 1.2 * max(float(np.abs(model).max()), float(scan.t.max())))


def draw_scans(scans: Sequence[ThzScan]) -> NotebookFigure:
    """Draw |t| and theta of up to four scans as measured."""
    with styled():
        figure = new_figure(PAGE, 2.6)
        t_axis, theta_axis = figure.subplots(1, 2)
        for scan, colour in zip(scans, (BLUE, ORANGE, GREEN, GREY), strict=False):
            _draw_scan(t_axis, theta_axis, scan, colour)
        for axis in (t_axis, theta_axis):
            axis.set_xlabel(NU)
        t_axis.legend()
        t_axis.set_ylim(0, 1.15 * max(float(scan.t.max()) for scan in scans))
        return _judged(figure)


def draw_film_fit(scans: ThzScan | Sequence[ThzScan], answer: FilmFit, name: str) -> NotebookFigure:
    """Draw the fit of one scan or a joint fit: a row with |t| and theta for each scan.

    scans  the fitted scans, in the order of the fit
    name   name of the fit, for the heading
    """
    scans = [scans] if isinstance(scans, ThzScan) else scans
    with styled():
        figure = new_figure(PAGE, 0.6 + 2.5 * len(scans))
        axes = figure.subplots(2 * len(scans), 2, sharex=True, squeeze=False,
                               height_ratios=[3, 1] * len(scans))
        for k, (scan, delta) in enumerate(zip(scans, answer.deltas_mev, strict=True)):
            _draw_scan(axes[2 * k, 0], axes[2 * k, 1], scan)
            _draw_model(axes[2 * k, 0], axes[2 * k, 1], scan, answer, delta)
            for column in (0, 1):
                label = NU if k == len(scans) - 1 else ""
                _residuals(axes[2 * k + 1, column], scan.nu_thz, answer.fit.residuals[2 * k + column], label)
        return _judged(figure, answer.fit.quality, name)


def draw_pairs(pairs: MeasuredConductivity, background: Background | None = None) -> NotebookFigure:
    """Draw measured sigma1 and sigma2 with errors, and the background model as a line."""
    with styled():
        figure = new_figure(PAGE, 2.6)
        fine = np.linspace(pairs.nu_thz[0], pairs.nu_thz[-1], 400)
        model = background.sigma(fine) if background else None
        parts = ((1, pairs.sigma.real, pairs.sigma1_error), (2, pairs.sigma.imag, pairs.sigma2_error))
        for axis, (part, sigma, error) in zip(figure.subplots(1, 2), parts, strict=True):
            axis.errorbar(pairs.nu_thz, sigma, error, fmt="o", ms=3, lw=0.9, capsize=2, color=BLUE,
                          label=f"measured, {pairs.t_k:g} K")
            if model is not None:
                axis.plot(fine, model.real if part == 1 else model.imag, color=RED, label="background")
            axis.set(xlabel=NU, ylabel=rf"$\sigma_{part}$ {CONDUCTIVITY}")
            axis.set_ylim(0, 1.15 * float((sigma + error).max()))
            axis.legend()
        return _judged(figure)


def _mark(axis: Axes, where: Estimate, colour: str, name: str) -> None:
    if not where.is_known:
        return
    axis.axvspan(where.low, where.high, color=colour, alpha=0.25, lw=0)
    axis.axvline(where.value, color=colour, lw=1.2, ls="--",
                 label=f"{name} = {where.value:.3f} [{where.low:.3f}, {where.high:.3f}] THz")


def draw_excess(measured: MeasuredConductivity, background: Background, sigma_h: ExcessConductivity,
                omega: Estimate, peak: Estimate, plain: FitQuality | None = None) -> NotebookFigure:
    """Draw measured and background sigma1 above, sigma_H below; Omega and the peak with intervals.

    plain  quality of the plain superconductor; if it fits, the figure says that no excess is resolved
    """
    with styled():
        figure = new_figure(4.9, 4.4)
        top, bottom = figure.subplots(2, 1, sharex=True)
        fine = np.linspace(measured.nu_thz[0], measured.nu_thz[-1], 400)
        top.errorbar(measured.nu_thz, measured.sigma.real, measured.sigma1_error, fmt="o", ms=3, lw=0.9,
                     color=BLUE, label=r"$\sigma_1^{\mathrm{exp}}$")
        top.plot(fine, background.sigma(fine).real, color=RED, label=r"$\sigma_1^{\mathrm{BCS}}$")
        top.plot(fine, background.normal(fine).real, color=GREY, ls=":", label="normal state")
        bottom.errorbar(sigma_h.nu_thz, sigma_h.sigma_h, sigma_h.error, fmt="o", ms=3, lw=0.9, color=BLUE,
                        label=r"$\sigma_H$")
        bottom.axhline(0, color=GREY, lw=0.8)
        _mark(top, omega, GREEN, r"$\Omega$")
        _mark(bottom, peak, ORANGE, "peak")
        top.set_ylabel(rf"$\sigma_1$ {CONDUCTIVITY}")
        bottom.set(xlabel=NU, ylabel=rf"$\sigma_H$ {CONDUCTIVITY}")
        for axis in (top, bottom):
            axis.legend(loc="upper left", bbox_to_anchor=(0.0, 1.22), ncols=4, columnspacing=1.2)
        if plain is not None and plain.fits:
            text = r"plain superconductor fits: no excess resolved, no $\Omega$ and no peak"
            figure.suptitle(text, fontsize=7,
                            color=RED, weight="bold")
            return _judged(figure)
        return _judged(figure, plain, "Plain BCS film")


def draw_correlation(fit: FitResult | MountFit) -> NotebookFigure:
    """Draw the correlation matrix of the fitted parameters, with numbers in the cells."""
    with styled():
        n = len(fit.names)
        figure = new_figure(1.8 + 0.35 * max(n, 5), 1.1 + 0.33 * max(n, 5))
        axis = figure.subplots()
        image = axis.imshow(fit.correlation, cmap="PuOr", vmin=-1, vmax=1)
        for i, j in np.ndindex(n, n):
            value = round(float(fit.correlation[i, j]), 2)
            axis.text(j, i, f"{value:.2f}" if value else "0", ha="center", va="center", fontsize=5,
                      color="white" if abs(value) > 0.6 else "black")
        axis.set_xticks(range(n), list(fit.names), rotation=60, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(n), list(fit.names))
        figure.colorbar(image, ax=axis, label="correlation", shrink=0.8)
        return _judged(figure, None if fit.quality.fits else fit.quality, "Fit")


def draw_weight_line(films: Mapping[str, FilmAnalysis], line: LineFit) -> NotebookFigure:
    """Draw missing weight N against superfluid density, one point for each film, and the line through zero.

    Films whose sigma1 and sigma2 contradict each other are crosses, and the worst verdict is the heading.
    """
    with styled():
        figure = new_figure(4.1, 3.1)
        axis = figure.subplots()
        for name, film in films.items():
            density, weight = film.superfluid.omega_sigma2_mev, film.weight.extended
            fine = film.superfluid.consistent.fits
            axis.errorbar(density.value, weight.value, weight.error, density.error,
                          fmt="o" if fine else "X", ms=5, color=BLUE if fine else RED)
            axis.annotate(name if fine else f"{name} (rejected)", (density.value, weight.value),
                          xytext=(7, -3), textcoords="offset points", va="top", fontsize=6.5)
        end = 1.2 * max(film.superfluid.omega_sigma2_mev.value for film in films.values())
        axis.plot([0, end], [0, line.slope.value * end], color=RED, zorder=0,
                  label=f"N = ({line.slope.value:.3f} ± {line.slope.error:.3f}) $\\rho_s$, "
                        f"$\\chi^2$/dof = {line.chi2:.1f}/{line.dof}")
        axis.set(xlim=(0, end), xlabel=rf"$\rho_s = \lim\,\hbar\omega\sigma_2$ {WEIGHT}",
                 ylabel=f"missing weight N {WEIGHT}")
        axis.set_ylim(bottom=0)
        axis.legend(loc="upper left")
        bad = {name: f.superfluid.consistent for name, f in films.items() if not f.superfluid.consistent.fits}
        worst = max(bad.values(), key=lambda v: v.chi2 / v.dof, default=None)
        return _judged(figure, worst, f"Kramers-Kronig of {' and '.join(bad)}")


def draw_comparison(theory: TheoryCurve, data: ExcessConductivity, answer: Comparison,
                    thickness_nm: float) -> NotebookFigure:
    """Draw sigma_H and the simulated sigma(omega) on the axes of the film, at the best E_J and amplitude."""
    with styled():
        figure = new_figure(4.5, 3.0)
        paint_comparison(figure.subplots(), theory, data, answer, thickness_nm)
        return _judged(figure, answer.quality, "Theory")


def paint_comparison(
    axis: Axes, theory: TheoryCurve, data: ExcessConductivity, answer: Comparison, thickness_nm: float
) -> None:
    """Draw sigma_H and the simulated sigma(omega) into axes."""
    nu, curve = to_laboratory(theory, answer.e_j_mev.value, thickness_nm)
    sigma, error = curve.value, curve.error
    shown = nu <= 1.1 * data.nu_thz[-1]
    sigma, error = answer.amplitude.value * sigma[shown], answer.amplitude.value * error[shown]
    axis.errorbar(data.nu_thz, data.sigma_h, data.error, fmt="o", ms=3, lw=0.9, color=BLUE,
                  label=r"$\sigma_H$")
    e_j = answer.e_j_mev
    axis.plot(nu[shown], sigma, color=RED,
              label=f"theory, $E_J$ = {e_j.value:.3f} [{e_j.low:.3f}, {e_j.high:.3f}] meV, "
                    f"amplitude {answer.amplitude.value:.3g}")
    axis.fill_between(nu[shown], sigma - error, sigma + error, color=RED, alpha=0.2, lw=0)
    axis.axhline(0, color=GREY, lw=0.8)
    axis.set(xlabel=NU, ylabel=rf"$\sigma_H$ {CONDUCTIVITY}")
    axis.legend(loc="upper left", bbox_to_anchor=(0.0, 1.14), ncols=2, columnspacing=1.2)
