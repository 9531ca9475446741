"""A channel whose provider knows people by ids of its own, and reports on our messages under ids of its own."""

from datetime import datetime, timedelta
from typing import Any

from shared import events, handles, ids, policy
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, POLICY_TEXT, TENANT, contact, enveloped

ACCOUNTS = b"""\
  dove/cote: {queue: hotline, address: tower, reaches: account}
  raven/nest: {queue: hotline, address: spire, reaches: account}
patterns:
"""
POLICY = policy.parse(POLICY_TEXT.replace(b"patterns:\n", ACCOUNTS))
SHORT = {"dove": "cote", "raven": "nest"}
ANNA_ID, OLEK_ID = "7", "8"


def a_router() -> InMemoryRouter:
    return InMemoryRouter(POLICY)


def made(
    kind: type[Any],
    opened: type[Any],
    personal: Any,
    name: str,
    *,
    who: str = ANNA_ID,
    channel: str = "dove",
    at: datetime = NOON,
    **told: Any,
) -> Any:
    """Return a contact event of somebody's thread. `name`: the provider's id of it."""
    contact_id = contact(channel, who)
    about, known = enveloped(channel, SHORT[channel], name, kind.__name__, at, 0)
    about["aggregate"] = f"contact-{contact_id}"
    known |= {"contact_id": contact_id, "provider_id": name}
    return kind(**about, data=events.Data(open=opened(**{**known, **told}), personal=personal))


def of(who: str, channel: str = "dove") -> list[events.Handle]:
    return [handles.account(channel, who)]


def writes(text: str, name: str = "in-1", who: str = ANNA_ID, **told: Any) -> Any:
    """She writes; by this channel's provider unless `channel` names the other one."""
    personal = events.MessageReceivedPersonal(
        handles=of(who, told.get("channel", "dove")), text=text, quoted=told.pop("quoted", None)
    )
    return made(events.MessageReceived, events.MessageReceivedOpen, personal, name, who=who, **told)


def edits(text: str, name: str, refers_to: str, **told: Any) -> Any:
    personal = events.MessageReceivedPersonal(handles=of(ANNA_ID), text=text)
    opened = events.MessageReceivedOpen
    return made(events.MessageEdited, opened, personal, name, refers_to=refers_to, **told)


def echoes(text: str, name: str = "echo-1", **told: Any) -> Any:
    personal = events.MessageReceivedPersonal(handles=of(told.get("who", ANNA_ID)), text=text)
    return made(events.MessageEchoed, events.MessageReceivedOpen, personal, name, **told)


def deletes(refers_to: str, name: str = "del-1", **told: Any) -> Any:
    personal = events.ContactPersonal(handles=of(told.get("who", ANNA_ID)))
    opened = events.MessageChangedOpen
    return made(events.MessageDeleted, opened, personal, name, refers_to=refers_to, **told)


def reacts(refers_to: str, name: str = "rea-1", **told: Any) -> Any:
    personal = events.MessageReactedPersonal(handles=of(told.get("who", ANNA_ID)), reaction="👍")
    opened = events.MessageChangedOpen
    return made(events.MessageReacted, opened, personal, name, refers_to=refers_to, **told)


def consents(kind: type[Any], name: str = "stop-1", said: str = "STOP", **told: Any) -> Any:
    """She gives or withdraws her consent to be written to."""
    who, channel = told.get("who", ANNA_ID), told.get("channel", "dove")
    personal = events.ContactPersonal(handles=of(who, channel))
    return made(kind, events.ConsentOpen, personal, name, said=said, **told)


def reports(kind: type[Any], name: str, **told: Any) -> Any:
    """The provider reports on a message: `refers_to`, `until`, or `message_id` with `conversation`."""
    conversation = told.pop("conversation", None)
    personal = events.ContactPersonal(handles=of(told.get("who", ANNA_ID)))
    event = made(kind, events.MessageOutcomeOpen, personal, name, **told)
    return type(event)(
        **{field: getattr(event, field) for field in event.__struct_fields__}
        | {"conversation": conversation}
    )


def hands_over(
    request: events.MessageRequested,
    provider_id: str | None,
    kind: type[events.OutcomeEvent] = events.MessageSent,
    at: datetime | None = None,
) -> Any:
    """Notify reports how the hand-over of a message ended, and the provider's id of it."""
    message_id, at = request.open.message_id, at or request.recorded
    contact_id = events.ContactId(f"out-{message_id}")
    about, known = enveloped(request.open.channel, request.open.account, message_id, "", at, 0)
    known |= {"contact_id": contact_id, "provider_id": message_id}
    about |= {"aggregate": f"contact-{contact_id}", "raw": None}
    about["id"] = ids.contact_event_id(TENANT, request.open.channel, "cote", message_id, "outcome")
    opened = events.MessageOutcomeOpen(**known, message_id=message_id, refers_to=provider_id)
    return kind(
        **about,
        conversation=request.conversation,
        customer=request.customer,
        causation=request.id,
        data=events.Data(open=opened, personal=events.ContactPersonal()),
    )


async def answers(
    router: InMemoryRouter, text: str = "It is on its way", channel: str = "dove"
) -> events.MessageRequested:
    """Piotr, who owns the only conversation, writes to her."""
    it = await router.conversation()
    await router.does("piotr", "send_message", conversation=it.id, channel=channel, text=text)
    return await router.last(events.MessageRequested)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)
