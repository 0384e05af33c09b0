"""Inversion of film_on_substrate.transmission: the conductivity of a film from its complex transmission.

In a thin film 1/t is nearly linear in sigma, and one root exists near the sheet limit. In a film thicker than
its skin depth t behaves like exp(i n k d), and other roots appear: their phase n k d differs by multiples of
2 pi, or they have negative sigma1. The root of the lowest frequency is the passive one (sigma1 >= 0) of least
|n k d|, because the film is thinnest there in units of the wavelength. Each higher frequency takes the
passive root closest to the previous frequency.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sitqmc.analytic.numerics.checks import checked_frequencies
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, thin_film_sigma, transmission
from sitqmc.analytic.units import C_SI, EPS0_SI, Array, Complex

THIN = 1.2
"""Largest |n k d| up to which the root near the sheet limit is the only one."""

GAIN = 0.05
"""Largest -sigma1/|sigma| that counts as zero sigma1 with noise, in a thick film."""

OPAQUE = 4.0
"""Largest attenuation Im n k d at the lowest frequency: beyond, several roots are equally plausible."""

AGREES = 1e-9
"""Relative difference to the measured transmission below which a root is accepted."""


def invert(nu_thz: ArrayLike, t_rel: ArrayLike, sample: FilmOnSubstrate, path_um: float = 0.0) -> Complex:
    """Return sigma1 + i sigma2 in ohm^-1 cm^-1 from the measured complex t_rel = |t| exp(i theta).

    nu_thz, t_rel  shape (n_freq,), in any order; steps of 2 pi in theta do not matter
    accuracy       rounding, times the sensitivity of sigma to t_rel
    raises         ValueError if no passive conductivity reproduces t_rel at some frequency
    """
    nu = checked_frequencies(nu_thz)
    measured = np.asarray(t_rel, dtype=complex)
    if not np.all(np.abs(measured) > 0) or not np.all(np.isfinite(measured)):
        raise ValueError(
            "t_rel: a transmission that is zero or not finite cannot be inverted; remove the point"
        )
    thin = _secant_root(nu, measured, sample, path_um)
    found = np.isfinite(thin)
    if found.all() and np.all(np.abs(_film_phase(nu, thin, sample)) < THIN):
        return thin
    return _follow_branch(nu, measured, sample, path_um, thin)


def _film_phase(nu: Array, sigma: Complex, sample: FilmOnSubstrate) -> Complex:
    """Return n k d of the film, the root with Im n >= 0."""
    k = 2e12 * np.pi * nu / C_SI
    n = np.sqrt(sample.eps_film + 1j * sigma * 100.0 / (EPS0_SI * k * C_SI))
    return np.asarray(np.where(n.imag < 0, -n, n) * k * sample.film_nm * 1e-9, dtype=complex)


def _sigma_of_phase(nu: Array, phase: Complex, sample: FilmOnSubstrate) -> Complex:
    """Return the conductivity of a film with phase n k d."""
    k = 2e12 * np.pi * nu / C_SI
    squared = (phase / (k * sample.film_nm * 1e-9)) ** 2
    return np.asarray((squared - sample.eps_film) * EPS0_SI * k * C_SI / 100.0 / 1j)


def _secant_root(nu: Array, measured: Complex, sample: FilmOnSubstrate, path_um: float) -> Complex:
    """Return the root of 1/t - 1/measured near the sheet limit (secant rule); NaN without convergence."""
    with np.errstate(all="ignore"):
        old = thin_film_sigma(nu, measured, sample, path_um)
        new = old * (1.0 + 1e-4)
        miss_old = 1.0 / transmission(nu, old, sample, path_um) - 1.0 / measured
        done = np.zeros(nu.size, dtype=bool)
        for _ in range(40):
            miss = 1.0 / transmission(nu, new, sample, path_um) - 1.0 / measured
            change = miss - miss_old
            step = np.where(change == 0, 0.0, miss * (new - old) / change)
            old, miss_old, new = new, miss, new - step
            done = np.abs(step) <= 1e-12 * np.abs(new)
            if done.all():
                break
    return np.where(done & np.isfinite(new), new, np.nan + 0j)


def _log_newton(
    nu: Array, measured: Complex, sample: FilmOnSubstrate, path_um: float, start: Complex
) -> Complex:
    """Return the root of ln t - ln measured next to a start value of n k d; NaN without convergence.

    The logarithm is nearly linear in n k d for a thick film, however small its transmission.
    """

    def miss(phase: Complex) -> Complex:
        ratio = transmission(nu, _sigma_of_phase(nu, phase, sample), sample, path_um) / measured
        return np.asarray(np.log(ratio))

    phase = start
    with np.errstate(all="ignore"):
        for _ in range(60):
            now, h = miss(phase), 1e-6 * phase
            slope = (miss(phase + h) - miss(phase - h)) / (2 * h)
            step = now / slope
            size = np.abs(step) / np.maximum(0.5 * np.abs(phase), 1e-300)
            phase = phase - step / np.maximum(size, 1.0)
            if np.all(np.abs(step) < 1e-13 * np.abs(phase)):
                break
        good = np.abs(np.expm1(miss(phase))) < AGREES
    return np.where(good, _sigma_of_phase(nu, phase, sample), np.nan + 0j)


def _thick_starts(nu: Array, measured: Complex, sample: FilmOnSubstrate, path_um: float) -> list[Complex]:
    """Return start values of n k d on the first branches of exp(i n k d): passive, forward travelling."""
    n = sample.substrate.n(nu)
    k = 2e12 * np.pi * nu / C_SI
    outside = (n - 1.0) * k * sample.substrate.thickness_um * 1e-6 + k * path_um * 1e-6
    outside = outside - k * sample.film_nm * 1e-9
    size = k * sample.film_nm * 1e-9
    starts = []
    for turn in range(3):
        phase = np.full(nu.size, 1.0 + 1.0j)
        for _ in range(6):
            n_film = phase / size
            fresnel = 8.0 * n_film * n / ((1.0 + n_film) * (n_film + n) * (n + 1.0))
            through = -1j * np.log(measured / (fresnel * np.exp(1j * outside)))
            phase = np.mod(through.real, 2 * np.pi) + 2 * np.pi * turn + 1j * np.maximum(through.imag, 0.05)
        starts.append(phase)
    return [np.full(nu.size, 0.3 + 0.3j), *starts]


def _follow_branch(
    nu: Array, measured: Complex, sample: FilmOnSubstrate, path_um: float, thin: Complex
) -> Complex:
    """Return the passive root that is continuous in frequency.

    raises  ValueError at the first frequency without a passive root
    """
    with np.errstate(all="ignore"):
        starts = _thick_starts(nu, measured, sample, path_um)
    roots = [thin, *(_log_newton(nu, measured, sample, path_um, start) for start in starts)]
    table = np.array(roots)
    out = np.full(nu.size, np.nan + 0j)
    order = np.argsort(nu)
    for rank, i in enumerate(order):
        here = nu[i : i + 1]
        expected = _expected(nu, out, order[:rank], nu[i])
        choice = table[:, i]
        if rank:
            start = _film_phase(here, np.array([expected]), sample)
            choice = np.append(choice, _log_newton(here, measured[i : i + 1], sample, path_um, start))
        choice = _passive(here, choice[np.isfinite(choice)], sample)
        if choice.size == 0:
            raise ValueError(
                f"no conductivity reproduces t_rel with sigma1 >= 0 at {nu[i]:g} THz (film thicker than its "
                f"skin depth): check the substrate, film_nm = {sample.film_nm:g} and path_um = {path_um:g}"
            )
        phases = _film_phase(here, choice, sample)
        best = int(np.argmin(np.abs(choice - expected) if rank else np.abs(phases)))
        if rank == 0 and phases[best].imag > OPAQUE:
            raise ValueError(
                f"no conductivity reproduces t_rel at {nu[i]:g} THz alone: a film of film_nm = "
                f"{sample.film_nm:g} would be {phases[best].imag:.1f} skin depths thick there, so its phase "
                f"n k d is known only modulo 2 pi; use a thinner film, lower frequencies or a model fit"
            )
        out[i] = choice[best]
    return out


def _expected(nu: Array, sigma: Complex, before: NDArray[np.intp], at_thz: float) -> complex:
    """Return sigma extrapolated along a line in ln nu from the last two frequencies."""
    if before.size < 2:
        return complex(sigma[before[-1]]) if before.size else 0j
    one, two = before[-2:]
    if nu[two] == nu[one]:
        return complex(sigma[two])
    rate = np.log(at_thz / nu[two]) / np.log(nu[two] / nu[one])
    return complex(sigma[two] + min(rate, 2.0) * (sigma[two] - sigma[one]))


def _passive(nu: Array, sigma: Complex, sample: FilmOnSubstrate) -> Complex:
    """Return the roots without gain; in a thin film noise may make sigma1 negative."""
    thick = np.abs(_film_phase(nu, sigma, sample)) > THIN
    return sigma[~(thick & (sigma.real < -GAIN * np.abs(sigma)))]
