"""SpectralShape shapes of the log-Gaussian processes: seven families with a few parameters each.

Frequencies w are in units of the characteristic frequency of the data. Every family has parameters theta
that are standard normal a priori; `_parameters` defines them. A shape is the logarithm of

    background * threshold + C * peak + FLOOR,    background = exp(1 - (1 + (w/r)^2)^(q/2)),

q = 1 an exponential tail, q = 2 a Gaussian one; normalised so that the data have the right magnitude.
Derivatives are taken numerically: the parameters are few and the functions smooth.
"""

from __future__ import annotations

import numpy as np

from sitqmc.jit import kernel, kernel_helper

BROAD, PEAK, EDGE, PEAK_EDGE, DRUDE, POWER, TWO_PEAKS = range(7)
N_THETA = (2, 4, 4, 6, 4, 4, 7)
FLOOR = 1e-5           # the process can still raise the spectrum where a shape vanishes
STEP = 1e-4            # step of the numerical second derivatives

# Indices of the parameters in `_parameters`: width and power of the tail, height, position and width of a
# peak, position, softness and power of a threshold, width of a Drude peak, a second peak.
R, Q, C, P, S, E, D, K, G, C2, P2, S2 = range(12)
COUNT = 12

FIXED = -1                             # no family: `offset` alone is the logarithm of the base
EXPONENT_LIMIT = 600.0                 # bound of |ln x|: exp stays in range
_COUNTS = np.array(N_THETA)


@kernel_helper
def _parameters(family, theta, location, log_width, value, slope):  # type: ignore[no-untyped-def]
    """Fill value[COUNT], the parameters, and slope[COUNT, n_theta], their derivatives."""
    value[:] = np.array([2.5, 2.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    slope[:] = 0.0
    if family == 0:
        value[R], value[Q] = 1.2 * np.exp(0.8 * theta[0]), np.exp(0.4 * theta[1])
        slope[R, 0], slope[Q, 1] = 0.8 * value[R], 0.4 * value[Q]
        return
    moving = location * np.exp(log_width * theta[0])
    if family == 1 or family == 3:
        width = 0.15 if family == 1 else 0.10
        value[P], slope[P, 0] = moving, log_width * moving
        value[S] = moving * (0.02 + width * np.exp(0.7 * theta[1]))
        slope[S, 0], slope[S, 1] = log_width * value[S], 0.7 * (value[S] - 0.02 * moving)
        rate = 1.0 if family == 1 else 1.2
        value[C] = 10.0 * np.exp(rate * theta[2])
        slope[C, 2] = rate * value[C]
        last = 3 if family == 1 else 5
        value[R] = 2.5 * np.exp(0.6 * theta[last])
        slope[R, last] = 0.6 * value[R]
        if family == 3:
            value[Q] = 1.0
            beyond = 0.7 * np.exp(0.5 * theta[3])
            value[E] = moving * (1.0 + beyond)
            slope[E, 0], slope[E, 3] = log_width * value[E], 0.5 * beyond * moving
            value[D] = 0.1 * value[E] * np.exp(0.7 * theta[4])
            slope[D, 0], slope[D, 4] = log_width * value[D], 0.7 * value[D]
            slope[D, 3] = value[D] / value[E] * slope[E, 3]
        return
    if family == 6:
        value[P], slope[P, 0] = moving, log_width * moving
        value[S] = moving * (0.02 + 0.15 * np.exp(0.7 * theta[1]))
        slope[S, 0], slope[S, 1] = log_width * value[S], 0.7 * (value[S] - 0.02 * moving)
        value[C] = 20.0 * np.exp(1.2 * theta[2])
        slope[C, 2] = 1.2 * value[C]
        beyond = 1.2 * np.exp(0.6 * theta[3])
        value[P2] = moving * (1.0 + beyond)
        slope[P2, 0], slope[P2, 3] = log_width * value[P2], 0.6 * beyond * moving
        share = 0.02 + 0.15 * np.exp(0.7 * theta[4])
        value[S2] = value[P2] * share
        slope[S2, 0], slope[S2, 3] = share * slope[P2, 0], share * slope[P2, 3]
        slope[S2, 4] = 0.7 * (share - 0.02) * value[P2]
        value[C2] = 0.6 * value[C] * np.exp(theta[5])
        slope[C2, 2], slope[C2, 5] = 1.2 * value[C2], value[C2]
        value[R] = 4.0 * np.exp(0.6 * theta[6])
        slope[R, 6] = 0.6 * value[R]
        return
    if family == 2:
        value[E], slope[E, 0] = moving, log_width * moving
        value[D] = 0.06 * moving * np.exp(0.8 * theta[1])
        slope[D, 0], slope[D, 1] = log_width * value[D], 0.8 * value[D]
        value[R], slope[R, 2] = 1.2 * np.exp(0.7 * theta[2]), 0.7
    elif family == 4:
        value[G], slope[G, 0] = moving, log_width * moving
        value[C] = 10.0 * np.exp(1.2 * theta[1])
        slope[C, 1] = 1.2 * value[C]
        value[R], slope[R, 2] = 2.5 * np.exp(0.6 * theta[2]), 0.6
    else:
        value[E], slope[E, 0] = moving, log_width * moving
        value[K] = 3.0 * np.exp(0.5 * theta[1])
        slope[K, 1] = 0.5 * value[K]
        value[R], slope[R, 2] = 1.5 * np.exp(0.6 * theta[2]), 0.6
    slope[R, 2] *= value[R]
    value[Q] = np.exp(0.4 * theta[3])
    slope[Q, 3] = 0.4 * value[Q]


@kernel
def log_shape(family, theta, location, log_width, w, response, out, tangent):  # type: ignore[no-untyped-def]
    """Fill out (omega,) with the logarithm of the normalised shape; response @ exp(out) = 1.

    tangent    (omega, n_theta), filled with d out/d theta; an array without rows is left alone
    location, log_width  centre and logarithmic standard deviation of the position of the feature
    """
    n = theta.size
    v, slope, d = np.empty(COUNT), np.empty((COUNT, n)), np.zeros(COUNT)
    _parameters(family, theta, location, log_width, v, slope)
    r, q = v[R], v[Q]
    total, shift, wanted = 0.0, np.zeros(n), tangent.shape[0] > 0
    for j in range(w.size):
        x = w[j]
        ratio = (x / r) ** 2
        bend = 1.0 + ratio if q == 2.0 else (1.0 + ratio) ** (0.5 * q)
        plain = np.exp(max(1.0 - bend, -80.0))
        factor = 1.0
        if family == 2 or family == 3:
            z = min(max((x - v[E]) / v[D], -60.0), 60.0)
            factor = 1.0 / (1.0 + np.exp(-z))
            d[E] = -plain * factor * (1.0 - factor) / v[D]
            d[D] = d[E] * z
        elif family == 5:
            share = x * x / (x * x + v[E] ** 2)
            if share > 0.0:
                factor = share ** (0.5 * v[K])
                d[E] = -plain * factor * v[K] * (1.0 - share) / v[E]
                d[K] = 0.5 * plain * factor * np.log(share)
            else:
                factor, d[E], d[K] = 0.0, 0.0, 0.0
        value = plain * factor
        if bend < 81.0:
            d[R] = value * q * bend * ratio / (1.0 + ratio) / r
            d[Q] = -value * bend * 0.5 * np.log1p(ratio)
        else:
            d[R], d[Q] = 0.0, 0.0
        if family == 1 or family == 3 or family == 6:
            z = (x - v[P]) / v[S]
            d[C] = np.exp(-min(0.5 * z * z, 80.0))
            d[P] = v[C] * d[C] * z / v[S]
            d[S] = d[P] * z
            value += v[C] * d[C]
            if family == 6:
                z = (x - v[P2]) / v[S2]
                d[C2] = np.exp(-min(0.5 * z * z, 80.0))
                d[P2] = v[C2] * d[C2] * z / v[S2]
                d[S2] = d[P2] * z
                value += v[C2] * d[C2]
        elif family == 4:
            z = (x / v[G]) ** 2
            d[C] = 1.0 / ((1.0 + z) * np.sqrt(1.0 + z))
            d[G] = 3.0 * v[C] * d[C] * z / (1.0 + z) / v[G]
            value += v[C] * d[C]
        ground = FLOOR * np.exp(-min(x / (4.0 * r), 80.0))
        d[R] += ground * x / (4.0 * r * r)
        value += ground
        out[j] = np.log(value)
        total += response[j] * value
        if wanted:
            for i in range(n):
                change = 0.0
                for k in range(COUNT):
                    change += d[k] * slope[k, i]
                tangent[j, i] = change / value
                shift[i] += response[j] * change
    level = np.log(total)
    for j in range(w.size):
        out[j] -= level
        if wanted:
            for i in range(n):
                tangent[j, i] -= shift[i] / total


@kernel
def shape_hessian(family, theta, location, log_width, w, response, pull, tangent):  # type: ignore[no-untyped-def]
    """Return the second derivatives of pull @ log_shape, (n_theta, n_theta); tangent from log_shape."""
    n, moved, out = theta.size, theta.copy(), np.empty(w.size)
    shifted, second = np.empty((w.size, n)), np.empty((n, n))
    for i in range(n):
        moved[i] = theta[i] + STEP
        log_shape(family, moved, location, log_width, w, response, out, shifted)
        moved[i] = theta[i]
        for k in range(n):
            total = 0.0
            for j in range(w.size):
                total += pull[j] * (shifted[j, k] - tangent[j, k])
            second[i, k] = total / STEP
    return 0.5 * (second + second.T)


@kernel_helper
def theta_count(family):  # type: ignore[no-untyped-def]
    """Return the number of parameters of the base shape."""
    return 0 if family == FIXED else _COUNTS[family]


@kernel
def log_x(family, location, log_width, w, response, offset, Phi, c):  # type: ignore[no-untyped-def]
    """Return ln x (omega,) of the coefficients c = (theta, u): base shape + offset + Phi u.

    family, location, log_width, w, response  as in `log_shape`; family FIXED has no base shape
    offset (omega,), Phi (omega, rank)
    """
    k = theta_count(family)
    out = offset + Phi @ c[k:]
    if k:
        base = np.empty(w.size)
        log_shape(family, c[:k], location, log_width, w, response, base, np.empty((0, k)))
        out += base
    for j in range(out.size):
        out[j] = min(max(out[j], -EXPONENT_LIMIT), EXPONENT_LIMIT)
    return out


@kernel
def tangent(family, location, log_width, w, response, Phi, c):  # type: ignore[no-untyped-def]
    """Return d ln x/dc, (omega, size)."""
    k = theta_count(family)
    if k == 0:
        return Phi
    out = np.empty((w.size, c.size))
    slopes = np.empty((w.size, k))
    log_shape(family, c[:k], location, log_width, w, response, np.empty(w.size), slopes)
    out[:, :k] = slopes
    out[:, k:] = Phi
    return out


@kernel
def hessian_remainder(K, family, location, log_width, w, response, c, T, x, residual):  # type: ignore[no-untyped-def]
    """Return residual . K d^2 x/dc^2, (size, size), which Gauss-Newton neglects. T: tangent."""
    pull = x * (K.T @ residual)
    scaled = np.empty_like(T)
    for j in range(T.shape[0]):
        scaled[j] = pull[j] * T[j]
    out = T.T @ scaled
    k = theta_count(family)
    if k:
        slopes = T[:, :k].copy()
        out[:k, :k] += shape_hessian(family, c[:k], location, log_width, w, response, pull, slopes)
    return out
