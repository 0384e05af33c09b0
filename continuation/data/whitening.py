"""From correlated data to a small set of independent, unit-variance equations.

Five rules, applied in this order; `WhiteningReport` says what each one did.

1. Signal space. The rows, divided by their errors, are rotated to the left singular vectors of the kernel
   (with the column of the additive constant) and the leading ones kept: at most n_samples/3 of them, and
   none whose singular value is below 1e-9 of the largest. No spectrum contributes to the others, and the
   samples do not determine their covariance.
2. Shrinkage, only with fewer than three samples per component (n_samples < 12). Correlations between the
   kept components are multiplied by 1 - lambda with the variance-over-square estimate of the best lambda
   for Gaussian samples (Schaefer and Strimmer, Stat. Appl. Genet. Mol. Biol. 4, 32 (2005), the
   Ledoit-Wolf rule for correlations). Variances are kept. With more samples shrinkage would spoil precise
   combinations of the data.
3. Floor. Eigenvalues of the correlation matrix below 1e-10 of the largest are raised to that value.
4. Hartlap. The inverse of an estimated covariance is too large on average; it is multiplied by
   (n - p - 2)/(n - 1) (Hartlap, Simon, Schneider, Astron. Astrophys. 464, 399 (2007)).
5. The additive constant (stiffness, contact term) has a flat prior: it is eliminated exactly by
   projecting the whitened equations on the complement of its column, and recovered afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sitqmc.continuation.data.linear_system import LinearSystem
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.result import Result

SIGNAL_CUT = 1e-9
EIGEN_FLOOR = 1e-10
VARIANCE_FLOOR = 1e-12      # of the largest variance: a row without any noise (rho_s = 0 by symmetry)
MIN_COMPONENTS = 4
HARTLAP_MIN = 0.2
CONSTANT_WEIGHT = 1.0       # scale of the constant's column relative to the kernel's largest row norm


@dataclass(frozen=True)
class WhiteningReport(Result):
    """What the five rules did.

    rows          data points that came in
    components    independent combinations kept
    variances_raised, variance_floor      rows without noise, and to what variance they were raised
    shrinkage     lambda, 0 = none
    eigenvalues_raised, eigenvalue_floor  of the correlation matrix, and to what
    hartlap       factor on the inverse covariance, 1 = none
    """

    rows: int
    components: int
    variances_raised: int
    variance_floor: float
    shrinkage: float
    eigenvalues_raised: int
    eigenvalue_floor: float
    hartlap: float


@dataclass(frozen=True, eq=False)
class WhitenedSystem:
    """Whitened equations: whitened_data = kernel @ x + unit noise, with x = A(omega) * weights.

    kernel            (m, omega), after elimination of the additive constant
    vector            (rows,) data before whitening
    transform         (m + has_constant, rows): matrix from data vectors to whitened data
    constant_kernel   (omega,): constant = constant_at_zero - constant_kernel @ x +- constant_error;
                      None if no constant is free
    report, warnings  what the whitening did
    """

    grid: FrequencyGrid
    kernel: Array
    vector: Array
    transform: Array
    constant_kernel: Array | None
    constant_error: float
    report: WhiteningReport
    warnings: tuple[str, ...]

    @cached_property
    def whitened_data(self) -> Array:
        """Whitened data (m,)."""
        return self.whiten(self.vector)[0]

    @cached_property
    def constant_at_zero(self) -> float:
        """The additive constant if A = 0."""
        return float(self.whiten(self.vector)[1])

    def with_larger_errors(self, factor: float) -> WhitenedSystem:
        """Return the equations of the same data with all errors multiplied by a factor."""
        return replace(
            self, kernel=self.kernel / factor, transform=self.transform / factor,
            constant_error=self.constant_error * factor,
        )  # fmt: skip

    def whiten(self, vectors: Array) -> tuple[Array, Array]:
        """Return (whitened data (..., m), constant at A = 0 (...)) of data vectors (..., rows)."""
        white = vectors @ self.transform.T
        if self.constant_kernel is None:
            return white, np.zeros(white.shape[:-1])
        return white[..., :-1], white[..., -1] * self.constant_error


def shrinkage_intensity(correlation: Array, n_samples: int | None) -> float:
    """Return lambda of rule 2 in [0, 1] of a correlation matrix (p, p); 0 for an exactly known one."""
    if n_samples is None or len(correlation) < 2 or n_samples >= 3 * len(correlation):
        return 0.0
    r2 = correlation[~np.eye(len(correlation), dtype=bool)] ** 2
    # Var(r) = (1 - r^2)^2/(n - 1) for Gaussian samples.
    expected = float(np.sum((1.0 - r2) ** 2)) / (n_samples - 1)
    return float(min(1.0, expected / max(float(r2.sum()), 1e-300)))


def hartlap_factor(n_samples: int | None, components: int) -> float:
    """Return (n - p - 2)/(n - 1), not below HARTLAP_MIN; 1 for an exactly known covariance."""
    if n_samples is None:
        return 1.0
    return max((n_samples - components - 2) / (n_samples - 1), HARTLAP_MIN)


def signal_space(kernel: Array, constant: Array | None, errors: Array, limit: int) -> Array:
    """Return orthonormal rows (p, rows) that span the data of all spectra and constants, p <= limit."""
    columns = kernel / errors[:, None]
    if constant is not None:
        # As large as all frequencies together, so that the constant is never cut off.
        weight = CONSTANT_WEIGHT * np.sqrt(columns.shape[1])
        columns = np.column_stack([columns, weight * 2.0 / np.pi * constant / errors])
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    count = int(np.count_nonzero(singular > SIGNAL_CUT * singular[0]))
    return left[:, : max(1, min(count, limit))].T


def _floored_errors(variances: Array) -> tuple[Array, int, float]:
    """Return errors with rows of (almost) no noise raised, their number, and the floor variance."""
    floor = VARIANCE_FLOOR * float(variances.max())
    return np.sqrt(np.maximum(variances, floor)), int(np.count_nonzero(variances < floor)), floor


def _inverse_root(correlation: Array) -> tuple[Array, int, float]:
    """Return C^(-1/2) (p, p), rows in the eigenbasis, the number of raised eigenvalues and the floor."""
    values, vectors = np.linalg.eigh(correlation)
    floor = EIGEN_FLOOR * float(values[-1])
    raised = int(np.count_nonzero(values < floor))
    return (vectors / np.sqrt(np.maximum(values, floor))).T, raised, floor


def component_limit(n_samples: int | None, rows: int) -> int:
    """Return the number of components that the samples determine: n_samples/3, at least MIN_COMPONENTS."""
    return rows if n_samples is None else min(rows, max(MIN_COMPONENTS, n_samples // 3))


def whiten(system: LinearSystem) -> WhitenedSystem:
    """Return the whitened equations; a free additive constant is eliminated."""
    kernel, covariance = system.kernel, system.covariance
    errors, raised, variance_floor = _floored_errors(np.diag(covariance))
    limit = component_limit(system.n_samples, len(kernel))
    basis = signal_space(kernel, system.free_column, errors, limit)
    reduced = basis @ (covariance / np.outer(errors, errors)) @ basis.T
    spread = np.sqrt(np.maximum(np.diag(reduced), VARIANCE_FLOOR * np.diag(reduced).max()))
    correlation = reduced / np.outer(spread, spread)
    lam = shrinkage_intensity(correlation, system.n_samples)
    correlation = (1.0 - lam) * correlation
    np.fill_diagonal(correlation, 1.0)
    root, eigen_raised, eigen_floor = _inverse_root(correlation)
    factor = hartlap_factor(system.n_samples, len(basis))
    transform = np.sqrt(factor) * root @ ((basis / errors) / spread[:, None])
    report = WhiteningReport(
        rows=len(kernel), components=len(basis), variances_raised=raised, variance_floor=variance_floor,
        shrinkage=lam, eigenvalues_raised=eigen_raised, eigenvalue_floor=eigen_floor, hartlap=factor,
    )  # fmt: skip
    return _eliminate(system, transform, report)


def _eliminate(system: LinearSystem, transform: Array, report: WhiteningReport) -> WhitenedSystem:
    """Apply rule 5: rotate so that the last equation alone holds the constant."""
    grid, column, vector, warnings = system.grid, system.free_column, system.vector, _warnings(report)
    if column is None:
        kernel = transform @ system.kernel
        return WhitenedSystem(grid, kernel, vector, transform, None, 0.0, report, warnings)
    direction = transform @ column
    length = float(np.linalg.norm(direction))
    rotation = np.linalg.qr(direction[:, None], mode="complete")[0]
    # QR may return minus the direction: the sign is fixed so that the constant enters with + length.
    rotation[:, 0] = direction / length
    transform = np.roll(rotation, -1, axis=1).T @ transform
    white = transform @ system.kernel
    return WhitenedSystem(
        grid, white[:-1], vector, transform, white[-1] / length, 1.0 / length, report, warnings
    )


def _warnings(report: WhiteningReport) -> tuple[str, ...]:
    notes = []
    if report.hartlap < 0.75:
        notes.append(
            f"few samples: {report.rows} points reduced to {report.components} components, "
            f"errors enlarged by {report.hartlap**-0.5:.2f}"
        )
    if report.shrinkage > 0.3:
        notes.append(f"covariance mostly shrunk (lambda = {report.shrinkage:.2f}): more samples are needed")
    if report.eigenvalues_raised:
        notes.append(f"{report.eigenvalues_raised} eigenvalues raised to {report.eigenvalue_floor:.1e}")
    if report.variances_raised:
        floor = report.variance_floor
        notes.append(f"{report.variances_raised} points without noise: variance set to {floor:.1e}")
    return tuple(notes)
