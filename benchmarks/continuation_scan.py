"""Accuracy of a scan continued at once, on families of spectra with the covariances of a stored study.

    python benchmarks/continuation_scan.py --draws 2                    # about 2 minutes on one core
    python benchmarks/continuation_scan.py --families sudden --draws 10
    python benchmarks/continuation_scan.py --families edge,transfer --first 110 --draws 10

Eight points of the diluted array, L = 16, 400 masks, plain averages (data/scan.h5): grids, covariances and
number of samples are those of its rho(i w_n), spectra and noise are synthetic. A line has the mean L1
distance over the total weight of the single continuations and of the scan, their ratio, the coverage of both
68 % bands at the nodes that hold the central 98 % of the weight, the gain in ln evidence, and the CPU seconds
of both. The last line of a family has the means and the largest ratio of a draw.

Draws 100 to 109 of the first eight families served to choose the priors of `continue_scan` and the weights of
their bands; draws 120 to 123 of "edge", "gapped", "softening" and "crossing" served to choose the prior
probability of thresholds. The last two families were written after all choices.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from continuation_scores import central

from sitqmc.continuation import CorrelatorData, continue_correlator, continue_scan, sinh_grid
from sitqmc.runs.paper.studies.study import load_study

DATA = Path(__file__).parent / "data" / "scan.h5"
FINE = sinh_grid(60.0, 0.5, 1500)
OPTIONS = {"n_omega": 160, "n_draws": 60, "threads": 1}


def bump(place, width):
    return np.exp(-0.5 * ((FINE.omega - place) / width) ** 2)


def edge(place, softness, decay):
    return np.exp(-FINE.omega / decay) / (1 + np.exp(-(FINE.omega - place) / softness))


FAMILIES = {
    "moving": lambda p, y: bump(4 - 2.2 * y, 1.2),
    "softening": lambda p, y: bump(3.2 * (1 - 0.75 * y), 0.95 - 0.5 * y) + 0.35 * bump(5, 2.2),
    "splitting": lambda p, y: bump(3 - 1.5 * y, 0.9) + bump(3 + 1.8 * y, 1.0),
    "growing": lambda p, y: bump(3.5, 1.6) + 1.2 * y * bump(0.9, 0.45),
    "sudden": lambda p, y: bump(3.5, 1.5) + (p >= 0.2) * bump(0.9, 0.4),
    "broadening": lambda p, y: bump(3.2 - 1.4 * y, 0.7 + 0.9 * y),
    "crossing": lambda p, y: bump(3.6 - 2.6 * y, 0.7) + 0.8 * edge(2.4, 0.25, 3.0),
    "pair": lambda p, y: bump(1.9 - 1.1 * y, 0.6) + 0.8 * bump(5 - 1.6 * y, 1.1),
    "edge": lambda p, y: edge(1 + 2.2 * y, 0.3, 4.0),
    "transfer": lambda p, y: (1.2 - y) * bump(4.5, 1.4) + (0.2 + y) * bump(1.3, 0.6),
    "gapped": lambda p, y: edge(0.8 + 1.8 * y, 0.15, 5.0) + 0.8 * bump(1.6 + 1.8 * y, 0.5),
    "closing": lambda p, y: edge(3.0 - 2.4 * y, 0.2, 3.5) + 0.6 * bump(3.4 - 2.2 * y, 0.5),
    "narrowing": lambda p, y: bump(2.5, 1.6 - 1.1 * y) + 0.3 * edge(3.5, 0.5, 3.0),
}
"""sigma_reg(omega) of the fraction p of missing bonds, y = (p - 0.05)/0.32."""


def make(points, name, seed):
    """Return truths and noisy data; every family and draw has its own noise."""
    rng = np.random.default_rng([seed, list(FAMILIES).index(name)])
    truths, data = [], []
    for point in points:
        real, p = point.correlator("rho"), point.model.p
        A = FAMILIES[name](p, (p - 0.05) / 0.32)
        shape = real.kernel(FINE.omega) @ (A * FINE.weights)
        A *= (real.mean[-1] - real.mean[0]) / (shape[-1] - shape[0])
        mean = max(real.mean[0], 0.01) + real.kernel(FINE.omega) @ (A * FINE.weights)
        C = real.covariance
        root = np.linalg.cholesky(C + 1e-14 * np.trace(C) * np.eye(len(C)))
        noisy = mean + root @ rng.normal(size=len(C))
        truths.append(A)
        data.append(CorrelatorData.from_mean_cov(
            noisy, C, kind="rho_iw", beta=real.beta, grid=real.grid, n_samples=real.n_samples, eps=real.eps
        ))  # fmt: skip
    return truths, data


def score(spectrum, A):
    """Return L1 distance and coverage."""
    estimate = np.interp(FINE.omega, spectrum.omega, spectrum.values)
    distance = np.sum(np.abs(estimate - A) * FINE.weights) / np.sum(A * FINE.weights)
    truth = np.interp(spectrum.omega, FINE.omega, A)
    low, high = spectrum.band()
    return distance, np.mean(((low <= truth) & (truth <= high))[central(truth * spectrum.grid.weights)])


def run(points, name, seed):
    """Score one draw: print its line, return L1 and coverage of the single continuations and of the scan."""
    truths, data = make(points, name, seed)
    start = time.process_time()
    single = [continue_correlator(one, **OPTIONS) for one in data]
    middle = time.process_time()
    scan = continue_scan(data, [point.model.p for point in points], **OPTIONS)
    end = time.process_time()
    scores = [np.mean([score(s, A) for s, A in zip(found, truths, strict=True)], axis=0)
              for found in (single, scan.spectra)]  # fmt: skip
    (one, one_covered), (joint, joint_covered) = scores
    print(
        f"{name:10s} {seed:3d}  L1 {one:.3f} -> {joint:.3f}  ratio {joint / one:.2f}  "
        f"coverage {one_covered:.2f} -> {joint_covered:.2f}  gain {scan.gain:.1f}  "
        f"seconds {middle - start:.1f} -> {end - middle:.1f}", flush=True,
    )  # fmt: skip
    return one, one_covered, joint, joint_covered


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--families", default=",".join(FAMILIES))
    chosen = parser.parse_args()
    points = load_study(DATA).largest
    for name in chosen.families.split(","):
        draws = range(chosen.first, chosen.first + chosen.draws)
        table = np.array([run(points, name, seed) for seed in draws])
        one, one_covered, joint, joint_covered = table.mean(axis=0)
        print(
            f"{name:10s} all  L1 {one:.3f} -> {joint:.3f}  ratio {joint / one:.2f}  "
            f"coverage {one_covered:.2f} -> {joint_covered:.2f}  "
            f"largest ratio {np.max(table[:, 2] / table[:, 0]):.2f}", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
