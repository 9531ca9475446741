"""The context packet: all that matters, and never more than 64 KiB of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared import cursors
from shared import packet as packets
from shared.commands import FactName, RegisterCustomer
from shared.conversation import (
    NEW_CONVERSATION,
    Callback,
    Contact,
    Conversation,
    Promise,
    StatedFact,
    TakenHop,
)
from shared.conversation.contacts import Contacts
from shared.conversation.matter import DONE_KEPT, Matter
from shared.conversation.ownership import Ownership
from shared.conversation.people import People
from shared.conversation.state import Announced
from shared.conversation.talk import (
    QUOTED_MAX_CHARACTERS,
    SAID_KEPT,
    SAID_MAX_CHARACTERS,
    Talk,
    say,
)
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.errors import TextHasNul, TextTooLong
from shared.events import (
    AgentId,
    AnnouncementId,
    CallbackId,
    ContactId,
    ConversationId,
    CustomerId,
    FactId,
    Handle,
    PacketId,
    PromiseId,
    SeenPage,
    TransferId,
)
from shared.events.packet import (
    Announcement,
    Done,
    Earlier,
    Known,
    Order,
    Packet,
    Possible,
    Said,
    Visit,
    Writer,
)
from shared.last_visit import fit_visit
from shared.packet import (
    ANNOUNCEMENTS_IN_FULL,
    PACKET_MAX_BYTES,
    TEXT_MAX_BYTES,
    canonical,
    check_text,
    fit_text,
)
from tests.router.samples import message

AT = datetime(2026, 11, 22, 12, 34, 56, 123456, tzinfo=UTC)
FILLS = {
    "plain": "x",
    "umlauts": "ä",
    "emoji": "😀",
    "quotes": '"',
    "backslashes": "\\",
    "line ends": "\n",
    "controls": "\x01",
}
LONGEST_NAME = "n" * 32
LONGEST_ID = "i" * 32
LONGEST_CHANNEL = "c" * 32


def full(fill: str, limit: int = TEXT_MAX_BYTES) -> str:
    """Return the longest text of one character that takes at most `limit` bytes in JSON."""
    return fill * (limit // (len(msgspec.json.encode(fill)) - 2))


def identifier(number: int) -> str:
    return f"{number:032}"


def agent() -> AgentId:
    return AgentId(LONGEST_NAME)


def a_fact(number: int, value: str) -> StatedFact:
    return StatedFact(
        fact_id=FactId(identifier(number)),
        name=LONGEST_NAME,
        value=value,
        origin="agent",
        channel=LONGEST_CHANNEL,
        contact_id=ContactId(LONGEST_ID),
        told_to=agent(),
        said=AT,
        sequence=10**12,
        corrected=False,
        repeated=10**6,
    )


def a_hop(text: str) -> TakenHop:
    return TakenHop(
        transfer_id=TransferId(LONGEST_ID),
        kind="warm",
        sender=agent(),
        to=f"agent-{LONGEST_NAME}",
        brief=text,
        requested=AT,
        accepted=AT,
        outcome="superseded",
    )


def worst(fill: str, *, facts: int = 80, said: int = SAID_KEPT) -> Conversation:
    """Return a conversation in which everything is as long and as many as it can get."""
    text = full(fill)
    contact = Contact(
        contact_id=ContactId(LONGEST_ID),
        medium="call",
        channel=LONGEST_CHANNEL,
        account="a",
        started=AT,
        name=fill * 512,
        handles=(Handle(kind="reference", value=fill * 512, proof="delivered"),),
    )
    return replace(
        NEW_CONVERSATION,
        id=ConversationId(LONGEST_ID),
        customer=CustomerId(LONGEST_ID),
        sequence=10**15,
        after=Earlier(
            conversation=ConversationId(LONGEST_ID),
            matter=fill * 160,
            summary=text,
            wrapped_up=AT,
        ),
        contacts=Contacts(
            by_id={contact.contact_id: contact},
            channels=tuple(f"{LONGEST_CHANNEL}" for _ in range(12)),
        ),
        ownership=Ownership(
            first_queue=LONGEST_NAME,
            queue=LONGEST_NAME,
            waited_seconds=10**9,
            hops=tuple(a_hop(text) for _ in range(40)),
        ),
        matter=worst_matter(fill, facts),
        talk=worst_talk(fill, said),
        people=worst_people(fill),
        visit=fit_visit(worst_visit(fill)),
        announced=worst_announced(text),
    )


def worst_visit(fill: str) -> Visit:
    return Visit(
        began=AT,
        ended=AT,
        pages=[SeenPage(url=fill * 2_048, title=fill * 512) for _ in range(50)],
        cart=[fill * 512] * 16,
        campaign=[(fill * 512, fill * 512)] * 16,
        did=[fill * 512] * 50,
        known_by="reference",
        proof="delivered",
    )


def worst_announced(text: str) -> Announced:
    announcement = Announcement(
        announcement_id=AnnouncementId(LONGEST_ID),
        kind="discount",
        text=text,
        since=AT,
        until=AT,
        codes=["C" * 32] * 8,
    )
    return Announced(shown=(announcement,) * ANNOUNCEMENTS_IN_FULL, more=64)


def worst_people(fill: str) -> People:
    possible = Possible(
        customer=CustomerId(LONGEST_ID),
        name=fill * 512,
        reason="order_or_parcel",
        kind="reference",
        value=fill * 512,
    )
    return People(possible={CustomerId(identifier(number)): possible for number in range(9)})


def worst_matter(fill: str, facts: int) -> Matter:
    text = full(fill)
    callback = Callback(
        callback_id=CallbackId(LONGEST_ID),
        contact_id=ContactId(LONGEST_ID),
        queue=LONGEST_NAME,
        due=AT,
        reason="abandoned",
        attempts=10**6,
    )
    return Matter(
        summary=fill * 160,
        facts={f.fact_id: f for f in (a_fact(number, text) for number in range(facts))},
        promises={
            PromiseId(identifier(number)): Promise(
                promise_id=PromiseId(identifier(number)), text=text, by=agent(), made=AT, due=AT
            )
            for number in range(40)
        },
        callbacks={CallbackId(identifier(n)): callback for n in range(9)},
        done=tuple(
            Done(what="callback_closed", by=agent(), at=AT, text=text) for _ in range(DONE_KEPT)
        ),
        done_before=10**9,
    )


def worst_talk(fill: str, said: int) -> Talk:
    return Talk(
        unanswered=10**6,
        said=tuple(
            Said(
                at=AT + timedelta(seconds=number),
                by=f"agent-{LONGEST_NAME}",
                channel=LONGEST_CHANNEL,
                text=fill * SAID_MAX_CHARACTERS,
                cut=10**6,
                writer=Writer(
                    name=fill * 512, kind="reference", value=fill * 512, proof="delivered"
                ),
                quoted=fill * QUOTED_MAX_CHARACTERS,
            )
            for number in range(said)
        ),
        said_before=10**9,
    )


def worst_customer(fill: str) -> Customer:
    """Return a customer about whom everything is as long and as many as it can get."""
    return replace(
        UNKNOWN_CUSTOMER,
        id=CustomerId(LONGEST_ID),
        name=fill * 512,
        salutation=fill * 512,
        language="de" + "-abcdefgh" * 500,
        handles=tuple(Known(kind="reference", value=fill * 512, verified=False) for _ in range(16)),
        orders={
            str(number): Order(number=fill * 512, status=LONGEST_NAME, description=fill * 512)
            for number in range(32)
        },
        sequence=10**15,
    )


def packed(conversation: Conversation, customer: Customer) -> Packet:
    return packets.package(
        conversation,
        customer,
        packet_id=PacketId(LONGEST_ID),
        policy_version="f" * 16,
        built_from=packets.folded_from(
            conversation, customer, "f" * 16, conversation_next=1_000, customer_next=1_000
        ),
    )


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS.keys())
def test_the_worst_packet_fits(fill: str) -> None:
    """Every limit reached at once, in the costliest letters: at most 64 KiB, and everything limited is in full."""
    packet = packed(worst(fill), worst_customer(fill))
    assert len(canonical(packet)) <= PACKET_MAX_BYTES
    assert len(packet.facts) == packets.FACTS_IN_FULL
    assert len(packet.open.promises) == packets.PROMISES_IN_FULL
    assert len(packet.path.hops) == packets.HOPS_IN_FULL
    assert {fact.value for fact in packet.facts} == {full(fill)}


def test_the_names_that_the_worst_packet_assumes_cannot_be_longer() -> None:
    """The limits at the doors: names of 32 characters, 16 handles and 32 orders of a customer."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(LONGEST_NAME + "n", FactName)
    properties = msgspec.json.schema(RegisterCustomer)["$defs"]["RegisterCustomer"]["properties"]
    assert (properties["handles"]["maxItems"], properties["orders"]["maxItems"]) == (16, 32)


def test_what_does_not_fit_is_counted() -> None:
    """Facts older than the newest 48 also by reference, the newest twelve of them."""
    more = packed(worst("x", facts=80), worst_customer("x")).more
    assert (more.facts, more.promises, more.callbacks, more.hops) == (32, 24, 5, 28)
    assert (more.orders, more.identities, more.possibly) == (28, 12, 6)
    assert more.fact_ids == [identifier(number) for number in range(20, 32)]
    assert more.next_facts is not None
    assert cursors.read(more.next_facts, msgspec.json.Decoder(dict[str, str])) == {
        "facts": identifier(32)
    }


def test_what_was_said_is_cut_before_what_was_done() -> None:
    """With little room left the deeds stay and the words go; newest words first to stay."""
    it = worst("x", facts=20)
    ownership, matter = replace(it.ownership, hops=()), replace(it.matter, promises={})
    calm = replace(it, ownership=ownership, matter=matter)
    packet = packed(calm, UNKNOWN_CUSTOMER)
    assert len(packet.done) == DONE_KEPT
    assert packet.more.done == 10**9
    assert 0 < len(packet.said) < SAID_KEPT
    kept = calm.talk.said[-len(packet.said) :]
    assert [said.text for said in packet.said] == [said.text for said in kept]
    assert packet.more.said == 10**9 + SAID_KEPT - len(packet.said)
    assert packet.more.said_before == packet.said[0].at


def test_a_short_matter_is_told_whole() -> None:
    """Nothing is cut, nothing counted, no cursor."""
    talk = say(Talk(), message("hello"), "customer", "hello")
    it = replace(NEW_CONVERSATION, id=ConversationId("c"), talk=talk)
    packet = packed(it, UNKNOWN_CUSTOMER)
    assert [said.text for said in packet.said] == ["hello"]
    assert (packet.more.said, packet.more.said_before, packet.more.next_facts) == (0, None, None)


def test_a_long_message_says_how_much_is_missing() -> None:
    """The fold keeps its beginning; the packet tells how many characters were cut."""
    talk = say(Talk(), message("x"), "customer", "x" * 5_000)
    it = replace(NEW_CONVERSATION, id=ConversationId("c"), talk=talk)
    packet = packed(it, UNKNOWN_CUSTOMER)
    assert (len(packet.said[0].text), packet.said[0].cut) == (SAID_MAX_CHARACTERS, 904)


def test_the_canonical_form_is_stable() -> None:
    """The same packet gives the same bytes, also after it was stored and read."""
    packet = packed(worst("ä"), worst_customer("ä"))
    stored = msgspec.json.decode(canonical(packet), type=Packet)
    assert canonical(stored) == canonical(packet)
    assert packets.sha256_of(stored) == packets.sha256_of(packet)


def test_a_kept_promise_and_a_closed_callback_are_no_longer_open() -> None:
    """Only what is still owed stands there."""
    it = worst("x")
    promises: Any = {key: replace(each, kept=AT) for key, each in it.matter.promises.items()}
    callbacks: Any = {
        key: replace(each, status="reached") for key, each in it.matter.callbacks.items()
    }
    matter = replace(it.matter, promises=promises, callbacks=callbacks)
    packet = packed(replace(it, matter=matter), UNKNOWN_CUSTOMER)
    assert (packet.open.promises, packet.open.callbacks) == ([], [])
    assert (packet.more.promises, packet.more.callbacks) == (0, 0)


@given(st.text(max_size=600))
def test_a_text_that_passes_takes_at_most_its_limit(text: str) -> None:
    """512 bytes as it stands in the packet, escapes and all; else a refusal that names the limit."""
    size = len(msgspec.json.encode(text)) - 2
    if "\0" in text:
        with pytest.raises(TextHasNul):
            check_text(text)
    elif size > TEXT_MAX_BYTES:
        with pytest.raises(TextTooLong) as refusal:
            check_text(text)
        assert refusal.value.details == {"limit_bytes": TEXT_MAX_BYTES}
    else:
        assert check_text(text) == text


@given(st.text(max_size=900))
def test_a_text_that_was_cut_to_fit_is_the_longest_beginning_that_fits(text: str) -> None:
    """Without NUL bytes; one more character would be too much."""
    clean, cut = text.replace("\0", ""), fit_text(text)
    assert clean.startswith(cut)
    assert check_text(cut) == cut
    if cut != clean:
        with pytest.raises(TextTooLong):
            check_text(clean[: len(cut) + 1])
