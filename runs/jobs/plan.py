"""Cost and greatest risk of a configuration, estimated from a short measured trial."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.model.parameters import ALWAYS, ParameterSpace
from sitqmc.runs.config.config import Config, matsubara_count
from sitqmc.runs.errors import UserError
from sitqmc.runs.formats.own import own_observables
from sitqmc.runs.formatting import columns, size
from sitqmc.runs.jobs.effort import effort_lines
from sitqmc.runs.simulate.worker import new_chains, warm_up
from sitqmc.runs.store.merge import check_folder
from sitqmc.runs.store.run_folder import RunFolder

TRIAL_SECONDS = 5.0          # per lattice size
TRIAL_SIZES = 3              # smallest, middle and largest lattice
CHAIN_TAUS = 20.0            # autocorrelation times in a chain that is long enough
RARE = 8.0                   # the share of measuring follows from measurements so many times rarer
OWN_CALLS = 20               # of every own observable, to know its cost
THERM_TAUS = 10.0            # autocorrelation times in a thermalisation that is long enough
MOST_DONE = 0.5              # a trial that has done more than this share is timed from its start
FEW_SAMPLES = 8


@dataclass(frozen=True)
class Trial:
    """A short chain: ns per site and sweep, tau_int of the slowest observable in sweeps (a lower bound).

    measuring  share of the CPU time that goes into measurements
    own        seconds of one call of every own observable, by its name
    """

    volume: int
    ns: float
    measuring: float
    tau: float
    name: str
    own: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Risk:
    """A risk; `weight` is the excess over its bound and compares risks."""

    weight: float
    text: str


def plan(config: Config, processes: int, trial_seconds: float = TRIAL_SECONDS) -> str:
    """Return points, samples, memory, cost and the greatest risk as text."""
    models = config.models
    trials = list(_trials(config, models, trial_seconds))
    chain = _chain_seconds(config, models, trials)
    hours = {model: config.disorder.samples * chain[model] / 3600 for model in models}
    lines = columns(list(_rows(config, models, hours)))
    total = sum(hours.values())
    samples = config.disorder.samples * len(models)
    memory = max(_memory(config, model) for model in models)
    disk = sum(_disk(config, model) for model in models) * config.disorder.samples
    state = max(_state_size(config, model) for model in models) * config.schedule.interleave
    lines += [
        f"{len(models)} points x {config.disorder.samples} samples = {samples} chains of "
        f"{config.sweeps():g} sweeps",
        f"cost    {total:.3g} core hours, {total / processes:.3g} h with {processes} processes "
        f"(trial: {', '.join(f'{t.ns:.3g} ns per site and sweep at {t.volume} sites' for t in trials)})",
        f"memory  {size(memory)} per process in addition to 200 MB of program",
        f"disk    {size(disk)} for run.h5, {', '.join(_sample_sizes(config, models))} a sample; "
        f"{size(2 * state + 2**23)} per process while running",
        f"measure {', '.join(f'{100 * t.measuring:.0f} % of the time at {t.volume} sites' for t in trials)}",
    ]
    lines += _own_costs(config, trials)
    if config.target.goals:
        goals = [f"{k} {v:g} ({kind})" for k, goal in config.target.goals.items() for kind, v in goal.items()]
        most = config.target.max_samples / config.disorder.samples
        lines.append(f"target  error of {', '.join(goals)}: at most {most:.3g} times the cost")
    lines += _stored_chains(config, models) + effort_lines(config, _look(config, trials))
    risk = max(_risks(config, models, trials, processes), key=lambda r: r.weight)
    lines.append(f"risk    {risk.text}")
    return "\n".join(lines)


def chain_seconds(config: Config, trial_seconds: float = TRIAL_SECONDS) -> dict[Model, float]:
    """Return the CPU time of one chain of every point in s, as `plan` finds it from its trials."""
    return _chain_seconds(config, config.models, list(_trials(config, config.models, trial_seconds)))


def _own_costs(config: Config, trials: Sequence[Trial]) -> list[str]:
    """Return the time that own observables take, as a line of the plan; nothing without any."""
    found = []
    for t in trials:
        between = config.schedule.sweeps_per_measurement * t.volume * t.ns * 1e-9
        share = min(sum(t.own.values()) / between, 1.0)
        costs = ", ".join(f"{name} {1e6 * seconds:.3g} us" for name, seconds in t.own.items())
        found.append(f"{costs} a measurement, {100 * share:.0f} % of the time at {t.volume} sites")
    return [f"own     {'; '.join(found)}"] if any(t.own for t in trials) else []


def _look(config: Config, trials: Sequence[Trial]) -> float:
    """Return the cost of a measurement with its sweeps, in sweeps without measurements."""
    share = float(np.mean([t.measuring for t in trials]))
    return config.schedule.sweeps_per_measurement / max(1 - share, 0.05)


def _sample_sizes(config: Config, models: Sequence[Model]) -> Iterator[str]:
    """Yield the size of a sample in run.h5 for every size of the array."""
    sizes = {(m.Lx, m.Ly, m.L_tau): m for m in models}
    for (Lx, Ly, L_tau), model in sizes.items():
        yield f"{size(_disk(config, model))} ({Lx} x {Ly} x {L_tau})"


def _stored_chains(config: Config, models: Sequence[Model]) -> list[str]:
    """Return how many chains the output folder already holds, or why it cannot be used."""
    folder = RunFolder(config.output.path)
    if not folder.path.exists():
        return []
    try:
        found, ours = check_folder(folder, config), set(models)
    except UserError as error:
        return [f"output  {error}"]
    done = sum(model in ours and bins >= config.schedule.bins for (model, *_), bins in found.finished.items())
    return [f"output  {folder.folder} already holds {done} of these chains; only others will be simulated"]


def _rows(config: Config, models: Sequence[Model], hours: dict[Model, float]) -> Iterator[list[str]]:
    """Yield the head and one row per point."""
    space = ParameterSpace(models, always=(*ALWAYS, "beta"))
    yield ["point", *space.columns, "samples", "core hours"]
    for i, model in enumerate(models):
        yield [str(i), *space.cells(model), str(config.disorder.samples), f"{hours[model]:.3g}"]


def _trials(config: Config, models: Sequence[Model], seconds: float) -> Iterator[Trial]:
    """Yield trials at a few lattice sizes, at the largest p of each, where disorder slows down most."""
    warm_up(models[0])
    by_volume: dict[int, Model] = {}
    for model in models:
        volume = model.sites * model.L_tau
        if volume not in by_volume or model.p > by_volume[volume].p:
            by_volume[volume] = model
    volumes = sorted(by_volume)
    chosen = {volumes[round(i * (len(volumes) - 1) / (TRIAL_SIZES - 1))] for i in range(TRIAL_SIZES)}
    for volume in sorted(chosen):
        yield trial(config, by_volume[volume], seconds)


def trial(config: Config, model: Model, seconds: float) -> Trial:
    """Return the speed of a group of planned chains, stopped after `seconds`, and the share of measuring."""
    spacing = config.schedule.sweeps_per_measurement
    ns, chains = _speed(config, model, seconds * 0.7, spacing)
    rare, _ = _speed(config, model, seconds * 0.3, RARE * spacing)
    measuring = min(max((ns - rare) / ns * RARE / (RARE - 1), 0.0), 1.0)
    tau, name = _slowest(chains) if chains.finished else (float("nan"), "")
    own = _own_seconds(config, model, chains)
    return Trial(model.sites * model.L_tau, ns, measuring, tau * spacing, name, own)


def _own_seconds(config: Config, model: Model, chains: Chains) -> dict[str, float]:
    """Return the CPU time of one call of every own observable, in s."""
    o, currents, found = config.observables, chains.currents()[0], {}
    for one in own_observables(o.own, o.own_hash):
        started = time.process_time()
        with np.errstate(all="ignore"):          # a chain that was stopped may be in the middle of a worm
            for _ in range(OWN_CALLS):
                one.function(currents, model)
        found[one.name] = (time.process_time() - started) / OWN_CALLS
    return found


def _speed(config: Config, model: Model, seconds: float, spacing: float) -> tuple[float, Chains]:
    """Return ns per site and sweep of chains that measure every `spacing` sweeps, and the chains."""
    s, volume = config.schedule, model.sites * model.L_tau
    long = Schedule(
        therm_sweeps=min(s.therm_sweeps, 20.0), bins=1000, measurements_per_bin=1,
        sweeps_per_measurement=spacing, transverse=s.transverse,
    )  # fmt: skip
    group = range(min(s.interleave, config.disorder.samples))
    chains = new_chains(replace(config, schedule=replace(s, **asdict(long))), model, group)
    sweeps = (long.therm_sweeps + long.bins * long.sweeps_per_measurement) * len(group)
    wall = time.monotonic()
    started, first = time.process_time(), chains.progress
    while chains.progress * sweeps < long.therm_sweeps * len(group) and time.monotonic() - wall < seconds / 2:
        chains.step()                            # thermalisation holds no measurements
    if chains.progress < MOST_DONE:              # one step is nearly all of a very small lattice
        started, wall, first = time.process_time(), time.monotonic(), chains.progress
    while not chains.finished and (time.monotonic() - wall < seconds or chains.progress == first):
        chains.step()
    spent = time.process_time() - started
    done = max((chains.progress - first) * sweeps, 1e-9)
    return spent / done / volume * 1e9, chains


def _slowest(chains: Chains) -> tuple[float, str]:
    results = chains.results()
    times = {name: float(np.mean([r.tau_int[name] for r in results])) for name in results[0].tau_int}
    name = max(times, key=lambda key: times[key])
    return times[name], name


def _chain_seconds(config: Config, models: Sequence[Model], trials: Sequence[Trial]) -> dict[Model, float]:
    """Return the CPU time of one chain of every model in s, by the trial nearest in volume."""
    out = {}
    for model in models:
        volume = model.sites * model.L_tau
        nearest = min(trials, key=lambda t: abs(np.log(t.volume / volume)))
        out[model] = config.sweeps() * volume * nearest.ns * 1e-9
    return out


def _arrays(config: Config, model: Model) -> dict[str, Any]:
    return dict(new_chains(config, model, [0]).state())


def _memory(config: Config, model: Model) -> float:
    """Return the memory of a group of chains, with a copy of their state during a checkpoint."""
    return 2.0 * _state_size(config, model) * config.schedule.interleave


def _state_size(config: Config, model: Model) -> int:
    return sum(a.nbytes for a in _arrays(config, model).values())


def _disk(config: Config, model: Model) -> float:
    """Return the bytes of a sample in run.h5."""
    single = ("bins/times", "sums/maps", "sums/waves", "boson")      # see `samples.SINGLE`
    total = 0
    for name, a in _arrays(config, model).items():
        if name in single:
            total += 4 * a.size
        elif name == "bins/distances":               # stored: S_x, S_y, G_far
            total += 8 * a.shape[1] * (model.Lx // 2 + model.Ly // 2 + 3)
        elif name.startswith("bins/"):
            total += a.nbytes
    return float(total)


def _risks(config: Config, models: Sequence[Model], trials: list[Trial], processes: int) -> Iterator[Risk]:
    """Yield what may go wrong, with a weight above 1 where it will."""
    s, samples = config.schedule, config.disorder.samples
    yield Risk(0.0, "none found: check tau_int and thermalisation in the final table")
    sweeps = s.bins * s.measurements_per_bin * s.sweeps_per_measurement
    for t in trials:
        if t.tau == t.tau:
            what = f"tau_int of {t.name} is about {t.tau:.3g} sweeps at {t.volume} sites"
            yield Risk(CHAIN_TAUS * t.tau / sweeps, f"chains too short: {what}, a chain measures {sweeps:g}")
            heat = f"therm_sweeps = {s.therm_sweeps:g}"
            yield Risk(THERM_TAUS * t.tau / s.therm_sweeps, f"thermalisation too short: {what}, {heat}")
    for m in models:
        side = max(m.Lx, m.Ly)
        yield Risk(
            0.5 * side / m.beta if m.beta < side else 0.0,
            f"L_tau too small: beta = {m.beta:g}/E_J at L = {side}: temperature, not size, cuts off low "
            f"frequencies; L_tau = {round(side / m.eps)} makes beta = L",
        )
        correlator = matsubara_count(config, m) + 1
        yield Risk(
            min(correlator, 40) / samples,
            f"too few samples: {samples} for the covariance of {correlator} Matsubara frequencies",
        )
    yield Risk(FEW_SAMPLES / samples, f"too few samples: errors from {samples} of them are uncertain")
    yield Risk(
        0.5 * processes / (samples * len(models)),
        f"too few chains for the machine: {samples * len(models)} chains for {processes} processes",
    )
