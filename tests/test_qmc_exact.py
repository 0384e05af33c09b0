"""Every observable of the worm against the transfer matrix, at all frequencies and times."""

import numpy as np
import pytest
from reference.transfer_matrix import CASES, Case, exact
from scipy.stats import chi2

from qmc import Model, Schedule, average_point, run_chain

BINS = 512
MEASUREMENTS = 1200
SEED = 20260101

# name of the bins -> name in the exact result
NAMES = {
    "rho_s_x": "rho_s_x", "rho_s_y": "rho_s_y", "kappa": "kappa",
    "minus_kx": "minus_kx", "minus_ky": "minus_ky", "charging_energy": "charging",
    "bond_energy": "bond", "energy": "energy", "bond": "B", "rho_x": "rho_x", "rho_y": "rho_y",
    "chi_s_raw": "chi_s_raw", "G_k0": "G_k0", "G_loc": "G_loc",
}  # fmt: skip


# Six sites with long-tailed time links: a minute of exact work each.
SLOW = ("cosine-3x2-diluted", "rotor-3x2-ring-and-isolated-sites")


@pytest.fixture(scope="module", params=["quick", pytest.param("slow", marks=pytest.mark.physics)])
def comparison(request):
    """For each case: columns of bins (n_bins, m), exact values (m,), and names (m,)."""
    out = {}
    for i, case in enumerate(CASES):
        if (case.name in SLOW) != (request.param == "slow"):
            continue
        model = Model(
            Lx=case.Lx, Ly=case.Ly, L_tau=case.L_tau, eps=case.eps, charging=case.charging, action=case.action
        )
        schedule = Schedule(therm_sweeps=2000, bins=BINS, measurements_per_bin=MEASUREMENTS)
        result = run_chain(model, case.bonds, seed=SEED, sample=i, schedule=schedule)
        out[case.name] = _columns(case, result.bins)
    return out


def _expected(case: Case):
    """The exact result under our names; for villain with its own <-k_x> and B, see `actions.space_links`."""
    truth = dict(exact(case))
    if case.action == "villain":
        sites, K, j2 = case.Lx * case.Ly, case.eps, truth["J2"]
        truth["minus_kx"], truth["minus_ky"] = (j2[mu].sum() / (sites * K) for mu in (0, 1))
        truth["B"] = -sites * truth["bond"]
        contact = case.bonds.sum() * 0.5 / K**2 - j2.sum() / K**3
        truth["chi_s_raw"] = truth["chi_e_raw"] + case.eps / sites * contact
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
    """At least 8 diluted ones, all actions, Lx != Ly, and current responses that depend on frequency."""
    assert {case.name for case in CASES} >= set(SLOW)
    assert sum(not case.bonds.all() for case in CASES) >= 8
    quick = [case for case in CASES if case.name not in SLOW]
    assert {case.action for case in quick} == {"rotor", "cosine", "villain"}
    assert sum(case.Lx != case.Ly for case in quick) >= 3
    assert sum(np.ptp(exact(case)["rho_x"]) > 0.02 for case in quick) >= 3


def test_what_cannot_fluctuate_is_exact(comparison):
    for columns, expected, names in comparison.values():
        still = ~_moving(columns)
        wanted = np.broadcast_to(expected[still], (len(columns), still.sum()))
        np.testing.assert_allclose(columns[:, still], wanted, atol=1e-9)
        assert "G_loc[0]" in names[still]


def test_no_observable_is_far_off(comparison):
    for case, (columns, expected, names) in comparison.items():
        move = _moving(columns)
        error = columns.std(axis=0, ddof=1)[move] / np.sqrt(len(columns))
        z = (columns.mean(axis=0)[move] - expected[move]) / error
        worst = np.argmax(np.abs(z))
        assert abs(z[worst]) < 4.7, (case, names[move][worst], z[worst])


def test_errors_are_small_enough_to_mean_something(comparison):
    """Below 1 % of the value; 5 % where it is small, absolutely or beside the same correlator's largest."""
    for case, (columns, expected, names) in comparison.items():
        families = np.array([name.split("[")[0] for name in names])
        largest = np.array([np.abs(expected[families == family]).max() for family in families])
        move = _moving(columns)
        relative = columns.std(axis=0, ddof=1)[move] / np.sqrt(len(columns)) / np.abs(expected[move])
        small = (np.abs(expected) < np.maximum(0.05, 0.05 * largest))[move]
        assert np.all(relative[~small] < 0.01), (case, names[move][~small][relative[~small] >= 0.01])
        assert np.all(relative[small] < 0.05), (case, names[move][small][relative[small] >= 0.05])


def test_pooled_z_scores_are_unit_normal(comparison):
    pooled = []
    for case, (columns, expected, _) in comparison.items():
        move = _moving(columns)
        z = _whitened(columns[:, move], expected[move])
        assert chi2.sf(z @ z, len(z)) > 1e-4, case
        pooled.append(z)
    z = np.concatenate(pooled)
    assert len(z) > 35
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / len(z))


def test_connected_scalar_response(comparison):
    """n = 0 loses <B>^2 without bias; the other frequencies have nothing to lose."""
    case = CASES[0]
    model = Model(
        Lx=case.Lx, Ly=case.Ly, L_tau=case.L_tau, eps=case.eps, charging=case.charging, action=case.action
    )
    short = Schedule(therm_sweeps=200, bins=8, measurements_per_bin=200)
    chains = [run_chain(model, case.bonds, seed=SEED, sample=100 + s, schedule=short) for s in range(150)]
    bins = {name: np.stack([c.bins[name] for c in chains]) for name in chains[0].bins}
    chi = average_point(model, bins, {}, short.measurements_per_bin).values["chi_s"]
    z = (chi.mean - exact(case)["chi_s"]) / chi.error
    assert np.all(np.abs(z) < 4)
    assert np.all(chi.error < 0.1 * np.abs(exact(case)["chi_s"]))
