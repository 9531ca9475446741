"""What the desk is to know: said, shown to whoever takes a matter over while it holds, withdrawn."""

from datetime import timedelta
from typing import Any

import pytest

from shared.events import AnnouncementMade, ContextAnnounced, ContextPackaged
from shared.events.packet import Announcement, Packet
from shared.packet import ANNOUNCEMENTS_IN_FULL
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import a_router, writes

SHOP, OUTAGE = "service:shop", "The payment page is down"


async def says(router: InMemoryRouter, text: str = OUTAGE, **given: Any) -> str:
    """The shop tells the desk; the announcement's id."""
    await router.does(SHOP, "announce", **{"kind": "outage", "text": text, **given})
    return (await router.last(AnnouncementMade)).open.announcement_id


async def packet(router: InMemoryRouter) -> Packet:
    """The last one that was made."""
    personal = (await router.last(ContextPackaged)).personal
    assert personal is not None
    return personal.packet


async def shown(router: InMemoryRouter) -> list[Announcement]:
    """What Piotr is shown when he takes what a customer wrote."""
    await router.owned_by("piotr", writes("I cannot pay for my lamp"))
    return (await packet(router)).around.announcements


async def test_who_takes_a_matter_knows_of_the_outage() -> None:
    """Without asking: with the offer, before a word is said."""
    router = a_router()
    said = await says(router, codes=["SORRY10"])
    (known,) = await shown(router)
    assert (known.announcement_id, known.kind, known.text) == (said, "outage", OUTAGE)
    assert (known.codes, known.until) == (["SORRY10"], None)


async def test_what_was_withdrawn_is_shown_no_more() -> None:
    """Neither to who takes the matter over next, nor to the next customer's agent."""
    router = a_router()
    said = await says(router)
    assert len(await shown(router)) == 1
    await router.does("piotr", "withdraw_announcement", announcement_id=said)
    await router.hands_on("piotr", "cold", agent="ewa")
    assert (await packet(router)).around.announcements == []


async def test_it_is_shown_while_it_holds() -> None:
    """From its beginning, and until the instant of its end."""
    router = a_router()
    now = router.clock.time
    await says(router, "later", since=now + timedelta(hours=1))
    await says(router, "over", until=now + timedelta(minutes=1))
    await says(router, "now", until=now + timedelta(hours=1))
    router.clock.time += timedelta(minutes=1)
    assert [each.text for each in await shown(router)] == ["now"]


async def test_the_newest_are_shown_and_the_others_counted() -> None:
    """A packet is no notice board."""
    router = a_router()
    for number in range(ANNOUNCEMENTS_IN_FULL + 2):
        await says(router, f"outage {number}")
    texts = [each.text for each in await shown(router)]
    assert texts == [f"outage {number}" for number in (5, 4, 3, 2)]
    assert (await packet(router)).more.announcements == 2


async def test_one_about_something_is_shown_where_that_is_meant() -> None:
    """By her words, whatever their case; one about something else is left out, uncounted."""
    router = a_router()
    await says(router, "lamps", kind="campaign", about=["Lamp", "lampa"])
    await says(router, "chairs", kind="campaign", about=["chair"])
    assert [each.text for each in await shown(router)] == ["lamps"]
    assert (await packet(router)).more.announcements == 0


async def test_the_same_is_noted_once() -> None:
    """Offers and acceptances do not say again what the matter's packet shows."""
    router = a_router()
    await says(router)
    await shown(router)
    noted = await router.all(ContextAnnounced)
    assert len(noted) == 1


async def test_a_repeated_command_says_it_once() -> None:
    """Whoever did not hear the answer asks again and is answered the same."""
    router = a_router()
    given = {"kind": "outage", "text": OUTAGE, "command_id": "said-1"}
    assert await router.does(SHOP, "announce", **given) == [AnnouncementMade.__struct_config__.tag]
    assert await router.does(SHOP, "announce", **given) == []
    assert len(await shown(router)) == 1


@pytest.mark.parametrize(
    ("since", "until"),
    [(0, 0), (0, -60), (3600, 3600), (-7200, -3600), (367 * 86_400, None), (0, 367 * 86_400)],
)
async def test_a_time_that_cannot_be_is_refused(since: int, until: int | None) -> None:
    """Over before it began, or so far away that it is a slip."""
    router = a_router()
    now = router.clock.time
    given = {"since": now + timedelta(seconds=since)}
    if until is not None:
        given["until"] = now + timedelta(seconds=until)
    code = await router.refused(SHOP, "announce", kind="discount", text="A tenth off", **given)
    assert code == "announcement.time_invalid"


async def test_only_what_holds_is_withdrawn() -> None:
    """Not what nobody said, nor twice, nor what is over."""
    router = a_router()
    said = await says(router, until=router.clock.time + timedelta(minutes=1))
    other = await says(router)
    await router.does(SHOP, "withdraw_announcement", announcement_id=other)
    router.clock.time += timedelta(minutes=1)
    for name in ("nobody-said-it", other, said):
        code = await router.refused(SHOP, "withdraw_announcement", announcement_id=name)
        assert code == "announcement.unknown"


async def test_so_many_hold_at_once() -> None:
    """What is over makes room."""
    router = a_router()
    soon = router.clock.time + timedelta(minutes=1)
    for number in range(64):
        await says(router, f"{number}", until=soon)
    assert (
        await router.refused(SHOP, "announce", kind="outage", text="x") == "announcement.too_many"
    )
    router.clock.time += timedelta(minutes=1)
    assert await says(router)
