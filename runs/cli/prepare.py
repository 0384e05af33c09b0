"""Commands before a run: init, plan, doctor, schema."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.runs.cli.arguments import add_changes, positive, seconds
from sitqmc.runs.errors import UserError


def add_commands(commands: Any) -> None:
    init = commands.add_parser(
        "init", help="write a commented configuration to start from",
        description="Write a commented configuration. An existing file is never overwritten.",
    )  # fmt: skip
    init.add_argument("config", nargs="?", default="run.toml", help="TOML file to write (default: run.toml)")
    init.set_defaults(command=_init)

    plan = commands.add_parser(
        "plan", help="points, memory, cost and the biggest risk of a configuration",
        description="Points, samples, memory, cost from a short measured trial, and the biggest risk. "
        "Writes nothing.",
    )  # fmt: skip
    plan.add_argument("config", help="TOML file")
    plan.add_argument("-n", "--processes", type=positive, help="processes or ranks (default: all cores)")
    plan.add_argument("--trial", type=seconds, default=5.0, help="seconds per trial (default: 5)")
    add_changes(plan)
    plan.set_defaults(command=_plan)

    doctor = commands.add_parser(
        "doctor", help="check the installation",
        description="Check packages, kernels, threads, HDF5, MPI. Exit status 1 if something is wrong.",
    )  # fmt: skip
    doctor.set_defaults(command=_doctor)

    schema = commands.add_parser(
        "schema", help="JSON schema of the configuration, for editors",
        description="Print the JSON schema of the configuration file, or write it. Editors with a TOML "
        "language server complete keys with it; the first line of a TOML file names it: "
        "#:schema ./sitqmc.schema.json",
    )  # fmt: skip
    schema.add_argument("-o", "--output", help="file to write, such as sitqmc.schema.json (default: print)")
    schema.set_defaults(command=_schema)


def _init(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.config.template import template

    path = Path(arguments.config)
    if path.suffix != ".toml":
        raise UserError(f"{path}: the file name must end in .toml")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(template(str(path), path.stem))
    except FileExistsError:
        raise UserError(f"{path}: exists already and is not overwritten; choose another name") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None
    print(f"{path} written; next: sitqmc plan {path}")
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.config.config import load_config
    from sitqmc.runs.jobs.plan import plan
    from sitqmc.runs.simulate.processes import available_cores

    config = load_config(arguments.config, arguments.changes)
    print(plan(config, arguments.processes or available_cores(), arguments.trial))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.jobs.doctor import doctor

    well, text = doctor()
    print(text)
    return 0 if well else 1


def _schema(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.config.schema import schema_text
    from sitqmc.runs.store.atomic import replace_text

    if not arguments.output:
        print(schema_text(), end="")
        return 0
    replace_text(Path(arguments.output), schema_text())
    print(f"{arguments.output} written; first line of a configuration: #:schema {arguments.output}")
    return 0
