"""States of several chains: taken apart by sample, put together again, made longer.

`qmc.Chains.state` gives arrays whose first axis is the chain, but for numbers all chains share. Files hold
one row per sample of everything, so that any samples of a model can go on together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc import Chains

State = dict[str, NDArray[Any]]


def to_rows(state: Mapping[str, NDArray[Any]], count: int) -> State:
    """One row per chain of everything."""
    return {name: a if a.ndim else np.full(count, a) for name, a in state.items()}


def restore(chains: Chains, rows: Sequence[State]) -> None:
    """Let `chains` go on from one state per sample, also from those of shorter chains.

    raises  ValueError if the states do not belong to such chains
    """
    chains.restore({name: _joined(name, a, rows) for name, a in chains.state().items()})


def _joined(name: str, fresh: NDArray[Any], rows: Sequence[State]) -> NDArray[Any]:
    missing = [i for i, row in enumerate(rows) if name not in row]
    if missing:
        raise ValueError(f"state: {name} is missing")
    values = [np.asarray(row[name]) for row in rows]
    if fresh.ndim == 0:
        if any(v != values[0] for v in values):
            raise ValueError(f"state: {name} differs between chains that are to go on together")
        return values[0].astype(fresh.dtype)
    if any(v.shape != values[0].shape for v in values):
        raise ValueError(f"state: {name} has different shapes")
    joined = np.stack(values)
    if joined.shape == fresh.shape:
        return joined
    # A longer chain has more bins: its first axis behind the chains.
    if joined.ndim == fresh.ndim and joined.shape[2:] == fresh.shape[2:] and joined.shape[1] < fresh.shape[1]:
        longer = np.zeros_like(fresh)
        longer[:, : joined.shape[1]] = joined
        return longer
    raise ValueError(f"state: {name} is {joined.shape}, must be {fresh.shape}")
