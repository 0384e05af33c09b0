"""Schedule of a chain: its lengths in sweeps and bins. Imports no compiled code."""

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Length of a chain. A sweep is Lx Ly L_tau head moves."""

    therm_sweeps: float = 200.0             # before the first bin
    bins: int = 32                          # bins kept
    measurements_per_bin: int = 16          # measurements averaged into one bin
    sweeps_per_measurement: float = 2.0     # on average; thermalisation turns it into a number of worms
    transverse: bool = True                 # measure responses at finite wave vectors

    def __post_init__(self) -> None:
        for name, least in (("bins", 4), ("measurements_per_bin", 1)):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= least):
                raise ValueError(f"{name} = {value}: must be an integer >= {least}")
        for name in ("therm_sweeps", "sweeps_per_measurement"):
            value = getattr(self, name)
            if not (value > 0 and isfinite(value)):
                raise ValueError(f"{name} = {value}: must be positive and finite")
        if not isinstance(self.transverse, bool):
            raise ValueError(f"transverse = {self.transverse}: must be true or false")
