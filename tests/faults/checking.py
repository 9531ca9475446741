"""The checker: which invariants a run did not hold. Each check can fail: `controls` says how it is made to."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as changed

from deploy.story.providers.mail_sink import Mail
from services.history.tables.timeline import SHOWN_KINDS
from services.router.domain import agent as agents
from shared import aggregates
from shared import conversation as conversations
from shared.conversation import Conversation
from shared.events import AnyEvent, ContextPackaged
from shared.ledger import Recorded
from tests.faults.observed import Observed, Recovery
from tests.faults.traffic import marker_in
from tests.router.invariants import check_recorded

BOUNDS_MISSED_BY = 5.0
"""A machine may be busy: a recovery fails beyond so many times its bound, and is reported always."""
FATES = ("accepted", "duplicate", "ignored", "quarantined", "parked", "skipped")

Check = Callable[[Observed], list[str]]


def violations(observed: Observed) -> list[str]:
    """Return what does not hold, each beginning with the invariant's number; [] when all of it holds."""
    return [f"{name}: {what}" for name, check in CHECKS.items() for what in check(observed)]


def _acknowledged_is_readable(observed: Observed) -> list[str]:
    """I1."""
    said = {marker_in(text) for text in observed.said()}
    lost = [f"delivery {marker} is lost" for marker in sorted(observed.acknowledged - said)]
    by_sequence = {each.sequence: each for each in observed.readable()}
    for reply in observed.replies:
        for event in reply["events"]:
            stands = by_sequence.get(event["sequence"])
            if stands is None or stands.event.id != event["id"]:
                lost.append(f"event {event['id']} of a reply does not stand at {event['sequence']}")
    return lost


def _once(observed: Observed) -> list[str]:
    """I2."""
    counted = Counter(marker_in(text) for text in observed.said())
    return [f"delivery {name} stands {n} times" for name, n in counted.items() if n > 1]


def _contiguous(observed: Observed) -> list[str]:
    """I3."""
    found = []
    sequences = [each.sequence for each in observed.recorded]
    if sequences != list(range(1, len(sequences) + 1)):
        found.append("a sequence is missing or stands twice")
    if observed.ends != sorted(observed.ends):
        found.append("the last sequence went back")
    stands = {each.sequence: each.event.id for each in observed.readable()}
    other = [s for s, event_id in observed.followed.items() if stands.get(s) != event_id]
    return [*found, *(f"another event stands at {sequence}" for sequence in other)]


def _in_order(observed: Observed) -> list[str]:
    """I4. What came after the ledger was read is left out."""
    end = len(observed.recorded)
    wanted: dict[str, list[int]] = {}
    for each in observed.readable():
        shown = aggregates.split(each.aggregate)[0] in SHOWN_KINDS
        if shown and each.event.conversation is not None:
            wanted.setdefault(each.event.conversation, []).append(each.sequence)
    return [
        f"the timeline of {name} is not the ledger's"
        for name, sequences in observed.timelines.items()
        if [each for each in sequences if each <= end] != wanted.get(name, [])
    ]


def _rebuilt(observed: Observed) -> list[str]:
    """I5."""
    same = observed.live_digest and observed.live_digest == observed.rebuilt_digest
    return [] if same else ["the projection is not what a rebuild gives"]


def _checkpoint(observed: Observed) -> list[str]:
    """I6."""
    end = len(observed.recorded)
    return [] if observed.position >= end else [f"at {observed.position} of {end} after rest"]


def _sent_once(observed: Observed) -> list[str]:
    """I9."""
    arrived = Counter(mail.message_id for mail in observed.mails)
    found = [f"mail {name} arrived {n} times" for name, n in arrived.items() if n > 1]
    types = Counter(each.event.type for each in observed.readable())
    ended = types["message.sent"] + types["message.failed"] + types["message.uncertain"]
    if types["message.requested"] != ended:
        found.append(f"{types['message.requested']} messages were asked for, {ended} have an end")
    if types["message.sent"] > len(arrived):
        found.append(f"{types['message.sent']} messages were sent, {len(arrived)} arrived")
    return found


def _recovered(observed: Observed) -> list[str]:
    """I10."""
    return [
        f"{each.fault}: {each.seconds} s, the bound is {each.bound_seconds} s"
        for each in observed.recoveries
        if each.seconds is None or each.seconds > BOUNDS_MISSED_BY * each.bound_seconds
    ]


def _handed_over_whole(observed: Observed) -> list[str]:
    """I11, and what else holds of every ledger: slots, callbacks, holders."""
    try:
        check_recorded(observed.readable())
    except AssertionError as error:
        return [f"{str(error).splitlines()[0] if str(error) else 'a packet is not true'}"]
    return []


def _accounted_for(observed: Observed) -> list[str]:
    """I12."""
    kept, proved = observed.balance, observed.proved
    found = [] if kept == proved else [f"counted {kept}, proved {proved}"]
    if proved["received"] != sum(proved[fate] for fate in FATES) or proved["missing"]:
        found.append(f"not accounted for: {proved}")
    return found


def _somebody_told(observed: Observed) -> list[str]:
    """I13."""
    return [f"nobody was told of {request}" for request in observed.overlooked]


def _somebody_there(observed: Observed) -> list[str]:
    """I14."""
    there = _on_duty(observed)
    found = []
    for it in _folded(observed).values():
        queue, owner = it.ownership.queue, it.ownership.owner
        visible = set(observed.policy.agents_of_queue(queue)) if queue else set()
        if not it.resolved and owner not in there and not visible & there:
            found.append(f"conversation {it.id} is with nobody who is there")
    return found


def _on_duty(observed: Observed) -> set[str]:
    by_agent: dict[str, list[tuple[int, AnyEvent]]] = {}
    for each in observed.readable():
        prefix, name = aggregates.split(each.aggregate)
        if prefix == aggregates.AGENT.prefix:
            by_agent.setdefault(name, []).append((each.sequence, each.event))
    return {name for name, events in by_agent.items() if agents.fold(events).on_duty}


def _folded(observed: Observed) -> Mapping[str, Conversation]:
    found: dict[str, list[tuple[int, AnyEvent]]] = {}
    for each in observed.readable():
        if aggregates.split(each.aggregate)[0] == aggregates.CONVERSATION.prefix:
            found.setdefault(each.aggregate, []).append((each.sequence, each.event))
    return {name: conversations.fold(events) for name, events in found.items()}


CHECKS: Mapping[str, Check] = {
    "I1": _acknowledged_is_readable,
    "I2": _once,
    "I3": _contiguous,
    "I4": _in_order,
    "I5": _rebuilt,
    "I6": _checkpoint,
    "I9": _sent_once,
    "I10": _recovered,
    "I11": _handed_over_whole,
    "I12": _accounted_for,
    "I13": _somebody_told,
    "I14": _somebody_there,
}


TWICE = Mail(to=("a@customer.example",), title="", text="", message_id="<twice@shop.example>")


# -- controls ------------------------------------------------------------------------------------------


def controls(observed: Observed) -> dict[str, Observed]:
    """Return, by invariant, the same run with the damage that its check must find."""
    recorded = list(observed.recorded)
    first = next(name for name in observed.timelines if len(observed.timelines[name]) > 1)
    backwards = {**observed.timelines, first: observed.timelines[first][::-1]}
    late = Recovery("a recovery", BOUNDS_MISSED_BY * 3.0 + 1, 3.0)
    proved = {**observed.proved, "missing": observed.proved["missing"] + 1}
    return {
        "I1": replace(observed, acknowledged={*observed.acknowledged, "m999999x"}),
        "I2": replace(observed, recorded=[*recorded, _words(observed)]),
        "I3": replace(observed, recorded=recorded[:-2] + recorded[-1:]),
        "I4": replace(observed, timelines=backwards),
        "I5": replace(observed, rebuilt_digest="of other rows"),
        "I6": replace(observed, position=observed.position - 1),
        "I9": replace(observed, mails=[*observed.mails, TWICE, TWICE]),
        "I10": replace(observed, recoveries=[late]),
        "I11": replace(observed, recorded=_forgetful(recorded)),
        "I12": replace(observed, proved=proved),
        "I13": replace(observed, overlooked=["a request"]),
        "I14": replace(observed, recorded=_left_alone(recorded)),
    }


def _left_alone(recorded: list[Recorded]) -> list[Recorded]:
    """Return the ledger as if nobody had ever come to work, nor ended a matter."""
    gone = {"agent.signed_in", "conversation.resolved"}
    return [each for each in recorded if getattr(each.event, "type", "") not in gone]


def _words(observed: Observed) -> Recorded:
    """Return an event that holds a customer's words."""
    return next(
        each
        for each in reversed(observed.readable())
        if each.event.type in {"form.submitted", "message.received"}
    )


def _forgetful(recorded: list[Recorded]) -> list[Recorded]:
    """Return the ledger with the last packet told otherwise than its events say."""
    at = max(n for n, each in enumerate(recorded) if isinstance(each.event, ContextPackaged))
    packaged: Any = recorded[at].event
    packet = packaged.personal.packet
    who = changed(packet.who, name="somebody else")
    personal = changed(packaged.personal, packet=changed(packet, who=who))
    told = changed(packaged, data=changed(packaged.data, personal=personal))
    return [*recorded[:at], replace(recorded[at], event=told), *recorded[at + 1 :]]


def unfound(observed: Observed) -> list[str]:
    """Return the invariants whose damage the checker does not find: a check that cannot fail."""
    return [name for name, damaged in controls(observed).items() if not CHECKS[name](damaged)]
