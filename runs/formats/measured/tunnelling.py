"""Tunnelling curves from tables: dI/dV with or without errors, Nanonis spectra, and I(V)."""

import numpy as np

from sitqmc.analytic.measurements.scans import DataError, TunnellingCurve, tunnelling_curve
from sitqmc.analytic.numerics.scatter import POINTS, scatter_error
from sitqmc.analytic.units import Array
from sitqmc.runs.formats.measured.columns import Column, understand
from sitqmc.runs.formats.measured.table import Table
from sitqmc.runs.formats.measured.transmission import Columns, temperature_of


def curve_of(table: Table, *, t_k: float | None = None) -> TunnellingCurve:
    """Return the tunnelling curve in a table of bias and dI/dV, or of bias and current.

    Columns of other names are ignored: spectrometers record many channels. A current is differentiated.
    t_k     temperature in K, if the file lacks it
    raises  DataError naming file, column and remedy
    """
    found = _known_columns(table)
    temperature, rest = temperature_of(table, t_k)
    synthetic = rest.pop("synthetic", "no").strip().lower() in ("yes", "true", "1")
    if "bias" not in found:
        raise DataError(f"{table.where}: no column of the bias; name one bias [mV]")
    bias, notes = _numbers(found, "bias"), []
    order = np.argsort(bias, kind="stable")
    if "didv" in found:
        didv = _numbers(found, "didv")
    elif "current" in found:
        didv = np.gradient(_numbers(found, "current")[order], bias[order])[np.argsort(order)]
        notes.append("dI/dV differentiated from the current")
    else:
        raise DataError(f"{table.where}: no column of dI/dV or of the current; name one didv or current [nA]")
    bias, didv = bias[order], didv[order]
    if "didv_error" in found:
        error = _numbers(found, "didv_error")[order]
    elif bias.size >= POINTS:
        error = np.full(bias.size, scatter_error(didv))
        notes.append("didv_error estimated from the scatter of neighbouring points")
    else:
        raise DataError(
            f"{table.where}: no column didv_error, and {bias.size} points are too few to estimate it; add "
            "the column"
        )
    return tunnelling_curve(
        bias, didv, temperature, didv_error=error, synthetic=synthetic, meta=rest, notes=tuple(notes)
    )


def _known_columns(table: Table) -> Columns:
    """Return the columns of a tunnelling curve; a second column of one quantity is ignored."""
    found: Columns = {}
    refused: list[str] = []
    for index, head in enumerate(table.heads):
        try:
            column: Column = understand(head, table.where)
        except DataError as error:
            refused.append(str(error))
            continue
        found.setdefault(column.quantity, (column, table.values[:, index]))
    if "bias" not in found and refused:
        raise DataError(refused[0])
    return found


def _numbers(found: Columns, name: str) -> Array:
    column, values = found[name]
    return values * column.factor
