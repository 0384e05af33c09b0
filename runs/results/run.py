"""Stored run, for notebooks: `sitqmc.load("results/my-run").table("rho_s", "kappa")`.

Figures and xarray are imported when they are asked for: most readers do without.
"""

from __future__ import annotations

import html
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate, concise
from sitqmc.qmc import Model, ParameterSpace, PointAccumulator, PointAverages
from sitqmc.qmc.observables import AVERAGES, NOT_AVERAGED, OBSERVABLES, WAVES, bins_needed, row_of
from sitqmc.qmc.statistics.estimators import DEFAULT_ESTIMATOR, STATIC, WAVES_OF, Average, shifts_of
from sitqmc.qmc.statistics.jackknife import jackknife
from sitqmc.qmc.statistics.point_averages import boson_means
from sitqmc.result import MOST_LINES
from sitqmc.runs.config.checks import refuse_unknown
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.formatting import columns
from sitqmc.runs.results.analysis import RunResults, analyse_run, boson_spectra
from sitqmc.runs.results.point import MeasuredPoint, RunPoint, Scan
from sitqmc.runs.results.stored import save_copy, stored_points
from sitqmc.runs.store.run_file import Failure, RunHeader
from sitqmc.runs.store.run_folder import Inventory, RunFolder
from sitqmc.runs.store.samples import PointSamples

Array = NDArray[np.float64]

if TYPE_CHECKING:
    from sitqmc.continuation import ScanSpectra

BOSON = "G_k"

MAIN = ("rho_s", "kappa", "minus_k", "energy")


@dataclass(frozen=True, eq=False)
class Run:
    """A run, finished or not. Data are read on first use.

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

    @cached_property
    def results(self) -> RunResults:
        """Averages and spectra of all points: those in run.h5, or those of an analysis, which takes seconds.

        raises  UserError if there is no finished sample
        """
        return self.stored or analyse_run(self)

    @property
    def stored(self) -> RunResults | None:
        """The results in run.h5; None if they are missing or the samples have changed since."""
        points = stored_points(self.folder, self.models, self.config)
        return None if points is None else RunResults(self.path, self.header, tuple(points), self.failures)

    @property
    def points(self) -> tuple[RunPoint, ...]:
        """Every point with `.model`, `.averages`, `.spectrum`, `.spectra` and `.warnings`, see `results`."""
        return self.results.results

    def point(self, **where: Any) -> RunPoint:
        """Return the one point with the given parameters, such as p=0.1, L=16, see `model`."""
        return self.points[self.models.index(self.model(**where))]

    def iter_samples(self, names: Sequence[str] | None = None) -> Iterator[PointSamples]:
        """Yield all samples of one point at a time, in the order of `models`; `names` as of `samples`."""
        return self.folder.points(self.models, names)

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
        refuse_unknown(names, known, "observable of this run", "")

    def known(self) -> list[str]:
        """Return the names of all averages that the first point has."""
        rows = self.folder.rows(self.models[0]) if self.models else None
        if rows is None:
            return []
        stored = {name.removeprefix("bins/") for name in rows.names if name.startswith("bins/")}
        own = sorted(stored - OBSERVABLES.keys())
        names = (name for name in (*AVERAGES, *own) if name not in NOT_AVERAGED)
        return [name for name in names if stored.issuperset(bins_needed(self.models[0], [name]))]

    def scalars(self) -> list[str]:
        """Return the names of the averages that are one number for each point."""
        return [name for name in self.known() if not row_of(name).axes and self._is_scalar(name)]

    def _is_scalar(self, name: str) -> bool:
        """Return whether an average without a row in the registry, an own one, is a number."""
        return name in AVERAGES or np.ndim(self.averages_of(name)[0].values[name].value) == 0

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

        name       rho, chi_s or any other average of the run, see `known`; or G_k, G(k, tau) at the lowest
                   wave vectors, (waves, L_tau), see `qmc.statistics.point_averages.boson_means`
        estimator  improved (transverse currents and functions of the mask), transverse, masks or plain
        where      parameters that single out the point, such as p=0.1, L=16
        raises     UserError for an unknown name or estimator, or if `where` fits no point or several
        """
        model = self.model(**where)
        # Imported here: functions of the mask are compiled, and most commands do without.
        from sitqmc.qmc.statistics.improved import improved_averages

        if name == BOSON:
            (samples, keys), waves = self._boson(model), dict[str, Array]()
        else:
            self.check_names([name])
            point = self.measured(model, [name])
            samples, waves, keys = point.plain.samples, dict(point.waves), point.keys
        if name not in samples:
            raise UserError(f"observable {name!r} is a function of averages: read it from `table`")
        try:
            return improved_averages(model, samples, waves, keys, names=[name], estimator=estimator)[name]
        except ValueError as error:
            raise UserError(str(error)) from None

    def boson_spectra(self, *, estimator: str = DEFAULT_ESTIMATOR, **where: Any) -> ScanSpectra:
        """Return P(k, omega) of one point: all measured k along x, continued together; takes seconds.

        `at` of the result holds k = 2 pi m/L, from 0 on; peaks against k are the dispersion of the bosons.

        estimator, where  as of `correlator`
        raises            UserError if G(k, tau) was not measured, or cannot be continued
        """
        model = self.model(**where)
        still, moving = (self.correlator(name, estimator=estimator, **where) for name in ("G_k0", BOSON))
        try:
            return boson_spectra(self.config, model, still, moving)
        except ValueError as error:
            raise UserError(f"P(k, omega): {error}") from None

    def _boson(self, model: Model) -> tuple[dict[str, Array], NDArray[np.int64]]:
        """Return G(k, tau) of every sample of a point under its name, and the keys of the samples."""
        rows = self.folder.rows(model)
        if rows is None or f"maps/{BOSON}" not in rows.names:
            raise UserError(f"{BOSON}: not measured in this run: an older version made it; run it again")

        def read() -> tuple[Array, NDArray[np.int64]]:
            pieces = list(self.folder.pieces(model, [f"maps/{BOSON}"]))
            return np.concatenate([p.maps[BOSON] for p in pieces]), np.concatenate([p.keys for p in pieces])

        found, keys = self.folder.consistent(read)
        try:
            return {BOSON: boson_means(model, found)[1]}, keys
        except ValueError as error:
            raise UserError(str(error)) from None

    def model(self, **where: Any) -> Model:
        """Return the parameters of the one point with the given parameters, L standing for Lx and Ly.

        raises  UserError if no point or several have them
        """
        found = self._matching(where)
        if len(found) == 1:
            return found[0]
        told = ", ".join(f"{key} = {value}" for key, value in where.items()) or "no parameter given"
        labels = "; ".join(self.space.label(m) for m in found or self.models)
        raise UserError(f"{told}: {len(found)} points of this run; name one of {labels}")

    def _matching(self, where: Mapping[str, Any]) -> list[Model]:
        """Return the points with the given parameters; UserError for a name that is no parameter."""
        where = dict(where)
        length = where.pop("L", None)
        wanted = where if length is None else {**where, "Lx": length, "Ly": length}
        known = {f.name for f in fields(Model)} | {"beta"}
        refuse_unknown(wanted, ("L", *sorted(known)), "parameter of a point", "")
        return [m for m in self.models if all(_same(getattr(m, key), v) for key, v in wanted.items())]

    def points_where(self, chosen: Mapping[str, Sequence[str]]) -> list[Model]:
        """Return the points whose parameters have one of the given values, as text; {"p": ["0.1", "0.2"]}.

        raises  UserError for an unknown parameter, or if no point is left
        """
        try:
            wanted = {self.space.known(key): values for key, values in chosen.items()}
        except ValueError as error:
            raise UserError(str(error)) from None
        found = [
            m for m, row in zip(self.models, self.space.rows, strict=True)
            if all(any(_is_text(row[key], text) for text in texts) for key, texts in wanted.items())
        ]  # fmt: skip
        if chosen and not found:
            told = ", ".join(f"{key} = {','.join(texts)}" for key, texts in chosen.items())
            labels = "; ".join(self.space.label(m) for m in self.models)
            raise UserError(f"{told}: no point of this run; its points are {labels}")
        return found

    def failed_samples(self, model: Model) -> dict[int, str]:
        """Return number -> reason of the samples of a point that failed."""
        return {n: f["error"] for (m, _, n), f in self._inventory.excluded.items() if m == model}

    @property
    def _inventory(self) -> Inventory:
        return self.folder.latest or self.folder.inventory()

    @cached_property
    def space(self) -> ParameterSpace:
        """Parameters that differ between the points."""
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
        refuse_unknown((name,), self.scalars(), "scalar of this run", "")
        return averages.values[name]

    def evaluate(self, function: Callable[..., Any], **where: Any) -> Estimate:
        """Return a function of disorder averages at every point, with jackknife errors over the samples.

            run.evaluate(lambda rho_s, kappa: np.sqrt(rho_s / kappa))

        function  its arguments are named like averages, see `known`; it gets numbers, or arrays of
                  correlators, and returns a number or an array
        where     parameters that the points must have, such as L=16
        returns   one value for each point, in the order of `models`: (points,) or (points, ...)
        raises    UserError for an unknown name, and if no point matches
        """
        names = list(inspect.signature(function).parameters)
        known = [name for name in self.known() if row_of(name).kind != "derived"]
        refuse_unknown(names, known, "average of a sample", "")
        models = self._matching(where)
        if not models:
            raise UserError(f"{where}: no point of this run has these parameters")
        estimator = self.config.continuation.estimator
        points = [self.measured(model, names).averages(estimator) for model in models]
        found = [_evaluated(function, point, names) for point in points]
        return Estimate(np.array([e.value for e in found]), np.array([e.error for e in found]))

    def scan(self, name: str, by: str = "", **where: Any) -> Scan:
        """Return a scalar average against the scanned parameter, by the estimator of the configuration.

        by      name of the parameter; if empty, the parameter that differs between the points
        where   parameters that the points must have, such as L=16
        raises  UserError if the points differ in more than one parameter
        """
        models = self._matching(where)
        space = ParameterSpace(models)
        try:
            by = space.known(by or space.colour)
        except ValueError as error:
            raise UserError(str(error)) from None
        panels = space.panels(by, math=False)
        if len(panels) != 1:
            several = "; ".join(panels) or "no point"
            raise UserError(f"several scans in {by}: {several}; name one, such as L=16")
        ((_, members),) = panels.items()
        averages = dict(zip(self.models, self.averages_of(name), strict=True))
        found = [self.estimate(averages[models[i]], name) for i in members]
        return Scan(
            name=name, parameter=by, x=np.array([space.rows[i][by] for i in members]),
            estimate=Estimate([e.value for e in found], [e.error for e in found]), unit=row_of(name).unit,
        )  # fmt: skip

    def plot(self, name: str = "sigma", ax: Any = None) -> Any:
        """Draw a figure of the run, see `sitqmc.draw`.

        ax       axes of matplotlib to draw into; None: a new figure
        returns  the axes, or the new figure, which a notebook shows
        """
        from sitqmc.runs.results.figures.objects import draw

        return draw(name, self, ax)

    def save(self, path: str | Path | None = None) -> Path:
        """Write samples, averages and spectra to one file; `load` reads it.

        path    a new .h5 file; None: run.h5 of this run
        raises  UserError if the file exists already or cannot be written
        """
        return save_copy(self.folder, self.results, None if path is None else Path(path))

    def to_xarray(self) -> Any:
        """Return averages, samples and spectra as an xarray.Dataset with named axes, units and covariances.

        raises  ImportError if xarray is not installed: pip install 'sitqmc[notebook]'
        """
        from sitqmc.runs.results.export.dataset import to_xarray

        return to_xarray(self.results)

    def __str__(self) -> str:
        return f"{self.path}\n{self.table()}"

    def __repr__(self) -> str:
        return _first_lines(str(self))

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self.path))}</p>{self.table()._repr_html_()}"


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

    def __repr__(self) -> str:
        return _first_lines(str(self))

    def _repr_html_(self) -> str:
        head, *body = self.rows()
        body, rest = body[: MOST_LINES - 2], body[MOST_LINES - 2 :]
        if rest:
            body.append([f"... {len(rest)} more", *[""] * (len(head) - 1)])

        def line(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        rows = "".join(line(row, "td") for row in body)
        return f"<table><thead>{line(head, 'th')}</thead><tbody>{rows}</tbody></table>"


def _evaluated(function: Callable[..., Any], point: PointAverages, names: Sequence[str]) -> Estimate:
    """Return a function of the averages of one point; sources of error that they share count once."""
    still = {name: np.zeros(point.samples[name].shape[1:]) for name in names}
    sources = shifts_of({k: v for k, v in point.improved.items() if k in still}, point.samples)
    shifts = [[source.get(name, still[name]) for name in names] for source in sources]
    return jackknife(function, *(point.samples[name] for name in names), shifts=shifts)


def _with_responses(names: Sequence[str]) -> tuple[str, ...]:
    """Return averages, ingredients of derived averages, and responses whose fits hold some of them."""
    rows = [row_of(name) for name in names]
    parts = [part for row in rows for part in (row.of if row.kind == "derived" else (row.name,))]
    return tuple(dict.fromkeys((*parts, *(STATIC[part] for part in parts if part in STATIC))))


def _first_lines(text: str) -> str:
    """Return the first lines of a text that a notebook shows."""
    lines = text.splitlines()
    if len(lines) <= MOST_LINES:
        return text
    rest = len(lines) - MOST_LINES + 1
    return "\n".join([*lines[: MOST_LINES - 1], f"... {rest} more; print(...) shows all"])


def _shortest(value: float, column: Sequence[float]) -> str:
    """Return six digits of a value, or all where six do not tell it from the others."""
    short = f"{value:g}"
    return short if all(f"{x:g}" != short or x == value for x in column) else repr(value)


def _is_text(value: Any, text: str) -> bool:
    """Return whether a text is the value of a parameter, numbers up to rounding."""
    try:
        return _same(float(value), float(text))
    except ValueError:
        return str(value) == text


def _same(value: Any, wanted: Any) -> bool:
    """Return whether two parameters are equal, numbers up to rounding."""
    if isinstance(value, float) and isinstance(wanted, (int, float)):
        return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return bool(value == wanted)


def load(path: str | Path) -> Run:
    """Return the run of an output folder, of a run.h5, or of a file of `Run.save`, merged or not.

    raises  UserError if there is no run
    """
    return Run(RunFolder(path).require())
