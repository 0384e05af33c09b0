# %% [markdown]
# # A first run: from the configuration to sigma(omega)
#
# The lattice is so small that everything takes seconds. The notebook shows the steps; its numbers say nothing
# about large arrays. In a terminal the same steps are `sitqmc init`, `sitqmc plan`, `sitqmc run` and
# `sitqmc report`.

# %%
import tomllib

from sitqmc.runs import load
from sitqmc.runs.config.config import parse_config
from sitqmc.runs.jobs.plan import plan
from sitqmc.runs.results.analysis import analyse_run
from sitqmc.runs.results.figures.kinds import draw
from sitqmc.runs.results.report.publish import publish
from sitqmc.runs.results.report.report import report_page
from sitqmc.runs.simulate.run import run

# %% [markdown]
# ## 1. Configuration
#
# Energies are in E_J, times in 1/E_J. Any value of `[model]` may be a list: the run covers all combinations.
# The disorder samples of different p are nested, so differences between values of p are precise.

# %%
text = """
[model]
action = "cosine"       # the published transition belongs to this action at eps = 0.1
eps = 0.1
charging = 3.0          # E_C/E_J
L = 4
L_tau = 24              # beta = 2.4
p = [0.0, 0.2, 0.4]     # fraction of missing bonds

[disorder]
samples = 24
seed = 7

[schedule]
therm_sweeps = 100
bins = 16
measurements_per_bin = 16

[continuation]
method = "maxent"       # quick; the default, "process", is more accurate
omega_points = 100
blocks = 8

[output]
path = "results/first_run"
"""
config = parse_config(tomllib.loads(text))
for model in config.models:
    print(f"p = {model.p:g}, beta = {model.beta:g}, {model.sites} sites")

# %% [markdown]
# ## 2. Cost
#
# A short trial measures the speed. The last lines name the biggest risk.

# %%
print(plan(config, processes=1, trial_seconds=0.2))

# %% [markdown]
# ## 3. Run
#
# A run may be killed at any instant: the same call resumes it and repeats nothing. The analysis then makes
# averages and continues them to sigma(omega).

# %%
run(config, processes=1, quiet=True)
results = analyse_run(load(config.output.path))

# %% [markdown]
# ## 4. Figures
#
# As bonds are removed, the stiffness falls faster than <-k_x>. By the sum rule the difference is spectral
# weight that moves from the superfluid delta function to finite frequency.

# %%
draw("scan", results)

# %%
draw("sigma", results)

# %% [markdown]
# The bar at a peak shows the resolution. Here it is as wide as the peak itself, so the shape of the peak is
# unknown. Larger beta and more samples improve the resolution slowly.
#
# ## 5. Tables and the report
#
# `publish` prints the table of main results and writes tables, figures and `report.html`: figures, checks,
# configuration and provenance in one file that opens offline. `sitqmc run` and `sitqmc report` end with the
# same call. Take the warnings below the table seriously: 24 samples of 16 sites are few.

# %%
publish(results, quiet=True)
page = report_page(results)
print(f"{len(page) / 1e3:.0f} kB of HTML")

# %% [markdown]
# ## 6. Read it back
#
# Next: `reading_results.ipynb` explains errors and checks, `continuation_trust.ipynb` the limits of a
# continued spectrum.

# %%
table = load(config.output.path).table("rho_s", "kappa", "minus_k", "energy")
print(table)
