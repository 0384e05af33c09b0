"""Theory of the laboratory side: superconductor conductivities, optics, units."""
