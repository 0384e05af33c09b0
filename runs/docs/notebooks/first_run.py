# %% [markdown]
# # A first run: a few disordered arrays, from the configuration to sigma(omega)
#
# A lattice so small that everything here takes seconds. It shows the steps; its numbers are no physics of
# large arrays. From a terminal the same is `sitqmc init`, `sitqmc plan`, `sitqmc run`, `sitqmc report`.

# %%
import tomllib

from sitqmc.runs import load
from sitqmc.runs.config.config import parse_config, points
from sitqmc.runs.jobs.plan import plan
from sitqmc.runs.results.figures.run import draw
from sitqmc.runs.results.report import report_of
from sitqmc.runs.simulate.run import run

# %% [markdown]
# ## 1. Say what to simulate
#
# Energies in E_J, times in 1/E_J. Any value of `[model]` may be a list: the run covers all combinations.
# The disorder samples of different p are nested, so differences along p are precise.

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
method = "maxent"       # quick; leave it out for the better default, "process"
omega_points = 100
blocks = 8

[output]
path = "results/first_run"
"""
config = parse_config(tomllib.loads(text))
for model in points(config):
    print(model.p, model.beta, model.sites)

# %% [markdown]
# ## 2. Ask what it will cost
#
# A short trial measures the speed. The last lines name what is most likely to disappoint.

# %%
print(plan(config, processes=1, trial_seconds=0.2))

# %% [markdown]
# ## 3. Run
#
# A run may be killed at any instant: the same call goes on where it was, and does nothing twice. It ends with
# the table of main results. A warning there is meant: 24 samples of 16 sites are few.

# %%
results = run(config, processes=1, quiet=True)

# %% [markdown]
# ## 4. Look
#
# As bonds are removed the stiffness falls faster than <-k_x>: by the sum rule the difference is spectral
# weight that moves from the superfluid delta function to finite frequency.

# %%
draw("scan", results)

# %%
draw("sigma", results)

# %% [markdown]
# The bar at a peak is the resolution there: here it is as wide as the peak itself, so nothing about its
# shape is known. Larger beta and more samples narrow it, slowly.
#
# ## 5. One page for the record
#
# The run has written `report.html` beside its data: figures, checks, configuration, provenance, in one file
# that opens anywhere. `report_of` makes it anew.

# %%
page = report_of(config.output.path)
print(f"{len(page) / 1e3:.0f} kB of HTML")

# %% [markdown]
# ## 6. Read it back
#
# Next: `reading_results.ipynb` on errors and checks, `continuation_trust.ipynb` on what a continued spectrum
# can and cannot say.

# %%
table = load(config.output.path).table("rho_s", "kappa", "minus_k", "energy")
print(table)
