"""Reduced data behind the figures of the paper: per-sample means, small enough to travel with the package.

A study is a set of points made by one configuration, `runs/paper/configs/SIZE_STUDY.toml`:

    dirty    the transition at fixed E_C/E_J, tuned by the fraction p of missing bonds; several sizes
    clean    its clean counterpart, p = 0, tuned by E_C/E_J
    trotter  one point at three widths of the time slice

Scalars of every sample are kept in float32. Correlators are kept at some Matsubara numbers (all the low ones,
every fourth of the others) as their mean and, in float16, the deviations of the samples in units of their
standard deviation: means are exact, covariances good to 0.1 %.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import CorrelatorData, midpoint_conductivity
from sitqmc.estimate import Estimate
from sitqmc.qmc import Model, average, sample_means
from sitqmc.runs.errors import UserError
from sitqmc.runs.store.atomic import replace_file
from sitqmc.runs.store.run_file import NAME, PointData, read_blocks, read_store_head

Array = NDArray[np.float64]

DATA = Path(__file__).parent / "data"
STUDIES = ("dirty", "clean", "trotter")
SCALARS = ("rho_s", "rho_s_x", "rho_s_y", "kappa", "minus_k", "energy")
CORRELATORS = ("rho", "chi_s", "G_k0")
ALL_BELOW, EVERY = 32, 4  # Matsubara numbers kept
SLICES = 36  # imaginary times kept between 0 and beta/2
FORMAT = 1


@dataclass(frozen=True)
class Point:
    """Per-sample means of one model.

    scalars      (samples,) by name
    correlators  (samples, k): rho and chi_s at Matsubara numbers `n`, G_k0 at slices `tau`; may be empty
    sigma_low    beta^2 Lambda(beta/2)/pi in 4e^2/h with its error; nan where not all n were measured
    """

    model: Model
    scalars: dict[str, Array]
    correlators: dict[str, Array]
    n: NDArray[np.int64]
    tau: NDArray[np.int64]
    sigma_low: tuple[float, float]

    @property
    def samples(self) -> int:
        return len(self.scalars["rho_s"])

    def estimate(self, name: str) -> Estimate:
        """Disorder average of a scalar."""
        return average(self.scalars[name])

    def correlator(self, name: str) -> CorrelatorData:
        """Data for a continuation; UserError if it was not kept."""
        if name not in self.correlators:
            raise UserError(f"{name} of L = {self.model.Lx}, p = {self.model.p:g} was not kept; simulate it")
        m, table = self.model, self.correlators[name]
        if name == "G_k0":
            return CorrelatorData.from_samples(table, kind="green_tau", beta=m.beta, grid=self.tau * m.eps)
        kind: Any = {"rho": "rho_iw", "chi_s": "chi_iw"}[name]
        return CorrelatorData.from_samples(table, kind=kind, beta=m.beta, grid=self.n, eps=m.eps)


@dataclass(frozen=True)
class Study:
    """Points of one configuration. `origin`: who made them (version, commit, date) and the command."""

    name: str
    points: tuple[Point, ...]
    origin: dict[str, Any]

    @property
    def sizes(self) -> list[int]:
        """L, ascending."""
        return sorted({point.model.Lx for point in self.points})

    def at(self, L: int) -> list[Point]:
        """Points of one size, by p and E_C/E_J."""
        mine = [point for point in self.points if point.model.Lx == L]
        return sorted(mine, key=lambda point: (point.model.p, point.model.charging))

    @property
    def largest(self) -> list[Point]:
        """Points of the largest size whose correlators were kept."""
        sizes = [point.model.Lx for point in self.points if point.correlators]
        return self.at(max(sizes)) if sizes else []


def kept_numbers(largest: int) -> NDArray[np.int64]:
    """Matsubara numbers that are kept out of 0 .. largest."""
    return np.array([*range(min(ALL_BELOW, largest) + 1), *range(ALL_BELOW + EVERY, largest + 1, EVERY)])


def kept_slices(L_tau: int) -> NDArray[np.int64]:
    """Slices that are kept out of 0 .. L_tau // 2: both ends, evenly between."""
    return np.unique(np.round(np.linspace(0, L_tau // 2, SLICES)).astype(np.int64))


def reduce_point(data: PointData, correlators: bool = True) -> Point:
    """Per-sample means of what the figures need."""
    model, means = data.model, sample_means(data.model, data.bins)
    n, tau = kept_numbers(means["rho"].shape[1] - 1), kept_slices(model.L_tau)
    low = (float("nan"), float("nan"))
    if means["rho"].shape[1] == model.L_tau // 2 + 1 and model.L_tau % 2 == 0:
        all_n = np.arange(means["rho"].shape[1])
        whole = CorrelatorData.from_samples(
            means["rho"], kind="rho_iw", beta=model.beta, grid=all_n, eps=model.eps
        )
        value = midpoint_conductivity(whole)
        low = (value.value, value.error)
    tables = {"rho": means["rho"][:, n], "chi_s": means["chi_s"][:, n], "G_k0": means["G_k0"][:, tau]}
    return Point(model, {name: means[name] for name in SCALARS}, tables if correlators else {}, n, tau, low)


def reduce_runs(name: str, folders: Sequence[Path], *, correlators_from: int = 0, command: str = "") -> Study:
    """A study from the output folders of its runs.

    correlators_from  sizes below this L keep scalars only
    """
    points: list[Point] = []
    for folder in folders:
        # One point at a time: a large run does not fit into memory as a whole.
        for data in read_blocks(folder / NAME):
            points.append(reduce_point(data, correlators=data.model.Lx >= correlators_from))
    return Study(name, tuple(points), origin_of(folders, command))


def origin_of(folders: Iterable[Path], command: str) -> dict[str, Any]:
    """Versions, dates and schedules of runs, as plain values."""
    heads = [read_store_head(folder / NAME) for folder in folders]
    calls = [call for head in heads for call in head.history]
    return {
        "command": command,
        "sitqmc": sorted({str(call.get("sitqmc", "?")) for call in calls}),
        "git": sorted({str(call.get("git", "?")) for call in calls}),
        "started": min((str(call.get("started", "?")) for call in calls), default="?"),
        "schedules": [asdict(head.config.schedule) for head in heads],
        "seeds": sorted({head.config.disorder.seed for head in heads}),
    }


def save_study(path: Path, study: Study) -> None:
    """One npz file, written beside and renamed."""
    arrays: dict[str, Any] = {}
    heads = []
    for i, point in enumerate(study.points):
        heads.append({"model": asdict(point.model), "sigma_low": point.sigma_low})
        arrays[f"{i}/n"], arrays[f"{i}/tau"] = point.n, point.tau
        for name, values in point.scalars.items():
            arrays[f"{i}/scalar/{name}"] = values.astype(np.float32)
        for name, table in point.correlators.items():
            mean, spread = table.mean(axis=0), table.std(axis=0)
            arrays[f"{i}/mean/{name}"], arrays[f"{i}/spread/{name}"] = mean, spread
            unit = np.where(spread > 0, spread, 1.0)
            arrays[f"{i}/deviation/{name}"] = ((table - mean) / unit).astype(np.float16)
    head = {"format": FORMAT, "name": study.name, "origin": study.origin, "points": heads}
    arrays["head"] = np.array(json.dumps(head))

    def write(beside: Path) -> None:
        with open(beside, "wb") as file:  # a name would get .npz appended
            np.savez_compressed(file, **arrays)

    replace_file(path, write)


def load_study(path: Path) -> Study:
    """What `save_study` wrote; UserError if it is missing or something else."""
    try:
        with np.load(path) as file:
            head = json.loads(str(file["head"]))
            if head["format"] != FORMAT:
                raise UserError(
                    f"{path}: reduced data of format {head['format']}, not {FORMAT}; make it anew"
                )
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise UserError(f"{path}: no kept data of this size; simulate it with --simulate") from None
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: is no reduced data of sitqmc ({error}); make it anew") from None
    points = tuple(_point(arrays, i, one) for i, one in enumerate(head["points"]))
    return Study(head["name"], points, head["origin"])


def _point(arrays: dict[str, Any], i: int, head: dict[str, Any]) -> Point:
    scalars = {name: arrays[f"{i}/scalar/{name}"].astype(float) for name in SCALARS}
    tables = {}
    for name in CORRELATORS:
        if f"{i}/mean/{name}" in arrays:
            deviation = arrays[f"{i}/deviation/{name}"].astype(float) * arrays[f"{i}/spread/{name}"]
            deviation -= deviation.mean(axis=0)  # rounding must not move the mean
            tables[name] = arrays[f"{i}/mean/{name}"] + deviation
    low = head["sigma_low"]
    return Point(
        Model(**head["model"]), scalars, tables, arrays[f"{i}/n"], arrays[f"{i}/tau"], (low[0], low[1])
    )
