"""Commands that inspect a run: status, export, report. None of them needs MPI."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.runs.cli.arguments import RUN_HELP, folder_of, formats
from sitqmc.runs.errors import UserError


def add_commands(commands: Any) -> None:
    status = commands.add_parser(
        "status", help="progress of a run, also while it runs",
        description="Samples, sweeps, rho_s with its error and tau_int of every point, and the time left.",
    )  # fmt: skip
    status.add_argument("folder", help="output folder of a run, or its configuration")
    status.set_defaults(command=_status)

    export = commands.add_parser(
        "export", help="averages as CSV or NetCDF",
        description="Write averages with errors of all points as CSV (.csv) or NetCDF-4 (.nc).",
    )  # fmt: skip
    export.add_argument("folder", help=RUN_HELP)
    export.add_argument("output", help="file to write, .csv or .nc")
    export.set_defaults(command=_export)

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


def _status(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.jobs.status import status

    print(status(folder_of(arguments.folder)))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    path = Path(arguments.output)
    if path.suffix not in (".csv", ".nc"):
        raise UserError(f"{path}: the file name must end in .csv or .nc")
    from sitqmc.runs.results.run import load

    run = load(folder_of(arguments.folder))
    if path.suffix == ".csv":
        from sitqmc.runs.results.analysis import analyse_run
        from sitqmc.runs.results.export.table import write_csv

        write_csv(analyse_run(run, spectra=False), path)
    else:
        from sitqmc.runs.results.export.netcdf import write_netcdf

        write_netcdf(run.results, path)
    print(path)
    return 0


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
