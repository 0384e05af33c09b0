"""Factors on the errors of single spectra, learned from synthetic spectra with known truth.

    python benchmarks/continuation_calibration.py                              # from the stored records
    python benchmarks/continuation_calibration.py --out records.jsonl          # makes them anew, ten minutes
    python benchmarks/continuation_calibration.py --left-out                   # coverage of kinds left out

The spectra are those of the learning half and of the first blind set of `continuation_library`, of the forms
of `continuation_training` without two that the held-out kinds resemble, and mixed spectra of random
components. A record holds the distances of the truth from the values in units of the uncalibrated errors,
those of the spectrum itself as normal deviates beside u = ln(resolution/omega), and the signal/noise of the
data.

The factors are quantile regressions of the logarithm of the distance. All kinds have the same weight, however
many draws they have; the mixed spectra together have that of MIXED_SHARE of the kinds. The next spectrum is
of another kind: with K kinds the quantile is 0.683 (1 + 1/K), as in conformal prediction with groups. The
printed tables stand in `sitqmc.continuation.spectrum.calibration`; a test compares both. Integrals that
depend on the tail above the data have no factor.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from continuation_library import BLIND, LEARN, draw_case
from continuation_scores import NOISES, central, pulls
from continuation_training import FORMS, draw, draw_mixed
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, eye, hstack

from sitqmc.continuation import CorrelatorData, continue_correlator
from sitqmc.continuation.spectrum import calibration

STORED = Path(__file__).parent / "data" / "continuation_calibration.jsonl.gz"
DRAWS, FORM_DRAWS, MIXED_DRAWS = 3, 2, 120
MIXED, MIXED_SHARE = "mixed", 0.5
LEFT_OUT = ("log-normal", "gap edge")                     # kinds of these shapes are scored
QUANTITIES = {
    "weight": ("weight, lower quarter", "weight, lower half"),
    "functional": ("soft weight", "first moment", "f-sum", "weight"),
    "constant": ("D_s",), "peak": ("peak",), "half width": ("half width",), "onset": ("onset",),
    "feature": ("half width", "onset"),
}  # fmt: skip
NOT_NARROWED = ("weight",)
LEVEL = 0.6827
LARGEST, LEAST = 1e3, 1e-3                    # of a distance, for its logarithm
NODES, DC_SHARE = 6, 0.25                     # of the spectrum itself, in one record

Terms = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def cases() -> Iterator[tuple[str, float, object, CorrelatorData]]:
    """Yield (name, noise, truth, data) of all sets."""
    for noise in NOISES:
        for seed in range(DRAWS):
            for name in (*LEARN, *BLIND):
                yield name, noise, *draw_case(name, noise, seed)
        for seed in range(FORM_DRAWS):
            for place, form in enumerate(FORMS):
                if form.name not in LEFT_OUT:
                    yield f"form: {form.name}", noise, *draw(place, noise, seed)
        for number in range(MIXED_DRAWS):
            yield MIXED, noise, *draw_mixed(number, noise)


def make(path: Path) -> None:
    """Write one record for every set, with uncalibrated errors."""
    table = dict(calibration.TABLE)
    calibration.TABLE.clear()
    with path.open("w") as file:
        for name, noise, case, data in cases():
            s = continue_correlator(data, threads=1)
            found = {k: round(v, 4) for k, v in pulls(case, s).items()}
            record = {
                "name": name, "noise": noise, "signal": round(s.posterior.signal, 2), "pulls": found,
                "nodes": nodes(case, s),
            }  # fmt: skip
            file.write(json.dumps(record) + "\n")
            file.flush()
    calibration.TABLE.update(table)


def nodes(case, s) -> list[tuple[float, float]]:
    """Return (normal deviate of the truth, u) at zero frequency and at nodes with 98 % of the weight."""
    truth = case.truth(s.omega)
    inside = np.flatnonzero(central(truth * s.grid.weights))
    chosen = inside[np.unique(np.linspace(0, inside.size - 1, NODES).round().astype(int))]
    z = np.clip(s.posterior.deviate(truth * s.grid.weights), -LARGEST, LARGEST)
    u = np.log(s.resolution / np.maximum(s.omega, 1e-300))
    return [(round(float(z[i]), 3), round(float(min(u[i], 9.0)), 3)) for i in (0, *chosen)]


def read(path: Path) -> list[dict]:
    """Return the records of a file."""
    raw = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()]


def learn(records: list[dict]) -> tuple[dict[str, tuple[float, ...]], tuple[float, ...]]:
    """Return both tables: quantity -> (a, b), and (a, b, c, d, e) of the pointwise band.

    Weights with sharp ends are not narrowed. The factor 0.85 was learned for them and taken back: exact
    spectra of small arrays have single lines, and of the weights below a limit next to a line 77 % were
    within two errors with it, 84 % without.
    """
    table = {quantity: plane(of_quantity(records, quantity)) for quantity in QUANTITIES}
    kept = {name: line for name, line in table.items() if name not in NOT_NARROWED or line[0] > 0.0}
    return kept, plane(of_spectrum(records))


def of_quantity(records: list[dict], quantity: str) -> Terms:
    """Return (terms (n, 2), ln distance (n,), name (n,), weight within the record (n,), noise (n,))."""
    rows = [
        ((1.0, calibration.clipped(r["signal"])), r["pulls"][name], r["name"], 1.0, r["noise"])
        for r in records for name in QUANTITIES[quantity] if name in r["pulls"]
    ]  # fmt: skip
    return columns(rows)


def of_spectrum(records: list[dict]) -> Terms:
    """Return the same of the spectrum itself, terms (n, 5)."""
    rows = []
    for r in records:
        z, u = np.array(r["nodes"]).T
        terms = calibration.pointwise_terms(np.ones_like(u), np.exp(u), r["signal"])
        weights = np.append(DC_SHARE, np.full(len(z) - 1, (1.0 - DC_SHARE) / (len(z) - 1)))
        rows += [(*one, r["name"], w, r["noise"]) for *one, w in zip(terms, z, weights, strict=True)]
    return columns(rows)


def columns(rows: list[tuple]) -> Terms:
    terms, distance, names, weights, noises = (np.array(column) for column in zip(*rows, strict=True))
    return terms, np.log(np.clip(np.abs(distance), LEAST, LARGEST)), names, weights, noises


def plane(found: Terms) -> tuple[float, ...]:
    """Return the coefficients of the terms below which the wanted share of all kinds lies."""
    terms, y, names, weights, _ = found
    kinds = np.unique(names[names != MIXED])
    balanced = np.zeros_like(weights)
    for kind in kinds:
        balanced[names == kind] = weights[names == kind] / weights[names == kind].sum()
    mixed = names == MIXED
    if mixed.any():
        balanced[mixed] = MIXED_SHARE * len(kinds) * weights[mixed] / weights[mixed].sum()
    return quantile_plane(terms, y, balanced, LEVEL * (1.0 + 1.0 / max(len(kinds), 1)))


def quantile_plane(terms: np.ndarray, y: np.ndarray, weights: np.ndarray, level: float) -> tuple[float, ...]:
    """Return c, rounded: the share `level` of all weight has y below terms @ c."""
    n, k = terms.shape
    weights = weights * (n / weights.sum())
    found = linprog(
        np.concatenate([np.zeros(k), level * weights, (1.0 - level) * weights]),
        A_eq=hstack([csr_matrix(terms), eye(n), -eye(n)]), b_eq=y,
        bounds=[(None, None)] * k + [(0, None)] * (2 * n),
    )  # fmt: skip
    return tuple(round(float(c), 2) for c in found.x[:k])


def report(records: list[dict], left_out: bool) -> None:
    """Print both tables and the coverage by noise of the spectra that taught them, or of kinds left out."""
    table, pointwise = learn(records)
    print(f"{len(records)} spectra\nTABLE = {{")
    for quantity, line in table.items():
        print(f'    "{quantity}": {line},')
    print(f"}}\nPOINTWISE = {pointwise}")
    print(f"68 % intervals that hold the truth, mean over kinds, at noise {NOISES} and over all; scatter")
    for quantity in QUANTITIES:
        print_coverage(quantity, of_quantity(records, quantity), left_out)
    print_coverage("spectrum", of_spectrum(records), left_out)


def print_coverage(label: str, found: Terms, left_out: bool) -> None:
    """Print the coverage of the kinds, by noise and over all, and the scatter between kinds."""
    terms, y, names, weights, noises = found
    every = None if left_out else plane(found)
    shares = {}
    for kind in np.unique(names[names != MIXED]):
        mine = names == kind
        line = plane(tuple(column[~mine] for column in found)) if every is None else every
        inside = y <= terms @ line
        for noise in NOISES:
            here = mine & (noises == noise)
            if here.any():
                shares[str(kind), noise] = float(np.average(inside[here], weights=weights[here]))
    by_noise = [np.mean([v for key, v in shares.items() if key[1] == noise]) for noise in NOISES]
    by_kind = [np.mean([v for key, v in shares.items() if key[0] == kind]) for kind in {k for k, _ in shares}]
    cells = " ".join(f"{v:5.2f}" for v in (*by_noise, np.mean(by_kind)))
    print(f"{label:12s} {cells}   {np.std(by_kind):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="make the records anew and write them to this file")
    parser.add_argument("--left-out", action="store_true", help="learn without the kind that is scored")
    chosen = parser.parse_args()
    if chosen.out:
        make(chosen.out)
    report(read(chosen.out or STORED), chosen.left_out)


if __name__ == "__main__":
    main()
