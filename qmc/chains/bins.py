"""Results of a chain: bins, maps and series under their names."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sitqmc.qmc.chains import loop
from sitqmc.qmc.chains.loop import BatchState
from sitqmc.qmc.measure.green import green_bins
from sitqmc.qmc.measure.own import OwnSums
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.observables import (
    AT,
    MAP_AT,
    MAPS,
    MEASURED,
    NOT_MEASURED,
    OBSERVABLES,
    SCALARS,
    SERIES,
    WAVES,
)
from sitqmc.qmc.statistics.jackknife import autocorrelation_time
from sitqmc.result import Result

Array = NDArray[np.float64]


BOSON_UNKNOWN = -1e6
"""Value of G(k, tau) below which the state of a chain came from a version that did not measure it."""


@dataclass(frozen=True)
class ChainResult(Result):
    """Bins, maps and cost of one finished chain.

    bins           name -> float64 (bins, ...), see `OBSERVABLES`
    maps           name -> float64 (Ly, Lx), means over the chain, see `observables.MAPS`; also K_T and
                   chi_s_q, float64 (waves, frequencies), unless `Schedule.transverse` is false, and G_k,
                   float64 (waves, slices)
    twist_current  float64 (2, Ly, Lx), E_J: current through the bonds along x and y in response to a
                   small twist along x, <W_x J(r)>/beta with J summed over time. It has no divergence; the sum
                   of its x part over y is rho_s_x Ly/Lx at every x
    series         float64 (measurements, len(SERIES)), every measurement of the tracked observables
    """

    bins: dict[str, Array]
    maps: dict[str, Array]
    twist_current: Array
    series: Array
    moves: int                              # head moves after thermalisation
    attempts: int                           # worms after thermalisation, failed openings included
    worms_per_measurement: int
    sweeps_per_measurement: float           # as made

    @cached_property
    def tau_int(self) -> dict[str, float]:
        """Integrated autocorrelation time of every tracked observable, in measurements."""
        return {name: autocorrelation_time(self.series[:, getattr(AT, name)])[0] for name in SERIES}


def chain_result(
    batch: BatchState, c: int, model: Model, n_max: int, slices: dict[str, slice], rotors: int,
    own: OwnSums,
) -> ChainResult:
    """Return the result of finished chain c of a batch.

    n_max   largest Matsubara number kept
    slices  place of each array among the arrays of a measurement, see `observables.array_slices`
    rotors  number of sites that are present
    own     sums of own observables
    """
    _, bins, per_bin, columns = batch.series.shape
    measurements, share = bins * per_bin, rotors / model.sites
    named = {name: batch.scalars[c, :, getattr(AT, name)].copy() for name in SCALARS}
    for name, part in slices.items():
        named[name] = batch.arrays[c, :, part].reshape(bins, *MEASURED[name].shape(model, n_max)).copy()
    boson = batch.boson[c] / bins
    boson[:, 0] += share                         # head and tail on one site, see `green_bins`
    if boson.size and boson.min() < BOSON_UNKNOWN:
        boson[:] = NOT_MEASURED
    green, G_r0 = green_bins(batch.times[c], batch.distances[c], share)
    sums = batch.sums.maps[c].reshape(-1, model.Ly, model.Lx)
    maps = {name: sums[at] / measurements for name, at in MAP_AT._asdict().items()}
    maps |= {"G_r0": G_r0, "G_k": boson}
    if batch.sums.waves.size:
        waves = batch.sums.waves[c] / measurements
        # K_T is a sum of squares; chi_s_q is connected by a contact term and may be negative.
        known = waves[WAVES.index("K_T")].min() >= 0
        maps |= dict(zip(WAVES, waves if known else np.full_like(waves, NOT_MEASURED), strict=True))
    named |= green
    steps = int(batch.counters[c, loop.STEPS])
    return ChainResult(
        bins={name: named[name] for name in OBSERVABLES} | {k: a[c].copy() for k, a in own.bins.items()},
        maps={name: maps[name] for name in MAPS if name in maps},
        twist_current=sums[[MAP_AT.twist_x, MAP_AT.twist_y]] / (measurements * model.beta),
        series=batch.series[c].reshape(measurements, columns).copy(),
        moves=steps,
        attempts=int(batch.counters[c, loop.WORMS]) * measurements,
        worms_per_measurement=int(batch.counters[c, loop.WORMS]),
        sweeps_per_measurement=steps / (measurements * model.sites * model.L_tau),
    )
