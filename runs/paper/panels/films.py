"""Figure 2 of the paper on SYNTHETIC films: tunnelling and optics of weak and strong disorder, summary."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitqmc.analytic import fit_mass_scaling, thz_to_mev
from sitqmc.analytic.film.tunnelling_fit import tunnelling_model
from sitqmc.analytic.superconductor.higgs_mass import Form, MassScaling
from sitqmc.estimate import concise
from sitqmc.runs.paper.panels.panel import (
    BLUE,
    COLUMN,
    GREEN,
    GREY,
    MM,
    ORANGE,
    PAGE,
    RED,
    Panel,
    Series,
    finished,
    letter,
    new_figure,
    number_series,
    styled,
    value_series,
)
from sitqmc.runs.paper.panels.transition import mass_against_temperature
from sitqmc.runs.paper.studies.dataset import Reproduction
from sitqmc.runs.paper.studies.films import STRONG, TC_CLEAN_K, WEAK, Film
from sitqmc.runs.paper.studies.thermal import fit_power

FINE = 400
BELOW = 0.72  # share of the height that lines take: the legend stands above
FORMS: tuple[tuple[Form, str, str, str], ...] = (
    ("critical", r"$m_H \propto T_c$ (critical)", RED, "-"),
    ("gaussian", r"$m_H \propto T_c^{1/2}$ (Gaussian)", ORANGE, "--"),
)
ARRAY_SCALES = (
    ("m_h_scalar", r"peak of $\chi_s''$", ORANGE, "s"),
    ("m_h_sigma", r"peak of $\sigma$", BLUE, "o"),
    ("midpoint_scalar", r"midpoint of $\chi_s$", GREEN, "v"),
    ("midpoint_sigma", r"midpoint of $\sigma$", GREY, "^"),
)
LAW_OF = "midpoint_scalar"  # scale through which both powers are drawn: it is known at every p


def figure_2(data: Reproduction) -> Figure:
    """Draw dI/dV and sigma1 of a weakly and a strongly disordered film with their fits."""
    with styled():
        figure = new_figure(PAGE, 105 * MM)
        rows = figure.subplots(2, 2)
        for row, name, words in zip(rows, (WEAK, STRONG), ("weak", "strong"), strict=True):
            film = data.films[name]
            _tunnelling(row[0], film, words)
            _optics(row[1], film)
        for axis, name in zip(rows.flat, "abde", strict=True):
            letter(axis, name)
        return finished(figure)


def _tunnelling(axis: Axes, film: Film, words: str) -> None:
    curve, fit = film.curve, film.found.tunnelling
    axis.errorbar(
        curve.bias_mv,
        curve.didv,
        curve.didv_error,
        fmt=".",
        ms=2,
        lw=0.4,
        color=BLUE,
        label=f"SYNTHETIC, $T_c$ = {film.tc_k:g} K ({words} disorder)",
    )
    if fit is not None:
        fine = np.linspace(curve.bias_mv[0], curve.bias_mv[-1], FINE)
        mark = "" if fit.fits else " (!)"
        axis.plot(
            fine,
            tunnelling_model(fine, fit.fit.values),
            color=RED,
            zorder=4,
            label=(
                f"Dynes: 2$\\Delta_t$ = {concise(*film.gap_mev)} meV, "
                f"$\\Gamma$ = {fit.gamma_mev.value:.3f} meV{mark}"
            ),
        )
    axis.set(xlabel="bias (mV)", ylabel="dI/dV (normalised)")
    axis.set_ylim(0, 1.45 * float(curve.didv.max()))
    axis.legend(loc="upper left")


def _optics(axis: Axes, film: Film) -> None:
    """Draw sigma1 over its normal value: resonance bands, plain superconductor, Omega and 2 Delta_t."""
    found, unit = film.found, film.found.background.setup.sigma_n
    nu = np.linspace(float(found.points.nu_thz[0]), float(found.points.nu_thz[-1]), FINE)
    pairs = found.pairs
    axis.errorbar(
        pairs.nu_thz,
        pairs.sigma.real / unit,
        pairs.sigma1_error / unit,
        fmt="o",
        ms=3,
        lw=0.7,
        color=BLUE,
        capsize=1.5,
        label=r"$\sigma_1/\sigma_n$, SYNTHETIC",
    )
    axis.plot(
        nu, found.background.sigma(nu).real / unit, color=RED, label=r"superconductor of gap $\Delta_t$"
    )
    gap = film.gap_mev[0] / float(thz_to_mev(1.0))
    axis.axvline(gap, ymax=BELOW, color=GREY, ls="--", lw=0.8, label=r"2$\Delta_t$")
    if film.excess_seen:
        axis.axvspan(*found.omega.interval(), ymax=BELOW, color=GREEN, alpha=0.2, lw=0)
        axis.axvline(
            found.omega.value,
            ymax=BELOW,
            color=GREEN,
            lw=1,
            label=rf"$\Omega$ = {found.omega.value:.3f} THz",
        )
    verdict = "rejected" if film.excess_seen else "fits"
    axis.set_title(
        f"plain superconductor: {verdict}, "
        rf"$\chi^2$/dof = {found.plain.fit.quality.chi2 / found.plain.fit.quality.dof:.2f}",
        fontsize=6.5,
    )
    axis.set(xlabel=r"$\nu$ (THz)", ylabel=r"$\sigma_1/\sigma_n$")
    axis.set_ylim(0, 1.6 * float((pairs.sigma.real / unit).max()))
    axis.legend(loc="upper left", ncols=2, columnspacing=0.8, handlelength=1.4)


def caption_2(data: Reproduction) -> str:
    """Return the caption: which data were fitted by which model."""
    verdicts = "; ".join(
        f"{name}: {data.films[name].found.plain.fit.quality.text}" for name in (WEAK, STRONG)
    )
    return (
        "SYNTHETIC: computer-made films of known truth (analytic/films), not measurements; nothing is "
        "simulated by Monte Carlo here. Top: weak disorder; bottom: strong disorder. (a, d) Tunnelling with "
        "a Dynes fit, which gives 2 Delta_t. (b, e) sigma1 at the resonances (sigma1 and sigma2 "
        "free at every Fabry-Perot resonance) beside the superconductor of gap Delta_t with the mount "
        "calibrated on the normal scan; Omega = argmin sigma1 with its 68 % interval, where the plain "
        f"superconductor is rejected ({verdicts}). The excess of the strongly disordered film was "
        "put into its truth; that the fits find it tests the analysis, not nature." + _edge(data)
    )


def _edge(data: Reproduction) -> str:
    """Return a sentence on films whose Omega lies at the end of the scan, so that it is an upper bound."""
    out = [name for name, film in data.films.items() if film.excess_seen and at_edge(film)]
    return (
        f" Not resolved: Omega of {', '.join(out)} lies at the lowest measured frequency: an upper bound."
        if out
        else ""
    )


def at_edge(film: Film) -> bool:
    """Whether sigma1 is smallest where the scan begins: then Omega is an upper bound only."""
    return film.found.omega.value <= 1.05 * float(film.found.points.nu_thz[0])


def curves_2(data: Reproduction) -> list[Series]:
    """Return measured points and model lines."""
    out = []
    for name in (WEAK, STRONG):
        film, label = data.films[name], f"SYNTHETIC {name}"
        curve, found = film.curve, film.found
        out.append(
            value_series(
                f"{label} tunnelling", "bias/mV", "dI/dV", curve.bias_mv, curve.didv, curve.didv_error
            )
        )
        if found.tunnelling is not None:
            model = tunnelling_model(curve.bias_mv, found.tunnelling.fit.values)
            out.append(value_series(f"{label} Dynes", "bias/mV", "dI/dV", curve.bias_mv, model, 0 * model))
        pairs, unit = found.pairs, found.background.setup.sigma_n
        out.append(
            value_series(
                f"{label} pairs",
                "nu/THz",
                "sigma1/sigma_n",
                pairs.nu_thz,
                pairs.sigma.real / unit,
                pairs.sigma1_error / unit,
            )
        )
        plain = found.background.sigma(pairs.nu_thz).real / unit
        out.append(
            value_series(
                f"{label} superconductor", "nu/THz", "sigma1/sigma_n", pairs.nu_thz, plain, 0 * plain
            )
        )
    return out


# --- summary ---------------------------------------------------------------------------------------------


def laws(data: Reproduction) -> list[MassScaling]:
    """Return fits of both laws to Omega of the films whose minimum lies inside the scan; empty below two."""
    used = [film for film in data.films.values() if film.excess_seen and not at_edge(film)]
    if len(used) < 2:
        return []
    tc = [film.tc_k for film in used]
    omega = [float(thz_to_mev(film.found.omega.value)) for film in used]
    error = [float(thz_to_mev(film.found.omega.error)) for film in used]
    return [fit_mass_scaling(tc, omega, error, form) for form, *_ in FORMS]


def figure_2c(data: Reproduction) -> Figure:
    """Draw 2 Delta_t and Omega of the films, and scales of the array, against Tc with both laws for m_H."""
    simulated = bool(data.temperatures)
    with styled():
        figure = new_figure(PAGE if simulated else COLUMN, 72 * MM)
        axes = figure.subplots(1, 2 if simulated else 1, squeeze=False)[0]
        _films_by_tc(axes[0], data)
        if simulated:
            _array_by_tc(axes[1], data)
            for axis, name in zip(axes, "ab", strict=True):
                letter(axis, name)
        return finished(figure)


def _films_by_tc(axis: Axes, data: Reproduction) -> None:
    x = [film.tc_k / TC_CLEAN_K for film in data.films.values()]
    gaps = np.array([film.gap_mev for film in data.films.values()])
    axis.errorbar(x, gaps[:, 0], gaps[:, 1], fmt="s", ms=4, color=BLUE, label=r"2$\Delta_t$, tunnelling")
    for film in data.films.values():
        if film.excess_seen:
            _omega(axis, film)
    fine = np.linspace(0, 0.65, 200)
    for law, (_, words, colour, style) in zip(laws(data), FORMS, strict=False):
        axis.plot(fine, law(fine * TC_CLEAN_K), color=colour, ls=style, lw=1,
                  label=words + rf", $\chi^2$/dof = {law.chi2:.1f}/{law.dof}")  # fmt: skip
    handles, names = axis.get_legend_handles_labels()
    first = dict(reversed(list(zip(names, handles, strict=True))))
    axis.set(
        xlabel=rf"$T_c/T_c^{{clean}}$ ($T_c^{{clean}}$ = {TC_CLEAN_K:g} K)", ylabel="energy (meV)",
        xlim=(0, 0.65), ylim=(0, 5.2),
    )  # fmt: skip
    order = sorted(first, key=lambda name: "Delta" not in name)
    axis.legend([first[k] for k in order], order, loc="upper left", title="SYNTHETIC films")


def _array_by_tc(axis: Axes, data: Reproduction) -> None:
    """Draw scales of the array against its T_c, and both powers through the peak of chi_s''."""
    top = 0.0
    for name, words, colour, marker in ARRAY_SCALES:
        _, T_c, scale = mass_against_temperature(data, name)
        if not T_c:
            continue
        x, y = np.array([e.value for e in T_c]), np.array([e.value for e in scale])
        ends = np.array([e.interval() for e in scale])
        axis.errorbar(x, y, np.abs(ends - y[:, None]).T, [e.error for e in T_c], fmt=marker, ms=3.5, lw=0.7,
                      capsize=1.5, color=colour, label=words)  # fmt: skip
        top = max(top, float(ends.max()))
        for power, style in ((1.0, "-"), (0.5, "--")):
            law = fit_power(T_c, scale, power)
            if law is not None and name == LAW_OF:
                fine = np.linspace(0, 1.15 * x.max(), 100)
                words = rf"$\propto T_c^{{{power:g}}}$, $\chi^2$/dof = {law.chi2:.0f}/{law.dof}"
                axis.plot(fine, law(fine), color=RED, ls=style, lw=0.8, label=words)
    clean = data.temperatures.get(0.0)
    axis.set(xlabel=r"$T_c$ ($E_J$)" + (f", clean: {clean.T_c}" if clean else ""), ylabel=r"energy ($E_J$)",
             xlim=(0, None), ylim=(0, 1.7 * top))  # fmt: skip
    axis.legend(loc="upper left", title="SIMULATED array", ncols=2, columnspacing=0.8, handlelength=1.4)


def _omega(axis: Axes, film: Film) -> None:
    value, low, high = (
        float(thz_to_mev(v)) for v in (film.found.omega.value, *film.found.omega.interval())
    )
    bound = at_edge(film)
    axis.errorbar(
        [film.tc_k / TC_CLEAN_K],
        [value],
        [[value - low], [high - value]],
        fmt="v" if bound else "o",
        ms=4,
        color=GREEN,
        mfc="white" if bound else GREEN,
        capsize=2,
        label=r"$\Omega$, upper bound" if bound else r"$\Omega$ = argmin $\sigma_1$",
    )


def caption_2c(data: Reproduction) -> str:
    """Return the caption: both laws and their fits."""
    found = laws(data)
    parts = "No law was fitted: fewer than two films have a minimum inside the scan."
    if found:
        unit = {"critical": "meV/K", "gaussian": "meV/K^(1/2)"}
        parts = "Fits with a free prefactor: " + "; ".join(
            f"{law.form}, {law.prefactor} {unit[law.form]}, chi2/dof = "
            f"{law.chi2:.1f}/{law.dof}" for law in found
        )  # fmt: skip
        parts += ". With so few films the data choose neither."
    return (
        "SYNTHETIC films, not measurements. 2 Delta_t from the tunnelling fits; Omega = argmin sigma1 with "
        "68 % intervals, open where the minimum lies at the end of the scan. Solid: m_H proportional to Tc, "
        "as at a critical point where rho_s and m_H scale equally; dashed: m_H proportional to Tc^(1/2), the "
        "Gaussian theory. The paper draws one red line and gives no formula; both are shown. "
        + parts
        + f" Tc_clean = {TC_CLEAN_K:g} K is from memory of the "
        "literature and scales the axis only." + _edge(data) + _array_words(data)
    )


def _array_words(data: Reproduction) -> str:
    """Return the part of the caption on the simulated array."""
    if not data.temperatures:
        return ""
    powers = []
    for name, words, *_ in ARRAY_SCALES:
        law = fit_power(*mass_against_temperature(data, name)[1:], 1.0)
        if law is not None:
            powers.append(f"{words} {law.free}")
    T_c = "; ".join(f"{p:g}: {found.T_c}" for p, found in data.temperatures.items())
    poor = [f"{p:g}" for p, found in data.temperatures.items() if found.warnings]
    return (
        " (b) SIMULATED array: scales at T = 0.08 E_J against T_c of the same p, from the jump of rho_s with "
        f"its logarithm, L = 8 to 24. T_c/E_J by p: {T_c}."
        + (f" The law of the jump fits poorly at p = {', '.join(poor)}." if poor else "")
        + (f" Powers of T_c that fit best: {'; '.join(powers)}." if powers else "")
        + " Peaks only where resolved."
    )


def curves_2c(data: Reproduction) -> list[Series]:
    """Return gaps, Omega and laws."""
    films = list(data.films.values())
    x = np.array([film.tc_k / TC_CLEAN_K for film in films])
    gaps = np.array([film.gap_mev for film in films])
    ranges = [film.found.omega for film in films]
    omega = np.array([[float(thz_to_mev(v)) for v in (r.value, *r.interval())] for r in ranges])
    out = [
        value_series("SYNTHETIC 2 Delta_t", "Tc/Tc_clean", "energy/meV", x, gaps[:, 0], gaps[:, 1]),
        Series("SYNTHETIC Omega", "Tc/Tc_clean", "energy/meV", x, *omega.T),
    ]
    fine = np.linspace(0, 0.65, 27)
    for name, *_ in ARRAY_SCALES if data.temperatures else ():
        _, T_c, scale = mass_against_temperature(data, name)
        out.append(number_series(f"simulated {name}", "T_c/E_J", "energy/E_J", [e.value for e in T_c], scale))
    for law in laws(data):
        y = law(fine * TC_CLEAN_K)
        share = law.prefactor.error / law.prefactor.value
        out.append(value_series(f"m_H law, {law.form}", "Tc/Tc_clean", "energy/meV", fine, y, share * y))
    return out


PANELS = (
    Panel("2", "Fig. 2a, b, d, e: tunnelling and optics, SYNTHETIC films", figure_2, caption_2, curves_2),
    Panel("2c", "Fig. 2c: scales of SYNTHETIC films and of the array", figure_2c, caption_2c, curves_2c),
)
