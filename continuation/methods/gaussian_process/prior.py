"""One log-Gaussian process as prior of the spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.gaussian_process import shapes

LEVEL = 1.0          # standard deviation of a constant in u: the total weight is free
RANK = 48
RANK_CUT = 1e-6      # share of the variance of u that the rank may leave out
NOTHING = np.empty(0)


@dataclass(frozen=True, eq=False)
class SpectralShape:
    """Base shape with parameters: family, location and log_width as in `shapes.log_shape`.

    w         (omega,) frequencies in units of the characteristic frequency
    response  (omega,) row that sets the magnitude
    offset    (omega,) added to the logarithm, to turn densities into x
    """

    family: int
    location: float
    log_width: float
    w: Array
    response: Array
    offset: Array


@dataclass(frozen=True, eq=False)
class Prior:
    """One member of the ensemble: ln x = base(theta) + Phi u, with c = (theta, u) standard normal.

    base    the fixed logarithm (omega,), or a `SpectralShape` with parameters
    Phi     (omega, rank)
    log_prior  ln of the prior probability of this member
    rigid   whether u is so stiff that the spectrum follows its base shape
    """

    name: str
    base: Array | SpectralShape
    Phi: Array
    log_prior: float = 0.0
    rigid: bool = False

    @property
    def n_theta(self) -> int:
        """Number of parameters of the base shape."""
        return shapes.N_THETA[self.base.family] if isinstance(self.base, SpectralShape) else 0

    @property
    def size(self) -> int:
        """Number of coefficients c."""
        return self.n_theta + self.Phi.shape[1]

    @cached_property
    def arguments(self) -> tuple[int, float, float, Array, Array, Array, Array]:
        """Arguments of the compiled functions of `shapes` and `newton`."""
        b, Phi = self.base, np.ascontiguousarray(self.Phi)
        if isinstance(b, SpectralShape):
            return b.family, b.location, b.log_width, b.w, b.response, b.offset, Phi
        return shapes.FIXED, 1.0, 1.0, NOTHING, NOTHING, np.ascontiguousarray(b), Phi

    def log_x(self, c: Array) -> Array:
        """Return ln x (omega,) of the coefficients."""
        return np.asarray(shapes.log_x(*self.arguments, c))

    def derivatives(self, K: Array, c: Array, x: Array, residual: Array) -> tuple[Array, Array]:
        """Return d ln x/dc, (omega, size), and residual . K d^2 x/dc^2, (size, size)."""
        family, location, log_width, w, response, _, Phi = self.arguments
        tangent = np.asarray(shapes.tangent(family, location, log_width, w, response, Phi, c))
        remainder = shapes.hessian_remainder(
            K, family, location, log_width, w, response, c, tangent, x, residual
        )
        return tangent, np.asarray(remainder)


def covariance_root(t: Array, length: float, amplitude: float) -> Array:
    """Return Phi (omega, rank) of a Matern-5/2 process by pivoted Cholesky, accurate to RANK_CUT.

    The process is even where all t are >= 0, the half of an axis.
    """
    mirror = 1.0 if t[0] >= 0 else 0.0

    def matern(r: Array) -> Array:
        s = np.sqrt(5.0) * r / length
        return np.asarray((1.0 + s + s * s / 3.0) * np.exp(-s))

    def column(j: int) -> Array:
        return amplitude**2 * (matern(np.abs(t - t[j])) + mirror * matern(np.abs(t + t[j])))

    left = amplitude**2 * (1.0 + mirror * matern(2.0 * np.abs(t)))
    cut, columns = RANK_CUT * left.max(), np.zeros((RANK, t.size))
    for k in range(RANK):
        # Rounded, so that ties are not decided by the last bit (and the unit of energy with it).
        j = int(np.argmax(np.round(left / left.max(), 6)))
        if left[j] < cut:
            return columns[:k].T
        columns[k] = (column(j) - columns[:k, j] @ columns[:k]) / np.sqrt(left[j])
        left = np.maximum(left - columns[k] ** 2, 0.0)
    return columns.T


def make_prior(
    name: str, base: Array | SpectralShape, root: Array, log_prior: float = 0.0, *, rigid: bool = False
) -> Prior:
    """Return a prior with root (omega, rank) of `covariance_root` and a level free within exp(LEVEL)."""
    return Prior(name, base, np.column_stack([root, np.full(len(root), LEVEL)]), log_prior, rigid)
