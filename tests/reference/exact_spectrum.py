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
    """Lines of the total current, or of the total bond cosine ("cosine"), per site; E_J = 1."""
    sectors = _sectors(sites, n_max)
    blocks = []
    for states in sectors.values():
        index = {s: i for i, s in enumerate(states)}
        hop = np.zeros((len(states), len(states)))     # sum_i exp(i(theta_i - theta_(i+1)))
        for s, column in index.items():
            for i in range(sites):
                moved = list(s)
                moved[i] += 1
                moved[(i + 1) % sites] -= 1
                row = index.get(tuple(moved))
                if row is not None:
                    hop[row, column] += 1.0
        cosine, current = 0.5 * (hop + hop.T), -0.5j * (hop - hop.T)
        squares = np.array([float(sum(n * n for n in s)) for s in states])
        energy, vectors = np.linalg.eigh(0.5 * charging * np.diag(squares) - cosine)
        chosen = current if operator == "current" else cosine
        blocks.append((energy, vectors.T @ chosen @ vectors, np.diag(vectors.T @ cosine @ vectors)))
    lowest = min(e.min() for e, _, _ in blocks)
    Z = sum(np.exp(-beta * (e - lowest)).sum() for e, _, _ in blocks)
    omega, weight, zero, equal, kinetic, mean = [], [], 0.0, 0.0, 0.0, 0.0
    for energy, element, cosine in blocks:
        p = np.exp(-beta * (energy - lowest)) / Z
        strength = np.abs(element) ** 2 / sites
        gap = energy[None, :] - energy[:, None]
        equal += float(p @ strength.sum(axis=1))
        kinetic += float(p @ cosine) / sites
        mean += float(p @ np.real(np.diag(element)))
        up = gap > 1e-9
        omega.append(gap[up])
        weight.append((np.pi * (p[:, None] - p[None, :]) * strength)[up] / gap[up])
        flat = np.abs(gap) <= 1e-9
        zero += float(np.pi * beta * (p[:, None] * strength)[flat].sum())
    # The disconnected part <O>^2 is no response.
    zero -= np.pi * beta * mean**2 / sites
    equal -= mean**2 / sites
    return Lines(np.concatenate(omega), np.concatenate(weight), zero, equal, kinetic, beta)


def _sectors(sites: int, n_max: int) -> dict[int, list[tuple[int, ...]]]:
    sectors: dict[int, list[tuple[int, ...]]] = {}
    for s in product(range(-n_max, n_max + 1), repeat=sites):
        sectors.setdefault(sum(s), []).append(s)
    return sectors


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
