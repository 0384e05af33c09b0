"""Examples of `sitqmc.qmc`. Each cell names what it shows; it may use the cells above it."""

import numpy as np

from sitqmc.qmc import (
    ACTIONS,
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    OBSERVABLES,
    PARAMETERS,
    Average,
    ChainResult,
    Chains,
    Disorder,
    LinkWeights,
    Model,
    OwnObservable,
    ParameterSpace,
    PointAccumulator,
    PointAverages,
    QualityCheck,
    Schedule,
    SeriesError,
    StartCheck,
    TransverseFit,
    agree,
    allocate_effort,
    autocorrelation_time,
    average,
    average_point,
    binned_error,
    blocking,
    burn_in_bins,
    compare_hot_cold,
    control,
    covariance,
    covariance_components,
    currents,
    empty_lattice,
    fit_transverse,
    gamma_method,
    hot_cold_z,
    improved_averages,
    jackknife,
    make_disorder,
    mask_functions,
    missing_bins,
    missing_samples,
    outliers,
    run_chain,
    run_to_error,
    sample_means,
    space_links,
    squared_mean,
    stuck_samples,
    thermalisation_z,
    time_links,
    variance_components,
)

# %% Model
model = Model(L=4, beta=0.8, eps=0.1, charging=3.0, p=0.1)
print(model.L_tau, model.sites)  # 8 16

# %% PARAMETERS, ParameterSpace
print(PARAMETERS["charging"].symbol, PARAMETERS["charging"].unit)  # E_C/E_J E_J
scan = [Model(L=4, beta=0.8, eps=0.1, charging=c) for c in (2.0, 3.0)]
print(ParameterSpace(scan).varied)  # ('charging',)

# %% run_chain, Schedule, ChainResult
schedule = Schedule(therm_sweeps=50, bins=8, measurements_per_bin=4)
chain: ChainResult = run_chain(model, seed=1, sample=0, schedule=schedule)
print(chain.bins["rho_s_x"].shape, chain.bins["rho_x"].shape)  # (8,) (8, 5)
print(chain.tau_int["energy"] >= 0.5)  # True

# %% Disorder, make_disorder
drawn: Disorder = model.draw_disorder(seed=1, sample=0)      # the disorder of the chain above
bonds = np.ones((2, 4, 4), bool)
bonds[0, 2, 1] = False                                       # no bond from (x, y) = (1, 2) to (2, 2)
own = make_disorder(4, 4, bonds=bonds)
print(own.bonds.sum())  # 31

# %% Chains
chains = Chains(model, seed=1, samples=[0, 1, 2, 3], schedule=schedule)
while not chains.finished:
    chains.step()
results = chains.results()
print(np.array_equal(results[0].bins["energy"], chain.bins["energy"]))  # True

# %% OwnObservable
def mean_square(J, model):
    return (J[1:] ** 2).mean()


J2 = OwnObservable("J2", "1", "mean square of the current on a bond", mean_square)
measured = Chains(model, seed=1, samples=[0], schedule=schedule, own=[J2])
while not measured.finished:
    measured.step()
print(measured.results()[0].bins["J2"].shape)  # (8,)

# %% run_to_error
bonds_of_samples = [model.draw_disorder(1, sample) for sample in (0, 1)]
longer = run_to_error(
    model, bonds_of_samples, {"energy": 1.0}, seed=1, samples=[0, 1], schedule=schedule, max_bins=32
)
print(binned_error(longer[0].bins["energy"]) < 1.0)  # True

# %% compare_hot_cold, StartCheck
check: StartCheck = compare_hot_cold(
    model, bonds_of_samples, seed=1, samples=[0, 1],
    schedule=Schedule(therm_sweeps=1, bins=16, measurements_per_bin=2),
)  # fmt: skip
print(sorted(check.z))  # ['energy', 'kappa', 'rho_s_x', 'rho_s_y']
print(check.burn_in_bins)                # bins to drop; None: the starts never agree

# %% empty_lattice, currents
words = empty_lattice(model, own)        # packed currents of one configuration
print(currents(model, words).shape)  # (3, 8, 4, 4)

# %% ACTIONS, LinkWeights, space_links, time_links
print(ACTIONS)  # ('rotor', 'cosine', 'villain')
bond: LinkWeights = space_links("cosine", eps=0.1)
site = time_links("rotor", eps=0.1, charging=3.0)
print(np.round(site.weight[:3], 3))  # [1.    0.861 0.549]

# %% OBSERVABLES
print(OBSERVABLES["kappa"].unit, "|", OBSERVABLES["kappa"].text)

# %% average_point, PointAverages, QualityCheck
bins = {name: np.stack([r.bins[name] for r in results]) for name in chain.bins}
tau_int = {name: np.array([r.tau_int[name] for r in results]) for name in chain.tau_int}
point: PointAverages = average_point(model, bins, tau_int, schedule.measurements_per_bin)
print(f"rho_s = {point.values['rho_s']} E_J from {point.n_samples} samples")
quality: QualityCheck = point.checks["energy"]
print(quality.tau_int >= 0.5, quality.outliers)  # True ()

# %% PointAccumulator
whole = PointAccumulator(model, schedule.measurements_per_bin)
for half in (slice(0, 2), slice(2, 4)):
    whole.add({k: v[half] for k, v in bins.items()}, {k: v[half] for k, v in tau_int.items()})
print(whole.result().values["rho_s"].value == point.values["rho_s"].value)  # True

# %% sample_means
means = sample_means(model, bins)
print(means["rho_s"].shape, means["rho"].shape)  # (4,) (4, 5)

# %% improved_averages, Average, ESTIMATORS, DEFAULT_ESTIMATOR
print(DEFAULT_ESTIMATOR, ESTIMATORS)  # improved ('improved', 'transverse', 'masks', 'plain')
waves = {"K_T": np.stack([r.maps["K_T"] for r in results])}
keys = np.array([[1, sample] for sample in range(4)])        # seed and number of every sample
found = improved_averages(model, means, waves, keys, names=["rho"], estimator="plain")
rho: Average = found["rho"]
mean, matrix = rho
print(mean.shape, matrix.shape)  # (5,) (5, 5)

# %% mask_functions, control
functions = mask_functions(model, seed=1, samples=range(40), population=256)
kappa = 0.3 + 0.01 * np.random.default_rng(1).standard_normal(40)    # one value per sample
better = control(functions, kappa)
print(np.isclose(better.value, kappa.mean(), atol=0.01))  # True

# %% fit_transverse, TransverseFit
numbers = np.array([[1, 0], [0, 1], [1, 1]])                 # q = 2 pi (1/Lx, 0), ...
n = np.arange(3)
noise = 0.01 * np.random.default_rng(1).standard_normal((50, 4, 3))
values = 0.3 + 0.05 * n + noise                              # response at q = 0 and at three waves
fit: TransverseFit = fit_transverse(model, values[:, 0], values[:, 1:], numbers, n)
print(np.all(np.abs(fit.value - (0.3 + 0.05 * n)) < 0.02))  # True

# %% average, jackknife, covariance
rng = np.random.default_rng(1)
x, y = 2 + rng.standard_normal((2, 400))                     # two quantities of 400 samples
print(average(x))  # 1.918(46)
print(jackknife(lambda a, b: a / b, x, y))  # 0.985(34)
print(covariance(np.stack([x, y], axis=1)).shape)  # (2, 2)

# %% binned_error, squared_mean
print(f"{binned_error(x):.3f}")  # 0.046
print(f"{squared_mean(x):.1f}")  # 3.7

# %% gamma_method, blocking, agree, SeriesError, autocorrelation_time
series = np.zeros(4000)                                      # AR(1): tau_int = (1 + a)/(1 - a)/2 = 1.5
for t in range(1, series.size):
    series[t] = 0.5 * series[t - 1] + rng.standard_normal()
gamma: SeriesError = gamma_method(series)
print(agree(gamma, blocking(series)))  # True
tau, tau_error = autocorrelation_time(series)
print(abs(tau - 1.5) < 4 * tau_error)  # True

# %% thermalisation_z, hot_cold_z, burn_in_bins
cold, hot = rng.standard_normal((2, 16, 32))                 # bins (samples, bins) of both starts
hot[:, :6] += 4.0                                            # hot starts need six bins
print(hot_cold_z(cold, hot) < -5, abs(thermalisation_z(cold)) < 4)  # True True
print(burn_in_bins(cold, hot))  # 6

# %% outliers, stuck_samples
print(outliers([1.0, 1.1, 0.9, 1.05, 0.95, 40.0]))  # [5]
windings = np.array([[0, 1, 0, 4], [1, 0, 1, 1], [4, 4, 4, 4]])
print(stuck_samples(windings))  # [2]

# %% variance_components, covariance_components
pilot = rng.normal(1.0, 0.2, (50, 1)) + rng.normal(0.0, 0.4, (50, 16))   # disorder and thermal noise
parts = variance_components(pilot)
print(f"{float(parts.total) ** 0.5:.3f} {float(parts.thermal) ** 0.5:.3f}")      # errors of the mean
print(covariance_components(np.stack([pilot, pilot], axis=2)).disorder.shape)  # (2, 2)

# %% allocate_effort, missing_bins, missing_samples
best = allocate_effort(pilot, target_error=0.01, therm_bins=4)
print(best.samples, best.bins)
print(missing_samples(pilot.mean(axis=1), target_error=0.01) > 0)  # True
print(missing_bins(pilot, target_error=0.05).shape)  # (50,)
