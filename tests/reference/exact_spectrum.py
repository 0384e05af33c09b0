"""Exact imaginary-time correlators and exact real-frequency spectra of a tiny rotor ring, no continuation.

    H = (E_C/2) sum_i n_i^2 - E_J sum_i cos(theta_i - theta_(i+1)),    periodic ring of N sites,

charges |n_i| <= n_max. The total charge is conserved; every sector is diagonalised completely. With the
eigenstates |a>, energies E_a and Z = sum_a exp(-beta E_a), an operator O with matrix elements O_ab has

    A(omega) = (pi/omega) sum_ab (p_a - p_b) |O_ab|^2 delta(omega - (E_b - E_a)),   p_a = exp(-beta E_a)/Z

(chi''/omega), plus a delta at zero frequency from degenerate pairs. A Gaussian of fixed width in omega
replaces every delta, and Gauss-Hermite quadrature over it gives the correlator of the broadened spectrum:
data and truth never meet a kernel of the continuation.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Lines:
    """Line positions omega > 0 (n,) and weights (n,): A(omega) = sum weights delta(omega - omega_k).

    zero: weight of the line at omega = 0 (of the even function on the whole axis, half of it at omega > 0)
    equal_time: <O O> at tau = 0, kinetic: <-k_x> per bond; beta the inverse temperature
    """

    omega: np.ndarray
    weight: np.ndarray
    zero: float
    equal_time: float
    kinetic: float
    beta: float

    def correlator(self, tau):
        """<O(tau) O(0)> (n_tau,), summed over the lines as a thermal two-level trace each."""
        w, t = self.omega[None, :], np.asarray(tau, dtype=float)[:, None]
        n = 1.0 / np.expm1(self.beta * w)
        # Absorption and emission: <O(tau)O> = sum (A w/pi) [(n + 1) exp(-w tau) + n exp(w tau)].
        line = (n + 1.0) * np.exp(-w * t) + n * np.exp(w * t)
        return line @ (self.weight * self.omega / np.pi) + self.zero / (np.pi * self.beta)

    def broadened(self, omega, width):
        """A(omega) with every line a Gaussian of standard deviation `width`, even in omega, (n,)."""
        w = np.asarray(omega, dtype=float)[:, None]
        g = np.exp(-0.5 * ((w - self.omega) / width) ** 2) + np.exp(-0.5 * ((w + self.omega) / width) ** 2)
        zero = self.zero * np.exp(-0.5 * (w[:, 0] / width) ** 2)
        return (g @ self.weight + zero) / (width * np.sqrt(2.0 * np.pi))


def ring_lines(sites: int, charging: float, beta: float, n_max: int = 3, operator: str = "current") -> Lines:
    """Lines of the total current, or of the total bond cosine ("cosine"), per site of a ring; E_J = 1."""
    links = [(i, (i + 1) % sites) for i in range(sites)]
    return Rotors(sites, links, charging, beta, n_max).lines(operator, links)


def array_lines(bonds, charging: float, beta: float, n_max: int = 3) -> dict[str, Lines]:
    """Lines per site of a periodic array with missing bonds, E_J = 1 on the others.

    bonds    bool (2, Ly, Lx), as in `transfer_matrix`: where L = 2 two bonds join the same two sites
    returns  "current x", "current y": total current along an axis; "cosine": sum of all bonds; "pair": the
             uniform sum of exp(i theta)
    """
    _, Ly, Lx = bonds.shape
    number = np.arange(Ly * Lx).reshape(Ly, Lx)
    ends = [np.roll(number, -1, axis=1), np.roll(number, -1, axis=0)]
    links = [(mu, int(number[y, x]), int(ends[mu][y, x])) for mu, y, x in np.argwhere(bonds).tolist()]
    along = [[(i, j) for mu, i, j in links if mu == axis] for axis in (0, 1)]
    rotors = Rotors(Lx * Ly, along[0] + along[1], charging, beta, n_max)
    return {
        "current x": rotors.lines("current", along[0]), "current y": rotors.lines("current", along[1]),
        "cosine": rotors.lines("cosine", along[0] + along[1]), "pair": rotors.lines("pair", []),
    }  # fmt: skip


class Rotors:
    """Eigenstates of all sectors of total charge that are thermally occupied, and those one charge above."""

    def __init__(self, sites: int, links: list[tuple[int, int]], charging: float, beta: float, n_max: int):
        self.sites, self.beta, self.base = sites, beta, 2 * n_max + 1
        self.n_max = n_max
        n = np.array(list(product(range(-n_max, n_max + 1), repeat=sites)))
        q = n.sum(axis=1)
        # The charging energy of a sector is at least E_C q^2/(2 N): sectors of weight < 1e-9 are left out.
        most = int(np.sqrt(21.0 * 2.0 * sites / (charging * beta))) + 2
        self.states = {k: n[q == k] for k in range(-min(most, n_max * sites), min(most, n_max * sites) + 1)}
        self.spectra, self.kinetic_parts = {}, {}
        for k, states in self.states.items():
            hop = self.hop(k, links)
            energy, vectors = np.linalg.eigh(
                0.5 * charging * np.diag((states**2).sum(axis=1).astype(float)) - 0.5 * (hop + hop.T)
            )
            self.spectra[k] = energy, vectors
            self.kinetic_parts[k] = np.einsum("ij,ij->j", vectors, hop @ vectors)
        lowest = min(float(energy[0]) for energy, _ in self.spectra.values())
        weights = {k: np.exp(-beta * (energy - lowest)) for k, (energy, _) in self.spectra.items()}
        Z = sum(float(w.sum()) for w in weights.values())
        self.p = {k: w / Z for k, w in weights.items()}
        self.kinetic = sum(float(self.p[k] @ self.kinetic_parts[k]) for k in self.p) / sites

    def _rows(self, states, charge: int):
        """Position of states (n, sites) among those of a total charge; -1: beyond n_max."""
        place = self.base ** np.arange(self.sites)[::-1]
        known = (self.states[charge] + self.n_max) @ place         # ascending: the order of `product`
        wanted = (states + self.n_max) @ place
        found = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        inside = (np.abs(states) <= self.n_max).all(axis=1) & (known[found] == wanted)
        return np.where(inside, found, -1)

    def hop(self, charge: int, links):
        """sum over links (i, j) of exp(i (theta_i - theta_j)) within one sector."""
        states = self.states[charge]
        out = np.zeros((len(states), len(states)))
        for i, j in links:
            moved = states.copy()
            moved[:, i] += 1
            moved[:, j] -= 1
            rows = self._rows(moved, charge)
            np.add.at(out, (rows[rows >= 0], np.flatnonzero(rows >= 0)), 1.0)
        return out

    def _raised(self, charge: int):
        """sum over sites of exp(i theta), from a sector to the one above."""
        states = self.states[charge]
        out = np.zeros((len(self.states[charge + 1]), len(states)))
        for i in range(self.sites):
            moved = states.copy()
            moved[:, i] += 1
            rows = self._rows(moved, charge + 1)
            out[rows[rows >= 0], np.flatnonzero(rows >= 0)] = 1.0
        return out

    def _elements(self, operator: str, links):
        """Pairs of sectors (of a, of b) and the squares |O_ba|^2, (b, a)."""
        if operator == "pair":
            for k in range(min(self.states), max(self.states)):
                yield k, k + 1, (self.spectra[k + 1][1].T @ self._raised(k) @ self.spectra[k][1]) ** 2, 0.0
            return
        sign = -1.0 if operator == "current" else 1.0
        for k, (_, vectors) in self.spectra.items():
            hop = self.hop(k, links)
            element = vectors.T @ (0.5 * (hop + sign * hop.T)) @ vectors
            yield k, k, element**2, float(self.p[k] @ np.diag(element))

    def lines(self, operator: str, links) -> Lines:
        """Lines per site of "current" (on links), "cosine" (on links) or "pair"."""
        omega, weight, zero, equal, mean, beta = [], [], 0.0, 0.0, 0.0, self.beta
        for low, high, squares, diagonal in self._elements(operator, links):
            strength = squares / self.sites
            gap = self.spectra[high][0][:, None] - self.spectra[low][0][None, :]
            p_a, p_b = np.broadcast_to(self.p[low], gap.shape), self.p[high][:, None]
            equal += float((p_a * strength).sum())
            mean += diagonal
            # The smallest strengths, rounding noise of forbidden transitions, are no lines.
            up = (gap > 1e-9) & (strength * p_a > 1e-14)
            omega.append(gap[up])
            weight.append((np.pi * (p_a - p_b) * strength)[up] / gap[up])
            flat = np.abs(gap) <= 1e-9
            zero += float(np.pi * beta * (p_a * strength)[flat].sum())
        # The disconnected part <O>^2 is no response.
        zero -= np.pi * beta * mean**2 / self.sites
        equal -= mean**2 / self.sites
        return Lines(np.concatenate(omega), np.concatenate(weight), zero, equal, self.kinetic, beta)


def broadened_correlator(lines: Lines, tau, width: float, nodes: int = 61):
    """Correlator of the broadened spectrum: every line's Gaussian by Gauss-Hermite quadrature, (n_tau,).

    Each shifted line contributes its own thermal trace; even in omega, so negative shifts fold back.
    """
    x, g = np.polynomial.hermite_e.hermegauss(nodes)
    g = g / g.sum()
    total = np.zeros(len(np.atleast_1d(tau)))
    for shift, share in zip(x, g, strict=True):
        moved = np.abs(np.append(lines.omega, 0.0) + width * shift)
        weights = np.append(lines.weight, 0.5 * lines.zero)
        moved = np.maximum(moved, 1e-9)
        total += share * Lines(moved, weights, 0.0, 0.0, 0.0, lines.beta).correlator(tau)
    return total


def rotor_lines(charging: float, beta: float, n_max: int = 40) -> Lines:
    """Free rotor: lines of G(tau) = <exp(i theta(tau)) exp(-i theta)>, analytic."""
    n = np.arange(-n_max, n_max + 1)
    p = np.exp(-0.5 * beta * charging * n**2)
    p /= p.sum()
    gap = 0.5 * charging * (2 * n + 1)
    up = gap > 0
    # n -> n + 1 with energy gap > 0; those with gap < 0 are their emission counterparts.
    p, gap = p[up], gap[up]
    return Lines(gap, -np.pi * p * np.expm1(-beta * gap) / gap, 0.0, 1.0, 0.0, beta)
