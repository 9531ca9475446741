"""What notify decides: given what happened, when asked, then these events, and nothing when asked again."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.notify.domain.commands import (
    Acknowledge,
    Answer,
    AnyCommand,
    Attend,
    Escalate,
    IntendMessage,
    RecordSent,
    TellOwner,
    TellRequest,
)
from services.notify.domain.decisions import decide, notification_id
from services.notify.domain.state import Notifications, evolve
from shared import policy
from shared.errors import CommandForbidden, CommandIdReused, NotificationUnknown
from shared.events import (
    AgentId,
    MessageId,
    NotificationAcknowledged,
    NotificationEscalated,
    NotificationId,
    NotificationRequested,
    NotificationSent,
)
from shared.settings import Settings
from tests.notify.samples import CONVERSATION, NOW, TENANT

POLICY = policy.load(Settings().policy)
SUPERVISED = replace(
    POLICY, queues={**POLICY.queues, "hotline": policy.Queue(title="Hotline", supervisor="ewa")}
)
"""The hotline's calls escalate to Ewa, who is offered none of them."""
BOTH = replace(POLICY, transports=("screen", "push"))
ESCALATES = NOW + timedelta(seconds=120)


def base(cause: str, **more: Any) -> dict[str, Any]:
    return {"tenant": TENANT, "conversation": CONVERSATION, "cause": cause, "now": NOW, **more}


def tell_queue(
    cause: str, request: str = "call-1", recipient: str = "queue-hotline"
) -> TellRequest:
    return TellRequest(**base(cause), request=request, recipient=recipient, policy=POLICY)


def tell_owner(cause: str, agent: str = "piotr", before: str | None = None) -> TellOwner:
    owned_before = None if before is None else AgentId(before)
    return TellOwner(
        **base(cause),
        agent=AgentId(agent),
        owned_before=owned_before,
        earlier=earlier(cause),
        policy=POLICY,
    )


def earlier(cause: str) -> frozenset[str]:
    """The events before `e<n>`."""
    return frozenset(f"e{n}" for n in range(int(cause.removeprefix("e"))))


def attend(cause: str, *requests: str) -> Attend:
    return Attend(**base(cause), agent=AgentId("piotr"), requests=requests)


def answer(cause: str) -> Answer:
    return Answer(**base(cause), agent=AgentId("piotr"), earlier=earlier(cause))


def intend(cause: str) -> IntendMessage:
    return IntendMessage(
        **base(cause), message_id=MessageId("m1"), channel="email", attempt="try-1"
    )


def sent(known_as: NotificationId, cause: str = "e1", transport: str = "screen") -> RecordSent:
    return RecordSent(**base(cause), notification_id=known_as, transport=transport)


def acknowledge(
    known_as: NotificationId, cause: str = "cmd-1", sha: str = "a", agent: str = "piotr"
) -> Acknowledge:
    return Acknowledge(
        **base(cause, cause_sha256=sha, actor="agent:piotr"),
        issued=NOW,
        notification_id=known_as,
        agent=AgentId(agent),
        policy=POLICY,
    )


def escalate(known_as: NotificationId) -> Escalate:
    return Escalate(**base(known_as), notification_id=known_as, policy=SUPERVISED)


REQUEST = notification_id(tell_queue("e1"))


def given(*commands: AnyCommand) -> Notifications:
    """The state after these commands were carried out."""
    state = Notifications()
    for command in commands:
        state = after(state, decide(state, command))
    return state


def after(state: Notifications, events: list[Any]) -> Notifications:
    for sequence, event in enumerate(events, state.sequence + 1):
        state = evolve(state, sequence, event)
    return state


def then(state: Notifications, command: AnyCommand, *expected: type[Any]) -> list[Any]:
    """The command writes these types of events, and nothing when it comes again."""
    events = decide(state, command)
    assert [type(event) for event in events] == list(expected)
    assert decide(after(state, events), command) == []
    return events


def test_a_new_request_is_told_to_its_queue() -> None:
    """A queued contact asks for one notification of its queue, with the time of its escalation."""
    (requested,) = then(given(), tell_queue("e1"), NotificationRequested)
    assert requested.open.recipient == "queue-hotline"
    assert requested.open.reason == "new_request"
    assert requested.open.about == "e1"
    assert requested.open.escalates == ESCALATES
    assert requested.open.transports == ["screen"]
    assert requested.aggregate == "notif-c1"


def test_a_contact_queued_again_is_not_a_new_request() -> None:
    """After a refused offer the same contact is queued again: the queue is not told a second time."""
    then(given(tell_queue("e1")), tell_queue("e2"))


def test_a_second_contact_of_the_conversation_is_a_new_request() -> None:
    """Another contact that waits is told on its own."""
    then(given(tell_queue("e1")), tell_queue("e2", "chat-1"), NotificationRequested)


def test_a_new_owner_is_told_and_acknowledges_the_request() -> None:
    """Who accepts has seen the request; that she owns the conversation now is told once more."""
    state = given(tell_queue("e1"))
    acknowledged, requested = then(
        state, tell_owner("e2"), NotificationAcknowledged, NotificationRequested
    )
    assert acknowledged.open.notification_id == REQUEST
    assert (acknowledged.open.by, acknowledged.open.through) == ("piotr", "acceptance")
    assert requested.open.recipient == "agent-piotr"
    assert requested.open.reason == "owner_changed"


def test_a_new_owner_acknowledges_every_open_request_once() -> None:
    """Two contacts waited; both are acknowledged; one that was acknowledged before is not again."""
    state = given(
        tell_queue("e1"),
        tell_queue("e2", "chat-1"),
        tell_queue("e3", "form-1"),
        acknowledge(REQUEST),
    )
    events = then(
        state,
        tell_owner("e4"),
        NotificationAcknowledged,
        NotificationAcknowledged,
        NotificationRequested,
    )
    assert REQUEST not in {each.open.notification_id for each in events}
    assert len({each.id for each in events}) == len(events)


def test_each_change_of_owner_is_told() -> None:
    """The second owner is told too, although the first has not acknowledged yet."""
    state = given(tell_queue("e1"), tell_owner("e2"))
    (requested,) = then(state, tell_owner("e3", "ewa"), NotificationRequested)
    assert requested.open.recipient == "agent-ewa"


def test_who_owns_it_already_is_not_told_again() -> None:
    """A second call of her own customer changes no owner; that she took it acknowledges what she was told of it."""
    state = given(
        tell_queue("e1"), tell_owner("e2"), tell_queue("e3", "call-2/owner", "agent-piotr")
    )
    (acknowledged,) = then(state, tell_owner("e4", before="piotr"), NotificationAcknowledged)
    assert acknowledged.open.notification_id == notification_id(tell_queue("e3", "call-2/owner"))
    then(given(tell_owner("e2")), tell_owner("e4", before="piotr"))


def test_who_takes_back_what_had_left_her_is_told() -> None:
    """It was nobody's in between: she owns it anew."""
    then(given(tell_owner("e1")), tell_owner("e2", before=None), NotificationRequested)


def test_work_on_a_request_acknowledges_it_and_no_other() -> None:
    """Who wraps a contact up has seen it; what else she or her queue was told stays open."""
    state = given(
        tell_queue("e1"),
        tell_queue("e2", "mail-1/owner", "agent-piotr"),
        tell_queue("e3", "mail-2/owner", "agent-piotr"),
    )
    (event,) = then(state, attend("e4", "mail-1", "mail-1/owner"), NotificationAcknowledged)
    assert event.open.notification_id == notification_id(tell_queue("e2", "mail-1/owner"))
    assert (event.open.by, event.open.through) == ("piotr", "acceptance")
    then(state, attend("e5", "mail-9"))


def test_an_answer_acknowledges_all_that_its_writer_was_told() -> None:
    """She has read what she answers; what her queue or a colleague was told stays open."""
    hers = (
        tell_queue("e2", "mail-1/owner", "agent-piotr"),
        tell_queue("e3", "mail-2/owner", "agent-piotr"),
    )
    state = given(tell_queue("e1"), *hers, tell_queue("e4", "mail-3/owner", "agent-ewa"))
    events = then(state, answer("e5"), NotificationAcknowledged, NotificationAcknowledged)
    assert [each.open.notification_id for each in events] == [notification_id(n) for n in hers]
    then(given(tell_owner("e1")), answer("e2"))


def test_nothing_acknowledges_what_came_after_it() -> None:
    """An event that is delivered again, late, says nothing about requests that are younger than it."""
    state = given(tell_queue("e3", "mail-1/owner", "agent-piotr"))
    then(state, answer("e2"))
    then(state, tell_owner("e2", before="piotr"))


def test_the_same_decision_has_the_same_ids() -> None:
    """Decided by another process at another time, the events have the same ids: the ledger keeps one of each."""
    later = tell_owner("e2")
    first = decide(given(tell_queue("e1")), later)
    second = decide(
        given(tell_queue("e1")),
        replace(later, now=ESCALATES),
    )
    assert [each.id for each in first] == [each.id for each in second]


def test_what_a_transport_took_is_recorded_once() -> None:
    """The transport's yes is recorded once; for something that nobody asked for, or not of it, it is nothing."""
    then(given(tell_queue("e1")), sent(REQUEST), NotificationSent)
    then(given(tell_queue("e1")), sent(REQUEST, transport="push"))
    then(given(), sent(REQUEST))


def test_each_transport_of_a_notification_is_recorded_for_itself() -> None:
    """Their records have ids of their own, and the notification is one."""
    asked = replace(tell_queue("e1"), policy=BOTH)
    state = given(asked)
    (by_screen,) = then(state, sent(REQUEST), NotificationSent)
    (by_push,) = then(
        given(asked, sent(REQUEST)), sent(REQUEST, transport="push"), NotificationSent
    )
    assert by_screen.id != by_push.id
    assert given(asked, sent(REQUEST)).by_id[REQUEST].unsent == ["push"]
    assert given(asked, sent(REQUEST), sent(REQUEST, transport="push")).by_id[REQUEST].unsent == []


def test_an_agent_acknowledges_by_command() -> None:
    """The acknowledgement names the agent, the command and the command's hash."""
    (event,) = then(given(tell_queue("e1")), acknowledge(REQUEST), NotificationAcknowledged)
    assert (event.open.by, event.open.through) == ("piotr", "command")
    assert (event.causation, event.causation_sha256) == ("cmd-1", "a")
    assert event.actor == "agent:piotr"


def test_a_second_command_finds_it_acknowledged() -> None:
    """Another command for the same notification is already true: no event, no refusal."""
    then(given(tell_queue("e1"), acknowledge(REQUEST)), acknowledge(REQUEST, "cmd-2", "b"))


def test_a_command_id_with_another_body_is_refused() -> None:
    """The id of a command is not used for two things."""
    state = given(tell_queue("e1"), acknowledge(REQUEST))
    with pytest.raises(CommandIdReused):
        decide(state, acknowledge(REQUEST, "cmd-1", "other"))


def test_what_nobody_was_told_cannot_be_acknowledged() -> None:
    """An unknown notification, and a message to the customer, are not an agent's to acknowledge."""
    with pytest.raises(NotificationUnknown):
        decide(given(), acknowledge(REQUEST))
    with pytest.raises(NotificationUnknown):
        decide(given(intend("e1")), acknowledge(notification_id(intend("e1"))))


def test_only_who_was_told_may_acknowledge() -> None:
    """An agent of another queue is refused; whoever it was escalated to may."""
    with pytest.raises(CommandForbidden):
        decide(given(tell_queue("e1")), acknowledge(REQUEST, agent="ewa"))
    state = given(tell_queue("e1"), escalate(REQUEST))
    then(state, acknowledge(REQUEST, agent="ewa"), NotificationAcknowledged)


def test_an_unacknowledged_notification_escalates_once() -> None:
    """Time is up and nobody acknowledged: the next person is told, once."""
    (event,) = then(given(tell_queue("e1")), escalate(REQUEST), NotificationEscalated)
    assert event.open.to == "agent-ewa"


def test_an_acknowledged_notification_does_not_escalate() -> None:
    """The fired timer is a question; acknowledged in time, the answer is no."""
    then(given(tell_queue("e1"), acknowledge(REQUEST)), escalate(REQUEST))
    then(given(tell_queue("e1"), tell_owner("e2")), escalate(REQUEST))
    then(given(), escalate(REQUEST))


def test_an_escalated_notification_can_still_be_acknowledged() -> None:
    """The supervisor acknowledges what she was told."""
    then(given(tell_queue("e1"), escalate(REQUEST)), acknowledge(REQUEST), NotificationAcknowledged)


def test_a_message_is_intended_once_and_never_escalates() -> None:
    """The intent to send exists once per message; no person is to acknowledge it."""
    (event,) = then(given(), intend("e1"), NotificationRequested)
    assert (event.open.recipient, event.open.transports) == ("customer", ["email"])
    assert (event.open.message_id, event.open.escalates) == ("m1", None)
    assert event.open.attempt == "try-1"
    then(given(intend("e1")), intend("e2"))
    then(given(intend("e1")), escalate(event.open.notification_id))
