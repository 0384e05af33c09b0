"""Commands for measured films: `film` analyses the scans of a film, `compare` compares a run with a film."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitqmc.runs.cli.arguments import RUN_HELP, folder_of
from sitqmc.runs.errors import UserError

if TYPE_CHECKING:
    from sitqmc.analytic import FilmSetup, MountPriors, Substrate, ThzScan


def add_commands(commands: Any) -> None:
    film = commands.add_parser(
        "film", help="analyse THz scans of a film",
        description="Fit the scans of one film jointly. Write sigma1, sigma2, sigma_H as CSV, figures, one "
        "page, and film.json for `sitqmc compare`. With --show, print how every file is understood and stop.",
    )  # fmt: skip
    film.add_argument("scan", nargs="+", help="cold scan; several files are repeats and are averaged")
    film.add_argument("--show", action="store_true", help="print what the files hold; fit nothing")
    film.add_argument("--normal", metavar="FILE", help="scan of the same mount above Tc")
    film.add_argument("--further", metavar="FILE", nargs="+", default=[], help="scans at other temperatures")
    film.add_argument("--tunnelling", metavar="FILE", help="dI/dV or I(V) of the film")
    film.add_argument(
        "--temperature", type=float, metavar="K", help="temperature of the cold scan, if the file lacks it"
    )
    film.add_argument(
        "--normal-temperature", type=float, metavar="K",
        help="temperature of the scan above Tc, if the file lacks it",
    )  # fmt: skip
    film.add_argument("--reference", metavar="FILE", help="time trace of the empty path, for traces")
    film.add_argument(
        "--columns", metavar="HEADS",
        help="column names of files without a header, such as 'time [ps], signal'",
    )
    film.add_argument("--tc", type=float, metavar="K", help="critical temperature")
    film.add_argument("--thickness", type=float, metavar="NM", help="thickness of the film")
    film.add_argument("--substrate", metavar="NAME", help="material such as mgo, refractive index, or file")
    film.add_argument("--substrate-thickness", type=float, metavar="UM", help="thickness of the substrate")
    film.add_argument("--standing-period", type=float, metavar="THZ", help="period of a standing wave")
    film.add_argument("--scattering", type=float, default=60.0, metavar="MEV", help="scattering rate (60)")
    film.add_argument(
        "--prior", action="append", default=[], metavar="NAME=WIDTH",
        help="width of a prior, such as leak=0.03; may be repeated (names: MountPriors)",
    )  # fmt: skip
    film.add_argument(
        "--sigma-n", type=float, default=3000.0, metavar="S/CM",
        help="first guess of the normal conductivity (default: 3000)",
    )  # fmt: skip
    film.add_argument("-o", "--output", help="folder to write (default: the first scan's name + _film)")
    film.set_defaults(command=_film)

    compare = commands.add_parser(
        "compare", help="compare sigma(omega) of a run with a film",
        description="Compare sigma(omega) of every point of a run with sigma_H of a film.",
    )  # fmt: skip
    compare.add_argument("run", help=RUN_HELP)
    compare.add_argument("film", help="folder that `sitqmc film` has written")
    compare.add_argument(
        "--amplitude", type=float, nargs=2, metavar=("VALUE", "ERROR"),
        help="prior of a free factor between array and film (default: the factor is 1)",
    )  # fmt: skip
    compare.set_defaults(command=_compare)


def _film(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.formats.measured.read import describe_file

    try:
        if arguments.show:
            for name in _files(arguments):
                columns = None if name == arguments.tunnelling else _columns(arguments)
                print(describe_file(name, columns))
            return 0
        _analyse(arguments)
    except (ValueError, FileNotFoundError) as error:
        raise UserError(str(error)) from None
    return 0


def _files(arguments: argparse.Namespace) -> list[str]:
    """Return all files of the call."""
    others = [name for name in (arguments.normal, *arguments.further, arguments.tunnelling) if name]
    return [*arguments.scan, *others]


def _analyse(arguments: argparse.Namespace) -> None:
    from sitqmc.analytic import analyse_film
    from sitqmc.runs.formats.measured.read import read_tunnelling
    from sitqmc.runs.results.film import write_film

    priors, cold = _priors(arguments), _cold(arguments)
    setup = _setup(arguments, cold.t_k)
    curve = read_tunnelling(arguments.tunnelling) if arguments.tunnelling else None
    normal = None
    if arguments.normal:
        normal = _scan(arguments, arguments.normal, arguments.normal_temperature)
    found = analyse_film(
        cold, setup, arguments.tc, normal=normal,
        further=[_scan(arguments, name) for name in arguments.further],
        tunnelling=curve, priors=priors,
    )  # fmt: skip
    first = Path(arguments.scan[0])
    folder = Path(arguments.output) if arguments.output else Path(f"{first.stem}_film")
    print(found.report())
    for path in write_film(folder, found, curve):
        print(path)


def _named_plate(arguments: argparse.Namespace, t_k: float) -> "Substrate":
    """Return the plate of a listed material at a temperature, or of a file with its index."""
    from sitqmc.analytic import substrate
    from sitqmc.runs.formats.measured.substrate import read_substrate

    if Path(arguments.substrate).is_file():
        return read_substrate(arguments.substrate, arguments.substrate_thickness)
    return substrate(arguments.substrate, arguments.substrate_thickness, t_k)


def _setup(arguments: argparse.Namespace, t_k: float) -> "FilmSetup":
    """Return film, substrate and instrument as given on the command line, at the temperature of the scan."""
    from sitqmc.analytic import FilmOnSubstrate, FilmSetup, Instrument, Substrate

    needed = ("tc", "thickness", "substrate", "substrate_thickness")
    missing = ["--" + name.replace("_", "-") for name in needed if getattr(arguments, name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)}: missing; a fit needs them (--show works without)")
    try:
        index = float(arguments.substrate)
        plate = Substrate(thickness_um=arguments.substrate_thickness, index=index)
    except ValueError:
        plate = _named_plate(arguments, t_k)
    instrument = Instrument()
    if arguments.standing_period is not None:
        instrument = Instrument(standing_period_thz=arguments.standing_period)
    sample = FilmOnSubstrate(film_nm=arguments.thickness, substrate=plate)
    return FilmSetup(
        sample=sample, sigma_n=arguments.sigma_n, scattering_mev=arguments.scattering, instrument=instrument
    )


def _priors(arguments: argparse.Namespace) -> "MountPriors":
    """Return the widths of the command line; the period of a standing wave is open if none is given.

    raises  UserError for an unknown name or a width that is no number
    """
    from sitqmc.analytic import SUBSTRATES, MountPriors

    known = {f.name for f in fields(MountPriors)}
    widths: dict[str, float] = {} if arguments.standing_period is None else {"standing_period": 0.05}
    if arguments.substrate in SUBSTRATES:
        widths["index"] = SUBSTRATES[arguments.substrate].index_error
    for text in arguments.prior:
        name, _, value = text.partition("=")
        if name not in known:
            raise UserError(f"--prior {text}: {name!r} is not known; use one of {', '.join(sorted(known))}")
        try:
            widths[name] = float(value)
        except ValueError:
            raise UserError(f"--prior {text}: {value!r} is no number; write {name}=0.1") from None
    return MountPriors(**widths)


def _cold(arguments: argparse.Namespace) -> "ThzScan":
    """Return the cold scan, averaged over its repeats."""
    from sitqmc.analytic import mean_scan

    scans = [_scan(arguments, name, arguments.temperature) for name in arguments.scan]
    return scans[0] if len(scans) == 1 else mean_scan(scans)


def _scan(arguments: argparse.Namespace, name: str, t_k: float | None = None) -> "ThzScan":
    """Return the scan in a file, read with the columns and the reference of the command line."""
    from sitqmc.runs.formats.measured.read import read_scan

    return read_scan(name, _columns(arguments), t_k=t_k, reference=arguments.reference)


def _columns(arguments: argparse.Namespace) -> list[str] | None:
    return [head.strip() for head in arguments.columns.split(",")] if arguments.columns else None


def _compare(arguments: argparse.Namespace) -> int:
    from sitqmc.estimate import Estimate
    from sitqmc.runs.results.analysis import analyse_run
    from sitqmc.runs.results.film import compare_run, read_film
    from sitqmc.runs.results.run import load

    prior = None
    if arguments.amplitude is not None:
        value, error = arguments.amplitude
        if not error > 0:
            raise UserError(f"--amplitude {value:g} {error:g}: the error must be > 0")
        prior = Estimate(value, error)
    film = read_film(Path(arguments.film))
    for label, text in compare_run(analyse_run(load(folder_of(arguments.run))), film, prior):
        print(f"{label}\n{text}\n")
    return 0
