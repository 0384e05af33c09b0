"""Features of functions whose peaks, widths and integrals are known, and their errors."""

import numpy as np
import pytest

from sitqmc.continuation import continue_conductivity
from sitqmc.continuation.kernels.grids import sinh_grid
from sitqmc.continuation.spectrum.features import (
    feature_estimate,
    find_peaks,
    onset,
    peak_near,
    window_weights,
)

GRID = sinh_grid(40.0, 3.0, 400)


def test_two_gaussians():
    w = GRID.omega
    values = np.exp(-0.5 * ((w - 3.0) / 0.4) ** 2) + 0.5 * np.exp(-0.5 * ((w - 9.0) / 1.0) ** 2)
    first, second = find_peaks(w, values)
    assert (first.position, second.position) == pytest.approx((3.0, 9.0), abs=0.01)
    assert (first.height, second.height) == pytest.approx((1.0, 0.5), rel=1e-3)
    assert (first.width, second.width) == pytest.approx((0.4 * 2.3548, 2.3548), rel=0.02)
    assert second.prominence == pytest.approx(0.5, abs=0.01)


def test_a_drude_curve_has_no_peak():
    assert find_peaks(GRID.omega, 1.0 / (1.0 + GRID.omega**2)) == []


def test_small_wiggles_are_not_peaks():
    w = GRID.omega
    values = np.exp(-0.5 * ((w - 3.0) / 0.8) ** 2) * (1.0 + 0.002 * np.sin(40 * w))
    assert len(find_peaks(w, values)) == 1


def test_climbing_follows_a_moved_peak():
    values = np.exp(-0.5 * ((GRID.omega - 3.3) / 0.5) ** 2)
    assert peak_near(GRID.omega, values, 3.0)[0] == pytest.approx(3.3, abs=0.005)


@pytest.mark.parametrize(("low", "high"), [(0.0, 40.0), (1.234, 5.678), (2.0, 2.001)])
def test_window_integral_is_exact_for_straight_lines(low, high):
    total = window_weights(GRID.omega, low, high) @ (2.0 + 3.0 * GRID.omega)
    assert total == pytest.approx(2.0 * (high - low) + 1.5 * (high**2 - low**2), rel=1e-10)


def test_whole_range_gives_the_grid_weights():
    assert np.allclose(window_weights(GRID.omega, 0.0, 40.0), GRID.weights)


def test_empty_window_is_refused():
    with pytest.raises(ValueError, match="lower end must be below"):
        window_weights(GRID.omega, 2.0, 2.0)


def test_sum_rule_ratio_profits_from_common_fluctuations():
    """Samples whose rho scales with their <-k_x>: the ratio is known better than either."""
    rng = np.random.default_rng(12)
    beta, eps, n = 4.0, 0.1, np.arange(21)
    scale = 1 + 0.05 * rng.normal(size=200)
    wn = 2 * np.pi * n / beta
    shape = 0.5 + 0.4 * wn**2 / (wn**2 + 4.0)
    rho = scale[:, None] * shape * (1 + 1e-2 * rng.normal(size=(200, len(n))))
    spectrum = continue_conductivity(rho, beta, eps=eps, method="maxent", n_blocks=20)
    found, ratio = spectrum.sum_rule.found, spectrum.sum_rule.ratio(0.9 * scale)
    assert ratio.value == pytest.approx(found.value / (0.9 * scale.mean()), rel=1e-12)
    assert abs(ratio.value - 1) < 0.01
    assert ratio.statistical < 0.5 * found.statistical < 0.005


def test_band_and_numbers_share_one_rule_for_their_errors():
    """The larger of the statistical and the posterior part, in the band and in every number."""
    rng, n = np.random.default_rng(3), np.arange(21)
    rho = 0.5 + 0.4 * n**2 / (n**2 + 4.0) + 0.01 * rng.normal(size=(60, len(n)))
    s = continue_conductivity(rho, 4.0, eps=0.1, method="maxent", n_omega=80, n_blocks=20)
    larger = np.maximum(s.statistical_error, s.posterior_error)
    np.testing.assert_array_equal(s.error, larger)
    np.testing.assert_allclose(s.band()[1] - s.values, larger, atol=1e-12 * s.values.max())
    numbers = [s.stiffness, s.sum_rule.found, s.dc(), s.weight(0.0, 2.0), *(p.position for p in s.peaks())]
    for e in numbers:
        assert e.error == max(e.statistical, e.posterior) > 0


def test_an_empty_spectrum_has_no_onset():
    assert np.isnan(onset(GRID.omega, np.zeros_like(GRID.omega)))
    missing = feature_estimate(np.nan, np.full(5, np.nan))
    assert missing.found == 0.0
    assert not missing.is_known
