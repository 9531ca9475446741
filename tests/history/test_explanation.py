"""Why a matter went as it did, told from the ledger: each rule in words, and each candidate who was left out."""

import msgspec
import pytest

from services.history.domain.rule_words import REASONS, RULES
from services.history.tables import explanation
from shared.errors import ConversationUnknown
from tests.architecture.tree import ROOT
from tests.history.caller import Caller
from tests.history.parcel_story import CONVERSATION

GOLDEN = ROOT / "tests" / "golden" / "events"


async def test_each_decision_names_its_rule_its_policy_and_who_decided(ask: Caller) -> None:
    """In the ledger's order, without what was only said or told; a rule that we do not know has no words."""
    answer = await ask("explain", conversation=CONVERSATION)
    assert [each["type"] for each in answer["decisions"]][:4] == [
        "conversation.opened",
        "contact.queued",
        "contact.offered",
        "contact.accepted",
    ]
    opened, queued, *_ = answer["decisions"]
    assert (opened["rule"], opened["why"]) == ("join.none_open", RULES["join.none_open"])
    assert (opened["policy_version"], opened["what"]) == ("policy-1", "A customer's matter begins.")
    assert (queued["rule"], queued["why"], queued["open"]["queue"]) == ("entry", None, "hotline")
    assert answer["next"] is None


async def test_it_is_read_page_by_page(ask: Caller) -> None:
    """Each page goes on behind the last, and together they are the whole."""
    whole = (await ask("explain", conversation=CONVERSATION))["decisions"]
    pages: list[object] = []
    after: int | None = 0
    while after is not None:
        page = await ask("explain", conversation=CONVERSATION, after=after, limit=2)
        assert len(page["decisions"]) <= 2
        pages += page["decisions"]
        after = page["next"]
    assert pages == whole


async def test_a_matter_that_is_not_there_is_refused(ask: Caller) -> None:
    """As every question about it."""
    with pytest.raises(ConversationUnknown):
        await ask("explain", conversation="nobody")


def golden(tag: str) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode((GOLDEN / f"{tag}.json").read_bytes())
    return found


def row(tag: str) -> dict[str, object]:
    event = golden(tag)
    data = event["data"]
    assert isinstance(data, dict)
    return {
        "sequence": 1,
        "recorded": event["recordedtime"],
        "type": tag,
        "actor": event["actor"],
        "open": msgspec.json.encode(data["open"]).decode(),
    }


@pytest.mark.parametrize("tag", sorted(explanation.DECISIONS))
def test_every_type_of_decision_can_be_told(tag: str) -> None:
    """Its golden sample is read, and says in a line what it is."""
    line = explanation.as_line(row(tag))
    assert line.what not in ("", tag)


def test_a_candidate_who_was_left_out_is_named_with_the_reason() -> None:
    """Each of them; and the rule of an actor is told where the event itself names none."""
    offered = row("contact.offered") | {
        "actor": "rule:dispatch@v1",
        "open": '{"passed_over": {"ewa": "busy", "jan": "of_a_newer_version"}, "reason": null}',
    }
    line = explanation.as_line(offered)
    assert (line.rule, line.policy_version) == ("dispatch", "v1")
    assert [(each.agent, each.reason, each.words) for each in line.rejected] == [
        ("ewa", "busy", REASONS["busy"]),
        ("jan", "of_a_newer_version", None),
    ]
