"""What the joint fit learns about the mount: prior and result of every nuisance, and their correlations."""

from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.film.mount.model import MountModel
from sitqmc.analytic.units import Array
from sitqmc.estimate import Estimate

SAME = 0.9
"""Correlation beyond which two parameters cannot be told apart."""

SHEET = "sheet conductance sigma_n d"
MEAN_GAIN = "mean gain of the bands"

WORDS = {
    "ln sigma_n": ("sigma_n", "S/cm"),
    "thickness_um": ("thickness of the substrate", "um"),
    "index": ("index of the substrate", ""),
    "dispersion": ("dispersion of the substrate", "/THz^2"),
    "loss": ("loss of the substrate", "/THz"),
    "film_nm": ("thickness of the film", "nm"),
    "path_um": ("path offset", "um"),
    "leak_re": ("leak, real part", ""),
    "leak_im": ("leak, imaginary part", ""),
    "standing_cos": ("standing wave, cosine", ""),
    "standing_sin": ("standing wave, sine", ""),
    "ln damping": ("coherence in the substrate", ""),
    "ln scattering_mev": ("scattering rate", "meV"),
    "ln standing_period_thz": ("period of the standing wave", "THz"),
}
"""Name and unit in words of the parameters that have a value in the setup."""


@dataclass(frozen=True)
class Nuisance:
    """A quantity of film, substrate or spectrometer that the fit adjusts within its prior.

    name      in words
    unit      of both values; empty for a pure number
    prior     value and width before the fit; missing for sigma_n, which is free
    estimate  value and error after the fit
    """

    name: str
    unit: str
    prior: Estimate
    estimate: Estimate

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        prior = f"{self.prior.value:.4g} +- {self.prior.error:.2g}{unit}" if self.prior.is_known else "free"
        return f"{self.name} = {self.estimate}{unit} (prior: {prior})"


def nuisances(problem: MountModel, u: Array, covariance: Array) -> tuple[Nuisance, ...]:
    """Return prior and result of all nuisances, drifts of the bands excepted.

    Values whose logarithm is uncertain, and the coherence, have errors to first order.
    """
    start, now = problem.setup.values(), problem.setup_at(u).values()
    deviation = np.sqrt(np.diag(covariance).clip(0.0))
    found = []
    for k in range(problem.smooth):
        name = problem.names[k]
        if name not in WORDS:
            continue
        field = {"ln damping": "coherence"}.get(name, name.removeprefix("ln "))
        width, slope = _widths(problem, name, start, now)
        prior = Estimate(start[field], width) if name != "ln sigma_n" else Estimate.missing()
        found.append(Nuisance(*WORDS[name], prior, Estimate(now[field], slope * deviation[k])))
    for b in range(2 * problem.bands):
        k, size = problem.smooth + b, problem.priors.gain
        centre = 1.0 if b < problem.bands else 0.0
        value = np.exp(size * u[k]) if b < problem.bands else size * u[k]
        unit = "" if b < problem.bands else "rad"
        found.append(
            Nuisance(problem.names[k], unit, Estimate(centre, size), Estimate(value, size * deviation[k]))
        )
    return tuple(found)


def _widths(
    problem: MountModel, name: str, start: dict[str, float], now: dict[str, float]
) -> tuple[float, float]:
    """Return the width of the prior in the unit of the value, and the derivative of the value by u."""
    if name == "ln damping":
        lost = max(1.0 - now["coherence"] / max(start["coherence"], 1e-12), 0.0)
        return problem.priors.damping, lost
    if name == "ln sigma_n":
        return np.inf, now["sigma_n"]
    field = name.removeprefix("ln ")
    if field in problem.log_widths:
        return start[field] * problem.log_widths[field], now[field] * problem.log_widths[field]
    return problem.widths[name], problem.widths[name]


def inseparable(problem: MountModel, covariance: Array, known: tuple[Nuisance, ...]) -> tuple[str, ...]:
    """Return a sentence for every pair of quantities with a correlation beyond SAME.

    The thickness of the film enters as sigma_n d, so the mean gain is compared with the sheet conductance.
    """
    names, transform = list(problem.names[: problem.base]), np.eye(covariance.shape[0])[: problem.base]
    film = transform[names.index("film_nm")]
    sheet = transform[0] + problem.widths["film_nm"] / problem.setup.sample.film_nm * film
    gain = transform[problem.smooth : problem.smooth + problem.bands].mean(axis=0)
    transform, names = np.vstack([transform, sheet, gain]), [*names, SHEET, MEAN_GAIN]
    joint = transform @ covariance @ transform.T
    deviation = np.sqrt(np.diag(joint).clip(1e-24))
    correlation = joint / np.outer(deviation, deviation)
    size = problem.base
    pairs = [(j, i) for i in range(size) for j in range(i)] + [(size, size + 1)]
    by_name = {nuisance.name: nuisance for nuisance in known}
    out = []
    for j, i in pairs:
        if abs(correlation[i, j]) > SAME:
            first, second = (_with_value(by_name, WORDS.get(names[k], (names[k], ""))[0]) for k in (j, i))
            out.append(f"{first} and {second} cannot be told apart (correlation {correlation[i, j]:+.2f})")
    return tuple(out)


def _with_value(known: dict[str, Nuisance], name: str) -> str:
    """Return a name, followed by the value and error of the quantity if it has one."""
    if name not in known:
        return name
    return f"{name} [{known[name].estimate} {known[name].unit}".rstrip() + "]"
