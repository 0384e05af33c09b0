"""Search for the modes of the priors of a scan.

Base shapes and axes are compared at one rough setting first. All correlation lengths, amplitudes and
correlations between the points are then looked at for the pairs of base shape and axis that are left.

Five synthetic scans were searched completely for comparison: the pairs that are left hold 56 to 90 % of all
probability, and the best mode or one whose ln evidence is lower by less than 1. Twice as many pairs take
twice the time and leave the coverage of the bands as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.parallel import mapped
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.scan.priors import ROUGH, PriorFamily, ScanAxis, chains_of_settings, families_on
from sitqmc.continuation.scan.process import ScanEquations, ScanMode, find_mode

FIRST_MARGIN = 10.0        # base shapes whose ln evidence on the first axis is lower by more are left out
MARGIN = 5.0               # the same for pairs of base shape and axis
MOST_FAMILIES = 12         # pairs that are kept where poor data do not tell them apart
FAR = 15.0                 # below it, lengths and amplitudes are not looked at any further

Progress = Callable[[str], None]


def equations_of(problems: list[Problem]) -> ScanEquations:
    """Return the whitened equations of all points."""
    kernels, data = [p.kernel for p in problems], [p.whitened_data for p in problems]
    label = np.repeat(np.arange(len(data)), [d.size for d in data])
    return ScanEquations(kernels, np.concatenate(data), label)


def all_modes(
    problems: list[Problem], axes: list[ScanAxis], s: Array, threads: int, progress: Progress | None
) -> list[ScanMode]:
    """Return the modes of all priors whose base shape and axis are not excluded by the first look.

    axes  the first one serves for the first look at the base shapes
    s     (points,) scanned parameter over its range
    """
    equations = equations_of(problems)
    near, best = _near_families(equations, problems, axes, s, threads)
    if progress is not None:
        progress(f"{len(problems)} points: {len(near)} pairs of base shape and axis remain")

    def settings_of(family: PriorFamily) -> list[ScanMode]:
        modes = _modes_of(equations, family, best - FAR)
        if progress is not None:
            progress(f"base shape {family.name}: done")
        return modes

    return [mode for found in mapped(settings_of, near, threads) for mode in found]


def _near_families(
    equations: ScanEquations, problems: list[Problem], axes: list[ScanAxis], s: Array, threads: int
) -> tuple[list[PriorFamily], float]:
    """Return the pairs of base shape and axis that are left after a first look, and its best ln evidence."""

    def look(families: list[PriorFamily]) -> Array:
        rough = mapped(lambda family: find_mode(equations, family.prior(ROUGH)), families, threads)
        return np.array([mode.log_evidence for mode in rough])

    first = families_on(axes[0], problems, s)
    evidence = look(first)
    near = np.flatnonzero(evidence > evidence.max() - FIRST_MARGIN)
    pairs = [first[int(i)] for i in near]
    shapes = {family.shape for family in pairs}
    others = [family for axis in axes[1:] for family in families_on(axis, problems, s, shapes)]
    pairs, evidence = pairs + others, np.concatenate([evidence[near], look(others)])
    best = float(evidence.max())
    order = np.argsort(-evidence, kind="stable")[:MOST_FAMILIES]
    return [pairs[int(i)] for i in np.sort(order) if evidence[i] > best - MARGIN], best


def _modes_of(equations: ScanEquations, family: PriorFamily, least: float) -> list[ScanMode]:
    """Return the modes of one family."""
    modes = []
    for settings in chains_of_settings():
        mode = find_mode(equations, family.prior(settings[0]))
        modes.append(mode)
        # Where the first is below `least`, only the last, independent points, is of interest.
        for one in settings[-1:] if mode.log_evidence < least else settings[1:]:
            mode = find_mode(equations, family.prior(one), mode)
            modes.append(mode)
    return modes
