"""Truths for the benchmark of the continuation: 38 kinds of spectra with random parameters.

Every draw has its own parameters, inverse temperature, stiffness and noise. The choices of the continuation
may be made on the kinds of LEARN. The kinds of HELD scored earlier choices and have been seen. The kinds of
BLIND scored the first calibration once and teach the present one. The kinds of SECOND were written down
before any result on them was known, and score the present calibration once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitqmc.continuation import CorrelatorData, current_kernel, response_kernel, sinh_grid, tau_kernel
from sitqmc.continuation.kernels.grids import FrequencyGrid

EPS, N_POINTS, N_SAMPLES = 0.1, 41, 200
FINE = sinh_grid(300.0, 0.1, 6000)
Truth = Callable[[np.ndarray], np.ndarray]
Jitter = Callable[..., float]


def bump(w, centre, width):
    return np.exp(-0.5 * ((w - centre) / width) ** 2)


def step(x):
    return 1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))


def lorentz(w, centre, width):
    return 1 / (1 + ((w - centre) / width) ** 2) + 1 / (1 + ((w + centre) / width) ** 2)


@dataclass(frozen=True)
class Kind:
    """Kind of spectra: a function from random parameters and T to a truth, kinds of data, mean D_s."""

    make: Callable[[Jitter, float], Truth]
    data: tuple[str, ...] = ("rho_iw",)
    stiffness: float = 0.2


def _central_peak(j, T):
    g, a, top = T * j(1.0, 0.7), j(3.0, 0.6), j(10.0)
    return lambda w: 0.06 * (1 + a / (1 + (w / g) ** 2)) * np.exp(-((w / top) ** 2))


def _hard_gap(j, T):
    e, tail, power = j(2.5, 0.4), j(2.0), j(0.5, 0.4)
    return lambda w: 0.2 * np.clip(w - e, 0, None) ** power * np.exp(-np.clip(w - e, 0, None) / tail)


def _gap_higgs(j, T):
    p = j(2.2, 0.4)
    s, e, top = p * j(0.12, 0.6), p * j(1.8, 0.2), j(5.0)
    return lambda w: 0.12 / s * bump(w, p, s) * 0.3 + 0.06 * step((w - e) / (0.1 * e)) * np.exp(-w / top)


def _two_close(j, T):
    p, r = j(1.6, 0.4), j(2.2, 0.2)
    s, h = p * j(0.2, 0.3), j(0.8, 0.4)
    return lambda w: 0.2 * bump(w, p, s) + 0.2 * h * bump(w, p * r, s * r)


def _scalar_higgs(j, T):
    p = j(1.5, 0.4)
    s, corner = p * j(0.2, 0.4), j(3.0)
    return lambda w: 0.1 * w**2 / (1 + (w / corner) ** 4) * np.exp(-w / 4) + 0.3 * bump(w, p, s)


def _power_onset(j, T):
    e, k, top = j(2.0, 0.4), j(3.0, 0.4), j(6.0)
    return lambda w: 0.15 * (w / e) ** k / (1 + (w / e) ** k) * np.exp(-w / top)


def _broad(j, T):
    c, s, a = j(3.5, 0.4), j(2.0, 0.3), j(0.3, 0.8)
    return lambda w: 0.15 * (bump(w, c, s) + bump(w, -c, s)) + 0.15 * a * np.exp(-w / c)


def _critical_dip(j, T):
    g, depth, top = 2 * T * j(1.0, 0.6), j(0.6, 0.3), j(8.0)
    h = j(1.0, 0.5)
    return lambda w: 0.08 * (1 + h / np.cosh(np.minimum(w / g, 300.0))
                             - depth * bump(w, 4 * g, 1.5 * g)) / (1 + (w / top) ** 4)  # fmt: skip


def _coherence_edge(j, T):
    e, d, top = j(2.0, 0.4), j(0.05, 0.7), j(8.0)

    def truth(w):
        z = w + 1j * d * e
        return 0.1 * np.real(np.sqrt(z / (z - e))) * step((w - e) / (d * e)) / (1 + (w / top) ** 4)

    return truth


def _mode_in_gap(j, T):
    e = j(4.0, 0.3)
    p, g, h = e * j(0.35, 0.3), e * j(0.06, 0.4), j(0.15, 0.4)
    tail = j(2.5)

    def truth(w):
        above = np.clip(w - e, 0, None)
        return h * lorentz(w, p, g) / (1 + (w / e) ** 6) + 0.1 * np.sqrt(above) * np.exp(-above / tail)

    return truth


def _mixture(j, T):
    first, last, tail, s = j(0.8, 0.3), j(4.0, 0.3), j(1.5), j(0.12, 0.4)
    gaps = np.linspace(first, last, 15)
    return lambda w: 0.15 * np.mean(
        [np.exp(-np.clip(w - g, 0, None) / tail) * step((w - g) / s) for g in gaps], axis=0)  # fmt: skip


def _particle(j, T):
    p = j(2.0, 0.4)
    s, e = p * j(0.07, 0.6), p * j(2.0, 0.2)
    return lambda w: 0.08 / s * bump(w, p, s) + 0.05 * step((w - e) / 0.3) * np.exp(-w / 5)


def _lognormal(j, T):
    c, s = j(2.5, 0.4), j(0.6, 0.4)
    return lambda w: 0.2 * np.exp(-0.5 * (np.log(np.maximum(w, 1e-9) / c) / s) ** 2)


def _drude_and_peak(j, T):
    g, a, c, s = j(0.4, 0.6), j(0.3, 0.6), j(4.0), j(1.2, 0.3)
    return lambda w: a / (1 + (w / g) ** 2) ** 1.5 + 0.12 * bump(w, c, s)


def _lorentz_pair(j, T):
    p = j(1.5, 0.4)
    q, top, h, a = p * j(2.6, 0.2), j(8.0), j(0.6, 0.4), j(0.03, 0.5)
    g, s = p * j(0.2, 0.4), q * j(0.2, 0.4)
    return lambda w: 0.1 * (lorentz(w, p, g) + h * lorentz(w, q, s)) / (1 + (w / top) ** 2) + a / (
        1 + (w / top) ** 3)  # fmt: skip


def _fano(j, T):
    p, q, top = j(2.0, 0.4), j(1.2, 0.5), j(6.0)
    g = p * j(0.25, 0.5)

    def truth(w):
        e = (w - p) / g
        return 0.06 * (q + e) ** 2 / (1 + e**2) * np.exp(-((w / top) ** 2))

    return truth


def _log_edge(j, T):
    e, d, top = j(2.0, 0.4), j(0.02, 0.7), j(4.0)
    return lambda w: 0.08 * np.log1p(1 / np.hypot(w / e - 1, d)) * step((w / e - 0.7) / 0.05) * np.exp(
        -w / top)  # fmt: skip


def _three_peaks(j, T):
    p = j(1.0, 0.3)
    q, s, h, k = p * j(2.4, 0.15), j(0.18, 0.3), j(0.7, 0.4), j(0.5, 0.4)
    r = q * j(2.2, 0.15)
    return lambda w: 0.2 * (bump(w, p, s * p) + h * bump(w, q, s * q) + k * bump(w, r, s * r))


def _drude_and_gap(j, T):
    g, a, e, tail = j(0.3, 0.6), j(0.3, 0.6), j(3.0, 0.3), j(2.0)
    return lambda w: a / (1 + (w / g) ** 2) ** 1.5 + 0.12 * np.sqrt(np.clip(w - e, 0, None)) * np.exp(
        -np.clip(w - e, 0, None) / tail)  # fmt: skip


def _mixture_of_modes(j, T):
    centre, spread, s, h = j(1.6, 0.3), j(0.35, 0.4), j(0.1, 0.4), j(0.3, 0.4)
    modes = centre * np.exp(spread * np.linspace(-1.5, 1.5, 15))

    def one(w, m):
        return bump(w, m, s * m) + h * step((w / m - 2) / 0.15) * np.exp(-w / (3 * m))

    return lambda w: 0.2 * np.mean([one(w, m) for m in modes], axis=0)


def _oscillator(j, T):
    p, k = j(2.0, 0.4), j(0.4, 0.5)
    g, q = p * j(0.4, 0.7), p * j(2.5, 0.2)
    return lambda w: 0.3 * g * p**2 / ((w**2 - p**2) ** 2 + (g * w) ** 2) + 0.1 * k / (1 + (w / q) ** 4)


def _stretched(j, T):
    c, k = j(1.5, 0.5), j(0.7, 0.3)
    return lambda w: 0.2 * np.exp(-((w / c) ** k))


def _notch(j, T):
    c, s, top = j(2.2, 0.4), j(0.12, 0.5), j(6.0)
    depth, a = j(0.75, 0.25), j(0.5, 0.5)
    return lambda w: 0.1 * (1 + a * np.exp(-w / c)) * (1 - depth * bump(w, c, s * c)) / (1 + (w / top) ** 5)


def _two_thresholds(j, T):
    e, r, k, m, tail = j(1.0, 0.4), j(3.0, 0.3), j(0.5, 0.4), j(2.0, 0.3), j(2.5)
    low, high = (lambda w: np.clip(w - e, 0, None)), (lambda w: np.clip(w - r * e, 0, None))
    return lambda w: 0.06 * (low(w) ** k + 0.6 * high(w) ** m) * np.exp(-w / tail)


def _staircase(j, T):
    e, s = j(1.2, 0.3), j(0.06, 0.5)
    heights, factors = (j(0.1, 0.5), j(0.12, 0.5), -j(0.08, 0.5)), (1.0, 2.4, 4.0)
    return lambda w: sum(
        h * step((w - f * e) / (s * f * e)) for h, f in zip(heights, factors, strict=True)
    ) / (1 + (w / (6 * e)) ** 4)  # fmt: skip


def _logarithmic_cusp(j, T):
    scale, top = j(0.4, 0.7), j(9.0)
    return lambda w: 0.3 / (np.log(np.hypot(w, 0.3 * scale) / scale) ** 2 + 2.5) / (1 + (w / top) ** 3)


def _cut_band(j, T):
    c, s, r, d = j(2.5, 0.3), j(1.0, 0.3), j(1.35, 0.1), j(0.05, 0.5)
    return lambda w: 0.2 * bump(w, c, s) * step((r * c - w) / (d * c))


def _two_drudes(j, T):
    g, r, a = j(0.25, 0.6), j(12.0, 0.5), j(0.35, 0.5)
    return lambda w: a / (1 + (w / g) ** 2) + 0.08 / (1 + (w / (r * g)) ** 2) ** 2


def _soft_gap(j, T):
    e, k = j(1.8, 0.4), j(1.0, 0.5)
    return lambda w: 0.2 * (w / e) ** k / (1 + (w / e) ** 2) ** ((k + 3.2) / 2)


def _van_hove(j, T):
    c, s, d = j(3.0, 0.3), j(0.6, 0.2), j(0.02, 0.7)
    return lambda w: 0.06 * np.log(1 + s / np.hypot(w / c - 1, d)) * bump(w, c, s * c)


def _edge_singularity(j, T):
    e, k, d, tail = j(2.0, 0.4), j(0.5, 0.4), j(0.04, 0.6), j(3.0)
    return lambda w: 0.06 * np.hypot(w / e - 1, d) ** -k * step((w / e - 1) / d) * np.exp(-w / tail)


def _localised_drude(j, T):
    g, c = j(1.5, 0.5), j(0.8, 0.2)
    return lambda w: 0.2 / (1 + (w / g) ** 2) * (1 - c * (1 - (w / g) ** 2) / (1 + (w / g) ** 2)) / (
        1 + (w / (6 * g)) ** 2)  # fmt: skip


def _mixture_of_drudes(j, T):
    centre, spread = j(0.8, 0.4), j(1.0, 0.4)
    rates = centre * np.exp(spread * np.linspace(-2, 2, 15))
    weights = np.exp(-0.5 * np.linspace(-2, 2, 15) ** 2)
    return lambda w: 0.1 * sum(a / (1 + (w / g) ** 2) ** 1.5 for a, g in zip(weights, rates, strict=True))


def _random_lines(j, T):
    places = [j(2.5, 0.9) for _ in range(6)]
    heights, s = [j(0.15, 0.9) for _ in places], j(0.14, 0.3)
    return lambda w: sum(h * bump(w, p, s * p) for h, p in zip(heights, places, strict=True))


def _sech_peak(j, T):
    c, s, a, top = j(2.0, 0.4), j(0.3, 0.4), j(0.25, 0.5), j(7.0)
    return lambda w: 0.2 / np.cosh(np.clip((w - c) / (s * c), -300, 300)) ** 2 + 0.2 * a * np.exp(
        -((w / top) ** 4))  # fmt: skip


def _skew_peak(j, T):
    c, rise, fall = j(1.5, 0.4), j(0.12, 0.4), j(0.8, 0.4)
    return lambda w: 0.25 * step((w - c) / (rise * c)) * np.exp(-np.clip(w / c - 1, -1, None) / fall)


def _marginal(j, T):
    g, k, top = j(0.5, 0.5), j(0.7, 0.25), j(7.0)
    return lambda w: 0.3 / (1 + (w / g) ** 2) ** (k / 2) / (1 + (w / top) ** 4)


def _thermal_gap(j, T):
    e, h, g, top = j(2.2, 0.4), j(0.4, 0.6), j(0.35, 0.5), j(8.0)

    def truth(w):
        above = np.sqrt(np.clip(1 - (e / np.maximum(w, 1e-9)) ** 2, 0, 1))
        return 0.1 * (h / (1 + (w / g) ** 2) + above) / (1 + (w / top) ** 4)

    return truth


LEARN = {
    "central peak of width T": Kind(_central_peak, stiffness=0.02),
    "hard gap": Kind(_hard_gap, stiffness=0.0),
    "gap, peak, continuum": Kind(_gap_higgs, stiffness=0.4),
    "two close peaks": Kind(_two_close, ("rho_iw", "green_tau")),
    "scalar with peak": Kind(_scalar_higgs, ("chi_tau", "chi_iw")),
    "power-law onset": Kind(_power_onset),
    "broad peak": Kind(_broad),
}
HELD = {
    "critical, with a dip": Kind(_critical_dip, stiffness=0.02),
    "edge with coherence peak": Kind(_coherence_edge),
    "mode in the gap": Kind(_mode_in_gap, stiffness=0.4),
    "mixture of gaps": Kind(_mixture),
    "particle and continuum": Kind(_particle, ("green_tau", "chi_iw")),
    "log-normal": Kind(_lognormal, ("rho_iw", "chi_tau")),
    "Drude and peak": Kind(_drude_and_peak, stiffness=0.05),
}
BLIND = {
    "two Lorentzians, power-law tail": Kind(_lorentz_pair),
    "Fano shoulder": Kind(_fano, ("rho_iw", "green_tau")),
    "log-singular edge": Kind(_log_edge, ("rho_iw", "chi_tau")),
    "three peaks": Kind(_three_peaks, stiffness=0.1),
    "Drude and gap": Kind(_drude_and_gap, stiffness=0.05),
    "mixture of modes": Kind(_mixture_of_modes, ("rho_iw", "chi_tau", "chi_iw"), stiffness=0.3),
    "damped oscillator": Kind(_oscillator, ("green_tau", "chi_iw")),
    "stretched exponential": Kind(_stretched, ("rho_iw", "chi_tau"), stiffness=0.05),
}
SECOND = {
    "notch": Kind(_notch),
    "two thresholds": Kind(_two_thresholds, ("rho_iw", "chi_tau")),
    "staircase": Kind(_staircase, ("rho_iw", "green_tau")),
    "logarithmic cusp": Kind(_logarithmic_cusp, stiffness=0.02),
    "cut band": Kind(_cut_band, ("rho_iw", "chi_iw"), stiffness=0.3),
    "two Drude peaks": Kind(_two_drudes, stiffness=0.05),
    "soft gap": Kind(_soft_gap, ("rho_iw", "green_tau", "chi_tau")),
    "van Hove peak": Kind(_van_hove, ("rho_iw", "green_tau")),
    "edge singularity": Kind(_edge_singularity),
    "localised Drude": Kind(_localised_drude, stiffness=0.1),
    "mixture of Drude peaks": Kind(_mixture_of_drudes, stiffness=0.02),
    "random lines": Kind(_random_lines, ("rho_iw", "chi_tau", "green_tau")),
    "sech peak": Kind(_sech_peak, ("rho_iw", "chi_iw"), stiffness=0.4),
    "skew peak": Kind(_skew_peak, ("rho_iw", "green_tau")),
    "power-law Drude": Kind(_marginal, stiffness=0.05),
    "gap at finite temperature": Kind(_thermal_gap, stiffness=0.3),
}
KINDS = LEARN | HELD | BLIND | SECOND


@dataclass(frozen=True)
class LibraryCase:
    """Truth A(omega) of one draw, kind of data, beta, and D_s."""

    truth: Truth
    kind: str
    beta: float
    stiffness: float


def draw_case(name: str, noise: float, seed: int) -> tuple[LibraryCase, CorrelatorData]:
    """Return a truth of a kind and its data."""
    rng = np.random.default_rng([2026, list(KINDS).index(name), seed, round(-10 * np.log10(noise))])

    def jitter(x: float, share: float = 0.3) -> float:
        return float(x * np.exp(share * (2 * rng.random() - 1)))

    kind = KINDS[name]
    half = round(jitter(6.0, 0.3) / EPS)
    beta = 2 * half * EPS
    data = kind.data[int(rng.integers(len(kind.data)))]
    case = LibraryCase(kind.make(jitter, 1 / beta), data, beta, jitter(kind.stiffness))
    return case, data_of(case, FINE, noise, rng)


def data_of(case: LibraryCase, fine: FrequencyGrid, noise: float, rng: np.random.Generator) -> CorrelatorData:
    """Return data of a truth, integrated on the grid `fine`.

    The noise is relative to the largest value, and correlated over six points.
    """
    half, A = round(case.beta / (2 * EPS)), case.truth(fine.omega) * fine.weights
    if case.kind.endswith("_iw"):
        grid = np.arange(min(N_POINTS, half + 1), dtype=float)
        kernel = current_kernel if case.kind == "rho_iw" else response_kernel
        clean = kernel(grid, fine.omega, case.beta, EPS) @ A
        clean += case.stiffness if case.kind == "rho_iw" else 0.0
    else:
        grid = EPS * np.arange(1, half + 1, max(1, half // N_POINTS))
        clean = tau_kernel(grid, fine.omega, case.beta) @ A
    index = np.arange(clean.size)
    root = np.linalg.cholesky(np.exp(-np.abs(index[:, None] - index) / 6.0) + 1e-9 * np.eye(clean.size))
    scale = noise * np.abs(clean).max() * np.sqrt(N_SAMPLES)
    table = clean + scale * rng.normal(size=(N_SAMPLES, clean.size)) @ root.T
    return CorrelatorData.from_samples(table, kind=case.kind, beta=case.beta, grid=grid, eps=EPS)  # type: ignore[arg-type]
