# %% [markdown]
# # A first run: from the configuration to sigma(omega)
#
# The lattice is so small that everything takes seconds. The notebook shows the steps; its numbers say nothing
# about large arrays. In a terminal the same steps are `sitqmc init`, `sitqmc plan`, `sitqmc run` and
# `sitqmc show`.

# %%
import sitqmc

# %% [markdown]
# ## 1. Configuration
#
# Energies are in E_J, times in 1/E_J. Any parameter of the model may be a list: the run covers all
# combinations. The disorder samples of different p are nested: differences between values of p are precise.
# `sitqmc.Config.of("my.toml")` reads the same keys from a file.

# %%
config = sitqmc.Config.of(
    L=4, beta=2.4, p=[0.0, 0.2, 0.4],       # fraction of missing bonds
    action="cosine",                        # the published transition belongs to it, at eps = 0.1
    eps=0.1, charging=3.0,                  # width of a time slice; E_C/E_J
    samples=24, seed=7, path="results/first_run",
    schedule={"therm_sweeps": 100, "bins": 16, "measurements_per_bin": 16},
    continuation={"method": "maxent", "omega_points": 100, "blocks": 8},    # quick; "process" is better
)  # fmt: skip
for model in config.models:
    print(f"p = {model.p:g}, beta = {model.beta:g}, {model.sites} sites")

# %% [markdown]
# ## 2. Cost
#
# A short trial measures the speed. The last lines name the biggest risk.

# %%
sitqmc.plan(config, processes=1, trial_seconds=0.2)

# %% [markdown]
# ## 3. Run
#
# A run may be killed at any instant, and the stop button ends it in order: the same call resumes it and
# repeats nothing. The analysis then makes averages and continues them to sigma(omega). Take the warnings
# seriously: 24 samples of 16 sites are few.

# %%
run = sitqmc.run(config, processes=1)
print(run)

# %% [markdown]
# ## 4. Figures
#
# As bonds are removed, the stiffness falls faster than <-k_x>. By the sum rule the difference is spectral
# weight that moves from the superfluid delta function to finite frequency.

# %%
run.plot("scan")

# %%
run.plot("sigma")

# %% [markdown]
# The bar at a peak shows the resolution. Here it is as wide as the peak itself, so the shape of the peak is
# unknown. Larger beta and more samples improve the resolution slowly.
#
# ## 5. Tables and the report
#
# The run has written tables, figures and `report.html`: figures, checks, configuration and provenance in one
# file that opens offline.

# %%
page = (run.path.parent / "report.html").read_text(encoding="utf-8")
print(f"{len(page) / 1e3:.0f} kB of HTML")

# %% [markdown]
# ## 6. Read it back
#
# `sitqmc.load` opens the run at any later time, also while it is still going on. Next:
# `reading_results.ipynb` explains errors and checks, `continuation_trust.ipynb` the limits of a continued
# spectrum.

# %%
results = sitqmc.load("results/first_run").results
table = run.table("rho_s", "kappa", "minus_k", "energy")
print(table)
