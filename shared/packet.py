"""The context packet: all that the next person must know, folded from the conversation and the customer.

At most 64 KiB in canonical form, and that is provable: everything that stands in full is limited where it is
recorded (`TEXT_MAX_BYTES`) or cut here; what the desk is to know, what was done, the visit to
the pages and what was said fill the rest, in this order, the newest first.
"""

import hashlib

import msgspec

from shared import aggregates, cursors, errors, events, proof
from shared.conversation import FOLD_VERSION, Contact, Conversation, StatedFact, people
from shared.customer import Customer
from shared.events.packet import (
    PACKET_SCHEMA_VERSION,
    Around,
    BuiltFrom,
    Earlier,
    Fact,
    Folded,
    Hop,
    Known,
    More,
    OpenCallback,
    OpenPromise,
    Order,
    Packet,
    Path,
    Pending,
    Possible,
    Said,
    Who,
    Why,
    Writer,
)
from shared.fitting import cut, encoder, json_bytes, newest_that_fit
from shared.last_visit import visit_that_fits

PACKET_MAX_BYTES = 65_536
TEXT_MAX_BYTES = 512
"""A fact's value, a brief and a promise, JSON-encoded: checked where they are recorded."""
FACTS_IN_FULL = 48
FACTS_PER_MESSAGE = 16
FACTS_BY_REFERENCE = 12
PROMISES_IN_FULL = 16
CALLBACKS_IN_FULL = 4
HOPS_IN_FULL = 12
ORDERS_IN_FULL = 4
IDENTITIES_IN_FULL = 4
POSSIBLE_IN_FULL = 3
CHANNELS_IN_FULL = 8
ANNOUNCEMENTS_IN_FULL = 4
NAME_MAX_BYTES = 96
MATTER_MAX_BYTES = 192
ORDER_TEXT_MAX_BYTES = 64
HANDLE_MAX_BYTES = 254
"""The longest e-mail address (RFC 5321, 4.5.3.1.3, less the angle brackets)."""


def check_text(text: str) -> str:
    """Return `text` if a packet can hold it in full. Raises: TextTooLong, TextHasNul."""
    if "\0" in text:
        raise errors.TextHasNul()
    if json_bytes(text) > TEXT_MAX_BYTES:
        raise errors.TextTooLong(limit_bytes=TEXT_MAX_BYTES)
    return text


def fit_text(text: str) -> str:
    """Return the beginning of `text` that a packet can hold in full, without NUL bytes."""
    return cut(text.replace("\0", ""), TEXT_MAX_BYTES) or ""


def canonical(packet: Packet) -> bytes:
    """Return the packet's canonical form: JSON without blanks, keys in the order of the schema.

    Same packet, same bytes. Exactly these stand inside the stored `context.packaged`: cut out, they can be hashed.
    """
    return encoder.encode(packet)


def sha256_of(packet: Packet) -> str:
    """Return the SHA-256 of the canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(packet)).hexdigest()


def package(
    conversation: Conversation,
    customer: Customer,
    *,
    packet_id: events.PacketId,
    policy_version: str,
    built_from: BuiltFrom | None = None,
) -> Packet:
    """Return the packet of a conversation that was recorded (`conversation.id` is not `None`).

    `built_from`: what was folded; without it, all that is stored up to the two states' own sequences.
    """
    assert conversation.id is not None
    source = built_from or folded_from(conversation, customer, policy_version)
    bare = _bare(conversation, customer, packet_id, source)
    room = PACKET_MAX_BYTES - len(canonical(bare))
    shown = conversation.announced.shown
    announced, room = newest_that_fit(shown[::-1], room)
    done, room = newest_that_fit(conversation.matter.done, room)
    visit, room = visit_that_fits(conversation.visit, room)
    said, _ = newest_that_fit(_said(conversation, customer), room)
    dropped = len(conversation.talk.said) - len(said) + conversation.talk.said_before
    more = msgspec.structs.replace(
        bare.more,
        done=len(conversation.matter.done) - len(done) + conversation.matter.done_before,
        said=dropped,
        said_before=said[0].at if dropped and said else None,
        announcements=conversation.announced.more + len(shown) - len(announced),
    )
    around = Around(visit=visit, announcements=announced[::-1])
    return msgspec.structs.replace(bare, done=done, said=said, more=more, around=around)


def folded_from(
    conversation: Conversation,
    customer: Customer,
    policy_version: str,
    *,
    conversation_next: int = 0,
    customer_next: int = 0,
) -> BuiltFrom:
    """Return what a packet of these two states was built from.

    The states' sequences are the last stored ones; `…_next`: events folded beyond them that stand in the same
    batch as the packet.
    """
    return BuiltFrom(
        conversation=Folded(
            aggregate=aggregates.CONVERSATION.of(conversation.id or ""),
            sequence=conversation.sequence,
            and_next=conversation_next,
        ),
        customer=Folded(
            aggregate=aggregates.CUSTOMER.of(conversation.customer or ""),
            sequence=customer.sequence,
            and_next=customer_next,
        ),
        fold_version=FOLD_VERSION,
        policy_version=policy_version,
    )


def _bare(
    conversation: Conversation, customer: Customer, packet_id: events.PacketId, source: BuiltFrom
) -> Packet:
    """The packet without what was done and said."""
    assert conversation.id is not None
    last = conversation.contacts.latest
    return Packet(
        packet_id=packet_id,
        schema_version=PACKET_SCHEMA_VERSION,
        conversation=conversation.id,
        contact=last.contact_id if last else None,
        who=_who(conversation, customer),
        why=_why(conversation, customer),
        facts=[_fact(each) for each in _live(conversation)[-FACTS_IN_FULL:]],
        done=[],
        open=_pending(conversation),
        path=_path(conversation),
        said=[],
        more=_more(conversation, customer),
        built_from=source,
        writer=_on_contact(last, customer),
    )


def _on_contact(contact: Contact | None, customer: Customer) -> Writer | None:
    writer = None if contact is None else people.writer(contact.name, contact.handles)
    return writer and _short(writer, customer)


def _said(conversation: Conversation, customer: Customer) -> list[Said]:
    """Return what was said, each message to us with its writer as she is known by now."""
    return [
        msgspec.structs.replace(each, writer=_short(each.writer, customer)) if each.writer else each
        for each in conversation.talk.said
    ]


def _short(writer: Writer, customer: Customer) -> Writer:
    """Return a writer as a packet can hold one, and whether the customer is known to be this writer."""
    hers = any(
        (each.kind, each.value) == (writer.kind, writer.value) and proof.of(each) != "claimed"
        for each in customer.handles
    )
    return msgspec.structs.replace(
        writer,
        name=cut(writer.name, NAME_MAX_BYTES),
        value=cut(writer.value, HANDLE_MAX_BYTES),
        hers=hers and writer.proof != "claimed",
    )


def facts_beyond(conversation: Conversation) -> list[Fact]:
    """Return the older facts of a conversation, which its packet only counts."""
    return [_fact(each) for each in _live(conversation)[:-FACTS_IN_FULL]]


def _live(conversation: Conversation) -> list[StatedFact]:
    return list(conversation.matter.facts.values())


def _who(conversation: Conversation, customer: Customer) -> Who:
    return Who(
        customer=conversation.customer or events.CustomerId(""),
        provisional=customer.provisional,
        name=cut(customer.name, NAME_MAX_BYTES),
        salutation=cut(customer.salutation, NAME_MAX_BYTES),
        language=cut(customer.language, NAME_MAX_BYTES),
        identities=[
            Known(
                kind=each.kind,
                value=cut(each.value, HANDLE_MAX_BYTES) or "",
                verified=each.verified,
                proof=proof.of(each),
            )
            for each in customer.handles[:IDENTITIES_IN_FULL]
        ],
        possibly=[
            Possible(
                customer=each.customer,
                name=cut(each.name, NAME_MAX_BYTES),
                reason=each.reason,
                kind=each.kind,
                value=cut(each.value, HANDLE_MAX_BYTES),
            )
            for each in list(conversation.people.possible.values())[:POSSIBLE_IN_FULL]
        ],
    )


def _why(conversation: Conversation, customer: Customer) -> Why:
    orders = list(customer.orders.values())[-ORDERS_IN_FULL:]
    return Why(
        matter=cut(conversation.matter.summary, MATTER_MAX_BYTES),
        queue=conversation.ownership.first_queue,
        orders=[
            Order(
                number=cut(each.number, ORDER_TEXT_MAX_BYTES) or "",
                status=each.status,
                description=cut(each.description, ORDER_TEXT_MAX_BYTES),
            )
            for each in orders
        ],
        after=_after(conversation.after),
    )


def _after(earlier: Earlier | None) -> Earlier | None:
    if earlier is None:
        return None
    matter, summary = cut(earlier.matter, MATTER_MAX_BYTES), cut(earlier.summary, TEXT_MAX_BYTES)
    return msgspec.structs.replace(earlier, matter=matter, summary=summary)


def _fact(fact: StatedFact) -> Fact:
    return Fact(
        fact_id=fact.fact_id,
        name=fact.name,
        value=fact.value,
        origin=fact.origin,
        channel=fact.channel,
        told_to=fact.told_to,
        said=fact.said,
        corrected=fact.corrected,
        repeated=fact.repeated,
    )


def _pending(conversation: Conversation) -> Pending:
    promises = [each for each in conversation.matter.promises.values() if each.is_open]
    callbacks = [each for each in conversation.matter.callbacks.values() if each.status == "open"]
    return Pending(
        promises=[
            OpenPromise(
                promise_id=each.promise_id, text=each.text, by=each.by, made=each.made, due=each.due
            )
            for each in promises[:PROMISES_IN_FULL]
        ],
        callbacks=[
            OpenCallback(
                callback_id=each.callback_id,
                reason=each.reason,
                due=each.due,
                attempts=each.attempts,
            )
            for each in callbacks[:CALLBACKS_IN_FULL]
        ],
        unanswered=conversation.talk.unanswered,
    )


def _path(conversation: Conversation) -> Path:
    return Path(
        hops=[
            Hop(
                kind=each.kind,
                sender=each.sender,
                to=each.to,
                brief=each.brief,
                requested=each.requested,
                accepted=each.accepted,
                outcome=each.outcome,
            )
            for each in conversation.ownership.hops[-HOPS_IN_FULL:]
        ],
        forwards=sum(each.accepted is not None for each in conversation.ownership.hops),
        channels=list(conversation.contacts.channels[-CHANNELS_IN_FULL:]),
        waited_seconds=conversation.ownership.waited_seconds,
        on_hold=any(each.on_hold for each in conversation.contacts.by_id.values()),
    )


def _more(conversation: Conversation, customer: Customer) -> More:
    beyond, shown = _live(conversation)[:-FACTS_IN_FULL], _live(conversation)[-FACTS_IN_FULL:]
    promises = sum(each.is_open for each in conversation.matter.promises.values())
    callbacks = sum(each.status == "open" for each in conversation.matter.callbacks.values())
    return More(
        facts=len(beyond),
        fact_ids=[each.fact_id for each in beyond[-FACTS_BY_REFERENCE:]],
        promises=max(0, promises - PROMISES_IN_FULL),
        callbacks=max(0, callbacks - CALLBACKS_IN_FULL),
        hops=max(0, len(conversation.ownership.hops) - HOPS_IN_FULL),
        orders=max(0, len(customer.orders) - ORDERS_IN_FULL),
        identities=max(0, len(customer.handles) - IDENTITIES_IN_FULL),
        done=0,
        said=0,
        said_before=None,
        possibly=max(0, len(conversation.people.possible) - POSSIBLE_IN_FULL),
        next_facts=cursors.written({"facts": shown[0].fact_id}) if beyond else None,
    )
