"""Exact thermal averages of the link-current model on tiny tori, by transfer matrix.

Z = sum over integer currents J with div J = 0 of a product of link weights. One angle theta per vertex
enforces div J = 0, so that with the operators of one time slice

    D = prod_r w_tau(n_r)                  time links: diagonal in the charges n
    S = prod_bonds g(theta_i - theta_j)    space links: multiplication by g = sum_J w_x(J) exp(i J theta)

Z = Tr (D^(1/2) S D^(1/2))^L_tau. Inside a slice S is exact. The one approximation: charge configurations of
too small a time weight are dropped. `truncation` in the result estimates what that costs, as a relative
error: the probability that any of the L_tau time links visits the dropped states next in weight, or their
share of <n^2> if that is larger. Operators that are functions of theta are inserted next to S, with which
they commute.

Matrices. <n'|f(theta)|n> is the Fourier coefficient of f at d = n' - n. Only differences of angles occur, so
the angle of site 0 is set to 0 and f is tabulated on M^(N-1) angles, M so large that aliasing is
negligible. The total charge q is conserved, charge conjugation maps q to -q: blocks q >= 0 are diagonalised.

Currents. With V = -ln g, a link current is inserted by -i d/dA of g(theta + A): J -> i V', J^2 -> V'' - V'^2,
hence in one slice (sum J)^2 -> (sum i V')^2 + sum V''; the last term is the diamagnetic one. On a torus with
L = 2 the two bonds between the same sites carry opposite V': where both are present they add nothing to
(sum i V')^2, and a clean L = 2 direction has the same rho(i w_n) at all frequencies.

Units: E_J = 1, eps = beta/L_tau, K_x = eps, K_tau = 1/(eps E_C). Bonds: bool (2, Ly, Lx), bonds[0, y, x]
joins (x, y) and (x+1, y), bonds[1, y, x] joins (x, y) and (x, y+1); where L = 2 two distinct bonds join the
same two sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.fft import fftn
from scipy.special import iv

ACTIONS = ("rotor", "cosine", "villain")
Link = tuple[int, int, int]       # direction, y, x
J_RANGE = np.arange(-40, 41)      # currents in the series of g: the neglected ones are below 1e-30


@dataclass(frozen=True)
class Case:
    """A tiny model. charging = E_C, removed = cut bonds as (direction, y, x)."""

    name: str
    Lx: int
    Ly: int
    L_tau: int
    eps: float
    charging: float
    action: str
    removed: tuple[Link, ...] = ()

    @property
    def beta(self) -> float:
        return self.eps * self.L_tau

    @property
    def bonds(self) -> np.ndarray:
        bonds = np.ones((2, self.Ly, self.Lx), dtype=bool)
        for bond in self.removed:
            bonds[bond] = False
        return bonds


# ---- link weights ----------------------------------------------------------------------------------------


def time_weight(action: str, eps: float, charging: float, n: np.ndarray) -> np.ndarray:
    """w_tau(n)/w_tau(0)."""
    if action == "cosine":
        K = 1 / (eps * charging)
        return iv(np.abs(n), K) / iv(0, K)
    return np.exp(-0.5 * eps * charging * np.square(n))


def time_energy(action: str, eps: float, charging: float, n: np.ndarray) -> np.ndarray:
    """-d ln [w_tau(n)/w_tau(0)] / d eps, the charging energy of one time link."""
    if action == "cosine":
        K = 1 / (eps * charging)
        slope = (iv(np.abs(n - 1), K) + iv(np.abs(n + 1), K)) / (2 * iv(np.abs(n), K))
        return K / eps * (slope - iv(1, K) / iv(0, K))
    return 0.5 * charging * np.square(n)


def space_weight(action: str, eps: float, J: np.ndarray) -> np.ndarray:
    """w_x(J), with the normalisation that the energy refers to: I_J(eps), or a normalised Gaussian."""
    if action == "villain":
        return np.exp(-np.square(J) / (2 * eps)) / np.sqrt(2 * np.pi * eps)
    return iv(np.abs(J), eps)


def space_energy(action: str, eps: float, J: np.ndarray) -> np.ndarray:
    """e(J) = d ln w_x(J)/d eps; the bond energy of one space link is -e. Bessel weights: e is cos theta."""
    if action == "villain":
        return np.square(J) / (2 * eps**2) - 1 / (2 * eps)
    return (iv(np.abs(J - 1), eps) + iv(np.abs(J + 1), eps)) / (2 * iv(np.abs(J), eps))


# ---- charges and angles ----------------------------------------------------------------------------------


def charge_states(
    N: int, action: str, eps: float, charging: float, cut: float, max_block: int,
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], float]:
    """All n with time weight prod w_tau(n_r) >= cut, dict total charge q >= 0 -> int (states, N).

    Where the block q = 0 would exceed max_block states, the cut is raised until it fits.
    Returns the blocks, the blocks of the states next in weight (down to cut/1000), and the cut.
    """
    floor = np.log(cut / 1000)
    charges = np.arange(100)
    n_max = int(charges[time_weight(action, eps, charging, charges) >= cut / 1000].max())
    log_w = np.log(time_weight(action, eps, charging, np.arange(-n_max, n_max + 1)))
    states, log_weight = np.zeros((1, 0), dtype=int), np.zeros(1)
    for _ in range(N):
        states = np.column_stack([np.repeat(states, 2 * n_max + 1, axis=0),
                                  np.tile(np.arange(-n_max, n_max + 1), len(states))])
        log_weight = (log_weight[:, None] + log_w).ravel()
        states, log_weight = states[log_weight >= floor], log_weight[log_weight >= floor]
    q = states.sum(axis=1)
    log_cut = np.log(cut)
    neutral = np.sort(log_weight[q == 0])[::-1]
    if len(neutral) > max_block:
        # 1e-9: never cut through a shell of equal weights, which would break the symmetries.
        log_cut = max(log_cut, neutral[max_block] + 1e-9)
    kept = log_weight >= log_cut
    edge = (log_weight < log_cut) & (log_weight >= log_cut - np.log(1000))
    blocks = {k: states[kept & (q == k)] for k in range(q[kept].max() + 1)}
    return blocks, {k: states[edge & (q == k)] for k in blocks}, float(np.exp(log_cut))


def grid_size(w: np.ndarray, eps: float, d_max: int) -> int:
    """Number M of angles: Fourier coefficients |d| <= d_max of S and c S are free of aliases to 1e-12.

    w: the coefficients of g. At most four bonds meet at a site: g^3 times c g bounds what one site can do,
    the other angles being 0. Villain: c has poles at the complex zeros of g, so that c g falls off as
    exp(-|J|/(2 eps)) only; for the other actions c is the cosine.
    """
    n = 1024
    theta = 2 * np.pi * np.arange(n) / n
    g, slope, curvature = series(w, theta)
    cg = np.abs(np.fft.fft((slope**2 - curvature) * g / eps)) / n
    cg = np.concatenate([cg[n // 2:], cg[:n // 2]])
    total = np.convolve(np.convolve(w, w), np.convolve(w, cg))
    centre = 3 * (len(w) // 2) + n // 2
    reach = np.abs(np.flatnonzero(total > 1e-12 * total.max()) - centre).max()
    return 2 * ((d_max + int(reach)) // 2 + 1)


def series(w: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """g, g'/g and g''/g of g(theta) = sum_J w(J) exp(i J theta)."""
    phase = np.outer(theta, J_RANGE)
    g = np.cos(phase) @ w
    return g, -(np.sin(phase) @ (w * J_RANGE)) / g, -(np.cos(phase) @ (w * J_RANGE**2)) / g


class Slice:
    """The angles of one slice on a grid: M^(N-1) points, theta = 0 at site 0."""

    def __init__(self, bonds: np.ndarray, action: str, eps: float, d_max: int):
        _, self.Ly, self.Lx = bonds.shape
        self.N, self.d_max = self.Lx * self.Ly, d_max
        w = space_weight(action, eps, J_RANGE)
        self.M = grid_size(w, eps, d_max)
        theta = 2 * np.pi * np.arange(self.M) / self.M
        g, slope, curvature = series(w, theta)
        self.V1, self.V2 = -slope, slope**2 - curvature     # V', V'' of V = -ln g
        self.c, self.J2 = self.V2 / eps, -curvature         # J2: J^2 of one link at given angles
        self.cosine = np.cos(theta)
        # Functions of one current, as functions of the angles: sum_J w(J) f(J) exp(i J theta)/g.
        e_J = space_energy(action, eps, J_RANGE)
        self.e, self.e_squared = (np.cos(np.outer(theta, J_RANGE)) @ (w * f) / g for f in (e_J, e_J**2))
        self.g, self.log_g0 = g / w.sum(), np.log(w.sum())
        self.links = [(mu, y, x) for mu, y, x in np.ndindex(*bonds.shape) if bonds[mu, y, x]]
        self.strides = (2 * d_max + 1) ** np.arange(self.N - 1, -1, -1)
        self.strides[0] = 0
        self.S = np.ones((self.M,) * (self.N - 1))
        for link in self.links:
            self.S *= self.on_link(self.g, link)

    def angle(self, site: int) -> np.ndarray:
        """Angle of a site in units of 2 pi/M, as int array that broadcasts over the grid."""
        shape = [1] * (self.N - 1)
        if site > 0:
            shape[site - 1] = self.M
        return np.arange(np.prod(shape)).reshape(shape)

    def difference(self, i: int, j: int) -> np.ndarray:
        return (self.angle(i) - self.angle(j)) % self.M

    def on_link(self, f: np.ndarray, link: Link) -> np.ndarray:
        """f(theta_i - theta_j) on the bond from i to j."""
        mu, y, x = link
        j = y * self.Lx + (x + 1) % self.Lx if mu == 0 else (y + 1) % self.Ly * self.Lx + x
        return f[self.difference(y * self.Lx + x, j)]

    def total(self, f: np.ndarray, links: list[Link]) -> np.ndarray:
        """sum over links of f(theta_i - theta_j)."""
        out = np.zeros_like(self.S)
        for link in links:
            out += self.on_link(f, link)
        return out

    def coefficients(self, f: np.ndarray | None = None, odd: bool = False) -> np.ndarray:
        """Fourier coefficients of f S (odd: of i f S) at all |d_r| <= d_max, flat; f even (odd) in theta."""
        window = np.ix_(*[np.arange(-self.d_max, self.d_max + 1)] * (self.N - 1))
        c = fftn(self.S if f is None else f * self.S)[window] / self.S.size
        return np.ascontiguousarray(-c.imag if odd else c.real).ravel()

    def index(self, left: np.ndarray, right: np.ndarray, raised: int | None = None) -> np.ndarray:
        """Position of d = n' - n in a flat table of coefficients, n' in left, n in right.

        table[index] is the matrix <n'| f S |n>, with `raised` that of <n'| exp(i theta_raised) f S |n>.
        """
        origin = self.d_max * self.strides.sum() - (0 if raised is None else self.strides[raised])
        return origin + (left @ self.strides)[:, None] - (right @ self.strides)[None, :]

    def angle_distribution(self, rho: np.ndarray) -> np.ndarray:
        """p(theta) of one slice from rho[d] = sum_n <n| D^(1/2) T^(L_tau-1) D^(1/2) |n+d>; sum p = 1."""
        full = np.zeros((self.M,) * (self.N - 1))
        window = np.ix_(*[np.arange(-self.d_max, self.d_max + 1)] * (self.N - 1))
        full[window] = rho.reshape((2 * self.d_max + 1,) * (self.N - 1))
        p = fftn(full).real * self.S
        return p / p.sum()


# ---- thermal averages ------------------------------------------------------------------------------------


def two_slices(left: np.ndarray, right: np.ndarray, X: np.ndarray, L_tau: int) -> np.ndarray:
    """sum_ab left_a^(L_tau-k-1) X_ab right_b^(k-1) for k = 1 .. L_tau-1, eigenvalues left and right."""
    powers = np.arange(L_tau - 1)
    Y = (left[:, None] ** powers).T @ X @ right[:, None] ** powers
    return np.array([Y[L_tau - k - 1, k - 1] for k in range(1, L_tau)])


def thermal_averages(
    Lx: int, Ly: int, L_tau: int, eps: float, charging: float, action: str, bonds: np.ndarray,
    *, cut: float = 1e-16, max_block: int | None = None,
) -> dict[str, Any]:
    """Every thermal average of one model. Exact up to `truncation`, an estimate of the relative error.

    cut         charge configurations with a smaller time weight (of one slice, relative to n = 0) are dropped
    max_block   largest matrix; the cut is raised to meet it (default 500 for 4 sites, 1800 otherwise)

    Scalars     rho_s_x, rho_s_y, kappa, minus_kx, minus_ky, B, charging, bond, energy (per site), log_Z,
                n2 = <J_tau^2> per link, W2_x, W2_y, W2_tau
    n = 0 .. L_tau//2      rho_x, rho_y, chi_s_raw, chi_s (n = 0 connected), chi_e_raw
    k = 0 .. L_tau-1       G_k0, G_loc
    (L_tau, Ly, Lx)        G, averaged over origins, G_k0 = sum over r, G_loc at r = 0
    (2, Ly, Lx)            c, J2: <c> and <J^2> of each bond, 0 where it is cut
    bookkeeping            truncation, cut, block, M, n_max

    chi_s is the response of sum c(theta), c = V''/K_x. chi_e_raw correlates the currents' own
    e(J) = d ln w_x/d eps without contact terms, <e> = -bond. Bessel weights: both are cos theta, and
    chi_s_raw - chi_e_raw is the contact term eps/N sum <cos^2 - e^2>. Villain: c(J), the coefficient of c g
    over that of g, alternates and grows like exp(J^2/(2 eps) - |J|/(2 eps)), so that c, minus_k and chi_s can
    be had here but hardly by sampling currents; there chi_e_raw is the one to compare.
    """
    bonds = np.asarray(bonds, dtype=bool)
    if action not in ACTIONS:
        raise ValueError(f"action = {action!r}: must be one of {ACTIONS}")
    if bonds.shape != (2, Ly, Lx) or min(Lx, Ly, L_tau) < 2:
        raise ValueError(f"bonds {bonds.shape}, L_tau = {L_tau}: need (2, {Ly}, {Lx}) and every length >= 2")
    N, beta = Lx * Ly, eps * L_tau
    blocks, edges, cut = charge_states(N, action, eps, charging, cut, max_block or (500 if N <= 4 else 1800))
    n_max = max(int(np.abs(n).max()) for n in blocks.values())
    n_edge = max((int(np.abs(n).max(initial=0)) for n in edges.values()), default=0)
    sl = Slice(bonds, action, eps, d_max=max(2 * n_max + 1, n_max + n_edge))
    root_D = {q: np.sqrt(time_weight(action, eps, charging, n).prod(axis=1)) for q, n in blocks.items()}

    def matrix(table: np.ndarray, left: int, right: int, raised: int | None = None) -> np.ndarray:
        """D^(1/2) f S D^(1/2) between the blocks of charge left and right."""
        inner = table[sl.index(blocks[left], blocks[right], raised)]
        return root_D[left][:, None] * inner * root_D[right]

    # Currents of one slice: all links of a direction, and those through one column (its sum: the winding).
    x_links, y_links = ([b for b in sl.links if b[0] == mu] for mu in (0, 1))
    currents = {"x": x_links, "y": y_links,
                "W_x": [b for b in x_links if b[2] == 0], "W_y": [b for b in y_links if b[1] == 0]}
    slope = {key: sl.total(sl.V1, links) for key, links in currents.items()}
    B = sl.total(sl.c, sl.links)
    table_S = sl.coefficients()
    tables = {key: sl.coefficients(slope[key], odd=True) for key, links in currents.items() if links}
    tables["B"] = sl.coefficients(B)
    E_x = sl.total(sl.e, sl.links)
    if action == "villain":
        tables["E"] = sl.coefficients(E_x)

    spectra = {q: np.linalg.eigh(matrix(table_S, q, q)) for q in blocks}
    double = {q: 1 if q == 0 else 2 for q in blocks}              # the blocks q and -q
    weight = {q: double[q] * (lam**L_tau).sum() for q, (lam, _) in spectra.items()}
    Z = sum(weight.values())

    # One time link: distribution of the charges. One slice: distribution of the angles.
    n2 = energy_tau = 0.0
    lost = lost_n2 = 0.0
    rho = np.zeros(table_S.size)
    for q, n in blocks.items():
        lam, U = spectra[q]
        p = double[q] * U**2 @ lam**L_tau / Z
        n2 += p @ (n**2).mean(axis=1)
        energy_tau += p @ time_energy(action, eps, charging, n).mean(axis=1)
        # Visits of one time link to a state that was dropped, from the states kept on all others.
        V = table_S[sl.index(edges[q], n)] @ (root_D[q][:, None] * U)
        w_edge = time_weight(action, eps, charging, edges[q]).prod(axis=1)
        p = double[q] * w_edge * (V**2 @ lam ** (L_tau - 2)) / Z
        lost += p.sum()
        lost_n2 += p @ (edges[q] ** 2).mean(axis=1)
        R = root_D[q][:, None] * (U * lam ** (L_tau - 1) @ U.T) * root_D[q]
        rho += np.bincount(sl.index(n, n).ravel(), double[q] * R.ravel(), minlength=rho.size)
    p_theta = sl.angle_distribution(rho)

    def mean(f: np.ndarray) -> float:
        return float(np.vdot(p_theta, np.broadcast_to(f, p_theta.shape)))

    # Same slice: averages over the angles.
    C = {key: np.zeros(L_tau) for key in (*currents, "B", "E")}
    for key, links in currents.items():
        C[key][0] = mean(sl.total(sl.V2, links) - slope[key] ** 2)
    C["B"][0] = mean(B**2)
    C["E"][0] = mean(E_x**2 + sl.total(sl.e_squared - sl.e**2, sl.links))      # e(J)^2 on the same link
    c, J2, bond = np.zeros(bonds.shape), np.zeros(bonds.shape), -mean(E_x) / N
    for link in sl.links:
        c[link] = mean(sl.on_link(sl.c, link))
        J2[link] = mean(sl.on_link(sl.J2, link))
    G_pair = np.zeros((N, N, L_tau))
    for i, j in np.ndindex(N, N):
        G_pair[i, j, 0] = mean(sl.cosine[sl.difference(i, j)])

    # Different slices: matrix elements between eigenstates.
    for q in blocks:
        lam, U = spectra[q]
        for key, table in tables.items():
            A = U.T @ matrix(table, q, q) @ U
            C[key][1:] += double[q] * two_slices(lam, lam, A * A.T, L_tau) / Z
    for q in range(len(blocks) - 1):
        # exp(i theta_i) at slice k raises q to q+1, exp(-i theta_j) at slice 0 has lowered it; the pair of
        # blocks -q-1, -q gives the same with k -> L_tau-k.
        (low, U_low), (high, U_high) = spectra[q], spectra[q + 1]
        E = [U_high.T @ matrix(table_S, q + 1, q, raised=r) @ U_low for r in range(N)]
        for i, j in np.ndindex(N, N):
            Y = two_slices(high, low, E[i] * E[j], L_tau) / Z
            G_pair[i, j, 1:] += Y + Y[::-1]
    if action != "villain":
        C["E"][1:] = C["B"][1:]        # e and c are both cos theta

    G = np.zeros((L_tau, Ly, Lx))
    for i, j in np.ndindex(N, N):
        G[:, (i // Lx - j // Lx) % Ly, (i % Lx - j % Lx) % Lx] += G_pair[i, j] / N

    transform = np.cos(2 * np.pi / L_tau * np.outer(np.arange(L_tau // 2 + 1), np.arange(L_tau)))
    chi_s_raw = eps / N * transform @ C["B"]
    chi_s = chi_s_raw.copy()
    chi_s[0] -= eps * L_tau * c.sum() ** 2 / N
    W2_x, W2_y = L_tau * C["W_x"].sum(), L_tau * C["W_y"].sum()
    W2_tau = sum(weight[q] * q**2 for q in blocks) / Z
    scalars = {
        "rho_s_x": W2_x * Lx / (Ly * beta), "rho_s_y": W2_y * Ly / (Lx * beta), "kappa": beta * W2_tau / N,
        "W2_x": W2_x, "W2_y": W2_y, "W2_tau": W2_tau, "n2": n2,
        "minus_kx": c[0].sum() / N, "minus_ky": c[1].sum() / N, "B": c.sum(),
        "charging": energy_tau, "bond": bond, "energy": energy_tau + bond,
        "log_Z": L_tau * len(sl.links) * sl.log_g0 + np.log(Z),
        "truncation": max(L_tau * lost, lost_n2 / n2),
        "cut": cut,
    }
    arrays = {
        "rho_x": L_tau / (N * beta) * transform @ C["x"], "rho_y": L_tau / (N * beta) * transform @ C["y"],
        "chi_s_raw": chi_s_raw, "chi_s": chi_s, "chi_e_raw": eps / N * transform @ C["E"], "c": c, "J2": J2,
        "G": G, "G_k0": G.sum(axis=(1, 2)), "G_loc": G[:, 0, 0].copy(),
    }
    for array in arrays.values():
        array.setflags(write=False)          # results are cached and shared
    bookkeeping = {"block": len(blocks[0]), "M": sl.M, "n_max": n_max}
    return {key: float(value) for key, value in scalars.items()} | arrays | bookkeeping


@cache
def exact(case: Case) -> dict[str, Any]:
    """thermal_averages of a case, computed once per process; the arrays are read-only."""
    return thermal_averages(case.Lx, case.Ly, case.L_tau, case.eps, case.charging, case.action, case.bonds)


# Parameters with averages of order 0.01 to 1 and truncation < 1e-8 (1e-7 for the cosine action on six sites,
# whose time weights fall off slowly). Six sites need eps E_C of about 3: else too many charge states matter.
# 2x2 takes about 1 s, six sites 10 s to 60 s.
# L = 2 directions respond to a field at w_n > 0 only where their bonds are unequal: hence the cut ones.
CASES = (
    Case("rotor-2x2", 2, 2, 8, 0.5, 3.0, "rotor"),
    Case("rotor-2x2-diluted", 2, 2, 8, 0.5, 4.0, "rotor", ((0, 0, 1), (1, 1, 0))),
    Case("rotor-2x2-isolated-site", 2, 2, 8, 0.6, 2.5, "rotor", ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0))),
    Case("cosine-2x2", 2, 2, 6, 0.5, 2.0, "cosine"),
    Case("cosine-2x2-diluted", 2, 2, 8, 0.5, 3.0, "cosine", ((0, 1, 0),)),
    Case("villain-2x2", 2, 2, 6, 0.35, 4.0, "villain"),
    Case("villain-2x2-open-in-x", 2, 2, 8, 0.35, 4.0, "villain", ((0, 0, 1), (0, 1, 1), (1, 0, 0))),
    Case("rotor-3x2", 3, 2, 6, 0.8, 4.5, "rotor"),
    Case("rotor-3x2-ring-and-isolated-sites", 3, 2, 6, 0.9, 3.4, "rotor",
         (*((1, y, x) for y in range(2) for x in range(3)), (0, 1, 0), (0, 1, 1), (0, 1, 2))),
    Case("rotor-2x3-isolated-site", 2, 3, 5, 0.8, 4.0, "rotor", ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 2, 0))),
    Case("cosine-3x2-diluted", 3, 2, 4, 0.8, 6.0, "cosine", ((0, 0, 1), (1, 1, 2), (0, 1, 0), (1, 0, 1))),
    Case("villain-3x2-two-rings", 3, 2, 5, 0.4, 6.0, "villain",
         tuple((1, y, x) for y in range(2) for x in range(3))),
    Case("villain-2x3-diluted", 2, 3, 6, 0.35, 8.0, "villain", ((0, 1, 1), (1, 0, 0))),
)
