"""The tables: scales of every point, and every published number beside the package's own."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.estimate import Estimate, concise
from sitqmc.qmc.finite_size.reactive import capacitance, reactive_product
from sitqmc.runs.formatting import columns
from sitqmc.runs.paper.panels.transition import energy_scale, is_reliable
from sitqmc.runs.paper.studies.conductivity import large_array_limits
from sitqmc.runs.paper.studies.dataset import G_C, P_C, SIGMA_C, Reproduction
from sitqmc.runs.paper.studies.spectra import SpectrumCache, StudyPoint
from sitqmc.runs.paper.studies.study import DATA, ReducedPoint, load_study
from sitqmc.runs.store.atomic import replace_text

K_C = 0.45416476  # isotropic XY model: Xu et al., PRB 100, 064525 (2019)
PUBLISHED = DATA / "published.json"
KEYS = ("value", "error", "published")
AVERAGES = (("rho_s", "rho_s"), ("<-k_x>", "minus_k"))
NUMBERS = (
    ("sum rule", "sum_rule"), ("m_H onset", "onset_sigma"), ("m_H peak", "m_h_sigma"),
    ("m_H chi_s", "m_h_scalar"), ("w_pair decay", "pair_decay"), ("w_pair peak", "pair_peak"),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Own and published value of one quantity; a value that does not exist is `Estimate.missing()`."""

    quantity: str
    own: Estimate
    published: Estimate
    source: str
    note: str = ""

    @property
    def sigmas(self) -> float:
        """Difference in combined standard errors; nan where either value is missing or both are exact."""
        return float(self.own.pull(self.published)) if math.isfinite(self.own.value) else math.nan

    def plain(self) -> dict[str, Any]:
        """Return the row as columns of a CSV file."""
        return {
            "quantity": self.quantity, "own": self.own.value, "own_error": self.own.error,
            "published": self.published.value, "published_error": self.published.error,
            "source": self.source, "note": self.note, "sigmas": self.sigmas,
        }  # fmt: skip


def scale_rows(points: Sequence[StudyPoint]) -> list[dict[str, float]]:
    """Return one row for each point: values, errors, and NAME_resolved (0 or 1) of the scales."""
    out = []
    for point in points:
        m = point.model
        row: dict[str, float] = {
            "p": m.p,
            "E_C/E_J": m.charging,
            "L": m.Lx,
            "L_tau": m.L_tau,
            "samples": point.averages.n_samples,
        }
        for name, key in AVERAGES:
            e = point.averages.values[key]
            row[name], row[f"{name}_error"] = e.value, e.error
        for name, key in NUMBERS:
            n = energy_scale(point, key)
            row |= {name: n.value, f"{name}_low": n.low, f"{name}_high": n.high}
            if key != "sum_rule":
                row[f"{name}_resolved"] = float(is_reliable(point, key))
        low = point.scales["sigma_low"]
        row["sigma_low"], row["sigma_low_error"] = low.value, low.error
        out.append(row)
    return out


def scale_table(points: Sequence[StudyPoint], tuned: str = "p") -> str:
    """Return `scale_cells` as aligned text."""
    return "\n".join(columns(scale_cells(points, tuned)))


def scale_cells(points: Sequence[StudyPoint], tuned: str = "p") -> list[list[str]]:
    """Return head and rows of the scales as text; of an unresolved scale only the interval is given."""
    head = [tuned, *(name for name, _ in AVERAGES), *(name for name, _ in NUMBERS), "sigma_low"]
    rows = [head]
    for row in scale_rows(points):
        cells = [f"{row[tuned]:g}", *(concise(row[name], row[f"{name}_error"]) for name, _ in AVERAGES)]
        for name, _ in NUMBERS:
            if not math.isfinite(row[name]):
                cells.append("-")
                continue
            if name == "sum rule":
                cells.append(concise(row[name], (row[f"{name}_high"] - row[f"{name}_low"]) / 2))
                continue
            value = f"{row[name]:.2f}" if row.get(f"{name}_resolved", 1.0) else "n.r."
            cells.append(f"{value} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]")
        cells.append(concise(row["sigma_low"], row["sigma_low_error"]))
        rows.append(cells)
    return rows


def published_rows(data: Reproduction) -> list[Row]:
    """Return published numbers with own ones: stored results of benchmarks/critical.py, and these data."""
    return [*_own_values(), *_transition(data), *_clean(data), *mirror_rows(), *_missing()]


def _own_values() -> list[Row]:
    if not PUBLISHED.exists():
        return []
    return [_row(r) for r in json.loads(PUBLISHED.read_text(encoding="utf-8"))["rows"]]


def _row(r: dict[str, Any]) -> Row:
    """Return a row of benchmarks/critical.py, where null means that nothing is published."""
    own, error, published = (math.nan if r[k] is None else float(r[k]) for k in KEYS)
    note = f"benchmarks/critical.py {r['study']}. {r['note']}".strip()
    quantity = r["quantity"] if r["study"] == "seed" else f"{r['study']}: {r['quantity']}"
    return Row(
        quantity, Estimate(own, error), Estimate(published, float(r["published_error"])), r["source"], note
    )


def _transition(data: Reproduction) -> list[Row]:
    source, rows = "Swanson et al. 2014", []
    for c in data.crossings:
        name = f"p_c, crossing L = {c.sizes[0]:g}, {c.sizes[1]:g} ({data.size})"
        note = "; ".join(["drifts with L", *c.warnings])
        rows.append(Row(name, c.coupling, Estimate(P_C, 0.0), source, note))
    limits = large_array_limits(data.critical)
    for beta, by_size in data.critical.items():
        L = max(by_size)
        name = f"sigma_low at p_c, T = {1 / beta:.3f} E_J, L = {L} ({data.size})"
        note = "size no longer counts" if beta in limits else "below the limit of large L"
        rows.append(Row(name, by_size[L], Estimate(SIGMA_C, 0.05), source,
                        f"{note}; published error unknown, 0.05 assumed"))  # fmt: skip
    return rows


def _clean(data: Reproduction) -> list[Row]:
    """Return the low-frequency conductivity nearest to the clean transition."""
    near = min(data.clean, key=lambda point: abs(point.model.charging - G_C), default=None)
    if near is None:
        return []
    name = f"clean sigma_low at g = {near.model.charging:g}, L = {near.model.Lx} ({data.size})"
    published = Estimate(0.45, 0.05)
    note = "theirs from Pade forms; here L is below the thermal length, so that the array has a gap"
    return [Row(name, near.scales["sigma_low"], published, "Smakov, Sorensen 2005", note)]


def mirror_rows() -> list[Row]:
    """Return ratios of m_H and rho_s to the gap of the insulator at mirrored distance: the stored XY model.

    All in units of the time slice, in which space and time are equivalent.
    """
    path = DATA / "mirror.h5"
    if not path.exists():
        return []
    cache = SpectrumCache([DATA / "mirror_spectra.json"], None)
    kept = load_study(path).largest
    points = list(zip(kept, cache.get(kept) or [], strict=False))
    fluid = sorted((pair for pair in points if pair[0].model.eps > K_C), key=lambda pair: pair[0].model.eps)
    solid = sorted((pair for pair in points if pair[0].model.eps < K_C), key=lambda pair: -pair[0].model.eps)
    rows = []
    for (_, one), (insulator, other) in zip(fluid, solid, strict=False):
        away = f"at K_c (1 +- {one.model.eps / K_C - 1:.2g})"
        mass, gap = energy_scale(one, "m_h_scalar"), energy_scale(other, "pair_decay")
        rho, unit = one.averages.values["rho_s"], one.model.eps / other.model.eps
        ratio, stiffness = mass.over(gap).scaled(unit), rho.over(gap).scaled(unit)
        rows += [
            Row(f"m_H/Delta, {away}", ratio, Estimate(2.1, 0.3), "Gazit et al. 2013",
                "isotropic XY model, L = 32; peak of chi_s''; others: 3.3(8), 2.2 to 2.4"),
            Row(f"rho_s/Delta, {away}", stiffness, Estimate(0.44, 0.01), "Gazit et al. 2013",
                "universal only for K -> K_c"),
            _product(rho, insulator, unit, away),
        ]  # fmt: skip
    return rows


def _product(rho: Estimate, insulator: ReducedPoint, unit: float, away: str) -> Row:
    """Return the product of the reactive conductivities of a mirror pair.

    unit  time slice of the superfluid over that of the insulator
    """
    rho_iw = insulator.responses["rho"]
    C = capacitance(rho_iw.surrogate()[:, :4], 2 * np.pi / insulator.model.beta * rho_iw.grid[:4])
    note = "w -> 0; universal only for K -> K_c; the error covers the winding left in a finite insulator"
    found = reactive_product(rho, C).scaled(unit)
    return Row(f"sigma_SF sigma_MI, {away}", found, Estimate(0.21, 0.01), "Gazit et al. 2014", note)


def _missing() -> list[Row]:
    """Return published numbers without an own value, for completeness."""
    own = Estimate.missing()
    powers = (("sigma", 5.0), ("chi_s''", 3.0))
    return [
        Row("omega of O(2)", own, Estimate(0.789, 0.004), "Hasenbusch 2019", "not computed"),
        *(Row(f"exponent of {name} below m_H, clean", own, Estimate(power, 0.0), "Podolsky et al. 2011",
              "not resolved") for name, power in powers),
    ]  # fmt: skip


def published_table(rows: Sequence[Row]) -> str:
    """Return `published_cells` as aligned text."""
    return "\n".join(columns(published_cells(rows)))


def published_cells(rows: Sequence[Row]) -> list[list[str]]:
    """Return head and rows: own value, published value, difference in standard errors."""
    lines = [["quantity", "own", "published", "sigmas", "source"]]
    for r in rows:
        exact = r.published.error == 0
        published = f"{r.published.value:.8g}" if exact else f"{r.published}"
        distance = "-" if math.isnan(r.sigmas) else f"{r.sigmas:+.1f}"
        cells = (_known_text(r.own), "-" if math.isnan(r.published.value) else published, distance)
        lines.append([r.quantity, *cells, r.source])
    return lines


def _known_text(own: Estimate) -> str:
    """Return a value with its error; "-" for a value that does not exist."""
    return "-" if math.isnan(own.value) else f"{own}"


def write_tables(folder: Path, data: Reproduction) -> list[Path]:
    """Write table_dirty, table_clean, table_published, each as .txt and .csv; return their paths."""
    made = []
    for name, points, tuned in (("dirty", data.dirty, "p"), ("clean", data.clean, "E_C/E_J")):
        if points:
            made += _write(folder, f"table_{name}", scale_table(points, tuned), scale_rows(points))
    rows = published_rows(data)
    plain = [r.plain() for r in rows]
    return [*made, *_write(folder, "table_published", published_table(rows), plain)]


def _write(folder: Path, name: str, text: str, rows: Sequence[dict[str, Any]]) -> list[Path]:
    replace_text(folder / f"{name}.txt", text + "\n", durable=False)
    replace_text(folder / f"{name}.csv", csv_text(rows, list(rows[0])), durable=False)
    return [folder / f"{name}.txt", folder / f"{name}.csv"]


def csv_text(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return rows as CSV text with these columns; numbers have six digits, a missing cell is empty."""
    out = io.StringIO()
    table = csv.DictWriter(out, names, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({k: f"{v:.6g}" if isinstance(v, (float, np.floating)) else v for k, v in row.items()})
    return out.getvalue()
