"""Measured data: a THz transmission scan or a tunnelling curve, with checks that name the bad line's value.

A scan holds |t| and theta against the empty path, both with standard deviations, at one temperature.
Everything read from a file passes the checks here: no fit meets unsorted, duplicate or missing numbers.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.units import Array, Complex


class DataError(ValueError):
    """Measured data that cannot be used; one line says what, where and what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ThzScan:
    """Transmission relative to the empty path. Arrays of shape (n_freq,), frequencies increasing.

    nu_thz       frequencies in THz
    t, t_error   field transmission |t| and its standard deviation
    theta, theta_error   phase in rad, unwrapped, and its standard deviation
    t_k          temperature in K
    synthetic    True for computer-made data
    meta         further header entries, kept as text;  notes  what the reader repaired
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
        """|t| exp(i theta)."""
        return self.t * np.exp(1j * self.theta)

    def window(self, low_thz: float, high_thz: float) -> "ThzScan":
        """The part with low <= nu <= high; DataError if fewer than 4 points remain."""
        keep = (self.nu_thz >= low_thz) & (self.nu_thz <= high_thz)
        if keep.sum() < 4:
            raise DataError(
                f"only {keep.sum()} points in {low_thz:g}-{high_thz:g} THz; the scan covers "
                f"{self.nu_thz[0]:g}-{self.nu_thz[-1]:g} THz"
            )
        return ThzScan(
            nu_thz=self.nu_thz[keep],
            t=self.t[keep],
            t_error=self.t_error[keep],
            theta=self.theta[keep],
            theta_error=self.theta_error[keep],
            t_k=self.t_k,
            synthetic=self.synthetic,
            meta=self.meta,
            notes=self.notes,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TunnellingCurve:
    """dI/dV in any unit against bias in mV, shape (n_bias,), bias increasing; error: standard deviation."""

    bias_mv: Array
    didv: Array
    didv_error: Array
    t_k: float
    synthetic: bool = False
    meta: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _columns(axis_name: str, axis: ArrayLike, **others: ArrayLike) -> tuple[Array, dict[str, Array]]:
    """Float arrays of equal length, finite, with a strictly increasing axis."""
    x = np.atleast_1d(np.asarray(axis, dtype=float))
    if x.ndim != 1 or x.size < 4:
        raise DataError(f"{axis_name}: {x.size} points; at least 4 are needed")
    rest = {}
    for name, values in others.items():
        rest[name] = (
            np.broadcast_to(np.asarray(values, dtype=float), x.shape).copy()
            if np.ndim(values) == 0
            else np.asarray(values, dtype=float)
        )
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
        raise DataError(
            f"{axis_name}: {x[int((step == 0).argmax())]:g} appears twice (row "
            f"{int((step == 0).argmax()) + 2}); average duplicate points first"
        )
    if (step < 0).any():
        raise DataError(
            f"{axis_name}: not increasing at row {int((step < 0).argmax()) + 2} "
            f"({x[int((step < 0).argmax()) + 1]:g}); sort the file first"
        )
    return x, rest


def _positive(name: str, values: Array) -> None:
    if not np.all(values > 0):
        row = int((~(values > 0)).argmax())
        raise DataError(f"{name}: row {row + 1} is {values[row]:g}; it must be positive")


def _temperature(t_k: float) -> float:
    if not 0 < t_k < 1000:
        raise DataError(f"temperature = {t_k:g} K: expected 0-1000 K; is the unit right?")
    return float(t_k)


def remove_phase_jumps(theta: Array) -> tuple[Array, int]:
    """theta without steps of 2 pi against its median slope; and how many steps were taken out."""
    step = np.diff(theta)
    turns = np.round((step - np.median(step)) / (2 * np.pi))
    # A jump shifts all that follows; adding up the turns puts every point back on one branch.
    return theta - 2 * np.pi * np.concatenate([[0.0], np.cumsum(turns)]), int(np.count_nonzero(turns))


def thz_scan(
    nu_thz: ArrayLike,
    t: ArrayLike,
    theta: ArrayLike,
    t_k: float,
    *,
    t_error: ArrayLike,
    theta_error: ArrayLike,
    synthetic: bool = False,
    meta: dict[str, str] | None = None,
) -> ThzScan:
    """A checked scan. Steps of 2 pi in theta are removed and said in `notes`.

    nu_thz, t, theta   shape (n_freq,);  errors: same shape or one number
    raises             DataError: unsorted, duplicate or NaN entries, values that are not positive,
                       frequencies or transmissions no THz spectrometer gives (wrong unit)
    """
    nu, rest = _columns("nu_thz", nu_thz, t=t, theta=theta, t_error=t_error, theta_error=theta_error)
    _positive("nu_thz", nu)
    for name in ("t", "t_error", "theta_error"):
        _positive(name, rest[name])
    if nu[-1] > 30 or nu[-1] < 0.02:
        raise DataError(f"nu_thz: the highest is {nu[-1]:g} THz; expected 0.02-30 THz; is the unit right?")
    if rest["t"].max() > 2:
        raise DataError(
            f"t: the largest value is {rest['t'].max():g}; |t| against the empty path cannot "
            "exceed 1 by much (percent? uncalibrated signal?)"
        )
    rest["theta"], jumps = remove_phase_jumps(rest["theta"])
    notes = (f"{jumps} steps of 2 pi removed from theta",) if jumps else ()
    return ThzScan(
        nu_thz=nu,
        t=rest["t"],
        t_error=rest["t_error"],
        theta=rest["theta"],
        theta_error=rest["theta_error"],
        t_k=_temperature(t_k),
        synthetic=synthetic,
        meta=dict(meta or {}),
        notes=notes,
    )


def tunnelling_curve(
    bias_mv: ArrayLike,
    didv: ArrayLike,
    t_k: float,
    *,
    didv_error: ArrayLike,
    synthetic: bool = False,
    meta: dict[str, str] | None = None,
) -> TunnellingCurve:
    """A checked tunnelling curve; same rules as thz_scan, bias of either sign in mV."""
    bias, rest = _columns("bias_mv", bias_mv, didv=didv, didv_error=didv_error)
    _positive("didv_error", rest["didv_error"])
    if not (rest["didv"] > -5 * rest["didv_error"]).all():
        raise DataError("didv: negative by more than 5 errors; check the sign of the lock-in signal")
    if np.abs(bias).max() > 1000:
        raise DataError(f"bias_mv: reaches {np.abs(bias).max():g} mV; is the unit right?")
    return TunnellingCurve(
        bias_mv=bias,
        didv=rest["didv"],
        didv_error=rest["didv_error"],
        t_k=_temperature(t_k),
        synthetic=synthetic,
        meta=dict(meta or {}),
    )
