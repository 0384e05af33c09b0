"""The kernels that read a configuration; `sitqmc.qmc.measure.estimators` says what they measure."""

import numpy as np

from sitqmc.qmc.measure.estimators import Array, Measured, Operators, Work
from sitqmc.qmc.measure.packed_sums import count_currents, start_empty
from sitqmc.qmc.worm.jit import inlined, kernel
from sitqmc.qmc.worm.packing import Words


@kernel
def sum_currents(words: Words, replica: int, operators: Operators, out: Work) -> None:
    """Fill the sums of `out` (but the transform) from the words of a replica, (Lx Ly L_tau,).

    Most space links carry no current, so each slice starts from the value of the empty configuration,
    and only words that differ from it are looked at link by link.
    """
    L_tau, middle = operators.L_tau, operators.bonds.shape[1] // 2
    x_bits, y_shift, t_shift = operators.space_mask, operators.y_shift, operators.t_shift
    t_bits, bias, t_bias = operators.time_mask, operators.space_bias, operators.time_bias
    first, t_first = bias - middle, t_bias - middle      # fields of the first entry of a table
    # Arrays are taken out of their tuples here: inside the loop that would count references.
    bonds, times = operators.bonds, operators.times
    bond_row, site_row = operators.bond_row[replica], operators.site_row[replica]
    current_x, current_y, columns = out.current_x, out.current_y, out.columns
    space_sum, time_sum, totals = out.space_energy, out.time_energy, out.totals
    start_empty(operators.empty[replica], out)
    columns[:] = 0.0
    kinetic_x, kinetic_y, contact_sum, time_contact_sum = totals[0], totals[1], totals[2], totals[3]
    space_bits = x_bits | (x_bits << y_shift)
    for column in range(columns.shape[1]):
        start = column * L_tau
        word = np.int64(words[start])
        if (word >> t_shift) & t_bits == 0:              # no rotor
            continue
        time, x_bond, y_bond = times[site_row[column]], bonds[bond_row[0, column]], bonds[bond_row[1, column]]
        still = (bias if word & x_bits else 0) | (bias << y_shift if word & (x_bits << y_shift) else 0)
        charge = x_sum = y_sum = np.int64(0)
        for k in range(L_tau):
            word = np.int64(words[start + k])
            current = (word >> t_shift) & t_bits
            charge += current
            time_sum[k] += time[current - t_first, 0]
            time_contact_sum += time[current - t_first, 1]
            if word & space_bits != still:
                x, y = word & x_bits, (word >> y_shift) & x_bits
                if x != 0 and x != bias:
                    current_x[k] += x - bias
                    x_sum += x - bias
                    kinetic_x += x_bond[x - first, 0]
                    contact_sum += x_bond[x - first, 1]
                    space_sum[k] += x_bond[x - first, 2]
                if y != 0 and y != bias:
                    current_y[k] += y - bias
                    y_sum += y - bias
                    kinetic_y += y_bond[y - first, 0]
                    contact_sum += y_bond[y - first, 1]
                    space_sum[k] += y_bond[y - first, 2]
        columns[0, column], columns[1, column] = x_sum, y_sum
        columns[2, column] = charge - t_bias * L_tau
    totals[0], totals[1], totals[2], totals[3] = kinetic_x, kinetic_y, contact_sum, time_contact_sum


@kernel
def add_spectrum(
    series: Array, contact: float, scale: float, operators: Operators, fourier: Array, out: Array
) -> float:
    """Add scale (|sum_k series(k) exp(i w_n tau_k)|^2 + contact) to out (n,); returns what n = 1 took.

    The times tau_k and -tau_k go together, since cos is even and sin is odd.
    """
    cosine, sine, re, im = operators.cosine, operators.sine, fourier[0], fourier[1]
    fourier[:] = 0.0
    for k in range(len(cosine)):
        back = (series.size - k) % series.size
        even, odd = series[k] + (series[back] if back != k else 0.0), series[k] - series[back]
        for n in range(re.size):
            re[n] += even * cosine[k, n]
            im[n] += odd * sine[k, n]
    for n in range(re.size):
        out[n] += scale * (re[n] ** 2 + im[n] ** 2 + contact)
    return scale * (re[1] ** 2 + im[1] ** 2 + contact)


@inlined
def add_turns(W_x: float, W_y: float, W_tau: float, turns: Array) -> None:
    """Add one look at windings: 1, W_tau, W_x^2, W_y^2, W_tau^2, their squares, 1 if one winds in space."""
    turns[0] += 1.0
    turns[1] += W_tau
    turns[2] += W_x**2
    turns[3] += W_y**2
    turns[4] += W_tau**2
    turns[5] += W_x**4
    turns[6] += W_y**4
    turns[7] += W_tau**4
    turns[8] += 1.0 if W_x != 0.0 or W_y != 0.0 else 0.0


@kernel
def measure(
    words: Words,
    W_x: float,
    W_y: float,
    W_tau: float,
    replica: int,
    operators: Operators,
    work: Work,
    out: Measured,
    now: Array,
) -> None:
    """Add one measurement to the sums of a replica; this one alone, in the order of SERIES, goes to `now`.

    words            of the replica, (Lx Ly L_tau,)
    W_x, W_y, W_tau  its net windings
    Averages of windings alone are those over all looks since the last measurement, also rho at w = 0.
    """
    if operators.counted:
        count_currents(words, replica, operators, work)
    else:
        sum_currents(words, replica, operators, work)
    Lx, Ly, L_tau, eps = operators.Lx, operators.Ly, operators.L_tau, operators.eps
    wave_x, wave_y, columns, maps = operators.wave_x, operators.wave_y, work.columns, out.maps[replica]
    sites, beta = Lx * Ly, eps * L_tau
    x_re = x_im = y_re = y_im = squares = 0.0
    for y in range(Ly):
        for x in range(Lx):
            column = y * Lx + x
            x_re += columns[0, column] * wave_y[0, y]
            x_im += columns[0, column] * wave_y[1, y]
            y_re += columns[1, column] * wave_x[0, x]
            y_im += columns[1, column] * wave_x[1, x]
            charge = columns[2, column] / L_tau
            squares += charge**2
            maps[0, column] += charge
            maps[1, column] += beta * charge * W_tau
            maps[2, column] += beta * charge**2
            maps[3, column] += W_x * columns[0, column]
            maps[4, column] += W_x * columns[1, column]
    kinetic_x, kinetic_y, contact, time_contact = (
        work.totals[0], work.totals[1], work.totals[2], work.totals[3]
    )  # fmt: skip
    charging, bond = work.time_energy.sum(), work.space_energy.sum()
    turns = out.turns[replica]
    looks = turns[0]
    now[0] = turns[2] / looks * (Lx / (Ly * beta))
    now[1] = turns[3] / looks * (Ly / (Lx * beta))
    now[2] = turns[4] / looks * (beta / sites)
    now[3] = kinetic_x / (sites * L_tau)
    now[4] = kinetic_y / (sites * L_tau)
    now[5] = charging / (sites * L_tau)
    now[6] = bond / (sites * L_tau)
    now[7] = now[5] + now[6]
    now[8] = -bond / L_tau
    now[9] = turns[1] / looks / sites
    now[10] = beta * squares / operators.present[replica]
    now[11] = eps**2 / sites * ((charging + bond) ** 2 + contact + time_contact)
    now[12] = (x_re**2 + x_im**2) / (sites * beta)
    now[13] = (y_re**2 + y_im**2) / (sites * beta)
    now[14], now[15], now[16] = turns[5] / looks, turns[6] / looks, turns[7] / looks
    now[17] = turns[8] / looks
    turns[:] = 0.0
    sums = out.scalars[replica]
    for i in range(sums.size):
        sums[i] += now[i]
    current, energy = 1 / (sites * beta), eps / (sites * L_tau)
    fourier = work.fourier
    now[18] = add_spectrum(work.current_x, 0.0, current, operators, fourier, out.rho_x[replica])
    now[19] = add_spectrum(work.current_y, 0.0, current, operators, fourier, out.rho_y[replica])
    now[20] = add_spectrum(work.space_energy, contact, energy, operators, fourier, out.chi[replica])
    now[21] = add_spectrum(work.time_energy, time_contact, energy, operators, fourier, out.chi_c[replica])
    out.rho_x[replica, 0] += now[0] - W_x**2 * (Lx / (Ly * beta))
    out.rho_y[replica, 0] += now[1] - W_y**2 * (Ly / (Lx * beta))
