"""Rules that decide a statement by a number: three standard errors, written before the data are simulated."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sitqmc.estimate import Estimate
from sitqmc.runs.paper.studies.study import ReducedPoint

__all__ = [
    "CONFIRMED", "CONSISTENT", "CONTRADICTED", "OPEN", "UNTESTED",
    "Claim", "Decision", "Effort", "verdict_of",
]  # fmt: skip

CONFIRMED, CONTRADICTED = "confirmed", "contradicted"
CONSISTENT, OPEN, UNTESTED = "consistent, not proven", "not resolved", "not tested"

DECISIVE = 3.0
"""Standard errors that decide."""

AT_BOUND = 0.1
"""Standard errors from its bound below which a number says nothing about the data that would decide."""

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
        """The verdict of the rule on the number."""
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

    @property
    def missing_data(self) -> float:
        """Factor in the data that would decide, if the number stays and its error falls as masks^(-1/2).

        1: decided; inf: the number lies on the wrong side of its bound, or at it; nan: nothing is known.
        """
        if self.verdict in (CONFIRMED, CONTRADICTED):
            return 1.0
        if not self.number.is_known or not self.number.error > 0:
            return math.nan
        far = self.tolerance if self.kind == "equal" else abs(self.number.value - self.bound)
        if self.verdict == OPEN or far < AT_BOUND * self.number.error:
            return math.inf
        return max((DECISIVE * self.number.error / far) ** 2, 1.0)

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
class Effort:
    """Data that would decide a statement if its numbers stay.

    factor      times the masks of now; 1: decided, inf: not by more masks, nan: no number yet
    masks       of the point with fewest of them
    core_hours  of all points that the statement rests on, by the trial of `sitqmc plan`; nan if not kept
    """

    factor: float
    masks: int
    core_hours: float

    def __str__(self) -> str:
        if self.factor == 1:
            return "decided"
        if math.isinf(self.factor):
            return "no number of masks as long as the number lies at its bound or beyond"
        if math.isnan(self.factor):
            return "unknown: the number is not resolved"
        hours = "" if math.isnan(self.core_hours) else f", {self.core_hours:.2g} core hours"
        return f"{self.masks} masks{hours} (by plan, if the number stays)"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper.

    found      what these data say, in words
    decides    what would settle it
    decisions  the numbers and rules behind the verdict; a statement without any is not tested
    points     whose masks would have to grow to decide it
    growth     by how much, where errors do not fall as masks^(-1/2); None: they do
    """

    statement: str
    found: str
    decides: str
    decisions: tuple[Decision, ...] = ()
    points: Sequence[ReducedPoint] = field(default=(), repr=False)
    growth: float | None = None

    @property
    def verdict(self) -> str:
        """The verdict on the statement, see `verdict_of`."""
        return verdict_of(self.decisions) if self.decisions else UNTESTED

    @property
    def effort(self) -> Effort:
        """Data that would decide the statement, in masks and core hours."""
        factors = [d.missing_data for d in self.decisions if d.deciding]
        factor = math.nan if not factors or any(map(math.isnan, factors)) else max(factors)
        if self.growth is not None and factor > 1:
            factor = self.growth
        if not self.points or not math.isfinite(factor):
            return Effort(factor, 0, math.nan)
        masks = 100 * math.ceil(factor * min(q.n_samples for q in self.points) / 100)
        seconds = sum(factor * q.n_samples * q.chain_seconds for q in self.points)
        return Effort(factor, masks, seconds / 3600)
