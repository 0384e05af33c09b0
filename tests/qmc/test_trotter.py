"""The limit eps -> 0: synthetic data, and one rotor where it is known."""

import numpy as np
import pytest

from sitqmc.qmc.finite_size.trotter import trotter_limit

EPS = np.array([0.25, 1 / 6, 0.125, 0.1])


def test_covers_the_truth():
    rng = np.random.default_rng(1)
    for action, power in (("rotor", 2), ("cosine", 1)):
        fits = [
            trotter_limit(EPS, 5.7 + 4 * EPS**power + rng.normal(0, 0.01, 4), np.full(4, 0.01), action=action)
            for _ in range(400)
        ]
        for name, ceiling in (("value", 0.03), ("next_order", 0.09)):
            values = [getattr(f, name) for f in fits]
            z = np.array([v.pull(5.7) for v in values])
            assert abs(z.mean()) < 4 / 20
            assert z.std() == pytest.approx(1, abs=0.12)
            assert values[0].error < ceiling
        z = np.array([f.slope.pull(4) for f in fits])
        assert z.std() == pytest.approx(1, abs=0.12)
        assert np.mean([f.chi2 for f in fits]) == pytest.approx(2, abs=0.4)
        assert sum(bool(f.warnings) for f in fits) <= 5


def test_next_order_is_seen():
    exact = 5.7 + 4 * EPS**2 - 20 * EPS**4
    bad = trotter_limit(EPS, exact, np.full(4, 1e-3))
    assert "does not fit" in bad.warnings[0]
    assert bad.next_order.value == pytest.approx(5.7, abs=1e-9)
    # With three points chi2 has one degree of freedom; the other fit is exact and still tells.
    three = trotter_limit(EPS[:3], exact[:3], np.full(3, 1e-3))
    assert three.dof == 1
    assert three.next_order.value == pytest.approx(5.7, abs=1e-9)


def test_correlated_errors():
    """An error common to all eps goes into the limit as it is."""
    covariance = 0.01**2 * np.eye(4) + 0.05**2
    independent = trotter_limit(EPS, 5.7 + 4 * EPS**2, np.full(4, 0.01))
    correlated = trotter_limit(EPS, 5.7 + 4 * EPS**2, covariance)
    assert correlated.value.error == pytest.approx(np.hypot(independent.value.error, 0.05), rel=1e-6)


def pair_energy(eps, charging, n=12):
    """Energy of the bond of two rotors, exact at finite eps: symmetric product of exp(-eps T) exp(-eps V).

    beta = 2; relative charge -n .. n; weights of the action `rotor`.
    """
    from scipy.special import ive

    charge = np.arange(-n, n + 1)
    half = np.exp(-0.5 * eps * charging * charge**2)  # both rotors: 2 x (E_C/2) n^2, half a step
    distance = np.abs(charge[:, None] - charge[None, :])
    hop = ive(distance, eps)
    cos = (ive(np.abs(distance - 1), eps) + ive(distance + 1, eps)) / 2
    step = half[:, None] * hop * half[None, :]
    others = np.linalg.matrix_power(step, round(2 / eps) - 1)
    return np.trace(others @ (half[:, None] * cos * half[None, :])) / np.trace(others @ step)


def test_two_rotors():
    """<cos> of two rotors at eps = 1/4 .. 1/10 goes to its value at eps = 1/1000 as eps^2."""
    eps = np.array([0.25, 0.2, 0.125, 0.1])
    values = np.array([pair_energy(e, 2.0) for e in eps])
    limit = trotter_limit(eps, values, np.full(4, 2e-4))
    exact = pair_energy(1e-3, 2.0)
    assert abs(values[0] - exact) > 10 * 2e-4
    assert abs(limit.value.pull(exact)) < 1
    assert abs(limit.next_order.pull(exact)) < 0.3
    assert limit.warnings == []


def test_failures():
    with pytest.raises(ValueError, match="2 different eps: at least 3"):
        trotter_limit([0.1, 0.2, 0.2], [1, 2, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="action = 'villain'"):
        trotter_limit(EPS, EPS, EPS, action="villain")
    with pytest.raises(ValueError, match="all must be positive"):
        trotter_limit(EPS, EPS, np.zeros(4))
    with pytest.raises(ValueError, match=r"values \(3,\)"):
        trotter_limit(EPS, EPS[:3], EPS)
