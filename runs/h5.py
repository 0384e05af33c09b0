"""Sealed HDF5 files: every group carries a hash of what it holds, and the root names all groups.

A seal covers the JSON text `head` of a group and its arrays (names, types, shapes, bytes), so damage
anywhere ends in an error and never in a wrong number. The newer file layout is used, whose own structures
carry checksums too. Knows nothing of physics; imports neither numba nor MPI.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from runs.errors import NotOurs

LAYOUT = ("v110", "v110")    # readable by every HDF5 since 1.10

PACKED: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}

Arrays = Mapping[str, NDArray[Any]]
Dress = Callable[[h5py.Group, str], None]


def digest(text: str, arrays: Arrays) -> str:
    """SHA-256 of a group."""
    total = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {a.dtype.str} {a.shape}".encode())
        total.update(a.data.cast("B") if a.size and a.ndim else a.tobytes())
    return total.hexdigest()


def write_sealed(group: h5py.Group, head: Mapping[str, Any], arrays: Arrays, packed: str = "state/") -> str:
    """Write and seal a group; returns its hash. Arrays whose name begins with `packed` are compressed."""
    text = json.dumps({**head, "arrays": sorted(arrays)})
    for name, a in arrays.items():
        tight = name.startswith(packed) and a.nbytes > 4096
        group.create_dataset(name, data=a, **(PACKED if tight else {}))
    group.attrs["head"], group.attrs["sha256"] = text, digest(text, arrays)
    return str(group.attrs["sha256"])


def read_sealed(group: h5py.Group) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Head and arrays of a group; ValueError if the seal is broken."""
    text = str(group.attrs["head"])
    head = dict(json.loads(text))
    arrays = {name: np.asarray(group[name][()]) for name in head.pop("arrays")}
    if digest(text, arrays) != group.attrs["sha256"]:
        raise ValueError("the contents do not fit the stored hash")
    return head, arrays


def read_head(group: h5py.Group) -> dict[str, Any]:
    """The head alone, not checked."""
    return dict(json.loads(str(group.attrs["head"])))


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """The file for reading; NotOurs in one line for whatever goes wrong with it inside."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except NotOurs:
        raise
    except FileNotFoundError:
        raise
    except (
        OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError, MemoryError,
        OverflowError, SystemError,
    ) as error:  # fmt: skip
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise NotOurs(
            f"{path}: truncated or damaged, or no HDF5 file ({reason}); restore it or move it away"
        ) from None
