"""Method "sampling": stochastic analytic continuation."""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.methods.method import Method
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.spectrum.diagnostics import AlphaScan
from sitqmc.continuation.spectrum.solution import Solution


def solve(problem: Problem) -> Solution:
    """Sample with the middle one of the default models as measure."""
    from sitqmc.continuation.methods.stochastic.posterior import StochasticPosterior
    from sitqmc.continuation.methods.stochastic.sampler import sample

    options, K = problem.options, problem.kernel
    model = problem.models[len(problem.models) // 2]
    run = sample(
        K, problem.whitened_data, model.values * problem.grid.weights, options.seed,
        edge=options.edge, amplitudes=options.amplitudes, threads=options.threads,
    )  # fmt: skip
    posterior = StochasticPosterior(K, run)
    scan = AlphaScan.of_chi2(run.thetas, run.chi2_trace, run.chosen, "sampling temperature")
    return Solution(
        posterior=posterior, scan=scan, scans={model.name: scan}, default=model.values, alpha=run.theta,
        n_effective=float(np.trace(K @ posterior.response())), description="stochastic sampling",
    )  # fmt: skip


SAMPLING = Method("sampling", "stochastic analytic continuation", solve, vote=0.1)
