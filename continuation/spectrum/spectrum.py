"""The result of a continuation: a spectrum, its bands, and the numbers read off it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from sitqmc.continuation.data.kinds import KINDS
from sitqmc.continuation.data.resampling import jackknife_replicas
from sitqmc.continuation.data.whitening import WhiteningReport
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.spectrum.diagnostics import AlphaScan
from sitqmc.continuation.spectrum.features import (
    Feature,
    Peak,
    feature_estimate,
    find_peaks,
    half_width,
    lowest_peak,
    main_peak,
    onset,
    peak_near,
    window_weights,
)
from sitqmc.continuation.spectrum.posterior import (
    Posterior,
    combined_error,
    with_calibrated_error,
    with_combined_error,
)
from sitqmc.continuation.spectrum.resolution import averaging_kernels
from sitqmc.estimate import Estimate
from sitqmc.result import Result, SavedResult

QUANTITIES: dict[Feature, str] = {
    onset: "onset", half_width: "half width", lowest_peak: "peak", main_peak: "peak",
}  # fmt: skip
"""Features whose intervals have a calibration of their own."""

CONDUCTIVITY = ("rho_iw", "lambda_iw", "lambda_tau")


@dataclass(frozen=True, eq=False)
class SumRule(Result):
    """f-sum rule rho_s + (2/pi) int sigma_reg = <-k_x>.

    found     left side, from the spectrum
    expected  <-k_x>, or None if it was not given
    replicas  (n_replicas,) left side on every replica of the data, up to a common shift
    """

    found: Estimate
    expected: float | None
    replicas: Array

    @property
    def deviation(self) -> float | None:
        """found/expected - 1; None if <-k_x> was not given."""
        return None if self.expected is None else self.found.value / self.expected - 1.0

    def ratio(self, kinetic: ArrayLike) -> Estimate:
        """Return found / <-k_x> from <-k_x> (n_samples,) of the same samples in the same order as the data.

        The statistical error is a jackknife over the same blocks: both sides fluctuate together.
        """
        samples = np.asarray(kinetic, dtype=float)
        blocks = jackknife_replicas(samples[:, None], len(self.replicas))
        mean = float(samples.mean())
        ratios = (self.replicas / blocks.vectors[:, 0])[:, None]
        found, error = self.found, float(blocks.error(ratios)[0])
        return with_combined_error(found.value / mean, error, found.posterior / mean)


@dataclass(frozen=True)
class PeakValue(Result):
    """Peak with errors on position and height; width is the full width at half height."""

    position: Estimate
    height: Estimate
    width: float
    prominence: float


@dataclass(frozen=True, eq=False)
class Spectrum(SavedResult):
    """Non-negative spectrum A(omega): sigma_reg, P/omega or chi''/omega, or one with two sides.

    `data.kinds` has the integral that defines A for every kind.

    grid         frequencies (n_omega,) and quadrature weights, in the unit of 1/beta
    values       A, (n_omega,); sigma_reg is in Q^2/hbar, `sigma` gives it in 4e^2/h
    default      default model of the reported fit, (n_omega,)
    alpha, scan, scans  regularisation strength and its choice, see `Solution`
    chi2, n_data, n_effective  chi^2 of the fitted combinations of the data, their number, and how many of
                 them determine the spectrum
    constant     rho_s (kind rho_iw) or contact term (chi_iw); None if there is none
    replicas     A on the replicas of the data, (n_replicas, n_omega), from which statistical errors follow
    statistical_error, posterior_error  (n_omega,): see `band`
    resolution   (n_omega,) width of the averaging kernel: the data hold no narrower structure
    method, report, warnings  description of the method, what the whitening did, remarks
    """

    kind: str
    beta: float
    grid: FrequencyGrid
    values: Array
    default: Array
    alpha: float
    chi2: float
    n_data: int
    n_effective: float
    constant: Estimate | None
    sum_rule: SumRule | None
    scan: AlphaScan
    scans: dict[str, AlphaScan]
    method: str
    report: WhiteningReport
    posterior: Posterior
    replicas: Array
    replica_factor: float
    replica_method: str
    statistical_error: Array
    posterior_error: Array
    resolution: Array
    warnings: tuple[str, ...] = field(default=())

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield what a reader wants first: data, fit, sum rule, peaks, resolution, remarks."""
        yield "kind", f"{self.kind}, beta = {self.beta:.6g}"
        yield "method", self.method
        yield "omega", f"{len(self.omega)} frequencies from {self.omega[0]:.3g} to {self.omega[-1]:.3g}"
        yield "chi2", f"{self.chi2:.3g} for {self.n_data} data, which fix {self.n_effective:.1f} parameters"
        if self.constant is not None:
            yield "rho_s" if self.kind == "rho_iw" else "constant", str(self.constant)
        if self.sum_rule is not None:
            open_tail = self.depends_on_tail(np.ones_like(self.omega))
            remark = ", not resolved: the tail above the data decides" if open_tail else ""
            yield "sum rule", f"{self.sum_rule.found}{remark}"
        for peak in self.peaks(limit=3):
            width = float(np.interp(peak.position.value, self.omega, self.resolution))
            yield "peak", f"omega = {peak.position}, A = {peak.height}, resolution {width:.2g}"
        for remark in self.warnings:
            yield "warning", remark

    @property
    def omega(self) -> Array:
        """Frequencies (n_omega,), ascending from 0."""
        return self.grid.omega

    @property
    def stiffness(self) -> Estimate | None:
        """rho_s = weight/pi of the delta function at zero frequency, with its errors; rho_iw only."""
        return self.constant if self.kind == "rho_iw" else None

    @property
    def sigma(self) -> Array:
        """sigma_reg in units of 4e^2/h = sigma_Q: 2 pi times the natural unit Q^2/hbar."""
        return self.values * self._to_sigma_q()

    @property
    def spectral(self) -> Array:
        """The spectral function: omega A(omega), which is P, chi'' or C''; of fermions A itself."""
        return self.omega * self.values if self._is_divided else self.values

    @property
    def spectral_band(self) -> tuple[Array, Array]:
        """Ends (low, high) of the band of `spectral`, (n_omega,) each."""
        low, high = self.band()
        if not self._is_divided:
            return low, high
        ends = self.omega * low, self.omega * high           # they change places at omega < 0
        return np.minimum(*ends), np.maximum(*ends)

    @property
    def _is_divided(self) -> bool:
        """Whether A is a spectral function over omega."""
        return not KINDS[self.kind].fermionic

    @property
    def error(self) -> Array:
        """One standard error of `values`, (n_omega,): see `combined_error`."""
        return np.asarray(combined_error(self.statistical_error, self.posterior_error))

    def band(self, n_sigma: float = 1.0, kind: str = "total") -> tuple[Array, Array]:
        """Return (lower, upper) of `values`, both (n_omega,) and >= 0.

        kind  "statistical": scatter over samples at fixed alpha and default model (`replica_method`).
              "posterior": pointwise quantiles, asymmetric, where the method has them; else the spread over
              alpha and default models (by evidence) about the reported spectrum, both averaged over the
              resolution. "total": both, see `combined_error`.
        No band contains structure that the method cannot resolve: structure finer than `resolution`.
        """
        if kind not in ("statistical", "posterior", "total"):
            raise ValueError(f"band kind {kind!r}: choose one of statistical, posterior, total")
        statistical = n_sigma * self.statistical_error * (kind != "posterior")
        sides = (side * (kind != "statistical") for side in self._posterior_sides(n_sigma))
        below, above = (combined_error(statistical, side) for side in sides)
        return np.maximum(self.values - below, 0.0), self.values + above

    def _posterior_sides(self, n_sigma: float) -> tuple[Array, Array]:
        """Return the distances from `values` down and up to the posterior band, both (n_omega,) and >= 0."""
        quantiles = self._quantiles(n_sigma)
        if quantiles is None:
            return n_sigma * self.posterior_error, n_sigma * self.posterior_error
        # The reported spectrum is the median up to a small correction: the band must not exclude it.
        low, high = quantiles
        return np.maximum(self.values - low, 0.0), np.maximum(high - self.values, 0.0)

    def _quantiles(self, n_sigma: float) -> tuple[Array, Array] | None:
        """Return pointwise posterior quantiles of A at +-n_sigma of a normal law, if the method has them."""
        low, high = (self.posterior.quantile(float(ndtr(z))) for z in (-n_sigma, n_sigma))
        if low is None or high is None:
            return None
        return low / self.grid.weights, high / self.grid.weights

    def sigma_band(self, n_sigma: float = 1.0, kind: str = "total") -> tuple[Array, Array]:
        """Return `band` in units of 4e^2/h."""
        factor = self._to_sigma_q()
        low, high = self.band(n_sigma, kind)
        return factor * low, factor * high

    def functional(self, g: Array) -> Estimate:
        """Return the integral of g(omega) A(omega), g given on the grid (n_omega,).

        The error includes what the data leave open about the tail above them, see `depends_on_tail`.
        """
        return self._linear(np.asarray(g, dtype=float) * self.grid.weights)

    def depends_on_tail(self, g: Array) -> bool:
        """Return whether the tail above the data decides about the integral of g(omega) A(omega).

        The data allow exponential tails and power laws, and the integral differs between these by more than
        its error within one kind of tail: the value is not resolved, and its error covers all kinds. g is
        given on the grid (n_omega,).
        """
        return bool(self.posterior.tail_error(np.asarray(g, dtype=float)[None, :])[0] > 0.0)

    def weight(self, low: float = 0.0, high: float = np.inf) -> Estimate:
        """Return the integral of A over [low, high], cut at the ends of the grid, with errors."""
        low, high = max(low, float(self.omega[0])), min(high, float(self.omega[-1]))
        quantity = "weight" if high < self.omega[-1] else "functional"
        return self._linear(window_weights(self.omega, low, high), quantity)

    def interval(self, feature: Feature, spectral: bool = False) -> Estimate:
        """Return a feature f(omega, A) with its 68 % interval from samples of the posterior.

        feature   any function of (omega, values) that returns a number, or NaN if the feature is missing:
                  onset, optical_gap, lowest_peak or your own
        spectral  pass omega A (P or chi'') instead of A
        """
        factor = self.omega if spectral else 1.0
        samples = np.array([feature(self.omega, factor * row) for row in self.samples()])
        quantity = QUANTITIES.get(feature, "feature")
        return feature_estimate(
            float(feature(self.omega, factor * self.values)), samples, self.posterior.error_factor(quantity)
        )

    def two_maxima(self, min_prominence: float = 0.05) -> float:
        """Return the share of posterior samples with two or more maxima above pi T: a dip between two peaks.

        A maximum counts if it rises above its saddle by `min_prominence` of the largest value; below pi T the
        data resolve nothing. sigma_reg of a conductivity, else omega A, is searched. NaN if single samples of
        the method are no plausible spectra.
        """
        if not self.posterior.has_pointwise_samples:
            return float("nan")
        factor = 1.0 if self.kind in CONDUCTIVITY else self.omega
        lowest, rows = np.pi / self.beta, self.samples()
        found = sum(
            sum(peak.position > lowest for peak in find_peaks(self.omega, factor * row, min_prominence)) >= 2
            for row in rows
        )
        return found / len(rows)

    def smeared(self, values: Array) -> Array:
        """Return spectra (..., omega) on the same grid, averaged over the resolution of this fit."""
        windows, _ = averaging_kernels(self.posterior, self.grid)
        return np.asarray((values * self.grid.weights) @ windows.T)

    def resolved_band(self, n_sigma: float = 1.0) -> tuple[Array, Array]:
        """Return (lower, upper) (omega,) of A averaged over the resolution, see `smeared`."""
        seen = self.smeared(self.samples())
        low, high = np.quantile(seen, [float(ndtr(-n_sigma)), float(ndtr(n_sigma))], axis=0)
        return low, high

    def samples(self) -> Array:
        """Return samples of the posterior (n, omega) of A."""
        return self.posterior.samples() / self.grid.weights

    def dc(self) -> Estimate:
        """Return A at omega = 0 with the ends of `band`; below omega ~ 1/beta the data resolve nothing."""
        i = int(np.argmin(np.abs(self.omega)))
        found = with_combined_error(self.values[i], self.statistical_error[i], self.posterior_error[i])
        if self._quantiles(1.0) is None:
            return found
        low, high = (float(end[i]) for end in self.band())
        return replace(found, error=0.5 * (high - low), low=low, high=high)

    def peaks(self, min_prominence: float = 0.02, limit: int = 5) -> list[PeakValue]:
        """Return peaks of A at omega > 0, most prominent first; prominence relative to the largest value."""
        found = find_peaks(self.omega, self.values, min_prominence)[:limit]
        return [self._with_errors(p, main=i == 0) for i, p in enumerate(found)]

    def _to_sigma_q(self) -> float:
        """Return 2 pi, one natural unit Q^2/hbar in 4e^2/h."""
        if self.kind not in CONDUCTIVITY:
            raise ValueError(f"kind {self.kind} is not a conductivity: use values or spectral")
        return 2.0 * np.pi

    def _linear(self, node_weights: Array, quantity: str = "functional") -> Estimate:
        """Return the functional sum_j node_weights_j A_j with both errors, calibrated as `quantity`."""
        value = float(node_weights @ self.values)
        G = (node_weights / self.grid.weights)[None, :]
        spread = float(self.posterior.functional_error(G)[0])
        return with_calibrated_error(
            value, self._replica_error(self.replicas @ node_weights), spread,
            self.posterior.error_factor(quantity), float(self.posterior.tail_error(G)[0]),
        )  # fmt: skip

    def _replica_error(self, table: Array) -> float:
        return float(np.sqrt(self.replica_factor * np.sum((table - table.mean()) ** 2)))

    def _with_errors(self, peak: Peak, main: bool) -> PeakValue:
        """Return a peak with errors; `main`: the most prominent one, which may lie elsewhere in a sample."""
        followed = self._follow(peak, self.replicas)
        at_peak = float(np.interp(peak.position, self.omega, self.posterior_error))
        spread = self._position_spread(peak)
        if self.posterior.has_pointwise_samples:
            rows = self.samples()
            positions = self._follow(peak, rows)[:, 0]
            if main:
                elsewhere = np.array([main_peak(self.omega, row) for row in rows])
                positions = np.where(np.isfinite(elsewhere), elsewhere, positions)
            # 68 % quantile: a sample without this peak climbs to another one far away.
            spread = float(np.quantile(np.abs(positions - peak.position), 0.6827))
        factor = self.posterior.error_factor("peak")
        return PeakValue(
            with_calibrated_error(peak.position, self._replica_error(followed[:, 0]), spread, factor),
            with_combined_error(peak.height, self._replica_error(followed[:, 1]), at_peak),
            peak.width,
            peak.prominence,
        )

    def _follow(self, peak: Peak, rows: Array) -> Array:
        """Return (position, height) of the same peak in every row (n, omega), shape (n, 2)."""
        return np.array([peak_near(self.omega, row, peak.position) for row in rows])

    def _position_spread(self, peak: Peak) -> float:
        """Return the posterior error of the mean frequency within the half width, taken for the position."""
        i = int(np.searchsorted(self.omega, peak.position))
        half = max(0.5 * peak.width, 2.0 * float(self.omega[i] - self.omega[i - 1]))
        low, high = max(peak.position - half, 0.0), min(peak.position + half, float(self.omega[-1]))
        nodes = window_weights(self.omega, low, high)
        total = float(nodes @ self.values)
        centre = float(nodes @ (self.omega * self.values)) / total
        G = ((self.omega - centre) * nodes / total / self.grid.weights)[None, :]
        return float(self.posterior.functional_error(G)[0])
