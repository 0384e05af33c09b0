"""Hooks of mkdocs: formulas, generated reference pages, notebooks as pages, links out of the site.

Everything generated comes from the code itself, so that the site cannot describe names that do not exist.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import notebooks
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import reference

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CODE = re.compile(r"(```.*?```|`[^`\n]*`|\]\([^)]*\))", re.DOTALL)     # code, and targets of links
INDEX = re.compile(r"(?<!\\)((?<![A-Za-z_])[A-Za-z]|[α-ωΑ-Ω])_(\{[^}]*\}|[A-Za-z0-9α-ω]+)")
EXPONENT = re.compile(r"\^(\{[^}]*\}|[0-9.]+[0-9]|[0-9])")
TREE = Path(tempfile.gettempdir()) / "sitqmc-docs-source"


def formula(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """Return a ```math block as MathML, which browsers draw without a script."""
    return f'<div class="formula">{convert(source, display="block")}</div>'


@event_priority(100)                         # before mkdocstrings reads its settings
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the fence for formulas, the paths of the sources and the generated part of the navigation."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "formula", "format": formula})
    sys.path.insert(0, str(ROOT))            # describe this checkout, not another one that is installed
    shutil.rmtree(TREE, ignore_errors=True)
    reference.copy_sources(ROOT, TREE)       # the parser of mkdocstrings does not follow symbolic links
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(TREE)]
    sections = {next(iter(entry)): entry for entry in config.nav or [] if isinstance(entry, dict)}
    sections["Reference"]["Reference"] += reference.navigation(ROOT)
    sections["Notebooks"]["Notebooks"] = notebooks.navigation()
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the style sheet."""
    pages = reference.pages(ROOT) | notebooks.pages()
    pages["style.css"] = (HERE / "style.css").read_text("utf-8")
    for path, content in pages.items():
        present = files.get_file_from_path(path)
        if present is not None:              # a written page keeps its text; the generated part follows it
            content = present.content_string + "\n" + content
            files.remove(present)
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Print links to files of the repository as paths: a built site has no files outside its folder."""
    folder = (Path(config.docs_dir) / page.file.src_uri).parent

    def inside(match: re.Match[str]) -> str:
        text, target = match.groups()
        path = target.partition("#")[0]
        if "://" in target or not path or files.get_file_from_path(_relative(page, path)) is not None:
            return match.group(0)
        outside = (folder / path).resolve()
        notebook = f"notebooks/{outside.stem}.md"
        if outside.suffix == ".ipynb" and files.get_file_from_path(notebook):
            return f"[{text}]({'../' * page.file.src_uri.count('/')}{notebook})"
        if outside.exists() and outside.is_relative_to(ROOT):
            return f"{text} (`{outside.relative_to(ROOT)}`)" if text.strip("`") not in str(outside) else text
        return match.group(0)                # mkdocs reports the dead link

    markdown = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", inside, markdown)
    path = page.file.src_uri
    plain = path.startswith("notebooks") or "\n::: " in markdown
    return markdown if plain else typeset(markdown)


def typeset(markdown: str) -> str:
    """Return E_C, L^1.5 and their like with real indices and exponents; code stays."""
    parts = CODE.split(markdown)
    for i in range(0, len(parts), 2):
        part = INDEX.sub(lambda m: f"{m[1]}<sub>{m[2].strip('{}')}</sub>", parts[i])
        parts[i] = EXPONENT.sub(lambda m: f"<sup>{m[1].strip('{}')}</sup>", part)
    return "".join(parts)


def _relative(page: Page, target: str) -> str:
    """Return the path of a link within the site."""
    parts: list[str] = list(Path(page.file.src_uri).parent.parts)
    for part in Path(target).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
