"""Docstrings of this package as Markdown: the extension of the parser that mkdocstrings uses.

The docstrings are plain text. Lines with a name, two or more spaces and an explanation describe arguments,
fields, results and errors; these become tables. Deeper indented lines are examples; they stay as they are.
"""

import re
from typing import Any

from griffe import Extension, Object

ROW = re.compile(r"^(\S(?:.*?\S)?) {2,}(\S.*)$")


class PlainDocstrings(Extension):
    """Rewrites every docstring into Markdown before it is drawn."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Replace the text of the docstring of `obj`."""
        if obj.docstring is not None and not getattr(obj.docstring, "_is_markdown", False):
            obj.docstring.value = markdown(obj.docstring.value)
            obj.docstring._is_markdown = True  # type: ignore[attr-defined]


def markdown(text: str) -> str:
    """Return the docstring as Markdown."""
    out: list[str] = []
    rows: list[list[str]] = []

    def close() -> None:
        if rows:
            if out and out[-1].strip():
                out.append("")
            out.extend(["| | |", "| --- | --- |"])
            out.extend(f"| {_code(name)} | {_escape(said, table=True)} |" for name, said in rows)
            rows.clear()

    code = False
    for line in text.splitlines():
        row = ROW.match(line)
        indent = len(line) - len(line.lstrip())
        if rows and line.strip() and indent >= 2:
            rows[-1][1] += " " + line.strip()        # an explanation goes on
            continue
        if row and not code and indent == 0:
            rows.append([row[1], row[2]])
            continue
        if rows:
            close()
            if line.strip():
                out.append("")
        if line.strip():
            code = indent >= 4 and (code or not out or not out[-1].strip())
        out.append(line if code else _escape(line, table=False))
    close()
    return "\n".join(out)


def _code(name: str) -> str:
    return f"`{name.replace('`', '')}`".replace("|", r"\|")


def _escape(line: str, *, table: bool) -> str:
    """Protect <, * and | where Markdown would read them as its own; code in backticks stays."""
    parts = re.split(r"(`[^`]*`)", line)
    for i in range(0, len(parts), 2):
        part = parts[i].replace("&", "&amp;").replace("<", "&lt;").replace("*", r"\*").replace("_", r"\_")
        parts[i] = part.replace("[", r"\[")
    joined = "".join(parts)
    return joined.replace("|", r"\|") if table else joined
