"""Layer optics against the independent tmm package, limits, conservation and round trips."""

import numpy as np
import pytest

from sitqmc.analytic.optics import film_on_substrate as sample
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate
from sitqmc.analytic.optics.inversion import invert
from sitqmc.analytic.optics.multilayer import stack
from sitqmc.analytic.superconductor import mattis_bardeen as dirty_limit
from sitqmc.analytic.units import C_SI, EPS0_SI, Z0_OHM

MGO = Substrate(thickness_um=700.0, index=3.1, dispersion=0.02, loss=2e-3)
FILM = FilmOnSubstrate(film_nm=25.0, substrate=MGO)
NU = np.linspace(0.1, 2.4, 231)
SIGMA = 4000.0 * dirty_limit.mattis_bardeen(NU, 1.2, 3.0)


def film_index(sigma, nu):
    return np.sqrt(1.0 + 1j * sigma * 100 / (EPS0_SI * 2e12 * np.pi * nu))


@pytest.mark.parametrize("polarization", ["s", "p"])
@pytest.mark.parametrize("angle", [0.0, 25.0, 70.0])
def test_stack_against_tmm(polarization, angle):
    tmm = pytest.importorskip("tmm")
    nu = np.array([0.11, 0.5, 0.87, 1.9])
    n_film, n_sub = film_index(4000 + 9000j, nu), MGO.n(nu)
    t, r = stack(nu, [1.0, n_film, n_sub, 2.2, 1.5], [0.025, 700.0, 40.0], angle, polarization)
    for i, v in enumerate(nu):
        other = tmm.coh_tmm(
            polarization,
            [1.0, n_film[i], n_sub[i], 2.2, 1.5],
            [np.inf, 0.025, 700.0, 40.0, np.inf],
            np.deg2rad(angle),
            C_SI * 1e-6 / v,
        )
        assert t[i] == pytest.approx(other["t"], rel=1e-11)
        assert r[i] == pytest.approx(other["r"], rel=1e-11)


def test_film_on_slab_is_the_general_stack():
    t, _ = stack(NU, [1.0, film_index(SIGMA, NU), MGO.n(NU), 1.0], [0.025, 700.0])
    reference = t * np.exp(2e12j * np.pi * NU / C_SI * (3e-6 - 700.025e-6))
    np.testing.assert_allclose(sample.transmission(NU, SIGMA, FILM, path_um=3.0), reference, rtol=1e-11)


def test_light_is_conserved():
    nu = np.linspace(0.2, 2.0, 50)
    for polarization in ("s", "p"):
        t, r = stack(nu, [1.0, 3.1, 1.6, 1.0], [300.0, 90.0], 35.0, polarization)
        np.testing.assert_allclose(np.abs(t) ** 2 + np.abs(r) ** 2, 1.0, rtol=1e-12)


def test_brewster_angle_and_total_reflection():
    _, r = stack([0.5], [1.0, 2.0], [], np.rad2deg(np.arctan(2.0)), "p")
    assert abs(r[0]) < 1e-14
    _, r = stack([0.5], [2.0, 1.0], [], 45.0, "s")
    assert abs(r[0]) == pytest.approx(1.0, rel=1e-13)


def test_thick_metal_is_opaque_without_overflow():
    t, r = stack([1.0], [1.0, film_index(5e5, 1.0), 1.0], [1e4])
    assert abs(t[0]) < 1e-300
    assert 0.99 < abs(r[0]) < 1


def test_bare_plate_peaks_at_its_resonances():
    plate = Substrate(thickness_um=500.0, index=3.1, dispersion=0.03)
    peaks = plate.resonances_thz(0.1, 2.0)
    assert peaks.size == 20
    t, _ = stack(peaks, [1.0, plate.n(peaks), 1.0], [500.0])
    np.testing.assert_allclose(np.abs(t), 1.0, rtol=1e-10)


def test_thin_film_limit_is_second_order():
    errors = []
    for film_nm in (20.0, 10.0):
        thin = FilmOnSubstrate(film_nm=film_nm, substrate=MGO)
        sigma = SIGMA * 20.0 / film_nm  # the same sheet conductance
        ratio = sample.thin_film_transmission(NU, sigma, thin) / sample.transmission(NU, sigma, thin)
        errors.append(np.abs(ratio - 1).max())
    assert errors[0] < 0.02
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)  # order d at fixed sheet conductance


def test_thin_film_inverse():
    t = sample.thin_film_transmission(NU, SIGMA, FILM, path_um=4.0)
    np.testing.assert_allclose(sample.thin_film_sigma(NU, t, FILM, path_um=4.0), SIGMA, rtol=1e-11)


@pytest.mark.parametrize("film_nm", [15.0, 40.0, 150.0])
def test_exact_inverse(film_nm):
    thick = FilmOnSubstrate(film_nm=film_nm, substrate=MGO, eps_film=20.0)
    t = sample.transmission(NU, SIGMA, thick, path_um=-2.0)
    np.testing.assert_allclose(invert(NU, t, thick, path_um=-2.0), SIGMA, rtol=1e-9)


def test_inverse_does_not_feel_two_pi_jumps():
    t = sample.transmission(NU, SIGMA, FILM)
    theta = sample.unwrapped_phase(t) + 2 * np.pi * (NU > 0.7)
    np.testing.assert_allclose(invert(NU, np.abs(t) * np.exp(1j * theta), FILM), SIGMA, rtol=1e-9)


def test_inverse_that_cannot_exist():
    with pytest.raises(ValueError, match="no conductivity reproduces"):
        invert(NU, np.full(NU.size, 1e-30), FilmOnSubstrate(film_nm=3e4, substrate=MGO))


def test_path_offset_biases_sigma2_by_half_the_normal_value():
    """4 micrometres are 0.092 rad at 1.1 THz: a bias of 0.092 (1 + n + Z0 G)/(Z0 G) in units of sigma_n."""
    nu = np.array([1.1])
    film = FilmOnSubstrate(film_nm=20.0, substrate=Substrate(thickness_um=500.0, index=3.1), coherence=0.0)
    t = sample.transmission(nu, 1250.0 + 0j, film)
    wrong = invert(nu, t, film, path_um=4.0)
    y = Z0_OHM * 1250.0 * 20e-7
    assert wrong.imag[0] / 1250.0 == pytest.approx(0.0922 * (4.1 + y) / y, rel=0.02)
    assert wrong.imag[0] / 1250.0 == pytest.approx(0.5, abs=0.02)


def test_incoherent_power_is_the_average_over_plates():
    nu = np.array([0.6, 1.3])
    lengths = np.linspace(0, 0.5 * C_SI * 1e-6 / 0.1 / 3.1, 4001)[:-1] + 3000.0  # whole periods of both
    power = np.zeros(2)
    for extra in lengths:
        plate = Substrate(thickness_um=float(extra), index=3.1)
        power += (
            np.abs(sample.transmission(nu, 3000 + 3000j, FilmOnSubstrate(film_nm=20.0, substrate=plate))) ** 2
        )
    plate = Substrate(thickness_um=3000.0, index=3.1)
    mean = sample.incoherent_power(nu, 3000 + 3000j, FilmOnSubstrate(film_nm=20.0, substrate=plate))
    np.testing.assert_allclose(mean, power / lengths.size, rtol=1e-9)


def test_single_pass_sheet():
    """Without echoes: (2/(1 + n + Z0 G)) (2 n/(n + 1)), the textbook sheet."""
    one = FilmOnSubstrate(film_nm=20.0, substrate=Substrate(thickness_um=500.0, index=3.1), coherence=0.0)
    t = sample.thin_film_transmission([0.5], 2000.0, one)
    assert abs(t[0]) == pytest.approx(2 / (4.1 + Z0_OHM * 2000 * 20e-7) * 6.2 / 4.1, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stack([0.5], [1.0, 2.0, 1.0], []), "3 indices need 1 thicknesses, got 0"),
        (lambda: stack([0.5], [1.0, 2.0 - 0.1j, 1.0], [1.0]), "gain"),
        (lambda: stack([0.5], [1.0, 1.0], [], 90.0), "angle_deg = 90"),
        (lambda: stack([0.5], [1.0, 1.0], [], 0.0, "x"), "polarization"),
        (lambda: Substrate(thickness_um=0.0, index=3.0), "thickness_um = 0.0"),
        (lambda: Substrate(thickness_um=1.0, index=0.3), "index = 0.3"),
        (lambda: FilmOnSubstrate(film_nm=20.0, substrate=MGO, coherence=1.5), "coherence = 1.5"),
        (lambda: sample.transmission([0.0], 1.0, FILM), "nu_thz = 0.0"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


SILICON = Substrate(thickness_um=500.0, index=3.4)


@pytest.mark.parametrize(
    ("film_nm", "sigma_dc", "tau_ps"), [(5000, 150, 0.05), (4000, 170, 0.1), (1000, 1e4, 0.02)]
)
def test_inverse_of_a_film_thicker_than_its_skin_depth(film_nm, sigma_dc, tau_ps):
    """The root continues from the lowest frequency with sigma1 >= 0, in any order of the frequencies."""
    nu = np.linspace(0.5, 2.5, 9)
    sigma = sigma_dc / (1 - 2j * np.pi * nu * tau_ps)
    film = FilmOnSubstrate(film_nm=film_nm, substrate=SILICON)
    t = sample.transmission(nu, sigma, film)
    np.testing.assert_allclose(invert(nu, t, film), sigma, rtol=1e-9)
    np.testing.assert_allclose(invert(nu[::-1], t[::-1], film), sigma[::-1], rtol=1e-9)


def test_inverse_is_right_or_refused_for_random_films():
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        film = FilmOnSubstrate(film_nm=10 ** rng.uniform(0.7, 4), substrate=SILICON)
        sigma = np.array([10 ** rng.uniform(1, 6) * np.exp(1j * rng.uniform(-0.3, np.pi / 2))])
        nu = 10 ** rng.uniform(-1, np.log10(3), 1)
        t = sample.transmission(nu, sigma, film)
        try:
            found = invert(nu, t, film)[0]
        except ValueError:
            refused += 1
            assert abs(t[0]) < 0.01  # attenuation by four skin depths or more
        else:
            assert found == pytest.approx(sigma[0], rel=1e-6)
    assert refused < 75


def test_opaque_plate_transmits_no_incoherent_power():
    plate = Substrate(thickness_um=5000.0, index=3.4, loss=10.0)
    power = sample.incoherent_power([0.5, 2.0], 1000.0, FilmOnSubstrate(film_nm=20.0, substrate=plate))
    assert np.all(power >= 0)
    assert np.all(power < 1e-100)


def test_stack_accepts_imaginary_parts_of_rounding():
    t, r = stack([0.5], [1.0 + 1e-15j, 3.1 - 1e-18j, 1.0], [300.0])
    exact, _ = stack([0.5], [1.0, 3.1, 1.0], [300.0])
    assert t[0] == pytest.approx(exact[0], rel=1e-12)
    assert abs(t[0]) ** 2 + abs(r[0]) ** 2 == pytest.approx(1.0, rel=1e-12)
