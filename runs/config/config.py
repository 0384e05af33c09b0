"""The configuration file: a frozen dataclass for each section; unknown keys are refused, all values checked.

[model] is read by `scan`, [target] by `target`.
"""

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, Unpack, get_type_hints

from sitqmc.continuation.methods import DEFAULT_METHOD, methods_for
from sitqmc.continuation.options import RULES
from sitqmc.qmc import DEFAULT_ESTIMATOR, ESTIMATORS, Model, Schedule
from sitqmc.runs.config import scan
from sitqmc.runs.config.checks import Findings, check_type, refuse_unknown
from sitqmc.runs.config.keywords import ConfigKeywords, changed
from sitqmc.runs.config.overrides import default_output, overridden, with_output
from sitqmc.runs.config.target import TargetSection, parse_target
from sitqmc.runs.errors import UserError
from sitqmc.runs.formats.own import file_hash

Section = TypeVar("Section")

METHODS = tuple(methods_for("rho_iw"))

CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("continuation", "method"): METHODS,
    ("continuation", "alpha_rule"): RULES,
    ("continuation", "estimator"): ESTIMATORS,
}
"""Values of keys that are one of a few words, by section and key."""

BOUNDS: dict[tuple[str, str], tuple[float, float]] = {
    ("disorder", "samples"): (1, 10**7),
    ("disorder", "seed"): (0, 2**63 - 1),
    ("schedule", "interleave"): (1, 1024),
    ("observables", "n_max"): (0, math.inf),
    ("continuation", "omega_max"): (0, math.inf),
    ("continuation", "omega_points"): (20, 10_000),
    ("continuation", "blocks"): (2, 10_000),
    ("output", "checkpoint_seconds"): (0, math.inf),
}
"""Least and largest value of numbers, by section and key. Infinity itself is refused."""


@dataclass(frozen=True, kw_only=True)
class DisorderSection:
    """[disorder]"""

    samples: int = 100                         # disorder samples (and chains) per point
    seed: int = 1                              # names all random streams
    file: str = ""                             # .npy file with own disorder, instead of drawn samples
    file_hash: str = ""                        # of that file; set when the run begins


@dataclass(frozen=True, kw_only=True)
class ScheduleSection(Schedule):
    """[schedule] The fields of `qmc.Schedule`, and how samples share a process: `interleave`."""

    interleave: int = 4                        # samples of one point that run together; changes no bit


@dataclass(frozen=True, kw_only=True)
class ObservablesSection:
    """[observables]"""

    n_max: int = 0                             # largest Matsubara number kept; 0: all, L_tau // 2
    own: str = ""                              # Python file with own observables
    own_hash: str = ""                         # of that file; set when the run begins


@dataclass(frozen=True, kw_only=True)
class ContinuationSection:
    """[continuation] May change between calls on the same output."""

    omega_max: float = 0.0                     # cut-off of sigma(omega), E_J; 0: chosen from the data
    omega_points: int = 160                    # frequencies
    blocks: int = 20                           # jackknife blocks of samples for the band
    method: str = DEFAULT_METHOD               # a method of `continuation`; the cross-check runs beside it
    scan: bool = True                          # three or more points of a scan: continue them together
    alpha_rule: str = "curvature"              # curvature, classic or bryan
    f_sum: bool = False                        # impose <-k_x> too; exact only for eps -> 0
    estimator: str = DEFAULT_ESTIMATOR         # improved, transverse, masks or plain


@dataclass(frozen=True, kw_only=True)
class OutputSection:
    """[output] May change between calls on the same output."""

    path: str = "results/run"                  # folder of run.h5, tables and figures; default: results/NAME
    checkpoint_seconds: float = 30.0           # longest time between two checkpoints
    keep_state: bool = False                   # keep the ends of the chains, to add bins later


@dataclass(frozen=True, kw_only=True)
class Config:
    """Configuration of a run. `model` is what `scan.parse_model` returns; `models` are its points."""

    model: dict[str, Any]
    disorder: DisorderSection = field(default_factory=DisorderSection)
    schedule: ScheduleSection = field(default_factory=ScheduleSection)
    observables: ObservablesSection = field(default_factory=ObservablesSection)
    target: TargetSection = field(default_factory=TargetSection)
    continuation: ContinuationSection = field(default_factory=ContinuationSection)
    output: OutputSection = field(default_factory=OutputSection)

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """The models of the run, all combinations of the scanned keys, p fastest; UserError for a bad one."""
        models, n_max = tuple(scan.models(self.model)), self.observables.n_max
        most = min((model.L_tau // 2 for model in models), default=0)
        if n_max > most:
            raise UserError(f"[observables] n_max = {n_max}: must be at most L_tau/2 = {most}")
        return models

    @classmethod
    def read(cls, path: str | Path) -> "Config":
        """Return the configuration in a TOML file; UserError with one line for each error."""
        return load_config(path)

    @classmethod
    def of(
        cls, base: "Config | Model | str | Path | None" = None, **keywords: Unpack[ConfigKeywords]
    ) -> "Config":
        """Return a configuration from keywords, which replace the values of `base`.

            Config.of(L=8, beta=4.8, eps=0.1, charging=3.0, p=[0.0, 0.1], samples=100, path="results/scan")

        base      a configuration, a TOML file, or a model; None: the defaults
        keywords  keys of [model], with lists, ranges and expressions as in a TOML file; samples, seed, path;
                  other sections as tables, such as schedule={"bins": 64} or schedule=Schedule(bins=64)
        raises    UserError for unknown, missing or wrong keys and values
        """
        table: dict[str, Any] = {}
        if isinstance(base, (str, Path)):
            base = load_config(base)
        if isinstance(base, Config):
            table = base.resolved()
        elif isinstance(base, Model):
            table = {"model": asdict(base)}
        return parse_config(changed(table, dict(keywords)))

    def sweeps(self, bins: int | None = None) -> float:
        """Return the sweeps of a chain, thermalisation included; with the bins of the schedule if None."""
        s = self.schedule
        count = s.bins if bins is None else bins
        return s.therm_sweeps + count * s.measurements_per_bin * s.sweeps_per_measurement

    def chain_settings(self) -> dict[str, Any]:
        """Return what every chain of an output must share, whatever its point and sample, by key."""
        shared = {f"schedule.{f.name}": getattr(self.schedule, f.name) for f in fields(Schedule)}
        del shared["schedule.bins"]              # chains can be made longer
        return shared | {
            "disorder.seed": self.disorder.seed,
            "observables.n_max": self.observables.n_max,
            "observables.own_hash": self.observables.own_hash,
            "disorder.file_hash": self.disorder.file_hash,
        }

    def resolved(self) -> dict[str, Any]:
        """Return all values, defaults included, as plain JSON values."""
        return dict(json.loads(json.dumps(asdict(self))))


def load_config(path: str | Path, changes: Sequence[str] = ()) -> Config:
    """Return the configuration in a TOML file; without [output] path the output is results/NAME of NAME.toml.

    changes  values that replace those of the file, such as "model.p=0.1"
    raises   UserError with one line for each thing wrong with the file or the changes
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        table = overridden(tomllib.loads(text), changes)
        return parse_config(with_output(table, default_output(path)))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not valid TOML ({reason}); fix the file") from None
    except UserError as error:
        raise UserError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def parse_config(table: dict[str, Any]) -> Config:
    """Return the configuration in parsed TOML or in the result of `Config.resolved`.

    raises  UserError with one line for each unknown, missing or wrong key and value
    """
    findings, sections = Findings(), dict[str, Any]()
    with findings.collected():
        refuse_unknown(table, [f.name for f in fields(Config)], "section", "")
    special = {"model": scan.parse_model, "target": parse_target}
    hints = get_type_hints(Config)
    for f in fields(Config):
        given = table.get(f.name, {})
        with findings.collected():
            if f.name in special:
                sections[f.name] = special[f.name](given)
            else:
                sections[f.name] = _section(hints[f.name], given, f.name)
    _check_ranges(sections, findings)
    if "model" in sections:
        with findings.collected():
            scan.models(sections["model"])
    with findings.collected():
        _name_files(sections)
    findings.report()
    config = Config(**sections)
    _ = config.models                          # raises an error of n_max
    return config


def matsubara_count(config: Config, model: Model) -> int:
    """Return the largest Matsubara number kept for `model`."""
    return config.observables.n_max or model.L_tau // 2


def _name_files(sections: dict[str, Any]) -> None:
    """Add the hashes of own files, which tell their versions apart; those of a stored run stay."""
    for section, key in (("disorder", "file"), ("observables", "own")):
        values: Any = sections.get(section)
        path, known = getattr(values, key, ""), getattr(values, f"{key}_hash", "")
        if path and not known:
            found = {f"{key}_hash": file_hash(path, f"[{section}] {key}")}
            sections[section] = replace(values, **found)


def _section(kind: type[Section], table: Any, name: str) -> Section:
    """Return one section from its table, with types checked."""
    if not isinstance(table, dict):
        raise UserError(f"{name} = {table!r}: must be a section, [{name}]")
    known, hints, values = fields(kind), get_type_hints(kind), dict[str, Any]()  # type: ignore[arg-type]
    findings = Findings()
    with findings.collected():
        refuse_unknown(table, [f.name for f in known], "key", f"[{name}] ")
    for f in known:
        if f.name in table:
            with findings.collected():
                values[f.name] = check_type(table[f.name], hints[f.name], f"[{name}] {f.name}")
    findings.report()
    try:
        return kind(**values)
    except ValueError as error:
        raise UserError(f"[{name}] {error}") from None


def _check_ranges(sections: dict[str, Any], findings: Findings) -> None:
    """Collect values out of bounds that no section checks by itself, of sections without other errors."""
    for (section, key), known in CHOICES.items():
        choice = getattr(sections.get(section), key, known[0])
        with findings.collected():
            if choice not in known:
                raise UserError(f"[{section}] {key} = {choice!r}: must be one of {', '.join(known)}")
    bounds = dict(BOUNDS)
    target, disorder, output = (sections.get(name) for name in ("target", "disorder", "output"))
    if target and target.goals and disorder:
        bounds["target", "max_samples"] = disorder.samples, 10**7
    for (section, key), (low, high) in bounds.items():
        value = getattr(sections.get(section), key, low)
        with findings.collected():
            if not low <= value <= high or value == math.inf:
                raise UserError(f"[{section}] {key} = {value}: must be between {low} and {high}")
    with findings.collected():
        if output and (not output.path or "\0" in output.path):
            raise UserError(f"[output] path = {output.path!r}: must name a folder")
