"""Whoever hung up is called back, and what machines send is nobody's request."""

from datetime import timedelta

import pytest

from shared.events import (
    CallbackRequested,
    ChannelSwitched,
    ContactAbandoned,
    ContactMissed,
    ContextPackaged,
    ConversationId,
    Handle,
    InboundEvent,
    Numbered,
)
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import call, mail, message, phone


async def test_a_call_that_ends_unanswered_owes_a_callback(router: InMemoryRouter) -> None:
    """Abandoned: recorded with the queue it waited in and the time until which somebody calls back."""
    await router.happens(call("started"), call("answered"))
    assert await router.happens(call("ended")) == [
        "call.ended",
        "contact.abandoned",
        "callback.requested",
    ]
    lost, owed = await router.last(ContactAbandoned), await router.last(CallbackRequested)
    assert lost.open.callback_id == owed.open.callback_id
    assert (owed.open.queue, owed.open.reason) == ("hotline", "abandoned")
    assert owed.open.due == router.clock.time + timedelta(seconds=900)


async def test_a_call_that_never_connected_owes_a_callback(router: InMemoryRouter) -> None:
    """Missed, as the first thing heard of the customer: a conversation of its own in the account's queue."""
    types = await router.happens(call("missed"))
    assert types[-3:] == ["call.missed", "contact.missed", "callback.requested"]
    it = await router.conversation()
    assert (it.ownership.queue, it.ownership.first_queue, it.waiting_contact) == (
        "hotline",
        "hotline",
        None,
    )
    assert (await router.last(ContactMissed)).open.contact_id in it.contacts.by_id


@pytest.mark.parametrize(
    ("kind", "lost", "reason"),
    [
        ("voicemail", "contact.missed", "voicemail"),
        ("abandoned", "contact.abandoned", "abandoned"),
    ],
)
async def test_who_hung_up_in_a_queue_or_spoke_on_the_machine_is_called_back(
    router: InMemoryRouter, kind: str, lost: str, reason: str
) -> None:
    """A machine had connected the call: nobody spoke with her. The call's own end owes nothing more."""
    await router.happens(call("started"), call("answered"))
    types = await router.happens(call(kind))
    assert types[1:] == [lost, "callback.requested"]
    assert (await router.last(CallbackRequested)).open.reason == reason
    assert await router.happens(call("ended")) == ["call.ended"]
    (it,) = await router.conversations()
    assert [each.status for each in it.contacts.by_id.values()] == ["lost"]


@pytest.mark.parametrize("kind", ["voicemail", "abandoned"])
async def test_a_lost_call_that_nothing_was_heard_of_before_opens_a_conversation(
    router: InMemoryRouter, kind: str
) -> None:
    """Whatever of a call is heard first begins it."""
    types = await router.happens(call(kind))
    assert types[-1] == "callback.requested"
    assert (await router.conversation()).ownership.first_queue == "hotline"


@pytest.mark.parametrize("kind", ["recorded", "transferred"])
async def test_what_the_exchange_did_with_a_call_asks_for_nothing(
    router: InMemoryRouter, kind: str
) -> None:
    """It stands in the call's conversation, and opens none by itself."""
    await router.happens(call(kind, "CA9"))
    assert await router.conversations() == []
    await router.owned_by("piotr", call("started"))
    assert await router.happens(call(kind)) == [f"call.{kind}"]
    assert (await router.conversation()).waiting_contact is None


async def test_repeated_tries_share_one_callback(router: InMemoryRouter) -> None:
    """She tried three times; she is owed one call."""
    await router.happens(call("missed", "CA1"), call("missed", "CA2"))
    await router.happens(call("started", "CA3"), call("ended", "CA3"))
    assert len(await router.all(CallbackRequested)) == 1
    (it,) = await router.conversations()
    assert len(it.matter.callbacks) == 1
    assert [each.status for each in it.contacts.by_id.values()] == ["lost"] * 3


async def test_a_lost_call_after_a_closed_callback_owes_a_new_one(router: InMemoryRouter) -> None:
    """Only an open callback is shared."""
    await router.happens(call("missed", "CA1"))
    it = await router.conversation()
    (key,) = it.matter.callbacks
    await router.does("piotr", "close_callback", conversation=it.id, callback_id=key, reason="spam")
    await router.happens(call("missed", "CA2"))
    assert len((await router.conversation()).matter.callbacks) == 2


async def test_an_accepted_call_that_ends_owes_nothing(router: InMemoryRouter) -> None:
    """An agent had it."""
    await router.owned_by("piotr", call("started"), call("answered"))
    assert await router.happens(call("ended")) == ["call.ended"]


async def test_an_unanswered_call_to_an_owner_owes_a_callback_and_stays_hers(
    router: InMemoryRouter,
) -> None:
    """The owner did not pick up: a callback is owed, the conversation does not go to a queue."""
    await router.owned_by("piotr", message("hello", handles=[phone()]))
    await router.happens(call("started", "CA2"))
    types = await router.happens(call("ended", "CA2"))
    assert types == ["call.ended", "contact.abandoned", "callback.requested"]
    it = await router.conversation()
    assert (it.ownership.owner, it.ownership.queue) == ("piotr", None)


async def test_a_call_known_only_by_a_later_event_is_offered_all_the_same(
    router: InMemoryRouter,
) -> None:
    """The provider's first webhook was lost: any event of a call begins its contact."""
    await router.on_duty("piotr")
    await router.happens(call("menu"))
    assert (await router.offers())[-1] == "agent.reserved"
    await router.happens(call("started"))
    assert len((await router.conversation()).contacts.by_id) == 1


async def test_a_call_known_only_by_its_end_is_lost(router: InMemoryRouter) -> None:
    """Nobody had it: a callback is owed."""
    assert (await router.happens(call("ended")))[-1] == "callback.requested"


async def called_back(router: InMemoryRouter, agent: str, outcome: str) -> list[str]:
    it = await router.conversation()
    (key,) = it.matter.callbacks
    return await router.does(
        agent, "attempt_callback", conversation=it.id, callback_id=key, outcome=outcome
    )


async def test_a_callback_that_reaches_the_customer_is_a_hand_over(router: InMemoryRouter) -> None:
    """It carries the packet, takes a slot and makes the agent the owner."""
    await router.happens(call("missed"))
    assert await called_back(router, "ewa", "no_answer") == ["callback.attempted"]
    assert await called_back(router, "ewa", "reached") == [
        "context.packaged",
        "callback.reached",
        "agent.reserved",
    ]
    it = await router.conversation()
    assert (it.ownership.owner, [each.status for each in it.matter.callbacks.values()]) == (
        "ewa",
        ["reached"],
    )
    personal = (await router.last(ContextPackaged)).personal
    assert personal is not None
    assert personal.packet.open.callbacks[0].attempts == 1
    await check(router)


async def test_a_callback_frees_whoever_else_was_asked(router: InMemoryRouter) -> None:
    """An offer to a colleague is void when somebody reached the customer."""
    await router.happens(call("missed"))
    await router.on_duty("piotr")
    await router.happens(message("why?", handles=[phone()]))
    await router.offers()
    assert (await router.agent("piotr")).working_on
    await called_back(router, "marek", "reached")
    await check(router)
    assert (await router.conversation()).ownership.owner == "marek"


# -- machines -------------------------------------------------------------------------------------------


async def test_an_automatic_mail_into_an_open_matter_is_nobodys_request(
    router: InMemoryRouter,
) -> None:
    """It is kept with the matter: no channel switch, no queue, nothing to answer or to wrap up."""
    it = await router.owned_by("piotr", call("started"))
    await router.does("piotr", "set_status", status="signed_out")
    reply = message("I am away", channel="email", automatic=True, in_reply_to=it, handles=[mail()])
    types = await router.happens(reply)
    assert "message.received" in types
    assert not {"contact.queued", "channel.switched"} & set(types)
    after = await router.conversation()
    assert (after.ownership.owner, len(after.contacts.by_id), after.talk.unanswered) == (
        "piotr",
        1,
        0,
    )
    assert [said.text for said in after.talk.said] == ["I am away"]
    assert await router.all(ChannelSwitched) == []


async def test_an_automatic_answer_to_a_resolved_matter_opens_none(router: InMemoryRouter) -> None:
    """Who is away answers our last mail: it lies with what it answers, and nobody is asked."""
    it = await router.owned_by("piotr", message("hello", channel="email", handles=[mail()]))
    await router.does("piotr", "wrap_up", conversation=it, disposition="solved", summary="done")
    await router.does("piotr", "resolve", conversation=it)
    reply = message("I am away", "m2", channel="email", automatic=True, in_reply_to=it)
    types = await router.happens(reply)
    assert "message.received" in types
    assert not {"conversation.opened", "contact.queued"} & set(types)
    (only,) = await router.conversations()
    assert only.resolved
    thanks = message("thank you", "m3", channel="email", in_reply_to=it, handles=[mail()])
    assert "conversation.opened" in await router.happens(thanks)


async def test_an_automatic_mail_out_of_nowhere_waits_for_somebody(router: InMemoryRouter) -> None:
    """Nobody knows whose it is: it is not lost, and it is not the customer's words."""
    types = await router.happens(message("failure", channel="email", automatic=True))
    assert types[-1] == "contact.queued"
    it = await router.conversation()
    assert (it.matter.summary, it.talk.unanswered) == (None, 0)


def conference(number: int, name: str = "CF1") -> Numbered:
    return Numbered(series=name, number=number)


@pytest.mark.parametrize(
    ("reports", "on_hold"),
    [
        ([("resumed", conference(6)), ("held", conference(5))], False),
        ([("held", conference(5)), ("resumed", conference(6)), ("held", conference(7))], True),
        ([("held", conference(9)), ("resumed", conference(1, "CF2"))], False),
        ([("held", None), ("resumed", None)], False),
        ([("ended", None), ("held", conference(5))], False),
    ],
    ids=["overtaken", "in order", "another conference", "without numbers", "after the end"],
)
async def test_a_report_that_was_overtaken_holds_nobody(
    router: InMemoryRouter, reports: list[tuple[str, Numbered | None]], on_hold: bool
) -> None:
    """What the provider numbers as earlier, or what comes after the end, does not undo what came first."""
    await router.owned_by("piotr", call("started"))
    for k, (kind, numbered) in enumerate(reports):
        await router.happens(call(kind, k=k, numbered=numbered))
    (contact,) = (await router.conversation()).contacts.by_id.values()
    assert contact.on_hold is on_hold


# -- what is heard of a call too late -----------------------------------------------------------------


async def called_and_over(router: InMemoryRouter, *events: InboundEvent) -> None:
    """A call whose beginning nobody reported; an agent took it, and closed the matter."""
    it = await router.owned_by("piotr", *events)
    await router.happens(call("ended", handles=[]))
    await closes(router, it)


async def closes(router: InMemoryRouter, it: ConversationId | None) -> None:
    await router.does("piotr", "wrap_up", conversation=it, disposition="solved", summary="done")
    await router.does("piotr", "resolve", conversation=it)


@pytest.mark.parametrize("late", ["started", "missed"])
@pytest.mark.parametrize("handles", [[phone()], []], ids=["known", "withheld"])
async def test_what_is_heard_of_a_call_that_is_over_begins_nothing(
    router: InMemoryRouter, late: str, handles: list[Handle]
) -> None:
    """Its matter is closed: the report stands there, nobody is asked to take it and no call is owed."""
    await called_and_over(router, call("answered", handles=handles))
    assert await router.happens(call(late, handles=handles)) == [f"call.{late}"]
    assert (await router.conversation()).resolved
    assert await router.offers() == []


@pytest.mark.parametrize("late", ["started", "missed"])
async def test_a_call_that_was_called_back_is_owed_no_second_one(
    router: InMemoryRouter, late: str
) -> None:
    """It was lost, the customer was reached and the matter closed before this was heard."""
    await router.on_duty("piotr")
    await router.happens(call("ended"))
    it = await router.conversation()
    (owed,) = it.matter.callbacks
    given = {"callback_id": owed, "outcome": "reached"}
    await router.does("piotr", "attempt_callback", conversation=it.id, **given)
    await closes(router, it.id)
    assert await router.happens(call(late)) == [f"call.{late}"]


async def test_whose_number_it_became_since_changes_nothing_for_a_call(
    router: InMemoryRouter,
) -> None:
    """Its late beginning stands where the call was, not in a matter of whoever holds the number by now."""
    await router.does("service:shop", "register_customer", name="Anna", handles=[])
    anna = router.done.events[0].aggregate.removeprefix("cust-")
    await called_and_over(router, call("answered"))
    await router.happens(call("started", "CA2"))
    it = await router.taken("piotr")
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    await router.happens(call("started"))
    first, second = await router.conversations()
    assert (first.customer != second.customer, second.customer) == (True, anna)
    assert [len(each.contacts.by_id) for each in (first, second)] == [1, 1]


async def test_a_late_beginning_does_not_take_a_matter_from_its_owner(
    router: InMemoryRouter,
) -> None:
    """She is gone, and the call that is reported is over: nobody has to take it in her place."""
    await router.owned_by("piotr", call("answered"))
    await router.happens(call("ended"))
    await router.does("piotr", "set_status", status="signed_out")
    assert await router.happens(call("started")) == ["call.started"]
    assert (await router.conversation()).ownership.owner == "piotr"
