"""Bringing part files into the store, adding to a store, pooling runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config, parse_config, points
from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.tasks import sweeps_of_chain
from sitqmc.runs.store.atomic import remove_leftovers, replace_file
from sitqmc.runs.store.checkpoint import Found, StateRef, part_files, read_block, scan_parts
from sitqmc.runs.store.provenance import provenance
from sitqmc.runs.store.run_file import (
    NAME,
    Failure,
    Head,
    PointData,
    common,
    joined,
    read_named,
    read_outlines,
    read_store_head,
    write_store,
)


class Store:
    """The files of one run in its output folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self.parts = folder / "parts"

    def scan(self) -> Found:
        """Everything on the disk, every seal checked; NotOurs if the store itself is damaged."""
        found = Found()
        scan_parts(part_files(self.parts), found)
        if self.path.exists():
            scan_store(self.path, found)
        return found

    def check(self, config: Config) -> None:
        """UserError if the folder holds another run or a damaged store; touches nothing."""
        found = self.scan()
        there = [(self.path, read_store_head(self.path).config)] if self.path.exists() else []
        for path, stored in [*there, *((path, parse_config(table)) for path, table in found.configs)]:
            _check_chains(path, stored, config)
        ours = set(points(config))
        if found.blocks and not ours & set(found.blocks):
            stored_model = next(iter(found.blocks))
            raise UserError(
                f"{self.path} holds another run: {_difference(stored_model, ours)}; "
                "choose another output.path"
            )
        _check_bins(self.path, config, found, ours)

    def clean(self) -> list[str]:
        """Remove leftovers of kills, set damaged part files aside; returns what was found, in words."""
        said = []
        left = remove_leftovers(self.folder) + (remove_leftovers(self.parts) if self.parts.exists() else 0)
        if left:
            said.append(f"{left} unfinished files of a killed run removed")
        found = Found()
        scan_parts(part_files(self.parts), found)
        for path, reason in found.damaged:
            aside = path.with_name(path.name + ".damaged")
            path.rename(aside)
            said.append(f"{reason.split(';')[0]}; kept as {aside.name}, what it held is made again")
        return said

    def merge(self, config: Config, history: list[dict[str, Any]] | None = None) -> Found:
        """Bring all parts into the store, then remove those without states still to go on from.

        history  of the store, if it is to change. The bins do not depend on the parts. Returns what is there.
        """
        found = self.scan()
        past = [] if not self.path.exists() else read_store_head(self.path).history
        failed = list(found.failures().values())
        blocks = merged_blocks(config, found)
        past = past if history is None else history
        replace_file(self.path, lambda beside: write_store(beside, config, past, failed, blocks))
        keep = {ref.path for key, ref in found.states.items() if _unfinished(found, key, config)}
        for path in part_files(self.parts):
            if path not in keep:
                path.unlink(missing_ok=True)
        if self.parts.exists() and not any(self.parts.iterdir()):
            self.parts.rmdir()
        return self.scan() if found.blocks else found

    def history(self) -> list[dict[str, Any]]:
        """Provenance of all calls so far."""
        return read_store_head(self.path).history if self.path.exists() else []


def new_call(**more: Any) -> dict[str, Any]:
    """The entry of the history for a call that begins now."""
    return {**provenance(), "wall_seconds": 0.0, **more}


def _unfinished(found: Found, key: Any, config: Config) -> bool:
    return found.finished.get(key, 0) < config.schedule.bins


def scan_store(path: Path, found: Found) -> None:
    """Add what a store holds; NotOurs if it is damaged."""
    head = read_store_head(path)
    found.failed += [f for f in head.failed if f not in found.failed]
    for name, there in read_outlines(path):
        found.blocks.setdefault(there.model, []).append((path, name))
        sweeps = sweeps_of_chain(head.config, there.n_bins)
        for row, (seed, sample) in enumerate(there.pairs):
            key = (there.model, seed, sample)
            found.finished[key] = max(there.n_bins, found.finished.get(key, 0))
            if there.has_state:
                known = found.states.get(key)
                if known is None or known.progress < sweeps:
                    found.states[key] = StateRef(path, name, row, sweeps)


def merged_blocks(config: Config, found: Found) -> Iterator[tuple[Model, PointData | None]]:
    """The groups of the store: points of the configuration in its order, then what else is there."""
    ours = list(dict.fromkeys(points(config)))
    for model in (*ours, *(m for m in found.blocks if m not in set(ours))):
        groups = list(_groups(model, (_read(*place) for place in found.blocks.get(model, []))))
        yield from ((model, data) for data in groups)
        if not groups:
            yield model, None


def _read(path: Path, name: str) -> PointData:
    return read_named(path, name) if name.startswith("points/") else read_block(path, name)


def _groups(model: Model, blocks: Iterable[PointData]) -> Iterator[PointData]:
    """Each sample once, from where its chain is longest; one group per number of bins and set of arrays."""
    blocks = list(blocks)
    best: dict[tuple[int, int], tuple[int, tuple[str, ...], int, int]] = {}
    for b, data in enumerate(blocks):
        names = tuple(sorted(data.arrays()))
        for row, key in enumerate(data.pairs()):
            rank = (data.n_bins, names, -b, -row)
            known = best.get(key, rank)
            best[key] = max(known, rank, key=lambda r: (r[0], len(r[1]), r[2], r[3]))
    for kind in sorted({rank[:2] for rank in best.values()}, key=lambda k: (-k[0], -len(k[1]), k[1])):
        chosen: dict[int, list[int]] = {}
        for rank in best.values():
            if rank[:2] == kind:
                chosen.setdefault(-rank[2], []).append(-rank[3])
        some = [blocks[b].rows(np.array(sorted(rows), np.int64)) for b, rows in sorted(chosen.items())]
        made = joined(model, some)
        if made is not None:
            yield made


def _check_chains(path: Path, stored: Config, config: Config) -> None:
    there, here = stored.chains(), config.chains()
    for key in here:
        if there[key] != here[key]:
            hint = "runs of several seeds can be pooled by sitqmc merge; " if key == "disorder.seed" else ""
            raise UserError(
                f"{path} holds another run: {key} = {there[key]} there, {here[key]} here; "
                f"{hint}choose another output.path"
            )


def _check_bins(path: Path, config: Config, found: Found, ours: set[Model]) -> None:
    bins, seed = config.schedule.bins, config.disorder.seed
    for key, there in found.finished.items():
        model, of_seed, _ = key
        if model not in ours or of_seed != seed or there == bins:
            continue
        if there > bins:
            raise UserError(
                f"{path} holds chains of {there} bins: [schedule] bins = {bins} would shorten them; "
                f"set bins to {there} or more, or choose another output.path"
            )
        if key not in found.states:
            raise UserError(
                f"{path} holds chains of {there} bins whose ends were not kept (output.keep_state): "
                f"[schedule] bins = {bins} cannot continue them; "
                "add samples instead, or choose another output.path"
            )


def _difference(stored: Model, ours: Iterable[Model]) -> str:
    """The first parameter by which a stored model differs from the nearest of ours."""
    from dataclasses import asdict

    there = asdict(stored)

    def apart(model: Model) -> list[str]:
        return [key for key, value in asdict(model).items() if value != there[key]]

    nearest = min(ours, key=lambda model: len(apart(model)))
    key = apart(nearest)[0]
    here = sorted({repr(getattr(m, key)) for m in ours})
    return f"model.{key} = [{there[key]!r}] there, [{', '.join(here)}] here, and no point in common"


def current(store: Path, parts: bool = True) -> tuple[Head, list[PointData], list[Failure]]:
    """All samples of a store and, if asked for, of the parts beside it, each model once; samples set aside.

    Where chains of different lengths lie side by side, the bins they have in common are taken.
    """
    found = Found()
    scan_store(store, found)
    head = read_store_head(store)
    if parts:
        scan_parts(part_files(store.parent / "parts"), found)
    data: dict[Model, list[PointData]] = {}
    for model, block in merged_blocks(head.config, found):
        if block is not None:
            data.setdefault(model, []).append(block)
    return head, [common(model, blocks) for model, blocks in data.items()], list(found.failures().values())


def pool(out: Path, sources: Sequence[Path]) -> Found:
    """One store from several runs, of different seeds or points; UserError if their chains differ.

    Samples found in several runs are the same ones and kept once. `out` must not exist, or be one of them.
    """
    found, heads = Found(), []
    for path in sources:
        heads.append(read_store_head(path))
        scan_store(path, found)
    first = heads[0].config
    for path, head in zip(sources[1:], heads[1:], strict=True):
        theirs = head.config.chains()
        for key, value in first.chains().items():
            if key != "disorder.seed" and theirs[key] != value:
                raise UserError(f"{path}: {key} = {theirs[key]}, {value} in {sources[0]}; not pooled")
    config = replace(first, output=replace(first.output, path=str(out.parent)))
    history = [entry for head in heads for entry in head.history]
    failed, blocks = list(found.failures().values()), merged_blocks(config, found)
    replace_file(out, lambda beside: write_store(beside, config, history, failed, blocks))
    return found

