"""Files of laboratories, each made here in the published layout of its format, read by content."""

import codecs

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from sitqmc.analytic.measurements.scans import DataError
from sitqmc.analytic.measurements.synthetic import SYNTHETIC_FILMS
from sitqmc.analytic.numerics.scatter import scatter_error
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate, transmission, unwrapped_phase
from sitqmc.analytic.optics.inversion import invert
from sitqmc.analytic.superconductor.tunnelling import tunnelling_conductance
from sitqmc.analytic.units import C_SI, MEV_PER_K, MEV_PER_THZ, thz_to_cm
from sitqmc.runs.formats.films import bundled_films
from sitqmc.runs.formats.measured.read import (
    describe_file,
    read_conductivity,
    read_scan,
    read_tunnelling,
)
from sitqmc.runs.formats.measured.substrate import read_substrate

NU = np.linspace(0.2, 1.4, 61)
SAMPLE = FilmOnSubstrate(film_nm=20.0, substrate=Substrate(thickness_um=500.0, index=3.1))
SIGMA = 2000 + 1500j / NU
FIELD = transmission(NU, SIGMA, SAMPLE)
THETA = unwrapped_phase(FIELD)


def table(head, columns, separator="\t", decimal=".", entries=("# temperature [K]: 2.0",)):
    rows = [
        separator.join(f"{x:.8g}".replace(".", decimal) for x in row) for row in zip(*columns, strict=True)
    ]
    return "\n".join([*entries, *([head] if head else []), *rows]) + "\n"


def agrees(scan, theta=THETA):
    np.testing.assert_allclose(scan.nu_thz, NU, rtol=1e-6)
    np.testing.assert_allclose(scan.t, np.abs(FIELD), rtol=1e-6)
    turns = np.round((scan.theta - theta)[0] / (2 * np.pi))
    np.testing.assert_allclose(scan.theta - 2 * np.pi * turns, theta, atol=1e-6)
    assert scan.t_k == 2.0


AXES = [
    ("Frequency (cm-1)", thz_to_cm(NU)), ("f/THz", NU), ("Wavenumber cm^-1", thz_to_cm(NU)),
    ("Frequency [Hz]", 1e12 * NU),
    ("freq_GHz", 1e3 * NU), ("Wavelength (um)", C_SI * 1e-6 / NU), ("Energy (meV)", MEV_PER_THZ * NU),
    ("energy [K]", MEV_PER_THZ * NU / MEV_PER_K), ("ν (THz)", NU), ("omega [rad/ps]", 2 * np.pi * NU),
    ("Wavelength [mm]", C_SI * 1e-9 / NU), ("wavenumber (1/cm)", thz_to_cm(NU)),
]  # fmt: skip


@pytest.mark.parametrize(("head", "axis"), AXES, ids=[head for head, _ in AXES])
def test_axis_of_any_name_and_unit(tmp_path, head, axis):
    path = tmp_path / "scan.csv"
    path.write_text(table(f"{head}\tt\ttheta [rad]", [axis, np.abs(FIELD), THETA]), encoding="utf-8")
    agrees(read_scan(path, t_error=0.001, theta_error=0.01))


POWER = np.abs(FIELD) ** 2
FIELDS = [
    ("t [%]", 100 * np.abs(FIELD)), ("T", POWER), ("T [%]", 100 * POWER), ("Transmittance (%)", 100 * POWER),
    ("T (dB)", 10 * np.log10(POWER)), ("|t|", np.abs(FIELD)), ("field transmission", np.abs(FIELD)),
]  # fmt: skip


@pytest.mark.parametrize(("head", "values"), FIELDS, ids=[head for head, _ in FIELDS])
def test_field_or_power_in_percent_or_decibel(tmp_path, head, values):
    path = tmp_path / "scan.txt"
    phase = np.degrees(np.angle(FIELD))
    path.write_text(table(f"nu [THz]\t{head}\tPhase (deg)", [NU, values, phase]))
    agrees(read_scan(path, t_error=0.001, theta_error=0.01))


@pytest.mark.parametrize(("separator", "decimal"), [
    ("\t", "."), (";", "."), (",", "."), (" ", "."), ("\t", ","), (";", ","), ("  ", ","),
])  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_separator_decimal_and_encoding(tmp_path, separator, decimal, encoding):
    path = tmp_path / "scan.dat"
    head = separator.join(["nu [THz]", "t", "theta [°]", "t_error", "theta_error [°]"])
    columns = [NU, np.abs(FIELD), np.degrees(THETA), 0.01 + 0 * NU, 0.5 + 0 * NU]
    path.write_bytes(table(head, columns, separator, decimal).encode(encoding))
    scan = read_scan(path)
    agrees(scan)
    np.testing.assert_allclose(scan.theta_error, np.radians(0.5))


def test_percent_of_power_with_errors(tmp_path):
    """A film that transmits below 4 %: the unit in the head decides, not the size of the numbers."""
    field = transmission(NU, 25000 + 30000j / NU, SAMPLE)
    power = 100 * np.abs(field) ** 2
    path = tmp_path / "scan.txt"
    head = "nu [THz]  T [%]  T_error [%]  theta [rad]  theta_error [rad]"
    columns = [NU, power, 0.01 * power, unwrapped_phase(field), 0.005 + 0 * NU]
    path.write_text(table(head, columns, "  "))
    scan = read_scan(path)
    np.testing.assert_allclose(scan.t, np.abs(field), rtol=1e-6)
    np.testing.assert_allclose(scan.t_error, 0.005 * np.abs(field), rtol=1e-5)
    np.testing.assert_allclose(invert(NU, scan.t_rel, SAMPLE), 25000 + 30000j / NU, rtol=1e-4)


@pytest.mark.parametrize("name", ["5.0K_cold.txt", "5.0K_normal.txt"])
def test_byte_order_mark(tmp_path, name):
    raw = (bundled_films() / name).read_bytes()
    (tmp_path / name).write_bytes(codecs.BOM_UTF8 + raw.replace(b"\n", b"\r\n"))
    assert np.array_equal(read_scan(tmp_path / name).t, read_scan(bundled_films() / name).t)


def test_sweep_down_with_duplicates_and_no_errors(tmp_path):
    """A sweep down and up again: sorted, duplicates averaged, errors from the scatter, all of it noted."""
    rng = np.random.default_rng(1)
    nu = np.concatenate([NU[::-1], NU])
    field = np.concatenate([FIELD[::-1], FIELD]) * (1 + 0.002 * rng.normal(size=nu.size))
    path = tmp_path / "scan.txt"
    path.write_text(table("Frequency (THz)\tRe(t)\tIm(t)", [nu, field.real, field.imag]))
    scan = read_scan(path)
    assert scan.nu_thz.size == NU.size
    assert any("duplicate frequencies averaged" in note for note in scan.notes)
    assert any("t_error estimated from the scatter" in note for note in scan.notes)
    np.testing.assert_allclose(scan.t, np.abs(FIELD), rtol=0.01)


def test_names_and_units_in_two_lines(tmp_path):
    path = tmp_path / "origin.txt"
    head = "Frequency\tAmplitude\tPhase\nTHz\t%\tdeg"
    path.write_text(table(head, [NU, 100 * np.abs(FIELD), np.degrees(THETA)]))
    agrees(read_scan(path, t_error=0.001, theta_error=0.01))


def test_metadata_in_any_spelling(tmp_path):
    for line in ("Temperature (K)\t2.0", "temperature = 2.0 K", "# Temp: 2.0K", "# temperature [mK]: 2000"):
        path = tmp_path / "scan.txt"
        path.write_text(table("nu [THz]\tt\ttheta [rad]", [NU, np.abs(FIELD), THETA], entries=[line]))
        agrees(read_scan(path, t_error=0.001, theta_error=0.01))


@pytest.mark.parametrize(("head", "words"), [
    ("nu [THz]\tTransmission\ttheta [rad]", "may be the field t or the power T"),
    ("nu [THz]\tt\tphase", "phase has no unit; write phase"),
    ("nu\tt\ttheta [rad]", "nu has no unit"),
    ("omega [THz]\tt\ttheta [rad]", "may be a frequency or an angular frequency"),
    ("nu [parsec]\tt\ttheta [rad]", r"unit \[parsec\] of nu is not known"),
    ("nu [THz]\tt [V]\ttheta [rad]", r"unit \[V\] of t is not known"),
    ("nu [THz]\tt\tt", "t appears twice"),
    ("nu [THz]\tt\tcolour", "unknown column 'colour'"),
    ("", "column 1 has no name; pass columns"),
])  # fmt: skip
def test_two_readings_or_none_are_refused_in_one_line(tmp_path, head, words):
    path = tmp_path / "scan.txt"
    path.write_text(table(head, [NU, np.abs(FIELD), THETA]))
    with pytest.raises(DataError, match=words) as error:
        read_scan(path)
    assert "\n" not in str(error.value)
    assert "scan.txt" in str(error.value)


def test_decimal_comma_with_comma_separator_is_refused(tmp_path):
    path = tmp_path / "scan.csv"
    path.write_text(table("nu [THz],t,theta [rad]", [NU + 0.0001, np.abs(FIELD), THETA + 0.1], ",", ","))
    with pytest.raises(DataError, match="separate the columns by semicolon or tab"):
        read_scan(path)


def test_description_names_layout_columns_and_ranges(tmp_path):
    path = tmp_path / "scan.txt"
    path.write_text(table("f/THz;T [%];theta [rad]", [NU, 100 * POWER, THETA], ";", ","))
    text = describe_file(path)
    for words in (
        "61 rows",
        "separator semicolon, decimal comma",
        "'T [%]' -> T in %",
        "0.2 ... 1.4",
        "temperature [K]: 2.0",
    ):
        assert words in text


def test_published_conductivity(tmp_path):
    path = tmp_path / "sigma.csv"
    columns = [thz_to_cm(NU), 100 * SIGMA.real, 100 * SIGMA.imag, 100 * 20 + 0 * NU, 100 * 30 + 0 * NU]
    head = "wavenumber (cm-1);sigma1 (S/m);sigma2 (S/m);sigma1_error (S/m);sigma2_error (S/m)"
    path.write_text(table(head, columns, ";"))
    data = read_conductivity(path)
    np.testing.assert_allclose(data.nu_thz, NU, rtol=1e-6)
    np.testing.assert_allclose(data.sigma, SIGMA, rtol=1e-6)
    np.testing.assert_allclose(data.sigma1_error, 20.0)
    np.testing.assert_allclose(data.sigma2_error, 30.0)
    path.write_text(
        table("f [THz]\tσ₁ (Ω⁻¹cm⁻¹)\tσ₂ (Ω⁻¹cm⁻¹)", [NU, SIGMA.real, SIGMA.imag]), encoding="utf-8"
    )
    np.testing.assert_allclose(read_conductivity(path).sigma, SIGMA, rtol=1e-6)


def matlab(path, **variables):
    if path.suffix == ".mat" and "v73" in path.name:
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, value in variables.items():
                file[name] = np.atleast_2d(value)
    else:
        savemat(path, variables)


@pytest.mark.parametrize("name", ["scan.mat", "scan_v73.mat"])
def test_matlab_files(tmp_path, name):
    matlab(tmp_path / name, nu_THz=NU, T_percent=100 * POWER, theta_deg=np.degrees(THETA), temperature_K=2.0)
    agrees(read_scan(tmp_path / name, t_error=0.001, theta_error=0.01))


@pytest.mark.parametrize("layout", ["teralyzer", "alpha"])
def test_index_of_a_bare_substrate(tmp_path, layout):
    """The csv of Teralyzer (freq in Hz, ref_ind, kappa, alpha ...), and a table of n and alpha."""
    index, kappa = 3.1 + 0.01 * NU**2, 6e-4 * NU
    alpha = 4e10 * np.pi * NU * kappa / C_SI
    path = tmp_path / "plate.csv"
    if layout == "teralyzer":
        head = "freq, ref_ind, kappa, alpha, delta_N"
        columns = [1e12 * NU, index, kappa, alpha, 0.01 + 0 * NU]
    else:
        head, columns = "f [THz],n,alpha [1/cm]", [NU, index, alpha]
    path.write_text(table(head, columns, ",", entries=[]))
    plate = read_substrate(path, 500.0)
    assert plate.thickness_um == 500.0
    assert plate.index == pytest.approx(3.1, abs=1e-5)
    assert plate.dispersion == pytest.approx(0.01, abs=1e-5)
    assert plate.loss == pytest.approx(6e-4, rel=1e-3)
    path.write_text(table("f,n", [NU, index], ",", entries=[]))
    with pytest.raises(DataError, match="use one of thz"):
        read_substrate(path, 500.0)
    path.write_text(table("f [THz],ref_ind,kappa", [NU, index, kappa], ",", entries=[]))
    with pytest.raises(DataError, match="use read_substrate"):
        read_scan(path, t_k=2.0)
    path.write_text(table("f [THz],T [%]", [NU, 100 * POWER], ","))
    with pytest.raises(DataError, match="without a phase does not determine sigma"):
        read_scan(path)


TIME = np.arange(0, 80, 0.05)


def pulse(delay=10.0):
    x = (TIME - delay) / 0.35
    return -x * np.exp(-(x**2) / 2)


def through(sample):
    """Pulse through a sample: the spectrum of the reference times t_rel."""
    nu = np.fft.rfftfreq(TIME.size, 0.05)
    t_rel = np.ones(nu.size, dtype=complex)
    inside = nu > 0
    t_rel[inside] = transmission(nu[inside], 2000 + 0j, sample)
    return np.fft.irfft(np.fft.rfft(pulse()) * np.conj(t_rel), TIME.size)


def trace_files(tmp_path, layout):
    rng = np.random.default_rng(4)
    sample, reference = (x + 2e-5 * rng.normal(size=TIME.size) for x in (through(SAMPLE), pulse()))
    if layout == "three columns":
        path = tmp_path / "traces.csv"
        path.write_text(table("Time (ps),Sample,Reference", [TIME, sample, reference], ","))
        return path, {}
    if layout == "two files":
        for name, values in (("sample.tim", sample), ("reference.tim", reference)):
            (tmp_path / name).write_text(table("", [TIME, values], entries=[]))
        return tmp_path / "sample.tim", {
            "reference": tmp_path / "reference.tim",
            "columns": ["time [ps]", "signal"],
        }
    path = tmp_path / "measurement.thz"
    with h5py.File(path, "w") as file:
        group = file.create_group("Measurement 1")
        group.attrs["dsDescription"] = "Sample, Reference"
        group["ds1"], group["ds2"] = np.array([TIME, sample]), np.array([TIME, reference])
    return path, {}


@pytest.mark.parametrize("layout", ["three columns", "two files", "dotTHz"])
def test_time_domain_traces(tmp_path, layout):
    """The transfer function of noisy traces against the transmission that made them, within its errors."""
    path, options = trace_files(tmp_path, layout)
    scan = read_scan(path, t_k=2.0, **options)
    expected = transmission(scan.nu_thz, 2000.0, SAMPLE)
    assert scan.nu_thz[0] < 0.1
    assert scan.nu_thz[-1] > 1.2
    keep = (scan.nu_thz > 0.1) & (scan.nu_thz < 1.2)
    ratio = (scan.t_rel / expected)[keep]
    assert np.abs(ratio - 1).max() < 0.05
    pulls = np.log(np.abs(ratio)) * (scan.t / scan.t_error)[keep]
    assert 0.3 < np.std(pulls) < 3
    assert any("usable band" in note for note in scan.notes)
    assert any("noise floor" in note for note in scan.notes)


def test_echo_is_cut_by_a_window(tmp_path):
    path, options = trace_files(tmp_path, "three columns")
    scan = read_scan(path, t_k=2.0, window_ps=8.0, **options)
    single = FilmOnSubstrate(film_nm=20.0, substrate=SAMPLE.substrate, coherence=0.0)
    keep = (scan.nu_thz > 0.3) & (scan.nu_thz < 1.0)
    expected = transmission(scan.nu_thz[keep], 2000.0, single)
    assert np.abs(scan.t_rel[keep] / expected - 1).max() < 0.05


def test_tunnelling_of_a_nanonis_spectrum(tmp_path):
    bias = np.linspace(-5, 5, 201)
    didv = 1e-12 * tunnelling_conductance(bias, 1.0, 0.05, 2.0)
    noisy = didv + 1e-14 * np.random.default_rng(2).normal(size=bias.size)
    head = "Bias calc (V)\tCurrent (A)\tLI Demod 1 X (A)"
    text = "Experiment\tbias spectroscopy\t\nTemperature (K)\t2.0\t\n\n[DATA]\n"
    path = tmp_path / "spectrum.dat"
    path.write_text(text + table(head, [1e-3 * bias, 1e-9 * bias, noisy], entries=[]))
    curve = read_tunnelling(path)
    np.testing.assert_allclose(curve.bias_mv, bias, rtol=1e-6)
    np.testing.assert_allclose(curve.didv, noisy, rtol=1e-6)
    assert curve.didv_error[0] == pytest.approx(1e-14, rel=0.3)
    assert curve.t_k == 2.0


def test_current_is_differentiated(tmp_path):
    bias = np.linspace(-2, 2, 401)
    path = tmp_path / "iv.txt"
    path.write_text(table("U [mV]\tI [nA]", [bias, bias**3], ";".replace(";", "\t")))
    curve = read_tunnelling(path)
    np.testing.assert_allclose(curve.didv[1:-1], 1e-9 * 3 * bias[1:-1] ** 2, atol=1e-12)
    assert any("differentiated" in note for note in curve.notes)


def test_scatter_error_of_known_noise():
    x = np.linspace(0, 3, 400)
    noise = np.random.default_rng(5).normal(size=400)
    assert scatter_error(np.sin(x) + 0.01 * noise) == pytest.approx(0.01, rel=0.25)
    with pytest.raises(ValueError, match="at least 12"):
        scatter_error(x[:5])


def test_bundled_films_are_read_as_they_were():
    for name in SYNTHETIC_FILMS:
        scan = read_scan(bundled_films() / f"{name}_cold.txt")
        assert scan.synthetic
        assert scan.notes == ()
        assert scan.nu_thz.size == 336


AT_4K = "# temperature [K]: 4\n"
WITH_PHASE = "f [THz],|t|,theta [rad]\n"
INDEX_TABLE = "freq [Hz],ref_ind,alpha [1/ell]\n" + "".join(f"{k}e11,3.1,1\n" for k in range(1, 9))


def read_plate(path):
    return read_substrate(path, 500.0)


@pytest.mark.parametrize(("read", "text", "words"), [
    (read_scan, "# temperature [K]: cold\n" + WITH_PHASE + "0.3,0.5,1\n", "'cold' is not a number"),
    (read_scan, AT_4K + "f [THz],|t|,t [dB],theta [rad]\n0.3,0.5,-6,1\n", "both give the transm"),
    (read_scan, AT_4K + "f [THz],wavelength [um],|t|,theta [rad]\n0.3,999,0.5,1\n", "exactly one"),
    (read_scan, AT_4K + WITH_PHASE + "".join(f"{k / 40 + 0.2},0.5,1\n" for k in range(40)),
     "the points do not scatter"),
    (read_scan, AT_4K + "time [ps],sample\n" + "".join(f"{k},1\n" for k in range(30)), "reference"),
    (read_conductivity, AT_4K + "f [THz],sigma1 [S/m]\n0.3,1\n0.4,2\n", "name one sigma2"),
    (read_conductivity, AT_4K + "f [THz],sigma1 [S/m],sigma2 [S/m]\n0.3,1,2\n0.4,1,2\n", "too few"),
    (read_tunnelling, AT_4K + "bias [mV],time [s]\n1,2\n2,3\n", "name one didv or current"),
    (read_tunnelling, AT_4K + "bias [mV],didv\n1,2\n2,3\n", "2 points are too few"),
    (read_tunnelling, AT_4K + "time [s],didv\n1,2\n2,3\n", "name one bias"),
    (read_plate, INDEX_TABLE, r"unit \[1/ell\] of alpha is not known"),
    (read_plate, INDEX_TABLE.replace("e11", "e14"), "need at least 4"),
    (read_plate, INDEX_TABLE.replace("ref_ind", "x"), "no column of the index"),
    (read_plate, INDEX_TABLE.replace("freq", "x"), "no column of the frequency"),
])  # fmt: skip
def test_what_a_file_lacks_is_said_in_one_line(tmp_path, read, text, words):
    path = tmp_path / "file.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as refused:
        read(path)
    assert "\n" not in str(refused.value)


def test_what_a_binary_file_lacks_is_said_in_one_line(tmp_path):
    def refused(words, read=read_scan, name="file.h5"):
        with pytest.raises(DataError, match=words) as found:
            read(tmp_path / name)
        assert "\n" not in str(found.value)

    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["nu_thz"] = np.ones(4)
    refused("no dataset t, .*write_scan")
    for groups, words in ((("a", "b"), "2 measurements"), (("a",), "no dataset of the sample")):
        with h5py.File(tmp_path / "file.h5", "w") as file:
            for name in groups:
                file.create_group(name)["x"] = np.ones((2, 3))
        refused(words)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_group("a")["sample"] = np.ones((3, 3))
    refused("expected time and signal in two columns")
    savemat(tmp_path / "file.mat", {"words": "text"})
    refused("no numeric vectors", name="file.mat")
    savemat(tmp_path / "file.mat", {"nu_THz": np.ones(4)})
    refused("only one vector of length 4", name="file.mat")
