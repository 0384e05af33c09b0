"""Results of the analysis in run.h5: written at the end of a run, read instead of a new analysis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.progress import log
from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UnreadableFile, UserError
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.point import RunPoint
from sitqmc.runs.store.merge import keep_results
from sitqmc.runs.store.provenance import package_version
from sitqmc.runs.store.run_file import KeptResult, model_text, read_results
from sitqmc.runs.store.run_folder import Inventory, RunFolder


def keep(folder: RunFolder, results: RunResults) -> None:
    """Write the results of a merged run into its run.h5. The caller holds the lock of the folder.

    raises  WriteFailed if the disk is full, UserError if the file may not be written
    """
    found = folder.inventory()
    if found.tables or not results.results:      # checkpoints: the run has gone on
        return
    keep_results(folder, _kept(results, found))
    folder.inventory()


def save_copy(folder: RunFolder, results: RunResults, path: Path | None) -> Path:
    """Write samples and results of a run to a new file; to its own run.h5 if `path` is None.

    raises  UserError if the file exists already or cannot be written, or if the run is not merged
    """
    if path is None:
        keep(folder, results)
        return folder.path
    if path.suffix != ".h5" or path.exists() or not path.parent.is_dir():
        why = "exists already" if path.exists() else "must be a new .h5 file in an existing folder"
        raise UserError(f"{path}: {why}; choose another file")
    found = folder.inventory()
    keep_results(folder, _kept(results, found), path)
    return path


def stored_points(folder: RunFolder, models: tuple[Model, ...], config: Config) -> list[RunPoint] | None:
    """Return the stored results of some points; None if one is missing or its samples have changed since."""
    found = folder.latest or folder.inventory()
    if not models or not folder.path.exists():
        return None
    try:
        return read_results(folder.path, [source_of(model, config, found) for model in models])
    except UnreadableFile as error:              # of another version; the samples are checked on their own
        log.info("%s: stored spectra are not used (%s)", folder.path, error)
        return None


def source_of(model: Model, config: Config, found: Inventory) -> dict[str, Any]:
    """Return the inputs of the result of a point as plain values."""
    rows = found.rows(model)
    keys = np.zeros((0, 2), np.int64) if rows is None else rows.keys
    source = {
        "sitqmc": package_version(),
        "model": model_text(model),
        "continuation": asdict(config.continuation),
        "samples": len(keys),
        "bins": 0 if rows is None else rows.n_bins,
        "keys": hashlib.blake2b(np.ascontiguousarray(keys).tobytes(), digest_size=16).hexdigest(),
    }
    return dict(json.loads(json.dumps(source)))


def _kept(results: RunResults, found: Inventory) -> list[KeptResult]:
    return [
        KeptResult(source_of(r.model, results.config, found), r, dict(_bands(r))) for r in results.results
    ]


def _bands(point: RunPoint) -> Iterator[tuple[str, Any]]:
    """Yield the 68 % band (2, omega) of every spectrum, for programs that read the file by themselves."""
    for name, spectrum in point.spectra.items():
        yield f"spectra/{name}/band", np.stack(spectrum.band())
