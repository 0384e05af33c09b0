"""Crossings and collapses of synthetic data whose critical point is known."""

from dataclasses import replace

import numpy as np
import pytest

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.collapse import Scaling, collapse
from sitqmc.qmc.finite_size.crossings import crossings, extrapolate_crossings
from sitqmc.qmc.finite_size.dataset import scaling_data
from sitqmc.qmc.model.mask_functions import local_counts
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.statistics.control_variates import MaskFunctions

G_C, NU, Z, OMEGA = 0.35, 0.9, 1.4, 0.8
SIZES = (8, 12, 16, 24)


def grid(couplings=(0.32, 0.335, 0.345, 0.355, 0.365, 0.38), sizes=SIZES):
    L, g = (a.ravel().astype(float) for a in np.meshgrid(sizes, couplings, indexing="ij"))
    return L, g


def scaled(L, g):
    return (g - G_C) / G_C * L ** (1 / NU)


def noisy(mean, rng, n=100, noise=0.2, common=0.0, groups=None):
    """Samples around `mean` (m,); a part `common` of the noise is shared within a group."""
    own = rng.normal(size=(len(mean), n)) * np.sqrt(1 - common)
    if groups is not None:
        for key in np.unique(groups):
            own[groups == key] += np.sqrt(common) * rng.normal(size=n)
    return mean[:, None] + np.broadcast_to(noise, mean.shape)[:, None] * own


def winding(L, g, correction=0.0):
    x = scaled(L, g)
    return 0.5 - 0.12 * x + 0.01 * x**2 + correction * L**-OMEGA


def pulls(found, truth):
    """Distances from the truth in units of the claimed errors, (len(found),)."""
    return np.array([(f.value - truth) / f.error for f in found])


def assert_unit_normal(z):
    """Mean 0 and width 1 within four standard errors, with 10 % for errors that are estimates."""
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * len(z)) + 0.1


def test_value():
    assert Estimate(1.0, 0.3).pull(Estimate(2.0, 0.4)) == pytest.approx(-2.0)


def test_crossings_cover_the_truth():
    rng = np.random.default_rng(1)
    L, g = grid()
    found = [crossings(L, g, noisy(winding(L, g), rng, noise=0.05), draws=100) for _ in range(60)]
    for k, pair in enumerate(((8, 12), (12, 16), (16, 24))):
        assert found[0][k].sizes == pair
        assert_unit_normal(pulls([f[k].coupling for f in found], G_C))
        assert_unit_normal(pulls([f[k].height for f in found], 0.5))
    assert np.mean([f[2].coupling.error for f in found]) < 0.001
    assert not any(c.warnings for f in found for c in f)


def test_crossings_drift_and_their_limit_does_not():
    rng = np.random.default_rng(2)
    L, g = grid(sizes=(6, 8, 12, 16, 24))
    shift = 1 / NU + OMEGA
    drifting, limits = [], []
    for _ in range(60):
        found = crossings(L, g, noisy(winding(L, g, correction=0.3), rng, noise=0.05), draws=100)
        drifting.append(found[0].coupling)
        limits.append(extrapolate_crossings(found, shift))
    assert np.mean(pulls(drifting, G_C)) < -3
    # The power law is that of the leading order: a bias below half an error is left.
    z = pulls([e.coupling for e in limits], G_C)
    assert abs(z.mean()) < 0.5 + 4 / np.sqrt(60)
    assert z.std() == pytest.approx(1, abs=0.4)
    assert np.mean([e.coupling.error for e in limits]) < 0.004
    assert sum(bool(e.warnings) for e in limits) <= 4  # crossings are not quite normal


def test_shared_samples_make_crossings_of_one_size_correlated():
    """Noise common to all couplings of a size shifts its whole curve: the error must be larger."""
    rng = np.random.default_rng(3)
    L, g = grid()
    sets = [noisy(winding(L, g), rng, noise=0.05, common=0.9, groups=L) for _ in range(60)]
    right = [crossings(L, g, s, draws=80, shared=True)[1].coupling for s in sets]
    wrong = [crossings(L, g, s, draws=80, shared=False)[1].coupling for s in sets]
    assert_unit_normal(pulls(right, G_C))
    assert pulls(wrong, G_C).std() > 1.3


def test_crossing_failures_say_what_to_do():
    rng = np.random.default_rng(4)
    L, g = grid(couplings=(0.36, 0.37, 0.38, 0.39))
    data = noisy(winding(L, g), rng, noise=0.02)
    with pytest.raises(ValueError, match=r"L = 8 and 12: no crossing in 0.36 .. 0.39; move or widen"):
        crossings(L, g, data)
    with pytest.raises(ValueError, match="4 couplings cannot fix a polynomial of degree 4"):
        crossings(L, g, data, degree=4)
    with pytest.raises(ValueError, match="do not overlap"):
        crossings(L, np.where(L == 8, g + 1, g), data)
    L, g = grid()
    kinked = winding(L, g) + 0.05 * (-1.0) ** np.arange(len(L))
    found = crossings(L, g, noisy(kinked, rng, noise=0.02))
    assert "the polynomials do not fit" in found[0].warnings[0]
    with pytest.raises(ValueError, match="1 crossings: at least 2"):
        extrapolate_crossings(found[:1], 2.0)


def test_collapse_covers_the_truth():
    rng = np.random.default_rng(5)
    L, g = grid()
    scaling = Scaling(degree=2)
    found = [collapse(scaling_data(L, g, noisy(winding(L, g), rng)), scaling, draws=30) for _ in range(50)]
    assert_unit_normal(pulls([f.coupling_c for f in found], G_C))
    assert_unit_normal(pulls([f.nu for f in found], NU))
    assert np.mean([f.coupling_c.error for f in found]) < 0.002
    assert np.mean([f.nu.error for f in found]) < 0.1
    chi2 = np.array([f.chi2 for f in found])
    assert chi2.mean() == pytest.approx(found[0].dof, rel=4 * np.sqrt(2 / found[0].dof / 50) + 0.05)
    assert sum(bool(f.warnings) for f in found) <= 1
    assert found[0].z is None
    assert found[0].coefficients[0, 0] == pytest.approx(0.5, abs=0.03)
    # A known exponent sharpens the coupling.
    points = scaling_data(L, g, noisy(winding(L, g), rng))
    known = collapse(points, replace(scaling, nu=NU), draws=100)
    assert known.nu is None
    assert abs(known.coupling_c.pull(G_C)) < 3.5
    assert known.coupling_c.error < 1.1 * collapse(points, scaling, draws=100).coupling_c.error


def test_collapse_with_correction():
    rng = np.random.default_rng(6)
    L, g = grid(sizes=(6, 8, 12, 16, 24))
    without, allowed = Scaling(degree=2), Scaling(degree=2, omega=OMEGA)
    found = []
    for _ in range(30):
        points = scaling_data(L, g, noisy(winding(L, g, correction=-1.0), rng, noise=0.1))
        found.append((collapse(points, without, draws=4), collapse(points, allowed, draws=30)))
    assert all("do not collapse" in f.warnings[0] for f, _ in found)
    assert_unit_normal(pulls([f.coupling_c for _, f in found], G_C))
    assert_unit_normal(pulls([f.nu for _, f in found], NU))


def disordered(rng, L, g, L_tau, n=200, alpha=True):
    """rho_s and kappa (2, m, n) of shared samples; they depend on x and on the aspect ratio."""
    x, a = scaled(L, g), np.log(L_tau / L**Z)
    depends = 0.3 * a if alpha else 0.0
    rho = L**-Z * (1 - 0.25 * x + 0.03 * x**2 + depends)
    kappa = L ** (Z - 2) * (0.6 - 0.1 * x + 0.5 * depends)
    return np.stack(
        [
            noisy(rho, rng, n, 0.4 * rho, common=0.8, groups=L),
            noisy(kappa, rng, n, 0.2 * kappa, common=0.8, groups=L),
        ]
    )


def test_joint_collapse_finds_z():
    """rho_s L^z and kappa L^(2-z) of the same samples, the aspect ratio kept."""
    rng = np.random.default_rng(7)
    L, g = grid()
    L_tau = 2 * L**Z
    scaling = Scaling(degree=2, z=None, power=((0, 1), (2, -1)))
    found = []
    for _ in range(30):
        data = disordered(rng, L, g, L_tau)
        found.append(collapse(scaling_data(L, g, data, L_tau=L_tau, shared=True), scaling, draws=30))
    for name, truth, ceiling in (("coupling_c", G_C, 0.003), ("nu", NU, 0.15), ("z", Z, 0.03)):
        values = [getattr(f, name) for f in found]
        assert_unit_normal(pulls(values, truth))
        assert np.mean([v.error for v in values]) < ceiling
    assert sum(bool(f.warnings) for f in found) <= 2


def test_aspect_ratios_find_z():
    """Three aspect ratios at a wrong guess of z, 1.5: the dependence on L_tau/L^z gives the true one."""
    rng = np.random.default_rng(8)
    L, g = (np.tile(a, 3) for a in grid())
    L_tau = np.round(2 * L**1.5 * np.repeat([0.5, 1, 2], len(L) // 3))
    scaling = Scaling(degree=2, z=None, power=((0, 1), (2, -1)), aspect_degree=1)
    found = []
    for _ in range(20):
        data = disordered(rng, L, g, L_tau)
        found.append(collapse(scaling_data(L, g, data, L_tau=L_tau, shared=True), scaling, draws=25))
    assert_unit_normal(pulls([f.z for f in found], Z))
    assert_unit_normal(pulls([f.coupling_c for f in found], G_C))
    assert np.mean([f.z.error for f in found]) < 0.05
    ignored = collapse(
        scaling_data(L, g, data, L_tau=L_tau, shared=True), replace(scaling, aspect_degree=0), draws=5
    )
    assert "do not collapse" in ignored.warnings[0]


def test_logarithmic_collapse():
    rng = np.random.default_rng(9)
    L, g = grid()
    mean = np.exp(-1 - 0.6 * scaled(L, g))
    data = mean[:, None] * rng.gamma(5.0, 0.2, size=(len(L), 2000))
    found = collapse(scaling_data(L, g, data), Scaling(degree=1, logarithmic=True), draws=40)
    assert abs(found.coupling_c.pull(G_C)) < 3.5
    assert abs(found.nu.pull(NU)) < 3.5
    assert found.nu.error < 0.05
    assert found.p_value > 1e-3


def flat_data(inverse_nu, rng):
    """Straight lines through (1, 1/2) whose slope grows like L^(1/nu), with noise."""
    L, g = grid(couplings=1 + np.linspace(-0.3, 0.3, 7))
    mean = 0.5 - (g - 1) * (L / 14) ** inverse_nu
    return scaling_data(L, g, mean[:, None] + 0.02 * np.sqrt(200) * rng.standard_normal((L.size, 200)))


@pytest.mark.parametrize("inverse_nu", [1 / 30, 0.0])
def test_exponents_that_data_do_not_fix_are_no_numbers(inverse_nu):
    """Curves that hardly depend on the size: 1/nu is small with its error, nu is unknown."""
    found = collapse(flat_data(inverse_nu, np.random.default_rng(1)), Scaling(degree=2), draws=50)
    assert abs(found.inverse_nu.pull(inverse_nu)) < 4
    assert found.inverse_nu.error < 0.1
    assert not found.nu.is_known
    assert any("the data do not fix nu" in line for line in found.warnings)
    fixed = collapse(flat_data(1.5, np.random.default_rng(1)), Scaling(degree=2), draws=50)
    assert abs(fixed.nu.pull(1 / 1.5)) < 4
    assert abs(fixed.inverse_nu.pull(1.5)) < 4
    assert fixed.warnings == []


def test_parameters_at_a_bound_are_no_numbers():
    """A jump, 1/nu = 12.5, and a z below its range: no value with a tiny error, but a line."""
    jump = collapse(flat_data(12.5, np.random.default_rng(2)), Scaling(degree=2), draws=20)
    assert not jump.inverse_nu.is_known
    assert not jump.nu.is_known
    assert any(line.startswith("1/nu is at its bound, 10: the data do not fix it") for line in jump.warnings)
    rng = np.random.default_rng(3)
    L, g = grid()
    rho = L**2.0 * (1 - 0.25 * scaled(L, g))
    data = noisy(rho, rng, 200, 0.01 * rho)
    steep = collapse(scaling_data(L, g, data), Scaling(degree=2, z=None, power=((0, 1),)), draws=20)
    assert not steep.z.is_known
    assert any(line.startswith("z is at its bound, -1") for line in steep.warnings)


def test_collapse_failures_say_what_to_do():
    rng = np.random.default_rng(10)
    L, g = grid()
    data = noisy(winding(L, g), rng)
    points = scaling_data(L, g, data)
    with pytest.raises(ValueError, match=r"z = None: .*give z"):
        collapse(points, Scaling(z=None))
    with pytest.raises(ValueError, match="lower the degree or add points"):
        collapse(points, Scaling(degree=30))
    sizes = len(np.unique(L))
    tall = scaling_data(L, g, data, L_tau=np.round(2 * L**1.5))
    with pytest.raises(ValueError, match=rf"{sizes} pairs of L and L_tau an aspect_degree below {sizes}"):
        collapse(tall, Scaling(degree=3, z=1.5, aspect_degree=sizes))
    with pytest.raises(ValueError, match="at least 2 sizes"):
        collapse(scaling_data(np.full_like(L, 8), g, data))
    with pytest.raises(ValueError, match="power has 1 entries for 2 observables"):
        collapse(scaling_data(L, g, np.stack([data, data])))
    with pytest.raises(ValueError, match="all averages must be positive"):
        collapse(scaling_data(L, g, data - 1), Scaling(logarithmic=True))
    with pytest.raises(ValueError, match=r"L \(24,\), coupling \(23,\)"):
        scaling_data(L, g[1:], data)
    with pytest.raises(ValueError, match="n_samples = 2"):
        scaling_data(L, g, data[:, :2])
    with pytest.raises(ValueError, match="not finite"):
        scaling_data(L, g, np.where(data > data.max() - 1e-9, np.nan, data))
    L, g = grid(couplings=(0.40, 0.41, 0.42, 0.43))
    outside = collapse(scaling_data(L, g, noisy(winding(L, g), rng, noise=0.02)), Scaling(degree=2), draws=20)
    assert "lies outside the data" in outside.warnings[0]


# ---- functions of the mask ---------------------------------------------------------------------------------


def diluted(L, p, numbers, rng):
    """An observable of real masks whose disorder mean is known, and local counts of the masks.

    It is the winding times exp(a N)/<exp(a N)>, N the number of bonds: no linear function of the counts.
    """
    model = Model(Lx=L, Ly=L, L_tau=4, eps=0.1, charging=3.0, p=p)
    drawn = [model.draw_disorder(5, s) for s in numbers]
    bonds, a = np.array([d.bonds.sum() for d in drawn]), 0.25 / L
    factor = np.exp(a * bonds - 2 * L**2 * np.log(p + (1 - p) * np.exp(a)))
    values = winding(np.array([L]), np.array([p])) * factor + 0.01 * rng.standard_normal(len(drawn))
    counts = local_counts(model, drawn)
    counts = counts / counts.std(axis=0)
    return values, MaskFunctions(counts, np.zeros((counts.shape[1],) * 2), counts.shape[1])


@pytest.mark.parametrize("runs", [16, pytest.param(300, marks=pytest.mark.physics)])
def test_crossings_of_masks_with_a_known_mean(runs):
    """The corrected samples are drawn: errors shrink, and the pulls against the truth are unit normal."""
    rng, found = np.random.default_rng(3), {"plain": [], "corrected": []}
    L, p = grid((0.31, 0.35, 0.39), (4, 8))
    for run in range(runs):
        numbers = range(64 * run, 64 * (run + 1))
        points = [diluted(int(size), float(g), numbers, rng) for size, g in zip(L, p, strict=True)]
        samples, functions = np.array([x for x, _ in points]), [f for _, f in points]
        for name, given in (("plain", None), ("corrected", functions)):
            (c,) = crossings(L, p, samples, shared=True, functions=given, draws=50)
            found[name].append(c.coupling)
    pulls = np.array([e.pull(Estimate(G_C, 0.0)) for e in found["corrected"]])
    assert abs(pulls.mean()) < 4 / np.sqrt(runs)
    assert abs(pulls.std() - 1) < 0.15 + 2 / np.sqrt(runs)
    errors = {name: np.median([e.error for e in some]) for name, some in found.items()}
    print(f"pulls {pulls.mean():.3f} +- {pulls.std():.3f}, errors {errors}")
    assert errors["corrected"] < 0.5 * errors["plain"]
    assert np.std([e.value for e in found["corrected"]]) < 0.6 * np.std([e.value for e in found["plain"]])


def test_uncertain_means_of_functions_are_in_the_errors():
    """Functions with means from few masks that all points share: their error is common to the points."""
    rng, pulls = np.random.default_rng(4), []
    L, p = grid((0.31, 0.35, 0.39), (8, 12))
    for _ in range(24):
        values, functions = np.empty((len(L), 200)), [None] * len(L)
        for size in (8, 12):
            mask, population = rng.standard_normal(200), rng.standard_normal(400)
            errors = ((population - population.mean()) / np.sqrt(400 * 399)).astype(np.float32)[:, None]
            for i in np.flatnonzero(size == L):
                noise = 0.06 * (1 + i / 8) * mask + 0.01 * rng.standard_normal(200)
                values[i] = winding(L[i], p[i]) + noise
                functions[i] = MaskFunctions(
                    (mask - population.mean())[:, None], errors.T.astype(float) @ errors, 0, errors
                )
        (c,) = crossings(L, p, values, shared=True, functions=functions, draws=50)
        pulls.append(c.coupling.pull(Estimate(G_C, 0.0)))
        data = scaling_data(L, p, values, shared=True, functions=functions)
        assert data.common[0, 1] == pytest.approx(np.sqrt(data.common[0, 0] * data.common[1, 1]))
        assert data.common[0, 3] == 0
        assert (data.error**2 > np.diag(data.common)).all()
    assert abs(np.mean(pulls)) < 4 / np.sqrt(24)
    assert 0.6 < np.std(pulls) < 1.5
    f = collapse(data, Scaling(degree=2), draws=30)
    assert abs(f.coupling_c.pull(Estimate(G_C, 0.0))) < 4
    plain = collapse(scaling_data(L, p, values, shared=True), Scaling(degree=2), draws=30)
    assert f.coupling_c.error < 0.9 * plain.coupling_c.error


def test_functions_of_other_points_are_refused():
    L, g = grid(sizes=(8, 12))
    none = MaskFunctions(np.zeros((50, 1)), np.zeros((1, 1)), 1)
    with pytest.raises(ValueError, match="functions of 1 points for 12: give those of every point"):
        scaling_data(L, g, np.zeros((12, 50)), functions=[none])
