"""Synthetic truths on which the choices of the continuation were made; continuation.py scores none of them.

    python benchmarks/continuation_training.py --draws 1

Sixteen functional forms with random parameters, beta and D_s for every draw and noise. The families of base
shapes, their correlation lengths and amplitudes, and the estimator were chosen with these truths. Mixed
spectra of random components serve the calibration of errors (`continuation_calibration.py`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from continuation_library import EPS, LibraryCase, Truth, data_of, lorentz, step
from continuation_scores import NOISES, central

from sitqmc.continuation import CorrelatorData, continue_correlator, sinh_grid

FINE = sinh_grid(400.0, 0.05, 12000)


def decay(w, scale):
    return 1 / (1 + (w / scale) ** 4)


@dataclass(frozen=True)
class Form:
    """Functional form: the kinds of data it is used for, and the distribution of its parameters."""

    name: str
    kinds: tuple[str, ...]
    make: Callable[[Callable[..., float]], Truth]


def _drude_lorentz(j):
    a, b, c, g = j(0.3), j(1), j(5), j(1.2)
    return lambda w: (a / (1 + (w / b) ** 2) + 0.15 * lorentz(w, c, g)) * decay(w, 15)


def _lognormal(j):
    c, s = j(2.5), j(0.3)
    return lambda w: 0.3 * np.exp(-0.5 * (np.log(np.maximum(w, 1e-9) / c) / s) ** 2)


def _semicircle(j):
    a, b = j(1.5), j(6, 0.2)
    return lambda w: 0.2 * np.sqrt(np.clip((w - a) * (b - w), 0, None))


def _plateau(j):
    a, b = j(3), j(9, 0.2)
    return lambda w: 0.1 * (np.tanh((w - a) / 0.3) - np.tanh((w - b) / 0.8))


def _triangle(j):
    a, b, c = j(1, 0.4), j(3), j(8, 0.2)
    return lambda w: 0.1 * np.clip(np.minimum((w - a) / (b - a), (c - w) / (c - b)), 0, None)


def _lorentz_particle(j):
    p = j(2.5)
    s, e = p * j(0.04, 0.8), p * j(2, 0.3)

    def truth(w):
        continuum = 0.06 * np.sqrt(np.clip(w - e, 0, None)) * np.exp(-(w - e) / 3)
        return lorentz(w, p, s) * 0.08 / s * decay(w, 3 * p) + continuum

    return truth


def _power(j):
    e, k = j(2.0), j(3.3, 0.45)
    return lambda w: 0.3 * (w / e) ** k / (1 + (w / e) ** (k + 3))


def _linear(j):
    e = j(2.0, 0.5)
    return lambda w: 0.2 * w / e * np.exp(-w / e)


def _narrow_drude(j):
    g, a, c = j(0.15, 0.6), j(0.6), j(4.0)
    return lambda w: a / (1 + (w / g) ** 2) * decay(w, 8) + 0.1 * lorentz(w, c, 2.0) * decay(w, 15)


def _three_peaks(j):
    p = [j(1.0), j(3.5, 0.2), j(8, 0.2)]
    return lambda w: sum(h * np.exp(-(((w - c) / s) ** 2)) for h, c, s in zip(
        (0.3, 0.2, 0.1), p, (0.4, 0.8, 1.6), strict=True))  # fmt: skip


def _close_peaks(j):
    p, r = j(3.0), j(1.6, 0.2)
    return lambda w: (0.2 * lorentz(w, p, 0.2 * p) + 0.1 * lorentz(w, p * r, 0.15 * p)) * decay(w, 4 * p)


def _singular_dc(j):
    e = j(0.3, 0.5)
    return lambda w: 0.1 * (1 + (w / e) ** 2) ** -0.25 * np.exp(-w / 8)


def _gap_edge(j):
    e, d, top = j(2.0), j(0.05, 0.7), j(8.0)

    def truth(w):
        z = w + 1j * d * e
        return 0.1 * np.real(np.sqrt(z / (z - e))) * step((w - e) / (d * e)) * decay(w, top)

    return truth


def _dip(j):
    a, e = j(0.5), j(1.0, 0.4)
    return lambda w: 0.08 * (1 - a * np.exp(-((w / e) ** 2))) * decay(w, 12)


def _mott(j):
    e = j(4.0)
    return lambda w: 0.1 * np.clip(w - e, 0, None) * np.exp(-np.clip(w - e, 0, None) / 1.5)


def _scalar_particle(j):
    p = j(1.2)
    s, e = p * j(0.06, 0.8), p * j(2.5, 0.3)
    return lambda w: 0.03 / s * np.exp(-0.5 * ((w - p) / s) ** 2) + 0.08 * step((w - e) / 0.3) * decay(w, 6)


RHO, GREEN, CHI = ("rho_iw",), ("green_tau",), ("chi_tau",)
FORMS = (
    Form("drude + lorentzian", RHO, _drude_lorentz), Form("log-normal", RHO, _lognormal),
    Form("semicircle", RHO + GREEN, _semicircle), Form("plateau", RHO, _plateau),
    Form("triangle", RHO, _triangle), Form("lorentzian particle", GREEN + CHI, _lorentz_particle),
    Form("power law", RHO, _power), Form("w exp(-w)", RHO + CHI, _linear),
    Form("narrow lorentzian drude", RHO, _narrow_drude), Form("three peaks", RHO, _three_peaks),
    Form("two close peaks", RHO + GREEN, _close_peaks), Form("singular dc", RHO, _singular_dc),
    Form("gap edge", RHO, _gap_edge), Form("dip at zero", RHO, _dip),
    Form("linear above a gap", RHO + GREEN, _mott), Form("scalar particle", CHI, _scalar_particle),
)  # fmt: skip


def draw(place: int, noise: float, seed: int) -> tuple[LibraryCase, CorrelatorData]:
    """Return a draw of the form number `place` and its data."""
    rng = np.random.default_rng([777, place, seed, round(-10 * np.log10(noise))])

    def jitter(x: float, share: float = 0.3) -> float:
        return float(x * np.exp(share * (2 * rng.random() - 1)))

    form = FORMS[place]
    truth, kind = form.make(jitter), form.kinds[int(rng.integers(len(form.kinds)))]
    slices = 2 * round(jitter(10.0, 0.4) / (2 * EPS))
    case = LibraryCase(truth, kind, slices * EPS, jitter(0.2))
    return case, data_of(case, FINE, noise, rng)


def mixed(rng: np.random.Generator) -> Truth:
    """Return a spectrum of one to three random components, some of them smeared by disorder.

    Every call is a kind of its own: bands that are right on average over these do not know which kind of
    spectrum comes next.
    """
    count = int(rng.choice(3, p=(0.3, 0.4, 0.3))) + 1
    parts = [COMPONENTS[int(rng.integers(len(COMPONENTS)))](rng) for _ in range(count)]
    shares = rng.dirichlet(np.full(count, 1.5))
    totals = [part(FINE.omega) @ FINE.weights for part in parts]
    scale = 0.5 * log_uniform(rng, 0.5, 2.0)
    factors = np.ones(1)
    if rng.random() < 0.25:
        factors = np.exp(rng.uniform(0.1, 0.5) * np.linspace(-1.5, 1.5, 15))

    def truth(w):
        rows = [
            a / total * np.mean([part(w / f) / f for f in factors], axis=0)
            for a, total, part in zip(shares, totals, parts, strict=True)
        ]
        return scale * np.sum(rows, axis=0)

    return truth


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number with a logarithm uniform between these ends."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _hump(rng):
    c, s, power = log_uniform(rng, 0.6, 7.0), log_uniform(rng, 0.07, 0.7), rng.choice((1.0, 2.0, np.inf))

    def shape(w):
        x = ((w - c) / (s * c)) ** 2
        if np.isinf(power):
            return np.exp(-0.5 * x)
        return decay(w, 5 * c) * ((1 + x) ** -power + (1 + ((w + c) / (s * c)) ** 2) ** -power)

    return shape


def _central(rng):
    g, power = log_uniform(rng, 0.1, 3.0), rng.uniform(0.6, 2.5)
    return lambda w: (1 + (w / g) ** 2) ** -power * decay(w, 15)


def _threshold(rng):
    e, k, tail = log_uniform(rng, 0.4, 5.0), rng.uniform(0.0, 2.5), log_uniform(rng, 0.8, 5.0)
    s, heavy, power = log_uniform(rng, 0.02, 0.3), rng.random() < 0.4, rng.uniform(3.0, 5.0)

    def shape(w):
        above = s * e * np.logaddexp(0.0, np.maximum((w - e) / (s * e), -60.0))    # a rounded ramp
        fall = (1 + (above / tail) ** 2) ** (-0.5 * (power + k)) if heavy else np.exp(-above / tail)
        return above**k * fall * step((w - e) / (s * e))

    return shape


def _rise(rng):
    e, k, power = log_uniform(rng, 0.5, 5.0), rng.uniform(0.5, 4.0), rng.uniform(2.5, 6.0)
    return lambda w: (w / e) ** k / (1 + (w / e) ** 2) ** (0.5 * (k + power))


def _background(rng):
    top, power = log_uniform(rng, 2.0, 10.0), rng.uniform(0.8, 6.0)
    return lambda w: np.exp(-np.minimum((w / top) ** power, 600.0))


def _log_bell(rng):
    c, s = log_uniform(rng, 0.6, 5.0), rng.uniform(0.2, 0.9)
    return lambda w: np.exp(-0.5 * (np.log(np.maximum(w, 1e-9) / c) / s) ** 2)


COMPONENTS = (_hump, _hump, _hump, _central, _central, _threshold, _threshold, _rise, _background, _log_bell)
MIXED_KINDS = ("rho_iw", "rho_iw", "rho_iw", "green_tau", "chi_tau", "chi_iw")


def draw_mixed(number: int, noise: float) -> tuple[LibraryCase, CorrelatorData]:
    """Return the mixed spectrum of this number and its data."""
    rng = np.random.default_rng([778, number, round(-10 * np.log10(noise))])
    truth, kind = mixed(rng), MIXED_KINDS[int(rng.integers(len(MIXED_KINDS)))]
    slices = 2 * round(log_uniform(rng, 7.0, 17.0) / (2 * EPS))
    stiffness = float(rng.choice((0.0, 0.05, 0.3))) * log_uniform(rng, 0.7, 1.4)
    case = LibraryCase(truth, kind, slices * EPS, stiffness)
    return case, data_of(case, FINE, noise, rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--method", default="process")
    options = parser.parse_args()
    print(f"{'':28s}{'L1':>8s}{'dc':>8s}{'68 %':>8s}{'CPU s':>8s}")
    for place, form in enumerate(FORMS):
        rows = []
        for noise in NOISES:
            for seed in range(options.draws):
                case, data = draw(place, noise, seed)
                start = time.process_time()
                s = continue_correlator(data, method=options.method)
                A, x, (low, high) = case.truth(s.omega), s.grid.weights, s.band()
                nodes = central(A * x)
                rows.append((
                    np.abs(s.values - A) @ x / (A @ x), abs(s.values[0] - A[0]) / A.max(),
                    np.mean((low <= A)[nodes] & (high >= A)[nodes]), time.process_time() - start,
                ))  # fmt: skip
        print(f"{form.name:28s}" + "".join(f"{v:8.3f}" for v in np.mean(rows, axis=0)), flush=True)


if __name__ == "__main__":
    main()
