"""NetCDF-4 files, which are HDF5 with named axes, written with h5py alone."""

from pathlib import Path

import h5py
import numpy as np

from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.export.dataset import Content, Variable, content_of
from sitqmc.runs.store.atomic import replace_file
from sitqmc.runs.store.sealed import writing


def write_netcdf(results: RunResults, path: Path) -> None:
    """Write averages, samples and spectra of all points: the content of `Run.to_xarray`."""
    content = content_of(results)

    def write(beside: Path) -> None:
        with writing(beside, seal=False) as file:
            _fill(file, content)

    replace_file(path, write)


def _fill(file: h5py.File, content: Content) -> None:
    for name, value in content.remarks.items():
        file.attrs[name] = value
    for name, v in content.coordinates.items():
        _write(file, name, v)
        if v.dims == (name,):
            file[name].make_scale(name)
    others = [name for name, v in content.coordinates.items() if v.dims != (name,)]
    for name, v in content.variables.items():
        _write(file, name, v)
        also = [other for other in others if set(content.coordinates[other].dims) <= set(v.dims)]
        if also:
            file[name].attrs["coordinates"] = " ".join(also)
    for name in (*others, *content.variables):
        v = content.variables.get(name) or content.coordinates[name]
        for i, dim in enumerate(v.dims):
            file[name].dims[i].attach_scale(file[dim])


def _write(file: h5py.File, name: str, v: Variable) -> None:
    text = v.values.dtype.kind == "U"
    file[name] = np.asarray(v.values, h5py.string_dtype()) if text else v.values
    file[name].attrs["units"], file[name].attrs["long_name"] = v.unit, v.text
