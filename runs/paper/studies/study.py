"""Reduced data behind the figures of the paper: per-sample means, small enough to be part of the package.

A study is a set of points made by one configuration, `runs/paper/data/configs/SIZE_STUDY.toml`:

    dirty    the transition at fixed E_C/E_J, tuned by the fraction p of missing bonds; several sizes
    clean    its clean counterpart, p = 0, tuned by E_C/E_J
    trotter  one point at three widths of the time slice

Scalars of every sample are stored in float32. Correlators are stored at some Matsubara numbers (all low ones,
every fourth of the others): their mean, and in float16 the deviations of the samples in units of their
standard deviation. Means are exact, covariances are accurate to 0.1 %.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import CorrelatorData, midpoint_conductivity
from sitqmc.estimate import Estimate
from sitqmc.qmc import Model, PointAverages, average, sample_means
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.point import PointResult
from sitqmc.runs.store.atomic import replace_file
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.samples import PointSamples

Array = NDArray[np.float64]

DATA = Path(__file__).parents[1] / "data"
CONFIGS = DATA / "configs"
STUDIES = ("dirty", "clean", "trotter")
SCALARS = ("rho_s", "rho_s_x", "rho_s_y", "kappa", "minus_k", "energy")
CORRELATORS = ("rho", "chi_s", "G_k0")
ALL_BELOW, EVERY = 32, 4  # Matsubara numbers that are stored
SLICES = 36  # imaginary times stored between 0 and beta/2
FORMAT = 1


@dataclass(frozen=True)
class ReducedPoint:
    """Per-sample means of one model.

    scalars      (samples,) by name
    correlators  (samples, k): rho and chi_s at Matsubara numbers `n`, G_k0 at slices `tau`; may be empty
    sigma_low    beta^2 Lambda(beta/2)/pi in 4e^2/h; missing where not all n were measured
    """

    model: Model
    scalars: dict[str, Array]
    correlators: dict[str, Array]
    n: NDArray[np.int64]
    tau: NDArray[np.int64]
    sigma_low: Estimate

    @property
    def n_samples(self) -> int:
        """Number of disorder samples."""
        return len(self.scalars["rho_s"])

    def estimate(self, name: str) -> Estimate:
        """Return the disorder average of a scalar."""
        return average(self.scalars[name])

    def result(
        self, spectra: Mapping[str, Any], scales: Mapping[str, Estimate], warnings: tuple[str, ...]
    ) -> PointResult[Any]:
        """Return averages, spectra and scales of the point as one value; sigma_low joins the scales."""
        values = {name: self.estimate(name) for name in self.scalars}
        averages = PointAverages(self.model, self.scalars | self.correlators, values, {}, ())
        return PointResult(averages, spectra, warnings, {**scales, "sigma_low": self.sigma_low})

    def correlator(self, name: str) -> CorrelatorData:
        """Return the data of a correlator for a continuation; UserError if they were not stored."""
        if name not in self.correlators:
            raise UserError(f"{name} at L = {self.model.Lx}, p = {self.model.p:g}: not stored; simulate it")
        m, table = self.model, self.correlators[name]
        if name == "G_k0":
            return CorrelatorData.from_samples(table, kind="green_tau", beta=m.beta, grid=self.tau * m.eps)
        kind: Any = {"rho": "rho_iw", "chi_s": "chi_iw"}[name]
        return CorrelatorData.from_samples(table, kind=kind, beta=m.beta, grid=self.n, eps=m.eps)


@dataclass(frozen=True)
class Study:
    """Points of one configuration. `origin`: version, commit, date, and the command that made them."""

    name: str
    points: tuple[ReducedPoint, ...]
    origin: dict[str, Any]

    @property
    def sizes(self) -> list[int]:
        """Values of L, ascending."""
        return sorted({point.model.Lx for point in self.points})

    def at(self, L: int) -> list[ReducedPoint]:
        """Return the points of one size, ordered by p and E_C/E_J."""
        mine = [point for point in self.points if point.model.Lx == L]
        return sorted(mine, key=lambda point: (point.model.p, point.model.charging))

    @property
    def largest(self) -> list[ReducedPoint]:
        """Points of the largest size whose correlators are stored."""
        sizes = [point.model.Lx for point in self.points if point.correlators]
        return self.at(max(sizes)) if sizes else []


def kept_numbers(largest: int) -> NDArray[np.int64]:
    """Return the Matsubara numbers out of 0 .. largest that are stored."""
    return np.array([*range(min(ALL_BELOW, largest) + 1), *range(ALL_BELOW + EVERY, largest + 1, EVERY)])


def kept_slices(L_tau: int) -> NDArray[np.int64]:
    """Return the slices out of 0 .. L_tau // 2 that are stored: both ends, evenly between."""
    return np.unique(np.round(np.linspace(0, L_tau // 2, SLICES)).astype(np.int64))


def reduce_point(data: PointSamples, correlators: bool = True) -> ReducedPoint:
    """Return the per-sample means that the figures need."""
    model, means = data.model, sample_means(data.model, data.bins)
    n, tau = kept_numbers(means["rho"].shape[1] - 1), kept_slices(model.L_tau)
    low = Estimate.missing()
    if means["rho"].shape[1] == model.L_tau // 2 + 1 and model.L_tau % 2 == 0:
        all_n = np.arange(means["rho"].shape[1])
        whole = CorrelatorData.from_samples(
            means["rho"], kind="rho_iw", beta=model.beta, grid=all_n, eps=model.eps
        )
        value = midpoint_conductivity(whole)
        low = Estimate(value.value, value.error)
    tables = {"rho": means["rho"][:, n], "chi_s": means["chi_s"][:, n], "G_k0": means["G_k0"][:, tau]}
    scalars = {name: means[name] for name in SCALARS}
    return ReducedPoint(model, scalars, tables if correlators else {}, n, tau, low)


def reduce_runs(name: str, folders: Sequence[Path], *, correlators_from: int = 0, command: str = "") -> Study:
    """Return a study from the output folders of its runs.

    correlators_from  sizes below this L are reduced to scalars
    """
    points: list[ReducedPoint] = []
    for folder in folders:
        for data in RunFolder(folder).points(names=["bins"]):
            points.append(reduce_point(data, correlators=data.model.Lx >= correlators_from))
    return Study(name, tuple(points), origin_of(folders, command))


def origin_of(folders: Iterable[Path], command: str) -> dict[str, Any]:
    """Return versions, dates and schedules of runs as plain values."""
    heads = [RunFolder(folder).header for folder in folders]
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
    """Write a study as one npz file."""
    arrays: dict[str, Any] = {}
    heads = []
    for i, point in enumerate(study.points):
        low = [point.sigma_low.value, point.sigma_low.error]
        heads.append({"model": asdict(point.model), "sigma_low": low})
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
    """Return a study that `save_study` wrote; UserError if the file is missing or something else."""
    try:
        with np.load(path) as file:
            head = json.loads(str(file["head"]))
            if head["format"] != FORMAT:
                raise UserError(
                    f"{path}: reduced data of format {head['format']}, not {FORMAT}; add --simulate"
                )
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise UserError(f"{path}: no stored data of this size; add --simulate") from None
    except (OSError, KeyError, ValueError):
        raise UserError(f"{path}: not reduced data of sitqmc, or damaged; delete the file") from None
    points = tuple(_point(arrays, i, one) for i, one in enumerate(head["points"]))
    return Study(head["name"], points, head["origin"])


def _point(arrays: dict[str, Any], i: int, head: dict[str, Any]) -> ReducedPoint:
    scalars = {name: arrays[f"{i}/scalar/{name}"].astype(float) for name in SCALARS}
    tables = {}
    for name in CORRELATORS:
        if f"{i}/mean/{name}" in arrays:
            deviation = arrays[f"{i}/deviation/{name}"].astype(float) * arrays[f"{i}/spread/{name}"]
            deviation -= deviation.mean(axis=0)  # rounding must not move the mean
            tables[name] = arrays[f"{i}/mean/{name}"] + deviation
    low = Estimate(*head["sigma_low"])
    return ReducedPoint(Model(**head["model"]), scalars, tables, arrays[f"{i}/n"], arrays[f"{i}/tau"], low)
