"""Files that a kill cannot spoil."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sitqmc.runs.errors import UserError


def replace_file(path: Path, write: Callable[[Path], None], *, durable: bool = True) -> None:
    """Let `write` fill a file beside `path`, force it to the disk (if durable) and rename it.

    At any instant `path` is the old file or the new one, whole. UserError if it cannot be written
    (a full disk, say); the old file then stays.
    """
    beside = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.tmp")
    try:
        write(beside)
        if durable:
            with open(beside, "rb") as written:
                os.fsync(written.fileno())
        os.replace(beside, path)
        if durable:
            _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:     # h5py raises RuntimeError where a close fails
        beside.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written ({_reason(error)}); free space or choose another output.path"
        ) from None


def _reason(error: Exception) -> str:
    """What the system said, also where HDF5 tells a long story around it."""
    text = str(error) or type(error).__name__
    told = re.search(r"error message = '([^']+)'", text)
    if told:
        return told.group(1)
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else text.splitlines()[0]


def _sync_folder(folder: Path) -> None:
    """Force the folder's names to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_text(path: Path, text: str, *, durable: bool = True) -> None:
    """`replace_file` with a text."""

    def write(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8")

    replace_file(path, write, durable=durable)


def replace_json(path: Path, value: Any) -> None:
    """A small value that may be lost with the machine, but is never seen half."""
    replace_text(path, json.dumps(value), durable=False)


def remove_leftovers(folder: Path) -> int:
    """Remove what kills left beside files of `folder`; returns how many there were."""
    found = list(folder.glob(".*.tmp"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def make_folder(path: Path) -> None:
    """The folder, created if need be; UserError if it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be made ({error.strerror}); choose an output.path you may write"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{path}: is not writable; choose an output.path you may write")
