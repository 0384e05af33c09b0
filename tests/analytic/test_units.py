"""Unit conversions and Higgs-mass forms against numbers known by other routes."""

import numpy as np
import pytest

from sitqmc.analytic import units
from sitqmc.analytic.superconductor import higgs_mass as higgs


def test_one_terahertz():
    assert units.thz_to_mev(1.0) == pytest.approx(4.135667696923859, rel=1e-12)
    assert units.thz_to_cm(1.0) == pytest.approx(33.35640951981521, rel=1e-12)
    assert units.mev_to_thz(units.thz_to_mev(0.37)) == pytest.approx(0.37, rel=1e-15)
    assert units.cm_to_thz(units.thz_to_cm(0.37)) == pytest.approx(0.37, rel=1e-15)


def test_low_edge_of_the_band_is_a_fifth_of_a_millielectronvolt():
    assert units.thz_to_mev(0.05) == pytest.approx(0.2067833848, rel=1e-9)


def test_kelvin_and_quantum_of_conductance():
    assert units.kelvin_to_mev(1.0) == pytest.approx(0.08617333262, rel=1e-9)
    assert pytest.approx(1.0 / 6453.2, rel=1e-5) == units.SIGMA_Q_S  # h/4e^2 = 6.4532 kilo-ohm
    assert pytest.approx(376.730313, rel=1e-8) == units.Z0_OHM


def test_film_conductance():
    g = units.sheet_conductance(np.array([5000.0]), 20.0)  # 5000 ohm^-1 cm^-1, 20 nm: 100 ohm
    assert g[0] == pytest.approx(1e-2, rel=1e-14)
    assert units.sheet_to_sigma(1e-2, 20.0) == pytest.approx(5000.0, rel=1e-14)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_bad_thickness_is_refused(bad):
    with pytest.raises(ValueError, match="thickness_nm"):
        units.sheet_conductance(1.0, bad)


def test_mass_forms_differ_by_their_power():
    assert higgs.higgs_mass_mev(8.0, 0.5, "critical") / higgs.higgs_mass_mev(2.0, 0.5, "critical") == 4.0
    assert higgs.higgs_mass_mev(8.0, 0.5, "gaussian") / higgs.higgs_mass_mev(2.0, 0.5, "gaussian") == 2.0


def test_fit_prefers_the_form_that_made_the_data():
    tc = np.array([9.5, 6.7, 5.0, 4.2])
    error = np.full(4, 0.02)
    noise = np.random.default_rng(5).normal(size=4) * error
    mass = higgs.higgs_mass_mev(tc, 0.21, "critical") + noise
    linear = higgs.fit_mass_scaling(tc, mass, error, "critical")
    root = higgs.fit_mass_scaling(tc, mass, error, "gaussian")
    assert abs(linear.prefactor.pull(0.21)) < 4
    assert linear.prefactor.error < 0.0025
    assert linear.dof == 3
    assert linear.chi2 < 16 < root.chi2
    assert linear(6.7) == pytest.approx(6.7 * linear.prefactor.value)


def test_bad_scaling_input():
    with pytest.raises(ValueError, match="form"):
        higgs.higgs_mass_mev(5.0, 1.0, "cubic")
    with pytest.raises(ValueError, match="tc_k"):
        higgs.higgs_mass_mev(-1.0, 1.0, "critical")
    with pytest.raises(ValueError, match="standard deviations"):
        higgs.fit_mass_scaling([4.0, 5.0], [1.0, 1.0], [0.1, 0.0], "critical")


def test_clean_slope():
    slope = higgs.critical_mass_over_stiffness()
    assert slope.value == pytest.approx(4.77, abs=0.01)
    assert 0.6 < slope.error < 0.8
