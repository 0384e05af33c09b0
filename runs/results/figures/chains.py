"""Panels drawn from stored bins and maps: thermalisation, autocorrelation, one disorder sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from sitqmc.qmc import Model
from sitqmc.runs.results.figures.panels import Panel
from sitqmc.runs.results.figures.style import RED
from sitqmc.runs.results.point import RunPoint
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.samples import PointSamples

Array = NDArray[np.float64]

TRACED = "rho_s_x"
"""Observable of the traces: winding numbers are the slowest of what every chain measures."""


def _pieces(panel: Panel, model: Model, name: str) -> Iterator[PointSamples]:
    """Yield the stored samples of a point in pieces of bounded memory; none if the file lacks the point."""
    folder = RunFolder(panel.results.path)
    if folder.rows(model) is not None:
        yield from folder.pieces(model, [name])


def _bins(panel: Panel, r: RunPoint) -> Array:
    """Return bins (n_samples, n_bins) of the traced observable, as many as the shortest chain has."""
    tables = [piece.bins[TRACED] for piece in _pieces(panel, r.model, f"bins/{TRACED}")]
    count = min((table.shape[1] for table in tables), default=0)
    return np.concatenate([table[:, :count] for table in tables]) if tables else np.zeros((0, 0))


def draw_thermalisation(panel: Panel) -> None:
    """Draw the mean over samples of every bin minus the mean of all bins, in E_J."""
    axis, schedule = panel.axis, panel.results.config.schedule
    axis.axhline(0, color="0.6", lw=0.6, ls="--")
    sweeps = schedule.measurements_per_bin * schedule.sweeps_per_measurement
    for r in panel.members:
        bins = _bins(panel, r)
        if len(bins) < 2:
            continue
        # The mean of a sample is subtracted: what remains is the chain's own noise, not the disorder.
        change = bins - bins.mean(axis=1, keepdims=True)
        error = change.std(axis=0, ddof=1) / np.sqrt(len(bins))
        x = schedule.therm_sweeps + sweeps * (np.arange(bins.shape[1]) + 0.5)
        axis.errorbar(x, change.mean(axis=0), error, fmt=".-", ms=2.5, lw=0.6, color=panel.colour(r))
    axis.axvspan(0, schedule.therm_sweeps, color="0.9", lw=0, zorder=0)
    axis.set_xlim(left=0)
    axis.set_xlabel("sweeps (grey: thermalisation)")
    axis.set_ylabel(r"$\rho_s$ of a bin minus mean, $E_J$")


def draw_autocorrelation(panel: Panel) -> None:
    """Draw the normalised autocorrelation of the bins of rho_s, averaged over samples."""
    axis, schedule = panel.axis, panel.results.config.schedule
    sweeps = schedule.measurements_per_bin * schedule.sweeps_per_measurement
    axis.axhline(0, color="0.6", lw=0.6, ls="--")
    for r in panel.members:
        bins = _bins(panel, r)
        if len(bins) < 2 or bins.shape[1] < 4:
            continue
        correlation, error = autocorrelation(bins)
        axis.errorbar(sweeps * np.arange(len(correlation)), correlation, error, fmt=".-", ms=2.5, lw=0.6,
                      color=panel.colour(r))  # fmt: skip
    axis.set_ylim(top=1.05)
    axis.set_xlabel("distance of two bins, sweeps")
    axis.set_ylabel(r"autocorrelation of $\rho_s$")


def autocorrelation(bins: Array) -> tuple[Array, Array]:
    """Return autocorrelation (n_bins // 2,) of bins (n_samples, n_bins), and its error over samples.

    The mean of a short chain removes var/n_bins from every product; that is added back.
    """
    count = bins.shape[1]
    change = bins - bins.mean(axis=1, keepdims=True)
    products = [
        (change[:, : count - t] * change[:, t:]).mean(axis=1) if t else (change**2).mean(axis=1)
        for t in range(count // 2)
    ]  # fmt: skip
    table = np.array(products)
    table = table + table[0] / (count - 1)
    mean, error = table.mean(axis=1), table.std(axis=1, ddof=1) / np.sqrt(table.shape[1])
    return np.asarray(mean / mean[0]), np.where(np.arange(len(mean)) == 0, 0.0, error / mean[0])


def draw_map(panel: Panel) -> None:
    """Draw the local compressibility of the first sample, and its missing bonds."""
    axis, (r,) = panel.axis, panel.members
    first = next(_pieces(panel, r.model, "maps/kappa_loc"), None)
    if first is None:
        axis.set_axis_off()
        return
    seed, number = first.keys[0].tolist()
    image = axis.imshow(first.maps["kappa_loc"][0], origin="lower", cmap="viridis", vmin=0)
    missing = ~r.model.draw_disorder(seed, number).bonds
    axis.add_collection(LineCollection(list(_half_bonds(missing)), colors=RED, linewidths=1.0))
    axis.set(xlim=(-0.5, r.model.Lx - 0.5), ylim=(-0.5, r.model.Ly - 0.5), xlabel="x", ylabel="y")
    axis.figure.colorbar(image, ax=axis, shrink=0.85, label=r"$\kappa_{\mathrm{loc}}\, E_J$")


def _half_bonds(bonds: NDArray[np.bool_]) -> Iterator[list[tuple[float, float]]]:
    """Yield both halves of every bond of a mask (2, Ly, Lx); a bond across the edge is at both edges."""
    _, height, width = bonds.shape
    for direction, y, x in np.argwhere(bonds).tolist():
        dx, dy = (0.5, 0.0) if direction == 0 else (0.0, 0.5)
        end = ((x + int(2 * dx)) % width, (y + int(2 * dy)) % height)
        yield [(x, y), (x + dx, y + dy)]
        yield [end, (end[0] - dx, end[1] - dy)]
