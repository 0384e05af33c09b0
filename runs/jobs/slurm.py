"""Job scripts for SLURM: readable, requeued at the time limit, chained until the run is complete.

Every text of the user is quoted in the script, except the line of --setup, which is shell code.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.stop import STOPPED, parse_time

MAX_RESTARTS = 50


@dataclass(frozen=True)
class Job:
    """A job or an array of jobs to be submitted.

    configs   one configuration makes one MPI job, several make an array of such jobs
    tasks     MPI ranks per node; None: all cores of the node
    launcher  command with arguments that starts the ranks
    setup     shell line before the run
    chain     number of further jobs of the same name, each of which starts when the previous one has ended
    program   the command in the job, quoted for the shell
    changes   values that replace those of the configurations, such as "model.p=0.1"
    """

    configs: tuple[str, ...]
    nodes: int
    time: str
    tasks: int | None = None
    name: str = "sitqmc"
    partition: str = ""
    account: str = ""
    launcher: str = "srun"
    setup: str = ""
    chain: int = 0
    requeue: bool = True
    program: str = "sitqmc"
    changes: tuple[str, ...] = ()


def job_name(config: str, output: str, chain: int) -> str:
    """Return the name of a job: the stem of the configuration.

    Chained jobs append a hash of the output path, because they wait for and cancel jobs of their name.
    """
    stem = _file_stem(Path(config).stem)
    if not chain:
        return stem
    return f"{stem}-{hashlib.blake2b(os.fsencode(Path(output).absolute()), digest_size=3).hexdigest()}"


def _file_stem(text: str) -> str:
    """Return a text as part of a file name: letters, digits and . + - _ alone."""
    return re.sub(r"[^\w.+-]+", "_", text)


def _launcher(text: str) -> str:
    """Return the launcher with each of its words quoted."""
    try:
        return shlex.join(shlex.split(text))
    except ValueError as error:
        raise UserError(f"--launcher {text!r}: {str(error).lower()}; close the quotation") from None


def program() -> str:
    """Return `sitqmc` if the shell finds it, else its full path: the environment need not be active."""
    ours = Path(sys.executable).parent / "sitqmc"
    found = shutil.which("sitqmc")
    if found or not ours.exists():
        return "sitqmc"
    return shlex.quote(str(ours))


def script(job: Job) -> str:
    """Return the batch script; UserError for a bad time or a text that cannot be quoted."""
    for option in ("name", "partition", "account", "launcher"):
        if not getattr(job, option).isprintable():
            raise UserError(f"--{option} {getattr(job, option)!r}: must be one line of printable characters")
    try:
        seconds = parse_time(job.time)
    except ValueError as error:
        raise UserError(f"--time: {error}") from None
    if seconds < 120:
        raise UserError(f"--time {job.time}: must be at least 2 minutes")
    array = len(job.configs) > 1
    lines = ["#!/bin/bash", f"#SBATCH --job-name={shlex.quote(job.name)}", f"#SBATCH --nodes={job.nodes}"]
    if job.tasks:
        lines.append(f"#SBATCH --ntasks-per-node={job.tasks}")
    else:
        lines.append("#SBATCH --exclusive")
    lines += ["#SBATCH --cpus-per-task=1", f"#SBATCH --time={job.time.strip()}"]
    lines += [
        f"#SBATCH --{key}={shlex.quote(value)}"
        for key, value in (("partition", job.partition), ("account", job.account)) if value
    ]  # fmt: skip
    if array:
        lines.append(f"#SBATCH --array=0-{len(job.configs) - 1}")
    lines.append(f"#SBATCH --output={_file_stem(job.name)}-%{'A_%a' if array else 'j'}.log")
    lines.append("#SBATCH --open-mode=append")
    if job.requeue:
        lines.append("#SBATCH --requeue")
    if job.chain:
        lines.append("#SBATCH --dependency=singleton")
    notice = min(300, round(0.1 * seconds))      # s; a short job must not be told to stop at its start
    lines += [f"#SBATCH --signal=B:USR1@{notice}", "", "export OMP_NUM_THREADS=1"]
    if job.setup:
        lines.append(job.setup)
    lines += ["", *_choice(job, array), *_run(job), *_again(job)]
    return "\n".join(lines) + "\n"


def _choice(job: Job, array: bool) -> list[str]:
    if not array:
        return [f"config={shlex.quote(job.configs[0])}"]
    names = " ".join(map(shlex.quote, job.configs))
    return [f"configs=({names})", 'config="${configs[$SLURM_ARRAY_TASK_ID]}"']


def _run(job: Job) -> list[str]:
    ranks = "" if job.tasks else ' -n "$SLURM_CPUS_ON_NODE"' if job.nodes == 1 else ""
    if not job.tasks and job.nodes > 1:
        ranks = ' -n "$((SLURM_CPUS_ON_NODE * SLURM_JOB_NUM_NODES))"'
    changes = "".join(f" --set {shlex.quote(change)}" for change in job.changes)
    return [
        "",
        "# The run stops by itself before the time limit; the signal is for shorter notice.",
        f'{_launcher(job.launcher)}{ranks} {job.program} run "$config"{changes} &',
        "run=$!",
        "trap 'kill -USR1 $run' USR1",
        "status=138                                 # 138: the signal ended the wait, not the run",
        "while [ $status -eq 138 ]; do wait $run; status=$?; done",
        "",
    ]


def _again(job: Job) -> list[str]:
    stopped = f"[ $status -eq {STOPPED} ]"
    if job.requeue:
        return [
            f"# Status {STOPPED}: stopped in order, not finished. The same job is put into the queue again.",
            f"if {stopped} && [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {MAX_RESTARTS} ]; then",
            '    scontrol requeue "$SLURM_JOB_ID"',
            "    exit 0",
            "fi",
            "exit $status",
        ]
    if job.chain:
        return [
            f"# Status {STOPPED}: stopped in order, the next job continues. Otherwise: cancel the others.",
            f"{stopped} && exit 0",
            f'scancel --name={shlex.quote(job.name)} --state=PENDING --user="$(id -un)"',
            "exit $status",
        ]
    return ["exit $status"]


def submit(job: Job, path: Path) -> str:
    """Write the script, hand it to sbatch and return its answer; UserError if sbatch refuses."""
    from sitqmc.runs.store.atomic import replace_text

    replace_text(path, script(job))
    answers = []
    for _ in range(job.chain + 1):
        try:
            done = subprocess.run(["sbatch", str(path)], capture_output=True, text=True, timeout=120)
        except FileNotFoundError:
            raise UserError(f"sbatch was not found; {path} is written, submit it on a login node") from None
        except subprocess.TimeoutExpired:
            raise UserError(f"sbatch did not answer; {path} is written, submit it yourself") from None
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise UserError(f"sbatch refused {path}: {reason[0] if reason else 'no reason given'}")
        answers.append(done.stdout.strip())
    return "\n".join(answers)
