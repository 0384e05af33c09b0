"""Checkpoints of a run: each worker writes its own files, with finished samples and the state of open chains.

A file is written beside its place and renamed, so state and bins of one unit of work change together. A
worker writes to two names in turn: if the newer file is damaged, the older one is one checkpoint behind. A
file that has grown to FILE_BYTES is closed and the next one is started.

    /                    format = "sitqmc-part", version; head: config, failed, worker, groups
    /finished/0000       arrays as in a group of the run file
    /open/0000           sample, and state/NAME as `qmc.Chains.state` names it, all with one row per sample
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sitqmc.runs.errors import UnreadableFile
from sitqmc.runs.store.atomic import make_folder, replace_file
from sitqmc.runs.store.provenance import package_version
from sitqmc.runs.store.run_file import Failure
from sitqmc.runs.store.samples import (
    Array,
    Columns,
    GroupSummary,
    State,
    StateRef,
    stored_type,
    summarise,
)
from sitqmc.runs.store.sealed import read_head, reading, write_group, write_head, writing

if TYPE_CHECKING:
    from sitqmc.qmc import Model
    from sitqmc.runs.config.config import Config

FORMAT = "sitqmc-part"
VERSION = 3
READABLE = (2, 3)
FILE_BYTES = 8 * 2**20


@dataclass(frozen=True)
class SampleRecord:
    """One finished sample: bins[name] (bins, ...), tau_int[name], cost[name], maps[name] (Ly, Lx).

    state  end of its chain, if kept
    """

    bins: dict[str, Array]
    tau_int: dict[str, float]
    cost: dict[str, float]
    state: State = field(default_factory=dict)
    maps: dict[str, Array] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Size of the arrays."""
        return sum(a.nbytes for part in (self.bins, self.state, self.maps) for a in part.values())


@dataclass(frozen=True)
class OpenChains:
    """Unfinished chains of one model: state with one row per sample; `progress` is in sweeps."""

    model: Model
    samples: tuple[int, ...]
    state: State
    progress: float


class CheckpointWriter:
    """Finished samples, excluded samples and open chains of one worker, and the files that hold them."""

    def __init__(self, folder: Path, config: Config, rank: int) -> None:
        self.folder, self.config = folder, config
        self.name = f"{os.uname().nodename}-{os.getpid()}-{time.time_ns():x}-{rank}"
        self.number = self.parity = 0
        self.records: dict[Model, dict[int, SampleRecord]] = {}
        self.failed: list[Failure] = []
        self.open: OpenChains | None = None
        self.changed = False

    def add(self, model: Model, sample: int, record: SampleRecord) -> None:
        """Add a finished sample."""
        self.records.setdefault(model, {})[sample] = record
        self.changed = True

    def exclude(self, model: Model, sample: int, error: str) -> None:
        """Add a sample that failed."""
        failure = {"model": asdict(model), "seed": self.config.disorder.seed, "sample": sample}
        self.failed.append(failure | {"error": error, "host": os.uname().nodename})
        self.changed = True

    def set_open(self, chains: OpenChains | None) -> None:
        """Set the chains that run now, or None."""
        self.changed = self.changed or chains is not None
        self.open = chains

    def flush(self) -> None:
        """Write everything to the disk; WriteFailed if that fails, the last checkpoint then stays."""
        if not self.changed:
            return
        make_folder(self.folder)
        replace_file(self._path(self.parity), self._write)
        self.parity = 1 - self.parity
        self.changed = False
        if sum(r.nbytes for records in self.records.values() for r in records.values()) > FILE_BYTES:
            self.close()

    def close(self) -> None:
        """Start a new file; of the two versions of the present one, keep only the newer."""
        self.flush()
        self._path(self.parity).unlink(missing_ok=True)
        self.records, self.failed = {}, []
        self.number, self.parity = self.number + 1, 0

    def _path(self, parity: int) -> Path:
        return self.folder / f"{self.name}-{self.number:05d}{'ab'[parity]}.h5"

    def _write(self, beside: Path) -> None:
        with writing(beside) as file:
            groups = []
            for i, (model, columns) in enumerate(self._stacked()):
                name = f"finished/{i:04d}"
                write_group(file.create_group(name), {"model": asdict(model)}, columns)
                groups.append(name)
            if self.open is not None:
                chains = self.open
                columns = {"sample": np.array(chains.samples, np.int64)}
                columns |= {f"state/{key}": a for key, a in chains.state.items()}
                head = {"model": asdict(chains.model), "progress": chains.progress}
                write_group(file.create_group("open/0000"), head, columns)
                groups.append("open/0000")
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
            top = {"config": self.config.resolved(), "failed": self.failed, "groups": groups, "arrays": []}
            write_head(file, top | {"worker": self.name, "sitqmc": package_version()})

    def _stacked(self) -> Iterator[tuple[Model, Columns]]:
        """Yield all records, stacked where model, names and shapes are the same."""
        alike: dict[Any, dict[int, SampleRecord]] = {}
        for model, records in self.records.items():
            for sample, r in records.items():
                arrays = (item for part in (r.bins, r.state, r.maps) for item in part.items())
                shapes = tuple((name, a.shape) for name, a in arrays)
                alike.setdefault((model, shapes), {})[sample] = r
        for (model, _), some in alike.items():
            yield model, stack(self.config.disorder.seed, some)


def stack(seed: int, records: Mapping[int, SampleRecord]) -> Columns:
    """Return the arrays of samples in ascending order, by the name they have in a file."""
    order = sorted(records)
    columns: Columns = {"sample": np.array(order, np.int64), "seed": np.full(len(order), seed, np.int64)}
    for part in ("bins", "tau_int", "cost", "state", "maps"):
        for name in getattr(records[order[0]], part):
            values = np.stack([getattr(records[s], part)[name] for s in order])
            columns[f"{part}/{name}"] = values.astype(stored_type(f"{part}/{name}", values.dtype), copy=False)
    return columns


@dataclass(frozen=True)
class OpenSummary:
    """Unfinished chains in a checkpoint: rows of a group, with the seed of the run and the sweeps done."""

    path: Path
    group: str
    parameters: dict[str, Any]
    seed: int
    samples: tuple[int, ...]
    progress: float

    def refs(self) -> Iterator[tuple[int, StateRef]]:
        """Yield the sample number and the place of the state of each chain."""
        for row, sample in enumerate(self.samples):
            yield sample, StateRef(self.path, self.group, row, self.progress)


@dataclass(frozen=True)
class CheckpointSummary:
    """What a checkpoint holds, without its numbers; `table` is the configuration as plain values."""

    path: Path
    table: dict[str, Any]
    failed: list[Failure]
    groups: list[GroupSummary]
    open: list[OpenSummary]


def checkpoint_files(folder: Path) -> list[Path]:
    """Return the checkpoints of a run in the order of their names."""
    return sorted(folder.glob("*.h5"))


def read_checkpoint(path: Path) -> CheckpointSummary:
    """Return the summary of a checkpoint.

    raises  FileNotFoundError; UnreadableFile if the file is damaged or something else
    """
    with reading(path) as file:
        if file.attrs.get("format") != FORMAT or file.attrs.get("version") not in READABLE:
            raise UnreadableFile(f"{path}: not a {FORMAT} file of version 2 or 3; move or delete it")
        if not file.is_sealed:
            raise UnreadableFile(f"{path}: damaged or edited, its hash is missing; move or delete it")
        top = read_head(file)
        found = CheckpointSummary(path, top["config"], top["failed"], [], [])
        seed = int(top["config"]["disorder"]["seed"])
        for name in top["groups"]:
            if name.startswith("open/"):
                head = read_head(file[name])
                samples = tuple(file[name]["sample"][:].tolist())
                found.open.append(OpenSummary(path, name, head["model"], seed, samples, head["progress"]))
                continue
            summary = summarise(path, file, name)
            if summary is not None:
                found.groups.append(summary)
    return found
