"""The address for a contact page: it says what the policy says whatever is away, how long it takes where that is known,
and nothing of anybody."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.handlers import hours_door
from services.ingest.handlers.accounts import Accounts
from services.ingest.handlers.hours_door import HoursDoor
from shared import policy
from shared.policies import Policies
from tests.ingest.running_ingest import RunningIngest

POLICY = b"""
tenant: demo
queues:
  hotline: {title: Hotline, calendars: {chat: late}}
  office: {title: Office}
agents: {}
accounts:
  twilio_voice/hotline: {queue: hotline, secrets: {signing: S}}
  chat/shop: {queue: hotline, secrets: {signing: S}}
  email/shop: {queue: office, secrets: {signing: S}}
  site/shop: {queue: office, secrets: {signing: S}}
  form/closed: {queue: office, secrets: {signing: NONE}}
calendars:
  day: {zone: Europe/Warsaw, open: {mon-fri: ["08:00-18:00"]}}
  late: {zone: Europe/Warsaw, open: {mon-sun: ["10:00-22:00"]}}
calendar: day
"""
TUESDAY = datetime(2026, 12, 1, 16, 59, 30, tzinfo=UTC)
ROOM = {"until": None, "opens": None, "waiting": 7, "taken": 9}


class History:
    """Answers as history does; `away`: for ever not."""

    def __init__(self) -> None:
        self.times = 0
        self.away = False

    async def request(self, subject: str, body: bytes, *, timeout_seconds: float) -> bytes:
        assert (subject, body) == ("query.demo.waiting", b"{}")
        self.times += 1
        if self.away:
            await asyncio.Event().wait()
        known = {"median_seconds": 40, "p90_seconds": 110}
        unknown = {"median_seconds": None, "p90_seconds": None}
        lines = [
            {"queue": "hotline", "medium": "call", "open": True, **ROOM, **known},
            {"queue": "hotline", "medium": "chat", "open": True, **ROOM, **unknown},
        ]
        return msgspec.json.encode({"position": 1, "queues": lines})


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = TUESDAY

    def now(self) -> datetime:
        return self.time


class Page:
    """A contact page, and whom it asks."""

    def __init__(self) -> None:
        self.history, self.clock = History(), Clock()
        bus: Any = self.history
        accounts = Accounts(Policies(policy.parse(POLICY)), {"S": "a secret"})
        self.door = HoursDoor(accounts, bus, self.clock)

    async def get(self, tenant: str = "demo", **fields: str) -> Response:
        headers = [
            (name.replace("_", "-").encode(), each.encode()) for name, each in fields.items()
        ]
        return await self.door.serve(Request({"type": "http", "headers": headers}), tenant)

    async def lines(self) -> dict[str, dict[str, Any]]:
        answer = await self.get()
        assert answer.status_code == 200
        found = msgspec.json.decode(answer.body)["channels"]
        return {each["medium"]: each for each in found}


async def test_a_page_hears_until_when_and_how_long() -> None:
    """In the shop's own time, by what the calendar of the queue says for the medium; no number of who waits."""
    lines = await Page().lines()
    assert lines.keys() == {"call", "chat", "mail"}, (
        "neither what no customer uses nor a closed door"
    )
    assert lines["call"] == {
        "medium": "call",
        "channel": "twilio_voice",
        "account": "hotline",
        "open": True,
        "until": "2026-12-01T18:00:00+01:00",
        "opens": None,
        "zone": "Europe/Warsaw",
        "wait": {"median_seconds": 40, "p90_seconds": 110},
    }
    assert (lines["chat"]["until"], lines["chat"]["wait"]) == ("2026-12-01T22:00:00+01:00", None)


async def test_it_is_kept_until_it_changes() -> None:
    """By a browser or a proxy, and here: however many ask, history is asked once; at closing time it is said anew."""
    page = Page()
    first = await page.get()
    assert first.headers["cache-control"] == "public, max-age=30"
    assert first.headers["access-control-allow-origin"] == "*"
    await asyncio.gather(*(page.get() for _ in range(50)))
    assert page.history.times == 1
    etag = first.headers["etag"]
    again = await page.get(if_none_match=f'"other", W/{etag}')
    assert (again.status_code, again.body, again.headers["etag"]) == (304, b"", etag)
    page.clock.time += timedelta(seconds=30)
    closed = await page.get(if_none_match=etag)
    assert (closed.status_code, closed.headers["cache-control"]) == (200, "public, max-age=60")
    line = (await page.lines())["call"]
    assert (line["open"], line["opens"], line["wait"]) == (
        False,
        "2026-12-02T08:00:00+01:00",
        None,
    )


async def test_history_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hours are told without it."""
    monkeypatch.setattr(hours_door, "ASKING_SECONDS", 0.01)
    page = Page()
    page.history.away = True
    line = (await page.lines())["call"]
    assert (line["open"], line["wait"]) == (True, None)


async def test_it_is_there_for_any_page(ingest: RunningIngest) -> None:
    """By GET, without a key, also while history does not answer; of a tenant that there is not, nothing."""
    address = f"{ingest.url}/hours/{ingest.tenant}"
    answer = await ingest.http.get(address)
    assert answer.status_code == 200
    media = {each["medium"]: each["open"] for each in answer.json()["channels"]}
    assert media == dict.fromkeys(("call", "chat", "message", "mail", "form"), True)
    known = {"if-none-match": answer.headers["etag"]}
    assert (await ingest.http.get(address, headers=known)).status_code == 304
    assert (await ingest.http.head(address)).headers["etag"] == answer.headers["etag"]
    assert (await ingest.http.post(address)).status_code == 404
    unknown = await ingest.http.get(f"{ingest.url}/hours/nobody")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "tenant.unknown")
