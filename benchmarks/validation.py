"""Validation document: every kind of check against exact and published values, with numbers.

    python benchmarks/validation.py            compute all numbers (some minutes) and write the document
    python benchmarks/validation.py --render   write the document from the stored numbers

Document and numbers are runs/docs/pages/validation.md and .json. A checkout is needed (tests/reference,
benchmarks/data).
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
# This folder holds a script with the name of a package: it must not come first on the path.
sys.path = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]
sys.path += [str(ROOT / "tests"), str(ROOT)]

from scipy.stats import chi2  # noqa: E402

from reference import superconductor  # noqa: E402
from reference.exact_spectrum import broadened_correlator, ring_lines  # noqa: E402
from reference.transfer_matrix import CASES, DISORDERED, Case, exact  # noqa: E402
from sitqmc.analytic import FilmOnSubstrate, Substrate, gap_mev, invert, mattis_bardeen, transmission  # noqa: E402
from sitqmc.analytic.superconductor.dynes import dynes_kernel  # noqa: E402
from sitqmc.analytic.superconductor.finite_scattering import conductivity_kernel  # noqa: E402
from sitqmc.analytic.superconductor.gap import critical_temperature  # noqa: E402
from sitqmc.analytic.superconductor.tunnelling import didv_kernel  # noqa: E402
from sitqmc.analytic.units import MEV_PER_K  # noqa: E402
from sitqmc.continuation import current_kernel, sinh_grid, tau_kernel  # noqa: E402
from sitqmc.qmc import Model, Schedule, make_disorder, run_chain  # noqa: E402

KEPT = ROOT / "runs" / "docs" / "pages" / "validation.json"
TARGET = KEPT.with_suffix(".md")
SEED, BINS, MEASUREMENTS = 20260102, 256, 600
COMPARED = {
    "rho_s_x": "rho_s_x", "rho_s_y": "rho_s_y", "kappa": "kappa", "charging_energy": "charging",
    "bond_energy": "bond", "energy": "energy", "rho_x": "rho_x", "rho_y": "rho_y", "G_k0": "G_k0",
    "G_loc": "G_loc", "density": "density",
}  # fmt: skip
"""Observables with the same meaning for all actions: name of the bins -> name in the exact result."""


@dataclass(frozen=True)
class Exact:
    """Comparison of one chain with the transfer matrix.

    numbers, independent  compared numbers; principal axes of their correlation matrix
    chi2, probability     chi^2 along these axes; its p-value
    worst_sigmas, worst_name  largest deviation in standard errors, and where it occurs
    median_error          median relative error of the numbers above 0.05
    """

    case: str
    numbers: int
    chi2: float
    independent: int
    probability: float
    worst_sigmas: float
    worst_name: str
    median_error: float


@dataclass(frozen=True)
class Closed:
    """Comparison of a formula with an independent evaluation: largest relative difference and bound."""

    what: str
    against: str
    numbers: int
    difference: float
    claimed: float


# --- the worm against the transfer matrix ---------------------------------------------------------------


def small_cases() -> list[Case]:
    return [case for case in (*CASES, *DISORDERED) if case.sites.sum() <= 4]


def exact_row(case: Case, sample: int) -> Exact:
    """Compare one long chain with the exact averages."""
    model = Model(Lx=case.Lx, Ly=case.Ly, L_tau=case.L_tau, eps=case.eps, charging=case.charging,
                  action=case.action, n_g=case.n_g)  # type: ignore[arg-type]  # fmt: skip
    couplings: Any = {"E_J": case.E_J, "E_C": case.E_C} if case.spread_J or case.spread_C else {}
    disorder = make_disorder(case.Lx, case.Ly, bonds=case.bonds, sites=case.sites, **couplings)
    schedule = Schedule(therm_sweeps=2000, bins=BINS, measurements_per_bin=MEASUREMENTS)
    bins = run_chain(model, disorder, seed=SEED, sample=sample, schedule=schedule).bins
    truth = exact(case)
    columns, wanted, names = [], [], []
    for name, key in COMPARED.items():
        values = bins[name].reshape(BINS, -1)
        expected = np.atleast_1d(truth[key])
        columns.append(values)
        wanted.append(expected)
        names += [f"{name}[{k}]" if len(expected) > 1 else name for k in range(len(expected))]
    table, truths = np.concatenate(columns, axis=1), np.concatenate(wanted)
    moves = table.std(axis=0) > 1e-12 * np.maximum(np.abs(table).max(axis=0), 1e-300)
    table, truths = table[:, moves], truths[moves]
    labels = [name for name, moving in zip(names, moves, strict=True) if moving]
    scale = table.std(axis=0, ddof=1)
    z = (table.mean(axis=0) - truths) / scale * np.sqrt(BINS)
    worst = int(np.argmax(np.abs(z)))
    power, axes = np.linalg.eigh(np.corrcoef(table.T))
    keep = power > 1e-4 * power.max()
    white = (axes.T @ z)[keep] / np.sqrt(power[keep])
    count = int(keep.sum())
    total = float(white @ white) * (BINS - count - 2) / (BINS - 1)
    large = np.abs(truths) > 0.05
    median = float(np.median((scale / np.sqrt(BINS))[large] / np.abs(truths[large])))
    return Exact(case.name, len(truths), total, count, float(chi2.sf(total, count)), float(abs(z[worst])),
                 labels[worst], median)  # fmt: skip


# --- closed forms ---------------------------------------------------------------------------------------


def _one(kernel: Callable[..., None], kind: type, *arguments: Any) -> Any:
    out = np.empty(1, dtype=kind)
    kernel(np.array([arguments[0]]), *arguments[1:], out)
    return out[0]


def _gap(temperature: float, rate: float) -> float:
    """Return Delta(T) for a temperature and a rate in units of Tc0, in the same unit."""
    tc = critical_temperature(1.0, rate)
    return float(gap_mev(temperature, tc, gamma_mev=rate * MEV_PER_K)) / MEV_PER_K


def closed_rows() -> Iterator[Closed]:
    """Yield the comparisons of superconductor formulas, optics and kernels of the continuation."""
    table = json.loads(superconductor.TABLE.read_text())
    ways: dict[str, tuple[str, Callable[..., Any], float]] = {
        "zimmermann": ("conductivity, any purity and temperature",
                       lambda w, t, tau: _one(conductivity_kernel, complex, w, t, tau), 1e-9),
        "dynes": ("conductivity of the Dynes superconductor",
                  lambda w, t, g, width: _one(dynes_kernel, complex, w, t, g, 1 / width), 1e-9),
        "tunnelling": ("thermally broadened dI/dV",
                       lambda v, g, t: _one(didv_kernel, float, v, g, t), 1e-9),
        "gap": ("gap Delta(T) with pair breaking", _gap, 1e-11),
    }  # fmt: skip
    for name, (what, fast, claimed) in ways.items():
        worst = max(_relative(fast(*entry["arguments"]), entry["value"]) for entry in table[name])
        yield Closed(what, "30-digit quadrature (mpmath)", len(table[name]), worst, claimed)
    yield _inversion()
    yield _gap_edge()
    yield _ring()
    yield _slices()


def _relative(value: Any, stored: Sequence[str]) -> float:
    parts = (value.real, value.imag) if len(stored) == 2 else (value,)
    pairs = [(float(p), float(v)) for p, v in zip(parts, stored, strict=True)]
    return max((abs(p - v) / abs(v) for p, v in pairs if v), default=0.0)


def _inversion() -> Closed:
    nu = np.linspace(0.1, 1.2, 200)
    sigma = 2e5 * mattis_bardeen(nu, 0.9, 2.0) / 100
    film = FilmOnSubstrate(film_nm=20.0, substrate=Substrate(thickness_um=1000.0, index=3.1))
    back = invert(nu, transmission(nu, sigma, film), film)
    return Closed("sigma from complex transmission", "the sigma that made it", nu.size,
                  float(np.max(np.abs(back / sigma - 1))), 1e-9)  # fmt: skip


def _gap_edge() -> Closed:
    """Compare 2 Delta(0)/k Tc with 2 pi exp(-gamma)."""
    ratio = 2 * float(gap_mev(0.0, 10.0)) / (10.0 * MEV_PER_K)
    return Closed("2 Delta(0)/k Tc, weak coupling", "2 pi/exp(gamma_E)", 1,
                  float(abs(ratio / (2 * np.pi * np.exp(-np.euler_gamma)) - 1)), 1e-12)  # fmt: skip


def _ring() -> Closed:
    """Compare the kernel with an exact three-site ring: its broadened spectrum must give its correlator."""
    beta, tau = 8.0, 0.1 * np.arange(1, 41)
    lines, grid = ring_lines(3, 2.0, beta), sinh_grid(60.0, 2.0, 6000)
    through = tau_kernel(tau, grid.omega, beta) @ (lines.broadened(grid.omega, 0.3) * grid.weights)
    exact_values = broadened_correlator(lines, tau, 0.3)
    return Closed("kernel of Lambda(tau)", "exact diagonalisation of a ring of three", tau.size,
                  float(np.max(np.abs(through / exact_values - 1))), 2e-6)  # fmt: skip


def _slices() -> Closed:
    """Compare the kernel of finite slices with the lattice Fourier sum of the kernel in tau."""
    eps, slices = 0.1, 40
    beta, omega = eps * slices, np.geomspace(0.05, 30.0, 60)
    k, n = np.arange(slices), np.arange(1, slices // 2 + 1)
    rows = tau_kernel(np.minimum(k, slices - k) * eps, omega, beta)
    lattice = eps * (np.cos(2 * np.pi * np.outer(n, k) / slices) @ rows)
    direct = current_kernel(n, omega, beta, eps)
    want = eps * rows.sum(axis=0) - lattice
    difference = float(np.max(np.abs(direct - want) / np.abs(want).max(axis=0)))
    return Closed("kernel of rho(i w_n) at finite eps", "lattice Fourier sum of the kernel in tau",
                  direct.size, difference, 1e-12)  # fmt: skip


# --- published values -----------------------------------------------------------------------------------


def published_rows() -> list[dict[str, Any]]:
    """Return the rows of benchmarks/critical.py, from kept data."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("critical", Path(__file__).with_name("critical.py"))
    assert spec is not None
    assert spec.loader is not None
    critical = importlib.util.module_from_spec(spec)
    sys.modules["critical"] = critical
    spec.loader.exec_module(critical)
    rows = [row for study, _ in critical.STUDIES.values() for row in study()]
    return [asdict(row) | {"sigmas": row.sigmas} for row in rows]


# --- the document ---------------------------------------------------------------------------------------


def compute() -> dict[str, Any]:
    """Compute all numbers."""
    cases = []
    for i, case in enumerate(small_cases()):
        print(case.name, flush=True)
        cases.append(asdict(exact_row(case, i)))
    return {"exact": cases, "closed": [asdict(row) for row in closed_rows()], "published": published_rows()}


def render(kept: dict[str, Any]) -> str:
    """Return the document as Markdown."""
    return "\n\n".join([HEAD, _exact_text(kept["exact"]), _closed_text(kept["closed"]),
                        _published_text(kept["published"]), TAIL]) + "\n"  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def _exact_text(rows: list[dict[str, Any]]) -> str:
    body = [[
        r["case"], str(r["numbers"]), f"{r['chi2']:.0f} / {r['independent']}", f"{r['probability']:.2f}",
        f"{r['worst_sigmas']:.1f} (`{r['worst_name']}`)", f"{100 * r['median_error']:.2g} %",
    ] for r in rows]  # fmt: skip
    total, count = sum(r["chi2"] for r in rows), sum(r["independent"] for r in rows)
    said = (f"Sum: χ² = {total:.0f} for {count} independent numbers, "
            f"probability {chi2.sf(total, count):.2f}.")  # fmt: skip
    head = ("case", "numbers", "χ² / independent", "probability", "worst, in σ", "median error")
    return f"{EXACT}\n\n{_table(head, body)}\n\n{said}"


def _closed_text(rows: list[dict[str, Any]]) -> str:
    body = [[r["what"], r["against"], str(r["numbers"]), f"{r['difference']:.1e}", f"{r['claimed']:.0e}"]
            for r in rows]  # fmt: skip
    head = ("quantity", "against", "numbers", "largest relative difference", "claimed")
    return f"{CLOSED}\n\n{_table(head, body)}"


def _published_text(rows: list[dict[str, Any]]) -> str:
    body = []
    for r in rows:
        there = distance = ""
        if r["published"] is not None:
            error = f" ± {r['published_error']:.2g}" if r["published_error"] else ""
            there = f"{r['published']:.8g}{error}"
            distance = f"{r['sigmas']:+.1f}"
        body.append([
            r["study"], r["quantity"], f"{r['value']:.6g} ± {r['error']:.2g}", there, distance,
            "; ".join(x for x in (r["source"], r["note"]) if x),
        ])  # fmt: skip
    head = ("study", "quantity", "here", "published", "distance, σ", "source, remark")
    return f"{PUBLISHED}\n\n{_table(head, body)}"


HEAD = """\
# Validation

`python benchmarks/validation.py` computes every number and writes this page; do not edit it. The tests make
the same comparisons and more, with bounds: `pytest`, and `pytest -m physics` for the long ones."""

EXACT = """\
## The worm against the transfer matrix

Tiny lattices have exact averages: the transfer matrix in the charge basis gives them at the same eps and
for the same disorder. `tests/reference/transfer_matrix.py` computes them in plain numpy and shares no code
with the package. The comparison covers stiffness, compressibility, energies, density, the current response
at every Matsubara number and both Green functions at every time slice, for all three actions, with missing
bonds and sites, random couplings and charge offsets. The numbers of one case are correlated, so χ² is
computed along the principal axes of their correlation matrix. The last column is the median relative error
of all numbers above 0.05."""

CLOSED = """\
## Formulas and kernels against independent evaluations"""

PUBLISHED = """\
## Critical points, exponents and the critical conductivity

The rows follow from data in `benchmarks/data`. `python benchmarks/critical.py` prints the rows and the
commands that made the data. "physics reference" marks literature values of lower precision. Rows without a
published value are a record. Rows that differ only in a cut or in the form of the fit belong together:
their scatter shows the systematic error of the fit. The widest window is shown because it fails.

Distances well above 3 remain at the diluted transition (`seed`). Rows that end in "masks" are from the same
data with functions of the masks, which make the errors up to seven times smaller. Exponents at these sizes
are effective exponents that have not reached the published values of large sizes. Crossings of the windings
in time and in space approach p_c from both sides. Only p_c from a joint fit of both agrees with the published
value. chi2 rejects the fits of all sizes with one correction to scaling, so their errors are too small; z
grows to 1.34 to 1.45 in them.

The last rows of the diluted transition have four aspect ratios at every size from 8 to 32, L_tau of half,
once, twice and four times L^1.5. No range of sizes fits with the flattest ones. With the other three, L >= 12
fits with a correction, and L >= 16 with and without one. The quoted errors of p_c, nu and z hold the spread
between the accepted fits, which is larger than the error of each. The fit behind beta/nu and eta has
chi2/dof = 42/22 (P = 0.6 %): their errors are enlarged by (chi2/dof)^(1/2)."""

TAIL = """\
## What is not validated

* The continuation has no exact check at realistic noise. `python benchmarks/continuation.py` measures its
  accuracy and the coverage of its bands on synthetic truths. No check covers features narrower than the
  resolution or frequencies below T.
* Bond dilution near p_c: these sizes are far from the limit of strong disorder. p_c is accurate to about
  0.003. nu and z are effective exponents, smaller than the published ones by two to three errors.
* The laboratory side was tested with synthetic films, not with measured ones."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--render", action="store_true", help="write the document from the stored numbers")
    if not parser.parse_args().render:
        KEPT.write_text(json.dumps(compute(), indent=1) + "\n", encoding="utf-8")
    TARGET.write_text(render(json.loads(KEPT.read_text(encoding="utf-8"))), encoding="utf-8")
    print(TARGET)


if __name__ == "__main__":
    main()
