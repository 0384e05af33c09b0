"""The methods of continuation behind one interface: whitened equations in, a `Fit` out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.default_models import DefaultModel
from sitqmc.continuation.data.whitening import WhitenedSystem
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods import stochastic as sampling
from sitqmc.continuation.methods.gaussian_process import process as logprocess
from sitqmc.continuation.methods.gaussian_process.priors import prior_ensemble
from sitqmc.continuation.methods.maxent import alpha as alpha_rules
from sitqmc.continuation.methods.maxent import maxent
from sitqmc.continuation.methods.maxent.alpha import AlphaScan
from sitqmc.continuation.methods.parallel import mapped
from sitqmc.continuation.methods.rational import rational_spectrum
from sitqmc.continuation.methods.sparse import sparse_spectrum
from sitqmc.continuation.options import Options
from sitqmc.continuation.spectrum.posterior import (
    BootstrapPosterior,
    Component,
    MaxEntPosterior,
    Posterior,
    ProcessPosterior,
    StochasticPosterior,
    mixture,
)

CENTRAL = (0.3, 0.4, 0.5, 0.6, 0.7)
RATIONAL = "rational function"
REFITS = 40            # of the methods whose band is a bootstrap


@dataclass(frozen=True)
class Fit:
    """Solution of the whitened equations.

    posterior   holds the reported x
    scan        alpha scan of the reported fit; scans: of every default model, by name
    default     default model (omega,) of the reported fit; alpha, effective: its parameters
    data, offset  whitened data (m,) and the constant at A = 0
    """

    posterior: Posterior
    scan: AlphaScan
    scans: dict[str, AlphaScan]
    default: Array
    alpha: float
    effective: float
    data: Array
    offset: float
    description: str


def fit_maxent(equations: WhitenedSystem, vector: Array, models: list[DefaultModel], options: Options) -> Fit:
    """Scan alpha for every default model; keep one point by rule, or average over all by evidence."""
    white, offset = equations.whiten(vector)

    def run(model: DefaultModel) -> tuple[str, list[maxent.MaxEntPoint]]:
        m = model.values * equations.grid.weights
        ladder = maxent.alpha_ladder(equations.kernel, m, top=options.alpha_top)
        return model.name, maxent.scan(equations.kernel, white, m, ladder)

    runs = mapped(run, models, options.threads)
    scans = {name: alpha_rules.choose(points, options.alpha_rule) for name, points in runs}
    # Between models the evidence decides, integrated over alpha, whatever the rule for alpha is.
    best = max(range(len(runs)), key=lambda i: _total_evidence(scans[runs[i][0]]))
    name, points = runs[best]
    everything = mixture(runs)
    reported: tuple[Component, ...] = (Component(1.0, points[scans[name].chosen], name),)
    if options.average:
        reported = everything
    elif options.alpha_rule == "bryan":
        reported = mixture([(name, points)])
    return Fit(
        posterior=MaxEntPosterior(equations.kernel, everything, reported),
        scan=scans[name], scans=scans, default=models[best].values,
        alpha=max(reported, key=lambda c: c.weight).point.alpha,
        effective=float(sum(c.weight * c.point.effective for c in reported)),
        data=white, offset=offset, description=f"maximum entropy, {options.alpha_rule}",
    )  # fmt: skip


def _total_evidence(scan: AlphaScan) -> float:
    top = float(scan.log_evidence.max())
    return top + float(np.log(np.exp(scan.log_evidence - top).sum()))


def fit_process(
    equations: WhitenedSystem,
    vector: Array,
    data: CorrelatorData,
    models: list[DefaultModel],
    factor: Array,
    options: Options,
) -> Fit:
    """Average over log-Gaussian processes by evidence; the pointwise median, made to fit, is reported.

    The median of a skewed posterior need not reproduce the data, nor the sum rule. It is therefore taken as
    default model of a last maximum-entropy fit, with the largest alpha whose chi^2 is that of the modes:
    the smallest change, in the sense of entropy, that makes it consistent. (A chi^2 larger by one is not
    good enough: it costs 20 % of the accuracy of the stiffness.)
    """
    white, offset = equations.whiten(vector)
    K = equations.kernel
    priors = prior_ensemble(data, equations.grid, models, factor)
    modes = logprocess.average(K, white, priors, options.threads)
    # The mean of the central quantiles: as good as the median, without its kinks between the modes.
    median = np.mean([modes.quantile(q) for q in CENTRAL], axis=0)
    points = maxent.scan(K, white, median, maxent.alpha_ladder(K, median, top=options.alpha_top))
    target = float(modes.weights @ np.array([mode.chi2 for mode in modes.modes]))
    # Extremely precise data may be beyond the search for modes; the last step must still fit them, though
    # no better than chance would: chi^2 = N + 2 sqrt(2 N) is no reason to look for more structure.
    target = min(target, len(white) + 2.0 * float(np.sqrt(2.0 * len(white))))
    scan = alpha_rules.choose(points, "curvature")
    enough = np.flatnonzero(scan.chi2 <= target)
    chosen = int(enough[0]) if enough.size else int(np.argmin(scan.chi2))
    scan = replace(scan, chosen=chosen, rule="chi2 of the process")
    draws = modes.draws(K, white, options.n_draws, options.seed, options.threads)
    posterior = ProcessPosterior(K, modes, draws, points[chosen].x)
    return Fit(
        posterior=posterior, scan=scan, scans={"posterior median": scan},
        default=median / equations.grid.weights, alpha=points[chosen].alpha,
        effective=modes.effective(K), data=white, offset=offset,
        description=f"log-Gaussian process, {len(modes.modes)} priors",
    )  # fmt: skip


def fit_sampling(
    equations: WhitenedSystem, vector: Array, models: list[DefaultModel], options: Options
) -> Fit:
    """Stochastic sampling with the middle one of the default models as measure."""
    white, offset = equations.whiten(vector)
    model = models[len(models) // 2]
    K, m = equations.kernel, model.values * equations.grid.weights
    chain = sampling.sample(
        K, white, m, options.seed,
        edge=options.edge, amplitudes=options.amplitudes, threads=options.threads,
    )  # fmt: skip
    posterior = StochasticPosterior(K, chain)
    unknown = np.full(chain.thetas.size, np.nan)
    scan = AlphaScan(
        alpha=chain.thetas, chi2=chain.trail, entropy=unknown, effective=unknown, log_evidence=unknown,
        curvature=unknown, chosen=chain.chosen, rule="sampling temperature",
    )  # fmt: skip
    return Fit(
        posterior=posterior, scan=scan, scans={model.name: scan}, default=model.values, alpha=chain.theta,
        effective=float(np.trace(K @ posterior.response())), data=white, offset=offset,
        description="stochastic sampling",
    )  # fmt: skip


def fit_sparse(equations: WhitenedSystem, vector: Array, factor: Array, options: Options) -> Fit:
    """Leading singular components with positivity; the band is a bootstrap."""
    white, offset = equations.whiten(vector)

    def answer(d: Array) -> Array:
        return factor * sparse_spectrum(equations.kernel * factor, d, equations.grid)[0]

    return _refitted(equations, white, offset, answer, options, "sparse singular components")


def fit_rational(
    equations: WhitenedSystem, vector: Array, data: CorrelatorData, factor: Array, options: Options
) -> Fit:
    """Barycentric form through the data; the band is a bootstrap with the covariance of the data.

    Negative parts are cut off in the reported spectrum, and what is left is scaled to fit.
    """
    white, offset = equations.whiten(vector)
    grid, back = equations.grid, np.linalg.pinv(equations.transform)
    n = data.grid.size

    def answer(d: Array) -> Array:
        # Only the part of the noise that a spectrum can produce is added.
        moved = vector[:n] + (back @ np.append(d - white, np.zeros(len(back[0]) - len(d))))[:n]
        x = np.maximum(rational_spectrum(data, moved, grid.omega)[0], 0.0) * grid.weights * factor
        image = equations.kernel @ x
        square = float(image @ image)
        return x * max(float(image @ d) / square, 0.0) if square > 0 else x

    return _refitted(equations, white, offset, answer, options, RATIONAL)


def _refitted(
    equations: WhitenedSystem,
    white: Array,
    offset: float,
    answer: Callable[[Array], Array],
    options: Options,
    description: str,
) -> Fit:
    """A fit without prior, and its answers to fresh noise."""
    K, x = equations.kernel, answer(white)
    noise = np.random.default_rng(options.seed).normal(size=(min(options.n_draws, REFITS), len(white)))
    draws = np.array([answer(white + row) for row in noise])
    posterior = BootstrapPosterior(K, x, draws, noise)
    nothing, residual = np.array([np.nan]), white - K @ x
    scan = AlphaScan(
        alpha=nothing, chi2=np.array([float(residual @ residual)]), entropy=nothing, effective=nothing,
        log_evidence=nothing, curvature=nothing, chosen=0, rule="none",
    )  # fmt: skip
    return Fit(
        posterior=posterior, scan=scan, scans={description: scan}, default=x / equations.grid.weights,
        alpha=float("nan"), effective=float(np.clip(np.trace(K @ posterior.response()), 0.0, len(white))),
        data=white, offset=offset, description=description,
    )  # fmt: skip
