"""The agent's work on a conversation, and its end."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.events import (
    ConversationResolved,
    InboundEvent,
    MessageFailed,
    MessageRequested,
    MessageSent,
    MessageUncertain,
    PromiseKept,
    PromiseMade,
)
from shared.handles import of
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import ANNA, bounce, call, form, mail, message, outcome, phone

WRAPPED = {"disposition": "solved", "summary": "the parcel was found"}


async def test_a_promise_is_kept_in_time_or_late(router: InMemoryRouter) -> None:
    """Late is after its due time; kept once is enough."""
    it = await router.owned_by("piotr", message("hello"))
    due = router.clock.time + timedelta(minutes=10)
    for text in ("I call you", "I send it"):
        await router.does("piotr", "make_promise", conversation=it, text=text, due=due)
    first, second = [each.open.promise_id for each in await router.all(PromiseMade)]
    await router.passes(600)
    assert await router.does("ewa", "keep_promise", conversation=it, promise_id=first) == [
        "promise.kept"
    ]
    assert (await router.last(PromiseKept)).open.late is False
    await router.passes(1)
    await router.does("ewa", "keep_promise", conversation=it, promise_id=second)
    assert (await router.last(PromiseKept)).open.late is True
    assert await router.does("ewa", "keep_promise", conversation=it, promise_id=second) == []
    code = await router.refused("ewa", "keep_promise", conversation=it, promise_id="p0")
    assert code == "promise.not_open"


@pytest.mark.parametrize(
    "due", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T11:59:59Z"]
)
async def test_a_promise_is_due_after_it_is_made_and_within_ten_years(
    router: InMemoryRouter, due: str
) -> None:
    """No calendar can hold some of these times, and nobody could keep any of them."""
    it = await router.owned_by("piotr", message("hello"))
    code = await router.refused("piotr", "make_promise", conversation=it, text="x", due=due)
    assert code == "promise.due_invalid"


async def test_a_promise_outlives_the_matter(router: InMemoryRouter) -> None:
    """What was promised can be kept after the conversation was resolved; nothing else happens there any more."""
    it = await router.owned_by("piotr", message("hello"))
    due = router.clock.time + timedelta(hours=2)
    await router.does("piotr", "make_promise", conversation=it, text="I call you", due=due)
    promise = (await router.last(PromiseMade)).open.promise_id
    await router.does("piotr", "wrap_up", conversation=it, **WRAPPED)
    await router.does("piotr", "resolve", conversation=it)
    assert await router.does("piotr", "keep_promise", conversation=it, promise_id=promise) == [
        "promise.kept"
    ]
    await check(router)
    refused = await router.refused("piotr", "wrap_up", conversation=it, **WRAPPED)
    assert refused == "conversation.resolved"


async def test_a_message_goes_to_the_verified_address(router: InMemoryRouter) -> None:
    """From the tenant's mailbox, in answer to the customer's last mail, with the account's title by default."""
    handles = [
        {"kind": "email", "value": "old@customer.example"},
        {"kind": "email", "value": " Anna@Customer.Example ", "verified": True},
    ]
    await router.does("service:shop", "register_customer", name="Anna", handles=handles)
    it = await router.owned_by("piotr", message("hello", "m1", channel="email"))
    fields = {"conversation": it, "channel": "email", "text": "Dear Anna"}
    assert await router.does("piotr", "send_message", **fields) == ["message.requested"]
    requested = await router.last(MessageRequested)
    assert requested.personal is not None
    assert requested.personal.to == "anna@customer.example"
    assert requested.personal.title == "Your request"
    assert requested.personal.in_reply_to == "m1-0"
    assert (requested.open.account, requested.open.agent) == ("shop", "piotr")
    assert (await router.conversation()).talk.unanswered == 0
    assert await router.refused("ewa", "send_message", **fields) == "conversation.not_owned"


async def test_what_became_of_a_message_is_recorded_once(router: InMemoryRouter) -> None:
    """Delivered again, a day later, or with another ending: the first report stands."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Hello")
    request = await router.last(MessageRequested)
    assert await router.happens(outcome(request, MessageSent)) == ["message.sent"]
    router.clock.time += timedelta(days=2)
    router.ledger.forget_ids()
    assert await router.happens(outcome(request, MessageSent)) == []
    assert await router.happens(outcome(request, MessageUncertain)) == []
    (sent,) = (await router.conversation()).talk.outbound.values()
    assert sent.status == "sent"


@pytest.mark.parametrize("before", [None, MessageSent, MessageUncertain])
async def test_a_message_that_came_back_has_failed(
    router: InMemoryRouter, before: type[MessageSent | MessageUncertain] | None
) -> None:
    """Whatever was believed of it: also a mail that the server took. It is no new contact, and nobody waits anew."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Hello")
    request = await router.last(MessageRequested)
    if before is not None:
        await router.happens(outcome(request, before))
    contacts = (await router.conversation()).contacts
    assert await router.happens(bounce(request)) == ["message.failed"]
    after = await router.conversation()
    assert [each.status for each in after.talk.outbound.values()] == ["failed"]
    assert (after.contacts, after.talk.unanswered) == (contacts, 0)
    failed = await router.last(MessageFailed)
    assert (failed.conversation, failed.customer) == (it, after.customer)
    assert await router.happens(outcome(request, MessageSent)) == []


@pytest.mark.parametrize(
    "changes", [{"message_id": "m0"}, {"channel": "sms"}], ids=["message", "channel"]
)
async def test_what_names_no_message_of_ours_changes_no_conversation(
    router: InMemoryRouter, changes: Any
) -> None:
    """A forged or foreign report is kept with its account, once, so that no delivery is lost; nobody is told."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Hello")
    strange = bounce(await router.last(MessageRequested), **changes)
    assert await router.happens(strange) == ["message.failed"]
    failed = await router.last(MessageFailed)
    assert (failed.aggregate[:5], failed.conversation) == ("chan-", None)
    (sent,) = (await router.conversation()).talk.outbound.values()
    assert sent.status == "requested"


@pytest.mark.parametrize("refers_to", [None, "o1@elsewhere.example"])
async def test_a_report_about_a_mail_of_others_is_kept_with_its_account(
    router: InMemoryRouter, refers_to: str | None
) -> None:
    """Somebody wrote it in a program of his own, and it came back: it names that mail, or none at all."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Hello")
    known = bounce(await router.last(MessageRequested))
    opened = replace(known.open, message_id=None, refers_to=refers_to)
    report = replace(known, conversation=None, data=replace(known.data, open=opened))
    assert await router.happens(report) == ["message.failed"]
    assert (await router.last(MessageFailed)).aggregate[:5] == "chan-"
    assert await router.happens(report) == []
    (sent,) = (await router.conversation()).talk.outbound.values()
    assert sent.status == "requested"


async def test_a_message_that_failed_before_does_not_fail_again(router: InMemoryRouter) -> None:
    """A report about a mail that never left is kept with its account."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Hello")
    request = await router.last(MessageRequested)
    await router.happens(outcome(request, MessageFailed))
    await router.happens(bounce(request))
    assert [each.aggregate[:5] for each in await router.all(MessageFailed)] == ["conv-", "chan-"]


async def test_without_an_address_nothing_can_be_sent(router: InMemoryRouter) -> None:
    """A caller of whom only the number is known."""
    it = await router.owned_by("piotr", call("started"))
    code = await router.refused(
        "piotr", "send_message", conversation=it, channel="email", text="Dear Anna"
    )
    assert code == "message.no_address"


async def test_an_account_writes_to_handles_of_its_own_kind(router: InMemoryRouter) -> None:
    """From a number to a number, and without the mail that it would answer."""
    handles = [
        {"kind": "email", "value": "anna@customer.example", "verified": True},
        {"kind": "phone", "value": ANNA, "verified": True},
    ]
    await router.does("service:shop", "register_customer", name="Anna", handles=handles)
    it = await router.owned_by("piotr", message("hello", "m1", channel="email"))
    await router.does("piotr", "send_message", conversation=it, channel="sms", text="Dear Anna")
    requested = await router.last(MessageRequested)
    assert requested.personal is not None
    assert (requested.personal.to, requested.personal.in_reply_to) == (ANNA, None)
    assert (requested.open.channel, requested.open.account) == ("sms", "shop")


async def test_an_answer_in_the_chat_goes_to_the_page_on_which_she_wrote_last(
    router: InMemoryRouter,
) -> None:
    """Each session is a page; that nobody vouches for who sits there keeps no answer back."""
    it = ""
    for name in ("phone", "desk"):
        handles = [mail(proof="proved"), of("account", f"chat:{name}", "claimed")]
        event = message(f"from the {name}", name, channel="chat", handles=handles)
        it = it or await router.owned_by("piotr", event)
        await router.happens(event)
        await router.does("piotr", "send_message", conversation=it, channel="chat", text="Yes")
        requested = await router.last(MessageRequested)
        assert requested.personal is not None
        assert (requested.personal.to, requested.open.account) == (f"chat:{name}", "shop")


async def test_who_wrote_on_no_page_of_her_own_cannot_be_answered_there(
    router: InMemoryRouter,
) -> None:
    """Her page's session is none that only she knows."""
    it = await router.owned_by("piotr", message("hello", channel="chat"))
    code = await router.refused(
        "piotr", "send_message", conversation=it, channel="chat", text="Yes"
    )
    assert code == "message.no_address"


@pytest.mark.parametrize("channel", ["form", "pigeon"])
async def test_a_channel_that_has_no_address_of_its_own_sends_nothing(
    router: InMemoryRouter, channel: str
) -> None:
    """The contact form and what the policy does not have at all: nothing could leave from there."""
    it = await router.owned_by("piotr", message("hello"))
    code = await router.refused(
        "piotr", "send_message", conversation=it, channel=channel, text="Dear Anna"
    )
    assert code == "message.channel_unknown"


async def test_a_matter_ends_when_its_contacts_are_wrapped_up(router: InMemoryRouter) -> None:
    """A contact without a wrap-up keeps it open; the owner's slot is free after the end."""
    it = await router.owned_by("piotr", form("hello", handles=[phone()]))
    assert await router.refused("piotr", "resolve", conversation=it) == (
        "conversation.not_wrapped_up"
    )
    assert await router.does("piotr", "wrap_up", conversation=it, **WRAPPED) == [
        "contact.wrapped_up",
        "contact.completed",
    ]
    assert await router.does("piotr", "wrap_up", conversation=it, **WRAPPED) == []
    assert await router.refused("ewa", "resolve", conversation=it) == "conversation.not_owned"
    resolve = {"conversation": it, "confirmed_by_customer": True}
    assert await router.does("piotr", "resolve", **resolve) == [
        "conversation.resolved",
        "agent.released",
    ]
    assert (await router.last(ConversationResolved)).open.confirmed_by_customer is True
    await check(router)


async def test_nothing_that_was_written_after_the_wrap_up_is_closed_over(
    router: InMemoryRouter,
) -> None:
    """She writes on in the same chat: somebody has to look at that, and to say how it went."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "wrap_up", conversation=it, **WRAPPED)
    await router.happens(message("wait, it is the wrong locker", k=1))
    assert await router.refused("piotr", "resolve", conversation=it) == (
        "conversation.not_wrapped_up"
    )
    assert await router.does("piotr", "wrap_up", conversation=it, **WRAPPED) == [
        "contact.wrapped_up",
        "contact.completed",
    ]
    assert "conversation.resolved" in await router.does("piotr", "resolve", conversation=it)
    await check(router)


@pytest.mark.parametrize("verb", ["wrap_up", "resolve", "transfer"])
@pytest.mark.parametrize(
    "later", [message("wait", k=1), message("wait", "s2"), call("started", handles=[mail()])]
)
async def test_who_says_what_she_saw_passes_over_nothing_that_came_later(
    router: InMemoryRouter, verb: str, later: InboundEvent
) -> None:
    """What the customer wrote, or that she calls, while the agent was about to end it or to hand it on."""
    it = await router.owned_by("piotr", message("hello", handles=[mail()]))
    await router.does("piotr", "wrap_up", conversation=it, **WRAPPED)
    seen = (await router.conversation()).sequence
    every: dict[str, dict[str, Any]] = {
        "wrap_up": WRAPPED,
        "resolve": {},
        "transfer": {"to": {"queue": "warehouse"}, "kind": "cold", "brief": "please"},
    }
    await router.happens(later)
    said = {"conversation": it, **every[verb]}
    assert await router.refused("piotr", verb, expected={"sequence": seen}, **said) == (
        "command.stale"
    )
    if verb != "resolve":
        seen = (await router.conversation()).heard
        await router.does("piotr", verb, expected={"sequence": seen}, **said)


async def test_what_a_machine_writes_after_the_wrap_up_is_nothing_to_look_at(
    router: InMemoryRouter,
) -> None:
    """Nobody waits for an answer to it."""
    it = await router.owned_by("piotr", message("hello", handles=[mail()]))
    await router.does("piotr", "wrap_up", conversation=it, **WRAPPED)
    seen = (await router.conversation()).sequence
    await router.happens(message("I am on holiday", k=1, handles=[mail()], automatic=True))
    assert await router.does("piotr", "resolve", conversation=it, expected={"sequence": seen})


async def test_a_call_is_complete_when_it_is_wrapped_up_and_over(router: InMemoryRouter) -> None:
    """In either order, once."""
    it = await router.owned_by("piotr", call("started"), call("answered"))
    assert await router.does("piotr", "wrap_up", conversation=it, **WRAPPED) == [
        "contact.wrapped_up"
    ]
    assert await router.happens(call("ended")) == ["call.ended", "contact.completed"]
    await router.happens(call("started", "CA2"), call("answered", "CA2"), call("ended", "CA2"))
    assert await router.does("piotr", "wrap_up", conversation=it, **WRAPPED) == [
        "contact.wrapped_up",
        "contact.completed",
    ]


async def test_one_contact_can_be_wrapped_up_alone(router: InMemoryRouter) -> None:
    """The others still wait for theirs."""
    it = await router.owned_by("piotr", message("a", "m1"), message("b", "m2"))
    first, second = (await router.conversation()).contacts.by_id
    await router.does("piotr", "wrap_up", conversation=it, contact_id=second, **WRAPPED)
    contacts = (await router.conversation()).contacts.by_id
    assert [contacts[each].wrapped_up for each in (first, second)] == [False, True]


async def test_a_ringing_call_cannot_be_wrapped_up(router: InMemoryRouter) -> None:
    """Nobody spoke to the caller: the matter stays open until somebody did, or she hung up and is owed a call."""
    it = await router.owned_by("piotr", message("hello", handles=[phone()]))
    await router.happens(call("started", "CA2"))
    await router.does("piotr", "wrap_up", conversation=it, **WRAPPED)
    assert await router.refused("piotr", "resolve", conversation=it) == (
        "conversation.not_wrapped_up"
    )
    await router.happens(call("ended", "CA2"))
    assert await router.does("piotr", "resolve", conversation=it) == [
        "callback.closed",
        "conversation.resolved",
        "agent.released",
    ]
    await check(router)


async def test_the_end_takes_an_open_transfer_back(router: InMemoryRouter) -> None:
    """A colleague who was asked is free again."""
    it = await router.owned_by("piotr", message("hello"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.offers()
    await router.does("piotr", "wrap_up", conversation=it, **WRAPPED)
    types = await router.does("piotr", "resolve", conversation=it)
    assert types[:2] == ["transfer.cancelled", "conversation.resolved"]
    assert (await router.agent("marek")).working_on == frozenset()
    await check(router)


async def test_the_end_of_a_call_after_the_matter_was_resolved_is_kept(
    router: InMemoryRouter,
) -> None:
    """The channel's report belongs to the contact, and opens nothing."""
    it = await router.owned_by("piotr", call("started"), call("answered"))
    await router.does("piotr", "wrap_up", conversation=it, **WRAPPED)
    await router.does("piotr", "resolve", conversation=it)
    assert await router.happens(call("ended")) == ["call.ended", "contact.completed"]
    await check(router)


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("make_promise", {"text": "ä" * 300, "due": "2026-11-23T12:00:00Z"}),
        ("wrap_up", {"disposition": "x", "summary": "ä" * 300}),
        ("wrap_up", {"disposition": "x", "summary": "x", "next_step": "ä" * 300}),
        ("transfer", {"to": {"agent": "marek"}, "kind": "warm", "brief": "ä" * 300}),
        ("record_fact", {"fact": "wish", "value": "ä" * 300}),
    ],
)
async def test_what_a_packet_must_hold_is_limited_where_it_is_recorded(
    router: InMemoryRouter, verb: str, fields: dict[str, Any]
) -> None:
    """600 bytes in 300 characters are refused, with the limit."""
    it = await router.owned_by("piotr", message("hello"))
    assert await router.refused("piotr", verb, conversation=it, **fields) == "text.too_long"


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("make_promise", {"text": "a\0b", "due": "2026-11-23T12:00:00Z"}),
        ("wrap_up", {"disposition": "x", "summary": "\0"}),
        ("transfer", {"to": {"agent": "marek"}, "kind": "warm", "brief": "\0"}),
        ("record_fact", {"fact": "wish", "value": "\0"}),
        ("send_message", {"channel": "email", "text": "\0"}),
        ("send_message", {"channel": "email", "text": "x", "title": "\0"}),
    ],
)
async def test_a_nul_byte_is_refused(
    router: InMemoryRouter, verb: str, fields: dict[str, Any]
) -> None:
    """No store of text takes it."""
    it = await router.owned_by("piotr", message("hello"))
    assert await router.refused("piotr", verb, conversation=it, **fields) == "text.has_nul"


async def test_a_contact_of_another_conversation_is_refused(router: InMemoryRouter) -> None:
    """A command that names a contact means that one; it does not silently mean another, or none."""
    it = await router.owned_by("piotr", message("hello"))
    other = {"conversation": it, "contact_id": "nowhere"}
    assert await router.refused("piotr", "wrap_up", **other, **WRAPPED) == "contact.unknown"
    fact = {"fact": "locker", "value": "KRA01M"}
    assert await router.refused("piotr", "record_fact", **other, **fact) == "contact.unknown"


async def test_a_name_with_a_line_end_is_unreadable(router: InMemoryRouter) -> None:
    """A pattern's end is the text's end: a line end after it is not part of a name."""
    it = await router.owned_by("piotr", message("hello"))
    fact = {"conversation": it, "fact": "locker\n", "value": "KRA01M"}
    assert await router.refused("piotr", "record_fact", **fact) == "command.unreadable"
