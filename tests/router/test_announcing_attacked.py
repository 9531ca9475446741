"""The desk's announcements, attacked: times that no calendar has, other tenants, many at once, spellings, crowds."""

import asyncio
from typing import Any

import pytest

from services.router.domain.announcing import HOLDING_MAX
from shared.errors import TellonceError
from shared.events import AnnouncementMade, AnnouncementWithdrawn, ChannelSwitched, ContextAnnounced
from shared.events.packet import Announcement
from shared.packet import ANNOUNCEMENTS_IN_FULL, PACKET_MAX_BYTES, canonical
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import a_router, writes
from tests.router.samples import TENANT, call, message, phone
from tests.router.test_announcing import OUTAGE, SHOP, packet, says, shown


@pytest.mark.parametrize(
    "given",
    [
        {"since": "9999-12-31T23:59:59Z"},
        {"since": "9999-12-31T23:59:59-23:59"},
        {"since": "9999-12-31T23:59:59Z", "until": "9999-12-31T23:59:59.9Z"},
        {"since": "0001-01-01T00:00:00+23:59"},
        {"until": "0001-01-01T00:00:00+23:59"},
        {"until": "9999-12-31T23:59:59-23:59"},
    ],
)
async def test_the_ends_of_the_calendar_are_no_time(given: dict[str, str]) -> None:
    """They are refused like any other slip, also where no calendar has the end that would follow from them."""
    code = await a_router().refused(SHOP, "announce", kind="outage", text=OUTAGE, **given)
    assert code == "announcement.time_invalid"


async def test_a_repetition_of_a_withdrawal_is_answered_and_a_second_one_refused() -> None:
    """Who did not hear the answer is told it again, by a router that was started in between."""
    router = a_router()
    said = await says(router)
    given = {"announcement_id": said, "command_id": "gone-1"}
    assert len(await router.does("piotr", "withdraw_announcement", **given)) == 1
    router.restart()
    assert await router.does("piotr", "withdraw_announcement", **given) == []
    code = await router.refused("ewa", "withdraw_announcement", announcement_id=said)
    assert code == "announcement.unknown"
    assert len(await router.all(AnnouncementWithdrawn)) == 1


async def test_a_withdrawal_is_of_no_conversation_and_no_other_thing() -> None:
    """Ids of other things, and what is no id at all, name no announcement."""
    router = a_router()
    await says(router)
    await shown(router)
    it = await router.conversation()
    for name in (it.id, it.packet.id, "announced-desk", "", "a\0b", "*", ">"):
        code = await router.refused(SHOP, "withdraw_announcement", announcement_id=name)
        assert code == "announcement.unknown"


async def test_of_very_many_at_once_as_many_hold_as_may() -> None:
    """Each is said, or refused with a code; none twice, and none is lost."""
    router = a_router()

    async def say(number: int) -> str:
        body = router.body(SHOP, "announce", kind="outage", text=f"{number}")
        try:
            await router.commands.handle("announce", TENANT, body)
        except TellonceError as refused:
            return refused.code
        return "said"

    found = await asyncio.gather(*(say(number) for number in range(1_000)))
    assert {code: found.count(code) for code in set(found)} == {
        "said": HOLDING_MAX,
        "announcement.too_many": 1_000 - HOLDING_MAX,
    }
    assert len(await router.all(AnnouncementMade)) == HOLDING_MAX


async def test_an_outage_is_not_hidden_by_campaigns() -> None:
    """Whatever was announced since: what is broken is said first, then what is offered, the newest first."""
    router = a_router()
    await says(router, "old outage")
    for number in range(ANNOUNCEMENTS_IN_FULL + 1):
        await says(router, f"campaign {number}", kind="campaign")
    await says(router, "new outage")
    texts = [each.text for each in await shown(router)]
    assert texts == ["new outage", "old outage", "campaign 4", "campaign 3"]
    assert (await packet(router)).more.announcements == 3


@pytest.mark.parametrize("about", ["Z\u0307ARO\u0301WKA", "\u017bAR\xd3WKA", "\u017car\xf3wk"])
@pytest.mark.parametrize("written", ["z\u0307aro\u0301wka", "\u017car\xf3wka"])
async def test_a_word_is_found_however_its_letters_are_composed(about: str, written: str) -> None:
    """Some keyboards write a letter and its sign, others one character: both mean the same lamp."""
    router = a_router()
    await says(router, "lamps", about=[about])
    await router.owned_by("piotr", writes(f"My {written} is broken"))
    assert [each.text for each in (await packet(router)).around.announcements] == ["lamps"]


async def test_the_longest_words_leave_the_packet_within_its_bound() -> None:
    """As many as are shown, as long as they may be, in the characters that take most room."""
    router = a_router()
    for _ in range(ANNOUNCEMENTS_IN_FULL):
        await says(router, "\u017c" * 250, codes=["X" * 32] * 8)
    assert len(await shown(router)) == ANNOUNCEMENTS_IN_FULL
    assert len(canonical(await packet(router))) <= PACKET_MAX_BYTES


async def test_who_has_the_matter_hears_of_it_when_she_calls_as_well() -> None:
    """The packet that goes along to another channel shows what holds by then, and no longer what is over."""
    router = a_router()
    over = await says(router, "over")
    await router.owned_by("piotr", message("Where is it?", handles=[phone()]))
    await router.does("piotr", "withdraw_announcement", announcement_id=over)
    await says(router, "new")
    await router.happens(call("started", "c-1"))
    assert len(await router.all(ChannelSwitched)) == 1
    assert [each.text for each in (await packet(router)).around.announcements] == ["new"]
    assert len(await router.all(ContextAnnounced)) == 2


async def test_what_is_said_to_one_tenant_is_said_to_no_other() -> None:
    """Each has a desk of its own: nobody hears of another's outage, and nobody takes it back."""
    one, other = a_router(), a_router()
    said = await says(one)
    told: list[Any] = [await shown(other), await _refusal(other, said)]
    assert told == [[], "announcement.unknown"]


async def _refusal(router: InMemoryRouter, said: str) -> str:
    return await router.refused(SHOP, "withdraw_announcement", announcement_id=said)


async def test_a_packet_shows_them_as_they_were_said() -> None:
    """Signs that turn the writing round, or that nobody sees, are an agent's own words: they come as they were said."""
    router = a_router()
    words = "\u202eabc \u200b \U0001f4a5 ' \" <b>{{x}}"
    said = await says(router, words, codes=["A", "A"])
    (known,) = await shown(router)
    assert isinstance(known, Announcement)
    assert (known.announcement_id, known.text, known.codes) == (said, words, ["A", "A"])
