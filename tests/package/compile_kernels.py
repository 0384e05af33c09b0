"""Compile the kernels that most tests need, once, into the cache that all processes of the suite share.

    python tests/package/compile_kernels.py worms
    python tests/package/compile_kernels.py continuation
    python tests/package/compile_kernels.py electrodynamics

Two workers that start with an empty cache would each compile nearly everything. `conftest` runs these parts
side by side before the workers start, if the whole suite was asked for and nothing is compiled yet.
"""

import sys

import numpy as np

from sitqmc import analytic
from sitqmc.continuation import CorrelatorData, continue_correlator
from sitqmc.qmc import Model, Schedule, run_chain


def worms() -> None:
    """Run one short chain with tabulated couplings and one with couplings given link by link."""
    schedule = Schedule(therm_sweeps=5, bins=4, measurements_per_bin=2)
    for spread in (0.0, 0.3):
        model = Model(Lx=4, Ly=4, L_tau=8, eps=0.2, charging=3.0, action="cosine", p=0.1, spread_J=spread)
        run_chain(model, model.draw_disorder(1, 0), seed=1, sample=0, schedule=schedule)


def continuation() -> None:
    """Continue a broad spectrum from a few frequencies with every compiled method."""
    n = np.arange(12)
    mean = 1 / (1 + (2 * np.pi * n / 8.0) ** 2)
    samples = mean * (1 + 1e-3 * np.random.default_rng(1).normal(size=(60, n.size)))
    data = CorrelatorData.from_samples(samples, kind="rho_iw", beta=8.0, grid=n, eps=0.25)
    for method in ("maxent", "process", "sampling"):
        continue_correlator(data, method=method, n_omega=60, n_draws=20, n_blocks=4)


def electrodynamics() -> None:
    """Compute one conductivity of every kind, a tunnelling curve and a transmission."""
    nu = np.array([0.4, 1.0])
    sigma = analytic.dynes_conductivity(nu, 1.0, 0.1, 5.0, 2.0)
    analytic.finite_scattering_conductivity(nu, 1.0, 5.0, 2.0)
    analytic.matsubara_conductivity(np.array([1, 2]), 1.0, 5.0, 2.0, 0.1)
    analytic.tunnelling_conductance(nu, 1.0, 0.1, 2.0)
    substrate = analytic.Substrate(thickness_um=1000.0, index=3.1)
    film = analytic.FilmOnSubstrate(film_nm=20.0, substrate=substrate)
    analytic.transmission(nu, 1e5 * sigma, film)


PARTS = {"worms": worms, "continuation": continuation, "electrodynamics": electrodynamics}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
