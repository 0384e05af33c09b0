"""Analysis of a run: from stored samples to averages and spectra of all points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np

from sitqmc.continuation import CorrelatorData, Spectrum, continue_correlator
from sitqmc.continuation.methods import DEFAULT_METHOD
from sitqmc.continuation.options import MIN_SCAN, OptionKeys
from sitqmc.qmc import Model, ParameterSpace
from sitqmc.qmc.model.wave_vectors import boson_waves
from sitqmc.qmc.statistics.estimators import Average
from sitqmc.result import Result
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.point import (
    SCANNED,
    SPECTRA,
    JointSpectrum,
    MeasuredPoint,
    PointResult,
    RunPoint,
    boson_data,
    continue_point,
    correlator_data,
)
from sitqmc.runs.store.run_file import Failure, RunHeader

if TYPE_CHECKING:
    from sitqmc.continuation import ScanSpectra

Job = tuple[Config, MeasuredPoint]
Share = Callable[[Callable[[], Sequence[Any]], Callable[[Any], Any]], "list[Any] | None"]
"""share(jobs, do): jobs() is called on one rank; returns [do(job), ...] there, None on the others."""


class Source(Protocol):
    """Part of a run on the disk that an analysis reads."""

    @property
    def path(self) -> Path: ...

    @property
    def header(self) -> RunHeader: ...

    @property
    def config(self) -> Config: ...

    @property
    def models(self) -> tuple[Model, ...]: ...

    @property
    def failures(self) -> tuple[Failure, ...]: ...

    def check_names(self, names: Iterable[str]) -> None: ...

    def measured(self, model: Model, names: Sequence[str] | None = None) -> MeasuredPoint: ...


@dataclass(frozen=True, eq=False)
class RunResults(Result):
    """Results of all points of a run: what tables, figures, report and export are made from.

    path      run.h5
    header    configuration, version, history of all calls
    results   one for each point that has samples, in the order of the configuration, other points last
    failures  excluded samples, which are in no average
    """

    path: Path
    header: RunHeader
    results: tuple[RunPoint, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.header.config

    @property
    def name(self) -> str:
        """The name of the output folder."""
        return self.path.resolve().parent.name

    @cached_property
    def space(self) -> ParameterSpace:
        """Parameters that differ between the points."""
        return ParameterSpace([r.model for r in self.results])

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The number of every result as in `sitqmc plan`; points that are not planned are counted on."""
        order = {model: i for i, model in enumerate(self.config.models)}
        for r in self.results:
            order.setdefault(r.model, len(order))
        return tuple(order[r.model] for r in self.results)

    def label(self, result: RunPoint) -> str:
        """Return a label of a point: the parameters that differ between points."""
        return self.space.label(result.model)

    def replaced(self, results: Iterable[RunPoint]) -> RunResults:
        """Return the same run with other results."""
        return replace(self, results=tuple(results))


@overload
def analyse_run(
    run: Source, share: None = None, *, spectra: bool = ..., names: Sequence[str] | None = ...,
    models: Sequence[Model] | None = ...,
) -> RunResults: ...
@overload
def analyse_run(
    run: Source, share: Share, *, spectra: bool = ..., names: Sequence[str] | None = ...,
    models: Sequence[Model] | None = ...,
) -> RunResults | None: ...


def analyse_run(
    run: Source, share: Share | None = None, *, spectra: bool = True, names: Sequence[str] | None = None,
    models: Sequence[Model] | None = None,
) -> RunResults | None:
    """Return averages and spectra of every point of a run, finished or not.

    share    divides the points among processes; None: all of them are continued here
    spectra  whether the correlators are continued: every point alone, then all points of a scan together
    names    averages that are wanted, without spectra and checks; None: all
    models   points that are wanted; None: all
    returns  None on ranks that only helped
    raises   UserError if there is no finished sample
    """

    def jobs() -> list[Job]:
        if not run.models:
            raise UserError(f"{run.path}: no finished samples yet; nothing to analyse")
        if names is not None:
            run.check_names(names)
        chosen = run.models if models is None else models
        return [(run.config, run.measured(model, names)) for model in chosen]

    def do(job: Job) -> RunPoint:
        config, measured = job
        averages = measured.averages(config.continuation.estimator)
        if spectra and names is None:
            return continue_point(config, averages)
        return PointResult(averages, {}, tuple(averages.warnings))

    shared = share or _alone
    results: list[RunPoint] | None = shared(jobs, do)
    if spectra and names is None:
        scans = shared(lambda: scan_jobs(run.config, results or []), continue_job)
        results = None if results is None or scans is None else with_scans(results, scans)
    return None if results is None else RunResults(run.path, run.header, tuple(results), tuple(run.failures))


def _alone(jobs: Callable[[], Sequence[Any]], do: Callable[[Any], Any]) -> list[Any]:
    return [do(job) for job in jobs()]


@dataclass(frozen=True, eq=False)
class ScanJob:
    """Correlators of one scan, with the options of their continuation.

    name    of the response, see `SCANNED`
    places  numbers of the points among all results
    at      value of the scanned parameter at each of them
    alone   single continuations that exist already, None elsewhere
    """

    config: Config
    name: str
    places: tuple[int, ...]
    at: tuple[float, ...]
    data: tuple[CorrelatorData, ...]
    alone: tuple[Spectrum | None, ...]


@dataclass(frozen=True, eq=False)
class ScanFound:
    """Joint and single spectra of the points of a job, or the reason why they are missing."""

    name: str
    places: tuple[int, ...]
    spectra: tuple[JointSpectrum[Spectrum], ...] = ()
    reason: str = ""


def scan_jobs(config: Config, results: Sequence[RunPoint]) -> list[ScanJob]:
    """Return all scans of a run: three or more points that differ in one parameter, for every response.

    None where the configuration switches the scan off, or chooses another method than log-Gaussian processes.
    """
    c = config.continuation
    if not c.scan or c.method != DEFAULT_METHOD or len(results) < MIN_SCAN:
        return []
    space, jobs = ParameterSpace([r.model for r in results]), []
    for members in space.panels().values():
        for name in SCANNED:
            found = [(i, data) for i in members if (data := _usable(config, results[i], name)) is not None]
            if len(found) < MIN_SCAN:
                continue
            places = tuple(i for i, _ in found)
            jobs.append(ScanJob(
                config, name, places, tuple(space.row(results[i].model)[space.colour] for i in places),
                tuple(data for _, data in found),
                tuple(results[i].spectrum if name == "sigma" else None for i in places),
            ))  # fmt: skip
    return jobs


def _usable(config: Config, point: RunPoint, name: str) -> CorrelatorData | None:
    """Return the correlator of a point; None if it was not measured or cannot be continued."""
    if SPECTRA[name] not in point.averages.samples:
        return None
    # A scan does not impose the f-sum rule.
    if name == "sigma" and (point.spectrum is None or config.continuation.f_sum):
        return None
    try:
        return correlator_data(point.averages, SPECTRA[name])
    except ValueError:
        return None


def boson_spectra(config: Config, model: Model, still: Average, moving: Average) -> ScanSpectra:
    """Return P(k, omega) at k = 0 and at the lowest wave vectors along x, from one posterior.

    still, moving  G(k = 0, tau), and G(k, tau) by wave vector, see `Run.correlator`
    raises         ValueError for data that cannot be continued together
    """
    from sitqmc.continuation import continue_scan

    waves = boson_waves(model.Lx, model.Ly)[: moving.samples.shape[1]]
    chosen = [i for i, (_, along_y) in enumerate(waves) if along_y == 0]
    data = [boson_data(model, still), *(boson_data(model, moving, i) for i in chosen)]
    k = 2 * np.pi / model.Lx * np.array([0, *(waves[i, 0] for i in chosen)])
    return continue_scan(data, k, **_scan_options(config, len(still.samples)))


def _scan_options(config: Config, samples: int) -> OptionKeys:
    c = config.continuation
    return {
        "omega_max": c.omega_max or None, "n_omega": c.omega_points, "n_blocks": min(c.blocks, samples),
    }  # fmt: skip


def continue_job(job: ScanJob) -> ScanFound:
    """Continue all points of a scan together; continue a point alone if its own spectrum is missing."""
    from sitqmc.continuation import continue_scan  # loads kernels; commands that inspect do without them

    options = _scan_options(job.config, min(len(d.samples) for d in job.data if d.samples is not None))
    try:
        joint = continue_scan(job.data, job.at, **options)
        alone = [
            continue_correlator(data, **options) if done is None else done
            for data, done in zip(job.data, job.alone, strict=True)
        ]
    except ValueError as error:
        return ScanFound(job.name, job.places, reason=str(error))
    both = zip(joint.spectra, alone, strict=True)
    return ScanFound(job.name, job.places, tuple(JointSpectrum(s, single) for s, single in both))


def with_scans(results: Sequence[RunPoint], scans: Sequence[ScanFound]) -> list[RunPoint]:
    """Return the points with their joint spectra and the remarks on them."""
    out = list(results)
    for scan in scans:
        if scan.reason:
            text = f"{scan.name}: the points were not continued together: {scan.reason}"
            for i in scan.places:
                out[i] = replace(out[i], warnings=(*out[i].warnings, text))
            continue
        for i, both in zip(scan.places, scan.spectra, strict=True):
            out[i] = _with_joint(out[i], scan.name, both)
    return out


def _with_joint(point: RunPoint, name: str, both: JointSpectrum[Spectrum]) -> RunPoint:
    """Return a point with one more joint spectrum; its remarks replace those of the single continuation."""
    kept = [w for w in point.warnings if name != "sigma" or w not in both.alone.warnings]
    prefix = "" if name == "sigma" else f"{name}: "
    remarks = [prefix + w for w in both.together.warnings if prefix + w not in kept]
    return replace(point, joint={**point.joint, name: both}, warnings=(*kept, *remarks))
