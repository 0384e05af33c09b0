"""Rules that decide a statement by a number: three standard errors, written down before the data are made."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sitqmc.estimate import Estimate

__all__ = ["CONFIRMED", "CONSISTENT", "CONTRADICTED", "OPEN", "UNTESTED", "Claim", "Decision", "verdict_of"]

CONFIRMED, CONTRADICTED = "confirmed", "contradicted"
CONSISTENT, OPEN, UNTESTED = "consistent, not proven", "not resolved", "not tested"

DECISIVE = 3.0
"""Standard errors that decide."""

Kind = Literal["above", "below", "equal"]


@dataclass(frozen=True)
class Decision:
    """One number of a statement, and the rule that judges it.

    kind       above, below: the number must lie on that side of `bound` by three standard errors;
               equal: it must agree with `bound` within three standard errors that are below `tolerance`
    deciding   whether the verdict on the statement rests on this number; others are shown beside it
    """

    quantity: str
    number: Estimate
    kind: Kind
    bound: float
    tolerance: float = 0.0
    deciding: bool = True

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.kind == "equal":
            return f"{self.bound:.4g} within 3 errors, 3 errors below {self.tolerance:g}"
        return f"{self.kind} {self.bound:.4g} by 3 errors"

    @property
    def verdict(self) -> str:
        """What the rule says of the number."""
        if not self.number.is_known or not self.number.error > 0:
            return OPEN
        pull = self.number.pull(self.bound)
        if self.kind == "equal":
            if abs(pull) > DECISIVE:
                return CONTRADICTED
            return CONFIRMED if DECISIVE * self.number.error <= self.tolerance else CONSISTENT
        right = pull if self.kind == "above" else -pull
        if right > DECISIVE:
            return CONFIRMED
        if right < -DECISIVE:
            return CONTRADICTED
        return CONSISTENT if right > 0 else OPEN

    def plain(self, statement: str) -> dict[str, Any]:
        """Return the row of `statements.csv`."""
        return {
            "statement": statement, "quantity": self.quantity, "value": self.number.value,
            "error": self.number.error, "rule": self.rule, "verdict": self.verdict,
            "decides": self.deciding,
        }  # fmt: skip


def verdict_of(decisions: Iterable[Decision]) -> str:
    """Return the verdict on a statement: the least favourable one of its deciding numbers."""
    found = {d.verdict for d in decisions if d.deciding}
    return next((v for v in (CONTRADICTED, OPEN, CONSISTENT, CONFIRMED) if v in found), OPEN)


@dataclass(frozen=True)
class Claim:
    """A statement of the paper.

    found      what these data say, in words
    decides    what would settle it
    decisions  the numbers and rules behind the verdict; a statement without any is not tested
    """

    statement: str
    found: str
    decides: str
    decisions: tuple[Decision, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict on the statement, see `verdict_of`."""
        return verdict_of(self.decisions) if self.decisions else UNTESTED
