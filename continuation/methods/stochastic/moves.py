"""Compiled Metropolis moves of stochastic continuation."""

from __future__ import annotations

import numpy as np

from sitqmc.jit import kernel, kernel_helper

FEW = 4                  # trials of the weight, the edge and the edge weight in a sweep
LAST_EDGE = 0.999        # share of the measure that may lie below the edge

# Entries of `scalars`: total weight, share of the measure below the edge, share of the weight at the edge.
WEIGHT, EDGE, EDGE_WEIGHT = range(3)
# Entries of `steps` and of the counts of accepted moves in `sweep`.
COORDINATE, AMPLITUDE, EDGE_MOVE, EDGE_WEIGHT_MOVE = range(4)


@kernel
def grid_index(u, edge, cumulative_model):  # type: ignore[no-untyped-def]
    """Return the grid index of the coordinate u above an edge."""
    return min(np.searchsorted(cumulative_model, edge + (1.0 - edge) * u), cumulative_model.size - 1)


@kernel_helper
def residual_of(K, d, sites, shares, scalars, cumulative_model):  # type: ignore[no-untyped-def]
    """Return d - K x (m,) of a configuration."""
    out, body = d.copy(), scalars[WEIGHT] * (1.0 - scalars[EDGE_WEIGHT])
    for i in range(sites.size):
        for k in range(d.size):
            out[k] -= body * shares[i] * K[k, sites[i]]
    if scalars[EDGE_WEIGHT] > 0.0:
        node = grid_index(0.0, scalars[EDGE], cumulative_model)
        for k in range(d.size):
            out[k] -= scalars[WEIGHT] * scalars[EDGE_WEIGHT] * K[k, node]
    return out


@kernel_helper
def _shift(K, residual, old, new, amount, theta, rng):  # type: ignore[no-untyped-def]
    """Try to move `amount` of weight from node old to node new; return whether it moved."""
    change = 0.0
    for k in range(residual.size):
        step = amount * (K[k, old] - K[k, new])
        change += step * (step + 2.0 * residual[k])
    if change > 0.0 and rng.random() >= np.exp(-0.5 * change / theta):
        return False
    for k in range(residual.size):
        residual[k] += amount * (K[k, old] - K[k, new])
    return True


@kernel_helper
def _accepted(trial, residual, theta, rng):  # type: ignore[no-untyped-def]
    """Decide by Metropolis between two residuals."""
    change = 0.5 * (trial @ trial - residual @ residual) / theta
    return change <= 0.0 or rng.random() < np.exp(-change)


@kernel
def sweep(  # type: ignore[no-untyped-def]
    K, d, u, sites, shares, scalars, cumulative_model, expected, theta, steps, stretch, edge, free, counts,
    rng,
):
    """Make one sweep and return chi^2.

    K                 (m, omega)
    cumulative_model  (omega,) cumulative measure in (0, 1]
    u, sites, shares  (n,) coordinates, their grid nodes, amplitudes of sum 1
    scalars           (3,) see WEIGHT, EDGE, EDGE_WEIGHT
    expected          centre of the prior of the weight; stretch: step of its logarithm
    steps, counts     (4,) sizes and accepted moves of coordinates, amplitudes, edge and edge weight
    edge              0 open, 1 threshold, 2 peak; free: whether amplitudes move
    """
    n = u.size
    # Recomputed in every sweep: rounding cannot accumulate.
    residual = residual_of(K, d, sites, shares, scalars, cumulative_model)
    body = scalars[WEIGHT] * (1.0 - scalars[EDGE_WEIGHT])
    for i in range(n):
        # Both moves are symmetric in u, which is uniform a priori and periodic for convenience.
        v = rng.random() if rng.random() < 0.2 else u[i] + steps[COORDINATE] * (2.0 * rng.random() - 1.0)
        v -= np.floor(v)
        new = grid_index(v, scalars[EDGE], cumulative_model)
        if new == sites[i] or _shift(K, residual, sites[i], new, body * shares[i], theta, rng):
            counts[COORDINATE] += new != sites[i]
            u[i], sites[i] = v, new
    if free:
        for _ in range(n):
            i, j = int(rng.random() * n), int(rng.random() * n)
            both = shares[i] + shares[j]
            fraction = shares[i] / both + steps[AMPLITUDE] * (2.0 * rng.random() - 1.0)
            if i == j or fraction < 0.0 or fraction > 1.0:
                continue
            amount = shares[i] - both * fraction
            if _shift(K, residual, sites[i], sites[j], body * amount, theta, rng):
                shares[i], shares[j] = shares[i] - amount, shares[j] + amount
                counts[AMPLITUDE] += 1
    for _ in range(FEW):
        factor = np.exp(stretch * (2.0 * rng.random() - 1.0))
        trial = d - factor * (d - residual)
        prior = np.log(factor * scalars[WEIGHT] / expected) ** 2 - np.log(scalars[WEIGHT] / expected) ** 2
        change = 0.5 * (trial @ trial - residual @ residual) / theta + 0.5 * prior
        if change <= 0.0 or rng.random() < np.exp(-change):
            residual[:] = trial
            scalars[WEIGHT] *= factor
    if edge > 0:
        other, moved = scalars.copy(), sites.copy()
        for _ in range(FEW):
            other[:] = scalars
            other[EDGE] += steps[EDGE_MOVE] * (2.0 * rng.random() - 1.0)
            if other[EDGE] < 0.0 or other[EDGE] > LAST_EDGE:
                continue
            for i in range(n):
                moved[i] = grid_index(u[i], other[EDGE], cumulative_model)
            trial = residual_of(K, d, moved, shares, other, cumulative_model)
            if _accepted(trial, residual, theta, rng):
                residual[:], scalars[EDGE], sites[:] = trial, other[EDGE], moved
                counts[EDGE_MOVE] += 1
    if edge > 1:
        other = scalars.copy()
        for _ in range(FEW):
            other[:] = scalars
            other[EDGE_WEIGHT] += steps[EDGE_WEIGHT_MOVE] * (2.0 * rng.random() - 1.0)
            if other[EDGE_WEIGHT] < 0.0 or other[EDGE_WEIGHT] >= 1.0:
                continue
            trial = residual_of(K, d, sites, shares, other, cumulative_model)
            if _accepted(trial, residual, theta, rng):
                residual[:], scalars[EDGE_WEIGHT] = trial, other[EDGE_WEIGHT]
                counts[EDGE_WEIGHT_MOVE] += 1
    return residual @ residual
