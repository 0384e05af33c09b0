"""Comparison of a simulated sigma(omega) with the measured sigma_H of a film.

The simulation gives a sheet conductivity in units of 4e^2/h against omega in units of E_J. For a film of
thickness d, nu = omega E_J/h and sigma = amplitude (4e^2/h) sigma_Q(omega)/d. E_J comes from the measured
stiffness, J_s = rho_s E_J, or is fitted. The amplitude is 1 or fitted (several coupled sheets, or a part of
the film). The comparison covers shape (chi^2), position of the peak, and weight in the measured window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve

from sitqmc.analytic.film.derived import ExcessConductivity
from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.goodness_of_fit import FitQuality, assess_fit
from sitqmc.analytic.units import SIGMA_Q_S, Array, mev_to_thz, sheet_to_sigma, thz_to_mev
from sitqmc.estimate import Estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class TheoryCurve:
    """Regular part of sigma1 of a simulation.

    omega  energies in E_J, shape (n,), increasing, > 0
    sigma  conductivity in 4e^2/h, (n,)
    error  its standard error, (n,)
    rho_s  superfluid stiffness in E_J (0 in the insulator)
    """

    omega: Array
    sigma: Array
    error: Array
    rho_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.omega.shape == self.sigma.shape == self.error.shape or self.omega.ndim != 1:
            shapes = f"{self.omega.shape}, {self.sigma.shape}, {self.error.shape}"
            raise ValueError(f"omega, sigma, error have shapes {shapes}: they must be equal lists")
        if self.omega.size < 4 or not self.omega[0] > 0 or not np.all(np.diff(self.omega) > 0):
            raise ValueError("omega: at least 4 positive, increasing energies in units of E_J are needed")
        if not np.all(self.error >= 0) or not np.all(np.isfinite(self.sigma)):
            raise ValueError("sigma must be finite and its error >= 0")


def e_j_from_stiffness(film_stiffness_mev: float, rho_s: float) -> float:
    """Return E_J in meV of an array with stiffness rho_s (in E_J) and the measured stiffness of the film."""
    stiffness = checked_scalar("film_stiffness_mev", film_stiffness_mev, above=0.0)
    return stiffness / checked_scalar("rho_s", rho_s, above=0.0)


def to_laboratory(theory: TheoryCurve, e_j_mev: float, thickness_nm: float) -> tuple[Array, Estimate]:
    """Return nu in THz and sigma1 in ohm^-1 cm^-1 of the simulated array as one film."""
    energy = checked_scalar("e_j_mev", e_j_mev, above=0.0)
    unit = sheet_to_sigma(SIGMA_Q_S, thickness_nm)
    return mev_to_thz(theory.omega * energy), Estimate(theory.sigma, theory.error).scaled(unit)


def at_frequencies(theory: TheoryCurve, nu_thz: ArrayLike, e_j_mev: float, thickness_nm: float) -> Estimate:
    """Return sigma1 in ohm^-1 cm^-1 at measured frequencies; linear between points, flat below the lowest.

    raises  ValueError if the curve ends below the highest frequency
    """
    nu = np.asarray(nu_thz, dtype=float)
    own, sigma = to_laboratory(theory, e_j_mev, thickness_nm)
    if nu.max() > own[-1] * (1 + 1e-12):
        raise ValueError(
            f"theory ends at {own[-1]:.3g} THz for E_J = {e_j_mev:.3g} meV; the data reach "
            f"{nu.max():.3g} THz: compare in a smaller window"
        )
    return Estimate(np.interp(nu, own, sigma.value), np.interp(nu, own, sigma.error))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Best agreement of one theory curve with sigma_H.

    e_j_mev            best value with the interval chi^2 <= minimum + 1 (a point if E_J was given)
    amplitude          factor on the theory (1 if not fitted)
    peak_thz           position of the maximum of the theory in the window
    measured_peak_thz  position of the measured maximum
    weight_ratio       measured over theoretical weight in the window, amplitude included
    quality            chi^2, p-value and a sentence
    """

    e_j_mev: Estimate
    amplitude: float
    peak_thz: float
    measured_peak_thz: float
    weight_ratio: float
    quality: FitQuality


def _mismatch(
    theory: TheoryCurve, data: ExcessConductivity, e_j: float, thickness_nm: float, free_amplitude: bool
) -> tuple[float, float, Array]:
    """Return chi^2, amplitude and whitened residuals; errors of the theory count as uncorrelated."""
    curve = at_frequencies(theory, data.nu_thz, e_j, thickness_nm)
    model, error = curve.value, curve.error
    amplitude = 1.0
    for _ in range(8 if free_amplitude else 1):  # the weights depend on the amplitude
        covariance = data.covariance + np.diag((amplitude * error) ** 2)
        if free_amplitude:
            factor = cho_factor(covariance, lower=True)
            weighted = cho_solve(factor, model)
            amplitude = max(float(weighted @ data.sigma_h / (weighted @ model)), 0.0)
    residual = np.linalg.solve(np.linalg.cholesky(covariance), data.sigma_h - amplitude * model)
    return float(residual @ residual), amplitude, residual


def _interval(x: Array, chi2: Array) -> Estimate:
    """Return the minimum of chi^2 on a grid with the range chi^2 <= minimum + 1, edges interpolated."""
    k = int(np.argmin(chi2))
    bound = chi2[k] + 1.0
    low, high = float(x[0]), float(x[-1])
    for j in range(k, 0, -1):
        if chi2[j - 1] > bound:
            low = float(x[j] - (x[j] - x[j - 1]) * (bound - chi2[j]) / (chi2[j - 1] - chi2[j]))
            break
    for j in range(k, x.size - 1):
        if chi2[j + 1] > bound:
            high = float(x[j] + (x[j + 1] - x[j]) * (bound - chi2[j]) / (chi2[j + 1] - chi2[j]))
            break
    return Estimate.from_interval(float(x[k]), low, high)


def compare(
    theory: TheoryCurve,
    data: ExcessConductivity,
    thickness_nm: float,
    *,
    e_j_mev: float | None = None,
    search_mev: tuple[float, float] | None = None,
    free_amplitude: bool = False,
) -> Comparison:
    """Compare one theory curve with sigma_H.

    e_j_mev     fixed E_J (e_j_from_stiffness); None searches
    search_mev  range of the search; default: from where the theory just covers the data to 20 times that
    raises      ValueError if the theory does not cover the data
    """
    least = float(thz_to_mev(float(data.nu_thz[-1])) / theory.omega[-1])
    if e_j_mev is None:
        low, high = search_mev or (least, 20.0 * least)
        grid = np.geomspace(max(low, least), high, 300)
        for _ in range(3):  # the whole range, then twice around the minimum
            chi2 = [_mismatch(theory, data, float(e), thickness_nm, free_amplitude)[0] for e in grid]
            best = _interval(grid, np.array(chi2))
            step = 2.0 * float(grid[1] - grid[0])
            grid = np.linspace(max(best.low - step, grid[0]), min(best.high + step, grid[-1]), 60)
    else:
        best = Estimate(e_j_mev, 0.0, e_j_mev, e_j_mev)
    _, amplitude, residual = _mismatch(theory, data, best.value, thickness_nm, free_amplitude)
    model = amplitude * at_frequencies(theory, data.nu_thz, best.value, thickness_nm).value
    n_free = int(e_j_mev is None) + int(free_amplitude)
    theory_weight = float(np.trapezoid(model, data.nu_thz))
    return Comparison(
        e_j_mev=best,
        amplitude=amplitude,
        peak_thz=float(data.nu_thz[int(np.argmax(model))]),
        measured_peak_thz=float(data.nu_thz[int(np.argmax(data.sigma_h))]),
        weight_ratio=float(np.trapezoid(data.sigma_h, data.nu_thz)) / theory_weight,
        quality=assess_fit([residual], np.zeros(0), n_free),
    )


@dataclass(frozen=True, kw_only=True)
class FamilyComparison:
    """Comparison of several disorder strengths with one film: best p, and every comparison."""

    p: Estimate
    best: Comparison
    each: Mapping[float, Comparison]


def compare_family(
    curves: Mapping[float, TheoryCurve],
    data: ExcessConductivity,
    thickness_nm: float,
    *,
    e_j_mev: float | None = None,
    search_mev: tuple[float, float] | None = None,
    free_amplitude: bool = False,
) -> FamilyComparison:
    """Compare curves at several p with sigma_H; each p at its best E_J, interval chi^2 <= minimum + 1.

    raises  ValueError for fewer than 2 curves
    """
    if len(curves) < 2:
        raise ValueError(f"{len(curves)} curves: an interval for p needs at least 2")
    order: Sequence[float] = sorted(curves)
    each = {
        p: compare(
            curves[p],
            data,
            thickness_nm,
            e_j_mev=e_j_mev,
            search_mev=search_mev,
            free_amplitude=free_amplitude,
        )
        for p in order
    }
    interval = _interval(np.array(order), np.array([each[p].quality.chi2 for p in order]))
    return FamilyComparison(p=interval, best=each[interval.value], each=each)
