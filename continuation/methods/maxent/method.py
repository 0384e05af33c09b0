"""Method "maxent": maximum entropy, alpha by a rule or averaged over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sitqmc.continuation.methods.method import Method
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.spectrum.diagnostics import AlphaScan
from sitqmc.continuation.spectrum.solution import Solution

if TYPE_CHECKING:
    from sitqmc.continuation.data.default_models import DefaultModel
    from sitqmc.continuation.methods.maxent.maxent import MaxEntPoint


def solve(problem: Problem) -> Solution:
    """Scan alpha for every default model; keep one point by rule, or average over all by evidence."""
    from sitqmc.continuation.methods.maxent.alpha import choose
    from sitqmc.continuation.methods.maxent.maxent import alpha_ladder, scan
    from sitqmc.continuation.methods.maxent.posterior import Component, MaxEntPosterior, mixture
    from sitqmc.continuation.methods.parallel import mapped

    options, K, white = problem.options, problem.kernel, problem.whitened_data

    def run(model: DefaultModel) -> tuple[str, list[MaxEntPoint]]:
        m = model.values * problem.grid.weights
        return model.name, scan(K, white, m, alpha_ladder(K, m, top=options.alpha_top))

    runs = mapped(run, problem.models, options.threads)
    scans = {name: choose(points, options.alpha_rule) for name, points in runs}
    # Between models the evidence decides, integrated over alpha, whatever the rule for alpha is.
    best = max(range(len(runs)), key=lambda i: _total_evidence(scans[runs[i][0]]))
    name, points = runs[best]
    everything = mixture(runs)
    reported: tuple[Component, ...] = (Component(1.0, points[scans[name].chosen], name),)
    if options.average:
        reported = everything
    elif options.alpha_rule == "bryan":
        reported = mixture([(name, points)])
    return Solution(
        posterior=MaxEntPosterior(K, everything, reported), scan=scans[name], scans=scans,
        default=problem.models[best].values, alpha=max(reported, key=lambda c: c.weight).point.alpha,
        n_effective=float(sum(c.weight * c.point.n_effective for c in reported)),
        description=f"maximum entropy, {options.alpha_rule}",
    )  # fmt: skip


def _total_evidence(scan: AlphaScan) -> float:
    top = float(scan.log_evidence.max())
    return top + float(np.log(np.exp(scan.log_evidence - top).sum()))


MAXENT = Method("maxent", "maximum entropy with the full covariance", solve, vote=0.2, cross_check=True)
