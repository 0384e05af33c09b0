"""Theory of the laboratory side: superconductor conductivities, optics, fits, units.

Energies in meV, frequencies in THz, temperatures in K, conductivities in ohm^-1 cm^-1, lengths in nm (films)
and um (substrates); the unit is part of every name. Time convention exp(-i omega t) and
sigma = sigma1 + i sigma2, so sigma2 > 0 for a superconductor. Names are loaded on first use, so importing
the package is cheap.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
