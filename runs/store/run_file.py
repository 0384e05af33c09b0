"""The store: one HDF5 file per run (README, "The store"; layout version 2).

    /                     format = "sitqmc-run", version = 2, config (JSON), provenance of the first call;
                          head: config, history (provenance of all calls), failed (samples set aside)
    /points/0000/         attributes: the model's parameters, beta; head: the model
        sample            int64 (samples,)           number of the disorder sample
        seed              int64 (samples,)           seed of its bond mask and chain
        bins/NAME         float64 (samples, bins, ...), attributes unit, description
        tau_int/NAME      float64 (samples,)         in measurements
        cost/NAME         float64 (samples,)         moves, attempts, worms_per_measurement, ...
        maps/NAME         float64 (samples, Ly, Lx)  means over the chain, by site or distance
        state/NAME        (samples, ...)             ends of the chains; only with output.keep_state
        bin, n, omega_n, slice, tau, ...             axes: dimension scales, so that xarray names the axes

A model has more than one group while its chains are being made longer, one for each number of bins, and
where samples of an older version know fewer observables.
The file is sealed, see `sealed`. Files of version 1 (no seal, one seed) are read, not written.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc import Model
from sitqmc.qmc.observables import AXES, MAPS, OBSERVABLES
from sitqmc.runs.config.config import Config, parse_config
from sitqmc.runs.errors import NotOurs, UserError
from sitqmc.runs.store.sealed import read_group, read_head, reading, sealed, write_group, writing

FORMAT = "sitqmc-run"
VERSION = 2
NAME = "run.h5"

Array = NDArray[np.float64]
Failure = dict[str, Any]
"""A sample set aside: model (its parameters), seed, sample, error, host."""

PARTS = ("bins", "tau_int", "cost", "state", "maps")

COST = {
    "moves": ("1", "head moves after thermalisation"),
    "attempts": ("1", "worms after thermalisation, failed openings included"),
    "worms_per_measurement": ("1", "worms between two measurements"),
    "sweeps_per_measurement": ("1", "head moves per site between two measurements"),
}


@dataclass(frozen=True)
class PointData:
    """Samples of a model, stacked: the leading axis of every array is `sample` (samples,).

    maps   by site or distance, see `qmc.ChainResult`
    state  ends of the chains, as `qmc.Chains.state` names them; empty if not kept
    """

    model: Model
    sample: NDArray[np.int64]
    bins: dict[str, Array]
    tau_int: dict[str, Array]
    cost: dict[str, Array]
    seed: NDArray[np.int64]
    state: dict[str, NDArray[Any]] = field(default_factory=dict)
    maps: dict[str, Array] = field(default_factory=dict)

    @property
    def n_bins(self) -> int:
        return int(next(iter(self.bins.values())).shape[1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All columns by the names they have in a file."""
        out: dict[str, NDArray[Any]] = {"sample": self.sample, "seed": self.seed}
        for part in PARTS:
            out |= {f"{part}/{name}": values for name, values in getattr(self, part).items()}
        return out

    def pairs(self) -> list[tuple[int, int]]:
        """(seed, sample) of every row."""
        return [(int(a), int(b)) for a, b in zip(self.seed, self.sample, strict=True)]

    def rows(self, which: NDArray[np.int64]) -> "PointData":
        """Some of the samples."""
        taken = {name: values[which] for name, values in self.arrays().items()}
        return from_arrays(self.model, taken)

    def cut(self, bins: int) -> "PointData":
        """The first bins of every chain, as a shorter run would have made them."""
        return PointData(
            self.model, self.sample, {name: values[:, :bins] for name, values in self.bins.items()},
            self.tau_int, self.cost, self.seed,
        )  # fmt: skip


def from_arrays(model: Model, arrays: Mapping[str, NDArray[Any]]) -> PointData:
    """Back from `PointData.arrays`; ValueError if something is missing, misshaped or not finite."""
    parts: dict[str, dict[str, NDArray[Any]]] = {part: {} for part in PARTS}
    for name, values in arrays.items():
        part, _, rest = name.partition("/")
        if rest:
            parts[part][rest] = values
    sample = arrays["sample"]
    for name, values in arrays.items():
        if len(values) != len(sample):
            raise ValueError(f"{name} has shape {values.shape} for {len(sample)} samples")
        if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
            raise ValueError(f"{name} holds values that are not finite")
    if not parts["bins"]:
        raise ValueError("bins are missing")
    bins, tau_int, cost, state, maps = parts.values()
    return PointData(model, sample, bins, tau_int, cost, arrays["seed"], state, maps)


def joined(model: Model, blocks: Iterable[PointData]) -> PointData | None:
    """Several blocks of one model and one number of bins, each sample once, ordered by seed and number."""
    blocks = list(blocks)
    if not blocks:
        return None
    # What only some of them have (observables new to a version, states) cannot be joined.
    names = set.intersection(*(set(b.arrays()) for b in blocks))
    columns = {name: np.concatenate([b.arrays()[name] for b in blocks]) for name in sorted(names)}
    keys = [key for b in blocks for key in b.pairs()]
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    which = np.array([first[key] for key in sorted(first)], np.int64)
    return from_arrays(model, {name: values[which] for name, values in columns.items()})


def model_text(model: Model) -> str:
    """The model as one JSON text, which also names it."""
    return json.dumps(asdict(model), sort_keys=True)


def model_of(parameters: Mapping[str, Any]) -> Model:
    """The model with stored parameters; those an older version did not know take their defaults."""
    return Model(**{f.name: parameters[f.name] for f in fields(Model) if f.name in parameters})


@dataclass(frozen=True)
class Head:
    """What a run file says of itself."""

    config: Config
    history: list[dict[str, Any]]
    failed: list[Failure]
    version: int


def write_store(
    beside: Path, config: Config, history: list[dict[str, Any]], failed: list[Failure],
    blocks: Iterable[tuple[Model, PointData | None]],
) -> None:  # fmt: skip
    """A run file with the given blocks, in their order."""
    with writing(beside) as file:
        every = file.create_group("points")
        for i, (model, data) in enumerate(blocks):
            write_point(every.create_group(f"{i:04d}"), model, data)
        head = {"config": config.resolved(), "history": history, "failed": failed}
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["config"] = json.dumps(config.resolved())
        for key, value in (history[0] if history else {}).items():
            file.attrs[key] = value
        file.attrs["wall_seconds"] = sum(float(entry.get("wall_seconds", 0.0)) for entry in history)
        write_group(file, head, {})


def write_point(group: h5py.Group, model: Model, data: PointData | None) -> None:
    """One group of /points; without data only its parameters."""
    for key, value in asdict(model).items():
        group.attrs[key] = value
    group.attrs["beta"] = model.beta
    write_group(group, {"model": asdict(model)}, data.arrays() if data is not None else {})
    if data is not None:
        _describe(group, model, data)


def _describe(group: h5py.Group, model: Model, data: PointData) -> None:
    """Units, meanings and named axes."""
    texts = {
        "sample": ("1", "number of the disorder sample; its mask is Model.draw_disorder(seed, sample)"),
        "seed": ("1", "seed of the bond mask and of the chain"),
    }
    texts |= {f"bins/{name}": (row.unit, row.text) for name, row in OBSERVABLES.items()}
    texts |= {f"maps/{name}": (row.unit, f"{row.text}, mean over the chain") for name, row in MAPS.items()}
    texts |= {f"cost/{name}": text for name, text in COST.items()}
    for name in data.arrays():
        part, _, rest = name.partition("/")
        if part == "tau_int":
            texts[name] = ("measurements", f"integrated autocorrelation time of {rest}")
        elif part == "state":
            texts[name] = ("1", f"end of the chain: {rest} of qmc.Chains.state")
        unit, description = texts.get(name, ("1", rest))
        group[name].attrs["unit"] = group[name].attrs["units"] = unit
        group[name].attrs["description"] = description
    axes = _axes(group, model, data)
    for name in data.arrays():
        part = name.partition("/")[0]
        if part in ("state", "sample"):
            continue
        group[name].dims[0].attach_scale(axes["sample"])
        for i, axis in enumerate(_axis_names(name, group[name].shape), start=1):
            group[name].dims[i].attach_scale(axes[axis])


def _axis_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """Names of the axes of an array behind the first, which is the sample."""
    part, _, rest = name.partition("/")
    if part == "maps":
        return ["y", "x"]
    if part != "bins":
        return []
    known = OBSERVABLES[rest].axes if rest in OBSERVABLES else ()
    more = known if len(known) == len(shape) - 2 else [f"index_{rest}_{i}" for i in range(len(shape) - 2)]
    return ["bin", *more]


AXIS_TEXTS = {"bin": "number of the bin, in the order of the chain"} | {k: a.text for k, a in AXES.items()}


def _axes(group: h5py.Group, model: Model, data: PointData) -> dict[str, h5py.Dataset]:
    """Dimension scales: sample, bin, n (Matsubara number), slice, ..; omega_n and tau beside them."""
    group["sample"].make_scale("sample")
    axes = {"sample": group["sample"]}
    for name, a in data.arrays().items():
        for axis, length in zip(_axis_names(name, a.shape), a.shape[1:], strict=False):
            if axis in axes:
                continue
            group[axis] = np.arange(length)
            group[axis].attrs["unit"] = group[axis].attrs["units"] = "1"
            group[axis].attrs["description"] = AXIS_TEXTS.get(axis, "index")
            group[axis].make_scale(axis)
            axes[axis] = group[axis]
    if "n" in axes:
        group["omega_n"] = 2 * np.pi * np.arange(len(axes["n"])) / model.beta
        _beside(group["omega_n"], axes["n"], "E_J", "Matsubara frequency")
    if "slice" in axes:
        group["tau"] = model.eps * np.arange(model.L_tau)
        _beside(group["tau"], axes["slice"], "1/E_J", "imaginary time")
    return axes


def _beside(dataset: h5py.Dataset, axis: h5py.Dataset, unit: str, description: str) -> None:
    """A second coordinate of an axis."""
    dataset.attrs["unit"] = dataset.attrs["units"] = unit
    dataset.attrs["description"] = description
    dataset.dims[0].attach_scale(axis)


def _check_format(file: h5py.File, path: Path) -> int:
    version = file.attrs.get("version")
    if file.attrs.get("format") != FORMAT or version not in (1, VERSION):
        raise NotOurs(
            f"{path}: not a {FORMAT} file of version 1 or {VERSION} (version {version}); move it away"
        )
    if version > 1 and not sealed(path):
        raise NotOurs(f"{path}: damaged or edited, its hash is missing; restore it or move it away")
    return int(version)


def read_store_head(path: Path) -> Head:
    """Configuration, history and failures; NotOurs if the file is damaged."""
    with reading(path) as file:
        version = _check_format(file, path)
        try:
            if version == 1:
                origin = {k: _plain(v) for k, v in file.attrs.items() if k not in ("format", "version")}
                table = json.loads(origin.pop("config"))
                table["model"] = {k: v for k, v in table["model"].items() if v != []}
                return Head(parse_config(table), [origin], [], 1)
            head, _ = read_group(file)
            return Head(parse_config(head["config"]), head["history"], head["failed"], version)
        except (KeyError, ValueError, UserError) as error:
            raise NotOurs(f"{path}: its configuration is damaged ({error}); move it away") from None


def read_config(path: Path) -> Config:
    """The configuration stored in a run file; NotOurs if the file is damaged."""
    return read_store_head(path).config


@dataclass(frozen=True)
class Outline:
    """What a group holds, without its numbers: pairs are (seed, sample) by row."""

    model: Model
    pairs: list[tuple[int, int]]
    n_bins: int
    has_state: bool


def outline(group: h5py.Group) -> Outline | None:
    """Of a group of a store or a part file; None if it has no samples."""
    if "sample" not in group:
        return None
    old = "head" not in group.attrs              # version 1
    model = model_of(_attributes(group) if old else read_head(group)["model"])
    sample = group["sample"][:].tolist()
    seeds = [int(group.attrs["disorder_seed"])] * len(sample) if old else group["seed"][:].tolist()
    first = next(iter(group["bins"].values()))
    return Outline(model, list(zip(seeds, sample, strict=True)), int(first.shape[1]), "state" in group)


def read_outlines(path: Path) -> Iterator[tuple[str, Outline]]:
    """Every group of a store that has samples, by its name; NotOurs if the file is damaged."""
    with reading(path) as file:
        _check_format(file, path)
        for name in [f"points/{key}" for key in sorted(file["points"])]:
            found = outline(file[name])
            if found is not None:
                yield name, found


def read_blocks(path: Path) -> Iterator[PointData]:
    """Every group that has samples, checked; NotOurs if anything is damaged."""
    with reading(path) as file:
        version = _check_format(file, path)
        for name in [f"points/{key}" for key in sorted(file["points"])]:
            try:
                data = _read_point_1(file[name]) if version == 1 else _read_point(file[name])
            except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
                reason = (str(error) or type(error).__name__).splitlines()[0]
                raise NotOurs(f"{path}: {name} is damaged ({reason}); restore it or move it away") from None
            if data is not None:
                yield data


def read_named(path: Path, name: str) -> PointData:
    """One group of a store; NotOurs if it is damaged."""
    with reading(path) as file:
        data = _read_point_1(file[name]) if _check_format(file, path) == 1 else _read_point(file[name])
        if data is None:
            raise KeyError(f"{name} is empty")
        return data


def _read_point(group: h5py.Group) -> PointData | None:
    head, arrays = read_group(group)
    return from_arrays(model_of(head["model"]), arrays) if arrays else None


def _read_point_1(group: h5py.Group) -> PointData | None:
    """Layout version 1: the model as attributes, one seed, no seals."""
    if "sample" not in group:
        return None
    model = model_of(_attributes(group))
    arrays = {"sample": group["sample"][:]}
    for part in ("bins", "tau_int", "cost"):
        arrays |= {f"{part}/{name}": group[part][name][:] for name in group[part]}
    arrays["seed"] = np.full(len(arrays["sample"]), int(group.attrs["disorder_seed"]), np.int64)
    return from_arrays(model, arrays)


def _attributes(group: h5py.Group) -> dict[str, Any]:
    return {key: _plain(value) for key, value in group.attrs.items()}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def read_points(path: Path) -> list[PointData]:
    """All samples of every model of a run file, in the order of the file.

    Where chains of different lengths lie side by side, the bins they have in common are taken.
    """
    blocks: dict[Model, list[PointData]] = {}
    for data in read_blocks(path):
        blocks.setdefault(data.model, []).append(data)
    return [common(model, found) for model, found in blocks.items()]


def common(model: Model, blocks: Sequence[PointData]) -> PointData:
    """Blocks of one model as one, with the bins all of them have."""
    shortest = min(b.n_bins for b in blocks)
    cut = [b if b.n_bins == shortest else b.cut(shortest) for b in sorted(blocks, key=lambda b: -b.n_bins)]
    whole = joined(model, cut)
    assert whole is not None
    return whole
