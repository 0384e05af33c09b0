"""Responses at finite wave vectors: transverse currents and bond energies of one configuration.

    K_T(q, n)    |sum_(r,k) J_T(q) exp(i w_n tau_k)|^2 / (N beta)                       E_J
    chi_s(q, n)  (eps/(N L_tau)) (|sum_(r,k) B exp(-i q R) exp(i w_n tau_k)|^2 + contact)   1/E_J

J_T(q) = (q^_y J_x(q) - q^_x J_y(q))/|q^| with q^ = 2 sin(q/2) and the phases exp(-i q R) of the midpoints R
of the bonds: static currents along q then vanish exactly. The disorder mean of K_T tends to rho(i w_n) for
q -> 0. The total current is one random number; transverse currents are many independent ones.

A wave (m_x, m_y), m_x = 0 .. Lx//2, m_y = 0 .. Ly//2, stands for the vectors q = 2 pi (+-m_x/Lx, +-m_y/Ly),
and every value is the mean over them and over +-w_n. With real sums a over the products of one cosine or sine
each along x, y and tau, these means are plain sums of squares: all signs are used, and no complex number is
needed. Bonds carry no current most of the time, so the transform in time runs over the other ones only.
chi_s leaves out the constant energy of bonds without current: it is meaningless at n = 0.
"""

import numpy as np
from numpy.typing import NDArray

from sitqmc.jit import inlined, kernel, kernel_helper
from sitqmc.qmc.measure.estimators import BOND_ENERGY, Operators
from sitqmc.qmc.measure.wave_tables import B_X, B_Y, J_X, J_Y, Array, Folded, Integers, Reals, Waves, WaveWork
from sitqmc.qmc.worm.packing import Words


@inlined
def _list_currents(words, start, L_tau, bits, y_shift, bias, times, counts, large):  # type: ignore[no-untyped-def]
    """List the slices where the bonds of the column from `start` on carry current.

    times   int64 (4, L_tau + 1): of J = 1 and J = -1 along x, the same along y; counts (4,): how many
    large   int64 (2 L_tau, 3): direction, slice and J of larger currents; returns how many
    """
    word = np.int64(words[start])
    x_still = bias if word & bits else 0
    y_still = bias if (word >> y_shift) & bits else 0
    still, both = x_still | (y_still << y_shift), bits | (bits << y_shift)
    x_up = x_down = y_up = y_down = rest = 0
    for k in range(L_tau):
        word = np.int64(words[start + k]) & both
        if word != still:
            x, y = (word & bits) - x_still, ((word >> y_shift) & bits) - y_still
            # Without branches: which of the four it is cannot be predicted.
            times[0, x_up] = times[1, x_down] = times[2, y_up] = times[3, y_down] = k
            x_up += x == 1
            x_down += x == -1
            y_up += y == 1
            y_down += y == -1
            if x * x > 1:
                large[rest, 0], large[rest, 1], large[rest, 2] = 0, k, x
                rest += 1
            if y * y > 1:
                large[rest, 0], large[rest, 1], large[rest, 2] = 1, k, y
                rest += 1
    counts[0], counts[1], counts[2], counts[3] = x_up, x_down, y_up, y_down
    return rest


@inlined
def _add_times(times, number, count, time, row, field, x):  # type: ignore[no-untyped-def]
    """row[field, x] = sum of the phases `time` (L_tau, W) over a list of times, two at a time."""
    width = time.shape[1]
    for w in range(width):
        row[field, x, w] = np.float32(0.0)
    for e in range(0, count - 1, 2):
        k, next_k = times[number, e], times[number, e + 1]
        for w in range(width):
            row[field, x, w] += time[k, w] + time[next_k, w]
    if count % 2:
        k = times[number, count - 1]
        for w in range(width):
            row[field, x, w] += time[k, w]


@kernel_helper
def _transform_times(
    words: Words, y: int, bonds: Array, bond_row: NDArray[np.int32], L_tau: int, bits: int, y_shift: int,
    bias: int, time: Reals, times: Integers, counts: Integers, large: Integers, row: Reals,
) -> None:  # fmt: skip
    """Fill `row` with the transforms of the currents and bond energies of row y of the array.

    bonds   (tables, width, 3), see `Operators`: the energy of a current less that of none is the last one
    A current of +-1, the common case, is one addition to the sum of its sign: J = up - down, and the energy
    is that of a single current times (up + down). Larger ones are written as such sums.
    """
    Lx, width, middle = row.shape[1], row.shape[2], bonds.shape[1] // 2
    for x in range(Lx):                          # no slices inside: they would count references
        column = y * Lx + x
        rest = _list_currents(words, column * L_tau, L_tau, bits, y_shift, bias, times, counts, large)
        for mu in range(2):
            _add_times(times, 2 * mu, counts[2 * mu], time, row, J_X + mu, x)
            _add_times(times, 2 * mu + 1, counts[2 * mu + 1], time, row, B_X + mu, x)
        for e in range(rest):
            mu, k, J = large[e, 0], large[e, 1], large[e, 2]
            table = bond_row[mu, column]
            ratio = bonds[table, middle + J, BOND_ENERGY] / bonds[table, middle + 1, BOND_ENERGY]
            up = np.float32(0.5 * (ratio + J))
            down = up - np.float32(J)
            for w in range(width):
                row[J_X + mu, x, w] += up * time[k, w]
                row[B_X + mu, x, w] += down * time[k, w]
        for mu in range(2):
            single = np.float32(bonds[bond_row[mu, column], middle + 1, BOND_ENERGY])
            for w in range(width):
                up, down = row[J_X + mu, x, w], row[B_X + mu, x, w]
                row[J_X + mu, x, w] = up - down
                row[B_X + mu, x, w] = single * (up + down)


@inlined
def _combine(coefficient, values, pairs, m, out):  # type: ignore[no-untyped-def]
    """out[w] = sum_j coefficient[j, m] values[j, w]; four terms at a time, to spare loads of `out`."""
    width = out.size
    whole = pairs - pairs % 4
    out[:] = np.float32(0.0)
    for j in range(0, whole, 4):
        a, b, c, d = coefficient[j, m], coefficient[j + 1, m], coefficient[j + 2, m], coefficient[j + 3, m]
        first, second, third, fourth = values[j], values[j + 1], values[j + 2], values[j + 3]
        for w in range(width):
            out[w] += (a * first[w] + b * second[w]) + (c * third[w] + d * fourth[w])
    for j in range(whole, pairs):
        a, first = coefficient[j, m], values[j]
        for w in range(width):
            out[w] += a * first[w]


@inlined
def _fold(fold, values, pairs):  # type: ignore[no-untyped-def]
    """Sums and differences of partners: pairs[0], pairs[1] from values (L, W)."""
    width = values.shape[1]
    for j in range(fold.first.size):
        one, other, twice = values[fold.first[j]], values[fold.second[j]], fold.twice[j]
        total, difference = pairs[0, j], pairs[1, j]
        for w in range(width):
            total[w] = one[w] + twice * other[w]
            difference[w] = one[w] - other[w]


@kernel_helper
def _transform_rows(fold: Folded, field: int, y: int, work: WaveWork) -> None:
    """Transform row y of a field along x."""
    _fold(fold, work.row[field], work.pairs)
    count = fold.first.size
    for m in range(fold.cosine.shape[1]):
        _combine(fold.cosine, work.pairs[0], count, m, work.along_x[field, m, 0, y])
        _combine(fold.sine, work.pairs[1], count, m, work.along_x[field, m, 1, y])


@kernel_helper
def _transform_columns(fold: Folded, field: int, m_x: int, top: int, work: WaveWork) -> None:
    """Transform a field of one m_x along y, up to m_y = top."""
    count = fold.first.size
    for part in range(2):
        _fold(fold, work.along_x[field, m_x, part], work.pairs)
        for m in range(top + 1):
            _combine(fold.cosine, work.pairs[0], count, m, work.both[field, part, m, 0])
            _combine(fold.sine, work.pairs[1], count, m, work.both[field, part, m, 1])


@kernel_helper
def _add_squares(
    wave: int, waves: Waves, both: Reals, scale_K: float, scale_chi: float, contact: float,
    K_T: Array, chi_s: Array,
) -> None:  # fmt: skip
    """Add the squares of one wave to the rows K_T and chi_s, (frequencies,) each."""
    m_y, half = waves.numbers[wave, 1], waves.time.shape[1] // 2
    h_x, h_y = waves.hat[wave, 0], waves.hat[wave, 1]
    x, y = both[J_X, :, m_y], both[J_Y, :, m_y]      # [part along x, part along y, W]
    b_x, b_y = both[B_X, :, m_y], both[B_Y, :, m_y]
    for n in range(waves.n.size):
        current = energy = 0.0
        for w in (n, n + half):
            # The signs of q^_x and q^_y turn a cosine into a sine along the same direction.
            current += (h_y * x[0, 1, w] - h_x * y[1, 0, w]) ** 2
            current += (h_y * x[1, 0, w] - h_x * y[0, 1, w]) ** 2
            current += (h_y * x[0, 0, w] + h_x * y[1, 1, w]) ** 2
            current += (h_y * x[1, 1, w] + h_x * y[0, 0, w]) ** 2
            for s in range(2):
                for t in range(2):
                    energy += (np.float64(b_x[s, t, w]) + b_y[s, t, w]) ** 2
        K_T[n] += scale_K * current
        chi_s[n] += scale_chi * (energy + contact)


@kernel
def add_waves(
    words: Words, replica: int, contact: float, operators: Operators, waves: Waves, work: WaveWork,
    out: Array,
) -> None:  # fmt: skip
    """Add K_T and chi_s of one configuration to the sums `out` of a replica, (2, waves, frequencies).

    words     of the replica, (Lx Ly L_tau,)
    contact   sum of the contact terms of all space links
    """
    Lx, Ly, L_tau, eps = operators.Lx, operators.Ly, operators.L_tau, operators.eps
    for y in range(Ly):
        _transform_times(
            words, y, operators.bonds, operators.bond_table[replica], L_tau, operators.space_mask,
            operators.y_shift, operators.space_bias, waves.time, work.times, work.counts, work.large,
            work.row,
        )  # fmt: skip
        for mu in range(2):
            fold = waves.x_half if mu == 0 else waves.x_whole
            _transform_rows(fold, J_X + mu, y, work)
            _transform_rows(fold, B_X + mu, y, work)
    scale_K, scale_chi = 1 / (Lx * Ly * eps * L_tau), eps / (Lx * Ly * L_tau)
    wave = 0
    for m_x in range(waves.m_y_max.size):
        top = waves.m_y_max[m_x]
        for mu in range(2):
            fold = waves.y_whole if mu == 0 else waves.y_half
            _transform_columns(fold, J_X + mu, m_x, top, work)
            _transform_columns(fold, B_X + mu, m_x, top, work)
        while wave < len(waves.numbers) and waves.numbers[wave, 0] == m_x:
            place = waves.place[wave]
            _add_squares(wave, waves, work.both, scale_K, scale_chi, contact, out[0, place], out[1, place])
            wave += 1
