"""Estimators with less noise: the fit over wave vectors, mask control variates, and both together."""

from functools import cache

import numpy as np
import pytest

from sitqmc.qmc import Model
from sitqmc.qmc.model.mask_functions import (
    CLUSTERS,
    couplings,
    local_counts,
    network_functions,
    rotor_table,
)
from sitqmc.qmc.model.wave_vectors import (
    lattice_wave_vectors,
    matsubara_numbers,
    measured_waves,
    multiplicity,
)
from sitqmc.qmc.statistics.control_variates import MaskFunctions, control, mask_functions
from sitqmc.qmc.statistics.improved import ESTIMATORS, improved_averages
from sitqmc.qmc.statistics.jackknife import jackknife
from sitqmc.qmc.statistics.transverse_fit import fit_transverse

MODEL = Model(Lx=12, Ly=12, L_tau=96, eps=0.1, charging=3.0, p=0.1)
LOOKS = 64


def _truth(model, curvature=0.15, shift=0.0):
    """A smooth response K(q, n) that rises with n, q = 0 first: (1 + waves, F)."""
    n, waves = matsubara_numbers(model.L_tau), measured_waves(model)
    q2 = np.concatenate([[0.0], (lattice_wave_vectors(waves, model.Lx, model.Ly) ** 2).sum(axis=1)])[:, None]
    rho = 0.3 + 0.4 * n / (6 + n)
    return rho * np.exp(curvature * q2 / (1 + n / 4) - 0.02 * q2**2 / (2 + n)) + shift * (q2 == 0)


def _measured(model, samples, seed, *, disorder=0.0, truth=None, **shape):
    """Means over LOOKS squares of Gaussian numbers around `truth`, times a factor of each sample."""
    rng, waves = np.random.default_rng(seed), measured_waves(model)
    truth = _truth(model, **shape) if truth is None else truth
    modes = np.concatenate([[2], 2 * multiplicity(waves, model.Lx, model.Ly)])[:, None] * LOOKS
    noise = rng.gamma(np.broadcast_to(modes, (samples, *truth.shape)), 1 / modes)
    values = truth * noise * (1 + disorder * rng.standard_normal((samples, 1, 1)))
    return values[:, 0], values[:, 1:]


def _fit(model, plain, waves, **options):
    n = matsubara_numbers(model.L_tau)
    return fit_transverse(model, plain, waves, measured_waves(model), n, **options)


@cache
def _many_fits():
    """Pulls against the truth, and gains, of 48 data sets."""
    truth, pulls, gains, quality = _truth(MODEL)[0], [], [], []
    for seed in range(48):
        fit = _fit(MODEL, *_measured(MODEL, 64, seed))
        pulls.append((fit.value - truth) / fit.error_of_value)
        gains.append((fit.plain_error / fit.error_of_value) ** 2)
        quality.append((fit.chi2 / fit.dof, fit.p_value))
    return np.array(pulls)[:, 1:], np.array(gains)[:, 1:], np.array(quality)


def test_fit_finds_the_response_at_zero_without_bias_and_with_right_errors():
    """The response doubles within the range of q; the bias stays well below the error."""
    pulls, gains, _ = _many_fits()
    assert np.abs(pulls.mean(axis=0)).max() < 0.2 + 4 / np.sqrt(48)
    assert np.mean(pulls.mean(axis=0) ** 2) < 0.3**2 + 1 / 48
    assert 0.85 < pulls.std() < 1.1
    modes = 1 + multiplicity(measured_waves(MODEL), 12, 12).sum()
    assert np.median(gains[:, 4:]) > 0.4 * modes         # half of the modes pay for the curves
    assert np.median(gains[:, 0]) > 1.5
    assert gains.min() >= 1.0                            # never worse than q = 0 alone


def _softening(model):
    """A response outside the functions of the fit: screened statics, a mode that disperses, relaxation."""
    n, waves = matsubara_numbers(model.L_tau), measured_waves(model)
    q = lattice_wave_vectors(waves, model.Lx, model.Ly)
    q2, w = np.concatenate([[0.0], (q**2).sum(axis=1)])[:, None], 2 * np.pi * n / model.beta
    mode = 0.25 * w**2 / (w**2 + 0.5 * w + 3 + 0.8 * q2)
    return 0.3 / (1 + 0.03 * q2) + mode + 0.2 * w / (w + 12) + 0.02 * np.hypot(w, 0.4 * np.sqrt(q2))


def test_pulls_against_the_plain_mean_on_ten_times_the_data():
    """The same data give both: their correlation is taken out by the scatter of the difference."""
    pulls = []
    for seed in range(12):
        plain, waves = _measured(MODEL, 640, seed, disorder=0.01, truth=_softening(MODEL))
        fit = _fit(MODEL, plain, waves)
        difference = fit.samples - plain
        error = np.sqrt(difference.var(axis=0, ddof=1) / len(plain) + np.diag(fit.systematic))
        pulls.append((difference.mean(axis=0) / np.maximum(error, 1e-12))[1:])
    pulls = np.array(pulls)
    assert abs(pulls.mean()) < 4 / np.sqrt(pulls.size)
    assert np.abs(pulls.mean(axis=0)).max() < 4.2 / np.sqrt(len(pulls))
    assert 0.85 < pulls.std() < 1.15


def test_chi_squared_of_a_right_fit_is_what_it_should_be():
    _, _, quality = _many_fits()
    assert abs(quality[:, 0].mean() - 1) < 0.05
    assert np.mean(quality[:, 1] < 0.1) < 0.2
    assert quality[:, 1].min() > 1e-4


def test_disorder_noise_common_to_all_wave_vectors_stays_in_the_covariance():
    fit = _fit(MODEL, *_measured(MODEL, 400, 3, disorder=0.2))
    expected = _truth(MODEL)[0] * 0.2 / np.sqrt(400)
    np.testing.assert_allclose(fit.error_of_value[1:], expected[1:], rtol=0.25)
    correlation = fit.covariance[5, 9] / np.sqrt(fit.covariance[5, 5] * fit.covariance[9, 9])
    assert correlation > 0.9
    assert fit.p_value > 1e-3


def test_a_jump_at_zero_is_noticed():
    """Wave vectors that do not tend to q = 0 are refused by the data, with a warning."""
    fit = _fit(MODEL, *_measured(MODEL, 400, 5, shift=0.2))
    assert fit.p_value < 1e-3
    assert "compare with estimator = 'plain'" in fit.warnings[0]
    assert not _fit(MODEL, *_measured(MODEL, 400, 5)).warnings


def test_what_cannot_be_fitted_is_left_as_it_is():
    plain, waves = _measured(MODEL, 30, 1)
    fit = _fit(MODEL, plain, waves, static=False)
    np.testing.assert_array_equal(fit.samples[:, 0], plain[:, 0])
    assert fit.radius[0] == 0
    assert fit.radius[3] > 0
    zero = waves.copy()
    zero[:, 2, 4] = np.nan
    np.testing.assert_array_equal(_fit(MODEL, plain, zero).samples[:, 4], plain[:, 4])
    alone = _fit(MODEL, plain[:1], waves[:1])
    assert alone.best is None
    assert "it needs 2 samples" in alone.warnings[0]
    tiny = Model(Lx=2, Ly=2, L_tau=8, eps=0.5, charging=3.0)
    small = _fit(tiny, *_measured(tiny, 20, 2))
    assert small.radius.max() == 0
    with pytest.raises(ValueError, match=r"plain \(30, .*must be"):
        _fit(MODEL, plain, waves[:, 1:])


def test_rectangles_and_odd_lengths():
    for Lx, Ly in ((10, 6), (7, 7), (4, 3)):
        model = Model(Lx=Lx, Ly=Ly, L_tau=40, eps=0.1, charging=3.0)
        plain, waves = _measured(model, 100, Lx)
        fit = _fit(model, plain, waves)
        pulls = (fit.value - _truth(model)[0]) / fit.error_of_value
        assert np.abs(pulls).max() < 4.5


# ---- functions of the mask -------------------------------------------------------------------------------

DISORDERED = (
    Model(Lx=6, Ly=6, L_tau=8, eps=0.1, charging=3.0, p=0.337),
    Model(Lx=6, Ly=5, L_tau=8, eps=0.1, charging=3.0, p=0.1, p_site=0.2),
    Model(Lx=4, Ly=4, L_tau=8, eps=0.1, charging=3.0, p=0.2, spread_J=0.5, spread_C=0.3),
    Model(Lx=2, Ly=3, L_tau=8, eps=0.1, charging=3.0, p=0.3, p_site=0.1),
)


@pytest.mark.parametrize("model", DISORDERED, ids=lambda m: f"{m.Lx}x{m.Ly}-{m.p}-{m.p_site}")
def test_means_of_local_counts_are_exact(model):
    values = local_counts(model, [model.draw_disorder(3, s) for s in range(4000)])
    error = values.std(axis=0) / np.sqrt(len(values))
    moving = error > 1e-12
    assert moving.sum() > 6
    assert np.abs(values.mean(axis=0)[moving] / error[moving]).max() < 4.2
    np.testing.assert_allclose(values.mean(axis=0)[~moving], 0.0, atol=1e-12)


def test_local_counts_of_a_mask_by_hand():
    """Two missing bonds that meet in a corner: the number of such corners and of bonds."""
    model = Model(Lx=6, Ly=6, L_tau=8, eps=0.1, charging=3.0, p=0.25)
    mask = np.ones((2, 6, 6), bool)
    mask[0, 2, 2] = mask[1, 2, 2] = False
    counts = local_counts(model, [model.as_disorder(mask)])[0]
    names = list(CLUSTERS)
    assert counts[names.index("bonds")] * 36 == pytest.approx(72 * 0.25 - 2)
    # 144 corners: 1 with both bonds missing, 6 with one of them, the others with both present.
    corners = 1 * 0.75**2 + 6 * -0.75 * 0.25 + 137 * 0.25**2
    assert counts[names.index("corners")] * 36 == pytest.approx(corners)


def test_rotor_in_a_field():
    """Second-order perturbation theory at small fields; saturation at large ones."""
    table = rotor_table()
    assert table.cosine[1] / 0.01 == pytest.approx(2.0, rel=1e-3)      # <cos> = 2 h/E_C
    assert table.kappa[0] == 0
    assert (np.diff(table.cosine) > 0).all()
    assert (np.diff(table.kappa) > 0).all()
    assert 0.85 < table.cosine[-1] < 1


def test_network_of_a_clean_array_is_known():
    model = Model(Lx=6, Ly=4, L_tau=8, eps=0.1, charging=1.0)
    values = network_functions(model, [model.draw_disorder(0, 0)])[0]
    assert values[-1] == pytest.approx(2.0)              # springs of strength 1 along x and y
    psi, square = values[0], values[1]
    assert square == pytest.approx(psi**2)
    assert values[6] == pytest.approx(2 * square)        # stiffness: psi^2 in both directions


def test_network_stiffness_of_a_diluted_array_by_linear_algebra():
    model = Model(Lx=7, Ly=6, L_tau=8, eps=0.1, charging=3.0, p=0.3)
    sample = model.draw_disorder(1, 4)
    w, N = couplings([sample])[0], model.sites
    place = np.arange(N).reshape(6, 7)
    total = 0.0
    for mu in range(2):
        laplacian, force = np.zeros((N, N)), np.zeros(N)
        for nu in range(2):
            there = np.roll(place, -1, axis=1 - nu)
            for i, j, g in zip(place.ravel(), there.ravel(), w[nu].ravel(), strict=True):
                laplacian[i, i] += g
                laplacian[j, j] += g
                laplacian[i, j] -= g
                laplacian[j, i] -= g
                if nu == mu:
                    force[i] += g
                    force[j] -= g
        total += (w[mu].sum() - force @ np.linalg.pinv(laplacian) @ force) / N
    assert network_functions(model, [sample])[0, -1] == pytest.approx(total, rel=2e-3)


# ---- control variates --------------------------------------------------------------------------------------

CHEAP = Model(Lx=6, Ly=6, L_tau=8, eps=0.1, charging=3.0, p=0.25)


@cache
def _network_truth():
    """Disorder mean of the stiffness of the resistor network, and its error, over many masks."""
    values = np.concatenate([
        network_functions(CHEAP, [CHEAP.draw_disorder(77, s) for s in range(first, first + 1000)])[:, -1]
        for first in range(0, 30000, 1000)
    ])
    return values.mean(), values.std() / np.sqrt(len(values))


def test_control_variates_have_no_bias():
    """The stiffness of the resistor network from few masks each, by local counts: pulls of many runs."""
    truth, uncertainty = _network_truth()
    drawn = [CHEAP.draw_disorder(5, s) for s in range(4800)]
    values, counts = network_functions(CHEAP, drawn)[:, -1], local_counts(CHEAP, drawn)
    counts /= counts.std(axis=0)
    for masks, least, largest in ((48, 0.8, 1.35), (480, 0.5, 1.6)):     # few masks: rough coefficients
        pulls, against_plain, gains = [], [], []
        for first in range(0, 4800, masks):
            some = slice(first, first + masks)
            functions = MaskFunctions(counts[some], np.zeros((counts.shape[1],) * 2), counts.shape[1])
            found = control(functions, values[some])
            pulls.append((found.value - truth) / np.hypot(found.error, uncertainty))
            difference = found.samples - values[some]
            against_plain.append(difference.mean() / difference.std() * np.sqrt(masks))
            gains.append(found.gain)
        for these in (np.array(pulls), np.array(against_plain)):
            assert abs(these.mean()) < 4 / np.sqrt(len(these))
            assert least < these.std() < largest
        assert np.median(gains) > 5


def test_means_over_a_population_add_their_uncertainty():
    """With the network itself among the functions only the error of its mean is left."""
    truth, uncertainty = _network_truth()
    functions = mask_functions(CHEAP, 9, range(400), population=1000)
    values = network_functions(CHEAP, [CHEAP.draw_disorder(9, s) for s in range(400)])[:, -1]
    found = control(functions, values)
    assert found.common > 0.3 * found.covariance
    assert abs(found.value - truth) < 4 * np.hypot(found.error, uncertainty)
    assert found.gain > 2


def test_noise_is_left_as_it_is():
    functions = mask_functions(CHEAP, 1, range(100), population=256)
    noise = np.random.default_rng(1).standard_normal((100, 5))
    found = control(functions, noise)
    assert found.gain.max() < 1.2
    np.testing.assert_allclose(found.value, noise.mean(axis=0), atol=0.1)
    few = control(mask_functions(CHEAP, 1, range(12), population=256), noise[:12])
    np.testing.assert_array_equal(few.samples, noise[:12])
    constant = control(functions, np.full(100, 3.0))
    np.testing.assert_array_equal(constant.samples, 3.0)


def test_differences_do_not_pay_for_what_all_components_share():
    """Components follow the mask alike, with measuring noise of their own: their curvature gains nothing."""
    functions = mask_functions(CHEAP, 1, range(160), population=256)
    noise = 0.3 * np.random.default_rng(2).standard_normal((160, 9))
    values = functions.values[:, -1:] * np.linspace(1.0, 1.4, 9) + noise
    found = control(functions, values)
    assert found.gain.min() > 2
    before, after = (np.diff(v, 2, axis=1).var(axis=0).mean() for v in (values, found.samples))
    assert after < 1.05 * before


def test_bad_input_of_control_variates():
    clean = Model(Lx=4, Ly=4, L_tau=8, eps=0.1, charging=3.0)
    with pytest.raises(ValueError, match="a clean array has no mask"):
        mask_functions(clean, 1, range(4))
    with pytest.raises(ValueError, match="5 samples, functions of 30: must be the same"):
        control(mask_functions(CHEAP, 1, range(30), population=64), np.zeros(5))


# ---- both --------------------------------------------------------------------------------------------------


def test_estimators_and_what_they_say():
    plain, waves = _measured(MODEL, 40, 8)
    given = {"rho": plain, "kappa": np.random.default_rng(0).standard_normal(40), "rho_s": plain[:, 0]}
    full = {name: np.zeros((40, MODEL.L_tau // 2 + 1)) for name in ("rho",)}
    full["rho"][:, matsubara_numbers(MODEL.L_tau)] = plain
    given |= full
    keys = np.stack([np.ones(40, int), np.arange(40)], axis=1)
    names = ("rho", "kappa", "rho_s")
    found = {
        estimator: improved_averages(MODEL, given, {"K_T": waves}, keys, names=names, estimator=estimator)
        for estimator in ESTIMATORS
    }
    mean, covariance = found["plain"]["rho"]
    np.testing.assert_array_equal(mean, full["rho"].mean(axis=0))
    assert covariance.shape == (len(mean),) * 2
    assert found["plain"]["kappa"].covariance.shape == ()
    assert found["masks"]["rho"].fit is None
    for estimator in ("improved", "transverse"):
        one = found[estimator]["rho"]
        assert one.n.tolist() == matsubara_numbers(MODEL.L_tau).tolist()
        assert np.median(one.gain) > 8
        assert found[estimator]["rho_s"].error == pytest.approx(one.error[0])
    assert found["improved"]["rho"].plain_error[3] == pytest.approx(plain[:, 3].std(ddof=1) / np.sqrt(40))


def test_negative_scalar_responses_are_no_reason_to_leave_out_the_fit():
    """A mark of chains that measured nothing is negative in K_T as well."""
    plain, waves = _measured(MODEL, 40, 8)
    full = np.zeros((40, MODEL.L_tau // 2 + 1))
    full[:, matsubara_numbers(MODEL.L_tau)] = plain
    keys = np.stack([np.ones(40, int), np.arange(40)], axis=1)
    energies = waves.copy()
    energies[3, 2, 7] = -0.01
    for K_T, fitted in ((waves, True), (np.full_like(waves, -1.0), False)):
        given = {"K_T": K_T, "chi_s_q": energies if fitted else K_T}
        one = improved_averages(MODEL, {"chi_s": full}, given, keys, names=["chi_s"])["chi_s"]
        assert (one.fit is not None) == fitted


def test_bad_input_of_estimators():
    plain, _ = _measured(MODEL, 10, 8)
    keys = np.stack([np.ones(10, int), np.arange(10)], axis=1)
    with pytest.raises(ValueError, match="estimator = 'best': choose one of improved"):
        improved_averages(MODEL, {"rho": plain}, {}, keys, names=["rho"], estimator="best")
    with pytest.raises(ValueError, match="'sigma': no such average"):
        improved_averages(MODEL, {"rho": plain}, {}, keys, names=["sigma"])
    with pytest.raises(ValueError, match="K_T was not measured in all samples"):
        improved_averages(MODEL, {"rho": plain}, {}, keys, names=["rho"], estimator="transverse")
    assert improved_averages(MODEL, {"rho": plain}, {}, keys, names=["rho"])["rho"].fit is None


def test_errors_of_a_difference_count_common_means_of_the_masks_once():
    """What is uncertain for two averages alike drops out of their difference."""
    model = Model(L=4, L_tau=8, p=0.2, eps=0.1, charging=3.0)
    functions = mask_functions(model, 5, range(200), population=512)
    noise = np.random.default_rng(3).normal(size=(2, 200)) * 1e-3
    a, b = 1 + functions.values[:, -1] + noise[0], 2 + functions.values[:, -1] + noise[1]
    one, other = control(functions, a), control(functions, b)
    apart = (one.shared - other.shared)[:, 0]
    assert one.error > 20 * np.sqrt(np.sum(apart**2))
    found = jackknife(lambda x, y: y - x, one.samples, other.samples, shifts=zip(
        one.shared[:, 0], other.shared[:, 0], strict=True))  # fmt: skip
    assert found.error == pytest.approx(control(functions, b - a).error, rel=0.2)
    assert abs(found.value - 1) < 4 * found.error
