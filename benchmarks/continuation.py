"""Accuracy of the continuation and coverage of its bands, on synthetic data with known truth.

    python benchmarks/continuation.py --quick                    # library, three draws, minutes on one core
    python benchmarks/continuation.py --methods process,maxent,ana_cont:chi2kink --out library.jsonl
    python benchmarks/continuation.py --kinds fixed --draws 20 --slow-draws 5 --workers 2 --out full.jsonl
    python benchmarks/continuation.py --report benchmarks/data/continuation.jsonl.gz      # stored

Kinds: "learn", "held", "blind" and "second" are the sets of the library (`continuation_library`, random
parameters for every draw); it says which of them may guide choices. "fixed" are the twelve truths of this
file.

Every (truth, noise, draw, method) is one line of the output file. A killed run resumes from the file. The
tables are printed from the file. Methods: all methods of the package; "maxent:RULE" for another rule for
alpha; "consensus" for the pointwise median of the methods with the pooled band; "ana_cont:chi2kink" and
"ana_cont:bryan" for the public package ana_cont, if it is installed. "consensus" and "ana_cont:bryan" are
slow and get fewer draws. ana_cont gets the same whitened equations (exact kernel, full covariance, Hartlap
factor, rho_s eliminated), the same frequency grid and a Gaussian default model, with alpha from 1e12
downwards. A table counts the sets where the L1 distance of `process` is within a factor 1.25 of the best
of ana_cont.

Noise: relative to the largest value of the correlator, correlated between neighbouring points. Scores:
    L1        distance over the total weight
    peak      error of the position of the main peak (cut at 2 true widths) over its width
    dc, D_s   error of the dc value over the largest value; error of D_s over <-k_x>
    coverage  fraction of the grid nodes with the central 98 % of the weight where the 68 % band covers the
              truth: pointwise, and with both averaged over the resolution
    features  fraction of all quantities below within one error
    chi^2 per equation; CPU seconds
Quantities with intervals: A at resolved frequencies (resolution below omega), pointwise and averaged over the
resolution, dc, peak, half width, onset, weights, first moment, D_s, f-sum. "open tail" marks integrals about
which the tail above the data decides: these are not resolved (`Spectrum.depends_on_tail`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from continuation_library import BLIND, HELD, LEARN, SECOND, draw_case
from continuation_scores import FINE, NOISES, OPEN_TAIL, central, pulls
from scipy.stats import binom

from sitqmc.continuation import (
    CorrelatorData,
    consensus,
    continue_correlator,
    current_kernel,
    tau_kernel,
)
from sitqmc.continuation.data.default_models import gaussian_models
from sitqmc.continuation.data.linear_system import linear_system
from sitqmc.continuation.data.whitening import whiten
from sitqmc.continuation.spectrum.features import find_peaks

EPS, N_POINTS, N_SAMPLES = 0.1, 41, 200


def bump(w, centre, width):
    return np.exp(-0.5 * ((w - centre) / width) ** 2)


def step(x):
    return 1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))


def spread_gap(w):
    """Return a spectrum averaged over disorder: gaps between 1 and 4, each with its own peak."""
    gaps = np.linspace(1.0, 4.0, 13)
    return sum(np.exp(-np.clip(w - g, 0, None) / 1.5) * step((w - g) / 0.15) for g in gaps) / len(gaps) * 0.15


@dataclass(frozen=True)
class Case:
    """Truth A(omega), kind of data, D_s, and (position, width) of the main peak at omega > 0."""

    truth: Callable[[np.ndarray], np.ndarray]
    kind: str = "rho_iw"
    beta: float = 10.0
    stiffness: float = 0.2
    peak: tuple[float, float] | None = None
    noise: str = "gaussian"
    kinetic: bool = False


CASES = {
    "drude + lorentzian": Case(
        lambda w: 0.2 / (1 + (w / 0.5) ** 2) ** 1.5 + 0.6 * w**2 / ((w**2 - 16) ** 2 + (2 * w) ** 2),
        peak=(4.0, 2.0),
    ),
    "gap + higgs + continuum": Case(
        lambda w: 0.25 * bump(w, 3, 0.5) + 0.05 * np.exp(-w / 4) * step((w - 5) / 0.3),
        peak=(3.0, 1.2),
        stiffness=0.4,
    ),
    "insulator, sharp edge": Case(
        lambda w: 0.2 * np.sqrt(np.clip(w - 2, 0, None)) * np.exp(-np.clip(w - 2, 0, None) / 1.5),
        peak=(2.75, 2.5),
        stiffness=0.0,
    ),
    "onset w^5 + peak": Case(
        lambda w: 0.2 * (w / 2) ** 5 / (1 + (w / 2) ** 5) * np.exp(-w / 5) + 0.2 * bump(w, 2.5, 0.4),
        peak=(2.53, 1.1),
    ),
    "quantum critical": Case(
        lambda w: 0.06 * np.exp(-((w / 12) ** 2)) * (1 + 0.3 * np.exp(-w / 0.8)),
        stiffness=0.0,
    ),
    "narrow drude": Case(
        lambda w: 0.5 / (1 + (w / 0.15) ** 2) ** 2 + 0.08 * bump(w, 4, 2),
        peak=(4.0, 4.7),
        stiffness=0.05,
    ),
    "two peaks": Case(
        lambda w: 0.2 * bump(w, 1.2, 0.4) + 0.15 * bump(w, 5, 1.0),
        peak=(1.2, 0.95),
    ),
    "delta + continuum, f-sum": Case(
        lambda w: 0.1 * w**2 / (1 + w**2) * np.exp(-w / 5),
        peak=(2.02, 6.0),
        stiffness=0.5,
        kinetic=True,
    ),
    "boson quasi-particle": Case(
        lambda w: 0.6 * bump(w, 2, 0.15) + 0.05 * np.exp(-w / 5) * step((w - 4) / 0.4),
        kind="green_tau",
        peak=(2.0, 0.35),
    ),
    "scalar w^3 + peak": Case(
        lambda w: 0.1 * w**2 / (1 + (w / 3) ** 4) * np.exp(-w / 4) + 0.3 * bump(w, 1.6, 0.35),
        kind="chi_tau",
        beta=16.0,
        peak=(1.70, 0.9),
    ),
    "average over disorder": Case(
        spread_gap,
        beta=14.0,
        stiffness=0.1,
        noise="disorder",
    ),
    "few heavy-tailed bins": Case(
        lambda w: 0.12 * bump(w, 4, 1.5) + 0.05 * np.exp(-w),
        peak=(3.98, 3.5),
        noise="heavy",
    ),
}


def exact(case: Case) -> np.ndarray:
    """Return the exact data of a case, with <-k_x> appended for rho_iw."""
    A = case.truth(FINE.omega) * FINE.weights
    if case.kind == "rho_iw":
        rows = current_kernel(np.arange(N_POINTS), FINE.omega, case.beta, EPS) @ A
        return case.stiffness + np.append(rows, 2 / np.pi * A.sum())
    return tau_kernel(times(case), FINE.omega, case.beta) @ A


def times(case: Case) -> np.ndarray:
    return EPS * np.arange(1, 1 + N_POINTS) * max(1, int(case.beta / (2 * EPS) / N_POINTS))


def draw(case: Case, noise: float, seed: int) -> CorrelatorData:
    """Return samples whose mean has the given relative noise; each (case, noise, seed) has its own stream."""
    place = next(i for i, other in enumerate(CASES.values()) if other is case)
    clean, rng = exact(case), np.random.default_rng([seed, place, round(-10 * np.log10(noise))])
    index, count = np.arange(clean.size), 40 if case.noise == "heavy" else N_SAMPLES
    root = np.linalg.cholesky(np.exp(-np.abs(index[:, None] - index) / 6.0) + 1e-9 * np.eye(clean.size))
    normal = rng.normal(size=(count, clean.size)) @ root.T
    if case.noise == "heavy":
        normal /= np.sqrt(rng.chisquare(3.0, size=(count, 1)) / 3.0) * np.sqrt(3.0)
    if case.noise == "disorder":
        # Every sample has its own strength and stiffness, far above the noise of one Markov chain.
        common = rng.normal(size=(count, 2))
        normal = 0.2 * normal + common[:, :1] * clean / clean.max() + 0.5 * common[:, 1:]
    table = clean + noise * np.abs(clean).max() * np.sqrt(count) * normal
    if case.kind == "rho_iw":
        extra = table[:, -1] if case.kinetic else None
        return CorrelatorData.from_samples(
            table[:, :-1], kind="rho_iw", beta=case.beta, grid=np.arange(N_POINTS), eps=EPS, kinetic=extra
        )
    return CorrelatorData.from_samples(table, kind=case.kind, beta=case.beta, grid=times(case), eps=EPS)


def score(case, s) -> dict:
    """Return all scores of one spectrum of this package."""
    result = shape_scores(case, s.omega, s.values, s.grid.weights)
    truth, (low, high) = case.truth(s.omega), s.band()
    nodes = central(truth * s.grid.weights)
    resolved = nodes & (s.resolution < s.omega)
    result["coverage"] = float(np.mean((low <= truth)[nodes] & (truth <= high)[nodes]))
    seen, (seen_low, seen_high) = s.smeared(truth), s.resolved_band()
    inside = (seen_low <= seen) & (seen <= seen_high)
    result["resolved"] = float(np.mean(inside[nodes]))
    result["width"] = float(np.mean((high - low)[nodes]) / truth.max())
    if resolved.any():
        result["A pointwise"] = float(np.mean(((low <= truth) & (truth <= high))[resolved]))
        result["A averaged"] = float(np.mean(inside[resolved]))
    if s.stiffness is not None:
        kinetic = case.stiffness + 2 / np.pi * (truth @ s.grid.weights)
        result["stiffness"] = abs(s.stiffness.value - case.stiffness) / kinetic
    result["pulls"] = pulls(case, s)
    result["features"] = float(np.mean([abs(pull) <= 1.0 for pull in result["pulls"].values()]))
    result["chi2"] = s.chi2 / s.n_data
    return result


def peak_of(case) -> tuple[float, float] | None:
    """Return position and width of the main peak of a truth at omega > 0; None if there is none."""
    if isinstance(case, Case):
        return case.peak
    found = find_peaks(FINE.omega, case.truth(FINE.omega), 0.1)
    return (found[0].position, found[0].width) if found else None


def shape_scores(case: Case, omega, values, weights) -> dict:
    """Return the scores that need no error bars."""
    truth = case.truth(omega)
    result = {
        "L1": float(np.abs(values - truth) @ weights / (truth @ weights)),
        "dc": float(abs(values[0] - truth[0]) / truth.max()),
    }
    place = peak_of(case)
    if place is not None:
        found = find_peaks(omega, values)
        result["peak"] = min(2.0, abs(found[0].position - place[0]) / place[1]) if found else 2.0
    return result


def run_own(method: str) -> Callable[[Case, CorrelatorData], dict]:
    name, _, rule = method.partition(":")

    def run(case: Case, data: CorrelatorData) -> dict:
        if name == "ana_cont":
            return peer_scores(case, data, rule)
        if name == "consensus":
            return consensus_scores(case, data)
        options = {"alpha_rule": rule} if rule else {}
        return score(case, continue_correlator(data, method=name, **options))

    return run


def consensus_scores(case: Case, data: CorrelatorData) -> dict:
    """Return the scores of the median of the voting methods and the coverage of the pooled band."""
    c = consensus(data)
    truth, (low, high) = case.truth(c.omega), c.band()
    nodes = central(truth * c.grid.weights)
    return shape_scores(case, c.omega, c.median, c.grid.weights) | {
        "agreed": c.agreed_share,
        "coverage": float(np.mean((low <= truth)[nodes] & (truth <= high)[nodes])),
        "chi2": c.best.chi2 / c.best.n_data,
    }


def peer_scores(case: Case, data: CorrelatorData, rule: str) -> dict:
    """ana_cont on the whitened equations; its trapz is gone from numpy >= 2.4 and supplied here."""
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid  # noqa: NPY201
    from ana_cont import solvers

    system = linear_system(data)
    grid, equations, models = system.grid, whiten(system), gaussian_models(system)
    white, offset = equations.whitened_data, equations.constant_at_zero
    density = equations.kernel.copy()

    class Kernel:
        """Kernel of ana_cont around a given matrix."""

        def __init__(self, **_: object) -> None:
            self.matrix = density

        def rotate_to_cov_eb(self, ucov: np.ndarray) -> None:
            self.matrix = ucov.T @ density

        def real_matrix(self) -> np.ndarray:
            return self.matrix

        def blur(self, values: np.ndarray) -> np.ndarray:
            return values

        blur_width = 0.0

    original, solvers.kernels.Kernel = solvers.kernels.Kernel, Kernel
    try:
        solver = solvers.MaxentSolverSVD(
            np.arange(len(white), dtype=float), grid.omega, white, kernel_mode="freq_bosonic",
            model=models[len(models) // 2].values, stdev=np.ones(len(white)), verbose=False,
        )  # fmt: skip
        if rule == "bryan":
            answer = solver.solve_bryan(alphastart=1e6)[0]
        else:
            answer = solver.solve_chi2kink(alpha_start=1e12, alpha_end=1e-3, alpha_div=10.0)[0]
    finally:
        solvers.kernels.Kernel = original
    values = np.asarray(answer.A_opt, dtype=float)
    result = shape_scores(case, grid.omega, values, grid.weights)
    x = values * grid.weights
    result["chi2"] = float(np.sum((white - equations.kernel @ x) ** 2) / len(white))
    if equations.constant_kernel is not None and data.kind == "rho_iw":
        truth = case.truth(grid.omega) @ grid.weights
        found = max(offset - float(equations.constant_kernel @ x), 0.0)
        result["stiffness"] = abs(found - case.stiffness) / (case.stiffness + 2 / np.pi * truth)
    return result


HALVES = {
    "learn": tuple(LEARN), "held": tuple(HELD), "blind": tuple(BLIND), "second": tuple(SECOND),
    "fixed": tuple(CASES),
}  # fmt: skip
SLOW = ("consensus", "ana_cont:bryan")
Task = tuple[int, str, float, tuple[str, ...]]


def records_of(task: Task) -> list[dict]:
    """Return one record per method of one data set (draw, truth, noise, methods)."""
    seed, name, noise, methods = task
    fixed = CASES.get(name)
    case, data = draw_case(name, noise, seed) if fixed is None else (fixed, draw(fixed, noise, seed))
    out = []
    for method in methods:
        start = time.process_time()
        try:
            result = run_own(method)(case, data)
        except Exception as error:      # a failure is a result of the benchmark
            result = {"failed": str(error)}
        out.append({"key": (method, name, noise, seed), "seconds": time.process_time() - start} | result)
    return out


def one_thread() -> None:
    """Limit the threads of a worker: workers share the cores."""
    os.environ["OMP_NUM_THREADS"] = "1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three draws at noise 1e-2 to 1e-4")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--kinds", default="learn,held", help="of learn, held, blind, second and fixed")
    parser.add_argument("--slow-draws", type=int, default=5, help=f"draws of {', '.join(SLOW)}")
    parser.add_argument("--methods", default="process,maxent,maxent:classic,sampling,sparse,consensus")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("continuation_benchmark.jsonl"))
    parser.add_argument("--report", type=Path, help="only print the table of such a file")
    options = parser.parse_args()
    if options.report:
        report(options.report, options.draws, NOISES)
        return
    draws, noises = (3, NOISES[:3]) if options.quick else (options.draws, NOISES)
    tasks = missing(options, draws, noises)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), initializer=one_thread) as pool:
        run = pool.map(records_of, tasks) if options.workers > 1 else map(records_of, tasks)
        for i, records in enumerate(run, 1):
            with options.out.open("a") as file:
                file.writelines(json.dumps(record) + "\n" for record in records)
            if i % 48 == 0 or i == len(tasks):
                print(f"{i} of {len(tasks)} data sets done", flush=True)
    report(options.out, draws, noises)


def missing(options: argparse.Namespace, draws: int, noises: tuple[float, ...]) -> list[Task]:
    """Return the data sets and methods that are not yet in the file."""
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {tuple(json.loads(line)["key"]) for line in lines}
    tasks = []
    for seed in range(draws):
        for name in (name for half in options.kinds.split(",") for name in HALVES[half]):
            for noise in noises:
                methods = tuple(
                    m for m in options.methods.split(",")
                    if (m, name, noise, seed) not in done and (m not in SLOW or seed < options.slow_draws)
                )
                if methods:
                    tasks.append((seed, name, noise, methods))
    return tasks


COLUMNS = ("L1", "peak", "dc", "stiffness", "coverage", "resolved", "width", "features", "chi2", "seconds")


def report(path: Path, draws: int, noises: tuple[float, ...]) -> None:
    """Print, for every half of the kinds: means by method and noise, L1 by kind and noise, coverage."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    records = [json.loads(line) for line in text.decode().splitlines()]
    records = [r for r in records if r["key"][3] < draws and r["key"][2] in noises]
    for half, names in HALVES.items():
        mine = [r for r in records if r["key"][1] in names]
        if mine:
            print(f"\n=== {half}: {len(names)} kinds")
            means(mine, noises)
            by_kind(mine, names, noises)
            by_quantity(mine, noises)
            coverage_by_kind(mine, names)
            compare_with_peers(mine, names, noises)


def means(records: list[dict], noises: tuple[float, ...]) -> None:
    """Print the means of all scores by method and noise."""
    def row(label: str, chosen: list[dict]) -> None:
        values = [[r[c] for r in chosen if r.get(c) is not None] for c in COLUMNS]
        cells = [f"{np.mean(v):9.4f}" if v else "        -" for v in values]
        print(f"{label:30s}{''.join(cells)}  failed {sum('failed' in r for r in chosen)}")

    print(f"{'':30s}{''.join(f'{c:>9s}' for c in COLUMNS)}")
    for method in dict.fromkeys(r["key"][0] for r in records):
        row(f"{method}, all", [r for r in records if r["key"][0] == method])
        for noise in noises:
            row(f"  noise {noise:g}", [r for r in records if r["key"][0] == method and r["key"][2] == noise])


def by_kind(records: list[dict], names: tuple[str, ...], noises: tuple[float, ...]) -> None:
    """Print L1 by kind and noise."""
    for method in dict.fromkeys(r["key"][0] for r in records):
        print(f"L1 of {method:34s}" + "".join(f"{noise:9g}" for noise in noises) + "      all")
        for name in names:
            mine = [r for r in records if r["key"][:2] == [method, name] and "L1" in r]
            if mine:
                print_line(name, [[r["L1"] for r in mine if r["key"][2] == noise] for noise in noises], 3)


def print_line(name: str, cells: list[list], digits: int = 2, end: str = "") -> None:
    """Print the mean of every cell, and of all."""
    columns = [*cells, [x for cell in cells for x in cell]]
    text = "".join(f"{np.mean(c):9.{digits}f}" if c else "        -" for c in columns)
    print(f"  {name:38s}{text}{end}")


def by_quantity(records: list[dict], noises: tuple[float, ...]) -> None:
    """Print the share of 68 % intervals that hold the truth, by quantity and noise."""
    for method in dict.fromkeys(r["key"][0] for r in records if "pulls" in r):
        print(f"coverage of {method:28s}" + "".join(f"{noise:9g}" for noise in noises) + "      all   factor")
        mine = [r for r in records if r["key"][0] == method and "pulls" in r]
        for name in ("A pointwise", "A averaged"):
            having = [r for r in mine if name in r]
            print_line(name, [[r[name] for r in having if r["key"][2] == noise] for noise in noises])
        for name in dict.fromkeys(name for r in mine for name in r["pulls"]):
            having = [r for r in mine if name in r["pulls"]]
            cells = [[abs(r["pulls"][name]) <= 1 for r in having if r["key"][2] == noise] for noise in noises]
            factor = np.quantile([abs(r["pulls"][name]) for r in having], 0.6827)
            counts = " ".join(f"{len(cell)}" for cell in cells)
            print_line(name, cells, end=f"{factor:9.2f}  of {counts}")


def coverage_by_kind(records: list[dict], names: tuple[str, ...]) -> None:
    """Print, for `process`, the share of all resolved numbers of a kind inside their 68 % intervals.

    Then, by quantity, the share of kinds with 60 to 80 % inside, beside that of perfect intervals: a few
    independent draws of a kind scatter by counting alone.
    """
    mine = [r for r in records if r["key"][0] == "process" and "pulls" in r]
    print("coverage of process by kind           numbers   A pointwise")
    for name in names:
        own = [r for r in mine if r["key"][1] == name]
        inside = [abs(v) <= 1 for r in own for q, v in r["pulls"].items() if OPEN_TAIL not in q]
        nodes = [r["A pointwise"] for r in own if "A pointwise" in r]
        if inside:
            print(f"  {name:36s}{np.mean(inside):9.2f}{np.mean(nodes) if nodes else np.nan:9.2f}")
    print("kinds with 60 to 80 % inside, of those with six cases; perfect intervals; scatter of the kinds")
    quantities = dict.fromkeys(q for r in mine for q in r["pulls"] if OPEN_TAIL not in q)
    for quantity in quantities:
        having = [r for r in mine if quantity in r["pulls"]]
        cases = [[abs(r["pulls"][quantity]) <= 1 for r in having if r["key"][1] == name] for name in names]
        cases = [case for case in cases if len(case) >= 6]
        if cases:
            shares = np.array([np.mean(case) for case in cases])
            by_chance = np.mean([share_inside(len(case)) for case in cases])
            found = np.mean(is_wanted(shares))
            print(f"  {quantity:36s}{found:9.2f}{by_chance:9.2f}{shares.std():9.2f}")


def share_inside(n: int) -> float:
    """Return the probability that n perfect 68 % intervals hold the truth in 60 to 80 % of the cases."""
    k = np.arange(n + 1)
    return float(binom.pmf(k, n, 0.6827)[is_wanted(k / n)].sum())


def is_wanted(shares: np.ndarray) -> np.ndarray:
    """Return which shares lie between 60 and 80 %, ends included."""
    return abs(shares - 0.7) < 0.1001


def compare_with_peers(records: list[dict], names: tuple[str, ...], noises: tuple[float, ...]) -> None:
    """Print the number of sets (truth, noise) where `process` is within 1.25 of ana_cont (draws averaged)."""

    def mean(method: str, name: str, noise: float) -> float:
        found = [r["L1"] for r in records if r["key"][:3] == [method, name, noise] and "L1" in r]
        return float(np.mean(found)) if found else np.inf

    peers = sorted({r["key"][0] for r in records if r["key"][0].startswith("ana_cont")})
    if not peers:
        return
    sets = [(name, noise) for name in names for noise in noises]
    ratios = np.array([mean("process", *s) / min(mean(peer, *s) for peer in peers) for s in sets])
    print(f"process over the best peer of each set: within 1.25 on {np.sum(ratios <= 1.25)} of {len(sets)}, "
          f"better on {np.sum(ratios < 1.0)}, median ratio {np.median(ratios):.2f}")
    best_of = np.mean([min(mean(peer, *s) for peer in peers) for s in sets])
    print(f"mean L1 of the best peer of each set: {best_of:.3f}")


if __name__ == "__main__":
    main()
