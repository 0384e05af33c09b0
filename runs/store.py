"""The store: one HDF5 file per run, and part files beside it while the run goes on.

Layout, version 1 (README, "The store"):

    /                     format = "sitqmc-run", version = 1, config (JSON), provenance attributes
    /points/0000/         attributes: the model's parameters, beta, disorder_seed
        sample            int64 (samples,)           number of the disorder sample, ascending
        bins/NAME         float64 (samples, bins, ...), attributes unit, description
        tau_int/NAME      float64 (samples,)         in measurements
        cost/NAME         float64 (samples,)         moves, attempts, worms_per_measurement, ...

A part file (parts/*.h5) has the same layout with the samples that one worker finished. Merging reads
the store and all parts and writes the store anew; only then the parts go.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from qmc import OBSERVABLES, Model
from runs.config import Config, parse_config, points
from runs.errors import NotOurs, UserError
from runs.files import make_folder, replace_file
from runs.provenance import provenance

FORMAT = "sitqmc-run"
VERSION = 1
NAME = "run.h5"
PART_BYTES = 8 * 2**20

Array = NDArray[np.float64]

COST = {
    "moves": ("1", "head moves after thermalisation"),
    "attempts": ("1", "worms after thermalisation, failed openings included"),
    "worms_per_measurement": ("1", "worms between two measurements"),
    "sweeps_per_measurement": ("1", "head moves per site between two measurements"),
}


@dataclass(frozen=True)
class Record:
    """One finished sample: bins[name] (bins, ...), tau_int[name], cost[name]."""

    bins: dict[str, Array]
    tau_int: dict[str, float]
    cost: dict[str, float]

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in self.bins.values())


@dataclass(frozen=True)
class PointData:
    """All samples of a point, stacked: the leading axis of every array is `sample` (samples,)."""

    model: Model
    sample: NDArray[np.int64]
    bins: dict[str, Array]
    tau_int: dict[str, Array]
    cost: dict[str, Array]


class Store:
    """The files of one run in its output folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self.parts = folder / "parts"

    def check(self, config: Config) -> None:
        """UserError if the folder holds another run or unreadable files; touches nothing."""
        if self.path.exists():
            stored, ours = read_config(self.path).simulation(), config.simulation()
            difference = _first_difference(stored, ours)
            if difference:
                key, there, here = difference
                raise UserError(
                    f"{self.path} holds another run: {key} = {there} there, {here} here; "
                    "choose another output.path"
                )
        elif self.part_files():
            raise UserError(f"{self.parts} holds parts of a run but {self.path} is missing; move them away")
        for part in self.part_files():
            read_finished(part)

    def create(self, config: Config) -> None:
        """Write the store without samples, if there is none yet."""
        if not self.path.exists():
            self._write(config, provenance(), [])

    def part_files(self) -> list[Path]:
        """Finished part files, oldest names first."""
        return sorted(self.parts.glob("*.h5"))

    def finished(self) -> set[tuple[int, int]]:
        """(point, sample) of everything on disk."""
        found: set[tuple[int, int]] = set()
        for path in (self.path, *self.part_files()):
            found |= read_finished(path)
        return found

    def merge(self, config: Config, wall_seconds: float = 0.0) -> None:
        """Bring all parts into the store, then remove them. The bins do not depend on the parts.

        `wall_seconds` is added to the attribute of that name: the time of all calls that ended in order.
        """
        parts = self.part_files()
        if not parts:
            return
        with h5py.File(self.path, "r") as old:
            origin = {k: v for k, v in old.attrs.items() if k not in ("format", "version", "config")}
        origin["wall_seconds"] = float(origin.get("wall_seconds", 0.0)) + wall_seconds
        self._write(config, origin, [self.path, *parts])
        for part in parts:
            part.unlink()
        if not any(self.parts.iterdir()):
            self.parts.rmdir()

    def _write(self, config: Config, origin: dict[str, Any], sources: list[Path]) -> None:
        def write(beside: Path) -> None:
            with h5py.File(beside, "w") as file:
                write_head(file, config, origin)
                for index, model in enumerate(points(config)):
                    data = _gather(sources, index, model)
                    write_point(file, index, model, config.disorder.seed, data)

        replace_file(self.path, write)


class PartWriter:
    """Collects the finished samples of one worker in part files of a few MB."""

    def __init__(self, store: Store, config: Config, name: str) -> None:
        self.store, self.config, self.name = store, config, name
        self.number = 0
        self.records: dict[int, dict[int, Record]] = {}
        self.unsaved = 0

    def add(self, point: int, sample: int, record: Record) -> None:
        self.records.setdefault(point, {})[sample] = record
        self.unsaved += 1

    def flush(self) -> None:
        """Write the current part anew; a full one is closed and the next begun."""
        if not self.unsaved:
            return
        models = list(points(self.config))

        def write(beside: Path) -> None:
            with h5py.File(beside, "w") as file:
                write_head(file, self.config, {})
                for point, records in sorted(self.records.items()):
                    data = _stack(models[point], records)
                    write_point(file, point, models[point], self.config.disorder.seed, data)

        make_folder(self.store.parts)
        replace_file(self.store.parts / f"{self.name}-{self.number:05d}.h5", write)
        self.unsaved = 0
        if sum(r.nbytes for records in self.records.values() for r in records.values()) > PART_BYTES:
            self.records = {}
            self.number += 1


def write_head(file: h5py.File, config: Config, origin: dict[str, Any]) -> None:
    """Format, version, configuration and provenance."""
    file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
    file.attrs["config"] = json.dumps(config.resolved())
    for key, value in origin.items():
        file.attrs[key] = value


def write_point(file: h5py.File, index: int, model: Model, seed: int, data: PointData | None) -> None:
    """One group of /points; without data only its parameters."""
    group = file.create_group(f"points/{index:04d}")
    for key, value in asdict(model).items():
        group.attrs[key] = value
    group.attrs["beta"], group.attrs["disorder_seed"] = model.beta, seed
    if data is None:
        return
    group["sample"] = data.sample
    for name, (unit, description) in OBSERVABLES.items():
        _dataset(group, f"bins/{name}", data.bins[name], unit, description)
    for name, values in data.tau_int.items():
        description = f"integrated autocorrelation time of {name}"
        _dataset(group, f"tau_int/{name}", values, "measurements", description)
    for name, (unit, description) in COST.items():
        _dataset(group, f"cost/{name}", data.cost[name], unit, description)


def _dataset(group: h5py.Group, name: str, values: Any, unit: str, description: str) -> None:
    dataset = group.create_dataset(name, data=values)
    dataset.attrs["unit"], dataset.attrs["description"] = unit, description


def _stack(model: Model, records: dict[int, Record]) -> PointData:
    """Columns of samples in ascending order."""
    order = sorted(records)
    first = records[order[0]]
    return PointData(
        model,
        sample=np.array(order, np.int64),
        bins={name: np.stack([records[s].bins[name] for s in order]) for name in first.bins},
        tau_int={name: np.array([records[s].tau_int[name] for s in order]) for name in first.tau_int},
        cost={name: np.array([records[s].cost[name] for s in order]) for name in first.cost},
    )


def _gather(sources: Iterable[Path], index: int, model: Model) -> PointData | None:
    """All samples of a point from several files; a sample found twice is the same one, kept once."""
    records: dict[int, Record] = {}
    for source in sources:
        for sample, record in _records(source, index):
            records.setdefault(sample, record)
    return _stack(model, records) if records else None


def _records(source: Path, index: int) -> Iterator[tuple[int, Record]]:
    with _open(source) as file:
        group = file.get(f"points/{index:04d}")
        if group is None or "sample" not in group:
            return
        data = read_point(group, source)
    for i, sample in enumerate(data.sample):
        yield int(sample), Record(
            {name: values[i] for name, values in data.bins.items()},
            {name: float(values[i]) for name, values in data.tau_int.items()},
            {name: float(values[i]) for name, values in data.cost.items()},
        )


def _open(path: Path) -> h5py.File:
    """The file for reading; NotOurs in one line if it is damaged or of another kind."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise NotOurs(
            f"{path}: not a readable HDF5 file, truncated or damaged ({reason}); restore it or move it away"
        ) from None
    if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
        version = file.attrs.get("version")
        file.close()
        raise NotOurs(f"{path}: not a {FORMAT} file of version {VERSION} (version {version}); move it away")
    return file


def read_config(path: Path) -> Config:
    """The configuration stored in a run file; NotOurs if the file is damaged."""
    with _open(path) as file:
        try:
            return parse_config(json.loads(file.attrs["config"]))
        except (KeyError, ValueError, UserError) as error:
            raise NotOurs(f"{path}: its configuration is damaged ({error}); move it away") from None


def read_finished(path: Path) -> set[tuple[int, int]]:
    """(point, sample) of a store or part file."""
    found: set[tuple[int, int]] = set()
    with _open(path) as file:
        try:
            for key, group in file["points"].items():
                if "sample" in group:
                    found |= {(int(key), int(s)) for s in group["sample"][:]}
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise NotOurs(f"{path}: damaged ({error}); restore it or move it away") from None
    return found


def read_point(group: h5py.Group, path: Path) -> PointData:
    """All samples of a group of /points; NotOurs if something is missing, misshaped or not finite."""
    try:
        keys = ("Lx", "Ly", "L_tau", "eps", "charging", "action", "p")
        raw = {key: group.attrs[key] for key in keys}
        model = Model(**{k: v.item() if isinstance(v, np.generic) else v for k, v in raw.items()})
        sample = group["sample"][:]
        columns = {
            part: {name: group[part][name][:] for name in group[part]} for part in ("bins", "tau_int", "cost")
        }
        for part in columns.values():
            for name, values in part.items():
                if len(values) != len(sample) or not np.all(np.isfinite(values)):
                    raise ValueError(f"{name} has shape {values.shape} or holds values that are not finite")
        if set(columns["bins"]) != set(OBSERVABLES):
            raise ValueError("observables are missing")
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise NotOurs(f"{path}: {group.name} is damaged ({reason}); restore it or move it away") from None
    return PointData(model, sample, columns["bins"], columns["tau_int"], columns["cost"])


def read_points(path: Path) -> list[PointData]:
    """Every point of a run file that has samples."""
    with _open(path) as file:
        groups = [file["points"][key] for key in sorted(file["points"])]
        return [read_point(group, path) for group in groups if "sample" in group]


def _first_difference(there: Any, here: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """(key, value there, value here) of the first difference of two nested dicts."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted(there.keys() | here.keys()):
            found = _first_difference(there.get(name), here.get(name), f"{key}.{name}" if key else name)
            if found:
                return found
        return None
    return None if there == here else (key, there, here)


def worker_name(rank: int) -> str:
    """Name of a worker's part files, unique among all processes that may write here."""
    return f"{os.uname().nodename}-{os.getpid()}-{rank}"
