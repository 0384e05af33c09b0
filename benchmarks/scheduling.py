"""Load of the ranks of a run: measured costs, and the scheduler simulated up to 10^4 ranks.

    python benchmarks/scheduling.py [--quick] [--json FILE]

Measured on this machine: speed of a chain, cost of a checkpoint, speed of 2 local processes and of 2 MPI
ranks relative to 1, bytes per sample. Simulated: distribution of the task lists of
`sitqmc.runs.simulate.tasks` to N ranks by one counter. The counter serves one request at a time, and only
between two steps of rank 0 (MPI without asynchronous progress).
"""

import argparse
import heapq
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config, parse_config
from sitqmc.runs.jobs.plan import trial
from sitqmc.runs.simulate.tasks import remaining_tasks
from sitqmc.runs.simulate.worker import new_chains, warm_up
from sitqmc.runs.store.checkpoint import CheckpointWriter, OpenChains
from sitqmc.runs.store.run_folder import Inventory, RunFolder

STEP = 0.1                   # s; rank 0 looks at the network between two steps of `qmc.Chains`
SPREAD = 0.1                 # relative spread of the cost of chains of one point, assumed
Speed = dict[int, float]
"""ns per site and sweep, by L_tau."""

RANKS = (1, 2, 16, 64, 256, 1024, 4096, 10_000)


def configuration(path: str, **changes: Any) -> Config:
    """Return a scan over three sizes and seven dilutions, with the sizes of a cluster or small ones."""
    model = {"eps": 0.1, "charging": 3.0, "L": [16, 24, 32], "L_tau": "2 * round(L**1.5)",
             "p": {"start": 0.0, "stop": 0.3, "step": 0.05}}  # fmt: skip
    table: dict[str, Any] = {
        "model": model,
        "disorder": {"samples": 1000},
        "schedule": {"therm_sweeps": 500, "bins": 32, "measurements_per_bin": 32},
        "output": {"path": path},
    }
    for section, keys in changes.items():
        table[section] = table[section] | keys
    return parse_config(table)


def simulate(durations: Sequence[float], ranks: int, service: float, pause: float) -> tuple[float, float]:
    """Return efficiency and makespan (s) of tasks that ranks take in order.

    service   time the counter needs for one request
    pause     a request waits this long on average for rank 0 to look at the network
    """
    rng = np.random.default_rng(1)
    waits = rng.exponential(pause, len(durations) + ranks) if pause else np.zeros(len(durations) + ranks)
    free = [(0.0, r) for r in range(ranks)]
    heapq.heapify(free)
    counter, end = 0.0, 0.0
    for i, duration in enumerate(durations):
        now, rank = heapq.heappop(free)
        counter = max(counter, now + (waits[i] if rank else 0.0)) + service
        done = counter + duration
        end = max(end, done)
        heapq.heappush(free, (done, rank))
    return sum(durations) / (ranks * end), end


def durations_of(config: Config, ranks: int, speed: Speed) -> list[float]:
    """Return the seconds of the tasks of a run, with a spread between samples."""
    rng = np.random.default_rng(2)
    models = config.models
    tasks = remaining_tasks(config, Inventory(None), dict.fromkeys(models, config.disorder.samples), ranks)
    noise = np.clip(rng.normal(1.0, SPREAD, (len(tasks), config.schedule.interleave)), 0.5, 2)
    return [
        task.cost * speed[models[task.point].L_tau] * 1e-9 * float(noise[i, : len(task.samples)].mean())
        for i, task in enumerate(tasks)
    ]


def scaling(speed: Speed, service: float, samples: int) -> list[dict[str, float]]:
    """Return the efficiency against the number of ranks, for the cluster scan."""
    rows = []
    config = configuration("unused", disorder={"samples": samples})
    for ranks in RANKS:
        durations = durations_of(config, ranks, speed)
        ideal, _ = simulate(durations, ranks, service, 0.0)
        real, end = simulate(durations, ranks, service, 0.5 * STEP)
        rows.append({
            "ranks": ranks, "tasks": len(durations), "hours": end / 3600, "efficiency": real,
            "ideal": ideal, "task_seconds": float(np.mean(durations)),
        })  # fmt: skip
    return rows


def checkpoint(model: Model, group: int) -> dict[str, float]:
    """Return time and size of a checkpoint of `group` open chains."""
    config = configuration("unused")
    with tempfile.TemporaryDirectory() as folder:
        chains = new_chains(config, model, range(group))
        times = []
        for _ in range(5):
            file = CheckpointWriter(Path(folder), config, 0)
            begun = time.monotonic()
            rows = {k: a if a.ndim else np.full(group, a) for k, a in chains.state().items()}
            file.hold(OpenChains(model, tuple(range(group)), rows, 0.5))
            file.flush()
            times.append(time.monotonic() - begun)
        size = max(p.stat().st_size for p in Path(folder).glob("*.h5"))
    return {"L": model.Lx, "L_tau": model.L_tau, "MB": size / 1e6, "ms": 1e3 * float(np.median(times))}


def small(folder: Path, scale: float) -> Path:
    """Write the configuration of a run of equal short chains for this machine."""
    path = folder / "small.toml"
    path.write_text(
        f"""
[model]
eps = 0.1
charging = 3.0
L = 8
L_tau = 40
p = [0.1, 0.3]
[disorder]
samples = {round(32 * scale)}
[schedule]
therm_sweeps = 400
bins = 16
measurements_per_bin = 32
[output]
path = "out"
"""
    )
    return path


def processes(scale: float) -> list[dict[str, float | str]]:
    """Return the wall seconds of the same run on 1 and 2 workers, alternating three times."""
    beside = Path(sys.executable).parent / "mpiexec"
    ways: dict[str, list[str]] = {"1 process": ["-n", "1"], "2 processes": ["-n", "2"]}
    if beside.exists():
        ways |= {"1 rank": [], "2 ranks": []}
    times: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    sizes: list[float] = []
    for _ in range(3):
        for name, arguments in ways.items():
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                before = [str(beside), "-n", name[0]] if "rank" in name else []
                job = ["run", str(small(folder, scale)), "--no-analysis", *arguments]
                command = [*before, sys.executable, "-m", "sitqmc", *job]
                before_it = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu[name].append(after.ru_utime + after.ru_stime - before_it.ru_utime - before_it.ru_stime)
                history = RunFolder(folder / "out").header.history
                times[name].append(history[-1]["wall_seconds"])
                sizes.append((folder / "out/run.h5").stat().st_size / (2 * round(32 * scale)))
    return [
        {"way": name, "seconds": float(np.min(t)), "median": float(np.median(t)), "bytes": sizes[0],
         "cpu_seconds": float(np.min(cpu[name]))}
        for name, t in times.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Costs and scaling of the scheduler.")
    parser.add_argument("--quick", action="store_true", help="simulation and checkpoints only")
    parser.add_argument("--service", type=float, default=5e-6, help="seconds of one fetch-and-add")
    parser.add_argument("--json", help="write everything to this file")
    a = parser.parse_args()
    out: dict[str, Any] = {}

    print("checkpoints of 4 open chains")
    out["checkpoints"] = [checkpoint(m, 4) for m in list(configuration("unused").models)[::7]]
    for row in out["checkpoints"]:
        print(f"  L = {row['L']}, L_tau = {row['L_tau']}: {row['MB']:.1f} MB in {row['ms']:.0f} ms")

    scan = configuration("unused")
    warm_up(scan.models[0])                                    # or the first trial would time the compiler
    speed = {m.L_tau: trial(scan, m, 3.0).ns for m in scan.models if m.p == 0.3}
    out["ns"] = speed
    told = ", ".join(f"{ns:.1f} (L_tau = {k})" for k, ns in speed.items())
    print(f"measured ns per site and sweep: {told}")
    for samples in (1000, 100):
        out[f"scaling_{samples}"] = rows = scaling(speed, a.service, samples)
        print(f"simulated: 21 points x {samples} samples, {1e6 * a.service:g} us per dealing")
        print("   ranks   tasks  mean task (s)  makespan (h)  efficiency  without waiting")
        for r in rows:
            print(f"{r['ranks']:8.0f}{r['tasks']:8.0f}{r['task_seconds']:15.1f}{r['hours']:14.3f}"
                  f"{r['efficiency']:12.3f}{r['ideal']:17.3f}")  # fmt: skip

    if not a.quick:
        out["processes"] = processes(1.0)
        print("the same run here: wall seconds (best, median of 3), CPU seconds with start-up")
        for row in out["processes"]:
            size = row["bytes"] / 1e3
            print(f"  {row['way']:12s} {row['seconds']:7.2f} {row['median']:7.2f} {row['cpu_seconds']:7.2f}"
                  f"   {size:.1f} kB per sample")  # fmt: skip
    if a.json:
        Path(a.json).write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
