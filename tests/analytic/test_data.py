"""Measured-data checks and files: round trips, conversions, one clear line for every kind of bad input."""

import json

import numpy as np
import pytest

from sitqmc.analytic.measurements.scans import DataError, remove_phase_jumps, thz_scan, tunnelling_curve
from sitqmc.analytic.measurements.synthetic import (
    SYNTHETIC_FILMS,
    SYNTHETIC_INSTRUMENT,
    synthetic_scan,
    synthetic_tunnelling,
)
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.runs.formats.films import bundled_films, write_films, write_scan, write_tunnelling
from sitqmc.runs.formats.measured.read import read_scan, read_tunnelling

NU = np.linspace(0.1, 1.0, 10)
GOOD = {
    "nu_thz": NU,
    "t": np.full(10, 0.3),
    "theta": 2.0 * NU,
    "t_k": 2.0,
    "t_error": 0.01,
    "theta_error": 0.02,
}


def broken(**changes):
    return {**GOOD, **changes}


def put(values, row, value):
    out = np.array(values, dtype=float)
    out[row] = value
    return out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (broken(nu_thz=put(NU, 3, 0.05)), "not increasing at row 4"),
        (broken(nu_thz=put(NU, 3, NU[2])), "0.3 appears twice"),
        (broken(t=put(GOOD["t"], 4, np.nan)), "t: row 5 is nan"),
        (broken(t=put(GOOD["t"], 4, -0.1)), "t: row 5 is -0.1"),
        (broken(t=GOOD["t"] * 100), "percent"),
        (broken(nu_thz=NU * 1000), "check the unit of the frequency"),
        (broken(theta=np.zeros(3)), "3 values for 10 points"),
        (broken(t_error=0.0), "t_error: row 1"),
        (broken(t_k=-1.0), "temperature = -1"),
        (broken(t_k=np.nan), "temperature = nan"),
    ],
)
def test_bad_scan(data, words):
    with pytest.raises(DataError, match=words) as error:
        thz_scan(**data)
    assert "\n" not in str(error.value)


def test_phase_jumps_are_removed_and_said():
    theta = 40.0 * NU
    jumped = theta + 2 * np.pi * (NU > 0.45) - 4 * np.pi * (NU > 0.75)
    scan = thz_scan(**broken(theta=jumped))
    np.testing.assert_allclose(scan.theta, theta, atol=1e-12)
    assert scan.notes == ("2 steps of 2 pi removed from theta",)
    clean, jumps = remove_phase_jumps(theta)
    assert jumps == 0
    assert np.array_equal(clean, theta)


def test_window():
    scan = thz_scan(**GOOD)
    assert scan.window(0.2, 0.65).nu_thz.size == 5
    with pytest.raises(DataError, match="only 1 points"):
        scan.window(0.2, 0.25)


@pytest.mark.parametrize("suffix", [".txt", ".h5"])
def test_file_round_trip(tmp_path, suffix):
    scan = synthetic_scan(SYNTHETIC_FILMS["6.7K"], 2.0, np.random.default_rng(3))
    path = tmp_path / f"scan{suffix}"
    write_scan(path, scan)
    back = read_scan(path)
    for name in ("nu_thz", "t", "t_error", "theta", "theta_error"):
        np.testing.assert_allclose(getattr(back, name), getattr(scan, name), rtol=1e-6)
    assert back.synthetic
    assert back.t_k == 2.0
    assert back.meta == scan.meta


def test_tunnelling_round_trip(tmp_path):
    curve = synthetic_tunnelling(SYNTHETIC_FILMS["5.0K"], np.random.default_rng(4))
    write_tunnelling(tmp_path / "iv.txt", curve)
    back = read_tunnelling(tmp_path / "iv.txt")
    np.testing.assert_allclose(back.didv, curve.didv, rtol=1e-6)
    assert back.synthetic
    assert back.t_k == curve.t_k


FOREIGN = """# temperature [mK]: 1800
wavenumber [cm^-1], T, T_error, theta [deg], theta_error [deg]
10.0, 0.04, 0.0004, 90, 1
20.0, 0.09, 0.0006, 180, 1
30.0, 0.16, 0.0008, 270, 1
40.0, 0.25, 0.0010, 360, 1
"""


def test_other_columns_and_units(tmp_path):
    (tmp_path / "a.txt").write_text(FOREIGN)
    scan = read_scan(tmp_path / "a.txt")
    np.testing.assert_allclose(scan.nu_thz, 0.299792458 * np.arange(1, 5), rtol=1e-12)
    np.testing.assert_allclose(scan.t, [0.2, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(scan.t_error, 0.001)
    np.testing.assert_allclose(scan.theta, np.pi / 2 * np.arange(1, 5))
    assert scan.t_k == pytest.approx(1.8)


def test_bare_table_is_converted(tmp_path):
    (tmp_path / "bare.csv").write_text("100,0.3,0.4\n200,0.3,0.4\n300,0.0,0.5\n400,-0.1,0.5\n")
    with pytest.raises(DataError, match="no column t_error"):
        read_scan(tmp_path / "bare.csv", ["nu [GHz]", "re_t", "im_t"], {"temperature [K]": "2"})
    (tmp_path / "bare.csv").write_text(
        "100,0.3,0.4,.01,.02\n200,0.3,0.4,.01,.02\n300,0.0,0.5,.01,.02\n400,-0.1,0.5,.01,.02\n"
    )
    columns = ["nu [GHz]", "re_t", "im_t", "t_error", "theta_error [rad]"]
    scan = read_scan(tmp_path / "bare.csv", columns=columns, header={"temperature [K]": "2"})
    np.testing.assert_allclose(scan.t_rel, [0.3 + 0.4j, 0.3 + 0.4j, 0.5j, -0.1 + 0.5j], atol=1e-15)
    np.testing.assert_allclose(scan.nu_thz, [0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("wavenumber [cm^-1]", "nu [1/s]", r"unit \[1/s\] of nu is not known; use one of thz"),
        ("wavenumber [cm^-1]", "nu", "nu has no unit"),
        ("theta [deg]", "psi [deg]", "unknown column 'psi'"),
        ("T, T_error", "T, T", "appears twice"),
        ("# temperature [mK]: 1800", "# tc [K]: 4", "no temperature"),
        ("# temperature [mK]: 1800", "# temperature [C]: 4", r"unit \[C\]"),
        ("0.09", "0.o9", "line 4: not a number"),
        ("0.0006,", "", "line 4: 4 numbers for 5 columns"),
        ("20.0", "10.0", "3 points; at least 4"),
        ("T, T_error", "Transmission, T_error", "may be the field t or the power T"),
        ("T, T_error", "T [dBm], T_error", r"unit \[dBm\] of T is not known"),
        ("T, T_error", "T, T_error [V]", r"unit \[V\] of T_error is not known"),
        (", theta_error [deg]", ", didv", "no column theta_error"),
    ],
)
def test_bad_files(tmp_path, old, new, words):
    (tmp_path / "bad.txt").write_text(FOREIGN.replace(old, new))
    with pytest.raises(DataError, match=words) as error:
        read_scan(tmp_path / "bad.txt")
    assert "\n" not in str(error.value)
    assert "bad.txt" in str(error.value)


def test_empty_and_wrong_hdf5(tmp_path):
    (tmp_path / "empty.txt").write_text("# temperature [K]: 2\n")
    with pytest.raises(DataError, match="no data"):
        read_scan(tmp_path / "empty.txt")
    h5py = pytest.importorskip("h5py")
    scan = thz_scan(**GOOD)
    write_scan(tmp_path / "a.h5", scan)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["nu_thz"].attrs["unit"] = "GHz"
    with pytest.raises(DataError, match="unit of nu_thz is GHz; expected THz"):
        read_scan(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["absent.txt", "absent.h5", "binary.txt", "binary.h5"])
def test_unreadable_files(tmp_path, name):
    if name.startswith("binary"):
        (tmp_path / name).write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=name) as error:
        read_scan(tmp_path / name)
    assert "\n" not in str(error.value)


def test_bad_tunnelling():
    with pytest.raises(DataError, match="negative"):
        tunnelling_curve(np.arange(5.0), [1, 1, -1, 1, 1], 2.0, didv_error=0.1)
    with pytest.raises(DataError, match="reaches 5000 mV"):
        tunnelling_curve(np.linspace(-5000, 5000, 5), np.ones(5), 2.0, didv_error=0.1)


def test_instrument_is_invertible():
    nu = np.linspace(0.1, 1.4, 50)
    t = 0.1 * np.exp(7j * nu)
    np.testing.assert_allclose(
        SYNTHETIC_INSTRUMENT.remove(nu, SYNTHETIC_INSTRUMENT.apply(nu, t)), t, rtol=1e-12
    )
    assert not np.allclose(SYNTHETIC_INSTRUMENT.apply(nu, t), t, rtol=1e-3)
    np.testing.assert_allclose(Instrument().apply(nu, t), t, rtol=1e-15)


def test_synthetic_films_are_labelled_and_their_truth_is_apart(tmp_path):
    write_films(tmp_path, seed=2)
    files = sorted(p.name for p in tmp_path.glob("*.txt"))
    assert len(files) == 12
    for name in files:
        text = (tmp_path / name).read_text()
        assert "# synthetic: yes" in text
        assert "sigma_n" not in text
    truth = json.loads((tmp_path / "truth" / "4.2K.json").read_text())
    assert truth["film"]["tc_k"] == 4.2
    assert read_scan(tmp_path / "4.2K_cold.txt").t_k == 2.0


def test_bundled_films_are_what_the_generator_makes(tmp_path):
    write_films(tmp_path, seed=1)
    made = {p.relative_to(tmp_path) for p in tmp_path.rglob("*.*")}
    assert made == {p.relative_to(bundled_films()) for p in bundled_films().rglob("*.*")}
    assert len(made) == 16
    for name in SYNTHETIC_FILMS:
        for kind in ("normal", "cold"):
            old, new = (read_scan(folder / f"{name}_{kind}.txt") for folder in (bundled_films(), tmp_path))
            assert old.synthetic
            np.testing.assert_allclose(old.t, new.t, rtol=1e-6)
            np.testing.assert_allclose(old.theta, new.theta, rtol=1e-6)
        curves = [read_tunnelling(place / f"{name}_tunnelling.txt") for place in (bundled_films(), tmp_path)]
        np.testing.assert_allclose(curves[0].didv, curves[1].didv, rtol=1e-5, atol=1e-6)
        truth = (folder / "truth" / f"{name}.json" for folder in (bundled_films(), tmp_path))
        assert len({json.dumps(json.loads(path.read_text()), sort_keys=True) for path in truth}) == 1


def test_synthetic_mode_obeys_the_sum_rule():
    """The weight of the mode equals what it takes from the delta function."""
    film = SYNTHETIC_FILMS["4.2K"]
    nu = np.geomspace(1e-6, 1e5, 400_001)
    area = np.trapezoid(film.mode(nu, 2.0).real, nu)
    taken = -nu[0] * film.mode(nu[:1], 2.0).imag[0] * np.pi / 2
    assert area == pytest.approx(taken, rel=1e-4)
