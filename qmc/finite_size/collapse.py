"""Collapse of many sizes on one scaling function: critical coupling and exponents.

With x = (g - g_c) L^(1/nu) and a = ln(L_tau/L^z), g any coupling (K, E_C/E_J or p):

    W_x^2 = F(x, a),    rho_s L^z = F(x, a),    kappa L^(2-z) = F(x, a),    each + L^(-omega) (b_0 + b_1 x)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgeqrf, dorgqr
from scipy.optimize import least_squares

from sitqmc.estimate import Estimate
from sitqmc.qmc.finite_size.dataset import BAD_FIT, ScalingData, chi2_p_value, whitening

Array = NDArray[np.float64]

FREE = ("coupling_c", "inverse_nu", "z")
"""Parameters that a fit may leave free. Data without a size dependence have 1/nu = 0, so 1/nu is fitted."""

BOUNDS = {"inverse_nu": (-2.0, 10.0), "z": (-1.0, 6.0)}
"""Range of a fit; that of coupling_c is three widths of the scan on both sides."""

NEAR_BOUND = 1e-3
"""Distance from a bound, over the range, at which a parameter counts as being at its bound."""

STRAY_DRAWS = 0.05
"""Fraction of bootstrap draws at a bound beyond which their spread is no error."""

RESOLVED = 3.0
"""1/nu must exceed zero by so many lower half widths of its 68 % interval for nu to be a number."""


@dataclass(frozen=True)
class Scaling:
    """Form of the scaling function.

    degree         of the polynomial in x
    power          (c0, c1) per observable: observable * L^(c0 + c1 z) scales. W^2: (0, 0), rho_s: (0, 1),
                   kappa: (2, -1)
    omega          exponent of the correction L^(-omega) (b_0 + b_1 x), None for no correction
    nu             correlation length exponent if known, None to fit it
    z              dynamical exponent if known, None to fit it (needs a power or an aspect ratio with z)
    aspect_degree  of the polynomial in a = ln(L_tau/L^z), 0 for no dependence; terms x^i a^j, j > 0, have
                   i + j <= degree
    logarithmic    fit ln(observable), for values that range over decades
    """

    degree: int = 3
    power: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    omega: float | None = None
    nu: float | None = None
    z: float | None = 1.0
    aspect_degree: int = 0
    logarithmic: bool = False

    def terms(self) -> Iterator[tuple[int, int, bool]]:
        """Yield (power of x, power of a, is a correction)."""
        for i in range(self.degree + 1):
            yield i, 0, False
        for j in range(1, self.aspect_degree + 1):
            for i in range(max(self.degree - j, 0) + 1):
                yield i, j, False
        if self.omega is not None:
            yield 0, 0, True
            yield 1, 0, True


@dataclass(frozen=True)
class Collapse:
    """Critical coupling, exponents and scaling functions from a collapse.

    coupling_c         critical coupling
    inverse_nu, nu     1/nu as fitted, and nu; None where nu was given
    z                  None where it was given
                       A parameter that the data do not fix is `Estimate.missing()`; a warning says why: it
                       is at a bound of the fit, or 1/nu is zero within its error
    coefficients       (q, terms) of the scaling functions, in the order of Scaling.terms, and their errors;
                       x in units of its largest value, L of its geometric mean, a from its mean
    chi2, dof          of the best fit
    draws              bootstrap draws by name, (n,) each
    warnings           one line each
    """

    coupling_c: Estimate
    inverse_nu: Estimate | None
    nu: Estimate | None
    z: Estimate | None
    coefficients: Array
    coefficient_errors: Array
    chi2: float
    dof: int
    draws: dict[str, Array]
    warnings: list[str]

    @property
    def p_value(self) -> float:
        """Probability of a larger chi2 if the scaling form holds."""
        return chi2_p_value(self.chi2, self.dof)


def collapse(
    points: ScalingData,
    scaling: Scaling | None = None,
    *,
    start: tuple[float, float, float] | None = None,
    draws: int = 100,
    seed: int = 1,
) -> Collapse:
    """Fit coupling_c, nu (and z) so that the data fall on polynomial scaling functions.

    points   from `scaling_data`
    start    (coupling_c, nu, z) to begin with; a coarse search over the data's range if None
    draws    bootstrap draws for the errors
    raises   ValueError for too few data, coefficients that the data do not determine, or an undetermined z
    """
    fit = _CollapseFit(points, scaling or Scaling())
    best, chi2 = fit.best(points.mean, start)
    rng = np.random.default_rng(seed)
    found, terms = [], []
    for _ in range(draws):
        mean = points.bootstrap_means(rng)
        found.append(fit.minimise(mean, best)[0])
        terms.append(fit.coefficients(found[-1], mean))
    drawn = dict(zip(fit.free, np.array(found).T, strict=True))
    values = {
        name: Estimate(value, drawn[name].std(ddof=1)) for name, value in zip(fit.free, best, strict=True)
    }
    warnings = fit.warnings(best, chi2, values["coupling_c"].error)
    for name in fit.free:
        if said := fit.at_bound(name, values[name].value, drawn[name]):
            values[name] = Estimate.missing()
            warnings.append(said)
    inverse_nu = values.get("inverse_nu")
    nu = None if inverse_nu is None else _nu(inverse_nu, drawn["inverse_nu"], warnings)
    return Collapse(
        coupling_c=values["coupling_c"],
        inverse_nu=inverse_nu,
        nu=nu,
        z=values.get("z"),
        coefficients=fit.coefficients(best, points.mean),
        coefficient_errors=np.std(terms, axis=0, ddof=1),
        chi2=chi2,
        dof=fit.dof,
        draws=drawn,
        warnings=warnings,
    )


def _nu(inverse: Estimate, drawn: Array, warnings: list[str]) -> Estimate:
    """Return nu from 1/nu; missing, with a warning, if 1/nu is not positive beyond its error."""
    if not inverse.is_known:
        return Estimate.missing()
    below = inverse.value - np.quantile(drawn, 0.16)     # stray draws far above widen the error, not this
    if inverse.value < RESOLVED * below or drawn.min() <= 0:
        warnings.append(f"1/nu = {inverse} is not above zero beyond its error: the data do not fix nu")
        return Estimate.missing()
    return Estimate(1 / inverse.value, (1 / drawn).std(ddof=1))


class _CollapseFit:
    """Separable least squares: parameters `free` outside, coefficients solved for inside."""

    def __init__(self, points: ScalingData, scaling: Scaling) -> None:
        self.points, self.scaling = points, scaling
        known = dict(zip(FREE, (None, scaling.nu, scaling.z), strict=True))
        self.free = [name for name, value in known.items() if value is None]
        low, high = points.coupling.min(), points.coupling.max()
        width = high - low
        self.bounds = BOUNDS | {"coupling_c": (low - 3 * width, high + 3 * width)}
        q, m = points.mean.shape
        self.terms = list(scaling.terms())
        self.dof = q * (m - len(self.terms)) - len(self.free)
        if len(scaling.power) != q:
            raise ValueError(
                f"power has {len(scaling.power)} entries for {q} observables: one for each is needed"
            )
        if self.dof < 1:
            raise ValueError(
                f"{q} x {m} data for {q * len(self.terms)} coefficients and {len(self.free)} "
                "parameters: lower the degree or add points"
            )
        if "z" in self.free and not (scaling.aspect_degree or any(c1 for _, c1 in scaling.power)):
            raise ValueError("z = None: no power of L and no aspect ratio depends on z; give z")
        if len(np.unique(points.L)) < 2:
            raise ValueError("a collapse needs at least 2 sizes")
        if scaling.logarithmic and np.any(points.mean <= 0):
            raise ValueError("logarithmic = True: all averages must be positive; drop the points at zero")
        self.white = self._white()
        self.log_L, self.log_L_tau = np.log(points.L), np.log(points.L_tau)
        self.log_size = self.log_L - self.log_L.mean()       # keeps the coefficients of order one
        self._check_terms()

    def _check_terms(self) -> None:
        """Raise ValueError if the data do not determine all coefficients."""
        p = self.points
        middle = {"coupling_c": p.coupling.mean() + 0.1 * np.ptp(p.coupling), "inverse_nu": 1.1, "z": 1.3}
        design = self._design(np.array([middle[name] for name in self.free]), self.points.mean)[1]
        rank = np.linalg.matrix_rank(design / np.linalg.norm(design, axis=0))
        if rank < design.shape[1]:
            couplings = len(np.unique(p.coupling))
            shapes = len(np.unique(np.stack([p.L, p.L_tau]), axis=1).T)
            raise ValueError(
                f"the data determine {rank} of {design.shape[1]} coefficients: {couplings} couplings allow a "
                f"degree below {couplings}, {shapes} pairs of L and L_tau an aspect_degree below {shapes}"
            )

    def _white(self) -> Array:
        """Return one matrix (q m, q m) for all blocks, of residuals ordered (observable, point)."""
        q, m = self.points.mean.shape
        out = np.zeros((q * m, q * m))
        for block, entries, root in whitening(self.points):
            rows = (np.arange(q)[:, None] * m + block[None, :]).ravel()
            out[np.ix_(rows[entries], rows[entries])] = root
        if self.scaling.logarithmic:
            out = out * np.abs(self.points.mean).ravel()
        return out

    def _exponents(self, parameters: Array) -> tuple[float, float]:
        """Return 1/nu and z, given or from the parameters."""
        now = dict(zip(self.free, parameters.tolist(), strict=True))
        y = now["inverse_nu"] if self.scaling.nu is None else 1 / self.scaling.nu
        return y, now["z"] if self.scaling.z is None else self.scaling.z

    def _design(self, parameters: Array, mean: Array) -> tuple[Array, Array]:
        """Return the whitened data (q m,) and terms (q m, q terms)."""
        p, s, (y, z) = self.points, self.scaling, self._exponents(parameters)
        x = (p.coupling - parameters[0]) * p.L**y
        x = x / max(float(np.abs(x).max()), 1e-300)
        a = self.log_L_tau - z * self.log_L
        a = a - a.mean()
        q, m = mean.shape
        basis = np.empty((m, len(self.terms)))
        for column, (i, j, corrects) in zip(basis.T, self.terms, strict=True):
            column[:] = x**i
            if j:
                column *= a**j
            if corrects and s.omega is not None:
                column *= np.exp(-s.omega * self.log_size)
        design, data = np.zeros((q * m, q * basis.shape[1])), np.empty(q * m)
        for k, (c0, c1) in enumerate(s.power):
            rows, cols = slice(k * m, (k + 1) * m), slice(k * basis.shape[1], (k + 1) * basis.shape[1])
            power = (c0 + c1 * z) * self.log_size
            if s.logarithmic:
                data[rows], design[rows, cols] = np.log(np.maximum(mean[k], 1e-300)) + power, basis
            else:
                # The power goes to the model: the weights of the data stay as they are.
                data[rows], design[rows, cols] = mean[k], basis * np.exp(-power)[:, None]
        return self.white @ data, self.white @ design

    def residual(self, parameters: Array, mean: Array) -> Array:
        """Return the residuals of the best coefficients, in standard errors."""
        data, design = self._design(parameters, mean)
        packed, tau, _, _ = dgeqrf(design)           # np.linalg.qr spends half its time outside of LAPACK
        basis, _, _ = dorgqr(packed, tau)
        return np.asarray(data - basis @ (basis.T @ data))

    def coefficients(self, parameters: Array, mean: Array) -> Array:
        data, design = self._design(parameters, mean)
        solved = np.linalg.lstsq(design, data, rcond=None)[0]
        return np.asarray(solved.reshape(len(self.scaling.power), -1))

    def minimise(self, mean: Array, start: Array) -> tuple[Array, float]:
        """Return the nearest minimum and its chi2."""
        low, high = np.array([self.bounds[name] for name in self.free]).T
        width = np.ptp(self.points.coupling)
        scale = np.array([width if name == "coupling_c" else 1.0 for name in self.free])
        # 1e-6 of a standard error is enough; bootstrap draws are many.
        result = least_squares(
            self.residual, start, args=(mean,), x_scale=scale, bounds=(low, high), ftol=1e-7, xtol=1e-7
        )
        return np.asarray(result.x), float(2 * result.cost)

    def best(self, mean: Array, start: tuple[float, float, float] | None) -> tuple[Array, float]:
        """Return the best minimum of several starts and its chi2."""
        if start is not None:
            begin = [(start[0], 1 / start[1], start[2])]
        else:
            g = np.unique(self.points.coupling)
            middle = [(1 - t) * g[0] + t * g[-1] for t in (0.35, 0.5, 0.65)]
            begin = [(c, y, 1.4) for c in middle for y in (0.8, 1.5)]
        used = [FREE.index(name) for name in self.free]
        found = [self.minimise(mean, np.array(b)[used]) for b in dict.fromkeys(begin)]
        return min(found, key=lambda pair: pair[1])

    def at_bound(self, name: str, value: float, drawn: Array) -> str:
        """Return a warning if a parameter, or too many of its bootstrap draws, are at a bound; else ""."""
        for bound in self.bounds[name]:
            low, high = self.bounds[name]
            near = np.abs(np.append(drawn, value) - bound) < NEAR_BOUND * (high - low)
            if near[-1] or near[:-1].mean() > STRAY_DRAWS:
                shown = name.replace("inverse_nu", "1/nu")
                return (
                    f"{shown} is at its bound, {bound:.6g}: the data do not fix it; "
                    "add sizes or couplings, or give its value"
                )
        return ""

    def warnings(self, best: Array, chi2: float, error: float) -> list[str]:
        out, g = [], self.points.coupling
        if chi2_p_value(chi2, self.dof) < BAD_FIT:
            out.append(
                f"the data do not collapse: chi2/dof = {chi2:.1f}/{self.dof}; drop small sizes, "
                "narrow the window, raise the degree or allow a correction"
            )
        if not g.min() <= best[0] <= g.max():
            out.append(f"coupling_c = {best[0]:.6g} lies outside the data, {g.min():.6g} .. {g.max():.6g}")
        if error > 0.5 * np.ptp(g):
            out.append("the data do not fix coupling_c: its error is as wide as the scan")
        return out
