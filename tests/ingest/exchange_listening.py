"""What the tests of listening to an exchange share: a bus, readers, and what was told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.ingest.channels import CHANNELS, asterisk
from services.ingest.domain import pbx_memory
from services.ingest.domain.outcome import Reported
from services.ingest.handlers import exchange as exchanges
from services.ingest.handlers import raw_store, remote_reader
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.exchange import Exchange
from services.ingest.handlers.raw_store import RawStore
from shared import ensuring, streams, subjects
from shared.backoff import Backoff
from shared.bus import Bus, connect
from shared.clock import SystemClock
from shared.policy import Account
from tests.fakes.exchange import PASSWORD, USER
from tests.ingest.running_ingest import stored, until
from tests.support.servers import EmbeddedNats

TENANT = "exchanges"
RULES = Account(queue="hotline", region="PL")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for is waited for shortly."""
    monkeypatch.setattr(remote_reader, "RETRY", Backoff(first_seconds=0.05, longest_seconds=0.1))
    monkeypatch.setattr(exchanges, "SETTLE_SECONDS", 0.05)


@pytest_asyncio.fixture
async def bus(ingest_nats: EmbeddedNats) -> AsyncIterator[Bus]:
    """A bus with the streams."""
    connected = await connect(ingest_nats.url, "tests")
    try:
        await ensuring.ensure(
            connected, streams.WantedStreams(streams=streams.stream_configs(), consumers=[])
        )
        yield connected
    finally:
        await connected.close()


def make(
    bus: Bus,
    account: str,
    *,
    password: str | None = PASSWORD,
    ami: str | None = None,
    ari: str | None = None,
) -> Exchange:
    """A reader of an exchange."""
    rules = Account(queue="hotline", region="PL", ami=ami, ari=ari)
    secrets = {"user": USER} | ({} if password is None else {"password": password})
    door = Door(TENANT, CHANNELS["asterisk"], account, rules, secrets)
    bodies = BodyStore(bus)
    return Exchange(door, bus, RawStore(bus, bodies, 8_192), bodies, SystemClock())


async def deliveries(bus: Bus, account: str) -> list[Any]:
    """What RAW holds of an account, as it is parsed."""
    held = await stored(bus, streams.RAW, subjects.raw(TENANT, asterisk.NAME, account))
    return [
        raw_store.raw_delivery(
            TENANT, f"asterisk/{account}", RULES, sequence=each.sequence, body=each.body,
            fields=each.headers, stored=each.stored,
        )
        for each in held
    ]  # fmt: skip


async def told(bus: Bus, account: str) -> list[Any]:
    """The contact events of an account, each once, in the order in which they were told first."""
    found: dict[str, Any] = {}
    for each in await deliveries(bus, account):
        outcome = asterisk.parse(each)
        for _, event in outcome.reports if isinstance(outcome, Reported) else ():
            found.setdefault(event.id, event)
    return list(found.values())


async def types(bus: Bus, account: str, *wanted: str) -> list[Any]:
    """Wait until these events were told, and no others; return them."""
    seen: list[str] = []

    async def look() -> list[Any] | None:
        events = await told(bus, account)
        seen[:] = [each.type for each in events]
        return events if seen == list(wanted) else None

    try:
        return await until(look)
    except TimeoutError:
        raise AssertionError(seen) from None


async def asked(bus: Bus, account: str, times: int = 1) -> None:
    """Wait until the exchange was asked so often which calls there are."""

    async def look() -> bool | None:
        whole = [
            each for each in await deliveries(bus, account) if each.path == pbx_memory.WHOLE_MARK
        ]
        return True if len(whole) >= times else None

    await until(look)


async def troubled(reader: Exchange, code: str | None) -> None:
    """Wait until this is the reader's trouble."""

    async def look() -> bool | None:
        return True if (reader.trouble.code if reader.trouble else None) == code else None

    await until(look)
