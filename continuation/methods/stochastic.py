"""Stochastic continuation: the average over all spectra that fit, sampled by Metropolis moves.

The spectrum is a set of delta functions on the frequency grid; a configuration has the weight
exp(-chi^2/(2 Theta)). The a-priori measure is a default model m: a delta's coordinate u is uniform in (0, 1)
and lies at the frequency below which m has the share u of its weight, so that the average without data is m
(Beach, cond-mat/0403055, whose mean-field limit is maximum entropy). Theta is lowered until the mean chi^2 is
as large as noise allows, chi^2_min + sqrt(2 chi^2_min) (Shao and Sandvik, Phys. Rep. 1003, 1 (2023)).

Variables: the coordinates u; on request the amplitudes, uniform on the simplex; the total weight, its
logarithm normal with unit width about the default model's; and with a free edge the share of m that lies
below the edge, where no delta is allowed. Edge "threshold" is that alone; edge "peak" puts one more delta of
free amplitude at the edge: a quasi-particle below its continuum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.parallel import mapped
from sitqmc.jit import kernel

Edge = Literal["open", "threshold", "peak"]
EDGES: tuple[str, ...] = get_args(Edge)

N_DELTAS = 256
THETA_START, THETA_END, THETA_COUNT = 1e4, 0.05, 40
ANNEAL_SWEEPS = 100
SAMPLE_SWEEPS = 4000
CHAINS = 4               # at the chosen temperature, each with its own random numbers
SMOOTHING = 3.0          # grid nodes, well below any resolution of the data
EVERY = 5                # sweeps between stored configurations
FEW = 4                  # trials of the weight, the edge and the leading amplitude in a sweep
LAST_EDGE = 0.999        # share of the measure that may lie below the edge

WEIGHT, AT, LEAD = range(3)              # of `scalars`: total weight, place of the edge, leading share
MOVED, TRADED, SHIFTED, LED = range(4)   # of what `sweep` counts
RATE = 0.4                               # of acceptance, for which the step sizes are adapted


@kernel
def place(u, edge, quota):  # type: ignore[no-untyped-def]
    """Grid index of the coordinate u above an edge."""
    return min(np.searchsorted(quota, edge + (1.0 - edge) * u), quota.size - 1)


@kernel
def residual_of(K, d, sites, shares, scalars, quota):  # type: ignore[no-untyped-def]
    """d - K x (m,) of a configuration."""
    out, body = d.copy(), scalars[WEIGHT] * (1.0 - scalars[LEAD])
    for i in range(sites.size):
        for k in range(d.size):
            out[k] -= body * shares[i] * K[k, sites[i]]
    if scalars[LEAD] > 0.0:
        first = place(0.0, scalars[AT], quota)
        for k in range(d.size):
            out[k] -= scalars[WEIGHT] * scalars[LEAD] * K[k, first]
    return out


@kernel
def _shift(K, residual, old, new, amount, theta, rng):  # type: ignore[no-untyped-def]
    """Try to move `amount` of weight from node old to node new; True if accepted, residual updated."""
    change = 0.0
    for k in range(residual.size):
        step = amount * (K[k, old] - K[k, new])
        change += step * (step + 2.0 * residual[k])
    if change > 0.0 and rng.random() >= np.exp(-0.5 * change / theta):
        return False
    for k in range(residual.size):
        residual[k] += amount * (K[k, old] - K[k, new])
    return True


@kernel
def _better(trial, residual, theta, rng):  # type: ignore[no-untyped-def]
    """Metropolis decision between two residuals."""
    change = 0.5 * (trial @ trial - residual @ residual) / theta
    return change <= 0.0 or rng.random() < np.exp(-change)


@kernel
def sweep(  # type: ignore[no-untyped-def]
    K, d, u, sites, shares, scalars, quota, expected, theta, steps, stretch, edge, free, counts, rng
):
    """One sweep; returns chi^2. K (m, omega), quota (omega,) the cumulative measure in (0, 1].

    u, sites, shares (n,): coordinates, their grid nodes, amplitudes of sum 1; scalars: see above
    expected  centre of the prior of the weight; stretch: step of its logarithm
    steps     sizes of the moves in u, of the trades, in the edge and in the leading share; counts: accepted
    edge      0 open, 1 threshold, 2 peak; free: whether amplitudes move
    """
    n = u.size
    residual = residual_of(K, d, sites, shares, scalars, quota)     # afresh: rounding cannot accumulate
    body = scalars[WEIGHT] * (1.0 - scalars[LEAD])
    for i in range(n):
        # Both moves are symmetric in u, which is uniform a priori and periodic for convenience.
        v = rng.random() if rng.random() < 0.2 else u[i] + steps[MOVED] * (2.0 * rng.random() - 1.0)
        v -= np.floor(v)
        new = place(v, scalars[AT], quota)
        if new == sites[i] or _shift(K, residual, sites[i], new, body * shares[i], theta, rng):
            counts[MOVED] += new != sites[i]
            u[i], sites[i] = v, new
    if free:
        for _ in range(n):
            i, j = int(rng.random() * n), int(rng.random() * n)
            both = shares[i] + shares[j]
            fraction = shares[i] / both + steps[TRADED] * (2.0 * rng.random() - 1.0)
            if i == j or fraction < 0.0 or fraction > 1.0:
                continue
            amount = shares[i] - both * fraction
            if _shift(K, residual, sites[i], sites[j], body * amount, theta, rng):
                shares[i], shares[j] = shares[i] - amount, shares[j] + amount
                counts[TRADED] += 1
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
            other[AT] += steps[SHIFTED] * (2.0 * rng.random() - 1.0)
            if other[AT] < 0.0 or other[AT] > LAST_EDGE:
                continue
            for i in range(n):
                moved[i] = place(u[i], other[AT], quota)
            trial = residual_of(K, d, moved, shares, other, quota)
            if _better(trial, residual, theta, rng):
                residual[:], scalars[AT], sites[:] = trial, other[AT], moved
                counts[SHIFTED] += 1
    if edge > 1:
        other = scalars.copy()
        for _ in range(FEW):
            other[:] = scalars
            other[LEAD] += steps[LED] * (2.0 * rng.random() - 1.0)
            if other[LEAD] < 0.0 or other[LEAD] >= 1.0:
                continue
            trial = residual_of(K, d, sites, shares, other, quota)
            if _better(trial, residual, theta, rng):
                residual[:], scalars[LEAD] = trial, other[LEAD]
                counts[LED] += 1
    return residual @ residual


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


def sample(
    K: Array,
    d: Array,
    m: Array,
    seed: int,
    sweeps: int = SAMPLE_SWEEPS,
    *,
    edge: Edge = "open",
    amplitudes: bool = False,
    threads: int = 1,
) -> Chain:
    """Anneal, choose Theta, sample there with CHAINS chains of sweeps/CHAINS sweeps each.

    K (m_eq, omega), d (m_eq,), m (omega,) default model (as x); the result does not depend on `threads`
    """
    first, *streams = np.random.SeedSequence(seed).spawn(1 + CHAINS)
    rng = np.random.default_rng(first)
    quota = np.cumsum(m) / m.sum()
    quota[-1] = 1.0
    state = State(np.ascontiguousarray(K), d, quota, N_DELTAS, float(m.sum()), edge, amplitudes)
    states, trail = [], []
    # Hotter than this the data say nothing at all, and time is wasted.
    thetas = np.geomspace(min(THETA_START, 0.1 * float(d @ d)), THETA_END, THETA_COUNT)
    for theta in thetas:
        states.append(state.copy())
        trail.append(state.run(float(theta), ANNEAL_SWEEPS, rng, adapt=True))
    lowest = min(trail)
    # From the hottest temperature on: the first one whose mean chi^2 is low enough.
    chosen = int(np.flatnonzero(np.array(trail) <= lowest + np.sqrt(2.0 * lowest))[0])

    def run(stream: np.random.SeedSequence) -> Array:
        own, chain = np.random.default_rng(stream), states[chosen].copy()
        chain.run(float(thetas[chosen]), 2 * ANNEAL_SWEEPS, own, adapt=True)
        rows = []
        for _ in range(sweeps // (CHAINS * EVERY)):
            chain.run(float(thetas[chosen]), EVERY, own, adapt=False)
            rows.append(chain.smooth_x(B))
        return np.array(rows)

    B = _smoothing(m)
    return Chain(np.vstack(mapped(run, streams, threads)), thetas, np.array(trail), chosen)


def _smoothing(m: Array) -> Array:
    """(omega, omega): spreads a delta over its neighbours by a Gaussian of SMOOTHING nodes; keeps the weight.

    Nothing is spread to where the measure m is absent, such as a hard gap.
    """
    index = np.arange(m.size)
    B = np.exp(-0.5 * ((index[:, None] - index) / SMOOTHING) ** 2)
    B = np.where(m > 1e-20 * m.max(), B, 0.0) + 1e-300
    return np.asarray(B / B.sum(axis=1, keepdims=True))


class State:
    """The moving configuration and the sizes of its moves."""

    def __init__(
        self, K: Array, d: Array, quota: Array, n: int, weight: float,
        edge: Edge = "open", amplitudes: bool = False,
    ) -> None:  # fmt: skip
        self.K, self.d, self.quota, self.expected = K, d, quota, weight
        self.edge, self.amplitudes = EDGES.index(edge), amplitudes
        self.u = (np.arange(n) + 0.5) / n
        self.shares = np.full(n, 1.0 / n)
        self.scalars = np.array([weight, 0.0, 0.2 if edge == "peak" else 0.0])
        self.sites: NDArray[np.int64] = np.array([place(v, 0.0, quota) for v in self.u], dtype=np.int64)
        self.steps, self.stretch = np.array([0.3, 0.5, 0.1, 0.1]), 0.1

    def copy(self) -> State:
        """An independent copy of what moves."""
        other = object.__new__(State)
        other.__dict__.update(self.__dict__)
        for name in ("u", "shares", "scalars", "sites", "steps"):
            setattr(other, name, getattr(self, name).copy())
        return other

    @property
    def weight(self) -> float:
        """Total weight."""
        return float(self.scalars[WEIGHT])

    def parts(self) -> tuple[Array, int, float]:
        """x (omega,) without the leading delta; node and weight of that."""
        weight, at, lead = self.scalars
        x = np.bincount(self.sites, self.shares, minlength=self.K.shape[1]) * weight * (1.0 - lead)
        return x, int(place(0.0, at, self.quota)), float(weight * lead)

    def x(self) -> Array:
        """The configuration as x (omega,)."""
        x, first, lead = self.parts()
        x[first] += lead
        return x

    def smooth_x(self, B: Array) -> Array:
        """The same, its deltas spread by B (omega, omega), but for the leading one."""
        x, first, lead = self.parts()
        out = x @ B
        out[first] += lead
        return np.asarray(out)

    def run(self, theta: float, sweeps: int, rng: np.random.Generator, adapt: bool) -> float:
        """Run some sweeps; mean chi^2, over the second half if the moves are adapted in the first."""
        values = []
        tries = np.array([len(self.u), len(self.u), FEW, FEW])
        for s in range(sweeps):
            counts = np.zeros(len(tries))
            chi2 = sweep(
                self.K, self.d, self.u, self.sites, self.shares, self.scalars, self.quota, self.expected,
                theta, self.steps, self.stretch, self.edge, self.amplitudes, counts, rng,
            )  # fmt: skip
            if adapt and s < sweeps // 2:
                self.steps *= np.where(counts > RATE * tries, 1.1, 0.9)
                self.steps = np.clip(self.steps, 1e-3, 0.5)
                image = float(np.linalg.norm(self.K @ self.x()))
                self.stretch = min(2.0 * float(np.sqrt(theta)) / max(image, 1e-300), 1.0)
            else:
                values.append(chi2)
        return float(np.mean(values))
