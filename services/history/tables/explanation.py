"""Why a matter went as it did: its decisions on the table `timeline`, each with its rule and whom it left out."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from services.history.domain.rule_words import REASONS, RULES, in_words
from services.history.tables.conversation import known_conversation
from services.history.tables.table import Reading
from services.history.tables.timeline import ANSWER_MAX_BYTES
from shared import events, queries

TOLD_OR_NOTED = frozenset(
    {
        events.ContextPackaged,
        events.ContextAnnounced,
        events.VisitNoted,
        events.FactStated,
        events.FactRepeated,
        events.FactCorrected,
        events.CommandNoted,
    }
)
"""What is written beside decisions: what was known, and what somebody said."""
OTHERS = (
    events.ContactEvent
    | events.PeopleEvent
    | events.NotificationEvent
    | events.SetAsideEvent
    | events.AnnouncementEvent
    | events.LaneEvent
    | events.LedgerEvent
)
"""What channels report, and what is about something else than a matter."""
DECISIONS: Mapping[str, str] = {
    tag: inspect.getdoc(kind) or tag
    for tag, kind in events.event_types().items()
    if kind not in TOLD_OR_NOTED and kind not in get_args(OTHERS)
}
"""What each type of decision says, in the words that define it."""


class _Open(msgspec.Struct, frozen=True):
    """What of an open part tells why."""

    rule: str | None = None
    policy_version: str | None = None
    reason: str | None = None
    passed_over: dict[str, str] = {}


_open = msgspec.json.Decoder(_Open)


async def explain(reading: Reading, asked: queries.AskExplain) -> queries.Explanation:
    """Answer what was decided about a matter and why, a page at a time. Raises: ConversationUnknown."""
    limit = min(asked.limit or reading.rows_max, reading.rows_max)
    found = await reading.rows(
        "decisions_of_conversation", asked.conversation, list(DECISIONS), asked.after, limit + 1
    )
    if not found and not asked.after:
        await known_conversation(reading, asked.conversation)
    lines = _page(found[:limit])
    more = len(lines) < len(found)
    return queries.Explanation(
        position=await reading.position(),
        decisions=lines,
        next=lines[-1].sequence if more else None,
    )


def _page(found: Sequence[Mapping[str, Any]]) -> list[queries.DecisionLine]:
    """Return the first rows that fit into an answer; at least one."""
    page: list[queries.DecisionLine] = []
    room = ANSWER_MAX_BYTES
    for row in found:
        line = as_line(row)
        room -= len(msgspec.json.encode(line))
        if page and room < 0:
            break
        page.append(line)
    return page


def as_line(row: Mapping[str, Any]) -> queries.DecisionLine:
    opened = str(row["open"]).encode()
    told, (rule, version) = _open.decode(opened), _acting_rule(row["actor"])
    rule = told.rule or rule
    return queries.DecisionLine(
        sequence=row["sequence"],
        recorded=row["recorded"],
        type=row["type"],
        what=DECISIONS[row["type"]].partition("\n")[0],
        actor=row["actor"],
        rule=rule,
        why=in_words(RULES, rule),
        policy_version=told.policy_version or version,
        reason=told.reason,
        because=in_words(REASONS, told.reason),
        rejected=[
            queries.CandidateLine(agent=agent, reason=reason, words=in_words(REASONS, reason))
            for agent, reason in told.passed_over.items()
        ],
        open=msgspec.Raw(opened),
    )


def _acting_rule(actor: str) -> tuple[str | None, str | None]:
    """Return the rule and the policy version that an actor names; none of a person or a channel."""
    kind, _, name = actor.partition(":")
    rule, _, version = name.partition("@")
    return (rule, version or None) if kind == "rule" else (None, None)
