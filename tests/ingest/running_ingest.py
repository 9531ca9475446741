"""What the tests of ingest share: deliveries made by hand, a policy of their own, a running service."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from deploy import ledger
from services.ingest import app
from services.ingest.channels import CHANNELS
from services.ingest.domain import webhook_signature
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Reported
from services.ingest.handlers.visit_store import VisitStore
from shared import ensuring, errors, streams, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import StoredMessage
from shared.codec import PlainCodec
from shared.events import AnyEvent
from shared.policy import Account
from shared.settings import Settings
from shared.visit_reader import VisitReader

GOLDEN = Path(__file__).parent / "golden"
RECEIVED = datetime(2026, 11, 22, 9, 30, 0, 250_000, tzinfo=UTC)
SECRET = "a-secret-of-the-tests"
DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02
_numbers = itertools.count(1)
Found = TypeVar("Found")

PUBLIC = "https://doors.shop.example"

RULES = Account(
    queue="hotline",
    address="help@shop.example",
    topics={"delivery": "hotline"},
    reply="<Response><Hangup/></Response>",
)


@dataclass(frozen=True)
class Sample:
    """A good delivery of a channel. `sign`: its header fields, for a secret and a body.

    `signs_body`: whether they cover the body; some providers prove only who they are. `seal`: puts the secret into the
    body, for a provider that proves itself there.
    """

    body: bytes
    sign: Callable[[str, bytes], dict[str, str]]
    headers: Sequence[tuple[str, str]] = ()
    signs_body: bool = True
    seal: Callable[[str, bytes], bytes] = lambda secret, body: body  # noqa: ARG005  its shape

    def sent(self, secret: str) -> tuple[dict[str, str], bytes]:
        """Return its header fields and its body as the provider sends them."""
        body = self.seal(secret, self.body)
        return self.sign(secret, body), body


def raw(
    channel: str,
    body: bytes,
    *,
    sequence: int = 7,
    headers: Sequence[tuple[str, str]] = (),
    path: str | None = None,
) -> RawDelivery:
    """A delivery as RAW holds it."""
    return RawDelivery(
        tenant="demo",
        channel=channel,
        account="main",
        rules=RULES,
        sequence=sequence,
        body=body,
        headers=list(headers),
        path=f"/in/demo/{channel}/main" if path is None else path,
        received=RECEIVED,
    )


def parsed(delivery: RawDelivery) -> Sequence[Any]:
    """The contact events of a delivery that is expected to report some."""
    outcome = CHANNELS[delivery.channel].parse(delivery)
    assert isinstance(outcome, Reported), outcome
    return [event for _, event in outcome.reports]


def wire(event: AnyEvent) -> dict[str, Any]:
    """An event as its JSON on the bus."""
    answer: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    return answer


def form_body(**fields: str) -> bytes:
    """Parameters as a browser or Twilio encodes them."""
    return urlencode(fields).encode()


def signed(
    secret: str, body: bytes, *, webhook_id: str = "msg_1", at: datetime | None = None
) -> dict[str, str]:
    """The header fields of a Standard Webhooks request."""
    timestamp = int(time.time() if at is None else at.timestamp())
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": webhook_signature.sign(secret, webhook_id, timestamp, body),
    }


def by_webhook(secret: str, body: bytes) -> dict[str, str]:
    """The header fields of a Standard Webhooks request that a `Sample` is received with."""
    return signed(secret, body, at=RECEIVED)


def called(secret: str, url: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The header fields of a Twilio request, signed by Twilio's own code."""
    return {
        "x-twilio-signature": RequestValidator(secret).compute_signature(url, dict(fields)),
        "content-type": "application/x-www-form-urlencoded",
    }


async def until(
    look: Callable[[], Awaitable[Found | None]], seconds: float = DEADLINE_SECONDS
) -> Found:
    """Return the first result that is there. Fails when there is none in time."""
    async with asyncio.timeout(seconds):
        while (found := await look()) is None:  # noqa: ASYNC110  the condition is a server's
            await asyncio.sleep(POLL_SECONDS)
    return found


# -- a running service ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunningIngest:
    """A running ingest with a tenant and accounts that no other test has."""

    settings: Settings
    tenant: str
    account: str
    url: str
    http: httpx.AsyncClient
    bus: Bus
    stop: asyncio.Event = field(repr=False)

    def door(self, channel: str) -> str:
        """The address of a channel's door."""
        return f"{self.url}/in/{self.tenant}/{channel}/{self.account}"

    async def call(self, fields: Mapping[str, str], *, suffix: str = "") -> httpx.Response:
        """Send a webhook as Twilio does."""
        url = self.door("twilio_voice") + suffix
        return await self.http.post(url, data=dict(fields), headers=called(SECRET, url, fields))

    async def send(
        self, channel: str, body: bytes, *, webhook_id: str, **headers: str
    ) -> httpx.Response:
        """Send a body signed by the Standard Webhooks scheme."""
        fields = {**signed(SECRET, body, webhook_id=webhook_id), **headers}
        return await self.http.post(self.door(channel), content=body, headers=fields)

    async def send_pieces(
        self, channel: str, body: bytes, pieces: AsyncIterator[bytes]
    ) -> httpx.Response:
        """Send a signed body piece by piece."""
        fields = {**signed(SECRET, body), "content-type": "application/json"}
        return await self.http.post(self.door(channel), content=pieces, headers=fields)

    async def raw(self, channel: str) -> list[StoredMessage]:
        """What RAW holds of a channel's account."""
        subject = subjects.raw(self.tenant, channel, self.account)
        return await stored(self.bus, streams.RAW, subject)

    async def contacts(self, channel: str, count: int) -> list[dict[str, Any]]:
        """The first events of a channel in CONTACTS, once there are `count` of them; not what becomes of files."""

        async def look() -> list[dict[str, Any]] | None:
            wildcard = f"contact.*.{self.tenant}.{channel}.*"
            found = await stored(self.bus, streams.CONTACTS, wildcard)
            told = [msgspec.json.decode(each.body) for each in found]
            about = [each for each in told if not each["type"].startswith("attachment.")]
            return about if len(about) >= count else None

        return await until(look)

    async def normalised(self, channel: str) -> None:
        """Wait until every delivery of a channel is acknowledged."""
        name = streams.ingest_normalise(self.tenant, channel, self.account)

        async def look() -> bool | None:
            state = await self.bus.api(f"CONSUMER.INFO.{streams.RAW}.{name}")
            return True if state["num_pending"] + state["num_ack_pending"] == 0 else None

        await until(look)


async def stored(bus: Bus, stream: str, subject: str) -> list[StoredMessage]:
    """All messages of a subject, from the leader."""
    found: list[StoredMessage] = []
    while True:
        sequence = found[-1].sequence + 1 if found else 1
        message = await bus.leader_get(stream, sequence=sequence, next_by_subject=subject)
        if message is None:
            return found
        found.append(message)


def policy_text(tenant: str, account: str, rules: str = "") -> str:
    """A policy with one account per channel. `rules`: what all accounts have more, as YAML."""
    accounts = "\n".join(
        f"  {channel}/{account}: {{queue: hotline, secrets: {secrets_of(channel)}, address: help@shop.example,"
        f" reply: '<Response><Gather/><Hangup/></Response>', topics: {{delivery: hotline}}{rules and ', ' + rules}}}"
        for channel in CHANNELS
    )
    return (
        f"tenant: {tenant}\nqueues: {{hotline: {{title: Hotline}}}}\nagents: {{}}\n"
        f"accounts:\n{accounts}\n"
    )


def secrets_of(channel: str) -> str:
    """Every secret that the channel needs, as YAML; the first is the one that deliveries are signed with."""
    first, *others = CHANNELS[channel].SECRETS
    others += ["user", "password"] if channel in {"asterisk", "email"} else []
    named = {first: "DOOR_SECRET", **{other: f"DOOR_{other.upper()}" for other in others}}
    return "{" + ", ".join(f"{ours}: {name}" for ours, name in named.items()) + "}"


def make_settings(
    nats_url: str,
    folder: Path,
    *,
    name: str = "",
    rules: str = "",
    secrets: str = "",
    **changed: Any,
) -> tuple[Settings, str, str]:
    """Settings with a policy of its own; returns them with the tenant and the account's name.

    `name`: for a tenant that is to be met again; `rules`: see `policy_text`; `secrets`: further lines of the file.
    """
    number = name or next(_numbers)
    tenant, account = f"tenant{number}", f"main{number}"
    (folder / "policy.yaml").write_text(policy_text(tenant, account, rules))
    (folder / "secrets.env").write_text(
        f"DOOR_SECRET={SECRET}\nDOOR_VERIFY=verify-me\nLOOKUP_KEY={SECRET}\n{secrets}"
    )
    fields: dict[str, Any] = {
        "nats_url": nats_url,
        "policy": str(folder / "policy.yaml"),
        "secrets_file": str(folder / "secrets.env"),
        **changed,
    }
    return Settings(**fields), tenant, account


def visit_store(bus: Bus, tenant: str = "") -> VisitStore:
    """What writes VISITS for a tenant, under a key of these tests."""
    return VisitStore(bus, PlainCodec(), {tenant: SECRET.encode()})


def visit_reader(bus: Bus, tenant: str = "") -> VisitReader:
    """What reads VISITS for a tenant, under the same key."""
    return VisitReader(bus, PlainCodec(), {tenant: SECRET.encode()})


async def make_consumers(bus: Bus, settings: Settings, tenant: str, account: str) -> None:
    """Streams and consumers as the bootstrap job makes them."""
    consumers = _consumers(settings, tenant, account)
    await ensuring.ensure(bus, streams.WantedStreams(streams.stream_configs(), consumers))
    await ledger.found(bus, settings, tenant)


def _consumers(settings: Settings, tenant: str, account: str) -> list[streams.Consumer]:
    names = [f"{channel}/{account}" for channel in CHANNELS]
    every = streams.ingest_consumers(tenant, names, settings.normalise_batch)
    return [*every, streams.ingest_attachments(tenant)]


async def delete_consumers(bus: Bus, settings: Settings, tenant: str, account: str) -> None:
    """Make room for those of the next test: a server of 2.15 lets a stream have a thousand consumers."""
    for each in _consumers(settings, tenant, account):
        with contextlib.suppress(errors.TellonceError):
            await bus.api(f"CONSUMER.DELETE.{each.stream}.{each.name}")


@asynccontextmanager
async def running(
    nats_url: str, folder: Path, *, port: int, **changed: Any
) -> AsyncIterator[RunningIngest]:
    """Run ingest in this process against a real server until the block ends."""
    settings, tenant, account = make_settings(nats_url, folder, ingest_port=port, **changed)
    bus = await connect(nats_url, "tests")
    stop = asyncio.Event()
    try:
        await make_consumers(bus, settings, tenant, account)
        service = asyncio.create_task(app.run(settings, stop))
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(timeout=DEADLINE_SECONDS) as http:
            await until_ready(http, url, service)
            yield RunningIngest(settings, tenant, account, url, http, bus, stop)
        stop.set()
        await asyncio.wait_for(service, DEADLINE_SECONDS)
        if "name" not in changed:
            await delete_consumers(bus, settings, tenant, account)
    finally:
        stop.set()
        await bus.close()


async def until_ready(
    http: httpx.AsyncClient, url: str, service: asyncio.Task[None] | None = None
) -> None:
    """Wait for /readyz. Raises what ended the service, if it ended."""

    async def look() -> bool | None:
        if service is not None and service.done():
            service.result()
        try:
            return True if (await http.get(f"{url}/readyz")).status_code == 200 else None
        except httpx.TransportError:
            return None

    await until(look)
