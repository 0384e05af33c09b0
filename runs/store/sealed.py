"""Sealed HDF5 files: a hash of all bytes stands at the end, and is checked before HDF5 sees the file.

Damage anywhere thus ends in an error, never in a wrong number or in a loop inside the library. HDF5 and all
programs built on it ignore what follows the end of a file. The newer file layout is used, whose structures
carry checksums of their own. Knows nothing of physics; imports neither numba nor MPI.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sitqmc.runs.errors import NotOurs

LAYOUT = ("v110", "v110")    # readable by every HDF5 since 1.10
PACKED: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
MARK = b"\nsitqmc blake2b "
SEAL_BYTES = len(MARK) + 64 + 1

Arrays = Mapping[str, NDArray[Any]]

Identity = tuple[int, int, int, int]

_checked: dict[Identity, bool] = {}
"""Files looked at before, by device, inode, size and time of change; whether they bear a (good) seal."""


@contextmanager
def writing(path: Path) -> Iterator[h5py.File]:
    """A new file, sealed when it is closed."""
    with h5py.File(path, "w", libver=LAYOUT) as file:
        yield file
    with open(path, "rb") as written:
        seal = _hash(written, path.stat().st_size)
    with open(path, "ab") as written:
        written.write(seal)
        written.flush()
        _checked[_identity(written)] = True


def _identity(file: Any) -> Identity:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _hash(file: Any, size: int) -> bytes:
    """The seal of the first `size` bytes."""
    total, left = hashlib.blake2b(digest_size=32), size
    while left > 0:
        piece = file.read(min(left, 1 << 20))
        if not piece:
            break
        total.update(piece)
        left -= len(piece)
    return MARK + total.hexdigest().encode() + b"\n"


def sealed(path: Path) -> bool:
    """Whether the file bears a seal; NotOurs if the seal is broken."""
    with open(path, "rb") as file:
        now = _identity(file)
        if now in _checked:
            return _checked[now]
        size = now[2] - SEAL_BYTES
        file.seek(max(size, 0))
        seal = file.read()
        found = size > 0 and seal.startswith(MARK)
        if found:
            file.seek(0)
            if _hash(file, size) != seal:
                raise NotOurs(f"{path}: damaged, its bytes do not fit its hash; restore it or move it away")
    _checked[now] = found
    return found


def write_group(group: h5py.Group, head: Mapping[str, Any], arrays: Arrays, packed: str = "state/") -> None:
    """Write a JSON head and arrays. Large arrays whose name begins with `packed` are compressed."""
    for name, a in arrays.items():
        tight = name.startswith(packed) and a.nbytes > 4096
        group.create_dataset(name, data=a, **(PACKED if tight else {}))
    group.attrs["head"] = json.dumps({**head, "arrays": list(arrays)})


def read_group(group: h5py.Group) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Head and arrays of a group."""
    head = read_head(group)
    return head, {name: np.asarray(group[name][()]) for name in head["arrays"]}


def read_head(group: h5py.Group) -> dict[str, Any]:
    """The head alone."""
    return dict(json.loads(str(group.attrs["head"])))


@contextmanager
def reading(path: Path, check: bool = True) -> Iterator[h5py.File]:
    """The file for reading, its seal checked; NotOurs in one line for whatever goes wrong with it inside.

    A file without a seal is let through: those of version 1 have none.
    """
    try:
        if check:
            sealed(path)
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (NotOurs, FileNotFoundError):
        raise
    except (
        OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError, MemoryError,
        OverflowError, SystemError,
    ) as error:  # fmt: skip
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise NotOurs(
            f"{path}: truncated or damaged, or no HDF5 file ({reason}); restore it or move it away"
        ) from None
