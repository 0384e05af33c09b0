"""Factors on the errors of single spectra, learned from synthetic spectra with known truth.

    python benchmarks/continuation_calibration.py                              # from the stored records
    python benchmarks/continuation_calibration.py --out records.jsonl          # makes them anew, ten minutes

The spectra are those of the learning half of `continuation_library` and of the forms of
`continuation_training`, without three forms that the scored kinds resemble. A record holds the distances of
the truth from the values in units of the uncalibrated errors, and the signal/noise of the data. For every
quantity the 68 % quantile of the distance is a power of signal/noise, fitted by quantile regression. The
printed table stands in `sitqmc.continuation.spectrum.calibration`; a test compares both. Integrals that
depend on the tail above the data have no factor.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from continuation_library import LEARN, Truth, draw_case
from continuation_scores import NOISES, OPEN_TAIL, pulls
from continuation_training import FORMS, draw
from scipy.optimize import linprog

from sitqmc.continuation import CorrelatorData, continue_correlator
from sitqmc.continuation.spectrum import calibration

STORED = Path(__file__).parent / "data" / "continuation_calibration.jsonl.gz"
DRAWS, FORM_DRAWS = 6, 1
LEFT_OUT = ("log-normal", "gap edge", "three peaks")  # kinds of these shapes are scored
QUANTITIES = {
    "weight": ("weight, lower quarter", "weight, lower half"),
    "functional": ("soft weight", "first moment", "f-sum", "weight"),
    "dc": ("dc",), "peak": ("peak",), "half width": ("half width",), "onset": ("onset",),
    "feature": ("half width", "onset"),
}  # fmt: skip
NOT_NARROWED = ("weight", "peak", "half width", "onset", "feature")
LEVEL = 0.6827
LARGEST, LEAST = 1e3, 1e-3  # of a distance, for its logarithm


@dataclass(frozen=True)
class Form:
    """Truth of a form without a known stiffness."""

    truth: Truth
    stiffness: float = np.nan


def cases() -> Iterator[tuple[str, float, object, CorrelatorData]]:
    """Yield (name, noise, truth, data) of all sets."""
    for noise in NOISES:
        for seed in range(DRAWS):
            for name in LEARN:
                yield name, noise, *draw_case(name, noise, seed)
        for seed in range(FORM_DRAWS):
            for place, form in enumerate(FORMS):
                if form.name not in LEFT_OUT:
                    truth, data = draw(place, noise, seed)
                    yield form.name, noise, Form(truth), data


def make(path: Path) -> None:
    """Write one record for every set, with uncalibrated errors."""
    table = dict(calibration.TABLE)
    calibration.TABLE.clear()
    with path.open("w") as file:
        for name, noise, case, data in cases():
            s = continue_correlator(data, threads=1)
            found = {k: round(v, 4) for k, v in pulls(case, s).items()}
            record = {"name": name, "noise": noise, "signal": round(s.posterior.signal, 2), "pulls": found}
            file.write(json.dumps(record) + "\n")
            file.flush()
    calibration.TABLE.update(table)


def read(path: Path) -> list[dict]:
    """Return the records of a file."""
    raw = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()]


def learn(records: list[dict]) -> dict[str, tuple[float, float]]:
    """Return the table: quantity -> (a, b).

    How well a peak or an edge is defined differs between kinds of spectra more than these spectra show:
    intervals of features are widened, never narrowed. A factor of 0.68 was learned for weights; with it, the
    intervals of weights held the truth in 45 % of the blind cases: weights are not narrowed either.
    """
    table = {}
    for quantity, names in QUANTITIES.items():
        points = [
            (np.log10(r["signal"]) - calibration.CENTRE, abs(r["pulls"][name]))
            for r in records for name in names if name in r["pulls"]
        ]  # fmt: skip
        x, y = np.array(points).T
        line = quantile_line(np.clip(x, *calibration.RANGE), np.log(np.clip(y, LEAST, LARGEST)))
        if line[0] > 0 or quantity not in NOT_NARROWED:
            table[quantity] = line
    return table


def quantile_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return (a, b) of the line a + b x below which the share LEVEL of all y lies."""
    n, one = x.size, np.eye(x.size)
    found = linprog(
        np.concatenate([np.zeros(2), np.full(n, LEVEL), np.full(n, 1.0 - LEVEL)]),
        A_eq=np.column_stack([np.ones(n), x, one, -one]), b_eq=y,
        bounds=[(None, None)] * 2 + [(0, None)] * (2 * n),
    )  # fmt: skip
    return round(float(found.x[0]), 2), round(float(found.x[1]), 2)


def report(records: list[dict], table: dict[str, tuple[float, float]]) -> None:
    """Print the table and the coverage on its own spectra, by noise."""
    print(f"{len(records)} spectra\nTABLE = {{")
    for quantity, line in table.items():
        print(f'    "{quantity}": {line},')
    print("}")
    for quantity, names in QUANTITIES.items():
        line = table.get(quantity, (0.0, 0.0))
        tails = (name + OPEN_TAIL for name in names if quantity == "functional")
        for name in (*names, *tails):
            cells = []
            for noise in NOISES:
                mine = [r for r in records if r["noise"] == noise and name in r["pulls"]]
                ys = [abs(r["pulls"][name]) / factor(line, r["signal"]) for r in mine]
                plain = [abs(r["pulls"][name]) for r in mine]
                shares = [f"{np.mean(np.array(one) <= 1):.2f}" for one in (plain, ys) if one]
                cells.append(" -> ".join(shares) + f" ({len(ys)})")
            print(f"{quantity:12s} {name:34s} " + "   ".join(cells))


def factor(line: tuple[float, float], signal: float) -> float:
    """Return the factor at this signal/noise."""
    x = np.log10(signal) - calibration.CENTRE
    return float(np.exp(line[0] + line[1] * np.clip(x, *calibration.RANGE)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="make the records anew and write them to this file")
    chosen = parser.parse_args()
    if chosen.out:
        make(chosen.out)
    records = read(chosen.out or STORED)
    report(records, learn(records))


if __name__ == "__main__":
    main()
