"""A run on the disk, for notebooks: `sitqmc.load("results/my-run").table("rho_s", "kappa")`."""

from __future__ import annotations

import html
import importlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate, concise
from sitqmc.qmc import Model, ParameterSpace, PointAccumulator, PointAverages
from sitqmc.qmc.observables import AVERAGES, NOT_AVERAGED, WAVES, bins_needed, row_of
from sitqmc.qmc.statistics.estimators import DEFAULT_ESTIMATOR, STATIC, WAVES_OF, Average
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.formatting import columns
from sitqmc.runs.store.run_file import Failure, RunHeader
from sitqmc.runs.store.run_folder import Inventory, RunFolder
from sitqmc.runs.store.samples import PointSamples

Array = NDArray[np.float64]

MAIN = ("rho_s", "kappa", "minus_k", "energy")


@dataclass(frozen=True, eq=False)
class MeasuredPoint:
    """What a store holds of one point, for averages by any estimator.

    plain   plain averages
    waves   responses by wave vector, (samples, waves, frequencies) by name; empty if there are none
    keys    (samples, 2), seed and number of every sample
    names   averages that are wanted, None: all
    """

    plain: PointAverages
    waves: Mapping[str, Array]
    keys: NDArray[np.int64]
    names: tuple[str, ...] | None = None

    def averages(self, estimator: str) -> PointAverages:
        """Return the averages by an estimator; UserError if the data do not allow it."""
        if estimator == "plain":
            return self.plain
        # Imported here: functions of the mask are compiled, and some commands do without.
        from sitqmc.qmc.statistics.improved import improve

        try:
            return improve(self.plain, self.waves, self.keys, names=self.names, estimator=estimator)
        except ValueError as error:
            raise UserError(str(error)) from None


@dataclass(frozen=True, eq=False)
class Run:
    """A run, finished or not. Nothing is read before it is asked for.

    folder  where the run lies
    chosen  configuration of the analysis, which selects its points; None: the stored one, and all points
    """

    folder: RunFolder
    chosen: Config | None = None

    @property
    def path(self) -> Path:
        """The file run.h5."""
        return self.folder.path

    @cached_property
    def header(self) -> RunHeader:
        """Configuration in force, and history (version, commit, host and time) of every call."""
        header = self.folder.header
        return header if self.chosen is None else replace(header, table=self.chosen.resolved())

    @cached_property
    def config(self) -> Config:
        """The configuration in force."""
        return self.header.config if self.chosen is None else self.chosen

    @property
    def history(self) -> list[dict[str, Any]]:
        """Version, commit, packages, host and time of every call."""
        return self.header.history

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """Excluded samples, which are in no average."""
        return tuple(self._inventory.excluded.values())

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """The points that have samples, in the order of the configuration, other points last."""
        found = self.folder.models(self.config)
        return tuple(found if self.chosen is None else (m for m in found if m in set(self.config.models)))

    @property
    def points(self) -> Iterator[PointSamples]:
        """All samples of one point at a time, in the order of `models`."""
        return self.folder.points(self.models)

    def samples(self, index: int, names: Sequence[str] | None = None) -> PointSamples:
        """Return all samples of one point of `models`; `names` as of `RunFolder.points`."""
        return next(self.folder.points([self.models[index]], names))

    @cached_property
    def averages(self) -> list[PointAverages]:
        """Disorder averages of every point with their checks, in the order of `models`.

        They are by the estimator of the configuration, see `[continuation] estimator`.
        """
        return [self.measured(model).averages(self.config.continuation.estimator) for model in self.models]

    def averages_of(self, *names: str) -> list[PointAverages]:
        """Return some disorder averages of every point, by the estimator of the configuration.

        Without checks; reads no more than they need.

        raises  UserError for a name that the run does not have
        """
        self.check_names(names)
        estimator = self.config.continuation.estimator
        return [self.measured(model, names).averages(estimator) for model in self.models]

    def check_names(self, names: Iterable[str]) -> None:
        """Raise UserError for an average that the run does not have."""
        known = self.known()
        for name in names:
            if name not in known:
                raise UserError(f"observable {name!r}: not in this run; known: {', '.join(known)}")

    def known(self) -> list[str]:
        """Return the names of all averages that the first point has."""
        rows = self.folder.rows(self.models[0]) if self.models else None
        if rows is None:
            return []
        stored = {name.removeprefix("bins/") for name in rows.names if name.startswith("bins/")}
        names = (name for name in AVERAGES if name not in NOT_AVERAGED)
        return [name for name in names if stored.issuperset(bins_needed(self.models[0], [name]))]

    def measured(self, model: Model, names: Sequence[str] | None = None) -> MeasuredPoint:
        """Return plain averages and all that estimators need.

        One point is read in pieces of bounded memory; again, if a running job replaces a file meanwhile.
        names  averages that are wanted, without checks; None: all
        """
        all_needed = None if names is None else _with_responses(names)
        rows = self.folder.rows(model)
        stored = [] if rows is None else [f"maps/{w}" for w in WAVES if f"maps/{w}" in rows.names]
        if all_needed is not None and not set(all_needed) & set(WAVES_OF):
            stored = []
        wanted = ["bins", "tau_int"]
        if all_needed is not None:
            wanted = [f"bins/{b}" for b in bins_needed(model, all_needed)]

        def read() -> MeasuredPoint:
            whole = PointAccumulator(model, self.config.schedule.measurements_per_bin, checks=names is None)
            keys, waves = [], dict[str, list[Array]]()
            for piece in self.folder.pieces(model, [*wanted, *stored]):
                whole.add(piece.bins, piece.tau_int)
                keys.append(piece.keys)
                for name, values in piece.maps.items():
                    waves.setdefault(name, []).append(values)
            found = whole.result(self.failed_samples(model))
            joined = {name: np.concatenate(parts) for name, parts in waves.items()}
            return MeasuredPoint(found, joined, np.concatenate(keys), all_needed)

        return self.folder.consistent(read)

    def correlator(self, name: str, *, estimator: str = DEFAULT_ESTIMATOR, **where: Any) -> Average:
        """Return one average of one point by an estimator; unpacks as (mean, covariance).

        name       rho, chi_s or any other average of the run, see `known`
        estimator  improved (transverse currents and functions of the mask), transverse, masks or plain
        where      parameters that single out the point, such as p=0.1, L=16
        raises     UserError for an unknown name or estimator, or if `where` fits no point or several
        """
        model = self.point(**where)
        self.check_names([name])
        # Imported here: functions of the mask are compiled, and most commands do without.
        from sitqmc.qmc.statistics.improved import improved_averages

        point = self.measured(model, [name])
        samples = point.plain.samples
        if name not in samples:
            raise UserError(f"observable {name!r} is a function of averages: read it from `table`")
        try:
            return improved_averages(
                model, samples, point.waves, point.keys, names=[name], estimator=estimator
            )[name]
        except ValueError as error:
            raise UserError(str(error)) from None

    def point(self, **where: Any) -> Model:
        """Return the one point with the given parameters, L standing for Lx and Ly.

        raises  UserError if no point or several have them
        """
        length = where.pop("L", None)
        wanted = where if length is None else {**where, "Lx": length, "Ly": length}
        known = {f.name for f in fields(Model)} | {"beta"}
        if unknown := [key for key in wanted if key not in known]:
            raise UserError(f"{unknown[0]}: no parameter of a point; known: L, {', '.join(sorted(known))}")
        found = [m for m in self.models if all(_same(getattr(m, key), v) for key, v in wanted.items())]
        if len(found) == 1:
            return found[0]
        told = ", ".join(f"{key} = {value}" for key, value in wanted.items()) or "no parameter given"
        labels = "; ".join(self.space.label(m) for m in found or self.models)
        raise UserError(f"{told}: {len(found)} points of this run; name one of {labels}")

    def failed_samples(self, model: Model) -> dict[int, str]:
        """Return number -> reason of the samples of a point that failed."""
        return {n: f["error"] for (m, _, n), f in self._inventory.excluded.items() if m == model}

    @property
    def _inventory(self) -> Inventory:
        return self.folder.latest or self.folder.inventory()

    @cached_property
    def space(self) -> ParameterSpace:
        """What tells the points apart."""
        return ParameterSpace(self.models)

    def table(self, *observables: str) -> Table:
        """Return parameters and scalar averages with errors, one row for each point.

        Shown are the parameters that tell the points apart; ["eps"] and all others can be asked for.
        raises  UserError for an unknown name or a correlator
        """
        names = observables or MAIN
        out: dict[str, list[Any]] = {key: [row[key] for row in self.space.rows] for key in self.space.names}
        hidden = tuple(key for key in out if key not in self.space.columns)
        averages = self.averages_of(*names)
        out["samples"] = [a.n_samples for a in averages]
        for name in names:
            found = [self.estimate(a, name) for a in averages]
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


def _with_responses(names: Sequence[str]) -> tuple[str, ...]:
    """Return averages, what derived ones are made of, and the responses whose fits hold some of them."""
    rows = [row_of(name) for name in names]
    parts = [part for row in rows for part in (row.of if row.kind == "derived" else (row.name,))]
    return tuple(dict.fromkeys((*parts, *(STATIC[part] for part in parts if part in STATIC))))


def _shortest(value: float, column: Sequence[float]) -> str:
    """Return six digits of a value, or all where six do not tell it from the others."""
    short = f"{value:g}"
    return short if all(f"{x:g}" != short or x == value for x in column) else repr(value)


def _same(value: Any, wanted: Any) -> bool:
    """Return whether two parameters are equal, numbers up to rounding."""
    if isinstance(value, float) and isinstance(wanted, (int, float)):
        return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return bool(value == wanted)


def load(path: str | Path) -> Run:
    """Return the run in a folder, samples not yet merged included, or of a run.h5.

    raises  UserError if there is no run
    """
    return Run(RunFolder(path).require())
