"""Figure 1b of the paper: sigma(omega) and the energy scales across the transition, diluted and clean."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sitqmc.estimate import Estimate, concise
from sitqmc.runs.paper.panels.panel import (
    BLUE,
    GREEN,
    GREY,
    MM,
    OMEGA,
    ORANGE,
    PAGE,
    PURPLE,
    RED,
    SIGMA,
    Panel,
    Series,
    band,
    colour_of,
    curve_series,
    finished,
    letter,
    new_figure,
    number_series,
    styled,
    value_series,
    with_bars,
)
from sitqmc.runs.paper.studies.dataset import FILM_DILUTIONS, P_C, Reproduction
from sitqmc.runs.paper.studies.spectra import MISSING, StudyPoint

TOP = 8.0  # E_J, end of the frequency axis
STEP = 0.6  # distance of curves drawn one above the other, in the largest maximum
RESOLVED = 0.35  # a scale is resolved if both ends of its interval are within this fraction of it
SCALES = (
    ("m_h_sigma", r"$m_H$: peak of $\sigma$", BLUE, "o"),
    ("onset_sigma", r"$m_H$: onset of $\sigma$", GREEN, "v"),
    ("m_h_scalar", r"$m_H$: peak of $\chi_s''$", ORANGE, "s"),
    ("pair_decay", r"$\omega_{pair}$: decay of $G$", RED, "D"),
    ("pair_peak", r"$\omega_{pair}$: peak of $P$", PURPLE, "^"),
)
PAIR = ("pair_decay", "pair_peak")  # zero in a superfluid
MIDDLES = (
    ("midpoint_sigma", r"midpoint of $\sigma$", BLUE),
    ("midpoint_scalar", r"midpoint of $\chi_s$", ORANGE),
)
PEAKS = (("m_h_sigma", "o", r"peak of $\sigma$"), ("m_h_scalar", "s", r"peak of $\chi_s''$"))


def energy_scale(point: StudyPoint, name: str) -> Estimate:
    """Return a scale of a point; MISSING if it was not found."""
    return point.scales.get(name, MISSING)


def is_reliable(point: StudyPoint, name: str) -> bool:
    """Whether a scale of a point is resolved, and its spectrum, if it comes from one, fits the data."""
    curve = point.spectra.get({"m_h_scalar": "scalar", "pair_peak": "pair"}.get(name, "sigma"))
    poor = name != "pair_decay" and curve is not None and any("poor fit" in w for w in curve.warnings)
    return is_resolved(energy_scale(point, name), 1 / point.model.beta) and not poor


def is_resolved(number: Estimate, temperature: float) -> bool:
    """Whether both ends of the interval are within 35 % of the value, and the interval lies above T."""
    if not number.is_known:
        return False
    far = max(number.high - number.value, number.value - number.low)
    return far < RESOLVED * number.value and number.low > temperature


def mass_against_temperature(
    data: Reproduction, name: str
) -> tuple[list[float], list[Estimate], list[Estimate]]:
    """Return p, T_c and a scale of all superfluids with both."""
    rows = [
        (q.model.p, data.temperatures[q.model.p].T_c, energy_scale(q, name))
        for q in data.dirty
        if q.model.p < P_C and q.model.p in data.temperatures and energy_scale(q, name).is_known
        and (name.startswith("midpoint") or is_reliable(q, name))
    ]  # fmt: skip
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]


def select_curves(
    points: Sequence[StudyPoint], most: int = 7, always: Sequence[float] = FILM_DILUTIONS
) -> list[StudyPoint]:
    """Return at most `most` points: both ends, p of `always`, p_c, evenly spaced others."""
    if len(points) <= most:
        return list(points)
    wanted = {0, len(points) - 1} | {i for i, point in enumerate(points) if point.model.p in always}
    near = min(range(len(points)), key=lambda i: abs(points[i].model.p - P_C))
    wanted.add(near)
    for i in np.round(np.linspace(0, len(points) - 1, most)).astype(int):
        if len(wanted) < most:
            wanted.add(int(i))
    return [points[i] for i in sorted(wanted)]


def figure_1b(data: Reproduction) -> Figure:
    """Draw sigma(omega; p) as a map and as lines, the stiffness, and the energy scales against p."""
    with styled():
        figure = new_figure(PAGE, 118 * MM)
        (top_left, top_right), (low_left, low_right) = figure.subplots(2, 2)
        _surface(figure, top_left, data.dirty)
        stacked(top_right, select_curves(data.dirty), lambda point: f"p = {point.model.p:g}")
        _order(low_left, data)
        draw_scales(
            low_right, data.dirty, [point.model.p for point in data.dirty], "fraction of missing bonds p", P_C
        )
        _critical(low_right, data, top=0.72)
        for axis, name in zip((top_left, top_right, low_left, low_right), "abcd", strict=True):
            letter(axis, name)
        return finished(figure)


def _surface(figure: Figure, axis: Axes, points: Sequence[StudyPoint]) -> None:
    """Draw sigma over omega and p, interpolated between the simulated p, which are marked on the right."""
    good = [(point.model.p, point.spectra["sigma"]) for point in points if "sigma" in point.spectra]
    omega = np.linspace(0, TOP, 200)
    rows = np.array([np.interp(omega, curve.omega, curve.value) for _, curve in good])
    p = np.array([p for p, _ in good])
    fine = np.linspace(p[0], p[-1], 160)
    image = np.array([np.interp(fine, p, column) for column in rows.T]).T
    mesh = axis.pcolormesh(omega, fine, image, cmap="cividis", vmin=0, shading="gouraud", rasterized=True)
    axis.plot(np.full(p.size, TOP * 0.985), p, "<", color="white", ms=3)
    _scales_on_map(axis, points)
    axis.axhline(P_C, color="white", ls="--", lw=0.8)
    axis.text(TOP * 0.93, P_C + 0.006, r"$p_c$ = 0.337", color="white", ha="right", va="bottom", fontsize=6)
    for value in FILM_DILUTIONS:
        axis.axhline(value, color="white", lw=0.4, ls=":")
    axis.set(xlabel=OMEGA, ylabel="p", xlim=(0, TOP))
    figure.colorbar(mesh, ax=axis, label=SIGMA, pad=0.02)


def _scales_on_map(axis: Axes, points: Sequence[StudyPoint]) -> None:
    """Draw the midpoint of sigma, and the lowest peaks of sigma and chi_s'' where they are resolved."""
    middle = [(energy_scale(q, "midpoint_sigma").value, q.model.p) for q in points]
    axis.plot(*zip(*middle, strict=True), color="white", lw=0.8, label=r"midpoint of $\sigma$")
    for name, marker, words in PEAKS:
        seen = [(energy_scale(q, name).value, q.model.p) for q in points if is_reliable(q, name)]
        if seen:
            axis.plot(*zip(*seen, strict=True), marker, color=RED, mec="white", mew=0.4, ms=3.5, label=words)
    axis.legend(loc="center right", fontsize=5.5, labelcolor="white", handlelength=1.2)


def stacked(
    axis: Axes,
    points: Sequence[StudyPoint],
    label: Callable[[StudyPoint], str],
    which: str = "sigma",
    words: str = SIGMA,
    *,
    mark: Callable[[StudyPoint], Estimate] | None = None,
) -> None:
    """Draw curves one above the other, each with its own zero line, so that bands hardly overlap.

    which  name of the spectrum: sigma or scalar;  words  its name and unit;  mark  a frequency on each curve
    """
    curves = [(point, point.spectra[which]) for point in points if which in point.spectra]
    step = STEP * max((float(c.value[c.omega <= TOP].max()) for _, c in curves), default=1.0)
    for i, (point, curve) in enumerate(curves):
        zero, colour = i * step, colour_of(i / max(len(curves) - 1, 1))
        axis.axhline(zero, color="0.85", lw=0.4, zorder=0)
        band(axis, curve, colour, "", top=TOP, above=zero)
        name = label(point) + ("" if curve.passes_checks else " (!)")
        axis.text(1.02 * TOP, zero, name, ha="left", va="center", color=colour, fontsize=6)
        if mark is not None and mark(point).is_known:
            where = mark(point)
            height = float(np.interp(where.value, curve.omega, curve.value))
            axis.errorbar(
                [where.value], [zero + height], xerr=[[where.value - where.low], [where.high - where.value]],
                fmt="s", ms=3, lw=0.7, capsize=1.5, mfc=ORANGE, mec=ORANGE, ecolor=ORANGE, zorder=5,
            )  # fmt: skip
    end = max(
        (i * step + float(c.high[c.omega <= TOP].max()) for i, (_, c) in enumerate(curves)), default=1.0
    )
    axis.set(xlabel=OMEGA, ylabel=f"{words}, steps of {step:.2f}", xlim=(0, TOP), ylim=(0, end))


def _order(axis: Axes, data: Reproduction) -> None:
    """Draw rho_s against p for every size, the published p_c and the own crossing."""
    study = data.studies["dirty"]
    for i, L in enumerate(study.sizes):
        points = study.at(L)
        found = [point.estimate("rho_s") for point in points]
        axis.errorbar(
            [point.model.p for point in points], [e.value for e in found],
            [float(e.error) for e in found], fmt="osD^v"[i % 5], ms=3, lw=0.7, ls="-",
            color=colour_of(i / max(len(study.sizes) - 1, 1)),
            label=f"L = {L}",
        )  # fmt: skip
    axis.set(xlabel="fraction of missing bonds p", ylabel=r"$\rho_s$ ($E_J$)")
    _critical(axis, data)
    high = 1.05 * axis.get_ylim()[1]
    axis.set_ylim(0, high)
    for p in FILM_DILUTIONS:
        axis.annotate("", (p, 0.02 * high), (p, 0.13 * high), arrowprops={"arrowstyle": "->", "lw": 0.7})
    axis.text(FILM_DILUTIONS[1], 0.14 * high, "films of Fig. 3a", ha="center", va="bottom", fontsize=6)
    axis.legend(loc="upper right", fontsize=6)


def _critical(axis: Axes, data: Reproduction, top: float = 0.5) -> None:
    """Draw lines and band of p_c up to a fraction `top` of the height; the legend lies above."""
    axis.axvline(P_C, ymax=top, color=GREY, ls="--", lw=0.8, label=r"$p_c$ = 0.337 (published)")
    found = data.p_c
    if found is not None:
        value, error = found.coupling.value, found.coupling.error
        axis.axvspan(
            value - error,
            value + error,
            ymax=top,
            color=RED,
            alpha=0.2,
            lw=0,
            label=f"crossing L = {found.sizes[0]:g}, {found.sizes[1]:g}: {concise(value, error)}",
        )


def draw_scales(
    axis: Axes, points: Sequence[StudyPoint], x: Sequence[float], label: str, transition: float
) -> None:
    """Draw all scales with intervals; omega_pair, zero in a superfluid, only near and above p_c or g_c."""
    temperature = 1 / points[0].model.beta
    step = min(np.diff(sorted(x)), default=0.0)
    for i, (name, words, colour, marker) in enumerate(SCALES):
        there = [k for k, value in enumerate(x) if name not in PAIR or value > 0.95 * transition]
        shift = 0.12 * step * (i - 1)  # signs of one point side by side
        with_bars(
            axis, [x[k] + shift for k in there], [energy_scale(points[k], name) for k in there],
            [is_reliable(points[k], name) for k in there], colour=colour, marker=marker, label=words,
        )  # fmt: skip
    for name, _, colour in MIDDLES:
        middle = [energy_scale(point, name) for point in points]
        axis.errorbar(x, [e.value for e in middle], [e.error for e in middle], color=colour, lw=0.8, ls="--",
                      elinewidth=0.6, zorder=1)  # fmt: skip
    axis.axhspan(0, temperature, color="0.9", lw=0)
    axis.set(xlabel=label, ylabel=r"energy ($E_J$)", ylim=(0, _room(points)))
    handles = [
        Line2D([], [], color=colour, marker=marker, ls="", ms=4, label=words)
        for _, words, colour, marker in SCALES
    ]
    handles.append(Line2D([], [], color=GREY, marker="o", ls="", ms=4, mfc="white", label="not resolved"))
    handles += [Line2D([], [], color=colour, ls="--", lw=0.8, label=words) for _, words, colour in MIDDLES]
    axis.legend(
        handles=handles, ncols=2, loc="upper center", columnspacing=0.8, handlelength=1.2, fontsize=5.8
    )


def _room(points: Sequence[StudyPoint]) -> float:
    """Return the upper end of an axis of energies: all values, and room for the legend."""
    names = [name for name, *_ in (*SCALES, *MIDDLES)]
    values = [energy_scale(point, name).value for point in points for name in names]
    return 1.6 * max((v for v in values if np.isfinite(v)), default=1.0)


def caption_1b(data: Reproduction) -> str:
    """Return the caption: what is simulated, with which errors, and what is not resolved."""
    points, crossing = data.dirty, data.p_c
    model = points[0].model
    own = "the sizes at hand do not cross inside the data"
    if crossing is not None:
        own = (
            f"{concise(crossing.coupling.value, crossing.coupling.error)} from L = {crossing.sizes[0]:g} "
            f"and {crossing.sizes[1]:g} (statistical error; crossings still drift with size, see the panel "
            "of finite sizes)"
        )
    return (
        f"SIMULATED. Bond-diluted Josephson array, cosine action, eps E_J = {model.eps:g}, E_C/E_J = "
        f"{model.charging:g}, L = {model.Lx}, L_tau = {model.L_tau} (T = {1 / model.beta:.3f} E_J), "
        f"{_masks(points)} bond masks for each p, all p continued together. (a) Regular part of "
        "sigma(omega); white marks: simulated p, between them interpolated; dotted: the dilutions of "
        "Fig. 3a; white line: "
        "midpoint frequency, where half of the response is reached (no continuation); red: resolved peaks. "
        "(b) The same as lines with 68 % bands, one above the other, thin where not resolved (band over a "
        "third of the value to each side); the delta function of weight rho_s at omega = 0 is not "
        f"drawn. (c) Superfluid stiffness of all sizes; dashed: published p_c = 0.337; red: own p_c = {own}. "
        f"(d) Energy scales with 68 % intervals; filled: resolved (interval narrower than {RESOLVED:g} of "
        "the value to each side, and above T, the grey zone); open and pale: not resolved (no bar: an "
        "interval of over three times the value); dashed lines: midpoint frequencies; omega_pair, zero in a "
        "superfluid, is drawn near and beyond p_c. "
        + _missing(points)
        + " Not resolved: structure below omega ~ T and finer than the resolution of the continuation; "
        "which of the two features of sigma at small p is the Higgs mode; the closing of either scale at "
        "p_c, for which larger L and beta are needed." + _failed(points)
    )


def _masks(points: Sequence[StudyPoint]) -> str:
    """Return the number of bond masks, or its range."""
    counts = sorted({point.averages.n_samples for point in points})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _missing(points: Sequence[StudyPoint]) -> str:
    """Return a sentence on where each scale is resolved."""
    out = []
    for name, words, _, _ in SCALES:
        good = [
            point.model.p
            for point in points
            if is_reliable(point, name) and (name not in PAIR or point.model.p > 0.95 * P_C)
        ]
        what = f"at p = {', '.join(f'{p:g}' for p in good)}" if good else "nowhere"
        out.append(f"{plain_words(words)} {what}")
    return "Resolved: " + "; ".join(out) + "."


def plain_words(words: str) -> str:
    for old, new in (("$", ""), ("\\", ""), ("_{pair}", "_pair"), ("sigma", "sigma")):
        words = words.replace(old, new)
    return words


def _failed(points: Sequence[StudyPoint]) -> str:
    bad = [
        f"{point.model.p:g} ({curve.warnings[0]})"
        for point in points for curve in (point.spectra.get("sigma"),) if curve is not None and curve.warnings
    ]  # fmt: skip
    return f" Failed checks, dashed and marked (!): p = {'; '.join(bad)}." if bad else ""


def curves_1b(data: Reproduction) -> list[Series]:
    """Return all lines and points."""
    out = []
    for point in data.dirty:
        if "sigma" in point.spectra:
            name = f"sigma p={point.model.p:g}"
            out.append(curve_series(name, "omega/E_J", "sigma/(4e^2/h)", point.spectra["sigma"]))
    for L in data.studies["dirty"].sizes:
        points = data.studies["dirty"].at(L)
        found = [point.estimate("rho_s") for point in points]
        out.append(
            value_series(
                f"rho_s L={L}",
                "p",
                "rho_s/E_J",
                [q.model.p for q in points],
                [e.value for e in found],
                [float(e.error) for e in found],
            )
        )
    for name, *_ in (*SCALES, *MIDDLES):
        out.append(
            number_series(
                name,
                "p",
                "energy/E_J",
                [point.model.p for point in data.dirty],
                [energy_scale(point, name) for point in data.dirty],
            )
        )
    return out


PANELS = (
    Panel(
        "1b", "Fig. 1b: sigma(omega) across the disorder-driven transition", figure_1b, caption_1b, curves_1b
    ),
)
