"""Analysis of a run: from stored samples to averages and spectra of all points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, overload

from sitqmc.qmc import Model, ParameterSpace
from sitqmc.result import Result
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.point import MeasuredPoint, PointResult, RunPoint, continue_point
from sitqmc.runs.store.run_file import Failure, RunHeader

Job = tuple[Config, MeasuredPoint]
Share = Callable[[Callable[[], Sequence[Job]], Callable[[Job], RunPoint]], "list[RunPoint] | None"]
"""share(jobs, do): jobs() is called on one rank; returns [do(job), ...] there, None on the others."""


class Source(Protocol):
    """A run on the disk, of which only what an analysis reads is named here."""

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
        """What tells the points apart."""
        return ParameterSpace([r.model for r in self.results])

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The number of every result as in `sitqmc plan`; points that are not planned are counted on."""
        order = {model: i for i, model in enumerate(self.config.models)}
        for r in self.results:
            order.setdefault(r.model, len(order))
        return tuple(order[r.model] for r in self.results)

    def label(self, result: RunPoint) -> str:
        """Return a point in words by what it does not share with the others."""
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
    spectra  whether the correlators are continued, which takes seconds for each point
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

    results = [do(job) for job in jobs()] if share is None else share(jobs, do)
    return None if results is None else RunResults(run.path, run.header, tuple(results), tuple(run.failures))
