"""Compiled search for the mode of a log-Gaussian process by damped Newton steps.

The functions work on bare arrays and release the lock of the interpreter, so that threads search under
several priors at once. Arguments of a prior are those of `shapes.log_x`.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.methods.gaussian_process.shapes import hessian_remainder, log_x, tangent, theta_count
from sitqmc.jit import kernel, kernel_helper

FULL_BELOW = 0.5                       # gain of a Gauss-Newton step below which full steps begin
CORRECTIONS = 4                        # of the residual, after a step
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


@kernel_helper
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


@kernel_helper
def _target(residual, noise, deviation):  # type: ignore[no-untyped-def]
    return 0.5 * (residual @ residual) / noise + 0.5 * (deviation @ deviation)


@kernel_helper
def gauss_newton_step(J, JJ, residual, deviation, noise, damping):  # type: ignore[no-untyped-def]
    """Return -(J^T J/noise + 1 + damping)^(-1) gradient, solved in the space of the data.

    J (m, n), JJ = J J^T; gradient = deviation - J^T residual/noise
    """
    s = 1.0 + damping
    A = JJ.copy()
    for i in range(residual.size):
        A[i, i] += s * noise
    solution, _ = solve_positive(A, residual + J @ deviation / s)
    return J.T @ solution - deviation / s


@kernel
def newton_minimise(  # type: ignore[no-untyped-def]
    K, d, family, location, log_width, w, response, offset, Phi, c, centre, noise, tolerance, steps
):
    """Return (c, x) at the minimum of |d - K x|^2/(2 noise) + |c - centre|^2/2, started from c.

    At low noise the minimum lies in a narrow curved valley. Gauss-Newton steps in the space of the data move
    along it; after every step, corrections with the same derivatives bring the residual back to its linear
    prediction, else steps would have to be as short as the valley is narrow. Where such steps gain little,
    steps with the full Hessian end the search. The damping grows until the target falls, so that the search
    cannot fail. It ends when the expected decrease of an undamped step, or the decrease of several steps,
    is below `tolerance`.
    """
    k, n = theta_count(family), c.size
    x = np.exp(log_x(family, location, log_width, w, response, offset, Phi, c))
    residual = d - K @ x
    target, damping, slow, full = _target(residual, noise, c - centre), 0.0, 0, False
    H, remainder = np.empty((0, 0)), np.empty((0, 0))
    for _ in range(steps):
        T = tangent(family, location, log_width, w, response, Phi, c)
        J = (K * x) @ T
        JJ = J @ J.T
        gradient = c - centre - J.T @ (residual / noise)
        if full:
            H = J.T @ J / noise
            for a in range(n):
                H[a, a] += 1.0
            remainder = hessian_remainder(K, family, location, log_width, w, response, c, T, x, residual)
            remainder /= noise
        moved, decrease, new_target = False, 0.0, target
        for _ in range(MAX_TRIALS):
            if full:
                step = damped_step(H, remainder, damping, gradient)
            else:
                step = gauss_newton_step(J, JJ, residual, c - centre, noise, damping)
            decrease = -(gradient @ step) - 0.5 * damping * (step @ step)
            t = min(1.0, MAX_EXPONENT_CHANGE / max(np.abs(T @ step).max(), 1e-300))
            for a in range(k):
                t = min(t, MAX_SHAPE_CHANGE / max(abs(step[a]), 1e-300))
            new_c = c + t * step
            new_x = np.exp(log_x(family, location, log_width, w, response, offset, Phi, new_c))
            new_residual = d - K @ new_x
            new_target = _target(new_residual, noise, new_c - centre)
            predicted = residual - t * (J @ step)
            for _ in range(CORRECTIONS):
                A = JJ.copy()
                for a in range(d.size):
                    A[a, a] += noise
                solution, _ = solve_positive(A, new_residual - predicted)
                moved_c = new_c + J.T @ solution
                moved_x = np.exp(log_x(family, location, log_width, w, response, offset, Phi, moved_c))
                moved_residual = d - K @ moved_x
                moved_target = _target(moved_residual, noise, moved_c - centre)
                if not moved_target < new_target - 1e-3 * tolerance:
                    break
                new_c, new_x, new_residual, new_target = moved_c, moved_x, moved_residual, moved_target
            if new_target < target - 1e-4 * t * decrease:
                damping = 0.0 if damping < MIN_DAMPING else damping / 5.0
                moved = True
                break
            if damping == 0.0 and decrease < tolerance:
                return c, x
            damping = max(8.0 * damping, MIN_DAMPING)
        if not moved:
            if full:
                return c, x
            full, damping = True, 0.0
            continue
        gain = target - new_target
        slow = slow + 1 if gain < tolerance else 0
        c, x, residual, target = new_c, new_x, new_residual, new_target
        if slow == PATIENCE or (slow > 0 and damping == 0.0 and decrease < tolerance):
            break
        if not full and gain < FULL_BELOW:
            full, damping = True, 0.0
    return c, x
