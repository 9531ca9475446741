"""The widget in a real browser, on a page with a strict policy, against a real ingest."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.embedded.ports import free_ports
from services.ingest.channels.chat import sign_email
from shared import chat_answers, subjects
from shared.bus import Bus
from shared.bus.deliveries import Message
from shared.chat_answers import Answer
from shared.ids import scoped_id
from tests.ingest.running_ingest import RECEIVED, SECRET, RunningIngest, running
from tests.support.own_ids import CONVERSATION
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually
from tests.widget.browser import CHAT, Browser, Tab
from tests.widget.conftest import WIDGET, Served

SIZE_MAX_BYTES = 15_000
SESSION = "JSON.parse(Object.entries(localStorage)[0][1]).session"
HIDDEN = f"{CHAT}.querySelector('#panel').hidden"
FOCUS = f"{CHAT}.activeElement.id"
ALL_SENT = f"[...{CHAT}.querySelectorAll('.mine small:last-child')].every(e => e.innerText.endsWith('sent'))"


def door(ingest: RunningIngest) -> str:
    return f'data-door="{ingest.door("chat")}"'


async def answer(bus: Bus, ingest: RunningIngest, tab: Tab, name: str, text: str) -> None:
    """Notify stores an answer to the page that a tab shows."""
    page = chat_answers.page_of(ingest.tenant, ingest.account, await tab.value(SESSION))
    assert page is not None
    reference = f"{scoped_id(name)}.{CONVERSATION}"
    body = msgspec.json.encode(Answer(reference=reference, text=text, at=RECEIVED, by="Piotr"))
    await bus.store(subjects.answer(ingest.tenant, page), body, msg_id=name)


async def stored(ingest: RunningIngest) -> list[dict[str, Any]]:
    """What the page sent; of a file what was said of it."""
    heads = [each.body.partition(b"\n")[0] for each in await ingest.raw("chat")]
    return [msgspec.json.decode(each) for each in heads]


async def pick(tab: Tab, name: str, kind: str, size: int) -> None:
    """Choose a file, as a dialog of the browser does."""
    picker = f"{CHAT}.querySelector('input[type=file]')"
    await tab.value(
        f"""(() => {{ const given = new DataTransfer();
        given.items.add(new File([new Uint8Array({size})], '{name}', {{ type: '{kind}' }}));
        {picker}.files = given.files; {picker}.onchange(); }})()"""
    )


async def until_stored(ingest: RunningIngest, kind: str, count: int) -> None:
    async def met() -> bool:
        return [each.get("type") for each in await stored(ingest)].count(kind) >= count

    await eventually(met)


def test_it_is_small_and_needs_nothing() -> None:
    """One script; no code is made of text, no text is read as HTML, nothing is loaded."""
    script = WIDGET.read_text("utf-8")
    assert len(script.encode()) <= SIZE_MAX_BYTES
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacent|eval\(|Function\(|import[ (]|fetch\(", script
    )


def test_every_language_has_every_word() -> None:
    """Polish, Slovak, Czech, English."""
    script = WIDGET.read_text("utf-8")
    (names,) = re.findall(r"const \[(.*?)\] = WORDS", script)
    spoken = {
        name: [bool(word.strip()) for word in words.split("|")]
        for name, words in re.findall(r"^  (\w\w): '(.*?)',$", script, re.MULTILINE)
    }
    assert spoken == dict.fromkeys(("en", "pl", "sk", "cs"), [True] * len(names.split(", ")))


async def test_a_customer_writes_by_keyboard_and_reads_the_answer(
    chromium: Browser, shop: Served, ingest: RunningIngest
) -> None:
    """Tab, Enter, words, Enter; the answer is text whatever it holds; the agent learns that it was read."""
    signature = sign_email("anna@shop.example", SECRET)
    line = f'{door(ingest)} data-name="Anna" data-email="anna@shop.example" data-signature="{signature}"'
    tab = await chromium.tab(shop(line))
    await tab.key("Tab", 9)
    assert await tab.value(FOCUS) == "toggle"
    await tab.enter()
    assert await tab.value(FOCUS) == "text"
    await tab.write("Where is")
    await tab.enter(shift=True)
    await tab.write("my parcel?")
    await tab.enter()
    await tab.until(ALL_SENT)
    assert await tab.texts() == ["Where is\nmy parcel?"]
    (body,) = await stored(ingest)
    assert (body["text"], body["name"], body["email_verified"]) == (
        "Where is\nmy parcel?",
        "Anna",
        True,
    )
    assert len(body["session"]) >= chat_answers.SECRET_MIN_CHARACTERS

    text = "<img src=x onerror=alert(1)> see https://shop.example/p?a=1&b=2 now"
    await answer(ingest.bus, ingest, tab, "m-1", text)
    await tab.until_texts("Where is\nmy parcel?", text)
    assert await tab.value(f"{CHAT}.querySelector('.said a').href") == (
        "https://shop.example/p?a=1&b=2"
    )
    await until_stored(ingest, "read", 1)

    await tab.key("Escape", 27)
    assert (await tab.value(HIDDEN), await tab.value(FOCUS)) == (True, "toggle")
    await answer(ingest.bus, ingest, tab, "m-2", "Anything else?")
    await until_stored(ingest, "received", 1)
    toggle = f"{CHAT}.querySelector('#toggle')"
    await tab.until(f"{toggle}.getAttribute('aria-label')", "Chat with us, New message: 1")
    await tab.value(f"{toggle}.click()")
    await until_stored(ingest, "read", 2)
    assert (tab.violations, tab.failures) == ([], [])


async def test_nothing_is_lost_or_doubled_when_the_door_is_away(
    chromium: Browser, shop: Served, nats: EmbeddedNats, tmp_path: Path
) -> None:
    """Two tabs, a door that ends and comes back: what either side wrote meanwhile arrives once, in both tabs."""
    port = free_ports(1)[0]
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    async with running(nats.url, tmp_path / "first", port=port, name="again") as ingest:
        page = shop(door(ingest))
        tab = await chromium.tab(page)
        await tab.value(f"{CHAT}.querySelector('#toggle').click()")
        await tab.write("one")
        await tab.enter()
        await tab.until(ALL_SENT)
        await answer(ingest.bus, ingest, tab, "m-1", "two")
        await tab.until_texts("one", "two")
        other = await chromium.tab(page)
        await other.until_texts("one", "two")
    await tab.value(f"{CHAT}.querySelector('#text').focus()")
    await tab.write("three")
    await tab.enter()
    await tab.until_texts("one", "two", "three")
    assert not await tab.value(ALL_SENT)
    async with running(nats.url, tmp_path / "second", port=port, name="again") as ingest:
        await answer(ingest.bus, ingest, tab, "m-2", "four")
        for each in (tab, other):
            await each.value("dispatchEvent(new Event('online'))")
            await each.until_texts("one", "two", "three", "four")
        await tab.until(ALL_SENT)
        written = [each["id"] for each in await stored(ingest) if "text" in each]
        assert len(set(written)) == 2
        third = await chromium.tab(page)
        await third.until_texts("one", "two", "three", "four")
        await answer(ingest.bus, ingest, tab, "m-3", "five")
        for each in (tab, other, third):
            await each.until_texts("one", "two", "three", "four", "five")
            assert each.failures == []


async def test_another_customer_on_the_same_browser_sees_nothing_of_the_first(
    chromium: Browser, shop: Served, ingest: RunningIngest
) -> None:
    """Who signs in has a session of her own."""
    tab = await chromium.tab(shop(door(ingest)))
    await tab.value(f"{CHAT}.querySelector('#toggle').click()")
    await tab.write("my secret")
    await tab.enter()
    await tab.until(ALL_SENT)
    signature = sign_email("bob@shop.example", SECRET)
    line = f'{door(ingest)} data-email="bob@shop.example" data-signature="{signature}"'
    bobs = await chromium.tab(shop(line))
    await bobs.value(f"{CHAT}.querySelector('#toggle').click()")
    await bobs.write("hello")
    await bobs.enter()
    await bobs.until(ALL_SENT)
    assert await bobs.texts() == ["hello"]
    first, second = await stored(ingest)
    assert first["session"] != second["session"]


async def test_who_is_not_signed_in_may_say_who_she_is(
    chromium: Browser, shop: Served, ingest: RunningIngest
) -> None:
    """Where the page asks: once, before the first message, and only what is an address; nobody vouches for it."""
    page = shop(f"{door(ingest)} data-ask")
    tab = await chromium.tab(page)
    await tab.value(f"{CHAT}.querySelector('#toggle').click()")
    assert await tab.value(FOCUS) == "name"
    await tab.write("Anna")
    await tab.key("Tab", 9)
    await tab.write("anna at shop")
    await tab.key("Tab", 9)
    await tab.write("hello")
    await tab.enter()
    assert await tab.texts() == []
    await tab.value(f"{CHAT}.querySelector('#email').value = 'anna@shop.example'")
    await tab.value(f"{CHAT}.querySelector('#text').focus()")
    await tab.enter()
    await tab.until(ALL_SENT)
    await tab.until_texts("hello")
    (body,) = await stored(ingest)
    assert (body["name"], body["email"]) == ("Anna", "anna@shop.example")
    assert not body.get("email_verified")
    other = await chromium.tab(page)
    await other.value(f"{CHAT}.querySelector('#toggle').click()")
    assert await other.value(FOCUS) == "text"


@pytest.mark.parametrize(
    ("lang", "name"), [("pl", "Napisz do nas"), ("sk", "Napíšte nám"), ("cs-CZ", "Napište nám")]
)
async def test_a_screen_reader_finds_its_way(
    chromium: Browser, shop: Served, ingest: RunningIngest, lang: str, name: str
) -> None:
    """Each part has its role and a name in the page's language."""
    tab = await chromium.tab(shop(f'{door(ingest)} data-lang="{lang}"'))
    await tab.value(f"{CHAT}.querySelector('#toggle').click()")
    tree = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
    found = {
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if not node["ignored"] and node.get("name", {}).get("value")
    }
    assert {("button", name), ("dialog", name), ("heading", name)} <= found
    roles = {role for role, _ in found}
    assert {"log", "textbox"} <= roles
    assert await tab.value(f"{CHAT}.host.lang") == lang[:2]
    assert (
        await tab.value(f"{CHAT}.querySelector('#toggle').getAttribute('aria-expanded')") == "true"
    )


async def test_a_photograph_is_sent_and_another_kind_is_not(
    chromium: Browser, shop: Served, ingest: RunningIngest
) -> None:
    """In pieces, between what she writes; what the door does not take is shown as not sent, and stops nothing."""
    tab = await chromium.tab(shop(door(ingest)))
    await tab.value(f"{CHAT}.querySelector('#toggle').click()")
    await tab.write("it looks like this:")
    await tab.enter()
    await pick(tab, "parcel.jpg", "image/jpeg", 150_000)
    await pick(tab, "page.html", "text/html", 10)
    await tab.write("do you see?")
    await tab.enter()
    await tab.until_texts("it looks like this:", "parcel.jpg", "page.html", "do you see?")
    notes = f"[...{CHAT}.querySelectorAll('.mine small:last-child')].map(e => e.innerText.split(' · ')[1])"
    await tab.until(notes, ["sent", "sent", "not sent", "sent"])
    first, file, last = await stored(ingest)
    assert (first["text"], last["text"]) == ("it looks like this:", "do you see?")
    assert (file["file_name"], file["media_type"]) == ("parcel.jpg", "image/jpeg")
    (event,) = [
        each for each in await ingest.contacts("chat", 3) if each["data"]["personal"]["files"]
    ]
    assert event["data"]["personal"]["files"][0]["size_bytes"] == 150_000
    other = await chromium.tab(shop(door(ingest)))
    await other.until_texts("it looks like this:", "parcel.jpg", "page.html", "do you see?")
    assert (tab.violations, tab.failures) == ([], [])


async def test_while_nobody_is_there_it_says_so_and_asks_for_an_address(
    chromium: Browser, shop: Served, ingest: RunningIngest
) -> None:
    """Also where the page asks nobody; who gave one is asked no more."""

    async def on_duty(message: Message) -> None:
        await message.respond(b'{"position":1,"agents":[],"queues":["another"]}')

    answering = await ingest.bus.subscribe(f"query.{ingest.tenant}.on_duty", on_duty)
    tab = await chromium.tab(shop(door(ingest)))
    await tab.value(f"{CHAT}.querySelector('#toggle').click()")
    said = f"{CHAT}.querySelector('#state').innerText"
    await tab.until(f"{said}.startsWith('Nobody is here now')")
    asked = f"!{CHAT}.querySelector('#ask').hidden"
    assert await tab.value(asked)
    await tab.value(f"{CHAT}.querySelector('#email').value = 'anna@shop.example'")
    await tab.value(f"{CHAT}.querySelector('#text').focus()")
    await tab.write("hello")
    await tab.enter()
    await tab.until(ALL_SENT)
    (body,) = await stored(ingest)
    assert body["email"] == "anna@shop.example"
    assert not await tab.value(asked)
    await answering.stop()


async def test_the_styles_of_the_shop_do_not_reach_it(
    chromium: Browser, shop: Served, ingest: RunningIngest
) -> None:
    """Whatever they say, however important: it stands where it stands, and can be seen."""
    hostile = "body * { display: none !important; position: static !important; font-size: 90px !important; }"
    tab = await chromium.tab(shop(door(ingest), f"<style>{hostile}</style>"))
    box = f"{CHAT}.querySelector('#toggle').getBoundingClientRect()"
    assert await tab.value(f"{box}.width > 50 && {box}.height < 60 && {box}.bottom <= innerHeight")
    await tab.value(f"{CHAT}.querySelector('#toggle').click()")
    panel = f"{CHAT}.querySelector('#panel').getBoundingClientRect()"
    assert await tab.value(f"{panel}.width > 250 && {panel}.top >= 0 && {panel}.left >= 0")


async def test_it_fits_a_narrow_screen(
    chromium: Browser, shop: Served, ingest: RunningIngest
) -> None:
    """Of 320 by 480 points nothing of it is outside, and nothing is wider than the panel."""
    tab = await chromium.tab(shop(f"{door(ingest)} data-ask"))
    screen = {"width": 320, "height": 480, "deviceScaleFactor": 1, "mobile": False}
    await tab.call("Emulation.setDeviceMetricsOverride", **screen)
    await tab.value(f"{CHAT}.querySelector('#toggle').click()")
    parts = f"[...{CHAT}.querySelectorAll('#panel, #panel button, input:not([type=file]), textarea, #log')]"
    inside = "r => r.left >= 0 && r.top >= 0 && r.right <= 320 && r.bottom <= 480 && r.height > 20"
    assert await tab.value(f"{parts}.map(e => e.getBoundingClientRect()).every({inside})")
