"""Several independent methods on the same data: what they agree on, and where nobody should read anything.

The process, maximum entropy at the corner of chi^2, stochastic sampling and the sparse fit share the data,
the covariance and the frequency grid, but neither prior nor algorithm. Where one of the first three leaves
the two-sigma band of the process, the answer depends on the prior: the region is called unresolved. The
sparse fit and, for Matsubara data, the rational function ring where the spectrum is sharp; they are shown,
and do not vote.

A method that does not fit (chi^2 above POOR_FIT times the larger of the number of equations and the process's
chi^2; sampling at very low noise) does not vote either.

The band pools samples of all voting methods (posterior, noise included) with the weights `SHARE`, so that it
contains the spread between methods, and the refits of a bootstrap over the samples where one is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from sitqmc.continuation.checks.bootstrap import bootstrap
from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.default_models import default_grid
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.options import Method, Options
from sitqmc.continuation.solve import continue_correlator
from sitqmc.continuation.spectrum.features import Feature, Interval, interval
from sitqmc.continuation.spectrum.spectrum import Spectrum

BAND_SIGMA = 2.0
SLACK = 0.05           # of the largest value: smaller differences are nobody's disagreement
SHARE: dict[Method, float] = {"process": 0.7, "maxent": 0.2, "sampling": 0.1}
SHOWN: tuple[Method, ...] = ("sparse",)
POOR_FIT = 3.0
POOL = 400             # samples in the pooled band


@dataclass(frozen=True, eq=False)
class Consensus:
    """Spectra of all methods on one grid and their summary.

    spectra  by method name
    median   pointwise over the voting methods (omega,)
    agree    (omega,) bool: all voting methods inside the two-sigma band of the process
    pool     (n, omega) samples of all voting methods and of the bootstrap
    voting   the methods behind median, agree and pool
    """

    spectra: dict[str, Spectrum]
    median: Array
    agree: Array
    pool: Array
    voting: tuple[str, ...] = tuple(SHARE)

    @property
    def best(self) -> Spectrum:
        """The spectrum to report: the process, the most accurate of them in the benchmark."""
        return self.spectra["process"]

    @property
    def mean(self) -> Array:
        """Mean over the pool (omega,), cut at its 1 % tails."""
        low, high = np.quantile(self.pool, [0.01, 0.99], axis=0)
        return np.asarray(np.clip(self.pool, low, high).mean(axis=0))

    @property
    def grid(self) -> FrequencyGrid:
        """The common frequency grid."""
        return self.best.grid

    @property
    def omega(self) -> Array:
        """Frequencies (omega,)."""
        return self.grid.omega

    @property
    def agreed_share(self) -> float:
        """Share of the total weight at frequencies where the methods agree."""
        x = self.best.values * self.grid.weights
        return float(x[self.agree].sum() / x.sum())

    def band(self, n_sigma: float = 1.0) -> tuple[Array, Array]:
        """(lower, upper) of A (omega,): 68 % for n_sigma = 1, 95 % for 2; never narrower than the process."""
        low, high = np.quantile(self.pool, [float(ndtr(-n_sigma)), float(ndtr(n_sigma))], axis=0)
        inner = self.best.band(n_sigma)
        return np.minimum(low, inner[0]), np.maximum(high, inner[1])

    def interval(self, feature: Feature, spectral: bool = False) -> Interval:
        """A feature of the process with its interval over the pool; see `Spectrum.interval`."""
        factor = self.omega if spectral else 1.0
        samples = np.array([feature(self.omega, factor * row) for row in self.pool])
        return interval(float(feature(self.omega, factor * self.best.values)), samples)

    def unresolved(self) -> list[tuple[float, float]]:
        """Frequency intervals where they disagree."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.agree, [True]]).astype(int)))
        pairs = edges.reshape(-1, 2)
        return [(float(self.omega[a]), float(self.omega[min(b, len(self.omega)) - 1])) for a, b in pairs]

    def verdict(self) -> str:
        """One line."""
        where = ", ".join(f"{a:.3g} - {b:.3g}" for a, b in self.unresolved())
        text = f"{len(self.voting)} methods agree on {100 * self.agreed_share:.0f} % of the weight"
        return f"{text}; unresolved: {where}" if where else text


def consensus(
    data: CorrelatorData,
    *,
    omega: Array | None = None,
    constant: float | None = None,
    resamples: int = 0,
    workers: int = 1,
    seed: int = 0,
) -> Consensus:
    """Run all methods with their default options.

    resamples  refits of the process to resampled data (a bootstrap over samples), 0 for none; they take
               half of the process's place in the band, and run on `workers` processes
    """
    nodes = default_grid(data).omega if omega is None else omega
    options = Options(omega=nodes, constant=constant, seed=seed)
    shown: tuple[Method, ...] = (*SHOWN, "rational") if data.is_matsubara else SHOWN
    spectra: dict[str, Spectrum] = {
        method: continue_correlator(data, replace(options, method=method)) for method in (*SHARE, *shown)
    }
    best = spectra["process"]
    limit = POOR_FIT * max(best.n_data, best.chi2)
    shares = {name: share for name, share in SHARE.items() if spectra[name].chi2 <= limit}
    table = np.array([spectra[name].values for name in shares])
    median = np.median(table, axis=0)
    wide_low, wide_high = best.band(BAND_SIGMA)
    slack = SLACK * median.max()
    agree = np.all((table >= wide_low - slack) & (table <= wide_high + slack), axis=0)
    rows = {name: spectra[name].samples() for name in shares}
    if resamples:
        refits = bootstrap(data, options, nodes, resamples, workers, seed)
        half = len(rows["process"])
        rows["process"] = np.vstack([rows["process"], np.resize(refits, (half, nodes.size))])
    pool = np.vstack([_thinned(rows[name], round(share * POOL)) for name, share in shares.items()])
    return Consensus(spectra, median, agree, pool, tuple(shares))


def _thinned(rows: Array, count: int) -> Array:
    """`count` rows, evenly taken or repeated."""
    return rows[(np.arange(count) * len(rows)) // count]
