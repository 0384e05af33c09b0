"""What a THz spectrometer adds to the transmission of the sample: path, standing waves, leakage.

    measured = t_rel exp(i k path) (1 + c cos(2 pi nu/P) + s sin(2 pi nu/P)) + leak

P is the period of a standing wave between source and detector optics; the leak is light that did not pass the
sample, relative to the empty-path signal.
"""

from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.units import C_SI, Array, Complex


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """Distortions of one mount; the default adds nothing."""

    path_um: float = 0.0  # extra optical path of the sample scan
    standing_cos: float = 0.0  # amplitudes relative to the signal
    standing_sin: float = 0.0
    standing_period_thz: float = 0.1
    leak_re: float = 0.0  # relative to the empty-path signal
    leak_im: float = 0.0

    def __post_init__(self) -> None:
        if not self.standing_period_thz > 0:
            raise ValueError(f"standing_period_thz = {self.standing_period_thz}: must be positive")

    def apply(self, nu_thz: Array, t_rel: Complex) -> Complex:
        """Return the measured transmission of a sample that transmits t_rel."""
        ripple = 2.0 * np.pi * nu_thz / self.standing_period_thz
        wave = 1.0 + self.standing_cos * np.cos(ripple) + self.standing_sin * np.sin(ripple)
        return t_rel * np.exp(1j * self._path_phase(nu_thz)) * wave + complex(self.leak_re, self.leak_im)

    def remove(self, nu_thz: Array, measured: Complex) -> Complex:
        """Return the transmission of the sample alone: the inverse of apply."""
        ripple = 2.0 * np.pi * nu_thz / self.standing_period_thz
        wave = 1.0 + self.standing_cos * np.cos(ripple) + self.standing_sin * np.sin(ripple)
        clean = measured - complex(self.leak_re, self.leak_im)
        return clean * np.exp(-1j * self._path_phase(nu_thz)) / wave

    def _path_phase(self, nu_thz: Array) -> Array:
        return np.asarray(2e6 * np.pi * nu_thz * self.path_um / C_SI, dtype=np.float64)
