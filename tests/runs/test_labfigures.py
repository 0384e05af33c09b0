"""Figures of the laboratory side: drawn, labelled with quantity and unit, and a rejection is written."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sitqmc.analytic import (
    SYNTHETIC_FILMS,
    Background,
    FilmOnSubstrate,
    FilmSetup,
    Instrument,
    MountPriors,
    Substrate,
    TheoryCurve,
    analyse_film,
    compare,
    excess,
    fit_film,
    fit_tunnelling,
    line_through_origin,
    synthetic_scan,
    synthetic_tunnelling,
)
from sitqmc.estimate import Estimate
from sitqmc.runs.results.figures import film as lab

PRIORS = MountPriors(leak=1e-3)
UNIT = r"($\Omega^{-1}\,\mathrm{cm}^{-1}$)"


class Film:
    """One synthetic film, its scans and its whole analysis."""

    def __init__(self, name):
        truth, rng = SYNTHETIC_FILMS[name], np.random.default_rng(41)
        self.tc_k = truth.tc_k
        self.warm, self.cold = synthetic_scan(truth, truth.warm_k, rng), synthetic_scan(truth, 2.0, rng)
        self.curve = synthetic_tunnelling(truth, rng)
        plate = Substrate(thickness_um=1000.3, index=3.097, dispersion=0.012, loss=8e-4)
        sample = FilmOnSubstrate(film_nm=20.0, substrate=plate)
        self.start = FilmSetup(sample=sample, sigma_n=1.2 * truth.sigma_n,
                               instrument=Instrument(standing_period_thz=0.13))
        self.answer = analyse_film(self.cold, self.start, truth.tc_k, rng, normal=self.warm, priors=PRIORS,
                                   tunnelling=self.curve)
        self.fitted = self.answer.mount.corrected[1]           # the scan that `plain` was fitted to


@pytest.fixture(scope="module")
def weak():
    return Film("9.5K")


@pytest.fixture(scope="module")
def strong():
    return Film("5.0K")


def drawn(figure):
    """Share of the picture that is not white."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return float(np.mean(np.asarray(canvas.buffer_rgba())[..., :3].min(axis=-1) < 250))


def labels(figure):
    return [axis.get_ylabel() for axis in figure.axes], [axis.get_xlabel() for axis in figure.axes]


def words(figure):
    """Everything written in the figure outside ticks and axis labels."""
    texts = [figure.get_suptitle()]
    for axis in figure.axes:
        texts += [t.get_text() for t in axis.texts]
        texts += [t.get_text() for t in axis.get_legend().get_texts()] if axis.get_legend() else []
    return " ".join(" ".join(texts).split())


def excess_figure(film):
    a = film.answer
    return lab.draw_excess(a.pairs, a.background, a.sigma_h, a.omega, a.peak, a.plain.fit.quality)


def one_line(film):
    d, w = film.answer.superfluid.omega_sigma2_mev, film.answer.weight.extended
    two = np.ones(2)
    return line_through_origin(d.value * two, d.error * two, w.value * two, w.error * two)


def resonance(width):
    w = np.linspace(0.02, 12.0, 800)
    sigma = 0.25 * (width * w) ** 2 / ((1 - w**2) ** 2 + (width * w) ** 2)
    return TheoryCurve(omega=w, sigma=sigma, error=0.02 * sigma, rho_s=0.3)


def comparison_figure(film, width):
    a, theory = film.answer, resonance(width)
    data = excess(a.pairs, a.background)
    answer = compare(theory, data, 20.0, amplitude=Estimate(1.0, 100.0), search_mev=(0.6, 2.4))
    return lab.draw_comparison(theory, data, answer, 20.0)


def test_scans(strong):
    figure = lab.draw_scans([strong.cold, strong.warm])
    assert drawn(figure) > 0.01
    assert labels(figure) == ([r"$|t|$", r"$\theta$ minus straight line (rad)"], [lab.NU] * 2)
    assert "2 K, SYNTHETIC" in words(figure)


def test_tunnelling(strong):
    figure = lab.draw_tunnelling(strong.curve, strong.answer.tunnelling)
    assert drawn(figure) > 0.01
    assert labels(figure) == (["dI/dV (unit of the file)", "residual\n(std. errors)"], ["", "bias (mV)"])
    assert "Tunnelling: fits" in words(figure)
    sharp = replace(strong.curve, didv_error=strong.curve.didv_error / 3)
    assert "Tunnelling REJECTED" in words(lab.draw_tunnelling(sharp, fit_tunnelling(sharp)))


def test_residuals_drawn_are_those_of_the_fit(strong):
    figure = lab.draw_film_fit(strong.fitted, strong.answer.plain, "Superconductor")
    for axis, residuals in zip(figure.axes[2:], strong.answer.plain.fit.residuals, strict=True):
        points = axis.lines[-1]
        assert np.array_equal(points.get_xdata(), strong.fitted.nu_thz)
        assert np.array_equal(points.get_ydata(), residuals)
        assert axis.get_ylim()[1] > np.abs(residuals).max()


def test_drawn_model_is_that_of_the_fit(weak):
    """At the frequencies of the scan the lines differ from the data by the residuals."""
    figure = lab.draw_film_fit(weak.fitted, weak.answer.plain, "Superconductor")
    t_axis, theta_axis = figure.axes[:2]
    scan, (r_t, r_theta) = weak.fitted, weak.answer.plain.fit.residuals
    curve = {axis: next(line for line in axis.lines if line.get_xdata().size > scan.nu_thz.size)
             for axis in (t_axis, theta_axis)}
    model_t = curve[t_axis].get_ydata()[:: lab.FINE]
    np.testing.assert_allclose((scan.t - model_t) / scan.t_error, r_t, atol=1e-6)
    points = next(line for line in theta_axis.lines if line.get_xdata().size == scan.nu_thz.size)
    difference = points.get_ydata() - curve[theta_axis].get_ydata()[:: lab.FINE]
    np.testing.assert_allclose(difference / scan.theta_error, r_theta, atol=1e-6)


def test_normal_state_and_plain_superconductor(weak, strong):
    normal = lab.draw_film_fit(strong.warm, strong.answer.calibration, "Normal state")
    assert drawn(normal) > 0.01
    y = [r"$|t|$", r"$\theta$ minus straight line (rad)", *["residual\n(std. errors)"] * 2]
    assert labels(normal) == (y, ["", "", lab.NU, lab.NU])
    assert "Normal state: fits" in words(normal)
    good = lab.draw_film_fit(weak.fitted, weak.answer.plain, "Superconductor")
    bad = lab.draw_film_fit(strong.fitted, strong.answer.plain, "Superconductor")
    assert "REJECTED" not in words(good)
    assert "Superconductor REJECTED: the model does NOT fit" in words(bad)
    assert drawn(bad) > 0.01


def test_joint_fit_has_a_row_for_each_scan(weak, strong):
    free, priors = ("sigma_n", "path_um"), PRIORS.of_setup()
    both = fit_film([weak.warm, weak.cold], weak.start, weak.tc_k, free=free, priors=priors)
    figure = lab.draw_film_fit([weak.warm, weak.cold], both, "Joint fit")
    assert len(figure.axes) == 8
    assert drawn(figure) > 0.01
    assert "12.35 K" in words(figure)
    assert "REJECTED" not in words(figure)
    scans = [strong.warm, strong.cold]
    wrong = fit_film(scans, strong.start, strong.tc_k, free=free, priors=priors)
    assert "Joint fit REJECTED" in words(lab.draw_film_fit(scans, wrong, "Joint fit"))


def test_fit_needs_its_own_scans(strong):
    with pytest.raises(ValueError, match="zip"):
        lab.draw_film_fit([strong.cold, strong.warm], strong.answer.plain, "Superconductor")


def test_pairs(strong):
    figure = lab.draw_pairs(strong.answer.pairs, strong.answer.background)
    assert drawn(figure) > 0.01
    assert labels(figure) == ([rf"$\sigma_1$ {UNIT}", rf"$\sigma_2$ {UNIT}"], [lab.NU] * 2)
    assert "background" not in words(lab.draw_pairs(strong.answer.pairs))
    assert all(axis.containers for axis in figure.axes)              # error bars


def test_excess_marks_omega_and_peak(strong, weak):
    figure = excess_figure(strong)
    assert drawn(figure) > 0.01
    assert labels(figure) == ([rf"$\sigma_1$ {UNIT}", rf"$\sigma_H$ {UNIT}"], ["", lab.NU])
    text = words(figure)
    assert f"= {strong.answer.omega.value:.3f} [" in text
    assert f"peak = {strong.answer.peak.value:.3f} [" in text
    assert "Plain BCS film REJECTED" in text
    assert "no excess resolved" in words(excess_figure(weak))


def test_correlation(strong):
    fit = strong.answer.calibration.fit
    figure = lab.draw_correlation(fit)
    assert drawn(figure) > 0.1
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == fit.names
    assert figure.axes[1].get_ylabel() == "correlation"
    assert "REJECTED" not in words(figure)
    assert "Fit REJECTED" in words(lab.draw_correlation(strong.answer.plain.fit))


def test_missing_weight_against_density(strong):
    line, rejected = one_line(strong), strong.answer.plain.fit.quality
    figure = lab.draw_weight_line({"a film": strong.answer}, line)
    assert drawn(figure) > 0.01
    assert labels(figure) == ([f"missing weight N {lab.WEIGHT}"],
                              [rf"$\rho_s = \lim\,\hbar\omega\sigma_2$ {lab.WEIGHT}"])
    assert f"{line.slope.value:.3f}" in words(figure)
    contradicted = replace(strong.answer, superfluid=replace(strong.answer.superfluid, consistent=rejected))
    assert "REJECTED" not in words(figure)
    both = words(lab.draw_weight_line({"one": strong.answer, "two": contradicted}, line))
    assert "Kramers-Kronig of two REJECTED: the model does NOT fit" in both
    assert "two (rejected)" in both


def test_comparison(strong):
    good, bad = comparison_figure(strong, 0.31), comparison_figure(strong, 1.5)
    assert drawn(good) > 0.01
    assert labels(good) == ([rf"$\sigma_H$ {UNIT}"], [lab.NU])
    assert "$E_J$ = 1.2" in words(good)
    assert "Theory REJECTED" in words(bad)


def test_nothing_is_cut_off_or_overlaps(strong, weak):
    """Heading, legends and notes stay inside the picture, and the heading above the axes."""
    figures = [lab.draw_tunnelling(strong.curve, strong.answer.tunnelling), excess_figure(strong),
               lab.draw_film_fit(strong.fitted, strong.answer.plain, "Superconductor"), excess_figure(weak),
               lab.draw_weight_line({"a film": strong.answer}, one_line(strong)),
               lab.draw_correlation(strong.answer.plain.fit), comparison_figure(strong, 1.5)]
    for figure in figures:
        FigureCanvasAgg(figure).draw()
        whole, heading = figure.bbox.padded(1), figure._suptitle
        for axis in figure.axes:
            parts = [*axis.texts, axis.xaxis.label, axis.yaxis.label, axis.get_legend()]
            for part in filter(None, parts):
                box = part.get_window_extent()
                corners = [(box.x0, box.y0), (box.x1, box.y1)]
                assert box.width == 0 or all(whole.contains(*corner) for corner in corners), part
                assert heading is None or not box.width or not box.overlaps(heading.get_window_extent()), part


def test_background_alone_is_enough(strong):
    """A Background made by hand, without an analysis."""
    a = strong.answer
    own = Background(setup=strong.start, delta_mev=0.9, t_k=2.0, model="mattis_bardeen")
    assert drawn(lab.draw_excess(a.points, own, excess(a.points, own), a.omega, a.peak)) > 0.01
