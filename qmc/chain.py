"""One Markov chain: thermalise, then fill bins. A chain is a pure function of its arguments."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmc.estimators import (
    SCALARS,
    SERIES,
    Measured,
    Operators,
    Slices,
    measure,
    new_measured,
    new_slices,
    operators,
)
from qmc.jit import kernel
from qmc.lattice import empty_lattice
from qmc.model import Bonds, Model
from qmc.rng import CHAIN, stream
from qmc.statistics import autocorrelation_time
from qmc.worm import Moves, run_worms, worm_moves

Array = NDArray[np.float64]

OBSERVABLES: dict[str, tuple[str, str]] = {
    "rho_s_x": ("E_J", "superfluid stiffness along x, <W_x^2> Lx/(Ly beta)"),
    "rho_s_y": ("E_J", "superfluid stiffness along y, <W_y^2> Ly/(Lx beta)"),
    "kappa": ("1/E_J", "compressibility, beta <W_tau^2>/(Lx Ly)"),
    "minus_kx": ("E_J", "<-k_x> per site: sum of cos(theta) over the x bonds (villain: of J^2/K_x)"),
    "minus_ky": ("E_J", "<-k_y> per site: the same for the y bonds"),
    "charging_energy": ("E_J", "charging energy per site"),
    "bond_energy": ("E_J", "Josephson energy per site"),
    "energy": ("E_J", "energy per site, -(1/(Lx Ly)) d ln Z/d beta at fixed L_tau"),
    "bond": ("1", "B, sum of cos(theta) over the bonds of one slice; in general -(Josephson energy)/E_J"),
    "rho_x": ("E_J", "current response rho(i w_n) along x, n = 0 .. n_max"),
    "rho_y": ("E_J", "current response rho(i w_n) along y, n = 0 .. n_max"),
    "chi_s_raw": ("1/E_J", "scalar response per site of B, n = 0 .. n_max, n = 0 not connected"),
    "G_k0": ("1", "G(k = 0, tau), tau = 0 .. L_tau - 1 slices"),
    "G_loc": ("1", "local G(tau), tau = 0 .. L_tau - 1 slices"),
}
"""Names, units and meanings of the bins of a chain."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long a chain runs. A sweep is Lx Ly L_tau head moves."""

    therm_sweeps: float = 200.0             # before the first bin
    bins: int = 32                          # bins kept
    measurements_per_bin: int = 16
    sweeps_per_measurement: float = 2.0     # a mean: fixed by calibration as a number of worms

    def __post_init__(self) -> None:
        for name, least in (("bins", 4), ("measurements_per_bin", 1)):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= least):
                raise ValueError(f"{name} = {value}: must be an integer >= {least}")
        for name in ("therm_sweeps", "sweeps_per_measurement"):
            value = getattr(self, name)
            if not (value > 0 and np.isfinite(value)):
                raise ValueError(f"{name} = {value}: must be positive and finite")


@dataclass(frozen=True)
class ChainResult:
    """bins[name]: float64 (bins, ...), see OBSERVABLES. tau_int in units of measurements."""

    bins: dict[str, Array]
    tau_int: dict[str, float]
    moves: int                              # head moves after thermalisation
    attempts: int                           # worms after thermalisation, failed openings included
    worms_per_measurement: int
    sweeps_per_measurement: float           # as made


@kernel
def fill_bin(
    measurements: int,
    attempts: int,
    words: NDArray[np.int64],
    random: NDArray[np.uint64],
    winding: NDArray[np.int64],
    moves: Moves,
    ops: Operators,
    slices: Slices,
    out: Measured,
    series: Array,
    waiting: Array,
) -> int:
    """`measurements` measurements, each after `attempts` worms; returns the number of head moves."""
    made = 0
    for i in range(measurements):
        made += run_worms(attempts, words, random, winding, moves, waiting)
        measure(words, winding, ops, slices, out, series[i])
    return made


class _Walk:
    """Configuration, random state and work space of a running chain."""

    def __init__(self, model: Model, bonds: Bonds, random: NDArray[np.uint64]) -> None:
        self.words = empty_lattice(model, bonds)
        self.random = random
        self.winding = np.zeros(3, np.int64)
        self.moves = worm_moves(model)
        self.waiting = np.zeros(2 * model.L_tau)

    def worms(self, attempts: int) -> int:
        return int(run_worms(attempts, self.words, self.random, self.winding, self.moves, self.waiting))


def _thermalise(walk: _Walk, schedule: Schedule) -> int:
    """Run the thermalisation; returns the worms per measurement, calibrated on its second half.

    Where currents are costly worms hardly move; an attempt per site then counts as a sweep.
    """
    sites = walk.words.size
    chunk = max(1, sites // 16)
    moved = tried = 0
    for half in (1, 2):
        moved, tried = (moved, tried) if half == 1 else (0, 0)
        while max(moved, tried) < 0.5 * schedule.therm_sweeps * sites:
            moved += walk.worms(chunk)
            tried += chunk
    wanted = schedule.sweeps_per_measurement * sites
    return max(1, round(min(wanted * tried / max(moved, 1), wanted)))


def run_chain(
    model: Model,
    bonds: Bonds,
    *,
    seed: int,
    sample: int,
    chain: int = 0,
    schedule: Schedule | None = None,
    n_max: int | None = None,
    after_bin: Callable[[int], None] | None = None,
) -> ChainResult:
    """Simulate one disorder sample.

    bonds      bool (2, Ly, Lx), see Model.draw_bonds
    seed, sample, chain   name the random stream, together with model.key()
    n_max      largest Matsubara number kept; all (L_tau // 2) if None
    after_bin  called with the number of finished bins, e.g. for a progress bar
    raises     ValueError for a bond mask of wrong shape or n_max out of range

    The same arguments give the same bits. Bins are plain means; G is normalised by the attempts of
    its bin, which are the same in every bin, so all bins average linearly.
    """
    schedule = schedule or Schedule()
    n_max = model.L_tau // 2 if n_max is None else n_max
    ops = operators(model, n_max)
    walk = _Walk(model, bonds, stream(seed, CHAIN, *model.key(), sample, chain))
    worms = _thermalise(walk, schedule)
    slices, per_bin = new_slices(model), schedule.measurements_per_bin
    bins = _new_bins(schedule.bins, n_max, model.L_tau)
    series = np.zeros((schedule.bins, per_bin, len(SERIES)))
    moved = 0
    for b in range(schedule.bins):
        walk.waiting[:] = 0.0
        sums = new_measured(n_max)
        moved += fill_bin(
            per_bin, worms, walk.words, walk.random, walk.winding, walk.moves,
            ops, slices, sums, series[b], walk.waiting,
        )  # fmt: skip
        _store_bin(bins, b, sums, walk.waiting, per_bin, worms)
        if after_bin is not None:
            after_bin(b + 1)
    measurements = schedule.bins * per_bin
    return ChainResult(
        bins=bins,
        tau_int=_times(series.reshape(measurements, -1)),
        moves=moved,
        attempts=worms * measurements,
        worms_per_measurement=worms,
        sweeps_per_measurement=moved / (measurements * walk.words.size),
    )


def _new_bins(count: int, n_max: int, L_tau: int) -> dict[str, Array]:
    """Empty bins of every observable."""
    width: dict[str, tuple[int, ...]] = dict.fromkeys(SCALARS, ())
    width |= dict.fromkeys(("rho_x", "rho_y", "chi_s_raw"), (n_max + 1,))
    width |= dict.fromkeys(("G_k0", "G_loc"), (L_tau,))
    return {name: np.empty((count, *width[name])) for name in OBSERVABLES}


def _store_bin(
    bins: dict[str, Array], b: int, sums: Measured, waiting: Array, per_bin: int, worms: int
) -> None:
    """Means of bin b from its sums."""
    for i, name in enumerate(SCALARS):
        bins[name][b] = sums.scalars[i] / per_bin
    bins["rho_x"][b] = sums.rho_x / per_bin
    bins["rho_y"][b] = sums.rho_y / per_bin
    bins["chi_s_raw"][b] = sums.chi / per_bin
    same, other = waiting.reshape(2, -1) / (per_bin * worms)
    same[0] += 1.0                               # the attempts themselves: head and tail together
    bins["G_loc"][b] = same
    bins["G_k0"][b] = same + other


def _times(series: Array) -> dict[str, float]:
    """tau_int of every column of the series, in measurements."""
    return {name: autocorrelation_time(series[:, i])[0] for i, name in enumerate(SERIES)}
