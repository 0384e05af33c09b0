"""Results for notebooks: `runs.load("results/my-run").table("rho_s", "kappa")`."""

import html
import importlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc import Model, PointAverages, average_point
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.formatting import columns, with_error
from sitqmc.runs.store.merge import current
from sitqmc.runs.store.run_file import NAME, Failure, PointData

MAIN = ("rho_s", "kappa", "minus_k", "energy")


@dataclass(frozen=True)
class Run:
    """A run, finished or not: samples, averages with errors, where they come from.

    points    all samples of every point, see `sitqmc.runs.store.run_file.PointData`
    history   version, commit, packages, host and time of every call
    failed    samples set aside: in no average
    """

    path: Path
    config: Config
    points: list[PointData]
    history: list[dict[str, Any]]
    failed: list[Failure]

    @cached_property
    def averages(self) -> list[PointAverages]:
        """Disorder averages of every point, in the order of `points`."""
        per_bin = self.config.schedule.measurements_per_bin
        return [average_point(d.model, d.bins, d.tau_int, per_bin) for d in self.points]

    def table(self, *observables: str) -> "Table":
        """Parameters that are not the default, and averages with errors, one row per point; scalars only."""
        names = observables or MAIN
        defaults = {f.name: f.default for f in fields(Model) if f.name != "p"}
        parameters = {k: v for k, v in self.parameters().items() if set(v) != {defaults.get(k)}}
        out: dict[str, list[Any]] = {key: [] for key in (*parameters, "samples")}
        for i, a in enumerate(self.averages):
            for key, values in parameters.items():
                out[key].append(values[i])
            out["samples"].append(a.n_samples)
            for name in names:
                e = self.estimate(a, name)
                out.setdefault(name, []).append(e.value)
                out.setdefault(f"{name}_error", []).append(float(e.error))
        return Table(out)

    def parameters(self) -> dict[str, list[Any]]:
        """Parameters of the models, with beta, by name; one entry per point."""
        rows = [asdict(d.model) | {"beta": d.model.beta} for d in self.points]
        return {key: [row[key] for row in rows] for key in rows[0]} if rows else {}

    def estimate(self, averages: PointAverages, name: str) -> Any:
        """A scalar average; UserError for an unknown name or a correlator."""
        known = [key for key, e in averages.values.items() if np.ndim(e.value) == 0]
        if name not in known:
            raise UserError(f"observable {name!r} is no scalar of this run; known: {', '.join(known)}")
        return averages.values[name]

    def __str__(self) -> str:
        return f"{self.path}\n{self.table()}"


class Table:
    """Columns by name. NAME_error is the error of NAME; both are numbers, shown together."""

    def __init__(self, data: dict[str, list[Any]]) -> None:
        self.data = data

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.array(self.data[name])

    def __len__(self) -> int:
        return len(next(iter(self.data.values()), []))

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def where(self, **values: Any) -> "Table":
        """Rows with the given values, such as where(p=0.1)."""
        rows = [i for i in range(len(self)) if all(self.data[k][i] == v for k, v in values.items())]
        return Table({key: [column[i] for i in rows] for key, column in self.data.items()})

    def to_pandas(self) -> Any:
        """A pandas DataFrame; ImportError if pandas is not installed."""
        return importlib.import_module("pandas").DataFrame(self.data)

    def rows(self) -> list[list[str]]:
        """Head and rows as text, values with their errors."""
        shown = [key for key in self.data if f"{key.removesuffix('_error')}_error" not in self.data
                 or not key.endswith("_error")]  # fmt: skip
        return [shown, *([self._cell(key, i) for key in shown] for i in range(len(self)))]

    def _cell(self, key: str, row: int) -> str:
        value = self.data[key][row]
        if f"{key}_error" in self.data:
            return with_error(value, self.data[f"{key}_error"][row])
        return f"{value:g}" if isinstance(value, float) else str(value)

    def __str__(self) -> str:
        return "\n".join(columns(self.rows()))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = self.rows()

        def line(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        rows = "".join(line(row, "td") for row in body)
        return f"<table><thead>{line(head, 'th')}</thead><tbody>{rows}</tbody></table>"


def load(path: str | Path) -> Run:
    """A run from its folder (what is not merged yet included) or its run.h5; UserError if there is none."""
    path = Path(path)
    store = path / NAME if path.is_dir() else path
    if not store.exists():
        raise UserError(f"{store}: there is no run here; give the output.path of a run, or a run.h5")
    head, points, failed = current(store, parts=path.is_dir())
    return Run(store, head.config, points, head.history, failed)
