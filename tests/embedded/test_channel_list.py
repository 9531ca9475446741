"""`tellonce channels list`: each account with its door, its balance, and whether it has fallen silent."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from deploy.cli import channel_list
from services.ingest.channels import CHANNELS
from services.ingest.domain import outcome
from services.ingest.domain.delivery import RawDelivery
from services.ingest.handlers.accounts import Accounts, Door
from shared import codec, ensuring, policy, settings, streams, subjects
from shared.bus import connect
from shared.policies import Policies
from shared.policy import Account
from tests.embedded.responder import Responder

POLICY = policy.load(settings.load({}).policy)
COUNTED = {"received": 3, "accepted": 1, "duplicate": 1, "quarantined": 1}


async def test_what_came_when_and_how_often_tells_silence(nats_url: str) -> None:
    """Three forms within a moment, then nothing for two hours; the chat has never had anything."""
    bus = await connect(nats_url, "test")
    raw = [
        each for each in streams.stream_configs() if each["name"] in {streams.RAW, streams.LEDGER}
    ]
    await ensuring.ensure(bus, streams.WantedStreams(raw))
    for _ in range(3):
        await bus.store(subjects.raw("demo", "form", "contact"), b"{}")
    now = datetime.now(UTC)
    doors = {each.name: each for each in Accounts(Policies(POLICY), {}).of_tenant("demo")}
    form = await channel_list.line_of(bus, doors["form/contact"], COUNTED, now)
    assert (form.counts["received"], form.counts["missing"], form.silent) == (3, 0, False)
    fates = {name: count for name, count in form.counts.items() if name != "received"}
    assert sum(fates.values()) == form.counts["received"]
    assert form.lacking == ["signing"]
    assert form.usual_seconds is not None
    assert form.usual_seconds < 60

    later = now + timedelta(hours=2)
    assert (await channel_list.line_of(bus, doors["form/contact"], COUNTED, later)).silent
    chat = await channel_list.line_of(bus, doors["chat/shop"], {}, later)
    assert (chat.last, chat.usual_seconds, chat.silent) == (None, None, False)
    for each in (streams.RAW, streams.LEDGER):
        await bus.api(f"STREAM.DELETE.{each}")
    await bus.close()


async def test_an_exchange_to_which_nobody_listened_says_so(nats_url: str) -> None:
    """Its last gap; it is read, though its door lacks a secret."""
    bus = await connect(nats_url, "test")
    wanted = {streams.RAW, streams.LEDGER}
    held = [each for each in streams.stream_configs() if each["name"] in wanted]
    await ensuring.ensure(bus, streams.WantedStreams(held))
    rules = Account(queue="hotline", ami="tcp://127.0.0.1")
    door = Door("demo", CHANNELS["asterisk"], "pbx", rules, {"user": "u", "password": "p"})
    since, until = datetime(2026, 11, 22, 9, tzinfo=UTC), datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    raw = RawDelivery("demo", "asterisk", "pbx", rules, 7, b"", [], "", until)
    gap = outcome.gap_event(raw, since, until)
    before = await channel_list.line_of(bus, door, {}, until)
    await bus.store(subjects.ledger("demo", gap.aggregate), codec.encode(gap))
    line = await channel_list.line_of(bus, door, {}, until)
    assert (before.interrupted, line.interrupted) == (None, (since, until))
    assert channel_list.shown(line).startswith("open ")
    assert "  no door, lacks signing" in channel_list.shown(line)
    assert "nobody listened 2026-11-22T09:00:00 to 09:30:00" in channel_list.shown(line)
    for each in wanted:
        await bus.api(f"STREAM.DELETE.{each}")
    await bus.close()


def test_a_refusal_of_the_balance_is_shown(
    nats_url: str, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code and exit code are the query's."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    with Responder(nats_url, "query.demo.balance", [b'{"error":{"code":"view.unavailable"}}']):
        code, out, _ = run("channels", "list")
    assert code == 1
    assert json.loads(out)["error"]["code"] == "view.unavailable"
