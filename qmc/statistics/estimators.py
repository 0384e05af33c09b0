"""Estimators of averages, and the result of one; `improved` makes them. Imports no compiled code.

    plain       averages as measured
    transverse  responses at q = 0 from those at all wave vectors, see `transverse_fit`
    masks       less disorder noise, see `control_variates`
    improved    both, as far as data and disorder allow: the default
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.result import SavedResult

if TYPE_CHECKING:
    from sitqmc.qmc.statistics.transverse_fit import TransverseFit

Array = NDArray[np.float64]

ESTIMATORS = ("improved", "transverse", "masks", "plain")
DEFAULT_ESTIMATOR = "improved"

WAVES_OF = {"rho": "K_T", "chi_s": "chi_s_q"}
"""Responses that are measured at other wave vectors as well, and under which name."""

STATIC = {"rho_s": "rho"}
"""Scalars that are a response at n = 0."""


@dataclass(frozen=True)
class Average(SavedResult):
    """Disorder average of one quantity; unpacks as (mean, covariance).

    n            Matsubara numbers of the components of a response, None for other quantities
    samples      value of every sample, (samples, ...)
    mean         of the samples
    covariance   of the mean, flattened; a number for a scalar. It holds the scatter of the samples, the
                 spread of the fits averaged over, and the uncertainty of the means of mask functions
    plain_error  standard errors of the plain mean
    estimator    what was done: one of ESTIMATORS
    fit          the fit over wave vectors, None if there is none
    fitted_error standard errors after the fit over wave vectors and before the functions of the mask
    shared       (k, m), shifts of the mean by one standard deviation from k independent sources of error that
                 all averages of the point share: the uncertain means of mask functions. None: there are none
    """

    name: str
    n: NDArray[np.int64] | None
    samples: Array
    mean: Array
    covariance: Array
    plain_error: Array
    estimator: str
    fit: TransverseFit | None = None
    fitted_error: Array | None = None
    shared: Array | None = None

    def __iter__(self) -> Iterator[Array]:
        return iter((self.mean, self.covariance))

    @property
    def error(self) -> Array:
        """Standard errors of the mean."""
        return np.sqrt(np.diag(np.atleast_2d(self.covariance))).reshape(np.shape(self.mean))

    @property
    def estimate(self) -> Estimate:
        """Mean and standard error."""
        return Estimate(self.mean, self.error, n=len(self.samples))

    @property
    def own(self) -> Array:
        """Shifts (r, m) of the mean from independent sources that only this average has: spread of fits."""
        rest = np.atleast_2d(self.covariance) - _covariance(self.samples.reshape(len(self.samples), -1))
        if self.shared is not None:
            rest = rest - self.shared.T @ self.shared
        variance, direction = np.linalg.eigh(rest)
        kept = variance > 1e-9 * np.trace(np.atleast_2d(self.covariance))
        return np.asarray((direction[:, kept] * np.sqrt(variance[kept])).T)

    @property
    def gain(self) -> Array:
        """Variance of the plain mean over that of this one: how many times fewer samples it takes."""
        return _factor(self.plain_error, self.error)

    @property
    def gain_of_fit(self) -> Array:
        """The part of `gain` that is due to other wave vectors; what is left is due to the mask."""
        return _factor(self.plain_error, self.error if self.fitted_error is None else self.fitted_error)


def shifts_of(found: Mapping[str, Average], samples: Mapping[str, Array]) -> list[dict[str, Array]]:
    """Return what independent sources beyond the scatter of the samples do to the means.

    Every source has the shifts of the averages that it moves, by name, of the shape of one of the `samples`,
    in which a response has all Matsubara numbers.
    """
    shared: list[dict[str, Array]] = []
    own: list[dict[str, Array]] = []

    def whole(name: str, row: Array) -> Array:
        numbers = found[name].n
        shift = np.zeros(samples[name].shape[1:])
        shift[... if numbers is None else numbers] = row if numbers is not None else row.reshape(shift.shape)
        return shift

    for name, one in found.items():
        for source, row in enumerate([] if one.shared is None else one.shared):
            if source == len(shared):
                shared.append({})
            shared[source][name] = whole(name, row)
        own += [{name: whole(name, row)} for row in one.own]
    return shared + own


def _factor(before: Array, after: Array) -> Array:
    """Ratio of variances; 1 where nothing fluctuates."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(after > 0, (before / after) ** 2, 1.0))


def _covariance(samples: Array) -> Array:
    """Covariance (m, m) of the mean of samples (n, m)."""
    deviation = samples - samples.mean(axis=0)
    return np.asarray(deviation.T @ deviation / (len(samples) * max(len(samples) - 1, 1)))
