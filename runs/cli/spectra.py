"""Commands for one quantity: show draws or prints it, continue makes a spectrum."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.continuation.data.kinds import EVEN_KINDS
from sitqmc.runs.cli.arguments import FORMATS, RUN_HELP, folder_of
from sitqmc.runs.errors import UserError

TEXTS = ("csv", "json", "table")


def add_commands(commands: Any) -> None:
    show = commands.add_parser(
        "show", help="figure or table of an observable or a spectrum",
        description="Draw a scalar against a parameter, a correlator, or a spectrum in the style of the "
        "report: sigma, P (of G_k0), P_loc (of G_loc), and chi_s, chi_c with --spectrum. "
        "Continuing a point takes seconds.",
    )  # fmt: skip
    show.add_argument("folder", help=RUN_HELP)
    show.add_argument("observable", help="such as rho_s, kappa, energy, rho, sigma")
    show.add_argument("parameter", nargs="?", default="p", help="such as p, charging, Lx, beta (default: p)")
    show.add_argument("-o", "--output", help="file to write (default: beside run.h5; texts: print)")
    show.add_argument(
        "-p", "--points", action="append", default=[], metavar="KEY=VALUES",
        help="only some points, such as p=0.1,0.2 or L=8; repeatable",
    )  # fmt: skip
    show.add_argument("-f", "--format", choices=(*FORMATS, *TEXTS), help="default: the ending of -o, or png")
    show.add_argument("--spectrum", action="store_true", help="continue the correlator to real frequencies")
    show.set_defaults(command=_show)

    continue_ = commands.add_parser(
        "continue", help="spectrum of your own correlator",
        description="Continue a correlator of a text file: columns grid, mean, error, or one sample per row. "
        "Writes NAME_spectrum.csv and NAME_spectrum.png.",
    )  # fmt: skip
    continue_.add_argument("file", help="text file; lines that begin with # are comments")
    continue_.add_argument(
        "--kind", required=True, choices=EVEN_KINDS,
        help="current response with rho_s, its connected part in time, G(tau) of bosons, response",
    )  # fmt: skip
    continue_.add_argument("--beta", required=True, type=float, help="inverse temperature")
    continue_.add_argument("--eps", type=float, help="time step of the simulation (default: continuous time)")
    rows = continue_.add_mutually_exclusive_group()
    rows.add_argument("--covariance", metavar="FILE", help="covariance of the mean; replaces the errors")
    rows.add_argument(
        "--samples", action="store_true",
        help="each row is one sample (or bin) at n = 0, 1, 2, ...; of *_tau at equal steps from 0 to beta",
    )  # fmt: skip
    continue_.add_argument("--n-samples", type=int, metavar="N", help="samples behind mean and errors")
    continue_.add_argument("--method", help="method of continuation (default: process)")
    continue_.add_argument("-o", "--output", help="first part of the names of both files (default: FILE)")
    continue_.add_argument("-f", "--format", choices=FORMATS, default="png", help="of the figure")
    continue_.set_defaults(command=_continue)


def _show(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.results.figures.show import results_of, shown_text, write_shown
    from sitqmc.runs.results.point import SPECTRA
    from sitqmc.runs.results.run import load
    from sitqmc.runs.store.atomic import replace_text

    name, kind = arguments.observable, _format(arguments)
    run = load(folder_of(arguments.folder))
    spectrum = name in SPECTRA and (arguments.spectrum or name not in run.known())
    if arguments.spectrum and not spectrum:
        raise UserError(f"{name}: has no spectrum; one of {', '.join(SPECTRA)}")
    results = results_of(run, name, run.points_where(_chosen(arguments.points)), spectrum)
    if kind in TEXTS:
        text = shown_text(results, name, kind)
        if not arguments.output:
            print(text, end="")
            return 0
        path = Path(arguments.output)
        replace_text(path, text)
    else:
        stem = f"{name}_spectrum" if spectrum else f"{name}_{arguments.parameter}"
        path = Path(arguments.output or run.path.parent / f"{stem}.{kind}").with_suffix(f".{kind}")
        write_shown(results, name, arguments.parameter, path)
    print(path)
    return 0


def _format(arguments: argparse.Namespace) -> str:
    """Return the format that is asked for: --format, or the ending of the output, or png."""
    ending = Path(arguments.output or "").suffix.lstrip(".")
    if arguments.format:
        return str(arguments.format)
    return ending if ending in (*FORMATS, *TEXTS) else "png"


def _chosen(texts: list[str]) -> dict[str, list[str]]:
    """Return the values of every key of -p."""
    chosen: dict[str, list[str]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        if not (key and equals and values):
            raise UserError(f"-p {text!r}: must be KEY=VALUES, such as p=0.1,0.2")
        chosen.setdefault(key.strip(), []).extend(v.strip() for v in values.split(","))
    return chosen


def _continue(arguments: argparse.Namespace) -> int:
    from sitqmc.continuation import continue_correlator
    from sitqmc.runs.results.figures.curves import draw_single
    from sitqmc.runs.results.figures.style import save_figure
    from sitqmc.runs.results.tables import as_csv, spectrum_rows, spectrum_text
    from sitqmc.runs.store.atomic import replace_file, replace_text

    try:
        spectrum = continue_correlator(_data(arguments), method=arguments.method)
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from None
    print(spectrum_text(spectrum))
    first = Path(arguments.file)
    stem = arguments.output or str(first.with_suffix(""))
    table, picture = Path(f"{stem}_spectrum.csv"), Path(f"{stem}_spectrum.{arguments.format}")
    figure = draw_single(spectrum, first.stem)
    replace_text(table, as_csv(spectrum_rows(spectrum)))
    replace_file(picture, lambda beside: save_figure(figure, arguments.format, first.stem, beside))
    print(f"{table}\n{picture}")
    return 0


def _data(arguments: argparse.Namespace) -> Any:
    """Return the correlator of the file, with the covariance that the arguments describe."""
    import numpy as np

    from sitqmc.runs.formats.correlators import count_columns, read_correlator, read_samples

    common = {"kind": arguments.kind, "beta": arguments.beta, "eps": arguments.eps}
    if not arguments.samples:
        return read_correlator(
            arguments.file, covariance=arguments.covariance, n_samples=arguments.n_samples, **common
        )
    count = count_columns(arguments.file)
    end = arguments.beta if arguments.kind.endswith("_tau") else count - 1
    grid = np.linspace(0.0, end, count)
    return read_samples(arguments.file, grid=grid, **common)
