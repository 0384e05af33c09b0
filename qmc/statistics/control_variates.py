"""Less disorder noise: regression of sample averages on functions of the mask whose disorder means are known.

For any function f of the disorder sample, X - c (f - <f>) has the disorder mean of X, and less scatter where
f predicts X. Local counts have exact means. The means of the network's functions are taken over a population
of masks without simulation, where counts reduce the scatter in turn. Masks come from seeds, so finished runs
can be treated as well.

Coefficients fitted to the same samples would bias the mean by O(1/samples): every sample is therefore
corrected with coefficients from the other folds. Ridge parameter and set of functions are chosen there as
well, by leave-one-out prediction, for each principal axis of the components of an average. Where no set of
functions predicts anything, the samples stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.qmc.model.model import Model

Array = NDArray[np.float64]

FOLDS = 8
FEW = 24
"""Samples below which nothing is fitted."""

POPULATION = 8192
"""Masks over which the means of the network are taken."""

FIRST = 2**31
"""Number of the first sample of the population: runs draw smaller ones."""

WORTHWHILE = 0.95
"""Share of the variance that must be left at most: less than that is not told from chance."""

BATCH = 512
RIDGES = 10.0 ** np.arange(-6, 3)
"""Ridge parameters that are tried, in units of the samples: the functions have variance one."""


@dataclass(frozen=True)
class Fold:
    """Samples to correct, and the others, which give the coefficients.

    mine, others  (samples,), masks
    sets          singular value decompositions (U, s, V) of the functions of the others, less their means:
                  number of bonds alone, all local counts, all functions
    """

    mine: NDArray[np.bool_]
    others: NDArray[np.bool_]
    sets: tuple[tuple[Array, Array, Array], ...]


@dataclass(frozen=True)
class MaskFunctions:
    """Functions of the masks of some samples less their disorder means.

    values      (samples, k): local counts, then the network; variance about one
    uncertainty (k, k), covariance of the means taken off
    counts      how many of them are local counts
    population  (masks, k), error of the means by mask of the population: `uncertainty` is its square; points
                with the same masks share it. None: nothing is known of it
    """

    values: Array
    uncertainty: Array
    counts: int
    population: NDArray[np.float32] | None = None

    @cached_property
    def uncertainty_root(self) -> Array:
        """R (k, k) with R^T R = `uncertainty`."""
        variance, direction = np.linalg.eigh(self.uncertainty)
        return np.asarray((direction * np.sqrt(np.maximum(variance, 0.0))).T)

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """The divisions of the samples into a fold and the others, the same for every average."""
        n, k = self.values.shape
        # Strided folds: neighbours in the order of drawing share no fold more than others do.
        number, sets = np.arange(n) % FOLDS, sorted({1, self.counts, k} - {0})
        out = []
        for mine in (number == f for f in range(FOLDS)):
            others = self.values[~mine]
            out.append(Fold(mine, ~mine, tuple(_decomposed(others[:, :count]) for count in sets)))
        return tuple(out)


@dataclass(frozen=True)
class Controlled:
    """Averages with the foreseeable part of the disorder taken out.

    samples      corrected averages of every sample, of the shape given
    shared       (k, m), shifts of all components (flat) by one standard deviation, from k independent
                 sources: the means of the functions are uncertain, for all averages of a point alike
    gain         variance of the plain mean over that of the corrected one, of the shape of one sample
    slope        (k, m), coefficients of the functions of the mask, of all m components (flat)
    """

    samples: Array
    shared: Array
    gain: Array
    slope: Array

    @property
    def common(self) -> Array:
        """Covariance (m, m) that is common to all samples."""
        return np.asarray(self.shared.T @ self.shared)

    @property
    def value(self) -> Array:
        """Disorder mean."""
        return np.asarray(self.samples.mean(axis=0))

    @property
    def covariance(self) -> Array:
        """Covariance of `value`, flattened."""
        return _covariance(self.samples.reshape(len(self.samples), -1)) + self.common

    @property
    def error(self) -> Array:
        """Standard errors of `value`."""
        return np.asarray(np.sqrt(np.diag(self.covariance)).reshape(self.samples.shape[1:]))


def mask_functions(
    model: Model, seed: int, samples: Sequence[int], population: int = POPULATION
) -> MaskFunctions:
    """Return the functions of samples that runs drew with `seed`.

    raises  ValueError for a clean model, whose samples do not differ
    """
    if not is_disordered(model):
        raise ValueError("p = p_site = spread_J = spread_C = 0: a clean array has no mask to regress on")
    counts, network = _functions(model, seed, samples)
    mean, rest, scale = _network_means(model, seed, population)
    counts_scale = counts.std(axis=0)
    moving = counts_scale > 1e-12 * max(float(counts_scale.max()), 1e-300)
    counts = counts[:, moving] / counts_scale[moving]
    steady = scale > 1e-9 * np.maximum(np.abs(mean), 1e-9)
    network = (network - mean)[:, steady] / scale[steady]
    k = counts.shape[1]
    errors = np.zeros((population, k + steady.sum()), np.float32)
    errors[:, k:] = rest[:, steady] / scale[steady]
    uncertainty = errors.T.astype(float) @ errors
    return MaskFunctions(np.hstack([counts, network]), uncertainty, k, errors)


def is_disordered(model: Model) -> bool:
    return bool(model.p or model.p_site or model.spread_J or model.spread_C)


def _functions(model: Model, seed: int, samples: Sequence[int]) -> tuple[Array, Array]:
    """Local counts and network of samples, in batches: masks of a population would fill the memory."""
    # Its kernels load here only: commands that read a run without these regressions start faster.
    from sitqmc.qmc.model.mask_functions import local_counts, network_functions

    counts, network = [], []
    for first in range(0, len(samples), BATCH):
        drawn = [model.draw_disorder(seed, int(s)) for s in samples[first : first + BATCH]]
        counts.append(local_counts(model, drawn))
        network.append(network_functions(model, drawn))
    return np.concatenate(counts), np.concatenate(network)


@lru_cache(maxsize=64)
def _network_means(model: Model, seed: int, size: int) -> tuple[Array, NDArray[np.float32], Array]:
    """Disorder means of the network's functions, their error by mask (size, k), standard deviations."""
    counts, network = _functions(model, seed, range(FIRST, FIRST + size))
    design = np.hstack([np.ones((size, 1)), counts])
    coefficients = np.linalg.lstsq(design, network, rcond=1e-10)[0]
    rest = network - design @ coefficients               # counts have mean zero: the constant is the mean
    rest /= np.sqrt(size * max(size - design.shape[1], 1))
    return coefficients[0], rest.astype(np.float32), network.std(axis=0)


def control(functions: MaskFunctions, samples: ArrayLike) -> Controlled:
    """Correct averages of samples (n, ...), in the order of the functions.

    raises  ValueError if their numbers differ
    """
    given = np.asarray(samples, float)
    if len(given) != len(functions.values):
        known = len(functions.values)
        raise ValueError(f"{len(given)} samples, functions of {known}: must be the same samples")
    flat = given.reshape(len(given), -1)
    corrected, slopes = flat.copy(), np.zeros((functions.values.shape[1], flat.shape[1]))
    moving = flat.std(axis=0) > 1e-12 * np.maximum(np.abs(flat).max(axis=0, initial=0.0), 1e-300)
    if len(flat) >= FEW and moving.any():
        corrected[:, moving], slopes[:, moving] = _corrected(functions, flat[:, moving])
    before, shared = flat.var(axis=0), functions.uncertainty_root @ slopes
    after = corrected.var(axis=0) + np.sum(shared**2, axis=0) * (len(flat) - 1)
    worse = after >= before
    corrected[:, worse] = flat[:, worse]
    slopes[:, worse], shared[:, worse] = 0.0, 0.0
    gain = np.where(worse | (after == 0), 1.0, before / np.where(after > 0, after, 1.0))
    return Controlled(corrected.reshape(given.shape), shared, gain.reshape(given.shape[1:]), slopes)


def control_all(functions: MaskFunctions, samples: Mapping[str, Array]) -> dict[str, Controlled]:
    """Correct the averages of every name."""
    return {name: control(functions, values) for name, values in samples.items()}


def _corrected(functions: MaskFunctions, flat: Array) -> tuple[Array, Array]:
    """Corrected averages (n, m), and mean coefficients (k, m) over the folds."""
    out, slope = flat.copy(), np.zeros((functions.values.shape[1], flat.shape[1]))
    for fold in functions.folds:
        scale, axes = _axes(flat[fold.others])
        some = _coefficients(functions, fold, (flat[fold.others] / scale) @ axes) @ axes.T * scale
        out[fold.mine] -= functions.values[fold.mine] @ some
        slope += some / FOLDS
    return out, slope


def _axes(target: Array) -> tuple[Array, Array]:
    """Return standard deviations (m,) of the components of `target` and the principal axes (m, r) in them.

    Few axes hold what the mask moves in all components together, the others measuring noise. Each has its own
    coefficients or none, so differences between components are not paid for by what they do not share.
    """
    deviation = target - target.mean(axis=0)
    scale = deviation.std(axis=0)
    scale[scale == 0] = 1.0
    if deviation.shape[1] == 1:
        return scale, np.ones((1, 1))
    return scale, np.linalg.svd(deviation / scale, full_matrices=False)[2].T


def _decomposed(values: Array) -> tuple[Array, Array, Array]:
    U, s, V = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    kept = s > 1e-10 * s[0]
    return U[:, kept], s[kept], V[kept]


def _coefficients(functions: MaskFunctions, fold: Fold, target: Array) -> Array:
    """Best coefficients (k, m) of each component of `target`: set of functions and ridge by leave-one-out."""
    n, k = len(target), functions.values.shape[1]
    best = np.zeros((k, target.shape[1]))
    centred = target - target.mean(axis=0)
    least = WORTHWHILE * np.sum(centred**2, axis=0) / (n - 1) ** 2          # of the mean, without functions
    for U, s, V in fold.sets:
        count, inside = V.shape[1], U.T @ centred
        for ridge in RIDGES:
            shrink = s**2 / (s**2 + ridge * n)
            free = 1 - 1 / n - (U**2) @ shrink
            missed = (centred - U @ (shrink[:, None] * inside)) / np.maximum(free, 1e-3)[:, None]
            slope = V.T @ ((shrink / s)[:, None] * inside)
            doubt = np.einsum("km,kl,lm->m", slope, functions.uncertainty[:count, :count], slope)
            variance = np.sum(missed**2, axis=0) / n**2 + doubt
            better = variance < least
            least[better] = variance[better]
            best[:, better] = 0.0
            best[:count, better] = slope[:, better]
    return best


def _covariance(samples: Array) -> Array:
    deviation = samples - samples.mean(axis=0)
    return np.asarray(deviation.T @ deviation / (len(samples) * max(len(samples) - 1, 1)))
