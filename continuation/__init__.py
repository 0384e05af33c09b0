"""Analytic continuation of imaginary-time correlators to real frequency.

    from continuation import continue_conductivity
    s = continue_conductivity(rho_samples, beta, eps=0.1)    # rows: disorder samples, columns: n = 0, 1, ...
    s.omega, s.sigma, s.sigma_band()                         # sigma(omega) in 4e^2/h with a one-sigma band
    s.stiffness, s.sum_rule, s.dc(), s.weight(0, 2), s.peaks(), s.warnings

`CorrelatorData` takes rho(i w_n), Lambda_xx(tau), G(tau), chi(tau) or chi(i w_n), from samples, as mean and
covariance, or from text files (`read_correlator`); `continue_correlator` continues any of them, by an average
over positive priors (method "process"), maximum entropy ("maxent"), stochastic sampling ("sampling"), leading
singular components ("sparse") or a rational function ("rational"); `consensus` runs all, pools their bands
and says where they agree. Known facts are added by `data.knowing(...)`. `rehearse` continues synthetic data
with your own points and noise, to be tried before a feature is believed. No continuation is needed for
`sigma_matsubara`, `midpoint_conductivity`, `weight_bounds` and `decay_energy`.
Frequencies have the unit of 1/beta.
"""

from continuation.alpha import AlphaScan
from continuation.bounds import WeightBounds, weight_bounds
from continuation.companions import midpoint_conductivity, sigma_matsubara
from continuation.conductivity import continue_conductivity
from continuation.consensus import Consensus, consensus
from continuation.data import CorrelatorData
from continuation.decay import Decay, decay_energy
from continuation.facts import Fact, known_f_sum, known_moment, known_stiffness
from continuation.features import Interval, Value, lowest_peak, onset, optical_gap
from continuation.grids import FrequencyGrid, sinh_grid
from continuation.higgs import HiggsScales, higgs_scales
from continuation.kernels import current_kernel, matsubara, response_kernel, tau_kernel
from continuation.models import DefaultModel
from continuation.options import Options
from continuation.rehearsal import Rehearsal, rehearse, synthetic
from continuation.solve import continue_correlator, cutoff_dependence
from continuation.spectrum import PeakValue, Spectrum, SumRule
from continuation.textfiles import read_correlator, read_samples
from continuation.whitening import WhiteningReport

__all__ = [
    "AlphaScan",
    "Consensus",
    "CorrelatorData",
    "Decay",
    "DefaultModel",
    "Fact",
    "FrequencyGrid",
    "HiggsScales",
    "Interval",
    "Options",
    "PeakValue",
    "Rehearsal",
    "Spectrum",
    "SumRule",
    "Value",
    "WeightBounds",
    "WhiteningReport",
    "consensus",
    "continue_conductivity",
    "continue_correlator",
    "current_kernel",
    "cutoff_dependence",
    "decay_energy",
    "higgs_scales",
    "known_f_sum",
    "known_moment",
    "known_stiffness",
    "lowest_peak",
    "matsubara",
    "midpoint_conductivity",
    "onset",
    "optical_gap",
    "read_correlator",
    "read_samples",
    "rehearse",
    "response_kernel",
    "sigma_matsubara",
    "sinh_grid",
    "synthetic",
    "tau_kernel",
    "weight_bounds",
]
