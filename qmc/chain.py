"""Markov chains: thermalise, then fill bins. A chain is a pure function of its arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmc.disorder import Disorder
from qmc.estimators import (
    MAPS,
    SCALARS,
    SERIES,
    Measured,
    Operators,
    Work,
    new_measured,
    new_work,
    operators,
)
from qmc.jit import kernel
from qmc.lattice import empty_lattice, fold_space
from qmc.links import link_tables
from qmc.measure import measure
from qmc.model import Bonds, Model
from qmc.random_worm import RandomMoves, random_worm_moves, run_random_worms
from qmc.rng import CHAIN, stream
from qmc.start import Start, hot_lattice
from qmc.statistics import autocorrelation_time
from qmc.worm import Moves, run_worms, worm_moves

Array = NDArray[np.float64]

OBSERVABLES: dict[str, tuple[str, str]] = {
    "rho_s_x": ("E_J", "superfluid stiffness along x, <W_x^2> Lx/(Ly beta)"),
    "rho_s_y": ("E_J", "superfluid stiffness along y, <W_y^2> Ly/(Lx beta)"),
    "kappa": ("1/E_J", "compressibility, beta <W_tau^2>/(Lx Ly), not connected if n_g is not 0"),
    "minus_kx": ("E_J", "<-k_x> per site: sum of E_J cos(theta) over the x bonds (villain: of J^2/eps)"),
    "minus_ky": ("E_J", "<-k_y> per site: the same for the y bonds"),
    "charging_energy": ("E_J", "charging energy per site"),
    "bond_energy": ("E_J", "Josephson energy per site"),
    "energy": ("E_J", "energy per site, -(1/(Lx Ly)) d ln Z/d beta at fixed L_tau"),
    "bond": ("1", "B, sum of cos(theta) over the bonds of one slice; in general -(Josephson energy)/E_J"),
    "density": ("1", "charge per site, pairs, <W_tau>/(Lx Ly)"),
    "kappa_loc": ("1/E_J", "response of a rotor's charge to its own potential, beta <n^2>, not connected"),
    "heat_raw": ("1", "specific heat per site at fixed L_tau, not connected"),
    "rho_t_x": ("E_J", "static response of the current along x at the smallest q along y"),
    "rho_t_y": ("E_J", "static response of the current along y at the smallest q along x"),
    "W4_x": ("1", "<W_x^4>"),
    "W4_y": ("1", "<W_y^4>"),
    "W4_tau": ("1", "<W_tau^4>"),
    "winds": ("1", "probability that W_x or W_y is not 0"),
    "rho_x": ("E_J", "current response rho(i w_n) along x, n = 0 .. n_max"),
    "rho_y": ("E_J", "current response rho(i w_n) along y, n = 0 .. n_max"),
    "chi_s_raw": ("1/E_J", "scalar response per site of B, n = 0 .. n_max, n = 0 not connected"),
    "chi_c_raw": ("E_J", "the same of the charging energy of a slice"),
    "S_x": ("1", "equal-time G(k, 0) at k = (2 pi n/Lx, 0), n = 0 .. Lx // 2"),
    "S_y": ("1", "equal-time G(k, 0) at k = (0, 2 pi n/Ly), n = 0 .. Ly // 2"),
    "G_far": ("1", "equal-time G at the distance (Lx // 2, Ly // 2)"),
    "G_k0": ("1", "G(k = 0, tau) per Lx Ly, tau = 0 .. L_tau - 1 slices"),
    "G_loc": ("1", "local G(tau) of a rotor, tau = 0 .. L_tau - 1 slices"),
}
"""Names, units and meanings of the bins of a chain."""

MAP_NAMES = (*MAPS, "G_r0")
"""Names of `ChainResult.maps`."""


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
    """bins[name]: float64 (bins, ...), see OBSERVABLES. tau_int in units of measurements.

    maps[name]: float64 (Ly, Lx), means over the chain: density <n(r)>, kappa d<n(r)>/d mu, kappa_loc
    beta <n(r)^2> (both not connected if n_g is not 0), and G_r0, the equal-time G by distance.
    """

    bins: dict[str, Array]
    maps: dict[str, Array]
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
    work: Work,
    out: Measured,
    series: Array,
    waiting: Array,
    space: Array,
) -> int:
    """`measurements` measurements, each after `attempts` worms; returns the number of head moves."""
    made = 0
    for i in range(measurements):
        made += run_worms(attempts, words, random, winding, moves, waiting, space)
        measure(words, winding, ops, work, out, series[i])
    return made


@kernel
def fill_random_bin(
    measurements: int,
    attempts: int,
    words: NDArray[np.int64],
    random: NDArray[np.uint64],
    winding: NDArray[np.int64],
    moves: RandomMoves,
    ops: Operators,
    work: Work,
    out: Measured,
    series: Array,
    waiting: Array,
    space: Array,
) -> int:
    """As `fill_bin`, for couplings that differ from link to link."""
    made = 0
    for i in range(measurements):
        made += run_random_worms(attempts, words, random, winding, moves, waiting, space)
        measure(words, winding, ops, work, out, series[i])
    return made


class Chains:
    """Markov chains of one model on several disorder samples, advanced together in resumable steps.

    Every chain has its own random stream, so its bins do not depend on which others run beside it.
    One `step` is a part of the thermalisation or one bin of every chain. Between steps `state` holds
    all that is needed; `restore` of it goes on with the same bits.

        chains = Chains(model, bonds, seed=1, samples=[0, 1])
        while not chains.finished:
            chains.step()
        results = chains.results()
    """

    def __init__(
        self,
        model: Model,
        bonds: Sequence[Bonds | Disorder],
        *,
        seed: int,
        samples: Sequence[int],
        chain: int = 0,
        schedule: Schedule | None = None,
        n_max: int | None = None,
        start: Start = "cold",
    ) -> None:
        """As `run_chain`, with one bond mask (or Disorder) and one sample number per chain.

        raises  ValueError for bond masks of wrong shape or number, or n_max out of range
        """
        if not 0 < len(bonds) == len(samples):
            raise ValueError(f"{len(bonds)} bond masks for {len(samples)} samples: one for each is needed")
        self.model, self.schedule = model, schedule or Schedule()
        self.samples = tuple(int(s) for s in samples)
        self.n_max = model.L_tau // 2 if n_max is None else n_max
        self._disorder = [model.disorder(given) for given in bonds]
        links = [link_tables(model, disorder) for disorder in self._disorder]
        self._operators = [
            operators(model, disorder, tables, self.n_max)
            for disorder, tables in zip(self._disorder, links, strict=True)
        ]
        uniform = worm_moves(model) if any(disorder.uniform for disorder in self._disorder) else None
        self._moves: list[Any] = [
            uniform if disorder.uniform else random_worm_moves(model, disorder, tables)
            for disorder, tables in zip(self._disorder, links, strict=True)
        ]
        self._work, self._waiting = new_work(model, self.n_max), np.zeros(2 * model.L_tau)
        self._space = np.zeros(4 * model.sites)
        count, bins = len(self.samples), self.schedule.bins
        self._words = np.stack([empty_lattice(model, disorder) for disorder in self._disorder])
        self._winding = np.zeros((count, 3), np.int64)
        if start == "hot":
            for c, (disorder, tables) in enumerate(zip(self._disorder, links, strict=True)):
                self._words[c], self._winding[c] = hot_lattice(
                    model, disorder, tables, seed, self.samples[c], chain
                )  # fmt: skip
        elif start != "cold":
            raise ValueError(f"start = {start!r}: must be 'cold' or 'hot'")
        self._random = np.stack([stream(seed, CHAIN, *model.key(), s, chain) for s in self.samples])
        self._heat = np.zeros((count, 2, 2), np.int64)       # by half: moves, attempts
        self._moved = np.zeros(count, np.int64)              # after thermalisation
        self._bins_done = np.zeros((), np.int64)
        self._bins = _new_bins((count, bins), model, self.n_max)
        self._maps = np.zeros((count, len(MAP_NAMES), model.Ly, model.Lx))
        self._series = np.zeros((count, bins, self.schedule.measurements_per_bin, len(SERIES)))

    @property
    def finished(self) -> bool:
        """All bins are filled."""
        return int(self._bins_done) == self.schedule.bins

    @property
    def progress(self) -> float:
        """Share of the work done, 0 .. 1."""
        s = self.schedule
        measured = s.measurements_per_bin * s.sweeps_per_measurement
        heated = np.minimum(self._heat.max(axis=2).sum(axis=1) / self._words.shape[1], s.therm_sweeps).mean()
        return float(heated + int(self._bins_done) * measured) / (s.therm_sweeps + s.bins * measured)

    def step(self) -> None:
        """Thermalise a little, or fill the next bin, of every chain. Nothing to do if finished."""
        if self.finished:
            return
        enough = 0.5 * self.schedule.therm_sweeps * self._words.shape[1]
        cold = [np.flatnonzero(heat.max(axis=1) < enough) for heat in self._heat]
        if any(len(halves) for halves in cold):
            for c, halves in enumerate(cold):
                if len(halves):
                    self._thermalise(c, int(halves[0]), enough)
        else:
            for c in range(len(self.samples)):
                self._fill_bin(c)
            self._bins_done += 1

    def _thermalise(self, c: int, half: int, enough: float) -> None:
        """At most 16 runs of worms in a half of the thermalisation of chain c."""
        chunk = max(1, self._words.shape[1] // 16)
        run = run_worms if self._disorder[c].uniform else run_random_worms
        for _ in range(16):
            moved = run(
                chunk, self._words[c], self._random[c], self._winding[c], self._moves[c], self._waiting,
                self._space,
            )  # fmt: skip
            self._heat[c, half] += moved, chunk
            if self._heat[c, half].max() >= enough:
                return

    def _worms(self, c: int) -> int:
        """Worms per measurement of chain c, calibrated on the second half of its thermalisation.

        Where currents are costly worms hardly move; an attempt per site then counts as a sweep.
        """
        moved, tried = self._heat[c, 1]
        wanted = self.schedule.sweeps_per_measurement * self._words.shape[1]
        return max(1, round(min(wanted * tried / max(moved, 1), wanted)))

    def _fill_bin(self, c: int) -> None:
        b, per_bin, worms = int(self._bins_done), self.schedule.measurements_per_bin, self._worms(c)
        self._waiting[:] = 0.0
        self._space[:] = 0.0
        sums = new_measured(self.model, self.n_max)
        fill = fill_bin if self._disorder[c].uniform else fill_random_bin
        self._moved[c] += fill(
            per_bin, worms, self._words[c], self._random[c], self._winding[c], self._moves[c],
            self._operators[c], self._work, sums, self._series[c, b], self._waiting, self._space,
        )  # fmt: skip
        here = {name: a[c, b, ...] for name, a in self._bins.items()}
        share = self._disorder[c].present / self.model.sites
        distances = fold_space(self.model, self._space) / (per_bin * worms)
        _store_bin(here, sums, self._waiting / (per_bin * worms), distances, share, per_bin)
        self._maps[c, : len(MAPS)] += sums.maps.reshape(-1, *distances.shape) / per_bin
        self._maps[c, len(MAPS)] += distances

    def results(self) -> list[ChainResult]:
        """One result per sample; RuntimeError if not finished."""
        if not self.finished:
            raise RuntimeError(f"{int(self._bins_done)} of {self.schedule.bins} bins are filled; step() on")
        measurements = self.schedule.bins * self.schedule.measurements_per_bin
        return [
            ChainResult(
                bins={name: a[c].copy() for name, a in self._bins.items()},
                maps=dict(zip(MAP_NAMES, self._maps[c] / self.schedule.bins, strict=True)),
                tau_int=_times(self._series[c].reshape(measurements, -1)),
                moves=int(self._moved[c]),
                attempts=self._worms(c) * measurements,
                worms_per_measurement=self._worms(c),
                sweeps_per_measurement=int(self._moved[c]) / (measurements * self._words.shape[1]),
            )
            for c in range(len(self.samples))
        ]

    def _parts(self) -> dict[str, NDArray[Any]]:
        parts: dict[str, NDArray[Any]] = {
            "words": self._words, "random": self._random, "winding": self._winding, "heat": self._heat,
            "moved": self._moved, "bins_done": self._bins_done, "series": self._series, "maps": self._maps,
        }  # fmt: skip
        return parts | {f"bins/{name}": a for name, a in self._bins.items()}

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that changes, by name; first axis: chains (but for the number bins_done)."""
        return {name: a.copy() for name, a in self._parts().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` returned for the same arguments; ValueError if it does not fit."""
        parts = self._parts()
        if parts.keys() != state.keys():
            raise ValueError(f"state: entries differ: {', '.join(sorted(parts.keys() ^ state.keys()))}")
        for name, a in parts.items():
            there = np.asarray(state[name])
            if there.shape != a.shape or there.dtype != a.dtype:
                raise ValueError(
                    f"state: {name} is {there.dtype} {there.shape}, must be {a.dtype} {a.shape}; "
                    "it belongs to another model or schedule"
                )
        for name, a in parts.items():
            a[...] = state[name]


def run_chain(
    model: Model,
    bonds: Bonds | Disorder,
    *,
    seed: int,
    sample: int,
    chain: int = 0,
    schedule: Schedule | None = None,
    n_max: int | None = None,
    start: Start = "cold",
) -> ChainResult:
    """Simulate one disorder sample.

    bonds      bool (2, Ly, Lx), see Model.draw_bonds; or a Disorder, see Model.draw_disorder
    seed, sample, chain   name the random stream, together with model.key()
    n_max      largest Matsubara number kept; all (L_tau // 2) if None
    start      cold: no currents; hot: random ones, see `qmc.start`. Thermalised chains do not depend on it
    raises     ValueError for a bond mask of wrong shape or n_max out of range

    The same arguments give the same bits. Bins are plain means; G is normalised by the attempts of
    its bin, which are the same in every bin, so all bins average linearly.
    """
    chains = Chains(
        model, [bonds], seed=seed, samples=[sample], chain=chain, schedule=schedule, n_max=n_max,
        start=start,
    )  # fmt: skip
    while not chains.finished:
        chains.step()
    return chains.results()[0]


def _new_bins(shape: tuple[int, ...], model: Model, n_max: int) -> dict[str, Array]:
    """Empty bins of every observable, with leading axes `shape`."""
    width: dict[str, tuple[int, ...]] = dict.fromkeys((*SCALARS, "G_far"), ())
    width |= dict.fromkeys(("rho_x", "rho_y", "chi_s_raw", "chi_c_raw"), (n_max + 1,))
    width |= dict.fromkeys(("G_k0", "G_loc"), (model.L_tau,))
    width |= {"S_x": (model.Lx // 2 + 1,), "S_y": (model.Ly // 2 + 1,)}
    return {name: np.zeros((*shape, *width[name])) for name in OBSERVABLES}


def _store_bin(
    bins: dict[str, Array], sums: Measured, waiting: Array, distances: Array, share: float, per_bin: int
) -> None:
    """Means of one bin from its sums; `bins` holds views of that bin.

    waiting, distances   waiting times per attempt, by time and by distance at equal time; the attempts
                         themselves are added here: head and tail together, a share `share` of them on rotors
    """
    for i, name in enumerate(SCALARS):
        bins[name][...] = sums.scalars[i] / per_bin
    bins["rho_x"][...] = sums.rho_x / per_bin
    bins["rho_y"][...] = sums.rho_y / per_bin
    bins["chi_s_raw"][...] = sums.chi / per_bin
    bins["chi_c_raw"][...] = sums.chi_c / per_bin
    same, other = waiting.reshape(2, -1)
    same[0] += share
    bins["G_loc"][...] = same / share
    bins["G_k0"][...] = same + other
    distances[0, 0] += share
    S = np.fft.rfft2(distances).real
    bins["S_x"][...], bins["S_y"][...] = S[0], S[: len(distances) // 2 + 1, 0]
    bins["G_far"][...] = distances[len(distances) // 2, distances.shape[1] // 2]


def _times(series: Array) -> dict[str, float]:
    """tau_int of every column of the series, in measurements."""
    return {name: autocorrelation_time(series[:, i])[0] for i, name in enumerate(SERIES)}
