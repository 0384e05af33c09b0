"""Types of command-line arguments that several commands share. Imports nothing heavy."""

import argparse
from pathlib import Path

from sitqmc.runs.errors import UserError

FORMATS = ("png", "pdf", "svg")
RUN_HELP = "output folder of a run, its run.h5, or its configuration"


def positive(text: str) -> int:
    """Return an argument that counts something, at least 1."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be an integer") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def seconds(text: str) -> float:
    """Return a time in seconds, positive and finite."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number of seconds") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be positive and finite")
    return value


def formats(text: str) -> tuple[str, ...]:
    """Return the names of figure formats between commas."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(FORMATS)}")
    return names


def folder_of(text: str) -> Path:
    """Return the folder or run.h5 of an argument: the path itself, or the output of a configuration file."""
    path = Path(text)
    if path.suffix != ".toml":
        return path
    import tomllib

    from sitqmc.runs.config.overrides import default_output

    try:
        output = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("output", {})
        return Path(output.get("path", default_output(path)))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: no output.path ({reason}); pass the output folder of the run") from None


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Add --set."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="replace a value of the configuration, such as model.p=0.1 or model.p=[0.1,0.2]; repeatable",
    )  # fmt: skip
