"""Whole continuations of resampled data, in parallel: the statistical error without any linearisation."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.options import Options
from sitqmc.continuation.solve import continue_correlator

MIN_REFITS = 4


def resampled(data: CorrelatorData, rng: np.random.Generator) -> CorrelatorData:
    """Return the data of as many samples drawn with replacement; without samples, the mean plus noise.

    The covariance of all samples is kept: a resample holds fewer different samples.
    """
    n = data.mean.size
    if data.samples is not None:
        table = data.samples[rng.integers(0, len(data.samples), len(data.samples))]
        vector = table.mean(axis=0)
    else:
        values, vectors = np.linalg.eigh(data.joint_covariance())
        vector = data.vector() + vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.normal(size=len(values)))
    kinetic = None
    if data.kinetic is not None:
        kinetic = (float(vector[n]), data.kinetic[1], data.kinetic[2])
    return replace(data, mean=vector[:n].copy(), kinetic=kinetic, samples=None)


def bootstrap(
    data: CorrelatorData, options: Options, omega: Array, count: int, workers: int = 1, seed: int = 0
) -> Array:
    """Return the reported A (count, omega) of resamples on the nodes omega; workers change no number."""
    if count < MIN_REFITS:
        raise ValueError(f"resamples = {count}: at least {MIN_REFITS} are needed for an error")
    # Processes share the cores: one thread each.
    fixed = replace(options, omega=omega, n_blocks=None, threads=1 if workers > 1 else options.threads)
    tasks = [(data, fixed, seed, i) for i in range(count)]
    if workers <= 1:
        return np.array([_refit(task) for task in tasks])
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return np.array(list(pool.map(_refit, tasks)))


def _refit(task: tuple[CorrelatorData, Options, int, int]) -> Array:
    data, options, seed, index = task
    return continue_correlator(resampled(data, np.random.default_rng([seed, index])), options).values
