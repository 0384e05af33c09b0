"""Files of measured data: one text format and HDF5.

Text format. Lines `# name [unit]: value` first (unit optional), then one line of column names with units,
then numbers separated by blanks, commas or tabs:

    # temperature [K]: 2.0
    # synthetic: yes
    nu [THz]  t  t_error  theta [rad]  theta_error [rad]
    0.100     0.1312  0.0007  1.201  0.004

Column names (case counts for t and T):  nu, energy or wavenumber [THz, GHz, cm^-1, meV];  t (field) or
T (power);  re_t and im_t instead of t and theta;  theta [rad, deg];  t_error, T_error, theta_error;
bias [mV, V],  didv,  didv_error. `temperature [K, mK]` is required. A file without header is read with
`columns=[...]` and `header={...}` given in the same notation; `write_scan` then converts it.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.analytic.film.scans import DataError, ThzScan, TunnellingCurve, thz_scan, tunnelling_curve
from sitqmc.analytic.film.synthetic import (
    SYNTHETIC_FILMS,
    SYNTHETIC_INSTRUMENT,
    SYNTHETIC_SUBSTRATE,
    synthetic_scan,
    synthetic_tunnelling,
)
from sitqmc.analytic.units import MEV_PER_THZ, Array, cm_to_thz

AXIS_UNITS = {
    "thz": 1.0,
    "ghz": 1e-3,
    "mev": 1.0 / MEV_PER_THZ,
    "cm^-1": cm_to_thz(1.0),
    "1/cm": cm_to_thz(1.0),
}
ANGLE_UNITS = {"rad": 1.0, "deg": np.pi / 180.0}
BIAS_UNITS = {"mv": 1.0, "v": 1e3}
TEMPERATURE_UNITS = {"k": 1.0, "mk": 1e-3}
UNITS = {
    "nu": AXIS_UNITS,
    "energy": AXIS_UNITS,
    "wavenumber": AXIS_UNITS,
    "theta": ANGLE_UNITS,
    "theta_error": ANGLE_UNITS,
    "bias": BIAS_UNITS,
    "temperature": TEMPERATURE_UNITS,
}
PLAIN = ("t", "T", "t_error", "T_error", "re_t", "im_t", "didv", "didv_error")
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\[([^\]]*)\])?\s*")


def _named(text: str, where: str) -> tuple[str, float]:
    """Name and conversion factor of `name [unit]`."""
    match = _NAMED.fullmatch(text)
    if not match:
        raise DataError(f"{where}: cannot read {text!r}; expected a name and a unit, like 'nu [THz]'")
    name, unit = match.group(1), match.group(2)
    if name not in UNITS:
        return name, 1.0
    known = UNITS[name]
    if unit is None:
        raise DataError(f"{where}: {name} has no unit; write {name} [{' or '.join(known)}]")
    if unit.strip().lower() not in known:
        raise DataError(f"{where}: unit [{unit}] of {name} is not known; use one of {', '.join(known)}")
    return name, known[unit.strip().lower()]


def _columns_of(line: str, where: str) -> list[tuple[str, float]]:
    found = [_named(f"{n}{u}", where) for n, u in re.findall(r"([A-Za-z_]\w*)\s*(\[[^\]]*\])?", line)]
    for name, _ in found:
        if name not in UNITS and name not in PLAIN:
            raise DataError(f"{where}: unknown column {name!r}; known: {', '.join([*UNITS, *PLAIN])}")
    names = [name for name, _ in found]
    if len(set(names)) != len(names):
        raise DataError(f"{where}: a column name appears twice in {' '.join(names)}")
    return found


def _parse(
    path: Path, columns: list[str] | None, header: dict[str, str]
) -> tuple[dict[str, Array], dict[str, str]]:
    """Columns in internal units and header entries of a text file."""
    entries = dict(header)
    layout = _columns_of("  ".join(columns), "columns") if columns else None
    rows: list[list[float]] = []
    for number, raw in enumerate(_lines(path), start=1):
        line, where = raw.strip(), f"{path.name}, line {number}"
        if line.startswith("#"):
            key, colon, value = line.lstrip("#").partition(":")
            if colon:
                entries.setdefault(key.strip(), value.strip())
        elif line and layout is None:
            layout = _columns_of(line, where)
        elif line and layout is not None:
            rows.append(_numbers(line, len(layout), where))
    if layout is None or not rows:
        raise DataError(f"{path.name}: no data; expected a line of column names and rows of numbers")
    table = np.array(rows)
    return {name: table[:, i] * factor for i, (name, factor) in enumerate(layout)}, entries


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path.name}: not a text file; save the table as plain text (UTF-8)") from None


def _numbers(line: str, count: int, where: str) -> list[float]:
    fields = line.replace(",", " ").split()
    if len(fields) != count:
        raise DataError(f"{where}: {len(fields)} numbers for {count} columns")
    try:
        return [float(text) for text in fields]
    except ValueError:
        raise DataError(f"{where}: not a number in {line!r}") from None


def _temperature(entries: dict[str, str], where: str) -> float:
    for key in list(entries):
        match = _NAMED.fullmatch(key)
        if match and match.group(1) == "temperature":
            _, factor = _named(key, where)
            try:
                return float(entries.pop(key)) * factor
            except ValueError:
                raise DataError(f"{where}: temperature is not a number") from None
    raise DataError(f"{where}: no temperature; add a line '# temperature [K]: 2.0'")


def _synthetic(entries: dict[str, str]) -> bool:
    return entries.pop("synthetic", "no").strip().lower() in ("yes", "true", "1")


def _field_columns(table: dict[str, Array], where: str) -> dict[str, Array]:
    """t, theta and their errors from whichever columns the file has."""
    axis = [name for name in ("nu", "energy", "wavenumber") if name in table]
    if len(axis) != 1:
        found = ", ".join(axis) or "none"
        raise DataError(f"{where}: need exactly one of nu, energy, wavenumber; found {found}")
    out = {"nu_thz": table[axis[0]]}
    if "re_t" in table and "im_t" in table:
        field = table["re_t"] + 1j * table["im_t"]
        out["t"], out["theta"] = np.abs(field), np.unwrap(np.angle(field))
    elif "T" in table:
        if np.any(table["T"] < 0):
            raise DataError(f"{where}: negative power transmission in column T")
        out["t"] = np.sqrt(table["T"])
    elif "t" in table:
        out["t"] = table["t"]
    if "theta" in table:
        out["theta"] = table["theta"]
    for name in ("t", "theta"):
        if name not in out:
            raise DataError(f"{where}: no column gives {name}")
    if "T_error" in table:
        out["t_error"] = table["T_error"] / (2 * np.where(out["t"] > 0, out["t"], np.nan))
    for name in ("t_error", "theta_error"):
        if name in table:
            out[name] = table[name]
        if name not in out:
            raise DataError(f"{where}: no column {name}; a fit needs standard deviations (repeat scans)")
    return out


def read_scan(
    path: str | Path, columns: list[str] | None = None, header: dict[str, str] | None = None
) -> ThzScan:
    """THz scan from a text file or, by suffix .h5/.hdf5, an HDF5 file. raises DataError, one line."""
    path = Path(path)
    if path.suffix in (".h5", ".hdf5"):
        return _read_hdf5(path)
    table, entries = _parse(path, columns, header or {})
    fields = _field_columns(table, path.name)
    t_k, synthetic = _temperature(entries, path.name), _synthetic(entries)
    return _located(path, lambda: thz_scan(**fields, t_k=t_k, synthetic=synthetic, meta=entries))


def read_tunnelling(
    path: str | Path, columns: list[str] | None = None, header: dict[str, str] | None = None
) -> TunnellingCurve:
    """Tunnelling curve from a text file with columns bias, didv, didv_error. raises DataError, one line."""
    path = Path(path)
    table, entries = _parse(path, columns, header or {})
    for name in ("bias", "didv", "didv_error"):
        if name not in table:
            raise DataError(f"{path.name}: no column {name}")
    t_k, synthetic = _temperature(entries, path.name), _synthetic(entries)
    return _located(
        path,
        lambda: tunnelling_curve(
            table["bias"],
            table["didv"],
            t_k,
            meta=entries,
            didv_error=table["didv_error"],
            synthetic=synthetic,
        ),
    )


def _located(path: Path, build: Any) -> Any:
    try:
        return build()
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from None


def write_scan(path: str | Path, scan: ThzScan) -> None:
    """Write the text format (7 digits) or, by suffix .h5/.hdf5, HDF5. Existing files are replaced."""
    path = Path(path)
    if path.suffix in (".h5", ".hdf5"):
        _write_hdf5(path, scan)
        return
    lines = [f"# temperature [K]: {scan.t_k!r}", f"# synthetic: {'yes' if scan.synthetic else 'no'}"]
    lines += [f"# {key}: {value}" for key, value in scan.meta.items()]
    lines.append("nu [THz]  t  t_error  theta [rad]  theta_error [rad]")
    table = np.column_stack([scan.nu_thz, scan.t, scan.t_error, scan.theta, scan.theta_error])
    lines += ["  ".join(f"{value:.7g}" for value in row) for row in table]
    path.write_text("\n".join(lines) + "\n")


def write_tunnelling(path: str | Path, curve: TunnellingCurve) -> None:
    """Write a tunnelling curve in the text format. An existing file is replaced."""
    lines = [f"# temperature [K]: {curve.t_k!r}", f"# synthetic: {'yes' if curve.synthetic else 'no'}"]
    lines += [f"# {key}: {value}" for key, value in curve.meta.items()]
    lines.append("bias [mV]  didv  didv_error")
    table = np.column_stack([curve.bias_mv, curve.didv, curve.didv_error])
    lines += ["  ".join(f"{value:.7g}" for value in row) for row in table]
    Path(path).write_text("\n".join(lines) + "\n")


HDF5_COLUMNS = {"nu_thz": "THz", "t": "1", "t_error": "1", "theta": "rad", "theta_error": "rad"}


def _write_hdf5(path: Path, scan: ThzScan) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, unit in HDF5_COLUMNS.items():
            file[name] = getattr(scan, name)
            file[name].attrs["unit"] = unit
        file.attrs["temperature_k"] = scan.t_k
        file.attrs["synthetic"] = scan.synthetic
        for key, value in scan.meta.items():
            file.attrs[f"meta:{key}"] = value


def _read_hdf5(path: Path) -> ThzScan:
    import h5py

    if not h5py.is_hdf5(path):
        raise DataError(f"{path}: missing, or not an HDF5 file")
    with h5py.File(path, "r") as file:
        missing = [name for name in HDF5_COLUMNS if name not in file]
        if missing:
            raise DataError(f"{path.name}: no dataset {', '.join(missing)}")
        for name, unit in HDF5_COLUMNS.items():
            found = file[name].attrs.get("unit", "missing")
            if found != unit:
                raise DataError(f"{path.name}: unit of {name} is {found}; expected {unit}")
        if "temperature_k" not in file.attrs:
            raise DataError(f"{path.name}: attribute temperature_k is missing")
        columns = {name: file[name][:] for name in HDF5_COLUMNS}
        t_k, synthetic = float(file.attrs["temperature_k"]), bool(file.attrs.get("synthetic", False))
        meta = {key[5:]: str(value) for key, value in file.attrs.items() if key.startswith("meta:")}
    return _located(path, lambda: thz_scan(**columns, t_k=t_k, synthetic=synthetic, meta=meta))


def bundled_films() -> Path:
    """Folder of the bundled files, those write_films(..., seed=1) makes; their truth lies in truth/."""
    return Path(__file__).with_name("bundled_films")


def write_films(folder: str | Path, seed: int = 1) -> None:
    """Write the four films as text files into `folder`, their truth into `folder`/truth/*.json.

    Each film: NAME_normal.txt, NAME_cold.txt, NAME_tunnelling.txt, all marked synthetic. Existing files of
    these names are replaced.
    """
    folder = Path(folder)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for k, (name, film) in enumerate(SYNTHETIC_FILMS.items()):
        rng = np.random.default_rng([seed, k])
        write_scan(folder / f"{name}_normal.txt", synthetic_scan(film, film.warm_k, rng))
        write_scan(folder / f"{name}_cold.txt", synthetic_scan(film, film.cold_k, rng))
        write_tunnelling(folder / f"{name}_tunnelling.txt", synthetic_tunnelling(film, rng))
        truth = {
            "film": asdict(film),
            "substrate": asdict(SYNTHETIC_SUBSTRATE),
            "instrument": asdict(SYNTHETIC_INSTRUMENT),
            "seed": [seed, k],
        }
        (folder / "truth" / f"{name}.json").write_text(json.dumps(truth, indent=1) + "\n")
