"""All points of a scan continued at once: neighbouring points help each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.linear_system import CUTOFF
from sitqmc.continuation.kernels.grids import sinh_grid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.method import CENTRAL, PROCESS, made_to_fit
from sitqmc.continuation.methods.gaussian_process.posterior import ProcessPosterior
from sitqmc.continuation.methods.gaussian_process.process import central_mean
from sitqmc.continuation.methods.parallel import single_blas
from sitqmc.continuation.methods.problem import Problem, pose
from sitqmc.continuation.model_free.functionals import scale_of
from sitqmc.continuation.options import MIN_SCAN, OptionKeys, Options, resolve
from sitqmc.continuation.scan.posterior import ScanMixture, averaged
from sitqmc.continuation.scan.priors import all_axes
from sitqmc.continuation.scan.process import ScanEquations, draw, find_mode, point_response
from sitqmc.continuation.scan.search import Progress, all_modes, equations_of
from sitqmc.continuation.solve import negative_stiffness, spectrum_of
from sitqmc.continuation.spectrum.diagnostics import degrees_of_freedom, is_rejected
from sitqmc.continuation.spectrum.solution import Solution
from sitqmc.continuation.spectrum.spectrum import Spectrum
from sitqmc.estimate import Estimate
from sitqmc.result import SavedResult

NOT_USED = {"method": None, "omega": None, "default": "gaussian"}


@dataclass(frozen=True, eq=False)
class ScanSpectra(SavedResult):
    """Spectra of all points of a scan from one posterior.

    at          (points,) scanned parameter
    spectra     one spectrum of every point, in the order of the data
    scales      (points,) midpoint frequencies, to scale the frequency axes
    probabilities   name of a prior -> its probability in the reported spectra
    gain        ln evidence of the best joint prior above the best prior that continues every point alone
    """

    at: Array
    spectra: tuple[Spectrum, ...]
    scales: Array
    probabilities: dict[str, float]
    gain: float

    def two_maxima(self, min_prominence: float = 0.05) -> Array:
        """Return the probability (points,) of two or more maxima above pi T, see `Spectrum.two_maxima`."""
        return np.array([s.two_maxima(min_prominence) for s in self.spectra])


def continue_scan(
    data: Sequence[CorrelatorData],
    at: ArrayLike,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    **changes: Unpack[OptionKeys],
) -> ScanSpectra:
    """Return the spectra of all points of a scan, from one posterior.

    ln A is a Gaussian process over frequency and the scanned parameter, see `priors`: a smooth part that all
    points share and an independent part of every point. The frequency axis is divided by a power of the scale
    of a point, its midpoint frequency, which needs no continuation. The evidence averages over axes, base
    shapes, correlation lengths and amplitudes; for bands and samples it has no other prior weights, see
    `posterior.ScanMixture`. The band of a spectrum is narrower than the band of its single continuation where
    neighbouring points agree; features that appear between two neighbouring points are smoothed. A point
    whose data the joint posterior does not fit is continued alone, with a remark.

    data      one correlator of every point, all of one kind
    at        (points,) the scanned parameter, all values different
    options, changes   see `Options`; method, omega and default belong to single continuations. omega_max is
              the least end of the frequency grids
    progress  is called with one line of text a few times
    raises    ValueError for data or options that cannot be continued together
    """
    chosen = resolve(options, changes)
    points = np.asarray(at, dtype=float)
    _check(data, points, chosen)
    with single_blas():
        scales = np.array([scale_of(one) for one in data])
        z, z_0 = _common_axis(data, scales, chosen)
        problems = [
            pose(one, replace(chosen, omega=c * z)) for one, c in zip(data, scales, strict=True)
        ]
        s = (points - points.min()) / float(np.ptp(points))
        modes = all_modes(problems, all_axes(problems, scales, z_0), s, chosen.threads, progress)
        mixture = averaged(modes)
        spectra = _spectra(problems, mixture, chosen)
    joint = max(mode.log_evidence for mode in modes if mode.prior.share < 1.0)
    alone = max(mode.log_evidence for mode in modes if mode.prior.share == 1.0)
    return ScanSpectra(points, spectra, scales, mixture.probabilities, joint - alone)


def _check(data: Sequence[CorrelatorData], at: Array, options: Options) -> None:
    """Refuse data that are no scan, and options of single continuations."""
    if at.shape != (len(data),):
        raise ValueError(f"at has shape {at.shape} for {len(data)} correlators: give one value for each")
    if len(data) < MIN_SCAN:
        raise ValueError(f"{len(data)} points: a scan needs at least {MIN_SCAN}, use continue_correlator")
    if not np.isfinite(at).all() or np.unique(at).size != at.size:
        raise ValueError(f"at = {at.tolist()}: the values must be finite and different from each other")
    kinds = sorted({one.kind for one in data})
    if len(kinds) > 1:
        raise ValueError(f"kinds {', '.join(kinds)} in one scan: continue every kind by its own call")
    if data[0].two_sided:
        raise ValueError(f"kind {kinds[0]}: continue_scan needs an even spectrum, use continue_correlator")
    for name, neutral in NOT_USED.items():
        value = getattr(options, name)
        if not (value is None if neutral is None else isinstance(value, str) and value == neutral):
            raise ValueError(
                f"{name} given: continue_scan has its own; leave it out or use continue_correlator"
            )


def _common_axis(data: Sequence[CorrelatorData], scales: Array, options: Options) -> tuple[Array, float]:
    """Return nodes omega/scale that serve all points, and where they turn from linear to logarithmic."""
    tops = [CUTOFF if options.omega_max is None else 0.0]
    for one, scale in zip(data, scales, strict=True):
        if options.omega_max is not None:
            tops.append(options.omega_max / scale)
        elif one.is_matsubara:
            tops.append(float(one.frequencies.max()) / scale)
    betas = np.array([one.beta for one in data])
    z_0 = min(1.0, float(np.exp(np.mean(np.log(np.pi / betas / scales)))))
    return sinh_grid(max(tops), min(z_0, max(tops) / 4.0), options.n_omega).omega, z_0


def _spectra(problems: list[Problem], mixture: ScanMixture, options: Options) -> tuple[Spectrum, ...]:
    """Return the spectra; solved again with rho_s = 0 at points whose stiffness comes out negative."""
    solutions = _solutions(problems, mixture, options)
    negative = [negative_stiffness(p, s) for p, s in zip(problems, solutions, strict=True)]
    if any(value is not None for value in negative):
        problems = [
            p if value is None else p.with_constant(0.0) for p, value in zip(problems, negative, strict=True)
        ]
        equations = equations_of(problems)
        mixture = averaged([find_mode(equations, mode.prior, mode) for mode in mixture.modes])
        solutions = _solutions(problems, mixture, options)
    spectra = [
        spectrum_of(p, solution, value)
        for p, solution, value in zip(problems, solutions, negative, strict=True)
    ]
    return tuple(
        _alone(p, s, value) if is_rejected(s.chi2, s.n_data, s.n_effective) else s
        for p, s, value in zip(problems, spectra, negative, strict=True)
    )


def _alone(problem: Problem, joint: Spectrum, negative: Estimate | None) -> Spectrum:
    """Return the spectrum of a point whose data the joint posterior does not fit, from these data alone.

    Where no single fit is good either, the errors of the data are enlarged until it is.
    """
    found = spectrum_of(problem, PROCESS.solve(problem), negative)
    reason = f"continued alone: the joint fit is poor, chi^2 = {joint.chi2:.1f} for {joint.n_data} data"
    if is_rejected(found.chi2, found.n_data, found.n_effective):
        factor = float(np.sqrt(found.chi2 / degrees_of_freedom(found.n_data, found.n_effective)))
        wider = replace(problem, equations=problem.equations.with_larger_errors(factor))
        found = spectrum_of(wider, PROCESS.solve(wider), negative)
        reason += f"; so is the single one: errors of the data multiplied by {factor:.2g}"
    return replace(found, warnings=(*found.warnings, reason))


def _solutions(problems: list[Problem], mixture: ScanMixture, options: Options) -> list[Solution]:
    """Return the marginal posterior of every point."""
    equations, rng = equations_of(problems), np.random.default_rng(options.seed)
    draws = np.array([draw(equations, mode, rng) for mode in mixture.picks(options.n_draws)])
    return [
        _solution(problem, equations, mixture, draws[:, p], p) for p, problem in enumerate(problems)
    ]


def _solution(
    problem: Problem, equations: ScanEquations, mixture: ScanMixture, draws: Array, p: int
) -> Solution:
    modes, weights = mixture.modes, mixture.error_weights
    found = [point_response(equations, mode, p) for mode in modes]
    centre, spread = np.log([mode.x[p] for mode in modes]), np.array([error for error, _ in found])
    response = sum(
        w * mode.x[p][:, None] * slope for w, mode, (_, slope) in zip(weights, modes, found, strict=True)
    )
    median = central_mean(mixture.weights, centre, spread, CENTRAL)
    target = float(mixture.weights @ np.array([mode.chi2[p] for mode in modes]))
    reported, scan = made_to_fit(problem, median, target)
    return Solution(
        posterior=ProcessPosterior(
            problem.kernel, weights, centre, spread, draws, reported, np.asarray(response)
        ),
        scan=scan, scans={"posterior median": scan}, default=median / problem.grid.weights,
        alpha=float(scan.alpha[scan.chosen]), n_effective=float(np.trace(problem.kernel @ response)),
        description=f"log-Gaussian process over {len(equations.kernels)} points, {len(modes)} priors",
    )  # fmt: skip
