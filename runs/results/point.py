"""Result of one point: disorder averages, spectra, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import (
    CorrelatorData,
    PeakValue,
    Spectrum,
    continue_conductivity,
    continue_correlator,
    current_kernel,
)
from sitqmc.continuation.data.correlator import Kind
from sitqmc.continuation.methods import CROSS_CHECK
from sitqmc.continuation.options import AlphaRule
from sitqmc.estimate import Estimate, concise
from sitqmc.qmc import Model, PointAverages
from sitqmc.qmc.statistics.estimators import Average
from sitqmc.result import Result, SavedResult
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError

Array = NDArray[np.float64]
AnySpectrum = TypeVar("AnySpectrum")


@dataclass(frozen=True)
class JointSpectrum(Generic[AnySpectrum]):
    """Spectrum of a point from the posterior of its whole scan, and from its own data alone."""

    together: AnySpectrum
    alone: AnySpectrum


@dataclass(frozen=True)
class PointResult(Result, Generic[AnySpectrum]):
    """Averages of a point with the spectra continued from them.

    spectra   by name. Of a run: sigma(omega) by method of continuation, the configured method first; empty if
              the point could not be continued (see warnings)
    scales    energy scales and weights read off the spectra, by name
    warnings  of averages and spectra, one line each
    joint     spectra of `SCANNED`, continued together with the other points of the scan
    """

    averages: PointAverages
    spectra: Mapping[str, AnySpectrum] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    scales: Mapping[str, Estimate] = field(default_factory=dict)
    joint: Mapping[str, JointSpectrum[AnySpectrum]] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The parameters of the point."""
        return self.averages.model

    @property
    def spectrum(self) -> AnySpectrum | None:
        """sigma(omega) from the whole scan if there is one, else from this point by the configured method."""
        return self.joint["sigma"].together if "sigma" in self.joint else self.alone

    @property
    def alone(self) -> AnySpectrum | None:
        """The first spectrum: sigma(omega) of this point alone by the configured method."""
        return next(iter(self.spectra.values()), None)

    @property
    def cross_check(self) -> AnySpectrum | None:
        """The spectrum by the method of the cross-check; the first one where that method is configured."""
        return self.spectra.get(CROSS_CHECK)


RunPoint = PointResult[Spectrum]
"""A point of a run."""


@dataclass(frozen=True, eq=False)
class MeasuredPoint:
    """Stored data of one point, for averages by any estimator.

    plain   plain averages
    waves   responses by wave vector, (samples, waves, frequencies) by name; empty if there are none
    keys    (samples, 2), seed and number of every sample
    names   averages that are wanted, None: all
    """

    plain: PointAverages
    waves: Mapping[str, Array]
    keys: NDArray[np.int64]
    names: tuple[str, ...] | None = None

    def averages(self, estimator: str) -> PointAverages:
        """Return the averages by an estimator; UserError if the data do not allow it."""
        if estimator == "plain":
            return self.plain
        # Imported here: functions of the mask are compiled, and some commands do without.
        from sitqmc.qmc.statistics.improved import improve

        try:
            return improve(self.plain, self.waves, self.keys, names=self.names, estimator=estimator)
        except ValueError as error:
            raise UserError(str(error)) from None


@dataclass(frozen=True, eq=False)
class Scan(SavedResult):
    """A scalar average against a parameter.

    x         values of the parameter, ascending
    estimate  the average at each of them
    """

    name: str
    parameter: str
    x: NDArray[Any]
    estimate: Estimate
    unit: str = "1"

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield the value at every point."""
        for x, value, error in zip(self.x, self.estimate.value, self.estimate.error, strict=True):
            yield f"{self.parameter} = {x:g}" if isinstance(x, float) else str(x), concise(value, error)

    def __iter__(self) -> Iterator[Any]:
        """Unpack as (x, value, error)."""
        return iter((self.x, self.estimate.value, self.estimate.error))


def main_peak(result: RunPoint) -> PeakValue | None:
    """Return the most prominent peak of sigma at omega > 0; None without a spectrum or a peak."""
    peaks = result.spectrum.peaks(limit=1) if result.spectrum else []
    return peaks[0] if peaks else None


def peak_resolution(result: RunPoint, peak: PeakValue) -> float:
    """Return the width of the averaging kernel at a peak of the spectrum of this point."""
    assert result.spectrum is not None
    return float(np.interp(peak.position.value, result.spectrum.omega, result.spectrum.resolution))


def is_resolved(result: RunPoint, peak: PeakValue) -> bool:
    """Return whether the averaging kernel is no wider than the peak, and the errors are below the values."""
    known = all(e.error < abs(e.value) for e in (peak.position, peak.height))
    return known and peak_resolution(result, peak) <= peak.width


def rho_of_spectrum(result: RunPoint) -> Array | None:
    """Return rho(i w_n) (n_max + 1,) of the continued sigma, to be compared with the data."""
    s, model = result.spectrum, result.model
    if s is None or s.stiffness is None:
        return None
    n = np.arange(len(result.averages.values["rho"].value))
    kernel = current_kernel(n, s.omega, model.beta, model.eps)
    return np.asarray(s.stiffness.value + kernel @ (s.grid.weights * s.values))


def continue_point(config: Config, averages: PointAverages) -> RunPoint:
    """Return the averages with sigma(omega) by the configured method and by the cross-check."""
    spectra: dict[str, Spectrum] = {}
    warnings = [*averages.warnings]
    try:
        for method in dict.fromkeys((config.continuation.method, CROSS_CHECK)):
            spectra[method] = conductivity(config, averages, method)
        warnings += spectra[config.continuation.method].warnings
    except ValueError as error:
        spectra.clear()
        warnings.append(f"sigma(omega) was not computed: {error}")
    return PointResult(averages, spectra, tuple(warnings))


SPECTRA = {"sigma": "rho", "P": "G_k0", "chi_s": "chi_s", "chi_c": "chi_c", "P_loc": "G_loc"}
"""Correlator that is continued, by the name of its spectrum: sigma(omega), P(omega), chi''(omega)."""

SCANNED = ("sigma", "chi_s", "P")
"""Spectra that are continued for all points of a scan together."""

KINDS: dict[str, Kind] = {
    "rho": "rho_iw", "chi_s": "chi_iw", "chi_c": "chi_iw", "G_k0": "green_tau", "G_loc": "green_tau",
}  # fmt: skip
"""Kind of a correlator, for its continuation."""


def correlator_data(averages: PointAverages, name: str) -> CorrelatorData:
    """Return a correlator of `KINDS` with its covariance over samples; G(tau) up to beta/2.

    A response that a fit over wave vectors improves is given at the frequencies of the fit.
    raises  ValueError for too few samples, or no signal
    """
    one = averages.improved.get(name)
    kept = slice(None) if one is None or one.n is None else one.n
    covariance = None if one is None else one.covariance
    return _data(averages.model, KINDS[name], averages.samples[name][:, kept], kept, covariance)


def boson_data(model: Model, found: Average, wave: int | None = None) -> CorrelatorData:
    """Return G(k, tau) of one wave vector up to beta/2 with its covariance over samples.

    wave    number among the waves of `found`; None: it has no others
    raises  ValueError for too few samples, or no signal
    """
    if wave is None:
        return _data(model, "green_tau", found.samples, slice(None), found.covariance)
    mine = slice(wave * model.L_tau, (wave + 1) * model.L_tau)
    return _data(model, "green_tau", found.samples[:, wave], slice(None), found.covariance[mine, mine])


def _data(
    model: Model, kind: Kind, samples: Array, kept: slice | NDArray[np.int64], covariance: Array | None
) -> CorrelatorData:
    """Data of a continuation from samples at the Matsubara numbers or slices `kept`; G(tau) up to beta/2."""
    in_time = kind == "green_tau"
    if in_time:
        samples = samples[:, : model.L_tau // 2 + 1]
    size = samples.shape[1]
    n = np.arange(size) if isinstance(kept, slice) else kept
    return CorrelatorData.from_samples(
        samples, kind=kind, beta=model.beta, grid=n * (model.eps if in_time else 1),
        eps=None if in_time else model.eps,
        covariance=None if covariance is None else covariance[:size, :size],
    )  # fmt: skip


def spectrum_of(config: Config, averages: PointAverages, name: str) -> Spectrum:
    """Return a spectrum of `SPECTRA` by the method of the configuration.

    raises  ValueError if the data cannot be continued
    """
    if name == "sigma":
        return conductivity(config, averages, config.continuation.method)
    c = config.continuation
    return continue_correlator(
        correlator_data(averages, SPECTRA[name]), method=c.method,
        alpha_rule=cast(AlphaRule, c.alpha_rule), omega_max=c.omega_max or None, n_omega=c.omega_points,
        n_blocks=min(c.blocks, averages.n_samples),
    )  # fmt: skip


def conductivity(config: Config, averages: PointAverages, method: str) -> Spectrum:
    """Return sigma(omega) from rho(i w_n) of all samples, solved together with rho_s.

    raises  ValueError if the data cannot be continued
    """
    c, samples, improved = config.continuation, averages.samples, averages.improved.get("rho")
    return continue_conductivity(
        samples["rho"] if improved is None else improved.samples,
        averages.model.beta,
        eps=averages.model.eps,
        n=None if improved is None else improved.n,
        covariance=None if improved is None else improved.covariance,
        kinetic=samples["minus_k"] if c.f_sum else None,
        method=method,
        alpha_rule=cast(AlphaRule, c.alpha_rule),
        omega_max=c.omega_max or None,
        n_omega=c.omega_points,
        n_blocks=min(c.blocks, averages.n_samples),
    )
