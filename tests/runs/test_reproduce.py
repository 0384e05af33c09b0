"""`sitqmc reproduce`: tiny studies end to end, kept data, tables, and its errors in one line."""

import csv
import importlib.util
import io
import itertools
from dataclasses import replace

import numpy as np
import pytest

from helpers import sitqmc
from package.sources import ROOT
from sitqmc.estimate import Estimate
from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.measure.own import OwnObservable
from sitqmc.runs import load as load_run
from sitqmc.runs.cli.main import main
from sitqmc.runs.errors import UserError
from sitqmc.runs.paper.claims import claims, claims_table
from sitqmc.runs.paper.decisions import (
    CONFIRMED,
    CONSISTENT,
    CONTRADICTED,
    OPEN,
    UNTESTED,
    Claim,
    Decision,
    verdict_of,
)
from sitqmc.runs.paper.panels import PANELS, panel
from sitqmc.runs.paper.panels.transition import is_resolved
from sitqmc.runs.paper.reproduce import FIGURES, OPTIONAL, SIZES, Chapter, configs_of, load, reproduce
from sitqmc.runs.paper.studies import local
from sitqmc.runs.paper.studies import spectra as reproduce_spectra
from sitqmc.runs.paper.studies.conductivity import large_array_limits, linear_limits
from sitqmc.runs.paper.studies.dataset import P_C
from sitqmc.runs.paper.studies.spectra import SpectrumCache, fingerprint, from_plain, to_plain
from sitqmc.runs.paper.studies.study import CONFIGS, DATA, STUDIES, half_frequency, load_study, save_study
from sitqmc.runs.paper.studies.thermal import fit_power
from sitqmc.runs.paper.tables import published_rows

TINY = """
[model]
eps = 0.2
charging = {charging}
L = {L}
L_tau = {L_tau}
p = {p}
[disorder]
samples = 16
seed = 5
[schedule]
therm_sweeps = 20
bins = 8
measurements_per_bin = 4
[output]
path = "unused"
"""
STUDY = {
    "dirty": {"charging": 3.0, "L": [2, 4], "L_tau": 16, "p": [0.0, 0.1, 0.26, 0.32, 0.37]},
    "clean": {"charging": [2.0, 5.0], "L": 4, "L_tau": 16, "p": 0.0},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Output of a whole `reproduce 1b` with tiny studies, made in seconds."""
    folder = tmp_path_factory.mktemp("tiny")
    for name, values in STUDY.items():
        (folder / f"small_{name}.toml").write_text(TINY.format(**values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce_spectra, "OPTIONS", {"method": "maxent", "n_omega": 40})
        made = reproduce("1b", "small", folder / "out", configs=folder, quiet=True)
        patch.setattr(panel, "FORMATS", ("svg",))        # those of the page: fonts in a PDF take seconds
        again = reproduce("1b", "small", folder / "out", configs=folder, quiet=True)
        assert again == [path for path in made if path.suffix not in (".pdf", ".png")]
    return folder / "out"


def test_every_panel_comes_with_caption_and_numbers(tiny):
    for name in FIGURES["1b"].panels:
        for kind in ("pdf", "svg", "png"):
            assert (tiny / f"{name}.{kind}").stat().st_size > 5000
        caption = (tiny / f"{name}.txt").read_text()
        assert "SIMULATED" in caption
        assert "ot resolved" in caption
        assert "sitqmc reproduce 1b --size small" in caption


def test_the_numbers_are_those_of_the_runs(tiny):
    """Plain rho_s is the mean of the store's bins, sample by sample; the CSV has that of the estimator."""
    with open(tiny / "1b.csv") as file:
        rows = [r for r in csv.DictReader(file) if r["curve"] == "rho_s L=4"]
    stored = {d.model.p: d for d in load_run(tiny / "runs" / "dirty").iter_samples() if d.model.Lx == 4}
    kept = load_study(tiny / "dirty.h5").at(4)
    assert len(rows) == len(stored) == len(kept) == 5
    for row, point in zip(rows, kept, strict=True):
        bins = stored[float(row["x"])].bins
        means = (bins["rho_s_x"] + bins["rho_s_y"]).mean(axis=1) / 2
        plain, best = point.plain["rho_s"], point.values["rho_s"]
        assert plain.value == pytest.approx(means.mean(), rel=1e-9)
        assert plain.error == pytest.approx(means.std(ddof=1) / np.sqrt(16), rel=1e-9)
        assert float(row["y"]) == pytest.approx(best.value, rel=1e-5)
        assert float(row["high"]) - float(row["low"]) == pytest.approx(2 * best.error, rel=1e-2)
        assert abs(best.value - plain.value) < 4 * plain.error


def test_one_page_holds_it_all(tiny):
    """It opens offline: pictures are inside, nothing is loaded, all captions and verdicts are there."""
    page = (tiny / "index.html").read_text()
    assert page.count("<img") == page.count('src="data:image/svg+xml;base64,') == len(FIGURES["1b"].panels)
    assert "<script" not in page
    assert "<link" not in page
    assert page.count("would decide") == 15
    assert "SYNTHETIC" in page
    assert "ot resolved" in page
    assert "rho_s falls continuously" in (tiny / "statements.txt").read_text()
    assert "rho_s falls continuously" in (tiny / "statements.csv").read_text()


def test_the_table_marks_what_is_not_resolved(tiny):
    with open(tiny / "table_dirty.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["p"]) for r in rows] == STUDY["dirty"]["p"]
    text = (tiny / "table_dirty.txt").read_text()
    scales = [key.removesuffix("_resolved") for key in rows[0] if key.endswith("_resolved")]
    open_ = sum(r[f"{key}_resolved"] == "0" and r[key] != "nan" for r in rows for key in scales)
    assert text.count("n.r.") >= open_ > 0


def test_reduced_data_survive_the_file(tiny, tmp_path):
    """All numbers are those that were written, and the spectra are found again."""
    study = load_study(tiny / "dirty.h5")
    save_study(tmp_path / "one.h5", study)
    back = load_study(tmp_path / "one.h5")
    assert back.origin == study.origin
    assert fingerprint(back.largest) == fingerprint(study.largest)
    for one, other in zip(study.points, back.points, strict=True):
        assert (one.model, one.n_samples, one.values, one.plain) == (
            other.model, other.n_samples, other.values, other.plain)  # fmt: skip
        assert one.responses.keys() == other.responses.keys() == {"rho", "chi_s", "G_k0"}
        for name, r in one.responses.items():
            np.testing.assert_array_equal(other.responses[name].mean, r.mean)
            np.testing.assert_array_equal(other.responses[name].covariance, r.covariance)
        for name, values in one.blocks.items():
            np.testing.assert_allclose(other.blocks[name], values, rtol=1e-6)
            assert values.mean() == pytest.approx(one.values[name].value, rel=1e-5, abs=1e-12)


def test_surrogate_samples_carry_mean_and_covariance(tiny):
    r = load_study(tiny / "dirty.h5").largest[1].responses["rho"]
    rows = r.surrogate()
    np.testing.assert_allclose(rows.mean(axis=0), r.mean, rtol=1e-9)
    found = np.cov(rows, rowvar=False) / len(rows)
    np.testing.assert_allclose(found, r.covariance, atol=1e-9 * np.abs(r.covariance).max())


def test_other_data_never_find_old_spectra(tiny):
    points = load_study(tiny / "dirty.h5").largest
    rho = points[0].responses["rho"]
    for moved in (replace(rho, mean=rho.mean * (1 + 1e-9)), replace(rho, covariance=rho.covariance * 1.01)):
        other = replace(points[0], responses={**points[0].responses, "rho": moved})
        assert fingerprint([other, *points[1:]]) != fingerprint(points)


def test_spectra_survive_the_file(tiny):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce_spectra, "OPTIONS", {"method": "maxent", "n_omega": 40})
        points = load_study(tiny / "dirty.h5").largest
        results = SpectrumCache([tiny / "spectra.json"], None).get(points)
    assert results is not None
    point, result = points[1], results[1]
    again = from_plain(point, to_plain(result))
    np.testing.assert_array_equal(again.spectra["sigma"].value, result.spectra["sigma"].value)
    assert again.scales.keys() == result.scales.keys()
    assert again.averages.values["rho_s"] == point.estimate("rho_s")
    assert again.averages.n_samples == 16


def test_resolved_means_narrow_and_above_the_temperature():
    assert is_resolved(Estimate.from_interval(1.0, 0.8, 1.2), 0.1)
    assert not is_resolved(Estimate.from_interval(1.0, 0.5, 1.5), 0.1)
    assert not is_resolved(Estimate.from_interval(1.0, 0.5, 1.0), 0.1)
    assert not is_resolved(Estimate.from_interval(0.11, 0.09, 0.12), 0.1)
    assert not is_resolved(Estimate.from_interval(1.0, 0.9, 1.1, found=0.3), 0.1)
    assert not is_resolved(Estimate.from_interval(float("nan"), 0.0, 1.0), 0.1)


# --- data kept with the package -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def medium():
    return load("medium")


def test_kept_data_bring_their_spectra():
    """Drawing the medium size simulates and continues nothing."""
    cache = SpectrumCache([DATA / "medium_spectra.json"], None)
    for name in ("dirty", "clean"):
        assert load_study(DATA / f"medium_{name}.h5").largest in cache, name
    assert sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()) < 4e6


def test_the_transition_of_the_kept_data(medium):
    """Crossings of windings in time and in space bracket the published p_c, and are sharp."""
    space, time = medium.crossings[-1].coupling, medium.time_crossings[-1].coupling
    assert time.value - 2 * time.error < P_C < space.value + 2 * space.error
    assert space.value - time.value < 0.03
    assert max(space.error, time.error) < 0.01


def test_the_kept_spectra_obey_the_sum_rule(medium):
    """It is not imposed; O(eps) and the unresolved tail leave it a few percent."""
    for point in medium.dirty:
        rule = point.scales["sum_rule"]
        assert abs(rule.value - 1) < 3 * rule.error + 0.01
        assert rule.error < 0.02


def test_the_clean_scales_close_at_the_transition(medium):
    """Peak of chi_s'' on one side and pair gap on the other shrink towards g_c."""
    mass = [point.scales["m_h_scalar"] for point in medium.clean if 3.4 < point.model.charging < 4.3]
    gap = [point.scales["pair_peak"] for point in medium.clean if point.model.charging > 4.4]
    assert all(a.value > b.value for a, b in itertools.pairwise(mass))
    assert all(a.low > b.high for a, b in zip(mass, mass[2:], strict=False))     # neighbours lie too close
    assert all(a.high < b.low for a, b in itertools.pairwise(gap))


def test_statements_say_what_they_rest_on(medium):
    """Numbers in every finding; what is open or synthetic is never called confirmed."""
    found = {c.statement: c for c in claims(medium, films=False)}
    assert len(found) == 15
    assert all(any(ch.isdigit() for ch in c.found) for c in found.values())
    assert sum(c.verdict == CONFIRMED for c in found.values()) == 8
    assert sum(c.verdict == CONTRADICTED for c in found.values()) == 3
    rows = list(csv.DictReader(io.StringIO(claims_table(found.values()))))
    assert {row["statement"] for row in rows} == set(found)
    assert all(row["verdict"] and row["rule"] for row in rows)


@pytest.mark.parametrize(
    ("number", "kind", "bound", "verdict"),
    [
        (Estimate(1.0, 0.1), "above", 0.5, CONFIRMED),
        (Estimate(1.0, 0.1), "below", 0.5, CONTRADICTED),
        (Estimate(1.0, 0.1), "above", 0.8, CONSISTENT),
        (Estimate(1.0, 0.1), "above", 1.1, OPEN),
        (Estimate(1.0, 0.1), "equal", 1.2, CONFIRMED),
        (Estimate(1.0, 0.2), "equal", 1.2, CONSISTENT),
        (Estimate(1.0, 0.1), "equal", 1.5, CONTRADICTED),
        (Estimate(1.0, 0.0), "above", 0.5, OPEN),
        (Estimate.missing(), "equal", 1.0, OPEN),
    ],
)
def test_three_errors_decide(number, kind, bound, verdict):
    assert Decision("x", number, kind, bound, tolerance=0.4).verdict == verdict


def test_a_statement_is_as_good_as_its_worst_number():
    good, bad = (Decision("x", Estimate(1.0, 0.1), "above", bound) for bound in (0.5, 2.0))
    beside = Decision("x", Estimate(1.0, 0.1), "above", 2.0, deciding=False)
    assert verdict_of([good, beside]) == CONFIRMED
    assert verdict_of([good, bad]) == CONTRADICTED
    assert Claim("never measured", "nothing", "anything").verdict == UNTESTED


def test_data_that_would_decide():
    """Errors fall as masks^(-1/2): a number two errors above its bound needs 9/4 of the masks."""
    above = Decision("x", Estimate(1.0, 0.1), "above", 0.8)
    assert above.missing_data == pytest.approx(2.25)
    assert Decision("x", Estimate(1.0, 0.2), "equal", 1.2, tolerance=0.4).missing_data == pytest.approx(2.25)
    assert Decision("x", Estimate(1.0, 0.1), "above", 0.5).missing_data == 1
    assert np.isnan(Decision("x", Estimate.missing(), "above", 0.5).missing_data)
    assert np.isinf(Decision("x", Estimate(1.0, 0.1), "above", 1.05).missing_data)
    points = [replace(load_study(DATA / "medium_thermal.h5").points[0], n_samples=n, chain_seconds=2.0)
              for n in (200, 310)]  # fmt: skip
    needed = Claim("s", "f", "d", (above,), points).effort
    assert (needed.masks, needed.core_hours) == (500, pytest.approx(2.25 * 510 * 2 / 3600))
    assert "500 masks, 0.64 core hours" in str(needed)
    assert str(replace(needed, factor=1.0)) == "decided"
    assert "no number of masks" in str(replace(needed, factor=np.inf))
    assert Claim("s", "f", "d", (above,), points, growth=4.0).effort.masks == 800
    unknown = Decision("x", Estimate.missing(), "above", 0.0)
    assert "not resolved" in str(Claim("s", "f", "d", (unknown,)).effort)


def test_local_pairs_are_the_local_green_function():
    """The mean over sites is G_loc of the worm of the same chains; a site without bonds decays exactly."""
    model = Model(Lx=4, Ly=4, L_tau=64, eps=0.1, charging=3.0, action="cosine")
    bonds = np.ones((2, 4, 4), bool)
    bonds[0, 1, 1] = bonds[0, 1, 0] = bonds[1, 1, 1] = bonds[1, 0, 1] = False       # site (1, 1) is alone
    own = OwnObservable("local_pairs", "1", "pairs", local.local_pairs, (len(local.SLICES), 4, 4))
    chains = Chains(model, [bonds] * 8, seed=3, samples=range(8), own=[own], n_max=1,
                    schedule=Schedule(bins=4, measurements_per_bin=128, transverse=False))  # fmt: skip
    while not chains.finished:
        chains.step()
    pairs = np.array([r.bins["local_pairs"].mean(axis=0) for r in chains.results()])
    worm = np.array([r.bins["G_loc"].mean(axis=0)[list(local.SLICES)] for r in chains.results()])
    difference = pairs.mean(axis=(2, 3)) - worm
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
    assert np.all(np.abs(difference.mean(axis=0)) < 4 * error)
    assert np.all(error < 0.05 * worm.mean(axis=0))
    energy = local.decay_rate(pairs.mean(axis=0), model.eps)
    assert local.bonds_of_sites(bonds)[1, 1] == 0
    assert energy[1, 1] == pytest.approx(local.isolated_energy(model), rel=5e-3)
    assert energy[3, 3] < 0.7 * energy[1, 1]


def test_information_along_directions_of_the_replaced_data():
    """A quarter of the covariance is four times the information; what a constant adds counts nothing."""
    spec = importlib.util.spec_from_file_location("information", ROOT / "benchmarks" / "information.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    n = np.arange(12)
    rows = np.random.default_rng(4).normal(size=(40, n.size)) * (1 + n)
    C = rows.T @ rows
    A, B, shifted = (script.information(c, n, 12.8, 0.1) for c in (C, C / 4, C + 100 * np.ones_like(C)))
    _, resolved, v = np.linalg.svd(A, full_matrices=False)
    np.testing.assert_allclose(np.sum((B @ v.T) ** 2, axis=0)[:6], 4 * resolved[:6] ** 2, rtol=1e-6)
    np.testing.assert_allclose(shifted.T @ shifted, A.T @ A, atol=1e-6 * np.abs(A.T @ A).max())
    factors = script.kept_factors()
    assert all(np.prod(f[2:8]) ** (1 / 6) > 9 for _, f in factors.values())


def test_published_numbers_have_a_distance(medium):
    rows = published_rows(medium)
    assert len(rows) > 30
    product = [r for r in rows if r.quantity.startswith("sigma_SF sigma_MI")]
    assert abs(product[0].sigmas) < 2
    assert product[0].own.error < 0.05
    near = [r for r in rows if r.quantity.startswith("m_H/Delta")]
    assert near
    assert all(abs(r.sigmas) < 3 and r.own.error < 0.5 for r in near)


def test_transition_temperatures_of_the_kept_data(medium):
    """The law of the jump fits at every p, T_c falls with p, and rho_s at T = 0 lies above the jump."""
    found = medium.temperatures
    assert len(found) >= 8
    assert not any(one.warnings for one in found.values())
    T_c = [one.T_c for _, one in sorted(found.items())]
    assert all(a.value - b.value > 3 * np.hypot(a.error, b.error) for a, b in itertools.pairwise(T_c))
    assert all(e.error < 0.03 * e.value for e in T_c)
    rho = {q.model.p: q.averages.values["rho_s"].value for q in medium.dirty}
    assert all(rho[p] > 2 * one.T_c.value / np.pi for p, one in found.items())


@pytest.mark.parametrize(
    "name", ["low", "sizes", "trotter", "scalar", "1b_clean", "modes", "flow", "quantum"]
)
def test_panels_of_the_kept_data_are_drawn(medium, name):
    panel = PANELS[name]
    figure = panel.figure(medium)
    assert figure.get_figwidth() == pytest.approx((89 if name == "quantum" else 183) / 25.4)
    assert len(panel.caption(medium)) > 200
    assert all(np.all(np.isfinite(s.x)) and s.x.size == s.y.size for s in panel.curves(medium))


def test_powers_are_found_with_their_errors():
    """y = 2 x^(1/2) with errors on both axes: the free power agrees, and the linear law does not."""
    rng = np.random.default_rng(3)
    x = np.linspace(0.1, 0.5, 9)
    X = [Estimate(float(v), 0.01 * v) for v in x * (1 + 0.01 * rng.normal(size=9))]
    Y = [Estimate(float(v), 0.02 * v) for v in 2 * np.sqrt(x) * (1 + 0.02 * rng.normal(size=9))]
    root, line = fit_power(X, Y, 0.5), fit_power(X, Y, 1.0)
    assert root is not None
    assert line is not None
    assert abs(root.free.pull(0.5)) < 3
    assert root.free.error < 0.03
    assert abs(root.prefactor.pull(2.0)) < 3
    assert root.chi2 < 25 < line.chi2
    assert fit_power(X[:2], Y[:2], 1.0) is None


def test_scale_of_a_wave_vector_is_where_the_response_has_halved():
    w = np.linspace(0, 8, 81)
    response = np.stack([m**2 / (m**2 + w**2) for m in (1.0, 3.0)])
    level = (response[:, 1] + response[:, -1]) / 2
    found = half_frequency(response, w)
    reached = [np.interp(f, w, row) for f, row in zip(found, response, strict=True)]
    np.testing.assert_allclose(reached, level, rtol=1e-6)
    assert found[1] > found[0]


def test_a_large_array_is_one_whose_size_no_longer_counts():
    """Sizes within two errors and ten percent give a limit, whose error holds their difference."""
    found = {
        2.0: {8: Estimate(0.40, 0.02), 16: Estimate(0.42, 0.02)},       # agree
        4.0: {8: Estimate(0.40, 0.04), 16: Estimate(0.46, 0.04)},       # within errors, 13 % apart
        6.0: {8: Estimate(0.40, 0.002), 16: Estimate(0.42, 0.002)},     # 7 errors apart
        8.0: {16: Estimate(0.40, 0.002)},
    }
    limits = large_array_limits(found)
    assert list(limits) == [2.0]
    assert limits[2.0].value == 0.42
    assert limits[2.0].error == pytest.approx(np.hypot(0.02, 0.02))
    lines = linear_limits({4.0: {8: Estimate(1 - 1 / 8, 0.1), 16: Estimate(1 - 1 / 16, 0.2)}})
    assert lines[4.0].value == pytest.approx(1)
    assert lines[4.0].error == pytest.approx(np.hypot(2 * 0.2, 0.1))


# --- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["4z"], "FIGURE = '4z': must be one of 1b, 2, 3, all"),
        (["2", "--size", "huge"], "--size 'huge': must be one of small, medium, cluster"),
        (["2", "--size", "cluster"], "needs no simulation"),
        (["1b", "--size", "cluster", "--time", "soon"], "--time"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, word):
    assert main(["reproduce", *arguments, "-o", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.strip()
    assert word in told
    assert "\n" not in told


def test_an_output_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["reproduce", "2", "-o", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_data_that_are_not_ours(tmp_path):
    (tmp_path / "dirty.h5").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="not reduced data of sitqmc"):
        load("small", tmp_path, studies=("dirty",))
    with pytest.raises(UserError, match="no stored data"):
        load("small", studies=("dirty",))


def test_the_cluster_gets_every_configuration_it_has(tmp_path, monkeypatch, capsys):
    """A study that this size lacks is left out of files and job script."""
    monkeypatch.setattr("sitqmc.runs.jobs.plan.plan", lambda *_, **__: "cost")
    assert main(["reproduce", "all", "--size", "cluster", "-o", str(tmp_path)]) == 0
    names = {path.name for path in CONFIGS.glob("cluster_*.toml")}
    assert {path.name for path in tmp_path.glob("*.toml")} == names
    job = (tmp_path / "reproduce.sbatch").read_text()
    assert all(name in job for name in names)


SMALL = {
    "dirty": {"p": 0.3}, "dirty_0": {"p": 0.0}, "dirty_warm": {"p": 0.3, "L_tau": 4},
    "dirty_low": {"p": 0.32}, "clean_near": {"charging": 2.5}, "critical": {"p": 0.337},
    "clean": {"charging": 2.0}, "scaling": {"L": [2, 3], "p": [0.3, 0.4]}, "scaling_24": {"L": 4, "p": 0.3},
    "thermal": {"L_tau": 4}, "quantum": {"charging": [1.0, 2.0]}, "trotter": {},
}  # fmt: skip


def test_all_studies_of_a_size_are_simulated(tmp_path):
    """`reproduce all --simulate` runs every configuration of every study, and keeps all their points."""
    for name, values in SMALL.items():
        table = {"charging": 3.0, "L": 2, "L_tau": 8, "p": 0.0} | values
        text = TINY.format(**table).replace("samples = 16", "samples = 4")
        (tmp_path / f"medium_{name}.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce_spectra, "OPTIONS", {"method": "maxent", "n_omega": 20})
        patch.setitem(FIGURES, "all", Chapter((), STUDIES))               # its panels take minutes
        reproduce("all", "medium", tmp_path / "out", simulate=True, configs=tmp_path, quiet=True)
    for study in STUDIES:
        found = configs_of("medium", study, tmp_path / "out", tmp_path)
        models = [model for config in found for model in config.models]
        points = load_study(tmp_path / "out" / f"{study}.h5").points
        assert [point.model for point in points] == models
        assert all(point.n_samples == 4 for point in points)


@pytest.mark.parametrize("study", STUDIES)
def test_kept_data_are_those_of_the_kept_configurations(study, tmp_path):
    """Same points, seeds and numbers of samples."""
    kept, asked = load_study(DATA / f"medium_{study}.h5"), dict[Model, int]()
    found = configs_of("medium", study, tmp_path, CONFIGS)
    for config in found:
        asked |= dict.fromkeys(config.models, config.disorder.samples)
    assert {point.model: point.n_samples for point in kept.points} == asked
    assert {config.disorder.seed for config in found} == set(kept.origin["seeds"])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("study", STUDIES)
def test_configurations_are_valid(size, study, tmp_path):
    found = configs_of(size, study, tmp_path, CONFIGS)
    assert found or study in OPTIONAL
    assert all(config.disorder.samples >= 40 for config in found)
    assert len({config.output.path for config in found}) == len(found)


@pytest.mark.physics
def test_figures_of_the_films(tmp_path):
    made = sitqmc(tmp_path, "reproduce", "2", "-o", tmp_path / "out")
    assert made.returncode == 0, made.stderr
    assert "SYNTHETIC" in (tmp_path / "out" / "2.txt").read_text()
    assert (tmp_path / "out" / "index.html").read_text().count("<img") == 2
    with open(tmp_path / "out" / "2c.csv") as file:
        rows = [r for r in csv.DictReader(file) if r["curve"] == "SYNTHETIC 2 Delta_t"]
    assert len(rows) == 4
