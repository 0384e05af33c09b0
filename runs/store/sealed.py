"""Sealed HDF5 files: hashes of all blocks of bytes follow the HDF5 data, and each block is checked when read.

HDF5 never sees an unchecked byte of a sealed file, so damage ends in an error and never in a wrong number.
A block is checked once per file and process; a reader of one observable hashes only the blocks it touches.

    HDF5 data        `size` bytes; programs built on HDF5 ignore the rest
    hashes           16 bytes (blake2b) for every BLOCK bytes of the data
    seal             MARK, size, hash of both and of all hashes

Files of layout version 2 end with one hash of all bytes, which is checked before the first access; files of
version 1 have none. Files are read and written through Python file objects: HDF5 locks nothing (NFS without
lock daemons), and a full disk is an ordinary OSError (HDF5 itself crashes on it).
"""

import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sitqmc.runs.errors import FileChanged, UnreadableFile

LAYOUT = ("v110", "v110")    # readable by every HDF5 since 1.10; its metadata carry checksums of their own
COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
COMPRESSED_ABOVE = 4096      # bytes
BLOCK = 1 << 16
DIGEST = 16
MARK = b"\nsitqmc blocks blake2b "
SEAL_BYTES = len(MARK) + 8 + DIGEST
MARK_2 = b"\nsitqmc blake2b "
SEAL_BYTES_2 = len(MARK_2) + 64 + 1

Arrays = Mapping[str, NDArray[Any]]
Identity = tuple[int, int, int, int]
"""Device, inode, size and time of change of a file."""


@dataclass(frozen=True)
class _Seal:
    """Seal of a file: size of its HDF5 data, hashes of the blocks, and 1 for each block checked so far.

    A file of version 2, checked as a whole, has no hashes; a file without a seal has size 0.
    """

    size: int
    hashes: bytes = b""
    checked: bytearray = field(default_factory=bytearray)


_seals: dict[Identity, _Seal] = {}


class OpenFile(h5py.File):
    """A file that is open for reading.

    identity   tells it from a later file of the same name
    is_sealed  whether it bears a seal; files of version 1 do not
    """

    identity: Identity
    is_sealed: bool


class NewFile(h5py.File):
    """A new sealed file that is open for writing."""

    target: "_Target"

    def raise_write_error(self) -> None:
        """Raise the OSError of the first write that failed, if any."""
        if self.target.error is not None:
            raise self.target.error


def _bare(error: OSError) -> OSError:
    """Return the error without its traceback: frames of HDF5's callbacks that outlive HDF5 crash the exit."""
    return OSError(error.errno, error.strerror)


class _Target(io.RawIOBase):
    """File that HDF5 writes through. An OSError is kept for later: HDF5 would crash on it when it closes.

    Bytes that could not be written are kept in memory, so that HDF5 reads back what it wrote.
    """

    def __init__(self, handle: int) -> None:
        self.handle, self.place, self.size = handle, 0, 0
        self.error: OSError | None = None
        self.unwritten: list[tuple[int, bytes]] = []

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self.error is None and done < len(view):
                done += os.pwrite(self.handle, view[done:], self.place + done)
        except OSError as error:
            self.error = _bare(error)
        if done < len(view):
            self.unwritten.append((self.place + done, bytes(view[done:])))
        self.place += len(view)
        self.size = max(self.size, self.place)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.size - self.place))
        view[:count] = os.pread(self.handle, count, self.place).ljust(count, b"\0")
        for start, data in self.unwritten:
            low, high = max(start, self.place), min(start + len(data), self.place + count)
            if low < high:
                view[low - self.place : high - self.place] = data[low - start : high - start]
        self.place += count
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (0, self.place, self.size)[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def truncate(self, size: int | None = None) -> int:
        self.size = self.place if size is None else size
        try:
            os.ftruncate(self.handle, self.size)
        except OSError as error:
            self.error = self.error or _bare(error)
        return self.size


@contextmanager
def writing(path: Path, seal: bool = True) -> Iterator[NewFile]:
    """Write a new file and seal it when it is closed.

    seal    False for files of other programs, which need no hashes
    raises  OSError, when the file is closed or by `raise_write_error`, if the disk is full, say
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        target = _Target(handle)
        with NewFile(target, "w", libver=LAYOUT) as file:
            file.target = target
            yield file
        if target.error is not None:
            raise target.error
        if not seal:
            return
        hashes = b"".join(_block_hashes(handle, target.size))
        _write_all(handle, hashes + _seal(target.size, hashes), target.size)
        _remember(_identity(handle), _Seal(target.size, hashes, bytearray(b"\1" * (len(hashes) // DIGEST))))
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes, place: int) -> None:
    while data:
        written = os.pwrite(handle, data, place)
        data, place = data[written:], place + written


def _hash(data: Any) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def _block_hashes(handle: int, size: int) -> Iterator[bytes]:
    for place in range(0, size, BLOCK):
        yield _hash(os.pread(handle, min(BLOCK, size - place), place))


def _seal(size: int, hashes: bytes) -> bytes:
    length = size.to_bytes(8, "little")
    return MARK + length + _hash(length + hashes)


def _identity(handle: int) -> Identity:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _remember(identity: Identity, seal: _Seal) -> None:
    while len(_seals) >= 256:
        _seals.pop(next(iter(_seals)))
    _seals[identity] = seal


def _read_seal(handle: int, path: Path) -> _Seal:
    """Return the seal of an open file; UnreadableFile if it is damaged."""
    identity = _identity(handle)
    if identity not in _seals:
        length = identity[2]
        _remember(identity, _seal_at_end(handle, length, path) or _seal_2_at_end(handle, length, path))
    return _seals[identity]


def _seal_at_end(handle: int, length: int, path: Path) -> _Seal | None:
    end = os.pread(handle, SEAL_BYTES, max(0, length - SEAL_BYTES))
    if not end.startswith(MARK):
        return None
    size = int.from_bytes(end[len(MARK) : len(MARK) + 8], "little")
    blocks = -(-size // BLOCK)
    if size + blocks * DIGEST + SEAL_BYTES != length:
        raise _damaged(path)
    hashes = os.pread(handle, blocks * DIGEST, size)
    if _seal(size, hashes) != end:
        raise _damaged(path)
    return _Seal(size, hashes, bytearray(blocks))


def _seal_2_at_end(handle: int, length: int, path: Path) -> _Seal:
    """Check a file of version 2 as a whole."""
    size = length - SEAL_BYTES_2
    end = os.pread(handle, SEAL_BYTES_2, max(0, size))
    if size <= 0 or not end.startswith(MARK_2):
        return _Seal(0)
    total = hashlib.blake2b(digest_size=32)
    for place in range(0, size, 1 << 20):
        total.update(os.pread(handle, min(1 << 20, size - place), place))
    if MARK_2 + total.hexdigest().encode() + b"\n" != end:
        raise _damaged(path)
    return _Seal(size)


def _damaged(path: Path) -> UnreadableFile:
    return UnreadableFile(f"{path}: damaged, its bytes do not match their hash; restore, move or delete it")


def _replaced(path: Path) -> FileChanged:
    return FileChanged(f"{path}: was replaced while it was read; try again")


class _Source(io.RawIOBase):
    """HDF5 data of a sealed file. Every block is compared with its hash before its bytes are handed out.

    A damaged block reads as zeros and sets `damaged`, a block that cannot be read sets `error`; `reading`
    turns both into errors when it ends. An exception would pass through HDF5, which may crash on it.
    """

    def __init__(self, handle: int, seal: _Seal) -> None:
        self.handle, self.seal, self.place = handle, seal, 0
        self.damaged = False
        self.error: OSError | None = None

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        stop = min(self.place + len(view), self.seal.size)
        start = self.place
        while self.place < stop:
            block, skip = divmod(self.place, BLOCK)
            data = self._block(block)[skip : skip + stop - self.place]
            view[self.place - start : self.place - start + len(data)] = data
            self.place += len(data)
        return max(0, stop - start)

    def _block(self, number: int) -> bytes:
        place = number * BLOCK
        length = min(BLOCK, self.seal.size - place)
        try:
            data = os.pread(self.handle, length, place)
        except OSError as error:
            self.error = self.error or _bare(error)
            return bytes(length)
        if not self.seal.checked[number]:
            if _hash(data) != self.seal.hashes[number * DIGEST : (number + 1) * DIGEST]:
                self.damaged = True
                return bytes(len(data))
            self.seal.checked[number] = 1
        return data

    def raise_damage(self, path: Path) -> None:
        """Raise the error of what was read, if any; ESTALE says that another host has replaced the file."""
        if self.error is not None and self.error.errno == errno.ESTALE:
            raise _replaced(path) from None
        if self.error is not None:
            raise UnreadableFile(f"{path}: cannot be read ({os.strerror(self.error.errno or 0)})") from None
        if self.damaged:
            raise _damaged(path) from None

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (0, self.place, self.seal.size)[whence]
        return self.place

    def tell(self) -> int:
        return self.place


@contextmanager
def reading(path: Path, identity: Identity | None = None) -> Iterator[OpenFile]:
    """Open the file for reading; whatever goes wrong with it inside is an UnreadableFile of one line.

    What was read counts only after the end of the context, where damage is raised. A file without a seal is
    let through, because files of version 1 have none.
    raises  FileNotFoundError; FileChanged if the file is not the one of `identity`; UnreadableFile
    """
    with open(path, "rb", buffering=0) as raw:
        source: _Source | None = None
        try:
            if identity is not None and _identity(raw.fileno()) != identity:
                raise _replaced(path)
            seal = _read_seal(raw.fileno(), path)
            source = _Source(raw.fileno(), seal) if seal.hashes else None
            options = {} if source else {"locking": False}
            with OpenFile(source or path, "r", **options) as file:
                file.identity, file.is_sealed = _identity(raw.fileno()), seal.size > 0
                yield file
            if source is not None:
                source.raise_damage(path)
        except (UnreadableFile, FileNotFoundError):
            raise
        except (
            OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError, MemoryError,
            OverflowError, SystemError,
        ) as error:  # fmt: skip
            if source is not None:
                source.raise_damage(path)
            if isinstance(error, OSError) and error.errno == errno.ESTALE:
                raise _replaced(path) from None
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UnreadableFile(
                f"{path}: truncated or damaged, or no HDF5 file ({reason}); restore, move or delete it"
            ) from None


def write_group(group: h5py.Group, head: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a JSON head and arrays; the head lists the names of the arrays."""
    for name, a in arrays.items():
        group.create_dataset(name, data=a)
    write_head(group, {**head, "arrays": list(arrays)})


def write_head(group: h5py.Group, head: Mapping[str, Any]) -> None:
    """Write the JSON head of a group."""
    group.attrs["head"] = json.dumps(head)


def read_group(group: h5py.Group) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return head and arrays of a group."""
    head = read_head(group)
    return head, {name: np.asarray(group[name][()]) for name in head["arrays"]}


def read_head(group: h5py.Group) -> dict[str, Any]:
    """Return the JSON head of a group."""
    return dict(json.loads(str(group.attrs["head"])))
