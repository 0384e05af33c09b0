"""Maximum entropy by the convex dual, with damped Newton steps.

Minimised:  Q = chi^2/2 - alpha S,  chi^2 = |d - K x|^2,  S = sum_j [x_j - m_j - x_j ln(x_j/m_j)],
x_j = A(omega_j) weight_j, m_j = default model times weight. At the minimum x_j = m_j exp(k_j . y) with
alpha y = d - K x, so the unknown is y with one entry per whitened equation, and

    F(y) = sum_j m_j exp(k_j . y) + alpha |y|^2/2 - d . y

is strictly convex with gradient K x + alpha y - d and Hessian K diag(x) K^T + alpha. Newton with
backtracking therefore always converges: positivity is exact and no start value matters.

Evidence: ln P = -chi^2/2 + alpha S - ln det(1 + K diag(x) K^T/alpha)/2 (Gaussian expansion, measure
prod dx/sqrt(x); Skilling 1989; Jarrell and Gubernatis, Phys. Rep. 269, 133 (1996)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.jit import kernel, kernel_helper

MAX_STEPS = 200
MAX_EXPONENT_CHANGE = 3.0   # largest change of ln x in one step: keeps exp() in range far from the minimum
TOLERANCE = 1e-13           # on the Newton decrement of Q, relative to 1 + chi^2
ACCEPTABLE = 1e-5           # the same, when rounding stops the line search


@dataclass(frozen=True)
class MaxEntPoint:
    """Minimum at one alpha: y (m,), x (omega,), chi^2, entropy, effective parameters, ln evidence."""

    alpha: float
    y: Array
    x: Array
    chi2: float
    entropy: float
    n_effective: float
    log_evidence: float
    converged: bool


@kernel
def solve(K, d, m, alpha, y):  # type: ignore[no-untyped-def]
    """Return (y, x, converged) at one alpha, started from y (m,); K (m, omega), d (m,), m (omega,) > 0."""
    converged, n = False, d.size
    x = m * np.exp(np.minimum(y @ K, 600.0))
    for _ in range(MAX_STEPS):
        gradient = K @ x + alpha * y - d
        hessian = (K * x) @ K.T
        for i in range(n):
            hessian[i, i] += alpha
        step = -np.linalg.solve(hessian, gradient)
        slope = gradient @ step
        # -slope is twice the distance to the minimum of F, and Q = alpha F; alpha^2 |y|^2 tends to chi^2.
        distance = -slope * alpha / (1.0 + alpha**2 * (y @ y))
        if distance <= TOLERANCE:
            converged = True
            break
        change = step @ K
        t = min(1.0, MAX_EXPONENT_CHANGE / max(np.abs(change).max(), 1e-300))
        t = _step_length(d, alpha, y, x, step, change, slope, t)
        if t == 0.0:           # rounding level reached: no decrease of F can be measured any more
            converged = distance <= ACCEPTABLE
            break
        y = y + t * step
        x = x * np.exp(t * change)
    return y, x, converged


@kernel_helper
def _step_length(d, alpha, y, x, step, change, slope, t):  # type: ignore[no-untyped-def]
    """Return the step length by Armijo backtracking from t, 0 if F never falls.

    expm1 avoids the cancellation of differences of F.
    """
    yy, ys, ds = y @ step, step @ step, d @ step
    for _ in range(40):
        rise = alpha * (t * yy + 0.5 * t * t * ys) - t * ds
        for j in range(x.size):
            rise += x[j] * np.expm1(t * change[j])
        if rise <= 1e-4 * t * slope:
            return t
        t *= 0.5
    return 0.0


@kernel
def _scalars(K, d, m, alpha, y, x):  # type: ignore[no-untyped-def]
    """Return chi^2, entropy, number of effective parameters and ln evidence of one minimum."""
    residual = d - K @ x
    chi2 = residual @ residual
    # ln(x/m) = k . y exactly, so the entropy needs no logarithm of small numbers.
    entropy = np.sum(x - m) - x @ (y @ K)
    curvature = np.maximum(np.linalg.eigvalsh((K * x) @ K.T), 0.0)
    evidence = -0.5 * chi2 + alpha * entropy - 0.5 * np.sum(np.log1p(curvature / alpha))
    return chi2, entropy, np.sum(curvature / (curvature + alpha)), evidence


def describe(K: Array, d: Array, m: Array, alpha: float, y: Array, x: Array, converged: bool) -> MaxEntPoint:
    """Return one minimum with its scalars; K, d, m as in `solve`."""
    chi2, entropy, n_effective, evidence = _scalars(K, d, m, alpha, y, x)
    return MaxEntPoint(alpha, y, x, chi2, entropy, n_effective, evidence, converged)


def alpha_ladder(K: Array, m: Array, per_decade: int = 4, top: float = 1e12, bottom: float = 1e-2) -> Array:
    """Return descending alphas (n,), from `top` down to `bottom` over the weight of the default model.

    Entropy scales with the weight, so these bounds do not depend on units. `top` is raised where the
    curvature of the kernel is larger.
    """
    weight = float(m.sum())
    largest = float(np.einsum("ij,ij,j->", K, K, m)) * weight
    high = np.log10(max(top, 1e3 * largest))
    count = int(np.ceil((high - np.log10(bottom)) * per_decade)) + 1
    return np.logspace(high, np.log10(bottom), count) / weight


def scan(K: Array, d: Array, m: Array, alphas: Array) -> list[MaxEntPoint]:
    """Return one minimum per alpha, each started from the minimum at the previous, larger alpha.

    The scan ends early where alpha is so small that rounding spoils the minimum; the fit no longer changes
    there.
    """
    points: list[MaxEntPoint] = []
    K, d, m = (np.ascontiguousarray(a, dtype=float) for a in (K, d, m))
    y = np.zeros(len(d))
    for alpha in alphas:
        y, x, converged = solve(K, d, m, float(alpha), y)
        if not converged and len(points) >= 10:
            break
        points.append(describe(K, d, m, float(alpha), y, x, converged))
    return points


def functional_variance(K: Array, x: Array, alpha: float, G: Array) -> Array:
    """Return the variance (f,) of functionals G @ x, G (f, omega), Gaussian around the minimum at alpha.

    The Woodbury formula inverts alpha diag(1/x) + K^T K with an (m_eq, m_eq) matrix.
    """
    KX = K * x
    KXK = KX @ K.T
    KXK[np.diag_indices_from(KXK)] += alpha
    cross = KX @ G.T
    seen = np.einsum("ij,ij->j", cross, np.linalg.solve(KXK, cross))
    return np.asarray(np.maximum((G * G) @ x - seen, 0.0) / alpha)
