"""HTML report of one run: results, checks, configuration and provenance.

    import sitqmc
    from sitqmc.runs.results.analysis import analyse_run
    from sitqmc.runs.results.report.report import report_page
    Path("report.html").write_text(report_page(analyse_run(sitqmc.load("results/my-run"))))

The page contains its figures, loads nothing, and runs no script.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sitqmc.continuation import Spectrum
from sitqmc.continuation.spectrum.features import find_peaks
from sitqmc.qmc.observables import row_of
from sitqmc.runs.config.config import Config
from sitqmc.runs.formatting import clock
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.kinds import caption, draw_all, figure_kinds
from sitqmc.runs.results.figures.style import COLUMN, image
from sitqmc.runs.results.point import is_resolved, main_peak, peak_resolution
from sitqmc.runs.results.report.html import (
    STYLE,
    bullets,
    contents,
    folded,
    page,
    pairs,
    section,
    table,
    tag,
    text,
)
from sitqmc.runs.results.report.html import figure as embedded
from sitqmc.runs.results.report.symbols import symbols
from sitqmc.runs.results.tables import (
    GAINS,
    NONE,
    NOT_RESOLVED,
    final_rows,
    gain_rows,
    grouped_warnings,
    low_frequency,
    peak_texts,
    point_names,
    two_peaks,
)
from sitqmc.runs.store.atomic import replace_text
from sitqmc.runs.store.provenance import package_version

Array = NDArray[np.float64]

NAME = "report.html"
MIN_PROMINENCE = 0.05        # of the peaks in the table of a scan, relative to the largest value

READING = (
    "Errors are one standard error over disorder samples, in units of the last digits: 0.4725(19) is "
    "0.4725 ± 0.0019. The sum rule is (rho_s + (2/π) ∫ σ_reg dω)/⟨−k_x⟩, which is not imposed and must be 1 "
    "up to O(eps). Energies in E_J, times in 1/E_J, conductivities in 4e²/h."
)
SPECTRA = (
    "Resolution is the width of the averaging kernel at the peak. n.r., not resolved: the averaging kernel "
    "is wider than the peak, or the error exceeds the value; the data determine neither place nor width. "
    "χ² counts the independent combinations of the data. The low-frequency value needs no continuation: "
    "β²Λ(β/2)/π in 4e²/h, equal to σ(0) if σ is flat below 2πT."
)
SCAN = (
    "Three or more points of a scan are continued together: neighbouring points help each other. The last "
    "columns show every point alone; where the two disagree by more than their errors, a change between "
    "neighbouring points may be sudden, which the common continuation smooths. P(two peaks) is the share of "
    "posterior samples with two maxima above πT, a dip between them. Only values above 0.95 are evidence for "
    "a dip, values below 0.5 say that the data do not need one."
)
CHECKS = (
    "tau_int is the integrated autocorrelation time in measurements. For Green functions (G, S) it is "
    "estimated from bins and never below half a bin. Thermalisation: p-value of the difference between the "
    "two halves of the chains; a p-value below 0.001 divided by the number of observables gives a warning. "
    "Thermal: fraction of the squared error that longer chains would remove; the rest is disorder, which "
    "only more samples reduce. Outliers and stuck: number of such samples."
)


def write_report(path: Path, results: RunResults, drawn: Mapping[str, Figure] | None = None) -> Path:
    """Write the report to a file; return its path. `drawn` holds its figures, if they are drawn already."""
    replace_text(path, report_page(results, drawn))
    return path


def report_page(results: RunResults, drawn: Mapping[str, Figure] | None = None) -> str:
    """Return the whole page; `drawn` as in `write_report`."""
    drawn = draw_all(results) if drawn is None else drawn
    parts = {
        "Results": [_table(final_rows(results), "Main results by point"), tag("p", symbols(READING))],
        "Estimators": [*_estimators(results)],
        "Figures": [tag("div", *_figures(results, drawn), class_="figures")],
        "Spectra": [tag("p", symbols(SPECTRA)), _table(_spectra(results), "sigma(omega) by point", (0, 1)),
                    *_scans(results)],
        "Checks": [tag("p", symbols(CHECKS)), *_checks(results)],
        "Averages": [*_averages(results)],
        "Configuration": [*_configuration(results.config)],
        "Provenance": [*_provenance(results.header.history)],
        "How to cite": [*_citation(results.header.history)],
    }
    parts = {title: inside for title, inside in parts.items() if inside}
    body = tag("header", *_header(results), contents(parts))
    body += tag("main", *(section(title, *inside) for title, inside in parts.items()))
    return page(f"{results.name} · sitqmc", STYLE, body)


def _table(rows: Sequence[Sequence[str]], caption: str, words: Collection[int] = (0,)) -> str:
    return table(rows, caption, words, heads=symbols)


def remarks(results: RunResults) -> list[str]:
    """Return the remarks at the top of the report: missing samples, excluded samples, and every warning."""
    out = grouped_warnings(results)
    made = {r.model: r.averages.n_samples for r in results.results}
    planned, wanted = results.config.models, results.config.disorder.samples
    lacking = [m for m in planned if made.get(m, 0) < wanted]
    if lacking:
        samples, all_ = sum(min(made.get(m, 0), wanted) for m in planned), wanted * len(planned)
        out.insert(0, f"unfinished: {samples} of {all_} samples; {len(lacking)} points lack some")
    if unresolved := unresolved_peaks(results):
        out.append(unresolved)
    if results.failures:
        numbers = ", ".join(sorted({str(f["sample"]) for f in results.failures}))
        out.insert(0, f"excluded from all averages: {_counted(len(results.failures), 'sample')} ({numbers})")
    return out


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _header(results: RunResults) -> Iterator[str]:
    samples = sum(r.averages.n_samples for r in results.results)
    yield tag("h1", text(results.name))
    yield tag("p", text(
        f"{_counted(len(results.results), 'point')}, {samples} disorder samples; ")
        + symbols(results.space.shared), class_="faint")  # fmt: skip
    found = remarks(results)
    if not found:
        yield tag("div", tag("strong", "All checks passed."), class_="state", role="status")
        return
    heading = f"{_counted(len(found), 'remark')} to read before the numbers"
    yield tag("div", tag("strong", text(heading)), bullets(found, symbols), class_="state bad", role="alert")


ESTIMATORS = (
    "Two estimators reduce the noise. Responses at q = 0 follow from those at all small wave vectors, which "
    "are further independent numbers with a smooth disorder mean. Averages are regressed on functions of the "
    "bond mask whose disorder means are known. [continuation] estimator = \"plain\" gives plain averages."
)


def _estimators(results: RunResults) -> Iterator[str]:
    """Yield text and table of the gain of the estimators; nothing if all averages are plain."""
    gains = gain_rows(results)
    if len(gains) > 1:
        heading = GAINS[0].upper() + GAINS[1:]
        yield tag("p", text(ESTIMATORS))
        yield _table(gains, heading)


def _figures(results: RunResults, drawn: Mapping[str, Figure]) -> Iterator[str]:
    for name, kind in figure_kinds(results).items():
        picture, said = drawn[name], caption(kind, results)
        alt = f"{kind.title} of {len(results.results)} points. {said}"
        yield embedded(
            image(picture, "svg", name), "svg", alt, said, title=kind.title, link=kind.table,
            wide=picture.get_figwidth() > 1.2 * COLUMN,
        )  # fmt: skip


def _spectra(results: RunResults) -> list[list[str]]:
    """Return one row for each point: features of sigma(omega), and how well they are resolved."""
    head = ["point", "method", "peak at", "its width", "resolution", "low frequency", "χ² / data"]
    rows = [[*head, "components"]]
    for r in results.results:
        s, peak = r.spectrum, main_peak(r)
        shape, fit, low = [NONE, NONE, NONE], [NONE, NONE], low_frequency(r)
        if peak is not None:
            width = f"{peak.width:.2g}" if is_resolved(r, peak) else NOT_RESOLVED
            shape = [peak_texts(r)[0], width, f"{peak_resolution(r, peak):.2g}"]
        if s is not None:
            fit = [f"{s.chi2:.1f} / {s.n_data}", f"{s.report.components} of {s.report.rows}"]
        low_text = NONE if low is None else f"{low}"
        rows.append([results.label(r), s.method if s else NONE, *shape, low_text, *fit])
    return rows


def _scans(results: RunResults) -> Iterator[str]:
    """Yield the joint results of every response of a scan, beside the single continuations."""
    features = ["peak at", "P(two peaks)", "χ² / data"]
    head = ["point", "response", *features, *(f"alone: {word}" for word in features)]
    rows = [
        [results.label(r), name, *_features(both.together), *_features(both.alone)]
        for r in results.results for name, both in r.joint.items()
    ]  # fmt: skip
    if rows:
        yield tag("p", symbols(SCAN))
        yield _table([head, *rows], "points continued together, and alone", (0, 1))


def _features(s: Spectrum) -> list[str]:
    """Return the position of the main peak as it is drawn, the probability of two peaks, and chi^2."""
    peak = s.interval(_main_maximum, spectral=s.kind != "rho_iw")
    return [f"{peak}", two_peaks(s), f"{s.chi2:.1f} / {s.n_data}"]


def _main_maximum(omega: Array, values: Array) -> float:
    """Return the position of the most prominent maximum, NaN without one."""
    peaks = find_peaks(omega, values, MIN_PROMINENCE)
    return peaks[0].position if peaks else float("nan")


def unresolved_peaks(results: RunResults) -> str:
    """Return a sentence on the peaks whose shape the data do not resolve; empty if there are none."""
    peaks = [(r, main_peak(r)) for r in results.results]
    names = [results.label(r) for r, peak in peaks if peak and not is_resolved(r, peak)]
    if not names:
        return ""
    return (
        f"not resolved: the peak of sigma(omega) at {point_names(names, len(results.results))}. The "
        "averaging kernel of the data is wider than the peak, or the error exceeds the value; a narrower "
        "peak, or several, would look the same."
    )


def _checks(results: RunResults) -> Iterator[str]:
    for r in results.results:
        rows = [["observable", "tau_int", "thermalisation", "thermal", "outliers", "stuck"]]
        for name, check in r.averages.checks.items():
            share = "" if np.isnan(check.thermal_fraction) else f"{100 * check.thermal_fraction:.0f} %"
            rows.append([
                name, f"{check.tau_int:.2f}", f"{check.thermalisation_p:.3f}", share,
                str(len(check.outliers) or ""), str(len(check.stuck) or ""),
            ])  # fmt: skip
        label, count = results.label(r), len(r.warnings)
        summary = f"{label}: {_counted(count, 'warning') if count else 'no warnings'}"
        inside = (bullets(r.warnings, symbols) if count else "") + table(rows, f"Checks, {label}")
        yield folded(symbols(summary), inside)


def _averages(results: RunResults) -> Iterator[str]:
    for r in results.results:
        rows = [["observable", "average", "plain", "unit", "meaning"]]
        for name, e in r.averages.values.items():
            if np.ndim(e.value) == 0:
                row, plain = row_of(name), r.averages.plain.get(name)
                rows.append([name, f"{e}", NONE if plain is None else f"{plain}", row.unit, row.text])
        label = results.label(r)
        cells = table(rows, f"Averages, {label}", (0, 3, 4))
        yield folded(symbols(label), cells)


def _configuration(config: Config) -> Iterator[str]:
    """Yield every value in force, defaults included."""
    resolved = config.resolved()
    yield tag("div", *(
        tag("div", tag("h3", text(f"[{name}]")), pairs((key, json.dumps(v)) for key, v in _flat(values)))
        for name, values in resolved.items()
    ), class_="settings")  # fmt: skip
    yield folded("As JSON", tag("pre", text(json.dumps(resolved, indent=1))))


def _flat(values: Any) -> Iterable[tuple[str, Any]]:
    return values.items() if isinstance(values, dict) else [("", values)]


def _provenance(history: Sequence[dict[str, Any]]) -> Iterator[str]:
    for i, call in enumerate(history, start=1):
        yield tag("h3", text(f"Call {i} of {len(history)}"))
        yield pairs((key, clock(v) if key == "wall_seconds" else str(v)) for key, v in call.items())
    if not history:
        yield tag("p", "Nothing is recorded.")


ARTICLES = (
    "D. Sherman et al., Nature Physics 11, 188 (2015): the physics",
    "M. Swanson et al., Physical Review X 4, 021007 (2014): conductivity across the transition",
    "N. Prokof'ev and B. Svistunov, Physical Review Letters 87, 160601 (2001): the worm algorithm",
    "F. Alet and E. S. Sørensen, Physical Review E 68, 026702 (2003): its directed form",
)
"""The references of CITATION.cff."""


def _citation(history: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what a paper that uses these results should cite: the package in the version of the last call."""
    version = history[-1].get("version", package_version()) if history else package_version()
    yield tag("p", text("Cite the package in the version that made the run, and the articles below."))
    yield tag("pre", text(
        "@software{sitqmc,\n  title   = {sitqmc: quantum Monte Carlo of the disorder-driven "
        "superconductor-insulator transition},\n  author  = {{The sitqmc developers}},\n"
        f"  version = {{{version}}}\n}}"))  # fmt: skip
    yield bullets(ARTICLES)
