"""Speed of the worm: ns per head move, sweeps per second, tau_int, figure of merit.

    python benchmarks/worm.py [--quick] [--replicas 1,8] [--json FILE]

ns/trial is the time of the worm alone; ns/move includes measurements. `measuring` is the fraction of the time
spent on measurements: reading the lattice, windings and Green function. Chains with and without measurements
are timed alternately, because the speed of a shared machine drifts. Figure of merit: CPU seconds times the
relative variance of the mean of rho_s and of rho(i w_1), per chain; half the figure means half the time for
the same relative error. Pin the process to one core.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.chains import loop
from sitqmc.qmc.chains.chains import STEP_TRIALS
from sitqmc.qmc.worm.registers import BLOCK

VILLAIN_K_C = 0.33306704         # Xu, Sun, Lv, Deng, PRB 100, 064525 (2019)
BINS = 16

COLUMNS = (
    ("action", "8s"), ("L", "4d"), ("L_tau", "6d"), ("p", "6.3f"), ("replicas", "9d"),
    ("ns_per_trial", "13.2f"), ("ns_per_move", "12.2f"), ("measuring", "9.3f"),
    ("sweeps_per_s", "13.1f"), ("tau_rho_s", "10.2f"), ("tau_rho_1", "10.2f"), ("merit_rho_s", "12.3g"),
    ("merit_rho_1", "12.3g"), ("bytes_per_site", "15.1f"),
)  # fmt: skip


def models(quick: bool) -> Iterator[Model]:
    """Yield isotropic Villain models at K_c and cosine models of the published transition, L_tau ~ L^1.5."""
    for L in (16, 32) if quick else (16, 32, 64):
        K = VILLAIN_K_C
        yield Model(Lx=L, Ly=L, L_tau=L, eps=K, charging=1 / K**2, action="villain")
        for p in (0.0, 0.337) if quick else (0.0, 0.2, 0.337):
            yield Model(Lx=L, Ly=L, L_tau=2 * round(L**1.5), eps=0.1, charging=3.0, action="cosine", p=p)


def new_chains(model: Model, replicas: int, schedule: Schedule) -> Chains:
    """Return chains on different samples."""
    bonds = [model.draw_disorder(1, s) for s in range(replicas)]
    return Chains(model, bonds, seed=1, samples=range(replicas), schedule=schedule)


def seconds_of_steps(chains: Chains, count: int) -> list[float]:
    """Return the CPU seconds of each of the next steps."""
    out = []
    for _ in range(count):
        begun = time.process_time()
        chains.step()
        out.append(time.process_time() - begun)
    return out


def run(model: Model, replicas: int, moves: float) -> dict[str, float | int | str]:
    """`replicas` chains at once, of about `moves` head moves in all."""
    sites = model.sites * model.L_tau
    per_bin = max(2, round(moves / (replicas * BINS * 2 * sites)))
    schedule = Schedule(therm_sweeps=20, bins=BINS, measurements_per_bin=per_bin)
    chains = new_chains(model, replicas, schedule)
    endless = new_chains(model, replicas, replace(schedule, therm_sweeps=1e9))
    worm, everything, moves_made = [], [], 0
    while not chains.finished:
        counters = chains._replicas.batch.counters
        whole, before = np.all(counters[:, loop.WORMS] > 0), int(counters[:, loop.STEPS].sum())
        (seconds,) = seconds_of_steps(chains, 1)
        worm += seconds_of_steps(endless, 1)
        if whole and not chains.finished:        # the last step is a part of one
            everything.append(seconds)
            moves_made += int(counters[:, loop.STEPS].sum()) - before
    per_trial = float(np.sum(worm)) / (len(worm) * trials_per_step(replicas))
    per_move = float(np.sum(everything)) / moves_made
    results = chains.results()
    made = float(np.mean([r.moves for r in results]))
    sweeps = float(np.mean([r.sweeps_per_measurement for r in results]))
    seconds = per_move * made                    # of one chain
    trials_per_move = 1 + float(np.mean([r.attempts / r.moves for r in results]))
    merits = [
        seconds * np.mean([relative_variance(r.bins[f"{name}_x"], r.bins[f"{name}_y"]) for r in results])
        for name in ("rho_s", "rho")
    ]
    taus = [np.mean([r.tau_int[name] for r in results]) * sweeps for name in ("rho_s_x", "rho_x_1")]
    return {
        "action": model.action, "L": model.Lx, "L_tau": model.L_tau, "p": model.p, "replicas": replicas,
        "ns_per_trial": per_trial * 1e9, "ns_per_move": per_move * 1e9,
        "measuring": 1 - per_trial * trials_per_move / per_move,
        "sweeps_per_s": 1 / sites / per_move,
        "tau_rho_s": float(taus[0]), "tau_rho_1": float(taus[1]),
        "merit_rho_s": float(merits[0]), "merit_rho_1": float(merits[1]),
        "bytes_per_site": chains.layout.dtype.itemsize,
    }  # fmt: skip


def trials_per_step(replicas: int) -> float:
    """Return the trials of all replicas in one step of `Chains`, a multiple of the block."""
    return max(1, round(STEP_TRIALS / (BLOCK * replicas))) * BLOCK * replicas


def relative_variance(x: np.ndarray, y: np.ndarray) -> float:
    """Return the relative variance of the mean of both directions; spectra contribute their value at w_1."""
    bins = (x + y) / 2
    bins = bins[:, 1] if bins.ndim > 1 else bins
    return float(bins.var(ddof=1) / len(bins) / max(bins.mean() ** 2, 1e-300))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="small sizes, about a minute")
    parser.add_argument("--replicas", default="1,8", help="chains at once, a list")
    parser.add_argument("--json", help="write the rows to this file")
    arguments = parser.parse_args()
    rows = []
    print("tau in sweeps; merits in CPU s x relative variance of one chain")
    print(" ".join(f"{name:>{spec.strip('sdfg').split('.')[0]}s}" for name, spec in COLUMNS), flush=True)
    for model in models(arguments.quick):
        for replicas in (int(r) for r in arguments.replicas.split(",")):
            row = run(model, replicas, 1.5e8 if arguments.quick else 4e8)
            rows.append(row)
            print(" ".join(f"{row[name]:{spec}}" for name, spec in COLUMNS), flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest memory of the process: {memory:.0f} MB")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
