"""Scales of the superconductor-insulator transition, read off spectra with intervals.

m_H       lowest peak of sigma_reg (omega) at omega > 0, and of chi_s''(omega)
onset     where sigma_reg first exceeds 10 % of its maximum; gap: foot of the tangent at its steepest rise
omega_pair  pair gap: foot of the rise and lowest peak of P(omega), and the decay of G(tau), which needs no
          continuation
"""

from __future__ import annotations

from dataclasses import dataclass

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.model_free.decay import ExcitationGap, lowest_excitation
from sitqmc.continuation.spectrum.features import Interval, lowest_peak, onset, optical_gap
from sitqmc.continuation.spectrum.spectrum import Spectrum


@dataclass(frozen=True)
class HiggsScales:
    """Every entry None where its spectrum was not given; an Interval of NaN where the feature is missing."""

    m_h_sigma: Interval
    onset_sigma: Interval
    optical_gap: Interval
    m_h_scalar: Interval | None
    pair_gap: Interval | None
    pair_peak: Interval | None
    pair_decay: ExcitationGap | None


def higgs_scales(
    sigma: Spectrum,
    scalar: Spectrum | None = None,
    pair: Spectrum | None = None,
    green: CorrelatorData | None = None,
) -> HiggsScales:
    """Scales from sigma_reg, and if given from chi_s''/omega, P/omega and the data G(tau).

    For chi_s'' and P the odd spectral function omega A is searched, as in the literature.
    """
    return HiggsScales(
        m_h_sigma=sigma.interval(lowest_peak),
        onset_sigma=sigma.interval(onset),
        optical_gap=sigma.interval(optical_gap),
        m_h_scalar=None if scalar is None else scalar.interval(lowest_peak, spectral=True),
        pair_gap=None if pair is None else pair.interval(optical_gap, spectral=True),
        pair_peak=None if pair is None else pair.interval(lowest_peak, spectral=True),
        pair_decay=None if green is None else lowest_excitation(green),
    )
