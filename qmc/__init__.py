"""Worm Monte Carlo of the bond-diluted (2+1)D quantum rotor model in link currents."""
