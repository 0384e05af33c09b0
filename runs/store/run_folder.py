"""The one reader of a run: everything in its output folder, or in a run file alone.

    folder = RunFolder("results/my-run")
    inventory = folder.inventory()                     # which samples lie where; no numbers are read
    for point in folder.points(names=["bins/rho_s_x"]):
        print(point.model.p, point.bins["rho_s_x"].mean())

Imports neither numba nor MPI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sitqmc.runs.errors import FileChanged, UnreadableFile, UserError
from sitqmc.runs.store.checkpoint import OpenSummary, checkpoint_files, read_checkpoint
from sitqmc.runs.store.run_file import NAME, Failure, RunHeader, read_run_file
from sitqmc.runs.store.samples import (
    GroupSummary,
    PointSamples,
    SampleRows,
    State,
    StateRef,
    model_of,
    read_states,
)

if TYPE_CHECKING:
    from sitqmc.qmc import Model
    from sitqmc.runs.config.config import Config

T = TypeVar("T")

PARTS = "parts"
PROGRESS = "progress.json"
TRIES = 5                    # readings of a run in progress until no file is replaced meanwhile

Key = tuple["Model", int, int]
"""Model, seed, sample."""


@dataclass(frozen=True)
class Inventory:
    """What lies on the disk of a run, without the numbers.

    header   of the run file; None if there is no run file
    groups   groups of finished samples, checkpoints first
    open     unfinished chains
    failed   samples that were excluded, also those that a later try has finished
    tables   configuration of each checkpoint, as plain values
    damaged  checkpoints that cannot be read, and why
    """

    header: RunHeader | None
    groups: tuple[GroupSummary, ...] = ()
    open: tuple[OpenSummary, ...] = ()
    failed: tuple[Failure, ...] = ()
    tables: tuple[tuple[Path, dict[str, Any]], ...] = ()
    damaged: tuple[tuple[Path, str], ...] = ()

    @cached_property
    def by_model(self) -> dict[Model, list[GroupSummary]]:
        """The groups of every model that has finished samples."""
        found: dict[Model, list[GroupSummary]] = {}
        for group in self.groups:
            found.setdefault(group.model, []).append(group)
        return found

    @cached_property
    def finished(self) -> dict[Key, int]:
        """Number of bins of every finished sample, in its longest chain."""
        found: dict[Key, int] = {}
        for model, groups in self.by_model.items():
            for group in sorted(groups, key=lambda g: g.n_bins):
                found |= dict.fromkeys(((model, seed, n) for seed, n in group.keys.tolist()), group.n_bins)
        return found

    @cached_property
    def states(self) -> dict[Key, StateRef]:
        """The most advanced state of every chain that has one."""
        found: dict[Key, StateRef] = {}
        for key, ref in self._all_states():
            if key not in found or ref.progress > found[key].progress:
                found[key] = ref
        return found

    def _all_states(self) -> Iterator[tuple[Key, StateRef]]:
        for chains in self.open:
            model = model_of(chains.parameters)
            for sample, ref in chains.refs():
                yield (model, chains.seed, sample), ref
        for group in self.groups:
            if not group.has_states or group.path.parent.name == PARTS or self.header is None:
                continue
            sweeps = self.header.config.sweeps(group.n_bins)
            for row, (seed, sample) in enumerate(group.keys.tolist()):
                yield (group.model, seed, sample), StateRef(group.path, group.group, row, sweeps)

    @cached_property
    def excluded(self) -> dict[Key, Failure]:
        """Samples that failed and were not finished by a later try."""
        found = {(model_of(f["model"]), int(f["seed"]), int(f["sample"])): f for f in self.failed}
        return {key: failure for key, failure in found.items() if key not in self.finished}

    def rows(self, model: Model, least_bins: int = 0) -> SampleRows | None:
        """Return the rows of a model with so many bins, each sample once; None if there are none."""
        groups = [group for group in self.by_model.get(model, []) if group.n_bins >= least_bins]
        return SampleRows(groups) if groups else None


def take_inventory(run_files: Sequence[Path], checkpoints: Sequence[Path] = ()) -> Inventory:
    """Return what run files and checkpoints hold; the header is that of the first run file.

    A damaged checkpoint is named and otherwise passed over.
    raises  UnreadableFile if a run file is damaged
    """
    groups: list[GroupSummary] = []
    open_chains: list[OpenSummary] = []
    failed: list[Failure] = []
    tables, damaged = [], []
    for path in checkpoints:
        try:
            found = read_checkpoint(path)
        except UnreadableFile as error:
            damaged.append((path, str(error)))
            continue
        except FileNotFoundError:                # replaced meanwhile by its worker
            continue
        groups += found.groups
        open_chains += found.open
        failed += [f for f in found.failed if f not in failed]
        tables.append((path, found.table))
    headers = []
    for path in run_files:
        header, summaries = read_run_file(path)
        headers.append(header)
        groups += summaries
        failed += [f for f in header.failed if f not in failed]
    return Inventory(
        headers[0] if headers else None, tuple(groups), tuple(open_chains), tuple(failed), tuple(tables),
        tuple(damaged),
    )  # fmt: skip


@dataclass
class RunFolder:
    """Output folder of a run, or its run file alone (then without the checkpoints beside it).

    The folder need not exist yet; `require` refuses one without a run.
    """

    given: Path | str
    latest: Inventory | None = field(default=None, init=False, repr=False)

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.given).parent if self._is_file else Path(self.given)

    @property
    def path(self) -> Path:
        """The run file."""
        return Path(self.given) if self._is_file else Path(self.given) / NAME

    @property
    def parts(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / PARTS

    @property
    def _is_file(self) -> bool:
        path = Path(self.given)
        return path.is_file() or (path.suffix == ".h5" and not path.is_dir())

    def require(self) -> RunFolder:
        """Return self; UserError if there is no run."""
        if not self.path.exists():
            raise UserError(
                f"{self.given}: no run found ({self.path.name} is missing); pass the output folder of a run"
            )
        return self

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints that belong to what was given."""
        return [] if self._is_file else checkpoint_files(self.parts)

    def inventory(self) -> Inventory:
        """Read what lies on the disk now: opens each file once and reads no numbers.

        raises  UnreadableFile if the run file is damaged
        """
        run_files = [self.path] if self.path.exists() else []
        self.latest = take_inventory(run_files, self.checkpoints())
        return self.latest

    @property
    def header(self) -> RunHeader:
        """Configuration, history and excluded samples; UserError if there is no run."""
        header = (self.latest or self.require().inventory()).header
        assert header is not None
        return header

    def points(
        self, models: Iterable[Model] | None = None, names: Iterable[str] | None = None
    ) -> Iterator[PointSamples]:
        """Yield all samples of one model at a time, of the last `inventory`.

        models  in this order; those without samples are passed over. All if None: those of the configuration
                in its order, then others
        names   arrays, such as bins/rho_s_x, or whole parts, such as cost; all arrays if None
        raises  UnreadableFile for damage
        """
        for model in self.models() if models is None else models:
            point = self.consistent(partial(self._point, model, names))
            if point is not None:
                yield point

    def _point(self, model: Model, names: Iterable[str] | None) -> PointSamples | None:
        rows = self.rows(model)
        return rows.point(names) if rows is not None else None

    def pieces(self, model: Model, names: Iterable[str] | None = None) -> Iterator[PointSamples]:
        """Yield the samples of one model in pieces of bounded memory; arguments as of `points`.

        raises  FileChanged if a running job replaced a file meanwhile, see `consistent`
        """
        rows = self.rows(model)
        if rows is not None:
            yield from rows.point_pieces(names)

    def consistent(self, read: Callable[[], T]) -> T:
        """Return read(); repeat it with a new inventory while a running job replaces files."""
        for _ in range(TRIES):
            try:
                return read()
            except (FileChanged, FileNotFoundError):
                self.inventory()
        return read()

    def models(self, config: Config | None = None) -> list[Model]:
        """Return the models that have samples: those of the configuration in its order, then others.

        config  None: the stored configuration
        """
        inventory = self.latest or self.inventory()
        if config is None and inventory.header is not None:
            config = inventory.header.config
        planned = config.models if config is not None else ()
        ordered = dict.fromkeys((*planned, *inventory.by_model))
        return [model for model in ordered if model in inventory.by_model]

    def rows(self, model: Model) -> SampleRows | None:
        """Return which rows hold the samples of a model; None if it has none."""
        return (self.latest or self.inventory()).rows(model)

    def states(self, keys: Iterable[Key]) -> list[State]:
        """Return the most advanced state of each chain; KeyError for a chain without one."""
        found = (self.latest or self.inventory()).states
        return read_states([found[key] for key in keys])
