"""The figures of Sherman et al., Nature Physics 11, 188 (2015), from simulation and synthetic films.

    from sitqmc.runs.paper.reproduce import PANELS, load
    data = load("medium")                        # kept with the package: nothing is simulated
    PANELS["1b"].figure(data), PANELS["1b"].caption(data)

`sitqmc reproduce FIGURE` writes each panel as PDF, SVG and PNG, with its caption (.txt) and numbers (.csv),
and index.html with all of them, tables, and what the data say about the statements of the paper.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sitqmc.qmc import Model
from sitqmc.runs.config.config import Config, load_config, parse_config, points
from sitqmc.runs.errors import UserError
from sitqmc.runs.paper.claims import claims, claims_text
from sitqmc.runs.paper.dataset import Reproduction
from sitqmc.runs.paper.page import write_page
from sitqmc.runs.paper.panels.clean import caption_1b_clean, curves_1b_clean, figure_1b_clean
from sitqmc.runs.paper.panels.comparison import (
    caption_3a,
    caption_3b,
    caption_3c,
    curves_3a,
    curves_3b,
    curves_3c,
    figure_3a,
    figure_3b,
    figure_3c,
)
from sitqmc.runs.paper.panels.films import caption_2, caption_2c, curves_2, curves_2c, figure_2, figure_2c
from sitqmc.runs.paper.panels.limits import (
    caption_sizes,
    caption_trotter,
    curves_sizes,
    curves_trotter,
    figure_sizes,
    figure_trotter,
)
from sitqmc.runs.paper.panels.panel import Panel, write_panel
from sitqmc.runs.paper.panels.response import (
    caption_low,
    caption_maps,
    caption_scalar,
    curves_low,
    curves_maps,
    curves_scalar,
    figure_low,
    figure_maps,
    figure_scalar,
)
from sitqmc.runs.paper.panels.transition import caption_1b, curves_1b, figure_1b
from sitqmc.runs.paper.spectra import Cache, all_spectra
from sitqmc.runs.paper.study import DATA, STUDIES, Study, load_study, reduce_runs, save_study
from sitqmc.runs.paper.tables import published_rows, published_table, scale_table, write_tables
from sitqmc.runs.store.atomic import make_folder, replace_text

CONFIGS = Path(__file__).parent / "configs"
SIZES = ("small", "medium", "cluster")
SPECTRA = "spectra.json"

PANELS = {
    panel.name: panel
    for panel in (
        Panel(
            "1b",
            "Fig. 1b: sigma(omega) across the disorder-driven transition",
            figure_1b,
            caption_1b,
            curves_1b,
        ),
        Panel("1b_clean", "Fig. 1b, clean counterpart", figure_1b_clean, caption_1b_clean, curves_1b_clean),
        Panel("2", "Fig. 2a, b, d, e: tunnelling and optics, SYNTHETIC films", figure_2, caption_2, curves_2),
        Panel("2c", "Fig. 2c: 2 Delta_t and Omega, SYNTHETIC films", figure_2c, caption_2c, curves_2c),
        Panel(
            "3a",
            "Fig. 3a: sigma_H of SYNTHETIC films beside the simulation",
            figure_3a,
            caption_3a,
            curves_3a,
        ),
        Panel("3b", "Fig. 3b: missing weight and stiffness", figure_3b, caption_3b, curves_3b),
        Panel("3c", "Fig. 3c: the sum rule of SYNTHETIC films", figure_3c, caption_3c, curves_3c),
        Panel(
            "scalar",
            "Beyond: scalar response of the same samples",
            figure_scalar,
            caption_scalar,
            curves_scalar,
        ),
        Panel(
            "low",
            "Beyond: low-frequency conductivity without continuation",
            figure_low,
            caption_low,
            curves_low,
        ),
        Panel("maps", "Beyond: one sample in space", figure_maps, caption_maps, curves_maps),
        Panel("sizes", "Beyond: finite sizes", figure_sizes, caption_sizes, curves_sizes),
        Panel(
            "trotter", "Beyond: the width of the time slice", figure_trotter, caption_trotter, curves_trotter
        ),
    )
}
"""All panels by name; each has figure(data), caption(data) and curves(data)."""


@dataclass(frozen=True)
class Chapter:
    """What a FIGURE of the command stands for: its panels, and the studies they need."""

    panels: tuple[str, ...]
    studies: tuple[str, ...]
    tables: bool = False


FIGURES = {
    "1b": Chapter(("1b", "1b_clean"), ("dirty", "clean"), tables=True),
    "2": Chapter(("2", "2c"), ()),
    "3": Chapter(("3a", "3b", "3c"), ("dirty",)),
    "all": Chapter(tuple(PANELS), STUDIES, tables=True),
}


def load(
    size: str = "medium", output: str | Path | None = None, *, processes: int = 1,
    studies: Sequence[str] = STUDIES, say: Callable[[str], None] = lambda text: None,
) -> Reproduction:  # fmt: skip
    """Reduced data of a size, from an output folder of the command or from the package, with its spectra.

    raises  UserError if the data are not there
    """
    folder = None if output is None else Path(output)
    found = {}
    for name in studies:
        own = folder / f"{name}.npz" if folder else None
        found[name] = load_study(own if own and own.exists() else kept(size, name))
    return with_spectra(size, found, folder, processes, say)


def kept(size: str, study: str) -> Path:
    """The file of a study that travels with the package (there may be none)."""
    return DATA / f"{size}_{study}.npz"


def with_spectra(
    size: str, studies: dict[str, Study], folder: Path | None, processes: int, say: Callable[[str], None]
) -> Reproduction:
    """The studies with their spectra, continued only where no kept ones fit."""
    bundled = DATA / f"{size}_{SPECTRA}"
    cache = Cache([bundled], (folder / SPECTRA) if folder else None)
    continued = [study for name, study in studies.items() if name != "trotter"]
    spectra = all_spectra(continued, cache, processes, say)
    return Reproduction(size, f"sitqmc reproduce all --size {size}", studies, spectra)


def reproduce(
    figure: str, size: str, output: str | Path, *, processes: int = 1, simulate: bool = False,
    configs: Path = CONFIGS, quiet: bool = False,
) -> list[Path]:  # fmt: skip
    """Make the panels of a figure in a folder; returns what was written.

    simulate  make the data anew although the package holds some; what is in `output` already is used
    configs   folder of reproduce_SIZE_STUDY.toml
    raises    UserError for an unknown figure or size
    """
    chapter = _chapter(figure, size)
    folder = Path(output)
    make_folder(folder)

    def say(text: str) -> None:
        if not quiet:
            print(text, flush=True)

    studies = {
        name: _study(size, name, folder, processes, simulate, configs, quiet) for name in chapter.studies
    }
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
    made.append(write_page(folder, [PANELS[n] for n in chapter.panels], data, found, tables=chapter.tables))
    say(f"{made[-1]}: all of it on one page")
    return made


def _chapter(figure: str, size: str) -> Chapter:
    if figure not in FIGURES:
        raise UserError(f"FIGURE = {figure!r}: must be one of {', '.join(FIGURES)}")
    if size not in SIZES:
        raise UserError(f"--size {size!r}: must be one of {', '.join(SIZES)}")
    return FIGURES[figure]


def _command(figure: str, size: str, simulate: bool) -> str:
    return f"sitqmc reproduce {figure} --size {size}{' --simulate' if simulate else ''}"


def config_of(size: str, study: str, folder: Path, configs: Path = CONFIGS) -> Config:
    """The configuration of a study, its output inside `folder`."""
    config = load_config(configs / f"{size}_{study}.toml")
    return replace(config, output=replace(config.output, path=str(folder / "runs" / study)))


def _study(
    size: str, name: str, folder: Path, processes: int, simulate: bool, configs: Path, quiet: bool
) -> Study:
    """Kept data, or those of a run in the folder, made or continued first."""
    if not simulate and kept(size, name).exists() and configs == CONFIGS:
        return load_study(kept(size, name))
    from sitqmc.runs.simulate.run import run

    config = config_of(size, name, folder, configs)
    run(config, processes=processes, quiet=quiet)
    largest = max(model.Lx for model in _models(config))
    study = reduce_runs(
        name,
        [Path(config.output.path)],
        correlators_from=0 if name == "clean" else largest,
        command=_command("all", size, True),
    )
    save_study(folder / f"{name}.npz", study)
    return study


def _models(config: Config) -> list[Model]:
    return list(points(config))


def write_cluster(figure: str, output: str | Path, time_limit: str, nodes: int) -> str:
    """Configurations and a job script in a folder; what they would cost and how to go on, as text."""
    from sitqmc.runs.jobs.plan import plan
    from sitqmc.runs.jobs.slurm import Job, script

    chapter = _chapter(figure, "cluster")
    if not chapter.studies:
        raise UserError(f"figure {figure} needs no simulation; use --size small")
    folder = Path(output)
    make_folder(folder)
    tables = {name: CONFIGS / f"cluster_{name}.toml" for name in chapter.studies}
    files = [str(folder / path.name) for path in tables.values()]
    text = script(Job(configs=tuple(files), nodes=nodes, time=time_limit, name="reproduce"))
    lines = []
    for name, path in tables.items():
        source = path.read_text(encoding="utf-8")
        config = parse_config(tomllib.loads(source))
        own = source.replace(f'"{config.output.path}"', f'"{folder / "runs" / name}"')
        replace_text(folder / path.name, own)
        lines += [f"{folder / path.name}:", plan(config, 64, trial_seconds=1.0), ""]
    batch = folder / "reproduce.sbatch"
    replace_text(batch, text)
    lines += [
        f"{batch} written, with {len(files)} configurations; hand it to the queue with: sbatch {batch}",
        f"when all have ended: sitqmc reproduce {figure} --size cluster --simulate -o {folder}",
    ]
    return "\n".join(lines)
