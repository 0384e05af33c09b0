"""Compile the kernels that most tests need, once, into the cache that all processes of the suite share.

    python tests/package/compile_kernels.py worms_of_32_bits maxent_and_sampling electrodynamics masks
    python tests/package/compile_kernels.py process worms_of_64_bits

Two workers that start with an empty cache would each compile nearly everything. `conftest` runs these two
commands side by side before the workers start, if the whole suite was asked for and nothing is compiled yet.
They take equally long. The second one meets the worms when the first has compiled what both widths share.
"""

import sys

import numpy as np

from sitqmc import analytic
from sitqmc.continuation import CorrelatorData, continue_correlator
from sitqmc.qmc import Model, Schedule, run_chain
from sitqmc.qmc.model.link_weights import Action
from sitqmc.qmc.model.mask_functions import network_functions


def run_worms(action: Action, spread_J: float) -> None:
    """Run one short chain."""
    model = Model(Lx=4, Ly=4, L_tau=8, eps=0.2, charging=3.0, action=action, p=0.1, spread_J=spread_J)
    schedule = Schedule(therm_sweeps=5, bins=4, measurements_per_bin=2)
    run_chain(model, model.draw_disorder(1, 0), seed=1, sample=0, schedule=schedule)


def worms_of_32_bits() -> None:
    """Run a chain whose sites are words of 32 bits, with tabulated couplings."""
    run_worms("cosine", 0.0)


def worms_of_64_bits() -> None:
    """Run a chain whose sites are words of 64 bits, with couplings given link by link."""
    run_worms("cosine", 0.3)


def continue_with(*methods: str) -> None:
    """Continue a broad spectrum from a few frequencies."""
    n = np.arange(12)
    mean = 1 / (1 + (2 * np.pi * n / 8.0) ** 2)
    samples = mean * (1 + 1e-3 * np.random.default_rng(1).normal(size=(60, n.size)))
    data = CorrelatorData.from_samples(samples, kind="rho_iw", beta=8.0, grid=n, eps=0.25)
    for method in methods:
        continue_correlator(data, method=method, n_omega=60, n_draws=20, n_blocks=4)


def process() -> None:
    """Continue with the Gaussian process, which takes longest to compile."""
    continue_with("process")


def maxent_and_sampling() -> None:
    """Continue with the other compiled methods."""
    continue_with("maxent", "sampling")


def electrodynamics() -> None:
    """Compute a gap, a conductivity of every kind, a tunnelling curve, a transmission, a stack of layers."""
    analytic.gap_mev(2.0, 5.0, gamma_mev=0.05)
    analytic.stiffness_slope_mev(1.0, 5.0, 2.0, 0.1)
    nu = np.array([0.4, 1.0])
    sigma = analytic.dynes_conductivity(nu, 1.0, 0.1, 5.0, 2.0)
    analytic.finite_scattering_conductivity(nu, 1.0, 5.0, 2.0)
    analytic.matsubara_conductivity(np.array([1, 2]), 1.0, 5.0, 2.0, 0.1)
    analytic.tunnelling_conductance(nu, 1.0, 0.1, 2.0)
    substrate = analytic.Substrate(thickness_um=1000.0, index=3.1)
    film = analytic.FilmOnSubstrate(film_nm=20.0, substrate=substrate)
    analytic.transmission(nu, 1e5 * sigma, film)
    analytic.stack(nu, [1.0, 3.1, 1.0], [1000.0])


def masks() -> None:
    """Compute the functions of one bond mask."""
    model = Model(Lx=4, Ly=4, L_tau=8, eps=0.2, charging=3.0, p=0.1)
    network_functions(model, [model.draw_disorder(1, 0)])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        globals()[name]()
