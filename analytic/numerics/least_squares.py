"""The one way this package fits: lmfit with given errors, Gaussian priors for nuisances, and a verdict.

A prior enters the sum of squares as one more datum, so the covariance of the fit holds statistical and
systematic error together; the statistical part alone is the error with all nuisances held fixed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import lmfit
import numpy as np

from sitqmc.analytic.numerics.goodness_of_fit import FitQuality, assess_fit
from sitqmc.analytic.units import Array

Residuals = Callable[[Mapping[str, float]], list[Array]]


@dataclass(frozen=True, kw_only=True)
class FreeParameter:
    """One parameter of a fit: start value, bounds, and a prior width (None: free without prior)."""

    start: float
    prior: float | None = None
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, kw_only=True, eq=False)
class FitResult:
    """Outcome of a fit.

    values       every parameter, fixed ones included
    errors       standard deviation of each fitted parameter, systematic terms (priors) included
    statistical  the same without the priors' share (nuisances held fixed)
    names, correlation   order and matrix (n_fit, n_fit) of the fitted parameters
    residuals    standardised residuals, one array per measured column
    verdict      chi^2, p-value and a sentence; `verdict.fits` is False when the model fails
    """

    values: dict[str, float]
    errors: dict[str, float]
    statistical: dict[str, float]
    names: list[str]
    correlation: Array
    residuals: list[Array] = field(repr=False)
    quality: FitQuality

    def covariance(self, names: list[str]) -> Array:
        """Covariance of the named fitted parameters, shape (len(names), len(names))."""
        index = [self.names.index(n) for n in names]
        sigma = np.array([self.errors[n] for n in names])
        return self.correlation[np.ix_(index, index)] * np.outer(sigma, sigma)

    def report(self) -> str:
        """Return quality of the fit and fitted values with total and statistical errors, one line each.

        The values of a model that does not fit are marked: they are where the search ended, no results.
        """
        lines, mark = [self.quality.text], "" if self.quality.fits else "rejected: "
        for n in self.names:
            total, alone = self.errors[n], self.statistical[n]
            lines.append(f"{mark}{n} = {self.values[n]:.6g} +- {total:.2g} (statistical {alone:.2g})")
        return "\n".join(lines)


def _inside(u: FreeParameter) -> float:
    """A first value off the bounds, where the minimiser's transformed parameter would have no slope."""
    nudge = 0.3 * u.prior if u.prior else 1e-3
    if u.start <= u.low:
        return u.low + nudge
    return u.high - nudge if u.start >= u.high else u.start


def fit(residuals: Residuals, unknowns: Mapping[str, FreeParameter], fixed: Mapping[str, float]) -> FitResult:
    """Least squares of standardised residuals plus priors, Levenberg-Marquardt.

    residuals  function of the parameter values returning standardised residuals, one array per column
    raises     ValueError if the fit does not converge or the data do not determine a parameter
    """
    parameters = lmfit.Parameters()
    for name, u in unknowns.items():
        parameters.add(name, value=_inside(u), min=u.low, max=u.high)
    with_prior = [name for name, u in unknowns.items() if u.prior is not None]

    def pulls(values: Mapping[str, float]) -> Array:
        return np.array([(values[n] - unknowns[n].start) / (unknowns[n].prior or 1.0) for n in with_prior])

    def objective(current: lmfit.Parameters) -> Array:
        values = {**fixed, **current.valuesdict()}
        return np.concatenate([*residuals(values), pulls(values)])

    outcome = lmfit.minimize(objective, parameters, method="leastsq", scale_covar=False, calc_covar=False)
    if not outcome.success:
        raise ValueError(f"the fit did not converge ({outcome.message.strip()}): check the start values")
    best = {n: float(v) for n, v in outcome.params.valuesdict().items()}
    values, names = {**fixed, **best}, list(best)

    def everything(now: Mapping[str, float]) -> Array:
        return np.concatenate([*residuals({**fixed, **now}), pulls(now)])

    covariance = _covariance(everything, best, unknowns)
    sigma = np.sqrt(np.diag(covariance))
    final = residuals(values)
    return FitResult(
        values=values,
        errors=dict(zip(names, sigma.tolist(), strict=True)),
        statistical=_statistical(names, covariance, with_prior),
        names=names,
        correlation=covariance / np.outer(sigma, sigma),
        residuals=final,
        quality=assess_fit(final, pulls(values), len(names)),
    )


def _covariance(
    standardised: Callable[[Mapping[str, float]], Array],
    best: Mapping[str, float],
    unknowns: Mapping[str, FreeParameter],
) -> Array:
    """Inverse curvature (J^T J)^-1 at the minimum, steps a hundredth of a standard deviation.

    Taken in the parameters themselves: those a bounded minimiser works with have no curvature at a bound.
    raises ValueError naming the parameter that the data do not determine
    """

    def column(name: str, step: float) -> Array:
        # Near a bound the step goes inwards only.
        up = step if best[name] + step <= unknowns[name].high else 0.0
        down = step if best[name] - step >= unknowns[name].low else 0.0
        high, low = ({**best, name: best[name] + shift} for shift in (up, -down))
        return np.asarray((standardised(high) - standardised(low)) / (up + down))

    columns = []
    for name, value in best.items():
        rough = float(np.linalg.norm(column(name, 1e-6 * max(abs(value), abs(unknowns[name].start), 1e-4))))
        if not rough > 0:
            raise ValueError(f"the data do not determine {name}: fix it or give it a prior")
        columns.append(column(name, 0.01 / rough))
    jacobian = np.column_stack(columns)
    size = np.linalg.norm(jacobian, axis=0)
    curvature = (jacobian / size).T @ (jacobian / size)
    eigenvalues, axes = np.linalg.eigh(curvature)
    if eigenvalues[0] < 1e-12:
        worst = list(best)[int(np.argmax(np.abs(axes[:, 0])))]
        raise ValueError(f"the data do not determine {worst}: fix it or give it a prior")
    return np.asarray(np.linalg.inv(curvature) / np.outer(size, size))


def _statistical(names: list[str], covariance: Array, nuisances: list[str]) -> dict[str, float]:
    """Errors with the nuisances held fixed: the inverse of the curvature of the others alone."""
    curvature = np.linalg.inv(covariance)
    own = [i for i, n in enumerate(names) if n not in nuisances]
    out = dict.fromkeys(names, 0.0)
    if own:
        errors = np.sqrt(np.diag(np.linalg.inv(curvature[np.ix_(own, own)])))
        out.update({names[i]: float(e) for i, e in zip(own, errors, strict=True)})
    return out
