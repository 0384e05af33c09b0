"""Every choice of a continuation in one place, checked once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from sitqmc.continuation.data.default_models import DefaultModel
from sitqmc.continuation.kernels.kernels import Array
from sitqmc.continuation.methods.maxent.alpha import RULES, AlphaRule
from sitqmc.continuation.methods.stochastic import EDGES, Edge

Method = Literal["process", "maxent", "sampling", "sparse", "rational"]
METHODS: tuple[str, ...] = get_args(Method)
MIN_DRAWS = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """How to continue. Every field is a keyword of `continue_correlator` and `continue_conductivity`.

    method      "process": average over log-Gaussian processes by evidence (alpha_rule and average do not
                apply; a default model other than "gaussian" replaces the library of base shapes).
                "maxent": maximum entropy with the options below. "sampling": stochastic sampling.
                "sparse": leading singular components with positivity. "rational": barycentric form through
                Matsubara data, a cross-check. benchmarks/continuation.py compares them
    constant    additive constant of Matsubara data (rho_s, contact term) if it is known exactly; None
                solves it together with the spectrum, with the joint covariance. Known with an error:
                `data.with_constraints(known_stiffness(...))`
    gap         A = 0 below this frequency
    onset_power (k, omega_c): A follows omega^k below omega_c
    default     "gaussian" (seven widths, the evidence decides), "flat", values on the grid, or models
    alpha_rule  "curvature" (corner of chi^2), "classic" (largest evidence), "bryan" (average over alpha)
    average     average over default models and alpha by evidence instead of choosing
    omega       own frequency nodes; else n_omega nodes up to omega_max, both chosen from the data if None
    n_blocks    blocks of the jackknife over samples; None deletes one sample at a time
    alpha_top   where the scan over alpha begins, in units of 1/(weight of the default model)
    n_draws, seed  samples of the posterior of "process" and the seed of their random numbers
    edge        of "sampling": "open", "threshold" (nothing below a free edge), "peak" (the same, with
                one more delta of free amplitude at the edge: a leading quasi-particle)
    amplitudes  of "sampling": whether the amplitudes of the deltas move too
    threads     for the independent parts of a fit; 0: OMP_NUM_THREADS, else all cores (at most 8). No result
                depends on it
    """

    method: Method = "process"
    constant: float | None = None
    gap: float | None = None
    onset_power: tuple[float, float] | None = None
    default: str | Array | list[DefaultModel] = "gaussian"
    alpha_rule: AlphaRule = "curvature"
    average: bool = False
    omega: Array | None = None
    omega_max: float | None = None
    n_omega: int = 400
    n_blocks: int | None = None
    alpha_top: float = 1e12
    n_draws: int = 120
    seed: int = 0
    edge: Edge = "open"
    amplitudes: bool = False
    threads: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method = {self.method!r}: choose one of {', '.join(METHODS)}")
        if self.alpha_rule not in RULES:
            raise ValueError(f"alpha_rule = {self.alpha_rule!r}: choose one of {', '.join(RULES)}")
        if self.n_draws < MIN_DRAWS:
            raise ValueError(f"n_draws = {self.n_draws}: at least {MIN_DRAWS} samples are needed")
        if self.edge not in EDGES:
            raise ValueError(f"edge = {self.edge!r}: choose one of {', '.join(EDGES)}")
        if self.threads < 0:
            raise ValueError(f"threads = {self.threads}: must be >= 0; 0 means as many as allowed")


def resolve(options: Options | None, changes: dict[str, Any]) -> Options:
    """Options with keyword changes; an unknown keyword is refused with the nearest known one."""
    known = [f.name for f in fields(Options)]
    for key in changes:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f", did you mean {near[0]}?" if near else f": choose from {', '.join(known)}"
            raise TypeError(f"unknown option {key!r}{hint}")
    return replace(options or Options(), **changes)
