"""Correlators in imaginary time or at Matsubara frequencies, with their covariance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sitqmc.continuation.data.constraints import Constraint
from sitqmc.continuation.data.input import (
    MIN_SAMPLES,
    check_samples,
    covariance_of,
    doubled_numbers,
    matsubara_numbers,
    real_samples,
    real_values,
    scattered,
    stacked_covariance,
    stacked_parts,
)
from sitqmc.continuation.data.kinds import KINDS, definition
from sitqmc.continuation.kernels.kernels import (
    Array,
    current_kernel,
    matsubara,
    response_kernel,
    sum_kernel,
    tau_kernel,
    two_sided_kernel,
)
from sitqmc.result import Result

Kind = Literal[
    "rho_iw", "lambda_iw", "lambda_tau", "green_tau", "chi_tau", "chi_iw",
    "fermion_tau", "fermion_iw", "boson_tau", "boson_iw",
]  # fmt: skip
MIN_POINTS = 3
NEGATIVE = 6.0       # errors beyond which a value of the wrong sign is no noise
HEAVY_TAIL = 6.0     # a mean excess kurtosis above this makes the covariance itself unreliable


@dataclass(frozen=True, eq=False)
class CorrelatorData(Result):
    """Mean and covariance of one correlator.

    The spectrum A >= 0 is defined by the integral of the kind, w over w > 0 unless stated:
      rho_iw       rho = rho_s + (2/pi) int dw w_n^2/(w^2 + w_n^2) A          A = sigma_reg
      lambda_iw    Lambda = constant + (2/pi) int dw w^2/(w^2 + w_n^2) A      A = sigma_reg
      chi_iw       chi = (2/pi) int dw w^2/(w^2 + w_n^2) A                    A = chi''/w
      lambda_tau, green_tau, chi_tau
                   (1/pi) int dw w cosh[w (tau - beta/2)]/sinh(w beta/2) A    A = sigma_reg, P/w, chi''/w
      fermion_tau  -G(tau) = int dw exp(-w tau)/(1 + exp(-beta w)) A          all w
      fermion_iw   G(i w_n) = int dw A/(i w_n - w), w_n = (2 n + 1) pi/beta   all w
      boson_tau    C(tau) = (1/pi) int dw w exp(-w tau)/(1 - exp(-beta w)) A  all w, A = C''/w
      boson_iw     C(i w_n) = (1/pi) int dw w/(w - i w_n) A                   all w, A = C''/w
    A correlator without a definite sign is a difference of such: see `continue_mixed`.

    kind        see above
    beta        inverse temperature
    grid        (n_points,) Matsubara integers for *_iw in any order and with gaps (the constructors take
                physical frequencies 2 pi n/beta too), times in [0, beta] for *_tau
    mean        (n_points,)
    covariance  (n_points, n_points) of the mean, not of one sample
    n_samples   number of independent samples behind the covariance; None: the covariance is exact
    eps         time step of the simulation; None for continuous time
    kinetic     (mean of <-k_x>, its variance, its covariance (n_points,) with the mean), or None
    samples     (n_samples, n_points [+ 1 with kinetic]), kept for the jackknife, or None
    warnings    remarks on the data, carried into the result
    constraints further equations: a known stiffness, f-sum or moment, with errors
    imaginary   (n_points,) which rows are imaginary parts, for complex data (fermion_iw, boson_iw), else None
    """

    kind: str
    beta: float
    grid: Array
    mean: Array
    covariance: Array
    n_samples: int | None = None
    eps: float | None = None
    kinetic: tuple[float, float, Array] | None = None
    samples: Array | None = None
    warnings: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    imaginary: Array | None = None

    def __post_init__(self) -> None:
        _check_axes(self)
        _check_values(self)

    @classmethod
    def from_samples(
        cls,
        samples: ArrayLike,
        *,
        kind: Kind,
        beta: float,
        grid: ArrayLike,
        eps: float | None = None,
        kinetic: ArrayLike | None = None,
        covariance: ArrayLike | None = None,
        imaginary: ArrayLike | None = None,
    ) -> CorrelatorData:
        """Return the data of independent samples (disorder samples or rebinned bins).

        samples     (n_samples, n_points); complex for fermion_iw and boson_iw, or both parts side by side
                    with `imaginary`, which tells the columns of imaginary parts
        kinetic     (n_samples,) values of <-k_x> on the same samples, to impose the f-sum rule (rho_iw only)
        covariance  (n_points, n_points) of the mean of the samples, if it holds more than their scatter, such
                    as the spread between fits in `qmc.Average.covariance`. The samples kept scatter by it,
                    around the same mean: jackknife and bootstrap errors contain it as well
        raises      ValueError for samples or a covariance that no mean can have, or a covariance below the
                    scatter of the samples
        """
        check_kind(kind)
        if KINDS[kind].complex_:
            samples, grid, imaginary = stacked_parts(samples, grid, kind, imaginary)
        table = real_samples(samples, kind)
        if table.ndim != 2:
            raise ValueError(f"samples have shape {table.shape}: give (n_samples, n_points)")
        n_points = table.shape[1]
        if kinetic is not None:
            extra = np.asarray(kinetic, dtype=float)
            if extra.shape != (table.shape[0],):
                raise ValueError(f"kinetic has shape {extra.shape}: give one value per sample, {len(table)}")
            table = np.column_stack([table, extra])
        check_samples(table)
        if covariance is not None:
            table = scattered(table, covariance_of(covariance))
        mean = table.mean(axis=0)
        covariance = np.atleast_2d(np.cov(table, rowvar=False)) / len(table)
        joint = None
        points, remarks = _axis(grid, kind, float(beta))
        if kinetic is not None:
            joint = (float(mean[-1]), float(covariance[-1, -1]), covariance[:-1, -1].copy())
        return cls(
            kind=kind, beta=float(beta), grid=points, mean=mean[:n_points],
            covariance=covariance[:n_points, :n_points], n_samples=len(table), eps=eps, kinetic=joint,
            samples=table, warnings=(*_tail_warnings(table), *remarks), imaginary=_mask(imaginary),
        )  # fmt: skip

    @classmethod
    def from_mean_cov(
        cls,
        mean: ArrayLike,
        covariance: ArrayLike,
        *,
        kind: Kind,
        beta: float,
        grid: ArrayLike,
        n_samples: int | None = None,
        eps: float | None = None,
        kinetic: tuple[float, float, ArrayLike] | None = None,
        imaginary: ArrayLike | None = None,
    ) -> CorrelatorData:
        """Return the data of a mean and its covariance; n_samples None if the covariance is exact.

        mean        (n_points,); complex or with `imaginary` as in `from_samples`
        covariance  (n_points, n_points), or the errors (n_points,) of independent points. Complex data:
                    errors of the real and of the imaginary part, or of all real and then all imaginary parts
        """
        check_kind(kind)
        if KINDS[kind].complex_:
            covariance = stacked_covariance(covariance, mean, grid, kind, imaginary)
            mean, grid, imaginary = stacked_parts(mean, grid, kind, imaginary)
        C, (points, remarks) = covariance_of(covariance), _axis(grid, kind, float(beta))
        values = real_values(mean, np.sqrt(np.abs(np.diag(C))), kind)
        joint = None if kinetic is None else (kinetic[0], kinetic[1], np.asarray(kinetic[2], dtype=float))
        return cls(
            kind=kind, beta=float(beta), grid=points, mean=values, covariance=C, n_samples=n_samples, eps=eps,
            kinetic=joint, warnings=remarks, imaginary=_mask(imaginary),
        )  # fmt: skip

    def with_constraints(self, *constraints: Constraint) -> CorrelatorData:
        """Return the same data with further constraints."""
        return replace(self, constraints=(*self.constraints, *constraints))

    def with_warning(self, text: str) -> CorrelatorData:
        """Return the same data with a further remark, which the result will carry."""
        return replace(self, warnings=(*self.warnings, text))

    def without_constraints(self) -> CorrelatorData:
        """Return the data without constraints, for scales and magnitudes."""
        return replace(self, constraints=()) if self.constraints else self

    @property
    def is_matsubara(self) -> bool:
        """Whether the grid holds Matsubara integers."""
        return self.kind.endswith("_iw")

    @property
    def two_sided(self) -> bool:
        """Whether A differs at +omega and -omega."""
        return KINDS[self.kind].two_sided

    @property
    def frequencies(self) -> Array:
        """w_n of the grid, shape (n_points,); Matsubara data only."""
        if not self.is_matsubara:
            raise ValueError(f"kind {self.kind} is a function of tau: it has no Matsubara frequencies")
        return matsubara(self.grid + 0.5 * KINDS[self.kind].fermionic, self.beta)

    def kernel(self, omega: Array) -> Array:
        """Return the kernel against the spectrum, shape (rows, omega): data, <-k_x>, constraints."""
        rows = [self._kernel(omega)]
        if self.kinetic is not None:
            rows.append(sum_kernel(omega))
        return np.vstack([*rows, *(constraint.row(omega) for constraint in self.constraints)])

    def _kernel(self, omega: Array) -> Array:
        if self.kind == "rho_iw":
            return current_kernel(self.grid, omega, self.beta, self.eps)
        if self.two_sided:
            points = self.frequencies if self.is_matsubara else self.grid
            values = two_sided_kernel(self.kind, points, omega, self.beta)
            if self.imaginary is None:
                return values
            return np.where(self.imaginary[:, None] > 0, values.imag, values.real)
        if self.kind in ("chi_iw", "lambda_iw"):
            return response_kernel(self.grid, omega, self.beta, self.eps)
        return tau_kernel(self.grid, omega, self.beta)

    def constant_column(self) -> Array | None:
        """Return the column of the constant: rho_s, or a contact term (lambda_iw, chi_iw with eps)."""
        if self.kind in ("rho_iw", "lambda_iw") or (self.kind == "chi_iw" and self.eps is not None):
            plain = np.ones(self.mean.size + (self.kinetic is not None))
            return np.append(plain, [constraint.constant for constraint in self.constraints])
        return None

    def vector(self) -> Array:
        """Return the data of the joint likelihood, shape (rows,)."""
        kinetic = [] if self.kinetic is None else [self.kinetic[0]]
        return np.concatenate([self.mean, kinetic, [constraint.value for constraint in self.constraints]])

    def joint_covariance(self) -> Array:
        """Return the covariance of `vector`, shape (rows, rows), symmetric to the last bit."""
        C = 0.5 * (self.covariance + self.covariance.T)
        if self.kinetic is not None:
            _, variance, cross = self.kinetic
            C = np.block([[C, cross[:, None]], [cross[None, :], np.array([[variance]])]])
        for constraint in self.constraints:
            column = np.zeros(len(C))
            if constraint.covariance is not None:
                column[: self.mean.size] = constraint.covariance
            C = np.block([[C, column[:, None]], [column[None, :], np.array([[constraint.error**2]])]])
        return np.asarray(C)


def _axis(grid: ArrayLike, kind: str, beta: float) -> tuple[Array, tuple[str, ...]]:
    """Return the grid, with integers for physical Matsubara frequencies, and remarks."""
    if not kind.endswith("_iw"):
        return np.asarray(grid, dtype=float), ()
    fermionic = KINDS[kind].fermionic
    n = matsubara_numbers(grid, beta, 0.5 * fermionic)
    return n, () if fermionic else doubled_numbers(np.unique(n))


def _mask(imaginary: ArrayLike | None) -> Array | None:
    return None if imaginary is None else np.asarray(imaginary, dtype=float)


def check_kind(kind: str) -> None:
    """Refuse an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}: choose one of {', '.join(KINDS)}")


def _check_axes(data: CorrelatorData) -> None:
    """Refuse a wrong kind, wrong shapes and points outside their range."""
    check_kind(data.kind)
    if data.two_sided and data.eps is not None:
        raise ValueError(f"eps = {data.eps}: kind {data.kind} has no time step; leave eps out")
    if not data.beta > 0:
        raise ValueError(f"beta = {data.beta}: the inverse temperature must be > 0")
    if data.eps is not None and not 0 < data.eps < data.beta:
        raise ValueError(f"eps = {data.eps}: the time step must be in (0, beta), or None for continuous time")
    n = data.mean.size
    if data.mean.ndim != 1 or data.grid.shape != data.mean.shape or data.covariance.shape != (n, n):
        raise ValueError(
            f"shapes grid {data.grid.shape}, mean {data.mean.shape}, covariance {data.covariance.shape}: "
            "need (n,), (n,), (n, n)"
        )
    if n < MIN_POINTS:
        raise ValueError(f"{n} data points: at least {MIN_POINTS} are needed, measure more n or tau")
    if data.kinetic is not None:
        if data.kind != "rho_iw":
            raise ValueError(f"kinetic given with kind {data.kind}: the f-sum rule belongs to rho_iw")
        if data.kinetic[2].shape != (n,):
            raise ValueError(f"kinetic covariance has shape {data.kinetic[2].shape}: need ({n},)")
    for constraint in data.constraints:
        if constraint.covariance is not None and np.shape(constraint.covariance) != (n,):
            shape = np.shape(constraint.covariance)
            raise ValueError(f"{constraint.name}: covariance has shape {shape}, need ({n},)")
        if constraint.constant and data.constant_column() is None:
            raise ValueError(f"{constraint.name} with kind {data.kind}: these data have no additive constant")
    if data.is_matsubara:
        _check_matsubara(data)
    elif not (np.all(data.grid >= 0) and np.all(data.grid <= data.beta * (1 + 1e-12))):
        raise ValueError(f"tau outside [0, beta = {data.beta}]: give times, not slice numbers")
    elif np.unique(data.grid).size != data.grid.size:
        raise ValueError("a time tau occurs twice: average the two rows first")
    elif data.eps is not None and data.kind != "green_tau" and np.any(data.grid < 0.5 * data.eps):
        raise ValueError(f"tau = 0 with eps = {data.eps}: it holds a contact term, drop that point")


def _check_matsubara(data: CorrelatorData) -> None:
    grid = data.grid
    if not (np.all(grid == np.round(grid)) and np.all(grid >= 0)):
        raise ValueError(f"Matsubara indices {grid[:4]} ...: give integers n >= 0 or frequencies 2 pi n/beta")
    parts = np.zeros(grid.size) if data.imaginary is None else data.imaginary
    if len(set(zip(grid, parts, strict=True))) != grid.size:
        raise ValueError("a Matsubara index occurs twice: average the two rows first")
    if data.eps is not None and grid.max() > 0.5 * data.beta / data.eps * (1 + 1e-9):
        bound = 0.5 * data.beta / data.eps
        raise ValueError(
            f"n up to {grid.max():.0f}: beta/(2 eps) = {bound:g} is the largest independent n; "
            "drop the rows above it"
        )


def _check_values(data: CorrelatorData) -> None:
    """Refuse values that no average of samples can have."""
    vector, C = data.vector(), data.covariance
    if not (np.isfinite(vector).all() and np.isfinite(data.joint_covariance()).all()):
        raise ValueError("NaN or infinity in mean or covariance: look for empty bins in the input")
    scale, asymmetry = np.abs(C).max(), np.abs(C - C.T).max()
    if asymmetry > 1e-6 * scale:
        raise ValueError(
            f"covariance differs from its transpose by {asymmetry:.2e} (largest entry {scale:.2e}): "
            "use (C + C.T)/2 only if you know the cause"
        )
    variances = np.diag(data.joint_covariance())
    if np.any(variances < 0):
        raise ValueError(f"variance {variances.min():.2e} < 0: it must be >= 0, check the covariance")
    # Below the rounding of the mean a variance is no information.
    if not np.any(variances > (1e-15 * np.abs(vector).max()) ** 2):
        raise ValueError("all variances are 0: the samples are identical, give at least the true errors")
    lowest = np.linalg.eigvalsh(data.joint_covariance())[0]
    if lowest < -1e-6 * variances.max():
        raise ValueError(
            f"covariance has eigenvalue {lowest:.2e} < 0 (largest variance {variances.max():.2e}): "
            "this is no covariance matrix; check units and order of the points"
        )
    if data.n_samples is not None and data.n_samples < MIN_SAMPLES:
        raise ValueError(f"n_samples = {data.n_samples}: at least {MIN_SAMPLES} are needed for a covariance")
    _check_signs(data)


def _check_signs(data: CorrelatorData) -> None:
    """Refuse values that no A >= 0 gives, beyond their noise."""
    if data.kind not in ("chi_iw", "lambda_iw", "fermion_iw") and np.all(data.vector() <= 0):
        raise ValueError(f"no {data.kind} value is > 0: {definition(data.kind)}; check the sign")
    sign = np.ones(data.grid.size)
    if data.kind == "fermion_iw" and data.imaginary is not None:
        sign = -data.imaginary                   # the real part has no sign
    elif data.kind == "boson_iw" and data.imaginary is not None:
        sign = 1.0 - data.imaginary              # nor has this imaginary part
    elif data.kind == "lambda_iw" or (data.kind == "chi_iw" and data.eps is not None):
        return                                   # an unknown constant
    errors = np.sqrt(np.diag(data.covariance))
    if data.kind == "rho_iw":
        sign = np.where(data.grid == 0, 0.0, sign)   # a negative stiffness is set to zero with a warning
    worst = int(np.argmin(sign * data.mean + NEGATIVE * errors))
    if sign[worst] * data.mean[worst] < -NEGATIVE * errors[worst] - 1e-12 * np.abs(data.mean).max():
        raise ValueError(
            f"value {data.mean[worst]:.3g} +- {errors[worst]:.1g} of point {worst} has the wrong sign: "
            f"{definition(data.kind)}"
        )


def _tail_warnings(table: Array) -> tuple[str, ...]:
    """Return a remark if outlying samples dominate the covariance (mean excess kurtosis of the columns)."""
    centred = table - table.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    used = variance > 0
    if len(table) < 20 or not used.any():
        return ()
    kurtosis = float(np.mean((centred[:, used] ** 4).mean(axis=0) / variance[used] ** 2)) - 3.0
    if kurtosis < HEAVY_TAIL:
        return ()
    return (f"heavy-tailed samples: mean excess kurtosis {kurtosis:.1f}, the errors are not reliable",)
