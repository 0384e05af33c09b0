"""Checks of configuration values that several sections need. Each failure is one line."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from sitqmc.runs.errors import UserError

NAMES = {int: "an integer", float: "a number", str: "a word", bool: "true or false"}


def refuse_unknown(table: Iterable[str], known: Iterable[str], what: str, where: str) -> None:
    """Raise UserError for an unknown key, with the nearest known name."""
    known = list(known)
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise UserError(f"{where}unknown {what} {key!r}; {hint}")


def check_type(value: Any, hint: Any, where: str) -> Any:
    """Return the value in the type of the annotation. An integer is a number; a truth value is neither."""
    kinds = get_args(hint) or (hint,)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        wanted = " or ".join(NAMES.get(kind, str(kind)) for kind in kinds)
        raise UserError(f"{where} = {value!r}: must be {wanted}")
    return value
