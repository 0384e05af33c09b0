"""Diagnosis of a normal-state scan that no film on the given substrate explains.

Three mistakes are usual: theta has the sign of the other time convention, the column of t holds |t|^2, or the
index of the substrate is wrong. Each correction is tried. The one that makes the scan fit is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sitqmc.analytic.film.transmission_fit import (
    FilmFit,
    FilmSetup,
    Model,
    film_sigma,
    fit_normal,
    scan_residuals,
)
from sitqmc.analytic.measurements.scans import ThzScan
from sitqmc.analytic.optics.film_on_substrate import transmission

HOPELESS = 100.0
"""chi2/dof of a calibration above which the analysis stops."""

FAR = 0.05
"""Smallest root mean square of |ln(t/model)| that counts as a mistake, however small the errors."""

REMEDY = 10.0
"""Factor by which a correction must lower chi2/dof to be named."""


TRIAL_EVALUATIONS = 1500
"""Evaluations of one trial: the right correction needs about 100, a wrong one creeps for 20 000."""


@dataclass(frozen=True)
class _Trial:
    """One correction: its description, and the scan and setup after it."""

    text: str
    scan: ThzScan
    setup: FilmSetup


def is_hopeless(scan: ThzScan, calibration: FilmFit) -> bool:
    """Return whether a calibration misses its scan by far, in units of the errors and of the signal."""
    setup = calibration.setup
    sigma = film_sigma(scan.nu_thz, setup, 0.0, scan.t_k, calibration.model)
    ideal = transmission(scan.nu_thz, sigma, setup.sample)
    model = setup.instrument.apply(scan.nu_thz, ideal)
    distance = np.log(scan.t / np.abs(model)) ** 2 + np.angle(scan.t_rel / model) ** 2
    return calibration.fit.quality.reduced_chi2 > HOPELESS and float(np.sqrt(np.mean(distance))) > FAR


def explain_misfit(
    scan: ThzScan, setup: FilmSetup, tc_k: float, quality: float, *, priors: Mapping[str, float] | None,
    model: Model,
) -> str:  # fmt: skip
    """Return one sentence that names the mistake in a normal-state scan or in its setup.

    scan, setup, tc_k, priors, model  arguments of the calibration that failed
    quality                           its chi2/dof
    """
    found: list[tuple[float, str]] = []
    for trial in (*_scan_trials(scan, setup), *_index_trials(scan, setup)):
        free = ("sigma_n", "path_um", "index")
        widths = {name: width for name, width in (priors or {}).items() if name != "index"}
        try:
            outcome = fit_normal(
                trial.scan, trial.setup, tc_k, free=free, priors=widths, model=model,
                max_evaluations=TRIAL_EVALUATIONS,
            )  # fmt: skip
        except ValueError:
            continue
        index = outcome.fit.values["index"]
        text = trial.text.format(index=index)
        found.append((outcome.fit.quality.reduced_chi2, text))
    best = min(found, default=(np.inf, ""))
    if best[0] * REMEDY < quality:
        return f"{best[1]} (chi2/dof = {best[0]:.2f} with that change)"
    return (
        "neither the sign of theta, nor t^0.5, nor another index of the substrate explains it; check "
        "thickness, units and reference"
    )


def _scan_trials(scan: ThzScan, setup: FilmSetup) -> list[_Trial]:
    """Return the scan with the other sign of theta, with the root of t, and with both."""
    root = np.sqrt(scan.t)
    as_field = replace(scan, t=root, t_error=scan.t_error / (2 * root))
    mirrored, both = (replace(s, theta=-s.theta) for s in (scan, as_field))
    return [
        _Trial("theta seems to have the other sign: use -theta", mirrored, setup),
        _Trial("column t seems to hold the power |t|^2: name it T", as_field, setup),
        _Trial("theta seems to have the other sign and t to hold the power |t|^2", both, setup),
    ]


def _index_trials(scan: ThzScan, setup: FilmSetup) -> Sequence[_Trial]:
    """Return setups with the three indices of least chi^2 on a grid around the given one."""
    grid = np.linspace(1.2, 6.0, 481)

    def chi2(index: float) -> float:
        sample = setup.updated({"index": index}).sample
        model = setup.instrument.apply(scan.nu_thz, transmission(scan.nu_thz, setup.sigma_n, sample))
        return sum(float(np.sum(r**2)) for r in scan_residuals(scan, model))

    values = np.array([chi2(float(x)) for x in grid])
    best = grid[np.argsort(values)[:3]]
    text = f"the index of the substrate seems to be {{index:.3f}} instead of {setup.sample.substrate.index:g}"
    return [_Trial(text, scan, setup.updated({"index": float(x)})) for x in best]
