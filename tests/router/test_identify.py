"""Who is it, and which conversation does it belong to?"""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.router.cases import CONVERSATIONS_CONSIDERED
from services.router.domain.contacts import find_place, queue_for
from services.router.domain.decision import ResolvedHandle
from services.router.domain.identify import (
    conversation_behind,
    customer_behind,
    identifies,
)
from services.router.domain.identity import UNCLAIMED, Identity
from shared.events import (
    ConversationId,
    ConversationJoined,
    ConversationOpened,
    CustomerId,
    Handle,
    IdentityClaimed,
)
from shared.handles import lookup_token
from tests.router import samples
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import HOTLINE, OTHER_PARCEL, PARCEL, call, form, mail, message, phone

REFERENCE = Handle(kind="reference", value="CA1")


def held(handle: Handle, customer: str | None, conversation: str | None = None) -> ResolvedHandle:
    identity = Identity(
        customer=CustomerId(customer) if customer else None,
        conversations=(ConversationId(conversation),) if conversation else (),
    )
    return ResolvedHandle(handle, "hash", identity)


@pytest.mark.parametrize(
    ("handle", "says_who"),
    [
        (phone(), True),
        (mail(), True),
        (samples.visitor("v1"), True),
        (REFERENCE, False),
        (phone(HOTLINE), False),
        (mail("help@shop.example"), False),
        (phone("anonymous"), False),
        (phone("+266696687"), False),
        (mail("no-reply@parcel.example"), False),
        (mail("mailer-daemon@mx.example"), False),
        (mail("anna.noreply@customer.example"), True),
    ],
)
def test_only_a_persons_own_handles_say_who_it_is(handle: Handle, says_who: bool) -> None:
    """Not references, not our own addresses, not what the policy lists as nobody's."""
    assert identifies(samples.a_policy(), handle) is says_who


def test_a_handle_proved_in_this_delivery_speaks_first() -> None:
    """Else the order that the channel gave; an unclaimed or forbidden handle says nothing."""
    policy = samples.a_policy()
    first, second = held(phone(), "anna"), held(mail(), "ola")
    proved = held(mail(proof="proved"), "ola")
    assert customer_behind(policy, [first, second]) == "anna"
    assert customer_behind(policy, [first, proved]) == "ola"
    assert customer_behind(policy, [held(phone(HOTLINE), "shop"), second]) == "ola"
    assert customer_behind(policy, [held(REFERENCE, "anna")]) is None
    assert customer_behind(policy, [ResolvedHandle(phone(), "hash", UNCLAIMED)]) is None


def test_a_reference_leads_to_a_conversation_and_other_handles_do_not() -> None:
    """A phone number is not bound to one matter."""
    policy = samples.a_policy()
    both = [held(phone(), "anna", "c1"), held(REFERENCE, None, "c2")]
    assert conversation_behind(policy, both) == "c2"
    assert conversation_behind(policy, [held(phone(), "anna", "c1")]) is None


def test_a_lookup_token_shows_neither_handle_nor_kind() -> None:
    """The same value of another kind, or under another key, is another token."""
    tokens = {
        lookup_token(b"k", phone("1")),
        lookup_token(b"k", mail("1")),
        lookup_token(b"other", phone("1")),
    }
    assert len(tokens) == 3
    assert all(len(token) == 32 for token in tokens)


async def test_a_known_number_is_the_same_customer(router: InMemoryRouter) -> None:
    """A second call of one number joins her only active conversation."""
    await router.happens(call("started", "CA1"), call("started", "CA2"))
    it = await router.conversation()
    assert len(it.contacts.by_id) == 2
    assert (await router.last(ConversationJoined)).open.rule == "join.only_active"


async def test_withheld_numbers_are_different_people(router: InMemoryRouter) -> None:
    """Each such call runs under its own id for a customer of its own, who has no handle."""
    await router.happens(
        call("started", "CA1", handles=[]),
        call("started", "CA2", handles=[phone("anonymous")]),
        call("menu", "CA1", handles=[]),
    )
    found = await router.conversations()
    assert [len(it.contacts.by_id) for it in found] == [1, 1]
    assert len({it.customer for it in found}) == 2
    kinds = [event.open.kind for event in await router.all(IdentityClaimed)]
    assert kinds == ["reference", "reference"]


async def test_without_any_handle_the_contact_itself_is_the_reference(
    router: InMemoryRouter,
) -> None:
    """A mail of a machine that no handle identifies is still found again by its contact."""
    bounce = [mail("mailer-daemon@mx.example")]
    await router.happens(
        message("returned", channel="email", handles=bounce, name="b1"),
        message("returned", channel="email", handles=bounce, name="b2"),
    )
    assert len(await router.conversations()) == 2


async def test_a_handle_that_somebody_holds_is_not_claimed_by_a_contact(
    router: InMemoryRouter,
) -> None:
    """Two handles of different customers in one contact: the first speaks, nothing is merged."""
    await router.happens(call("started", "CA1"), message("hello", handles=[mail()]))
    before = len(await router.all(IdentityClaimed))
    await router.happens(message("again", "m2", channel="email", handles=[phone(), mail()]))
    claimed = (await router.all(IdentityClaimed))[before:]
    assert [each.open.kind for each in claimed] == ["reference"], "where it was told"
    first, second = await router.conversations()
    assert len(first.contacts.by_id) == 2
    assert len(second.contacts.by_id) == 1


async def test_a_reply_reference_decides_before_everything_else(router: InMemoryRouter) -> None:
    """It leads to its open conversation, even from an unknown address and with another order in the text."""
    await router.happens(message(PARCEL, channel="email"))
    it = (await router.conversation()).id
    reply = message(
        OTHER_PARCEL, "m2", channel="email", handles=[mail("private@x.example")], in_reply_to=it
    )
    await router.happens(reply)
    assert len((await router.conversation()).contacts.by_id) == 2
    assert (await router.last(ConversationJoined)).open.rule == "join.reference"


async def test_a_reply_reference_that_leads_nowhere_is_no_rule(router: InMemoryRouter) -> None:
    """Unknown or impossible conversation ids are passed over."""
    for number, wrong in enumerate(["c" * 32, "no token at all", "X" * 99]):
        reply = message(
            "hello",
            f"m{number}",
            channel="email",
            handles=[mail(f"p{number}@x.example")],
            in_reply_to=ConversationId(wrong),
        )
        assert "conversation.opened" in await router.happens(reply)


async def two_open(router: InMemoryRouter) -> None:
    """Anna has two open conversations: the first was quiet for long when the second began."""
    await router.happens(message(PARCEL, channel="email", at=router.clock.time))
    await router.passes(2 * 3600)
    await router.happens(message(OTHER_PARCEL, "m2", channel="email", at=router.clock.time))
    assert len(await router.conversations()) == 2


async def test_a_named_order_or_parcel_decides_next(router: InMemoryRouter) -> None:
    """The only open conversation that holds it, however long it was quiet."""
    await two_open(router)
    await router.happens(message(f"about {PARCEL}", "m3", channel="email", at=router.clock.time))
    assert (await router.last(ConversationJoined)).open.rule == "join.order_or_parcel"
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [2, 1]


async def test_the_only_active_conversation_decides_last(router: InMemoryRouter) -> None:
    """One of several open ones was active lately: that one."""
    await two_open(router)
    await router.happens(message("hello", "m3", channel="email", at=router.clock.time))
    assert (await router.last(ConversationJoined)).open.rule == "join.only_active"
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [1, 2]


async def test_several_active_conversations_decide_nothing(router: InMemoryRouter) -> None:
    """A new one opens rather than a wrong one is joined."""
    await two_open(router)
    await router.happens(message(f"about {PARCEL}", "m3", channel="email", at=router.clock.time))
    await router.happens(message("hello", "m4", channel="email", at=router.clock.time))
    assert (await router.last(ConversationOpened)).open.rule == "join.several_active"


async def test_a_quiet_matter_is_not_joined(router: InMemoryRouter) -> None:
    """Beyond `join_within_seconds` a new contact is a new matter."""
    await router.happens(message("hello", at=router.clock.time))
    await router.passes(3601)
    await router.happens(message("hello", "m2", at=router.clock.time))
    assert (await router.last(ConversationOpened)).open.rule == "join.none_open"
    assert len(await router.conversations()) == 2


async def test_a_resolved_conversation_is_not_joined(router: InMemoryRouter) -> None:
    """A reply to a closed matter, and a further message of its chat, open a new one."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does(
        "piotr", "wrap_up", conversation=it, disposition="solved", summary="all is well"
    )
    await router.does("piotr", "resolve", conversation=it)
    assert "conversation.opened" in await router.happens(message("one more", k=1))
    reply = message("and by mail", "m5", channel="email", handles=[], in_reply_to=it)
    assert "conversation.opened" in await router.happens(reply)


def test_the_place_of_a_first_contact_is_a_new_conversation() -> None:
    """Nothing known, nothing to join."""
    place = find_place(samples.a_policy(), call("started"), None, [])
    assert (place.conversation, place.rule) == (None, "join.none_open")


def test_the_entry_point_chooses_the_queue() -> None:
    """A form's topic first, then the account's queue; an account that is gone from the policy falls back."""
    policy = samples.a_policy()
    assert queue_for(policy, form(topic="delivery")) == ("warehouse", "entry.topic")
    assert queue_for(policy, form(topic="unheard")) == ("hotline", "entry.account")
    assert queue_for(policy, call("started")) == ("hotline", "entry.account")
    policy.accounts.pop("twilio_voice/hotline")
    assert queue_for(policy, call("started")) == ("hotline", "entry.fallback")


async def test_history_is_asked_about_deliveries_of_long_ago_alone(router: InMemoryRouter) -> None:
    """What CONTACTS gave for the first time is nobody's repetition, whatever time its sender names, or names none."""
    now, day = router.clock.time, timedelta(days=1)
    backdated = message("b", "m2", at=now - 30 * day)
    for event in (
        message("a", "m1", at=now - day + timedelta(seconds=1)),
        replace(backdated, recorded=now),
        message("c", "m3", at=now + timedelta(seconds=1)),
        message("d", "m4", at=now, provider_time=None),
    ):
        await router.intake.take(event)
    assert router.history.asked == 0
    await router.intake.take(message("e", "m5", at=now - day))
    assert router.history.asked == 1


async def test_a_replay_that_the_ledger_holds_is_not_decided_again(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAW is read again from its beginning, and her newer matters lie between: history says where it stands.

    What 0.1 took in leads nowhere; what this version takes in leads to where it was told.
    """
    opening, joining = (message(name, name, channel="email") for name in ("m1", "m2"))
    with monkeypatch.context() as older:
        older.setattr("services.router.domain.contacts._claim_references", lambda *_: None)
        await router.happens(opening, joining)
    for number in range(CONVERSATIONS_CONSIDERED):
        router.clock.time += timedelta(days=1)
        await router.happens(message("else", f"n{number}", channel="email", at=router.clock.time))
    for recorded in await router.recorded():
        router.history.sequences[recorded.event.id] = recorded.sequence
    assert await router.happens(opening, joining) == []
    assert router.history.asked == 2, "its own conversation is not at hand any more"


async def test_a_witness_that_the_ledger_contradicts_is_not_believed(
    router: InMemoryRouter,
) -> None:
    """History saw it in a ledger that was replaced by an older one: the event is decided, not dropped."""
    await router.happens(message("else", "m0"))
    for name, sequence in (("m1", 1), ("m2", 1_000)):
        lost = message("hello", name, at=router.clock.time - timedelta(days=2))
        router.history.sequences[lost.id] = sequence
        assert "message.received" in await router.happens(lost)


@pytest.mark.parametrize("lagging", ["cust-", "conv-"])
async def test_a_replica_that_lags_makes_no_second_matter(lagging: str) -> None:
    """Her number leads to a customer or a conversation that this replica does not have yet: the leader has it."""
    router = InMemoryRouter(lack=lambda aggregate: 1_000 if aggregate.startswith(lagging) else 0)
    await router.happens(call("started", "CA1"))
    await router.happens(call("started", "CA2"))
    assert len((await router.conversation()).contacts.by_id) == 2
