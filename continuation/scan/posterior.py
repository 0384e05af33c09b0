"""Average over the priors of a scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.process import systematic_picks
from sitqmc.continuation.scan.process import ScanMode

NEGLIGIBLE = 1e-2          # probability below which a prior is left out, unless all are that improbable:
SHARE_OF_BEST, MOST_MODES = 0.1, 40          # then the most probable ones above this share of the largest


@dataclass(frozen=True, eq=False)
class ScanMixture:
    """Modes with two sets of probabilities (modes,), each of sum 1.

    weights        from evidence times preference, of the reported spectra
    error_weights  from the evidence alone, of bands and samples

    A preference makes the mean better and the bands too narrow: it leaves out spectra that the data allow.
    68 % bands of eight kinds of synthetic scans covered 43 to 64 % with `weights`, 61 to 76 % with
    `error_weights`.
    """

    modes: list[ScanMode]
    weights: Array
    error_weights: Array

    @property
    def probabilities(self) -> dict[str, float]:
        """Name of a prior -> its probability in the reported spectra."""
        return {m.prior.name: float(w) for m, w in zip(self.modes, self.weights, strict=True) if w > 0.0}

    def picks(self, count: int) -> list[ScanMode]:
        """Return the mode of every one of `count` samples."""
        return [self.modes[int(i)] for i in systematic_picks(self.error_weights, count)]


def averaged(modes: list[ScanMode]) -> ScanMixture:
    """Return the modes that are not negligible in one of their two probabilities."""
    evidence = np.array([mode.log_evidence for mode in modes])
    weights = _probabilities(evidence + np.array([mode.prior.preference for mode in modes]))
    error_weights = _probabilities(evidence)
    kept = np.flatnonzero(weights + error_weights)
    return ScanMixture([modes[int(i)] for i in kept], weights[kept], error_weights[kept])


def _probabilities(logs: Array) -> Array:
    """Return probabilities from their logarithms up to a constant; negligible ones are 0."""
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    weights[weights <= min(NEGLIGIBLE, SHARE_OF_BEST * float(weights.max()))] = 0.0
    weights[np.argsort(-weights, kind="stable")[MOST_MODES:]] = 0.0
    return np.asarray(weights / weights.sum())
