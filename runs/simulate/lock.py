"""One output takes one run at a time: a lock that names its owner and expires with it.

On one machine, and on file systems that share locks between machines, the system's file lock decides: it
ends with its owner. Elsewhere the heartbeat decides: an owner on another host that has not touched the file
for EXPIRES seconds is taken for dead. The next run waits up to that time by its own monotonic clock, so that
a chain of jobs on changing hosts survives a dead node. After one heartbeat the next run is refused. A job
that was requeued recognises itself.
"""

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from sitqmc.progress import log
from sitqmc.runs.errors import Stopped, UserError
from sitqmc.runs.simulate.stop import Stop
from sitqmc.runs.store.atomic import UNSUPPORTED, sync_folder, write_error

NAME = ".lock"
HEARTBEAT = 10.0             # s
EXPIRES = 120.0              # s
RELEASE_WAIT = 2.0           # s, for a killed owner to disappear
POLL = 1.0                   # s, between two looks for a heartbeat


def lock_owner(folder: Path) -> dict[str, Any] | None:
    """Return who holds the lock by its file: host, process, job, started, age in s; None if nobody."""
    path = folder / NAME
    try:
        owner = dict(json.loads(path.read_text(encoding="utf-8")))
        return owner | {"age": max(0.0, time.time() - path.stat().st_mtime)}
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def exclusive_lock(
    folder: Path, stop: Stop | None = None, heartbeat: float = HEARTBEAT
) -> Iterator[str | None]:
    """Hold the folder's lock. Yields a remark on a dead owner, or None.

    stop    ends the wait for a heartbeat; it is told to stop if another run takes the lock later
    raises  UserError if another run has the lock; Stopped; WriteFailed if the disk is full
    """
    stop = stop or Stop()
    try:
        lock = open(folder / NAME, "a+", encoding="utf-8")  # noqa: SIM115 - the errors of `open` alone
    except OSError as error:
        raise write_error(folder / NAME, error) from None
    with lock:
        remark = _take(folder, lock, stop)
        mine = _claim(lock, folder / NAME)
        done = threading.Event()
        watch = threading.Thread(
            target=_keep, args=(folder / NAME, mine, done, stop, heartbeat), daemon=True
        )
        watch.start()
        try:
            yield remark
        finally:
            done.set()
            watch.join()
            if _read(folder / NAME) == mine:
                lock.truncate(0)


def _take(folder: Path, lock: TextIO, stop: Stop) -> str | None:
    held = _is_held(lock)
    lock.seek(0)
    text = lock.read()
    owner = lock_owner(folder) if text else None
    name = _named(owner)
    if held or (owner is not None and _is_alive_elsewhere(folder, owner, stop)):
        raise UserError(
            f"{folder}: another sitqmc run ({name}) is writing here; "
            "wait for it or choose another output.path"
        )
    return f"the last run ({name}) was killed; this run resumes it" if owner else None


def _is_alive_elsewhere(folder: Path, owner: dict[str, Any], stop: Stop) -> bool:
    """Wait for a heartbeat of an owner on another host; returns whether there was one before it expired."""
    requeued = bool(_job()) and owner.get("job") == _job() and owner.get("restart", "") != _restart()
    if owner["host"] == os.uname().nodename or requeued:
        return False
    # A stamp in the future, or older than the file server knows, says nothing: 0 to EXPIRES are left.
    patience = EXPIRES - min(EXPIRES, max(0.0, _age(folder)))
    if patience <= 0:
        return False
    log.warning(
        "%s: the last run (%s) may be alive; waiting for a heartbeat, at most %.0f s", folder,
        _named(owner), patience,
    )  # fmt: skip
    seen, started = (folder / NAME).stat().st_mtime, time.monotonic()
    while time.monotonic() - started < patience:
        reason = stop.reason()
        if reason:
            raise Stopped(reason)
        time.sleep(POLL)
        if (folder / NAME).stat().st_mtime != seen or _read(folder / NAME) != _without_age(owner):
            return True
    return False


def _without_age(owner: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in owner.items() if key != "age"}


def _job() -> str:
    return os.environ.get("SLURM_JOB_ID") or os.environ.get("PBS_JOBID") or ""


def _restart() -> str:
    return os.environ.get("SLURM_RESTART_COUNT", "")


def _is_held(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return not _released(lock)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise write_error(Path(lock.name), error) from None
        owner = _read(Path(lock.name))
        return bool(owner) and owner["host"] == os.uname().nodename and _is_alive(int(owner["process"]))
    return False


def warn_of_file_system(folder: Path) -> None:
    """Warn of a file system without locks, or whose folders cannot be synced; the caller has the lock."""
    lacking = []
    with suppress(OSError), open(folder / NAME, encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:                  # the lock of this process works
            pass
        except OSError:
            lacking.append("files cannot be locked, the heartbeat of the lock keeps other runs away")
    with suppress(OSError):
        if not sync_folder(folder):
            lacking.append("folders cannot be synced, a power failure may lose the last checkpoint")
    if lacking:
        log.warning("%s: limits of this file system: %s", folder, "; ".join(lacking))


def _released(lock: TextIO) -> bool:
    """Wait a little for a killed owner to disappear; returns whether the lock is ours then."""
    for _ in range(round(RELEASE_WAIT / 0.1)):
        time.sleep(0.1)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def owner_is_dead(owner: dict[str, Any]) -> bool:
    """Return whether the owner of a lock is dead: certainly, or by its silence."""
    if owner["host"] == os.uname().nodename:
        return not _is_alive(int(owner["process"]))
    return float(owner["age"]) > EXPIRES


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _age(folder: Path) -> float:
    """Return the seconds since the last heartbeat, by the clock of the file system."""
    probe = folder / f"{NAME}.{os.uname().nodename}.{os.getpid()}.tmp"
    try:
        probe.touch()
        return probe.stat().st_mtime - (folder / NAME).stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _claim(lock: TextIO, path: Path) -> dict[str, Any]:
    mine = {
        "host": os.uname().nodename,
        "process": os.getpid(),
        "job": _job(),
        "restart": _restart(),
        "started": time.time(),
    }
    try:
        lock.truncate(0)
        lock.write(json.dumps(mine))
        lock.flush()
    except OSError as error:
        raise write_error(path, error) from None
    return mine


def _keep(path: Path, mine: dict[str, Any], done: threading.Event, stop: Stop, heartbeat: float) -> None:
    """Touch the lock at every heartbeat; tell `stop` if it has another owner."""
    while not done.wait(heartbeat):
        if _read(path) != mine:
            stop.given_reason = "another run has taken the lock of the output"
            return
        with suppress(OSError):                  # the file system may be away for a while
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
