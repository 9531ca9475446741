"""What the caller spoke on the machine stands with what she said, in words as soon as a machine has heard them."""

from shared.events import CallbackRequested
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import call, message, phone

WORDS = "Paczka nie przyszła, ORD-1234"


async def test_a_voicemail_frees_whom_the_call_was_offered_to(router: InMemoryRouter) -> None:
    """She waits no longer on the line: the agent whose telephone rang has her slot again."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    assert (await router.offers())[-1] == "agent.reserved"
    assert "agent.released" in await router.happens(call("voicemail"))


async def test_its_words_come_later_and_count_once(router: InMemoryRouter) -> None:
    """They state what she told; she still waits for one answer, and one call."""
    await router.happens(call("started"), call("voicemail"), call("ended"))
    heard = (await router.conversation()).heard
    types = await router.happens(call("voicemail", k=1, words=WORDS))
    assert types == ["call.voicemail_left", "fact.stated"]
    it = await router.conversation()
    assert [(each.text, each.by) for each in it.talk.said] == [
        ("[voicemail]", "customer"),
        (WORDS, "customer"),
    ]
    assert (it.talk.unanswered, len(it.matter.callbacks), it.heard) == (1, 1, heard)


async def test_it_comes_late_and_again_without_effect(router: InMemoryRouter) -> None:
    """A call that was lost already is owed once, whichever report is first; the same again is nothing."""
    await router.happens(call("started"), call("ended"))
    assert await router.happens(call("voicemail")) == ["call.voicemail_left"]
    assert await router.happens(call("voicemail")) == []
    assert len(await router.all(CallbackRequested)) == 1


async def test_an_owners_caller_who_leaves_a_voicemail_is_called_back(
    router: InMemoryRouter,
) -> None:
    """The matter stays hers."""
    await router.owned_by("piotr", message("hello", handles=[phone()]))
    await router.happens(call("started", "CA2"))
    types = await router.happens(call("voicemail", "CA2"))
    assert types == ["call.voicemail_left", "contact.missed", "callback.requested"]
    assert (await router.conversation()).ownership.owner == "piotr"
