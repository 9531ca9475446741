"""LiveChat (text.com): chat webhooks.

Sources, read 2026-11: platform.text.com/docs/management/webhooks (3.2 to 3.6: the body's members, every action), the
payloads in the tests of github.com/livechat/lc-sdk-go (webhooks/testdata, also the names of 3.1).

The secret stands in the body, which the door stores without it. A chat is one customer's for good: it is the contact,
and where an agent's answer goes. What a chat begins with is not told again by itself, so all of it is read; what is
told twice has the same event id. Only agents take messages back there: nothing of a customer's is retracted by it.

A chat that ends, goes to another agent, or is rated is none of our events: here a contact is over when its agent here
wraps it up, who hands it on by a command, and nothing is asked of anybody by a rating.
"""

import hmac
from collections.abc import Callable, Mapping

from services.ingest.channels.shapes import livechat_threads as threads
from services.ingest.channels.shapes.livechat_threads import IGNORED, MEDIUM, NAME, Thread, Told
from services.ingest.domain import body_secret, delivery, loose, outcome, texts
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, errors, events

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

SECRETS = ("signing",)
"""`signing`: the `secret_key` that the webhook was registered with."""

ACTIONS: Mapping[str, str] = {
    "incoming_chat": "message.received",
    "incoming_chat_thread": "message.received",
    "incoming_event": "message.received",
    "incoming_rich_message_postback": "message.received",
    "event_updated": "message.edited",
    "events_marked_as_seen": "message.read",
    **dict.fromkeys(
        (
            "access_granted",
            "access_revoked",
            "access_set",
            "agent_approved",
            "agent_created",
            "agent_deleted",
            "agent_status_changed",
            "agent_suspended",
            "agent_unsuspended",
            "agent_updated",
            "auto_access_added",
            "auto_access_deleted",
            "auto_access_updated",
            "auto_accesses_updated",
            "bot_created",
            "bot_deleted",
            "bot_updated",
            "chat_access_granted",
            "chat_access_revoked",
            "chat_access_updated",
            "chat_deactivated",
            "chat_properties_deleted",
            "chat_properties_updated",
            "chat_thread_properties_deleted",
            "chat_thread_properties_updated",
            "chat_thread_tagged",
            "chat_thread_untagged",
            "chat_transferred",
            "chat_user_added",
            "chat_user_removed",
            "customer_created",
            "customer_session_fields_updated",
            "event_deleted",
            "event_properties_deleted",
            "event_properties_updated",
            "follow_up_requested",
            "group_created",
            "group_deleted",
            "group_updated",
            "incoming_customer",
            "routing_status_set",
            "tag_created",
            "tag_deleted",
            "tag_updated",
            "thread_closed",
            "thread_properties_deleted",
            "thread_properties_updated",
            "thread_summary_set",
            "thread_tagged",
            "thread_untagged",
            "user_added_to_chat",
            "user_removed_from_chat",
        ),
        IGNORED,
    ),
}
KINDS: Mapping[str, str] = {**ACTIONS, **threads.EVENT_KINDS}

FACT_MAX_BYTES = 256


# -- the door -----------------------------------------------------------------------------------------


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Compare the secret in the body. Raises: SignatureInvalid."""
    given = body_secret.given(request.body) or ""
    if not hmac.compare_digest(given.encode(errors="replace"), secrets["signing"].encode()):
        raise errors.SignatureInvalid


# -- normalising --------------------------------------------------------------------------------------


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what a webhook reports: what stands in a chat, was pressed, written anew, or seen."""
    try:
        told = loose.table(loose.read(raw.body))
    except codec.UNREADABLE:
        return outcome.unreadable()
    action = loose.text(told.get("action"))
    if not action:
        return outcome.not_an_event()
    if action not in ACTIONS:
        return outcome.unknown(action)
    if action not in _READERS:
        return Ignored(action)
    return _READERS[action](raw, action, loose.table(told.get("payload")))


def _thread(payload: Told) -> Thread | None:
    chat, thread = (loose.identity(payload.get(each)) for each in ("chat_id", "thread_id"))
    return None if chat is None else Thread(chat, thread, threads.users_of(payload.get("users")))


def _chat(raw: delivery.RawDelivery, action: str, payload: Told) -> Parsed:
    """Return all that a chat begins with; of an empty one nothing."""
    chat = loose.table(payload.get("chat"))
    thread, named = loose.table(chat.get("thread")), loose.identity(chat.get("id"))
    if named is None:
        return outcome.unreadable(action)
    here = Thread(named, loose.identity(thread.get("id")), threads.users_of(chat.get("users")))
    found = [threads.said(raw, here, each) for each in loose.tables(thread.get("events"))]
    return outcome.together(raw, found) if found else Ignored(action)


def _event(raw: delivery.RawDelivery, action: str, payload: Told) -> Parsed:
    thread, event = _thread(payload), loose.table(payload.get("event"))
    if thread is None or not event:
        return outcome.unreadable(action)
    return threads.said(raw, thread, event, edited=action == "event_updated")


def _pressed(raw: delivery.RawDelivery, action: str, payload: Told) -> Parsed:
    """Return the button that she pressed, as what it stands for; LiveChat tells no label, and no time."""
    thread, postback = _thread(payload), loose.table(payload.get("postback"))
    event, button = loose.identity(payload.get("event_id")), loose.identity(postback.get("id"))
    if thread is None or event is None or button is None:
        return outcome.unreadable(action)
    if postback.get("toggled") is False:
        return Ignored(action)
    named = texts.fit(f"{event}/{button}", FACT_MAX_BYTES)
    opened = events.MessageReceivedOpen(**thread.about(raw, named), refers_to=event)
    personal = events.MessageReceivedPersonal(**thread.who(raw), text=button)
    made = outcome.contact_event(raw, events.MessageReceived, opened, personal)
    return Reported([(thread.chat, made)])


def _seen(raw: delivery.RawDelivery, action: str, payload: Told) -> Parsed:
    """Return that she has seen all that was written until a time; what an agent saw is nobody's news."""
    thread, until = _thread(payload), threads.instant(payload.get("seen_up_to"))
    user = loose.identity(payload.get("user_id"))
    if thread is None or until is None or user is None:
        return outcome.unreadable(action)
    if thread.is_ours(user):
        return Ignored(action)
    about = thread.about(raw, f"{thread.chat}/seen/{until.isoformat()}")
    opened = events.MessageOutcomeOpen(**about, provider_time=until, until=until)
    personal = events.ContactPersonal(**thread.who(raw))
    made = outcome.contact_event(raw, events.MessageRead, opened, personal)
    return Reported([(thread.chat, made)])


_READERS: Mapping[str, Callable[[delivery.RawDelivery, str, Told], Parsed]] = {
    "incoming_chat": _chat,
    "incoming_chat_thread": _chat,
    "incoming_event": _event,
    "event_updated": _event,
    "incoming_rich_message_postback": _pressed,
    "events_marked_as_seen": _seen,
}
