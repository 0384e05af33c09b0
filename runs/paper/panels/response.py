"""Beyond the paper: scalar response, low frequencies, one sample in space, finite sizes and time slices."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sitqmc.estimate import concise
from sitqmc.runs.paper.dataset import MAP_CHAINS, MAP_SEED, P_C, SIGMA_C, Maps, Reproduction
from sitqmc.runs.paper.panels.panel import (
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
from sitqmc.runs.paper.panels.transition import scale, shown, stacked

SCALAR = r"$\chi_s''$ (per site, $1/E_J$)"


def figure_scalar(data: Reproduction) -> Figure:
    """chi_s''(omega) of the diluted array beside sigma(omega), the same samples."""
    with styled():
        figure = new_figure(PAGE, 72 * MM)
        left, right = figure.subplots(1, 2)
        points = shown(data.dirty, most=5)
        stacked(left, points, lambda at: f"p = {at.p:g}")
        stacked(right, points, lambda at: f"p = {at.p:g}", "scalar", SCALAR)
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
        told.append(f"L = {L}, p = {p:g}: {concise(y, error)}")
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
    """kappa(r) of one sample over its bonds, its currents, and kappa(r) against the bonds of a site."""
    with styled():
        figure = new_figure(PAGE, 62 * MM)
        left, middle, right = figure.subplots(1, 3)
        maps = data.maps
        image = left.imshow(maps.kappa, origin="lower", cmap="cividis", vmin=0)
        left.add_collection(LineCollection(_segments(maps.bonds), colors="white", lw=0.7))
        figure.colorbar(image, ax=left, label=r"$\kappa(r)$ ($1/E_J$)", pad=0.02, shrink=0.8)
        _currents(figure, middle, maps)
        for axis in (left, middle):
            axis.set(
                xlabel="x (sites)", ylabel="y (sites)", xlim=(-0.5, maps.model.Lx - 0.5),
                ylim=(-0.5, maps.model.Ly - 0.5), aspect="equal",
            )  # fmt: skip
        _by_bonds(right, maps)
        for axis, name in ((left, "a"), (middle, "b"), (right, "c")):
            letter(axis, name)
        return finished(figure)


def shares(maps: Maps) -> tuple[np.ndarray, np.ndarray]:
    """Current of each bond in units of that of a clean array with the same total, and its error."""
    clean = maps.flow[0].sum(axis=0).mean() / maps.model.Ly
    return maps.flow / clean, maps.error / clean


def _currents(figure: Figure, axis: Axes, maps: Maps) -> None:
    """Bonds coloured and as thick as the current that they carry."""
    size = np.abs(shares(maps)[0])[maps.bonds]
    lines = LineCollection(
        _segments(maps.bonds), array=size, cmap="cividis_r", linewidths=0.4 + 1.1 * np.minimum(size, 2.5)
    )
    lines.set_clim(0, max(2.0, float(np.quantile(size, 0.99))))
    axis.add_collection(lines)
    figure.colorbar(lines, ax=axis, label="|current| / even flow", pad=0.02, shrink=0.8)


def bonds_of_sites(maps: Maps) -> np.ndarray:
    """Bonds that end at each site, (Ly, Lx): those to the right and up, and those that come from there."""
    right, up = maps.bonds[0].astype(int), maps.bonds[1].astype(int)
    return right + np.roll(right, 1, axis=1) + up + np.roll(up, 1, axis=0)


def _segments(bonds: np.ndarray) -> list[list[tuple[float, float]]]:
    """Present bonds as lines, in the order of the mask; those across the boundary as half a bond."""
    out = []
    Ly, Lx = bonds.shape[1:]
    for (mu, y, x), there in np.ndenumerate(bonds):
        if there:
            length = 1.0 if (x + 1 < Lx, y + 1 < Ly)[mu] else 0.5
            out.append([(x, y), (x + length, y) if mu == 0 else (x, y + length)])
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
    size, error = shares(maps)
    along = np.sort(np.abs(size[0][maps.bonds[0]]))[::-1]
    most = 100 * along[: along.size // 10].sum() / along.sum()
    return (
        f"SIMULATED, {MAP_CHAINS} chains of one bond mask: L = {m.Lx}, L_tau = {m.L_tau}, p = {m.p:g}, "
        f"E_C/E_J = {m.charging:g}, seed {MAP_SEED}, sample {maps.sample}. (a) Local compressibility "
        "kappa(r) = d<n(r)>/d mu; white: the bonds that are there (strength E_J, the others 0; bonds across "
        "the periodic boundary are drawn as halves). (b) Current through each bond, <W_x J(r)>/beta, in "
        "response to a small twist along x, over the mean of the clean array with the same total: 1 is an "
        "even flow. It has no divergence in every configuration; median error of a bond "
        f"{np.median(error[maps.bonds]):.2f}. The tenth of the x bonds that carries most has {most:.0f} % of "
        "the current along x. (c) kappa(r) against the number of bonds of the site, with means; exact values "
        "are not negative. NOT shown: the current at finite frequency, where the low-frequency absorption "
        "sits; one sample is an example, not an average."
    )


def curves_maps(data: Reproduction) -> list[Series]:
    """kappa against the number of bonds: mean and standard error of sites."""
    count, kappa = bonds_of_sites(data.maps).ravel(), data.maps.kappa.ravel()
    x = [c for c in np.unique(count) if np.sum(count == c) > 1]
    y = [kappa[count == c].mean() for c in x]
    error = [kappa[count == c].std(ddof=1) / np.sqrt(np.sum(count == c)) for c in x]
    out = [value_series("kappa(r), mean over sites", "bonds", "kappa/(1/E_J)", x, y, error)]
    size, uncertain = shares(data.maps)
    for mu, name in enumerate("xy"):
        there = data.maps.bonds[mu]
        number = np.flatnonzero(there)  # x + Lx y of the site where the bond begins
        y, error = size[mu][there], uncertain[mu][there]
        out.append(value_series(f"flow {name}", "x + Lx y", "current/mean along x", number, y, error))
    return out
