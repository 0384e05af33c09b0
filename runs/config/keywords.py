"""A configuration as it is typed in Python: keywords instead of the sections of a TOML file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.chains.schedule import Schedule
from sitqmc.qmc.model.link_weights import Action
from sitqmc.runs.config.checks import refuse_unknown
from sitqmc.runs.config.scan import KEYS, replaced_keys

Numbers = float | str | Sequence[float] | NDArray[Any] | Mapping[str, float]
"""A number, an expression, several numbers, or a range with start, stop and step or count."""

Table = Mapping[str, Any]


class ModelKeys(TypedDict, total=False):
    """Keys of [model]; every one may be scanned."""

    L: Numbers
    Lx: Numbers
    Ly: Numbers
    L_tau: Numbers
    beta: Numbers
    eps: Numbers
    charging: Numbers
    action: Action | Sequence[Action]
    p: Numbers
    p_site: Numbers
    spread_J: Numbers
    spread_C: Numbers
    n_g: Numbers
    points: Sequence[Table]


class ConfigKeywords(ModelKeys, total=False):
    """Keys of [model], single keys of other sections, and whole sections."""

    samples: int
    seed: int
    path: str | Path
    disorder: Table
    schedule: Table | Schedule
    observables: Table
    target: Table
    continuation: Table
    output: Table


SINGLE = {"samples": "disorder", "seed": "disorder", "path": "output"}
SECTIONS = ("disorder", "schedule", "observables", "target", "continuation", "output")


def changed(table: Mapping[str, Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table of sections with changes; UserError for an unknown keyword, with the nearest known one.

    table  as of `Config.resolved`, or part of it
    """
    refuse_unknown(keywords, (*KEYS, "points", *SINGLE, *SECTIONS), "keyword", "")
    out = {name: dict(section) for name, section in table.items()}
    for name in SECTIONS:
        if name in keywords:
            section = asdict(keywords[name]) if is_dataclass(keywords[name]) else keywords[name]
            out[name] = {**out.get(name, {}), **_plain(section)}
    for key, name in SINGLE.items():
        if key in keywords:
            out.setdefault(name, {})[key] = _plain(keywords[key])
    keys = {key: _plain(keywords[key]) for key in (*KEYS, "points") if key in keywords}
    model = out.get("model", {})
    out["model"] = {key: v for key, v in model.items() if key not in replaced_keys(keys)} | keys
    return out


def _plain(value: Any) -> Any:
    """Return a value as TOML would hold it: numpy numbers and arrays, tuples and paths are translated."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value
