"""Analytic continuation of imaginary-time correlators to real frequency.

    from sitqmc.continuation import continue_conductivity
    s = continue_conductivity(rho_samples, beta, eps=0.1)    # rows: disorder samples, columns: n = 0, 1, ...
    s.omega, s.sigma, s.sigma_band()                         # sigma(omega) in 4e^2/h with a one-sigma band
    s.stiffness, s.sum_rule, s.dc(), s.weight(0, 2), s.peaks(), s.warnings

`CorrelatorData` takes rho(i w_n), Lambda_xx(tau), G(tau), chi(tau) or chi(i w_n), from samples, as mean and
covariance, or from text files (`read_correlator`); `continue_correlator` continues any of them, by an average
over positive priors (method "process"), maximum entropy ("maxent"), stochastic sampling ("sampling"), leading
singular components ("sparse") or a rational function ("rational"); `consensus` runs all, pools their bands
and says where they agree. Sum rules known with an error are
added by `data.with_constraints(...)`. `run_closure_test` continues synthetic data with your own points and
noise, to be tried before a feature is believed. No continuation is needed for
`sigma_matsubara`, `midpoint_conductivity`, `weight_bounds` and `lowest_excitation`.
Frequencies have the unit of 1/beta.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
