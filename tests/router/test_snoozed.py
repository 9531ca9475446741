"""What is put aside, with timers, memory and the dispatcher around it."""

from datetime import timedelta

from shared.events import ContactOffered, ConversationWoken
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check, check_owners
from tests.router.samples import call, form, mail, message


async def put_aside(router: InMemoryRouter, seconds: int = 3_600) -> str:
    """Piotr, who is on duty, has a chat and puts it aside."""
    conversation = await router.owned_by("piotr", message("hello"))
    until = router.clock.time + timedelta(seconds=seconds)
    await router.does("piotr", "snooze", conversation=conversation, until=until)
    await check(router)
    return conversation


async def test_its_timer_wakes_it_once(router: InMemoryRouter) -> None:
    """Armed with the event, due at its time, and asked again for nothing."""
    await put_aside(router)
    (armed,) = [each for each in router.timers.armed if each.kind == "snooze_over"]
    assert armed.due == router.clock.time + timedelta(hours=1)
    assert await router.passes(3_599) == []
    assert await router.passes(1) == ["conversation.woken", "agent.reserved"]
    assert await router.passes(3_600) == []
    await check(router)


async def test_an_owner_who_has_gone_keeps_it_until_it_comes_back(router: InMemoryRouter) -> None:
    """Then it waits in its queue in the same decision, and a colleague is asked."""
    await put_aside(router)
    await router.does("piotr", "set_status", status="signed_out")
    await router.on_duty("ewa")
    assert await router.offers() == []
    await check(router)
    woken = await router.passes(3_600)
    assert woken[:3] == ["conversation.woken", "context.packaged", "conversation.returned"]
    assert woken[3:] == ["contact.wait_started"]
    await router.offers()
    assert (await router.last(ContactOffered)).open.agent == "ewa"
    await check(router)
    await check_owners(router)


async def test_she_is_asked_for_others_meanwhile(router: InMemoryRouter) -> None:
    """Also by a router that begins with a snapshot; what comes back takes a slot more than she has."""
    await put_aside(router)
    await router.follow()
    await router.dispatcher.keep_now()
    router.restart()
    await router.dispatcher.begin()
    for number in range(4):
        handles = [mail(f"c{number}@mail.example")]
        await router.happens(form("hello", f"f{number}", handles=handles))
    await router.offers()
    for each in await router.conversations():
        if (offer := each.ownership.offer) is not None:
            named = {"conversation": each.id, "offer_id": offer.offer_id}
            await router.does("piotr", "accept_offer", **named)
    assert len((await router.agent("piotr")).working_on) == 3
    await router.passes(3_600)
    assert len((await router.agent("piotr")).working_on) == 4
    assert await router.offers() == []
    await check(router)


async def test_a_call_wakes_it_and_rings_at_its_owner(router: InMemoryRouter) -> None:
    """She has it again, and is told by the call itself."""
    await put_aside(router)
    came = await router.happens(call("started", handles=[mail()]))
    assert came.index("conversation.woken") > came.index("conversation.joined")
    woken = (await router.last(ConversationWoken)).open
    assert (woken.by, woken.to_owner) == ("customer", None)
    await router.offers()
    assert (await router.offer()).agent == "piotr"
    await check(router)


async def test_what_a_machine_sends_wakes_nothing(router: InMemoryRouter) -> None:
    """An absence note in the middle of her absence."""
    await put_aside(router)
    await router.happens(message("I am away", k=1, automatic=True))
    assert (await router.conversation()).handling.snooze is not None
    told = await router.happens(message("I am back", k=2))
    assert "conversation.woken" in told
    assert (await router.last(ConversationWoken)).open.to_owner == "piotr"
