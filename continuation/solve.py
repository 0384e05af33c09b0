"""From correlator data to a spectrum: the one path that every public call takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from sitqmc.continuation.data.constraints import support_factor
from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.default_models import DefaultModel, default_grid, default_models
from sitqmc.continuation.data.resampling import Replicas, replicas_of
from sitqmc.continuation.data.whitening import WhitenedSystem, whiten
from sitqmc.continuation.kernels.grids import FrequencyGrid, grid_from_nodes
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.method import (
    RATIONAL,
    Fit,
    fit_maxent,
    fit_process,
    fit_rational,
    fit_sampling,
    fit_sparse,
)
from sitqmc.continuation.methods.parallel import single_blas
from sitqmc.continuation.options import Options, resolve
from sitqmc.continuation.spectrum.features import Value
from sitqmc.continuation.spectrum.resolution import averaging_kernels
from sitqmc.continuation.spectrum.spectrum import CONDUCTIVITY, Spectrum, SumRule

POOR_FIT = 2.5          # chi^2 per degree of freedom that is called a bad fit
TAIL_SHARE = 0.02       # weight in the last fifth of the frequency range that calls for a larger cut-off


def continue_correlator(
    data: CorrelatorData, options: Options | None = None, **changes: Any
) -> Spectrum:
    """Spectrum of any correlator, with bands.

    data     see `CorrelatorData`
    options, changes   see `Options`; every field of it is a keyword here
    """
    o = resolve(options, changes)
    with single_blas():
        return _continued(data, o)


def _continued(data: CorrelatorData, o: Options) -> Spectrum:
    grid = default_grid(data, o.n_omega, o.omega_max)
    if o.omega is not None:
        grid = grid_from_nodes(np.asarray(o.omega))
    factor = support_factor(grid.omega, o.gap, o.onset_power)
    plain = default_models(data, grid, o.default)
    given = [] if isinstance(o.default, str) and o.default == "gaussian" else plain
    models = [DefaultModel(m.name, m.values * factor) for m in plain]
    replicas = replicas_of(data, o.n_blocks)
    shift = 0.0 if o.constant is None else float(o.constant)
    column = data.constant_column()
    if o.constant is not None and column is None:
        raise ValueError(f"constant = {o.constant} with kind {data.kind}: only rho_iw and chi_iw have one")
    known = 0.0 if column is None else shift * column

    def attempt(free: bool) -> tuple[WhitenedSystem, Fit]:
        equations = whiten(data, grid, constant=free)
        vector = data.vector() - known
        if o.method == "process":
            return equations, fit_process(equations, vector, data, given, factor, o)
        if o.method == "sampling":
            return equations, fit_sampling(equations, vector, models, o)
        if o.method == "sparse":
            return equations, fit_sparse(equations, vector, factor, o)
        if o.method == "rational":
            return equations, fit_rational(equations, vector, data, factor, o)
        return equations, fit_maxent(equations, vector, models, o)

    equations, fit = attempt(o.constant is None)
    notes: list[str] = [*data.warnings]
    value = _constant(equations, fit, replicas, known, shift) if column is not None else None
    if data.kind == "rho_iw" and o.constant is None and value is not None and value.value < 0.0:
        notes.append(f"rho_s = {value.value:.2e} +- {value.error:.1e} < 0: set to 0")
        value = Value(0.0, value.stat_error, value.posterior_error)
        equations, fit = attempt(False)
    return _assemble(data, equations, fit, replicas, known, value, notes)


def _replica_solutions(
    equations: WhitenedSystem, fit: Fit, replicas: Replicas, known: Array | float
) -> Array:
    """x on every replica (n_replicas, omega), to first order in the (small) change of the data.

    Alpha and the probabilities of the components are held; delete-one changes are of order 1/n_samples,
    so the neglected second order is far below the error itself. Clipped at 0.
    """
    whitened = np.array([equations.whiten(v - known)[0] for v in replicas.vectors])
    moved = fit.posterior.centre + (whitened - fit.data) @ fit.posterior.response().T
    return np.asarray(np.maximum(moved, 0.0))


def _constant(
    equations: WhitenedSystem, fit: Fit, replicas: Replicas, known: Array | float, shift: float
) -> Value:
    """The additive constant with its errors; the given one, without error, if it was imposed."""
    k = equations.constant_kernel
    if k is None:
        return Value(shift, 0.0, 0.0)
    solutions = _replica_solutions(equations, fit, replicas, known)
    offsets = np.array([equations.whiten(v - known)[1] for v in replicas.vectors])
    spread = np.hypot(fit.posterior.spread(k[None, :])[0], equations.constant_error)
    return Value(
        float(fit.offset - k @ fit.posterior.centre),
        float(replicas.error(offsets - solutions @ k)),
        float(spread),
    )


def _assemble(
    data: CorrelatorData,
    equations: WhitenedSystem,
    fit: Fit,
    replicas: Replicas,
    known: Array | float,
    constant: Value | None,
    notes: list[str],
) -> Spectrum:
    grid, posterior = equations.grid, fit.posterior
    x = posterior.centre
    solutions = _replica_solutions(equations, fit, replicas, known)
    windows, width = averaging_kernels(posterior, grid)
    residual = fit.data - equations.kernel @ x
    chi2 = float(residual @ residual)
    notes += [*equations.warnings, *_fit_warnings(grid, x, chi2, len(fit.data), fit.effective)]
    if fit.description == RATIONAL:
        notes.append("rational function: cut at 0 and scaled, its chi^2 is that of the form, not of a fit")
    low, high = posterior.quantile(0.158655), posterior.quantile(0.841345)
    pointwise = None if low is None or high is None else 0.5 * (high - low) / grid.weights
    spread = posterior.spread(windows) if pointwise is None else pointwise
    return Spectrum(
        kind=data.kind, beta=data.beta, grid=grid, values=x / grid.weights, default=fit.default,
        alpha=fit.alpha, chi2=chi2, n_data=len(fit.data), effective=fit.effective, constant=constant,
        sum_rule=_sum_rule(data, equations, fit, solutions, replicas, known, constant),
        scan=fit.scan, scans=fit.scans, method=fit.description, report=equations.report,
        posterior=posterior, replicas=solutions / grid.weights, replica_factor=replicas.factor,
        replica_method=replicas.method, stat_error=replicas.error(solutions) / grid.weights,
        posterior_error=spread, resolution=width, warnings=tuple(notes),
    )  # fmt: skip


def _sum_rule(
    data: CorrelatorData, equations: WhitenedSystem, fit: Fit, solutions: Array, replicas: Replicas,
    known: Array | float, constant: Value | None,
) -> SumRule | None:  # fmt: skip
    """rho_s + (2/pi) int sigma_reg, its errors including the covariance of the two terms."""
    if data.kind not in CONDUCTIVITY:
        return None
    ones = np.full(equations.grid.omega.size, 2.0 / np.pi)
    k = equations.constant_kernel
    functional = ones if k is None else ones - k
    offsets = np.array([equations.whiten(v - known)[1] for v in replicas.vectors])
    spread = np.hypot(fit.posterior.spread(functional[None, :])[0], equations.constant_error)
    total = float(ones @ fit.posterior.centre) + (0.0 if constant is None else constant.value)
    shifted = offsets + solutions @ functional
    found = Value(total, float(replicas.error(shifted)), float(spread))
    return SumRule(found, None if data.kinetic is None else data.kinetic[0], shifted)


def _fit_warnings(grid: FrequencyGrid, x: Array, chi2: float, n_data: int, effective: float) -> list[str]:
    notes = []
    freedom = max(n_data - effective, 1.0)
    if chi2 / freedom > POOR_FIT:
        notes.append(f"poor fit: chi^2 = {chi2:.1f} for {freedom:.1f} degrees of freedom")
    tail = float(x[grid.omega > 0.8 * grid.omega[-1]].sum() / x.sum())
    if tail > TAIL_SHARE:
        notes.append(f"{100 * tail:.0f} % of the weight lies above 0.8 omega_max, {0.8 * grid.omega[-1]:.3g}")
    return notes


def cutoff_dependence(data: CorrelatorData, factor: float = 1.6, **changes: Any) -> float:
    """Largest change of A, in units of its error, when omega_max is multiplied by `factor`.

    Compared where 98 % of the weight lies. Below about 1 the cut-off does not matter; above, set omega_max
    larger until it does not.
    """
    o = resolve(None, changes)
    if o.omega is not None:
        raise ValueError("omega given: the check needs the default grid, give omega_max and n_omega instead")
    first = continue_correlator(data, o)
    top = float(first.omega[-1])
    other = continue_correlator(data, o, omega_max=factor * top)
    share = np.cumsum(first.values * first.grid.weights) / float(first.values @ first.grid.weights)
    used = (share > 0.01) & (share < 0.99)
    moved = np.interp(first.omega, other.omega, other.values)
    error = np.maximum(first.error, 1e-3 * first.values.max())
    return float(np.max((np.abs(moved - first.values) / error)[used]))
