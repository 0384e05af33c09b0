"""Kernels that measure a configuration; `sitqmc.qmc.observables` defines the observables."""

import numpy as np

from sitqmc.jit import inlined, kernel, kernel_helper
from sitqmc.qmc.measure.estimators import (
    BOND_CONTACT,
    BOND_ENERGY,
    BOND_KINETIC,
    KINETIC_X,
    KINETIC_Y,
    READS,
    SPACE_CONTACT,
    SPACE_ENERGY,
    TIME_CONTACT,
    TIME_ENERGY,
    TOTAL_KINETIC_X,
    TOTAL_KINETIC_Y,
    TOTAL_SPACE_CONTACT,
    TOTAL_TIME_CONTACT,
    W2_TAU,
    W2_X,
    W2_Y,
    W4_TAU,
    W4_X,
    W4_Y,
    W_TAU,
    WINDS,
    Array,
    Measured,
    Operators,
    Work,
)
from sitqmc.qmc.measure.packed_sums import count_currents
from sitqmc.qmc.measure.transverse import add_waves
from sitqmc.qmc.observables import AT, MAP_AT
from sitqmc.qmc.worm.packing import Words


@inlined
def reset_sums(empty, out):  # type: ignore[no-untyped-def]
    """Set the sums of `out` to those of a configuration without currents; empty: see `Operators.empty`."""
    out.current_x[:] = 0.0
    out.current_y[:] = 0.0
    out.columns[:] = 0.0
    out.space_energy[:] = empty[SPACE_ENERGY]
    out.time_energy[:] = 0.0
    L_tau, totals = out.time_energy.size, out.totals
    totals[TOTAL_KINETIC_X], totals[TOTAL_KINETIC_Y] = L_tau * empty[KINETIC_X], L_tau * empty[KINETIC_Y]
    totals[TOTAL_SPACE_CONTACT], totals[TOTAL_TIME_CONTACT] = L_tau * empty[SPACE_CONTACT], 0.0


@kernel
def sum_currents(words: Words, replica: int, operators: Operators, out: Work) -> None:
    """Fill the sums of `out` (but the transform) from the words of a replica, (Lx Ly L_tau,).

    Most space links carry no current. Each slice therefore starts from the value of the empty configuration,
    and only words that differ from it are read link by link.
    """
    L_tau, middle = operators.L_tau, operators.bonds.shape[1] // 2
    x_bits, y_shift, t_shift = operators.space_mask, operators.y_shift, operators.t_shift
    t_bits, bias, t_bias = operators.time_mask, operators.space_bias, operators.time_bias
    first, t_first = bias - middle, t_bias - middle      # fields of the first entry of a table
    # Arrays are taken out of their tuples here: inside the loop that would count references.
    bonds, times = operators.bonds, operators.times
    bond_table, site_table = operators.bond_table[replica], operators.site_table[replica]
    current_x, current_y, columns = out.current_x, out.current_y, out.columns
    space_sum, time_sum, totals = out.space_energy, out.time_energy, out.totals
    kinetic_x, kinetic_y = totals[TOTAL_KINETIC_X], totals[TOTAL_KINETIC_Y]
    contact_sum, time_contact_sum = totals[TOTAL_SPACE_CONTACT], totals[TOTAL_TIME_CONTACT]
    space_bits = x_bits | (x_bits << y_shift)
    for column in range(columns.shape[1]):
        start = column * L_tau
        word = np.int64(words[start])
        if (word >> t_shift) & t_bits == 0:              # no rotor
            continue
        x_bond, y_bond = bonds[bond_table[0, column]], bonds[bond_table[1, column]]
        time = times[site_table[column]]
        still = (bias if word & x_bits else 0) | (bias << y_shift if word & (x_bits << y_shift) else 0)
        charge = x_sum = y_sum = np.int64(0)
        for k in range(L_tau):
            word = np.int64(words[start + k])
            current = (word >> t_shift) & t_bits
            charge += current
            time_sum[k] += time[current - t_first, TIME_ENERGY]
            time_contact_sum += time[current - t_first, TIME_CONTACT]
            if word & space_bits != still:
                x, y = word & x_bits, (word >> y_shift) & x_bits
                if x != 0 and x != bias:
                    current_x[k] += x - bias
                    x_sum += x - bias
                    kinetic_x += x_bond[x - first, BOND_KINETIC]
                    contact_sum += x_bond[x - first, BOND_CONTACT]
                    space_sum[k] += x_bond[x - first, BOND_ENERGY]
                if y != 0 and y != bias:
                    current_y[k] += y - bias
                    y_sum += y - bias
                    kinetic_y += y_bond[y - first, BOND_KINETIC]
                    contact_sum += y_bond[y - first, BOND_CONTACT]
                    space_sum[k] += y_bond[y - first, BOND_ENERGY]
        columns[0, column], columns[1, column] = x_sum, y_sum
        columns[2, column] = charge - t_bias * L_tau
    totals[TOTAL_KINETIC_X], totals[TOTAL_KINETIC_Y] = kinetic_x, kinetic_y
    totals[TOTAL_SPACE_CONTACT], totals[TOTAL_TIME_CONTACT] = contact_sum, time_contact_sum


@kernel_helper
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
def add_winding_moments(W_x: float, W_y: float, W_tau: float, winding_moments: Array) -> None:
    """Add one read of the windings: 1, W_tau, W_x^2, W_y^2, W_tau^2, their squares, winds in space."""
    winding_moments[READS] += 1.0
    winding_moments[W_TAU] += W_tau
    winding_moments[W2_X] += W_x**2
    winding_moments[W2_Y] += W_y**2
    winding_moments[W2_TAU] += W_tau**2
    winding_moments[W4_X] += W_x**4
    winding_moments[W4_Y] += W_y**4
    winding_moments[W4_TAU] += W_tau**4
    winding_moments[WINDS] += 1.0 if W_x != 0.0 or W_y != 0.0 else 0.0


@kernel_helper
def measure(
    words: Words,
    W_x: float,
    W_y: float,
    W_tau: float,
    replica: int,
    operators: Operators,
    work: Work,
    out: Measured,
    values: Array,
) -> None:
    """Add one measurement to the sums of a replica; this one alone, by `AT`, goes to `values`.

    words            of the replica, (Lx Ly L_tau,)
    W_x, W_y, W_tau  its net windings
    Averages of windings are over all reads since the last measurement, also in rho at w = 0.
    """
    reset_sums(operators.empty[replica], work)
    if operators.can_pack:
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
            maps[MAP_AT.density, column] += charge
            maps[MAP_AT.kappa, column] += beta * charge * W_tau
            maps[MAP_AT.kappa_loc, column] += beta * charge**2
            maps[MAP_AT.twist_x, column] += W_x * columns[0, column]
            maps[MAP_AT.twist_y, column] += W_x * columns[1, column]
    kinetic_x, kinetic_y = work.totals[TOTAL_KINETIC_X], work.totals[TOTAL_KINETIC_Y]
    contact, time_contact = work.totals[TOTAL_SPACE_CONTACT], work.totals[TOTAL_TIME_CONTACT]
    if len(work.waves.numbers) > 0:
        add_waves(words, replica, contact, operators, work.waves, work.wave_work, out.waves[replica])
    charging, bond = work.time_energy.sum(), work.space_energy.sum()
    winding_moments = out.winding_moments[replica]
    looks = winding_moments[READS]
    values[AT.rho_s_x] = winding_moments[W2_X] / looks * (Lx / (Ly * beta))
    values[AT.rho_s_y] = winding_moments[W2_Y] / looks * (Ly / (Lx * beta))
    values[AT.kappa] = winding_moments[W2_TAU] / looks * (beta / sites)
    values[AT.minus_kx] = kinetic_x / (sites * L_tau)
    values[AT.minus_ky] = kinetic_y / (sites * L_tau)
    values[AT.charging_energy] = charging / (sites * L_tau)
    values[AT.bond_energy] = bond / (sites * L_tau)
    values[AT.energy] = values[AT.charging_energy] + values[AT.bond_energy]
    values[AT.bond] = -bond / L_tau
    values[AT.density] = winding_moments[W_TAU] / looks / sites
    values[AT.kappa_loc] = beta * squares / operators.present[replica]
    values[AT.heat_raw] = eps**2 / sites * ((charging + bond) ** 2 + contact + time_contact)
    values[AT.rho_t_x] = (x_re**2 + x_im**2) / (sites * beta)
    values[AT.rho_t_y] = (y_re**2 + y_im**2) / (sites * beta)
    values[AT.W4_x] = winding_moments[W4_X] / looks
    values[AT.W4_y] = winding_moments[W4_Y] / looks
    values[AT.W4_tau] = winding_moments[W4_TAU] / looks
    values[AT.winds] = winding_moments[WINDS] / looks
    winding_moments[:] = 0.0
    sums = out.scalars[replica]
    for i in range(sums.size):
        sums[i] += values[i]
    current, energy = 1 / (sites * beta), eps / (sites * L_tau)
    n, first, fourier, arrays = operators.cosine.shape[1], operators.first, work.fourier, out.arrays[replica]
    rho_x, rho_y = arrays[first.rho_x : first.rho_x + n], arrays[first.rho_y : first.rho_y + n]
    chi_s = arrays[first.chi_s_raw : first.chi_s_raw + n]
    chi_c = arrays[first.chi_c_raw : first.chi_c_raw + n]
    values[AT.rho_x_1] = add_spectrum(work.current_x, 0.0, current, operators, fourier, rho_x)
    values[AT.rho_y_1] = add_spectrum(work.current_y, 0.0, current, operators, fourier, rho_y)
    values[AT.chi_s_raw_1] = add_spectrum(work.space_energy, contact, energy, operators, fourier, chi_s)
    values[AT.chi_c_raw_1] = add_spectrum(work.time_energy, time_contact, energy, operators, fourier, chi_c)
    rho_x[0] += values[AT.rho_s_x] - W_x**2 * (Lx / (Ly * beta))
    rho_y[0] += values[AT.rho_s_y] - W_y**2 * (Ly / (Lx * beta))
