"""Beyond the paper: scalar response, low frequencies, one sample in space, finite sizes and time slices."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from runs.reproduce_fig1 import scale, shown, stacked
from runs.reproduce_study import P_C, SIGMA_C, Maps, Reproduction
from runs.reproduce_style import (
    BLUE,
    COLUMN,
    GREY,
    MM,
    PAGE,
    RED,
    Series,
    colour_of,
    curve_series,
    finished,
    letter,
    new_figure,
    number_series,
    styled,
    value_series,
)
from runs.text import with_error

SCALAR = r"$\chi_s''$ (per site, $1/E_J$)"


def figure_scalar(data: Reproduction) -> Figure:
    """chi_s''(omega) of the diluted array beside sigma(omega), the same samples."""
    with styled():
        figure = new_figure(PAGE, 72 * MM)
        left, right = figure.subplots(1, 2)
        points = shown(data.dirty, most=5)
        stacked(left, points, lambda at: f"p = {at.p:g}")
        stacked(right, points, lambda at: f"p = {at.p:g}", "scalar", SCALAR, left=True)
        letter(left, "a")
        letter(right, "b")
        return finished(figure)


def caption_scalar(data: Reproduction) -> str:
    """Whether the two responses move alike."""
    told = []
    for at in shown(data.dirty, most=5):
        one, two = scale(at, "m_h_sigma"), scale(at, "m_h_scalar")
        told.append(
            f"p = {at.p:g}: sigma {one.value:.2f} [{one.low:.2f}, {one.high:.2f}], chi_s'' {two.value:.2f} "
            f"[{two.low:.2f}, {two.high:.2f}]"
        )
    return (
        "SIMULATED, both from the same chains and bond masks. (a) sigma(omega); (b) response of the bond "
        "energy, the scalar (Higgs) correlator, contact term solved with it, disconnected part subtracted "
        "sample by sample. 68 % bands. Lowest peaks in E_J, with intervals: "
        + "; ".join(told)
        + ". The paper reads the low-frequency excess of sigma as the Higgs mode; Puschmann et al. (PRL "
        "125, 027002) and Crewse and Vojta find the scalar response of a disordered system broad and "
        "non-critical. What both panels show is drawn as it is; where the intervals overlap, the data "
        "decide nothing. A dashed line, (!), is a fit that a check calls poor."
    )


def curves_scalar(data: Reproduction) -> list[Series]:
    """chi_s'' of every point, and its peaks."""
    out = [
        curve_series(f"chi_s'' p={at.p:g}", "omega/E_J", "chi_s''", at.spectra.scalar)
        for at in data.dirty if at.spectra.scalar is not None
    ]  # fmt: skip
    x = [at.p for at in data.dirty]
    return [*out, *(number_series(name, "p", "energy/E_J", x, [scale(at, name) for at in data.dirty])
                    for name in ("m_h_sigma", "m_h_scalar"))]  # fmt: skip


# --- low frequencies ------------------------------------------------------------------------------------


def figure_low(data: Reproduction) -> Figure:
    """beta^2 Lambda(beta/2)/pi of every size against p, beside 0.5."""
    with styled():
        figure = new_figure(COLUMN, 66 * MM)
        axis = figure.subplots()
        sizes = low_sizes(data)
        for i, L in enumerate(sizes):
            p, y, error = _low(data, L)
            shift = 0.0015 * (i - (len(sizes) - 1) / 2)
            axis.errorbar(
                p + shift,
                y,
                error,
                fmt="osD^v"[i % 5],
                ms=3,
                lw=0.7,
                capsize=1.5,
                color=colour_of(i / max(len(sizes) - 1, 1)),
                label=f"L = {L}",
            )
        axis.axhline(SIGMA_C, color=RED, ls="--", lw=0.8, label=r"about 0.5 at $p_c$ (published)")
        axis.axvline(P_C, color=GREY, ls="--", lw=0.8)
        axis.axhline(0, color=GREY, lw=0.5)
        low, high = axis.get_ylim()
        axis.set(
            xlabel="fraction of missing bonds p",
            ylabel=r"$\beta^2\Lambda_{xx}(\beta/2)/\pi$ ($4e^2/h$)",
            ylim=(low, high + 0.3 * (high - low)),
        )
        axis.legend(loc="upper left", ncols=2)
        return finished(figure)


def low_sizes(data: Reproduction) -> list[int]:
    """Sizes with a low-frequency conductivity."""
    return [L for L in data.studies["dirty"].sizes if _low(data, L)[0].size]


def _low(data: Reproduction, L: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = [q for q in data.studies["dirty"].at(L) if np.isfinite(q.sigma_low[0])]
    values = np.array([point.sigma_low for point in points]).reshape(-1, 2)
    return np.array([point.model.p for point in points]), values[:, 0], values[:, 1]


def nearest_critical(data: Reproduction, L: int) -> tuple[float, float, float]:
    """(p, sigma_low, error) of the point nearest to the published p_c."""
    p, y, error = _low(data, L)
    i = int(np.argmin(np.abs(p - P_C)))
    return float(p[i]), float(y[i]), float(error[i])


def caption_low(data: Reproduction) -> str:
    """The value at p_c, and how sharp it is."""
    told = []
    for L in low_sizes(data):
        p, y, error = nearest_critical(data, L)
        told.append(f"L = {L}, p = {p:g}: {with_error(y, error)}")
    return (
        "SIMULATED. beta^2 Lambda_xx(beta/2)/pi, a low-frequency conductivity that needs no continuation: "
        "it equals sigma(omega -> 0) where sigma is flat below 2 pi T. At the transition: "
        + "; ".join(told)
        + ". Published: about 0.5. The alternating sum behind it amplifies noise, growing as beta^2: at "
        "small p, where the exact value is nearly 0, scatter about 0 is all there is to see. NOT resolved: "
        "a dependence on size, or the difference from the clean critical value."
    )


def curves_low(data: Reproduction) -> list[Series]:
    """One curve for every size."""
    return [value_series(f"sigma_low L={L}", "p", "sigma_low/(4e^2/h)", *_low(data, L))
            for L in low_sizes(data)]  # fmt: skip


# --- one sample in space --------------------------------------------------------------------------------


def figure_maps(data: Reproduction) -> Figure:
    """kappa(r) of one sample over its bonds, and kappa(r) against the number of bonds of a site."""
    with styled():
        figure = new_figure(PAGE, 72 * MM)
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        maps = data.maps
        image = left.imshow(maps.kappa, origin="lower", cmap="cividis")
        left.add_collection(LineCollection(_segments(maps), colors="white", lw=0.9))
        figure.colorbar(image, ax=left, label=r"$\kappa(r)$ ($1/E_J$)", pad=0.02)
        left.set(
            xlabel="x (sites)",
            ylabel="y (sites)",
            xlim=(-0.5, maps.model.Lx - 0.5),
            ylim=(-0.5, maps.model.Ly - 0.5),
        )
        _by_bonds(right, maps)
        for axis, name in ((left, "a"), (right, "b")):
            letter(axis, name)
        return finished(figure)


def bonds_of_sites(maps: Maps) -> np.ndarray:
    """Bonds that end at each site, (Ly, Lx): those to the right and up, and those that come from there."""
    right, up = maps.bonds[0].astype(int), maps.bonds[1].astype(int)
    return right + np.roll(right, 1, axis=1) + up + np.roll(up, 1, axis=0)


def _segments(maps: Maps) -> list[list[tuple[float, float]]]:
    """Present bonds as lines; those across the boundary as half a bond on the right or upper side."""
    out = []
    for (y, x), there in np.ndenumerate(maps.bonds[0]):
        if there:
            out.append([(x, y), (x + (1 if x + 1 < maps.model.Lx else 0.5), y)])
    for (y, x), there in np.ndenumerate(maps.bonds[1]):
        if there:
            out.append([(x, y), (x, y + (1 if y + 1 < maps.model.Ly else 0.5))])
    return out


def _by_bonds(axis: Axes, maps: Maps) -> None:
    count, kappa = bonds_of_sites(maps).ravel(), maps.kappa.ravel()
    spread = np.random.default_rng(0).uniform(-0.18, 0.18, count.size)
    axis.plot(count + spread, kappa, "o", ms=2, color=BLUE, alpha=0.5, label="sites")
    present = np.unique(count)
    axis.plot(
        present, [kappa[count == c].mean() for c in present], "_", ms=16, mew=1.6, color=RED, label="mean"
    )
    axis.set(xlabel="bonds of the site", ylabel=r"$\kappa(r)$ ($1/E_J$)", xticks=range(5))
    axis.legend(loc="upper left")


def caption_maps(data: Reproduction) -> str:
    """Which sample, what is missing."""
    maps = data.maps
    m = maps.model
    return (
        f"SIMULATED, one chain of one bond mask: L = {m.Lx}, L_tau = {m.L_tau}, p = {m.p:g}, E_C/E_J = "
        f"{m.charging:g}, seed 337, sample 0. (a) Local compressibility kappa(r) = d<n(r)>/d mu; white: the "
        "bonds that are there (strength E_J, the others 0; bonds across the periodic boundary are drawn as "
        "halves). (b) The same against the number of bonds of the site, with means. Errors of single sites "
        "are not drawn; exact values are not negative. NOT shown: maps of the bond energy and of the "
        "current, which a chain does not keep."
    )


def curves_maps(data: Reproduction) -> list[Series]:
    """kappa against the number of bonds: mean and standard error of sites."""
    count, kappa = bonds_of_sites(data.maps).ravel(), data.maps.kappa.ravel()
    x = [c for c in np.unique(count) if np.sum(count == c) > 1]
    y = [kappa[count == c].mean() for c in x]
    error = [kappa[count == c].std(ddof=1) / np.sqrt(np.sum(count == c)) for c in x]
    return [value_series("kappa(r), mean over sites", "bonds", "kappa/(1/E_J)", x, y, error)]
