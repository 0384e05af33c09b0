"""Averages by the estimators with less noise: transverse currents, and functions of the mask.

    plain       averages as measured
    transverse  responses at q = 0 from those at all wave vectors, see `transverse_fit`
    masks       less disorder noise, see `control_variates`
    improved    both, as far as data and disorder allow: the default
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import matsubara_numbers, measured_waves
from sitqmc.qmc.statistics.control_variates import Controlled, control, is_disordered, mask_functions
from sitqmc.qmc.statistics.jackknife import binned_error, covariance
from sitqmc.qmc.statistics.transverse_fit import TransverseFit, fit_transverse

Array = NDArray[np.float64]

ESTIMATORS = ("improved", "transverse", "masks", "plain")
DEFAULT_ESTIMATOR = "improved"

WAVES_OF = {"rho": "K_T", "chi_s": "chi_s_q"}
"""Responses that are measured at other wave vectors as well, and under which name."""

STATIC = {"rho_s": "rho"}
"""Scalars that are a response at n = 0."""


@dataclass(frozen=True)
class Average:
    """Disorder average of one quantity; unpacks as (mean, covariance).

    n            Matsubara numbers of the components of a response, None for other quantities
    samples      value of every sample, (samples, ...)
    mean         of the samples
    covariance   of the mean, flattened; a number for a scalar. It holds the scatter of the samples, the
                 spread of the fits averaged over, and the uncertainty of the means of mask functions
    plain_error  standard errors of the plain mean
    estimator    what was done: one of ESTIMATORS
    fit          the fit over wave vectors, None if there is none
    """

    name: str
    n: NDArray[np.int64] | None
    samples: Array
    mean: Array
    covariance: Array
    plain_error: Array
    estimator: str
    fit: TransverseFit | None = None

    def __iter__(self) -> Iterator[Array]:
        return iter((self.mean, self.covariance))

    @property
    def error(self) -> Array:
        """Standard errors of the mean."""
        return np.sqrt(np.diag(np.atleast_2d(self.covariance))).reshape(self.mean.shape)

    @property
    def gain(self) -> Array:
        """Variance of the plain mean over that of this one: how many times fewer samples it takes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(self.error > 0, (self.plain_error / self.error) ** 2, 1.0))


def improved_averages(
    model: Model,
    samples: Mapping[str, Array],
    waves: Mapping[str, Array],
    keys: NDArray[np.int64],
    *,
    names: Sequence[str],
    estimator: str = DEFAULT_ESTIMATOR,
) -> dict[str, Average]:
    """Return the averages of `names` by an estimator.

    samples   averages of every sample, name -> (samples, ...), see `point_averages.sample_means`
    waves     responses by wave vector, K_T and chi_s_q, (samples, waves, frequencies); may lack them
    keys      (samples, 2), seed and number of every sample
    raises    ValueError for an unknown estimator, a name that is not there, or `transverse` without K_T
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator = {estimator!r}: choose one of {', '.join(ESTIMATORS)}")
    missing = [name for name in names if name not in samples]
    if missing:
        raise ValueError(f"{missing[0]!r}: no such average; choose one of {', '.join(samples)}")
    fits = _fits(model, samples, waves, names, estimator)
    functions = None
    if estimator in ("improved", "masks") and is_disordered(model) and len(np.unique(keys[:, 0])) == 1:
        functions = mask_functions(model, int(keys[0, 0]), keys[:, 1].tolist())
    out = {}
    for name in names:
        fit, static = fits.get(name), fits.get(STATIC.get(name, ""))
        values, spread = samples[name], np.zeros(1)
        if fit is not None:
            values, spread = fit.samples, fit.systematic
        elif static is not None:
            values, spread = static.samples[:, 0], static.systematic[:1, 0]
        controlled = None if functions is None else control(functions, values)
        out[name] = _average(name, samples[name], values, spread, fit, controlled, estimator)
    return out


def _fits(
    model: Model, samples: Mapping[str, Array], waves: Mapping[str, Array], names: Sequence[str],
    estimator: str,
) -> dict[str, TransverseFit]:
    """Fits over wave vectors of the responses among `names`."""
    if estimator not in ("improved", "transverse"):
        return {}
    out, n = {}, matsubara_numbers(model.L_tau)
    for name, key in WAVES_OF.items():
        if name not in samples or not {name, *(s for s, r in STATIC.items() if r == name)} & set(names):
            continue
        measured = waves.get(key)
        n_kept = n[n < samples[name].shape[1]]
        if measured is None or not np.isfinite(measured).all():
            if estimator == "transverse":
                raise ValueError(
                    f"estimator = 'transverse': {key} was not measured in all samples; choose 'masks' or "
                    "'plain', or run again with [schedule] transverse = true"
                )
            continue
        out[name] = fit_transverse(
            model, samples[name][:, n_kept], measured[:, :, : len(n_kept)],
            measured_waves(model)[: measured.shape[1]], n_kept, static=name == "rho",
        )  # fmt: skip
    return out


def _average(
    name: str, plain: Array, values: Array, spread: Array, fit: TransverseFit | None,
    controlled: Controlled | None, estimator: str,
) -> Average:  # fmt: skip
    """Collect mean, covariance (with the `spread` of fits) and the error of the plain mean."""
    n = fit.n if fit is not None else np.arange(plain.shape[1]) if name in WAVES_OF else None
    before = plain if fit is None else plain[:, fit.n]
    final = values if controlled is None else controlled.samples
    flat, many = final.reshape(len(final), -1), len(final) > 1
    total = covariance(flat) if many else np.full((flat.shape[1],) * 2, np.nan)
    total = total + spread
    if controlled is not None:
        total = total + controlled.common
    error = binned_error(before) if many else np.full(before.shape[1:], np.nan)
    shaped = total if final.ndim > 1 else total[0, 0]
    return Average(name, n, final, final.mean(axis=0), np.asarray(shaped), np.asarray(error), estimator, fit)
