"""Figures 3b and 3c of the paper: missing weight and superfluid density of SYNTHETIC films and the array."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sitqmc.analytic import line_through_origin
from sitqmc.analytic.film.derived import LineFit
from sitqmc.estimate import Estimate
from sitqmc.runs.paper.panels.panel import (
    BLUE,
    COLUMN,
    GREY,
    MM,
    ORANGE,
    PAGE,
    RED,
    WEIGHT,
    Panel,
    Series,
    finished,
    letter,
    new_figure,
    number_series,
    styled,
    value_series,
)
from sitqmc.runs.paper.studies.dataset import P_C, Reproduction
from sitqmc.runs.paper.studies.spectra import MISSING
from sitqmc.runs.paper.studies.thermal import fit_power

Array = NDArray[np.float64]

BESIDE: dict[str, Any] = {"xytext": (5, -8), "textcoords": "offset points", "fontsize": 6}
SLOPE = r"sum rule, slope $\pi/2$ = 1.571"


def figure_3b(data: Reproduction) -> Figure:
    """Draw missing weight N and rho_s of the films against Tc, and of the array against p."""
    with styled():
        figure = new_figure(PAGE, 62 * MM)
        count = 3 if data.temperatures else 2
        left, right, *more = figure.subplots(1, count)
        tc = [film.tc_k for film in data.films.values()]
        weights, fluids = _film_weights(data)
        for values, marker, colour, label in (
            (weights, "o", BLUE, "missing weight N"),
            (fluids, "s", ORANGE, r"$\rho_s = \lim\,\hbar\omega\sigma_2$"),
        ):
            left.errorbar(
                tc, values[:, 0], values[:, 1], fmt=marker, ms=4, color=colour, capsize=2, label=label
            )
        for film, weight in zip(data.films.values(), weights, strict=True):
            if not film.found.superfluid.consistent.fits:
                left.annotate(
                    "(!)", (film.tc_k, weight[0]), xytext=(4, 4), textcoords="offset points", color=RED
                )
        left.set(
            xlabel=r"$T_c$ (K), SYNTHETIC films", ylabel=f"weight {WEIGHT}", yscale="log", xlim=(3.5, 10.2)
        )
        left.legend(loc="upper left")
        _array_weights(right, data)
        if more:
            _stiffness_by_tc(more[0], data)
        for axis, name in zip((left, right, *more), "abc", strict=False):
            letter(axis, name)
        return finished(figure)


def stiffness_against_temperature(data: Reproduction) -> tuple[list[Estimate], list[Estimate]]:
    """Return T_c and rho_s at the lowest temperature of all superfluids with a T_c."""
    points = [q for q in data.dirty if q.model.p in data.temperatures]
    return ([data.temperatures[q.model.p].T_c for q in points],
            [q.averages.values["rho_s"] for q in points])  # fmt: skip


def _stiffness_by_tc(axis: Axes, data: Reproduction) -> None:
    """Draw rho_s(T = 0.08 E_J) of the array against T_c, with the jump and a power law."""
    T_c, rho = stiffness_against_temperature(data)
    x, y = np.array([e.value for e in T_c]), np.array([e.value for e in rho])
    axis.errorbar(x, y, [e.error for e in rho], [e.error for e in T_c], fmt="s", ms=3.5, lw=0.7, color=ORANGE,
                  capsize=1.5, label=r"$\rho_s$, T = 0.08 $E_J$")  # fmt: skip
    fine = np.linspace(0, 1.1 * float(x.max(initial=0.1)), 100)
    axis.plot(fine, 2 / np.pi * fine, color=GREY, ls="--", lw=0.8, label=r"$2T_c/\pi$: size of the jump")
    law = fit_power(T_c, rho, 1.0)
    if law is not None:
        axis.plot(fine, law(fine), color=RED, lw=0.8, label=rf"$\propto T_c$; best power {law.free}")
    axis.set(xlabel=r"$T_c$ ($E_J$), SIMULATED", ylabel=r"$\rho_s$ ($E_J$)", xlim=(0, None), ylim=(0, 0.8))
    axis.legend(loc="upper left")


def _film_weights(data: Reproduction) -> tuple[Array, Array]:
    """Return extended missing weight and stiffness with errors, each (films, 2)."""
    films = data.films.values()
    weights = np.array([[f.found.weight.extended.value, f.found.weight.extended.error] for f in films])
    densities = [f.found.superfluid.omega_sigma2_mev for f in films]
    fluids = np.array([[d.value, d.error] for d in densities])
    return weights, fluids


def _array_weights(axis: Axes, data: Reproduction) -> None:
    """Draw rho_s, the regular weight, and <-k_x>."""
    p = [point.model.p for point in data.dirty]
    averages = [point.averages.values for point in data.dirty]
    total, rho = (np.array([[v[k].value, v[k].error] for v in averages]) for k in ("minus_k", "rho_s"))
    for values, marker, colour, label in (
        (total, "^-", GREY, r"$\langle -k_x\rangle$: all weight"),
        (rho, "s-", ORANGE, r"$\rho_s$: in the delta function"),
        (_regular(data), "o-", BLUE, r"N = $(2/\pi)\int\sigma$: regular"),
    ):
        axis.errorbar(p, values[:, 0], values[:, 1], fmt=marker, ms=3, lw=0.7, color=colour, label=label)
    axis.axvline(P_C, color=GREY, ls="--", lw=0.8)
    axis.set(xlabel="fraction of missing bonds p, SIMULATED", ylabel=r"weight ($E_J$)", ylim=(0, 0.8))
    axis.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")


def _regular(data: Reproduction) -> Array:
    """Return the weight of the continued sigma with error (points, 2), from its sum rule and stiffness."""
    out = []
    for point in data.dirty:
        kinetic, scales = point.averages.values["minus_k"].value, point.scales
        if "sum_rule" not in scales or "stiffness" not in scales:
            out.append([float("nan"), float("nan")])
            continue
        rule, rho = scales["sum_rule"], scales["stiffness"]
        out.append([rule.value * kinetic - rho.value, float(np.hypot(rule.error * kinetic, rho.error))])
    return np.array(out)


def caption_3b(data: Reproduction) -> str:
    """Return the caption: which weights are compared."""
    bad = [name for name, film in data.films.items() if not film.found.superfluid.consistent.fits]
    failed = f" Failed Kramers-Kronig check, marked (!): {', '.join(bad)}." if bad else ""
    return (
        "(a) SYNTHETIC films: missing spectral weight N = int (sigma1_n - sigma1_s) d(hbar omega), measured "
        "window extended by the model, and superfluid density rho_s = lim hbar omega sigma2; errors of N "
        "cover the measured window only. (b) SIMULATED array: all weight <-k_x>, the part in the delta "
        "function (rho_s, measured by windings) and the part in the continued regular sigma; the last is "
        "not imposed, so that the two lower curves adding up to the upper one is a check. Weight moves from "
        "the delta function into finite frequencies while all weight shrinks." + _by_tc_words(data) + failed
    )


def _by_tc_words(data: Reproduction) -> str:
    if not data.temperatures:
        return ""
    law = fit_power(*stiffness_against_temperature(data), 1.0)
    power = "" if law is None else f" A power law fits best with T_c^{law.free}."
    return (
        " (c) SIMULATED array: rho_s at the lowest temperature against T_c of the same p. All points lie "
        "above 2 T_c/pi, the jump of rho_s at T_c: the rest was lost to thermal phase fluctuations." + power
    )


def curves_3b(data: Reproduction) -> list[Series]:
    """Return the weights of films and array."""
    tc = [film.tc_k for film in data.films.values()]
    weights, fluids = _film_weights(data)
    p, regular = [point.model.p for point in data.dirty], _regular(data)
    unit = "weight/(meV/(ohm cm))"
    out = [
        value_series("SYNTHETIC N", "Tc/K", unit, tc, weights[:, 0], weights[:, 1]),
        value_series("SYNTHETIC rho_s", "Tc/K", unit, tc, fluids[:, 0], fluids[:, 1]),
        value_series("simulated N", "p", "weight/E_J", p, regular[:, 0], regular[:, 1]),
        number_series("simulated sum rule", "p", "1", p,
                      [point.scales.get("sum_rule", MISSING) for point in data.dirty]),
    ]  # fmt: skip
    if data.temperatures:
        T_c, rho = stiffness_against_temperature(data)
        x = [e.value for e in T_c]
        out.append(number_series("simulated rho_s by T_c", "T_c/E_J", "rho_s/E_J", x, rho))
        out.append(number_series("simulated T_c", "p", "T_c/E_J", list(data.temperatures),
                                 [found.T_c for found in data.temperatures.values()]))  # fmt: skip
    for name in ("rho_s", "minus_k"):
        found = [point.averages.values[name] for point in data.dirty]
        out.append(
            value_series(
                f"simulated {name}",
                "p",
                "weight/E_J",
                p,
                [e.value for e in found],
                [float(e.error) for e in found],
            )
        )
    return out


def weight_line(data: Reproduction) -> LineFit:
    """Return the line of N against rho_s through the origin."""
    weights, fluids = _film_weights(data)
    return line_through_origin(fluids[:, 0], fluids[:, 1], weights[:, 0], weights[:, 1])


def figure_3c(data: Reproduction) -> Figure:
    """Draw missing weight against rho_s of films and array, and the slope of the sum rule."""
    with styled():
        figure = new_figure(PAGE if data.dirty else COLUMN, 70 * MM)
        axes = figure.subplots(1, 2 if data.dirty else 1, squeeze=False)[0]
        _film_line(axes[0], data)
        if data.dirty:
            _array_line(axes[1], data)
            for axis, name in zip(axes, "ab", strict=True):
                letter(axis, name)
        return finished(figure)


def _film_line(axis: Axes, data: Reproduction) -> None:
    weights, fluids = _film_weights(data)
    line, end = weight_line(data), 1.15 * float(fluids[:, 0].max())
    axis.errorbar(fluids[:, 0], weights[:, 0], weights[:, 1], fluids[:, 1], fmt="o", ms=4, color=BLUE,
                  capsize=2, label="SYNTHETIC films")  # fmt: skip
    axis.plot([0, end], [0, np.pi / 2 * end], color=GREY, ls="--", label=SLOPE)
    axis.plot([0, end], [0, line.slope.value * end], color=RED,
              label=f"fit, slope {line.slope}, " + rf"$\chi^2$/dof = {line.chi2:.1f}/{line.dof}")  # fmt: skip
    for film, x, y in zip(data.films.values(), fluids[:, 0], weights[:, 0], strict=True):
        mark = "" if film.found.superfluid.consistent.fits else " (!)"
        axis.annotate(f"{film.tc_k:g} K{mark}", (x, y), **BESIDE)
    axis.set(
        xlim=(0, end), xlabel=rf"$\rho_s = \lim\,\hbar\omega\sigma_2$ {WEIGHT}",
        ylabel=f"missing weight N {WEIGHT}",
    )  # fmt: skip
    axis.set_ylim(0, 1.25 * float(weights[:, 0].max()))
    axis.ticklabel_format(style="sci", axis="both", scilimits=(0, 0), useMathText=True)
    axis.legend(loc="upper left")


def array_weights(data: Reproduction) -> tuple[list[float], list[Estimate], list[Estimate]]:
    """Return p, rho_s, and the weight (pi/2) <-k_x> - int sigma that the regular part misses, E_J."""
    p, rho, missing = [], [], []
    for point, (regular, error) in zip(data.dirty, _regular(data), strict=True):
        total = point.averages.values["minus_k"]
        if np.isfinite(regular):
            p.append(point.model.p)
            rho.append(point.averages.values["rho_s"])
            missing.append(total.minus(Estimate(float(regular), float(error))).scaled(np.pi / 2))
    return p, rho, missing


def _array_line(axis: Axes, data: Reproduction) -> None:
    """Draw the weight that sigma of the array misses against rho_s from windings."""
    p, rho, missing = array_weights(data)
    x, y = np.array([e.value for e in rho]), np.array([e.value for e in missing])
    end = 1.15 * float(x.max(initial=0.1))
    axis.errorbar(x, y, [e.error for e in missing], [e.error for e in rho], fmt="s", ms=3.5, lw=0.7,
                  capsize=1.5, color=ORANGE, label="SIMULATED array, all p")  # fmt: skip
    axis.plot([0, end], [0, np.pi / 2 * end], color=GREY, ls="--", label=SLOPE)
    for value in (0.0, 0.1, 0.2, 0.3):
        for i in (i for i, q in enumerate(p) if abs(q - value) < 1e-9):
            axis.annotate(f"p = {value:g}", (x[i], y[i]), **BESIDE)
    axis.set(xlim=(0, end), ylim=(0, None), xlabel=r"$\rho_s$ from windings ($E_J$)",
             ylabel=r"$\frac{\pi}{2}\langle -k_x\rangle - \int\sigma\,d\omega$ ($E_J$)")  # fmt: skip
    axis.legend(loc="upper left")


def caption_3c(data: Reproduction) -> str:
    """Return the caption: the slope and its difference from pi/2."""
    line = weight_line(data)
    shares = ", ".join(f"{100 * film.found.weight.share:.0f} %" for film in data.films.values())
    away = abs(line.slope.pull(np.pi / 2))
    return (
        "SYNTHETIC films, not measurements. Missing weight N against rho_s, both in meV/(ohm cm); the "
        "Ferrell-Glover-Tinkham sum rule asks for the slope pi/2. Fit through the origin: "
        f"{line.slope}, chi2/dof = {line.chi2:.1f}/{line.dof}, {away:.1f} standard "
        f"errors from pi/2. Only {shares} of N (from the least to the most disordered film) lies in the "
        "measured window; the model gives the rest, and the bars do not contain its error. The mode of the "
        "synthetic films takes its weight from the delta function, so the sum rule holds in the truth: a "
        "slope off pi/2 shows the error of the extension (which knows no mode), not a violation."
        " (b) SIMULATED array: the weight that the continued sigma misses, against rho_s from windings; the "
        "f-sum rule, which is not imposed, puts all p on the dashed line."
    )


def curves_3c(data: Reproduction) -> list[Series]:
    """Return points and line."""
    weights, fluids = _film_weights(data)
    line, unit = weight_line(data), "N/(meV/(ohm cm))"
    x = np.array([0.0, float(fluids[:, 0].max())])
    _, rho, missing = array_weights(data)
    array = number_series("simulated array", "rho_s/E_J", "missing/E_J", [e.value for e in rho], missing)
    return [
        array,
        value_series(
            "SYNTHETIC films", "rho_s/(meV/(ohm cm))", unit, fluids[:, 0], weights[:, 0], weights[:, 1]
        ),
        value_series("fit", "rho_s/(meV/(ohm cm))", unit, x, line.slope.value * x, line.slope.error * x),
        value_series("sum rule", "rho_s/(meV/(ohm cm))", unit, x, np.pi / 2 * x, 0 * x),
    ]


PANELS = (
    Panel("3b", "Fig. 3b: missing weight and stiffness", figure_3b, caption_3b, curves_3b),
    Panel("3c", "Fig. 3c: the sum rule of SYNTHETIC films", figure_3c, caption_3c, curves_3c),
)
