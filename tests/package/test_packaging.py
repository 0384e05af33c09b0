"""What is shipped: the wheel holds the import package alone; its types pass strict checkers."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from package.sources import ROOMS, ROOT

SCRIPT = '''
import sitqmc
from sitqmc import Estimate, load
from sitqmc.analytic import gap_mev
from sitqmc.continuation import CorrelatorData, continue_correlator
from sitqmc.qmc import Model, Schedule, run_chain

model = Model(Lx=4, Ly=4, L_tau=8, eps=0.2, charging=3.0, action="cosine", p=0.1)
result = run_chain(model, model.draw_disorder(1, 0), seed=1, sample=0, schedule=Schedule(bins=8))
mean: float = float(result.bins["rho_s_x"].mean())
stiffness = Estimate(mean, 0.1)
text: str = f"{stiffness.scaled(2.0)}"
gap: float = float(gap_mev(9.5, 2.0))


def spectrum(data: CorrelatorData) -> float:
    return float(continue_correlator(data).values.max())


def misspelt(data: CorrelatorData) -> None:
    continue_correlator(data, methd="maxent")  # type: ignore[call-arg]
    sitqmc.run(L=4, beta=2.4, eps=0.1, charging=3.0, sampels=3)  # type: ignore[call-arg]
    Model(L=4, betta=2.4, eps=0.1, charging=3.0)  # type: ignore[call-arg]


run = load("results/quickstart")
c: Estimate = run.evaluate(lambda rho_s, kappa: rho_s / kappa)
sigma = run.point(p=0.1).spectrum
if sigma is not None:
    low, high = sigma.sigma_band()
    sigma.save("sigma.h5")
version: str = sitqmc.__version__
'''


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The folder into which the wheel that the build backend makes of this checkout is unpacked."""
    builder = pytest.importorskip("hatchling.builders.wheel")
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = builder.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(path) as file:
        file.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def wheel(unpacked):
    """Names of the files in the wheel."""
    return {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}


def test_the_wheel_holds_the_import_package_alone(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sitqmc"}
    assert not [name for name in wheel if "__pycache__" in name or name.endswith((".nbi", ".nbc"))]
    stores = {name for name in wheel if name.endswith(".h5")}
    assert {name.rpartition("/")[0] for name in stores} == {"sitqmc/runs/paper/data"}       # kept studies


def test_the_wheel_holds_every_module_stub_and_data_file(wheel):
    wanted = {"sitqmc/__init__.pyi", "sitqmc/py.typed", "sitqmc/estimate.py", "sitqmc/__main__.py"}
    kinds = (".py", ".pyi", ".toml", ".npz", ".h5", ".json", ".txt", ".csv")
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            place = path.relative_to(ROOT)
            unshipped = place.parts[:2] == ("runs", "docs") or "__pycache__" in place.parts
            if path.suffix in kinds and not unshipped:
                wanted.add(f"sitqmc/{place.as_posix()}")
    assert wanted <= wheel, sorted(wanted - wheel)


def test_a_wheel_works_without_the_checkout(unpacked, tmp_path):
    """`import sitqmc` and `python -m sitqmc` with the files of the wheel alone."""
    program = "import sitqmc, sys; sitqmc.qmc.Model; print(sitqmc.__file__, 'numba' in sys.modules)"
    for arguments in (["-c", program], ["-m", "sitqmc", "init", "my.toml"]):
        env = os.environ | {"PYTHONPATH": str(unpacked)}
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, cwd=tmp_path, env=env
        )
        assert done.returncode == 0, done.stderr
        if arguments[0] == "-c":
            assert done.stdout.split() == [str(unpacked / "sitqmc" / "__init__.py"), "False"]
    assert (tmp_path / "my.toml").exists()


def test_a_script_of_a_user_passes_mypy(tmp_path):
    """Strictly, against the installed package or, in a checkout, against its sources."""
    pytest.importorskip("mypy")
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = ["--strict", "--cache-dir", str(tmp_path / "cache"), "script.py"]
    assert checked("mypy", *arguments, folder=tmp_path) == ""


@pytest.mark.slow
def test_a_script_of_a_user_passes_pyright(tmp_path):
    """Strictly. The package of pyright fetches its program when it first runs."""
    pytest.importorskip("pyright")
    (tmp_path / "script.py").write_text(SCRIPT)
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)], "include": ["script.py"]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    assert checked("pyright", "--pythonpath", sys.executable, "-p", str(tmp_path), folder=tmp_path) == ""


def checked(checker, *arguments, folder):
    """What a type checker complains of."""
    done = subprocess.run(
        [sys.executable, "-m", checker, *arguments], capture_output=True, text=True, cwd=folder,
        env=os.environ | {"MYPYPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout + done.stderr if done.returncode else ""
