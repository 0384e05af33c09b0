"""Beyond the paper: dependence of all quoted numbers on the size and on the width of the time slice."""

import numpy as np
from matplotlib.figure import Figure

from sitqmc.continuation import midpoint_frequency
from sitqmc.estimate import Estimate, concise
from sitqmc.qmc.finite_size.crossings import Crossing
from sitqmc.qmc.finite_size.trotter import TrotterLimit
from sitqmc.runs.errors import UserError
from sitqmc.runs.paper.panels.panel import (
    BLUE,
    GREY,
    MM,
    ORANGE,
    PAGE,
    RED,
    Panel,
    Series,
    colour_of,
    finished,
    letter,
    new_figure,
    styled,
    value_series,
)
from sitqmc.runs.paper.studies.dataset import G_C, P_C, Reproduction
from sitqmc.runs.paper.studies.study import ReducedPoint

CROSSINGS = (("crossings", r"$\langle W_x^2\rangle$", "o", BLUE),
             ("time_crossings", r"$\langle W_\tau^2\rangle$", "s", RED))  # fmt: skip


def figure_sizes(data: Reproduction) -> Figure:
    """Draw <W_x^2> of all sizes against p, and the crossings of successive sizes against 1/L."""
    with styled():
        figure = new_figure(PAGE, 62 * MM)
        left, right = figure.subplots(1, 2)
        study = data.scaling
        for i, L in enumerate(study.sizes):
            p, y, error = _squares(data, L)
            left.errorbar(
                p,
                y,
                error,
                fmt="osD^v"[i % 5],
                ls="-",
                ms=3,
                lw=0.7,
                color=colour_of(i / max(len(study.sizes) - 1, 1)),
                label=f"L = {L}",
            )
        left.axvline(P_C, color=GREY, ls="--", lw=0.8)
        left.set(
            xlabel="fraction of missing bonds p",
            ylabel=r"$\langle W_x^2\rangle = \beta\rho_s$",
            yscale="log",
            xlim=(0.24, 0.41),
            ylim=(4e-3, 3),
        )
        left.legend(loc="lower left")
        for kind, words, marker, colour in CROSSINGS:
            x, y, error = _crossing_points(getattr(data, kind))
            right.errorbar(x, y, error, fmt=marker, ms=4, color=colour, capsize=2, label=words)
        right.axhline(P_C, color=GREY, ls="--", lw=0.8, label="0.337 (published)")
        right.set(xlabel="1/L (smaller size)", ylabel="p of the crossing", xlim=(0, 0.14))
        right.margins(y=0.3)
        right.legend(loc="lower left")
        for axis, name in ((left, "a"), (right, "b")):
            letter(axis, name)
        return finished(figure)


def _squares(data: Reproduction, L: int) -> tuple[list[float], list[float], list[float]]:
    points = data.scaling.at(L)
    squares = [point.estimate("rho_s").scaled(point.model.beta) for point in points]
    return ([q.model.p for q in points], [e.value for e in squares], [e.error for e in squares])


def _crossing_points(found: list[Crossing]) -> tuple[list[float], list[float], list[float]]:
    """Return (1/L of the smaller size, p, error) of all crossings."""
    return (
        [1 / c.sizes[0] for c in found],
        [c.coupling.value for c in found],
        [c.coupling.error for c in found],
    )


def caption_sizes(data: Reproduction) -> str:
    """Return the caption with all crossings and their errors."""
    space, time = (_told(found) for found in (data.crossings, data.time_crossings))
    return (
        "SIMULATED, L_tau = 2 round(L^1.5): beta grows as L^z with z = 1.5. (a) Mean squared winding, which "
        "no size changes at the transition. (b) Crossings of successive sizes, bootstrap errors over bond "
        f"masks. <W_x^2>: {space}. <W_tau^2>: {time}. Dashed: published 0.337. The two kinds drift towards "
        "each other from both sides and bracket p_c. No extrapolation is made: two or three crossings with "
        "strong corrections allow none. Not resolved: the limit of large L, z and nu (benchmarks/critical.py "
        "has effective exponents)."
    )


def _told(found: list[Crossing]) -> str:
    words = [
        f"L = {c.sizes[0]:g}, {c.sizes[1]:g}: p = {concise(c.coupling.value, c.coupling.error)}"
        + "".join(f" ({w})" for w in c.warnings)
        for c in found
    ]
    return "; ".join(words) or "no crossing inside the data"


def curves_sizes(data: Reproduction) -> list[Series]:
    """Return windings and crossings."""
    out = [value_series(f"W^2 L={L}", "p", "W^2", *_squares(data, L)) for L in data.scaling.sizes]
    return [
        *out,
        *(value_series(kind, "1/L", "p", *_crossing_points(getattr(data, kind))) for kind, *_ in CROSSINGS),
    ]


TROTTER = (("rho_s", r"$\rho_s$ ($E_J$)", BLUE), ("minus_k", r"$\langle -k_x\rangle$ ($E_J$)", ORANGE),
           ("kappa", r"$\kappa$ ($1/E_J$)", RED))  # fmt: skip


def figure_trotter(data: Reproduction) -> Figure:
    """Draw rho_s, <-k_x>, kappa against eps with the limit eps -> 0."""
    with styled():
        figure = new_figure(PAGE, 54 * MM)
        for axis, (name, label, colour), sign in zip(figure.subplots(1, 3), TROTTER, "abc", strict=True):
            found = data.trotter(name)
            if found is None:
                axis.text(0.5, 0.5, "not simulated", ha="center", transform=axis.transAxes)
                continue
            eps, values, errors, limit = found
            axis.errorbar(eps, values, errors, fmt="o", ms=4, color=colour, capsize=2)
            fine = np.linspace(0, 1.1 * eps.max(), 50)
            line = limit.value.value + limit.slope.value * fine
            axis.plot(fine, line, color=GREY, lw=0.8, label=_line(limit))
            limits = ((limit.value, "s", "limit"), (limit.next_order, "^", "limit, quadratic"))
            for value, marker, words in limits:
                axis.errorbar(
                    [0],
                    [value.value],
                    [value.error],
                    fmt=marker,
                    ms=4,
                    mfc="white",
                    color=colour,
                    capsize=2,
                    label=f"{words}: {concise(value.value, value.error)}",
                )
            axis.set(xlabel=r"$\epsilon$ ($\hbar/E_J$)", ylabel=label)
            axis.margins(y=0.5)
            axis.legend(loc="lower left")
            letter(axis, sign)
        return finished(figure)


def _line(limit: TrotterLimit) -> str:
    return "linear: does not fit (!)" if limit.warnings else "linear"


def caption_trotter(data: Reproduction) -> str:
    """Return the caption: the effect of the time slice on the numbers of the other figures."""
    parts, model = [], None
    for name, *_ in TROTTER:
        found = data.trotter(name)
        if found is None:
            continue
        eps, values, _, limit = found
        model = data.studies["trotter"].points[0].model
        usual = float(values[int(np.argmin(np.abs(eps - 0.1)))])
        parts.append(
            f"{name}: {concise(limit.value.value, limit.value.error)} (linear), "
            f"{concise(limit.next_order.value, limit.next_order.error)} (quadratic), {usual:.4g} at eps = 0.1"
            + "".join(f"; {w}" for w in limit.warnings)
        )
    if model is None:
        return "Not simulated at this size: three time steps are needed."
    return (
        f"SIMULATED. Dependence on the width of the time slice at one point, p = {model.p:g}, E_C/E_J = "
        f"{model.charging:g}, L = {model.Lx}, beta = {model.beta:g}/E_J, the same bond masks for every eps "
        "(their correlation is in the fit). "
        + "; ".join(parts)
        + ". The cosine action in time has errors of the first order in eps, so eps = 0.1, the published "
        f"choice, is another model than eps -> 0: its transition at p_c = 0.337 and g_c = {G_C} is not "
        "the transition of the quantum rotor."
    )


def curves_trotter(data: Reproduction) -> list[Series]:
    """Return values and their limits at eps = 0."""
    out = []
    for name, *_ in TROTTER:
        found = data.trotter(name)
        if found is not None:
            eps, values, errors, limit = found
            out.append(value_series(name, "eps", name, eps, values, errors))
            out.append(
                value_series(f"{name}, limit", "eps", name, [0.0], [limit.value.value], [limit.value.error])
            )
    return out


# --- flow with size --------------------------------------------------------------------------------------


FLOW = (("rho_s", r"$\rho_s$"), ("midpoint_sigma", r"midpoint of $\sigma$"),
        ("midpoint_scalar", r"midpoint of $\chi_s$"),
        ("sigma_low", r"$\beta^2\Lambda(\beta/2)/\pi$"))  # fmt: skip
CORRELATOR = {"midpoint_sigma": "rho", "midpoint_scalar": "chi_s"}
MOST_LINES = 6


def quoted(point: ReducedPoint, name: str) -> Estimate:
    """Return a quoted number of a point without continuation; missing if it was not measured."""
    if name == "sigma_low":
        return point.sigma_low
    if name in point.values:
        return point.estimate(name)
    try:
        return midpoint_frequency(point.correlator(CORRELATOR[name]))
    except (ValueError, UserError):
        return Estimate.missing()


def flow(data: Reproduction, name: str) -> dict[float, list[tuple[int, float, Estimate]]]:
    """Return (L, beta, value) of a number by p, of every p with two or more sizes."""
    study = data.studies["dirty"]
    out: dict[float, list[tuple[int, float, Estimate]]] = {}
    for L in study.sizes:
        for point in study.at(L):
            value = quoted(point, name)
            if value.is_known:
                out.setdefault(point.model.p, []).append((L, point.model.beta, value))
    return {p: rows for p, rows in out.items() if len(rows) > 1}


def temperatures(data: Reproduction, name: str) -> list[tuple[float, Estimate, Estimate]]:
    """Return (p, cold, warm) of a number at the size that was simulated at two temperatures."""
    study, out = data.studies["dirty"], []
    for L in study.sizes:
        slices = sorted({q.model.L_tau for q in study.points if q.model.Lx == L})
        if len(slices) < 2:
            continue
        warm, cold = ({q.model.p: q for q in study.at(L, k)} for k in (slices[0], slices[-1]))
        out += [(p, quoted(cold[p], name), quoted(warm[p], name)) for p in sorted(set(warm) & set(cold))]
    return [(p, a, b) for p, a, b in out if a.is_known and b.is_known]


def _two_temperatures(data: Reproduction) -> str:
    """Return a sentence on the numbers at both temperatures; nothing with a single temperature."""
    parts = []
    for name, _ in FLOW:
        rows = temperatures(data, name)
        told = ", ".join(f"{warm.minus(cold)} at p = {p:g}" for p, cold, warm in rows)
        parts += [f"{name} {told}"] if told else []
    return f" From the lower to the higher temperature of one size: {'; '.join(parts)}." if parts else ""


def figure_flow(data: Reproduction) -> Figure:
    """Draw quoted numbers against 1/L at several p, over their value at the largest size."""
    with styled():
        figure = new_figure(PAGE, 54 * MM)
        for axis, (name, label), sign in zip(figure.subplots(1, len(FLOW)), FLOW, "abcd", strict=True):
            found = flow(data, name)
            sizes = max((len(rows) for rows in found.values()), default=0)
            chosen = [(p, rows) for p, rows in sorted(found.items()) if len(rows) == sizes]
            every = -(-len(chosen) // MOST_LINES) or 1
            for i, (p, rows) in enumerate(chosen[::every]):
                last = rows[-1][2].value
                y, error = (np.array([getattr(e, key) for *_, e in rows]) for key in ("value", "error"))
                unit = last if name != "sigma_low" else 1.0
                colour = colour_of(i / (MOST_LINES - 1))
                axis.errorbar([1 / L for L, *_ in rows], y / unit, error / abs(unit), fmt="o-", ms=3, lw=0.7,
                              capsize=1.5, color=colour, label=f"p = {p:g}")  # fmt: skip
            if not found:
                axis.text(0.5, 0.5, "one size only", ha="center", transform=axis.transAxes)
            sizes_there = data.studies["dirty"].sizes
            axis.set_xticks([1 / L for L in sizes_there], [f"1/{L}" for L in sizes_there])
            axis.set(xlabel="1/L", ylabel=label + ("" if name == "sigma_low" else " over largest L"))
            if name == "rho_s":
                axis.set_yscale("log", nonpositive="clip")       # an insulator loses decades between sizes
            letter(axis, sign)
        lines = figure.axes[0].get_legend_handles_labels()
        figure.legend(*lines, loc="outside lower center", ncols=MOST_LINES, fontsize=5.5)
        return finished(figure)


def caption_flow(data: Reproduction) -> str:
    """Return the caption: all sizes with their temperatures, and the largest change."""
    parts = []
    for name, _ in FLOW:
        worst = [(abs(rows[-1][2].pull(rows[-2][2])), p, rows) for p, rows in flow(data, name).items()]
        if worst:
            pull, p, rows = max(worst, key=lambda row: row[0])
            told = ", ".join(f"{e} (L = {L}, beta = {beta:g})" for L, beta, e in rows)
            parts.append(f"{name}: p = {p:g}, {told}; {pull:.1f} errors between the last two")
    return (
        "SIMULATED. Flow of the quoted numbers with the size of the array, E_C/E_J = 3; temperatures differ "
        "where beta does. The largest change of each: " + ("; ".join(parts) or "only one size was simulated")
        + "." + _two_temperatures(data)
        + " Not resolved: the limit of large L close to p_c, where L sets all scales."
    )


def curves_flow(data: Reproduction) -> list[Series]:
    """Return every number by 1/L."""
    return [
        value_series(f"{name} p={p:g}", "1/L", name, [1 / L for L, *_ in rows], [e.value for *_, e in rows],
                     [e.error for *_, e in rows])
        for name, _ in FLOW for p, rows in flow(data, name).items()
    ] + [
        value_series(f"{name}, warm less cold", "p", name, [p for p, *_ in rows],
                     [warm.value - cold.value for _, cold, warm in rows],
                     [warm.minus(cold).error for _, cold, warm in rows])
        for name, _ in FLOW if (rows := temperatures(data, name))
    ]  # fmt: skip


PANELS = (
    Panel("flow", "Beyond: quoted numbers by size", figure_flow, caption_flow, curves_flow),
    Panel("sizes", "Beyond: finite sizes", figure_sizes, caption_sizes, curves_sizes),
    Panel("trotter", "Beyond: the width of the time slice", figure_trotter, caption_trotter, curves_trotter),
)
