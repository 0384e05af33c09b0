"""Conductivity from a scan by Fresnel optics alone, without a model of the conductivity.

invert_scan inverts every point exactly. invert_resonance_bands fits sigma1 and sigma2 in a band around each
Fabry-Perot resonance of the substrate; a usual scan gives 10-15 pairs. The covariance of all points holds the
noise and, fully correlated between points, the uncertainty of the mount.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from sitqmc.analytic.film.transmission_fit import NOT_NEGATIVE, POSITIVE, FilmFit, FilmSetup, scan_residuals
from sitqmc.analytic.measurements.scans import ThzScan
from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.optics.film_on_substrate import transmission
from sitqmc.analytic.optics.inversion import invert
from sitqmc.analytic.units import Array, Complex
from sitqmc.result import SavedResult

MAX_STEPS = 200
CONVERGED = 1e-8  # relative change of sigma; its error is of order 1e-2


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredConductivity(SavedResult):
    """Measured conductivity.

    nu_thz       frequencies, shape (n,)
    sigma        complex conductivity in ohm^-1 cm^-1, shape (n,)
    covariance   of [sigma1..., sigma2...], shape (2n, 2n), noise and mount together
    statistical  the same from noise alone
    misfit       chi^2/dof inside each band, (n,); NaN for point-by-point inversion
    t_k          temperature in K
    """

    nu_thz: Array
    sigma: Complex
    covariance: Array
    statistical: Array
    misfit: Array
    t_k: float

    @property
    def sigma1_error(self) -> Array:
        """Standard error of sigma1, shape (n,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)[: self.nu_thz.size]))

    @property
    def sigma2_error(self) -> Array:
        """Standard error of sigma2, shape (n,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)[self.nu_thz.size :]))

    def covariance_of(self, part: int) -> Array:
        """Return the covariance (n, n) of sigma1 (part = 1) or sigma2 (part = 2)."""
        n = self.nu_thz.size
        block = slice(0, n) if part == 1 else slice(n, 2 * n)
        return self.covariance[block, block]


def instrument_variations(calibration: FilmFit, without: tuple[str, ...] = ()) -> list[FilmSetup]:
    """Return setups one standard deviation off along each principal axis of a calibration's covariance.

    All fitted parameters of sample, substrate and instrument vary, except those in `without`.
    """
    own = {"sigma_n", "scattering_mev", "gamma_mev", *without}
    chosen = [n for n in calibration.fit.names if n not in own and not n.startswith("delta_mev")]
    if not chosen:
        return []
    width, axes = np.linalg.eigh(calibration.fit.covariance(chosen))
    centre = np.array([calibration.fit.values[n] for n in chosen])
    low = np.array([0.0 if n in POSITIVE + NOT_NEGATIVE else -np.inf for n in chosen])
    setups = []
    for k, w in enumerate(width):
        shift = np.sqrt(max(w, 0.0)) * axes[:, k]
        if np.any(centre + shift < low):  # one sign serves as well as the other
            shift = -shift
        values = np.maximum(centre + shift, low)
        setups.append(calibration.setup.updated(dict(zip(chosen, values.tolist(), strict=True))))
    return setups


def _with_mount(
    extract: Callable[[FilmSetup], Complex], central: Complex, noise: Array, variations: list[FilmSetup]
) -> Array:
    """Return the noise covariance plus one rank-one term per variation of the mount."""
    total = noise.copy()
    for setup in variations:
        shift = extract(setup) - central
        both = np.concatenate([shift.real, shift.imag])
        total += np.outer(both, both)
    return total


def invert_scan(
    scan: ThzScan, setup: FilmSetup, variations: list[FilmSetup] | None = None
) -> MeasuredConductivity:
    """Return sigma at every frequency of the scan by exact inversion.

    variations  setups one standard deviation off (instrument_variations), for the systematic covariance
    raises      ValueError if a point cannot be inverted
    """

    def extract(s: FilmSetup) -> Complex:
        return invert(scan.nu_thz, s.instrument.remove(scan.nu_thz, scan.t_rel), s.sample)

    sigma = extract(setup)
    ideal = setup.instrument.remove(scan.nu_thz, scan.t_rel)
    # sigma is analytic in t_rel: one complex derivative carries both errors.
    step = 1e-6
    slope = (invert(scan.nu_thz, ideal * (1 + step), setup.sample) - sigma) / step
    by_t, by_theta = slope * scan.t_error / scan.t, 1j * slope * scan.theta_error
    n = scan.nu_thz.size
    jacobian = np.block(
        [[np.diag(by_t.real), np.diag(by_theta.real)], [np.diag(by_t.imag), np.diag(by_theta.imag)]]
    )
    noise = jacobian @ jacobian.T
    total = _with_mount(extract, sigma, noise, variations or [])
    return MeasuredConductivity(
        nu_thz=scan.nu_thz,
        sigma=sigma,
        covariance=total,
        statistical=noise,
        misfit=np.full(n, np.nan),
        t_k=scan.t_k,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Band:
    """One resonance: its part of the scan, and the shape of sigma relative to the centre.

    sigma(nu) = sigma1 + i sigma2 law(nu) + shape; law is centre/nu or 1, shape is zero at the centre.
    """

    centre: float
    scan: ThzScan
    shape: Complex
    law: Array

    def sigma(self, pair: Array) -> Complex:
        return np.asarray(pair[0] + 1j * pair[1] * self.law + self.shape)


def _solve_band(band: _Band, setup: FilmSetup) -> tuple[complex, Array, float]:
    """Return sigma at the centre, its 2 x 2 covariance and chi^2/dof, by Gauss-Newton."""
    nu, scan = band.scan.nu_thz, band.scan

    def residuals(pair: Array) -> Array:
        ideal = transmission(nu, band.sigma(pair), setup.sample)
        return np.concatenate(scan_residuals(scan, setup.instrument.apply(nu, ideal)))

    middle = int(np.argmin(np.abs(nu - band.centre)))
    near = slice(max(middle - 1, 0), middle + 2)
    first = invert(nu[near], setup.instrument.remove(nu[near], scan.t_rel[near]), setup.sample).mean()
    pair, size = np.array([first.real, first.imag]), abs(first)
    r = residuals(pair)
    # A mount that contradicts the data leaves large residuals, and then Gauss-Newton converges slowly.
    for _ in range(MAX_STEPS):
        h = 1e-6 * size
        jacobian = np.column_stack([(residuals(pair + d) - r) / h for d in h * np.eye(2)])
        step = np.linalg.solve(jacobian.T @ jacobian, -jacobian.T @ r)
        trial = residuals(pair + step)
        while trial @ trial > r @ r and np.abs(step).max() > CONVERGED * size:
            step /= 2
            trial = residuals(pair + step)
        pair, r = pair + step, trial
        if np.abs(step).max() < CONVERGED * size:
            break
    else:
        raise ValueError(f"no sigma1, sigma2 found near {band.centre:g} THz: check the mount's numbers")
    return complex(pair[0], pair[1]), np.linalg.inv(jacobian.T @ jacobian), float(r @ r) / (r.size - 2)


def _bands(scan: ThzScan, setup: FilmSetup, half_width: float, superconducting: bool) -> list[_Band]:
    """Return the parts of the scan around the resonances, with no inner shape yet."""
    centres = setup.sample.substrate.resonances_thz(float(scan.nu_thz[0]), float(scan.nu_thz[-1]))
    if centres.size < 3:
        raise ValueError(f"{centres.size} resonances of the substrate in the scan; use invert_scan instead")
    reach = half_width * float(np.median(np.diff(centres)))
    bands = []
    for c in centres.tolist():
        m = (scan.nu_thz >= c - reach) & (scan.nu_thz < c + reach)
        if m.sum() >= 4:
            part = scan.window(float(scan.nu_thz[m][0]), float(scan.nu_thz[m][-1]))
            law = c / part.nu_thz if superconducting else np.ones(part.nu_thz.size)
            bands.append(_Band(centre=c, scan=part, law=law, shape=np.zeros(law.size, dtype=complex)))
    if len(bands) < 3:
        raise ValueError(f"{len(bands)} bands hold 4 points: the scan is too coarse for this substrate")
    return bands


def _with_shapes(bands: list[_Band], sigma: Complex) -> list[_Band]:
    """Return the bands with inner shapes from a smooth curve through all pairs."""
    centres = np.array([band.centre for band in bands])
    sloped = not all(np.all(band.law == 1.0) for band in bands)
    smooth = sigma.real + 1j * sigma.imag * (centres if sloped else 1.0)
    curve = CubicSpline(centres, smooth, bc_type="natural")
    out = []
    for band in bands:
        change = curve(band.scan.nu_thz) - curve(band.centre)
        shape = change.real + 1j * change.imag * (1.0 / band.scan.nu_thz if sloped else 1.0)
        out.append(replace(band, shape=shape))
    return out


def invert_resonance_bands(
    scan: ThzScan,
    setup: FilmSetup,
    variations: list[FilmSetup] | None = None,
    *,
    half_width: float = 0.5,
    superconducting: bool = True,
    refinements: int = 3,
) -> MeasuredConductivity:
    """Fit sigma1 and sigma2 in a band around each Fabry-Perot resonance of the substrate.

    half_width       of a band, in spacings of the resonances, 0 < half_width <= 0.5
    superconducting  inside a band sigma2 follows 1/nu (True) or is flat (False); sigma1 is flat
    refinements      number of repetitions in which a smooth curve through all pairs gives the inner shape
    variations       setups one standard deviation off, for the systematic covariance
    errors           noise, times sqrt(chi^2/dof) in bands that the inner shape does not describe; and mount
    raises           ValueError if fewer than 3 bands hold 4 points, or a band has no solution
    """
    width = checked_scalar("half_width", half_width, above=0.0)
    if width > 0.5:
        raise ValueError(f"half_width = {width}: bands would overlap above 0.5")
    bands = _bands(scan, setup, width, superconducting)
    solved = [_solve_band(band, setup) for band in bands]
    for _ in range(refinements):
        bands = _with_shapes(bands, np.array([pair for pair, _, _ in solved]))
        solved = [_solve_band(band, setup) for band in bands]
    sigma = np.array([pair for pair, _, _ in solved])
    n = sigma.size
    noise = np.zeros((2 * n, 2 * n))
    for k, (_, small, misfit) in enumerate(solved):
        noise[np.ix_([k, n + k], [k, n + k])] = small * max(misfit, 1.0)

    def extract(s: FilmSetup) -> Complex:
        return np.array([_solve_band(band, s)[0] for band in bands])

    return MeasuredConductivity(
        nu_thz=np.array([band.centre for band in bands]),
        sigma=sigma,
        statistical=noise,
        covariance=_with_mount(extract, sigma, noise, variations or []),
        misfit=np.array([misfit for _, _, misfit in solved]),
        t_k=scan.t_k,
    )
