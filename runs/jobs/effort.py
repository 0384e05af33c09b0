"""Measurements of a sample against samples: what the samples on the disk say about the cheapest schedule."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc import Model, PointAverages
from sitqmc.qmc.observables import row_of
from sitqmc.qmc.statistics.allocation import NoiseSource, balance_effort
from sitqmc.qmc.statistics.control_variates import FEW
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.run import Run
from sitqmc.runs.store.run_folder import RunFolder

Array = NDArray[np.float64]

SCALARS = ("rho_s", "kappa", "minus_k")
SHAPE = "shape of rho(i w_n)"
"""Second differences between frequencies: thermal noise alone, at every strength of disorder."""

THERM_TAUS = 30.0            # autocorrelation times in the proposed thermalisation
POINTS = 3                   # points that are looked at: first, middle and last


def effort_lines(config: Config, look: float) -> list[str]:
    """Return the proposed schedule, as lines of a plan.

    look  cost of a measurement with its sweeps, in sweeps
    """
    folder = RunFolder(config.output.path)
    if not folder.path.exists():
        return [f"effort  no samples yet: from {FEW} samples of a point on, the plan proposes a schedule"]
    try:
        run = Run(folder, config)
        points = [model for model in run.models if _count(run, model) >= FEW]
        places = {round(i * (len(points) - 1) / (POINTS - 1)) for i in range(POINTS)} if points else set()
        found = [_sources(run, points[i]) for i in sorted(places)]
    except UserError as error:
        return [f"effort  {error}"]
    if not found:
        return [f"effort  too few samples: from {FEW} samples of a point on, the plan proposes a schedule"]
    return _proposal(config, look, [s for sources, _ in found for s in sources], max(t for _, t in found))


def _count(run: Run, model: Model) -> int:
    rows = run.folder.rows(model)
    return 0 if rows is None else len(rows)


def _sources(run: Run, model: Model) -> tuple[list[NoiseSource], float]:
    """Return the sources of noise of one point, and the longest autocorrelation time in sweeps."""
    s = run.config.schedule
    averages = run.measured(model).averages(run.config.continuation.estimator)
    bins = next(run.folder.points([model], [f"bins/{name}" for name in _bins()])).bins
    sources = [_source(model, averages, name, bins, s.measurements_per_bin) for name in SCALARS]
    tau = max(check.tau_int for name, check in averages.checks.items() if name in _bins())
    return [*sources, NoiseSource(SHAPE, 0.0, 1.0)], tau * s.sweeps_per_measurement


def _bins() -> list[str]:
    return [part for name in SCALARS for part in (row_of(name).of or (name,))]


def _source(
    model: Model, averages: PointAverages, name: str, bins: Mapping[str, Array], per_bin: int
) -> NoiseSource:
    """Split the variance of an average between samples into thermal noise and what is left of disorder."""
    parts = [bins[part] for part in row_of(name).of or (name,)]
    values = np.mean(parts, axis=0) if model.Lx == model.Ly else parts[0]
    thermal = float(values.var(axis=1, ddof=1).mean())
    total = float(averages.values[name].error) ** 2 * averages.n_samples
    return NoiseSource(name, max(total - thermal / values.shape[1], 0.0), thermal * per_bin)


def _proposal(config: Config, look: float, sources: Sequence[NoiseSource], tau: float) -> list[str]:
    s = config.schedule
    now = s.bins * s.measurements_per_bin
    sweeps = 10 * math.ceil(THERM_TAUS * tau / 10)
    balance = balance_effort(sources, therm=sweeps / look, pilot=now)
    n = balance.measurements
    ratios: dict[str, float] = {}
    for one in sources:
        ratio = one.cost(n, sweeps / look) / one.cost(now, s.therm_sweeps / look)
        ratios[one.name] = max(ratio, ratios.get(one.name, 0.0))
    costs = ", ".join(f"{name} {ratio:.2g}" for name, ratio in ratios.items())
    share = (sweeps + n * look) / (s.therm_sweeps + now * look)
    return [
        f"effort  {n} measurements a sample (now {now}) after therm_sweeps = {sweeps} (now "
        f"{s.therm_sweeps:g}); a sample then costs {share:.2g} of now",
        f"        cost of the same error, over that of now, worst point: {costs}",
    ]
