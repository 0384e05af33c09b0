"""The command that makes the figures of the paper."""

import argparse
from typing import Any

from sitqmc.runs.cli.arguments import positive


def add_commands(commands: Any) -> None:
    make = commands.add_parser(
        "reproduce",
        help="make the figures of the paper, with captions and numbers",
        description="Make figures of Sherman et al., Nature Physics 11, 188 (2015): simulated curves with "
        "errors, SYNTHETIC films for the laboratory side, tables, captions that name what is not resolved. "
        "small simulates (minutes; resumable), medium draws data stored with the package (--simulate "
        "repeats the simulation), cluster writes configurations, a job script and their cost.",
    )
    make.add_argument("figure", metavar="FIGURE", help="1b, 2, 3 or all")
    make.add_argument("--size", default="small", help="small (default), medium or cluster")
    make.add_argument("-o", "--output", help="folder (default: results/reproduce/SIZE)")
    make.add_argument("-n", "--processes", type=positive, help="local processes (default: all cores)")
    make.add_argument("--simulate", action="store_true", help="simulate even if there are stored data")
    make.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    make.add_argument("--time", default="12:00:00", help="cluster: time limit of a job (default: 12:00:00)")
    make.add_argument("--nodes", type=positive, default=1, help="cluster: nodes per job (default: 1)")
    make.set_defaults(command=_reproduce)


def _reproduce(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.paper.reproduce import reproduce, write_cluster
    from sitqmc.runs.simulate.processes import available_cores

    output = arguments.output or f"results/reproduce/{arguments.size}"
    if arguments.size == "cluster" and not arguments.simulate:
        print(write_cluster(arguments.figure, output, arguments.time, arguments.nodes))
        return 0
    reproduce(
        arguments.figure, arguments.size, output, processes=arguments.processes or available_cores(),
        simulate=arguments.simulate, quiet=arguments.quiet,
    )  # fmt: skip
    return 0
