"""Repetition of one chain, compared with the stored one bit for bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config
from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.worker import new_chains, records_of
from sitqmc.runs.store.checkpoint import SampleRecord
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.samples import Array, PointSamples, stored_type


def rerun(path: Path, point: int, sample: int, seed: int | None = None) -> tuple[bool, str]:
    """Repeat the chain of a point (its number in `sitqmc plan`) and sample.

    returns  whether it agrees with the stored chain bit for bit, and a line that says so
    """
    folder = RunFolder(path).require()
    header = folder.header
    config = header.config if seed is None else _with_seed(header.config, seed)
    model = _model(config, point)
    stored = next(folder.points([model], ["bins"]), None)
    seed = config.disorder.seed
    row = _row(stored, seed, sample, point)
    assert stored is not None
    record = simulate_again(config, model, sample)
    differ = [
        name for name, values in record.bins.items()
        if name in stored.bins and not _is_stored(name, values[: stored.n_bins], stored.bins[name][row])
    ]  # fmt: skip
    what = f"point {point}, sample {sample}, seed {seed}: "
    what += f"{stored.n_bins} bins of {len(stored.bins)} observables"
    if not differ:
        return True, f"{what}: the same bits as in {folder.path}"
    worst = max(float(np.max(np.abs(record.bins[n][: stored.n_bins] - stored.bins[n][row]))) for n in differ)
    first = header.history[0]
    return False, (
        f"{what}: {', '.join(differ)} differ by up to {worst:.3g} from {folder.path}, which was started by "
        f"sitqmc {first.get('sitqmc')}, commit {first.get('git')}, numba {first.get('numba')}"
    )


def _is_stored(name: str, values: Array, stored: Array) -> bool:
    """Whether these bits were stored, or those of the type in which this array is written by now."""
    written = values.astype(stored_type(f"bins/{name}", values.dtype)).astype(values.dtype)
    return stored.tobytes() in (values.tobytes(), written.tobytes())


def _with_seed(config: Config, seed: int) -> Config:
    """Return the configuration of a run of another seed, as it was before runs were pooled."""
    return replace(config, disorder=replace(config.disorder, seed=seed))


def simulate_again(config: Config, model: Model, sample: int) -> SampleRecord:
    """Return the chain of one sample, from the configuration alone."""
    chains = new_chains(config, model, [sample])
    while not chains.finished:
        chains.step()
    return records_of(chains)[0]


def _model(config: Config, point: int) -> Model:
    if not 0 <= point < len(config.models):
        raise UserError(f"--point {point}: must be between 0 and {len(config.models) - 1}, see sitqmc plan")
    return config.models[point]


def _row(stored: PointSamples | None, seed: int, sample: int, point: int) -> int:
    keys = stored.keys.tolist() if stored is not None else []
    if [seed, sample] not in keys:
        others = sorted({other for other, number in keys if number == sample})
        hint = f"give --seed {' or '.join(map(str, others))}" if others else "see sitqmc status"
        raise UserError(
            f"--sample {sample}: point {point} has no such sample of seed {seed} on the disk; {hint}"
        )
    return keys.index([seed, sample])
