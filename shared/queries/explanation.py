"""Why a matter went as it did: each decision, what it was made by, and whom it left out."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.queries.base import Answer, Id, Position, Question


class CandidateLine(msgspec.Struct, frozen=True, kw_only=True):
    """Who was not chosen. `reason`: as the event has it; `words`: what it means, `None` of a reason we do not know."""

    agent: str
    reason: str
    words: str | None


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. `what`: what its type of event says; `open`: the event's open part as it is stored.

    `actor`: whoever decided; `rule`, `policy_version`: by which rule, and of which policy, `None` where a person
    decided; `why`: the rule in words; `reason`: as the event has it; `because`: what it means. Words are `None` where
    there is none, and for a rule or reason that a newer version wrote.
    """

    sequence: int
    recorded: datetime
    type: str
    what: str
    actor: str
    rule: str | None
    why: str | None
    policy_version: str | None
    reason: str | None
    because: str | None
    rejected: list[CandidateLine]
    open: msgspec.Raw


class Explanation(Answer, frozen=True, kw_only=True):
    """In the ledger's order. `next`: `after` of the next page; `None` when this is the last."""

    decisions: list[DecisionLine]
    next: int | None


class AskExplain(Question[Explanation], frozen=True, kw_only=True):
    """What was decided about a matter and why, from the ledger alone: the policy in force now is not asked.

    `after`: the `next` of the page before; `limit`: decisions at most.
    """

    name = "explain"
    conversation: Id
    after: Position = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None


EXPLANATION_QUERIES = (AskExplain,)
