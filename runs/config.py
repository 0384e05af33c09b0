"""The configuration file: one frozen dataclass per section, unknown keys refused, everything checked at once.

Any key of [model] may be a list; the points of the run are all combinations. L_tau may be an
expression of L, Lx, Ly, eps and charging.
"""

import difflib
import itertools
import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from qmc import ACTIONS, Model, Schedule
from runs.errors import UserError
from runs.expressions import evaluate

Section = TypeVar("Section")

METHODS = ("process", "maxent", "sampling")
ALPHA_RULES = ("curvature", "classic", "bryan")


@dataclass(frozen=True, kw_only=True)
class ModelSection:
    """[model] Energies in E_J, times in 1/E_J. Every value is a tuple of what is scanned."""

    action: tuple[str, ...] = ("cosine",)      # rotor, cosine or villain
    eps: tuple[float, ...]                     # width of a time slice
    charging: tuple[float, ...]                # E_C/E_J
    L: tuple[int, ...] = ()                    # sites per side of a square, or
    Lx: tuple[int, ...] = ()                   # sites along x and
    Ly: tuple[int, ...] = ()                   # sites along y
    L_tau: tuple[int | str, ...]               # time slices, or an expression of L, Lx, Ly, eps, charging
    p: tuple[float, ...] = (0.0,)              # probability that a bond is missing


@dataclass(frozen=True, kw_only=True)
class DisorderSection:
    """[disorder]"""

    samples: int                               # bond masks (and chains) per point
    seed: int = 1                              # names all random streams


@dataclass(frozen=True, kw_only=True)
class ObservablesSection:
    """[observables]"""

    n_max: int = 0                             # largest Matsubara number kept; 0: all, L_tau // 2


@dataclass(frozen=True, kw_only=True)
class ContinuationSection:
    """[continuation] May change between calls on the same output."""

    omega_max: float = 0.0                     # cut-off of sigma(omega), E_J; 0: chosen from the data
    omega_points: int = 240                    # frequencies
    blocks: int = 20                           # jackknife blocks of samples for the band
    method: str = "process"                    # process, maxent or sampling; maxent is always run beside it
    alpha_rule: str = "curvature"              # curvature, classic or bryan
    f_sum: bool = False                        # impose <-k_x> too; exact only for eps -> 0


@dataclass(frozen=True, kw_only=True)
class OutputSection:
    """[output] May change between calls on the same output."""

    path: str                                  # folder for the store, tables and figures
    checkpoint_seconds: float = 5.0            # finished samples reach the disk at least this often


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run."""

    model: ModelSection
    disorder: DisorderSection
    schedule: Schedule = field(default_factory=Schedule)
    observables: ObservablesSection = field(default_factory=ObservablesSection)
    continuation: ContinuationSection = field(default_factory=ContinuationSection)
    output: OutputSection

    def simulation(self) -> dict[str, Any]:
        """The part that decides the bins, as plain JSON values; compared before a run continues."""
        whole = self.resolved()
        return {name: whole[name] for name in ("model", "disorder", "schedule", "observables")}

    def resolved(self) -> dict[str, Any]:
        """Everything, defaults included, as plain JSON values."""
        return dict(json.loads(json.dumps(asdict(self))))


def load_config(path: str | Path) -> Config:
    """Read a TOML file; UserError in one line for anything wrong with it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        return parse_config(tomllib.loads(text))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not valid TOML ({reason}); mend the file") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse_config(table: dict[str, Any]) -> Config:
    """Config from parsed TOML or from `Config.resolved`; UserError for unknown, missing or wrong values."""
    _refuse_unknown(table, [f.name for f in fields(Config)], "section", "")
    sections: dict[str, Any] = {}
    for f in fields(Config):
        kind = get_type_hints(Config)[f.name]
        if f.name in table or f.default_factory is MISSING:
            sections[f.name] = _section(kind, table.get(f.name, {}), f.name)
    config = Config(**sections)
    _check_ranges(config)
    for _ in points(config):                   # raises what is wrong with any point
        pass
    return config


def points(config: Config) -> Iterator[Model]:
    """The models of the run, all combinations of the scanned keys, p fastest."""
    m = config.model
    shapes: list[tuple[int, int]] = [(L, L) for L in m.L] or list(itertools.product(m.Lx, m.Ly))
    for action, eps, charging, (Lx, Ly), L_tau, p in itertools.product(
        m.action, m.eps, m.charging, shapes, m.L_tau, m.p
    ):
        try:
            slices = _slices(L_tau, {"L": Lx, "Lx": Lx, "Ly": Ly, "eps": eps, "charging": charging})
            model = Model(Lx=Lx, Ly=Ly, L_tau=slices, eps=eps, charging=charging, action=action, p=p)  # type: ignore[arg-type]
        except ValueError as error:
            raise UserError(f"[model] {error}") from None
        n_max = config.observables.n_max
        if n_max > slices // 2:
            raise UserError(f"[observables] n_max = {n_max}: must be at most L_tau/2 = {slices // 2}")
        yield model


def matsubara_count(config: Config, model: Model) -> int:
    """Largest Matsubara number kept for `model`."""
    return config.observables.n_max or model.L_tau // 2


def _slices(L_tau: int | str, names: dict[str, float]) -> int:
    if isinstance(L_tau, int):
        return L_tau
    value = evaluate(L_tau, names)
    if not (math.isfinite(value) and value == int(value)):
        raise ValueError(f"L_tau = {L_tau!r} gives {value}: must be an integer; use round(...)")
    return int(value)


def _refuse_unknown(table: dict[str, Any], known: list[str], what: str, where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise UserError(f"{where}unknown {what} {key!r}; {hint}")


def _section(kind: type[Section], table: Any, name: str) -> Section:
    """One section from its table, with types checked and scalars made tuples where a scan is allowed."""
    if not isinstance(table, dict):
        raise UserError(f"{name} = {table!r}: must be a section, [{name}]")
    known = fields(kind)  # type: ignore[arg-type]
    _refuse_unknown(table, [f.name for f in known], "key", f"[{name}] ")
    hints = get_type_hints(kind)
    values = {}
    for f in known:
        if f.name in table:
            values[f.name] = _typed(table[f.name], hints[f.name], f"[{name}] {f.name}", f.default == ())
        elif f.default is MISSING:
            raise UserError(f"[{name}] {f.name} is missing; give it a value")
    try:
        return kind(**values)
    except ValueError as error:
        raise UserError(f"[{name}] {error}") from None


def _typed(value: Any, hint: Any, where: str, may_be_empty: bool) -> Any:
    """The value as the annotation wants it; tuples take a scalar or a list."""
    if get_origin(hint) is tuple:
        values = value if isinstance(value, (list, tuple)) else [value]
        if not (values or may_be_empty):
            raise UserError(f"{where} = []: must hold at least one value")
        return tuple(_typed(v, get_args(hint)[0], where, False) for v in values)
    kinds = get_args(hint) or (hint,)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:                # bool is not an int here
        names = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}
        raise UserError(f"{where} = {value!r}: must be {' or '.join(names[kind] for kind in kinds)}")
    return value


def _check_ranges(config: Config) -> None:
    """Bounds that no section checks by itself."""
    m, c = config.model, config.continuation
    for action in m.action:
        if action not in ACTIONS:
            raise UserError(f"[model] action = {action!r}: must be one of {', '.join(ACTIONS)}")
    for key, choice, known in (("method", c.method, METHODS), ("alpha_rule", c.alpha_rule, ALPHA_RULES)):
        if choice not in known:
            raise UserError(f"[continuation] {key} = {choice!r}: must be one of {', '.join(known)}")
    if bool(m.L) == bool(m.Lx or m.Ly) or bool(m.Lx) != bool(m.Ly):
        raise UserError("[model] give either L (square) or both Lx and Ly")
    for L in m.L:
        if L < 2:
            raise UserError(f"[model] L = {L}: must be an integer >= 2")
    bounds: list[tuple[str, float, float, float]] = [
        ("[disorder] samples", config.disorder.samples, 1, 10**7),
        ("[disorder] seed", config.disorder.seed, 0, 2**63),
        ("[observables] n_max", config.observables.n_max, 0, math.inf),
        ("[continuation] omega_max", c.omega_max, 0, math.inf),
        ("[continuation] omega_points", c.omega_points, 20, 10_000),
        ("[continuation] blocks", c.blocks, 2, 10_000),
        ("[output] checkpoint_seconds", config.output.checkpoint_seconds, 0, math.inf),
    ]
    for where, value, low, high in bounds:
        if not low <= value <= high or value == math.inf:
            raise UserError(f"{where} = {value}: must be between {low} and {high}")
    if not config.output.path:
        raise UserError("[output] path = '': must name a folder")
