"""Readers of measured files. The content of a file decides how it is read, not its name."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from sitqmc.analytic.film.inversion import MeasuredConductivity
from sitqmc.analytic.measurements.scans import DataError, ThzScan, TunnellingCurve
from sitqmc.analytic.measurements.time_domain import Trace, scan_of_traces
from sitqmc.runs.formats.measured.binary import kind_of, read_dotthz, read_mat, read_own
from sitqmc.runs.formats.measured.columns import understand
from sitqmc.runs.formats.measured.table import Table, read_table
from sitqmc.runs.formats.measured.transmission import (
    conductivity_of,
    scan_of,
    temperature_of,
    understood,
)
from sitqmc.runs.formats.measured.tunnelling import curve_of

Result = TypeVar("Result")


def read_scan(
    path: str | Path, columns: list[str] | None = None, header: dict[str, str] | None = None, *,
    t_k: float | None = None, t_error: float | None = None, theta_error: float | None = None,
    reference: str | Path | None = None, window_ps: float | None = None,
) -> ThzScan:  # fmt: skip
    """Read a THz scan: text table, MATLAB file, HDF5 file, or time-domain traces.

    columns               heads of a table without heads, such as ["nu [GHz]", "T [%]", "theta [deg]"]
    header                metadata that the file lacks, such as {"temperature [K]": "2.0"}
    t_k                   temperature in K; wins over the file
    t_error, theta_error  standard errors for a table without them; default: from the scatter of the points
    reference             trace of the empty path, where `path` holds the trace of the sample alone
    window_ps             time kept after the main pulse of a trace, to cut echoes (see scan_of_traces)
    raises                DataError, one line with file, line, column and remedy
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == "hdf5":
        return _located(path, lambda: _hdf5_scan(path, t_k, window_ps))
    table = _table(path, kind, columns, header)
    if reference is not None:
        other = _table(Path(reference), kind_of(Path(reference)), columns, header)
        temperature, meta = temperature_of(table, t_k)
        traces = _single_trace(table), _single_trace(other)
        return _located(path, lambda: scan_of_traces(*traces, temperature, window_ps=window_ps, meta=meta))
    if _is_trace(table):
        return _located(path, lambda: _trace_scan(table, t_k, window_ps))
    return _located(path, lambda: scan_of(table, t_k=t_k, t_error=t_error, theta_error=theta_error))


def read_conductivity(
    path: str | Path, columns: list[str] | None = None, header: dict[str, str] | None = None, *,
    t_k: float | None = None,
) -> MeasuredConductivity:  # fmt: skip
    """Read published sigma1 and sigma2 from a text table or a MATLAB file. raises DataError, one line."""
    path = Path(path)
    table = _table(path, kind_of(path), columns, header)
    return _located(path, lambda: conductivity_of(table, t_k=t_k))


def read_tunnelling(
    path: str | Path, columns: list[str] | None = None, header: dict[str, str] | None = None, *,
    t_k: float | None = None,
) -> TunnellingCurve:  # fmt: skip
    """Read a tunnelling curve from a text table (also Nanonis .dat) or a MATLAB file: dI/dV or I(V).

    raises  DataError, one line with file, column and remedy
    """
    path = Path(path)
    table = _table(path, kind_of(path), columns, header)
    return _located(path, lambda: curve_of(table, t_k=t_k))


def describe_file(
    path: str | Path, columns: list[str] | None = None, header: dict[str, str] | None = None
) -> str:
    """Return how a file is understood: layout, columns with units, metadata, range of every column."""
    path = Path(path)
    kind = kind_of(path)
    if kind == "hdf5" and path.suffix != ".mat":
        return f"{path.name}: HDF5 file"
    table = _table(path, kind, columns, header)
    lines = [f"{path.name}: {table.values.shape[0]} rows, {table.layout}"]
    for head, values in zip(table.heads, table.values.T, strict=True):
        column = understand(head, path.name) if head else "no name"
        lines.append(f"  {column}: {np.nanmin(values):g} ... {np.nanmax(values):g}")
    lines += [f"  {key}: {value}" for key, value in table.entries.items()]
    return "\n".join(lines)


def _table(path: Path, kind: str, columns: list[str] | None, header: dict[str, str] | None) -> Table:
    if kind == "mat" or (kind == "hdf5" and path.suffix == ".mat"):
        return read_mat(path)
    if kind == "hdf5":
        raise DataError(f"{path.name}: an HDF5 file without a table; use read_scan")
    return read_table(path, columns, header)


def _hdf5_scan(path: Path, t_k: float | None, window_ps: float | None) -> ThzScan:
    """Return the scan of an HDF5 file: of this package, MATLAB 7.3, or dotTHz."""
    if path.suffix == ".mat":
        return scan_of(read_mat(path), t_k=t_k)
    own = read_own(path)
    if own is not None:
        return own
    sample, reference, meta = read_dotthz(path)
    if t_k is None:
        raise DataError("no temperature; pass t_k=")
    return scan_of_traces(sample, reference, t_k, window_ps=window_ps, meta=meta)


def _is_trace(table: Table) -> bool:
    """Return whether a table holds time-domain traces."""
    try:
        return bool(table.heads[0]) and understand(table.heads[0], table.where).quantity == "time"
    except DataError:
        return False


def _trace_scan(table: Table, t_k: float | None, window_ps: float | None) -> ThzScan:
    """Return the scan of a table with columns time, sample and reference."""
    found = understood(table)
    temperature, meta = temperature_of(table, t_k)
    time, values = found["time"]
    traces = []
    for role in ("sample", "reference"):
        if role not in found:
            raise DataError(f"no column of the {role}; pass reference=FILE for a trace in a file of its own")
        traces.append(Trace(time_ps=values * time.factor, signal=found[role][1]))
    return scan_of_traces(traces[0], traces[1], temperature, window_ps=window_ps, meta=meta)


def _single_trace(table: Table) -> Trace:
    """Return the trace of a file with time in the first column and signals in the others.

    raises  DataError if the unit of time is not given
    """
    head = table.heads[0]
    if not head:
        raise DataError(f"{table.where}: the time has no unit; pass columns=['time [ps]', 'signal']")
    column = understand(head, table.where)
    if column.quantity != "time":
        raise DataError(f"{table.where}: the first column is {column}; expected time [ps]")
    return Trace(time_ps=table.values[:, 0] * column.factor, signal=table.values[:, 1:].T)


def _located(path: Path, build: Callable[[], Result]) -> Result:
    """Return what `build` makes; an error gets the name of the file."""
    try:
        return build()
    except DataError as error:
        text = str(error)
        raise DataError(text if text.startswith(path.name) else f"{path.name}: {text}") from None
