"""Final files of a run: tables, figures and the HTML report."""

from collections.abc import Sequence
from pathlib import Path

from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.figures.kinds import draw_all, write_figures
from sitqmc.runs.results.report.report import NAME, write_report
from sitqmc.runs.results.tables import final_table, write_tables

FORMATS = ("png", "pdf")


def publish(
    results: RunResults, page: Path | None = None, formats: Sequence[str] = (), *, quiet: bool = False
) -> list[Path]:
    """Write tables, figures and report, print the final table; return the paths of all files.

    page     file of the report, everything else goes beside it; None: report.html beside run.h5
    formats  of the figures; empty: png and pdf
    quiet    do not list the files
    """
    written = write_all(results, page, formats)
    print(final_table(results))
    if not quiet:
        print(_listed(written))
    return written


def _listed(written: Sequence[Path]) -> str:
    """Return one line with the report and the numbers of tables and figures beside it."""
    tables = sum(path.suffix in (".csv", ".txt") for path in written)
    figures = len({path.stem for path in written if path.suffix not in (".csv", ".txt", ".html")})
    return f"written: {written[-1]}, and beside it {tables} tables and {figures} figures"


def write_all(
    results: RunResults, page: Path | None = None, formats: Sequence[str] = ()
) -> list[Path]:
    """Write tables, figures and report; arguments as of `publish`. Returns the paths of all files."""
    page = page or results.path.parent / NAME
    drawn = draw_all(results)
    report = write_report(page, results, drawn)  # first: a figure saved as PNG has another layout afterwards
    return [
        *write_tables(page.parent, results), *write_figures(page.parent, results, drawn, formats or FORMATS),
        report,
    ]  # fmt: skip
