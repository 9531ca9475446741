"""What is written on to an owner who makes a pause is told: nobody waits in silence for somebody who is not there."""

import pytest

from shared.events import MessageUnattended
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import call, mail, message, phone

PATIENCE = 120


async def writes_on(router: InMemoryRouter, k: int) -> list[str]:
    return await router.happens(message("anybody there?", k=k, at=router.clock.time))


@pytest.fixture
async def away(router: InMemoryRouter) -> InMemoryRouter:
    """Piotr owns a chat and makes a pause."""
    await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "set_status", status="away")
    return router


async def test_a_message_to_an_owner_who_makes_a_pause_is_told(away: InMemoryRouter) -> None:
    """It stays hers; nobody else is offered it."""
    assert await writes_on(away, 1) == ["message.received", "message.unattended"]
    told = await away.last(MessageUnattended)
    it = await away.conversation()
    assert (told.open.owner, [told.open.contact_id]) == ("piotr", list(it.contacts.by_id))
    assert (it.ownership.owner, await away.offers()) == ("piotr", [])
    await check(away)


async def test_a_message_to_an_owner_who_is_there_is_with_her(router: InMemoryRouter) -> None:
    """She has it before her."""
    await router.owned_by("piotr", message("hello"))
    assert await writes_on(router, 1) == ["message.received"]


async def test_many_messages_are_told_once_for_each_wait(away: InMemoryRouter) -> None:
    """Who writes ten lines asks once; who still waits when the time to answer is over asks again."""
    await writes_on(away, 1)
    await away.passes(PATIENCE - 1)
    assert await writes_on(away, 2) == ["message.received"]
    await away.passes(1)
    assert (await writes_on(away, 3))[1:] == ["message.unattended"]


async def test_each_pause_is_told_anew(away: InMemoryRouter) -> None:
    """She came back between two messages and had time to look, and has gone again."""
    await writes_on(away, 1)
    for status in ("available", "away"):
        await away.passes(1)
        await away.does("piotr", "set_status", status=status)
    await away.passes(1)
    assert (await writes_on(away, 2))[1:] == ["message.unattended"]


async def test_what_is_written_after_an_answer_is_told_anew(away: InMemoryRouter) -> None:
    """She answered from her pause."""
    await away.happens(message("hello", k=1, handles=[mail()]))
    it = (await away.conversation()).id
    await away.does("piotr", "send_message", conversation=it, channel="email", text="soon")
    assert (await writes_on(away, 2))[1:] == ["message.unattended"]


async def test_what_the_owner_is_told_anyway_is_told_once(away: InMemoryRouter) -> None:
    """A contact that joins is a request of its own; a machine asks for nothing."""
    mailed = message("by mail", "m2", channel="email", handles=[mail()])
    assert "message.unattended" not in await away.happens(mailed)
    machine = message("out of office", k=4, automatic=True)
    assert "message.unattended" not in await away.happens(machine)
    assert "message.unattended" not in await away.happens(call("started", handles=[phone()]))
    assert await away.all(MessageUnattended) == []


async def test_what_is_under_way_to_somebody_else_is_not_told(router: InMemoryRouter) -> None:
    """Somebody is asked already, and where the transfer ends it is told."""
    await router.owned_by("piotr", message("hello"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.does("piotr", "set_status", status="away")
    assert "message.unattended" not in await writes_on(router, 1)
