"""Stochastic continuation: the average over all spectra that fit, sampled by Metropolis moves.

The spectrum is a set of equal delta functions that move over the frequency grid; a configuration has the
weight exp(-chi^2/(2 Theta)). The a-priori measure is a default model m: sites of the grid are visited in
proportion to m, so that the average without data is m (Beach, cond-mat/0403055, whose mean-field limit is
maximum entropy). Theta is lowered until the mean chi^2 is as large as noise allows,
chi^2_min + sqrt(2 chi^2_min) (Shao and Sandvik, Phys. Rep. 1003, 1 (2023)).

The total weight is one more variable; its logarithm is normal with unit width about the default model's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from continuation.kernels import Array

Sites = NDArray[np.int64]

N_DELTAS = 256
THETA_START, THETA_END, THETA_COUNT = 1e4, 0.05, 40
ANNEAL_SWEEPS = 100
SAMPLE_SWEEPS = 4000
SMOOTHING = 3.0          # grid nodes, well below any resolution of the data
EVERY = 5                # sweeps between stored configurations


@njit(cache=True)
def sweep(K, d, residual, sites, quota, weight, expected, theta, jump, stretch, rng):  # type: ignore[no-untyped-def]
    """One sweep: every delta tries one move, then the weight tries four. Returns (weight, accepted moves).

    K (m, omega); residual (m,) = d - K x; sites (n,) grid indices; quota (omega,) cumulative measure in
    (0, 1]; expected: centre of the prior of the weight; jump: size of the local moves on the scale of the
    measure; stretch: of ln(weight).
    """
    m, n = K.shape[0], sites.size
    share = weight / n
    accepted = 0
    for i in range(n):
        old = sites[i]
        if rng.random() < 0.2:
            u = rng.random()
        else:
            # A uniform point of the old site's share of the measure, moved: symmetric, detailed balance.
            low = quota[old - 1] if old > 0 else 0.0
            u = low + rng.random() * (quota[old] - low) + jump * (2.0 * rng.random() - 1.0)
            u -= np.floor(u)
        new = min(np.searchsorted(quota, u), quota.size - 1)
        if new == old:
            continue
        change = 0.0
        for k in range(m):
            step = share * (K[k, old] - K[k, new])
            change += step * (step + 2.0 * residual[k])
        if change <= 0.0 or rng.random() < np.exp(-0.5 * change / theta):
            for k in range(m):
                residual[k] += share * (K[k, old] - K[k, new])
            sites[i] = new
            accepted += 1
    image = (d - residual) / weight
    for _ in range(4):
        new_weight = weight * np.exp(stretch * (2.0 * rng.random() - 1.0))
        trial = d - new_weight * image
        change = (np.sum(trial * trial) - np.sum(residual * residual)) / theta
        change += np.log(new_weight / expected) ** 2 - np.log(weight / expected) ** 2
        if change <= 0.0 or rng.random() < np.exp(-0.5 * change):
            residual[:] = trial
            weight = new_weight
    return weight, accepted


@dataclass(frozen=True)
class Chain:
    """Configurations of x (n, omega) at the chosen Theta, and the annealing that led there.

    thetas, trail (n_theta,): temperatures and mean chi^2; chosen: index of the one used
    """

    samples: Array
    thetas: Array
    trail: Array
    chosen: int

    @property
    def theta(self) -> float:
        """The sampling temperature."""
        return float(self.thetas[self.chosen])

    def response(self, K: Array) -> Array:
        """d(mean x)/d(data) (omega, m) at fixed Theta: the covariance of x with K x over Theta."""
        x = self.samples - self.samples.mean(axis=0)
        return np.asarray(x.T @ (x @ K.T) / (len(x) * self.theta))


def sample(K: Array, d: Array, m: Array, seed: int, sweeps: int = SAMPLE_SWEEPS) -> Chain:
    """Anneal, choose Theta, sample there; K (m_eq, omega), d (m_eq,), m (omega,) default model (as x)."""
    rng = np.random.default_rng(seed)
    quota = np.cumsum(m) / m.sum()
    quota[-1] = 1.0
    K = np.ascontiguousarray(K)
    sites = np.searchsorted(quota, (np.arange(N_DELTAS) + 0.5) / N_DELTAS).astype(np.int64)
    state = _State(K, d, quota, sites, float(m.sum()))
    states, trail = [], []
    # Hotter than this the data say nothing at all, and time is wasted.
    thetas = np.geomspace(min(THETA_START, 0.1 * float(d @ d)), THETA_END, THETA_COUNT)
    for theta in thetas:
        states.append(state.copy())
        trail.append(state.run(float(theta), ANNEAL_SWEEPS, rng, adapt=True))
    lowest = min(trail)
    # From the hottest temperature on: the first one whose mean chi^2 is low enough.
    chosen = int(np.flatnonzero(np.array(trail) <= lowest + np.sqrt(2.0 * lowest))[0])
    state, theta = states[chosen], float(thetas[chosen])
    state.run(theta, 2 * ANNEAL_SWEEPS, rng, adapt=True)
    samples = []
    for _ in range(sweeps // EVERY):
        state.run(theta, EVERY, rng, adapt=False)
        samples.append(state.x())
    return Chain(_smooth(np.array(samples), m), thetas, np.array(trail), chosen)


def _smooth(samples: Array, m: Array) -> Array:
    """Spread every delta over its neighbours by a Gaussian of SMOOTHING nodes; keeps the total weight.

    Nothing is spread to where the measure m is absent, such as a hard gap.
    """
    index = np.arange(samples.shape[1])
    B = np.exp(-0.5 * ((index[:, None] - index) / SMOOTHING) ** 2)
    B = np.where(m > 1e-20 * m.max(), B, 0.0) + 1e-300
    return np.asarray(samples @ (B / B.sum(axis=1, keepdims=True)))


class _State:
    """The moving configuration: sites, total weight, and the sizes of the moves."""

    def __init__(self, K: Array, d: Array, quota: Array, sites: Sites, weight: float) -> None:
        self.K, self.d, self.quota, self.sites, self.weight = K, d, quota, sites, weight
        self.expected, self.jump, self.stretch = weight, 0.3, 0.1

    def copy(self) -> _State:
        """An independent copy."""
        other = _State(self.K, self.d, self.quota, self.sites.copy(), self.weight)
        other.expected, other.jump, other.stretch = self.expected, self.jump, self.stretch
        return other

    def x(self) -> Array:
        """The configuration as x (omega,)."""
        counts = np.bincount(self.sites, minlength=self.K.shape[1]).astype(np.float64)
        return counts * (self.weight / self.sites.size)

    def run(self, theta: float, sweeps: int, rng: np.random.Generator, adapt: bool) -> float:
        """Run some sweeps; mean chi^2 over them, over the second half if the moves were adapted in the first.

        The residual is computed afresh before every sweep, so rounding cannot accumulate.
        """
        values = []
        for s in range(sweeps):
            residual = self.d - self.K @ self.x()
            self.weight, accepted = sweep(
                self.K, self.d, residual, self.sites, self.quota, self.weight, self.expected, theta,
                self.jump, self.stretch, rng,
            )  # fmt: skip
            if adapt and s < sweeps // 2:
                factor = 1.1 if accepted > 0.4 * self.sites.size else 0.9
                self.jump = float(np.clip(self.jump * factor, 1e-3, 0.5))
                size = max(float(np.linalg.norm(self.d - residual)), 1e-300)
                self.stretch = min(2.0 * float(np.sqrt(theta)) / size, 1.0)
            else:
                values.append(float(residual @ residual))
        return float(np.mean(values))
