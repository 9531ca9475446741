"""What visitors look at goes to VISITS, bounded, and every delivery of it is accounted for."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.ingest.channels import ringostat, site
from services.ingest.domain.outcome import Reported
from services.ingest.handlers import visit_store as storing
from services.ingest.handlers.visit_store import Seen, VisitStore, newest
from shared import handles, ids, streams, subjects
from shared.bus import gets
from shared.codec import PlainCodec
from shared.events import VisitSummarised
from shared.visits import visitor_token
from tests.ingest.history_twin import HistoryTwin
from tests.ingest.running_ingest import (
    SECRET,
    RunningIngest,
    form_body,
    raw,
    stored,
    visit_reader,
)
from tests.ingest.test_balance import NOTHING, ask

KEY = SECRET.encode()
PHONE = "+48601234567"


def page(name: str, visitor: str = "v-1", **fields: Any) -> dict[str, Any]:
    """One item, as a page's program sends it."""
    about = {"url": f"https://shop.example/{name}", "title": name}
    named = {"type": "page", "messageId": name, "anonymousId": visitor, "properties": about}
    return {**named, **fields}


def identify(name: str, visitor: str = "v-1", phone: str = PHONE) -> dict[str, Any]:
    return page(name, visitor, type="identify", properties={}, traits={"phone": phone})


async def send(ingest: RunningIngest, *items: dict[str, Any]) -> None:
    """Send items in one batch and wait until it is normalised."""
    body = {"batch": list(items), "writeKey": SECRET}
    answered = await ingest.http.post(ingest.door("site"), json=body)
    assert answered.status_code == 204
    await ingest.normalised("site")


async def titles(ingest: RunningIngest, visitor: str = "v-1") -> list[str | None]:
    """What VISITS holds of a visitor."""
    token = visitor_token(KEY, visitor)
    found = await visit_reader(ingest.bus, ingest.tenant).of_visitor(ingest.tenant, token)
    return [each.title for event in found if event.personal for each in event.personal.pages]


async def fates(ingest: RunningIngest, **query: Any) -> dict[str, int]:
    """What became of the deliveries of the pages' account, without what is 0."""
    counted = (await ask(ingest, **query))["accounts"][f"site/{ingest.account}"]
    return {name: counted[name] for name in NOTHING if counted[name]}


async def test_pages_stand_with_their_visitor_and_are_no_contact_events(
    ingest: RunningIngest,
) -> None:
    """In VISITS, each visitor on a subject of her own that names nobody."""
    await send(ingest, page("a"), page("x", "v-2"), page("b"))
    assert (await titles(ingest), await titles(ingest, "v-2")) == (["a", "b"], ["x"])
    assert await stored(ingest.bus, streams.CONTACTS, f"contact.*.{ingest.tenant}.site.*") == []
    (message, *_) = await stored(ingest.bus, streams.VISITS, f"visit.*.{ingest.tenant}.*")
    assert "v-1" not in message.subject


async def test_what_a_visitor_writes_is_a_fact_for_ever(ingest: RunningIngest) -> None:
    """A review is her own words: it goes where words go."""
    await send(
        ingest, page("a"), page("r", type="track", event="R", properties={"message": "It hums."})
    )
    (said,) = await ingest.contacts("site", 1)
    assert said["data"]["personal"]["text"] == "It hums."
    assert await titles(ingest) == ["a"]


async def test_each_delivery_of_visits_is_accounted_for(
    ingest: RunningIngest,
    history: HistoryTwin,
) -> None:
    """The first is accepted, its repetition a duplicate, one with something new is accepted; none is missing."""
    await send(ingest, page("a"), page("b"))
    await send(ingest, page("a"), page("b"))
    await send(ingest, page("b"), page("c"))
    await send(ingest, page("d"), page("r", type="track", event="R", properties={"message": "Hm."}))
    wanted = {"received": 4, "accepted": 3, "duplicate": 1}
    assert await fates(ingest) == wanted
    assert await fates(ingest, **{"from": 0}) == wanted


async def test_what_the_stream_let_go_of_was_accepted(
    ingest: RunningIngest,
    history: HistoryTwin,
) -> None:
    """Visits are not kept for ever, and yet no delivery disappears; a large one that comes again is a duplicate."""
    several = [page(f"p{number}") for number in range(120)]
    await send(ingest, *several)
    assert len(await titles(ingest)) == streams.VISITS_OF_A_VISITOR
    await send(ingest, *several)
    assert await fates(ingest, **{"from": 0}) == {"received": 2, "accepted": 1, "duplicate": 1}
    await ingest.bus.api(f"STREAM.PURGE.{streams.VISITS}")
    assert await fates(ingest, **{"from": 0}) == {"received": 2, "accepted": 2}


async def test_a_delivery_that_is_not_normalised_is_missing_until_it_is(
    ingest: RunningIngest,
    history: HistoryTwin,
) -> None:
    """Whoever has not stored it may not say that it is done."""
    durable = streams.ingest_normalise(ingest.tenant, "site", ingest.account)
    paused = {"pause_until": "2099-01-01T00:00:00Z"}
    await ingest.bus.api(f"CONSUMER.PAUSE.{streams.RAW}.{durable}", paused)
    body = {"batch": [page("a")], "writeKey": SECRET}
    assert (await ingest.http.post(ingest.door("site"), json=body)).status_code == 204
    assert await fates(ingest, **{"from": 0}) == {"received": 1, "missing": 1}
    await ingest.bus.api(f"CONSUMER.PAUSE.{streams.RAW}.{durable}", {})
    await ingest.normalised("site")
    assert await fates(ingest, **{"from": 0}) == {"received": 1, "accepted": 1}


async def test_a_handle_leads_to_the_visitor_who_said_it_last(ingest: RunningIngest) -> None:
    """By one request for all handles; a handle that nobody said leads nowhere."""
    await send(ingest, page("a"), identify("i1"))
    await send(ingest, identify("i2", "v-2"))
    asked = [handles.of("phone", PHONE, "delivered"), handles.of("email", "a@b.example", "claimed")]
    reader = visit_reader(ingest.bus, ingest.tenant)
    ((handle, link),) = await reader.visitors(ingest.tenant, asked)
    assert (handle.value, link.visitor, link.proof) == (PHONE, visitor_token(KEY, "v-2"), "claimed")
    ((_, own),) = await reader.visitors(ingest.tenant, [handles.of("visitor", "v-1", "claimed")])
    assert own.visitor == visitor_token(KEY, "v-1")


async def test_what_a_call_tells_of_her_hides_no_visitor_of_the_pages(
    ingest: RunningIngest,
) -> None:
    """Her campaign has a link of its own, which says so; whoever has one alone is found by it."""
    await send(ingest, identify("i1"))
    told = raw("ringostat", form_body(uniqueid="c-1", caller=PHONE, utm_source="newsletter"))
    parsed = ringostat.parse(told)
    assert isinstance(parsed, Reported)
    seen = [(who, each) for who, each in parsed.reports if isinstance(each, VisitSummarised)]
    await VisitStore(ingest.bus, PlainCodec(), {ingest.tenant: KEY}).put(ingest.tenant, seen)
    asked = [handles.of("phone", PHONE, "delivered")]
    found = await visit_reader(ingest.bus, ingest.tenant).visitors(ingest.tenant, asked)
    assert {link.visitor: link.by_call for _, link in found} == {
        visitor_token(KEY, "v-1"): False,
        visitor_token(KEY, "c-1"): True,
    }


async def test_what_another_hand_wrote_is_no_link(ingest: RunningIngest) -> None:
    """It is passed over."""
    handle = handles.of("phone", PHONE, "delivered")
    subject = subjects.visitor_of(ingest.tenant, handles.lookup_token(KEY, handle))
    await ingest.bus.store(subject, b"[]")
    reader = visit_reader(ingest.bus, ingest.tenant)
    assert await reader.visitors(ingest.tenant, [handle]) == []
    assert await gets.last_of_each(ingest.bus, streams.VISITS, []) == []


# -- bounds -------------------------------------------------------------------------------------------------


def seen(items: Sequence[dict[str, Any]]) -> list[Seen]:
    parsed = site.parse(raw("site", msgspec.json.encode({"batch": list(items)})))
    assert isinstance(parsed, Reported)
    return [(who, event) for who, event in parsed.reports if isinstance(event, VisitSummarised)]


def test_every_item_of_a_long_batch_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body's limit is the only one; and what each event says of the body is worked out once, not once an item."""
    items = [page(str(number), f"v-{number}") for number in range(4_000)]
    hashed: list[int] = []

    def counting(body: bytes) -> str:
        hashed.append(len(body))
        return hashlib.sha256(body).hexdigest()

    monkeypatch.setattr(ids, "body_sha256", counting)
    assert len({event.id for _, event in seen(items)}) == len(items)
    assert sum(hashed) <= 3 * len(msgspec.json.encode(items))


def test_of_one_delivery_no_more_is_stored_than_is_kept() -> None:
    """The newest of each visitor, in their order."""
    items = [page(str(number), f"v-{number % 2}") for number in range(200)]
    kept = [event.open.provider_id for _, event in newest(seen(items))]
    assert kept == [str(number) for number in range(100, 200)]


class BusOf:
    """Notes what is stored."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    async def store_many(self, messages: Sequence[tuple[str, bytes, str]]) -> None:
        self.stored += [subject for subject, _, _ in messages]

    def links(self) -> int:
        found = sum(subject.startswith("visitor.") for subject in self.stored)
        self.stored = []
        return found


async def test_a_visitor_who_is_named_at_each_step_is_noted_once_a_day(monkeypatch: Any) -> None:
    """A page tells a signed-in visitor's id with every view; one whom it forgot is noted again."""
    monkeypatch.setattr(storing, "LINKS_REMEMBERED", 2)
    bus: Any = BusOf()
    store = VisitStore(bus, PlainCodec(), {"demo": KEY})
    first = seen([page(str(number), userId="77") for number in range(3)])
    await store.put("demo", first)
    assert bus.links() == 1
    await store.put("demo", first)
    assert bus.links() == 0
    tomorrow = first[0][1].recorded + timedelta(days=1)
    await store.put("demo", [(who, replace(each, recorded=tomorrow)) for who, each in first])
    assert bus.links() == 1
    await store.put("demo", seen([page("x", "v-2", userId="1"), page("y", "v-3", userId="2")]))
    assert bus.links() == 2
    await store.put("demo", first)
    assert bus.links() == 1


async def test_many_are_stored_a_part_at_a_time(monkeypatch: Any) -> None:
    """A batch of thousands of visitors holds no thousands of answers open."""
    monkeypatch.setattr(storing, "TOGETHER", 4)
    calls: list[int] = []

    class Counting(BusOf):
        async def store_many(self, messages: Sequence[tuple[str, bytes, str]]) -> None:
            calls.append(len(messages))

    bus: Any = Counting()
    items = [page(str(number), f"v-{number}") for number in range(10)]
    await VisitStore(bus, PlainCodec(), {"demo": KEY}).put("demo", seen(items))
    assert calls == [4, 4, 2]
