"""Replicas of the data vector, from which every statistical error is computed.

The variance of any function f of the data is factor * sum over replicas of (f_r - mean f)^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.kernels.kernels import Array

MAX_BLOCKS = 400          # delete-one up to here, delete-block above
PROPAGATION_STEP = 0.1    # in standard deviations, when only a covariance is known


@dataclass(frozen=True)
class Replicas:
    """Data vectors (n_replicas, rows), the factor of the variance formula, and how they were made."""

    vectors: Array
    factor: float
    method: str

    def covariance(self, table: Array) -> Array:
        """Return the covariance (f, f) of quantities (n_replicas, f) computed on the replicas."""
        centred = table - table.mean(axis=0)
        return self.factor * centred.T @ centred

    def error(self, table: Array) -> Array:
        """Return the standard errors (...) of quantities (n_replicas, ...)."""
        return np.asarray(np.sqrt(self.factor * np.sum((table - table.mean(axis=0)) ** 2, axis=0)))


def jackknife_replicas(samples: Array, n_blocks: int | None = None) -> Replicas:
    """Return delete-one (or delete-block, consecutive samples) means of samples (n_samples, rows)."""
    n = len(samples)
    blocks = min(n, MAX_BLOCKS) if n_blocks is None else n_blocks
    if not 2 <= blocks <= n:
        raise ValueError(f"n_blocks = {blocks}: need 2 <= n_blocks <= number of samples, {n}")
    groups = np.array_split(np.arange(n), blocks)
    total = samples.sum(axis=0)
    means = np.array([(total - samples[g].sum(axis=0)) / (n - len(g)) for g in groups])
    name = "delete-one jackknife" if blocks == n else f"delete-block jackknife, {blocks} blocks"
    return Replicas(means, (blocks - 1) / blocks, name)


def propagation_replicas(vector: Array, covariance: Array) -> Replicas:
    """Return symmetric steps along the principal axes of the covariance: linear error propagation."""
    values, vectors = np.linalg.eigh(covariance)
    axes = PROPAGATION_STEP * (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return Replicas(
        np.vstack([vector + axes, vector - axes]), 0.5 / PROPAGATION_STEP**2, "propagation of the covariance"
    )


def replicas_of(data: CorrelatorData, n_blocks: int | None = None) -> Replicas:
    """Return jackknife replicas if the data hold samples, else propagation of the covariance."""
    if data.samples is not None:
        replicas = jackknife_replicas(data.samples, n_blocks)
        # Constraints do not fluctuate with the samples; the posterior contains their errors.
        fixed = np.tile([constraint.value for constraint in data.constraints], (len(replicas.vectors), 1))
        return Replicas(np.hstack([replicas.vectors, fixed]), replicas.factor, replicas.method)
    if n_blocks is not None:
        raise ValueError(f"n_blocks = {n_blocks}: these data hold no samples; build them by from_samples")
    return propagation_replicas(data.vector(), data.joint_covariance())
