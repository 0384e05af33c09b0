"""Power-law tails beside the exponential ones of the base shapes, for the errors of integrals.

All base shapes fall off exponentially. The tail above the data decides about moments and about the f-sum, and
the data may not decide between tails. The most probable modes therefore get siblings: the same base shape,
its parameters held at the mode, continued by its tangent power law omega^-k from where it begins to fall
faster. All tails are equally probable a priori, and the evidence at held parameters tells how well the data
allow each. The siblings do not take part in the spectrum and its band.
"""

from __future__ import annotations

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process.prior import Prior, SpectralShape
from sitqmc.continuation.methods.gaussian_process.process import (
    ROUGH_TOLERANCE,
    Mixture,
    Mode,
    mode_from,
)
from sitqmc.continuation.methods.parallel import mapped

POWERS = (3.0, 4.0)        # k; the first moment exists for k > 2
MOST_TAILED = 5            # modes that get siblings
COUNT = 60                 # draws of each kind


def tail_draws(
    K: Array, d: Array, mixture: Mixture, seed: int, threads: int = 1
) -> tuple[Array, Array] | None:
    """Return linear draws (COUNT, omega) of x: with exponential tails, and with tails of all kinds.

    None where no mode has a base shape with parameters.
    """
    order = np.argsort(-mixture.weights, kind="stable")
    chosen = [int(i) for i in order if isinstance(mixture.modes[int(i)].prior.base, SpectralShape)]
    if not chosen:
        return None
    chosen = chosen[:MOST_TAILED]
    kinds = (None, *POWERS)
    tasks = [(mixture.modes[i], k) for i in chosen for k in kinds]
    found = mapped(lambda task: _with_tail(K, d, *task), tasks, threads)
    logs = np.array([mode.log_evidence for mode in found]).reshape(-1, len(kinds))
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares = mixture.weights[chosen, None] * odds / odds.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    own = _linear_draws(found[:: len(kinds)], mixture.weights[chosen], rng)
    return own, _linear_draws(found, shares.ravel(), rng)


def _with_tail(K: Array, d: Array, mode: Mode, power: float | None) -> Mode:
    """Return the mode with the parameters of its base shape held; power None: with its own tail."""
    prior, count = mode.prior, mode.prior.n_theta
    base = np.asarray(np.log(mode.x) - prior.Phi @ mode.c[count:])
    if power is not None and isinstance(prior.base, SpectralShape):
        w = prior.base.w
        base += power_law_gain(w, base - prior.base.offset, power)
        # The last node holds the weight above the grid too.
        base[-1] += np.log1p(2.0 / (power - 1.0) * w[-1] / (w[-1] - w[-2]))
    return mode_from(K, d, Prior(prior.name, base, prior.Phi), mode.c[count:], ROUGH_TOLERANCE)


def power_law_gain(w: Array, log_shape: Array, power: float) -> Array:
    """Return what turns the logarithm of a shape on w into one that falls as w^-power at the end.

    The tangent of that slope begins where the shape falls faster for good.
    """
    u = np.log(np.maximum(w, 1e-12))
    slow = np.flatnonzero(np.gradient(log_shape, u) > -power)
    start = int(slow[-1]) if slow.size else 0
    gain = np.zeros_like(log_shape)
    gain[start:] = log_shape[start] - power * (u[start:] - u[start]) - log_shape[start:]
    return np.maximum(gain, 0.0)


def _linear_draws(modes: list[Mode], weights: Array, rng: np.random.Generator) -> Array:
    """Return draws of a mixture of modes, to first order in the coefficients: x may be negative."""
    marks = (np.arange(COUNT) + 0.5) / COUNT
    shares = np.cumsum(weights) / weights.sum()
    picks = np.minimum(np.searchsorted(shares, marks), len(modes) - 1)
    rows = []
    for i in picks:
        mode = modes[int(i)]
        rows.append(mode.x * (1.0 + mode.tangent @ (mode.root @ rng.normal(size=mode.c.size))))
    return np.array(rows)
