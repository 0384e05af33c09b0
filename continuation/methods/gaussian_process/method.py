"""Method "process": average over log-Gaussian processes by evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.method import Method
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.spectrum.diagnostics import AlphaScan
from sitqmc.continuation.spectrum.solution import Solution

CENTRAL = (0.3, 0.4, 0.5, 0.6, 0.7)


def solve(problem: Problem) -> Solution:
    """Average the ensemble of priors by evidence; report the pointwise median, made to fit."""
    from sitqmc.continuation.methods.gaussian_process.ensemble import prior_ensemble
    from sitqmc.continuation.methods.gaussian_process.posterior import ProcessPosterior
    from sitqmc.continuation.methods.gaussian_process.process import average, central_mean
    from sitqmc.continuation.methods.gaussian_process.tails import tail_draws

    K, white, options = problem.kernel, problem.whitened_data, problem.options
    modes = average(K, white, prior_ensemble(problem), options.threads)
    cautious = modes.cautious()
    draws = cautious.draws(K, white, options.n_draws, options.seed, options.threads)
    tails = tail_draws(K, white, cautious, options.seed, options.threads)
    n_effective = cautious.n_effective(K)
    median = central_mean(modes.weights, *modes.marginals(), CENTRAL)
    target = float(modes.weights @ np.array([mode.chi2 for mode in modes.modes]))
    x, found = made_to_fit(problem, median, target)
    posterior = ProcessPosterior.of_mixture(K, cautious, draws, x, tails)
    return Solution(
        posterior=posterior.calibrated(problem.grid), scan=found,
        scans={"posterior median": found}, default=median / problem.grid.weights,
        alpha=float(found.alpha[found.chosen]), n_effective=n_effective,
        description=f"log-Gaussian process, {len(modes.modes)} priors",
    )  # fmt: skip


def made_to_fit(problem: Problem, median: Array, target: float) -> tuple[Array, AlphaScan]:
    """Return x (omega,) near the posterior median that fits as well as the modes, and the scan over alpha.

    The median of a skewed posterior need not reproduce the data, nor the sum rule. It is therefore taken as
    default model of a last maximum-entropy fit, with the largest alpha whose chi^2 is `target`, the chi^2 of
    the modes: the smallest change, in the sense of entropy, that makes it consistent. (A chi^2 larger by one
    is not good enough: it costs 20 % of the accuracy of the stiffness.)
    """
    from sitqmc.continuation.methods.maxent.alpha import choose
    from sitqmc.continuation.methods.maxent.maxent import alpha_ladder, scan

    K, white = problem.kernel, problem.whitened_data
    points = scan(K, white, median, alpha_ladder(K, median, top=problem.options.alpha_top))
    found = choose(points, "curvature")
    # Extremely precise data may be beyond the search for modes; the last step must still fit them, though
    # no better than chance would: chi^2 = N + 2 sqrt(2 N) is no reason to look for more structure. Where no
    # positive spectrum reaches that, the smallest chi^2 belongs to a few delta functions: no reason either.
    spread = float(np.sqrt(2.0 * len(white)))
    target = min(target, max(len(white) + 2.0 * spread, float(found.chi2.min()) + spread))
    enough = np.flatnonzero(found.chi2 <= target)
    chosen = int(enough[0]) if enough.size else int(np.argmin(found.chi2))
    return points[chosen].x, replace(found, chosen=chosen, rule="chi2 of the process")


PROCESS = Method("process", "average over log-Gaussian processes by evidence", solve, vote=0.7)
