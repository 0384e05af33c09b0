"""Files that a kill cannot spoil, and a lock that ends with its owner."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runs.errors import UserError


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, force it to the disk and rename it.

    At any instant `path` is the old file or the new one, whole. UserError if it cannot be written
    (a full disk, say); the old file then stays.
    """
    beside = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.tmp")
    try:
        write(beside)
        with open(beside, "rb") as written:
            os.fsync(written.fileno())
        os.replace(beside, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written ({error}); free space or choose another output.path"
        ) from None


def replace_text(path: Path, text: str) -> None:
    """`replace_file` with a text."""

    def write(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8")

    replace_file(path, write)


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


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; UserError if another process has it. A killed owner loses it at once."""
    with open(folder / ".lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise UserError(
                f"{folder}: another sitqmc run ({owner}) is writing here; "
                "wait for it or choose another output.path"
            ) from None
        lock.truncate(0)
        lock.write(f"host {os.uname().nodename}, process {os.getpid()}")
        lock.flush()
        yield
