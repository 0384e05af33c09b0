"""One page that tells a run: what was found, how far to trust it, what was simulated, where it comes from.

    from sitqmc.runs.results.report import report_of
    Path("report.html").write_text(report_of("results/my-run"))

The page holds its figures, loads nothing, and runs no script.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.continuation import CorrelatorData, PeakValue, midpoint_conductivity
from sitqmc.qmc.observables import row_of
from sitqmc.runs.config.config import Config, points
from sitqmc.runs.errors import UserError
from sitqmc.runs.formatting import clock, with_error
from sitqmc.runs.results.families import named, shared
from sitqmc.runs.results.figures.run import COLUMN, draw, drawings, image
from sitqmc.runs.results.html import STYLE, bullets, folded, page, pairs, section, table, tag, text
from sitqmc.runs.results.html import figure as embedded
from sitqmc.runs.results.point import PointResult, analyse
from sitqmc.runs.results.run import Run, load
from sitqmc.runs.results.tables import NONE, final_rows
from sitqmc.runs.store.atomic import replace_text

NAME = "report.html"
SHARP = 0.5                  # largest share of a peak's width that the resolution may have
SPELLED = 4                  # points named in one remark

READING = (
    "Errors are one standard error over disorder samples, in units of the last digits: 0.4725(19) is "
    "0.4725 ± 0.0019. The sum rule is (rho_s + (2/π) ∫ σ_reg dω)/⟨−k_x⟩, which is not imposed and must be 1 "
    "up to O(eps). Energies in E_J, times in 1/E_J, conductivities in 4e²/h."
)
SPECTRA = (
    "Resolution is the width of the averaging kernel at the peak: where it is not much smaller than the "
    "width of the peak, that width is the method's and not the array's. χ² is that of the independent "
    "combinations of the data. The low-frequency value needs no continuation: β²Λ(β/2)/π in 4e²/h, which is "
    "σ(0) if σ is flat below 2πT."
)
CHECKS = (
    "tau_int is the integrated autocorrelation time in measurements; that of Green functions (G, S) is taken "
    "from bins and never below half a bin. Thermalisation: the probability that "
    "the two halves of the chains differ as much as they do by chance; below 0.001 divided by the number of "
    "observables it warns. Thermal: the share of the squared error that longer chains would remove; the rest "
    "is disorder, which only more samples average. Outliers and stuck samples are counted by position."
)


@dataclass(frozen=True)
class Told:
    """What a report is made from."""

    name: str
    config: Config
    history: Sequence[dict[str, Any]]
    failed: Sequence[dict[str, Any]]
    results: Sequence[PointResult]


def report_of(folder: str | Path) -> str:
    """The page of a run, finished or not: everything that is there is analysed. UserError without samples."""
    return report_page(told_of(load(folder)))


def told_of(run: Run) -> Told:
    """Averages and spectra of all points of a run, in the order of its configuration, others after."""
    if not run.points:
        raise UserError(f"{run.path}: has no finished samples yet; nothing to report")
    planned = list(points(run.config))
    order = {model: i for i, model in enumerate(planned)}
    for data in run.points:
        order.setdefault(data.model, len(order))
    ordered = sorted(run.points, key=lambda data: order[data.model])
    results = [analyse(run.config, order[data.model], data) for data in ordered]
    return Told(run.path.resolve().parent.name, run.config, run.history, run.failed, results)


def write_report(folder: Path, told: Told) -> Path:
    """report.html in the folder of a run."""
    path = folder / NAME
    replace_text(path, report_page(told))
    return path


def report_page(told: Told) -> str:
    """The whole page."""
    body = tag("header", *_header(told)) + tag(
        "main",
        section("Results", table(final_rows(told.results), "Main results by point"), tag("p", text(READING)),
                *(tag("p", text(word)) for word in [unresolved(told.results)] if word)),
        section("Figures", *_figures(told.results)),
        section("Spectra", tag("p", text(SPECTRA)),
                table(_spectra(told.results), "sigma(omega) by point", (0, 1))),
        section("Checks", tag("p", text(CHECKS)), *_checks(told.results)),
        section("Averages", *_averages(told.results)),
        section("Configuration", *_configuration(told.config)),
        section("Where it comes from", *_provenance(told.history)),
    )
    return page(f"{told.name} · sitqmc", STYLE, body)


def problems(told: Told) -> list[str]:
    """What a reader must know before the numbers: samples missing or set aside, and every warning."""
    models, by_text = [r.model for r in told.results], dict[str, list[str]]()
    for r in told.results:
        for warning in r.warnings:
            by_text.setdefault(warning, []).append(named(r.model, models))
    out = [f"{_listed(names, len(models))}: {warning}" for warning, names in by_text.items()]
    there = {r.model: r.averages.n_samples for r in told.results}
    planned = list(points(told.config))
    lacking = [m for m in planned if there.get(m, 0) < told.config.disorder.samples]
    if lacking:
        samples = sum(min(there.get(m, 0), told.config.disorder.samples) for m in planned)
        wanted = len(planned) * told.config.disorder.samples
        out.insert(0, f"unfinished: {samples} of {wanted} samples; {len(lacking)} points lack some")
    if told.failed:
        numbers = ", ".join(sorted({str(f["sample"]) for f in told.failed}))
        out.insert(0, f"set aside, in no average: {len(told.failed)} samples ({numbers})")
    return out


def _listed(names: Sequence[str], of: int) -> str:
    """Several points, not more of them than one reads."""
    if len(names) == of > 1:
        return "all points"
    return "; ".join(names[:SPELLED]) + (f" and {len(names) - SPELLED} more" if len(names) > SPELLED else "")


def _header(told: Told) -> Iterator[str]:
    models = [r.model for r in told.results]
    samples = sum(r.averages.n_samples for r in told.results)
    yield tag("h1", text(told.name))
    yield tag("p", text(
        f"{len(models)} point{'s' * (len(models) != 1)}, {samples} disorder samples; "
        f"{shared(models)}"), class_="faint")  # fmt: skip
    found = problems(told)
    if not found:
        yield tag("div", tag("strong", "All checks passed."), class_="state", role="status")
        return
    word = f"{len(found)} remark{'s' * (len(found) != 1)} to read before the numbers"
    yield tag("div", tag("strong", text(word)), bullets(found), class_="state bad", role="alert")


def _figures(results: Sequence[PointResult]) -> Iterator[str]:
    for name, drawing in drawings(results).items():
        drawn = draw(name, results)
        alt = f"{drawing.title} of {len(results)} points. {drawing.caption}"
        yield tag("h3", text(drawing.title))
        yield embedded(
            image(drawn, "svg", name), "svg", alt, drawing.caption, wide=drawn.get_figwidth() > 1.2 * COLUMN
        )


def _spectra(results: Sequence[PointResult]) -> list[list[str]]:
    """What was read off each sigma(omega), and how well it could be."""
    head = ["point", "method", "peak at", "its width", "resolution", "low frequency", "χ² / data", "kept"]
    rows, models = [head], [r.model for r in results]
    for r in results:
        s, peak = r.spectrum, r.peak
        shape, fit = [NONE, NONE, NONE], [NONE, NONE]
        if peak is not None:
            where = with_error(peak.position.value, peak.position.error)
            shape = [where, f"{peak.width:.2g}", f"{_resolution(r, peak):.2g}"]
        if s is not None:
            fit = [f"{s.chi2:.1f} / {s.n_data}", f"{s.report.components} of {s.report.rows}"]
        rows.append([named(r.model, models), s.method if s else NONE, *shape, _low_frequency(r), *fit])
    return rows


def _resolution(r: PointResult, peak: PeakValue) -> float:
    """At a peak of the spectrum of this point."""
    assert r.spectrum is not None
    return float(np.interp(peak.position.value, r.spectrum.omega, r.spectrum.resolution))


def unresolved(results: Sequence[PointResult]) -> str:
    """A sentence on the peaks whose shape is not in the data; empty if there is none."""
    models = [r.model for r in results]
    names = [
        named(r.model, models) for r in results if r.peak and _resolution(r, r.peak) > SHARP * r.peak.width
    ]
    if not names:
        return ""
    return (
        f"Not resolved: the shape of the peak of sigma(omega) at {_listed(names, len(models))}. "
        "The resolution there exceeds half the width of the peak; a narrower peak, or several, would look "
        "the same."
    )


def _low_frequency(r: PointResult) -> str:
    """beta^2 Lambda(beta/2)/pi of a point, where all Matsubara numbers were kept."""
    rho = r.averages.samples["rho"]
    try:
        data = CorrelatorData.from_samples(
            rho, kind="rho_iw", beta=r.model.beta, grid=np.arange(rho.shape[1]), eps=r.model.eps
        )
        value = midpoint_conductivity(data)
    except ValueError:                           # odd number of slices, or observables.n_max below L_tau/2
        return NONE
    return with_error(value.value, value.error)


def _checks(results: Sequence[PointResult]) -> Iterator[str]:
    models = [r.model for r in results]
    for r in results:
        rows = [["observable", "tau_int", "thermalisation", "thermal", "outliers", "stuck"]]
        for name, check in r.averages.checks.items():
            share = "" if np.isnan(check.thermal_fraction) else f"{100 * check.thermal_fraction:.0f} %"
            rows.append([
                name, f"{check.tau_int:.2f}", f"{check.thermalisation_p:.3f}", share,
                str(len(check.outliers) or ""), str(len(check.stuck) or ""),
            ])  # fmt: skip
        name, count = named(r.model, models), len(r.warnings)
        said = f"{name}: {count or 'no'} warning{'s' * (count != 1)}"
        yield folded(said, (bullets(r.warnings) if count else "") + table(rows, f"Checks, {name}"))


def _averages(results: Sequence[PointResult]) -> Iterator[str]:
    models = [r.model for r in results]
    for r in results:
        rows = [["observable", "average", "unit", "meaning"]]
        for name, e in r.averages.values.items():
            if np.ndim(e.value) == 0:
                row = row_of(name)
                rows.append([name, with_error(e.value, e.error), row.unit, row.text])
        point = named(r.model, models)
        yield folded(point, table(rows, f"Averages, {point}", (0, 2, 3)))


def _configuration(config: Config) -> Iterator[str]:
    """Every value in force, defaults included."""
    resolved = config.resolved()
    for name, values in resolved.items():
        yield tag("h3", text(f"[{name}]"))
        yield pairs((key, json.dumps(value)) for key, value in _flat(values))
    yield folded("As JSON", tag("pre", text(json.dumps(resolved, indent=1))))


def _flat(values: Any) -> Iterable[tuple[str, Any]]:
    return values.items() if isinstance(values, dict) else [("", values)]


def _provenance(history: Sequence[dict[str, Any]]) -> Iterator[str]:
    for i, call in enumerate(history, start=1):
        yield tag("h3", text(f"Call {i} of {len(history)}"))
        yield pairs((key, clock(v) if key == "wall_seconds" else str(v)) for key, v in call.items())
    if not history:
        yield tag("p", "Nothing is recorded.")
