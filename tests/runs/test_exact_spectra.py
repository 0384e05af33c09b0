"""The whole chain against exact spectra: worm, store, averages, continuation, on small diluted arrays.

The arrays are diagonalised in the charge basis; their sigma(omega), P(omega)/omega and chi''(omega)/omega are
sums of lines. Compared are integrals over the spectrum: up to fixed frequencies, with a sharp and with a
soft end, and moments. A sharp end next to a line asks for more than the data resolve, a soft one does not.
Two runs with different time slices give the limit eps -> 0 of every integral; the action is `rotor`, whose
errors are even in eps. No part of the continuation enters the exact spectra, no exact number enters the runs.
"""

from functools import cache
from itertools import product

import numpy as np
import pytest

import sitqmc
from reference.exact_spectrum import array_lines
from sitqmc.estimate import Estimate
from sitqmc.qmc import Model, make_disorder
from sitqmc.runs.results.point import SCANNED, spectrum_of

CHARGING, BETA = 3.0, 5.0
FINE, COARSE = 0.125, 0.25                       # eps
OPERATORS = {"sigma": "current x", "P": "pair", "chi_s": "cosine"}
CUTS = (1.5, 2.0, 3.0, 4.5, 6.5, 9.0)            # upper ends of the integrals, E_J
SHAPES = {"2x2": (2, 2), "3x2": (3, 2)}
N_MAX = {"2x2": 3, "3x2": 2}
"""Largest charge of a site. With 2, integrals of P and chi_s of an undiluted 2 x 2 array are 1 and 4 % too
small, with 3 less than .1 %. 3 x 2 arrays with charges up to 3 are too large; diluted ones lose 1 %."""
MASKS = {
    "2x2": (
        ((0, 0, 1),),
        ((0, 0, 1), (1, 1, 0)),
        ((0, 0, 1), (1, 1, 0), (1, 0, 1)),
        ((0, 0, 1), (0, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 1), (1, 0, 0)),
        ((0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1)),
    ),
    "3x2": (
        ((1, 0, 0), (1, 1, 1), (0, 0, 2)),
        ((1, 1, 0), (1, 1, 1), (1, 1, 2), (0, 1, 0)),
    ),
}  # fmt: skip
"""Missing bonds as (direction, y, x). Without any, a direction of length 2 has no current at omega > 0."""


def bonds_without(size, removed):
    Lx, Ly = SHAPES[size]
    bonds = np.ones((2, Ly, Lx), dtype=bool)
    for bond in removed:
        bonds[bond] = False
    return bonds


@cache
def lines_of(shape, key, n_max):
    """Lines of one array by operator, from the bytes of its bonds."""
    bonds = np.frombuffer(key, dtype=bool).reshape(2, *shape)
    return array_lines(bonds, CHARGING, BETA, n_max)


def canonical(bonds):
    """The first in order of all arrays that translations, and x <-> y on a square, make of this one."""
    Ly, Lx = bonds.shape[1:]
    same = [np.roll(bonds, (dy, dx), (1, 2)) for dy in range(Ly) for dx in range(Lx)]
    if Lx == Ly:
        same += [one[::-1].transpose(0, 2, 1) for one in same]
    return min(np.ascontiguousarray(one).tobytes() for one in same)


class ExactIntegrals:
    """Lines of one spectrum per site, averaged over arrays (bonds, probability)."""

    def __init__(self, name, arrays, n_max):
        omega, weight, self.zero = [], [], 0.0
        for bonds, share in arrays:
            # On a square sigma is the mean of both directions.
            square = name == "sigma" and bonds.shape[1] == bonds.shape[2]
            for operator in ("current x", "current y") if square else (OPERATORS[name],):
                lines = lines_of(bonds.shape[1:], canonical(bonds), n_max)[operator]
                omega.append(lines.omega)
                weight.append((0.5 if square else 1.0) * share * lines.weight)
                self.zero += (0.5 if square else 1.0) * share * lines.zero
        self.omega, self.weight = np.concatenate(omega), np.concatenate(weight)

    def below(self, cut):
        return float(self.weight[self.omega <= cut].sum()) + 0.5 * self.zero

    def integral(self, g):
        return float(self.weight @ g(self.omega)) + 0.5 * self.zero * float(g(np.zeros(1))[0])


MOMENTS = {
    "total": lambda w: np.ones_like(w),
    "low": lambda w: 1.0 / (1.0 + (w / (2 * np.pi / BETA)) ** 2),   # weight below the lowest w_n
    "first": lambda w: w * np.exp(-w / 10.0),
}  # fmt: skip
"""Weight functions of the moments."""


def soft(cut):
    """Weight function that falls from 0.9 to 0.1 between 0.7 and 1.4 times the cut: about the resolution."""
    return lambda w: 1.0 / (1.0 + (w / cut) ** 6)


def limit(fine, coarse):
    """eps -> 0 from two eps that differ by a factor of two, errors even in eps.

    The noise of the two runs is independent. What the data leave open is common to both: the same priors. The
    error of one run holds both, so that the rest of it beyond the noise counts once.
    """
    statistical = np.hypot(4.0 * fine.statistical, coarse.statistical) / 3.0
    left_open = np.sqrt(max(fine.error**2 - fine.statistical**2, 0.0))
    value = (4.0 * fine.value - coarse.value) / 3.0
    return Estimate(value, float(np.hypot(statistical, left_open)))


def integrals(spectra, exact):
    """Quantity -> (limit eps -> 0 of the continuation, exact value), from the spectra at both eps."""
    found = {}
    for cut in CUTS:
        share = exact.below(cut) / exact.integral(np.ones_like)
        if 0.02 < share < 0.98:      # elsewhere there is nothing, or all
            found[f"sharp({cut:g})"] = limit(*(s.weight(0.0, cut) for s in spectra)), exact.below(cut)
    for name, g in {**{f"soft({cut:g})": soft(cut) for cut in CUTS[::2]}, **MOMENTS}.items():
        found[name] = limit(*(s.functional(g(s.omega)) for s in spectra)), exact.integral(g)
    return found


def add(pulls, where, quantity, found, expected):
    """Note and print the distance of one integral from its exact value, in errors."""
    pull = (found.value - expected) / found.error
    pulls["sharp" if quantity.startswith("sharp") else "resolved"].append(abs(pull))
    print(f"{where} {quantity:10s} {found} exact {expected:.4f} pull {pull:+.2f}")


def coverage(pulls):
    """Print the shares within one and two errors; return those of the resolved integrals."""
    shares = {
        kind: [float(np.mean(np.array(found) < limit)) for limit in (1.0, 2.0)]
        for kind, found in pulls.items()
    }  # fmt: skip
    for kind, (one, two) in shares.items():
        print(f"{len(pulls[kind])} {kind} integrals: within one error {one:.2f}, within two {two:.2f}")
    assert max(pulls["resolved"]) < 5.0
    assert shares["sharp"][1] > 0.65
    return shares["resolved"]


def simulate(folder, monkeypatch, size, removed, samples, length, points):
    """Spectra of both eps, by name: the report's, from a store of chains on one mask."""
    bonds, (Lx, Ly) = bonds_without(size, removed), SHAPES[size]
    drawn = Model.draw_disorder

    def draw(model, seed, sample):
        """The mask, for all but the tiny model that only loads the kernels."""
        if (model.Lx, model.Ly) != (Lx, Ly):
            return drawn(model, seed, sample)
        return make_disorder(Lx, Ly, bonds=bonds)

    monkeypatch.setattr(Model, "draw_disorder", draw)
    runs = [
        sitqmc.run(
            Lx=Lx, Ly=Ly, beta=BETA, eps=eps, charging=CHARGING, action="rotor", p=0.3, samples=samples,
            seed=2026, path=folder / f"{eps}", report=False, processes=1,
            schedule={"therm_sweeps": 40, "bins": 4, "measurements_per_bin": length},
            continuation={"omega_points": points, "estimator": "plain"},
        )
        for eps in (FINE, COARSE)
    ]  # fmt: skip
    monkeypatch.undo()
    points = [(run.config, run.points[0]) for run in runs]
    return lambda name: [
        point.spectrum if name == "sigma" else spectrum_of(config, point.averages, name)
        for config, point in points
    ]  # fmt: skip


def test_integrals_of_the_spectra_of_a_diluted_array(tmp_path, monkeypatch):
    removed = MASKS["2x2"][2]
    spectra_of = simulate(tmp_path, monkeypatch, "2x2", removed, samples=48, length=12, points=60)
    for name in ("sigma", "P"):
        exact = ExactIntegrals(name, [(bonds_without("2x2", removed), 1.0)], N_MAX["2x2"])
        total = exact.integral(np.ones_like)
        for quantity, (found, expected) in integrals(spectra_of(name), exact).items():
            if quantity.startswith("sharp"):
                continue                # asks for more than the data resolve next to a line
            assert abs(found.value - expected) < 3.5 * found.error, (name, quantity)
            # The error is small too: the first moment is about three times the total weight.
            assert found.error < 0.2 * total * (3.0 if quantity == "first" else 1.0), (name, quantity)


@pytest.mark.physics
def test_coverage_over_masks(tmp_path, monkeypatch):
    """68 % intervals of the integrals hold the exact values at about their rate, over masks and spectra."""
    pulls = {"sharp": [], "resolved": []}
    for size, masks in MASKS.items():
        for k, removed in enumerate(masks):
            spectra_of = simulate(tmp_path / f"{size}-{k}", monkeypatch, size, removed, 80, 40, 160)
            for name in SCANNED:
                exact = ExactIntegrals(name, [(bonds_without(size, removed), 1.0)], N_MAX[size])
                for quantity, (found, expected) in integrals(spectra_of(name), exact).items():
                    add(pulls, f"{size} mask {k} {name:6s}", quantity, found, expected)
    one, two = coverage(pulls)
    assert 0.55 < one < 0.9
    assert two > 0.85


@pytest.mark.physics
def test_a_scan_of_diluted_arrays_against_the_mean_over_all_masks(tmp_path):
    """The default estimators and the joint continuation of a run, against the mean over all 256 masks."""
    ps = [0.2, 0.35, 0.5]
    runs = [
        sitqmc.run(
            L=2, beta=BETA, eps=eps, charging=CHARGING, action="rotor", p=ps, samples=1500, seed=11,
            path=tmp_path / f"{eps}", report=False, processes=1,
            schedule={"therm_sweeps": 40, "bins": 4, "measurements_per_bin": 12},
        )
        for eps in (FINE, COARSE)
    ]  # fmt: skip
    masks = [np.array(one, dtype=bool).reshape(2, 2, 2) for one in product((False, True), repeat=8)]
    pulls = {"sharp": [], "resolved": []}
    for i, p in enumerate(ps):
        shares = [(m, p ** (8 - m.sum()) * (1 - p) ** m.sum()) for m in masks]
        for name in SCANNED:
            exact = ExactIntegrals(name, shares, N_MAX["2x2"])
            spectra = [run.points[i].joint[name].together for run in runs]
            for quantity, (found, expected) in integrals(spectra, exact).items():
                add(pulls, f"p {p} {name:6s}", quantity, found, expected)
    one, two = coverage(pulls)
    assert one > 0.5                    # the points of a scan share their masks: few independent numbers
    assert two > 0.8
