"""The notebooks as pages of the site, from their percent files.

The cells are run: the pages show output and figures. SITQMC_DOCS_EXECUTE=0 shows the code alone, and is fast.
"""

import ast
import base64
import contextlib
import html
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
ORDER = ("first_run", "reading_results", "continuation_trust", "cluster_scaling", "thz_film")
CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)


def navigation() -> list[str]:
    """Return the pages in reading order."""
    return [f"notebooks/{name}.md" for name in ORDER]


def pages() -> dict[str, str]:
    """Return {path in the site: Markdown} of all notebooks."""
    execute = os.environ.get("SITQMC_DOCS_EXECUTE", "1") != "0"
    return {f"notebooks/{name}.md": page(FOLDER / f"{name}.py", execute) for name in ORDER}


def page(source: Path, execute: bool) -> str:
    """Return one notebook as Markdown."""
    lines, namespace = [], {"__name__": "notebook"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for kind, text in cells(source.read_text("utf-8")):
            if kind == "markdown":
                lines += [text.replace("](../pages/", "](../"), ""]      # pages of the site lie beside it
            else:
                lines += ["```python", text, "```", "", *(outputs(text, namespace) if execute else [])]
    note = f"*This page is the notebook `runs/docs/notebooks/{source.stem}.ipynb`.*"
    note += "" if execute else " *Run it to see its figures.*"
    title, _, rest = lines[0].partition("\n")
    return "\n".join([title, "", note, "", rest.strip(), *lines[1:]])


def cells(text: str) -> list[tuple[str, str]]:
    """Return (kind, source) of every cell of a percent file, kind markdown or code."""
    marks = list(CELL.finditer(text))
    if not marks or text[: marks[0].start()].strip():
        raise ValueError("a percent file must begin with a cell mark, # %%")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found = []
    for mark, end in zip(marks, ends, strict=True):
        body = text[mark.end() : end].strip("\n")
        if "[markdown]" in mark.group(1):
            body = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines())
            found.append(("markdown", body))
        else:
            found.append(("code", body))
    return found


def run_cell(source: str, namespace: dict[str, Any]) -> Any:
    """Run a cell; return the value of its last expression, as a notebook would show it, or None."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), namespace)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), namespace) if last else None


def outputs(source: str, namespace: dict[str, Any]) -> list[str]:
    """Run a cell; return its printed text and what a notebook shows of its last expression."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        shown = run_cell(source, namespace)
    lines = []
    if said.getvalue().strip():
        lines += [f'<pre class="output">{html.escape(said.getvalue().rstrip())}</pre>', ""]
    if hasattr(shown, "savefig"):
        with io.BytesIO() as file:
            shown.savefig(file, format="png", dpi=130)
            image = base64.b64encode(file.getvalue()).decode()
        lines += [f'<img alt="figure" src="data:image/png;base64,{image}">', ""]
    elif hasattr(shown, "_repr_html_"):
        lines += [f'<div class="output">{shown._repr_html_()}</div>', ""]
    elif shown is not None:
        lines += [f'<pre class="output">{html.escape(repr(shown))}</pre>', ""]
    return lines
