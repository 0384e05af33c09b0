"""The reference of all public names, made from the sources without running them.

    python -m runs.docs_api            writes runs/docs/api.md anew
    python -m runs.docs_api --check    exit status 1 if it is not up to date
"""

import argparse
import ast
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "runs" / "docs" / "api.md"

ROOMS = {
    "qmc": ("qmc.finite_size", "qmc.crossings", "qmc.collapse", "qmc.trotter", "qmc.reactive"),
    "continuation": ("continuation.features",),
    "analytic": (),
    "runs": (
        "runs.results", "runs.config", "runs.pipeline", "runs.figures", "runs.report", "runs.labfigures",
    ),
}  # fmt: skip
"""Packages, and modules whose public names are offered besides those the package exports."""

HEAD = """\
# Reference of the public names

Made from the docstrings by `python -m runs.docs_api`; do not edit. What the quantities are and which
formulas stand behind them is told in [methods.md](methods.md).
"""

Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Module:
    """A source file: its docstring, its lines, its definitions at the top level by name."""

    name: str
    doc: str
    lines: Sequence[str]
    definitions: dict[str, Definition]
    exported: dict[str, str]                     # names that an __init__ takes from other modules


def read_module(name: str) -> Module:
    """A module of the checkout or of the installed package, by its dotted name."""
    base = ROOT.joinpath(*name.split("."))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    definitions = {key: node for node in tree.body if isinstance(node, Definition) for key in _names(node)}
    return Module(name, ast.get_docstring(tree) or "", text.splitlines(), definitions, _exports(tree, name))


def _names(node: Definition) -> list[str]:
    """What a statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _exports(tree: ast.Module, package: str) -> dict[str, str]:
    """name -> module, from imports of the own package, or from the table `_MODULES` of lazy ones."""
    out: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            out |= {alias.name: str(node.module) for alias in node.names}
        if isinstance(node, ast.Assign) and _names(node) == ["_MODULES"]:
            table = ast.literal_eval(node.value)
            out |= {name: f"{package}.{module}" for module, names in table.items() for name in names}
    return out


def render() -> str:
    """The whole document."""
    blocks = [HEAD, _contents()]
    for room, extra in ROOMS.items():
        blocks += _room(room, extra)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(blocks)).rstrip() + "\n"


def _contents() -> str:
    return "\n".join(f"- [{room}](#{room})" for room in ROOMS) + "\n"


def _room(room: str, extra: Sequence[str]) -> Iterator[str]:
    """A package: its own words, what it exports by module, then the further modules."""
    package = read_module(room)
    yield f"## {room}\n\n{_block(package.doc)}"
    by_module: dict[str, list[str]] = {}
    for name, home in package.exported.items():
        by_module.setdefault(home, []).append(name)
    for name, node in package.definitions.items():
        if isinstance(node, ast.FunctionDef) and not name.startswith("_"):
            by_module.setdefault(room, []).append(name)
    for module_name in extra:
        public = [n for n, node in read_module(module_name).definitions.items()
                  if not n.startswith("_") and isinstance(node, (ast.FunctionDef, ast.ClassDef))]  # fmt: skip
        known = by_module.setdefault(module_name, [])
        known += [n for n in public if n not in known]
    for module_name in sorted(by_module):
        module = read_module(module_name)
        yield f"### {module_name}\n"
        if module_name != room:
            yield _block(module.doc)
        for name in sorted(by_module[module_name], key=str.lower):
            if name in module.definitions:
                yield _entry(module, name, module.definitions[name])


def _entry(module: Module, name: str, node: Definition) -> str:
    """One name: heading, how it is called or what it holds, docstring."""
    if isinstance(node, ast.FunctionDef):
        return f"#### `{name}`\n\n{_code(_signature(node))}\n{_block(ast.get_docstring(node) or '')}"
    if isinstance(node, ast.ClassDef):
        return f"#### `{name}`\n\n{_class(module, node)}"
    value = node.value
    shown = inspect.cleandoc(ast.unparse(value)) if value is not None else ""
    short = shown if len(shown) <= 100 else shown[:96] + " ..."
    return f"#### `{name}`\n\n{_code(f'{name} = {short}')}{_block(_doc_after(module, node))}"


def _class(module: Module, node: ast.ClassDef) -> str:
    """Docstring, fields with their comments, public methods."""
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    parts = [_code(f"class {node.name}({bases})" if bases else f"class {node.name}"),
             _block(ast.get_docstring(node) or "")]  # fmt: skip
    fields = [inspect.cleandoc("\n".join(module.lines[n.lineno - 1 : n.end_lineno]))
              for n in node.body if isinstance(n, ast.AnnAssign)]  # fmt: skip
    if fields:
        parts.append(_code("\n".join(fields)))
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
            kind = "property" if any("property" in ast.unparse(d) for d in method.decorator_list) else ""
            called = f".{method.name}" if kind else "." + _signature(method, skip=1)
            parts.append(f"`{called}`\n\n{_block(ast.get_docstring(method) or '')}")
    return "\n".join(part for part in parts if part)


def _signature(node: ast.FunctionDef, skip: int = 0) -> str:
    """name(arguments) -> result as written; skip: leading arguments left out, self."""
    arguments = ast.unparse(node.args)
    if skip:
        arguments = arguments.partition(", ")[2] if ", " in arguments else ""
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({arguments}){result}"


def _doc_after(module: Module, node: ast.Assign | ast.AnnAssign) -> str:
    """A text standing alone below an assignment, as these sources document constants."""
    rest = "\n".join(module.lines[(node.end_lineno or node.lineno) :])
    if not rest.lstrip().startswith('"""'):
        return ""
    return inspect.cleandoc(rest.lstrip()[3:].split('"""')[0])


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"


def _block(text: str) -> str:
    """A docstring as it was written: its columns and formulas are plain text."""
    return f"```text\n{text}\n```\n" if text else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the reference, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description="Write runs/docs/api.md from the docstrings.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if it is out of date")
    arguments = parser.parse_args(argv)
    text = render()
    if arguments.check:
        same = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET}: {'up to date' if same else 'out of date; python -m runs.docs_api writes it anew'}")
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {text.count('#### ')} names")
    return 0


if __name__ == "__main__":
    sys.exit(main())
