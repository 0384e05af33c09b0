"""Beyond the paper: compressibility, currents and local pair energies of disorder samples in space."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sitqmc.runs.paper.panels.panel import (
    BLUE,
    GREY,
    MM,
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
from sitqmc.runs.paper.studies.dataset import LOCAL_LOOKS, MAP_CHAINS, MAP_SEED, Maps, Reproduction
from sitqmc.runs.paper.studies.local import SLICES, LocalEnergies, bonds_of_sites, isolated_energy


def figure_maps(data: Reproduction) -> Figure:
    """Draw kappa(r) of one sample over its bonds, its currents, and kappa(r) against the bonds of a site."""
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
    """Return current and error of each bond over the mean of a clean array with the same total."""
    clean = maps.flow[0].sum(axis=0).mean() / maps.model.Ly
    return maps.flow / clean, maps.error / clean


def _currents(figure: Figure, axis: Axes, maps: Maps) -> None:
    """Draw the bonds, colour and width by their current."""
    size = np.abs(shares(maps)[0])[maps.bonds]
    lines = LineCollection(
        _segments(maps.bonds), array=size, cmap="cividis_r", linewidths=0.4 + 1.1 * np.minimum(size, 2.5)
    )
    lines.set_clim(0, max(2.0, float(np.quantile(size, 0.99))))
    axis.add_collection(lines)
    figure.colorbar(lines, ax=axis, label="|current| / even flow", pad=0.02, shrink=0.8)


def _segments(bonds: np.ndarray) -> list[list[tuple[float, float]]]:
    """Return the present bonds as lines, in the order of the mask; half a bond at the boundary."""
    out = []
    Ly, Lx = bonds.shape[1:]
    for (mu, y, x), there in np.ndenumerate(bonds):
        if there:
            length = 1.0 if (x + 1 < Lx, y + 1 < Ly)[mu] else 0.5
            out.append([(x, y), (x + length, y) if mu == 0 else (x, y + length)])
    return out


def _by_bonds(axis: Axes, maps: Maps) -> None:
    count, kappa = bonds_of_sites(maps.bonds).ravel(), maps.kappa.ravel()
    spread = np.random.default_rng(0).uniform(-0.18, 0.18, count.size)
    axis.plot(count + spread, kappa, "o", ms=2, color=BLUE, alpha=0.5, label="sites")
    present = np.unique(count)
    axis.plot(
        present, [kappa[count == c].mean() for c in present], "_", ms=16, mew=1.6, color=RED, label="mean"
    )
    axis.set(xlabel="bonds of the site", ylabel=r"$\kappa(r)$ ($1/E_J$)", xticks=range(5))
    axis.legend(loc="upper left")


def caption_maps(data: Reproduction) -> str:
    """Return the caption: the sample, and the limits of the figure."""
    maps = data.maps
    m = maps.model
    size, error = shares(maps)
    along = np.sort(np.abs(size[0][maps.bonds[0]]))[::-1]
    most = 100 * along[: along.size // 10].sum() / along.sum()
    return (
        f"SIMULATED, {MAP_CHAINS} chains of one bond mask: L = {m.Lx}, L_tau = {m.L_tau}, p = {m.p:g}, "
        f"E_C/E_J = {m.charging:g}, seed {MAP_SEED}, sample {maps.sample}. (a) Local compressibility "
        "kappa(r) = d<n(r)>/d mu; white: present bonds (strength E_J; missing bonds have 0; bonds across "
        "the periodic boundary are drawn as halves). (b) Current through each bond, <W_x J(r)>/beta, in "
        "response to a small twist along x, over the mean of the clean array with the same total: 1 is an "
        "even flow. It has no divergence in every configuration; median error of a bond "
        f"{np.median(error[maps.bonds]):.2f}. The tenth of the x bonds that carries most has {most:.0f} % of "
        "the current along x. (c) kappa(r) against the number of bonds of the site, with means; exact values "
        "are not negative. NOT shown: the current at finite frequency, where the low-frequency absorption "
        "sits; one sample is an example, not an average."
    )


def curves_maps(data: Reproduction) -> list[Series]:
    """Return kappa against the number of bonds (mean and standard error over sites), and the currents."""
    count, kappa = bonds_of_sites(data.maps.bonds).ravel(), data.maps.kappa.ravel()
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


# --- local pair energies --------------------------------------------------------------------------------

BINS = np.linspace(0, 2, 41)


def figure_local(data: Reproduction) -> Figure:
    """Draw the local pair energies of one mask, their distribution by p, and by the bonds of a site."""
    with styled():
        figure = new_figure(PAGE, 62 * MM)
        left, middle, right = figure.subplots(1, 3)
        last = max(data.local)
        one, bonds = data.local[last], data.local[last].bonds[0]
        image = left.imshow(one.energy[0], origin="lower", cmap="cividis_r", vmin=0)
        left.add_collection(LineCollection(_segments(bonds), colors="white", lw=0.7))
        figure.colorbar(image, ax=left, label=r"pair energy ($E_J$)", pad=0.02, shrink=0.8)
        left.set(xlabel="x (sites)", ylabel="y (sites)", xlim=(-0.5, one.model.Lx - 0.5),
                 ylim=(-0.5, one.model.Ly - 0.5), aspect="equal")  # fmt: skip
        for i, (p, found) in enumerate(data.local.items()):
            colour = colour_of(i / max(len(data.local) - 1, 1))
            middle.hist(found.energy.ravel(), BINS, histtype="step", density=True, color=colour, lw=1.0,
                        label=f"p = {p:g}")  # fmt: skip
            counts, mean, spread = _energies_by_bonds(found)
            right.errorbar(counts + 0.08 * (i - 1), mean, spread, fmt="o", ms=3, lw=0.7, capsize=1.5,
                           color=colour, label=f"p = {p:g}")  # fmt: skip
        middle.set(xlabel=r"local pair energy ($E_J$)", ylabel=r"density of sites ($1/E_J$)", xlim=(0, 2))
        right.axhline(isolated_energy(one.model), color=GREY, ls="--", lw=0.8, label="site alone, exact")
        right.set(xlabel="bonds of the site", ylabel=r"local pair energy ($E_J$)", xticks=range(5),
                  ylim=(0, 2.6))  # fmt: skip
        middle.legend(loc="upper right")
        right.legend(loc="upper right", ncols=2, columnspacing=0.8, handlelength=1.2)
        for axis, name in zip((left, middle, right), "abc", strict=True):
            letter(axis, name)
        return finished(figure)


def _energies_by_bonds(found: LocalEnergies) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers of bonds, with mean and standard deviation over the sites with that number."""
    count, energy = bonds_of_sites(found.bonds).ravel(), found.energy.ravel()
    present = np.array([c for c in np.unique(count) if np.sum(count == c) > 1])
    rows = [energy[count == c] for c in present]
    return present, np.array([r.mean() for r in rows]), np.array([r.std() for r in rows])


def caption_local(data: Reproduction) -> str:
    """Return the caption: median and spread of the local energies by p."""
    parts = []
    for p, found in data.local.items():
        low, middle, high = np.quantile(found.energy, [0.05, 0.5, 0.95])
        parts.append(f"p = {p:g}: {middle:.2f} [{low:.2f}, {high:.2f}]")
    last = data.local[max(data.local)]
    m, times = last.model, [k * last.model.eps for k in SLICES]
    return (
        f"SIMULATED, {len(last.bonds)} bond masks for each p, {LOCAL_LOOKS} looks each: L = {m.Lx}, L_tau = "
        f"{m.L_tau}, E_C/E_J = {m.charging:g}, seed {MAP_SEED}. Local pair energy: decay rate of G(r, tau) "
        f"between tau = {times[0]:g} and {times[1]:g}/E_J, at T = 0 an upper bound of the local gap. (a) "
        f"Sample 0 at p = {m.p:g}; white: present bonds. (b) Distribution over sites; median, 90 % in E_J: "
        + "; ".join(parts) + ". (c) Mean and standard deviation over sites with as many bonds; dashed: site "
        "alone, exact. Strongly bonded sites form puddles of low energy in the insulator. Not resolved: "
        "the gap itself, for which tau must be far above its inverse; near p_c it lies below these rates."
    )


def curves_local(data: Reproduction) -> list[Series]:
    """Return mean and standard deviation by bonds, and the distribution of every p."""
    out = []
    for p, found in data.local.items():
        out.append(value_series(f"by bonds p={p:g}", "bonds", "energy/E_J", *_energies_by_bonds(found)))
        density = np.histogram(found.energy, BINS, density=True)[0]
        out.append(value_series(f"sites p={p:g}", "energy/E_J", "density*E_J", (BINS[1:] + BINS[:-1]) / 2,
                                density, np.zeros(density.size)))  # fmt: skip
    return out


PANELS = (
    Panel("maps", "Beyond: one sample in space", figure_maps, caption_maps, curves_maps),
    Panel("local", "Beyond: local pair energies", figure_local, caption_local, curves_local),
)
