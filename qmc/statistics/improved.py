"""Averages by transverse currents and functions of the mask, see `estimators`."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import matsubara_numbers, measured_waves
from sitqmc.qmc.statistics.control_variates import FEW, Controlled, control, is_disordered, mask_functions
from sitqmc.qmc.statistics.estimators import DEFAULT_ESTIMATOR, ESTIMATORS, STATIC, WAVES_OF, Average
from sitqmc.qmc.statistics.jackknife import binned_error, covariance
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
        # A mark of `chains.bins.NOT_MEASURED` is negative in K_T too, which is a sum of squares.
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
    if controlled is not None:
        total = total + controlled.common
    error = binned_error(before) if many else np.full(before.shape[1:], np.nan)
    shaped = total if final.ndim > 1 else total[0, 0]
    return Average(name, n, final, final.mean(axis=0), np.asarray(shaped), np.asarray(error), estimator, fit)
