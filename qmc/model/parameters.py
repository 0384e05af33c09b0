"""Parameters of a model: names, symbols, units, and which of them tell the points of a scan apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sitqmc.result import Result

__all__ = ["PARAMETERS", "Parameter", "ParameterSpace", "parameters_of"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model.

    symbol   in TeX, without the dollar signs
    neutral  value that stands for "absent"; it is not printed among the parameters that all points share
    stream   whether the value enters the key of the random streams: always, only if not zero, never (derived)
    """

    name: str
    symbol: str
    unit: str
    text: str
    neutral: float | None = None
    stream: Literal["always", "nonzero", "never"] = "always"


PARAMETERS: dict[str, Parameter] = {
    p.name: p
    for p in (
        Parameter("Lx", "L_x", "1", "sites along x"),
        Parameter("Ly", "L_y", "1", "sites along y"),
        Parameter("L_tau", r"L_\tau", "1", "time slices"),
        Parameter("beta", r"\beta E_J", "1/E_J", "inverse temperature, eps L_tau", stream="never"),
        Parameter("action", "action", "1", "discretisation of the action in imaginary time"),
        Parameter("eps", r"\epsilon E_J", "1/E_J", "width of a time slice"),
        Parameter("charging", "E_C/E_J", "E_J", "charging energy"),
        Parameter("p", "p", "1", "probability that a bond is missing"),
        Parameter("p_site", r"p_{\mathrm{site}}", "1", "probability that a site is missing", 0.0, "nonzero"),
        Parameter("spread_J", r"\delta_J", "1", "half width of the box of E_J over its mean", 0.0, "nonzero"),
        Parameter("spread_C", r"\delta_C", "1", "half width of the box of E_C over its mean", 0.0, "nonzero"),
        Parameter("n_g", "n_g", "1", "charge offset of every site, in pairs", 0.0, "nonzero"),
    )
}
"""All parameters by name, in the order of tables and CSV files."""

LENGTH = Parameter("L", "L", "1", "sites per side of a square array", stream="never")
"""Stands for Lx and Ly in tables and labels where all arrays are square."""

COLOURED = (
    "p", "p_site", "spread_J", "spread_C", "charging", "n_g", "L", "Lx", "Ly", "beta", "L_tau", "eps",
)  # fmt: skip
"""The colours of a figure follow the first of these that tells points apart."""

FIXED_BY = {"beta": ("L_tau", "eps"), "L_tau": ("L", "Lx", "Ly", "eps"), "Ly": ("Lx",)}
"""A parameter is not named where those listed here fix it: each of their combinations has one value."""

FOLLOWERS = ("Ly", "L_tau", "beta", "eps")
"""Parameters that may also be fixed by the parameter of the colours or of the abscissa."""

ALWAYS = ("L", "Lx", "Ly", "L_tau", "p")
"""Columns of every table, whether or not the values differ."""


def parameters_of(model: object) -> dict[str, Any]:
    """Return all parameters of a model by name, in the order of `PARAMETERS`.

    model  a `Model`, or its stored fields as a mapping; fields that an older version lacked are neutral
    """
    stored = model if isinstance(model, Mapping) else vars(model)
    row: dict[str, Any] = {name: stored.get(name, p.neutral) for name, p in PARAMETERS.items()}
    # Twelve digits: 3 x 0.1 and 0.3 are one temperature.
    row["beta"] = float(f"{row['eps'] * row['L_tau']:.12g}")
    return row


@dataclass(frozen=True)
class ParameterSpace(Result):
    """The models of a run and what tells them apart; the one place that decides it.

    models  `Model`s, or mappings of their fields
    always  columns of tables even where all models agree
    """

    models: Sequence[Any]
    always: Sequence[str] = field(default=ALWAYS, kw_only=True)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Parameters of every model by name; with L where all arrays are square."""
        rows = [parameters_of(model) for model in self.models]
        return [{"L": row["Lx"], **row} for row in rows] if self._square(rows) else rows

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters in the order of tables: L instead of Lx and Ly where all are square."""
        if self._square(self.rows):
            return ("L", *(name for name in PARAMETERS if name not in ("Lx", "Ly")))
        return tuple(PARAMETERS)

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Names of all parameters that take more than one value."""
        return tuple(name for name in self.names if len(self.values(name)) > 1)

    @cached_property
    def distinguishing(self) -> tuple[str, ...]:
        """Varied parameters without those that the others fix: enough to tell all models apart."""
        named = list(self.varied)
        for name, leaders in FIXED_BY.items():
            by = [leader for leader in leaders if leader in named]
            if name in named and by and self._is_fixed(name, by):
                named.remove(name)
        return tuple(named)

    @cached_property
    def shared(self) -> str:
        """What all models have in common, in words; neutral values are left out."""
        same = [name for name in self.names if self.rows and name not in self.varied]
        return ", ".join(
            f"{name} = {self.text(name, self.rows[0][name])}"
            for name in same if self.rows[0][name] != parameter(name).neutral
        )  # fmt: skip

    @cached_property
    def colour(self) -> str:
        """Name of the parameter that colours follow: p where nothing or only the action differs."""
        named = set(self.distinguishing)
        if "L_tau" in named and "eps" not in self.varied:
            named.add("beta")                    # a scan of the temperature
        return next((name for name in COLOURED if name in named), "p")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table: `always` and what tells the models apart."""
        return tuple(n for n in self.names if n in self.always or n in self.distinguishing)

    def cells(self, model: object) -> list[str]:
        """Return the texts of a model, one for each of `columns`."""
        row = self.row(model)
        return [self.text(name, row[name]) for name in self.columns]

    def label(self, model: object, math: bool = False) -> str:
        """Return a model in words by what it does not share with the others; `math`: for a figure."""
        row = self.row(model)
        return self._worded(self.distinguishing, row, math) or self._worded(("p",), row, math)

    def panels(self, by: str = "", math: bool = True) -> dict[str, list[int]]:
        """Return label -> indices of the models that differ in the parameter `by` alone, ascending in it.

        by  name of a parameter; the parameter of the colours if empty
        """
        by = self.known(by or self.colour)
        named = [n for n in self.distinguishing
                 if n != by and not (n in FOLLOWERS and self._is_fixed(n, (by,)))]  # fmt: skip
        members: dict[str, list[int]] = {}
        for i, row in sorted(enumerate(self.rows), key=lambda pair: pair[1][by]):
            members.setdefault(self._worded(named, row, math), []).append(i)
        return dict(sorted(members.items(), key=lambda item: min(item[1])))

    def values(self, name: str) -> tuple[Any, ...]:
        """Return the values of a parameter, ascending."""
        return tuple(sorted({row[name] for row in self.rows}))

    def rank(self, model: object) -> float:
        """Return the place of a model's colour between 0 and 1, by order and not by distance."""
        values = self.values(self.colour)
        return values.index(self.row(model)[self.colour]) / max(1, len(values) - 1)

    def row(self, model: object) -> dict[str, Any]:
        """Return the parameters of a model; with L where all arrays of the space are square."""
        row = parameters_of(model)
        return {"L": row["Lx"], **row} if "L" in self.names else row

    def known(self, name: str) -> str:
        """Return the name of a parameter: L for Lx and Ly where all arrays are square.

        raises  ValueError for a name that is no parameter, with all names
        """
        if name in ("Lx", "Ly") and "L" in self.names:
            return "L"
        if name not in self.names:
            raise ValueError(f"parameter {name!r} is not known; one of {', '.join(self.names)}")
        return name

    def text(self, name: str, value: Any) -> str:
        """Return a value with as many digits as tell it from all others."""
        return self._texts[name].get(value) or _text(value, 6)

    @cached_property
    def _texts(self) -> dict[str, dict[Any, str]]:
        return {name: _distinct_texts(self.values(name)) for name in self.names}

    def _worded(self, names: Iterable[str], row: Mapping[str, Any], math: bool) -> str:
        return ", ".join(
            f"{symbol(name) if math else name} = {self.text(name, row[name])}" for name in names
        )

    def _is_fixed(self, name: str, by: Sequence[str]) -> bool:
        """Whether every combination of values of `by` occurs with one value of `name`."""
        leaders = {tuple(row[key] for key in by) for row in self.rows}
        return len({(*(row[key] for key in by), row[name]) for row in self.rows}) == len(leaders)

    @staticmethod
    def _square(rows: Iterable[Mapping[str, Any]]) -> bool:
        return all(row["Lx"] == row["Ly"] for row in rows)


def parameter(name: str) -> Parameter:
    """Return a parameter by name, L included."""
    return LENGTH if name == "L" else PARAMETERS[name]


def symbol(name: str) -> str:
    """Return a parameter in mathematical type, for a figure."""
    return name if name == "action" else f"${parameter(name).symbol}$"


def _text(value: Any, digits: int) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _distinct_texts(values: Sequence[Any]) -> dict[Any, str]:
    """Return the texts of different values: the fewest digits, at least six, that keep them different."""
    texts: dict[Any, str] = {}
    for digits in range(6, 18):                  # 17 digits name every floating-point number
        texts = {value: _text(value, digits) for value in values}
        if len(set(texts.values())) == len(values):
            break
    return texts
