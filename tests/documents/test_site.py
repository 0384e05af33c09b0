"""The documentation site: generated pages are complete, and the site builds without a warning."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "runs" / "docs"
sys.path.append(str(DOCS / "site"))              # its modules import each other by their bare names


def load(name):
    """Return a module of the site, which is no part of the package."""
    spec = importlib.util.spec_from_file_location(f"site_{name}", DOCS / "site" / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generated():
    """Text of every generated page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SITQMC_DOCS_EXECUTE", "0")         # tests of the notebooks run the cells
        return load("reference").pages(ROOT) | load("notebooks").pages()


def test_every_public_name_is_in_the_reference(generated):
    reference = load("reference")
    for room in reference.ROOMS:
        for module, names in reference.public_names(ROOT / room / "__init__.pyi").items():
            for name in names:
                assert f"::: sitqmc.{room}.{module}.{name}\n" in generated[f"reference/{room}.md"] + "\n"


def test_every_public_name_has_an_example(generated):
    """Its code, or a link to the code of a name of the same family, stands below its entry."""
    reference, snippets = load("reference"), load("snippets")
    for page in ("sitqmc", *reference.ROOMS):
        examples = snippets.read(page)
        for entry in re.split(r"^::: ", generated[f"reference/{page}.md"], flags=re.MULTILINE)[1:]:
            name = entry.splitlines()[0].rpartition(".")[2]
            cell = examples.cell_of(name)
            assert cell is not None, name
            assert re.search(rf"\b{name}\b", cell.code), name
            shown = "```python" if cell.names[0] == name else "*Example: under [`"
            assert shown in entry, name


@pytest.mark.parametrize("page", ["sitqmc", "qmc", "continuation", "analytic", "runs"])
@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.physics)])
def test_examples_of_the_reference_print_what_they_say(page, long, tmp_path, monkeypatch, capsys):
    """All cells of a page in one process; those that take seconds with the physics checks."""
    monkeypatch.chdir(tmp_path)
    examples, names = load("snippets").read(page), {}
    exec(compile(examples.header, page, "exec"), names)
    for cell in examples.cells:
        if cell.long and not long:
            continue
        exec(compile(cell.code, f"{page}: {', '.join(cell.names)}", "exec"), names)
        printed = capsys.readouterr().out.splitlines()
        assert [line for line in cell.printed if line not in printed] == [], (cell.names, printed)


def test_every_observable_has_its_row_with_unit_and_meaning(generated):
    from sitqmc.qmc.observables import AXES, ROWS

    text = generated["reference/observables.md"]
    for row in ROWS:
        assert re.search(rf"^\| `{row.name}` \| \S.* \| .* \| \S.* \|$", text, re.MULTILINE), row.name
    for axis in AXES:
        assert f"| `{axis}` |" in text


def test_every_configuration_key_has_its_row_with_a_meaning(generated):
    from dataclasses import fields

    from sitqmc.qmc.model.parameters import PARAMETERS
    from sitqmc.runs.config.config import Config

    text = generated["reference/configuration.md"]
    hints = {f.name: f.type for f in fields(Config)}
    assert set(hints) <= {*re.findall(r"^## `\[(\w+)\]`", text, re.MULTILINE), "model", "target"}
    for line in re.findall(r"^\| `.*$", text, re.MULTILINE):
        assert not line.endswith("|  |"), line
    for name in PARAMETERS:
        assert f"| `{name}` |" in text


def test_every_command_prints_its_help(generated):
    text = generated["reference/command_line.md"]
    commands = "init plan run status show export merge rerun submit report reproduce doctor"
    for command in commands.split():
        assert f"## `sitqmc {command}`" in text
        assert f"usage: sitqmc {command} " in text


def test_written_pages_are_in_the_navigation():
    text = (DOCS / "mkdocs.yml").read_text(encoding="utf-8")
    for path in sorted((DOCS / "pages").rglob("*.md")):
        assert path.relative_to(DOCS / "pages").as_posix() in text, path


def test_docstrings_become_tables():
    pytest.importorskip("griffe")
    markdown = load("docstrings").markdown
    text = "Return <x>.\n\nname   what it is,\n       in two lines\nother  more\n\n    code_stays(*here)\n"
    assert markdown(text) == (
        "Return &lt;x>.\n\n| | |\n| --- | --- |\n| `name` | what it is, in two lines |\n| `other` | more |\n"
        "\n    code_stays(*here)"
    )


def test_site_builds_strict_and_loads_nothing_from_elsewhere(tmp_path):
    for needed in ("mkdocs", "material", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(needed)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]     # -q would hide warnings
    command += ["-f", str(DOCS / "mkdocs.yml"), "-d", str(tmp_path)]
    settings = {"NO_MKDOCS_2_WARNING": "1", "SITQMC_DOCS_EXECUTE": "0"}
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | settings
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 35
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|link)\b[^>]*(?:src|href)="(?:https?:)?//', text), page
    reference = load("reference")
    for room in reference.ROOMS:
        text = (tmp_path / "reference" / f"{room}.html").read_text(encoding="utf-8")
        for module, names in reference.public_names(ROOT / room / "__init__.pyi").items():
            for name in names:
                assert f'id="sitqmc.{room}.{module}.{name}"' in text
    assert "<math" in (tmp_path / "explanation" / "model.html").read_text(encoding="utf-8")
