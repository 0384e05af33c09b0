"""Superconductor response against 30-digit references, exact limits, sum rules and Kramers-Kronig."""

import json

import numpy as np
import pytest

from reference import superconductor as slow
from sitqmc.analytic.superconductor.drude import drude, drude_weight, scattering_mev_from_tau
from sitqmc.analytic.superconductor.dynes import dynes_conductivity, dynes_kernel
from sitqmc.analytic.superconductor.finite_scattering import (
    conductivity_kernel,
    finite_scattering_conductivity,
)
from sitqmc.analytic.superconductor.gap import BCS_RATIO, critical_temperature, gap_mev
from sitqmc.analytic.superconductor.matsubara import (
    film_stiffness_mev,
    matsubara_conductivity,
    matsubara_kernel,
    penetration_depth_nm,
    stiffness_slope_mev,
    superfluid_fraction,
)
from sitqmc.analytic.superconductor.mattis_bardeen import mattis_bardeen, zero_temperature
from sitqmc.analytic.superconductor.tunnelling import didv_kernel, dynes_dos, tunnelling_conductance
from sitqmc.analytic.units import MEV_PER_K, MEV_PER_THZ, SIGMA_Q_S, mev_to_thz, thz_to_mev

TABLE = json.loads(slow.TABLE.read_text())


def worst(name, fast):
    """Largest relative difference of real and of imaginary parts over one stored table."""
    errors = []
    for entry in TABLE[name]:
        value = fast(*entry["arguments"])
        parts = (value.real, value.imag) if len(entry["value"]) == 2 else (value,)
        errors += [
            abs(p - float(v)) / abs(float(v))
            for p, v in zip(parts, entry["value"], strict=True)
            if float(v) != 0 or p != 0
        ]
    return max(errors)


def one_conductivity(omega, temp, tau):
    out = np.empty(1, dtype=complex)
    conductivity_kernel(np.array([omega]), temp, tau, out)
    return complex(out[0])


def one_dynes(omega, temp, gamma, width):
    out = np.empty(1, dtype=complex)
    dynes_kernel(np.array([omega]), temp, gamma, 1.0 / width, out)
    return complex(out[0])


def one_bias(bias, gamma, temp):
    out = np.empty(1)
    didv_kernel(np.array([bias]), gamma, temp, out)
    return float(out[0])


def one_gap(reduced_t, reduced_gamma):
    tc = critical_temperature(1.0, reduced_gamma)
    return float(gap_mev(reduced_t, tc, gamma_mev=reduced_gamma * MEV_PER_K)) / MEV_PER_K


def test_finite_scattering_against_the_table():
    assert len(TABLE["zimmermann"]) == 112
    assert worst("zimmermann", one_conductivity) < 1e-9


def test_dynes_against_the_table():
    assert worst("dynes", one_dynes) < 1e-9


def test_tunnelling_against_the_table():
    assert worst("tunnelling", one_bias) < 1e-9


def test_gap_against_the_table():
    assert worst("gap", one_gap) < 1e-11


def test_table_is_what_its_generator_computes():
    entry = TABLE["zimmermann"][5]
    again = slow.zimmermann(*entry["arguments"])
    assert float(again.real) == pytest.approx(float(entry["value"][0]), rel=1e-14)
    assert float(again.imag) == pytest.approx(float(entry["value"][1]), rel=1e-14)


def test_gap_limits():
    assert float(gap_mev(0.0, 10.0)) == pytest.approx(0.5 * 3.527753977724091 * 10.0 * MEV_PER_K, rel=1e-12)
    assert np.all(gap_mev([10.0, 11.0], 10.0) == 0.0)
    near = float(gap_mev(10.0 * (1 - 1e-6), 10.0)) / (10.0 * MEV_PER_K)
    assert near == pytest.approx(np.pi * np.sqrt(8 / (7 * 1.2020569031595942)) * 1e-3, rel=2e-6)
    assert float(gap_mev(2.0, 10.0, ratio=4.2)) == pytest.approx(4.2 / BCS_RATIO * float(gap_mev(2.0, 10.0)))


def test_pair_breaking_suppresses_gap_and_tc():
    full = np.pi * np.exp(-np.euler_gamma)  # Delta00/k Tc0
    tc = critical_temperature(1.0, 0.3)
    zero = float(gap_mev(0.0, tc, gamma_mev=0.3 * MEV_PER_K)) / MEV_PER_K
    assert zero == pytest.approx(np.sqrt(full * (full - 0.6)), rel=1e-10)
    assert critical_temperature(1.0, 1e-4) == pytest.approx(1 - 1e-4 * np.pi / 4, abs=1e-8)  # first order
    with pytest.raises(ValueError, match="pair breaking"):
        critical_temperature(1.0, 0.9)


def test_mattis_bardeen_at_zero_temperature_is_the_dirty_limit():
    x = np.array([1e-3, 0.3, 0.99, 1.01, 1.5, 20.0])
    out = np.empty(x.size, dtype=complex)
    conductivity_kernel(2 * x, 0.0, 0.0, out)
    exact = zero_temperature(x)
    assert np.all(out.real[:3] == 0)
    np.testing.assert_allclose(out.real, exact.real, rtol=1e-10)
    np.testing.assert_allclose(out.imag, exact.imag, rtol=1e-10)
    assert exact.imag[0] == pytest.approx(np.pi / 2 / 1e-3, rel=1e-5)


def test_gap_edge_is_finite_and_steep():
    assert zero_temperature(np.array([1.0]))[0] == pytest.approx(1j, abs=1e-12)
    slope = zero_temperature(np.array([1.0 + 1e-7])).real[0] / 1e-7
    assert slope == pytest.approx(np.pi / 2, rel=1e-5)


def test_warm_mattis_bardeen_tends_to_the_cold_one():
    nu = np.array([0.1, 0.8, 2.0])
    np.testing.assert_allclose(mattis_bardeen(nu, 1.0, 0.3), mattis_bardeen(nu, 1.0, 0.0), rtol=1e-9)


def test_limits_of_the_scattering_rate():
    nu = np.array([0.05, 0.4, 0.6, 3.0])
    np.testing.assert_allclose(
        finite_scattering_conductivity(nu, 1.0, 1e9, 4.0), mattis_bardeen(nu, 1.0, 4.0), rtol=1e-7
    )
    np.testing.assert_allclose(
        finite_scattering_conductivity(nu, 1e-9, 3.0, 4.0), drude(nu, 1.0, 3.0), rtol=1e-6
    )
    assert np.all(finite_scattering_conductivity(nu, 0.0, 3.0, 4.0) == drude(nu, 1.0, 3.0))
    clean = finite_scattering_conductivity(nu, 1.0, 1e-4, 0.2)  # all weight in the delta function
    np.testing.assert_allclose(clean.imag, 1e-4 / thz_to_mev(nu), rtol=1e-3)
    assert np.all(clean.real < 1e-6)


@pytest.mark.parametrize("temp", [0.034, 0.22, 1.5])
def test_extremely_dirty_is_mattis_bardeen(temp):
    """Scales 13 orders of magnitude apart must not cost accuracy."""
    for omega in (0.003, 0.04, 0.6, 1.9, 3.0):
        limit, near = one_conductivity(omega, temp, 0.0), one_conductivity(omega, temp, 1e-13)
        assert near.real == pytest.approx(limit.real, rel=1e-10)
        assert near.imag == pytest.approx(limit.imag, rel=1e-10)


def test_dynes_tends_to_finite_scattering_and_to_drude():
    nu = np.array([0.1, 0.3, 0.8, 2.0])
    np.testing.assert_allclose(
        dynes_conductivity(nu, 1.0, 1e-7, 5.0, 4.0),
        finite_scattering_conductivity(nu, 1.0, 5.0, 4.0),
        rtol=1e-5,
    )
    np.testing.assert_allclose(dynes_conductivity(nu, 1e-5, 0.2, 5.0, 4.0), drude(nu, 1.0, 5.4), rtol=1e-6)
    assert np.all(
        dynes_conductivity(nu, 1.0, 0.0, 5.0, 4.0) == finite_scattering_conductivity(nu, 1.0, 5.0, 4.0)
    )


def test_pair_breaking_alone_moves_the_minimum_below_the_gap():
    """Gamma = 0.02 Delta at 0.35 Tc puts the minimum of sigma1 at about half of 2 Delta: not a mode."""
    x = np.linspace(0.05, 1.5, 581)
    t_k = 0.35 * 2 / BCS_RATIO / MEV_PER_K
    broken = dynes_conductivity(mev_to_thz(2 * x), 1.0, 0.02, np.inf, t_k).real
    whole = mattis_bardeen(mev_to_thz(2 * x), 1.0, t_k).real
    assert x[broken.argmin()] == pytest.approx(0.46, abs=0.03)
    assert x[whole.argmin()] == pytest.approx(1.0, abs=0.01)


def panels(edges, order=24):
    z, w = np.polynomial.legendre.leggauss(order)
    low, high = edges[:-1, None], edges[1:, None]
    return (low + (high - low) * 0.5 * (1 + z)).ravel(), ((high - low) * 0.5 * w).ravel()


def spectrum_nodes(delta, top):
    """Nodes in meV from 0 to top, clustered at zero and at the gap edge."""
    edge = 2.0 * delta
    below = np.concatenate([[0.0], np.geomspace(1e-7, 0.5, 22), 1 - np.geomspace(0.4, 1e-6, 14), [1.0]])
    above = 1 + np.concatenate([np.geomspace(1e-6, 1.0, 14), np.geomspace(2.0, top / edge, 24)])
    return panels(edge * np.concatenate([below, above]))


CASES = [(0.0, 3.0, 3.0), (0.1, 3.0, 3.0), (0.0, 0.3, 5.0), (0.05, 20.0, 1.0)]


@pytest.mark.parametrize(("gamma", "rate", "t_k"), CASES)
def test_sum_rule(gamma, rate, t_k):
    """int_0^inf sigma1 is that of the Drude form; the delta function holds (pi/2) lim omega sigma2."""
    omega, weight = spectrum_nodes(1.0, 1e6)
    sigma1 = dynes_conductivity(mev_to_thz(omega), 1.0, gamma, rate, t_k).real
    total = rate + 2 * gamma
    area = weight @ sigma1 + 0.5 * np.pi * stiffness_slope_mev(1.0, rate, t_k, gamma) + total**2 / 1e6
    assert area == pytest.approx(0.5 * np.pi * total, rel=1e-6)


@pytest.mark.parametrize(("gamma", "rate", "t_k"), CASES)
def test_matsubara_values_continue_the_real_axis(gamma, rate, t_k):
    """sigma(i w) = D/w + (2/pi) int sigma1 w/(w^2 + omega^2): both axes show one function."""
    omega, weight = spectrum_nodes(1.0, 1e6)
    sigma1 = dynes_conductivity(mev_to_thz(omega), 1.0, gamma, rate, t_k).real
    m = np.array([1, 2, 7])
    w = 2 * np.pi * t_k * MEV_PER_K * m[:, None]
    value = 2 / np.pi * (weight * sigma1 * w / (w**2 + omega**2)).sum(axis=1)
    value += stiffness_slope_mev(1.0, rate, t_k, gamma) / w[:, 0]
    np.testing.assert_allclose(value, matsubara_conductivity(m, 1.0, rate, t_k, gamma), rtol=1e-8)


def test_kramers_kronig_on_the_real_axis():
    """sigma2 from sigma1 by the principal-value integral, subtracted at the pole."""
    gamma, rate, t_k, at = 0.1, 4.0, 3.0, 3.1
    omega, weight = spectrum_nodes(1.0, 1e6)
    sigma1 = dynes_conductivity(mev_to_thz(omega), 1.0, gamma, rate, t_k).real
    here = dynes_conductivity(mev_to_thz(np.array([at])), 1.0, gamma, rate, t_k)[0]
    regular = 2 * at / np.pi * np.sum(weight * (sigma1 - here.real) / (at**2 - omega**2))
    cut = here.real * at * 2 / np.pi / 1e6  # the subtracted part integrates to zero only to infinity
    expected = regular + cut + stiffness_slope_mev(1.0, rate, t_k, gamma) / at
    assert expected == pytest.approx(here.imag, rel=1e-8)


def test_matsubara_sum_term_by_term():
    m, temp, narrow, gamma = 3, 0.1, 0.4, 0.05
    n = np.arange(-400_000, 400_000)
    x, y = (2 * np.pi * temp * (k + 0.5) for k in (n, n + m))
    x, y = x + gamma * np.sign(x), y + gamma * np.sign(y)
    e, ep = np.hypot(1, x), np.hypot(1, y)
    total = np.pi * temp * np.sum((1 - (x * y - 1) / (e * ep)) / (1 + narrow * (e + ep - 2 * gamma)))
    out = np.empty(1)
    matsubara_kernel(np.array([m]), temp, narrow, gamma, out)
    assert out[0] == pytest.approx(total / (2 * np.pi * temp * m), rel=1e-10)


def test_stiffness_limits():
    dirty = stiffness_slope_mev(1.3, np.inf, 4.0)
    assert dirty == pytest.approx(np.pi * 1.3 * np.tanh(1.3 / (2 * 4.0 * MEV_PER_K)), rel=1e-12)
    assert superfluid_fraction(1.0, 1e-8, 0.0) == pytest.approx(1.0, abs=1e-8)
    nu = np.array([1e-5])
    sigma2 = dynes_conductivity(nu, 1.0, 0.1, 100.0, 1.0).imag[0]
    assert thz_to_mev(1e-5) * sigma2 == pytest.approx(stiffness_slope_mev(1.0, 100.0, 1.0, 0.1), rel=1e-7)


def test_film_stiffness_and_penetration_depth():
    # Dirty film at T = 0: J_s = (Delta/2) G_n/sigma_Q.
    g_n = 1e-3
    sigma_n = g_n / (20e-7)
    j_s = film_stiffness_mev(stiffness_slope_mev(0.9, np.inf, 0.0) * sigma_n, 20.0)
    assert j_s == pytest.approx(0.45 * g_n / SIGMA_Q_S, rel=1e-10)
    # lambda = 105 nm sqrt(rho_n/(uohm cm) / (Tc/K)), the usual dirty-limit rule of thumb.
    slope = stiffness_slope_mev(0.5 * BCS_RATIO * 10 * MEV_PER_K, np.inf, 0.0)
    assert penetration_depth_nm(slope / 100e-6) == pytest.approx(105 * np.sqrt(10.0), rel=0.01)


def test_tunnelling_limits():
    assert float(tunnelling_conductance(40.0, 1.0, 0.1, 4.0)) == pytest.approx(1.0, abs=1e-3)
    v = np.array([0.3, 1.2])
    assert np.array_equal(tunnelling_conductance(v, 1.0, 0.1, 2.0), tunnelling_conductance(-v, 1.0, 0.1, 2.0))
    np.testing.assert_allclose(tunnelling_conductance(v, 1.0, 0.1, 0.0), dynes_dos(v, 1.0, 0.1), rtol=1e-12)
    assert np.isinf(dynes_dos(1.0, 1.0, 0.0))
    assert dynes_dos(0.0, 1.0, 0.1) == pytest.approx(0.1 / np.sqrt(1.01))


def test_bias_within_rounding_of_the_gap_edge():
    """Gamma = 0: N(E) is infinite at the edge, dI/dV is not."""
    for v in (1.0 - 2e-16, 1.0 + 3e-16, 1.0 + 1e-12):
        assert one_bias(v, 0.0, 0.05) == pytest.approx(one_bias(1.0, 0.0, 0.05), rel=1e-10)
    for v in (1.0, 1.0 + 4.9e-5, 1.0 + 5.1e-5, 0.999, 1.004):  # both sides of a switch in the kernel
        assert one_bias(v, 0.0, 0.05) == pytest.approx(float(slow.tunnelling(v, 0.0, 0.05)), rel=1e-9)


def test_tunnelling_conserves_states():
    """States removed from the gap pile up at its edges: int (dI/dV - 1) dV = 0, here up to the cut."""
    v, w = panels(np.concatenate([np.linspace(0, 3, 31), np.geomspace(3.3, 3000, 40)]))
    excess = w @ (tunnelling_conductance(v, 1.0, 0.2, 3.0) - 1)
    assert excess == pytest.approx(-0.5 / 3000, abs=1e-6)


def test_drude():
    nu = np.array([0.5])
    rate = scattering_mev_from_tau(10.0)  # hbar/10 fs = 65.8 meV
    assert rate == pytest.approx(65.82, rel=1e-3)
    assert drude(nu, 2.0, rate)[0] == pytest.approx(2.0 / (1 - 1j * 2 * np.pi * 0.5 * 0.01), rel=1e-12)
    omega, weight = panels(np.concatenate([[0.0], np.geomspace(1e-2, 1e9, 60)]))
    area = weight @ drude(mev_to_thz(omega), 2.0, rate).real * 2 * np.pi / MEV_PER_THZ
    assert area == pytest.approx(drude_weight(2.0, rate), rel=1e-6)


@pytest.mark.physics
def test_finite_scattering_at_random_points():
    """T/Tc 0.05-0.99, hbar omega/2 Delta 1e-3-20, hbar/(2 Delta tau) 1e-3-1e4, all logarithmically random."""
    rng = np.random.default_rng(41)
    for _ in range(40):
        reduced = rng.uniform(0.05, 0.99)
        temp = reduced / one_gap(reduced, 0.0)
        half, impurity = 10 ** rng.uniform(-3, np.log10(20)), 10 ** rng.uniform(-3, 4)
        exact = slow.zimmermann(2 * half, temp, 0.5 / impurity)
        fast = one_conductivity(2 * half, temp, 0.5 / impurity)
        assert fast.real == pytest.approx(float(exact.real), rel=1e-9)
        assert fast.imag == pytest.approx(float(exact.imag), rel=1e-9)


@pytest.mark.physics
def test_dynes_at_random_points():
    rng = np.random.default_rng(42)
    for _ in range(8):
        omega, temp = 2 * 10 ** rng.uniform(-2, 1), 10 ** rng.uniform(-1.7, 0.3)
        gamma, width = 10 ** rng.uniform(-4, -0.3), 10 ** rng.uniform(-0.5, 3)
        exact = slow.dynes(omega, temp, gamma, width + 2 * gamma)
        fast = one_dynes(omega, temp, gamma, width + 2 * gamma)
        assert fast.real == pytest.approx(float(exact.real), rel=1e-9)
        assert fast.imag == pytest.approx(float(exact.imag), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mattis_bardeen([0.1, -1.0], 1.0, 1.0), "nu_thz = -1.0"),
        (lambda: mattis_bardeen([np.nan], 1.0, 1.0), "nu_thz = nan"),
        (lambda: finite_scattering_conductivity([0.1], -1.0, 1.0, 1.0), "delta_mev = -1.0"),
        (lambda: finite_scattering_conductivity([0.1], 1.0, 0.0, 1.0), "scattering_mev = 0.0"),
        (lambda: finite_scattering_conductivity([0.1], 1.0, 1.0, -2.0), "t_k = -2.0"),
        (lambda: dynes_conductivity([0.1], 1.0, np.nan, 1.0, 1.0), "gamma_mev = nan"),
        (lambda: matsubara_conductivity([0], 1.0, 1.0, 1.0), "Matsubara indices"),
        (lambda: matsubara_conductivity([1], 1.0, 1.0, 0.0), "t_k = 0.0"),
        (lambda: tunnelling_conductance([0.1], 0.0, 0.1, 1.0), "delta_mev = 0.0"),
        (lambda: gap_mev([-1.0], 5.0), "temperatures"),
        (lambda: gap_mev([1.0], 0.0), "tc_k = 0.0"),
        (lambda: superfluid_fraction(1.0, np.inf, 1.0), "scattering_mev = inf"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
