"""Worm Monte Carlo of the disordered (2+1)D quantum rotor model in link currents.

    from qmc import Model, Schedule, run_chain

    model = Model(Lx=8, Ly=8, L_tau=40, eps=0.1, charging=3.0, action="cosine", p=0.1)
    result = run_chain(model, model.draw_bonds(seed=1, sample=0), seed=1, sample=0)
    result.bins["rho_s_x"].mean()

Chains as long as an error asks for, and their thermalisation: `qmc.adaptive`. Critical points:
`qmc.crossings`, `qmc.collapse`; the limit eps -> 0: `qmc.trotter`.
Energies in E_J, times in 1/E_J. This room knows nothing of files, MPI or the command line.
"""

from qmc.actions import ACTIONS, LinkTable, space_links, time_links
from qmc.adaptive import StartCheck, compare_starts, run_to_error
from qmc.averages import Check, PointAverages, average_point, per_sample
from qmc.chain import OBSERVABLES, ChainResult, Chains, Schedule, run_chain
from qmc.disorder import Disorder, make_disorder
from qmc.effort import covariance_components, further_bins, further_samples, plan_effort, variance_components
from qmc.lattice import currents, empty_lattice
from qmc.model import Model
from qmc.series import SeriesError, agree, blocking, gamma_method
from qmc.statistics import (
    Estimate,
    autocorrelation_time,
    average,
    binned_error,
    bins_to_forget,
    covariance,
    frozen_samples,
    jackknife,
    outliers,
    squared_mean,
    start_z,
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
    "SeriesError",
    "StartCheck",
    "agree",
    "autocorrelation_time",
    "average",
    "average_point",
    "binned_error",
    "bins_to_forget",
    "blocking",
    "compare_starts",
    "covariance",
    "covariance_components",
    "currents",
    "empty_lattice",
    "frozen_samples",
    "further_bins",
    "further_samples",
    "gamma_method",
    "jackknife",
    "make_disorder",
    "outliers",
    "per_sample",
    "plan_effort",
    "run_chain",
    "run_to_error",
    "space_links",
    "squared_mean",
    "start_z",
    "thermalisation_z",
    "time_links",
    "variance_components",
]
