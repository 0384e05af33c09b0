"""Averages for other programs: CSV, and NetCDF (netCDF-4 is HDF5 with named dimensions; h5py writes it)."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sitqmc.qmc.observables import row_of
from sitqmc.runs.results.run import Run
from sitqmc.runs.store.atomic import replace_file, replace_text
from sitqmc.runs.store.sealed import LAYOUT


def write_csv(run: Run, path: Path) -> None:
    """One row per point, observable and index of a correlator, with the parameters."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(_csv_rows(run))
    replace_text(path, out.getvalue())


def _csv_rows(run: Run) -> Iterator[Sequence[Any]]:
    parameters = run.parameters()
    yield ("point", *parameters, "samples", "observable", "index", "mean", "error", "tau_int")
    for i, a in enumerate(run.averages):
        cells = [values[i] for values in parameters.values()]
        for name, e in a.values.items():
            check = a.checks.get(name)
            tau = f"{check.tau_int:.6g}" if check else ""
            means, errors = np.ravel(e.value), np.ravel(e.error)
            for index, (mean, error) in enumerate(zip(means, errors, strict=True)):
                numbers = (f"{mean:.12g}", f"{error:.6g}", tau)
                yield (i, *cells, a.n_samples, name, index if np.ndim(e.value) else "", *numbers)


def write_netcdf(run: Run, path: Path) -> None:
    """Averages of all points in one file; NAME(point, ...) and NAME_error, coordinates by point.

    Correlators of points of different length are filled with nan.
    """

    def write(beside: Path) -> None:
        with h5py.File(beside, "w", libver=LAYOUT) as file:
            _fill(file, run)

    replace_file(path, write)


def _fill(file: h5py.File, run: Run) -> None:
    file.attrs["Conventions"], file.attrs["source"] = "CF-1.8", f"sitqmc, {run.path}"
    count, scales = len(run.points), {}

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
    for key, values in run.parameters().items():
        unit = PARAMETER_UNITS.get(key, "1")
        variable(key, np.array(values), (point,), unit, f"parameter {key} of the model")
    variable("samples", [a.n_samples for a in run.averages], (point,), "1", "disorder samples")
    names = dict.fromkeys(name for a in run.averages for name in a.values)
    for name in names:
        estimates = [a.values.get(name) for a in run.averages]
        for suffix, part in (("", "value"), ("_error", "error")):
            rows = [np.full((), np.nan) if e is None else np.asarray(getattr(e, part)) for e in estimates]
            depth = max(row.ndim for row in rows)
            unit, text = row_of(name).unit, row_of(name).text
            if depth == 0:
                variable(name + suffix, np.array(rows), (point,), unit, text)
                continue
            length = max(row.size for row in rows)
            padded = np.full((count, length), np.nan)
            for i, row in enumerate(rows):
                padded[i, : row.size] = row.ravel()
            variable(name + suffix, padded, (point, scale(f"index_{length}", length)), unit, text)


PARAMETER_UNITS = {"eps": "1/E_J", "beta": "1/E_J", "charging": "E_J"}
