"""Reactive conductivities of an insulator from its Matsubara data."""

import numpy as np
import pytest

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.reactive import capacitance, reactive_product


def test_capacitance_of_a_gapped_insulator():
    """rho = C w^2/(1 + (w/w_0)^2), a single absorption line, with noise."""
    rng, w = np.random.default_rng(1), 0.3 * np.arange(8)
    rho = 0.7 * w**2 / (1 + (w / 1.4) ** 2)
    found = capacitance(rho * (1 + 0.01 * rng.standard_normal((100, 8))), w)
    assert abs(found.value - 0.7) < 3 * found.error < 0.03


def test_its_error_covers_the_winding_of_a_finite_array():
    w = 0.3 * np.arange(8)
    rho = np.tile(0.7 * w**2 / (1 + (w / 1.4) ** 2) + 0.005, (10, 1))
    found = capacitance(rho, w)
    assert 0.01 < abs(found.value - 0.7) < 1.5 * found.error


def test_product_and_bad_input():
    product = reactive_product(Estimate(0.1, 0.01), Estimate(0.05, 0.0))
    assert product.value == pytest.approx((2 * np.pi) ** 2 * 0.005)
    assert product.error == pytest.approx(0.1 * product.value)
    with pytest.raises(ValueError, match="n >= 4"):
        capacitance(np.ones((5, 3)), np.arange(3))
