"""The rows of folded conversations and customers, and the folds as they are kept in column `state`. Pure.

What grows without bound or is looked up elsewhere (texts, what was done, remembered commands) is not kept.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from services.history.domain.rows import Key, Row, plain, text_of
from shared.conversation import (
    Callback,
    Conversation,
    Promise,
    StatedFact,
    target_name,
)
from shared.customer import Customer
from shared.queries import ConversationView

_encoder = msgspec.json.Encoder()
_conversation = msgspec.json.Decoder(Conversation)
_customer = msgspec.json.Decoder(Customer)


def slim_conversation(it: Conversation) -> Conversation:
    talk = replace(it.talk, said=(), said_before=0)
    return replace(it, seen={}, talk=talk, matter=replace(it.matter, done=(), done_before=0))


def slim_customer(it: Customer) -> Customer:
    return replace(it, seen={})


def conversation_of(state: bytes) -> Conversation:
    """Return the fold in column `conversation.state`."""
    return _conversation.decode(state)


def customer_of(state: bytes) -> Customer:
    """Return the fold in column `customer.state`."""
    return _customer.decode(state)


def status_of(it: Conversation) -> str:
    """Return `resolved`, `owned` or `waiting`."""
    if it.resolved:
        return "resolved"
    return "waiting" if it.ownership.owner is None else "owned"


def conversation_row(key: Key, it: Conversation) -> Row:
    offer, transfer, contact = it.ownership.offer, it.ownership.transfer, it.contacts.last
    return (
        *key,
        it.sequence,
        text_of(it.customer),
        status_of(it),
        text_of(it.ownership.owner),
        text_of(it.ownership.queue),
        it.opened,
        it.contacts.last_activity,
        it.ownership.waiting_since,
        text_of(contact.contact_id) if contact else None,
        text_of(contact.channel) if contact else None,
        it.matter.repeats,
        text_of(offer.offer_id) if offer else None,
        text_of(offer.agent) if offer else None,
        text_of(offer.contact_id) if offer else None,
        text_of(offer.packet_id) if offer else None,
        offer.expires if offer else None,
        text_of(transfer.transfer_id) if transfer else None,
        transfer.kind if transfer else None,
        text_of(transfer.sender) if transfer else None,
        plain(target_name(transfer.to)) if transfer else None,
        text_of(transfer.packet_id) if transfer else None,
        transfer.expires if transfer else None,
        text_of(it.packet.id),
        _encoder.encode(it),
    )


def fact_row(key: Key, fact: StatedFact) -> Row:
    return (
        *key,
        plain(fact.fact_id),
        fact.sequence,
        plain(fact.name),
        plain(fact.value),
        fact.origin,
        text_of(fact.channel),
        text_of(fact.contact_id),
        text_of(fact.told_to),
        fact.said,
        fact.corrected,
        fact.repeated,
    )


def promise_row(key: Key, promise: Promise) -> Row:
    return (
        *key,
        plain(promise.promise_id),
        plain(promise.by),
        plain(promise.text),
        promise.made,
        promise.due,
        promise.kept,
    )


def callback_row(key: Key, callback: Callback) -> Row:
    return (
        *key,
        plain(callback.callback_id),
        plain(callback.contact_id),
        plain(callback.queue),
        callback.due,
        plain(callback.reason),
        callback.attempts,
        callback.status,
    )


def customer_row(key: Key, it: Customer) -> Row:
    return (*key, it.sequence, it.provisional, text_of(it.language), _encoder.encode(it))


def handle_rows(key: Key, it: Customer) -> list[Row]:
    """Return one row per handle; its value stands as a hash, so that any length can be looked up."""
    return [
        (*key, each.kind, handle_digest(each.value), it.sequence, each.verified)
        for each in it.handles
    ]


def handle_digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()


def conversation_view(it: Conversation, name: str, entries_max: int) -> ConversationView:
    """Return a conversation as it is answered; each list holds its latest `entries_max` entries."""
    last = slice(-entries_max, None)
    return ConversationView(
        id=name,
        sequence=it.sequence,
        customer=it.customer,
        status=status_of(it),
        owner=it.ownership.owner,
        queue=it.ownership.queue,
        opened=it.opened,
        last_activity=it.contacts.last_activity,
        waiting_since=it.ownership.waiting_since,
        waited_seconds=it.ownership.waited_seconds,
        channels=list(it.contacts.channels)[last],
        matter=it.matter.summary,
        contacts=list(it.contacts.by_id.values())[last],
        facts=list(it.matter.facts.values())[last],
        promises=list(it.matter.promises.values())[last],
        callbacks=list(it.matter.callbacks.values())[last],
        offer=it.ownership.offer,
        transfer=it.ownership.transfer,
        hops=list(it.ownership.hops)[last],
        handovers=it.ownership.handovers,
        repeats=it.matter.repeats,
        unanswered=it.talk.unanswered,
        packet_id=it.packet.id,
    )
