"""Tables and traces in binary files: MATLAB .mat (v5, v7.3), dotTHz, and HDF5 files of this package."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.analytic.measurements.scans import DataError, ThzScan, thz_scan
from sitqmc.analytic.measurements.time_domain import Trace
from sitqmc.analytic.units import Array
from sitqmc.runs.formats.measured.columns import is_unit
from sitqmc.runs.formats.measured.table import Table

HDF5_COLUMNS = {"nu_thz": "THz", "t": "1", "t_error": "1", "theta": "rad", "theta_error": "rad"}
HDF5_MARK = b"\x89HDF\r\n\x1a\n"


def kind_of(path: Path) -> str:
    """Return hdf5, mat or text, by the first bytes of a file.

    raises  DataError for a file that cannot be opened
    """
    try:
        with open(path, "rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if head.startswith(HDF5_MARK) or head[512:].startswith(HDF5_MARK):
        return "hdf5"
    return "mat" if head.startswith(b"MATLAB 5.0 MAT-file") else "text"


def read_own(path: Path) -> ThzScan | None:
    """Return the scan in an HDF5 file of this package; None for another HDF5 file.

    raises  DataError for a file of this package that lacks a dataset, a unit or the temperature
    """
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        if "nu_thz" not in file and "temperature_k" not in file.attrs:
            return None
        missing = [name for name in HDF5_COLUMNS if name not in file]
        if missing:
            raise DataError(f"{path.name}: no dataset {', '.join(missing)}; write the file with write_scan")
        for name, unit in HDF5_COLUMNS.items():
            found = file[name].attrs.get("unit", "missing")
            if found != unit:
                raise DataError(f"{path.name}: unit of {name} is {found}; expected {unit}")
        if "temperature_k" not in file.attrs:
            raise DataError(f"{path.name}: no attribute temperature_k; write the file with write_scan")
        columns = {name: file[name][:] for name in HDF5_COLUMNS}
        t_k, synthetic = float(file.attrs["temperature_k"]), bool(file.attrs.get("synthetic", False))
        meta = {key[5:]: str(value) for key, value in file.attrs.items() if key.startswith("meta:")}
    return thz_scan(**columns, t_k=t_k, synthetic=synthetic, meta=meta)


def read_dotthz(path: Path) -> tuple[Trace, Trace, dict[str, str]]:
    """Return sample trace, reference trace and metadata of a dotTHz file with one measurement.

    Each measurement is a group; its datasets hold times and signal in two rows or columns. Their names are
    the keys, or stand in the attribute dsDescription in the order ds1, ds2.
    raises  DataError for a file with several measurements, or without sample and reference
    """
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        groups = [key for key, value in file.items() if isinstance(value, h5py.Group)]
        if len(groups) != 1:
            raise DataError(
                f"{path.name}: {len(groups)} measurements ({', '.join(groups) or 'none'}); keep one"
            )
        group = file[groups[0]]
        names = _described(group.attrs.get("dsDescription", ""))
        found: dict[str, Array] = {}
        for index, key in enumerate(sorted(k for k, v in group.items() if isinstance(v, h5py.Dataset))):
            name = names[index] if re.fullmatch(r"ds\d+", key) and index < len(names) else key
            found[name.strip().lower()] = np.asarray(group[key][()], dtype=float)
        meta = {key: _text(value) for key, value in group.attrs.items()}
    traces = []
    for role, words in (
        ("sample", ("sample", "sam", "signal")),
        ("reference", ("reference", "ref", "background")),
    ):
        name = next((n for n in found if any(n.startswith(word) for word in words)), None)
        if name is None:
            listed = ", ".join(found) or "none"
            raise DataError(f"{path.name}: no dataset of the {role}; name one {role}; found {listed}")
        traces.append(_trace(found[name], f"{path.name}, {name}"))
    return traces[0], traces[1], meta


def read_mat(path: Path) -> Table:
    """Return the named columns of a MATLAB file as a table.

    Every numeric vector of the most frequent length is a column; its variable name is the head, such as
    nu_THz, T_percent or theta_deg. Scalars and texts become metadata.
    raises  DataError if the file holds no two vectors of one length
    """
    variables = _mat_variables(path)
    vectors = {name: np.ravel(v) for name, v in variables.items() if isinstance(v, np.ndarray) and v.size > 1
               and v.dtype.kind in "fiu" and max(v.shape) == v.size}  # fmt: skip
    if not vectors:
        raise DataError(f"{path.name}: no numeric vectors; found {', '.join(variables) or 'nothing'}")
    lengths = [v.size for v in vectors.values()]
    size = max(set(lengths), key=lambda n: (lengths.count(n), n))
    columns = {name: v for name, v in vectors.items() if v.size == size}
    if len(columns) < 2:
        raise DataError(
            f"{path.name}: only one vector of length {size}; a scan needs frequency, |t| and theta"
        )
    entries = {_head(n): _text(v) for n, v in variables.items() if n not in vectors and np.size(v) == 1}
    return Table(
        heads=[_head(name) for name in columns], values=np.column_stack(list(columns.values())),
        entries=entries, lines=[], where=path.name, layout="MATLAB file",
    )  # fmt: skip


def _mat_variables(path: Path) -> dict[str, Any]:
    """Return the variables of a .mat file of either version."""
    if kind_of(path) == "hdf5":
        import h5py

        with h5py.File(path, "r", locking=False) as file:
            return {key: value[()] for key, value in file.items() if isinstance(value, h5py.Dataset)}
    from scipy.io import loadmat

    found = loadmat(path, squeeze_me=True)
    return {key: value for key, value in found.items() if not key.startswith("__")}


def _head(name: str) -> str:
    """Return `name [unit]` of a variable name that ends with a unit, such as nu_THz or T_percent."""
    base, found, unit = name.rpartition("_")
    spelled = {"percent": "%", "invcm": "cm^-1", "cm1": "cm^-1"}.get(unit.lower(), unit)
    return f"{base} [{spelled}]" if found and is_unit(spelled) and spelled not in ("1", "T", "t") else name


def _described(text: Any) -> list[str]:
    return [part for part in re.split(r"[,/;]", _text(text)) if part.strip()]


def _text(value: Any) -> str:
    flat = np.ravel(np.asarray(value))
    if flat.size == 1:
        value = flat[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def _trace(values: Array, where: str) -> Trace:
    """Return the trace in an array of two rows or two columns, time first."""
    if values.ndim != 2 or 2 not in values.shape:
        raise DataError(f"{where}: an array of shape {values.shape}; expected time and signal in two columns")
    rows = values if values.shape[0] == 2 else values.T
    return Trace(time_ps=rows[0], signal=rows[1])
