"""Method "rational": a rational function through Matsubara data, without a prior, as a cross-check.

In s = 2 sin(w_n eps/2)/eps (w_n for eps -> 0) the data are

    rho = rho_s + int d omega A(omega) (a/pi) coth(a/2) s^2/(s^2 + W^2),  a = eps omega,  W = 2 sinh(a/2)/eps,

analytic for Re s > 0, and at s = -i W + 0 the imaginary part is -omega A (for chi: +omega A) at any eps. A
barycentric form in s is built by the AAA algorithm (Nakatsukasa, Sete, Trefethen, SIAM J. Sci. Comput. 40,
A1494 (2018)): support points are added greedily where the misfit is largest in units of the error. The noise
test ends it: as soon as chi^2 is as small as noise makes it, a further pole would fit noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.kinds import EVEN_KINDS
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.method import Method
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.methods.refits import bootstrap_solution
from sitqmc.continuation.spectrum.solution import Solution

Complex = NDArray[np.complex128]
BROADENING = 0.02        # distance to the cut, relative to the frequency


def solve(problem: Problem) -> Solution:
    """Continue the barycentric form of the data; the band is a bootstrap with the covariance of the data.

    Negative parts are set to 0 in the reported spectrum, and the rest is scaled to fit.
    """
    data, grid, factor, white = problem.data, problem.grid, problem.factor, problem.whitened_data
    back, n = np.linalg.pinv(problem.equations.transform), data.grid.size

    def estimator(d: Array) -> Array:
        # Only the part of the noise that a spectrum can produce is added.
        noise = back @ np.append(d - white, np.zeros(len(back[0]) - len(d)))
        values = rational_spectrum(data, (problem.equations.vector + noise)[:n], grid.omega)[0]
        x = np.maximum(values, 0.0) * grid.weights * factor
        image = problem.kernel @ x
        square = float(image @ image)
        return x * max(float(image @ d) / square, 0.0) if square > 0 else x

    remark = "rational function: cut at 0 and scaled, its chi^2 is that of the form, not of a fit"
    return bootstrap_solution(problem, estimator, "rational function", (remark,))


@dataclass(frozen=True)
class Barycentric:
    """r(y) = sum w_j f_j/(y - y_j) / sum w_j/(y - y_j): support (k,), values (k,), weights (k,)."""

    support: Array
    values: Array
    weights: Array

    def __call__(self, y: Complex) -> Complex:
        """Return r at complex points (n,), none of them a support point."""
        cauchy = 1.0 / (y[:, None] - self.support)
        return np.asarray((cauchy @ (self.weights * self.values)) / (cauchy @ self.weights))


def aaa(y: Array, f: Array, errors: Array, max_support: int | None = None) -> tuple[Barycentric, float]:
    """Return a barycentric fit of real data and its chi^2 over the points that are not support points.

    The fit ends when chi^2 <= number of these points, or with half of the points as support.
    """
    limit = max_support or max(2, len(y) // 2)
    scale = max(float(y.max()), 1e-300)
    z = y / scale
    left = np.ones(len(y), dtype=bool)
    fit = np.full(len(y), float(np.average(f, weights=errors**-2.0)))
    chosen: list[int] = []
    chi2 = np.inf
    while True:
        misfit = np.where(left, np.abs(f - fit) / errors, -1.0)
        new = int(np.argmax(misfit))
        chosen.append(new)
        left[new] = False
        cauchy = 1.0 / (z[left][:, None] - z[chosen])
        loewner = (f[left][:, None] - f[chosen]) * cauchy / errors[left][:, None]
        weights = np.linalg.svd(loewner)[2][-1]
        result = Barycentric(z[chosen] * scale, f[chosen], weights)
        denominator = cauchy @ weights
        fit = f.copy()
        fit[left] = (cauchy @ (weights * f[chosen])) / np.where(denominator == 0.0, 1e-300, denominator)
        chi2 = float(np.sum(((f - fit) / errors)[left] ** 2))
        if chi2 <= left.sum() or len(chosen) >= limit:
            return result, chi2


def lattice_frequency(data: CorrelatorData) -> Array:
    """Return s (n_points,) of the data: 2 sin(w_n eps/2)/eps, or w_n in continuous time."""
    w = data.frequencies
    return w if data.eps is None else 2.0 * np.sin(0.5 * data.eps * w) / data.eps


def rational_spectrum(data: CorrelatorData, vector: Array, omega: Array) -> tuple[Array, int, float]:
    """Return (A (omega,), number of support points, chi^2) of a data vector; A may be negative."""
    variances = np.diag(data.covariance)
    errors = np.sqrt(np.maximum(variances, 1e-6 * variances.max()))
    form, chi2 = aaa(lattice_frequency(data), vector, errors)
    w = np.maximum(omega, 1e-3 * np.pi / data.beta)
    W = w if data.eps is None else 2.0 * np.sinh(0.5 * data.eps * w) / data.eps
    s: Complex = np.asarray(W * (BROADENING - 1j), dtype=np.complex128)
    sign = -1.0 if data.kind == "rho_iw" else 1.0
    values = sign * np.imag(form(s)) / w
    return np.asarray(values), len(form.support), chi2


MATSUBARA = tuple(kind for kind in EVEN_KINDS if kind.endswith("_iw"))
RATIONAL = Method("rational", "rational function through Matsubara data", solve, kinds=MATSUBARA)
