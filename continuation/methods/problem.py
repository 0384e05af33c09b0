"""The problem that every method solves, built once from the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sitqmc.continuation.data.constraints import support_factor
from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.default_models import DefaultModel, default_models
from sitqmc.continuation.data.linear_system import LinearSystem, linear_system
from sitqmc.continuation.data.resampling import Replicas, replicas_of
from sitqmc.continuation.data.whitening import WhitenedSystem, whiten
from sitqmc.continuation.kernels.grids import FrequencyGrid, grid_from_nodes
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.options import Options


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that a method may read.

    data       the correlator
    options    choices of the user
    system     equations before whitening; their additive constant is free, or imposed and subtracted
    equations  whitened equations
    factor     (omega,) factor that every prior carries: a gap, a power law
    models     default models, times the factor
    given      default models chosen by the user, without the factor; empty for the standard ones
    replicas   replicas of the data vector, from which statistical errors follow
    """

    data: CorrelatorData
    options: Options
    system: LinearSystem
    equations: WhitenedSystem
    factor: Array
    models: list[DefaultModel]
    given: list[DefaultModel]
    replicas: Replicas

    @property
    def grid(self) -> FrequencyGrid:
        """Frequency grid."""
        return self.equations.grid

    @property
    def kernel(self) -> Array:
        """Whitened kernel (m, omega)."""
        return self.equations.kernel

    @property
    def whitened_data(self) -> Array:
        """Whitened data (m,)."""
        return self.equations.whitened_data

    @cached_property
    def whitened_replicas(self) -> tuple[Array, Array]:
        """Whitened data (n_replicas, m) and the constant at A = 0 (n_replicas,) of every replica."""
        vectors, imposed = self.replicas.vectors, self.system.imposed
        return self.equations.whiten(vectors if imposed is None else self.system.without(vectors, imposed))

    def with_constant(self, value: float) -> Problem:
        """Return the problem with its additive constant imposed instead of solved."""
        system = self.system.with_constant(value)
        return replace(self, system=system, equations=whiten(system))


def pose(data: CorrelatorData, options: Options) -> Problem:
    """Return the problem of a continuation: grid, default models, whitened data."""
    nodes = None if options.omega is None else grid_from_nodes(np.asarray(options.omega), data.two_sided)
    system = linear_system(data, nodes, options.n_omega, options.omega_max)
    factor = support_factor(system.grid.omega, options.gap, options.onset_power)
    models = default_models(system, options.default)
    standard = isinstance(options.default, str) and options.default == "gaussian"
    if options.constant is not None:
        system = system.with_constant(float(options.constant))
    return Problem(
        data=data, options=options, system=system, equations=whiten(system), factor=factor,
        models=[DefaultModel(m.name, m.values * factor) for m in models],
        given=[] if standard else models, replicas=replicas_of(data, options.n_blocks),
    )  # fmt: skip
