"""Quantities derived from a measured conductivity: excess, Omega, superfluid density, missing weight.

    sigma_H = sigma1_measured - sigma1_background    (background: Mattis-Bardeen, finite scattering or Dynes)
    Omega   = argmin sigma1 below the gap
    D       = lim hbar omega sigma2 for omega -> 0;  rho_s = n_s follows from D (matsubara module)
    N       = int (sigma1_normal - sigma1_super) d(hbar omega) = (pi/2) D     (Ferrell, Glover, Tinkham)

At finite frequency omega sigma2 differs from D. The estimate used here subtracts the contributions of the
background and, by Kramers-Kronig, of the measured excess. The difference is D at every frequency. If it is
not constant within errors, sigma1 and sigma2 contradict each other.
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
from sitqmc.result import Result, SavedResult


@dataclass(frozen=True, kw_only=True)
class Background(Result):
    """Superconductor without a mode: a setup, a gap in meV, a temperature in K and a conductivity model."""

    setup: FilmSetup
    delta_mev: float
    t_k: float
    model: Model = "finite_scattering"

    def sigma(self, nu_thz: Array) -> Complex:
        """Return the conductivity in ohm^-1 cm^-1."""
        return film_sigma(nu_thz, self.setup, self.delta_mev, self.t_k, self.model)

    def normal(self, nu_thz: Array) -> Complex:
        """Return the conductivity of the same film in the normal state, ohm^-1 cm^-1."""
        return film_sigma(nu_thz, self.setup, 0.0, self.t_k, self.model)

    def omega_sigma2_mev(self) -> float:
        """Return lim hbar omega sigma2 in meV ohm^-1 cm^-1."""
        gamma = self.setup.gamma_mev if self.model == "dynes" else 0.0
        rate = np.inf if self.model == "mattis_bardeen" else self.setup.scattering_mev
        return self.setup.sigma_n * stiffness_slope_mev(self.delta_mev, rate, self.t_k, gamma)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExcessConductivity(SavedResult):
    """sigma_H at measured frequencies (n,), with covariance (n, n), in ohm^-1 cm^-1."""

    nu_thz: Array
    sigma_h: Array
    covariance: Array

    @property
    def error(self) -> Array:
        """Standard error of sigma_H, shape (n,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def below(self, nu_thz: float) -> "ExcessConductivity":
        """Return the part below a frequency."""
        keep = self.nu_thz < nu_thz
        return ExcessConductivity(
            nu_thz=self.nu_thz[keep],
            sigma_h=self.sigma_h[keep],
            covariance=self.covariance[np.ix_(keep, keep)],
        )


@dataclass(frozen=True, kw_only=True)
class SuperfluidDensity(Result):
    """Superfluid density of a film.

    omega_sigma2_mev  D = lim hbar omega sigma2 in meV ohm^-1 cm^-1
    consistent        test of sigma1 against sigma2 by Kramers and Kronig
    """

    omega_sigma2_mev: Estimate
    consistent: FitQuality


@dataclass(frozen=True, kw_only=True)
class MissingWeight(Result):
    """int (sigma1_normal - sigma1_super) d(hbar omega) in meV ohm^-1 cm^-1.

    window    integral over the measured frequencies
    extended  window plus the integral of the background model below and above it
    """

    window: Estimate
    extended: Estimate

    @property
    def share(self) -> float:
        """Part of the extended weight that lies in the measured window."""
        return float(self.window.value / self.extended.value)


@dataclass(frozen=True)
class LineFit:
    """Slope of y = slope x through the origin, with chi2 and dof."""

    slope: Estimate
    chi2: float
    dof: int


def excess(
    measured: MeasuredConductivity, background: Background, variations: Sequence[Background] = ()
) -> ExcessConductivity:
    """Return sigma_H = sigma1 - sigma1_background.

    variations  backgrounds one standard deviation off in one parameter each; they enter the covariance
    """
    base = background.sigma(measured.nu_thz).real
    covariance = measured.covariance_of(1).copy()
    for other in variations:
        shift = other.sigma(measured.nu_thz).real - base
        covariance += np.outer(shift, shift)
    sigma_h = measured.sigma.real - base
    return ExcessConductivity(nu_thz=measured.nu_thz, sigma_h=sigma_h, covariance=covariance)


def local_parabolas(at: Array, nu_thz: Array, width_thz: float, stretch: float = 1.0) -> Array:
    """Return L with smooth(at) = L @ values: least-squares parabola around every point, tricube weights.

    width_thz  half-width of the weights, enlarged where fewer than 4 points lie inside, then times stretch
    returns    shape (n_at, n)
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
    nu_thz: Array, values: Array, covariance: Array, window_thz: tuple[float, float], *, largest: bool,
    rng: np.random.Generator | None = None, width_thz: float = 0.04, draws: int = 1000,
) -> Estimate:  # fmt: skip
    """Return the position of the maximum (minimum) of a smoothed curve, with a bootstrap interval of 68 %.

    Draws add noise of the given covariance to the data. The change of the position under 1.5 times wider
    smoothing measures the bias of the smoothing and widens the interval. The interval ends at the window.

    values, covariance  shapes (n,), (n, n)
    window_thz          searched range, at least 4 points inside
    width_thz           half-width of the smoothing parabolas
    rng                 random numbers of the draws; default: a fixed seed
    raises              ValueError if the window holds fewer than 4 points
    """
    inside = (nu_thz >= window_thz[0]) & (nu_thz <= window_thz[1])
    if inside.sum() < 4:
        raise ValueError(f"{inside.sum()} points in {window_thz[0]:g}-{window_thz[1]:g} THz: need at least 4")
    fine, sign = np.linspace(nu_thz[inside][0], nu_thz[inside][-1], 400), 1.0 if largest else -1.0
    smooth, smoother = (local_parabolas(fine, nu_thz, width_thz, stretch) for stretch in (1.0, 1.5))
    value, other = (float(fine[int(np.argmax(sign * m @ values))]) for m in (smooth, smoother))
    used = np.any(smooth != 0, axis=0)
    rng = rng or np.random.default_rng(0)
    noisy = rng.multivariate_normal(values[used], covariance[np.ix_(used, used)], size=draws, method="eigh")
    found = fine[np.argmax(sign * noisy @ smooth[:, used].T, axis=1)]
    low, high = np.quantile(found, [0.16, 0.84])
    bias = abs(value - other)
    below, above = (float(np.hypot(max(d, 0.0), bias)) for d in (value - low, high - value))
    return Estimate.from_interval(
        value, max(value - below, float(fine[0])), min(value + above, float(fine[-1]))
    )


def omega_minimum(
    measured: MeasuredConductivity, window_thz: tuple[float, float], rng: np.random.Generator | None = None
) -> Estimate:
    """Return Omega = argmin sigma1 in THz inside the window, with a bootstrap interval of 68 %.

    rng  random numbers of the interval; default: a fixed seed
    """
    covariance = measured.covariance_of(1)
    return extremum_thz(measured.nu_thz, measured.sigma.real, covariance, window_thz, largest=False, rng=rng)


def excess_peak(
    sigma_h: ExcessConductivity, window_thz: tuple[float, float], rng: np.random.Generator | None = None
) -> Estimate:
    """Return the frequency of the maximum of sigma_H in THz, with a bootstrap interval of 68 %.

    rng  random numbers of the interval; default: a fixed seed
    """
    return extremum_thz(
        sigma_h.nu_thz, sigma_h.sigma_h, sigma_h.covariance, window_thz, largest=True, rng=rng
    )


def superfluid(
    measured: MeasuredConductivity, background: Background, window_thz: tuple[float, float]
) -> SuperfluidDensity:
    """Return D = lim omega sigma2, and a Kramers-Kronig test of sigma1 against sigma2.

    y(nu) = h nu [sigma2 - sigma2_bg - KK(sigma1 - sigma1_bg)] + D_bg is fitted by D + c nu^2 over the window.
    The term c allows for excess above the measured range. The excess is taken to vanish at zero frequency.
    Noise alone sets the weights and the test; noise and mount together set the error. An uncertain common
    factor (film thickness) inside the weights would pull the mean far below the data.

    window_thz  frequencies of the fit, at least 4 points inside
    raises      ValueError if the window holds fewer than 4 points
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
    variance = estimator @ np.linalg.solve(root, np.linalg.solve(root, total).T).T @ estimator.T
    alone = estimator @ estimator.T
    return SuperfluidDensity(
        omega_sigma2_mev=Estimate(best[0], variance[0, 0] ** 0.5, statistical=alone[0, 0] ** 0.5),
        consistent=assess_fit([white_y - white_design @ best], np.zeros(0), 2),
    )


def missing_weight(measured: MeasuredConductivity, background: Background) -> MissingWeight:
    """Return the missing spectral weight N, in the measured window and extended to all energies.

    The background obeys the sum rule exactly, so N is its weight (pi/2) D less the integral of the measured
    excess sigma1 - sigma1_background. The points need to resolve the excess alone, not the gap edge.
    """
    energy = thz_to_mev(measured.nu_thz)
    steps = np.diff(energy)
    weights = 0.5 * (np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps]))
    found = float(weights @ (measured.sigma.real - background.sigma(measured.nu_thz).real))
    error = float(np.sqrt(weights @ measured.covariance_of(1) @ weights))
    inside = _window_weight(background, float(energy[0]), float(energy[-1]))
    total = 0.5 * np.pi * background.omega_sigma2_mev()
    return MissingWeight(window=Estimate(inside - found, error), extended=Estimate(total - found, error))


def _window_weight(background: Background, low_mev: float, high_mev: float) -> float:
    """Return the missing weight of the background between two energies, by Gauss rules up to the gap edge."""
    z, w = np.polynomial.legendre.leggauss(16)
    total = 0.0
    edge = min(max(2 * background.delta_mev, low_mev), high_mev)
    for start, stop in ((low_mev, edge), (edge, high_mev)):
        if stop <= start:
            continue
        cuts = np.geomspace(start, stop, 13)
        middle, half = (cuts[1:] + cuts[:-1]) / 2, (cuts[1:] - cuts[:-1]) / 2
        energy = (middle[:, None] + half[:, None] * z).ravel()
        nu = np.asarray(mev_to_thz(energy))
        missing = background.normal(nu).real - background.sigma(nu).real
        total += float((half[:, None] * w).ravel() @ missing)
    return total


def line_through_origin(x: Array, x_error: Array, y: Array, y_error: Array) -> LineFit:
    """Return the slope of missing weight against stiffness, one point per film, with errors in x and y.

    With N and D in the same unit the sum rule demands pi/2. The effective variance is iterated.
    raises  ValueError for fewer than 2 points or errors that are not positive
    """
    if x.size < 2 or not np.all(y_error > 0) or not np.all(x_error >= 0):
        raise ValueError("need at least 2 films, y errors > 0 and x errors >= 0")
    slope = float(np.sum(x * y) / np.sum(x * x))
    for _ in range(50):
        variance = y_error**2 + (slope * x_error) ** 2
        slope = float(np.sum(x * y / variance) / np.sum(x * x / variance))
    chi2 = float(np.sum((y - slope * x) ** 2 / variance))
    return LineFit(Estimate(slope, np.sum(x * x / variance) ** -0.5), chi2, x.size - 1)
