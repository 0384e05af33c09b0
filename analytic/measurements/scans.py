"""Measured data: a THz transmission scan, or a tunnelling curve, at one temperature.

A scan holds |t| and theta against the empty path, both with standard errors. The functions thz_scan and
tunnelling_curve check all numbers, so no fit meets unsorted, duplicate or missing ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.units import Array, Complex
from sitqmc.result import Result

NOISE_FLOOR = 5.0
"""Smallest |t| in units of its error that enters an analysis; ln|t| and theta of weaker points are biased."""

REPEAT_POINTS = 15
"""Neighbouring frequencies over which the scatter of repeated scans is averaged."""


class DataError(ValueError):
    """Measured data that cannot be used; one line says what, where and what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ThzScan(Result):
    """Transmission relative to the empty path. Arrays have shape (n_freq,); frequencies increase.

    nu_thz              frequencies in THz
    t, t_error          field transmission |t| and its standard error
    theta, theta_error  unwrapped phase in rad and its standard error
    t_k                 temperature in K
    synthetic           True for computer-made data
    meta                further header entries, kept as text
    notes               repairs and omissions made while the scan was read
    """

    nu_thz: Array
    t: Array
    t_error: Array
    theta: Array
    theta_error: Array
    t_k: float
    synthetic: bool = False
    meta: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def t_rel(self) -> Complex:
        """Complex transmission |t| exp(i theta)."""
        return self.t * np.exp(1j * self.theta)

    def window(self, low_thz: float, high_thz: float) -> "ThzScan":
        """Return the part with low <= nu <= high.

        raises  DataError if fewer than 4 points remain
        """
        keep = (self.nu_thz >= low_thz) & (self.nu_thz <= high_thz)
        if keep.sum() < 4:
            raise DataError(
                f"only {keep.sum()} points in {low_thz:g}-{high_thz:g} THz; the scan covers "
                f"{self.nu_thz[0]:g}-{self.nu_thz[-1]:g} THz"
            )
        return replace(
            self, nu_thz=self.nu_thz[keep], t=self.t[keep], t_error=self.t_error[keep],
            theta=self.theta[keep], theta_error=self.theta_error[keep],
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class TunnellingCurve(Result):
    """dI/dV in any unit against bias in mV, shape (n_bias,), bias increasing, with its standard error."""

    bias_mv: Array
    didv: Array
    didv_error: Array
    t_k: float
    synthetic: bool = False
    meta: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def thz_scan(
    nu_thz: ArrayLike, t: ArrayLike, theta: ArrayLike, t_k: float, *, t_error: ArrayLike,
    theta_error: ArrayLike, synthetic: bool = False, meta: dict[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> ThzScan:  # fmt: skip
    """Return a checked scan; `notes` counts points left out and removed steps of theta.

    Points with |t| below five errors are left out: their logarithm and their phase are biased. Steps of 2 pi
    in theta against its median slope are removed.

    nu_thz, t, theta      shape (n_freq,)
    t_error, theta_error  same shape or one number
    notes                 what happened to the data before
    raises                DataError for unsorted, duplicate or missing entries, values out of range, or
                          frequencies and transmissions that no THz spectrometer gives (wrong unit)
    """
    nu, rest = _columns("nu_thz", nu_thz, t=t, theta=theta, t_error=t_error, theta_error=theta_error)
    for name, values in (("nu_thz", nu), ("t_error", rest["t_error"]), ("theta_error", rest["theta_error"])):
        _positive(name, values)
    if nu[-1] > 30 or nu[-1] < 0.02:
        raise DataError(
            f"nu_thz: the highest is {nu[-1]:g} THz; expected 0.02-30 THz; check the unit of the frequency"
        )
    if rest["t"].max() > 2:
        raise DataError(
            f"t: the largest value is {rest['t'].max():g}; |t| against the empty path cannot exceed 1 by "
            "much; check whether t is in percent or not divided by the reference"
        )
    nu, rest, omitted = _above_noise(nu, rest)
    rest["theta"], jumps = remove_phase_jumps(rest["theta"])
    removed = (f"{jumps} steps of 2 pi removed from theta",) if jumps else ()
    return ThzScan(
        nu_thz=nu, t=rest["t"], t_error=rest["t_error"], theta=rest["theta"],
        theta_error=rest["theta_error"], t_k=_temperature(t_k), synthetic=synthetic, meta=dict(meta or {}),
        notes=(*notes, *omitted, *removed),
    )  # fmt: skip


def mean_scan(scans: Sequence[ThzScan]) -> ThzScan:
    """Return the mean of repeated scans, with errors from their scatter.

    The variance at a frequency is averaged over REPEAT_POINTS neighbours, because few repeats know it badly.
    Turns of 2 pi between the repeats are removed.

    raises  DataError for fewer than two scans, or different frequencies or temperatures
    """
    first, n = scans[0], len(scans)
    if n < 2:
        raise DataError("one scan has no repeats; pass at least two")
    for k, scan in enumerate(scans[1:], start=2):
        if scan.nu_thz.shape != first.nu_thz.shape or not np.allclose(scan.nu_thz, first.nu_thz, rtol=1e-6):
            raise DataError(f"repeat {k} has other frequencies than repeat 1; analyse the scans one by one")
        if abs(scan.t_k - first.t_k) > 0.02 * first.t_k:
            raise DataError(f"repeat {k} is at {scan.t_k:g} K, repeat 1 at {first.t_k:g} K: no repeats")
    theta = np.stack([scan.theta for scan in scans])
    theta -= 2 * np.pi * np.round(np.median(theta - theta[0], axis=1, keepdims=True) / (2 * np.pi))
    columns = (np.stack([scan.t for scan in scans]), theta)
    smooth = np.ones(min(REPEAT_POINTS, first.nu_thz.size))
    norm = np.convolve(np.ones(first.nu_thz.size), smooth, mode="same")
    errors = [
        np.sqrt(np.convolve(values.var(axis=0, ddof=1), smooth, mode="same") / norm / n) for values in columns
    ]
    return thz_scan(
        first.nu_thz, columns[0].mean(axis=0), theta.mean(axis=0), first.t_k, t_error=errors[0],
        theta_error=errors[1], synthetic=first.synthetic, meta=first.meta,
        notes=(*first.notes, f"mean of {n} repeated scans; errors from their scatter"),
    )  # fmt: skip


def tunnelling_curve(
    bias_mv: ArrayLike, didv: ArrayLike, t_k: float, *, didv_error: ArrayLike, synthetic: bool = False,
    meta: dict[str, str] | None = None, notes: tuple[str, ...] = (),
) -> TunnellingCurve:  # fmt: skip
    """Return a checked tunnelling curve.

    bias_mv     bias of either sign in mV, shape (n_bias,), increasing
    didv        dI/dV in any unit, same shape
    didv_error  standard error, same shape or one number
    raises      DataError for unsorted, duplicate or missing entries, or values out of range
    """
    bias, rest = _columns("bias_mv", bias_mv, didv=didv, didv_error=didv_error)
    _positive("didv_error", rest["didv_error"])
    if not (rest["didv"] > -5 * rest["didv_error"]).all():
        raise DataError("didv: negative by more than 5 errors; check the sign of the lock-in signal")
    if np.abs(bias).max() > 1000:
        raise DataError(f"bias_mv: reaches {np.abs(bias).max():g} mV; check the unit of the bias")
    return TunnellingCurve(
        bias_mv=bias, didv=rest["didv"], didv_error=rest["didv_error"], t_k=_temperature(t_k),
        synthetic=synthetic, meta=dict(meta or {}), notes=notes,
    )  # fmt: skip


def remove_phase_jumps(theta: Array) -> tuple[Array, int]:
    """Return theta without steps of 2 pi against its median slope, and the number of removed steps."""
    step = np.diff(theta)
    turns = np.round((step - np.median(step)) / (2 * np.pi))
    # A step shifts all following points; the sum of the steps puts every point back on one branch.
    return theta - 2 * np.pi * np.concatenate([[0.0], np.cumsum(turns)]), int(np.count_nonzero(turns))


def _columns(axis_name: str, axis: ArrayLike, **others: ArrayLike) -> tuple[Array, dict[str, Array]]:
    """Return float arrays of equal length, finite, with a strictly increasing axis."""
    x = np.atleast_1d(np.asarray(axis, dtype=float))
    if x.ndim != 1 or x.size < 4:
        raise DataError(f"{axis_name}: {x.size} points; at least 4 are needed")
    rest = {}
    for name, values in others.items():
        column = np.asarray(values, dtype=float)
        rest[name] = np.broadcast_to(column, x.shape).copy() if column.ndim == 0 else column
        if rest[name].shape != x.shape:
            raise DataError(f"{name}: {rest[name].size} values for {x.size} points of {axis_name}")
    for name, values in {axis_name: x, **rest}.items():
        bad = ~np.isfinite(values)
        if bad.any():
            raise DataError(
                f"{name}: row {int(bad.argmax()) + 1} is {values[bad.argmax()]}; "
                "remove or interpolate missing points first"
            )
    step = np.diff(x)
    if (step == 0).any():
        row = int((step == 0).argmax())
        raise DataError(
            f"{axis_name}: {x[row]:g} appears twice (row {row + 2}); average duplicate points first"
        )
    if (step < 0).any():
        row = int((step < 0).argmax()) + 1
        raise DataError(f"{axis_name}: not increasing at row {row + 1} ({x[row]:g}); sort the points first")
    return x, rest


def _positive(name: str, values: Array) -> None:
    if not np.all(values > 0):
        row = int((~(values > 0)).argmax())
        raise DataError(f"{name}: row {row + 1} is {values[row]:g}; it must be positive")


def _above_noise(nu: Array, rest: dict[str, Array]) -> tuple[Array, dict[str, Array], tuple[str, ...]]:
    """Return the points whose |t| exceeds five errors, and a note with the number of the others.

    raises  DataError for a |t| that is negative by more than five errors, or if fewer than 4 points remain
    """
    negative = rest["t"] < -NOISE_FLOOR * rest["t_error"]
    if negative.any():
        row = int(negative.argmax())
        raise DataError(f"t: row {row + 1} is {rest['t'][row]:g}; |t| cannot be negative beyond its error")
    keep = rest["t"] >= NOISE_FLOOR * rest["t_error"]
    if keep.all():
        return nu, rest, ()
    if keep.sum() < 4:
        raise DataError(
            f"t: only {keep.sum()} of {nu.size} points exceed {NOISE_FLOOR:g} errors; check t_error, or "
            "measure a film that transmits more"
        )
    gone = nu[~keep]
    window = f"{gone[0]:g}-{gone[-1]:g} THz"
    note = f"{gone.size} of {nu.size} points below {NOISE_FLOOR:g} errors left out ({window})"
    return nu[keep], {name: values[keep] for name, values in rest.items()}, (note,)


def _temperature(t_k: float) -> float:
    if not 0 < t_k < 1000:
        raise DataError(f"temperature = {t_k:g} K: expected 0-1000 K; check its unit")
    return float(t_k)
