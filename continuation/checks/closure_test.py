"""Closure test: synthetic data of a known spectrum, continued like the measured data.

Two questions before a feature is believed: would these points, this noise and this covariance have shown the
feature? Would they have shown it if it did not exist? Synthetic data of a truth with and of a truth without
the feature answer them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.linear_system import default_grid
from sitqmc.continuation.kernels.grids import FrequencyGrid, grid_from_nodes
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.options import Options, resolve
from sitqmc.continuation.solve import continue_correlator
from sitqmc.continuation.spectrum.spectrum import Spectrum
from sitqmc.result import SavedResult

CENTRAL = 0.98       # share of the weight of the truth in the frequencies where coverage is counted


@dataclass(frozen=True, eq=False)
class ClosureTest(SavedResult):
    """Spectra of synthetic data and their truth.

    grid     common frequency grid
    truth    (omega,)
    spectra  one per draw of the noise
    """

    grid: FrequencyGrid
    truth: Array
    spectra: tuple[Spectrum, ...]

    @property
    def omega(self) -> Array:
        """Frequencies (omega,)."""
        return self.grid.omega

    @property
    def distance(self) -> Array:
        """int |A - truth| / int truth of every draw, (draws,)."""
        table = np.abs(np.array([s.values for s in self.spectra]) - self.truth)
        return np.asarray(table @ self.grid.weights / (self.truth @ self.grid.weights))

    def coverage(self, n_sigma: float = 1.0) -> float:
        """Return the share of nodes and draws whose band holds the truth; band and truth are smeared."""
        share = np.cumsum(self.truth * self.grid.weights) / (self.truth @ self.grid.weights)
        nodes = (share > 0.5 * (1 - CENTRAL)) & (share < 0.5 * (1 + CENTRAL))
        hits = []
        for s in self.spectra:
            seen, (low, high) = s.smeared(self.truth), s.resolved_band(n_sigma)
            hits.append(np.mean(((low <= seen) & (seen <= high))[nodes]))
        return float(np.mean(hits))

    def report(self) -> str:
        """Return one line: distance, coverage, main peak."""
        peaks = [s.peaks(limit=1) for s in self.spectra]
        places = [p[0].position.value for p in peaks if p]
        main = f"; main peak at {np.mean(places):.3g} +- {np.std(places):.2g}" if places else "; no peak"
        return (
            f"{len(self.spectra)} draws: L1 distance {self.distance.mean():.3f}, "
            f"68 % band holds the truth on {100 * self.coverage():.0f} % of the nodes{main}"
        )


def mock_data(
    data: CorrelatorData, omega: ArrayLike, values: ArrayLike, constant: float = 0.0, seed: int = 0
) -> CorrelatorData:
    """Return data with the grid, noise and number of samples of `data` for the spectrum A = values at omega.

    constant  additive constant of Matsubara data (rho_s, contact term)
    The noise is Gaussian with the covariance of `data`. Where this covariance was estimated from samples, it
    is estimated again from as many. Constraints are left out: they hold for `data` only.
    """
    bare = data.without_constraints()
    grid = grid_from_nodes(np.asarray(omega, dtype=float), data.two_sided)
    A = np.asarray(values, dtype=float)
    if A.shape != grid.omega.shape or not (np.all(np.isfinite(A)) and np.all(A >= 0) and A.any()):
        raise ValueError(f"values of shape {A.shape}: need one finite value >= 0 per omega, not all 0")
    column = bare.constant_column()
    if constant and column is None:
        raise ValueError(f"constant = {constant} with kind {data.kind}: only rho_iw and chi_iw have one")
    mean = bare.kernel(grid.omega) @ (A * grid.weights)
    mean = mean if column is None else mean + constant * column
    eigenvalues, vectors = np.linalg.eigh(bare.joint_covariance())
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    rng, n = np.random.default_rng(seed), data.mean.size
    if data.n_samples is None:
        moved = mean + root @ rng.normal(size=len(root))
        kinetic = None if data.kinetic is None else (float(moved[n]), *data.kinetic[1:])
        return replace(bare, mean=moved[:n], kinetic=kinetic, samples=None, warnings=())
    count = data.n_samples
    table = mean + np.sqrt(count) * rng.normal(size=(count, len(root))) @ root.T
    return CorrelatorData.from_samples(
        table[:, :n], kind=data.kind, beta=data.beta, grid=data.grid, eps=data.eps,  # type: ignore[arg-type]
        kinetic=table[:, n] if data.kinetic is not None else None, imaginary=data.imaginary,
    )  # fmt: skip


def run_closure_test(
    data: CorrelatorData,
    omega: ArrayLike,
    values: ArrayLike,
    *,
    constant: float = 0.0,
    draws: int = 8,
    options: Options | None = None,
    seed: int = 0,
    **changes: Any,
) -> ClosureTest:
    """Continue `draws` synthetic data sets like `data` for the truth A = values at omega.

    options, changes  as in `continue_correlator`
    """
    if draws < 1:
        raise ValueError(f"draws = {draws}: at least 1 is needed")
    o = resolve(options, changes)
    if o.omega is None:
        o = replace(o, omega=default_grid(data, o.n_omega, o.omega_max).omega)
    spectra = tuple(
        continue_correlator(mock_data(data, omega, values, constant, seed + i), o) for i in range(draws)
    )
    nodes = np.asarray(omega, dtype=float)
    grid = spectra[0].grid
    truth = np.interp(grid.omega, nodes, np.asarray(values, dtype=float), right=0.0)
    return ClosureTest(grid, truth, spectra)
