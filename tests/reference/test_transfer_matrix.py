"""The exact twin against itself: identities, closed forms and routes that share no code with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import iv

from reference import transfer_matrix
from reference.transfer_matrix import ACTIONS, CASES, DISORDERED, Case, exact, thermal_averages

BOOKKEEPING = {"truncation", "cut", "block", "M", "n_max"}
CUT = ((0, 0, 1), (1, 1, 0))
TINY = [Case(f"tiny {action}", 2, 2, 4, 0.8, 3.0, action, CUT) for action in ACTIONS]


def by_size(cases=CASES):
    """The cases, those with six sites marked as long checks."""
    return [pytest.param(case, id=case.name, marks=[pytest.mark.physics] if case.Lx * case.Ly > 4 else [])
            for case in cases]


def solve(case: Case, bonds=None, **options):
    bonds = case.bonds if bonds is None else bonds
    return thermal_averages(
        case.Lx, case.Ly, case.L_tau, case.eps, case.charging, case.action, bonds, **options)


def largest_difference(a, b):
    """Largest difference of any average, relative to the largest entry of that average."""
    return max(np.abs(np.subtract(a[key], b[key])).max() / max(np.abs(b[key]).max(), 0.01)
               for key in a.keys() - BOOKKEEPING if np.size(a[key]))


# ---- every case -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", by_size())
def test_identities(case):
    r = exact(case)
    assert r["truncation"] < (2e-7 if case.name == "cosine-3x2-diluted" else 3e-8)
    # The winding number counts the currents through one column or, less directly, through all of them.
    for x in "xy":
        assert r[f"rho_{x}"][0] == pytest.approx(r[f"rho_s_{x}"], rel=1e-9, abs=1e-12)
        assert (np.diff(r[f"rho_{x}"]) > -1e-12).all()
        assert r[f"rho_{x}"][-1] <= r[f"minus_k{x}"] + 1e-12
    assert r["G"][0, 0, 0] == pytest.approx(1, abs=1e-10)
    np.testing.assert_allclose(r["G"][1:], r["G"][:0:-1], rtol=1e-12)
    assert (r["chi_s"] > 0).all()
    assert (r["c"][~case.bonds] == 0).all()


# ---- closed forms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_free_rotors(action):
    case = Case("free", 2, 2, 6, 0.4, 2.0, action)
    r = solve(case, bonds=np.zeros((2, 2, 2), dtype=bool), max_block=400)
    n, K = np.arange(-20, 21), 1 / (case.eps * case.charging)
    w = iv(abs(n), K) / iv(0, K) if action == "cosine" else np.exp(-n**2 / (2 * K))
    p = w**6 / (w**6).sum()
    k = np.arange(6)
    G = np.array([(w[:-1] ** (6 - m) * w[1:] ** m).sum() for m in k]) / (w**6).sum()
    assert r["n2"] == pytest.approx(p @ n**2, rel=1e-9)
    assert r["kappa"] == pytest.approx(case.beta * (p @ n**2), rel=1e-9)
    assert r["log_Z"] == pytest.approx(4 * np.log((w**6).sum()), rel=1e-9)
    np.testing.assert_allclose(r["G_loc"], np.where(k == 0, 1, G), rtol=1e-9)
    np.testing.assert_allclose(r["G_k0"], r["G_loc"], rtol=1e-9)
    for key in ("rho_s_x", "minus_ky", "B", "bond"):
        assert r[key] == 0


def test_approaches_the_quantum_rotor():
    """eps -> 0 at fixed beta, extrapolated in eps^2, against exact diagonalisation of H."""
    beta, E_C = 0.8, 10.0
    results = []
    for L_tau in (6, 12, 24):
        r = solve(Case("", 2, 2, L_tau, beta / L_tau, E_C, "rotor", CUT), max_block=300)
        results.append(np.array([r["energy"], r["kappa"], r["G_loc"][L_tau // 2], r["B"]]))
    a, b, c = results
    extrapolated = (a - 20 * b + 64 * c) / 45      # free of eps^2 and eps^4
    np.testing.assert_allclose(extrapolated, diagonalise(TINY[0].bonds, beta, E_C), atol=2e-4)


def diagonalise(bonds, beta, E_C, n_max=3):
    """Energy per site, kappa, G_loc(beta/2), sum of <cos>: from H in the charge basis, sum n^2 <= 12."""
    _, Ly, Lx = bonds.shape
    N, width = Lx * Ly, 2 * n_max + 1
    states = np.indices((width,) * N).reshape(N, -1).T - n_max
    states = states[(states**2).sum(axis=1) <= 12]
    place = {tuple(n): i for i, n in enumerate(states)}
    cos = np.zeros((len(states),) * 2)
    for mu, y, x in np.argwhere(bonds):
        i, j = y * Lx + x, y * Lx + (x + 1) % Lx if mu == 0 else (y + 1) % Ly * Lx + x
        for a, n in enumerate(states):
            moved = n.copy()
            moved[i] -= 1
            moved[j] += 1
            b = place.get(tuple(moved))
            if b is not None:
                cos[a, b] += 0.5
                cos[b, a] += 0.5
    E, U = np.linalg.eigh(np.diag(E_C / 2 * (states**2).sum(axis=1)) - cos)
    boltzmann = np.exp(-beta * (E - E[0]))
    p = boltzmann / boltzmann.sum()
    middle = 0.0
    for r in range(N):
        raising = np.zeros_like(cos)
        for a, n in enumerate(states):
            raised = n.copy()
            raised[r] += 1
            if tuple(raised) in place:
                raising[place[tuple(raised)], a] = 1
        half = np.exp(-beta / 2 * (E - E[0]))
        middle += half @ (U.T @ raising @ U) ** 2 @ half / boltzmann.sum() / N
    diagonal = U**2 @ p
    charge = states.sum(axis=1)
    return p @ E / N, beta * (diagonal @ charge**2) / N, middle, p @ (U * (cos @ U)).sum(axis=0)


# ---- derivatives and symmetries ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", by_size([*TINY, CASES[7], CASES[12]]))
def test_energy_is_the_derivative_of_log_Z(case):
    h = 0.004            # five points: error h^4
    options = {"max_block": 300}      # exact for any fixed set of charge states

    def log_Z(steps):
        return solve(replace(case, eps=case.eps + steps * h), **options)["log_Z"]

    slope = (8 * (log_Z(1) - log_Z(-1)) - (log_Z(2) - log_Z(-2))) / (12 * h)
    energy = solve(case, **options)["energy"]
    assert energy == pytest.approx(-slope / (case.L_tau * case.Lx * case.Ly), rel=1e-6)


def test_transposing_the_lattice_exchanges_x_and_y():
    """Five sites of 3 x 2, two bonds cut; exact for any set of charge states."""
    case = Case("", 3, 2, 4, 0.3, 8.0, "villain", ((0, 0, 1), (1, 1, 0)), absent=((1, 2),))
    turned = replace(case, Lx=2, Ly=3, removed=tuple((1 - mu, x, y) for mu, y, x in case.removed),
                     absent=tuple((x, y) for y, x in case.absent))
    wide, tall = (transfer_matrix.solve(model, max_block=150) for model in (case, turned))
    for key in ("rho_s_", "rho_", "minus_k"):
        for x, y in ("xy", "yx"):
            np.testing.assert_allclose(wide[key + x], tall[key + y], rtol=1e-9, atol=1e-12)
    for key in ("kappa", "energy", "charging", "chi_s", "G_k0", "G_loc", "n2"):
        np.testing.assert_allclose(wide[key], tall[key], rtol=1e-9, atol=1e-12)
    for key in ("c", "J2"):
        np.testing.assert_allclose(wide[key], tall[key][::-1].transpose(0, 2, 1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(wide["G"], tall["G"].transpose(0, 2, 1), rtol=1e-9)


@pytest.mark.parametrize("case", TINY, ids=lambda case: case.action)
def test_shifting_the_bonds_shifts_the_averages(case):
    here = solve(case, max_block=250)
    there = solve(case, bonds=np.roll(case.bonds, 1, axis=2), max_block=250)
    for key in here.keys() - BOOKKEEPING:
        expected = here[key]
        if key in ("c", "J2") or key.endswith("_map"):
            expected = np.roll(expected, 1, axis=-1)
        np.testing.assert_allclose(there[key], expected, rtol=1e-9, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("case", TINY, ids=lambda case: case.action)
def test_more_charges_change_nothing(case):
    few, many = solve(case, max_block=400), solve(case, max_block=600, cut=1e-20)
    assert many["block"] > 1.3 * few["block"]
    assert largest_difference(few, many) < 1e-10


@pytest.mark.parametrize("case", by_size([*TINY, CASES[7], CASES[12]]))
def test_truncation_is_the_relative_error(case):
    best = solve(case, max_block=500 if case.Lx * case.Ly <= 4 else None)
    for max_block in (60, 120) if case.Lx * case.Ly <= 4 else (300, 900):
        rough = solve(case, max_block=max_block)
        assert 1e-10 < largest_difference(rough, best) < 3 * rough["truncation"] < 2e-3


def test_refuses_impossible_models():
    with pytest.raises(ValueError, match="action"):
        solve(replace(TINY[0], action="xy"))
    with pytest.raises(ValueError, match="need"):
        solve(TINY[0], bonds=np.ones((2, 2, 3), dtype=bool))


# ---- a second route: the sum over link currents of two slices, no angles, no matrices ---------------------


def link_current_sum(case: Case, J_max: int = 5, n_max: int = 9):
    """Averages for L_tau = 2, from all space currents |J| <= J_max and time currents |n| <= n_max.

    The currents of slice 0 change the charges by d = div J, those of slice 1 by -d. So every slice is summed
    over its currents at fixed d, with the moments needed, and the slices are joined by the time links.
    """
    Lx, N, K, K_tau = case.Lx, case.Lx * case.Ly, case.eps, 1 / (case.eps * case.charging)
    links = np.argwhere(case.bonds)
    J = np.indices((2 * J_max + 1,) * len(links)).reshape(len(links), -1) - J_max
    d = np.zeros((N, J.shape[1]), dtype=int)
    for (mu, y, x), current in zip(links, J, strict=True):
        d[y * Lx + x] -= current
        d[y * Lx + (x + 1) % Lx if mu == 0 else (y + 1) % case.Ly * Lx + x] += current

    c, c2 = (f[abs(J)] for f in link_functions(case.action, K, J_max))
    villain = case.action == "villain"
    w = (np.exp(-J**2 / (2 * K)) / np.sqrt(2 * np.pi * K) if villain else iv(abs(J), K)).prod(axis=0)
    if villain:
        e = J**2 / (2 * K**2) - 1 / (2 * K)
    else:
        e = (iv(abs(J - 1), K) + iv(abs(J + 1), K)) / (2 * iv(abs(J), K))
    along_x = links[:, 0] == 0
    Jx, Jy = J[along_x].sum(axis=0), J[~along_x].sum(axis=0)
    functions = {"1": 1, "Jx": Jx, "Jy": Jy, "Jx2": Jx**2, "Jy2": Jy**2,
                 "B": c.sum(axis=0), "BB": c.sum(axis=0) ** 2 + (c2 - c**2).sum(axis=0),
                 "cx": c[along_x].sum(axis=0), "E": e.sum(axis=0), "EE": e.sum(axis=0) ** 2}
    label, inverse = np.unique(d, axis=1, return_inverse=True)
    m = {key: np.bincount(inverse.ravel(), w * f) for key, f in functions.items()}
    place = {tuple(column): i for i, column in enumerate(label.T)}
    opposite = np.array([place[tuple(-column)] for column in label.T])

    # Time links of one site, charge n in one half and n + s in the other: sums over n at each s.
    n = np.arange(-n_max, n_max + 1)
    if case.action == "cosine":
        D = iv(abs(n), K_tau) / iv(0, K_tau)
        slope = (iv(abs(n - 1), K_tau) + iv(abs(n + 1), K_tau)) / (2 * iv(abs(n), K_tau))
        u = K_tau / case.eps * (slope - iv(1, K_tau) / iv(0, K_tau))
    else:
        D, u = np.exp(-n**2 / (2 * K_tau)), case.charging / 2 * n**2
    shifts = n[:, None] - n[None, :]
    weights = D[:, None] * D[None, :]

    def site_sum(f):
        return np.array([(weights * f[None, :])[shifts == s].sum() for s in range(-2 * n_max, 2 * n_max + 1)])

    one, first, second, cost = (site_sum(f) for f in (np.ones_like(n), n, n**2, u))

    def joined(shift):
        """sum over n of D(n) D(n + shift), for each column of shift."""
        return one[shift + 2 * n_max].prod(axis=0)

    site = label + 2 * n_max
    joint, mean_n, mean_n2, mean_u = joined(label), *(f[site] / one[site] for f in (first, second, cost))
    pair = joint * m["1"] * m["1"][opposite]
    Z, area = pair.sum(), N * 2 * case.eps

    def same(key):
        return (joint * m[key] * m["1"][opposite]).sum() / Z

    def different(key):
        return (joint * m[key] * m[key][opposite]).sum() / Z

    def spectrum(square, product):
        return np.array([same(square) + sign * different(product) for sign in (1, -1)])

    # exp(-i theta_b) in slice 0, exp(i theta_a) in slice 1.
    G = 0.0
    for a, b in np.ndindex(N, N):
        shift = label - np.eye(N, dtype=int)[:, [b]]
        back = [place.get(tuple(column), -1) for column in (-shift - np.eye(N, dtype=int)[:, [a]]).T]
        G += (joined(shift) * m["1"] * np.where(np.array(back) < 0, 0, m["1"][back])).sum() / (N * Z)

    W2_tau = (pair @ ((mean_n2 - mean_n**2).sum(axis=0) + mean_n.sum(axis=0) ** 2)) / Z
    return {
        "log_Z": np.log(Z), "kappa": 2 * case.eps * W2_tau / N, "charging": pair @ mean_u.mean(axis=0) / Z,
        "rho_x": 2 / area * spectrum("Jx2", "Jx"), "rho_y": 2 / area * spectrum("Jy2", "Jy"), "G_k0": G,
        "B": same("B"), "minus_kx": same("cx") / N, "chi_s_raw": case.eps / N * spectrum("BB", "B"),
        "bond": -same("E") / N, "chi_e_raw": case.eps / N * spectrum("EE", "E"),
    }


def link_functions(action, K, J_max):
    """c(theta) and c(theta)^2 of one link as functions of its current J = 0 .. J_max.

    Coefficient J of f(theta) g(theta), over that of g(theta). c = cos theta; Villain: c = V''/K by its
    definition, V = -ln g with g a sum of Gaussians in theta - 2 pi m.
    """
    J = np.arange(J_max + 1)
    if action != "villain":
        def h(m):
            return (iv(abs(J - m), K) + iv(J + m, K)) / (2 * iv(J, K))
        return h(1), (1 + h(2)) / 2
    theta = 2 * np.pi * np.arange(256) / 256
    u = theta[:, None] - 2 * np.pi * np.arange(-8, 9)
    p = np.exp(-K * u**2 / 2)
    g = p.sum(axis=1)
    # V'' = K - K^2 var(theta - 2 pi m) with the weights of the Gaussians
    c = 1 - K * ((p * u**2).sum(axis=1) / g - ((p * u).sum(axis=1) / g) ** 2)
    coefficient = [np.fft.fft(f * g).real[: J_max + 1] for f in (1, c, c**2)]
    return coefficient[1] / coefficient[0], coefficient[2] / coefficient[0]


@pytest.mark.parametrize("action", ACTIONS)
def test_two_slices_against_the_sum_over_link_currents(action):
    case = Case("two slices", 2, 2, 2, 0.4, 4.0, action, ((0, 0, 1), (1, 1, 0), (1, 0, 1)))
    result, expected = solve(case, max_block=300), link_current_sum(case)
    assert result["rho_y"][1] > 1.01 * result["rho_y"][0]
    for key, value in expected.items():
        actual = result[key][1] if key == "G_k0" else result[key]
        np.testing.assert_allclose(actual, value, rtol=2e-6, err_msg=key)


# ---- missing sites, spread couplings, charge offset -------------------------------------------------------


@pytest.fixture(scope="module", params=DISORDERED, ids=lambda case: case.name)
def disordered(request):
    return request.param, transfer_matrix.solve(request.param, cut=1e-9)


def test_parts_of_a_disordered_model_agree(disordered):
    """Windings from twists and from currents, kappa from sites and as a whole, ln Z from powers."""
    case, r = disordered
    numbers = np.fft.fftfreq(24, 1 / 24)
    W2 = transfer_matrix.winding_distribution(case, 24, both=False) @ numbers**2
    np.testing.assert_allclose(W2, [r["W2_x"], r["W2_y"]], atol=1e-5)
    assert r["kappa_map"].mean() == pytest.approx(r["kappa"], rel=1e-9)
    assert r["density_map"].mean() == pytest.approx(r["density"], abs=1e-12)
    assert transfer_matrix.log_partition(case, 1e-9)((0.0, 0.0)) == pytest.approx(r["log_Z"], rel=1e-7)
    assert r["rho_x"][0] == pytest.approx(r["rho_s_x"], abs=1e-7)
    assert (np.abs(r["G"][1:] - r["G"][:0:-1]).max() > 0.01) == (case.n_g != 0)


def test_energies_of_a_disordered_model_are_derivatives(disordered):
    """Of ln Z: the energy in eps; the connected response of the charging energy, twice in all E_C."""
    case, r = disordered
    volume = case.Lx * case.Ly

    def log_Z(**change):
        return transfer_matrix.log_partition(replace(case, **change), 1e-9)((0.0, 0.0))

    h = 0.01 * case.eps
    a, b, c, d = (log_Z(eps=case.eps + k * h) for k in (-2, -1, 1, 2))
    slope = (8 * (c - b) - (d - a)) / (12 * h)
    assert r["energy"] == pytest.approx(-slope / (case.L_tau * volume), rel=1e-7)
    h = 0.02
    a, b, c, d, e = (log_Z(charging=case.charging * (1 + k * h)) for k in (-2, -1, 0, 1, 2))
    second = (16 * (b + d) - (a + e) - 30 * c) / (12 * h**2)
    connected = r["chi_c_raw"][0] - volume * case.beta * r["charging"] ** 2
    assert connected == pytest.approx(second / (case.beta * volume), rel=1e-5)


def test_charge_offsets_an_integer_apart():
    """Gaussian weights: n -> n + 1 everywhere turns n_g - 1 into n_g."""
    case = replace(DISORDERED[6], n_g=0.3)
    here, there = (transfer_matrix.solve(replace(case, n_g=n_g), cut=1e-12) for n_g in (0.3, -0.7))
    assert here["density"] == pytest.approx(there["density"] + 1, rel=1e-8)
    shift = case.L_tau * 4 * case.eps * case.charging * (0.3 - 0.5)
    assert here["log_Z"] == pytest.approx(there["log_Z"] + shift, rel=1e-8)
    for key in ("rho_x", "G_k0", "bond"):
        np.testing.assert_allclose(here[key], there[key], rtol=1e-7)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_missing_site_is_a_free_rotor_less(action):
    around = ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0))
    free = Case("", 2, 2, 6, 0.5, 4.0, action, around)
    gone = Case("", 2, 2, 6, 0.5, 4.0, action, absent=((0, 0),))
    a, b = (transfer_matrix.solve(case, cut=1e-11) for case in (free, gone))
    n, K = np.arange(-20, 21), 1 / (free.eps * free.charging)
    w = (iv(abs(n), K) / iv(0, K) if action == "cosine" else np.exp(-n**2 / (2 * K))) ** 6
    assert a["log_Z"] == pytest.approx(b["log_Z"] + np.log(w.sum()), rel=1e-7)
    assert a["kappa"] == pytest.approx(b["kappa"] + free.beta * (w @ n**2) / w.sum() / 4, rel=1e-7)
    for key in ("rho_y", "bond", "chi_s_raw"):
        np.testing.assert_allclose(a[key], b[key], rtol=1e-7, atol=1e-12)
