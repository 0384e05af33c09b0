"""Transmission scans and published conductivities from tables whose columns are understood."""

import numpy as np

from sitqmc.analytic.film.inversion import MeasuredConductivity
from sitqmc.analytic.measurements.scans import DataError, ThzScan, thz_scan
from sitqmc.analytic.numerics.scatter import POINTS, scatter_error
from sitqmc.analytic.units import Array
from sitqmc.runs.formats.measured.columns import TEMPERATURE, Column, split_head, to_frequency, understand
from sitqmc.runs.formats.measured.table import Table

Columns = dict[str, tuple[Column, Array]]


def understood(table: Table) -> Columns:
    """Return quantity -> (column, numbers as written) of a table.

    raises  DataError for a head that is not understood, or for two columns of one quantity
    """
    where = f"{table.where}, line {table.head_line}" if table.head_line else table.where
    found: Columns = {}
    for index, head in enumerate(table.heads):
        if not head:
            raise DataError(f"{table.where}: column {index + 1} has no name; pass columns=['nu [THz]', ...]")
        column = understand(head, where)
        if column.quantity in found:
            other = found[column.quantity][0].head
            raise DataError(f"{where}: {column.quantity} appears twice, as {other!r} and {head!r}")
        found[column.quantity] = (column, table.values[:, index])
    return found


def temperature_of(table: Table, t_k: float | None) -> tuple[float, dict[str, str]]:
    """Return the temperature in K, given or from the metadata, and the other metadata.

    raises  DataError if there is none or its unit is unknown
    """
    rest = dict(table.entries)
    for key in list(rest):
        name, unit = split_head(key)
        if name.strip().lower() not in ("temperature", "temp", "temp.", "t_k", "sample temperature"):
            continue
        value = rest.pop(key)
        number, _, attached = value.partition(" ")
        unit = unit or attached.strip() or ("K" if name.lower() == "t_k" else "") or _suffix(value)
        number = number.rstrip("KkmM") if not attached else number
        factor = TEMPERATURE.get(unit.strip().lower())
        if factor is None:
            raise DataError(f"{table.where}: unit [{unit}] of temperature is not known; use one of k, mk")
        try:
            found = float(number.replace(",", ".")) * factor
        except ValueError:
            raise DataError(f"{table.where}: temperature {value!r} is not a number") from None
        return (found if t_k is None else t_k), rest
    if t_k is None:
        raise DataError(f"{table.where}: no temperature; add a line '# temperature [K]: 2.0' or pass t_k=")
    return t_k, rest


def _suffix(value: str) -> str:
    return value.lstrip("0123456789.,+-eE ").strip()


def scan_of(table: Table, *, t_k: float | None = None, t_error: float | None = None,
            theta_error: float | None = None) -> ThzScan:  # fmt: skip
    """Return the scan in a table of frequency, transmission and phase.

    t_k                   temperature in K, if the file lacks it
    t_error, theta_error  standard errors of |t| (absolute) and theta in rad, for a table without them
    raises                DataError naming file, column and remedy
    """
    found = understood(table)
    temperature, rest = temperature_of(table, t_k)
    synthetic = rest.pop("synthetic", "no").strip().lower() in ("yes", "true", "1")
    fields = _field(found, table.where)
    if "t_error" not in fields and t_error is not None:
        fields["t_error"] = np.full_like(fields["t"], t_error)
    if "theta_error" not in fields and theta_error is not None:
        fields["theta_error"] = np.full_like(fields["t"], theta_error)
    ordered, notes = _ordered(fields)
    notes += _errors_from_scatter(ordered, table.where)
    return thz_scan(**ordered, t_k=temperature, synthetic=synthetic, meta=rest, notes=tuple(notes))


def conductivity_of(table: Table, *, t_k: float | None = None) -> MeasuredConductivity:
    """Return the published sigma1 and sigma2 in a table of frequency and conductivity.

    raises  DataError naming file, column and remedy; errors are required or estimated from the scatter
    """
    found = understood(table)
    temperature, _ = temperature_of(table, t_k)
    missing = [name for name in ("sigma1", "sigma2") if name not in found]
    if missing:
        raise DataError(f"{table.where}: no column gives {missing[0]}; name one {missing[0]} [S/m]")
    fields = {"nu_thz": _axis(found, table.where)}
    for name in ("sigma1", "sigma2", "sigma1_error", "sigma2_error"):
        if name in found:
            column, values = found[name]
            fields[name] = values * column.factor
    ordered, _ = _ordered(fields)
    nu = ordered["nu_thz"]
    errors = []
    for part in ("sigma1", "sigma2"):
        error = ordered.get(f"{part}_error")
        if error is None and nu.size < POINTS:
            raise DataError(
                f"{table.where}: no column {part}_error, and {nu.size} points are too few to estimate it; "
                "add the column"
            )
        errors.append(np.full(nu.size, scatter_error(ordered[part])) if error is None else error)
    covariance = np.diag(np.concatenate(errors) ** 2)
    return MeasuredConductivity(
        nu_thz=nu, sigma=ordered["sigma1"] + 1j * ordered["sigma2"], covariance=covariance,
        statistical=covariance, misfit=np.full(nu.size, np.nan), t_k=temperature,
    )  # fmt: skip


def _axis(found: Columns, where: str) -> Array:
    names = [name for name in ("frequency", "wavelength") if name in found]
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        raise DataError(f"{where}: need exactly one column of frequency or wavelength; found {listed}")
    column, values = found[names[0]]
    return to_frequency(column, values)


def _field(found: Columns, where: str) -> dict[str, Array]:
    """Return frequency, |t|, theta and their errors from the columns of a table."""

    def values(name: str) -> Array:
        column, numbers = found[name]
        return numbers * column.factor

    out = {"nu_thz": _axis(found, where)}
    kinds = [name for name in ("t", "T", "t_db", "re_t") if name in found]
    if len(kinds) > 1:
        raise DataError(f"{where}: the columns {' and '.join(kinds)} both give the transmission; keep one")
    if "re_t" in found and "im_t" in found:
        field = values("re_t") + 1j * values("im_t")
        out["t"], out["theta"] = np.abs(field), np.angle(field)
    elif "T" in found:
        out["t"] = _root(values("T"))
    elif "t" in found:
        out["t"] = values("t")
    elif "t_db" in found:
        out["t"] = 10 ** (values("t_db") / 20.0)
    if "theta" in found:
        out["theta"] = values("theta")
    for name in ("t", "theta"):
        if name not in out:
            doubt = "; |t| without a phase does not determine sigma" if name == "theta" else ""
            raise DataError(f"{where}: no column gives {name}{doubt}")
    if "T_error" in found:
        out["t_error"] = values("T_error") / (2 * np.maximum(np.abs(out["t"]), _least(values("T_error"))))
    for name in ("t_error", "theta_error"):
        if name in found:
            out[name] = values(name)
    return out


def _root(power: Array) -> Array:
    """Return the field of a power; a negative power (noise) gives a negative field, left out later."""
    return np.sign(power) * np.sqrt(np.abs(power))


def _least(error: Array) -> Array:
    """Return the field below which a power is smaller than its own error."""
    return np.sqrt(np.abs(error)) + 1e-300


def _ordered(fields: dict[str, Array]) -> tuple[dict[str, Array], list[str]]:
    """Return the columns in increasing frequency with duplicate points averaged, and notes on both."""
    nu, notes = fields["nu_thz"], []
    if nu.size > 1 and not np.all(np.diff(nu) > 0):
        step = np.diff(nu)
        if not np.all(step < 0):
            notes.append("points sorted in frequency")
        order = np.argsort(nu, kind="stable")
        fields = {name: values[order] for name, values in fields.items()}
    fields["theta"] = np.unwrap(fields["theta"]) if "theta" in fields else np.zeros_like(fields["nu_thz"])
    unique, inverse, count = np.unique(fields["nu_thz"], return_inverse=True, return_counts=True)
    if unique.size < nu.size:
        notes.append(f"{nu.size - unique.size} duplicate frequencies averaged")
        fields = {
            name: np.bincount(inverse, values**2) ** 0.5 / count if name.endswith("_error")
            else np.bincount(inverse, values) / count
            for name, values in fields.items()
        }  # fmt: skip
        fields["nu_thz"] = unique
    if not np.any(fields["theta"]):
        fields.pop("theta") if "t" not in fields else None
    return fields, notes


def _errors_from_scatter(fields: dict[str, Array], where: str) -> list[str]:
    """Add missing errors, estimated from the scatter of neighbouring points, and return notes on them.

    raises  DataError if the scan is too short for it
    """
    notes = []
    for name, values in (
        ("t_error", np.log(np.maximum(np.abs(fields["t"]), 1e-300))),
        ("theta_error", fields["theta"]),
    ):
        if name in fields:
            continue
        if values.size < POINTS:
            raise DataError(
                f"{where}: no column {name}; a fit needs standard errors (repeat scans): add the column "
                f"or pass {name}="
            )
        error = scatter_error(values)
        if not error > 0:
            raise DataError(f"{where}: no column {name}, and the points do not scatter; pass {name}=")
        fields[name] = error * np.abs(fields["t"]) if name == "t_error" else np.full_like(values, error)
        size = f"{100 * error:.2g} %" if name == "t_error" else f"{error:.2g} rad"
        notes.append(f"{name} estimated from the scatter of neighbouring points: {size}")
    return notes
