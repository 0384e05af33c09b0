"""The documents: made from the sources they describe, complete, and without dead ends."""

import argparse
import ast
import importlib
import importlib.util
import json
import pkgutil
import re
import sys
import textwrap
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.stats import chi2

from helpers import few_figures
from sitqmc.continuation import CorrelatorData, Options, current_kernel, sinh_grid
from sitqmc.continuation.methods import METHODS
from sitqmc.continuation.methods.problem import pose
from sitqmc.qmc import observables
from sitqmc.runs.cli.main import _parser
from sitqmc.runs.config.config import load_config, parse_config
from sitqmc.runs.config.schema import schema
from sitqmc.runs.results.figures import kinds as figures
from sitqmc.runs.simulate.driver import run
from sitqmc.runs.store.run_file import VERSION

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "runs" / "docs"
PAGES = sorted((DOCS / "pages").rglob("*.md"))
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.py"))
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]


def load_script(name):
    """benchmarks/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module              # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def validation():
    before = list(sys.path)
    yield load_script("validation")
    sys.path[:] = before


@pytest.fixture(scope="module")
def kept():
    return json.loads((DOCS / "pages" / "validation.json").read_text(encoding="utf-8"))


# --- validation ------------------------------------------------------------------------------------------


def test_validation_tells_what_is_kept(validation, kept):
    text = (DOCS / "pages" / "validation.md").read_text(encoding="utf-8")
    assert text == validation.render(kept), "run: python benchmarks/validation.py --render"


def test_validation_covers_every_case_and_every_study(validation, kept):
    assert [row["case"] for row in kept["exact"]] == [case.name for case in validation.small_cases()]
    critical = load_script("critical")
    assert {row["study"] for row in kept["published"]} == set(critical.STUDIES)


def test_kept_numbers_agree_with_the_exact_ones(kept):
    for row in kept["exact"]:
        assert row["worst_sigmas"] < 4.5, row
        assert row["probability"] > 1e-3, row
        assert row["median_error"] < 0.01, row
    total, count = (sum(row[key] for row in kept["exact"]) for key in ("chi2", "independent"))
    assert count > 300
    assert 1e-3 < chi2.sf(total, count) < 1 - 1e-3


def test_published_values_are_met_where_the_text_says_so(kept):
    for row in kept["published"]:
        known = row["published"] is not None
        if known and not row["study"].startswith("seed") and "0.25" not in row["quantity"]:
            assert abs(row["sigmas"]) < 3, row
        # Fits over ranges of sizes stand there with their chi2, most of them rejected; one is quoted.
        judged = row["study"] != "seed_ranges" or "quoted" in row["quantity"]
        if row["quantity"].startswith("p_c") and judged:
            assert abs(row["sigmas"]) < 3, row


def test_closed_forms_are_what_they_were(validation, kept):
    """Computed anew: within what is claimed, and the same rows."""
    rows = list(validation.closed_rows())
    assert [row.what for row in rows] == [row["what"] for row in kept["closed"]]
    for row in rows:
        assert 0 <= row.difference < row.claimed, row


def test_one_chain_against_the_transfer_matrix(validation):
    """The generator itself: its first case at a new place in the stream."""
    row = validation.exact_row(validation.small_cases()[0], 99)
    assert row.numbers > 25
    assert row.median_error < 0.01
    assert row.worst_sigmas < 4.5
    assert row.probability > 1e-4


# --- links and names -------------------------------------------------------------------------------------


def anchors(path):
    """Anchors of the headings, as common Markdown renderers make them."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def name_of(path):
    return path.relative_to(DOCS / "pages" if path in PAGES else ROOT).as_posix()


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_texts_name_what_exists(path):
    """Dotted names in backticks are modules or public objects, and paths are files."""
    text = path.read_text(encoding="utf-8")
    for name in sorted(set(re.findall(r"`(sitqmc(?:\.\w+)+)\b", text))):
        pkgutil.resolve_name(name)
    rooms = "runs|tests|benchmarks|qmc|analytic|continuation"
    for file in sorted(set(re.findall(rf"`((?:{rooms})/[\w./-]+)`", text))):
        assert (ROOT / file).exists(), file


def test_functions_named_in_the_pages_are_in_the_sources():
    sources = "\n".join(p.read_text(encoding="utf-8") for room in ("qmc", "continuation", "analytic", "runs")
                        for p in (ROOT / room).rglob("*.py"))  # fmt: skip
    words = set(re.findall(r"\w+", sources)) | {p.stem for p in ROOT.glob("[acqr]*/**/*.py")}
    for path in TEXTS:
        functions = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", path.read_text(encoding="utf-8")))
        assert functions <= words, (path, functions - words)


def options_of_commands():
    """Option strings of every command of sitqmc."""
    actions = next(a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {name: set(parser._option_string_actions) for name, parser in actions.choices.items()}


@pytest.mark.parametrize("path", [*TEXTS, *NOTEBOOKS], ids=name_of)
def test_commands_and_their_options_exist(path):
    """In code of any kind: sitqmc COMMAND ... --option."""
    known = options_of_commands()
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    code = [block for language, block in blocks if language in ("", "bash", "text", "console")]
    code += re.findall(r"`([^`\n]+)`", text)
    for line in "\n".join(code).splitlines():
        line = line.partition("#")[0]
        for command, rest in re.findall(r"(?:^|[\s$/])sitqmc +([a-z]+)((?: [^|;&\n]*)?)", line):
            assert command in known, line
            for option in re.findall(r"(?<=\s)--?[a-zA-Z][\w-]*", rest):
                assert option in known[command], line


@pytest.mark.parametrize("path", [*TEXTS, *NOTEBOOKS], ids=name_of)
def test_configuration_keys_exist(path):
    """Whole examples in TOML, and `[section] key` in a sentence."""
    text, sections = path.read_text(encoding="utf-8"), schema()["properties"]
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        given = tomllib.loads(block)
        model = {"eps": 0.1, "charging": 3.0, "L": 4, "L_tau": 8}
        parse_config({"model": model, "output": {"path": "results/any"}} | given)
    for section, key in re.findall(r"`\[(\w+)\] (\w+)", text):
        assert section in sections, (section, key)
        assert section == "target" or key in sections[section]["properties"], (section, key)


@pytest.mark.parametrize("path", sorted((ROOT / "runs" / "configs").rglob("*.toml")), ids=name_of)
def test_kept_configurations_are_read(path):
    config = load_config(path)
    assert config.models


def examples_of(path):
    """Source of all Python blocks; blocks in lists are indented."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def imports_of(path):
    """Import statements of all Python blocks."""
    for block in examples_of(path):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sitqmc"):
                yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_examples_import_what_exists(path):
    for module, name in imports_of(path):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


RUNNABLE = ("README.md", "runs/docs/pages/howto/correlator.md", "runs/docs/pages/howto/configure.md")


@pytest.mark.parametrize("page", RUNNABLE)
def test_examples_run(page, tmp_path, monkeypatch):
    """All Python blocks of a page, one after the other, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names = {}
    with few_figures("sigma"):
        exec(compile("\n".join(examples_of(ROOT / page)), page, "exec"), names)
    if "chain" in names:
        assert all(np.all(np.isfinite(bins)) for bins in names["chain"].bins.values())
    if "spectrum" in names:
        low, high = names["low"], names["high"]
        assert low.shape == high.shape == names["spectrum"].omega.shape
        assert np.all(low <= high)
    assert {"chain", "spectrum"} & names.keys()


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """A folder in which `results/quickstart` is a tiny run."""
    home = tmp_path_factory.mktemp("reader")
    table = {
        "model": {"eps": 0.1, "charging": 3.0, "L": 4, "L_tau": 8, "p": [0.0, 0.2]},
        "disorder": {"samples": 4},
        "schedule": {"therm_sweeps": 5.0, "bins": 4, "measurements_per_bin": 2},
        "continuation": {"method": "maxent", "omega_points": 40},
        "output": {"path": str(home / "results" / "quickstart")},
    }
    run(parse_config(table), processes=1, quiet=True)
    return home


def test_the_examples_of_reading_a_run(quickstart, monkeypatch):
    """By the package and by h5py; the last block needs xarray, which is no dependency."""
    monkeypatch.chdir(quickstart)
    *blocks, last = examples_of(DOCS / "pages" / "howto" / "run_h5.md")
    assert "xarray" in last
    if importlib.util.find_spec("xarray") and importlib.util.find_spec("h5netcdf"):
        blocks.append(last)
    names = {}
    exec(compile("\n".join(blocks), "run_h5.md", "exec"), names)
    assert names["rho"].shape == (4, 5)
    assert names["bins"].shape == (4, 4, 5)
    assert names["average"].value.shape == (5,)
    assert names["rho"].mean(axis=0) == pytest.approx(names["average"].value)


def test_the_layout_of_the_run_file_is_described(quickstart):
    text = (DOCS / "pages" / "reference" / "file_layout.md").read_text(encoding="utf-8")
    assert f"has version {VERSION}:" in text
    with h5py.File(quickstart / "results" / "quickstart" / "run.h5") as file:
        for name in file["points/0000"]:
            assert re.search(rf"`{name}(?:/NAME)?`", text), name


def test_the_example_of_a_method_continues_data():
    block = next(b for b in examples_of(ROOT / "CONTRIBUTING.md") if "Method(" in b)
    names = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    n, omega = np.arange(17), sinh_grid(40.0, 1.0, 400)
    truth = 0.1 * np.exp(-((omega.omega - 2) ** 2))
    mean = 0.3 + current_kernel(n, omega.omega, 8.0) @ (omega.weights * truth)
    samples = mean + 0.002 * np.random.default_rng(1).normal(size=(100, n.size))
    data = CorrelatorData.from_samples(samples, kind="rho_iw", beta=8.0, grid=n)
    method = names["QUADRATIC"]
    assert method.name not in METHODS
    problem = pose(data, Options(n_omega=80, n_draws=20))
    solution = method.solve(problem)
    residual = problem.whitened_data - problem.kernel @ solution.posterior.reported
    assert float(residual @ residual) < 2 * len(residual)


def test_the_examples_of_an_observable_and_a_figure_fit_their_registries():
    """The row is made, its number is addressed by name, and the figure draws points of a run."""
    row, measured, figure = (next(b for b in examples_of(ROOT / "CONTRIBUTING.md") if word in b)
                             for word in ("_scalar(", "values[AT", "FigureKind("))  # fmt: skip
    made = eval(row.strip().rstrip(","), vars(observables))
    assert made.name in measured
    assert made.name not in observables.OBSERVABLES
    names = dict(vars(figures), KINDS=dict(figures.KINDS))
    exec(compile(figure, "CONTRIBUTING.md", "exec"), names)
    new = names["KINDS"].keys() - figures.KINDS.keys()
    assert len(new) == 1
    assert names["KINDS"][new.pop()].caption


def test_observables_of_the_explanation_are_measured():
    from sitqmc.qmc import OBSERVABLES
    from sitqmc.qmc.observables import MAPS

    text = (DOCS / "pages" / "explanation" / "estimators.md").read_text(encoding="utf-8")
    table = text[text.index("| name | estimator |") : text.index("* ρ(0) = ρ_s")]
    named = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)[2:]
    assert len(named) > 10
    for cell in named:
        for name in re.findall(r"`(\w+)", cell):
            assert name in OBSERVABLES or name in MAPS, name


def test_readme_keeps_its_commands_and_its_citation():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "sitqmc run runs/configs/quickstart.toml" in text
    command = re.search(r"<!-- tests -->\n```bash\n(.+)\n```", text)
    assert command is not None
    assert command.group(1).split()[-1].startswith((".venv/bin/pytest", "-"))
    assert len(text.splitlines()) <= 200
    assert re.search(r"!\[.+\]\((runs/docs/pages/pictures/\S+)\)", text)
    entries = re.search(r"```bibtex\n(.*?)```", text, re.DOTALL).group(1)
    assert entries.count("{") == entries.count("}")
    assert entries.count("\n@") == 4
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"version {version}" in entries


def test_citation_file_agrees_with_the_readme():
    """Every article of the README is in CITATION.cff, and the version is the one of the package."""
    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    articles = re.findall(r"@article\{(.*?)\}\}", readme, re.DOTALL)
    assert len(articles) == 4
    for article in articles:
        volume = re.search(r"volume = \{(\w+)\}", article).group(1)
        assert re.search(rf"^    volume: {volume}$", cff, re.MULTILINE)
        page = re.search(r"pages = \{(\w+)\}", article).group(1)
        assert re.search(rf'^    start: "?{page}"?$', cff, re.MULTILINE)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in cff


def test_container_recipes_copy_what_the_wheel_is_built_from():
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    sources = tables["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"]
    project = tables["project"]
    wanted = {"pyproject.toml", project["readme"], *project["license-files"], "sitqmc", *sources}
    folder = DOCS / "containers"
    copied = re.findall(r"^    (\S+) /opt/sitqmc/\1$", (folder / "sitqmc.def").read_text(), re.MULTILINE)
    assert set(copied) == wanted
    lines = re.findall(r"^COPY (.+) \S+$", (folder / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for line in lines for name in line.split()} == wanted
