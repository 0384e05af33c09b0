"""The whole chain: the same bits however it is run, killed or resumed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

CONFIG = """
[model]
eps = 0.25
charging = 3.0
L = 4
L_tau = 8
p = [0.0, 0.2]
[disorder]
samples = 12
seed = 3
[schedule]
therm_sweeps = {sweeps}
bins = 8
measurements_per_bin = {measurements}
[continuation]
omega_points = 100
blocks = 12
[output]
path = "out"
checkpoint_seconds = 0.1
"""
LAUNCHERS = ("PMI", "OMPI", "PMIX", "MPI", "HYDRA", "SLURM")
LIMIT = 300


def environment():
    """Ours, without what an MPI launcher or SLURM around the tests would add."""
    return {k: v for k, v in os.environ.items() if not k.startswith(LAUNCHERS)}


def write_config(folder, sweeps=20, measurements=4):
    path = folder / "run.toml"
    path.write_text(CONFIG.format(sweeps=sweeps, measurements=measurements))
    return path


def sitqmc(folder, *arguments, before=(), env=None):
    command = [*before, sys.executable, "-m", "runs.cli", "run", "run.toml", *arguments]
    return subprocess.run(
        command, cwd=folder, env=env or environment(), capture_output=True, text=True, timeout=LIMIT
    )


def datasets(path):
    """Every dataset of a store, as bytes."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, item[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """One process, undisturbed."""
    folder = tmp_path_factory.mktemp("reference")
    write_config(folder)
    done = sitqmc(folder, "-n", "1")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_store_layout(reference):
    folder, _ = reference
    with h5py.File(folder / "out" / "run.h5") as file:
        assert file.attrs["format"] == "sitqmc-run"
        assert file.attrs["version"] == 1
        assert {"config", "sitqmc", "git", "numpy", "host", "started", "wall_seconds"} <= set(file.attrs)
        assert sorted(file["points"]) == ["0000", "0001"]
        group = file["points/0001"]
        assert group.attrs["p"] == 0.2
        assert group.attrs["disorder_seed"] == 3
        assert group["sample"][:].tolist() == list(range(12))
        assert group["bins/rho_x"].shape == (12, 8, 5)
        assert group["bins/G_k0"].shape == (12, 8, 8)
        for dataset in group["bins"].values():
            assert dataset.attrs["unit"]
            assert dataset.attrs["description"]


def test_tables_and_figures(reference):
    folder, said = reference
    out = folder / "out"
    for name in ("rho.png", "sigma.png", "alpha.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    table = (out / "table.txt").read_text()
    assert table in said
    for column in ("rho_s", "kappa", "<-k_x>", "sum rule", "peak w/E_J", "checks"):
        assert column in table.splitlines()[0]
    rho = np.genfromtxt(out / "rho.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(rho) == 2 * 5
    np.testing.assert_allclose(rho["omega_n"][1], 2 * np.pi / 2.0, rtol=1e-8)
    sigma = np.genfromtxt(out / "sigma.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(sigma) == 2 * 100
    assert np.all(sigma["low_68"] <= sigma["sigma_over_sigma_Q"])
    assert np.all(sigma["sigma_over_sigma_Q"] <= sigma["high_68"])
    assert "tau_int" in (out / "quality.txt").read_text()


def test_a_finished_run_is_left_as_it_is(reference):
    folder, _ = reference
    store = folder / "out" / "run.h5"
    before = store.read_bytes()
    done = sitqmc(folder)
    assert done.returncode == 0, done.stderr
    assert "0 to simulate" in done.stdout
    assert store.read_bytes() == before


def test_local_processes(reference, tmp_path):
    write_config(tmp_path)
    done = sitqmc(tmp_path, "-n", "2")
    assert done.returncode == 0, done.stderr
    assert datasets(tmp_path / "out/run.h5") == datasets(reference[0] / "out/run.h5")
    assert not (tmp_path / "out" / "parts").exists()


def mpiexec():
    """The launcher of this environment, or None."""
    pytest.importorskip("mpi4py", reason="the mpi extra is not installed")
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not found:
        pytest.skip("no mpiexec")
    return found


@pytest.mark.parametrize("ranks", [2, 3])
def test_mpi_ranks(reference, tmp_path, ranks):
    write_config(tmp_path)
    done = sitqmc(tmp_path, before=(mpiexec(), "-n", str(ranks)))
    assert done.returncode == 0, done.stderr
    assert datasets(tmp_path / "out/run.h5") == datasets(reference[0] / "out/run.h5")
    assert done.stdout.count("sum rule") == 1


def test_bad_input_under_mpi_is_said_once(tmp_path):
    write_config(tmp_path)
    (tmp_path / "out").write_text("in the way")
    done = sitqmc(tmp_path, before=(mpiexec(), "-n", "2"))
    assert done.returncode == 2
    assert done.stderr.count("sitqmc:") == 1


@pytest.mark.parametrize("how", ["-n 2", "mpi"])
def test_a_worker_that_cannot_write_ends_the_run(tmp_path, how):
    """No hang, one reason, exit status 2: a file is where the part files should go."""
    write_config(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "parts").write_text("in the way")
    done = sitqmc(tmp_path, before=(mpiexec(), "-n", "2")) if how == "mpi" else sitqmc(tmp_path, *how.split())
    assert done.returncode == 2
    assert "parts: cannot be made" in done.stderr


@pytest.fixture
def without_mpi4py(tmp_path):
    """An environment in which importing mpi4py fails, as if it were not installed."""
    blocker = tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text("import sys\nsys.modules['mpi4py'] = None\n")
    return environment() | {"PYTHONPATH": os.pathsep.join([str(blocker), os.environ.get("PYTHONPATH", "")])}


def test_without_mpi4py(reference, tmp_path, without_mpi4py):
    write_config(tmp_path)
    done = sitqmc(tmp_path, "-n", "2", env=without_mpi4py)
    assert done.returncode == 0, done.stderr
    assert datasets(tmp_path / "out/run.h5") == datasets(reference[0] / "out/run.h5")


def test_launcher_without_mpi4py_is_refused(tmp_path, without_mpi4py):
    write_config(tmp_path)
    done = sitqmc(tmp_path, env=without_mpi4py | {"PMI_RANK": "0", "PMI_SIZE": "2"})
    assert done.returncode == 2
    assert "mpi4py does not work" in done.stderr
    assert not (tmp_path / "out").exists()


def kill_when(folder, condition, *arguments, before=()):
    """Start a run, SIGKILL its whole process group once `condition` holds; returns whether it was killed."""
    command = [*before, sys.executable, "-m", "runs.cli", "run", "run.toml", *arguments]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    killed = process.poll() is None
    if killed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    return killed


@pytest.mark.parametrize("how", ["-n 1", "-n 2", "mpi"])
def test_killed_half_way_and_started_again(tmp_path, how):
    """SIGKILL after some samples are on disk; the second start ends in the bits of an undisturbed run."""
    arguments, before = ([], [mpiexec(), "-n", "2"]) if how == "mpi" else (how.split(), [])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
        write_config(folder, sweeps=2000, measurements=1000)
    assert sitqmc(whole, "-n", "2").returncode == 0
    assert kill_when(parts, lambda: list((parts / "out/parts").glob("*.h5")), *arguments, before=before)
    with h5py.File(parts / "out/run.h5") as file:                   # readable at any instant
        assert "sample" not in file["points/0000"]
    again = sitqmc(parts, "-n", "1")
    assert again.returncode == 0, again.stderr
    on_disk = int(again.stdout.split(" samples on disk")[0].split()[-1])
    assert 0 < on_disk < 24
    assert datasets(parts / "out/run.h5") == datasets(whole / "out/run.h5")


def test_two_runs_on_one_output(tmp_path):
    """The second is refused while the first works; a killed owner does not leave the lock behind."""
    write_config(tmp_path, sweeps=2000, measurements=1000)
    said = []

    def second_start():
        if not (tmp_path / "out" / "parts").exists():
            return False
        said.append(sitqmc(tmp_path, "-n", "1"))
        return True

    assert kill_when(tmp_path, second_start, "-n", "1")
    assert said[0].returncode == 2
    assert "another sitqmc run" in said[0].stderr
    assert sitqmc(tmp_path, "-n", "2").returncode == 0


def test_a_dead_worker_is_reported(tmp_path):
    """A worker killed alone (out of memory, say) ends the run with status 1; nothing hangs or is lost."""
    write_config(tmp_path, sweeps=2000, measurements=1000)
    process = subprocess.Popen(
        [sys.executable, "-m", "runs.cli", "run", "run.toml", "-n", "2"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + LIMIT
    while not list((tmp_path / "out/parts").glob("*.h5")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    part = next(iter((tmp_path / "out/parts").glob("*.h5")))
    os.kill(int(part.name.split("-")[-3]), signal.SIGKILL)          # names end in -process-rank-number
    _, error = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert "the same command continues" in error
    assert sitqmc(tmp_path, "-n", "2").returncode == 0
