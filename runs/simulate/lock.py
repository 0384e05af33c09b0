"""One output takes one run at a time: a lock that names its owner and expires with it.

On one machine, and on file systems that share locks between machines, the system's file lock decides: it
ends with its owner. Elsewhere the heartbeat does: an owner on another host that has not touched the file
for EXPIRES seconds is taken for dead. The next run waits that long, so that a chain of jobs on changing
hosts survives a dead node; one heartbeat, and it is refused. A requeued job knows itself.
"""

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from sitqmc.runs.errors import UserError

NAME = ".lock"
HEARTBEAT = 10.0             # s
EXPIRES = 120.0              # s
PATIENCE = 2.0               # s
GLANCE = 1.0                 # s, between two looks for a heartbeat


def owner_of(folder: Path) -> dict[str, Any] | None:
    """Who holds the lock as far as the file says: host, process, job, started, age in s; None if nobody."""
    path = folder / NAME
    try:
        owner = dict(json.loads(path.read_text(encoding="utf-8")))
        return owner | {"age": time.time() - path.stat().st_mtime}
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def only_one(
    folder: Path, lost: Callable[[str], None] = lambda reason: None, heartbeat: float = HEARTBEAT
) -> Iterator[str | None]:
    """Hold the folder's lock; UserError if another run has it. Yields a remark on a dead owner, or None.

    `lost` is called with a reason if the lock is found in other hands later.
    """
    with open(folder / NAME, "a+", encoding="utf-8") as lock:
        remark = _take(folder, lock)
        mine = _claim(lock)
        done = threading.Event()
        watch = threading.Thread(
            target=_keep, args=(folder / NAME, mine, done, lost, heartbeat), daemon=True
        )
        watch.start()
        try:
            yield remark
        finally:
            done.set()
            watch.join()
            if _read(folder / NAME) == mine:
                lock.truncate(0)


def _take(folder: Path, lock: TextIO) -> str | None:
    held = _held_elsewhere(lock)
    lock.seek(0)
    text = lock.read()
    owner = owner_of(folder) if text else None
    name = _named(owner)
    if held or (owner is not None and _beats(folder, owner)):
        raise UserError(
            f"{folder}: another sitqmc run ({name}) is writing here; "
            "wait for it or choose another output.path"
        )
    return f"the last run ({name}) ended without a word" if owner else None


def _beats(folder: Path, owner: dict[str, Any]) -> bool:
    """Whether an owner on another host gives a sign of life before it expires."""
    requeued = bool(_job()) and owner.get("job") == _job() and owner.get("restart", "") != _restart()
    if owner["host"] == os.uname().nodename or requeued:
        return False
    age = _age(folder)
    if age >= EXPIRES:
        return False
    print(
        f"sitqmc: {folder}: the last run ({_named(owner)}) may be alive; waiting for a sign of it, "
        f"at most {EXPIRES - age:.0f} s", file=sys.stderr, flush=True,
    )  # fmt: skip
    seen = (folder / NAME).stat().st_mtime
    while _age(folder) < EXPIRES:
        time.sleep(GLANCE)
        if (folder / NAME).stat().st_mtime != seen or _read(folder / NAME) != _without_age(owner):
            return True
    return False


def _without_age(owner: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in owner.items() if key != "age"}


def _job() -> str:
    return os.environ.get("SLURM_JOB_ID") or os.environ.get("PBS_JOBID") or ""


def _restart() -> str:
    return os.environ.get("SLURM_RESTART_COUNT", "")


def _held_elsewhere(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return not _freed(lock)
    except OSError:                              # this file system knows no locks
        owner = _read(Path(lock.name))
        return bool(owner) and owner["host"] == os.uname().nodename and _lives(int(owner["process"]))
    return False


def _freed(lock: TextIO) -> bool:
    """Wait a little for a killed owner to be gone altogether; whether the lock is ours then."""
    for _ in range(round(PATIENCE / 0.1)):
        time.sleep(0.1)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def gone(owner: dict[str, Any]) -> bool:
    """Whether the owner is certainly, or by its silence, dead."""
    if owner["host"] == os.uname().nodename:
        return not _lives(int(owner["process"]))
    return float(owner["age"]) > EXPIRES


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _age(folder: Path) -> float:
    """Seconds since the last heartbeat, by the clock of the file system."""
    probe = folder / f"{NAME}.{os.uname().nodename}.{os.getpid()}.tmp"
    probe.touch()
    try:
        return probe.stat().st_mtime - (folder / NAME).stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _claim(lock: TextIO) -> dict[str, Any]:
    mine = {
        "host": os.uname().nodename,
        "process": os.getpid(),
        "job": _job(),
        "restart": _restart(),
        "started": time.time(),
    }
    lock.truncate(0)
    lock.write(json.dumps(mine))
    lock.flush()
    return mine


def _keep(
    path: Path, mine: dict[str, Any], done: threading.Event, lost: Callable[[str], None], heartbeat: float
) -> None:
    while not done.wait(heartbeat):
        if _read(path) != mine:
            lost("the lock of the output was taken by another run")
            return
        with suppress(OSError):                  # a file system that is away for a while
            os.utime(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _named(owner: dict[str, Any] | None) -> str:
    if owner is None:
        return "unknown"
    job = f", job {owner['job']}" if owner.get("job") else ""
    return f"host {owner['host']}, process {owner['process']}{job}"
