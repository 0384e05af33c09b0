"""Shared by the tests of `runs`: a tiny configuration, commands in new processes, comparison of run files."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

CONFIG = """
[model]
eps = 0.25
charging = 3.0
L = 2
L_tau = 4
p = [0.0, 0.2]
[disorder]
samples = {samples}
seed = 3
[schedule]
therm_sweeps = {sweeps}
bins = {bins}
measurements_per_bin = {measurements}
sweeps_per_measurement = {apart}
{more}
[continuation]
method = "maxent"
omega_points = 40
blocks = 4
[output]
path = "out"
checkpoint_seconds = {checkpoint}
"""
LAUNCHERS = ("PMI", "OMPI", "PMIX", "MPI", "HYDRA", "SLURM")
LIMIT = 240


DEFAULTS = {
    "samples": 12, "sweeps": 20, "bins": 8, "measurements": 4, "apart": 2, "more": "", "checkpoint": 0.1,
}  # fmt: skip


def write_config(folder, name="run.toml", **changes):
    """Write a configuration that differs from DEFAULTS by `changes`; return its path."""
    path = folder / name
    path.write_text(CONFIG.format(**DEFAULTS | changes))
    return path


def environment():
    """Return the environment of the tests without the variables that an MPI launcher or SLURM sets."""
    return {k: v for k, v in os.environ.items() if not k.startswith(LAUNCHERS)}


def command(*arguments, before=()):
    """Return the words of `sitqmc ARGUMENTS`, after those of a launcher."""
    return [*before, sys.executable, "-m", "sitqmc", *map(str, arguments)]


def sitqmc(folder, *arguments, before=(), env=None):
    """Run `sitqmc ARGUMENTS` in a new process; return what `subprocess.run` returns."""
    return subprocess.run(
        command(*arguments, before=before), cwd=folder, env=env or environment(), capture_output=True,
        text=True, timeout=LIMIT,
    )  # fmt: skip


def datasets(path, group="/"):
    """Return shape and bytes of every dataset of a run file, or of one of its groups, by name."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, item[()].tobytes())

    with h5py.File(path) as file:
        file[group].visititems(visit)
    return found


@contextlib.contextmanager
def few_figures(*names):
    """Within this context a run draws only the named figures, as PNG; `test_report` draws all of them."""
    # Modules that take KINDS at their import must not be imported for the first time within the context.
    from sitqmc.runs.results.figures import kinds, objects, show  # noqa: F401
    from sitqmc.runs.results.report import publish

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "KINDS", {name: kinds.KINDS[name] for name in names})
        patch.setattr(publish, "FORMATS", ("png",))
        yield


def mpiexec():
    """Return the path of mpiexec; skip the test if there is none."""
    pytest.importorskip("mpi4py", reason="the mpi extra is not installed")
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not found:
        pytest.skip("no mpiexec")
    return found
