"""Composite Gauss rules clustered at square-root endpoints, filled inside compiled kernels.

Every integral of this package runs between points where the integrand behaves like sqrt(x) or 1/sqrt(x) and
varies on a known smallest scale a next to them. In y = sqrt(x) both behaviours are analytic, and the other
singularities (at x = -a, or x = +-i a) lie off the positive y axis by 45 degrees or more. Panels that grow by
at most a factor 3 in y, with 14 Gauss points each, then leave a relative error near 1e-11, whatever the ratio
of the scales: the cost grows like its logarithm.
"""

import numpy as np

from sitqmc.analytic.units import Array
from sitqmc.jit import kernel_helper

ORDER = 14
GROWTH = 3.0
_z, _w = np.polynomial.legendre.leggauss(ORDER)
UNIT_NODES: Array = 0.5 * (1.0 + _z)  # Gauss points and weights on (0, 1)
UNIT_WEIGHTS: Array = 0.5 * _w
FLOOR = 1e-30  # smallest scale resolved, relative to the interval
PANELS_PER_END = 36  # more than log(1/FLOOR)/log(GROWTH^2) + 2
NODES_PER_END = ORDER * PANELS_PER_END


@kernel_helper
def graded(length: float, scale: float, x: Array, w: Array, start: int) -> int:
    """Append nodes with sum_i w_i f(x_i) = int_0^length f(x) dx, f singular like a square root at 0.

    length > 0   the interval
    scale        smallest scale on which f varies near 0 (need not be below length)
    x, w         buffers, filled from index start; at most NODES_PER_END entries are written
    returns      the index after the last node
    """
    top = np.sqrt(length)
    high = min(top, np.sqrt(max(scale, FLOOR * length)))
    panels = int(np.ceil(np.log(top / high) / np.log(GROWTH)))
    growth = (top / high) ** (1.0 / max(panels, 1))
    low = 0.0
    for panel in range(panels + 1):
        if panel == panels:
            high = top
        for i in range(ORDER):
            y = low + (high - low) * UNIT_NODES[i]
            x[start] = y * y
            w[start] = 2.0 * y * (high - low) * UNIT_WEIGHTS[i]
            start += 1
        low, high = high, high * growth
    return start


@kernel_helper
def tail(begin: float, x: Array, w: Array, start: int) -> int:
    """Append nodes for int_begin^infinity f, f a power series in 1/x falling at least like 1/x^2.

    begin        several times larger than every scale of f; ORDER entries are written
    """
    for i in range(ORDER):
        u = UNIT_NODES[i]
        x[start] = begin / u
        w[start] = begin * UNIT_WEIGHTS[i] / (u * u)
        start += 1
    return start
