"""Information of an average per look and per CPU second: plain estimators against improved ones.

    python benchmarks/information.py [--quick] [--data FOLDER] [--json FILE]

The same chains give both (cosine action, L_tau = 8 L, eps E_J = 0.1, E_C/E_J = 3). A look is one measurement.
The factor per look is the variance of the plain disorder mean over that of the improved one. Per CPU second
it is divided by the ratio of the CPU times of chains with and without responses by wave vector, which take
turns on the same machine. Of responses the second differences between n = 1, 2, 3, 4, 6, 8, 11, 15, 20 count,
which shape a spectrum.
Pulls: improved less plain over the error of the difference, in which the spread between fits counts; largest
over all frequencies.

    python benchmarks/information.py --kept

compares the kept data of the paper with those that they replaced (L = 16, L_tau = 128, 400 masks, 256 looks,
plain estimators): information on sigma(omega) along directions that the replaced data resolved.

    python benchmarks/information.py --grow K

continues data that the kept spectra of the diluted array would give with K times the masks, and prints the
lowest peaks of sigma and chi_s'' beside those of now: what would resolve them. Five CPU minutes.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import CorrelatorData, continue_scan, higgs_scales
from sitqmc.continuation.kernels.kernels import current_kernel
from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.statistics.improved import Average, improved_averages
from sitqmc.qmc.statistics.point_averages import sample_means
from sitqmc.runs.paper.studies.spectra import OPTIONS, SpectrumCache, SpectrumSummary
from sitqmc.runs.paper.studies.study import DATA, ReducedPoint, load_study

Array = NDArray[np.float64]

FREQUENCIES = (1, 2, 3, 4, 6, 8, 11, 15, 20)
TOGETHER = 8
SEED = 1
SCALARS = ("rho_s", "kappa", "minus_k")
BEFORE = Path(__file__).parent / "data" / "rho_before.npz"
"""Covariance of rho(i w_n) of the data that the kept ones replaced."""
OMEGA = np.geomspace(0.05, 40.0, 240)
DIRECTIONS = range(2, 8)
"""Directions of the spectrum that are compared, by falling information; the first two hold its weight."""
WANTED = 10.0


@dataclass(frozen=True)
class Case:
    """Chains of one point: so many masks, and looks at each."""

    L: int
    p: float
    masks: int
    looks: int

    @property
    def model(self) -> Model:
        return Model(Lx=self.L, Ly=self.L, L_tau=8 * self.L, eps=0.1, charging=3.0, action="cosine", p=self.p)

    @property
    def schedule(self) -> Schedule:
        return Schedule(therm_sweeps=60.0, bins=8, measurements_per_bin=self.looks // 8)

    @property
    def name(self) -> str:
        return f"L{self.L}_p{self.p:g}_{self.masks}x{self.looks}"


CASES = (
    Case(16, 0.05, 240, 128), Case(16, 0.1, 240, 128), Case(16, 0.25, 240, 128), Case(16, 0.337, 240, 128),
    Case(32, 0.1, 120, 64), Case(32, 0.25, 120, 64), Case(12, 0.1, 480, 320), Case(12, 0.337, 480, 320),
)
QUICK = (Case(8, 0.1, 64, 32), Case(8, 0.337, 64, 32))


def simulate(case: Case) -> dict[str, Array]:
    """Averages of every sample and responses by wave vector (K_T, chi_s_q) of a case."""
    model, pieces = case.model, []
    for first in range(0, case.masks, TOGETHER):
        numbers = range(first, min(first + TOGETHER, case.masks))
        chains = Chains(
            model, [model.draw_disorder(SEED, s) for s in numbers], seed=SEED, samples=numbers,
            schedule=case.schedule,
        )  # fmt: skip
        while not chains.finished:
            chains.step()
        results = chains.results()
        bins = {name: np.stack([r.bins[name] for r in results]) for name in results[0].bins}
        waves = {name: np.stack([r.maps[name] for r in results]) for name in ("K_T", "chi_s_q")}
        pieces.append(sample_means(model, bins) | waves)
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def kept(case: Case, folder: Path | None) -> dict[str, Array]:
    """Samples of a case, from a file of an earlier call if there is one."""
    path = folder / f"{case.name}.npz" if folder else None
    if path and path.exists():
        return dict(np.load(path))
    samples = simulate(case)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **samples)
    return samples


def cost_ratio(case: Case, rounds: int = 3) -> float:
    """CPU time of chains that measure responses by wave vector, over that of others; least of some rounds."""
    looks = max(16, min(case.looks, 2048 // case.L))
    schedule, seconds = Schedule(therm_sweeps=1.0, bins=4, measurements_per_bin=looks // 4), {}
    for round_number in range(rounds + 1):
        for transverse in (False, True):
            chains = Chains(
                case.model, [case.model.draw_disorder(SEED, s) for s in range(TOGETHER)], seed=SEED,
                samples=range(TOGETHER), schedule=replace(schedule, transverse=transverse),
            )  # fmt: skip
            begun = time.process_time()
            while not chains.finished:
                chains.step()
            if round_number:                     # the first one compiles
                seconds.setdefault(transverse, []).append(time.process_time() - begun)
    return min(seconds[True]) / min(seconds[False])


def second_differences(n: NDArray[np.int64], covariance: Array) -> Array:
    """Variances of the second differences between neighbouring FREQUENCIES."""
    places = [list(n).index(f) for f in FREQUENCIES if f in n]
    D = np.zeros((len(places) - 2, len(n)))
    for i in range(len(D)):
        D[i, places[i]], D[i, places[i + 1]], D[i, places[i + 2]] = 1.0, -2.0, 1.0
    return np.asarray(np.einsum("ij,jk,ik->i", D, covariance, D))


def largest_pull(improved: Average, plain: Array) -> float:
    """Largest pull between the improved and the plain mean."""
    difference = improved.samples - plain
    spread = 0.0 if improved.fit is None else np.diag(improved.fit.systematic)
    error = np.sqrt(difference.var(axis=0, ddof=1) / len(difference) + spread)
    moving = error > 1e-9 * np.abs(plain.mean(axis=0)).max()
    return float(np.max(np.abs(difference.mean(axis=0)[moving] / error[moving]), initial=0.0))


def rows_of(case: Case, samples: dict[str, Array], ratio: float) -> list[dict[str, object]]:
    """Rows of the table: quantity, factor per look, and per CPU second, largest pull, chi^2/dof."""
    model, keys = case.model, np.stack([np.full(case.masks, SEED), np.arange(case.masks)], axis=1)
    waves = {name: samples[name] for name in ("K_T", "chi_s_q")}
    middle = samples["G_k0"][:, model.L_tau // 2]
    given = {name: samples[name] for name in (*SCALARS, "rho", "chi_s")} | {"G(k=0, beta/2)": middle}
    found = improved_averages(model, given, waves, keys, names=tuple(given))
    out: list[dict[str, object]] = []

    def row(name: str, factors: Array, pull: float, quality: float | None = None) -> None:
        out.append({
            "L": case.L, "p": case.p, "what": name, "per look": np.round(factors, 1).tolist(),
            "per CPU second": np.round(factors / ratio, 1).tolist(), "pull": round(pull, 1), "chi2": quality,
        })  # fmt: skip

    for name in (*SCALARS, "G(k=0, beta/2)"):
        row(name, np.atleast_1d(found[name].gain), largest_pull(found[name], given[name]))
    for name in ("rho", "chi_s"):
        one = found[name]
        assert one.n is not None
        assert one.fit is not None
        plain = given[name][:, one.n]
        deviation = plain - plain.mean(axis=0)
        covariance = deviation.T @ deviation / (len(plain) * (len(plain) - 1))
        factors = second_differences(one.n, covariance) / second_differences(one.n, one.covariance)
        chi2 = round(one.fit.chi2 / one.fit.dof, 2)
        row(f"{name}: second differences", factors, largest_pull(one, plain), chi2)
        some = [k for k in range(len(one.n)) if one.n[k] in (0, 1, 2, 4, 8, 20)]
        where = ", ".join(str(one.n[k]) for k in some)
        row(f"{name} at n = {where}", one.gain[some], largest_pull(one, plain))
    return out


def information(covariance: Array, n: NDArray[np.int64], beta: float, eps: float) -> Array:
    """Return a matrix A, (directions, len(OMEGA)): the information on a spectrum a(OMEGA) is |A a|^2.

    rho_s is eliminated: it may be any constant. A spectrum is counted per unit of ln omega.
    """
    values, vectors = np.linalg.eigh(covariance)
    good = values > 1e-10 * values.max()
    white = (vectors[:, good] / np.sqrt(values[good])).T
    kernel = white @ (current_kernel(n, OMEGA, beta, eps) * np.sqrt(np.gradient(OMEGA) / OMEGA))
    constant = white.sum(axis=1)
    constant /= np.linalg.norm(constant)
    return np.asarray(kernel - np.outer(constant, constant @ kernel))


def kept_factors() -> dict[float, tuple[int, Array]]:
    """Return by p the masks of the kept data and their information over that of the replaced data.

    Directions are the right singular vectors v of the information of the replaced data. The factor of a
    direction is |A v|^2 of the kept data over that of the replaced data.
    """
    before = np.load(BEFORE)
    n, beta, eps = before["n"], float(before["beta"]), float(before["eps"])
    L_tau = round(beta / eps)
    points = {point.model.p: point for point in load_study(DATA / "medium_dirty.h5").at(16, L_tau)}
    out = {}
    for p, lower in zip(before["p"].tolist(), before["lower"], strict=True):
        covariance = np.zeros((n.size, n.size))
        covariance[np.tril_indices(n.size)] = lower
        A = information(covariance + np.tril(covariance, -1).T, n, beta, eps)
        _, resolved, v = np.linalg.svd(A, full_matrices=False)
        rho = points[p].responses["rho"]
        B = information(rho.covariance, rho.grid, beta, eps)
        out[p] = (points[p].n_samples, np.sum((B @ v.T) ** 2, axis=0)[: len(resolved)] / resolved**2)
    return out


def print_kept() -> None:
    """Print the factors of the kept data, and how many masks bring the least of them to WANTED."""
    print(f"information of the kept rho(i w_n) over that of the replaced data, directions {DIRECTIONS.start} "
          f"to {DIRECTIONS.stop - 1}")
    for p, (masks, factors) in kept_factors().items():
        some = factors[DIRECTIONS.start : DIRECTIONS.stop]
        mean = float(np.exp(np.log(some).mean()))
        needed = 100 * np.ceil(masks * max(WANTED / some.min(), 1) / 100)
        print(f"p = {p:<6g} {masks} masks: {', '.join(f'{x:.1f}' for x in some)}; geometric mean {mean:.1f}; "
              f"{WANTED:g} in all of them: {needed:.0f} masks")


def grown(point: ReducedPoint, curve: SpectrumSummary, name: str, k: float, seed: int) -> CorrelatorData:
    """Return data of a kept spectrum, sigma or chi_s'', with noise of the covariance over k."""
    given = point.correlator(name)
    # Both kernels are against the even function: sigma in 1/(2 pi), chi''/omega.
    even = curve.value / (2 * np.pi) if name == "rho" else curve.value / np.maximum(curve.omega, 1e-6)
    mean = given.kernel(curve.omega) @ (even * np.gradient(curve.omega))
    weight = np.linalg.solve(given.covariance, np.ones(len(mean)))
    mean += weight @ (given.mean - mean) / weight.sum()        # rho_s, or the contact term
    noise = np.random.default_rng(seed).multivariate_normal(np.zeros(len(mean)), given.covariance / k)
    return replace(given, mean=mean + noise, covariance=given.covariance / k)


def print_grown(k: float) -> None:
    """Print the lowest peaks of sigma and chi_s'' by p, now and with k times the masks."""
    points = load_study(DATA / "medium_dirty.h5").largest
    kept = SpectrumCache([DATA / "medium_spectra.json"], None).get(points)
    assert kept is not None
    p = [point.model.p for point in points]
    joint = []
    for curve, name in (("sigma", "rho"), ("scalar", "chi_s")):
        pairs = enumerate(zip(points, kept, strict=True))
        data = [grown(q, r.spectra[curve], name, k, SEED + i) for i, (q, r) in pairs]
        joint.append(continue_scan(data, p, **OPTIONS).spectra)
    for value, before, sigma, scalar in zip(p, kept, *joint, strict=True):
        now = higgs_scales(sigma, scalar, None)
        print(f"p = {value:<6g} sigma {before.scales['m_h_sigma']} -> {now.m_h_sigma}, "
              f"chi_s'' {before.scales['m_h_scalar']} -> {now.m_h_scalar}")


def main() -> None:
    parser = argparse.ArgumentParser(description="information per look and per CPU second")
    parser.add_argument("--quick", action="store_true", help="small arrays, few masks")
    parser.add_argument("--data", type=Path, help="folder that keeps the samples between calls")
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--kept", action="store_true", help="kept data of the paper against replaced ones")
    parser.add_argument("--grow", type=float, metavar="K", help="peaks with K times the masks")
    arguments = parser.parse_args()
    if arguments.grow:
        print_grown(arguments.grow)
        return
    if arguments.kept:
        print_kept()
        return
    rows = []
    for case in QUICK if arguments.quick else CASES:
        samples, ratio = kept(case, arguments.data), cost_ratio(case)
        stored = samples["K_T"][0].nbytes + samples["chi_s_q"][0].nbytes
        print(f"L = {case.L}, p = {case.p:g}: {case.masks} masks x {case.looks} looks, "
              f"CPU time x {ratio:.2f}, {stored / 1000:.1f} kB a sample", flush=True)
        for row in rows_of(case, samples, ratio):
            rows.append(row | {"cpu ratio": ratio})
            quality = "" if row["chi2"] is None else f"  chi2/dof {row['chi2']}"
            print(f"  {row['what']}: per look {row['per look']}, per CPU second {row['per CPU second']}, "
                  f"pull {row['pull']}{quality}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
