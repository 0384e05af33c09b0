"""Statements on the laws between the scales: power laws, T_c, mirror points, localisation."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sitqmc.continuation import CorrelatorData
from sitqmc.continuation.model_free.bounds import weight_bounds
from sitqmc.estimate import Estimate
from sitqmc.runs.paper.decisions import CONFIRMED, Claim, Decision
from sitqmc.runs.paper.panels.transition import energy_scale, mass_against_temperature
from sitqmc.runs.paper.studies.dataset import P_C, Reproduction
from sitqmc.runs.paper.studies.spectra import SpectrumSummary, StudyPoint
from sitqmc.runs.paper.studies.study import ReducedPoint
from sitqmc.runs.paper.studies.thermal import PowerLaw, fit_power
from sitqmc.runs.paper.tables import mirror_rows

LOW_TOP = 1.0  # E_J; weight of sigma below counts as low-frequency weight
NETWORK_P = 0.1  # rho_s is set beside the resistor network here
BOUND_ERRORS = 2.0  # 95 % bounds lie about two standard errors from the middle


def law_claims(data: Reproduction) -> list[Claim]:
    """Return the statements on laws that these studies test."""
    return [_softening(data), _low_weight(data), _network(data), _mass_law(data), _localised(data), _mirror()]


def _fluids(data: Reproduction) -> list[StudyPoint]:
    return [point for point in data.dirty if point.model.p < P_C]


def _softening(data: Reproduction) -> Claim:
    """Return the claim on the middle of sigma at p_c, with power laws against p_c - p."""
    fluid = _fluids(data)
    near = min(data.dirty, key=lambda point: abs(point.model.p - P_C))
    names = ("midpoint_sigma", "midpoint_scalar")
    at_p_c = {name: energy_scale(near, name) for name in names}
    powers = {name: _power_to_p_c(fluid, name) for name in names}
    rho = fit_power(
        [_distance(q) for q in fluid], [q.averages.values["rho_s"] for q in fluid], 1.0
    )
    found = (
        f"at p = {near.model.p:g} the midpoint of sigma is {at_p_c['midpoint_sigma']} E_J, that of chi_s "
        f"{at_p_c['midpoint_scalar']} E_J. Powers of p_c - p over all superfluids: sigma "
        f"{_power_text(powers['midpoint_sigma'])}, chi_s {_power_text(powers['midpoint_scalar'])}, rho_s "
        f"{_power_text(rho)}. The continuum above a few E_J holds most of the weight and stays. The best "
        "case for the paper is the low peak, judged by itself above"
    )
    return Claim(
        "The scale of sigma vanishes at p_c.", found, "nothing more for the middle of the spectrum", (
            Decision(f"midpoint frequency of sigma at p = {near.model.p:g}, E_J", at_p_c["midpoint_sigma"],
                     "equal", 0.0, 0.3),
            Decision(f"midpoint frequency of chi_s at p = {near.model.p:g}, E_J", at_p_c["midpoint_scalar"],
                     "equal", 0.0, 0.3, deciding=False),
        ),
    )  # fmt: skip


def _distance(point: StudyPoint) -> Estimate:
    return Estimate(P_C - point.model.p, 0.0)


def _power_to_p_c(fluid: Sequence[StudyPoint], name: str) -> PowerLaw | None:
    """Return the power law of a scale against p_c - p."""
    return fit_power([_distance(q) for q in fluid], [energy_scale(q, name) for q in fluid], 1.0)


def _power_text(law: PowerLaw | None) -> str:
    return "not fitted" if law is None else f"{law.free}"


def _low_weight(data: Reproduction) -> Claim:
    """Return the claim on the weight of sigma at low frequencies, bounded without any prior."""
    fluid = data.studies["dirty"].largest
    ends = [q for q in fluid if q.model.p < P_C]
    low, high = (_weight_below(q, LOW_TOP) for q in (ends[0], ends[-1]))
    found = (
        f"weight of sigma below {LOW_TOP:g} E_J, bounds from linear programming: {low} E_J at "
        f"p = {ends[0].model.p:g}, {high} E_J at p = {ends[-1].model.p:g}"
    )
    return Claim(
        "Low-frequency weight of sigma grows with dilution.", found,
        "the bounds shrink slowly with more masks; a rule on the continued sigma would be less strict", (
            Decision(f"weight of sigma below {LOW_TOP:g} E_J, last superfluid minus least p, E_J",
                     high.minus(low), "above", 0.0),
        ), (ends[0], ends[-1]), _growth_of_bounds(data),
    )  # fmt: skip


GROWTHS = (4.0, 16.0, 64.0, 256.0)


def _growth_of_bounds(data: Reproduction) -> float:
    """Return how many times the masks bring the bounds of the low weight three errors apart.

    Bounds follow from what the kernel resolves and shrink far more slowly than the errors of the data. So
    data of the continued sigma are bounded anew, with the covariance that more masks would have.
    """
    fluid = [q for q in _fluids(data) if "sigma" in q.spectra]
    kept = {q.model: q for q in data.studies["dirty"].largest}
    if len(fluid) < 2:
        return math.nan
    for growth in GROWTHS:
        low, high = (_bounded_again(kept[q.model], q.spectra["sigma"], growth) for q in (fluid[0], fluid[-1]))
        if Decision("", high.minus(low), "above", 0.0).verdict == CONFIRMED:
            return growth
    return math.inf


def _bounded_again(point: ReducedPoint, sigma: SpectrumSummary, growth: float) -> Estimate:
    """Return the low weight of data that follow from sigma, with the covariance over `growth`."""
    given = point.correlator("rho")
    kernel = given.kernel(sigma.omega) * np.gradient(sigma.omega)
    model = kernel @ (sigma.value / (2 * np.pi))
    weights = 1 / np.diag(given.covariance)
    model += float(np.sum(weights * (given.mean - model)) / weights.sum())         # rho_s
    return _weight_of(replace(given, mean=model, covariance=given.covariance / growth))


def _weight_below(point: ReducedPoint, top: float) -> Estimate:
    """Return (2/pi) int sigma up to a frequency: the middle of its bounds, and their width as an error."""
    try:
        return _weight_of(point.correlator("rho"), top)
    except KeyError:
        return Estimate.missing()


def _weight_of(rho: CorrelatorData, top: float = LOW_TOP) -> Estimate:
    """Return (2/pi) int sigma up to a frequency from correlator data."""
    try:
        bounds = weight_bounds(rho, 0.0, top)
    except ValueError:
        return Estimate.missing()
    middle, half = (bounds.upper + bounds.lower) / 2, (bounds.upper - bounds.lower) / 2
    return Estimate(middle, half / BOUND_ERRORS).scaled(2 / np.pi)


def _network(data: Reproduction) -> Claim:
    """Return the claim on rho_s beside the network of present bonds without quantum fluctuations."""
    clean = data.dirty[0]
    point = min(data.dirty, key=lambda q: abs(q.model.p - NETWORK_P))
    p = point.model.p
    ratio = point.averages.values["rho_s"].over(clean.averages.values["rho_s"])
    classical = 1 - 2 * p  # effective medium of the square lattice, exact to O(p)
    found = (
        f"rho_s(p = {p:g})/rho_s(0) = {ratio}; the resistor network of the present bonds (E_C = 0) keeps "
        f"{classical:g}. It would carry current up to p = 1/2, the array stops at p_c = {P_C:g}"
    )
    return Claim(
        "Phase fluctuations, not the missing links alone, destroy the superfluid.", found, "nothing more", (
            Decision(f"rho_s(p)/rho_s(0) minus 1 - 2 p at p = {p:g}", Estimate(ratio.value - classical,
                     ratio.error), "below", 0.0),
        ) if p > 0 and clean.model.p == 0 else (),
    )  # fmt: skip


def _mass_law(data: Reproduction) -> Claim:
    """Return the claim on m_H against T_c: linear (critical theory) or a square root (Gaussian theory)."""
    laws, parts = {}, []
    for name, words in (("m_h_scalar", "peak of chi_s''"), ("midpoint_scalar", "midpoint of chi_s"),
                        ("midpoint_sigma", "midpoint of sigma")):  # fmt: skip
        _, T_c, scale = mass_against_temperature(data, name)
        laws[name] = fit_power(T_c, scale, 1.0)
        parts.append(f"{words} {_power_text(laws[name])} (from {len(T_c)} p)")
    p, T_c, _ = mass_against_temperature(data, "midpoint_scalar")
    rho = [next(q for q in data.dirty if q.model.p == x).averages.values["rho_s"] for x in p]
    stiff = fit_power(T_c, rho, 1.0)
    power = laws["m_h_scalar"].free if laws["m_h_scalar"] else Estimate.missing()
    middle = laws["midpoint_scalar"].free if laws["midpoint_scalar"] else Estimate.missing()
    found = (
        "powers of T_c: " + ", ".join(parts) + f"; rho_s(0) {_power_text(stiff)}. T_c by the stiffness jump "
        f"at {len(data.temperatures)} p"
    )
    return Claim(
        "m_H is proportional to T_c (critical theory; the Gaussian one has a square root).", found,
        "peaks of chi_s'' resolved closer to p_c", (
            Decision("power of m_H (peak of chi_s'') against T_c", power, "equal", 1.0, 0.3),
            Decision("the same beside the Gaussian power", power, "equal", 0.5, 0.3, deciding=False),
            Decision("power of the midpoint of chi_s against T_c", middle, "equal", 1.0, 0.3,
                     deciding=False),
        ),
    )  # fmt: skip


def dispersion(point: ReducedPoint) -> Estimate:
    """Return the growth of the scale of chi_s from the smallest to the largest wave vector, less one."""
    waves = point.waves.get("chi_s")
    if waves is None or len(waves) < 2:
        return Estimate.missing()
    first, last = Estimate(*waves[0, 1:]), Estimate(*waves[-1, 1:])
    ratio = last.over(first)
    return Estimate(ratio.value - 1, ratio.error)


def _localised(data: Reproduction) -> Claim:
    """Return the claim on the scalar mode: dispersing as in the clean array, or localised."""
    points = data.studies["dirty"].largest
    clean, last = points[0], [q for q in points if q.model.p < P_C][-1]
    one, other = dispersion(clean), dispersion(last)
    found = (
        f"between the smallest and the largest wave vector the scale of chi_s(q) grows by {one} at "
        f"p = {clean.model.p:g} and by {other} at p = {last.model.p:g}"
    )
    return Claim(
        "The scalar mode of the diluted superfluid is localised (Puschmann et al.): it disperses less.",
        found, "peaks of chi_s''(q) by continuation at every wave vector", (
            Decision(f"growth of the scale of chi_s with q, p = {last.model.p:g} over p = {clean.model.p:g}",
                     other.over(one), "below", 1.0),
        ),
    )  # fmt: skip


def _mirror() -> Claim:
    """Return the claim on the clean transition: universal ratios at the nearest mirror points."""
    rows = {row.quantity.split(",")[0]: row for row in reversed(mirror_rows())}
    mass, product = rows.get("m_H/Delta"), rows.get("sigma_SF sigma_MI")
    numbers = [
        Decision(f"{row.quantity}", row.own, "equal", row.published.value, tolerance)
        for row, tolerance in ((mass, 0.9), (product, 0.1)) if row is not None
    ]  # fmt: skip
    found = "; ".join(f"{d.quantity}: {d.number}" for d in numbers) or "not measured"
    return Claim(
        "Clean array: m_H/Delta = 2.1(3) and sigma_SF sigma_MI = 0.21(1) at mirror points.", found,
        "mirror points closer to K_c need larger arrays", tuple(numbers),
    )  # fmt: skip
