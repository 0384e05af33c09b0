"""Make one chain again and compare it with the store, bit for bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config, points
from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.worker import new_chains, records_of
from sitqmc.runs.store.checkpoint import Record
from sitqmc.runs.store.merge import current
from sitqmc.runs.store.run_file import NAME, PointData


def rerun(folder: Path, point: int, sample: int, seed: int | None = None) -> tuple[bool, str]:
    """Whether the chain of a point (its number in `sitqmc plan`) and sample comes out as stored; in words."""
    store = folder / NAME if folder.is_dir() else folder
    if not store.exists():
        raise UserError(f"{store}: there is no run here; give the output.path of a run, or a run.h5")
    head, data, _ = current(store, parts=folder.is_dir())
    config = head.config if seed is None else _seeded(head.config, seed)
    model = _point(config, point)
    stored = next((d for d in data if d.model == model), None)
    seed = config.disorder.seed
    row = _row(stored, seed, sample, point)
    assert stored is not None
    record = remake(config, model, sample)
    differ = [
        name for name, values in record.bins.items()
        if name in stored.bins and values[: stored.n_bins].tobytes() != stored.bins[name][row].tobytes()
    ]  # fmt: skip
    what = f"point {point}, sample {sample}, seed {seed}: "
    what += f"{stored.n_bins} bins of {len(stored.bins)} observables"
    if not differ:
        return True, f"{what}: the same bits as in {store}"
    worst = max(float(np.max(np.abs(record.bins[n][: stored.n_bins] - stored.bins[n][row]))) for n in differ)
    made = head.history[0]
    return False, (
        f"{what}: {', '.join(differ)} differ by up to {worst:.3g} from {store}, which was begun by sitqmc "
        f"{made.get('sitqmc')}, commit {made.get('git')}, numba {made.get('numba')}"
    )


def _seeded(config: Config, seed: int) -> Config:
    """The run of another seed, as it was before runs were pooled."""
    return replace(config, disorder=replace(config.disorder, seed=seed))


def remake(config: Config, model: Model, sample: int) -> Record:
    """The chain of one sample, from the configuration alone."""
    chains = new_chains(config, model, [sample])
    while not chains.finished:
        chains.step()
    return records_of(chains)[0]


def _point(config: Config, point: int) -> Model:
    models = list(points(config))
    if not 0 <= point < len(models):
        raise UserError(f"--point {point}: must be between 0 and {len(models) - 1}, see sitqmc plan")
    return models[point]


def _row(stored: PointData | None, seed: int, sample: int, point: int) -> int:
    pairs = stored.pairs() if stored is not None else []
    if (seed, sample) not in pairs:
        others = sorted({there for there, number in pairs if number == sample})
        hint = f"give --seed {' or '.join(map(str, others))}" if others else "see sitqmc status"
        raise UserError(
            f"--sample {sample}: point {point} has no such sample of seed {seed} on the disk; {hint}"
        )
    return pairs.index((seed, sample))
