"""Spectra of a study, computed once: sigma(omega), chi_s''(omega), P(omega), and the scales read off them.

Continuing a correlator takes seconds, drawing it does not. Results are therefore stored in a text file under
the fingerprint of their data and options: other data never find old spectra.
`python -m sitqmc.runs.paper.studies.spectra` renews the results stored with the package,
after a change of the continuation.
"""

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import (
    CorrelatorData,
    Spectrum,
    continue_correlator,
    continue_scan,
    higgs_scales,
    lowest_excitation,
    midpoint_frequency,
    quartile_ratio,
)
from sitqmc.continuation.options import MIN_SCAN
from sitqmc.estimate import Estimate
from sitqmc.runs.errors import UserError
from sitqmc.runs.paper.studies.study import DATA, ReducedPoint, Study, load_study
from sitqmc.runs.results.point import PointResult
from sitqmc.runs.store.atomic import replace_text
from sitqmc.runs.store.provenance import package_version

Array = NDArray[np.float64]

OPTIONS: dict[str, Any] = {"n_omega": 120}
CACHE_VERSION = 5
"""Version of the computation in this file; a new one makes all stored spectra invalid."""

CURVES = {"sigma": "rho", "scalar": "chi_s", "pair": "G_k0"}
"""Name of a spectrum -> correlator that is continued."""

MIDPOINTS = {"sigma": "rho", "scalar": "chi_s"}
"""Name of a spectrum -> correlator whose midpoint frequency is a scale."""


@dataclass(frozen=True)
class SpectrumSummary:
    """A spectrum with its 68 % band. sigma: 4e^2/h; chi_s'': 1; P: 1/E_J. omega in E_J.

    resolution  width of the averaging kernel, E_J
    """

    omega: Array
    value: Array
    low: Array
    high: Array
    resolution: Array
    chi2: float
    n_data: int
    warnings: tuple[str, ...] = ()

    @property
    def passes_checks(self) -> bool:
        """Whether no check of the continuation failed."""
        return not self.warnings


MISSING = Estimate.from_interval(math.nan, math.nan, math.nan, found=0.0)
"""A scale that was not found."""

StudyPoint = PointResult[SpectrumSummary]
"""A point of a study. Spectra: sigma, scalar (chi_s''), pair (P), as far as they could be computed. Scales:

m_h_sigma, onset_sigma, m_h_scalar, pair_decay, pair_peak  (E_J)
midpoint_sigma, midpoint_scalar (E_J), quartiles_sigma, quartiles_scalar, without continuation
stiffness  rho_s solved with sigma;  sum_rule  (rho_s + (2/pi) int sigma)/<-k_x>
sigma_low  beta^2 Lambda(beta/2)/pi in 4e^2/h, without continuation
"""


def continue_study(points: Sequence[ReducedPoint], at: Sequence[float]) -> list[StudyPoint]:
    """Return averages, spectra and scales of the points of a study, continued together if possible.

    at  value of the scanned parameter at every point
    """
    notes: list[list[str]] = [[] for _ in points]
    found: list[dict[str, Spectrum]] = [{} for _ in points]
    for name, correlator in CURVES.items():
        for i, spectrum in _continued(points, at, correlator, notes).items():
            found[i][name] = spectrum
    out = []
    for point, spectra, remarks in zip(points, found, notes, strict=True):
        scales = _scales(point, spectra, remarks)
        if "sigma" in spectra:
            scales |= _sums(point, spectra["sigma"])
        summaries = {name: _summary(s) for name, s in spectra.items()}
        out.append(point.result(summaries, scales, tuple(remarks)))
    return out


def _continued(
    points: Sequence[ReducedPoint], at: Sequence[float], correlator: str, notes: list[list[str]]
) -> dict[int, Spectrum]:
    """Return the spectra of a correlator by the number of their point; remarks go to `notes`."""
    data: dict[int, CorrelatorData] = {}
    for i, point in enumerate(points):
        try:
            data[i] = point.correlator(correlator)
        except (ValueError, UserError) as error:
            notes[i].append(f"{correlator} could not be continued: {error}")
    if len(data) >= MIN_SCAN and "method" not in OPTIONS:
        try:
            joint = continue_scan(list(data.values()), [at[i] for i in data], **OPTIONS)
            return dict(zip(data, joint.spectra, strict=True))
        except ValueError as error:
            for i in data:
                notes[i].append(f"{correlator} was continued for every point alone: {error}")
    out = {}
    for i, one in data.items():
        try:
            out[i] = continue_correlator(one, **OPTIONS)
        except ValueError as error:
            notes[i].append(f"{correlator} could not be continued: {error}")
    return out


def _scales(point: ReducedPoint, found: dict[str, Spectrum], notes: list[str]) -> dict[str, Estimate]:
    out = {}
    if "sigma" in found:
        features = higgs_scales(found["sigma"], found.get("scalar"), found.get("pair"))
        scales = {f.name: getattr(features, f.name) for f in fields(features)}
        out = {name: value for name, value in scales.items() if value is not None}
    for name, correlator in MIDPOINTS.items():
        with contextlib.suppress(ValueError, UserError):
            data = point.correlator(correlator)
            out[f"midpoint_{name}"], out[f"quartiles_{name}"] = midpoint_frequency(data), quartile_ratio(data)
    try:
        energy = lowest_excitation(point.correlator("G_k0")).energy
        low = max(energy.value - energy.error, 0.0)
        out["pair_decay"] = Estimate.from_interval(energy.value, low, energy.value + energy.error)
    except (ValueError, UserError) as error:
        notes.append(f"omega_pair from the decay of G: {error}")
    return out


def _sums(point: ReducedPoint, sigma: Spectrum) -> dict[str, Estimate]:
    out = {}
    if sigma.stiffness is not None:
        out["stiffness"] = _symmetric(sigma.stiffness)
    if sigma.sum_rule is not None:
        kinetic = point.estimate("minus_k")
        total = Estimate(float(sigma.sum_rule.found.value), float(sigma.sum_rule.found.error))
        out["sum_rule"] = _symmetric(total.over(kinetic))
    return out


def _symmetric(e: Any) -> Estimate:
    return Estimate.from_interval(float(e.value), float(e.value - e.error), float(e.value + e.error))


def _summary(s: Spectrum) -> SpectrumSummary:
    if s.kind == "rho_iw":
        value, (low, high) = s.sigma, s.sigma_band()
    else:
        value, (low, high) = s.spectral, s.spectral_band
    return SpectrumSummary(s.omega, value, low, high, s.resolution, s.chi2, s.n_data, tuple(s.warnings))


# --- stored results -------------------------------------------------------------------------------------


def fingerprint(points: Sequence[ReducedPoint]) -> str:
    """Return a hash of everything the spectra of a study depend on, except the version of the package."""
    digest = hashlib.sha256(json.dumps([CACHE_VERSION, OPTIONS], sort_keys=True).encode())
    for point in points:
        digest.update(json.dumps([asdict(point.model), point.n_samples], sort_keys=True).encode())
        for name in sorted(point.responses):
            r = point.responses[name]
            lower = r.covariance[np.tril_indices(len(r.grid))]                  # the half that is stored
            for array in (r.grid, r.mean, lower):
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:20]


class SpectrumCache:
    """Spectra of studies by fingerprint, read from files and written to one of them.

    read   files with stored spectra
    write  file for new ones; None: they are not stored
    """

    def __init__(self, read: Sequence[Path], write: Path | None) -> None:
        self.path, self.known = write, dict[str, Any]()
        for path in (*read, write):
            if path is not None and path.exists():
                self.known |= json.loads(path.read_text(encoding="utf-8"))

    def __contains__(self, points: Sequence[ReducedPoint]) -> bool:
        return fingerprint(points) in self.known

    def get(self, points: Sequence[ReducedPoint]) -> list[StudyPoint] | None:
        """Return the stored results of the points of a study; None if there are none."""
        found = self.known.get(fingerprint(points))
        return None if found is None else [from_plain(*pair) for pair in zip(points, found, strict=True)]

    def put(self, points: Sequence[ReducedPoint], results: Sequence[StudyPoint]) -> None:
        """Add the results of the points of a study."""
        self.known[fingerprint(points)] = [to_plain(result) for result in results]

    def save(self) -> None:
        """Write all results to the file."""
        if self.path is not None:
            replace_text(self.path, json.dumps(self.known, separators=(",", ":")))


def all_spectra(
    studies: Sequence[Study], cache: SpectrumCache, processes: int, say: Callable[[str], None] = print
) -> dict[str, list[StudyPoint]]:
    """Return the results of the largest array of every study, in the order of `Study.largest`."""
    wanted = [study.largest for study in studies if study.largest and study.largest not in cache]
    for points in wanted:
        say(f"continuing {len(points)} points together, three correlators each")
    jobs = [(points, scanned(points)) for points in wanted]
    if processes > 1 and len(jobs) > 1:
        with ProcessPoolExecutor(min(processes, len(jobs)), get_context("spawn")) as pool:
            found = list(pool.map(continue_study, *zip(*jobs, strict=True)))
    else:
        found = [continue_study(*job) for job in jobs]
    for points, results in zip(wanted, found, strict=True):
        cache.put(points, results)
        cache.save()
    return {study.name: cache.get(study.largest) or [] for study in studies}


def scanned(points: Sequence[ReducedPoint]) -> list[float]:
    """Return p of every point, or E_C/E_J, or eps: the first that differs."""
    for name in ("p", "charging", "eps"):
        values = [float(getattr(point.model, name)) for point in points]
        if len(set(values)) == len(values) > 1:
            return values
    return [float(i) for i in range(len(points))]


def to_plain(result: StudyPoint) -> dict[str, Any]:
    """Return spectra and scales as JSON values of six digits."""
    out: dict[str, Any] = {"version": package_version(), "notes": list(result.warnings)}
    out["scales"] = {
        name: [_six(x) for x in (e.value, *e.interval(), e.found)]
        for name, e in result.scales.items() if name != "sigma_low"
    }  # fmt: skip
    for name, curve in result.spectra.items():
        out[name] = {
            key: [_six(x) for x in v] if isinstance(v, np.ndarray) else v for key, v in vars(curve).items()
        }
    return out


def from_plain(point: ReducedPoint, plain: dict[str, Any]) -> StudyPoint:
    """Return the results that `to_plain` stored, with the averages of their point."""
    spectra = {}
    for name in CURVES:
        c = plain.get(name)
        if c is not None:
            arrays = {k: np.array(v, float) for k, v in c.items() if isinstance(v, list) and k != "warnings"}
            spectra[name] = SpectrumSummary(
                **arrays, chi2=c["chi2"], n_data=c["n_data"], warnings=tuple(c["warnings"])
            )
    scales = {}
    for name, stored in plain["scales"].items():
        value, low, high, found = (math.nan if x is None else x for x in stored)
        scales[name] = Estimate.from_interval(value, low, high, found=found)
    return point.result(spectra, scales, tuple(plain["notes"]))


def _six(x: float) -> float | None:
    return float(f"{x:.6g}") if math.isfinite(x) else None


def renew_stored(processes: int, sizes: Sequence[str] = ("medium", "mirror")) -> None:
    """Continue the data stored with the package again: medium_spectra.json and mirror_spectra.json.

    A file is replaced only when all its points are done.
    """
    studies = {"medium": ("medium_dirty", "medium_clean"), "mirror": ("mirror",)}
    for name in sizes:
        path = DATA / f"{name}_spectra.json"
        beside = path.with_suffix(".new")
        found = [load_study(DATA / f"{study}.h5") for study in studies[name]]
        all_spectra(found, SpectrumCache([], beside), processes)
        beside.replace(path)
        print(path)


if __name__ == "__main__":
    # Imported by name: __main__ and the module that other processes import would have different classes.
    from sitqmc.runs.paper.studies.spectra import renew_stored as renew
    from sitqmc.runs.simulate.processes import available_cores

    renew(available_cores())
