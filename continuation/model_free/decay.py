"""Lowest excitation energy from the decay of a correlator in imaginary time, without continuation.

    C(tau) = sum_k a_k {exp(-E_k tau) + exp(-E_k (beta - tau))},   E_1 < E_2 < ...

is fitted to windows [tau_min, beta/2] with one, two or three states. Every window and number of states is a
model with weight exp(-(chi^2 + 2 parameters + 2 points left out)/2) (Jay and Neil, PRD 103, 114502 (2021)).
A window that starts too early fits badly with too few states; one that starts too late leaves out data. The
error has the statistical part and the scatter between models. The logarithms of the gaps between states
have a wide normal prior, without which the data do not determine a third state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.data.whitening import hartlap_factor
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.estimate import Estimate
from sitqmc.result import Result

MAX_STATES = 3
WINDOWS = 12
GAP_SPREAD = 1.0      # of the logarithms of the gaps between states, about the first guess
EIGEN_FLOOR = 1e-8


@dataclass(frozen=True)
class DecayFit:
    """Fit of one window and number of states: energies ascending (n_states,), error of the lowest, weight."""

    tau_min: float
    energies: Array
    error: float
    chi2: float
    n_points: int
    weight: float


@dataclass(frozen=True)
class ExcitationGap(Result):
    """Lowest excitation energy, averaged over models, and the single fits.

    energy  its posterior part is the scatter between models, which does not contain the noise of the data:
            the error adds both parts in quadrature
    """

    energy: Estimate
    fits: tuple[DecayFit, ...]


def lowest_excitation(data: CorrelatorData, max_states: int = MAX_STATES) -> ExcitationGap:
    """Return the lowest excitation energy of a correlator in tau, such as omega_pair from G(tau).

    Times with zero variance, which no sample visited, are left out. ValueError: not a function of tau, or too
    few times.
    """
    if data.is_matsubara:
        raise ValueError(f"kind {data.kind}: the decay needs a function of tau; give G(tau) or chi(tau)")
    folded = np.minimum(data.grid, data.beta - data.grid)
    order = np.argsort(folded, kind="stable")
    order = order[np.diag(data.covariance)[order] > 0]     # times that no sample visited have no error
    starts = np.unique(np.linspace(0, max(len(order) - 4, 0), WINDOWS).astype(int))
    found = []
    for first in starts:
        rows = order[first:]
        white, root = _whitened(data, rows)
        guess = _first_energy(folded[rows], data.mean[rows])
        for states in range(1, max_states + 1):
            # A state needs two parameters, and every fit at least one degree of freedom.
            if 2 * states >= len(rows):
                break
            fit = _fit(folded[rows], white, root, data.beta, states, guess)
            if fit is None:
                continue
            energies, error, chi2 = fit
            criterion = chi2 + 4.0 * states + 2.0 * first
            found.append((criterion, DecayFit(float(folded[rows[0]]), energies, error, chi2, len(rows), 0.0)))
    if not found:
        raise ValueError(f"{data.grid.size} points in tau: too few or too noisy for an exponential")
    return _average(found)


def _average(found: list[tuple[float, DecayFit]]) -> ExcitationGap:
    criteria = np.array([c for c, _ in found])
    weights = np.exp(-0.5 * (criteria - criteria.min()))
    weights /= weights.sum()
    lowest = np.array([f.energies[0] for _, f in found])
    errors = np.array([f.error for _, f in found])
    mean = float(weights @ lowest)
    noise, scatter = float(np.sqrt(weights @ errors**2)), float(np.sqrt(weights @ (lowest - mean) ** 2))
    energy = Estimate(mean, float(np.hypot(noise, scatter)), statistical=noise, posterior=scatter)
    fits = tuple(
        DecayFit(f.tau_min, f.energies, f.error, f.chi2, f.n_points, float(w))
        for w, (_, f) in sorted(zip(weights, found, strict=True), key=lambda pair: -pair[0])
    )
    return ExcitationGap(energy, fits)


def _whitened(data: CorrelatorData, rows: NDArray[np.signedinteger]) -> tuple[Array, Array]:
    """Return (whitened data, inverse root of the covariance) of some rows, with the Hartlap factor."""
    C = data.covariance[np.ix_(rows, rows)]
    scale = np.sqrt(np.maximum(np.diag(C), 1e-12 * np.diag(C).max()))
    values, vectors = np.linalg.eigh(C / np.outer(scale, scale))
    factor = hartlap_factor(data.n_samples, len(rows))
    root = np.sqrt(factor) * (vectors / np.sqrt(np.maximum(values, EIGEN_FLOOR * values[-1]))).T / scale
    return root @ data.mean[rows], root


def _first_energy(tau: Array, values: Array) -> float:
    """Return a start value: the logarithmic slope between the ends of the window."""
    positive = values > 0
    t, v = tau[positive], values[positive]
    if len(t) < 2 or t[-1] == t[0]:
        return 1.0 / max(float(tau[-1]), 1e-12)
    return float(max(np.log(v[0] / v[-1]) / (t[-1] - t[0]), 0.1 / t[-1]))


def _columns(logs: Array, tau: Array, beta: float) -> Array:
    """Return exponentials (tau, states) of the energies exp(logs[0]), exp(logs[0]) + exp(logs[1]), ..."""
    energies = np.cumsum(np.exp(np.clip(logs, -40.0, 12.0)))
    return np.asarray(np.exp(-np.outer(tau, energies)) + np.exp(-np.outer(beta - tau, energies)))


def _fit(
    tau: Array, white: Array, root: Array, beta: float, states: int, guess: float
) -> tuple[Array, float, float] | None:
    """Return (energies, error of the lowest, chi^2), amplitudes >= 0 eliminated; None if a state is empty."""

    def residual(logs: Array) -> Array:
        columns = root @ _columns(logs, tau, beta)
        misfit = columns @ nnls(columns, white)[0] - white
        return np.append(misfit, (logs - start)[1:] / GAP_SPREAD)

    start = np.log(guess) + np.append(0.0, np.linspace(0.7, 1.4, states - 1))
    result = least_squares(residual, start, method="trf", x_scale=0.3, max_nfev=60)
    columns = root @ _columns(result.x, tau, beta)
    amplitudes = nnls(columns, white)[0]
    if np.any(amplitudes <= 0.0):
        return None
    energies = np.cumsum(np.exp(result.x))
    # The Jacobian of the full problem, amplitudes included, gives the error of E_1.
    h = 1e-5
    steps = [(_columns(result.x + h * e, tau, beta) - _columns(result.x - h * e, tau, beta)) / (2 * h)
             for e in np.eye(states)]  # fmt: skip
    J = np.column_stack([*(root @ (s @ amplitudes) for s in steps), columns])
    prior = np.eye(states, J.shape[1])[1:] / GAP_SPREAD
    J = np.vstack([J, prior])
    norms = np.maximum(np.linalg.norm(J, axis=0), 1e-300)
    covariance = np.linalg.pinv((J / norms).T @ (J / norms), rcond=1e-12) / np.outer(norms, norms)
    error = float(energies[0] * np.sqrt(max(covariance[0, 0], 0.0)))
    return energies, error, float(2.0 * result.cost)
