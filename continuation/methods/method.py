"""The contract of a method of continuation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sitqmc.continuation.data.kinds import KINDS
from sitqmc.continuation.methods.problem import Problem
from sitqmc.continuation.spectrum.solution import Solution


@dataclass(frozen=True)
class Method:
    """One way to solve the whitened equations. Its file or folder holds all of it.

    name   value of `Options.method`, of the key in a configuration and of the column in tables
    text   one line for templates and help
    solve  from the problem to the solution; it imports what needs compilation when it runs, so that names
           and texts are read without it
    vote   weight in the consensus; 0: shown there only
    kinds  kinds of data that it can continue
    cross_check  whether every run continues its data by this method too, beside the configured one
    """

    name: str
    text: str
    solve: Callable[[Problem], Solution]
    vote: float = 0.0
    kinds: tuple[str, ...] = tuple(KINDS)
    cross_check: bool = False
