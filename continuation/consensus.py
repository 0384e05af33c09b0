"""Three independent methods on the same data: what they agree on, and where nobody should read anything.

The process, maximum entropy at the corner of chi^2 and stochastic sampling share the data, the covariance
and the frequency grid, but neither prior nor algorithm. Where one of them leaves the two-sigma band of the
process, the answer depends on the prior: the region is called unresolved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from continuation.data import CorrelatorData
from continuation.grids import FrequencyGrid
from continuation.kernels import Array
from continuation.models import default_grid
from continuation.solve import continue_correlator
from continuation.spectrum import Spectrum

BAND_SIGMA = 2.0
SLACK = 0.05           # of the largest value: smaller differences are nobody's disagreement


@dataclass(frozen=True, eq=False)
class Consensus:
    """Spectra of all methods on one grid and their summary.

    spectra  by method name
    median   pointwise over the methods (omega,)
    agree    (omega,) bool: all methods inside the two-sigma band of the process
    """

    spectra: dict[str, Spectrum]
    median: Array
    agree: Array

    @property
    def best(self) -> Spectrum:
        """The spectrum to report: the process, the most accurate of the three in the benchmark."""
        return self.spectra["process"]

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

    def unresolved(self) -> list[tuple[float, float]]:
        """Frequency intervals where they disagree."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.agree, [True]]).astype(int)))
        pairs = edges.reshape(-1, 2)
        return [(float(self.omega[a]), float(self.omega[min(b, len(self.omega)) - 1])) for a, b in pairs]

    def verdict(self) -> str:
        """One line."""
        where = ", ".join(f"{a:.3g} - {b:.3g}" for a, b in self.unresolved())
        text = f"{len(self.spectra)} methods agree on {100 * self.agreed_share:.0f} % of the weight"
        return f"{text}; unresolved: {where}" if where else text


def consensus(
    data: CorrelatorData, *, omega: Array | None = None, constant: float | None = None
) -> Consensus:
    """Run process, maximum entropy and sampling with their default options; about two seconds."""
    nodes = default_grid(data).omega if omega is None else omega
    spectra = {
        "process": continue_correlator(data, method="process", omega=nodes, constant=constant),
        "maxent": continue_correlator(data, method="maxent", omega=nodes, constant=constant),
        "sampling": continue_correlator(data, method="sampling", omega=nodes, constant=constant),
    }
    table = np.array([s.values for s in spectra.values()])
    median = np.median(table, axis=0)
    wide_low, wide_high = spectra["process"].band(BAND_SIGMA)
    slack = SLACK * median.max()
    agree = np.all((table >= wide_low - slack) & (table <= wide_high + slack), axis=0)
    return Consensus(spectra, median, agree)
