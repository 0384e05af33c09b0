"""All points of a run as arrays with named axes: the one content of xarray datasets and NetCDF files.

    p, L, ...    the points: one axis for each scanned parameter if every combination occurs, else `point`
    sample       position of a disorder sample, in the order of seed and number; NaN behind the last one
    omega_n, tau Matsubara frequencies and imaginary times; `n`, `slice` where the points differ in them
    k_x, k_y     wave numbers
    omega        frequencies of spectra: a common grid, on which each spectrum is interpolated linearly
    draw         samples of the posterior of the first spectrum

    NAME, NAME_error, NAME_covariance, NAME_samples       averages by the estimator of the configuration
    NAME_plain, NAME_plain_error                          plain averages, where the estimator is another one
    sigma_METHOD, _low, _high, _resolution, _draws        conductivity with its 68 % band, 4e^2/h
    spectrum_NAME, ...                                    other spectra
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation.spectrum.spectrum import CONDUCTIVITY
from sitqmc.qmc import PARAMETERS, PointAverages
from sitqmc.qmc.model.parameters import parameter, parameters_of
from sitqmc.qmc.observables import row_of
from sitqmc.runs.results.analysis import RunResults

Array = NDArray[Any]

PHYSICAL = {"n": ("omega_n", "E_J", "Matsubara frequency"), "slice": ("tau", "1/E_J", "imaginary time")}
"""Axes that count a physical quantity: its name, unit and meaning."""


@dataclass(frozen=True)
class Variable:
    """An array with the names of its axes, its unit and its meaning."""

    dims: tuple[str, ...]
    values: Array
    unit: str
    text: str


@dataclass
class Content:
    """Variables and coordinates by name, and remarks on the whole."""

    variables: dict[str, Variable] = field(default_factory=dict)
    coordinates: dict[str, Variable] = field(default_factory=dict)
    remarks: dict[str, Any] = field(default_factory=dict)


def content_of(results: RunResults) -> Content:
    """Return everything that is exported of a run."""
    return _Builder(results).content


def to_xarray(results: RunResults) -> Any:
    """Return a run as an xarray.Dataset; ImportError if xarray is not installed."""
    try:
        import xarray
    except ImportError:
        raise ImportError("xarray is not installed; pip install 'sitqmc[notebook]'") from None
    found = content_of(results)

    def made(variables: Mapping[str, Variable]) -> dict[str, Any]:
        return {
            name: (v.dims, v.values, {"units": v.unit, "long_name": v.text}) for name, v in variables.items()
        }

    return xarray.Dataset(made(found.variables), made(found.coordinates), found.remarks)


class _Builder:
    """Stack of the points of a run on common axes; values that a point lacks are NaN."""

    def __init__(self, results: RunResults) -> None:
        self.results, self.content = results, Content()
        self.rows = results.space.rows
        self.dims, self.places, self.shape = self._point_axes()
        self._add_points()
        names = dict.fromkeys(name for r in results.results for name in r.averages.values)
        for name in names:
            self._add_average(name)
        self._add_spectra()
        for v in list(self.content.variables.values()):
            for dim, length in zip(v.dims, v.values.shape, strict=True):
                if dim not in self.content.coordinates:
                    self._coordinate(dim, np.arange(length), "1", "position")

    def _point_axes(self) -> tuple[tuple[str, ...], list[tuple[int, ...]], tuple[int, ...]]:
        """Return names of the axes of the points, the place of every point, and the lengths."""
        space = self.results.space
        named = [name for name in space.distinguishing if name != "action"]
        values = [space.values(name) for name in named]
        count = len(self.rows)
        if named and "action" not in space.distinguishing and int(np.prod([len(v) for v in values])) == count:
            places = [
                tuple(v.index(row[name]) for name, v in zip(named, values, strict=True)) for row in self.rows
            ]
            for name, v in zip(named, values, strict=True):
                p = parameter(name)
                self.content.coordinates[name] = Variable((name,), np.array(v), p.unit, p.text)
            return tuple(named), places, tuple(len(v) for v in values)
        return ("point",), [(i,) for i in range(count)], (count,)

    def _add_points(self) -> None:
        """Add the parameters that are not axes, and the parameters that all points share."""
        if self.dims == ("point",):
            numbers = np.array(self.results.numbers)
            self.content.coordinates["point"] = Variable(self.dims, numbers, "1", "number as in sitqmc plan")
        full = [parameters_of(r.model) for r in self.results.results]
        for name, p in PARAMETERS.items():
            values = [row[name] for row in full]
            if name in self.content.coordinates:
                continue
            if len(set(values)) == 1:
                self.content.remarks[name] = values[0]
            else:
                self.content.coordinates[name] = Variable(self.dims, self._placed(values), p.unit, p.text)
        count = [r.averages.n_samples for r in self.results.results]
        self.content.variables["samples"] = Variable(self.dims, self._placed(count), "1", "disorder samples")
        self.content.remarks |= {"Conventions": "CF-1.8", "source": f"sitqmc, {self.results.path}"}

    def _placed(self, values: Sequence[Any]) -> Array:
        """Return one value of each point on the axes of the points."""
        out = np.empty(self.shape, np.array(values).dtype)
        for place, value in zip(self.places, values, strict=True):
            out[place] = value
        return out

    def _padded(self, arrays: Sequence[Array | None]) -> Array:
        """Return arrays of the points, filled with NaN to a common shape."""
        known = [np.asarray(a, float) for a in arrays if a is not None]
        most = tuple(np.max([a.shape for a in known], axis=0).astype(int)) if known[0].ndim else ()
        out = np.full((*self.shape, *most), np.nan)
        for place, array in zip(self.places, arrays, strict=True):
            if array is not None:
                a = np.asarray(array, float)
                inside: tuple[Any, ...] = (*place, *map(slice, a.shape))
                out[inside] = a
        return out

    def _add_average(self, name: str) -> None:
        """Add one average with error, covariance and samples."""
        averages = [r.averages for r in self.results.results]
        found = [a.values.get(name) for a in averages]
        row = row_of(name)
        dims = (*self.dims, *self._axes(row.axes, [np.shape(e.value) for e in found if e is not None]))
        self._add(name, dims, [None if e is None else e.value for e in found], row.unit, row.text)
        self._add(f"{name}_error", dims, [None if e is None else e.error for e in found], row.unit,
                  f"standard error of {name}")  # fmt: skip
        samples = [a.samples.get(name) for a in averages]
        inner = dims[len(self.dims) :]
        if any(s is not None for s in samples):
            self._add(f"{name}_samples", (*self.dims, "sample", *inner), samples, row.unit,
                      f"{name} of every disorder sample")  # fmt: skip
        if len(inner) == 1:
            covariances = [self._covariance(a, name) for a in averages]
            if any(c is not None for c in covariances):
                self._add_covariance(name, inner[0], covariances, row.unit)
        plain = [a.plain.get(name) for a in averages]
        if any(e is not None for e in plain):
            self._add(f"{name}_plain", dims, [None if e is None else e.value for e in plain], row.unit,
                      f"{name} without the estimator")  # fmt: skip
            self._add(f"{name}_plain_error", dims, [None if e is None else e.error for e in plain], row.unit,
                      f"standard error of {name}_plain")  # fmt: skip

    @staticmethod
    def _covariance(averages: PointAverages, name: str) -> Array | None:
        """Return the covariance of an average with itself at all indices; None where it is not known."""
        samples, improved = averages.samples.get(name), averages.improved.get(name)
        if samples is None or len(samples) < 2:
            return None
        whole = np.cov(samples.T) / len(samples)
        if improved is not None and np.ndim(improved.covariance) == 2:
            n = np.arange(len(improved.covariance)) if improved.n is None else np.asarray(improved.n)
            whole[np.ix_(n, n)] = improved.covariance
        return np.asarray(whole)

    def _add_covariance(self, name: str, axis: str, found: Sequence[Any], unit: str) -> None:
        length = self._length(axis)
        whole = [None if c is None else _grown(np.atleast_2d(c), (length, length)) for c in found]
        other = f"{axis}_2"
        if axis in self.content.coordinates and other not in self.content.coordinates:
            c = self.content.coordinates[axis]
            self.content.coordinates[other] = Variable((other,), c.values, c.unit, c.text)
        self._add(f"{name}_covariance", (*self.dims, axis, other), whole, f"({unit})^2",
                  f"covariance of {name}")  # fmt: skip

    def _add(
        self, name: str, dims: tuple[str, ...], arrays: Sequence[Any], unit: str, text: str
    ) -> None:
        self.content.variables[name] = Variable(dims, self._padded(arrays), unit, text)

    def _length(self, axis: str) -> int:
        """Return the length of an axis that some average has."""
        for v in self.content.variables.values():
            if axis in v.dims:
                return int(v.values.shape[v.dims.index(axis)])
        raise KeyError(axis)

    def _axes(self, names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
        """Return the names of the axes of an average, and add their coordinates."""
        if not shapes or not shapes[0]:
            return ()
        names = names or tuple(f"index_{i}" for i in range(len(shapes[0])))
        return tuple(self._axis(name, max(s[i] for s in shapes)) for i, name in enumerate(names))

    def _axis(self, name: str, length: int) -> str:
        """Return the name of one axis: that of the physical quantity where all points share its values."""
        if name not in PHYSICAL:
            self._coordinate(name, np.arange(length), "1", "index")
            return name
        other, unit, text = PHYSICAL[name]
        models = [r.model for r in self.results.results]
        steps = [2 * np.pi / m.beta if name == "n" else m.eps for m in models]
        if np.ptp(steps) <= 1e-12 * steps[0]:
            self._coordinate(other, steps[0] * np.arange(length), unit, text)
            return other
        self._coordinate(name, np.arange(length), "1", f"number of the {text}")
        values = self._padded([step * np.arange(length) for step in steps])
        self.content.coordinates[other] = Variable((*self.dims, name), values, unit, text)
        return name

    def _coordinate(self, name: str, values: Array, unit: str, text: str) -> None:
        known = self.content.coordinates.get(name)
        if known is None or len(known.values) < len(values):
            self.content.coordinates[name] = Variable((name,), values, unit, text)

    def _add_spectra(self) -> None:
        """Add all spectra on one frequency grid."""
        grids = [s.omega for r in self.results.results for s in r.spectra.values()]
        if not grids:
            return
        longest = max(grids, key=lambda g: float(g[-1]))
        self._coordinate("omega", longest, "E_J", "frequency")
        self.content.remarks["spectra"] = "interpolated linearly on a common grid; exact in run.h5, /results"
        names = dict.fromkeys(name for r in self.results.results for name in r.spectra)
        first = next(iter(names))
        for name in names:
            for suffix, unit, text, arrays in self._columns(name, longest, with_draws=name == first):
                dims = (*self.dims, *(("draw",) if suffix == "_draws" else ()), "omega")
                head = self._heading(name)
                self._add(f"{head}{suffix}", dims, arrays, unit, f"{text}, {name}")

    def _heading(self, name: str) -> str:
        kind = next(r.spectra[name].kind for r in self.results.results if name in r.spectra)
        return f"{'sigma' if kind in CONDUCTIVITY else 'spectrum'}_{name}".replace("sigma_sigma", "sigma")

    def _columns(
        self, name: str, omega: Array, with_draws: bool
    ) -> Iterator[tuple[str, str, str, list[Any]]]:
        """Yield suffix, unit, text and one array of each point for the columns of a spectrum."""
        spectra = [r.spectra.get(name) for r in self.results.results]
        some = next(s for s in spectra if s is not None)
        is_sigma = some.kind in CONDUCTIVITY
        unit, factor = ("4e^2/h", 2 * np.pi) if is_sigma else ("as the data times 1/E_J", 1.0)
        text = "regular part of the conductivity" if is_sigma else f"spectrum of {some.kind}"

        def on_grid(s: Any, values: Array) -> Array:
            rows = np.atleast_2d(values)
            out = np.array([np.interp(omega, s.omega, row, right=np.nan) for row in rows])
            return out if values.ndim == 2 else out[0]

        def column(get: Any) -> list[Any]:
            return [None if s is None else on_grid(s, get(s)) for s in spectra]

        yield "", unit, text, column(lambda s: factor * s.values)
        yield "_low", unit, f"lower end of the 68 % band of {text}", column(lambda s: factor * s.band()[0])
        yield "_high", unit, f"upper end of the 68 % band of {text}", column(lambda s: factor * s.band()[1])
        yield "_resolution", "E_J", "width of the narrowest structure", column(lambda s: s.resolution)
        if with_draws:
            yield "_draws", unit, f"posterior samples of {text}", column(lambda s: factor * s.samples())


def _grown(array: Array, shape: tuple[int, ...]) -> Array:
    """Return an array filled with NaN to a larger shape."""
    out = np.full(tuple(map(max, shape, array.shape)), np.nan)
    out[tuple(map(slice, array.shape))] = array
    return out
