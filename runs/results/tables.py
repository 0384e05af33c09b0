"""Tables of a run: the final table, the quality table, and CSV files of all plotted numbers."""

import contextlib
import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import (
    CorrelatorData,
    Spectrum,
    midpoint_frequency,
    midpoint_value,
    quartile_ratio,
    weight_bounds,
)
from sitqmc.continuation.methods import CROSS_CHECK
from sitqmc.continuation.spectrum.spectrum import CONDUCTIVITY
from sitqmc.estimate import Estimate
from sitqmc.qmc import PARAMETERS, PointAverages
from sitqmc.qmc.model.parameters import parameters_of
from sitqmc.qmc.statistics.estimators import Average
from sitqmc.runs.formatting import columns
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.point import KINDS, RunPoint, correlator_data, is_resolved, main_peak
from sitqmc.runs.store.atomic import replace_text

Array = NDArray[np.float64]
Row = Sequence[object]

NONE = "-"
NAMED_POINTS = 4             # points named in one remark
NOT_RESOLVED = "n.r."
UNRESOLVED = (
    "n.r.: not resolved; the averaging kernel of the data is wider than the peak, or the error exceeds the "
    "value"
)
SIGMA_Q = 2 * math.pi
"""One natural unit Q^2/hbar in 4e^2/h."""

RESULT_COLUMNS = (
    "samples", "rho_s", "kappa", "<-k_x>", "sum rule", "peak omega/E_J", "peak sigma/sigma_Q", "P(two peaks)",
    "chi2/N", "checks",
)  # fmt: skip
"""Columns of the final table after the parameters."""


def sum_rule(result: RunPoint) -> Estimate | None:
    """Return [rho_s + (2/pi) int sigma_reg] / <-k_x>: 1 up to errors and O(eps); None without a spectrum."""
    s = result.spectrum
    if s is None or s.sum_rule is None:
        return None
    return s.sum_rule.ratio(result.averages.samples["minus_k"])


def _text(value: Estimate | None) -> str:
    return NONE if value is None else f"{value}"


def two_peaks(s: Spectrum | None) -> str:
    """Return the fraction of posterior samples with two maxima; "-" without samples."""
    share = math.nan if s is None else s.two_maxima()
    return NONE if math.isnan(share) else f"{share:.2f}"


def _row(results: RunResults, result: RunPoint) -> list[str]:
    values, s = result.averages.values, result.spectrum
    averages = [f"{values[k]}" for k in ("rho_s", "kappa", "minus_k")]
    count = len(result.warnings)
    return [
        *results.space.cells(result.model), str(result.averages.n_samples), *averages,
        _text(sum_rule(result)), *peak_texts(result),
        two_peaks(s), f"{s.chi2 / s.n_data:.2f}" if s else NONE,
        f"{count} warning{'s' * (count != 1)}" if count else "ok",
    ]  # fmt: skip


def peak_texts(result: RunPoint) -> tuple[str, str]:
    """Return position and height of the main peak; "n.r." if the peak is not resolved."""
    peak = main_peak(result)
    if peak is None:
        return NONE, NONE
    if not is_resolved(result, peak):
        return NOT_RESOLVED, NOT_RESOLVED
    return f"{peak.position}", f"{peak.height.scaled(SIGMA_Q)}"


def final_rows(results: RunResults) -> list[list[str]]:
    """Return head and rows of the final table."""
    head = [*results.space.columns, *RESULT_COLUMNS]
    return [head, *(_row(results, r) for r in results.results)]


def final_table(results: RunResults) -> str:
    """Return the final table of a run, with the warnings that its last column counts below."""
    rows = final_rows(results)
    lines = columns(rows)
    if any(NOT_RESOLVED in row for row in rows):
        lines.append(UNRESOLVED)
    gains = gain_rows(results)
    if len(gains) > 1:
        lines += ["", GAINS, *columns(gains)]
    config = results.config
    if config.disorder.file and config.continuation.estimator in ("improved", "masks"):
        lines += ["", OWN_DISORDER]
    lines += [f"warning, {text}" for text in grouped_warnings(results)]
    return "\n".join(lines)


def grouped_warnings(results: RunResults) -> list[str]:
    """Return every warning once, after the names of at most `NAMED_POINTS` of its points."""
    by_text = dict[str, list[str]]()
    for r in results.results:
        for warning in r.warnings:
            by_text.setdefault(warning, []).append(results.label(r))
    return [f"{point_names(names, len(results.results))}: {warning}" for warning, names in by_text.items()]


def point_names(names: Sequence[str], of: int) -> str:
    """Return the names of some of the points of a run in words."""
    if len(names) == of > 1:
        return "all points"
    more = len(names) - NAMED_POINTS
    return "; ".join(names[:NAMED_POINTS]) + (f" and {more} more" if more > 0 else "")


GAINS = (
    "times fewer samples for the same error than with plain averages (in brackets: by other wave vectors x "
    "by functions of the mask)"
)
OWN_DISORDER = (
    "own disorder ([disorder] file): averages are taken without functions of the mask, because the means of "
    "such functions over all samples are not known"
)
SHOWN_GAINS = ("rho_s", "kappa", "minus_k", "rho", "chi_s", "G_k0")


def gain_rows(results: RunResults) -> list[list[str]]:
    """Return head and rows: by how much the estimators reduce the number of samples, by point and average.

    Of a correlator the median over its components is shown. Only a head if all averages are plain.
    """
    points = [r for r in results.results if r.averages.improved]
    names = [n for n in SHOWN_GAINS if any(n in r.averages.improved for r in points)]
    rows = [[*results.space.columns, *names]]
    for r in points:
        cells = [_gain_cell(r.averages.improved.get(name)) for name in names]
        rows.append([*results.space.cells(r.model), *cells])
    return rows


def _gain_cell(one: Average | None) -> str:
    """Return "31 (2.1 x 15)", total and parts; "1" where an average is plain."""
    if one is None:
        return NONE
    moving = np.asarray(one.plain_error) > 0     # files keep the error of a scalar as a number
    if not moving.any():
        return NONE
    total, fit = (float(np.median(np.asarray(g)[moving])) for g in (one.gain, one.gain_of_fit))
    if one.fit is None and fit <= 1:
        return f"{total:.2g}"
    return f"{total:.2g} ({fit:.2g} x {total / fit:.2g})"


def quality_table(results: RunResults) -> str:
    """Return tau_int and the thermalisation check of every observable at every point."""
    lines = ["tau_int (measurements) and p-value of the thermalisation check, by observable"]
    lines.append(f"all points: {results.space.shared}")
    for r in results.results:
        lines.append(results.label(r))
        lines += [
            f"    {name:16s} tau_int {check.tau_int:8.2f}   thermalisation p = {check.thermalisation_p:.3f}"
            for name, check in r.averages.checks.items()
        ]
    return "\n".join(lines) + "\n"


def write_tables(folder: Path, results: RunResults) -> list[Path]:
    """Write table.txt, quality.txt, averages.csv, rho.csv, scales.csv and sigma.csv; return their paths."""
    files = {
        "table.txt": final_table(results) + "\n",
        "quality.txt": quality_table(results),
        "averages.csv": as_csv(average_rows(results)),
        "rho.csv": as_csv(rho_rows(results)),
        "scales.csv": as_csv(scale_rows(results)),
        "sigma.csv": as_csv(sigma_rows(results)),
    }
    for name, text in files.items():
        replace_text(folder / name, text)
    return [folder / name for name in files]


def as_csv(rows: Iterable[Row]) -> str:
    """Return rows as CSV text; a float has ten digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([f"{x:.10g}" if isinstance(x, float) else x for x in row])
    return out.getvalue()


PARAMETER_COLUMNS = ("point", *PARAMETERS)
"""First columns of every CSV file: number of the point as in `sitqmc plan`, and all its parameters."""


def parameter_cells(number: int, model: object) -> list[object]:
    """Return the cells of `PARAMETER_COLUMNS`; a value has as many digits as tell it from any other."""
    return [number, *(_exact(value) for value in parameters_of(model).values())]


def _exact(value: Any) -> Any:
    """Return a float as text of ten digits, or of all where ten are not exact."""
    if not isinstance(value, float):
        return value
    short = f"{value:.10g}"
    return short if float(short) == value else repr(value)


def numbered(results: RunResults) -> Iterator[tuple[list[object], RunPoint]]:
    """Yield the cells of `PARAMETER_COLUMNS` and the result of every point."""
    for number, r in zip(results.numbers, results.results, strict=True):
        yield parameter_cells(number, r.model), r


def average_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of averages.csv: one row for each point and scalar."""
    yield (*PARAMETER_COLUMNS, "samples", "observable", "mean", "error", "plain_mean", "plain_error",
           "times_fewer_samples", "tau_int", "thermalisation_p")  # fmt: skip
    for cells, r in numbered(results):
        for name, e in r.averages.values.items():
            if np.ndim(e.value) == 0:
                check = r.averages.checks.get(name)
                quality = (check.tau_int, check.thermalisation_p) if check else ("", "")
                plain = r.averages.plain.get(name, e)
                gain = (plain.error / e.error) ** 2 if e.error > 0 else 1.0
                plain_cells = (float(plain.value), float(plain.error), float(gain))
                yield (*cells, e.n, name, float(e.value), float(e.error), *plain_cells, *quality)


def rho_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of rho.csv: one row for each point and Matsubara number."""
    yield (*PARAMETER_COLUMNS, "n", "omega_n", "rho", "rho_error", "rho_plain_error", "sigma_iw_over_sigma_Q",
           "sigma_iw_error")  # fmt: skip
    for cells, r in numbered(results):
        e = r.averages.values["rho"]
        plain = r.averages.plain.get("rho", e)
        for n, (mean, error, before) in enumerate(zip(e.value, e.error, plain.error, strict=True)):
            w = 2 * math.pi * n / r.model.beta
            sigma = (SIGMA_Q * float(mean) / w, SIGMA_Q * float(error) / w) if n else ("", "")
            yield (*cells, n, w, float(mean), float(error), float(before), *sigma)


LOW_WINDOW = 1.0
"""The bounds on the weight at low frequency hold for [0, LOW_WINDOW], E_J."""


def _correlators(averages: PointAverages) -> Iterator[tuple[str, CorrelatorData]]:
    """Yield rho(i w_n), chi_s(i w_n) and G(k = 0, tau) up to beta/2, as far as they were measured."""
    for name in ("rho", "chi_s", "G_k0"):
        if name in averages.samples:
            with contextlib.suppress(ValueError):        # too few samples, or no signal
                yield name, correlator_data(averages, name)


def scale_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of scales.csv: numbers that need no continuation, E_J and 4e^2/h.

    midpoint_frequency, quartile_ratio  of rho, chi_s and G
    sigma_low   of rho, beta^2 Lambda(beta/2)/pi in 4e^2/h; low of chi_s and G, beta^2 C(beta/2)/pi
    weight_low_least, weight_low_most   95 % bounds on the integral of A over [0, LOW_WINDOW], without error
    """
    yield (*PARAMETER_COLUMNS, "correlator", "quantity", "value", "error")
    functionals: dict[str, Callable[[CorrelatorData], Estimate]]
    functionals = {"midpoint_frequency": midpoint_frequency, "quartile_ratio": quartile_ratio}
    for cells, r in numbered(results):
        for name, data in _correlators(r.averages):
            for quantity, function in functionals.items():
                found = function(data)
                yield (*cells, name, quantity, float(found.value), float(found.error))
            if (low := low_frequency(r, name)) is not None:
                quantity = "sigma_low" if name == "rho" else "low"
                yield (*cells, name, quantity, float(low.value), float(low.error))
            with contextlib.suppress(ValueError):        # no spectrum fits, or the data bound nothing
                bounds = weight_bounds(data, 0.0, LOW_WINDOW)
                yield (*cells, name, "weight_low_least", bounds.lower, "")
                yield (*cells, name, "weight_low_most", bounds.upper, "")


def low_frequency(result: RunPoint, name: str = "rho") -> Estimate | None:
    """Return beta^2 C(beta/2)/pi of a correlator, for rho in 4e^2/h; None where not all n were measured."""
    table, m, in_time = result.averages.samples[name], result.model, KINDS[name] == "green_tau"
    n = np.arange(table.shape[1])
    try:
        value = midpoint_value(CorrelatorData.from_samples(
            table, kind=KINDS[name], beta=m.beta, grid=n * (m.eps if in_time else 1),
            eps=None if in_time else m.eps,
        ))  # fmt: skip
        return value.scaled(SIGMA_Q) if name == "rho" else value
    except ValueError:                           # odd number of slices, or observables.n_max below L_tau/2
        return None


def _cross_check(result: RunPoint) -> tuple[Array, Array]:
    """Return sigma of the cross-check and its jackknife error, 4e^2/h, on the frequencies of the spectrum."""
    s, m = result.spectrum, result.cross_check
    assert s is not None
    assert m is not None
    error = m.sigma_band(kind="statistical")[1] - m.sigma
    return np.interp(s.omega, m.omega, m.sigma), np.interp(s.omega, m.omega, error)


def sigma_rows(results: RunResults) -> Iterator[Row]:
    """Yield head and rows of sigma.csv: one row for each point and frequency."""
    yield (*PARAMETER_COLUMNS, "omega", "sigma_over_sigma_Q", "low_68", "high_68", "low_statistical",
           "high_statistical", "resolution", f"{CROSS_CHECK}_over_sigma_Q",
           f"{CROSS_CHECK}_statistical_error")  # fmt: skip
    for cells, r in numbered(results):
        s = r.spectrum
        if s is not None:
            bands = (*s.sigma_band(), *s.sigma_band(kind="statistical"))
            for row in zip(s.omega, s.sigma, *bands, s.resolution, *_cross_check(r), strict=True):
                yield (*cells, *(float(x) for x in row))


def spectrum_rows(spectrum: Spectrum) -> Iterator[Row]:
    """Yield head and rows of a spectrum that belongs to no run: sigma in 4e^2/h, P, chi'', C'' or A."""
    if spectrum.kind in CONDUCTIVITY:
        name, value, (low, high) = "sigma_over_sigma_Q", spectrum.sigma, spectrum.sigma_band()
    else:
        name, value, (low, high) = "spectral_function", spectrum.spectral, spectrum.spectral_band
    yield ("omega", name, "low_68", "high_68", "resolution")
    for row in zip(spectrum.omega, value, low, high, spectrum.resolution, strict=True):
        yield tuple(map(float, row))


def mixed_rows(omega: Array, values: Array, error: Array) -> Iterator[Row]:
    """Yield head and rows of a spectrum without a definite sign, see `continue_mixed`."""
    yield ("omega", "A", "error")
    for row in zip(omega, values, error, strict=True):
        yield tuple(map(float, row))


def spectrum_text(spectrum: Spectrum) -> str:
    """Return the summary of a spectrum: fit, constant, peaks, remarks."""
    lines = [f"{spectrum.method}: chi2 = {spectrum.chi2:.1f} for {spectrum.n_data} data"]
    if spectrum.constant is not None:
        lines.append(f"constant: {spectrum.constant}")
    for peak in spectrum.peaks(limit=3):
        kernel = float(np.interp(peak.position.value, spectrum.omega, spectrum.resolution))
        resolved = kernel <= peak.width and peak.position.error < abs(peak.position.value)
        place = f"{peak.position}" if resolved else f"n.r., near {peak.position.value:.2g}"
        lines.append(f"peak: {place}, width {peak.width:.2g}, resolution {kernel:.2g}")
    return "\n".join([*lines, *(f"warning: {text}" for text in spectrum.warnings)])
