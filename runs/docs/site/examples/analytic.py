"""Examples of `sitqmc.analytic`. Each cell names what it shows; it may use the cells above it."""

import numpy as np

from sitqmc.analytic import (
    BCS_RATIO,
    MEV_PER_K,
    MEV_PER_THZ,
    SIGMA_Q_S,
    SUBSTRATES,
    SYNTHETIC_FILMS,
    Z0_OHM,
    Background,
    Comparison,
    DataError,
    ExcessConductivity,
    FamilyComparison,
    FilmAnalysis,
    FilmFit,
    FilmOnSubstrate,
    FilmSetup,
    FilmState,
    FitQuality,
    FitResult,
    FreeParameter,
    Instrument,
    MassScaling,
    MeasuredConductivity,
    MissingWeight,
    MockFilm,
    MountFit,
    MountPriors,
    Substrate,
    SuperfluidDensity,
    SyntheticFilm,
    TheoryCurve,
    ThzScan,
    Trace,
    TunnelFit,
    TunnellingCurve,
    analyse_film,
    cm_to_thz,
    compare,
    compare_family,
    compare_film,
    critical_mass_over_stiffness,
    critical_temperature,
    drude,
    drude_weight,
    dynes_conductivity,
    dynes_dos,
    e_j_from_stiffness,
    excess,
    excess_peak,
    film_sigma,
    film_stiffness_mev,
    finite_scattering_conductivity,
    fit,
    fit_film,
    fit_mass_scaling,
    fit_mount,
    fit_normal,
    fit_substrate,
    fit_superconductor,
    fit_tunnelling,
    gap_mev,
    higgs_mass_mev,
    incoherent_power,
    instrument_variations,
    invert,
    invert_resonance_bands,
    invert_scan,
    kelvin_to_mev,
    line_through_origin,
    matsubara_conductivity,
    mattis_bardeen,
    mean_scan,
    mev_to_thz,
    missing_weight,
    mock_film,
    omega_minimum,
    penetration_depth_nm,
    scan_of_traces,
    scattering_mev_from_tau,
    sheet_conductance,
    sheet_to_sigma,
    smooth_transform_matrix,
    stack,
    stiffness_slope_mev,
    substrate,
    superfluid,
    superfluid_fraction,
    synthetic_scan,
    synthetic_tunnelling,
    thin_film_sigma,
    thin_film_transmission,
    thz_scan,
    thz_to_cm,
    thz_to_mev,
    to_laboratory,
    transform_matrix,
    transmission,
    tunnelling_conductance,
    tunnelling_curve,
    unwrapped_phase,
)

# %% thz_to_mev, mev_to_thz, thz_to_cm, cm_to_thz, kelvin_to_mev, MEV_PER_THZ, MEV_PER_K
print(f"{thz_to_mev(1.0):.4f} meV, {thz_to_cm(1.0):.3f} cm^-1")  # 4.1357 meV, 33.356 cm^-1
print(f"{mev_to_thz(4.0):.4f} THz, {cm_to_thz(10.0):.4f} THz")  # 0.9672 THz, 0.2998 THz
print(f"{kelvin_to_mev(4.2):.4f} meV")  # 0.3619 meV
print(thz_to_mev(1.0) == MEV_PER_THZ, kelvin_to_mev(1.0) == MEV_PER_K)  # True True

# %% sheet_conductance, sheet_to_sigma, SIGMA_Q_S, Z0_OHM
g = sheet_conductance(3000.0, thickness_nm=20.0)             # S, of sigma in ohm^-1 cm^-1
print(f"{g / SIGMA_Q_S:.1f} quanta 4e^2/h, Z0 G = {Z0_OHM * g:.2f}")  # 38.7 quanta 4e^2/h, Z0 G = 2.26
print(round(sheet_to_sigma(g, thickness_nm=20.0)))  # 3000

# %% gap_mev, BCS_RATIO, critical_temperature
print(f"{gap_mev(2.0, tc_k=9.5):.4f} meV")  # 1.4437 meV
print(np.isclose(2 * gap_mev(0.0, tc_k=9.5) / kelvin_to_mev(9.5), BCS_RATIO))  # True
print(f"{critical_temperature(tc0=0.8, gamma=0.1):.3f}")  # 0.720

# %% mattis_bardeen, finite_scattering_conductivity, dynes_conductivity
nu = np.array([0.3, 0.6, 1.0])                               # THz
dirty = mattis_bardeen(nu, delta_mev=1.4, t_k=2.0)           # sigma/sigma_n, complex
general = finite_scattering_conductivity(nu, delta_mev=1.4, scattering_mev=60.0, t_k=2.0)
broadened = dynes_conductivity(nu, delta_mev=1.4, gamma_mev=0.05, scattering_mev=60.0, t_k=2.0)
print(np.round(dirty.real, 4))

# %% drude, drude_weight, scattering_mev_from_tau
print(f"{scattering_mev_from_tau(10.0):.2f} meV")  # 65.82 meV
normal_state = drude(nu, sigma_dc=3000.0, scattering_mev=60.0)
weight = drude_weight(3000.0, 60.0)      # int sigma1 d omega

# %% matsubara_conductivity
on_axis = matsubara_conductivity(np.arange(1, 5), delta_mev=1.4, scattering_mev=60.0, t_k=2.0)
print(on_axis.shape)  # (4,)

# %% stiffness_slope_mev, superfluid_fraction, film_stiffness_mev, penetration_depth_nm
slope = 3000.0 * stiffness_slope_mev(1.4, 60.0, 2.0)         # lim hbar omega sigma2
print(f"n_s/n = {superfluid_fraction(1.4, 60.0, 2.0):.4f}")  # n_s/n = 0.0651
print(f"J_s = {film_stiffness_mev(slope, thickness_nm=20.0):.1f} meV")
print(f"penetration depth {penetration_depth_nm(slope):.0f} nm")

# %% dynes_dos, tunnelling_conductance
print(np.round(dynes_dos(np.array([0.0, 2.8]), delta_mev=1.4, gamma_mev=0.0), 4))  # [0.     1.1547]
bias = np.linspace(-5, 5, 81)
didv = tunnelling_conductance(bias, delta_mev=1.4, gamma_mev=0.05, t_k=2.0)

# %% higgs_mass_mev, critical_mass_over_stiffness, fit_mass_scaling, MassScaling
scaling: MassScaling = fit_mass_scaling([3.0, 5.0, 9.5], [0.6, 1.0, 1.9], [0.05, 0.05, 0.1], form="critical")
print(scaling.prefactor)  # 0.2000(66)
print(higgs_mass_mev(5.0, 0.2, form="critical"))  # 1.0
print(critical_mass_over_stiffness())

# %% Substrate, substrate, SUBSTRATES
plate = Substrate(thickness_um=500.0, index=3.05)
print(sorted(SUBSTRATES)[:2])
sapphire = substrate("sapphire_o", thickness_um=500.0, t_k=5.0)
print(np.round(sapphire.resonances_thz(0.2, 0.7), 2))

# %% FilmOnSubstrate, transmission, invert, unwrapped_phase
sample = FilmOnSubstrate(film_nm=20.0, substrate=sapphire)
nu = np.linspace(0.2, 1.5, 200)
sigma = 3000.0 * mattis_bardeen(nu, delta_mev=1.4, t_k=2.0)
t_rel = transmission(nu, sigma, sample)
print(np.allclose(invert(nu, t_rel, sample), sigma))  # True
theta = unwrapped_phase(t_rel)

# %% thin_film_transmission, thin_film_sigma, incoherent_power
thin = thin_film_transmission(nu, sigma, sample)
print(np.allclose(thin_film_sigma(nu, thin, sample), sigma))  # True
power = incoherent_power(nu, sigma, sample)                  # a thick or wedged plate

# %% stack
t, r = stack(nu, [1.0, 3.05, 1.0], [500.0])                  # a plate in vacuum
print(np.allclose(abs(t) ** 2 + abs(r) ** 2, 1.0))  # True

# %% Instrument
mount = Instrument(path_um=4.0, standing_cos=0.006, standing_period_thz=0.13)
seen = mount.apply(nu, t_rel)
print(np.allclose(mount.remove(nu, seen), t_rel))  # True

# %% transform_matrix, smooth_transform_matrix
sigma1 = 1.0 / (1.0 + nu**2)
sigma2 = transform_matrix(nu, nu) @ sigma1                   # Kramers-Kronig from these frequencies alone
smooth = smooth_transform_matrix(nu) @ sigma1

# %% fit, FreeParameter, FitResult, FitQuality
x = np.linspace(0.0, 1.0, 21)
y = 2.0 * x + 0.1 * np.random.default_rng(1).standard_normal(21)
line: FitResult = fit(lambda v: [(y - v["slope"] * x) / 0.1], {"slope": FreeParameter(start=1.0)}, {})
quality: FitQuality = line.quality
print(abs(line.values["slope"] - 2.0) < 4 * line.errors["slope"], quality.fits)  # True True

# %% SYNTHETIC_FILMS, SyntheticFilm, synthetic_scan, synthetic_tunnelling
rng = np.random.default_rng(1)
film: SyntheticFilm = SYNTHETIC_FILMS["9.5K"]
cold = synthetic_scan(film, 2.0, rng)
normal = synthetic_scan(film, film.warm_k, rng)
curve = synthetic_tunnelling(film, rng)
print(len(cold.nu_thz), cold.synthetic)

# %% thz_scan, ThzScan, DataError
scan: ThzScan = thz_scan(nu, abs(t_rel), theta, t_k=2.0, t_error=0.001, theta_error=0.005)
try:
    thz_scan(nu * 1e12, abs(t_rel), theta, t_k=2.0, t_error=0.001, theta_error=0.005)
except DataError as error:
    print(error)                         # says that nu is not in THz

# %% mean_scan
repeats = [synthetic_scan(film, 2.0, rng) for _ in range(3)]
mean = mean_scan(repeats)

# %% tunnelling_curve, TunnellingCurve, fit_tunnelling, TunnelFit
own: TunnellingCurve = tunnelling_curve(bias, didv, t_k=2.0, didv_error=0.01)
gap: TunnelFit = fit_tunnelling(own)
print(f"{gap.delta_mev.value:.2f}")  # 1.40

# %% Trace, scan_of_traces
time = np.arange(0.0, 60.0, 0.05)                            # ps
pulse = -(time - 10.0) / 0.2 * np.exp(-(((time - 10.0) / 0.2) ** 2))
reference = Trace(time_ps=time, signal=pulse + 1e-4 * rng.standard_normal((4, time.size)))
behind = Trace(time_ps=time, signal=0.5 * pulse + 1e-4 * rng.standard_normal((4, time.size)))
scan = scan_of_traces(behind, reference, t_k=300.0)
print(f"{np.median(scan.t):.2f}")  # 0.50

# %% FilmSetup, film_sigma
spectrometer = Instrument(standing_period_thz=0.13)          # the period of the standing wave is known
setup = FilmSetup(sample=film.sample, sigma_n=8000.0, instrument=spectrometer)
model = film_sigma(cold.nu_thz, setup, delta_mev=1.4, t_k=2.0)

# %% fit_normal, fit_superconductor, FilmFit
distortions = ("path_um", "standing_cos", "standing_sin", "leak_re", "leak_im")
calibration: FilmFit = fit_normal(normal, setup, tc_k=film.tc_k, free=("sigma_n", *distortions))
plain = fit_superconductor(cold, calibration.setup, tc_k=film.tc_k)
print(calibration.fits, plain.fits)  # True True
print(abs(plain.gaps_mev()[0].value - film.delta_mev(2.0)) < 0.01)  # True

# %% fit_film
joint = fit_film([normal, cold], setup, film.tc_k, free=("sigma_n", *distortions))
print(joint.fit.estimate("sigma_n"))

# %% fit_substrate
empty = transmission(nu, 0.0, sample)                        # no film on the plate
theta = unwrapped_phase(empty)
bare = thz_scan(nu, abs(empty), theta, t_k=5.0, t_error=0.005, theta_error=0.005).window(0.2, 0.7)
found, better = fit_substrate(bare, FilmSetup(sample=sample, sigma_n=3000.0))
print(f"{better.sample.substrate.index:.2f}")  # 3.05

# %% invert_scan, invert_resonance_bands, instrument_variations, MeasuredConductivity
variations = instrument_variations(calibration)
points: MeasuredConductivity = invert_scan(cold, calibration.setup, variations)
pairs = invert_resonance_bands(cold, calibration.setup, variations)
print(points.sigma.shape == cold.nu_thz.shape)  # True

# %% Background, excess, ExcessConductivity, excess_peak, omega_minimum
background = Background(setup=calibration.setup, delta_mev=film.delta_mev(2.0), t_k=2.0)
sigma_h: ExcessConductivity = excess(pairs, background)
print(sigma_h.sigma_h.shape == sigma_h.error.shape)  # True
print(omega_minimum(pairs, (0.2, 1.2)), excess_peak(sigma_h, (0.2, 0.7)))

# %% superfluid, SuperfluidDensity, missing_weight, MissingWeight, line_through_origin
density: SuperfluidDensity = superfluid(points, background, (0.3, 0.8))
missing: MissingWeight = missing_weight(points, background)
print(missing.share)
trend = line_through_origin(
    np.array([1.0, 2.0]), np.array([0.1, 0.1]), np.array([1.6, 3.1]), np.array([0.1, 0.1])
)
print(trend.slope)                       # pi/2 by the sum rule

# %% mock_film, MockFilm
mock: MockFilm = mock_film(rng, mode=True)
print(mock.cold.t_k, mock.believed.film_nm > 0)  # 2.0 True

# %% fit_mount, MountPriors, MountFit, FilmState [long]
priors = MountPriors(film_nm=1.0)
joint_fit: MountFit = fit_mount([normal, cold], setup, film.tc_k, priors=priors, edges_thz=())
state: FilmState = joint_fit.states[0]   # of the cold scan; no states if the fit is rejected
print(state.delta_mev, state.stiffness_mev)

# %% analyse_film, FilmAnalysis [long]
analysis: FilmAnalysis = analyse_film(cold, setup, film.tc_k, normal=normal, edges_thz=())
print(analysis.stiffness_mev)

# %% TheoryCurve, to_laboratory, e_j_from_stiffness
omega = np.linspace(0.05, 8.0, 160)
theory = TheoryCurve(
    omega=omega, sigma=0.3 * np.exp(-((omega - 2.0) ** 2)), error=np.full(160, 0.01), rho_s=0.3
)
nu_lab, sigma_lab = to_laboratory(theory, e_j_mev=0.8, thickness_nm=20.0)
print(f"{e_j_from_stiffness(0.24, rho_s=0.3):.1f} meV")  # 0.8 meV

# %% compare, Comparison, compare_family, FamilyComparison
at = np.linspace(0.2, 0.7, 11)
measured = ExcessConductivity(
    nu_thz=at, sigma_h=np.interp(at, nu_lab, sigma_lab.value), covariance=np.eye(11) * 25.0
)
one: Comparison = compare(theory, measured, 20.0, e_j_mev=0.8)
print(one.quality.fits)  # True
shifted = TheoryCurve(omega=omega, sigma=0.3 * np.exp(-((omega - 3.0) ** 2)), error=np.full(160, 0.01))
several: FamilyComparison = compare_family({0.1: theory, 0.2: shifted}, measured, 20.0, e_j_mev=0.8)
print(several.p.value)  # 0.1

# %% compare_film [long]
verdict = compare_film(theory, analysis, e_j_mev=0.8)        # sigma_H of the film analysed above
