"""Critical points, exponents and the critical conductivity beside published values.

    python benchmarks/critical.py [--json FILE] [STUDY ...]
    python benchmarks/critical.py --correct       renew benchmarks/data/seed_blocks.npz (ten CPU minutes)

Each study reads reduced data in benchmarks/data/ (means per sample, made by the printed command). It prints
the value, the published value and their distance in combined standard errors. The analysis is fixed in this
file. If another reasonable choice of the analysis changes the value, that choice has its own row.
"""

import argparse
import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.collapse import Collapse, Scaling, collapse
from sitqmc.qmc.finite_size.crossings import crossings, extrapolate_crossings
from sitqmc.qmc.finite_size.dataset import ScalingData, scaling_data, whitening
from sitqmc.qmc.finite_size.trotter import TrotterLimit, trotter_limit
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.statistics.control_variates import MaskFunctions, control, mask_functions

Array = NDArray[np.float64]

DATA = Path(__file__).parent / "data"
FunctionsOf = Callable[[dict[str, Array], NDArray[np.bool_]], "list[MaskFunctions]"]

NU, OMEGA = 0.67169, 0.789  # O(2): Hasenbusch, PRB 100, 224517 (2019)
XU = "Xu et al. 2019"  # PRB 100, 064525
PRX = "Swanson et al. 2014"  # PRX 4, 021007
VOJTA = "Vojta et al. 2016"  # PRB 94, 134501, site dilution


@dataclass(frozen=True)
class Row:
    """One value beside the published value; published_error is zero where it is negligible."""

    study: str
    quantity: str
    value: float
    error: float
    published: float | None
    published_error: float
    source: str
    note: str = ""

    @property
    def sigmas(self) -> float | None:
        """Distance in combined standard errors."""
        if self.published is None:
            return None
        return Estimate(self.value, self.error).pull(Estimate(self.published, self.published_error))


def load(name: str) -> dict[str, Array]:
    """Return the arrays of a study, points first, with squared windings wx2 (mean of x and y) and wtau2."""
    with np.load(DATA / f"{name}.npz") as file:
        data = {key: file[key] for key in file.files}
    beta = data["eps"] * data["L_tau"]
    data["wx2"] = data["rho_s"] * beta[:, None]
    data["wtau2"] = data["kappa"] * (data["Lx"] * data["Ly"] / beta)[:, None]
    return data


def chi2_note(result: Collapse) -> str:
    return f"chi2/dof = {result.chi2:.0f}/{result.dof}"


# --- clean transitions ----------------------------------------------------------------------------------


def isotropic(name: str, published_K: float) -> list[Row]:
    """Return K_c, nu and the critical <W^2> of an isotropic model, averaged over the three directions."""
    d = load(name)
    L, K, w2 = d["Lx"], d["eps"], (2 * d["wx2"] + d["wtau2"]) / 3
    found = crossings(L, K, w2, degree=3)
    limit = extrapolate_crossings(found, 1 / NU + OMEGA)
    points = scaling_data(L, K, w2)
    known = collapse(points, Scaling(degree=3, omega=OMEGA, nu=NU))
    large = L >= 12
    free = collapse(scaling_data(L[large], K[large], w2[large]), Scaling(degree=3))
    return [
        Row(name, "K_c, crossings", limit.coupling.value, limit.coupling.error, published_K, 0.0, XU,
            f"chi2/dof = {limit.chi2:.1f}/{limit.dof}"),
        Row(name, "K_c, collapse", known.coupling_c.value, known.coupling_c.error, published_K, 0.0, XU,
            chi2_note(known)),
        Row(name, "nu, L >= 12", *pair(free.nu), NU, 7e-5, "Hasenbusch 2019", chi2_note(free)),
        Row(name, "<W^2> at K_c", float(known.coefficients[0, 0]), float(known.coefficient_errors[0, 0]),
            0.516, 0.001, "-> 0.516, orientation"),
    ]  # fmt: skip


def pair(value: Estimate | None) -> tuple[float, float]:
    assert value is not None
    return value.value, value.error


def clean(name: str) -> Collapse:
    """Collapse <W_x^2> and <W_tau^2> of a clean scan of E_C/E_J at fixed L/L_tau (z = 1), O(2) exponents."""
    d = load(name)
    scaling = Scaling(degree=3, power=((0, 0), (0, 0)), omega=OMEGA, nu=NU)
    return collapse(scaling_data(d["Lx"], d["charging"], np.stack([d["wx2"], d["wtau2"]])), scaling)


def rotor_limit() -> tuple[Array, list[Collapse], TrotterLimit]:
    """eps, collapses and the limit of g_c."""
    names = [
        name for name in ("rotor_4", "rotor_6", "rotor_8", "rotor_10") if (DATA / f"{name}.npz").exists()
    ]
    eps = np.array([float(load(name)["eps"][0]) for name in names])
    found = [clean(name) for name in names]
    limit = trotter_limit(eps, [f.coupling_c.value for f in found], [f.coupling_c.error for f in found])
    return eps, found, limit


def rotor() -> list[Row]:
    eps, found, limit = rotor_limit()
    rows = [
        Row("rotor", f"g_c at eps = {e:.4g}", *pair(f.coupling_c), 6.04 if e == 0.25 else None, 0.02,
            "physics reference", chi2_note(f))
        for e, f in zip(eps, found, strict=True)
    ]  # fmt: skip
    note = f"chi2/dof = {limit.chi2:.1f}/{limit.dof}"
    return [
        *rows,
        Row("rotor", "g_c, eps -> 0", *pair(limit.value), 5.73, 0.03, "physics reference", note),
        Row("rotor", "g_c, eps -> 0, with eps^4", *pair(limit.next_order), 5.73, 0.03, "physics reference"),
    ]


def clean_cosine() -> list[Row]:
    f = clean("clean_cosine")
    return [
        Row(
            "clean_cosine",
            "g_c at eps = 0.1",
            *pair(f.coupling_c),
            4.245,
            0.008,
            "physics reference",
            chi2_note(f),
        )
    ]


# --- critical conductivity ------------------------------------------------------------------------------


def sigma_fit(
    n_min: int = 2, largest: float = 0.15, *, lattice: bool = True
) -> tuple[Estimate, float, int, list[Estimate]]:
    """sigma(w >> T) in 4e^2/h from <|I_n|^2>/(n L^2) of cubes at K_c; chi2, dof and all coefficients.

    sigma(n, L) = s + b n^-(3 - 1/nu) + d (n/L)^omega + e (n/L)^2. The second term is the leading thermal
    and finite-size one (energy operator; a cube has both at once), the third the leading irrelevant operator
    of the lattice, the last analytic. lattice: n means (L/pi) sin(pi n/L), the lattice frequency.
    Source of the form: Katz, Sachdev, Sorensen, Witczak-Krempa, PRB 90, 245109 (2014).
    """
    values, errors, basis = [], [], []
    for name in ("sigma", "sigma_96"):
        if not (DATA / f"{name}.npz").exists():
            continue
        d = load(name)
        for L, eps, rho in zip(d["L_tau"], d["eps"], d["rho"].astype(float), strict=True):
            n = np.arange(n_min, min(int(largest * L), rho.shape[1] - 1, L // 2) + 1)
            w = L / np.pi * np.sin(np.pi * n / L) if lattice else n.astype(float)
            samples = rho[:, n] * (eps * L) / w
            values.append(samples.mean(axis=0))
            errors.append(samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))
            basis.append(np.stack([w**0.0, w ** -(3 - 1 / NU), (w / L) ** OMEGA, (w / L) ** 2], axis=1))
    y, error = np.concatenate(values), np.concatenate(errors)
    design = np.concatenate(basis) / error[:, None]
    spread = np.linalg.inv(design.T @ design)
    c = spread @ (design.T @ (y / error))
    chi2 = float(np.sum((y / error - design @ c) ** 2))
    found = [Estimate(float(a), float(np.sqrt(v))) for a, v in zip(c, np.diag(spread), strict=True)]
    return found[0], chi2, len(y) - len(c), found


def sigma() -> list[Row]:
    rows = []
    for n_min, largest, lattice in ((2, 0.15, True), (1, 0.15, True), (2, 0.25, True), (2, 0.15, False)):
        s, chi2, dof, _ = sigma_fit(n_min, largest, lattice=lattice)
        name = f"sigma(w >> T), n >= {n_min}, n/L <= {largest}" + ("" if lattice else ", plain w")
        rows.append(Row("sigma", name, *pair(s), 0.355155, 1.1e-5, "bootstrap; MC 0.359(4), 0.3605(3)",
                        f"chi2/dof = {chi2:.0f}/{dof}"))  # fmt: skip
    return rows


# --- the seed's transition ------------------------------------------------------------------------------


def seed_data(low: float, high: float) -> dict[str, Array]:
    """Return points of the diluted transition, low < p < high, with the same 400 masks for all of them."""
    names = [name for name in ("seed_transition", *SEED_PARTS) if (DATA / f"{name}.npz").exists()]
    parts = [load(name) for name in names]
    keys = ("Lx", "L_tau", "p", "wx2", "wtau2")
    d = {key: np.concatenate([part[key] for part in parts]) for key in keys}
    near = (d["p"] > low) & (d["p"] < high)
    return {key: values[near] for key, values in d.items()}


def seed_transition() -> list[Row]:
    """p_c, nu and z of the bond-diluted cosine action at E_C/E_J = 3, eps = 0.1.

    Crossings at L_tau ~ L^1.5 drift towards p_c from both sides. Collapses of two sizes and three aspect
    ratios need no z and give effective exponents, which grow towards those of large disorder: sizes up to
    32 are far from their limit (corrections are strong, Vojta et al. used larger ones).
    """
    return seed_crossings() + seed_pairs()


def seed_masks() -> list[Row]:
    """The same with functions of the mask: masks come from seeds, so data of finished runs suffice."""
    rows = seed_crossings(functions_of) + seed_pairs(functions_of) + seed_corrected(functions_of)
    return [replace(row, study="seed_masks", quantity=f"{row.quantity}, masks") for row in rows]


def exponents(f: Collapse, label: str) -> list[Row]:
    """Return p_c, nu and z of a collapse beside published values."""
    return [
        Row("seed", f"p_c, {label}", *pair(f.coupling_c), 0.337, 0.0, PRX, chi2_note(f)),
        Row("seed", f"nu, {label}", *pair(f.nu), 1.16, 0.05, VOJTA),
        Row("seed", f"z, {label}", *pair(f.z), 1.52, 0.03, VOJTA),
    ]


CORRECTIONS = (0.5, 1.0, 1.5)
"""Exponents omega of corrections to scaling that are tried: the data do not fix it."""


def seed_corrected(functions: FunctionsOf | None = None) -> list[Row]:
    """Return p_c, nu and z from one collapse of all sizes with a correction L^(-omega), for each omega.

    chi2 rejects all three: one correction does not describe L = 8 to 32. Their spread shows its size.
    """
    d = seed_data(0.28, 0.38)
    everything = np.ones(len(d["p"]), bool)
    points = scaling_data(
        d["Lx"], d["p"], np.stack([d["wx2"], d["wtau2"]]), L_tau=d["L_tau"], shared=True,
        functions=functions(d, everything) if functions else None,
    )  # fmt: skip
    rows = []
    for omega in CORRECTIONS:
        scaling = Scaling(4, ((0, 0), (0, 0)), z=None, aspect_degree=4, logarithmic=True, omega=omega)
        f = collapse(points, scaling, start=(0.337, 1.1, 1.4))
        label = f"L = {d['Lx'].min():g} to {d['Lx'].max():g}, omega = {omega:g}"
        rows += [replace(row, quantity=f"all sizes: {row.quantity}") for row in exponents(f, label)]
    return rows


SEED, POPULATION = 337, 4096


def functions_of(d: dict[str, Array], chosen: NDArray[np.bool_]) -> list[MaskFunctions]:
    """Return the functions of the masks of some points of `seed_data`."""
    points = zip(d["Lx"][chosen], d["L_tau"][chosen], d["p"][chosen], strict=True)
    return [_functions(int(L), int(slices), float(p)) for L, slices, p in points]


@cache
def _functions(L: int, slices: int, p: float, masks: int = 400) -> MaskFunctions:
    model = Model(Lx=L, Ly=L, L_tau=slices, eps=0.1, charging=3.0, action="cosine", p=p)
    return mask_functions(model, SEED, range(masks), population=POPULATION)


def seed_crossings(functions: FunctionsOf | None = None) -> list[Row]:
    rows = []
    for name, low in (("wx2", 0.25), ("wtau2", 0.19)):
        d = seed_data(low, 0.38)
        base = d["L_tau"] == 2 * np.round(d["Lx"] ** 1.5)
        for two in itertools.pairwise(np.unique(d["Lx"][base])):
            sizes = [d["p"][base & (d["Lx"] == L)] for L in two]
            near = base & np.isin(d["Lx"], two)
            near &= (d["p"] >= max(p.min() for p in sizes)) & (d["p"] <= min(p.max() for p in sizes))
            degree = min(3, *(len(p) - 1 for p in sizes))    # few couplings at the largest size
            (c,) = crossings(
                d["Lx"][near], d["p"][near], d[name][near], degree=degree, shared=True,
                functions=functions(d, near) if functions else None,
            )  # fmt: skip
            what = f"p where {name} of L = {two[0]:g}, {two[1]:g} cross"
            rows.append(Row("seed", what, *pair(c.coupling), 0.337, 0.0, PRX, f"height {c.height.value:.2f}"))
    return rows


def seed_pairs(functions: FunctionsOf | None = None) -> list[Row]:
    d = seed_data(0.28, 0.38)
    rows, sizes = [], np.unique(d["Lx"])
    for small, large in itertools.pairwise(sizes):
        two = (d["Lx"] == small) | (d["Lx"] == large)
        windings = np.stack([d["wx2"], d["wtau2"]])[:, two]
        points = scaling_data(
            d["Lx"][two], d["p"][two], windings, L_tau=d["L_tau"][two], shared=True,
            functions=functions(d, two) if functions else None,
        )  # fmt: skip
        # The aspect ratios span a factor of four: up to the fourth power shows, where both sizes have three.
        shapes = len(np.unique(np.stack([d["Lx"][two], d["L_tau"][two]]), axis=1).T)
        if shapes < 4:                           # aspect ratios are not there yet
            continue
        degree = 4 if shapes > 4 else 3
        scaling = Scaling(degree, ((0, 0), (0, 0)), z=None, aspect_degree=degree, logarithmic=True)
        f = collapse(points, scaling, start=(0.335, 0.9, 1.25))
        label = f"L = {small}, {large}"
        rows += exponents(f, label)
    return rows


# --- all sizes and aspect ratios ---------------------------------------------------------------------------

BLOCKS = 200
"""Blocks of masks: sample s is in block s mod BLOCKS, so that points with the same masks share scatter."""
OBSERVED = (("wx2", "wtau2"), ("G_0", "G_sum"))
"""Observables whose correlation is kept; the second pair was not measured everywhere."""
WINDOW = (0.28, 0.38)
RANGES = (8, 12, 16, 24)
"""Smallest sizes of the fits that are tried."""
FLAT = 0.9
"""Least L_tau/L^1.5 of the quoted fits. With arrays of half of L^1.5 as well no fit holds; rows say so."""
FITTING = 0.01
"""Probability of chi2 above which a fit is accepted."""


def correct() -> None:
    """Write seed_blocks.npz: block means of OBSERVED near p_c with the disorder noise taken out.

    Points of one size and number of masks that the file holds already are kept as they are.
    """
    rows, path = every_point(), DATA / "seed_blocks.npz"
    m, q = len(rows), len(OBSERVED[0])
    samples = np.full((len(OBSERVED), q, m, BLOCKS), np.nan, np.float32)
    common = np.zeros((len(OBSERVED), q, m, q, m), np.float32)
    old = dict(np.load(path)) if path.exists() else {"Lx": [], "L_tau": [], "p": [], "masks": []}
    known = list(zip(*(old[key] for key in ("Lx", "L_tau", "p", "masks")), strict=True))
    for size, count in sorted({(int(row["Lx"]), len(row["wx2"])) for row in rows}):
        mine = [i for i, row in enumerate(rows) if row["Lx"] == size and len(row["wx2"]) == count]
        wanted = [(size, rows[i]["L_tau"], rows[i]["p"], count) for i in mine]
        if all(key in known for key in wanted):
            at = [known.index(key) for key in wanted]
            samples[:, :, mine] = old["samples"][:, :, at]
            common[np.ix_(*map(range, (len(OBSERVED), q)), mine, range(q), mine)] = (
                old["common"][np.ix_(*map(range, (len(OBSERVED), q)), at, range(q), at)]
            )  # fmt: skip
            continue
        for k, names in enumerate(OBSERVED):
            there = [i for i in mine if all(name in rows[i] for name in names)]
            if there:
                samples[k][:, there], common[k][np.ix_(range(q), there, range(q), there)] = _corrected_blocks(
                    [rows[i] for i in there], names, count
                )
        print(f"L = {size}: {len(mine)} points of {count} masks", flush=True)
    head = {key: np.array([row[key] for row in rows]) for key in ("Lx", "L_tau", "p")}
    np.savez_compressed(path, samples=samples, common=common, masks=[len(r["wx2"]) for r in rows], **head)


def _corrected_blocks(rows: list[dict[str, Any]], names: tuple[str, ...], count: int) -> tuple[Array, Array]:
    """Return corrected block means (q, m, BLOCKS) of points of one size, and what they share (q, m, q, m)."""
    size = np.array([row["Lx"] for row in rows])
    values = np.array([[np.asarray(row[name], float) for row in rows] for name in names])
    functions = [_functions(int(r["Lx"]), int(r["L_tau"]), float(r["p"]), count) for r in rows]
    points = scaling_data(size, [row["p"] for row in rows], values, shared=True, functions=functions)
    assert points.common is not None
    return _block_means(points.samples), points.common.reshape((len(names), len(rows)) * 2)


def _block_means(samples: Array) -> Array:
    """Return BLOCKS means of samples (q, m, n) whose mean and scatter give the mean of all and its error.

    With fewer samples than blocks the others hold the mean, and the scatter of the first ones is larger.
    """
    n = samples.shape[2]
    mean = samples.mean(axis=2, keepdims=True)
    if n >= BLOCKS:
        means = np.stack([samples[:, :, b::BLOCKS].mean(axis=2) for b in range(BLOCKS)], axis=2)
        return np.asarray(means + mean - means.mean(axis=2, keepdims=True))
    out = np.repeat(mean, BLOCKS, axis=2)
    out[:, :, :n] += (samples - mean) * BLOCKS / n
    return np.asarray(out)


def every_point() -> list[dict[str, Any]]:
    """Return all points of the diluted transition inside WINDOW, with samples of what was measured."""
    names = ("seed_transition", *SEED_PARTS, "order_diluted", *SHAPES)
    rows: dict[tuple[int, int, float], dict[str, Any]] = {}
    for name in (name for name in names if (DATA / f"{name}.npz").exists()):
        part = load(name)
        for i, p in enumerate(part["p"].tolist()):
            if WINDOW[0] < p < WINDOW[1]:
                key = (int(part["Lx"][i]), int(part["L_tau"][i]), p)
                measured = [name for pair in OBSERVED for name in pair if name in part]
                rows[key] = {k: part[k][i] for k in ("Lx", "L_tau", "p", *measured)}
    return [rows[key] for key in sorted(rows)]


def corrected(pair: int, smallest: int, flat: float = 0.0) -> ScalingData:
    """Return points of seed_blocks.npz where a pair of OBSERVED was measured.

    smallest  least L;  flat  least L_tau/L^1.5
    """
    with np.load(DATA / "seed_blocks.npz") as file:
        d = {key: file[key] for key in file.files}
    samples, common = d["samples"][pair].astype(float), d["common"][pair].astype(float)
    long = d["L_tau"] >= flat * d["Lx"] ** 1.5
    there = np.flatnonzero(np.isfinite(samples[0, :, 0]) & (d["Lx"] >= smallest) & long)
    L, q = d["Lx"][there].astype(float), len(samples)
    shared = common[np.ix_(range(q), there, range(q), there)].reshape((q * len(there),) * 2)
    blocks = tuple(np.flatnonzero(size == L) for size in np.unique(L))
    return ScalingData(L, d["L_tau"][there].astype(float), d["p"][there], samples[:, there], blocks, shared)


def seed_ranges() -> list[Row]:
    """Return p_c, nu, z, beta/nu and eta from sizes >= 8, 12, 16, 24 with several aspect ratios each.

    Fits without and with one correction L^(-omega). Of the first range that fits, the fit of largest
    probability is quoted. Its error and half the spread between the accepted fits of all ranges are added in
    quadrature.
    """
    rows = [exponents(f, f"all shapes, {label}")[0] for n in RANGES for label, f in _fits(n, 0.0)]
    found = {n: _fits(n, FLAT) for n in RANGES[:-1]}
    rows += [row for fits in found.values() for label, f in fits for row in exponents(f, label)]
    accepted = [(n, f) for n, fits in found.items() for _, f in fits if f.p_value > FITTING]
    if accepted:
        smallest = accepted[0][0]
        best = max((f for n, f in accepted if n == smallest), key=lambda f: f.p_value)
        rows += _quoted(best, [f for _, f in accepted], smallest) + _order_rows(best, smallest)
    return [replace(row, study="seed_ranges") for row in rows]


def _fits(smallest: int, flat: float) -> list[tuple[str, Collapse]]:
    """Return the collapses of sizes >= smallest, without and with corrections to scaling."""
    points, out = corrected(0, smallest, flat), []
    for omega in (None, *CORRECTIONS) if len(points.blocks) > 2 else (None,):
        degree = 4 if smallest < 24 else 3
        powers = ((0, 0), (0, 0))
        scaling = Scaling(degree, powers, z=None, aspect_degree=degree, logarithmic=True, omega=omega)
        words = "no correction" if omega is None else f"omega = {omega:g}"
        out.append((f"L >= {smallest}, {words}", collapse(points, scaling, start=(0.337, 1.0, 1.35))))
    return out


def _quoted(best: Collapse, accepted: list[Collapse], smallest: int) -> list[Row]:
    """Return the rows of the accepted range."""
    rows = []
    published = (("p_c", "coupling_c", 0.337, 0.0, PRX), ("nu", "nu", 1.16, 0.05, VOJTA),
                 ("z", "z", 1.52, 0.03, VOJTA))  # fmt: skip
    for name, key, value, error, source in published:
        found = [getattr(f, key) for f in accepted]
        spread = float(np.ptp([e.value for e in found])) / 2
        own = getattr(best, key)
        note = f"{len(accepted)} fits accepted, {chi2_note(best)}"
        total = float(np.hypot(own.error, spread))
        what = f"{name}, L >= {smallest}, quoted"
        rows.append(Row("seed", what, own.value, total, value, error, source, note))
    return rows


def _order_rows(f: Collapse, smallest: int) -> list[Row]:
    """Return beta/nu and eta at the critical point of a collapse, L >= smallest.

    ln of the structure factor at equal times, ~ L^(2 - 2 beta/nu), and of its sum over times, ~ L^(2 - eta),
    is linear in ln L and polynomial in x and a. Errors are enlarged by (chi2/dof)^(1/2) above one; those of
    p_c, nu and z are propagated one by one.
    """
    points = corrected(1, smallest, FLAT)
    assert f.nu is not None
    assert f.z is not None
    centre = (f.coupling_c.value, f.nu.value, f.z.value)
    value, error, chi2, dof = _slopes(points, *centre)
    variance = error**2 * max(chi2 / dof, 1.0)   # corrections to scaling that the fit lacks
    for i, width in enumerate((f.coupling_c.error, f.nu.error, f.z.error)):
        moved = [c + width * (i == k) for k, c in enumerate(centre)]
        variance += (_slopes(points, *moved)[0] - value) ** 2
    note = f"chi2/dof = {chi2:.0f}/{dof}, both"
    spread = np.sqrt(variance)
    published = 2 * 0.48 - 1.52                  # eta = 2 beta/nu - z in two dimensions
    words = f"L >= {smallest}, quoted"
    return [
        Row("seed", f"beta/nu, {words}", 1 - value[0] / 2, spread[0] / 2, 0.48, 0.02, VOJTA, note),
        Row("seed", f"eta, {words}", 2 - value[1], spread[1], published, 0.05,
            f"{VOJTA}: 2 beta/nu - z", note),
    ]  # fmt: skip


def _slopes(points: ScalingData, p_c: float, nu: float, z: float) -> tuple[Array, Array, float, int]:
    """Return d ln y/d ln L of both observables at p_c and fixed L_tau/L^z, errors, chi2 and dof."""
    q, m = points.mean.shape
    x = (points.coupling - p_c) * points.L ** (1 / nu)
    a = np.log(points.L_tau) - z * np.log(points.L)
    x, a = x / np.abs(x).max(), a - a.mean()
    terms = [np.log(points.L), *(x**i * a**j for i in range(4) for j in range(4) if i + j < 4)]
    one = np.stack(terms, axis=1)
    design, data, white = np.kron(np.eye(q), one), np.log(points.mean).ravel(), np.zeros((q * m, q * m))
    for block, entries, root in whitening(points):
        rows = (np.arange(q)[:, None] * m + block[None, :]).ravel()[entries]
        white[np.ix_(rows, rows)] = root
    white = white * points.mean.ravel()
    spread = np.linalg.inv((white @ design).T @ (white @ design))
    c = spread @ ((white @ design).T @ (white @ data))
    chi2 = float(np.sum((white @ (data - design @ c)) ** 2))
    at = np.arange(q) * one.shape[1]
    return c[at], np.sqrt(np.diag(spread)[at]), chi2, q * m - design.shape[1]


# --- order parameter --------------------------------------------------------------------------------------


def order() -> list[Row]:
    """eta from the susceptibility at K_c, ~ L^(2 - eta), and beta/nu of the diluted transition at p = 0.337.

    There the equal-time structure factor goes as L^(2 - 2 beta/nu) with corrections like those of nu and z;
    effective values of successive sizes.
    """
    rows = []
    if (DATA / "order_clean.npz").exists():
        rows += _eta(load("order_clean"))
    if (DATA / "order_diluted.npz").exists():
        d = load("order_diluted")
        for i, j in itertools.pairwise(range(len(d["Lx"]))):
            slope, error = _slope(d["Lx"], d["G_0"], i, j)
            what = f"beta/nu at p = 0.337, L = {d['Lx'][i]}, {d['Lx'][j]}"
            rows.append(Row("order", what, (2 - slope) / 2, error / 2, 0.48, 0.02, VOJTA, "effective"))
    return rows


def order_masks() -> list[Row]:
    """Return beta/nu of the diluted transition with functions of the mask, of all sizes there are."""
    parts = [load(name) for name in ("order_diluted", "seed_32") if (DATA / f"{name}.npz").exists()]
    found = {}
    for d in parts:
        for i in np.flatnonzero(np.isclose(d["p"], 0.337)):
            L, slices = int(d["Lx"][i]), int(d["L_tau"][i])
            mean = control(_functions(L, slices, 0.337), d["G_0"][i].astype(float))
            found[L] = Estimate(float(mean.value), float(np.squeeze(mean.error)))
    rows = []
    for small, large in itertools.pairwise(sorted(found)):
        one, other = found[small], found[large]
        step = float(np.log(large / small))
        slope = float(np.log(other.value / one.value)) / step
        error = float(np.hypot(one.error / one.value, other.error / other.value)) / step
        rows.append(Row("order_masks", f"beta/nu at p = 0.337, L = {small}, {large}, masks", (2 - slope) / 2,
                        error / 2, 0.48, 0.02, VOJTA, "effective"))  # fmt: skip
    return rows


def _slope(L: Array, samples: Array, i: int, j: int) -> tuple[float, float]:
    """d ln y/d ln L between two sizes, with its error."""
    mean = samples.astype(float).mean(axis=1)
    share = samples.std(axis=1, ddof=1) / np.sqrt(samples.shape[1]) / mean
    step = float(np.log(L[j] / L[i]))
    return float(np.log(mean[j] / mean[i])) / step, float(np.hypot(share[i], share[j])) / step


def _eta(d: dict[str, Array]) -> list[Row]:
    """Fit ln chi = a + (2 - eta) ln L + b L^-omega, with and without b."""
    L, samples = d["Lx"].astype(float), d["G_sum"].astype(float)
    y = np.log(samples.mean(axis=1))
    error = samples.std(axis=1, ddof=1) / np.sqrt(samples.shape[1]) / samples.mean(axis=1)
    rows = []
    for terms, name in ((3, "eta of O(2)"), (2, "eta of O(2), no correction")):
        design = np.stack([np.ones_like(L), np.log(L), L**-OMEGA], axis=1)[:, :terms] / error[:, None]
        spread = np.linalg.inv(design.T @ design)
        c = spread @ (design.T @ (y / error))
        chi2 = float(np.sum((y / error - design @ c) ** 2))
        rows.append(Row("order", name, 2 - float(c[1]), float(np.sqrt(spread[1, 1])), 0.0381, 8e-5,
                        "Hasenbusch 2019", f"chi2/dof = {chi2:.1f}/{len(L) - terms}"))  # fmt: skip
    return rows


MAKE = "python benchmarks/critical_data.py make runs/configs/critical/{}.toml"
SEED_PARTS = ("aspect", "seed_24", "seed_32", "aspect_24")
SHAPES = ("shape_16", "shape_24", "shape_32", "aspect_32")
"""More aspect ratios of L = 8 to 32, on the first masks of the others."""
MAKE_RHO = MAKE.replace(" make ", " --n-rho 24 make ")

STUDIES: dict[str, tuple[Callable[[], list[Row]], tuple[str, ...]]] = {
    "villain": (lambda: isotropic("villain", 0.33306704), (MAKE.format("villain"),)),
    "cosine": (lambda: isotropic("cosine", 0.45416476), (MAKE.format("cosine"),)),
    "rotor": (rotor, tuple(MAKE.format(f"rotor_{n}") for n in (4, 6, 8, 10))),
    "clean_cosine": (clean_cosine, (MAKE.format("clean_cosine"),)),
    "sigma": (sigma, tuple(MAKE_RHO.format(name) for name in ("sigma", "sigma_96"))),
    "seed": (
        seed_transition,
        (
            "sitqmc run runs/configs/critical/seed_transition.toml",
            "python benchmarks/critical_data.py reduce benchmarks/data/seed_transition.npz "
            "results/critical/seed_transition/run.h5",
            *(MAKE.format(name) for name in SEED_PARTS),
        ),
    ),
    "seed_masks": (seed_masks, ()),
    "seed_ranges": (
        seed_ranges,
        (*(MAKE.format(name) for name in SHAPES), "python benchmarks/critical.py --correct"),
    ),
    "order_masks": (order_masks, ()),
    "order": (order, (MAKE.format("order_clean"), MAKE.format("order_diluted"))),
}
"""Rows, and the commands that make the data. What is not there yet (sigma_96, aspect_24) is left out."""


def report(names: list[str]) -> list[Row]:
    """Compute and print the rows of the named studies."""
    rows = []
    print(f"{'quantity':42s} {'value':>11s} {'error':>8s} {'published':>11s} {'error':>8s} {'sigmas':>6s}")
    for name in names:
        study, commands = STUDIES[name]
        print("\n" + "\n".join(f"{name}: {command}" for command in commands))
        for row in study():
            rows.append(row)
            published = "" if row.published is None else f"{row.published:11.6g} {row.published_error:8.2g}"
            distance = "" if row.sigmas is None else f"{row.sigmas:6.1f}"
            print(f"{row.quantity:42s} {row.value:11.6g} {row.error:8.2g} {published:>20s} {distance:>6s}  "
                  f"{row.source}{'; ' * bool(row.note)}{row.note}")  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"{', '.join(STUDIES)}; default: all")
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--correct", action="store_true", help="renew seed_blocks.npz")
    arguments = parser.parse_args()
    if arguments.correct:
        correct()
        return
    for name in arguments.studies:
        if name not in STUDIES:
            parser.error(f"{name}: no such study; known: {', '.join(STUDIES)}")
    rows = report(arguments.studies or list(STUDIES))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
