"""Averages and spectra for other programs."""
