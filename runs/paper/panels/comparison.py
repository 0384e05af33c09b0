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
    GREEN,
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

LAYER_NM = (4.0, 8.0)
"""Thickness of one plane of the array: about a coherence length of NbN. From memory of the literature."""

KELVIN_MEV = 0.0861733  # k_B in meV/K
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


def _e_j_of_layers(film: Film, theory: TheoryCurve) -> tuple[float, float]:
    """Return E_J in meV from the stiffness of the film, for planes as thick as the two of `LAYER_NM`."""
    whole = e_j_from_stiffness(film.found.stiffness_mev.value, theory.rho_s)
    film_nm = film.found.background.setup.sample.film_nm
    return whole * LAYER_NM[0] / film_nm, whole * LAYER_NM[1] / film_nm


def _e_j_of_temperature(data: Reproduction, film: Film, point: StudyPoint) -> float | None:
    """Return E_J in meV from T_c of the film and T_c/E_J of the array at the same p, or None."""
    found = data.temperatures.get(point.model.p)
    return None if found is None else KELVIN_MEV * film.tc_k / found.T_c.value


def _absolute(axis: Axes, film: Film, point: StudyPoint, theory: TheoryCurve) -> None:
    """Draw sigma of the array without any free number: E_J from the stiffness, planes of `LAYER_NM`."""
    for e_j, layer, style in zip(_e_j_of_layers(film, theory), LAYER_NM, ("-", ":"), strict=True):
        nu, curve = to_laboratory(theory, e_j, layer)
        inside = nu <= 1.05 * film.found.sigma_h.nu_thz[-1]
        axis.plot(nu[inside], curve.value[inside], color=GREEN, ls=style, lw=0.9,
                  label=f"nothing free, planes of {layer:g} nm")  # fmt: skip


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
    axis.set(xlabel=r"$\nu$ (THz)", xlim=(0, 1.05 * float(excess.nu_thz[-1])), ylim=(-0.2 * top, 2.5 * top))
    e_j, (thick, thin) = answer.e_j_mev, _e_j_of_layers(film, theory)
    _absolute(axis, film, point, theory)
    verdict = "not excluded" if answer.quality.fits else "do NOT agree"
    axis.text(
        0.97,
        0.66,
        f"$E_J$ = {e_j.value:.2f} [{e_j.low:.2f}, {e_j.high:.2f}] meV\n"
        f"from stiffness: {thick:.0f} to {thin:.0f} meV\namplitude {answer.amplitude.value:.3g}\n"
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
        thick, thin = _e_j_of_layers(film, theory)
        by_T = _e_j_of_temperature(data, film, point)
        parts.append(
            f"{film.tc_k:g} K beside p = {point.model.p:g}: {answer.quality.text}; E_J fitted to the "
            f"spectrum {answer.e_j_mev.value:.3g} meV, from T_c of the film "
            + ("(not simulated)" if by_T is None else f"{by_T:.3g} meV")
            + f", from its stiffness {thick:.3g} to {thin:.3g} meV; at the "
            f"{LOWEST} lowest frequencies {_lowest(film, theory, answer)}"
        )
    return (
        "Points: sigma_H = sigma1 - sigma1 of the superconductor of gap Delta_t, of SYNTHETIC films. Lines: "
        "SIMULATED sigma(omega) of the array with 68 % bands, on the axes of the film. Red: E_J and the "
        "amplitude free. Green: absolute units and nothing free, E_J from the stiffness of the film, one "
        f"plane of the array being {LAYER_NM[0]:g} or {LAYER_NM[1]:g} nm thick (about a coherence length), a "
        "film several planes. "
        + "; ".join(parts)
        + ". Films and simulation disagree here: the E_J of the stiffness lies 5 to 20 times above the E_J "
        "of T_c, and both miss the spectrum. Units are not the reason (stiffness and conductivity of a film "
        "give back the numbers put in); the planes account for a factor of 2.5 to 5 and are counted. The "
        "model is: a film of this T_c and stiffness has J_s far above k_B T_c, so pair breaking sets its "
        "T_c, while in the array phase fluctuations do, at 0.56 E_J or less. An array with the stiffness of "
        "the film absorbs at energies of order E_J, far above the THz window; the synthetic mode lies at a "
        "few tenths of a THz. The agreement "
        "claimed by the paper is therefore neither confirmed nor "
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
