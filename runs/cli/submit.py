"""The command that submits a run to SLURM."""

import argparse
from pathlib import Path
from typing import Any

from sitqmc.runs.cli.arguments import add_changes, positive
from sitqmc.runs.errors import UserError


def add_commands(commands: Any) -> None:
    submit = commands.add_parser(
        "submit", help="write a SLURM job script and submit it",
        description="Write a readable job script beside the configuration and submit it with sbatch. One "
        "configuration makes one MPI job; several make a job array. At the time limit the job saves its work "
        "and is requeued, until the run is complete and its targets are met.",
    )  # fmt: skip
    submit.add_argument("configs", nargs="+", metavar="config", help="TOML file; several for a job array")
    submit.add_argument("--nodes", type=positive, default=1, help="nodes per job (default: 1)")
    submit.add_argument("--tasks", type=positive, help="MPI ranks per node (default: whole nodes)")
    submit.add_argument("--time", required=True, help="time limit of a job, such as 12:00:00")
    submit.add_argument("--name", help="name of the job (default: the name of the configuration)")
    submit.add_argument("--partition", default="", help="partition")
    submit.add_argument("--account", default="", help="account")
    submit.add_argument("--launcher", default="srun", help="srun (default), 'srun --mpi=pmi2', mpiexec")
    submit.add_argument("--setup", default="", help="a shell line before the run, such as 'module load mpi'")
    submit.add_argument(
        "--chain", type=positive, default=0, metavar="N",
        help="submit N further jobs instead of requeueing; they start one after the other as needed",
    )  # fmt: skip
    submit.add_argument("--dry-run", action="store_true", help="print the script, write and submit nothing")
    add_changes(submit)
    submit.set_defaults(command=_submit)


def _submit(arguments: argparse.Namespace) -> int:
    from sitqmc.runs.config.config import load_config
    from sitqmc.runs.jobs.slurm import Job, job_name, program, script, submit

    outputs = [load_config(config, arguments.changes).output.path for config in arguments.configs]
    if len(set(outputs)) < len(outputs):
        raise UserError("two configurations have the same output.path: give each job of an array its own")
    first = Path(arguments.configs[0])
    if arguments.chain and len(outputs) > 1:
        raise UserError(f"--chain with {len(outputs)} configurations: takes one; omit it for a job array")
    name = arguments.name or job_name(first.name, outputs[0], arguments.chain)
    job = Job(
        configs=tuple(arguments.configs), nodes=arguments.nodes, time=arguments.time, tasks=arguments.tasks,
        name=name, partition=arguments.partition, account=arguments.account,
        launcher=arguments.launcher, setup=arguments.setup, chain=arguments.chain,
        requeue=not arguments.chain, program=program(), changes=tuple(arguments.changes),
    )  # fmt: skip
    if arguments.dry_run:
        print(script(job), end="")
        return 0
    path = first.with_suffix(".sbatch")
    print(submit(job, path))
    print(f"{path} written; sitqmc status {outputs[0]} shows its progress")
    return 0
