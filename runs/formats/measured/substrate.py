"""Measured refractive index of a bare substrate: Teralyzer csv, or any table of n and kappa or alpha."""

from pathlib import Path

import numpy as np

from sitqmc.analytic.measurements.scans import DataError
from sitqmc.analytic.optics.film_on_substrate import Substrate
from sitqmc.analytic.units import C_SI, Array
from sitqmc.runs.formats.measured.columns import FREQUENCY, split_head
from sitqmc.runs.formats.measured.table import Table, read_table

INDEX = ("ref_ind", "n", "index", "refractive index", "refractive_index")
KAPPA = ("kappa", "k", "extinction", "extinction coefficient")
ALPHA = ("alpha", "absorption", "absorption coefficient")
AXIS = ("freq", "frequency", "f", "nu", "wavenumber")
HERTZ = 1e9
"""Frequencies without a unit beyond this value can only be in Hz."""

BAND_THZ = (0.05, 3.0)
"""Frequencies of the fit."""


def read_substrate(path: str | Path, thickness_um: float, columns: list[str] | None = None) -> Substrate:
    """Return the plate whose index n = index + dispersion nu^2 and kappa = loss nu fits a measured table.

    The table holds frequency, n, and kappa or alpha (intensity absorption, 1/cm unless a unit is given).
    Other columns are ignored. Teralyzer writes freq (Hz), ref_ind, kappa, alpha.
    columns  heads of a table without heads
    raises   DataError, one line with file, column and remedy
    """
    table = read_table(Path(path), columns)
    nu = _frequency(table)
    inside = (nu >= BAND_THZ[0]) & (nu <= BAND_THZ[1])
    if inside.sum() < 4:
        low, high = BAND_THZ
        raise DataError(f"{table.where}: {inside.sum()} points in {low:g}-{high:g} THz; need at least 4")
    n = _column(table, INDEX)
    if n is None:
        raise DataError(f"{table.where}: no column of the index; name one {', '.join(INDEX)}")
    kappa = _extinction(table, nu)
    curve = np.polynomial.polynomial.polyfit(nu[inside] ** 2, n[0][inside], 1)
    loss = 0.0
    if kappa is not None:
        loss = max(float(nu[inside] @ kappa[inside] / (nu[inside] @ nu[inside])), 0.0)
    return Substrate(thickness_um=thickness_um, index=float(curve[0]), dispersion=float(curve[1]), loss=loss)


def _column(table: Table, names: tuple[str, ...]) -> tuple[Array, str | None] | None:
    """Return numbers and unit of the column with one of the names; None without one."""
    for head, values in zip(table.heads, table.values.T, strict=True):
        name, unit = split_head(head)
        if name.strip().lower() in names:
            return values, unit
    return None


def _frequency(table: Table) -> Array:
    """Return the frequencies in THz."""
    found = _column(table, AXIS)
    if found is None:
        raise DataError(f"{table.where}: no column of the frequency; name one freq [Hz] or f [THz]")
    values, unit = found
    if unit is None and np.nanmedian(values) > HERTZ:
        unit = "Hz"
    factor = FREQUENCY.get((unit or "").strip().lower())
    if factor is None:
        known = ", ".join(FREQUENCY)
        raise DataError(f"{table.where}: the frequency has the unit [{unit or ''}]; use one of {known}")
    return values * factor


def _extinction(table: Table, nu: Array) -> Array | None:
    """Return kappa, from alpha = 4 pi kappa/lambda if the table has none."""
    kappa, alpha = _column(table, KAPPA), _column(table, ALPHA)
    if kappa is not None:
        return kappa[0]
    if alpha is None:
        return None
    unit = (alpha[1] or "cm^-1").strip().lower()
    factors = {"cm^-1": 100.0, "1/cm": 100.0, "cm-1": 100.0, "m^-1": 1.0, "1/m": 1.0}
    if unit not in factors:
        raise DataError(f"{table.where}: unit [{unit}] of alpha is not known; use 1/cm or 1/m")
    return np.asarray(alpha[0] * factors[unit] * C_SI / (4e12 * np.pi * nu))
