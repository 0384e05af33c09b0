"""Reduced data of the figures of the paper: disorder averages, small enough to be part of the package.

A study is a set of points made by one or several configurations, `runs/paper/data/configs/SIZE_STUDY.toml`
and SIZE_STUDY_*.toml:

    dirty     the transition at fixed E_C/E_J, tuned by the fraction p of missing bonds
    clean     its clean counterpart, p = 0, tuned by E_C/E_J
    critical  the conductivity at p_c by size and temperature
    scaling   windings of several sizes at L_tau ~ L^z, for the finite-size crossings
    thermal   rho_s around the transition temperature
    quantum   rho_s of the clean array in the rotor action around its transition temperature, by E_C/E_J
    trotter   one point at three widths of the time slice

Kept of a point: averages by the improved estimators and by plain ones, mean and covariance of the
correlators, and block means of some scalars, with which errors of what depends on several points are found.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import CorrelatorData, midpoint_conductivity
from sitqmc.continuation.data.correlator import Kind
from sitqmc.estimate import Estimate
from sitqmc.qmc import Model, PointAverages
from sitqmc.qmc.model.wave_vectors import matsubara_numbers, measured_waves
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.point import KINDS, PointResult, correlator_data
from sitqmc.runs.results.run import load as load_run
from sitqmc.runs.store.atomic import replace_file
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.sealed import writing

Array = NDArray[np.float64]

DATA = Path(__file__).parents[1] / "data"
CONFIGS = DATA / "configs"
STUDIES = ("dirty", "clean", "critical", "scaling", "thermal", "quantum", "trotter")
PLAIN = ("thermal", "quantum", "trotter")
"""Studies by plain estimators: functions of the mask would cost more than the simulation."""
CONTINUED = ("dirty", "clean")
"""Studies whose correlators are kept and continued."""
CORRELATORS_OF = {**dict.fromkeys(CONTINUED, ("rho", "chi_s", "G_k0")), "critical": ("rho",)}
"""Correlators that are kept, by study."""
SCALARS = ("rho_s", "rho_s_x", "rho_s_y", "kappa", "minus_k", "energy")
SCALARS_OF = {"thermal": ("rho_s",), "quantum": ("rho_s",)}
"""Scalars of a study without correlators, where not all of `BLOCKED` are needed."""
BLOCKED = ("rho_s", "kappa", "minus_k")
WAVES_OF_NAME = {"chi_s_q": "chi_s"}
"""Responses by wave vector whose scale is kept, and under which name."""
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of the samples below the quantiles that are kept, of scalars and of `sample_gaps`."""
BLOCKS = 100
SLICES = 36  # imaginary times stored between 0 and beta/2
FORMAT = 2


@dataclass(frozen=True)
class Response:
    """Disorder average of a correlator.

    grid         Matsubara numbers, or slices of G(tau)
    mean         (len(grid),)
    covariance   (len(grid), len(grid)) of the mean
    plain_error  (len(grid),) standard errors without the improved estimators; NaN if unknown
    """

    grid: NDArray[np.int64]
    mean: Array
    covariance: Array
    plain_error: Array

    def surrogate(self) -> Array:
        """Return rows, (2 len(grid), len(grid)), whose mean has exactly this mean and covariance.

        They carry the error through functions of samples, to first order.
        """
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        rows = 2 * len(self.grid)
        step = np.sqrt(rows * (rows - 1) / 2) * root.T
        return np.asarray(self.mean + np.concatenate([step, -step]))


@dataclass(frozen=True, eq=False)
class ReducedPoint:
    """Averages of one model.

    values     disorder averages of scalars by the improved estimators
    plain      the same, as measured
    blocks     (blocks,) block means of some scalars: sample s belongs to block s mod `BLOCKS`, so that points
               with the same bond masks share their scatter
    responses  correlators, by name; may be empty
    quantiles  (len(LEVELS),) of the distribution over samples, by name
    waves      (waves, 3) by name of a response: |q|, scale and error, see `wave_scales`
    chain_seconds  CPU time of one sample in s, by the trial of a plan; nan if unknown
    """

    model: Model
    n_samples: int
    values: Mapping[str, Estimate]
    plain: Mapping[str, Estimate] = field(default_factory=dict)
    blocks: Mapping[str, Array] = field(default_factory=dict)
    responses: Mapping[str, Response] = field(default_factory=dict)
    quantiles: Mapping[str, Array] = field(default_factory=dict)
    waves: Mapping[str, Array] = field(default_factory=dict)
    chain_seconds: float = math.nan

    def estimate(self, name: str) -> Estimate:
        """Return the disorder average of a scalar."""
        return self.values[name]

    @property
    def sigma_low(self) -> Estimate:
        """beta^2 Lambda(beta/2)/pi in 4e^2/h; missing where it was not measured."""
        if "rho" not in self.responses or self.model.L_tau % 2:
            return Estimate.missing()
        try:
            return midpoint_conductivity(self.correlator("rho"), interpolate=True)
        except ValueError:
            return Estimate.missing()

    def result(
        self, spectra: Mapping[str, Any], scales: Mapping[str, Estimate], warnings: tuple[str, ...]
    ) -> PointResult[Any]:
        """Return averages, spectra and scales of the point as one value; sigma_low joins the scales."""
        averages = PointAverages(self.model, {}, dict(self.values), {}, (), plain=self.plain)
        return PointResult(averages, spectra, warnings, {**scales, "sigma_low": self.sigma_low})

    def correlator(self, name: str) -> CorrelatorData:
        """Return the data of a correlator for a continuation; UserError if they were not stored."""
        if name not in self.responses:
            raise UserError(f"{name} at L = {self.model.Lx}, p = {self.model.p:g}: not stored; simulate it")
        m, r = self.model, self.responses[name]
        kind: Kind = KINDS[name]
        in_time = kind == "green_tau"
        return CorrelatorData.from_mean_cov(
            r.mean, r.covariance, kind=kind, beta=m.beta, grid=r.grid * (m.eps if in_time else 1),
            eps=None if in_time else m.eps, n_samples=self.n_samples,
        )  # fmt: skip


@dataclass(frozen=True)
class Study:
    """Points of one study. `origin`: version, commit, date, and the command that made them."""

    name: str
    points: tuple[ReducedPoint, ...]
    origin: dict[str, Any]

    @property
    def sizes(self) -> list[int]:
        """Values of L, ascending."""
        return sorted({point.model.Lx for point in self.points})

    def at(self, L: int, L_tau: int | None = None) -> list[ReducedPoint]:
        """Return the points of one size, ordered by p and E_C/E_J; at each of them the coldest, or L_tau."""
        mine = [q for q in self.points if q.model.Lx == L and L_tau in (None, q.model.L_tau)]
        coldest: dict[tuple[float, float, float], ReducedPoint] = {}
        for point in sorted(mine, key=lambda q: q.model.L_tau):
            coldest[point.model.p, point.model.charging, point.model.eps] = point
        return [coldest[key] for key in sorted(coldest)]

    @property
    def largest(self) -> list[ReducedPoint]:
        """Points of the array with the most information on its responses, sites times samples."""
        weight: dict[tuple[int, int], int] = {}
        for q in self.points:
            if q.responses:
                key = (q.model.Lx, q.model.L_tau)
                weight[key] = weight.get(key, 0) + q.n_samples * q.model.sites
        return self.at(*max(weight, key=lambda key: (weight[key], key))) if weight else []


def kept_slices(L_tau: int) -> NDArray[np.int64]:
    """Return the slices out of 0 .. L_tau // 2 that are stored: both ends, evenly between."""
    return np.unique(np.round(np.linspace(0, L_tau // 2, SLICES)).astype(np.int64))


def reduce_point(
    averages: PointAverages, waves: Mapping[str, Array] | None, correlators: Sequence[str]
) -> ReducedPoint:
    """Return the averages of a point that the figures need.

    waves        responses by wave vector, (samples, waves, frequencies), see `MeasuredPoint`
    correlators  names of the correlators to keep; without any, quantiles are left out too
    """
    scalars = [name for name in SCALARS if name in averages.values]
    plain = averages.plain or averages.values
    quantiles = {
        name: np.quantile(averages.samples[name], LEVELS) for name in BLOCKED if name in averages.samples
    } if correlators else {}  # fmt: skip
    if "G_k0" in averages.samples:
        quantiles["gap"] = np.quantile(sample_gaps(averages.model, averages.samples["G_k0"]), LEVELS)
    return ReducedPoint(
        averages.model, averages.n_samples,
        {name: _scalar(averages.values[name]) for name in scalars},
        {name: _scalar(plain[name]) for name in scalars},
        {name: block_means(averages.samples[name]) for name in BLOCKED if name in scalars},
        {name: _response(averages, name) for name in correlators if name in averages.samples},
        quantiles,
        {WAVES_OF_NAME[name]: wave_scales(averages.model, table) for name, table in (waves or {}).items()
         if name in WAVES_OF_NAME},
    )  # fmt: skip


def _scalar(e: Estimate) -> Estimate:
    return Estimate(float(e.value), float(e.error), n=e.n)


def block_means(samples: Array) -> Array:
    """Return the means of at most `BLOCKS` blocks of strided samples, shifted to the mean of all."""
    means = _strided_means(samples)
    return np.asarray(means + samples.mean() - means.mean())


def _strided_means(samples: Array) -> Array:
    """Means of every `BLOCKS`-th sample, from each start, (blocks, ...)."""
    count = min(BLOCKS, len(samples))
    return np.array([samples[i::count].mean(axis=0) for i in range(count)])


def sample_gaps(model: Model, G: Array) -> Array:
    """Return the decay rate of G(k = 0, tau) of every sample between beta/4 and beta/2, E_J.

    G  (samples, L_tau). Zero where noise exceeds the signal of a sample.
    """
    quarter, half = model.L_tau // 4, model.L_tau // 2
    early, late = np.abs(G[:, quarter]), np.abs(G[:, half])
    ratio = np.maximum(early, 1e-300) / np.maximum(late, 1e-300)
    # G is a cosh about beta/2: cosh[w beta/4] is the ratio of both values.
    return np.asarray(np.arccosh(np.maximum(ratio, 1.0)) / ((half - quarter) * model.eps))


def wave_scales(model: Model, samples: Array) -> Array:
    """Return |q|, scale and error (waves, 3) of a response by wave vector, samples (n, waves, frequencies).

    The scale is the frequency where the response has fallen half the way from n = 1 to the largest n. n = 0
    is left out, where the response is not connected. Errors are a jackknife over blocks of samples.
    """
    n = matsubara_numbers(model.L_tau)[: samples.shape[2]]
    waves = measured_waves(model)[: samples.shape[1]]
    size = np.hypot(*(2 * np.pi * waves / np.array([model.Lx, model.Ly])).T)
    blocks = _strided_means(samples)
    count, mean = len(blocks), blocks.mean(axis=0)
    w = np.asarray(2 * np.pi / model.beta * n, np.float64)
    scale = half_frequency(mean, w)
    left_out = (count * mean - blocks) / max(count - 1, 1)
    drawn = np.array([half_frequency(one, w) for one in left_out])
    error = np.sqrt((count - 1) * drawn.var(axis=0))
    return np.stack([size, scale, error], axis=1)


def half_frequency(response: Array, w: Array) -> Array:
    """Return the frequency where responses (waves, len(w)) have fallen half the way from w[1] to w[-1]."""
    level = (response[:, 1] + response[:, -1]) / 2
    out = np.full(len(response), np.nan)
    for i, row in enumerate(response):
        below = np.flatnonzero(row[1:] <= level[i]) + 1
        if below.size and below[0] > 1:
            k = int(below[0])
            share = (row[k - 1] - level[i]) / (row[k - 1] - row[k])
            out[i] = w[k - 1] + share * (w[k] - w[k - 1])
    return out


def _response(averages: PointAverages, name: str) -> Response:
    data, one = correlator_data(averages, name), averages.improved.get(name)
    in_time = KINDS[name] == "green_tau"
    grid = np.round(data.grid / averages.model.eps if in_time else data.grid).astype(np.int64)
    keep = np.flatnonzero(np.isin(grid, kept_slices(averages.model.L_tau))) if in_time else slice(None)
    error = np.sqrt(np.diag(data.covariance)) if one is None else np.asarray(one.plain_error)[: len(grid)]
    return Response(grid[keep], data.mean[keep], data.covariance[keep][:, keep], error[keep])


def reduce_runs(
    name: str, folders: Sequence[Path], *, estimator: str | None = None, command: str = ""
) -> Study:
    """Return a study from the output folders of its runs.

    estimator  see `qmc.statistics.estimators`; that of the study if None
    """
    correlators = CORRELATORS_OF.get(name, ())
    estimator = estimator or ("plain" if name in PLAIN else "improved")
    points = []
    for folder in folders:
        run = load_run(folder)
        for model in run.models:
            names = (*SCALARS, *correlators) if correlators else SCALARS_OF.get(name, BLOCKED)
            measured = run.measured(model, names)
            averages = measured.averages(estimator)
            points.append(reduce_point(averages, measured.waves, correlators))
    return Study(name, tuple(points), origin_of(folders, command) | {"estimator": estimator})


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
    """Write a study as one HDF5 file."""

    def write(beside: Path) -> None:
        with writing(beside, seal=False) as file:
            file.attrs["format"] = FORMAT
            file.attrs["name"] = study.name
            file.attrs["origin"] = json.dumps(study.origin)
            for i, point in enumerate(study.points):
                _write_point(file.create_group(f"{i:04d}"), point)

    replace_file(path, write)


def _write_point(group: h5py.Group, point: ReducedPoint) -> None:
    group.attrs["model"] = json.dumps(asdict(point.model))
    group.attrs["n_samples"] = point.n_samples
    group.attrs["chain_seconds"] = point.chain_seconds
    group.attrs["values"] = json.dumps({k: [e.value, e.error] for k, e in point.values.items()})
    group.attrs["plain"] = json.dumps({k: [e.value, e.error] for k, e in point.plain.items()})
    group.attrs["quantiles"] = json.dumps({k: np.asarray(v).tolist() for k, v in point.quantiles.items()})
    group.attrs["waves"] = json.dumps({k: np.asarray(v).tolist() for k, v in point.waves.items()})
    for name, values in point.blocks.items():
        # Small datasets are cheapest without chunks; float32 holds the scatter to 1e-7.
        group[f"blocks/{name}"] = values.astype(np.float32)
    for name, r in point.responses.items():
        lower = r.covariance[np.tril_indices(len(r.grid))]
        table = group.create_group(f"responses/{name}")
        table["grid"], table["mean"], table["plain_error"] = r.grid.astype(np.int32), r.mean, r.plain_error
        table["covariance"] = lower


def load_study(path: Path) -> Study:
    """Return a study that `save_study` wrote; UserError if the file is missing or something else."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            if file.attrs["format"] != FORMAT:
                raise UserError(
                    f"{path}: reduced data of format {file.attrs['format']}, not {FORMAT}; add --simulate"
                )
            points = tuple(_read_point(file[key]) for key in sorted(file))
            return Study(str(file.attrs["name"]), points, json.loads(file.attrs["origin"]))
    except FileNotFoundError:
        raise UserError(f"{path}: no stored data of this size; add --simulate") from None
    except (OSError, KeyError, ValueError):
        raise UserError(f"{path}: not reduced data of sitqmc, or damaged; delete the file") from None


def _read_point(group: h5py.Group) -> ReducedPoint:
    head = {key: json.loads(group.attrs[key]) for key in ("model", "values", "plain", "quantiles", "waves")}
    responses = {name: _read_response(table) for name, table in group.get("responses", {}).items()}
    n = int(group.attrs["n_samples"])
    return ReducedPoint(
        Model(**head["model"]), n,
        {k: Estimate(value, error, n=n) for k, (value, error) in head["values"].items()},
        {k: Estimate(value, error, n=n) for k, (value, error) in head["plain"].items()},
        {k: v[()].astype(float) for k, v in group.get("blocks", {}).items()},
        responses,
        {k: np.array(v) for k, v in head["quantiles"].items()},
        {k: np.array(v) for k, v in head["waves"].items()},
        float(group.attrs.get("chain_seconds", math.nan)),
    )  # fmt: skip


def _read_response(table: h5py.Group) -> Response:
    grid, mean = table["grid"][()].astype(np.int64), table["mean"][()]
    C = np.zeros((len(grid),) * 2)
    C[np.tril_indices(len(grid))] = table["covariance"][()]
    return Response(grid, mean, C + np.tril(C, -1).T, table["plain_error"][()])
