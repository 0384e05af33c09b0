"""Transmission of a conducting film on a plane-parallel substrate in air, relative to the empty path.

    t = t_air,film,substrate exp(i delta) t_substrate,air / (1 - c r_back r_film exp(2 i delta)),
    t_rel = t exp(-i (omega/c)(D - path)),    theta = unwrapped arg t_rel,

D is the total thickness and `path` the extra optical path of the sample scan. c = 1 holds for coherent
multiple reflections in the substrate, c = 0 for a time-gated single pass. A film much thinner than its skin
depth is a sheet of conductance G. Then 1/t is linear in G, and G follows from t in closed form (Tinkham).
"""

import cmath
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_frequencies, checked_scalar
from sitqmc.analytic.units import C_SI, EPS0_SI, Z0_OHM, Array, Complex
from sitqmc.jit import kernel

OPAQUE = 1e-290
"""A smaller transmission has lost digits to underflow."""


@dataclass(frozen=True, kw_only=True)
class Substrate:
    """Transparent plate of refractive index n(nu) = index + dispersion nu^2 + i loss nu, nu in THz.

    thickness_um  in micrometres
    index         real refractive index at nu = 0, >= 1
    dispersion    per THz^2
    loss          extinction coefficient per THz, >= 0
    """

    thickness_um: float
    index: float
    dispersion: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        checked_scalar("thickness_um", self.thickness_um, above=0.0)
        checked_scalar("index", self.index, at_least=1.0)
        checked_scalar("dispersion", self.dispersion)
        checked_scalar("loss", self.loss, at_least=0.0)

    def n(self, nu_thz: Array) -> Complex:
        """Return the complex refractive index, shape of nu_thz."""
        return np.asarray(self.index + self.dispersion * nu_thz**2 + 1j * self.loss * nu_thz, dtype=complex)

    def resonances_thz(self, low_thz: float, high_thz: float) -> Array:
        """Return the frequencies nu = k c/(2 n d) in the window, where the bare plate transmits best."""
        spacing = C_SI * 1e-6 / (2.0 * self.thickness_um * self.index)
        bare = spacing * np.arange(1, int(2 * high_thz / spacing) + 2, dtype=np.float64)
        guess = bare
        for _ in range(20):  # n depends on nu: a fixed point
            guess = np.asarray(bare * self.index / self.n(guess).real, dtype=np.float64)
        return guess[(guess >= low_thz) & (guess <= high_thz)]


@dataclass(frozen=True, kw_only=True)
class FilmOnSubstrate:
    """Film on a substrate.

    film_nm    thickness of the film in nanometres
    substrate  the plate below it
    eps_film   dielectric constant of the film without its conductivity
    coherence  of the round trip in the substrate: 1 coherent, 0 single pass, in between damped
    """

    film_nm: float
    substrate: Substrate
    eps_film: float = 1.0
    coherence: float = 1.0

    def __post_init__(self) -> None:
        checked_scalar("film_nm", self.film_nm, above=0.0)
        checked_scalar("eps_film", self.eps_film, at_least=0.0)
        if not 0 <= self.coherence <= 1:
            raise ValueError(f"coherence = {self.coherence}: must be in [0, 1]")


@kernel
def transmission_kernel(
    nu: Array, sigma: Complex, n_sub: Complex, film_m: float, plate_m: float, path_m: float, eps_film: float,
    coherence: float, out: Complex,
) -> None:  # fmt: skip
    """Set out[i] to t_rel; nu in THz, sigma in ohm^-1 cm^-1, lengths in m."""
    for i in range(nu.size):
        k = 2e12 * np.pi * nu[i] / C_SI
        n_film = cmath.sqrt(eps_film + 1j * sigma[i] * 100.0 / (EPS0_SI * k * C_SI))
        n = n_sub[i]
        # Every factor is multiplied through: one division, no small differences of reflections.
        once = cmath.exp(1j * (n_film - 1.0) * k * film_m)
        film2 = (once * cmath.exp(1j * k * film_m)) ** 2
        plate = cmath.exp(1j * (n - 1.0) * k * plate_m)
        plate2 = (plate * cmath.exp(1j * k * plate_m)) ** 2 * coherence
        front = (1.0 + n_film) * (n_film + n) + (1.0 - n_film) * (n_film - n) * film2
        back = (1.0 + n_film) * (n_film - n) + (1.0 - n_film) * (n_film + n) * film2
        bottom = front * (n + 1.0) + back * (n - 1.0) * plate2
        out[i] = 8.0 * n_film * n * once * plate * cmath.exp(1j * k * path_m) / bottom


def transmission(
    nu_thz: ArrayLike, sigma: ArrayLike, sample: FilmOnSubstrate, path_um: float = 0.0
) -> Complex:
    """Return the complex transmission t_rel relative to an empty path of the same length.

    nu_thz   frequencies, shape (n_freq,)
    sigma    complex conductivity in ohm^-1 cm^-1, same shape or one number
    path_um  extra optical path of the sample scan
    raises   ValueError for frequencies that are not positive
    """
    nu = np.ascontiguousarray(checked_frequencies(nu_thz))
    values = np.array(np.broadcast_to(sigma, nu.shape), dtype=complex)  # writable: one compiled kernel
    out = np.empty(nu.size, dtype=complex)
    plate = sample.substrate
    transmission_kernel(
        nu, values, plate.n(nu), sample.film_nm * 1e-9, plate.thickness_um * 1e-6, path_um * 1e-6,
        sample.eps_film, sample.coherence, out,
    )  # fmt: skip
    return out


def incoherent_power(nu_thz: ArrayLike, sigma: ArrayLike, sample: FilmOnSubstrate) -> Array:
    """Return |t|^2 averaged over the round-trip phase in the substrate (thick or wedged plate), (n_freq,).

    The average of 1/|1 - rho exp(i phi)|^2 over phi is 1/(1 - |rho|^2).
    """
    nu = checked_frequencies(nu_thz)
    first = transmission(nu, sigma, replace(sample, coherence=0.0))
    coherent = transmission(nu, sigma, replace(sample, coherence=1.0))
    # In an opaque plate no light makes a second round trip, and both transmissions may underflow.
    seen = np.abs(coherent) > OPAQUE
    round_trip = 1.0 - np.divide(first, coherent, out=np.ones_like(first), where=seen)
    return np.asarray(np.abs(first) ** 2 / (1.0 - np.abs(round_trip) ** 2))


def unwrapped_phase(t_rel: Complex) -> Array:
    """Return theta in radians; neighbouring points must differ by less than pi."""
    return np.unwrap(np.angle(t_rel))


def _sheet_terms(nu: Array, sample: FilmOnSubstrate, path_um: float) -> tuple[Complex, Complex, Complex]:
    """Return numerator, a and b of t_rel = numerator/(a + b Z0 G) for a sheet on the substrate."""
    n, k = sample.substrate.n(nu), 2e12 * np.pi * nu / C_SI
    plate_m = sample.substrate.thickness_um * 1e-6
    plate2 = np.exp(2j * n * k * plate_m) * sample.coherence
    # The real film replaces its own thickness of the empty path; a sheet has none.
    numerator = 4.0 * n * np.exp(1j * k * ((n - 1.0) * plate_m + path_um * 1e-6 - sample.film_nm * 1e-9))
    return numerator, (n + 1.0) ** 2 - (n - 1.0) ** 2 * plate2, (n + 1.0) + (n - 1.0) * plate2


def thin_film_transmission(
    nu_thz: ArrayLike, sigma: ArrayLike, sample: FilmOnSubstrate, path_um: float = 0.0
) -> Complex:
    """Return t_rel of a film much thinner than wavelength and skin depth: a sheet of conductance sigma d."""
    nu = checked_frequencies(nu_thz)
    numerator, a, b = _sheet_terms(nu, sample, path_um)
    return numerator / (a + b * Z0_OHM * np.asarray(sigma) * sample.film_nm * 1e-7)


def thin_film_sigma(
    nu_thz: ArrayLike, t_rel: ArrayLike, sample: FilmOnSubstrate, path_um: float = 0.0
) -> Complex:
    """Return sigma in ohm^-1 cm^-1: the exact inverse of thin_film_transmission."""
    nu = checked_frequencies(nu_thz)
    numerator, a, b = _sheet_terms(nu, sample, path_um)
    return (numerator / np.asarray(t_rel, dtype=complex) - a) / (b * Z0_OHM * sample.film_nm * 1e-7)
