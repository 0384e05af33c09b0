"""Quantum Monte Carlo of the disorder-driven superconductor-insulator transition.

    import sitqmc

    run = sitqmc.load("results/quickstart")

Sub-packages: `qmc` (worm Monte Carlo), `continuation` (imaginary to real frequency), `analytic`
(superconductor electrodynamics and film optics), `runs` (configurations, storage, results, command line).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
