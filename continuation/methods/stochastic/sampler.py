"""Stochastic continuation: the average over all spectra that fit, sampled by Metropolis moves.

The spectrum is a set of delta functions on the frequency grid. A configuration has the weight
exp(-chi^2/(2 Theta)). The measure is a default model m: the coordinate u of a delta function is uniform in
(0, 1), and the delta function lies at the frequency below which m has the share u of its weight. Without
data the average is therefore m (Beach, cond-mat/0403055; the mean-field limit is maximum entropy). Theta is
lowered until the mean chi^2 reaches chi^2_min + sqrt(2 chi^2_min) (Shao and Sandvik, Phys. Rep. 1003, 1
(2023)).

Variables: the coordinates u; on request the amplitudes, uniform on the simplex; the total weight, whose
logarithm is normal with unit width about the weight of the default model; and with a free edge the share of
m below the edge, where no delta function is allowed. Edge "threshold" has this free edge. Edge "peak" adds
one delta function of free amplitude at the edge: a quasi-particle below its continuum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.parallel import mapped
from sitqmc.continuation.methods.stochastic.moves import FEW, WEIGHT, grid_index, sweep
from sitqmc.continuation.options import EDGES, Edge

N_DELTAS = 256
THETA_START, THETA_END, THETA_COUNT = 1e4, 0.05, 40
ANNEAL_SWEEPS = 100
SAMPLE_SWEEPS = 4000
CHAINS = 4               # at the chosen temperature, each with its own random numbers
SMOOTHING = 3.0          # grid nodes, well below any resolution of the data
EVERY = 5                # sweeps between stored configurations
ACCEPTANCE = 0.4         # share of accepted moves for which the step sizes are adapted


@dataclass(frozen=True)
class StochasticRun:
    """Configurations at the chosen temperature, and the annealing before.

    samples             (n, omega) configurations of x
    thetas, chi2_trace  (n_theta,) temperatures and the mean chi^2 at each
    chosen              index of the sampling temperature
    """

    samples: Array
    thetas: Array
    chi2_trace: Array
    chosen: int

    @property
    def theta(self) -> float:
        """Sampling temperature."""
        return float(self.thetas[self.chosen])

    def response(self, K: Array) -> Array:
        """Return d(mean x)/d(data) (omega, m) at fixed Theta: the covariance of x with K x over Theta."""
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
) -> StochasticRun:
    """Anneal, choose Theta, and sample there with CHAINS chains of sweeps/CHAINS sweeps each.

    K (m_eq, omega), d (m_eq,), m (omega,) default model (as x). The result does not depend on `threads`.
    """
    first, *streams = np.random.SeedSequence(seed).spawn(1 + CHAINS)
    rng = np.random.default_rng(first)
    cumulative_model = np.cumsum(m) / m.sum()
    cumulative_model[-1] = 1.0
    state = State(np.ascontiguousarray(K), d, cumulative_model, N_DELTAS, float(m.sum()), edge, amplitudes)
    states, chi2_trace = [], []
    # At a higher temperature the data have no effect.
    thetas = np.geomspace(min(THETA_START, 0.1 * float(d @ d)), THETA_END, THETA_COUNT)
    for theta in thetas:
        states.append(state.copy())
        chi2_trace.append(state.run(float(theta), ANNEAL_SWEEPS, rng, adapt=True))
    lowest = min(chi2_trace)
    # The highest temperature whose mean chi^2 is low enough.
    chosen = int(np.flatnonzero(np.array(chi2_trace) <= lowest + np.sqrt(2.0 * lowest))[0])

    def run(stream: np.random.SeedSequence) -> Array:
        own, chain = np.random.default_rng(stream), states[chosen].copy()
        chain.run(float(thetas[chosen]), 2 * ANNEAL_SWEEPS, own, adapt=True)
        rows = []
        for _ in range(sweeps // (CHAINS * EVERY)):
            chain.run(float(thetas[chosen]), EVERY, own, adapt=False)
            rows.append(chain.smooth_x(B))
        return np.array(rows)

    B = _smoothing(m)
    return StochasticRun(np.vstack(mapped(run, streams, threads)), thetas, np.array(chi2_trace), chosen)


def _smoothing(m: Array) -> Array:
    """Return the matrix (omega, omega) that spreads a delta function by a Gaussian of SMOOTHING nodes.

    It keeps the weight, and spreads nothing to nodes where the measure m is absent, such as a hard gap.
    """
    index = np.arange(m.size)
    B = np.exp(-0.5 * ((index[:, None] - index) / SMOOTHING) ** 2)
    B = np.where(m > 1e-20 * m.max(), B, 0.0) + 1e-300
    return np.asarray(B / B.sum(axis=1, keepdims=True))


class State:
    """Present configuration of one chain and the sizes of its moves."""

    def __init__(
        self, K: Array, d: Array, cumulative_model: Array, n: int, weight: float,
        edge: Edge = "open", amplitudes: bool = False,
    ) -> None:  # fmt: skip
        self.K, self.d, self.cumulative_model, self.expected = K, d, cumulative_model, weight
        self.edge, self.amplitudes = EDGES.index(edge), amplitudes
        self.u = (np.arange(n) + 0.5) / n
        self.shares = np.full(n, 1.0 / n)
        self.scalars = np.array([weight, 0.0, 0.2 if edge == "peak" else 0.0])
        sites = [grid_index(v, 0.0, cumulative_model) for v in self.u]
        self.sites: NDArray[np.int64] = np.array(sites, dtype=np.int64)
        self.steps, self.stretch = np.array([0.3, 0.5, 0.1, 0.1]), 0.1

    def copy(self) -> State:
        """Return an independent copy of the variables."""
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
        """Return x (omega,) without the delta function at the edge, and the node and weight of that one."""
        weight, edge, share = self.scalars
        x = np.bincount(self.sites, self.shares, minlength=self.K.shape[1]) * weight * (1.0 - share)
        return x, int(grid_index(0.0, edge, self.cumulative_model)), float(weight * share)

    def x(self) -> Array:
        """Return the configuration as x (omega,)."""
        x, node, weight = self.parts()
        x[node] += weight
        return x

    def smooth_x(self, B: Array) -> Array:
        """Return x (omega,) with all delta functions but the one at the edge spread by B (omega, omega)."""
        x, node, weight = self.parts()
        out = x @ B
        out[node] += weight
        return np.asarray(out)

    def run(self, theta: float, sweeps: int, rng: np.random.Generator, adapt: bool) -> float:
        """Run sweeps and return the mean chi^2; `adapt` tunes the moves in the first half and skips it."""
        values = []
        tries = np.array([len(self.u), len(self.u), FEW, FEW])
        for s in range(sweeps):
            counts = np.zeros(len(tries))
            chi2 = sweep(
                self.K, self.d, self.u, self.sites, self.shares, self.scalars, self.cumulative_model,
                self.expected, theta, self.steps, self.stretch, self.edge, self.amplitudes, counts, rng,
            )  # fmt: skip
            if adapt and s < sweeps // 2:
                self.steps *= np.where(counts > ACCEPTANCE * tries, 1.1, 0.9)
                self.steps = np.clip(self.steps, 1e-3, 0.5)
                image = float(np.linalg.norm(self.K @ self.x()))
                self.stretch = min(2.0 * float(np.sqrt(theta)) / max(image, 1e-300), 1.0)
            else:
                values.append(chi2)
        return float(np.mean(values))
