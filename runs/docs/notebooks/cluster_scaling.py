# %% [markdown]
# # From a cluster to p_c: plan, submit, merge, finite-size analysis
#
# The first part shows the steps of a production run at sizes that take seconds. The second part determines
# p_c from **stored data** of a real run: sizes 8, 12, 16 with 400 disorder samples, action cosine, E_C/E_J
# = 3, eps = 0.1.

# %%
import tomllib
from pathlib import Path

import numpy as np

from sitqmc import runs
from sitqmc.qmc.finite_size.crossings import crossings
from sitqmc.runs import load
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.config import parse_config
from sitqmc.runs.jobs.plan import plan
from sitqmc.runs.results.figures.style import NotebookFigure
from sitqmc.runs.simulate.driver import run

# %% [markdown]
# ## 1. The configuration and its cost
#
# With disorder the correlation time grows like L^z with z about 1.5, so the number of slices must grow in
# the same way. `[target]` adds samples until the errors are reached.

# %%
text = """
[model]
action = "cosine"
eps = 0.1
charging = 3.0
L = {sizes}
L_tau = "2 * round(L**1.5)"
p = {p}
[disorder]
samples = {samples}
seed = {seed}
[schedule]
therm_sweeps = {therm}
bins = 16
measurements_per_bin = 8
[output]
path = "{path}"
"""
p_wanted = [0.26, 0.29, 0.31, 0.325, 0.337, 0.35, 0.37]
production = text.format(sizes=[8, 12, 16], p=p_wanted, samples=1000, seed=1, therm=500, path="results/sit")
Path("sit.toml").write_text(production)
print(plan(parse_config(tomllib.loads(production)), processes=64, trial_seconds=0.2))

# %% [markdown]
# ## 2. Submit
#
# `--dry-run` prints the script and submits nothing. At the time limit the job writes a checkpoint, stops
# and is requeued until the run is complete. A kill loses at most the work since the last checkpoint.

# %%
status = main(["submit", "sit.toml", "--nodes", "2", "--tasks", "32", "--time", "12:00:00", "--dry-run"])

# %% [markdown]
# ## 3. Merge
#
# Runs with different seeds are independent and may be pooled, because a stream of random numbers belongs to
# (seed, model, sample). Two tiny runs show it:

# %%
for seed in (1, 2):
    small = text.format(sizes=[4], p=[0.3], samples=12, seed=seed, therm=50, path=f"results/part{seed}")
    run(parse_config(tomllib.loads(small)), processes=1, quiet=True)
merged = main(["merge", "results/pool", "results/part1", "results/part2"])
for name in ("part1", "part2", "pool"):
    print(f"{name}: {load(f'results/{name}').table('rho_s')['samples'][0]} samples")

# %% [markdown]
# ## 4. p_c from crossings
#
# At a critical point the squared windings do not depend on the size, up to corrections. The stored data are
# rho_s and kappa of every sample, with W_x^2 = beta rho_s and W_tau^2 = kappa L^2/beta. To use a run of
# your own, take `load(folder).averages[i].samples["rho_s"]` for each point.

# %%
home = Path(runs.__file__).parent / "docs" / "notebooks" / "data"
with np.load(home / "diluted_transition.npz") as file:
    data = {name: file[name] for name in file.files}
L, p, beta = data["Lx"], data["p"], data["eps"] * data["L_tau"]
space = data["rho_s"] * beta[:, None]
time = data["kappa"] * (L**2 / beta)[:, None]

figure = NotebookFigure(figsize=(7.2, 3.2), dpi=130, layout="constrained")
shown = ((space, r"$W_x^2$"), (time, r"$W_\tau^2$"))
for axis, (values, label) in zip(figure.subplots(1, 2), shown, strict=True):
    for size, colour, mark in zip((8, 12, 16), ("#440154", "#21918c", "#b5de2b"), "os^", strict=True):
        here = size == L
        error = values[here].std(axis=1, ddof=1) / np.sqrt(values.shape[1])
        axis.errorbar(p[here], values[here].mean(axis=1), error, fmt=mark + "-", ms=3, lw=0.8, color=colour,
                      label=f"L = {size}")
    axis.set(xlabel="p", ylabel=label)
    axis.legend(frameon=False)
figure.shown()

# %%
found = {name: crossings(L, p, values, degree=3, shared=True)
         for name, values in (("W_x^2", space), ("W_tau^2", time))}
for name, pairs in found.items():
    for c in pairs:
        print(f"{name}: L = {c.sizes[0]:.0f} and {c.sizes[1]:.0f} cross at p = {c.coupling.value:.4f} "
              f"+- {c.coupling.error:.4f}, chi2/dof = {c.chi2:.1f}/{c.dof}", *c.warnings)

# %% [markdown]
# `shared=True` because the samples are nested in p: the bootstrap must resample them together, or the
# errors are wrong.
#
# W_x^2 crosses above p_c and W_tau^2 below, and both crossings approach p_c as sizes grow. The published
# value is 0.337 (Swanson et al., PRX 4, 021007 (2014)). No single crossing gives it, because L_tau = 2
# L^1.5 fixes the aspect ratio for one z, and the effective z of these sizes is smaller than 1.5.

# %%
above, below = found["W_x^2"][-1].coupling, found["W_tau^2"][-1].coupling
print(f"p_c between {below.value:.3f} +- {below.error:.3f} and {above.value:.3f} +- {above.error:.3f}")

# %% [markdown]
# With several aspect ratios z can be fitted, and p_c follows from both windings together, by
# `sitqmc.qmc.finite_size.collapse`, as in `benchmarks/critical.py`. [validation.md](../pages/validation.md)
# lists its results beside the published values.
