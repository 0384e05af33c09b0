"""Worm Monte Carlo of the disordered (2+1)D quantum rotor model in link currents.

    from sitqmc.qmc import Model, Schedule, run_chain

    model = Model(Lx=8, Ly=8, L_tau=40, eps=0.1, charging=3.0, action="cosine", p=0.1)
    result = run_chain(model, model.draw_disorder(seed=1, sample=0), seed=1, sample=0)
    result.bins["rho_s_x"].mean()

`qmc.chains.adaptive` runs chains until they reach a wanted error, and compares hot and cold starts.
`qmc.finite_size` finds critical points (`crossings`, `collapse`) and the limit eps -> 0 (`trotter`).
Energies are in E_J, times in 1/E_J. This package opens no files and knows neither MPI nor the command line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
