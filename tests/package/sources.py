"""The import graph of the package, read from its sources without importing them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("qmc", "continuation", "analytic", "runs")


@cache
def files() -> tuple[Path, ...]:
    """Return all Python files of the four rooms, relative to the root."""
    found = [path.relative_to(ROOT) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    outside = ("docs", "configs")
    return tuple(path for path in found if path.parts[1] not in outside)


def module_path(name: str) -> Path | None:
    """Return the file of a module name `sitqmc.ROOM...`, the __init__.py of a folder, or None."""
    path = Path(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if (ROOT / candidate).is_file():
            return candidate
    return None


@cache
def face(folder: Path) -> dict[str, str]:
    """Return {public name: name of the module that defines it} of a folder with a stub."""
    stub = ROOT / folder / "__init__.pyi"
    if not stub.exists():
        return {}
    prefix = ".".join(("sitqmc", *folder.parts))
    names = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            module = f"{prefix}.{node.module}" if node.module else prefix
            for alias in node.names:
                submodule = f"{module}.{alias.name}"
                names[alias.asname or alias.name] = submodule if module_path(submodule) else module
    return names


@cache
def imports(path: Path) -> frozenset[Path]:
    """Return the files of the rooms that `path` imports, anywhere in it; __init__.py where it uses a face."""
    found: set[Path | None] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {module_path(alias.name) for alias in node.names if own(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and own(node.module):
            for alias in node.names:
                found.add(module_path(f"{node.module}.{alias.name}") or module_path(node.module))
    return frozenset(target for target in found if target is not None and target != path)


def needs(path: Path) -> frozenset[Path]:
    """Return what `path` imports, names taken from a face replaced by the files that define them."""
    found = set(imports(path))
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and own(node.module):
            names = face(Path(*node.module.split(".")[1:]))
            found |= {module_path(names[alias.name]) for alias in node.names if alias.name in names}
    return frozenset(found)


def folder(path: Path) -> str:
    """Return ROOM/FOLDER of a file, ROOM/FILE of a file that stands in no folder of its room."""
    return "/".join(path.with_suffix("").parts[:2])


def own(module: str) -> bool:
    """Whether a module belongs to one of the four rooms."""
    parts = module.split(".")
    return parts[0] == "sitqmc" and len(parts) > 1 and parts[1] in ROOMS


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected parts with more than one node."""
    reach = {node: {node} for node in graph}
    changed = True
    while changed:
        changed = False
        for node in graph:
            more = set().union(*(reach[n] for n in graph[node] if n in reach)) | reach[node]
            changed |= more != reach[node]
            reach[node] = more
    parts = {tuple(sorted(b for b in graph if b in reach[a] and a in reach[b])) for a in graph}
    return sorted(list(part) for part in parts if len(part) > 1)
