"""A run from its configuration to tables and figures: the same bits in one process, several, or under MPI."""

import contextlib
import io
import os
import subprocess
import sys

import numpy as np
import pytest

from helpers import LIMIT, datasets, environment, few_figures, mpiexec, sitqmc, write_config
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.config import load_config
from sitqmc.runs.simulate.driver import run


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return the folder of a run in one process, with its analysis, and what it printed."""
    folder = tmp_path_factory.mktemp("reference")
    write_config(folder)
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said), few_figures("rho", "sigma", "alpha"):
        assert main(["run", "run.toml", "-n", "1"]) == 0
    return folder, said.getvalue()


def test_tables_and_figures(reference):
    folder, said = reference
    out = folder / "out"
    for name in ("rho.png", "sigma.png", "alpha.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    table = (out / "table.txt").read_text()
    assert table in said
    for column in ("rho_s", "kappa", "<-k_x>", "sum rule", "peak omega/E_J", "checks"):
        assert column in table.splitlines()[0]
    rho = np.genfromtxt(out / "rho.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(rho) == 2 * 3
    np.testing.assert_allclose(rho["omega_n"][1], 2 * np.pi / 1.0, rtol=1e-8)
    sigma = np.genfromtxt(out / "sigma.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(sigma) == 2 * 40
    assert np.all(sigma["low_68"] <= sigma["sigma_over_sigma_Q"])
    assert np.all(sigma["sigma_over_sigma_Q"] <= sigma["high_68"])
    assert "tau_int" in (out / "quality.txt").read_text()
    scales = np.genfromtxt(out / "scales.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert set(scales["correlator"]) == {"rho", "chi_s", "G_k0"}
    assert {"midpoint_frequency", "quartile_ratio"} <= set(scales["quantity"])
    found = scales["value"][(scales["correlator"] == "rho") & (scales["quantity"] == "midpoint_frequency")]
    assert np.all(found > 0)


def test_a_finished_run_is_left_as_it_is(reference, monkeypatch, caplog):
    folder, _ = reference
    monkeypatch.chdir(folder)
    store = folder / "out" / "run.h5"
    before = store.read_bytes()
    caplog.set_level("INFO", "sitqmc")
    run(load_config("run.toml"))
    assert "24 samples on disk, 0 to simulate" in caplog.text
    assert store.read_bytes() == before


def test_local_processes(reference, tmp_path):
    write_config(tmp_path)
    done = sitqmc(tmp_path, "run", "run.toml", "-n", "2", "--no-analysis")
    assert done.returncode == 0, done.stderr
    assert datasets(tmp_path / "out/run.h5", "points") == datasets(reference[0] / "out/run.h5", "points")
    assert not (tmp_path / "out" / "parts").exists()


def test_one_mpi_rank(reference, tmp_path):
    write_config(tmp_path)
    done = sitqmc(tmp_path, "run", "run.toml", "--no-analysis", before=(mpiexec(), "-n", "1"))
    assert done.returncode == 0, done.stderr
    assert datasets(tmp_path / "out/run.h5", "points") == datasets(reference[0] / "out/run.h5", "points")


FEW_FIGURES = """
import os, sys
from helpers import few_figures
from sitqmc.runs.cli.main import main
if os.environ.get("PMI_RANK", "0") == "0":       # rank 0 draws
    with few_figures("rho", "sigma", "alpha"):
        sys.exit(main(sys.argv[1:]))
sys.exit(main(sys.argv[1:]))
"""


def test_mpi_ranks_share_the_simulation_and_the_analysis(reference, tmp_path):
    """With more ranks than points, bits and tables are those of one process."""
    write_config(tmp_path)
    done = subprocess.run(
        [mpiexec(), "-n", "3", sys.executable, "-c", FEW_FIGURES, "run", "run.toml"], cwd=tmp_path,
        env=environment() | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
        timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert datasets(tmp_path / "out/run.h5") == datasets(reference[0] / "out/run.h5")
    assert done.stdout.count("24 to simulate") == 1
    for name in ("table.txt", "sigma.csv", "averages.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (reference[0] / "out" / name).read_bytes()
    assert done.stdout.count("written: ") == 1


def test_more_ranks_than_tasks(tmp_path):
    write_config(tmp_path, samples=1)
    done = sitqmc(tmp_path, "run", "run.toml", "--no-analysis", before=(mpiexec(), "-n", "3"))
    assert done.returncode == 0, done.stderr
    assert len(datasets(tmp_path / "out/run.h5")) > 0


@pytest.mark.parametrize("more", [[], ["--time", "soon"]])
def test_bad_input_under_mpi_is_said_once(tmp_path, more):
    write_config(tmp_path)
    (tmp_path / "out").write_text("in the way")
    done = sitqmc(tmp_path, "run", "run.toml", *more, before=(mpiexec(), "-n", "2"))
    assert done.returncode == 2
    assert done.stderr.count("sitqmc:") == 1


def test_processes_that_mpi_does_not_join_are_refused(tmp_path):
    """srun with a wrong --mpi starts such processes: each of them would do the whole run."""
    write_config(tmp_path)
    told = environment() | {"SLURM_STEP_NUM_TASKS": "4"}
    first, third = (sitqmc(tmp_path, "run", "run.toml", env=told | {"SLURM_PROCID": n}) for n in "02")
    assert first.returncode == third.returncode == 2
    assert "4 processes were started together, but MPI does not join them" in first.stderr
    assert third.stderr == ""
    assert not (tmp_path / "out").exists()


@pytest.fixture
def without_mpi4py(tmp_path):
    """Return an environment in which the import of mpi4py fails."""
    blocker = tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text("import sys\nsys.modules['mpi4py'] = None\n")
    return environment() | {"PYTHONPATH": os.pathsep.join([str(blocker), os.environ.get("PYTHONPATH", "")])}


def test_without_mpi4py(reference, tmp_path, without_mpi4py):
    write_config(tmp_path)
    done = sitqmc(tmp_path, "run", "run.toml", "-n", "1", "--no-analysis", env=without_mpi4py)
    assert done.returncode == 0, done.stderr
    assert datasets(tmp_path / "out/run.h5", "points") == datasets(reference[0] / "out/run.h5", "points")


def test_launcher_without_mpi4py_is_refused(tmp_path, without_mpi4py):
    write_config(tmp_path)
    done = sitqmc(tmp_path, "run", "run.toml", env=without_mpi4py | {"PMI_RANK": "0", "PMI_SIZE": "2"})
    assert done.returncode == 2
    assert "mpi4py does not work" in done.stderr
    assert not (tmp_path / "out").exists()
