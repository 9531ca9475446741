"""A provider's list of calls that is asked for: each call once, whatever ends, and with the webhooks one call."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.ingest.channels import CHANNELS
from services.ingest.domain import list_marks
from services.ingest.domain.fetching import Unfetchable
from services.ingest.domain.list_marks import ListMark, SeenEntries
from services.ingest.handlers import raw_marks, remote_reader
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.call_list import CallListReader
from services.ingest.handlers.http_files import HttpFiles
from services.ingest.handlers.raw_store import PATH_FIELD, RawStore
from services.ingest.lists import ringostat
from shared import ensuring, streams, subjects
from shared.backoff import Backoff
from shared.bus import Bus, connect
from shared.bus.deliveries import StoredMessage
from shared.policy import Account
from tests.fakes.listed_calls import ListedCalls
from tests.ingest import fake_files
from tests.ingest.remote_readers import reading
from tests.ingest.running_ingest import parsed, raw, stored, until
from tests.support.servers import EmbeddedNats

TENANT = "lists"
KEY = "a-key-of-the-tests"
POLL_SECONDS = 0.05
SECRETS = {"signing": "s", "api_key": KEY}


class Then:
    """Our clock, on the day after the calls."""

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)


def call(name: str, at: str = "10:00:00", **told: Any) -> dict[str, Any]:
    """A call of the list that nobody answered."""
    return {
        "uniqueid": name,
        "calldate": f"2026-11-22T{at}+0100",
        "caller": "48600100200",
        "call_type": "in",
        "disposition": "NO ANSWER",
        **told,
    }


# -- what is asked and read -------------------------------------------------------------------------------


@given(key=st.text(max_size=20), moment=st.text(max_size=20))
def test_a_mark_survives_raw(key: str, moment: str) -> None:
    """Whatever the provider calls a call; a path of the door is no mark."""
    whole = ListMark(
        key.encode(errors="replace").decode(), moment.encode(errors="replace").decode()
    )
    assert list_marks.mark(whole.url) == whole
    assert list_marks.mark("/in/demo/ringostat/main?moment=after") is None


def test_the_list_is_asked_for_from_the_last_call_on_with_an_overlap() -> None:
    """By the provider's clock, whatever ours shows; the first time it says itself how far back."""
    seen = SeenEntries(Then().now)
    rules = Account(queue="hotline")
    assert "from=" not in ringostat.ask(rules, SECRETS, seen.since(ringostat.OVERLAP)).url
    for at in ("2026-11-22T10:00:00+0100", "2026-11-22T18:30:00+0100", "yesterday"):
        seen.note(ListMark("a", at), "0")
    asked = ringostat.ask(rules, SECRETS, seen.since(ringostat.OVERLAP))
    assert asked.url.startswith("https://api.ringostat.net/calls/list?")
    assert "from=2026-11-22+12%3A30%3A00" in asked.url
    assert asked.secret == {"auth-key": KEY}
    own = ringostat.ask(Account(queue="hotline", api="https://calls.shop.example"), SECRETS, None)
    assert own.url.startswith("https://calls.shop.example/calls/list?")


@pytest.mark.parametrize("at", ["2199-01-01 00:00:00", "9999-12-31T23:59:59-1200"])
def test_a_call_of_another_century_is_nothing_to_go_on_from(at: str) -> None:
    """Else the list would be asked for from there on, for ever; a clock of any zone may be ahead of ours."""
    seen, overlap = SeenEntries(Then().now), ringostat.OVERLAP
    seen.note(ListMark("odd", at), "0")
    assert seen.since(overlap) is None
    seen.note(ListMark("a", "2026-11-23T14:00:00+1400"), "0")
    assert seen.since(overlap) == datetime(2026, 11, 23, 8)  # noqa: DTZ001  by the provider's clock
    assert (ListMark("odd", at), "0") in seen


def test_what_is_not_asked_for_again_is_forgotten() -> None:
    """A process that runs for a year remembers the overlap."""
    seen, overlap = SeenEntries(Then().now), timedelta(hours=6)
    old, new = ListMark("a", "2026-11-22T03:59:59+0100"), ListMark("b", "2026-11-22T10:00:00+0100")
    seen.note(new, "1")
    assert not seen.reaches(overlap)
    seen.note(old, "1")
    assert seen.reaches(overlap)
    seen.forget(overlap)
    assert (old, "1") not in seen
    assert (new, "1") in seen
    assert (new, "2") not in seen


def test_what_has_no_moment_is_forgotten_when_the_list_has_it_no_more() -> None:
    """Nothing says when it was; what somebody else has stored meanwhile was there a moment ago."""
    seen, overlap = SeenEntries(Then().now), timedelta(hours=6)
    shown, gone, others = (ListMark(each, "") for each in ("shown", "gone", "others"))
    for each in (shown, gone):
        seen.note(each, "1")
    seen.forget(overlap)
    assert (gone, "1") in seen
    seen.show(shown)
    seen.note(others, "1")
    seen.forget(overlap)
    assert [(each, "1") in seen for each in (shown, gone, others)] == [True, False, True]
    seen.show(shown)
    seen.forget(overlap)
    assert [(each, "1") in seen for each in (shown, others)] == [True, False]


def test_a_full_answer_has_a_rest() -> None:
    """It is asked for from its last call on."""
    calls = [call(str(k)) for k in range(ringostat.CALLS_MAX - 1)]
    page = ringostat.read(json.dumps(calls).encode())
    assert page is not None
    assert (len(page.entries), page.onward) == (ringostat.CALLS_MAX - 1, None)
    page = ringostat.read(json.dumps([*calls, call("last", "11:00:00")]).encode())
    assert page is not None
    assert page.onward == datetime(2026, 11, 22, 11)  # noqa: DTZ001  by the provider's clock


@pytest.mark.parametrize("body", [b"", b"incorrect field", b"{}", b'"x"', b"<html>"])
def test_what_is_no_list_is_none(body: bytes) -> None:
    """An error may come as a page that says 200."""
    assert ringostat.read(body) is None


def test_an_entry_without_an_id_is_kept_by_its_bytes() -> None:
    """It can be no event; a person finds it in RAW."""
    page = ringostat.read(b'[{"caller":"1"},7]')
    assert page is not None
    assert len({each.mark.key for each in page.entries}) == 2


def test_the_mapping_of_the_webhooks_does_not_concern_the_list() -> None:
    """It has the provider's own names."""
    entry = json.dumps(call("7")).encode()
    rules = Account(queue="hotline", mapping={"call": "nr", "outcome": "how"})
    delivery = raw("ringostat", entry, path=ListMark("7", "x").url)
    (event,) = parsed(replace(delivery, rules=rules))
    assert (event.type, event.open.provider_id) == ("call.missed", "7")


# -- a reader over RAW ------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def bus(ingest_nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
    """A bus with the streams; what is tried again is tried soon."""
    monkeypatch.setattr(remote_reader, "RETRY", Backoff(first_seconds=0.05, longest_seconds=0.1))
    connected = await connect(ingest_nats.url, "tests")
    try:
        await ensuring.ensure(
            connected, streams.WantedStreams(streams=streams.stream_configs(), consumers=[])
        )
        yield connected
    finally:
        await connected.close()


def make(
    bus: Bus, listed: ListedCalls, account: str, channel: str = "ringostat", **secrets: str
) -> CallListReader:
    """A reader of the provider's list."""
    rules = Account(queue="hotline", poll=POLL_SECONDS)
    door = Door(TENANT, CHANNELS[channel], account, rules, secrets or SECRETS)
    store = RawStore(bus, BodyStore(bus), 8_192)
    return CallListReader(door, bus, store, Then(), listed)  # type: ignore[arg-type]


async def held(bus: Bus, account: str) -> list[StoredMessage]:
    """What RAW holds of an account."""
    return await stored(bus, streams.RAW, subjects.raw(TENANT, "ringostat", account))


async def names(bus: Bus, account: str) -> list[str]:
    """Which calls RAW holds, by the ids that the provider gave them, in the order in which they were stored."""
    marks = [list_marks.mark(each.headers[PATH_FIELD]) for each in await held(bus, account)]
    return [mark.key for mark in marks if mark is not None]


async def came(bus: Bus, account: str, *wanted: str) -> None:
    """Wait until RAW holds these calls and no others, in this order."""

    async def look() -> bool | None:
        return True if await names(bus, account) == list(wanted) else None

    await until(look)


async def rounds(listed: ListedCalls, count: int) -> None:
    """Wait until the list was asked for so many times more."""
    before = len(listed.asked)

    async def look() -> bool | None:
        return True if len(listed.asked) >= before + count else None

    await until(look)


async def test_calls_are_stored_once_and_those_that_changed_anew(bus: Bus) -> None:
    """However often the list is asked for, also by a process that came after."""
    first, second = call("a", disposition="IN PROGRESS"), call("b", "10:05:00")
    listed = ListedCalls(KEY, [second, first])
    async with reading(make(bus, listed, "once")):
        await came(bus, "once", "a", "b")
        await rounds(listed, 3)
        assert await names(bus, "once") == ["a", "b"]
        first["disposition"] = "ANSWERED"
        await came(bus, "once", "a", "b", "a")
    listed.calls.append(call("c", "11:00:00"))
    async with reading(make(bus, listed, "once")):
        await came(bus, "once", "a", "b", "a", "c")
        await rounds(listed, 3)
    assert await names(bus, "once") == ["a", "b", "a", "c"]
    assert "from" not in listed.asked[0]
    assert listed.asked[-1]["from"] == ["2026-11-22 05:00:00"]


async def test_a_call_is_one_whichever_way_it_was_told(bus: Bus) -> None:
    """A webhook that came and one that was lost: after asking, both calls stand there, with the ids of webhooks."""
    listed = ListedCalls(KEY, [call("a"), call("b", "10:05:00")])
    async with reading(make(bus, listed, "both")):
        await came(bus, "both", "a", "b")
    asked = [
        parsed(raw("ringostat", each.body, path=each.headers[PATH_FIELD]))[0]
        for each in await held(bus, "both")
    ]
    posted = parsed(raw("ringostat", json.dumps(call("a")).encode(), path="/in/x?moment=after"))
    assert asked[0].id == posted[0].id != asked[1].id
    assert [each.type for each in asked] == ["call.missed", "call.missed"]


async def test_two_who_ask_for_one_list_store_each_call_once(bus: Bus) -> None:
    """Whoever is overtaken notes what the other stored."""
    listed = ListedCalls(KEY, [call(f"a{k}", f"10:00:{k:02}") for k in range(10)])
    async with reading(*(make(bus, listed, "two") for _ in range(3))):
        await came(bus, "two", *(f"a{k}" for k in range(10)))
        listed.calls += [call(f"b{k}", f"10:01:{k:02}") for k in range(4)]
        await came(bus, "two", *(f"a{k}" for k in range(10)), *(f"b{k}" for k in range(4)))
        await rounds(listed, 6)
    assert len(await names(bus, "two")) == 14


async def test_webhooks_meanwhile_neither_stop_it_nor_hide_what_was_read(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand behind the list's last call, more than are looked at in one go."""
    monkeypatch.setattr(raw_marks, "LOOKED_BACK", 2)
    monkeypatch.setattr(raw_marks, "LOOK_BATCH", 2)
    listed = ListedCalls(KEY, [call("a", "02:00:00"), call("b")])
    subject = subjects.raw(TENANT, "ringostat", "doors")
    async with reading(make(bus, listed, "doors")):
        await came(bus, "doors", "a", "b")
        for number in range(9):
            await bus.store(subject, b"{}", msg_id=f"webhook-{number}", headers={})
        listed.calls.append(call("c", "10:10:00"))

        async def look() -> bool | None:
            return True if len(await held(bus, "doors")) == 12 else None

        await until(look)
    async with reading(make(bus, listed, "doors")):
        await rounds(listed, 3)
    assert len(await held(bus, "doors")) == 12


async def test_a_list_that_is_longer_than_an_answer_is_asked_for_on(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage of days; a full answer of one moment ends the asking, not the process."""
    monkeypatch.setattr(ringostat, "CALLS_MAX", 3)
    listed = ListedCalls(KEY, [call(f"a{k}", f"10:00:{k:02}") for k in range(8)], answers_max=3)
    async with reading(make(bus, listed, "long")):
        await came(bus, "long", *(f"a{k}" for k in range(8)))
    same = ListedCalls(KEY, [call(f"a{k}") for k in range(5)], answers_max=3)
    async with reading(make(bus, same, "moment")):
        await rounds(same, 4)
    assert await names(bus, "moment") == ["a0", "a1", "a2"]


async def test_an_answer_that_sends_back_ends_the_round(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two full answers that each name a moment before the other would be asked for in turn, without a pause."""
    monkeypatch.setattr(ringostat, "CALLS_MAX", 1)
    early, late = call("early", "10:00:00"), call("late", "11:00:00")
    answers = [json.dumps([each]).encode() for each in (late, early) * 20]
    listed = ListedCalls(KEY, away=list(answers))
    async with reading(make(bus, listed, "back")):
        await rounds(listed, 3)
    asked = [each.get("from", [""])[0] for each in listed.asked]
    assert asked[:3] == ["", "2026-11-22 11:00:00", "2026-11-22 05:00:00"]


AWAY: list[tuple[Callable[[], Exception | bytes], str]] = [
    (lambda: Unfetchable("unreachable", passing=True), "provider.unavailable"),
    (lambda: Unfetchable("unavailable", passing=True, status=503), "provider.unavailable"),
    (lambda: Unfetchable("unavailable", passing=True, status=403), "provider.refused"),
    (lambda: b"incorrect field", "provider.not_understood"),
    (ZeroDivisionError, "internal.failure"),
]


@pytest.mark.parametrize(("instead", "code"), AWAY)
async def test_a_provider_that_is_away_is_a_trouble_of_its_account_and_passes(
    bus: Bus, instead: Callable[[], Exception | bytes], code: str
) -> None:
    """Each has its code, a fault of ours too, and what came meanwhile is there afterwards."""
    account = f"away-{AWAY.index((instead, code))}"
    listed = ListedCalls(KEY, [call("a")], away=[instead() for _ in range(500)])
    reader = make(bus, listed, account)
    async with reading(reader):

        async def told() -> bool | None:
            return True if reader.trouble is not None else None

        await until(told)
        assert reader.trouble is not None
        assert (reader.trouble.code, reader.trouble.about) == (
            code,
            f"{TENANT}/ringostat/{account}",
        )
        listed.away.clear()
        await came(bus, account, "a")

        async def over() -> bool | None:
            return True if reader.trouble is None else None

        await until(over)


async def test_it_is_asked_for_over_http(bus: Bus) -> None:
    """With the key in its header; a refusal is told from a failure."""
    async with fake_files.fake_files() as server:
        rules = Account(queue="hotline", poll=POLL_SECONDS, api=server.url)
        asked = urlsplit(ringostat.ask(rules, SECRETS, None).url)
        path = f"{asked.path}?{asked.query}"
        body = json.dumps([{"uniqueid": "a"}]).encode()
        refusal = fake_files.answer(b"", status=403)
        server.paths[path] = fake_files.in_turn(refusal, fake_files.answer(body))
        door = Door(TENANT, CHANNELS["ringostat"], "http", rules, SECRETS)
        web = HttpFiles([ip_network("127.0.0.0/8")], 1_000, 30.0)
        store = RawStore(bus, BodyStore(bus), 8_192)
        with capture_logs() as lines:
            async with reading(CallListReader(door, bus, store, Then(), web)):
                await came(bus, "http", "a")
    assert [each["code"] for each in lines if "code" in each] == ["provider.refused"]
    assert f"auth-key: {KEY}".encode() in server.heads[0]


async def test_what_cannot_be_asked_at_all_is_said(bus: Bus) -> None:
    """A wrong key, none, and a channel that has no list."""
    listed = ListedCalls(KEY)
    readers = {
        make(bus, listed, "none", signing="s"): "provider.without_secrets",
        make(bus, listed, "wrong", api_key="another"): "provider.refused",
        make(bus, listed, "form", "form"): "provider.without_list",
    }
    async with reading(*readers):

        async def told() -> bool | None:
            return True if all(each.trouble for each in readers) else None

        await until(told)
        assert [each.trouble.code for each in readers if each.trouble] == list(readers.values())
