"""The command that tells a run on one page and draws its figures."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.runs.cli.inspect import folder_of
from sitqmc.runs.errors import UserError

FORMATS = ("png", "pdf", "svg")


def add_commands(commands: Any) -> None:
    report = commands.add_parser(
        "report", help="one HTML page with results, figures, checks and provenance",
        description="Analyse what is there, finished or not, and write one HTML page that opens anywhere: "
        "results, figures, checks and warnings, configuration, provenance. A run writes it when it ends.",
    )  # fmt: skip
    report.add_argument("folder", help="output.path of a run, its run.h5 or its configuration")
    report.add_argument("-o", "--output", help="file to write (default: report.html beside the store)")
    report.add_argument(
        "--format", default="", metavar="LIST", type=formats,
        help="also write every figure as files beside the page, such as pdf,svg,png",
    )  # fmt: skip
    report.set_defaults(command=_report)


def formats(given: str) -> tuple[str, ...]:
    """Names of formats between commas."""
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(FORMATS)}")
    return names


def _report(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.results.figures.run import write_figures
    from sitqmc.runs.results.report import NAME, report_page, told_of
    from sitqmc.runs.results.run import load
    from sitqmc.runs.store.atomic import replace_text

    run = load(folder_of(arguments.folder))
    path = Path(arguments.output or run.path.parent / NAME)
    if not path.parent.is_dir():
        raise UserError(f"{path}: its folder does not exist; choose another file")
    told = told_of(run)
    replace_text(path, report_page(told))
    print(path)
    for figure in write_figures(path.parent, told.results, arguments.format):
        print(figure)
    return 0
