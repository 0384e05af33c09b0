"""Which points of a run belong in one panel, and what tells them apart."""

from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from sitqmc.qmc import Model

COLOURED = ("p", "p_site", "spread_J", "spread_C", "charging", "n_g", "Lx", "beta", "eps")
"""A run's colours follow the first of these that it varies."""

FOLLOWERS = ("Ly", "L_tau", "beta", "eps")
"""Not named where the parameter of the colours fixes them."""

SYMBOLS = {
    "p": "p", "p_site": r"p_{\mathrm{site}}", "spread_J": r"\delta_J", "spread_C": r"\delta_C",
    "charging": "E_C/E_J", "n_g": "n_g", "beta": r"\beta E_J", "eps": r"\epsilon E_J", "Lx": "L_x",
    "Ly": "L_y", "L_tau": r"L_\tau",
}  # fmt: skip


@dataclass(frozen=True)
class Families:
    """Points of a run, by index, in panels that differ in `key` alone.

    key      the parameter that gives the colours
    values   its values, ascending
    members  label of a panel ("" if there is only one) -> indices of its points, ascending in key
    """

    key: str
    values: tuple[float, ...]
    members: dict[str, list[int]]

    def rank(self, value: float) -> float:
        """Place of a value between 0 and 1, by order and not by distance: close values stay apart."""
        return self.values.index(value) / max(1, len(self.values) - 1)


def families(models: Sequence[Model]) -> Families:
    """Group the models of a run; those that differ in nothing but the colour share a panel."""
    rows = [parameters(model) for model in models]
    varied = [key for key in rows[0] if len({row[key] for row in rows}) > 1] if rows else []
    key = next((name for name in COLOURED if name in varied), "p")
    others = [name for name in varied if name != key and not _follows(name, key, rows)]
    # Where slices were chosen for each size, "L = 16, L_tau = 128" says all: beta = eps L_tau is left out.
    named = [name for name in others if not (name == "beta" and "L_tau" in others)]
    members: dict[str, list[int]] = {}
    for i, row in sorted(enumerate(rows), key=lambda pair: float(pair[1][key])):
        members.setdefault(_label(named, row), []).append(i)
    ordered = dict(sorted(members.items(), key=lambda item: min(item[1])))
    return Families(key, tuple(sorted({row[key] for row in rows})), ordered)


def parameters(model: Model) -> dict[str, Any]:
    """Fields of a model, with beta."""
    return asdict(model) | {"beta": model.beta}


def shared(models: Sequence[Model]) -> str:
    """What all models have in common, in words; kinds of disorder that none has are left out."""
    rows = [parameters(model) for model in models]
    same = {key: value for key, value in rows[0].items() if all(row[key] == value for row in rows)}
    silent = {f.name: f.default for f in fields(Model) if f.name not in ("p", "action")}
    return ", ".join(_word(key, value) for key, value in same.items() if value != silent.get(key, MISSING))


def named(model: Model, models: Sequence[Model]) -> str:
    """A model by what it does not share with the others, in words."""
    row, rows = parameters(model), [parameters(other) for other in models]
    varied = [key for key in row if any(other[key] != row[key] for other in rows)]
    if "L_tau" in varied and "beta" in varied:
        varied.remove("beta")
    return ", ".join(_word(key, row[key]) for key in varied) or f"p = {model.p:g}"


def _word(key: str, value: Any) -> str:
    return f"{key} = {value:g}" if isinstance(value, (int, float)) else f"{key} {value}"


def symbol(key: str) -> str:
    """A parameter in mathematical type."""
    return f"${SYMBOLS[key]}$" if key in SYMBOLS else key


def _follows(name: str, key: str, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether every value of `key` has its one value of `name`."""
    pairs = {(row[key], row[name]) for row in rows}
    return name in FOLLOWERS and len(pairs) == len({row[key] for row in rows})


def _label(named: Sequence[str], row: dict[str, Any]) -> str:
    square = row["Lx"] == row["Ly"]
    parts = []
    for name in named:
        if name == "Ly" and square:
            continue
        sign = "$L$" if name == "Lx" and square else symbol(name)
        parts.append(f"{sign} = {row[name]:g}" if isinstance(row[name], (int, float)) else str(row[name]))
    return ", ".join(parts)
