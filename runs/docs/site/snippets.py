"""Examples of the reference: one file of cells for each page, `examples/PAGE.py`.

A cell begins with `# %% name, other name`: the public names that it shows. The entry of the first name gets
the code, the entries of the others a link to it. A cell may use what cells above it define; the page says
then where that is. The imports at the top of the file are shown with each cell that needs them.

The tests run all cells of a file in one process. A comment two blanks behind a call of print is compared with
what it prints. `[long]` behind the names: the cell takes seconds and runs with the physics checks only.
"""

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "examples"
CELL = re.compile(r"^# %% (.+?)( \[long\])?$", re.MULTILINE)
LINE = 100


@dataclass(frozen=True)
class Cell:
    """One example: public names that it shows, code, and whether it takes seconds."""

    names: tuple[str, ...]
    code: str
    long: bool

    @property
    def printed(self) -> list[str]:
        """What the calls of print write, where a comment says so."""
        return re.findall(r"^ *print\(.*\)  # (\S.*)$", self.code, re.MULTILINE)


@dataclass(frozen=True)
class Examples:
    """Cells of one page, and the imports that they share: name -> (module, name or None)."""

    header: str
    cells: tuple[Cell, ...]

    def imports(self) -> dict[str, tuple[str, str]]:
        """Return local name -> (module, name there); the name is empty for a whole module."""
        found = {}
        for node in ast.parse(self.header).body:
            if isinstance(node, ast.Import):
                found |= {a.asname or a.name: (a.name, "") for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {a.asname or a.name: (node.module, a.name) for a in node.names}
        return found

    def cell_of(self, name: str) -> Cell | None:
        """Return the cell that shows a name; None if there is none."""
        return next((cell for cell in self.cells if name in cell.names), None)

    def text(self, cell: Cell) -> str:
        """Return the code of a cell below the imports that it needs."""
        used, lines = _loaded(cell.code), []
        modules: dict[str, list[str]] = {}
        for local, (module, name) in self.imports().items():
            if local in used and name:
                modules.setdefault(module, []).append(local)
            elif local in used:
                lines.append(f"import {module}" + (f" as {local}" if local != module else ""))
        lines = sorted(lines) + [_import_line(module, names) for module, names in sorted(modules.items())]
        return "\n".join([*lines, "", cell.code]) if lines else cell.code

    def sources(self, cell: Cell) -> dict[str, Cell]:
        """Return name -> cell above that defines it, for the names that a cell takes from others."""
        known = self.imports().keys() | _defined(cell.code) | set(dir(builtins))
        before = self.cells[: self.cells.index(cell)]
        found = {}
        for name in sorted(_loaded(cell.code) - known):
            definers = [other for other in before if name in _defined(other.code)]
            found |= {name: definers[-1]} if definers else {}
        return found


def read(page: str) -> Examples:
    """Return the examples of a page; no cells if it has none."""
    path = FOLDER / f"{page}.py"
    text = path.read_text("utf-8") if path.exists() else ""
    marks = list(CELL.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    cells = tuple(
        Cell(tuple(mark.group(1).split(", ")), text[mark.end() : end].strip("\n"), bool(mark.group(2)))
        for mark, end in zip(marks, ends, strict=True)
    )
    return Examples(text[: marks[0].start()] if marks else text, cells)


def markdown(examples: Examples, name: str, links: dict[str, str]) -> Iterator[str]:
    """Yield the lines of the example of a name.

    links  name -> identifier of its entry
    """
    cell = examples.cell_of(name)
    if cell is None:
        return
    if cell.names[0] != name:
        yield from (f"*Example: under {_link(cell, links)}.*", "")
        return
    sources: dict[Cell, list[str]] = {}
    for local, source in examples.sources(cell).items():
        sources.setdefault(source, []).append(f"`{local}`")
    taken = "; ".join(f"{', '.join(local)} as under {_link(c, links)}" for c, local in sources.items())
    yield from ("*Example" + (f" ({taken})" if taken else "") + ":*", "")
    yield from ("```python", examples.text(cell), "```", "")


def _link(cell: Cell, links: dict[str, str]) -> str:
    return f"[`{cell.names[0]}`][{links[cell.names[0]]}]"


def _import_line(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= LINE:
        return line
    inside = textwrap.wrap(", ".join(names), LINE - 4)
    return "\n".join([f"from {module} import (", *(f"    {part}" for part in inside), ")"])


def _loaded(code: str) -> set[str]:
    nodes = ast.walk(ast.parse(code))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _defined(code: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found
