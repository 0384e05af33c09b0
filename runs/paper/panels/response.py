"""Beyond the paper: scalar response, and low frequencies without continuation."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitqmc.estimate import Estimate
from sitqmc.runs.paper.panels.panel import (
    BLUE,
    GREY,
    MM,
    PAGE,
    RED,
    Panel,
    Series,
    colour_of,
    curve_series,
    finished,
    letter,
    new_figure,
    number_series,
    styled,
    value_series,
    with_interval,
)
from sitqmc.runs.paper.panels.transition import energy_scale, select_curves, stacked
from sitqmc.runs.paper.studies.dataset import P_C, SIGMA_C, Reproduction

SCALAR = r"$\chi_s''$ (per site, $1/E_J$)"


def figure_scalar(data: Reproduction) -> Figure:
    """Draw chi_s''(omega) and sigma(omega) of the same samples of the diluted array."""
    with styled():
        figure = new_figure(PAGE, 72 * MM)
        left, right = figure.subplots(1, 2)
        points = select_curves(data.dirty, most=6, always=())
        stacked(left, points, lambda point: f"p = {point.model.p:g}")
        stacked(right, points, lambda point: f"p = {point.model.p:g}", "scalar", SCALAR)
        letter(left, "a")
        letter(right, "b")
        return finished(figure)


def caption_scalar(data: Reproduction) -> str:
    """Return the caption: the lowest peaks of both responses."""
    parts = []
    for point in select_curves(data.dirty, most=6, always=()):
        one, two = energy_scale(point, "m_h_sigma"), energy_scale(point, "m_h_scalar")
        parts.append(
            f"p = {point.model.p:g}: sigma {with_interval(one)}, chi_s'' {with_interval(two)}"
        )
    return (
        "SIMULATED, both from the same chains and bond masks. (a) sigma(omega); (b) response of the bond "
        "energy, the scalar (Higgs) correlator, contact term solved with it, disconnected part subtracted "
        "sample by sample. 68 % bands. Lowest peaks in E_J, with intervals: "
        + "; ".join(parts)
        + ". The paper reads the low-frequency excess of sigma as the Higgs mode; Puschmann et al. (PRL "
        "125, 027002) and Crewse and Vojta find the scalar response of a disordered system broad and "
        "non-critical. What both panels show is drawn as it is; where the intervals overlap, the data "
        "decide nothing. A dashed line, (!), is a fit that a check calls poor."
    )


def curves_scalar(data: Reproduction) -> list[Series]:
    """Return chi_s'' of every point, and its peaks."""
    out = [
        curve_series(f"chi_s'' p={point.model.p:g}", "omega/E_J", "chi_s''", point.spectra["scalar"])
        for point in data.dirty if "scalar" in point.spectra
    ]  # fmt: skip
    x = [point.model.p for point in data.dirty]
    return [*out, *(number_series(name, "p", "energy/E_J", x, [energy_scale(q, name) for q in data.dirty])
                    for name in ("m_h_sigma", "m_h_scalar"))]  # fmt: skip


# --- low frequencies ------------------------------------------------------------------------------------


def figure_low(data: Reproduction) -> Figure:
    """Draw beta^2 Lambda(beta/2)/pi against p by size, and at p_c against L by temperature."""
    with styled():
        figure = new_figure(PAGE, 66 * MM)
        left, right = figure.subplots(1, 2)
        sizes = low_sizes(data)
        for i, L in enumerate(sizes):
            p, y, error = _low(data, L)
            shift = 0.0015 * (i - (len(sizes) - 1) / 2)
            colour = colour_of(i / max(len(sizes) - 1, 1))
            left.errorbar(p + shift, y, error, fmt="osD^v"[i % 5], ms=3, lw=0.7, capsize=1.5, color=colour,
                          label=f"L = {L}")  # fmt: skip
        left.axvline(P_C, ymax=0.8, color=GREY, ls="--", lw=0.8)
        left.set(xlabel="fraction of missing bonds p")
        left.set_ylabel(r"$\beta^2\Lambda_{xx}(\beta/2)/\pi$ ($4e^2/h$)")
        by_beta = data.critical
        for i, (beta, by_size) in enumerate(by_beta.items()):
            y, error = np.array([[e.value, e.error] for e in by_size.values()]).T
            colour = colour_of(i / max(len(by_beta) - 1, 1))
            right.errorbar(list(by_size), y, error, fmt="osD^v"[i % 5] + "-", ms=3, lw=0.7, capsize=1.5,
                           color=colour, label=f"T = {1 / beta:.2f} $E_J$")  # fmt: skip
        right.set(xlabel="L", title=f"p = {P_C:g}")
        right.set_ylim(0, 1.2 * right.get_ylim()[1])
        for axis, name in ((left, "a"), (right, "b")):
            axis.axhline(SIGMA_C, color=RED, ls="--", lw=0.8, label=r"about 0.5 at $p_c$ (published)")
            axis.axhline(0, color=GREY, lw=0.5)
            low, high = axis.get_ylim()
            axis.set_ylim(low, high + 0.3 * (high - low))
            axis.legend(loc="upper left", ncols=2)
            letter(axis, name)
        return finished(figure)


def low_sizes(data: Reproduction) -> list[int]:
    """Return the sizes with a low-frequency conductivity."""
    return [L for L in data.studies["dirty"].sizes if _low(data, L)[0].size]


def _low(data: Reproduction, L: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = [q for q in data.studies["dirty"].at(L) if q.sigma_low.is_known]
    values, errors = (np.array([getattr(q.sigma_low, key) for q in points]) for key in ("value", "error"))
    return np.array([q.model.p for q in points]), values, errors


def caption_low(data: Reproduction) -> str:
    """Return the caption: the values at p_c with their errors."""
    by_beta = data.critical
    parts = [
        f"T = {1 / beta:.3f} E_J: " + ", ".join(f"{e} (L = {L})" for L, e in by_size.items())
        for beta, by_size in by_beta.items()
    ]
    return (
        "SIMULATED. beta^2 Lambda_xx(beta/2)/pi, a low-frequency conductivity that needs no continuation: "
        "it equals sigma(omega -> 0) where sigma is flat below 2 pi T. (a) By size at the coldest "
        f"temperature. (b) At p = {P_C:g} by temperature: that of a large array where the curve is flat. "
        + "; ".join(parts)
        + ". Published: about 0.5. The alternating sum behind it amplifies noise, growing as beta^2: at "
        "small p, where the exact value is nearly 0, the data only scatter about 0. Not resolved: the "
        "difference from the clean critical value."
    )


def curves_low(data: Reproduction) -> list[Series]:
    """Return one curve for every size, and at p_c one for every temperature."""
    unit = "sigma_low/(4e^2/h)"
    out = [value_series(f"sigma_low L={L}", "p", unit, *_low(data, L)) for L in low_sizes(data)]
    for beta, by_size in data.critical.items():
        name = f"sigma_low at p_c, T={1 / beta:.4f}"
        out.append(number_series(name, "L", unit, by_size, by_size.values()))
    return out


# --- wave vectors and masks --------------------------------------------------------------------------------


def figure_modes(data: Reproduction) -> Figure:
    """Draw the scale of chi_s against |q|, and the distribution over masks of rho_s and of the gap."""
    with styled():
        figure = new_figure(PAGE, 62 * MM)
        left, middle, right = figure.subplots(1, 3)
        points = [q for q in data.studies["dirty"].largest if "chi_s" in q.waves]
        chosen = points[:: max(len(points) // 6, 1)]
        for i, point in enumerate(chosen):
            q, scale, error = point.waves["chi_s"].T
            colour = colour_of(i / max(len(chosen) - 1, 1))
            words = f"p = {point.model.p:g}"
            left.errorbar(q, scale, error, fmt=".", ms=3, lw=0.6, color=colour, label=words)
        left.set(xlabel="|q| (1/lattice constant)", ylabel=r"scale of $\chi_s(q)$ ($E_J$)", xlim=(0, None))
        left.set_ylim(0, 1.5 * left.get_ylim()[1])
        left.legend(loc="upper left", ncols=2, columnspacing=0.8, handlelength=1.0)
        _spread(middle, data, "rho_s", r"$\rho_s$ ($E_J$)", 0.0)
        _spread(right, data, "gap", r"decay of $G$ by mask ($E_J$)", 0.95 * P_C)
        for axis, name in zip((left, middle, right), "abc", strict=True):
            letter(axis, name)
        return finished(figure)


def _spread(axis: Axes, data: Reproduction, name: str, label: str, above: float) -> None:
    """Draw quantiles over masks against p, and the disorder mean."""
    points = [q for q in data.studies["dirty"].largest if name in q.quantiles and q.model.p > above - 1e-9]
    if not points:
        return
    p, table = [q.model.p for q in points], np.array([q.quantiles[name] for q in points])
    axis.fill_between(p, table[:, 0], table[:, -1], color=BLUE, alpha=0.15, lw=0, label="90 % of masks")
    axis.fill_between(p, table[:, 1], table[:, -2], color=BLUE, alpha=0.3, lw=0, label="50 %")
    axis.plot(p, table[:, 2], color=BLUE, label="median")
    if name == "gap":
        seen = [q for q in data.dirty if q.model.p > above and energy_scale(q, "pair_peak").is_known]
        y = np.array([energy_scale(q, "pair_peak").value for q in seen])
        ends = np.array([energy_scale(q, "pair_peak").interval() for q in seen]).reshape(-1, 2)
        axis.errorbar([q.model.p for q in seen], y, np.abs(ends - y[:, None]).T, fmt="o", ms=3, lw=0.7,
                      capsize=1.5, color=RED, label="peak of P, disorder mean")  # fmt: skip
    else:
        axis.plot(p, [q.estimate(name).value for q in points], "o", ms=3, color=RED, label="disorder mean")
    axis.axvline(P_C, ymax=0.6, color=GREY, ls="--", lw=0.8)
    axis.set(xlabel="fraction of missing bonds p", ylabel=label, ylim=(0, 1.3 * axis.get_ylim()[1]))
    axis.legend(loc="upper right" if name != "gap" else "upper left")


def caption_modes(data: Reproduction) -> str:
    """Return the caption: dispersion of the scales, and scatter over the masks."""
    points = [q for q in data.studies["dirty"].largest if "chi_s" in q.waves]
    parts = []
    for q in points[:: max(len(points) // 6, 1)]:
        first, last = (Estimate(*q.waves["chi_s"][i, 1:]) for i in (0, -1))
        parts.append(f"p = {q.model.p:g}: {first} to {last}")
    return (
        "SIMULATED. (a) Frequency where chi_s(q, i w_n) has fallen half the way from n = 1 to the largest n, "
        "by wave vector: a mode that disperses moves it up with |q|, a localised one does not. Smallest to "
        "largest |q|, E_J: " + "; ".join(parts) + ". (b) Distribution of rho_s over masks, thermal noise of "
        "a chain included. (c) Decay rate of G(k = 0, tau) of single masks between beta/4 and beta/2, and "
        "the peak of P(omega) of the disorder mean, which weights masks with small gaps: the insulator is "
        "a Mott glass. Not resolved: rates below the temperature, and the tails of both distributions "
        "beyond 5 %."
    )


def curves_modes(data: Reproduction) -> list[Series]:
    """Return scales by wave vector, and the medians over masks."""
    points = data.studies["dirty"].largest
    out = [value_series(f"chi_s(q) p={q.model.p:g}", "|q|", "scale/E_J", *q.waves["chi_s"].T)
           for q in points if "chi_s" in q.waves]  # fmt: skip
    for name in ("rho_s", "gap"):
        mine = [q for q in points if name in q.quantiles]
        table = np.array([q.quantiles[name] for q in mine]).reshape(len(mine), -1)
        if len(mine):
            p, columns = np.array([q.model.p for q in mine]), (table[:, i] for i in (2, 1, 3))
            out.append(Series(f"{name} over masks", "p", f"{name}/E_J", p, *columns))
    return out


PANELS = (
    Panel(
        "scalar", "Beyond: scalar response of the same samples", figure_scalar, caption_scalar, curves_scalar
    ),
    Panel(
        "low", "Beyond: low-frequency conductivity without continuation", figure_low, caption_low, curves_low
    ),
    Panel(
        "modes", "Beyond: wave vectors, and the scatter of masks", figure_modes, caption_modes, curves_modes
    ),
)
