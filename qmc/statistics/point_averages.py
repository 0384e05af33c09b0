"""Averages of one point with errors, from the bins of many disorder samples.

The sample is the unit: bins are averaged within a sample first (connected correlators without bias), then
mean, covariance and jackknife run over samples.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from sitqmc.estimate import Estimate
from sitqmc.qmc.model.model import Model
from sitqmc.qmc.model.wave_vectors import boson_waves
from sitqmc.qmc.observables import AVERAGES, NOT_AVERAGED, NOT_MEASURED, OBSERVABLES, row_of, sample_bins
from sitqmc.qmc.statistics.allocation import VarianceSums
from sitqmc.qmc.statistics.estimators import Average
from sitqmc.qmc.statistics.jackknife import autocorrelation_time, average, jackknife, squared_mean
from sitqmc.qmc.statistics.thermalisation import DifferenceSums, outliers, stuck_by_activity, winding_activity
from sitqmc.result import Result

Array = NDArray[np.float64]

FEW_SAMPLES = 8
FEW_BINS = 8
THERMALISATION_LEVEL = 1e-3
WINDINGS = ("rho_s_x", "rho_s_y", "kappa")


@dataclass(frozen=True)
class QualityCheck(Result):
    """Quality of one observable.

    tau_int            in measurements, mean over samples
    thermalisation_p   probability of halves differing as much or more by chance, over all components
    thermal_fraction   fraction of the squared error that is thermal noise, the rest is disorder: near 1 more
                       sweeps help, near 0 more samples; median over components; nan for one sample
    outliers           samples (by position) far outside the distribution; scalars only
    stuck              samples (by position) whose squared winding is stuck, see `stuck_samples`
    """

    tau_int: float
    thermalisation_p: float
    thermal_fraction: float = float("nan")
    outliers: tuple[int, ...] = ()
    stuck: tuple[int, ...] = ()


@dataclass(frozen=True)
class PointAverages(Result):
    """Averages of one point.

    samples   per-sample means: scalars (n,), correlators (n, m); see `sample_means`
    values    disorder mean and error of each of them and of what is `derived` from them
    checks    by observable of the bins
    warnings  one line each
    improved  averages by estimators with less noise, see `improved.improve`, whose results `samples` and
              `values` are; empty if these are plain
    plain     the plain `values`; empty if these are plain
    """

    model: Model
    samples: dict[str, Array]
    values: dict[str, Estimate]
    checks: dict[str, QualityCheck]
    warnings: tuple[str, ...]
    improved: Mapping[str, Average] = field(default_factory=dict)
    plain: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def n_samples(self) -> int:
        """Number of disorder samples; where samples are not kept, that of the first value that knows it."""
        if self.samples:
            return len(next(iter(self.samples.values())))
        return next((e.n for e in self.values.values() if e.n is not None), 0)

    def response(self, name: str) -> tuple[NDArray[np.int64], Estimate]:
        """Return Matsubara numbers and values of a response, at the numbers where it is improved, or all."""
        one, all_ = self.improved.get(name), self.values[name]
        if one is None or one.n is None:
            return np.arange(len(np.asarray(all_.value))), all_
        return one.n, one.estimate


def sample_means(model: Model, bins: Mapping[str, Array]) -> dict[str, Array]:
    """Return the averages of every sample from bins (samples, bins, ...), by the rules of `observables`.

    Scalars and own observables of the bins under their own names; arrays of the bins (n, ...) unless another
    average is made of them; and the averages of kind "sample". Averages whose bins are missing are left out.
    Products of averages are taken within a sample, between different bins, so without bias.
    """
    scalars = [name for name, values in bins.items() if values.ndim == 2 or name not in OBSERVABLES]
    names = [row.name for row in AVERAGES.values() if row.kind != "derived"]
    return {
        name: _sample_mean(model, bins, name)
        for name in dict.fromkeys((*scalars, *names))
        if name not in NOT_AVERAGED and all(part in bins for part in sample_bins(model, name))
    }


def _sample_mean(model: Model, bins: Mapping[str, Array], name: str) -> Array:
    """Return the average `name` of every sample, (n, ...), by its row of the registry."""
    row = row_of(name)
    means = [bins[part].mean(axis=1) for part in row.of or (name,)]
    mean = (means[0] + means[1]) / 2 if len(means) == 2 and model.Lx == model.Ly else means[0]
    # A charge offset makes particles and holes different: G(tau) is then not symmetric.
    if row.even and not model.n_g:
        mean = (mean + mean[..., -np.arange(model.L_tau) % model.L_tau]) / 2
    if row.subtract and row.subtract.needed(model):
        mean = mean.copy()
        zero = mean[..., 0] if row.axes else mean
        zero -= row.subtract.factor(model) * squared_mean(bins[row.subtract.name])
    return np.asarray(mean)


def boson_means(model: Model, G_k: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the waves (waves, 2) and G(k, tau) of every sample, (samples, waves, L_tau).

    G_k     (samples, waves, L_tau), the map of that name of every sample
    raises  ValueError if it was not measured in all samples

    On a square the waves are those along x, with the mean of both directions; without charge offset both
    halves in tau are averaged.
    """
    if np.any(G_k == NOT_MEASURED):
        raise ValueError(
            "G_k: some samples were started by a version without it; run them again from the start"
        )
    waves, mean = boson_waves(model.Lx, model.Ly), G_k
    if model.Lx == model.Ly:
        half = len(waves) // 2
        waves, mean = waves[:half], (G_k[:, :half] + G_k[:, half:]) / 2
    if not model.n_g:
        mean = (mean + mean[..., -np.arange(model.L_tau) % model.L_tau]) / 2
    return waves, mean


def average_point(
    model: Model,
    bins: Mapping[str, Array],
    tau_int: Mapping[str, Array],
    measurements_per_bin: int,
    failed: Mapping[int, str] | None = None,
) -> PointAverages:
    """Return averages and checks of one point.

    bins      name -> (samples, bins, ...), as made by `run_chain`
    tau_int   name -> (samples,), in measurements
    failed    reasons of the samples that are missing because they failed, by sample number
    """
    whole = PointAccumulator(model, measurements_per_bin)
    whole.add(bins, tau_int)
    return whole.result(failed)


class PointAccumulator:
    """Averages and checks of one point whose samples arrive in pieces; memory holds one mean per sample.

        whole = PointAccumulator(model, measurements_per_bin=16)
        for piece in pieces:
            whole.add(piece.bins, piece.tau_int)
        averages = whole.result()

    All pieces must hold the same observables with the same number of bins. Without `checks` only what the
    averages need is computed.
    """

    def __init__(self, model: Model, measurements_per_bin: int, *, checks: bool = True) -> None:
        self.model, self.measurements_per_bin, self.with_checks = model, measurements_per_bin, checks
        self._samples: list[dict[str, Array]] = []
        self._sums: dict[str, _CheckSums] = {}
        self._bins = 0

    def add(self, bins: Mapping[str, Array], tau_int: Mapping[str, Array]) -> None:
        """Add samples: bins name -> (samples, bins, ...), tau_int name -> (samples,) in measurements."""
        self._samples.append(sample_means(self.model, bins))
        self._bins = next(iter(bins.values())).shape[1]
        if self.with_checks:
            for name, values in bins.items():
                sums = self._sums.setdefault(name, _CheckSums(name))
                sums.add(values, _times(name, values, tau_int, self.measurements_per_bin))
                sums.followed = _series_of(name, tau_int) is not None

    def result(self, failed: Mapping[int, str] | None = None) -> PointAverages:
        """Return the averages of all samples added; `failed` as in `average_point`."""
        samples = {
            name: np.concatenate([piece[name] for piece in self._samples]) for name in self._samples[0]
        }
        values = {name: average(array) for name, array in samples.items()}
        values |= derived(self.model, samples)
        checks = {name: sums.check() for name, sums in self._sums.items()}
        followed = {name for name, sums in self._sums.items() if sums.followed}
        n = len(next(iter(samples.values())))
        warnings = _warnings(n, self._bins, checks, self.measurements_per_bin, followed)
        return PointAverages(self.model, samples, values, checks, (*warnings, *_missing(failed or {})))


class _CheckSums:
    """Sums over the bins of one observable from which its check follows."""

    def __init__(self, name: str) -> None:
        self.name, self.followed = name, False
        self.halves, self.variances = DifferenceSums(), VarianceSums()
        self.times: list[Array] = []
        self.means: list[Array] = []
        self.activity: list[Array] = []

    def add(self, bins: Array, times: Array) -> None:
        half = bins.shape[1] // 2
        self.halves.add(bins[:, :half], bins[:, -half:])
        self.variances.add(bins)
        self.times.append(times)
        if bins.ndim == 2:
            self.means.append(bins.mean(axis=1))
        if self.name in WINDINGS:
            self.activity.append(winding_activity(bins))

    def check(self) -> QualityCheck:
        return QualityCheck(
            tau_int=float(np.mean(np.concatenate(self.times))),
            thermalisation_p=_thermalisation(self.halves.z()),
            thermal_fraction=_thermal_fraction(self.variances),
            outliers=tuple(outliers(np.concatenate(self.means)).tolist()) if self.means else (),
            stuck=tuple(stuck_by_activity(np.concatenate(self.activity)).tolist()) if self.activity else (),
        )


def _thermal_fraction(variances: VarianceSums) -> float:
    """Return the median over the components that fluctuate; 0 if none does."""
    if variances.means.n < 2:
        return float("nan")
    components = variances.components()
    share = components.thermal_fraction[components.total > 0]
    return float(np.median(share)) if share.size else 0.0


def _missing(failed: Mapping[int, str]) -> list[str]:
    """Return the warning of samples that are missing because they failed."""
    if not failed:
        return []
    names = ", ".join(map(str, sorted(failed)))
    return [f"not in the averages, because they failed: samples {names} ({failed[min(failed)]})"]


@dataclass(frozen=True)
class _Part:
    """Argument of a derived average: the mean of weights . average."""

    name: str
    weights: Array | float = 1.0

    def of(self, samples: Mapping[str, Array]) -> Array:
        table = samples[self.name]
        return np.asarray(table @ self.weights if table.ndim > 1 else table * self.weights)

    def shift(self, source: Mapping[str, Array]) -> Array:
        """Shift of the argument by one source of error."""
        return np.asarray(np.sum(source.get(self.name, 0.0) * self.weights))


def derived(
    model: Model, samples: Mapping[str, Array], shifts: Sequence[Mapping[str, Array]] = ()
) -> dict[str, Estimate]:
    """Return the functions of disorder means that are not linear, with jackknife errors.

    c              phase velocity sqrt(rho_s/kappa)
    xi_tau         correlation length in time, 1/E_J, second moment of G(k = 0, tau)
    xi_x, xi_y     correlation lengths in space, lattice constants, second moment of the equal-time G
    winding_ratio  <W^4>/<W^2>^2 along x, y and tau (disorder means of both): 1 .. 3 in a superfluid

    shifts  of the means by independent sources of error beyond the scatter of the samples, see `shifts_of`
    """
    out = {}
    for name, function, parts in _derived(model, samples):
        moved = ([part.shift(source) for part in parts] for source in shifts)
        out[name] = jackknife(function, *(part.of(samples) for part in parts), shifts=moved)
    return out


def _derived(
    model: Model, samples: Mapping[str, Array]
) -> Iterator[tuple[str, Callable[..., Array], tuple[_Part, ...]]]:
    """Yield name, function and arguments of every derived average whose arguments are among the samples."""
    if "rho_s" in samples and "kappa" in samples:
        yield "c", _velocity, (_Part("rho_s"), _Part("kappa"))
    if "G_k0" in samples and model.L_tau > 2:
        phase = 2 * np.pi * np.arange(model.L_tau) / model.L_tau
        parts = _Part("G_k0", np.ones(model.L_tau)), _Part("G_k0", np.cos(phase))
        yield "xi_tau", _length(model.L_tau, model.eps), parts
    for name, L in (("x", model.Lx), ("y", model.Ly)):
        # Not in stores of earlier versions; a single site has no other wave number.
        if f"S_{name}" in samples and samples[f"S_{name}"].shape[1] > 1:
            still, wave = np.eye(samples[f"S_{name}"].shape[1])[:2]
            yield f"xi_{name}", _length(L, 1.0), (_Part(f"S_{name}", still), _Part(f"S_{name}", wave))
        if f"W4_{name}" in samples and f"rho_s_{name}" in samples:
            square = _Part(f"rho_s_{name}", model.sites / L**2 * model.beta)
            yield f"winding_ratio_{name}", _ratio, (_Part(f"W4_{name}"), square)
    if "W4_tau" in samples and "kappa" in samples and model.n_g == 0:
        square = _Part("kappa", model.sites / model.beta)
        yield "winding_ratio_tau", _ratio, (_Part("W4_tau"), square)


def _length(L: int, unit: float) -> Callable[[Array, Array], Array]:
    """Return the second-moment length sqrt(S(0)/S(k_1) - 1)/(2 sin(k_1/2)) along a periodic direction."""

    def length(still: Array, wave: Array) -> Array:
        ratio = still / wave if wave > 0 else np.ones(())
        return np.asarray(unit * np.sqrt(np.maximum(ratio - 1, 0.0)) / (2 * np.sin(np.pi / L)))

    return length


def _ratio(fourth: Array, square: Array) -> Array:
    """Return <W^4>/<W^2>^2; zero where nothing winds."""
    return np.asarray(fourth / square**2) if square > 0 else np.zeros(())


def _velocity(rho_s: Array, kappa: Array) -> Array:
    """Return the phase velocity sqrt(rho_s/kappa); zero where nothing is compressible."""
    return np.sqrt(np.maximum(rho_s, 0.0) / kappa) if kappa > 0 else np.zeros(())


def _series_of(name: str, tau_int: Mapping[str, Array]) -> str | None:
    """Return the name of the tracked series of an observable, if it has one."""
    return next((key for key in (name, f"{name}_1") if key in tau_int), None)


def _times(name: str, bins: Array, tau_int: Mapping[str, Array], measurements_per_bin: int) -> Array:
    """Return tau_int of an observable in every sample, (n,) in measurements.

    It is that of its own series, of its first frequency, or else of its bins. Of a correlator without a
    series (G, S) the middle column of the bins is taken, which for G is tau = beta/2.
    """
    if key := _series_of(name, tau_int):
        return tau_int[key]
    columns = bins.reshape(*bins.shape[:2], -1)
    times = [autocorrelation_time(series)[0] for series in columns[:, :, columns.shape[2] // 2]]
    return np.array(times) * measurements_per_bin


def _thermalisation(z: Array) -> float:
    """Return the probability of the largest |z| among the components of an observable (Sidak)."""
    z = np.abs(np.ravel(z))
    smallest = float(erfc(z.max() / np.sqrt(2)))
    return float(-np.expm1(z.size * np.log1p(-min(smallest, 1 - 1e-12))))


def _warnings(
    samples: int, bins: int, checks: Mapping[str, QualityCheck], measurements_per_bin: int, followed: set[str]
) -> list[str]:
    out, measurements = [], bins * measurements_per_bin
    if samples < FEW_SAMPLES:
        out.append(f"only {samples} disorder samples: errors are uncertain")
    if bins < FEW_BINS:
        out.append(f"only {bins} bins per chain: thermal errors and thermalisation are uncertain")
    # What is only known by bins cannot be below half a bin, however short its time is.
    floor = {name: 0.0 if name in followed else 0.75 * measurements_per_bin for name in checks}
    slow = [name for name, check in checks.items() if check.tau_int > max(measurements / 20, floor[name])]
    if slow:
        out.append(f"tau_int above 1/20 of the {measurements} measurements of a chain: {', '.join(slow)}")
    # The observables are many and correlated: each is allowed its share of the false alarms.
    drifting = [
        name for name, check in checks.items() if check.thermalisation_p < THERMALISATION_LEVEL / len(checks)
    ]
    if drifting:
        out.append(f"first and second half of the chains differ (longer therm_sweeps): {', '.join(drifting)}")
    for name, check in checks.items():
        if check.outliers:
            out.append(f"{name} lies far outside the other samples in {_listed(check.outliers)}")
        if check.stuck:
            out.append(
                f"{name} is stuck in {_listed(check.stuck)}: not connected, or not ergodic (longer chains)"
            )
    return out


def _listed(numbers: tuple[int, ...]) -> str:
    """Return the first few numbers of samples as text."""
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"sample{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers[:5]))}{more}"
