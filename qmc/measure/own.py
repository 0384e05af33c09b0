"""Own observables: functions of the link currents that a user adds to the chains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.model.model import Model
from sitqmc.qmc.observables import AVERAGES, OBSERVABLES
from sitqmc.qmc.worm.packing import Layout, Words, currents
from sitqmc.qmc.worm.registers import BLOCK

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OwnObservable:
    """An observable that is measured beside those of the registry.

        def mean_square(J, model):
            return (J[1:] ** 2).mean()

        OwnObservable("J2", "1", "mean square of the current on a bond", mean_square)

    name      in bins, averages and files
    unit      such as "E_J"; "1" without unit
    text      meaning, one line
    function  called as function(J, model) at every measurement with the currents J, int64
              (3, L_tau, Ly, Lx), along time, x and y; returns a number, or an array of `shape`
    shape     of a value; () for a number
    """

    name: str
    unit: str
    text: str
    function: Callable[[NDArray[np.int64], Model], Any]
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name in OBSERVABLES or self.name in AVERAGES:
            raise ValueError(f"own observable {self.name!r}: must be a new name of letters, digits and _")


class OwnSums:
    """Sums and finished bins of own observables of several chains.

    The loop of the chains leaves the words of the last `capacity` measurements; `collect` is called after
    every block of trials.
    """

    def __init__(
        self, own: Sequence[OwnObservable], model: Model, layout: Layout, chains: int, bins: int,
        per_bin: int, stride: float,
    ) -> None:  # fmt: skip
        self.own, self.model, self.layout, self.per_bin = tuple(own), model, layout, per_bin
        names = [one.name for one in own]
        if len(set(names)) < len(names):
            raise ValueError(f"own observables {', '.join(names)}: every name must differ")
        self.sums = {one.name: np.zeros((chains, *one.shape)) for one in own}
        self.bins = {one.name: np.zeros((chains, bins, *one.shape)) for one in own}
        # A measurement takes about `stride` trials; fluctuations by a factor of eight are allowed for.
        self.capacity = min(BLOCK, 8 + int(8 * BLOCK / max(stride, 1.0))) if own else 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return views of all that changes, by name; the first axis is the chain."""
        return {f"sums/{k}": a for k, a in self.sums.items()} | {f"bins/{k}": a for k, a in self.bins.items()}

    def collect(self, snapshots: Words, before: NDArray[np.int64], after: NDArray[np.int64]) -> None:
        """Add the measurements before .. after - 1 of every chain; snapshots (chains, capacity, sites)."""
        if not self.own:
            return
        for c, (first, last) in enumerate(zip(before.tolist(), after.tolist(), strict=True)):
            if last - first > self.capacity:
                raise RuntimeError("own observables: too many measurements in one block of trials")
            for m in range(first, last):
                J = currents(self.model, snapshots[c, m % self.capacity], self.layout)
                for one in self.own:
                    self._add(one, c, m, J)

    def _add(self, one: OwnObservable, c: int, m: int, J: NDArray[np.int64]) -> None:
        value = np.asarray(one.function(J, self.model), float)
        if value.shape != one.shape or not np.all(np.isfinite(value)):
            raise ValueError(
                f"own observable {one.name}: gave {value.shape} numbers or one that is not finite; "
                f"must be finite, of shape {one.shape}"
            )
        self.sums[one.name][c] += value
        if m % self.per_bin == self.per_bin - 1:
            self.bins[one.name][c, m // self.per_bin] = self.sums[one.name][c] / self.per_bin
            self.sums[one.name][c] = 0.0
