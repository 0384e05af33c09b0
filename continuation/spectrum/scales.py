"""Energy scales of the superconductor-insulator transition, read off spectra with intervals.

m_H         lowest peak of sigma_reg(omega) at omega > 0, and of chi_s''(omega)
onset       lowest frequency where sigma_reg exceeds 10 % of its maximum
gap         foot of the tangent at the steepest rise of sigma_reg
omega_pair  pair gap: foot of the rise and lowest peak of P(omega); `model_free.decay` finds it from G(tau)
            without continuation
"""

from __future__ import annotations

from dataclasses import dataclass

from sitqmc.continuation.spectrum.features import lowest_peak, onset, optical_gap
from sitqmc.continuation.spectrum.spectrum import Spectrum
from sitqmc.estimate import Estimate
from sitqmc.result import Result


@dataclass(frozen=True)
class HiggsScales(Result):
    """Energy scales; None where the spectrum was not given, NaN where the spectrum lacks the feature."""

    m_h_sigma: Estimate
    onset_sigma: Estimate
    optical_gap: Estimate
    m_h_scalar: Estimate | None
    pair_gap: Estimate | None
    pair_peak: Estimate | None


def higgs_scales(
    sigma: Spectrum,
    scalar: Spectrum | None = None,
    pair: Spectrum | None = None,
) -> HiggsScales:
    """Return the energy scales of sigma_reg, and if given of chi_s''/omega and P/omega.

    For chi_s'' and P the odd spectral function omega A is searched, as in the literature.
    """
    return HiggsScales(
        m_h_sigma=sigma.interval(lowest_peak),
        onset_sigma=sigma.interval(onset),
        optical_gap=sigma.interval(optical_gap),
        m_h_scalar=None if scalar is None else scalar.interval(lowest_peak, spectral=True),
        pair_gap=None if pair is None else pair.interval(optical_gap, spectral=True),
        pair_peak=None if pair is None else pair.interval(lowest_peak, spectral=True),
    )
