"""Commands that look at a run: status, show, export."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.runs.errors import UserError


def add_commands(commands: Any) -> None:
    status = commands.add_parser(
        "status", help="what a run has done so far, also while it goes on",
        description="Samples, sweeps, rho_s with its error and tau_int of every point, and the time left.",
    )  # fmt: skip
    status.add_argument("folder", help="output.path of a run, or its configuration")
    status.set_defaults(command=_status)

    show = commands.add_parser(
        "show", help="plot an observable",
        description="Plot a scalar against a parameter, or a correlator against its index, as PNG.",
    )  # fmt: skip
    show.add_argument("folder", help="output.path of a run, its run.h5 or its configuration")
    show.add_argument("observable", help="such as rho_s, kappa, energy, rho")
    show.add_argument("parameter", nargs="?", default="p", help="such as p, charging, Lx, beta (default: p)")
    show.add_argument("-o", "--output", help="PNG file (default: beside the store)")
    show.set_defaults(command=_show)

    export = commands.add_parser(
        "export", help="averages as CSV or NetCDF",
        description="Averages with errors of all points: CSV by the ending .csv, else netCDF-4 (.nc).",
    )  # fmt: skip
    export.add_argument("folder", help="output.path of a run, its run.h5 or its configuration")
    export.add_argument("output", help="file to write, .csv or .nc")
    export.set_defaults(command=_export)


def folder_of(text: str) -> Path:
    """The folder or store meant: itself, or the output.path of a configuration file."""
    path = Path(text)
    if path.suffix == ".toml":
        import tomllib

        try:
            return Path(tomllib.loads(path.read_text(encoding="utf-8"))["output"]["path"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: names no output.path ({error}); give the folder of a run") from None
    return path


def _status(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.jobs.status import status

    print(status(folder_of(arguments.folder)))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.results.figures.show import show
    from sitqmc.runs.results.run import load

    run = load(folder_of(arguments.folder))
    if not run.points:
        raise UserError(f"{run.path}: has no finished samples yet")
    path = Path(arguments.output or run.path.parent / f"{arguments.observable}_{arguments.parameter}.png")
    show(run, arguments.observable, arguments.parameter, path)
    print(path)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    path = Path(arguments.output)
    if path.suffix not in (".csv", ".nc"):
        raise UserError(f"{path}: must end in .csv or .nc")
    from sitqmc.runs.results.export import write_csv, write_netcdf
    from sitqmc.runs.results.run import load

    run = load(folder_of(arguments.folder))
    if not run.points:
        raise UserError(f"{run.path}: has no finished samples yet")
    (write_csv if path.suffix == ".csv" else write_netcdf)(run, path)
    print(path)
    return 0
