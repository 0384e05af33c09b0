"""Worm Monte Carlo of the disordered (2+1)D quantum rotor model in link currents.

    from qmc import Model, Schedule, run_chain

    model = Model(Lx=8, Ly=8, L_tau=40, eps=0.1, charging=3.0, action="cosine", p=0.1)
    result = run_chain(model, model.draw_bonds(seed=1, sample=0), seed=1, sample=0)
    result.bins["rho_s_x"].mean()

Energies in E_J, times in 1/E_J. This room knows nothing of files, MPI or the command line.
"""

from qmc.actions import ACTIONS, LinkTable, space_links, time_links
from qmc.averages import Check, PointAverages, average_point, per_sample
from qmc.chain import OBSERVABLES, ChainResult, Chains, Schedule, run_chain
from qmc.disorder import Disorder, make_disorder
from qmc.lattice import currents, empty_lattice
from qmc.model import Model
from qmc.statistics import (
    Estimate,
    autocorrelation_time,
    average,
    binned_error,
    covariance,
    jackknife,
    squared_mean,
    thermalisation_z,
)

__all__ = [
    "ACTIONS",
    "OBSERVABLES",
    "ChainResult",
    "Chains",
    "Check",
    "Disorder",
    "Estimate",
    "LinkTable",
    "Model",
    "PointAverages",
    "Schedule",
    "autocorrelation_time",
    "average",
    "average_point",
    "binned_error",
    "covariance",
    "currents",
    "empty_lattice",
    "jackknife",
    "make_disorder",
    "per_sample",
    "run_chain",
    "space_links",
    "squared_mean",
    "thermalisation_z",
    "time_links",
]
