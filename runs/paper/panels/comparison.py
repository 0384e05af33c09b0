"""Figure 3 of the paper: SYNTHETIC films beside the simulation."""

from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sitqmc.analytic import (
    Comparison,
    TheoryCurve,
    compare,
    e_j_from_stiffness,
    to_laboratory,
)
from sitqmc.estimate import Estimate
from sitqmc.runs.paper.panels.panel import (
    BLUE,
    GREY,
    MM,
    PAGE,
    RED,
    Panel,
    Series,
    finished,
    letter,
    new_figure,
    styled,
    value_series,
)
from sitqmc.runs.paper.studies.dataset import Reproduction
from sitqmc.runs.paper.studies.films import DILUTION, Film
from sitqmc.runs.paper.studies.spectra import StudyPoint

Array = NDArray[np.float64]

ANY_AMPLITUDE = Estimate(1.0, 100.0)
"""Prior of the factor between the array and the film: practically free."""

LOWEST = 3  # points at the lower end of a scan
CONDUCTIVITY = r"($\Omega^{-1}$ cm$^{-1}$)"


def matched(data: Reproduction) -> list[tuple[Film, StudyPoint, TheoryCurve, Comparison]]:
    """Return the films of Fig. 3a with the simulation at their dilution, and fits of E_J and amplitude."""
    return list(_matched(data))


@lru_cache(maxsize=4)
def _matched(data: Reproduction) -> tuple[tuple[Film, StudyPoint, TheoryCurve, Comparison], ...]:
    out = []
    for name, p in DILUTION.items():
        point = next((a for a in data.dirty if abs(a.model.p - p) < 1e-9 and "sigma" in a.spectra), None)
        if point is None:
            continue
        film, curve = data.films[name], point.spectra["sigma"]
        inside = curve.omega > 0
        error = (curve.high - curve.low)[inside] / 2
        theory = TheoryCurve(
            omega=curve.omega[inside],
            sigma=curve.value[inside],
            error=error,
            rho_s=point.averages.values["rho_s"].value,
        )
        answer = compare(
            theory, film.found.sigma_h, film.found.background.setup.sample.film_nm, amplitude=ANY_AMPLITUDE
        )
        out.append((film, point, theory, answer))
    return tuple(out)


def figure_3a(data: Reproduction) -> Figure:
    """Draw sigma_H of three films and the simulated sigma at their dilutions, one pair in each panel."""
    with styled():
        figure = new_figure(PAGE, 62 * MM)
        axes = figure.subplots(1, 3, sharey=False)
        pairs = matched(data)
        for axis, (film, point, theory, answer) in zip(axes, pairs, strict=False):
            _pair(axis, film, point, theory, answer)
        for axis in axes[len(pairs) :]:
            axis.text(0.5, 0.5, "not simulated at this size", ha="center", transform=axis.transAxes)
        for axis, name in zip(axes, "abc", strict=True):
            letter(axis, name)
        axes[0].set_ylabel(rf"$\sigma_H$ {CONDUCTIVITY}")
        return finished(figure)


def _pair(axis: Axes, film: Film, point: StudyPoint, theory: TheoryCurve, answer: Comparison) -> None:
    excess = film.found.sigma_h
    nu, curve = to_laboratory(theory, answer.e_j_mev.value, film.found.background.setup.sample.film_nm)
    sigma, error = curve.value, curve.error
    keep = nu <= 1.05 * excess.nu_thz[-1]
    y, half = answer.amplitude.value * sigma[keep], answer.amplitude.value * error[keep]
    axis.fill_between(nu[keep], y - half, y + half, color=RED, alpha=0.2, lw=0)
    mark = "" if answer.quality.fits else " (!)"
    axis.plot(nu[keep], y, color=RED, label=f"SIMULATED, p = {point.model.p:g}{mark}")
    axis.errorbar(
        excess.nu_thz,
        excess.sigma_h,
        excess.error,
        fmt="o",
        ms=3,
        lw=0.7,
        capsize=1.5,
        color=BLUE,
        label=rf"$\sigma_H$, SYNTHETIC, $T_c$ = {film.tc_k:g} K",
    )
    axis.axhline(0, color=GREY, lw=0.6)
    top = max(float((excess.sigma_h + excess.error).max()), float(y.max()))
    axis.set(xlabel=r"$\nu$ (THz)", xlim=(0, 1.05 * float(excess.nu_thz[-1])), ylim=(-0.2 * top, 1.8 * top))
    e_j, stiff = answer.e_j_mev, e_j_from_stiffness(film.found.stiffness_mev.value, theory.rho_s)
    verdict = "not excluded" if answer.quality.fits else "do NOT agree"
    axis.text(
        0.97,
        0.76,
        f"$E_J$ = {e_j.value:.2f} [{e_j.low:.2f}, {e_j.high:.2f}] meV\n"
        f"from stiffness: {stiff:.0f} meV\namplitude {answer.amplitude.value:.3g}\n"
        rf"{verdict}: $\chi^2$/dof = {answer.quality.chi2 / answer.quality.dof:.1f}",
        transform=axis.transAxes,
        va="top",
        ha="right",
        fontsize=6,
    )
    axis.legend(loc="upper left", handlelength=1.2)


def caption_3a(data: Reproduction) -> str:
    """Return the caption: which axes were scaled, and the E_J that the stiffness of the film implies."""
    parts = []
    for film, point, theory, answer in matched(data):
        e_j = e_j_from_stiffness(film.found.stiffness_mev.value, theory.rho_s)
        parts.append(
            f"{film.tc_k:g} K beside p = {point.model.p:g}: {answer.quality.text}; fitted E_J = "
            f"{answer.e_j_mev.value:.3g} meV, E_J from the stiffness of the film {e_j:.3g} meV; at the "
            f"{LOWEST} lowest frequencies {_lowest(film, theory, answer)}"
        )
    return (
        "Points: sigma_H = sigma1 - sigma1 of the superconductor of gap Delta_t, of SYNTHETIC films. Lines: "
        "SIMULATED sigma(omega) of the array with 68 % bands, on the axes of the film with E_J and the "
        "amplitude free. "
        + "; ".join(parts)
        + ". If the fitted E_J is "
        "far from the E_J of the stiffness, the match is artificial: the synthetic mode was placed at a few "
        "tenths of a THz, while an array with the stiffness of the film absorbs at energies of order E_J. "
        "The agreement claimed by the paper is therefore neither confirmed nor "
        "refuted here: that needs measured films, and low-frequency weight of the array resolved below 0.3 "
        "E_J (larger beta)."
    )


def _lowest(film: Film, theory: TheoryCurve, answer: Comparison) -> str:
    """Return the means of points and line at the lowest frequencies, below the mode of the films."""
    excess = film.found.sigma_h
    nu, curve = to_laboratory(theory, answer.e_j_mev.value, film.found.background.setup.sample.film_nm)
    sigma = curve.value
    points = float(excess.sigma_h[:LOWEST].mean())
    line = float(np.interp(excess.nu_thz[:LOWEST], nu, answer.amplitude.value * sigma).mean())
    return f"the points have {points:.0f}, the line has {line:.0f} 1/(ohm cm)"


def curves_3a(data: Reproduction) -> list[Series]:
    """Return the excess conductivity and the scaled theory."""
    out, unit = list[Series](), "sigma/(1/(ohm cm))"
    for film, point, theory, answer in matched(data):
        excess = film.found.sigma_h
        nu, curve = to_laboratory(theory, answer.e_j_mev.value, film.found.background.setup.sample.film_nm)
        sigma, error = curve.value, curve.error
        a = answer.amplitude.value
        out += [
            value_series(f"SYNTHETIC sigma_H Tc={film.tc_k:g}K", "nu/THz", unit, excess.nu_thz,
                         excess.sigma_h, excess.error),
            value_series(f"simulated p={point.model.p:g}, scaled", "nu/THz", unit, nu, a * sigma, a * error),
        ]  # fmt: skip
    return out


PANELS = (
    Panel(
        "3a", "Fig. 3a: sigma_H of SYNTHETIC films beside the simulation", figure_3a, caption_3a, curves_3a
    ),
)
