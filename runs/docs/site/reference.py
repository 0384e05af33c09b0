"""Reference pages from the code: public names by folder, observables, configuration keys, commands."""

import ast
import contextlib
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import snippets

ROOMS = {
    "qmc": "Simulation",
    "continuation": "Continuation",
    "analytic": "Laboratory",
    "runs": "Runs and files",
}


FOUR_COLUMNS = "| --- | --- | --- | --- |"


# --- public names ------------------------------------------------------------------------------------------


def copy_sources(root: Path, target: Path) -> None:
    """Copy the sources of the package to `target/sitqmc` without symbolic links."""
    for source in (root / "sitqmc", *(root / room for room in ROOMS)):
        for file in (*source.rglob("*.py"), *source.rglob("*.pyi")):
            inside = file.relative_to(root)
            if inside.parts[:2] != ("runs", "docs"):
                home = target / (inside if inside.parts[0] == "sitqmc" else Path("sitqmc") / inside)
                home.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, home)


def public_names(stub: Path) -> dict[str, list[str]]:
    """Return {module: names} of a stub file, in its order; the module is relative to the stub's folder."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(stub.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, []).extend(alias.asname or alias.name for alias in node.names)
    return found


def by_folder(root: Path, room: str) -> dict[str, dict[str, list[str]]]:
    """Return {folder: {module: names}}; files directly in the room belong to the folder ""."""
    folders: dict[str, dict[str, list[str]]] = {}
    for module, names in public_names(root / room / "__init__.pyi").items():
        folder = module.split(".")[0] if "." in module else ""
        folders.setdefault(folder, {})[module] = names
    return folders


def navigation(root: Path) -> list[Any]:
    """Return the navigation of the Python reference."""
    entries: list[Any] = [{"Front door: sitqmc": "reference/sitqmc.md"}]
    return entries + [{f"{text}: {room}": f"reference/{room}.md"} for room, text in ROOMS.items()]


def pages(root: Path) -> dict[str, str]:
    """Return {path in the site: Markdown} of all generated pages."""
    made = {f"reference/{room}.md": _room_page(root, room) for room in ROOMS}
    made["reference/sitqmc.md"] = _front_page(root)
    made["reference/observables.md"] = observables()
    made["reference/configuration.md"] = configuration()
    made["reference/command_line.md"] = commands()
    made["reference/sitqmc.schema.json"] = _schema()
    return made


def _room_page(root: Path, room: str) -> str:
    lines = [f"# `sitqmc.{room}`", "", _first_line(root / room / "__init__.py"), "",
             f"Import these names from `sitqmc.{room}`.", ""]  # fmt: skip
    examples, stub = snippets.read(room), public_names(root / room / "__init__.pyi")
    links = {name: f"sitqmc.{room}.{module}.{name}" for module, names in stub.items() for name in names}
    for folder, modules in by_folder(root, room).items():
        if folder:
            lines += [f"## {folder}", "", _first_line(root / room / folder / "__init__.py"), ""]
        else:
            lines += [f"## {room}", ""]
        for module, names in modules.items():
            lines += [f"*Module `sitqmc.{room}.{module}`*", ""]
            for name in names:
                lines += [f"::: {links[name]}", "", *snippets.markdown(examples, name, links)]
    return "\n".join(lines)


def _front_page(root: Path) -> str:
    """Return the page of the front door; names that a room documents are links to it."""
    stub = public_names(root / "sitqmc" / "__init__.pyi")
    documented = {f"{room}.{module}" for room in ROOMS
                  for module in public_names(root / room / "__init__.pyi")}  # fmt: skip
    lines = ["# `sitqmc`", "", _first_line(root / "sitqmc" / "__init__.py"), "",
             "| name | defined in |", "| --- | --- |"]  # fmt: skip
    own, examples = [], snippets.read("sitqmc")
    links = {name: f"sitqmc.{module}.{name}" for module, names in stub.items() for name in names}
    for module, names in stub.items():
        for name in (name for name in names if not name.startswith("__")):
            lines.append(f"| [`{name}`][sitqmc.{module}.{name}] | `sitqmc.{module}` |")
            if module not in documented:
                own += [f"::: {links[name]}", "", *snippets.markdown(examples, name, links)]
    return "\n".join([*lines, "", *own])


def _first_line(path: Path) -> str:
    """Return the first paragraph of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) if path.exists() else None
    return (text or "").split("\n\n")[0].replace("<", "&lt;")


# --- observables -------------------------------------------------------------------------------------------


KINDS = {
    "measured": ("Bins of measurements",
                 "One value per measurement, averaged in bins (`bins/NAME` in run.h5)."),
    "worm": ("Bins of Green functions", "Waiting times of the worm in a bin (`bins/NAME` in run.h5)."),
    "map": ("Maps by site", "Averages over the chain (`maps/NAME` in run.h5)."),
    "worm map": ("Maps by distance", "Waiting times of the worm in the chain (`maps/NAME` in run.h5)."),
    "wave": ("Responses by wave vector", "Averages over the chain (`maps/NAME` in run.h5)."),
    "sample": ("Sample averages", "From the means of a sample, disconnected parts subtracted."),
    "derived": ("Derived quantities", "Functions of disorder means, with jackknife errors."),
}


def observables() -> str:
    """Return the tables of all observables and the formulas behind them."""
    from sitqmc.qmc import observables as registry

    lines = []
    for kind, (title, text) in KINDS.items():
        lines += [f"## {title}", "", text, "", "| name | unit | axes | meaning |", FOUR_COLUMNS]
        for row in (row for row in registry.ROWS if row.kind == kind):
            axes = ", ".join(f"`{axis}`" for axis in row.axes) or "–"
            lines.append(f"| `{row.name}` | {_unit(row.unit)} | {axes} | {_cell(row.text)} |")
        lines.append("")
    lines += ["## Axes", "", "| axis | index |", "| --- | --- |"]
    lines += [f"| `{name}` | {_cell(axis.text)} |" for name, axis in registry.AXES.items()]
    formulas = re.search(r"(?:^    .*\n)+", registry.__doc__ or "", re.MULTILINE)
    notes = (registry.__doc__ or "").partition(formulas[0])[2] if formulas else ""
    if formulas:
        lines += ["", "## Formulas", "", "```text", *(line[4:] for line in formulas[0].splitlines())]
        lines += ["```", ""]
    return "\n".join(lines) + "\n".join(_escape_prose(line) for line in notes.splitlines())


def _escape_prose(text: str) -> str:
    """Protect the characters that Markdown would read as its own, outside of code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _cell(part) for part in parts)


def _unit(unit: str) -> str:
    return "–" if unit in ("1", "") else unit.replace("E_J", "E<sub>J</sub>")


def _cell(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([|*_])", r"\\\1", text)


# --- configuration -----------------------------------------------------------------------------------------


def configuration() -> str:
    """Return one table for each section of the configuration file, from its JSON schema."""
    from sitqmc.runs.config.schema import schema

    lines = ["[Schema of all sections](sitqmc.schema.json)", ""]
    for name, section in schema()["properties"].items():
        if name == "target":                     # its keys are the scalar observables
            continue
        lines += [f"## `[{name}]`", ""] if name != "model" else []
        lines += ["| key | type | default | bounds or choices | meaning |", "| --- | --- | --- | --- | --- |"]
        for key, entry in section["properties"].items():
            default = f"`{json.dumps(entry['default'])}`" if "default" in entry else "–"
            text = _cell(entry.get("description", ""))
            lines.append(f"| `{key}` | {_type(entry)} | {default} | {_bounds(entry)} | {text} |")
        lines.append("")
    return "\n".join(lines)


def _type(entry: dict[str, Any]) -> str:
    """Return the type of a key: that of one value, where lists and ranges are allowed too."""
    plain = entry if "type" in entry else entry["anyOf"][0]
    return str(plain.get("type", "word"))


def _bounds(entry: dict[str, Any]) -> str:
    for way in (entry, *entry.get("anyOf", ())):
        if "enum" in way:
            return ", ".join(f"`{choice}`" for choice in way["enum"])
    signs = {"minimum": "≥", "maximum": "≤"}
    return ", ".join(f"{sign} {entry[key]:g}" for key, sign in signs.items() if key in entry) or "–"


def _schema() -> str:
    from sitqmc.runs.config.schema import schema_text

    return schema_text()


# --- command line ------------------------------------------------------------------------------------------


def commands() -> str:
    """Return the help text of every command as the command prints it."""
    names = re.findall(r"^    (\w+)(?: |$)", _help(), re.MULTILINE)
    lines = ["```text", _help(), "```", ""]
    for name in names:
        lines += [f"## `sitqmc {name}`", "", "```text", _help(name), "```", ""]
    return "\n".join(lines)


def _help(*command: str) -> str:
    from sitqmc.runs.cli.main import main

    os.environ["COLUMNS"] = "100"            # argparse wraps its text at the width of the terminal
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return said.getvalue().strip()
