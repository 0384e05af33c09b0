"""Kills at any instant, full disks, dead ranks: the next start ends in the bits of an undisturbed run.

Real processes are killed with SIGKILL, the whole job or one of its processes, after a random time or while
a file is being written. Every wait has a limit, so a run that hangs fails its test.
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
from sitqmc.runs.simulate.lock import lock_owner
from sitqmc.runs.simulate.run import run

# Chains of several steps each (a step of `qmc.Chains` is about 0.1 s), a checkpoint after every step.
LONG = {"samples": 4, "bins": 20, "measurements": 20, "apart": 1500, "checkpoint": 0}
LONG["more"] = "interleave = 2"
LONGER = pytest.mark.physics
MODES = ("-n 1", "-n 2", "mpi 1", "mpi 2", "mpi 4")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Datasets of the run in one process without any fault."""
    folder = tmp_path_factory.mktemp("undisturbed")
    path = write_config(folder, **LONG)
    path.write_text(path.read_text().replace('"out"', f'"{folder}/out"'))
    run(load_config(path), processes=1, quiet=True)
    return datasets(folder / "out/run.h5")


def start(folder, mode, **options):
    """`sitqmc run` in a session of its own."""
    kind, number = mode.split()
    before = (mpiexec(), "-n", number) if kind == "mpi" else ()
    arguments = () if kind == "mpi" else (kind, number)
    return subprocess.Popen(
        command("run", "run.toml", "--no-analysis", *arguments, before=before), cwd=folder, env=environment(),
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )  # fmt: skip


def family(process):
    """The process and all that come from it, outermost first."""
    found, todo = [], [process]
    while todo:
        pid = todo.pop(0)
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                todo += map(int, task.read_text().split())
    return found


def workers(process):
    """Those of the family that simulate."""
    names = {}
    for pid in family(process):
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


def strike(process, instant, victim, rng):
    """Kill at an instant, seconds after work began or when a file matches. Whether a living run was hit."""
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
        time.sleep(0.0005)
    assert time.monotonic() < deadline, "hangs"
    alive = process.poll() is None
    if alive and victim == "one":
        crew = workers(process.pid)
        kill([rng.choice(crew)] if crew else [])
    elif alive:
        kill(family(process.pid))
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        kill(family(process.pid))
        raise AssertionError("hangs after a kill") from None
    return alive, said


def finish(folder, expected):
    """Start until the end; the bins must be the expected ones, and nothing may lie about."""
    with contextlib.chdir(folder):
        run(load_config("run.toml"), processes=1, quiet=True)
    assert datasets(folder / "out/run.h5") == expected
    assert not (folder / "out/parts").exists()
    assert not list((folder / "out").glob(".*.tmp"))


def ordeal(folder, expected, mode, instants, rng):
    """Kill once per instant, starting again each time; then finish. How many kills hit a living run."""
    hits = 0
    write_config(folder, **LONG)
    for when, victim in instants:
        (folder / "out/progress.json").unlink(missing_ok=True)
        hit, said = strike(start(folder, mode), (folder / "out", when), victim, rng)
        assert "Traceback" not in said, said
        hits += hit
        if not hit:                              # it was faster: compare, and begin anew
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
def test_killed_and_started_again(tmp_path, undisturbed, mode, instants):
    assert ordeal(tmp_path, undisturbed, mode, instants, random.Random(1)) >= 1


@pytest.mark.physics
@pytest.mark.parametrize("mode", MODES)
def test_killed_at_many_instants(tmp_path, undisturbed, mode):
    """Fifteen instants for each way to start: random times, checkpoints, merges; one process or all."""
    rng = random.Random(mode)
    instants = [(rng.uniform(0, 0.6), rng.choice(["all", "one"])) for _ in range(9)]
    instants += [("parts/.*.tmp", rng.choice(["all", "one"])) for _ in range(3)]
    instants += [(".run.h5*.tmp", "all") for _ in range(3)]
    rng.shuffle(instants)
    hits = ordeal(tmp_path, undisturbed, mode, instants, rng)
    print(f"{mode}: {hits} kills hit")
    assert hits >= 10


def limited():
    """No file may grow beyond this: the write fails in the middle, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))


@pytest.mark.parametrize("mode", ["-n 1", pytest.param("-n 2", marks=LONGER)])
def test_a_file_that_cannot_be_written(tmp_path, undisturbed, mode):
    """One clear line, an orderly end, the last whole checkpoint; then the same bits."""
    write_config(tmp_path, **LONG)
    process = start(tmp_path, mode, preexec_fn=limited)
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1, said
    assert "cannot be written (File too large); free space or raise the quota; " in said
    assert "samples are safe, and the same command continues" in said
    assert "Traceback" not in said
    finish(tmp_path, undisturbed)


@pytest.mark.parametrize(("mode", "size"), [pytest.param("-n 2", 120, marks=LONGER), ("mpi 2", 120)])
def test_a_full_file_system(tmp_path, undisturbed, mode, size):
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
        finish(tmp_path / "larger", undisturbed)
    finally:
        while subprocess.run(["umount", str(disk)], capture_output=True).returncode:
            time.sleep(0.1)                      # processes of the run are still going


@pytest.mark.parametrize(
    ("mode", "number", "status"),
    [
        ("mpi 2", signal.SIGTERM, 75),
        ("-n 2", signal.SIGUSR1, 75),
        pytest.param("-n 1", signal.SIGINT, 130, marks=LONGER),
    ],
)
def test_signals_stop_in_order(tmp_path, undisturbed, mode, number, status):
    """The signal to the outermost process only, as a batch script sends it."""
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
    assert list((tmp_path / "out/parts").glob("*.h5"))        # nothing was due: the signal wrote it
    finish(tmp_path, undisturbed)


def test_the_time_limit_stops_in_order(tmp_path, undisturbed):
    """More samples than any machine simulates in the time; then as few as the undisturbed run has."""
    write_config(tmp_path, **LONG | {"samples": 20})
    done = sitqmc(tmp_path, "run", "run.toml", "-n", "1", "--no-analysis", "--time", "0:01")
    assert done.returncode == 75, done.stderr
    assert "time limit" in done.stderr
    write_config(tmp_path, **LONG)
    with contextlib.chdir(tmp_path):
        run(load_config("run.toml"), processes=1, quiet=True)
    found = datasets(tmp_path / "out/run.h5")
    assert found.keys() == undisturbed.keys()
    for name, (_, values) in undisturbed.items():        # samples are rows; more of them may follow
        assert found[name][1].startswith(values), name


def test_a_dead_worker_is_reported(tmp_path, undisturbed):
    """A worker killed alone (out of memory, say) ends the run with status 1; the others write checkpoints."""
    write_config(tmp_path, **LONG)
    process = start(tmp_path, "-n 2")
    while len(workers(process.pid)) < 2 or not list((tmp_path / "out").glob("parts/*.h5")):
        assert process.poll() is None
        time.sleep(0.002)
    kill(workers(process.pid)[:1])
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1, said
    assert "a worker process ended with status -9" in said
    assert "the same command continues" in said
    finish(tmp_path, undisturbed)


def test_two_runs_on_one_output(tmp_path, undisturbed):
    """The second is refused while the first works; a killed owner does not leave the lock behind."""
    write_config(tmp_path, **LONG)
    process = start(tmp_path, "-n 1")
    while not (tmp_path / "out/progress.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGSTOP)         # so that it is still there when the second has started
    second = sitqmc(tmp_path, "run", "run.toml", "-n", "1")
    os.kill(process.pid, signal.SIGCONT)
    kill(family(process.pid))
    process.wait(LIMIT)
    assert second.returncode == 2
    assert f"another sitqmc run (host {os.uname().nodename}, process {process.pid})" in second.stderr
    finish(tmp_path, undisturbed)
    assert lock_owner(tmp_path / "out") is None
