"""Kramers-Kronig transform of sigma1 given at points, as a matrix, so that errors go through it exactly.

    sigma2(nu) = D/nu + (2 nu/pi) P int_0^inf sigma1(x)/(nu^2 - x^2) dx,

with sigma1 taken as straight lines between its points: every piece has a closed integral, and the logarithms
at the pole cancel between neighbouring pieces. For coarse points a cubic spline is laid through them first,
which is linear too.
"""

import numpy as np
from scipy.interpolate import CubicSpline

from sitqmc.analytic.units import Array


def transform_matrix(at: Array, points: Array) -> Array:
    """Return K with sigma2(at) = K @ sigma1(points), sigma1 linear in between and zero outside.

    at      (n_at,) > 0;  points  (n,) increasing, >= 0, in the same unit
    returns (n_at, n); the delta function at zero frequency is not included
    """
    nu = at[:, None]

    def primitive(x: Array, weight_here: Array, weight_mirror: Array) -> Array:
        # int (a + b x) [1/(nu - x) + 1/(nu + x)] dx, with a + b nu and a - b nu given. |nu - x| is kept off
        # zero: the two pieces that meet at the pole have equal weights there, so what is added cancels.
        gap = np.maximum(np.abs(nu - x), 1e-300)
        return -weight_here * np.log(gap) + weight_mirror * np.log(nu + x)

    left, right = points[None, :-1], points[None, 1:]
    width = right - left
    out = np.zeros((at.size, points.size))
    # Hat functions: falling from 1 to 0 and rising from 0 to 1 on each piece.
    falling, falling_mirror = (right - nu) / width, (right + nu) / width
    rising, rising_mirror = (nu - left) / width, -(nu + left) / width
    out[:, :-1] += primitive(right, falling, falling_mirror) - primitive(left, falling, falling_mirror)
    out[:, 1:] += primitive(right, rising, rising_mirror) - primitive(left, rising, rising_mirror)
    return out / np.pi


def smooth_transform_matrix(nu: Array) -> Array:
    """Return K with sigma2(nu) = K @ sigma1(nu) for smooth sigma1, zero at nu = 0 and above nu[-1].

    nu       (n,) increasing, > 0
    returns  (n, n); between the points runs the cubic spline with a flat start at zero (sigma1 is even)
    """
    refine = max(3, 400 // nu.size)
    knots = np.concatenate([[0.0], nu])
    ends = ((1, np.zeros(nu.size)), (2, np.zeros(nu.size)))
    spline = CubicSpline(knots, np.eye(knots.size)[:, 1:], bc_type=ends)
    fine = np.interp(np.arange(refine * nu.size + 1) / refine, np.arange(knots.size), knots)
    return np.asarray(transform_matrix(nu, fine) @ spline(fine))
