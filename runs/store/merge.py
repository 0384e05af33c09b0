"""Merging of checkpoints into the run file, and pooling of several runs in one file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitqmc.runs.config.config import Config, parse_config
from sitqmc.runs.errors import UserError
from sitqmc.runs.store.atomic import refresh, remove_leftovers, replace_file
from sitqmc.runs.store.provenance import provenance
from sitqmc.runs.store.run_file import KeptResult, RunHeader, write_run_file
from sitqmc.runs.store.run_folder import Inventory, RunFolder, take_inventory
from sitqmc.runs.store.samples import SampleRows

if TYPE_CHECKING:
    from sitqmc.qmc import Model

History = list[dict[str, Any]]


def check_folder(folder: RunFolder, config: Config) -> Inventory:
    """Return what the folder holds; UserError if it holds another run or a damaged file. Touches nothing."""
    found = folder.inventory()
    stored = [(folder.path, found.header.config)] if found.header is not None else []
    for path, other in [*stored, *((path, parse_config(table)) for path, table in found.tables)]:
        _check_settings(path, other, config)
    ours = set(config.models)
    if found.groups and not ours & set(found.by_model):
        raise UserError(
            f"{folder.path}: holds another run, {_difference(next(iter(found.by_model)), ours)}; "
            "choose another output.path"
        )
    _check_bins(folder.path, config, found, ours)
    return found


def clean(folder: RunFolder, found: Inventory) -> list[str]:
    """Remove leftovers of kills and rename damaged checkpoints; returns one line for each finding."""
    lines = []
    left = remove_leftovers(folder.folder)
    left += remove_leftovers(folder.parts) if folder.parts.exists() else 0
    if left:
        lines.append(f"removed {left} unfinished files of a killed run")
    for path, reason in found.damaged:
        kept = path.with_name(path.name + ".damaged")
        path.rename(kept)
        lines.append(f"{reason.split(';')[0]}; kept as {kept.name}, its samples will be simulated again")
    return lines


def merge(folder: RunFolder, config: Config, history: History | None = None) -> Inventory:
    """Write all checkpoints into the run file, then remove those without states that are still needed.

    history  of the run, if it is to change. The bins do not depend on the checkpoints.
    returns  what the folder holds afterwards
    """
    refresh(folder.folder)
    refresh(folder.parts)                        # other hosts have just written there
    found = folder.inventory()
    if history is None:
        history = found.header.history if found.header is not None else []
    header = RunHeader(config.resolved(), history, list(found.excluded.values()))
    groups = merged_groups(config, found)
    replace_file(folder.path, lambda beside: write_run_file(beside, header, groups))
    bins = config.schedule.bins
    needed = {ref.path for key, ref in found.states.items() if found.finished.get(key, 0) < bins}
    for path in folder.checkpoints():
        if path not in needed:
            path.unlink(missing_ok=True)
    with suppress(OSError):                      # not empty, or not there
        folder.parts.rmdir()
    return folder.inventory()


def keep_results(folder: RunFolder, results: Sequence[KeptResult], out: Path | None = None) -> None:
    """Write results of the analysis into the run file, whose samples stay what they are.

    out     another file, which gets the samples of the checkpoints too
    raises  WriteFailed if the disk is full; the old file then stays
    """
    found = take_inventory([folder.path]) if out is None else folder.inventory()
    header = found.header
    assert header is not None
    groups = merged_groups(header.config, found)
    replace_file(out or folder.path, lambda beside: write_run_file(beside, header, groups, results))


def pool(out: Path, sources: Sequence[Path], checkpoints: Sequence[Path] = ()) -> Inventory:
    """Write one run file from several, of different seeds or points; UserError if their chains differ.

    A sample that several runs hold is the same one and kept once. `out` must not exist, or be one of them.
    Nothing is written beside the sources, which may belong to somebody else.
    checkpoints  files with finished samples of the same runs that are not in their run files yet
    """
    headers = [take_inventory([path]).header for path in sources]
    configs = [header.config for header in headers if header is not None]
    first = configs[0]
    for path, config in zip(sources[1:], configs[1:], strict=True):
        theirs = config.chain_settings()
        for key, value in first.chain_settings().items():
            if key != "disorder.seed" and theirs[key] != value:
                raise UserError(
                    f"{path}: {key} = {theirs[key]} differs from {value} in {sources[0]}; "
                    "pool runs whose chains differ in nothing but seed, sample and point"
                )
    config = replace(first, output=replace(first.output, path=str(out.parent)))
    found = take_inventory(sources, checkpoints)
    history = [entry for header in headers if header is not None for entry in header.history]
    header = RunHeader(config.resolved(), history, list(found.excluded.values()))
    groups = merged_groups(config, found)
    replace_file(out, lambda beside: write_run_file(beside, header, groups))
    return found


def new_call(**more: Any) -> dict[str, Any]:
    """Return the history entry of a call that begins now."""
    return {**provenance(), "wall_seconds": 0.0, **more}


def merged_groups(config: Config, found: Inventory) -> Iterator[tuple[Model, SampleRows | None]]:
    """Yield the groups of a run file: points of the configuration in its order, then others."""
    for model in dict.fromkeys((*config.models, *found.by_model)):
        rows = found.rows(model)
        if rows is None:
            yield model, None
            continue
        yield from ((model, part) for part in rows.split())


def _check_settings(path: Path, stored: Config, config: Config) -> None:
    theirs, ours = stored.chain_settings(), config.chain_settings()
    for key, value in ours.items():
        if theirs[key] != value:
            hint = "sitqmc merge pools runs of several seeds; " if key == "disorder.seed" else ""
            raise UserError(
                f"{path}: holds another run, {key} = {theirs[key]} there and {value} here; "
                f"{hint}choose another output.path"
            )


def _check_bins(path: Path, config: Config, found: Inventory, ours: set[Model]) -> None:
    wanted, seed = config.schedule.bins, config.disorder.seed
    for key, bins in found.finished.items():
        model, of_seed, _ = key
        if model not in ours or of_seed != seed or bins == wanted:
            continue
        if bins > wanted:
            raise UserError(
                f"{path}: holds chains of {bins} bins, which [schedule] bins = {wanted} would shorten; "
                f"set bins to {bins} or more, or choose another output.path"
            )
        if key not in found.states:
            raise UserError(
                f"[schedule] bins = {wanted}: {path} holds chains of {bins} bins without their final states "
                f"(output.keep_state), so they cannot be continued; set bins = {bins} and add samples, or "
                "choose another output.path"
            )


def _difference(stored: Model, ours: Collection[Model]) -> str:
    """Return the first parameter by which a stored model differs from the nearest of ours."""
    theirs = asdict(stored)

    def differing(model: Model) -> list[str]:
        return [key for key, value in asdict(model).items() if value != theirs[key]]

    key = differing(min(ours, key=lambda model: len(differing(model))))[0]
    here = sorted({repr(getattr(m, key)) for m in ours})
    return f"model.{key} = [{theirs[key]!r}] there and [{', '.join(here)}] here, without a common point"
