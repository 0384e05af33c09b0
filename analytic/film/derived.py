"""The numbers a THz study quotes: excess conductivity, its peak, Omega, superfluid density, missing weight.

    sigma_H = sigma1_measured - sigma1_background       (Mattis-Bardeen, finite purity or Dynes background)
    Omega   = argmin sigma1 below the gap
    D       = lim hbar omega sigma2 for omega -> 0;  rho_s = n_s follows from it (matsubara module)
    N       = int (sigma1_normal - sigma1_super) d(hbar omega) = (pi/2) D     (Ferrell, Glover, Tinkham)

omega sigma2 itself is no good estimate of D at finite frequency. The estimate used here subtracts what the
background and, by Kramers-Kronig, the measured excess contribute; the rest is D at every frequency. If it is
not constant within errors, sigma1 and sigma2 contradict each other: the consistency check comes for free.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.film.inversion import MeasuredConductivity
from sitqmc.analytic.film.transmission_fit import FilmSetup, Model, film_sigma
from sitqmc.analytic.numerics.goodness_of_fit import FitQuality, assess_fit
from sitqmc.analytic.numerics.kramers_kronig import smooth_transform_matrix
from sitqmc.analytic.superconductor.matsubara import stiffness_slope_mev
from sitqmc.analytic.units import Array, Complex, mev_to_thz, thz_to_mev
from sitqmc.estimate import Estimate


@dataclass(frozen=True, kw_only=True)
class Background:
    """The model without a mode: a setup, a gap, a temperature, and the kind of conductivity."""

    setup: FilmSetup
    delta_mev: float
    t_k: float
    model: Model = "finite_scattering"

    def sigma(self, nu_thz: Array) -> Complex:
        """Conductivity in ohm^-1 cm^-1."""
        return film_sigma(nu_thz, self.setup, self.delta_mev, self.t_k, self.model)

    def normal(self, nu_thz: Array) -> Complex:
        """The same film in the normal state, ohm^-1 cm^-1."""
        return film_sigma(nu_thz, self.setup, 0.0, self.t_k, self.model)

    def omega_sigma2_mev(self) -> float:
        """lim hbar omega sigma2, meV ohm^-1 cm^-1."""
        gamma = self.setup.gamma_mev if self.model == "dynes" else 0.0
        rate = np.inf if self.model == "mattis_bardeen" else self.setup.scattering_mev
        return self.setup.sigma_n * stiffness_slope_mev(self.delta_mev, rate, self.t_k, gamma)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExcessConductivity:
    """sigma_H at the frequencies of the extraction, with covariance (n, n), ohm^-1 cm^-1."""

    nu_thz: Array
    sigma_h: Array
    covariance: Array

    @property
    def error(self) -> Array:
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def excess(
    measured: MeasuredConductivity, background: Background, variations: Sequence[Background] = ()
) -> ExcessConductivity:
    """sigma_H = sigma1 - sigma1_background.

    variations  backgrounds one standard deviation off in one parameter each; their shifts join the covariance
    """
    base = background.sigma(measured.nu_thz).real
    covariance = measured.covariance_of(1).copy()
    for other in variations:
        shift = other.sigma(measured.nu_thz).real - base
        covariance += np.outer(shift, shift)
    return ExcessConductivity(
        nu_thz=measured.nu_thz, sigma_h=measured.sigma.real - base, covariance=covariance
    )


def local_parabolas(at: Array, nu_thz: Array, width_thz: float, stretch: float = 1.0) -> Array:
    """L with smooth(at) = L @ values: least-squares parabola around every point, tricube weights.

    width_thz  half-width of the weights, enlarged where fewer than 4 points lie inside; then times stretch
    returns    (n_at, n)
    """
    offset = nu_thz[None, :] - at[:, None]
    fourth = np.sort(np.abs(offset), axis=1)[:, 3:4]
    offset = offset / (stretch * np.maximum(width_thz, 1.2 * fourth))
    weight = np.clip(1.0 - np.abs(offset) ** 3, 0.0, None) ** 3
    powers = np.stack([np.ones_like(offset), offset, offset**2])  # (3, n_at, n)
    moments = np.einsum("aij,ij,bij->iab", powers, weight, powers)  # normal equations
    first = np.linalg.solve(moments, np.broadcast_to([[1.0], [0.0], [0.0]], (at.size, 3, 1)))[..., 0]
    return np.asarray(np.einsum("ia,aij,ij->ij", first, powers, weight))


def extremum_thz(
    nu_thz: Array,
    values: Array,
    covariance: Array,
    window_thz: tuple[float, float],
    *,
    largest: bool,
    rng: np.random.Generator,
    width_thz: float = 0.04,
    draws: int = 1000,
) -> Estimate:
    """Position of the maximum (minimum) of a smoothed curve through points with errors, bootstrap interval.

    values, covariance  (n,), (n, n);  window_thz  searched range, at least 4 points inside
    width_thz           half-width of the smoothing parabolas
    The draws add noise with the given covariance once more. The change when the smoothing is 1.5 times wider
    measures its bias and widens the interval, which ends at the window's edges.
    raises  ValueError if the window holds fewer than 4 points
    """
    inside = (nu_thz >= window_thz[0]) & (nu_thz <= window_thz[1])
    if inside.sum() < 4:
        raise ValueError(f"{inside.sum()} points in {window_thz[0]:g}-{window_thz[1]:g} THz: need at least 4")
    fine, sign = np.linspace(nu_thz[inside][0], nu_thz[inside][-1], 400), 1.0 if largest else -1.0
    smooth, smoother = (local_parabolas(fine, nu_thz, width_thz, stretch) for stretch in (1.0, 1.5))
    value, other = (float(fine[int(np.argmax(sign * m @ values))]) for m in (smooth, smoother))
    used = np.any(smooth != 0, axis=0)
    kicked = rng.multivariate_normal(values[used], covariance[np.ix_(used, used)], size=draws, method="eigh")
    found = fine[np.argmax(sign * kicked @ smooth[:, used].T, axis=1)]
    low, high = np.quantile(found, [0.16, 0.84])
    shape = abs(value - other)
    below, above = (float(np.hypot(max(d, 0.0), shape)) for d in (value - low, high - value))
    ends = max(value - below, float(fine[0])), min(value + above, float(fine[-1]))
    return Estimate.from_interval(value, *ends)


def omega_minimum(
    measured: MeasuredConductivity, window_thz: tuple[float, float], rng: np.random.Generator
) -> Estimate:
    """Omega = argmin sigma1 in THz, inside the window, with a bootstrap interval of 68 %."""
    return extremum_thz(
        measured.nu_thz, measured.sigma.real, measured.covariance_of(1), window_thz, largest=False, rng=rng
    )


def excess_peak(
    sigma_h: ExcessConductivity, window_thz: tuple[float, float], rng: np.random.Generator
) -> Estimate:
    """Frequency of the maximum of sigma_H in THz, with a bootstrap interval of 68 %."""
    return extremum_thz(
        sigma_h.nu_thz, sigma_h.sigma_h, sigma_h.covariance, window_thz, largest=True, rng=rng
    )


@dataclass(frozen=True, kw_only=True)
class SuperfluidDensity:
    """D = lim hbar omega sigma2 in meV ohm^-1 cm^-1 with error; `consistent` judges sigma1 against sigma2."""

    omega_sigma2_mev: float
    error: float
    consistent: FitQuality


def superfluid(
    measured: MeasuredConductivity, background: Background, window_thz: tuple[float, float]
) -> SuperfluidDensity:
    """D from sigma2, extrapolated to zero frequency; Kramers-Kronig check of the pair (sigma1, sigma2).

    y(nu) = h nu [sigma2 - sigma2_bg - KK(sigma1 - sigma1_bg)] + D_bg is fitted by D + c nu^2 over the window,
    where c allows for excess above the measured range. The excess is taken to vanish at zero frequency.
    Best on a point-by-point extraction: coarse pairs leave a Kramers-Kronig error of interpolation.

    The noise alone sets the weights and the verdict, noise and mount together the error: an uncertain common
    factor (film thickness) inside the weights would pull the mean far below the data.
    raises ValueError if the window holds fewer than 4 points
    """
    nu, energy = measured.nu_thz, thz_to_mev(measured.nu_thz)
    inside = (nu >= window_thz[0]) & (nu <= window_thz[1])
    if inside.sum() < 4:
        raise ValueError(f"{inside.sum()} points in {window_thz[0]:g}-{window_thz[1]:g} THz: need at least 4")
    model = background.sigma(nu)
    jacobian = (energy[:, None] * np.hstack([-smooth_transform_matrix(nu), np.eye(nu.size)]))[inside]
    change = np.concatenate([measured.sigma.real - model.real, measured.sigma.imag - model.imag])
    y = jacobian @ change + background.omega_sigma2_mev()
    noise, total = (jacobian @ c @ jacobian.T for c in (measured.statistical, measured.covariance))
    design = np.column_stack([np.ones(y.size), energy[inside] ** 2])
    root = np.linalg.cholesky(noise)
    white_design, white_y = np.linalg.solve(root, design), np.linalg.solve(root, y)
    estimator = np.linalg.pinv(white_design)
    best = estimator @ white_y
    spread = estimator @ np.linalg.solve(root, np.linalg.solve(root, total).T).T @ estimator.T
    return SuperfluidDensity(
        omega_sigma2_mev=float(best[0]),
        error=float(spread[0, 0] ** 0.5),
        consistent=assess_fit([white_y - white_design @ best], np.zeros(0), 2),
    )


@dataclass(frozen=True, kw_only=True)
class MissingWeight:
    """int (sigma1_normal - sigma1_super) d(hbar omega), meV ohm^-1 cm^-1.

    window    integral over the measured frequencies, with error
    extended  window plus the background model's integral below and above
    """

    window: float
    window_error: float
    extended: float

    @property
    def share(self) -> float:
        """Part of the extended weight that was measured."""
        return self.window / self.extended


def missing_weight(measured: MeasuredConductivity, background: Background) -> MissingWeight:
    """Missing spectral weight N, in the measured window and extended by the background to all energies."""
    nu, energy = measured.nu_thz, thz_to_mev(measured.nu_thz)
    steps = np.diff(energy)
    weights = 0.5 * (np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps]))
    window = float(weights @ (background.normal(nu).real - measured.sigma.real))
    error = float(np.sqrt(weights @ measured.covariance_of(1) @ weights))
    top = 300.0 * max(background.delta_mev, float(energy[-1]))
    low = np.linspace(0.0, float(energy[0]), 400)[1:]
    high = np.geomspace(float(energy[-1]), top, 4000)
    outside = 0.0
    for part in (low, high):
        missing = background.normal(mev_to_thz(part)).real - background.sigma(mev_to_thz(part)).real
        outside += float(np.trapezoid(missing, part)) + (float(missing[0] * part[0]) if part is low else 0.0)
    return MissingWeight(window=window, window_error=error, extended=window + outside)


@dataclass(frozen=True)
class LineFit:
    """y = slope x through the origin, with errors in both; chi2 with dof."""

    slope: float
    error: float
    chi2: float
    dof: int


def line_through_origin(x: Array, x_error: Array, y: Array, y_error: Array) -> LineFit:
    """Slope of missing weight against stiffness, one point per film, errors in x and y.

    With N and D in the same unit the sum rule asks for pi/2. Effective-variance iteration.
    raises ValueError for fewer than 2 points or errors that are not positive
    """
    if x.size < 2 or not np.all(y_error > 0) or not np.all(x_error >= 0):
        raise ValueError("need at least 2 films, y errors > 0 and x errors >= 0")
    slope = float(np.sum(x * y) / np.sum(x * x))
    for _ in range(50):
        variance = y_error**2 + (slope * x_error) ** 2
        slope = float(np.sum(x * y / variance) / np.sum(x * x / variance))
    chi2 = float(np.sum((y - slope * x) ** 2 / variance))
    return LineFit(slope, float(np.sum(x * x / variance) ** -0.5), chi2, x.size - 1)
