"""Transmission from time-domain traces: a pulse through the sample and a pulse through the empty path.

    t_rel(nu) = conj(S(nu)/R(nu)),    S, R = int dt signal(t) exp(-2 pi i nu t),

because the package uses exp(-i omega t): a delay gives a positive theta. Errors come from repeated traces, or
from the noise floor of the spectra above the band of the source. Only the band in which both spectra exceed
five times their noise is kept.
"""

from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.measurements.scans import NOISE_FLOOR, DataError, ThzScan, thz_scan
from sitqmc.analytic.units import Array, Complex
from sitqmc.result import Result

EDGE = 0.05
"""Part of a window over which each end is tapered to zero."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace(Result):
    """Repeated time-domain traces.

    time_ps  evenly spaced times in ps, shape (n_time,)
    signal   in any unit, shape (n_repeats, n_time) or (n_time,)
    """

    time_ps: Array
    signal: Array

    def __post_init__(self) -> None:
        time, signal = np.asarray(self.time_ps, float), np.atleast_2d(np.asarray(self.signal, float))
        if time.ndim != 1 or time.size < 16 or signal.shape[-1] != time.size:
            raise DataError(
                f"trace: {time.size} times for signals of shape {signal.shape}; at least 16 are needed"
            )
        if not np.all(np.isfinite(signal)):
            raise DataError("trace: the signal holds NaN; remove or interpolate missing points first")
        step = np.diff(time)
        if not np.all(step > 0) or np.ptp(step) > 0.02 * float(np.median(step)):
            raise DataError("trace: times must increase evenly; resample the trace first")
        object.__setattr__(self, "time_ps", time)
        object.__setattr__(self, "signal", signal)

    @property
    def step_ps(self) -> float:
        """Time step in ps."""
        return float((self.time_ps[-1] - self.time_ps[0]) / (self.time_ps.size - 1))

    @property
    def peak_ps(self) -> float:
        """Time of the largest mean signal."""
        mean = self.signal.mean(axis=0)
        return float(self.time_ps[int(np.argmax(np.abs(mean - np.median(mean))))])

    def windowed(self, until_ps: float | None) -> "Trace":
        """Return the trace without its offset, tapered at both ends; signal after until_ps is set to zero."""
        end = self.time_ps[-1] if until_ps is None else min(until_ps, float(self.time_ps[-1]))
        place = (self.time_ps - self.time_ps[0]) / (end - self.time_ps[0])
        edge = np.clip(np.minimum(place, 1 - place) / EDGE, 0, 1)
        taper = 0.5 - 0.5 * np.cos(np.pi * edge)
        centred = self.signal - np.median(self.signal, axis=1, keepdims=True)
        return Trace(time_ps=self.time_ps, signal=centred * taper)

    def spectrum(self, points: int) -> Complex:
        """Return the spectra int dt signal exp(-2 pi i nu t) of all repeats, zero-padded to `points`."""
        nu = np.fft.rfftfreq(points, self.step_ps)
        return np.fft.rfft(self.signal, points, axis=1) * np.exp(-2j * np.pi * nu * self.time_ps[0])


def scan_of_traces(
    sample: Trace, reference: Trace, t_k: float, *, until_ps: float | None = None,
    window_ps: float | None = None, band_thz: tuple[float, float] | None = None, synthetic: bool = False,
    meta: dict[str, str] | None = None,
) -> ThzScan:  # fmt: skip
    """Return the transmission scan of two traces; `notes` says which band and which errors were found.

    until_ps   last time of both traces that is used; None: all
    window_ps  used time after the main pulse of each trace, to cut echoes of the substrate; the sample must
               then be described with coherence = 0. None keeps the echoes for the Fabry-Perot analysis
    band_thz   frequencies to keep within the band in which both spectra exceed the noise
    raises     DataError for traces with different time steps, or without a usable band
    """
    if abs(sample.step_ps / reference.step_ps - 1) > 1e-3:
        raise DataError(
            f"traces: steps of {sample.step_ps:g} and {reference.step_ps:g} ps; record both with one step"
        )
    ends = [until_ps if window_ps is None else trace.peak_ps + window_ps for trace in (sample, reference)]
    points = max(_used_points(t, e) for t, e in zip((sample, reference), ends, strict=True))
    nu = np.fft.rfftfreq(points, sample.step_ps)
    spectra = [t.windowed(e).spectrum(points) for t, e in zip((sample, reference), ends, strict=True)]
    means = [s.mean(axis=0) for s in spectra]
    noise, how = _noise(spectra)
    band = _band(means, noise)
    if band_thz is not None:
        band &= (nu >= band_thz[0]) & (nu <= band_thz[1])
    if band.sum() < 4:
        raise DataError(
            f"traces: {band.sum()} frequencies exceed {NOISE_FLOOR:g} times the noise; average longer"
        )
    ratio = np.conj(means[0] / np.where(means[1] == 0, 1, means[1]))[band]
    size = [n / np.maximum(np.abs(m), 1e-300) for n, m in zip(noise, means, strict=True)]
    relative = np.hypot(*size)[band]
    kept = nu[band]
    theta = _unwrapped(kept, ratio, np.abs(means[1])[band])
    notes = (
        f"usable band {kept[0]:.3g}-{kept[-1]:.3g} THz, {kept.size} independent points",
        f"errors from {how}",
    )
    return thz_scan(
        kept, np.abs(ratio), theta, t_k, t_error=relative * np.abs(ratio), theta_error=relative,
        synthetic=synthetic, meta=meta, notes=notes,
    )  # fmt: skip


def _used_points(trace: Trace, until_ps: float | None) -> int:
    """Return the number of points up to a time: more frequencies than that would not be independent."""
    if until_ps is None:
        return trace.time_ps.size
    return int(np.clip(round((until_ps - trace.time_ps[0]) / trace.step_ps) + 1, 16, trace.time_ps.size))


def _noise(spectra: list[Complex]) -> tuple[list[Array], str]:
    """Return the standard error per quadrature of each mean spectrum, (n_freq,), and its origin in words."""
    if all(s.shape[0] >= 4 for s in spectra):
        out = []
        for s in spectra:
            variance = (s.real.var(axis=0, ddof=1) + s.imag.var(axis=0, ddof=1)) / 2 / s.shape[0]
            # A few repeats measure their own variance badly: neighbouring frequencies share theirs.
            kernel = np.ones(9) / 9
            out.append(np.sqrt(np.convolve(np.pad(variance, 4, mode="edge"), kernel, mode="valid")))
        return out, f"the scatter of {min(s.shape[0] for s in spectra)} repeated traces"
    floors = []
    for s in spectra:
        mean = s.mean(axis=0)
        top = np.abs(mean[int(0.8 * mean.size) :])
        floors.append(np.full(mean.size, float(np.median(top)) / np.sqrt(2 * np.log(2))))
    return floors, "the noise floor at the highest frequencies"


def _band(means: list[Complex], noise: list[Array]) -> np.ndarray:
    """Return the connected band around the strongest frequency in which both spectra exceed the noise."""
    good = np.ones(means[0].size, dtype=bool)
    for mean, floor in zip(means, noise, strict=True):
        good &= np.abs(mean) > NOISE_FLOOR * floor
    good[0] = False
    start = int(np.argmax(np.abs(means[1]) * good))
    bad = np.flatnonzero(~good)
    low = bad[bad < start].max(initial=-1) + 1
    high = bad[bad > start].min(initial=good.size)
    keep = np.zeros_like(good)
    keep[low:high] = good[start]
    return keep


def _unwrapped(nu: Array, ratio: Complex, strength: Array) -> Array:
    """Return theta unwrapped outwards from the strongest frequency, on the branch that vanishes at nu = 0."""
    start = int(np.argmax(strength))
    angle = np.angle(ratio)
    theta = np.empty_like(angle)
    theta[start:] = np.unwrap(angle[start:])
    theta[: start + 1] = np.unwrap(angle[: start + 1][::-1])[::-1]
    strong = strength > 0.3 * strength.max()
    _, intercept = (
        np.polyfit(nu[strong], theta[strong], 1, w=strength[strong]) if strong.sum() > 2 else (0, 0)
    )
    return theta - 2 * np.pi * np.round(intercept / (2 * np.pi))
