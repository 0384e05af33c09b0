"""One film from scans to the numbers of a paper: the usual steps in order, and what was missing is said.

normal scan -> mount and sigma_n;  tunnelling curve -> Delta;  cold scan -> routine 1 (does plain BCS fit?),
pairs (sigma1, sigma2), excess conductivity, Omega, superfluid density, missing weight.
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
from sitqmc.analytic.film.inversion import (
    MeasuredConductivity,
    instrument_variations,
    invert_resonance_bands,
    invert_scan,
)
from sitqmc.analytic.film.scans import ThzScan, TunnellingCurve
from sitqmc.analytic.film.transmission_fit import (
    FilmFit,
    FilmSetup,
    Model,
    fit_normal,
    fit_superconductor,
    scan_residuals,
)
from sitqmc.analytic.film.tunnelling_fit import TunnelFit, fit_tunnelling
from sitqmc.analytic.numerics.least_squares import FitResult, FreeParameter, fit
from sitqmc.analytic.optics.film_on_substrate import transmission
from sitqmc.analytic.superconductor.matsubara import film_stiffness_mev, penetration_depth_nm
from sitqmc.analytic.units import Array, mev_to_thz
from sitqmc.estimate import Estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmAnalysis:
    """Everything known about one film; `notes` lists what was assumed because data were missing."""

    calibration: FilmFit | None  # Drude fit of the normal scan
    tunnelling: TunnelFit | None
    plain: FilmFit  # routine 1: `plain.fits` says whether BCS alone describes the film
    pairs: MeasuredConductivity  # routine 2
    points: MeasuredConductivity  # exact inversion
    background: Background
    sigma_h: ExcessConductivity  # at the pairs
    omega: Estimate  # THz
    peak: Estimate  # THz
    superfluid: SuperfluidDensity
    stiffness_mev: float
    stiffness_error_mev: float  # without the film thickness, which cancels in J_s
    penetration_depth_nm: float
    weight: MissingWeight
    notes: tuple[str, ...]

    def report(self) -> str:
        """The numbers in plain lines."""
        d, two_delta, weight = self.superfluid, 2 * self.background.delta_mev, self.weight
        share = d.error / d.omega_sigma2_mev
        lines = [
            f"2 Delta = {two_delta:.4g} meV ({mev_to_thz(two_delta):.4g} THz)",
            f"routine 1: {self.plain.fit.quality.text}",
            f"Omega = {self.omega.value:.3f} THz [{self.omega.low:.3f}, {self.omega.high:.3f}]",
            f"peak of sigma_H = {self.peak.value:.3f} THz [{self.peak.low:.3f}, {self.peak.high:.3f}]",
            f"J_s = {self.stiffness_mev:.4g} +- {self.stiffness_error_mev:.2g} meV",
            f"penetration depth = {self.penetration_depth_nm:.4g} nm +- {50 * share:.1f} %",
            f"Kramers-Kronig: {d.consistent.text}",
            f"missing weight = {weight.extended:.4g} meV/(ohm cm), {100 * weight.share:.0f} % of it measured",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def fit_substrate(
    scan: ThzScan,
    setup: FilmSetup,
    *,
    free: Sequence[str] = ("index", "path_um"),
    priors: Mapping[str, float] | None = None,
) -> tuple[FitResult, FilmSetup]:
    """Substrate and instrument parameters from a scan of the bare substrate in the film's mount.

    free, priors  as in fit_film;  returns the fit and the setup updated by it
    raises        ValueError for unknown names or a fit that does not converge
    """
    values, widths = setup.values(), dict(priors or {})
    unknown = [n for n in (*free, *widths) if n not in values]
    if unknown:
        raise ValueError(f"unknown parameter {unknown[0]!r}; known: {', '.join(values)}")

    def residuals(now: Mapping[str, float]) -> list[Array]:
        current = setup.updated(now)
        # A film of vacuum: no conductivity, dielectric constant 1.
        bare = replace(current.sample, eps_film=1.0)
        ideal = transmission(scan.nu_thz, 0.0, bare)
        return scan_residuals(scan, current.instrument.apply(scan.nu_thz, ideal))

    names = dict.fromkeys((*free, *widths))
    unknowns = {n: FreeParameter(start=values[n], prior=widths.get(n)) for n in names}
    outcome = fit(residuals, unknowns, {n: v for n, v in values.items() if n not in names})
    return outcome, setup.updated(outcome.values)


def _calibrate(
    normal: ThzScan | None,
    setup: FilmSetup,
    tc_k: float,
    priors: Mapping[str, float] | None,
    notes: list[str],
) -> FilmFit | None:
    if normal is None:
        notes.append(
            "no normal-state scan: sigma_n, substrate and path offset are those of the setup, and "
            "their uncertainty is not in the errors"
        )
        return None
    calibration = fit_normal(normal, setup, tc_k, priors=priors)
    if not calibration.fits:
        notes.append(f"normal state: {calibration.fit.quality.text}; check substrate, standing wave, noise")
    return calibration


def _gap(
    curve: TunnellingCurve | None, plain: FilmFit, t_k: float, notes: list[str]
) -> tuple[TunnelFit | None, float]:
    """Gap of the background: from tunnelling if there is a curve, else from routine 1."""
    if curve is None:
        notes.append(
            "no tunnelling curve: the gap is that of routine 1"
            + ("" if plain.fits else ", which does not fit: do not trust sigma_H")
        )
        return None, plain.deltas_mev[0]
    tunnelling = fit_tunnelling(curve)
    if not tunnelling.fits:
        notes.append(f"tunnelling: {tunnelling.fit.quality.text}")
    if abs(curve.t_k - t_k) > 0.05 * t_k:
        notes.append(f"tunnelling at {curve.t_k:g} K, THz at {t_k:g} K: the gap is not corrected for it")
    return tunnelling, tunnelling.delta_mev


def analyse_film(
    cold: ThzScan,
    setup: FilmSetup,
    tc_k: float,
    rng: np.random.Generator,
    *,
    normal: ThzScan | None = None,
    tunnelling: TunnellingCurve | None = None,
    priors: Mapping[str, float] | None = None,
    model: Model = "finite_scattering",
    stiffness_window_thz: tuple[float, float] = (0.08, 0.8),
) -> FilmAnalysis:
    """The whole chain for one cold scan.

    normal, tunnelling    scans that calibrate the mount and the gap; what is assumed without them is said
                          in `notes`
    priors                widths of the nuisances of the calibration (see fit_film)
    model                 background conductivity: mattis_bardeen, purity or dynes
    stiffness_window_thz  where the superfluid density is averaged
    raises                ValueError for a cold scan at or above Tc, or a step that has no answer
    """
    notes = list(cold.notes)
    calibration = _calibrate(normal, setup, tc_k, priors, notes)
    mount = calibration.setup if calibration else setup
    variations = instrument_variations(calibration) if calibration and priors else []
    plain = fit_superconductor(cold, mount, tc_k, model=model)
    if plain.fits:
        notes.append("routine 1 fits: no excess conductivity is seen; Omega and peak of sigma_H are noise")
    tunnel, delta = _gap(tunnelling, plain, cold.t_k, notes)
    background = Background(setup=mount, delta_mev=delta, t_k=cold.t_k, model=model)
    points, pairs = invert_scan(cold, mount, variations), invert_resonance_bands(cold, mount, variations)
    known_film = instrument_variations(calibration, without=("film_nm",)) if calibration and priors else []
    below_gap = (float(cold.nu_thz[0]), min(float(mev_to_thz(2 * delta)), float(cold.nu_thz[-1])))
    fluid = superfluid(points, background, stiffness_window_thz)
    if not fluid.consistent.fits:
        notes.append("sigma1 and sigma2 contradict each other (Kramers-Kronig): check path and substrate")
    return FilmAnalysis(
        calibration=calibration,
        tunnelling=tunnel,
        plain=plain,
        pairs=pairs,
        points=points,
        background=background,
        sigma_h=excess(pairs, background),
        superfluid=fluid,
        omega=omega_minimum(points, below_gap, rng),
        peak=excess_peak(excess(points, background), below_gap, rng),
        stiffness_mev=film_stiffness_mev(fluid.omega_sigma2_mev, mount.sample.film_nm),
        stiffness_error_mev=film_stiffness_mev(
            superfluid(invert_scan(cold, mount, known_film), background, stiffness_window_thz).error,
            mount.sample.film_nm,
        ),
        penetration_depth_nm=penetration_depth_nm(fluid.omega_sigma2_mev),
        weight=missing_weight(points, background),
        notes=tuple(notes),
    )
