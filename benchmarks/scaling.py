"""Cost against system size, and rate against the number of processes.

    python benchmarks/scaling.py [--json FILE] [--ranks 1,2] [--sizes 8,12,16,24,32]

Cost against volume: CPU seconds for one independent sample of rho_s (2 tau_int sweeps) at L_tau = 2 L^1.5,
with the exponent of a power law in the number of space-time sites. Weak scaling: `sitqmc run` simulates the
same number of samples per process, with local processes and, if mpiexec lies beside the interpreter, with MPI
ranks. Efficiency is the rate per process divided by the rate of a single process, in wall time, median over
several rounds. More processes than cores give no information.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sitqmc.qmc import Chains, Model, Schedule

CONFIG = """
[model]
action = "cosine"
eps = 0.1
charging = 3.0
L = 8
L_tau = 46
p = 0.2
[disorder]
samples = {samples}
[schedule]
therm_sweeps = 500.0
bins = 16
measurements_per_bin = 125
[continuation]
blocks = 4
omega_points = 40
[output]
path = "{path}"
"""


def cost(L: int, replicas: int = 4) -> dict[str, float]:
    """Return the CPU seconds per independent sample at one size."""
    model = Model(Lx=L, Ly=L, L_tau=2 * round(L**1.5), eps=0.1, charging=3.0, p=0.2)
    sites = model.sites * model.L_tau
    per_bin = max(4, round(1e8 / (replicas * 16 * 2 * sites)))
    samples = range(replicas)
    chains = Chains(
        model, [model.draw_disorder(1, s) for s in samples], seed=1, samples=samples,
        schedule=Schedule(therm_sweeps=20, bins=16, measurements_per_bin=per_bin),
    )  # fmt: skip
    begun = time.process_time()
    while not chains.finished:
        chains.step()
    seconds = time.process_time() - begun
    results = chains.results()
    sweeps = sum(r.moves for r in results) / sites + 20 * replicas
    measured = np.mean([r.sweeps_per_measurement for r in results])
    tau = max(0.5, float(np.mean([r.tau_int["rho_s_x"] for r in results])) * float(measured))
    return {
        "L": L, "L_tau": model.L_tau, "sites": sites, "tau_sweeps": tau,
        "ns_per_move": seconds / (sweeps * sites) * 1e9, "seconds": 2 * tau * seconds / sweeps,
    }  # fmt: skip


def wall(processes: int, samples: int, mpi: str | None) -> float:
    """Return the wall seconds of a run minus those of a run without samples (start-up and analysis)."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "run.toml"
        config.write_text(CONFIG.format(samples=samples, path=Path(folder) / "out"), encoding="utf-8")
        command = [sys.executable, "-m", "sitqmc", "run", str(config), "-q"]
        command = [mpi, "-n", str(processes), *command] if mpi else [*command, "-n", str(processes)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        times = []
        for _ in range(2):                       # the second run finds all samples made
            begun = time.monotonic()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            times.append(time.monotonic() - begun)
    return times[0] - times[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="8,12,16,24,32")
    parser.add_argument("--ranks", default="1,2")
    parser.add_argument("--samples", type=int, default=48, help="per process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the figures to this file")
    arguments = parser.parse_args()
    rows = [cost(int(L)) for L in arguments.sizes.split(",")]
    print("  L  L_tau     sites  tau/sweeps  ns/move  CPU s per independent sample")
    for row in rows:
        print(f"{row['L']:3d} {row['L_tau']:6d} {row['sites']:9d} {row['tau_sweeps']:11.2f} "
              f"{row['ns_per_move']:8.2f} {row['seconds']:14.3g}")
    exponent = np.polyfit([math.log(r["sites"]) for r in rows], [math.log(r["seconds"]) for r in rows], 1)[0]
    print(f"cost ~ sites^{exponent:.3f}")
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    scaling = []
    for name, launcher in (("local processes", None), ("MPI ranks", mpiexec)):
        if name == "MPI ranks" and mpiexec is None:
            print("MPI ranks: no mpiexec found")
            continue
        counts = [int(r) for r in arguments.ranks.split(",")]
        wall(counts[0], 1, launcher)                 # compiles
        # One after the other, several times: machines are shared and drift.
        rounds = [[wall(n, arguments.samples * n, launcher) for n in counts] for _ in range(arguments.rounds)]
        times = np.array(rounds)
        for i, ranks in enumerate(counts):
            efficiency = float(np.median(times[:, 0] * counts[0] / times[:, i]))
            seconds = [round(t, 1) for t in times[:, i].tolist()]
            scaling.append({"kind": name, "ranks": ranks, "seconds": seconds, "efficiency": efficiency})
            samples = arguments.samples * ranks
            print(f"{ranks} {name}, {samples} samples: {seconds} s, efficiency {efficiency:.3f}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"cost": rows, "exponent": float(exponent), "scaling": scaling}, file, indent=1)


if __name__ == "__main__":
    main()
