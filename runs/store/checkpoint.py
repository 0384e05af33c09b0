"""Files of a running run: each worker writes its own, with finished samples and the state of open chains.

A file is written whole beside its place and renamed, so state and bins of one unit of work change
together. A worker writes to two names in turn: should the newer file be damaged, the older one is one
checkpoint behind. A file that has grown to PART_BYTES is closed and the next begun.

    /                    format = "sitqmc-part", version; head: config, failed, worker, groups
    /finished/0000       arrays as in a group of the store
    /open/0000           sample, and state/NAME as `qmc.Chains.state` names it, all with one row per sample
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import NotOurs
from sitqmc.runs.store.atomic import make_folder, replace_file
from sitqmc.runs.store.provenance import package_version
from sitqmc.runs.store.run_file import Array, Failure, PointData, from_arrays, model_of, outline
from sitqmc.runs.store.sealed import read_group, read_head, reading, sealed, write_group, writing

FORMAT = "sitqmc-part"
VERSION = 2
PART_BYTES = 8 * 2**20

Key = tuple[Model, int, int]
"""Model, seed, sample."""
State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Record:
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
        return sum(a.nbytes for part in (self.bins, self.state, self.maps) for a in part.values())


@dataclass(frozen=True)
class OpenWork:
    """Chains on their way: state with one row per sample."""

    model: Model
    samples: tuple[int, ...]
    state: State
    progress: float


@dataclass(frozen=True)
class StateRef:
    """Where the state of one sample lies: a row of a group of a file. `progress` is in sweeps."""

    path: Path
    group: str
    row: int
    progress: float


class RankFile:
    """What one worker has to bring to the disk."""

    def __init__(self, folder: Path, config: Config, rank: int) -> None:
        self.folder, self.config = folder, config
        self.name = f"{os.uname().nodename}-{os.getpid()}-{time.time_ns():x}-{rank}"
        self.number = self.turn = 0
        self.records: dict[Model, dict[int, Record]] = {}
        self.failed: list[Failure] = []
        self.open: OpenWork | None = None
        self.changed = False

    def add(self, model: Model, sample: int, record: Record) -> None:
        """A finished sample."""
        self.records.setdefault(model, {})[sample] = record
        self.changed = True

    def fail(self, model: Model, sample: int, error: str) -> None:
        """A sample set aside."""
        failure = {"model": asdict(model), "seed": self.config.disorder.seed, "sample": sample}
        self.failed.append(failure | {"error": error, "host": os.uname().nodename})
        self.changed = True

    def hold(self, work: OpenWork | None) -> None:
        """The chains at work now, or None."""
        self.changed = self.changed or work is not None
        self.open = work

    def flush(self) -> None:
        """Bring everything to the disk; UserError if that fails, the last checkpoint then stays."""
        if not self.changed:
            return
        make_folder(self.folder)
        replace_file(self._path(self.turn), self._write)
        self.turn = 1 - self.turn
        self.changed = False
        if sum(r.nbytes for records in self.records.values() for r in records.values()) > PART_BYTES:
            self.close()

    def close(self) -> None:
        """Begin a new file; of the current one only the newer of the two is kept."""
        self.flush()
        self._path(self.turn).unlink(missing_ok=True)
        self.records, self.failed = {}, []
        self.number, self.turn = self.number + 1, 0

    def _path(self, turn: int) -> Path:
        return self.folder / f"{self.name}-{self.number:05d}{'ab'[turn]}.h5"

    def _write(self, beside: Path) -> None:
        with writing(beside) as file:
            groups = []
            for i, data in enumerate(self._stacked()):
                name = f"finished/{i:04d}"
                head: dict[str, Any] = {"model": asdict(data.model)}
                write_group(file.create_group(name), head, data.arrays(), packed="-")
                groups.append(name)
            if self.open is not None:
                work = self.open
                arrays = {"sample": np.array(work.samples, np.int64)}
                arrays |= {f"state/{key}": a for key, a in work.state.items()}
                head = {"model": asdict(work.model), "progress": work.progress}
                write_group(file.create_group("open/0000"), head, arrays, packed="-")
                groups.append("open/0000")
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
            head = {"config": self.config.resolved(), "failed": self.failed, "groups": groups}
            write_group(file, head | {"worker": self.name, "sitqmc": package_version()}, {})

    def _stacked(self) -> Iterator[PointData]:
        """All records, stacked where model, names and shapes are the same."""
        alike: dict[Any, dict[int, Record]] = {}
        for model, records in self.records.items():
            for sample, r in records.items():
                arrays = (item for part in (r.bins, r.state, r.maps) for item in part.items())
                shape = tuple((name, a.shape) for name, a in arrays)
                alike.setdefault((model, shape), {})[sample] = r
        for (model, _), some in alike.items():
            yield stack(model, self.config.disorder.seed, some)


def stack(model: Model, seed: int, records: Mapping[int, Record]) -> PointData:
    """Columns of samples in ascending order."""
    order = sorted(records)
    first = records[order[0]]
    return PointData(
        model,
        sample=np.array(order, np.int64),
        bins={name: np.stack([records[s].bins[name] for s in order]) for name in first.bins},
        tau_int={name: np.array([records[s].tau_int[name] for s in order]) for name in first.tau_int},
        cost={name: np.array([records[s].cost[name] for s in order]) for name in first.cost},
        seed=np.full(len(order), seed, np.int64),
        state={name: np.stack([records[s].state[name] for s in order]) for name in first.state},
        maps={name: np.stack([records[s].maps[name] for s in order]) for name in first.maps},
    )


@dataclass
class Found:
    """What lies on the disk of a run.

    finished  number of bins by sample
    blocks    where samples of a model lie: (file, group)
    states    the most advanced state of every sample that has one
    damaged   files that cannot be read, and why
    """

    finished: dict[Key, int] = field(default_factory=dict)
    blocks: dict[Model, list[tuple[Path, str]]] = field(default_factory=dict)
    states: dict[Key, StateRef] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)
    configs: list[tuple[Path, dict[str, Any]]] = field(default_factory=list)
    damaged: list[tuple[Path, str]] = field(default_factory=list)

    def failures(self) -> dict[Key, Failure]:
        """Samples set aside and not finished by a later try."""
        found = {(model_of(f["model"]), int(f["seed"]), int(f["sample"])): f for f in self.failed}
        return {key: failure for key, failure in found.items() if key not in self.finished}


def part_files(folder: Path) -> list[Path]:
    """Part files in the order of their names."""
    return sorted(folder.glob("*.h5"))


def scan_parts(paths: Sequence[Path], found: Found) -> None:
    """Add what the part files hold; a damaged file is named and otherwise passed over."""
    for path in paths:
        try:
            one = Found()
            _scan(path, one)
        except NotOurs as error:
            found.damaged.append((path, str(error)))
            continue
        except FileNotFoundError:                # replaced meanwhile by its worker
            continue
        for key, bins in one.finished.items():
            found.finished[key] = max(bins, found.finished.get(key, 0))
        for model, places in one.blocks.items():
            found.blocks.setdefault(model, []).extend(places)
        for key, state in one.states.items():
            if key not in found.states or state.progress > found.states[key].progress:
                found.states[key] = state
        found.failed += [f for f in one.failed if f not in found.failed]
        found.configs += one.configs


def _scan(path: Path, found: Found) -> None:
    with reading(path) as file:
        if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
            raise NotOurs(f"{path}: not a {FORMAT} file of version {VERSION}; move it away")
        if not sealed(path):
            raise NotOurs(f"{path}: damaged or edited, its hash is missing; move it away")
        top, _ = read_group(file)
        found.configs.append((path, top["config"]))
        found.failed += top["failed"]
        seed = int(top["config"]["disorder"]["seed"])
        for name in top["groups"]:
            if name.startswith("open/"):
                head = read_head(file[name])
                model = model_of(head["model"])
                for row, sample in enumerate(file[name]["sample"][:].tolist()):
                    found.states[model, seed, sample] = StateRef(path, name, row, head["progress"])
                continue
            there = outline(file[name])
            if there is not None:
                found.finished |= {(there.model, *key): there.n_bins for key in there.pairs}
                found.blocks.setdefault(there.model, []).append((path, name))


def read_block(path: Path, group: str) -> PointData:
    """One group of finished samples of a part file."""
    with reading(path) as file:
        head, arrays = read_group(file[group])
        return from_arrays(model_of(head["model"]), arrays)


def read_states(refs: Sequence[StateRef], *, read: Callable[[Path, str], State] | None = None) -> list[State]:
    """The state of each sample, without the leading axis."""
    cache: dict[tuple[Path, str], State] = {}
    for ref in refs:
        if (ref.path, ref.group) not in cache:
            cache[ref.path, ref.group] = (read or _read_state)(ref.path, ref.group)
    return [{name: a[ref.row] for name, a in cache[ref.path, ref.group].items()} for ref in refs]


def _read_state(path: Path, group: str) -> State:
    """Arrays state/* of a group."""
    with reading(path) as file:
        _, arrays = read_group(file[group])
    return {name.removeprefix("state/"): a for name, a in arrays.items() if name.startswith("state/")}
