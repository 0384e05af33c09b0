"""Statements of the paper tested with the data of one size: verdict, numbers, data that would decide."""

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from sitqmc.estimate import concise
from sitqmc.runs.paper.panels.clean import matching_stiffness
from sitqmc.runs.paper.panels.panel import with_interval
from sitqmc.runs.paper.panels.response import low_sizes, nearest_critical
from sitqmc.runs.paper.panels.transition import energy_scale, is_reliable
from sitqmc.runs.paper.panels.weights import weight_line
from sitqmc.runs.paper.studies.dataset import G_C, P_C, SIGMA_C, Reproduction
from sitqmc.runs.paper.studies.spectra import StudyPoint

CONFIRMED, CONSISTENT, OPEN, UNTESTED = "confirmed", "consistent, not proven", "not resolved", "not tested"
WANTED = 0.05  # error of a low-frequency conductivity that would tell 0.5 from 0.35


@dataclass(frozen=True)
class Claim:
    """A statement of the paper. `found`: numbers of this data; `decides`: what would settle it."""

    statement: str
    verdict: str
    found: str
    decides: str


def claims(data: Reproduction, *, films: bool) -> list[Claim]:
    """Return the statements of the paper that these studies test; `films` adds those on films (a minute)."""
    diluted = (_transition, _stiffness, _weight, _pair, _mode, _critical, _scalar)
    out = [make(data) for make in diluted] if data.dirty else []
    clean: tuple[Callable[[Reproduction], Claim], ...] = (_threshold, _excess)
    if data.clean and data.dirty:
        out += [make(data) for make in clean]
    return [*out, *(_films(data) if films else [])]


def _by_p(points: Iterable[StudyPoint], name: str) -> str:
    """Return a scale of several points with intervals."""
    return "; ".join(f"p = {point.model.p:g}: {with_interval(energy_scale(point, name))}" for point in points)


def _transition(data: Reproduction) -> Claim:
    space, time = data.crossings, data.time_crossings
    statement = "Diluting bonds at fixed E_C/E_J drives a transition at p_c = 0.337."
    decides = "L = 32 and 48 (--size cluster, about 60 core hours): the crossings must meet within 0.005"
    if not space or not time:
        return Claim(statement, OPEN, "the sizes at hand do not cross inside the data", decides)
    high, low = space[-1].coupling, time[-1].coupling
    inside = low.value - 2 * low.error < P_C < high.value + 2 * high.error
    found = (
        f"crossings of the largest two sizes: {concise(low.value, low.error)} (<W_tau^2>) and "
        f"{concise(high.value, high.error)} (<W_x^2>), drifting towards each other"
    )
    return Claim(statement, CONSISTENT if inside else OPEN, found, decides)


def _stiffness(data: Reproduction) -> Claim:
    first = data.dirty[0]
    near = min(data.dirty, key=lambda point: abs(point.model.p - P_C))
    sizes = data.studies["dirty"]
    parts = []
    for L in sizes.sizes:
        point = min(sizes.at(L), key=lambda q: abs(q.model.p - P_C))
        e = point.estimate("rho_s")
        parts.append(f"{concise(e.value, e.error)} (L = {L})")
    a = first.averages.values["rho_s"]
    found = (
        f"rho_s = {concise(a.value, a.error)} at p = {first.model.p:g}, and at p = {near.model.p:g}, "
        "shrinking with size: " + ", ".join(parts)
    )
    return Claim("rho_s falls continuously to zero at p_c.", CONFIRMED, found, "the exponent needs L >= 32")


def _weight(data: Reproduction) -> Claim:
    rules = [point.scales["sum_rule"] for point in data.dirty if "sum_rule" in point.scales]
    worst = max(rules, key=lambda n: abs(n.value - 1), default=None)
    found = "no sum rule was computed"
    good = worst is not None and abs(worst.value - 1) < 0.03
    if worst is not None:
        found = f"sum rule, not imposed: worst of all p {concise(worst.value, worst.error)}"
    return Claim(
        "Weight leaves the delta function for finite frequency; the sum of both obeys the sum rule.",
        CONFIRMED if good else OPEN, found, "nothing more; O(eps) remains",
    )  # fmt: skip


def _pair(data: Reproduction) -> Claim:
    seen = [point for point in data.dirty if point.model.p > P_C and is_reliable(point, "pair_peak")]
    parts = _by_p(seen, "pair_peak")
    values = [energy_scale(point, "pair_peak") for point in seen]
    falls = len(values) > 1 and all(a.high < b.low for a, b in itertools.pairwise(values))
    return Claim(
        "omega_pair of the insulator closes at p_c.", CONSISTENT if falls else OPEN,
        f"resolved at {parts or 'no p'} (E_J); it lies at T closer to p_c, a typical, not a hard gap",
        "beta four times larger (L = 32 to 48), p = 0.35 to 0.40",
    )  # fmt: skip


def _mode(data: Reproduction) -> Claim:
    fluid = [point for point in data.dirty if point.model.p < P_C]
    seen = [point for point in fluid if is_reliable(point, "m_h_sigma")]
    parts = _by_p(seen, "m_h_sigma") or "no p"
    samples = min(point.averages.n_samples for point in fluid)
    return Claim(
        "sigma has a peak at m_H that softens towards zero at p_c from the superfluid side.", OPEN,
        f"lowest peak of sigma resolved at {parts} (of {len(fluid)} superfluids); bands grow at low "
        "frequency with dilution, but which of two features is m_H changes from p to p",
        f"an estimate: noise three to ten times smaller ({10 * samples} to {100 * samples} masks at this "
        "size), then L = 32 for lower T",
    )  # fmt: skip


def _critical(data: Reproduction) -> Claim:
    sizes = low_sizes(data)
    if not sizes:
        return Claim("sigma at p_c is about 0.5 of 4e^2/h.", OPEN, "not measured", "all Matsubara numbers")
    low = {L: nearest_critical(data, L) for L in sizes}
    parts = [f"{sigma} (L = {L}, p = {p:g})" for L, (p, sigma) in low.items()]
    L = sizes[-1]
    error = low[L][1].error
    samples = data.studies["dirty"].at(L)[0].n_samples
    more = math.ceil(samples * (error / WANTED) ** 2 / 100) * 100
    near = abs(low[L][1].pull(SIGMA_C)) < 2
    return Claim(
        "sigma at p_c is about 0.5 of 4e^2/h.", CONSISTENT if near else OPEN,
        "without continuation: " + ", ".join(parts),
        f"{more} masks at L = {L} bring the error to {WANTED:g}; then the trend with L",
    )  # fmt: skip


def _scalar(data: Reproduction) -> Claim:
    seen = [point for point in data.dirty if point.model.p < P_C and is_reliable(point, "m_h_scalar")]
    parts = _by_p(seen, "m_h_scalar") or "no p"
    return Claim(
        "The low-frequency excess of sigma is the Higgs mode.", OPEN,
        f"peak of chi_s'' of the same samples resolved at {parts} (E_J); no such peak of sigma to set beside "
        "it. Puschmann et al. and Crewse and Vojta find the scalar response of a disordered system broad and "
        "non-critical; these data do not tell",
        "both peaks resolved at the same p close to p_c: as for m_H",
    )  # fmt: skip


def _threshold(data: Reproduction) -> Claim:
    fluid = [q for q in data.clean if q.model.charging < G_C and energy_scale(q, "m_h_scalar").is_known]
    parts = "; ".join(
        f"g = {point.model.charging:g}: m_H {with_interval(energy_scale(point, 'm_h_scalar'))}, "
        f"onset {with_interval(energy_scale(point, 'onset_sigma'))}"
        for point in fluid if energy_scale(point, "onset_sigma").is_known
    )  # fmt: skip
    masses = [energy_scale(point, "m_h_scalar") for point in fluid]
    softens = len(masses) > 1 and masses[-1].high < masses[0].low
    return Claim(
        "Clean array: sigma has a threshold at m_H, and m_H goes to zero at g_c.",
        CONSISTENT if softens else OPEN,
        f"m_H of chi_s'' softens towards g_c; {parts}",
        "L = 32 with 1000 chains (--size cluster) for the threshold at g = 3.5 to 4.2",
    )


def _excess(data: Reproduction) -> Claim:
    """Return the claim on frequencies where a diluted array absorbs more than a clean one of equal rho_s."""
    statement = "The diluted superfluid absorbs below the threshold of the clean one, by another law."
    decides = "for the powers of both laws: larger beta, and noise that resolves sigma below 1e-3 of 4e^2/h"
    two = matching_stiffness(data)
    if len(two) < 2:
        return Claim(statement, OPEN, "no pair of superfluids", decides)
    (name, clean, _, cold), (other, dirty, _, _) = two
    omega = dirty.omega[(dirty.omega > cold) & (dirty.omega < 2.0)]
    apart = omega[np.interp(omega, dirty.omega, dirty.low) > np.interp(omega, clean.omega, clean.high)]
    if not apart.size:
        return Claim(statement, OPEN, f"the bands of {name} and {other} overlap everywhere", decides)
    return Claim(
        statement, CONSISTENT,
        f"bands (68 %) of {other} and {name} are apart between omega = {apart.min():.2f} and "
        f"{apart.max():.2f} E_J",
        decides,
    )  # fmt: skip


def _films(data: Reproduction) -> Iterable[Claim]:
    line = weight_line(data)
    measured = "measured t, phase and dI/dV of films (see runs/docs/notebooks/thz_film.ipynb)"
    yield Claim(
        "sigma_H of films agrees with the simulation at p = 0.075, 0.1, 0.125.", UNTESTED,
        "films here are synthetic. The fitted E_J lies far below the E_J of the stiffness of the film "
        "(caption of Fig. 3a); there the array has no resolved weight in the THz window",
        f"{measured}; sigma of the array below 0.05 E_J, that is beta of some hundred",
    )  # fmt: skip
    yield Claim(
        "Missing weight against rho_s follows the sum rule; Omega falls below 2 Delta_t and follows m_H.",
        UNTESTED,
        f"synthetic films give the slope {line.slope} (pi/2 = 1.571) that was put "
        "in: a test of the analysis, not of nature",
        measured,
    )  # fmt: skip


def claims_text(found: Iterable[Claim]) -> str:
    """Return claims as text."""
    return "\n\n".join(
        f"{c.verdict.upper()}: {c.statement}\n  found: {c.found}.\n  would decide: {c.decides}."
        for c in found
    )
