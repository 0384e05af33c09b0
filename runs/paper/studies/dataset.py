"""All data of the figures of the paper, in one value."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sitqmc.estimate import Estimate
from sitqmc.qmc import Chains, Model, Schedule
from sitqmc.qmc.finite_size.crossings import Crossing, crossings
from sitqmc.qmc.finite_size.kosterlitz import KosterlitzThouless
from sitqmc.qmc.finite_size.trotter import TrotterLimit, trotter_limit
from sitqmc.runs.paper.studies.conductivity import critical_conductivities
from sitqmc.runs.paper.studies.films import Film, films
from sitqmc.runs.paper.studies.local import LocalEnergies, local_energies
from sitqmc.runs.paper.studies.spectra import StudyPoint
from sitqmc.runs.paper.studies.study import ReducedPoint, Study
from sitqmc.runs.paper.studies.thermal import transition_temperatures

Array = NDArray[np.float64]

P_C = 0.337  # Swanson et al., PRX 4, 021007 (2014)
G_C, G_C_ERROR = 4.245, 0.008  # clean, this action and time step: our own, README and benchmarks
T_CLASSICAL = 0.8929  # E_J, T_c of the classical XY model
G_C_ROTOR, G_C_ROTOR_ERROR = 5.73, 0.03  # clean, rotor action, eps -> 0, where T_c vanishes
SIGMA_C = 0.5  # low-frequency conductivity at the transition, same source as P_C
FILM_DILUTIONS = (0.075, 0.1, 0.125)  # values of p in Fig. 3a of the paper
SAME_P = 0.01  # p within this of p_c counts as critical
CROSSING_WINDOW = (0.24, 0.41)
MAP_SEED, MAP_P, MAP_CHAINS = 337, 0.2, 8
LOCAL_P, LOCAL_MASKS, LOCAL_LOOKS = (0.2, P_C, 0.42), 4, 400


def is_critical(model: Model) -> bool:
    """Return whether the fraction of missing bonds is the published critical one."""
    return abs(model.p - P_C) < SAME_P


@dataclass(frozen=True)
class Maps:
    """Local averages over several chains of one bond mask.

    kappa        (Ly, Lx), local compressibility, 1/E_J
    flow, error  (2, Ly, Lx), current through the bonds along x and y under a twist along x, E_J
    bonds        (2, Ly, Lx), True where a bond is present
    """

    model: Model
    sample: int
    kappa: Array
    flow: Array
    error: Array
    bonds: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Reproduction:
    """Studies and spectra of one size. Films, crossings and maps are computed on first use.

    size      small, medium, or any name
    command   the command that makes these data
    results   averages, spectra and scales of the largest size, by study
    """

    size: str
    command: str
    studies: dict[str, Study]
    results: dict[str, list[StudyPoint]]

    @property
    def dirty(self) -> list[StudyPoint]:
        """The largest size of the diluted array, by p."""
        return self.results.get("dirty", [])

    @property
    def clean(self) -> list[StudyPoint]:
        """The clean array, by E_C/E_J."""
        return self.results.get("clean", [])

    @cached_property
    def films(self) -> dict[str, Film]:
        """The SYNTHETIC films."""
        return films()

    @cached_property
    def temperatures(self) -> dict[float, KosterlitzThouless]:
        """T_c of the diluted array by p, in E_J, of every p where the data hold the jump of rho_s."""
        return transition_temperatures(self.studies["thermal"]) if "thermal" in self.studies else {}

    @cached_property
    def clean_temperatures(self) -> dict[float, KosterlitzThouless]:
        """T_c of the clean array in the rotor action by E_C/E_J, in E_J."""
        study = self.studies.get("quantum")
        return {} if study is None else transition_temperatures(study, "charging")

    @cached_property
    def crossings(self) -> list[Crossing]:
        """p where <W_x^2> of successive sizes cross; those that do not cross inside the data are left out."""
        return self._crossings(winding_square)

    @cached_property
    def time_crossings(self) -> list[Crossing]:
        """p where <W_tau^2> of successive sizes cross; these crossings approach p_c from the other side."""
        return self._crossings(winding_square_tau)

    @property
    def p_c(self) -> Crossing | None:
        """The crossing of the largest pair of sizes."""
        return self.crossings[-1] if self.crossings else None

    @property
    def scaling(self) -> Study:
        """The study whose L_tau grows as L^z: that of the crossings, or the diluted array itself."""
        return self.studies.get("scaling", self.studies["dirty"])

    @cached_property
    def critical(self) -> dict[float, dict[int, Estimate]]:
        """sigma_low at p_c in 4e^2/h, by beta and by L."""
        return critical_conductivities(self.critical_points)

    @property
    def critical_points(self) -> list[ReducedPoint]:
        """Points at p_c of every size and temperature."""
        studies = (self.studies[name] for name in ("dirty", "critical") if name in self.studies)
        return [q for study in studies for q in study.points if is_critical(q.model)]

    def _window(self) -> list[ReducedPoint]:
        low, high = CROSSING_WINDOW
        return [point for point in self.scaling.points if low < point.model.p < high]

    def _crossings(self, square: Callable[[ReducedPoint], Array]) -> list[Crossing]:
        points = self._window()
        sizes = sorted({point.model.Lx for point in points})
        out = []
        for pair in itertools.pairwise(sizes):
            two = _overlapping([point for point in points if point.model.Lx in pair])
            squares = [square(point) for point in two]
            if len({len(table) for table in squares}) > 1:
                continue
            per_size = min(sum(point.model.Lx == L for point in two) for L in pair)
            try:
                out += crossings(
                    [point.model.Lx for point in two], [point.model.p for point in two], np.array(squares),
                    degree=min(3, per_size - 1), shared=True,
                )  # fmt: skip
            except ValueError:
                continue
        return out

    def trotter(self, name: str) -> tuple[Array, Array, Array, TrotterLimit] | None:
        """Return (eps, values, errors, limit) of a scalar; None without three time steps."""
        points = (
            sorted(self.studies["trotter"].points, key=lambda q: q.model.eps)
            if "trotter" in self.studies
            else []
        )
        if len({point.model.eps for point in points}) < 3:
            return None
        eps = np.array([point.model.eps for point in points])
        found = [point.estimate(name) for point in points]
        values, errors = (np.array([getattr(e, key) for e in found]) for key in ("value", "error"))
        table = np.array([point.blocks[name] for point in points])
        covariance = np.cov(table) / table.shape[1]  # the masks are the same at every eps
        return eps, values, errors, trotter_limit(eps, values, covariance, action=points[0].model.action)

    @cached_property
    def maps(self) -> Maps:
        """Fresh chains of one sample at p = 0.2: half a minute."""
        model = Model(Lx=16, Ly=16, L_tau=64, eps=0.1, charging=3.0, action="cosine", p=MAP_P)
        disorder = model.draw_disorder(MAP_SEED, 0)
        # The mask of sample 0 for all of them; the number of a chain's random stream is its own.
        chains = Chains(
            model, [disorder] * MAP_CHAINS, seed=MAP_SEED, samples=range(MAP_CHAINS),
            schedule=Schedule(bins=8, measurements_per_bin=1200, sweeps_per_measurement=1.0),
        )  # fmt: skip
        while not chains.finished:
            chains.step()
        results = chains.results()
        flows = np.array([result.twist_current for result in results])
        return Maps(
            model, 0, np.mean([result.maps["kappa"] for result in results], axis=0), flows.mean(axis=0),
            flows.std(axis=0, ddof=1) / np.sqrt(MAP_CHAINS), np.asarray(disorder.bonds),
        )  # fmt: skip

    @cached_property
    def local(self) -> dict[float, LocalEnergies]:
        """Local pair energies of a few masks by p, from fresh chains: ten seconds."""
        shape = Model(Lx=16, Ly=16, L_tau=64, eps=0.1, charging=3.0, action="cosine")
        return {
            p: local_energies(replace(shape, p=p), seed=MAP_SEED, masks=LOCAL_MASKS, looks=LOCAL_LOOKS)
            for p in LOCAL_P
        }


def _overlapping(points: list[ReducedPoint]) -> list[ReducedPoint]:
    """Return the points whose p lies where both sizes have data."""
    p = {L: [point.model.p for point in points if point.model.Lx == L] for L in {q.model.Lx for q in points}}
    low, high = max(map(min, p.values())), min(map(max, p.values()))
    return [point for point in points if low <= point.model.p <= high]


def winding_square(point: ReducedPoint) -> Array:
    """Return <W_x^2> of every block of samples, mean of x and y: beta rho_s on a square."""
    return np.asarray(point.blocks["rho_s"] * point.model.beta)


def winding_square_tau(point: ReducedPoint) -> Array:
    """Return <W_tau^2> of every block of samples: kappa Lx Ly/beta."""
    return np.asarray(point.blocks["kappa"] * point.model.sites / point.model.beta)
