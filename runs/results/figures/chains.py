"""Panels from stored bins and maps: samples, map of one sample, thermalisation, autocorrelation.

Each has a function that returns its numbers; the csv files beside the figures hold the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sitqmc.qmc import Disorder, Model
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.formats.own import own_disorder
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.panels import Panel
from sitqmc.runs.results.figures.style import RED
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.samples import PointSamples

Array = NDArray[np.float64]

TRACED = "rho_s_x"
"""Observable of the traces: winding numbers are the slowest of what every chain measures."""

WIDEST = 2.0
"""Width of the line of the largest coupling, in points."""

LEAST_BARS, MOST_BARS = 4, 40
"""Bars of a histogram."""


@dataclass(frozen=True, eq=False)
class ChainSummary:
    """Sums over the samples of a point that the figures of its bins need.

    means        (n_samples,) mean of every chain
    drift        (n_bins,) mean over samples of a bin minus the mean of its chain, and its standard error
    correlation  (n_bins // 2,) autocorrelation of bins over its value at distance 0, and its standard error
    """

    means: Array
    drift: Array
    drift_error: Array
    correlation: Array
    correlation_error: Array


def _pieces(results: RunResults, model: Model, name: str) -> Iterator[PointSamples]:
    """Yield the stored samples of a point in pieces of bounded memory; none if the file lacks the point."""
    folder = RunFolder(results.path)
    if folder.rows(model) is not None:
        yield from folder.pieces(model, [name])


def summarise_chains(results: RunResults, model: Model) -> ChainSummary | None:
    """Return the summary of a point up to the end of its shortest chain; None for fewer than two samples."""
    return summary_of(piece.bins[TRACED] for piece in _pieces(results, model, f"bins/{TRACED}"))


def summary_of(pieces: Iterable[Array]) -> ChainSummary | None:
    """Return the summary of bins (samples, bins) that come in pieces; None for fewer than two samples.

    The mean of a short chain takes var/n_bins from every product of two bins; that is added again.
    """
    means, sums = list[Array](), list[tuple[int, Array, Array]]()
    for bins in pieces:
        count = bins.shape[1]
        change = bins - bins.mean(axis=1, keepdims=True)
        lags = range(count // 2)
        products = np.array([(change[:, : count - t] * change[:, t:]).mean(axis=1) for t in lags])
        products = products + products[:1] / (count - 1)
        means.append(bins.mean(axis=1))
        sums.append((count, _two_moments(change.T), _two_moments(products)))
    if sum(map(len, means)) < 2:
        return None
    count = min(n for n, _, _ in sums)
    n = sum(map(len, means))
    drift, error = _mean_and_error(sum(a[:, :count] for _, a, _ in sums), n)
    product, spread = _mean_and_error(sum(a[:, : count // 2] for _, _, a in sums), n)
    scale = product[0] if len(product) and product[0] > 0 else 1.0
    spread[:1] = 0.0
    return ChainSummary(np.concatenate(means), drift, error, product / scale, spread / scale)


def _two_moments(table: Array) -> Array:
    """Return the sums over samples of (m, n) and of its square, (2, m)."""
    return np.array([table.sum(axis=1), (table**2).sum(axis=1)])


def _mean_and_error(moments: Any, n: int) -> tuple[Array, Array]:
    """Return mean and standard error (m,) from the sums (2, m) over n samples."""
    mean, square = np.asarray(moments / n, dtype=float)
    error: Array = np.sqrt(np.maximum(square - mean**2, 0.0) / (n - 1))
    return mean, error


def bin_sweeps(config: Config) -> float:
    """Return the sweeps in a bin."""
    return config.schedule.measurements_per_bin * config.schedule.sweeps_per_measurement


def sweeps_of_bins(config: Config, count: int) -> Array:
    """Return the sweeps at the middle of every bin, thermalisation included."""
    middle = np.arange(count, dtype=np.float64) + 0.5
    return np.asarray(config.schedule.therm_sweeps + bin_sweeps(config) * middle, dtype=float)


def edges_of(tables: Iterable[Array]) -> Array:
    """Return the edges of the bars of a histogram of several tables."""
    values = [*tables]
    count = int(np.clip(np.sqrt(max(map(len, values))), LEAST_BARS, MOST_BARS))
    return np.asarray(np.histogram_bin_edges(np.concatenate(values), bins=count), dtype=float)


def first_map(results: RunResults, model: Model) -> tuple[tuple[int, int], Array] | None:
    """Return (seed, number) of the first sample and its local compressibility; None if not stored."""
    first = next(_pieces(results, model, "maps/kappa_loc"), None)
    if first is None or "kappa_loc" not in first.maps:
        return None
    seed, number = first.keys[0].tolist()
    return (seed, number), first.maps["kappa_loc"][0]


def disorder_of(results: RunResults, model: Model, seed: int, number: int) -> Disorder | None:
    """Return the disorder of a sample, drawn or own; None if the file of own disorder is gone or changed."""
    d = results.config.disorder
    if not d.file:
        return model.draw_disorder(seed, number)
    try:
        return own_disorder(d.file, d.file_hash, model, [number])[0]
    except UserError:
        return None


def _summaries(panel: Panel) -> Iterator[tuple[ChainSummary, Any]]:
    """Yield summary and colour of the points of a panel."""
    for r in panel.members:
        summary = summarise_chains(panel.results, r.model)
        if summary is not None:
            yield summary, panel.colour(r)


def draw_samples(panel: Panel) -> None:
    """Draw the distribution of rho_s over the disorder samples, and its mean."""
    axis, found = panel.axis, [*_summaries(panel)]
    edges = edges_of(s.means for s, _ in found) if found else np.zeros(0)
    for summary, colour in found:
        axis.hist(summary.means, edges.tolist(), histtype="stepfilled", color=colour, alpha=0.25, lw=0)
        axis.hist(summary.means, edges.tolist(), histtype="step", color=colour, lw=0.9)
        axis.axvline(float(summary.means.mean()), color=colour, lw=0.7, ls=":")
    axis.set_xlabel(r"$\rho_{s,x} / E_J$ of one sample (dotted: mean)")
    axis.set_ylabel("samples")


def draw_thermalisation(panel: Panel) -> None:
    """Draw the mean over samples of every bin minus the mean of its chain."""
    axis, config = panel.axis, panel.results.config
    axis.axhline(0, color="0.6", lw=0.6, ls="--")
    for summary, colour in _summaries(panel):
        x = sweeps_of_bins(config, len(summary.drift))
        axis.errorbar(x, summary.drift, summary.drift_error, fmt=".-", ms=2.5, lw=0.6, color=colour)
    axis.axvspan(0, config.schedule.therm_sweeps, color="0.9", lw=0, zorder=0)
    axis.set_xlim(left=0)
    axis.set_xlabel("sweeps (grey: thermalisation)")
    axis.set_ylabel(r"$\rho_{s,x}$ of a bin minus mean, $E_J$")


def draw_autocorrelation(panel: Panel) -> None:
    """Draw the normalised autocorrelation of the bins of rho_s, averaged over samples."""
    axis, sweeps = panel.axis, bin_sweeps(panel.results.config)
    axis.axhline(0, color="0.6", lw=0.6, ls="--")
    for summary, colour in _summaries(panel):
        y, error = summary.correlation, summary.correlation_error
        axis.errorbar(sweeps * np.arange(len(y)), y, error, fmt=".-", ms=2.5, lw=0.6, color=colour)
    axis.set_ylim(top=1.05)
    axis.set_xlabel("distance of two bins, sweeps")
    axis.set_ylabel(r"autocorrelation of $\rho_{s,x}$")


def draw_map(panel: Panel) -> None:
    """Draw the local compressibility of the first sample, its missing bonds, and couplings that differ."""
    axis, r = panel.axis, panel.members[0]
    found = first_map(panel.results, r.model)
    if found is None:
        axis.text(0.5, 0.5, "no map stored", transform=axis.transAxes, ha="center")
        return
    (seed, number), values = found
    image = axis.imshow(values, origin="lower", cmap="viridis", vmin=0)
    disorder = disorder_of(panel.results, r.model, seed, number)
    if disorder is not None:
        _draw_bonds(axis, disorder)
    axis.set(xlim=(-0.5, r.model.Lx - 0.5), ylim=(-0.5, r.model.Ly - 0.5), ylabel="y")
    axis.set_xlabel("x" if disorder else "x (the file of the disorder is gone or has changed)")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.figure.colorbar(image, ax=axis, shrink=0.85, label=r"$\kappa_{\mathrm{loc}}\, E_J$")


def _draw_bonds(axis: Axes, disorder: Disorder) -> None:
    """Draw missing bonds in red; couplings, where they differ, as white lines of a width in proportion."""
    axis.add_collection(LineCollection(list(_half_bonds(~disorder.bonds)), colors=RED, linewidths=1.0))
    if disorder.E_J is not None:
        widths = WIDEST * np.repeat(disorder.E_J[disorder.bonds], 2) / disorder.E_J[disorder.bonds].max()
        axis.add_collection(
            LineCollection(list(_half_bonds(disorder.bonds)), colors="white", linewidths=widths.tolist())
        )


def _half_bonds(bonds: NDArray[np.bool_]) -> Iterator[list[tuple[float, float]]]:
    """Yield both halves of every bond of a mask (2, Ly, Lx); a bond across the edge is at both edges."""
    _, height, width = bonds.shape
    for direction, y, x in np.argwhere(bonds).tolist():
        dx, dy = (0.5, 0.0) if direction == 0 else (0.0, 0.5)
        end = ((x + int(2 * dx)) % width, (y + int(2 * dy)) % height)
        yield [(x, y), (x + dx, y + dy)]
        yield [end, (end[0] - dx, end[1] - dy)]
