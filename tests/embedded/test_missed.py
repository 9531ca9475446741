"""`tellonce missed`: the account of a day, read from the ledger on the real server."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.cli import times
from deploy.cli.missed import day_in
from shared import codec, ensuring, streams
from shared.bus import Bus, connect
from shared.events import AnyEvent, CallbackRequested, ContactMissed
from shared.ledger import Write
from shared.ledger.jetstream import NatsLedger
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import POLICY_TEXT, TENANT, call, phone

Run = Callable[..., tuple[int, str, str]]


async def a_day() -> InMemoryRouter:
    """Four calls that nobody took: one is reached, one gets an answer, one shows no number, and one is owed still."""
    router = InMemoryRouter()
    router.clock.time = datetime.now(UTC)
    await router.on_duty("ewa")
    for name, number in (("CA1", "+48600100201"), ("CA2", "+48600100202"), ("CA3", "+48600100203")):
        await router.happens(call("missed", name, handles=[phone(number)]))
    await router.happens(call("ended", "CA4", handles=[]))
    first, second, *_ = await router.conversations()
    for it, outcome in ((first, "reached"), (second, "wrong_number")):
        assert it.matter.owed is not None
        said = {"conversation": it.id, "callback_id": it.matter.owed.callback_id}
        await router.does("ewa", "attempt_callback", **said, outcome=outcome)
    return router


async def keep(bus: Bus, happened: Sequence[AnyEvent]) -> None:
    """Put these events into LEDGER, each where it stood in its aggregate."""
    (config,) = [each for each in streams.stream_configs() if each["name"] == streams.LEDGER]
    await ensuring.ensure(bus, streams.WantedStreams([config]))
    ledger, last = NatsLedger(bus, codec.PlainCodec()), dict[str, int]()
    for event in happened:
        write = Write(event.aggregate, last.get(event.aggregate, 0), [event])
        last[event.aggregate] = (await ledger.append(TENANT, [write])).position


async def told(run: Run, *argv: str) -> tuple[int, str, str]:
    return await asyncio.to_thread(run, "missed", *argv)


@pytest_asyncio.fixture
async def bus(nats_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Bus]:
    """A server with nothing in LEDGER, and a policy, for the command line too."""
    (tmp_path / "policy.yaml").write_bytes(POLICY_TEXT)
    monkeypatch.setenv("TELLONCE_POLICY", str(tmp_path / "policy.yaml"))
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    monkeypatch.setenv("TELLONCE_DATA", str(tmp_path / "none"))
    bus = await connect(nats_url, "test")
    yield bus
    await bus.api(f"STREAM.DELETE.{streams.LEDGER}")
    await bus.close()


async def test_a_day_is_accounted_for(
    bus: Bus, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table, and who waits for a call; the same as JSON; on another day nobody was lost."""
    router = await a_day()
    await keep(bus, [each.event for each in await router.recorded()])
    capsys.readouterr()
    today = router.clock.time.date()
    code, out, _ = await told(run, "--day", str(today))
    lines = out.splitlines()
    assert code == 0
    assert [line.split() for line in lines[1:8]] == [
        ["lost", "4"],
        ["reached", "1", "1", "of", "them", "in", "time"],
        ["answered", "0"],
        ["closed", "1"],
        ["open", "1"],
        ["unreachable", "1"],
        ["unaccounted", "0"],
    ]
    (waits,) = lines[8:]
    assert "queue hotline, due" in waits
    code, out, _ = await told(run, "--day", str(today), "--json")
    fates = sorted(each["fate"] for each in json.loads(out)["contacts"])
    assert fates == ["closed", "open", "reached", "unreachable"]
    before = str(today - timedelta(days=2))
    code, out, _ = await told(run, "--day", before, "--zone", "Europe/Warsaw", "--json")
    assert (code, json.loads(out)["counts"]["lost"]) == (0, 0)


async def test_who_is_not_accounted_for_is_named(
    bus: Bus, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The control: a call that nobody owes, and one whose loss nobody noted. The code is 1."""
    router = await a_day()
    happened = [each.event for each in await router.recorded()]
    (lost, *_) = [each for each in happened if isinstance(each, ContactMissed)]
    damaged = [
        each
        for each in happened
        if each.type != "contact.abandoned"
        and not (
            isinstance(each, CallbackRequested) and each.open.callback_id == lost.open.callback_id
        )
    ]
    await keep(bus, damaged)
    capsys.readouterr()
    code, out, _ = await told(run, "--day", str(router.clock.time.date()))
    named = [line for line in out.splitlines() if line.startswith("UNACCOUNTED")]
    assert (code, len(named)) == (1, 2)
    assert any(lost.open.contact_id in line and "no call is owed" in line for line in named)
    assert any("that was not noted" in line for line in named)


async def test_where_nothing_answers_nothing_is_proved(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The code is neither 0 nor 1."""
    policy = tmp_path / "policy.yaml"
    policy.write_bytes(POLICY_TEXT)
    monkeypatch.setenv("TELLONCE_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("TELLONCE_DATA", str(tmp_path / "none"))
    code, _, err = await told(run, "--tenant-policy", str(policy))
    assert (code, "not reached" in err) == (2, True)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-12-01", 24)]
)
def test_a_day_is_as_long_as_it_is_there(day: str, hours: int) -> None:
    """From midnight to midnight in the zone, also when its clocks change."""
    since, until = day_in(date.fromisoformat(day), "Europe/Warsaw")
    assert until.astimezone(UTC) - since.astimezone(UTC) == timedelta(hours=hours)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30", "", "today"])
def test_a_day_that_has_no_neighbours_is_none(day: str) -> None:
    """In some zone it would begin before all days, or end after them."""
    with pytest.raises(argparse.ArgumentTypeError):
        times.day(day)
