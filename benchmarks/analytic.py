"""Speed and accuracy of the laboratory side.

    python benchmarks/analytic.py

Speed: best of several runs, one thread, 1000 frequencies, after compilation. Accuracy: largest relative
difference from the stored 30-digit references.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

# Run as a script, this file would be found in place of the package it imports, which has the same name.
sys.path[:] = [p for p in sys.path if Path(p).resolve() != Path(__file__).resolve().parent]

from sitqmc.analytic import (  # noqa: E402
    MEV_PER_K,
    SYNTHETIC_FILMS,
    FilmSetup,
    Instrument,
    critical_temperature,
    dynes_conductivity,
    finite_scattering_conductivity,
    fit_normal,
    fit_superconductor,
    gap_mev,
    invert,
    invert_resonance_bands,
    matsubara_conductivity,
    mattis_bardeen,
    synthetic_scan,
    transmission,
    tunnelling_conductance,
)
from sitqmc.analytic.superconductor.dynes import dynes_kernel  # noqa: E402
from sitqmc.analytic.superconductor.finite_scattering import conductivity_kernel  # noqa: E402
from sitqmc.analytic.superconductor.tunnelling import didv_kernel  # noqa: E402

TABLE = Path(__file__).resolve().parents[1] / "tests" / "reference" / "superconductor_table.json"
NU = np.linspace(0.01, 5.0, 1000)


def best_ms(call: Callable[[], object], runs: int = 7) -> float:
    """Return the shortest wall time in ms; the first call, which compiles, does not count."""
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def speed() -> None:
    film = SYNTHETIC_FILMS["5.0K"]
    sigma = film.sigma(NU, 2.0)
    t = transmission(NU, sigma, film.sample)
    rng = np.random.default_rng(1)
    warm, cold = synthetic_scan(film, film.warm_k, rng), synthetic_scan(film, 2.0, rng)
    mount = Instrument(standing_period_thz=0.13)
    setup = FilmSetup(sample=film.sample, sigma_n=film.sigma_n, instrument=mount)
    steps = np.arange(1, 1001)
    priors = {
        "thickness_um": 1.0,
        "index": 0.01,
        "film_nm": 0.5,
        "leak_re": 1e-3,
        "leak_im": 1e-3,
        "standing_cos": 0.01,
        "standing_sin": 0.01,
    }
    calls: dict[str, Callable[[], object]] = {
        "Mattis-Bardeen, T = 0": lambda: mattis_bardeen(NU, 1.0, 0.0),
        "Mattis-Bardeen, T > 0": lambda: mattis_bardeen(NU, 1.0, 3.0),
        "finite scattering": lambda: finite_scattering_conductivity(NU, 1.0, 5.0, 3.0),
        "Dynes superconductor": lambda: dynes_conductivity(NU, 1.0, 0.01, 50.0, 3.0),
        "Matsubara conductivity, m = 1...1000": lambda: matsubara_conductivity(steps, 1.0, 5.0, 3.0),
        "dI/dV, 1000 bias values": lambda: tunnelling_conductance(NU, 1.0, 0.05, 2.0),
        "gap, 1000 temperatures": lambda: gap_mev(np.linspace(0.1, 9.4, 1000), 9.5),
        "film on slab": lambda: transmission(NU, sigma, film.sample),
        "exact inversion": lambda: invert(NU, t, film.sample),
        "normal-state fit, 9 parameters": lambda: fit_normal(warm, setup, film.tc_k, priors=priors),
        "plain superconductor, 336 points": lambda: fit_superconductor(cold, setup, film.tc_k),
        "resonance bands, 27 pairs": lambda: invert_resonance_bands(cold, setup),
    }
    for name, call in calls.items():
        print(f"{name:45s} {best_ms(call):9.3f} ms")


def _finite_scattering(omega: float, temp: float, tau: float) -> complex:
    out = np.empty(1, dtype=complex)
    conductivity_kernel(np.array([omega]), temp, tau, out)
    return complex(out[0])


def _dynes(omega: float, temp: float, gamma: float, width: float) -> complex:
    out = np.empty(1, dtype=complex)
    dynes_kernel(np.array([omega]), temp, gamma, 1.0 / width, out)
    return complex(out[0])


def _didv(bias: float, gamma: float, temp: float) -> complex:
    out = np.empty(1)
    didv_kernel(np.array([bias]), gamma, temp, out)
    return complex(out[0])


def _gap(t: float, gamma: float) -> complex:
    return complex(gap_mev(t, critical_temperature(1.0, gamma), gamma_mev=gamma * MEV_PER_K) / MEV_PER_K)


def accuracy() -> None:
    table = json.loads(TABLE.read_text())
    for name, fast in (
        ("zimmermann", _finite_scattering),
        ("dynes", _dynes),
        ("tunnelling", _didv),
        ("gap", _gap),
    ):
        worst = 0.0
        for entry in table[name]:
            value = fast(*entry["arguments"])
            for part, exact in zip((value.real, value.imag), map(float, entry["value"]), strict=False):
                worst = max(worst, abs(part - exact) / abs(exact) if exact else abs(part))
        print(f"{name:20s} {len(table[name]):4d} references   largest relative error {worst:.1e}")


if __name__ == "__main__":
    speed()
    accuracy()
