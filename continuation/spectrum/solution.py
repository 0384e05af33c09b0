"""What every method returns."""

from __future__ import annotations

from dataclasses import dataclass

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.spectrum.diagnostics import AlphaScan
from sitqmc.continuation.spectrum.posterior import Posterior


@dataclass(frozen=True, eq=False)
class Solution:
    """Solution of the whitened equations by one method.

    posterior    holds the reported spectrum
    scan         alpha scan of the reported solution; scans: of every default model, by name
    default      default model (omega,) of the reported solution
    alpha        regularisation strength of the reported solution, NaN if the method has none
    n_effective  number of combinations of the data that determine the spectrum
    description  method and settings in words
    warnings     remarks on the solution
    """

    posterior: Posterior
    scan: AlphaScan
    scans: dict[str, AlphaScan]
    default: Array
    alpha: float
    n_effective: float
    description: str
    warnings: tuple[str, ...] = ()
