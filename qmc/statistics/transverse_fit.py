"""Responses at q = 0 from those at all wave vectors: one fit over q and Matsubara frequency.

The response of the whole array is the square of one Gaussian random number and does not self-average; the
responses at other wave vectors are further independent numbers with a smooth disorder mean. The fit is

    K(q, n) = K(n) h(P),    P = sum over m of phi_m(q, n) c_m(n),

h(P) = exp(P) or 1 + P, phi = q^2, (q^2)^2, q_x^4 + q_y^4, (q^2)^3 in q^ = 2 sin(q/2). At low frequency
polynomials in q^2 converge only up to |q| = w_n/c, c a velocity: one function of c q/w_n may join them, a
pole, a root or a logarithm. K(n), the response wanted, is free at every n. The coefficients c_m are smooth in
n: polynomials in u = 2/(2 + n) whose terms have a Gaussian prior, narrower the higher the degree. All data
have about the same relative noise, which fixes their weights; q = 0 is among the data.

Range in q, functions, h, and width and decay of the prior are averaged over by their Akaike weights; data
out of range count as parameters of their own (Jay and Neil, PRD 103, 114502 (2021)). Where the fit is less
certain than q = 0 alone, the value is that of q = 0 alone. The fit is linear in the data near its solution,
so every disorder sample has a value, and their scatter is the covariance.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2 as chi2_distribution

from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import lattice_wave_vectors, multiplicity

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

RADII = (1.0, 0.75, 0.5)
"""Ranges in |q| that are tried, in units of the largest one measured."""

CURVES = (1, 3, 4)
"""Numbers of polynomials in q that are tried: q^2; and both quartic ones; and (q^2)^3."""

FORMS = ("", "pole", "root", "log")
"""Functions of c q/w_n that are tried beside them."""

VELOCITIES = (0.4, 0.8)
"""Velocities c that are tried, in units of sqrt(E_C E_J), the one of spin waves."""

LINKS = ("exp", "1 +")
DEGREE = 5
"""Of the polynomials in u."""

SCALE = 2.0
"""Matsubara number at which u = 1/2."""

WIDE = 3.0
"""Standard deviation of the prior of degree zero; q^2 is counted from 0 to 1."""

WIDTHS = (0.1, 0.3, 1.0)
"""Standard deviations of the prior of degree one that are tried."""

DECAYS = (0.1, 0.3, 0.6)
"""Ratios of standard deviations of the prior from one degree to the next that are tried."""

PENALTY = 2.0
"""Of a free parameter, and of a datum out of range, in units of chi^2 (Akaike)."""

NEGLIGIBLE = 1e-3
"""Weight, relative to the largest, below which a fit is left out of the average."""

REJECTED = 1e-3
"""Probability of a larger chi^2 below which the best fit is called rejected."""

MOST, HOPELESS = 6, 30.0
"""Functions whose priors and ranges are varied: so many at most, within so much of the best score."""

STEPS = 12


@dataclass(frozen=True)
class WaveFit:
    """One fit. radius: largest |q^| over the largest one measured; the other fields as in the text above."""

    radius: float
    curves: int
    link: str
    form: str = ""
    velocity: float = 0.0
    width: float = 0.1
    decay: float = 0.3


@dataclass(frozen=True)
class TransverseFit:
    """Response at q = 0 from all wave vectors, F frequencies.

    n            Matsubara numbers (F,)
    samples      value of every disorder sample, (samples, F); their mean is `value`
    value        (F,)
    covariance   (F, F) of `value`: scatter of the samples and `systematic`
    systematic   (F, F), spread of the fits averaged over
    plain_error  (F,), error of q = 0 alone
    radius       (F,), mean range in |q|/(2 pi) of the fits; 0 where q = 0 alone counts
    best         the fit of largest weight
    chi2, dof    sum of squared residuals of the best fit over their variances, and their number
    p_value      probability of a larger chi2, correlations of the residuals taken into account
    q, data, error, prediction   |q| (shells,); disorder means, errors and best fit (shells, F), q = 0 first
    warnings     one line each
    """

    n: Integers
    samples: Array
    value: Array
    covariance: Array
    systematic: Array
    plain_error: Array
    radius: Array
    best: WaveFit | None
    chi2: float
    dof: int
    p_value: float
    q: Array
    data: Array
    error: Array
    prediction: Array
    warnings: tuple[str, ...] = ()

    @property
    def error_of_value(self) -> Array:
        """Standard errors of `value`, (F,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def fit_transverse(
    model: Model, plain: Array, waves: Array, numbers: Integers, n: Integers, *, static: bool = True
) -> TransverseFit:
    """Fit the responses of many disorder samples.

    plain     (samples, F), response at q = 0
    waves     (samples, waves, F), at the waves `numbers` (waves, 2), see `model.wave_vectors`
    n         Matsubara numbers (F,), rising
    static    whether n = 0 may be fitted; else its value is that of q = 0
    raises    ValueError for shapes that do not belong together
    """
    samples, F = plain.shape
    if waves.shape != (samples, len(numbers), F) or len(n) != F:
        raise ValueError(
            f"plain {plain.shape}, waves {waves.shape}: must be ({samples}, {len(n)}) and "
            f"({samples}, {len(numbers)}, {len(n)})"
        )
    shells = _shells(model, plain, waves, numbers, n)
    usable = np.all(np.isfinite(shells.data), axis=0) & np.all(shells.data > 0, axis=0)
    high = np.flatnonzero(usable & (n > 0))
    if samples < 2 or len(high) == 0 or len(shells.modes) < 3:
        return _plain_alone(shells, n, "no fit over wave vectors: it needs 2 samples and 2 wave vectors")
    noise = _noise(shells, n, high)
    joint = _joint_fits(shells, noise, n, high)
    if not joint:
        return _plain_alone(shells, n, "no fit over wave vectors: too few of them")
    average = _averaged(joint, shells)
    low = np.flatnonzero(usable & (n == 0) & static)
    for i in (i for i in low if _is_resolved(plain[:, i])):
        average = average.joined(_averaged(_static_fits(shells, n, int(i)), shells))
    return _result(shells, n, average, min(joint, key=lambda s: s.score))


# ---- data --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shells:
    """Data by shells of equivalent wave vectors, q = 0 first.

    samples  (samples, S, F);  data: their means (S, F)
    modes    independent random numbers in each shell, up to a factor (S,)
    q2, q4   of q^, over the largest q^2 (S,);  size: |q| (S,)
    ratio    |q^|/w_n in units of 1/sqrt(E_C E_J), (S, F)
    """

    samples: Array
    data: Array
    modes: Array
    q2: Array
    q4: Array
    size: Array
    ratio: Array


def _shells(model: Model, plain: Array, waves: Array, numbers: Integers, n: Integers) -> _Shells:
    """Collect the waves that a square lattice makes equivalent."""
    Lx, Ly = model.Lx, model.Ly
    counts = multiplicity(numbers, Lx, Ly).astype(float)
    names = np.sort(numbers, axis=1) if Lx == Ly else numbers
    kinds, which = np.unique(names, axis=0, return_inverse=True)
    which = np.ravel(which)
    samples, modes, vectors, sizes = [plain], [2.0 if Lx == Ly else 1.0], [np.zeros(2)], [0.0]
    for k in range(len(kinds)):
        members = which == k
        total = counts[members].sum()
        samples.append(np.einsum("swf,w->sf", waves[:, members], counts[members]) / total)
        modes.append(2 * total)
        vectors.append(lattice_wave_vectors(kinds[k], Lx, Ly))
        sizes.append(2 * np.pi * np.hypot(*(kinds[k] / np.array([Lx, Ly]))))
    q = np.array(vectors)
    q2 = (q**2).sum(axis=1)
    order = np.argsort(q2, kind="stable")
    stacked, top = np.stack(samples, axis=1)[:, order], q2.max()
    return _Shells(
        stacked, stacked.mean(axis=0), np.array(modes)[order], q2[order] / top,
        (q**4).sum(axis=1)[order] / top**2, np.array(sizes)[order],
        np.sqrt(q2[order])[:, None] / np.maximum(2 * np.pi * n / model.beta, 1e-9) * np.sqrt(model.charging),
    )  # fmt: skip


def _is_resolved(values: Array) -> bool:
    """Whether the mean is five times its error."""
    return bool(values.mean() > 5 * values.std(ddof=1) / np.sqrt(len(values)))


# ---- one fit -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Solution:
    """One fit of the frequencies `which`, at its solution; columns are the derivatives of ln K by c_mt.

    score       Akaike's criterion
    inside      shells in range (S,) of all
    constant    ln K(n) (frequencies,)
    prediction  (shells in range, frequencies)
    columns     (shells in range, frequencies, coefficients)
    centred     the same less the weighted means over the shells
    inverse     covariance of the coefficients
    weight      inverse relative variances (shells in range, frequencies)
    """

    fit: WaveFit
    which: Integers
    score: float
    inside: NDArray[np.bool_]
    constant: Array
    prediction: Array
    columns: Array
    centred: Array
    inverse: Array
    weight: Array

    def propagate(self, shells: _Shells) -> tuple[Array, Array]:
        """Return K(n) of every sample (samples, frequencies) and its relative residuals (samples, S, ..)."""
        if self.fit.curves == 0:
            return shells.samples[:, 0, self.which], np.zeros((len(shells.samples), 0, 0))
        modes, k = shells.modes[self.inside], len(self.inverse)
        share = modes / modes.sum()
        relative = shells.samples[:, self.inside][:, :, self.which] / self.prediction - 1
        # The prior pulls the coefficients by the same amount in every sample: only differences count.
        deviation = (relative - relative.mean(axis=0)).reshape(len(relative), -1)
        steps = deviation @ ((self.weight[:, :, None] * self.centred).reshape(-1, k) @ self.inverse)
        means = np.tensordot(share, self.columns, 1)
        shift = np.tensordot(relative, share, ([1], [0])) - steps @ means.T
        moved = (steps @ self.columns.reshape(-1, k).T).reshape(relative.shape)
        return np.exp(self.constant) * (1 + shift), relative - shift[:, None, :] - moved

    def leverage(self) -> Array:
        """Return the share of each datum in its own prediction, (shells in range, frequencies)."""
        own = np.einsum("qfk,qfk->qf", self.centred @ self.inverse, self.centred) * self.weight
        return np.asarray(self.weight / self.weight.sum(axis=0) + own)


def _basis(shells: _Shells, fit: WaveFit, inside: NDArray[np.bool_], which: Integers) -> Array:
    """Functions of q, (shells in range, frequencies, curves)."""
    every = (shells.q2, shells.q2**2, shells.q4, shells.q2**3)
    curves = [np.repeat(f[inside, None], len(which), axis=1) for f in every[: fit.curves]]
    if fit.form:
        x = (fit.velocity * shells.ratio[inside][:, which]) ** 2
        root = np.sqrt(shells.q2[inside])[:, None]       # the root is of order one at high |q|, too
        rise = root * np.sqrt(x) / (1 + np.sqrt(1 + x))
        curves.append({"pole": x / (1 + x), "root": rise, "log": np.log1p(x) / 4}[fit.form])
    return np.stack(curves, axis=2)


def _design(n: Integers, terms: int) -> Array:
    """Legendre polynomials in u, (frequencies, terms)."""
    u = SCALE / (SCALE + n)
    low, high = SCALE / (SCALE + n.max()), SCALE / (SCALE + n.min())
    x = (2 * u - low - high) / (high - low) if len(n) > 1 else np.zeros(1)
    return np.asarray(np.polynomial.legendre.legvander(x, terms - 1))


def _solve(shells: _Shells, noise: Array, n: Integers, which: Integers, fit: WaveFit) -> _Solution | None:
    """Fit the frequencies `which`; None if data do not suffice or the curve leaves the positive numbers."""
    limit = fit.radius**2 * (1 + 1e-9)
    inside = np.asarray(shells.q2 <= limit)
    phi, modes = _basis(shells, fit, inside, which), shells.modes[inside]
    data = shells.data[inside][:, which]
    S, F = data.shape
    if phi.shape[2] + 2 > S:
        return None
    u = _design(n[which], min(DEGREE + 1, F))
    flat = (phi[:, :, :, None] * u[None, :, None, :]).reshape(S, F, -1)
    deviations = np.full(u.shape[1], WIDE)
    deviations[1:] = fit.width * fit.decay ** np.arange(u.shape[1] - 1)
    precision = np.tile(1 / deviations**2, phi.shape[2])
    weight = modes[:, None] / noise[which]
    solve = _solve_exponential if fit.link == "exp" else _solve_polynomial
    solved = solve(flat, weight, precision, data)
    if solved is None:
        return None
    c, constant, prediction, columns, centred, normal = solved
    inverse = np.asarray(np.linalg.inv(normal), np.float64)
    chi2 = float(np.sum((data / prediction - 1) ** 2 * weight))
    # Parameters that the data determine: the prior takes the place of the others.
    free = F + len(c) - float(np.sum(np.diag(inverse) * precision))
    score = chi2 + PENALTY * (free + (len(inside) - S) * F)
    return _Solution(fit, which, score, inside, constant, prediction, columns, centred, inverse, weight)


Solved = tuple[Array, Array, Array, Array, Array, Array]


def _normal(columns: Array, weight: Array, precision: Array) -> tuple[Array, Array, Array, Array]:
    """Means over the shells, columns less these, weighted columns (data, k), normal matrix with prior."""
    share = weight[:, 0] / weight[:, 0].sum()
    means = np.tensordot(share, columns, 1)
    centred = columns - means
    weighted = (weight[:, :, None] * centred).reshape(-1, columns.shape[2])
    return means, centred, weighted, weighted.T @ centred.reshape(weighted.shape) + np.diag(precision)


def _solve_exponential(flat: Array, weight: Array, precision: Array, data: Array) -> Solved | None:
    """h = exp: c, ln K(n), prediction, columns, centred columns, normal matrix."""
    share = weight[:, 0] / weight[:, 0].sum()
    means, centred, weighted, normal = _normal(flat, weight, precision)
    target, c, constant = np.log(data), np.zeros(len(precision)), np.zeros(data.shape[1])
    # Then with relative residuals: the logarithm of a noisy mean is biased.
    for _ in range(3):
        step = np.linalg.solve(normal, weighted.T @ target.ravel() - precision * c)
        constant, c = constant + share @ target - means @ step, c + step
        prediction = np.exp(constant + flat @ c)
        target = data / prediction - 1
    return c, constant, prediction, flat, centred, normal


def _solve_polynomial(flat: Array, weight: Array, precision: Array, data: Array) -> Solved | None:
    """h = 1 + P, by Gauss-Newton steps; None if h is not positive."""
    share = weight[:, 0] / weight[:, 0].sum()
    c, constant = np.zeros(len(precision)), np.log(share @ data)
    for _ in range(STEPS):
        h = 1 + flat @ c
        if np.any(h < 0.05):
            return None
        prediction, columns = np.exp(constant) * h, flat / h[:, :, None]
        means, centred, weighted, normal = _normal(columns, weight, precision)
        target = data / prediction - 1
        step = np.linalg.solve(normal, weighted.T @ target.ravel() - precision * c)
        more = share @ target - means @ step
        c, constant = c + step, constant + more
        if np.max(np.abs(more)) < 1e-5:
            return c, constant, prediction, columns, centred, normal
    return None


def _noise(shells: _Shells, n: Integers, which: Integers) -> Array:
    """Relative variance of the disorder mean per mode, (F,), from the residuals of a flexible fit."""
    guess = np.full(shells.data.shape[1], 1e-12)     # the prior has no weight
    curves = max(1, min(4, len(shells.modes) - 3))
    found = _solve(shells, guess, n, which, WaveFit(1.0, curves, "exp", width=1.0, decay=0.6))
    out = np.ones_like(guess)
    if found is not None:
        variance = found.propagate(shells)[1].var(axis=0, ddof=1) / len(shells.samples)
        free = np.maximum(1 - found.leverage(), 0.05)
        out[which] = np.maximum(np.mean(variance * shells.modes[:, None] / free, axis=0), 1e-30)
    return out


# ---- many fits ---------------------------------------------------------------------------------------------


def _forms() -> list[tuple[str, float]]:
    return [("", 0.0), *product(FORMS[1:], VELOCITIES)]


def _joint_fits(shells: _Shells, noise: Array, n: Integers, which: Integers) -> list[_Solution]:
    """Fits of all frequencies: first all functions, then all priors and ranges for the best of them."""
    first = [WaveFit(1.0, curves, link, *form) for curves, link, form in product(CURVES, LINKS, _forms())]
    found = _fits(shells, noise, n, which, first)
    if not found:
        return []
    least = min(s.score for s in found)
    best = [s.fit for s in sorted(found, key=lambda s: s.score)[:MOST] if s.score < least + HOPELESS]
    priors = product(RADII, WIDTHS, DECAYS)
    more = (
        replace(fit, radius=radius, width=width, decay=decay)
        for (radius, width, decay), fit in product(priors, best)
        if radius == 1.0 or (width, decay) == (fit.width, fit.decay)
    )
    return [*found, *_fits(shells, noise, n, which, (fit for fit in more if fit not in first))]


def _fits(
    shells: _Shells, noise: Array, n: Integers, which: Integers, fits: Iterable[WaveFit]
) -> list[_Solution]:
    """Those of the fits that are possible."""
    solved = (_solve(shells, noise, n, which, fit) for fit in fits)
    return [s for s in solved if s is not None]


def _static_fits(shells: _Shells, n: Integers, i: int) -> list[_Solution]:
    """Fits of n = 0 by itself: static responses need not continue those of other frequencies."""
    which, empty = np.array([i]), np.zeros(0)
    single = (WaveFit(*some) for some in product(RADII, CURVES, LINKS))
    score = PENALTY * len(shells.modes)
    alone = _Solution(WaveFit(0.0, 0, "exp"), which, score, empty > 0, *[empty] * 6)
    return [*_fits(shells, _noise(shells, n, which), n, which, single), alone]


@dataclass(frozen=True)
class _Average:
    """Average over fits: samples (samples, F), spread (F, F), radius (F,); NaN where nothing is fitted."""

    samples: Array
    spread: Array
    radius: Array

    def joined(self, other: "_Average") -> "_Average":
        """Average with what only `other` has fitted."""
        mine = np.isfinite(self.radius)
        return _Average(
            np.where(mine, self.samples, other.samples), self.spread + other.spread,
            np.where(mine, self.radius, other.radius),
        )  # fmt: skip


def _averaged(fits: list[_Solution], shells: _Shells) -> _Average:
    """Average of alternatives for the same frequencies by their Akaike weights."""
    score, which = np.array([s.score for s in fits]), fits[0].which
    weight = np.exp(-0.5 * (score - score.min()))
    kept = np.flatnonzero(weight > NEGLIGIBLE)
    share, count, F = weight[kept] / weight[kept].sum(), len(shells.samples), shells.data.shape[1]
    out = _Average(np.full((count, F), np.nan), np.zeros((F, F)), np.full(F, np.nan))
    samples = np.array([fits[k].propagate(shells)[0] for k in kept])
    out.samples[:, which] = np.tensordot(share, samples, 1)
    apart = samples.mean(axis=1) - out.samples[:, which].mean(axis=0)
    out.spread[np.ix_(which, which)] = (apart * share[:, None]).T @ apart
    out.radius[which] = share @ [fits[k].fit.radius for k in kept]
    return out


# ---- result ------------------------------------------------------------------------------------------------


def _covariance(samples: Array) -> Array:
    deviation = samples - samples.mean(axis=0)
    return np.asarray(deviation.T @ deviation / (len(samples) * max(len(samples) - 1, 1)))


def _result(shells: _Shells, n: Integers, fits: _Average, best: _Solution) -> TransverseFit:
    plain = shells.samples[:, 0]
    plain_variance = np.diag(_covariance(plain))
    variance = np.diag(_covariance(np.nan_to_num(fits.samples))) + np.diag(fits.spread)
    worse = np.isnan(fits.samples[0]) | (variance >= plain_variance)
    samples = np.where(worse, plain, fits.samples)
    systematic = np.where(worse[:, None] | worse[None, :], 0.0, fits.spread)
    chi2, dof, p_value = _quality(best, shells)
    warnings = []
    if p_value < REJECTED:
        warnings.append(
            f"fit over wave vectors: chi^2/dof = {chi2 / dof:.2f} (p = {p_value:.1g}), the curves do not "
            "describe the data; compare with estimator = 'plain'"
        )
    prediction = np.full(shells.data.shape, np.nan)
    prediction[np.ix_(best.inside, best.which)] = best.prediction
    return TransverseFit(
        n=n, samples=samples, value=samples.mean(axis=0), covariance=_covariance(samples) + systematic,
        systematic=systematic, plain_error=np.sqrt(plain_variance),
        radius=np.where(worse, 0.0, fits.radius) * shells.size[-1] / (2 * np.pi), best=best.fit,
        chi2=chi2, dof=dof, p_value=p_value, q=shells.size, data=shells.data,
        error=shells.samples.std(axis=0, ddof=1) / np.sqrt(len(samples)), prediction=prediction,
        warnings=tuple(warnings),
    )  # fmt: skip


def _quality(best: _Solution, shells: _Shells) -> tuple[float, int, float]:
    """chi^2 of the mean residuals over their own variances, their number, and its p-value.

    The residuals are correlated (disorder, fit): chi^2 is compared with a scaled chi^2 distribution of the
    same mean and variance (Satterthwaite); estimated variances make it larger by (n - 1)/(n - 3).
    """
    samples = len(shells.samples)
    flat = best.propagate(shells)[1].reshape(samples, -1)
    free = (1 - best.leverage()).ravel() > 0.02
    flat = flat[:, free]
    deviation = flat - flat.mean(axis=0)
    scale = deviation.std(axis=0, ddof=1)
    chi2 = float(np.sum((flat.mean(axis=0) / scale) ** 2) * samples)
    dof = int(free.sum())
    normal = deviation / scale
    gram = normal @ normal.T if samples < dof else normal.T @ normal
    squares = float(np.sum(gram**2)) / (samples - 1) ** 2
    effective = dof**2 / max(squares - dof**2 / (samples - 1), dof)
    inflation = (samples - 1) / (samples - 3) if samples > 8 else np.inf
    p_value = float(chi2_distribution.sf(chi2 / inflation * effective / dof, effective))
    return chi2, dof, p_value


def _plain_alone(shells: _Shells, n: Integers, warning: str) -> TransverseFit:
    """The response at q = 0 as it is."""
    samples = shells.samples[:, 0]
    covariance = _covariance(samples)
    return TransverseFit(
        n=n, samples=samples, value=samples.mean(axis=0), covariance=covariance,
        systematic=np.zeros_like(covariance), plain_error=np.sqrt(np.diag(covariance)),
        radius=np.zeros(len(n)), best=None, chi2=np.nan, dof=0, p_value=np.nan,
        q=shells.size, data=shells.data, error=shells.samples.std(axis=0) / np.sqrt(max(len(samples) - 1, 1)),
        prediction=np.full(shells.data.shape, np.nan), warnings=(warning,),
    )  # fmt: skip
