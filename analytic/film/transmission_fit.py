"""Fits of one or many THz scans: Fresnel optics with a Drude metal above Tc, a superconductor below.

All scans of one mount share film, substrate and instrument. Every scan below Tc has its own gap. Parameters
have the names of the fields of FilmSetup, FilmOnSubstrate, Substrate and Instrument. The gap is called
delta_mev (one cold scan) or delta_mev_0, delta_mev_1 ... in the order of the scans. A fit compares |t| and
theta modulo 2 pi.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from sitqmc.analytic.measurements.scans import ThzScan
from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.least_squares import FitResult, FreeParameter, fit
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate, transmission
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.superconductor.drude import drude_factor
from sitqmc.analytic.superconductor.dynes import dynes_conductivity
from sitqmc.analytic.superconductor.gap import gap_mev
from sitqmc.analytic.units import Array, Complex
from sitqmc.estimate import Estimate
from sitqmc.result import Result

Model = Literal["mattis_bardeen", "finite_scattering", "dynes"]
POSITIVE = ("sigma_n", "scattering_mev", "film_nm", "thickness_um")
NOT_NEGATIVE = ("gamma_mev", "loss", "eps_film")


@dataclass(frozen=True, kw_only=True)
class FilmSetup:
    """Film, substrate and instrument; everything about a measured film except its gap.

    sample          film on its substrate
    sigma_n         dc conductivity of the normal state in ohm^-1 cm^-1
    scattering_mev  elastic scattering rate hbar/tau in meV, may be inf; dirty films hardly determine it.
                    The model "mattis_bardeen" ignores it
    gamma_mev       Dynes pair-breaking rate in meV, used by the model "dynes" alone
    instrument      path offset, standing wave and leak of the spectrometer
    """

    sample: FilmOnSubstrate
    sigma_n: float
    scattering_mev: float = 60.0
    gamma_mev: float = 0.0
    instrument: Instrument = field(default_factory=Instrument)

    def __post_init__(self) -> None:
        checked_scalar("sigma_n", self.sigma_n, above=0.0)
        checked_scalar("scattering_mev", self.scattering_mev, above=0.0, infinite=True)
        checked_scalar("gamma_mev", self.gamma_mev, at_least=0.0)

    def values(self) -> dict[str, float]:
        """Return all numbers by parameter name."""
        own = {n: getattr(self, n) for n in ("sigma_n", "scattering_mev", "gamma_mev")}
        parts = (self.sample, self.sample.substrate, self.instrument)
        return own | {n: getattr(p, n) for p in parts for n in FIELDS[type(p)] if n != "substrate"}

    def updated(self, values: Mapping[str, float]) -> "FilmSetup":
        """Return the setup with the named numbers replaced; names of other parameters are ignored."""

        def pick(part: Any) -> dict[str, float]:
            return {n: values[n] for n in FIELDS[type(part)] if n in values}

        substrate = replace(self.sample.substrate, **pick(self.sample.substrate))
        sample = replace(self.sample, substrate=substrate, **pick(self.sample))
        instrument = replace(self.instrument, **pick(self.instrument))
        return replace(self, sample=sample, instrument=instrument, **pick(self))


FIELDS = {
    kind: tuple(f.name for f in fields(kind)) for kind in (FilmSetup, FilmOnSubstrate, Substrate, Instrument)
}  # fmt: skip
"""Names of the fields of a setup and of its parts: a fit asks for them often."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmFit(Result):
    """A fit of one or several scans.

    fit         values, errors, correlations and quality
    setup       the setup at the minimum
    deltas_mev  the gap of each scan at the minimum, 0 above Tc, whether the model is accepted or not
    model       the conductivity below Tc
    """

    fit: FitResult
    setup: FilmSetup
    deltas_mev: list[float]
    model: Model

    @property
    def fits(self) -> bool:
        """Whether the model describes the data. If not, no parameter may be quoted."""
        return self.fit.quality.fits

    def gaps_mev(self) -> list[Estimate]:
        """Return the gap of each scan with its error, 0 above Tc.

        raises  ValueError if the model is rejected, because then there is no gap
        """
        if not self.fits:
            raise ValueError(f"no gap can be quoted, {self.fit.quality.text}")
        names = [n for n in self.fit.names if n.startswith("delta_mev")]
        fitted = iter(self.fit.estimate(n) for n in names)
        return [next(fitted) if delta > 0 else Estimate(0.0, 0.0) for delta in self.deltas_mev]

    def report(self) -> str:
        """Return quality and parameters as text."""
        return self.fit.report()


def film_sigma(
    nu_thz: Array, setup: FilmSetup, delta_mev: float, t_k: float, model: Model = "finite_scattering"
) -> Complex:
    """Return the conductivity of the model in ohm^-1 cm^-1; delta_mev = 0 is the normal state."""
    gamma = setup.gamma_mev if model == "dynes" else 0.0
    rate = np.inf if model == "mattis_bardeen" else setup.scattering_mev
    if delta_mev == 0.0:
        return setup.sigma_n * drude_factor(nu_thz, rate + 2.0 * gamma)
    return setup.sigma_n * dynes_conductivity(nu_thz, delta_mev, gamma, rate, t_k)


def scan_residuals(scan: ThzScan, model_t: Complex) -> list[Array]:
    """Return standardised residuals of |t| and of theta; the phase is reduced to one turn.

    No weight contains a measured |t|: a noisy datum must not set its own weight.
    """
    phase = np.angle(np.exp(1j * scan.theta) / model_t)
    return [(scan.t - np.abs(model_t)) / scan.t_error, phase / scan.theta_error]


def check_parameter_names(setup: FilmSetup, names: Sequence[str]) -> None:
    """Refuse names that are no parameter of a setup.

    raises  ValueError naming the first unknown name and all known ones
    """
    known = setup.values()
    for name in names:
        if name not in known:
            raise ValueError(f"unknown parameter {name!r}; known: {', '.join(known)}")


def fit_film(
    scans: Sequence[ThzScan], setup: FilmSetup, tc_k: float, *, free: Sequence[str] = (),
    priors: Mapping[str, float] | None = None, model: Model = "finite_scattering",
    max_evaluations: int | None = None,
) -> FilmFit:  # fmt: skip
    """Fit scans of one mount jointly: the gaps, the parameters `free`, and the parameters with priors.

    scans   at any temperatures; scans at or above tc_k are normal (Drude)
    setup   start values, and the values of all fixed parameters
    free    names fitted without prior, such as ("sigma_n",)
    priors  name -> standard deviation about the start value: nuisances whose uncertainty enters the errors
    model   conductivity below Tc: mattis_bardeen, finite_scattering or dynes
    max_evaluations  after which the search gives up, see `least_squares.fit`
    raises  ValueError for unknown names, no scans, or a fit that does not converge
    """
    values, widths = setup.values(), dict(priors or {})
    check_parameter_names(setup, (*free, *widths))
    if not scans:
        raise ValueError("no scans to fit")
    names = _delta_names(scans, tc_k)
    residuals = _residual_function(scans, names, setup, model)
    unknowns: dict[str, FreeParameter] = {}
    bcs = {name: float(gap_mev(scan.t_k, tc_k)) for scan, name in zip(scans, names, strict=True) if name}
    for gap_name, around in bcs.items():
        start = _best_start(residuals, values | bcs, gap_name, around)
        unknowns[gap_name] = FreeParameter(start=start, low=1e-3 * around, high=20 * around)
    for name in dict.fromkeys((*free, *widths)):
        low = 1e-9 * values[name] if name in POSITIVE else 0.0 if name in NOT_NEGATIVE else -np.inf
        unknowns[name] = FreeParameter(start=values[name], prior=widths.get(name), low=low)
    if not unknowns:
        raise ValueError("nothing to fit: no scan below Tc, and neither free nor prior parameters")
    fixed = {n: v for n, v in values.items() if n not in unknowns}
    outcome = fit(residuals, unknowns, fixed, max_evaluations=max_evaluations)
    deltas = [outcome.values[n] if n else 0.0 for n in names]
    return FilmFit(fit=outcome, setup=setup.updated(outcome.values), deltas_mev=deltas, model=model)


def fit_normal(
    scan: ThzScan, setup: FilmSetup, tc_k: float, *, free: Sequence[str] = ("sigma_n", "path_um"),
    priors: Mapping[str, float] | None = None, model: Model = "finite_scattering",
    max_evaluations: int | None = None,
) -> FilmFit:  # fmt: skip
    """Fit a scan above Tc; the resulting setup calibrates the mount for the colder scans.

    free, priors, max_evaluations  as in fit_film
    model         conductivity model of the film; mattis_bardeen is the limit of infinite scattering
    raises        ValueError for a scan below Tc
    """
    if scan.t_k < tc_k:
        raise ValueError(f"the scan is at {scan.t_k:g} K, below Tc = {tc_k:g} K: use a normal-state scan")
    return fit_film(
        [scan], setup, tc_k, free=free, priors=priors, model=model, max_evaluations=max_evaluations
    )


def fit_superconductor(
    scan: ThzScan, setup: FilmSetup, tc_k: float, *, priors: Mapping[str, float] | None = None,
    model: Model = "finite_scattering",
) -> FilmFit:  # fmt: skip
    """Fit |t| and theta of one cold scan with 2 Delta as the only free parameter.

    Check `fits` first: if the model is rejected, its gap has no meaning.

    priors  nuisances, as in fit_film
    raises  ValueError for a scan at or above Tc
    """
    if scan.t_k >= tc_k:
        raise ValueError(f"the scan is at {scan.t_k:g} K, Tc = {tc_k:g} K: no gap above Tc; use fit_normal")
    return fit_film([scan], setup, tc_k, priors=priors, model=model)


def _delta_names(scans: Sequence[ThzScan], tc_k: float) -> list[str | None]:
    """Return the parameter name of the gap of each scan, None above Tc."""
    cold = [k for k, scan in enumerate(scans) if scan.t_k < tc_k]
    return [
        (f"delta_mev_{cold.index(k)}" if len(cold) > 1 else "delta_mev") if k in cold else None
        for k in range(len(scans))
    ]


def _residual_function(
    scans: Sequence[ThzScan], names: list[str | None], setup: FilmSetup, model: Model
) -> Callable[[Mapping[str, float]], list[Array]]:
    """Return the standardised residuals of all scans as a function of the parameter values."""

    @lru_cache(maxsize=4 * len(scans))
    def factor(k: int, delta: float, rate: float, gamma: float) -> Complex:
        unit = replace(setup, sigma_n=1.0, scattering_mev=rate, gamma_mev=gamma)
        return film_sigma(scans[k].nu_thz, unit, delta, scans[k].t_k, model)

    def residuals(values: Mapping[str, float]) -> list[Array]:
        now = setup.updated(values)
        out = []
        for k, (scan, name) in enumerate(zip(scans, names, strict=True)):
            delta = values[name] if name else 0.0
            sigma = now.sigma_n * factor(k, delta, now.scattering_mev, now.gamma_mev)
            ideal = transmission(scan.nu_thz, sigma, now.sample)
            out += scan_residuals(scan, now.instrument.apply(scan.nu_thz, ideal))
        return out

    return residuals


def _best_start(
    residuals: Callable[[Mapping[str, float]], list[Array]],
    values: dict[str, float],
    name: str,
    around: float,
) -> float:
    """Return the gap of least chi^2 on a coarse grid: a local search alone may stop in a side minimum."""
    grid = around * np.geomspace(0.5, 2.5, 25)
    chi2 = [sum(float(np.sum(r**2)) for r in residuals({**values, name: float(d)})) for d in grid]
    return float(grid[int(np.argmin(chi2))])
