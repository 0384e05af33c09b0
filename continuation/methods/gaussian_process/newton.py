"""Compiled search for the mode of a log-Gaussian process by damped Newton steps.

The functions work on bare arrays and release the lock of the interpreter, so that threads search under
several priors at once. Arguments of a prior are those of `shapes.log_x`.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.methods.gaussian_process.shapes import hessian_remainder, log_x, tangent, theta_count
from sitqmc.jit import kernel

GAUSS_NEWTON_STEPS = 3                 # better than full steps far from the minimum
MAX_TRIALS = 12                        # of the damping, per step
MIN_DAMPING = 0.03
PATIENCE = 4                           # steps without a gain before the search ends
MAX_EXPONENT_CHANGE = 2.0
MAX_SHAPE_CHANGE = 0.7                 # of a shape parameter in one step, in standard deviations


@kernel
def solve_positive(M, b):  # type: ignore[no-untyped-def]
    """Solve M z = b by Cholesky, M (n, n) symmetric and overwritten; return (z, whether M is positive).

    Rows below the pivot are updated one by one, which the compiler vectorises.
    """
    n, z = b.size, b.copy()
    for k in range(n):
        if not M[k, k] > 0.0:
            return z, False
        pivot = 1.0 / np.sqrt(M[k, k])
        for j in range(k, n):
            M[k, j] *= pivot
        for i in range(k + 1, n):
            factor = M[k, i]
            for j in range(i, n):
                M[i, j] -= factor * M[k, j]
        z[k] *= pivot
        for j in range(k + 1, n):
            z[j] -= M[k, j] * z[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            z[k] -= M[k, j] * z[j]
        z[k] /= M[k, k]
    return z, True


@kernel
def damped_step(H, remainder, damping, gradient):  # type: ignore[no-untyped-def]
    """Return -(H - remainder + damping)^(-1) gradient, without `remainder` if that matrix is not positive."""
    n = gradient.size
    for attempt in range(2):
        M = H - remainder if attempt == 0 else H.copy()
        for i in range(n):
            M[i, i] += damping
        solution, positive = solve_positive(M, gradient)
        if positive:
            return -solution
    largest = 0.0
    for i in range(n):
        largest = max(largest, abs(H[i, i]))
    return -gradient / largest


@kernel
def _target(residual, noise, deviation):  # type: ignore[no-untyped-def]
    return 0.5 * (residual @ residual) / noise + 0.5 * (deviation @ deviation)


@kernel
def newton_minimise(  # type: ignore[no-untyped-def]
    K, d, family, location, log_width, w, response, offset, Phi, c, centre, noise, tolerance, steps
):
    """Return (c, x) at the minimum of |d - K x|^2/(2 noise) + |c - centre|^2/2, started from c.

    Damped Newton: the first steps use the Gauss-Newton part of the Hessian, later steps the full Hessian
    where it is positive; at low noise the minimum lies in a narrow curved valley, where Gauss-Newton steps
    converge slowly. The damping grows until the target falls, so that the search cannot fail. It ends when
    the expected decrease of an undamped step, or the decrease of several steps, is below `tolerance`.
    """
    k, n = theta_count(family), c.size
    x = np.exp(log_x(family, location, log_width, w, response, offset, Phi, c))
    residual = d - K @ x
    target, damping, slow = _target(residual, noise, c - centre), 0.0, 0
    for i in range(steps):
        T = tangent(family, location, log_width, w, response, Phi, c)
        J = (K * x) @ T
        gradient = c - centre - J.T @ (residual / noise)
        H = J.T @ J / noise
        for a in range(n):
            H[a, a] += 1.0
        remainder = np.zeros((n, n))
        if i >= GAUSS_NEWTON_STEPS:
            remainder = hessian_remainder(K, family, location, log_width, w, response, c, T, x, residual)
            remainder /= noise
        moved, decrease, new_target = False, 0.0, target
        for _ in range(MAX_TRIALS):
            step = damped_step(H, remainder, damping, gradient)
            decrease = -(gradient @ step) - 0.5 * damping * (step @ step)
            t = min(1.0, MAX_EXPONENT_CHANGE / max(np.abs(T @ step).max(), 1e-300))
            for a in range(k):
                t = min(t, MAX_SHAPE_CHANGE / max(abs(step[a]), 1e-300))
            new_c = c + t * step
            new_x = np.exp(log_x(family, location, log_width, w, response, offset, Phi, new_c))
            new_residual = d - K @ new_x
            new_target = _target(new_residual, noise, new_c - centre)
            if new_target < target - 1e-4 * t * decrease:
                damping = 0.0 if damping < MIN_DAMPING else damping / 5.0
                moved = True
                break
            if damping == 0.0 and decrease < tolerance:
                return c, x
            damping = max(8.0 * damping, MIN_DAMPING)
        if not moved:
            return c, x
        slow = slow + 1 if target - new_target < tolerance else 0
        c, x, residual, target = new_c, new_x, new_residual, new_target
        if slow == PATIENCE or (slow > 0 and damping == 0.0 and decrease < tolerance):
            break
    return c, x
