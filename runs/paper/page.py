"""HTML page with the figures of the paper, the verdict on each of its statements, and all tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sitqmc.runs.paper.decisions import Claim
from sitqmc.runs.paper.panels.panel import COLUMN, Panel, origin_lines
from sitqmc.runs.paper.studies.dataset import Reproduction
from sitqmc.runs.paper.tables import published_cells, published_rows, scale_cells
from sitqmc.runs.results.report.html import STYLE, bullets, page, pairs, section, table, tag, text
from sitqmc.runs.results.report.html import figure as embedded
from sitqmc.runs.store.atomic import replace_text
from sitqmc.runs.store.provenance import package_version

NAME = "index.html"
SCALES = (
    "Errors are one standard error over disorder samples, in units of the last digits; intervals: 68 %. "
    "n.r., not resolved: an end of the interval further away than 0.35 of the value, or below "
    "the temperature, or a fit that a check calls poor. Energies in E_J, sigma in 4e²/h. sigma_low is "
    "β²Λ(β/2)/π, which needs no continuation. omega_pair of a superfluid is zero; the table lists the "
    "energy that a finite array has instead."
)
PUBLISHED = (
    "sigmas: distance in combined standard errors. Large distances of nu, z and single crossings of the "
    "diluted transition are corrections of small sizes, discussed in the README. A value that is universal "
    "only at the transition is listed with its distance from the transition."
)


def write_page(
    folder: Path, panels: Sequence[Panel], data: Reproduction, found: Sequence[Claim], *, tables: bool
) -> Path:
    """Write index.html, which opens offline, beside the panels, which must exist; return its path."""
    path = folder / NAME
    replace_text(path, reproduction_page(folder, panels, data, found, tables=tables), durable=False)
    return path


def reproduction_page(
    folder: Path, panels: Sequence[Panel], data: Reproduction, found: Sequence[Claim], *, tables: bool
) -> str:
    """Return the whole page."""
    body = tag("header", *_header(data)) + tag("main", *_main(folder, panels, data, found, tables))
    return page(f"The paper reproduced, {data.size} · sitqmc", STYLE, body)


def _header(data: Reproduction) -> Iterator[str]:
    yield tag("h1", text(f"The paper reproduced: {data.size} size"))
    yield tag("p", text(
        "Figures of Sherman et al., Nature Physics 11, 188 (2015), from simulation and SYNTHETIC films; "
        f"made by {data.command} (sitqmc {package_version()})."), class_="faint")  # fmt: skip
    warning = [
        "Films are SYNTHETIC: computer-made, of known truth. Nothing here was measured.",
        "Simulated arrays are small; every caption ends with a list of what is not resolved.",
    ]
    yield tag("div", tag("strong", text("Read before the figures")), bullets(warning), class_="state bad")


def _main(
    folder: Path, panels: Sequence[Panel], data: Reproduction, found: Sequence[Claim], tables: bool
) -> Iterator[str]:
    if found:
        yield section("Verdicts", *(_claim(c) for c in found))
    yield section("Figures", *(_panel(folder, panel, data) for panel in panels))
    if tables:
        yield section("Diluted array", table(scale_cells(data.dirty), "Scales by p"), tag("p", text(SCALES)))
        if data.clean:
            yield section("Clean array", table(scale_cells(data.clean, "E_C/E_J"), "Scales by E_C/E_J"))
        cells = published_cells(published_rows(data))
        yield section("Beside published numbers", table(cells, "Own and published", (0, 4)),
                      tag("p", text(PUBLISHED)))  # fmt: skip
    lines = origin_lines(data)
    if lines:
        yield section("Provenance", bullets(lines))


def _claim(claim: Claim) -> str:
    rows = [("found", claim.found)]
    rows += [(d.verdict, f"{d.quantity}: {d.number}; rule: {d.rule}") for d in claim.decisions]
    rows += [("would decide", claim.decides)]
    if claim.decisions:
        rows += [("data for three errors", str(claim.effort))]
    return tag("h3", text(f"{claim.verdict.capitalize()}: {claim.statement}")) + pairs(rows)


def _panel(folder: Path, panel: Panel, data: Reproduction) -> str:
    caption = panel.caption(data)
    picture = (folder / f"{panel.name}.svg").read_bytes()
    shown = embedded(picture, "svg", panel.title, caption, wide=not _narrow(picture))
    return tag("h3", text(panel.title)) + shown


def _narrow(svg: bytes) -> bool:
    """Whether the width that a picture states is that of one column."""
    head = svg[:4000].decode("utf-8", "replace")
    width = head.split('width="', 1)[-1].split("pt", 1)[0]
    try:
        return float(width) < 1.2 * COLUMN * 72
    except ValueError:
        return False
