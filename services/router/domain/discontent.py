"""Who leaves without a word is noticed: a matter that came to its end after too much is looked at by a person."""

from services.router.domain.decision import Decision
from services.router.domain.presence import home_queue
from shared import events
from shared.conversation import Conversation
from shared.policy.quality import Discontent

RULE = "discontent"


def signs(rule: Discontent, conversation: Conversation) -> dict[str, int]:
    """Return what the customer met with in a matter, by kind, and how often; a kind that she was spared is left out."""
    matter, hops = conversation.matter, conversation.ownership.hops
    handed_on = sum(each.accepted is not None for each in hops)
    met_with = {
        "promises": sum(each.missed or each.end == "broken" for each in matter.promises.values()),
        "waits": conversation.satisfaction.waits,
        "repeats": matter.repeats,
        "hand_overs": handed_on if handed_on > rule.hand_overs else 0,
    }
    return {kind: times for kind, times in met_with.items() if times}


def note_discontent(decision: Decision) -> None:
    """The matter has come to its end: was it too much for her? Said once, however often it goes on."""
    rule, conversation = decision.policy.discontent, decision.conversation
    if rule is None or conversation.satisfaction.noticed:
        return
    found = signs(rule, conversation)
    if len(found) >= rule.signs:
        decision.on_conversation(
            events.DiscontentNoticed,
            events.DiscontentNoticedOpen(
                signs=found,
                queue=home_queue(decision),
                rule=RULE,
                policy_version=decision.origin.policy_version,
            ),
        )
