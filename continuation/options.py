"""Every choice of a continuation in one place, checked once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypedDict, get_args

from sitqmc.continuation.data.default_models import DefaultModel
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.result import Result

AlphaRule = Literal["curvature", "classic", "bryan"]
RULES: tuple[str, ...] = get_args(AlphaRule)
Edge = Literal["open", "threshold", "peak"]
EDGES: tuple[str, ...] = get_args(Edge)
MIN_DRAWS = 20
MIN_SCAN = 3               # points of a scan


@dataclass(frozen=True, kw_only=True, eq=False)
class Options(Result):
    """Choices of a continuation. Every field is a keyword of `continue_correlator`.

    method      name of a method, see `methods.METHODS`; None: the method with the largest weight in the
                consensus
    constant    additive constant of Matsubara data (rho_s, contact term) if it is known exactly; None
                solves it together with the spectrum, with the joint covariance. A constant known with an
                error is given by `data.with_constraints(known_stiffness(...))`
    gap         A = 0 below this frequency
    onset_power (k, omega_c): A follows omega^k below omega_c
    default     default model: "gaussian" (seven widths, the evidence decides), "flat", values on the grid,
                or a list of models. Average over processes: any but "gaussian" replaces the base shapes
    omega       own frequency nodes; else n_omega nodes up to omega_max, both chosen from the data if None
    n_blocks    blocks of the jackknife over samples; None deletes one sample at a time
    seed        seed of all random numbers of the continuation
    threads     threads for the independent parts of a fit; 0: OMP_NUM_THREADS, else all cores (at most 8).
                No result depends on it

    Read by some methods only:
    alpha_rule  maximum entropy: "curvature" (corner of chi^2), "classic" (largest evidence), "bryan"
                (average over alpha)
    average     maximum entropy: average over default models and alpha by evidence instead of choosing
    alpha_top   where a scan over alpha begins, in units of 1/(weight of the default model)
    n_draws     samples of the posterior, or refits of a method without a prior
    edge        stochastic sampling: "open", "threshold" (nothing below a free edge), "peak" (the same, with
                one more delta function of free amplitude at the edge: a leading quasi-particle)
    amplitudes  stochastic sampling: whether the amplitudes of the delta functions move too
    """

    method: str | None = None
    constant: float | None = None
    gap: float | None = None
    onset_power: tuple[float, float] | None = None
    default: str | Array | list[DefaultModel] = "gaussian"
    omega: Array | None = None
    omega_max: float | None = None
    n_omega: int = 160
    n_blocks: int | None = None
    seed: int = 0
    threads: int = 0
    alpha_rule: AlphaRule = "curvature"
    average: bool = False
    alpha_top: float = 1e12
    n_draws: int = 120
    edge: Edge = "open"
    amplitudes: bool = False

    def __post_init__(self) -> None:
        for name, known in (("alpha_rule", RULES), ("edge", EDGES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} = {getattr(self, name)!r}: choose one of {', '.join(known)}")
        if self.n_draws < MIN_DRAWS:
            raise ValueError(f"n_draws = {self.n_draws}: at least {MIN_DRAWS} samples are needed")
        if self.threads < 0:
            raise ValueError(f"threads = {self.threads}: must be >= 0; 0 means as many as allowed")


class OptionKeys(TypedDict, total=False):
    """Fields of `Options` as keywords: type checkers see a misspelt one, editors complete them."""

    method: str | None
    constant: float | None
    gap: float | None
    onset_power: tuple[float, float] | None
    default: str | Array | list[DefaultModel]
    omega: Array | None
    omega_max: float | None
    n_omega: int
    n_blocks: int | None
    seed: int
    threads: int
    alpha_rule: AlphaRule
    average: bool
    alpha_top: float
    n_draws: int
    edge: Edge
    amplitudes: bool


def resolve(options: Options | None, changes: Mapping[str, Any]) -> Options:
    """Return options with keyword changes; raise TypeError naming the nearest known keyword."""
    known = [f.name for f in fields(Options)]
    for key in changes:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f", did you mean {near[0]}?" if near else f": choose from {', '.join(known)}"
            raise TypeError(f"unknown option {key!r}{hint}")
    return replace(options or Options(), **changes)
