"""Files that are replaced as a whole: a kill at any instant leaves the old file or the new one."""

import contextlib
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sitqmc.runs.errors import UserError, WriteFailed

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""Answers of file systems that have no locks, or cannot sync a folder."""


def replace_file(path: Path, write: Callable[[Path], None], *, durable: bool = True) -> None:
    """Let `write` fill a file beside `path`, force it to the disk (if durable) and rename it.

    raises  WriteFailed if the disk is full, UserError if the folder may not be written; the old file stays
    """
    beside = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.tmp")
    try:
        write(beside)
        if durable:
            with open(beside, "rb") as written:
                os.fsync(written.fileno())
        os.replace(beside, path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        with contextlib.suppress(OSError):       # it is there only if something failed
            beside.unlink(missing_ok=True)


def write_error(path: Path, error: OSError) -> Exception:
    """Return the error to raise for a file that cannot be written."""
    if error.errno == errno.ENOSPC:
        return WriteFailed(f"{path}: no space left on the disk; free some space")
    if error.errno in FULL:
        reason = os.strerror(error.errno)
        return WriteFailed(f"{path}: cannot be written ({reason}); free space or raise the quota")
    return UserError(
        f"{path}: cannot be written ({error.strerror or error}); choose an output.path you may write"
    )


def sync_folder(folder: Path) -> bool:
    """Force the names in a folder to the disk; returns False on (network) file systems that cannot."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return False
    finally:
        os.close(handle)
    return True


def refresh(folder: Path) -> None:
    """Let a network file system list a folder as it is now, and not from its attribute cache.

    A client that changes a folder must ask the server for its attributes again: a file is made and removed.
    """
    probe = folder / f".look.{os.uname().nodename}.{os.getpid()}.tmp"
    with contextlib.suppress(OSError):           # no such folder, or a full disk
        probe.touch()
        probe.unlink(missing_ok=True)


def replace_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file by a text; errors as of `replace_file`."""

    def write(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8")

    replace_file(path, write, durable=durable)


def replace_json(path: Path, value: Any) -> None:
    """Replace a file by a value that may be lost with the machine; errors as of `replace_file`."""
    replace_text(path, json.dumps(value), durable=False)


def remove_leftovers(folder: Path) -> int:
    """Remove the unfinished files that kills have left in a folder; returns how many there were."""
    found = list(folder.glob(".*.tmp"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def make_folder(path: Path) -> None:
    """Create the folder if need be; UserError if it may not be written, WriteFailed if the disk is full."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise write_error(path, error) from None
        raise UserError(
            f"{path}: cannot be created ({error.strerror}); choose an output.path you may write"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{path}: is not writable; choose an output.path you may write")
