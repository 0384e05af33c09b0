"""Higgs mass against the critical temperature: the two forms the literature offers, prefactor free.

Near the quantum critical point m_H ~ |delta|^nu and rho_s ~ Tc ~ |delta|^(nu z) with z = 1 in the clean
two-dimensional case, so m_H is linear in Tc ("critical"); the Gaussian theory of the order parameter gives
m_H ~ sqrt(rho_s) ~ sqrt(Tc) ("gaussian"). Neither theory gives the prefactor in laboratory units: it is
fitted, or taken from one film. With disorder z differs from 1 and both forms are only guides.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.units import Array
from sitqmc.estimate import Estimate
from sitqmc.result import Result

Form = Literal["critical", "gaussian"]
EXPONENT: dict[Form, float] = {"critical": 1.0, "gaussian": 0.5}


@dataclass(frozen=True)
class UniversalRatio:
    """Universal number of the clean two-dimensional superfluid-insulator transition.

    number  value and error
    source  publication
    trust  "read": seen in the abstract or text of the source; "memory": quoted from memory, for
           orientation and loose checks only
    """

    number: Estimate
    source: str
    trust: Literal["read", "memory"]


# Delta is the gap of the insulator at the mirror point, at the same distance from the transition.
MASS_OVER_MIRROR_GAP = UniversalRatio(
    Estimate(2.1, 0.3), "Gazit, Podolsky, Auerbach, PRL 110, 140401 (2013)", "memory"
)
MASS_OVER_MIRROR_GAP_WORM = UniversalRatio(  # the same number from analytic continuation of other data
    Estimate(3.3, 0.8), "Chen, Liu, Deng, Pollet, Prokof'ev, PRL 110, 170403 (2013)", "memory"
)
STIFFNESS_OVER_MIRROR_GAP = UniversalRatio(
    Estimate(0.44, 0.01), "Gazit, Podolsky, Auerbach, PRL 110, 140401 (2013)", "memory"
)
SUBGAP_CONDUCTIVITY_EXPONENT = UniversalRatio(  # sigma ~ omega^5 below the Higgs threshold, d = 2
    Estimate(5.0, 0.0), "Podolsky, Auerbach, Arovas, PRB 84, 174522 (2011)", "read"
)


@dataclass(frozen=True)
class MassScaling(Result):
    """Fit of m_H = prefactor Tc^exponent.

    form       "critical" or "gaussian"
    prefactor  in meV/K^exponent
    chi2, dof  chi^2 and the number of degrees of freedom
    """

    form: Form
    prefactor: Estimate
    chi2: float
    dof: int

    def __call__(self, tc_k: ArrayLike) -> Array:
        """Return m_H in meV at critical temperatures tc_k (any shape)."""
        return higgs_mass_mev(tc_k, self.prefactor.value, self.form)


def higgs_mass_mev(tc_k: ArrayLike, prefactor: float, form: Form) -> Array:
    """Return m_H = prefactor Tc^1 ("critical") or prefactor Tc^(1/2) ("gaussian") in meV, shape of tc_k.

    raises  ValueError for an unknown form or a negative Tc
    """
    tc = np.asarray(tc_k, dtype=float)
    if form not in EXPONENT:
        raise ValueError(f"form = {form!r}: must be one of {', '.join(EXPONENT)}")
    if not np.all(tc >= 0):
        raise ValueError(f"tc_k: smallest value {np.min(tc)}; critical temperatures must be >= 0 K")
    return prefactor * tc ** EXPONENT[form]


def fit_mass_scaling(
    tc_k: ArrayLike, mass_mev: ArrayLike, mass_error_mev: ArrayLike, form: Form
) -> MassScaling:
    """Fit the prefactor of one of the two forms by weighted least squares (a linear problem, solved exactly).

    tc_k, mass_mev, mass_error_mev  shape (n_films,), errors are standard deviations
    raises  ValueError for unequal lengths or errors that are not positive
    """
    shape = higgs_mass_mev(tc_k, 1.0, form)
    mass, error = np.asarray(mass_mev, dtype=float), np.asarray(mass_error_mev, dtype=float)
    if not shape.shape == mass.shape == error.shape or shape.ndim != 1:
        raise ValueError(f"shapes {shape.shape}, {mass.shape}, {error.shape}: need one entry per film")
    if not np.all(error > 0):
        raise ValueError(f"mass_error_mev: smallest is {np.min(error)}; standard deviations must be positive")
    weight = float(np.sum((shape / error) ** 2))
    prefactor = float(np.sum(shape * mass / error**2)) / weight
    chi2 = float(np.sum(((mass - prefactor * shape) / error) ** 2))
    return MassScaling(form, Estimate(prefactor, weight**-0.5), chi2, mass.size - 1)


def critical_mass_over_stiffness() -> Estimate:
    """Return the clean critical slope m_H / rho_s = 2.1 / 0.44; its trust is that of the two numbers."""
    return MASS_OVER_MIRROR_GAP.number.over(STIFFNESS_OVER_MIRROR_GAP.number)
