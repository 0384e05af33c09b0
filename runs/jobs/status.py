"""What a run has done so far, read from its files while it goes on. Imports neither numba nor MPI."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sitqmc.estimate import concise
from sitqmc.qmc.model.parameters import ParameterSpace
from sitqmc.runs.errors import NotOurs, UserError
from sitqmc.runs.formatting import clock, columns
from sitqmc.runs.simulate.lock import gone, owner_of
from sitqmc.runs.store.sealed import read_head, reading

STORE, PARTS, PROGRESS = "run.h5", "parts", "progress.json"
CHECKED = 200e6              # bytes; a larger store is not read as a whole only to look at it


@dataclass
class PointStatus:
    """What is there of one point, by (seed, sample); later files only add."""

    model: dict[str, Any]
    rho_s: dict[tuple[int, int], float] = field(default_factory=dict)
    sweeps: dict[tuple[int, int], float] = field(default_factory=dict)
    tau_int: dict[tuple[int, int], float] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)      # sweeps done, by sample


def status(folder: Path) -> str:
    """A table by point, and a line on the state of the run; UserError if there is no run."""
    store = folder / STORE
    if not store.exists():
        raise UserError(f"{folder}: holds no run ({STORE} is missing); give the output.path of a run")
    config, failed, points = _read_store(store)
    damaged = []
    for path in sorted((folder / PARTS).glob("*.h5")):
        try:
            failed += _read_part(path, points)
        except FileNotFoundError:
            continue
        except NotOurs as error:
            damaged.append(str(error))
    lines = columns(list(_rows(config, points)))
    lines += [_running(folder)]
    if failed:
        names = ", ".join(sorted({str(f["sample"]) for f in failed}))
        lines.append(f"set aside: {len(failed)} samples ({names}): {failed[0]['error']}")
    return "\n".join(lines + damaged)


def _read_store(path: Path) -> tuple[dict[str, Any], list[Any], dict[str, PointStatus]]:
    points: dict[str, PointStatus] = {}
    with reading(path, check=path.stat().st_size < CHECKED) as file:
        if file.attrs.get("version") != 2:
            raise NotOurs(f"{path}: version {file.attrs.get('version')} of the store; sitqmc run reads it")
        head = read_head(file)
        for name in sorted(file["points"]):
            _add(points, file["points"][name], head["config"])
    return head["config"], head["failed"], points


def _read_part(path: Path, points: dict[str, PointStatus]) -> list[Any]:
    with reading(path) as file:
        head = read_head(file)
        for group in (file[name] for name in head["groups"]):
            if group.parent.name == "/finished":
                _add(points, group, head["config"])
            else:
                point = _point(points, group)
                sweeps = float(read_head(group)["progress"])
                point.begun |= {int(sample): sweeps for sample in group["sample"][:]}
        return list(head["failed"])


def _point(points: dict[str, PointStatus], group: h5py.Group) -> PointStatus:
    model = read_head(group)["model"]
    return points.setdefault(json.dumps(model, sort_keys=True), PointStatus(model))


def _add(points: dict[str, PointStatus], group: h5py.Group, config: dict[str, Any]) -> None:
    """The finished samples of a group."""
    point = _point(points, group)
    if "sample" not in group:
        return
    x, y = group["bins/rho_s_x"][:], group["bins/rho_s_y"][:]
    square = point.model["Lx"] == point.model["Ly"]
    means = ((x + y) / 2 if square else x).mean(axis=1)
    s = config["schedule"]
    per_measurement = group["cost/sweeps_per_measurement"][:]
    sweeps = s["therm_sweeps"] + x.shape[1] * s["measurements_per_bin"] * per_measurement
    times = group["tau_int/rho_s_x"][:] if "tau_int/rho_s_x" in group else np.full(len(x), math.nan)
    for i, key in enumerate(zip(group["seed"][:].tolist(), group["sample"][:].tolist(), strict=True)):
        point.rho_s[key], point.sweeps[key], point.tau_int[key] = means[i], sweeps[i], times[i]


def _rows(config: dict[str, Any], points: dict[str, PointStatus]) -> Iterator[list[str]]:
    """Yield head and one row for each point, named by the parameters that tell the points apart."""
    space = ParameterSpace([point.model for point in points.values()])
    yield [*space.columns, "samples", "begun", "sweeps", "rho_s", "tau_int"]
    for point in points.values():
        n, values = len(point.rho_s), np.array(list(point.rho_s.values()))
        error = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
        begun = [s for s in point.begun if (config["disorder"]["seed"], s) not in point.rho_s]
        yield [
            *space.cells(point.model),
            f"{n}/{max(n, config['disorder']['samples'])}",
            str(len(begun)),
            f"{sum(point.sweeps.values()) + sum(point.begun[s] for s in begun):.3g}",
            concise(float(values.mean()), error) if n else "-",
            f"{np.mean(list(point.tau_int.values())):.2f}" if n else "-",
        ]


def _running(folder: Path) -> str:
    """One line: who works, how far, how long still."""
    owner = owner_of(folder)
    try:
        note = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        note = None
    if owner is None:
        return "not running"
    job = f", job {owner['job']}" if owner.get("job") else ""
    if gone(owner):
        last = f"host {owner['host']}, process {owner['process']}{job}"
        return f"not running: the last run ({last}) ended without a word; sitqmc run goes on"
    line = f"running on {owner['host']}, process {owner['process']}{job}, "
    line += f"last heartbeat {owner['age']:.0f} s ago"
    if note:
        left = note["seconds_left"]
        if left is not None:
            left = max(0.0, left - (time.time() - note["updated"]))
        line += f"; {note['samples']}/{note['of']} samples, {note['workers']} workers, about "
        line += f"{clock(left if left is not None else math.nan)} left"
    return line
