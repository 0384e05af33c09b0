"""Commands for one quantity: show draws or prints it, continue makes a spectrum."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sitqmc.continuation.data.kinds import KINDS
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
        description="Continue a correlator of a text file.\n"
        "Columns grid, mean, error, or one sample per row.\n"
        "Complex kinds (fermion_iw, boson_iw): columns grid, real part, imaginary part, error;\n"
        "or rows of all real and then all imaginary parts.\n"
        "Writes NAME_spectrum.csv and NAME_spectrum.png.",
        epilog="kinds, with the integral over the spectrum A >= 0:\n"
        + "\n".join(f"  {name:12s}{kind.integral}" for name, kind in KINDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    continue_.add_argument("file", help="text file; lines that begin with # are comments")
    continue_.add_argument(
        "--kind", required=True, choices=KINDS,
        help="what the file holds, see below; *_iw: at Matsubara integers n, *_tau: at times",
    )  # fmt: skip
    continue_.add_argument("--beta", required=True, type=float, help="inverse temperature")
    continue_.add_argument("--eps", type=float, help="time step of the simulation (default: continuous time)")
    rows = continue_.add_mutually_exclusive_group()
    rows.add_argument("--covariance", metavar="FILE", help="covariance of the mean; replaces the errors")
    rows.add_argument(
        "--samples", action="store_true",
        help="each row is one sample (or bin) at n = 0, 1, 2, ...; of *_tau at equal steps from 0 to beta",
    )  # fmt: skip
    continue_.add_argument(
        "--mixed", nargs=2, metavar=("A", "B"),
        help="spectrum of <a b>, without a definite sign: FILE has the correlator of a + b, A of a, B of b",
    )  # fmt: skip
    continue_.add_argument("--n-samples", type=int, metavar="N", help="number of samples of mean and errors")
    continue_.add_argument("--method", help="method of continuation (default: process)")
    continue_.add_argument("-o", "--output", help="first part of the names of both files (default: FILE)")
    continue_.add_argument("-f", "--format", choices=FORMATS, default="png", help="format of the figure")
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
    """Return the requested format: --format, else the ending of the output, else png."""
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
    from sitqmc.continuation import continue_correlator, continue_mixed
    from sitqmc.runs.results.figures.curves import draw_mixed, draw_single
    from sitqmc.runs.results.tables import mixed_rows, spectrum_rows, spectrum_text

    title = Path(arguments.file).stem
    if arguments.mixed and arguments.covariance:
        raise UserError("--covariance with --mixed: it belongs to one file; give samples or errors")
    try:
        data = [_data(arguments, file) for file in (arguments.file, *(arguments.mixed or ()))]
        if arguments.mixed:
            mixed = continue_mixed(*data, method=arguments.method)
            return _write(arguments, mixed_rows(*mixed), draw_mixed(*mixed, title))
        spectrum = continue_correlator(data[0], method=arguments.method)
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from None
    print(spectrum_text(spectrum))
    return _write(arguments, spectrum_rows(spectrum), draw_single(spectrum, title))


def _write(arguments: argparse.Namespace, rows: Iterable[Any], figure: Any) -> int:
    """Write table and figure of a spectrum, and print their paths."""
    from sitqmc.runs.results.figures.style import save_figure
    from sitqmc.runs.results.tables import as_csv
    from sitqmc.runs.store.atomic import replace_file, replace_text

    first = Path(arguments.file)
    stem = arguments.output or str(first.with_suffix(""))
    table, picture = Path(f"{stem}_spectrum.csv"), Path(f"{stem}_spectrum.{arguments.format}")
    replace_text(table, as_csv(rows))
    replace_file(picture, lambda beside: save_figure(figure, arguments.format, first.stem, beside))
    print(f"{table}\n{picture}")
    return 0


def _data(arguments: argparse.Namespace, file: str) -> Any:
    """Return the correlator of a file, with the covariance that the arguments describe."""
    import numpy as np

    from sitqmc.runs.formats.correlators import count_columns, read_correlator, read_samples

    common = {"kind": arguments.kind, "beta": arguments.beta, "eps": arguments.eps}
    if not arguments.samples:
        return read_correlator(
            file, covariance=arguments.covariance, n_samples=arguments.n_samples, **common
        )
    count = count_columns(file)
    if KINDS[arguments.kind].complex_:
        if count % 2:
            raise ValueError(
                f"{file}: {count} columns: samples of kind {arguments.kind} are all real and then "
                "all imaginary parts; give an even number of columns"
            )
        count //= 2
    end = arguments.beta if arguments.kind.endswith("_tau") else count - 1
    grid = np.linspace(0.0, end, count)
    return read_samples(file, grid=grid, **common)
