"""Numbers for reading: the final table, and CSV files for everything in the figures."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import Value
from sitqmc.estimate import Estimate
from sitqmc.runs.formatting import columns, with_error
from sitqmc.runs.results.point import PointResult
from sitqmc.runs.store.atomic import replace_text

NONE = "-"

Array = NDArray[np.float64]


def _estimate(e: Estimate) -> str:
    return with_error(e.value, e.error)


def _value(v: Value | None) -> str:
    return NONE if v is None else with_error(v.value, v.error)


def sum_rule(result: PointResult) -> Value | None:
    """[rho_s + (2/pi) int sigma_reg] / <-k_x>: 1 up to errors and O(eps)."""
    if result.spectrum is None or result.spectrum.sum_rule is None:
        return None
    return result.spectrum.sum_rule.ratio(result.averages.samples["minus_k"])


HEAD = (
    "L", "L_tau", "p", "samples", "rho_s", "kappa", "<-k_x>", "sum rule", "peak w/E_J", "peak sigma/sigma_Q",
    "chi2/N", "checks",
)  # fmt: skip


def _row(result: PointResult) -> list[str]:
    m, v, peak, s = result.model, result.averages.values, result.peak, result.spectrum
    height = None
    if peak is not None:
        factor = 2 * math.pi                     # natural units to 4e^2/h, as in Spectrum.sigma
        h = peak.height
        height = Value(factor * h.value, factor * h.stat_error, factor * h.posterior_error)
    return [
        str(m.Lx) if m.Lx == m.Ly else f"{m.Lx}x{m.Ly}", str(m.L_tau), f"{m.p:g}",
        str(result.averages.n_samples),
        _estimate(v["rho_s"]), _estimate(v["kappa"]), _estimate(v["minus_k"]), _value(sum_rule(result)),
        _value(peak.position if peak else None), _value(height),
        f"{s.chi2 / s.n_data:.2f}" if s else NONE,
        f"{len(result.warnings)} warning{'s' * (len(result.warnings) != 1)}" if result.warnings else "ok",
    ]  # fmt: skip


def final_rows(results: Sequence[PointResult]) -> list[list[str]]:
    """Head and rows of the table that ends a run."""
    return [list(HEAD), *(_row(r) for r in results)]


def final_table(results: Sequence[PointResult]) -> str:
    """The table that ends a run, and the warnings behind its last column."""
    lines = columns(final_rows(results))
    for r in results:
        lines += [f"warning, L = {r.model.Lx}, p = {r.model.p:g}: {text}" for text in r.warnings]
    return "\n".join(lines)


def quality_table(results: Sequence[PointResult]) -> str:
    """tau_int and thermalisation of every observable at every point."""
    lines = ["tau_int (measurements) and probability of the thermalisation check, per observable"]
    for r in results:
        lines.append(f"{r.label}, p = {r.model.p:g}")
        lines += [
            f"    {name:16s} tau_int {check.tau_int:8.2f}   thermalisation p = {check.thermalisation_p:.3f}"
            for name, check in r.averages.checks.items()
        ]
    return "\n".join(lines) + "\n"


def write_tables(folder: Path, results: Sequence[PointResult]) -> list[Path]:
    """table.txt, quality.txt, averages.csv, rho.csv, sigma.csv."""
    files = {
        "table.txt": final_table(results) + "\n",
        "quality.txt": quality_table(results),
        "averages.csv": _csv(_average_rows(results)),
        "rho.csv": _csv(_rho_rows(results)),
        "sigma.csv": _csv(_sigma_rows(results)),
    }
    for name, text in files.items():
        replace_text(folder / name, text)
    return [folder / name for name in files]


def _csv(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([f"{x:.10g}" if isinstance(x, float) else x for x in row])
    return out.getvalue()


MODEL_COLUMNS = ("point", "action", "eps", "charging", "Lx", "Ly", "L_tau", "p")


def _model_cells(result: PointResult) -> tuple[object, ...]:
    m = result.model
    return (result.index, m.action, m.eps, m.charging, m.Lx, m.Ly, m.L_tau, m.p)


def _average_rows(results: Sequence[PointResult]) -> Iterable[Sequence[object]]:
    yield (*MODEL_COLUMNS, "samples", "observable", "mean", "error", "tau_int", "thermalisation_p")
    for r in results:
        for name, e in r.averages.values.items():
            if np.ndim(e.value) == 0:
                check = r.averages.checks.get(name)
                quality = (check.tau_int, check.thermalisation_p) if check else ("", "")
                yield (*_model_cells(r), e.n, name, e.value, e.error, *quality)


def _rho_rows(results: Sequence[PointResult]) -> Iterable[Sequence[object]]:
    yield (*MODEL_COLUMNS, "n", "omega_n", "rho", "rho_error", "sigma_iw_over_sigma_Q", "sigma_iw_error")
    for r in results:
        e = r.averages.values["rho"]
        for n, (mean, error) in enumerate(zip(e.value, e.error, strict=True)):
            w = 2 * math.pi * n / r.model.beta
            sigma = (2 * math.pi * float(mean) / w, 2 * math.pi * float(error) / w) if n else ("", "")
            yield (*_model_cells(r), n, w, float(mean), float(error), *sigma)


def _cross_check(result: PointResult) -> tuple[Array, Array]:
    """Maximum-entropy sigma and its jackknife error in 4e^2/h, on the frequencies of the spectrum."""
    s, m = result.spectrum, result.maxent
    assert s is not None
    assert m is not None
    error = m.sigma_band(kind="statistical")[1] - m.sigma
    return np.interp(s.omega, m.omega, m.sigma), np.interp(s.omega, m.omega, error)


def _sigma_rows(results: Sequence[PointResult]) -> Iterable[Sequence[object]]:
    yield (*MODEL_COLUMNS, "omega", "sigma_over_sigma_Q", "low_68", "high_68", "low_statistical",
           "high_statistical", "resolution", "maxent_over_sigma_Q", "maxent_statistical_error")  # fmt: skip
    for r in results:
        if r.spectrum is not None:
            s = r.spectrum
            bands = (*s.sigma_band(), *s.sigma_band(kind="statistical"))
            columns = (s.omega, s.sigma, *bands, s.resolution, *_cross_check(r))
            for row in zip(*columns, strict=True):
                yield (*_model_cells(r), *(float(x) for x in row))
