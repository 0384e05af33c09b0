"""[target]: error bars to be reached. Points that miss their targets get more disorder samples.

    [target]
    rho_s = 0.001                    # absolute error
    kappa = { relative = 0.01 }
    max_samples = 4000               # per point, whatever the errors

The number of samples of a point follows from the bins of its previous samples alone. So it is the same for
any number of ranks and any interruption. The errors are those of the estimator of the configuration.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc.observables import TARGETS
from sitqmc.qmc.statistics.jackknife import average
from sitqmc.runs.config.checks import Findings, check_type, refuse_unknown
from sitqmc.runs.errors import UserError

KINDS = ("absolute", "relative")
GROWTH = 2.0                 # a round at most doubles the samples, because early errors are uncertain
RESERVE = 1.1                # factor above the needed samples, so that few rounds are needed


@dataclass(frozen=True, kw_only=True)
class TargetSection:
    """[target] goals[name] = {"absolute": error} or {"relative": error}; max_samples per point."""

    goals: dict[str, dict[str, float]] = field(default_factory=dict)
    max_samples: int = 0


def parse_target(table: Any) -> TargetSection:
    """Return the section from TOML or from its stored form; UserError for a wrong key or value."""
    if not isinstance(table, dict):
        raise UserError(f"target = {table!r}: must be a section, [target]")
    stored = table.get("goals", {})
    if not isinstance(stored, dict):
        raise UserError(f"[target] goals = {stored!r}: must be a table of observables and errors")
    given = stored | {k: v for k, v in table.items() if k not in ("goals", "max_samples")}
    findings, goals, most = Findings(), dict[str, dict[str, float]](), 0
    with findings.collected():
        refuse_unknown(given, TARGETS, "observable", "[target] ")
    for name, value in given.items():
        with findings.collected():
            goals[name] = _goal(value, f"[target] {name}")
    with findings.collected():
        if goals and "max_samples" not in table:
            raise UserError("[target] max_samples is missing; say where to stop if an error is out of reach")
        most = check_type(table.get("max_samples", 0), int, "[target] max_samples")
    findings.report()
    return TargetSection(goals=goals, max_samples=most)


def _goal(value: Any, where: str) -> dict[str, float]:
    table = value if isinstance(value, dict) else {"absolute": value}
    refuse_unknown(table, KINDS, "kind of error", f"{where}: ")
    if len(table) != 1:
        raise UserError(f"{where}: give one of absolute and relative")
    ((kind, error),) = table.items()
    error = check_type(error, float, where)
    if not (error > 0 and math.isfinite(error)):
        raise UserError(f"{where} = {error}: an error must be positive and finite")
    return {kind: error}


def wanted_samples(
    target: TargetSection, samples: Mapping[str, NDArray[np.float64]], first: int,
    averages: Callable[[int], Mapping[str, Estimate]] | None = None,
) -> int:  # fmt: skip
    """Return the number of samples that a point needs, by the errors of its first samples[name] (n,).

    Rounds start with `first` samples and end when the targets are met. Only the samples of a round decide
    about the next one, also where the disk holds more.

    samples   by name, in the order of the sample numbers from 0 without a gap; nan for an excluded sample
    averages  averages(n) of the first n samples by another estimator; None: plain averages
    returns   n if n samples meet the targets; more than there are if they do not
    """
    present, n = len(next(iter(samples.values()))), first
    while n <= present:
        made = {name: values[:n][np.isfinite(values[:n])] for name, values in samples.items()}
        few = min(len(values) for values in made.values()) < 2
        plain = {name: average(values) for name, values in made.items()} if averages is None else {}
        found = None if few else plain if averages is None else averages(n)
        needed = 2 * n if found is None else _needed(target, found, n)
        if needed <= n or n >= target.max_samples:
            return n
        n = min(needed, math.ceil(GROWTH * n), target.max_samples)
    return n


def _needed(target: TargetSection, found: Mapping[str, Estimate], n: int) -> int:
    """Return the number of samples that should meet all targets, by errors that fall as 1/sqrt(n)."""
    most = 0
    for name, goal in target.goals.items():
        ((kind, wanted),) = goal.items()
        value, error = float(found[name].value), float(found[name].error)
        if kind == "relative":
            wanted *= abs(value)
        if error > wanted:
            ratio = error / wanted if wanted > 0 else math.inf
            most = max(most, math.ceil(min(RESERVE * n * ratio**2, 1e9)))
    return most
