"""Model of all scans of one mount: film, substrate, instrument and excess conductivity.

The conductivity of the film below Tc is the one of a superconductor with the gap Delta plus an excess,

    sigma = sigma_BCS(Delta) + x(nu) + i KK[x](nu) + i dD/(h nu),

where x is a smooth real function (Gaussian prior), KK its Kramers-Kronig transform, and dD the change of the
superfluid weight. By the sum rule dD is -(2/pi) int x, within a prior. Every cold scan has its own excess.
All scans share substrate, thickness and scattering rate of the film, path, leak, standing wave, coherence,
and gain and phase of each band of the source. The bands of every later scan drift against the first. The
gaps of several cold scans follow the BCS temperature dependence within a prior.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.interpolate import CubicSpline

from sitqmc.analytic.film.transmission_fit import FilmSetup, Model, film_sigma
from sitqmc.analytic.measurements.scans import ThzScan
from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.kramers_kronig import smooth_transform_matrix
from sitqmc.analytic.optics.film_on_substrate import transmission
from sitqmc.analytic.superconductor.gap import gap_mev
from sitqmc.analytic.superconductor.matsubara import stiffness_slope_mev
from sitqmc.analytic.units import Array, Complex, thz_to_mev
from sitqmc.estimate import Estimate

SUBSTRATE_AND_PATH = ("thickness_um", "index", "dispersion", "loss", "film_nm", "path_um")

LEAST = {"thickness_um": 1e-3, "index": 1.0, "film_nm": 1e-3}
"""Bounds of parameters that a search for a film that fits badly may pass."""

SOFT = 0.05
"""Width of the smooth bound loss > 0, in prior widths: a kink at zero would stop the search."""

STEP = 1e-4
"""Step of symmetric numerical derivatives, in prior widths."""

FIT_STEP = 1e-6
"""Step of the one-sided derivatives of a fit, at half the cost: relative errors of 1e-6 do not change it."""


@dataclass(frozen=True, kw_only=True)
class MountPriors:
    """Standard deviations of what is uncertain about a mount; the centres are those of the setup.

    thickness_um, index, dispersion, loss   of the substrate
    film_nm                                 thickness of the film
    scattering                              ln of the scattering rate; 0.7 is a factor of two
    path_um                                 optical path of the sample scan
    leak                                    each part of the leak, relative to the empty path
    standing                                both amplitudes of the standing wave
    standing_period                         ln of its period; a wide prior starts a search
    damping                                 typical loss of coherence per round trip in the substrate
    gain                                    of each source band: relative gain, and phase in rad
    drift                                   of each band between the scans: relative gain, and phase in rad
    gap                                     of each further cold scan: relative deviation from BCS
    excess                                  size of the excess conductivity in units of sigma_n
    excess_width_thz                        its correlation length along frequency
    tail                                    sigma2 of excess above the scan, at its upper end, over sigma_n
    weight                                  violation of the sum rule by weight outside the scan, relative

    raises  ValueError for a width that is negative or not finite
    """

    thickness_um: float = 1.0
    index: float = 0.01
    dispersion: float = 5e-3
    loss: float = 5e-4
    film_nm: float = 0.5
    scattering: float = 0.7
    path_um: float = 20.0
    leak: float = 0.02
    standing: float = 0.01
    standing_period: float = 0.5
    damping: float = 0.02
    gain: float = 0.03
    drift: float = 0.005
    gap: float = 0.03
    excess: float = 0.2
    excess_width_thz: float = 0.04
    tail: float = 0.02
    weight: float = 0.03

    def __post_init__(self) -> None:
        for f in fields(self):
            checked_scalar(f"MountPriors.{f.name}", getattr(self, f.name), at_least=0.0)
        checked_scalar("MountPriors.excess_width_thz", self.excess_width_thz, above=0.0)

    def of_logarithms(self, setup: FilmSetup, model: Model) -> dict[str, float]:
        """Return the widths of logarithms by names of the parameters of a setup; none of an infinite rate."""
        widths = {"standing_period_thz": self.standing_period} if self.standing > 0 else {}
        if model != "mattis_bardeen" and np.isfinite(setup.scattering_mev):
            widths["scattering_mev"] = self.scattering
        return {name: width for name, width in widths.items() if width > 0}

    def of_setup(self) -> dict[str, float]:
        """Return the widths by names of the parameters of a setup."""
        widths = {name: getattr(self, name) for name in SUBSTRATE_AND_PATH}
        widths |= dict.fromkeys(("leak_re", "leak_im"), self.leak)
        return widths | dict.fromkeys(("standing_cos", "standing_sin"), self.standing)


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
    """Parameters u (in prior widths) to standardised residuals of |t| and theta of all scans.

    scans  at any temperatures; scans below tc_k are superconducting
    gap    of the coldest scan
    edges  frequencies at which the source changes, increasing
    """

    def __init__(
        self, scans: Sequence[ThzScan], setup: FilmSetup, tc_k: float, gap: Estimate, priors: MountPriors,
        edges: Array, model: Model,
    ) -> None:  # fmt: skip
        self.scans, self.setup, self.model, self.tc_k = tuple(scans), setup, model, tc_k
        self.gap, self.priors, self.widths = gap, priors, priors.of_setup()
        self.log_widths = priors.of_logarithms(setup, model)
        self.edges = edges
        self.band = [np.searchsorted(edges, scan.nu_thz) for scan in self.scans]
        self.bands = edges.size + 1
        self.cold = [k for k, scan in enumerate(scans) if scan.t_k < tc_k]
        self.coldest = min(self.cold, key=lambda k: scans[k].t_k)
        self.excess = {k: excess_process(scans[k].nu_thz, priors) for k in self.cold}
        self._name_parameters()
        self.weights = [np.ones((2, scan.nu_thz.size)) for scan in self.scans]
        self.wave_known = not self._period_is_open()
        self._cached: dict[tuple[int, float, float], tuple[Complex, float]] = {}
        self._setups: dict[bytes, FilmSetup] = {}

    def with_edges(self, more: Array, u: Array) -> tuple["MountModel", Array]:
        """Return the model with further band edges, and the point u in it, with equal gains of all bands."""
        edges = np.sort(np.concatenate([self.edges, more]))
        new = MountModel(self.scans, self.setup, self.tc_k, self.gap, self.priors, edges, self.model)
        new.wave_known = self.wave_known
        if not more.size:
            new.weights = self.weights
            return new, u
        bands = np.zeros(new.base - new.smooth)
        return new, np.concatenate([u[: self.smooth], bands, u[self.base :]])

    def with_wave(self, u: Array, period_thz: float, cosine: float, sine: float) -> Array:
        """Return the point u with another standing wave, its amplitudes in widths of their prior."""
        name = "standing_period_thz"
        ratio = np.log(period_thz / self.setup.instrument.standing_period_thz) / self.log_widths[name]
        out = u.copy()
        out[self.wave_at()] = cosine, sine, ratio
        return out

    def _period_is_open(self) -> bool:
        """Return whether a standing wave may exist whose phase at the highest frequency is open."""
        instrument = self.setup.instrument
        if instrument.standing_cos or instrument.standing_sin:
            return False
        highest = max(float(scan.nu_thz[-1]) for scan in self.scans)
        turns = highest / instrument.standing_period_thz
        return 2 * np.pi * turns * self.log_widths.get("standing_period_thz", 0.0) > 0.5

    def _name_parameters(self) -> None:
        """Set the names of all parameters and where each kind begins.

        First the smooth ones, then gain and phase of the bands, then their drifts, then weight and excess.
        """
        self.names = ["ln sigma_n", "ln delta", *self.widths, "ln damping"]
        self.names += [f"ln {name}" for name in self.log_widths]
        deviating = [k for k in self.cold if k != self.coldest]
        self.gap_at = {k: len(self.names) + i for i, k in enumerate(deviating)}
        self.names += [f"gap at {self.scans[k].t_k:g} K" for k in deviating]
        self.smooth = len(self.names)
        for kind in ("gain", "phase"):
            self.names += [f"{kind} of band {b + 1}" for b in range(self.bands)]
        for k in range(1, len(self.scans)):
            for kind in ("gain", "phase"):
                self.names += [f"drift of {kind} {b + 1}, scan {k + 1}" for b in range(self.bands)]
        self.base = len(self.names)
        self.excess_at: dict[int, slice] = {}
        for k in self.cold:
            first, count = len(self.names), 1 + self.excess[k].weight_mev.size
            self.excess_at[k] = slice(first, first + count)
            self.names += [f"weight at {self.scans[k].t_k:g} K", *(f"z{i}" for i in range(count - 1))]

    def free(self, plain: Sequence[int] = ()) -> Array:
        """Return 1 for free parameters, 0 for the excess of the scans in `plain`.

        A standing wave stays as it is until its period is known.
        """
        scale = np.ones(len(self.names))
        if not self.wave_known:
            scale[self.wave_at()] = 0.0
        for k in plain:
            scale[self.excess_at[k]] = 0.0
        return scale

    def wave_at(self) -> list[int]:
        """Return the places of both amplitudes and of the period of the standing wave."""
        names = ("standing_cos", "standing_sin", "ln standing_period_thz")
        return [self.names.index(name) for name in names if name in self.names]

    def setup_at(self, u: Array) -> FilmSetup:
        """Return film, substrate and instrument at a point; points met a short while ago are not repeated."""
        key = u.tobytes()
        if key not in self._setups:
            if len(self._setups) > 4 * len(self.names):
                self._setups.clear()
            self._setups[key] = self._new_setup(u)
        return self._setups[key]

    def _new_setup(self, u: Array) -> FilmSetup:
        values = self.setup.values()
        new = {name: values[name] + width * u[2 + k] for k, (name, width) in enumerate(self.widths.items())}
        new["sigma_n"] = values["sigma_n"] * np.exp(u[0])
        for name in self.log_widths:
            new[name] = values[name] * self._log_factor(u, name)
        for name, least in LEAST.items():
            new[name] = max(new[name], least)
        new["loss"] = 0.5 * (new["loss"] + np.hypot(new["loss"], SOFT * self.widths["loss"]))
        damping = self.priors.damping * np.exp(min(u[2 + len(self.widths)], 5.0))
        new["coherence"] = values["coherence"] * np.exp(-damping)
        return self.setup.updated(new)

    def delta_at(self, u: Array, k: int) -> float:
        """Return the gap of cold scan k at a point."""
        delta = self.gap.value * np.exp(u[1] * self.gap.error / self.gap.value)
        if k != self.coldest:
            delta *= np.exp(self.priors.gap * u[self.gap_at[k]])
            delta *= gap_mev(self.scans[k].t_k, self.tc_k) / gap_mev(self.scans[self.coldest].t_k, self.tc_k)
        return float(delta)

    def rate_at(self, u: Array) -> float:
        """Return the scattering rate in meV at a point; infinite in the dirty limit."""
        if self.model == "mattis_bardeen":
            return np.inf
        return self.setup.scattering_mev * self._log_factor(u, "scattering_mev")

    def _log_factor(self, u: Array, name: str) -> float:
        """Return the factor on a parameter of the setup whose logarithm is uncertain."""
        if name not in self.log_widths:
            return 1.0
        deviation = min(max(u[self.names.index(f"ln {name}")], -5.0), 5.0)
        return float(np.exp(self.log_widths[name] * deviation))

    def _superconductor(self, u: Array, k: int) -> tuple[Complex, float]:
        """Return sigma/sigma_n and lim hbar omega sigma2/sigma_n in meV of scan k without excess."""
        delta, rate = self.delta_at(u, k), self.rate_at(u)
        if (k, delta, rate) not in self._cached:
            if len(self._cached) > 10 * len(self.cold):
                self._cached.clear()
            scan, unit = self.scans[k], self.setup.updated({"sigma_n": 1.0, "scattering_mev": rate})
            gamma = self.setup.gamma_mev if self.model == "dynes" else 0.0
            sigma = film_sigma(scan.nu_thz, unit, delta, scan.t_k, self.model)
            self._cached[k, delta, rate] = sigma, stiffness_slope_mev(delta, rate, scan.t_k, gamma)
        return self._cached[k, delta, rate]

    def density_change_mev(self, u: Array, k: int) -> float:
        """Return the change of lim hbar omega sigma2/sigma_n of scan k by the excess, in meV."""
        outside, z = u[self.excess_at[k]][0], u[self.excess_at[k]][1:]
        return float(
            self.excess[k].weight_mev @ z + self.priors.weight * outside * self._superconductor(u, k)[1]
        )

    def density_mev(self, u: Array, k: int) -> float:
        """Return lim hbar omega sigma2 of cold scan k in meV ohm^-1 cm^-1 at a point."""
        relative = self._superconductor(u, k)[1] + self.density_change_mev(u, k)
        return float(self.setup.sigma_n * np.exp(u[0]) * relative)

    def sigma_at(self, u: Array, k: int) -> Complex:
        """Return the conductivity of scan k at a point."""
        nu, sigma_n = self.scans[k].nu_thz, self.setup.sigma_n * np.exp(u[0])
        if k not in self.cold:
            return film_sigma(nu, self.setup_at(u), 0.0, self.scans[k].t_k, self.model)
        z, excess = u[self.excess_at[k]][1:], self.excess[k]
        sigma2 = excess.sigma2 @ z + self.density_change_mev(u, k) / thz_to_mev(nu)
        return np.asarray(sigma_n * (self._superconductor(u, k)[0] + excess.sigma1 @ z + 1j * sigma2))

    def band_factor(self, u: Array, k: int) -> Complex:
        """Return gain and phase of the bands at the frequencies of scan k."""
        n, first = self.bands, self.smooth
        log_gain = self.priors.gain * (u[first : first + n] + 1j * u[first + n : first + 2 * n])
        if k:
            first += 2 * n * k
            log_gain = log_gain + self.priors.drift * (
                u[first : first + n] + 1j * u[first + n : first + 2 * n]
            )
        return np.asarray(np.exp(log_gain)[self.band[k]])

    def seen(self, u: Array, k: int, sigma: Complex | None = None) -> Complex:
        """Return the transmission that the spectrometer shows for scan k, by default of the model's film."""
        setup, nu = self.setup_at(u), self.scans[k].nu_thz
        sigma = self.sigma_at(u, k) if sigma is None else sigma
        ideal = transmission(nu, sigma, setup.sample)
        return setup.instrument.apply(nu, ideal) * self.band_factor(u, k)

    def residuals(self, u: Array) -> Array:
        """Return the weighted residuals: |t| and theta of the first scan, of the second, and so on."""
        out = []
        for k, scan in enumerate(self.scans):
            model = self.seen(u, k)
            angle = np.angle(np.exp(1j * scan.theta) / model) / scan.theta_error
            out += [(scan.t - np.abs(model)) / scan.t_error * self.weights[k][0], angle * self.weights[k][1]]
        return np.concatenate(out)

    def jacobian(self, u: Array, free: Array) -> Array:
        """Return the derivatives of the residuals with respect to the free parameters, others zero."""
        out = []
        for k, scan in enumerate(self.scans):
            seen = self.seen(u, k)
            by_u = self._log_derivatives(u, k, free, seen)
            by_t = -(np.abs(seen) / scan.t_error * self.weights[k][0])[:, None] * by_u.real
            out += [by_t, -(self.weights[k][1] / scan.theta_error)[:, None] * by_u.imag]
        return np.concatenate(out)

    def _log_derivatives(self, u: Array, k: int, free: Array, seen: Complex) -> Complex:
        """Return d ln(seen)/du of scan k, shape (n, parameters); `seen` at u."""
        nu = self.scans[k].nu_thz
        out = np.zeros((nu.size, u.size), dtype=complex)
        for p in np.flatnonzero(free[: self.smooth]):
            step = np.zeros_like(u)
            step[p] = FIT_STEP
            out[:, p] = np.log(self.seen(u + step, k) / seen) / FIT_STEP
        n, inside = self.bands, self.band[k][:, None] == np.arange(self.bands)
        blocks = [(self.smooth, self.priors.gain), (self.smooth + 2 * n * k, self.priors.drift)]
        for first, width in blocks if k else blocks[:1]:
            out[:, first : first + n] = width * inside
            out[:, first + n : first + 2 * n] = 1j * width * inside
        if k in self.cold and free[self.excess_at[k]].any():
            out[:, self.excess_at[k]] = self._excess_derivatives(u, k)
        return out

    def _excess_derivatives(self, u: Array, k: int) -> Complex:
        """Return d ln(seen)/du of weight and excess of cold scan k, by way of d(seen)/d(sigma)."""
        nu, sigma, excess = self.scans[k].nu_thz, self.sigma_at(u, k), self.excess[k]
        step = 1e-5 * np.abs(sigma)
        slope = np.log(self.seen(u, k, sigma + step) / self.seen(u, k, sigma - step)) / (2 * step)
        weight = np.append(self.priors.weight * self._superconductor(u, k)[1], excess.weight_mev)
        columns = np.pad(excess.sigma1 + 1j * excess.sigma2, ((0, 0), (1, 0)))
        by_u = columns + 1j * weight / thz_to_mev(nu)[:, None]
        return np.asarray((self.setup.sigma_n * np.exp(u[0]) * slope)[:, None] * by_u)


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
