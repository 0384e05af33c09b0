"""Examples of `sitqmc.continuation`. Each cell names what it shows; it may use the cells above it."""

import numpy as np

from sitqmc.continuation import (
    AlphaScan,
    ClosureTest,
    Consensus,
    Constraint,
    CorrelatorData,
    DefaultModel,
    ExcitationGap,
    FrequencyGrid,
    HiggsScales,
    Options,
    PeakValue,
    ScanSpectra,
    Spectrum,
    SumRule,
    WeightBounds,
    WhiteningReport,
    consensus,
    continue_conductivity,
    continue_correlator,
    continue_mixed,
    continue_scan,
    current_kernel,
    cutoff_dependence,
    higgs_scales,
    known_f_sum,
    known_moment,
    known_stiffness,
    lowest_excitation,
    lowest_peak,
    matsubara,
    midpoint_conductivity,
    midpoint_frequency,
    midpoint_value,
    mock_data,
    onset,
    optical_gap,
    quartile_ratio,
    response_kernel,
    run_closure_test,
    sigma_matsubara,
    sinh_grid,
    tau_kernel,
    weight_bounds,
)

# %% sinh_grid, FrequencyGrid
grid: FrequencyGrid = sinh_grid(omega_max=20.0, scale=1.0, size=200)
truth = 0.1 * np.exp(-((grid.omega - 2.0) ** 2))             # a peak of sigma_reg at omega = 2
print(f"{grid.weights @ truth:.3f}")  # 0.177

# %% current_kernel, response_kernel, matsubara
beta, eps, n = 8.0, 0.25, np.arange(17)                      # 32 steps of imaginary time
rho = 0.3 + current_kernel(n, grid.omega, beta, eps) @ (grid.weights * truth)    # rho_s = 0.3
chi = response_kernel(n, grid.omega, beta) @ (grid.weights * truth)         # the same spectrum as chi''/omega
print(f"w_1 = {matsubara(1, beta):.4f}, rho(i w_1) = {rho[1]:.4f}")  # w_1 = 0.7854, rho(i w_1) = 0.3200

# %% tau_kernel
tau = np.linspace(0.0, beta, 33)
G = tau_kernel(tau, grid.omega, beta) @ (grid.weights * truth)
print(np.isclose(G[0], G[-1]))  # True

# %% CorrelatorData
rng = np.random.default_rng(1)
samples = rho + 0.002 * rng.standard_normal((60, n.size))    # one row per disorder sample
data = CorrelatorData.from_samples(samples, kind="rho_iw", beta=beta, grid=n, eps=eps)
errors = np.full(n.size, 0.002 / 60**0.5)
same = CorrelatorData.from_mean_cov(rho, errors**2, kind="rho_iw", beta=beta, grid=n, eps=eps)
print(data.mean.shape, data.covariance.shape)  # (17,) (17, 17)

# %% continue_correlator, Spectrum
spectrum: Spectrum = continue_correlator(data, method="maxent", n_omega=80)
low, high = spectrum.band()
print(f"rho_s = {spectrum.stiffness.value:.2f}")  # rho_s = 0.30

# %% continue_conductivity, SumRule
same_spectrum = continue_conductivity(samples, beta, eps=eps, method="maxent", n_omega=80)
rule: SumRule = same_spectrum.sum_rule
print(rule.found)                        # rho_s + (2/pi) int sigma_reg

# %% Options
quick = Options(method="maxent", n_omega=80)
again = continue_correlator(data, quick, seed=2)

# %% DefaultModel
flat = DefaultModel("flat", np.ones(80))
other = continue_correlator(data, quick, default=[flat])

# %% AlphaScan, WhiteningReport
scan: AlphaScan = spectrum.scan
print(scan.alpha[scan.chosen] == spectrum.alpha)  # True
report: WhiteningReport = spectrum.report
print(report.rows, report.components)

# %% known_stiffness, known_f_sum, known_moment, Constraint
fact: Constraint = known_stiffness(0.3, 0.001)               # from winding numbers, say
f_sum = known_f_sum(0.3 + 2 / np.pi * 0.177, 0.001)
weight = known_moment(0.0, 0.177, 0.002)                     # int sigma_reg d omega
bound = continue_correlator(data.with_constraints(fact, f_sum, weight), quick)
print(abs(bound.stiffness.value - 0.3) < 0.002)  # True

# %% PeakValue
peak: PeakValue = spectrum.peaks()[0]
print(abs(peak.position.value - 2.0) < 0.2, abs(peak.height.value - 0.1) < 0.03)  # True True

# %% lowest_peak, onset, optical_gap
print(f"{lowest_peak(grid.omega, truth):.1f}")  # 2.0
print(f"{onset(grid.omega, truth):.2f}")  # 0.48
print(f"{optical_gap(grid.omega, truth):.2f}")  # 0.59

# %% higgs_scales, HiggsScales
scales: HiggsScales = higgs_scales(spectrum)
print(scales.m_h_sigma, scales.optical_gap)

# %% sigma_matsubara, midpoint_conductivity
w_n, sigma, error = sigma_matsubara(data)
print(f"{w_n[0]:.4f} {sigma[0]:.2f} in 4e^2/h")
print(midpoint_conductivity(data))

# %% midpoint_value, midpoint_frequency, quartile_ratio
G_data = CorrelatorData.from_samples(
    G * (1 + 0.01 * rng.standard_normal((60, tau.size))), kind="green_tau", beta=beta, grid=tau
)
print(midpoint_value(G_data))            # A(0) if A is flat below 2 pi T
print(midpoint_frequency(data))          # a scale without continuation: close to the peak
print(quartile_ratio(data))              # its width; 3 for a delta peak

# %% lowest_excitation, ExcitationGap
single = np.cosh(1.5 * (tau - beta / 2)) / np.cosh(1.5 * beta / 2)          # one state of energy 1.5
decaying = single * (1 + 0.005 * rng.standard_normal((60, tau.size)))
gap: ExcitationGap = lowest_excitation(
    CorrelatorData.from_samples(decaying, kind="green_tau", beta=beta, grid=tau), max_states=1
)
print(abs(gap.energy.value - 1.5) < 0.05)  # True

# %% weight_bounds, WeightBounds
bounds: WeightBounds = weight_bounds(data, 1.0, 3.0, grid=sinh_grid(20.0, 1.0, 80))
print(bounds.lower < 0.149 < bounds.upper)  # True

# %% mock_data, run_closure_test, ClosureTest
mock = mock_data(data, grid.omega, truth, constant=0.3)      # synthetic data with the noise of `data`
test: ClosureTest = run_closure_test(data, grid.omega, truth, constant=0.3, draws=2, options=quick)
print(test.distance.shape, test.coverage() > 0.3)  # (2,) True

# %% cutoff_dependence
print(cutoff_dependence(data, method="maxent", n_omega=80) < 1.0)  # True

# %% consensus, Consensus
few = CorrelatorData.from_samples(samples[:, :9], kind="rho_iw", beta=beta, grid=n[:9], eps=eps)
found: Consensus = consensus(few, omega=sinh_grid(20.0, 1.0, 40).omega)
print(found.methods_used)

# %% continue_mixed
def chi_samples(position):
    shape = np.exp(-((grid.omega - position) ** 2))
    mean = response_kernel(n, grid.omega, beta) @ (grid.weights * shape)
    return mean + 0.001 * rng.standard_normal((60, n.size))


a, b = chi_samples(2.0), chi_samples(4.0)
total, first, second = (
    CorrelatorData.from_samples(s, kind="chi_iw", beta=beta, grid=n) for s in (a + b, a, b)
)
omega, A_ab, A_error = continue_mixed(total, first, second, method="maxent", n_omega=80)

# %% continue_scan, ScanSpectra [long]
def rho_samples(position):
    shape = 0.1 * np.exp(-((grid.omega - position) ** 2))
    mean = 0.3 + current_kernel(n, grid.omega, beta) @ (grid.weights * shape)
    return mean + 0.004 * rng.standard_normal((60, n.size))


at = [0.0, 0.1, 0.2]                     # one correlator for each value of p
points = [CorrelatorData.from_samples(rho_samples(2 - 4 * p), kind="rho_iw", beta=beta, grid=n) for p in at]
together: ScanSpectra = continue_scan(points, at)
print(len(together.spectra), together.two_maxima().shape)  # 3 (3,)
