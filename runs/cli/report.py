"""The command that writes tables, figures and the HTML report of a run."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.runs.cli.arguments import RUN_HELP, folder_of, formats
from sitqmc.runs.errors import UserError


def add_commands(commands: Any) -> None:
    report = commands.add_parser(
        "report", help="tables, figures and an HTML report of a run",
        description="Analyse a run, finished or not. Write its tables (txt, csv), its figures, and one HTML "
        "page that needs no network: results, figures, checks and warnings, configuration, provenance. "
        "A run does the same when it ends.",
    )  # fmt: skip
    report.add_argument("folder", help=RUN_HELP)
    report.add_argument(
        "-o", "--output",
        help="HTML file to write; tables and figures go beside it (default: report.html beside run.h5)",
    )  # fmt: skip
    report.add_argument(
        "--format", default=(), metavar="LIST", type=formats,
        help="formats of the figures, such as pdf,svg,png (default: png,pdf)",
    )  # fmt: skip
    report.set_defaults(command=_report)


def _report(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.results.analysis import analyse_run
    from sitqmc.runs.results.report.publish import publish
    from sitqmc.runs.results.run import load

    page = Path(arguments.output) if arguments.output else None
    if page is not None and not page.parent.is_dir():
        raise UserError(f"{page}: its folder does not exist; choose another file")
    results = analyse_run(load(folder_of(arguments.folder)))
    publish(results, page, arguments.format)
    return 0
