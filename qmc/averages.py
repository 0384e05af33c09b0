"""From the bins of many disorder samples to numbers with errors.

The sample is the unit: bins are averaged within a sample first (for connected correlators without
bias), then mean, covariance and jackknife run over samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from qmc.model import Model
from qmc.statistics import (
    Estimate,
    autocorrelation_time,
    average,
    jackknife,
    squared_mean,
    thermalisation_z,
)

Array = NDArray[np.float64]

FEW_SAMPLES = 8
THERMALISATION_LEVEL = 1e-3


@dataclass(frozen=True)
class Check:
    """Quality of one observable: tau_int in measurements (mean over samples), thermalisation.

    thermalisation_p   probability of halves differing as much or more by chance, over all components
    """

    tau_int: float
    thermalisation_p: float


@dataclass(frozen=True)
class PointAverages:
    """Averages of one point.

    samples   per-sample means: scalars (n,), correlators (n, m); see `per_sample`
    values    disorder mean and error of each of them, and of c = sqrt(rho_s/kappa)
    checks    by observable of the bins
    warnings  one line each
    """

    model: Model
    samples: dict[str, Array]
    values: dict[str, Estimate]
    checks: dict[str, Check]
    warnings: list[str]

    @property
    def n_samples(self) -> int:
        return len(self.samples["rho_s"])


def per_sample(model: Model, bins: Mapping[str, Array]) -> dict[str, Array]:
    """Means of every sample from bins (samples, bins, ...).

    Scalars (n,): rho_s, minus_k (mean of x and y on a square, x otherwise) and all of the bins.
    Correlators (n, m): rho and chi_s (connected) by Matsubara number, G_k0 and G_loc (symmetric in
    tau -> beta - tau) by slice.
    """
    mean = {name: values.mean(axis=1) for name, values in bins.items()}
    square = model.Lx == model.Ly

    def directions(x: str, y: str) -> Array:
        return (mean[x] + mean[y]) / 2 if square else mean[x]

    disconnected = squared_mean(bins["bond"]) * model.beta / model.sites
    chi_s = mean["chi_s_raw"].copy()
    chi_s[:, 0] -= disconnected
    mirror = -np.arange(model.L_tau) % model.L_tau
    out = {name: mean[name] for name in mean if mean[name].ndim == 1}
    return out | {
        "rho_s": directions("rho_s_x", "rho_s_y"),
        "minus_k": directions("minus_kx", "minus_ky"),
        "rho": directions("rho_x", "rho_y"),
        "chi_s": chi_s,
        "G_k0": (mean["G_k0"] + mean["G_k0"][:, mirror]) / 2,
        "G_loc": (mean["G_loc"] + mean["G_loc"][:, mirror]) / 2,
    }


def average_point(
    model: Model, bins: Mapping[str, Array], tau_int: Mapping[str, Array], measurements_per_bin: int
) -> PointAverages:
    """Averages and checks of one point.

    bins      name -> (samples, bins, ...), as made by `run_chain`
    tau_int   name -> (samples,), in measurements
    """
    samples = per_sample(model, bins)
    values = {name: average(array) for name, array in samples.items()}
    values["c"] = jackknife(_velocity, samples["rho_s"], samples["kappa"])
    checks = {
        name: Check(_mean_time(name, bins, tau_int, measurements_per_bin), _thermalisation(array))
        for name, array in bins.items()
    }
    total = bins["rho_x"].shape[1] * measurements_per_bin
    return PointAverages(model, samples, values, checks, _warnings(len(samples["rho_s"]), checks, total))


def _velocity(rho_s: Array, kappa: Array) -> Array:
    """Phase velocity sqrt(rho_s/kappa); zero where nothing is compressible."""
    return np.sqrt(np.maximum(rho_s, 0.0) / kappa) if kappa > 0 else np.zeros(())


def _mean_time(
    name: str, bins: Mapping[str, Array], tau_int: Mapping[str, Array], measurements_per_bin: int
) -> float:
    """tau_int of an observable: its own series', the first frequency's, or else (G) that of its bins.

    Of a correlator the middle column of the bins is taken, which for G is tau = beta/2.
    """
    for key in (name, f"{name}_1"):
        if key in tau_int:
            return float(np.mean(tau_int[key]))
    columns = bins[name].reshape(*bins[name].shape[:2], -1)
    times = [autocorrelation_time(series)[0] for series in columns[:, :, columns.shape[2] // 2]]
    return float(np.mean(times)) * measurements_per_bin


def _thermalisation(bins: Array) -> float:
    """Chance of the largest |z| among the components of an observable (Sidak)."""
    z = np.abs(np.ravel(thermalisation_z(bins)))
    smallest = float(erfc(z.max() / np.sqrt(2)))
    return float(-np.expm1(z.size * np.log1p(-min(smallest, 1 - 1e-12))))


def _warnings(samples: int, checks: Mapping[str, Check], measurements: int) -> list[str]:
    out = []
    if samples < FEW_SAMPLES:
        out.append(f"only {samples} disorder samples: errors are uncertain")
    slow = [name for name, check in checks.items() if check.tau_int > measurements / 20]
    if slow:
        out.append(f"tau_int above 1/20 of the {measurements} measurements of a chain: {', '.join(slow)}")
    # The observables are many and correlated: each is allowed its share of the false alarms.
    drifting = [
        name for name, check in checks.items() if check.thermalisation_p < THERMALISATION_LEVEL / len(checks)
    ]
    if drifting:
        out.append(f"first and second half of the chains differ (longer therm_sweeps): {', '.join(drifting)}")
    return out
