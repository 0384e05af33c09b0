"""Chains of the length that an error needs, and thermalisation compared between hot and cold starts.

    check = compare_hot_cold(model, disorder, seed=1, samples=range(8))
    schedule = Schedule(therm_sweeps=check.therm_sweeps)
    results = run_to_error(model, disorder, {"rho_s_x": 2e-3}, seed=1, samples=range(8), schedule=schedule)

`qmc.statistics.allocation` splits the work of a disorder average between samples and sweeps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.qmc.chains.bins import ChainResult
from sitqmc.qmc.chains.chains import Chains
from sitqmc.qmc.chains.schedule import Schedule
from sitqmc.qmc.chains.start import Start
from sitqmc.qmc.model.disorder import Disorder
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.observables import SCALARS
from sitqmc.qmc.statistics.allocation import missing_bins
from sitqmc.qmc.statistics.thermalisation import burn_in_bins, hot_cold_z
from sitqmc.result import Result

Array = NDArray[np.float64]

STARTS_DIFFER = 4.0
"""Largest |z| of the bins of both starts that passes."""

SLOW = ("rho_s_x", "rho_s_y", "kappa", "energy")
"""Observables that are compared: windings change by whole worms only, the energy by every move."""


def run_to_error(
    model: Model,
    disorder: Sequence[ArrayLike | Disorder],
    target: Mapping[str, float],
    *,
    seed: int,
    samples: Sequence[int],
    schedule: Schedule | None = None,
    max_bins: int = 1024,
    n_max: int | None = None,
) -> list[ChainResult]:
    """Run one chain per sample, each lengthened until its own thermal errors are below `target`.

    target    scalar of the bins -> wanted standard error, in the unit of `OBSERVABLES`
    schedule  its bins are the shortest chain; chains that miss a target are doubled, up to max_bins bins
    disorder, seed, samples, n_max   as for `Chains`
    raises    ValueError for a target that is not a scalar or not positive, or max_bins below schedule.bins

    The length of a chain follows from its own bins alone, not from the other chains. A chain of max_bins may
    miss its target.
    """
    schedule = schedule or Schedule()
    for name, error in target.items():
        if name not in SCALARS:
            raise ValueError(f"target {name!r}: must be a scalar of the bins, one of {', '.join(SCALARS)}")
        if not (error > 0 and math.isfinite(error)):
            raise ValueError(f"target {name} = {error}: an error must be positive and finite")
    if max_bins < schedule.bins:
        raise ValueError(f"max_bins = {max_bins}: must be at least the {schedule.bins} bins of the schedule")
    found: dict[int, ChainResult] = {}
    open_chains, state = list(range(len(samples))), None
    while True:
        chains = Chains(
            model, [disorder[i] for i in open_chains], seed=seed, samples=[samples[i] for i in open_chains],
            schedule=schedule, n_max=n_max,
        )  # fmt: skip
        if state is not None:
            chains.restore(state)
        found |= dict(zip(open_chains, _finished(chains), strict=True))
        missed = [k for k, i in enumerate(open_chains) if _misses(found[i], target)]
        if not missed or schedule.bins == max_bins:
            return [found[i] for i in range(len(samples))]
        open_chains = [open_chains[k] for k in missed]
        state = {name: a[missed] for name, a in chains.state().items()}
        schedule = replace(schedule, bins=min(2 * schedule.bins, max_bins))


def _finished(chains: Chains) -> list[ChainResult]:
    while not chains.finished:
        chains.step()
    return chains.results()


def _misses(result: ChainResult, target: Mapping[str, float]) -> bool:
    """Return whether an error is above its target."""
    return any(missing_bins(result.bins[name][None], error)[0] > 0 for name, error in target.items())


@dataclass(frozen=True)
class StartCheck(Result):
    """Comparison of cold starts (no currents) with hot ones (random currents), on the same samples.

    z             name -> difference in standard errors, over all bins of the schedule
    burn_in_bins  leading bins to drop until the two agree; None if they never do
    therm_sweeps  thermalisation after which both agree: sweeps of the schedule and these bins; NaN if none
    warnings      one line each
    """

    z: dict[str, float]
    burn_in_bins: int | None
    therm_sweeps: float
    warnings: list[str]


def compare_hot_cold(
    model: Model,
    disorder: Sequence[ArrayLike | Disorder],
    *,
    seed: int,
    samples: Sequence[int],
    schedule: Schedule | None = None,
    names: Sequence[str] = SLOW,
) -> StartCheck:
    """Run every sample from both starts, with different random numbers, and compare.

    schedule  a short therm_sweeps shows how much is needed; 1 sweep and 64 short bins if None
    names     scalars of the bins that are compared; eight samples or more give the safest errors
    raises    ValueError for a name that is not a scalar of the bins
    """
    unknown = [name for name in names if name not in SCALARS]
    if unknown or not names:
        raise ValueError(f"names = {', '.join(unknown) or 'none'}: must be scalars of the bins")
    schedule = schedule or Schedule(therm_sweeps=1, bins=64, measurements_per_bin=4, sweeps_per_measurement=1)
    starts: tuple[Start, Start] = ("cold", "hot")
    cold, hot = (
        _bins(Chains(model, disorder, seed=seed, samples=samples, chain=c, schedule=schedule, start=s), names)
        for c, s in enumerate(starts)
    )
    z = dict(zip(names, np.ravel(hot_cold_z(cold, hot)).tolist(), strict=True))
    burn_in = burn_in_bins(cold, hot, STARTS_DIFFER)
    per_bin = schedule.measurements_per_bin * schedule.sweeps_per_measurement
    sweeps = schedule.therm_sweeps + (math.nan if burn_in is None else burn_in * per_bin)
    return StartCheck(z, burn_in, sweeps, _warnings(z, burn_in, schedule))


def _bins(chains: Chains, names: Sequence[str]) -> Array:
    """Return the bins, (samples, bins, names)."""
    return np.stack([np.stack([r.bins[name] for name in names], axis=-1) for r in _finished(chains)])


def _warnings(z: Mapping[str, float], burn_in: int | None, schedule: Schedule) -> list[str]:
    differ = [f"{name} ({value:+.1f} sigma)" for name, value in z.items() if abs(value) > STARTS_DIFFER]
    if burn_in is None:
        return [f"cold and hot chains never agree within {schedule.bins} bins: not ergodic, or far too short"]
    if differ:
        return [f"cold and hot chains differ after {schedule.therm_sweeps:g} sweeps: {', '.join(differ)}"]
    return []
