"""Local energies of a pair: how fast the local Green function of every site decays, over a few bond masks.

    G(r, tau) = <exp(i theta(r, tau)) exp(-i theta(r, 0))>

follows from closed configurations: a pair that is put on site r at a slice and taken away k slices later adds
one unit to k time links, and G is the mean of the ratio of weights. Both signs and all slices count. The mean
over sites is the G_loc of the worm. Ratios scatter more with k, so short times are used.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ive

from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.measure.own import OwnObservable

Array = NDArray[np.float64]

SLICES = (8, 16)
"""Slices between which the decay is taken."""
LARGEST = 40
"""Currents up to this size have an entry in the table of ratios."""


@dataclass(frozen=True)
class LocalEnergies:
    """Local pair energies of several bond masks.

    energy  (masks, Ly, Lx), decay rate of G(r, tau) between two times, E_J; not below the local gap
    bonds   (masks, 2, Ly, Lx), True where a bond is present
    """

    model: Model
    energy: Array
    bonds: NDArray[np.bool_]


@cache
def _ratios(K_tau: float) -> Array:
    """Return ln[w(J + 1)/w(J)] of a time link for J = -LARGEST .. LARGEST; cosine action."""
    J = np.arange(-LARGEST, LARGEST + 2)
    return np.asarray(np.diff(np.log(ive(np.abs(J), K_tau))))


def local_pairs(J: NDArray[np.int64], model: Model) -> Array:
    """Return the ratios of weights behind G(r, tau) after each of `SLICES`, (len(SLICES), Ly, Lx).

    J  (3, L_tau, Ly, Lx), link currents along time, x and y; cosine action
    """
    table, time = _ratios(1 / (model.eps * model.charging)), J[0]
    out = np.zeros((len(SLICES), *time.shape[1:]))
    for sign in (1, -1):
        steps = table[LARGEST + sign * time]
        total = np.cumsum(np.concatenate([np.zeros_like(steps[:1]), steps, steps]), axis=0)
        for i, k in enumerate(SLICES):
            out[i] += np.exp(total[k : k + model.L_tau] - total[: model.L_tau]).mean(axis=0) / 2
    return out


def decay_rate(G: Array, eps: float) -> Array:
    """Return the decay rate between both `SLICES`, E_J; G (..., 2, Ly, Lx)."""
    early, late = SLICES
    return np.asarray(np.log(G[..., 0, :, :] / G[..., 1, :, :]) / ((late - early) * eps))


def local_energies(model: Model, *, seed: int, masks: int, looks: int) -> LocalEnergies:
    """Return the local pair energies of the first masks of a seed, from one chain of each.

    raises  ValueError for another action than cosine
    """
    if model.action != "cosine":
        raise ValueError(f"action = {model.action!r}: local energies need the weights of 'cosine'")
    disorder = [model.draw_disorder(seed, sample) for sample in range(masks)]
    shape = (len(SLICES), model.Ly, model.Lx)
    own = OwnObservable("local_pairs", "1", "ratios of weights of a pair on a site", local_pairs, shape)
    chains = Chains(
        model, disorder, seed=seed, samples=range(masks), own=[own], n_max=1,
        schedule=Schedule(therm_sweeps=60.0, bins=4, measurements_per_bin=looks // 4, transverse=False),
    )  # fmt: skip
    while not chains.finished:
        chains.step()
    G = np.array([result.bins["local_pairs"].mean(axis=0) for result in chains.results()])
    return LocalEnergies(model, decay_rate(G, model.eps), np.array([one.bonds for one in disorder], bool))


def bonds_of_sites(bonds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of bonds of each site, (..., Ly, Lx); bonds (..., 2, Ly, Lx)."""
    right, up = (bonds[..., mu, :, :].astype(np.int64) for mu in (0, 1))
    return np.asarray(right + np.roll(right, 1, axis=-1) + up + np.roll(up, 1, axis=-2))


def isolated_energy(model: Model) -> float:
    """Return the pair energy of a site without bonds at low temperature, exact: E_C/2 for eps -> 0."""
    return float(-_ratios(1 / (model.eps * model.charging))[LARGEST] / model.eps)
