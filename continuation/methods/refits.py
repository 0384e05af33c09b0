"""Solutions of methods without a prior: their errors are those of refits of noisy data (a bootstrap)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.spectrum.diagnostics import AlphaScan
from sitqmc.continuation.spectrum.posterior import PlainPosterior, sampled_error
from sitqmc.continuation.spectrum.solution import Solution

MAX_REFITS = 40


@dataclass(frozen=True, eq=False)
class BootstrapPosterior(PlainPosterior):
    """Refits of the data with fresh noise added.

    reported (omega,) estimate from the data, draws (n, omega) its refits, noise (n, m) what was added
    """

    kernel: Array
    reported: Array
    draws: Array
    noise: Array

    def functional_error(self, G: Array) -> Array:
        """Return the 68 % quantile of the distance of the refits."""
        return sampled_error(self.draws, self.reported, G)

    def response(self) -> Array:
        """Return the regression of the refits on the noise."""
        return np.asarray((self.draws - self.draws.mean(axis=0)).T @ self.noise / len(self.noise))

    def quantile(self, q: float) -> Array:
        """Return the pointwise quantile of the refits."""
        return np.asarray(np.quantile(self.draws, q, axis=0))

    @property
    def has_pointwise_samples(self) -> bool:
        """Yes: a refit is a spectrum like the reported one."""
        return True

    def samples(self) -> Array:
        """Return the refits."""
        return self.draws


def bootstrap_solution(
    problem: Problem, estimator: Callable[[Array], Array], description: str, warnings: tuple[str, ...] = ()
) -> Solution:
    """Return the solution of an estimator from whitened data (m,) to x (omega,), with its bootstrap."""
    K, white, options = problem.kernel, problem.whitened_data, problem.options
    x = estimator(white)
    refits = min(options.n_draws, MAX_REFITS)
    noise = np.random.default_rng(options.seed).normal(size=(refits, len(white)))
    draws = np.array([estimator(white + row) for row in noise])
    posterior = BootstrapPosterior(K, x, draws, noise)
    residual = white - K @ x
    scan = AlphaScan.of_chi2(np.array([np.nan]), np.array([float(residual @ residual)]), 0, "none")
    return Solution(
        posterior=posterior, scan=scan, scans={description: scan}, default=x / problem.grid.weights,
        alpha=float("nan"), description=description, warnings=warnings,
        n_effective=float(np.clip(np.trace(K @ posterior.response()), 0.0, len(white))),
    )  # fmt: skip
