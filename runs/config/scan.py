"""[model]: the scanned parameters and the models of their combinations.

The keys are the parameters of `qmc.Model`, and besides them

    L        sites per side, for Lx = Ly = L
    beta     inverse temperature, instead of L_tau = beta/eps
    points   [[model.points]], tables of keys that replace the common keys; each adds its combinations

Every value may be a list, a range {start, stop, step} or {start, stop, count}, and for a number an
expression of the other keys. The points are all combinations of the values, p fastest.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from sitqmc.qmc import ACTIONS, Model
from sitqmc.qmc.model.model import slices_of
from sitqmc.runs.config.checks import Findings, check_type, refuse_unknown
from sitqmc.runs.config.expressions import evaluate
from sitqmc.runs.errors import UserError

Scan = dict[str, tuple[Any, ...]]
"""Values by key: tuples of numbers, expressions or words."""

MAX_POINTS = 100_000
RANGE = ("start", "stop", "step", "count")

_FIELDS = {f.name: f for f in fields(Model)}
_HINTS = get_type_hints(Model)
KEYS = (*_FIELDS, "L", "beta")
EXCLUSIVE = {"L": ("Lx", "Ly"), "Lx": ("L",), "Ly": ("L",), "beta": ("L_tau",), "L_tau": ("beta",)}
"""Keys that a key replaces."""


def parse_model(table: Any) -> dict[str, Any]:
    """Return the section with defaults; all values are tuples, and `points` is a tuple of such tables."""
    if not isinstance(table, dict):
        raise UserError(f"model = {table!r}: must be a section, [model]")
    points = table.get("points", ())
    common = _parse_table({k: v for k, v in table.items() if k != "points"}, "[model]")
    if not isinstance(points, (list, tuple)) or not all(isinstance(t, dict) for t in points):
        raise UserError("[model] points: must be tables, [[model.points]]")
    for name, f in _FIELDS.items():
        if f.default is not MISSING:
            common.setdefault(name, (f.default,))
    tables = tuple(_parse_table(t, "[[model.points]]") for t in points)
    return common | {"points": tables}


def models(section: Mapping[str, Any]) -> list[Model]:
    """Return the points of the run, each once; UserError with one line for each wrong value of any point."""
    found: dict[Model, None] = {}
    findings = Findings()
    common = {key: values for key, values in section.items() if key != "points"}
    tables: tuple[Scan, ...] = tuple(section["points"]) or ({},)
    for table in tables:
        with findings.collected():
            for values in _combinations(_replaced(common, table)):
                with findings.collected():
                    found.setdefault(_model(values))
                if findings.full:
                    break
    findings.report()
    return [*found]


def _parse_table(table: dict[str, Any], where: str) -> Scan:
    findings, found = Findings(), Scan()
    with findings.collected():
        refuse_unknown(table, KEYS, "key", f"{where} ")
    for key, value in table.items():
        if key in KEYS:
            with findings.collected():
                found[key] = _values(key, value, f"{where} {key}")
    findings.report()
    return found


def _values(key: str, value: Any, where: str) -> tuple[Any, ...]:
    """Return the values of one key."""
    if isinstance(value, dict):
        value = _range(value, where, whole=_kind(key) is int)
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise UserError(f"{where} = []: must hold at least one value")
    return tuple(_typed(key, v, where) for v in values)


def _kind(key: str) -> Any:
    return {"L": int, "beta": float}.get(key) or _HINTS[key]


def _typed(key: str, value: Any, where: str) -> Any:
    kind = _kind(key)
    if key == "action" and value not in ACTIONS:
        raise UserError(f"{where} = {value!r}: must be one of {', '.join(ACTIONS)}")
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UserError(f"{where} = {value!r}: must be one of {', '.join(map(str, get_args(kind)))}")
        return value
    if kind in (int, float) and isinstance(value, str):
        return value                             # an expression
    return check_type(value, kind, where)


def _range(table: dict[str, Any], where: str, whole: bool) -> list[Any]:
    """Return the values of a range with both ends; 0.3 stays 0.3, not 0.30000000000000004."""
    refuse_unknown(table, RANGE, "key", f"{where}: ")
    numbers = {key: check_type(value, float, f"{where}: {key}") for key, value in table.items()}
    if not ("start" in numbers and "stop" in numbers and ("step" in numbers) != ("count" in numbers)):
        raise UserError(f"{where}: a range needs start, stop and either step or count")
    start, stop = numbers["start"], numbers["stop"]
    if not all(map(math.isfinite, numbers.values())):
        raise UserError(f"{where}: start, stop and step must be finite")
    if "step" in numbers:
        step = numbers["step"]
        if step == 0 or (stop - start) / step < 0:
            raise UserError(f"{where}: step = {step:g}: must not be 0 and must have the sign of stop - start")
        count = math.floor((stop - start) / step + 1e-9) + 1
    else:
        count = int(numbers["count"])
        if count != numbers["count"] or count < 2:
            raise UserError(f"{where}: count = {numbers['count']:g}: must be an integer >= 2")
        step = (stop - start) / (count - 1)
    if count > MAX_POINTS:
        raise UserError(f"{where}: {count} values: at most {MAX_POINTS}; choose a longer step")
    values = [float(f"{start + i * step:.12g}") for i in range(count)]
    return [int(v) if whole and v == int(v) else v for v in values]


def _replaced(common: Scan, table: Scan) -> Scan:
    """Return the common keys, some replaced by the keys of one table."""
    return {key: v for key, v in common.items() if key not in replaced_keys(table)} | table


def replaced_keys(table: Mapping[str, Any]) -> set[str]:
    """Return the keys that those of a table exclude: Lx and Ly where L is given, L_tau where beta is."""
    return {other for key, others in EXCLUSIVE.items() if key in table for other in others}


def _combinations(scan: Scan) -> Iterator[dict[str, Any]]:
    """Yield the values of every point by key; expressions are not evaluated."""
    findings = Findings()
    with findings.collected():
        _check_shape(scan)
    for key, f in _FIELDS.items():
        needed = key not in ("Lx", "Ly", "L_tau")
        if needed and key not in scan and f.default is MISSING:
            with findings.collected():
                raise UserError(f"[model] {key} is missing; give it a value")
    findings.report()
    early = [key for key in scan if key not in ("eps", "charging", "L", "Lx", "Ly", "L_tau", "beta", "p")]
    late = [key for key in ("eps", "charging", "L", "Lx", "Ly", "L_tau", "beta", "p") if key in scan]
    order = early + late
    if math.prod(len(scan[key]) for key in order) > MAX_POINTS:
        raise UserError(f"[model] more than {MAX_POINTS} points; shorten a list")
    for values in itertools.product(*(scan[key] for key in order)):
        yield dict(zip(order, values, strict=True))


def _check_shape(scan: Scan) -> None:
    lines = []
    if ("L" in scan) == ("Lx" in scan or "Ly" in scan) or ("Lx" in scan) != ("Ly" in scan):
        lines.append("[model] give either L (square) or both Lx and Ly")
    if ("L_tau" in scan) == ("beta" in scan):
        lines.append("[model] give one of L_tau and beta (L_tau = beta/eps)")
    if lines:
        raise UserError("\n".join(lines))


def _model(values: dict[str, Any]) -> Model:
    """Return one model: expressions are evaluated, L and beta are translated."""
    try:
        exact = "beta" not in values or not isinstance(values["beta"], str)
        values = _evaluated(values)
        if "L" in values:
            if values["L"] < 2:
                raise ValueError(f"L = {values['L']}: must be an integer >= 2")
            values["Lx"] = values["Ly"] = values.pop("L")
        if "beta" in values:
            values["L_tau"] = slices_of(values.pop("beta"), values["eps"], exact=exact)
        with np.errstate(divide="raise", invalid="raise"):
            return Model(**values)
    except FloatingPointError as error:
        sizes = ", ".join(f"{key} = {values[key]:g}" for key in ("eps", "charging"))
        raise UserError(f"[model] {sizes}: beyond the range of floats ({error}); change them") from None
    except (ValueError, TypeError) as error:
        lines = dict.fromkeys([*_wrong_alone(values), str(error)])
        raise UserError("\n".join(f"[model] {line}" for line in lines)) from None


def _wrong_alone(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with each value by itself: `Model` reports its first error only."""
    good = {"Lx": 2, "Ly": 2, "L_tau": 2, "eps": 0.1, "charging": 1.0}
    for key in (key for key in values if key in _FIELDS and not isinstance(values[key], str)):
        try:
            Model(**good | {key: values[key]})
        except (ValueError, TypeError, ArithmeticError) as error:
            if str(error).startswith(f"{key} = "):
                yield str(error)


def _evaluated(values: dict[str, Any]) -> dict[str, Any]:
    """Return numbers for expressions, which may use each other without a circle."""
    words = {key for key in values if _kind(key) not in (int, float)}
    done = {key: v for key, v in values.items() if key in words or not isinstance(v, str)}
    while len(done) < len(values):
        names = {key: float(v) for key, v in done.items() if key not in words}
        if "L" in names:
            names["Lx"] = names["Ly"] = names["L"]
        waiting = {key: v for key, v in values.items() if key not in done}
        solved, reason = {}, ""
        for key, text in waiting.items():
            try:
                solved[key] = _number(key, text, names)
            except UnknownName as error:
                reason = reason or f"{key} = {text!r}: {error}"
        if not solved:
            raise ValueError(reason)
        done |= solved
    return {key: done[key] for key in values}


class UnknownName(ValueError):
    """An expression uses a name that has no value yet."""


def _number(key: str, text: str, names: Mapping[str, float]) -> float | int:
    try:
        value = evaluate(text, names)
    except ValueError as error:
        if "not known" in str(error):
            raise UnknownName(str(error)) from None
        raise ValueError(f"{key} = {error}") from None
    if _kind(key) is float:
        return value
    if not (math.isfinite(value) and value == int(value)):
        raise ValueError(f"{key} = {text!r} gives {value}: must be an integer; use round(...)")
    return int(value)
