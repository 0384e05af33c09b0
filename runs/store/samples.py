"""Finished samples: what a group of a file holds, which of several files counts, and their arrays in pieces.

A sample may lie in several groups: in a checkpoint and in the run file, or with fewer bins in an older file.
`SampleRows` takes each sample once, from its longest chain, and reads the arrays piece by piece, so that
memory does not grow with the number of samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from sitqmc.runs.errors import UnreadableFile
from sitqmc.runs.store.sealed import Identity, OpenFile, read_head, reading

if TYPE_CHECKING:
    from sitqmc.qmc import Model

Array = NDArray[np.float64]
Keys = NDArray[np.int64]
Columns = dict[str, NDArray[Any]]
"""Arrays by the name they have in a file, such as bins/rho_s_x; first axis: samples."""
State = dict[str, NDArray[Any]]
"""State of one chain, as `qmc.Chains.state` names it."""

PIECE_BYTES = 1 << 25
PARTS = ("bins", "tau_int", "cost", "maps")
WHOLE_CHAIN = ("maps", "state")
"""Parts that belong to a whole chain: not defined for its first bins."""
SINGLE = ("maps", "bins/G_k0", "bins/G_loc")
"""Parts and arrays stored with 32 bits, the large ones: their errors are far above the rounding of 6e-8."""


def stored_type(name: str, given: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which an array is written."""
    single = name in SINGLE or name.partition("/")[0] in SINGLE
    return np.dtype(np.float32) if single and given.kind == "f" else given


@dataclass(frozen=True)
class PointSamples:
    """Samples of one model, or some of them, stacked: the first axis of every array is the sample.

    keys     int64 (n, 2), seed and number of every sample, ascending
    bins     name -> float64 (n, bins, ...), see `qmc.OBSERVABLES`; G_k0 and G_loc are stored with 32 bits
    tau_int  name -> float64 (n,), integrated autocorrelation time in measurements
    cost     name -> float64 (n,), see `run_file.COST`
    maps     name -> float64 (n, Ly, Lx), means over the chain, see `qmc.ChainResult`; stored with 32 bits
    """

    model: Model
    keys: Keys
    bins: dict[str, Array]
    tau_int: dict[str, Array] = field(default_factory=dict)
    cost: dict[str, Array] = field(default_factory=dict)
    maps: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def from_columns(cls, model: Model, keys: Keys, columns: Columns) -> PointSamples:
        """Return the samples with the given arrays; states are left out."""
        parts: dict[str, Columns] = {part: {} for part in PARTS}
        for name, values in columns.items():
            part, _, rest = name.partition("/")
            if part in parts:
                parts[part][rest] = values
        return cls(model, keys, **parts)

    def columns(self) -> Columns:
        """Return all arrays by the name they have in a file."""
        return {f"{part}/{name}": a for part in PARTS for name, a in getattr(self, part).items()}

    def pieces(self) -> Iterator[Columns]:
        """Yield all arrays at once, as `SampleRows.pieces` yields them in pieces."""
        yield self.columns()

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def seed(self) -> Keys:
        """Seed of every sample (n,)."""
        return self.keys[:, 0]

    @property
    def sample(self) -> Keys:
        """Number of every sample (n,)."""
        return self.keys[:, 1]

    @property
    def n_bins(self) -> int:
        """Number of bins of every chain."""
        return int(next(iter(self.bins.values())).shape[1])


class SampleSource(Protocol):
    """Samples of one model that can be written: `PointSamples` or `SampleRows`."""

    @property
    def keys(self) -> Keys: ...

    def pieces(self) -> Iterator[Columns]: ...


@lru_cache(maxsize=4096)
def _model(text: str) -> Model:
    from dataclasses import fields

    from sitqmc.qmc import Model

    parameters = json.loads(text)
    return Model(**{f.name: parameters[f.name] for f in fields(Model) if f.name in parameters})


def model_of(parameters: Mapping[str, Any]) -> Model:
    """Return the model with stored parameters; those that an older version lacked take their defaults."""
    return _model(json.dumps(parameters, sort_keys=True))


@dataclass(frozen=True)
class GroupSummary:
    """What a group of a file holds, without its numbers.

    identity    of the file
    parameters  fields of the model, as stored
    keys        int64 (n, 2), seed and number of every row
    names       arrays of the group, such as bins/rho_s_x
    """

    path: Path
    identity: Identity
    group: str
    parameters: dict[str, Any]
    keys: Keys
    n_bins: int
    names: tuple[str, ...]

    @cached_property
    def model(self) -> Model:
        """The model of the samples."""
        return model_of(self.parameters)

    @property
    def has_states(self) -> bool:
        """Whether the ends of the chains are kept."""
        return any(name.startswith("state/") for name in self.names)


def summarise(path: Path, file: OpenFile, name: str) -> GroupSummary | None:
    """Return the summary of a group of finished samples; None if it has no samples.

    Groups of layout version 1 have no head: their attributes hold the parameters and the only seed.
    raises  UnreadableFile, which names the group
    """
    try:
        group = file[name]
        return _summary(path, file.identity, name, group) if "sample" in group else None
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, StopIteration) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UnreadableFile(
            f"{path}: {name} is damaged ({reason}); restore, move or delete the file"
        ) from None


def _summary(path: Path, identity: Identity, name: str, group: h5py.Group) -> GroupSummary:
    samples = group["sample"][:].astype(np.int64)
    if "head" in group.attrs:
        head = read_head(group)
        parameters, seeds = head["model"], group["seed"][:]
        names = tuple(name for name in head["arrays"] if name not in ("sample", "seed"))
    else:
        parameters = {key: getattr(value, "item", lambda v=value: v)() for key, value in group.attrs.items()}
        seeds = np.full(len(samples), parameters["disorder_seed"])
        names = tuple(f"{part}/{name}" for part in PARTS if part in group for name in group[part])
    first = next(name for name in names if name.startswith("bins/"))
    keys = np.stack([seeds.astype(np.int64), samples], axis=1)
    if len(samples) != group[first].shape[0]:
        raise ValueError(f"{first} has {group[first].shape[0]} rows for {len(samples)} samples")
    return GroupSummary(path, identity, name, parameters, keys, int(group[first].shape[1]), names)


class SampleRows:
    """Rows of groups of one model, each sample once, in the order of seed and number.

    A sample that lies in several groups is taken from its longest chain. Where the chains differ in length,
    only the bins that all of them have are read, and only arrays that all groups have.
    """

    def __init__(self, groups: Sequence[GroupSummary]) -> None:
        keys = np.concatenate([g.keys for g in groups])
        of_group = np.repeat(np.arange(len(groups)), [len(g.keys) for g in groups])
        rows = np.concatenate([np.arange(len(g.keys)) for g in groups])
        bins = np.array([g.n_bins for g in groups])[of_group]
        arrays = np.array([len(g.names) for g in groups])[of_group]
        order = np.lexsort((rows, of_group, -arrays, -bins, keys[:, 1], keys[:, 0]))
        keys = keys[order]
        first = np.ones(len(keys), bool)
        first[1:] = np.any(keys[1:] != keys[:-1], axis=1)
        self._take(groups, keys[first], of_group[order][first], rows[order][first])

    def _take(self, groups: Sequence[GroupSummary], keys: Keys, of_group: Keys, rows: Keys) -> None:
        self.groups, self.keys, self._of_group, self._rows = groups, keys, of_group, rows
        used = [groups[i] for i in np.unique(of_group)]
        self.n_bins = min(g.n_bins for g in used)
        """Number of bins that every chain has."""
        common = set.intersection(*(set(g.names) for g in used))
        if any(g.n_bins > self.n_bins for g in used):
            common = {name for name in common if name.partition("/")[0] not in WHOLE_CHAIN}
        self.names = tuple(name for name in used[0].names if name in common)
        """Arrays that every sample has."""

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def model(self) -> Model:
        """The model of the samples."""
        return self.groups[0].model

    def split(self) -> list[SampleRows]:
        """Return rows with equal numbers of bins and equal arrays, the longest chains first."""
        kinds = [(-g.n_bins, -len(g.names), g.names) for g in self.groups]
        out = []
        for kind in sorted({kinds[i] for i in np.unique(self._of_group)}):
            here = np.isin(self._of_group, [i for i, other in enumerate(kinds) if other == kind])
            some = object.__new__(SampleRows)
            some._take(self.groups, self.keys[here], self._of_group[here], self._rows[here])
            out.append(some)
        return out

    def pieces(self, names: Iterable[str] | None = None, n_bytes: int = 0) -> Iterator[Columns]:
        """Yield arrays of consecutive samples, at most about `n_bytes` at a time (0: PIECE_BYTES).

        names   arrays, such as bins/rho_s_x, or parts, such as cost; all if None. Arrays that not every
                sample has are left out.
        raises  UnreadableFile for damage and for values that are not finite
        """
        wanted = None if names is None else set(names)
        chosen = [n for n in self.names if wanted is None or n in wanted or n.partition("/")[0] in wanted]
        step = max(1, (n_bytes or PIECE_BYTES) // max(1, self._row_bytes(chosen)))
        for start in range(0, len(self), step):
            yield self._piece(slice(start, start + step), chosen)

    def point(self, names: Iterable[str] | None = None) -> PointSamples:
        """Return all samples at once; memory grows with their number."""
        names = None if names is None else tuple(names)
        pieces = list(self.pieces(names))
        columns = {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}
        return PointSamples.from_columns(self.model, self.keys, columns)

    def point_pieces(self, names: Iterable[str] | None = None) -> Iterator[PointSamples]:
        """Yield the samples in pieces of bounded memory, see `pieces`."""
        start = 0
        for columns in self.pieces(names):
            count = len(next(iter(columns.values()))) if columns else len(self)
            yield PointSamples.from_columns(self.model, self.keys[start : start + count], columns)
            start += count

    def _row_bytes(self, names: Sequence[str]) -> int:
        group = self.groups[self._of_group[0]]
        with reading(group.path, group.identity) as file:
            arrays = file[group.group]
            sets = [arrays[name] for name in names]
            return sum(s.dtype.itemsize * int(np.prod(s.shape[1:])) for s in sets)

    def _piece(self, part: slice, names: Sequence[str]) -> Columns:
        of_group, rows = self._of_group[part], self._rows[part]
        out: Columns = {}
        for number in np.unique(of_group):
            places = np.flatnonzero(of_group == number)
            for name, values in self._read(self.groups[number], rows[places], names).items():
                if len(places) == len(rows):
                    out[name] = values
                else:
                    whole = out.setdefault(name, np.empty((len(rows), *values.shape[1:]), values.dtype))
                    whole[places] = values
        return out

    def _read(self, group: GroupSummary, rows: Keys, names: Sequence[str]) -> Columns:
        low, high = int(rows.min()), int(rows.max()) + 1
        out: Columns = {}
        with reading(group.path, group.identity) as file:
            arrays = file[group.group]
            for name in names:
                cut = (slice(low, high), *[slice(self.n_bins)] * name.startswith("bins/"))
                values = np.asarray(arrays[name][cut])
                if len(values) != high - low:
                    raise ValueError(f"{group.group}/{name} has too few rows")
                if len(rows) < high - low or np.any(np.diff(rows) != 1):
                    values = values[rows - low]
                if name.partition("/")[0] in PARTS and values.dtype == np.float32:
                    values = values.astype(np.float64)
                if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
                    raise UnreadableFile(
                        f"{group.path}: {group.group}/{name} holds values that are not finite; "
                        "restore, move or delete the file"
                    )
                out[name] = values
        return out


@dataclass(frozen=True)
class StateRef:
    """Where the state of one chain lies: a row of a group of a file. `progress` is in sweeps."""

    path: Path
    group: str
    row: int
    progress: float


FORMER_STATE_NAMES = {
    "tally": "counters", "place": "worm", "since": "trials_since_check", "sums/turns": "sums/winding_moments",
    "sums/chi": "sums/chi_s_raw", "bins/chi": "bins/chi_s_raw",
    "sums/chi_c": "sums/chi_c_raw", "bins/chi_c": "bins/chi_c_raw",
}  # fmt: skip
"""Names of the arrays of a state in files of earlier versions, and their names in `qmc.Chains.state`."""


def read_states(refs: Sequence[StateRef]) -> list[State]:
    """Return the state of each chain, without the axis of the samples, under the present names."""
    out = []
    for ref in refs:
        with reading(ref.path) as file:
            group = file[ref.group]
            names = [name for name in read_head(group)["arrays"] if name.startswith("state/")]
            state = {name.removeprefix("state/"): np.asarray(group[name][ref.row]) for name in names}
            out.append({FORMER_STATE_NAMES.get(name, name): values for name, values in state.items()})
    return out
