"""Least squares with given errors, bounds and Gaussian priors, and a test of the result.

A prior enters the sum of squares as one more datum. The covariance of the fit therefore holds statistical and
systematic errors together. The statistical part alone is the error with all nuisance parameters held fixed.
Parameters are rescaled before the search, so the result does not depend on the units of the input.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import lmfit
import numpy as np

from sitqmc.analytic.numerics.goodness_of_fit import FitQuality, assess_fit
from sitqmc.analytic.units import Array
from sitqmc.estimate import Estimate
from sitqmc.progress import Bar
from sitqmc.result import Result

Residuals = Callable[[Mapping[str, float]], list[Array]]
Standardised = Callable[[Mapping[str, float]], Array]

PROBE = 0.01
"""Change of the residuals that a finite-difference step aims at: a hundredth of a standard deviation."""


@dataclass(frozen=True, kw_only=True)
class FreeParameter:
    """One fitted parameter: start value, bounds, and the width of its prior (None: no prior)."""

    start: float
    prior: float | None = None
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, kw_only=True, eq=False)
class FitResult(Result):
    """Result of a fit.

    values       every parameter, fixed ones included
    errors       standard error of each fitted parameter, with the contribution of the priors
    statistical  standard error with all parameters that have a prior held fixed
    names        order of the fitted parameters
    correlation  their correlation matrix, shape (n_fit, n_fit)
    residuals    standardised residuals, one array per measured column
    quality      chi^2, p-value and a sentence; `quality.fits` is False if the model is rejected
    """

    values: dict[str, float]
    errors: dict[str, float]
    statistical: dict[str, float]
    names: list[str]
    correlation: Array
    residuals: list[Array] = field(repr=False)
    quality: FitQuality

    def estimate(self, name: str) -> Estimate:
        """Return a fitted parameter with its error."""
        return Estimate(self.values[name], self.errors[name], statistical=self.statistical[name])

    def covariance(self, names: list[str]) -> Array:
        """Return the covariance of the named fitted parameters, shape (len(names), len(names))."""
        index = [self.names.index(n) for n in names]
        sigma = np.array([self.errors[n] for n in names])
        return self.correlation[np.ix_(index, index)] * np.outer(sigma, sigma)

    def strongest_correlation(self) -> tuple[str, str, float] | None:
        """Return the two fitted parameters with the largest correlation, and its value."""
        if len(self.names) < 2:
            return None
        off = np.abs(self.correlation - np.eye(len(self.names)))
        i, j = np.unravel_index(int(np.argmax(off)), off.shape)
        return self.names[i], self.names[j], float(self.correlation[i, j])

    def report(self) -> str:
        """Return quality and fitted values with total and statistical errors, one line each.

        Values of a rejected model are marked: they are where the search ended, not results.
        """
        lines, mark = [self.quality.text], "" if self.quality.fits else "rejected: "
        for n in self.names:
            total, alone = self.errors[n], self.statistical[n]
            lines.append(f"{mark}{n} = {self.values[n]:.6g} +- {total:.2g} (statistical {alone:.2g})")
        return "\n".join(lines)


def fit(
    residuals: Residuals, unknowns: Mapping[str, FreeParameter], fixed: Mapping[str, float], *,
    max_evaluations: int | None = None,
) -> FitResult:  # fmt: skip
    """Minimise the standardised residuals plus priors by Levenberg-Marquardt.

    residuals  function of all parameter values; returns standardised residuals, one array per column
    unknowns   the fitted parameters
    fixed      values of all others
    max_evaluations  evaluations of the residuals after which the search gives up; None: 2000 per parameter
    raises     ValueError if the fit does not converge or the data do not determine a parameter
    """
    with_prior = [name for name, u in unknowns.items() if u.prior is not None]

    def pulls(values: Mapping[str, float]) -> Array:
        return np.array([(values[n] - unknowns[n].start) / (unknowns[n].prior or 1.0) for n in with_prior])

    def standardised(now: Mapping[str, float]) -> Array:
        return np.concatenate([*residuals({**fixed, **now}), pulls(now)])

    best = _minimise(standardised, unknowns, max_evaluations)
    values, names = {**fixed, **best}, list(best)
    covariance = _covariance(standardised, best, unknowns)
    sigma = np.sqrt(np.diag(covariance))
    final = residuals(values)
    return FitResult(
        values=values, errors=dict(zip(names, sigma.tolist(), strict=True)),
        statistical=_statistical(names, covariance, with_prior), names=names,
        correlation=covariance / np.outer(sigma, sigma), residuals=final,
        quality=assess_fit(final, pulls(values), len(names)),
    )  # fmt: skip


def _minimise(
    standardised: Standardised, unknowns: Mapping[str, FreeParameter], max_evaluations: int | None
) -> dict[str, float]:
    """Return the parameters of the minimum, searched in multiples of each parameter's own scale."""
    start = {name: _inside(u) for name, u in unknowns.items()}
    scale = {name: _scale(standardised, start, name, u) for name, u in unknowns.items()}
    parameters = lmfit.Parameters()
    for name, u in unknowns.items():
        low, high = (u.low - start[name]) / scale[name], (u.high - start[name]) / scale[name]
        parameters.add(name, value=0.0, min=low, max=high)

    def values(current: lmfit.Parameters) -> dict[str, float]:
        return {n: start[n] + scale[n] * float(x) for n, x in current.valuesdict().items()}

    with Bar(None, "fit", "evaluations") as bar:
        def followed(current: lmfit.Parameters) -> Array:
            bar.update()
            return standardised(values(current))

        outcome = lmfit.minimize(
            followed, parameters, method="leastsq", scale_covar=False, calc_covar=False,
            max_nfev=max_evaluations,
        )  # fmt: skip
    if not outcome.success:
        raise ValueError(f"the fit did not converge ({outcome.message.strip()}): change the start values")
    return values(outcome.params)


def _inside(u: FreeParameter) -> float:
    """Return a start value off the bounds, where the transformed parameter of the search has no slope."""
    nudge = 0.3 * u.prior if u.prior else 1e-3 * (abs(u.start) or 1.0)
    if u.start <= u.low:
        return u.low + nudge
    return u.high - nudge if u.start >= u.high else u.start


def _scale(standardised: Standardised, at: Mapping[str, float], name: str, u: FreeParameter) -> float:
    """Return the natural step of a parameter: its prior, its size, or the step that changes the residuals."""
    if u.prior or at[name] != 0.0:
        return max(u.prior or 0.0, abs(at[name]))
    return _step(standardised, at, name, u) / PROBE


def _shifted(standardised: Standardised, at: Mapping[str, float], name: str, step: float,
             u: FreeParameter) -> tuple[Array, float]:  # fmt: skip
    """Return the change of the residuals over a symmetric step, and the step's length; inwards at a bound."""
    up = step if at[name] + step <= u.high else 0.0
    down = step if at[name] - step >= u.low else 0.0
    high, low = ({**at, name: at[name] + shift} for shift in (up, -down))
    return np.asarray(standardised(high) - standardised(low)), up + down


def _step(standardised: Standardised, at: Mapping[str, float], name: str, u: FreeParameter) -> float:
    """Return the step of a parameter that changes the residuals by about PROBE.

    raises  ValueError naming the parameter if no step changes them
    """
    step = 1e-6 * max(abs(at[name]), abs(u.start), u.prior or 0.0) or 1e-10
    for _ in range(8):
        change, length = _shifted(standardised, at, name, step, u)
        size = float(np.linalg.norm(change))
        if not np.isfinite(size) or length == 0.0:  # too far, or both ends out of bounds
            step *= 1e-3
        elif size == 0.0:
            step *= 1e3
        elif 0.1 * PROBE < size * step / length < 10 * PROBE:
            return step
        else:
            step *= PROBE / (size * step / length)
    if not size > 0:
        raise ValueError(f"the data do not determine {name}: fix it or give it a prior")
    return step


def _covariance(
    standardised: Standardised, best: Mapping[str, float], unknowns: Mapping[str, FreeParameter]
) -> Array:
    """Return the inverse curvature (J^T J)^-1 at the minimum.

    It is taken in the parameters themselves: the transformed ones of the search have no curvature at a bound.
    raises  ValueError naming a parameter that the data do not determine
    """
    columns = []
    for name in best:
        step = _step(standardised, best, name, unknowns[name])
        change, length = _shifted(standardised, best, name, step, unknowns[name])
        columns.append(change / length)
    jacobian = np.column_stack(columns)
    size = np.linalg.norm(jacobian, axis=0)
    curvature = (jacobian / size).T @ (jacobian / size)
    eigenvalues, axes = np.linalg.eigh(curvature)
    if eigenvalues[0] < 1e-12:
        worst = list(best)[int(np.argmax(np.abs(axes[:, 0])))]
        raise ValueError(f"the data do not determine {worst}: fix it or give it a prior")
    return np.asarray(np.linalg.inv(curvature) / np.outer(size, size))


def _statistical(names: list[str], covariance: Array, nuisances: list[str]) -> dict[str, float]:
    """Return the errors with the nuisances held fixed: the inverse of the curvature of the others alone."""
    curvature = np.linalg.inv(covariance)
    own = [i for i, n in enumerate(names) if n not in nuisances]
    out = dict.fromkeys(names, 0.0)
    if own:
        errors = np.sqrt(np.diag(np.linalg.inv(curvature[np.ix_(own, own)])))
        out.update({names[i]: float(e) for i, e in zip(own, errors, strict=True)})
    return out
