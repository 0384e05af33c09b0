"""The commands around a run, each as a user meets it."""

import contextlib
import errno
import getpass
import itertools
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from helpers import command, environment, sitqmc, write_config
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.config import Config, load_config
from sitqmc.runs.config.target import TargetSection, wanted_samples
from sitqmc.runs.errors import Stopped, UserError, WriteFailed
from sitqmc.runs.jobs import plan as plan_file
from sitqmc.runs.jobs.slurm import job_name
from sitqmc.runs.simulate.driver import run
from sitqmc.runs.simulate.lock import EXPIRES, exclusive_lock
from sitqmc.runs.simulate.stop import Stop, given_time, job_time, parse_time
from sitqmc.runs.simulate.tasks import is_complete, remaining_tasks
from sitqmc.runs.store.run_file import RunHeader, write_run_file
from sitqmc.runs.store.run_folder import Inventory, RunFolder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    """A finished run in out/, to be copied."""
    folder = tmp_path_factory.mktemp("tiny_run")
    with contextlib.chdir(folder):
        run(load_config(write_config(folder)), processes=1, quiet=True)
    return folder


@pytest.fixture
def finished(tiny_run, folder):
    """A working directory with a finished run in out/."""
    shutil.copytree(tiny_run, folder, dirs_exist_ok=True)
    return folder


def test_init_writes_a_configuration_and_refuses_to_overwrite(folder, capsys):
    assert main(["init", "my.toml"]) == 0
    config = load_config("my.toml")
    assert len(config.models) == 10
    assert config.output.path == "results/my"
    before = (folder / "my.toml").read_bytes()
    capsys.readouterr()
    assert main(["init", "my.toml"]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert (folder / "my.toml").read_bytes() == before
    assert main(["init", "nowhere/my.toml"]) == 2


def test_plan_says_cost_memory_and_risk_and_writes_nothing(folder, capsys):
    write_config(folder, samples=3)
    assert main(["plan", "run.toml", "--trial", "0.2", "-n", "4"]) == 0
    said = capsys.readouterr().out
    assert "2 points x 3 samples = 6 chains of 84 sweeps" in said
    for word in ("core hours", "memory", "disk", "risk"):
        assert word in said
    assert [path.name for path in folder.iterdir()] == ["run.toml"]


def test_plan_says_what_is_there(finished, capsys):
    write_config(finished, samples=20)
    assert main(["plan", "run.toml", "--trial", "0.1", "-n", "1"]) == 0
    assert "out already holds 24 of these chains" in capsys.readouterr().out
    write_config(finished, sweeps=21)
    assert main(["plan", "run.toml", "--trial", "0.1", "-n", "1"]) == 0
    assert "holds another run, schedule.therm_sweeps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"samples": 2}, "too few samples"),
        ({"samples": 1000, "bins": 4, "measurements": 1}, "chains too short"),
        ({"samples": 1000, "sweeps": 0.01, "measurements": 100}, "thermalisation too short"),
    ],
)
def test_plan_finds_the_biggest_risk(folder, capsys, changes, words):
    write_config(folder, **changes)
    assert main(["plan", "run.toml", "--trial", "1", "-n", "1"]) == 0
    assert words in capsys.readouterr().out.splitlines()[-1]


LOADED = """
import sys
from sitqmc.runs.cli.main import main
status = main(sys.argv[1:])
print([m for m in ("numba", "mpi4py", "matplotlib", "scipy") if m in sys.modules])
sys.exit(status)
"""


def loaded(*arguments):
    """Output of a command in a new process; its last line lists the heavy packages that were imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_status_imports_nothing_heavy(finished):
    lines = loaded("status", "out")
    assert lines[0].split() == ["L", "L_tau", "p", "samples", "open", "sweeps", "rho_s", "tau_int"]
    with h5py.File("out/run.h5") as file:
        group = file["points/0001"]
        rho_s = ((group["bins/rho_s_x"][:] + group["bins/rho_s_y"][:]) / 2).mean()
    assert lines[3].split()[:5] == ["2", "4", "0.2", "12/12", "0"]
    assert abs(float(lines[3].split()[6].split("(")[0]) - rho_s) < 0.01
    assert lines[-2:] == ["complete", "['scipy']"]
    with exclusive_lock(finished / "out"):
        lines = loaded("status", "out")
    assert lines[-2].startswith("running on")
    assert lines[-1] == "[]"


def test_status_says_what_is_missing(finished, capsys):
    """More samples, or an error target that is not met, and the run is no longer complete."""
    stored = RunFolder("out")
    config, found = stored.header.config, stored.inventory()
    assert is_complete(config, found)
    more = replace(config, disorder=replace(config.disorder, samples=13))
    assert not is_complete(more, found)
    for error, complete in ((1e3, True), (1e-9, False)):
        target = TargetSection(goals={"rho_s": {"absolute": error}}, max_samples=20)
        assert is_complete(replace(config, target=target), found) == complete
    write_run_file(stored.path, RunHeader(more.resolved(), stored.header.history, []), [
        (point.model, point) for point in stored.points()
    ])  # fmt: skip
    assert main(["status", "out"]) == 0
    assert "not complete: `sitqmc run` will resume it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "packages"),
    [
        (["export", "out", "a.csv"], "['scipy']"),
        (["show", "out", "kappa"], "['matplotlib', 'scipy']"),
        (["submit", "run.toml", "--time", "1:00:00", "--dry-run"], "['scipy']"),
    ],
)
def test_commands_that_inspect_a_run_import_neither_kernels_nor_mpi(finished, arguments, packages):
    assert loaded(*arguments)[-1] == packages


def test_status_while_it_runs(folder):
    write_config(folder, samples=4, bins=20, apart=100_000, checkpoint=0)
    process = subprocess.Popen(
        command("run", "run.toml", "-n", "1", "--no-analysis"), env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not list(folder.glob("out/parts/*.h5")):
            assert process.poll() is None
            time.sleep(0.01)
        done = sitqmc(folder, "status", "run.toml")
    finally:
        process.terminate()
        process.wait(60)
    assert done.returncode == 0, done.stderr
    assert f"process {process.pid}" in done.stdout
    assert "workers" in done.stdout
    assert int(done.stdout.splitlines()[2].split()[4]) > 0           # chains that were started


def test_commands_without_a_run(folder, capsys):
    for arguments in (["status", "x"], ["show", "x", "rho_s"], ["export", "x", "a.csv"], ["merge", "x"],
                      ["rerun", "x", "--point", "0", "--sample", "0"], ["merge", "y", "x"]):  # fmt: skip
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_show_draws_scalars_and_correlators(finished, capsys):
    assert main(["show", "out", "kappa", "p"]) == 0
    assert main(["show", "out", "rho", "-o", "rho.png"]) == 0
    for path in ("out/kappa_p.png", "rho.png"):
        assert (finished / path).read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert main(["show", "out", "kapa"]) == 2
    assert "did you mean 'kappa'?" in capsys.readouterr().err
    assert main(["show", "out", "kappa", "q"]) == 2


def test_rerun_compares_bit_for_bit(finished, capsys):
    assert main(["rerun", "out", "--point", "1", "--sample", "7"]) == 0
    assert "the same bits" in capsys.readouterr().out
    assert main(["rerun", "out", "--point", "2", "--sample", "7"]) == 2
    assert main(["rerun", "out", "--point", "1", "--sample", "12"]) == 2
    capsys.readouterr()
    stored = RunFolder("out")
    points = list(stored.points())
    points[1].bins["energy"][7, 0] = np.nextafter(points[1].bins["energy"][7, 0], 10)
    header = RunHeader(stored.header.table, stored.header.history, [])
    write_run_file(stored.path, header, [(point.model, point) for point in points])
    assert main(["rerun", "out", "--point", "1", "--sample", "7"]) == 1
    assert "energy differ by up to" in capsys.readouterr().out


def test_doctor(capsys):
    assert main(["doctor"]) in (0, 1)
    said = capsys.readouterr().out
    for word in ("python", "packages", "kernels", "threads", "HDF5", "MPI", "SLURM"):
        assert word in said


def test_other_packages_of_the_old_names_are_not_in_the_way(folder):
    for name in ("qmc", "analytic", "continuation", "runs"):
        (folder / f"{name}.py").write_text("raise ImportError('not this one')")
    done = subprocess.run(
        [sys.executable, "-c", "from sitqmc.runs.cli.main import main; main(['doctor'])"],
        capture_output=True, text=True, cwd=folder,
        env=environment() | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ['PYTHONPATH']}"},
    )  # fmt: skip
    assert "kernels" in done.stdout
    assert "not this one" not in done.stdout + done.stderr


SBATCH = """#!/bin/bash
echo "$@" >> submitted
echo "Submitted batch job 4$(wc -l < submitted)"
"""

SITQMC = """#!/bin/bash
trap 'echo told >> told; exit 75' USR1
for i in $(seq 100); do sleep 0.1; done
"""


def fake(folder, name, text, monkeypatch):
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")


def test_submit_writes_a_script_and_hands_it_over(folder, monkeypatch, capsys):
    fake(folder, "sbatch", SBATCH, monkeypatch)
    fake(folder, "sitqmc", SITQMC, monkeypatch)
    write_config(folder)
    assert main(["submit", "run.toml", "--nodes", "2", "--tasks", "48", "--time", "12:00:00"]) == 0
    assert "Submitted batch job 41" in capsys.readouterr().out
    script = (folder / "run.sbatch").read_text()
    directives = ("--nodes=2", "--ntasks-per-node=48", "--time=12:00:00", "--signal=B:USR1@300")
    for line in (*(f"#SBATCH {d}" for d in directives), "config=run.toml", 'srun sitqmc run "$config" &'):
        assert line in script.splitlines()
    assert subprocess.run(["bash", "-n", "run.sbatch"]).returncode == 0
    assert main(["submit", "run.toml", "--time", "1:00:00", "--chain", "3"]) == 0
    assert (folder / "submitted").read_text().count("run.sbatch") == 1 + 4
    assert "#SBATCH --dependency=singleton" in (folder / "run.sbatch").read_text()
    assert main(["submit", "run.toml", "--time", "0:10:00", "--set", "model.p=[0.1, 0.2]", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "#SBATCH --signal=B:USR1@60" in said                          # not before the job has started
    assert "run \"$config\" --set 'model.p=[0.1, 0.2]' &" in said


def test_texts_of_the_user_are_quoted_in_the_job_script(folder, monkeypatch, capsys):
    """Spaces, quotes and shell characters in every option reach SLURM and the shell as they were given."""
    write_config(folder, name="my run.toml")
    name, partition, account = "a b; $(touch x)", "p 'q'", 'x"y'
    assert main([
        "submit", "my run.toml", "--time", " 1:00:00", "--name", name, "--partition", partition, "--account",
        account, "--launcher", "srun --mpi=pmi2 ; touch y", "--chain", "2", "--dry-run",
    ]) == 0  # fmt: skip
    script = capsys.readouterr().out
    options = [shlex.split(line)[1] for line in script.splitlines() if line.startswith("#SBATCH")]
    given = {"time": "1:00:00", "job-name": name, "partition": partition, "account": account}
    assert {f"--{key}={value}" for key, value in given.items()} <= set(options)
    assert "--output=a_b_touch_x_-%j.log" in options
    for tool, answer in (("srun", 'echo "$@" > ranks'), ("scancel", 'printf "%s\\n" "$@" > cancelled')):
        fake(folder, tool, f"#!/bin/bash\n{answer}\n", monkeypatch)
    assert subprocess.run(["bash", "-c", script], cwd=folder).returncode == 0
    assert (folder / "cancelled").read_text().splitlines()[0] == f"--name={name}"
    assert (folder / "ranks").read_text().startswith("--mpi=pmi2 ; touch y")
    assert "run my run.toml" in (folder / "ranks").read_text()
    assert not (folder / "x").exists()
    assert not (folder / "y").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--name", "a\nrm", "must be one line"), ("--launcher", "srun 'x", "close the quotation")],
)
def test_texts_that_cannot_be_quoted_are_refused(folder, capsys, option, value, words):
    write_config(folder)
    assert main(["submit", "run.toml", "--time", "1:00:00", option, value, "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_submit_from_an_environment_that_is_not_active(folder, monkeypatch, capsys):
    """The job must find the command although the shell does not."""
    write_config(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert main(["submit", "run.toml", "--time", "1:00:00", "--dry-run"]) == 0
    assert f'{Path(sys.executable).parent}/sitqmc run "$config" &' in capsys.readouterr().out


def test_chains_of_different_outputs_have_different_names(folder):
    """They wait for, and cancel, jobs of their own name."""
    assert job_name("my run.toml", "out", 0) == "my_run"
    assert job_name("run.toml", "out", 3) == job_name("run.toml", "./out", 3) != job_name("run.toml", "b", 3)


def test_submit_dry_run_writes_nothing(folder, capsys):
    write_config(folder)
    (folder / "b.toml").write_text((folder / "run.toml").read_text().replace('"out"', '"b"'))
    assert main(["submit", "run.toml", "b.toml", "--time", "1-0", "--dry-run"]) == 0
    assert "#SBATCH --array=0-1" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["b.toml", "run.toml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--time", "soon"], "is not a time"),
        (["--time", "0:30"], "at least 2 minutes"),
        (["--time", "1:00:00"], "sbatch refused"),
        (["run.toml", "--time", "1:00:00"], "same output.path"),
    ],
)
def test_submit_refuses(folder, monkeypatch, capsys, arguments, words):
    fake(folder, "sbatch", "#!/bin/bash\necho 'invalid partition' >&2\nexit 1\n", monkeypatch)
    write_config(folder)
    assert main(["submit", "run.toml", *arguments]) == 2
    assert words in capsys.readouterr().err


REQUEUE = """#!/bin/bash
echo "$@" >> requeued
"""


def test_the_last_job_of_a_chain_calls_off_the_others(folder, monkeypatch):
    """Also where USER is not set, as in some batch systems."""
    fake(folder, "sbatch", SBATCH, monkeypatch)
    fake(folder, "srun", "#!/bin/bash\nexit 0\n", monkeypatch)
    fake(folder, "scancel", '#!/bin/bash\necho "$@" > called_off\n', monkeypatch)
    write_config(folder)
    assert main(["submit", "run.toml", "--time", "1:00:00", "--chain", "2", "--tasks", "2"]) == 0
    monkeypatch.delenv("USER", raising=False)
    assert subprocess.run(["bash", "run.sbatch"]).returncode == 0
    name = job_name("run.toml", "out", 2)
    expected = ["--name=" + name, "--state=PENDING", "--user=" + getpass.getuser()]
    assert (folder / "called_off").read_text().split() == expected


@pytest.mark.parametrize(("restarts", "status", "requeued"), [("", 0, True), ("50", 75, False)])
def test_the_job_script_forwards_the_signal_and_requeues(folder, monkeypatch, restarts, status, requeued):
    """The script with fakes of sitqmc, srun and scontrol: the signal reaches the run, 75 goes back."""
    fake(folder, "sbatch", SBATCH, monkeypatch)
    fake(folder, "sitqmc", SITQMC, monkeypatch)
    fake(folder, "srun", '#!/bin/bash\nwhile [ "$1" != sitqmc ]; do shift; done\nexec "$@"\n', monkeypatch)
    fake(folder, "scontrol", REQUEUE, monkeypatch)
    write_config(folder)
    assert main(["submit", "run.toml", "--time", "1:00:00"]) == 0
    env = dict(os.environ) | {"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "2", "SLURM_RESTART_COUNT": restarts}
    process = subprocess.Popen(["bash", "run.sbatch"], env=env)
    time.sleep(1.0)
    process.send_signal(10)                      # SIGUSR1
    assert process.wait(30) == status
    assert (folder / "told").exists()
    assert (folder / "requeued").exists() == requeued


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("1:30", 90), ("12:00:00", 43200), ("1-12", 129600), ("2-3:04", 183840),
     ("1-2:03:04", 93784)],
)
def test_times_as_slurm_writes_them(text, seconds):
    assert parse_time(text) == seconds


def test_time_left_from_slurm(folder, monkeypatch):
    assert job_time({}) is None
    left = job_time({"SLURM_JOB_END_TIME": str(int(time.time()) + 100)})
    assert left is not None
    assert 98 < left <= 100
    fake(folder, "squeue", "#!/bin/bash\necho '  1-00:00:10  '\n", monkeypatch)
    assert job_time({"SLURM_JOB_ID": "5"}) == 86410
    fake(folder, "squeue", "#!/bin/bash\necho UNLIMITED\n", monkeypatch)
    assert job_time({"SLURM_JOB_ID": "5"}) is None
    with pytest.raises(UserError, match="--time"):
        given_time("x")


def test_margin_before_the_limit():
    stop = Stop(3600)
    assert stop.margin == 60
    stop.record_duration(40)
    assert stop.margin == 120
    assert stop.reason() is None
    assert Stop(0.0).reason() == "time limit"


def test_the_lock_names_its_owner_and_expires(folder, monkeypatch, caplog):
    monkeypatch.setattr("sitqmc.runs.simulate.lock.POLL", 0.05)
    with exclusive_lock(folder) as remark:
        assert remark is None
        with pytest.raises(UserError, match=f"process {os.getpid()}"), exclusive_lock(folder):
            pass
    lock = folder / ".lock"
    lock.write_text('{"host": "elsewhere", "process": 5, "job": "77", "started": 1}')
    beating = threading.Thread(target=lambda: (time.sleep(0.3), os.utime(lock)))
    beating.start()
    with pytest.raises(UserError, match="host elsewhere, process 5, job 77"), exclusive_lock(folder):
        pass
    beating.join()
    assert "waiting for a heartbeat" in caplog.text
    soon = time.time() - EXPIRES + 1.0           # silent for nearly that long: wait, then take it
    os.utime(lock, (soon, soon))
    with exclusive_lock(folder) as remark:
        assert "host elsewhere, process 5, job 77" in remark


def test_a_lock_stamped_ahead_expires_by_the_own_clock(folder, monkeypatch, caplog):
    """The clock of another host may be a day ahead: the wait is not longer for it."""
    monkeypatch.setattr("sitqmc.runs.simulate.lock.POLL", 0.05)
    monkeypatch.setattr("sitqmc.runs.simulate.lock.EXPIRES", 0.5)
    lock = folder / ".lock"
    lock.write_text('{"host": "elsewhere", "process": 5, "job": "77", "started": 1}')
    ahead = time.time() + 86400
    os.utime(lock, (ahead, ahead))
    with exclusive_lock(folder) as remark:
        assert "host elsewhere, process 5, job 77" in remark
    assert "at most 0 s" in caplog.text


def test_a_clock_that_jumps_back_does_not_break_the_lock(folder, monkeypatch):
    """A heartbeat stamped in the past is a sign of life; the wait is measured by the own steady clock."""
    monkeypatch.setattr("sitqmc.runs.simulate.lock.POLL", 0.02)
    monkeypatch.setattr("sitqmc.runs.simulate.lock.EXPIRES", 1.0)
    lock = folder / ".lock"
    lock.write_text('{"host": "elsewhere", "process": 5, "job": "77", "started": 1}')
    yesterday = time.time() - 86400
    beating = threading.Timer(0.2, os.utime, (lock, (yesterday, yesterday)))
    beating.start()
    with pytest.raises(UserError, match="host elsewhere"), exclusive_lock(folder):
        pass
    beating.join()
    os.utime(lock)
    monkeypatch.setattr(time, "time", lambda: yesterday)
    started = time.monotonic()
    with exclusive_lock(folder) as remark:
        assert "host elsewhere" in remark
    assert 0.5 < time.monotonic() - started < 60


def read_only(monkeypatch, folder):
    """A stand-in of a read-only file system: nothing below the folder can be opened for writing."""
    def refuse(path):
        if str(path).startswith(str(folder)):
            raise OSError(errno.EROFS, "Read-only file system", str(path))

    def opened(path, mode="r", *rest, real=open, **options):
        if set(mode) & set("wax+"):
            refuse(path)
        return real(path, mode, *rest, **options)

    def opened_low(path, flags, *rest, real=os.open, **options):
        if flags & (os.O_WRONLY | os.O_RDWR):
            refuse(path)
        return real(path, flags, *rest, **options)

    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr("os.open", opened_low)


def test_runs_of_read_only_folders_are_pooled(folder, monkeypatch, capsys):
    """No lock is needed for reading; samples that are only in checkpoints count too."""
    config = load_config(write_config(folder))
    run(config, processes=1, quiet=True)
    shutil.copytree("out", "more")
    (folder / "more/run.h5").unlink()
    other = replace(config, output=replace(config.output, path="more", checkpoint_seconds=0.0))
    with pytest.raises(Stopped):
        run(replace(other, disorder=replace(config.disorder, seed=4)), processes=1, quiet=True, stop=Late())
    before = {path: path.stat().st_mtime_ns for path in (folder / "more").rglob("*")}
    assert list((folder / "more/parts").glob("*.h5"))
    read_only(monkeypatch, folder / "more")
    read_only(monkeypatch, "more")
    assert main(["merge", "pool", "out", "more"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (folder / "more").rglob("*")} == before
    found = RunFolder("pool").inventory().finished
    assert {seed for _, seed, _ in found} == {3, 4}
    assert main(["merge", "more"]) == 2          # into the folder itself
    said = capsys.readouterr().err
    assert "Read-only file system" in said
    assert len(said.splitlines()) == 1


class Late(Stop):
    """Stops after a few steps."""

    asked = 0

    def reason(self):
        self.asked += 1
        return "late" if self.asked > 4 else None


def test_a_signal_ends_the_wait_for_a_lock(folder):
    """With status 75, which puts the job into the queue again."""
    write_config(folder)
    (folder / "out").mkdir()
    (folder / "out/.lock").write_text('{"host": "elsewhere", "process": 5, "job": "77", "started": 1}')
    process = subprocess.Popen(
        command("run", "run.toml", "-n", "1"), env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert "waiting for a heartbeat, at most 1" in process.stderr.readline()
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 75
    assert "stopped (signal SIGTERM)" in said


def test_a_file_system_without_locks(folder, monkeypatch, capsys, caplog):
    """flock answers ENOLCK, as on NFS without a lock daemon, and folders cannot be synced: one warning."""
    def without_locks(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    def sync(handle, whole=os.fsync):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        whole(handle)

    monkeypatch.setattr("fcntl.flock", without_locks)
    monkeypatch.setattr("os.fsync", sync)
    run(load_config(write_config(folder)), processes=1, quiet=True)
    (warning,) = [r.message for r in caplog.records if "limits of this file system" in r.message]
    assert "cannot be locked" in warning
    assert "cannot be synced" in warning
    assert main(["status", "out"]) == 0
    assert "12/12" in capsys.readouterr().out
    with exclusive_lock(folder), pytest.raises(UserError, match="another sitqmc run"), exclusive_lock(folder):
        pass


def test_other_errors_of_the_lock_stop_the_run(folder, monkeypatch):
    def broken(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", broken)
    with pytest.raises(WriteFailed, match="Input/output error"), exclusive_lock(folder):
        pass


def test_the_same_run_on_two_nodes(folder, monkeypatch):
    """Without locks shared by hosts, the heartbeat refuses the second by the name of the owner."""
    def without_locks(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", without_locks)
    monkeypatch.setattr("sitqmc.runs.simulate.lock.POLL", 0.02)
    config = load_config(write_config(folder))
    (folder / "out").mkdir()
    name = os.uname()
    with exclusive_lock(folder / "out", heartbeat=0.1):
        elsewhere = os.uname_result((name.sysname, "node-b", *name[2:]))
        monkeypatch.setattr("os.uname", lambda: elsewhere)
        with pytest.raises(UserError, match=f"host {name.nodename}, process {os.getpid()}.* is writing here"):
            run(config, processes=1, quiet=True)
    assert not (folder / "out/run.h5").exists()


def test_a_requeued_job_does_not_wait_for_itself(folder, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    lock = folder / ".lock"
    lock.write_text('{"host": "elsewhere", "process": 5, "job": "77", "restart": "", "started": 1}')
    with exclusive_lock(folder) as remark:
        assert "host elsewhere, process 5, job 77" in remark


def test_an_old_lock_of_another_host_is_taken_at_once(folder):
    lock = folder / ".lock"
    lock.write_text('{"host": "elsewhere", "process": 5, "job": "77", "started": 1}')
    long_ago = time.time() - 1.5 * EXPIRES
    os.utime(lock, (long_ago, long_ago))
    with exclusive_lock(folder) as remark:
        assert "host elsewhere, process 5, job 77" in remark


def test_status_of_a_killed_run(finished, capsys):
    owner = {"host": os.uname().nodename, "process": 2**22 + 1, "job": "", "started": 1.0}
    (finished / "out/.lock").write_text(json.dumps(owner))
    assert main(["status", "out"]) == 0
    assert "was killed; `sitqmc run` will resume it" in capsys.readouterr().out.splitlines()[-1]


def test_the_lock_notices_that_it_was_taken(folder):
    stop = Stop()
    with exclusive_lock(folder, stop, heartbeat=0.02):
        (folder / ".lock").write_text('{"host": "elsewhere", "process": 5}')
        deadline = time.monotonic() + 10
        while not stop.given_reason and time.monotonic() < deadline:
            time.sleep(0.01)
    assert stop.reason() == "another run has taken the lock of the output"


@pytest.mark.parametrize("workers", [1, 3, 64, 1000])
def test_tasks_cover_everything_and_shrink_towards_the_end(folder, workers):
    config = load_config(write_config(folder, samples=100))
    wanted = dict.fromkeys(config.models, 100)
    tasks = remaining_tasks(config, Inventory(None), wanted, workers)
    everything = [(point, sample) for point in (0, 1) for sample in range(100)]
    assert sorted((t.point, s) for t in tasks for s in t.samples) == everything
    sizes = [len(t.samples) for t in tasks]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == {1: 4, 3: 4, 64: 1, 1000: 1}[workers]
    assert sizes[-1] == 1 or workers == 1


def test_targets_follow_from_the_samples_before():
    rng = np.random.default_rng(5)
    values = {"rho_s": rng.normal(1.0, 0.5, 5000)}
    target = TargetSection(goals={"rho_s": {"absolute": 0.02}}, max_samples=4000)
    asked, n = [], 10
    while True:                                  # as a run does: only what was asked for is there
        more = wanted_samples(target, {"rho_s": values["rho_s"][:n]}, 10)
        asked.append(more)
        if more == n:
            break
        n = more
    assert asked[:3] == [20, 40, 80]
    assert abs(asked[-1] - (0.5 / 0.02) ** 2) < 250
    assert wanted_samples(target, values, 10) == asked[-1]           # more samples there change nothing
    capped = TargetSection(goals={"rho_s": {"relative": 1e-9}}, max_samples=4000)
    assert wanted_samples(capped, values, 10) == 4000


def test_a_trial_that_is_nearly_done_is_timed_from_its_start(monkeypatch):
    """A step of a tiny array is nearly all of it: what is left would say nothing on the speed."""

    class Steps:
        progress, finished = 0.0, False

        def step(self):
            self.finished = self.progress > 0
            self.progress = 1.0 if self.finished else 0.999

    clock = itertools.count()
    monkeypatch.setattr(plan_file, "new_chains", lambda *_: Steps())
    monkeypatch.setattr(plan_file.time, "process_time", lambda: next(clock))
    config = Config.of(L=2, L_tau=8, eps=0.1, charging=3.0, samples=4, schedule={"interleave": 4})
    ns, _ = plan_file._speed(config, config.models[0], 5.0, 1.0)
    sweeps = 4 * (20 + 1000)                     # of thermalisation and measurements, four chains
    assert ns == pytest.approx(1e9 / (sweeps * config.models[0].sites * 8))
