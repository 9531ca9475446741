"""What a message says of what it answers: which one an answer of ours quotes, when she wrote, what hers is about."""

from typing import Any

import pytest

from shared import errors, events
from shared.conversation.talk import QUOTED_MAX_CHARACTERS, SAID_KEPT
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import (
    a_router,
    answers,
    echoes,
    edits,
    hands_over,
    later,
    reacts,
    writes,
)


async def owned() -> InMemoryRouter:
    """Piotr has the matter in which she has written twice."""
    router = a_router()
    router.clock.time = later(300)
    await router.owned_by("piotr", writes("Where is it?", "in-1"))
    await router.happens(writes("And the other one?", "in-2", at=later(5)))
    return router


async def sends(router: InMemoryRouter, **told: Any) -> events.MessageRequested:
    it = await router.conversation()
    given = {"conversation": it.id, "channel": "dove", "text": "Here", **told}
    await router.does("piotr", "send_message", **given)
    return await router.last(events.MessageRequested)


async def said(router: InMemoryRouter, number: int) -> str:
    """The event of her message, as a packet names it."""
    it = await router.conversation()
    return str(it.talk.said[number].event)


def quoted(request: events.MessageRequested) -> str | None:
    assert request.personal is not None
    return request.personal.in_reply_to


async def test_an_answer_quotes_what_the_agent_names() -> None:
    """By the provider's id of it; nothing when she names nothing."""
    router = await owned()
    assert quoted(await answers(router)) is None
    assert quoted(await sends(router, quotes=await said(router, 0))) == "in-1"
    assert quoted(await sends(router, quotes=await said(router, 1))) == "in-2"


async def test_what_was_written_anew_is_quoted_as_the_first() -> None:
    """Under that id the provider shows the new words."""
    router = await owned()
    await router.happens(edits("Where is he?", "in-1-edit", "in-1", at=later(9)))
    assert quoted(await sends(router, quotes=await said(router, 2))) == "in-1"


@pytest.mark.parametrize("which", ["nothing", "ours", "another channel's", "another account's"])
async def test_what_cannot_be_quoted_is_refused(which: str) -> None:
    """With a code, and no message leaves without what it was to be shown with."""
    router = await owned()
    given = {"conversation": (await router.conversation()).id, "channel": "dove", "text": "Here"}
    named = "no-event"
    if which == "ours":
        await answers(router)
        named = await said(router, 2)
    if which == "another channel's":
        await router.happens(writes("By raven", "r-1", channel="raven", at=later(9)))
        named = (await router.last(events.MessageReceived)).id
    if which == "another account's":
        await router.happens(writes("To the other number", "o-1", account="loft", at=later(9)))
        named = (await router.last(events.MessageReceived)).id
        await router.happens(writes("And here again", "o-2", at=later(12)))
    before = len(await router.all(events.MessageRequested))
    code = await router.refused("piotr", "send_message", quotes=named, **given)
    assert code == "message.quote_unknown"
    assert len(await router.all(events.MessageRequested)) == before


async def test_what_is_kept_for_quoting_is_what_is_kept_of_what_was_said() -> None:
    """No conversation grows without end."""
    router = await owned()
    first = await said(router, 0)
    for number in range(SAID_KEPT):
        await router.happens(writes("more", f"more-{number}", at=later(10 + number)))
    talk = (await router.conversation()).talk
    assert set(talk.quotable) == {each.event for each in talk.said}
    it = await router.conversation()
    given = {"conversation": it.id, "channel": "dove", "text": "Here", "quotes": first}
    assert await router.refused("piotr", "send_message", **given) == "message.quote_unknown"


async def test_a_request_says_when_she_last_wrote() -> None:
    """Also by a sign to a message; what is told late says nothing new."""
    router = await owned()
    assert (await answers(router)).open.heard == later(5)
    await router.happens(reacts("in-2", at=later(60)))
    assert (await answers(router)).open.heard == later(60)
    await router.happens(reacts("in-1", "rea-0", at=later(30)))
    assert (await answers(router)).open.heard == later(60)


async def test_a_request_holds_the_template() -> None:
    """As it was named; its parameters are personal."""
    router = await owned()
    template = {"name": "parcel_waits", "language": "pl", "parameters": ["Anna", "KRA01M"]}
    request = await sends(router, template=template)
    assert request.personal is not None
    assert request.personal.template == events.MessageTemplate(
        name="parcel_waits", language="pl", parameters=["Anna", "KRA01M"]
    )


async def test_a_template_brings_its_file_and_its_buttons() -> None:
    """All that the provider asks for besides the words."""
    router = await owned()
    file = {"kind": "document", "address": "https://shop.example/label.pdf", "name": "label.pdf"}
    buttons = [{"position": 0, "kind": "url", "value": "KRA01M"}]
    template = {"name": "label", "language": "pl", "header_file": file, "buttons": buttons}
    request = await sends(router, template=template)
    assert request.personal is not None
    assert request.personal.template == events.MessageTemplate(
        name="label",
        language="pl",
        header_file=events.TemplateFile(
            kind="document", address="https://shop.example/label.pdf", name="label.pdf"
        ),
        buttons=[events.TemplateButton(position=0, kind="url", value="KRA01M")],
    )


@pytest.mark.parametrize(
    "place",
    [
        {"parameters": ["a\0"]},
        {"header": "\0"},
        {"buttons": [{"position": 0, "kind": "url", "value": "\0"}]},
        {"header_file": {"kind": "document", "address": "https://a.example", "name": "\0"}},
    ],
)
async def test_no_place_of_a_template_holds_a_nul(place: dict[str, Any]) -> None:
    """Postgres refuses it in the words of a message, wherever they stand."""
    router = await owned()
    given = {"conversation": (await router.conversation()).id, "channel": "dove", "text": "Here"}
    template = {"name": "label", "language": "pl", **place}
    code = await router.refused("piotr", "send_message", **given, template=template)
    assert code == errors.TextHasNul.code


@pytest.mark.parametrize(
    "contradictory",
    [
        {
            "header": "KRA01M",
            "header_file": {"kind": "image", "address": "https://shop.example/label.png"},
        },
        {"buttons": [{"position": 0, "kind": "url", "value": value} for value in ("a", "b")]},
    ],
)
async def test_a_template_that_contradicts_itself_is_refused(contradictory: dict[str, Any]) -> None:
    """Nothing that an agent gave is left out without a word."""
    router = await owned()
    given = {"conversation": (await router.conversation()).id, "channel": "dove", "text": "Here"}
    template = {"name": "label", "language": "pl", **contradictory}
    code = await router.refused("piotr", "send_message", **given, template=template)
    assert code == errors.CommandUnreadable.code


async def test_whoever_takes_over_sees_what_her_message_answers() -> None:
    """A story, an advertisement or an article stands beside her words in the packet, cut where it is long."""
    router = a_router()
    await router.owned_by("piotr", writes("Is it still there?", "in-1", quoted="Winter boots"))
    await router.happens(writes("And these?", "in-2", quoted="y" * 600, at=later(5)))
    await router.happens(writes("Hello?", "in-3", at=later(9)))
    it = await router.conversation()
    found = [each.quoted for each in it.talk.said]
    assert found == ["Winter boots", "y" * QUOTED_MAX_CHARACTERS, None]


async def test_whoever_takes_over_sees_which_message_hers_answers() -> None:
    """One of ours or of hers, named by the provider's id; one that nobody here knows is not guessed."""
    router = await owned()
    request = await answers(router, "Shall we send it to KRA01M?")
    await router.happens(hands_over(request, "out-1"))
    for name, refers_to in (("r-1", "out-1"), ("r-2", "in-1"), ("r-3", "unknown"), ("r-4", None)):
        await router.happens(writes("Yes", name, refers_to=refers_to, at=later(400)))
    it = await router.conversation()
    found = [each.quoted for each in it.talk.said if each.text == "Yes"]
    assert found == ["Shall we send it to KRA01M?", "Where is it?", None, None]


async def test_what_was_written_anew_does_not_quote_itself() -> None:
    """An edit names the message whose place it takes."""
    router = await owned()
    await router.happens(edits("Where is he?", "in-1-edit", "in-1", at=later(9)))
    assert [each.quoted for each in (await router.conversation()).talk.said] == [None] * 3


@pytest.mark.parametrize("first", ["the hand-over", "the echo"])
async def test_an_echo_of_what_left_from_here_is_not_said_twice(first: str) -> None:
    """Instagram gives nothing of ours back but the id that it gave itself; what another one wrote there is kept."""
    router = await owned()
    request = await answers(router, "On its way")
    echo = echoes("On its way", "out-1", at=later(302))
    both = [hands_over(request, "out-1"), echo]
    for each in both if first == "the hand-over" else reversed(both):
        await router.happens(each)
    await router.happens(echoes("On its way", "other-1", at=later(303)))
    talk = (await router.conversation()).talk
    assert [each.by for each in talk.said if each.text == "On its way"] == ["agent-piotr", "shop"]
    assert talk.unanswered == 0
