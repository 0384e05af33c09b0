"""A run on the disk, for notebooks: `sitqmc.load("results/my-run").table("rho_s", "kappa")`."""

from __future__ import annotations

import html
import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate, concise
from sitqmc.qmc import Model, ParameterSpace, PointAverages, average_point
from sitqmc.runs.config.config import Config, points
from sitqmc.runs.errors import UserError
from sitqmc.runs.formatting import columns
from sitqmc.runs.store.merge import current
from sitqmc.runs.store.run_file import NAME, Failure, Head, PointData, model_of

MAIN = ("rho_s", "kappa", "minus_k", "energy")


@dataclass(frozen=True, eq=False)
class Run:
    """A run, finished or not. Nothing is read before it is asked for.

    path    run.h5
    parts   include samples that are not merged into run.h5 yet
    chosen  analyse as this configuration says, and only its points; None: the stored one, and all points
    """

    path: Path
    parts: bool = False
    chosen: Config | None = None

    @cached_property
    def header(self) -> Head:
        """Configuration in force, version and history (version, commit, host and time of every call)."""
        head = self._stored[0]
        return head if self.chosen is None else replace(head, config=self.chosen)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.header.config

    @property
    def history(self) -> list[dict[str, Any]]:
        """Version, commit, packages, host and time of every call."""
        return self.header.history

    @property
    def failures(self) -> list[Failure]:
        """Excluded samples, which are in no average."""
        return self._stored[2]

    @cached_property
    def points(self) -> list[PointData]:
        """All samples of every point, in the order of the configuration, other points last."""
        order = {model: i for i, model in enumerate(planned_models(self.config))}
        data = [d for d in self._stored[1] if self.chosen is None or d.model in order]
        return sorted(data, key=lambda d: order.get(d.model, len(order)))

    @cached_property
    def averages(self) -> list[PointAverages]:
        """Disorder averages of every point, in the order of `points`."""
        per_bin = self.config.schedule.measurements_per_bin
        return [
            average_point(d.model, d.bins, d.tau_int, per_bin, self.failed_samples(d.model))
            for d in self.points
        ]

    def failed_samples(self, model: Model) -> dict[int, str]:
        """Return number -> reason of the samples of a point that failed."""
        return {f["sample"]: f["error"] for f in self.failures if model_of(f["model"]) == model}

    @cached_property
    def space(self) -> ParameterSpace:
        """What tells the points apart."""
        return ParameterSpace([d.model for d in self.points])

    def table(self, *observables: str) -> Table:
        """Return parameters and scalar averages with errors, one row for each point.

        Shown are the parameters that tell the points apart; ["eps"] and all others can be asked for.
        raises  UserError for an unknown name or a correlator
        """
        names = observables or MAIN
        out: dict[str, list[Any]] = {key: [row[key] for row in self.space.rows] for key in self.space.names}
        hidden = tuple(key for key in out if key not in self.space.columns)
        out["samples"] = [a.n_samples for a in self.averages]
        for name in names:
            found = [self.estimate(a, name) for a in self.averages]
            out[name] = [e.value for e in found]
            out[f"{name}_error"] = [e.error for e in found]
        return Table(out, hidden)

    def estimate(self, averages: PointAverages, name: str) -> Estimate:
        """Return a scalar average; UserError for an unknown name or a correlator."""
        known = [key for key, e in averages.values.items() if np.ndim(e.value) == 0]
        if name not in known:
            raise UserError(f"observable {name!r} is no scalar of this run; known: {', '.join(known)}")
        return averages.values[name]

    def __str__(self) -> str:
        return f"{self.path}\n{self.table()}"

    @cached_property
    def _stored(self) -> tuple[Head, list[PointData], list[Failure]]:
        return current(self.path, parts=self.parts)


class Table:
    """Columns by name. NAME_error is the error of NAME; both are numbers and shown together."""

    def __init__(self, data: dict[str, list[Any]], hidden: Sequence[str] = ()) -> None:
        self.data, self.hidden = data, tuple(hidden)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.array(self.data[name])

    def __len__(self) -> int:
        return len(next(iter(self.data.values()), []))

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def where(self, **values: Any) -> Table:
        """Return the rows with the given values, such as where(p=0.1)."""
        rows = [i for i in range(len(self)) if all(self.data[k][i] == v for k, v in values.items())]
        data = {key: [column[i] for i in rows] for key, column in self.data.items()}
        return Table(data, self.hidden)

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame of all columns; ImportError if pandas is not installed."""
        return importlib.import_module("pandas").DataFrame(self.data)

    def rows(self) -> list[list[str]]:
        """Return head and rows as text, values with their errors."""
        errors = {f"{key}_error" for key in self.data}
        shown = [key for key in self.data if key not in errors and key not in self.hidden]
        return [shown, *([self._cell(key, i) for key in shown] for i in range(len(self)))]

    def _cell(self, key: str, row: int) -> str:
        value = self.data[key][row]
        if f"{key}_error" in self.data:
            return concise(value, self.data[f"{key}_error"][row])
        return _shortest(value, self.data[key]) if isinstance(value, float) else str(value)

    def __str__(self) -> str:
        return "\n".join(columns(self.rows()))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = self.rows()

        def line(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        rows = "".join(line(row, "td") for row in body)
        return f"<table><thead>{line(head, 'th')}</thead><tbody>{rows}</tbody></table>"


def _shortest(value: float, column: Sequence[float]) -> str:
    """Return six digits of a value, or all where six do not tell it from the others."""
    short = f"{value:g}"
    return short if all(f"{x:g}" != short or x == value for x in column) else repr(value)


def planned_models(config: Config) -> list[Model]:
    """Return the models of a configuration in its order."""
    return list(points(config))


def load(path: str | Path) -> Run:
    """Return the run in a folder, samples not yet merged included, or of a run.h5.

    raises  UserError if there is no run
    """
    path = Path(path)
    file = path / NAME if path.is_dir() else path
    if not file.exists():
        raise UserError(f"{path}: no run found ({NAME} is missing); pass the output folder of a run")
    return Run(file, parts=path.is_dir())
