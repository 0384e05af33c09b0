"""Killed processes, full disks, dead ranks: the next start gives the same bits as an uninterrupted run.

The tests kill real processes with SIGKILL: the whole job or one process, after a random time or while a file
is being written. Every wait has a limit, so a run that hangs fails its test.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from helpers import LIMIT, command, datasets, environment, mpiexec, sitqmc, write_config
from sitqmc.runs.config.config import load_config
from sitqmc.runs.simulate.driver import run
from sitqmc.runs.simulate.lock import lock_owner

# Chains of several steps each (a step of `qmc.Chains` is about 0.1 s), a checkpoint after every step.
LONG = {"samples": 4, "bins": 20, "measurements": 20, "apart": 1500, "checkpoint": 0}
LONG["more"] = "interleave = 2"
LONGER = pytest.mark.physics
MODES = ("-n 1", "-n 2", "mpi 1", "mpi 2", "mpi 4")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Return the datasets of an uninterrupted run in one process."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    path = write_config(folder, **LONG)
    path.write_text(path.read_text().replace('"out"', f'"{folder}/out"'))
    run(load_config(path), processes=1, quiet=True)
    return datasets(folder / "out/run.h5")


def start(folder, mode, **options):
    """Start `sitqmc run` in a new session; return the process."""
    kind, number = mode.split()
    before = (mpiexec(), "-n", number) if kind == "mpi" else ()
    arguments = () if kind == "mpi" else (kind, number)
    return subprocess.Popen(
        command("run", "run.toml", "--no-analysis", *arguments, before=before), cwd=folder, env=environment(),
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )  # fmt: skip


def process_tree(process):
    """Return the numbers of a process and of all its descendants, the process itself first."""
    found, todo = [], [process]
    while todo:
        pid = todo.pop(0)
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                todo += map(int, task.read_text().split())
    return found


def workers(process):
    """Return the descendants of a process that simulate."""
    names = {}
    for pid in process_tree(process):
        try:
            names[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    spawned = [pid for pid, name in names.items() if "spawn_main" in name]
    return spawned or [pid for pid, name in names.items() if "sitqmc" in name and "mpiexec" not in name]


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_at(process, instant, target, rng):
    """Kill a run some seconds after its work began, or when a file matches a pattern.

    target   "all" processes, or "one" worker drawn at random
    returns  whether the run was still alive, and what it printed
    """
    folder, when = instant
    deadline = time.monotonic() + LIMIT
    at = None
    while process.poll() is None and time.monotonic() < deadline:
        if isinstance(when, str):
            if next(folder.glob(when), None):
                break
        elif at is None and (folder / "progress.json").exists():
            at = time.monotonic() + when
        elif at is not None and time.monotonic() > at:
            break
        time.sleep(0.0005 if isinstance(when, str) and folder.exists() else 0.01)
    assert time.monotonic() < deadline, "hangs"
    alive = process.poll() is None
    if alive and target == "one":
        alive_workers = workers(process.pid)
        kill([rng.choice(alive_workers)] if alive_workers else [])
    elif alive:
        kill(process_tree(process.pid))
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        kill(process_tree(process.pid))
        raise AssertionError("hangs after a kill") from None
    return alive, said


def finish(folder, expected):
    """Run to the end; the datasets must be the expected ones, and no temporary file may be left."""
    with contextlib.chdir(folder):
        run(load_config("run.toml"), processes=1, quiet=True)
    assert datasets(folder / "out/run.h5") == expected
    assert not (folder / "out/parts").exists()
    assert not list((folder / "out").glob(".*.tmp"))


def kill_repeatedly(folder, expected, mode, instants, rng):
    """Start and kill the run once per instant, then finish it; return how many kills met a live run."""
    hits = 0
    write_config(folder, **LONG)
    for when, target in instants:
        (folder / "out/progress.json").unlink(missing_ok=True)
        hit, said = kill_at(start(folder, mode), (folder / "out", when), target, rng)
        assert "Traceback" not in said, said
        hits += hit
        if not hit:                              # the run ended before the kill: compare, start again
            assert datasets(folder / "out/run.h5") == expected
            shutil.rmtree(folder / "out")
    finish(folder, expected)
    return hits


@pytest.mark.parametrize(
    ("mode", "instants"),
    [
        ("-n 1", [(0.1, "all"), ("parts/.*.tmp", "all"), (".run.h5*.tmp", "all")]),
        ("-n 2", [(0.2, "one"), (0.2, "all")]),
        ("mpi 2", [(0.1, "one"), (0.1, "all")]),
    ],
)
def test_killed_and_started_again(tmp_path, uninterrupted, mode, instants):
    assert kill_repeatedly(tmp_path, uninterrupted, mode, instants, random.Random(1)) >= 1


@pytest.mark.physics
@pytest.mark.parametrize("mode", MODES)
def test_killed_at_many_instants(tmp_path, uninterrupted, mode):
    """Fifteen instants for each way to start: random times, checkpoints, merges; one process or all."""
    rng = random.Random(mode)
    instants = [(rng.uniform(0, 0.6), rng.choice(["all", "one"])) for _ in range(9)]
    instants += [("parts/.*.tmp", rng.choice(["all", "one"])) for _ in range(3)]
    instants += [(".run.h5*.tmp", "all") for _ in range(3)]
    rng.shuffle(instants)
    hits = kill_repeatedly(tmp_path, uninterrupted, mode, instants, rng)
    print(f"{mode}: {hits} kills hit")
    assert hits >= 10


def limited():
    """Limit the size of a file, so that a write fails halfway, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))


@pytest.mark.parametrize("mode", ["-n 1", pytest.param("-n 2", marks=LONGER)])
def test_a_file_that_cannot_be_written(tmp_path, uninterrupted, mode):
    """The run says so in one line and keeps its last checkpoint; the next start gives the same bits."""
    write_config(tmp_path, **LONG)
    process = start(tmp_path, mode, preexec_fn=limited)
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1, said
    assert "cannot be written (File too large); free space or raise the quota; " in said
    assert "samples are safe, and the same command continues" in said
    assert "Traceback" not in said
    finish(tmp_path, uninterrupted)


@pytest.mark.parametrize(("mode", "size"), [pytest.param("-n 2", 120, marks=LONGER), ("mpi 2", 120)])
def test_a_full_file_system(tmp_path, uninterrupted, mode, size):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        write_config(disk, **LONG)
        process = start(disk, mode)
        said, _ = process.communicate(timeout=LIMIT)
        assert process.returncode == 1, said
        assert "no space left on the disk; free some space; " in said
        assert "samples are safe, and the same command continues" in said
        shutil.copytree(disk, tmp_path / "larger")
        finish(tmp_path / "larger", uninterrupted)
    finally:
        while subprocess.run(["umount", str(disk)], capture_output=True).returncode:
            time.sleep(0.1)                      # processes of the run have not ended yet


@pytest.mark.parametrize(
    ("mode", "number", "status"),
    [
        ("mpi 2", signal.SIGTERM, 75),
        ("-n 2", signal.SIGUSR1, 75),
        pytest.param("-n 1", signal.SIGINT, 130, marks=LONGER),
    ],
)
def test_signals_stop_in_order(tmp_path, uninterrupted, mode, number, status):
    """The signal goes to the outermost process only, as from a batch script."""
    write_config(tmp_path, **LONG | {"checkpoint": 1000})
    process = start(tmp_path, mode)
    while not (tmp_path / "out/progress.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(number)
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == status, said
    assert said.count("the same command continues") == 1
    assert list((tmp_path / "out/parts").glob("*.h5"))        # written for the signal: none was due
    finish(tmp_path, uninterrupted)


def test_the_time_limit_stops_in_order(tmp_path, uninterrupted):
    """The first run asks for more samples than any machine simulates in the time, the second for few."""
    write_config(tmp_path, **LONG | {"samples": 20})
    done = sitqmc(tmp_path, "run", "run.toml", "-n", "1", "--no-analysis", "--time", "0:01")
    assert done.returncode == 75, done.stderr
    assert "time limit" in done.stderr
    write_config(tmp_path, **LONG)
    with contextlib.chdir(tmp_path):
        run(load_config("run.toml"), processes=1, quiet=True)
    found = datasets(tmp_path / "out/run.h5")
    assert found.keys() == uninterrupted.keys()
    for name, (_, values) in uninterrupted.items():     # samples are rows; more may follow
        assert found[name][1].startswith(values), name


def test_a_dead_worker_is_reported(tmp_path, uninterrupted):
    """A worker killed alone (out of memory, say) ends the run with status 1; the others write checkpoints."""
    write_config(tmp_path, **LONG)
    process = start(tmp_path, "-n 2")
    while not list((tmp_path / "out").glob("parts/*.h5")) or len(workers(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.005)
    kill(workers(process.pid)[:1])
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1, said
    assert "a worker process ended with status -9" in said
    assert "the same command continues" in said
    finish(tmp_path, uninterrupted)


def test_two_runs_on_one_output(tmp_path, uninterrupted):
    """The second run is refused while the first one works; the lock of a killed run does not count."""
    write_config(tmp_path, **LONG)
    process = start(tmp_path, "-n 1")
    while not (tmp_path / "out/progress.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGSTOP)         # it must still be there when the second run starts
    second = sitqmc(tmp_path, "run", "run.toml", "-n", "1")
    os.kill(process.pid, signal.SIGCONT)
    kill(process_tree(process.pid))
    process.wait(LIMIT)
    assert second.returncode == 2
    assert f"another sitqmc run (host {os.uname().nodename}, process {process.pid})" in second.stderr
    finish(tmp_path, uninterrupted)
    assert lock_owner(tmp_path / "out") is None
