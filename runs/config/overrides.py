"""Values that a configuration file does not hold: the output it leaves out, and `--set model.p=0.1`."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sitqmc.runs.config.checks import Findings
from sitqmc.runs.config.scan import EXCLUSIVE
from sitqmc.runs.errors import UserError


def default_output(path: str | Path) -> str:
    """Return the output folder of a configuration file that names none: results/NAME of NAME.toml."""
    return f"results/{Path(path).stem}"


def with_output(table: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return parsed TOML in which [output] path is set; another one is kept."""
    output = table.get("output", {})
    return table | {"output": {"path": folder} | output} if isinstance(output, dict) else table


def overridden(table: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return parsed TOML with some values replaced.

    changes  "SECTION.KEY=VALUE" with a TOML value; a word needs no quotation marks. [model] L replaces Lx and
             Ly, beta replaces L_tau, and the reverse
    raises   UserError with one line for each change that cannot be read
    """
    out = {name: dict(section) if isinstance(section, dict) else section for name, section in table.items()}
    findings = Findings()
    for change in changes:
        with findings.collected():
            section, key, value = _parsed(change)
            values = out.setdefault(section, {})
            if not isinstance(values, dict):
                raise UserError(f"--set {change}: {section} = {values!r} is no section of the file")
            if section == "model":
                for other in EXCLUSIVE.get(key, ()):
                    values.pop(other, None)
            values[key] = value
    findings.report()
    return out


def _parsed(change: str) -> tuple[str, str, Any]:
    """Return section, key and value of a change."""
    name, equals, text = change.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key) or "." in key or "\n" in change:
        raise UserError(f"--set {change!r}: must be SECTION.KEY=VALUE, such as model.p=0.1")
    try:
        return section, key, tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return section, key, text.strip()        # a word, or an expression of other keys
