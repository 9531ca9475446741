"""Events of a conversation as the router writes them, for notify to read."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from shared import aggregates
from shared.events import (
    DATA_SCHEMA,
    AgentId,
    AgentSignedIn,
    AgentSignedInOpen,
    AnyEvent,
    AssignmentId,
    CallbackAttempted,
    CallbackAttemptedOpen,
    CallbackEscalated,
    CallbackEscalatedOpen,
    CallbackId,
    CallbackOverdue,
    CallbackOverdueOpen,
    CallbackReached,
    CallbackReachedOpen,
    CallbackRequested,
    CallbackRequestedOpen,
    CallHeld,
    CallResumed,
    ContactAccepted,
    ContactAcceptedOpen,
    ContactId,
    ContactOpen,
    ContactPersonal,
    ContactQueued,
    ContactQueuedOpen,
    ContactWaitExceeded,
    ContactWaitExceededOpen,
    ContactWrappedUp,
    ContactWrappedUpOpen,
    ContactWrappedUpPersonal,
    ConversationAbsorbed,
    ConversationAbsorbedOpen,
    ConversationAssigned,
    ConversationAssignedOpen,
    ConversationAssignedPersonal,
    ConversationId,
    ConversationJoined,
    ConversationJoinedOpen,
    ConversationMerged,
    ConversationMergedOpen,
    ConversationResolved,
    ConversationResolvedOpen,
    ConversationReturned,
    ConversationReturnedOpen,
    CustomerId,
    Data,
    EscalationId,
    EscalationOverdue,
    EscalationOverdueOpen,
    EventId,
    MessageFailed,
    MessageId,
    MessageOutcomeOpen,
    MessageReceived,
    MessageReceivedOpen,
    MessageReceivedPersonal,
    MessageRequested,
    MessageRequestedOpen,
    MessageRequestedPersonal,
    MessageSent,
    MessageTemplate,
    MessageUnattended,
    MessageUnattendedOpen,
    MessageUncertain,
    Nothing,
    OfferId,
    PacketId,
    PromiseId,
    PromiseKept,
    PromiseKeptOpen,
    PromiseOverdue,
    PromiseOverdueOpen,
    SlaBreached,
    SlaBreachedOpen,
    SlaMet,
    SlaMetOpen,
    SlaWarned,
    SlaWarnedOpen,
    TransferAccepted,
    TransferAcceptedOpen,
    TransferClosedOpen,
    TransferExpired,
    TransferId,
    TransferRejected,
    TransferRejectedOpen,
    TransferRejectedPersonal,
    event_types,
)
from shared.ids import scoped_id

TENANT = "demo"
CONVERSATION = ConversationId("c1")
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
PACKET = PacketId("packet-1")


def envelope(event_id: str, conversation: ConversationId = CONVERSATION) -> dict[str, Any]:
    """All of a router's event but its data."""
    return {
        "specversion": "1.0",
        "id": EventId(scoped_id("test", event_id)),
        "source": "tellonce/router",
        "occurred": NOW,
        "aggregate": aggregates.CONVERSATION.of(conversation),
        "dataschema": DATA_SCHEMA,
        "datacontenttype": "application/json",
        "tenant": TENANT,
        "recorded": NOW,
        "actor": "service:router",
        "conversation": conversation,
        "customer": CustomerId("anna"),
        "correlation": "affair-1",
    }


def queued(event_id: str, contact: str = "call-1", queue: str = "hotline") -> ContactQueued:
    told = ContactQueuedOpen(
        contact_id=ContactId(contact), queue=queue, rule="entry", policy_version="v1"
    )
    return ContactQueued(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def accepted(event_id: str, agent: str = "piotr", contact: str = "call-1") -> ContactAccepted:
    told = ContactAcceptedOpen(
        offer_id=OfferId("offer-1"),
        contact_id=ContactId(contact),
        agent=AgentId(agent),
        packet_id=PACKET,
    )
    return ContactAccepted(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def transferred(event_id: str, sender: str = "piotr", agent: str = "ewa") -> TransferAccepted:
    told = TransferAcceptedOpen(
        transfer_id=TransferId("transfer-1"),
        kind="warm",
        sender=AgentId(sender),
        agent=AgentId(agent),
        packet_id=PACKET,
    )
    return TransferAccepted(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def assigned(event_id: str, agent: str, by: str, owner: str | None = None) -> ConversationAssigned:
    told = ConversationAssignedOpen(
        assignment_id=AssignmentId("assignment-1"),
        agent=AgentId(agent),
        by=AgentId(by),
        supervises="hotline",
        packet_id=PACKET,
        rule="supervisor.assign",
        policy_version="v1",
        owner=None if owner is None else AgentId(owner),
    )
    why = ConversationAssignedPersonal(reason="she knows it")
    return ConversationAssigned(**envelope(event_id), data=Data(open=told, personal=why))


def reached(event_id: str, agent: str = "piotr") -> CallbackReached:
    told = CallbackReachedOpen(
        callback_id=CallbackId("callback-1"), agent=AgentId(agent), packet_id=PACKET
    )
    return CallbackReached(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def joined(event_id: str, contact: str = "mail-1", owner: str | None = "piotr") -> AnyEvent:
    told = ConversationJoinedOpen(
        contact_id=ContactId(contact),
        channel="email",
        account="shop",
        rule="join.only_active",
        policy_version="v1",
        to_owner=None if owner is None else AgentId(owner),
    )
    return ConversationJoined(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def returned(event_id: str, owner: str = "piotr", queue: str = "hotline") -> ConversationReturned:
    told = ConversationReturnedOpen(
        owner=AgentId(owner),
        queue=queue,
        reason="signed_out",
        packet_id=PACKET,
        rule="return.owner_gone",
        policy_version="v1",
    )
    return ConversationReturned(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def expired(event_id: str, returned_to: str = "queue-warehouse") -> TransferExpired:
    told = TransferClosedOpen(transfer_id=TransferId("transfer-1"), returned_to=returned_to)
    return TransferExpired(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def refused(event_id: str, returned_to: str | None = "queue-warehouse") -> TransferRejected:
    told = TransferRejectedOpen(
        transfer_id=TransferId("transfer-1"),
        agent=AgentId("ewa"),
        final=returned_to is not None,
        returned_to=returned_to,
    )
    why = TransferRejectedPersonal(reason="not ours")
    return TransferRejected(**envelope(event_id), data=Data(open=told, personal=why))


def owed(event_id: str, callback: str = "callback-1", queue: str = "hotline") -> CallbackRequested:
    told = CallbackRequestedOpen(
        callback_id=CallbackId(callback),
        contact_id=ContactId("call-9"),
        queue=queue,
        due=NOW,
        reason="missed",
    )
    return CallbackRequested(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def tried(
    event_id: str, callback: str = "callback-1", agent: str = "piotr", attempt: int = 1
) -> CallbackAttempted:
    told = CallbackAttemptedOpen(
        callback_id=CallbackId(callback), agent=AgentId(agent), attempt=attempt
    )
    return CallbackAttempted(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def promise_overdue(event_id: str, to: str = "agent-piotr", moved: int = 0) -> PromiseOverdue:
    told = PromiseOverdueOpen(
        promise_id=PromiseId("promise-1"), agent=AgentId("piotr"), due=NOW, to=to, moved=moved
    )
    return PromiseOverdue(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def of_promise(event_id: str, name: str, **said: Any) -> AnyEvent:
    """Return another event of the same promise, `promise.<name>`, as the ledger holds it."""
    named = {"promise_id": "promise-1", "agent": "piotr", "due": NOW, **said}
    sealed = {"open": named, "personal": {} if name == "due_soon" else {"reason": "a delay"}}
    shell = msgspec.to_builtins(promise_overdue(event_id))
    of_type: Any = event_types()[f"promise.{name}"]
    event: AnyEvent = msgspec.convert({**shell, "type": f"promise.{name}", "data": sealed}, of_type)
    return event


def promise_kept(event_id: str, agent: str = "piotr") -> PromiseKept:
    told = PromiseKeptOpen(promise_id=PromiseId("promise-1"), agent=AgentId(agent), late=True)
    return PromiseKept(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def escalation_overdue(event_id: str, to: str) -> EscalationOverdue:
    told = EscalationOverdueOpen(
        escalation_id=EscalationId("escalation-1"), line="warehouse", due=NOW, to=to
    )
    return EscalationOverdue(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def callback_overdue(
    event_id: str, to: str = "queue-hotline", attempts: int = 0
) -> CallbackOverdue:
    told = CallbackOverdueOpen(
        attempts=attempts, callback_id=CallbackId("callback-1"), queue="hotline", due=NOW, to=to
    )
    return CallbackOverdue(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def callback_escalated(event_id: str, attempts: int = 3) -> CallbackEscalated:
    told = CallbackEscalatedOpen(
        callback_id=CallbackId("callback-1"),
        queue="hotline",
        attempts=attempts,
        due=NOW,
        to="queue-hotline",
        policy_version="v",
    )
    return CallbackEscalated(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def wait_exceeded(event_id: str, *, last: bool, queue: str = "hotline") -> ContactWaitExceeded:
    told = ContactWaitExceededOpen(
        contact_id=ContactId("call-1"),
        queue=queue,
        since=NOW,
        limit_seconds=120,
        rule="wait.limit",
        policy_version="v",
        exceeds=None if last else NOW,
    )
    return ContactWaitExceeded(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def of_clock(event_id: str, kind: str, actor: str = "rule:sla_due@v", **said: Any) -> AnyEvent:
    """Return what becomes of a customer's wait for an answer: `warned`, `breached` or `met`."""
    told = {"clock_id": "clock-1", "target": "first_response", "due": NOW, **said}
    body = {**envelope(event_id), "actor": actor}
    made: AnyEvent
    match kind:
        case "warned":
            made = SlaWarned(**body, data=Data(open=SlaWarnedOpen(**told), personal=Nothing()))
        case "breached":
            breached = SlaBreachedOpen(**{"queue": "hotline", **told})
            made = SlaBreached(**body, data=Data(open=breached, personal=Nothing()))
        case _:
            made = SlaMet(**body, data=Data(open=SlaMetOpen(**told), personal=Nothing()))
    return made


def wrapped_up(event_id: str, contact: str = "mail-1", agent: str = "piotr") -> ContactWrappedUp:
    told = ContactWrappedUpOpen(
        contact_id=ContactId(contact), agent=AgentId(agent), disposition="solved"
    )
    how = ContactWrappedUpPersonal(summary="It is solved.")
    return ContactWrappedUp(**envelope(event_id), data=Data(open=told, personal=how))


def hold(event_id: str, *, ends: bool = False) -> CallHeld | CallResumed:
    """The caller holds the line, or does so no longer."""
    told = ContactOpen(
        contact_id=ContactId("call-1"),
        medium="call",
        channel="twilio_voice",
        account="hotline",
        provider_id="CA1",
    )
    kind = CallResumed if ends else CallHeld
    return kind(**envelope(event_id), data=Data(open=told, personal=ContactPersonal()))


def received(event_id: str, contact: str = "mail-1") -> MessageReceived:
    told = MessageReceivedOpen(
        contact_id=ContactId(contact),
        medium="mail",
        channel="email",
        account="shop",
        provider_id=contact,
    )
    said = MessageReceivedPersonal(text="Where is it?")
    return MessageReceived(**envelope(event_id), data=Data(open=told, personal=said))


def message(
    event_id: str,
    *,
    message_id: str = "m1",
    to: str = "anna@customer.example",
    title: str | None = "Your parcel",
    text: str = "Paczka czeka w magazynie. Zażółć gęślą jaźń.\n.\nMarek\n",
    in_reply_to: str | None = None,
    references: list[str] | None = None,
    account: str = "shop",
    channel: str = "email",
    agent: str | None = "marek",
    heard: datetime | None = None,
    template: MessageTemplate | None = None,
    conversation: str = CONVERSATION,
) -> MessageRequested:
    told = MessageRequestedOpen(
        message_id=MessageId(message_id),
        channel=channel,
        account=account,
        agent=None if agent is None else AgentId(agent),
        heard=heard,
    )
    written = MessageRequestedPersonal(
        to=to,
        title=title,
        text=text,
        in_reply_to=in_reply_to,
        references=references or [],
        template=template,
    )
    about = envelope(event_id, ConversationId(conversation))
    return MessageRequested(**about, data=Data(open=told, personal=written))


def sent(event_id: str, message_id: str = "m1") -> MessageSent:
    return MessageSent(
        **envelope(event_id), data=Data(open=_outcome(message_id), personal=ContactPersonal())
    )


def failed(event_id: str, message_id: str = "m1") -> MessageFailed:
    return MessageFailed(
        **envelope(event_id), data=Data(open=_outcome(message_id), personal=ContactPersonal())
    )


def uncertain(event_id: str, message_id: str = "m1") -> MessageUncertain:
    return MessageUncertain(
        **envelope(event_id), data=Data(open=_outcome(message_id), personal=ContactPersonal())
    )


def _outcome(message_id: str) -> MessageOutcomeOpen:
    return MessageOutcomeOpen(
        contact_id=ContactId(f"out-{message_id}"),
        medium="mail",
        channel="email",
        account="shop",
        provider_id=message_id,
        message_id=MessageId(message_id),
    )


def resolved(event_id: str, agent: str = "piotr") -> ConversationResolved:
    told = ConversationResolvedOpen(agent=AgentId(agent))
    return ConversationResolved(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def absorbed(event_id: str, into: str = "c2") -> ConversationAbsorbed:
    told = ConversationAbsorbedOpen(into=ConversationId(into), agent=None)
    return ConversationAbsorbed(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def merged_into(event_id: str, owner: str | None) -> ConversationMerged:
    """Another conversation goes on in this one; its owner has both."""
    told = ConversationMergedOpen(
        merged=ConversationId("c0"),
        contacts=[],
        owner=None if owner is None else AgentId(owner),
        to_owner=None,
        packet_id=PACKET,
    )
    return ConversationMerged(**envelope(event_id), data=Data(open=told, personal=None))


def unattended(event_id: str, owner: str = "piotr") -> MessageUnattended:
    told = MessageUnattendedOpen(contact_id=ContactId("chat-1"), owner=AgentId(owner))
    return MessageUnattended(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def signed_in(event_id: str, agent: str) -> AgentSignedIn:
    about = {**envelope(event_id), "aggregate": aggregates.AGENT.of(agent), "conversation": None}
    told = AgentSignedInOpen(agent=AgentId(agent))
    return AgentSignedIn(**about, data=Data(open=told, personal=Nothing()))


def types(events: list[AnyEvent]) -> list[str]:
    return [event.type for event in events]
