"""`Run.correlator`: averages of a stored run by every estimator, and what it says of wrong questions."""

import re
from dataclasses import replace

import numpy as np
import pytest

import sitqmc
from helpers import write_config
from sitqmc.qmc.statistics.point_averages import derived
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.target import TargetSection
from sitqmc.runs.errors import UserError
from sitqmc.runs.jobs.effort import effort_lines
from sitqmc.runs.results.analysis import analyse_run
from sitqmc.runs.results.figures.kinds import draw, figure_kinds
from sitqmc.runs.results.figures.numbers import wave_rows
from sitqmc.runs.results.figures.panels import mode_frequencies
from sitqmc.runs.results.run import Run
from sitqmc.runs.results.tables import average_rows, final_table, gain_rows
from sitqmc.runs.simulate.tasks import samples_wanted


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("correlator")
    path = write_config(folder, samples=30, more="")
    path.write_text(path.read_text().replace("L = 2\nL_tau = 4", "L = 4\nL_tau = 8"))
    assert main(["run", str(path), "-n", "1", "--no-analysis", "--output", str(folder / "out")]) == 0
    return sitqmc.load(folder / "out")


def test_mean_and_covariance_of_every_estimator(run):
    mean, covariance = run.correlator("rho", p=0.2, L=4, estimator="plain")
    averages = next(a for a in run.averages if a.model.p == 0.2)
    plain = averages.plain["rho"]
    np.testing.assert_allclose(mean, plain.value)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), plain.error)
    for estimator in ("improved", "transverse", "masks"):
        one = run.correlator("rho", p=0.2, estimator=estimator)
        shown = plain.value[one.n]
        assert np.all(np.abs(one.mean - shown) < 6 * np.hypot(one.error, plain.error[one.n]))
        assert one.covariance.shape == (len(one.n),) * 2
    assert run.correlator("kappa", p=0.2).covariance.shape == ()
    one = run.correlator("rho", p=0.2)
    np.testing.assert_array_equal(averages.values["rho"].value[one.n], one.mean)
    np.testing.assert_array_equal(averages.samples["rho"][:, one.n], one.samples)
    clean = run.correlator("rho_s", p=0.0)
    assert clean.error <= clean.plain_error * (1 + 1e-12)


def test_boson_by_wave_vector(run):
    """G(k, tau) of L = 4 has two waves; S is its value at equal times, G_k0 continues it to k = 0."""
    one = run.correlator("G_k", p=0.2)
    assert one.samples.shape == (30, 2, 8)
    assert one.covariance.shape == (16, 16)
    plain = run.correlator("G_k", p=0.2, estimator="plain")
    averages = next(a for a in run.averages if a.model.p == 0.2)
    S = (averages.plain["S_x"].value + averages.plain["S_y"].value) / 2
    np.testing.assert_allclose(plain.mean[:, 0], S[1:])
    np.testing.assert_allclose(plain.mean[:, 1:], plain.mean[:, :0:-1])
    assert np.all(plain.mean[0] < averages.plain["G_k0"].value)
    assert np.all(np.abs(one.mean - plain.mean) < 6 * np.hypot(one.error, plain.error))


def test_boson_spectra_by_wave_vector(run):
    """P(k, omega) at k = 0, pi/2 and pi; bosons at the edge of the zone are the fastest."""
    found = run.boson_spectra(p=0.2)
    np.testing.assert_allclose(found.at, [0, np.pi / 2, np.pi])
    assert all(one.chi2 < one.n_data + 4 * np.sqrt(2 * one.n_data) for one in found.spectra)
    assert found.scales[0] < found.scales[2]
    assert len(found.plot().axes[0].lines) == 3


def test_averages_derived_from_improved_ones(run):
    """Their errors hold the uncertainty of means of mask functions."""
    averages = next(a for a in run.averages if a.model.p == 0.2)
    values = averages.values
    assert values["c"].pull(averages.plain["c"]) < 5
    ratio = values["rho_s"].value / values["kappa"].value
    assert values["c"].value == pytest.approx(np.sqrt(ratio), rel=0.02)
    for name in ("c", "xi_tau", "xi_x", "winding_ratio_tau"):
        scatter = derived(averages.model, averages.samples)[name].error
        assert scatter <= values[name].error < 1.5 * averages.plain[name].error


def test_the_table_and_the_plain_table(run):
    """Run.table shows the estimator of the configuration; plain numbers are one key away."""
    improved = run.table("rho_s", "kappa", "c").where(p=0.2)
    averages = next(a for a in run.averages if a.model.p == 0.2)
    for name in ("rho_s", "kappa", "c"):
        assert improved[name][0] == averages.values[name].value
        assert improved[f"{name}_error"][0] == averages.values[name].error
    continuation = replace(run.config.continuation, estimator="plain")
    plain = Run(run.folder, replace(run.config, continuation=continuation))
    assert plain.table("kappa").where(p=0.2)["kappa"][0] == averages.plain["kappa"].value
    assert not plain.averages[0].improved


def test_csv_holds_plain_errors_beside_and_the_table_the_gains(run):
    results = analyse_run(run, spectra=False)
    head, *rows = average_rows(results)
    rows = [dict(zip(head, row, strict=True)) for row in rows]
    for r in results.results:
        one = r.averages.improved["kappa"]
        (row,) = (row for row in rows if row["observable"] == "kappa" and row["p"] == f"{r.model.p:.10g}")
        assert (row["mean"], row["error"]) == (one.mean, one.error)
        assert row["plain_error"] == pytest.approx(float(one.plain_error))
        assert row["times_fewer_samples"] == pytest.approx(float(one.gain))
    gains = gain_rows(results)
    assert gains[0][2:] == ["p", "rho_s", "kappa", "minus_k", "rho", "chi_s", "G_k0"]
    assert float(gains[2][5].split()[0]) > 1.5           # <-k_x> follows the number of bonds
    assert "times fewer samples" in final_table(results)


def test_targets_count_the_errors_of_the_estimator(run):
    """Functions of the mask reach an error with the samples that are there, plain averages do not."""
    one = run.correlator("minus_k", p=0.2)
    goal = float(np.sqrt(one.error * one.plain_error))
    config = replace(
        run.config, target=TargetSection(goals={"minus_k": {"absolute": goal}, "rho_s": {"absolute": 1.0}},
                                         max_samples=500),
    )  # fmt: skip
    plain = replace(config, continuation=replace(config.continuation, estimator="plain"))
    found = run.folder.inventory()
    model = next(m for m in run.models if m.p == 0.2)
    assert samples_wanted(config, found)[model] == 30
    assert samples_wanted(plain, found)[model] > 35


def test_the_plan_proposes_a_schedule_from_the_samples_there(run):
    config = replace(run.config, output=replace(run.config.output, path=str(run.folder.folder)))
    first, costs = effort_lines(config, look=3.0)
    assert re.match(r"effort  \d+ measurements a sample \(now 32\) after therm_sweeps = \d+ \(now ", first)
    assert all(f"{name} 0." in costs or f"{name} 1" in costs for name in ("rho_s", "kappa", "minus_k"))
    elsewhere = replace(config, output=replace(config.output, path="nowhere"))
    assert effort_lines(elsewhere, 3.0)[0].startswith("effort  no samples yet")


def test_figures_of_wave_vectors(run):
    """Rows hold what is drawn; the mode of a response of one mode is found."""
    results = analyse_run(run, spectra=False)
    assert {"waves", "dispersion"} < set(figure_kinds(results))
    head, *rows = wave_rows(results)
    fit = results.results[1].averages.improved["rho"].fit
    row = dict(zip(head, rows[-1], strict=True))
    assert (row["n"], row["K_T"]) == (fit.n[-1], fit.data[-1, -1])
    assert len(draw("waves", results).axes) == 8
    r = results.results[0]
    chi, beta = r.averages.improved["chi_s"], r.model.beta
    one_mode = 0.7 * 3.0**2 / ((2 * np.pi * chi.fit.n / beta) ** 2 + 3.0**2)
    exact = replace(chi.fit, data=np.broadcast_to(one_mode, chi.fit.data.shape))
    averages = replace(r.averages, improved={"chi_s": replace(chi, fit=exact)})
    q, found = mode_frequencies(replace(r, averages=averages))
    np.testing.assert_allclose(found.value, 3.0, rtol=1e-3)
    assert q[0] == 0
    plain = replace(results, results=[replace(r, averages=replace(r.averages, improved={}))])
    assert not {"waves", "dispersion"} & set(figure_kinds(plain))


def test_wrong_questions_are_answered_in_one_line(run):
    for options, text in (
        ({"name": "rho"}, "no parameter given: 2 points of this run; name one of"),
        ({"name": "rho", "p": 0.3}, r"p = 0.3: 0 points of this run; name one of .*0.2"),
        ({"name": "rho", "q": 0.3}, "unknown parameter of a point .q.; known: L, "),
        ({"name": "sigma", "p": 0.2}, "unknown observable of this run 'sigma'; known: "),
        ({"name": "rho", "p": 0.2, "estimator": "best"}, "estimator = 'best': choose one of improved"),
    ):
        with pytest.raises(UserError, match=text) as caught:
            run.correlator(**options)
        assert "\n" not in str(caught.value)


def test_a_run_without_wave_vectors(tmp_path):
    path = write_config(tmp_path, samples=12)
    path.write_text(path.read_text().replace("[schedule]", "[schedule]\ntransverse = false"))
    assert main(["run", str(path), "-n", "1", "--no-analysis", "--output", str(tmp_path / "out")]) == 0
    run = sitqmc.load(tmp_path / "out")
    assert run.correlator("rho", p=0.2).fit is None
    with pytest.raises(UserError, match="K_T was not measured in all samples; choose 'masks' or 'plain'"):
        run.correlator("rho", p=0.2, estimator="transverse")


def test_transverse_must_be_a_truth_value(tmp_path, capsys):
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("[schedule]", "[schedule]\ntransverse = 0"))
    assert main(["plan", str(path)]) == 2
    said = capsys.readouterr().err.strip()
    assert "transverse = 0" in said
    assert "\n" not in said
