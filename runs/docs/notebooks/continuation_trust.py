# %% [markdown]
# # How far to trust a continued spectrum
#
# The data are **SYNTHETIC**: the truth and the noise are known. The call is the same as in a run. Three
# questions: does the band cover the truth, how fine is the resolution, and which features are not reliable?

# %%
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation import (
    CorrelatorData,
    Spectrum,
    consensus,
    continue_conductivity,
    current_kernel,
    sinh_grid,
    weight_bounds,
)
from sitqmc.runs.results.figures.style import NotebookFigure

Array = NDArray[np.float64]
Truth = Callable[[Array], Array]             # A(omega)

BETA, EPS, SAMPLES = 9.6, 0.1, 200
n = np.arange(49)                            # Matsubara numbers 0 .. L_tau/2
fine = sinh_grid(60.0, 1.0, 3000)
rng = np.random.default_rng(5)


def bump(w: Array, centre: float, width: float) -> Array:
    """Return a Gaussian of height one."""
    return np.asarray(np.exp(-0.5 * ((w - centre) / width) ** 2))


def one_peak(w: Array) -> Array:
    """Return a broad peak above a threshold, as in the superfluid."""
    return 0.06 * bump(w, 3.0, 0.9) + 0.02 * w**2 / (9 + w**2) * np.exp(-w / 6)


def two_peaks(w: Array) -> Array:
    """Return the broad peak with a narrow line below it."""
    return one_peak(w) + 0.08 * bump(w, 1.0, 0.12)


def made_samples(spectrum: Truth, noise: float) -> Array:
    """Return rho(i w_n) of SAMPLES synthetic disorder samples; noise: relative error of their mean."""
    clean = 0.35 + current_kernel(n, fine.omega, BETA, EPS) @ (fine.weights * spectrum(fine.omega))
    root = np.linalg.cholesky(np.exp(-np.abs(n[:, None] - n) / 5.0))     # neighbours share their noise
    return clean + noise * clean.max() * np.sqrt(SAMPLES) * rng.normal(size=(SAMPLES, n.size)) @ root.T


def blurred(truth: Truth, w: Array, resolution: Array) -> Array:
    """Return the truth averaged over a Gaussian as wide as the resolution at each frequency."""
    sigma = resolution[:, None] / (2 * np.sqrt(np.pi))                   # (int R)^2 / int R^2 = resolution
    rows = np.exp(-0.5 * ((w[:, None] - fine.omega) / sigma) ** 2) * fine.weights
    return rows @ truth(fine.omega) / rows.sum(axis=1)


def draw(spectrum: Spectrum, truth: Truth, title: str) -> NotebookFigure:
    """Draw truth, spectrum, band, and the truth blurred by the resolution."""
    figure = NotebookFigure(figsize=(5.2, 3.4), dpi=130, layout="constrained")
    axis, shown = figure.subplots(), spectrum.omega < 10
    w, (low, high) = spectrum.omega[shown], (edge[shown] for edge in spectrum.sigma_band())
    smeared = blurred(truth, w, spectrum.resolution[shown])
    axis.plot(w, 2 * np.pi * truth(w), color="0.35", lw=1, label="truth")
    axis.plot(w, 2 * np.pi * smeared, color="0.35", lw=1, ls=":", label="truth, blurred")
    axis.plot(w, spectrum.sigma[shown], color="#0072B2", label="continued")
    axis.fill_between(w, low, high, color="#0072B2", alpha=0.2, lw=0, label="68 % band")
    axis.axvspan(0, 1 / BETA, color="0.9", lw=0)
    axis.set(xlim=(0, 8), ylim=(0, None), title=title, xlabel=r"$\omega/E_J$")
    axis.set_ylabel(r"$\sigma\;/\;(4e^2/h)$")
    axis.legend(frameon=False)
    return figure


# %% [markdown]
# ## 1. A broad spectrum is recovered, and the band covers it
#
# At this size, a day on a workstation gives a relative noise of 0.1 % on rho(i w_n).

# %%
broad = continue_conductivity(made_samples(one_peak, 1e-3), BETA, eps=EPS)
low, high = broad.band()
inside = (one_peak(broad.omega) >= low) & (one_peak(broad.omega) <= high)
seen = (broad.omega > 1 / BETA) & (broad.omega < 8)
print(f"truth inside the 68 % band at {100 * inside[seen].mean():.0f} % of the frequencies below 8 E_J")
assert broad.stiffness is not None
print(f"rho_s = {broad.stiffness.value:.4f} +- {broad.stiffness.error:.4f}, truth 0.35")
draw(broad, one_peak, "one broad peak, noise 0.1 %")

# %% [markdown]
# The points of one spectrum are not independent. A band with 68 % coverage on average may miss a whole
# spectrum or contain all of it. `benchmarks/continuation.py` measures the coverage over many truths and
# draws.
#
# ## 2. The resolution: a narrow line becomes a broad peak
#
# The spectrum now has a line of width 0.12 at omega = 1. `resolution` is the width of the averaging kernel.

# %%
narrow = continue_conductivity(made_samples(two_peaks, 1e-3), BETA, eps=EPS)
for where in (0.5, 1.0, 3.0):
    print(f"omega = {where}: resolution {np.interp(where, narrow.omega, narrow.resolution):.2f} E_J")
draw(narrow, two_peaks, "a narrow line below, noise 0.1 %")

# %% [markdown]
# The line and the broad peak have merged. The dotted curve, the truth blurred by the resolution, is an upper
# limit: finer structure is certainly lost, but coarser structure may be wrong as well. An integral is more
# reliable than a shape, but its error relies on the prior too. Here the window ends in the valley between
# line and peak, which the data do not resolve, and the weight is too large by several errors:

# %%
weight = narrow.weight(0.0, 2.0)
exact = float(fine.weights[fine.omega <= 2] @ two_peaks(fine.omega[fine.omega <= 2]))
print(f"weight below 2 E_J: {weight.value:.4f} +- {weight.error:.4f}, truth {exact:.4f}")

# %% [markdown]
# ## 3. Bounds without any prior
#
# Linear programming over all non-negative spectra that fit the data gives bounds on the weight in a window.
# They hold without any assumption about smoothness, and contain the truth. They are wider than the error
# above, which was too small because the prior expects a smoother spectrum.

# %%
table = made_samples(two_peaks, 1e-3)
data = CorrelatorData.from_samples(table, kind="rho_iw", beta=BETA, grid=n, eps=EPS)
bounds = weight_bounds(data, 0.0, 2.0)
print(f"between {bounds.lower:.4f} and {bounds.upper:.4f} at {100 * bounds.probability:.0f} %")

# %% [markdown]
# ## 4. Several methods on the same data
#
# The methods share data and covariance, but not the prior and not the algorithm. Where they disagree, the
# data do not determine the spectrum. Here all methods agree, and all miss the line: **agreement is no
# proof**. They share the kernel and the information that it loses.

# %%
both = consensus(data)
print(both.verdict())
figure = NotebookFigure(figsize=(5.2, 3.4), dpi=130, layout="constrained")
axis = figure.subplots()
axis.plot(both.omega, 2 * np.pi * two_peaks(both.omega), color="0.35", lw=1, label="truth")
for (name, spectrum), style in zip(both.spectra.items(), ("-", "--", "-.", ":", (0, (1, 3))), strict=False):
    axis.plot(spectrum.omega, spectrum.sigma, ls=style, lw=1, label=name)
axis.set(xlim=(0, 8), ylim=(0, 1), xlabel=r"$\omega/E_J$", ylabel=r"$\sigma\;/\;(4e^2/h)$")
axis.legend(frameon=False)
figure.shown()

# %% [markdown]
# ## 5. What is not reliable
#
# * **Structure narrower than `resolution`**, in width or in distance from the next structure.
# * **Frequencies below T** (grey). The prior determines the dc value; `midpoint_conductivity` comes from
#   the data.
# * **The height of a peak** narrower than the resolution. Only its area is known.
# * **A gap.** A band that touches zero does not prove that the spectrum vanishes. Use `weight_bounds` on
#   the window, or the decay of G(tau), `lowest_excitation`, for a pair gap.
# * **A second peak that only one method shows.** `rational` and `sparse` ring at sharp edges.
# * **Errors from few samples.** With fewer than about 3 samples per component the covariance is unknown. The
#   result then carries a warning, and a report shows it first.
#
# Ten times less noise costs a hundred times the work. The same spectrum now shows two peaks at the right
# positions; the narrow peak is still too low and too broad.

# %%
better = continue_conductivity(made_samples(two_peaks, 1e-4), BETA, eps=EPS)
for peak in sorted(better.peaks(limit=2), key=lambda peak: peak.position.value):
    print(f"peak at {peak.position.value:.2f} +- {peak.position.error:.2f}, width {peak.width:.2f}; "
          f"height {2 * np.pi * peak.height.value:.2f} +- {2 * np.pi * peak.height.error:.2f}")
heights = 2 * np.pi * two_peaks(np.array([1.0, 3.0]))
print(f"truth: peaks at 1 and 3, heights {heights[0]:.2f} and {heights[1]:.2f}")
draw(better, two_peaks, "a narrow line below, noise 0.01 %")
