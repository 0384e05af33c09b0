"""Numbers of the figures that no table of a run holds: one csv file for each figure, with its name."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sitqmc.qmc import Disorder
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures import chains, panels
from sitqmc.runs.results.figures.curves import Curve
from sitqmc.runs.results.tables import PARAMETER_COLUMNS, Row, numbered


def scalar_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of chi_s.csv: one row for each point and Matsubara number."""
    yield (*PARAMETER_COLUMNS, "n", "omega_n", "chi_s", "chi_s_error")
    for cells, r in numbered(results):
        numbers, e = r.averages.response("chi_s")
        for n, mean, error in zip(numbers.tolist(), e.value, e.error, strict=True):
            yield (*cells, n, 2 * math.pi * n / r.model.beta, float(mean), float(error))


def wave_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of waves.csv: one row for each point, Matsubara number and |q|."""
    yield (*PARAMETER_COLUMNS, "n", "q", "K_T", "K_T_error", "fit")
    for cells, r in numbered(results):
        one = r.averages.improved.get("rho")
        if one is not None and one.fit is not None:
            fit = one.fit
            for i, n in enumerate(fit.n.tolist()):
                for k, q in enumerate(fit.q.tolist()):
                    best = float(fit.prediction[k, i])
                    shown = best if math.isfinite(best) else ""
                    yield (*cells, n, q, float(fit.data[k, i]), float(fit.error[k, i]), shown)


def dispersion_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of dispersion.csv: one row for each point and |q|."""
    yield (*PARAMETER_COLUMNS, "q", "omega_s", "omega_s_error")
    for cells, r in numbered(results):
        found = panels.mode_frequencies(r)
        if found is not None:
            for q, value, error in zip(found[0], found[1].value, found[1].error, strict=True):
                yield (*cells, float(q), float(value), float(error))


def response_rows(name: str, results: RunResults) -> Iterator[Row]:
    """Yield head and rows of a response of a scan: all points together, and alone. See `Curve` for units."""
    yield (*PARAMETER_COLUMNS, "omega", name, "low_68", "high_68", "resolution", "alone", "alone_low_68",
           "alone_high_68")  # fmt: skip
    for cells, r in numbered(results):
        if name in r.joint:
            joint, single = Curve.of(r.joint[name].together), Curve.of(r.joint[name].alone)
            alone = [np.interp(joint.omega, single.omega, c) for c in (single.value, single.low, single.high)]
            curves = (joint.value, joint.low, joint.high, joint.resolution, *alone)
            for row in zip(joint.omega, *curves, strict=True):
                yield (*cells, *(float(x) for x in row))


def alpha_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of alpha.csv: one row for each point and alpha of the cross-check."""
    yield (*PARAMETER_COLUMNS, "alpha", "chi2_over_N", "chosen")
    for cells, r in numbered(results):
        if r.cross_check is not None:
            scan = r.cross_check.scan
            for i, (alpha, chi2) in enumerate(zip(scan.alpha, scan.chi2, strict=True)):
                yield (*cells, float(alpha), float(chi2) / r.cross_check.n_data, int(i == scan.chosen))


def sample_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of samples.csv: one row for each point and bar of the histogram over all points."""
    yield (*PARAMETER_COLUMNS, f"{chains.TRACED}_from", f"{chains.TRACED}_to", "samples")
    found = [*_summaries(results)]
    edges = chains.edges_of(summary.means for _, summary in found) if found else np.zeros(0)
    for cells, summary in found:
        counts, _ = np.histogram(summary.means, edges)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            yield (*cells, float(low), float(high), int(count))


def map_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of map.csv: one row for each point and site of the first sample."""
    names = ("y", "x", "kappa_loc", "bond_along_x", "bond_along_y", "E_J_along_x", "E_J_along_y")
    yield (*PARAMETER_COLUMNS, "seed", "sample", *names)
    for cells, r in numbered(results):
        found = chains.first_map(results, r.model)
        if found is not None:
            (seed, number), values = found
            disorder = chains.disorder_of(results, r.model, seed, number)
            for y, x in np.ndindex(values.shape):
                along = _bonds_at(disorder, y, x)
                yield (*cells, seed, number, y, x, float(values[y, x]), *along)


def _bonds_at(disorder: Disorder | None, y: int, x: int) -> tuple[object, ...]:
    """Return presence and couplings of the bonds along x and y; nothing if the disorder is unknown."""
    if disorder is None:
        return ("",) * 4
    bonds = [int(b) for b in disorder.bonds[:, y, x]]
    couplings = [1.0, 1.0] if disorder.E_J is None else disorder.E_J[:, y, x].tolist()
    return (*bonds, *(b * c for b, c in zip(bonds, couplings, strict=True)))


def thermalisation_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of thermalisation.csv: one row for each point and bin."""
    yield (*PARAMETER_COLUMNS, "sweeps", f"{chains.TRACED}_minus_mean", "error")
    for cells, summary in _summaries(results):
        x = chains.sweeps_of_bins(results.config, len(summary.drift))
        for row in zip(x, summary.drift, summary.drift_error, strict=True):
            yield (*cells, *map(float, row))


def autocorrelation_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of autocorrelation.csv: one row for each point and distance."""
    yield (*PARAMETER_COLUMNS, "sweeps", "autocorrelation", "error")
    for cells, summary in _summaries(results):
        for lag, row in enumerate(zip(summary.correlation, summary.correlation_error, strict=True)):
            yield (*cells, lag * chains.bin_sweeps(results.config), *map(float, row))


def _summaries(results: RunResults) -> Iterator[tuple[list[object], chains.ChainSummary]]:
    """Yield cells and summary of the points with at least two samples."""
    for cells, r in numbered(results):
        summary = chains.summarise_chains(results, r.model)
        if summary is not None:
            yield cells, summary
