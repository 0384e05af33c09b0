"""The folders: what each may import, no circles, small folders, physics without files, documented names."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

from package.sources import ROOMS, ROOT, circles, face, files, folder, imports, needs

PHYSICS = ("qmc", "continuation", "analytic")

QMC = {"qmc/model", "qmc/observables"}
CONTINUATION = {"continuation/kernels", "continuation/data"}
ELECTRODYNAMICS = {"analytic/units", "analytic/numerics", "analytic/superconductor", "analytic/optics"}
GROUND = {"runs/errors", "runs/formatting"}
ALLOWED: dict[str, set[str]] = {
    "qmc/model": set(),
    "qmc/observables": {"qmc/model"},
    "qmc/worm": {"qmc/model"},
    "qmc/measure": QMC | {"qmc/worm"},
    "qmc/statistics": QMC,
    "qmc/chains": QMC | {"qmc/worm", "qmc/measure", "qmc/statistics"},
    "qmc/finite_size": {"qmc/model", "qmc/statistics"},
    "continuation/kernels": set(),
    "continuation/data": {"continuation/kernels"},
    "continuation/spectrum": CONTINUATION,
    "continuation/options": CONTINUATION,
    "continuation/methods": CONTINUATION | {"continuation/spectrum", "continuation/options"},
    "continuation/model_free": CONTINUATION | {"continuation/spectrum"},
    "continuation/solve": CONTINUATION
    | {"continuation/spectrum", "continuation/options", "continuation/methods"},
    "continuation/checks": CONTINUATION
    | {"continuation/spectrum", "continuation/options", "continuation/methods", "continuation/solve"},
    "continuation/scan": CONTINUATION
    | {"continuation/spectrum", "continuation/options", "continuation/methods", "continuation/solve"}
    | {"continuation/model_free"},
    "analytic/units": set(),
    "analytic/numerics": {"analytic/units"},
    "analytic/superconductor": {"analytic/units", "analytic/numerics"},
    "analytic/optics": {"analytic/units", "analytic/numerics", "analytic/superconductor"},
    "analytic/measurements": ELECTRODYNAMICS,
    "analytic/film": ELECTRODYNAMICS | {"analytic/measurements"},
    "analytic/comparison": ELECTRODYNAMICS | {"analytic/measurements", "analytic/film"},
    "runs/errors": set(),
    "runs/formatting": set(),
    "runs/config": GROUND | QMC | {"qmc/chains", "qmc/statistics", "continuation/*", "runs/formats"},
    "runs/formats": GROUND | {"continuation/*", "analytic/*", "qmc/*"},
    "runs/store": GROUND | QMC | {"qmc/chains", "runs/config", "runs/formats"},
    "runs/simulate": GROUND | {"qmc/*", "runs/config", "runs/store", "runs/formats"},
    "runs/jobs": GROUND
    | {"qmc/*", "runs/config", "runs/formats", "runs/store", "runs/simulate", "runs/results"},
    "runs/results": GROUND
    | {"qmc/*", "continuation/*", "analytic/*", "runs/config", "runs/store", "runs/formats"},
    "runs/paper": GROUND
    | {"qmc/*", "continuation/*", "analytic/*"}
    | {"runs/config", "runs/formats", "runs/store", "runs/simulate", "runs/results", "runs/jobs"},
    "runs/cli": {"qmc/*", "continuation/*", "analytic/*", "runs/*"},
}
"""ROOM/FOLDER, or ROOM/FILE -> what its files may import; ROOM/* is the whole room."""

FILE_ACCESS = {
    "csv", "h5py", "io", "json", "matplotlib", "mpi4py", "pathlib", "shutil", "subprocess", "tempfile",
    "tomllib", "tqdm", "argparse",
}  # fmt: skip


FILE_CALLS = {"open"} | {
    f"np.{name}" for name in ("load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt",
                              "fromfile", "memmap")
}  # fmt: skip


def trees(paths):
    for path in paths:
        yield path, ast.parse((ROOT / path).read_text(encoding="utf-8"))


def folders():
    """Every folder of the package with Python files, relative to the root."""
    return sorted({path.parent for path in files()})


def test_every_folder_has_its_line_in_the_table():
    found = {folder(path) for path in files()} - {f"{room}/__init__" for room in ROOMS}
    assert found == set(ALLOWED)


@pytest.mark.parametrize("name", ALLOWED)
def test_a_folder_imports_only_what_it_may(name):
    for path in files():
        if folder(path) != name:
            continue
        for target in needs(path):
            there = folder(target)
            allowed = ALLOWED[name] | {name, f"{target.parts[0]}/__init__"}
            assert there in allowed or f"{target.parts[0]}/*" in allowed, f"{path} imports {target}"


def test_no_files_import_each_other_in_a_circle():
    assert circles({str(path): {str(target) for target in imports(path)} for path in files()}) == []


def test_no_folders_import_each_other_in_a_circle():
    graph = {name: set() for name in ALLOWED}
    for path in files():
        if folder(path) in graph:
            graph[folder(path)] |= {folder(target) for target in needs(path)} & set(ALLOWED)
    assert circles(graph) == []


def test_no_file_imports_the_init_of_a_folder_it_lies_in():
    for path in files():
        for target in imports(path):
            inside = target.name == "__init__.py" and target.parent in path.parents
            assert not inside, f"{path} imports {target.parent}"


@pytest.mark.parametrize("place", folders(), ids=str)
def test_a_folder_has_few_entries(place):
    """At most nine files and folders; twelve in runs/, with its documents and configurations."""
    found = [entry.name for entry in (ROOT / place).iterdir()]
    found = [name for name in found if not name.startswith(("__", "."))]
    assert len(found) <= (12 if place == Path("runs") else 9), sorted(found)


def test_physics_opens_no_file_and_knows_no_mpi():
    for path, tree in trees(path for path in files() if path.parts[0] in PHYSICS):
        for node in ast.walk(tree):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in FILE_CALLS, f"{path}, line {node.lineno}: {called}"
            used = {module.split(".")[0] for module in modules} & FILE_ACCESS
            assert not used, f"{path} imports {used}"


def test_the_package_is_imported_by_its_name_alone():
    """No `import qmc`: a second copy of every class. In sources, tests, benchmarks and documents."""
    form = re.compile(rf"^\s*(?:>>> )?(?:from|import) (?:{'|'.join(ROOMS)})\b", re.MULTILINE)
    places = (*ROOMS, "tests", "benchmarks")
    texts = [*ROOT.glob("*.md"), *(path for place in places for path in (ROOT / place).rglob("*.*"))]
    read = [path for path in texts if path.suffix in (".py", ".pyi", ".md", ".ipynb", ".toml")]
    assert len(read) > 200
    for path in set(read) - {Path(__file__)}:
        found = form.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)}: {found.group(0).strip()}"


def test_imports_are_absolute():
    for path, tree in trees(files()):
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level], path


PUBLIC = [(room, name) for room in ROOMS for name in face(Path(room))]


@pytest.mark.parametrize(("room", "name"), PUBLIC, ids=lambda value: value)
def test_public_names_exist_and_are_described(room, name):
    value = getattr(importlib.import_module(f"sitqmc.{room}"), name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return
    text = inspect.getdoc(value)
    assert text, f"{room}.{name} has no docstring"
    assert not text.startswith(f"{name}("), f"{room}.{name}: the docstring of a dataclass is not made by hand"
