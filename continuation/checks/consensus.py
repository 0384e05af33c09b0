"""Several independent methods on the same data: where they agree, and which frequencies are unresolved.

All methods share the data, the covariance and the frequency grid, but neither prior nor algorithm. The
reference is the method with the largest `Method.vote`. Where another method with a vote leaves the two-sigma
band of the reference, the spectrum depends on the prior: the frequency is called unresolved. Methods without
a prior ring where the spectrum is sharp; their vote is 0, and they are shown only.

A method that does not fit has no vote: chi^2 above POOR_FIT times the larger of the number of equations and
the chi^2 of the reference (stochastic sampling at very low noise).

The band pools posterior samples of all methods with a vote, weighted by it, so that it contains the spread
between methods. A bootstrap over the samples of the data can be added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from sitqmc.continuation.checks.bootstrap import bootstrap
from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.linear_system import default_grid
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods import DEFAULT_METHOD, METHODS, methods_for
from sitqmc.continuation.options import Options
from sitqmc.continuation.solve import continue_correlator
from sitqmc.continuation.spectrum.features import Feature, feature_estimate
from sitqmc.continuation.spectrum.spectrum import Spectrum
from sitqmc.estimate import Estimate
from sitqmc.progress import followed
from sitqmc.result import SavedResult

BAND_SIGMA = 2.0
SLACK = 0.05           # differences below this share of the largest value do not count
POOR_FIT = 3.0
POOL = 400             # samples in the pooled band


@dataclass(frozen=True, eq=False)
class Consensus(SavedResult):
    """Spectra of all methods on one grid and their summary.

    spectra       by method name
    median        (omega,) pointwise over the methods used
    agree         (omega,) bool: all methods used lie inside the two-sigma band of the reference
    pool          (n, omega) samples of the methods used and of the bootstrap
    methods_used  the methods behind median, agree and pool
    """

    spectra: dict[str, Spectrum]
    median: Array
    agree: Array
    pool: Array
    methods_used: tuple[str, ...] = tuple(name for name, method in METHODS.items() if method.vote > 0)

    @property
    def best(self) -> Spectrum:
        """The spectrum to report: the reference, the most accurate method in the benchmark."""
        return self.spectra[DEFAULT_METHOD]

    @property
    def dropped(self) -> tuple[str, ...]:
        """Methods with a vote that lost it because they do not fit, as sampling at very low noise."""
        return tuple(n for n in self.spectra if METHODS[n].vote > 0 and n not in self.methods_used)

    @property
    def mean(self) -> Array:
        """Mean over the pool (omega,), without its 1 % tails."""
        low, high = np.quantile(self.pool, [0.01, 0.99], axis=0)
        return np.asarray(np.clip(self.pool, low, high).mean(axis=0))

    @property
    def grid(self) -> FrequencyGrid:
        """Common frequency grid."""
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
        """Return (lower, upper) of A (omega,): 68 % for n_sigma = 1; never narrower than the reference."""
        low, high = np.quantile(self.pool, [float(ndtr(-n_sigma)), float(ndtr(n_sigma))], axis=0)
        inner = self.best.band(n_sigma)
        return np.minimum(low, inner[0]), np.maximum(high, inner[1])

    def interval(self, feature: Feature, spectral: bool = False) -> Estimate:
        """Return a feature of the reference with its interval over the pool; see `Spectrum.interval`."""
        factor = self.omega if spectral else 1.0
        samples = np.array([feature(self.omega, factor * row) for row in self.pool])
        return feature_estimate(float(feature(self.omega, factor * self.best.values)), samples)

    def unresolved(self) -> list[tuple[float, float]]:
        """Return the frequency intervals where the methods disagree."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.agree, [True]]).astype(int)))
        pairs = edges.reshape(-1, 2)
        return [(float(self.omega[a]), float(self.omega[min(b, len(self.omega)) - 1])) for a, b in pairs]

    def verdict(self) -> str:
        """Return one line: agreed share and unresolved frequencies."""
        where = ", ".join(f"{a:.3g} - {b:.3g}" for a, b in self.unresolved())
        text = f"{len(self.methods_used)} methods agree on {100 * self.agreed_share:.0f} % of the weight"
        if self.dropped:
            text += f"; without {', '.join(self.dropped)}, whose chi^2 is too large"
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
    """Run all methods that can continue the data, with their default options.

    resamples  refits of the reference method to resampled data (a bootstrap over samples), 0 for none; they
               take half of its place in the band, and run on `workers` processes
    """
    nodes = default_grid(data).omega if omega is None else omega
    options = Options(omega=nodes, constant=constant, seed=seed)
    methods = methods_for(data.kind)
    spectra = {
        name: continue_correlator(data, replace(options, method=name))
        for name in followed(methods, len(methods), "consensus", "methods")
    }
    best = spectra[DEFAULT_METHOD]
    limit = POOR_FIT * max(best.n_data, best.chi2)
    votes = {name: m.vote for name, m in methods.items() if m.vote > 0 and spectra[name].chi2 <= limit}
    table = np.array([spectra[name].values for name in votes])
    median = np.median(table, axis=0)
    wide_low, wide_high = best.band(BAND_SIGMA)
    slack = SLACK * median.max()
    agree = np.all((table >= wide_low - slack) & (table <= wide_high + slack), axis=0)
    rows = {name: spectra[name].samples() for name in votes}
    if resamples:
        refits = bootstrap(data, options, nodes, resamples, workers, seed)
        half = len(rows[DEFAULT_METHOD])
        rows[DEFAULT_METHOD] = np.vstack([rows[DEFAULT_METHOD], np.resize(refits, (half, nodes.size))])
    pool = np.vstack([_thinned(rows[name], round(vote * POOL)) for name, vote in votes.items()])
    return Consensus(spectra, median, agree, pool, tuple(votes))


def _thinned(rows: Array, count: int) -> Array:
    """Return `count` rows, evenly taken or repeated."""
    return rows[(np.arange(count) * len(rows)) // count]
