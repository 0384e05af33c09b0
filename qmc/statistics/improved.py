"""Averages by transverse currents and functions of the mask, see `estimators`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import matsubara_numbers, measured_waves
from sitqmc.qmc.statistics.control_variates import FEW, Controlled, control, is_disordered, mask_functions
from sitqmc.qmc.statistics.estimators import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    STATIC,
    WAVES_OF,
    Average,
    shifts_of,
)
from sitqmc.qmc.statistics.jackknife import binned_error, covariance
from sitqmc.qmc.statistics.point_averages import PointAverages, derived
from sitqmc.qmc.statistics.transverse_fit import TransverseFit, fit_transverse

Array = NDArray[np.float64]


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
    one_seed = len(np.unique(keys[:, 0])) == 1
    if estimator in ("improved", "masks") and is_disordered(model) and one_seed and len(keys) >= FEW:
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
        # A mark of `observables.NOT_MEASURED` is negative in K_T too, which is a sum of squares.
        if measured is None or np.any(waves.get("K_T", measured) < 0):
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
    fitted = np.sqrt(np.diag(covariance(values.reshape(len(values), -1)) + spread)) if many else np.nan
    if controlled is not None:
        total = total + controlled.common
    error = binned_error(before) if many else np.full(before.shape[1:], np.nan)
    shaped = total if final.ndim > 1 else total[0, 0]
    return Average(
        name, n, final, final.mean(axis=0), np.asarray(shaped), np.asarray(error), estimator, fit,
        np.broadcast_to(np.ravel(fitted), flat.shape[1:]).reshape(before.shape[1:]),
        None if controlled is None else controlled.shared,
    )  # fmt: skip


def improve(
    averages: PointAverages, waves: Mapping[str, Array], keys: NDArray[np.int64], *,
    names: Sequence[str] | None = None, estimator: str = DEFAULT_ESTIMATOR,
) -> PointAverages:  # fmt: skip
    """Return averages of a point by an estimator, from plain ones.

    Values and samples are replaced by improved ones; those of responses only at the frequencies where all
    wave vectors are measured. What is derived from averages is derived from improved ones.

    averages    plain
    waves, keys see `improved_averages`
    names       averages that are wanted; None: all
    raises      ValueError for an unknown estimator, or `transverse` without K_T
    """
    if estimator == "plain":
        return averages
    chosen = [name for name in averages.samples if names is None or name in names]
    found = improved_averages(
        averages.model, averages.samples, waves, keys, names=chosen, estimator=estimator
    )
    samples, values = dict(averages.samples), dict(averages.values)
    for name, one in found.items():
        samples[name], values[name] = _merged(averages, name, one)
    used = {name: one for name, one in found.items() if one.n is None}       # responses are not
    values |= derived(averages.model, samples, shifts_of(used, samples))
    fits = (one.fit for one in found.values())
    warnings = (w for fit in fits if fit is not None and fit.best is not None for w in fit.warnings)
    return replace(
        averages, samples=samples, values=values, improved=found, plain=averages.values,
        warnings=(*averages.warnings, *dict.fromkeys(warnings)),
    )  # fmt: skip


def _merged(averages: PointAverages, name: str, one: Average) -> tuple[Array, Estimate]:
    """Return samples and estimate at all components, improved where `one` has them."""
    if one.n is None or len(one.n) == averages.samples[name].shape[1]:
        return one.samples, one.estimate
    samples, plain = averages.samples[name].copy(), averages.values[name]
    value, error = np.array(plain.value), np.array(plain.error)
    samples[:, one.n], value[one.n], error[one.n] = one.samples, one.mean, one.error
    return samples, Estimate(value, error, n=plain.n)
