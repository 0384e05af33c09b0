"""Responses at q = 0 from those at all wave vectors: one fit over q and Matsubara frequency.

The response of the whole array is the square of one Gaussian random number and does not self-average; the
responses at other wave vectors are further independent numbers with a smooth disorder mean. The fit is

    K(q, n) = K(n) exp P(q, n),    P = sum over m of phi_m(q, n) c_m(n).

phi_m are polynomials in q^ = 2 sin(q/2) that vanish at q = 0: q^2 times those in q^2, and q_x^4 + q_y^4. At
low frequency polynomials in q^2 converge only up to |q| = w_n/c, c a velocity: one function of
x = c^2 q^2/(w_n^2 + M^2), M a mass, may join them, a pole or a logarithm, as it is or divided by
sqrt(w_n^2 + M^2), as a loop of two modes has it. K_T(q, n) less K_T(0, n) of diluted arrays is such a
logarithm, with nearly the same strength at all n and p. K(n), the response wanted, is free at every n. The
coefficients c_m are smooth in n: polynomials in u = 2/(2 + n). All coefficients have a Gaussian prior,
narrower the higher the degree in n and in q^2, of its own width for the function of x. All data have about
the same relative noise, which fixes their weights; q = 0 is among the data.

Range in q, functions, and the widths of the prior are averaged over by their evidence, the probability of
the data given the fit (MacKay, Neural Computation 4, 415 (1992)); data out of range count as parameters of
their own (Jay and Neil, PRD 103, 114502 (2021)). Three terms make up the covariance of the response: the
scatter of the samples, each of which has a value, since the fit is linear in the data near its solution; the
spread between the fits; and the bias that a prior causes, on average over coefficients drawn from it.
Where the fit is less certain than q = 0 alone, the value is that of q = 0 alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import lattice_wave_vectors, multiplicity
from sitqmc.result import SavedResult

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

RADII = (1.0, 0.75, 0.5)
"""Ranges in |q| that are tried, in units of the largest one measured."""

CURVES = 7
"""Number of polynomials in q."""

FORMS = ("pole", "log")
"""Functions of x = c^2 q^2/(w_n^2 + M^2) that are tried beside them."""

DAMPED = (0, 1)
"""Powers of 1/sqrt(w_n^2 + M^2) that are tried as their factors."""

VELOCITIES = (0.45, 0.65)
"""Velocities c that are tried, in units of sqrt(E_C E_J), the one of spin waves."""

MASSES = (0.0, 0.2, 0.35, 0.55, 0.8, 1.1)
"""Masses M that are tried, in units of sqrt(E_C E_J)."""

DEGREE = 5
"""Of the polynomials in u."""

SCALE = 2.0
"""Matsubara number at which u = 1/2."""

SMOOTH = ((0.03, 0.3), (0.1, 0.3), (0.1, 0.6), (0.3, 0.6))
"""Standard deviation of the prior of degree one in u, that of degree zero being 1, and the ratio from one
degree to the next: pairs that are tried."""

OWN_WIDTHS, OWN_LEVEL, OWN_DECAY = (0.1, 0.3), 0.5, 0.5
"""The same for the function of x: standard deviations of degree one that are tried, that of degree zero, and
the ratio from one degree to the next."""

SLOPES = (0.1, 0.3)
"""Ratios of standard deviations of the prior from one degree in q^2 to the next that are tried."""

LEVELS, STATIC_SLOPES = (0.1, 0.3, 1.0), (0.1, 0.3, 0.6)
"""Standard deviations of the prior, and ratios in q^2, that are tried for n = 0 by itself."""

PENALTY = 2.0
"""Of a datum out of range, in units of chi^2 (Akaike)."""

NEGLIGIBLE = 1e-3
"""Weight, relative to the largest, below which a fit is left out of the average."""

REJECTED = 1e-3
"""Probability of a larger chi^2 below which the best fit is called rejected."""

MOST, HOPELESS = 6, 30.0
"""Functions whose priors and ranges are varied: so many at most, within so much of the best score."""

ROUNDS = 3
"""Of the linearised fit."""


@dataclass(frozen=True)
class WaveFit:
    """One fit.

    radius            largest |q^| over the largest one measured
    form              one of FORMS, "" for none, with its velocity, mass and factor (DAMPED)
    width, decay      of the prior in u, see SMOOTH
    slope             of the prior in q^2, see SLOPES
    level             of the prior of degree zero in u
    own_width         of the prior in u of the function of x, see OWN_WIDTHS
    curves            number of polynomials in q; 0 for q = 0 alone
    """

    radius: float = 1.0
    form: str = ""
    velocity: float = 0.0
    mass: float = 0.0
    damped: int = 0
    width: float = 0.1
    decay: float = 0.3
    slope: float = 0.1
    level: float = 1.0
    own_width: float = 0.3
    curves: int = CURVES


@dataclass(frozen=True)
class TransverseFit(SavedResult):
    """Response at q = 0 from all wave vectors, F frequencies.

    n            Matsubara numbers (F,)
    samples      value of every disorder sample, (samples, F); their mean is `value`
    value        (F,)
    covariance   (F, F) of `value`: scatter of the samples and `systematic`
    systematic   (F, F), spread of the fits averaged over, and the bias that their priors cause
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
    top      largest q^2;  w2: w_n^2 in units of E_C E_J (F,)
    """

    samples: Array
    data: Array
    modes: Array
    q2: Array
    q4: Array
    size: Array
    top: float
    w2: Array


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
        float(top), np.asarray((2 * np.pi * n / model.beta) ** 2 / model.charging, np.float64),
    )  # fmt: skip


def _is_resolved(values: Array) -> bool:
    """Whether the mean is five times its error."""
    return bool(values.mean() > 5 * values.std(ddof=1) / np.sqrt(len(values)))


# ---- one fit -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Solution:
    """One fit of the frequencies `which`, at its solution; columns are the derivatives of ln K by c_mt.

    score       -2 ln evidence, up to a constant
    inside      shells in range (S,) of all
    constant    ln K(n) (frequencies,)
    prediction  (shells in range, frequencies)
    columns     (shells in range, frequencies, coefficients)
    centred     the same less the weighted means over the shells, `means` (frequencies, coefficients)
    inverse     covariance of the coefficients
    precision   of the prior (coefficients,)
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
    means: Array
    inverse: Array
    precision: Array
    weight: Array

    def _moves(self) -> Array:
        """Return the derivatives of the coefficients by the relative data, (data, coefficients)."""
        weighted = self.weight[:, :, None] * self.centred
        return np.asarray(weighted.reshape(self.weight.size, len(self.inverse)) @ self.inverse)

    def influence(self, shells: _Shells) -> tuple[Array, Array]:
        """Return B (S, frequencies, frequencies) and c: K of a sample is its data times B, plus c."""
        F, inside, mean = len(self.which), self.inside, shells.data[self.inside][:, self.which]
        share = shells.modes[inside] / shells.modes[inside].sum()
        # The prior pulls the coefficients by the same amount in every sample: only differences count.
        pull = (self._moves() @ self.means.T).reshape(len(share), F, F)
        weights = share[:, None, None] * np.eye(F) - pull
        out = np.zeros((len(inside), F, F))
        out[inside] = weights / self.prediction[:, :, None] * np.exp(self.constant)
        pulled = np.einsum("qg,qgf->f", mean / self.prediction, pull)
        return out, np.asarray(np.exp(self.constant) * pulled)

    def prior_spread(self) -> Array:
        """Return the covariance of the bias of K(n), if the coefficients are drawn from the prior."""
        moved = np.exp(self.constant)[:, None] * (self.means @ self.inverse)
        return np.asarray((moved * self.precision) @ moved.T)

    def residuals(self, shells: _Shells) -> Array:
        """Return the relative residuals of every sample, (samples, shells in range, frequencies)."""
        share = shells.modes[self.inside] / shells.modes[self.inside].sum()
        relative = shells.samples[:, self.inside][:, :, self.which] / self.prediction - 1
        steps = (relative - relative.mean(axis=0)).reshape(len(relative), -1) @ self._moves()
        shift = np.tensordot(relative, share, ([1], [0])) - steps @ self.means.T
        moved = (steps @ self.columns.reshape(-1, len(self.inverse)).T).reshape(relative.shape)
        return np.asarray(relative - shift[:, None, :] - moved)

    def leverage(self) -> Array:
        """Return the share of each datum in its own prediction, (shells in range, frequencies)."""
        own = np.einsum("qfk,qfk->qf", self.centred @ self.inverse, self.centred) * self.weight
        return np.asarray(self.weight / self.weight.sum(axis=0) + own)


def _polynomials(q2: Array, q4: Array) -> tuple[Array, Integers]:
    """Polynomials in q (shells, CURVES), and their degrees in q^2 less one."""
    x = 2 * q2 - 1
    smooth = np.polynomial.legendre.legvander(x, 4) * q2[:, None]
    uneven = q4 - 0.75 * q2**2                       # 3/4: mean over the directions
    columns = (smooth[:, 0], smooth[:, 1], uneven, smooth[:, 2], uneven * x, smooth[:, 3], smooth[:, 4])
    return np.stack(columns, axis=1), np.array([0, 1, 1, 2, 2, 3, 4])


def _basis(shells: _Shells, fit: WaveFit, inside: NDArray[np.bool_], which: Integers) -> tuple[Array, Array]:
    """Functions of q, (shells in range, frequencies, functions); widths of the polynomials' priors."""
    q2 = shells.q2[inside]
    smooth, degree = _polynomials(q2, shells.q4[inside])
    kept = min(fit.curves, len(q2) - 2)
    columns = [np.repeat(f[:, None], len(which), axis=1) for f in smooth[:, :kept].T]
    if fit.form:
        energy2 = np.maximum(shells.w2[which] + fit.mass**2, 1e-12)
        x = fit.velocity**2 * shells.top * q2[:, None] / energy2
        form = x / (1 + x) if fit.form == "pole" else np.log1p(x) / 4
        columns.append(form * (energy2[0] / energy2) ** (fit.damped / 2))
    return np.stack(columns, axis=2), fit.slope ** degree[:kept].astype(float)


def _deviations(fit: WaveFit, widths: Array, terms: int) -> Array:
    """Standard deviations of the prior, (functions, terms)."""
    powers = np.arange(terms - 1)
    out = np.outer(widths, np.append(fit.level, fit.width * fit.decay**powers))
    if fit.form:
        own = fit.level * np.append(OWN_LEVEL, fit.own_width * OWN_DECAY**powers)
        out = np.vstack([out, own])
    return out


def _design(n: Integers, terms: int) -> Array:
    """Legendre polynomials in u, (frequencies, terms)."""
    u = SCALE / (SCALE + n)
    low, high = SCALE / (SCALE + n.max()), SCALE / (SCALE + n.min())
    x = (2 * u - low - high) / (high - low) if len(n) > 1 else np.zeros(1)
    return np.asarray(np.polynomial.legendre.legvander(x, terms - 1))


def _solve(shells: _Shells, noise: Array, n: Integers, which: Integers, fit: WaveFit) -> _Solution | None:
    """Fit the frequencies `which`; None if the data do not suffice."""
    inside = np.asarray(shells.q2 <= fit.radius**2 * (1 + 1e-9))
    if np.count_nonzero(inside) < 3:
        return None
    phi, widths = _basis(shells, fit, inside, which)
    modes, data = shells.modes[inside], shells.data[inside][:, which]
    S, F = data.shape
    u = _design(n[which], min(DEGREE + 1, F))
    columns = (phi[:, :, :, None] * u[None, :, None, :]).reshape(S, F, -1)
    precision = 1 / _deviations(fit, widths, u.shape[1]).ravel() ** 2
    share, weight = modes / modes.sum(), modes[:, None] / noise[which]
    means = np.tensordot(share, columns, 1)
    centred = columns - means
    weighted = (weight[:, :, None] * centred).reshape(S * F, -1)
    normal = weighted.T @ centred.reshape(S * F, -1) + np.diag(precision)
    inverse = np.asarray(np.linalg.inv(normal), np.float64)
    target, c, constant = np.log(data), np.zeros(len(precision)), np.zeros(F)
    # Then with relative residuals: the logarithm of a noisy mean is biased.
    for _ in range(ROUNDS):
        step = inverse @ (weighted.T @ target.ravel() - precision * c)
        constant, c = constant + share @ target - means @ step, c + step
        prediction = np.exp(constant + columns @ c)
        target = data / prediction - 1
    chi2 = float(np.sum(target**2 * weight) + np.sum(c**2 * precision))
    volume = float(np.linalg.slogdet(normal)[1] - np.sum(np.log(precision)))
    score = chi2 + volume + F * (np.log(modes.sum()) + PENALTY * (len(inside) - S))
    return _Solution(
        fit, which, float(score), inside, constant, prediction, columns, centred, means, inverse, precision,
        weight,
    )  # fmt: skip


def _alone(shells: _Shells, which: Integers) -> _Solution:
    """q = 0 alone, as a fit that has all other data out of range."""
    inside = shells.q2 == 0
    data, none = shells.data[inside][:, which], np.zeros((1, len(which), 0))
    score = len(which) * (np.log(shells.modes[inside].sum()) + PENALTY * (len(inside) - 1))
    return _Solution(
        WaveFit(radius=0.0, curves=0), which, float(score), inside, np.log(data[0]), data, none, none,
        np.zeros((len(which), 0)), np.zeros((0, 0)), np.zeros(0), np.ones_like(data),
    )  # fmt: skip


def _noise(shells: _Shells, n: Integers, which: Integers) -> Array:
    """Relative variance of the disorder mean per mode, (F,), from the residuals of a flexible fit."""
    guess = np.full(shells.data.shape[1], 1e-12)     # the prior has no weight
    curves = max(1, min(4, len(shells.modes) - 3))
    found = _solve(shells, guess, n, which, WaveFit(width=1.0, slope=1.0, curves=curves))
    out = np.ones_like(guess)
    if found is not None:
        variance = found.residuals(shells).var(axis=0, ddof=1) / len(shells.samples)
        free = np.maximum(1 - found.leverage(), 0.05)
        out[which] = np.maximum(np.mean(variance * shells.modes[:, None] / free, axis=0), 1e-30)
    return out


# ---- many fits ---------------------------------------------------------------------------------------------


def _forms() -> list[WaveFit]:
    return [WaveFit(), *(WaveFit(1.0, *some) for some in product(FORMS, VELOCITIES, MASSES, DAMPED))]


def _joint_fits(shells: _Shells, noise: Array, n: Integers, which: Integers) -> list[_Solution]:
    """Fits of all frequencies: first all functions, then all priors and ranges for the best of them."""
    first = _forms()
    found = _fits(shells, noise, n, which, first)
    least = min(s.score for s in found)
    best = [s.fit for s in sorted(found, key=lambda s: s.score)[:MOST] if s.score < least + HOPELESS]
    more = [
        *(replace(fit, width=w, decay=d, slope=s, own_width=o if fit.form else fit.own_width)
          for fit, (w, d), s, o in product(best, SMOOTH, SLOPES, OWN_WIDTHS)),
        *(replace(fit, radius=radius) for fit, radius in product(best, RADII[1:])),
    ]  # fmt: skip
    new = [fit for fit in dict.fromkeys(more) if fit not in first]
    return [*found, *_fits(shells, noise, n, which, new)]


def _fits(
    shells: _Shells, noise: Array, n: Integers, which: Integers, fits: Iterable[WaveFit]
) -> list[_Solution]:
    """Those of the fits that are possible."""
    solved = (_solve(shells, noise, n, which, fit) for fit in fits)
    return [s for s in solved if s is not None]


def _static_fits(shells: _Shells, n: Integers, i: int) -> list[_Solution]:
    """Fits of n = 0 by itself: static responses need not continue those of other frequencies."""
    which = np.array([i])
    # Without a mass they jump at q = 0; factors of frequency mean nothing here.
    forms = [fit for fit in _forms() if not fit.form or (fit.mass and not fit.damped)]
    single = [
        *(replace(fit, slope=s, level=w) for fit, s, w in product(forms, STATIC_SLOPES, LEVELS)),
        *(replace(fit, radius=r, level=LEVELS[0], slope=0.3) for fit, r in product(forms, RADII[1:])),
    ]
    return [*_fits(shells, _noise(shells, n, which), n, which, single), _alone(shells, which)]


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
    """Average of alternatives for the same frequencies by their evidences."""
    score, which = np.array([s.score for s in fits]), fits[0].which
    weight = np.exp(-0.5 * (score - score.min()))
    kept = [fits[k] for k in np.flatnonzero(weight > NEGLIGIBLE)]
    share = weight[weight > NEGLIGIBLE] / weight[weight > NEGLIGIBLE].sum()
    samples, F = shells.samples[:, :, which], shells.data.shape[1]
    values, matrix, constant = [], np.zeros((samples.shape[1], len(which), len(which))), np.zeros(len(which))
    for w, fit in zip(share, kept, strict=True):
        B, c = fit.influence(shells)
        values.append(np.einsum("qg,qgf->f", shells.data[:, which], B) + c)
        matrix, constant = matrix + w * B, constant + w * c
    out = _Average(np.full((len(samples), F), np.nan), np.zeros((F, F)), np.full(F, np.nan))
    out.samples[:, which] = np.tensordot(samples, matrix, 2) + constant
    apart = np.array(values) - share @ np.array(values)
    prior = sum(w * fit.prior_spread() for w, fit in zip(share, kept, strict=True))
    out.spread[np.ix_(which, which)] = (apart * share[:, None]).T @ apart + prior
    out.radius[which] = share @ [fit.fit.radius for fit in kept]
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
    flat = best.residuals(shells).reshape(samples, -1)
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
    p_value = float(chdtrc(effective, chi2 / inflation * effective / dof))
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
