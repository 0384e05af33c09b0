"""Examples of `sitqmc`. Each cell names what it shows; it may use the cells above it."""

import numpy as np

from sitqmc import Config, Estimate, analyse_film, compare, draw, plan, run
from sitqmc.analytic import SYNTHETIC_FILMS, FilmSetup, synthetic_scan

# %% Estimate
rho_s = Estimate(0.30712, 0.0021)
print(rho_s)  # 0.3071(21)
print(f"{rho_s.scaled(2.0)} {rho_s.minus(Estimate(0.3, 0.001))}")

# %% Config
config = Config.of(
    L=4, beta=0.8, eps=0.1, charging=3.0, p=[0.0, 0.1], samples=4, path="results/tiny",
    schedule={"therm_sweeps": 20, "bins": 4},
    continuation={"method": "maxent", "omega_points": 40},
)  # fmt: skip
print(len(config.models), config.output.path)  # 2 results/tiny

# %% plan
print(plan(config, processes=1, trial_seconds=0.01))         # points, cost, memory and risk; writes nothing

# %% run
tiny = run(config, processes=1, report=False)                # a second call resumes, or finds it complete
p, rho_s_of_p, error = tiny.scan("rho_s")
print(p)  # [0.  0.1]
spectrum = tiny.point(p=0.1).spectrum    # with bands; `continuation={...}` has its options

# %% draw
figure = draw("rho_s", tiny)             # or "sigma", "rho", "scan", ...
figure.savefig("rho_s.png")

# %% compare [long]
film, rng = SYNTHETIC_FILMS["9.5K"], np.random.default_rng(1)
cold, normal = (synthetic_scan(film, t_k, rng) for t_k in (2.0, film.warm_k))
analysis = analyse_film(cold, FilmSetup(sample=film.sample, sigma_n=8000.0), film.tc_k, normal=normal)
print(compare(tiny, analysis, p=0.1))    # E_J, verdict; `sitqmc.compare(run, analysis)` finds the best p
