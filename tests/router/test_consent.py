"""Who does not want to be written to is not written to: it is known of her, whenever and as whom she said so."""

from datetime import datetime
from typing import Any

import pytest

from services.router.domain import folds
from shared import aggregates
from shared.events import ConsentGiven, ConsentWithdrawn, CustomerCreated
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import ANNA_ID, SHORT, a_router, answers, consents, later, writes
from tests.router.proved import registered
from tests.router.samples import NOON

WITHDRAWN = "message.consent_withdrawn"


async def refusal(router: InMemoryRouter, channel: str = "dove") -> str:
    """Return the code with which Piotr's message is refused."""
    it = await router.conversation()
    return await router.refused(
        "piotr", "send_message", conversation=it.id, channel=channel, text="Hello"
    )


async def test_who_withdrew_is_not_written_to_until_she_agrees_again() -> None:
    """On that channel; it is in the story of her matter, and belongs to her."""
    router = a_router()
    it = await router.owned_by("piotr", writes("Where is it?"))
    await router.happens(consents(ConsentWithdrawn))
    said = await router.last(ConsentWithdrawn)
    assert said.aggregate == aggregates.CUSTOMER.of((await router.customer()).id or "")
    assert said.conversation == it
    assert await refusal(router) == WITHDRAWN
    await router.happens(consents(ConsentGiven, "start-1", "START", at=later(60)))
    assert (await answers(router)).open.channel == "dove"


async def test_another_channel_is_not_concerned() -> None:
    """She blocked the one; she goes on by the other, and is answered there."""
    router = a_router()
    both = [{"kind": "account", "value": f"{name}:7", "verified": True} for name in SHORT]
    await router.does("service:shop", "register_customer", name="Anna", handles=both)
    await router.owned_by("piotr", writes("Where is it?", channel="raven"))
    await router.happens(consents(ConsentWithdrawn, channel="raven"))
    assert await refusal(router, "raven") == WITHDRAWN
    assert (await answers(router, channel="dove")).open.channel == "dove"


async def test_who_wants_no_advertising_is_answered() -> None:
    """It is on record, and says nothing of the answer that she waits for."""
    router = a_router()
    await router.owned_by("piotr", writes("Where is it?"))
    await router.happens(consents(ConsentWithdrawn, advertising=True))
    assert (await router.last(ConsentWithdrawn)).open.advertising
    assert (await answers(router)).open.channel == "dove"


@pytest.mark.parametrize(
    ("first", "second", "withdrew"),
    [
        ((ConsentWithdrawn, NOON), (ConsentGiven, later(60)), False),
        ((ConsentGiven, later(60)), (ConsentWithdrawn, NOON), False),
        ((ConsentGiven, NOON), (ConsentWithdrawn, later(60)), True),
        ((ConsentWithdrawn, later(60)), (ConsentGiven, NOON), True),
    ],
)
async def test_what_she_said_last_counts_whatever_comes_first(
    first: tuple[type[Any], datetime], second: tuple[type[Any], datetime], withdrew: bool
) -> None:
    """A delivery that comes late says what was, not what is."""
    router = a_router()
    await router.owned_by("piotr", writes("Where is it?"))
    router.clock.time = later(120)
    for number, (kind, at) in enumerate((first, second)):
        await router.happens(consents(kind, f"c-{number}", at=at))
    assert (await router.customer()).withdrew("dove") is withdrew


async def test_a_customer_without_a_matter_is_known_to_have_withdrawn() -> None:
    """She had only a newsletter from us; when she writes later, it is known."""
    router = a_router()
    anna = await registered(router, "Anna", account="dove:7")
    assert await router.happens(consents(ConsentWithdrawn)) == []
    assert (await router.load(folds.CUSTOMER, anna)).withdrew("dove")
    await router.owned_by("piotr", writes("Where is it?"))
    assert await refusal(router) == WITHDRAWN


async def test_nobody_goes_on_with_her_where_she_wants_no_messages() -> None:
    """A switch of channel asks for what a message there would ask for."""
    router = a_router()
    await router.owned_by("piotr", writes("Where is it?"))
    await router.happens(consents(ConsentWithdrawn))
    conversation = (await router.conversation()).id
    switch = {"conversation": conversation, "channel": "dove"}
    assert await router.refused("piotr", "switch_channel", **switch) == WITHDRAWN


async def test_who_was_never_heard_of_withdraws_and_is_known_by_it() -> None:
    """No conversation opens; she is found by the same handle when she writes."""
    router = a_router()
    await router.happens(consents(ConsentWithdrawn))
    assert await router.conversations() == []
    stranger = (await router.last(CustomerCreated)).customer
    await router.owned_by("piotr", writes("Where is it?"))
    assert (await router.conversation()).customer == stranger
    assert await refusal(router) == WITHDRAWN


async def test_an_agreement_of_nobody_stands_on_the_account() -> None:
    """Everybody may be written to who asks: nothing is to be remembered."""
    router = a_router()
    assert await router.happens(consents(ConsentGiven)) == ["consent.given"]
    assert (await router.last(ConsentGiven)).aggregate == aggregates.account("dove", "cote")
    await router.owned_by("piotr", writes("Where is it?"))
    await answers(router)


async def test_what_a_stranger_withdrew_holds_when_it_is_known_who_she_is() -> None:
    """An agent confirms who wrote: she is the registered customer, and still does not want it."""
    router = a_router()
    anna = await registered(router, "Anna", phone="+48600100200")
    await router.happens(consents(ConsentWithdrawn))
    it = await router.owned_by("piotr", writes("Where is it?"))
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    assert (await router.load(folds.CUSTOMER, anna)).withdrew("dove")
    assert await refusal(router) == WITHDRAWN


async def test_what_a_stranger_withdrew_holds_when_she_is_registered() -> None:
    """The shop links her account: both were she."""
    router = a_router()
    anna = await registered(router, "Anna", phone="+48600100200")
    await router.happens(consents(ConsentWithdrawn))
    handles_now = [
        {"kind": "phone", "value": "+48600100200", "verified": True},
        {"kind": "account", "value": f"dove:{ANNA_ID}", "verified": True},
    ]
    await router.does("service:shop", "register_customer", name="Anna", handles=handles_now)
    assert (await router.load(folds.CUSTOMER, anna)).withdrew("dove")


async def test_it_is_told_once_to_a_router_that_was_started_since() -> None:
    """The delivery comes again: nothing is written, also where she was nobody before."""
    for before in ([], [writes("Where is it?")]):
        for kind in (ConsentGiven, ConsentWithdrawn):
            router = a_router()
            await router.happens(*before)
            await router.happens(consents(kind))
            position = await router.ledger.position()
            router.ledger.forget_ids()
            router.restart()
            await router.intake.take(consents(kind))
            assert await router.ledger.position() == position


async def test_an_agreement_on_the_account_comes_again_after_she_is_known() -> None:
    """Unacknowledged when the router died; she wrote since: the ledger has it already."""
    router = a_router()
    given = consents(ConsentGiven)
    await router.happens(given)
    await router.happens(writes("Where is it?"))
    position = await router.ledger.position()
    router.restart()
    await router.intake.take(given)
    assert await router.ledger.position() == position
