"""Averages for other programs: CSV, and NetCDF-4 (HDF5 with named dimensions, written with h5py)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sitqmc.qmc import PARAMETERS
from sitqmc.qmc.model.parameters import parameters_of
from sitqmc.qmc.observables import row_of
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.tables import PARAMETER_COLUMNS, as_csv, parameter_cells
from sitqmc.runs.store.atomic import replace_file, replace_text
from sitqmc.runs.store.sealed import writing


def write_csv(results: RunResults, path: Path) -> None:
    """Write one row for each point, observable and index of a correlator, with all parameters."""
    replace_text(path, as_csv(average_rows(results)))


def average_rows(results: RunResults) -> Iterator[Sequence[Any]]:
    """Yield head and rows of the CSV file."""
    yield (*PARAMETER_COLUMNS, "samples", "observable", "index", "mean", "error", "tau_int")
    for number, r in zip(results.numbers, results.results, strict=True):
        a, cells = r.averages, parameter_cells(number, r.model)
        for name, e in a.values.items():
            check = a.checks.get(name)
            tau = f"{check.tau_int:.6g}" if check else ""
            means, errors = np.ravel(e.value), np.ravel(e.error)
            for index, (mean, error) in enumerate(zip(means, errors, strict=True)):
                numbers = (f"{mean:.12g}", f"{error:.6g}", tau)
                yield (*cells, a.n_samples, name, index if np.ndim(e.value) else "", *numbers)


def write_netcdf(results: RunResults, path: Path) -> None:
    """Write averages of all points to one file: NAME(point, ...) and NAME_error, parameters by point.

    Correlators of points of different length are filled with NaN.
    """

    def write(beside: Path) -> None:
        with writing(beside, seal=False) as file:
            _fill(file, results)

    replace_file(path, write)


def _fill(file: h5py.File, results: RunResults) -> None:
    file.attrs["Conventions"], file.attrs["source"] = "CF-1.8", f"sitqmc, {results.path}"
    averages = [r.averages for r in results.results]
    count, scales = len(averages), dict[str, h5py.Dataset]()

    def scale(name: str, length: int) -> h5py.Dataset:
        if name not in scales:
            file[name] = np.arange(length)
            file[name].make_scale(name)
            scales[name] = file[name]
        return scales[name]

    def variable(name: str, values: Any, axes: Sequence[h5py.Dataset], unit: str, text: str) -> None:
        data = np.asarray(values, h5py.string_dtype()) if np.asarray(values).dtype.kind == "U" else values
        file[name] = data
        file[name].attrs["units"], file[name].attrs["long_name"] = unit, text
        for i, axis in enumerate(axes):
            file[name].dims[i].attach_scale(axis)

    point = scale("point", count)
    rows = [parameters_of(a.model) for a in averages]
    for key, parameter in PARAMETERS.items():
        variable(key, np.array([row[key] for row in rows]), (point,), parameter.unit, parameter.text)
    variable("samples", [a.n_samples for a in averages], (point,), "1", "disorder samples")
    names = dict.fromkeys(name for a in averages for name in a.values)
    for name in names:
        estimates = [a.values.get(name) for a in averages]
        for suffix, part in (("", "value"), ("_error", "error")):
            found = [np.full((), np.nan) if e is None else np.asarray(getattr(e, part)) for e in estimates]
            depth = max(array.ndim for array in found)
            unit, text = row_of(name).unit, row_of(name).text
            if depth == 0:
                variable(name + suffix, np.array(found), (point,), unit, text)
                continue
            length = max(array.size for array in found)
            padded = np.full((count, length), np.nan)
            for i, array in enumerate(found):
                padded[i, : array.size] = array.ravel()
            variable(name + suffix, padded, (point, scale(f"index_{length}", length)), unit, text)
