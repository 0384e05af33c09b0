"""Speed of the worm: ns per head move, sweeps per second, tau_int, figure of merit.

    python benchmarks/worm.py [--quick] [--json FILE]

Figure of merit: CPU seconds x variance of the mean of rho_s and of rho(i w_1), relative to their squares,
so that half the figure is half the time for the same relative error. Pin it to a core and alternate with
what it is compared with: machines are shared and drift.
"""

import argparse
import json
import time
from collections.abc import Iterator

import numpy as np

from qmc import Chains, Model, Schedule

VILLAIN_K_C = 0.33306704         # Xu, Sun, Lv, Deng, PRB 100, 064525 (2019)


def models(quick: bool) -> Iterator[Model]:
    """Isotropic Villain at K_c, and the cosine action of the published transition, L_tau ~ L^1.5."""
    for L in (16, 32) if quick else (16, 32, 64):
        K = VILLAIN_K_C
        yield Model(Lx=L, Ly=L, L_tau=L, eps=K, charging=1 / K**2, action="villain")
        for p in (0.0, 0.337) if quick else (0.0, 0.2, 0.337):
            yield Model(Lx=L, Ly=L, L_tau=2 * round(L**1.5), eps=0.1, charging=3.0, action="cosine", p=p)


def run(model: Model, moves: float) -> dict[str, float | int | str]:
    """One chain of about `moves` head moves."""
    sites = model.sites * model.L_tau
    per_bin = max(2, round(moves / (32 * 2 * sites)))
    schedule = Schedule(therm_sweeps=20, bins=32, measurements_per_bin=per_bin)
    bonds = model.draw_bonds(1, 0)
    chains = Chains(model, [bonds], seed=1, samples=[0], schedule=schedule)
    while chains.progress * (schedule.bins * per_bin * 2 + 20) < 20:
        chains.step()                            # thermalisation
    begun = time.process_time()
    while not chains.finished:
        chains.step()
    per_chain, result = time.process_time() - begun, chains.results()[0]
    rho_s = (result.bins["rho_s_x"] + result.bins["rho_s_y"]) / 2
    rho_1 = (result.bins["rho_x"][:, 1] + result.bins["rho_y"][:, 1]) / 2
    relative = [bins.var(ddof=1) / len(bins) / max(bins.mean() ** 2, 1e-300) for bins in (rho_s, rho_1)]
    return {
        "action": model.action, "L": model.Lx, "L_tau": model.L_tau, "p": model.p,
        "ns_per_move": per_chain / result.moves * 1e9,
        "sweeps_per_s": result.moves / sites / per_chain,
        "sweeps_per_measurement": result.sweeps_per_measurement,
        "tau_rho_s": result.tau_int["rho_s_x"], "tau_rho_1": result.tau_int["rho_x_1"],
        "merit_rho_s": per_chain * relative[0], "merit_rho_1": per_chain * relative[1],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="small sizes, about half a minute")
    parser.add_argument("--json", help="write the rows to this file")
    arguments = parser.parse_args()
    moves = 2e7 if arguments.quick else 2e8
    warm = Model(Lx=2, Ly=2, L_tau=2, eps=0.5, charging=2.0)
    Chains(warm, np.ones((2, 2, 2), bool), seed=0, sample=0, schedule=Schedule(therm_sweeps=1))
    rows = []
    print("tau in sweeps; ns per move includes the measurements")
    print(f"{'action':8s} {'L':>3s} {'L_tau':>5s} {'p':>6s} {'ns/move':>8s} {'sweeps/s':>9s} "
          f"{'tau rho_s':>9s} {'tau rho_1':>9s} {'s x var rho_s':>13s} {'s x var rho_1':>13s}")
    for model in models(arguments.quick):
        row = run(model, moves)
        rows.append(row)
        sweeps = float(row["sweeps_per_measurement"])
        print(f"{row['action']:8s} {row['L']:3d} {row['L_tau']:5d} {row['p']:6.3f} {row['ns_per_move']:8.2f} "
              f"{row['sweeps_per_s']:9.1f} {row['tau_rho_s'] * sweeps:9.2f} {row['tau_rho_1'] * sweeps:9.2f} "
              f"{row['merit_rho_s']:13.3g} {row['merit_rho_1']:13.3g}", flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
