"""A conducting film on a plane-parallel substrate in air: transmission, phase against empty path, inversion.

    t = t_air,film,substrate exp(i delta) t_substrate,air / (1 - c r_back r_film exp(2 i delta)),
    t_rel = t exp(-i (omega/c)(D - path)),    theta = unwrapped arg t_rel,

D the total thickness, `path` the extra optical path of the sample scan against the empty scan, c = 1 for
coherent multiple reflections in the substrate, c = 0 for a time-gated single pass. A film much thinner than
its skin depth is a sheet of conductance G; then 1/t is linear in G and the inversion is closed (Tinkham).
"""

import cmath
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.analytic.numerics.checks import checked_frequencies, checked_scalar
from sitqmc.analytic.numerics.quadrature import jit
from sitqmc.analytic.units import C_SI, EPS0_SI, Z0_OHM, Array, Complex


@dataclass(frozen=True, kw_only=True)
class Substrate:
    """Transparent plate: n(nu) = index + dispersion nu^2 + i loss nu, nu in THz."""

    thickness_um: float
    index: float
    dispersion: float = 0.0  # per THz^2
    loss: float = 0.0  # extinction coefficient per THz, >= 0

    def __post_init__(self) -> None:
        checked_scalar("thickness_um", self.thickness_um, above=0.0)
        checked_scalar("index", self.index, at_least=1.0)
        checked_scalar("dispersion", self.dispersion)
        checked_scalar("loss", self.loss, at_least=0.0)

    def n(self, nu_thz: Array) -> Complex:
        """Complex refractive index, shape of nu_thz."""
        return np.asarray(self.index + self.dispersion * nu_thz**2 + 1j * self.loss * nu_thz, dtype=complex)

    def resonances_thz(self, low_thz: float, high_thz: float) -> Array:
        """Frequencies nu = k c/(2 n d) inside the band, where the bare plate transmits best."""
        spacing = C_SI * 1e-6 / (2.0 * self.thickness_um * self.index)
        bare = spacing * np.arange(1, int(2 * high_thz / spacing) + 2, dtype=np.float64)
        guess = bare
        for _ in range(20):  # n depends on nu: a fixed point
            guess = np.asarray(bare * self.index / self.n(guess).real, dtype=np.float64)
        return guess[(guess >= low_thz) & (guess <= high_thz)]


@dataclass(frozen=True, kw_only=True)
class FilmOnSubstrate:
    """Film on substrate. eps_film is the dielectric constant of the film besides its conductivity."""

    film_nm: float
    substrate: Substrate
    eps_film: float = 1.0
    coherence: float = 1.0  # 1 coherent, 0 single pass; between: the round trip is damped

    def __post_init__(self) -> None:
        checked_scalar("film_nm", self.film_nm, above=0.0)
        checked_scalar("eps_film", self.eps_film, at_least=0.0)
        if not 0 <= self.coherence <= 1:
            raise ValueError(f"coherence = {self.coherence}: must be in [0, 1]")


@jit
def transmission_kernel(
    nu: Array,
    sigma: Complex,
    n_sub: Complex,
    film_m: float,
    plate_m: float,
    path_m: float,
    eps_film: float,
    coherence: float,
    out: Complex,
) -> None:
    """out[i] = t_rel; nu in THz, sigma in ohm^-1 cm^-1, lengths in m."""
    for i in range(nu.size):
        k = 2e12 * np.pi * nu[i] / C_SI
        n_film = cmath.sqrt(eps_film + 1j * sigma[i] * 100.0 / (EPS0_SI * k * C_SI))
        n = n_sub[i]
        # Every factor is multiplied through: one division, no small reflection differences.
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
    """Complex transmission relative to the empty path of the same length, t_rel (see the module's head).

    nu_thz   frequencies, shape (n_freq,);  sigma  complex, ohm^-1 cm^-1, same shape or one number
    path_um  path offset of the sample scan
    raises   ValueError for frequencies that are not positive
    """
    nu = checked_frequencies(nu_thz)
    values = np.ascontiguousarray(np.broadcast_to(np.asarray(sigma, dtype=complex), nu.shape))
    out = np.empty(nu.size, dtype=complex)
    plate = sample.substrate
    transmission_kernel(
        nu,
        values,
        plate.n(nu),
        sample.film_nm * 1e-9,
        plate.thickness_um * 1e-6,
        path_um * 1e-6,
        sample.eps_film,
        sample.coherence,
        out,
    )
    return out


def incoherent_power(nu_thz: ArrayLike, sigma: ArrayLike, sample: FilmOnSubstrate) -> Array:
    """Power transmission |t|^2 averaged over the round-trip phase in the substrate (thick or wedged plate).

    The average of 1/|1 - rho exp(i phi)|^2 over phi is 1/(1 - |rho|^2); shape (n_freq,).
    """
    nu = checked_frequencies(nu_thz)
    first = transmission(nu, sigma, replace(sample, coherence=0.0))
    round_trip = 1.0 - first / transmission(nu, sigma, replace(sample, coherence=1.0))
    return np.asarray(np.abs(first) ** 2 / (1.0 - np.abs(round_trip) ** 2))


def unwrapped_phase(t_rel: Complex) -> Array:
    """theta in radians, unwrapped along frequency (neighbouring points must differ by less than pi)."""
    return np.unwrap(np.angle(t_rel))


def _sheet_terms(nu: Array, sample: FilmOnSubstrate, path_um: float) -> tuple[Complex, Complex, Complex]:
    """Numerator, a and b of t_rel = numerator/(a + b Z0 G) for a sheet on the substrate."""
    n, k = sample.substrate.n(nu), 2e12 * np.pi * nu / C_SI
    plate_m = sample.substrate.thickness_um * 1e-6
    plate2 = np.exp(2j * n * k * plate_m) * sample.coherence
    # The real film replaces its own thickness of the empty path; a sheet has none.
    numerator = 4.0 * n * np.exp(1j * k * ((n - 1.0) * plate_m + path_um * 1e-6 - sample.film_nm * 1e-9))
    return numerator, (n + 1.0) ** 2 - (n - 1.0) ** 2 * plate2, (n + 1.0) + (n - 1.0) * plate2


def thin_film_transmission(
    nu_thz: ArrayLike, sigma: ArrayLike, sample: FilmOnSubstrate, path_um: float = 0.0
) -> Complex:
    """t_rel of a film much thinner than wavelength and skin depth: a sheet of conductance sigma d."""
    nu = checked_frequencies(nu_thz)
    numerator, a, b = _sheet_terms(nu, sample, path_um)
    return numerator / (a + b * Z0_OHM * np.asarray(sigma) * sample.film_nm * 1e-7)


def thin_film_sigma(
    nu_thz: ArrayLike, t_rel: ArrayLike, sample: FilmOnSubstrate, path_um: float = 0.0
) -> Complex:
    """sigma in ohm^-1 cm^-1 from t_rel in the thin-film limit: exact inverse of thin_film_transmission."""
    nu = checked_frequencies(nu_thz)
    numerator, a, b = _sheet_terms(nu, sample, path_um)
    return (numerator / np.asarray(t_rel, dtype=complex) - a) / (b * Z0_OHM * sample.film_nm * 1e-7)


def invert(nu_thz: ArrayLike, t_rel: ArrayLike, sample: FilmOnSubstrate, path_um: float = 0.0) -> Complex:
    """sigma1 + i sigma2 in ohm^-1 cm^-1 from the measured complex t_rel = |t| exp(i theta); exact.

    Secant rule on 1/t, started from the thin-film inverse; 1/t is nearly linear in sigma: a few steps reach
    rounding. 2 pi jumps of theta do not matter.
    raises  ValueError if it does not converge (a film thicker than its skin depth, or t_rel = 0)
    """
    nu = checked_frequencies(nu_thz)
    measured = np.asarray(t_rel, dtype=complex)
    if not np.all(np.abs(measured) > 0):
        raise ValueError("t_rel: zero or NaN transmission cannot be inverted")
    with np.errstate(all="ignore"):  # a diverging point shows in `done`
        old = thin_film_sigma(nu, measured, sample, path_um)
        new = old * (1.0 + 1e-4) + 1e-6
        miss_old = 1.0 / transmission(nu, old, sample, path_um) - 1.0 / measured
        for _ in range(40):
            miss = 1.0 / transmission(nu, new, sample, path_um) - 1.0 / measured
            change = miss - miss_old
            step = np.where(change == 0, 0.0, miss * (new - old) / change)
            old, miss_old, new = new, miss, new - step
            done = np.abs(step) <= 1e-12 * np.abs(new) + 1e-12
            if done.all():
                return new
    raise ValueError(
        f"no conductivity reproduces t_rel at {nu[~done][0]:g} THz: check the substrate, "
        f"film_nm = {sample.film_nm:g} and path_um = {path_um:g}"
    )
