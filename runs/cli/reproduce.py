"""The command that makes the figures of the paper."""

import argparse
import tomllib
from pathlib import Path
from typing import Any

from sitqmc.runs.cli.arguments import positive
from sitqmc.runs.errors import UserError


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
    from sitqmc.runs.paper.reproduce import reproduce
    from sitqmc.runs.simulate.processes import available_cores

    output = arguments.output or f"results/reproduce/{arguments.size}"
    if arguments.size == "cluster" and not arguments.simulate:
        print(_write_cluster(arguments.figure, output, arguments.time, arguments.nodes))
        return 0
    reproduce(
        arguments.figure, arguments.size, output, processes=arguments.processes or available_cores(),
        simulate=arguments.simulate, quiet=arguments.quiet,
    )  # fmt: skip
    return 0


def _write_cluster(figure: str, output: str | Path, time_limit: str, nodes: int) -> str:
    """Write configurations and a job script to a folder; return their cost and the next steps as text."""
    from sitqmc.runs.config.config import parse_config
    from sitqmc.runs.jobs.plan import plan
    from sitqmc.runs.jobs.slurm import Job, script
    from sitqmc.runs.paper.reproduce import chapter_of, config_files
    from sitqmc.runs.store.atomic import make_folder, replace_text

    chapter = chapter_of(figure, "cluster")
    if not chapter.studies:
        raise UserError(f"figure {figure}: needs no simulation; use --size small")
    folder = Path(output)
    make_folder(folder)
    paths = [path for name in chapter.studies for path in config_files("cluster", name)]
    tables = {path.stem.removeprefix("cluster_"): path for path in paths}
    files = [str(folder / path.name) for path in tables.values()]
    text = script(Job(configs=tuple(files), nodes=nodes, time=time_limit, name="reproduce"))
    lines = []
    for name, path in tables.items():
        source = path.read_text(encoding="utf-8")
        config = parse_config(tomllib.loads(source))
        own = source.replace(f'"{config.output.path}"', f'"{folder / "runs" / name}"')
        replace_text(folder / path.name, own)
        lines += [f"{folder / path.name}:", plan(config, 64, trial_seconds=1.0), ""]
    batch = folder / "reproduce.sbatch"
    replace_text(batch, text)
    lines += [
        f"{batch} written, with {len(files)} configurations; submit it with: sbatch {batch}",
        f"when all jobs have ended: sitqmc reproduce {figure} --size cluster --simulate -o {folder}",
    ]
    return "\n".join(lines)
