"""Worm Monte Carlo of the disordered (2+1)D quantum rotor model in link currents.

    from sitqmc.qmc import Model, Schedule, run_chain

    model = Model(Lx=8, Ly=8, L_tau=40, eps=0.1, charging=3.0, action="cosine", p=0.1)
    result = run_chain(model, model.draw_disorder(seed=1, sample=0), seed=1, sample=0)
    result.bins["rho_s_x"].mean()

Chains as long as an error asks for, and their thermalisation: `qmc.chains.adaptive`. Critical points:
`qmc.finite_size.crossings`, `qmc.finite_size.collapse`; the limit eps -> 0: `qmc.finite_size.trotter`.
Energies in E_J, times in 1/E_J. This room knows nothing of files, MPI or the command line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
