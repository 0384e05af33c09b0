"""Checks of configuration values that several sections need. Each failure is one line."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

from sitqmc.runs.errors import UserError

MOST_LINES = 20               # errors shown at once
NAMES = {int: "an integer", float: "a number", str: "a word", bool: "true or false"}


class Findings:
    """Errors of a configuration, one line each: all of them are reported at once."""

    def __init__(self) -> None:
        self.lines: dict[str, None] = {}         # in the order found, each once

    @property
    def full(self) -> bool:
        """Whether more errors are known than are shown."""
        return len(self.lines) > MOST_LINES

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep the lines of a UserError and go on after the block."""
        try:
            yield
        except UserError as error:
            self.lines |= dict.fromkeys(str(error).splitlines())

    def report(self) -> None:
        """Raise UserError with one line for each error; do nothing if there is none."""
        if self.lines:
            shown = [*self.lines][:MOST_LINES]
            if self.full:
                shown.append("further errors are not shown; fix these first")
            raise UserError("\n".join(shown))


def refuse_unknown(table: Iterable[str], known: Iterable[str], what: str, where: str) -> None:
    """Raise UserError with one line for each unknown key and the nearest known name."""
    known, findings = list(known), Findings()
    for key in (key for key in table if key not in known):
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        with findings.collected():
            raise UserError(f"{where}unknown {what} {key!r}; {hint}")
    findings.report()


def check_type(value: Any, hint: Any, where: str) -> Any:
    """Return the value in the type of the annotation. An integer is a number; a truth value is neither."""
    kinds = get_args(hint) or (hint,)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        wanted = " or ".join(NAMES.get(kind, str(kind)) for kind in kinds)
        raise UserError(f"{where} = {value!r}: must be {wanted}")
    return value
