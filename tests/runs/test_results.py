"""Results in Python: kept in run.h5, loaded without a new analysis, scans, functions of averages, xarray."""

import json
import shutil

import h5py
import numpy as np
import pytest

import sitqmc
from sitqmc.estimate import Estimate
from sitqmc.qmc import jackknife
from sitqmc.runs.errors import UnreadableFile, UserError
from sitqmc.runs.results.export.netcdf import write_netcdf
from sitqmc.runs.store.records import read_record

KEYS = {
    "eps": 0.25, "charging": 3.0, "L_tau": 8, "p": [0.0, 0.1, 0.2], "samples": 24,
    "schedule": {"therm_sweeps": 20, "bins": 8, "measurements_per_bin": 4},
    "continuation": {"method": "maxent", "omega_points": 40, "blocks": 8},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The output of a complete run."""
    place = tmp_path_factory.mktemp("run") / "scan"
    sitqmc.run(L=2, path=place, report=False, processes=1, **KEYS)
    return place


@pytest.fixture
def no_analysis(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a new analysis")

    monkeypatch.setattr("sitqmc.runs.results.run.analyse_run", refuse)


def test_spectra_are_read_from_the_run_file(folder, no_analysis):
    run = sitqmc.load(folder)
    spectrum = run.point(p=0.1).spectrum
    low, _ = spectrum.sigma_band()
    assert np.all(low <= spectrum.sigma)
    assert spectrum.samples().shape[1] == 40
    assert spectrum.peaks() is not None
    assert run.points[0].averages.checks["rho_s_x"].tau_int > 0
    assert run.points[0].averages.values["rho"].value.shape == (5,)
    with h5py.File(folder / "run.h5") as file:   # readable without the package
        place = file["results/0001/spectra/maxent"]
        np.testing.assert_array_equal(place["band"][0], spectrum.band()[0])
        np.testing.assert_array_equal(place["values"], spectrum.values)
        np.testing.assert_array_equal(place["grid/omega"], spectrum.omega)


def test_a_new_analysis_gives_the_stored_numbers(folder):
    run = sitqmc.load(folder)
    again = sitqmc.runs.results.analysis.analyse_run(run)
    for new, old in zip(again.results, run.results.results, strict=True):
        np.testing.assert_array_equal(new.spectrum.band(), old.spectrum.band())
        np.testing.assert_array_equal(new.averages.samples["rho"], old.averages.samples["rho"])
        assert new.warnings == old.warnings


def test_stored_spectra_count_only_for_their_samples(folder, tmp_path):
    """More samples, other choices of the continuation: a new analysis. A copy holds everything."""
    shutil.copytree(folder, tmp_path / "scan")
    run = sitqmc.load(tmp_path / "scan")
    assert run.stored is not None
    other = sitqmc.Config.of(run.config, continuation={"blocks": 6})
    assert type(run)(run.folder, other).stored is None
    copy = run.save(tmp_path / "copy.h5")
    assert sitqmc.load(copy).stored is not None
    with pytest.raises(UserError, match="exists already"):
        run.save(copy)
    more = sitqmc.run(run.config, samples=25, path=tmp_path / "scan", report=False, processes=1)
    assert more.points[0].averages.n_samples == 25
    assert more.stored is not None
    assert run.points[0].averages.n_samples == 24


def test_a_function_of_averages_has_jackknife_errors(folder):
    run = sitqmc.load(folder)
    found = run.evaluate(lambda rho_s, kappa: np.sqrt(rho_s / kappa))
    for i, averages in enumerate(run.averages):
        assert found.value[i] == pytest.approx(averages.values["c"].value, rel=1e-4)
        assert found.error[i] == pytest.approx(averages.values["c"].error, rel=1e-4)
    rho = run.evaluate(lambda rho: rho[1:] / rho[0], p=0.1)
    assert rho.value.shape == (1, 4)
    scatter = jackknife(lambda rho: rho[1:] / rho[0], run.averages[1].samples["rho"])
    assert np.all(rho.error[0] >= scatter.error)
    same = run.evaluate(lambda rho_s: rho_s)     # errors of the table, with shares of fits and masks
    np.testing.assert_allclose(same.error, [a.values["rho_s"].error for a in run.averages], rtol=1e-6)
    with pytest.raises(UserError, match="did you mean 'rho_s'"):
        run.evaluate(lambda rho_z: rho_z)
    with pytest.raises(UserError, match="no point"):
        run.evaluate(lambda rho_s: rho_s, p=0.5)


def test_a_scan_of_an_average(folder, tmp_path):
    run = sitqmc.load(folder)
    scan = run.scan("rho_s")
    x, value, error = scan
    np.testing.assert_array_equal(x, [0.0, 0.1, 0.2])
    np.testing.assert_allclose(value, [a.values["rho_s"].value for a in run.averages])
    assert np.all(error > 0)
    assert scan.parameter == "p"
    assert type(scan).load(scan.save(tmp_path / "scan.h5")).estimate.value.tolist() == value.tolist()
    with pytest.raises(UserError, match="is not known"):
        run.scan("rho_s", by="q")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda run: run.point(pp=0.1), "unknown parameter of a point 'pp'; did you mean 'p'?"),
        (lambda run: run.correlator("rhos", p=0.1), "did you mean 'rho_s'?"),
        (lambda run: run.table("kapa"), "did you mean 'kappa'?"),
        (lambda run: run.scan("energi"), "did you mean 'energy'?"),
        (lambda run: sitqmc.draw("sigm", run), "did you mean 'sigma'?"),
        (lambda run: run.point(p=0.3), "p = 0.3: 0 points of this run; name one of p = 0"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest_one(folder, call, words):
    with pytest.raises(UserError) as caught:
        call(sitqmc.load(folder))
    assert words in str(caught.value)


def test_figures_of_a_run_and_of_its_parts(folder):
    from matplotlib.figure import Figure

    run = sitqmc.load(folder)
    assert isinstance(sitqmc.draw("sigma", run), Figure)
    assert sitqmc.draw("rho_s", run).axes[0].lines
    figure = Figure()
    ax = figure.add_subplot()
    assert run.plot("rho", ax) is ax
    assert ax.lines
    for part in (run.scan("rho_s"), run.points[0].spectrum, run.correlator("rho", p=0.1)):
        assert part.plot().axes[0].lines
        assert part.plot(Figure().add_subplot()).lines


def test_files_of_results_are_checked(folder, tmp_path):
    run = sitqmc.load(folder)
    path = run.points[0].spectrum.save(tmp_path / "spectrum.h5")
    found = sitqmc.continuation.Spectrum.load(path)
    np.testing.assert_array_equal(found.band(), run.points[0].spectrum.band())
    with pytest.raises(UserError, match=r"holds a Spectrum; load it with Spectrum\.load"):
        sitqmc.analytic.Comparison.load(path)
    with pytest.raises(UserError, match="not found"):
        sitqmc.continuation.Spectrum.load(tmp_path / "none.h5")
    with pytest.raises(UnreadableFile, match="no result"):
        sitqmc.continuation.Spectrum.load(folder / "run.h5")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFile, match="damaged"):
        sitqmc.continuation.Spectrum.load(path)


FOREIGN = ("os:stat_result", "sitqmc.runs.store.records:read_record", "subprocess:Popen")


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_makes_no_foreign_object(tmp_path, name):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["tree"] = json.dumps({"class": name, "fields": {}})
        with pytest.raises(ValueError, match=r"no (class|dataclass)"):
            read_record(file)


def test_xarray_and_netcdf_hold_the_same(folder, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    run = sitqmc.load(folder)
    found = run.to_xarray()
    assert found["rho"].dims == ("p", "omega_n")
    assert found["rho_samples"].dims == ("p", "sample", "omega_n")
    assert found["G_k0"].dims == ("p", "tau")
    assert found["sigma_maxent"].dims == ("p", "omega")
    assert found["rho"].units == "E_J"
    assert found["omega_n"].long_name == "Matsubara frequency"
    point = found.sel(p=0.1)
    expected = run.averages[1].samples["rho"]
    np.testing.assert_allclose(point["rho_samples"], expected)
    np.testing.assert_allclose(np.sqrt(np.diag(point["rho_covariance"])), point["rho_error"])
    np.testing.assert_allclose(point["rho_plain_error"], run.averages[1].plain["rho"].error)
    np.testing.assert_allclose(point["sigma_maxent"].max(), run.points[1].spectrum.sigma.max(), rtol=0.05)
    write_netcdf(run.results, tmp_path / "a.nc")
    with xarray.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as file:
        xarray.testing.assert_identical(file.load().drop_attrs(), found.drop_attrs())
        assert file["rho"].units == "E_J"
    with xarray.open_datatree(folder / "run.h5", group="points", engine="h5netcdf") as tree:
        assert tree["0001/bins"]["rho_x"].dims == ("sample", "bin", "n")


def test_points_of_different_sizes_share_their_axes(tmp_path):
    pytest.importorskip("xarray")
    changes = {**KEYS, "L_tau": [4, 8], "p": 0.1, "samples": 8}
    found = sitqmc.run(L=2, path=tmp_path / "sizes", report=False, processes=1, **changes).to_xarray()
    assert found["rho"].dims == ("L_tau", "n")
    assert found["omega_n"].dims == ("L_tau", "n")
    assert np.isnan(found["rho"][0]).sum() == 2
    assert found["omega_n"][1, 1] == pytest.approx(np.pi)


def test_long_tables_are_cut_at_the_end_of_a_cell():
    from sitqmc.runs.results.run import Table

    table = Table({"p": [i / 100 for i in range(100)], "rho_s": [0.1] * 100, "rho_s_error": [0.01] * 100})
    assert len(repr(table).splitlines()) == 20
    assert table._repr_html_().count("<tr>") <= 20
    assert len(str(table).splitlines()) == 102
    assert len(repr(Estimate(np.zeros(1000), np.ones(1000))).splitlines()) == 1
