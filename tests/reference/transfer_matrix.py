"""Exact thermal averages of the link-current model on tiny tori, by transfer matrix.

Z = sum over integer currents J with div J = 0 of a product of link weights. One angle theta per vertex
enforces div J = 0, so that with the operators of one time slice

    D = prod_r w_tau(n_r)                  time links: diagonal in the charges n
    S = prod_bonds g(theta_i - theta_j)    space links: multiplication by g = sum_J w_x(J) exp(i J theta)

Z = Tr (D^(1/2) S D^(1/2))^L_tau. Inside a slice S is exact. The one approximation: charge configurations of
too small a time weight are dropped. `truncation` in the result estimates what that costs, as a relative
error: the probability that any of the L_tau time links visits the dropped states next in weight, or their
share of <n^2> or of the squared charging energy of a slice, the highest power that enters, if one of those
is larger. Operators that are functions of theta are inserted next to S, with which they commute.

Matrices. <n'|f(theta)|n> is the Fourier coefficient of f at d = n' - n. Only differences of angles occur, so
the angle of site 0 is set to 0 and f is tabulated on M^(N-1) angles, M so large that aliasing is
negligible. The total charge q is conserved, charge conjugation maps q to -q: blocks q >= 0 are diagonalised.

Currents. With V = -ln g, a link current is inserted by -i d/dA of g(theta + A): J -> i V', J^2 -> V'' - V'^2,
hence in one slice (sum J)^2 -> (sum i V')^2 + sum V''; the last term is the diamagnetic one. On a torus with
L = 2 the two bonds between the same sites carry opposite V': where both are present they add nothing to
(sum i V')^2, and a clean L = 2 direction has the same rho(i w_n) at all frequencies.

Disorder: missing bonds, missing sites (neither charge nor angle: the matrices know the present ones only),
E_J of each bond, E_C of each site. A charge offset n_g multiplies w_tau(n) by exp(eps E_C n_g n); then the
blocks q and -q differ, and all of them are diagonalised.

Windings. A twist exp(i phi J) of the bonds that cross x = 0 weighs a configuration with exp(i phi W_x): the
distribution of the windings is the Fourier transform of Z(phi_x, phi_y).

Units: clean E_J = 1, eps = beta/L_tau, K_x = eps E_J, K_tau = 1/(eps E_C).
Bonds: bool (2, Ly, Lx), bonds[0, y, x] joins (x, y) and (x+1, y), bonds[1, y, x] joins (x, y) and (x, y+1);
where L = 2 two distinct bonds join the same two sites.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from scipy.fft import fftn
from scipy.special import iv

from reference.wave_vectors import boson, weighted_sums

ACTIONS = ("rotor", "cosine", "villain")
Link = tuple[int, int, int]       # direction, y, x
Weighted = dict[Link, float]
J_RANGE = np.arange(-40, 41)      # currents in the series of g: the neglected ones are below 1e-30


@dataclass(frozen=True)
class Case:
    """A tiny model. charging = E_C, removed = cut bonds as (direction, y, x), absent = sites as (y, x).

    E_J and E_C lie in boxes of relative half width spread_J and spread_C, drawn from one fixed stream.
    """

    name: str
    Lx: int
    Ly: int
    L_tau: int
    eps: float
    charging: float
    action: str
    removed: tuple[Link, ...] = ()
    absent: tuple[tuple[int, int], ...] = ()
    spread_J: float = 0.0
    spread_C: float = 0.0
    n_g: float = 0.0

    @property
    def beta(self) -> float:
        return self.eps * self.L_tau

    @property
    def bonds(self) -> np.ndarray:
        bonds = np.ones((2, self.Ly, self.Lx), dtype=bool)
        for bond in self.removed:
            bonds[bond] = False
        bonds[0] &= self.sites & np.roll(self.sites, -1, axis=1)
        bonds[1] &= self.sites & np.roll(self.sites, -1, axis=0)
        return bonds

    @property
    def sites(self) -> np.ndarray:
        sites = np.ones((self.Ly, self.Lx), dtype=bool)
        for site in self.absent:
            sites[site] = False
        return sites

    @property
    def E_J(self) -> np.ndarray:
        u = np.random.default_rng(7).random((2, self.Ly, self.Lx))
        return 1 + self.spread_J * (2 * u - 1)

    @property
    def E_C(self) -> np.ndarray:
        u = np.random.default_rng(8).random((self.Ly, self.Lx))
        return self.charging * (1 + self.spread_C * (2 * u - 1))


# ---- link weights ----------------------------------------------------------------------------------------


def time_weight(action: str, eps: float, charging: float, n: np.ndarray) -> np.ndarray:
    """w_tau(n)/w_tau(0) without charge offset; charging and n broadcast."""
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


def time_contact(action: str, eps: float, charging: float, n: np.ndarray) -> np.ndarray:
    """d^2 ln [w_tau(n)/w_tau(0)] / d eps^2, by differences of `time_energy`; zero for Gaussian weights."""
    h = 1e-3 * eps
    steps = [time_energy(action, eps + k * h, charging, n) for k in (-2, -1, 1, 2)]
    return (8 * (steps[1] - steps[2]) - (steps[0] - steps[3])) / (12 * h)


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


def space_contact(action: str, eps: float, J: np.ndarray) -> np.ndarray:
    """d^2 ln w_x(J)/d eps^2."""
    if action == "villain":
        return 1 / (2 * eps**2) - np.square(J) / eps**3
    cos = space_energy(action, eps, J)
    cos2 = (iv(abs(J - 2), eps) + 2 * iv(abs(J), eps) + iv(abs(J + 2), eps)) / (4 * iv(abs(J), eps))
    return cos2 - cos**2


# ---- charges and angles ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Charges:
    """Time links of the present sites: E_C (N,), and the offset n_g."""

    action: str
    eps: float
    E_C: np.ndarray
    n_g: float

    def log_weight(self, n: np.ndarray, site: int | slice = slice(None)) -> np.ndarray:
        """ln w_tau of charges n; site picks the E_C that belong to the last axis."""
        E_C = self.E_C[site]
        weight = np.maximum(time_weight(self.action, self.eps, E_C, n), 1e-300)
        return np.log(weight) + self.eps * self.n_g * E_C * n

    def energy(self, n: np.ndarray) -> np.ndarray:
        return time_energy(self.action, self.eps, self.E_C, n) - self.E_C * self.n_g * n

    def contact(self, n: np.ndarray) -> np.ndarray:
        if self.action != "cosine":
            return np.zeros(n.shape)
        return time_contact(self.action, self.eps, self.E_C, n)

    def root_D(self, n: np.ndarray) -> np.ndarray:
        return np.exp(0.5 * self.log_weight(n).sum(axis=-1))


def charge_states(
    charges: Charges, cut: float, max_block: int,
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], float]:
    """All n of time weight prod w_tau(n_r) >= cut times the largest: total charge q -> int (states, N).

    Where the block q = 0 would exceed max_block states, the cut is raised until it fits. Without charge
    offset only q >= 0. Returns the blocks, the blocks of the states next in weight (down to cut/1000), and
    the cut.
    """
    floor = np.log(cut / 1000)
    n_max, N = 100, len(charges.E_C)
    softest = int(charges.E_C.argmin())
    while charges.log_weight(np.array([n_max, -n_max]), softest).max() < floor:
        n_max -= 1
    n = np.arange(-n_max, n_max + 1)
    states, log_weight = np.zeros((1, 0), dtype=int), np.zeros(1)
    for site in range(N):
        states = np.column_stack([np.repeat(states, len(n), axis=0), np.tile(n, len(states))])
        log_w = charges.log_weight(n, site)
        log_weight = (log_weight[:, None] + log_w - log_w.max()).ravel()
        states, log_weight = states[log_weight >= floor], log_weight[log_weight >= floor]
    q = states.sum(axis=1)
    log_cut = np.log(cut)
    neutral = np.sort(log_weight[q == 0])[::-1]
    if len(neutral) > max_block:
        # 1e-9: never cut through a shell of equal weights, which would break the symmetries.
        log_cut = max(log_cut, neutral[max_block] + 1e-9)
    kept = log_weight >= log_cut
    edge = (log_weight < log_cut) & (log_weight >= log_cut - np.log(1000))
    first = q[kept].min() if charges.n_g else 0
    blocks = {k: states[kept & (q == k)] for k in range(first, q[kept].max() + 1)}
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
    """The angles of the present sites in one slice on a grid: M^(N-1) points, theta = 0 at the first site."""

    def __init__(
        self, bonds: np.ndarray, sites: np.ndarray, E_J: np.ndarray, action: str, eps: float, d_max: int
    ) -> None:
        _, self.Ly, self.Lx = bonds.shape
        self.N, self.d_max = int(sites.sum()), d_max
        self.number = np.cumsum(sites.ravel()).reshape(sites.shape) - 1      # of a present site
        self.links = [(mu, y, x) for mu, y, x in np.ndindex(*bonds.shape) if bonds[mu, y, x]]
        K_max = eps * max((E_J[link] for link in self.links), default=1.0)
        self.M = grid_size(space_weight(action, K_max, J_RANGE), K_max, d_max)
        self.theta = 2 * np.pi * np.arange(self.M) / self.M
        self.action, self.eps, self.E_J = action, eps, E_J
        self.functions = {link: self.link_functions(E_J[link]) for link in self.links}
        self.log_g0 = sum(float(f["log_g0"]) for f in self.functions.values())
        self.cosine = np.cos(self.theta)
        self.strides = (2 * d_max + 1) ** np.arange(self.N - 1, -1, -1)
        self.strides[0] = 0
        self.S = np.ones((self.M,) * (self.N - 1))
        for link in self.links:
            self.S *= self.on_link("g", link)

    @cache  # noqa: B019
    def link_functions(self, E_J: float) -> dict[str, np.ndarray]:
        """Functions of the angle of a bond, (M,).

        g over its value at 0; V1, V2 = V', V'' of V = -ln g; c = V''/eps. Functions of one current, as
        functions of the angles, sum_J w(J) f(J) exp(i J theta)/g: J2 of J^2, e and e_squared of d ln w/d eps
        and its square, contact of d^2 ln w/d eps^2.
        """
        K = self.eps * E_J
        w = space_weight(self.action, K, J_RANGE)
        g, slope, curvature = series(w, self.theta)
        V2 = slope**2 - curvature
        e = E_J * space_energy(self.action, K, J_RANGE)
        contact = E_J**2 * space_contact(self.action, K, J_RANGE)
        of_current = {"J2": np.square(J_RANGE), "e": e, "e_squared": e**2, "contact": contact}
        phase = np.cos(np.outer(self.theta, J_RANGE))
        return {"g": g / w.sum(), "log_g0": np.log(w.sum()), "V1": -slope, "V2": V2, "c": V2 / self.eps} | {
            name: phase @ (w * f) / g for name, f in of_current.items()
        }

    def angle(self, site: int) -> np.ndarray:
        """Angle of a site in units of 2 pi/M, as int array that broadcasts over the grid."""
        shape = [1] * (self.N - 1)
        if site > 0:
            shape[site - 1] = self.M
        return np.arange(np.prod(shape)).reshape(shape)

    def difference(self, i: int, j: int) -> np.ndarray:
        return (self.angle(i) - self.angle(j)) % self.M

    def ends(self, link: Link) -> tuple[int, int]:
        """Numbers of the sites i and j that a bond joins."""
        mu, y, x = link
        there = (y, (x + 1) % self.Lx) if mu == 0 else ((y + 1) % self.Ly, x)
        return int(self.number[y, x]), int(self.number[there])

    def on_link(self, name: str, link: Link) -> np.ndarray:
        """Function f(theta_i - theta_j) of the bond from i to j."""
        return self.functions[link][name][self.difference(*self.ends(link))]

    def total(self, name: str, links: Weighted) -> np.ndarray:
        """sum over links of weight f(theta_i - theta_j)."""
        out = np.zeros_like(self.S)
        for link, weight in links.items():
            out += weight * self.on_link(name, link)
        return out

    def squared(self, name: str, links: Weighted) -> np.ndarray:
        """sum over links of weight^2 f(theta_i - theta_j)."""
        return self.total(name, {link: weight**2 for link, weight in links.items()})

    def twisted(self, phi: tuple[float, float]) -> np.ndarray:
        """S with the phase exp(i phi_mu J) on the bonds that cross the edge of the torus; complex."""
        S = self.S.astype(complex)
        for mu, y, x in self.links:
            if (x, y)[mu] == (self.Lx, self.Ly)[mu] - 1:
                w = space_weight(self.action, self.eps * self.E_J[mu, y, x], J_RANGE)
                g = np.exp(1j * np.outer(self.theta + phi[mu], J_RANGE)) @ w / w.sum()
                difference = self.difference(*self.ends((mu, y, x)))
                S *= (g / self.functions[mu, y, x]["g"])[difference]
        return S

    def coefficients(self, f: np.ndarray | None = None, odd: bool = False) -> np.ndarray:
        """Fourier coefficients of f S (odd: of i f S) at all |d_r| <= d_max, flat; f even (odd) in theta."""
        c = self.window(self.S if f is None else f * self.S)
        return np.ascontiguousarray(-c.imag if odd else c.real)

    def window(self, f: np.ndarray) -> np.ndarray:
        """Fourier coefficients of f at all |d_r| <= d_max, flat, complex."""
        window = np.ix_(*[np.arange(-self.d_max, self.d_max + 1)] * (self.N - 1))
        return fftn(f)[window].ravel() / f.size

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


NEGLIGIBLE = 1e-18
"""Weight of a pair of eigenstates, relative to the largest one, below which the pair is left out."""


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues (states,), the largest of all blocks being 1, and eigenvectors of one block.

    The first `dominant` states have |value| > NEGLIGIBLE^(1/(L_tau - 2)): of two states with smaller values,
    left^p right^(L_tau - 2 - p) is below NEGLIGIBLE for every p, so no matrix element between them is needed.
    """

    values: np.ndarray
    vectors: np.ndarray
    dominant: int

    def powers(self, top: int) -> np.ndarray:
        """values^k, k = 0 .. top - 1, (states, top)."""
        return np.cumprod(np.column_stack([np.ones(len(self.values)), *[self.values] * (top - 1)]), axis=1)


def ordered_spectrum(values: np.ndarray, vectors: np.ndarray, top: float, L_tau: int) -> Spectrum:
    """Eigenstates in the order of falling |value|, values in units of `top`."""
    order = np.argsort(-np.abs(values), kind="stable")
    values = values[order] / top
    threshold = NEGLIGIBLE ** (1 / (L_tau - 2)) if L_tau > 2 else -1.0
    return Spectrum(values, np.ascontiguousarray(vectors[:, order]), int((np.abs(values) > threshold).sum()))


Elements = tuple[np.ndarray, np.ndarray]
"""Matrix elements <a|X|b> of dominant a and all b, and of all other a and dominant b."""


def elements(left: Spectrum, X: np.ndarray, right: Spectrum) -> Elements:
    a, b = left.dominant, right.dominant
    return (left.vectors[:, :a].T @ X) @ right.vectors, left.vectors[:, a:].T @ (X @ right.vectors[:, :b])


def squared_elements(spectrum: Spectrum, X: np.ndarray) -> Elements:
    """Squares of the elements of a symmetric, antisymmetric or diagonal (one axis) matrix in one block."""
    a, U = spectrum.dominant, spectrum.vectors
    left = U[:, :a].T * X if X.ndim == 1 else U[:, :a].T @ X
    first = (left @ U) ** 2
    return first, first[:, a:].T


def two_slices(left: Spectrum, products: Elements, right: Spectrum, L_tau: int) -> np.ndarray:
    """sum_ab left_a^(L_tau-k-1) products_ab right_b^(k-1) for k = 1 .. L_tau-1."""
    a, b = left.dominant, right.dominant
    l_powers, r_powers = left.powers(L_tau - 1), right.powers(L_tau - 1)
    Y = l_powers[:a].T @ (products[0] @ r_powers) + l_powers[a:].T @ (products[1] @ r_powers[:b])
    return np.array([Y[L_tau - k - 1, k - 1] for k in range(1, L_tau)])


def checked(
    Lx: int, Ly: int, L_tau: int, charging: float, action: str, bonds: np.ndarray,
    sites: np.ndarray | None, E_J: np.ndarray | None, E_C: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """bonds, sites, E_J, E_C in full; ValueError if they make no model."""
    if action not in ACTIONS:
        raise ValueError(f"action = {action!r}: must be one of {ACTIONS}")
    bonds = np.array(bonds, dtype=bool)
    if bonds.shape != (2, Ly, Lx) or min(Lx, Ly, L_tau) < 2:
        raise ValueError(f"bonds {bonds.shape}, L_tau = {L_tau}: need (2, {Ly}, {Lx}) and every length >= 2")
    sites = np.ones((Ly, Lx), dtype=bool) if sites is None else np.asarray(sites, dtype=bool)
    for mu in range(2):
        bonds[mu] &= sites & np.roll(sites, -1, axis=1 - mu)
    E_J = np.ones((2, Ly, Lx)) if E_J is None else np.asarray(E_J, dtype=float)
    E_C = np.full((Ly, Lx), float(charging)) if E_C is None else np.asarray(E_C, dtype=float)
    return bonds, sites, E_J, E_C


def thermal_averages(
    Lx: int, Ly: int, L_tau: int, eps: float, charging: float, action: str, bonds: np.ndarray,
    *, sites: np.ndarray | None = None, E_J: np.ndarray | None = None, E_C: np.ndarray | None = None,
    n_g: float = 0.0, cut: float = 1e-16, max_block: int | None = None,
    waves: tuple[tuple[int, int], ...] = (),
) -> dict[str, Any]:
    """Every thermal average of one model. Exact up to `truncation`, an estimate of the relative error.

    sites, E_J, E_C   present sites (Ly, Lx), couplings (2, Ly, Lx) and (Ly, Lx); clean if None
    cut         charge configurations with a smaller time weight (of one slice, relative to the largest one)
                are dropped
    max_block   largest matrix; the cut is raised to meet it (default 500 for 4 sites, 1800 otherwise)
    waves       wave vectors of K_T, chi_s_q and G_q, see `wave_vectors`

    Per site means per Lx Ly, missing sites included.
    Scalars     rho_s_x, rho_s_y, kappa, minus_kx, minus_ky, B, charging, bond, energy (per site), log_Z,
                n2 = <J_tau^2> per present time link, W2_x, W2_y, W2_tau, W4_tau, density, rho_t_x, rho_t_y
                (static current response at the smallest transverse wave vector), contact and time_contact
                (sums over the links of one slice of d^2 ln w/d eps^2)
    n = 0 .. L_tau//2      rho_x, rho_y, chi_s_raw, chi_s (n = 0 connected), chi_e_raw, chi_c_raw
    k = 0 .. L_tau-1       G_k0, G_loc
    (L_tau, Ly, Lx)        G, summed over origins and divided by Lx Ly; G_k0 = sum over r, G_loc at r = 0 per
                           present site. For tau > 0 there is one more pair between 0 and tau
    (waves, n)             K_T, and chi_s_q of e(J) with its contact term, both by wave vector; not connected
    (waves, L_tau)         G_q
    (2, Ly, Lx)            c, J2: <c> and <J^2> of each bond, 0 where it is cut
    (Ly, Lx)               density_map <n(r)>, kappa_map beta <n(r) Q>, kappa_loc_map beta <n(r)^2>, n(r) the
                           mean of J_tau over time; G_r0 = G at equal time
    bookkeeping            truncation, cut, block, M, n_max

    kappa and its maps are not connected. chi_s is the response of sum c(theta), c = V''/eps. chi_e_raw
    correlates the currents' own e(J) = d ln w_x/d eps without contact terms, <e> = -bond. Bessel weights:
    both are E_J cos theta, and chi_s_raw - chi_e_raw is the contact term. Villain: c(J), the coefficient of
    c g over that of g, alternates and grows like exp(J^2/(2 eps) - |J|/(2 eps)), so that c, minus_k and chi_s
    can be had here but hardly by sampling currents; there chi_e_raw is the one to compare. chi_c_raw
    responds to E_C: charging energies of two slices, with the contact term.
    """
    bonds, sites, E_J, E_C = checked(Lx, Ly, L_tau, charging, action, bonds, sites, E_J, E_C)
    volume, N, beta = Lx * Ly, int(sites.sum()), eps * L_tau
    links_t = Charges(action, eps, E_C[sites], n_g)
    blocks, edges, cut = charge_states(links_t, cut, max_block or (500 if N <= 4 else 1800))
    n_max = max(int(np.abs(n).max()) for n in blocks.values())
    n_edge = max((int(np.abs(n).max(initial=0)) for n in edges.values()), default=0)
    sl = Slice(bonds, sites, E_J, action, eps, d_max=max(2 * n_max + 1, n_max + n_edge))
    root_D = {q: links_t.root_D(n) for q, n in blocks.items()}

    @cache
    def place(left: int, right: int, raised: int | None) -> np.ndarray:
        return sl.index(blocks[left], blocks[right], raised)

    def matrix(table: np.ndarray, left: int, right: int, raised: int | None = None) -> np.ndarray:
        """D^(1/2) f S D^(1/2) between the blocks of charge left and right."""
        return root_D[left][:, None] * table[place(left, right, raised)] * root_D[right]

    # Currents of one slice: all links of a direction, those through one column (its sum: the winding), and
    # the two parts of the wave across.
    x_links, y_links = ([b for b in sl.links if b[0] == mu] for mu in (0, 1))
    currents: dict[str, Weighted] = {
        "x": dict.fromkeys(x_links, 1.0), "y": dict.fromkeys(y_links, 1.0),
        "W_x": {b: 1.0 for b in x_links if b[2] == 0}, "W_y": {b: 1.0 for b in y_links if b[1] == 0},
    }
    for part, wave in (("c", np.cos), ("s", np.sin)):
        currents[f"t{part}_x"] = {b: wave(2 * np.pi * b[1] / Ly) for b in x_links}
        currents[f"t{part}_y"] = {b: wave(2 * np.pi * b[2] / Lx) for b in y_links}
    all_links = dict.fromkeys(sl.links, 1.0)
    energies: dict[str, Weighted] = {"E": all_links}
    for m, wave in enumerate(waves):
        for prefix, sums, transverse in (("T", currents, True), ("E", energies, False)):
            for part, weights in enumerate(weighted_sums(sl.links, wave, Lx, Ly, transverse)):
                sums[f"{prefix}{m}.{part}"] = weights
    slope = {key: sl.total("V1", links) for key, links in currents.items()}
    B = sl.total("c", all_links)
    energy = {key: sl.total("e", links) for key, links in energies.items()}
    E_x = energy["E"]
    table_S = sl.coefficients()
    tables = {key: sl.coefficients(slope[key], odd=True) for key, links in currents.items() if links}
    tables["B"] = sl.coefficients(B)
    tables |= {key: sl.coefficients(f) for key, f in energy.items() if key != "E" or action == "villain"}

    found = {q: np.linalg.eigh(matrix(table_S, q, q)) for q in blocks}
    top = max(np.abs(lam).max() for lam, _ in found.values())         # a common factor, against overflow
    spectra = {q: ordered_spectrum(lam, U, top, L_tau) for q, (lam, U) in found.items()}
    double = {q: 1 if q == 0 or n_g else 2 for q in blocks}           # the blocks q and -q
    weight = {q: double[q] * (spectrum.values**L_tau).sum() for q, spectrum in spectra.items()}
    Z = sum(weight.values())

    # Time links: distribution of the charges, their correlations. One slice: distribution of the angles.
    n2 = energy_tau = contact_tau = 0.0
    C_tau = np.zeros(L_tau)
    density_map, kappa_map, kappa_loc_map = np.zeros((3, N))
    lost = lost_n2 = lost_T2 = T2 = 0.0
    rho = np.zeros(table_S.size)
    for q, n in blocks.items():
        spectrum = spectra[q]
        lam, U = spectrum.values[: spectrum.dominant], spectrum.vectors[:, : spectrum.dominant]
        p = double[q] * U**2 @ lam**L_tau / Z
        n2 += p @ (n**2).mean(axis=1)
        T = links_t.energy(n).sum(axis=1)
        energy_tau += p @ T
        T2 += p @ T**2
        contact_tau += p @ links_t.contact(n).sum(axis=1)
        T_squared = squared_elements(spectrum, T)
        C_tau += double[q] * two_slices(spectrum, T_squared, spectrum, L_tau + 2)[:-1] / Z
        if n_g:
            density_map += p @ n
        kappa_map += beta * q * (p @ n)
        for r in range(N):
            n_squared = squared_elements(spectrum, n[:, r])
            correlated = two_slices(spectrum, n_squared, spectrum, L_tau + 2)[:-1]
            kappa_loc_map[r] += beta * double[q] * correlated.mean() / Z
        # Visits of one time link to a state that was dropped, from the states kept on all others.
        V = table_S[sl.index(edges[q], n)] @ (root_D[q][:, None] * U) / top
        w_edge = links_t.root_D(edges[q]) ** 2
        p = double[q] * w_edge * (V**2 @ lam ** (L_tau - 2)) / Z
        lost += p.sum()
        lost_n2 += p @ (edges[q] ** 2).mean(axis=1)
        lost_T2 += p @ links_t.energy(edges[q]).sum(axis=1) ** 2
        R = root_D[q][:, None] * (U * lam ** (L_tau - 1) @ U.T) * root_D[q]
        rho += np.bincount(place(q, q, None).ravel(), double[q] * R.ravel(), minlength=rho.size)
    p_theta = sl.angle_distribution(rho)

    def mean(f: np.ndarray) -> float:
        return float(np.vdot(p_theta, np.broadcast_to(f, p_theta.shape)))

    # Same slice: averages over the angles.
    C = {key: np.zeros(L_tau) for key in (*currents, "B", *energies)}
    for key, links in currents.items():
        C[key][0] = mean(sl.squared("V2", links) - slope[key] ** 2)
    C["B"][0] = mean(B**2)
    for key, links in energies.items():                               # e(J)^2 on the same link
        own = sum(w**2 * (sl.on_link("e_squared", b) - sl.on_link("e", b) ** 2) for b, w in links.items())
        C[key][0] = mean(energy[key] ** 2 + own)
    c, J2, bond = np.zeros(bonds.shape), np.zeros(bonds.shape), -mean(E_x) / volume
    for link in sl.links:
        c[link] = mean(sl.on_link("c", link))
        J2[link] = mean(sl.on_link("J2", link))
    G_pair = np.zeros((N, N, L_tau))
    for i, j in np.ndindex(N, N):
        G_pair[i, j, 0] = mean(sl.cosine[sl.difference(i, j)])

    # Different slices: matrix elements between eigenstates. Every table holds one factor of the matrix. The
    # matrix of a current is antisymmetric: its elements are imaginary, but for the factor i left out.
    for q, spectrum in spectra.items():
        for key, table in tables.items():
            squares = squared_elements(spectrum, matrix(table, q, q) / top)
            sign = -1 if key in currents else 1
            C[key][1:] += sign * double[q] * two_slices(spectrum, squares, spectrum, L_tau) / Z
    for q in range(min(blocks), max(blocks)):
        # exp(-i theta_i) at slice k lowers q+1 to q, exp(i theta_j) at slice 0 has raised it; without offset
        # the pair of blocks -q-1, -q gives the same with k -> L_tau-k.
        low, high = spectra[q], spectra[q + 1]
        E = [elements(low, matrix(table_S, q + 1, q, raised=r).T / top, high) for r in range(N)]
        for i, j in np.ndindex(N, N):
            Y = two_slices(low, (E[i][0] * E[j][0], E[i][1] * E[j][1]), high, L_tau) / Z
            G_pair[i, j, 1:] += Y if n_g else Y + Y[::-1]
    if action != "villain":
        C["E"][1:] = C["B"][1:]        # e and c are both E_J cos theta

    G = np.zeros((L_tau, Ly, Lx))
    places = np.argwhere(sites)
    for i, j in np.ndindex(N, N):
        dy, dx = places[i] - places[j]
        G[:, dy % Ly, dx % Lx] += G_pair[i, j] / volume

    transform = np.cos(2 * np.pi / L_tau * np.outer(np.arange(L_tau // 2 + 1), np.arange(L_tau)))
    chi_s_raw = eps / volume * transform @ C["B"]
    chi_s = chi_s_raw.copy()
    chi_s[0] -= eps * L_tau * c.sum() ** 2 / volume
    W2_x, W2_y = L_tau * C["W_x"].sum(), L_tau * C["W_y"].sum()
    W2_tau, W4_tau = (sum(weight[q] * q**power for q in blocks) / Z for power in (2, 4))
    energy_tau /= volume
    contact = mean(sl.total("contact", all_links))

    def of_waves(prefix: str) -> np.ndarray:
        """Sum of the correlators of all parts of each wave, transformed: (waves, n)."""
        rows = [sum(C[key] for key in C if key.startswith(f"{prefix}{m}.")) for m in range(len(waves))]
        return np.array([transform @ row for row in rows]).reshape(len(waves), len(transform))

    scalars = {
        "rho_s_x": W2_x * Lx / (Ly * beta), "rho_s_y": W2_y * Ly / (Lx * beta),
        "kappa": beta * W2_tau / volume,
        "W2_x": W2_x, "W2_y": W2_y, "W2_tau": W2_tau, "W4_tau": W4_tau, "n2": n2,
        "density": density_map.sum() / volume,
        "rho_t_x": L_tau / (volume * beta) * (C["tc_x"] + C["ts_x"]).sum(),
        "rho_t_y": L_tau / (volume * beta) * (C["tc_y"] + C["ts_y"]).sum(),
        "minus_kx": c[0].sum() / volume, "minus_ky": c[1].sum() / volume, "B": c.sum(),
        "charging": energy_tau, "bond": bond, "energy": energy_tau + bond,
        "contact": contact, "time_contact": contact_tau,
        "log_Z": L_tau * (sl.log_g0 + np.log(top)) + np.log(Z),
        "truncation": max(L_tau * lost, lost_n2 / n2, lost_T2 / T2),
        "cut": cut,
    }
    arrays = {
        "rho_x": L_tau / (volume * beta) * transform @ C["x"],
        "rho_y": L_tau / (volume * beta) * transform @ C["y"],
        "chi_s_raw": chi_s_raw, "chi_s": chi_s, "chi_e_raw": eps / volume * transform @ C["E"],
        "c": c, "J2": J2, "chi_c_raw": eps / volume * (transform @ C_tau + contact_tau),
        "K_T": L_tau / (volume * beta) * of_waves("T"),
        "chi_s_q": eps / volume * (of_waves("E") + contact),
        "G_q": np.array([boson(G, wave) for wave in waves]).reshape(len(waves), L_tau),
        "G": G, "G_k0": G.sum(axis=(1, 2)), "G_loc": G[:, 0, 0] * (volume / N), "G_r0": G[0].copy(),
    }
    for name, values in (("density", density_map), ("kappa", kappa_map), ("kappa_loc", kappa_loc_map)):
        arrays[f"{name}_map"] = np.zeros((Ly, Lx))
        arrays[f"{name}_map"][sites] = values
    for array in arrays.values():
        array.setflags(write=False)          # results are cached and shared
    bookkeeping = {"block": len(blocks[0]), "M": sl.M, "n_max": n_max}
    return {key: float(value) for key, value in scalars.items()} | arrays | bookkeeping


def log_partition(case: Case, cut: float) -> Callable[[tuple[float, float]], float]:
    """ln Z(phi_x, phi_y) with twisted edges, by powers of the matrices; `cut` as in `thermal_averages`."""
    bonds, sites, E_J, E_C = checked(
        case.Lx, case.Ly, case.L_tau, case.charging, case.action, case.bonds, case.sites, case.E_J, case.E_C)
    links_t = Charges(case.action, case.eps, E_C[sites], case.n_g)
    blocks, _, _ = charge_states(links_t, cut, 2000)
    n_max = max(int(np.abs(n).max()) for n in blocks.values())
    sl = Slice(bonds, sites, E_J, case.action, case.eps, d_max=2 * n_max + 1)
    root_D = {q: links_t.root_D(n) for q, n in blocks.items()}
    index = {q: sl.index(n, n) for q, n in blocks.items()}

    @cache
    def log_Z(phi: tuple[float, float]) -> float:
        table, total = sl.window(sl.twisted(phi)) if any(phi) else sl.coefficients(), 0.0
        for q in blocks:
            T = root_D[q][:, None] * table[index[q]] * root_D[q]
            low = np.linalg.matrix_power(T, case.L_tau // 2)
            high = low @ T if case.L_tau % 2 else low
            total += (1 if q == 0 or case.n_g else 2) * np.vdot(low.conj().T, high).real
        return float(case.L_tau * sl.log_g0 + np.log(total))

    return log_Z


def winding_distribution(case: Case, size: int, both: bool, cut: float = 1e-5) -> np.ndarray:
    """P(W_x, W_y), (size, size), W modulo size in the order of a discrete Fourier transform.

    both = False: (2, size), the distribution of either winding for itself.
    """
    log_Z = log_partition(case, cut)
    # Z(-x, -y) = Z(x, y): reversing all currents and then the time changes no weight.
    half = [min(x, size - x) for x in range(size)]
    if both:
        twists = [[min((x, y), (-x % size, -y % size)) for y in range(size)] for x in range(size)]
    else:
        twists = [[(x, 0) for x in half], [(0, y) for y in half]]
    Z = np.exp([[log_Z((2 * np.pi * x / size, 2 * np.pi * y / size)) for x, y in row] for row in twists])
    P = (np.fft.fft2 if both else np.fft.fft)(Z).real
    return np.asarray(P / P.sum(axis=None if both else 1, keepdims=True))


def heat(case: Case, cut: float = 1e-9) -> float:
    """Specific heat per site at fixed L_tau, eps^2/(Lx Ly) d^2 ln Z/d eps^2, by differences (error h^4)."""
    h = 0.02 * case.eps
    models = [replace(case, eps=case.eps + k * h) for k in range(-2, 3)]
    a, b, c, d, e = (log_partition(model, cut)((0.0, 0.0)) for model in models)
    return float(case.eps**2 / (case.Lx * case.Ly) * (16 * (b + d) - (a + e) - 30 * c) / (12 * h**2))


def solve(case: Case, **options: Any) -> dict[str, Any]:
    """thermal_averages of a case."""
    return thermal_averages(
        case.Lx, case.Ly, case.L_tau, case.eps, case.charging, case.action, case.bonds,
        **({"sites": case.sites, "E_J": case.E_J, "E_C": case.E_C, "n_g": case.n_g} | options))


@cache
def exact(case: Case) -> dict[str, Any]:
    """thermal_averages of a case, computed once per process; the arrays are read-only."""
    return solve(case)


# Parameters with averages of order 0.01 to 1 and truncation < 3e-8 (2e-7 for the cosine action on six sites,
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

# Other kinds of disorder, four rotors at most.
DISORDERED = (
    Case("rotor-sites", 2, 3, 6, 0.5, 3.0, "rotor", absent=((0, 0), (2, 1))),
    Case("cosine-sites-bonds", 3, 2, 6, 0.5, 4.0, "cosine", ((0, 1, 1),), absent=((0, 1), (1, 0))),
    Case("villain-sites", 3, 2, 6, 0.35, 5.0, "villain", absent=((1, 2), (0, 0))),
    Case("rotor-spread", 2, 2, 6, 0.5, 3.5, "rotor", spread_J=0.8, spread_C=0.3),
    Case("cosine-spread", 2, 2, 6, 0.4, 4.5, "cosine", ((0, 0, 1),), spread_J=0.6, spread_C=0.4),
    Case("villain-spread-sites", 2, 3, 6, 0.35, 5.0, "villain", absent=((0, 1), (1, 0)),
         spread_J=0.7, spread_C=0.3),
    Case("rotor-offset", 2, 2, 6, 0.5, 4.0, "rotor", ((0, 0, 1), (1, 1, 0)), n_g=0.3),
    Case("villain-offset", 2, 2, 5, 0.35, 5.0, "villain", ((0, 0, 1),), n_g=-0.4),
    Case("villain-offset-spread", 2, 2, 6, 0.35, 5.0, "villain", ((0, 1, 0),),
         spread_J=0.5, spread_C=0.2, n_g=0.45),
)
