"""Checks of an installation, one line each: whether a part works, and what to do if not."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LAUNCH = (
    "from mpi4py import MPI\n"
    "import sys\n"
    "sys.stdout.write(f'rank {MPI.COMM_WORLD.rank} of {MPI.COMM_WORLD.size}\\n')\n"
)
LAUNCHER_PREFIXES = ("PMI", "OMPI", "PMIX", "MPI", "HYDRA", "SLURM")

Finding = tuple[bool, str]


def doctor() -> tuple[bool, str]:
    """Return whether all checks passed, and their report."""
    checks: tuple[Callable[[], Finding], ...] = (_python, _packages, _kernels, _threads, _hdf5, _mpi, _slurm)
    lines, well = [], True
    for check in checks:
        try:
            good, text = check()
        except Exception as error:
            good, text = False, f"{check.__name__[1:]}: {type(error).__name__}: {error}"
        well = well and good
        lines.append(("ok    " if good else "WRONG ") + text.splitlines()[0])
    return well, "\n".join(lines)


def _python() -> Finding:
    return sys.version_info >= (3, 11), f"python {sys.version.split()[0]} at {sys.executable} (3.11 or newer)"


def _packages() -> Finding:
    found = {}
    for name in ("numpy", "numba", "scipy", "h5py", "lmfit", "matplotlib", "tqdm"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    absent = [name for name, number in found.items() if number == "absent"]
    text = ", ".join(f"{name} {number}" for name, number in found.items())
    return not absent, f"packages: {text}" + (f"; pip install {' '.join(absent)}" if absent else "")


def _kernels() -> Finding:
    """The worm runs, and its machine code is kept on the disk."""
    from sitqmc.qmc import Model
    from sitqmc.runs.simulate.worker import warm_up

    warm_up(Model(L=2, L_tau=2, eps=0.5, charging=2.0))
    from sitqmc.jit import cache_folder

    folder = cache_folder()
    if folder is None:
        return True, "kernels compile, in every process anew; set NUMBA_CACHE_DIR to a writable folder"
    return True, f"kernels compile and are kept in {folder}"


def _threads() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS")
    fits = f"OMP_NUM_THREADS = {asked}" if asked else "all cores"
    return True, f"threads: {cores} cores here; linear algebra takes 1 per process, fits {fits}"


def _hdf5() -> Finding:
    """Write, replace and read a sealed file."""
    import h5py
    import numpy as np

    from sitqmc.runs.store.atomic import replace_file
    from sitqmc.runs.store.sealed import read_group, reading, write_group, writing

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "try.h5"

        def write(beside: Path) -> None:
            with writing(beside) as file:
                write_group(file, {}, {"x": np.arange(3.0)})

        replace_file(path, write)
        with reading(path) as file:
            _, arrays = read_group(file)
    return bool(arrays["x"][2] == 2.0), f"HDF5 {h5py.version.hdf5_version}: a sealed file is written and read"


def launchers() -> Iterator[str]:
    """Yield mpiexec of this environment, then of the search path."""
    beside = Path(sys.executable).parent / "mpiexec"
    if beside.exists():
        yield str(beside)
    other = shutil.which("mpiexec")
    if other and other != str(beside):
        yield other


def _mpi() -> Finding:
    try:
        number = version("mpi4py")
    except PackageNotFoundError:
        return True, "MPI: mpi4py is not installed; local processes only (pip install 'sitqmc[mpi]' for more)"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(LAUNCHER_PREFIXES)}
    for launcher in launchers():
        command = [launcher, "-n", "2", sys.executable, "-c", LAUNCH]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean)
        if sorted(done.stdout.split("\n"))[1:] == ["rank 0 of 2", "rank 1 of 2"]:
            return True, f"MPI: mpi4py {number}, two ranks by {launcher}"
    return False, f"MPI: mpi4py {number}, but no mpiexec starts two ranks; mpi4py must fit the site's MPI"


def _slurm() -> Finding:
    found = [name for name in ("sbatch", "srun", "squeue") if shutil.which(name)]
    return True, f"SLURM: {', '.join(found) or 'not found; sitqmc submit --dry-run still works'}"
