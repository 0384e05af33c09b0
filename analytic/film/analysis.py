"""Analysis of one film, from scans to the quantities of a publication.

The normal scan gives mount and sigma_n. The tunnelling curve gives Delta. The cold scan gives a test of the
plain BCS superconductor, sigma1 and sigma2, excess conductivity, Omega, superfluid density, missing weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    instrument_variations,
    invert_resonance_bands,
    invert_scan,
)
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


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmAnalysis:
    """All results for one film.

    calibration           fit of the normal scan, None without one
    tunnelling            fit of the tunnelling curve, None without one
    plain                 fit of the plain superconductor; `plain.fits` tells whether it describes the film
    pairs                 conductivity at the resonances of the substrate
    points                conductivity at every frequency, by exact inversion
    background            superconductor without a mode, subtracted to obtain sigma_H
    sigma_h               excess conductivity at the pairs
    omega, peak           frequencies of the minimum of sigma1 and of the maximum of sigma_H, in THz
    superfluid            lim omega sigma2, with a Kramers-Kronig test
    stiffness_mev         J_s; the thickness of the film cancels and is not in the error
    penetration_depth_nm  London penetration depth
    weight                missing spectral weight
    notes                 assumptions made because data were missing, and doubts
    """

    calibration: FilmFit | None
    tunnelling: TunnelFit | None
    plain: FilmFit
    pairs: MeasuredConductivity
    points: MeasuredConductivity
    background: Background
    sigma_h: ExcessConductivity
    omega: Estimate
    peak: Estimate
    superfluid: SuperfluidDensity
    stiffness_mev: Estimate
    penetration_depth_nm: Estimate
    weight: MissingWeight
    notes: tuple[str, ...]

    def report(self) -> str:
        """Return the results as text, one line each."""
        two_delta, weight = 2 * self.background.delta_mev, self.weight
        lines = [
            f"2 Delta = {two_delta:.4g} meV ({mev_to_thz(two_delta):.4g} THz)",
            f"plain BCS superconductor: {self.plain.fit.quality.text}",
            f"Omega = {self.omega.value:.3f} THz [{self.omega.low:.3f}, {self.omega.high:.3f}]",
            f"peak of sigma_H = {self.peak.value:.3f} THz [{self.peak.low:.3f}, {self.peak.high:.3f}]",
            f"J_s = {self.stiffness_mev} meV",
            f"penetration depth = {self.penetration_depth_nm} nm",
            f"Kramers-Kronig: {self.superfluid.consistent.text}",
            f"missing weight = {weight.extended} meV/(ohm cm), {100 * weight.share:.0f} % of it measured",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


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
    normal: ThzScan | None = None, tunnelling: TunnellingCurve | None = None,
    priors: Mapping[str, float] | None = None, model: Model = "finite_scattering",
    stiffness_window_thz: tuple[float, float] = (0.08, 0.8),
) -> FilmAnalysis:  # fmt: skip
    """Analyse one cold scan with all steps.

    rng                   random numbers of the bootstrap intervals; default: a fixed seed
    normal, tunnelling    data that calibrate the mount and the gap; `notes` says what replaces missing ones
    priors                widths of the nuisances of the calibration (see fit_film)
    model                 conductivity of all fits: mattis_bardeen, finite_scattering or dynes
    stiffness_window_thz  frequencies over which the superfluid density is averaged
    raises                ValueError for a cold scan at or above Tc, a wrong name in `priors`, a normal scan
                          that no film on this substrate explains, or a step without a result; the message
                          contains the notes made before
    """
    check_parameter_names(setup, list(priors or {}))
    notes = [*(normal.notes if normal else ()), *cold.notes]
    try:
        return _analyse(
            cold, setup, tc_k, rng or np.random.default_rng(0), normal, tunnelling, priors, model,
            stiffness_window_thz, notes,
        )  # fmt: skip
    except ValueError as error:
        raise ValueError("; noted before: ".join([str(error), *notes])) from None


def _analyse(
    cold: ThzScan, setup: FilmSetup, tc_k: float, rng: np.random.Generator, normal: ThzScan | None,
    curve: TunnellingCurve | None, priors: Mapping[str, float] | None, model: Model,
    window_thz: tuple[float, float], notes: list[str],
) -> FilmAnalysis:  # fmt: skip
    """Carry out the steps of analyse_film; `notes` collects remarks, also when a step fails."""
    calibration = _calibrate(normal, setup, tc_k, priors, model, notes)
    mount = calibration.setup if calibration else setup
    variations = instrument_variations(calibration) if calibration and priors else []
    plain = fit_superconductor(cold, mount, tc_k, model=model)
    if plain.fits:
        notes.append(
            "the plain superconductor fits: no excess conductivity is resolved, Omega and peak are noise"
        )
    tunnel, delta = _gap(curve, plain, cold.t_k, notes)
    background = Background(setup=mount, delta_mev=delta, t_k=cold.t_k, model=model)
    points = invert_scan(cold, mount, variations)
    pairs = invert_resonance_bands(cold, mount, variations)
    below_gap = (float(cold.nu_thz[0]), min(float(mev_to_thz(2 * delta)), float(cold.nu_thz[-1])))
    fluid = superfluid(points, background, window_thz)
    if not fluid.consistent.fits:
        notes.append("sigma1 and sigma2 contradict each other (Kramers-Kronig): check path and substrate")
    known_film = instrument_variations(calibration, without=("film_nm",)) if calibration and priors else []
    fixed_film = superfluid(invert_scan(cold, mount, known_film), background, window_thz).omega_sigma2_mev
    stiffness = film_stiffness_mev(1.0, mount.sample.film_nm)
    density = fluid.omega_sigma2_mev
    depth = penetration_depth_nm(density.value)
    return FilmAnalysis(
        calibration=calibration, tunnelling=tunnel, plain=plain, pairs=pairs, points=points,
        background=background, sigma_h=excess(pairs, background), superfluid=fluid,
        omega=omega_minimum(points, below_gap, rng),
        peak=excess_peak(excess(points, background), below_gap, rng),
        stiffness_mev=Estimate(stiffness * density.value, stiffness * fixed_film.error),
        penetration_depth_nm=Estimate(depth, 0.5 * depth * density.error / density.value),
        weight=missing_weight(points, background), notes=tuple(notes),
    )  # fmt: skip


def _calibrate(
    normal: ThzScan | None, setup: FilmSetup, tc_k: float, priors: Mapping[str, float] | None, model: Model,
    notes: list[str],
) -> FilmFit | None:  # fmt: skip
    """Return the fit of the normal scan.

    raises  ValueError naming the likely mistake if no film on this substrate explains the scan
    """
    if normal is None:
        notes.append(
            "no normal-state scan: sigma_n, substrate and path offset are taken from the setup, and the "
            "errors do not contain their uncertainty; pass normal= to fit them"
        )
        return None
    calibration = fit_normal(normal, setup, tc_k, priors=priors, model=model)
    quality = calibration.fit.quality
    if is_hopeless(normal, calibration):
        reason = explain_misfit(normal, setup, tc_k, quality.reduced_chi2, priors=priors, model=model)
        raise ValueError(
            "no film on this substrate explains the normal-state scan "
            f"(chi2/dof = {quality.reduced_chi2:.0f}): {reason}"
        )
    if not calibration.fits:
        notes.append(f"normal state: {quality.text}; check substrate, standing wave, noise")
    return calibration


def _gap(
    curve: TunnellingCurve | None, plain: FilmFit, t_k: float, notes: list[str]
) -> tuple[TunnelFit | None, float]:
    """Return the gap of the background: of the tunnelling curve if there is one, else of the plain fit."""
    if curve is None:
        doubt = "" if plain.fits else ", which is rejected: do not trust sigma_H"
        notes.append("no tunnelling curve: the gap is the one of the plain superconductor" + doubt)
        return None, plain.deltas_mev[0]
    tunnelling = fit_tunnelling(curve)
    if not tunnelling.fits:
        notes.append(f"tunnelling: {tunnelling.fit.quality.text}")
    if abs(curve.t_k - t_k) > 0.05 * t_k:
        notes.append(f"tunnelling at {curve.t_k:g} K, THz at {t_k:g} K: the gap is not corrected for it")
    return tunnelling, float(tunnelling.delta_mev.value)
