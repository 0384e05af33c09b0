"""Fits of THz scans: Fresnel optics x (Drude above Tc, superconductor below), one scan or many at once.

All scans of one mount share film, substrate and instrument. Every scan below Tc has its own gap. Parameters
have the names of the fields of FilmSetup, FilmOnSubstrate, Substrate and Instrument. The gap is called
delta_mev (one cold scan) or delta_mev_0, delta_mev_1 ... in the order of the scans. A fit compares ln|t| and
theta modulo 2 pi.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from sitqmc.analytic.film.scans import ThzScan
from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.least_squares import FitResult, FreeParameter, fit
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, transmission
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.superconductor.drude import drude_factor
from sitqmc.analytic.superconductor.dynes import dynes_conductivity
from sitqmc.analytic.superconductor.gap import gap_mev
from sitqmc.analytic.units import Array, Complex

Model = Literal["mattis_bardeen", "finite_scattering", "dynes"]
POSITIVE = ("sigma_n", "scattering_mev", "film_nm", "thickness_um")
NOT_NEGATIVE = ("gamma_mev", "loss", "eps_film")


@dataclass(frozen=True, kw_only=True)
class FilmSetup:
    """Everything about a film and its mount but the gap."""

    sample: FilmOnSubstrate
    sigma_n: float  # dc normal conductivity, ohm^-1 cm^-1
    scattering_mev: float = 60.0  # hbar/tau; far-infrared data of dirty films hardly fix it
    gamma_mev: float = 0.0  # Dynes rate, used by the model "dynes"
    instrument: Instrument = field(default_factory=Instrument)

    def __post_init__(self) -> None:
        checked_scalar("sigma_n", self.sigma_n, above=0.0)
        checked_scalar("scattering_mev", self.scattering_mev, above=0.0, infinite=True)
        checked_scalar("gamma_mev", self.gamma_mev, at_least=0.0)

    def values(self) -> dict[str, float]:
        """All numbers by parameter name."""
        own = {n: getattr(self, n) for n in ("sigma_n", "scattering_mev", "gamma_mev")}
        parts = (self.sample, self.sample.substrate, self.instrument)
        return own | {f.name: getattr(p, f.name) for p in parts for f in fields(p) if f.name != "substrate"}

    def updated(self, values: Mapping[str, float]) -> "FilmSetup":
        """The same setup with the named numbers replaced; names it does not know are ignored."""

        def pick(part: Any) -> dict[str, float]:
            return {f.name: values[f.name] for f in fields(part) if f.name in values}

        substrate = replace(self.sample.substrate, **pick(self.sample.substrate))
        sample = replace(self.sample, substrate=substrate, **pick(self.sample))
        return replace(
            self, sample=sample, instrument=replace(self.instrument, **pick(self.instrument)), **pick(self)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmFit:
    """A fit, the setup it ends at, and where the gap of each scan ended (0 above Tc), accepted or not."""

    fit: FitResult
    setup: FilmSetup
    deltas_mev: list[float]
    model: Model

    @property
    def fits(self) -> bool:
        """False when the model does not describe the data: then no parameter should be quoted."""
        return self.fit.quality.fits

    def gaps_mev(self) -> list[float]:
        """The gaps as a result: ValueError if the model does not fit, because then there is none."""
        if not self.fits:
            raise ValueError(f"no gap can be quoted, {self.fit.quality.text}")
        return self.deltas_mev

    def report(self) -> str:
        """Return quality of the fit and parameters in plain lines."""
        return self.fit.report()


def film_sigma(
    nu_thz: Array, setup: FilmSetup, delta_mev: float, t_k: float, model: Model = "finite_scattering"
) -> Complex:
    """Conductivity of the model in ohm^-1 cm^-1; delta_mev = 0 is the normal state."""
    gamma = setup.gamma_mev if model == "dynes" else 0.0
    rate = np.inf if model == "mattis_bardeen" else setup.scattering_mev
    if delta_mev == 0.0:
        return setup.sigma_n * drude_factor(nu_thz, rate + 2.0 * gamma)
    return setup.sigma_n * dynes_conductivity(nu_thz, delta_mev, gamma, rate, t_k)


def scan_residuals(scan: ThzScan, model_t: Complex) -> list[Array]:
    """Standardised residuals of ln|t| and of theta, the latter brought into one turn."""
    ratio = scan.t_rel / model_t
    return [np.log(np.abs(ratio)) * scan.t / scan.t_error, np.angle(ratio) / scan.theta_error]


def _delta_names(scans: Sequence[ThzScan], tc_k: float) -> list[str | None]:
    cold = [k for k, scan in enumerate(scans) if scan.t_k < tc_k]
    return [
        (f"delta_mev_{cold.index(k)}" if len(cold) > 1 else "delta_mev") if k in cold else None
        for k in range(len(scans))
    ]


def _residual_function(
    scans: Sequence[ThzScan], names: list[str | None], setup: FilmSetup, model: Model
) -> Callable[[Mapping[str, float]], list[Array]]:
    @lru_cache(maxsize=4 * len(scans))
    def factor(k: int, delta: float, rate: float, gamma: float) -> Complex:
        unit = replace(setup, sigma_n=1.0, scattering_mev=rate, gamma_mev=gamma)
        return film_sigma(scans[k].nu_thz, unit, delta, scans[k].t_k, model)

    def residuals(values: Mapping[str, float]) -> list[Array]:
        now = setup.updated(values)
        out = []
        for k, (scan, name) in enumerate(zip(scans, names, strict=True)):
            sigma = now.sigma_n * factor(k, values[name] if name else 0.0, now.scattering_mev, now.gamma_mev)
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
    """Gap of least chi^2 on a coarse grid: Levenberg-Marquardt alone may stop in a side valley."""
    grid = around * np.geomspace(0.5, 2.5, 25)
    chi2 = [sum(float(np.sum(r**2)) for r in residuals({**values, name: float(d)})) for d in grid]
    return float(grid[int(np.argmin(chi2))])


def fit_film(
    scans: Sequence[ThzScan],
    setup: FilmSetup,
    tc_k: float,
    *,
    free: Sequence[str] = (),
    priors: Mapping[str, float] | None = None,
    model: Model = "finite_scattering",
) -> FilmFit:
    """Joint fit of scans of one mount: the gaps, the parameters `free`, and those with priors.

    scans   at any temperatures; those at or above tc_k are normal (Drude)
    setup   start values, and the values of everything fixed
    free    names fitted without prior, such as ("sigma_n",)
    priors  name -> standard deviation about the start value: nuisances whose uncertainty enters the errors
    raises  ValueError for unknown names, no scans, or a fit without a converged answer
    """
    values, widths = setup.values(), dict(priors or {})
    for name in (*free, *widths):
        if name not in values:
            raise ValueError(f"unknown parameter {name!r}; known: {', '.join(values)}")
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
        low = 1e-9 if name in POSITIVE else 0.0 if name in NOT_NEGATIVE else -np.inf
        unknowns[name] = FreeParameter(start=values[name], prior=widths.get(name), low=low)
    if not unknowns:
        raise ValueError("nothing to fit: no scan below Tc, and neither free nor prior parameters")
    outcome = fit(residuals, unknowns, {n: v for n, v in values.items() if n not in unknowns})
    deltas = [outcome.values[n] if n else 0.0 for n in names]
    return FilmFit(fit=outcome, setup=setup.updated(outcome.values), deltas_mev=deltas, model=model)


def fit_normal(
    scan: ThzScan,
    setup: FilmSetup,
    tc_k: float,
    *,
    free: Sequence[str] = ("sigma_n", "path_um"),
    priors: Mapping[str, float] | None = None,
) -> FilmFit:
    """Drude fit of a scan above Tc; its setup calibrates the mount for the colder scans.

    raises ValueError for a scan below Tc
    """
    if scan.t_k < tc_k:
        raise ValueError(f"the scan is at {scan.t_k:g} K, below Tc = {tc_k:g} K: use a normal-state scan")
    return fit_film([scan], setup, tc_k, free=free, priors=priors)


def fit_superconductor(
    scan: ThzScan,
    setup: FilmSetup,
    tc_k: float,
    *,
    priors: Mapping[str, float] | None = None,
    model: Model = "finite_scattering",
) -> FilmFit:
    """|t| and theta of one cold scan together, 2 Delta the sole free parameter (nuisances by priors only).

    Ask `.fits` first: on a film whose conductivity is not that of the model the answer says so, and its gap
    has no meaning.
    raises ValueError for a scan at or above Tc
    """
    if scan.t_k >= tc_k:
        raise ValueError(f"the scan is at {scan.t_k:g} K, Tc = {tc_k:g} K: no gap above Tc; use fit_normal")
    return fit_film([scan], setup, tc_k, priors=priors, model=model)
