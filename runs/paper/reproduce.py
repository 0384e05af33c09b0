"""The figures of Sherman et al., Nature Physics 11, 188 (2015), from simulation and synthetic films.

    from sitqmc.runs.paper.reproduce import PANELS, load
    data = load("medium")                        # stored with the package: nothing is simulated
    PANELS["1b"].figure(data), PANELS["1b"].caption(data)

`sitqmc reproduce FIGURE` writes each panel as PDF, SVG and PNG, with its caption (.txt) and numbers (.csv),
and index.html with all panels, tables, and a verdict on each statement of the paper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sitqmc.runs.config.config import Config, load_config
from sitqmc.runs.errors import UserError
from sitqmc.runs.paper.claims import claims, claims_table, claims_text
from sitqmc.runs.paper.page import write_page
from sitqmc.runs.paper.panels import PANELS
from sitqmc.runs.paper.panels.panel import write_panel
from sitqmc.runs.paper.studies.dataset import Reproduction
from sitqmc.runs.paper.studies.spectra import SpectrumCache, all_spectra
from sitqmc.runs.paper.studies.study import (
    CONFIGS,
    CONTINUED,
    DATA,
    STUDIES,
    Study,
    load_study,
    reduce_runs,
    save_study,
)
from sitqmc.runs.paper.tables import published_rows, published_table, scale_table, write_tables
from sitqmc.runs.store.atomic import make_folder, replace_text

SIZES = ("small", "medium", "cluster")
SPECTRA = "spectra.json"

@dataclass(frozen=True)
class Chapter:
    """Panels and studies of a FIGURE of the command."""

    panels: tuple[str, ...]
    studies: tuple[str, ...]
    tables: bool = False


FIGURES = {
    "1b": Chapter(("1b", "1b_clean"), ("dirty", "clean", "scaling"), tables=True),
    "2": Chapter(("2", "2c"), ()),
    "3": Chapter(("3a", "3b", "3c"), ("dirty", "thermal")),
    "all": Chapter(tuple(PANELS), STUDIES, tables=True),
}


OPTIONAL = ("critical", "scaling", "thermal", "quantum")
"""Studies that a size may lack."""


def load(
    size: str = "medium", output: str | Path | None = None, *, processes: int = 1,
    studies: Sequence[str] = STUDIES, say: Callable[[str], None] = lambda text: None,
) -> Reproduction:  # fmt: skip
    """Return reduced data and spectra of a size, from an output folder of the command or from the package.

    raises  UserError if the data are not there
    """
    folder = None if output is None else Path(output)
    found = {}
    for name in studies:
        own = folder / f"{name}.h5" if folder else None
        path = own if own and own.exists() else stored_study(size, name)
        if path.exists() or name not in OPTIONAL:
            found[name] = load_study(path)
    return with_spectra(size, found, folder, processes, say)


def stored_study(size: str, study: str) -> Path:
    """Return the file of a study that is stored with the package (it may not exist)."""
    return DATA / f"{size}_{study}.h5"


def with_spectra(
    size: str, studies: dict[str, Study], folder: Path | None, processes: int, say: Callable[[str], None]
) -> Reproduction:
    """Return studies with spectra; only points without stored spectra are continued."""
    bundled = DATA / f"{size}_{SPECTRA}"
    cache = SpectrumCache([bundled], (folder / SPECTRA) if folder else None)
    continued = [study for name, study in studies.items() if name in CONTINUED]
    results = all_spectra(continued, cache, processes, say)
    return Reproduction(size, f"sitqmc reproduce all --size {size}", studies, results)


def reproduce(
    figure: str, size: str, output: str | Path, *, processes: int = 1, simulate: bool = False,
    configs: Path = CONFIGS, quiet: bool = False,
) -> list[Path]:  # fmt: skip
    """Make the panels of a figure in a folder; returns what was written.

    simulate  simulate even if the package holds data; samples that `output` holds already are used
    configs   folder of SIZE_STUDY.toml
    raises    UserError for an unknown figure or size
    """
    chapter = chapter_of(figure, size)
    folder = Path(output)
    make_folder(folder)

    def say(text: str) -> None:
        if not quiet:
            print(text, flush=True)

    made_studies = {
        name: _study(size, name, folder, processes, simulate, configs, quiet) for name in chapter.studies
    }
    studies = {name: study for name, study in made_studies.items() if study is not None}
    data = with_spectra(size, studies, folder, processes, say)
    data = replace(data, command=_command(figure, size, simulate))
    made = []
    for name in chapter.panels:
        made += write_panel(folder, PANELS[name], data)
        say(f"{folder / name}.pdf")
    if chapter.tables:
        made += write_tables(folder, data)
        say(scale_table(data.dirty))
        if data.clean:
            say(scale_table(data.clean, "E_C/E_J"))
        say(published_table(published_rows(data)))
    found = claims(data, films="3c" in chapter.panels) if chapter.tables else []
    if found:
        made.append(folder / "statements.txt")
        replace_text(made[-1], claims_text(found) + "\n", durable=False)
        made.append(folder / "statements.csv")
        replace_text(made[-1], claims_table(found), durable=False)
    made.append(write_page(folder, [PANELS[n] for n in chapter.panels], data, found, tables=chapter.tables))
    say(f"{made[-1]}: everything on one page")
    return made


def chapter_of(figure: str, size: str) -> Chapter:
    """Return the panels and studies of a figure; UserError for an unknown figure or size."""
    if figure not in FIGURES:
        raise UserError(f"FIGURE = {figure!r}: must be one of {', '.join(FIGURES)}")
    if size not in SIZES:
        raise UserError(f"--size {size!r}: must be one of {', '.join(SIZES)}")
    return FIGURES[figure]


def _command(figure: str, size: str, simulate: bool) -> str:
    return f"sitqmc reproduce {figure} --size {size}{' --simulate' if simulate else ''}"


def config_files(size: str, study: str, configs: Path = CONFIGS) -> list[Path]:
    """Return the files with the configurations of a study; none if the size lacks it."""
    first = configs / f"{size}_{study}.toml"
    if study in OPTIONAL and not first.exists():
        return []
    return [first, *sorted(configs.glob(f"{size}_{study}_*.toml"))]


def configs_of(size: str, study: str, folder: Path, configs: Path = CONFIGS) -> list[Config]:
    """Return the configurations of a study, SIZE_STUDY.toml and SIZE_STUDY_*.toml."""
    found = []
    for path in config_files(size, study, configs):
        config = load_config(path)
        output = folder / "runs" / path.stem.removeprefix(f"{size}_")
        found.append(replace(config, output=replace(config.output, path=str(output))))
    return found


def _study(
    size: str, name: str, folder: Path, processes: int, simulate: bool, configs: Path, quiet: bool
) -> Study | None:
    """Return the stored data of a study, or simulate it in the folder first; None if the size lacks it."""
    if not simulate and stored_study(size, name).exists() and configs == CONFIGS:
        return load_study(stored_study(size, name))
    from sitqmc.runs.simulate.driver import run

    found = configs_of(size, name, folder, configs)
    if not found:
        return None
    for config in found:
        run(config, processes=processes, quiet=quiet)
    folders = [Path(config.output.path) for config in found]
    study = reduce_runs(name, folders, command=_command("all", size, True))
    save_study(folder / f"{name}.h5", study)
    return study
