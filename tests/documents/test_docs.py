"""The documents: made from the sources they describe, complete, and without dead ends."""

import importlib.util
import json
import pkgutil
import re
import sys
import tomllib
from pathlib import Path

import pytest
from scipy.stats import chi2

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "runs" / "docs"
TEXTS = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


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
    return json.loads((DOCS / "validation.json").read_text(encoding="utf-8"))


# --- validation ------------------------------------------------------------------------------------------


def test_validation_tells_what_is_kept(validation, kept):
    text = (DOCS / "validation.md").read_text(encoding="utf-8")
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
        if known and row["study"] != "seed" and "0.25" not in row["quantity"]:
            assert abs(row["sigmas"]) < 3, row
        if row["quantity"].startswith("p_c"):
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


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    if path.name != "validation.md":
        assert links
    for link in links:
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_methods_name_what_exists():
    """Names in backticks: those that begin with `sitqmc.` can be imported, others stand in the sources."""
    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(sitqmc(?:\.\w+)+)", text))
    assert len(names) > 20
    for name in names:
        pkgutil.resolve_name(name)
    sources = "\n".join(p.read_text(encoding="utf-8") for room in ("qmc", "continuation", "analytic", "runs")
                        for p in (ROOT / room).rglob("*.py"))  # fmt: skip
    words = set(re.findall(r"\w+", sources)) | {p.stem for p in ROOT.glob("[acqr]*/**/*.py")}
    functions = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text))
    assert len(functions) > 10
    assert functions <= words, functions - words


def test_observables_of_the_methods_are_measured():
    from sitqmc.qmc import OBSERVABLES

    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    table = text[text.index("| name | estimator |") : text.index("* ρ(0) = ρ_s")]
    named = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)[2:]
    for cell in named:
        for name in re.findall(r"`(\w+)", cell):
            assert name in OBSERVABLES, name


def test_readme_keeps_its_commands_and_its_citation():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "sitqmc run runs/configs/quickstart.toml" in text
    command = re.search(r"<!-- tests -->\n```bash\n(.+)\n```", text)
    assert command is not None
    assert command.group(1).endswith("pytest")
    assert re.search(r"!\[.+\]\((runs/docs/pictures/\S+)\)", text)
    entries = re.search(r"```bibtex\n(.*?)```", text, re.DOTALL).group(1)
    assert entries.count("{") == entries.count("}")
    assert entries.count("\n@") == 4
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"version {version}" in entries
