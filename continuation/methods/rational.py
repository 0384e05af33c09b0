"""A rational function through Matsubara data: continuation without any prior, as a cross-check.

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
from sitqmc.continuation.kernels.kernels import Array

Complex = NDArray[np.complex128]
BROADENING = 0.02        # distance to the cut, relative to the frequency


@dataclass(frozen=True)
class Barycentric:
    """r(y) = sum w_j f_j/(y - y_j) / sum w_j/(y - y_j): support (k,), values (k,), weights (k,)."""

    support: Array
    values: Array
    weights: Array

    def __call__(self, y: Complex) -> Complex:
        """r at complex points (n,), none of them a support point."""
        cauchy = 1.0 / (y[:, None] - self.support)
        return np.asarray((cauchy @ (self.weights * self.values)) / (cauchy @ self.weights))


def aaa(y: Array, f: Array, errors: Array, max_support: int | None = None) -> tuple[Barycentric, float]:
    """Barycentric fit of real data and its chi^2 over the points that are not support points.

    Ends when chi^2 <= number of these points, or with half of the points as support.
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
    """s of the grid (n_points,): 2 sin(w_n eps/2)/eps, or w_n in continuous time."""
    w = data.frequencies
    return w if data.eps is None else 2.0 * np.sin(0.5 * data.eps * w) / data.eps


def rational_spectrum(data: CorrelatorData, vector: Array, omega: Array) -> tuple[Array, int, float]:
    """(A (omega,), number of support points, chi^2) from one data vector (n_points,); may be negative."""
    if not data.is_matsubara:
        raise ValueError(f"kind {data.kind}: a rational fit needs Matsubara data, use sparse or maxent")
    variances = np.diag(data.covariance)
    errors = np.sqrt(np.maximum(variances, 1e-6 * variances.max()))
    form, chi2 = aaa(lattice_frequency(data), vector, errors)
    w = np.maximum(omega, 1e-3 * np.pi / data.beta)
    W = w if data.eps is None else 2.0 * np.sinh(0.5 * data.eps * w) / data.eps
    s: Complex = np.asarray(W * (BROADENING - 1j), dtype=np.complex128)
    sign = -1.0 if data.kind == "rho_iw" else 1.0
    values = sign * np.imag(form(s)) / w
    return np.asarray(values), len(form.support), chi2
