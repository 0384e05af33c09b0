# %% [markdown]
# # From a THz scan to the excess conductivity of a superconducting film
#
# Input: transmission |t| and phase theta of a thin film on a substrate, relative to the empty path, above
# Tc and cold, and if possible a tunnelling curve. This notebook answers: does a plain BCS film describe the
# cold scan? If not, what is the excess conductivity sigma_H, where is its peak, where is sigma1 smallest
# (Omega), how large are the superfluid density and the missing spectral weight, and does a simulated
# sigma(omega) agree?
#
# The notebook runs with a bundled film. **The bundled films are SYNTHETIC: computer-made scans of known
# truth.**

# %%
from csv import DictReader
from pathlib import Path

import numpy as np

from sitqmc.analytic import (
    Background,
    ExcessConductivity,
    FilmAnalysis,
    FilmOnSubstrate,
    FilmSetup,
    Instrument,
    MountPriors,
    Substrate,
    TheoryCurve,
    analyse_film,
    compare,
    excess,
    excess_peak,
    film_stiffness_mev,
    fit_film,
    fit_normal,
    fit_superconductor,
    fit_tunnelling,
    instrument_variations,
    invert_resonance_bands,
    invert_scan,
    line_through_origin,
    mev_to_thz,
    missing_weight,
    omega_minimum,
    penetration_depth_nm,
    superfluid,
)
from sitqmc.estimate import Estimate
from sitqmc.runs.formats.films import bundled_films
from sitqmc.runs.formats.measured.read import read_scan, read_tunnelling
from sitqmc.runs.results.figures.film import (
    draw_comparison,
    draw_correlation,
    draw_excess,
    draw_film_fit,
    draw_pairs,
    draw_scans,
    draw_tunnelling,
    draw_weight_line,
)

rng = np.random.default_rng(1)               # bootstrap intervals are the same in every run

# %% [markdown]
# ## 1. Your files
#
# Set the three paths of the next cell to your own text files. A scan looks like this:
#
#     # temperature [K]: 2.0
#     nu [THz]  t  t_error  theta [rad]  theta_error [rad]
#     0.100     0.1312  0.0007  1.201  0.004
#
# * Required: the temperature, and one line of column names with units. Other lines `# name: value` are kept
#   as notes; `# synthetic: yes` marks computer-made data.
# * Frequency in THz, GHz, cm^-1, meV or K, or a wavelength; `t` (field) or `T` (power), also in % or dB, or
#   `re_t` and `im_t`; `theta` in rad or deg. Separator, decimal comma and encoding are found by content.
# * Standard errors `t_error` (or `T_error`) and `theta_error`, best from repeated scans. Without them they
#   are estimated from the scatter of the points, and `scan.notes` says so.
# * A tunnelling curve has the columns `bias [mV]  didv  didv_error`.
# * A file without header: `read_scan(path, columns=["nu [GHz]", "T", "theta [deg]"], t_k=2.0)`.
#
# A missing or wrong entry gives one line with the name of the file and the line or column.

# %%
folder = bundled_films()                     # your folder: Path("/where/your/files/are")
cold_file = folder / "5.0K_cold.txt"
normal_file = folder / "5.0K_normal.txt"
tunnelling_file = folder / "5.0K_tunnelling.txt"
tc_k = 5.0                                   # critical temperature in K

cold, normal = read_scan(cold_file), read_scan(normal_file)
curve = read_tunnelling(tunnelling_file)
for scan in (cold, normal):
    print(f"{scan.t_k:g} K, {scan.nu_thz.size} points, {scan.nu_thz[0]:g}-{scan.nu_thz[-1]:g} THz,",
          "SYNTHETIC" if scan.synthetic else "measured", *scan.notes)

# %% [markdown]
# Thicknesses, the substrate and the period of standing waves are known before the fit. `priors` gives their
# standard deviations. These uncertainties enter every error below.

# %%
plate = Substrate(thickness_um=1000.3, index=3.097, dispersion=0.012, loss=8e-4)
guess = FilmSetup(sample=FilmOnSubstrate(film_nm=20.0, substrate=plate),
                  sigma_n=2000.0,            # ohm^-1 cm^-1, a first guess
                  instrument=Instrument(standing_period_thz=0.13))
priors = MountPriors(leak=1e-3)

# %% [markdown]
# ## 2. Look at |t| and theta
#
# Expect the fringes of the substrate (spacing c/2nd), a cold film that transmits less at low frequency, and a
# smooth phase. The figure subtracts a straight line from theta.

# %%
draw_scans([cold, normal])

# %% [markdown]
# ## 3. The gap from tunnelling
#
# The model is the Dynes density of states with thermal broadening and a smooth background.

# %%
tunnelling = fit_tunnelling(curve)
print(tunnelling.report())
draw_tunnelling(curve, tunnelling)

# %% [markdown]
# ## 4. The normal state calibrates the mount
#
# Above Tc the film is a Drude metal. This fit determines sigma_n, the substrate and the path of the cold
# scan. If the fit is rejected, do not continue: look for a wrong substrate index, standing waves or too
# small errors.

# %%
calibration = fit_normal(normal, guess, tc_k, priors=priors.of_setup())
print(calibration.report())
draw_film_fit(normal, calibration, "Normal state (Drude)")

# %% [markdown]
# The figure shows which parameters are correlated. sigma_n and the film thickness are, because transmission
# measures their product.

# %%
draw_correlation(calibration.fit)

# %% [markdown]
# ## 5. Does a plain BCS film describe the cold scan?
#
# |t| and theta are fitted together, with the gap as the only free parameter (routine 1 of the paper). Read
# the quality of the fit before the gap: `gaps_mev()` raises an error if the model is rejected.

# %%
mount = calibration.setup
plain = fit_superconductor(cold, mount, tc_k)
print(plain.report())
draw_film_fit(cold, plain, "Plain superconductor")

# %% [markdown]
# The fit is rejected: this film is no plain BCS film. For comparison, the next cell fits a weakly
# disordered film (Tc = 9.5 K, SYNTHETIC). Its normal and cold scans are fitted together with the same mount
# and substrate. The gap of this film may be quoted.

# %%
weak_scans = [read_scan(bundled_films() / f"9.5K_{kind}.txt") for kind in ("normal", "cold")]
weak = fit_film(weak_scans, guess, 9.5, free=("sigma_n", "path_um"), priors=priors.of_setup())
two_delta = weak.gaps_mev()[1].scaled(2)
print(weak.fit.quality.text)
print(f"2 Delta = {two_delta} meV = {mev_to_thz(two_delta.value):.4f} THz")
draw_film_fit(weak_scans, weak, "Joint fit, weakly disordered film")

# %% [markdown]
# ## 6. sigma1 and sigma2 without a model
#
# `invert_resonance_bands` gives one pair (sigma1, sigma2) for each resonance of the substrate, from Fresnel
# optics alone (routine 2 of the paper). Exact inversion gives more points with more noise.
# The background is the BCS film with the gap from tunnelling.

# %%
variations = instrument_variations(calibration)   # mounts one standard deviation off: systematic errors
pairs, points = invert_resonance_bands(cold, mount, variations), invert_scan(cold, mount, variations)
background = Background(setup=mount, delta_mev=tunnelling.delta_mev.value, t_k=cold.t_k)
draw_pairs(pairs, background)

# %% [markdown]
# ## 7. Excess conductivity sigma_H, Omega and the peak
#
# sigma_H is the measured sigma1 minus the sigma1 of the background. Omega is the frequency of the smallest
# sigma1 below the gap. The intervals are 68 % bootstrap intervals.

# %%
below_gap = (float(cold.nu_thz[0]), float(mev_to_thz(2 * background.delta_mev)))
omega = omega_minimum(points, below_gap, rng)
peak = excess_peak(excess(points, background), below_gap, rng)
for name, place in (("Omega", omega), ("peak of sigma_H", peak)):
    print(f"{name} = {place.value:.3f} THz, interval {place.low:.3f}-{place.high:.3f} THz")
draw_excess(pairs, background, excess(pairs, background), omega, peak, plain.fit.quality)

# %% [markdown]
# ## 8. Superfluid density from sigma2, checked by Kramers and Kronig
#
# omega sigma2 is extrapolated to zero frequency after the contribution of the measured excess is removed. The
# extrapolation is meaningful only if sigma1 and sigma2 belong together; the Kramers-Kronig check says whether
# they do.

# %%
fluid = superfluid(points, background, (0.08, 0.8))
density = fluid.omega_sigma2_mev
stiffness_mev = film_stiffness_mev(density.value, mount.sample.film_nm)
depth_nm = penetration_depth_nm(density.value)
share = density.error / density.value
print("Kramers-Kronig:", fluid.consistent.text)
print(f"lim hbar omega sigma2 = {density} meV/(ohm cm)")
print(f"stiffness of the film = {stiffness_mev:.4g} meV; thickness and mount leave {100 * share:.1f} %")
print(f"penetration depth = {depth_nm:.4g} nm")

# %% [markdown]
# ## 9. Missing spectral weight
#
# The weight that sigma1 loses below Tc goes to the superfluid: N = (pi/2) rho_s (Ferrell, Glover, Tinkham).
# The background model extends the integral beyond the measured window.

# %%
weight = missing_weight(points, background)
print(f"N = {weight.window} measured, {weight.extended} meV/(ohm cm) "
      f"extended; {100 * weight.share:.0f} % of it was measured")
print(f"N / rho_s = {weight.extended.value / density.value:.3f}, sum rule: {np.pi / 2:.3f}")

# %% [markdown]
# ## 10. Several films: N against rho_s
#
# `analyse_film` performs all steps above in one call, here for the four SYNTHETIC films. The normal scan or
# the tunnelling curve may be missing; the notes of the result then say what was assumed instead. N and
# rho_s share the error of the film thickness, which moves a point along the line, so chi^2 is small here.

# %%
def analyse(name: str, tc: float) -> FilmAnalysis:
    """Analyse one bundled film."""
    files = [bundled_films() / f"{name}_{kind}.txt" for kind in ("cold", "normal", "tunnelling")]
    return analyse_film(read_scan(files[0]), guess, tc, rng, normal=read_scan(files[1]),
                        tunnelling=read_tunnelling(files[2]), priors=priors)


films = {f"Tc = {tc} K": analyse(f"{tc}K", tc) for tc in (9.5, 6.7, 5.0, 4.2)}
densities = [f.superfluid.omega_sigma2_mev for f in films.values()]
weights = [f.weight.extended for f in films.values()]
line = line_through_origin(
    np.array([d.value for d in densities]), np.array([d.error for d in densities]),
    np.array([w.value for w in weights]), np.array([w.error for w in weights]))
for name, film in films.items():
    print(f"{name}\n{film.report()}\n")
draw_weight_line(films, line)

# %% [markdown]
# ## 11. Comparison with a simulation
#
# `sitqmc run` writes sigma.csv (omega in E_J, sigma in 4e^2/h, 68 % band) and averages.csv (rho_s in E_J).
# Set `run_folder` to the output folder of a run and `point` to one of its points. Without a run, the
# notebook uses an **invented resonance**: it shows the steps and is no result of a simulation.

# %%
run_folder: Path | None = None               # Path("results/my-run")
point = 0


def read_theory(run: Path, point: int) -> TheoryCurve:
    """Return the regular part of sigma(omega) and rho_s of one point of a run."""
    with open(run / "sigma.csv", encoding="utf-8") as file:
        rows = [r for r in DictReader(file) if int(r["point"]) == point and float(r["omega"]) > 0]
    with open(run / "averages.csv", encoding="utf-8") as file:
        rho_s = [float(r["mean"]) for r in DictReader(file)
                 if int(r["point"]) == point and r["observable"] == "rho_s"]
    if not rows or not rho_s:
        raise ValueError(f"{run}: no sigma(omega) or no rho_s of point {point}")
    column = {name: np.array([float(r[name]) for r in rows])
              for name in ("omega", "sigma_over_sigma_Q", "low_68", "high_68")}
    return TheoryCurve(omega=column["omega"], sigma=column["sigma_over_sigma_Q"],
                       error=(column["high_68"] - column["low_68"]) / 2, rho_s=rho_s[0])


def made_up_theory() -> TheoryCurve:
    """Return a resonance at omega = E_J, 0.3 E_J wide; it is not a simulation."""
    w = np.linspace(0.02, 12.0, 1200)
    sigma = 0.25 * (0.3 * w) ** 2 / ((1 - w**2) ** 2 + (0.3 * w) ** 2)
    return TheoryCurve(omega=w, sigma=sigma, error=0.03 * sigma, rho_s=0.3)


theory = made_up_theory() if run_folder is None else read_theory(run_folder, point)

# %% [markdown]
# The comparison uses the points below the gap; E_J is free, and the amplitude has a wide prior. For a film
# that is one array, E_J follows from the stiffness instead (`e_j_mev=...`), and nothing is free. The two
# values of E_J differ much for this SYNTHETIC film and the invented resonance; agreement of the shapes alone
# then proves little.

# %%
everywhere = excess(points, background)
keep = everywhere.nu_thz < below_gap[1]
sigma_h = ExcessConductivity(nu_thz=everywhere.nu_thz[keep], sigma_h=everywhere.sigma_h[keep],
                 covariance=everywhere.covariance[np.ix_(keep, keep)])
stiffness = Estimate(stiffness_mev, stiffness_mev * share)
agreement = compare(theory, sigma_h, mount.sample.film_nm, amplitude=Estimate(1.0, 100.0),
                    film_stiffness_mev=stiffness)
print(agreement.report())
draw_comparison(theory, sigma_h, agreement, mount.sample.film_nm)
