"""Correlators of other codes in HDF5 files."""

import h5py
import numpy as np
import pytest

from sitqmc.runs.formats.correlators_h5 import read_correlator_h5

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
