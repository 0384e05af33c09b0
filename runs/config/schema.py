"""JSON schema of the configuration file: editors complete keys and mark mistakes while one types.

Types, defaults, bounds and choices are those of the sections; meanings are the comments after their fields.
"""

import ast
import inspect
import json
import math
import tokenize
from collections.abc import Mapping
from dataclasses import MISSING, fields
from io import StringIO
from typing import Any, get_type_hints

from sitqmc.qmc import ACTIONS, PARAMETERS
from sitqmc.qmc.observables import TARGETS, row_of
from sitqmc.runs.config.config import BOUNDS, CHOICES, Config
from sitqmc.runs.config.scan import KEYS, RANGE

DIALECT = "http://json-schema.org/draft-07/schema#"
TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}
WHOLE = ("L", "Lx", "Ly", "L_tau")               # keys of [model] that count sites or slices
POSITIVE = {"type": "number", "exclusiveMinimum": 0}


def schema() -> dict[str, Any]:
    """Return the schema as plain JSON values."""
    hints = get_type_hints(Config)
    sections = {"model": _model(), "target": _target()}
    for f in fields(Config):
        if f.name not in sections:
            sections[f.name] = _section(f.name, hints[f.name])
    return {
        "$schema": DIALECT, "title": "Configuration of sitqmc", "type": "object", "required": ["model"],
        "additionalProperties": False, "properties": {f.name: sections[f.name] for f in fields(Config)},
    }  # fmt: skip


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _object(properties: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {
        "type": "object", "description": text, "additionalProperties": False, "properties": dict(properties),
    }  # fmt: skip


def _section(name: str, kind: type) -> dict[str, Any]:
    """Return the schema of a section that is a dataclass."""
    hints, texts, properties = get_type_hints(kind), field_comments(kind), {}
    for f in fields(kind):
        found: dict[str, Any] = {"type": TYPES[hints[f.name]], "description": texts.get(f.name, "")}
        if f.default is not MISSING:
            found["default"] = f.default
        if (name, f.name) in CHOICES:
            found["enum"] = list(CHOICES[name, f.name])
        low, high = BOUNDS.get((name, f.name), (-math.inf, math.inf))
        found |= {key: x for key, x in (("minimum", low), ("maximum", high)) if math.isfinite(x)}
        properties[f.name] = found
    return _object(properties, f"[{name}]")


def field_comments(kind: type) -> dict[str, str]:
    """Return the comment after each field of a dataclass, inherited fields included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        source = inspect.getsource(base)
        trailing = {
            token.start[0]: token.string.lstrip("# ")
            for token in tokenize.generate_tokens(StringIO(source).readline) if token.type == tokenize.COMMENT
        }  # fmt: skip
        (body,) = ast.parse(source).body
        assert isinstance(body, ast.ClassDef)
        for node in body.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = trailing.get(node.end_lineno or 0, "")
    return found


def _model() -> dict[str, Any]:
    keys = {key: _scanned(key) for key in KEYS}
    points = {"type": "array", "description": "further points: each table replaces keys of [model]",
              "items": _object(keys, "[[model.points]]")}  # fmt: skip
    return _object({**keys, "points": points}, "[model] The run covers all combinations of the values.")


def _scanned(key: str) -> dict[str, Any]:
    """Return the schema of a parameter: a value, an expression, a list of both, or a range."""
    parameter = PARAMETERS.get(key)
    text = "sites per side, instead of Lx and Ly" if parameter is None else parameter.text
    unit = "" if parameter is None or parameter.unit == "1" else f", {parameter.unit}"
    if key == "action":
        one: dict[str, Any] = {"enum": list(ACTIONS)}
        return {"description": text, "anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    one = {"anyOf": [{"type": "integer" if key in WHOLE else "number"},
                     {"type": "string", "description": "expression of the other keys"}]}  # fmt: skip
    interval = _object({name: {"type": "number"} for name in RANGE}, "range with both ends")
    interval["required"] = ["start", "stop"]
    ways = [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}, interval]
    return {"description": text + unit, "anyOf": ways}


def _target() -> dict[str, Any]:
    error = {"anyOf": [POSITIVE, _object({"absolute": POSITIVE}, "absolute error"),
                       _object({"relative": POSITIVE}, "relative error")]}  # fmt: skip
    goals = {name: {"description": f"error of {row_of(name).text}", **error} for name in TARGETS}
    most = {"type": "integer", "description": "most samples per point, whatever the errors", "minimum": 1}
    return _object(goals | {"max_samples": most}, "[target] Errors to be reached by adding samples.")
