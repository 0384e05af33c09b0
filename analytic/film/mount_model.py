"""Model of a normal and a cold scan of one mount: film, substrate, instrument and excess conductivity.

The conductivity of the cold film is the one of a superconductor with the gap Delta plus an excess,

    sigma = sigma_BCS(Delta) + x(nu) + i KK[x](nu) + i dD/(h nu),

where x is a smooth real function (Gaussian prior), KK its Kramers-Kronig transform, and dD the change of the
superfluid weight. By the sum rule dD is -(2/pi) int x, within a prior. Both scans share substrate, thickness
of the film, path, leak, standing wave, and gain and phase of each source band. Bands of the cold scan drift.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from sitqmc.analytic.film.transmission_fit import FilmSetup, Model, film_sigma
from sitqmc.analytic.measurements.scans import ThzScan
from sitqmc.analytic.numerics.kramers_kronig import smooth_transform_matrix
from sitqmc.analytic.optics.film_on_substrate import transmission
from sitqmc.analytic.superconductor.matsubara import stiffness_slope_mev
from sitqmc.analytic.units import Array, Complex, thz_to_mev
from sitqmc.estimate import Estimate

SUBSTRATE_AND_PATH = ("thickness_um", "index", "dispersion", "loss", "film_nm", "path_um")


@dataclass(frozen=True, kw_only=True)
class MountPriors:
    """Standard deviations of what is uncertain about a mount; the centres are those of the setup.

    thickness_um, index, dispersion, loss   of the substrate
    film_nm                                 thickness of the film
    path_um                                 optical path of the sample scan
    leak                                    each part of the leak, relative to the empty path
    standing                                both amplitudes of the standing wave
    gain                                    of each source band: relative gain, and phase in rad
    drift                                   of each band between the scans: relative gain, and phase in rad
    excess                                  size of the excess conductivity in units of sigma_n
    excess_width_thz                        its correlation length along frequency
    tail                                    sigma2 of excess above the scan, at its upper end, over sigma_n
    weight                                  violation of the sum rule by weight outside the scan, relative
    """

    thickness_um: float = 1.0
    index: float = 0.01
    dispersion: float = 5e-3
    loss: float = 5e-4
    film_nm: float = 0.5
    path_um: float = 20.0
    leak: float = 0.02
    standing: float = 0.01
    gain: float = 0.03
    drift: float = 0.005
    excess: float = 0.2
    excess_width_thz: float = 0.04
    tail: float = 0.02
    weight: float = 0.03


@dataclass(frozen=True, eq=False)
class ExcessProcess:
    """Linear maps from whitened coefficients z (m,) to the excess over sigma_n.

    sigma1, sigma2  shape (n, m)
    weight_mev      -(2/pi) int x, shape (m,)
    """

    sigma1: Array
    sigma2: Array
    weight_mev: Array


class MountModel:
    """Parameters u (in prior widths) to standardised residuals of both scans."""

    def __init__(self, normal: ThzScan, cold: ThzScan, setup: FilmSetup, delta: Estimate, priors: MountPriors,
                 edges: Array, model: Model) -> None:  # fmt: skip
        self.scans, self.setup, self.model = (normal, cold), setup, model
        self.delta, self.priors = delta, priors
        self.band = [np.searchsorted(edges, scan.nu_thz) for scan in self.scans]
        self.bands = edges.size + 1
        self.excess = excess_process(cold.nu_thz, priors)
        widths = {name: getattr(priors, name) for name in SUBSTRATE_AND_PATH}
        widths |= dict.fromkeys(("leak_re", "leak_im"), priors.leak)
        widths |= dict.fromkeys(("standing_cos", "standing_sin"), priors.standing)
        self.widths = widths
        self.names = ["ln sigma_n", "ln delta", *widths]
        for kind in ("gain", "phase", "drift", "phase drift"):
            self.names += [f"{kind} {k}" for k in range(self.bands)]
        self.names.append("weight")
        self.base = len(self.names)
        self.names += [f"z{k}" for k in range(self.excess.sigma1.shape[1])]
        self.weights = [np.ones((2, scan.nu_thz.size)) for scan in self.scans]
        self._cached: tuple[float, Complex] | None = None

    def prior_scale(self, plain: bool) -> Array:
        """Return 1 for parameters that are free, 0 for those of the excess in the plain model."""
        scale = np.ones(len(self.names))
        if plain:
            scale[self.base - 1 :] = 0.0
        return scale

    def setup_at(self, u: Array) -> FilmSetup:
        """Return film, substrate and instrument at a point."""
        values = self.setup.values()
        new = {name: values[name] + width * u[2 + k] for k, (name, width) in enumerate(self.widths.items())}
        new["sigma_n"] = values["sigma_n"] * np.exp(u[0])
        new["loss"] = max(new["loss"], 0.0)
        return self.setup.updated(new)

    def delta_at(self, u: Array) -> float:
        """Return the gap at a point."""
        return float(self.delta.value * np.exp(u[1] * self.delta.error / self.delta.value))

    def unit_sigma(self, delta: float) -> Complex:
        """Return the superconducting conductivity over sigma_n on the cold frequencies."""
        if self._cached is None or self._cached[0] != delta:
            cold, unit = self.scans[1], self.setup.updated({"sigma_n": 1.0})
            self._cached = (delta, film_sigma(cold.nu_thz, unit, delta, cold.t_k, self.model))
        return self._cached[1]

    def density_mev(self, u: Array) -> float:
        """Return lim hbar omega sigma2 in meV ohm^-1 cm^-1 at a point."""
        return float(self.setup_at(u).sigma_n * (self.bcs_density_mev(u) + self.density_change_mev(u)))

    def bcs_density_mev(self, u: Array) -> float:
        """Return lim hbar omega sigma2/sigma_n of the superconductor without excess, in meV."""
        rate = np.inf if self.model == "mattis_bardeen" else self.setup.scattering_mev
        return stiffness_slope_mev(self.delta_at(u), rate, self.scans[1].t_k)

    def density_change_mev(self, u: Array) -> float:
        """Return the change of lim hbar omega sigma2/sigma_n by the excess, in meV."""
        outside = self.priors.weight * u[self.base - 1]
        inside = float(self.excess.weight_mev @ u[self.base :])
        return inside + (float(outside * self.bcs_density_mev(u)) if outside else 0.0)

    def sigma_at(self, u: Array) -> Complex:
        """Return the conductivity of the cold film at a point."""
        cold, setup, z = self.scans[1], self.setup_at(u), u[self.base :]
        sigma2 = self.excess.sigma2 @ z + self.density_change_mev(u) / thz_to_mev(cold.nu_thz)
        bcs = self.unit_sigma(self.delta_at(u))
        return np.asarray(setup.sigma_n * (bcs + self.excess.sigma1 @ z + 1j * sigma2))

    def jacobian(self, u: Array, free: Array) -> Array:
        """Return the derivatives of the residuals; those of the excess follow from dt/dsigma."""
        slow = free.copy()
        slow[self.base :] = 0.0
        out = numerical_jacobian(self.residuals, u, slow)
        if not free[self.base :].any():
            return out
        cold, setup = self.scans[1], self.setup_at(u)
        sigma, factor = self.sigma_at(u), self.band_factor(u, 1)
        step = 1e-5 * np.abs(sigma)
        up, down = (transmission(cold.nu_thz, sigma + s * step, setup.sample) for s in (1, -1))
        tight = replace(setup.instrument, leak_re=0.0, leak_im=0.0)
        by_sigma = tight.apply(cold.nu_thz, (up - down) / (2 * step)) * factor
        seen = setup.instrument.apply(cold.nu_thz, transmission(cold.nu_thz, sigma, setup.sample)) * factor
        change = self.excess.weight_mev / thz_to_mev(cold.nu_thz)[:, None]
        by_z = setup.sigma_n * (self.excess.sigma1 + 1j * (self.excess.sigma2 + change))
        slope = (by_sigma / seen)[:, None] * by_z
        first, n = 2 * self.scans[0].nu_thz.size, cold.nu_thz.size
        size = -np.abs(seen) / cold.t_error * self.weights[1][0]
        out[first : first + n, self.base :] = size[:, None] * slope.real
        out[first + n :, self.base :] = -slope.imag * (self.weights[1][1] / cold.theta_error)[:, None]
        return out

    def band_factor(self, u: Array, k: int) -> Complex:
        """Return gain and phase of the bands at the frequencies of scan k; the cold scan (k = 1) drifts."""
        first, n = 2 + len(self.widths), self.bands
        gain, phase, drift, turn = (u[first + j * n : first + (j + 1) * n] for j in range(4))
        log_gain = self.priors.gain * (gain + 1j * phase) + k * self.priors.drift * (drift + 1j * turn)
        return np.asarray(np.exp(log_gain)[self.band[k]])

    def residuals(self, u: Array) -> Array:
        """Return the weighted residuals of |t| and theta of both scans."""
        setup = self.setup_at(u)
        out = []
        for k, scan in enumerate(self.scans):
            normal = film_sigma(scan.nu_thz, setup, 0.0, scan.t_k, self.model) if k == 0 else self.sigma_at(u)
            ideal = transmission(scan.nu_thz, normal, setup.sample)
            model = setup.instrument.apply(scan.nu_thz, ideal) * self.band_factor(u, k)
            angle = np.angle(np.exp(1j * scan.theta) / model) / scan.theta_error
            out += [(scan.t - np.abs(model)) / scan.t_error * self.weights[k][0], angle * self.weights[k][1]]
        return np.concatenate(out)


def excess_process(nu: Array, priors: MountPriors) -> ExcessProcess:
    """Return the maps of a Gaussian process for the excess, truncated to its important directions."""
    width = priors.excess_width_thz
    knots = np.arange(nu[0], nu[-1] + width / 2, width / 2)
    r = np.sqrt(5.0) * np.abs(knots[:, None] - knots) / (2 * width)
    kernel = (1 + r + r**2 / 3) * np.exp(-r)  # Matern 5/2: a resonance is less smooth than a Gaussian
    value, axes = np.linalg.eigh(kernel)
    keep = value > 3e-4 * value[-1]
    root = priors.excess * axes[:, keep] * np.sqrt(value[keep])
    # The excess vanishes at the upper end of the scan, where its transform could not be told from a constant.
    root *= np.clip((knots[-1] - knots) / (4 * width), 0, 1)[:, None]
    spline = CubicSpline(knots, np.eye(knots.size))
    sigma1 = spline(nu) @ root
    sigma2 = spline(nu) @ smooth_transform_matrix(knots) @ root
    # Excess above the scan adds -c nu to sigma2 and nothing to sigma1.
    sigma1 = np.column_stack([sigma1, np.zeros(nu.size)])
    sigma2 = np.column_stack([sigma2, -priors.tail * nu / nu[-1]])
    energy = thz_to_mev(knots)
    steps = np.diff(energy)
    area = 0.5 * (np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps]))
    area[0] += 0.5 * energy[0]
    return ExcessProcess(sigma1, sigma2, np.append(-2 / np.pi * area @ root, 0.0))


def numerical_jacobian(function: Callable[[Array], Array], u: Array, free: Array) -> Array:
    """Return derivatives with respect to the free parameters, others zero, by central differences."""
    out = np.zeros((function(u).size, u.size))
    for k in np.flatnonzero(free):
        step = np.zeros_like(u)
        step[k] = 1e-4
        out[:, k] = (function(u + step) - function(u - step)) / 2e-4
    return out
