"""Drawing of a spectrum: a strong line where the data resolve it, thin and grey elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from sitqmc.continuation import Spectrum
from sitqmc.continuation.data.kinds import KINDS
from sitqmc.continuation.spectrum.spectrum import CONDUCTIVITY
from sitqmc.runs.results.figures.style import (
    BLUE,
    COLUMN,
    MM,
    PANEL,
    NotebookFigure,
    finished,
    new_figure,
    styled,
)

Array = NDArray[np.float64]

UNRESOLVED = "0.55"          # grey of what the data do not resolve
NEGLIGIBLE = 0.03            # the frequency axis ends where bands stay below this share of the largest value

LABELS = {
    **dict.fromkeys(CONDUCTIVITY, r"$\sigma_1(\omega)\;/\;(4e^2/h)$"),
    "green_tau": r"$P(\omega)\, E_J$",
    "chi_tau": r"$\chi''(\omega)\, E_J$",
    "chi_iw": r"$\chi''(\omega)\, E_J$",
    **dict.fromkeys(("fermion_tau", "fermion_iw"), r"$A(\omega)\, E_J$"),
    **dict.fromkeys(("boson_tau", "boson_iw"), r"$C''(\omega)\, E_J$"),
}
"""Label of the ordinate by kind of correlator."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum as it is drawn: sigma in 4e^2/h, P or chi'', with its 68 % band.

    resolved  (omega,) whether the averaging kernel is no wider than the main peak, and omega is not below T;
              without a peak, no wider than omega
    """

    omega: Array
    value: Array
    low: Array
    high: Array
    resolution: Array
    resolved: NDArray[np.bool_]

    @classmethod
    def of(cls, s: Spectrum) -> Curve:
        """Return the curve of a spectrum."""
        if s.kind in CONDUCTIVITY:
            value, (low, high) = s.sigma, s.sigma_band()
        else:
            value, (low, high) = s.spectral, s.spectral_band
        peaks = s.peaks(limit=1)
        scale = peaks[0].width if peaks else np.abs(s.omega)
        resolved = s.resolution <= scale
        if not KINDS[s.kind].fermionic:
            resolved &= np.abs(s.omega) * s.beta >= 1.0
        return cls(s.omega, value, low, high, s.resolution, resolved)

    @property
    def end(self) -> float:
        """Frequency above which the band is negligible."""
        return self.ends[1]

    @property
    def ends(self) -> tuple[float, float]:
        """Frequencies below and above which the band is negligible; the first is 0 for an even spectrum."""
        size = np.maximum(np.abs(self.low), np.abs(self.high))
        above = self.omega[size > NEGLIGIBLE * float(np.abs(self.value).max())]
        first, last = (above[0], above[-1]) if above.size else (self.omega[0], self.omega[-1])
        return (float(first) if self.omega[0] < 0 else 0.0), float(last)


def draw_curve(axis: Axes, curve: Curve, colour: Any, label: str | None = None) -> None:
    """Draw line and band, strong where the spectrum is resolved."""
    axis.fill_between(curve.omega, curve.low, curve.high, color=UNRESOLVED, alpha=0.16, lw=0, zorder=1)
    axis.plot(curve.omega, curve.value, color=UNRESOLVED, lw=0.6, zorder=2)
    inside = curve.resolved
    axis.fill_between(curve.omega, curve.low, curve.high, where=list(inside), color=colour, alpha=0.38, lw=0,
                      zorder=3)  # fmt: skip
    axis.plot(curve.omega, np.where(inside, curve.value, np.nan), color=colour, lw=1.4, zorder=4, label=label)


def draw_peak(axis: Axes, curve: Curve, where: float, colour: Any) -> None:
    """Draw the width of the averaging kernel at a peak; the data resolve no finer structure."""
    half = float(np.interp(where, curve.omega, curve.resolution)) / 2
    height = float(np.interp(where, curve.omega, curve.value))
    axis.errorbar(where, height, xerr=half, color=colour, lw=0.8, capsize=2, capthick=0.8, zorder=5)


def key(cross_check: str = "", peak: bool = True, colour: Any = "0.15") -> tuple[list[Any], list[str]]:
    """Return handles and texts of the legend of curves.

    cross_check  name of the method whose curve is dotted; "": there is none
    """
    entries: list[tuple[Any, str]] = [
        (Patch(fc=colour, alpha=0.45), "resolved, 68 % band"),
        (Patch(fc=UNRESOLVED, alpha=0.3), r"not resolved: kernel wider than the peak, or $\omega < T$"),
    ]
    if peak:
        entries.append((Line2D([], [], color=colour, lw=0.8, marker="|", ms=5), "resolution at the peak"))
    if cross_check:
        entries.append((Line2D([], [], color=colour, lw=0.7, ls=":"), f"cross-check, {cross_check}"))
    return [handle for handle, _ in entries], [words for _, words in entries]


def paint_spectrum(axis: Axes, spectrum: Spectrum, colour: Any) -> Curve:
    """Draw a spectrum with its band, the resolution at its peak, and omega < T in grey; return the curve."""
    curve, peaks = Curve.of(spectrum), spectrum.peaks(limit=1)
    draw_curve(axis, curve, colour)
    if peaks:
        draw_peak(axis, curve, peaks[0].position.value, colour)
    kind, (first, last) = KINDS[spectrum.kind], curve.ends
    if not kind.fermionic:
        axis.axvspan(-kind.two_sided / spectrum.beta, 1 / spectrum.beta, color="0.9", lw=0, zorder=0)
    shown = (curve.omega >= first) & (curve.omega <= last)
    low = 1.05 * float(curve.low[shown].min()) if kind.two_sided and not kind.fermionic else 0.0
    axis.set(xlim=(first, last), ylim=(low, 1.05 * float(curve.high[shown].max())))
    axis.set_ylabel(LABELS[spectrum.kind])
    return curve


def draw_mixed(omega: Array, values: Array, error: Array, title: str) -> NotebookFigure:
    """Return the figure of a spectrum without a definite sign; energies in the unit of 1/beta."""
    with styled():
        figure = new_figure(COLUMN, PANEL)
        axis = figure.add_subplot()
        axis.axhline(0, color="0.6", lw=0.6, ls="--")
        axis.fill_between(omega, values - error, values + error, color=BLUE, alpha=0.38, lw=0)
        axis.plot(omega, values, color=BLUE, lw=1.4)
        seen = omega[np.abs(values) + error > NEGLIGIBLE * float(np.abs(values).max())]
        axis.set(title=title, xlabel=r"$\omega$ (unit of $1/\beta$)", ylabel=r"$A_{ab}(\omega)$")
        axis.set_xlim(float(seen[0]) if omega[0] < 0 else 0.0, float(seen[-1]))
        return finished(figure)


def draw_single(spectrum: Spectrum, title: str) -> NotebookFigure:
    """Return the figure of one spectrum that belongs to no run; energies in the unit of 1/beta."""
    with styled():
        figure = new_figure(COLUMN, PANEL + 9 * MM)
        axis = figure.add_subplot()
        paint_spectrum(axis, spectrum, BLUE)
        axis.set(title=title, xlabel=r"$\omega$ (unit of $1/\beta$)")
        axis.set_ylabel(LABELS[spectrum.kind].replace(r"\, E_J", ""))
        peak = bool(spectrum.peaks(limit=1))
        figure.legend(*key(peak=peak, colour=BLUE), loc="outside lower center", handlelength=1.2)
        return finished(figure)
