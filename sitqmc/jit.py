"""Options of the compiled kernels, and the folder that keeps their machine code.

Kernels take arrays and scalars, own no memory and release the interpreter lock. `fastmath` stays off: the
same configuration must give the same bits on every run.

Numba recompiles a kernel when its own file changes, but not when a function or constant changes that it
inlines from another file. The folder is therefore named by a hash of all these files. It lies in
NUMBA_CACHE_DIR if that is set, else in the package, else in the user's cache, else in the output folder of
the run, else among temporary files.
"""

import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import numba
from numba.core.caching import NullCache

njit: Any = numba.njit
config: Any = numba.config

PACKAGE = Path(__file__).resolve().parent
ROOMS = ("qmc", "continuation", "analytic")
PREFIX = "kernels-"
KEPT_DAYS = 30.0
"""Folders of other versions of the sources are removed after so many days without a change."""
OUTPUT = "SITQMC_OUTPUT"
"""Environment variable with the output folder of the run, which worker processes inherit."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on first call and keep the machine code on disk."""
    return _compiled(function)


def kernel_helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only kernels call.

    Such a function has no entry from Python: an eighth of all compilation would go into these entries. A call
    from Python raises TypeError; `py_func` of the result is the function itself.
    """
    return _without_entry(_compiled(function, no_cpython_wrapper=True))


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a helper of kernels as `kernel_helper`; LLVM merges its body into that of its caller."""
    return _without_entry(_compiled(function, no_cpython_wrapper=True, forceinline=True))


def _compiled(function: Callable[..., Any], **options: bool) -> Any:
    folder = lasting_folder()
    settings = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **options}
    with _caching_in(folder):
        compiled = njit(cache=folder is not None, **settings)(function)
    if folder is None:
        compiled._cache = _LateCache(compiled)
    return compiled


def _without_entry(compiled: Any) -> Callable[..., Any]:
    """Refuse calls from Python, which would jump to address zero."""

    def refuse(*_: object, **__: object) -> None:
        name = compiled.__name__
        raise TypeError(f"{name}: only kernels call it; call {name}.py_func, or mark {name} as a kernel")

    compiled._insert = lambda *_: None           # the dispatcher finds no code, so it asks for some
    compiled._compile_for_args = refuse
    return cast(Callable[..., Any], compiled)


@contextmanager
def _caching_in(folder: Path | None) -> Iterator[None]:
    """Let numba keep machine code in the folder; it reads the setting when caching is enabled."""
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder or "")
    try:
        yield
    finally:
        config.CACHE_DIR = before


class _LateCache(NullCache):
    """Cache of one kernel that chooses its folder at the first call: the output of a run is known by then."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        folder = cache_folder()
        if folder is None:
            self.compiled._cache = NullCache()
            return None
        with _caching_in(folder):
            self.compiled.enable_caching()       # replaces this cache
        return self.compiled._cache.load_overload(sig, target_context)


@cache
def lasting_folder() -> Path | None:
    """Return the folder of compiled kernels that outlives a run, made if necessary; None if not writable."""
    name = PREFIX + source_hash()
    for base in _lasting_folders():
        if _is_writable(base / name):
            _remove_old(base, name)
            return base / name
    return None


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, made if necessary; None if no folder is writable.

    One line on stderr says so where neither NUMBA_CACHE_DIR, the package nor the user's cache is writable.
    """
    lasting = lasting_folder()
    if lasting is not None:
        return lasting
    for base in _other_folders():
        first, folder = not base.exists(), base / (PREFIX + source_hash())
        if _is_writable(base) and _is_own(base) and _is_writable(folder):
            if first:                            # the processes of a run, and later runs, find it there
                _say(f"kept in {folder}")
            return folder
    _say("compiled anew in every process")
    return None


def offer_output(folder: Path) -> None:
    """Name the output folder of a run as a place for kernels, before the first kernel is called."""
    os.environ[OUTPUT] = str(folder.absolute())


def _say(kept: str) -> None:
    print(
        f"sitqmc: neither {PACKAGE} nor the user's cache is writable: kernels are {kept}; "
        "set NUMBA_CACHE_DIR to a writable folder to keep them elsewhere",
        file=sys.stderr, flush=True,
    )  # fmt: skip


def _other_folders() -> Iterator[Path]:
    """Yield the folders that belong to one run or to one machine, in order of preference."""
    if os.environ.get(OUTPUT):
        yield Path(os.environ[OUTPUT]) / ".kernels"
    yield Path(tempfile.gettempdir()) / f"sitqmc-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def _lasting_folders() -> Iterator[Path]:
    """Yield the folders that outlive a reboot, in order of preference."""
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR)
    yield PACKAGE / "__pycache__"
    cached = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    yield Path(cached) / "sitqmc"


def _is_writable(folder: Path) -> bool:
    """Make the folder if necessary, private to the user, and try to write into it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _is_own(folder: Path) -> bool:
    """Return whether nobody else owns a folder among temporary files: its machine code will be executed."""
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()


def _remove_old(base: Path, name: str) -> None:
    """Remove the kernels of sources that have changed since, if they have not been used for long."""
    for folder in base.glob(f"{PREFIX}*"):
        try:
            if folder.name != name and time.time() - folder.stat().st_mtime > KEPT_DAYS * 86400:
                for path in sorted(folder.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()
                folder.rmdir()
        except OSError:                                  # another process is faster, or it is in use
            continue


@cache
def source_hash() -> str:
    """Return a hash of the files with kernels and of all files of the package that these import."""
    sources: dict[Path, bytes] = {}
    waiting = [path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")]
    texts = {path: path.read_bytes() for path in waiting}
    waiting = [path for path in waiting if b"from sitqmc.jit import" in texts[path]]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources[path] = texts.get(path) or path.read_bytes()
            waiting += _imported(sources[path].decode())
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + sources[path])
    return digest.hexdigest()[:16]


def _imported(source: str) -> Iterator[Path]:
    """Yield the files of the package from which a source imports; it does so by absolute names."""
    for module, names in re.findall(r"^from sitqmc\.([\w.]+) import (.*)", source, re.MULTILINE):
        place = PACKAGE.joinpath(*module.split("."))
        for path in (place, *(place / name for name in re.findall(r"\w+", names))):
            if path.with_suffix(".py").is_file():
                yield path.with_suffix(".py")
