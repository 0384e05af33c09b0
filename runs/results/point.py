"""From a store to averages and spectra, point by point."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import PeakValue, Spectrum, continue_conductivity, current_kernel
from sitqmc.qmc import Model, PointAverages, average_point
from sitqmc.runs.config.config import Config
from sitqmc.runs.store.run_file import PointData

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PointResult:
    """Averages of a point and its sigma(omega); no spectrum if it could not be continued (see warnings).

    spectrum  by the method of the configuration
    maxent    by maximum entropy with the chosen alpha rule, as a cross-check (the same if that is the method)
    """

    index: int
    averages: PointAverages
    spectrum: Spectrum | None
    maxent: Spectrum | None
    warnings: tuple[str, ...] = ()

    @property
    def model(self) -> Model:
        return self.averages.model

    @property
    def peak(self) -> PeakValue | None:
        """Most prominent peak of sigma at omega > 0."""
        peaks = self.spectrum.peaks(limit=1) if self.spectrum else []
        return peaks[0] if peaks else None

    def rho_of_spectrum(self) -> Array | None:
        """rho(i w_n) (n_max + 1,) that the continued sigma gives back, to be laid over the data."""
        s = self.spectrum
        if s is None or s.stiffness is None:
            return None
        n = np.arange(len(self.averages.values["rho"].value))
        kernel = current_kernel(n, s.omega, self.model.beta, self.model.eps)
        return np.asarray(s.stiffness.value + kernel @ (s.grid.weights * s.values))

    @property
    def label(self) -> str:
        """What tells this point from others, for tables and legends."""
        m = self.model
        shape = f"L = {m.Lx}" if m.Lx == m.Ly else f"L = {m.Lx} x {m.Ly}"
        return f"{m.action}, eps = {m.eps:g}, E_C = {m.charging:g}, {shape}, L_tau = {m.L_tau}"


def analyse(config: Config, index: int, data: PointData) -> PointResult:
    """Averages, checks and continuation of one point."""
    return continued(config, index, averaged(config, data))


def averaged(config: Config, data: PointData) -> PointAverages:
    """Averages of one point with their checks."""
    return average_point(data.model, data.bins, data.tau_int, config.schedule.measurements_per_bin)


def continued(config: Config, index: int, averages: PointAverages) -> PointResult:
    """Averages with their continuation."""
    warnings = list(averages.warnings)
    spectrum = maxent = None
    try:
        spectrum = maxent = conductivity(config, averages, "maxent")
        if config.continuation.method != "maxent":
            spectrum = conductivity(config, averages, config.continuation.method)
        warnings += spectrum.warnings
    except ValueError as error:
        warnings.append(f"sigma(omega) was not computed: {error}")
    return PointResult(index, averages, spectrum, maxent, tuple(warnings))


def conductivity(config: Config, averages: PointAverages, method: str) -> Spectrum:
    """sigma(omega) from rho(i w_n) of all samples, rho_s solved with it; ValueError if impossible."""
    c, samples = config.continuation, averages.samples
    return continue_conductivity(
        samples["rho"],
        averages.model.beta,
        eps=averages.model.eps,
        kinetic=samples["minus_k"] if c.f_sum else None,
        method=method,
        alpha_rule=c.alpha_rule,
        omega_max=c.omega_max or None,
        n_omega=c.omega_points,
        n_blocks=min(c.blocks, averages.n_samples),
    )
