"""Commands that inspect a run: status, show, export. None of them needs numba or MPI."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.runs.cli.arguments import RUN_HELP, folder_of
from sitqmc.runs.errors import UserError


def add_commands(commands: Any) -> None:
    status = commands.add_parser(
        "status", help="progress of a run, also while it runs",
        description="Samples, sweeps, rho_s with its error and tau_int of every point, and the time left.",
    )  # fmt: skip
    status.add_argument("folder", help="output folder of a run, or its configuration")
    status.set_defaults(command=_status)

    show = commands.add_parser(
        "show", help="plot an observable",
        description="Plot a scalar against a parameter, or a correlator against its index, as PNG.",
    )  # fmt: skip
    show.add_argument("folder", help=RUN_HELP)
    show.add_argument("observable", help="such as rho_s, kappa, energy, rho")
    show.add_argument("parameter", nargs="?", default="p", help="such as p, charging, Lx, beta (default: p)")
    show.add_argument("-o", "--output", help="PNG file (default: beside run.h5)")
    show.set_defaults(command=_show)

    export = commands.add_parser(
        "export", help="averages as CSV or NetCDF",
        description="Write averages with errors of all points as CSV (.csv) or NetCDF-4 (.nc).",
    )  # fmt: skip
    export.add_argument("folder", help=RUN_HELP)
    export.add_argument("output", help="file to write, .csv or .nc")
    export.set_defaults(command=_export)


def _status(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.jobs.status import status

    print(status(folder_of(arguments.folder)))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.results.analysis import analyse_run
    from sitqmc.runs.results.figures.show import show
    from sitqmc.runs.results.run import load

    run = load(folder_of(arguments.folder))
    path = Path(arguments.output or run.path.parent / f"{arguments.observable}_{arguments.parameter}.png")
    show(analyse_run(run, names=[arguments.observable]), arguments.observable, arguments.parameter, path)
    print(path)
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
