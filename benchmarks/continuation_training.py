"""Synthetic truths on which the choices of the continuation were made; continuation.py scores none of them.

    python benchmarks/continuation_training.py --draws 1

Sixteen functional forms with random parameters, beta and D_s for every draw and noise. The families of base
shapes, their correlation lengths and amplitudes, and the estimator were chosen with these truths.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitqmc.continuation import (
    CorrelatorData,
    continue_correlator,
    current_kernel,
    sinh_grid,
    tau_kernel,
)

EPS, N_SAMPLES = 0.1, 200
FINE = sinh_grid(400.0, 0.05, 12000)
NOISES = (1e-2, 1e-3, 1e-4, 1e-5)
Truth = Callable[[np.ndarray], np.ndarray]


def lorentz(w, centre, width):
    return 1 / (1 + ((w - centre) / width) ** 2) + 1 / (1 + ((w + centre) / width) ** 2)


def decay(w, scale):
    return 1 / (1 + (w / scale) ** 4)


def step(x):
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


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


def draw(place: int, noise: float, seed: int) -> tuple[Truth, CorrelatorData]:
    """Return a truth of the form number `place` and its data, with noise correlated over six points."""
    rng = np.random.default_rng([777, place, seed, round(-10 * np.log10(noise))])

    def jitter(x: float, share: float = 0.3) -> float:
        return float(x * np.exp(share * (2 * rng.random() - 1)))

    form = FORMS[place]
    truth, kind = form.make(jitter), form.kinds[int(rng.integers(len(form.kinds)))]
    slices = 2 * round(jitter(10.0, 0.4) / (2 * EPS))
    beta, stiffness, A = slices * EPS, jitter(0.2), truth(FINE.omega) * FINE.weights
    if kind == "rho_iw":
        grid = np.arange(min(41, slices // 2 + 1), dtype=float)
        clean = stiffness + current_kernel(grid, FINE.omega, beta, EPS) @ A
    else:
        grid = EPS * np.arange(1, slices // 2 + 1, max(1, slices // 82))
        clean = tau_kernel(grid, FINE.omega, beta) @ A
    index = np.arange(clean.size)
    root = np.linalg.cholesky(np.exp(-np.abs(index[:, None] - index) / 6.0) + 1e-9 * np.eye(clean.size))
    scale = noise * np.abs(clean).max() * np.sqrt(N_SAMPLES)
    table = clean + scale * rng.normal(size=(N_SAMPLES, clean.size)) @ root.T
    return truth, CorrelatorData.from_samples(table, kind=kind, beta=beta, grid=grid, eps=EPS)  # type: ignore[arg-type]


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
                truth, data = draw(place, noise, seed)
                start = time.process_time()
                s = continue_correlator(data, method=options.method)
                A, x, (low, high) = truth(s.omega), s.grid.weights, s.band()
                share = np.cumsum(A * x) / (A @ x)
                nodes = (share > 0.01) & (share < 0.99)
                rows.append((
                    np.abs(s.values - A) @ x / (A @ x), abs(s.values[0] - A[0]) / A.max(),
                    np.mean((low <= A)[nodes] & (high >= A)[nodes]), time.process_time() - start,
                ))  # fmt: skip
        print(f"{form.name:28s}" + "".join(f"{v:8.3f}" for v in np.mean(rows, axis=0)), flush=True)


if __name__ == "__main__":
    main()
