"""Every observable of the worm against the transfer matrix, at all frequencies and times.

All actions, all kinds of disorder, and both worms: couplings given link by link take the second one.
"""

from functools import cache

import numpy as np
import pytest
from scipy.stats import chi2

from reference.transfer_matrix import CASES, DISORDERED, Case, heat, solve, winding_distribution
from sitqmc.qmc import Chains, Model, Schedule, average_point, make_disorder, run_chain

BINS = 512
MEASUREMENTS = {
    "rotor-2x2-diluted": 380, "cosine-2x2-diluted": 390, "villain-2x2": 270, "villain-2x2-open-in-x": 200,
    "rotor-sites": 250, "cosine-sites-bonds": 420, "villain-sites": 220, "rotor-spread": 440,
    "cosine-spread": 600, "villain-spread-sites": 390, "rotor-offset": 170, "villain-offset": 180,
    "villain-offset-spread": 290, "rotor-2x2-diluted, link by link": 560,
    "cosine-2x2-diluted, link by link": 740, "villain-2x2, link by link": 350,
    "rotor-offset, link by link": 330,
}  # fmt: skip
"""Measurements per bin: what brings the largest error below its ceiling, 1 % for most observables."""
SLOW_MEASUREMENTS = 1200
SEED = 20260101
WINDINGS, WINDINGS_XY = 32, 10
"""Number of distinct windings along one direction, and along each of two directions together.

W_y of rotor-3x2 is so broad that 16 would leave an error of 2 % for W4_y, and 6 one of 1 % for `winds`.
"""
SLOW = ("cosine-2x2", "rotor-2x2", "rotor-2x2-isolated-site")
"""Four sites without dilution or with long-tailed links: up to a minute and a half of exact work each."""

# name of the bins -> name in the exact result
NAMES = {
    "rho_s_x": "rho_s_x", "rho_s_y": "rho_s_y", "kappa": "kappa",
    "minus_kx": "minus_kx", "minus_ky": "minus_ky", "charging_energy": "charging",
    "bond_energy": "bond", "energy": "energy", "bond": "B", "rho_x": "rho_x", "rho_y": "rho_y",
    "chi_s_raw": "chi_s_raw", "chi_c_raw": "chi_c_raw", "G_k0": "G_k0", "G_loc": "G_loc", "G_far": "G_far",
    "density": "density", "kappa_loc": "kappa_loc", "heat_raw": "heat_raw", "rho_t_x": "rho_t_x",
    "rho_t_y": "rho_t_y", "W4_x": "W4_x", "W4_y": "W4_y", "W4_tau": "W4_tau", "winds": "winds",
    "S_x": "S_x", "S_y": "S_y",
}  # fmt: skip

CUT = {"quick": 1e-7, "slow": 1e-8}
"""Charge states of smaller weight are left out of the exact averages: far below the errors here. Larger
lattices leave out more states, so each of them must have less weight."""


@cache
def exact(case: Case):
    return solve(case, cut=CUT["slow" if case.name in CHOSEN["slow"] else "quick"])


def _model(case: Case):
    return Model(
        Lx=case.Lx, Ly=case.Ly, L_tau=case.L_tau, eps=case.eps, charging=case.charging, action=case.action,
        n_g=case.n_g,
    )  # fmt: skip


def _disorder(case: Case, link_by_link=False):
    random = link_by_link or case.spread_J or case.spread_C
    couplings = {"E_J": case.E_J, "E_C": case.E_C} if random else {}
    return make_disorder(case.Lx, case.Ly, bonds=case.bonds, sites=case.sites, **couplings)


def _cases(speed):
    """name -> (case, whether the second worm is forced). Six sites are slow as well."""
    every = {case.name: (case, False) for case in (*CASES, *DISORDERED)}
    slow = {name for name, (case, _) in every.items() if name in SLOW or case.Lx * case.Ly > 4}
    if speed == "slow":
        return {name: every[name] for name in every if name in slow and every[name][0] in CASES}
    quick = {name: every[name] for name in every if name not in slow or every[name][0] not in CASES}
    quick = {name: pair for name, pair in quick.items() if pair[0].sites.sum() <= 4}
    twice = ("rotor-2x2-diluted", "cosine-2x2-diluted", "villain-2x2", "rotor-offset")
    return quick | {f"{name}, link by link": (quick[name][0], True) for name in twice}


CHOSEN = {speed: _cases(speed) for speed in ("quick", "slow")}
every_case = pytest.mark.parametrize(
    ("speed", "name"),
    [pytest.param(speed, name, id=name, marks=[pytest.mark.physics] if speed == "slow" else [])
     for speed, cases in CHOSEN.items() for name in cases],
)  # fmt: skip


@cache
def comparison(speed, name):
    """Columns of bins (n_bins, m), exact values (m,), and names (m,) of one case; made once."""
    case, link_by_link = CHOSEN[speed][name]
    length = MEASUREMENTS[name] if speed == "quick" else SLOW_MEASUREMENTS
    schedule = Schedule(therm_sweeps=2000, bins=BINS, measurements_per_bin=length)
    sample = list(CHOSEN[speed]).index(name)
    result = run_chain(
        _model(case), _disorder(case, link_by_link), seed=SEED, sample=sample, schedule=schedule
    )
    return _columns(case, result.bins)


@cache
def _expected(case: Case):
    """The exact result under our names; for villain with its own <-k_x> and B, see `actions.space_links`."""
    truth = dict(exact(case))
    assert truth["truncation"] < 1e-6
    volume, beta = case.Lx * case.Ly, case.beta
    if case.action == "villain":
        truth["minus_kx"], truth["minus_ky"] = (j2.sum() / (volume * case.eps) for j2 in truth["J2"])
        truth["B"] = -volume * truth["bond"]
        truth["chi_s_raw"] = truth["chi_e_raw"] + case.eps / volume * truth["contact"]
    truth["kappa_loc"] = truth["kappa_loc_map"].sum() / case.sites.sum()
    truth["heat_raw"] = heat(case) + volume * (beta * truth["energy"]) ** 2
    numbers = np.fft.fftfreq(WINDINGS, 1 / WINDINGS)
    truth["W4_x"], truth["W4_y"] = winding_distribution(case, WINDINGS, both=False) @ numbers**4
    truth["winds"] = 1 - winding_distribution(case, WINDINGS_XY, both=True)[0, 0]
    S = np.fft.rfft2(truth["G_r0"]).real
    truth["S_x"], truth["S_y"] = S[0], S[: case.Ly // 2 + 1, 0]
    truth["G_far"] = truth["G_r0"][case.Ly // 2, case.Lx // 2]
    return truth


def _columns(case: Case, bins):
    truth = _expected(case)
    values, expected, names = [], [], []
    for name, key in NAMES.items():
        columns = bins[name].reshape(len(bins[name]), -1)
        wanted = np.atleast_1d(truth[key])
        assert columns.shape[1] == len(wanted), name
        for k, column in enumerate(columns.T):
            values.append(column)
            expected.append(wanted[k])
            names.append(f"{name}[{k}]")
    return np.array(values).T, np.array(expected), np.array(names)


def _moving(columns):
    """What fluctuates at all: G_loc[0] = 1, or the winding of a cut lattice, does not."""
    return columns.std(axis=0) > 1e-12 * np.maximum(np.abs(columns).max(axis=0), 1e-300)


def _whitened(columns, expected):
    """z-scores along the principal axes of the correlation matrix: independent, unlike the raw ones."""
    n = len(columns)
    scale = columns.std(axis=0, ddof=1)
    normal = (columns - columns.mean(axis=0)) / scale
    values, vectors = np.linalg.eigh(normal.T @ normal / (n - 1))
    keep = values > 1e-4 * values.max()
    z = vectors.T @ ((columns.mean(axis=0) - expected) / scale) * np.sqrt(n / np.maximum(values, 1e-300))
    # The axes come from the same bins: the finite-sample factor of an inverse covariance.
    return z[keep] * np.sqrt((n - keep.sum() - 2) / (n - 1))


def test_cases_cover_what_matters():
    """All actions and kinds of disorder, Lx != Ly, and current responses that depend on frequency."""
    quick = [case for case, _ in _cases("quick").values()]
    for chosen in (
        [case for case in quick if not case.bonds.all()],
        [case for case in quick if case.absent],
        [case for case in quick if case.spread_J and case.spread_C],
    ):
        assert {case.action for case in chosen} == {"rotor", "cosine", "villain"}
    assert {case.action for case in quick if case.n_g} == {"rotor", "villain"}
    assert sum(case.Lx != case.Ly for case in quick) >= 3
    assert sum(np.ptp(exact(case)["rho_x"]) > 0.02 for case in quick) >= 3


@every_case
def test_what_cannot_fluctuate_is_exact(speed, name):
    columns, expected, names = comparison(speed, name)
    still = ~_moving(columns)
    wanted = np.broadcast_to(expected[still], (len(columns), still.sum()))
    np.testing.assert_allclose(columns[:, still], wanted, atol=1e-9)
    assert "G_loc[0]" in names[still]


@every_case
def test_no_observable_is_far_off(speed, name):
    columns, expected, names = comparison(speed, name)
    move = _moving(columns)
    error = columns.std(axis=0, ddof=1)[move] / np.sqrt(len(columns))
    z = (columns.mean(axis=0)[move] - expected[move]) / error
    worst = np.argmax(np.abs(z))
    assert abs(z[worst]) < 4.7, (names[move][worst], z[worst])


@every_case
def test_errors_are_small_enough_to_mean_something(speed, name):
    """Below 1 % of the value; 5 % where it is small, absolutely or beside the same correlator's largest.

    Fourth powers and G at k > 0 may have 5 %, and what is zero by symmetry 0.01.
    """
    columns, expected, names = comparison(speed, name)
    families = np.array([column.split("[")[0] for column in names])
    largest = np.array([np.abs(expected[families == family]).max() for family in families])
    move = _moving(columns)
    error = columns.std(axis=0, ddof=1) / np.sqrt(len(columns))
    zero = np.abs(expected) < 1e-12
    assert np.all(error[zero & move] < 0.01)
    move &= ~zero
    relative = error[move] / np.abs(expected[move])
    loose = np.char.startswith(names, "W4") | np.char.startswith(names, "S_")
    small = ((np.abs(expected) < np.maximum(0.05, 0.05 * largest)) | loose)[move]
    assert np.all(relative[~small] < 0.01), (names[move][~small][relative[~small] >= 0.01])
    assert np.all(relative[small] < 0.05), (names[move][small][relative[small] >= 0.05])


@every_case
def test_whitened_z_scores_have_a_probable_chi2(speed, name):
    columns, expected, _ = comparison(speed, name)
    move = _moving(columns)
    z = _whitened(columns[:, move], expected[move])
    assert chi2.sf(z @ z, len(z)) > 1e-4


@pytest.mark.parametrize("speed", ["quick", pytest.param("slow", marks=pytest.mark.physics)])
def test_pooled_z_scores_are_unit_normal(speed):
    """Means and covariances over all cases, along independent directions."""
    pooled = []
    for name in CHOSEN[speed]:
        columns, expected, _ = comparison(speed, name)
        move = _moving(columns)
        pooled.append(_whitened(columns[:, move], expected[move]))
    z = np.concatenate(pooled)
    assert len(z) > 35
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / len(z))


def _chains(case, count, schedule):
    chains = Chains(
        _model(case), [_disorder(case)] * count, seed=SEED, samples=range(100, 100 + count), schedule=schedule
    )
    while not chains.finished:
        chains.step()
    return chains.results()


@pytest.mark.parametrize("case", [CASES[0], DISORDERED[6]], ids=lambda case: case.name)
def test_connected_responses(case):
    """What is not connected in the bins is made so without bias; other frequencies lose nothing."""
    short = Schedule(therm_sweeps=200, bins=8, measurements_per_bin=200)
    chains = _chains(case, 150, short)
    bins = {name: np.stack([c.bins[name] for c in chains]) for name in chains[0].bins}
    found = average_point(_model(case), bins, {}, short.measurements_per_bin).values
    truth, volume, beta = exact(case), case.Lx * case.Ly, case.beta
    chi_c = truth["chi_c_raw"].copy()
    chi_c[0] -= volume * beta * truth["charging"] ** 2
    for name, wanted in (
        ("chi_s", truth["chi_s"]),
        ("chi_c", chi_c),
        ("heat", heat(case)),
        ("kappa", truth["kappa"] - volume * beta * truth["density"] ** 2),
        ("G_k0", truth["G_k0"]),
    ):
        value, error = np.atleast_1d(found[name].value), np.atleast_1d(found[name].error)
        moving = error > 1e-12
        z = (value - wanted)[moving] / error[moving]
        assert np.all(np.abs(z) < 4), name
        assert np.all(error < 0.1 * np.abs(wanted)), name
    if case.n_g:
        return
    S, G, W = np.fft.rfft2(truth["G_r0"]).real, truth["G_k0"], np.fft.fftfreq(WINDINGS, 1 / WINDINGS)
    wave = G @ np.cos(2 * np.pi * np.arange(case.L_tau) / case.L_tau)
    P = winding_distribution(case, WINDINGS, both=False)[0]
    for name, value in (
        ("xi_x", np.sqrt(S[0, 0] / S[0, 1] - 1) / (2 * np.sin(np.pi / case.Lx))),
        ("xi_tau", case.eps * np.sqrt(G.sum() / wave - 1) / (2 * np.sin(np.pi / case.L_tau))),
        ("winding_ratio_x", P @ W**4 / (P @ W**2) ** 2),
    ):
        assert abs(found[name].value - value) < 4 * found[name].error < 0.1 * value, name


@pytest.mark.parametrize("case", [DISORDERED[1], DISORDERED[8]], ids=lambda case: case.name)
def test_maps(case):
    chains = _chains(case, 40, Schedule(therm_sweeps=200, bins=8, measurements_per_bin=400))
    truth = exact(case)
    for name, key in (
        ("density", "density_map"), ("kappa", "kappa_map"), ("kappa_loc", "kappa_loc_map"), ("G_r0", "G_r0"),
    ):  # fmt: skip
        maps = np.array([chain.maps[name] for chain in chains])
        moving = np.ptp(maps, axis=0) > 1e-12
        error = maps.std(axis=0, ddof=1) / np.sqrt(len(maps))
        np.testing.assert_allclose(maps.mean(axis=0)[~moving], truth[key][~moving], atol=1e-12)
        z = (maps.mean(axis=0) - truth[key])[moving] / error[moving]
        assert np.all(np.abs(z) < 4), (name, z)
        if name != "density" or case.n_g:
            assert moving.sum() >= case.sites.sum() - 1, name
            assert np.all(error < 0.07 * np.abs(truth[key]).max()), name
