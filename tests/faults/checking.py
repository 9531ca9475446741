"""The checker: which invariants a run did not hold, and after which fault.

Each check can fail: `controls` says how it is made to, and `blind` tells which does not, nor sees what a fault may do.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from msgspec.structs import replace as changed

from deploy.story.providers.mail_sink import Mail
from services.history.tables.timeline import SHOWN_KINDS
from services.router.domain import agent as agents
from shared import aggregates, mail_reference
from shared import conversation as conversations
from shared.conversation import Conversation
from shared.events import (
    AnyEvent,
    ContextPackaged,
    MessageDelivered,
    MessageId,
    MessageRead,
    MessageRequested,
    MessageSent,
    OutcomeEvent,
)
from shared.ledger import Recorded
from tests.faults.damage import Control
from tests.faults.observed import Done, Observed, Recovery
from tests.faults.traffic import marker_in
from tests.router.invariants import check_recorded

BOUNDS_MISSED_BY = 5.0
"""A machine may be busy: a recovery fails beyond so many times its bound, and is reported always."""
SENT = MessageSent | MessageDelivered | MessageRead
FATES = ("accepted", "duplicate", "ignored", "quarantined", "parked", "skipped")

Check = Callable[[Observed], list[str]]


def violations(observed: Observed) -> list[str]:
    """Return what does not hold, each beginning with the invariant's number; [] when all of it holds."""
    return [f"{name}: {what}" for name, check in CHECKS.items() for what in check(observed)]


def _bitten(observed: Observed) -> list[str]:
    """A fault that silently does nothing proves nothing."""
    return [f"'{each.fault}': {each.shown}" for each in observed.done if not each.bitten]


def _nothing_wrong(observed: Observed) -> list[str]:
    """What a fault met is as it was promised."""
    return observed.wrong


def _acknowledged_is_readable(observed: Observed) -> list[str]:
    """I1."""
    said = {marker_in(text) for _, text in observed.words()}
    lost = [
        f"delivery {marker}, acknowledged {observed.after(moment)}, is lost"
        for marker, moment in sorted(observed.acknowledged.items())
        if marker not in said
    ]
    by_sequence = {each.sequence: each for each in observed.readable()}
    for reply in observed.replies:
        for event in reply["events"]:
            stands = by_sequence.get(event["sequence"])
            if stands is None or stands.event.id != event["id"]:
                lost.append(f"event {event['id']} of a reply does not stand at {event['sequence']}")
    return lost


def _once(observed: Observed) -> list[str]:
    """I2."""
    known: set[str] = set()
    found = []
    for each, text in observed.words():
        marker = marker_in(text)
        if marker in known:
            found.append(f"delivery {marker} stands again {observed.after(each.event.recorded)}")
        known.add(marker)
    return found


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
    found = []
    for name, sequences in observed.timelines.items():
        pairs = zip_longest([each for each in sequences if each <= end], wanted.get(name, []))
        differing = [shown or stands for shown, stands in pairs if shown != stands]
        if differing:
            moment = _recorded_at(observed, differing[0] or 0)
            found.append(f"the timeline of {name} is not the ledger's {observed.after(moment)}")
    return found


def _recorded_at(observed: Observed, sequence: int) -> datetime:
    """Return when the first readable event at or after a sequence was recorded."""
    later = (each for each in observed.readable() if each.sequence >= sequence)
    return next(later, observed.readable()[-1]).event.recorded


def _rebuilt(observed: Observed) -> list[str]:
    """I5."""
    same = observed.live_digest and observed.live_digest == observed.rebuilt_digest
    return [] if same else ["the projection is not what a rebuild gives"]


def _checkpoint(observed: Observed) -> list[str]:
    """I6."""
    end = len(observed.recorded)
    if observed.position >= end:
        return []
    since = observed.after(_recorded_at(observed, observed.position + 1))
    return [f"the projection stands at {observed.position} of {end} {since}"]


def _sent_once(observed: Observed) -> list[str]:
    """I9. What does not go by mail arrives where no mail box shows it.

    A provider's word that a message was delivered or read may be faster than ours that it was sent, which is no news
    then.
    """
    by_mail = {
        each.event.open.message_id
        for each in observed.readable()
        if isinstance(each.event, MessageRequested) and each.event.open.channel == "email"
    }
    requested = {
        each.event.open.message_id: each.event.recorded
        for each in observed.readable()
        if isinstance(each.event, MessageRequested)
    }
    outcomes = [e.event for e in observed.readable() if isinstance(e.event, OutcomeEvent)]
    ended = {each.open.message_id for each in outcomes}
    sent = {e.open.message_id for e in outcomes if isinstance(e, SENT)}
    arrived = Counter(_message(mail) for mail in observed.mails)
    found = [
        f"mail {name} arrived {n} times, asked for {observed.after(requested[name])}"
        for name, n in arrived.items()
        if n > 1 and name in requested
    ]
    found += [
        f"message {name} has no end, asked for {observed.after(moment)}"
        for name, moment in requested.items()
        if name not in ended and not observed.may_be_under_way(moment)
    ]
    found += [
        f"message {name} was sent and did not arrive"
        for name in sorted(by_mail & sent - arrived.keys())
    ]
    return found


def _message(mail: Mail) -> MessageId | None:
    reference = mail_reference.read(mail.message_id)
    return reference.message if reference else None


def _recovered(observed: Observed) -> list[str]:
    """I10."""
    return [
        f"{each.what}: {each.seconds} s, the bound is {each.bound_seconds} s"
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
    "bitten": _bitten,
    "promised": _nothing_wrong,
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


# -- controls ------------------------------------------------------------------------------------------


def controls(observed: Observed) -> dict[str, Observed]:
    """Return, by invariant, the same run with the damage that its check must find."""
    recorded = list(observed.recorded)
    first = next(name for name in observed.timelines if len(observed.timelines[name]) > 1)
    backwards = {**observed.timelines, first: observed.timelines[first][::-1]}
    late = Recovery("a fault", BOUNDS_MISSED_BY * 3.0 + 1, 3.0)
    idle = Done("a fault", datetime.now(UTC), "it is not seen", bitten=False)
    proved = {**observed.proved, "missing": observed.proved["missing"] + 1}
    said = [each for each, _ in observed.words()]
    return {
        "bitten": replace(observed, done=[*observed.done, idle]),
        "promised": replace(observed, wrong=["something"]),
        "I1": replace(observed, acknowledged={**observed.acknowledged, "m999999x": idle.began}),
        "I2": replace(observed, recorded=[*recorded, said[-1]]),
        "I3": replace(observed, recorded=recorded[:-2] + recorded[-1:]),
        "I4": replace(observed, timelines=backwards),
        "I5": replace(observed, rebuilt_digest="of other rows"),
        "I6": replace(observed, position=observed.position - 1),
        "I9": replace(observed, mails=[*observed.mails, observed.mails[-1]]),
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


def _forgetful(recorded: list[Recorded]) -> list[Recorded]:
    """Return the ledger with the last packet told otherwise than its events say."""
    at = max(n for n, each in enumerate(recorded) if isinstance(each.event, ContextPackaged))
    packaged: Any = recorded[at].event
    packet = packaged.personal.packet
    who = changed(packet.who, name="somebody else")
    personal = changed(packaged.personal, packet=changed(packet, who=who))
    told = changed(packaged, data=changed(packaged.data, personal=personal))
    return [*recorded[:at], changed(recorded[at], event=told), *recorded[at + 1 :]]


def blind(observed: Observed, faults: Mapping[str, Control]) -> list[str]:
    """Return what the checker does not see: damage to an invariant, and what a fault that was done may do."""
    found = [name for name, damaged in controls(observed).items() if not CHECKS[name](damaged)]
    for done in observed.done:
        control = faults[done.fault]
        seen = CHECKS[control.breaks](control.damage(observed, done))
        if not any(done.fault in each for each in seen):
            found.append(f"{control.breaks} {observed.after(done.began)}")
    return found
