"""From correlator data to a spectrum: the one path that every public call takes."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods import DEFAULT_METHOD, METHODS, Method
from sitqmc.continuation.methods.parallel import single_blas
from sitqmc.continuation.methods.problem import Problem, pose
from sitqmc.continuation.options import OptionKeys, Options, resolve
from sitqmc.continuation.spectrum.diagnostics import degrees_of_freedom, is_rejected
from sitqmc.continuation.spectrum.posterior import with_calibrated_error, with_combined_error
from sitqmc.continuation.spectrum.resolution import averaging_kernels
from sitqmc.continuation.spectrum.solution import Solution
from sitqmc.continuation.spectrum.spectrum import CONDUCTIVITY, Spectrum, SumRule
from sitqmc.estimate import Estimate

TAIL_SHARE = 0.02       # weight in the last fifth of the frequency range that calls for a larger cut-off


def continue_correlator(
    data: CorrelatorData, options: Options | None = None, **changes: Unpack[OptionKeys]
) -> Spectrum:
    """Return the spectrum of any correlator, with bands.

    data     see `CorrelatorData`
    options, changes   see `Options`; every field of it is a keyword here
    raises   ValueError for data or options that cannot be continued, TypeError for an unknown keyword
    """
    chosen = resolve(options, changes)
    method = _method(chosen.method or DEFAULT_METHOD, data.kind)
    with single_blas():
        problem = pose(data, chosen)
        return _solved(problem, method)


def continue_conductivity(
    rho_samples: ArrayLike,
    beta: float,
    *,
    eps: float | None = None,
    n: ArrayLike | None = None,
    kinetic: ArrayLike | None = None,
    stiffness: float | None = None,
    covariance: ArrayLike | None = None,
    **options: Unpack[OptionKeys],
) -> Spectrum:
    """Return sigma_reg(omega) from samples of the current response rho(i w_n).

    rho_samples  (n_samples, n_points), one row per disorder sample (or independent bin), energy units
    beta         inverse temperature
    eps          time step of the simulation: the exact finite-step kernel is used; None: continuous time
    n            (n_points,) Matsubara integers; default 0, 1, ... n_points - 1
    kinetic      (n_samples,) values of <-k_x>: imposes the f-sum rule, exact only for eps -> 0
    stiffness    rho_s if known exactly; None: solved with the spectrum, rho(0) being one of the data
    covariance   (n_points, n_points) of the mean, if it holds more than the scatter of the samples, see
                 `CorrelatorData.from_samples`
    options      fields of `Options` as keywords
    returns      a `Spectrum`; `.sigma` is in units of 4e^2/h, `.values` in Q^2/hbar
    """
    table = np.asarray(rho_samples, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"rho_samples have shape {table.shape}: give (n_samples, n_points)")
    grid = np.arange(table.shape[1]) if n is None else np.asarray(n)
    data = CorrelatorData.from_samples(
        table, kind="rho_iw", beta=beta, grid=grid, eps=eps, kinetic=kinetic, covariance=covariance
    )
    return continue_correlator(data, resolve(Options(constant=stiffness), options))


def continue_mixed(
    total: CorrelatorData, first: CorrelatorData, second: CorrelatorData, **options: Unpack[OptionKeys]
) -> tuple[Array, Array, Array]:
    """Return (omega, A_ab, error) of a correlator <a b> whose spectrum has no definite sign.

    It is split into spectra that have one: A_ab = (A_(a+b) - A_a - A_b)/2.

    total          correlator of a + b with itself; first, second: of a and of b. All of one kind
    options        fields of `Options` as keywords
    error          (omega,), the three errors in quadrature: the noise of the three is taken as independent
    """
    kinds = {total.kind, first.kind, second.kind}
    if len(kinds) > 1:
        raise ValueError(f"kinds {', '.join(sorted(kinds))}: the three correlators must be of one kind")
    whole = continue_correlator(total, **options)
    parts = [continue_correlator(one, **(options | {"omega": whole.omega})) for one in (first, second)]
    values = 0.5 * (whole.values - parts[0].values - parts[1].values)
    squares = whole.error**2 + parts[0].error ** 2 + parts[1].error ** 2
    return whole.omega, values, 0.5 * np.sqrt(squares)


def cutoff_dependence(data: CorrelatorData, factor: float = 1.6, **changes: Unpack[OptionKeys]) -> float:
    """Return the largest change of A, in units of its error, when omega_max is multiplied by `factor`.

    Only frequencies that hold the central 98 % of the weight are compared. Below about 1 the cut-off does
    not matter; above, set omega_max larger until it does not.
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


def _method(name: str, kind: str) -> Method:
    """Look up a method that can continue this kind of data."""
    if name not in METHODS:
        raise ValueError(f"method = {name!r}: choose one of {', '.join(METHODS)}")
    method = METHODS[name]
    if kind not in method.kinds:
        known = ", ".join(method.kinds)
        raise ValueError(f"method = {name!r} with kind {kind}: it needs {known}; choose another method")
    return method


def _solved(problem: Problem, method: Method) -> Spectrum:
    """Solve the problem; a second time with rho_s = 0 where the free stiffness comes out negative."""
    solution = method.solve(problem)
    negative = negative_stiffness(problem, solution)
    if negative is None:
        return spectrum_of(problem, solution)
    problem = problem.with_constant(0.0)
    return spectrum_of(problem, method.solve(problem), negative)


def negative_stiffness(problem: Problem, solution: Solution) -> Estimate | None:
    """Return the free stiffness of a solution if it is negative, else None."""
    if problem.data.kind != "rho_iw" or problem.equations.constant_kernel is None:
        return None
    found = _constant(problem, solution, _replica_solutions(problem, solution))
    return found if found is not None and found.value < 0.0 else None


def spectrum_of(problem: Problem, solution: Solution, negative: Estimate | None = None) -> Spectrum:
    """Return the spectrum of a solution with its errors.

    negative  the free stiffness that was negative; the problem imposes 0 instead
    """
    notes = list(problem.data.warnings)
    replicas = _replica_solutions(problem, solution)
    if negative is None:
        return _spectrum(problem, solution, replicas, _constant(problem, solution, replicas), notes)
    notes.append(f"rho_s = {negative.value:.2e} +- {negative.error:.1e} < 0: set to 0")
    constant = Estimate(
        0.0, negative.error, statistical=negative.statistical, posterior=negative.posterior
    )
    return _spectrum(problem, solution, replicas, constant, notes)


def _replica_solutions(problem: Problem, solution: Solution) -> Array:
    """Return x on every replica of the data (n_replicas, omega), to first order in the change of the data.

    Alpha and the probabilities of the components are held. Delete-one changes are of order 1/n_samples, so
    the second order is far below the error itself. Negative values are set to 0.
    """
    whitened, _ = problem.whitened_replicas
    changes = (whitened - problem.whitened_data) @ solution.posterior.response().T
    return np.asarray(np.maximum(solution.posterior.reported + changes, 0.0))


def _constant(problem: Problem, solution: Solution, replicas: Array) -> Estimate | None:
    """Return the additive constant with its errors; an imposed one has the error 0, None: there is none."""
    equations, posterior = problem.equations, solution.posterior
    k = equations.constant_kernel
    if k is None:
        imposed = problem.options.constant
        return None if imposed is None else with_combined_error(imposed, 0.0, 0.0)
    _, constants = problem.whitened_replicas
    spread = np.hypot(posterior.functional_error(k[None, :])[0], equations.constant_error)
    value = equations.constant_at_zero - k @ posterior.reported
    statistical = problem.replicas.error(constants - replicas @ k)
    return with_calibrated_error(value, statistical, float(spread), posterior.error_factor("constant"))


def _spectrum(
    problem: Problem, solution: Solution, replicas: Array, constant: Estimate | None, notes: list[str]
) -> Spectrum:
    """Return the result with its errors, resolution and remarks."""
    grid, posterior, data = problem.grid, solution.posterior, problem.whitened_data
    x = posterior.reported
    windows, width = averaging_kernels(posterior, grid)
    residual = data - problem.kernel @ x
    chi2 = float(residual @ residual)
    notes += [*problem.equations.warnings, *_fit_warnings(grid, x, chi2, len(data), solution.n_effective)]
    low, high = posterior.quantile(0.158655), posterior.quantile(0.841345)
    pointwise = None if low is None or high is None else 0.5 * (high - low) / grid.weights
    return Spectrum(
        kind=problem.data.kind, beta=problem.data.beta, grid=grid, values=x / grid.weights,
        default=solution.default, alpha=solution.alpha, chi2=chi2, n_data=len(data),
        n_effective=solution.n_effective, constant=constant,
        sum_rule=_sum_rule(problem, solution, replicas, constant), scan=solution.scan, scans=solution.scans,
        method=solution.description, report=problem.equations.report, posterior=posterior,
        replicas=replicas / grid.weights, replica_factor=problem.replicas.factor,
        replica_method=problem.replicas.method,
        statistical_error=problem.replicas.error(replicas) / grid.weights,
        posterior_error=posterior.functional_error(windows) if pointwise is None else pointwise,
        resolution=width, warnings=(*notes, *solution.warnings),
    )  # fmt: skip


def _sum_rule(
    problem: Problem, solution: Solution, replicas: Array, constant: Estimate | None
) -> SumRule | None:
    """Return rho_s + (2/pi) int sigma_reg; its errors include the covariance of the two terms."""
    # The constant of lambda_iw is a contact term, not rho_s.
    if problem.data.kind not in CONDUCTIVITY or problem.data.kind == "lambda_iw":
        return None
    equations, posterior = problem.equations, solution.posterior
    ones = np.full(problem.grid.omega.size, 2.0 / np.pi)
    k = equations.constant_kernel
    functional = ones if k is None else ones - k
    _, constants = problem.whitened_replicas
    spread = np.hypot(posterior.functional_error(functional[None, :])[0], equations.constant_error)
    total = float(ones @ posterior.reported) + (0.0 if constant is None else constant.value)
    shifted = constants + replicas @ functional
    found = with_calibrated_error(
        total, problem.replicas.error(shifted), float(spread), posterior.error_factor("functional"),
        float(posterior.tail_error(functional[None, :])[0]),
    )  # fmt: skip
    return SumRule(found, None if problem.data.kinetic is None else problem.data.kinetic[0], shifted)


def _fit_warnings(grid: FrequencyGrid, x: Array, chi2: float, n_data: int, n_effective: float) -> list[str]:
    notes = []
    if is_rejected(chi2, n_data, n_effective):
        freedom = degrees_of_freedom(n_data, n_effective)
        notes.append(f"poor fit: chi^2 = {chi2:.1f} for {freedom:.1f} degrees of freedom")
    tail = float(x[np.abs(grid.omega) > 0.8 * grid.omega[-1]].sum() / x.sum())
    if tail > TAIL_SHARE:
        notes.append(f"{100 * tail:.0f} % of the weight lies above 0.8 omega_max, {0.8 * grid.omega[-1]:.3g}")
    return notes
