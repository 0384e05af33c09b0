"""Registry of observables: one row each, with name, unit, meaning, axes and rule of averaging.

A row of kind "measured" is filled by `measure.kernels`, which addresses numbers as `values[AT.NAME]` and
arrays by `ArrayOffsets`; a row of kind "worm" by `measure.green`. Bins, series, store, averages, tables,
exports and targets read their names, units and axes here. N = Lx Ly throughout.

    rho_s_x      W_x^2 Lx / (Ly beta)                                  superfluid stiffness, E_J
    kappa        beta W_tau^2 / N                                      compressibility, 1/E_J
    rho_x(n)     |sum_k I_x(k) exp(i w_n tau_k)|^2 / (N beta)          current response, E_J
    rho_t_x      |sum_r X(r) exp(2 pi i y/Ly)|^2 / (N beta)            static response at transverse q, E_J
    minus_kx     sum_(x bonds) E_J cos / N                             <-k_x>, E_J
    bond         -(Josephson energy of one slice)/E_J                  B, bond-energy operator
    chi_s_raw(n) (eps / (N L_tau)) |sum_k B(k) exp(i w_n tau_k)|^2     scalar response, n = 0 not connected
    K_T(q, n)    |J_T(q, i w_n)|^2 / (N beta), chi_s_q: B(q) likewise    see `measure.transverse`
    chi_c_raw(n) the same formula with the charging energy C(k) of a slice in place of B(k)
    heat_raw     eps^2 (sum_k C(k) - B(k))^2 / N                       specific heat, not connected
    kappa_loc    beta sum_r n(r)^2 / (number of rotors)                local compressibility, 1/E_J

I_x(k) is the sum of J_x over slice k; X(r) and n(r) L_tau are the sums of J_x and J_tau over the times of
column r. rho_x(0) = rho_s_x, and rho already holds the contact term. The longitudinal static response is
zero in every configuration, because static currents are conserved.
B = sum_bonds E_J cos(theta). For the action `villain`, B and <-k_x> have no finite variance in link
currents; `model.link_weights.space_links` defines the functions measured instead. In every square of an
energy, the same link at the same time contributes its `contact` in addition: h(B^2) instead of h(B)^2 for
bonds; for all links it is the second derivative of ln w, so that heat = d(energy)/dT holds exactly at
fixed L_tau.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sitqmc.qmc.model.model import Model

Kind = Literal["measured", "worm", "map", "worm map", "wave", "sample", "derived"]


@dataclass(frozen=True)
class Axis:
    """Axis of an array observable: meaning of its index, and its length for a model and n_max."""

    text: str
    length: Callable[[Model, int], int]


def _wave_count(model: Model, n_max: int) -> int:
    """Return the number of waves measured. Numpy is imported here: the registry loads without it."""
    from sitqmc.qmc.model.wave_vectors import measured_waves

    return len(measured_waves(model))


def _frequency_count(model: Model, n_max: int) -> int:
    """Return the number of Matsubara numbers measured at every wave."""
    from sitqmc.qmc.model.wave_vectors import matsubara_numbers

    return len(matsubara_numbers(model.L_tau))


def _boson_count(model: Model, n_max: int) -> int:
    """Return the number of waves of G(k, tau)."""
    from sitqmc.qmc.model.wave_vectors import boson_waves

    return len(boson_waves(model.Lx, model.Ly))


AXES: dict[str, Axis] = {
    "n": Axis("Matsubara number", lambda model, n_max: n_max + 1),
    "slice": Axis("number of the time slice", lambda model, n_max: model.L_tau),
    "k_x": Axis("wave number along x, in 2 pi/Lx", lambda model, n_max: model.Lx // 2 + 1),
    "k_y": Axis("wave number along y, in 2 pi/Ly", lambda model, n_max: model.Ly // 2 + 1),
    "y": Axis("row", lambda model, n_max: model.Ly),
    "x": Axis("column", lambda model, n_max: model.Lx),
    "wave": Axis("number of the wave, see model.wave_vectors", _wave_count),
    "boson_wave": Axis("number of the wave along an axis, see model.wave_vectors.boson_waves", _boson_count),
    "wave_n": Axis("number of the Matsubara frequency, see model.wave_vectors", _frequency_count),
}
"""Every axis that an observable may have, beside those of samples and bins."""


@dataclass(frozen=True)
class Subtraction:
    """Disconnected part: factor(model) <name>^2, subtracted within a sample at Matsubara number zero."""

    name: str
    factor: Callable[[Model], float]
    needed: Callable[[Model], bool] = lambda model: True


@dataclass(frozen=True)
class Observable:
    """One row of the registry.

    name      in bins, averages, files and tables
    unit      energies in E_J, times in 1/E_J
    text      meaning, one line
    axes      names in AXES; none for a scalar
    kind      measured: a value for each measurement, averaged in bins
              worm:     from the waiting times of the worm in a bin
              map:      by site, averaged over the chain
              wave:     by wave vector and Matsubara frequency, averaged over the chain
              worm map: by distance or wave vector, from the waiting times of the worm in the chain
              sample:   from the means of a sample, see `of` and `subtract`
              derived:  a function of disorder means, see `statistics.point_averages`
    of        sample: the bins it is made of. One name: its mean, connected by `subtract`; two names: the
              mean of both on a square lattice, the first on any other
              derived: the averages it is a function of
    subtract  the disconnected part
    tracked   measured: followed from measurement to measurement, which gives tau_int; of an array the
              component at index 1 of its last axis and 0 of all others
    even      symmetric under tau -> beta - tau without charge offset: both halves are averaged
    """

    name: str
    unit: str
    text: str
    axes: tuple[str, ...] = ()
    kind: Kind = "measured"
    of: tuple[str, ...] = ()
    subtract: Subtraction | None = None
    tracked: bool = False
    even: bool = False

    def shape(self, model: Model, n_max: int) -> tuple[int, ...]:
        """Return the shape of one value for a model and the largest Matsubara number kept."""
        return tuple(AXES[axis].length(model, n_max) for axis in self.axes)

    @property
    def series(self) -> str:
        """Name of the tracked series: that of a scalar, NAME_1 of an array."""
        return f"{self.name}_1" if self.axes else self.name


def _beta_sites(model: Model) -> float:
    return model.beta * model.sites


def _scalar(name: str, unit: str, text: str, **more: Any) -> Observable:
    """Return a row of a number that is measured and tracked."""
    return Observable(name, unit, text, tracked=True, **more)


def _spectrum(name: str, unit: str, text: str) -> Observable:
    """Return a row of a response by Matsubara number that is measured and tracked at n = 1."""
    return Observable(name, unit, text, axes=("n",), tracked=True)


ROWS: tuple[Observable, ...] = (
    _scalar("rho_s_x", "E_J", "superfluid stiffness along x, <W_x^2> Lx/(Ly beta)"),
    _scalar("rho_s_y", "E_J", "superfluid stiffness along y, <W_y^2> Ly/(Lx beta)"),
    _scalar("kappa", "1/E_J", "compressibility, beta <W_tau^2>/(Lx Ly), not connected if n_g is not 0",
            subtract=Subtraction("density", _beta_sites, lambda model: model.n_g != 0)),
    _scalar("minus_kx", "E_J",
            "<-k_x> per site: sum of E_J cos(theta) over the x bonds (villain: of J^2/eps)"),
    _scalar("minus_ky", "E_J",
            "<-k_y> per site: sum of E_J cos(theta) over the y bonds (villain: of J^2/eps)"),
    _scalar("charging_energy", "E_J", "charging energy per site"),
    _scalar("bond_energy", "E_J", "Josephson energy per site"),
    _scalar("energy", "E_J", "energy per site, -(1/(Lx Ly)) d ln Z/d beta at fixed L_tau"),
    _scalar("bond", "1",
            "B, sum of cos(theta) over the bonds of one slice; in general -(Josephson energy)/E_J"),
    _scalar("density", "1", "charge per site, pairs, <W_tau>/(Lx Ly)"),
    _scalar("kappa_loc", "1/E_J",
            "response of a rotor's charge to its own potential, beta <n^2>, not connected"),
    _scalar("heat_raw", "1", "specific heat per site at fixed L_tau, not connected"),
    _scalar("rho_t_x", "E_J", "static response of the current along x at the smallest q along y"),
    _scalar("rho_t_y", "E_J", "static response of the current along y at the smallest q along x"),
    _scalar("W4_x", "1", "<W_x^4>"),
    _scalar("W4_y", "1", "<W_y^4>"),
    _scalar("W4_tau", "1", "<W_tau^4>"),
    _scalar("winds", "1", "probability that W_x or W_y is not 0"),
    _spectrum("rho_x", "E_J", "current response rho(i w_n) along x, n = 0 .. n_max"),
    _spectrum("rho_y", "E_J", "current response rho(i w_n) along y, n = 0 .. n_max"),
    _spectrum("chi_s_raw", "1/E_J", "scalar response of B per site, n = 0 .. n_max, n = 0 not connected"),
    _spectrum("chi_c_raw", "E_J",
              "response of the charging energy of a slice per site, n = 0 .. n_max, n = 0 not connected"),
    Observable("chi_c", "E_J", "connected response of the charging energy per site", ("n",), "sample",
               of=("chi_c_raw",), subtract=Subtraction("charging_energy", _beta_sites)),
    Observable("heat", "1", "specific heat per site at fixed L_tau, connected", (), "sample",
               of=("heat_raw",), subtract=Subtraction("energy", lambda model: model.beta**2 * model.sites)),
    Observable("rho_s", "E_J", "superfluid stiffness, mean of x and y on a square", (), "sample",
               of=("rho_s_x", "rho_s_y")),
    Observable("minus_k", "E_J", "<-k_x> per site, mean of x and y on a square", (), "sample",
               of=("minus_kx", "minus_ky")),
    Observable("rho", "E_J", "current response rho(i w_n), mean of x and y on a square", ("n",), "sample",
               of=("rho_x", "rho_y")),
    Observable("chi_s", "1/E_J", "connected scalar response per site", ("n",), "sample",
               of=("chi_s_raw",), subtract=Subtraction("bond", lambda model: model.beta / model.sites)),
    Observable("G_k0", "1", "G(k = 0, tau) per Lx Ly, tau = 0 .. L_tau - 1 slices", ("slice",), "worm",
               even=True),
    Observable("G_loc", "1", "local G(tau) of a rotor, tau = 0 .. L_tau - 1 slices", ("slice",), "worm",
               even=True),
    Observable("S_x", "1", "equal-time G(k, 0) at k = (2 pi n/Lx, 0), n = 0 .. Lx // 2", ("k_x",), "worm"),
    Observable("S_y", "1", "equal-time G(k, 0) at k = (0, 2 pi n/Ly), n = 0 .. Ly // 2", ("k_y",), "worm"),
    Observable("G_far", "1", "equal-time G at the distance (Lx // 2, Ly // 2)", (), "worm"),
    Observable("density", "1", "charge of a site, pairs, <n(r)>", ("y", "x"), "map"),
    Observable("kappa", "1/E_J",
               "response d<n(r)>/d mu of the charge to a uniform potential, not connected if n_g is not 0",
               ("y", "x"), "map"),
    Observable("kappa_loc", "1/E_J",
               "response of the charge of a site to its own potential, beta <n(r)^2>, not connected",
               ("y", "x"), "map"),
    Observable("G_r0", "1", "equal-time G by distance, per Lx Ly", ("y", "x"), "worm map"),
    Observable("G_k", "1", "G(k, tau) per Lx Ly at the lowest wave vectors along x, then along y",
               ("boson_wave", "slice"), "worm map"),
    Observable("K_T", "E_J", "transverse current response K_T(q, i w_n)", ("wave", "wave_n"), "wave"),
    Observable("chi_s_q", "1/E_J", "scalar response chi_s(q, i w_n) per site; meaningless at n = 0",
               ("wave", "wave_n"), "wave"),
    Observable("c", "E_J", "phase velocity sqrt(rho_s/kappa), in lattice constants", (), "derived",
               of=("rho_s", "kappa")),
    Observable("xi_tau", "1/E_J",
               "correlation length in time, second moment of G(k = 0, tau)", (), "derived",
               of=("G_k0",)),
    Observable("xi_x", "1", "correlation length along x in lattice constants, second moment of the "
               "equal-time G", (), "derived",
               of=("S_x",)),
    Observable("xi_y", "1", "correlation length along y in lattice constants, second moment of the "
               "equal-time G", (), "derived",
               of=("S_y",)),
    Observable("winding_ratio_x", "1", "<W_x^4>/<W_x^2>^2, disorder means of both", (), "derived",
               of=("W4_x", "rho_s_x")),
    Observable("winding_ratio_y", "1", "<W_y^4>/<W_y^2>^2, disorder means of both", (), "derived",
               of=("W4_y", "rho_s_y")),
    Observable("winding_ratio_tau", "1", "<W_tau^4>/<W_tau^2>^2, disorder means of both", (), "derived",
               of=("W4_tau", "kappa")),
)  # fmt: skip
"""All observables. The order of the scalars is that of tables; no code depends on a position."""


def _rows(*kinds: Kind) -> dict[str, Observable]:
    return {row.name: row for row in ROWS if row.kind in kinds}


MEASURED = _rows("measured")
OBSERVABLES = _rows("measured", "worm")
"""Bins of a chain, by name."""
MAPS = _rows("map", "worm map", "wave")
"""Maps of a chain, and responses by wave vector, by name."""
WAVES = tuple(_rows("wave"))
"""Responses by wave vector, in the order of `Measured.waves`."""
NOT_MEASURED = -1.0
"""Map by wave vector of a chain that was started by a version that did not measure it; files refuse NaN."""
AVERAGES = _rows("measured", "worm", "sample", "derived")
"""Everything that `PointAverages.values` may hold, by name."""

SCALARS = tuple(row.name for row in MEASURED.values() if not row.axes)
"""Numbers of one measurement."""
ARRAYS = tuple(row.name for row in MEASURED.values() if row.axes)
"""Arrays of one measurement."""
SERIES = (*SCALARS, *(row.series for row in MEASURED.values() if row.axes and row.tracked))
"""Numbers followed from measurement to measurement."""
TARGETS = ("rho_s", "minus_k", *SCALARS)
"""Scalars of a sample whose error a run may be asked for."""

SeriesIndex: Any = namedtuple("SeriesIndex", SERIES)  # type: ignore[misc]
AT: Any = SeriesIndex(*range(len(SERIES)))
"""Place of each number in the vector of one measurement: `values[AT.rho_s_x]`, also inside kernels."""

MAP_SUMS = (*_rows("map"), "twist_x", "twist_y")
"""Sums by site over the whole chain: the maps, and W_x times the current through the bonds along x and y."""

MapIndex: Any = namedtuple("MapIndex", MAP_SUMS)  # type: ignore[misc]
MAP_AT: Any = MapIndex(*range(len(MAP_SUMS)))
"""Place of each map among the sums by site: `maps[MAP_AT.kappa, column]`."""

ArrayOffsets: Any = namedtuple("ArrayOffsets", ARRAYS)  # type: ignore[misc]
"""Named tuple of the first place of each array in the joint vector of all arrays of a measurement."""


def array_slices(model: Model, n_max: int) -> dict[str, slice]:
    """Return the places of each array, flattened, in the joint vector of all arrays of a measurement."""
    out, start = {}, 0
    for name in ARRAYS:
        size = 1
        for length in MEASURED[name].shape(model, n_max):
            size *= length
        out[name] = slice(start, start + size)
        start += size
    return out


def row_of(name: str) -> Observable:
    """Return the row of an average; a row without unit and meaning for a name that only an old store has."""
    return AVERAGES.get(name, Observable(name, "1", name))


NOT_AVERAGED = frozenset(
    name for row in ROWS if row.kind == "sample" for name in row.of if AVERAGES[name].axes
)
"""Arrays of the bins that enter averages of other names, and are not averaged under their own name."""


def sample_bins(model: Model, name: str) -> tuple[str, ...]:
    """Return the bins that the mean of a sample is made of; `name` is not derived."""
    row = row_of(name)
    subtracted = (row.subtract.name,) if row.subtract and row.subtract.needed(model) else ()
    return (*(row.of or (name,)), *subtracted)


def bins_needed(model: Model, names: Iterable[str]) -> tuple[str, ...]:
    """Return the bins that the averages `names` of a model are made of."""
    found: dict[str, None] = {}
    for name in names:
        row = row_of(name)
        for part in row.of if row.kind == "derived" else (name,):
            found |= dict.fromkeys(sample_bins(model, part))
    return tuple(found)
