"""The run file run.h5: one HDF5 file per run (README, "The store"; layout version 3).

    /                     format = "sitqmc-run", version = 3, config (JSON), provenance of the first call;
                          head: config, history (provenance of all calls), failed (excluded samples)
    /results              of the analysis, if it is complete: head as of `write_run_file`
    /results/0000/        one point as a record, see `records`; spectra/NAME/band is its 68 % band
    /points/0000/         attributes: the model's parameters, beta; head: the model
        sample            int64 (samples,)           number of the disorder sample
        seed              int64 (samples,)           seed of its bond mask and chain
        bins/NAME         float64 (samples, bins, ...), attributes unit, description; G_k0, G_loc float32
        tau_int/NAME      float64 (samples,)         in measurements
        cost/NAME         float64 (samples,)         moves, attempts, worms_per_measurement, ...
        maps/NAME         float32 (samples, Ly, Lx)  means over the chain, by site or distance
        state/NAME        (samples, ...)             ends of the chains; only with output.keep_state
        bin, n, omega_n, slice, tau, ...             axes: dimension scales, so that xarray names the axes

Files of earlier versions of the package hold float64 throughout.

A model has more than one group while its chains are being lengthened (one group for each number of bins), and
where samples of an older version lack some observables. The file is sealed, see `sealed`. Versions 1 (no
seal, one seed) and 2 (one hash of the whole file) are read, not written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from sitqmc.qmc.observables import AXES, MAPS, OBSERVABLES
from sitqmc.runs.errors import UnreadableFile, UserError
from sitqmc.runs.store.records import read_record, write_record
from sitqmc.runs.store.samples import GroupSummary, SampleSource, stored_type, summarise
from sitqmc.runs.store.sealed import (
    COMPRESSED_ABOVE,
    COMPRESSION,
    NewFile,
    OpenFile,
    read_head,
    reading,
    write_head,
    writing,
)

if TYPE_CHECKING:
    from sitqmc.qmc import Model
    from sitqmc.runs.config.config import Config

FORMAT = "sitqmc-run"
VERSION = 3
READABLE = (1, 2, 3)
NAME = "run.h5"

Failure = dict[str, Any]
"""An excluded sample: model (its parameters), seed, sample, error, host."""

COST = {
    "moves": ("1", "head moves after thermalisation"),
    "attempts": ("1", "worms after thermalisation, failed openings included"),
    "worms_per_measurement": ("1", "worms between two measurements"),
    "sweeps_per_measurement": ("1", "head moves per site between two measurements"),
}


@dataclass(frozen=True)
class RunHeader:
    """Configuration, history and excluded samples of a run.

    table    the resolved configuration as plain values
    history  version, commit, packages, host and time of every call
    path     the file it was read from
    """

    table: dict[str, Any]
    history: list[dict[str, Any]]
    failed: list[Failure]
    path: Path | None = None

    @cached_property
    def config(self) -> Config:
        """The configuration; UnreadableFile if a stored value is not allowed."""
        from sitqmc.runs.config.config import parse_config

        try:
            return parse_config(self.table)
        except UserError as error:
            raise UnreadableFile(
                f"{self.path}: its configuration is damaged ({error}); restore, move or delete it"
            ) from None


def model_text(model: Model) -> str:
    """Return the model as one JSON text, which also names it."""
    return json.dumps(asdict(model), sort_keys=True)


def read_run_file(path: Path) -> tuple[RunHeader, list[GroupSummary]]:
    """Return the header of a run file and a summary of each of its groups; reads no numbers.

    raises  FileNotFoundError; UnreadableFile if the file is damaged or something else
    """
    with reading(path) as file:
        header = _read_header(file, path)
        found = [summarise(path, file, f"points/{key}") for key in sorted(file["points"])]
    return header, [summary for summary in found if summary is not None]


def read_header(path: Path) -> RunHeader:
    """Return the header of a run file alone; errors as of `read_run_file`."""
    with reading(path) as file:
        return _read_header(file, path)


def _read_header(file: OpenFile, path: Path) -> RunHeader:
    version = file.attrs.get("version")
    if file.attrs.get("format") != FORMAT or version not in READABLE:
        readable = f"{', '.join(map(str, READABLE[:-1]))} or {READABLE[-1]}"
        raise UnreadableFile(
            f"{path}: not a {FORMAT} file of version {readable} (version {version}); move or delete it"
        )
    if version > 1 and not file.is_sealed:
        raise UnreadableFile(f"{path}: damaged or edited, its hash is missing; restore, move or delete it")
    if version == 1:
        origin = {k: getattr(v, "item", lambda v=v: v)() for k, v in file.attrs.items()}
        table = json.loads(origin.pop("config"))
        table["model"] = {k: v for k, v in table["model"].items() if v != []}
        origin = {k: v for k, v in origin.items() if k not in ("format", "version")}
        return RunHeader(table, [origin], [], path)
    head = read_head(file)
    return RunHeader(head["config"], head["history"], head["failed"], path)


@dataclass(frozen=True)
class KeptResult:
    """Result of one point as it lies in a run file.

    source  what it was made from, as plain values: it counts only while these are the same
    value   the result: any dataclass of the package
    arrays  further arrays for other programs, by the name they have in the file
    """

    source: dict[str, Any]
    value: Any
    arrays: Mapping[str, Any] = field(default_factory=dict)


GROUPS = (
    "points/0000, points/0001, ...: one for each point, with the groups bins, tau_int, cost and maps; "
    "xarray.open_datatree(PATH, group='points', engine='h5netcdf') opens them all, "
    "xarray.open_dataset(PATH, group='points/0000/bins', engine='h5netcdf') one of them"
)
"""Attribute of the root that says where the arrays are."""


def write_run_file(
    beside: Path,
    header: RunHeader,
    groups: Iterable[tuple[Model, SampleSource | None]],
    results: Sequence[KeptResult] = (),
) -> None:
    """Write a run file with the given groups, in their order, piece by piece, and results of its analysis."""
    with writing(beside) as file:
        points = file.create_group("points")
        own = _own_texts(header)
        for i, (model, samples) in enumerate(groups):
            _write_point(file, points.create_group(f"{i:04d}"), model, samples, own)
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["groups"] = GROUPS            # what `xarray.open_dataset` shows: the root has no arrays
        file.attrs["config"] = json.dumps(header.table)
        for key, value in (header.history[0] if header.history else {}).items():
            file.attrs[key] = value
        file.attrs["wall_seconds"] = sum(float(entry.get("wall_seconds", 0.0)) for entry in header.history)
        head = {"config": header.table, "history": header.history, "failed": header.failed}
        write_head(file, head | {"arrays": []})
        if results:
            _write_results(file.create_group("results"), results)


def _write_results(group: h5py.Group, results: Sequence[KeptResult]) -> None:
    write_head(group, {"sources": [result.source for result in results]})
    for i, result in enumerate(results):
        place = group.create_group(f"{i:04d}")
        write_record(place, result.value)
        for name, array in result.arrays.items():
            place[name] = array


def read_results(path: Path, wanted: Sequence[dict[str, Any]]) -> list[Any] | None:
    """Return the results that were made from the wanted sources; None if one of them is missing.

    raises  FileNotFoundError; UnreadableFile if the file is damaged
    """
    with reading(path) as file:
        if "results" not in file:
            return None
        sources = read_head(file["results"])["sources"]
        if any(source not in sources for source in wanted):
            return None
        return [read_record(file[f"results/{sources.index(source):04d}"]) for source in wanted]


def _own_texts(header: RunHeader) -> dict[str, tuple[str, str]]:
    """Return units and meanings of own observables; none if their file is not there any more."""
    from sitqmc.runs.formats.own import (
        own_observables,  # the front door of qmc, which most readers do without
    )

    table = header.table.get("observables", {})
    try:
        found = own_observables(table.get("own", ""), table.get("own_hash", ""))
    except UserError:
        return {}
    return {f"bins/{one.name}": (one.unit, one.text) for one in found}


def _write_point(
    file: NewFile, group: h5py.Group, model: Model, samples: SampleSource | None,
    own: Mapping[str, tuple[str, str]],
) -> None:  # fmt: skip
    """Write one group of /points; without samples only its parameters."""
    for key, value in asdict(model).items():
        group.attrs[key] = value
    group.attrs["beta"] = model.beta
    arrays: dict[str, h5py.Dataset] = {}
    if samples is not None:
        columns = _write_columns(file, group, samples)
        group["sample"], group["seed"] = samples.keys[:, 1], samples.keys[:, 0]
        arrays = {"sample": group["sample"], "seed": group["seed"]} | columns
        _describe(group, model, arrays, own)
    write_head(group, {"model": asdict(model), "arrays": list(arrays)})


def _write_columns(
    file: NewFile, group: h5py.Group, samples: SampleSource
) -> dict[str, h5py.Dataset]:
    """Write all arrays; returns their datasets: a look-up by name in a group costs as much as a write."""
    columns: dict[str, h5py.Dataset] = {}
    start, count = 0, len(samples.keys)
    for piece in samples.pieces():
        rows = len(next(iter(piece.values())))
        for name, a in piece.items():
            if start == 0:
                shape = (count, *a.shape[1:])
                kind = stored_type(name, a.dtype)
                columns[name] = group.create_dataset(name, shape, kind, **_compression(name, count, a))
            columns[name][start : start + rows] = a
        start += rows
        file.raise_write_error()
    return columns


def _compression(name: str, count: int, piece: Any) -> dict[str, Any]:
    """Return the options of a dataset: large states are compressed, some rows at a time."""
    row = piece.nbytes // max(1, len(piece))
    if not name.startswith("state/") or row * count <= COMPRESSED_ABOVE:
        return {}
    rows = min(count, max(1, (1 << 18) // max(1, row)))
    return {"chunks": (rows, *piece.shape[1:]), **COMPRESSION}


def _describe(
    group: h5py.Group, model: Model, arrays: Mapping[str, h5py.Dataset],
    own: Mapping[str, tuple[str, str]],
) -> None:  # fmt: skip
    """Attach units, descriptions and named axes."""
    texts = {
        "sample": ("1", "number of the disorder sample; its mask is Model.draw_disorder(seed, sample)"),
        "seed": ("1", "seed of the bond mask and of the chain"),
    }
    texts |= {f"bins/{name}": (row.unit, row.text) for name, row in OBSERVABLES.items()}
    texts |= {f"maps/{name}": (row.unit, f"{row.text}, mean over the chain") for name, row in MAPS.items()}
    texts |= {f"cost/{name}": text for name, text in COST.items()} | dict(own)
    for name, dataset in arrays.items():
        part, _, rest = name.partition("/")
        if part == "tau_int":
            texts[name] = ("measurements", f"integrated autocorrelation time of {rest}")
        elif part == "state":
            texts[name] = ("1", f"end of the chain: {rest} of qmc.Chains.state")
        unit, description = texts.get(name, ("1", rest))
        attributes = dataset.attrs
        attributes["unit"] = attributes["units"] = unit
        attributes["description"] = description
    axes = _axes(group, model, arrays)
    for name, dataset in arrays.items():
        if name.partition("/")[0] in ("state", "sample"):
            continue
        dataset.dims[0].attach_scale(axes["sample"])
        for i, axis in enumerate(_axis_names(name, dataset.shape), start=1):
            dataset.dims[i].attach_scale(axes[axis])


def _axis_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """Return the names of the axes of an array behind the first axis, which is the sample."""
    part, _, rest = name.partition("/")
    if part == "maps":
        return list(MAPS[rest].axes) if rest in MAPS else ["y", "x"]
    if part != "bins":
        return []
    known = OBSERVABLES[rest].axes if rest in OBSERVABLES else ()
    more = known if len(known) == len(shape) - 2 else [f"index_{rest}_{i}" for i in range(len(shape) - 2)]
    return ["bin", *more]


AXIS_TEXTS = {"bin": "number of the bin, in the order of the chain"} | {k: a.text for k, a in AXES.items()}


def _axes(
    group: h5py.Group, model: Model, arrays: Mapping[str, h5py.Dataset]
) -> dict[str, h5py.Dataset]:
    """Write the dimension scales sample, bin, n, slice, ..., with omega_n and tau beside them."""
    axes = {"sample": arrays["sample"]}
    axes["sample"].make_scale("sample")
    for name, dataset in arrays.items():
        if name.partition("/")[0] not in ("bins", "maps"):
            continue
        shape = dataset.shape
        for axis, length in zip(_axis_names(name, shape), shape[1:], strict=False):
            if axis in axes:
                continue
            axes[axis] = scale = group.create_dataset(axis, data=np.arange(length))
            scale.attrs["unit"] = scale.attrs["units"] = "1"
            scale.attrs["description"] = AXIS_TEXTS.get(axis, "index")
            scale.make_scale(axis)
    if "n" in axes:
        group["omega_n"] = 2 * np.pi * np.arange(len(axes["n"])) / model.beta
        _second_scale(group["omega_n"], axes["n"], "E_J", "Matsubara frequency")
    if "slice" in axes:
        group["tau"] = model.eps * np.arange(model.L_tau)
        _second_scale(group["tau"], axes["slice"], "1/E_J", "imaginary time")
    return axes


def _second_scale(dataset: h5py.Dataset, axis: h5py.Dataset, unit: str, description: str) -> None:
    """Attach a second coordinate to an axis."""
    dataset.attrs["unit"] = dataset.attrs["units"] = unit
    dataset.attrs["description"] = description
    dataset.dims[0].attach_scale(axis)
