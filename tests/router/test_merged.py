"""What becomes of a conversation that goes on in another one, for those who had to do with it."""

import msgspec
import pytest
from msgspec.structs import replace

from shared.conversation import Conversation
from shared.errors import TellonceError
from shared.events import EventId, MessageFailed, MessageRequested, MessageSent
from tests.router.in_memory_router import InMemoryRouter
from tests.router.proved import registered
from tests.router.samples import ANNA_MAIL, TENANT, bounce, mail, message, outcome


async def takes(router: InMemoryRouter, agent: str, number: int) -> Conversation:
    """The agent, the only one who is there, takes a conversation by its number."""
    await router.on_duty(agent)
    await router.offers()
    it = (await router.conversations())[number]
    assert it.ownership.offer is not None
    offer_id = it.ownership.offer.offer_id
    await router.does(agent, "accept_offer", conversation=it.id, offer_id=offer_id)
    return (await router.conversations())[number]


@pytest.fixture
async def merged(router: InMemoryRouter) -> tuple[Conversation, Conversation]:
    """Anna wrote a chat, which Piotr took and wrote an answer to; it goes on in her own matter, which Ewa has."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    typed = [mail("typo@customer.example", "claimed")]
    await router.happens(message("hello", "s1", handles=typed))
    asking = await takes(router, "piotr", 0)
    await router.does("piotr", "send_message", conversation=asking.id, channel="email", text="hi")
    await router.does("piotr", "set_status", status="away")
    await router.happens(message("my parcel", "m1", channel="email"))
    await takes(router, "ewa", 1)
    await router.does("piotr", "confirm_customer", conversation=asking.id, customer=anna)
    asking, matter = await router.conversations()
    assert (asking.into, matter.ownership.owner) == (matter.id, "ewa")
    return asking, matter


async def test_a_refusal_says_where_a_merged_conversation_goes_on(
    router: InMemoryRouter, merged: tuple[Conversation, Conversation]
) -> None:
    """Whoever still has it before her on the screen is led there."""
    asking, matter = merged
    body = router.body("piotr", "resolve", conversation=asking.id)
    with pytest.raises(TellonceError) as refusal:
        await router.commands.handle("resolve", TENANT, body)
    assert (refusal.value.code, refusal.value.details) == (
        "conversation.resolved",
        {"into": matter.id},
    )
    assert msgspec.json.encode(refusal.value.problem())


@pytest.mark.parametrize("before", [None, MessageSent])
async def test_what_becomes_of_a_message_is_told_where_its_matter_goes_on(
    router: InMemoryRouter,
    merged: tuple[Conversation, Conversation],
    before: type[MessageSent] | None,
) -> None:
    """A mail that was written before comes back: whoever has the matter now has to know, once."""
    _, matter = merged
    request = await router.last(MessageRequested)
    if before is not None:
        assert await router.happens(outcome(request, before)) == ["message.sent"]
    assert await router.happens(bounce(request)) == ["message.failed"]
    failed = await router.last(MessageFailed)
    assert (failed.conversation, failed.customer) == (matter.id, matter.customer)
    once_more = replace(bounce(request), id=EventId("another"))
    assert await router.happens(once_more) == ["message.failed"]
    again = await router.last(MessageFailed)
    assert again.aggregate.startswith("chan-"), "what tells nothing new stands on its account"
    _, matter = await router.conversations()
    assert matter.talk.outbound[request.open.message_id].status == "failed"


async def test_an_answer_there_is_one_here(
    merged: tuple[Conversation, Conversation],
) -> None:
    """For lines and circles, and for which answer she waits for."""
    asking, matter = merged
    assert asking.levels.written is not None
    assert (matter.levels.answered, matter.levels.written) == (True, asking.levels.written)
