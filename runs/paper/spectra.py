"""Spectra of a study, computed once: sigma(omega), chi_s''(omega), P(omega) and the scales read off them.

Continuing a correlator takes seconds, drawing it does not. Results are therefore kept in a text file under
the fingerprint of what they were computed from, data and options: other data never find old spectra.
`python -m sitqmc.runs.paper.spectra` makes those kept with the package anew,
after a change of the continuation.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import Spectrum, continue_correlator, higgs_scales, lowest_excitation
from sitqmc.runs.paper.study import DATA, Point, Study, load_study
from sitqmc.runs.store.atomic import replace_text
from sitqmc.runs.store.provenance import package_version

Array = NDArray[np.float64]

OPTIONS: dict[str, Any] = {"n_omega": 120, "n_blocks": 20}
RECIPE = 2  # of this file: a change makes all spectra anew


@dataclass(frozen=True)
class Number:
    """A number with its 68 % interval; `found`: share of the posterior that has the feature at all."""

    value: float
    low: float
    high: float
    found: float = 1.0

    @property
    def error(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    @property
    def known(self) -> bool:
        """Whether there is a value, with an interval, in most of the posterior."""
        return all(map(math.isfinite, (self.value, self.low, self.high))) and self.found >= 0.5


UNKNOWN = Number(float("nan"), float("nan"), float("nan"), 0.0)


@dataclass(frozen=True)
class Curve:
    """A spectrum with its 68 % band. sigma: 4e^2/h; chi_s'': 1; P: 1/E_J. omega in E_J."""

    omega: Array
    value: Array
    low: Array
    high: Array
    resolution: Array  # width of the averaging kernel, E_J
    chi2: float
    n_data: int
    warnings: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """No check of the continuation failed."""
        return not self.warnings


@dataclass(frozen=True)
class Spectra:
    """What was continued at one point. A curve that could not be computed is None, and `notes` says why.

    scales     m_h_sigma, onset_sigma, m_h_scalar, pair_decay, pair_peak (E_J)
    stiffness  rho_s solved with sigma; sum_rule  (rho_s + (2/pi) int sigma)/<-k_x>; weight (2/pi) int sigma
    """

    sigma: Curve | None
    scalar: Curve | None
    pair: Curve | None
    scales: dict[str, Number] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def continue_point(point: Point) -> Spectra:
    """All spectra and scales of a point."""
    notes: list[str] = []
    found: dict[str, Spectrum | None] = {}
    for name in ("rho", "chi_s", "G_k0"):
        try:
            found[name] = continue_correlator(point.correlator(name), **OPTIONS)
        except ValueError as error:
            found[name] = None
            notes.append(f"{name} could not be continued: {error}")
    sigma, scalar, pair = found["rho"], found["chi_s"], found["G_k0"]
    scales = dict[str, Number]()
    if sigma is not None:
        scales = _scales(point, sigma, scalar, pair, notes)
        scales |= _sums(point, sigma)
    first, second, third = (None if s is None else _curve(s) for s in (sigma, scalar, pair))
    return Spectra(first, second, third, scales, tuple(notes))


def _scales(
    point: Point, sigma: Spectrum, scalar: Spectrum | None, pair: Spectrum | None, notes: list[str]
) -> dict[str, Number]:
    features = asdict(higgs_scales(sigma, scalar, pair))
    out = {}
    for name, value in features.items():
        if value is not None:
            out[name] = Number(value["value"], value["low"], value["high"], value["found"])
    try:
        energy = lowest_excitation(point.correlator("G_k0")).energy
        low = max(energy.value - energy.error, 0.0)
        out["pair_decay"] = Number(energy.value, low, energy.value + energy.error)
    except ValueError as error:
        notes.append(f"omega_pair from the decay of G: {error}")
    return out


def _sums(point: Point, sigma: Spectrum) -> dict[str, Number]:
    out = {}
    if sigma.stiffness is not None:
        out["stiffness"] = _symmetric(sigma.stiffness.value, sigma.stiffness.error)
    if sigma.sum_rule is not None:
        ratio = sigma.sum_rule.ratio(point.scalars["minus_k"])
        out["sum_rule"] = _symmetric(ratio.value, ratio.error)
    return out


def _symmetric(value: float, error: float) -> Number:
    return Number(float(value), float(value - error), float(value + error))


def _curve(s: Spectrum) -> Curve:
    if s.kind == "rho_iw":
        value, (low, high) = s.sigma, s.sigma_band()
    else:
        value, (low, high) = s.spectral, s.band()
        low, high = s.omega * low, s.omega * high
    return Curve(s.omega, value, low, high, s.resolution, s.chi2, s.n_data, tuple(s.warnings))


# --- keeping them ---------------------------------------------------------------------------------------


def fingerprint(point: Point) -> str:
    """Of everything the spectra of a point depend on, the version of the package left out."""
    text = json.dumps([RECIPE, OPTIONS, asdict(point.model), point.samples], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for name in sorted(point.correlators):
        # Digits that float16 deviations keep: data read back from a file find their spectra.
        digest.update(np.round(point.correlators[name].mean(axis=0), 9).tobytes())
    return digest.hexdigest()[:20]


class Cache:
    """Spectra by fingerprint, from files, and into one of them if it is given."""

    def __init__(self, read: Sequence[Path], write: Path | None) -> None:
        self.path, self.known = write, dict[str, Any]()
        for path in (*read, write):
            if path is not None and path.exists():
                self.known |= json.loads(path.read_text(encoding="utf-8"))

    def get(self, point: Point) -> Spectra | None:
        found = self.known.get(fingerprint(point))
        return None if found is None else from_plain(found)

    def put(self, point: Point, spectra: Spectra) -> None:
        self.known[fingerprint(point)] = to_plain(spectra)

    def save(self) -> None:
        if self.path is not None:
            replace_text(self.path, json.dumps(self.known, separators=(",", ":")))


def all_spectra(
    studies: Sequence[Study], cache: Cache, processes: int, say: Callable[[str], None] = print
) -> dict[str, list[Spectra]]:
    """Spectra of the largest size of every study, in the order of `Study.largest`."""
    wanted = [point for study in studies for point in study.largest if cache.get(point) is None]
    if wanted:
        say(f"continuing {len(wanted)} points, three correlators each")
    if processes > 1 and len(wanted) > 1:
        with ProcessPoolExecutor(min(processes, len(wanted)), get_context("spawn")) as pool:
            for point, spectra in zip(wanted, pool.map(continue_point, wanted), strict=True):
                cache.put(point, spectra)
                cache.save()
    else:
        for point in wanted:
            cache.put(point, continue_point(point))
            cache.save()
    return {study.name: [_known(cache, point) for point in study.largest] for study in studies}


def _known(cache: Cache, point: Point) -> Spectra:
    spectra = cache.get(point)
    assert spectra is not None
    return spectra


def to_plain(spectra: Spectra) -> dict[str, Any]:
    """JSON values, six digits."""
    out: dict[str, Any] = {"version": package_version(), "notes": list(spectra.notes)}
    out["scales"] = {name: [_six(x) for x in asdict(n).values()] for name, n in spectra.scales.items()}
    for name in ("sigma", "scalar", "pair"):
        curve = getattr(spectra, name)
        if curve is not None:
            out[name] = {
                key: [_six(x) for x in v] if isinstance(v, np.ndarray) else v
                for key, v in vars(curve).items()
            }
    return out


def from_plain(plain: dict[str, Any]) -> Spectra:
    """What `to_plain` made."""
    curves: list[Curve | None] = []
    for name in ("sigma", "scalar", "pair"):
        c = plain.get(name)
        if c is not None:
            arrays = {
                key: np.array(v, float) for key, v in c.items() if isinstance(v, list) and key != "warnings"
            }
            curves.append(Curve(**arrays, chi2=c["chi2"], n_data=c["n_data"], warnings=tuple(c["warnings"])))
        else:
            curves.append(None)
    numbers = [[float("nan") if x is None else x for x in n] for n in plain["scales"].values()]
    scales = {name: Number(*n) for name, n in zip(plain["scales"], numbers, strict=True)}
    return Spectra(curves[0], curves[1], curves[2], scales, tuple(plain["notes"]))


def _six(x: float) -> float | None:
    return float(f"{x:.6g}") if math.isfinite(x) else None


def remake_kept(processes: int) -> None:
    """Continue the data kept with the package anew: medium_spectra.json and that of mirror points.

    An old file is replaced only when all its points are done.
    """
    for name, studies in (("medium", ("medium_dirty", "medium_clean")), ("mirror", ("mirror",))):
        path = DATA / f"{name}_spectra.json"
        beside = path.with_suffix(".new")
        found = [load_study(DATA / f"{study}.npz") for study in studies]
        all_spectra(found, Cache([], beside), processes)
        beside.replace(path)
        print(path)


if __name__ == "__main__":
    # Under its own name: what other processes import must be what this one sends them.
    from sitqmc.runs.paper.spectra import remake_kept as remake
    from sitqmc.runs.simulate.processes import available_cores

    remake(available_cores())
