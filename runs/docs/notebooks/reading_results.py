# %% [markdown]
# # Reading results: averages, errors, checks
#
# A run keeps every bin of every disorder sample. This notebook makes a small run and shows every way to
# read it. To read a run of your own, set `folder` to its output folder.

# %%
import tomllib
from pathlib import Path

import numpy as np

from sitqmc.continuation import CorrelatorData, midpoint_conductivity, sigma_matsubara
from sitqmc.qmc import allocate_effort, gamma_method
from sitqmc.runs import load
from sitqmc.runs.config.config import parse_config
from sitqmc.runs.results.analysis import analyse_run
from sitqmc.runs.results.export.table import write_csv
from sitqmc.runs.results.figures.style import NotebookFigure
from sitqmc.runs.simulate.driver import run

text = """
[model]
action = "rotor"
eps = 0.125
charging = 3.0
L = 4
L_tau = 32
p = [0.0, 0.15, 0.3]
[disorder]
samples = 40
seed = 11
[schedule]
therm_sweeps = 100
bins = 32
measurements_per_bin = 8
[output]
path = "results/reading"
"""
folder = Path("results/reading")             # or the folder of your run
if not folder.exists():
    run(parse_config(tomllib.loads(text)), processes=1, quiet=True)

# %% [markdown]
# ## 1. The table
#
# Values and errors are plain numbers: `table["rho_s"]`, `table["rho_s_error"]`. Errors are one standard
# error of the disorder average. They contain thermal noise and the fluctuations between samples. Averages are
# by the estimator of the configuration, see [estimators](../pages/explanation/estimators.md);
# `averages[i].plain` holds plain averages.

# %%
results = load(folder)
table = results.table("rho_s", "kappa", "minus_k")
print(table)
print("at p = 0.3:", table.where(p=0.3)["rho_s"], "+-", table.where(p=0.3)["rho_s_error"])

# %% [markdown]
# Samples are nested in p: a bond that is missing at 0.15 is missing at 0.3. The points are therefore
# correlated. Compute the difference of two points sample by sample; its error is smaller than for
# independent points.

# %%
half, full = (results.averages[i].samples["rho_s"] for i in (1, 2))
paired = (full - half).std(ddof=1) / np.sqrt(len(half))
naive = float(np.hypot(*table["rho_s_error"][1:]))
print(f"rho_s(0.3) - rho_s(0.15) = {(full - half).mean():.4f} +- {paired:.4f}, as if independent {naive:.4f}")

# %% [markdown]
# ## 2. Checks
#
# `tau_int` is in measurements. `thermalisation_p` is the probability that the two halves of the chains
# differ by chance as much as they do. `thermal_fraction` is the fraction of the squared error that longer
# chains would remove. It is 1 for a clean array. If it is small, only more samples reduce the error.

# %%
for point in results.averages:
    check = point.checks["rho_s_x"]
    print(f"p = {point.model.p:g}: tau_int = {check.tau_int:.2f}, thermalisation p = "
          f"{check.thermalisation_p:.2f}, thermal share = {check.thermal_fraction:.2f}, "
          f"warnings: {'; '.join(point.warnings) or 'none'}")

# %% [markdown]
# There are two routes to the error of a single chain: the summed autocorrelation of its bins, and their
# scatter.

# %%
bins = results.samples(2).bins["rho_s_x"]     # (samples, bins)
single = gamma_method(bins[0])
print(f"sample 0: {bins[0].mean():.4f} +- {single.error:.4f} by the Gamma method, "
      f"{bins[0].std(ddof=1) / np.sqrt(bins.shape[1]):.4f} by its bins; {bins.shape[0]} samples")

# %% [markdown]
# ## 3. How much work does a smaller error take?
#
# The bins serve as a pilot run: find the cheapest number of samples and of bins per sample for an error of
# 1 % on rho_s.

# %%
wanted = 0.01 * float(table["rho_s"][2])
effort = allocate_effort(bins, wanted, therm_bins=4.0)
print(f"error {wanted:.1e}: {effort.samples} samples of {effort.bins} bins; "
      f"{effort.saving:.1f} times cheaper than with chains as long as these")

# %% [markdown]
# ## 4. A correlator, with its covariance
#
# Neighbouring frequencies share their noise, so error bars alone do not describe the error of a curve.
# Every fit and every continuation needs the covariance.

# %%
rho = results.averages[2].samples["rho"]     # (samples, n)
covariance = np.cov(rho.T) / len(rho)
error = np.sqrt(np.diag(covariance))
print("correlation of n = 1 with n = 2:", round(float(covariance[1, 2] / error[1] / error[2]), 3))

figure = NotebookFigure(figsize=(5.2, 3.4), dpi=130, layout="constrained")
axis = figure.subplots()
for point in results.averages:
    e = point.values["rho"]
    label = f"p = {point.model.p:g}"
    axis.errorbar(np.arange(len(e.value)), e.value, e.error, fmt="o-", ms=3, lw=0.8, label=label)
axis.set_xlabel("Matsubara number n")
axis.set_ylabel(r"$\rho(i\omega_n)/E_J$")
axis.legend(frameon=False)
figure.shown()

# %% [markdown]
# ## 5. Numbers that need no continuation
#
# sigma(i w_n) = 2 pi rho/w_n follows from the data directly. So does beta^2 Lambda(beta/2)/pi, which equals
# sigma(0) if sigma is flat below 2 pi T.

# %%
model = results.models[2]
n = np.arange(rho.shape[1])
data = CorrelatorData.from_samples(rho, kind="rho_iw", beta=model.beta, grid=n, eps=model.eps)
w, sigma, sigma_error = sigma_matsubara(data)
low = midpoint_conductivity(data)
print(f"sigma(i w_1) = {sigma[0]:.3f} +- {sigma_error[0]:.3f} at w_1 = {w[0]:.2f}")
print(f"beta^2 Lambda(beta/2)/pi = {low.value:.3f} +- {low.error:.3f}, in 4e^2/h")

# %% [markdown]
# ## 6. For other programs
#
# `write_csv` writes all averages as CSV, `write_netcdf` as NetCDF. `run.h5` itself opens with plain h5py. The
# provenance of the run is in `history`.

# %%
write_csv(analyse_run(results, spectra=False), folder / "all.csv")
rows = (folder / "all.csv").read_text().splitlines()
print(rows[0])
print(len(rows) - 1, "rows; made by", {key: results.history[0][key] for key in ("sitqmc", "numpy", "python")})
