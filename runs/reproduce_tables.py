"""The tables: scales of every point, and every published number beside the package's own."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runs.files import replace_text
from runs.reproduce_data import DATA
from runs.reproduce_fig1 import resolved, scale
from runs.reproduce_beyond import nearest_critical
from runs.reproduce_study import P_C, SIGMA_C, At, Reproduction
from runs.text import columns, with_error

PUBLISHED = DATA / "published.json"
AVERAGES = (("rho_s", "rho_s"), ("<-k_x>", "minus_k"))
NUMBERS = (
    ("sum rule", "sum_rule"), ("m_H onset", "onset_sigma"), ("m_H peak", "m_h_sigma"), ("m_H chi_s", "m_h_scalar"),
    ("w_pair decay", "pair_decay"), ("w_pair peak", "pair_peak"),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One number beside what is published of it. own_error nan: none."""

    quantity: str
    own: float
    own_error: float
    published: float
    published_error: float
    source: str
    note: str = ""

    @property
    def sigmas(self) -> float:
        """Distance in combined standard errors; nan where either value is missing."""
        total = math.hypot(self.own_error, self.published_error)
        return (self.own - self.published) / total if total > 0 else float("nan")


def scale_rows(points: Sequence[At]) -> list[dict[str, float]]:
    """One row a point: values, errors, and NAME_resolved (0 or 1) of the scales."""
    out = []
    for at in points:
        m, temperature = at.point.model, 1 / at.point.model.beta
        row: dict[str, float] = {"p": m.p, "E_C/E_J": m.charging, "L": m.Lx, "L_tau": m.L_tau, "samples": at.point.samples}
        for name, key in AVERAGES:
            e = at.point.estimate(key)
            row[name], row[f"{name}_error"] = float(e.mean), float(e.error)
        for name, key in NUMBERS:
            n = scale(at, key)
            row |= {name: n.value, f"{name}_low": n.low, f"{name}_high": n.high}
            if key != "sum_rule":
                row[f"{name}_resolved"] = float(resolved(n, temperature))
        row["sigma_low"], row["sigma_low_error"] = at.point.sigma_low
        out.append(row)
    return out


def scale_table(points: Sequence[At], tuned: str = "p") -> str:
    """The same for reading. (?) after a number: not resolved."""
    head = [tuned, *(name for name, _ in AVERAGES), *(name for name, _ in NUMBERS), "sigma_low"]
    rows = [head]
    for row in scale_rows(points):
        cells = [f"{row[tuned]:g}", *(with_error(row[name], row[f"{name}_error"]) for name, _ in AVERAGES)]
        for name, _ in NUMBERS:
            if not math.isfinite(row[name]):
                cells.append("-")
                continue
            if name == "sum rule":
                cells.append(with_error(row[name], (row[f"{name}_high"] - row[f"{name}_low"]) / 2))
                continue
            sure = "" if row.get(f"{name}_resolved", 1.0) else " (?)"
            cells.append(f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]{sure}")
        cells.append(with_error(row["sigma_low"], row["sigma_low_error"]))
        rows.append(cells)
    return "\n".join(columns(rows))


def published_rows(data: Reproduction) -> list[Row]:
    """Numbers of the literature beside our own: kept ones of benchmarks/critical.py, and this data's."""
    return [*_kept(), *_transition(data), *_mirror()]


def _kept() -> list[Row]:
    if not PUBLISHED.exists():
        return []
    found = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    nan = float("nan")
    return [
        Row(r["quantity"], *(nan if r[k] is None else float(r[k]) for k in ("value", "error", "published")),
            float(r["published_error"]), r["source"], f"benchmarks/critical.py {r['study']}. {r['note']}".strip())
        for r in found["rows"]
    ]  # fmt: skip


def _transition(data: Reproduction) -> list[Row]:
    rows = [
        Row(f"p_c, crossing L = {c.sizes[0]:g}, {c.sizes[1]:g} ({data.size})", c.coupling.value, c.coupling.error, P_C, 0.0,
            "Swanson et al. 2014", "drifts with L; " + "; ".join(c.warnings))
        for c in data.crossings
    ]  # fmt: skip
    for L in data.studies["dirty"].sizes:
        p, value, error = nearest_critical(data, L)
        rows.append(Row(f"sigma_low at p = {p:g}, L = {L} ({data.size})", value, error, SIGMA_C, 0.05, "Swanson et al. 2014",
                        "published error unknown, 0.05 assumed"))
    return rows


def _mirror() -> list[Row]:
    if not PUBLISHED.exists():
        return []
    found = json.loads(PUBLISHED.read_text(encoding="utf-8")).get("mirror", [])
    return [Row(*r) for r in found]


def published_table(rows: Sequence[Row]) -> str:
    """For reading: own, published, distance."""
    lines = [["quantity", "own", "published", "sigmas", "source"]]
    for r in rows:
        published = "-" if math.isnan(r.published) else (
            with_error(r.published, r.published_error) if r.published_error else f"{r.published:.8g}")
        distance = "-" if math.isnan(r.sigmas) else f"{r.sigmas:+.1f}"
        lines.append([r.quantity, with_error(r.own, r.own_error), published, distance, r.source])
    return "\n".join(columns(lines))


def write_tables(folder: Path, data: Reproduction) -> list[Path]:
    """table_dirty, table_clean, table_published, each as .txt and .csv."""
    made = []
    for name, points, tuned in (("dirty", data.dirty, "p"), ("clean", data.clean, "E_C/E_J")):
        if points:
            made += _write(folder, f"table_{name}", scale_table(points, tuned), scale_rows(points))
    rows = published_rows(data)
    plain = [vars(r) | {"sigmas": r.sigmas} for r in rows]
    return [*made, *_write(folder, "table_published", published_table(rows), plain)]


def _write(folder: Path, name: str, text: str, rows: Sequence[dict]) -> list[Path]:  # type: ignore[type-arg]
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({k: f"{v:.6g}" if isinstance(v, (float, np.floating)) else v for k, v in row.items()})
    replace_text(folder / f"{name}.txt", text + "\n", durable=False)
    replace_text(folder / f"{name}.csv", out.getvalue(), durable=False)
    return [folder / f"{name}.txt", folder / f"{name}.csv"]
