"""Own parts of a run: observables in a Python file, disorder in a .npy file. Both are named by their hash."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc import Disorder, Model, make_disorder
from sitqmc.runs.errors import UserError

if TYPE_CHECKING:
    from sitqmc.qmc import OwnObservable

Rows = NDArray[Any]

HASH_DIGITS = 16


def file_hash(path: str, key: str) -> str:
    """Return the hash of a file that the configuration names under `key`; UserError if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:HASH_DIGITS]
    except OSError as error:
        raise UserError(
            f"{key} = {path!r}: cannot be read ({error.strerror}); give the path of a file"
        ) from None


def _checked_hash(path: str, known: str, key: str) -> str:
    """Return the hash of a file; UserError if another one is known."""
    found = file_hash(path, key)
    if known and found != known:
        raise UserError(
            f"{key} = {path!r}: has changed since the run began (hash {found}, was {known}); "
            "restore it or choose another output.path"
        )
    return found


def own_observables(path: str, known: str = "") -> tuple[OwnObservable, ...]:
    """Return the observables that a Python file lists in OBSERVABLES; none for an empty path.

    known   hash of the file when the run began
    raises  UserError if the file has changed, fails, or lists something else
    """
    if not path:
        return ()
    key = "[observables] own"
    return _listed(path, _checked_hash(path, known, key), key)


@lru_cache(maxsize=8)
def _listed(path: str, known: str, key: str) -> tuple[OwnObservable, ...]:
    """Run a file of which the hash is known, once for each of its versions."""
    try:
        found = runpy.run_path(path).get("OBSERVABLES", ())
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{key} = {path!r}: fails ({reason}); mend the file") from None
    listed = tuple(found) if isinstance(found, (list, tuple)) else ()
    from sitqmc.qmc import OwnObservable  # loads the kernels; most commands do without them

    if not listed or not all(isinstance(one, OwnObservable) for one in listed):
        raise UserError(f"{key} = {path!r}: must list its sitqmc.qmc.OwnObservable in OBSERVABLES = [...]")
    return listed


@lru_cache(maxsize=2)
def _array(path: str, known: str) -> Rows:
    key = "[disorder] file"
    _checked_hash(path, known, key)
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{key} = {path!r}: no .npy array ({reason}); write it with numpy.save") from None


def own_disorder(path: str, known: str, model: Model, samples: Sequence[int]) -> list[Disorder]:
    """Return the disorder of some samples from a .npy file.

    path    bool or 0 and 1, (n, 2, Ly, Lx): which bonds are present; or numbers of this shape: the coupling
            E_J of every bond, 0 where it is missing. Row k is sample k
    raises  UserError for a wrong shape or value, a sample beyond the last row, or a model with disorder of
            its own
    """
    array, where = _array(path, known), f"[disorder] file = {path!r}"
    wanted = (2, model.Ly, model.Lx)
    shape = ', '.join(map(str, wanted))
    if array.ndim != 4 or array.shape[1:] != wanted:
        raise UserError(f"{where}: has shape {array.shape}; must be (samples, {shape})")
    if max(samples, default=0) >= len(array):
        raise UserError(
            f"{where}: holds {len(array)} samples, sample {max(samples)} is wanted; lower [disorder] samples"
        )
    for name in ("p", "p_site", "spread_J", "spread_C"):
        if getattr(model, name):
            raise UserError(f"{where}: the file is the disorder; [model] {name} must be 0")
    try:
        return [_one(array[k], model) for k in samples]
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _one(rows: Rows, model: Model) -> Disorder:
    if rows.dtype.kind == "b" or (rows.dtype.kind in "iu" and np.all((rows == 0) | (rows == 1))):
        return make_disorder(model.Lx, model.Ly, bonds=rows)
    return make_disorder(model.Lx, model.Ly, bonds=rows != 0, E_J=np.where(rows == 0, 1.0, rows))
