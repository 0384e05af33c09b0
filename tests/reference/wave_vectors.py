"""Definitions of the responses at finite wave vectors, written as sums over links.

Wave vectors    q = (2 pi m_x/Lx, 2 pi m_y/Ly). A wave (m_x, m_y) with m_x = 0 .. Lx//2, m_y = 0 .. Ly//2, not
                both zero, stands for the vectors (+-m_x, +-m_y): every response below is the mean over them.
                A vector and its negative give the same response, so a half plane holds all of them. On a
                square the disorder mean is the same for (m_x, m_y) and (m_y, m_x).
Positions       A link current sits on the midpoint of its bond: J_x(x, y) at (x + 1/2, y), J_y(x, y) at
                (x, y + 1/2). J_mu(q) = sum over bonds of J exp(-i q R), R the midpoint. With q^ = 2 sin(q/2)
                the continuity equation at frequency zero is then q^_x J_x(q) + q^_y J_y(q) = 0 exactly.
Transverse      J_T(q) = (q^_y J_x(q) - q^_x J_y(q))/|q^|: J_x for q along y, -J_y for q along x.
Current         K_T(q, i w_n) = <|sum_k J_T(q, k) exp(i w_n tau_k)|^2>/(Lx Ly beta), mean over +-w_n.
                The contact (diamagnetic) term is part of the link currents. q -> 0 gives rho(i w_n).
Scalar          chi_s(q, i w_n) = (eps/(Lx Ly L_tau)) <|sum_k B(q, k) exp(i w_n tau_k)|^2> + contact, B(q, k)
                the sum over the bonds of slice k of E_J cos(theta) exp(-i q R). The same link at the same
                time adds the same contact term at every q. Not connected: at n = 0 it holds the static
                pattern of <B(q)> of a disordered sample.
Boson           G(q, tau) = sum over r of G(r, tau) exp(-i q r), G(r, tau) averaged over origins.
"""

from __future__ import annotations

import numpy as np

Link = tuple[int, int, int]       # direction, y, x
Wave = tuple[int, int]


def waves_of(Lx: int, Ly: int) -> tuple[Wave, ...]:
    """All waves (m_x, m_y) of an array."""
    return tuple((x, y) for x in range(Lx // 2 + 1) for y in range(Ly // 2 + 1) if x or y)


def signs_of(wave: Wave) -> tuple[Wave, ...]:
    """The vectors of a wave in one half plane, as signed integers."""
    x, y = wave
    return ((x, y), (x, -y)) if x and y else (wave,)


def phases(links: list[Link], signed: Wave, Lx: int, Ly: int) -> np.ndarray:
    """exp(-i q R) of the midpoints of the links."""
    mu, y, x = np.array(links, float).reshape(-1, 3).T
    q_x, q_y = 2 * np.pi * signed[0] / Lx, 2 * np.pi * signed[1] / Ly
    return np.exp(-1j * (q_x * (x + 0.5 * (mu == 0)) + q_y * (y + 0.5 * (mu == 1))))


def transverse_weights(links: list[Link], signed: Wave, Lx: int, Ly: int) -> np.ndarray:
    """Complex weight of every link current in J_T(q)."""
    hat_x, hat_y = 2 * np.sin(np.pi * signed[0] / Lx), 2 * np.sin(np.pi * signed[1] / Ly)
    mu = np.array(links, int).reshape(-1, 3)[:, 0]
    projection = np.where(mu == 0, hat_y, -hat_x) / np.hypot(hat_x, hat_y)
    return projection * phases(links, signed, Lx, Ly)


def weighted_sums(
    links: list[Link], wave: Wave, Lx: int, Ly: int, transverse: bool
) -> list[dict[Link, float]]:
    """Real sums over links whose squares add up to the mean of |J_T(q)|^2 (or |B(q)|^2) over a wave."""
    out = []
    for signed in signs_of(wave):
        weight = (transverse_weights if transverse else phases)(links, signed, Lx, Ly)
        for part in (weight.real, weight.imag):
            scaled = part / np.sqrt(len(signs_of(wave)))
            out.append({link: float(w) for link, w in zip(links, scaled, strict=True)})
    return out


def boson(G: np.ndarray, wave: Wave) -> np.ndarray:
    """G(q, tau), (L_tau,), from G(tau, y, x); the mean over the vectors of a wave."""
    _, Ly, Lx = G.shape
    along_x = np.cos(2 * np.pi * wave[0] * np.arange(Lx) / Lx)
    along_y = np.cos(2 * np.pi * wave[1] * np.arange(Ly) / Ly)
    return np.einsum("kyx,y,x->k", G, along_y, along_x)


def brute_force(J: np.ndarray, eps: float, signed: Wave) -> np.ndarray:
    """K_T(q, i w_n) of one configuration J[mu, tau, y, x] (mu = 0 time, 1 x, 2 y), n = 0 .. L_tau // 2."""
    _, L_tau, Ly, Lx = J.shape
    links = [(mu, y, x) for mu, y, x in np.ndindex(2, Ly, Lx)]
    weight = transverse_weights(links, signed, Lx, Ly).reshape(2, Ly, Lx)
    series = np.einsum("mkyx,myx->k", J[1:], weight)
    n = np.arange(L_tau // 2 + 1)
    phase = np.exp(2j * np.pi / L_tau * np.outer(n, np.arange(L_tau)))
    both = np.abs(phase @ series) ** 2 + np.abs(phase.conj() @ series) ** 2
    return np.asarray(both / 2 / (Lx * Ly * eps * L_tau))
