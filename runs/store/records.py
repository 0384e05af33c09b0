"""Results as HDF5: any dataclass of the package with its arrays, and files that hold one of them.

A value is a JSON tree in the attribute `tree` of a group. The arrays lie in the group under the names of the
fields, such as `grid/omega`, so that any program can read them; the tree names them. Classes are looked up
by name within the package and are made without a call of their own code.

    /           format = "sitqmc-result", version, sitqmc (version of the package)
    /value      the record
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sitqmc.runs.errors import UnreadableFile, UserError
from sitqmc.runs.store.atomic import replace_file
from sitqmc.runs.store.provenance import package_version
from sitqmc.runs.store.sealed import COMPRESSED_ABOVE, COMPRESSION, reading, writing

FORMAT = "sitqmc-result"
VERSION = 1
TREE = "tree"


def save_result(path: str | Path, value: Any) -> Path:
    """Write one result to a file of its own; an existing file is replaced.

    raises  UserError if the file cannot be written, WriteFailed if the disk is full
    """
    path = Path(path)

    def write(beside: Path) -> None:
        with writing(beside) as file:
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
            file.attrs["sitqmc"] = package_version()
            write_record(file.create_group("value"), value)

    if not path.parent.is_dir():
        raise UserError(f"{path}: its folder does not exist; choose another file")
    replace_file(path, write)
    return path


def load_result(path: str | Path, kind: type) -> Any:
    """Return the result in a file of `save_result`.

    kind    class that it must have
    raises  UserError if there is no such file or it holds something else, UnreadableFile if it is damaged
    """
    path = Path(path)
    try:
        with reading(path) as file:
            if file.attrs.get("format") != FORMAT:
                raise UnreadableFile(f"{path}: no result of sitqmc; give a file written by .save")
            value = read_record(file["value"])
    except FileNotFoundError:
        raise UserError(f"{path}: not found; give a file written by .save") from None
    if not isinstance(value, kind):
        raise UserError(
            f"{path}: holds a {type(value).__name__}; load it with {type(value).__name__}.load"
        )
    return value


def write_record(group: h5py.Group, value: Any) -> None:
    """Write a value into an empty group; TypeError for a value that is neither data nor a dataclass."""
    writer = _Writer(group)
    group.attrs[TREE] = json.dumps(writer.node(value, ""))


def read_record(group: h5py.Group) -> Any:
    """Return the value that `write_record` wrote.

    raises  KeyError, TypeError or ValueError for classes or fields that this version does not know
    """
    return _Reader(group).value(json.loads(str(group.attrs[TREE])))


class _Writer:
    """Arrays of a value as datasets of a group; equal arrays once, whichever process made them."""

    def __init__(self, group: h5py.Group) -> None:
        self.group = group
        self.places: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(self, value: Any, place: str) -> Any:
        """Return the tree of a value; its arrays are written below `place`."""
        if isinstance(value, np.generic):
            return self.node(value.item(), place)
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if isinstance(value, Path):
            return {"path": str(value)}
        if isinstance(value, np.ndarray):
            return self._array(value, place)
        if is_dataclass(value) and not isinstance(value, type):
            parts = {f.name: self.node(getattr(value, f.name), f"{place}/{f.name}") for f in fields(value)}
            return {"class": _name(type(value)), "fields": parts}
        if isinstance(value, Mapping):
            pairs = [[self.node(k, place), self.node(v, f"{place}/{_word(k)}")] for k, v in value.items()]
            return {"dict": pairs}
        if isinstance(value, (list, tuple)):
            parts_ = [self.node(one, f"{place}/{i:04d}") for i, one in enumerate(value)]
            return {"tuple" if isinstance(value, tuple) else "list": parts_}
        raise TypeError(f"{place}: a {type(value).__name__} cannot be kept in a file")

    def _array(self, value: Any, place: str) -> dict[str, str]:
        array = np.asarray(value)
        if array.dtype.kind not in "biufcU":
            raise TypeError(f"{place}: an array of {array.dtype} cannot be kept in a file")
        if array.dtype.kind == "U":
            return {"texts": array.tolist()}
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self.places:
            name = place.strip("/") or "array"
            options = COMPRESSION if array.nbytes > COMPRESSED_ABOVE and array.ndim else {}
            self.group.create_dataset(name, data=array, **options)
            self.places[key] = name
        return {"array": self.places[key]}


class _Reader:
    """Values from the tree of a group."""

    def __init__(self, group: h5py.Group) -> None:
        self.group = group
        self.arrays: dict[str, Any] = {}

    def value(self, node: Any) -> Any:
        """Return the value of a part of the tree."""
        if not isinstance(node, dict):
            return node
        if "array" in node:
            place = node["array"]
            if place not in self.arrays:
                self.arrays[place] = self._array(place)
            return self.arrays[place]
        if "class" in node:
            return self._instance(node)
        if "dict" in node:
            return {self.value(key): self.value(one) for key, one in node["dict"]}
        if "tuple" in node:
            return tuple(self.value(one) for one in node["tuple"])
        if "list" in node:
            return [self.value(one) for one in node["list"]]
        if "texts" in node:
            return np.array(node["texts"])
        return complex(*node["complex"]) if "complex" in node else Path(node["path"])

    def _array(self, place: str) -> Any:
        """Return an array; results have hundreds, and a Dataset object takes longer than their bytes."""
        dataset = h5py.h5d.open(self.group.id, place.encode())
        array = np.empty(dataset.shape, dataset.dtype)
        if array.size:
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
        return array[()]                         # a number if it has no axes

    def _instance(self, node: dict[str, Any]) -> Any:
        kind = _class(node["class"])
        made = object.__new__(kind)
        for f in fields(kind):
            if f.name in node["fields"]:
                given = self.value(node["fields"][f.name])
            elif f.default is not MISSING:
                given = f.default
            elif f.default_factory is not MISSING:
                given = f.default_factory()
            else:
                raise KeyError(f"{kind.__name__}.{f.name} is missing: written by another version")
            object.__setattr__(made, f.name, given)
        return made


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _class(name: str) -> Any:
    """Return a dataclass of the package by its name; ValueError for anything else."""
    module, _, path = name.partition(":")
    if not module.startswith("sitqmc."):
        raise ValueError(f"{name}: no class of sitqmc")
    kind: Any = importlib.import_module(module)
    for part in path.split("."):
        kind = getattr(kind, part)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise ValueError(f"{name}: no dataclass")
    return kind


def _word(key: Any) -> str:
    """Return a key as part of the name of a dataset."""
    return str(key).replace("/", "_").replace(".", "_") or "empty"
