"""What a run has done so far, read from its files while it runs. Imports neither numba nor MPI."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.estimate import concise
from sitqmc.qmc.model.parameters import ParameterSpace, parameters_of
from sitqmc.runs.formatting import columns, time_left
from sitqmc.runs.simulate.lock import lock_owner, owner_is_dead
from sitqmc.runs.store.run_folder import PROGRESS, Inventory, RunFolder
from sitqmc.runs.store.samples import GroupSummary, SampleRows

COLUMNS = ("bins/rho_s_x", "bins/rho_s_y", "cost/sweeps_per_measurement", "tau_int/rho_s_x")


@dataclass(frozen=True)
class PointStatus:
    """Stiffness and tau_int of every finished sample of a point, sweeps of all chains, and open chains."""

    rho_s: np.ndarray[Any, Any]
    tau_int: np.ndarray[Any, Any]
    sweeps: float
    open_chains: int


def status(path: Path) -> str:
    """Return a table by point and a line on the state of the run; UserError if there is no run."""
    folder = RunFolder(path).require()
    found = folder.inventory()
    assert found.header is not None
    table = columns(list(_table(folder, found.header.table)))
    found = folder.latest or found
    lines = [*table, _state(folder.folder) or _finished(found)]
    if found.failed:
        names = ", ".join(sorted({str(f["sample"]) for f in found.failed}))
        lines.append(f"failed: {len(found.failed)} samples ({names}): {found.failed[0]['error']}")
    return "\n".join([*lines, *(reason for _, reason in found.damaged)])


def _table(folder: RunFolder, config: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the head and one row per point."""
    points = folder.consistent(lambda: _points(folder.latest or folder.inventory(), config))
    space = ParameterSpace([dict(key) for key in points])
    yield [*space.columns, "samples", "open", "sweeps", "rho_s", "tau_int"]
    for key, point in points.items():
        n = len(point.rho_s)
        error = float(point.rho_s.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
        yield [
            *space.cells(dict(key)),
            f"{n}/{max(n, config['disorder']['samples'])}",
            str(point.open_chains),
            f"{point.sweeps:.3g}",
            concise(float(point.rho_s.mean()), error) if n else "-",
            f"{np.mean(point.tau_int):.2f}" if n else "-",
        ]


def _points(found: Inventory, config: dict[str, Any]) -> dict[tuple[tuple[str, Any], ...], PointStatus]:
    """Return the numbers of every point, by its parameters; the run file comes first."""
    groups: dict[tuple[tuple[str, Any], ...], list[GroupSummary]] = {}
    for group in sorted(found.groups, key=lambda g: g.path.name != "run.h5"):
        groups.setdefault(tuple(parameters_of(group.parameters).items()), []).append(group)
    open_chains: dict[tuple[tuple[str, Any], ...], dict[int, float]] = {}
    for chains in found.open:
        key = tuple(parameters_of(chains.parameters).items())
        open_chains.setdefault(key, {}).update(dict.fromkeys(chains.samples, chains.progress))
    seed = config["disorder"]["seed"]
    return {
        key: _point(groups.get(key, []), open_chains.get(key, {}), config["schedule"], seed)
        for key in dict.fromkeys((*groups, *open_chains))
    }


def _point(
    groups: list[GroupSummary], open_chains: dict[int, float], schedule: dict[str, Any], seed: int
) -> PointStatus:
    sweeps, rho_s, tau_int, finished = 0.0, [np.zeros(0)], [np.zeros(0)], set()
    if groups:
        rows = SampleRows(groups)
        finished = {number for s, number in rows.keys.tolist() if s == seed}
        square = groups[0].parameters["Lx"] == groups[0].parameters["Ly"]
        for piece in rows.pieces(COLUMNS):
            x, y = piece["bins/rho_s_x"], piece["bins/rho_s_y"]
            rho_s.append(((x + y) / 2 if square else x).mean(axis=1))
            tau_int.append(piece.get("tau_int/rho_s_x", np.full(len(x), math.nan)))
            measured = x.shape[1] * schedule["measurements_per_bin"] * piece["cost/sweeps_per_measurement"]
            sweeps += float(np.sum(schedule["therm_sweeps"] + measured))
    unfinished = {number: done for number, done in open_chains.items() if number not in finished}
    total = sweeps + sum(unfinished.values())
    return PointStatus(np.concatenate(rho_s), np.concatenate(tau_int), total, len(unfinished))


def _finished(found: Inventory) -> str:
    """Return one line on a run at which nobody works."""
    from sitqmc.runs.simulate.tasks import is_complete  # scipy: slow to import, a running job does without

    if found.header is not None and is_complete(found.header.config, found):
        return "complete"
    return "not running, not complete: `sitqmc run` will resume it"


def _state(folder: Path) -> str:
    """Return one line: who simulates, how far the run is, and the remaining time; "" if nobody does."""
    owner = lock_owner(folder)
    try:
        note = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        note = None
    if owner is None:
        return ""
    job = f", job {owner['job']}" if owner.get("job") else ""
    if owner_is_dead(owner):
        last = f"host {owner['host']}, process {owner['process']}{job}"
        return f"not running: the last run ({last}) was killed; `sitqmc run` will resume it"
    line = f"running on {owner['host']}, process {owner['process']}{job}, "
    line += f"last heartbeat {owner['age']:.0f} s ago"
    if note:
        left = note["seconds_left"]
        if left is not None:
            left = max(0.0, left - (time.time() - note["updated"]))
        line += f"; {note['samples']}/{note['of']} samples, {note['workers']} workers, "
        line += time_left(left if left is not None else math.nan)
    return line
