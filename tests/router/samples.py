"""What customers do, as channels report it, and the policy that the rules are tried with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared import handles as normal
from shared import ids, policy
from shared.events import (
    DATA_SCHEMA,
    CallAbandoned,
    CallAnswered,
    CallEnded,
    CallEndedOpen,
    CallHeld,
    CallMenuSelected,
    CallMenuSelectedOpen,
    CallMissed,
    CallRecorded,
    CallRecordedOpen,
    CallRecordedPersonal,
    CallResumed,
    CallStarted,
    CallStartedOpen,
    CallTransferred,
    CallTransferredPersonal,
    CallVoicemailLeft,
    CallVoicemailLeftOpen,
    CallVoicemailLeftPersonal,
    ContactId,
    ContactOpen,
    ContactPersonal,
    ConversationId,
    Data,
    EventId,
    FormSubmitted,
    FormSubmittedOpen,
    FormSubmittedPersonal,
    Handle,
    InboundEvent,
    MessageFailed,
    MessageOutcomeOpen,
    MessageReceived,
    MessageReceivedOpen,
    MessageReceivedPersonal,
    MessageRequested,
    Nothing,
    Numbered,
    OrderChanged,
    OrderChangedOpen,
    OrderChangedPersonal,
    OutcomeEvent,
    Proof,
    VisitSummarised,
    VisitSummarisedPersonal,
)
from shared.policy import Policy

TENANT = "demo"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ANNA = "+48600100200"
ANNA_MAIL = "anna@customer.example"
HOTLINE = "+48123456789"
PARCEL = "520000123456789012345678"
OTHER_PARCEL = "520000999999999999999999"

POLICY_TEXT = rb"""
tenant: demo
region: PL
queues:
  hotline: {title: Hotline, supervisor: piotr}
  warehouse: {title: Warehouse}
  vault: {title: Vault}
agents:
  piotr: {name: Piotr, queues: [hotline], teams: [desk]}
  ewa: {name: Ewa, queues: [hotline], teams: [desk], slots: 2}
  marek: {name: Marek, queues: [warehouse], teams: [store]}
  nobody: {name: Nobody, queues: []}
accounts:
  twilio_voice/hotline:
    queue: hotline
    secrets: {signing: S}
    address: "+48123456789"
    menu:
      "1": {fact: menu_choice, value: an order}
      "2": {fact: menu_choice, value: a parcel}
      "9": {fact: menu_digit}
  chat/shop: {queue: hotline, secrets: {signing: S}, address: shop, reaches: account}
  email/shop: {queue: hotline, secrets: {signing: S}, address: help@shop.example, title: Your request}
  sms/reminders: {queue: hotline}
  sms/shop: {queue: hotline, address: "+48600000001"}
  form/contact:
    queue: hotline
    secrets: {signing: S}
    fields:
      order: {fact: order_number}
      parcel: {fact: parcel_number}
    topics: {delivery: warehouse}
patterns:
  - {fact: order_number, pattern: '\b(ORD-\d{4,12})\b', joins: true}
  - {fact: parcel_number, pattern: '\b(\d{24})\b', joins: true}
  - {fact: colour, pattern: 'red|blue'}
never_identifies:
  - '^\+?(anonymous|restricted|266696687)$'
  - '^(no-?reply|mailer-daemon)@'
service_levels: []
times:
  offer_seconds: 30
  transfer_seconds: 120
  callback_seconds: 900
  join_within_seconds: 3600
"""

LINES_TEXT = POLICY_TEXT.replace(
    b"  hotline: {title: Hotline,",
    b"  hotline: {title: Hotline, next_line: {queue: warehouse, within_seconds: 600, texts:"
    b" {pl: '{line} odpowie do {by}.', en: 'The {line} answers by {by}.'}},",
).replace(b"{title: Warehouse}", b"{title: Warehouse, next_line: {queue: vault}}")
LINES_TEXT += b"""external: {carrier: {title: Carrier, number: "+48221002003", within_seconds: 300}}
"""
"""The same, with lines: after the hotline the warehouse, which has ten minutes, then the vault; outside, a carrier."""


def a_policy() -> Policy:
    """Return the policy of these tests, checked. It measures no service level: `test_service_levels.py` has one."""
    return policy.parse(POLICY_TEXT)


def phone(value: str = ANNA, proof: Proof = "delivered") -> Handle:
    return normal.of("phone", value, proof)


def mail(value: str = ANNA_MAIL, proof: Proof = "delivered") -> Handle:
    return normal.of("email", value, proof)


def visitor(value: str) -> Handle:
    return Handle(kind="visitor", value=value)


def contact(channel: str, name: str) -> ContactId:
    """Return the contact's id; the same channel and name are the same contact."""
    return ContactId(ids.scoped_id("contact", TENANT, channel, name))


def enveloped(channel: str, account: str, name: str, kind: str, at: datetime, k: int) -> Any:
    contact_id = contact(channel, name)
    event_id = ids.contact_event_id(TENANT, channel, account, f"{name}-{k}", kind)
    envelope = {
        "specversion": "1.0",
        "id": EventId(event_id),
        "source": "tellonce/ingest",
        "occurred": at,
        "recorded": at,
        "aggregate": f"contact-{contact_id}",
        "dataschema": DATA_SCHEMA,
        "datacontenttype": "application/json",
        "tenant": TENANT,
        "actor": f"channel:{channel}/{account}",
        "raw": f"{k + 1}:{'a' * 64}",
    }
    opened = {
        "contact_id": contact_id,
        "medium": MEDIA[channel],
        "channel": channel,
        "account": account,
        "provider_id": f"{name}-{k}",
        "provider_time": at,
    }
    return envelope, opened


MEDIA = {
    "twilio_voice": "call",
    "chat": "chat",
    "email": "mail",
    "form": "form",
    "dove": "message",
    "raven": "message",
    "shop": "shop",
    "site": "site",
}
CALL_KINDS: dict[str, type[Any]] = {
    "started": CallStarted,
    "menu": CallMenuSelected,
    "answered": CallAnswered,
    "held": CallHeld,
    "resumed": CallResumed,
    "ended": CallEnded,
    "missed": CallMissed,
    "abandoned": CallAbandoned,
    "voicemail": CallVoicemailLeft,
    "recorded": CallRecorded,
    "transferred": CallTransferred,
}
CALL_PERSONAL: dict[str, type[Any]] = {
    "voicemail": CallVoicemailLeftPersonal,
    "recorded": CallRecordedPersonal,
    "transferred": CallTransferredPersonal,
}


def call(
    kind: str,
    name: str = "CA1",
    *,
    handles: list[Handle] | None = None,
    at: datetime = NOON,
    k: int = 0,
    digits: str = "1",
    provider_time: bool = True,
    numbered: Numbered | None = None,
    caller: str | None = None,
    words: str = "",
) -> InboundEvent:
    """Return an event of a call; its first handle is the call's own reference. `caller`: the name that comes along.

    `words`: what a machine heard of a voicemail, which comes after it.
    """
    made = CALL_KINDS[kind]
    envelope, opened = enveloped("twilio_voice", "hotline", name, f"call.{kind}", at, k)
    opened["numbered"] = numbered
    if not provider_time:
        opened["provider_time"] = None
    if made is CallStarted:
        told: Any = CallStartedOpen(**opened, dialled=HOTLINE)
    elif made is CallMenuSelected:
        told = CallMenuSelectedOpen(**opened, digits=digits)
    elif made is CallVoicemailLeft:
        about = "RE1" if words else None
        told = CallVoicemailLeftOpen(**opened, outcome="voicemail", refers_to=about)
    elif kind in {"ended", "missed", "abandoned"}:
        told = CallEndedOpen(**opened, outcome="completed")
    elif made is CallRecorded:
        told = CallRecordedOpen(**opened)
    else:
        told = ContactOpen(**opened)
    known = [
        normal.reference("twilio_voice", "hotline", name),
        *([phone()] if handles is None else handles),
    ]
    said = {"text": words} if words else {}
    personal = CALL_PERSONAL.get(kind, ContactPersonal)(handles=known, name=caller, **said)
    event: InboundEvent = made(**envelope, data=Data(open=told, personal=personal))
    return event


def message(
    text: str,
    name: str = "m1",
    *,
    channel: str = "chat",
    handles: list[Handle] | None = None,
    at: datetime = NOON,
    k: int = 0,
    automatic: bool = False,
    in_reply_to: ConversationId | None = None,
    provider_time: datetime | None = NOON,
    attachments: int = 0,
) -> MessageReceived:
    """Return a message; a chat names its session as its reference, a mail has none."""
    envelope, opened = enveloped(channel, "shop", name, "message.received", at, k)
    opened |= {"provider_time": provider_time and at, "automatic": automatic}
    opened |= {"attachments": attachments}
    own = [normal.reference(channel, "shop", name)] if channel == "chat" else []
    given = [mail()] if handles is None else handles
    return MessageReceived(
        **envelope,
        data=Data(
            open=MessageReceivedOpen(**opened, in_reply_to=in_reply_to),
            personal=MessageReceivedPersonal(handles=[*own, *given], text=text),
        ),
    )


def visit(name: str = "v1", *, handles: Sequence[Handle] = ()) -> VisitSummarised:
    """Return what a visitor did on the shop's pages."""
    envelope, opened = enveloped("site", "pages", name, "visit.summarised", NOON, 0)
    personal = VisitSummarisedPersonal(handles=list(handles), did=["Cart Viewed"])
    return VisitSummarised(**envelope, data=Data(open=ContactOpen(**opened), personal=personal))


def order(
    status: str,
    *,
    at: datetime | None = NOON,
    handles: Sequence[Handle] | None = None,
    name: str | None = "Anna Nowak",
    external_id: str | None = "77",
) -> OrderChanged:
    """Return order 1001 as a shop's webhook reports it."""
    envelope, opened = enveloped("shop", "orders", "1001", f"order.{status}", at or NOON, 0)
    personal = OrderChangedPersonal(
        handles=[mail()] if handles is None else list(handles),
        name=name,
        number="1001",
        external_id=external_id,
    )
    told = OrderChangedOpen(**{**opened, "provider_time": at}, status=status)
    return OrderChanged(**envelope, data=Data(open=told, personal=personal))


def bounce(request: MessageRequested, **changes: Any) -> Any:
    """Return that a message came back, as a channel reports it; `changes`: of the open part."""
    known = outcome(request, MessageFailed)
    opened = msgspec.structs.replace(known.open, automatic=True, reason="dsn_5.1.1", **changes)
    return msgspec.structs.replace(
        known,
        id=EventId(ids.scoped_id("bounce", opened.message_id)),
        causation=None,
        customer=None,
        raw=f"9:{'b' * 64}",
        data=Data(open=opened, personal=Nothing()),
    )


def outcome(request: MessageRequested, kind: type[OutcomeEvent]) -> Any:
    """Return what notify reports of a message."""
    contact_id = ContactId(f"out-{request.open.message_id}")
    envelope, opened = enveloped(
        "email", "shop", request.open.message_id, "outcome", request.recorded, 0
    )
    return kind(
        **{**envelope, "aggregate": f"contact-{contact_id}", "raw": None},
        conversation=request.conversation,
        customer=request.customer,
        causation=request.id,
        data=Data(
            open=MessageOutcomeOpen(
                **{**opened, "contact_id": contact_id}, message_id=request.open.message_id
            ),
            personal=ContactPersonal(),
        ),
    )


def form(
    text: str = "",
    name: str = "f1",
    *,
    fields: list[tuple[str, str]] | None = None,
    topic: str | None = None,
    handles: list[Handle] | None = None,
    at: datetime = NOON,
) -> FormSubmitted:
    """Return a contact form."""
    envelope, opened = enveloped("form", "contact", name, "form.submitted", at, 0)
    return FormSubmitted(
        **envelope,
        data=Data(
            open=FormSubmittedOpen(**opened, topic=topic),
            personal=FormSubmittedPersonal(
                handles=[mail()] if handles is None else handles, fields=fields or [], text=text
            ),
        ),
    )
