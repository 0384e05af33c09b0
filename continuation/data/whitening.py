"""From correlated data to a small set of independent, unit-variance equations.

The stated rule, applied in this order; the report says what each step did.

1. Signal space. The rows, divided by their errors, are rotated to the left singular vectors of the kernel
   (with the column of the additive constant) and the leading ones kept: at most n_samples/3 of them, and
   none whose singular value is below 1e-9 of the largest. The rest cannot be told from zero by any
   spectrum, but would need a covariance that the samples cannot give.
2. Shrinkage, only with fewer than three samples per component (n_samples < 12). Correlations between the
   kept components are multiplied by 1 - lambda with the variance-over-square estimate of the best lambda
   for Gaussian samples (Schaefer and Strimmer, Stat. Appl. Genet. Mol. Biol. 4, 32 (2005), the
   Ledoit-Wolf rule for correlations). Variances stay. With more samples it would hide precise
   combinations of the data behind the imprecise ones.
3. Floor. Eigenvalues of the correlation matrix below 1e-10 of the largest are raised to that value.
4. Hartlap. The inverse of an estimated covariance is too large on average; it is multiplied by
   (n - p - 2)/(n - 1) (Hartlap, Simon, Schneider, Astron. Astrophys. 464, 399 (2007)).
5. The additive constant (stiffness, contact term) has a flat prior: it is eliminated exactly by
   projecting the whitened equations on the complement of its column, and recovered afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sitqmc.continuation.data.correlator import CorrelatorData
from sitqmc.continuation.kernels.grids import FrequencyGrid
from sitqmc.continuation.kernels.kernels import Array

SIGNAL_CUT = 1e-9
EIGEN_FLOOR = 1e-10
VARIANCE_FLOOR = 1e-12      # of the largest variance: a row without any noise (rho_s = 0 by symmetry)
MIN_COMPONENTS = 4
HARTLAP_MIN = 0.2
CONSTANT_WEIGHT = 1.0       # scale of the constant's column relative to the kernel's largest row norm


@dataclass(frozen=True)
class WhiteningReport:
    """What the stated rule did.

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


@dataclass(frozen=True)
class WhitenedSystem:
    """Whitened problem: data = kernel @ x + noise of unit covariance, x = A(omega) * weights.

    kernel   (m, omega), data (m,): after elimination of the constant
    constant_kernel (omega,), constant_data, constant_error: constant = data - kernel @ x
    transform (m + has_constant, rows): whitened data = transform @ data vector, to whiten replicas alike
    null_chi2  chi^2 of A = 0
    """

    grid: FrequencyGrid
    kernel: Array
    transform: Array
    constant_kernel: Array | None
    constant_error: float
    report: WhiteningReport
    warnings: tuple[str, ...]

    def whiten(self, vector: Array) -> tuple[Array, float]:
        """(data (m,), constant at A = 0) of a data vector (rows,); 0.0 without a constant."""
        white = self.transform @ vector
        if self.constant_kernel is None:
            return white, 0.0
        return white[:-1], float(white[-1] * self.constant_error)


def shrinkage_intensity(correlation: Array, n_samples: int | None) -> float:
    """lambda of rule 2 in [0, 1], from a correlation matrix (p, p); 0 for an exactly known one."""
    if n_samples is None or len(correlation) < 2 or n_samples >= 3 * len(correlation):
        return 0.0
    r2 = correlation[~np.eye(len(correlation), dtype=bool)] ** 2
    # Var(r) = (1 - r^2)^2/(n - 1) for Gaussian samples.
    expected = float(np.sum((1.0 - r2) ** 2)) / (n_samples - 1)
    return float(min(1.0, expected / max(float(r2.sum()), 1e-300)))


def hartlap_factor(n_samples: int | None, components: int) -> float:
    """(n - p - 2)/(n - 1), not below HARTLAP_MIN; 1 for an exactly known covariance."""
    if n_samples is None:
        return 1.0
    return max((n_samples - components - 2) / (n_samples - 1), HARTLAP_MIN)


def signal_space(kernel: Array, constant: Array | None, errors: Array, limit: int) -> Array:
    """Orthonormal rows (p, rows) spanning what spectra and the constant can produce, p <= limit."""
    columns = kernel / errors[:, None]
    if constant is not None:
        # As heavy as all frequencies together, so that the constant is never cut away.
        weight = CONSTANT_WEIGHT * np.sqrt(columns.shape[1])
        columns = np.column_stack([columns, weight * 2.0 / np.pi * constant / errors])
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    count = int(np.count_nonzero(singular > SIGNAL_CUT * singular[0]))
    return left[:, : max(1, min(count, limit))].T


def _floored_errors(variances: Array) -> tuple[Array, int, float]:
    """Errors with rows of (almost) no noise raised; how many, and the floor variance."""
    floor = VARIANCE_FLOOR * float(variances.max())
    return np.sqrt(np.maximum(variances, floor)), int(np.count_nonzero(variances < floor)), floor


def _inverse_root(correlation: Array) -> tuple[Array, int, float]:
    """Rows of C^(-1/2) in the eigenbasis (p, p), eigenvalues raised, the floor used."""
    values, vectors = np.linalg.eigh(correlation)
    floor = EIGEN_FLOOR * float(values[-1])
    raised = int(np.count_nonzero(values < floor))
    return (vectors / np.sqrt(np.maximum(values, floor))).T, raised, floor


def component_limit(n_samples: int | None, rows: int) -> int:
    """How many components the samples can support: n_samples/3, at least MIN_COMPONENTS."""
    return rows if n_samples is None else min(rows, max(MIN_COMPONENTS, n_samples // 3))


def whiten(data: CorrelatorData, grid: FrequencyGrid, *, constant: bool = True) -> WhitenedSystem:
    """WhitenedSystem of the data on a frequency grid; constant=False imposes an additive constant of 0."""
    kernel, covariance = data.kernel(grid.omega), data.joint_covariance()
    column = data.constant_column() if constant else None
    errors, raised, variance_floor = _floored_errors(np.diag(covariance))
    basis = signal_space(kernel, column, errors, component_limit(data.n_samples, len(kernel)))
    reduced = basis @ (covariance / np.outer(errors, errors)) @ basis.T
    spread = np.sqrt(np.maximum(np.diag(reduced), VARIANCE_FLOOR * np.diag(reduced).max()))
    correlation = reduced / np.outer(spread, spread)
    lam = shrinkage_intensity(correlation, data.n_samples)
    correlation = (1.0 - lam) * correlation
    np.fill_diagonal(correlation, 1.0)
    root, eigen_raised, eigen_floor = _inverse_root(correlation)
    factor = hartlap_factor(data.n_samples, len(basis))
    transform = np.sqrt(factor) * root @ ((basis / errors) / spread[:, None])
    report = WhiteningReport(
        rows=len(kernel), components=len(basis), variances_raised=raised, variance_floor=variance_floor,
        shrinkage=lam, eigenvalues_raised=eigen_raised, eigenvalue_floor=eigen_floor, hartlap=factor,
    )  # fmt: skip
    return _eliminate(grid, transform, kernel, column, report)


def _eliminate(
    grid: FrequencyGrid, transform: Array, kernel: Array, column: Array | None, report: WhiteningReport
) -> WhitenedSystem:
    """Rule 5: rotate so that the last equation alone holds the constant."""
    warnings = _warnings(report)
    if column is None:
        return WhitenedSystem(grid, transform @ kernel, transform, None, 0.0, report, warnings)
    direction = transform @ column
    length = float(np.linalg.norm(direction))
    rotation = np.linalg.qr(direction[:, None], mode="complete")[0]
    # QR may return minus the direction: the sign is fixed so that the constant enters with + length.
    rotation[:, 0] = direction / length
    transform = np.roll(rotation, -1, axis=1).T @ transform
    white = transform @ kernel
    return WhitenedSystem(grid, white[:-1], transform, white[-1] / length, 1.0 / length, report, warnings)


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
