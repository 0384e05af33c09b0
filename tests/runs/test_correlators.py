"""Correlators of other codes in text and HDF5 files."""

import codecs

import h5py
import numpy as np
import pytest

from sitqmc.runs.formats.correlators import read_correlator, read_correlator_h5, read_samples

N = np.arange(12)
SAMPLES = 0.3 + 0.02 * N + 1e-3 * np.random.default_rng(0).normal(size=(50, 12))


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["obs/rho"], file["obs/n"] = SAMPLES, N
        file["obs/mean"], file["obs/cov"] = SAMPLES.mean(axis=0), np.cov(SAMPLES.T) / 50
        file["obs/var"], file["note"] = SAMPLES.var(axis=0, ddof=1) / 50, "text"
    return tmp_path / "other.h5"


def test_samples_and_averages_give_the_same_data(path):
    options = {"kind": "rho_iw", "beta": 8.0, "grid": "obs/n"}
    a = read_correlator_h5(path, samples="obs/rho", **options)
    b = read_correlator_h5(path, mean="obs/mean", covariance="obs/cov", n_samples=50, **options)
    c = read_correlator_h5(path, mean="obs/mean", covariance="obs/var", **(options | {"grid": N}))
    assert a.n_samples == b.n_samples == 50
    np.testing.assert_allclose(a.mean, b.mean)
    np.testing.assert_allclose(a.covariance, b.covariance)
    np.testing.assert_allclose(np.diag(a.covariance), np.diag(c.covariance))
    assert np.count_nonzero(c.covariance) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": "obs/nothing"}, "no dataset 'obs/nothing'; it holds note, obs/cov"),
        ({"samples": "obs"}, "no dataset 'obs'"),
        ({"samples": "note"}, "need real numbers"),
        ({}, "name either"),
        ({"samples": "obs/rho", "mean": "obs/mean"}, "name either"),
        ({"mean": "obs/mean"}, "without covariance"),
    ],
)
def test_wrong_names_are_one_clear_line(path, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_correlator_h5(path, kind="rho_iw", beta=8.0, grid=N, **options)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "a.h5").write_text("no")
    with pytest.raises(ValueError, match="not a readable HDF5 file"):
        read_correlator_h5(tmp_path / "a.h5", kind="rho_iw", beta=8.0, grid=N, samples="x")


TEXT = {"kind": "rho_iw", "beta": 8.0}
MEAN, ERRORS = SAMPLES.mean(axis=0), np.full(N.size, 1e-3)


def write_table(path, columns, separator=" ", head="", mark=b""):
    """Write columns as text, with a head line and a byte order mark."""
    rows = [separator.join(f"{x:.10g}" for x in row) for row in columns]
    path.write_bytes(mark + "\n".join([*([head] if head else []), *rows, ""]).encode())
    return path


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("separator", [" ", ",", ", ", ";", "\t"])
@pytest.mark.parametrize("head", ["", "# n rho error", "n rho error"])
def test_columns_are_read_with_any_separator_head_and_byte_order_mark(tmp_path, separator, head, mark):
    columns = np.column_stack([N, MEAN, ERRORS])
    path = write_table(tmp_path / "a.txt", columns, separator, head, mark)
    data = read_correlator(path, **TEXT)
    np.testing.assert_allclose(data.mean, MEAN, rtol=1e-9)
    np.testing.assert_array_equal(data.grid, N)
    np.testing.assert_allclose(data.covariance, np.diag(ERRORS**2))
    assert data.warnings == ()


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_samples_and_a_covariance_are_read_from_text(tmp_path, mark):
    rows = write_table(tmp_path / "bins.csv", SAMPLES, ",", mark=mark)
    np.testing.assert_allclose(read_samples(rows, grid=N, **TEXT).mean, MEAN, rtol=1e-9)
    C = np.cov(SAMPLES.T) / 50
    square = write_table(tmp_path / "c.txt", C, mark=mark)
    plain = write_table(tmp_path / "a.txt", np.column_stack([N, MEAN]), mark=mark)
    data = read_correlator(plain, covariance=square, n_samples=50, **TEXT)
    np.testing.assert_allclose(data.covariance, C, rtol=1e-8)
    assert data.warnings == ()


def test_errors_replaced_by_a_covariance_are_named(tmp_path):
    path = write_table(tmp_path / "a.txt", np.column_stack([N, MEAN, ERRORS]))
    square = write_table(tmp_path / "c.txt", np.diag(ERRORS**2))
    assert read_correlator(path, covariance=square, **TEXT).warnings == (
        "a.txt: errors of column 3 not used, c.txt is",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 three\n", "no data"),
        ("1 2 three\n1 2 3\n2 3 4\n", "line 1: numbers and text in one line"),
        ("0 1 0.1\n1 1 0.1\n2 x 0.1\n", "line 3: not a number"),
        ("0 1 0.1\n1 1\n", "line 2: 2 numbers for 3 columns"),
        ("0 1 0.1 7\n1 1 0.1 7\n2 1 0.1 7\n", "4 columns: need grid, mean, error"),
        ("0 1\n1 1\n2 1\n", "2 columns: need grid, mean, error"),
        ("0,1,5\n1,1,5\n2,1,5\n", None),
        ("0,5 1,5 0,1\n1,0 1,5 0,1\n2,0 1,5 0,1\n", "give integers"),
        ("", "not a text file"),
    ],
)
def test_no_column_is_dropped_and_no_separator_guessed(tmp_path, text, message):
    """A decimal comma is read as one where the columns are separated otherwise."""
    path = tmp_path / "a.txt"
    path.write_text(text)
    if message is None:
        np.testing.assert_array_equal(read_correlator(path, **TEXT).mean, [1, 1, 1])
        return
    with pytest.raises(ValueError, match=message) as caught:
        read_correlator(path, **TEXT)
    assert "\n" not in str(caught.value)


def test_samples_need_one_column_per_point(tmp_path):
    path = write_table(tmp_path / "bins.txt", SAMPLES)
    with pytest.raises(ValueError, match="12 columns for 11 points"):
        read_samples(path, grid=N[:-1], **TEXT)
    with pytest.raises(ValueError, match="cannot be read"):
        read_samples(tmp_path / "none.txt", grid=N, **TEXT)
