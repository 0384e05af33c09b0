"""Fit of a tunnelling curve: gap, Dynes broadening, temperature and a smooth background."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.measurements.scans import TunnellingCurve
from sitqmc.analytic.numerics.checks import checked_scalar
from sitqmc.analytic.numerics.least_squares import FitResult, FreeParameter, fit
from sitqmc.analytic.superconductor.tunnelling import tunnelling_conductance
from sitqmc.analytic.units import Array
from sitqmc.estimate import Estimate
from sitqmc.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class TunnelFit(Result):
    """Result; `fit` holds values and errors of delta_mev, gamma_mev, t_k, level, slope and curvature."""

    fit: FitResult

    @property
    def fits(self) -> bool:
        """Whether the model describes the curve."""
        return self.fit.quality.fits

    @property
    def delta_mev(self) -> Estimate:
        """Gap Delta in meV."""
        return self.fit.estimate("delta_mev")

    @property
    def gamma_mev(self) -> Estimate:
        """Dynes broadening Gamma in meV."""
        return self.fit.estimate("gamma_mev")

    def report(self) -> str:
        """Return quality and parameters as text."""
        return self.fit.report()


def tunnelling_model(bias_mv: Array, values: Mapping[str, float]) -> Array:
    """Return level (1 + slope V + curvature V^2) times the thermally broadened Dynes conductance; V in mV."""
    background = values["level"] * (1.0 + values["slope"] * bias_mv + values["curvature"] * bias_mv**2)
    return background * tunnelling_conductance(
        bias_mv, abs(values["delta_mev"]), abs(values["gamma_mev"]), abs(values["t_k"])
    )


def fit_tunnelling(
    curve: TunnellingCurve, *, delta_mev: float | None = None, gamma_mev: float | None = None,
    t_error_k: float | None = None, background: bool = True,
) -> TunnelFit:  # fmt: skip
    """Fit Delta, Gamma and the background of a measured dI/dV.

    delta_mev, gamma_mev  start values; default: bias of the highest conductance, a tenth of it
    t_error_k             None keeps the temperature of the curve fixed; a number fits it with this prior
                          width, because heating and noise smear like a higher temperature
    background            fit slope and curvature of the normal conductance, not its level alone
    raises                ValueError if the fit does not converge
    """
    start = checked_scalar("delta_mev", delta_mev or _coherence_peak(curve), above=0.0)
    broad = 0.1 * start if gamma_mev is None else checked_scalar("gamma_mev", gamma_mev, above=0.0)
    edge = np.abs(curve.bias_mv) > 0.8 * np.abs(curve.bias_mv).max()
    unknowns = {
        "delta_mev": FreeParameter(start=start, low=1e-6 * start),
        "gamma_mev": FreeParameter(start=broad, low=0.0),
        "level": FreeParameter(start=float(np.mean(curve.didv[edge])), low=0.0),
    }
    fixed = {"t_k": curve.t_k, "slope": 0.0, "curvature": 0.0}
    if background:
        unknowns |= {"slope": FreeParameter(start=0.0), "curvature": FreeParameter(start=0.0)}
    if t_error_k is not None:
        width = checked_scalar("t_error_k", t_error_k, above=0.0)
        unknowns["t_k"] = FreeParameter(start=curve.t_k, prior=width, low=1e-3 * curve.t_k)

    def residuals(values: Mapping[str, float]) -> list[Array]:
        return [(curve.didv - tunnelling_model(curve.bias_mv, values)) / curve.didv_error]

    return TunnelFit(fit=fit(residuals, unknowns, {n: v for n, v in fixed.items() if n not in unknowns}))


def _coherence_peak(curve: TunnellingCurve) -> float:
    """Return |bias| of the highest conductance: near Delta for every broadened BCS curve."""
    return float(np.abs(curve.bias_mv[int(np.argmax(curve.didv))]))
