"""Spectra of a study, computed once: sigma(omega), chi_s''(omega), P(omega), and the scales read off them.

Continuing a correlator takes seconds, drawing it does not. Results are therefore stored in a text file under
the fingerprint of their data and options: other data never find old spectra.
`python -m sitqmc.runs.paper.studies.spectra` renews the results stored with the package,
after a change of the continuation.
"""

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

from sitqmc.continuation import Spectrum, continue_correlator, higgs_scales, lowest_excitation
from sitqmc.estimate import Estimate
from sitqmc.runs.paper.studies.study import DATA, ReducedPoint, Study, load_study
from sitqmc.runs.results.point import PointResult
from sitqmc.runs.store.atomic import replace_text
from sitqmc.runs.store.provenance import package_version

Array = NDArray[np.float64]

OPTIONS: dict[str, Any] = {"n_omega": 120, "n_blocks": 20}
CACHE_VERSION = 3
"""Version of the computation in this file; a new one makes all stored spectra invalid."""

CURVES = {"sigma": "rho", "scalar": "chi_s", "pair": "G_k0"}
"""Name of a spectrum -> correlator that is continued."""


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
stiffness  rho_s solved with sigma;  sum_rule  (rho_s + (2/pi) int sigma)/<-k_x>
sigma_low  beta^2 Lambda(beta/2)/pi in 4e^2/h, without continuation
"""


def continue_point(point: ReducedPoint) -> StudyPoint:
    """Return averages, all spectra and scales of a point."""
    notes: list[str] = []
    found: dict[str, Spectrum] = {}
    for name, correlator in CURVES.items():
        try:
            found[name] = continue_correlator(point.correlator(correlator), **OPTIONS)
        except ValueError as error:
            notes.append(f"{correlator} could not be continued: {error}")
    scales = dict[str, Estimate]()
    if "sigma" in found:
        scales = _scales(point, found, notes) | _sums(point, found["sigma"])
    return point.result({name: _summary(s) for name, s in found.items()}, scales, tuple(notes))


def _scales(point: ReducedPoint, found: dict[str, Spectrum], notes: list[str]) -> dict[str, Estimate]:
    features = higgs_scales(found["sigma"], found.get("scalar"), found.get("pair"))
    out = {}
    for f in fields(features):
        value = getattr(features, f.name)
        if value is not None:
            out[f.name] = value
    try:
        energy = lowest_excitation(point.correlator("G_k0")).energy
        low = max(energy.value - energy.error, 0.0)
        out["pair_decay"] = Estimate.from_interval(energy.value, low, energy.value + energy.error)
    except ValueError as error:
        notes.append(f"omega_pair from the decay of G: {error}")
    return out


def _sums(point: ReducedPoint, sigma: Spectrum) -> dict[str, Estimate]:
    out = {}
    if sigma.stiffness is not None:
        out["stiffness"] = _symmetric(sigma.stiffness)
    if sigma.sum_rule is not None:
        out["sum_rule"] = _symmetric(sigma.sum_rule.ratio(point.scalars["minus_k"]))
    return out


def _symmetric(e: Any) -> Estimate:
    return Estimate.from_interval(float(e.value), float(e.value - e.error), float(e.value + e.error))


def _summary(s: Spectrum) -> SpectrumSummary:
    if s.kind == "rho_iw":
        value, (low, high) = s.sigma, s.sigma_band()
    else:
        value, (low, high) = s.spectral, s.band()
        low, high = s.omega * low, s.omega * high
    return SpectrumSummary(s.omega, value, low, high, s.resolution, s.chi2, s.n_data, tuple(s.warnings))


# --- stored results -------------------------------------------------------------------------------------


def fingerprint(point: ReducedPoint) -> str:
    """Return a hash of everything the spectra of a point depend on, except the version of the package."""
    text = json.dumps([CACHE_VERSION, OPTIONS, asdict(point.model), point.n_samples], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for name in sorted(point.correlators):
        # Digits that float16 deviations preserve: data read back from a file find their spectra.
        digest.update(np.round(point.correlators[name].mean(axis=0), 9).tobytes())
    return digest.hexdigest()[:20]


class SpectrumCache:
    """Spectra by fingerprint, read from files and written to one of them.

    read   files with stored spectra
    write  file for new ones; None: they are not stored
    """

    def __init__(self, read: Sequence[Path], write: Path | None) -> None:
        self.path, self.known = write, dict[str, Any]()
        for path in (*read, write):
            if path is not None and path.exists():
                self.known |= json.loads(path.read_text(encoding="utf-8"))

    def __contains__(self, point: ReducedPoint) -> bool:
        return fingerprint(point) in self.known

    def get(self, point: ReducedPoint) -> StudyPoint | None:
        """Return the stored results of a point; None if there are none."""
        found = self.known.get(fingerprint(point))
        return None if found is None else from_plain(point, found)

    def put(self, point: ReducedPoint, result: StudyPoint) -> None:
        """Add the results of a point."""
        self.known[fingerprint(point)] = to_plain(result)

    def save(self) -> None:
        """Write all results to the file."""
        if self.path is not None:
            replace_text(self.path, json.dumps(self.known, separators=(",", ":")))


def all_spectra(
    studies: Sequence[Study], cache: SpectrumCache, processes: int, say: Callable[[str], None] = print
) -> dict[str, list[StudyPoint]]:
    """Return the results of the largest size of every study, in the order of `Study.largest`."""
    wanted = [point for study in studies for point in study.largest if point not in cache]
    if wanted:
        say(f"continuing {len(wanted)} points, three correlators each")
    if processes > 1 and len(wanted) > 1:
        with ProcessPoolExecutor(min(processes, len(wanted)), get_context("spawn")) as pool:
            for point, result in zip(wanted, pool.map(continue_point, wanted), strict=True):
                cache.put(point, result)
                cache.save()
    else:
        for point in wanted:
            cache.put(point, continue_point(point))
            cache.save()
    return {study.name: [_known(cache, point) for point in study.largest] for study in studies}


def _known(cache: SpectrumCache, point: ReducedPoint) -> StudyPoint:
    result = cache.get(point)
    assert result is not None
    return result


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


def renew_stored(processes: int) -> None:
    """Continue the data stored with the package again: medium_spectra.json and mirror_spectra.json.

    A file is replaced only when all its points are done.
    """
    for name, studies in (("medium", ("medium_dirty", "medium_clean")), ("mirror", ("mirror",))):
        path = DATA / f"{name}_spectra.json"
        beside = path.with_suffix(".new")
        found = [load_study(DATA / f"{study}.npz") for study in studies]
        all_spectra(found, SpectrumCache([], beside), processes)
        beside.replace(path)
        print(path)


if __name__ == "__main__":
    # Imported by name: __main__ and the module that other processes import would have different classes.
    from sitqmc.runs.paper.studies.spectra import renew_stored as renew
    from sitqmc.runs.simulate.processes import available_cores

    renew(available_cores())
