"""Analysis of one film, from scans to the quantities of a publication.

The joint fit of the normal and the cold scans, with the gap of the tunnelling curve, gives the stiffness,
Omega and a test of the plain BCS superconductor. The inversion of the cold scan, without the steps of the
source bands, gives sigma1 and sigma2, excess conductivity, missing weight, and J_s as a cross-check.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from sitqmc.analytic.film.derived import (
    Background,
    ExcessConductivity,
    MissingWeight,
    SuperfluidDensity,
    excess,
    excess_peak,
    missing_weight,
    omega_minimum,
    superfluid,
)
from sitqmc.analytic.film.diagnosis import explain_misfit, is_hopeless
from sitqmc.analytic.film.inversion import (
    MeasuredConductivity,
    invert_resonance_bands,
    invert_scan,
)
from sitqmc.analytic.film.mount.fit import MountFit, fit_mount
from sitqmc.analytic.film.mount.model import MountPriors
from sitqmc.analytic.film.mount.state import FilmState
from sitqmc.analytic.film.transmission_fit import (
    FilmFit,
    FilmSetup,
    Model,
    check_parameter_names,
    fit_normal,
    fit_superconductor,
    scan_residuals,
)
from sitqmc.analytic.film.tunnelling_fit import TunnelFit, fit_tunnelling
from sitqmc.analytic.measurements.scans import ThzScan, TunnellingCurve
from sitqmc.analytic.numerics.least_squares import FitResult, FreeParameter, fit
from sitqmc.analytic.optics.film_on_substrate import transmission
from sitqmc.analytic.superconductor.matsubara import film_stiffness_mev, penetration_depth_nm
from sitqmc.analytic.units import Array, mev_to_thz
from sitqmc.estimate import Estimate
from sitqmc.result import SavedResult, lines_of

FEWEST_PAIRS = 6
"""Resonance pairs below which all points of the scan enter the cross-check of the superfluid density."""

DISAGREEMENT = 0.05
"""Relative difference of the two values of J_s beyond which a note is made."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmAnalysis(SavedResult):
    """All results for one film.

    mount                 joint fit of all scans, None without a normal scan
    calibration           fit of the normal scan alone, None without one
    tunnelling            fit of the tunnelling curve, None without one
    plain                 fit of the plain superconductor to the cold scan, by |t| and theta
    plain_fits            verdict on the plain superconductor; of the joint fit where there is one
    pairs                 conductivity at the resonances of the substrate
    points                conductivity at every frequency, by exact inversion
    background            superconductor without a mode, subtracted to obtain sigma_H
    sigma_h               excess conductivity at the pairs
    omega, peak           frequencies of the minimum of sigma1 and of the maximum of sigma_H, in THz
    superfluid            lim omega sigma2, with a Kramers-Kronig test
    stiffness_mev         J_s
    pair_stiffness_mev    J_s from the resonance pairs alone, as a cross-check
    penetration_depth_nm  London penetration depth
    weight                missing spectral weight
    notes                 assumptions made because data were missing, and doubts

    Quantities that the data do not determine are Estimate.missing(): Omega and peak if the plain
    superconductor fits, all quantities of the film if the joint fit is rejected.
    """

    mount: MountFit | None
    calibration: FilmFit | None
    tunnelling: TunnelFit | None
    plain: FilmFit
    plain_fits: bool
    pairs: MeasuredConductivity
    points: MeasuredConductivity
    background: Background
    sigma_h: ExcessConductivity
    omega: Estimate
    peak: Estimate
    superfluid: SuperfluidDensity
    stiffness_mev: Estimate
    pair_stiffness_mev: Estimate
    penetration_depth_nm: Estimate
    weight: MissingWeight
    notes: tuple[str, ...]

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame of sigma1, sigma2, sigma_H with errors, one row per resonance pair.

        raises  ImportError if pandas is not installed
        """
        return import_module("pandas").DataFrame(
            {
                "nu_thz": self.pairs.nu_thz,
                "sigma1": self.pairs.sigma.real,
                "sigma1_error": self.pairs.sigma1_error,
                "sigma2": self.pairs.sigma.imag,
                "sigma2_error": self.pairs.sigma2_error,
                "sigma_h": self.sigma_h.sigma_h,
                "sigma_h_error": self.sigma_h.error,
            }
        )

    @property
    def rejected(self) -> bool:
        """Whether the joint fit is rejected; then no quantity of the film is given."""
        return self.mount is not None and not self.mount.quality.fits

    def summary(self) -> Iterator[tuple[str, str]]:
        """Yield the lines of the report."""
        return lines_of(self.report())

    def report(self) -> str:
        """Return the results as text, one line each."""
        two_delta, weight, mount = 2 * self.background.delta_mev, self.weight, self.mount
        lines = [f"2 Delta = {two_delta:.4g} meV ({mev_to_thz(two_delta):.4g} THz)"]
        verdict = self.plain.fit.quality.text
        if mount is not None:
            lines.append(f"joint fit of {len(mount.corrected)} scans: {mount.quality.text}")
            verdict = mount.states[0].verdict() if mount.states else verdict
        lines.append(f"plain BCS superconductor: {verdict}")
        if self.rejected:
            lines[0] = "no quantity of the film can be quoted: the joint fit is rejected"
            return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])
        lines += [
            f"Omega = {_frequency(self.omega)}",
            f"peak of sigma_H = {_frequency(self.peak)}",
            f"J_s = {self.stiffness_mev} meV (resonance pairs alone: {self.pair_stiffness_mev} meV)",
            f"penetration depth = {self.penetration_depth_nm} nm",
            f"Kramers-Kronig: {self.superfluid.consistent.text}",
            f"missing weight = {weight.extended} meV/(ohm cm), {100 * weight.share:.0f} % of it measured",
        ]
        for state in mount.states[1:] if mount else ():
            lines.append(
                f"at {state.t_k:g} K: 2 Delta = {state.delta_mev.scaled(2)} meV, J_s = {state.stiffness_mev} "
                f"meV, Omega = {_frequency(state.omega_thz)}"
            )
        lines += mount.inseparable if mount else ()
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _frequency(found: Estimate) -> str:
    """Return a frequency with its interval, or that it is not resolved."""
    if not found.is_known:
        return "not resolved"
    low, high = found.interval()
    return f"{found.value:.3f} THz [{low:.3f}, {high:.3f}]"


def fit_substrate(
    scan: ThzScan, setup: FilmSetup, *, free: Sequence[str] = ("index", "path_um"),
    priors: Mapping[str, float] | None = None,
) -> tuple[FitResult, FilmSetup]:  # fmt: skip
    """Fit substrate and instrument to a scan of the bare substrate in the mount of the film.

    free, priors  as in fit_film
    returns       the fit, and the setup updated by it
    raises        ValueError for unknown names or a fit that does not converge
    """
    values, widths = setup.values(), dict(priors or {})
    check_parameter_names(setup, (*free, *widths))

    def residuals(now: Mapping[str, float]) -> list[Array]:
        current = setup.updated(now)
        bare = replace(current.sample, eps_film=1.0)  # a film of vacuum
        ideal = transmission(scan.nu_thz, 0.0, bare)
        return scan_residuals(scan, current.instrument.apply(scan.nu_thz, ideal))

    names = dict.fromkeys((*free, *widths))
    unknowns = {n: FreeParameter(start=values[n], prior=widths.get(n)) for n in names}
    outcome = fit(residuals, unknowns, {n: v for n, v in values.items() if n not in names})
    return outcome, setup.updated(outcome.values)


def analyse_film(
    cold: ThzScan, setup: FilmSetup, tc_k: float, rng: np.random.Generator | None = None, *,
    normal: ThzScan | None = None, further: Sequence[ThzScan] = (), tunnelling: TunnellingCurve | None = None,
    priors: MountPriors | None = None, edges_thz: Sequence[float] | None = None,
    model: Model = "finite_scattering", stiffness_window_thz: tuple[float, float] = (0.08, 0.8),
) -> FilmAnalysis:  # fmt: skip
    """Analyse the scans of one film with all steps.

    With a normal scan all scans are fitted jointly (see fit_mount), and the joint fit gives 2 Delta, J_s,
    Omega and the verdict. Without one, film and mount are those of the setup.

    cold                  the scan that is analysed
    rng                   random numbers of the intervals; default: a fixed seed
    normal, tunnelling    data that calibrate the mount and the gap; `notes` says what replaces missing ones
    further               scans of the same mount at other temperatures; they need a normal scan
    priors                widths of the nuisances of the mount; default: those of MountPriors
    edges_thz             frequencies at which the source changes; None: found from the data; (): one source
    model                 conductivity of all fits: mattis_bardeen, finite_scattering or dynes
    stiffness_window_thz  frequencies over which the superfluid density of the cross-check is averaged
    raises                ValueError for a cold scan at or above Tc, a normal scan that no film on this
                          substrate explains, or a step without a result; the message contains the notes made
                          before
    """
    notes = [*(normal.notes if normal else ()), *cold.notes]
    if further and normal is None:
        raise ValueError("further scans need a normal scan of the same mount; pass normal=")
    if cold.t_k >= tc_k:
        raise ValueError(f"the scan is at {cold.t_k:g} K, Tc = {tc_k:g} K: no gap above Tc; use fit_normal")
    try:
        tunnel = _tunnelling(tunnelling, cold.t_k, notes)
        priors, calibration, mount = priors or MountPriors(), None, None
        if normal is None:
            notes.append(
                "no normal-state scan: sigma_n, substrate and path offset are taken from the setup, and the "
                "errors do not contain their uncertainty; pass normal= to fit them"
            )
        else:
            calibration = _calibrate(normal, setup, tc_k, priors, model)
            mount = fit_mount(
                (normal, cold, *further), setup, tc_k, priors=priors, edges_thz=edges_thz, model=model,
                delta_mev=tunnel.delta_mev if tunnel and not _colder(further, cold) else None, rng=rng,
            )  # fmt: skip
        steps = _Steps(cold, setup, tc_k, model, stiffness_window_thz, rng or np.random.default_rng(0), notes)
        return steps.analyse(calibration, tunnel, mount)
    except ValueError as error:
        raise ValueError("; noted before: ".join([str(error), *notes])) from None


def _colder(scans: Sequence[ThzScan], cold: ThzScan) -> bool:
    """Return whether one of the scans lies below the temperature of the cold scan."""
    return any(scan.t_k < cold.t_k for scan in scans)


@dataclass(frozen=True, eq=False)
class _Steps:
    """Steps after the fits: inversion, excess, superfluid density; `notes` collects remarks."""

    cold: ThzScan
    setup: FilmSetup
    tc_k: float
    model: Model
    window_thz: tuple[float, float]
    rng: np.random.Generator
    notes: list[str]

    def analyse(
        self, calibration: FilmFit | None, tunnel: TunnelFit | None, mount: MountFit | None
    ) -> FilmAnalysis:
        """Return all results."""
        scan, now = (mount.corrected[1], mount.setup) if mount else (self.cold, self.setup)
        variations = list(mount.variations) if mount else []
        plain = fit_superconductor(scan, now, self.tc_k, model=self.model)
        state = mount.states[0] if mount and mount.states else None
        plain_fits = state.plain_fits if state else plain.fits
        background = Background(
            setup=now, delta_mev=self._gap(plain, tunnel, state), t_k=scan.t_k, model=self.model
        )
        points, pairs = invert_scan(scan, now, variations), invert_resonance_bands(scan, now, variations)
        fluid = superfluid(points, background, self.window_thz)
        by_pairs = self._by_pairs(pairs, points, background)
        density = state.omega_sigma2_mev if state else by_pairs
        stiffness = film_stiffness_mev(1.0, now.sample.film_nm)
        j_s = state.stiffness_mev if state else by_pairs.scaled(stiffness)
        omega, peak = self._extrema(points, background, state)
        weight = missing_weight(points, background)
        if mount is not None and state is None:
            density = j_s = omega = peak = Estimate.missing()
            weight = MissingWeight(window=Estimate.missing(), extended=Estimate.missing())
            self.notes.append(f"joint fit of all scans: {mount.quality.text}; no quantity is given")
        else:
            self._doubts(plain_fits, fluid, j_s, by_pairs.scaled(stiffness))
        depth = penetration_depth_nm(density.value) if density.is_known else np.nan
        return FilmAnalysis(
            mount=mount, calibration=calibration, tunnelling=tunnel, plain=plain, plain_fits=plain_fits,
            pairs=pairs, points=points, background=background, sigma_h=excess(pairs, background),
            omega=omega, peak=peak, superfluid=replace(fluid, omega_sigma2_mev=density), stiffness_mev=j_s,
            pair_stiffness_mev=by_pairs.scaled(stiffness), weight=weight, notes=tuple(self.notes),
            penetration_depth_nm=Estimate(depth, 0.5 * depth * density.error / density.value),
        )  # fmt: skip

    def _gap(self, plain: FilmFit, tunnel: TunnelFit | None, state: FilmState | None) -> float:
        """Return the gap of the background: of the joint fit, of tunnelling, or of the plain fit."""
        if state is not None and not (tunnel is None and state.plain_fits):
            if tunnel is None:
                self.notes.append("no tunnelling curve: the gap is the one of the joint fit")
            return float(state.delta_mev.value)
        if tunnel is not None:
            return float(tunnel.delta_mev.value)
        doubt = "" if plain.fits or state else ", which is rejected: do not trust sigma_H"
        self.notes.append("no tunnelling curve: the gap is the one of the plain superconductor" + doubt)
        return plain.deltas_mev[0]

    def _by_pairs(
        self, pairs: MeasuredConductivity, points: MeasuredConductivity, background: Background
    ) -> Estimate:
        """Return lim hbar omega sigma2 from the resonance pairs, or from all points if the pairs are few."""
        inside = (pairs.nu_thz >= self.window_thz[0]) & (pairs.nu_thz <= self.window_thz[1])
        used = pairs if inside.sum() >= FEWEST_PAIRS else points
        return superfluid(used, background, self.window_thz).omega_sigma2_mev

    def _extrema(
        self, points: MeasuredConductivity, background: Background, state: FilmState | None
    ) -> tuple[Estimate, Estimate]:
        """Return Omega and the peak of sigma_H below the gap."""
        if state is not None:
            return state.omega_thz, state.peak_thz
        nu = points.nu_thz
        below_gap = (float(nu[0]), min(float(mev_to_thz(2 * background.delta_mev)), float(nu[-1])))
        peak = excess_peak(excess(points, background), below_gap, self.rng)
        return omega_minimum(points, below_gap, self.rng), peak

    def _doubts(self, plain_fits: bool, fluid: SuperfluidDensity, j_s: Estimate, by_pairs: Estimate) -> None:
        """Note what the results do not support."""
        if plain_fits:
            self.notes.append("the plain superconductor fits: no excess conductivity is resolved")
        if not fluid.consistent.fits:
            self.notes.append(
                "sigma1 and sigma2 contradict each other (Kramers-Kronig): check path and substrate"
            )
        if abs(by_pairs.value / j_s.value - 1) > DISAGREEMENT and abs(by_pairs.pull(j_s)) > 3:
            self.notes.append(
                f"J_s of the joint fit, {j_s} meV, and of the resonance pairs, {by_pairs} meV, disagree: "
                "check the substrate and the priors"
            )


def _calibrate(normal: ThzScan, setup: FilmSetup, tc_k: float, priors: MountPriors, model: Model) -> FilmFit:
    """Return the fit of the normal scan alone.

    raises  ValueError naming the likely mistake if no film on this substrate explains the scan
    """
    widths = priors.of_setup()
    if model != "mattis_bardeen" and np.isfinite(setup.scattering_mev) and priors.scattering > 0:
        widths["scattering_mev"] = setup.scattering_mev * priors.scattering
    calibration = fit_normal(normal, setup, tc_k, priors=widths, model=model)
    quality = calibration.fit.quality
    if is_hopeless(normal, calibration):
        reason = explain_misfit(normal, setup, tc_k, quality.reduced_chi2, priors=widths, model=model)
        raise ValueError(
            "no film on this substrate explains the normal-state scan "
            f"(chi2/dof = {quality.reduced_chi2:.0f}): {reason}"
        )
    return calibration


def _tunnelling(curve: TunnellingCurve | None, t_k: float, notes: list[str]) -> TunnelFit | None:
    """Return the fit of the tunnelling curve."""
    if curve is None:
        return None
    tunnelling = fit_tunnelling(curve)
    if not tunnelling.fits:
        notes.append(f"tunnelling: {tunnelling.fit.quality.text}")
    if abs(curve.t_k - t_k) > 0.05 * t_k:
        notes.append(f"tunnelling at {curve.t_k:g} K, THz at {t_k:g} K: the gap is not corrected for it")
    return tunnelling
